"""What takes are for where markers cut from one camera to another."""

import pytest
import shots
from timeline import in_window

CUT = shots.START + 6


@pytest.fixture
def edit(backend_python, folder, clip, recam, monkeypatch):
    """The small edit, whose second half another camera sees."""
    monkeypatch.setenv("RECAM_PYTHON", backend_python)
    (folder / "clip.mkv").write_bytes(clip.read_bytes())
    scene = in_window(shots.new_edit(backend_python, folder))
    first, second = scene.camera, shots.add_camera(scene, "Second")
    scene.camera = first
    for camera, frame in ((first, shots.START), (second, CUT)):
        scene.timeline_markers.new(camera.name, frame=frame).camera = camera
    yield scene
    recam("runtime").forget()


def uses(recam, edit):
    """What each cut's take is for: kind, frame from the cut on, frames held."""
    with recam("runtime").scratch_folder() as place:
        work = recam("planning").plan(recam("request").from_settings(edit), place)
        made = [shot.job.use for shot in recam("tasks").drain(work)]
    return [(each.kind, each.at, each.hold) if each.kind == "freeze" else (each.kind,) for each in made]


def freeze(edit, frame):
    edit.recam.use, edit.recam.use_at, edit.recam.use_hold, edit.recam.use_ease = "freeze", frame, 3, 0


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (shots.START + 1, [("freeze", 1, 3), ("move",)]),
        (CUT + 2, [("move",), ("freeze", 2, 3)]),
        (shots.START - 5, [("freeze", 0, 3), ("move",)]),
    ],
)
def test_only_the_cut_that_shows_the_instant_holds_it(recam, edit, frame, expected):
    freeze(edit, frame)
    assert uses(recam, edit) == expected
    seen = recam("watching").look_now(edit)
    held = max(frame, shots.START)
    assert not seen.trouble
    assert f"frames {held} to {held + 2} hold frame {held}" in seen.use


def test_a_look_at_another_cut_shows_the_footage_as_it_is(recam, edit):
    freeze(edit, CUT + 1)
    seen, asked = recam("watching").look_now(edit), recam("request").from_settings(edit)
    moment = recam("moment")
    stop = shots.START + shots.FRAMES
    shown = {}
    for frame in (shots.START + 2, CUT + 3):
        now = moment.Moment(edit.name, seen.stamp, frame, edit.name, "", float(frame), None, (64, 36))
        shown[frame] = moment._shown_at(now, seen, asked, shots.START, stop).frame
    assert shown == {shots.START + 2: shots.START + 2, CUT + 3: CUT + 1}


def test_a_known_point_belongs_to_its_cut_and_to_no_other_frame(recam, edit):
    settings = edit.recam
    settings.source_from, settings.use_known, settings.known_frame, settings.known_distance = (
        "footage",
        True,
        CUT + 1,
        3,
    )
    request, tasks = recam("request"), recam("tasks")
    with recam("runtime").scratch_folder() as place:
        made = tasks.drain(recam("planning").plan(request.from_settings(edit), place))
        assert [shot.job.known and shot.job.known.frame for shot in made] == [None, 1]
        settings.known_frame = shots.START + shots.FRAMES
        with pytest.raises(recam("errors").ReCamError, match="is not among those that are solved"):
            tasks.drain(recam("planning").plan(request.from_settings(edit), place))


def test_what_no_engine_is_named_for_is_refused_in_tables(recam):
    asked = {"scene": "Edit", "strip": "clip", "true_pixels": "yes"}
    with pytest.raises(recam("errors").ReCamError, match="true_pixels says nothing to the engine reproject"):
        recam("typed_request").from_texts(asked)
    assert recam("typed_request").from_texts(asked | {"engine": "reproject"}).true_pixels


def test_all_cuts_are_for_any_other_use(recam, edit):
    edit.recam.use = "closer"
    assert uses(recam, edit) == [("closer",), ("closer",)]


@pytest.mark.parametrize("use", ["closer", "outpaint"])
def test_the_move_is_over_what_is_shown_and_not_over_handles(recam, edit, use):
    edit.timeline_markers.clear()
    edit.recam.use, edit.recam.range, edit.recam.handles = use, "preview", 2
    edit.use_preview_range = True
    edit.frame_preview_end, edit.frame_preview_start = shots.START + 7, shots.START + 3
    with recam("runtime").scratch_folder() as place:
        work = recam("planning").plan(recam("request").from_settings(edit), place)
        (shot,) = recam("tasks").drain(work)
    assert len(shot.job) == 9
    assert (shot.job.use.lead, shot.job.use.tail) == (2, 2)
