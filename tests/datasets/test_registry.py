"""The table of dataset kinds, and the loud line when a release is not whole."""

from __future__ import annotations

import pytest

from siil import config as configuration
from siil.datasets import manifest, registry
from tests.datasets import trees


def expected(experiment: str) -> dict[str, int]:
    dataset = configuration.resolve(experiment).dataset
    return registry.expected_counts(tuple(dataset.sources.values()), dataset.editions)


@pytest.mark.parametrize(
    ("experiment", "counts"),
    [
        ("verse19", (80, 40, 40)),
        ("verse20", (113, 103, 103)),
        ("union374", (141, 120, 113)),
        ("ctspine1k", (610, 197, 198)),
    ],
)
def test_the_shipped_datasets_know_what_the_releases_promise(experiment, counts):
    assert expected(experiment) == dict(zip(("training", "validation", "testing"), counts, strict=True))


def test_phantoms_and_own_files_promise_nothing():
    assert expected("demo") == {}
    assert registry.count_mismatch(["training"], {}) is None


def test_a_mismatch_says_what_was_found():
    told = registry.count_mismatch(["training"] * 79 + ["validation"] * 40 + ["testing"] * 40, expected("verse19"))
    assert "training 79 of 80, validation 40 of 40, testing 40 of 40" in told
    assert (
        registry.count_mismatch(["training"] * 80 + ["validation"] * 40 + ["testing"] * 40, expected("verse19")) is None
    )


def test_the_kind_of_a_folder_is_guessed_by_its_layout(tmp_path):
    trees.ctspine1k(tmp_path / "c")
    trees.verse20(tmp_path / "v")
    assert "liver_3" in {scan.case for scan in registry.guess(manifest.tree(tmp_path / "c"))}
    assert "sub-verse502" in {scan.case for scan in registry.guess(manifest.tree(tmp_path / "v"))}
