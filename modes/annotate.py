"""`--mode=annotate`: pages on which somebody listens to clips and judges labels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ml_collections import ConfigDict

from modes import Options
from modes.corpus import load
from modes.study import table_of

if TYPE_CHECKING:
    from input_pipeline.corpora import Clip
    from msd_tagger.frontend.recipe import Recipe
    from studies.annotation.page import ClipToHear

logger = logging.getLogger(__name__)


def annotate(config: ConfigDict, options: Options) -> None:
    """Writes a page for Subset100 and one for Subset400."""
    from configs import checks
    from msd_tagger.common.processes import progress_bar
    from msd_tagger.frontend.recipe import Recipe
    from studies.annotation import label_studio
    from studies.annotation.page import ClipToHear, check, write_annotation_page
    from studies.annotation.subsets import shortages
    from studies.sections.groundtruth import subsets_of

    corpus = load(config, options)
    by_id = {clip.track_id: clip for clip in corpus.clips}
    subsets = subsets_of(table_of(corpus), config.analysis.to_dict())
    subject = {subset.name: subset.digest for subset in subsets}
    folder = Path(options.workdir or f"runs/annotation-{checks.digest(subject)}")
    recipe = Recipe.from_config(config.clip, config.spectrogram, "mel")
    for subset in filter(lambda one: len(one.track_id), subsets):
        for sentence in shortages(subset):
            logger.info("%s: %s", subset.name, sentence)
        ids = [str(track_id) for track_id in subset.track_id]
        unheard = [ClipToHear(track_id, by_id[track_id].path) for track_id in ids]
        check(subset, unheard, folder / f"{subset.name}.html")
        clips = []
        with progress_bar(len(ids), subset.name) as bar:
            for track_id in ids:
                clips.append(to_hear(by_id[track_id], recipe, corpus.tags))
                bar.update()
        page = write_annotation_page(
            folder, subset, clips, duration_s=config.clip.duration_s
        )
        print(f"{len(clips)} clips to judge: {page}")
        if config.analysis.label_studio:
            tasks = label_studio.export_tasks(folder, subset, clips)
            print(f"the same for Label Studio: {tasks}")
    print(
        "Open a page in a browser, answer, download the CSV, and give it back: "
        "--config=configs/groundtruth.py --config.analysis.annotations=\"('FILE',)\""
    )


def to_hear(clip: Clip, recipe: Recipe, tags: Sequence[str]) -> ClipToHear:
    """A clip with its picture, which is left out where its file cannot be read."""
    from msd_tagger.frontend import audio
    from msd_tagger.frontend.spectrogram import spectrogram
    from studies.annotation.page import ClipToHear

    picture, start_s = None, clip.start_s or 0.0
    try:
        start_s = audio.start_s(clip.path, recipe, clip.start_s)
        samples = audio.read_clip(clip.path, recipe, clip.start_s)
        picture = spectrogram(samples, recipe)
    except audio.AudioError as error:
        logger.warning("no picture: %s", error)
    existing = [tag for tag, has in zip(tags, clip.tags, strict=True) if has]
    return ClipToHear(clip.track_id, clip.path, picture, existing, start_s)
