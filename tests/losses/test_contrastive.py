"""L_M, computed by hand in two dimensions with a temperature of 1."""

from __future__ import annotations

from math import e, exp, log

import torch

from siil.anatomy import BY_NAME, CLASSES
from siil.losses.contrastive import contrast


def loss(
    instances: dict[str, tuple[float, float]], memory: dict[str, list[tuple[float, float]]], *, temperature: float = 1.0
) -> torch.Tensor:
    embeddings = torch.zeros(1, CLASSES, 2, dtype=torch.float64)
    present = torch.zeros(1, CLASSES, dtype=torch.bool)
    present[:, 0] = True
    slots = torch.zeros(CLASSES, 3, 2, dtype=torch.float64)
    filled = torch.zeros(CLASSES, 3, dtype=torch.bool)
    for name, value in instances.items():
        embeddings[0, BY_NAME[name].index] = torch.tensor(value)
        present[0, BY_NAME[name].index] = True
    for name, values in memory.items():
        for number, value in enumerate(values):
            slots[BY_NAME[name].index, number] = torch.tensor(value)
            filled[BY_NAME[name].index, number] = True
    embeddings.requires_grad_()
    value = contrast(embeddings, present, slots, filled, torch.ones_like(present), temperature=temperature)[0]
    value.backward()
    assert embeddings.grad is not None
    assert torch.isfinite(embeddings.grad).all()
    return value.detach()


def close(found: torch.Tensor, expected: float) -> None:
    torch.testing.assert_close(found.item(), float(expected))


def test_an_embedding_at_its_memory_and_one_neighbour_at_a_right_angle() -> None:
    close(loss({"T11": (3, 0)}, {"T11": [(1, 0)], "T12": [(0, 1)]}), log(e + exp(1) * 1) - 1)


def test_an_embedding_at_a_right_angle_to_its_memory() -> None:
    inter = log(1 + e * e)  # own similarity 0, the neighbour's is 1 and counts exp(1 / 1)
    close(loss({"T11": (1, 0)}, {"T11": [(0, 2)], "T12": [(5, 0)]}), inter + 50 * 1)


def test_the_temperature_divides_the_similarities_and_the_intra_term() -> None:
    inter = log(1 + e * exp(2))
    close(loss({"T11": (1, 0)}, {"T11": [(0, 2)], "T12": [(5, 0)]}, temperature=0.5), inter + 50 / 0.5)


def test_a_class_further_away_counts_less() -> None:
    close(loss({"C1": (1, 0)}, {"C1": [(1, 0)], "C5": [(0, 1)]}), log(e + exp(1 / 4)) - 1)


def test_t12_and_l1_are_neighbours_and_t13_is_one_from_both() -> None:
    own = {"T12": [(1.0, 0.0)]}
    at_one = log(e + exp(1)) - 1
    close(loss({"T12": (1, 0)}, own | {"L1": [(0, 1)]}), at_one)
    close(loss({"T12": (1, 0)}, own | {"T13": [(0, 1)]}), at_one)
    close(loss({"T13": (1, 0)}, {"T13": [(1, 0)], "L1": [(0, 1)]}), at_one)
    close(loss({"T12": (1, 0)}, own | {"T13": [(0, 1)], "L1": [(0, 1)]}), log(e + 2 * exp(1)) - 1)
    close(loss({"T12": (1, 0)}, own | {"L2": [(0, 1)]}), log(e + exp(1 / 2)) - 1)
    close(loss({"T13": (1, 0)}, {"T13": [(1, 0)], "L2": [(0, 1)]}), log(e + exp(1 / 2)) - 1)


def test_every_filled_slot_counts_and_no_empty_one() -> None:
    negatives = exp(1) * (exp(0) + exp(-1))
    inter = ((log(e + negatives) - 1) + (log(1 + negatives) - 0)) / 2
    close(loss({"T11": (1, 0)}, {"T11": [(1, 0), (0, 1)], "T12": [(0, 1), (-1, 0)]}), inter + 50 * (0 + 1) / 2)


def test_background_is_no_negative() -> None:
    embeddings = torch.zeros(1, CLASSES, 2)
    embeddings[0, 1, 0] = 1
    present = torch.zeros(1, CLASSES, dtype=torch.bool)
    present[0, :2] = True
    memory = torch.ones(CLASSES, 1, 2)
    memory[1] = torch.tensor([1.0, 0.0])
    filled = torch.zeros(CLASSES, 1, dtype=torch.bool)
    filled[:2] = True
    assert contrast(embeddings, present, memory, filled, torch.ones_like(present), temperature=1.0)[0] == 0


def test_alone_in_the_memory_an_embedding_has_no_negatives() -> None:
    close(loss({"T11": (1, 0)}, {"T11": [(1, 0)]}), 0)


def test_a_class_without_memory_is_left_out_and_none_at_all_gives_zero() -> None:
    memory = {"T11": [(1.0, 0.0)], "T12": [(0.0, 1.0)]}
    close(loss({"T11": (3, 0), "L3": (0, 1)}, memory), log(e + e) - 1)
    close(loss({"L3": (0, 1)}, memory), 0)
    close(loss({}, memory), 0)


def test_the_sharpest_similarities_do_not_overflow() -> None:
    value = loss({"T11": (1, 0)}, {"T11": [(-1, 0)], "T12": [(1, 0)]}, temperature=0.001)
    close(value, 2000 + 1 + 50 * 2 / 0.001)
