"""The answer in words: one line, a table of many, a document for programs, and the lines that mend it."""

from __future__ import annotations

import json
from pathlib import Path

from siil.errors import InputError
from siil.inference.answer import Answer, answer_of, document, not_done, remedies, table
from siil.run.provenance import RESEARCH_USE

RIVALS = [
    {"enumeration": "T12-L4", "behind": 2.71, "changes": ["T12 as L1"], "names": ["L1", "L2"], "why": {}},
    {"enumeration": "T11-L1", "behind": 8.0, "changes": ["L1 as nothing"], "names": None, "why": {}},
    {"enumeration": "T11-T12", "behind": 9.0, "changes": [], "names": ["T11", "T12"], "why": {}},
]
FACTS = {
    "enumeration": "T12-L1",
    "vertebrae": ["T12", "L1"],
    "uncertain": True,
    "reason": "T12-L4 (T12 as L1) is 2.7 nats behind",
    "margin": 2.71,
    "rivals": RIVALS,
}
FOLDER = Path("out")


def test_a_sure_answer_is_one_line_that_says_where_the_files_are():
    answer = answer_of({**FACTS, "uncertain": False, "reason": ""}, scan="a.nii.gz", folder=FOLDER)
    assert answer.line == "a.nii.gz: T12–L1, 2 vertebrae, sure; files in out"


def test_an_uncertain_answer_says_why():
    answer = answer_of(FACTS, scan="a.nii.gz", folder=FOLDER)
    assert answer.words == "T12–L1, 2 vertebrae, uncertain: T12–L4 (T12 as L1) is 2.7 nats behind"
    none = {**FACTS, "enumeration": "nothing", "vertebrae": [], "reason": "no vertebra was found"}
    assert answer_of(none, scan="a", folder=FOLDER).words == "nothing, 0 vertebrae, uncertain: no vertebra was found"


def test_a_settled_answer_says_what_it_was():
    settled = {**FACTS, "uncertain": False, "reason": "", "corrected": {"from": "T11-T12"}}
    assert answer_of(settled, scan="a", folder=FOLDER).words == "T12–L1, 2 vertebrae, settled by hand, was T11–T12"
    same = {**settled, "corrected": {"from": "T12-L1"}}
    assert answer_of(same, scan="a", folder=FOLDER).words == "T12–L1, 2 vertebrae, settled by hand"


def test_a_scan_that_failed_has_its_reason_without_its_path():
    path = Path("in/b.nii.gz")
    assert not_done(InputError(f"{path}: expected a scan,\n got none"), path).line == (
        "b.nii.gz: not done: expected a scan, got none"
    )
    assert not_done(ZeroDivisionError("by zero"), path).verdict == "not done: ZeroDivisionError: by zero"


def test_the_table_holds_every_scan_and_counts_them():
    answers = [
        Answer("long-name.nii.gz", "out", "T9-L5", tuple("ABCDEFGHI")),
        Answer("b", error="no scan"),
        answer_of(FACTS, scan="c", folder=FOLDER),
    ]
    assert table(answers).splitlines() == [
        "scan              vertebrae  number  answer",
        "long-name.nii.gz  T9–L5      9       sure",
        "b                 -          -       not done: no scan",
        "c                 T12–L1     2       uncertain: T12–L4 (T12 as L1) is 2.7 nats behind",
        "2 of 3 scans done, 1 of them uncertain",
    ]


def test_the_document_says_the_same_to_programs():
    made = json.loads(document([answer_of(FACTS, scan="c", folder=FOLDER), Answer("b", error="no scan")]))
    assert made["notice"] == RESEARCH_USE
    one, two = made["scans"]
    assert (one["status"], one["enumeration"], one["vertebrae"], one["margin"], one["folder"]) == (
        "uncertain",
        "T12-L1",
        ["T12", "L1"],
        2.71,
        "out",
    )
    assert (two["scan"], two["status"], two["error"]) == ("b", "failed", "no scan")
    assert json.loads(document([], error="no weights")) == {"notice": RESEARCH_USE, "scans": [], "error": "no weights"}


def test_each_rival_that_names_alone_can_give_has_a_line_to_copy():
    lines = remedies(FACTS, Path("my out/c_scan.json"))
    assert lines == [
        ("if it is L1–L2 (2.7 nats behind)", "siil relabel 'my out/c_scan.json' --rival 1"),
        ("if it is T11–T12 (9.0 nats behind)", "siil relabel 'my out/c_scan.json' --rival 3"),
        ("any other count (or --last, --shift, --at Z_MM=LEVEL)", "siil relabel 'my out/c_scan.json' --first LEVEL"),
    ]


def test_a_rival_that_fits_better_is_said_to_be_ahead():
    ahead = {**FACTS["rivals"][0], "behind": -12.46}
    lines = remedies({**FACTS, "rivals": [ahead]}, Path("c_scan.json"))
    assert lines[0] == ("if it is L1–L2 (12.5 nats ahead)", "siil relabel c_scan.json --rival 1")


def test_a_settled_count_and_a_scan_without_a_vertebra_have_no_line_to_copy():
    by = {"from": "T11-T12", "to": "T12-L1", "by": "--first T12", "when": "2026-11-28T10:00:00Z"}
    assert remedies({**FACTS, "corrected": by}, FOLDER) == [
        ("settled by hand (--first T12, 2026-11-28); was T11–T12", "")
    ]
    assert remedies({**FACTS, "vertebrae": [], "rivals": []}, FOLDER) == []
