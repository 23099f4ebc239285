"""How much memory is needed: the formulas beside what is counted, storage by storage, at true size."""

import dataclasses

import pytest
import torch

from backend.contract import PLANS
from backend.recammaster import memory, needs, video
from backend.recammaster.memory import Plan
from backend.recammaster.needs import Sizes, Work, needed
from benchmarks import live_storage

NAMES = PLANS[1:]
PUBLISHED = Work(frames=81, width=832, height=480)
SHAPES = [(49, 832, 480), (81, 480, 832), (33, 416, 240)]
EIGHT_GB = 7.2e9

# Enough for the VAE to come to what it needs: from the third latent frame on, every one is like the one before.
VAE_FRAMES = 9


def plan(name, work=PUBLISHED):
    return Plan(name=name, work=work, free=0)


def network_formula(each):
    """Without the VAE, which is mostly less."""
    one = dataclasses.replace(each.work, sizes=dataclasses.replace(each.work.sizes, vae_width=0))
    return needed(each.name, one)


@pytest.fixture(scope="module")
def counted():
    """Each plan at true size: the network, the VAE encoding, the VAE decoding. Bytes.

    Of the VAE's tiles, which all need the same, one is counted; that one tile after another is freed is tested below.
    """
    width, height = video.tile_size(PUBLISHED.width, PUBLISHED.height)
    whole, tiled = (
        live_storage.count_vae(plan("resident", Work(frames=VAE_FRAMES, width=w, height=h)))
        for w, h in ((PUBLISHED.width, PUBLISHED.height), (width, height))
    )
    return {
        name: live_storage.Count(live_storage.count_network(plan(name)), *(whole if name == "resident" else tiled))
        for name in NAMES
    }


def test_the_sizes_are_the_published_ones():
    block, rest = needs._parameters(Sizes())
    assert 30 * block + rest == 1_490_420_800


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_needs_what_is_said(counted, name):
    assert needed(name, PUBLISHED) == pytest.approx(counted[name].peak, rel=0.02)


def test_the_plan_for_8_gb_fits_there(counted):
    assert counted["tiled"].peak <= EIGHT_GB
    assert memory.choose_plan(int(EIGHT_GB), 81, 832, 480).name == "tiled"


def test_the_vae_as_it_works_needs_what_is_said(counted):
    pixels = needs._VAE_BYTES_PER_PIXEL
    assert counted["resident"].decode == pytest.approx(4 * needs._VAE_PARAMETERS + pixels * 832 * 480, rel=0.02)
    assert counted["tiled"].decode == pytest.approx(4 * needs._VAE_PARAMETERS + pixels * 352 * 304, rel=0.02)
    assert counted["resident"].encode < counted["resident"].decode


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_the_network_needs_what_is_said_at_any_size(shape, name):
    frames, width, height = shape
    each = plan(name, Work(frames=frames, width=width, height=height, sizes=Sizes(layers=2)))
    assert network_formula(each) == pytest.approx(live_storage.count_network(each), rel=0.02)


@pytest.mark.parametrize("changed", [{"sizes": Sizes(layers=3, element=4)}, {"sizes": Sizes(layers=3), "cached": True}])
@pytest.mark.parametrize("name", ["resident", "tiled"])
def test_the_network_needs_what_is_said_in_float32_and_with_a_cache(changed, name):
    each = plan(name, Work(frames=49, width=832, height=480, **changed))
    assert network_formula(each) == pytest.approx(live_storage.count_network(each), rel=0.02)


@pytest.mark.parametrize(("name", "vae_width"), [("resident", 24), ("tiled", 96)])
def test_the_vae_needs_what_is_said_in_tiles_and_when_it_is_narrower(name, vae_width):
    each = plan(name, Work(frames=VAE_FRAMES, width=416, height=240, sizes=Sizes(vae_width=vae_width)))
    said = needs._vae_weights(each.work.sizes) + needs._vae_activations(each.name, each.work)
    assert said == pytest.approx(live_storage.count_vae(each)[1], rel=0.05)


def test_the_counter_counts_what_lives():
    with live_storage.pretending() as counter:
        device = live_storage.DEVICE
        kept = torch.empty(1000, 1024, device=device, dtype=torch.bfloat16)
        view = kept[10:20].t()
        assert counter.now == 2_048_000
        torch.empty(1024, 1024, device="cpu")
        temporary = kept * 2
        assert counter.now == 2 * 2_048_000
        del temporary, kept
        assert counter.now == 2_048_000  # for the view's sake
        del view
        assert counter.now == 0
        assert counter.peak == 2 * 2_048_000


def test_the_counter_sees_attention_that_holds_all_scores():
    work = Work(frames=5, width=416, height=240, sizes=Sizes(layers=1))
    fused = live_storage.count_network(plan("resident", work))
    query = (1, 12, work.tokens, 128)
    with live_storage.pretending() as counter:
        q = torch.empty(query, device=live_storage.DEVICE)
        scores = torch.softmax(q @ q.transpose(2, 3), -1)
        del scores
        assert counter.peak > 2 * 12 * work.tokens**2 * 4 > 0.1 * fused
