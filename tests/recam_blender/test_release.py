"""A release: made of a commit alone, the same wherever it is made, and Blenders update to it by their own means."""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest

from samples import release

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="a release is made of a commit, and there is no git")


def git(folder: Path, *arguments: str, **environment: str) -> str:
    """Run git as a user whom it knows nothing of."""
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    env = os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"} | environment
    return subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True).stdout


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def commit(checkout: Path) -> None:
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "x", GIT_COMMITTER_DATE="2026-01-02T03:04:06+09:00")


def changelog(checkout: Path, text: str) -> None:
    (checkout / "CHANGELOG.md").write_text(f"# Changelog\n\n{text}\n", encoding="utf-8")


def raise_to(checkout: Path, version: str) -> None:
    """Make this the checkout of another version that is out."""
    for name, old, new in (
        ("blender_manifest.toml", r'^version = ".*"', f'version = "{version}"'),
        ("pyproject.toml", r'^version = ".*"', f'version = "{version}"'),
        ("backend/__init__.py", r'^__version__ = ".*"', f'__version__ = "{version}"'),
    ):
        path = checkout / name
        text, found = re.subn(old, new, path.read_text(encoding="utf-8"), flags=re.M)
        assert found == 1
        path.write_text(text, encoding="utf-8")
    changelog(checkout, f"## [Unreleased]\n\n## [{version}] - 2026-01-02\n\n### Added\n\n- All of {version}.")
    commit(checkout)


@pytest.fixture
def checkout(folder: Path) -> Path:
    """What the zip is made of, in a repository of its own, as version 1.2.3 that is out."""
    path = folder / "checkout"
    for name in ("backend", "recam_blender"):
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (path / "samples").mkdir()
    for name in (
        "__init__.py",
        "blender_manifest.toml",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "samples/release.html",
    ):
        shutil.copyfile(ROOT / name, path / name)
    git(path, "init", "-q")
    raise_to(path, "1.2.3")
    return path


@pytest.fixture
def published(folder: Path) -> Path:
    return folder / "published"


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def index(published: Path) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = json.loads((published / "index.json").read_text(encoding="utf-8"))["data"]
    return data


def test_folder_is_all_that_a_server_needs(checkout: Path, published: Path) -> None:
    made = release.make(checkout, published, tag="v1.2.3")
    assert (made.version, made.dated, made.listed) == ("1.2.3", True, ("1.2.3",))
    assert {each.name for each in published.iterdir()} == {
        "recam_blender-1.2.3.zip",
        "index.json",
        "index.html",
        "notes-1.2.3.md",
        "SHA256SUMS",
    }
    digest = hashlib.sha256(made.zip.read_bytes()).hexdigest()
    (listed,) = index(published)
    assert listed["archive_url"] == "./recam_blender-1.2.3.zip"
    assert listed["archive_hash"] == f"sha256:{digest}"
    assert (published / "SHA256SUMS").read_text() == f"{digest}  recam_blender-1.2.3.zip\n"
    assert (published / "notes-1.2.3.md").read_text() == "# ReCam 1.2.3\n\n### Added\n\n- All of 1.2.3.\n"
    page = (published / "index.html").read_text(encoding="utf-8")
    assert './recam_blender-1.2.3.zip?repository=.%2Findex.json&blender_version_min=4.2.0"' in page


def test_zip_holds_what_the_commit_holds(checkout: Path, published: Path) -> None:
    """And not what git ignores, though Blender's tool would have packed it."""
    (checkout / ".git" / "info" / "exclude").write_text("/backend/left.over\n")
    (checkout / "backend" / "left.over").write_text("a run's")
    packed = contents(release.make(checkout, published).zip)
    assert packed["backend/serve.py"] == (checkout / "backend/serve.py").read_bytes()
    assert "backend/left.over" not in packed
    assert "pyproject.toml" not in packed


def test_same_commit_gives_the_same_zip(
    checkout: Path, published: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder and time zone, with other dates, rights and line endings of the files."""
    once = release.make(checkout, published).zip.read_bytes()
    git(folder, "clone", "-q", "--config", "core.autocrlf=true", "checkout", "other")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    mask = os.umask(0o077)
    try:
        again = release.make(folder / "other", folder / "elsewhere").zip
    finally:
        os.umask(mask)
    assert again.read_bytes() == once
    with zipfile.ZipFile(again) as opened:
        assert {each.date_time for each in opened.infolist()} == {(2026, 1, 1, 18, 4, 6)}  # 03:04:06 in Tokyo, as UTC


def test_nothing_tells_of_this_machine(checkout: Path, published: Path) -> None:
    made = release.make(checkout, published)
    places = {os.fsencode(each) for each in (ROOT, checkout, published, Path.home() / "x", sys.prefix)}
    texts = {each.name: each.read_bytes() for each in published.iterdir()} | contents(made.zip)
    assert not [(name, place) for name, text in texts.items() for place in places if place in text]


def test_changes_are_refused(checkout: Path, published: Path) -> None:
    (checkout / "backend" / "new é.py").write_text("")
    with pytest.raises(release.ReleaseError, match=r"differs from its commit.*\n.*backend/"):
        release.make(checkout, published)
    assert not published.exists()


@pytest.mark.parametrize("name", ["blender_manifest.toml", "pyproject.toml", "backend/__init__.py"])
def test_versions_must_agree(checkout: Path, published: Path, name: str) -> None:
    edit(checkout / name, '"1.2.3"', '"1.2.4"')
    commit(checkout)
    with pytest.raises(release.ReleaseError, match=f"versions differ: .*{name} says 1.2.4"):
        release.make(checkout, published)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## [1.2.2] - 2026-01-01\n\n- Old.", "says nothing of 1.2.3"),
        ("## [Unreleased]\n\n## [1.2.2] - 2026-01-01\n\n- Old.", "says nothing of 1.2.3"),
        ("## [1.2.3]\n\n- New.", "expected '\\[1.2.3\\] - YYYY-MM-DD' and text"),
        ("## [1.2.3] - 2026-01-01\n\n## [1.2.2] - 2026-01-01\n\n- Old.", "expected .* and text below"),
        ("## [Unreleased]\n\n- Newer.\n\n## [1.2.3] - 2026-01-01\n\n- New.", "has changes under \\[Unreleased\\]"),
    ],
)
def test_changelog_must_tell_of_the_version(checkout: Path, published: Path, text: str, said: str) -> None:
    changelog(checkout, text)
    commit(checkout)
    with pytest.raises(release.ReleaseError, match=said):
        release.make(checkout, published)


def test_what_is_not_out_is_a_rehearsal(checkout: Path, published: Path) -> None:
    changelog(checkout, "## [Unreleased]\n\n- Soon.\n\n## [1.2.2] - 2026-01-01\n\n- Old.")
    commit(checkout)
    made = release.make(checkout, published)
    assert not made.dated
    assert (published / "notes-1.2.3.md").read_text() == "# ReCam 1.2.3, not released yet\n\n- Soon.\n"
    with pytest.raises(release.ReleaseError, match="no date for it"):
        release.make(checkout, published, tag="v1.2.3")


def test_tag_must_be_the_version(checkout: Path, published: Path) -> None:
    with pytest.raises(release.ReleaseError, match=r"expected the tag v1\.2\.3"):
        release.make(checkout, published, tag="v1.2.4")


def test_version_that_is_out_is_not_replaced(checkout: Path, published: Path) -> None:
    before = release.make(checkout, published).zip.read_bytes()
    release.make(checkout, published)
    edit(checkout / "README.md", "# ReCam", "# ReCam again")
    commit(checkout)
    with pytest.raises(release.ReleaseError, match=r"another build of 1\.2\.3"):
        release.make(checkout, published)
    assert (published / "recam_blender-1.2.3.zip").read_bytes() == before


def test_disk_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied", "/a folder")

    monkeypatch.setattr(sys, "argv", ["samples.release"])
    monkeypatch.setattr(release, "make", refuse)
    assert release.main() == 1
    assert capsys.readouterr().err.endswith("written or read: '/a folder' (Permission denied).\n")


def test_broken_zip_of_old_is_named(checkout: Path, published: Path) -> None:
    published.mkdir()
    (published / "recam_blender-1.0.0.zip").write_bytes(b"no zip")
    with pytest.raises(release.ReleaseError, match=r"recam_blender-1\.0\.0\.zip cannot be read"):
        release.make(checkout, published)


# ---- Blenders


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No word of each request."""


# Each takes seconds, so the two ways share Blender's versions.
@pytest.fixture(params=["http" if bpy.app.version >= (5, 0, 0) else "file"])
def url(request: pytest.FixtureRequest, published: Path) -> Iterator[str]:
    """Where the folder is served from."""
    if request.param == "file":
        yield (published / "index.json").as_uri()
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(published)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.json"
    server.shutdown()
    server.server_close()
    thread.join()


class User:
    """A Blender of its own, with a user's folders of its own: see updates.py."""

    def __init__(self, url: str, environment: dict[str, str]) -> None:
        program = str(Path(__file__).with_name("updates.py"))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen([sys.executable, program, url], env=os.environ | environment, **pipes)

    def __call__(self, step: str) -> dict[str, Any]:
        """Let it take a step; gives what it sees after it."""
        self.process.stdin.write(f"{step}\n".encode())
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            if line.startswith(b"{"):
                seen: dict[str, Any] = json.loads(line)
                return seen
            said.append(line.decode("utf-8", "replace"))
        raise AssertionError(f"Blender ended with {self.process.wait()}:\n{''.join(said)}")

    def close(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture
def blender(folder: Path, url: str, backend_python: str) -> Iterator[Callable[[], User]]:
    """Start a Blender of the same user each time."""
    environment = {
        "BLENDER_USER_RESOURCES": str(folder / "user"),
        "RECAM_CACHE": str(folder / "cache"),
        "RECAM_PYTHON": backend_python,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    (folder / "user").mkdir()
    with contextlib.ExitStack() as ends:

        def start() -> User:
            user = User(url, environment)
            ends.callback(user.close)
            return user

        yield start


def test_blender_updates(checkout: Path, published: Path, blender: Callable[[], User]) -> None:
    """While a worker runs; with the user's preferences and files kept, and again after Blender has started anew."""
    kept = {"enabled": True, "device": "cpu", "models": "/where/the user's/models é are", "kept": "kept"}
    release.make(checkout, published)
    user = blender()
    assert user("install") == {"offered": "1.2.3", "outdated": 0, "version": "1.2.3", **kept}
    raise_to(checkout, "1.10.0")
    assert release.make(checkout, published).listed == ("1.10.0",)
    assert user("look") == {"offered": "1.10.0", "outdated": 1, "version": "1.2.3", **kept}
    assert user("update") == {
        "offered": "1.10.0",
        "outdated": 1,
        "old_worker": "1.2.3",
        "old_worker_alive": False,
        "new_worker": "1.10.0",
        "left": 0,
        "version": "1.10.0",
        **kept,
    }
    if bpy.app.version >= (5, 0, 0):  # Blender 4.2 as a module crashes where it reads preferences, without any add-on
        assert blender()("start") == {"offered": "1.10.0", "outdated": 0, "version": "1.10.0", **kept}


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_old_blender_keeps_the_last_that_it_runs(checkout: Path, published: Path, blender: Callable[[], User]) -> None:
    """Where a version needs a later Blender. No index lists two versions for one Blender: it would take the wrong."""
    release.make(checkout, published)
    raise_to(checkout, "1.3.0")
    release.make(checkout, published)
    edit(checkout / "blender_manifest.toml", 'blender_version_min = "4.2.0"', 'blender_version_min = "5.0.0"')
    raise_to(checkout, "2.0.0")
    assert release.make(checkout, published).listed == ("2.0.0", "1.3.0")
    ranges = [
        (each["version"], each["blender_version_min"], each.get("blender_version_max")) for each in index(published)
    ]
    assert ranges == [("2.0.0", "5.0.0", None), ("1.3.0", "4.2.0", "5.0.0")]
    assert {"recam_blender-1.2.3.zip", "recam_blender-1.3.0.zip"} < {each.name for each in published.iterdir()}
    fits = "1.3.0" if bpy.app.version < (5, 0, 0) else "2.0.0"
    seen = blender()("install")
    assert (seen["offered"], seen["version"], seen["outdated"]) == (fits, fits, 0)


@pytest.mark.parametrize("url", ["file"], indirect=True)
def test_second_copy_says_that_there_is_a_first(checkout: Path, published: Path, blender: Callable[[], User]) -> None:
    """Whoever installed the zip first, and the repository's later, is not left with halves of both."""
    made = release.make(checkout, published)
    user = blender()
    user("install")
    seen = user(f"twice {made.zip}")
    assert "installed twice" in seen["said"]
    assert "bl_ext.recam_test.recam_blender" in seen["said"]
    first, second = "bl_ext.recam_test.recam_blender", "bl_ext.user_default.recam_blender"
    assert seen["switched_on"] == [f"{each} acts: {each}" for each in (first, second, first)]
