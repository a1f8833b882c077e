"""The test clips whose instrumentation tags somebody judged (the paper's Subset400).

Listeners' answers come from the study's folder, as those of Table I do; without any, a
corpus that knows the truth answers for the same clips.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from studies import resampling
from studies.annotation.answers import consensus, read_answers, verdicts_of
from studies.annotation.gather import ANNOTATIONS
from studies.annotation.subsets import Subset, random_subset
from studies.label_table import LABELS, read_label_table
from studies.records import RunRecord, SweepRecord
from studies.sections import groundtruth


@dataclasses.dataclass(frozen=True)
class AnnotatedClips:
    """Answers for some clips of the test split.

    Attributes:
        rows: which clips, indices into the test split [n].
        verdicts: float64 [n, T]: 1 yes, 0 no, NaN unknown; columns as in `tags`.
        source: who answered, as a phrase.
    """

    rows: np.ndarray
    verdicts: np.ndarray
    source: str

    def auc(self, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Mean over tags of ROC-AUC against the answers, on every resample.

        Args:
            scores: of these clips and tags [n, T].
            weights: of these clips [n, R].

        Returns:
            float64 [R]; tags that cannot be scored are left out, NaN without any.
        """
        return self._macro(self.verdicts == 1, scores, weights)

    def tagged_auc(self, tags: np.ndarray, scores: np.ndarray) -> float:
        """The same against the corpus's tags [n, T], where there is an answer."""
        return float(self._macro(tags, scores, np.ones((len(tags), 1)))[0])

    def _macro(
        self, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        known = np.isfinite(self.verdicts)
        per_tag = [
            resampling.weighted_auc(
                labels[:, [k]], scores[:, [k]], weights * known[:, [k]]
            )[:, 0]
            for k in range(known.shape[1])
        ]
        return np.ma.masked_invalid(per_tag).mean(axis=0).filled(np.nan)


def annotated_clips(
    record: SweepRecord, point: RunRecord, tags: tuple[str, ...]
) -> AnnotatedClips | None:
    """Finds the answers for some tags.

    Args:
        record: the study's folder.
        point: one of its points, for the clips and labels of the test split.
        tags: T names of the corpus.

    Returns:
        The answers; None where neither listeners nor the corpus gave any.

    Raises:
        AnnotationError: the answers do not belong to this corpus.
    """
    arrays = point.arrays["predictions_test"]
    columns = [list(point.summary["tags"]).index(tag) for tag in tags]
    options = groundtruth.OPTIONS | (record.config.get("analysis") or {})
    subset = random_subset(
        arrays["track_id"],
        arrays["tags"][:, columns],
        tags,
        size=options["subset400_clips"],
        seed=options["subset_seed"],
    )
    found = _of_listeners(record, point, subset)
    if found is None and "true_tags" in arrays:
        truth = arrays["true_tags"][subset.rows][:, columns].astype(np.float64)
        source = f"the corpus's own truth on {len(subset.rows)} test clips"
        found = AnnotatedClips(subset.rows, truth, source)
    return found


def _of_listeners(
    record: SweepRecord, point: RunRecord, subset: Subset
) -> AnnotatedClips | None:
    """The majority's answers, None without one to a clip of this subset."""
    path, table = record.workdir / ANNOTATIONS, record.workdir / LABELS
    if not path.exists():
        return None
    ids = set(point.arrays["predictions_test"]["track_id"].tolist())
    if table.exists():
        # The file answers for training clips as well (Subset100).
        splits = read_label_table(table).splits.values()
        ids.update(*(split.track_id.tolist() for split in splits))
    answers = read_answers(path, ids, point.summary["tags"])
    verdicts = verdicts_of(subset, consensus(answers))
    heard = np.isfinite(verdicts).any(axis=1)
    if not heard.any():
        return None
    people = len({one.annotator for one in answers})
    source = f"{people} listener(s) on {heard.sum()} test clips"
    return AnnotatedClips(subset.rows[heard], verdicts[heard], source)
