"""OCPL: memory, prototypes and their places. Classes 0 to 3, tokens of width 2."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from siil.model.ocpl import Ocpl, centres


def make(*, slots: int = 2, prototypes: int = 2, gru: bool = True) -> Ocpl:
    torch.manual_seed(0)
    return Ocpl(embed=2, classes=4, slots=slots, prototypes=prototypes, momentum=0.75, gru=gru)


def write(ocpl: Ocpl, *samples: dict[int, list[float]]) -> None:
    embeddings, present = torch.zeros(len(samples), 4, 2), torch.zeros(len(samples), 4, dtype=torch.bool)
    for number, sample in enumerate(samples):
        for index, value in sample.items():
            embeddings[number, index] = torch.tensor(value)
            present[number, index] = True
    ocpl.remember(embeddings, present)


def test_the_first_write_to_a_slot_is_a_copy_and_the_next_goes_to_the_next_slot() -> None:
    ocpl = make()
    write(ocpl, {1: [4, 8]})
    assert ocpl.memory[1].tolist() == [[4, 8], [0, 0]]
    assert ocpl.filled.tolist() == [[False, False], [True, False], [False, False], [False, False]]
    write(ocpl, {1: [1, 2]})
    assert ocpl.memory[1].tolist() == [[4, 8], [1, 2]]


def test_a_filled_slot_keeps_its_momentum_of_the_old_value() -> None:
    ocpl = make()
    write(ocpl, {1: [4, 8]}, {1: [1, 2]}, {1: [0, 4]})
    assert ocpl.memory[1].tolist() == [[3, 7], [1, 2]]  # 0.75 * 4 + 0.25 * 0, 0.75 * 8 + 0.25 * 4


def test_samples_are_written_in_their_order_and_classes_apart() -> None:
    ocpl = make()
    write(ocpl, {1: [1, 1], 3: [5, 5]}, {3: [6, 6]})
    assert ocpl.memory[3].tolist() == [[5, 5], [6, 6]]
    assert ocpl.memory[1].tolist() == [[1, 1], [0, 0]]
    assert ocpl.cursor.tolist() == [0, 1, 0, 0]


def test_background_is_never_written() -> None:
    ocpl = make()
    write(ocpl, {0: [1, 1]})
    assert not ocpl.filled.any()
    assert not ocpl.memory.any()


def test_what_is_remembered_carries_no_gradient() -> None:
    ocpl = make()
    embeddings = torch.ones(1, 4, 2, requires_grad=True)
    ocpl.remember(embeddings * 2, torch.ones(1, 4, dtype=torch.bool))
    assert not ocpl.memory.requires_grad


def test_fewer_distinct_slots_than_prototypes_are_cycled_and_none_gives_zero() -> None:
    ocpl = make(slots=4, prototypes=4)
    write(ocpl, {1: [1, 2], 2: [5, 5]}, {1: [3, 4], 2: [5, 5]})
    ocpl.refresh(0)
    assert ocpl.prototypes[1].tolist() == [[1, 2], [3, 4], [1, 2], [3, 4]]
    assert ocpl.prototypes[2].tolist() == [[5, 5]] * 4
    assert not ocpl.prototypes[3].any()


def test_prototypes_are_the_centres_of_clusters_of_filled_slots() -> None:
    ocpl = make(slots=8, prototypes=2)
    for value in ([0, 0], [0, 2], [10, 10], [10, 12]):
        write(ocpl, {2: value})
    ocpl.refresh(3)
    assert sorted(ocpl.prototypes[2].tolist()) == [[0, 1], [10, 11]]


def test_centres_stay_in_the_order_of_the_ones_before() -> None:
    slots = np.array([[0, 0], [0, 2], [10, 10], [10, 12]], np.float32)
    for seed in range(4):
        found = centres(slots, before=np.array([[9, 9], [1, 1]], np.float32), seed=seed)
        np.testing.assert_allclose(found, [[10, 11], [0, 1]])


def test_a_refresh_is_the_same_for_the_same_seed() -> None:
    found: list[Tensor] = []
    for _ in range(2):
        ocpl = make(slots=16, prototypes=4)
        torch.manual_seed(5)
        ocpl.remember(torch.randn(16, 4, 2), torch.ones(16, 4, dtype=torch.bool))
        ocpl.refresh(11)
        found.append(ocpl.prototypes.clone())
    assert torch.equal(*found)


def test_prototypes_are_added_to_the_slices_of_their_instances() -> None:
    ocpl = make()
    ocpl.prototypes[0] = 100  # of background: must not count
    ocpl.prototypes[1] = torch.tensor([[1, 2], [3, 4]])
    ocpl.prototypes[2] = torch.tensor([[10, 20], [30, 40]])
    L = torch.zeros(1, 4, 3, dtype=torch.bool)
    L[0, 0] = True
    L[0, 1, :2] = True
    L[0, 2, 1:] = True
    assert ocpl.placed(L)[0].tolist() == [[[1, 2], [3, 4]], [[11, 22], [33, 44]], [[10, 20], [30, 40]]]


@pytest.mark.parametrize("gru", [True, False])
def test_embeddings_of_absent_instances_and_of_background_are_zero(gru: bool) -> None:
    ocpl = make(gru=gru)
    present = torch.tensor([[True, False, True, True]])
    found = ocpl.embed(torch.randn(1, 4, 2), present)
    assert found[0, 2:].abs().sum(1).all()
    assert not found[0, :2].any()


def test_the_gru_tells_an_instance_about_its_neighbours_and_without_it_nothing_does() -> None:
    S2, present = torch.randn(1, 4, 2), torch.ones(1, 4, dtype=torch.bool)
    changed = S2.clone()
    changed[0, 3] += 1
    assert not torch.equal(make().embed(S2, present)[0, 1], make().embed(changed, present)[0, 1])
    without = make(gru=False)
    assert torch.equal(without.embed(S2, present)[0, 1], without.embed(changed, present)[0, 1])
    torch.testing.assert_close(without.embed(S2, present)[0, 1], without.project(S2[0, 1]))


def test_memory_and_prototypes_are_saved_with_the_weights() -> None:
    assert {"memory", "filled", "cursor", "prototypes"} <= make().state_dict().keys()
