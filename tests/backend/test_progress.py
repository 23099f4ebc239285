"""Progress, thinned out: seldom enough to cost nothing, often enough to be alive."""

import time

from backend import progress
from backend.contract import Progress
from backend.progress import Telling


def tell_all(steps, **options):
    told = []
    with Telling(told.append, **options) as telling:
        for phase, step, total in steps:
            telling.report(Progress(phase=phase, step=step, total=total))
    return [(each.phase, each.step) for each in told]


def test_first_and_last_step_of_a_phase_are_told_whatever_the_pace():
    steps = [("reading", step, 100) for step in range(101)] + [("drawing", step, 50) for step in range(51)]
    assert tell_all(steps, interval=60) == [("reading", 0), ("reading", 100), ("drawing", 0), ("drawing", 50)]


def test_phase_that_ends_early_has_its_last_step_told():
    steps = [("reading", step, 100) for step in range(40)] + [("drawing", 0, 50)]
    assert tell_all(steps, interval=60) == [("reading", 0), ("reading", 39), ("drawing", 0)]


def test_phases_that_alternate_are_thinned_out_too():
    steps = [(("reading", "drawing")[step % 2], step, 1000) for step in range(500)]
    assert len(tell_all(steps, interval=60)) <= 4


def test_not_more_than_twenty_a_second():
    told = []
    with Telling(told.append) as telling:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            telling.report(Progress(phase="drawing", step=1, total=100))
    assert 5 <= len(told) <= 12


def test_long_step_is_heard_of_all_the_same():
    told = []
    with Telling(told.append, heartbeat=0.1) as telling:
        telling.report(Progress(phase="drawing", step=3, total=9))
        time.sleep(0.55)
    assert 3 <= len(told) <= 7
    assert {each.step for each in told} == {3}


def test_sizes_in_words():
    told = [
        progress.size(count)
        for count in (0, 999, 1000, 34_560, 999_400, 999_900, 340_000_000, 1_499_000_000, 21_474_836_480)
    ]
    assert told == ["0 bytes", "999 bytes", "1.0 kB", "35 kB", "999 kB", "1.0 MB", "340 MB", "1.5 GB", "21 GB"]
