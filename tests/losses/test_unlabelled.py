"""What nobody annotated: worked out by hand for each term, without any effect on what the labels do not tell, and
where everything is annotated the plain formulas to the bit."""

from __future__ import annotations

from math import e, log

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from siil.anatomy import UNLABELLED, UNNAMED
from siil.losses.contrastive import contrast
from siil.losses.localisation import localisation
from siil.losses.presence import presence
from siil.losses.segmentation import binary, classes_sigmoid, classes_softmax, instances
from siil.losses.total import total_loss
from siil.model.output import Output
from tests.model.samples import fill_memory, find_truth, make_batch, make_loss, make_network

LN2 = log(2)
T, F = True, False


def near(found: Tensor, *expected: float) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=found.dtype), rtol=1e-6, atol=1e-7)


def test_binary_is_that_of_the_known_voxels() -> None:
    logits = torch.tensor([[0.0, 0.0, 9.0], [5.0, 5.0, 5.0]])
    known = torch.tensor([[T, T, F], [F, F, F]])
    near(binary(logits, torch.tensor([[T, F, T], [T, F, F]]), known), 1 / 3 + LN2, 0)  # as of the first two alone


@pytest.mark.parametrize(("term", "entropy"), [(classes_softmax, LN2), (classes_sigmoid, LN2)])
def test_o_s_is_that_of_the_annotated_voxels(term, entropy: float) -> None:
    logits = torch.tensor([[[0.0, 0.0, 9.0], [0.0, 0.0, -4.0]], [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]]])
    labels = torch.tensor([[0, 1, UNLABELLED], [UNLABELLED] * 3])
    near(term(logits, labels), 1 / 3 + entropy, 0)


def test_an_instance_is_unknown_in_cells_that_hold_unlabelled_voxels_and_none_of_its_own() -> None:
    """Cells: of vertebra 1; of 1 and unlabelled; unlabelled; annotated background."""
    target = torch.zeros(1, 3, 4, dtype=torch.bool)
    target[0, 1, :2] = True
    target[0, 2, 1] = True
    unlabelled = torch.tensor([[F, T, T, F]])
    logits = torch.zeros(1, 3, 4)
    logits[0, 1:, 2] = 7.0
    logits[0, 0] = 3.0
    # 1 has known cells 0, 1 and 3: dice 1 - (2 + 1) / (1.5 + 2 + 1); 2 has 0, 1 and 3: 1 - (1 + 1) / (1.5 + 1 + 1)
    near(instances(logits, target, unlabelled), ((1 - 3 / 4.5) + (1 - 2 / 3.5)) / 2 + 2 * LN2)


def test_l_l_leaves_out_rows_that_are_not_true_in_unlabelled_slices() -> None:
    """Three slices, the last with unlabelled voxels. Row 1 is true in the first and the last, row 2 nowhere."""
    target = torch.tensor([[[T, T, T], [T, F, T], [F, F, F]]])
    unlabelled = torch.tensor([[F, F, T]])
    logits = torch.zeros(1, 3, 3, dtype=torch.float64)
    logits[0, 2, 2] = 8.0  # unknown
    iou = 1 - (1 + 1) / (1.5 + 2 - 1 + 1)  # all three slices of row 1 are known
    near(localisation(logits, target, unlabelled), LN2 + iou)  # one occupied slice that is wholly known: KL is 0
    louder = logits.clone()
    louder[0, 2, 0] = log(3)  # a known slice of row 2, one of its two: cross-entropy log 4 in place of log 2
    entropy = (3 * LN2 + (LN2 + log(4)) / 2) / 4
    near(localisation(louder, target, unlabelled), entropy + iou)


def test_the_kl_leaves_out_slices_with_unlabelled_voxels() -> None:
    target = torch.tensor([[[T, T, T], [T, T, T], [F, T, T]]])
    logits = torch.zeros(1, 3, 3, dtype=torch.float64)
    wanted = [1 / (1 + e), e / (1 + e)]
    divergence = sum(p * log(p / 0.5) for p in wanted)  # of the first two slices, as in test_localisation
    iou = ((1 - (1.5 + 1) / (3 + 1)) + (1 - (1 + 1) / (1.5 + 2 - 1 + 1))) / 2
    near(localisation(logits, target, torch.tensor([[F, F, T]])), LN2 + iou + 10 * divergence)


def test_a_row_of_which_nothing_is_known_has_no_weight() -> None:
    target = torch.tensor([[[T, T], [T, T], [F, F]]])
    logits = torch.zeros(1, 3, 2, dtype=torch.float64)
    logits[0, 2] = 5.0
    iou = 1 - (1 + 1) / (1 + 2 - 1 + 1)
    near(localisation(logits, target, torch.tensor([[T, T]])), LN2 + iou)
    nothing = torch.tensor([[[T, T], [F, F], [F, F]]])
    near(localisation(logits, nothing, torch.tensor([[T, T]])), 0)


def test_l_c_is_the_mean_over_the_classes_that_the_labels_tell_of() -> None:
    logits = torch.tensor([[0.0, 0.0, 6.0], [1.0, 2.0, 3.0]], dtype=torch.float64)
    target, told = torch.tensor([[T, F, F], [F, F, F]]), torch.tensor([[T, T, F], [F, F, F]])
    near(presence(logits, target, told), (0.25 * 0.25 + 0.75 * 0.25) / 2 * LN2, 0)


def test_l_m_counts_the_vertebrae_that_the_labels_tell_of() -> None:
    embeddings = torch.zeros(1, 27, 2)
    embeddings[0, 1:3, 0] = 1
    present, told, filled = (torch.zeros(shape, dtype=torch.bool) for shape in ((1, 27), (1, 27), (27, 1)))
    present[0, :3], told[0, 1], filled[1:3] = True, True, True
    memory = torch.zeros(27, 1, 2)
    memory[1, 0, 0] = memory[2, 0, 1] = 1
    alone = contrast(embeddings, present, memory, filled, told, temperature=1.0)
    near(alone, log(e + e) - 1)  # that of class 1; class 2, at a right angle to its memory, would add 50
    assert contrast(embeddings, present, memory, filled, present, temperature=1.0) > 20


def test_where_everything_is_annotated_terms_are_the_plain_formulas_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 27, 5, 6, 7, generator=generator)
    labels = torch.randint(0, 27, (2, 5, 6, 7), generator=generator)
    one, spine = logits[:, 1], labels > 0
    truth, likely = spine.flatten(1).float(), one.flatten(1).sigmoid()
    dice = 1 - (2 * (likely * truth).sum(1) + 1) / (likely.sum(1) + truth.sum(1) + 1)
    entropy = functional.binary_cross_entropy_with_logits(one.flatten(1), truth, reduction="none").mean(1)
    assert torch.equal(binary(one, spine, torch.ones_like(spine)), dice + entropy)
    log_likely = logits.flatten(2).log_softmax(1)
    at_label = log_likely.gather(1, labels.flatten(1)[:, None])[:, 0]
    empty = torch.zeros(2, 27)
    overlap = empty.scatter_add(1, labels.flatten(1), at_label.exp())
    count = empty.scatter_add(1, labels.flatten(1), torch.ones_like(at_label))
    dices = 1 - (2 * overlap + 1) / (log_likely.exp().sum(2) + count + 1)
    assert (count > 0).all()
    assert torch.equal(classes_softmax(logits, labels), dices.sum(1) / 27 - at_label.mean(1))


FIELDS = {"O_R": "spine", "O_S": "vertebrae", "R~": "semantic_logits", "S~": "instance_logits"}


def changed(output: Output, labels: Tensor) -> tuple[Output, dict[str, Tensor]]:
    """The output with other values wherever the labels leave the truth open, and where that is for each field."""
    stride = labels.shape[1] // output.core.localisation.shape[2]
    cells = labels.unfold(1, stride, stride).unfold(2, stride, stride).unfold(3, stride, stride).flatten(4)
    lost = (cells == UNLABELLED).any(4)
    named = torch.stack([(cells == index).any(4) for index in range(27)], dim=1)
    open_rows = lost.flatten(2).any(2)[:, None] & ~named.flatten(3).any(3)
    beyond = (labels == UNLABELLED).flatten(1).any(1)[:, None] & ~named.flatten(2).any(2)
    where = {
        "spine": (labels == UNLABELLED)[:, None],
        "vertebrae": (labels == UNLABELLED)[:, None].expand_as(output.vertebrae),
        "semantic_logits": (lost & ~named[:, 1:].any(1))[:, None],
        "instance_logits": lost[:, None] & ~named,
        "localisation_logits": open_rows,
        "presence_logits": beyond[:, 1:],
        "embeddings": beyond[..., None].expand_as(output.core.embeddings),
    }
    for name, mask in where.items():
        owner = output if name in ("spine", "vertebrae") else output.core
        values = getattr(owner, name).detach()
        noise = torch.randn(values.shape, dtype=values.dtype, generator=torch.Generator().manual_seed(1))
        object.__setattr__(owner, name, torch.where(mask, noise, values).requires_grad_())
    return output, where


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_whatever_the_network_says_there_neither_value_nor_gradient_changes(activation: str) -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    find_truth(network, labels)
    labels[0, :12] = UNLABELLED  # two vertebrae and a part of the third lost their label
    labels[1][(labels[1] == 0) & (torch.arange(32)[:, None, None] > 20)] = UNLABELLED
    found = []
    for spoil in (False, True):
        output = network(image)
        output, where = changed(output, labels) if spoil else (output, {})
        terms = total_loss(output, labels, loss=make_loss(), activation=activation)
        found.append({name: value.item() for name, value in terms.items()})
        terms["total"].backward()
        for name, mask in where.items():
            gradient = getattr(output if name in ("spine", "vertebrae") else output.core, name).grad
            assert mask.any(), name
            assert not gradient[mask.expand_as(gradient)].any(), name
            assert gradient[~mask.expand_as(gradient)].any(), name
    assert found[0] == found[1]


def test_a_patch_that_nobody_annotated_teaches_nothing_at_all() -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    find_truth(network, labels)
    labels[:] = UNLABELLED
    terms = total_loss(network(image), labels, loss=make_loss(), activation="softmax")
    assert all(value == 0 for value in terms.values())
    terms["total"].backward()
    assert not any(value.grad.any() for value in network.parameters() if value.grad is not None)


def test_the_memory_takes_what_the_labels_name_and_all_where_everything_is_annotated() -> None:
    network = make_network()
    image, labels = make_batch()  # 17 to 21 and 7 to 9
    find_truth(network, labels)
    labels[0, :12][labels[0, :12] > 0] = UNLABELLED  # 17, 18 and a part of 19 lost their label
    labels[1][labels[1] == 9] = 0  # the labels deny 9: what L finds is written as before
    network.remember(network(image), labels)
    assert network.ocpl is not None
    assert network.ocpl.filled.sum(1).nonzero().flatten().tolist() == [7, 8, 9, 19, 20, 21]


def test_l_from_the_labels_never_names_what_nobody_annotated() -> None:
    network = make_network()
    image, labels = make_batch()
    labels[0, :12] = UNLABELLED
    core = network(image, labels).core
    assert core is not None
    assert core.present[0].nonzero().flatten().tolist() == [0, 19, 20, 21]


def test_spine_without_a_name_is_spine_to_o_r_and_not_annotated_to_all_other_terms() -> None:
    network = make_network()
    fill_memory(network)
    image, labels = make_batch()
    find_truth(network, labels)
    output = network(image)
    some = labels == labels.max()
    unnamed, unlabelled = (torch.where(some, torch.tensor(code, dtype=torch.uint8), labels) for code in (254, 255))
    named, without, ignored = (
        total_loss(output, each, loss=make_loss(), activation="softmax") for each in (labels, unnamed, unlabelled)
    )
    assert UNNAMED == 254
    assert without["spine"] == named["spine"] != ignored["spine"]
    for term in without.keys() - {"spine", "total"}:
        assert without[term] == ignored[term] != named[term], term
