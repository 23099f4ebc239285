"""The settings of what a take is for, and of where its source camera comes from: part of ``Scene.recam``."""

from __future__ import annotations

import bpy

from ..backend import contract


def _keep_inside(settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """The part within the footage: its place gives way to its size. Set only where it changes, as that calls this."""
    for place, size in (("use_region_x", "use_region_width"), ("use_region_y", "use_region_height")):
        most = max(0.0, 1.0 - getattr(settings, size))
        if getattr(settings, place) > most + 1e-6:
            setattr(settings, place, most)


def _round_overlap(settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """To 0 or the nearest 4k + 1, and less than the network's frames."""
    nearest = min(max(0, (settings.overlap + 1) // 4 * 4 + 1), settings.network_frames - 4) if settings.overlap else 0
    if settings.overlap != max(0, nearest):
        settings.overlap = max(0, nearest)


class UseSettings:
    """Mixed into the scene's settings."""

    source_from: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Moves",
        description="How the camera that shot the footage moved, where no source camera is chosen",
        items=[
            ("still", "Stands Still", "It stood still, where the camera starts"),
            ("footage", "From the Footage", "It is solved from what the footage shows"),
        ],
    )
    relative: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Follow the Source",
        description="Add the camera's move, from its first frame on, to that of the camera that shot the footage",
    )
    use_known: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Known Distance",
        description="Say how far one point of the footage is away: a camera solved from footage knows no metres",
    )
    known_frame: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame", description="Timeline frame at which the point is seen", default=1
    )
    known_x: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Point X", description="Of the point, in pixels of the footage from its left edge", min=0.0, default=0.0
    )
    known_y: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Y", description="Of the point, in pixels of the footage from its top edge", min=0.0, default=0.0
    )
    known_distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Distance (m)",
        description="How far the point is from the camera then, in metres along its line of sight",
        default=contract.DEFAULT_SUBJECT_DISTANCE,
        min=0.01,
        soft_max=100.0,
        max=100_000.0,
    )
    true_pixels: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="True Pixels",
        description="Keep the footage's own pixels at full resolution where its depth is trusted, and let the network "
        "draw only the rest",
    )
    use: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Use",
        description="What the take is for",
        items=[
            ("move", "Camera Move", "See the footage with the camera that is chosen"),
            ("stabilise", "Stabilise", "The footage's own camera, without its shake"),
            ("lock", "Lock Off", "The footage's own camera, held where it stands at one frame"),
            ("closer", "Closer", "Go in on a part of the picture, and have it at full size"),
            ("outpaint", "Wider", "See more than was filmed, around the footage"),
            ("freeze", "Freeze", "Hold one instant while the camera moves, as in bullet time"),
        ],
    )
    use_strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Smoothing",
        description="In seconds: what the camera does more quickly than that is shake. 0.3 is gentle, 1 firm, 3 strong",
        default=contract.Use.strength,
        min=0.05,
        soft_max=5.0,
        max=60.0,
    )
    use_at: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="At Frame", description="The timeline frame that is held", default=1
    )
    use_hold: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Hold", description="For how many frames", default=24, min=0, soft_max=240, max=100_000
    )
    use_ease: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Ease",
        description="Frames in which the action slows down before, and speeds up after",
        default=contract.Use.ease,
        min=0,
        soft_max=48,
        max=10_000,
    )
    use_region_x: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Left",
        description="Left edge of the part, as a share of the footage's width",
        default=0.25,
        min=0.0,
        max=1.0,
        update=_keep_inside,
    )
    use_region_y: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Top",
        description="Top edge of the part, as a share of the footage's height",
        default=0.25,
        min=0.0,
        max=1.0,
        update=_keep_inside,
    )
    use_region_width: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Width",
        description="Of the part, as a share of the footage's",
        default=0.5,
        min=0.02,
        max=1.0,
        update=_keep_inside,
    )
    use_region_height: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Height",
        description="Of the part, as a share of the footage's",
        default=0.5,
        min=0.02,
        max=1.0,
        update=_keep_inside,
    )
    use_closer_by: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="By",
        description="How the camera gets closer",
        items=[
            ("dolly", "Dolly", "It moves towards the part"),
            ("zoom", "Zoom", "Its lens becomes longer"),
        ],
    )
    use_outpaint_by: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="By",
        description="How more comes into the picture",
        items=[
            ("pull", "Pull Out", "The camera moves back"),
            ("frame", "Wider Frame", "The frame becomes wider around the footage, from the first frame on"),
        ],
    )
    use_factor: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Factor",
        description="How many times as wide as the footage",
        default=contract.Use.factor,
        min=1.01,
        soft_max=3.0,
        max=10.0,
    )
    use_keep: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep the Footage",
        description="The footage itself is kept inside, pixel for pixel",
        default=contract.Use.keep,
    )
    use_overlap: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Overlap", description="Say how many frames the windows of a long strip share"
    )
    overlap: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Overlap",
        description="Frames that two windows of a strip longer than the network's frames share; 0: no windows, the "
        "strip is thinned out",
        default=17,
        min=0,
        soft_max=41,
        max=2001,
        step=4,
        update=_round_overlap,
    )
    use_focus: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Focus", description="Say where the middle of what the network must see is, where it crops the footage"
    )
    focus_x: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Focus X",
        description="From the left edge, as a share of the footage's width",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    focus_y: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Focus Y",
        description="From the top edge, as a share of the footage's height",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
