"""From a job to its take where cameras and depth are left to the backend: through files, as a user would."""

import dataclasses
from fractions import Fraction

import handheld
import numpy as np
import pytest
import raytraced

from backend import cameras, contract
from backend.contract import Depth, EngineSettings, Job, Known, Output, Use
from backend.geometry.solve import Solved
from backend.held import HeldFrames
from backend.media.reader import open_footage
from backend.render import RenderError, render
from backend.settling import settle

WIDTH, HEIGHT, FRAMES = 320, 192, 20
LENS = raytraced.lens_for(WIDTH, HEIGHT)
ROOM = raytraced.Room(seed=3, moving=False)


def shots(poses):
    return [ROOM.shoot(pose, LENS, WIDTH, HEIGHT, looks=2) for pose in poses]


def travel():
    """A camera that goes a metre to the right and looks at the room all the while."""
    return [raytraced.pose_at((-0.5 + share, 0.0, 0.0), turn=-7 * (share - 0.5)) for share in np.linspace(0, 1, FRAMES)]


@pytest.fixture(scope="module")
def travelled(tmp_path_factory):
    """Its footage, and the depth of its first frame."""
    made = shots(travel())
    path = tmp_path_factory.mktemp("travelled") / "it's a clip é.mkv"
    return handheld.write_clip(path, [picture for picture, _ in made]), made


def path_of(poses):
    return raytraced.trajectory(poses, LENS, WIDTH, HEIGHT)


def job(folder, footage, target, **said):
    settings = said.pop("settings", EngineSettings(depth=Depth(kind="auto")))
    output = Output(path=str(folder / "take.mkv"), width=WIDTH, height=HEIGHT, rate=Fraction(24), format="ffv1")
    return Job(footage=footage, target=path_of(target), lens=LENS, output=output, settings=settings, **said)


def made(asked):
    result = render(asked, lambda _progress: None, lambda: False)
    footage = contract.Footage(
        kind="movie", files=(result.path,), frames=tuple(range(result.frames)), width=WIDTH, height=HEIGHT
    )
    with open_footage(footage) as reader:
        return result, [np.array(reader.frame(index)) for index in range(result.frames)]


def settled(asked):
    import contextlib

    with contextlib.ExitStack() as stack:
        return settle(asked, lambda: open_footage(asked.footage), None, stack, lambda *_: None, lambda: None)


def test_the_source_cameras_motion_tells_depth(tmp_path, travelled):
    """A take from beside the source camera is nearer to what is there by 3 dB than one over a plane."""
    footage, _ = travelled
    target = [pose @ raytraced.pose_at((0.25, -0.1, 0.0)) for pose in travel()]
    truth = shots(target)
    closeness = {}
    for kind in ("auto", "plane"):
        folder = tmp_path / kind
        folder.mkdir()
        settings = EngineSettings(depth=Depth(kind=kind))
        result, frames = made(job(folder, footage, target, source=path_of(travel()), settings=settings))
        closeness[kind] = np.mean(
            [raytraced.psnr(one, other) for one, (other, _) in zip(frames, truth, strict=True)][2:-2]
        )
        assert result.depth == {"auto": "depth from the camera's motion", "plane": "flat plane 4.00 m away"}[kind]
    assert closeness["auto"] > closeness["plane"] + 3


def test_a_move_that_follows_the_source_and_stands_still_gives_the_footage_back(tmp_path, travelled):
    footage, shown = travelled
    still = [raytraced.pose_at((5.0, 0.0, 0.0), turn=30)] * FRAMES
    result, frames = made(job(tmp_path, footage, still, source=path_of(travel()), relative=True))
    assert all(np.array_equal(one, other) for one, (other, _) in zip(frames, shown, strict=True))
    assert result.invented_most == 0


def test_cameras_in_one_place_need_no_depth(tmp_path, travelled):
    footage, _ = travelled
    result, _ = made(job(tmp_path, footage, [raytraced.pose_at(turn=turn) for turn in np.linspace(0, 5, FRAMES)]))
    assert result.depth == "none needed, as the cameras stand in one place"


def test_a_camera_is_solved_from_the_footage_in_metres(tmp_path, travelled):
    """One point is known: the path is as long as the true one, and it starts where the target does."""
    footage, shown = travelled
    x, y = 200, 150
    known = Known(frame=0, x=x + 0.5, y=y + 0.5, distance=float(shown[0][1][y, x]))
    start = raytraced.pose_at((3.0, 1.0, -2.0), turn=40)
    found = settled(job(tmp_path, footage, [start] * FRAMES, source_from="footage", known=known))
    solved, true = np.array(found.source.poses), cameras.relative(np.array(travel()))
    assert np.allclose(solved[0], start, atol=1e-9)
    seen = cameras.relative(solved)
    assert np.linalg.norm(seen[-1, :3, 3]) == pytest.approx(np.linalg.norm(true[-1, :3, 3]), rel=0.05)
    apart = np.degrees(np.arccos(np.clip((np.einsum("nij,nij->n", seen[:, :3, :3], true[:, :3, :3]) - 1) / 2, -1, 1)))
    assert apart.max() < 0.15
    assert found.source_known
    assert any("a point" in each for each in found.notes)


def test_without_a_point_the_subject_distance_tells_the_size(tmp_path, travelled, monkeypatch):
    footage, _ = travelled
    poses = cameras.relative(np.array(travel()))
    points = tuple(np.array([[1.0, 1.0, 3.0], [2.0, 2.0, 5.0], [3.0, 3.0, 6.0]], np.float32) for _ in poses)
    found = Solved(path_of(poses), "moving", 1.0, 0.1, 10.0, np.zeros((0, 3)), points, "It moves.")
    monkeypatch.setattr("backend.geometry.solve.solve", lambda *_args, **_known: found)
    asked = job(tmp_path, footage, [raytraced.pose_at()] * FRAMES, source_from="footage")
    seen = np.array(settled(dataclasses.replace(asked, subject_distance=10.0)).source.poses)
    assert seen[:, :3, 3] == pytest.approx(2 * poses[:, :3, 3], abs=1e-9)
    assert seen[:, :3, :3] == pytest.approx(poses[:, :3, :3], abs=1e-9)


def test_footage_that_tells_nothing_ends_in_one_sentence(tmp_path):
    blank = [np.full((HEIGHT, WIDTH, 3), 128, np.uint8)] * 12
    footage = handheld.write_clip(tmp_path / "blank.mkv", blank)
    asked = job(tmp_path, footage, [raytraced.pose_at()] * 12, source_from="footage")
    with pytest.raises(RenderError) as refused:
        made(asked)
    assert refused.value.kind == "footage"
    assert str(refused.value).endswith(".")
    assert not list(tmp_path.glob("take*"))


def test_depth_from_motion_is_refused_where_there_is_none(tmp_path, travelled):
    footage, _ = travelled
    settings = EngineSettings(depth=Depth(kind="motion"))
    target = [raytraced.pose_at((0.01 * index, 0.0, 0.0)) for index in range(FRAMES)]
    with pytest.raises(RenderError, match="needs a source camera that moves"):
        made(job(tmp_path, footage, target, settings=settings))


def test_time_stands_still_while_an_instant_is_held(tmp_path, travelled):
    footage, shown = travelled
    use = Use(kind="freeze", at=6, hold=8, ease=0)
    settings = EngineSettings(depth=Depth())
    still = [raytraced.pose_at()] * FRAMES
    result, frames = made(job(tmp_path, footage, still, use=use, settings=settings))
    held = [index for index, frame in enumerate(frames) if np.array_equal(frame, shown[6][0])]
    assert held == list(range(6, 14))
    assert np.array_equal(frames[14], shown[7][0])
    assert any("frame" in each for each in result.notes)


def test_a_move_that_follows_a_source_that_moves_stands_still_with_it_while_an_instant_is_held(tmp_path, travelled):
    footage, shown = travelled
    use = Use(kind="freeze", at=6, hold=8, ease=0)
    still = [raytraced.pose_at((5.0, 0.0, 0.0), turn=30)] * FRAMES
    asked = job(tmp_path, footage, still, use=use, source=path_of(travel()), relative=True)
    result, frames = made(asked)
    assert [index for index, frame in enumerate(frames) if np.array_equal(frame, shown[6][0])] == list(range(6, 14))
    assert np.array_equal(frames[14], shown[7][0])
    assert result.invented_most == 0


def test_between_frames_the_footage_is_read_forward_and_its_alpha_kept():
    asked = []

    class Footage:
        width, height = 32, 24

        def frame(self, index):
            asked.append(index)
            return np.full((24, 32, 4), 10 * (index + 1), np.uint8)

    frames = HeldFrames(Footage(), [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0])
    alphas = [int(frames.frame(index)[0, 0, 3]) for index in range(7)]
    assert alphas == [10, 10, 10, 20, 20, 20, 30]
    assert asked == sorted(asked)
