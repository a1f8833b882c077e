"""Sets a process up for NumPy and JAX, before they are imported."""

import os
from pathlib import Path

from msd_tagger.common.processes import keep_big_buffers, one_thread_each


def set_up(platform: str = "") -> None:
    """Prepares this process for JAX; call before anything imports it.

    The platform is "cpu", "gpu" or "tpu", or "" for JAX's own choice.
    """
    if platform:
        os.environ["JAX_PLATFORMS"] = {"gpu": "cuda"}.get(platform, platform)
    # TensorFlow, which only reads files here, greets at length otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    given = os.environ.get("XLA_FLAGS", "")
    added = [f"{key}={value}" for key, value in xla_flags().items() if key not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *added]).strip()
    keep_big_buffers()


def xla_flags(cpu_info: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Chooses XLA's flags for the processor that Linux describes in `cpu_info`.

    All are known to jaxlib 0.10.1 to 0.11.2 (an unknown one ends the process).
    """
    # XLA uses half of a processor's widest vectors unless told otherwise. With whole
    # ones training was 6 to 9 % faster and evaluation 16 to 29 %, with AVX-512.
    flags = {"--xla_cpu_prefer_vector_width": "512"}
    features = cpu_info.read_text().split() if cpu_info.exists() else []
    if "avx2" in features and "avx512f" not in features:
        # Without AVX-512 YNNPACK computes the gradient of a 3 x 3 kernel at 6 to 18
        # GFLOP/s, where XLA's own convolution reaches 90 (second layer, two cores).
        # Training without YNNPACK was 1.4 times faster at 8 clips in a batch and 2.4
        # times at 16, evaluation 3 to 6 % slower.
        flags["--xla_cpu_experimental_ynn_fusion_type"] = ""
    return flags


def keep_programs(directory: str) -> None:
    """Keeps compiled programs in a folder, for the next start; "" keeps nothing.

    Call it after `set_up` and before anything imports JAX. By default JAX skips
    programs that compile in less than a second, which are most of a CPU's; here they
    are kept from 0.1 s on.

    Raises:
        ValueError: The folder cannot be created.
    """
    if not directory:
        return
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"compilation_cache_dir={directory!r} cannot be created: {error}"
        ) from error
    load_programs_quietly()
    import jax

    jax.config.update("jax_compilation_cache_dir", directory)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def load_programs_quietly() -> None:
    """Silences XLA about kept programs; call it before anything imports JAX.

    For every CPU program that it loads, XLA prints two kilobytes about tuning flags
    that it mistakes for features of the processor. Real failures are exceptions.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2") == "2":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def import_numpy() -> None:
    """Imports NumPy such that its products take one thread.

    It decides when it is first imported. Files are decoded in threads already, and more
    for each of their small products made decoding take 1.6 times the CPU time.
    """
    with one_thread_each():
        import numpy  # noqa: F401


def devices() -> list[str]:
    """Returns the names of all devices of the job.

    Raises:
        ValueError: There is none of the platform that was asked for.
    """
    import jax

    try:
        return [str(device) for device in jax.devices()]
    except (RuntimeError, AssertionError) as error:
        wanted = os.environ.get("JAX_PLATFORMS", "")
        raise ValueError(
            f"no device for JAX_PLATFORMS={wanted!r} ({error}); install the JAX build "
            "for it, or choose another --platform"
        ) from error
