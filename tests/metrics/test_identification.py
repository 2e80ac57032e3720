"""Names of vertebrae: VerSe's definition with its quirks, the strict one, and the shift."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from siil.anatomy import BY_NAME
from siil.metrics.identification import Match, best_shift, match, strict_hits, verse_hits


def column(names: str, *, first_mm: float = 0.0, step_mm: float = 15.0) -> dict[int, np.ndarray]:
    """Centroids one below the other."""
    return {BY_NAME[name].code: np.array([-(first_mm + n * step_mm), 0.0, 0.0]) for n, name in enumerate(names.split())}


CERVICAL = "C1 C2 C3 C4 C5 C6 C7"


def names(codes: set[int]) -> set[str]:
    return {name for name, vertebra in BY_NAME.items() if vertebra.code in codes}


def test_a_perfect_column_is_all_hits_in_both_definitions() -> None:
    truth = column(CERVICAL)
    assert verse_hits(truth, truth) == strict_hits(match(truth, truth)) == set(truth)


@pytest.mark.parametrize(("far_mm", "hit"), [(20.0, True), (20.1, False)])
def test_the_limit_itself_is_a_hit(far_mm: float, hit: bool) -> None:
    truth, predicted = {20: np.zeros(3)}, {20: np.array([0.0, far_mm, 0.0])}
    assert (verse_hits(truth, predicted) == {20}) is hit
    assert (strict_hits(match(truth, predicted)) == {20}) is hit


def test_verse_gives_a_column_shifted_by_one_level_one_hit_of_seven() -> None:
    # Every label lies where the next lower vertebra is. C7's label lies on nothing, 15 mm below, and C7 is nearest.
    truth, predicted = column(CERVICAL), column(CERVICAL, first_mm=15)
    assert names(verse_hits(truth, predicted)) == {"C7"}


def test_verse_still_gives_one_hit_when_the_shifted_column_leaves_the_top_label_out() -> None:
    # C2 to C7 lie on C1 to C6. C1 was not predicted, so it leaves the matrix and C2 is the nearest to the label C2.
    truth, predicted = column(CERVICAL), column("C2 C3 C4 C5 C6 C7")
    assert names(verse_hits(truth, predicted)) == {"C2"}


def test_verse_forgets_true_vertebrae_whose_label_was_not_predicted() -> None:
    # L3 is called L2, 15 mm from the true L2. L3's label was not given, so L2 counts as the nearest: a hit.
    truth = column("L2 L3")
    predicted = {BY_NAME["L2"].code: truth[BY_NAME["L3"].code]}
    assert names(verse_hits(truth, predicted)) == {"L2"}
    assert strict_hits(match(truth, predicted)) == set()


def test_verse_asks_nothing_for_invented_vertebrae_and_a_miss_for_missing_ones() -> None:
    truth = column("T10 T11 T12")
    predicted = column("T10 T11 T12 L1 L2 L3")
    assert len(verse_hits(truth, predicted)) == 3
    assert len(verse_hits(truth, column("T10 T11"))) == 2
    assert verse_hits(truth, {}) == verse_hits(truth, column("L1 L2")) == set()


def test_strict_gives_a_column_shifted_by_one_level_no_hit() -> None:
    pairs = match(column(CERVICAL), column(CERVICAL, first_mm=15))
    assert strict_hits(pairs) == set()
    assert len(pairs) == 6
    assert {pair.distance_mm for pair in pairs} == {0.0}


def test_a_predicted_vertebra_is_matched_at_most_once() -> None:
    truth = {20: np.zeros(3), 21: np.array([8.0, 0.0, 0.0])}
    assert match(truth, {20: np.array([5.0, 0.0, 0.0])}) == [Match(truth=21, predicted=20, distance_mm=3.0)]


def test_two_labels_on_one_vertebra_leave_one_unmatched() -> None:
    predicted = {20: np.zeros(3), 21: np.array([4.0, 0.0, 0.0])}
    assert [pair.predicted for pair in match({20: np.zeros(3)}, predicted)] == [20]


def test_nothing_matches_nothing() -> None:
    assert match({}, column("L1")) == match(column("L1"), {}) == []


def test_the_shift_of_a_shifted_column_is_found_with_what_it_explains() -> None:
    truth = column("T10 T11 T12 L1 L2", step_mm=30)
    down = dict(zip([18, 19, 20, 21, 22], truth.values(), strict=True))
    assert best_shift(match(truth, down)) == (1, 5)
    up = dict(zip([16, 17, 18, 19, 21], truth.values(), strict=True))
    assert best_shift(match(truth, up)) == (-1, 4)
    assert best_shift(match(truth, truth)) == (0, 5)


def test_of_equal_shifts_the_smallest_wins_and_no_match_has_none() -> None:
    assert best_shift([Match(8, 8, 0.0), Match(9, 10, 0.0)]) == (0, 1)
    for pairs in ([Match(8, 7, 0.0), Match(9, 10, 0.0)], [Match(9, 10, 0.0), Match(8, 7, 0.0)]):
        assert best_shift(pairs) == (-1, 1)
    assert best_shift([Match(9, 11, 0.0), Match(9, 8, 0.0)]) == (-1, 1)
    assert best_shift([]) is None


def test_t13_is_right_or_wrong_but_never_shifted() -> None:
    assert best_shift([Match(28, 28, 0.0), Match(20, 20, 0.0)]) == (0, 2)
    assert best_shift([Match(28, 20, 0.0), Match(28, 20, 0.0)]) == (0, 0)


def test_verse_hits_are_those_of_the_definition_read_loop_by_loop() -> None:
    """The organisers' rule in plain loops over 28 rows with NaN for absent ones, on random columns."""
    random = np.random.default_rng(0)
    for _ in range(200):
        there, found = np.full((2, 29, 3), np.nan)
        for code in random.choice(np.arange(1, 29), random.integers(1, 15), replace=False):
            there[code] = random.normal((15.0 * code, 0, 0), 3)
            if random.random() < 0.9:
                found[code] = there[code + random.integers(-1, 2) if 2 < code < 27 else code] + random.normal(0, 8, 3)
        hits = set()
        for i in range(1, 29):
            if np.isnan(there[i]).any() or np.isnan(found[i]).any():
                continue
            nearest, best = 0, np.inf
            for j in range(1, 29):
                if np.isnan(there[j]).any() or np.isnan(found[j]).any():
                    continue  # a label on one side alone has left the matrix
                distance = float(np.sqrt(((found[i] - there[j]) ** 2).sum()))
                if distance < best:
                    nearest, best = j, distance
            if nearest == i and best <= 20:
                hits.add(i)
        sides = ({i: side[i] for i in range(1, 29) if not np.isnan(side[i]).any()} for side in (there, found))
        assert verse_hits(*sides) == hits


def test_body_centres_lie_far_from_mask_centres_so_the_two_must_not_be_mixed(real_data: Path) -> None:
    """VerSe's JSON centroids against the centres of mass of the same scan's mask: most of the 20 mm gate is gone."""
    folder = real_data / "verse-labels/dataset-verse19training/derivatives/sub-verse004"
    image = nib.load(folder / "sub-verse004_seg-vert_msk.nii.gz")
    labels = np.rint(np.asarray(image.dataobj)).astype(np.uint8)
    listed = json.loads((folder / "sub-verse004_seg-subreg_ctd.json").read_text())
    assert nib.aff2axcodes(image.affine) == tuple(listed[0]["direction"])
    apart_mm = []
    for item in listed[1:]:
        body = np.array([item[axis] for axis in "XYZ"])
        assert labels[tuple(np.round(body).astype(int))] == item["label"]
        mass = np.argwhere(labels == item["label"]).mean(axis=0)
        apart_mm.append(float(np.linalg.norm((body - mass) * image.header.get_zooms())))
    assert np.mean(apart_mm) == pytest.approx(11.5, abs=0.1)
    assert min(apart_mm) > 9
