"""What the overlay decides to draw, without a window to draw it in: lines, words, the bar's cells, and manners."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import shots
import timeline

DISTANCE = 10.0


@pytest.fixture
def edit(recam: Any, clip: Path) -> bpy.types.Scene:
    """A target that goes 2 m sideways and a source that stands 1 m behind where it starts."""
    scene = timeline.in_window(timeline.new_scene())
    timeline.strips(scene).new_movie("clip", str(clip), 2, shots.START)
    scene.sequence_editor.active_strip = timeline.strips(scene)[0]
    source = shots.add_camera(scene, "Source")
    shots.add_camera(scene, "Target", move=2.0)
    for curve_frame in (shots.START, shots.START + shots.FRAMES - 1):
        source.location.y = -4.0
        source.keyframe_insert("location", frame=curve_frame)
    scene.recam.source_camera, scene.recam.subject_distance = source, DISTANCE
    return scene


@pytest.fixture
def draw(recam: Any) -> Any:
    return recam("overlay.draw")


def plan_of(recam: Any, scene: bpy.types.Scene, **more: Any) -> Any:
    seen = recam("watching").look_now(scene)
    assert not seen.trouble
    return recam("overlay.draw").plan_for(seen, scene.recam, scene.unit_settings.scale_length, **more)


def dark(recam: Any) -> Any:
    return recam("overlay.pens").of_theme((0.24, 0.24, 0.24))


def by_colour(drawn: list[tuple[np.ndarray, Any, float]], colour: Any) -> list[np.ndarray]:
    return [points for points, own, _ in drawn if tuple(np.float32(own).ravel()[:3]) == tuple(np.float32(colour[:3]))]


def test_paths_stand_where_the_cameras_do(recam: Any, draw: Any, edit: bpy.types.Scene) -> None:
    edit.recam.show_frusta = False
    colours = dark(recam)
    drawn = draw.standing_lines(plan_of(recam, edit), colours)
    assert len(drawn) == 2
    (target,) = by_colour(drawn, colours.target)
    for frame in range(shots.FRAMES - 1):
        for place in (0, 1):
            edit.frame_set(shots.START + frame + place)
            at = edit.objects["Target"].matrix_world.translation
            np.testing.assert_allclose(target[2 * frame + place], at, atol=1e-5)
    (source,) = by_colour(drawn, colours.source)
    np.testing.assert_allclose(source, np.tile((0.0, -4.0, 0.0), (len(source), 1)), atol=1e-5)


def test_each_setting_takes_its_own_away(recam: Any, draw: Any, edit: bpy.types.Scene) -> None:
    colours, settings = dark(recam), edit.recam

    def count() -> tuple[int, int]:
        plan = plan_of(recam, edit)
        return len(draw.standing_lines(plan, colours)), len(draw.labels(plan, colours, edit))

    lines, words = count()
    settings.show_path = False
    assert count() == (lines - 2, words)
    settings.show_frusta = False
    assert count() == (0, words)
    settings.show_numbers = False
    assert count()[1] == 1, "what is wrong is said even where frames have no numbers"


def test_a_first_view_that_differs_is_red_and_told(recam: Any, draw: Any, edit: bpy.types.Scene) -> None:
    colours = dark(recam)
    plan = plan_of(recam, edit)
    (red,) = by_colour(draw.standing_lines(plan, colours), colours.wrong)
    at = np.array((0.0, -3.0, 0.0))
    assert np.isclose(red, at, atol=1e-5).all(axis=1).sum() == 4
    assert draw.labels(plan, colours, edit)[0][0] == "starts 1 m from the source"
    edit.objects["Source"].rotation_euler.z = 0.2
    for frame in (shots.START, shots.START + shots.FRAMES - 1):
        edit.objects["Source"].keyframe_insert("rotation_euler", frame=frame)
    assert draw.labels(plan_of(recam, edit), colours, edit)[0][0] == "starts 1 m and 11° from the source"
    edit.recam.source_camera = edit.objects["Target"]
    plan = plan_of(recam, edit)
    assert plan.wrong is None
    assert not by_colour(draw.standing_lines(plan, colours), colours.wrong)


def test_words_count_in_metres_whatever_the_scenes_unit(recam: Any, draw: Any, edit: bpy.types.Scene) -> None:
    edit.unit_settings.scale_length = 0.01
    plan = plan_of(recam, edit)
    # 1 unit is 1 cm, and a hundredth of the subject's distance is 10 cm.
    assert plan.wrong is None
    edit.recam.subject_distance = 0.5
    assert draw.labels(plan_of(recam, edit), dark(recam), edit)[0][0] == "starts 0.01 m from the source"


def test_a_fresh_forecast_colours_the_path_and_a_stale_one_does_not(
    recam: Any, draw: Any, edit: bpy.types.Scene
) -> None:
    overlay, colours = recam("overlay"), dark(recam)
    shares = [index / (shots.FRAMES - 1) / 2 for index in range(shots.FRAMES)]
    overlay.show_forecast(edit.name, "clip", shots.START, shares)
    plan = plan_of(recam, edit)
    drawn = draw.standing_lines(plan, colours)
    assert not by_colour(drawn, colours.target)
    ramps = [own for _, own, _ in drawn if isinstance(own, np.ndarray)]
    assert len(ramps[0]) == 2 * (shots.FRAMES - 1)
    assert ramps[0][0, 1] > 0.5 > ramps[0][0, 0]
    assert ramps[0][-1, 0] > 0.5 > ramps[0][-1, 1]
    words = [text for text, _, _ in draw.labels(plan, colours, edit)]
    assert f"{shots.START}: 0 %" in words
    assert f"{shots.START + shots.FRAMES - 1}: 50 %" in words
    overlay.show_forecast(edit.name, "clip", shots.START, shares, stale=True)
    assert by_colour(draw.standing_lines(plan_of(recam, edit), colours), colours.target)
    # Of other frames than those that are re-shot: what is not known has no colour.
    overlay.show_forecast(edit.name, "clip", shots.START + 3, shares)
    assert by_colour(draw.standing_lines(plan_of(recam, edit), colours), colours.target)
    overlay.clear()


def test_numbers_are_those_of_the_cameras_scene_and_shares_those_of_the_edit(
    recam: Any, draw: Any, edit: bpy.types.Scene
) -> None:
    edit.recam.use_camera_frame, edit.recam.camera_frame = True, shots.START + 1.0
    recam("overlay").show_forecast(edit.name, "clip", shots.START, [0.25, *[0.0] * (shots.FRAMES - 1)])
    words = [text for text, _, _ in draw.labels(plan_of(recam, edit), dark(recam), edit)]
    assert f"{shots.START + 1}: 25 %" in words
    recam("overlay").clear()


def test_the_current_frame_stands_out_where_it_is_one_of_the_path(recam: Any, draw: Any, edit: bpy.types.Scene) -> None:
    colours = dark(recam)
    edit.frame_set(shots.START + 4)
    plan = plan_of(recam, edit)
    drawn = draw.current_lines(plan, colours, edit)
    (points,) = by_colour(drawn, colours.current)
    at = np.array(edit.objects["Target"].matrix_world.translation)
    assert np.isclose(points, at, atol=1e-5).all(axis=1).sum() == 4
    assert draw.labels(plan, colours, edit)[1][0] == str(shots.START + 4)
    edit.frame_set(shots.START - 5)
    assert not draw.current_lines(plan, colours, edit)


def test_what_the_view_is_in_is_left_out(recam: Any, draw: Any, edit: bpy.types.Scene) -> None:
    colours = dark(recam)
    eye = (0.0, -3.0, 0.0)
    plan = plan_of(recam, edit, eye=eye)
    for points, _, _ in draw.standing_lines(plan, colours):
        assert np.linalg.norm(points - np.array(eye), axis=1).min() > 0.1 * plan.size
    assert all(text != str(shots.START) for text, _, _ in draw.labels(plan, colours, edit))


@pytest.mark.usefixtures("edit")
def test_cuts_are_drawn_each_for_itself(recam: Any, draw: Any) -> None:
    scene = bpy.data.scenes["Edit"]
    second = shots.add_camera(scene, "Second", move=-1.0)
    second.location.z = 5.0
    for frame, name in ((1, "Target"), (shots.START + 6, "Second")):
        scene.timeline_markers.new("cut", frame=frame).camera = scene.objects[name]
    scene.recam.show_frusta, scene.recam.source_camera = False, None
    drawn = by_colour(draw.standing_lines(plan_of(recam, scene), dark(recam)), dark(recam).target)
    assert [len(points) for points in drawn] == [2 * 5, 2 * (shots.FRAMES - 6 - 1)]


# The bar


@pytest.mark.parametrize(("width", "count"), [(400, 12), (12, 12), (5, 5)])
def test_the_bar_has_a_cell_for_each_frame_that_the_strip_shows(recam: Any, width: int, count: int) -> None:
    shares = recam("overlay").Shares(10, tuple(index / 20 for index in range(12)))
    points, colours = recam("overlay.strip_bar").cells(shares, 10, 22, (100, 100 + width), (5, 9), alpha=1.0)
    assert points.shape == (6 * count, 2)
    assert (points.min(axis=0).tolist(), points.max(axis=0).tolist()) == ([100, 5], [100 + width, 9])
    cells = colours.reshape(count, 6, 4)
    assert (cells == cells[:, :1]).all()
    assert np.allclose(cells[-1, 0], recam("overlay.frusta").ramp([11 / 20])[0])


def test_trimmed_frames_keep_their_shares_and_unknown_ones_are_grey(recam: Any) -> None:
    shares = recam("overlay").Shares(10, (0.0, 0.5, 0.0, 0.0))
    _, colours = recam("overlay.strip_bar").cells(shares, 11, 16, (0, 100), (0, 4), alpha=0.35)
    cells = colours.reshape(5, 6, 4)[:, 0]
    red, green = recam("overlay.frusta").ramp([0.5, 0.0], 0.35)
    assert np.allclose(cells, [red, green, green, (0.5, 0.5, 0.5, 0.35), (0.5, 0.5, 0.5, 0.35)])


def test_the_worst_is_told_in_figures(recam: Any) -> None:
    words = recam("overlay.strip_bar").worst_words
    assert (words(0.314, False), words(0.314, True)) == ("31 %", "31 % (out of date)")


# What is kept, and manners


def test_forecasts_and_pictures_end_with_their_file(recam: Any) -> None:
    overlay = recam("overlay")
    overlay.show_forecast("Edit", "clip", 1, [0.5])
    overlay.show_forecast("Other", "clip", 1, [0.1])
    overlay.show_picture(np.zeros((2, 3, 4), np.float32), "Edit", "Target", "frame 1")
    assert list(overlay.forecasts("Edit")) == ["clip"]
    assert overlay.forecast("Edit", "clip").at(1) == 0.5
    assert overlay.forecast("Edit", "clip").at(2) is None
    bpy.ops.wm.read_homefile(use_empty=True)
    assert not overlay.forecasts("Edit")
    assert overlay.forecast("Other", "clip") is None
    assert overlay.state.picture() is None


def test_a_picture_stays_under_new_words_until_another_camera_waits(recam: Any) -> None:
    overlay = recam("overlay")
    pixels = np.zeros((2, 3, 4), np.float32)
    overlay.show_picture(pixels, "Edit", "Target", "frame 1")
    overlay.show_picture(None, "Edit", "Target", "waiting …")
    assert (overlay.state.picture().pixels is pixels, overlay.state.picture().words) == (True, "waiting …")
    overlay.show_picture(None, "Edit", "Other", "waiting …")
    assert overlay.state.picture().pixels is None
    overlay.hide_picture()
    assert overlay.state.picture() is None


def test_nothing_is_left_when_it_is_switched_off(recam: Any) -> None:
    overlay, state = recam("overlay"), recam("overlay.state")
    handlers = bpy.app.handlers.load_post
    assert handlers.count(state.after_load) == 1
    overlay.show_forecast("Edit", "clip", 1, [0.5])
    overlay.unregister()
    assert state.after_load not in handlers
    assert not overlay.forecasts("Edit")
    overlay.register()
    assert handlers.count(state.after_load) == 1


def test_the_edit_is_found_from_the_cameras_scene(recam: Any, edit: bpy.types.Scene) -> None:
    where = recam("overlay.where")
    assert where.edit_of(bpy.context) == edit
    world = bpy.data.scenes.new("World")
    edit.recam.camera_scene = world
    timeline.in_window(world)
    assert where.edit_of(bpy.context) == edit
    other = bpy.data.scenes.new("Lunch")
    timeline.in_window(other)
    assert where.edit_of(bpy.context) is None
