"""The settings kept with each scene (``Scene.recam``). What runs at the moment is not among them: see runtime.py."""

from __future__ import annotations

import bpy

from ..backend import contract


def _is_camera(_settings: bpy.types.PropertyGroup, item: bpy.types.Object) -> bool:
    return bool(item.type == "CAMERA")


class RECAM_PG_settings(bpy.types.PropertyGroup):
    camera: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Camera",
        description="The camera to see the footage with; none: the scene's camera, with its cuts",
        type=bpy.types.Object,
        poll=_is_camera,
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
        name="Set Start Frame",
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
        items=[("reproject", "Reproject", "Draws the footage's pixels from the camera; fast, needs no model")],
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed", description="For engines that draw random numbers", min=0
    )
    depth: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Depth",
        description="How far the footage's pixels are",
        items=[
            ("auto", "Automatic", "The scene's depth where a source camera is set, else a flat plane"),
            ("plane", "Flat Plane", "Everything at the subject distance; turns of the camera are exact"),
            ("scene", "Scene", "The depth of the objects in the scene, seen by the source camera"),
            ("file", "Files", "Depth passes: EXR, 16-bit PNG"),
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


CLASSES = (RECAM_PG_settings,)
