"""The live preview: the frame of this moment is that of the whole take, and nothing is asked for that nobody sees."""

import dataclasses
import json
import math
import time

import bpy
import numpy as np
import pytest
import shots
from timeline import in_window, save, strips


@pytest.fixture
def edit(backend_python, folder, monkeypatch):
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    return in_window(shots.new_edit(backend_python, folder))


@pytest.fixture
def view(edit):
    """A 3D view that looks through the scene's camera."""
    area = bpy.context.window.screen.areas[0]
    before, area.type = area.type, "VIEW_3D"
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    yield area
    area.type = before


@pytest.fixture
def live(recam, edit):
    yield recam("live")
    recam("live").disable()


@pytest.fixture
def asked(recam, monkeypatch):
    """Questions to an assistant that answers when it is told to, with a grey picture of which a quarter is invented."""

    class Assistant(list):
        hold = False

        def __call__(self, method, params, *, key="", python=""):
            job = recam.backend("contract").Job.from_json(json.loads(json.dumps(params["job"])))
            self.append(job)
            waiting = recam.backend("contract").Progress(phase="drawing", step=0, total=0)
            yield recam("planning").Step(waiting, idle=True)
            while self.hold:
                yield recam("planning").Step(waiting, idle=True)
            size = job.output.width, job.output.height
            np.full((size[1], size[0], 4), 0.5, np.float32).tofile(params["path"])
            return {"path": params["path"], "width": size[0], "height": size[1], "invented": 0.25}

    assistant = Assistant()
    monkeypatch.setattr(recam("assistant"), "ask", assistant)
    return assistant


@pytest.fixture
def work(recam, edit, live):
    """Background Blender has no timers: look, and take the ticks of the preview, until something is so."""

    def work(until=None, seconds=60):
        end = time.monotonic() + seconds
        recam("watching").look_now(edit)
        # Without a condition: until nothing is under way any more.
        while True:
            live.advance()
            if until() if until else not (live._preview and live._preview.running):
                return
            assert time.monotonic() < end, live._preview.words
            time.sleep(0.005)

    return work


def shown(recam):
    return recam("overlay").state.picture()


def whole_jobs(recam, edit):
    """The take's own jobs, as planned."""
    with recam("runtime").scratch_folder() as place:
        planned = recam("tasks").drain(recam("planning").plan(recam("request").from_settings(edit), place))
    return [shot.job for shot in planned]


def same_but_for_size(recam, job, expected):
    """The same moment: poses, lenses in shares of the picture, footage, distance and depth."""
    cameras = recam.backend("cameras")
    assert (job.footage.files, job.footage.frames) == (expected.footage.files, expected.footage.frames)
    for mine, theirs in ((job.source, cameras.source_of(expected)), (job.target, expected.target)):
        assert np.allclose(mine.poses, theirs.poses, atol=1e-6)
        theirs = cameras.resized(theirs, mine.width, mine.height)
        for name in ("fx", "fy", "cx", "cy"):
            assert getattr(mine.intrinsics[0], name) == pytest.approx(getattr(theirs.intrinsics[0], name), rel=1e-6)
    assert job.subject_distance == expected.subject_distance
    # What would have to be found from the footage first is a plane to a look.
    depth = expected.settings.depth
    assert job.settings.depth == (depth if depth.kind in ("file", "scene") else type(depth)())


# The moment


def test_each_moment_is_the_frame_of_the_whole_take(recam, edit, view, live, asked, work):
    edit.recam.use_lens, edit.recam.lens = True, 35.0
    live.enable(edit)
    (whole,) = whole_jobs(recam, edit)
    for frame in (shots.START, shots.START + 5, shots.START + shots.FRAMES - 1):
        edit.frame_set(frame)
        work()
        same_but_for_size(recam, asked[-1], recam.backend("foresight").moment(whole, frame - shots.START))
        assert shown(recam).words == f"Frame {frame}: 25 % invented"
        assert (shown(recam).scene, shown(recam).camera) == ("Edit", "Target")
        assert shown(recam).pixels.shape == (64, 128, 4)
    assert len(asked) == 3


def test_a_source_camera_cuts_and_depth_files(recam, edit, view, live, asked, work, folder):
    place = folder / "depth"
    place.mkdir()
    for index in range(shots.FRAMES):
        np.save(place / f"{index:03d}.npy", np.full((64, 128), 2.0, np.float32))
    edit.recam.depth, edit.recam.depth_path = "file", str(place)
    one, two = shots.add_camera(edit, "One", move=1), shots.add_camera(edit, "Two", turn=0.3)
    for frame, camera in ((1, one), (shots.START + 4, two), (shots.START + 8, one)):
        edit.timeline_markers.new(camera.name, frame=frame).camera = camera
    live.enable(edit)
    for source in (None, bpy.data.objects["Target"]):
        edit.recam.source_camera = source
        jobs = whole_jobs(recam, edit)
        for frame, cut, index in ((12, 0, 2), (shots.START + 6, 1, 2), (shots.START + 10, 2, 2)):
            edit.frame_set(frame)
            work()
            same_but_for_size(recam, asked[-1], recam.backend("foresight").moment(jobs[cut], index))
            assert shown(recam).camera == ("One", "Two", "One")[cut]


def test_a_camera_that_is_moved_and_not_keyed_is_seen_as_it_stands(recam, edit, view, live, asked, work):
    live.enable(edit)
    edit.frame_set(shots.START + 5)
    work()
    before = asked[-1]
    edit.camera.location.x += 0.5
    bpy.context.view_layer.update()
    work()
    assert len(asked) == 2
    assert np.array(asked[-1].target.poses[0])[:3, 3] == pytest.approx((0.5, -3.0, 0.0), abs=1e-6)
    assert asked[-1].source == before.source, "what was filmed is where it was"
    work()
    assert len(asked) == 2, "nothing has changed"


def test_the_camera_may_live_in_another_scene(recam, edit, view, live, asked, work):
    edit.camera = None
    shot = bpy.data.scenes.new("Shot")
    shots.add_camera(shot, "Filmed", move=1.0)
    edit.recam.camera_scene = shot
    edit.recam.use_camera_frame, edit.recam.camera_frame = True, 110.0
    bpy.context.window.scene = shot
    live.enable(edit)
    (whole,) = whole_jobs(recam, edit)
    edit.frame_set(shots.START + 3)
    shot.frame_set(114)
    work()
    same_but_for_size(recam, asked[-1], recam.backend("foresight").moment(whole, 4))
    edit.frame_set(shots.START + 7)  # scrubbed in the sequencer: the view stands where it stood
    work()
    same_but_for_size(recam, asked[-1], recam.backend("foresight").moment(whole, 7))
    assert shown(recam).scene == "Shot"


def test_of_scene_depth_one_frame_is_rendered_and_kept(recam, edit, view, live, asked, work):
    bpy.ops.mesh.primitive_plane_add(size=100, location=(0, 5, 0), rotation=(math.pi / 2, 0, 0))
    edit.recam.source_camera = shots.add_camera(edit, "Source")
    edit.camera = bpy.data.objects["Target"]
    rendered = []
    render = recam("depth").render_depth

    def counted(*arguments, **keywords):
        rendered.append(arguments[3])
        return render(*arguments, **keywords)

    recam("depth").render_depth = counted
    try:
        live.enable(edit)
        for frame in (12, 13, 12):
            edit.frame_set(frame)
            work()
            (path,) = asked[-1].settings.depth.files
            assert np.allclose(np.load(path), 8.0, atol=1e-3)
        assert rendered == [(12.0,), (13.0,)]
        before = len(asked)
        edit.frame_set(13)
        assert len(asked) == before + 1, "what is kept is at hand as soon as the frame has changed"
        work()
        wall = bpy.data.objects["Plane"]
        wall.location.y = 6
        bpy.context.view_layer.update()
        edit.frame_set(12)
        work()
        (path,) = asked[-1].settings.depth.files
        assert np.allclose(np.load(path), 9.0, atol=1e-3), "what was moved is rendered anew"
    finally:
        recam("depth").render_depth = render


def test_depth_is_as_large_as_the_footage_and_rendered_small(recam, edit, live):
    fitted = recam("moment").fitted
    assert fitted(1920, 1080, (5000, 5000)) == (832, 468)
    assert fitted(1080, 1920, (5000, 5000)) == (468, 832)
    assert fitted(832, 480, (5000, 5000)) == (832, 480)
    assert fitted(128, 64, (5000, 5000)) == (128, 64)
    assert fitted(1920, 1080, (416, 800)) == (416, 234)


@pytest.mark.parametrize("kind", ["pictures", "flipped", "slow"])
def test_other_strips(recam, edit, view, live, asked, work, folder, kind):
    """Pictures are read one by one, what Blender changes is rendered one by one, what is retimed is measured once."""
    if kind == "pictures":
        paths = []
        for index, picture in enumerate(shots.pictures()):
            paths.append(folder / f"{index:03d}.png")
            save(picture, paths[-1])
        strips(edit).remove(strips(edit)["clip"])
        strip = strips(edit).new_image("clip", str(paths[0]), 2, shots.START, fit_method="ORIGINAL")
        for path in paths[1:]:
            strip.elements.append(path.name)
        edit.sequence_editor.active_strip = strip
        strip.use_reverse_frames = True
    elif kind == "flipped":
        strips(edit)["clip"].use_flip_x = True
    else:
        edit.render.fps = 12
    live.enable(edit)
    for frame in (shots.START + 2, shots.START + 3, shots.START + 2):
        edit.frame_set(frame)
        work()
        assert shown(recam).words.startswith(f"Frame {frame}: 25 %")
    files = [job.footage.files for job in asked]
    if kind == "pictures":
        assert [each[0][-7:] for each in files] == ["009.png", "008.png", "009.png"]
    elif kind == "flipped":
        assert files[0] == files[2] != files[1]
        assert not [each for each in bpy.data.scenes if each.name not in ("Edit", "Scene")]
    else:
        (whole,) = whole_jobs(recam, edit)
        assert [job.footage.frames for job in asked] == [(whole.footage.frames[each],) for each in (2, 3, 2)]


# What is asked for, and when


def test_the_newest_wins_and_one_question_is_under_way_at_a_time(recam, edit, view, live, asked, work):
    live.enable(edit)
    asked.hold = True
    edit.frame_set(11)
    work(lambda: len(asked) == 1)
    for frame in (12, 13, 14):
        edit.frame_set(frame)
        for _ in range(5):
            live.advance()
    assert len(asked) == 1
    asked.hold = False
    work(lambda: shown(recam) and shown(recam).words.startswith("Frame 14"))
    assert [job.footage.frames[0] for job in asked] == [1, 4]


def test_what_is_at_hand_is_asked_for_as_soon_as_the_frame_has_changed(recam, edit, view, live, asked, work):
    live.enable(edit)
    edit.frame_set(12)
    assert asked == [], "the clip is not read yet"
    work()
    scenes = len(bpy.data.scenes)
    edit.frame_set(13)
    assert [job.footage.frames for job in asked] == [(2,), (3,)]
    assert len(bpy.data.scenes) == scenes
    work()
    (whole,) = whole_jobs(recam, edit)
    same_but_for_size(recam, asked[-1], recam.backend("foresight").moment(whole, 3))
    edit.recam.depth = "scene"
    recam("watching").look_now(edit)
    edit.frame_set(14)
    assert len(asked) == 2, "depth is rendered by the timer"


def test_nothing_is_asked_for_where_nobody_looks_through_the_camera(recam, edit, view, live, asked, work):
    live.enable(edit)
    edit.frame_set(12)
    view.spaces.active.region_3d.view_perspective = "PERSP"
    work()
    assert asked == []
    view.spaces.active.region_3d.view_perspective = "CAMERA"
    view.spaces.active.overlay.show_overlays = False
    work()
    assert asked == []
    view.spaces.active.overlay.show_overlays = True
    work()
    assert len(asked) == 1


def test_beside_the_footage_there_are_words_and_no_picture(recam, edit, view, live, asked, work):
    live.enable(edit)
    edit.frame_set(12)
    work()
    edit.frame_set(5)
    work()
    assert shown(recam).pixels is None
    assert shown(recam).words == "Frame 5: no footage at this frame"
    edit.frame_set(12)
    work()
    assert shown(recam).pixels is not None
    edit.camera.data.type = "ORTHO"
    work()
    assert shown(recam).pixels is None
    assert "orthographic" in shown(recam).words


def test_why_there_is_no_picture_stands_in_its_place(recam, edit, view, live, work, monkeypatch, folder):
    monkeypatch.setenv("RECAM_PYTHON", str(folder / "nothing"))
    live.enable(edit)
    edit.frame_set(12)
    work()
    assert shown(recam).pixels is None
    assert "There is no Python at" in shown(recam).words


def test_it_ends_with_its_file_its_camera_and_its_scene(recam, edit, view, live, asked, work):
    live.enable(edit)
    edit.frame_set(12)
    work()
    folder = live._preview.folder.name
    bpy.data.objects.remove(edit.camera)
    work()
    assert not live.enabled(edit)
    assert shown(recam) is None
    assert recam("runtime").message.text == "The live preview has ended: its camera is gone."
    assert not recam("runtime").os.path.exists(folder)
    shots.add_camera(edit, "Another")
    live.enable(edit)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert live._preview is None


def test_the_button_switches_it_on_and_off_and_says_why_not(recam, edit, view, live, asked):
    area = {"area": view, "region": next(each for each in view.regions if each.type == "WINDOW")}
    with bpy.context.temp_override(window=bpy.context.window, **area):
        assert bpy.ops.recam.live_preview() == {"FINISHED"}
        assert live.enabled(edit)
        assert bpy.ops.recam.live_preview() == {"FINISHED"}
        assert not live.enabled(edit)
        edit.sequence_editor.active_strip = None
        assert not bpy.ops.recam.live_preview.poll()


# By the real assistant


def test_the_picture_is_the_footage_where_the_camera_has_not_moved(recam, edit, view, live, work):
    """At the first frame the target stands where the source does: the picture is that frame of the clip."""
    edit.recam.subject_distance = 3.0
    live.enable(edit)
    edit.frame_set(shots.START)
    work(lambda: shown(recam) is not None and shown(recam).pixels is not None)
    pixels = shown(recam).pixels
    assert shown(recam).words == f"Frame {shots.START}: nothing invented"
    assert pixels.shape == (64, 128, 4)
    assert np.abs(pixels[::-1, :, :3] * 255 - shots.pictures()[0]).max() < 1.5
    edit.frame_set(shots.START + shots.FRAMES - 1)  # turned to the left, by 0.05
    work(lambda: "% invented" in shown(recam).words)
    pixels = shown(recam).pixels
    red = pixels[:, :3, 0].mean() - pixels[:, :3, 1].mean()
    assert red > pixels[:, 60:63, 0].mean() - pixels[:, 60:63, 1].mean(), "what is invented is reddened"


def test_sizes_are_whole_and_cameras_fit_them(recam, edit, view, live, asked, work):
    """A take of another shape than the footage, larger than what is drawn."""
    edit.recam.size, edit.recam.width, edit.recam.height = "custom", 1000, 1500
    live.enable(edit)
    edit.frame_set(12)
    work()
    job = asked[-1]
    assert (job.target.width, job.target.height) == (job.output.width, job.output.height)
    assert max(job.output.width, job.output.height) <= 832
    (whole,) = whole_jobs(recam, edit)
    same_but_for_size(recam, job, recam.backend("foresight").moment(dataclasses.replace(whole), 2))


@pytest.mark.parametrize("use", ["stabilise", "lock", "closer", "outpaint", "freeze"])
def test_a_moment_of_a_use_is_the_frame_of_its_take(recam, edit, view, live, asked, work, use):
    """Its path, and the instant that it holds."""
    target = edit.camera
    source = shots.add_camera(edit, "Source", move=0.4)
    source.location.x = 0.1
    edit.camera, settings = target, edit.recam
    settings.source_camera, settings.depth, settings.use = source, "plane", use
    settings.use_at, settings.use_hold, settings.use_ease = shots.START + 3, 4, 2
    live.enable(edit)
    whole = recam.backend("cameras.applied").applied(*whole_jobs(recam, edit))
    for frame in (shots.START, shots.START + 5, shots.START + 9):
        edit.frame_set(frame)
        work()
        same_but_for_size(recam, asked[-1], recam.backend("foresight").moment(whole, frame - shots.START))
