"""Sets that lie on another store than a file system: found there, or made and copied.

Workers write shards under temporary names and rename them, which stores of objects
cannot do. So a set is made in a folder of this machine and copied when it is whole, the
file that says so last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from input_pipeline import catalogue, plan
from input_pipeline.corpora.corpus import Corpus
from input_pipeline.prepare import prepare
from input_pipeline.staging import copy_folder
from input_pipeline.storage import Place, RemotePath
from msd_tagger.common.facts import SPLITS
from msd_tagger.frontend.recipe import Recipe

WORKING_FOLDER = Path("data")


def working_folder(data_dir: Place) -> Path:
    """Returns where things are made that are to lie in `data_dir`."""
    return WORKING_FOLDER if isinstance(data_dir, RemotePath) else data_dir


def check(data_dir: Place) -> None:
    """Checks that a store can be reached, before anything takes long.

    Raises:
        ValueError: It cannot.
    """
    if isinstance(data_dir, RemotePath):
        try:
            data_dir.exists()
        except OSError as error:
            raise ValueError(_cannot_be_used(data_dir, error)) from error


def _cannot_be_used(data_dir: Place, error: OSError) -> str:
    return f"--data_dir={data_dir} cannot be used: {error}"


def prepare_in(
    data_dir: Place,
    corpus: Corpus,
    recipes: Sequence[Recipe],
    max_bad_share: float = 0.1,
    needed: Sequence[str] = SPLITS,
    **options: Any,
) -> dict[str, Place]:
    """Does what `prepare` does, wherever the sets lie.

    Raises:
        ValueError: As `prepare`; or the store cannot be reached.
    """

    def make(wanted: Sequence[Recipe], where: Path) -> dict[str, Any]:
        return prepare(
            corpus,
            wanted,
            where,
            max_bad_share=max_bad_share,
            needed=needed,
            **options,
        )

    if not isinstance(data_dir, RemotePath):
        return make(recipes, data_dir)
    try:
        there = plan.shard_directories(corpus, recipes, data_dir)
        missing = [one for one in recipes if not catalogue.is_written(there[one])]
        made = make(missing, working_folder(data_dir)) if missing else {}
        for recipe in missing:
            source, target = made[recipe.kind], there[recipe]
            if catalogue.is_complete(source) and isinstance(target, RemotePath):
                copy_folder(source, target, catalogue.CORPUS_FILE)
                print(f"copied to {target}; {source} is no longer needed")
        for recipe in filter(lambda one: catalogue.is_written(there[one]), recipes):
            catalogue.report(there[recipe], max_bad_share, needed)
    except OSError as error:
        raise ValueError(
            f"{_cannot_be_used(data_dir, error)}. What is finished on this machine "
            f"stays in {working_folder(data_dir)}"
        ) from error
    return {recipe.kind: directory for recipe, directory in there.items()}
