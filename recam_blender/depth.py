"""The scene's depth, as a camera sees it: rendered in a copy of the scene, one frame a step.

Each step makes its copy, renders and removes it: between steps nothing of ReCam's is in the file, so that the user may
save, undo or stop at any moment. The camera is built from a trajectory, and so agrees with it to the last digit.

What the renderer sees counts: objects hidden from renders are not there, modifiers are at their render levels, and
instances and particles are in. All surfaces are opaque; volumes, displacement by materials, grease pencil and depth of
field are not seen.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Matrix

from ..backend import contract
from . import compat
from .errors import ReCamError
from .sampling import matrix_world_from_pose, split_frame
from .temporary import mark
from .texts import later, tr

METHODS = ("workbench", "cycles")
METHOD_VARIABLE = "RECAM_DEPTH"
"""Environment variable that says which of METHODS to use, over what ReCam would choose."""

# Both renderers write 1e10 where there is nothing.
_NOTHING = 1e9
_SENSOR = 100.0


class DepthError(ReCamError):
    """Why there is no depth of the scene."""


SOLVED = "recam_solved"
"""The custom property of a camera that was solved from footage."""


def choose_depth(choice: str, *, source: str) -> str:
    """The kind of depth for a user's choice, and the name of the source camera or none.

    Left to us ("auto"), the scene counts only where somebody has put its camera to where the footage was shot: a
    default Cube that happens to stand in the file says nothing about the clip, nor does it once a camera was solved
    from that. Else the backend finds the best there is.
    """
    if choice != "auto":
        return choice
    camera = bpy.data.objects.get(source) if source else None
    return "scene" if camera is not None and not camera.get(SOLVED) else "auto"


def depth_identity(scene: bpy.types.Scene, camera: bpy.types.Object, frames: Sequence[float]) -> str:
    """What a scene's depth is made from, told without rendering it: equal texts mean equal depth.

    That is the .blend and the libraries it links, by time of change, with scene, camera and frames. A file that was
    never saved, or was changed since, is like no other. Caches outside the .blend are not looked at, nor what a script
    in background changed since it opened the file.
    """
    files = [bpy.data.filepath, *(bpy.path.abspath(each.filepath) for each in bpy.data.libraries)]
    stamps = sorted(f"{path} {_changed(path)}" for path in files)
    # In background nobody keeps account of changes: what a script does to the scene is the script's to know.
    if not bpy.data.filepath or (bpy.data.is_dirty and not bpy.app.background):
        stamps.append(f"unsaved {uuid.uuid4().hex}")
    parts = [*stamps, scene.name_full, camera.name_full, *(f"{frame:.6f}" for frame in frames)]
    return "scene " + hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def render_depth(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    trajectory: contract.Trajectory,
    frames: Sequence[float],
    *,
    folder: str,
    method: str = "",
) -> Generator[tuple[str, int, int], None, tuple[str, ...]]:
    """Render what ``trajectory`` sees in the scene at ``frames`` into ``folder``, one frame a step.

    Args:
        scene: left as it is, its current frame included.
        camera: whose clipping counts; nothing else of it is used.
        trajectory: of one pose per frame, metres; its width and height are those of the depth.
        frames: of this scene; where frame and pose are those of an earlier one, that one's file serves again.
        folder: an existing one.
        method: one of METHODS; empty for :func:`choose_method`.

    Yields:
        (phase, steps done, steps in all), before each step.

    Returns:
        One .npy file per frame: float32 (h, w), planar depth in metres, rows from the top, inf where there is nothing.

    Raises:
        DepthError: with the reason, in words.
    """
    if len(trajectory) != len(frames):
        raise DepthError(
            tr("The camera has {poses} poses for {frames} frames.").format(poses=len(trajectory), frames=len(frames))
        )
    # By name: between steps the user may undo, after which objects of Blender's are no longer what they were.
    name, clip, method = scene.name_full, (camera.data.clip_start, camera.data.clip_end), method or choose_method(scene)
    made: dict[tuple[float, contract.Pose, contract.Intrinsics], str] = {}
    files = []
    for index, frame in enumerate(frames):
        key = (frame, trajectory.poses[index], trajectory.intrinsics[index])
        if key not in made:
            yield later("Rendering the depth of the scene"), index, len(frames)
            path = os.path.join(folder, f"depth_{index:05d}.npy")
            shot = _Shot(*key, trajectory.width, trajectory.height, clip)
            depth = _render(_find(name), shot, method, folder)
            try:
                np.save(path, depth, allow_pickle=False)
            except OSError as error:
                raise DepthError(
                    tr("The depth of the scene could not be stored ({reason}): {path!r}.").format(
                        reason=error.strerror, path=path
                    )
                ) from error
            made[key] = path
        files.append(made[key])
    return tuple(files)


def choose_method(scene: bpy.types.Scene) -> str:
    """Workbench where it is known to draw and shows what Cycles would, else Cycles.

    Raises:
        DepthError: Cycles is needed, but switched off; or METHOD_VARIABLE names no method.
    """
    wanted = os.environ.get(METHOD_VARIABLE, "")
    if wanted and wanted not in METHODS:
        raise DepthError(
            tr("{variable} is {wanted!r}; it can be {choices}.").format(
                variable=METHOD_VARIABLE, wanted=wanted, choices=" / ".join(METHODS)
            )
        )
    if wanted == "workbench" or (not wanted and drawing_works() and not _workbench_would_differ(scene)):
        return "workbench"
    if "cycles" not in bpy.context.preferences.addons:
        raise DepthError(
            tr("The depth of the scene is rendered with Cycles here: switch on the add-on Cycles Render Engine.")
        )
    return "cycles"


def drawing_works() -> bool:
    """Whether Blender can draw here. Never by trying: without a graphics driver a Blender in background aborts."""
    if not bpy.app.background:
        return True
    if sys.platform == "darwin":
        return True
    if not sys.platform.startswith("linux") or bpy.context.preferences.system.gpu_backend != "OPENGL":
        return False
    return _has_headless_opengl()


@cache
def _has_headless_opengl() -> bool:
    """Ask the driver in a child, as Blender in background would: a broken one may take its process with it."""
    if not Path(sys.executable).name.startswith("python"):
        return False
    try:
        asked = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _ASK_FOR_OPENGL],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


# An OpenGL 4.3 core context, the least that Blender starts with, made by EGL on the default display or on none (Mesa's
# surfaceless platform), as Blender makes it. Numbers are those of egl.h and eglext.h.
_ASK_FOR_OPENGL = """
import ctypes, sys
egl, pointer = ctypes.CDLL("libEGL.so.1"), ctypes.c_void_p
for name in ("eglGetDisplay", "eglGetPlatformDisplay", "eglCreateContext"):
    getattr(egl, name).restype = pointer
config, count = pointer(), ctypes.c_int()
wanted = (ctypes.c_int * 5)(0x3040, 0x0008, 0x3033, 0x0001, 0x3038)
version = (ctypes.c_int * 7)(0x3098, 4, 0x30FB, 3, 0x30FD, 0x0001, 0x3038)
for display in (egl.eglGetDisplay(None), egl.eglGetPlatformDisplay(0x31DD, None, None)):
    display = pointer(display)
    if not display or not egl.eglInitialize(display, None, None) or not egl.eglBindAPI(0x30A2):
        continue
    found = egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count)) and count.value
    if found and egl.eglCreateContext(display, config, None, version):
        sys.exit(0)
sys.exit(1)
"""


def _workbench_would_differ(scene: bpy.types.Scene) -> bool:
    """Whether Workbench draws what other renderers do not, or draws it wider (hair)."""
    layers = [layer for layer in scene.view_layers if layer.use]
    if not all(layer.use_solid for layer in layers) or any(_has_indirect(each.layer_collection) for each in layers):
        return True
    # Of the whole file: a scene may show instances of what stands in no scene at all.
    seen = [each for each in bpy.data.objects if not each.hide_render and each.type not in _NEVER_RENDERED]
    return any(not each.visible_camera or each.type == "CURVES" or _has_hair(each) for each in seen)


_NEVER_RENDERED = ("ARMATURE", "CAMERA", "LATTICE", "LIGHT", "LIGHT_PROBE", "SPEAKER")


def _has_hair(thing: bpy.types.Object) -> bool:
    return any(system.settings.render_type == "PATH" for system in thing.particle_systems)


def _has_indirect(collection: bpy.types.LayerCollection) -> bool:
    return collection.indirect_only or any(map(_has_indirect, collection.children))


# One frame


class _Shot(NamedTuple):
    frame: float
    pose: contract.Pose
    lens: contract.Intrinsics
    width: int
    height: int
    clip: tuple[float, float]


def _render(scene: bpy.types.Scene, shot: _Shot, method: str, folder: str) -> npt.NDArray[np.float32]:
    if bpy.app.is_job_running("RENDER"):
        raise DepthError(tr("Blender is rendering: ReCam can render the scene's depth when that is done."))
    path = os.path.join(folder, f"{uuid.uuid4().hex}.exr")
    with _prepared_copy(scene, shot, method) as copy:
        copy.render.filepath = compat.literal_path(path)
        try:
            # Named in the operator's own "scene", it would be rendered at the frame of the scene in the window.
            with bpy.context.temp_override(scene=copy):
                bpy.ops.render.render(write_still=True)
        except RuntimeError as error:
            raise DepthError(
                tr("The depth of scene '{name}' could not be rendered. {error}").format(name=scene.name, error=error)
            ) from error
        if not os.path.exists(path):
            raise DepthError(tr("Rendering the depth of scene '{name}' was stopped.").format(name=scene.name))
    try:
        # Uncompressed, of one channel of 4 bytes. Blender says nothing of a file that it could not finish.
        if os.path.getsize(path) < shot.width * shot.height * 4:
            raise DepthError(
                tr("The depth of scene '{name}' was not written whole. The disk may be full: {folder!r}.").format(
                    name=scene.name, folder=folder
                )
            )
        depth = _read(path, shot.width, shot.height)
    finally:
        os.remove(path)
    metres = depth * np.float32(scene.unit_settings.scale_length)
    return np.where(depth < _NOTHING, metres, np.float32(np.inf))


def _read(path: str, width: int, height: int) -> npt.NDArray[np.float32]:
    image = bpy.data.images.load(path, check_existing=False)
    try:
        if tuple(image.size) != (width, height) or not image.channels:
            raise DepthError(
                tr("Blender cannot read the depth that it rendered: {path!r}. The disk may be full.").format(path=path)
            )
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty((height, width, image.channels), np.float32)
        image.pixels.foreach_get(pixels.ravel())
    finally:
        bpy.data.images.remove(image)
    return pixels[::-1, :, 0]


@contextmanager
def _prepared_copy(scene: bpy.types.Scene, shot: _Shot, method: str) -> Iterator[bpy.types.Scene]:
    """A copy of the scene that renders depth and nothing else, for as long as it is needed."""
    # Blender 4.2 leaves what is in the scene's own collection one user too many, until the file is opened again.
    had_result = any(image.type == "RENDER_RESULT" for image in bpy.data.images)
    copy = scene.copy()
    rubbish: list[bpy.types.ID] = [copy]
    try:
        copy.name = "ReCam depth"
        # The copy shares the scene's action, and would have its settings changed back by it.
        copy.animation_data_clear()
        copy.timeline_markers.clear()
        _stand_at(copy, shot.frame)
        _strip_down(copy, shot)
        rubbish += _set_camera(copy, shot)
        rubbish += _METHODS[method](copy)
        layers = _use_layers(copy)
        group = compat.composite_depth(copy, layers)
        rubbish += [group] if group is not None else []
        mark(*rubbish)
        yield copy
    finally:
        bpy.data.batch_remove(rubbish)
        if not had_result:
            bpy.data.batch_remove([image for image in bpy.data.images if image.type == "RENDER_RESULT"])


def _stand_at(copy: bpy.types.Scene, frame: float) -> None:
    """Where rendering evaluates the copy: to do so here, as sampling must, would cost a heavy scene as much again."""
    copy.lock_frame_selection_to_range = False
    whole, part = split_frame(frame)
    if whole >= 0:
        copy.frame_float = whole + part
    else:
        # Negative frames can be set this way alone.
        copy.frame_set(whole, subframe=part)


def _strip_down(copy: bpy.types.Scene, shot: _Shot) -> None:
    """One picture of the shot's size, of everything, with nothing done to it."""
    render = copy.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = shot.width, shot.height, 100
    render.use_border = render.use_multiview = render.use_freestyle = render.use_stamp = False
    render.use_motion_blur = render.use_sequencer = render.use_single_layer = render.use_placeholder = False
    render.use_persistent_data = False
    render.use_overwrite = render.use_compositing = True
    # The graphics card's compositor would need a driver, and may work in half floats.
    render.compositor_device, render.compositor_precision = "CPU", "FULL"
    copy.world = None
    compat.set_float_output(copy)


def _set_camera(copy: bpy.types.Scene, shot: _Shot) -> list[bpy.types.ID]:
    """A camera of this pose and lens. It is in no collection, as those are the user's: only the copy knows it."""
    lens, width, height = shot.lens, shot.width, shot.height
    data = bpy.data.cameras.new(copy.name)
    camera = bpy.data.objects.new(copy.name, data)
    camera.rotation_mode = "QUATERNION"
    camera.matrix_world = Matrix(matrix_world_from_pose(shot.pose, copy).tolist())
    # Blender's sensor spans the width; a lens of another height to width is one of unequal pixels.
    stretch = lens.fx / lens.fy
    copy.render.pixel_aspect_x, copy.render.pixel_aspect_y = max(1.0, 1 / stretch), max(1.0, stretch)
    data.sensor_fit, data.sensor_width = "HORIZONTAL", _SENSOR
    data.lens = lens.fx * _SENSOR / width
    data.shift_x = (width / 2 - lens.cx) / width
    data.shift_y = (lens.cy - height / 2) / width * stretch
    data.clip_start, data.clip_end = shot.clip
    copy.camera = camera
    return [camera, data]


def _use_layers(copy: bpy.types.Scene) -> list[str]:
    """Ask the layers that are rendered for depth alone, and name them."""
    if not any(layer.use for layer in copy.view_layers):
        copy.view_layers[0].use = True
    for layer in copy.view_layers:
        for each in layer.bl_rna.properties:
            if each.identifier.startswith("use_pass_"):
                setattr(layer, each.identifier, each.identifier in ("use_pass_z", "use_pass_combined"))
        _show_holdouts(layer.layer_collection)
        layer.use_volumes, layer.world_override, layer.samples = False, None, 0
    return [layer.name for layer in copy.view_layers if layer.use]


def _show_holdouts(collection: bpy.types.LayerCollection) -> None:
    """What cuts a hole for a filmed background stands where that background is."""
    collection.holdout = False
    for child in collection.children:
        _show_holdouts(child)


def _set_workbench(copy: bpy.types.Scene) -> list[bpy.types.ID]:
    copy.render.engine = "BLENDER_WORKBENCH"
    copy.display.render_aa = "OFF"
    shading = copy.display.shading
    shading.type, shading.light, shading.color_type = "SOLID", "FLAT", "SINGLE"
    shading.show_xray = shading.show_backface_culling = shading.show_shadows = False
    shading.show_cavity = shading.show_object_outline = shading.use_dof = False
    return []


def _set_cycles(copy: bpy.types.Scene) -> list[bpy.types.ID]:
    copy.render.engine = "CYCLES"
    cycles = copy.cycles
    cycles.device, cycles.samples, cycles.sample_offset, cycles.time_limit = "CPU", 1, 0, 0.0
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    cycles.max_bounces = 0
    # The ray goes through the pixel's centre, to within a hundredth.
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    material = bpy.data.materials.new(copy.name)
    compat.glow(material)
    for layer in copy.view_layers:
        layer.material_override = material
    return [material]


_METHODS: dict[str, Callable[[bpy.types.Scene], list[bpy.types.ID]]] = {
    "workbench": _set_workbench,
    "cycles": _set_cycles,
}


def _find(name: str) -> bpy.types.Scene:
    for scene in bpy.data.scenes:
        if scene.name_full == name:
            return scene
    raise DepthError(tr("Scene '{name}' went away while its depth was rendered.").format(name=name))


def _changed(path: str) -> str:
    try:
        return str(os.stat(path).st_mtime_ns)
    except OSError:
        return "missing"
