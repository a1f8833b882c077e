"""What C prints goes nowhere, and what Python prints arrives."""

import ctypes
import io
import logging
import os
import sys

from msd_tagger.common.messages import quiet_decoders


def noise():
    """Writes as libraries of C do: to the descriptors, and through C's own buffer."""
    for number in (1, 2):
        os.write(number, b"noise\n")
    ctypes.CDLL(None).puts(b"noise that C holds back")


def test_only_our_lines_arrive(capfd, monkeypatch):
    # As in a program: the streams of Python write to the first descriptors.
    for name, number in (("stdout", 1), ("stderr", 2)):
        monkeypatch.setattr(sys, name, open(os.dup(number), "w", buffering=1))  # noqa: PTH123, SIM115
    os.environ.pop("MSD_TAGGER_TRACEBACK", None)
    with quiet_decoders():
        noise()
        with quiet_decoders():
            noise()
        noise()
        print("a result")
        print("a word", file=sys.stderr)
    os.write(1, b"then\n")
    assert capfd.readouterr() == ("a result\nthen\n", "a word\n")


def test_streams_that_share_the_descriptor_move(capfd, monkeypatch):
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = open(number, "w", buffering=1, closefd=False)  # noqa: SIM115
        monkeypatch.setattr(sys, name, stream)
    handler = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    root.addHandler(handler)
    before = sys.stdout
    with quiet_decoders():
        noise()
        print("a result")
        root.warning("a warning")
    root.removeHandler(handler)
    assert sys.stdout is before and handler.stream is sys.stderr
    assert capfd.readouterr() == ("a result\n", "a warning\n")


def test_a_stream_that_is_no_file_is_left_alone(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with quiet_decoders():
        noise()
        print("a result")
    assert sys.stdout.getvalue() == "a result\n"
    assert capfd.readouterr().out == ""


def test_whoever_looks_for_an_error_hears_everything(capfd, monkeypatch):
    monkeypatch.setenv("MSD_TAGGER_TRACEBACK", "1")
    with quiet_decoders():
        os.write(2, b"noise\n")
    assert capfd.readouterr().err == "noise\n"
