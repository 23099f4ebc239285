"""Words on what ReCam does with a doubt: a popup for each, opened by the question mark beside it."""

from __future__ import annotations

import functools
import os
import tomllib
from dataclasses import dataclass

import bpy

from . import drawing, runtime
from .texts import later, tr

_WIDTH = 420
"""Of the popup, pixels at a scale of 1."""
_MARGIN = 40


@dataclass(frozen=True)
class Topic:
    """What is explained.

    Attributes:
        title: a few words.
        text: paragraphs, parted by line breaks.
    """

    title: str
    text: str


TOPICS = {
    "still": Topic(
        later("The camera does not move"),
        later(
            "A take shows the footage from where the target camera is. One that stands where the footage was shot from "
            "gives the footage back.\n"
            "Keyframe the camera over the frames of the strip, choose another one that is keyframed, or add a move: a "
            "new camera with a few keys that you can edit."
        ),
    ),
    "same": Topic(
        later("Source and target are one camera"),
        later(
            "The source camera is the one that shot the footage; the target camera is the one that you want to see it "
            "with. Where they are the same, the take is the footage.\n"
            "Choose another camera, or add a move: it starts where the source camera does."
        ),
    ),
    "time": Topic(
        later("The keys lie elsewhere"),
        later(
            "The camera is read at the frames of the timeline that the strip covers. Where it lives in another scene, "
            "a scene strip beside the footage says which of its frames meets which; else both begin together.\n"
            "Move the strip or the keys so that they meet, or set Start Frame in the panel Frame Range: it says which "
            "frame of the camera's scene meets the first frame of the strip."
        ),
    ),
    "passes": Topic(
        later("The camera passes the subject"),
        later(
            "Without depth, the footage is taken for a picture that hangs at the subject distance. A camera that goes "
            "through it, or far away from it, has nothing left to show.\n"
            "Set the subject distance to how far the subject stood from the camera, in metres, or make the move "
            "shorter. A turn needs no distance."
        ),
    ),
    "view": Topic(
        later("The camera's view has another shape"),
        later(
            "The camera's view in the 3D view has the shape of its scene's renders, and a take has the shape of the "
            "footage, or what the panel Output says. Where they differ, you see more or less at the edges than the "
            "take will show.\n"
            "Match gives the scene the take's shape. Where footage and camera share a scene, strips keep their place."
        ),
    ),
    "shape": Topic(
        later("Footage and take have other shapes"),
        later(
            "The take is wider or taller than the footage, so its edges show what was not filmed, and must be "
            "invented. That may be what you want: a wide take of upright footage, for one.\n"
            "With the size of the footage nothing is added."
        ),
    ),
    "lens": Topic(
        later("The lens changes"),
        later(
            "ReCamMaster knows no lens but the footage's. A longer lens, as in a zoom in, is cut out of what the "
            "network drew: exact, but soft. What a wider lens would show is not there, so that the view is made only "
            "as wide as there is; the take's warnings say how much is missing.\n"
            "The engine Reproject follows the lens as it is. A camera that moves in place of a zoom gives more detail."
        ),
    ),
    "dof": Topic(
        later("Depth of field"),
        later(
            "The footage was shot with a depth of field of its own, and a take keeps that. The target camera's is not "
            "added: what was filmed blurred stays so, and what was filmed sharp too.\n"
            "To blur more, add it to the take afterwards, in the compositor."
        ),
    ),
    "motion_blur": Topic(
        later("Motion blur"),
        later(
            "A take keeps the motion blur that was filmed. What the target camera's own movement would blur stays "
            "sharp: each frame is made at one instant.\n"
            "To blur it, add it to the take afterwards, in the compositor."
        ),
    ),
    "region": Topic(
        later("Render settings that takes do not follow"),
        later(
            "A take shows the whole frame of the target camera with one eye. Render regions and stereo views of the "
            "scene are for its renders alone."
        ),
    ),
    "render": Topic(
        later("What renders have and takes do not"),
        later(
            "The footage was shot with a depth of field and a motion blur of its own, and a take keeps those. The "
            "target camera's are not added: what was filmed sharp stays sharp, and each frame is made at one instant. "
            "Render regions and stereo views are for the scene's renders alone: a take shows the whole frame.\n"
            "To blur more, add it to the take afterwards, in the compositor."
        ),
    ),
    "shaky": Topic(
        later("The footage moves"),
        later(
            "Without a source camera that moves as the real one did, the footage is taken as shot from a tripod. The "
            "movement that was filmed then stays in the take, on top of the new one, and depth slides with it.\n"
            "Track the camera (Movie Clip editor, Solve), and choose the solved camera as source camera. Or stabilize "
            "the footage first, and re-shoot the result."
        ),
    ),
    "first_view": Topic(
        later("The first views differ"),
        later(
            "ReCamMaster was trained with takes that begin at the footage's first view, and goes on from there. Where "
            "the target camera starts elsewhere, expect the take to start at the footage's view all the same, or to "
            "jump.\n"
            "Let the target camera start where the source camera does: a move that is added begins there."
        ),
    ),
    "length": Topic(
        later("More frames than the network draws"),
        later(
            "The network draws so many frames at once. A longer strip is drawn in windows: each goes on from the last "
            "frames of the one before, which it is given, and takes as long as a strip of its own. Look at the take "
            "where windows meet; its notes say at which frames, and how much changes there.\n"
            "With an overlap of 0 the strip is drawn at once, so many of its frames, and those between are made from "
            "them by optical flow: quick, but beyond twice its number movement gets coarse."
        ),
    ),
    "prompt": Topic(
        later("The prompt is empty"),
        later(
            "The prompt tells the network what the footage shows: who does what, where, in which light. It may be "
            "empty, but what is hidden in the footage is then guessed from the picture alone.\n"
            "The network was trained with long captions, of two or three sentences. Do not describe the camera."
        ),
    ),
    "colour": Topic(
        later("The view changes colours"),
        later(
            "Scenes show their strips through the view transform, look and exposure in Render Properties, Color "
            "Management. Footage and take look alike there, but neither looks like its file, and a render of the edit "
            "would change both.\n"
            "Standard shows files as they are. It counts for this scene's 3D renders too: where these need AgX or "
            "Filmic, edit in a scene of its own."
        ),
    ),
    "rate": Topic(
        later("Rates differ"),
        later(
            "Footage of another rate than the scene's is played at its right speed: Blender shows some of its frames "
            "twice, or leaves some out, and so does the take, which has one frame for each of the timeline's.\n"
            "For smooth movement, set the scene's frame rate (Output Properties) to that of the footage before you add "
            "the strip."
        ),
    ),
    "use_source": Topic(
        later("The camera that shot the footage"),
        later(
            "Stabilise and Lock Off make the take's path from that of the camera that shot the footage. It is the "
            "source camera, where one is chosen: one that was tracked, or that Solve made. Else it can be found from "
            "the footage, when the take is made.\n"
            "Solve in the panel Footage Camera finds it now and makes a camera of it: you see both paths, and the "
            "forecast tells what the steady view does not have."
        ),
    ),
    "use_closer": Topic(
        later("Closer than the footage has pixels"),
        later(
            "A part that is half as wide as the footage, in a take as wide as the footage, has each pixel drawn twice "
            "as wide. Reproject can only stretch it. ReCamMaster draws the take anew, and makes up what is finer: it "
            "is plausible, and it was not there.\n"
            "Choose a larger part, or make the take smaller in the panel Output."
        ),
    ),
    "use_keep": Topic(
        later("Kept pixel for pixel"),
        later(
            "Within a wider frame the footage is kept as it is: at its own size where the take is larger by the "
            "factor, else scaled to whole pixels. That is so until the file is written: H.264 and ProRes change each "
            "picture a little, by what cannot be seen.\n"
            "FFV1, and PNG sequences, keep what they are given."
        ),
    ),
    "true_pixels": Topic(
        later("True pixels and depth"),
        later(
            "The footage's own pixels are put where the target camera sees them, as the depth says, and the network's "
            "only elsewhere. On a flat plane that is right for what is flat, or far away, or where the camera only "
            "turns; elsewhere things would sit in the wrong place.\n"
            "Set the depth (panel Lens and Depth) to Automatic, to the scene's, or to files."
        ),
    ),
    "relative": Topic(
        later("Follow the source"),
        later(
            "The move of the camera, from its first frame on, is added to that of the camera that shot the footage: a "
            "camera that stands still films what was filmed, one that goes up a metre films it from a metre higher, "
            "all along the way.\n"
            "There must be a source camera that moves: one that was tracked, or solved from the footage."
        ),
    ),
    "cuts": Topic(
        later("Several cameras"),
        later(
            "Markers that are bound to cameras switch the scene's camera within the strip. Each camera makes a take of "
            "its own, over its own frames.\n"
            "To use one camera for all frames, choose it as Camera."
        ),
    ),
}
"""What the question marks explain, by names that doubts give."""


def website() -> str:
    """Where ReCam's manual is read, as the extension's manifest says; empty where it names none."""
    return _website(os.path.join(runtime.package_folder(), "blender_manifest.toml"))


@functools.lru_cache(maxsize=1)
def _website(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return str(tomllib.load(file).get("website", ""))
    except (OSError, tomllib.TOMLDecodeError):
        return ""


class RECAM_OT_explain(bpy.types.Operator):
    """What this means, and what can be done about it"""

    bl_idname = "recam.explain"
    bl_label = "Explain"
    bl_options = {"INTERNAL"}

    topic: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Where there is no window, in the report."""
        if self.topic not in TOPICS:
            self.report({"ERROR"}, tr("There is nothing to explain by the name {topic!r}.").format(topic=self.topic))
            return {"CANCELLED"}
        self.report({"INFO"}, tr(TOPICS[self.topic].text))
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """A popup, which is gone once the mouse leaves it."""
        if bpy.app.background or self.topic not in TOPICS:
            return self.execute(context)
        result: set[str] = context.window_manager.invoke_popup(self, width=_WIDTH)
        return result

    def draw(self, context: bpy.types.Context) -> None:
        """Title, paragraphs, and where to read more."""
        topic = TOPICS[self.topic]
        layout = self.layout
        layout.label(text=tr(topic.title), icon="QUESTION", translate=False)
        scale = context.preferences.system.ui_scale
        for each in tr(topic.text).splitlines():
            column = layout.column(align=True)
            for line in drawing.fit(each, (_WIDTH - _MARGIN) * scale, scale):
                column.label(text=line, translate=False)
        if website():
            layout.operator("wm.url_open", text="Online Manual", icon="URL").url = website()


CLASSES = (RECAM_OT_explain,)
