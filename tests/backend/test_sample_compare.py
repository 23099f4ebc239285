"""What the demo and the quality benchmark measure with."""

import json

import numpy as np
import OpenEXR
import pytest

from samples import compare

WIDTH, HEIGHT, FOCAL = 120, 60, 100.0
NEAR, FAR, STEP = 2.0, 4.0, 0.2
"""A wall 4 m away, a board 2 m away before it; the target stands 0.2 m to the right of the source."""


@pytest.fixture
def views(tmp_path):
    """The board spans columns 40 to 80 of the source: seen from the target, it moves left by 10 and the wall by 5."""
    found = []
    for name, x, board in (("source", 0.0, slice(40, 80)), ("target", STEP, slice(30, 70))):
        depth = np.full((HEIGHT, WIDTH), FAR, np.float32)
        depth[20:40, board] = NEAR
        folder = tmp_path / name
        folder.mkdir()
        with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": np.stack([depth] * 3, -1)}) as file:
            file.write(str(folder / "0001.exr"))
        pose = np.eye(4)
        pose[0, 3] = x
        lens = {"fx": FOCAL, "fy": FOCAL, "cx": WIDTH / 2, "cy": HEIGHT / 2}
        data = {"width": WIDTH, "height": HEIGHT, "poses": [pose.tolist()], "intrinsics": [lens]}
        (folder / "camera.json").write_text(json.dumps(data))
        found.append(compare.View(folder))
    return found


def test_what_the_board_hid_and_what_lay_outside_is_not_visible(views):
    hidden = ~compare.visible(*views, 0)
    expected = np.zeros_like(hidden)
    expected[:, WIDTH - 5 :] = True  # the wall comes in from the right
    expected[20:40, 70:75] = True  # the board uncovers the wall on its right
    # To the pixel: any of the four around may agree, and one of them may lie beyond the edge.
    assert np.array_equal(hidden[:19].sum(1), expected[:19].sum(1))
    assert np.abs(hidden[21:38].sum(1).astype(int) - expected[21:38].sum(1)).max() <= 1
    assert (hidden & ~expected).sum() == 0


def test_the_flat_plane_shifts_the_footage_as_far_as_its_distance_says(views):
    footage = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    seen = compare.flat_plane(footage, *views, 0, FAR)
    assert np.array_equal(seen[:, : WIDTH - 5], footage[:, 5:])


def test_psnr_is_over_all_frames_and_only_where_asked():
    black, tally = np.zeros((4, 4, 3), np.uint8), compare.Tally()
    for error in (1, 7):
        tally.add(black + np.uint8(error), black)
    assert tally.psnr == pytest.approx(10 * np.log10(255**2 / 25))
    part, where = compare.Tally(), np.zeros((4, 4), bool)
    where[0, 0] = True
    wrong_elsewhere = np.full_like(black, 200)
    wrong_elsewhere[0, 0] = 1
    part.add(wrong_elsewhere, black, where)
    assert part.psnr == pytest.approx(48.1308, abs=1e-3)


def test_half_a_picture_with_texture_is_half_textured():
    picture = np.full((90, 200, 3), 128, np.uint8)
    picture[:, 100:] = np.random.default_rng(0).integers(0, 256, (90, 100, 1), np.uint8)
    assert compare.textured(picture) == pytest.approx(0.5, abs=0.03)
