"""What each ablation switches off: a value of the configuration, never a subclass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from siil.model.output import Output
from siil.model.siil import Siil
from tests.model.samples import all_terms, find_truth, make_batch, make_network


def outcome(network: Siil, change: Callable[[Siil], None]) -> tuple[Output, Output]:
    image, labels = make_batch()
    find_truth(network, labels)
    before = network(image)
    with torch.no_grad():
        change(network)
    return before, network(image)


def disturb_slices(network: Siil) -> None:
    network.slice_tokens.project.weight.add_(0.1 * torch.randn_like(network.slice_tokens.project.weight))


def disturb_prototypes(network: Siil) -> None:
    assert network.ocpl is not None
    network.ocpl.prototypes.normal_()


@pytest.mark.parametrize("interaction", [True, False])
def test_instances_ask_the_slices_only_with_interaction(interaction: bool) -> None:
    before, after = outcome(make_network(interaction=interaction), disturb_slices)
    assert torch.equal(before.core.instance_logits, after.core.instance_logits) != interaction
    assert not torch.equal(before.core.semantic_logits, after.core.semantic_logits)


@pytest.mark.parametrize("interaction", [True, False])
def test_prototypes_inform_the_slices_only_with_interaction(interaction: bool) -> None:
    before, after = outcome(make_network(interaction=interaction), disturb_prototypes)
    assert torch.equal(before.core.semantic_logits, after.core.semantic_logits) != interaction


def test_without_ocpl_there_is_no_memory_and_no_contrast_term() -> None:
    network = make_network(ocpl=False)
    image, labels = make_batch()
    output = network(image, labels)
    network.remember(output, labels)
    network.refresh_prototypes(0)
    assert not list(network.buffers())
    assert output.core.memory is None
    assert "contrast" not in all_terms(output, labels)


def test_without_mill_there_is_no_head_of_l_and_instances_span_the_patch() -> None:
    network = make_network(mill=False)
    image, labels = make_batch()
    assert not list(network.mill.parameters())
    L = network(image, labels).core.localisation
    assert L[0, 17].all()
    assert not L[0, 3].any()
