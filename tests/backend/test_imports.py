"""Who may import whom. The rules that import-linter can state are in pyproject.toml and are run here too.

The checkout is linked, or copied and tampered with, as the package `recam`: so relative imports that lead from one of
its packages to the other are seen for what they are.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOOR = (
    "recam.backend.contract",
    "recam.backend.foresight",
    "recam.backend.generation",
    "recam.backend.messages",
    "recam.backend.cameras",
    "recam.backend.environment",
    "recam.backend.models.catalogue",
    "recam.backend.models.library",
    "recam.backend.models.locks",
    "recam.backend.console",
    "recam.backend.ending",
    "recam.backend.progress",
    "recam.backend.progressbar",
    "recam.backend.rpc",
    "recam.backend.troubles",
    "recam.backend.depth",
    "recam.backend.use",
    "recam.backend.solved",
)
"""What the add-on may know of the backend."""

EMPTY = ("recam.backend", "recam.backend.models")
"""Packages that are no more than their version or docstring."""


def violations(folder: Path) -> list[str]:
    """What breaks the rules in ``folder/recam``, in words."""
    sys.path.insert(0, str(folder))
    try:
        graph = grimp.build_graph("recam", include_external_packages=True, cache_dir=None)
    finally:
        sys.path.remove(str(folder))
    found = []
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            if not _allowed(importer, imported):
                found.append(f"{importer} imports {imported}")
    return found


def _allowed(importer: str, imported: str) -> bool:
    if any(_within(importer, each) for each in FLOOR):
        return _may_stand_on_the_ground(importer, imported)
    if _within(importer, "recam.recam_blender") and _within(imported, "recam.backend"):
        return imported in EMPTY or any(_within(imported, each) for each in FLOOR)
    return True


def _may_stand_on_the_ground(importer: str, imported: str) -> bool:
    if any(_within(imported, each) for each in FLOOR) or imported in sys.stdlib_module_names:
        return True
    if imported in EMPTY:
        return True
    return imported == "numpy" and _within(importer, "recam.backend.cameras")


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's own rules on ``folder/recam``."""
    config = str(folder / "recam" / "pyproject.toml")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    return subprocess.run(
        [*command, "--config", config, "--no-cache"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def test_the_add_on_knows_only_the_ground_floor_and_that_stands_on_its_own(tmp_path):
    (tmp_path / "recam").symlink_to(ROOT)
    assert violations(tmp_path) == []


def test_import_linter_agrees(tmp_path):
    (tmp_path / "recam").symlink_to(ROOT)
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy")
    for package in ("recam_blender", "backend", "samples"):
        shutil.copytree(ROOT / package, folder / "recam" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / "recam" / name)
    return folder


@pytest.fixture
def tampered(copy, request):
    """The copy with one line added to one file, and afterwards as it was."""
    path, line = request.param
    path = copy / "recam" / path
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    yield copy
    path.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("tampered", "wanted"),
    [
        (("recam_blender/client.py", "from ..backend import render"), "client imports recam.backend.render"),
        (
            ("recam_blender/client.py", "def f():\n    from ..backend.media import reader"),
            "imports recam.backend.media",
        ),
        (("recam_blender/client.py", "from ..backend.engines import create"), "client imports recam.backend.engines"),
        (("backend/contract.py", "import numpy"), "contract imports numpy"),
        (("backend/messages.py", "from . import engines"), "messages imports recam.backend.engines"),
        (("backend/environment/__init__.py", "def f():\n    import pip"), "environment imports pip"),
        (("backend/cameras/poses.py", "import cv2"), "poses imports cv2"),
        (("backend/cameras/poses.py", "from ..reproject import engine"), "poses imports recam.backend.reproject"),
    ],
    indirect=["tampered"],
)
def test_notices(tampered, wanted):
    assert any(wanted in each for each in violations(tampered))


BACKEND = "The backend knows neither the add-on nor Blender"
ADD_ON = "The add-on runs on what Blender's Python has"
CLIENT = "The worker's client can be tested without Blender"
LAYERS = "What draws knows what acts, and nothing points back up"


@pytest.mark.parametrize(
    ("tampered", "rule"),
    [
        (("backend/render.py", "import bpy"), BACKEND),
        (("backend/contract.py", "def f():\n    from ..recam_blender import client"), BACKEND),
        (("recam_blender/sampling.py", "import torch"), ADD_ON),
        (("recam_blender/client.py", "from .compat import strips"), CLIENT),  # compat imports bpy
        (("recam_blender/compat.py", "from .panel import RECAM_PT_render"), LAYERS),
    ],
    indirect=["tampered"],
)
def test_import_linter_notices(tampered, rule):
    done = lint(tampered)
    assert done.returncode == 1
    assert f"{rule} BROKEN" in done.stdout
