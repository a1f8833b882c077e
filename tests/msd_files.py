"""Files of the Million Song Dataset, small: label sources and layouts as published.

Twelve tracks, three tags. `SPLITS` are those of the files that have some.
"""

import sqlite3

import numpy as np

from tests.small_corpus import write_sound

TAGS = ("rock", "Mellow", "Hip-Hop")
WORDS = ("ABCDE", "ABXYZ", "BBCDE", "ZYXWV")  # Their hashes cover all splits.
IDS = [f"TR{letters}128F42{n:05X}" for n, letters in enumerate(WORDS * 3)]
SEVEN_DIGITAL = [str(36_122_424 + 7_000_001 * n) for n in range(12)]
SPLITS = ["train"] * 6 + ["valid"] * 3 + ["test"] * 3
LABELS = np.array([[n % 2, n % 3 == 0, 1 - n % 2] for n in range(12)], np.uint8)


def write_vocabulary(directory, name="tags.txt", tags=TAGS):
    (directory / name).write_text("".join(f"{tag}\n" for tag in tags))


def write_split_files(directory, kinds=("msd_id", "7d_id", "filename")):
    directory.mkdir(parents=True, exist_ok=True)
    lists = {
        "msd_id": IDS,
        "7d_id": SEVEN_DIGITAL,
        "filename": [f"{i[0]}/{i[1]}/{i}.npy" for i in SEVEN_DIGITAL],
    }
    for split in ("train", "valid", "test"):
        rows = [n for n in range(12) if SPLITS[n] == split]
        np.save(directory / f"{split}_y.npy", LABELS[rows].astype(bool))
        for kind in kinds:
            text = "".join(f"{lists[kind][n]}\n" for n in rows)
            (directory / f"{split}_x_{kind}.txt").write_text(text)
    write_vocabulary(directory)
    return directory


def write_database(directory, weights=(100, 51), extra=()):
    """lastfm_tags.db; rows of the tables in another order than tracks and tags."""
    directory.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(directory / "lastfm_tags.db")
    database.execute("CREATE TABLE tids (tid TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE tags (tag TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE tid_tag (tid INT, tag INT, val FLOAT)")
    database.execute("CREATE INDEX idx_tid_tag_tag ON tid_tag (tag)")
    ids, tags = [*IDS[::-1], "TRNOTAG128F4200000"], ["rare", *TAGS[::-1]]
    database.executemany("INSERT INTO tids VALUES (?)", [(i,) for i in ids])
    database.executemany("INSERT INTO tags VALUES (?)", [(tag,) for tag in tags])
    rows = [
        (ids.index(IDS[n]) + 1, tags.index(TAGS[k]) + 1, weights[n % 2])
        for n, k in np.argwhere(LABELS)
    ]
    rows += [(row, column, 50) for row in (1, 13) for column in (1, 2, 3, 4)]
    rows += [(1, 1, 99), *extra]
    database.executemany("INSERT INTO tid_tag VALUES (?, ?, ?)", rows)
    database.commit()
    database.close()
    return directory


def write_pickles(directory, vectors=None, with_valid=True):
    """The other split, as Python 2 wrote it."""
    directory.mkdir(parents=True, exist_ok=True)
    lists = {"train": IDS[:9], "test": IDS[9:]}
    if with_valid:
        lists |= {"train": IDS[:6], "valid": IDS[6:9]}
    for split, ids in lists.items():
        path = directory / f"filtered_list_{split}.cP"
        path.write_bytes(python2_list(ids))
    if vectors is None:
        vectors = python2_vectors(dict(zip(IDS, LABELS.astype(bool), strict=True)))
    (directory / "msd_id_to_tag_vector.cP").write_bytes(vectors)
    write_vocabulary(directory, "50tagList.txt")
    return directory


def write_table_of_ids(directory, ids=None):
    table = ids or dict(zip(IDS, SEVEN_DIGITAL, strict=True))
    lines = [
        f"S'{msd}'\np{2 * n + 2}\nS'{digital}'\np{2 * n + 3}\ns"
        for n, (msd, digital) in enumerate(table.items())
    ]
    text = "(dp1\n" + "".join(lines) + "."
    (directory / "MSD_id_to_7D_id.pkl").write_bytes(text.encode())


def python2_list(ids):
    """What cPickle of Python 2 writes of a list of str, in its default protocol 0."""
    items = [f"S'{text}'\np{n}\na" for n, text in enumerate(ids, 2)]
    return ("(lp1\n" + "".join(items) + ".").encode()


def python2_vectors(vectors):
    """What cPickle of Python 2 writes of a dict of str to bool arrays [K, 1].

    The first array has everything; the others refer back to its parts.
    """
    parts = ["(dp1\n"]
    for n, (name, vector) in enumerate(vectors.items()):
        content = repr(vector.tobytes())[1:]
        head = f"S'{name}'\np{100 * n + 20}\n"
        shape = f"(I1\n(I{len(vector)}\nI1\ntp{100 * n + 21}\n"
        if n == 0:
            start = (
                "cnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n"
                "(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
            )
            number = (
                "cnumpy\ndtype\np8\n(S'b1'\np9\nI0\nI1\ntp10\nRp11\n"
                "(I3\nS'|'\np12\nNNNI-1\nI-1\nI0\ntp13\nb"
            )
        else:
            start, number = (
                f"g2\n(g3\ng4\ng5\ntp{100 * n + 22}\nRp{100 * n + 23}\n",
                "g11\n",
            )
        end = f"I00\nS{content}\np{100 * n + 24}\ntp{100 * n + 25}\nbs"
        parts += [head, start, shape, number, end]
    return ("".join(parts) + ".").encode("latin1")


def write_audio(directory, layout, extension, missing=()):
    """One second of sound per track."""
    for n in range(12):
        if n in missing:
            continue
        name = IDS[n] if layout == "msd" else SEVEN_DIGITAL[n]
        first = 2 if layout == "msd" else 0
        folders = name[first : first + (3 if layout == "msd" else 2)]
        place = directory.joinpath(*folders) / f"{name}{extension}"
        write_sound(place, seed=n)
    return directory
