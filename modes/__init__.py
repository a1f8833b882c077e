"""What main.py can do, one module a mode, and what the command line said about it.

This is where input pipeline and network meet: modules here may import both, inside of
functions, as JAX has to be set up before it is imported.
"""

from pathlib import Path
from typing import NamedTuple


class Mode(NamedTuple):
    """What main.py can be asked for.

    Attributes:
        help: What it does.
        function: "module:name"; it takes the options, after the configuration where
            the mode needs one, and may give the process's exit status.
        needs_config: Whether --config has to be given.
        needs: Names of flags that have to be given.
        takes: Names of further flags that only some modes know.
        takes_arguments: Whether words without a flag are names of files for it.
    """

    help: str
    function: str
    needs_config: bool = True
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    takes_arguments: bool = False


class Options(NamedTuple):
    """The flags beside the configuration.

    Attributes:
        mode: A name of main.py's `MODES`.
        workdir: The folder of the run or study, "" to have it named.
        data_dir: Corpora and shards go below it.
        platform: Insists on "cpu", "gpu" or "tpu"; "" does not.
        point: Of a study only this point; "" for all.
        bundle: Folder of a model bundle, "" for none.
        out: Folder or file for what is made, "" where nothing is.
        top: Tags of each song to print and to draw.
        json: File for songs as JSON, "-" to print it, "" for none.
        csv: File for scores as CSV, "-" to print it, "" for none.
        taggram: Folder for pictures of tags over time, "" for none.
        max_duration_s: Of an audio file.
        layers: "last" or "all".
        neighbours: HTML file of nearest songs and tags, "-" to print, "" for none.
        keras: File of the published weights.
        calibrate: Folder of music to estimate batch statistics from, "" for none.
        host: Address to serve on.
        port: Port to serve on, 0 for a free one.
        arguments: Words without a flag.
    """

    mode: str = "run"
    workdir: str = ""
    data_dir: Path = Path("data")
    platform: str = ""
    point: str = ""
    bundle: str = ""
    out: str = ""
    top: int = 5
    json: str = ""
    csv: str = ""
    taggram: str = ""
    max_duration_s: float = 3600.0
    layers: str = "last"
    neighbours: str = ""
    keras: str = ""
    calibrate: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    arguments: tuple[str, ...] = ()
