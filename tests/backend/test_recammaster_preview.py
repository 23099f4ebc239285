"""Previews: the linear map against its closed form, the tiny decoder against a naive second implementation."""

import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import conv2d, relu
from torch.utils.flop_counter import FlopCounterMode

from backend.engines import EngineError
from backend.recammaster.preview import Previewer
from backend.recammaster.tiny_decoder import load_tiny_decoder

WIDTHS = (8, 6, 4, 4)
# Wan 2.1's means and deviations of the 16 channels, as published (wan/modules/vae.py).
MEAN = (-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508)
MEAN += (0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921)
DEVIATION = (2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743)
DEVIATION += (3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160)


def weights(widths=WIDTHS, *, channels=16, dtype=torch.float16, seed=0):
    """A tiny decoder's tensors under the published names, and a few of the encoder's, which must not matter."""
    random = torch.Generator().manual_seed(seed)
    tensors = {"encoder.0.weight": torch.zeros(64, 3, 3, 3), "encoder.2.conv.weight": torch.zeros(64, 128, 1, 1)}

    def add(name, wide, narrow, size, bias=True):
        spread = (2 / (narrow * size * size)) ** 0.5
        tensors[name + ".weight"] = torch.randn(wide, narrow, size, size, generator=random) * spread
        if bias:
            tensors[name + ".bias"] = torch.randn(wide, generator=random) * 0.1

    add("decoder.1", widths[0], channels, 3)
    for stage, growth in enumerate((1, 2, 2)):
        width = widths[stage]
        for block in range(3 + 6 * stage, 6 + 6 * stage):
            for layer, narrow in ((0, 2 * width), (2, width), (4, width)):
                add(f"decoder.{block}.conv.{layer}", width, narrow, 3)
        add(f"decoder.{7 + 6 * stage}.conv", growth * width, width, 1, bias=False)
        add(f"decoder.{8 + 6 * stage}", widths[stage + 1], width, 3, bias=False)
    add("decoder.22", 3, widths[3], 3)
    tensors["decoder.22.weight"] *= 0.1
    tensors["decoder.22.bias"] += 0.5
    return {name: each.to(dtype) for name, each in tensors.items()}


def decode_naively(tensors, latents):
    """All frames (4F - 3, 3, 8h, 8w): every layer on all of time at once, straight from the description of TAEHV."""
    at = {name: each.double() for name, each in tensors.items()}

    def convolve(x, name):
        return conv2d(x, at[name + ".weight"], at.get(name + ".bias"), padding=1)

    x = 3 * torch.tanh(latents[0].double().movedim(1, 0) / 3)
    x = relu(convolve(x, "decoder.1"))
    for first in (3, 9, 15):
        for block in range(first, first + 3):
            past = torch.zeros_like(x)
            past[1:] = x[:-1]
            y = relu(convolve(torch.cat([x, past], 1), f"decoder.{block}.conv.0"))
            y = relu(convolve(y, f"decoder.{block}.conv.2"))
            x = relu(x + convolve(y, f"decoder.{block}.conv.4"))
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        grown = torch.einsum("oc,tchw->tohw", at[f"decoder.{first + 4}.conv.weight"][..., 0, 0], x)
        x = convolve(grown.reshape(-1, x.shape[1], *x.shape[2:]), f"decoder.{first + 5}")
    return convolve(relu(x), "decoder.22").clamp(0, 1)[3:]


def some_latents(frames=6, height=4, width=6, seed=1):
    return torch.randn(1, 16, frames, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def decoder_file(folder):
    save_file(weights(), folder / "taew2_1.safetensors")
    return folder / "taew2_1.safetensors"


@pytest.mark.parametrize("wanted", [range(21), [0], [20], [7], [3, 4, 11], [0, 10, 20]])
def test_each_frame_is_what_decoding_the_whole_gives(decoder_file, wanted):
    latents = some_latents()
    truth = decode_naively(weights(), latents)
    assert truth.shape == (21, 3, 32, 48)
    assert truth.std() > 0.05  # else nothing is compared
    frames = list(load_tiny_decoder(decoder_file).double().frames(latents.double(), wanted))
    assert len(frames) == len(wanted)
    for index, frame in zip(wanted, frames, strict=True):
        torch.testing.assert_close(frame, truth[index], atol=1e-9, rtol=0)


def test_frames_look_back_and_not_ahead(decoder_file):
    decoder = load_tiny_decoder(decoder_file)
    latents, changed = some_latents(), some_latents()
    changed[:, :, 3] += 1
    before, after = (torch.stack(list(decoder.frames(each, range(21)))) for each in (latents, changed))
    differs = (before - after).abs().amax(dim=(1, 2, 3)) > 1e-4
    # Latent 3 makes frames 9 to 12.
    assert not differs[:9].any()
    assert differs[9:17].all()


def test_only_what_the_wanted_frames_need_is_computed(decoder_file):
    decoder = load_tiny_decoder(decoder_file).to("meta")
    latents = torch.empty(1, 16, 21, 2, 2, device="meta")

    def operations(wanted):
        with FlopCounterMode(display=False) as counter:
            list(decoder.frames(latents, wanted))
        return counter.get_total_flops()

    whole = operations(range(81))
    assert operations([0]) < 0.06 * whole
    assert operations(range(0, 81, 10)) < 0.65 * whole


def test_published_sizes():
    """128 tensors and 11.3 million parameters are published, 64 of them and 9.84 million for decoding."""
    with torch.device("meta"):
        from backend.recammaster.tiny_decoder import TinyDecoder

        state = TinyDecoder().state_dict()
    published = weights((256, 128, 64, 64))
    assert {name: each.shape for name, each in state.items()} == {
        name: each.shape for name, each in published.items() if name.startswith("decoder.")
    }
    assert len(state) == 64
    assert sum(each.numel() for each in state.values()) == 9_844_611


def test_pth_and_safetensors_are_alike(folder, decoder_file):
    torch.save(weights(), folder / "taew2_1.pth")
    latents = some_latents(2)
    one, other = (Previewer(path).picture(latents) for path in (folder / "taew2_1.pth", decoder_file))
    assert np.array_equal(one, other)


def test_the_look_alike_for_latents_that_are_not_normalised(folder):
    tensors = weights(dtype=torch.bfloat16)
    save_file(tensors, folder / "lighttaew2_1.safetensors")
    latents = some_latents(2)
    mean, deviation = (torch.tensor(each, dtype=torch.float64).view(1, 16, 1, 1, 1) for each in (MEAN, DEVIATION))
    truth = decode_naively(tensors, latents.double() * deviation + mean)
    decoder = load_tiny_decoder(folder / "lighttaew2_1.safetensors").double()
    frames = torch.stack(list(decoder.frames(latents.double(), range(5))))
    torch.testing.assert_close(frames, truth, atol=1e-9, rtol=0)
    assert (frames - decode_naively(tensors, latents)).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_sheet_of_the_tiny_decoder(decoder_file, dtype):
    latents = some_latents(3)  # nine frames: all of them
    sheet = Previewer(decoder_file, "cpu", dtype).picture(latents.to(dtype))
    assert sheet.shape == (96, 144, 3)
    assert sheet.dtype == np.uint8
    truth = decode_naively(weights(), latents).reshape(3, 3, 3, 32, 48).permute(0, 3, 1, 4, 2).reshape(96, 144, 3)
    assert np.abs(sheet / 255 - truth.numpy()).mean() < (0.004 if dtype == torch.float32 else 0.02)


def test_dots_are_the_published_map():
    latents = torch.zeros(1, 16, 9, 60, 104)
    latents[:, 2, 4] = 2.0  # channel 2 of the frame in the middle of the sheet
    sheet = Previewer().picture(latents)
    assert sheet.shape == (3 * 184, 960, 3)
    background = np.array([-0.1835, -0.0868, -0.3360])
    for centre, colour in (((92, 160), background), ((276, 480), background + 2 * np.array([0.3568, 0.2548, 0.1747]))):
        assert np.abs(sheet[centre] - 127.5 * (colour + 1)).max() <= 0.5


@pytest.mark.parametrize(
    ("frames", "shown"), [(1, [0]), (2, [0, 1]), (5, [0, 1, 2, 3, 4]), (21, [0, 2, 5, 8, 10, 12, 15, 18, 20])]
)
def test_frames_are_spread_evenly_in_reading_order(frames, shown):
    # Brighter from one latent frame to the next, by channel 14 alone.
    latents = torch.zeros(1, 16, frames, 8, 8)
    latents[0, 14] = torch.linspace(-1, 1, frames).view(-1, 1, 1) if frames > 1 else 0.5
    sheet = Previewer().picture(latents)
    columns = -(-sheet.shape[1] // 64)
    assert sheet.shape == (64 * -(-len(shown) // columns), 64 * columns, 3)
    cells = [sheet[64 * (i // columns) + 32, 64 * (i % columns) + 32, 0] for i in range(len(shown))]
    expected = [127.5 * (1 - 0.1835 + 0.3477 * float(latents[0, 14, index, 0, 0])) for index in shown]
    assert np.abs(np.array(cells) - expected).max() <= 0.5


@pytest.mark.parametrize(("height", "width"), [(60, 104), (104, 60), (20, 300), (135, 240), (2, 2)])
@pytest.mark.parametrize("frames", [1, 4, 21])
def test_a_sheet_is_small_and_keeps_proportions(height, width, frames):
    sheet = Previewer().picture(torch.zeros(1, 16, frames, height, width))
    columns, rows = {1: (1, 1), 4: (2, 2), 21: (3, 3)}[frames]
    assert max(sheet.shape) <= 960
    cell_width, cell_height = sheet.shape[1] / columns, sheet.shape[0] / rows
    assert cell_width == int(cell_width)
    assert cell_width <= 8 * width
    assert abs(cell_width / width - cell_height / height) <= 1 / min(height, width)


def test_not_a_number_is_black_and_not_an_error():
    latents = torch.zeros(1, 16, 1, 4, 4)
    latents[0, 0, 0, 0, 0] = torch.nan
    latents[0, 14, 0, 3, 3] = torch.inf
    sheet = Previewer().picture(latents)
    assert (sheet[0, 0] == 0).all()
    assert (sheet[-1, -1] == 255).all()


def test_out_of_memory_falls_back_to_dots(decoder_file, monkeypatch):
    previewer = Previewer(decoder_file)
    latents = some_latents(3)

    def none_left(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(previewer._decoder), "frames", none_left)
    assert np.array_equal(previewer.picture(latents), Previewer().picture(latents))


@pytest.mark.parametrize("shape", [(16, 3, 4, 4), (1, 48, 3, 4, 4), (2, 16, 3, 4, 4), (1, 16, 0, 4, 4)])
def test_other_latents_are_refused(shape):
    with pytest.raises(ValueError, match="expected \\(1, 16, F, h, w\\)"):
        Previewer().picture(torch.zeros(shape))


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a file was run')",)


def packed(path, name):
    """A zip that unpacks to a thousand times its size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(2**24))


def _wrong(folder, what):
    path = folder / "wrong.safetensors"
    tensors = weights()
    if what == "nothing":
        return path
    if what == "text":
        path.write_text("not a checkpoint", encoding="utf-8")
    elif what == "code":
        torch.save({"decoder.1.weight": Harmful()}, path)
    elif what == "packed":
        packed(path, "archive/data/0")
    elif what == "list":
        torch.save([tensors["decoder.1.weight"]], path)
    elif what == "another model":
        save_file({"blocks.0.self_attn.q.weight": torch.zeros(2, 2)}, path)
    elif what == "other latents":
        save_file(weights(channels=48), path)
    elif what == "a tensor is missing":
        save_file({name: each for name, each in tensors.items() if name != "decoder.11.conv.2.bias"}, path)
    elif what == "a layer is missing":
        save_file({name: each for name, each in tensors.items() if name != "decoder.14.weight"}, path)
    elif what == "no growth":
        save_file(tensors | {"decoder.13.conv.weight": tensors["decoder.13.conv.weight"][:6].clone()}, path)
    else:
        save = save_file if what == "cut short" else torch.save
        save(tensors, path)
        path.write_bytes(path.read_bytes()[:-2000])
    return path


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "is not there."),
        ("text", ""),
        ("code", ""),
        ("packed", ""),
        ("cut short", ""),
        ("cut short pth", ""),
        ("list", ""),
        ("another model", ""),
        ("other latents", "is a tiny decoder for latents of 48 channels, and Wan 2.1's have 16."),
        ("a tensor is missing", "it lacks 'decoder.11.conv.2.bias'"),
        ("a layer is missing", "it lacks 'decoder.14.weight'"),
        ("no growth", "it has 'decoder.13.conv.weight' in the shape (6, 6, 1, 1), and not (12, 6, 1, 1)"),
    ],
)
def test_a_wrong_file_is_named_and_the_right_one_too(folder, what, message):
    path = _wrong(folder, what)
    with pytest.raises(EngineError) as told:
        Previewer(path)
    assert told.value.kind == "models"
    text = str(told.value)
    assert message in text
    assert repr(str(path)) in text
    assert "taew2_1.safetensors" in text
    assert "\n" not in text


def test_names_with_a_prefix(folder, decoder_file):
    save_file({f"taehv.{name}": each for name, each in weights().items()}, folder / "prefixed.safetensors")
    latents = some_latents(2)
    one, other = (Previewer(path).picture(latents) for path in (folder / "prefixed.safetensors", decoder_file))
    assert np.array_equal(one, other)


def test_the_file_may_be_replaced_while_it_is_used(folder, decoder_file):
    previewer, latents = Previewer(decoder_file), some_latents(2)
    before = previewer.picture(latents)
    decoder_file.write_bytes(bytes(decoder_file.stat().st_size))
    assert np.array_equal(previewer.picture(latents), before)
