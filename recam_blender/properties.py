"""The settings kept with each scene (``Scene.recam``). What runs at the moment is not among them: see runtime.py."""

from __future__ import annotations

import bpy

from ..backend import contract
from . import take_list
from .use_properties import UseSettings


def _is_camera(_settings: bpy.types.PropertyGroup, item: bpy.types.Object) -> bool:
    return bool(item.type == "CAMERA")


def _round_frames(settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """To the nearest 4k + 1. Set only where it changes, as setting it calls this again."""
    nearest = max(1, (settings.network_frames + 1) // 4 * 4 + 1)
    if settings.network_frames != nearest:
        settings.network_frames = nearest


def _round_size(settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """To the nearest multiples of 16."""
    for name in ("network_width", "network_height"):
        nearest = (getattr(settings, name) + 8) // 16 * 16
        if getattr(settings, name) != nearest:
            setattr(settings, name, nearest)


def _chosen_take(settings: bpy.types.PropertyGroup) -> int:
    return take_list.chosen_row(settings.id_data)


def _choose_take(settings: bpy.types.PropertyGroup, row: int) -> None:
    take_list.choose_row(settings.id_data, row)


class RECAM_PG_settings(UseSettings, bpy.types.PropertyGroup):
    camera: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Camera",
        description="The camera to see the footage with; none: the scene's camera, with its cuts",
        type=bpy.types.Object,
        poll=_is_camera,
    )
    pinned: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Footage",
        description="The strip that is re-shot, whichever is active; none: the active strip",
    )
    source_camera: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Source Camera",
        description="The camera that shot the footage; none: one that stands still where the camera starts",
        type=bpy.types.Object,
        poll=_is_camera,
    )
    camera_scene: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Camera Scene",
        description="The scene the cameras move in; none: that of a scene strip over the footage, else this one",
        type=bpy.types.Scene,
    )
    use_camera_frame: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Start Frame",
        description="Say which frame of the camera scene meets the first frame of the strip",
    )
    camera_frame: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Start Frame",
        description="The frame of the camera scene that meets the first frame of the strip",
        default=1.0,
    )
    use_lens: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Footage Lens",
        description="The footage was shot with another lens than the camera's first frame has",
    )
    lens: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Focal Length",
        description="Focal length of the footage, on a sensor as large as the camera's",
        default=50.0,
        min=1.0,
        max=5000.0,
        unit="CAMERA",
    )
    subject_distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Subject Distance",
        description="How far the subject stands from the camera that shot the footage, in metres",
        default=contract.DEFAULT_SUBJECT_DISTANCE,
        min=0.01,
        soft_max=100.0,
        max=100_000.0,
    )
    engine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Engine",
        description="What makes the frames",
        items=[
            ("reproject", "Reproject", "Draws the footage's pixels from the camera; fast, needs no model"),
            ("recammaster", "ReCamMaster", "A video network draws the take anew; slow, needs its models and a GPU"),
        ],
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed",
        description="What the network starts from: the same seed gives the same take, another one another",
        min=0,
    )
    lock_seed: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Lock Seed",
        description="Keep the seed; else each take uses the next one",
        default=True,
    )
    quality: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Quality",
        description="How much work goes into the take",
        items=[
            ("draft", "Draft", "A few steps with a few-step LoRA, without guidance; not judged yet"),
            ("good", "Good", "25 steps, guided at first: two fifths of the work; not judged yet"),
            ("final", "Final", "50 steps, as published"),
        ],
        default=contract.Generation.quality,
    )
    prompt: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Prompt", description="What the footage shows, in a sentence or more"
    )
    prompt_text: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Prompt Text",
        description="A text with what the footage shows, in place of the line above: for long ones",
        type=bpy.types.Text,
    )
    use_negative_prompt: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Negative Prompt", description="Say what to keep away from, in place of the published words"
    )
    negative_prompt: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Negative Prompt", description="What to keep away from"
    )
    use_steps: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Steps", description="Take another number of steps than the quality does"
    )
    steps: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Steps", description="How many; the time grows with them", default=50, min=1, soft_max=100, max=1000
    )
    use_guidance: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Guidance", description="Follow the prompt more or less strongly than the quality does"
    )
    guidance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Guidance", description="How strongly the prompt pulls", default=5.0, min=0.0, soft_max=15.0, max=100.0
    )
    network_frames: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Network Frames",
        description="How many frames the network makes of the strip, whatever its length; the weights know 81",
        default=contract.Generation.frames,
        min=1,
        soft_max=161,
        max=2001,
        step=4,
        update=_round_frames,
    )
    network_width: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Network Width",
        description="Pixels that the network draws across, a multiple of 16; the weights know 832",
        default=contract.Generation.width,
        min=16,
        max=4096,
        step=16,
        update=_round_size,
    )
    network_height: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Network Height",
        description="Pixels that the network draws down, a multiple of 16; the weights know 480",
        default=contract.Generation.height,
        min=16,
        max=4096,
        step=16,
        update=_round_size,
    )
    fit: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Fit",
        description="What to do with footage of another shape than the network's frame",
        items=[
            ("auto", "Automatic", "Crop, but pad where a crop would lose much of what the take shows", 2),
            ("crop", "Crop", "Fill the frame, and leave out what juts over", 0),
            ("pad", "Pad", "Show all of it, and fill the rest with its mirror image", 1),
        ],
        default=contract.Generation.fit,
    )
    cache: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Cache",
        description="Leave out work that changes little from step to step; not judged yet",
        items=[
            ("none", "None", "Do all the work"),
            ("first-block", "First Block", "Go by how little the first block's answer changes"),
            ("sea", "Sea", "Go by how little the input changes, as SeaCache does"),
        ],
        default=contract.Generation.cache,
    )
    plan: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Memory",
        description="How the device's memory is used",
        items=[
            ("auto", "Automatic", "By what is free on the device"),
            ("resident", "Resident", "All stays on the device: the fastest, and the most memory"),
            ("tiled", "Tiled", "The network stays on the device, and pictures are encoded and decoded in tiles"),
            ("streamed", "Streamed", "The network's blocks come one after another; pictures in tiles"),
            ("fp8", "FP8", "The network's weights are kept in 8 bits; pictures in tiles"),
        ],
        default=contract.Generation.plan,
    )
    compile: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Compile",
        description="Compile the network for this device: minutes once, and then every step is faster",
        default=contract.Generation.compile,
    )
    depth: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Depth",
        description="How far the footage's pixels are",
        items=[
            (
                "auto",
                "Automatic",
                "The scene's depth where a source camera is set by hand, else the best that the footage tells",
            ),
            ("plane", "Flat Plane", "Everything at the subject distance; turns of the camera are exact"),
            ("scene", "Scene", "The depth of the objects in the scene, seen by the source camera"),
            ("file", "Files", "Depth passes: EXR, 16-bit PNG"),
            ("motion", "Motion", "From how things shift as the camera that shot the footage moves"),
            ("model", "Model", "By a depth model, which must be installed"),
            ("relief", "Relief", "Guessed from what a still picture tells: the ground, the sky, what hides what"),
        ],
        default="auto",
    )
    depth_path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Depth Files", description="A depth file, or a folder with one per frame", subtype="FILE_PATH"
    )
    depth_scale: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Depth Scale",
        description="Metres per unit of the depth files; for 16-bit PNG, metres at white",
        default=1.0,
        min=1e-6,
    )
    format: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="How the take is stored",
        items=[
            ("h264", "H.264", "Small; the loss cannot be seen"),
            ("prores4444", "ProRes 4444", "For further work; keeps transparency"),
            ("ffv1", "FFV1", "Without any loss"),
            ("png", "PNG Sequence", "A folder of pictures, without any loss"),
            ("exr", "EXR Sequence", "A folder of half-float pictures, display-referred"),
        ],
        default="h264",
    )
    mask: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Store Mask", description="Also store which pixels were invented, as white"
    )
    range: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Range",
        description="Which frames are re-shot",
        items=[
            ("strip", "Strip", "All that the strip shows"),
            ("preview", "Preview Range", "What of the strip lies in the preview range of the timeline"),
        ],
        default="strip",
    )
    handles: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Handles",
        description="More frames at each end, hidden under the ends of the take's strip, as far as there is footage",
        min=0,
        soft_max=48,
        max=10_000,
    )
    size: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Size",
        description="How large the take is",
        items=[
            ("footage", "Footage", "As large as the footage"),
            ("scene", "Scene", "As large as the scene's renders"),
            ("custom", "Custom", "Of a size of its own"),
        ],
        default="footage",
    )
    width: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Width",
        description="Of the take",
        default=1920,
        min=1,
        max=contract.LARGEST_SIDE,
        subtype="PIXEL",
    )
    height: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Height",
        description="Of the take",
        default=1080,
        min=1,
        max=contract.LARGEST_SIDE,
        subtype="PIXEL",
    )
    show_path: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Path", description="Draw the ways of target and source camera in the 3D view", default=True
    )
    show_frusta: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Frusta", description="Draw what the cameras see at some of the frames", default=True
    )
    show_numbers: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Frame Numbers", description="Write the frames beside the path", default=True
    )
    frustum_step: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frustum Step", description="Frames from one frustum to the next; 0: as they have room", min=0, max=10_000
    )
    frustum_size: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Frustum Size",
        description="Length of a frustum; 0: as it suits the path",
        min=0.0,
        soft_max=10.0,
        subtype="DISTANCE",
    )
    keep_forecast: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Update Forecast",
        description="Work the forecast out anew when the camera has changed, where that takes a moment: not for "
        "the depth of the scene, which must be rendered",
        default=True,
    )
    take_index: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Take",
        description="The take that is chosen: its strip is the active one",
        get=_chosen_take,
        set=_choose_take,
        options={"HIDDEN"},
    )


CLASSES = (RECAM_PG_settings,)
