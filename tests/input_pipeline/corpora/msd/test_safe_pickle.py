"""Data comes out as Python's own unpickler reads it; code does not run."""

import io
import pickle
import time
import tracemalloc

import numpy as np
import pytest

from input_pipeline.corpora.msd import safe_pickle
from tests import msd_files


def _load(path, content):
    path.write_bytes(content)
    return safe_pickle.load(path)


def _plain(value):
    return value.value if isinstance(value, safe_pickle.Array) else value


DATA = {
    "list": ["a", "ü", b"\x00\xff", 1, -(2**70), 2.5, None, True, False, (), (1, [2])],
    "dict": {"a": {}, 3: [1.5], b"k": (1, 2, 3, 4)},
}
ARRAYS = {
    "bool": np.eye(3, dtype=bool),
    "in columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(5, dtype=">i4"),
    "float16": np.array([[0.5, np.nan]], np.float16),
    "unsigned": np.array([[255]], np.uint8),
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", DATA)
def test_data_is_what_was_written(tmp_path, name, protocol):
    assert _load(tmp_path / "x", pickle.dumps(DATA[name], protocol)) == DATA[name]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_are_what_was_written(tmp_path, protocol):
    scalars = {"number": np.float32(0.25), "id": np.int64(36_122_424)}
    read = _load(tmp_path / "x", pickle.dumps(ARRAYS | scalars, protocol))
    for name, array in ARRAYS.items():
        assert read[name].value.dtype == array.dtype
        np.testing.assert_array_equal(read[name].value, array)
    assert (read["number"], read["id"]) == (0.25, 36_122_424)


def test_files_of_python_2_are_read_as_python_does(tmp_path):
    vectors = {i: row.astype(bool) for i, row in zip("abc", np.eye(3), strict=True)}
    for content in (
        msd_files.python2_list(["TRA", "TRB"]),
        msd_files.python2_vectors(vectors),
    ):
        expected = pickle.loads(content, encoding="latin1")
        read = _load(tmp_path / "x", content)
        assert list(read) == list(expected)
    assert {array.value.shape for array in read.values()} == {(3, 1)}
    for name in vectors:
        np.testing.assert_array_equal(read[name].value, expected[name])
        np.testing.assert_array_equal(read[name].value[:, 0], vectors[name])


class _Call:
    def __init__(self, function, *arguments):
        self.made = (function, arguments)

    def __reduce__(self):
        return self.made


def _mark(path):
    return _Call(io.open, str(path), "w")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_asks_for_code_is_refused(tmp_path, protocol):
    mark = tmp_path / "executed"
    content = pickle.dumps([_mark(mark)], protocol)
    with pytest.raises(ValueError, match=r"x is not a pickle of .* for '\w*io\.open'"):
        _load(tmp_path / "x", content)
    assert not mark.exists()
    pickle.loads(content)[0].close()
    assert mark.exists()  # Python's own would have.


ASKS = {
    "instance of Python 2": (b"(S'ls'\nios\nsystem\n.", r"asks for 'os\.system'"),
    "builtins": (b"c__builtin__\neval\n(S'1'\ntR.", r"asks for '__builtin__\.eval'"),
    "inside of numpy": (
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        r"asks for 'numpy\.core\.multiarray\._reconstruct\.__globals__'",
    ),
    "own module": (
        b"cinput_pipeline.corpora.msd.safe_pickle\nnp\n.",
        r"asks for 'input_pipeline\.corpora\.msd\.safe_pickle\.np'",
    ),
    "allocation": (b"cnumpy\nndarray\n((I100000000000\nttR.", "not callable"),
    "state of a function": (
        b"cnumpy.core.multiarray\n_reconstruct\n}S'a'\nI1\nsb.",
        "a state for a method",
    ),
    "registered": (b"\x82\x01.", r"the instruction b'\\x82'"),
    "persistent": (b"Pid\n.", "the instruction b'P'"),
    "new object": (b"cnumpy\ndtype\n)\x81.", r"the instruction b'\\x81'"),
    "objects": (pickle.dumps(np.array([{}]), 2), "an array of 'O8'"),
    "texts": (pickle.dumps(np.array(["a"]), 2), "an array of 'U1'"),
    "records": (pickle.dumps(np.zeros(1, "i4,f4"), 2), "an array of 'V8'"),
    "cut": (pickle.dumps([1, "abc"], 2)[:-2], "is not a pickle"),
    "empty": (b"", "EOFError"),
    "page": (b"<html>404</html>", "is not a pickle"),
    "memo": (b"g7\n.", "is not a pickle"),
}


@pytest.mark.parametrize("name", ASKS)
def test_whatever_else_is_refused_too(tmp_path, name):
    content, message = ASKS[name]
    with pytest.raises(ValueError, match=message):
        _load(tmp_path / "x", content)


def _with_state(state):
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    number = b"cnumpy\ndtype\n(S'b1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    return array + state.replace(b"TYPE", number) + b"b."


BOMBS = {
    "shape": _with_state(b"(I1\n(I100000000000\ntTYPEI00\nS'abc'\nt"),
    "empty shape": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I100000000000\nt"
        b"S'b'\ntR."
    ),
    "memo": b"Nr\xff\xff\xff\x7f.",
    "memo of Python 2": b"Np2147483647\n.",
    "bytes": b"\x8e" + (2**40).to_bytes(8, "little") + b"abc.",
    "text": b"X\xff\xff\xff\x7fabc.",
    "bytearray": b"\x96" + (2**40).to_bytes(8, "little") + b"abc.",
    "frame": b"\x80\x04\x95" + (2**40).to_bytes(8, "little") + b"N.",
}


# Tuples of tuples, each stored once: 2^60 items to whoever looks at all of them.
_NESTED = b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60))
_ENCODE, _ARRAY = b"c_codecs\nencode\n", _with_state(b"(I1\nSHAPETYPEI00\nS'a'\nt")
COSTLY = {
    "key": (b"}" + _NESTED + b"Ns.", "a key that is a tuple"),
    "keys": (b"}(" + _NESTED + b"Nu.", "a key that is a tuple"),
    "dict": (b"(" + _NESTED + b"Nd.", "a key that is a tuple"),
    "number as a key": (b"}(L" + b"9" * 4000 + b"L\nNu.", "a key that is a int"),
    "encoding": (_ENCODE + b"(X\x01\0\0\0a" + _NESTED + b"tR.", "another encoding"),
    "shape": (_ARRAY.replace(b"SHAPE", _NESTED), "is not a pickle"),
    "number type": (
        b"cnumpy\ndtype\n(S'b1'\ntR(I3\nS'|'\n" + _NESTED + b"NNtb.",
        "something other than numbers",
    ),
    "bytes of one text": (
        b"(X\xa0\x86\x01\0" + b"a" * 100_000 + b"q\1X\6\0\0\0latin1q\2"
        b"" + _ENCODE + b"q\3" + b"h\3h\1h\2\x86R" * 20_000 + b"l.",
        "repeats its content",
    ),
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_file_costs_more_than_its_size(tmp_path, name):
    content, message = COSTLY[name]
    start = time.process_time()
    with pytest.raises(ValueError, match=message):
        _load(tmp_path / "x", content)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", BOMBS)
def test_a_number_in_the_file_allocates_nothing(tmp_path, name):
    tracemalloc.start()
    try:
        _load(tmp_path / "x", BOMBS[name])
    except ValueError as error:
        assert "is not a pickle" in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


def test_a_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read"):
        safe_pickle.load(tmp_path)
