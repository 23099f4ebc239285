"""Add Camera Move: thin over :func:`build.add`, which scripts call."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .. import compat
from ..errors import ReCamError
from ..texts import tr
from . import build, where
from .catalogue import AMOUNTS, ARM, DISTANCE, EASINGS, FRAMES, LOOKS_AHEAD, MOVES

_KINDS = [(kind, move.name, move.description) for kind, move in MOVES.items()]
_EASINGS = [(name, *words) for name, words in EASINGS.items()]
_PIVOTS = [
    ("object", "Active Object", "Around the origin of the active object"),
    ("cursor", "3D Cursor", "Around the 3D cursor"),
    ("ahead", "Point Ahead", "Around a point straight ahead of the camera, where it starts"),
]
_STARTS = [
    ("camera", "Camera", "As the source camera stands at the first frame, else the scene's camera, else as the view"),
    ("view", "Current View", "As the 3D view looks at the scene; the lens is the camera's"),
]


class RECAM_OT_add_move(bpy.types.Operator):
    """Add a new camera that is keyframed already, from where the footage's first view is"""

    bl_idname = "recam.add_move"
    bl_label = "Add Camera Move"
    bl_options = {"REGISTER", "UNDO"}

    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Move", description="What the camera does", items=_KINDS, default="zoom_in"
    )
    # An amount of its own for each family: going through the moves, each is as published unless it was changed.
    pan: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Angle",
        description="How far the camera turns; the last frame has 80/80.5 of it, as published",
        default=math.radians(AMOUNTS["pan"].default),
        min=0.0,
        soft_max=math.pi,
        max=math.radians(3600),
        subtype="ANGLE",
    )
    tilt: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Angle",
        description="How far the camera turns; the last frame has 80/80.5 of it, as published",
        default=math.radians(AMOUNTS["tilt"].default),
        min=0.0,
        soft_max=math.pi / 2,
        max=math.radians(3600),
        subtype="ANGLE",
    )
    dolly: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Travel",
        description="How far the camera drives, in metres; the last frame has 80/80.5 of it, as published",
        default=AMOUNTS["dolly"].default,
        min=0.0,
        soft_max=20.0,
        max=10_000.0,
        step=10,
    )
    pedestal: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Travel",
        description="How far the camera rises or sinks, in metres; the last frame has 80/80.5 of it, as published",
        default=AMOUNTS["pedestal"].default,
        min=0.0,
        soft_max=20.0,
        max=10_000.0,
        step=10,
    )
    arc: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Angle",
        description="Of the arc whose ends the camera drives between; the last frame has 80/80.5 of it, as published",
        default=math.radians(AMOUNTS["arc"].default),
        min=0.0,
        max=math.radians(85),
        subtype="ANGLE",
    )
    orbit: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Angle",
        description="How far the camera goes round",
        default=math.radians(AMOUNTS["orbit"].default),
        min=0.0,
        soft_max=math.tau,
        max=math.radians(3600),
        subtype="ANGLE",
    )
    dolly_zoom: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Travel",
        description="How far the camera drives, in metres",
        default=AMOUNTS["dolly_zoom"].default,
        min=0.0,
        soft_max=20.0,
        max=10_000.0,
        step=10,
    )
    crane: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Angle",
        description="How far the arm swings",
        default=math.radians(AMOUNTS["crane"].default),
        min=0.0,
        max=math.radians(90),
        subtype="ANGLE",
    )
    handheld: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="How much the camera sways: 1 is a calm hand",
        default=AMOUNTS["handheld"].default,
        min=0.0,
        soft_max=5.0,
        max=100.0,
        step=10,
    )
    distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Distance",
        description="How far off the point is that the camera looks at, in metres; 4 as published",
        default=DISTANCE,
        min=0.01,
        soft_max=20.0,
        max=10_000.0,
        step=10,
    )
    subject: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Distance",
        description="How far off the point is that the camera keeps in view, in metres; unless given, as far as the "
        "footage's subject",
        default=DISTANCE,
        min=0.01,
        soft_max=20.0,
        max=10_000.0,
        step=10,
        options={"SKIP_SAVE"},
    )
    arm: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Arm",
        description="How long the crane's arm is, in metres",
        default=ARM,
        min=0.01,
        soft_max=20.0,
        max=10_000.0,
        step=10,
    )
    seed: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Seed", description="Another one sways otherwise", min=0
    )
    pivot: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Around", description="What the camera circles", items=_PIVOTS, options={"SKIP_SAVE"}
    )
    easing: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Easing", description="How the camera sets off and stops", items=_EASINGS, default="constant"
    )
    frame: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Start Frame",
        description="The first frame; unless given, where the footage begins, else the current frame",
        min=-1_000_000.0,
        max=1_000_000.0,
        step=100,
        precision=1,
        options={"SKIP_SAVE"},
    )
    duration: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Duration",
        description="How many frames; unless given, as many as the footage has, else 81 as published",
        default=FRAMES,
        min=2,
        soft_max=1000,
        max=1_000_000,
        options={"SKIP_SAVE"},
    )
    start_at: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Start At", description="From where the move starts", items=_STARTS, options={"SKIP_SAVE"}
    )
    use: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Re-shoot with It", description="Let the new camera be the one that footage is re-shot with", default=True
    )
    # What the user looked from at first: changes in the redo panel must not follow the view.
    view: bpy.props.FloatVectorProperty(  # type: ignore[valid-type]
        size=16, options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Say why not, where the entry is grey."""
        scene, _ = where.scenes(context)
        if scene is None:
            cls.poll_message_set("There is no scene that a camera could be added to")
            return False
        try:
            build.check_scene(scene)
        except ReCamError as error:
            cls.poll_message_set(str(error).rstrip("."))
            return False
        active = _layer(context, scene).objects.active
        # The others keep an undo of their own, which knows nothing of new objects.
        if active is not None and active.mode not in ("OBJECT", "POSE"):
            cls.poll_message_set("Go back to Object Mode first: cameras are added there")
            return False
        return True

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """In the menu each entry says what its own move does."""
        return tr(MOVES[properties.kind].description) if properties.is_property_set("kind") else ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the camera, and select what can be edited of it."""
        scene, edit = where.scenes(context)
        if scene is None:
            return {"CANCELLED"}
        try:
            camera = self._add(context, scene, edit)
        except ReCamError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if scene.camera is None:
            scene.camera = camera
        if self.use and edit is not None and edit.is_editable:
            where.use(camera, scene, edit)
        _show(context, camera)
        _select(_layer(context, scene), camera)
        last = self.frame + self.duration - 1
        text = tr("Added '{camera}' to scene '{scene}', frames {first:g} to {last:g}")
        self.report({"INFO"}, text.format(camera=camera.name, scene=scene.name, first=self.frame, last=last))
        return {"FINISHED"}

    def draw(self, _context: bpy.types.Context) -> None:
        """What the chosen move heeds, and nothing else."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        family = MOVES[self.kind].family
        layout.prop(self, "kind")
        column = layout.column()
        if family in AMOUNTS:
            metres = AMOUNTS[family].unit == "metres"
            column.prop(self, family, **({"text": "Travel (m)"} if metres else {}))
        if family == "orbit":
            column.prop(self, "pivot")
        if family in LOOKS_AHEAD or (family == "orbit" and self.pivot == "ahead"):
            column.prop(self, _distance(self.kind), text="Distance (m)")
        if family == "crane":
            column.prop(self, "arm", text="Arm (m)")
        if family == "handheld":
            column.prop(self, "seed")
        column = layout.column()
        if family not in ("static", "handheld"):
            column.prop(self, "easing")
        column.prop(self, "frame")
        if family != "static":
            column.prop(self, "duration")
        column = layout.column()
        if any(self.view):
            column.prop(self, "start_at")
        column.prop(self, "use")

    def _add(
        self, context: bpy.types.Context, scene: bpy.types.Scene, edit: bpy.types.Scene | None
    ) -> bpy.types.Object:
        build.check_scene(scene)
        self._fill_in(context, scene, edit)
        move = MOVES[self.kind]
        start = where.start(scene, edit, self.frame, view=self._view(), prefer_view=self.start_at == "view")
        return build.add(
            scene,
            self.kind,
            start=self.frame,
            frames=self.duration,
            amount=self._amount(move.family),
            easing=self.easing,
            at=start.at,
            like=start.like,
            lens=start.lens,
            distance=getattr(self, _distance(self.kind)),
            pivot=self._pivot(context, scene),
            arm=self.arm,
            seed=self.seed,
            name=bpy.app.translations.pgettext_data(move.name),
            collection=_collection(context, scene),
        )

    def _fill_in(self, context: bpy.types.Context, scene: bpy.types.Scene, edit: bpy.types.Scene | None) -> None:
        """What nobody gave. It is kept, so that the redo panel shows it and does not change it by itself."""
        given = self.properties.is_property_set
        frame, duration = where.span(scene, edit)
        if not given("frame"):
            self.frame = frame
        if not given("duration"):
            self.duration = duration
        if not given("subject") and edit is not None:
            self.subject = edit.recam.subject_distance
        if not given("pivot"):
            in_view = where.view_of(context, scene) is not None
            subject = where.subject(context, scene)
            self.pivot = "object" if subject is not None else "cursor" if in_view else "ahead"
        if not given("view"):
            view = where.view_of(context, scene)
            self.view = [each for row in view for each in row] if view is not None else [0.0] * 16

    def _view(self) -> Matrix | None:
        return Matrix([self.view[row : row + 4] for row in range(0, 16, 4)]) if any(self.view) else None

    def _amount(self, family: str) -> float | None:
        if family not in AMOUNTS:
            return None
        value: float = getattr(self, family)
        return math.degrees(value) if AMOUNTS[family].unit == "degrees" else value

    def _pivot(self, context: bpy.types.Context, scene: bpy.types.Scene) -> Vector | None:
        if self.pivot == "object":
            subject = where.subject(context, scene)
            if subject is None and MOVES[self.kind].family == "orbit":
                raise ReCamError(tr("There is no active object to circle: select one, or choose another pivot."))
            return subject.matrix_world.translation.copy() if subject is not None else None
        return scene.cursor.location.copy() if self.pivot == "cursor" else None


def _distance(kind: str) -> str:
    """The property that counts: a published move looks at what is published, whatever the footage's subject."""
    return "distance" if MOVES[kind].published else "subject"


def _collection(context: bpy.types.Context, scene: bpy.types.Scene) -> bpy.types.Collection:
    """The active collection, as for all that Blender adds; the scene's own where nothing would be seen of it there."""
    if context.scene != scene:
        return scene.collection
    active = context.view_layer.active_layer_collection
    usable = active.collection.is_editable and active.is_visible
    return active.collection if usable else scene.collection


def _layer(context: bpy.types.Context, scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    return context.view_layer if context.scene == scene else scene.view_layers[0]


def _show(context: bpy.types.Context, camera: bpy.types.Object) -> None:
    """In a view of a few objects alone, as all that Blender adds."""
    space = context.space_data
    if space is None or space.type != "VIEW_3D" or space.local_view is None:
        return
    root = camera
    while root.parent is not None:
        root = root.parent
    for each in (root, *root.children_recursive):
        each.local_view_set(space, True)


def _select(layer: bpy.types.ViewLayer, camera: bpy.types.Object) -> None:
    """Select the camera and what carries its keys, for the timeline shows those of what is selected.

    Not while somebody is being posed: the armature stays the active one.
    """
    active = layer.objects.active
    if camera.name not in layer.objects or (active is not None and active.mode != "OBJECT"):
        return
    for each in list(layer.objects.selected):
        each.select_set(False, view_layer=layer)
    for each in (camera, camera.parent):
        if each is camera or (each is not None and compat.curves(each)):
            each.select_set(True, view_layer=layer)
    layer.objects.active = camera


CLASSES = (RECAM_OT_add_move,)
