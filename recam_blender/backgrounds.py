"""Footage as a camera's background, in step with the strip.

The background is an image (a movie or a sequence), not a movie clip: Blender draws clips through the scene's view
transform and images as they are, and which frame an image shows can be said frame by frame. Blender shows the frame
``now - frame_start + 1 + frame_offset`` of it (BKE_image_user_frame_get); where footage does not run evenly, the offset
is driven by the frame, through a driver curve with steps. Drivers are the camera's own, other than keys, which may
belong to an action of the user's that several cameras share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .errors import ReCamError
from .texts import tr

KEY = "recam_see_through"
"""The custom property of our images: what the camera was like before, so that it can be so again."""


@dataclass(frozen=True)
class Clip:
    """What a background shows when.

    Attributes:
        path: the movie, or the first picture.
        source: what Blender calls it: MOVIE, SEQUENCE or FILE.
        space: the colour space that the sequencer reads it in.
        size: in pixels.
        first: the frame of the camera scene that meets the first of ``numbers``.
        numbers: for each frame of the camera scene, which of the file's frames is shown, as Blender counts them: a
            movie's from 1, a picture's by the number in its name.
    """

    path: str
    source: str
    space: str
    size: tuple[int, int]
    first: int
    numbers: tuple[int, ...]

    def offsets(self) -> list[tuple[int, int]]:
        """Frames of the camera scene where the offset changes, and what it is from there on; the first first."""
        steps: list[tuple[int, int]] = []
        for index, number in enumerate(self.numbers):
            offset = number - index - 1
            if not steps or steps[-1][1] != offset:
                steps.append((self.first + index, offset))
        return steps


def put_behind(camera: bpy.types.Object, clip: Clip, name: str) -> list[str]:
    """Make a clip the camera's background; one that we put there before is taken in its place.

    Returns what was done, in whole sentences. ``name`` is the strip's.
    """
    data = camera.data
    own = _own(data)
    notes = []
    if own is None:
        theirs = any(each.show_background_image for each in data.background_images)
        if theirs and not data.show_background_images:
            notes.append(tr("The other backgrounds of {camera!r} are shown again, too.").format(camera=camera.name))
        before = data.show_background_images
        own = data.background_images.new()
        own.image = _new_image(clip, name)
        own.image[KEY] = {"shown": before, "driven": ""}
    elif own.image.users > 1 + own.image.use_fake_user:
        # A copy of the camera, or somebody who liked the image, goes on with the old one.
        told = own.image[KEY].to_dict()
        own.image = _new_image(clip, name)
        own.image[KEY] = {**told, "driven": ""}
    _fill(own.image, clip)
    own.source = "IMAGE"
    own.frame_method, own.alpha, own.display_depth = "FIT", 1.0, "BACK"
    own.show_background_image = data.show_background_images = True
    _set_time(data, own, clip)
    notes.insert(0, tr("Camera {camera!r} looks at {strip!r}.").format(camera=camera.name, strip=name))
    return notes


def stop(camera_data: bpy.types.Camera) -> bool:
    """Take our background away from a camera, and nothing else. Returns whether there was one."""
    own = _own(camera_data)
    if own is None:
        return False
    image, told = own.image, own.image[KEY].to_dict()
    _drop_driver(camera_data, own)
    # Removing a background does not end its hold on the image.
    own.image = None
    camera_data.background_images.remove(own)
    camera_data.show_background_images = bool(told.get("shown", True))
    if image.users == 0:
        bpy.data.images.remove(image)
    return True


def seen_through() -> list[bpy.types.Camera]:
    """The cameras (data) that footage is the background of."""
    return [each for each in bpy.data.cameras if _own(each) is not None]


def check_editable(camera: bpy.types.Object) -> None:
    """Raise ReCamError where a camera's background cannot be changed."""
    if not camera.data.is_editable:
        raise ReCamError(
            tr(
                "Camera {camera!r} belongs to a linked file and cannot be given a background: make it local "
                "(Object > Relations > Make Local), or choose another camera."
            ).format(camera=camera.name)
        )


# The background


def _own(data: bpy.types.Camera) -> Any | None:
    """Our background of a camera, if it has one."""
    return next((each for each in data.background_images if each.image is not None and KEY in each.image), None)


def _new_image(clip: Clip, name: str) -> bpy.types.Image:
    image = bpy.data.images.load(clip.path, check_existing=False)
    image.name = name
    return image


def _fill(image: bpy.types.Image, clip: Clip) -> None:
    if image.filepath != clip.path:
        image.filepath = clip.path
    image.source = clip.source
    image.colorspace_settings.name = clip.space
    # As the strip is shown, whatever view the camera's scene has.
    image.use_view_as_render = False


def _set_time(data: bpy.types.Camera, own: Any, clip: Clip) -> None:
    _drop_driver(data, own)
    user, steps = own.image_user, clip.offsets()
    user.frame_start, user.frame_duration = clip.first, len(clip.numbers)
    user.frame_offset = steps[0][1]
    user.use_cyclic, user.use_auto_refresh = False, True
    if len(steps) == 1:
        return
    path = f"background_images[{list(data.background_images).index(own)}].image_user.frame_offset"
    curve = data.driver_add(path)
    curve.driver.type, curve.driver.expression = "SCRIPTED", "frame"
    for each in list(curve.modifiers):
        curve.modifiers.remove(each)
    curve.keyframe_points.clear()
    curve.keyframe_points.add(len(steps))
    for point, (frame, offset) in zip(curve.keyframe_points, steps, strict=True):
        point.co, point.interpolation = (frame, offset), "CONSTANT"
    curve.update()
    own.image[KEY]["driven"] = path


def _drop_driver(data: bpy.types.Camera, own: Any) -> None:
    path = own.image[KEY].get("driven", "")
    if path and data.animation_data is not None and data.animation_data.drivers.find(path) is not None:
        data.driver_remove(path)
    own.image[KEY]["driven"] = ""
