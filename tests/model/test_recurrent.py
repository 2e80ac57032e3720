"""The GRU over present instances equals torch's packed one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siil.model.recurrent import OrdinalGru, sequence_order


def packed(gru: OrdinalGru, sequence: Tensor) -> Tensor:
    """The same weights in torch's own four-layer bidirectional GRU, on a sequence without gaps."""
    size = sequence.shape[1]
    reference = nn.GRU(size, size, num_layers=4, bidirectional=True, batch_first=True).double()
    for layer, (up, down) in enumerate(zip(gru.upwards, gru.downwards, strict=True)):
        for name, value in up.named_parameters():
            getattr(reference, name.replace("l0", f"l{layer}")).data.copy_(value)
        for name, value in down.named_parameters():
            getattr(reference, name.replace("l0", f"l{layer}_reverse")).data.copy_(value)
    return reference(sequence[None])[0][0]


def test_absent_instances_are_skipped_as_in_a_packed_sequence() -> None:
    torch.manual_seed(0)
    gru = OrdinalGru(embed=6).double()
    tokens = torch.randn(3, 9, 6, dtype=torch.float64)
    present = torch.tensor([[0, 1, 0, 1, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0], [1] * 9], dtype=torch.bool)
    found = gru(tokens, present)
    for sample in range(3):
        expected = packed(gru, tokens[sample, present[sample]])
        torch.testing.assert_close(found[sample, present[sample]], expected)


def test_what_stands_in_an_absent_place_has_no_effect() -> None:
    torch.manual_seed(0)
    gru = OrdinalGru(embed=4).double()
    tokens = torch.randn(1, 6, 4, dtype=torch.float64)
    present = torch.tensor([[False, True, True, False, True, False]])
    changed = torch.where(present[..., None], tokens, 7.0)
    assert torch.equal(gru(tokens, present)[present], gru(changed, present)[present])


def test_a_batch_without_any_instance_runs() -> None:
    assert OrdinalGru(embed=4)(torch.zeros(2, 5, 4), torch.zeros(2, 5, dtype=torch.bool)).shape == (2, 5, 8)


def test_the_order_moves_present_tokens_to_the_front_and_back() -> None:
    present = torch.tensor([[False, True, False, True, True]])
    order, places, mirror = sequence_order(present)
    assert order.tolist() == [[1, 3, 4, 0, 2]]
    assert places.tolist() == [[3, 0, 4, 1, 2]]
    assert mirror.tolist() == [[2, 1, 0, 0, 0]]
