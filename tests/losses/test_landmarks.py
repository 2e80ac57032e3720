"""The loss of sacrum and ribs, by hand: each where somebody looked for it; every other term sees background."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor

from siil.anatomy import LANDMARKS, RIB, SACRUM, UNLABELLED, UNNAMED, UNSOUGHT
from siil.losses.landmarks import landmarks, without_landmarks
from siil.losses.total import total_loss
from siil.training.engine import Objective
from tests.model.samples import make_batch, make_loss, make_network

LN2 = log(2)


def loss(labels: list[int], logits: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    row = torch.tensor(labels)[None, None, None]
    values = torch.tensor(logits)[None, :, None, None, None].expand(1, 2, 1, 1, len(labels))
    return landmarks(values, row)


def near(found: Tensor, expected: float) -> None:
    torch.testing.assert_close(found, torch.tensor([expected], dtype=found.dtype), rtol=1e-5, atol=1e-6)


def test_it_is_the_mean_of_both_channels() -> None:
    # sacrum: 1 of 3 voxels, Dice 1 - (2 * 0.5 + 1) / (1.5 + 1 + 1); ribs: none, 1 - 1 / (1.5 + 1); entropy ln 2 in each
    near(loss([0, 5, SACRUM]), (1 - 2 / 3.5 + 1 - 1 / 2.5) / 2 + LN2)
    near(loss([0, 5, RIB]), (1 - 2 / 3.5 + 1 - 1 / 2.5) / 2 + LN2)
    assert loss([SACRUM] * 3, (9.0, -9.0)) < 0.01
    assert loss([SACRUM] * 3, (-9.0, 9.0)) > 9


def test_what_nobody_sought_or_annotated_has_no_effect_but_a_vertebra_is_neither() -> None:
    for unknown in (UNSOUGHT[LANDMARKS], UNLABELLED):
        near(loss([unknown] * 3, (3.0, 3.0)), 0)
        near(loss([unknown, 5, unknown]), 1 - 1 / 1.5 + LN2)  # the vertebra alone
    near(loss([UNSOUGHT["sacrum",]] * 2), (1 - 1 / 2 + LN2) / 2)  # ribs were sought
    near(loss([UNSOUGHT["ribs",]] * 2), (1 - 1 / 2 + LN2) / 2)


def test_to_every_other_term_and_to_the_network_landmarks_are_background() -> None:
    every = torch.tensor([0, 26, SACRUM, RIB, *UNSOUGHT.values(), UNNAMED, UNLABELLED], dtype=torch.uint8)
    assert without_landmarks(every).tolist() == [0, 26, 0, 0, 0, 0, 0, UNNAMED, UNLABELLED]
    network = make_network(landmarks=True)
    image, labels = make_batch()
    marked = labels.clone()
    marked[:, :, 0, :3] = torch.tensor([SACRUM, RIB, UNSOUGHT[LANDMARKS]], dtype=torch.uint8)
    objective = Objective(
        network, lambda output, given: total_loss(output, given, loss=make_loss(), activation="softmax")
    )
    plain, told = (objective(image, given, teacher=True) for given in (labels, marked))
    for name in plain.keys() - {"landmarks", "total"}:
        assert torch.equal(plain[name], told[name]), name
    assert plain["landmarks"] != told["landmarks"]


@pytest.mark.parametrize("weight", [0, 2])
def test_the_term_is_there_with_its_weight_where_the_network_has_the_head(weight: float) -> None:
    image, labels = make_batch()
    for head in (False, True):
        output = make_network(landmarks=head)(image, labels)
        terms = total_loss(output, labels, loss=make_loss(landmarks=weight), activation="softmax")
        assert ("landmarks" in terms) == (head and weight > 0)
        if head:
            rest = total_loss(output, labels, loss=make_loss(landmarks=0), activation="softmax")["total"]
            own = landmarks(output.landmarks, labels).mean()
            torch.testing.assert_close(terms["total"], rest + weight * own)


def test_the_head_of_sacrum_and_ribs_learns() -> None:
    torch.manual_seed(0)
    network = make_network(landmarks=True)
    image, labels = make_batch()
    labels[:, :, 0:2] = SACRUM
    image[:, 0, :, 0:2] = 0.9
    adam = torch.optim.Adam(network.parameters(), 0.03)
    values = []
    for _ in range(30):
        value = landmarks(network(image, without_landmarks(labels)).landmarks, labels).mean()
        adam.zero_grad()
        value.backward()
        adam.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.7 * values[0]
