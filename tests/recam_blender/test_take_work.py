"""Takes copied back to the panel and to a camera, loaded, and removed to the trash."""

import dataclasses
import json
import os
import shutil

import bpy
import drawn
import numpy as np
import pytest
import shots
from timeline import strips

FOLDER = "recam"


@pytest.fixture
def edit(saved_edit):
    return saved_edit


@pytest.fixture
def work(recam):
    return recam("take_work")


def drain(recam, generator):
    return recam("tasks").drain(generator)


def in_takes(folder):
    return sorted(os.listdir(folder / FOLDER))


# Copied back


def test_settings_go_back_to_the_panel(recam, edit, made):
    source = shots.add_camera(edit, "Source")
    target = edit.objects["Target"]
    wanted = {
        "camera": target, "source_camera": source, "depth": "plane", "subject_distance": 2.5, "format": "ffv1",
        "mask": True, "size": "custom", "width": 64, "height": 32, "seed": 3,
    }  # fmt: skip
    take = made(**wanted)
    for name in ("camera", "source_camera", "depth", "subject_distance", "format", "mask", "size"):
        edit.recam.property_unset(name)
    edit.recam.engine = "recammaster"
    assert recam("take_record").restore(edit, take) == []
    for name, value in wanted.items():
        assert getattr(edit.recam, name) == (pytest.approx(value) if isinstance(value, float) else value), name
    assert edit.recam.engine == "reproject"
    assert (edit.recam.range, edit.recam.handles, edit.recam.use_lens) == ("strip", 0, False)
    assert not edit.recam.use_camera_frame
    # Asked for again, it is the very same job.
    (again,) = recam("reshoot").reshoot_now(recam("request").from_settings(edit)).takes
    assert again.job.digest() == recam("take_record").job_of(take).digest()


def test_a_lens_and_a_part_with_handles_go_back_too(recam, edit, made):
    edit.use_preview_range = True
    edit.frame_preview_start, edit.frame_preview_end = shots.START + 4, shots.START + 7
    take = made(range="preview", handles=2, use_lens=True, lens=35.0, use_camera_frame=True, camera_frame=4.0)
    for name in ("range", "handles", "use_lens", "lens", "use_camera_frame", "camera_frame"):
        edit.recam.property_unset(name)
    edit.use_preview_range = False
    (note,) = recam("take_record").restore(edit, take)
    assert f"frames {shots.START + 4} to {shots.START + 7}" in note
    assert (edit.recam.range, edit.recam.handles) == ("preview", 2)
    assert edit.use_preview_range
    assert (edit.recam.use_lens, edit.recam.lens) == (True, pytest.approx(35.0, rel=1e-4))
    assert (edit.recam.use_camera_frame, edit.recam.camera_frame) == (True, pytest.approx(4.0))
    (again,) = recam("reshoot").reshoot_now(recam("request").from_settings(edit)).takes
    job = recam("take_record").job_of(take)
    assert again.job.target == job.target
    assert again.job.footage == job.footage
    assert again.job.lens.fx == pytest.approx(job.lens.fx, rel=1e-5)


def test_a_camera_that_is_gone_is_told(recam, edit, made):
    take = made(camera=edit.camera)
    bpy.data.objects.remove(edit.camera)
    (note,) = recam("take_record").restore(edit, take)
    assert "no camera 'Target' any more" in note


def test_what_engines_that_generate_are_told_goes_back(recam, edit, made):
    take = made()
    job = recam("take_record").job_of(take)
    contract = recam.backend("contract")
    generation = contract.Generation(
        prompt="a man walks", negative_prompt="blur", quality="good", steps=7, frames=17, width=64, height=48, fit="pad"
    )
    settings = dataclasses.replace(job.settings, engine="recammaster", seed=2**40, generation=generation)
    take["recam"]["job"] = json.dumps(dataclasses.replace(job, settings=settings).to_json())
    edit.recam.prompt_text = bpy.data.texts.new("long")
    (note,) = recam("take_record").restore(edit, take)
    assert str(2**40) in note
    own = edit.recam
    assert (own.engine, own.prompt, own.prompt_text, own.quality) == ("recammaster", "a man walks", None, "good")
    assert (own.use_negative_prompt, own.negative_prompt, own.use_steps, own.steps) == (True, "blur", True, 7)
    assert (own.use_guidance, own.network_frames, own.network_width, own.network_height) == (False, 17, 64, 48)
    assert own.fit == "pad"


# To a camera


@pytest.mark.parametrize("aspect", [1.0, 1.5])
def test_the_camera_of_a_take_is_a_new_one_that_moves_alike(recam, edit, made, aspect):
    camera = edit.camera
    edit.render.pixel_aspect_y = aspect
    edit.unit_settings.scale_length = 0.1
    for frame, lens, shift in ((shots.START, 35.0, 0.0), (shots.START + shots.FRAMES - 1, 80.0, 0.2)):
        camera.data.lens, camera.data.shift_x, camera.data.shift_y = lens, shift, -shift
        for path in ("lens", "shift_x", "shift_y"):
            camera.data.keyframe_insert(path, frame=frame)
    camera.data.sensor_fit = "VERTICAL"
    take = made(camera=camera)
    job = recam("take_record").job_of(take)
    before = {each.name for each in bpy.data.objects}
    keys = _keys(recam, camera)
    new, home = recam("take_record").camera_of(edit, take)
    assert home == edit
    assert {each.name for each in bpy.data.objects} - before == {new.name}
    assert _keys(recam, camera) == keys
    assert edit.camera == camera
    frames = [float(shots.START + each) for each in range(shots.FRAMES)]
    seen = recam("sampling").sample_trajectory(edit, new, frames, width=job.target.width, height=job.target.height)
    assert np.abs(np.array(seen.poses) - np.array(job.target.poses)).max() < 1e-5
    for one, other in zip(seen.intrinsics, job.target.intrinsics, strict=True):
        for name in ("fx", "fy", "cx", "cy"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-5, abs=1e-3), name


def test_what_stands_still_in_it_has_no_keys(recam, edit, made):
    take = made(camera=edit.camera)
    new, _ = recam("take_record").camera_of(edit, take)
    # It turns and does not move, and its lens is fixed.
    assert {path for path, _ in _keys(recam, new)} == {"rotation_quaternion"}
    assert _keys(recam, new.data) == {}


def test_a_camera_that_turns_round_turns_the_short_way_between_its_keys(recam, edit, made):
    take = made(camera=shots.add_camera(edit, "Spin", turn=2 * np.pi))
    new, _ = recam("take_record").camera_of(edit, take)
    keys = _keys(recam, new)
    assert len(keys["rotation_quaternion", 0]) == shots.FRAMES
    turns = np.array([[value for _, value in keys["rotation_quaternion", axis]] for axis in range(4)]).T
    # One and its negative are the same turn; straight lines between such two go through nothing.
    assert (np.sum(turns[1:] * turns[:-1], axis=1) > 0.9).all()


def _keys(recam, item):
    return {
        (each.data_path, each.array_index): [tuple(key.co) for key in each.keyframe_points]
        for each in recam("compat").curves(item)
    }


# Back into the sequencer


def test_takes_of_the_folder_are_loaded_once(recam, edit, made, work, folder):
    first, second = made().name, made().name
    strips(edit).remove(strips(edit)[first])
    strips(edit).remove(strips(edit)[second])
    shutil.copy(folder / FOLDER / f"{first}.mp4", folder / FOLDER / "nobodys_v001.mp4")
    (folder / FOLDER / "broken_v001.json").write_text("{")
    shutil.copy(folder / FOLDER / f"{first}.mp4", folder / FOLDER / "broken_v001.mp4")
    assert drain(recam, work.load("Edit", "another")) == []
    assert drain(recam, work.load("Edit", "clip")) == [first, second]
    take = strips(edit)[second]
    assert recam("compat").span(take) == (shots.START, shots.START + shots.FRAMES)
    assert [each.name for each in recam("ties").list_takes(edit, strips(edit)["clip"])] == [first, second]
    assert recam("take_record").job_of(take).origin.camera == "Target"
    assert drain(recam, work.load("Edit", "clip")) == []


def test_another_file_ends_what_is_loaded_and_what_was_told(recam, work):
    tasks, closed = recam("tasks"), []

    def loading():
        try:
            yield
        finally:
            closed.append(True)

    begun = loading()
    next(begun)
    tasks._running[work.LOAD] = tasks.Task(work.LOAD, "Load Takes", begun, lambda _: None)
    tasks.tell(work.REMOVE, "Moved take to the trash.")
    bpy.ops.wm.read_homefile(use_empty=True)
    assert closed == [True]
    assert (tasks.running(work.LOAD), tasks.ended(work.LOAD), tasks.ended(work.REMOVE)) == (None, None, None)


def test_how_removing_ended_is_told_until_it_is_cleared(recam, edit, work):
    recam("tasks").tell(work.REMOVE, "Moved take to the trash.")
    shown = drawn.draw([recam("take_panel").RECAM_PT_takes], scene=edit)
    assert "Moved take to the trash." in shown.text
    assert "recam.clear_take_messages" in shown.operators
    bpy.ops.recam.clear_take_messages()
    assert recam("tasks").ended(work.REMOVE) is None


# Away


@pytest.fixture(scope="module")
def data_home(recam, tmp_path_factory):
    """Where the assistant, started once, finds the system's trash: never one that was started before."""
    home = tmp_path_factory.mktemp("data é")
    recam("runtime").stop_worker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(home))
        yield home
    recam("runtime").stop_worker()


@pytest.fixture
def trash(data_home):
    """The system's trash, empty."""
    shutil.rmtree(data_home / "Trash", ignore_errors=True)
    return data_home / "Trash" / "files"


def test_a_take_goes_to_the_trash_with_its_mask_and_record(recam, edit, made, work, folder, trash):
    kept = made().name
    take = made(mask=True).name
    files = ["clip_Target_v002.json", "clip_Target_v002.mp4", "clip_Target_v002_mask.mp4"]
    assert sorted(map(os.path.basename, work.removal(edit, strips(edit)[take]).files)) == files
    told = drain(recam, work.remove("Edit", take))
    assert told == "Moved clip_Target_v002.mp4, clip_Target_v002_mask.mp4 and clip_Target_v002.json to the trash."
    assert sorted(os.listdir(trash)) == files
    assert in_takes(folder) == ["clip_Target_v001.json", "clip_Target_v001.mp4"]
    assert take not in strips(edit)
    assert edit.sequence_editor.active_strip.name == kept


def test_a_folder_of_pictures_goes_as_a_whole(recam, edit, made, work, folder, trash):
    take = made(format="png").name
    drain(recam, work.remove("Edit", take))
    assert sorted(os.listdir(trash)) == ["clip_Target_v001", "clip_Target_v001.json"]


def test_the_strip_alone_goes_where_that_is_asked_for(recam, edit, made, work, folder):
    take = made().name
    assert "Its files are where they were" in drain(recam, work.remove("Edit", take, files=False))
    assert take not in strips(edit)
    assert in_takes(folder) == ["clip_Target_v001.json", "clip_Target_v001.mp4"]


@pytest.mark.parametrize(
    "harm", ["no record", "not a record", "record of another", "link", "foreign file", "foreign picture"]
)
def test_what_recam_did_not_make_stays(recam, edit, made, work, folder, harm):
    take = made(format="png" if harm.startswith("foreign") else "h264")
    path = folder / FOLDER / take.name
    record = path.with_suffix(".json")
    if harm == "no record":
        record.unlink()
    elif harm == "not a record":
        record.write_text('{"digest": "' + "0" * 64 + '", "job": {}, "result": {}}')
    elif harm == "record of another":
        (folder / "mine.mp4").write_bytes(b"mine")
        take.filepath = str(folder / "mine.mp4")
    elif harm == "link":
        path.with_suffix(".mp4").rename(folder / "mine.mp4")
        path.with_suffix(".mp4").symlink_to(folder / "mine.mp4")
    else:
        (path / ("notes.txt" if harm == "foreign file" else "99999.png")).write_text("mine")
    found = work.removal(edit, take)
    assert found.files == ()
    assert "record" in found.why
    before = sorted(str(each) for each in folder.rglob("*"))
    with pytest.raises(recam("errors").ReCamError, match="record"):
        drain(recam, work.remove("Edit", take.name))
    assert take.name in strips(edit)
    assert sorted(str(each) for each in folder.rglob("*")) == before


def test_paths_inside_the_record_are_not_believed(recam, edit, made, work, folder):
    take = made(mask=True)
    path = folder / FOLDER / f"{take.name}.json"
    record = json.loads(path.read_text())
    record["result"]["path"] = record["job"]["output"]["path"] = str(folder / "clip.mp4")
    record["result"]["mask"] = str(folder / "clip.mkv")
    path.write_text(json.dumps(record))
    assert {os.path.dirname(each) for each in work.removal(edit, take).files} == {str(folder / FOLDER)}


def test_what_another_strip_shows_stays(recam, edit, made, work):
    take = made()
    strips(edit).new_movie("copy", bpy.path.abspath(take.filepath), 20, 1)
    found = work.removal(edit, take)
    assert (found.files, found.why) == ((), "Strip 'copy' shows the same file, which stays for it.")


def test_what_the_trash_does_not_take_keeps_its_strip(recam, edit, made, work, folder, monkeypatch):
    take = made().name

    def ask(method, params, **_):
        assert (method, len(params["paths"])) == ("trash", 2)
        yield recam("planning").Step(recam.backend("contract").Progress(phase="x", step=0, total=0))
        return {"trashed": [], "failed": dict.fromkeys(params["paths"], "There is no trash here.")}

    monkeypatch.setattr(recam("assistant"), "ask", ask)
    with pytest.raises(recam("errors").ReCamError, match=r"There is no trash here\. To remove the strip alone"):
        drain(recam, work.remove("Edit", take))
    assert take in strips(edit)
    assert in_takes(folder) == ["clip_Target_v001.json", "clip_Target_v001.mp4"]


def test_without_a_backend_the_files_stay_and_that_is_told(recam, edit, made, work, monkeypatch):
    take = made()
    monkeypatch.setenv("RECAM_PYTHON", "/nowhere/python")
    assert "not installed: they stay" in work.removal(edit, take).why


def test_a_pinned_take_that_goes_is_unpinned_and_its_sound_goes_along(recam, edit, made, work):
    take = made()
    edit.recam.pinned = take.name
    ties = recam("ties")
    sound = strips(edit).new_effect("sound", "COLOR", 90, **_length())
    ties.tie_sound(sound, take)
    # Colour stands for sound, which not every Blender here is built with.
    assert ties.text_of(sound, ties.OF) == ties.text_of(take, ties.ID) != ""
    recam("take_work").remove_strip(edit, take)
    assert edit.recam.pinned == ""
    assert edit.sequence_editor.active_strip.name == "clip"


def _length():
    kinds = [getattr(bpy.types, each, None) for each in ("StripsTopLevel", "SequencesTopLevel")]
    parameters = next(filter(None, kinds)).bl_rna.functions["new_effect"].parameters
    return {"frame_start": 1, "length": 10} if "length" in parameters else {"frame_start": 1, "frame_end": 11}


# The buttons


def test_buttons_say_why_not(recam, edit):
    assert not bpy.ops.recam.compare.poll()
    assert not bpy.ops.recam.remove_take.poll()
    assert bpy.ops.recam.load_takes.poll()


def test_buttons_do_what_the_functions_do(recam, edit, made, folder, trash):
    take = made().name
    bpy.ops.recam.compare()
    assert strips(edit)[take].mute
    bpy.ops.recam.compare()
    assert not strips(edit)[take].mute
    bpy.ops.recam.show_take(take=take)
    assert strips(edit)[take].mute
    bpy.ops.recam.show_take(take=take)
    assert not strips(edit)[take].mute
    bpy.ops.recam.solo_take(take=take)
    assert recam("take_list").is_solo(edit, strips(edit)[take])
    bpy.ops.recam.copy_take_settings(take=take)
    bpy.ops.recam.camera_from_take(take=take)
    assert take in bpy.data.objects
    bpy.ops.recam.use_take(take=take)
    assert edit.recam.pinned == take
    assert recam("request").chosen_footage(edit).name == take
    edit.recam.pinned = ""
    bpy.ops.recam.remove_take(take=take)
    assert take not in strips(edit)
    assert in_takes(folder) == []
    made()
    with pytest.raises(RuntimeError, match="no take 'clip'"):
        bpy.ops.recam.solo_take(take="clip")
    assert bpy.ops.recam.load_takes() == {"FINISHED"}
    assert recam("tasks").ended("take_load").text.startswith("There are no other takes of 'clip'")


def test_an_unlocked_seed_counts_the_takes_that_are_asked_for(recam, edit):
    request, settings = recam("request"), edit.recam
    settings.engine, settings.seed = "recammaster", 5
    request.count_seed(edit)
    assert settings.seed == 5
    settings.lock_seed = False
    request.count_seed(edit)
    assert settings.seed == 6
    settings.seed = 2**31 - 1
    request.count_seed(edit)
    assert settings.seed == 0
    settings.engine = "reproject"  # which draws no random numbers, and shows no seed
    request.count_seed(edit)
    assert settings.seed == 0
