"""What --mode=run can do: a training, or a study; all else that is said of them."""

from typing import NamedTuple


class Task(NamedTuple):
    """A study, or a single training."""

    trains: bool = True
    # How the names of points begin that it looks at.
    points: tuple[str, ...] = ("",)
    # Whether it needs the paper's inputs, mel and STFT, and no others.
    compares_inputs: bool = False
    # Whether it looks at the layers of the paper's network.
    reads_layers: bool = False
    # Whether it looks at labels, which may be those of many clips without audio.
    reads_labels: bool = False


# Points of one's own, which `sweeps.settle` recognises, are a task too.
TRAIN, SWEEP = "train", "sweep"
TASKS = {
    TRAIN: Task(),
    "network": Task(trains=False, compares_inputs=True, reads_layers=True),
    "tags": Task(trains=False, reads_labels=True),
    "groundtruth": Task(trains=False, reads_labels=True),
    "variance": Task(points=("variance",)),
    "data_size": Task(points=("size-",), compares_inputs=True),
    "preprocessing": Task(points=("pre-", "size-"), compares_inputs=True),
    "reliability": Task(compares_inputs=True),
    "label_vectors": Task(reads_labels=True),
    "paper": Task(
        points=("variance", "size-", "pre-"),
        compares_inputs=True,
        reads_layers=True,
        reads_labels=True,
    ),
    "label_noise": Task(points=("noise-",)),
    SWEEP: Task(),
}
