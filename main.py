"""Trains, studies and uses the music-tagging ConvNet.

    python main.py --config=configs/db_mel.py

prepares the corpus that the configuration names (the embedded synthetic one unless you
bring your own), trains, evaluates, and writes a report into the run's folder. Every key
of configs/default.py can be set on the command line, as in
--config.train.max_epochs=20.
"""

import logging
import os
import sys
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import ConfigDict, config_flags

MODES = {
    "run": "prepare what is missing, train, evaluate, report",
    "prepare": "only write the shards",
    "audit": "count the corpus and look for problems, without decoding audio",
    "evaluate": "score a run's last checkpoint again, and report",
    "report": "only write the report of --workdir again; needs no --config",
}

CONFIG = config_flags.DEFINE_config_file("config", help_string="An experiment.")
MODE = flags.DEFINE_enum(
    "mode", "run", list(MODES), "; ".join(f"{k}: {v}" for k, v in MODES.items())
)
WORKDIR = flags.DEFINE_string(
    "workdir", "", "The run's folder; runs/<config>-<hash of its keys> by default."
)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "Corpora and shards go here.")
PLATFORM = flags.DEFINE_enum(
    "platform", "", ["", "cpu", "gpu", "tpu"], "Insists on a kind of device."
)

logger = logging.getLogger("main")


def main(argv: list[str]) -> None:
    """Does what --mode says."""
    if argv[1:]:
        raise ValueError(f"arguments without a flag: {' '.join(argv[1:])}")
    if MODE.value == "report":
        if not WORKDIR.value:
            raise ValueError("--workdir is missing: the folder of the run to report")
        return report(Path(WORKDIR.value))
    if CONFIG.value is None:
        raise ValueError("--config is missing; try --config=configs/db_mel.py")
    from configs import checks
    from input_pipeline.recipe import Recipe
    from msd_tagger.pools import check_pools, choose_pools

    config = CONFIG.value
    checks.check(config)
    if MODE.value == "audit":
        return audit(config)
    if config.prepare.num_workers > 1 and MODE.value != "prepare":
        raise ValueError(
            f"--mode={MODE.value} with --config.prepare.num_workers="
            f"{config.prepare.num_workers}: jobs of an array prepare and do nothing "
            "else; use --mode=prepare, then run without prepare.worker and "
            "prepare.num_workers"
        )
    kind = config.spectrogram.kind
    recipe = Recipe.from_config(config.clip, config.spectrogram, kind)
    check_pools(recipe.shape, choose_pools(config.model.pools, kind))
    if MODE.value == "prepare":
        return prepare(config) and None
    devices = find_devices(config)
    return run(config, prepare(config)[kind], devices)


def find_devices(config: ConfigDict) -> list[str]:
    """Sets JAX up and names its devices, before anything takes long."""
    from msd_tagger import platform

    platform.set_up(PLATFORM.value)
    platform.keep_programs(config.compilation_cache_dir)
    devices = platform.devices()
    from msd_tagger import build

    build.choose_layout(config)
    return devices


def prepare(config: ConfigDict) -> dict[str, Path]:
    """Writes the shards that are missing; a folder per kind of spectrogram."""
    from input_pipeline.beam import parse_options
    from input_pipeline.corpora import check_scorable, load_corpus
    from input_pipeline.jobs import Slice
    from input_pipeline.prepare import prepare as write_shards
    from input_pipeline.recipe import Recipe

    data_dir = Path(DATA_DIR.value)
    num_processes = config.prepare.num_processes
    beam_options = parse_options(config.prepare.beam)
    kinds = config.spectrogram.kind, *config.prepare.kinds
    recipes = [
        Recipe.from_config(config.clip, config.spectrogram, kind)
        for kind in dict.fromkeys(kinds)
    ]
    corpus = load_corpus(
        config.corpus, data_dir, num_processes, clip_duration_s=config.clip.duration_s
    )
    if MODE.value == "run":
        check_scorable(corpus)
    return write_shards(
        corpus,
        recipes,
        data_dir,
        num_processes=num_processes,
        clips_per_shard=config.prepare.clips_per_shard,
        max_bad_share=config.prepare.max_bad_share,
        own=Slice(config.prepare.worker, config.prepare.num_workers),
        beam_options=beam_options,
    )


def audit(config: ConfigDict) -> None:
    """Counts the corpus, looks for problems, and writes both down."""
    from configs import checks
    from input_pipeline import audit_report
    from input_pipeline.audit import audit as examine
    from input_pipeline.audit_findings import findings
    from input_pipeline.corpora import load_corpus
    from msd_tagger.analysis import figures, style

    subject = config.corpus.to_dict()
    for key in ("audio_dir", "label_dir"):
        subject[key] = subject[key] and str(Path(subject[key]).absolute())
    name = f"runs/audit-{config.corpus.name}-{checks.digest(subject)}"
    workdir = Path(WORKDIR.value or name)
    audit_report.claim(workdir, subject)
    corpus = load_corpus(
        config.corpus,
        Path(DATA_DIR.value),
        config.prepare.num_processes,
        clip_duration_s=config.clip.duration_s,
    )
    found = examine(corpus)
    found = {"findings": findings(found), "subject": subject, **found}
    audit_report.write(found, workdir)
    positives, clips = found["positives"], found["clips"]
    style.save_figure(
        lambda: figures.tags_per_split(corpus.tags, positives, clips),
        workdir / "positives",
    )
    print(audit_report.text(found))
    logger.info("audit: %s", workdir)


def run(config: ConfigDict, shards: Path, devices: list[str]) -> None:
    """Trains unless that is done, evaluates, and writes record and report."""
    from configs import checks
    from input_pipeline.batches import open_shards
    from msd_tagger import build, record, results, train

    data = open_shards(shards, reader=config.input.reader)
    config.train.batch_size = build.resolve_batch_size(config.train.batch_size)
    matter = checks.matter(config) | {"shards": shards.parent.name}
    workdir = Path(WORKDIR.value or f"runs/{config.name}-{checks.digest(matter)}")
    if MODE.value == "run" and not config.resume:
        workdir = record.unused(workdir)
    is_known = record.check_same(workdir, matter)
    earlier = results.read_summary(workdir)
    if MODE.value == "run" and earlier and earlier["complete"]:
        logger.info("%s is complete; its report is written again", workdir)
        report(workdir)
        return tell(earlier)
    logger.info("run folder: %s", workdir)
    if MODE.value == "run":
        record.start(workdir, config.to_dict(), matter, devices)
        write_defaults(workdir)
        trained = train.train(config, data, workdir)
    elif is_known:
        trained = train.restore(config, data, workdir, earlier)
    else:
        raise ValueError(f"{workdir} holds no run of this config; use --mode=run first")
    baseline = None
    if config.analysis.linear_baseline:
        baseline = linear_baseline(data, config.train.fraction)
    summary = results.write_results(trained, workdir, baseline)
    report(workdir)
    return tell(summary)


def write_defaults(workdir: Path) -> None:
    """Writes the defaults beside the configuration, so that a report can compare."""
    from configs import default
    from msd_tagger import record

    record.write_json(workdir / "config_default.json", default.get_config().to_dict())


def linear_baseline(data: object, fraction: float) -> dict:
    """Scores of a logistic regression on the same clips and labels."""
    from msd_tagger.analysis import baseline

    shares = {"train": fraction, "valid": 1.0, "test": 1.0}
    features = {
        split: baseline.split_features(data.evaluation_batches(split, 32, share))
        for split, share in shares.items()
    }
    labels = {split: data.labels(split, share) for split, share in shares.items()}
    return baseline.evaluate_baseline(features, labels)


def report(workdir: Path) -> None:
    """Writes report.html from the run record in `workdir`."""
    from msd_tagger.analysis.report import write_report

    if not (workdir / "summary.json").exists():
        raise ValueError(
            f"--workdir={workdir}: no summary.json there; give the folder of a "
            "finished run, as printed when it started"
        )
    logger.info("report: %s", write_report(workdir))


def tell(summary: dict) -> None:
    """Prints the test scores."""
    for kind in ("weak", "true"):
        scores = summary["scores"]["test"][kind]
        if scores is None:
            continue
        line = ", ".join(
            f"{name} {value:.4f}"
            for name, value in scores["mean"].items()
            if value is not None
        )
        print(f"test, {kind} labels: {line}")


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a wrong one ends the process with a sentence, not a traceback."""
    from configs import checks

    try:
        checks.check_keys(argv)
        arguments = flags.FLAGS(argv)
        _ = CONFIG.value
    except (
        flags.Error,
        AttributeError,
        ValueError,
        KeyError,
        TypeError,
        OSError,
    ) as error:
        _give_up(str(error).strip())
    return arguments


def _give_up(message: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def _main(argv: list[str]) -> None:
    from msd_tagger.errors import MiscompilationError

    _set_up_logging()
    try:
        main(argv)
    except (ValueError, OSError, MiscompilationError) as error:
        if os.environ.get("MSD_TAGGER_TRACEBACK"):
            raise
        _give_up(str(error))
    except KeyboardInterrupt:
        _give_up("interrupted; the same command goes on from here")


def _set_up_logging() -> None:
    """Our own lines as plain text; of everybody else only warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    for name in ("main", "input_pipeline", "msd_tagger"):
        logging.getLogger(name).setLevel(logging.INFO)


if __name__ == "__main__":
    app.run(_main, flags_parser=parse_flags)
