"""MILL: from logits or labels to the instance localisation matrix L. A slice is 6 mm high in these tests."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from siil.anatomy import UNLABELLED
from siil.model.mill import (
    Mill,
    fill_gaps,
    longest_run,
    occupied_slices,
    pooled_labels,
    pooling_weights,
    told_classes,
    widen,
    writing_weights,
)


def row(text: str) -> Tensor:
    return torch.tensor([[[symbol == "1" for symbol in text]]])


def text(rows: Tensor) -> str:
    return "".join("01"[int(value)] for value in rows.flatten())


def mill(*, slices: int = 12, enabled: bool = True, **changes: float) -> Mill:
    limits = {"min_run_mm": 15.0, "max_run_mm": 95.0} | changes
    return Mill(embed=4, classes=2, slices=slices, slice_mm=6.0, enabled=enabled, **limits)


def predicted(ones: str, *, found: float = 5.0, **changes: float) -> str:
    """L of a single vertebra whose probability is above one half where `ones` has a 1."""
    logits = torch.where(row(ones), 3.0, -3.0).expand(-1, 2, -1)
    return text(mill(slices=len(ones), **changes).localise(logits, torch.tensor([[found]]), truth=None)[:, 1])


def test_the_longest_run_is_kept_alone() -> None:
    assert text(longest_run(row("0110111011"))) == "0000111000"


def test_of_equal_runs_the_first_is_kept() -> None:
    assert text(longest_run(row("0011001101"))) == "0011000000"


def test_a_row_without_ones_stays_empty_and_one_of_ones_stays_full() -> None:
    assert text(longest_run(row("000000"))) == "000000"
    assert text(longest_run(row("111111"))) == "111111"


def test_a_run_that_touches_the_last_slice_is_found() -> None:
    assert text(longest_run(row("0101000111"))) == "0000000111"


def test_rows_of_more_than_127_slices_do_not_overflow() -> None:
    assert text(longest_run(row("1" * 100 + "0" + "1" * 200))) == "0" * 101 + "1" * 200
    weights = pooling_weights(torch.ones(1, 1, 300, dtype=torch.bool), parts=8, dtype=torch.float64)
    torch.testing.assert_close(weights.sum(3), torch.ones(1, 1, 8, dtype=torch.float64))
    assert weights[0, 0, 7, 299] > 0


def test_a_gap_of_one_slice_is_filled_and_one_of_two_is_not_always() -> None:
    assert text(fill_gaps(row("1101110000").double()) > 0.5) == "1111110000"
    assert text(fill_gaps(row("1110011000").double()) > 0.5) == "1111111100"  # pools 4-5 and 6-7 hold a one each
    assert text(fill_gaps(row("1100110000").double()) > 0.5) == "1100110000"


def test_an_odd_number_of_slices_keeps_its_last_one() -> None:
    assert text(fill_gaps(row("00001").double()) > 0.5) == "00001"


def test_a_run_is_widened_by_one_slice_at_both_ends_and_clipped_to_the_patch() -> None:
    assert text(widen(row("0001100000"))) == "0011110000"
    assert text(widen(row("1100000011"))) == "1110000111"


def test_a_run_of_12_mm_is_dropped_and_one_of_24_mm_is_kept() -> None:
    assert predicted("000011000000") == "000000000000"
    assert predicted("000011110000") == "000111111000"


def test_a_short_run_that_touches_an_end_of_the_patch_is_a_cut_vertebra_and_kept() -> None:
    assert predicted("110000000000") == "111000000000"
    assert predicted("000000000011") == "000000000111"


def test_a_run_longer_than_95_mm_is_dropped_also_at_the_end() -> None:
    assert predicted("0" * 4 + "1" * 16 + "0" * 4) == "0" * 24  # 96 mm
    assert predicted("1" * 16 + "0" * 8) == "0" * 24
    assert predicted("0" * 4 + "1" * 14 + "0" * 6) == "0" * 3 + "1" * 16 + "0" * 5  # 84 mm


def test_the_longest_run_is_taken_before_the_filters() -> None:
    assert predicted("1100" + "1" * 16 + "0000") == "0" * 24


def test_a_class_that_presence_does_not_find_is_dropped() -> None:
    assert predicted("000011110000", found=-0.01) == "0" * 12
    assert predicted("000011110000", found=0.0) == "000111111000"  # sigmoid 0.5 is not below 0.5


def test_background_is_in_every_slice() -> None:
    made = mill().localise(torch.full((1, 2, 12), -9.0), torch.tensor([[-9.0]]), truth=None)
    assert text(made[:, 0]) == "1" * 12
    assert text(made[:, 1]) == "0" * 12


def test_the_ground_truth_is_widened_but_neither_gated_nor_filtered() -> None:
    truth = torch.cat([row("0" * 12), row("000010010000")], dim=1)
    made = mill().localise(torch.zeros(1, 2, 12), torch.tensor([[-9.0]]), truth=truth)
    assert text(made[:, 1]) == "000111111000"
    assert text(made[:, 0]) == "1" * 12


def test_without_mill_a_found_class_has_every_slice() -> None:
    without = mill(enabled=False)
    assert without(torch.zeros(1, 12, 4)) is None
    assert not list(without.parameters())
    assert text(without.localise(None, torch.tensor([[1.0]]), truth=None)[:, 1]) == "1" * 12
    assert text(without.localise(None, torch.tensor([[-1.0]]), truth=None)[:, 1]) == "0" * 12
    truth = torch.cat([row("0" * 12), row("000010000000")], dim=1)
    assert text(without.localise(None, torch.tensor([[-9.0]]), truth=truth)[:, 1]) == "1" * 12


def test_pooled_labels_are_the_max_pooled_one_hot() -> None:
    labels = torch.randint(0, 5, (2, 8, 4, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels[0, 3, 1, 6] = 6  # a class with a single voxel
    one_hot = functional.one_hot(labels.long(), 7).movedim(4, 1).double()
    expected = functional.max_pool3d(one_hot, 2) > 0
    assert torch.equal(pooled_labels(labels, stride=2, classes=7)[0], expected)
    assert torch.equal(occupied_slices(labels, stride=2, classes=7), expected.any(4).any(3))
    assert expected[0, 6].sum() == 1


@pytest.mark.parametrize("count", [1, 2, 5, 7, 8, 9, 16, 20])
def test_pooling_and_writing_equal_torchs_adaptive_pooling_and_linear_interpolation(count: int) -> None:
    L = torch.zeros(1, 1, 24, dtype=torch.bool)
    L[0, 0, 3 : 3 + count] = True
    features = torch.randn(5, 24, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    pooled = features @ pooling_weights(L, parts=8, dtype=torch.float64)[0, 0].T
    torch.testing.assert_close(pooled, functional.adaptive_avg_pool1d(features[:, 3 : 3 + count], 8))
    written = pooled @ writing_weights(L, parts=8, dtype=torch.float64)[0, 0].T
    expected = functional.interpolate(pooled[None], size=count, mode="linear", align_corners=False)[0]
    torch.testing.assert_close(written[:, 3 : 3 + count], expected)
    assert not written[:, :3].any()
    assert not written[:, 3 + count :].any()


def test_an_absent_instance_pools_and_writes_nothing() -> None:
    L = torch.zeros(1, 1, 6, dtype=torch.bool)
    assert not pooling_weights(L, parts=8, dtype=torch.float64).any()
    assert not writing_weights(L, parts=8, dtype=torch.float64).any()


def test_cells_with_unlabelled_voxels_are_told_apart_and_named_by_no_class() -> None:
    labels = torch.zeros(1, 4, 2, 2, dtype=torch.uint8)
    labels[0, 0], labels[0, 0, 0, 0], labels[0, 3] = UNLABELLED, 5, UNLABELLED
    found, unlabelled = pooled_labels(labels, stride=2, classes=7)
    assert unlabelled.flatten().tolist() == [True, True]
    assert found[0, :, 0, 0, 0].nonzero().flatten().tolist() == [0, 5]  # slice 1 is background
    assert found[0, :, 1, 0, 0].nonzero().flatten().tolist() == [0]
    assert torch.equal(occupied_slices(labels, stride=2, classes=7), found.any(4).any(3))


def test_labels_tell_of_all_classes_or_where_some_are_missing_of_those_that_they_name() -> None:
    labels = torch.zeros(3, 2, 2, 2, dtype=torch.uint8)
    labels[:2, 0, 0] = 5
    labels[1:, 1, 1, 1] = UNLABELLED
    told = told_classes(labels, classes=7)
    assert [row.nonzero().flatten().tolist() for row in told] == [list(range(7)), [0, 5], [0]]
