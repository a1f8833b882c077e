"""CSV files: written for spreadsheets, and read whoever wrote them."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msd_tagger.common.files import write_text

# What a spreadsheet computes, with apostrophes before it that kept it from that.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")
SEPARATORS = {"comma": ",", "tab": "\t", "semicolon": ";"}
# How files begin that are given for text, what they are, and what to do.
_SAVE = 'save it from a spreadsheet as "CSV UTF-8"'
LFS_POINTER = b"version https://git-lfs"  # How a file begins that is one.
_NO_TEXT = {
    b"PK\x03\x04": ("a spreadsheet or an archive (ZIP)", _SAVE),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", _SAVE),
    b"{\\rtf": ("a text document (RTF)", "save it as plain text, in UTF-8"),
    b"\x1f\x8b": ("compressed (gzip)", "unpack it with gunzip"),
    b"<!doctype": ("a web page", "download the file itself"),
    b"<html": ("a web page", "download the file itself"),
    LFS_POINTER: ("a pointer of Git LFS", "fetch it: git lfs pull"),
}


def write_csv(
    path: Path, rows: Iterable[Sequence[object]], line_end: str = "\n"
) -> None:
    """Writes CSV by RFC 4180, whatever the cells hold, whole or not at all."""
    write_text(path, "".join(f"{csv_line(row)}{line_end}" for row in rows))


def csv_line(row: Iterable[object]) -> str:
    r"""Returns a line of CSV without its end; no cell is a formula for a spreadsheet.

    >>> csv_line(["a,b", "=1+2", -3, "x\ry"])
    '"a,b",\'=1+2,-3,"x\ry"'
    """
    text = io.StringIO(newline="")
    # Another line end than "\r\n" would leave one of the two without quotation marks.
    csv.writer(text, lineterminator="\r\n").writerow(map(_cell, row))
    return text.getvalue().removesuffix("\r\n")


def _cell(value: object) -> object:
    """Returns a cell that no spreadsheet takes for a formula; numbers stay.

    >>> _cell("=1+2"), _cell("-0nBq3"), _cell("-0.5"), _cell("jazz")
    ("'=1+2", "'-0nBq3", '-0.5', 'jazz')
    """
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    return f"'{value}" if math.isnan(cell_number(value)) else value


def _from_cell(text: str) -> str:
    """Returns what `_cell` was given, without blanks around it.

    >>> _from_cell("'=1+2"), _from_cell(" 't was")
    ('=1+2', "'t was")
    """
    text = text.strip()
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_cells(
    path: Path, columns: Sequence[str], others: Sequence[str] | None = ()
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the rows of a file as `write_csv` writes it, each after where it stands.

    Arguments, order of the columns and errors are those of `named_rows`.
    """
    for where, row in named_rows(path, columns, others):
        yield where, {name: _from_cell(cell) for name, cell in row.items()}


def named_rows(
    path: Path,
    columns: Sequence[str],
    others: Sequence[str] | None = (),
    separator: str = "comma",
    hint: str = "",
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the rows of a table with a header, each after where it stands.

    That is the file and the line, for messages. Values are as written, with the blanks
    around them; names of columns are without.

    Args:
        path: The file.
        columns: Names that must be in the header, in any order.
        others: The only names allowed beside them; None allows any.
        separator: One of `SEPARATORS`.
        hint: What to do about a row with more or fewer values than there are columns.

    Raises:
        OSError: The file cannot be opened.
        ValueError: As `csv_rows`; or a column is missing, not allowed, without a name
            or there twice; or a row does not have a value for each.
    """
    rows = csv_rows(path, separator)
    line, header = next(rows, (1, []))
    header = [name.strip() for name in header]
    for called, other in SEPARATORS.items():
        names = "".join(header).split(other)
        if called != separator and len(names) > 1 and {*columns} <= {*names}:
            raise ValueError(
                f"{path}, line {line}: the names of the columns are {called}-separated;"
                f" save the table as {separator}-separated"
            )
    if problems := [*_header_problems(header, columns, others)]:
        beside = f", and perhaps {', '.join(others)}" if others else ""
        beside = ", and any others" if others is None else beside
        raise ValueError(
            f"{path}, line {line}: {'; '.join(problems)}. Expected {separator}-"
            f"separated names of columns, in any order: {', '.join(columns)}{beside}"
        )
    for line, values in rows:
        where = f"{path}, line {line}"
        if len(values) != len(header):
            raise ValueError(
                f"{where}: {len(values)} values for {len(header)} columns"
                f"{hint and f'; {hint}'}"
            )
        yield where, dict(zip(header, values, strict=True))


def _header_problems(
    header: Sequence[str], columns: Sequence[str], others: Sequence[str] | None
) -> Iterator[str]:
    allowed = header if others is None else (*columns, *others)
    found = {
        "missing": [name for name in columns if name not in header],
        "unknown": [name for name in header if name and name not in allowed],
        "repeated": [name for name, n in Counter(header).items() if name and n > 1],
    }
    for what, names in found.items():
        if names:
            yield f"{what} columns {names}"
    if unnamed := header.count(""):
        yield f"columns without a name: {unnamed}"


def csv_rows(path: Path, separator: str = "comma") -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a table of UTF-8 text, each after the line where it starts.

    Lines without content are left out, also `,,,`, which spreadsheets leave at the end.
    The separator is one of `SEPARATORS`.

    Raises:
        OSError: The file cannot be opened.
        ValueError: As `check_is_text`; or names the line that is not UTF-8, has a NUL
            character, or has quotation marks that are not closed.
    """
    check_is_text(path)
    line, is_comma = 1, separator == "comma"
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(
                file,
                delimiter=SEPARATORS[separator],
                # Tabs need no quotation marks.
                strict=is_comma,
                # A space behind a comma must not hide a quotation mark; behind a tab it
                # is part of a value.
                skipinitialspace=is_comma,
            )
            for values in reader:
                check_no_nul("\n".join(values), f"{path}, line {line}")
                if not is_comma and any("\n" in one or "\r" in one for one in values):
                    raise csv.Error("a value goes on in the next line")
                if "".join(values).strip():
                    yield line, values
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(path)) from error
    except csv.Error as error:
        raise ValueError(
            f"{path}, the row that starts in line {line}: {error}. Close every "
            "quotation mark, and double those inside a value"
        ) from error


def check_is_text(path: Path) -> None:
    """Refuses what is often given for a table of text, and says what it is.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is a spreadsheet, say, or a web page.
    """
    if path.exists() and not path.is_file():
        return  # What is read from a pipe is gone.
    with path.open("rb") as file:
        head = file.read(64).lstrip().lower()
    for begin, (what, advice) in _NO_TEXT.items():
        if head.startswith(begin.lower()):
            raise ValueError(f"{path} is {what}, and no text; {advice}")


def check_no_nul(text: str, where: str) -> None:
    """Refuses the character NUL, which NumPy leaves out at the end of a text."""
    if "\0" in text:
        raise ValueError(
            f"{where} has a NUL character (byte 0); take it out, or save the file as "
            "UTF-8 anew"
        )


def not_utf8(path: Path) -> str:
    """Says in which line a file is no UTF-8, and what to do."""
    content = path.read_bytes()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line, near = before.count(b"\n") + 1, before.rpartition(b"\n")[2][-12:]
        is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        guess = "UTF-16" if is_utf16 else "perhaps cp1252 or Latin-1"
        return (
            f"{path}, line {line}: {near + content[error.start :][:4]!r} is not UTF-8 "
            f'but {guess}; save the file as UTF-8 (in a spreadsheet: "CSV UTF-8")'
        )
    return f"{path} was changed while it was read"


def cell_number(text: str) -> float:
    """Reads the number in a cell; NaN where it holds none.

    Python's own `1_0` is none: as a rule somebody meant `1.0`.

    >>> cell_number("12.5"), cell_number("1_0"), cell_number("soon")
    (12.5, nan, nan)
    """
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
