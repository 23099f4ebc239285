"""What the benchmark compares ours with is the published network, and what it reckons with is what is computed."""

import dataclasses
import sys

import published_numbers
import pytest
import torch
from safetensors.torch import load_file
from small_tensors import one_thread  # noqa: F401
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import plain_network, recammaster

SETUP = recammaster.Setup(
    device="cpu",
    size=(32, 16),
    frames=5,
    layers=1,
    width=128,
    vae_width=8,
    steps=1,
    qualities=("final", "draft"),
    cap=None,
    repeats=1,
)


@torch.no_grad()
def test_plain_network_computes_what_the_published_code_does():
    sizes = published_numbers.settings()["config"]
    network = plain_network.PlainNetwork(
        width=sizes["dim"],
        heads=sizes["heads"],
        inner=sizes["ffn"],
        layers=sizes["layers"],
        text_width=sizes["text_dim"],
        time_width=sizes["freq_dim"],
    )
    network.load_state_dict(load_file(published_numbers.TRANSFORMER))
    given = published_numbers.given()
    inputs = {"latents": given["noise"], "source": given["source_latents"], "camera": given["camera"]}
    found = network(*inputs.values(), given["timestep"], given["prompt_embeds"])
    assert published_numbers.error("forward", found) < 1e-5


def test_ours_and_the_plain_network_compute_the_same():
    assert plain_network.check() < plain_network.CLOSE


@pytest.mark.parametrize("change", ["camera", "rotation", "halves"])
def test_check_notices(monkeypatch, change):
    network = plain_network.PlainNetwork
    forward = network.forward
    if change == "camera":
        monkeypatch.setattr(
            network, "forward", lambda self, x, source, camera, *rest: forward(self, x, source, 0 * camera, *rest)
        )
    elif change == "halves":
        monkeypatch.setattr(network, "forward", lambda self, x, source, *rest: forward(self, source, x, *rest))
    else:
        monkeypatch.setattr(plain_network, "rotate", lambda x, cos, sin: x)
    assert plain_network.check() > 50 * plain_network.CLOSE


def test_flops_of_a_pass_are_the_known_ones_at_true_size():
    found = plain_network.pass_flops((21, 60, 104), layers=30, width=1536)
    assert found == pytest.approx(970.7e12, rel=1e-4)  # reference/inference.md, 5


@torch.no_grad()
def test_flops_of_a_pass_are_those_that_torch_counts():
    """Of one block, by the difference between two and one, as the formula leaves out what is around them."""
    grid = (3, 8, 10)
    inputs = plain_network.random_inputs(*grid)
    names = ("latents", "source", "camera", "timestep", "prompt")
    counted = []
    for layers in (1, 2):
        plain = plain_network.plain_copy(plain_network.random_network(layers, 128, torch.float32))
        # torch counts none in the fused kernel for CPUs
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            plain(*(inputs[name] for name in names))
        counted.append(counter.get_total_flops())
    assert counted[1] - counted[0] == plain_network.pass_flops(grid, layers=1, width=128)


def test_measures_a_plan_and_tells_it_in_a_row():
    vae, network = recammaster.measure_vae(SETUP, "tiled"), recammaster.measure_network(SETUP, "tiled")
    rows = recammaster._rows(SETUP, "tiled", vae, network, rate=1e12)
    assert [row.split(" | ")[:3] for row in rows] == [["| tiled", "final", "100"], ["| tiled", "draft", "4"]]
    assert network["qualities"]["final"]["pass"] > 0
    assert vae["decode"] > 0
    rows += recammaster._rows(SETUP, "tiled", {"error": "a | b"}, network, rate=1e12)
    assert {row.count("|") for row in rows} == {recammaster._TABLE[0].count("|")}


def test_what_does_not_fit_is_told_and_another_error_is_not_hidden(monkeypatch):
    def fail(error):
        monkeypatch.setattr(recammaster.memory, "place", lambda *_: (_ for _ in ()).throw(error))
        return recammaster.measure_network(SETUP, "resident")

    assert fail(torch.OutOfMemoryError("CUDA out of memory.\nMore of it")) == {"error": "CUDA out of memory."}
    with pytest.raises(RuntimeError, match="a bug"):
        fail(RuntimeError("a bug"))


def test_compares_in_turns():
    found = recammaster.compare(SETUP)
    assert found["pass"]["ratio"] == pytest.approx(found["pass"]["ours"] / found["pass"]["plain"])
    assert found["step"]["ours"] > 0
    assert "1.1 for a step" in recammaster._comparison(found)


@pytest.mark.parametrize(
    "arguments",
    [["--memory-cap", "8"], ["--width", "100"], ["--plans", "fat"], ["--size", "832"], ["--frames", "80"]],
    ids=lambda arguments: arguments[0],
)
def test_refuses(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["recammaster", "--device", "cpu", *arguments])
    with pytest.raises(SystemExit) as end:
        recammaster._parse()
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_defaults_are_small_on_a_cpu(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["recammaster", "--device", "cpu", "--frames", "9"])
    setup, plans = recammaster._parse()
    assert plans == ["resident", "tiled", "fp8"]
    assert setup.frames == 9
    assert setup.flops < 0.1e12
    assert dataclasses.replace(setup, size=(832, 480), frames=81, layers=30, width=1536).flops > 970e12
