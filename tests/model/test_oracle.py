"""The batched network against the oracle of tests/oracle: outputs, loss terms, gradients, memory and prototypes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from siil.losses.total import total_loss
from siil.model.mill import Mill
from siil.model.output import Output
from siil.model.siil import Siil
from tests.model.samples import SPACING_MM, make_loss
from tests.oracle.losses import WEIGHTS, distance, terms_of, told_classes
from tests.oracle.memory import Memory, cycled, distinct, least_movement, means_of_nearest, movement
from tests.oracle.mill import Heights, from_prediction
from tests.oracle.network import CLASSES, Answer, Setting, forward
from tests.oracle.samples import L1, L6, T12, T13, partly_annotated, random_batch, random_network

TOLERANCE = 1e-9

RESNET = {"encoder": "resnet10", "widths": [2, 3, 4, 8], "embed_dim": 8}
PYRAMID = {"encoder": "pyramid", "widths": [2, 4, 8], "embed_dim": 8}
ADDITIONS = {"token_channels": 8, "slices": "pooled", "masks": "dot", "slice_prior": True}
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet10": RESNET | {"token_channels": 8},
    "resnet10, reduced, sigmoid": RESNET | {"token_channels": 2, "vertebrae_activation": "sigmoid"},
    "pyramid, reduced": PYRAMID | {"token_channels": 2},
    "pyramid, additions": PYRAMID | ADDITIONS,
    "pyramid, two decoders": PYRAMID | {"token_channels": 2, "decoder": "two"},
    "resnet10, additions": RESNET | ADDITIONS,
    "resnet10, shared decoder, additions": RESNET | ADDITIONS | {"decoder": "shared"},
    "pyramid, sigmoid": PYRAMID | {"token_channels": 8, "vertebrae_activation": "sigmoid"},
}
"""The default of config/config.yaml is resnet10 with the shared decoder and the additions."""

ABLATIONS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "no_interaction": ({"interaction": False}, {}),
    "no_mill": ({"mill": False}, {"localisation": 0.0}),
    "no_ocpl": ({"ocpl": False}, {}),
    "no_gru": ({"gru": False}, {}),
    "no_contrast": ({}, {"contrast": 0.0}),
}
"""Changes of the model and of the weights of the losses."""


def setting_of(network: Siil, values: dict[str, Any]) -> Setting:
    heights = Heights(slice_mm=network.stride * SPACING_MM[values["encoder"]])
    flags = {name: values.get(name, True) for name in ("interaction", "mill", "ocpl", "gru")}
    return Setting(
        encoder=values["encoder"],
        stride=network.stride,
        heads=2,
        heights=heights,
        slices=values.get("slices", "flat"),
        prior=values.get("slice_prior", False),
        **flags,
    )


def oracle_answers(network: Siil, image: Tensor, labels: Tensor | None, setting: Setting) -> list[Answer]:
    parameters: dict[str, Tensor] = dict(network.named_parameters())
    P = None if network.ocpl is None else network.ocpl.prototypes
    return [forward(parameters, P, image[n], None if labels is None else labels[n], setting) for n in range(len(image))]


def oracle_terms(
    network: Siil, answers: list[Answer], labels: Tensor, activation: str, weights: dict[str, float]
) -> dict[str, Tensor]:
    """Means over the samples, and their weighted sum."""
    M = torch.zeros(CLASSES, 1, 1, dtype=torch.float64) if network.ocpl is None else network.ocpl.memory
    filled = torch.zeros(CLASSES, 1, dtype=torch.bool) if network.ocpl is None else network.ocpl.filled
    samples = [
        terms_of(
            answer,
            labels[n],
            stride=network.stride,
            activation=activation,
            M=M,
            filled=filled,
            entropy_weight=weights.get("localisation_entropy", 1.0),
        )
        for n, answer in enumerate(answers)
    ]
    names = [name for name in samples[0] if weights[name] > 0 and (name != "contrast" or network.ocpl is not None)]
    terms = {name: torch.stack([sample[name] for sample in samples]).mean() for name in names}
    return terms | {"total": sum((weights[name] * terms[name] for name in names), start=torch.zeros(()))}


def outputs_of(output: Output, *, with_mill: bool) -> dict[str, Tensor]:
    core = output.core
    assert core is not None
    return {
        "O_R": output.spine,
        "O_S": output.vertebrae,
        "R~": core.semantic_logits,
        "S~": core.instance_logits,
        "L": core.localisation.double(),
        "present": core.present.double(),
        "C": core.presence_logits,
        "e": core.embeddings[:, 1:],
    } | ({"L^": core.localisation_logits} if with_mill else {})


def outputs_of_oracle(answers: list[Answer], embed: int) -> dict[str, Tensor]:
    """Batched as the network's; an absent vertebra's e is zero."""
    L = torch.tensor([answer.L for answer in answers]).double()
    absent = torch.zeros(embed, dtype=torch.float64)
    e = [torch.stack([answer.e.get(j, absent) for j in range(1, CLASSES)]) for answer in answers]
    L_hat = [answer.L_hat for answer in answers if answer.L_hat is not None]
    return {
        "O_R": torch.stack([answer.spine for answer in answers]),
        "O_S": torch.stack([answer.vertebrae for answer in answers]),
        "R~": torch.stack([answer.semantic for answer in answers]),
        "S~": torch.stack([answer.instance for answer in answers]),
        "L": L,
        "present": L.amax(2),
        "C": torch.stack([answer.C for answer in answers]),
        "e": torch.stack(e),
    } | ({"L^": torch.stack(L_hat)} if L_hat else {})


def assert_same(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """The same names, and every value within the tolerance, absolute or relative to max(1, |value|)."""
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].shape == value.shape, name
        difference = ((actual[name] - value).abs() / value.abs().clamp_min(1)).max().item()
        assert difference <= TOLERANCE, f"{name}: {difference}"  # false for NaN


def gradients(network: Siil, total: Tensor) -> dict[str, Tensor]:
    """Zeros where a parameter has no part in the total."""
    names, parameters = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def compare(
    network: Siil,
    values: dict[str, Any],
    *,
    teacher: bool,
    seed: int,
    patches: int = 4,
    weights: dict[str, float] | None = None,
    annotated: bool = True,
) -> Output:
    """Outputs, terms and gradients of the last `patches` of a random batch; returns the network's outputs.

    annotated: False takes labels away (partly_annotated).
    """
    image, labels = (part[-patches:] for part in random_batch(seed))
    labels = labels if annotated else partly_annotated(labels, seed)
    given = labels if teacher else None
    activation = values.get("vertebrae_activation", "softmax")
    output = network(image, given)
    terms = total_loss(output, labels, loss=make_loss(**(weights or {})), activation=activation)
    answers = oracle_answers(network, image, given, setting_of(network, values))
    expected = oracle_terms(network, answers, labels, activation, WEIGHTS | (weights or {}))
    assert_same(outputs_of(output, with_mill=values.get("mill", True)), outputs_of_oracle(answers, values["embed_dim"]))
    assert_same(terms, expected)
    assert_same(gradients(network, terms["total"]), gradients(network, expected["total"]))
    return output


@pytest.mark.parametrize("teacher", [True, False], ids=["L from labels", "L predicted"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_equals_the_oracle(name: str, teacher: bool) -> None:
    values = NETWORKS[name]
    seed = sorted(NETWORKS).index(name)
    output = compare(random_network(seed=seed, **values), values, teacher=teacher, seed=seed)
    assert output.core is not None
    counts = output.core.present[:, 1:].sum(1).tolist()
    assert counts == [26, 0, 1, 6] if teacher else 0 < sum(counts) < 4 * 26


@pytest.mark.parametrize("teacher", [True, False], ids=["L from labels", "L predicted"])
@pytest.mark.parametrize("network", ["pyramid, reduced", "pyramid, additions", "resnet10, shared decoder, additions"])
@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_equals_the_oracle(name: str, network: str, teacher: bool) -> None:
    changes, weights = ABLATIONS[name]
    values = NETWORKS[network] | changes
    compare(random_network(seed=10, **values), values, teacher=teacher, seed=10, weights=weights)


def test_the_cross_entropy_of_l_has_its_own_weight() -> None:
    values, weights = NETWORKS["pyramid, additions"], {"localisation_entropy": 10.0}
    compare(random_network(seed=30, **values), values, teacher=False, seed=30, patches=2, weights=weights)


@pytest.mark.parametrize("teacher", [True, False], ids=["L from labels", "L predicted"])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_nobody_annotated_takes_part_as_little_as_in_the_oracle(name: str, teacher: bool) -> None:
    values = NETWORKS[name]
    seed = 60 + sorted(NETWORKS).index(name)
    core = compare(random_network(seed=seed, **values), values, teacher=teacher, seed=seed, annotated=False).core
    assert core is not None
    if teacher:
        assert core.present[:, 1:].sum(1).tolist()[1:] == [0, 0, 6], "a patch without any label names nothing"


@pytest.mark.parametrize("memory", ["empty", "full"])
def test_with_an_empty_and_a_full_memory(memory: str) -> None:
    values = NETWORKS["pyramid, reduced"]
    compare(random_network(seed=20, memory=memory, **values), values, teacher=False, seed=20, patches=2)


FOUND = {"none": [], "one": [L6], "some": [1, 9, T12, T13, L1, L6], "all": list(range(1, CLASSES))}


@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND.keys())
@pytest.mark.parametrize("name", ["resnet10", "resnet10, shared decoder, additions"])
def test_none_one_some_and_all_predicted(name: str, found: list[int]) -> None:
    """Every row of L reaches both ends of the patch."""
    values = NETWORKS[name]
    network = random_network(seed=40, presence=-20.0, **values)
    with torch.no_grad():
        network.presence.linear.bias[[j - 1 for j in found]] = 20.0
        network.mill.head.bias.fill_(20.0)
    core = compare(network, values, teacher=False, seed=40, patches=2).core
    assert core is not None
    assert [torch.nonzero(row).flatten().tolist() for row in core.present[:, 1:]] == [[j - 1 for j in found]] * 2


@pytest.mark.parametrize("slice_mm", [6.0, 7.5, 9.5], ids=["6 mm", "2 slices are 15 mm", "10 slices are 95 mm"])
def test_predicted_rows_of_random_logits(slice_mm: float) -> None:
    """L alone, many times: gaps, equal runs, too short, too long, cut at either end, logits and C exactly 0."""
    generator = torch.Generator().manual_seed(0)
    kept = 0
    for slices in (15, 16, 24):
        mill = Mill(
            embed=8, classes=CLASSES, slices=slices, slice_mm=slice_mm, min_run_mm=15.0, max_run_mm=95.0, enabled=True
        )
        for shift in (-3, -1, 0, 1, 3):
            noise = torch.randn(8, CLASSES, slices + 3, generator=generator, dtype=torch.float64)
            L_hat = (noise.unfold(2, 4, 1).sum(3) + shift).round()
            C = torch.randn(8, CLASSES - 1, generator=generator, dtype=torch.float64).round()
            L = mill.localise(L_hat, C, truth=None)
            assert L.tolist() == [from_prediction(L_hat[n], C[n], Heights(slice_mm)) for n in range(8)]
            kept += int(L[:, 1:].any(2).sum())
    assert 500 < kept < 2000


def test_distances_are_those_of_the_specification() -> None:
    pairs = [(T12, T13), (T13, L1), (T12, L1), (T12 - 1, T13), (T13, L6), (T12 - 1, L1 + 1), (1, L6), (5, 9)]
    assert [distance(j, c) for j, c in pairs] == [1, 1, 1, 2, 6, 3, 24, 4]


@torch.no_grad()
def test_memory_and_prototypes_over_steps() -> None:
    """Rings that go round; prototypes of none, few and many slots, renumbered twice."""
    values = NETWORKS["pyramid, reduced"] | {"memory_momentum": 0.75}
    network = random_network(seed=50, memory="empty", **values)
    assert network.ocpl is not None
    plain = Memory(slots=6, momentum=0.75)
    for step in range(4):
        image, labels = (part[step == 0 :] for part in random_batch(step))  # to begin with, not all are known
        labels = partly_annotated(labels, step) if step == 2 else labels  # in patches of which L names more
        given = None if step == 2 else labels
        network.remember(network(image, given), labels)
        for n, answer in enumerate(oracle_answers(network, image, given, setting_of(network, values))):
            told = told_classes(labels[n])
            plain.write({j: e for j, e in answer.e.items() if j in told})
        assert_same_memory(network, plain)
        before = network.ocpl.prototypes.clone()
        network.refresh_prototypes(step)
        for j in range(CLASSES):
            assert_prototypes(before[j], network.ocpl.prototypes[j], plain.filled(j))


def assert_same_memory(network: Siil, plain: Memory) -> None:
    assert network.ocpl is not None
    for j in range(CLASSES):
        ring = plain.rings.get(j, [None] * plain.slots)
        assert network.ocpl.filled[j].tolist() == [slot is not None for slot in ring]
        expected = torch.stack([torch.zeros(8, dtype=torch.float64) if slot is None else slot for slot in ring])
        assert_same({"M": network.ocpl.memory[j]}, {"M": expected})


def assert_prototypes(before: Tensor, after: Tensor, slots: list[Tensor]) -> None:
    """Zeros, or slots cycled, or converged centres in the order that moves least. They are kept in float32."""
    different = distinct(slots)
    if not different:
        assert not after.any()
    elif len(different) < len(after):
        torch.testing.assert_close(after, torch.stack(cycled(different, len(after))), rtol=1e-6, atol=1e-6)
    else:
        torch.testing.assert_close(after, torch.stack(means_of_nearest(slots, after)), rtol=1e-5, atol=1e-6)
        assert movement(before, after) <= least_movement(before, after) + 1e-6
