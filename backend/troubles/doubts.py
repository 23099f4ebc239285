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
    ),
)
