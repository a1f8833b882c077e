"""Imports what a run needs, once for all processes that are forked afterwards."""

import sys

# Importing TensorFlow would take most of the time of a small run.
sys.modules.update(dict.fromkeys(("tensorflow", "tensorflow_datasets")))

from msd_tagger import platform  # noqa: E402

platform.set_up("cpu")

from configs import checks, sweeps  # noqa: E402, F401
from input_pipeline import batches, prepare  # noqa: E402, F401
from modes import run  # noqa: E402, F401
from msd_tagger.training import checkpoints, results  # noqa: E402, F401
from studies import baseline, study_report  # noqa: E402, F401
