"""Which strip is a take of which: by an identity that both keep, so that strips may be renamed and duplicated."""

from __future__ import annotations

import uuid
from typing import Any

import bpy

from . import compat

KEY = "recam"
"""The custom property of the strips that ReCam knows: takes, their sounds, and the footage of takes."""

ID, OF, SOURCE, TAKE = "id", "of", "source", "take"
"""In it: a strip's identity; a take's footage by that, and by the name that it had; the name of the take of a sound."""


def text_of(strip: Any, name: str) -> str:
    """One of the texts kept with a strip; empty where there is none.

    Custom properties are the user's, too: one of that name may be anything.
    """
    group = strip.get(KEY)
    found = group.get(name) if hasattr(group, "items") else None
    return found if isinstance(found, str) else ""


def write(strip: Any, **texts: str) -> bool:
    """Keep texts with a strip, or take empty ones away. False where the user keeps something else under that name."""
    group = strip.get(KEY)
    if group is None:
        strip[KEY] = {}
        group = strip[KEY]
    if not hasattr(group, "items"):
        return False
    for name, text in texts.items():
        if text:
            group[name] = text
        elif name in group:
            del group[name]
    return True


def tie(scene: bpy.types.Scene, take: Any, footage: Any) -> None:
    """Say that a strip is a take of another. What is tied to that already knows its present name from now on."""
    known = list_takes(scene, footage)
    identity = text_of(footage, ID)
    shared = identity and any(text_of(each, ID) == identity and each != footage for each in compat.strips_all(scene))
    if not identity or shared:
        # A duplicate has its original's: the two part here, each with its takes.
        identity = uuid.uuid4().hex
        if not write(footage, **{ID: identity}):
            identity = ""
    for each in dict.fromkeys([*known, take]):
        write(each, **{OF: identity, SOURCE: footage.name})


def list_takes(scene: bpy.types.Scene, strip: Any) -> list[Any]:
    """The takes of a footage strip that stand in the scene's sequencer, the lowest channel first."""
    strips = compat.strips_all(scene)
    bearers = _bearers(strips)
    takes = [each for each in strips if each != strip and _footage(each, strips, bearers) == strip]
    return sorted(takes, key=lambda each: (each.channel, each.name))


def footage_of(scene: bpy.types.Scene, strip: Any) -> Any:
    """The footage that is meant where a strip is chosen: that of a take, which is what stands active after it was made.

    A take whose footage is gone is footage itself.
    """
    if strip is None or not is_take(strip):
        return strip
    strips = compat.strips_all(scene)
    return _footage(strip, strips, _bearers(strips)) or strip


def tie_sound(sound: Any, take: Any) -> None:
    """Say that a sound strip is that of a take."""
    identity = text_of(take, ID) or uuid.uuid4().hex
    write(take, **{ID: identity})
    write(sound, **{OF: identity, TAKE: take.name})


def sounds_of(scene: bpy.types.Scene, take: Any) -> list[Any]:
    """The copies of the footage's sound that came with a take; not those of its duplicate."""
    identity = text_of(take, ID)
    strips = compat.strips_all(scene)
    sounds = [each for each in strips if each.type == "SOUND" and text_of(each, TAKE)]
    named = [each for each in sounds if text_of(each, TAKE) == take.name and text_of(each, OF) in ("", identity)]
    alone = [each for each in strips if identity and text_of(each, ID) == identity] == [take]
    return named or ([each for each in sounds if text_of(each, OF) == identity] if alone else [])


def is_take(strip: Any) -> bool:
    """Whether a strip was put there as a take, be its footage there or not."""
    return bool(text_of(strip, SOURCE))


def _bearers(strips: list[Any]) -> dict[str, list[Any]]:
    """The strips of each identity: more than one where the user duplicated or cut one."""
    found: dict[str, list[Any]] = {}
    for each in strips:
        if identity := text_of(each, ID):
            found.setdefault(identity, []).append(each)
    return found


def _footage(take: Any, strips: list[Any], bearers: dict[str, list[Any]]) -> Any | None:
    """Of those of its identity that are there at its time the one whose name a take knows, or the first.

    By name alone where there are none.
    """
    name = text_of(take, SOURCE)
    if not name:
        return None
    of = [each for each in bearers.get(text_of(take, OF), ()) if each != take]
    if len(of) > 1:
        # Cut or copied footage: each part has the takes that lie over it.
        start, stop = compat.span(take)
        over = [each for each in of if compat.span(each)[0] < stop and start < compat.span(each)[1]]
        of = over or of
    named = [each for each in of or strips if each.name == name and each != take]
    return named[0] if named else (of[0] if of else None)
