"""Of cameras and moves."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Cameras",
    text=(
        "The target camera is the scene's, with its cuts, unless another is chosen. It must be a perspective "
        "camera that is evaluated in its scene."
    ),
    entries=(
        Entry(
            title="There is no camera",
            text="Choose one in the panel, or add one that moves: Add > Camera > ReCam Moves.",
            messages=(
                "Scene … has no camera: choose one, or make one the scene's own.",
                "There is no camera: choose one, or make one the scene's active camera.",
                "There is no camera … in scene …; there are ….",
                "'…' is no camera but of type ….",
                "There is no scene …; there are ….",
            ),
        ),
        Entry(
            title="A camera of another kind",
            text="Panoramic and orthographic cameras have no lens that a take could be shot with.",
            messages=("'…' is …; only perspective cameras can re-shoot. Set its lens type to Perspective.",),
        ),
        Entry(
            title="A camera in another scene, or hidden",
            text=(
                "A camera may live in another scene than the edit; choose that scene in the panel. In it the "
                "camera must not be excluded or disabled in viewports."
            ),
            messages=(
                "'…' is not in scene '…'. Choose the scene that it moves in.",
                "'…' is not evaluated in scene '…': make it visible there.",
            ),
        ),
        Entry(
            title="A camera that is scaled, mirrored or sheared",
            text=(
                "A camera has a place and a rotation. An even scale is taken out; an uneven or negative one of a "
                "parent cannot be."
            ),
            messages=(
                "'…' has no size at frame …: it or a parent is scaled to nothing.",
                "'…' is mirrored at frame …: it or a parent has a negative scale. Make the scale positive.",
                (
                    "'…' is sheared at frame … by a parent that is scaled unevenly. Scale the parent evenly, or "
                    "clear the camera's parent and keep its transform."
                ),
            ),
        ),
        Entry(
            title="A move cannot be made",
            text="",
            messages=(
                "There is no move …; there are ….",
                "There is no easing …; there are ….",
                "A move has at least 2 frames, not ….",
                "Scene … is linked from another file and cannot be changed: add the camera there.",
                "The subject is … m away; it must be more than 0.",
                "The arc is …° long; it must be less than 90°.",
                "The camera starts at the very point that it is to circle: put the 3D cursor where the subject is.",
                "The camera would drive … m, but the subject is … m away: drive less.",
                "The lens would become … mm, which is too short: drive less.",
                "There is no active object to circle: select one, or choose another pivot.",
            ),
        ),
        Entry(
            title="The footage cannot be seen through a camera",
            text=(
                "A camera's background shows files. What only the sequencer puts together must be rendered to a "
                "file first."
            ),
            messages=(
                (
                    "The pictures of strip … are not named as one sequence (a name and a number, as in …), which a "
                    "camera's background needs. Rename them, or render the strip to a movie and see through that "
                    "one."
                ),
                (
                    "Strip … is …: no file holds what it shows, and a camera's background can only show files. "
                    "Render the strip to a movie and see through that one."
                ),
                (
                    "Camera … belongs to a linked file and cannot be given a background: make it local (Object > "
                    "Relations > Make Local), or choose another camera."
                ),
            ),
        ),
    ),
)
