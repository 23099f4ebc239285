"""Of takes: storing them, the worker, the sequencer, the trash."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Making and keeping takes",
    text=(
        "Takes go beside the saved .blend, into the folder recam, or into the folder that is chosen. Nothing is "
        "overwritten."
    ),
    entries=(
        Entry(
            title="The take cannot be stored",
            text="Choose another folder in the panel, or make room.",
            messages=(
                "Takes cannot go to …: that is a file, and no folder.",
                "Takes cannot be written to the folder … (…).",
                "Takes cannot be kept in …: …",
                "There is no version of '…' left in …. Choose another folder.",
                "the disk is full. Free some space or choose another folder.",
                "your share of the disk is used up. Free some space or choose another folder.",
                "the file would be larger than is allowed there. Choose another folder.",
                "you may not write there. Choose another folder.",
                "that disk can only be read. Choose another folder.",
                "its folder does not exist, or has gone.",
                "what should be its folder is a file.",
                "the name is too long. Choose a shorter one.",
                "something with that name is there already, and nothing is overwritten. Choose another name.",
                "there is a file of that name. Choose another folder.",
                "what should be a folder is a file. Choose another folder.",
                "the path is too long. Choose a shorter one.",
                "The disk is full: the take could not be written.",
                "A file could not be read or written (…): ….",
                "A file could not be read or written (…)….",
                "A file failed: ….",
                "There is something at … already; choose another name for the job.",
                (
                    "ReCam cannot write its logs to … (…): see that this folder may be written to, and that its "
                    "disk has room."
                ),
                "… could not be used: ….",
            ),
        ),
        Entry(
            title="The worker ended, hangs or is not understood",
            text=(
                "The worker is the process that makes takes. It is started anew by the next job, so try again "
                "first. The end of its log stands under the message, and its path with it: that is what a report "
                "of a defect needs."
            ),
            messages=(
                "The worker ….",
                "The worker failed.",
                "The worker has been closed.",
                "The worker is busy with another job.",
                "The engine failed: …: ….",
                "The engine made … frames where … were asked for.",
                "…\nThe whole log: …",
                "Re-shooting failed (…: …). Blender's console says more.",
                "… failed (…: …). Blender's console says more.",
                "… Its log (…) is empty.",
            ),
        ),
        Entry(
            title="The job was cancelled, or asked anew",
            text="",
            messages=(
                "The job was cancelled.",
                "Asked anew.",
                "The work was cancelled before it.",
                "… Made before that: ….",
            ),
        ),
        Entry(
            title="A take cannot be made again, or its settings are gone",
            text=(
                "Each take has a record beside it, a file of the same name that ends in .json: the whole job. "
                "Takes that were moved need theirs beside them."
            ),
            messages=(
                "Strip … has no record of how it was made that this version of ReCam can read.",
                "… cannot be made again, as … is gone: put it back, or ask for another take.",
                (
                    "What was rendered for the take before is gone, and was rendered anew: with the cameras as they "
                    "were then, and all else as it is now."
                ),
                "There is no camera … any more: … stays as it was.",
                "The seed … is larger than the panel can hold: it stays as it was.",
                "Nothing of strip … lies under the take … any more.",
                "The preview range is now frames … to …, as far as the take goes.",
            ),
        ),
        Entry(
            title="A take is missing, or there is none",
            text=(
                "The list shows the takes of the strip that is chosen. **Load Takes** puts back those that lie in "
                "the folder."
            ),
            messages=(
                "Select a take in the list.",
                "Strip … has no takes to compare with yet.",
                "There is no take … in scene ….",
                "There are no other takes of … in ….",
                "… is missing: put it back, re-run the take, or remove it.",
                "The folder … is not there.",
                "The system shows no folders; the take lies at …",
            ),
        ),
        Entry(
            title="The take cannot be put into the sequencer",
            text="The take is stored all the same, where the message says: add it by hand (Add > Movie).",
            messages=(
                (
                    "No channel above … is free from frame … to …: the take is stored, but not in the sequencer, "
                    "which has … channels: …."
                ),
                "The take is missing: ….",
                "The take is an empty file: ….",
                "Scene … is gone: the take is stored, but there is no sequencer to put it into: ….",
                "Blender cannot read the take: ….",
                "The take … has … frames where … were expected.",
                "The take … has … pictures where … were expected.",
                "Blender did not put the take … where it belongs, at frame ….",
            ),
        ),
        Entry(
            title="A take cannot be put into the trash",
            text=(
                "ReCam deletes nothing itself: it asks the system's trash, through the backend. What is not "
                "ReCam's own, or is still shown by another strip, stays."
            ),
            messages=(
                "Only the backend can put files into the trash, and it is not installed: they stay.",
                "ReCam's record of … is not beside it, or there are other files in it: it stays where it is.",
                (
                    "The files of … could not be put into the trash, so its strip is still there, too. … To remove "
                    "the strip alone, leave Move Files to Trash off."
                ),
                "Strip … shows the same file, which stays for it.",
                "Strips … show the same file, which stays for them.",
                "… is not there any more.",
                "It is not there any more.",
                (
                    "The backend's Python lacks Send2Trash, which puts files into the trash: repair the backend in "
                    "the add-on's preferences, or delete the file in the file manager."
                ),
                "There is no trash for this drive, and ReCam deletes nothing: delete it in the file manager.",
                "The system's trash did not take it: ….",
                "The system did not take it.",
                "You may not remove it: change the permissions of it and of its folder.",
            ),
        ),
    ),
)
