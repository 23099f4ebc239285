"""Requests that arrive as text: from a command line, or a row of a table."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..backend import contract
from .errors import ReCamError
from .preferences import MODEL_FILES
from .request import GENERATES, OF_NETWORK, SETTINGS, Request
from .texts import later, tr

_FOR_GENERATING = (
    {each.name for each in dataclasses.fields(contract.Generation)} - {*OF_NETWORK}
    | {f"network_{name}" for name in OF_NETWORK}
    | {"true_pixels"}
    | {*MODEL_FILES}
)


def from_texts(values: dict[str, str]) -> Request:
    """A request whose fields arrive as text, from a command line or a table. Unknown names are refused."""
    fields = {each.name: each for each in dataclasses.fields(Request)}
    read: dict[str, Any] = {}
    for name, text in values.items():
        if name not in fields:
            raise ReCamError(
                tr("There is no setting {name!r}; there are {settings}.").format(
                    name=name, settings=", ".join(SETTINGS)
                )
            )
        read[name] = _read(name, text, str(fields[name].type))
    for name in ("scene", "strip"):
        if name not in read:
            raise ReCamError(tr("No {name} is given.").format(name=name))
    # Who names files means them; in the panel the path stays when another depth is chosen.
    if read.get("depth_path") and read.setdefault("depth", "file") != "file":
        raise ReCamError(
            tr("There are depth files, but the depth is {depth}; leave one of them out.").format(depth=read["depth"])
        )
    # Who names engine and quality may keep what only another one heeds, to compare them; who does not forgot to.
    if "engine" not in read and (vain := sorted(_FOR_GENERATING & read.keys())):
        raise ReCamError(
            tr("{name} says nothing to the engine {engine}; give the engine too ({engines}).").format(
                name=vain[0], engine=Request.engine, engines=", ".join(GENERATES)
            )
        )
    if read.get("lora") and "quality" not in read:
        raise ReCamError(
            tr("lora says nothing to the quality {quality}; give the quality too (draft).").format(
                quality=Request.quality
            )
        )
    return Request(**read)


def _read(name: str, text: str, kind: str) -> str | int | float | bool:
    try:
        if kind.startswith("int"):
            return int(text)
        if kind.startswith("float"):
            return float(text)
        if kind == "bool":
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
    except (ValueError, KeyError):
        expected = tr({"i": later("a whole number"), "b": later("yes or no")}.get(kind[0], later("a number")))
        raise ReCamError(
            tr("{name}: found {text!r}, expected {expected}.").format(name=name, text=text, expected=expected)
        ) from None
    return text
