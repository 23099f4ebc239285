"""Of cameras solved from footage."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Cameras solved from footage",
    text=(
        "Points are followed through the footage, and the camera is solved from how they move. What moves by itself is "
        "left out. A camera that turns or stands still is told apart from one that travels. The lens is taken for a "
        "pinhole that stays as it is: no zoom, no distortion, no rolling shutter."
    ),
    entries=(
        Entry(
            title="The footage has a cut",
            text="A camera is solved for one shot. In the sequencer, Strip > Split divides a strip.",
            messages=("Another shot begins at frame … of …: split the strip there, and solve each part by itself.",),
        ),
        Entry(
            title="The footage shows too little to solve a camera",
            text=(
                "Walls without a pattern, darkness, strong blur, water and crowds give nothing to hold on to. A clip "
                "of a second or more in which the camera travels to the side is best."
            ),
            messages=(
                (
                    "The footage has … frames, and … are the fewest that a camera can be solved from: take a longer "
                    "part of the clip."
                ),
                (
                    "There is nothing in the footage to hold on to: no more than … points can be followed in most "
                    "frames, and … are needed. Choose a shot with more detail, or sharper."
                ),
                (
                    "Only … % of the frames can be placed, and … % are needed: frames … to … show too little that "
                    "stands still. Leave them out, or choose another shot."
                ),
                (
                    "The points in the footage do not tell how its camera moved: too few of them stand still, or it "
                    "hardly moves. Choose a shot with more that stands still, or give the lens it was shot with."
                ),
            ),
        ),
        Entry(
            title="The camera travels too little",
            text=(
                "Depth is told by seeing the same things from different places. A tripod's pan and a standing hand "
                "need none: where turns explain most of the picture, the camera is solved as one that turns."
            ),
            messages=(
                (
                    "The camera travels too little to tell depth: half of the points are seen from directions less "
                    "than …° apart, and …° are needed. Take a longer part of the clip, or one in which it travels "
                    "further."
                ),
                "It is taken to turn only, as no way of it could be solved. …",
            ),
        ),
        Entry(
            title="The solved camera does not fit",
            text=(
                "Most often the lens is not what was given, or it changes: leave it open to have it found, and choose "
                "a part without zoom. Wide lenses that bend straight lines need their distortion taken out first."
            ),
            messages=(
                (
                    "The camera that fits best misses half of the points by … pixels or more (of a frame 832 wide), "
                    "and … is the most that can be trusted: check the lens, and choose a shot without zoom, with "
                    "little distortion and with less that moves by itself."
                ),
            ),
        ),
        Entry(
            title="What was found of the camera",
            text="A point whose distance is known tells a scene's size better than a guess of the subject's distance.",
            messages=(
                (
                    "Nothing was followed near the point … whose distance is given: choose a point with more to hold "
                    "on to."
                ),
                "The scene's size is that of a point … m away.",
                (
                    "The scene's size is not known from footage alone: half of what is followed in its first frame is "
                    "taken to be nearer than the subject distance, … m."
                ),
                "The footage does not tell its lens, which was taken to see ….",
                "The lens was found from the footage: ….",
                "… of … frames could not be placed: there the camera is interpolated.",
            ),
        ),
        Entry(
            title="A clip that Blender solved does not become the footage's camera",
            text=(
                "Camera from Solved Clip takes what Blender's motion tracking found. The clip must be of the strip's "
                "own file or pictures, and solved for each frame that the strip shows; metas, scenes and clip strips "
                "do not tell which frames those are. Blender's lens distortion has no place in a camera: undistort the "
                "footage (Movie Distortion, in the compositor), where it shows."
            ),
            messages=(
                "Clip … is not solved: solve it in the Movie Clip Editor.",
                "Clip … is solved for frames … to …, but the footage shows frame … of it.",
                "Which frames of a clip strip … shows cannot be told.",
                "The lens distortion of clip … is left out: undistort the footage first, if it shows.",
            ),
        ),
        Entry(
            title="The known point cannot be used",
            text="In the panel Footage Camera, pick the point anew while the playhead is in the strip.",
            messages=(
                "Frame …, whose point's distance is known, is not among those that are solved.",
                "Without a window, set the point as numbers.",
            ),
        ),
    ),
)
