"""All genres that a file names, where libsndfile gives the first one alone.

ID3 separates several in a text by NUL; FLAC and Ogg repeat the comment `GENRE`.
No library reads them here: tinytag 2.3 loses a name behind a number, such as that in
`(17)Krautrock`, and mutagen is licensed under the GPL.
"""

import re
from pathlib import Path

from msd_tagger.frontend.mpeg import of_seven_bits

_MOST_BYTES = 2**22  # Before them: pictures, say.
_MOST_GENRE_BYTES = 1000
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")  # By their number in ID3.


def genres_of(path: Path) -> list[str]:
    """Returns them as they are written; none where there are none, or none is found."""
    with path.open("rb") as file:
        head = file.read(_MOST_BYTES)
    found = _of_id3(head) if head[:3] == b"ID3" else []
    return found or _of_comments(head)


def _of_comments(head: bytes) -> list[str]:
    r"""Finds genres of Vorbis comments, each behind the number of its bytes.

    >>> _of_comments(b"fLaC..\x0a\0\0\0GENRE=Rock\x09\0\0\0Genre=Pop..subgenre=Ska")
    ['Rock', 'Pop']
    """
    found = []
    if head[:4] not in (b"fLaC", b"OggS"):
        return []
    for match in re.finditer(rb"(?is)(.{4})genre=", head):
        size = int.from_bytes(match[1], "little")
        if size < _MOST_GENRE_BYTES:
            value = head[match.end() : match.end(1) + size]
            found.append(value.decode("utf-8", "replace"))
    return found


def _of_id3(head: bytes) -> list[str]:
    """Finds genres of ID3, versions 2.2 to 2.4 (id3.org)."""
    version, flags, end = head[3], head[5], 10 + of_seven_bits(head[6:10])
    body = head[10:end]
    if flags & 128 and version < 4:
        body = body.replace(b"\xff\0", b"\xff")
    is_old = version == 2
    name_bytes, header_bytes = (3, 6) if is_old else (4, 10)
    at = 0
    if flags & 64 and not is_old:  # An extended header.
        at = of_seven_bits(body[:4]) if version == 4 else 4 + int.from_bytes(body[:4])
    while at + header_bytes < len(body) and body[at]:
        name, size = body[at:][:name_bytes], body[at + name_bytes :][:name_bytes]
        size_bytes = of_seven_bits(size) if version == 4 else int.from_bytes(size)
        begin, at = at + header_bytes, at + header_bytes + size_bytes
        if name in (b"TCON", b"TCO"):
            frame_flags = body[begin - 1] if version == 4 else 0
            return _texts(body[begin:at], frame_flags)
    return []


def _texts(content: bytes, flags: int) -> list[str]:
    r"""Splits the texts of a frame, behind the number of their encoding.

    >>> _texts(b"\3Rock\0Jazz\0", 0), _texts(b"\2\0R\0\0\0J", 0)
    (['Rock', 'Jazz'], ['R', 'J'])
    """
    if flags & 1:  # Its length, once more.
        content = content[4:]
    if flags & 2:
        content = content.replace(b"\xff\0", b"\xff")
    if flags & 12 or not content or content[0] >= len(_ENCODINGS):
        return []  # Compressed, encrypted or no text.
    text = content[1:].decode(_ENCODINGS[content[0]], "replace")
    return [one.strip("\ufeff") for one in text.split("\0") if one.strip("\ufeff ")]
