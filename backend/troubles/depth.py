"""Of depth."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Depth",
    text=(
        "Reproject needs to know how far away things are: a plane at the subject's distance, the scene's own "
        "depth, or depth files."
    ),
    entries=(
        Entry(
            title="Depth files that cannot be used",
            text=(
                "Depth is in metres along the view, one file per frame of the strip, as large as the footage: "
                "OpenEXR with a channel Z, 16-bit gray PNG with a scale, or npy in float32."
            ),
            messages=(
                "… is no depth that can be read: give OpenEXR, 16-bit PNG or npy files.",
                "… holds no depth, only the channels …: save one named Z.",
                "… does not hold one array of floating-point metres: save depth as float32.",
                "… is no PNG that can be read: is it damaged or cut off?",
                "… has 8 bits, too few for depth: save it with 16 bits.",
                "the depth in … is …, but the footage is …x…: render depth at the size of the footage.",
                "the depth in … holds values that are not a number: render it again.",
                (
                    "the depth in … goes down to …, behind the camera: give distances along the view in positive "
                    "numbers."
                ),
                "the depth in … is 0 everywhere: was the right pass saved?",
                "… cannot be read as npy (…): is it damaged or cut off?",
                "… is a coloured picture: save depth as gray.",
                "Depth from files was chosen, but no file or folder is given.",
                "There is no depth at ….",
                "The depth's scale is …; it must be more than 0.",
            ),
        ),
        Entry(
            title="The scene's depth cannot be rendered",
            text=(
                "Where Depth is Scene, Blender renders the depth from the source camera, with Workbench where that "
                "can be, else with Cycles."
            ),
            messages=(
                "Scene '…' went away while its depth was rendered.",
                "The camera has … poses for … frames.",
                "… is …; it can be ….",
                "The depth of the scene is rendered with Cycles here: switch on the add-on Cycles Render Engine.",
                "Rendering the depth of scene '…' was stopped.",
                "The depth of scene '…' was not written whole. The disk may be full: ….",
                "The depth of scene '…' could not be rendered. …",
                "Blender cannot read the depth that it rendered: …. The disk may be full.",
                "The depth of the scene could not be stored (…): ….",
                "Blender is rendering: ReCam can render the scene's depth when that is done.",
            ),
        ),
    ),
)
