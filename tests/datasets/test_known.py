"""The table of questioned cases."""

from __future__ import annotations

from pathlib import Path

from siil.datasets.known import TABLE, known, without_direction
from siil.datasets.layout import CASE, Found


def found(case: str, edition: str = "verse20") -> Found:
    return Found(case, case, edition, "training", Path("i"), Path("m"), None)


def test_a_case_is_known_with_and_without_its_direction_and_with_its_source():
    for name in ("sub-verse544", "sub-verse544_dir-sag"):
        claim = known(found(name))
        assert claim is not None
        assert claim.claim == "no T12 between T11 and L1"
        assert claim.source == "github.com/anjany/verse, issue 13"
    assert known(found("1_3_6_1_4_1_9328_50_4_0103", "ctspine1k")) is not None
    assert known(found("sub-verse545")) is None


def test_a_users_own_scan_of_that_name_is_not_meant():
    assert known(found("sub-verse544", edition="")) is None


def test_the_series_of_a_patient_stays_in_the_name():
    assert without_direction("sub-verse401_dir-ax_split-verse253") == "sub-verse401_split-verse253"


def test_every_row_has_an_id_a_claim_and_a_source_and_stands_once():
    import re

    assert len({row.case for row in TABLE}) == len(TABLE) == 8
    assert all(re.fullmatch(CASE, row.case) and row.claim and row.source for row in TABLE)
