"""Footage and takes of any shape through the whole engine: on a tiny network, and on one that gives its frames back."""

import dataclasses

import checkpoints
import cv2
import numpy as np
import pytest
from raytraced import lens_for, pose_at, psnr, trajectory
from shots import Clip
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend import contract
from backend.engines import Shot, create
from backend.recammaster import engine as whole
from backend.recammaster.fitting import frame_of, show
from backend.truepixels import TruePixels

FRAMES = 5
SHAPES = {
    "portrait": (480, 832),
    "square": (720, 720),
    "scope": (1920, 804),
    "tiny": (9, 16),
    "huge": (4096, 2304),
    "a strip": (2000, 60),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    checkpoints.make_all(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


class GivesBack:
    """Stands for the network: its video is what it was shown."""

    transparent = False

    def __init__(self, shot, fitted, schedule, *_):
        self._video = show(shot.footage, fitted, schedule.times).video

    def frame(self, index):
        return frame_of(self._video, index)

    def seams(self):
        return []


def picture(width, height, seed=0):
    """Smooth, and nowhere like elsewhere."""
    v, u = np.mgrid[0:height, 0:width] / max(width, height)
    planes = [128 + 60 * np.sin(9 * u + 4 * v + seed) + 60 * np.cos(7 * v - 5 * u + each) for each in range(3)]
    return np.rint(np.stack(planes, -1)).astype(np.uint8)


def make_shot(models, size, take, *, target=None, target_lens=None, count=FRAMES, **generation):
    images = [picture(*size, seed) for seed in range(count)]
    lens = lens_for(*size)
    wanted = {"frames": FRAMES, "width": 48, "height": 32, "steps": 1, "device": "cpu", "guidance": 1.0}
    chosen = contract.Generation(**wanted | {"models": contract.Models(folder=str(models))} | generation)
    poses = [pose_at()] * count
    scaled = target_lens or lens.scaled(take[0] / size[0], take[1] / size[1])
    return Shot(
        footage=Clip(*images),
        depth=None,
        source=trajectory(poses, lens, *size),
        target=trajectory(target or poses, scaled, *take),
        subject_distance=4.0,
        settings=contract.EngineSettings(engine="recammaster", generation=chosen),
        width=take[0],
        height=take[1],
        source_known=True,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_take_of_any_shape_has_the_jobs_size(models, shape):
    size, count = SHAPES[shape], 1 if shape == "huge" else FRAMES
    engine = create((shot := make_shot(models, size, size, count=count)).settings)
    frames = list(engine.frames(shot, lambda *_, **__: None))
    assert [each.image.shape for each in frames] == [(size[1], size[0], 3)] * count
    assert {each.invented.shape for each in frames} == {(size[1], size[0])}


@pytest.mark.parametrize("fit", ["auto", "crop", "pad"])
@pytest.mark.parametrize("shape", ["portrait", "square", "scope"])
def test_what_the_network_draws_is_put_where_the_footage_was(models, shape, fit, monkeypatch):
    """At the network's true size, with one that draws what it sees: the take is the footage, as much as it shows."""
    monkeypatch.setattr(whole, "Windows", GivesBack)
    size = SHAPES[shape]
    shot = make_shot(models, size, size, count=2, width=832, height=480, fit=fit)
    engine = create(shot.settings)
    frames = list(engine.frames(shot, lambda *_, **__: None))
    kept = 1.0
    if fit == "crop" or (fit == "auto" and shape == "scope"):
        # As much of it as lies in 832x480, about the middle and in its own shape.
        kept = min(size[0] / size[1], 832 / 480) / max(size[0] / size[1], 832 / 480)
    move = np.array([[kept, 0, (1 - kept) * size[0] / 2], [0, kept, (1 - kept) * size[1] / 2]])
    for image, footage in zip([each.image for each in frames], shot.footage.frames, strict=True):
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        expected = cv2.warpAffine(footage, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        inside = np.zeros(footage.shape[:2], bool)
        inside[8:-8, 8:-8] = True
        assert psnr(image, expected, inside) > 38
    told = any("mirror image" in each for each in engine.notes)
    assert told == (fit == "auto" and shape != "scope")
    assert any("was cropped" in each for each in engine.notes) == (kept < 1)


def test_a_crop_that_follows_the_camera_shows_what_it_looks_at(models, monkeypatch):
    """Portrait footage, a long lens that tilts up: the part that the network is shown holds what the target sees."""
    monkeypatch.setattr(whole, "Windows", GivesBack)
    size, take = SHAPES["portrait"], (320, 180)
    lens = dataclasses.replace(lens_for(*size).scaled(1.6, 1.6), cx=160.0, cy=90.0)
    tilted = [pose_at(tilt=8 * share) for share in np.linspace(0, 1, FRAMES)]
    shot = make_shot(models, size, take, target=tilted, target_lens=lens, width=832, height=480, fit="crop")
    engine = create(shot.settings)
    assert len(list(engine.frames(shot, lambda *_, **__: None))) == FRAMES
    (note,) = [each for each in engine.notes if "was cropped" in each]
    low, high = (int(each.rstrip("%")) for each in note.split("shown ")[1].split(",")[0].split(" to "))
    assert (low + high) / 2 < 48
    assert "by what the take shows" in note


def test_original_pixels_go_into_what_the_network_draws(models):
    """Random weights draw noise, which shows nothing alike; what was filmed is whole all the same."""
    size = (416, 240)
    target = [pose_at(turn=4)] * FRAMES
    shot = make_shot(models, size, size, target=target)
    engine = TruePixels(create(shot.settings), shot.settings)
    frames = list(engine.frames(dataclasses.replace(shot, mask=True), lambda *_, **__: None))
    assert len(frames) == FRAMES
    assert all(0.02 < each.invented.mean() / 255 < 0.3 for each in frames)
    assert any("differs too much" in each for each in engine.warnings)
    assert any("the footage's own pixels" in each and "recammaster" in each for each in engine.notes)
    assert not any("white all over" in each for each in engine.notes)
    assert engine.depth_used == "flat plane 4.00 m away"
