"""`--mode=annotate`: pages on which somebody listens to clips and judges labels."""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from configs.identity import digest
from input_pipeline.corpora import Clip
from modes import MainOptions
from modes.corpus import load, recipe_of
from modes.study_labels import table_of
from msd_tagger.common.messages import quiet_decoders
from msd_tagger.common.processes import progress_bar
from msd_tagger.common.text import printable
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from studies.annotation import label_studio
from studies.annotation.page import ClipToHear, check, write_annotation_page
from studies.annotation.subsets import Subset, shortages
from studies.sections.groundtruth import subsets_of

BEGINNING_BYTES = 2**16
logger = logging.getLogger(__name__)


def annotate(config: ConfigDict, options: MainOptions) -> None:
    """Writes a page for Subset100 and one for Subset400."""
    corpus = load(config, options)
    by_id = {clip.track_id: clip for clip in corpus.clips}
    drawn = subsets_of(table_of(corpus), config.analysis.to_dict())
    if lacking := set(config.analysis.annotated_labels) - set(corpus.tags):
        logger.warning(
            "the corpus has no label %s, so the pages do not ask about it; "
            "analysis.annotated_labels chooses others",
            " and no label ".join(sorted(lacking)),
        )
    recipe = recipe_of(config, "mel")
    clips_of = {
        one.name: [by_id[str(track_id)] for track_id in one.track_id] for one in drawn
    }
    subsets = [
        dataclasses.replace(one, heard=sound_of(clips_of[one.name], recipe))
        for one in drawn
    ]
    subject = {subset.name: subset.digest for subset in subsets}
    folder = Path(options.workdir or f"runs/annotation-{digest(subject)}")
    for subset in filter(lambda one: len(one.track_id), subsets):
        for sentence in shortages(subset):
            logger.info("%s: %s", subset.name, sentence)
        own = clips_of[subset.name]
        unheard = [ClipToHear(clip.track_id, clip.path) for clip in own]
        check(subset, unheard, folder / f"{subset.name}.html")
        clips = []
        with quiet_decoders(), progress_bar(len(own), subset.name) as bar:
            for clip in own:
                clips.append(to_hear(clip, recipe, corpus.tags))
                bar.update()
        write_pages(folder, subset, clips, config)
    print(
        "Open a page in a browser, answer, and download the CSV. Then give it to "
        "--config=configs/groundtruth.py, with the keys of this command and "
        "--config.analysis.annotations=\"('FILE',)\""
    )


def sound_of(clips: Sequence[Clip], recipe: Recipe) -> str:
    """Names what is heard: the beginnings of the clips' files, and where they are cut.

    It changes neither with the folder that they are in nor with their labels.
    """
    found = hashlib.sha256(f"{recipe.duration_s} {recipe.offset}".encode())
    for clip in clips:
        found.update(f"{clip.start_s}".encode())
        if clip.path.is_file():  # Others are named later.
            found.update(f"{clip.path.stat().st_size}".encode())
            with clip.path.open("rb") as file:
                found.update(file.read(BEGINNING_BYTES))
    return found.hexdigest()[:16]


def write_pages(
    folder: Path, subset: Subset, clips: Sequence[ClipToHear], config: ConfigDict
) -> None:
    """Writes the page of a subset and, where asked, tasks for Label Studio."""
    duration_s = config.clip.duration_s
    page = write_annotation_page(
        folder,
        subset,
        clips,
        duration_s=duration_s,
        centres_hz=recipe_of(config, "mel").band_centres_hz().tolist(),
    )
    print(f"{len(clips)} clips to judge: {page}")
    if config.analysis.label_studio:
        tasks = label_studio.export_tasks(folder, subset, clips)
        print(f"the same for Label Studio: {tasks}")


def to_hear(clip: Clip, recipe: Recipe, tags: Sequence[str]) -> ClipToHear:
    """Adds its picture to a clip; it is left out where its file cannot be read."""
    picture, heard_s, start_s = None, None, clip.start_s or 0.0
    try:
        start_s = audio.start_s(clip.path, recipe, clip.start_s)
        samples = audio.read_clip(clip.path, recipe, clip.start_s)
        picture = spectrogram(samples, recipe)
        # Zeros pad a file that is short.
        heard_s = len(np.trim_zeros(samples, "b")) / recipe.sample_rate_hz
    except audio.AudioError as error:
        path, why = printable(clip.path), error.explanation
        logger.warning("no picture: %s: %s", path, why)
    existing = [tag for tag, has in zip(tags, clip.tags, strict=True) if has]
    return ClipToHear(clip.track_id, clip.path, picture, existing, start_s, heard_s)
