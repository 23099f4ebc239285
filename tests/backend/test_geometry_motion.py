"""Depth from a camera's motion, against traced rooms."""

import contextlib
import itertools

import cv2
import numpy as np
import pytest
import raytraced
from shots import make_shot, take

from backend.engines import Cancelled
from backend.geometry.motion import MotionDepth

WIDTH, HEIGHT, COUNT = 416, 240, 25
LENS = raytraced.lens_for(WIDTH, HEIGHT)
AT = 12  # the frame that is looked at


class Counted:
    """Frames in memory; counts who opened and closed them, and which frames were asked for."""

    def __init__(self, frames):
        self.frames, self.open, self.asked = frames, 0, []
        self.height, self.width = frames[0].shape[:2]

    @contextlib.contextmanager
    def opened(self):
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    def frame(self, index):
        self.asked.append(index)
        return self.frames[index]


class Filmed:
    """A room, and a camera that goes around it."""

    def __init__(self, poses, *, moving=False, seed=3, sky=False):
        self.room, self.poses = raytraced.Room(seed=seed, moving=moving, sky=sky), poses
        self.times = np.linspace(0, 1, len(poses))
        shots = [self.room.shoot(pose, LENS, WIDTH, HEIGHT, time) for pose, time in zip(poses, self.times, strict=True)]
        self.frames, self.depths = zip(*shots, strict=True)

    def motion(self, poses=None, frames=None, **options):
        poses = self.poses if poses is None else poses
        self.clip = Counted(self.frames if frames is None else frames)
        source = raytraced.trajectory(poses, LENS, WIDTH, HEIGHT)
        values = {"width": WIDTH, "height": HEIGHT, "rate": 24.0, "distance": 4.0} | options
        return MotionDepth(self.clip.opened, source, len(poses), **values)


def orbit(count=COUNT, degrees=8.0):
    return [raytraced.arc(degrees * (share - 0.5)) for share in np.linspace(0, 1, count)]


@pytest.fixture(scope="module")
def room():
    return Filmed(orbit())


@pytest.fixture(scope="module")
def movers():
    return Filmed(orbit(), moving=True, seed=4)


def errors(depth, true):
    return np.abs(depth - true) / true


def solved(poses):
    """Poses with what a solver is off by: 0.02 degrees, 0.1 % of the way."""
    random = np.random.default_rng(0)
    way = sum(np.linalg.norm(b[:3, 3] - a[:3, 3]) for a, b in itertools.pairwise(poses))
    found = []
    for pose in poses:
        found.append(pose.copy())
        found[-1][:3, :3] @= cv2.Rodrigues(np.radians(0.02) * random.normal(size=3) / 3**0.5)[0]
        found[-1][:3, 3] += 1e-3 * way * random.normal(size=3) / 3**0.5
    return found


def test_given_poses_make_depth_of_a_room_at_rest_within_one_percent(room):
    motion = room.motion()
    for index in (AT, AT + 1, COUNT - 1):
        assert np.median(errors(motion.frame(index), room.depths[index])) < 0.01
    sure = motion.confidence(AT) > 0.5
    assert sure.mean() > 0.6
    error = errors(motion.frame(AT), room.depths[AT])
    assert (error[sure] > 0.05).mean() < 0.5 * (error[~sure] > 0.05).mean()
    assert motion.trusted > 0.6


def test_poses_as_a_solver_gives_them_make_depth_within_two_percent(room):
    motion = room.motion(solved(room.poses))
    assert np.median(errors(motion.frame(AT), room.depths[AT])) < 0.02


def test_depth_is_whole_and_of_the_footage_s_size(room):
    motion = room.motion()
    depth, confidence = motion.frame(0), motion.confidence(0)
    assert depth.dtype == confidence.dtype == np.float32
    assert depth.shape == confidence.shape == (HEIGHT, WIDTH)
    assert (depth > 0).all()
    assert 0 <= confidence.min() <= confidence.max() <= 1


@pytest.mark.parametrize("scene", ["room", "movers"])
def test_takes_beat_the_plane_by_three_decibels(scene, request):
    filmed = request.getfixturevalue(scene)
    motion = filmed.motion()
    depths = [motion.frame(index) for index in range(AT - 4, AT + 1)]
    pose = filmed.poses[AT] @ np.linalg.inv(raytraced.arc(0)) @ raytraced.arc(4.0)
    true, _ = filmed.room.shoot(pose, LENS, WIDTH, HEIGHT, filmed.times[AT])
    made = {
        name: take(make_shot([filmed.frames[AT]], depth, [filmed.poses[AT]], [pose]))[1][0].image
        for name, depth in (("plane", None), ("motion", depths[-1:]))
    }
    assert raytraced.psnr(made["motion"], true) > raytraced.psnr(made["plane"], true) + 3


def test_a_wrong_distance_is_made_good_by_what_is_seen(room):
    near, far = room.motion(distance=0.8), room.motion(distance=25.0)
    for motion in (near, far):
        assert np.median(errors(motion.frame(AT), room.depths[AT])) < 0.02


def test_what_moves_stands_among_what_is_at_rest(movers):
    motion = movers.motion()
    for index in range(6, AT + 1):
        depth = motion.frame(index)
    _, later = movers.room.shoot(movers.poses[AT], LENS, WIDTH, HEIGHT, movers.times[AT + 6])
    _, sooner = movers.room.shoot(movers.poses[AT], LENS, WIDTH, HEIGHT, movers.times[AT - 6])
    moves = (later != movers.depths[AT]) & (sooner != movers.depths[AT])
    assert 0.02 < moves.mean() < 0.3
    assert np.median(errors(depth, movers.depths[AT])[~moves]) < 0.01
    # Nothing that moves is nearer than anything, or lost behind the wall.
    assert (depth[moves] > 0.5 * movers.depths[AT].min()).mean() > 0.95
    assert motion.confidence(AT)[moves].mean() < motion.confidence(AT)[~moves].mean() - 0.1


def test_depth_does_not_flicker(room):
    motion = room.motion()
    changes = []
    for index in range(AT - 4, AT + 4):
        one, other = motion.frame(index), motion.frame(index + 1)
        # The camera hardly moves between two frames: depth at a pixel differs by noise, but for the steps.
        changes.append(np.median(np.abs(other / one - room.depths[index + 1] / room.depths[index])))
    assert max(changes) < 0.004


def test_a_pause_keeps_what_was_seen_before():
    poses = orbit(17, 6.0)
    filmed = Filmed(poses + [poses[-1]] * 6)
    motion = filmed.motion()
    for index in range(14, 23):
        depth = motion.frame(index)
    assert np.median(errors(depth, filmed.depths[22])) < 0.015


def test_a_camera_that_stands_still_gives_an_untrusted_plane():
    filmed = Filmed([raytraced.arc(0)] * 5)
    motion = filmed.motion(distance=3.0)
    assert motion.trusted == 0
    np.testing.assert_allclose(motion.frame(2), 3.0, rtol=1e-5)
    assert not motion.confidence(2).any()


def test_a_sky_is_infinitely_far_or_farther_than_anything():
    filmed = Filmed(orbit(), sky=True)
    depth = filmed.motion().frame(AT)
    sky = np.isinf(filmed.depths[AT])
    assert sky.any()
    assert np.median(depth[sky]) > filmed.depths[AT][~sky].max()


def test_footage_is_read_forward_and_closed(room):
    motion = room.motion()
    for index in range(4):
        motion.frame(index)
    assert room.clip.open == 2
    assert len(room.clip.asked) <= COUNT + 4
    motion.close()
    assert room.clip.open == 0


def test_memory_does_not_grow_with_the_clip():
    class Endless(Filmed):
        def __init__(self, poses):
            self.poses = poses
            self.frames = [np.full((48, 64, 3), index % 200, np.uint8) for index in range(len(poses))]

    poses = orbit(900, 40.0)
    lens = raytraced.lens_for(64, 48)
    frames = Endless(poses).frames
    clip = Counted(frames)
    motion = MotionDepth(clip.opened, raytraced.trajectory(poses, lens, 64, 48), 900, width=64, height=48, rate=24.0)
    for index in range(0, 900, 30):
        motion.frame(index)
        assert len(motion._frames._kept) < 500
        assert len(motion._history) < 10
        assert len(motion._drawn) < 5


def test_work_that_is_no_longer_wanted_ends(room):
    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        room.motion(check=stop).frame(0)


def test_all_kinds_of_frames_will_do(room):
    opaque = np.full((HEIGHT, WIDTH), 65535, np.uint16)
    deep = [np.dstack([frame.astype(np.uint16) * 257, opaque]) for frame in room.frames]
    motion, same = room.motion(frames=deep), room.motion()
    np.testing.assert_allclose(motion.frame(AT), same.frame(AT), rtol=1e-5)


def test_a_frame_that_is_not_there_is_told(room):
    with pytest.raises(IndexError, match="no frame 25 in a clip of 25"):
        room.motion().frame(COUNT)
