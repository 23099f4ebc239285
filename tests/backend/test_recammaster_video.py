"""Frames to latents and back, beside what the published VAE makes of them."""

import pytest
import torch
from published_numbers import VAES, relative, vae_expected

from backend.engines import Cancelled, EngineError
from backend.recammaster import video
from backend.recammaster.checkpoint import load_vae

RIGHT = 1e-5


@pytest.fixture(scope="module")
def vae():
    return load_vae(VAES[0] / "vae.safetensors", torch.float32)


@pytest.fixture
def tiny_tiles(vae, monkeypatch):
    """Tiles of 48 pixels and 32 of overlap, so that a small picture has several."""
    monkeypatch.setattr(video, "_TILE", 48)
    monkeypatch.setattr(video, "OVERLAP", 32)
    yield vae
    video.use_one_piece(vae)


def smooth(frames=5, width=96, height=64):
    """(1, 3, F, H, W): slow waves of colour that drift."""
    t, y, x = torch.meshgrid(
        torch.linspace(0, 0.4, frames), torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return 0.8 * torch.stack([torch.sin(2 * x + y / 2 + t), torch.cos(y - x - t), x * y + t])[None]


# Beside the published code


@pytest.mark.parametrize("folder", VAES, ids=lambda folder: folder.parent.name)
def test_both_ways_are_the_published_ones(folder):
    vae, expected = load_vae(folder / "vae.safetensors", torch.float32), vae_expected(folder)
    latents = video.encode(vae, expected["video"])
    assert relative(latents, expected["latents"]) < RIGHT
    raw = []
    hook = vae.decoder.register_forward_hook(lambda module, chunk, pixels: raw.append(pixels))
    decoded = video.decode(vae, expected["latents"])
    hook.remove()
    assert relative(torch.cat(raw, dim=2), expected["decoded"]) < RIGHT
    # the published pipeline clamps after what was stored here
    assert relative(decoded, expected["decoded"].clamp(-1, 1)) < RIGHT
    assert decoded.abs().max() == 1


@pytest.mark.parametrize("which", ["latents_mean", "latents_std"])
def test_the_statistics_matter(vae, which):
    expected = vae_expected(VAES[0])
    right = vae.config[which]
    vae.register_to_config(**{which: right[::-1]})
    try:
        assert relative(video.encode(vae, expected["video"]), expected["latents"]) > 30 * RIGHT
    finally:
        vae.register_to_config(**{which: right})


def test_the_mean_is_taken_and_nothing_is_drawn(vae):
    first = video.encode(vae, smooth())
    assert torch.equal(video.encode(vae, smooth()), first)


# Types and places


def test_any_type_goes_in_and_float32_comes_out(vae):
    latents = video.encode(vae, smooth().to(torch.float64))
    assert latents.dtype == torch.float32
    assert latents.shape == (1, 16, 2, 8, 12)
    decoded = video.decode(vae, latents.to(torch.bfloat16))
    assert decoded.dtype == torch.float32
    assert decoded.shape == (1, 3, 5, 64, 96)
    assert decoded.min() >= -1
    assert decoded.max() <= 1


def test_a_vae_of_another_type_gets_its_own(vae):
    half = load_vae(VAES[0] / "vae.safetensors", torch.bfloat16)
    assert half.dtype == torch.bfloat16
    assert relative(video.encode(half, smooth()), video.encode(vae, smooth())) < 0.1
    assert video.decode(half, torch.zeros(1, 16, 1, 4, 4)).dtype == torch.float32


def test_one_frame_is_a_video(vae):
    latents = video.encode(vae, smooth(frames=1))
    assert latents.shape[2] == 1
    assert video.decode(vae, latents).shape[2] == 1


# Tiles


def test_tiles_cover_the_frame_alike():
    for side in range(16, 2049, 16):
        stride = video._stride(side)
        starts = range(0, side, stride)
        assert stride % 16 == 0
        assert stride <= 256 * 1.5
        # no sliver, and beyond what it shares with its neighbour: diffusers' own strides of 192 leave 64 pixels of 832
        assert side - starts[-1] > video.OVERLAP or len(starts) == 1


def test_the_tiles_at_the_published_size():
    assert video.tile_size(832, 480) == (352, 304)
    assert video.tile_size(480, 832) == (304, 352)
    assert video.tile_size(240, 160) == (240, 160)


def test_tiles_are_close_to_one_piece(tiny_tiles):
    vae, clip = tiny_tiles, smooth()
    latents = video.encode(vae, clip)
    decoded = video.decode(vae, latents)
    video.use_tiles(vae, 96, 64)
    tiled = relative(video.encode(vae, clip), latents), relative(video.decode(vae, latents), decoded)
    vae.enable_tiling(64, 48, 64, 48)  # side by side, without an overlap
    bare = relative(video.encode(vae, clip), latents), relative(video.decode(vae, latents), decoded)
    assert tiled[0] < 0.1
    # random weights see further than trained ones, so that decoding is only compared
    assert tiled[0] < 0.7 * bare[0]
    assert tiled[1] < 0.8 * bare[1]


def test_a_frame_no_larger_than_a_tile_is_done_in_one_piece(vae):
    latents = video.encode(vae, smooth())
    video.use_tiles(vae, 96, 64)
    try:
        assert torch.equal(video.encode(vae, smooth()), latents)
    finally:
        video.use_one_piece(vae)


# Progress and the end


def counted(module):
    """How often a module was called, as a list that grows."""
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("tiled", [False, True])
def test_each_chunk_is_told(tiny_tiles, tiled):
    vae = tiny_tiles
    if tiled:
        video.use_tiles(vae, 96, 64)
    encoder, decoder, told = counted(vae.encoder), counted(vae.decoder), []
    latents = video.encode(vae, smooth(frames=9), lambda *where: told.append(where))
    assert told == [(step, len(encoder)) for step in range(1, len(encoder) + 1)]
    assert len(encoder) == (6 if tiled else 3)
    told.clear()
    video.decode(vae, latents, lambda *where: told.append(where))
    assert told == [(step, len(decoder)) for step in range(1, len(decoder) + 1)]
    assert len(decoder) == len(encoder)


@pytest.mark.parametrize("work", ["encode", "decode"])
def test_it_ends_where_it_is_told_to_and_leaves_nothing(vae, work):
    given = smooth(frames=9) if work == "encode" else torch.zeros(1, 16, 3, 4, 4)
    expected = getattr(video, work)(vae, given)
    calls = counted(vae.encoder if work == "encode" else vae.decoder)

    def stop(done, total):
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        getattr(video, work)(vae, given, stop)
    assert len(calls) == 2
    assert not any(torch.is_tensor(each) for each in vae._feat_map + vae._enc_feat_map)
    assert torch.equal(getattr(video, work)(vae, given), expected)
    assert len(calls) == 5


# What is refused


@pytest.mark.parametrize(
    "shape", [(1, 3, 4, 64, 96), (1, 3, 5, 60, 96), (1, 3, 5, 64, 90), (3, 5, 64, 96), (1, 4, 5, 64, 96)]
)
def test_a_video_of_another_shape_is_refused(vae, shape):
    with pytest.raises(ValueError, match=r"expected 4k \+ 1 frames|has the shape"):
        video.encode(vae, torch.zeros(shape))


def test_latents_of_another_shape_are_refused(vae):
    with pytest.raises(ValueError, match="16"):
        video.decode(vae, torch.zeros(1, 48, 2, 8, 8))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_no_black_picture(vae, value):
    latents = torch.zeros(1, 16, 1, 4, 4)
    latents[0, 3, 0, 1, 2] = value
    with pytest.raises(EngineError, match="NaN or infinite") as caught:
        video.decode(vae, latents)
    assert caught.value.kind == "engine"
