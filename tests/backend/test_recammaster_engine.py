"""The engine `recammaster` as a whole, on a tiny network of random weights in the published format.

Its pictures are noise. What is tested is all the rest: that footage, cameras, prompt and seed each reach the network,
that the take has the job's size, type and frames, what is told on the way, and that nothing is left afterwards.
"""

import dataclasses
import gc
import weakref
from pathlib import Path

import checkpoints
import numpy as np
import pytest
import torch
from raytraced import lens_for, trajectory
from shots import Clip
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend import contract
from backend.engines import Cancelled, EngineError, Shot, create
from backend.recammaster import drawing, memory, sampling, umt5

WIDTH, HEIGHT = 48, 32
FRAMES = 9


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp('the "models" é 日本')
    checkpoints.make_all(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("RECAM_MODELS", raising=False)


def textured(count, *, width=WIDTH, height=HEIGHT, dtype=np.uint8, channels=3, seed=0):
    """Pictures whose every frame is another."""
    draw = np.random.default_rng(seed)
    white = np.iinfo(dtype).max
    frames = draw.integers(0, white, (count, height // 8, width // 8, channels)).astype(dtype)
    frames = frames.repeat(8, 1).repeat(8, 2)
    if channels == 4:
        frames[..., 3] = white
    return list(frames)


def forward(count, metres=1.0):
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 2, 3] = np.linspace(0, metres, count)
    return poses


def make_shot(models, images, target, *, source=None, lens=None, target_lens=None, size=None, lora="", **generation):
    height, width = images[0].shape[:2]
    lens = lens or lens_for(width, height)
    size = size or (width, height)
    wanted = {"frames": FRAMES, "width": WIDTH, "height": HEIGHT, "steps": 2, "device": "cpu", "prompt": "A room."}
    chosen = contract.Generation(**wanted | {"models": contract.Models(folder=str(models), lora=lora)} | generation)
    return Shot(
        footage=Clip(*images),
        depth=None,
        source=trajectory(target[:1].repeat(len(images), 0) if source is None else source, lens, width, height),
        target=trajectory(target, target_lens or lens, width, height),
        subject_distance=4.0,
        settings=contract.EngineSettings(engine="recammaster", generation=chosen),
        width=size[0],
        height=size[1],
        source_known=source is not None,
    )


def render(shot, seed=0, report=lambda *_, **__: None):
    engine = create(dataclasses.replace(shot.settings, seed=seed))
    return engine, list(engine.frames(shot, report))


def pictures(shot, seed=0):
    return np.stack([frame.image for frame in render(shot, seed)[1]])


@pytest.fixture(scope="module")
def plain(models):
    return make_shot(models, textured(FRAMES), forward(FRAMES))


def test_a_take_has_the_jobs_frames_size_and_type(models, plain):
    engine, frames = render(plain)
    assert len(frames) == FRAMES
    for frame in frames:
        assert (frame.image.shape, frame.image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        assert frame.invented.shape == (HEIGHT, WIDTH)
        assert frame.invented.min() == 255, "the network draws every pixel anew"
    assert any(note.startswith("Plan resident: of the CPU's memory") for note in engine.notes)
    assert any("Prompts encoded" in note for note in engine.notes)


def test_what_the_network_is_given_decides_what_it_draws(models, plain):
    known = pictures(plain)
    assert np.array_equal(known, pictures(plain)), "the same job gives the same take"
    others = {
        "seed": pictures(plain, seed=1),
        "footage": pictures(make_shot(models, textured(FRAMES, seed=1), forward(FRAMES))),
        "camera": pictures(make_shot(models, textured(FRAMES), forward(FRAMES, metres=9.0))),
        "prompt": pictures(make_shot(models, textured(FRAMES), forward(FRAMES), prompt="A dog runs ahead of her.")),
        "steps": pictures(make_shot(models, textured(FRAMES), forward(FRAMES), steps=3)),
        "guidance": pictures(make_shot(models, textured(FRAMES), forward(FRAMES), guidance=1.0)),
        "quality": pictures(make_shot(models, textured(FRAMES), forward(FRAMES), quality="good", steps=3)),
    }
    for what, other in others.items():
        assert not np.array_equal(known, other), f"the {what} made no difference"


def test_poses_are_told_from_the_sources_first_where_it_is_known(models, monkeypatch):
    seen = []
    monkeypatch.setattr(sampling, "sample", lambda *args, **_: seen.append(args[3]) or args[1])
    target = forward(FRAMES)
    source = np.tile(np.eye(4), (FRAMES, 1, 1))
    source[:, 0, 3] = 2.0
    render(make_shot(models, textured(FRAMES), target))
    engine, _ = render(make_shot(models, textured(FRAMES), target, source=source))
    alone, beside = (each[0].reshape(3, 3, 4).numpy() for each in seen)
    np.testing.assert_allclose(alone[:, :, 3], [[0, 0, 0], [0, 0, 0.5], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(beside[:, :, 3], [[-2, 0, 0], [-2, 0, 0.5], [-2, 0, 1]], atol=1e-6)
    assert any("first view" in sentence for sentence in engine.warnings)


@pytest.mark.parametrize("count", [1, 2, 6, 20])
def test_any_number_of_frames_is_shown_as_many_as_the_network_draws_where_that_is_asked(models, count, monkeypatch):
    seen = []
    encode = drawing.video.encode
    monkeypatch.setattr(
        drawing.video, "encode", lambda vae, video, step: seen.append(video) or encode(vae, video, step)
    )
    frames = textured(count)
    _, made = render(make_shot(models, frames, forward(count), overlap=0))
    assert len(made) == count
    shown = seen[0]
    assert shown.shape == (1, 3, FRAMES, HEIGHT, WIDTH)
    for place, frame in ((0, frames[0]), (-1, frames[-1])):
        np.testing.assert_allclose(shown[0, :, place].permute(1, 2, 0).numpy(), frame / 127.5 - 1, atol=1e-6)


def test_sixteen_bits_and_a_fourth_channel_come_back_as_such(models):
    frames = textured(FRAMES, dtype=np.uint16, channels=4)
    frames[3][..., 3] = 1000
    engine, made = render(make_shot(models, frames, forward(FRAMES)))
    image = made[3].image
    assert (image.dtype, image.shape[2]) == (np.uint16, 4)
    assert image[..., 3].min() == 65535
    assert len(np.unique(image[..., 0] % 257)) > 1, "more than eight bits are in use"
    assert any("transparent" in sentence for sentence in engine.warnings)


def test_a_longer_lens_is_a_part_of_the_same_picture(models, plain):
    """Twice the focal length: the middle half of what the network draws, pixel for pixel at half the size."""
    lens = lens_for(WIDTH, HEIGHT)
    longer = dataclasses.replace(lens, fx=2 * lens.fx, fy=2 * lens.fy)
    half = WIDTH // 2, HEIGHT // 2
    shot = make_shot(models, textured(FRAMES), forward(FRAMES), target_lens=longer, size=half)
    part, whole = pictures(shot), pictures(plain)
    middle = whole[:, HEIGHT // 4 : -HEIGHT // 4, WIDTH // 4 : -WIDTH // 4]
    assert np.array_equal(part, middle)


# What is told


class Told:
    """What was reported: phases in their order, previews, times."""

    def __init__(self, stop_at=None):
        self.steps, self.previews, self.left = [], [], []
        self._stop_at = stop_at

    def __call__(self, phase, step, total, /, *, seconds_left=None, preview=None):
        self.steps.append((phase, step, total))
        if preview is not None:
            self.previews.append(preview)
        if phase == "sampling" and seconds_left is not None:
            self.left.append(seconds_left)
        if self._stop_at is not None and self._stop_at(phase, step):
            raise Cancelled

    @property
    def phases(self):
        return list(dict.fromkeys(phase for phase, _, _ in self.steps))


def test_every_phase_and_step_is_told_with_the_time_left_and_previews(models):
    told = Told()
    shot = make_shot(models, textured(FRAMES), forward(FRAMES), steps=5, prompt="Told of.")
    render(shot, report=told)
    assert told.phases == [
        "preparing (the CPU, plan resident)",
        "reading the footage",
        "loading the text encoder",
        "encoding the prompt",
        "encoding the footage",
        "loading the network",
        "sampling",
        "decoding the take",
        "re-shooting",
    ]
    assert {(step, total) for phase, step, total in told.steps if phase == "sampling"} == {(n, 5) for n in range(6)}
    assert told.left, "after two steps it can be told how long the others take"
    assert told.left == sorted(told.left, reverse=True) or max(told.left) < 60
    assert told.previews
    assert all(each.dtype == np.uint8 and each.ndim == 3 for each in told.previews)


def test_a_cancel_is_heard_within_a_step_and_frees_everything(models, monkeypatch):
    loaded = []
    load = drawing.checkpoint.load_transformer

    def noticed(*args, **kwargs):
        network = load(*args, **kwargs)
        loaded.append(weakref.ref(network))
        return network

    monkeypatch.setattr(drawing.checkpoint, "load_transformer", noticed)
    told = Told(stop_at=lambda phase, step: phase == "sampling" and step == 1)
    with pytest.raises(Cancelled):
        render(make_shot(models, textured(FRAMES), forward(FRAMES), steps=50), report=told)
    assert told.steps[-1] == ("sampling", 1, 50)
    gc.collect()
    network = loaded[0]()
    assert network is None or all(each.device.type == "meta" for each in network.parameters())


def test_a_cancel_in_the_first_step_does_not_wait_for_it(models):
    calls = []

    def stop(phase, step):
        calls.append(phase)
        return calls.count("sampling") == 2  # before the second block of the first pass

    told = Told(stop_at=stop)
    with pytest.raises(Cancelled):
        render(make_shot(models, textured(FRAMES), forward(FRAMES)), report=told)
    assert told.steps[-1] == ("sampling", 0, 2)


def test_handheld_footage_without_a_source_camera_is_told_of(models, monkeypatch):
    class Trembling:
        sentence = "The footage moves as if handheld."

    monkeypatch.setattr("backend.recammaster.engine.shake.measure", lambda frames, rate: list(frames) and Trembling)
    frames, target = textured(FRAMES), forward(FRAMES)
    assert Trembling.sentence in render(make_shot(models, frames, target))[0].warnings
    assert Trembling.sentence not in render(make_shot(models, frames, target, source=target))[0].warnings


# Text


def test_prompts_that_were_encoded_need_no_encoder(models, tmp_path, monkeypatch):
    first, _ = render(make_shot(models, textured(FRAMES), forward(FRAMES), prompt="Once."))
    monkeypatch.setattr(umt5, "encode", lambda *_, **__: pytest.fail("the encoder was asked again"))
    second, _ = render(make_shot(models, textured(FRAMES), forward(FRAMES), prompt="  Once. "))
    assert any("Prompts encoded" in note for note in first.notes)
    assert any("the cache" in note for note in second.notes)


def test_without_guidance_no_negative_prompt_is_encoded(models, monkeypatch):
    asked = []
    encode = drawing.text.encode

    def noticed(prompts, *rest, **more):
        asked.append(list(prompts))
        return encode(prompts, *rest, **more)

    monkeypatch.setattr(drawing.text, "encode", noticed)
    render(make_shot(models, textured(FRAMES), forward(FRAMES), guidance=1.0))
    render(make_shot(models, textured(FRAMES), forward(FRAMES)))
    render(make_shot(models, textured(FRAMES), forward(FRAMES), negative_prompt="Fog."))
    assert asked == [["A room."], ["A room.", sampling.NEGATIVE_PROMPT], ["A room.", "Fog."]]


# What is missing


def test_missing_models_are_named_before_anything_is_read(tmp_path, models):
    told = Told()
    shot = make_shot(tmp_path, textured(FRAMES), forward(FRAMES))
    with pytest.raises(EngineError) as caught:
        render(shot, report=told)
    assert caught.value.kind == "models"
    assert "step20000.ckpt" in str(caught.value)
    assert told.steps == []


def test_what_cannot_fit_is_refused_before_the_footage_is_read(models):
    told = Told()
    shot = make_shot(models, textured(FRAMES), forward(FRAMES), frames=2001, width=4096, height=4096)
    with pytest.raises(EngineError, match="would fit") as caught:
        render(shot, report=told)
    assert caught.value.kind == "memory"
    assert told.steps == []


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"steps": 3}, "3 steps"), ({"guidance": 2.5}, "guidance 2.5"), ({"cache": "sea"}, "the cache sea")],
)
def test_what_nobody_has_judged_is_said(models, settings, what):
    wanted = {"steps": None} | settings
    shot = make_shot(models, textured(FRAMES), forward(FRAMES), **wanted)
    engine = create(shot.settings)
    with pytest.raises(Cancelled):
        list(engine.frames(shot, Told(stop_at=lambda phase, _: phase == "reading the footage")))
    assert any(sentence.startswith(f"Nobody has judged {what} on") for sentence in engine.warnings)


def test_the_published_way_is_not_warned_of(models):
    shot = make_shot(models, textured(FRAMES), forward(FRAMES), steps=None)
    engine = create(shot.settings)
    with pytest.raises(Cancelled):
        list(engine.frames(shot, Told(stop_at=lambda phase, _: phase == "reading the footage")))
    assert not any(sentence.startswith("Nobody has judged") for sentence in engine.warnings)


def test_draft_asks_for_its_lora_and_uses_it(models, tmp_path):
    shot = make_shot(models, textured(FRAMES), forward(FRAMES), quality="draft")
    with pytest.raises(EngineError, match="LoRA"):
        render(shot)
    path = checkpoints.write(tmp_path / "lora.safetensors", checkpoints.lora())
    engine, made = render(make_shot(models, textured(FRAMES), forward(FRAMES), quality="draft", lora=str(path)))
    assert len(made) == FRAMES
    assert any("Nobody has judged quality draft" in sentence for sentence in engine.warnings)


# Memory


def out_of_memory(times):
    left = [times]
    sample = sampling.sample

    def run(*args, **kwargs):
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 191.91 GiB.")
        return sample(*args, **kwargs)

    return run


def test_memory_that_runs_out_is_answered_once_by_a_leaner_plan(models, plain, monkeypatch):
    known = pictures(plain)
    # At this size no plan is leaner than another.
    monkeypatch.setattr(memory, "leaner", lambda plan: dataclasses.replace(plan, name="tiled"))
    monkeypatch.setattr(sampling, "sample", out_of_memory(1))
    engine, made = render(plain)
    assert any(note.startswith("Memory ran out with plan resident. Plan tiled:") for note in engine.notes)
    again = np.stack([frame.image for frame in made]).astype(int)
    assert np.abs(again - known).max() <= 2, "the leaner plan is equal to rounding"


def test_memory_that_runs_out_twice_is_told_with_what_would_fit(models, plain, monkeypatch):
    monkeypatch.setattr(memory, "leaner", lambda plan: dataclasses.replace(plan, name="tiled"))
    monkeypatch.setattr(sampling, "sample", out_of_memory(2))
    with pytest.raises(EngineError) as caught:
        render(plain)
    assert caught.value.kind == "memory"
    assert f"Memory ran out on the CPU: {FRAMES} frames of {WIDTH}x{HEIGHT}" in str(caught.value)


@pytest.mark.parametrize("plan", ["tiled", "streamed"])
def test_plans_that_round_nothing_give_the_same_take(models, plain, plan):
    leaner = make_shot(models, textured(FRAMES), forward(FRAMES), plan=plan)
    assert np.abs(pictures(leaner).astype(int) - pictures(plain)).max() <= 2


def test_the_working_folder_is_not_written_to(models, plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in Path(models).rglob("*")}
    render(plain)
    assert {path: path.stat().st_mtime_ns for path in Path(models).rglob("*")} == before
    assert list(tmp_path.iterdir()) == []
