"""A Blender with ReCam installed from its zip, as users have it. See docs/development.md.

Everything the add-on is reached by is its installed module: nothing here is imported from the checkout.
"""

import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Blender reads where the user's files are once, while bpy is imported.
_resources = tempfile.mkdtemp(prefix="recam-blender-")
atexit.register(shutil.rmtree, _resources, ignore_errors=True)
os.environ["BLENDER_USER_RESOURCES"] = _resources
# Nor does the worker write to a user's folders: not what it keeps of prompts.
os.environ["RECAM_CACHE"] = os.path.join(_resources, "cache")
# Nor are there models that a user has downloaded.
os.environ["RECAM_DATA"] = os.path.join(_resources, "data")
os.environ["RECAM_DATA"] = os.path.join(_resources, "data")
os.environ.pop("RECAM_MODELS", None)
# Networks as small as those of the tests are slower on several threads, which wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bpy  # noqa: E402

from samples import extension  # noqa: E402


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, built once from the checkout."""
    return extension.build(tmp_path_factory.mktemp("zip"))


@pytest.fixture(scope="session")
def addon(extension_zip: Path) -> ModuleType:
    """The add-on as Blender imported it: the module bl_ext.user_default.recam_blender."""
    return extension.install(extension_zip)


class Recam:
    """The installed add-on's modules: ``recam("sampling")``, ``recam.backend("contract")``."""

    def __init__(self, addon: ModuleType) -> None:
        self.addon = addon

    def __call__(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.addon.__name__}.recam_blender.{name}")

    def backend(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.addon.__name__}.backend.{name}")


@pytest.fixture(scope="session")
def recam(addon: ModuleType) -> Recam:
    return Recam(addon)


@pytest.fixture(autouse=True)
def blank() -> None:
    """An empty file before each test; preferences and add-ons stay as they are."""
    bpy.ops.wm.read_homefile(use_empty=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name has everything that breaks naive code."""
    path = tmp_path / 'it\'s a "shot" é 日本'
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def backend_python() -> str:
    """The interpreter that runs the backend: RECAM_PYTHON, as `make test` sets it."""
    return os.environ["RECAM_PYTHON"]


@pytest.fixture(scope="session")
def clip(backend_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip of the small edit (shots.py), for tests that only need one to be there: each may have a copy."""
    import shots
    from timeline import write_movie

    return write_movie(backend_python, tmp_path_factory.mktemp("clip") / "clip.mkv", shots.pictures())


@pytest.fixture
def open_file() -> Iterator[Callable[..., None]]:
    """Open a .blend and be back in an empty file afterwards, so that no test holds another's files open."""
    yield lambda path: bpy.ops.wm.open_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)


@pytest.fixture
def saved_edit(
    backend_python: str, clip: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[bpy.types.Scene]:
    """The small edit (shots.py) in a file of its own: its takes go to the folder beside that."""
    import shots
    from timeline import in_window

    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    shutil.copy(clip, folder)
    scene = in_window(shots.new_edit(backend_python, folder))
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "edit.blend"))
    yield bpy.data.scenes[scene.name]
    bpy.ops.wm.read_homefile(use_empty=True)


@pytest.fixture
def made(recam: Recam, saved_edit: bpy.types.Scene) -> Callable[..., Any]:
    """A take of the panel's settings, as a strip."""
    from timeline import strips

    def made(**settings: Any) -> Any:
        for name, value in settings.items():
            setattr(saved_edit.recam, name, value)
        asked = recam("request").from_settings(saved_edit)
        (take,) = recam("reshoot").reshoot_now(asked).takes
        return strips(saved_edit)[take.strip]

    return made
