"""Of batches and command lines."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Batches and the command line",
    text="",
    entries=(
        Entry(
            title="A table of shots that cannot be used",
            text=(
                "The first line names the columns; `blend` and `strip` must be among them. No shot is begun before "
                "the whole table is right."
            ),
            messages=(
                "The table … has no shots.",
                "The table … cannot be read (…).",
                "The table … has unknown columns …; columns are ….",
                "The table … has twice the columns …; columns are ….",
                "The table … has no column …; columns are ….",
                "Line … of … has more or fewer entries than the header.",
                "Line … of …: there is no file at ….",
                "Line … of …: setting … is not of the form name=value.",
                "Line … of …: there is no setting …; there are ….",
                "Line … of …: setting … is there twice.",
            ),
        ),
        Entry(
            title="A .blend file, or what is in it",
            text="Names count as they are written, capitals too.",
            messages=(
                "There is no file at ….",
                "No sequencer has a strip …; there are ….",
                "Several scenes have a strip …: …. Say which with --scene, or in the column scene.",
                "Blender cannot open … (…).",
                "There is a file at … already; choose another name for the .blend.",
                "There is no folder for ….",
                "The take is there, but … could not be saved (…).",
            ),
        ),
    ),
)
