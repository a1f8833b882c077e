"""`export`: a model bundle, copied to a folder of its own or written for others."""

import json
import tempfile
from pathlib import Path

from msd_tagger.bundle.format import (
    Bundle,
    describe,
    edited_card,
    is_bundle,
    read_bundle,
    write_bundle,
)
from msd_tagger.commands.command_line import Options
from msd_tagger.common import files


def export(options: Options) -> None:
    """Checks a bundle and writes it to another folder, in the format asked for.

    Raises:
        ValueError: The command line is wrong, or the bundle cannot be written so.
    """
    if bool(options.workdir) == bool(options.bundle):
        given = "both are given" if options.bundle else "neither is given"
        raise ValueError(
            "--workdir names a run whose bundle to export, --bundle a bundle: "
            f"{given}, give one of them"
        )
    workdir, out = Path(options.workdir), Path(options.out)
    place = Path(options.bundle) if options.bundle else bundle_of(workdir)
    bundle = read_bundle(place)
    if options.format == "bundle":
        write_bundle(out, bundle, text=edited_card(place))
    else:
        write_programs(out, bundle, options.format)
    print(f"{options.format}: {out}")
    if options.format != "bundle" and bundle.recipe.own_shape:
        print(
            f"from spectrograms alone: {bundle.recipe.kind} is Python, so there is no "
            "program that takes a waveform"
        )


def write_programs(out: Path, bundle: Bundle, kind: str) -> None:
    """Writes a network as programs, "onnx" or "stablehlo", and what to know of it.

    Raises:
        ValueError: The folder holds something, or the network has no fixed statistics.
    """
    # ONNX and what JAX exports with, which copying a bundle does without.
    from msd_tagger.bundle import onnx_graph, stablehlo

    files.check_unused(out)
    if bundle.batch_statistics:
        raise ValueError(
            f"--format={kind}: this bundle normalises by the statistics of each batch, "
            "which a program cannot; import it again with --calibrate=FOLDER"
        )
    if kind == "onnx" and "name" in bundle.network:
        raise ValueError(
            f"--format=onnx: the graph of {bundle.network['name']}, a network of your "
            "own, is not known here; --format=stablehlo writes what JAX computes"
        )
    out.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: after an interruption the same command finds `out` empty.
    with tempfile.TemporaryDirectory(dir=out, prefix=".") as folder:
        made = Path(folder)
        {"onnx": onnx_graph.write, "stablehlo": stablehlo.write}[kind](made, bundle)
        text = json.dumps(bundle.tags, ensure_ascii=False)
        files.write_text(made / "tags.json", text + "\n")
        files.write_json(made / "network.json", describe(bundle))
        for one in sorted(made.iterdir()):
            one.rename(out / one.name)


def bundle_of(workdir: Path) -> Path:
    """Finds the folder of a run's bundle.

    Raises:
        ValueError: The folder is no run's, or the run has none, and what to do.
    """
    if is_bundle(workdir / "bundle"):
        return workdir / "bundle"
    points = sorted(workdir.glob("points/*/bundle"))
    if points:
        raise ValueError(
            f"--workdir={workdir} is a study; choose one of its {len(points)} runs, "
            f"such as --workdir={points[0].parent}"
        )
    if (workdir / "checkpoints").exists():
        raise ValueError(
            f"--workdir={workdir} has no bundle yet: give its command again, with "
            "--mode=evaluate if it was complete"
        )
    raise ValueError(f"--workdir={workdir} holds no run")
