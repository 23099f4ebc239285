"""What is told with a take, and is no error."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="What is told with a take",
    text=(
        "These are no errors: the take is made. They tell what was done with something that you may not expect, or "
        "how far to trust it."
    ),
    entries=(
        Entry(
            title="How the strip was read",
            text="",
            messages=(
                "Strip … is …: it was read through a lossless intermediate, as Blender shows it at … x ….",
                "The EXR pictures of strip … are read as display-referred: values 0 to 1, as they stand.",
                (
                    "Strip … is larger (… x …) than the scene's frame (… x …): all of it is re-shot, not only what "
                    "the frame shows."
                ),
                "Strip … is …: which frame it shows when was measured with a ruler.",
            ),
        ),
        Entry(
            title="What the camera has and a take has not",
            text="",
            messages=(
                "The depth of field of '…' is not used.",
                "The motion blur of scene '…' is not used.",
                "The stereo views of scene '…' are not used.",
                "The render region of scene '…' is not used: a take shows the whole frame.",
            ),
        ),
        Entry(
            title="Colours in the sequencer",
            text="Set **View Transform** to Standard in Render Properties > Color Management while you edit footage.",
            messages=(
                (
                    "Scene … shows its strips through …, which changes their colours: footage and take look alike "
                    "there, but neither looks like its file. The view transform Standard shows them unchanged."
                ),
            ),
        ),
        Entry(
            title="Sound",
            text="",
            messages=(
                "The take's sound … is muted, or it would be heard twice beside ….",
                "The take has no sound, as … is …: copy that strip by hand.",
                "The take has no sound, as the strip that it came from is gone.",
                "The take has no sound, as this Blender was built without audio.",
                "The take has no sound, as Blender could not read … (…).",
                "The take has no sound, as no sound strip belongs to ….",
                "The take has no sound, as … is silent where it plays.",
                "The take has no sound, as no channel is free for a copy of ….",
            ),
        ),
        Entry(
            title="Where the take stands",
            text="",
            messages=(
                "Strip … was moved or trimmed meanwhile: its take stands where it was, from frame … on.",
                "Strip … is no longer in scene …: its take stands where it was, above all else.",
                "Its strip is not in this sequencer. It is re-shot as it was asked for.",
            ),
        ),
        Entry(
            title="How much of a take would be invented cannot be told",
            text=(
                "The forecast and the live preview are drawn by a second worker. The take itself may be made all "
                "the same."
            ),
            messages=(
                "How much must be invented could not be told. …",
                "The live preview has ended: ….",
                "The picture of this moment cannot be read (…).",
                "This moment cannot be shown. ….",
            ),
        ),
        Entry(
            title="Much of the take is invented",
            text=(
                "What the footage does not show has to be made up: by Reproject out of what lies around, by "
                "ReCamMaster out of what it has learned. Turn or move the camera less, or use longer footage in "
                "which the camera sees more."
            ),
            messages=(
                "Up to … % invented around frame …: ….",
                "Up to … % invented around frame ….",
                (
                    "Much of the take is invented: … of frame …, as the footage does not show what the target "
                    "camera sees there."
                ),
                "The target camera sees nothing that was filmed in ….",
                "The target camera touches or passes through what was filmed in ….",
            ),
        ),
        Entry(
            title="The move is outside of what the network knows",
            text="ReCamMaster was trained on moves that start at the footage's first view and are a few metres long.",
            messages=(
                (
                    "The target camera's first view is … m and … degrees away from the footage's, but the network "
                    "was only trained on takes that start at the footage's first view, and may start there "
                    "whatever it is told: let the target camera start where the source camera does."
                ),
                "From the footage's first view the target camera …: a shorter move is safer.",
                (
                    "The target camera sees more than the network draws, so the take shows less at its edges: … of "
                    "the width and height asked for in frame …; to see more, …."
                ),
                (
                    "The target camera's lens is shifted beyond what the network draws: frame … of the take is … "
                    "of the width off; lessen the shift."
                ),
                (
                    "The target's lens …, of which the network knows nothing: the take is cropped out of what it "
                    "draws, down to … in frame …, which is that much less sharp."
                ),
                (
                    "The source camera's lens changes, of which the network knows nothing: the take is cropped as "
                    "if what it draws zooms along with the footage, so look whether it does."
                ),
                "The released weights were trained on …, and nobody has judged yet what they make of ….",
                (
                    "The footage moves as if handheld and no source camera is given: the take follows the target "
                    "camera alone, so the shake is gone."
                ),
            ),
        ),
        Entry(
            title="The footage's shape is not the network's",
            text=(
                "Footage of another shape than the network's frame is cropped, or padded with its mirror image. "
                "**Fit** chooses between the two, and a focus says what a crop must keep."
            ),
            messages=(
                (
                    "The footage's shape is far from the network's (…x…): it was shown whole, as …x… with its mirror "
                    "image around, and the take is no sharper than that. The fit 'crop' is sharper and shows less."
                ),
                "Of the footage's … the network was shown … to …, by …; the rest was cropped.",
            ),
        ),
        Entry(
            title="Original pixels, and what fills them",
            text=(
                "What was filmed is kept where its depth is trusted. What another engine draws is put in line with it, "
                "which goes as far as the two show the same."
            ),
            messages=(
                "… of the take are the footage's own pixels, … in frame …; the rest is drawn by ….",
                (
                    "Without depth what was filmed is taken as a picture that stands … m away, and is kept as such "
                    "though the camera moves."
                ),
                (
                    "The take sees more than the footage's lens: …, which keeps that lens, was asked to draw it from "
                    "up to … m further back."
                ),
                (
                    "Without depth the footage's own pixels are only trusted where the target camera stands where the "
                    "source camera does: all of … of the … frames is drawn by …, wholly or in part; choose a depth to "
                    "keep more."
                ),
                (
                    "What … drew differs too much from what was filmed in …: it could not be put in line there, and "
                    "its parts may not fit; look at them, try another seed, or switch original pixels off."
                ),
            ),
        ),
        Entry(
            title="Frames, time and size of the network",
            text=(
                "The network makes 81 frames at once. Longer strips are drawn in windows, each of which goes on from "
                "the last frames of the one before; where windows meet is the place to look at."
            ),
            messages=(
                (
                    "The clip is longer than what the network draws at once: … frames were drawn in … windows of …, "
                    "each of which goes on from the last … frames of the one before."
                ),
                (
                    "Where windows meet, the picture changes from frame to frame at most … times as much as around "
                    "there (at frame …)."
                ),
                (
                    "At frame …, where two windows meet, the picture changes … times as much as around there: look "
                    "at it, and try another seed or a larger overlap if it can be seen."
                ),
                (
                    "Nobody has judged yet how the released weights go on from frames that are given, as they do in "
                    "each window after the first: look at the take where windows meet (frame …)."
                ),
                (
                    "… frames were shown to the network as …, less than half of them, and the take's others are "
                    "made by optical flow: quick motion will be coarse, so let the network draw the clip in windows, "
                    "with an overlap of …."
                ),
                (
                    "Of … frames per second the network drew every …, as it was trained on 15 per second; the take's "
                    "others are made by optical flow from those around them."
                ),
                (
                    "… frames of the timeline show the same footage as the one before, which the network was not "
                    "shown twice: the take's frames there are made by optical flow from those around them."
                ),
                "… frames were shown to the network as …, with others in between made by optical flow.",
                (
                    "… frames were shown to the network as …, and the take's remaining ones (…) are made by "
                    "optical flow from those around them."
                ),
                "The network draws one frame, which the take shows … times: ask it for more frames.",
                "The footage's one frame was shown to the network … times, and the take is the first of these.",
            ),
        ),
        Entry(
            title="Transparency",
            text="",
            messages=(
                (
                    "The footage is transparent in places, of which the network knows nothing: it was shown the "
                    "colours as if they were opaque, and so is the take."
                ),
                "The footage is transparent in places, which … does not keep; these formats do: ….",
                "The mask is white all over, as the network draws every pixel anew.",
            ),
        ),
        Entry(
            title="A take that goes on where it stopped",
            text=(
                "What the network has drawn of a take is kept beside it, in a hidden folder `.recam-parts-…`, until "
                "the take is done or cancelled. Ask for the same take again after a crash or a full disk: windows "
                "that are there are not drawn again."
            ),
            messages=(
                "What is made of it is kept for … days: asked for again, the take goes on from there.",
                "… of the … windows were there already, from when this take was begun before: it went on from them.",
                "What the network draws was there already, from when this take was begun before.",
            ),
        ),
        Entry(
            title="How the take was made",
            text="",
            messages=(
                "Nobody has judged … on the released weights: compare the take with one of quality final as it is.",
                "Blocks stored in 8 bits cannot be compiled: they were not.",
                "The cache … leaves nothing out at … steps.",
                "Plan …: of …'s memory … are free, and it ….",
                "The prompt … has … tokens, and the network is shown …: its end is left out.",
                "Prompts encoded: …, with ….",
                "Prompts encoded before, with …, come from ….",
                (
                    "What was encoded could not be kept (…): it will be encoded again next time. RECAM_CACHE names "
                    "another folder for the cache."
                ),
                (
                    "or encode on a machine that has both (`python -m backend embed`) and put the pack that this "
                    "writes among the models."
                ),
            ),
        ),
    ),
)
