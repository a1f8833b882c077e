"""What the tests of the server share."""

import tempfile

import pytest


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """The folder for temporary files, which is this server's alone."""
    folder = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield folder
    tempfile.tempdir = before
