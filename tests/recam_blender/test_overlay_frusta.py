"""Lines and colours of the overlay: numbers only, held against a projection of their own and against plain geometry."""

import math
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def frusta(recam: Any) -> Any:
    return recam("overlay.frusta")


def turned(axis: str, degrees: float, place: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """A camera's matrix, turned about one of the world's axes."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    one, other = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[one, one] = matrix[other, other] = c
    matrix[one, other], matrix[other, one] = -s, s
    matrix[:3, 3] = place
    return matrix


def test_a_frustum_is_the_view_of_its_camera(frusta: Any) -> None:
    """Every point but the triangle's peak comes to an edge of the picture, seen by the camera itself."""
    matrices = np.stack([turned("x", 70, (1, 2, 3)), turned("z", -30, (-4, 0, 1))])
    corners = np.array([(-0.6, 0.4, -0.3, 0.25), (-0.5, 0.5, -0.5, 0.5)])
    lines = frusta.frustum_lines(matrices, corners, 2.5)
    assert lines.shape == (2 * 2 * frusta.LINES_PER_FRUSTUM, 3)
    assert lines.dtype == np.float32
    for matrix, (left, right, bottom, top), points in zip(matrices, corners, np.split(lines, 2), strict=True):
        seen = np.append(points, np.ones((len(points), 1)), axis=1) @ np.linalg.inv(matrix).T
        eye = np.linalg.norm(seen[:, :3], axis=1) < 1e-5
        assert eye.sum() == 4
        np.testing.assert_allclose(seen[~eye, 2], -2.5, atol=1e-5)
        x, y = (seen[~eye, :2] / 2.5).T
        at_a_side = np.isclose(x, left, atol=1e-5) | np.isclose(x, right, atol=1e-5)
        at_an_edge = at_a_side & (np.isclose(y, bottom, atol=1e-5) | np.isclose(y, top, atol=1e-5))
        assert at_an_edge.sum() == 4 + 8
        # The triangle over the upper edge, so that up is told from down.
        assert (y > top + 0.01).sum() == 2
        assert (y < bottom - 1e-5).sum() == 0


def test_a_path_goes_from_frame_to_frame(frusta: Any) -> None:
    matrices = np.stack([turned("x", 0, (float(x), x * x, 0.0)) for x in range(4)])
    lines = frusta.path_lines(matrices)
    assert lines.tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0], [2, 4, 0], [2, 4, 0], [3, 9, 0]]
    assert frusta.path_lines(matrices[:1]).shape == (0, 3)


@pytest.mark.parametrize(
    ("count", "step", "expected"),
    [
        (81, 0, [0, 10, 20, 30, 40, 50, 60, 70, 80]),
        (24, 0, [0, 5, 10, 15, 20, 23]),
        (8, 0, [0, 1, 2, 3, 4, 5, 6, 7]),
        (81, 30, [0, 30, 60, 80]),
        (62, 30, [0, 30, 61]),
        (1, 0, [0]),
        (1, 7, [0]),
        (2, 7, [0, 1]),
        (81, 1, list(range(81))),
        (0, 0, []),
    ],
)
def test_which_frames_have_a_frustum(frusta: Any, count: int, step: int, expected: list[int]) -> None:
    assert frusta.chosen(count, step) == expected


@pytest.mark.parametrize("count", [2, 9, 100, 241, 1001, 4000, 100_000])
def test_there_are_never_too_many(frusta: Any, count: int) -> None:
    found = frusta.chosen(count, 0)
    assert len(found) <= 12
    assert (found[0], found[-1]) == (0, count - 1)


@pytest.mark.parametrize(
    ("moved", "degrees", "expected"),
    [
        (0.0, 0.0, None),
        (0.05, 0.0, None),
        (0.0, 0.4, None),
        (0.2, 0.0, (0.2, 0.0)),
        (0.0, 0.6, (0.0, 0.6)),
        (0.4, 7.0, (0.4, 7.0)),
        (3.0, 179.9, (3.0, 179.9)),
    ],
)
def test_the_first_views_are_held_against_each_other(
    frusta: Any, moved: float, degrees: float, expected: tuple[float, float] | None
) -> None:
    """Beyond a hundredth of the subject's distance, or half a degree."""
    source = turned("x", 60, (1.0, -3.0, 2.0))
    target = source @ turned("y", degrees)
    target[:3, 3] += (0.0, 0.0, moved)
    found = frusta.mismatch(target, source, 10.0)
    assert found is None if expected is None else np.allclose(found, expected, atol=1e-6)


def test_sizes_follow_the_path_within_what_the_subject_allows(frusta: Any) -> None:
    def along(length: float) -> np.ndarray:
        return np.stack([turned("x", 0, (length * share, 0.0, 0.0)) for share in (0.0, 0.5, 1.0)])

    assert frusta.automatic_size(along(0.0), 5.0) == pytest.approx(0.2)
    assert frusta.automatic_size(along(5.0), 5.0) == pytest.approx(0.6)
    assert frusta.automatic_size(along(500.0), 5.0) == pytest.approx(1.0)


def test_the_ramp_can_be_told_apart_without_seeing_red(frusta: Any) -> None:
    """By brightness, as eyes without red cones have it, and by hue for all others."""
    green, yellow, red = frusta.ramp([0.0, 0.2, 0.5])
    assert np.allclose(frusta.ramp([0.7, 1.0])[:, :3], red[:3])
    for one, other in ((green, yellow), (yellow, red), (green, red)):
        assert abs(_brightness(one) - _brightness(other)) > 0.08
    assert green[1] > green[0]
    assert red[0] > 3 * red[1]
    assert frusta.ramp([0.1], 0.5)[0, 3] == 0.5


def _brightness(colour: np.ndarray) -> float:
    """Relative luminance for protanopes, nearly (Viénot 1999: red counts for a ninth of green)."""
    linear = np.where(colour[:3] <= 0.04045, colour[:3] / 12.92, ((colour[:3] + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.11, 0.85, 0.04))


@pytest.mark.parametrize("cells", [1, 7, 40, 80, 81, 500])
def test_no_bad_frame_is_lost_in_a_narrow_bar(frusta: Any, cells: int) -> None:
    shares = [0.0] * 81
    for bad in (0, 33, 80):
        found = frusta.binned([*shares[:bad], 0.9, *shares[bad + 1 :]], cells)
        assert len(found) == min(cells, 81)
        assert found.max() == 0.9
        assert (found > 0).sum() == 1


def test_words_do_not_overlap_and_the_first_go_first(frusta: Any) -> None:
    boxes = [(0, 0, 20, 10), (10, 5, 20, 10), (25, 0, 20, 10), (21, 0, 20, 10), (0, 30, 20, 10)]
    assert frusta.thinned(boxes, 4) == [0, 2, 4]
    assert frusta.thinned(reversed(boxes), 4) == [0, 1]


def test_what_the_eye_is_in_is_left_out(frusta: Any) -> None:
    matrices = np.stack([turned("x", 0, (float(x), 0.0, 0.0)) for x in range(5)])
    assert frusta.away_from(matrices, (2.0, 0.0, 0.0), 0.5).tolist() == [True, True, False, True, True]
