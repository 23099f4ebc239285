"""Where other programs keep models: ComfyUI, WanGP, Stability Matrix, Pinokio, Hugging Face's and ModelScope's caches.

Only folders that are there are named, and nothing in them is opened but the programs' own settings, which are read as
data: what cannot be understood in them is passed over.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# Unlike Path's it answers no where a folder gives no rights.
from os.path import isdir
from pathlib import Path
from typing import Any

from .library import real

COMFYUI, WANGP, STABILITY_MATRIX, PINOKIO = "ComfyUI", "WanGP", "Stability Matrix", "Pinokio"
HUGGING_FACE, MODELSCOPE = "Hugging Face's cache", "ModelScope's cache"

_LARGEST_SETTINGS = 1_000_000  # bytes

# Which of the folders that ComfyUI is told of may hold models of ours.
_KINDS = ("checkpoints", "unet", "diffusion_models", "vae", "text_encoders", "clip", "loras", "vae_approx", "diffusers")

# Repositories whose names have one of these words may hold models of ours, whoever has packed them.
_REPOSITORIES = re.compile(r"wan|recam|umt5|taehv|causvid|forcing", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A folder in which a program keeps models.

    Attributes:
        program: whose, as it calls itself; or what the folder is.
        folder: it is there.
    """

    program: str
    folder: Path


@dataclass(frozen=True)
class Surroundings:
    """The machine and the user that places depend on.

    Attributes:
        home: the user's folder.
        environ: the environment's variables.
        system: as sys.platform calls it.
        roots: folders beside the user's that programs are put into: those of drives, /opt and the like.
    """

    home: Path = field(default_factory=Path.home)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    system: str = sys.platform
    roots: tuple[Path, ...] | None = None

    @property
    def settings(self) -> Path:
        """Where programs keep their settings."""
        if self.system == "win32":
            return Path(self.environ.get("APPDATA") or self.home / "AppData" / "Roaming")
        if self.system == "darwin":
            return self.home / "Library" / "Application Support"
        return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")

    @property
    def caches(self) -> Path:
        """Where the libraries of Hugging Face and ModelScope keep their caches, on every system."""
        return Path(self.environ.get("XDG_CACHE_HOME") or self.home / ".cache")

    def beside(self) -> list[Path]:
        """Folders that people put programs into."""
        near = ("", "Documents", "OneDrive/Documents", "Downloads", "Desktop", "src", "git", "Projects", "AI", "ai")
        return [*(self.home / each for each in near), *self._roots()]

    def _roots(self) -> tuple[Path, ...]:
        if self.roots is not None:
            return self.roots
        if self.system == "win32":
            # Not A: and B:, nor more than a few: a drive of the network that is gone takes long to say so.
            drives = [f"{letter}:\\" for letter in "CDEF"]
            return tuple(Path(drive, each) for drive in drives for each in ("", "AI"))
        return Path("/opt"), Path("/workspace")


def places(around: Surroundings | None = None) -> list[Place]:
    """Every folder of another program's that is there and may hold models of ours; each once."""
    here = around or Surroundings()
    found = itertools.chain(
        _comfyui(here), _wangp(here), _pinokio(here), _stability_matrix(here), _checkouts(here), _caches(here)
    )
    once: dict[Path, Place] = {}
    for program, folder in found:
        if isdir(folder):
            once.setdefault(real(folder), Place(program, folder))
    return list(once.values())


_Pairs = Iterator[tuple[str, Path]]


# ComfyUI


def _comfyui(here: Surroundings) -> _Pairs:
    for base in _comfyui_folders(here):
        yield COMFYUI, base / "models"
        for folder in extra_paths(base / "extra_model_paths.yaml"):
            yield COMFYUI, folder
    for folder in extra_paths(here.settings / "ComfyUI" / "extra_models_config.yaml"):
        yield COMFYUI, folder


def _comfyui_folders(here: Surroundings) -> Iterator[Path]:
    for name in ("COMFYUI_PATH", "COMFYUI_HOME", "COMFYUI_DIR"):
        if given := here.environ.get(name):
            yield Path(given).expanduser()
    # ComfyUI's desktop program writes down which folder it was given.
    desktop = _text_in(_json(here.settings / "ComfyUI" / "config.json"), "basePath")
    if desktop:
        yield Path(desktop)
    portable = "ComfyUI_windows_portable"
    names = ("ComfyUI", "comfy/ComfyUI", f"{portable}/ComfyUI", f"{portable}_nvidia/{portable}/ComfyUI")
    for folder, name in itertools.product(here.beside(), names):
        yield folder / name


def extra_paths(settings: Path) -> list[Path]:
    """The folders of models that an extra_model_paths.yaml names, of those kinds that may be ours.

    Understood is the part of YAML that such files are written in: sections, in them one text a line, or several in a
    block (``|``) or a list. A folder is named from its section's base_path, or from where the file lies.
    """
    text = _text(settings)
    found: list[Path] = []
    for section in _sections(text):
        base = _first(section.get("base_path", []))
        root = settings.parent / os.path.expandvars(os.path.expanduser(base)) if base else settings.parent
        for kind in _KINDS:
            found += [root / os.path.expandvars(each) for each in section.get(kind, []) if each]
    return [path for path in dict.fromkeys(found) if isdir(path)]


_KEY = re.compile(r"([\w.-]+)\s*:(?:\s+(.*))?$")


def _sections(text: str) -> Iterator[dict[str, list[str]]]:
    """The sections of such a file: names, and the texts that each has."""
    section: dict[str, list[str]] = {}
    block: list[str] | None = None
    depth = 0  # of the name that the block belongs to
    for line in text.splitlines():
        content = re.sub(r"(^|\s)#.*", "", line).rstrip()
        indent = len(content) - len(content.lstrip())
        content = content.strip()
        if not content:
            continue
        if indent == 0:
            yield section
            section, block = {}, None
        elif block is not None and (indent > depth or content.startswith("- ")):
            block.append(_unquoted(content.removeprefix("- ").strip()))
        elif match := _KEY.match(content):
            values, value = section.setdefault(match[1], []), (match[2] or "").strip()
            opens = re.fullmatch(r"([|>][+-]?)?", value) is not None
            block, depth = (values if opens else None), indent
            if not opens:
                values.append(_unquoted(value))
    yield section


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


# Others


def _wangp(here: Surroundings) -> _Pairs:
    for folder, name in itertools.product(here.beside(), ("Wan2GP", "wan2gp", "WanGP")):
        yield from _of_wangp(folder / name)


def _of_wangp(folder: Path) -> _Pairs:
    yield WANGP, folder / "ckpts"
    yield WANGP, folder / "loras"
    settings = _json(folder / "wgp_config.json")
    named = settings.get("checkpoints_paths") if isinstance(settings, dict) else None
    for each in named if isinstance(named, list) else []:
        # The program's own folder is named too: that would be all that it is made of.
        if isinstance(each, str) and each.strip(". /\\"):
            yield WANGP, folder / each


def _pinokio(here: Surroundings) -> _Pairs:
    """Pinokio puts each program into a folder ``api/NAME/app``, and what they share into ``drive``."""
    named = _text_in(_json(here.settings / "Pinokio" / "config.json"), "home")
    bases = [*([Path(named)] if named else []), *(folder / "pinokio" for folder in here.beside())]
    for base in bases:
        for program in _inside(base / "api"):
            yield from ((f"{WANGP} in {PINOKIO}", folder) for _, folder in _of_wangp(program / "app"))
            yield PINOKIO, program / "app" / "models"
        yield PINOKIO, base / "drive" / "drives" / "peers"


def _stability_matrix(here: Surroundings) -> _Pairs:
    """Its library lies where its library.json says; portable, in a folder Data beside it."""
    own = here.settings / "StabilityMatrix"
    named = _text_in(_json(own / "library.json"), "LibraryPath")
    libraries = [Path(named)] if named else []
    libraries += [folder / "StabilityMatrix" / "Data" for folder in here.beside()]
    for library in [own, *libraries]:
        models = _text_in(_json(library / "settings.json"), "ModelDirectoryOverride")
        yield STABILITY_MATRIX, Path(models) if models else library / "Models"
        for package in _inside(library / "Packages"):
            yield STABILITY_MATRIX, package / "models"


def _checkouts(here: Surroundings) -> _Pairs:
    for name in ("ReCamMaster", "DiffSynth-Studio"):
        for folder in here.beside():
            yield name, folder / name / "models"
    for folder in here.beside():
        yield "SwarmUI", folder / "SwarmUI" / "Models"


def _caches(here: Surroundings) -> _Pairs:
    for hub in _hubs(here):
        for repository in _inside(hub):
            if repository.name.startswith("models--") and _REPOSITORIES.search(repository.name):
                for snapshot in _inside(repository / "snapshots"):
                    yield HUGGING_FACE, snapshot
    scope = Path(here.environ.get("MODELSCOPE_CACHE") or here.caches / "modelscope" / "hub").expanduser()
    for owner in itertools.chain(_inside(scope), _inside(scope / "models")):
        for repository in _inside(owner):
            if _REPOSITORIES.search(repository.name):
                yield MODELSCOPE, repository


def _hubs(here: Surroundings) -> list[Path]:
    """The folders that huggingface_hub keeps files in: the one it would use now, and the usual one."""
    environ = here.environ
    base = environ.get("HF_HOME") or here.caches / "huggingface"
    now = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or Path(base, "hub")
    return list(dict.fromkeys(Path(each).expanduser() for each in (now, here.caches / "huggingface" / "hub")))


# Reading


def _inside(folder: Path) -> list[Path]:
    """The folders in a folder; none where it cannot be read."""
    try:
        return sorted(each for each in folder.iterdir() if isdir(each) and not each.name.startswith("."))
    except (OSError, ValueError):
        return []


def _text(path: Path) -> str:
    """What stands in a program's settings; nothing where that is none, or far too much."""
    try:
        if path.stat().st_size > _LARGEST_SETTINGS:
            return ""
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""
    return text.replace("\0", "")


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path) or "null")
    except (ValueError, RecursionError):
        return None


def _text_in(settings: Any, name: str) -> str:
    found = settings.get(name) if isinstance(settings, dict) else None
    return found.replace("\0", "") if isinstance(found, str) else ""


def _first(values: Iterable[str]) -> str:
    return next(iter(values), "")
