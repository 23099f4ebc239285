"""Solving from files: in metres, as the worker answers and as the shell writes."""

import json
import math

import numpy as np
import pytest
import raytraced
from clips import make_clip
from filmed import HEIGHT, LENS, WIDTH, film, handheld, rotations_off

from backend import shell
from backend.cameras.formats import recam
from backend.contract import ContractError, Footage
from backend.geometry.tasks import TASKS
from backend.rpc import RpcError
from backend.serve import TASKS as SERVED
from backend.solved import Solve

COUNT = 16


@pytest.fixture(scope="module")
def poses():
    return handheld(COUNT, travel=0.8, turn=4)


@pytest.fixture(scope="module")
def clip(poses, tmp_path_factory):
    folder = tmp_path_factory.mktemp("the director's é 日本 cut")
    return make_clip(folder / "shot 1.mkv", film(poses), WIDTH, HEIGHT, 24, codec="ffv1", pix_fmt="yuv444p")


def asked(path, **changes):
    footage = Footage(kind="movie", files=(str(path),), frames=tuple(range(COUNT)), width=WIDTH, height=HEIGHT)
    whole = {"footage": footage.to_json(), "lens": LENS.to_json(), "rate": 24, "distance": 3.5, "known": None}
    return json.loads(json.dumps(whole | changes))


def answer(request, cancelled=lambda: False):
    told = []
    method = TASKS["solve"]
    found = method.run(method.prepare(**request), told.append, cancelled)
    return Solve.from_json(json.loads(json.dumps(found))), told


@pytest.fixture(scope="module")
def answered(clip):
    return answer(asked(clip))


def test_the_worker_answers(answered, poses):
    found, told = answered
    assert SERVED["solve"] is TASKS["solve"]
    assert found.kind == "moving"
    assert found.distance == pytest.approx(3.5, rel=1e-5)
    assert rotations_off(found.trajectory, poses).max() < 0.08
    assert len(found.trajectory) == COUNT
    assert {each.phase for each in told} >= {"following points", "solving turns", "mapping", "solving the camera"}


def test_a_known_point_tells_the_size(clip, answered, poses):
    """The true depth of a point makes the way as long as it was."""
    _, depth = raytraced.Room().shoot(poses[0], LENS, WIDTH, HEIGHT, 0.0, 1)
    # On the far wall, where depth varies little around the point.
    x, y = 208.0, 30.0
    found, _ = answer(asked(clip, known={"frame": 0, "x": x, "y": y, "distance": float(depth[int(y), int(x)])}))
    ends = [np.array(pose)[:3, 3] for pose in (found.trajectory.poses[0], found.trajectory.poses[-1])]
    true = np.linalg.norm(poses[-1][:3, 3] - poses[0][:3, 3])
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(true, rel=0.1)


def test_a_camera_that_stands_has_no_distance(tmp_path):
    images = film(handheld(COUNT, travel=0, turn=0, degrees=0, metres=0))
    path = make_clip(tmp_path / "stands.mkv", images, WIDTH, HEIGHT, codec="ffv1", pix_fmt="yuv444p")
    found, _ = answer(asked(path, lens=None))
    assert (found.kind, found.distance) == ("still", None)


def test_refusals_reach_who_asked(tmp_path):
    blank = [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * COUNT
    path = make_clip(tmp_path / "blank.mkv", blank, WIDTH, HEIGHT, codec="ffv1", pix_fmt="yuv444p")
    with pytest.raises(RpcError, match="There is nothing in the footage to hold on to") as error:
        answer(asked(path))
    assert error.value.data["kind"] == "footage"
    with pytest.raises(RpcError, match="no file"):
        answer(asked(tmp_path / "gone.mkv"))


def test_it_is_cancelled(clip):
    with pytest.raises(RpcError) as error:
        answer(asked(clip), cancelled=lambda: True)
    assert error.value.data["kind"] == "cancelled"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": "24"}, "rate"),
        ({"rate": True}, "rate"),
        ({"distance": -1}, "distance"),
        ({"distance": 1e12}, "distance"),
        ({"lens": {"fx": 1}}, "lens"),
        ({"footage": 3}, "footage"),
        ({"known": {"frame": 0, "x": 1, "y": 1, "distance": 0}}, "known"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path, changes, field):
    with pytest.raises(ContractError) as error:
        TASKS["solve"].prepare(**asked(tmp_path / "clip.mkv", **changes))
    assert error.value.field.startswith(field)
    with pytest.raises(ContractError):
        TASKS["solve"].prepare(**asked(tmp_path / "clip.mkv", distance=math.nan))


def test_an_answer_is_checked(answered):
    found, _ = answered
    for wrong in ({"kind": "flying"}, {"distance": None}, {"registered": 2.0}, {"distance": 0.0}):
        with pytest.raises(ContractError):
            Solve.from_json(found.to_json() | wrong)


def test_the_shell_writes_a_trajectory(clip, answered, poses, tmp_path, capsys):
    output = str(tmp_path / "camera.json")
    fov = ["--fov", "55", "--subject-distance", "3.5"]
    assert shell.main(["solve", "--footage", str(clip), *fov, "--output", output]) == 0
    said = capsys.readouterr()
    assert said.out == output + "\n"
    assert "recam: The camera moves: 100 % of the frames were placed" in said.err
    assert rotations_off(recam.read(output), poses).max() < 0.08
    assert recam.read(output).intrinsics[0].fx == pytest.approx(LENS.fx)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--sensor", "36"], "--sensor: found 36.0 without --lens"),
        (["--subject-distance", "0"], "--subject-distance: found 0.0, expected more than 0 metres"),
        (["--fov", "200"], "--fov: found 200.0"),
        (["--rate", "x"], "--rate: found x"),
        (["--output", "/no/such/folder/t.json"], "no folder '/no/such/folder'"),
    ],
)
def test_the_shell_refuses(clip, tmp_path, capsys, options, wanted):
    output = [] if "--output" in options else ["--output", str(tmp_path / "t.json")]
    assert shell.main(["solve", "--footage", str(clip), *output, *options]) == 2
    assert wanted in capsys.readouterr().err


def test_the_shell_overwrites_nothing(clip, tmp_path, capsys):
    path = tmp_path / "t.json"
    path.write_text("mine")
    assert shell.main(["solve", "--footage", str(clip), "--output", str(path)]) == 2
    assert path.read_text() == "mine"
    assert "which exists" in capsys.readouterr().err


def test_the_shell_says_why_it_failed(tmp_path, capsys):
    blank = [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * COUNT
    path = make_clip(tmp_path / "blank.mkv", blank, WIDTH, HEIGHT, codec="ffv1", pix_fmt="yuv444p")
    assert shell.main(["solve", "--footage", str(path), "--output", str(tmp_path / "t.json")]) == 1
    assert "recam: There is nothing in the footage to hold on to" in capsys.readouterr().err
    assert not (tmp_path / "t.json").exists()
