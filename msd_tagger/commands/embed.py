"""`embed`: features of audio files, from a model bundle."""

from collections.abc import Sequence
from pathlib import Path

from msd_tagger.bundle.format import Bundle
from msd_tagger.commands.command_line import Options
from msd_tagger.commands.tag import check_inputs, check_new_file, consume, load_tagger
from msd_tagger.common.messages import quiet_decoders
from msd_tagger.common.processes import available_cores
from msd_tagger.common.text import printable, short_names
from msd_tagger.network.own import check_last_layer
from msd_tagger.tagging import embeddings
from msd_tagger.tagging.songs import (
    Embedding,
    Failure,
    audio_files,
    cut_of,
    embed_files,
)

NUM_NEIGHBOURS = 5
FEATURES = {  # What --layers chooses, in words.
    "last": "the last layer's, which the tags are computed from",
    "all": "the mean over bands and frames of every layer's output",
}


def embed(options: Options) -> int:
    """Writes the features of all files; exit status 1 if one could not be used."""
    check(options)
    tagger = load_tagger(options)
    check_features(tagger.bundle, options.layers)
    files = audio_files(options.files)
    tried: list[Embedding | Failure] = []
    cut = cut_of(tagger.bundle.recipe, options.window_s, options.hop_s)
    cores = available_cores()
    songs = embed_files(tagger, files, options.max_duration_s, cores, *cut)
    with quiet_decoders():
        failures = consume(songs, len(files), "embed", [tried.append])
    found = [one for one in tried if isinstance(one, Embedding)]
    if not found:
        print(f"no file could be embedded, so --out={options.out} was not written")
        return 1
    rows = embeddings.to_rows(found, options.layers, tagger.bundle.seeds)
    out = embeddings.write(Path(options.out), rows)
    count, size = rows.features.shape
    print(f"{len(found)} files, {count} rows of {size} features: {out}")
    if options.neighbours:
        write_neighbours(options, tagger.bundle, found)
    return 1 if failures else 0


def check_features(bundle: Bundle, layers: str) -> None:
    """Checks that a bundle's network has the features that --layers asks for.

    Raises:
        ValueError: It is one's own and has none, or only those of its last layer.
    """
    if "name" not in bundle.network:
        return
    check_last_layer(bundle.weights.params, "embed")
    if layers != "last":
        raise ValueError(
            f"--layers={layers}: only the last layer's features are known of "
            f"{bundle.network['name']}, a network of your own; use --layers=last"
        )


def check(options: Options) -> None:
    """Raises a ValueError that names the flag that is wrong, before much is done."""
    check_inputs(options)
    embeddings.check_format(Path(options.out))
    check_new_file("out", options.out)
    if options.neighbours == "-":
        return
    if options.neighbours and not options.neighbours.endswith(".html"):
        raise ValueError(
            f"--neighbours={options.neighbours} must end in .html, or be - to print"
        )
    check_new_file("neighbours", options.neighbours)


def write_neighbours(
    options: Options, bundle: Bundle, found: Sequence[Embedding]
) -> None:
    """Prints or writes the nearest neighbours of songs and of tags."""
    # It brings matplotlib, which takes longer to import than a song to embed.
    from msd_tagger.tagging import neighbours

    paths = [one.path for one in found]
    folder, names = short_names(paths)
    if options.neighbours == "-":
        names = [printable(path) for path in paths]
    vectors = embeddings.of_songs(found, options.layers)
    label_vectors = bundle.weights.params["tags"]["kernel"].swapaxes(1, 2)
    songs = neighbours.find_neighbours(names, vectors, NUM_NEIGHBOURS)
    tags = neighbours.find_neighbours(bundle.tags, label_vectors, NUM_NEIGHBOURS)
    if options.neighbours == "-":
        print(neighbours.to_text(songs))
        print("tags, by label vector:")
        print(neighbours.to_text(tags))
        return
    about = [
        f"Features: {FEATURES[options.layers]}; the mean over the excerpts of a song. "
        "The cosine is taken within each seed, then averaged."
    ]
    if folder:
        about.append(f"Songs are named by their place in {folder}.")
    of_corpus = bundle.provenance.get("corpus")
    if not isinstance(of_corpus, dict) or "name" not in of_corpus:
        of_corpus = {"name": str(of_corpus or "not known")}
    path = Path(options.neighbours)
    written = neighbours.write_page(path, songs, tags, of_corpus, about)
    print(f"neighbours: {written}")
