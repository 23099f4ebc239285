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
from backend.recammaster.timing import network_times
from backend.recammaster.views import find_views

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
    times = network_times(shot.length, generation.frames)
    views = find_views(shot, fitted)
    found = sentences(shot, fitted, views, times, generation, transparent=transparent) + notes(shot, times)
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
        (96, 81, ["96 frames", "as 81", "(15)"]),
        (162, 81, ["162 frames", "(81)"]),
        (163, 81, ["163 frames", "coarse", "split the strip"]),
    ],
)
def test_another_number_of_frames_is_told(length, frames, words):
    sentence = only(make(length=length), frames=frames)
    for each in words:
        assert each in sentence
    assert ("split" in sentence) == (length > 2 * frames)


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
    def of(length, frames=81):
        shot, times = make(length=length), network_times(length, frames)
        generation = Generation(frames=frames)
        fitted = find_fit(shot.source.width, shot.source.height, generation)
        return bool(notes(shot, times)), bool(
            sentences(shot, fitted, find_views(shot, fitted), times, generation, transparent=False)
        )

    assert of(81) == (False, False)
    assert of(24) == of(120) == of(162) == (True, False)
    assert of(163) == (False, True)
    assert of(7, frames=1)[1]
