"""One training in a folder of its own: what runs, studies and evaluations share."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from configs import default
from configs.identity import digest, identity
from configs.keys import values_of
from configs.tasks import TRAIN
from input_pipeline.batches import ShardedSplits
from modes import MainOptions, training_labels
from modes.corpus import pools_of, recipe_of
from modes.tensorboard import TensorBoard
from msd_tagger import platform
from msd_tagger.common import files, workspace
from msd_tagger.common.error_rates import LabelNoise
from msd_tagger.network.pools import unheard
from msd_tagger.training import clip_cache, distributed, loop, results, setup
from msd_tagger.training.data import Data

logger = logging.getLogger(__name__)


def join_processes(config: ConfigDict, options: MainOptions) -> None:
    """Meets the other processes, if the job has several.

    Raises:
        ValueError: They do not meet, or were given different things to do.
    """
    distributed.start(config.distributed, config.process_count, config.process_index)
    told = {f"--{flag}": str(value) for flag, value in options._asdict().items()}
    keys = {f"--config.{key}": value for key, value in values_of(config).items()}
    del keys["--config.process_index"]
    distributed.check_same(told | keys)


def set_up_devices(config: ConfigDict, options: MainOptions) -> list[str]:
    """Sets the devices up and names them, before anything takes long."""
    join_processes(config, options)
    platform.keep_programs(config.compilation_cache_dir)
    return platform.devices()


def check_start(configs: Sequence[ConfigDict], task: str = TRAIN) -> None:
    """Checks devices, and what trainings start from, before anything takes long.

    Warnings say which part of the clips a network would not hear, and whose gradient
    takes long on a GPU.
    """
    check_names(configs, task)
    for config in configs:
        setup.choose_layout(config)
        setup.starting_bundle(config, recipe_of(config))
    layered = [one for one in configs if not setup.is_own(one)]
    parts = (unheard(recipe_of(one).shape, pools_of(one)) for one in layered)
    for part in filter(None, dict.fromkeys(parts)):
        logger.warning("the network does not hear all of a clip: %s", part)
    if jax.default_backend() == "gpu":
        slow = [one for one in configs if setup.loops_on_gpu(one, recipe_of(one))]
        for network in dict.fromkeys(one.model.network for one in slow):
            logger.warning(
                "--config.model.network=%s: on a GPU with train.deterministic the "
                "gradient of nn.max_pool is a loop over all pooled values, so a step "
                "may take many seconds; pool as examples/residual.py does, or give "
                "--config.train.deterministic=False",
                network,
            )


def check_names(configs: Sequence[ConfigDict], task: str = TRAIN) -> None:
    """Checks networks, optimisers and augmentations, on shapes alone, on any device."""
    for config in configs:
        looks_at_tags = "the study label_vectors" if task == "label_vectors" else ""
        setup.check(config, recipe_of(config), looks_at_tags)


def choose_workdir(config: ConfigDict, options: MainOptions, own: dict) -> Path:
    """Names the folder of a run or study, a new one where it is not to be resumed."""
    workdir = Path(options.workdir or f"runs/{config.name}-{digest(own)}")
    if options.mode == "run" and not config.resume:
        # A launcher of jobs makes the folder of their logs before.
        found = distributed.shared(lambda: str(files.unused(workdir, workspace.LOGS)))
        workdir = Path(found)
    return workdir


def begin(workdir: Path, config: ConfigDict, own: dict, devices: list[str]) -> None:
    """Writes what a run or a study begins with."""
    defaults = default.get_config().to_dict()
    workspace.begin(workdir, own, config.to_dict(), defaults, devices)


def identity_of(config: ConfigDict, data: ShardedSplits | None = None) -> dict:
    """Collects what the result of a run or study depends on; its folder has its hash.

    Shards say which clips a run learns from, by which version of the recipe, and in
    which order.
    """
    own = identity(config) | platform.numerics(config.train.deterministic)
    own |= setup.own_code(config)
    if data:
        shards = data.directory
        own |= {"shards": shards.parent.name, "recipe": shards.name}
        own["order"] = data.order_digest()
    return own


@distributed.naming_losses()
def train_in(
    workdir: Path,
    config: ConfigDict,
    options: MainOptions,
    own: dict,
    data: Data,
    devices: list[str],
) -> dict:
    """Trains unless that is done, evaluates, writes the record and returns the summary.

    What the result depends on, `own`, is what `identity_of` gives for these data. The
    summary is empty in a process that does not write.

    Raises:
        ValueError: The folder holds another run; or it holds none, and the mode is not
            "run"; or the training fails, as `loop.train` says.
    """
    begins = options.mode == "run"

    def look() -> tuple[bool, bool]:
        is_known = workspace.is_known(workdir, own)
        return is_known, begins and is_known and workspace.is_whole(workdir)

    is_known, is_complete = distributed.shared(look)
    if is_complete:
        logger.info("%s is complete", workdir)
        _tell_missing(workdir, config)
        return files.read_json(workdir / "summary.json")
    logger.info("run folder: %s", workdir)
    if not (begins or is_known):
        raise ValueError(f"{workdir} holds no run of this config; use --mode=run first")
    data, noise = training_labels.apply(config, data)
    if begins:
        _resolve(config, data)
    with ExitStack() as stack:

        def enter() -> None:
            workspace.claim(workdir, own)
            stack.enter_context(workspace.alone(workdir))
            if begins:
                begin(workdir, config, own, devices)

        distributed.shared(enter)
        keep_kernels(workdir, config)
        reach = _train if begins else loop.restore
        trained = reach(config, data, workdir, noise)
        predictions = results.predict(trained)
        if not distributed.is_first():
            return {}
        return _write(trained, workdir, predictions)


def _resolve(config: ConfigDict, data: Data) -> None:
    """Puts into the configuration what was left to this machine, for the record."""
    layout = setup.choose_layout(config)
    config.input.cache = clip_cache.choose(config, data)
    config.train.parallel = layout.mode
    config.train.seeds_per_chunk = layout.seeds_per_chunk


def _train(
    config: ConfigDict, data: Data, workdir: Path, noise: LabelNoise
) -> loop.Trained:
    """Trains, and writes events for TensorBoard where they are asked for."""
    if not config.train.tensorboard:
        return loop.train(config, data, workdir, noise)
    watch = TensorBoard(workdir / "tensorboard", config.seed, config.num_seeds)
    return loop.train(config, data, workdir, noise, watch)


def _write(
    trained: loop.Trained, workdir: Path, predictions: dict[str, np.ndarray]
) -> dict:
    """Writes the record, with the linear baseline, and seals it if it is complete."""
    config, data = trained.setup.config, trained.setup.data
    linear = None
    if config.analysis.linear_baseline:
        linear, scores = score_linear_baseline(data, config.train.fraction)
        files.write_npz(workdir / "baseline_test.npz", scores=np.float32(scores))
    summary = results.write_results(trained, workdir, predictions, linear)
    if summary["complete"]:
        workspace.seal(workdir)
    return summary


def _tell_missing(workdir: Path, config: ConfigDict) -> None:
    """Says how to get what a complete run was asked for and was made without."""
    if config.analysis.linear_baseline and not (workdir / "baseline_test.npz").exists():
        logger.warning("it has no linear baseline: --mode=evaluate computes it")
    if config.train.tensorboard and not (workdir / "tensorboard").exists():
        logger.warning("it has no events for TensorBoard: training writes them")
    if config.profile_steps and not (workdir / "profile").exists():
        logger.warning("it has no profile: training writes it; name a new --workdir")


def keep_kernels(workdir: Path, config: ConfigDict) -> None:
    """Keeps the kernels that were chosen for a GPU, by their speed, in a run's folder.

    A run that goes on has to take the same, as others add in another order.
    """
    is_gpu = jax.default_backend() == "gpu"
    if is_gpu and config.train.deterministic and not config.compilation_cache_dir:
        platform.keep_programs(str(workdir / "programs"))


def score_linear_baseline(data: Data, fraction: float) -> tuple[dict, np.ndarray]:
    """Scores of a logistic regression on the same clips and labels.

    Also returns what it gives the test clips, `[N, K]`.
    """
    from studies import baseline  # Late, as `modes.report` says.

    shares = {"train": fraction, "valid": 1.0, "test": 1.0}
    features = {
        split: baseline.split_features(data.evaluation_batches(split, 32, share))
        for split, share in shares.items()
    }
    labels = {split: data.labels(split, share) for split, share in shares.items()}
    return baseline.evaluate_baseline(features, labels)


def print_scores(summary: dict, split: str = "test") -> None:
    """Prints the scores of a split."""
    for labels in ("weak", "true"):
        scores = summary["scores"][split][labels]
        if scores is not None:
            print_numbers(f"{split}, {labels} labels", scores["mean"])


def print_numbers(title: str, numbers: dict[str, float | None]) -> None:
    """Prints numbers with their names in one line."""
    known = [f"{name} {one:.4f}" for name, one in numbers.items() if one is not None]
    nothing = "no tag can be scored, as none has both clips with it and without it"
    print(f"{title}: {', '.join(known) or nothing}")
