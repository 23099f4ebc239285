"""The zip: builds, validates, installs, and holds only what runs."""

import importlib
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as opened:
        return opened.namelist()


def test_zip_holds_only_what_runs(extension_zip: Path) -> None:
    tops = {name.split("/")[0] for name in _names(extension_zip)}
    assert tops <= {"__init__.py", "blender_manifest.toml", "LICENSE", "README.md", "recam_blender", "backend"}


def test_zip_holds_all_that_runs(extension_zip: Path) -> None:
    """Every module of the two packages, what the backend is set up from, and nothing that a run left behind."""
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("recam_blender", "backend")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.parent.name != "requirements"
    } | {f"backend/requirements/{name}.txt" for name in ("backend", "recammaster", "pip")}
    inside = {name for name in _names(extension_zip) if name.split("/")[0] in ("recam_blender", "backend")}
    assert inside == wanted
    assert all(name.endswith((".py", ".txt", ".json")) for name in inside)


def test_versions_agree(addon: ModuleType) -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert (
        manifest["version"]
        == project["project"]["version"]
        == importlib.import_module(f"{addon.__name__}.backend").__version__
    )


def test_installed_and_switched_on(addon: ModuleType) -> None:
    assert addon.__name__ == "bl_ext.user_default.recam_blender"
    assert addon.__name__ in bpy.context.preferences.addons


def test_survives_another_file(addon: ModuleType) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert addon.__name__ in bpy.context.preferences.addons


def test_off_and_on_again(addon: ModuleType) -> None:
    """Whatever register() made known, unregister() takes back."""
    before = _known()
    bpy.ops.preferences.addon_disable(module=addon.__name__)
    assert not [name for name in _known() if "recam" in name.lower()]
    bpy.ops.preferences.addon_enable(module=addon.__name__)
    assert _known() == before


def _known() -> set[str]:
    return {name for name in dir(bpy.types) if "recam" in name.lower()} | {
        f"{kind.__name__}.{name}"
        for kind in (bpy.types.Scene, bpy.types.WindowManager, bpy.types.Object)
        for name in dir(kind)
        if "recam" in name.lower()
    }


def test_blenders_python_reads_the_same_cameras(recam) -> None:
    """With the numpy that this Blender has, and nothing else."""
    cameras = recam.backend("cameras")
    end = cameras.preset("arc_left", 81)[-1]
    assert end[:3, 3].tolist() == pytest.approx([-1.9876, 0, 0.5326], abs=5e-5)
    lens = cameras.from_lens(50, 36, 832, 480)
    trajectory = cameras.from_arrays(cameras.preset("arc_left", 81), lens, 832, 480)
    assert cameras.resample(trajectory, range(81)) == trajectory
