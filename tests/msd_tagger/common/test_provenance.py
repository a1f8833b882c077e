"""The commit that a result names is that of this code, or none."""

import runpy
import shutil
import subprocess

import pytest

from msd_tagger.common import provenance

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture
def project(tmp_path):
    """Somebody's own repository, with an environment of Python in it."""
    (tmp_path / ".gitignore").write_text("lib\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "own")):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "lib").mkdir()
    return tmp_path


def test_the_commit_of_a_project_around_it_is_not_taken(project):
    copy = shutil.copy(provenance.__file__, project / "lib")
    assert runpy.run_path(copy)["origin"]()["commit"] is None


def test_the_repository_of_a_hook_is_not_taken(project, monkeypatch):
    commit = provenance.origin()["commit"]
    monkeypatch.setenv("GIT_DIR", str(project / ".git"))
    assert provenance.origin()["commit"] == commit
