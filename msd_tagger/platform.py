"""Sets a process up for NumPy and JAX, before they are imported."""

import logging
import os
import re
import shlex
import sys
from pathlib import Path

from msd_tagger import accelerators
from msd_tagger.common import messages
from msd_tagger.common.processes import keep_big_buffers, one_thread_each
from msd_tagger.common.text import text_path

# Variables of JAX and Flax that change no number: where they compute, what they log and
# keep, how processes meet. All others could make another network of the same
# configuration, as FLAX_FIX_RNG_SEPARATOR does.
_HARMLESS = re.compile(
    "FLAX_(PROFILE|FILTER_FRAMES)"
    "|JAX_(PLATFORM|(COMPILATION|PERSISTENT|ENABLE_COMPILATION)_CACHE|RAISE_PERSISTENT"
    "|LOG|DEBUG_LOG|EXPLAIN|DUMP|TRACEBACK|NUM_|CPU_|CUDA_VIS|ROCM_VIS|LOCAL_DEVICE"
    "|COORDINATOR|PROCESS|DISTRIBUTED|CROSS_HOST|ENABLE_PREEMPTION|ENABLE_RECOVER"
    "|PJRT_CLIENT|SHARE_BINARY)"
)
# The same of XLA's flags; others become part of what a run is (`numerics`).
_HARMLESS_FLAGS = ("--xla_dump", "--xla_force_host_", "--xla_gpu_cuda_data_dir")
# Beside XLA_FLAGS, what else tells compilers and libraries how to compute.
_NUMERICS = ("LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
# Settings of JAX that change numbers, as they are where nobody has changed them.
_SETTINGS = {
    "jax_enable_x64": False,
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_default_matmul_precision": None,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_disable_jit": False,
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_disable_most_optimizations": False,
}

logger = logging.getLogger(__name__)


class NoDeviceError(ValueError):
    """There is no device of the platform that was asked for."""


def begin() -> None:
    """Makes a program independent of how it was started; call it before all else.

    Where the locale is none of UTF-8, as of `LC_ALL=C`, it is started again: names of
    files, tables and what is printed could not be told apart otherwise.
    """
    messages.open_streams()
    asked = os.environ.get("PYTHONUTF8") == "1"  # It was in vain: Python ignores it.
    if sys.getfilesystemencoding() != "utf-8" and not asked:
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    # What a notebook or a user's file says of figures is not meant for these.
    os.environ |= {"MPLBACKEND": "Agg", "MATPLOTLIBRC": os.devnull}


def set_up(platform: str = "", is_deterministic: bool = False) -> None:
    """Prepares this process for JAX; call before anything imports it.

    Args:
        platform: "cpu", "gpu" or "tpu", or "" for JAX's own choice.
        is_deterministic: Whether a GPU shall give the same bits each time.
    """
    if platform:
        os.environ["JAX_PLATFORMS"] = {"gpu": "cuda"}.get(platform, platform)
    # TensorFlow, which only reads files here, greets at length otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    given = _given_flags()
    flags = xla_flags(is_deterministic=is_deterministic)
    added = [f"{key}={value}" for key, value in flags.items() if key not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *added]).strip()
    keep_big_buffers()


def _given_flags() -> str:
    """Returns the user's flags for XLA, which may be in a file that XLA_FLAGS names."""
    given = os.environ.get("XLA_FLAGS", "").strip()
    if not given or given.startswith("-"):
        return given
    try:
        return " ".join(Path(given).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"XLA_FLAGS={given} is neither flags, which start with --, nor a file of "
            f"flags that can be read ({error})"
        ) from error


def settle() -> None:
    """Leaves out variables with which the same run would be another network.

    They are of JAX and Flax, and a line names each. It is for programs; who imports
    this package keeps their JAX.
    """
    for name in sorted(os.environ):
        if name.startswith(("JAX_", "FLAX_")) and not _HARMLESS.match(name):
            value = os.environ.pop(name)
            logger.warning(
                "%s=%s is ignored: with it the same config could train another network",
                *(name, value),
            )


def numerics(is_deterministic: bool = False) -> dict[str, str]:
    """Returns what the environment says that numbers depend on: part of what a run is.

    It is empty where nothing is set beside the flags that `set_up` adds.
    """
    flags = xla_flags(is_deterministic=is_deterministic)
    own = {f"{key}={value}" for key, value in flags.items()}
    given = shlex.split(os.environ.get("XLA_FLAGS", ""))
    added = [
        flag for flag in given if not (flag in own or flag.startswith(_HARMLESS_FLAGS))
    ]
    found = {"XLA_FLAGS": " ".join(sorted(added))}
    found |= {name: os.environ.get(name, "") for name in _NUMERICS}
    return {name: value for name, value in found.items() if value}


def xla_flags(
    cpu_info: Path = Path("/proc/cpuinfo"), is_deterministic: bool = False
) -> dict[str, str]:
    """Chooses XLA's flags for the processor that Linux describes in `cpu_info`.

    All are known to jaxlib 0.10.1 to 0.11.2 (an unknown one ends the process), also to
    the builds for CPUs alone.
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
    if is_deterministic:
        # Only kernels that add in the same order each time. Which of them are the
        # fastest is measured when a program is compiled, so it has to be kept too.
        # openxla.org/xla/determinism
        flags["--xla_gpu_exclude_nondeterministic_ops"] = "true"
    return flags


def keep_programs(directory: str) -> None:
    """Keeps compiled programs in a folder, for the next start; "" keeps nothing.

    Call it after `set_up`; what was compiled before is not kept. By default JAX skips
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
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", directory)
    if text_path(directory) != directory:
        # Beside programs XLA keeps what it measured on a GPU, and takes no place for it
        # that is not UTF-8.
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # JAX decides at its first compilation whether and where it keeps programs.
    compilation_cache.reset_cache()


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
    """Returns the names of all devices of the job, once JAX is as `_SETTINGS` say.

    A warning says why a GPU or TPU in sight is not used.

    Raises:
        NoDeviceError: There is none of the platform that was asked for.
    """
    import jax

    for name, value in _SETTINGS.items():  # Something may have set them in Python.
        jax.config.update(name, value)
    wanted = os.environ.get("JAX_PLATFORMS", "")
    with accelerators.listening() as said:
        try:
            found = jax.devices()
        except (RuntimeError, AssertionError) as error:
            said = [*said, *filter(None, [str(error)])]
            raise NoDeviceError(accelerators.refusal(wanted, said)) from error
    on_cpu = wanted != "cpu" and found[0].platform == "cpu"
    if on_cpu and (why := accelerators.warning(said)):
        said = [why]
    for line in said:
        logger.warning("%s", line)
    return [str(device) for device in found]
