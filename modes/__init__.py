"""What main.py can do, one module a mode: where input pipeline and network meet."""

from pathlib import Path
from typing import NamedTuple

from input_pipeline.storage import Place


class MainOptions(NamedTuple):
    """What the flags of main.py say, each by its name, beside the configuration.

    Modes of the package, which need no configuration, get `command_line.Options`.
    """

    mode: str = "run"
    workdir: str = ""  # "" has it named.
    data_dir: Place = Path("data")
    platform: str = ""
    point: str = ""  # The only run of a study to do.
    bundle: str = ""
    out: str = ""
    files: tuple[str, ...] = ()  # What was named without a flag.
