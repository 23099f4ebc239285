"""The engine against traced truth: still, turned, moved; footage of every kind."""

import cv2
import numpy as np
import pytest
import raytraced
from raytraced import arc, lens_for, pose_at, psnr, trajectory
from shots import HEIGHT, LENS, WIDTH, Clip, make_shot, take, take_one

from backend import contract, engines
from backend.engines import Shot


@pytest.fixture(scope="module")
def filmed():
    return raytraced.Room(seed=4).shoot(pose_at(), LENS, WIDTH, HEIGHT)


# Still


def test_camera_that_stands_still_gives_the_footage_back(filmed):
    image, invented = take_one(*filmed, pose_at(), pose_at())
    assert np.array_equal(image, filmed[0])
    assert not invented.any()


def test_still_through_the_warp_gives_every_pixel_back(filmed):
    image, invented = take_one(*filmed, pose_at(), pose_at(), force_warp=True)
    assert np.array_equal(image, filmed[0])
    assert not invented.any()


def test_move_that_cannot_be_seen_does_not_blur(filmed):
    """1e-4 m moves the nearest thing by 0.02 pixels: what remains is nearly the footage."""
    image, _ = take_one(*filmed, pose_at(), pose_at((1e-4, 0, 0)))
    assert psnr(image, filmed[0]) > 50


def test_no_depth_and_no_move_give_the_footage_back_also_when_forced(filmed):
    for force in (False, True):
        image, invented = take_one(filmed[0], None, pose_at(), pose_at(), force_warp=force)
        assert np.array_equal(image, filmed[0])
        assert not invented.any()


def test_uint16_comes_back_bit_by_bit(filmed):
    deep = filmed[0].astype(np.uint16) * 257 + np.arange(WIDTH, dtype=np.uint16)[:, None] % 199
    image, _ = take_one(deep.clip(0, 65535).astype(np.uint16), filmed[1], pose_at(), pose_at(), force_warp=True)
    assert image.dtype == np.uint16
    assert np.array_equal(image, deep)


# Turned


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("depth", ["scene", "plane"])
def test_pan_is_its_homography(filmed, force, depth):
    pan = pose_at(turn=4.3, tilt=-1.7)
    matrix = np.array([[LENS.fx, 0, LENS.cx], [0, LENS.fy, LENS.cy], [0, 0, 1]])
    homography = matrix @ pan[:3, :3].T @ np.linalg.inv(matrix)
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV counts from pixel centres
    # OpenCV's cubic is another one and rounds coordinates to 1/32: on footage four times as large neither matters.
    smooth = cv2.GaussianBlur(filmed[0], (0, 0), 1.5)
    image, invented = take_one(smooth, filmed[1] if depth == "scene" else None, pose_at(), pan, force_warp=force)
    expected = cv2.warpPerspective(
        smooth, np.linalg.inv(half) @ homography @ half, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC
    )
    inside = cv2.erode((invented == 0).astype(np.uint8), np.ones((7, 7))).astype(bool)
    assert inside.mean() > 0.8
    assert psnr(image, expected, inside) > 46


def test_pan_comes_close_to_the_truth_and_invents_what_was_outside(filmed):
    pan = pose_at(turn=3)
    image, invented = take_one(filmed[0], None, pose_at(), pan)
    true, _ = raytraced.Room(seed=4).shoot(pan, LENS, WIDTH, HEIGHT)
    assert psnr(image, true, invented == 0) > 32
    moved = LENS.fx * np.tan(np.radians(3))  # pixels at the middle of the frame
    assert invented[HEIGHT // 2].mean() / 255 * WIDTH == pytest.approx(
        WIDTH / 2 - LENS.fx * np.tan(np.arctan(WIDTH / 2 / LENS.fx) - np.radians(3)), abs=1.5
    )
    assert invented[:, : WIDTH - int(2 * moved)].mean() < 8


def test_the_sky_turns_and_does_not_move():
    room = raytraced.Room(seed=4, sky=True)
    image, depth = room.shoot(pose_at(), LENS, WIDTH, HEIGHT)
    assert np.isinf(depth).mean() > 0.1
    target = pose_at((0.2, 0, 0.1), turn=2)
    drawn, invented = take_one(image, depth, pose_at(), target)
    true, true_depth = room.shoot(target, LENS, WIDTH, HEIGHT)
    sky = np.isinf(true_depth) & (invented == 0)
    sky = cv2.erode(sky.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert sky.mean() > 0.1
    assert psnr(drawn, true, sky) > 40


# Moved


@pytest.mark.parametrize("seed", [0, 7])
def test_arc_of_three_degrees_comes_close_to_the_truth(seed):
    width, height = 832, 480
    lens, room = lens_for(width, height), raytraced.Room(seed=seed)
    image, depth = room.shoot(pose_at(), lens, width, height)
    true, true_depth = room.shoot(arc(3), lens, width, height)
    drawn, invented = take_one(image, depth, pose_at(), arc(3), lens=lens)
    flat, _ = take_one(image, None, pose_at(), arc(3), lens=lens)
    seen = raytraced.seen_before(arc(3), pose_at(), lens, true_depth, depth)
    assert psnr(image, true) <= 20
    assert psnr(flat, true) <= 24
    assert 1 - seen.mean() >= 0.04
    assert psnr(drawn, true) >= 27
    assert psnr(drawn, true, seen) >= 33
    # What is said to be invented is what could not be seen.
    assert invented.mean() / 255 == pytest.approx(1 - seen.mean(), abs=0.01)
    assert (invented[seen] < 255).mean() > 0.99


def test_take_of_another_size_and_stretched_footage():
    """The trajectory's frame, the footage and the take differ in size: each lens is scaled along both axes."""
    room, lens = raytraced.Room(seed=4), lens_for(WIDTH, HEIGHT)
    wide = lens.scaled(1.5, 1.0)
    image, depth = room.shoot(pose_at(), wide, WIDTH * 3 // 2, HEIGHT)
    half = lens.scaled(0.5, 0.75)
    true, _ = room.shoot(arc(1), half, WIDTH // 2, HEIGHT * 3 // 4)
    shot = Shot(
        footage=Clip(image),
        depth=Clip(depth),
        source=trajectory([pose_at()], lens, WIDTH, HEIGHT),
        target=trajectory([arc(1)], lens, WIDTH, HEIGHT),
        subject_distance=4.0,
        settings=contract.EngineSettings(depth=contract.Depth(kind="scene", files=("in memory",))),
        width=WIDTH // 2,
        height=HEIGHT * 3 // 4,
    )
    (drawn, invented), *_ = take(shot)[1]
    assert drawn.shape == true.shape
    assert psnr(drawn, true, invented == 0) > 30


def test_each_frame_has_its_own_lens_and_source_pose():
    room = raytraced.Room(seed=5, moving=False)
    long = lens_for(WIDTH, HEIGHT, 40)
    one, other = pose_at((0.2, 0, 0)), pose_at((-0.3, 0.1, 0.2), turn=2)
    shots = [room.shoot(one, LENS, WIDTH, HEIGHT), room.shoot(other, LENS, WIDTH, HEIGHT)]
    shot = make_shot([s[0] for s in shots], [s[1] for s in shots], [one, other], [pose_at(), pose_at((0, 0, 0.3))])
    intrinsics = (LENS, long)
    target = contract.Trajectory(width=WIDTH, height=HEIGHT, poses=shot.target.poses, intrinsics=intrinsics)
    shot = Shot(**{**shot.__dict__, "target": target})
    for frame, pose, lens in zip(take(shot)[1], [pose_at(), pose_at((0, 0, 0.3))], intrinsics, strict=True):
        true, _ = room.shoot(pose, lens, WIDTH, HEIGHT)
        assert psnr(frame.image, true, frame.invented == 0) > 28


def test_alpha_goes_with_its_pixels_and_holes_are_opaque(filmed):
    alpha = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 100
    image, depth = np.concatenate([filmed[0], alpha], 2), np.full((HEIGHT, WIDTH), 4, np.float32)
    still, _ = take_one(image, depth, pose_at(), pose_at(), force_warp=True)
    assert np.array_equal(still, image)
    step = 20 * 4 / LENS.fx  # metres that are 20 pixels
    moved, invented = take_one(image, depth, pose_at(), pose_at((step, 0, 0)))
    assert np.array_equal(moved[:, : WIDTH // 2 - 22, 3], alpha[:, : WIDTH // 2 - 22, 0])
    assert (moved[:, WIDTH // 2 : WIDTH - 20, 3] == 255).all()
    assert (invented[:, WIDTH - 19 :] == 255).all()
    assert (moved[:, WIDTH - 19 :, 3] == 255).all()


def test_the_result_names_the_depth():
    image, depth = np.zeros((24, 32, 3), np.uint8), np.full((24, 32), 3, np.float32)
    poses = [pose_at()]
    assert take(make_shot([image], None, poses, poses, distance=2.5))[0].depth_used == "flat plane 2.50 m away"
    assert take(make_shot([image], [depth], poses, poses))[0].depth_used == "the scene's own depth"
    assert take(make_shot([image], [depth], poses, poses, kind="file"))[0].depth_used == "depth files"


def test_cancel_comes_out_and_ends_the_threads(filmed):
    shot = make_shot([filmed[0]] * 6, [filmed[1]] * 6, [pose_at()] * 6, [arc(t) for t in range(6)])
    steps = []

    def report(phase, step, total):
        steps.append((phase, step, total))
        if phase == "re-shooting" and step == 2:
            raise engines.Cancelled

    frames = engines.create(shot.settings).frames(shot, report)
    with pytest.raises(engines.Cancelled):
        list(frames)
    assert [step for step in steps if step[0] == "re-shooting"] == [("re-shooting", 1, 6), ("re-shooting", 2, 6)]
