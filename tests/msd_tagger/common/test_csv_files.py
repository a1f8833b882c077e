"""Tables: what spreadsheets open, and which headers and rows are refused."""

import os
import threading

import pytest

from msd_tagger.common.csv_files import csv_cells, csv_rows, named_rows, write_csv


def test_no_cell_is_a_formula_for_a_spreadsheet(tmp_path):
    cells = ["=1+2", "+x", "-x", "@x", "\tx", "\rx", "＝x", "-0.5", "+1e-3", -2, "a=b"]
    write_csv(tmp_path / "x.csv", [[cell] for cell in cells])
    (first, *_), *others = [row for _, row in csv_rows(tmp_path / "x.csv")]
    assert first == "'=1+2"
    assert [row[0] for row in others] == [
        *("'+x", "'-x", "'@x", "'\tx", "'\rx", "'＝x", "-0.5", "+1e-3", "-2", "a=b")
    ]


def test_behind_a_tab_a_space_is_part_of_a_value(tmp_path):
    (tmp_path / "x.tsv").write_text('a\t "b"\n')
    rows = csv_rows(tmp_path / "x.tsv", "tab")
    assert list(rows) == [(1, ["a", ' "b"'])]


def test_what_is_written_is_read_whatever_the_order_of_the_columns(tmp_path):
    path = tmp_path / "x.csv"
    write_csv(path, [("b", "a", "c"), ("=1+2", " x ", "-1"), ("'t", "a,b", "")])
    found = list(csv_cells(path, ("a", "b"), others=("c",)))
    assert found == [
        (f"{path}, line 2", {"a": "x", "b": "=1+2", "c": "-1"}),
        (f"{path}, line 3", {"a": "a,b", "b": "'t", "c": ""}),
    ]


@pytest.mark.parametrize(
    ("header", "others", "message"),
    [
        ("", (), r"missing columns \['a', 'b'\]\. Expected comma-.*: a, b$"),
        ("a,b,c", (), r"unknown columns \['c'\]\. .*: a, b$"),
        ("a,c", ("d",), r"columns \['b'\]; unknown .*'c'\]\. .*, and perhaps d$"),
        ("a,b,x,x", None, r"line 1: repeated columns \['x'\]\. .*, and any others$"),
        ("b,a,,", None, r"line 1: columns without a name: 2\. Expected"),
    ],
)
def test_a_header_that_says_something_else_is_refused(
    tmp_path, header, others, message
):
    (tmp_path / "x.csv").write_text(header and f"{header}\n1,2,3,4\n")
    with pytest.raises(ValueError, match=message):
        next(csv_cells(tmp_path / "x.csv", ("a", "b"), others))


def test_a_row_of_another_length_is_refused_with_a_hint(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tb\n\n1\t2\t3\n")
    rows = named_rows(tmp_path / "x.tsv", ("a", "b"), separator="tab", hint="cut it")
    with pytest.raises(ValueError, match=r"line 3: 3 values for 2 columns; cut it$"):
        next(rows)


@pytest.mark.parametrize("last", ["x", 'x"'])
def test_a_quotation_mark_that_is_not_closed_swallows_no_rows(tmp_path, last):
    rows = [*("a\tb\n1\tx\n", '2\t"Weird Al\n', "3\tx\n"), f"4\t{last}\n"]
    (tmp_path / "x.tsv").write_text("".join(rows))
    found = csv_rows(tmp_path / "x.tsv", "tab")
    assert [next(found), next(found)] == [(1, ["a", "b"]), (2, ["1", "x"])]
    with pytest.raises(ValueError, match=r"in line 3: a value goes on .* Close every"):
        next(found)


def test_a_table_may_come_through_a_pipe(tmp_path):
    pipe, rows = tmp_path / "pipe", []
    os.mkfifo(pipe)
    # A second look would wait for a second writer.
    work = (
        (lambda: rows.extend(csv_rows(pipe))),
        (lambda: pipe.write_text("a,b\n1,2\n")),
    )
    threads = [threading.Thread(target=one, daemon=True) for one in work]
    for one in threads:
        one.start()
    threads[0].join(timeout=20)
    assert [row for _, row in rows] == [["a", "b"], ["1", "2"]]
