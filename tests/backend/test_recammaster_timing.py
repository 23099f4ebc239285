"""Which instants the network sees, and where the take's frames are in its video."""

import itertools

import pytest

from backend.recammaster.timing import network_times, take_places

LENGTHS = [
    (length, frames) for length in (1, 2, 3, 20, 40, 41, 80, 81, 82, 96, 161, 162, 500) for frames in (5, 49, 81)
]


def test_as_many_frames_as_the_network_draws_are_themselves():
    assert network_times(81, 81) == list(range(81))
    assert take_places(81, network_times(81, 81)) == list(range(81))


@pytest.mark.parametrize(("length", "frames"), LENGTHS)
def test_instants_rise_from_the_first_frame_to_the_last(length, frames):
    times = network_times(length, frames)
    assert len(times) == frames
    assert times[0] == 0
    assert times[-1] == length - 1
    assert all(later > earlier for earlier, later in itertools.pairwise(times)) or length == 1


@pytest.mark.parametrize(("length", "frames"), LENGTHS)
def test_as_many_frames_as_can_be_are_whole(length, frames):
    times = network_times(length, frames)
    places = take_places(length, times)
    if length == 1:
        assert set(times) == {0.0}
        assert places == [0.0]
    elif length <= frames:
        assert set(range(length)) <= set(times)
        assert all(place.is_integer() and times[int(place)] == frame for frame, place in enumerate(places))
    else:
        assert all(time.is_integer() for time in times)
        assert sum(place.is_integer() for place in places) == frames


@pytest.mark.parametrize(("length", "frames"), LENGTHS)
def test_places_are_where_the_instants_are(length, frames):
    """Walking straight between the instants, one is at each frame of the take at its place; and none is far off."""
    times = network_times(length, frames)
    for frame, place in enumerate(take_places(length, times)):
        first = min(int(place), frames - 2)
        reached = times[first] + (place - first) * (times[first + 1] - times[first])
        assert reached == pytest.approx(frame, abs=1e-9)
        assert abs(place - frame * (frames - 1) / max(length - 1, 1)) <= max(
            0.5, 0.5 * (frames - 1) / max(length - 1, 1)
        )


def test_known_places():
    assert network_times(3, 5) == [0, 0.5, 1, 1.5, 2]
    assert take_places(3, network_times(3, 5)) == [0, 2, 4]
    # 1 x 4 / 3 and 2 x 4 / 3 are nearest to 1 and 3.
    assert network_times(4, 5) == [0, 1, 1.5, 2, 3]
    assert network_times(9, 5) == [0, 2, 4, 6, 8]
    assert take_places(9, network_times(9, 5)) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert network_times(1, 5) == [0] * 5
    assert network_times(7, 1) == [0]
    assert take_places(7, [0.0]) == [0] * 7
