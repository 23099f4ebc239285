# SPDX-License-Identifier: GPL-3.0-or-later
"""A release: the zip of the commit that is checked out, in a static folder that Blenders install and update from.

    <python with bpy> -m samples.release [--tag v1.2.3] [--folder build/release]

What lies in the folder afterwards, and how to publish it, is in docs/release.md.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import extension

ROOT = extension.ROOT
FOLDER = ROOT / "build" / "release"

Version = tuple[int, int, int]


class ReleaseError(Exception):
    """Why there is no release, in whole sentences."""


@dataclass(frozen=True)
class Release:
    """What was made.

    Attributes:
        version: of the manifest, "0.1.0".
        zip: the extension, in the release's folder.
        dated: whether CHANGELOG.md says that this version is out; else it is a rehearsal.
        listed: versions that the index offers, newest first.
    """

    version: str
    zip: Path
    dated: bool
    listed: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(prog="samples.release", description="Build the zip and the index for updates.")
    parser.add_argument("--tag", default="", help="the tag that is released: must fit the version and CHANGELOG.md")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where zips, index and notes go")
    arguments = parser.parse_args()
    try:
        made = make(ROOT, arguments.folder, arguments.tag)
    except ReleaseError as error:
        print(f"No release: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"No release: {error.cmd[-1]!r} was refused; see above.", file=sys.stderr)
        return 1
    except OSError as error:
        place = f"{error.filename!r} " if error.filename else ""
        print(f"No release: this cannot be written or read: {place}({error.strerror or error}).", file=sys.stderr)
        return 1
    print(f"{made.zip} (the index offers {', '.join(made.listed)})")
    if not made.dated:
        print(f"This is a rehearsal, not to be published: CHANGELOG.md has no date for {made.version} yet.")
    return 0


def make(root: Path, folder: Path, tag: str = "") -> Release:
    """Build what is committed in ``root``, and put zip, index, notes and checksums into ``folder``.

    Older zips stay in ``folder``, and in the index where they serve Blenders that the newer ones do not run in.

    Raises:
        ReleaseError: the checkout, its versions or its changelog are not ready, or the folder holds another build of
            the same version.
        subprocess.CalledProcessError: Blender's tool refused.
    """
    _refuse_changes(root)
    with tempfile.TemporaryDirectory(prefix="recam-release-", ignore_cleanup_errors=True) as temporary:
        source = _export(root, Path(temporary, "source"))
        version = _version(source)
        notes, dated = _notes((source / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        if tag:
            _refuse_tag(tag, version, dated)
        built = _build(source, Path(temporary, "zip"), int(_git(root, "log", "-1", "--format=%ct")))
        target = folder / built.name
        if dated and target.exists() and target.read_bytes() != built.read_bytes():
            raise ReleaseError(
                f"{target} is another build of {version}. Blender tells builds apart by version only, so whoever has "
                "that one would not get this one: raise the version, or remove that file if nobody has it."
            )
        folder.mkdir(parents=True, exist_ok=True)
        _put(built, target)
        listed = _write_index(folder, Path(temporary, "index"), source / "samples" / "release.html")
    _write(folder / f"notes-{version}.md", notes)
    _write(folder / "SHA256SUMS", "".join(f"{_sha256(each)}  {each.name}\n" for _, each in sorted(_zips(folder))))
    return Release(version, target, dated, listed)


def _refuse_changes(root: Path) -> None:
    """What is released can be had again from its commit."""
    changes = _git(root, "status", "--porcelain").decode("utf-8", "replace").splitlines()
    if changes:
        more = f"\n  and {len(changes) - 10} more" if len(changes) > 10 else ""
        listing = "\n  ".join(changes[:10])
        raise ReleaseError(
            "the checkout differs from its commit. Commit these files, or have git ignore them, and try again:"
            f"\n  {listing}{more}"
        )


def _export(root: Path, folder: Path) -> Path:
    """The files of the commit alone: nothing that git ignores, and none of this machine's dates or rights."""
    archive = _git(root, "-c", "core.autocrlf=false", "archive", "--format=tar", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")
    return folder


def _version(source: Path) -> str:
    """The version, on which all three places agree."""
    manifest, project, module = (
        (source / name).read_text(encoding="utf-8")
        for name in ("blender_manifest.toml", "pyproject.toml", "backend/__init__.py")
    )
    found = re.search(r'^__version__ = "(.*)"$', module, re.M)
    said = {
        "blender_manifest.toml": str(tomllib.loads(manifest)["version"]),
        "pyproject.toml": str(tomllib.loads(project)["project"]["version"]),
        "backend/__init__.py": found[1] if found else "nothing",
    }
    if len(set(said.values())) != 1:
        listing = ", ".join(f"{file} says {version}" for file, version in said.items())
        raise ReleaseError(f"the versions differ: {listing}. Write the same into all three.")
    version = said["pyproject.toml"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"the version is {version!r}, expected three numbers like 1.2.3.")
    return version


def _notes(changelog: str, version: str) -> tuple[str, bool]:
    """What CHANGELOG.md says of the version, and whether it gives it a date.

    A version that is not out yet is what stands under Unreleased.
    """
    sections = {
        heading.strip(): text.strip() for heading, text in re.findall(r"^## (.*)\n((?:(?!## ).*\n?)*)", changelog, re.M)
    }
    unreleased = sections.get("[Unreleased]", "")
    for heading, text in sections.items():
        if heading.split(" ")[0] != f"[{version}]":
            continue
        if not re.fullmatch(r"\[[\d.]+\] - \d{4}-\d\d-\d\d", heading) or not text:
            raise ReleaseError(f"CHANGELOG.md has {heading!r}, expected '[{version}] - YYYY-MM-DD' and text below it.")
        if unreleased:
            raise ReleaseError(
                f"CHANGELOG.md says that {version} is out, and has changes under [Unreleased]. Raise the version in "
                "blender_manifest.toml, pyproject.toml and backend/__init__.py, or move these changes into its section."
            )
        return f"# ReCam {version}\n\n{text}\n", True
    if not unreleased:
        raise ReleaseError(
            f"CHANGELOG.md says nothing of {version}: expected a section '## [{version}] - YYYY-MM-DD', or text under "
            "'## [Unreleased]' for a rehearsal."
        )
    return f"# ReCam {version}, not released yet\n\n{unreleased}\n", False


def _refuse_tag(tag: str, version: str, dated: bool) -> None:
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, but the commit's version is {version}: expected the tag v{version}.")
    if not dated:
        raise ReleaseError(
            f"{tag} is tagged, but CHANGELOG.md has no date for it. Write '## [{version}] - YYYY-MM-DD' below "
            "'## [Unreleased]', so that the changes stand in that section, commit, and tag that commit."
        )


def _build(source: Path, folder: Path, seconds: int) -> Path:
    """The zip from Blender's tool, then with its entries in order and dated as the commit.

    The tool takes files as the disk lists them, with the disk's dates, in local time, and rights: two machines would
    make two zips of one commit. What is left to differ is how Python's zlib packs.
    """
    path = extension.build(folder, source)
    with zipfile.ZipFile(path) as opened:
        contents = {name: opened.read(name) for name in opened.namelist()}
    moment = time.gmtime(seconds)[:6]
    with zipfile.ZipFile(path, "w") as written:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, moment)
            entry.create_system = 3  # Unix on every system, for the rights
            entry.external_attr = 0o100644 << 16
            written.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, 9)
    extension.tool("validate", str(path))
    return path


def _write_index(folder: Path, work: Path, template: Path) -> tuple[str, ...]:
    """Write index.json and index.html by Blender's tool; give the versions that they list.

    No Blender may find two versions: it shows the last of the index and installs the first. So an older one is listed
    only for Blenders that are too old for the newer ones.
    """
    work.mkdir()
    until: dict[str, Version | None] = {}
    oldest: Version | None = None
    for version, path in sorted(_zips(folder), reverse=True):
        needs = _needs(path)
        if oldest is None or needs < oldest:
            until[_text(version)] = oldest
            oldest = needs
            shutil.copyfile(path, work / path.name)
    extension.tool("server-generate", f"--repo-dir={work}", "--html", f"--html-template={template}")
    index = json.loads((work / "index.json").read_text(encoding="utf-8"))
    index["data"].sort(key=lambda each: _numbers(each["version"]), reverse=True)
    if [each["version"] for each in index["data"]] != list(until):
        raise ReleaseError(f"Blender's tool listed only some of {', '.join(until)}; see above.")
    for each in index["data"]:
        if end := until[each["version"]]:
            each["blender_version_max"] = _text(end)
    # The page first: what the index names is all there when it comes.
    _put(work / "index.html", folder / "index.html")
    _write(folder / "index.json", json.dumps(index, indent=2) + "\n")
    return tuple(until)


def _zips(folder: Path) -> Iterator[tuple[Version, Path]]:
    for path in folder.glob("recam_blender-*.zip"):
        if match := re.fullmatch(r"recam_blender-(\d+\.\d+\.\d+)\.zip", path.name):
            yield _numbers(match[1]), path


def _needs(path: Path) -> Version:
    """The oldest Blender that a zip runs in."""
    try:
        with zipfile.ZipFile(path) as opened:
            return _numbers(tomllib.loads(opened.read("blender_manifest.toml").decode())["blender_version_min"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{path} cannot be read as an extension ({error}). Fetch it anew or remove it.") from error


def _numbers(version: str) -> Version:
    major, minor, patch = (int(each) for each in version.split("."))
    return major, minor, patch


def _text(version: Version) -> str:
    return ".".join(str(each) for each in version)


def _put(path: Path, target: Path) -> None:
    """Copy a file so that it is there whole or not at all."""
    new = target.with_name(f".{target.name}.new")
    shutil.copyfile(path, new)
    os.replace(new, target)


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8", newline="\n")
    os.replace(new, path)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=True).stdout
    except OSError as error:
        raise ReleaseError(f"git cannot be started ({error}), and a release is made of a commit.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip()
        raise ReleaseError(f"git could not read the commit that is checked out in {root}: {said}") from error


if __name__ == "__main__":
    sys.exit(main())
