"""Of depth that is estimated from footage."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Depth estimated from the footage",
    text=(
        "Where the scene has no depth of its own, ReCam estimates it: from the motion of the camera, by a network, or "
        "from cues in a picture that stands. Which it was, and why, stands in the take's notes."
    ),
    entries=(
        Entry(
            title="The depth network cannot be used",
            text=(
                "Depth Anything V2 is read from a folder as the hub has it: `config.json`, `model.safetensors` and "
                "`preprocessor_config.json`. Pickles are not opened, and nothing is fetched while a take is made. Its "
                "relative and its metric variants will do; only the small ones may be used commercially."
            ),
            messages=(
                "Depth by a network was chosen, and none can run here: that takes its weights (`python -m backend "
                "models get depth`, or ReCam's preferences in Blender) and what `python -m backend setup --engine "
                "recammaster` sets up; else choose another depth.",
                "There is no depth network at …: …, or choose another depth.",
                "The depth network in … lacks the file …: …, or name a folder with …, … and ….",
                "… holds a model of the type …, and Depth Anything's (depth_anything with a backbone dinov2) was "
                "expected: ….",
                "… is not JSON that can be read: ….",
                "The depth network in … cannot be loaded (…): remove it and get it again.",
                "The depth network gives values that are no numbers: its weights are damaged; remove and get it again.",
                "There is not enough memory on … for the depth network: choose the device cpu, or another depth.",
                "this Python (…) lacks …, which depth by a network needs: use the one that `python -m backend setup "
                "--engine recammaster` sets up, or choose another depth",
            ),
        ),
        Entry(
            title="The camera's motion does not tell depth",
            text=(
                "Things shift against one another only while the camera that shot them travels. A camera that stands "
                "or only turns tells nothing of depth, however much moves before it. Give the source camera, or solve "
                "the footage, if it did travel; else choose another depth. On Automatic another is taken, and the "
                "take's notes say why."
            ),
            messages=(
                "Depth from motion needs a source camera that moves, and this one goes only … degrees around its "
                "subject: give the camera that shot the footage, let it be solved from the footage, or choose another "
                "depth.",
                "The source camera's motion tells the depth of … of the picture only: it is not used.",
                "The depth model is not used. …",
            ),
        ),
        Entry(
            title="No relief can be told from the picture",
            text=(
                "A relief is guessed from the ground that is seen below the horizon, and from what stands on it. It "
                "takes a camera that stands, at least an eighth of the picture to be ground, and a distance to the "
                "subject that is about right. Where that is not so, a flat plane is as good: with Depth on Automatic "
                "it is taken. The scene's own depth or a depth network do better."
            ),
            messages=(
                "The relief is no better than a flat plane may be: …",
                "Too little ground is seen to tell how far away things are.",
                "Too much of the picture moves for a relief to be told from it.",
                "By the picture the camera would be … m above the ground, which does not go with a subject … m away.",
            ),
        ),
    ),
)
