"""Original pixels and a filler's: against traced truth, with fillers that are off in known ways."""

import dataclasses

import cv2
import numpy as np
import pytest
import raytraced
from raytraced import arc, lens_for, pose_at, psnr
from shots import HEIGHT, LENS, WIDTH, Clip, make_shot, take

from backend.engines import Cancelled, Frame
from backend.truepixels import TruePixels

FRAMES = 3
FEATHER = 7  # pixels, of the seam and of what is not trusted beside holes, at this size


class Filler:
    """Gives frames that are made already."""

    name = "filler"

    def __init__(self, frames):
        self.made, self.closed, self.shown = frames, 0, []
        self.depth_used, self.notes, self.warnings = "", [], []

    def frames(self, shot, report):
        self.shown.append(shot)
        try:
            for index, frame in enumerate(self.made):
                report("re-shooting", index, len(self.made))
                yield Frame(frame, np.full(frame.shape[:2], 255, np.uint8))
            self.notes.append("Filled.")
            self.warnings.append("Beware.")
        finally:
            self.closed += 1


def off(image, shift=(-3, 1), scale=1.0, colours=True, blur=True):
    """What a network gives back of the truth: of half the resolution, not in place, in other colours."""
    height, width = image.shape[:2]
    made = image.astype(np.float32)
    if blur:
        small = cv2.resize(made, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        made = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    move = np.array([[scale, 0, shift[0] + (1 - scale) * width / 2], [0, scale, shift[1] + (1 - scale) * height / 2]])
    made = cv2.warpAffine(made, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if colours:
        made = made * np.float32([0.85, 0.95, 1.1]) + np.float32([20, 5, -15])
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def scene():
    """A shot of an arc, what `reproject` makes of it, and the truth."""
    room, times = raytraced.Room(seed=4), np.linspace(0, 1, FRAMES)
    source, target = [pose_at()] * FRAMES, [arc(angle) for angle in (2, 3, 4)]
    shots = [room.shoot(pose, LENS, WIDTH, HEIGHT, time) for pose, time in zip(source, times, strict=True)]
    true = [room.shoot(pose, LENS, WIDTH, HEIGHT, time)[0] for pose, time in zip(target, times, strict=True)]
    shot = make_shot([each[0] for each in shots], [each[1] for each in shots], source, target)
    return shot, take(shot)[1], true


def fill(shot, frames, **options):
    filler = Filler(frames)
    engine = TruePixels(filler, shot.settings, **options)
    return engine, filler, list(engine.frames(shot, lambda *_, **__: None))


def held_together(filmed, others, mask):
    """Mean PSNR of some frames in masks."""
    return np.mean([psnr(one, other, where) for one, other, where in zip(filmed, others, mask, strict=True)])


def inside(frame, margin=FEATHER):
    """Where what was filmed is shown as it is: away from what was invented, and from the seam."""
    return cv2.erode((frame.invented == 0).astype(np.uint8), np.ones((2 * margin + 1,) * 2)).astype(bool)


# What is filled


def test_holes_are_filled_in_place_and_in_colour(scene):
    shot, drawn, true = scene
    off_frames, sharp = [off(each) for each in true], [off(each, (0, 0), colours=False) for each in true]
    made = [each.image for each in fill(shot, off_frames)[2]]
    holes = [each.invented == 255 for each in drawn]
    found = held_together(made, true, holes)
    assert found > held_together(off_frames, true, holes) + 6
    assert found > held_together([each.image for each in drawn], true, holes) + 6
    assert found > held_together(sharp, true, holes) - 2.5, "a filler that is in place, in the right colours"
    everywhere = [np.ones(each.shape, bool) for each in holes]
    assert held_together(made, true, everywhere) > held_together([f.image for f in drawn], true, everywhere) + 2.5


@pytest.mark.parametrize("spoilt", [{"colours": False}, {"shift": (0, 0)}, {"shift": (0, 0), "scale": 1.025}])
def test_each_way_of_being_off_is_undone(scene, spoilt):
    shot, drawn, true = scene
    frames = [off(each, blur=False, **spoilt) for each in true]
    made = [each.image for each in fill(shot, frames)[2]]
    holes = [each.invented == 255 for each in drawn]
    assert held_together(made, true, holes) > held_together(frames, true, holes) + 3


def test_what_was_filmed_is_kept_to_the_last_bit(scene):
    shot, drawn, true = scene
    for (image, invented), frame in zip(fill(shot, [off(each) for each in true])[2], drawn, strict=True):
        kept = inside(frame)
        assert 0.6 < kept.mean() < 0.95
        assert np.array_equal(image[kept], frame.image[kept])
        assert not invented[kept].any()
        assert (invented[frame.invented == 255] == 255).mean() > 0.98, "slivers aside"


def test_the_seam_is_no_step(scene):
    """The step from pixel to pixel, where one fades into the other, is what it is in the truth there."""
    shot, drawn, true = scene
    for (image, invented), frame, truth in zip(fill(shot, [off(each) for each in true])[2], drawn, true, strict=True):
        seam = cv2.dilate((frame.invented > 0).astype(np.uint8), np.ones((3, 3))) - (frame.invented > 0)
        seam = (seam > 0) & (invented > 0)
        assert seam.sum() > 500

        def step(picture, seam=seam):
            grey = picture.astype(np.float32).mean(axis=2)
            steps = np.hypot(*np.gradient(grey))
            return steps[seam].mean()

        assert step(image) < 1.1 * step(truth)
        assert step(image) < step(frame.image) * 1.1


def test_colours_do_not_flicker():
    """A filler whose colours tremble: little of that is seen."""
    count = 12
    image, depth = raytraced.Room(seed=4).shoot(pose_at(), LENS, WIDTH, HEIGHT)
    true, _ = raytraced.Room(seed=4).shoot(arc(4), LENS, WIDTH, HEIGHT)
    shot = make_shot([image] * count, [depth] * count, [pose_at()] * count, [arc(4)] * count)
    random = np.random.default_rng(0)
    levels = random.normal(0, 8, (count, 3))
    frames = [np.clip(off(true, colours=False) + each, 0, 255).astype(np.uint8) for each in levels]
    made = np.stack([each.image for each in fill(shot, frames)[2]]).astype(float)
    holes = cv2.erode((take(shot)[1][0].invented == 255).astype(np.uint8), np.ones((5, 5))).astype(bool)
    raw = np.abs(np.diff(np.stack(frames).astype(float)[:, holes], axis=0)).mean()
    assert np.abs(np.diff(made[:, holes], axis=0)).mean() < 0.3 * raw


def test_reproject_as_the_filler_is_reproject(scene):
    from backend.reproject import Reproject

    shot, drawn, _ = scene
    engine = TruePixels(Reproject(shot.settings), shot.settings)
    made = list(engine.frames(shot, lambda *_, **__: None))
    assert all(np.array_equal(one.image, other.image) for one, other in zip(made, drawn, strict=True))
    assert all(np.array_equal(one.invented, other.invented) for one, other in zip(made, drawn, strict=True))
    assert engine.depth_used == "the scene's own depth"


# Words


def test_a_filler_that_shows_something_else_is_told_of(scene):
    shot, drawn, true = scene
    random = np.random.default_rng(1)
    noise = [cv2.GaussianBlur(random.integers(0, 256, each.shape, np.uint8), (0, 0), 2) for each in true]
    engine, _, made = fill(shot, noise)
    (said,) = [each for each in engine.warnings if "differs too much" in each]
    assert "3 frames, from frame 1 to frame 3" in said
    kept = inside(drawn[1])
    assert np.array_equal(made[1].image[kept], drawn[1].image[kept])
    assert not any("differs" in each for each in fill(shot, [off(each) for each in true])[0].warnings)


def test_only_the_frames_that_differ_are_named(scene):
    shot, _, true = scene
    frames = [off(each) for each in true]
    frames[1] = np.ascontiguousarray(frames[1][::-1, ::-1])
    (said,) = [each for each in fill(shot, frames)[0].warnings if "differs too much" in each]
    assert " in frame 2:" in said


def test_words_of_the_filler_are_passed_on(scene):
    shot, _, true = scene
    engine, filler, made = fill(dataclasses.replace(shot, mask=True), [off(each) for each in true])
    assert engine.name == "filler"
    assert engine.depth_used == "the scene's own depth"
    assert "Filled." in engine.notes
    assert "Beware." in engine.warnings
    mean = 1 - np.mean([each.invented.mean() for each in made]) / 255
    assert any(f"{mean:.0%} of the take are the footage's own pixels" in each for each in engine.notes)
    assert not filler.shown[0].mask, "the filler would say that the mask is white all over"


def test_reports_go_through_and_what_they_raise_ends_it(scene):
    shot, _, true = scene
    filler, told = Filler([off(each) for each in true]), []

    def report(phase, step, total, **_):
        told.append((phase, step))
        if (phase, step) == ("re-shooting", 2):
            raise Cancelled

    engine = TruePixels(filler, shot.settings)
    with pytest.raises(Cancelled):
        list(engine.frames(shot, report))
    assert filler.closed == 1
    assert [each for each in told if each[0] == "re-shooting"] == [
        ("re-shooting", 0),
        ("re-shooting", 1),
        ("re-shooting", 2),
    ]


def test_closing_closes_the_filler(scene):
    shot, _, true = scene
    filler = Filler([off(each) for each in true])
    frames = TruePixels(filler, shot.settings).frames(shot, lambda *_, **__: None)
    next(frames)
    frames.close()
    assert filler.closed == 1


def test_a_filler_that_ends_early_ends_the_take(scene):
    shot, _, true = scene
    assert len(fill(shot, [off(true[0])])[2]) == 1


# Kinds of pictures


def test_sixteen_bits(scene):
    shot, _, true = scene
    random = np.random.default_rng(0)
    deep = [
        each.astype(np.uint16) * 257 - random.integers(0, 200, each.shape).astype(np.uint16).clip(0, each)
        for each in shot.footage.frames
    ]
    shot = dataclasses.replace(shot, footage=Clip(*deep))
    drawn = take(shot)[1]
    made = fill(shot, [off(each).astype(np.uint16) * 257 for each in true])[2]
    for one, frame, truth in zip(made, drawn, true, strict=True):
        assert one.image.dtype == np.uint16
        kept = inside(frame)
        assert np.array_equal(one.image[kept], frame.image[kept])
        assert len(np.unique(one.image[kept] % 257)) > 100
        holes = frame.invented == 255
        assert psnr(one.image / 257, truth, holes) > psnr(frame.image / 257, truth, holes) + 5


def test_transparency_is_kept_where_it_was_filmed(scene):
    shot, _, true = scene
    clear = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    clear[60:120, 100:200] = 0
    shot = dataclasses.replace(shot, footage=Clip(*[np.dstack([each, clear]) for each in shot.footage.frames]))
    drawn = take(shot)[1]
    opaque = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    for (image, _), frame in zip(fill(shot, [np.dstack([off(t), opaque]) for t in true])[2], drawn, strict=True):
        kept = inside(frame)
        assert image.shape[2] == 4
        assert np.array_equal(image[kept], frame.image[kept])
        assert (image[kept][:, 3] == 0).sum() > 4000
        assert (image[frame.invented == 255][:, 3] == 255).mean() > 0.9


@pytest.mark.parametrize(("width", "height"), [(48, 32), (33, 90), (700, 40), (1200, 28)])
def test_any_size(width, height):
    lens = lens_for(width, height)
    image, depth = raytraced.Room(seed=4).shoot(pose_at(), lens, width, height)
    shot = make_shot([image], [depth], [pose_at()], [arc(3)], lens=lens, size=(width, height))
    shot = dataclasses.replace(shot, confidence=Clip(np.ones((height, width), np.float32)))
    ((made, invented),) = fill(shot, [image])[2]
    assert made.shape == image.shape
    assert invented.shape == image.shape[:2]


# Trust


def test_what_is_not_trusted_is_filled(scene):
    shot, drawn, true = scene
    confidence = np.ones((HEIGHT, WIDTH), np.float32)
    confidence[:, : WIDTH // 2] = 0.2
    shot = dataclasses.replace(shot, confidence=Clip(*[confidence] * FRAMES))
    frames = [off(each) for each in true]
    for (image, invented), frame, filler in zip(fill(shot, frames)[2], drawn, frames, strict=True):
        left = np.s_[:, : WIDTH // 2 - 60]
        assert (invented[left] == 255).all()
        assert psnr(image[left], frame.image[left]) > psnr(filler[left], frame.image[left]) + 3
        kept = inside(frame)
        kept[:, : WIDTH // 2 + 20] = False
        assert kept.mean() > 0.2
        assert np.array_equal(image[kept], frame.image[kept])


def test_whole_confidence_is_none(scene):
    shot, _, true = scene
    frames = [off(each) for each in true]
    sure = dataclasses.replace(shot, confidence=Clip(*[np.ones((HEIGHT, WIDTH), np.float32)] * FRAMES))
    for one, other in zip(fill(sure, frames)[2], fill(shot, frames)[2], strict=True):
        assert (one.image == other.image).mean() > 0.97


def test_without_depth_a_turn_is_trusted_and_a_step_aside_is_not():
    room = raytraced.Room(seed=4, moving=False)
    image, _ = room.shoot(pose_at(), LENS, WIDTH, HEIGHT)
    target = [pose_at(turn=3), pose_at((0.003, 0, 0), turn=3), pose_at((0.4, 0, 0), turn=3)]
    true = [room.shoot(each, LENS, WIDTH, HEIGHT)[0] for each in target]
    shot = make_shot([image] * 3, None, [pose_at()] * 3, target)
    frames = [off(each, (0, 0), colours=False) for each in true]
    engine, _, made = fill(shot, frames)
    drawn = take(shot)[1]
    kept = inside(drawn[0])
    assert np.array_equal(made[0].image[kept], drawn[0].image[kept])
    assert np.array_equal(made[1].image[kept], drawn[1].image[kept])
    assert np.array_equal(made[2].image, frames[2])
    assert (made[2].invented == 255).all()
    assert any("all of 1 of the 3 frames is drawn by filler" in each for each in engine.notes)


def test_exact_takes_a_plane_at_its_word_and_says_so():
    image, _ = raytraced.Room(seed=4).shoot(pose_at(), LENS, WIDTH, HEIGHT)
    shot = make_shot([image], None, [pose_at()], [pose_at((0, 0, -1))])
    engine, _, ((made, invented),) = fill(shot, [image], exact=True)
    drawn = take(shot)[1][0]
    assert np.array_equal(made[drawn.invented == 0], drawn.image[drawn.invented == 0])
    assert not invented[drawn.invented == 0].any()
    assert any("a picture that stands 4 m away" in each for each in engine.notes)


def test_trust_in_a_plane_fades():
    count = 30
    image, _ = raytraced.Room(seed=4).shoot(pose_at(), LENS, WIDTH, HEIGHT)
    target = [pose_at((0.002 * index, 0, 0)) for index in range(count)]
    shot = make_shot([image] * count, None, [pose_at()] * count, target)
    shares = [each.invented.mean() / 255 for each in fill(shot, [image] * count)[2]]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert np.diff(shares).max() < 0.3


def test_exact_keeps_every_pixel_that_was_filmed_up_to_the_rim():
    """A wider frame around the footage, at whole pixels: outpainting."""
    room, wide = raytraced.Room(seed=4), (WIDTH + 120, HEIGHT + 60)
    lens = dataclasses.replace(LENS, cx=LENS.cx + 60, cy=LENS.cy + 30)
    image, _ = room.shoot(pose_at(), LENS, WIDTH, HEIGHT)
    true, _ = room.shoot(pose_at(), lens, *wide)
    shot = make_shot([image], None, [pose_at()], [pose_at()])
    trajectory = raytraced.trajectory([pose_at()], lens, *wide)
    shot = dataclasses.replace(shot, target=trajectory, width=wide[0], height=wide[1])
    ((made, invented),) = fill(shot, [off(true)], exact=True)[2]
    middle = np.s_[30 : 30 + HEIGHT, 60 : 60 + WIDTH]
    assert np.array_equal(made[middle], image)
    assert not invented[middle].any()
    around = np.ones(invented.shape, bool)
    around[middle] = False
    assert (invented[around] == 255).all()
    assert psnr(made, true, around) > psnr(off(true), true, around) + 5
    # Across the rim of the footage the picture goes on as the truth does.
    steps = np.abs(np.diff(made.astype(int), axis=1))[30:-30, [59, 59 + WIDTH]].mean()
    assert steps < 1.3 * np.abs(np.diff(true.astype(int), axis=1))[30:-30, [59, 59 + WIDTH]].mean()


# Memory


def test_the_clip_is_read_forward_and_once(scene):
    shot, _, true = scene
    count = 12
    place = [0, 1, 2, 1] * 3

    class Counted:
        def __init__(self, clip):
            self.clip, self.asked = clip, []
            self.width, self.height = clip.width, clip.height

        def frame(self, index):
            self.asked.append(index)
            return self.clip.frame(place[index])

    footage, depth = Counted(shot.footage), Counted(shot.depth)
    poses = [pose_at()] * count
    longer = make_shot([shot.footage.frame(0)] * count, [shot.depth.frame(0)] * count, poses, [arc(3)] * count)
    confidence = Counted(Clip(*[np.ones((HEIGHT, WIDTH), np.float32)] * FRAMES))
    longer = dataclasses.replace(longer, footage=footage, depth=depth, confidence=confidence)
    assert len(fill(longer, [true[1]] * count)[2]) == count
    first = len(footage.asked) - count
    # Before the first frame `reproject` looks for what other frames show; then it goes forward.
    assert footage.asked[first + 1 :] == sorted(footage.asked[first + 1 :])
    assert len(footage.asked) <= 2 * count
    assert len(confidence.asked) <= 2 * count


# What the filler is asked for


def test_a_wider_view_is_asked_for_from_further_back():
    """Of a filler that keeps the footage's lens; what lies at the subject's distance is seen alike."""
    wide = dataclasses.replace(LENS, fx=LENS.fx / 1.5, fy=LENS.fy / 1.5)
    room = raytraced.Room(seed=4)
    image, _ = room.shoot(pose_at(), LENS, WIDTH, HEIGHT)
    true, _ = room.shoot(pose_at(), wide, WIDTH, HEIGHT)
    pose = pose_at((0.1, 0.2, 0.3), turn=20)
    shot = make_shot([image] * 2, None, [pose_at()] * 2, [pose_at(), pose], target_lens=wide)
    engine, filler, _ = fill(shot, [true] * 2, exact=True)
    asked = filler.shown[0].target
    assert any("up to 2.0 m further back" in each for each in engine.notes)
    for index, stands in enumerate((pose_at(), pose)):
        lens, seen = asked.intrinsics[index], np.array(asked.poses[index])
        assert (lens.fx, lens.fy) == pytest.approx((LENS.fx, LENS.fy))
        for x, y in ((0, 0), (WIDTH, HEIGHT), (100, 30)):
            point = np.array([(x - wide.cx) / wide.fx * 4, (y - wide.cy) / wide.fy * 4, 4, 1])
            u, v, z, _ = np.linalg.inv(seen) @ stands @ point
            assert (lens.fx * u / z + lens.cx, lens.fy * v / z + lens.cy) == pytest.approx((x, y))


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (240, 416), (WIDTH, 100)])
def test_a_view_no_wider_than_the_footages_is_asked_for_as_it_is(size):
    image, _ = raytraced.Room(seed=4).shoot(pose_at(), LENS, WIDTH, HEIGHT)
    share = max(size[0] / WIDTH, size[1] / HEIGHT)
    lens = dataclasses.replace(LENS, fx=LENS.fx * share, fy=LENS.fy * share, cx=size[0] / 2, cy=size[1] / 2)
    shot = make_shot([image], None, [pose_at()], [pose_at(turn=3)], target_lens=lens, size=size)
    shot = dataclasses.replace(shot, target=raytraced.trajectory([pose_at(turn=3)], lens, *size))
    _, filler, _ = fill(shot, [np.zeros((size[1], size[0], 3), np.uint8)])
    assert filler.shown[0].target == shot.target
