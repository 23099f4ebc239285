"""Takes made again: as their own jobs say, whatever became of what they were made of."""

import json
import os

import bpy
import numpy as np
import pytest
import shots
from timeline import new_effect, span, strips

FOLDER = "recam"


@pytest.fixture
def edit(saved_edit):
    return saved_edit


@pytest.fixture
def work(recam):
    return recam("take_work")


def drain(recam, generator):
    return recam("tasks").drain(generator)


def job_without_place(strip):
    job = json.loads(strip["recam"]["job"])
    del job["output"]["path"]
    return job


def test_a_take_is_made_again_whatever_became_of_its_camera(recam, edit, made, work, folder, backend_python):
    first = made(camera=edit.camera)
    before = job_without_place(first)
    bpy.data.objects.remove(edit.camera)
    strips(edit)["clip"].name = "hero"
    outcome = drain(recam, recam("remake").remake(work.again(edit, first)))
    (take,) = outcome.takes
    assert outcome.notes == ()
    second = strips(edit)[take.strip]
    assert take.strip == "hero_Target_v001"
    after = job_without_place(second)
    assert after.pop("origin") == before.pop("origin") | {"strip": "hero"}
    assert after == before
    one, other = (shots.frames_of(backend_python, each) for each in (take.path, folder / FOLDER / f"{first.name}.mp4"))
    assert (one == other).all()
    assert recam("compat").span(second) == recam("compat").span(first)
    assert [each.name for each in recam("ties").list_takes(edit, strips(edit)["hero"])] == [first.name, second.name]


def test_a_take_that_was_moved_is_made_again_where_it_stands(recam, edit, made, work):
    first = made(camera=edit.camera, handles=2, range="strip")
    compat = recam("compat")
    for strip in (strips(edit)["clip"], first):
        compat.set_content_start(strip, compat.content_start(strip) + 100)
    (take,) = drain(recam, recam("remake").remake(work.again(edit, first))).takes
    second = strips(edit)[take.strip]
    assert compat.span(second) == compat.span(first) == (shots.START + 100, shots.START + 100 + shots.FRAMES)


def test_the_next_seed_is_one_that_no_take_has(recam, edit, made, work):
    first = made(seed=0)
    second = made(seed=0)
    for strip, seed in ((first, 5), (second, 6)):
        job = json.loads(strip["recam"]["job"])
        job["settings"]["seed"] = seed
        strip["recam"]["job"] = json.dumps(job)
    assert work.again(edit, first, next_seed=True).shots[0].job.settings.seed == 7
    assert work.again(edit, first).shots[0].job.settings.seed == 5


def test_the_queue_makes_it_again(recam, edit, made, work, folder):
    import time

    first = made()
    jobs = recam("jobs")
    entry = jobs.add_prepared(work.again(edit, first))
    assert (entry.stage, entry.request.strip) == ("preparing", "clip")
    end = time.monotonic() + 60
    while jobs.entries():
        assert time.monotonic() < end
        jobs.advance()
        time.sleep(0.005)
    assert jobs.messages()[-1].text == "Made clip_Target_v002."
    jobs.clear()


def test_the_depth_of_the_scene_is_rendered_again_for_the_trajectory_of_the_take(
    recam, edit, made, work, backend_python
):
    """Changed keys change nothing: neither the trajectories, nor where the depth is rendered from."""
    bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 5, 0), rotation=(np.pi / 2, 0, 0))
    plane = bpy.context.object
    if plane.name not in edit.objects:
        edit.collection.objects.link(plane)
    # Of each frame there is another depth.
    for frame, away in ((shots.START, 5.0), (shots.START + shots.FRAMES - 1, 1.0)):
        plane.location.y = away
        plane.keyframe_insert("location", frame=frame)
    source = shots.add_camera(edit, "Source", move=0.5)
    target = shots.add_camera(edit, "Mover", move=1.0)
    first = made(camera=target, source_camera=source)
    before = recam("take_record").job_of(first)
    assert not any(os.path.exists(each) for each in before.settings.depth.files)
    for camera in (source, target):
        camera.animation_data_clear()
        camera.location = (20.0, -40.0, 3.0)
    bpy.ops.wm.save_mainfile()
    outcome = drain(recam, recam("remake").remake(work.again(edit, first)))
    (take,) = outcome.takes
    after = take.job
    assert (after.target, after.source, after.footage, after.lens) == (
        before.target, before.source, before.footage, before.lens
    )  # fmt: skip
    assert after.origin == before.origin
    # It was rendered of another state of the file: no take of the former is the same.
    assert after.settings.depth.identity not in ("", before.settings.depth.identity)
    assert "scene" in take.result.depth
    assert "rendered anew" in outcome.notes[0]
    one, other = (
        shots.frames_of(backend_python, os.path.join(os.path.dirname(take.path), f"{each}.mp4"))
        for each in (first.name, take.strip)
    )
    assert shots.psnr(one, other) > 45


def test_the_pictures_of_an_effect_are_rendered_again_for_its_take(recam, edit, made, work):
    blur = new_effect(edit, "GAUSSIAN_BLUR", 3, *span(strips(edit)["clip"]), strips(edit)["clip"])
    edit.recam.pinned = blur.name
    first = made(camera=edit.camera)
    before = recam("take_record").job_of(first)
    assert before.footage.identity
    edit.camera.animation_data_clear()
    (take,) = drain(recam, recam("remake").remake(work.again(edit, first))).takes
    assert take.job.target == before.target
    assert take.job.footage.identity == before.footage.identity


def test_footage_that_is_gone_is_told(recam, edit, made, work, folder):
    first = made()
    os.rename(folder / "clip.mkv", folder / "elsewhere.mkv")
    with pytest.raises(recam("errors").ReCamError, match=r"cannot be made again, as .*clip\.mkv' is gone"):
        work.again(edit, first)


def test_the_button_makes_it_again_at_once_in_background(recam, edit, made):
    made()
    assert bpy.ops.recam.rerun_take(seed="same") == {"FINISHED"}
    assert "clip_Target_v002" in strips(edit)
