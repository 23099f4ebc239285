"""A user's Blender that gets ReCam from a repository, as a program of its own.

python updates.py URL    takes steps from stdin, a line each, and prints a line of JSON for each: what it sees then

    start      reads the preferences that an earlier Blender saved
    install    adds the repository, installs, sets preferences, makes a file in the user's folder
    look       looks for updates and takes none
    twice ZIP  installs a file beside what came from the repository, and switches from one to the other and back
    update     looks for updates, takes them while a worker runs, and starts a worker again

BLENDER_USER_RESOURCES says where that user's files lie, RECAM_PYTHON which Python runs the worker.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

# isort: split
import bl_pkg  # Blender's own, known once bpy is

ADDON = "bl_ext.recam_test.recam_blender"
FROM_FILE = "bl_ext.user_default.recam_blender"


def take(step: str, url: str) -> dict[str, Any]:
    if step.startswith("twice "):
        return twice(step.removeprefix("twice "))
    if step == "start":
        bpy.ops.wm.read_userpref()
    repos = bpy.context.preferences.extensions.repos
    if step == "install":
        bpy.context.preferences.system.use_online_access = True
        repos.new(name="ReCam", module="recam_test", remote_url=url)
    directory = next(each.directory for each in repos if each.module == "recam_test")
    bpy.ops.extensions.repo_sync(repo_directory=directory)
    seen: dict[str, Any] = {"offered": offered(directory)}
    if step == "install":
        bpy.ops.extensions.package_install(repo_directory=directory, pkg_id="recam_blender", enable_on_install=True)
        preferences().device = "cpu"
        preferences().models = "/where/the user's/models é are"
        kept().write_text("kept", encoding="utf-8")
    seen["outdated"] = outdated(directory)
    if step == "update":
        seen |= update()
        seen["left"] = outdated(directory)
    bpy.ops.wm.save_userpref()
    return seen | {
        "enabled": ADDON in bpy.context.preferences.addons,
        "version": importlib.import_module(f"{ADDON}.backend").__version__,
        "device": preferences().device,
        "models": preferences().models,
        "kept": kept().read_text(encoding="utf-8") if kept().exists() else "",
    }


def update() -> dict[str, Any]:
    before = runtime().worker(os.environ["RECAM_PYTHON"])
    old = before.hello()["version"]
    bpy.ops.extensions.package_upgrade_all()
    after = runtime().worker(os.environ["RECAM_PYTHON"])
    new = after.hello()["version"]
    runtime().stop_worker()
    return {"old_worker": old, "old_worker_alive": before.alive, "new_worker": new}


def twice(path: str) -> dict[str, Any]:
    said = ""
    try:
        bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True)
    except RuntimeError as error:
        said = str(error)
    states = [switched_on()]
    for off, on in ((ADDON, FROM_FILE), (FROM_FILE, ADDON)):
        bpy.ops.preferences.addon_disable(module=off)
        bpy.ops.preferences.addon_enable(module=on)
        states.append(switched_on())
    return {"said": said, "switched_on": states}


def switched_on() -> str:
    """The copies that Blender has switched on, and the one whose operator a button would start."""
    copies = [name for name in (ADDON, FROM_FILE) if name in bpy.context.preferences.addons]
    acts = bpy.types.RECAM_OT_render.__module__.split(".recam_blender.")[0] + ".recam_blender"
    return " ".join([*copies, "acts:", acts])


def offered(directory: str) -> str:
    """The version that Blender's list of extensions would show, or nothing."""
    remote = bl_pkg.repo_cache_store_ensure().refresh_remote_from_directory(directory=directory, error_fn=print)
    return remote["recam_blender"].version if "recam_blender" in remote else ""


def outdated(directory: str) -> int:
    """The number that Blender shows beside Get Extensions."""
    return bl_pkg.repo_stats_calc_outdated_for_repo_directory(bl_pkg.repo_cache_store_ensure(), directory)


def preferences() -> Any:
    return bpy.context.preferences.addons[ADDON].preferences


def runtime() -> ModuleType:
    return importlib.import_module(f"{ADDON}.recam_blender.runtime")


def kept() -> Path:
    return Path(bpy.utils.extension_path_user(ADDON, path="", create=True), "kept.txt")


if __name__ == "__main__":
    for line in sys.stdin:
        print("\n" + json.dumps(take(line.strip(), sys.argv[1])), flush=True)
