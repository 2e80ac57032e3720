"""The second look's network and its weights file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from siil.errors import WeightsError
from siil.model.second_look import SecondLook, SecondLookWeights, gather_cells, spread_cells
from siil.model.weights import load_network, load_second_look, save_second_look, weights_path

ABOUT = SecondLookWeights((4, 6, 8), 1.0, 8.0, (-300.0, 1300.0), experiment="tiny", code="abc")


def network() -> SecondLook:
    torch.manual_seed(0)
    return SecondLook((4, 6, 8)).eval()


def test_every_voxel_gets_three_logits():
    assert network()(torch.zeros(2, 3, 16, 24, 8)).shape == (2, 3, 16, 24, 8)


def test_cells_hold_each_voxel_and_come_back_in_their_places():
    x = torch.arange(2 * 3 * 4 * 6 * 8.0).reshape(2, 3, 4, 6, 8)
    cells = gather_cells(x)
    assert cells.shape == (2, 24, 2, 3, 4)
    assert set(cells[0, :8, 0, 0, 0].tolist()) == set(x[0, 0, :2, :2, :2].flatten().tolist())
    assert (spread_cells(cells) == x).all()


def test_one_voxel_of_the_image_alone_changes_its_answer():
    """The head sees the CT at full resolution: two voxels of a cell are not the same to it."""
    inputs = torch.zeros(1, 3, 16, 16, 16)
    before = network()(inputs)
    inputs[0, 0, 8, 8, 8] = 1
    other = torch.zeros(1, 3, 16, 16, 16)
    other[0, 0, 9, 8, 8] = 1
    assert not torch.allclose(network()(inputs), before)
    assert not torch.allclose(network()(inputs), network()(other))


def test_a_patch_is_answered_as_the_same_voxels_of_a_larger_crop():
    """No layer looks at the whole crop, so far from its border nothing changes."""
    torch.manual_seed(1)
    inputs = torch.randn(1, 3, 160, 16, 16)
    answer, longer = network()(inputs[:, :, :144]), network()(inputs)
    assert torch.allclose(answer[:, :, :16], longer[:, :, :16], atol=1e-5)


def test_the_weights_file_gives_the_network_back(tmp_path):
    made = network()
    save_second_look(tmp_path / "second_look.safetensors", made, about=ABOUT)
    found, about = load_second_look(tmp_path / "second_look.safetensors")
    assert about == ABOUT
    inputs = torch.randn(1, 3, 8, 8, 8)
    assert torch.equal(found(inputs), made(inputs))
    save_second_look(tmp_path / "half.safetensors", made, about=ABOUT, half=True)
    half, _ = load_second_look(tmp_path / "half.safetensors")
    assert np.allclose(half(inputs).detach(), made(inputs).detach(), atol=1e-2)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.safetensors", "second_look.safetensors")]
    assert sizes[0] < 0.6 * sizes[1]


def test_weights_of_the_other_kind_are_refused(tmp_path):
    path = tmp_path / "second_look.safetensors"
    save_second_look(path, network(), about=ABOUT)
    with pytest.raises(WeightsError, match=r"expected the weights.safetensors of a training"):
        load_network(path)
    with pytest.raises(WeightsError, match="siil refine"):
        load_second_look(weights_path())


def test_weights_of_other_widths_are_refused(tmp_path):
    path = tmp_path / "second_look.safetensors"
    save_second_look(path, network(), about=SecondLookWeights((4, 6, 16), 1.0, 8.0, (-300.0, 1300.0)))
    with pytest.raises(WeightsError, match="wrong architecture"):
        load_second_look(path)
