"""What the engine invents: from frames that saw it, else from the background; and what it says about it."""

import itertools

import cv2
import numpy as np
import pytest
import raytraced
from raytraced import lens_for, pose_at, psnr
from shots import HEIGHT, LENS, WIDTH, make_shot, take, take_one

RED, BLUE = (220, 20, 20), (20, 40, 220)


def card(near=2.0, far=6.0, left=150, right=260, top=60, bottom=200):
    """A red card before a blue wall, with a rim where a pixel shows both, as a lens would."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = BLUE
    depth = np.full((HEIGHT, WIDTH), far, np.float32)
    image[top:bottom, left:right] = RED
    depth[top:bottom, left:right] = near
    mixed = (np.array(RED) + BLUE) // 2
    image[top:bottom, left] = image[top:bottom, right - 1] = mixed
    image[top, left:right] = image[bottom - 1, left:right] = mixed
    return image, depth


@pytest.mark.parametrize("move", [(0.3, 0, 0), (-0.3, 0, 0), (0, 0.2, 0), (0.2, -0.2, 0), (0, 0, 0.6), (0, 0, -0.6)])
def test_holes_take_the_background_never_the_foreground(move):
    image, depth = card()
    drawn, invented = take_one(image, depth, pose_at(), pose_at(move))
    hole = invented == 255
    assert hole.sum() > 300 or move[2] > 0
    # Red is no more than it is in the wall.
    assert drawn[hole][:, 0].max(initial=0) <= BLUE[0] + 12


def test_no_rim_of_the_foreground_stays_on_the_background():
    """The half-red pixels of the card's outline go with the card."""
    image, depth = card()
    drawn, _ = take_one(image, depth, pose_at(), pose_at((0.3, 0, 0)))
    shift = LENS.fx * 0.3 / 2
    row = drawn[HEIGHT // 2, :, 0].astype(int)
    left, right = 150 - shift, 260 - shift
    assert row[: int(left) - 2].max() <= BLUE[0] + 12
    assert row[int(right) + 3 :].max() <= BLUE[0] + 12
    assert row[int(left) + 3 : int(right) - 3].min() >= RED[0] - 12


def test_outlines_are_smooth():
    """A slanted outline, filmed with coverage, comes out with as many shades as it went in with."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    inside = np.clip(u - (120 + 0.31 * v) + 0.5, 0, 1) * np.clip((280 + 0.31 * v) - u + 0.5, 0, 1)
    image = np.rint(inside[..., None] * RED + (1 - inside[..., None]) * np.array(BLUE)).astype(np.uint8)
    depth = np.where(inside > 0.5, 2.0, 6.0).astype(np.float32)
    drawn, _ = take_one(image, depth, pose_at(), pose_at((0.25, 0, 0)))
    shift = LENS.fx * 0.25 / 2
    moved = np.clip(u + shift - (120 + 0.31 * v) + 0.5, 0, 1) * np.clip((280 + 0.31 * v) - u - shift + 0.5, 0, 1)
    expected = moved[..., None] * RED + (1 - moved[..., None]) * np.array(BLUE)
    assert np.abs(drawn - expected).max() < 110  # no pixel is on the wrong side
    assert psnr(drawn, expected) > 36


def test_other_frames_fill_what_they_saw():
    """A thing moves before a wall; what it hides now, it did not hide then."""
    random = np.random.default_rng(0)
    wall = cv2.resize(random.integers(0, 255, (HEIGHT // 6, WIDTH // 6, 3), np.uint8), (WIDTH, HEIGHT))
    images, depths = [], []
    for left in (40, 120, 200, 280):
        image, depth = wall.copy(), np.full((HEIGHT, WIDTH), 6, np.float32)
        image[60:200, left : left + 70], depth[60:200, left : left + 70] = RED, 2
        images.append(image)
        depths.append(depth)
    target = pose_at((0.25, 0, 0))
    expected, _ = take_one(wall, np.full((HEIGHT, WIDTH), 6, np.float32), pose_at(), target)
    alone, alone_invented = take_one(images[1], depths[1], pose_at(), target)
    _, frames = take(make_shot(images, depths, [pose_at()] * 4, [target] * 4))
    drawn, invented = frames[1]
    hole = (alone_invented == 255) & (np.arange(WIDTH) < WIDTH - 60)
    assert hole.sum() > 1500
    assert (invented[hole] == 0).mean() > 0.95
    assert psnr(drawn, expected, hole) > 30
    assert psnr(alone, expected, hole) < 22


def test_a_moving_source_camera_fills_what_it_sees_later():
    room = raytraced.Room(seed=3, moving=False)
    source = [pose_at((x, 0, 0)) for x in (-0.5, -0.2, 0.1, 0.4)]
    shots = [room.shoot(pose, LENS, WIDTH, HEIGHT) for pose in source]
    target = [pose_at((0.3, 0, 0.1))] * 4
    _, frames = take(make_shot([s[0] for s in shots], [s[1] for s in shots], source, target))
    alone, alone_invented = take_one(*shots[0], source[0], target[0])
    true, _ = room.shoot(target[0], LENS, WIDTH, HEIGHT)
    assert frames[0].invented.mean() < 0.3 * alone_invented.mean()
    assert psnr(frames[0].image, true) > psnr(alone, true) + 3


def test_fills_do_not_flicker():
    """From frame to frame of a slow move, what is invented changes as little as what is filmed."""
    room = raytraced.Room(seed=3, moving=False)
    image, depth = room.shoot(pose_at(), LENS, WIDTH, HEIGHT)
    poses = [pose_at((0.2 + 0.002 * i, 0, 0)) for i in range(4)]
    frames = [take_one(image, depth, pose_at(), pose) for pose in poses]
    changes = []
    for one, other in itertools.pairwise(frames):
        both = (one.invented == 255) & (other.invented == 255)
        changes.append(np.abs(one.image[both].astype(int) - other.image[both]).mean())
    assert max(changes) < 4


# What goes wrong


def test_a_camera_that_looks_away_still_gives_a_picture_and_says_so():
    image, depth = card()
    engine, frames = take(make_shot([image], [depth], [pose_at()], [pose_at(turn=180)]))
    assert (frames[0].invented == 255).all()
    assert np.abs(frames[0].image.astype(int) - image.mean((0, 1)).round()).max() <= 1
    assert "sees nothing that was filmed in frame 1." in engine.warnings[0]
    assert any("100% of frame 1" in warning for warning in engine.warnings)


def test_a_camera_that_goes_through_things_says_where():
    image, depth = card()
    path = [pose_at((0, 0, z)) for z in (0, 1.0, 1.99, 2.5)]
    engine, frames = take(make_shot([image] * 4, [depth] * 4, [pose_at()] * 4, path))
    assert any("passes through what was filmed in frame 3" in warning for warning in engine.warnings)
    # Past the card there is the wall, and no giant card.
    assert (frames[3].image[HEIGHT // 2, WIDTH // 2, 2]) > 150


def test_depth_with_gaps_is_far_away():
    image, depth = card()
    depth[10:20, 10:20] = np.nan
    depth[30:40, 10:20] = 0
    depth[50:60, 10:20] = -1
    drawn, _ = take_one(image, depth, pose_at(), pose_at((0.1, 0, 0)))
    assert np.abs(drawn[10:60, 4:30].astype(int) - BLUE).max() < 12


def test_everything_at_infinity_is_rotation():
    image, _ = card()
    depth = np.full((HEIGHT, WIDTH), np.inf, np.float32)
    drawn, invented = take_one(image, depth, pose_at(), pose_at((3, 1, 2)), force_warp=True)
    assert np.array_equal(drawn, image)
    assert not invented.any()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1), (17, 9)])
def test_tiny_footage(size):
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    depth = np.full((size[1], size[0]), 3, np.float32)
    lens = lens_for(*size)
    for force in (False, True):
        drawn, _ = take_one(image, depth, pose_at(), pose_at((0.05, 0, 0)), lens=lens, force_warp=force)
        assert (drawn == 90).all()
