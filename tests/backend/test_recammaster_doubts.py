"""What is said of a take, and when: each sentence when it is true, and only then."""

import dataclasses

import numpy as np
import pytest
from raytraced import arc, lens_for, pose_at, trajectory

from backend import contract
from backend.contract import Generation
from backend.engines import Shot
from backend.recammaster.doubts import notes, sentences
from backend.recammaster.fitting import find_fit
from backend.recammaster.timing import schedule
from backend.recammaster.views import find_views
from backend.recammaster.windows import Seam

SIZE = (832, 480)
LENS = lens_for(*SIZE)


def make(
    source=None, target=None, *, length=81, size=SIZE, take=SIZE, lens=LENS, target_lenses=None, source_lenses=None
):
    """A shot of cameras that stand still, where nothing else is said."""
    source, target = source or [pose_at()] * length, target or [pose_at()] * length
    cameras = [trajectory(source, lens, *size), trajectory(target, lens, *size)]
    for index, lenses in enumerate((source_lenses, target_lenses)):
        if lenses:
            cameras[index] = dataclasses.replace(cameras[index], intrinsics=tuple(lenses))
    return Shot(
        footage=None,
        depth=None,
        source=cameras[0],
        target=cameras[1],
        subject_distance=4.0,
        settings=contract.EngineSettings(),
        width=take[0],
        height=take[1],
    )


def said(shot, *, transparent=False, **generation):
    generation = Generation(**generation)
    fitted = find_fit(shot.source.width, shot.source.height, generation)
    asked = schedule(shot.length, generation.frames, overlap=generation.overlap, rate=shot.rate, shows=shot.shows)
    views = find_views(shot, fitted)
    found = sentences(shot, fitted, views, asked, generation, transparent=transparent) + notes(shot, asked)
    for each in found:
        assert each[0].isupper() or each[0].isdigit()
        assert each.endswith(".")
        assert "  " not in each
    return found


def only(shot, **options):
    found = said(shot, **options)
    assert len(found) == 1, found
    return found[0]


def test_what_the_network_was_trained_on_needs_no_words():
    assert said(make()) == []
    ways = [[arc(60 * n / 80) for n in range(81)], [pose_at((0, 0, 3 * n / 80), turn=40 * n / 80) for n in range(81)]]
    for way in ways:
        assert said(make(target=way)) == []


def test_another_first_view_than_the_footage_is_told_in_metres_and_degrees():
    poses = [pose_at((0.3, 0, 0.4), turn=10)] * 81
    sentence = only(make(target=poses))
    assert "0.50 m and 10.0 degrees" in sentence
    assert "start where the source camera does" in sentence
    # What counts is where the footage begins, not where the world does, and not how the source goes on.
    assert said(make(source=poses, target=poses)) == []
    assert said(make(source=[poses[0], *[pose_at((1, 1, 1), turn=40)] * 80], target=poses)) == []


@pytest.mark.parametrize(
    ("pose", "tells"), [((0.03, 0), False), ((0.05, 0), True), ((0, 0.4), False), ((0, 0.6), True)]
)
def test_a_first_view_that_is_all_but_the_same_is_the_same(pose, tells):
    assert bool(said(make(target=[pose_at((pose[0], 0, 0), turn=pose[1])] * 81))) == tells


def test_moves_beyond_the_training_data_are_told_with_their_frame():
    turning = [pose_at(turn=90 * n / 80) for n in range(81)]
    sentence = only(make(target=turning))
    assert "90 degrees" in sentence
    assert "frame 81" in sentence
    assert "75" in sentence
    going = [pose_at((0, 0, -20 * min(n, 40) / 40)) for n in range(81)]
    sentence = only(make(target=going))
    assert "20 m" in sentence
    assert "frame 41" in sentence
    both = only(make(target=[pose_at((0, 0, -n / 4), turn=n * 2) for n in range(81)]))
    assert "160 degrees" in both
    assert "20 m" in both


def test_full_turn_is_measured_to_the_half_turn():
    sentence = only(make(target=[pose_at(turn=180 * n / 80) for n in range(81)]))
    assert "180 degrees" in sentence


def test_edges_that_the_crop_takes_are_told_and_padding_is_the_way_out():
    lens = lens_for(1920, 1080)
    sentence = only(make(size=(1920, 1080), take=(1920, 1080), lens=lens))
    assert "97.5%" in sentence
    assert "'pad'" in sentence
    assert said(make(size=(1920, 1080), take=(1920, 1080), lens=lens), fit="pad") == []


def test_a_wider_lens_than_the_footage_is_told_with_its_worst_frame():
    lenses = [LENS] * 30 + [lens_for(*SIZE, 70)] + [LENS] * 50
    sentence = next(each for each in said(make(target_lenses=lenses)) if "sees more" in each)
    share = np.tan(np.radians(55 / 2)) / np.tan(np.radians(70 / 2))
    assert f"{share:.1%}" in sentence
    assert "frame 31" in sentence
    assert "no wider" in sentence
    assert "'pad'" not in sentence


def test_a_lens_that_grows_longer_is_told_with_what_it_costs():
    lenses = [dataclasses.replace(LENS, fx=LENS.fx * zoom, fy=LENS.fy * zoom) for zoom in np.linspace(1, 2.5, 81)]
    sentence = only(make(target_lenses=lenses))
    assert "changes" in sentence
    assert "40%" in sentence
    assert "frame 81" in sentence
    still = only(make(target_lenses=[lenses[-1]] * 81))
    assert "is longer than the footage's" in still
    assert said(make(target_lenses=lenses[:1] * 80 + [lenses[10]])) == []


def test_a_take_of_another_shape_is_no_longer_lens():
    lens = lens_for(480, 480, 2 * np.degrees(np.arctan(480 / 832 * np.tan(np.radians(55 / 2)))))
    shot = make(take=(480, 480))
    target = dataclasses.replace(shot.target, width=480, height=480, intrinsics=(lens,) * 81)
    assert said(dataclasses.replace(shot, target=target)) == []


def test_a_lens_shifted_out_of_the_frame_is_told():
    lens = dataclasses.replace(LENS, fx=LENS.fx * 1.3, fy=LENS.fy * 1.3, cx=LENS.cx + 300)
    sentence = only(make(target_lenses=[lens] * 81))
    assert "shifted" in sentence


def test_footage_that_zooms_is_told():
    lenses = [dataclasses.replace(LENS, fx=LENS.fx * zoom, fy=LENS.fy * zoom) for zoom in np.linspace(1, 1.3, 81)]
    sentence = only(make(source_lenses=lenses, target_lenses=lenses))
    assert sentence.startswith("The source camera's lens changes")


@pytest.mark.parametrize(
    ("length", "frames", "words"),
    [
        (1, 81, ["one frame", "81 times"]),
        (40, 81, ["40 frames", "as 81", "in between"]),
        (91, 81, ["91 frames", "as 81", "(10)"]),
        (92, 81, ["92 frames", "2 windows of 81", "last 69 frames"]),
        (400, 81, ["400 frames", "6 windows of 81", "last 17 frames"]),
    ],
)
def test_another_number_of_frames_is_told(length, frames, words):
    sentence = only(make(length=length), frames=frames)
    for each in words:
        assert each in sentence


@pytest.mark.parametrize(("length", "words"), [(96, ["(15)"]), (162, ["(81)"]), (163, ["coarse", "an overlap of 17"])])
def test_a_clip_that_is_thinned_out_as_asked_is_told_of(length, words):
    sentence = only(make(length=length), overlap=0)
    assert f"{length} frames were shown to the network as 81" in sentence
    for each in words:
        assert each in sentence
    assert ("windows" in sentence) == (length > 162)


def test_a_high_rate_is_told_with_what_was_drawn():
    found = said(dataclasses.replace(make(length=400), rate=60.0))
    assert "201 frames were drawn in 3 windows of 81" in found[0]
    assert "Of 60 frames per second the network drew every second" in found[1]


def test_footage_that_repeats_itself_is_told_of():
    found = said(dataclasses.replace(make(length=100), shows=tuple(index // 2 for index in range(100))))
    assert found[0].startswith("51 frames were shown to the network as 81")
    assert found[1].startswith("49 frames of the timeline show the same footage as the one before")


def test_seams_are_told_with_their_measure_and_warned_of_where_they_may_be_seen():
    shot = make(length=200)
    asked, generation = schedule(200, 81), Generation()
    fitted = find_fit(*SIZE, generation)
    seams = [Seam(80, 0.02, 0.02), Seam(140, 0.05, 0.02)]
    told = notes(shot, asked, [0, 1], seams)
    assert "at most 2.50 times as much as around there (at frame 141)" in told[1]
    assert "2 of the 3 windows were there already" in told[2]
    warned = sentences(shot, fitted, find_views(shot, fitted), asked, generation, seams, transparent=False)
    assert "(frame 81, 141)" in warned[0]
    assert warned[1].startswith("At frame 141, where two windows meet, the picture changes 2.5 times")
    assert len(warned) == 2


def test_one_frame_of_the_network_for_many_of_the_take_is_told():
    assert any("draws one frame, which the take shows 7 times" in each for each in said(make(length=7), frames=1))


def test_sizes_and_lengths_that_the_weights_do_not_know_are_told():
    for options in ({"frames": 49}, {"width": 640}, {"height": 720}):
        shot = make(length=options.get("frames", 81))
        found = [each for each in said(shot, fit="pad", **options) if "nobody has judged" in each]
        assert len(found) == 1
        assert "81 frames of 832x480" in found[0]
    assert "49 frames of 832x480" in only(make(length=49), frames=49)


def test_alpha_and_mask_are_told():
    assert "transparent" in only(make(), transparent=True)
    assert "white" in only(dataclasses.replace(make(), mask=True))


def test_what_was_only_decided_is_noted_and_what_may_go_wrong_is_warned_of():
    def of(length, frames=81, overlap=None):
        shot, asked = make(length=length), schedule(length, frames, overlap=overlap)
        generation = Generation(frames=frames)
        fitted = find_fit(shot.source.width, shot.source.height, generation)
        return bool(notes(shot, asked)), bool(
            sentences(shot, fitted, find_views(shot, fitted), asked, generation, transparent=False)
        )

    assert of(81) == (False, False)
    assert of(24) == of(120) == of(162) == of(163) == of(162, overlap=0) == (True, False)
    assert of(163, overlap=0) == (False, True)
    assert of(7, frames=1)[1]
