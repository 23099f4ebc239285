# SPDX-License-Identifier: GPL-3.0-or-later
"""ReCam as an extension: built from the checkout, and installed as users install it.

    <python with bpy> samples/extension.py          builds and validates build/recam_blender-<version>.zip

The demo, the benchmarks and the tests install through :func:`install`, so that what they show is what a user gets.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "bl_ext.user_default.recam_blender"
"""The add-on's module once it is installed from a file."""


def build(folder: Path, source: Path = ROOT) -> Path:
    """Build and validate the zip of ``source`` in ``folder`` with Blender's own tool.

    Raises CalledProcessError where the tool refuses; it has said why on stderr.
    """
    manifest = tomllib.loads((source / "blender_manifest.toml").read_text(encoding="utf-8"))
    path = folder / f"{manifest['id']}-{manifest['version']}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    tool("build", "--source-dir", str(source), "--output-filepath", str(path))
    tool("validate", str(path))
    return path


def install(path: Path) -> ModuleType:
    """Install the zip in this process's Blender, switch it on, and give its module.

    Where it is installed is Blender's business: set ``BLENDER_USER_RESOURCES`` before bpy is imported.
    """
    import bpy

    bpy.ops.extensions.package_install_files(filepath=str(path), repo="user_default", enable_on_install=True)
    if PACKAGE not in bpy.context.preferences.addons:
        raise RuntimeError(f"{path} was installed, but Blender did not switch it on")
    return importlib.import_module(PACKAGE)


def tool(*arguments: str) -> None:
    """Run ``extension build`` and the like: the bpy wheel has Blender's tool, though no ``blender --command``."""
    subprocess.run([sys.executable, "-B", "-I", str(_tool_path()), *arguments], check=True, stdout=sys.stderr)


def _tool_path() -> Path:
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{sys.executable} has no bpy: run this with one of .venvs/blender-*")
    found = sorted(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    if not found:
        raise RuntimeError(f"no extension tool in {Path(spec.origin).parent}")
    return found[-1]


if __name__ == "__main__":
    print(build(ROOT / "build"))
