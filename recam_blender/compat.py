"""Everything that differs between Blender versions, and nothing else.

4.4 named sequences strips; 5.0 dropped the old names, gave the window's sequencer a scene of its own and split pictures
from videos in the output settings; 5.1 renamed a strip's handles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

# The sequencer

TURNS_MOVIES = bpy.app.version >= (4, 4, 0)
"""Whether movies are shown the way up that their file asks for, as those of phones do."""


EVERY_STRIP = "strips_all" if bpy.app.version >= (4, 4, 0) else "sequences_all"
"""What a sequence editor calls all of its strips, those inside meta strips included."""


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose edit the user looks at: the workspace's (5.0), where it has one, else the window's."""
    return getattr(context, "sequencer_scene", None) or context.scene


def sequencer_keymap(known: Any | None) -> str:
    """What Blender's default keys call those of the whole sequencer, timeline and preview: renamed after 4.2."""
    return "SequencerCommon" if known is not None and "SequencerCommon" in known.keymaps else "Video Sequence Editor"


def strips(owner: Any) -> Any:
    """The collection of strips in a sequence editor or in a meta strip."""
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def strips_all(scene: bpy.types.Scene) -> list[Any]:
    """Every strip of a scene, those inside meta strips included."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def active_strip(scene: bpy.types.Scene) -> Any | None:
    """The strip that was clicked last."""
    return scene.sequence_editor.active_strip if scene.sequence_editor else None


def span(strip: Any) -> tuple[int, int]:
    """The timeline frames that a strip covers: first, and one after the last."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle
    return strip.frame_final_start, strip.frame_final_end


def set_span(strip: Any, start: int, stop: int) -> None:
    """Trim a strip, or let it hold its first or last frame, so that it covers these timeline frames."""
    new = hasattr(strip, "left_handle")
    left, right = ("left_handle", "right_handle") if new else ("frame_final_start", "frame_final_end")
    ends = [(left, start), (right, stop)]
    # The end that grows goes first: a handle never passes the other.
    for name, value in reversed(ends) if stop > span(strip)[1] else ends:
        setattr(strip, name, value)


def content_start(strip: Any) -> float:
    """The timeline frame that meets a strip's content (what its own trim leaves), be it shown or cut."""
    frame: float = strip.content_start if hasattr(strip, "content_start") else strip.frame_start
    return frame


def set_content_start(strip: Any, frame: float) -> None:
    setattr(strip, "content_start" if hasattr(strip, "content_start") else "frame_start", frame)


def content_length(strip: Any) -> int:
    """How many frames of content there are after a strip's own trim, as played on this timeline."""
    length: int = strip.content_duration if hasattr(strip, "content_duration") else strip.frame_duration
    return length


def content_trim(strip: Any) -> tuple[int, int]:
    """Frames cut off the file itself, at its start and end; handles cannot bring them back."""
    if hasattr(strip, "content_trim_start"):
        return strip.content_trim_start, strip.content_trim_end
    return getattr(strip, "animation_offset_start", 0), getattr(strip, "animation_offset_end", 0)


def set_content_trim(strip: Any, start: int, end: int) -> None:
    new = hasattr(strip, "content_trim_start")
    names = ("content_trim_start", "content_trim_end") if new else ("animation_offset_start", "animation_offset_end")
    for name, value in zip(names, (start, end), strict=True):
        setattr(strip, name, value)


def handle_offsets(strip: Any) -> tuple[float, float]:
    """How far a strip's handles stand inside its content, in frames; sound has fractions of them. Negative: held."""
    if hasattr(strip, "left_handle_offset"):
        return strip.left_handle_offset, strip.right_handle_offset
    return strip.frame_offset_start, strip.frame_offset_end


def set_handle_offsets(strip: Any, start: float, end: float) -> None:
    new = hasattr(strip, "left_handle_offset")
    names = ("left_handle_offset", "right_handle_offset") if new else ("frame_offset_start", "frame_offset_end")
    for name, value in zip(names, (start, end), strict=True):
        setattr(strip, name, value)


def is_retimed(strip: Any) -> bool:
    return len(getattr(strip, "retiming_keys", ())) > 0


def copy_sound_offset(source: Any, target: Any) -> None:
    """How late the sound begins inside its own file; before 4.5 there is no such thing."""
    if hasattr(source, "sound_offset") and not target.is_property_readonly("sound_offset"):
        target.sound_offset = source.sound_offset


def connected(strip: Any) -> list[Any]:
    """The strips that the user tied to this one (from 5.1: a movie and its sound are born so)."""
    return list(getattr(strip, "connections", ()))


def has_white_balance(view: Any) -> bool:
    """Whether a scene's view changes the white balance, as it can from 4.3."""
    return bool(getattr(view, "use_white_balance", False))


def animated_paths(data: bpy.types.ID) -> Iterator[str]:
    """The data paths that actions, drivers and the NLA of a data-block move."""
    animation = data.animation_data
    if animation is None:
        return
    yield from (curve.data_path for curve in animation.drivers)
    actions = [animation.action, *(strip.action for track in animation.nla_tracks for strip in track.strips)]
    for action in filter(None, actions):
        yield from (curve.data_path for curve in _curves(action))


def own_action(data: bpy.types.ID) -> bpy.types.Action | None:
    """Give a copied data-block a copy of the action that it shares; None where it has none. The caller removes it."""
    animation = data.animation_data
    if animation is None or animation.action is None:
        return None
    slot = getattr(animation, "action_slot", None)
    identifier = slot.identifier if slot else None
    animation.action = action = animation.action.copy()
    if identifier is not None:
        animation.action_slot = next(each for each in action.slots if each.identifier == identifier)
    return action


def curves(data: bpy.types.ID) -> list[Any]:
    """The curves of a data-block's action that move this data-block: from 4.4, an action may move others besides."""
    animation = data.animation_data
    if animation is None or animation.action is None:
        return []
    slot = getattr(animation, "action_slot", None)
    owners = _curve_owners(animation.action)
    return [curve for each in owners if slot is None or each.slot_handle == slot.handle for curve in each.fcurves]


def drop_curves(action: bpy.types.Action, ending: str) -> None:
    """Remove the curves of an action whose data path ends so."""
    for owner in _curve_owners(action):
        for curve in [each for each in owner.fcurves if each.data_path.endswith(ending)]:
            owner.fcurves.remove(curve)


def _curves(action: bpy.types.Action) -> Iterator[Any]:
    for owner in _curve_owners(action):
        yield from owner.fcurves


def _curve_owners(action: bpy.types.Action) -> list[Any]:
    """What holds the curves: the action itself, or (4.4) a bag for each slot, strip and layer."""
    if not hasattr(action, "slots"):
        return [action]
    return [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]


# Rendering stills


def set_bmp_output(scene: bpy.types.Scene) -> None:
    """Write pictures of 8 bit RGB, through the scene's view."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "BMP"
    settings.color_mode = "RGB"
    settings.color_management = "FOLLOW_SCENE"


def literal_path(path: str) -> str:
    """A path for render output that holds no templates: from 4.5, braces in it are names to fill in."""
    return path.replace("{", "{{").replace("}", "}}") if bpy.app.version >= (4, 5, 0) else path


# Rendering depth


def set_float_output(scene: bpy.types.Scene) -> None:
    """Write one channel of full floats, untouched by any view."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "OPEN_EXR"
    settings.color_mode = "BW"
    settings.color_depth = "32"
    settings.exr_codec = "NONE"
    settings.use_preview = False
    settings.color_management = "FOLLOW_SCENE"


def composite_depth(scene: bpy.types.Scene, layers: list[str]) -> Any | None:
    """Make the nearest depth of these view layers the scene's picture.

    Returns the node group made for it (from 5.0; they are data-blocks of their own there, which the caller removes), or
    None. The scene must be a copy: before 5.0 its node tree is its own, and is emptied.
    """
    if hasattr(scene, "compositing_node_group"):
        made = tree = bpy.data.node_groups.new(scene.name, "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output, math = tree.nodes.new("NodeGroupOutput"), "ShaderNodeMath"
        scene.compositing_node_group = tree
    else:
        made, tree = None, _own_node_tree(scene)
        output, math = tree.nodes.new("CompositorNodeComposite"), "CompositorNodeMath"
    nearest = None
    for name in layers:
        # Born in another scene, the node would count as that scene's user for good (5.x).
        with bpy.context.temp_override(scene=scene):
            layer = tree.nodes.new("CompositorNodeRLayers")
        layer.scene, layer.layer = scene, name
        depth = layer.outputs["Depth"]
        if nearest is not None:
            least = tree.nodes.new(math)
            least.operation = "MINIMUM"
            tree.links.new(nearest, least.inputs[0])
            tree.links.new(depth, least.inputs[1])
            depth = least.outputs[0]
        nearest = depth
    tree.links.new(nearest, output.inputs[0])
    return made


def _own_node_tree(scene: bpy.types.Scene) -> Any:
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree


def glow(material: bpy.types.Material) -> None:
    """Make a material shine evenly, the cheapest there is to render."""
    if material.node_tree is None:
        material.use_nodes = True  # from 5.0 materials are born with nodes, and this is deprecated
    nodes = material.node_tree.nodes
    nodes.clear()
    light, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    material.node_tree.links.new(light.outputs[0], output.inputs[0])
