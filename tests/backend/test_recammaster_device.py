"""Which device, in what numbers, and by which kernel of attention. GPUs are pretended; the CPU is real."""

import types

import psutil
import pytest
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import _AttentionBackendRegistry, dispatch_attention_fn
from torch.profiler import ProfilerActivity, profile

from backend.engines import EngineError
from backend.recammaster import device
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

CPU = torch.device("cpu")
GB = 10**9


# Devices


@pytest.fixture
def gpus(monkeypatch):
    """Pretend GPUs: name, bytes free, all, held and used by torch, share allowed, whether they compute."""

    def pretend(*found):
        at = lambda wanted: found[torch.device(wanted).index]  # noqa: E731
        answers = {
            "is_available": lambda: bool(found),
            "device_count": lambda: len(found),
            "get_device_name": lambda wanted: at(wanted)["name"],
            "mem_get_info": lambda wanted: (at(wanted)["free"], at(wanted)["all"]),
            "memory_reserved": lambda wanted: at(wanted).get("held", 0),
            "memory_allocated": lambda wanted: at(wanted).get("used", 0),
            "get_per_process_memory_fraction": lambda wanted: at(wanted).get("share", 1.0),
            "get_device_capability": lambda wanted: at(wanted).get("capability", (8, 9)),
        }
        for name, answer in answers.items():
            monkeypatch.setattr(torch.cuda, name, answer)
        monkeypatch.setattr(device, "_runs", lambda wanted: at(wanted).get("runs", True))
        monkeypatch.setattr(
            device, "_working_dtype", lambda wanted: torch.float32 if wanted.type == "cpu" else torch.bfloat16
        )

    return pretend


SMALL = {"name": "Small", "free": 5 * GB, "all": 6 * GB}
LARGE = {"name": "Large", "free": 20 * GB, "all": 24 * GB}
OLD = {"name": "Old", "free": 40 * GB, "all": 48 * GB, "runs": False}


@pytest.fixture
def apple(monkeypatch):
    """Pretend a GPU of Apple's, and say which torch there is."""

    def pretend(version="2.13.0"):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
        monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
        monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GB)
        monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 2 * GB)
        monkeypatch.setattr(device, "free_ram", lambda: 11 * GB)
        monkeypatch.setattr(device, "_working_dtype", lambda wanted: torch.bfloat16)

    return pretend


def test_without_a_gpu_it_is_the_cpu_in_float32(gpus):
    gpus()
    found = device.choose()
    assert (found.device, found.dtype, found.name) == (CPU, torch.float32, "the CPU")
    assert 0 < found.free <= psutil.virtual_memory().total


def test_the_gpu_with_most_free_memory_is_taken(gpus):
    gpus(SMALL, LARGE)
    for name in ("auto", "cuda"):
        found = device.choose(name)
        assert found == device.Device(device=torch.device("cuda:1"), name="Large", free=20 * GB, dtype=torch.bfloat16)
    assert device.choose("cuda:0").name == "Small"
    assert device.choose("cpu").device == CPU


def test_a_gpu_that_torch_has_no_kernels_for_is_left_out(gpus):
    gpus(SMALL, OLD)
    assert device.choose().name == "Small"
    with pytest.raises(EngineError, match=r"cannot compute on cuda:1 \(Old\)"):
        device.choose("cuda:1")
    gpus(OLD)
    assert device.choose().device == CPU


def test_a_gpu_that_is_not_there_is_told_with_those_that_are(gpus):
    gpus(SMALL, LARGE)
    with pytest.raises(EngineError) as caught:
        device.choose("cuda:2")
    assert str(caught.value) == (
        "There is no GPU cuda:2: found cuda:0 (Small, 5.0 GB free), cuda:1 (Large, 20.0 GB free); choose one of these, "
        "or auto or cpu."
    )
    assert caught.value.kind == "engine"


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_without_a_gpu_it_is_said_why(gpus, monkeypatch, name):
    gpus()
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    with pytest.raises(EngineError, match="built without CUDA and ROCm"):
        device.choose(name)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(EngineError, match="no driver"):
        device.choose(name)


def test_apples_gpu_is_taken_from_the_torch_on_that_is_right(gpus, apple):
    gpus()
    apple("2.13.0")
    found = device.choose()
    assert (found.device.type, found.name, found.free) == ("mps", "Apple's GPU", 10 * GB)
    apple("2.12.1")
    assert device.choose().device == CPU
    with pytest.raises(EngineError, match=r"torch 2\.13 or later is needed, and this is 2\.12\.1"):
        device.choose("mps")


def test_without_apples_gpu_it_is_said_so():
    if torch.backends.mps.is_available():
        pytest.skip("there is one here")
    with pytest.raises(EngineError, match="finds no GPU of Apple's"):
        device.choose("mps")


def test_what_torch_holds_unused_is_free(gpus):
    gpus(LARGE | {"held": 3 * GB, "used": 1 * GB})
    assert device.free_memory(torch.device("cuda:0")) == 22 * GB


def test_a_limit_for_the_process_is_kept(gpus):
    gpus(LARGE | {"share": 1 / 3, "held": 3 * GB, "used": 1 * GB})
    assert device.free_memory(torch.device("cuda:0")) == 7 * GB


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_computes_in_bfloat16_where_it_can_by_itself(monkeypatch, native, expected):
    asked = {}

    def supported(including_emulation):
        asked["emulated"] = including_emulation
        return native

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cuda, "device", lambda wanted: torch.device("cpu"))
    assert device._working_dtype(torch.device("cuda:0")) == expected
    assert asked == {"emulated": False}


# Attention


def network(heads=2, size=16):
    torch.manual_seed(3)
    model = ReCamMasterTransformer3DModel(
        num_attention_heads=heads, attention_head_dim=size, ffn_dim=32, num_layers=1, text_dim=8, freq_dim=8
    )
    return model.eval().requires_grad_(False)


def run(model, side=16):
    latents = torch.randn(1, 16, 1, side, side, generator=torch.Generator().manual_seed(4))
    inputs = {"source_latents": latents, "camera": torch.zeros(1, 1, 12)}
    return model(latents, torch.tensor([500.0]), torch.ones(1, 4, 8), attention_kwargs=inputs, return_dict=False)[0]


def profiled(model, side):
    """Names of the operations of a pass, and the most bytes that one of them took."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run(model, side)
    events = seen.key_averages()
    return {each.key for each in events}, max(each.self_cpu_memory_usage for each in seen.events())


def test_the_scores_are_never_held():
    side = 80
    tokens = 2 * (side // 2) ** 2
    scores = 2 * tokens**2 * 4
    model = network()
    assert device.pin_attention(model, CPU, tokens) == "_native_flash"
    operations, largest = profiled(model, side)
    assert "aten::_scaled_dot_product_flash_attention_for_cpu" in operations
    assert not operations & {"aten::_scaled_dot_product_attention_math", "aten::bmm", "aten::_safe_softmax"}
    assert largest < scores / 10
    # and this would be seen:
    device._pin(model, "_native_math")
    operations, largest = profiled(model, side)
    assert "aten::_scaled_dot_product_attention_math" in operations
    assert largest >= scores


@pytest.mark.parametrize(("heads", "size"), [(12, 128), (4, 12), (2, 6), (1, 128)])
def test_the_kernel_is_right_at_any_size_of_a_head(heads, size):
    model = network(heads, size)
    expected = run(model)
    device.pin_attention(model, CPU, 65520)
    assert {block.attn1.processor._attention_backend.value for block in model.blocks} == {"_native_flash"}
    assert {block.attn2.processor._attention_backend.value for block in model.blocks} == {"_native_flash"}
    assert torch.allclose(run(model), expected, atol=1e-5)


def test_other_models_are_left_alone():
    before = _AttentionBackendRegistry.get_active_backend()
    other = WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, ffn_dim=8, num_layers=1, text_dim=8, freq_dim=8
    )
    device.pin_attention(network(), CPU, 100)
    assert _AttentionBackendRegistry.get_active_backend() == before
    assert other.blocks[0].attn1.processor._attention_backend is None


def test_nothing_is_printed(caplog):
    with caplog.at_level("WARNING"):
        device.pin_attention(network(), CPU, 100)
    assert not caplog.records


@pytest.fixture
def kernels(monkeypatch):
    """Pretend a GPU, where some kernels run and others do not; and say which were tried."""
    tried = []

    def pretend(*running, wrong=(), capability=(8, 9)):
        def attend(query, key, value, backend):
            if backend in ("_native_math", "native"):
                return dispatch_attention_fn(query, key, value, backend=backend)
            tried.append(backend)
            if backend in wrong:
                return dispatch_attention_fn(query, key.roll(1, 1), value, backend="native")
            if backend not in running:
                raise RuntimeError("No viable backend for scaled_dot_product_attention was found.\nMore lines.")
            return dispatch_attention_fn(query, key, value, backend="native")

        monkeypatch.setattr(device, "dispatch_attention_fn", attend)
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda wanted: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda wanted: "Somebody's GPU")
        there = device._attend
        # the data stays where it can be computed with
        monkeypatch.setattr(device, "_attend", lambda kernel, at, *rest: there(kernel, CPU, *rest))
        return tried

    return pretend


GPU = torch.device("cuda:0")


def test_the_first_kernel_that_runs_is_pinned(kernels):
    tried = kernels("_native_efficient")
    model = network()
    assert device.pin_attention(model, GPU, 65520) == "_native_efficient"
    assert tried[0] == "_native_flash"
    assert model.blocks[0].attn1.processor._attention_backend.value == "_native_efficient"


def test_a_kernel_that_comes_out_wrong_is_left_out(kernels):
    kernels("_native_flash", "_native_efficient", wrong=("_native_flash",))
    assert device.pin_attention(network(), GPU, 65520) == "_native_efficient"


@pytest.mark.parametrize(("capability", "expected"), [((8, 9), "_native_flash"), ((9, 0), "_native_cudnn")])
def test_what_is_fastest_is_tried_first(kernels, capability, expected):
    kernels("_native_flash", "_native_cudnn", "_native_efficient", capability=capability)
    assert device.pin_attention(network(), GPU, 65520) == expected


def test_without_a_fused_kernel_a_long_sequence_is_refused_and_a_short_one_is_not(kernels):
    kernels()
    model = network(12, 128)
    with pytest.raises(EngineError) as caught:
        device.pin_attention(model, GPU, 65520)
    told = str(caught.value)
    assert caught.value.kind == "engine"
    assert "Somebody's GPU" in told
    assert "65520 tokens would take 206 GB" in told
    assert "_native_cudnn: No viable backend" in told
    assert "More lines" not in told
    assert model.blocks[0].attn1.processor._attention_backend is None
    assert device.pin_attention(model, GPU, device.SHORT) == "native"
    with pytest.raises(EngineError):
        device.pin_attention(model, GPU, device.SHORT + 1)


@pytest.mark.parametrize(("size", "runs"), [(128, True), (64, True), (96, False)])
def test_on_apples_gpu_heads_that_metal_has_no_kernel_for_are_refused(monkeypatch, size, runs):
    monkeypatch.setattr(device, "_fails", lambda *_: "")
    at = types.SimpleNamespace(type="mps")
    if runs:
        assert device.pin_attention(network(2, size), at, 65520) == "native"
    else:
        with pytest.raises(EngineError, match="this device has none"):
            device.pin_attention(network(2, size), at, 65520)
