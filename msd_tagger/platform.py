"""Process set-up that has to happen before JAX is imported."""

import os
from pathlib import Path

from msd_tagger.common.processes import keep_big_buffers


def set_up(platform: str = "") -> None:
    """Prepares this process for JAX; call before anything imports it.

    Args:
        platform: "cpu", "gpu" or "tpu" to insist on one, "" for JAX's own choice.
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
    """What to tell XLA about this machine's processor.

    Args:
        cpu_info: Linux's description of it; elsewhere there is none.

    Returns:
        Values of flags, all known to jaxlib 0.10.1 to 0.11.2 (one that is not known
        ends the process).
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
    """Keeps compiled programs in a folder, for the next start.

    Call it after `set_up` and before anything imports JAX.

    By default JAX skips programs that compile in less than a second, which are most of
    a CPU's; from 0.1 s on they are kept here.

    Args:
        directory: Created if missing; "" keeps nothing.

    Raises:
        ValueError: There is no such folder and it cannot be made.
    """
    if not directory:
        return
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"compilation_cache_dir={directory!r} cannot be a folder: {error}"
        ) from error
    # With every CPU program that it loads, XLA prints two kilobytes about tuning flags
    # that it takes for features of the processor. What really fails is an exception.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2") == "2":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import jax

    jax.config.update("jax_compilation_cache_dir", directory)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def devices() -> list[str]:
    """Names of the devices of this process, and of those it works with.

    Raises:
        ValueError: There is none of the kind that was insisted on.
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
