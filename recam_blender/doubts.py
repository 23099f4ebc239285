"""What may come out otherwise than the user thinks, told before a take is made, with the button that helps.

Drawn at each redraw: all of it is worked out from what watching.py knows already, and from a few settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ..backend import contract
from . import compat, doubts_uses, planning, sequencer, steadiness, take_list, watching
from .doubt import Doubt
from .needs import Button
from .overlay import draw, frusta
from .paths import Path
from .request import GENERATES, USES_DEPTH, chosen_footage, size_of_take
from .texts import later, listed, tr
from .watching import Seen

# Shapes and rates that differ by less come from rounding.
_SAME_SHAPE, _SAME_RATE = 2e-3, 1e-3
# On a flat plane, a camera that goes this many times its distance away sees next to nothing of it.
_FAR = 4.0
# Footage that travels further than this, in percent of the picture's width, was not shot from a tripod.
_TRAVELS = 5.0

_MOVE = Button("wm.call_menu", later("Add Move"), "NONE", {"name": "RECAM_MT_moves"})
_SOLVE = Button("recam.solve_footage", later("Solve"))
_MATCH = Button("recam.match_view", later("Match"))


def doubts(scene: bpy.types.Scene, seen: Seen | None) -> tuple[Doubt, ...]:
    """What is doubtful about the settings of an edit; what hinders most comes first.

    Args:
        scene: whose settings count.
        seen: what they mean, as watching.look tells; None where it is not known yet.
    """
    if seen is None or seen.scene != scene.name:
        return ()
    if seen.trouble:
        return tuple(_of_trouble(scene, seen))
    strip = chosen_footage(scene)
    camera_scene = bpy.data.scenes.get(seen.camera_scene)
    if strip is None or camera_scene is None or not seen.targets:
        return ()
    return (
        *_of_file(scene, strip),
        *_of_movement(scene, seen, camera_scene),
        *doubts_uses.of_use(scene, seen),
        *_of_network(scene, seen),
        *_of_shape(scene, seen, camera_scene),
        *_of_footage(scene, seen, strip),
        *_of_time(scene, seen, camera_scene, strip),
        *_of_render(seen, camera_scene),
        *_of_colour(scene),
    )


def no_footage() -> str:
    """What to do where no strip is there at all."""
    return tr("Add the footage to the sequencer: Add > Movie.")


# What hinders


def _of_trouble(scene: bpy.types.Scene, seen: Seen) -> Iterator[Doubt]:
    settings, button = scene.recam, None
    if not seen.strip:
        if settings.pinned:
            button = Button("recam.unpin", later("Unpin"))
        text = seen.trouble if settings.pinned or compat.strips_all(scene) else no_footage()
        yield Doubt(text, "ERROR" if settings.pinned else "INFO", button)
        return
    if settings.range == "preview" and not seen.camera_scene:
        button = Button("recam.whole_strip", later("Whole Strip"))
    elif settings.camera is None and _has_no_camera(seen.camera_scene):
        button = _MOVE
    elif seen.camera_scene:
        button = doubts_uses.hold_button(scene)
    yield Doubt(seen.trouble, "ERROR", button)


def _has_no_camera(name: str) -> bool:
    scene = bpy.data.scenes.get(name)
    return scene is not None and scene.camera is None and not any(each.camera for each in scene.timeline_markers)


# The cameras


def _of_movement(scene: bpy.types.Scene, seen: Seen, camera_scene: bpy.types.Scene) -> Iterator[Doubt]:
    target, source, moved = seen.target, seen.source, seen.movement
    if target is None or moved is None:
        return
    if len(seen.targets) > 1:
        cuts = tr("{count} cameras by markers: each makes a take of its own.").format(count=len(seen.targets))
        yield Doubt(cuts, "INFO", topic="cuts")
        return
    if scene.recam.use != "move":
        return  # the way that is gone is made, and what is doubtful about it told, by the use
    if source is not None and source.name == target.name:
        yield Doubt(tr("Source and target are the same camera: the take would be the footage."), "ERROR", _MOVE, "same")
    elif moved.still and (source is None or (doubts_uses.is_still(source) and _wrong_start(scene, seen) is None)):
        keys = _keys(target.name)
        first, last = target.frames[0], target.frames[-1]
        if keys is not None and keys[0] < keys[1] and (keys[1] <= first or keys[0] >= last):
            text = tr("{camera!r} has its keys at frames {from_} to {to}, but the footage meets {first:g} to {last:g}.")
            told = text.format(camera=target.name, from_=f"{keys[0]:g}", to=f"{keys[1]:g}", first=first, last=last)
            yield Doubt(told, "ERROR", topic="time")
        else:
            text = tr("{camera!r} has no keyframes here: the take would be the footage.")
            yield Doubt(text.format(camera=target.name), "ERROR", _MOVE, "still")
    elif _on_plane(scene):
        yield from _of_distance(scene, target, moved.distance, camera_scene)


def _of_distance(
    scene: bpy.types.Scene, target: Path, distance: float, camera_scene: bpy.types.Scene
) -> Iterator[Doubt]:
    """Whether the camera goes where a flat picture at the subject distance can be seen."""
    away = scene.recam.subject_distance
    places = target.matrices[:, :3, 3]
    ahead = float(((places - places[0]) @ -target.matrices[0, :3, 2]).max()) * camera_scene.unit_settings.scale_length
    if ahead >= away:
        text = tr("The camera goes {metres:.1f} m ahead, but the subject is {away:.1f} m away.")
        yield Doubt(text.format(metres=ahead, away=away), "ERROR", topic="passes")
    elif distance > _FAR * away:
        text = tr("The camera moves {metres:.0f} m, with the subject {away:.1f} m away.")
        yield Doubt(text.format(metres=distance, away=away), "ERROR", topic="passes")


def _on_plane(scene: bpy.types.Scene) -> bool:
    settings = scene.recam
    if settings.engine not in USES_DEPTH:
        return False
    return settings.depth not in ("file", "scene") and (settings.depth != "auto" or settings.source_camera is None)


def _keys(name: str) -> tuple[float, float] | None:
    """The first and last keyframe of a camera and its lens; None where there are none of its own."""
    camera = bpy.data.objects.get(name)
    if camera is None:
        return None
    ends = [end for data in (camera, camera.data) for curve in compat.curves(data) for end in curve.range()]
    return (min(ends), max(ends)) if ends else None


def _wrong_start(scene: bpy.types.Scene, seen: Seen) -> frusta.Mismatch | None:
    if seen.target is None or seen.source is None:
        return None
    unit = _unit(seen)
    away = scene.recam.subject_distance / unit
    return frusta.mismatch(seen.target.matrices[0], seen.source.matrices[0], away)


def _unit(seen: Seen) -> float:
    """Metres per unit of the cameras' scene."""
    found = bpy.data.scenes.get(seen.camera_scene)
    return found.unit_settings.scale_length if found is not None else 1.0


def _of_network(scene: bpy.types.Scene, seen: Seen) -> Iterator[Doubt]:
    """What a network that generates knows nothing of, or cannot do."""
    settings = scene.recam
    if settings.engine not in GENERATES:
        return
    wrong = _wrong_start(scene, seen)
    if wrong is not None:
        told = tr("The camera {starts}.").format(starts=draw.mismatch_words(wrong, _unit(seen)))
        yield Doubt(told, "ERROR", topic="first_view")
    if seen.movement is not None and seen.movement.zooms:
        yield Doubt(tr("The lens changes, which the network cannot follow."), "ERROR", topic="lens")
    if seen.count > settings.network_frames:
        thinned = settings.use_overlap and settings.overlap == 0
        text = tr("The network draws {drawn} frames at once: the {count} frames are drawn in windows.")
        if thinned:
            text = tr("The network draws {drawn} of the {count} frames; the others are made from them.")
        coarse = thinned and seen.count > 2 * settings.network_frames
        told = text.format(drawn=settings.network_frames, count=seen.count)
        yield Doubt(told, "ERROR" if coarse else "INFO", topic="length")
    if not settings.prompt.strip() and settings.prompt_text is None:
        yield Doubt(tr("The prompt is empty: say what the footage shows."), "INFO", topic="prompt")


def _of_shape(scene: bpy.types.Scene, seen: Seen, camera_scene: bpy.types.Scene) -> Iterator[Doubt]:
    """Whether the take shows what the camera's view shows."""
    if not all(seen.size):
        return
    asked = size_of_take(scene)
    width, height = asked if all(asked) else seen.size
    if contract.Use(kind=scene.recam.use).makes_target:
        return  # the path's own view counts, and a wider one is wanted
    if _differ(width / height, seen.size[0] / seen.size[1]):
        text = tr("The take is {size}, the footage {own}: its edges are invented.")
        told = text.format(size=_size(width, height), own=_size(*seen.size))
        yield Doubt(told, "INFO", Button("recam.footage_size", later("Use Footage Size")), "shape")
        return
    render = camera_scene.render
    view = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    if _differ(view, width / height):
        text = tr("The camera's view is {size}, the take {own}.")
        told = text.format(size=_size(render.resolution_x, render.resolution_y), own=_size(width, height))
        yield Doubt(told, "ERROR", _MATCH, "view")


def _size(width: int, height: int) -> str:
    """As one word, which no line is broken in."""
    return f"{width}\u00a0x\u00a0{height}"


def _differ(one: float, other: float) -> bool:
    return abs(one / other - 1) > _SAME_SHAPE


# The footage


def _of_file(scene: bpy.types.Scene, strip: Any) -> Iterator[Doubt]:
    """Whether it is there: Blender shows a strip of missing media like others, but for its colour."""
    path = take_list.path_of(scene, strip)
    if path and not take_list.is_there(path):
        yield Doubt(tr("The file of strip {name!r} is missing: {path!r}.").format(name=strip.name, path=path))


def _of_footage(scene: bpy.types.Scene, seen: Seen, strip: Any) -> Iterator[Doubt]:
    """Whether the camera that shot it moved, where ReCam is told that it did not."""
    if seen.source is not None and not doubts_uses.is_still(seen.source):
        return
    if seen.source is None and (scene.recam.source_from == "footage" or scene.recam.use in ("stabilise", "lock")):
        return
    held = steadiness.of(scene, strip)
    if held is None:
        return
    if held.kind == "shaky":
        text = (
            tr("The footage is shaky, and no source camera follows it.")
            if seen.source is None
            else tr("The footage is shaky, but the source camera stands still.")
        )
        yield Doubt(text, "ERROR", _SOLVE, "shaky")
    elif held.kind == "smooth" and held.moves > _TRAVELS:
        text = (
            tr("The footage's camera moves, and no source camera follows it.")
            if seen.source is None
            else tr("The footage's camera moves, but the source camera stands still.")
        )
        yield Doubt(text, "ERROR", _SOLVE, "shaky")


def _of_time(scene: bpy.types.Scene, seen: Seen, camera_scene: bpy.types.Scene, strip: Any) -> Iterator[Doubt]:
    rate = float(seen.rate)
    if camera_scene != scene:
        other = float(planning.scene_rate(camera_scene))
        if abs(other / rate - 1) > _SAME_RATE:
            text = tr("Scene {scene!r} runs at {other:g} fps, the edit at {rate:g}.")
            yield Doubt(text.format(scene=camera_scene.name, other=other, rate=rate), "ERROR", _MATCH, "rate")
    own = strip.elements[0].orig_fps if strip.type == "MOVIE" and strip.elements else 0.0
    if own > 0 and abs(own / rate - 1) > _SAME_RATE:
        text = tr("The footage has {own:.4g} fps, the scene {rate:.4g}.")
        yield Doubt(text.format(own=own, rate=rate), "INFO", topic="rate")


# What a render would do and a take does not


def _of_render(seen: Seen, camera_scene: bpy.types.Scene) -> Iterator[Doubt]:
    """One line for all: they are good to know, and need nothing done."""
    cameras = [bpy.data.objects.get(name) for name in {each.name for each in seen.targets}]
    render = camera_scene.render
    found = [
        (any(each is not None and each.data.dof.use_dof for each in cameras), tr("depth of field"), "dof"),
        (render.use_motion_blur, tr("motion blur"), "motion_blur"),
        (render.use_multiview, tr("stereo views"), "region"),
        (render.use_border and render.use_crop_to_border, tr("the render region"), "region"),
    ]
    names = [name for used, name, _ in found if used]
    topics = [topic for used, _, topic in found if used]
    if names:
        text = tr("Of the scene's renders, takes do not have {what}.").format(what=listed(names))
        yield Doubt(text, "INFO", topic=topics[0] if len(set(topics)) == 1 else "render")


def _of_colour(scene: bpy.types.Scene) -> Iterator[Doubt]:
    if not sequencer.view_transform_warning(scene):
        return
    button = Button("recam.set_standard_view", later("Set Standard"))
    transform = scene.view_settings.view_transform
    if transform == "Standard":
        text = tr("The scene's look, exposure or curves change the strips' colours.")
    else:
        text = tr("View transform {name} changes the strips' colours.").format(name=transform)
    yield Doubt(text, "ERROR", button, "colour")


CLASSES: tuple[Any, ...] = ()


def register() -> None:
    """Have sidebars drawn anew when there are other doubts than before."""
    watching.told.append(doubts)


def unregister() -> None:
    """No more."""
    watching.told.remove(doubts)
