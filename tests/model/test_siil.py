"""The whole network: what may reach what, and the traps of docs/method.md."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from siil.anatomy import CLASSES
from siil.model.encoder import Presence
from siil.model.output import Output
from siil.model.siil import Siil
from tests.model.samples import (
    PATCH,
    all_terms,
    fill_memory,
    find_truth,
    make_batch,
    make_network,
    spine_labels,
)

SIZES: dict[str, dict[str, Any]] = {
    "pyramid": {},
    "demo": {"slices": "pooled", "masks": "dot", "slice_prior": True},
    "as_published": {"encoder": "resnet10"},
    "default": {"encoder": "resnet10", "slices": "pooled", "masks": "dot", "slice_prior": True, "decoder": "shared"},
}
each_size = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


def decoder_inputs(network: Siil) -> list[Tensor]:
    """Every tensor that DE receives from now on: concat(R~, S~, F) and the skips."""
    seen: list[Tensor] = []
    network.decoder.register_forward_pre_hook(lambda _, inputs: seen.extend([inputs[0], *inputs[1]]))
    return seen


def tensors(output: Output) -> dict[str, Tensor]:
    core = output.core
    assert core is not None
    named = {"spine": output.spine, "vertebrae": output.vertebrae}
    for name in ("semantic", "instance", "localisation", "presence"):
        named[name] = getattr(core, f"{name}_logits")
    return named | {"L": core.localisation, "e": core.embeddings, "present": core.present}


@each_size
@pytest.mark.parametrize("teacher", [True, False])
def test_a_batch_gives_the_same_as_its_samples_one_by_one(size: dict[str, Any], teacher: bool) -> None:
    network = make_network(**size)
    fill_memory(network)
    nn.init.constant_(network.presence.linear.bias, 2.0)
    nn.init.constant_(network.mill.head.bias, 0.0)  # some slices are above one half, some below
    image, labels = make_batch()
    whole = network(image, labels if teacher else None)
    assert whole.core is not None
    assert whole.core.localisation[:, 1:].any()
    terms = all_terms(whole, labels)
    alone = [network(image[n : n + 1], labels[n : n + 1] if teacher else None) for n in range(2)]
    for name, value in tensors(whole).items():
        single = torch.cat([tensors(output)[name] for output in alone])
        torch.testing.assert_close(value, single, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")
    for name, value in terms.items():
        mean = sum(all_terms(output, labels[n : n + 1])[name] for n, output in enumerate(alone)) / 2
        torch.testing.assert_close(value, mean, rtol=1e-9, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}")


@each_size
def test_every_parameter_gets_a_gradient_once_the_memory_is_filled(size: dict[str, Any]) -> None:
    network = make_network(**size)
    fill_memory(network)
    image, labels = make_batch()
    find_truth(network, labels)
    all_terms(network(image), labels)["total"].backward()
    largest = max(value.grad.abs().max() for value in network.parameters() if value.grad is not None)
    for prefix, layer in network.named_modules():
        own = dict(layer.named_parameters(recurse=False))
        assert all(value.grad is not None for value in own.values()), f"{prefix} is not used"
        scale = max((value.grad.abs().max() for value in own.values()), default=torch.tensor(1.0))
        assert scale > 1e-9 * largest, f"{prefix} is not trained"
        for name, value in own.items():
            assert value.grad.abs().max() > 1e-6 * scale, f"{prefix}.{name} is not trained"


def test_the_gru_learns_from_the_contrast_term_alone() -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    all_terms(network(image, labels), labels)["contrast"].backward()
    assert network.ocpl is not None
    for value in network.ocpl.parameters():
        assert value.grad is not None
        assert value.grad.abs().max() > 0
    assert network.ocpl.memory.grad is None


@each_size
def test_with_l_from_the_ground_truth_every_parameter_changes_in_phase_2(size: dict[str, Any]) -> None:
    network = make_network(**size).float()
    image, labels = make_batch()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0)  # decay alone would change them all
    for _ in range(3):
        output = network(image.float(), labels)
        all_terms(output, labels)["total"].backward()
        optimizer.step()
        optimizer.zero_grad()
        network.remember(output, labels)
        network.refresh_prototypes(0)
    same = {name for name, value in network.named_parameters() if torch.equal(value, before[name])}
    # R_P is zero under the leak guard: the gain of a norm of zeros has nothing to scale before phase 3.
    assert same == {f"second_exchange.cross.{number}.norm_queries.weight" for number in range(4)}


def test_every_loss_term_is_not_zero_on_a_random_batch() -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    terms = all_terms(network(image, labels), labels)
    assert list(terms) == [
        "spine",
        "vertebrae",
        "instance",
        "semantic",
        "localisation",
        "presence",
        "contrast",
        "total",
    ]
    for name, value in terms.items():
        assert value > 1e-3, name


@each_size
def test_eval_takes_the_image_alone_and_changes_no_buffer(size: dict[str, Any]) -> None:
    network = make_network(**size).eval()
    fill_memory(network)
    image, labels = make_batch()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(image)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    with pytest.raises(ValueError, match="eval mode"):
        network(image, labels)


def test_a_training_forward_changes_no_buffer_either() -> None:
    network = make_network()
    image, labels = make_batch()
    output = network(image, labels)
    assert network.ocpl is not None
    assert not network.ocpl.filled.any()
    network.remember(output, labels)
    assert network.ocpl.filled.sum(1).nonzero().flatten().tolist() == [7, 8, 9, 17, 18, 19, 20, 21]


@each_size
@pytest.mark.parametrize(
    "changes",
    [{}, {"interaction": False}, {"mill": False}, {"ocpl": False}, {"gru": False}],
)
def test_with_l_from_the_ground_truth_nothing_of_it_reaches_the_decoder(
    size: dict[str, Any], changes: dict[str, Any]
) -> None:
    network = make_network(**(size | changes))
    if network.ocpl is not None:
        fill_memory(network)
    image, labels = make_batch()
    seen = decoder_inputs(network)
    first = network(image, labels)
    one = list(seen)
    seen.clear()
    others = torch.where(labels > 0, 27 - labels, labels)
    others[1] = spine_labels([3, 4], first=12)[0]
    second = network(image, others)
    assert not torch.equal(first.core.localisation, second.core.localisation)
    for a, b in zip(one, seen, strict=True):
        assert torch.equal(a, b)
    assert not one[0][:, 1 : 1 + CLASSES].any(), "the decoder sees zeros in the place of S~"


def test_with_the_prior_a_class_is_unlikely_where_mill_does_not_see_it() -> None:
    network = make_network(slice_prior=True)
    image, _ = make_batch()
    with_prior = network(image)
    network.prior = False
    L_hat = with_prior.core.localisation_logits
    added = with_prior.vertebrae - network(image).vertebrae
    assert not added[:, 0].any(), "background has no prior"
    torch.testing.assert_close(added[:, 5, 0, 3, 3], functional.logsigmoid(L_hat[:, 5, 0]))
    torch.testing.assert_close(
        added[1, 7, 2, 0, 0], (functional.logsigmoid(L_hat[1, 7, :2]) * torch.tensor([0.25, 0.75])).sum()
    )


def test_predicted_instances_do_reach_the_decoder() -> None:
    network = make_network()
    image, labels = make_batch()
    find_truth(network, labels)
    seen = decoder_inputs(network)
    network(image)
    assert seen[0][0, 1 + 17].max() > 0.01
    assert seen[0][0, 1 + 3].max() < 0.01, "sigmoid(-6) where there is no instance"


def test_a_patch_without_vertebrae_and_one_with_all_of_them_are_legal() -> None:
    network = make_network()
    fill_memory(network)
    image, _ = make_batch()
    none = torch.zeros(1, *PATCH, dtype=torch.uint8)
    every = none.clone()
    every[0, :, 2:10, 2:10] = (torch.arange(32) * 26 // 32 + 1).to(torch.uint8)[:, None, None]
    assert len(every.unique()) == CLASSES
    for labels in (none, every, torch.cat([none, every])):
        for teacher in (True, False):
            network.zero_grad()
            output = network(image[: len(labels)], labels if teacher else None)
            terms = all_terms(output, labels)
            terms["total"].backward()
            for name, value in terms.items():
                assert torch.isfinite(value), name
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None, f"{name} is cut off the graph"
                assert torch.isfinite(parameter.grad).all(), name
    assert all_terms(network(image[:1], none), none)["instance"] == 0
    assert all_terms(network(image[:1], none), none)["contrast"] == 0


def test_two_runs_from_one_seed_are_equal() -> None:
    found = []
    for _ in range(2):
        network = make_network().float()
        image, labels = make_batch()
        terms = all_terms(network(image.float(), labels), labels)
        terms["total"].backward()
        found.append([*terms.values(), *(value.grad for value in network.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_under_autocast_the_core_stays_in_float32() -> None:
    network = make_network().float()
    image, labels = make_batch()
    with torch.autocast("cpu", torch.bfloat16):
        output = network(image.float(), labels)
    kinds = {name: value.dtype for name, value in tensors(output).items() if value.is_floating_point()}
    assert kinds.pop("spine") == kinds.pop("vertebrae") == torch.bfloat16
    assert set(kinds.values()) == {torch.float32}
    assert all_terms(output, labels)["total"].dtype == torch.float32


def test_presence_is_not_read_from_the_mean_alone() -> None:
    presence = Presence(channels=3, classes=4).double()
    torch.manual_seed(0)
    patches = nn.InstanceNorm3d(3)(torch.randn(2, 3, 4, 4, 4, dtype=torch.float64))
    torch.testing.assert_close(patches[0].mean((1, 2, 3)), patches[1].mean((1, 2, 3)))
    first, second = presence(patches)
    assert (first - second).abs().max() > 0.01


def test_the_head_of_l_starts_at_minus_two() -> None:
    assert (make_network().mill.head.bias == -2).all()
