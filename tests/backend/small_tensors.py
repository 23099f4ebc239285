"""A network whose tensors are small, and how it is run; import ``one_thread``, and all tests of a module run on one."""

import dataclasses

import pytest
import torch
from checkpoints import Sizes, transformer, transformer_in_diffusers_names

from backend.contract import Generation
from backend.recammaster.sampling import draw_noise, recipe_of, sample
from backend.recammaster.transformer import ReCamMasterTransformer3DModel

SIZES = Sizes(heads=2, head_dim=24, layers=4, ffn=96, text=16, freq=64, channels_in=4, channels=4)
SHAPE = (1, 4, 2, 4, 6)
EXACT = 1e-6


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two are slower on tensors as small as these, and by far where the machine has other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(state=None):
    model = ReCamMasterTransformer3DModel(**SIZES.config())
    model.load_state_dict(transformer_in_diffusers_names(state or transformer(SIZES, seed=8)))
    return model.eval().requires_grad_(False)


def some_inputs():
    draw = torch.Generator().manual_seed(4)
    shapes = (SHAPE, (1, 2, 12), (1, 6, SIZES.text), (1, 6, SIZES.text))
    return [draw_noise(SHAPE, 0), *(torch.randn(shape, generator=draw) for shape in shapes)]


def run(model, inputs=None, recipe=None, **options):
    recipe = recipe or dataclasses.replace(recipe_of(Generation()), steps=4)
    return sample(
        model,
        *(inputs or some_inputs()),
        recipe.steps,
        recipe.guidance_scale,
        recipe.shift,
        solver=recipe.solver,
        guided=recipe.guided,
        **options,
    )
