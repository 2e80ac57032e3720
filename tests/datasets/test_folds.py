"""Splits: by patient, balanced, fixed by the seed; the test set stays the test set."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from siil.config.schema.dataset import Split
from siil.datasets import folds
from siil.datasets.folds import Fold
from siil.errors import DatasetError
from tests.datasets.test_cases import case
from tests.scans import KFOLD

RARE = ("T13", "L6")
OFFICIAL = Split(scheme="official", folds=1, validation_fraction=0.25, seed=0)
LISTS = OFFICIAL.model_copy(update={"scheme": "lists"})


def cohort(patients: int = 40, *, split: str = "") -> list:
    """Patients with one or two series; every eighth has an L6; lengths and regions differ."""
    rows = []
    for number in range(patients):
        labels = ["C1 C2 C3", "T5 T6 T7 T8 T9 T10", "L1 L2 L3 L4 L5"][number % 3]
        if number % 8 == 0:
            labels = "L3 L4 L5 L6"
        for series in range(1 + (number % 5 == 0)):
            rows.append(case(f"p{number:02}_{series}", patient=f"p{number:02}", labels=labels, split=split))
    return rows


def test_every_case_is_tested_once_and_no_patient_is_shared():
    rows = cohort()
    made = folds.make_folds(rows, settings=KFOLD.model_copy(update={"folds": 4}), rare=RARE)
    tested = Counter(name for fold in made for name in fold.testing)
    assert tested == Counter({row.case: 1 for row in rows})
    for fold in made:
        lists = [{name.split("_")[0] for name in getattr(fold, which)} for which in folds.LISTS]
        assert not lists[0] & lists[1]
        assert not lists[0] & lists[2]
        assert not lists[1] & lists[2]
        assert len(fold.training) + len(fold.validation) + len(fold.testing) == len(rows)


def test_folds_are_balanced_by_rare_labels_vertebrae_and_regions():
    rows = {row.case: row for row in cohort()}
    made = folds.make_folds(list(rows.values()), settings=KFOLD.model_copy(update={"folds": 4}), rare=RARE)
    rare = [sum("L6" in rows[name].vertebrae for name in fold.testing) for fold in made]
    patients = [len({rows[name].patient for name in fold.testing}) for fold in made]
    vertebrae = [sum(len(rows[name].vertebrae) for name in fold.testing) for fold in made]
    necks = [sum("C1" in rows[name].vertebrae for name in fold.testing) for fold in made]
    assert max(rare) - min(rare) <= 1
    assert max(patients) - min(patients) <= 2
    assert max(vertebrae) - min(vertebrae) <= 0.15 * sum(vertebrae) / 4 + 6
    assert max(necks) - min(necks) <= 2


def test_the_validation_share_is_about_what_was_asked_for():
    fold = folds.make_folds(cohort(), settings=KFOLD, rare=RARE)[0]
    share = len(fold.validation) / (len(fold.validation) + len(fold.training))
    assert share == pytest.approx(0.34, abs=0.08)


def test_the_seed_and_the_set_of_cases_decide_not_their_order():
    rows = cohort()
    made = folds.make_folds(rows, settings=KFOLD, rare=RARE)
    shuffled = rows.copy()
    random.Random(3).shuffle(shuffled)
    assert folds.make_folds(shuffled, settings=KFOLD, rare=RARE) == made
    assert folds.make_folds(rows, settings=KFOLD.model_copy(update={"seed": 1}), rare=RARE) != made


def test_kfold_never_touches_the_testing_set_of_a_release():
    rows = [*cohort(12, split="training"), case("t1", split="testing"), case("t2", split="testing")]
    made = folds.make_folds(rows, settings=KFOLD, rare=RARE)
    assert [fold.testing for fold in made] == [("t1", "t2")] * 2
    assert sorted(made[0].validation + made[1].validation) == sorted(row.case for row in rows[:-2])
    assert made[0].training == made[1].validation


def test_official_takes_the_lists_of_the_release():
    rows = [case("a", split="training"), case("b", split="validation"), case("c", split="testing")]
    assert folds.make_folds(rows, settings=OFFICIAL, rare=RARE) == [Fold(("a",), ("b",), ("c",))]


def test_a_release_without_validation_gets_one_from_training_by_patient():
    rows = [*cohort(20, split="training"), case("t", split="testing")]
    fold = folds.make_folds(rows, settings=OFFICIAL, rare=RARE)[0]
    assert fold.testing == ("t",)
    assert 3 <= len(fold.validation) <= 8
    assert not {n[:3] for n in fold.validation} & {n[:3] for n in fold.training}


def test_a_patient_in_two_lists_is_refused():
    rows = [
        case("a", split="training"),
        case("b", split="validation"),
        case("c1", patient="c", split="training"),
        case("c2", patient="c", split="testing"),
    ]
    with pytest.raises(DatasetError, match="patient c stands in training and in testing"):
        folds.make_folds(rows, settings=OFFICIAL, rare=RARE)


def test_too_few_patients_and_empty_lists_are_refused():
    with pytest.raises(DatasetError, match="1 patients cannot be dealt into 2 lists"):
        folds.make_folds([case("a"), case("b", patient="a")], settings=KFOLD, rare=RARE)
    with pytest.raises(DatasetError, match="the testing list is empty"):
        folds.make_folds(cohort(6, split="training"), settings=OFFICIAL, rare=RARE)
    with pytest.raises(DatasetError, match="needs at least 2"):
        folds.make_folds(cohort(6), settings=KFOLD.model_copy(update={"folds": 1}), rare=RARE)


def test_four_patients_are_enough_for_two_folds():
    for fold in folds.make_folds([case(name) for name in "abcd"], settings=KFOLD, rare=RARE):
        assert all(getattr(fold, which) for which in folds.LISTS)


def test_a_case_without_a_list_is_refused_by_official_and_left_out_by_lists(caplog):
    rows = [case("a", split="training"), case("b", split="training"), case("c", split="testing"), case("d")]
    with pytest.raises(DatasetError, match="1 cases are in no list"):
        folds.make_folds(rows, settings=OFFICIAL, rare=RARE)
    fold = folds.make_folds(rows, settings=LISTS, rare=RARE)[0]
    assert "d" not in fold.training + fold.validation + fold.testing
    assert "left out (first: d)" in caplog.text


@pytest.mark.parametrize("listed", ["training", "testing"])
def test_with_one_list_of_the_user_the_other_scans_are_the_other_list(listed):
    named, others = cohort(12, split=listed), [case(f"q{n}", patient=f"q{n}") for n in range(6)]
    fold = folds.make_folds([*others, *named], settings=LISTS, rare=RARE)[0]
    training = {*fold.training, *fold.validation}
    assert (training if listed == "training" else set(fold.testing)) == {row.case for row in named}
    assert (training if listed == "testing" else set(fold.testing)) == {row.case for row in others}


def test_without_lists_the_users_patients_are_dealt(caplog):
    rows = cohort(20)
    fold = folds.make_folds(rows, settings=LISTS, rare=RARE)[0]
    assert "no training.txt and no testing.txt" in caplog.text
    assert sorted([*fold.training, *fold.validation, *fold.testing]) == sorted(row.case for row in rows)
    assert fold == folds.make_folds(rows[::-1], settings=LISTS, rare=RARE)[0]


def test_lists_come_back_from_files_with_windows_line_ends(tmp_path):
    fold = Fold(("a", "b"), ("c",), ("d",))
    folds.write_fold(tmp_path, fold)
    assert (tmp_path / "training.txt").read_text() == "a\nb\n"
    assert folds.read_fold(tmp_path) == fold
    (tmp_path / "training.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\nb\r\n")
    assert folds.read_fold(tmp_path) == fold
    with pytest.raises(DatasetError, match="run the split step"):
        folds.read_list(tmp_path / "no.txt")


def test_train_only_sources_are_in_every_training_list_and_the_others_are_dealt():
    cases = [case(f"p{number}") for number in range(6)] + [case("own1", source="own"), case("own2", source="own")]
    settings = KFOLD.model_copy(update={"train_only": ("own",)})
    made = folds.make_folds(cases, settings=settings, rare=())
    plain = folds.make_folds(cases[:6], settings=KFOLD, rare=())
    for fold, without in zip(made, plain, strict=True):
        assert fold.testing == without.testing
        assert fold.validation == without.validation
        assert fold.training == tuple(sorted((*without.training, "own1", "own2")))


def test_the_training_cases_of_a_fold_say_their_source_and_which_landmarks_they_hold(tmp_path):
    rows = [replace(case("a", source="phantoms"), landmarks="sacrum ribs"), case("b", source="own"), case("c")]
    folds.write_sources(tmp_path / "sources.tsv", rows, Fold(("a", "b"), ("c",), ("c",)))
    assert folds.read_sources(tmp_path / "sources.tsv") == {"a": "phantoms", "b": "own"}
    assert folds.read_landmarks(tmp_path / "sources.tsv") == {"a": ("sacrum", "ribs")}
    (tmp_path / "old.tsv").write_text("case\tsource\na\tphantoms\n")
    assert folds.read_landmarks(tmp_path / "old.tsv") == {}
