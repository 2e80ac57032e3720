"""The table of dataset kinds, and the loud line when a release is not whole."""

from __future__ import annotations

import pytest

from siil import config as configuration
from siil.datasets import manifest, registry
from tests.datasets import trees
from tests.datasets.test_cases import case


def expected(experiment: str) -> dict[str, int]:
    dataset = configuration.resolve(experiment).dataset
    return registry.expected_counts(tuple(dataset.sources.values()), dataset.editions)


RELEASES = {
    "verse19": (80, 40, 40, 141),
    "verse20": (113, 103, 103, 300),
    "union374": (141, 120, 113, 355),
    "ctspine1k": (610, 197, 198, None),
}


@pytest.mark.parametrize("experiment", RELEASES)
def test_the_shipped_datasets_know_what_the_releases_promise(experiment):
    names = ("training", "validation", "testing", "patients")
    counts = dict(zip(names, RELEASES[experiment], strict=True))
    assert expected(experiment) == {name: count for name, count in counts.items() if count}


def test_phantoms_and_own_files_promise_nothing():
    assert expected("demo") == {}
    assert registry.count_mismatch([case("a")], {}) is None


def release(training: int, validation: int, testing: int, patients: int) -> list:
    """So many cases per list; patient n has the cases n, n + patients, …"""
    splits = ["training"] * training + ["validation"] * validation + ["testing"] * testing
    return [case(f"c{n}", patient=f"p{n % patients}", split=split) for n, split in enumerate(splits)]


@pytest.mark.parametrize("experiment", ["verse19", "verse20", "union374"])
def test_the_whole_release_says_nothing(experiment):
    assert registry.count_mismatch(release(*RELEASES[experiment]), expected(experiment)) is None


def test_a_mismatch_says_what_was_found():
    told = registry.count_mismatch(release(79, 40, 40, 140), expected("verse19"))
    assert "training 79 of 80, validation 40 of 40, testing 40 of 40, patients 140 of 141" in told
    assert "patients 142 of 141" in registry.count_mismatch(release(80, 40, 40, 142), expected("verse19"))
    strange = [*release(*RELEASES["verse19"]), case("x", patient="p0")]
    assert "in no list 1 of 0" in registry.count_mismatch(strange, expected("verse19"))


def test_the_kind_of_a_folder_is_guessed_by_its_layout(tmp_path):
    trees.ctspine1k(tmp_path / "c")
    trees.verse20(tmp_path / "v")
    assert "liver_3" in {scan.case for scan in registry.guess(manifest.tree(tmp_path / "c"))}
    assert "sub-verse502" in {scan.case for scan in registry.guess(manifest.tree(tmp_path / "v"))}


def test_scans_that_the_configuration_leaves_out_are_not_said_to_be_missing() -> None:
    told = registry.count_mismatch(release(79, 40, 40, 140), expected("verse19"), left_out=1)
    assert told is not None
    assert "1 were left out" in told
    assert "fetch the missing parts" not in told
