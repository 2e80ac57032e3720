"""The table, and the list of what to leave out."""

from __future__ import annotations

import yaml

from siil.audit.findings import Finding, exclusion, ranked, suspected, to_text

ROWS = [
    Finding("b", "gap", "L1-L3", 5.0, "L2 missing"),
    Finding("a", "mixed", "T1-T2", 1.2, "uneven"),
    Finding("c", "gap", "T11-L1", 0.9, "eleven"),
    Finding("b", "shift", "+1", 7.0, "fits better"),
    Finding("1.5", "header", "scan", 1.1, "sform"),
]


def test_the_most_suspicious_scan_comes_first_with_all_its_findings():
    assert [(row.case, row.suspicion) for row in ranked(ROWS)] == [
        ("b", 7.0), ("b", 5.0), ("a", 1.2), ("1.5", 1.1), ("c", 0.9),
    ]  # fmt: skip


def test_suspected_is_what_reaches_one():
    assert suspected(ranked(ROWS)) == ["b", "a", "1.5"]


def test_the_exclusion_is_yaml_of_case_ids_as_text():
    assert yaml.safe_load(exclusion(ranked(ROWS))) == {"exclude": ["b", "a", "1.5"]}
    assert yaml.safe_load(exclusion([])) == {"exclude": []}
    kept = exclusion(ranked(ROWS), ["007", "a"])  # what stands there stays, once, and as text
    assert yaml.safe_load(kept) == {"exclude": ["007", "b", "a", "1.5"]}


def test_the_table_has_a_row_for_each_finding():
    assert to_text(ROWS[:1]) == "case\tkind\twhere\tsuspicion\treason\nb\tgap\tL1-L3\t5.00\tL2 missing\n"
