"""For tests whose tensors are small: import ``one_thread``, and all tests of that module run on one."""

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two are slower on tensors as small as these, and by far where the machine has other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
