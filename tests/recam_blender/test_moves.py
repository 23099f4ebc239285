"""Moves: what was keyframed, sampled back, is the closed form that it was made from; and few keys, to be edited."""

import json
import math

import bpy
import numpy as np
import pytest
from mathutils import Euler, Matrix, Vector
from timeline import ROOT, in_backend

PUBLISHED = {
    "pan_right": "cam01",
    "pan_left": "cam02",
    "tilt_up": "cam03",
    "tilt_down": "cam04",
    "zoom_in": "cam05",
    "zoom_out": "cam06",
    "translate_up": "cam07",
    "translate_down": "cam08",
    "arc_left": "cam09",
    "arc_right": "cam10",
}
OWN = ("orbit_left", "orbit_right", "dolly_zoom_in", "dolly_zoom_out", "crane_up", "crane_down", "handheld")
FLIP = np.diag((1.0, -1.0, -1.0, 1.0))
SIZE = {"width": 832, "height": 480}
EXACT = 1e-5

STANDS = {
    "at the origin": Matrix.Rotation(math.pi / 2, 4, "X"),
    "tilted and rolled": Matrix.Translation((3, -7, 1.6)) @ Euler((1.1, 0.4, 2.3)).to_matrix().to_4x4(),
    "100 m away": Matrix.Translation((-80, 57, 18)) @ Euler((1.7, -0.2, -0.9)).to_matrix().to_4x4(),
}


@pytest.fixture
def moves(recam):
    return recam("moves")


@pytest.fixture
def sampled(recam):
    """The poses (n, 4, 4) of a camera over so many frames, and its focal lengths in pixels."""

    def sampled(camera, start, frames):
        wanted = [start + index for index in range(frames)]
        found = recam("sampling").sample_trajectory(bpy.context.scene, camera, wanted, **SIZE)
        return np.array(found.poses), np.array([lens.fx for lens in found.intrinsics])

    return sampled


def published(kind, frames, times):
    """Poses (m, 4, 4) relative to the first, at times in frames: reference/recammaster.md, 5, and no code of ours.

    Between frames the camera goes straight and turns evenly; it turns about one axis only.
    """
    s = np.arange(frames) / max(frames - 1, 1) * 80 / 80.5
    zero = np.zeros(frames)
    arc = np.arctan2(2 * s, 4 - 0.5359 * s)
    right, up, x, y, z = {
        "pan_right": (np.radians(20 * s), zero, zero, zero, zero),
        "pan_left": (-np.radians(20 * s), zero, zero, zero, zero),
        "tilt_up": (zero, np.radians(10 * s), zero, zero, zero),
        "tilt_down": (zero, -np.radians(10 * s), zero, zero, zero),
        "zoom_in": (zero, zero, zero, zero, 2 * s),
        "zoom_out": (zero, zero, zero, zero, -2 * s),
        "translate_up": (zero, -np.arctan(s / 4), zero, -s, zero),
        "translate_down": (zero, np.arctan(s / 4), zero, s, zero),
        "arc_left": (arc, zero, -2 * s, zero, 0.5359 * s),
        "arc_right": (-arc, zero, 2 * s, zero, 0.5359 * s),
    }[kind]
    right, up, x, y, z = (np.interp(times, np.arange(frames), each) for each in (right, up, x, y, z))
    poses = np.zeros((len(times), 4, 4))
    for index, pose in enumerate(poses):
        cos, sin = np.cos(right[index]), np.sin(right[index])
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        cos, sin = np.cos(up[index]), np.sin(up[index])
        pose[:3, :3] = turn @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        pose[:, 3] = x[index], y[index], z[index], 1
    return poses


@pytest.mark.parametrize(
    ("stand", "scale", "frames"),
    [
        ("at the origin", 1.0, 81),
        ("tilted and rolled", 1.0, 240),
        ("tilted and rolled", 0.01, 25),
        ("100 m away", 1.0, 81),
        ("100 m away", 0.01, 81),
    ],
)
def test_the_network_is_told_of_a_published_move_what_its_closed_form_says(
    recam, moves, backend_python, folder, stand, scale, frames
):
    """The camera's numbers as the engine itself makes them from what is sampled, in the backend."""
    scene = bpy.context.scene
    scene.unit_settings.scale_length = scale
    at = STANDS[stand].copy()
    at.translation /= scale
    cameras = [moves.add(scene, kind, start=-30, frames=frames, at=at) for kind in PUBLISHED]
    sampling = recam("sampling")
    views = [sampling.View(camera, *SIZE.values()) for camera in cameras]
    found = sampling.sample_trajectories(scene, views, [-30 + index for index in range(frames)])
    np.save(folder / "poses.npy", np.array([each.poses for each in found]))

    said = in_backend(
        backend_python,
        """
        import json
        import numpy as np
        from backend.contract import Intrinsics, Trajectory
        from backend.recammaster import camera, timing
        found = np.load(sys.argv[1])
        times = timing.network_times(found.shape[1], 81)
        lens = (Intrinsics(fx=800.0, fy=800.0, cx=416.0, cy=240.0),) * found.shape[1]
        rows = [
            camera.rows(Trajectory(width=832, height=480, poses=tuple(each.tolist()), intrinsics=lens), None, times)
            for each in found
        ]
        print(json.dumps({"times": times[::4], "rows": np.array(rows).tolist()}))
        """,
        folder / "poses.npy",
    )
    told = json.loads(said)
    assert len(told["times"]) == 21
    expected = np.array([published(kind, frames, told["times"])[:, :3].reshape(21, 12) for kind in PUBLISHED])
    assert np.abs(np.array(told["rows"]) - expected).max() < EXACT
    if frames == 81:
        # The published code's own numbers come from a file that is rounded to 5e-5.
        assert np.abs(np.array(told["rows"]) - np.load(ROOT / "tests" / "data" / "preset_cameras.npy")).max() < 7e-5


@pytest.mark.parametrize("stand", STANDS)
def test_a_move_starts_where_it_is_told_to(moves, sampled, stand):
    for kind in ("static", *PUBLISHED, *OWN):
        camera = moves.add(bpy.context.scene, kind, start=1, at=STANDS[stand], distance=5.0)
        poses, _ = sampled(camera, 1, 1)
        assert np.abs(poses[0] @ FLIP - np.array(STANDS[stand])).max() < 2e-5, kind


def test_what_is_static_stands_still_and_has_no_keys(moves, sampled):
    camera = moves.add(bpy.context.scene, "static", start=1, at=STANDS["tilted and rolled"])
    poses, _ = sampled(camera, 1, 30)
    assert np.ptp(poses, axis=0).max() == 0
    assert camera.animation_data is None
    assert camera.parent is None


@pytest.mark.parametrize(("kind", "sign"), [("orbit_right", 1), ("orbit_left", -1)])
def test_an_orbit_is_a_level_circle_that_keeps_the_subject_in_its_place(moves, sampled, kind, sign):
    at, pivot = STANDS["tilted and rolled"], Vector((1, -2, 0.5))
    camera = moves.add(bpy.context.scene, kind, start=5, frames=61, at=at, pivot=pivot, amount=120)
    poses, _ = sampled(camera, 5, 61)
    for index in (0, 15, 47, 60):
        turn = Matrix.Rotation(sign * math.radians(120) * index / 60, 4, "Z")
        expected = Matrix.Translation(pivot) @ turn @ Matrix.Translation(-pivot) @ at
        assert np.abs(poses[index] @ FLIP - np.array(expected)).max() < EXACT
    seen = np.linalg.inv(poses) @ np.array([*pivot, 1])
    assert np.ptp(seen, axis=0).max() < EXACT


def test_an_orbit_to_the_right_goes_to_the_right(moves, sampled):
    camera = moves.add(bpy.context.scene, "orbit_right", start=1, distance=3.0)
    poses, _ = sampled(camera, 1, 2)
    right = poses[0][:3, 0]
    assert right @ (poses[1][:3, 3] - poses[0][:3, 3]) > 0


@pytest.mark.parametrize("easing", ["constant", "in_out", "in", "out"])
@pytest.mark.parametrize("kind", ["dolly_zoom_in", "dolly_zoom_out"])
def test_a_dolly_zoom_keeps_the_subject_as_large(moves, sampled, kind, easing):
    lens_of = moves.add(bpy.context.scene, "static", start=1)
    lens_of.data.lens, lens_of.data.sensor_width = 35, 24
    camera = moves.add(
        bpy.context.scene, kind, start=1, like=lens_of, at=STANDS["tilted and rolled"], amount=1.5, distance=5.0,
        easing=easing,
    )  # fmt: skip
    poses, focal = sampled(camera, 1, 81)
    subject = poses[0] @ np.array([0, 0, 5, 1])
    depth = (np.linalg.inv(poses) @ subject)[:, 2]
    assert focal[0] == pytest.approx(35 / 24 * 832)
    assert np.abs(focal / depth / (focal[0] / 5) - 1).max() < EXACT
    assert depth[-1] == pytest.approx(3.5 if kind == "dolly_zoom_in" else 6.5, abs=EXACT)
    if easing == "constant":
        assert np.abs(depth - np.linspace(5, depth[-1], 81)).max() < EXACT


@pytest.mark.parametrize(("kind", "sign"), [("crane_up", 1), ("crane_down", -1)])
def test_a_crane_swings_upright_around_its_foot_and_looks_at_the_subject(moves, sampled, kind, sign):
    """From a camera that is tilted but not rolled, which stays level."""
    at = Matrix.Translation((2, 1, 1.5)) @ Euler((1.2, 0, 0.7)).to_matrix().to_4x4()
    camera = moves.add(bpy.context.scene, kind, start=1, frames=41, at=at, amount=50, arm=2.5, distance=6.0)
    poses, _ = sampled(camera, 1, 41)
    start, looks = np.array(at.translation), -np.array(at.col[2])[:3]
    subject, up = start + 6 * looks, np.array([0, 0, 1])
    ahead = (looks - looks @ up * up) / np.linalg.norm(looks - looks @ up * up)
    for index in (0, 10, 40):
        angle = sign * math.radians(50) * index / 40
        place = start - 2.5 * ahead + 2.5 * (math.cos(angle) * ahead + math.sin(angle) * up)
        forward = (subject - place) / np.linalg.norm(subject - place)
        right = np.cross(forward, up) / np.linalg.norm(np.cross(forward, up))
        expected = np.stack([right, -np.cross(right, forward), forward, place], axis=1)
        assert np.abs(poses[index][:3] - expected).max() < EXACT


def test_a_handheld_camera_starts_still_sways_a_little_and_by_its_seed(moves, sampled):
    def sway(**options):
        poses, _ = sampled(moves.add(bpy.context.scene, "handheld", start=1, frames=100, **options), 1, 100)
        path = np.linalg.inv(poses[0]) @ poses
        return path, np.degrees(np.arccos(np.clip((np.trace(path[:, :3, :3], axis1=1, axis2=2) - 1) / 2, -1, 1)))

    path, turned = sway()
    moved = np.linalg.norm(path[:, :3, 3], axis=1)
    assert turned[0] == moved[0] == 0
    assert 0.1 < turned.max() < 2
    assert 0.003 < moved.max() < 0.05
    assert np.abs(np.diff(turned)).max() < 0.3, "it jerks"
    assert np.array_equal(sway(seed=0)[0], path)
    assert np.abs(sway(seed=1)[0] - path).max() > 0.002
    assert sway(amount=3.0)[1].max() == pytest.approx(3 * turned.max(), rel=0.1)
    # A second of shaking is a second at any rate.
    bpy.context.scene.render.fps = 48
    faster = sampled(moves.add(bpy.context.scene, "handheld", start=1, frames=199), 1, 199)[0]
    faster = np.linalg.inv(faster[0]) @ faster
    assert np.abs(faster[::2][1:] - path[1:]).max() < 0.01


@pytest.mark.parametrize(
    ("easing", "speeds"), [("constant", (1, 1)), ("in_out", (0, 0)), ("in", (0, 1)), ("out", (1, 0))]
)
def test_easing_slows_the_ends_that_it_names(moves, sampled, easing, speeds):
    camera = moves.add(bpy.context.scene, "zoom_in", start=1, easing=easing)
    poses, _ = sampled(camera, 1, 81)
    steps = np.diff(np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1)) / (2 * 80 / 80.5 / 80)
    assert poses[-1, :3, 3] @ poses[0, :3, 2] == pytest.approx(2 * 80 / 80.5, abs=EXACT)
    for end, speed in zip((steps[0], steps[-1]), speeds, strict=True):
        assert end < 0.1 if speed == 0 else end > 0.9


def test_amounts_are_kept_and_a_published_one_ends_at_its_share(moves, sampled):
    for kind, amount, angle in (("pan_right", 60, 60 * 80 / 80.5), ("orbit_left", 60, 60)):
        poses, _ = sampled(moves.add(bpy.context.scene, kind, start=1, amount=amount), 1, 81)
        cosine = poses[0, :3, 2] @ poses[-1, :3, 2]
        assert math.degrees(math.acos(cosine)) == pytest.approx(angle, abs=1e-3)


def test_keys_meet_their_frames_where_the_scene_stretches_time(moves, sampled):
    scene = bpy.context.scene
    scene.render.frame_map_old, scene.render.frame_map_new = 100, 150
    poses, _ = sampled(moves.add(scene, "zoom_in", start=10, frames=25), 10, 25)
    travel = np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1)
    assert np.abs(travel - np.linspace(0, 2 * 80 / 80.5, 25)).max() < EXACT


CURVES = {
    "pan_right": 1,
    "tilt_down": 1,
    "zoom_in": 1,
    "translate_up": 1,
    "arc_left": 2,
    "orbit_right": 1,
    "dolly_zoom_in": 2,
    "crane_up": 1,
}


@pytest.mark.parametrize(("kind", "count"), CURVES.items())
def test_an_animator_finds_two_keys_on_few_channels(recam, moves, kind, count):
    scene = bpy.context.scene
    camera = moves.add(scene, kind, start=17, frames=33)
    made = [camera, camera.data, *(each for each in scene.objects if each is not camera)]
    curves = [curve for each in made for curve in recam("compat").curves(each)]
    assert len(curves) == count
    for curve in curves:
        assert [key.co.x for key in curve.keyframe_points] == [17, 49]
        assert [key.interpolation for key in curve.keyframe_points] == ["LINEAR"] * 2


def test_helpers_are_called_after_their_camera(moves):
    scene = bpy.context.scene
    first, second = (moves.add(scene, "crane_up", start=1) for _ in range(2))
    for camera in (first, second):
        names = {each.name for each in scene.objects if each.name.startswith(f"{camera.name} ")}
        assert names == {f"{camera.name} {part}" for part in ("Rig", "Arm", "Aim")}
        assert camera.data.name == camera.name
    assert (first.name, second.name) == ("Crane Up", "Crane Up.001")


def test_nothing_that_was_there_is_changed(moves):
    scene = bpy.context.scene
    theirs = bpy.data.objects.new("Dolly In", bpy.data.cameras.new("Dolly In"))
    scene.collection.objects.link(theirs)
    scene.camera = theirs
    theirs.keyframe_insert("location", frame=3)
    theirs.data.keyframe_insert("lens", frame=4)
    made = [moves.add(scene, kind, start=1, like=theirs) for kind in PUBLISHED for _ in range(2)]

    def state():
        actions = {
            each.name: [
                (curve.data_path, curve.array_index, [tuple(key.co) for key in curve.keyframe_points])
                for curve in every_curve(each)
            ]
            for each in (theirs.animation_data.action, theirs.data.animation_data.action)
        }
        return actions, theirs.matrix_world.copy(), theirs.data.lens, scene.camera, len(theirs.constraints)

    before, kept = state(), keys_of(made)
    later = [moves.add(scene, kind, start=50, like=theirs) for kind in ("static", *PUBLISHED, *OWN)]
    assert state() == before
    assert keys_of(made) == kept
    every = [theirs, *made, *later]
    assert len({each.name for each in every}) == len({each.data.name for each in every}) == len(every)
    actions = [each.animation_data.action for each in every if each.animation_data]
    assert len(set(actions)) == len(actions), "two cameras share an action"


def keys_of(cameras):
    return [
        [[tuple(key.co) for key in curve.keyframe_points] for curve in every_curve(each.animation_data.action)]
        for each in cameras
    ]


def every_curve(action):
    if hasattr(action, "layers"):
        return [curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags
                for curve in bag.fcurves]  # fmt: skip
    return list(action.fcurves)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("loop", {}, ("'loop'", "zoom_in")),
        ("zoom_in", {"easing": "bouncy"}, ("'bouncy'", "in_out")),
        ("zoom_in", {"frames": 1}, ("at least 2 frames", "1")),
        ("arc_left", {"amount": 90}, ("90°",)),
        ("arc_left", {"distance": 0.0}, ("0 m",)),
        ("orbit_left", {"pivot": Vector((0, 0, 0))}, ("very point", "3D cursor")),
        ("dolly_zoom_in", {"amount": 4.0}, ("4 m", "drive less")),
        ("dolly_zoom_in", {"amount": 3.99, "lens": 35.0}, ("0.087 mm",)),
        ("crane_up", {"distance": -1.0}, ("-1 m",)),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence_and_leaves_nothing(recam, moves, kind, options, words):
    counts = len(bpy.data.objects), len(bpy.data.cameras), len(bpy.data.actions)
    with pytest.raises(recam("errors").ReCamError) as told:
        moves.add(bpy.context.scene, kind, **({"start": 1} | options))
    assert all(word in str(told.value) for word in words), told.value
    assert str(told.value).endswith(".")
    assert (len(bpy.data.objects), len(bpy.data.cameras), len(bpy.data.actions)) == counts


def test_the_catalogue_has_what_is_published_and_says_so(recam):
    catalogue = recam("moves.catalogue")
    names = {kind: each.published for kind, each in recam.backend("cameras.presets").PRESETS.items()}
    assert {kind: names[kind] for kind, move in catalogue.MOVES.items() if move.published} == PUBLISHED
    assert catalogue.MOVES["zoom_in"].label == "Dolly In (published: Zoom In)"
    for kind, move in catalogue.MOVES.items():
        assert not move.description.endswith(".")
        assert move.published == ("published" in move.description)
        assert kind in ("static", "handheld") or move.sign == (-1 if kind.split("_")[-1] in BACKWARDS else 1)


BACKWARDS = ("left", "down", "out")
