"""What the panels doubt, before a take is made."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Doubts in the panel",
    text=(
        "Lines under what ReCam understood, before a take is made. None of them keeps you from making it. The "
        "question mark beside a line explains it, and the button, where there is one, helps."
    ),
    entries=(
        Entry(
            title="The camera does not move",
            text=(
                "A take from where the footage was shot is the footage. Keyframe the camera over the frames of the "
                "strip, choose another, or add a move. Keys that lie elsewhere meet the strip by **Start Frame** "
                "in the panel Frame Range."
            ),
            messages=(
                "… has no keyframes here: the take would be the footage.",
                "Source and target are the same camera: the take would be the footage.",
                "… has its keys at frames … to …, but the footage meets … to ….",
                "The prompt is empty: say what the footage shows.",
            ),
        ),
        Entry(
            title="The camera passes the subject",
            text=(
                "Without depth, the footage hangs like a picture at the subject's distance. Set **Distance** to "
                "how far the subject stood from the camera, or make the move shorter."
            ),
            messages=(
                "The camera goes … m ahead, but the subject is … m away.",
                "The camera moves … m, with the subject … m away.",
            ),
        ),
        Entry(
            title="Shapes, sizes and rates differ",
            text="**Match** gives the scene of the camera the shape and the rate of the take.",
            messages=(
                "The camera's view is …, the take ….",
                "The take is …, the footage …: its edges are invented.",
                "Scene … runs at … fps, the edit at ….",
                "The footage has … fps, the scene ….",
                "It matches already.",
                "… cameras by markers: each makes a take of its own.",
            ),
        ),
        Entry(
            title="The footage moves",
            text=(
                "Without a source camera that moves as the real one did, the footage is taken as shot from a "
                "tripod, and what shook or moved stays in the take. Track it (Movie Clip editor, Solve) and choose "
                "the solved camera as source camera, or stabilize it first."
            ),
            messages=(
                "The footage is shaky, and no source camera follows it.",
                "The footage is shaky, but the source camera stands still.",
                "The footage's camera moves, and no source camera follows it.",
                "The footage's camera moves, but the source camera stands still.",
                "Which frames strip … shows cannot be told.",
            ),
        ),
        Entry(
            title="What the network cannot follow",
            text=(
                "ReCamMaster begins at the footage's first view, keeps the footage's lens, and draws so many "
                "frames at once. Let the target camera start where the source camera does, move it in place of a "
                "zoom, and look at the take where windows meet."
            ),
            messages=(
                "The lens changes, which the network cannot follow.",
                "The network draws … frames at once: the … frames are drawn in windows.",
                "The network draws … of the … frames; the others are made from them.",
                "The camera ….",
            ),
        ),
        Entry(
            title="What takes do not have",
            text=(
                "Depth of field and motion blur that were filmed stay; the target camera's are not added. Blur the "
                "take in the compositor."
            ),
            messages=(
                "Of the scene's renders, takes do not have ….",
                (
                    "A take shows the whole frame of the target camera with one eye. Render regions and stereo "
                    "views of the scene are for its renders alone."
                ),
            ),
        ),
        Entry(
            title="The scene changes the strips' colours",
            text=(
                "AgX and Filmic are made for renders. The button sets the view transform to Standard, which shows "
                "footage and takes as their files have them."
            ),
            messages=(
                "The scene's look, exposure or curves change the strips' colours.",
                "View transform … changes the strips' colours.",
                "This Blender's colour configuration has no view transform Standard.",
            ),
        ),
        Entry(
            title="There is nothing to steady, or to follow",
            text=(
                "Stabilise, Lock Off and Follow the Source go by the camera that shot the footage. Choose one that was "
                "tracked as source camera, solve the footage (panel Footage Camera), or press From the Footage: it is "
                "then solved when the take is made. What was shot from a tripod needs none of it."
            ),
            messages=(
                "No camera is known that shot the footage: there is nothing to steady.",
                "The source camera … stands still: there is nothing to steady.",
                "Its camera is solved when the take is made. Solve it before, to see the path.",
                "Follow the Source has no source camera to follow.",
                "The source camera … stands still: Follow the Source changes nothing.",
                (
                    "What would be invented hangs on how the footage's camera moved, which is not known yet: solve the "
                    "footage first."
                ),
            ),
        ),
        Entry(
            title="A steady take shows less than was filmed, or more",
            text=(
                "Stabilise and Lock Off film with the lens of the target camera. Where that is much longer than the "
                "lens that the footage was shot with, the take is a part of it; where it is shorter, its rim has to be "
                "invented. The button gives the camera the source camera's lens. One that is a little longer hides the "
                "edges of a shake, and is not doubted."
            ),
            messages=(
                "The camera's lens is … times as long as the footage's: the take shows less.",
                "The camera's lens is … times as long as the footage's: around it the take shows more.",
                "The lens of … is keyed, linked or shared, and is left as it is.",
                "There is no camera to set, or none to take the lens from.",
            ),
        ),
        Entry(
            title="A frame cannot be held so long, or at all",
            text=(
                "A take is as long as its strip: slowing down, the hold, and what comes after it must have room in it. "
                "Shorten the hold or the ease, hold an earlier frame, or make the strip longer. The frame to hold is "
                "one of the timeline's, under the strip; the clock beside it takes the current one."
            ),
            messages=(
                "Frame … cannot be held for 1 frame: there is room for ….",
                "Frame … cannot be held for … frames: there is room for ….",
                "Frame … is held for no frame: hold it for 1 at least.",
                "There is no room to hold frame …: choose an earlier one, or a shorter ease.",
                "Frame … is not in the strip: frame … is held.",
                "Frame … is not in the strip, which covers frames … to ….",
                "The camera stands still while time is held: the take shows a still picture then.",
            ),
        ),
        Entry(
            title="The part to go in on has few pixels",
            text=(
                "What is closer has no more pixels than were filmed. Choose a larger part, a smaller take (panel "
                "Output), or ReCamMaster, which makes up what is finer. Choose Part needs a preview of the sequencer, "
                "or a 3D view that looks through the camera, to drag in."
            ),
            messages=(
                "A pixel of the footage is stretched to …: the take gets soft.",
                "A pixel of the footage becomes … wide: the network makes up what is finer.",
                "The part to go in on is too small: choose one of 16 pixels of the footage at least.",
                "Without a window, set the part's sides as numbers.",
            ),
        ),
        Entry(
            title="Pixels that are to be kept",
            text=(
                "Footage that is kept inside a wider frame is the footage's own until the file is written. FFV1 and "
                "PNG change nothing; others do, by what cannot be seen. True pixels are put where the depth says: a "
                "flat plane is right for what is flat, and for a camera that only turns."
            ),
            messages=(
                "… changes pixels a little, the kept ones too.",
                "True pixels of a flat plane are right only where the footage is flat.",
            ),
        ),
    ),
)
