"""Of settings, jobs, devices and memory."""

from __future__ import annotations

from .entry import Entry, Group

GROUP = Group(
    title="Settings, jobs and memory",
    text="",
    entries=(
        Entry(
            title="A setting that cannot be used",
            text="",
            messages=(
                "The seed is …; it must be from 0 to ….",
                "The take's size is … x …; no side can be over ….",
                "The take's size is … x …; give both sides, or 0 x 0.",
                "…: found …, expected one of ….",
                "…: found …, expected a finite number.",
                "…: found …, expected a frame that Blender can go to.",
                "There are … frames of handles; there must be 0 or more.",
                "The subject distance is … m; it must be more than 0.",
                "The footage's lens is … mm; it must be more than 0, or 0 for the target's.",
                "There is no setting …; there are ….",
                "No … is given.",
                "There are depth files, but the depth is …; leave one of them out.",
                "… says nothing to the engine …; give the engine too (…).",
                "lora says nothing to the quality …; give the quality too (draft).",
            ),
        ),
        Entry(
            title="A job that cannot be done as it stands",
            text=(
                "A job is JSON; [job.schema.json](job.schema.json) says what it may hold. The sentence names the "
                "field as a path (`target.poses[3]`), what stands there, and what should. From Blender this is a "
                "defect of ReCam, unless a file went away in between."
            ),
            messages=(
                "…: found …, expected …",
                "The job cannot be done as it stands. ….",
                "This cannot be told of the take as it stands. ….",
                "This take cannot be made as it stands. ….",
            ),
        ),
        Entry(
            title="No device can run the network",
            text="Takes by ReCamMaster need a GPU, or hours. `auto` takes the best that there is.",
            messages=(
                "… is no device: choose auto, cpu, mps, cuda, or one like cuda:1.",
                "There is no GPU …: found …; choose one of these, or ….",
                (
                    "torch … cannot compute on … (…): its driver or the GPU itself is too old for it; update the "
                    "driver, or choose …."
                ),
                "torch … finds no GPU of Apple's on this machine; choose ….",
                (
                    "On Apple's GPUs torch 2.13 or later is needed, and this is …: before, attention is wrong for "
                    "long sequences; make the backend's environment anew, or choose cpu."
                ),
                (
                    "No fused kernel of attention runs on … with this torch (…), and without one … tokens would "
                    "take … GB: update the GPU's driver, choose the device cpu, or ask for far fewer and smaller "
                    "frames. Tried: …."
                ),
                "The plan fp8 needs 8-bit numbers, and Apple's GPUs have none: choose auto, resident or tiled.",
                (
                    "The network gave numbers that are none (NaN or infinite), of which no picture can be made; "
                    "try the device 'cpu', or another GPU or version of torch: this one computes the network "
                    "wrongly."
                ),
            ),
        ),
        Entry(
            title="There is not enough memory",
            text=(
                "Memory is needed for frames at once and for their size: a shorter strip, **Draft**, or a smaller "
                "size of the network need less. Close what else uses the GPU, Blender's own viewport render too. "
                "The plans `tiled`, `streamed` and `fp8` keep less of the network on the GPU: "
                "[recammaster.md](recammaster.md)."
            ),
            messages=(
                "… frames of …x… need … of memory in the leanest way (plan …), and … has … free: ….",
                "Memory ran out with plan …. …",
                "Memory ran out on …: … frames of …x… were to need … (plan …) of … that were free: ….",
                "There is not enough memory for frames of this size.",
                (
                    "The text encoder … does not fit into memory, of which … GB are free: close other programs, or "
                    "encode the prompt on another machine (`python -m backend embed`) and put the pack among the "
                    "models."
                ),
                "was ended by …. Did the machine run out of memory?",
            ),
        ),
    ),
)
