"""A move as an animator would build it: a new camera, the empties that carry it or that it looks at, and few keys.

The camera stands at its start where a rig, an empty, stands: to place the whole move elsewhere, move the rig. Its keys
are in the rig's axes, so that a pan is two keys on one channel wherever the rig looks. Where a camera turns because it
looks at something it has a Track To in place of keys: that is exact, and stays so where keys are changed.

Blender places objects in 32 bits: what is sampled back is within 1e-5 of the closed form, in metres and in axes, up to
100 m from the world's origin, and within 3e-5 at 300 m. Turns on the spot are exact anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .. import compat
from ..errors import ReCamError
from ..texts import later, tr
from .catalogue import AMOUNTS, ARM, DISTANCE, EASINGS, FRAMES, MOVES, Move

_MOVING = "Object Transforms"  # the group that Blender itself puts such keys into
_LENS = ("sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y", "clip_start", "clip_end", "display_size")
_NEAREST = 1e-3  # metres: what is nearer to the camera's start cannot be circled
_NOISE = 3e-7  # radians, units: the last bit of a number around 2
_SHORTEST = 1.0  # millimetres: Blender has no shorter lens


def add(
    scene: bpy.types.Scene,
    kind: str,
    *,
    start: float,
    frames: int = FRAMES,
    amount: float | None = None,
    easing: str = "constant",
    at: Matrix | None = None,
    like: bpy.types.Object | None = None,
    lens: float | None = None,
    distance: float = DISTANCE,
    pivot: Vector | None = None,
    arm: float = ARM,
    seed: int = 0,
    name: str = "",
    collection: bpy.types.Collection | None = None,
) -> bpy.types.Object:
    """Make a camera that is keyframed already. Nothing that was there is changed, not even what is selected.

    Args:
        scene: that it moves in.
        kind: one of ``catalogue.MOVES``.
        start: the first frame, of the scene's timeline.
        frames: how many there are, at least 2; the last key is on the last of them.
        amount: how far it goes, in degrees, metres or times (``catalogue.AMOUNTS``); None for the usual. A published
            move has gone 80/80.5 of it at its last frame.
        easing: one of ``catalogue.EASINGS``.
        at: where the camera starts, as a matrix_world; its scale does not count. None: at the world's origin, level.
        like: a camera to take sensor, shift, clipping and lens from.
        lens: its focal length in millimetres, where it is not that of ``like``.
        distance: metres to the point that is looked at, for the moves that keep one in view, and to the pivot of an
            orbit where none is given.
        pivot: the point that an orbit goes around, in the scene's units.
        arm: metres, of a crane.
        seed: of what shakes a handheld camera.
        name: of the camera, its rig's begin with it; empty for the move's own.
        collection: that it goes into; None for the scene's own.

    Raises:
        ReCamError: with the reason. Nothing is made then.
    """
    check_scene(scene)
    if kind not in MOVES:
        raise ReCamError(tr("There is no move {name!r}; there are {names}.").format(name=kind, names=", ".join(MOVES)))
    if easing not in EASINGS:
        raise ReCamError(
            tr("There is no easing {name!r}; there are {names}.").format(name=easing, names=", ".join(EASINGS))
        )
    if frames < 2:
        raise ReCamError(tr("A move has at least 2 frames, not {frames}.").format(frames=frames))
    move = MOVES[kind]
    rotation = at.to_quaternion() if at is not None else Matrix.Rotation(math.pi / 2, 4, "X").to_quaternion()
    stage = _Stage(
        scene=scene,
        collection=collection or scene.collection,
        move=move,
        name=name or move.name,
        at=Matrix.LocRotScale(at.translation if at is not None else None, rotation, None),
        metre=1 / scene.unit_settings.scale_length,
        first=_clock(scene, start),
        last=_clock(scene, start + frames - 1),
        rate=scene.render.fps / scene.render.fps_base * _clock(scene, 1),
        amount=_amount(move, amount) * move.sign,
        easing=easing,
        lens=lens or (like.data.lens if like is not None else None),
        distance=distance,
        pivot=pivot,
        arm=arm,
        seed=seed,
    )
    check, build = _FAMILIES[move.family]
    check(stage)
    camera = _new_camera(stage, like)
    build(stage, camera)
    return camera


def check_scene(scene: bpy.types.Scene) -> None:
    """Raise ReCamError for a scene that nothing can be added to."""
    if not scene.is_editable:
        raise ReCamError(
            tr("Scene {scene!r} is linked from another file and cannot be changed: add the camera there.").format(
                scene=scene.name
            )
        )


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """What is asked for. ``at`` without scale; ``metre`` in Blender's units; ``first`` and ``last`` in curves' time."""

    scene: bpy.types.Scene
    collection: bpy.types.Collection
    move: Move
    name: str
    at: Matrix
    metre: float
    first: float
    last: float
    rate: float
    amount: float
    easing: str
    lens: float | None
    distance: float
    pivot: Vector | None
    arm: float
    seed: int

    @property
    def ahead(self) -> Vector:
        """The point that is looked at."""
        return self.at @ Vector((0, 0, -self.distance * self.metre))

    @property
    def reached(self) -> float:
        """What the last key has of the amount."""
        return self.amount * self.move.reached


def _clock(scene: bpy.types.Scene, frame: float) -> float:
    """A frame of the timeline as curves count it: they are slower or faster where the scene stretches time."""
    return frame * scene.render.frame_map_old / scene.render.frame_map_new


def _amount(move: Move, amount: float | None) -> float:
    if move.family not in AMOUNTS:
        return 0.0
    return AMOUNTS[move.family].default if amount is None else amount


# The moves. Of a camera's axes x points right, y up and z backwards.


def _static(stage: _Stage, camera: bpy.types.Object) -> None:
    _place(camera, stage.at)


def _pan(stage: _Stage, camera: bpy.types.Object) -> None:
    _ride(stage, camera)
    _key(stage, camera, "rotation_euler", 1, 0.0, -math.radians(stage.reached))


def _tilt(stage: _Stage, camera: bpy.types.Object) -> None:
    _ride(stage, camera)
    _key(stage, camera, "rotation_euler", 0, 0.0, math.radians(stage.reached))


def _dolly(stage: _Stage, camera: bpy.types.Object) -> None:
    _ride(stage, camera)
    _key(stage, camera, "location", 2, 0.0, -stage.reached * stage.metre)


def _pedestal(stage: _Stage, camera: bpy.types.Object) -> None:
    rig = _ride(stage, camera)
    _key(stage, camera, "location", 1, 0.0, stage.reached * stage.metre)
    _look_ahead(stage, camera, rig)


def _arc(stage: _Stage, camera: bpy.types.Object) -> None:
    """Along the chord, as published; there how far it leads ahead is rounded to a tenth of a millimetre."""
    rig = _ride(stage, camera)
    angle = math.radians(abs(stage.amount))
    share = stage.move.reached * stage.metre
    side, ahead = stage.distance * math.sin(angle), round(stage.distance * (1 - math.cos(angle)), 4)
    _key(stage, camera, "location", 0, 0.0, math.copysign(side, stage.amount) * share)
    _key(stage, camera, "location", 2, 0.0, -ahead * share)
    _look_ahead(stage, camera, rig)


def _orbit(stage: _Stage, camera: bpy.types.Object) -> None:
    """The camera is carried round as it stands, so that the subject stays where it is in the picture."""
    pivot = _empty(stage, camera, later("{camera} Pivot"), Matrix.Translation(_pivot(stage)))
    camera.parent = pivot
    _place(camera, Matrix.Translation(-_pivot(stage)) @ stage.at)
    _key(stage, pivot, "rotation_euler", 2, 0.0, math.radians(stage.reached))


def _pivot(stage: _Stage) -> Vector:
    return stage.ahead if stage.pivot is None else Vector(stage.pivot)


def _dolly_zoom(stage: _Stage, camera: bpy.types.Object) -> None:
    """A lens as long as the subject is far keeps it as large. Both change evenly, so two keys each are exact."""
    _ride(stage, camera)
    _key(stage, camera, "location", 2, 0.0, -stage.reached * stage.metre)
    lens = camera.data.lens
    _key(stage, camera.data, "lens", -1, lens, lens * _shrink(stage))


def _shrink(stage: _Stage) -> float:
    return (stage.distance - stage.reached) / stage.distance


def _crane(stage: _Stage, camera: bpy.types.Object) -> None:
    """The arm stands level behind the camera and swings in the upright plane, wherever the camera looks."""
    rig = _empty(stage, camera, later("{camera} Rig"), _levelled(stage.at))
    back = Matrix.Translation((0, 0, stage.arm * stage.metre))
    arm = _empty(stage, camera, later("{camera} Arm"), back, parent=rig, shape="SINGLE_ARROW")
    camera.parent = arm
    _place(camera, back.inverted() @ rig.matrix_basis.inverted() @ stage.at)
    _key(stage, arm, "rotation_euler", 0, 0.0, math.radians(stage.reached))
    _look_ahead(stage, camera, rig)


def _levelled(at: Matrix) -> Matrix:
    """The same place without tilt and roll; as it is where the camera lies on its side."""
    right = Vector((at.col[0].x, at.col[0].y, 0))
    if right.length < 1e-3:
        return at
    right.normalize()
    up = Vector((0, 0, 1))
    level = Matrix((right, up, right.cross(up))).transposed().to_4x4()
    level.translation = at.translation
    return level


def _handheld(stage: _Stage, camera: bpy.types.Object) -> None:
    """Noise on every channel, which fades in: the first frame is the start as it stands."""
    _ride(stage, camera)
    for path, sizes in _SWAY.items():
        camera.keyframe_insert(path, frame=stage.first, group=_MOVING)
        for curve in compat.curves(camera):
            if curve.data_path == path:
                unit = stage.metre if path == "location" else 1.0
                _shake(stage, curve, sizes[curve.array_index] * stage.amount * unit)


_SWAY = {
    "location": (0.03, 0.03, 0.02),  # metres
    "rotation_euler": (math.radians(1.0), math.radians(1.0), math.radians(0.6)),
}
"""How far the noise reaches at most, from end to end, on each channel."""

_SWAY_SECONDS = 1.1  # of one sway to and fro: what a standing body has
_FADE_SECONDS = 0.5
_PAST_ALL_FRAMES = 1_048_574


def _shake(stage: _Stage, curve: Any, size: float) -> None:
    noise = curve.modifiers.new("NOISE")
    noise.strength = size
    noise.scale = _SWAY_SECONDS / 2 * stage.rate
    noise.depth = 2
    channel = curve.array_index + (3 if curve.data_path == "location" else 0)
    # Noise is nothing at whole numbers, and what differs by little looks alike.
    noise.phase = (stage.seed % 10_000) * 7.31 + channel * 31.73 + 0.37
    noise.use_restricted_range = True
    noise.frame_start, noise.frame_end = stage.first, _PAST_ALL_FRAMES
    noise.blend_in = min(_FADE_SECONDS * stage.rate, (stage.last - stage.first) / 2)


def _check_nothing(_stage: _Stage) -> None:
    """There is nothing that could be wrong."""


def _check_ahead(stage: _Stage) -> None:
    if stage.distance * stage.metre <= 0:
        raise ReCamError(
            tr("The subject is {distance:g} m away; it must be more than 0.").format(distance=stage.distance)
        )


def _check_arc(stage: _Stage) -> None:
    _check_ahead(stage)
    if abs(stage.amount) >= 90:
        raise ReCamError(tr("The arc is {angle:g}° long; it must be less than 90°.").format(angle=abs(stage.amount)))


def _check_orbit(stage: _Stage) -> None:
    if (_pivot(stage) - stage.at.translation).length < _NEAREST * stage.metre:
        raise ReCamError(
            tr("The camera starts at the very point that it is to circle: put the 3D cursor where the subject is.")
        )


def _check_dolly_zoom(stage: _Stage) -> None:
    _check_ahead(stage)
    if stage.reached >= stage.distance - _NEAREST:
        raise ReCamError(
            tr("The camera would drive {travel:g} m, but the subject is {distance:g} m away: drive less.").format(
                travel=stage.reached, distance=stage.distance
            )
        )
    lens = 50.0 if stage.lens is None else stage.lens
    if lens * _shrink(stage) < _SHORTEST:
        raise ReCamError(
            tr("The lens would become {lens:.2g} mm, which is too short: drive less.").format(
                lens=lens * _shrink(stage)
            )
        )


_FAMILIES: dict[str, tuple[Callable[[_Stage], None], Callable[[_Stage, bpy.types.Object], None]]] = {
    "static": (_check_nothing, _static),
    "pan": (_check_nothing, _pan),
    "tilt": (_check_nothing, _tilt),
    "dolly": (_check_nothing, _dolly),
    "pedestal": (_check_ahead, _pedestal),
    "arc": (_check_arc, _arc),
    "orbit": (_check_orbit, _orbit),
    "dolly_zoom": (_check_dolly_zoom, _dolly_zoom),
    "crane": (_check_ahead, _crane),
    "handheld": (_check_nothing, _handheld),
}


# Their parts


def _new_camera(stage: _Stage, like: bpy.types.Object | None) -> bpy.types.Object:
    data = bpy.data.cameras.new(stage.name)
    if like is not None:
        for each in _LENS:
            setattr(data, each, getattr(like.data, each))
    else:
        for each in ("clip_start", "clip_end", "display_size"):
            setattr(data, each, getattr(data, each) * stage.metre)
    if stage.lens is not None:
        data.lens = stage.lens
    camera = bpy.data.objects.new(stage.name, data)
    stage.collection.objects.link(camera)
    return camera


def _ride(stage: _Stage, camera: bpy.types.Object) -> bpy.types.Object:
    """The rig that carries a camera, which stands at its origin."""
    rig = _empty(stage, camera, later("{camera} Rig"), stage.at)
    camera.parent = rig
    return rig


def _look_ahead(stage: _Stage, camera: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Aim at the point ahead with the camera's own up, however it is tilted: that is the z of what it aims at."""
    turned = stage.at.to_quaternion().to_matrix().to_4x4() @ Matrix.Rotation(-math.pi / 2, 4, "X")
    place = rig.matrix_basis.inverted() @ Matrix.Translation(stage.ahead) @ turned
    aim = _empty(stage, camera, later("{camera} Aim"), place, parent=rig, shape="SPHERE", size=0.1)
    track = camera.constraints.new("TRACK_TO")
    track.target = aim
    track.track_axis, track.up_axis = "TRACK_NEGATIVE_Z", "UP_Y"
    track.use_target_z = True


def _empty(
    stage: _Stage,
    camera: bpy.types.Object,
    name: str,
    place: Matrix,
    *,
    parent: bpy.types.Object | None = None,
    shape: str = "PLAIN_AXES",
    size: float = 0.3,
) -> bpy.types.Object:
    """An empty in its parent's axes; its size in metres."""
    translated = bpy.app.translations.pgettext_data(name)
    empty = bpy.data.objects.new(translated.format(camera=camera.name), None)
    empty.empty_display_type, empty.empty_display_size = shape, size * stage.metre
    empty.parent = parent
    _place(empty, place)
    stage.collection.objects.link(empty)
    return empty


def _place(item: bpy.types.Object, matrix: Matrix) -> None:
    """In its parent's axes, with a scale of exactly 1, and nothing where only rounding makes it something."""
    item.location = [_clean(each) for each in matrix.translation]
    item.rotation_euler = [_clean(each) for each in matrix.to_quaternion().to_euler()]


def _clean(value: float) -> float:
    return 0.0 if abs(value) < _NOISE else value


def _key(stage: _Stage, item: bpy.types.ID, path: str, index: int, first: float, last: float) -> None:
    """Two keys on one channel, eased between them as is asked for; the first value stays."""
    options = {"group": _MOVING} if isinstance(item, bpy.types.Object) else {}
    for frame, value in ((stage.last, last), (stage.first, first)):
        if index < 0:
            setattr(item, path, value)
        else:
            getattr(item, path)[index] = value
        item.keyframe_insert(path, index=index, frame=frame, **options)
    (curve,) = [each for each in compat.curves(item) if each.data_path == path and each.array_index == max(index, 0)]
    for key in curve.keyframe_points:
        key.interpolation = "LINEAR" if stage.easing == "constant" else "BEZIER"
        key.handle_left_type = key.handle_right_type = "AUTO_CLAMPED"
    begin, end = curve.keyframe_points
    # A handle that points at the other key lets the camera go at full speed there; the others lie flat.
    if stage.easing == "in":
        end.handle_left_type = "VECTOR"
    if stage.easing == "out":
        begin.handle_right_type = "VECTOR"
    curve.update()
