"""File > Import and Export > Camera Trajectory, and files dropped on a 3D view: thin over trajectory_files.py."""

from __future__ import annotations

import os
from typing import Any

import bpy

from ..backend.cameras import formats
from ..backend.contract import ContractError
from . import trajectory_files
from .errors import ReCamError
from .texts import later, tr
from .trajectory_files import AUTOMATIC, CAMERA, CURSOR, WORLD, Wanted

_DROPPED = ".json;.txt;.tum"
_SHOWN = "*.json;*.txt;*.tum;*.csv;*.bin"

_UPS = [
    (AUTOMATIC, "Automatic", "As most of the file's cameras are held; what was taken is told"),
    ("+Z", "Z Up", "As in Blender, nerfstudio and Unreal"),
    ("-Z", "-Z Up", "Z of the file points down"),
    ("+Y", "Y Up", "As in Maya and OpenGL"),
    ("-Y", "-Y Up", "Y of the file points down, as in COLMAP, RealEstate10K and many SLAM programs"),
    ("+X", "X Up", "X of the file points up"),
    ("-X", "-X Up", "X of the file points down"),
]
_PLACES = [
    (WORLD, "As in the File", "The file's world is the scene's"),
    (CURSOR, "3D Cursor", "The first camera starts at the 3D cursor, and looks where it looks in the file"),
    (CAMERA, "Active Camera", "The first camera starts where the scene's camera stands, and looks where that looks"),
]
_KINDS = [
    ("recam", "ReCam", "ReCam's own: place, lens and picture size of every frame, in metres"),
    ("published", "ReCamMaster", "The camera_extrinsics.json of ReCamMaster's data: several cameras, no lens"),
    ("re10k", "RealEstate10K / CameraCtrl", "Text for CameraCtrl and other video models: lens and time"),
    ("tum", "TUM", "Text of SLAM programs: place and time, no lens"),
    ("colmap", "COLMAP (Text)", "A folder with cameras.txt, images.txt and points3D.txt"),
    ("colmap-bin", "COLMAP (Binary)", "A folder with cameras.bin, images.bin and points3D.bin"),
    ("nerfstudio", "nerfstudio / instant-ngp", "A transforms.json: place and lens of every frame"),
]


class RECAM_OT_import_trajectory(bpy.types.Operator):
    """Make a camera that is keyframed as one in a file: ReCam, ReCamMaster, RealEstate10K, CameraCtrl, TUM, COLMAP, nerfstudio or instant-ngp"""  # noqa: E501 - one line, as Blender shows it

    bl_idname = "recam.import_trajectory"
    bl_label = "Import Trajectory"
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    # Not kept for the next time: Blender would take it for one that was dropped.
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="The file; for COLMAP any of its files",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE", "SKIP_PRESET"},
    )
    filter_glob: bpy.props.StringProperty(default=_SHOWN, options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    every: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="All Cameras", description="Make a camera of each one in the file", default=False
    )
    camera: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Camera",
        description="Which one, where the file has several; leave empty for the first",
        search=lambda self, context, _typed: _names(self, context),
        options={"SKIP_SAVE"},
    )
    scale: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Metres per Unit",
        description="How long one unit of the file is. Solved cameras have no scale: measure something and set it here",
        default=1.0,
        min=1e-6,
        soft_min=0.001,
        soft_max=1000.0,
        max=1e6,
        precision=4,
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up", description="Which axis of the file's world is up", items=_UPS, default=AUTOMATIC
    )
    place: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Place", description="Where the cameras go", items=_PLACES, default=WORLD
    )
    frame: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Start Frame", description="The frame of the first key", default=1, options={"SKIP_SAVE"}
    )
    by_time: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Use Times",
        description="Play at the speed that the file's times say, at the scene's rate; else one pose for each frame",
        default=True,
    )
    lens: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Focal Length",
        description="Millimetres on a sensor 36 mm wide; used where the file has no lens",
        default=50.0,
        min=1.0,
        max=5000.0,
        soft_max=300.0,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for a file, or, where one was dropped, for the settings."""
        if not self.properties.is_property_set("frame"):
            self.frame = context.scene.frame_start
        if self.properties.is_property_set("filepath"):
            found: set[str] = context.window_manager.invoke_props_dialog(
                self, title=os.path.basename(self.filepath), confirm_text="Import", width=360
            )
            return found
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, _context: bpy.types.Context) -> None:
        """What is asked beside the file."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(self, "every")
        row = column.row()
        row.active = not self.every
        row.prop(self, "camera")
        column = layout.column()
        column.prop(self, "place")
        row = column.row()
        row.active = self.place != CAMERA
        row.prop(self, "up")
        column.prop(self, "scale")
        column = layout.column()
        column.prop(self, "frame")
        column.prop(self, "by_time")
        layout.prop(self, "lens")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make them, select them, and tell what the file does not say."""
        wanted = Wanted(
            camera=self.camera,
            every=self.every,
            scale=self.scale,
            frame=self.frame,
            by_time=self.by_time,
            up=self.up,
            place=self.place,
            lens=self.lens,
        )
        try:
            cameras, told = trajectory_files.import_cameras(context.scene, self.filepath, wanted, _collection(context))
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        _select(context, cameras)
        self.report({"INFO"}, " ".join([trajectory_files.summary(cameras, self.filepath), *told]))
        return {"FINISHED"}


class RECAM_OT_export_trajectory(bpy.types.Operator):
    """Write the scene's camera, as it is at each frame, to a file: ReCam, ReCamMaster, RealEstate10K, CameraCtrl, TUM, COLMAP, nerfstudio or instant-ngp"""  # noqa: E501 - one line, as Blender shows it

    bl_idname = "recam.export_trajectory"
    bl_label = "Export Trajectory"
    bl_options = {"PRESET"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="The file; for COLMAP the folder",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_PRESET"},
    )
    # Blender's file dialog asks by itself before it takes the name of a file that exists.
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default=_SHOWN, options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format", description="Which format the file is in", items=_KINDS, default="recam"
    )
    selected: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Selected Cameras",
        description="Write the selected cameras in place of the scene's own; ReCamMaster's format alone takes several",
        default=False,
    )
    first: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame Start", description="The first frame", default=1, options={"SKIP_SAVE"}
    )
    last: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="End", description="The last frame", default=250, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the entry is grey."""
        if context.scene.camera is not None or any(each.type == "CAMERA" for each in context.scene.objects):
            return True
        cls.poll_message_set("There is no camera in the scene")
        return False

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for a file; the frames are the scene's, or those of its preview range."""
        self._asked = True
        self._set_frames(context)
        if not self.filepath:
            blend = os.path.splitext(context.blend_data.filepath)[0]
            self.filepath = (blend or tr("untitled")) + _suffix(self.kind)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: bpy.types.Context) -> bool:
        """Let the name end as its format's do."""
        folder, name = os.path.split(self.filepath)
        if not name:
            return False
        stem, suffix = os.path.splitext(name)
        known = {suffix for kind in formats.KINDS.values() for suffix in kind.suffixes}
        allowed = formats.KINDS[self.kind].suffixes
        if suffix.lower() in allowed or not (allowed or suffix.lower() in known):
            return False
        wanted = os.path.join(folder, (stem if suffix.lower() in known else name) + _suffix(self.kind))
        changed = wanted != self.filepath
        self.filepath = wanted
        return changed

    def draw(self, _context: bpy.types.Context) -> None:
        """What is asked beside the file."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "kind")
        layout.prop(self, "selected")
        column = layout.column(align=True)
        column.prop(self, "first")
        column.prop(self, "last")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write it, and tell what it does not hold."""
        self._set_frames(context)
        cameras = [each for each in context.selected_objects if each.type == "CAMERA"] if self.selected else []
        if self.selected and not cameras:
            self.report({"ERROR"}, tr("No camera is selected: select one, or write the scene's own."))
            return {"CANCELLED"}
        # Only who came through the dialog was asked.
        force = getattr(self, "_asked", False) and self.check_existing
        try:
            where, lost = trajectory_files.export_cameras(
                context.scene,
                self.filepath,
                self.kind,
                cameras=cameras,
                first=self.first,
                last=self.last,
                force=force,
            )
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        count = self.last - self.first + 1
        written = tr("Wrote {count} frames to {file}.").format(count=count, file=repr(os.path.basename(where)))
        self.report({"INFO"}, " ".join([written, *lost]))
        return {"FINISHED"}

    def _set_frames(self, context: bpy.types.Context) -> None:
        scene = context.scene
        preview = scene.use_preview_range
        if not self.properties.is_property_set("first"):
            self.first = scene.frame_preview_start if preview else scene.frame_start
        if not self.properties.is_property_set("last"):
            self.last = scene.frame_preview_end if preview else scene.frame_end


class RECAM_FH_trajectory(bpy.types.FileHandler):
    bl_idname = "RECAM_FH_trajectory"
    bl_label = "Camera Trajectory"
    bl_import_operator = RECAM_OT_import_trajectory.bl_idname
    # Those that nothing else in a 3D view takes; COLMAP's .bin is a name that anything may have.
    bl_file_extensions = _DROPPED

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Onto 3D views alone."""
        return context.area is not None and context.area.type == "VIEW_3D"


def _suffix(kind: str) -> str:
    return next(iter(formats.KINDS[kind].suffixes), "")


def _names(operator: Any, context: bpy.types.Context) -> list[str]:
    """The cameras of the file that is chosen at the moment, where it can be read."""
    path = operator.filepath
    space = context.space_data
    if space is not None and space.type == "FILE_BROWSER" and space.params is not None:
        path = os.path.join(os.fsdecode(space.params.directory), space.params.filename)
    try:
        return list(formats.cameras(bpy.path.abspath(path)))
    except ContractError:
        return []


def _collection(context: bpy.types.Context) -> bpy.types.Collection:
    """The active collection, as for all that Blender adds; the scene's own where nothing would be seen of it there."""
    active = context.view_layer.active_layer_collection
    usable = active.collection.is_editable and active.is_visible
    return active.collection if usable else context.scene.collection


def _select(context: bpy.types.Context, cameras: list[bpy.types.Object]) -> None:
    """These alone, as after all that Blender adds; the scene's camera becomes the first of them where it has none."""
    # As Blender's own importers do: what is edited would stay so once another object is the active one.
    if context.mode != "OBJECT" and bpy.ops.object.mode_set.poll():
        bpy.ops.object.mode_set(mode="OBJECT")
    layer = context.view_layer
    layer.update()  # before that it does not know of new ones
    for each in layer.objects:
        each.select_set(False, view_layer=layer)
    for each in cameras:
        if each.name in layer.objects:
            each.select_set(True, view_layer=layer)
    if cameras[0].name in layer.objects:
        layer.objects.active = cameras[0]
    if context.scene.camera is None:
        context.scene.camera = cameras[0]


_LABEL = later("Camera Trajectory (.json, .txt, COLMAP)")


def _draw_import(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator(RECAM_OT_import_trajectory.bl_idname, text=_LABEL)


def _draw_export(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator(RECAM_OT_export_trajectory.bl_idname, text=_LABEL)


_ENTRIES = (("TOPBAR_MT_file_import", _draw_import), ("TOPBAR_MT_file_export", _draw_export))

CLASSES = (RECAM_OT_import_trajectory, RECAM_OT_export_trajectory, RECAM_FH_trajectory)


def register() -> None:
    """Add the entries."""
    for name, draw in _ENTRIES:
        getattr(bpy.types, name).append(draw)


def unregister() -> None:
    """Take them back."""
    for name, draw in _ENTRIES:
        getattr(bpy.types, name).remove(draw)
