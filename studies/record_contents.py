"""What the files of a run record and of a study hold, as `contents.check` takes it.

`docs/run_record.md` says it in words. Letters: S seeds, K tags, C channels, M bands,
N and V clips of the test and the validation split, P of the training split. Only what
reports read is here: a file may hold more.
"""

from typing import Any

from msd_tagger.common.contents import (
    COUNT,
    NUMBER,
    SHARE,
    WHOLE_NUMBERS,
    Array,
    Each,
    Maybe,
    Number,
    OneOf,
)
from msd_tagger.common.facts import KINDS, SPLITS
from msd_tagger.common.metrics import AVERAGES, STATISTICS

WHOLE = Number(-(2**63), 2**63, is_whole=True)
# A share, null where nothing could be scored.
SCORE = Maybe(SHARE)
_AVERAGES = dict.fromkeys(AVERAGES, SCORE)
_OF_SEED = _AVERAGES | {
    "num_tags_scored": COUNT,
    "roc_auc_per_tag": Each(SCORE, "K"),
    "pr_auc_per_tag": Each(SCORE, "K"),
    "positives": Each(COUNT, "K"),
}
_SPREADS = dict.fromkeys(STATISTICS, _AVERAGES)


def _scores(seeds: str) -> dict[str, Any]:
    of_labels = {"per_seed": Each(_OF_SEED, seeds), **_SPREADS}
    return {"num_seeds": COUNT, "weak": of_labels, "true": Maybe(of_labels)}


CORPUS = {
    "name": str,
    "version?": object,
    "note?": Maybe(str),
    "counts?": Maybe(dict.fromkeys((f"{split}?" for split in SPLITS), COUNT)),
    "train_clips_used?": Maybe(COUNT),
}
_FAILED = {"number": COUNT, "seed": WHOLE, "step": COUNT, "reason": str}
_BASELINE = {"name": str, "scores": dict.fromkeys(("test", "valid?"), _scores(""))}
# Of labels; null where no clip can tell.
_RATES = {"missing": Each(SCORE, "K"), "false": Each(SCORE, "K")}
SUMMARY = {
    "complete?": bool,
    "corpus": CORPUS,
    "tags": Each(str, "K"),
    "num_seeds": COUNT,
    "seeds?": Each(WHOLE, "S"),
    "failed_seeds?": Each(_FAILED),
    "steps": COUNT,
    "best_step": Each(Maybe(COUNT), "S"),
    "train_seconds": Number(0, 1e15),
    "parameters": COUNT,
    "batch_size?": COUNT,
    "clips_per_s?": Maybe(Number(0, 1e15)),
    "peak_memory_bytes?": Maybe(COUNT),
    "scores": dict.fromkeys(("test", "valid?"), _scores("S") | {"num_clips": COUNT}),
    "baseline?": Maybe(_BASELINE),
    "label_noise?": {"found?": Maybe(_RATES), "corrected?": Maybe(_RATES)},
}
# The lines of metrics.jsonl, by their kind; without seeds that failed.
LINES = {
    "train": {
        "step": COUNT,
        "epoch?": Number(1e-9, 1e15),
        "loss": Each(Maybe(NUMBER), "S"),
        "clips_per_s": Maybe(Number(0, 1e15)),
    },
    "evaluation": {
        "step": COUNT,
        "epoch?": Number(1e-9, 1e15),
        "split?": OneOf(SPLITS),
        "loss": Each(Maybe(NUMBER), "S"),
        "roc_auc_macro": Each(SCORE, "S"),
        "pr_auc_macro": Each(SCORE, "S"),
        "best?": Each(bool, "S"),
    },
}


def _predictions(clips: str) -> dict[str, Any]:
    return {
        "track_id": Array("U", clips),
        "tags": Array(WHOLE_NUMBERS, f"{clips} K"),
        "true_tags?": Array(WHOLE_NUMBERS, f"{clips} K"),
        "scores": Array("f", f"S {clips} K"),
    }


# Of a run, then of a study; a name without `.npz`.
ARRAYS: dict[str, dict[str, Any]] = {
    "predictions_test": _predictions("N"),
    "predictions_valid": _predictions("V"),
    "baseline_test": {"scores": Array("f", "N K")},
    "label_stats": {
        "train_counts?": Array("iu", "K"),
        "train_co_occurrence?": Array("iu", "K K"),
        "train_num_clips?": Array("iu"),
    },
    "label_vectors": {
        "kernel": Array("f", "S C K"),
        "bias?": Array("f", "S K"),
        "tag_names": Array("U", "K"),
    },
    "first_layer": {"bias": Array("f", "S c"), "beta": Array("f", "S c")},
    "input_stats": {
        "num_clips": Array("iu"),
        "histogram_edges": Array("f", "E"),
        "histogram_db": Array("f", "e"),
        "histogram_linear": Array("f", "e"),
        "band_centres_hz?": Array("f", "M"),
        "band_mean_bypass?": Array("f", "M"),
        "band_mean_a_weighting?": Array("f", "M"),
        "band_mean_per_frequency?": Array("f", "M"),
    },
    "labels": {"tag_names": Array("U", "K"), "splits": Array("U", ".")},
}
LABELS_OF_SPLIT = {
    "track_id": Array("U", "N"),
    "tags": Array("u", "N B"),
    "true_tags?": Array("u", "N B"),
}

ENVIRONMENT = {"started?": str, "command?": str}
# A run's configuration, as far as reports read it.
CONFIG = {
    "seed?": WHOLE,
    "corpus?": {"name?": str},
    "name?": str,
    "train?": {
        "fraction?": SHARE,
        "max_epochs?": Number(0, 1e6),
        "max_steps?": COUNT,
        "batch_size?": WHOLE,
        "labels?": str,
        "drop_positives?": SHARE,
        "flip_labels?": SHARE,
        "label_noise?": str,
    },
    "model?": {"dtype?": str, "precision?": str},
    "spectrogram?": {
        "kind?": str,
        "sample_rate_hz?": Number(1, 1e9, is_whole=True),
        "dft_size_samples?": Number(1, 1e9, is_whole=True),
        "num_mel_bands?": COUNT,
    },
    "preprocessing?": {
        "magnitude?": OneOf(("db", "linear")),
        "frequency_weighting?": str,
        "scale?": Number(1e-30, 1e30),
    },
    "analysis?": Maybe(
        {
            "num_resamples?": Number(1, 1e7, is_whole=True),
            "similarity?": OneOf(("cosine", "dot")),
            "annotated_labels?": Each(str),
            "subset100_clips?": COUNT,
            "subset400_clips?": COUNT,
            "subset_seed?": WHOLE,
            "label_only_clips?": COUNT,
        }
    ),
    "task?": str,
    "sweep?": Each(list),
}
_SIZE = Each(Number(1, 1e9, is_whole=True))
_LAYER = {
    "name": str,
    "kernel": _SIZE,
    "pool": Maybe(_SIZE),
    "output": _SIZE,
    "parameters": COUNT,
    "multiply_adds": COUNT,
}
_NETWORK = {
    "input": _SIZE,
    "layers": Each(_LAYER),
    "parameters": COUNT,
    "multiply_adds": COUNT,
}
NETWORKS = dict.fromkeys((f"{kind}?" for kind in KINDS), _NETWORK)
