"""`--mode=audit`: what a corpus holds, and whether what was prepared is whole."""

import itertools
import logging
import re
from pathlib import Path

from ml_collections import ConfigDict

from configs.identity import digest, identity
from input_pipeline import audit_report
from input_pipeline.audit import audit as examine
from input_pipeline.audit import findings
from input_pipeline.plan import shard_directories
from modes import MainOptions
from modes.corpus import load, recipes
from msd_tagger.pages import style
from studies import figures

logger = logging.getLogger(__name__)


def audit(config: ConfigDict, options: MainOptions) -> None:
    """Counts the corpus, looks for problems, and writes both down."""
    subject = config.corpus.to_dict()
    subject["num_tags"] = identity(config)["corpus.num_tags"]
    for key in ("audio_dir", "label_dir"):
        subject[key] = subject[key] and str(Path(subject[key]).absolute())
    reader = re.sub(r"[^\w.-]+", "_", config.corpus.name)  # One's own has brackets.
    name = f"runs/audit-{reader}-{digest(subject)}"
    workdir = Path(options.workdir or name)
    audit_report.claim(workdir, subject)
    corpus = load(config, options)
    every = list(itertools.chain(*recipes(config, options)))
    directories = shard_directories(corpus, every, options.data_dir)
    found = examine(corpus, directories=directories)
    found = {"findings": findings(found), "subject": subject, **found}
    audit_report.write(found, workdir)
    positives, clips = found["positives"], found["clips"]
    style.save_figure(
        lambda: figures.tags_per_split(corpus.tags, positives, clips),
        workdir / "positives",
    )
    print(audit_report.text(found))
    logger.info("audit: %s", workdir)
