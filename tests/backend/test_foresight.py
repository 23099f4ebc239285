"""The messages that tell of a take before it is made, and the worker that answers with them."""

import json
import sys
from fractions import Fraction

import numpy as np
import pytest
from clips import make_clip
from fake_workers import client, wait
from jobs import make_job, still
from raytraced import arc, lens_for, trajectory

from backend import contract
from backend.contract import ContractError
from backend.foresight import CAUSES, Forecast, Steadiness, Still, moment

WORKER = [sys.executable, "-m", "backend", "serve"]


@pytest.mark.parametrize(
    "message",
    [
        Forecast(shares=(0.0, 0.25), outside=(0.0, 0.2), cause="turns"),
        Still(path="/tmp/still", width=832, height=480, invented=0.125),
        Steadiness(shake=0.25, moves=4.5, kind="shaky"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_travel(message):
    assert type(message).from_json(json.loads(json.dumps(message.to_json()))) == message


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"shares": ()}, "shares"),
        ({"shares": (0.1, 1.5), "outside": (0.1, 0.1)}, r"shares\[1\]"),
        ({"outside": (0.1, 0.1)}, "outside"),
        ({"outside": (-0.1,)}, r"outside\[0\]"),
        ({"cause": "magic"}, "cause"),
    ],
)
def test_a_forecast_that_cannot_be_is_refused(values, field):
    with pytest.raises(ContractError, match=f"^{field}: found"):
        Forecast(**{"shares": (0.1,), "outside": (0.1,), "cause": CAUSES[0]} | values)


def test_the_worst_frame_is_the_first_of_several():
    assert Forecast(shares=(0.1, 0.3, 0.3), outside=(0.0,) * 3, cause="turns").worst == 1


def whole_job(folder, **values):
    lens = lens_for(64, 48)
    job = make_job(folder, 5)
    depth = contract.Depth(kind="file", files=tuple(str(folder / f"{index}.npy") for index in range(5)))
    defaults = {
        "footage": contract.Footage(kind="movie", files=job.footage.files, frames=(4, 3, 3, 1, 0), width=64, height=48),
        "target": trajectory([arc(3.0 * index) for index in range(5)], lens, 64, 48),
        "settings": contract.EngineSettings(depth=depth),
    }
    return contract.Job(output=job.output, **defaults | values)


def test_a_moment_is_one_frame_of_the_whole(folder):
    job = whole_job(folder, source=trajectory([arc(float(index)) for index in range(5)], lens_for(64, 48), 64, 48))
    one = moment(job, 3)
    assert len(one) == 1
    assert one.footage.frames == (1,)
    assert one.target.poses == (job.target.poses[3],)
    assert one.source.poses == (job.source.poses[3],)
    assert one.settings.depth.files == (str(folder / "3.npy"),)
    assert contract.Job.from_json(one.to_json()) == one


def test_where_no_source_camera_is_given_it_stands_where_the_whole_take_begins(folder):
    """Not where the target camera is at the moment, which would give the footage back at every moment."""
    wide = contract.Intrinsics(fx=40.0, fy=40.0, cx=32.0, cy=24.0)
    one = moment(whole_job(folder, lens=wide), 3)
    assert np.array(one.source.poses[0]).tolist() == arc(0.0).tolist()
    assert one.source.intrinsics == (wide,)
    assert moment(whole_job(folder), 3).source.intrinsics == (lens_for(64, 48),)


# The worker


@pytest.fixture
def worker(start):
    return start(WORKER)


def result(worker, method, params):
    worker.call(method, params)
    event = wait(worker, 60)[-1]
    assert isinstance(event, client.Finished), event
    return event.result


def test_one_worker_answers_all_of_it(folder, worker):
    job = make_job(folder, 8)
    shares = Forecast.from_json(result(worker, "forecast", {"job": job.to_json()}))
    assert shares == Forecast(shares=(0.0,) * 8, outside=(0.0,) * 8, cause="none")
    path = str(folder / "still.rgba")
    one = Still.from_json(result(worker, "still", {"job": moment(job, 2).to_json(), "path": path, "tint": False}))
    assert one == Still(path=path, width=64, height=48, invented=0.0)
    assert np.fromfile(path, np.float32).size == 64 * 48 * 4
    steady = Steadiness.from_json(result(worker, "steadiness", {"footage": job.footage.to_json()}))
    assert steady.kind in ("still", "smooth", "shaky")
    assert result(worker, "trash", {"paths": []}) == {"trashed": [], "failed": {}}
    gone = str(folder / "never was there")
    assert list(result(worker, "trash", {"paths": [gone]})["failed"]) == [gone]


def test_output_may_be_there_already(folder, worker):
    """A forecast and a still are of takes that were made, too."""
    job = make_job(folder, 2)
    for path in (job.output.path, job.output.record):
        with open(path, "x") as file:
            file.write("here")
    result(worker, "forecast", {"job": job.to_json()})
    result(worker, "still", {"job": moment(job, 0).to_json(), "path": str(folder / "still"), "tint": True})
    with open(job.output.path) as file:
        assert file.read() == "here"


def job_with(folder, **changes):
    return make_job(folder, 2).to_json() | changes


@pytest.mark.parametrize(
    ("method", "params", "kind", "says"),
    [
        ("forecast", lambda folder: {"job": 7}, "contract", "job"),
        ("forecast", lambda folder: {}, "params", "expected job"),
        ("still", lambda folder: {"job": job_with(folder), "path": "still", "tint": True}, "contract", "absolute"),
        ("still", lambda folder: {"job": job_with(folder), "path": "/still", "tint": 1}, "contract", "true or false"),
        ("still", lambda folder: {"job": job_with(folder), "path": "/still", "tint": True}, "contract", "one: the"),
        ("steadiness", lambda folder: {"footage": {"kind": "movie"}}, "contract", "files: found nothing"),
        ("trash", lambda folder: {"paths": "/all"}, "contract", "a list of absolute paths"),
        ("trash", lambda folder: {"paths": ["all"]}, "contract", "paths[0]"),
    ],
)
def test_what_is_wrong_is_told_in_words(folder, worker, method, params, kind, says):
    worker.call(method, params(folder))
    event = wait(worker, 30)[-1]
    assert isinstance(event, client.Failed), event
    assert event.kind == kind
    assert says in event.message


def test_footage_that_has_gone_is_told_as_of_a_take(folder, worker):
    job = make_job(folder, 1)
    (folder / "clip.mp4").unlink()
    for method, params in (
        ("still", {"job": job.to_json(), "path": str(folder / "still"), "tint": False}),
        ("steadiness", {"footage": job.footage.to_json()}),
    ):
        worker.call(method, params)
        event = wait(worker, 30)[-1]
        assert isinstance(event, client.Failed)
        assert (event.kind, "was it moved or renamed?" in event.message) == ("footage", True)


def test_a_cancelled_task_ends_and_the_worker_lives(folder, worker):
    """Of a long clip, as a short one is looked at before anyone could cancel."""
    clip = make_clip(folder / "long.mp4", 90, 640, 480)
    footage = contract.Footage(kind="movie", files=(str(clip),), frames=tuple(range(90)), width=640, height=480)
    pid = worker.hello()["pid"]
    cancelled = worker.call("steadiness", {"footage": footage.to_json()})
    wait(worker, 30, until=lambda event: isinstance(event, client.Progressed))
    worker.cancel(cancelled)
    assert result(worker, "forecast", {"job": make_job(folder, 1, clip=clip).to_json()})["cause"] == "none"
    assert worker.pid == pid


def test_a_still_camera_of_another_rate_is_a_job_as_well(folder, worker):
    """Jobs as the sequencer makes them: reversed footage, another size, a rate of 30000/1001."""
    job = make_job(folder, 4)
    footage = contract.Footage(kind="movie", files=job.footage.files, frames=(3, 2, 1, 0), width=64, height=48)
    output = contract.Output(
        path=str(folder / "w.mov"), width=96, height=40, rate=Fraction(30000, 1001), format="prores4444"
    )
    other = contract.Job(footage=footage, target=still(4, 96, 40), output=output)
    told = Forecast.from_json(result(worker, "forecast", {"job": other.to_json()}))
    assert told.shares == (0.0,) * 4, "the same lens stretched to another frame sees what the footage shows"
