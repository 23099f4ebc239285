"""Depth by a network: pictures as published, files that are what they should be, scale, and steadiness."""

import contextlib
import json
import math

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import tiny_depth
import torch
from PIL import Image
from raytraced import Room, lens_for, pose_at
from transformers import AutoModelForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from backend import troubles
from backend.contract import Models
from backend.engines import EngineError
from backend.geometry import network, network_files, network_steady
from backend.models import places
from backend.models.catalogue import entry
from backend.models.library import Library

WIDTH, HEIGHT, LENGTH, DISTANCE = 104, 60, 6, 4.0


class Clip:
    def __init__(self, frames):
        self.frames = frames
        self.height, self.width = frames[0].shape[:2]
        self.asked = []

    def frame(self, index):
        self.asked.append(index)
        return self.frames[index]


@pytest.fixture(scope="module")
def frames():
    lens = lens_for(WIDTH, HEIGHT)
    return [Room().shoot(pose_at(), lens, WIDTH, HEIGHT, time=index / 20)[0] for index in range(LENGTH)]


@pytest.fixture(scope="module")
def relative(tmp_path_factory):
    return tiny_depth.make(tmp_path_factory.mktemp("relative é 日"))


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    return tiny_depth.make(tmp_path_factory.mktemp("metric"), kind="metric", most=20)


def estimated(frames, weights, **options):
    clip = Clip(frames)
    size = {"width": clip.width, "height": clip.height}
    options = {"distance": DISTANCE, "device": "cpu"} | options
    return network.NetworkDepth(
        lambda: contextlib.nullcontext(clip), len(frames), weights=str(weights), **size, **options
    )


def middle(depth):
    rows, columns = (int(side * 0.35) for side in depth.shape)
    return float(np.median(depth[rows : depth.shape[0] - rows, columns : depth.shape[1] - columns]))


# Pictures


@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1080), (832, 480), (416, 240), (480, 832), (518, 518), (998, 420)]
)
def test_pictures_are_prepared_as_published(width, height):
    """Against transformers' own processor, on Pillow."""
    random = np.random.default_rng(width)
    rough = random.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    picture = np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.NEAREST))
    published = DPTImageProcessorPil(**tiny_depth.PICTURES | {"size": {"height": 518, "width": 518}})
    wanted = published(picture, return_tensors="pt")["pixel_values"]
    found = network.prepared(picture, network_files.Pictures())
    assert found.shape == wanted.shape
    assert found.shape[2] % 14 == found.shape[3] % 14 == 0
    # One level of 255 is 0.0175; Pillow rounds after each of its two directions.
    assert float((found - wanted).abs().max()) < 0.04
    assert float((found - wanted).abs().mean()) < 0.004


def test_sixteen_bits_and_alpha():
    random = np.random.default_rng(0)
    eight = random.integers(100, 150, (60, 104, 3), np.uint8)
    sixteen = np.dstack([eight.astype(np.uint16) * 257, np.zeros((60, 104), np.uint16)])
    pictures = network_files.Pictures()
    found = network.prepared(sixteen, pictures) - network.prepared(eight, pictures)
    assert float(found.abs().max()) < 0.02


def test_what_the_network_says_comes_through(frames, relative):
    """The depth of a single frame: the model asked in the published way, up to a scale and a shift."""
    found = estimated(frames[:1], relative).frame(0)
    inputs = DPTImageProcessorPil(**tiny_depth.PICTURES)(frames[0], return_tensors="pt")
    with torch.no_grad():
        said = AutoModelForDepthEstimation.from_pretrained(relative)(**inputs).predicted_depth
    wanted = torch.nn.functional.interpolate(said[None], (HEIGHT, WIDTH), mode="bilinear")[0, 0].numpy()
    inside = (found < 0.99 * found.max()) & (found > 1.01 * found.min())
    assert inside.mean() > 0.5
    assert np.corrcoef((1 / found)[inside], wanted[inside])[0, 1] > 0.99


# Maps


@pytest.mark.parametrize("kind", ["relative", "metric"])
def test_maps_are_whole(frames, kind, request):
    depth = estimated(frames, request.getfixturevalue(kind))
    for index in (0, LENGTH - 1, 2):
        metres, sure = depth.frame(index), depth.confidence(index)
        assert metres.dtype == sure.dtype == np.float32
        assert metres.shape == sure.shape == (HEIGHT, WIDTH)
        assert np.isfinite(metres).all()
        assert (metres > 0).all()
        assert sure.min() >= 0
        assert 0 < sure.max() <= 1
    assert np.median([middle(depth.frame(index)) for index in range(LENGTH)]) == pytest.approx(DISTANCE, rel=0.1)
    assert depth.metric == (kind == "metric")
    assert "4 m" in depth.words
    depth.close()


def test_footage_is_read_once_and_forward(frames, relative):
    clip, told = Clip(frames), []
    depth = network.NetworkDepth(
        lambda: contextlib.nullcontext(clip),
        LENGTH,
        width=WIDTH,
        height=HEIGHT,
        distance=2.0,
        weights=str(relative),
        device="cpu",
        report=lambda *each: told.append(each),
    )
    depth.frame(3)
    assert clip.asked == list(range(LENGTH))
    assert told[-1] == ("estimating depth", LENGTH, LENGTH)


def test_it_stops_when_told(frames, relative):
    class Stop(Exception):
        pass

    calls = []

    def check():
        calls.append(1)
        if len(calls) == 3:
            raise Stop

    with pytest.raises(Stop):
        estimated(frames, relative, check=check)


def test_long_clips_are_kept_smaller():
    assert network._fitting(80, 518, 924) == (518, 924)
    height, width = network._fitting(20_000, 518, 924)
    assert 20_000 * 2 * height * width < 1.6e9


@pytest.mark.parametrize(
    ("far", "near", "metric"), [(0.0, 9.0, False), (2.0, 9.0, False), (0.1, 1.0, True), (0.4, 0.4, False)]
)
def test_the_subject_is_put_at_its_distance(far, near, metric):
    subject = far + 0.4 * (near - far)
    scale, shift = network._mapping(subject, far, near, 0.25, metric)
    assert scale * subject + shift == pytest.approx(0.25)
    assert scale * far + shift >= -1e-9
    assert not metric or shift == 0


# Steadiness


def spoilt(truth, index):
    """As networks do: another scale and shift in each frame."""
    return (truth * (1 + 0.25 * math.sin(2.1 * index)) + 0.2 * math.sin(1.3 * index)).astype(np.float32)


def test_flicker_is_taken_away():
    """Ray-traced truth under a moving camera, spoilt frame by frame: what is left of the flicker."""
    lens, frames, truth = lens_for(208, 120), [], []
    for index in range(24):
        picture, depth = Room(moving=True).shoot(
            pose_at((0.02 * index, 0, 0)), lens, 208, 120, time=index / 60, looks=2
        )
        frames.append(picture)
        truth.append((1 / depth).astype(np.float32))
    steady = network_steady.Steady()
    made = [
        steady.add(frame[..., 1], spoilt(each, index))
        for index, (frame, each) in enumerate(zip(frames, truth, strict=True))
    ]

    def flicker(maps):
        changes = [
            np.abs((b - a) - (q - p)).mean() for a, b, p, q in zip(maps, maps[1:], truth, truth[1:], strict=False)
        ]
        return float(np.mean(changes) / truth[0].std())

    before, after = flicker([spoilt(each, index) for index, each in enumerate(truth)]), flicker(made)
    assert steady.cuts == 0
    assert before > 0.3
    assert after < 0.15 * before
    # Nor does the range shrink or wander off.
    assert made[-1].std() == pytest.approx(spoilt(truth[0], 0).std(), rel=0.1)
    assert np.corrcoef(made[-1].ravel(), truth[-1].ravel())[0, 1] > 0.99


def test_a_cut_begins_anew():
    lens = lens_for(208, 120)
    one = Room(seed=0).shoot(pose_at(), lens, 208, 120)
    other = Room(seed=5).shoot(pose_at((1, 0, 0), turn=40), lens, 208, 120)
    steady = network_steady.Steady()
    steady.add(one[0][..., 1], 1 / one[1])
    values = 7 + 3 / other[1]
    assert np.array_equal(steady.add(other[0][..., 1], values), values)
    assert steady.cuts == 1


# Files


def refusal(weights):
    with pytest.raises(EngineError) as error:
        network_files.check(weights)
    assert error.value.kind == "models"
    assert troubles.find(str(error.value)) is not None
    return str(error.value)


def test_weights_that_are_not_there(tmp_path):
    assert "models get depth" in refusal(tmp_path / "gone")
    assert "no depth network" in refusal("")
    assert "config.json" in refusal(tmp_path)


def changed(weights, folder, **fields):
    for path in weights.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    "fields",
    [
        {"model_type": "dpt"},
        {"backbone": "somebody/else", "backbone_config": None},
        {"backbone": "timm/else"},
        {"auto_map": {"AutoModelForDepthEstimation": "code.Model"}},
        {"model_type": ["depth_anything"]},
    ],
)
def test_other_models_are_refused(relative, tmp_path, fields):
    assert "depth_anything" in refusal(changed(relative, tmp_path, **fields))


def test_settings_as_older_transformers_wrote_them(frames, relative, tmp_path):
    """The fields of the published config.json, which today's do not all have."""
    old = {
        "_commit_hash": None,
        "architectures": ["DepthAnythingForDepthEstimation"],
        "backbone": None,
        "backbone_kwargs": None,
        "torch_dtype": "float32",
        "transformers_version": None,
        "use_pretrained_backbone": False,
        "use_timm_backbone": False,
    }
    changed(relative, tmp_path, **old)
    config = json.loads((tmp_path / "config.json").read_text())
    # The tiny network's four blocks, named as well as numbered.
    config["backbone_config"] = {
        "architectures": ["Dinov2Model"],
        "model_type": "dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 70,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
        "torch_dtype": "float32",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    wanted, found = (estimated(frames[:1], weights).frame(0) for weights in (relative, tmp_path))
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_damaged_settings(relative, tmp_path, name, content):
    changed(relative, tmp_path)
    (tmp_path / name).write_bytes(content)
    assert "not JSON" in refusal(tmp_path)


def test_odd_settings_are_left_at_what_is_usual(relative, tmp_path):
    changed(relative, tmp_path)
    odd = {"size": {"height": -1}, "ensure_multiple_of": "x", "image_mean": [1], "image_std": [0, 0, 0]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(odd))
    assert network_files.check(tmp_path).pictures == network_files.Pictures()


@pytest.mark.parametrize("how", ["cut", "empty", "pickle", "other"])
def test_damaged_weights(frames, relative, tmp_path, how):
    changed(relative, tmp_path)
    path = tmp_path / "model.safetensors"
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "pickle":
        path.unlink()
        torch.save({}, tmp_path / "pytorch_model.bin")
        assert "lacks the file model.safetensors" in refusal(tmp_path)
        return
    else:
        from safetensors.torch import save_file

        save_file({"head.conv1.weight": torch.zeros(4, 8, 3, 3)}, path, {"format": "pt"})
    with pytest.raises(EngineError, match="cannot be loaded") as error:
        estimated(frames, tmp_path)
    assert error.value.kind == "models"
    assert troubles.find(str(error.value)) is not None


def test_without_the_packages(monkeypatch, relative):
    monkeypatch.setattr(network_files, "_NEEDED", ("torch", "no_such_module"))
    with pytest.raises(EngineError, match="lacks no_such_module") as error:
        network_files.check(relative)
    assert troubles.find(str(error.value)) is not None


def test_unknown_device(frames, relative):
    with pytest.raises(EngineError, match="is no device"):
        estimated(frames, relative, device="abacus")


def test_it_is_found_in_the_library(relative, tmp_path):
    library = Library(tmp_path / "models")
    assert network_files.find(library) is None
    place = tmp_path / "models--owner--name" / "snapshots" / "5426e4f"
    place.mkdir(parents=True)
    place = changed(relative, place)
    library.add_place(tmp_path / "models--owner--name")
    assert network_files.find(library) == place
    folder = library.folder_of(entry("depth"))
    folder.mkdir(parents=True)
    changed(relative, folder)
    assert network_files.find(library) == place, "what was not downloaded whole is not taken"


def test_it_is_known_by_its_content(relative, tmp_path):
    [found] = places.identified(relative).found
    assert (found.path, found.what) == (relative, "depth")
    assert "Depth Anything" in found.words
    library = Library(tmp_path / "models")
    library.add_place(relative, {found.what})
    assert library.status(entry("depth")) == "elsewhere"
    assert network.find(Models(folder=str(library.folder))) == str(relative)


def test_none_is_found(tmp_path, relative, monkeypatch):
    assert network.find(Models(folder=str(tmp_path))) is None
    assert troubles.find(network.MISSING) is not None
    Library(tmp_path).add_place(relative)
    monkeypatch.setattr(network_files, "_NEEDED", ("no_such_module",))
    assert network.find(Models(folder=str(tmp_path))) is None


def test_the_catalogue_s_entry_has_the_files_that_are_needed():
    names = {each.name for each in entry("depth").files}
    assert names == {network_files.CONFIG, network_files.WEIGHTS, network_files.PICTURES}
