"""The text encoder at work: where it computes, what it takes in memory, and that nothing of it stays there."""

import gc
import itertools
from types import SimpleNamespace

import checkpoints
import prompts
import pytest
import torch
from prompts import BLOCKS, CPU, encode, gone, published
from small_tensors import one_thread  # noqa: F401 a fixture for all tests here

from backend.engines import Cancelled, EngineError
from backend.recammaster import checkpoint, umt5


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return prompts.write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def loads(monkeypatch):
    return prompts.watch_loads(monkeypatch)


def test_encoder_is_gone_when_it_is_done(models, cache, loads):
    gc.disable()  # or it might be luck
    try:
        encode(["a dog"], models, cache)
        assert gone(loads)
    finally:
        gc.enable()


@pytest.mark.parametrize("at", range(1, 2 + 2 * BLOCKS))
def test_cancelled_at_any_step_and_gone_at_once(models, cache, loads, at):
    count = itertools.count()

    def report(*_step, **_known):
        if next(count) == at:
            raise Cancelled

    gc.disable()
    try:
        with pytest.raises(Cancelled) as caught:
            encode(["a dog", "a ball"], models, cache, report=report)
        assert gone(loads)
    finally:
        gc.enable()
    assert caught is not None  # the exception, and with it its traceback, lived until here
    assert not list(cache.rglob("*.safetensors"))


def test_where_memory_is_short_weights_stay_small_and_numbers_the_same(models, cache, monkeypatch):
    half = {name: each.to(torch.bfloat16) for name, each in checkpoints.text_encoder().items()}
    state = {name: each.float() for name, each in half.items()}
    models = SimpleNamespace(**vars(models))
    models.text_encoder = checkpoints.write_text_encoder_folder(cache.parent / "float32", state)
    (roomy,) = encode(["a dog"], models, cache / "1").tensors
    kept, computed = [], set()

    def load(path, dtype):
        model = loader(path, dtype)
        kept.append({each.dtype for each in model.parameters()})
        for each in model.modules():
            if isinstance(each, torch.nn.Linear):
                each.register_forward_hook(lambda module, _, __: computed.add(module.weight.dtype))
        model.encoder.block[-1].register_forward_hook(
            lambda *_: kept.append({each.dtype for each in first.parameters()})
        )
        first = model.encoder.block[0]
        return model

    loader = checkpoint.load_text_encoder
    monkeypatch.setattr(checkpoint, "load_text_encoder", load)
    monkeypatch.setattr(umt5, "free_ram", lambda: 1.4e9)
    (tight,) = encode(["a dog"], models, cache / "2").tensors
    assert kept == [{torch.bfloat16}, {torch.bfloat16}]
    assert computed == {torch.float32}
    torch.testing.assert_close(tight, roomy, rtol=0, atol=0)


def test_weights_are_given_back_by_a_block_that_fails(models, cache, monkeypatch):
    def load(path, dtype):
        model = loader(path, dtype)
        model.encoder.block[1].layer[1].register_forward_pre_hook(fail)
        return model

    def fail(*_):
        raise ZeroDivisionError

    loader, left = checkpoint.load_text_encoder, []
    monkeypatch.setattr(checkpoint, "load_text_encoder", load)
    monkeypatch.setattr(umt5, "free_ram", lambda: 1.4e9)
    monkeypatch.setattr(umt5.memory, "release", lambda model: left.append({each.dtype for each in model.parameters()}))
    with pytest.raises(ZeroDivisionError):
        encode(["a dog"], models, cache)
    assert left == [{torch.bfloat16}]


@pytest.mark.parametrize(
    ("free", "bfloat16", "ram", "expected"),
    [
        (24e9, True, 64e9, [("cuda", "bfloat16", "bfloat16", True), ("cuda", "bfloat16", "bfloat16", False)]),
        (8e9, True, 64e9, [("cuda", "bfloat16", "bfloat16", False)]),
        (24e9, False, 64e9, [("cuda", "float32", "bfloat16", False)]),
        (1e9, True, 64e9, []),
        (1e9, True, 16e9, []),
    ],
)
def test_place_is_chosen_by_free_memory(monkeypatch, free, bfloat16, ram, expected):
    dtype = torch.bfloat16 if bfloat16 else torch.float16
    monkeypatch.setattr(umt5, "choose", lambda name: SimpleNamespace(free=free, dtype=dtype))
    monkeypatch.setattr(umt5, "free_ram", lambda: ram)
    monkeypatch.setattr(umt5, "_bytes", lambda _weights, dtype: 5_680_000_000 * dtype.itemsize)
    places = umt5._places(None, torch.device("cuda:1"))
    found = [(each.device.type, str(each.dtype)[6:], str(each.stored)[6:], each.resident) for each in places]
    last = ("cpu", "float32", "float32", True) if ram > 24e9 else ("cpu", "float32", "bfloat16", False)
    assert found == [*expected, last]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_out_of_memory_tries_the_next_place_and_then_says_so(models, cache, monkeypatch, error):
    places = [umt5._Place(CPU, torch.float32, dtype, resident=False) for dtype in (torch.float32, torch.bfloat16)]
    monkeypatch.setattr(umt5, "_places", lambda *_: places)
    tried = []

    def load(path, dtype):
        tried.append(dtype)
        if dtype == torch.float32 or full:
            raise error
        return loader(path, dtype)

    loader = checkpoint.load_text_encoder
    full = False
    monkeypatch.setattr(checkpoint, "load_text_encoder", load)
    assert len(encode(["a dog"], models, cache).tensors) == 1
    assert tried == [torch.float32, torch.bfloat16]
    full = True
    with pytest.raises(EngineError, match=r"does not fit into memory, of which \d+.\d GB are free: .*embed") as caught:
        encode(["a cat"], models, cache)
    assert caught.value.kind == "memory"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stored", ["16.safetensors", "16.pth", "8.safetensors"])
def test_what_it_will_take_is_told_from_the_file(tmp_path, stored, dtype):
    state = checkpoints.text_encoder()
    if stored == "8.safetensors":
        path = checkpoints.write(tmp_path / stored, checkpoints.text_encoder_in_eight_bits(state))
    else:
        named = checkpoints.text_encoder_in_wan_names(state)
        path = checkpoints.write(tmp_path / stored, named, dtype=torch.bfloat16)
    model = checkpoint.load_text_encoder(path, dtype)
    assert umt5._bytes(path, dtype) == pytest.approx(sum(each.nbytes for each in model.parameters()), rel=0.01)


def test_eight_bits_stay_eight_bits(models, cache, monkeypatch):
    models = SimpleNamespace(**vars(models))
    small = checkpoints.text_encoder_in_eight_bits(checkpoints.text_encoder())
    models.text_encoder = checkpoints.write(cache.parent / "8.safetensors", small)
    held = []

    def load(path, dtype):
        model = loader(path, dtype)
        layer = model.encoder.block[0].layer[1].DenseReluDense.wo
        layer.register_forward_hook(lambda module, *_: held.append({each.dtype for each in module.parameters()}))
        return model

    loader = checkpoint.load_text_encoder
    monkeypatch.setattr(checkpoint, "load_text_encoder", load)
    (found,) = encode(["a dog"], models, cache).tensors
    assert held == [{checkpoints.FP8}]
    torch.testing.assert_close(found, published(models, "a dog"), rtol=0, atol=0)
