"""What is told of the uses of a take."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="What a take is for",
    text="No errors either: what stabilising, going closer, outpainting and freezing did, in numbers.",
    entries=(
        Entry(
            title="How much shake was taken",
            text=(
                "Sways that go one way in less than the strength are shake; pans and travels, with their starts and "
                "stops, are kept. Too much is left of it: choose a greater strength. Something that was meant is "
                "gone: a smaller one. Where the steadied camera would leave more than 15 % of its frame unfilmed, it "
                "keeps nearer to the source camera. A longer lens of the target camera hides the frame's edges."
            ),
            messages=(
                "The camera is steadied over … s: … (rms) were taken as shake.",
                "The camera is held as in frame …; on average (rms) the source camera is … away.",
                (
                    "Of the frame … on average was filmed at the same instant, in frame …; the rest comes from other "
                    "instants or is invented."
                ),
            ),
        ),
        Entry(
            title="Pixels are stretched",
            text=(
                "The region has fewer pixels than the take. Reproject shows them larger and no sharper; ReCamMaster "
                "makes up what is finer. A larger region, a smaller take or footage of a higher resolution stretches "
                "less."
            ),
            messages=(
                (
                    "The region holds … pixels of the footage: at its closest each is stretched … times, and what is "
                    "finer is not in the footage."
                ),
                "The region holds … pixels of the footage, enough for the take: nothing is stretched.",
            ),
        ),
        Entry(
            title="Where the footage lies in a wider frame",
            text=(
                "A take that is as many times as large as the footage as it sees more holds the footage pixel for "
                "pixel. One of another size holds it scaled to whole pixels."
            ),
            messages=(
                "The footage lies pixel for pixel within the frame, …: … of it.",
                "The footage lies within the frame, scaled to …: … of it.",
                "The camera goes back by … m, until … times as much is seen across.",
            ),
        ),
        Entry(
            title="A held instant makes the action late",
            text=(
                "A take is as long as its strip. What is held takes up time, so that the end of the footage is not "
                "shown: make the strip longer, or hold for fewer frames."
            ),
            messages=(
                "Frame … is held for … frames, … s.",
                (
                    "Frame … is held for … frames, … s: the action after it is … frames later, and the last … of the "
                    "footage are not shown."
                ),
            ),
        ),
    ),
)
