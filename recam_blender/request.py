"""What the user asks for, by name, frozen at the moment of asking.

Names and not Blender's objects: while a job runs the user may undo, rename, delete or open another scene.
"""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from typing import Any

import bpy

from ..backend import contract
from . import compat, sequencer
from .errors import ReCamError
from .preferences import MODEL_FILES
from .texts import later, tr

DEPTH_CHOICES = ("auto", *(each for each in contract.DEPTHS if each != "auto"))

USES_DEPTH = ("reproject",)
"""The engines that ask how far the footage's pixels are, and tell which of the take's they invented."""

GENERATES = ("recammaster",)
"""The engines that a network draws for."""

_LARGEST_PANEL_SEED = 2**31 - 1
_LAST_FRAME = 1_048_574  # MAXFRAME of Blender's DNA_scene_types.h
_NO_FRAME = later("{name}: found {value}, expected a frame that Blender can go to.")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One press of the button.

    Attributes:
        scene: the scene whose sequencer holds the strip.
        strip: the footage.
        camera: the target camera; empty for the camera scene's active camera, cuts by markers included.
        source_camera: the camera that shot the footage; empty for a static one at the target's first pose.
        camera_scene: the scene that the cameras move in; empty to find it (a scene strip beside the footage, else the
            strip's own scene).
        camera_frame: the frame of the camera scene that meets the strip's first frame; None to find it.
        lens: the footage's focal length in millimetres on the target camera's sensor, where no source camera is
            given; 0 for the target's lens at its first frame.
        subject_distance: metres.
        depth: one of DEPTH_CHOICES.
        depth_path: file or folder of depth, for ``depth="file"``.
        depth_scale: metres per unit of those files (16-bit PNG: metres at white).
        prompt: for engines that generate, as all that follows up to ``preview_decoder``: see contract.Generation.
        negative_prompt: None for the published one.
        quality: one of contract.QUALITIES.
        steps: None for the quality's.
        guidance: likewise.
        network_frames: how many the network makes at once.
        network_width: pixels that the network draws.
        network_height: likewise.
        device: where the network runs; empty for the preferences'.
        models: the folder of model files; empty for RECAM_MODELS or the preferences'.
        transformer: a file or folder to use whatever the folder holds, as the names in MODEL_FILES after it.
        width: of the take in pixels; 0 for the footage's.
        height: likewise.
        first: the first timeline frame that is re-shot; None for the strip's.
        last: the last one, itself included; likewise.
        handles: more frames at each end, as far as there is footage; the take's strip hides them.
        folder: where the take goes; empty for the usual place.
        source_from: one of contract.SOURCES, for where no source camera is given.
        relative: whether the target's move is added to the source camera's.
        known_frame: a timeline frame, in which the point (known_x, known_y) of the footage, in its pixels, is
            known_distance metres away: how large a scene is that is solved from footage. None, or a distance of 0: not
            known.
        true_pixels: the footage's own pixels where its depth is trusted.
        use: what the take is for, one of contract.USES; as all that follows: see contract.Use.
        use_at: a timeline frame; None for the take's first.
    """

    scene: str
    strip: str
    camera: str = ""
    source_camera: str = ""
    camera_scene: str = ""
    camera_frame: float | None = None
    lens: float = 0.0
    subject_distance: float = contract.DEFAULT_SUBJECT_DISTANCE
    engine: str = "reproject"
    seed: int = 0
    depth: str = "auto"
    depth_path: str = ""
    depth_scale: float = 1.0
    prompt: str = contract.Generation.prompt
    negative_prompt: str | None = contract.Generation.negative_prompt
    quality: str = contract.Generation.quality
    steps: int | None = contract.Generation.steps
    guidance: float | None = contract.Generation.guidance
    network_frames: int = contract.Generation.frames
    network_width: int = contract.Generation.width
    network_height: int = contract.Generation.height
    overlap: int | None = contract.Generation.overlap
    focus_x: float | None = contract.Generation.focus_x
    focus_y: float | None = contract.Generation.focus_y
    fit: str = contract.Generation.fit
    cache: str = contract.Generation.cache
    device: str = ""
    plan: str = contract.Generation.plan
    compile: bool = contract.Generation.compile
    models: str = ""
    transformer: str = ""
    vae: str = ""
    text_encoder: str = ""
    tokenizer: str = ""
    embeddings: str = ""
    lora: str = ""
    preview_decoder: str = ""
    format: str = "h264"
    mask: bool = False
    width: int = 0
    height: int = 0
    first: int | None = None
    last: int | None = None
    handles: int = 0
    folder: str = ""
    source_from: str = "still"
    relative: bool = False
    known_frame: int | None = None
    known_x: float = 0.0
    known_y: float = 0.0
    known_distance: float = 0.0
    true_pixels: bool = False
    use: str = "move"
    use_strength: float = contract.Use.strength
    use_at: int | None = None
    use_hold: int = contract.Use.hold
    use_ease: int = contract.Use.ease
    use_region_x: float = contract.Region.x
    use_region_y: float = contract.Region.y
    use_region_width: float = contract.Region.width
    use_region_height: float = contract.Region.height
    use_by: str = ""
    use_factor: float = contract.Use.factor
    use_keep: bool = contract.Use.keep

    def __post_init__(self) -> None:
        _choose("engine", self.engine, contract.ENGINES)
        _choose("depth", self.depth, DEPTH_CHOICES)
        _choose("format", self.format, tuple(contract.FORMATS))
        _choose("source_from", self.source_from, contract.SOURCES)
        _choose("use", self.use, contract.USES)
        if self.depth == "file" and not self.depth_path:
            raise ReCamError(tr("Depth from files was chosen, but no file or folder is given."))
        if self.depth == "file" and not os.path.exists(self.depth_path):
            raise ReCamError(tr("There is no depth at {path!r}.").format(path=self.depth_path))
        if self.depth_scale <= 0:
            raise ReCamError(
                tr("The depth's scale is {scale:g}; it must be more than 0.").format(scale=self.depth_scale)
            )
        if not 0 <= self.seed <= contract.LARGEST_SEED:
            raise ReCamError(
                tr("The seed is {seed}; it must be from 0 to {largest}.").format(
                    seed=self.seed, largest=contract.LARGEST_SEED
                )
            )
        if max(self.width, self.height) > contract.LARGEST_SIDE:
            raise ReCamError(
                tr("The take's size is {width} x {height}; no side can be over {largest}.").format(
                    width=self.width, height=self.height, largest=contract.LARGEST_SIDE
                )
            )
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ReCamError(
                    tr("{name}: found {value}, expected a finite number.").format(name=each.name, value=value)
                )
        if self.camera_frame is not None and abs(self.camera_frame) > _LAST_FRAME:
            raise ReCamError(tr(_NO_FRAME).format(name="camera_frame", value=f"{self.camera_frame:g}"))
        for name in ("first", "last"):
            if abs(getattr(self, name) or 0) > _LAST_FRAME:
                raise ReCamError(tr(_NO_FRAME).format(name=name, value=getattr(self, name)))
        if self.handles < 0:
            raise ReCamError(
                tr("There are {handles} frames of handles; there must be 0 or more.").format(handles=self.handles)
            )
        if self.subject_distance <= 0:
            raise ReCamError(
                tr("The subject distance is {distance:g} m; it must be more than 0.").format(
                    distance=self.subject_distance
                )
            )
        if self.lens < 0:
            raise ReCamError(
                tr("The footage's lens is {lens:g} mm; it must be more than 0, or 0 for the target's.").format(
                    lens=self.lens
                )
            )
        if bool(self.width) != bool(self.height) or self.width < 0 or self.height < 0:
            raise ReCamError(
                tr("The take's size is {width} x {height}; give both sides, or 0 x 0.").format(
                    width=self.width, height=self.height
                )
            )
        try:
            self.generation(contract.Models(), self.device or contract.Generation.device)
        except contract.ContractError as error:
            raise _refused(f"network_{error.field}" if error.field in OF_NETWORK else error.field, error) from None
        try:
            self.use_from(None, 0)
        except contract.ContractError as error:
            raise _refused("use_" + error.field.replace("region.", "region_"), error) from None

    def generation(self, models: contract.Models, device: str) -> contract.Generation:
        """What an engine that generates is told, with the models found and the device chosen."""
        asked = {each.name for each in dataclasses.fields(self)}
        names = asked & {each.name for each in dataclasses.fields(contract.Generation)} - {
            *OF_NETWORK,
            "models",
            "device",
        }
        same = {name: getattr(self, name) for name in names}
        network = {name: getattr(self, f"network_{name}") for name in OF_NETWORK}
        return contract.Generation(**same, **network, models=models, device=device)

    def use_from(self, first: int | None, count: int, reach: tuple[int, int] | None = None) -> contract.Use:
        """What the take is for, where its first frame is timeline frame ``first`` and it has ``count`` of them.

        ``reach``: first, and one after the last, of all cuts. The instant that one of them holds, the others do not.
        """
        kind = self.use
        if kind == "freeze" and reach is not None and first is not None and self.use_at is not None:
            held = min(max(self.use_at, reach[0]), reach[1] - 1)
            kind = kind if first <= held < first + count else "move"
        at = 0 if self.use_at is None or first is None else min(max(self.use_at - first, 0), count - 1)
        sides = {name: getattr(self, f"use_region_{name}") for name in ("x", "y", "width", "height")}
        try:
            region = contract.Region(**sides)
        except contract.ContractError as error:
            raise error.within("region") from None
        return contract.Use(
            kind=kind,
            strength=self.use_strength,
            at=at,
            hold=self.use_hold,
            ease=self.use_ease,
            region=region,
            by=self.use_by,
            factor=self.use_factor,
            keep=self.use_keep,
        )

    def model_files(self) -> dict[str, str]:
        """The model files that are named one by one, by the names of contract.Models."""
        return {field: path for name, field in MODEL_FILES.items() if (path := getattr(self, name))}


def _refused(field: str, error: contract.ContractError) -> ReCamError:
    return ReCamError(
        tr("{field}: found {found}, expected {expected}.").format(
            field=field, found=error.found, expected=error.expected
        )
    )


OF_NETWORK = ("frames", "width", "height")
"""What is called network_… here, as the take has such fields too."""

COLUMNS = ("scene", "strip", "camera", "engine", "quality", "prompt", "seed")
"""The fields that have a column of their own in a table."""

SETTINGS = tuple(sorted({each.name for each in dataclasses.fields(Request)} - {*COLUMNS, "folder"}))
"""What a table calls settings: the other fields."""

PATHS = ("folder", "depth_path", "models", *MODEL_FILES)
"""The fields that are paths, which command lines and tables may give as relative ones."""


def chosen_footage(scene: bpy.types.Scene) -> Any | None:
    """The strip that the panel of this scene is about: the pinned one, else the active one's footage.

    None where there is neither, or the pinned one is gone.
    """
    pinned = scene.recam.pinned
    if pinned:
        return next((each for each in compat.strips_all(scene) if each.name == pinned), None)
    return sequencer.footage_of(scene, compat.active_strip(scene))


def from_settings(scene: bpy.types.Scene) -> Request:
    """What the sequencer's panel of this scene asks for: the chosen footage, and the settings.

    Raises:
        ReCamError: there is no footage, or nothing of it lies in the range.
    """
    strip = chosen_footage(scene)
    if strip is None:
        raise ReCamError(why_no_footage(scene))
    settings = scene.recam
    first, last = _range(scene, strip)
    width, height = size_of_take(scene)
    return Request(
        scene=scene.name,
        strip=strip.name,
        camera=settings.camera.name if settings.camera else "",
        source_camera=settings.source_camera.name if settings.source_camera else "",
        camera_scene=settings.camera_scene.name if settings.camera_scene else "",
        camera_frame=settings.camera_frame if settings.use_camera_frame else None,
        lens=settings.lens if settings.use_lens else 0.0,
        subject_distance=settings.subject_distance,
        engine=settings.engine,
        seed=settings.seed,
        format=settings.format,
        first=first,
        last=last,
        handles=settings.handles,
        width=width,
        height=height,
        source_from=settings.source_from,
        relative=settings.relative and settings.use in ("move", "freeze"),
        **_known(settings),
        **_use(settings),
        **_for_engine(settings),
    )


def count_seed(scene: bpy.types.Scene) -> None:
    """After a take was asked for: where the seed is not locked, the next one gets the next seed.

    Then and not when it is made, so that a queue of several has as many seeds.
    """
    settings = scene.recam
    if not settings.lock_seed and settings.engine in GENERATES:
        settings.seed = (settings.seed + 1) % (_LARGEST_PANEL_SEED + 1)


def why_no_footage(scene: bpy.types.Scene) -> str:
    """What to do where :func:`chosen_footage` finds none."""
    if scene.recam.pinned:
        template = later(
            "The pinned strip {name!r} is not in the sequencer of scene {scene!r}: unpin it, or pin another."
        )
        return tr(template).format(name=scene.recam.pinned, scene=scene.name)
    return tr("Select the strip to re-shoot in the sequencer.")


def size_of_take(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height that the settings ask for, pixels; 0, 0 for the footage's."""
    settings, render = scene.recam, scene.render
    if settings.size == "scene":
        share = render.resolution_percentage / 100
        return max(1, int(render.resolution_x * share)), max(1, int(render.resolution_y * share))
    return (settings.width, settings.height) if settings.size == "custom" else (0, 0)


def _range(scene: bpy.types.Scene, strip: Any) -> tuple[int | None, int | None]:
    if scene.recam.range != "preview":
        return None, None
    start, stop = compat.span(strip)
    if not scene.use_preview_range:
        raise ReCamError(
            tr(
                "Scene {scene!r} has no preview range: set one in the timeline (P), or re-shoot the whole strip."
            ).format(scene=scene.name)
        )
    first, last = max(start, scene.frame_preview_start), min(stop - 1, scene.frame_preview_end)
    if first > last:
        raise ReCamError(
            tr("Nothing of strip {strip!r} lies in the preview range, frames {first} to {last}.").format(
                strip=strip.name, first=scene.frame_preview_start, last=scene.frame_preview_end
            )
        )
    return first, last


def _known(settings: Any) -> dict[str, Any]:
    """The point whose distance is known, where the camera is solved from the footage."""
    if not settings.use_known or settings.source_camera is not None or settings.source_from != "footage":
        return {}
    return {name: getattr(settings, name) for name in ("known_frame", "known_x", "known_y", "known_distance")}


def _use(settings: Any) -> dict[str, Any]:
    """What the panel shows for what the take is for: what it hides counts for nothing."""
    use = settings.use
    shown = {"use": use} | {name: getattr(settings, name) for name in shown_for(use)}
    if use in contract.WAYS:
        shown["use_by"] = getattr(settings, f"use_{use}_by")
    return shown


def shown_for(use: str) -> tuple[str, ...]:
    """The settings that a use asks for, as the panel's and Request's fields are called; but for ``use_by``."""
    return _OF_USE.get(use, ())


_OF_USE = {
    "stabilise": ("use_strength",),
    "lock": ("use_at",),
    # Sizes first: the place is kept within what they leave.
    "closer": ("use_hold", "use_region_width", "use_region_height", "use_region_x", "use_region_y"),
    "outpaint": ("use_factor", "use_keep"),
    "freeze": ("use_at", "use_hold", "use_ease"),
}


def _prompt(settings: Any) -> str:
    """The prompt, as one line: a text's line breaks are there for whoever reads it."""
    return " ".join(settings.prompt_text.as_string().split()) if settings.prompt_text else settings.prompt


def _for_engine(settings: Any) -> dict[str, Any]:
    """What the panel shows for the chosen engine: what it hides counts for nothing."""
    depth = {
        "depth": settings.depth,
        "depth_path": bpy.path.abspath(settings.depth_path),
        "depth_scale": settings.depth_scale,
    }
    if settings.engine in USES_DEPTH:
        return depth | {"mask": settings.mask}
    return {
        "prompt": _prompt(settings),
        "negative_prompt": settings.negative_prompt if settings.use_negative_prompt else None,
        "quality": settings.quality,
        "steps": settings.steps if settings.use_steps else None,
        "guidance": settings.guidance if settings.use_guidance else None,
        "network_frames": settings.network_frames,
        "network_width": settings.network_width,
        "network_height": settings.network_height,
        "fit": settings.fit,
        "true_pixels": settings.true_pixels,
        "overlap": settings.overlap if settings.use_overlap else None,
        "focus_x": settings.focus_x if settings.use_focus else None,
        "focus_y": settings.focus_y if settings.use_focus else None,
        "cache": settings.cache,
        "plan": settings.plan,
        "compile": settings.compile,
        **(depth if settings.true_pixels else {}),
    }


def _choose(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ReCamError(
            tr("{name}: found {value!r}, expected one of {choices}.").format(
                name=name, value=value, choices=", ".join(choices)
            )
        )
