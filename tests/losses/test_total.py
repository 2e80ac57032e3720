"""The total: weights, terms that are switched off, and what a baseline has."""

from __future__ import annotations

import pytest
import torch

from siil.losses.total import total_loss
from siil.model.output import Output
from tests.model.samples import all_terms, fill_memory, make_batch, make_loss, make_network


def test_the_total_is_the_weighted_sum_of_the_named_terms() -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    terms = all_terms(network(image, labels), labels)
    total = terms.pop("total")
    weights = {"presence": 20.0, "contrast": 0.05}
    torch.testing.assert_close(total, sum(weights.get(name, 1.0) * value for name, value in terms.items()))


@pytest.mark.parametrize("name", ["spine", "vertebrae", "instance", "semantic", "localisation", "presence", "contrast"])
def test_a_term_of_weight_zero_has_exactly_no_effect(name: str) -> None:
    gradients = []
    for spoil in (False, True):
        network = make_network()
        fill_memory(network)
        image, labels = make_batch()
        output = network(image, labels)
        if spoil:  # the term would be NaN if it were computed and multiplied by zero
            _spoil(output, name)
        terms = all_terms(output, labels, **{name: 0})
        assert name not in terms
        terms["total"].backward()
        gradients.append([value.grad for value in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


def _spoil(output: Output, name: str) -> None:
    core = output.core
    assert core is not None
    owners = {
        "spine": (output, "spine"),
        "vertebrae": (output, "vertebrae"),
        "contrast": (core, "embeddings"),
    }
    owner, field = owners.get(name, (core, f"{name}_logits"))
    object.__setattr__(owner, field, getattr(owner, field) * float("nan"))


def test_without_the_contrast_term_the_gru_is_left_alone() -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    all_terms(network(image, labels), labels, contrast=0)["total"].backward()
    assert network.ocpl is not None
    assert all(value.grad is None for value in network.ocpl.parameters())


def test_a_baseline_has_the_two_terms_of_its_answers() -> None:
    labels = torch.zeros(1, 2, 2, 2, dtype=torch.uint8)
    labels[0, 0] = 1
    output = Output(spine=torch.zeros(1, 1, 2, 2, 2), vertebrae=torch.zeros(1, 27, 2, 2, 2), core=None)
    terms = total_loss(output, labels, loss=make_loss(), activation="softmax")
    assert list(terms) == ["spine", "vertebrae", "total"]
    torch.testing.assert_close(terms["total"], terms["spine"] + terms["vertebrae"])


def test_labels_may_be_of_any_integer_type() -> None:
    network = make_network()
    image, labels = make_batch()
    output = network(image, labels)
    one, other = all_terms(output, labels), all_terms(output, labels.long())
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_activation_of_o_s_is_an_option() -> None:
    network = make_network()
    image, labels = make_batch()
    output = network(image, labels)
    found = total_loss(output, labels, loss=make_loss(), activation="sigmoid")
    assert found["vertebrae"] != all_terms(output, labels)["vertebrae"]
    assert found["spine"] == all_terms(output, labels)["spine"]
