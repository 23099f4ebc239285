"""Of strips and their files."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Footage",
    text=(
        "The footage is the active strip, or the pinned one. Movies, sequences of pictures and whatever else shows "
        "pictures in the sequencer can be re-shot."
    ),
    entries=(
        Entry(
            title="There is no footage",
            text=(
                "Click the strip to re-shoot. Sound and adjustment strips have no pictures of their own; a meta "
                "strip has."
            ),
            messages=(
                "Select the strip to re-shoot in the sequencer.",
                "Add the footage to the sequencer: Add > Movie.",
                "The pinned strip … is not in the sequencer of scene …: unpin it, or pin another.",
                "Strip … is a sound strip: it has no pictures of its own.",
                "Strip … is an adjustment strip: it has no pictures of its own.",
                "There is no strip … in the sequencer of scene …; there are ….",
                "There is no strip in the sequencer: add the footage to it.",
                "Scene strip … has no scene.",
                "Strip … is no longer in the sequencer.",
            ),
        ),
        Entry(
            title="A file of the strip is missing",
            text="Make the path right in the strip's Source panel, or use File > External Data > Find Missing Files.",
            messages=(
                "The file of strip … is missing: ….",
                "there is no file … any more: was it moved or renamed?",
            ),
        ),
        Entry(
            title="A file cannot be read",
            text=(
                "Whether Blender plays it says little: Blender shows a last good picture. Copy it again from where "
                "it came, or export it anew, best as ProRes, DNxHR, FFV1 or as PNG or EXR pictures."
            ),
            messages=(
                "The file of strip … cannot be read as a movie: ….",
                "The file of strip … cannot be read as a picture: ….",
                "… cannot be decoded, it is damaged (…): copy or export it again.",
                "… cannot be opened as a movie (…): is it damaged or cut off?",
                "… holds no picture that can be decoded: export the clip again.",
                "… holds no pictures, only sound or data: choose a movie.",
                "… stops after … s although it should last … s: it is cut off; copy or export it again.",
                "… cannot be read as OpenEXR: is it damaged or cut off?",
                "… cannot be read as OpenEXR (…): is it damaged or cut off?",
                "… is no picture that can be read: is it damaged or cut off?",
                "… stores … values: save it with 8 or 16 bits a channel.",
                "… holds no colour, only …: choose a file with R, G and B.",
                "… stores channels of different sizes: save it without chroma subsampling.",
                "… cannot be read: ….",
                "the footage has been closed",
            ),
        ),
        Entry(
            title="The file is not what it was",
            text="The job remembers the size and length of the footage as they were when it was asked for.",
            messages=(
                "… ends after … frames, but frame … was asked for: was the file replaced by a shorter one?",
                "… is …x…, but the job says …x…: was the file replaced since?",
                (
                    "… has transparent parts, but the first picture of the footage has no alpha: save all of them "
                    "with alpha."
                ),
                "Frame … of the … is …x…, but the job says …x….",
            ),
        ),
        Entry(
            title="Frames that the strip does not have",
            text="A range must lie within the strip.",
            messages=(
                "Strip … covers frames … to …, not … to ….",
                "Nothing of strip … lies in the preview range, frames … to ….",
                "Scene … has no preview range: set one in the timeline (P), or re-shoot the whole strip.",
            ),
        ),
        Entry(
            title="The strip changed while it was read",
            text="It was deleted, renamed or undone in the meantime. Ask again.",
            messages=("Strip … of scene … went away while it was read.",),
        ),
        Entry(
            title="Strips that Blender has to render first fail",
            text=(
                "What is cropped, blended, retimed between frames or under effects is rendered by Blender itself, "
                "picture by picture, before it is re-shot."
            ),
            messages=(
                "Blender did not render frame … of strip …. Is another render running, or is the disk full?",
                "Frame … of strip … was not written whole. The disk may be full: ….",
                "Frame … of strip … could not be rendered. …",
                (
                    "This Blender's colour configuration has no Standard view, through which footage could be read "
                    "unchanged."
                ),
                (
                    "Strip … shows what a multicam selector inside the meta strip … selects: choose the meta "
                    "strip, or take the selector and its cameras out of it."
                ),
            ),
        ),
    ),
)
