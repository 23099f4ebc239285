"""Which instants the network sees, and where the take's frames are in its video."""

import itertools

import pytest

from backend.recammaster.timing import default_overlap, network_times, schedule, take_places

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


# Windows

LONG = [(length, frames) for length in (10, 11, 23, 82, 92, 100, 146, 400, 401, 1000) for frames in (5, 9, 33, 81)]


@pytest.mark.parametrize(("length", "frames"), LENGTHS)
@pytest.mark.parametrize("overlap", [None, 0])
def test_what_fits_into_one_window_is_mapped_as_ever(length, frames, overlap):
    if length > frames and overlap is None:
        pytest.skip("drawn in windows")
    found = schedule(length, frames, overlap=overlap)
    assert found.times == network_times(length, frames)
    assert [tuple(window) for window in found.windows] == [(0, 0, 0, 0)]


@pytest.mark.parametrize(("length", "frames"), LONG)
@pytest.mark.parametrize("overlap", [None, 1])
def test_windows_are_full_cover_all_and_share_what_was_asked_for(length, frames, overlap):
    found = schedule(length, frames, overlap=overlap)
    shared = default_overlap(frames) if overlap is None else overlap
    if length <= frames + frames // 8:
        assert len(found.windows) == 1
        return
    assert found.times == list(range(length))
    first, last = found.windows[0], found.windows[-1]
    assert first == (0, 0, 0, 0)
    assert last.start + frames == length
    for before, window in itertools.pairwise(found.windows):
        assert window.start > before.start
        assert window.shared == before.start + frames - window.start
        assert shared <= window.known <= window.shared < window.known + 4
        assert window.known % 4 == 1
        assert window.fade == shared
    # As few as can be: with one less, some would share less than was asked for.
    assert (len(found.windows) - 2) * (frames - shared) + frames < length
    for window in found.windows:
        assert len(found.times_of(window)) == frames


def test_how_many_frames_windows_share():
    assert [default_overlap(frames) for frames in (1, 5, 9, 33, 49, 81)] == [0, 1, 5, 9, 9, 17]
    assert all(default_overlap(frames) % 4 == 1 < frames for frames in range(5, 400, 4))
    assert [tuple(each) for each in schedule(146, 81).windows] == [(0, 0, 0, 0), (32, 49, 49, 17), (65, 48, 45, 17)]
    assert len(schedule(400, 81).windows) == 6


def test_a_window_more_is_not_drawn_for_a_few_frames():
    assert len(schedule(91, 81).windows) == 1
    assert schedule(91, 81).times == network_times(91, 81)
    assert len(schedule(92, 81).windows) == 2


@pytest.mark.parametrize(
    ("rate", "step"),
    [
        *[(rate, 1) for rate in (12, 15, 23.976, 24, 25, 29.97, 30)],
        *[(rate, 2) for rate in (48, 50, 59.94, 60)],
        *[(90, 3), (100, 4), (119.88, 4), (120, 4)],
    ],
)
def test_up_to_30_instants_a_second_are_drawn(rate, step):
    found = schedule(1000, 81, rate=rate)
    assert found.step == step
    assert found.times == sorted({*range(0, 1000, step), 999})
    assert rate / step <= 30
    places = take_places(1000, found.times)
    assert sum(place.is_integer() for place in places) == len(found.times)


def test_a_high_rate_is_not_thinned_where_all_of_it_fits():
    assert schedule(81, 81, rate=120).times == list(range(81))
    # And where it must be, as little as fills the window.
    assert schedule(100, 81, rate=120).times == network_times(100, 81)


@pytest.mark.parametrize(("footage", "rate"), [(12, 24), (12, 30), (12, 60), (15, 60), (24, 30), (24, 60), (25, 50)])
@pytest.mark.parametrize("length", [60, 500])
def test_footage_slower_than_the_timeline_is_shown_once(footage, rate, length):
    shows = [index * footage // rate for index in range(length)]
    found = schedule(length, 81, rate=rate, shows=shows)
    assert found.repeats == length - len(set(shows)) - (shows[-1] == shows[-2])
    shown = [shows[instant] for instant in found.instants]
    assert len(set(shown)) >= len(shown) - 1, "the last frame alone may show again what the one before does"
    assert found.instants[0] == 0
    assert found.instants[-1] == length - 1
    assert set(shown) == set(shows)
    assert [found.instants[int(place)] for place in found.places if place.is_integer()] == found.instants


@pytest.mark.parametrize("footage", [24, 30, 60, 120])
def test_footage_faster_than_the_timeline_leaves_nothing_out(footage):
    found = schedule(400, 81, rate=24, shows=[index * footage // 24 for index in range(400)])
    assert found.repeats == 0
    assert found.times == list(range(400))


def test_what_is_held_on_purpose_is_shown_as_it_is():
    """A still, and an instant that is frozen: the camera moves on in them."""
    assert schedule(60, 81, shows=[0] * 60).times == network_times(60, 81)
    frozen = [*range(100), *[100] * 48, *range(101, 200)]
    assert schedule(len(frozen), 81, shows=frozen).repeats == 0
    backwards = [index // 2 for index in range(120)][::-1]
    assert schedule(120, 81, shows=backwards).repeats == 59
