"""Imports what runs need, for the processes of `tests.warm`."""

import gc
import warnings

from msd_tagger import platform

platform.import_numpy()
platform.load_programs_quietly()
platform.set_up("cpu")

import librosa.core.convert  # noqa: E402
import librosa.filters  # noqa: E402, F401
import matplotlib.backends.backend_agg  # noqa: E402
import matplotlib.backends.backend_svg  # noqa: E402, F401
import tensorflow_datasets  # noqa: E402, F401

import modes.evaluate  # noqa: E402
import modes.run  # noqa: E402
import modes.study  # noqa: E402, F401
import studies.baseline  # noqa: E402
import studies.study_report  # noqa: E402, F401
from input_pipeline.storage import tensorflow  # noqa: E402

tensorflow()
gc.set_threshold(50_000)  # As in conftest.py.
gc.freeze()
# Nothing has used JAX here, so that no thread of it can be lost.
warnings.filterwarnings("ignore", message=".*os.fork", category=RuntimeWarning)
