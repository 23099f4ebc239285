"""Clips longer than what the network draws at once: which frames windows share, and how they are joined.

Two networks stand in for the real one. One goes on exactly from what it is given, in a VAE that loses nothing: whatever
is out of place then is the fault of the joining. The other is the tests' tiny one, whose pictures are noise.
"""

import contextlib
import dataclasses
import itertools
import tracemalloc
import weakref

import checkpoints
import numpy as np
import pytest
import torch
from small_tensors import SHAPE, network, one_thread, run  # noqa: F401 one_thread: a fixture for all tests here
from test_recammaster_engine import (
    FRAMES,
    HEIGHT,
    WIDTH,
    Told,
    cache,  # noqa: F401 likewise
    forward,
    make_shot,
    render,
    textured,
)

from backend.engines import create
from backend.recammaster import camera, drawing, sampling, timing
from backend.recammaster.recipes import recipe_of

LATENT = 8
"""Pixels along a side of one latent, and of the blocks of one colour that the clips here are made of."""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    checkpoints.make_all(folder)
    return folder


# Stand-ins


def exact_encode(vae, video, on_chunk=None):
    """A latent holds four frames of an 8x8 block in twelve of its channels: nothing is lost of blocks of one colour."""
    blocks = video[0, :, :, ::LATENT, ::LATENT]
    padded = torch.cat([blocks[:, :1].repeat(1, 3, 1, 1), blocks], 1)
    frames = padded.reshape(3, -1, 4, *padded.shape[2:]).permute(2, 0, 1, 3, 4).reshape(12, -1, *padded.shape[2:])
    return torch.cat([frames, torch.zeros(4, *frames.shape[1:])])[None]


def exact_decode(vae, latents, on_chunk=None):
    frames = latents[0, :12].reshape(4, 3, *latents.shape[2:]).permute(1, 2, 0, 3, 4)
    frames = frames.reshape(3, -1, *latents.shape[3:])[:, 3:]
    return frames.repeat_interleave(LATENT, 2).repeat_interleave(LATENT, 3)[None].contiguous()


class GoesOn:
    """Draws the footage in another light, which changes with the seed: unless it is told what is there already."""

    def __init__(self, listens=True):
        self.listens = listens
        self.windows = []

    def sample(self, transformer, noise, source, cameras, *_, known=None, seed=0, **__):
        light = 0.3 * float(noise[0, 0, 0, 0, 0].clamp(-1, 1))
        if known is not None and self.listens:
            count = known.shape[2]
            light = float((known - source[:, :, :count])[:, 9:12, -1].mean())
        self.windows.append((source, cameras, known, seed, light))
        return source + torch.tensor([light] * 12 + [0.0] * 4).reshape(1, 16, 1, 1, 1)


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr(drawing.video, "encode", exact_encode)
    monkeypatch.setattr(drawing.video, "decode", exact_decode)
    for turn in ("_vae", "_network"):
        monkeypatch.setattr(drawing.Drawing, turn, lambda self, plan: contextlib.nullcontext())
    monkeypatch.setattr(drawing.Drawing, "_encoded_prompts", lambda self: [None, None])

    def use(listens=True):
        stand_in = GoesOn(listens)
        monkeypatch.setattr(sampling, "sample", stand_in.sample)
        return stand_in

    return use


def walk(count, seed=0):
    """Blocks of colour, each of which goes up and down a little from frame to frame, within the middle greys."""
    draw = np.random.default_rng(seed)
    steps = draw.integers(-3, 4, (count, HEIGHT // LATENT, WIDTH // LATENT, 3)).cumsum(0)
    frames = (128 + 40 * np.sin(steps / 10)).astype(np.uint8)
    return list(frames.repeat(LATENT, 1).repeat(LATENT, 2))


def changes(frames):
    images = np.stack([frame.image for frame in frames]).astype(float)
    return np.abs(np.diff(images, axis=0)).mean((1, 2, 3))


# Joining


@pytest.mark.parametrize(("count", "options"), [(40, {}), (23, {}), (40, {"overlap": 1}), (40, {"frames": 17})])
def test_windows_that_go_on_exactly_make_one_take_without_a_seam(models, exact, count, options):
    """The take is the footage in one light: that of the first window's seed, from the first frame to the last."""
    network, clip = exact(), walk(count)
    engine, frames = render(make_shot(models, clip, forward(count), **options))
    assert len(frames) == count
    assert len(network.windows) > 1
    lit = 127.5 * network.windows[0][-1]
    images = np.stack([frame.image for frame in frames]).astype(float)
    np.testing.assert_allclose(images, np.stack(clip) + lit, atol=1.01)
    assert any(note.startswith("Where windows meet") for note in engine.notes)


def test_windows_that_do_not_go_on_fade_into_one_another_and_are_warned_of(models, exact):
    network = exact(listens=False)
    engine, frames = render(make_shot(models, [walk(1)[0]] * 40, forward(40), frames=17))
    lights = [127.5 * light for *_, light in network.windows]
    images = np.stack([frame.image for frame in frames]).astype(float)[:, 0, 0, 0] - walk(1)[0][0, 0, 0]
    # 40 frames in windows of 17: from 0, 11 and 23, which share six and five frames, and fade over five of them.
    expected = np.concatenate([np.full(12, lights[0]), np.full(11, lights[1]), np.full(17, lights[2])])
    for start, window in ((11, 1), (23, 2)):
        for step in range(5):
            expected[start + step] = lights[window - 1] + (lights[window] - lights[window - 1]) * (step + 1) / 6
    np.testing.assert_allclose(images, expected, atol=1.01)
    assert any("where two windows meet, the picture changes" in warning for warning in engine.warnings)


def test_each_window_is_shown_its_instants_what_is_known_and_where_the_source_camera_is_then(models, exact):
    network, clip, count = exact(), walk(40), 40
    source, target = forward(count, metres=2.0), forward(count, metres=3.0)
    target[:, 0, 3] = np.linspace(0, 1, count)
    render(make_shot(models, clip, target, source=source))
    plan = timing.schedule(count, FRAMES)
    for window, (shown, cameras, known, _, _) in zip(plan.windows, network.windows, strict=True):
        first = window.start
        frames = exact_decode(None, shown)[0].permute(1, 2, 3, 0).numpy()
        np.testing.assert_allclose(frames, np.stack(clip[first : first + FRAMES]) / 127.5 - 1, atol=1e-6)
        assert (0 if known is None else 4 * known.shape[2] - 3) == window.known
        places = cameras[0].reshape(3, 3, 4)[:, :, 3].numpy()
        np.testing.assert_allclose(places, (target[first : first + FRAMES : 4] - source[first])[:, :3, 3], atol=1e-6)


def test_a_source_that_stands_still_is_where_the_target_camera_began(models, exact):
    network, target = exact(), forward(40, metres=3.9)
    render(make_shot(models, walk(40), target))
    for window, (_, cameras, *_) in zip(timing.schedule(40, FRAMES).windows, network.windows, strict=True):
        seen = cameras[0].reshape(3, 3, 4)[:, 2, 3].numpy()
        np.testing.assert_allclose(seen, target[window.start : window.start + FRAMES : 4, 2, 3], atol=1e-6)


def test_poses_of_a_window_begin_at_its_own_first_frame():
    class Camera:
        def __init__(self, poses):
            self.poses = poses

        def __len__(self):
            return len(self.poses)

    rows = camera.rows(Camera(forward(20, 19.0)), Camera(forward(20, 38.0)), [4.0, 5.0, 6.0, 7.0, 8.0])
    np.testing.assert_allclose(rows.reshape(2, 3, 4)[:, 2, 3], [4 - 8, 8 - 8], atol=1e-6)


def test_each_window_has_noise_of_its_own_and_the_first_the_takes(models, exact):
    network = exact()
    render(make_shot(models, walk(40), forward(40)), seed=7)
    seeds = [seed for *_, seed, _ in network.windows]
    assert seeds[0] == 7
    assert len(set(seeds)) == len(seeds)
    assert seeds == [sampling.seed_of(7, index) for index in range(len(seeds))]
    assert not {*seeds[1:]} & {sampling.seed_of(8, index) for index in range(1, 20)}
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_clip_that_fits_is_drawn_as_ever(models, monkeypatch):
    """To the last bit what the network made of it before there were windows: nothing is known, clamped or faded."""
    seen = []
    draw = drawing.Drawing.draw
    monkeypatch.setattr(drawing.Drawing, "draw", lambda *args: seen.append(draw(*args)) or seen[-1])
    _, frames = render(make_shot(models, textured(FRAMES), forward(FRAMES)))
    assert len(seen) == 1
    wanted = np.rint(255 * np.clip((seen[0][0].permute(1, 2, 3, 0).numpy() + 1) / 2, 0, 1))
    assert np.array_equal(np.stack([frame.image for frame in frames]), wanted)


# Rates


def test_of_a_high_rate_every_second_frame_is_drawn_and_the_others_lie_in_between(models, exact):
    network, count = exact(), 80
    # Grey that rises evenly: what lies in between two frames is known.
    clip = [np.full((HEIGHT, WIDTH, 3), 60 + index, np.uint8) for index in range(count)]
    shot = dataclasses.replace(make_shot(models, clip, forward(count)), rate=60.0)
    engine, frames = render(shot)
    assert len(frames) == count
    drawn = timing.schedule(count, FRAMES, rate=60.0).times
    assert drawn == [*range(0, 79, 2), 79]
    assert any("Of 60 frames per second the network drew every second" in note for note in engine.notes)
    lit = 127.5 * network.windows[0][-1]
    images = np.stack([frame.image for frame in frames]).astype(float).mean((1, 2, 3))
    np.testing.assert_allclose(images, np.arange(60, 60 + count) + lit, atol=1.6)


def test_frames_that_the_timeline_repeats_are_not_shown_twice(models, exact):
    network = exact()
    distinct = walk(20)
    shot = make_shot(models, [frame for frame in distinct for _ in range(2)], forward(40))
    engine, frames = render(dataclasses.replace(shot, shows=tuple(index // 2 for index in range(40))))
    assert len(frames) == 40
    shown = [exact_decode(None, window[0])[0, 0, :, ::LATENT, ::LATENT] for window in network.windows]
    for window in shown[:-1]:
        assert all(not torch.equal(window[index], window[index + 1]) for index in range(FRAMES - 1))
    assert any(note.startswith("19 frames of the timeline show the same footage") for note in engine.notes)


def test_what_lies_between_frames_that_are_repeated_is_told_by_those_around(models, exact):
    """Grey that rises by two every second frame, in a clip that fits: the network is shown an even rise."""
    network = exact()
    clip = [np.full((HEIGHT, WIDTH, 3), 100 + 10 * (index // 2), np.uint8) for index in range(9)]
    shot = dataclasses.replace(make_shot(models, clip, forward(9)), shows=(0, 0, 1, 1, 2, 2, 3, 3, 4))
    render(shot)
    shown = exact_decode(None, network.windows[0][0])[0, 0, :, 0, 0].numpy() * 127.5 + 127.5
    np.testing.assert_allclose(shown, np.linspace(100, 140, 9), atol=0.01)


# The tiny network


def test_frames_that_are_known_are_held_at_every_level_of_noise():
    model, seen = network(), []
    draw = torch.Generator().manual_seed(9)
    known = torch.randn((1, 4, 1, 4, 6), generator=draw)
    patches = model.patch_embedding.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    noise = sampling.draw_noise(SHAPE, 0)
    for solver in sampling.SOLVERS:
        seen.clear()
        recipe = dataclasses.replace(recipe_of(drawing.EngineSettings().generation), steps=4, solver=solver)
        made = run(model, recipe=recipe, known=known, seed=0)
        assert torch.equal(made[:, :, :1], known), solver
        levels = sampling.make_scheduler(solver, recipe.shift)
        levels.set_timesteps(4)
        held = [each for each in seen if each.shape[1] == SHAPE[1]][:: len(seen) // 4]
        for level, latents in zip(levels.sigmas[:4], held, strict=True):
            expected = (1 - level) * known + level * noise[:, :, :1]
            torch.testing.assert_close(latents[:, :, :1].float(), expected, atol=1e-5, rtol=1e-5)
        free = run(model, recipe=recipe, seed=0)
        assert not torch.allclose(made[:, :, 1:], free[:, :, 1:]), "what follows is drawn from what is known"
    patches.remove()


def test_400_frames_have_no_seam_larger_than_what_changes_around_it(models):
    count, each = 400, 33
    shot = make_shot(models, textured(count), forward(count), frames=each, width=32, height=32, steps=1, guidance=1.0)
    engine, frames = render(shot)
    assert len(frames) == count
    change, plan = changes(frames), timing.schedule(count, each)
    assert len(plan.windows) == 17
    for before, window in itertools.pairwise(plan.windows):
        first = window.start + window.known - window.fade
        seam, last = change[first - 1 : window.start + window.known], window.start + window.known
        around = [*change[max(before.start, first - 1 - each) : first - 1], *change[last : last + each]]
        assert seam.max() <= max(around), f"at {last}: {seam.max():.1f}, around {max(around):.1f}"
    assert any(note.startswith("The clip is longer than what the network draws at once: 400") for note in engine.notes)


def test_memory_does_not_grow_with_the_clip(models, exact, monkeypatch):
    """What is held of videos at once, and the most that numpy held, in a clip and in one four times as long."""
    videos = []

    def watched(function):
        def call(*args, **kwargs):
            video = function(*args, **kwargs)
            videos.append(weakref.ref(video))
            alive.append(sum(each() is not None for each in videos))
            return video

        return call

    exact()
    monkeypatch.setattr(drawing.video, "decode", watched(exact_decode))
    most = []
    for count in (40, 160):
        alive: list[int] = []
        shot = make_shot(models, [walk(1)[0]] * count, forward(count), frames=17)
        engine = create(shot.settings)
        tracemalloc.start()
        made = sum(1 for _ in engine.frames(shot, lambda *_, **__: None))
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert made == count
        assert max(alive) <= 2, "the window that is drawn, and at most what is shared of the one before"
    assert most[1] < 1.2 * most[0] + 100_000, most


# What is told


def test_phases_say_which_window_and_the_time_left_is_that_of_all(models):
    told = Told()
    left = {}

    def noticed(phase, step, total, /, *, seconds_left=None, preview=None):
        told(phase, step, total, seconds_left=seconds_left, preview=preview)
        if seconds_left is not None:
            left.setdefault(phase, seconds_left)

    render(make_shot(models, textured(40), forward(40), frames=17, steps=6), report=noticed)
    assert [phase for phase in told.phases if phase.startswith("sampling")] == [
        f"sampling, window {number} of 3" for number in (1, 2, 3)
    ]
    assert "encoding what is drawn already, window 2 of 3" in told.phases
    assert "re-shooting" in left, "that frames come in bursts says nothing of when the last one will"
    assert left["sampling, window 1 of 3"] >= left["sampling, window 3 of 3"]
