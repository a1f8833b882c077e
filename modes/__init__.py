"""What main.py can do, one module a mode, and what the command line said about it.

This is where input pipeline and network meet: modules here may import both, inside of
functions, as JAX has to be set up before it is imported.
"""

from pathlib import Path
from typing import NamedTuple


class Options(NamedTuple):
    """The flags beside the configuration.

    Attributes:
        mode: A name of main.py's `MODES`.
        workdir: The folder of the run or study, "" to have it named.
        data_dir: Corpora and shards go below it.
        platform: Insists on "cpu", "gpu" or "tpu"; "" does not.
        point: Of a study only this point; "" for all.
    """

    mode: str = "run"
    workdir: str = ""
    data_dir: Path = Path("data")
    platform: str = ""
    point: str = ""
