"""A clip that Blender's own motion tracking solved, as the footage's camera: against Blender's, and the truth.

What is tracked is exact: points of a made-up world, where a camera of ours sees them.
"""

import math

import bpy
import numpy as np
import pytest
import shots
from timeline import HEIGHT, WIDTH, new_scene, number_in, numbered, render, save, strips, write_movie

FRAMES = 16
FOCAL, MIDDLE = 110.0, (70.0, 29.0)
"""Pixels; the middle from the top left corner."""

FLIP = np.diag((1.0, -1.0, -1.0, 1.0))


def true_poses():
    """A camera that goes past, up and ahead, and turns: x right, y down, z ahead."""
    poses = []
    for share in np.linspace(0, 1, FRAMES):
        turn, roll = math.radians(-14 * share), math.radians(3 * math.sin(5 * share))
        yaw = np.array([[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]])
        lean = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = yaw @ lean, (1.5 * share, -0.4 * share**2, 0.3 * share)
        poses.append(pose)
    return np.array(poses)


POINTS = np.random.default_rng(0).uniform((-3.0, -1.2, 3.5), (4.0, 1.2, 8.0), (120, 3))


def seen(pose, aspect):
    """Where the points are in the picture, pixels from the top left corner, and how far."""
    there = (POINTS - pose[:3, 3]) @ pose[:3, :3]
    return FOCAL * there[:, :2] * (1, aspect) / there[:, 2:] + MIDDLE, there[:, 2]


def solve(path, aspect=1.0):
    """A clip of these frames, tracked and solved."""
    clip = bpy.data.movieclips.load(str(path))
    camera = clip.tracking.camera
    camera.units, camera.pixel_aspect, camera.focal_length_pixels = "PIXELS", aspect, FOCAL
    camera.principal_point_pixels = MIDDLE[0], HEIGHT - MIDDLE[1]
    seen_at = [seen(pose, aspect)[0] / (WIDTH, HEIGHT) for pose in true_poses()]
    for index in range(len(POINTS)):
        places = np.array([each[index] for each in seen_at])
        if not ((places > 0.02) & (places < 0.98)).all():
            continue
        track = clip.tracking.tracks.new(name=f"P{index}", frame=1)
        for frame, (x, y) in enumerate(places, 1):
            track.markers.insert_frame(frame, co=(x, 1 - y))
    clip.tracking.objects.active.keyframe_a, clip.tracking.objects.active.keyframe_b = 1, FRAMES
    area = max(bpy.context.screen.areas, key=lambda each: each.width * each.height)
    before, area.type = area.type, "CLIP_EDITOR"
    area.spaces.active.clip = clip
    region = next(each for each in area.regions if each.type == "WINDOW")
    with bpy.context.temp_override(window=bpy.context.window, area=area, region=region):
        assert bpy.ops.clip.solve_camera() == {"FINISHED"}
    area.type = before
    assert len(clip.tracking.tracks) > 20
    assert clip.tracking.reconstruction.average_error < 0.05
    return clip


@pytest.fixture
def movie(backend_python, folder):
    path = folder / "tracked.mkv"
    write_movie(backend_python, path, shots.pictures(FRAMES))
    return path


@pytest.fixture
def edit(recam, movie):
    """The movie in a sequencer, and a target camera somewhere else."""
    scene = new_scene("Edit")
    strip = strips(scene).new_movie("clip", str(movie), 2, 11)
    scene.sequence_editor.active_strip = strip
    camera = shots.add_camera(scene, "Target")
    camera.animation_data_clear()
    camera.location, camera.rotation_euler = (2.0, -1.0, 1.5), (1.2, 0.0, 0.4)
    bpy.context.window.scene = scene
    return scene


def poses_of(scene, camera, frames):
    """As Blender has them, x right, y down and z ahead."""
    result = []
    for frame in frames:
        scene.frame_set(frame)
        result.append(np.array(camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world) @ FLIP)
    return np.array(result)


def from_first(poses):
    return np.linalg.inv(poses[0]) @ poses


def press(edit):
    before = set(bpy.data.objects)
    assert bpy.ops.recam.camera_from_clip() == {"FINISHED"}
    (camera,) = set(bpy.data.objects) - before
    assert edit.recam.source_camera == camera
    return camera


def test_it_goes_as_the_true_camera_from_where_the_target_starts(edit, movie):
    """Its world is as large as the subject distance says for what was tracked in the first frame."""
    clip = solve(movie)
    edit.recam.subject_distance = 7.0
    camera = press(edit)
    found = poses_of(edit, camera, range(11, 11 + FRAMES))
    assert found[0] == pytest.approx(np.array(bpy.data.objects["Target"].matrix_world) @ FLIP, abs=1e-5)
    true = true_poses()
    _, depth = seen(true[0], 1.0)
    names = [int(each.name[1:]) for each in clip.tracking.tracks]
    true[:, :3, 3] *= 7.0 / np.median(depth[names])
    assert from_first(found) == pytest.approx(from_first(true), abs=5e-3)
    assert camera.data.lens / camera.data.sensor_width == pytest.approx(FOCAL / WIDTH)
    assert camera.data.shift_x == pytest.approx(0.5 - MIDDLE[0] / WIDTH)
    assert camera.data.shift_y == pytest.approx((MIDDLE[1] - HEIGHT / 2) / WIDTH)


def test_it_goes_as_blenders_own_constraint_where_one_follows_the_solve(edit, movie):
    """Frame by frame, in the world that was oriented and scaled; the strip lies elsewhere than the clip."""
    clip = solve(movie)
    clip.frame_start = 31
    edit.active_clip = clip
    follower = bpy.data.objects.new("Follower", bpy.data.cameras.new("Follower"))
    edit.collection.objects.link(follower)
    follower.location, follower.rotation_euler, follower.scale = (1.0, 2.0, 3.0), (1.4, 0.1, 0.3), (2.5, 2.5, 2.5)
    constraint = follower.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip = True
    camera = press(edit)
    wanted = poses_of(edit, follower, range(31, 31 + FRAMES))
    wanted[:, :3, :3] /= 2.5
    assert np.abs(wanted[-1, :3, 3] - wanted[0, :3, 3]).max() > 0.5
    assert poses_of(edit, camera, range(11, 11 + FRAMES)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("offset", [0, 3])
def test_frames_are_told_apart_in_trimmed_strips_and_offset_clips(edit, movie, offset):
    """The strip begins at its file's fifth frame. A clip that leaves out three counts from the fourth."""
    clip = solve(movie)
    strip = edit.sequence_editor.active_strip
    trim(strip, 4)
    clip.frame_offset = offset
    camera = press(edit)
    found = from_first(poses_of(edit, camera, range(15, 15 + FRAMES - 4)))
    true = from_first(true_poses()[4 - offset : FRAMES - offset])
    found[:, :3, 3] /= np.linalg.norm(found[-1, :3, 3])
    true[:, :3, 3] /= np.linalg.norm(true[-1, :3, 3])
    assert found == pytest.approx(true, abs=5e-3)


def trim(strip, frames):
    """Let it begin so much later, with another picture."""
    if hasattr(strip, "left_handle"):
        strip.left_handle += frames
    else:
        strip.frame_final_start += frames


@pytest.mark.parametrize("offset", [0, 3])
def test_a_clips_frames_are_counted_as_blender_shows_them(recam, backend_python, folder, offset):
    """By a strip of the clip itself, as Blender renders it."""
    path = folder / "numbered.mkv"
    write_movie(backend_python, path, [numbered(index) for index in range(9)])
    clip = bpy.data.movieclips.load(str(path))
    clip.frame_offset = offset
    scene = new_scene("Numbers")
    movie = strips(scene).new_movie("movie", str(path), 2, 21)
    trim(movie, 4)
    solved_clip = recam("solved_clip")
    found = solved_clip._clip_frames(movie, clip, solved_clip._read(scene, movie))
    movie.mute = True
    strips(scene).new_clip("clip", clip, 3, 41)
    assert [number_in(render(scene, 40 + found[index])) for index in (0, 2)] == [4, 6]


def test_a_known_point_says_how_large_its_world_is(edit, movie):
    clip = solve(movie)
    track = clip.tracking.tracks[3]
    places, depths = seen(true_poses()[5], 1.0)
    point = int(track.name[1:])
    settings = edit.recam
    settings.use_known, settings.known_frame = True, 16
    settings.known_x, settings.known_y = places[point]
    settings.known_distance = float(depths[point])
    found = from_first(poses_of(edit, press(edit), range(11, 11 + FRAMES)))
    assert found == pytest.approx(from_first(true_poses()), abs=5e-3)


def test_pixels_that_are_not_square_are_measured_across(recam, edit, movie):
    clip = solve(movie, aspect=2.0)
    fx, fy, x, y = recam("solved_clip")._lens(clip, tuple(clip.size))
    assert (fx, fy, x, y) == pytest.approx((FOCAL, 2 * FOCAL, *MIDDLE), rel=1e-6)
    found, true = (from_first(each) for each in (poses_of(edit, press(edit), range(11, 11 + FRAMES)), true_poses()))
    assert found[:, :3, :3] == pytest.approx(true[:, :3, :3], abs=2e-3)


def test_pictures_are_known_by_their_numbers(edit, folder):
    """A sequence whose first picture has the number 1001; the strip shows it from 1003 on."""
    files = []
    for index, picture in enumerate(shots.pictures(FRAMES)):
        files.append(f"shot2_{1001 + index}.png")
        save(picture, folder / files[-1])
    clip = solve(folder / files[0])
    assert clip.source == "SEQUENCE"
    strip = strips(edit).new_image("pictures", str(folder / files[2]), 4, 31)
    for each in files[3:]:
        strip.elements.append(each)
    edit.sequence_editor.active_strip = strip
    found = from_first(poses_of(edit, press(edit), range(31, 31 + FRAMES - 2)))
    true = from_first(true_poses()[2:])
    found[:, :3, 3] /= np.linalg.norm(found[-1, :3, 3])
    true[:, :3, 3] /= np.linalg.norm(true[-1, :3, 3])
    assert found == pytest.approx(true, abs=5e-3)


def test_frames_that_were_not_solved_are_named(edit, movie):
    solve(movie).frame_offset = 2
    with pytest.raises(RuntimeError, match="is solved for frames 1 to 16, but the footage shows frame -1"):
        bpy.ops.recam.camera_from_clip()
    assert edit.recam.source_camera is None


def test_a_bent_lens_is_told(recam, edit, movie):
    clip = solve(movie)
    assert not recam("solved_clip").distorts(clip)
    clip.tracking.camera.k1 = -0.1
    assert recam("solved_clip").distorts(clip)
