"""`export`: a run's model bundle, copied to a folder of its own."""

from pathlib import Path

from msd_tagger.bundle.format import is_bundle, read_bundle, write_bundle
from msd_tagger.commands.command_line import Options


def export(options: Options) -> None:
    """Checks the bundle of a run and writes it to another folder."""
    write_bundle(Path(options.out), read_bundle(bundle_of(Path(options.workdir))))
    print(f"bundle: {options.out}")


def bundle_of(workdir: Path) -> Path:
    """The folder of a run's bundle.

    Raises:
        ValueError: The folder is no run's, or the run has none, and what to do.
    """
    if is_bundle(workdir / "bundle"):
        return workdir / "bundle"
    points = sorted(workdir.glob("points/*/bundle"))
    if points:
        raise ValueError(
            f"--workdir={workdir} is a study; choose one of its {len(points)} runs, as "
            f"--workdir={points[0].parent}"
        )
    if (workdir / "checkpoints").exists():
        raise ValueError(
            f"--workdir={workdir} has no bundle yet: give its command again, with "
            "--mode=evaluate if it was complete"
        )
    raise ValueError(f"--workdir={workdir} holds no run")
