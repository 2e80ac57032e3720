"""What is run again after a change: exactly what depends on it. On the real tiny experiment."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
CASES = 5
"""Phantoms of the tiny experiment: four patients, one of them with two series."""
REPORTING = {"aggregate": 1, "tables": 1, "figures": 1, "report": 1}


def test_a_second_run_has_nothing_to_do(finished):
    assert finished.plan() == {}


def test_a_comment_and_a_docstring_rerun_nothing(finished):
    finished.edit("siil/metrics/overlap.py", '"""', '"""Changed. ')
    finished.edit("siil/training/engine.py", "\nfrom __future__", "\n# a comment\nfrom __future__")
    assert finished.plan() == {}


def test_a_line_of_a_metric_reruns_evaluate_and_what_follows(finished):
    with (finished.folder / "siil/metrics/surface.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    planned = finished.plan()
    assert planned["evaluate"] == CASES
    assert {"fetch", "index", "preprocess", "pap", "split", "test"} & set(planned) == set()


def test_a_line_of_the_evaluation_reruns_nothing_before_it(finished):
    with (finished.folder / "siil/stages/evaluate.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    assert finished.plan() == {"evaluate": CASES, **REPORTING}


def test_a_line_of_the_tables_reruns_tables_and_report(finished):
    with (finished.folder / "siil/stages/tables.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    assert finished.plan() == {"tables": 1, "report": 1}


def test_a_decoding_value_reruns_test_and_what_follows(finished):
    planned = finished.plan(config=("inference={decode: {prior_t13: -7}}",))
    assert planned == {"test": CASES, "evaluate": CASES, **REPORTING}


def test_a_training_value_reruns_train_and_what_follows(finished):
    planned = finished.plan(config=("train={epochs: 3}",))
    assert planned == {"train": 2, "test": CASES, "evaluate": CASES, **REPORTING}


def test_repeats_add_trainings_and_leave_the_first(finished):
    assert finished.plan(config=("repeats=1",)) == {}
    assert finished.plan(config=("repeats=2",)) == {"train": 2, "test": CASES, "evaluate": CASES, **REPORTING}


def test_a_metric_value_reruns_evaluate_and_what_follows(finished):
    assert finished.plan(config=("evaluate={identification_mm: 10}",)) == {"evaluate": CASES, **REPORTING}


def test_one_changed_scan_reruns_what_saw_it(finished):
    scan = next(Path(finished.folder, "data/raw").rglob("*_seg-vert_msk.nii.gz"))
    scan.write_bytes(scan.read_bytes() + b"\0")
    planned = finished.plan()
    assert planned["preprocess"] == 1
    assert planned["pap"] == 1


def test_new_times_on_the_same_contents_rerun_nothing(finished):
    files = [path for name in ("data", "results") for path in Path(finished.folder, name).rglob("*") if path.is_file()]
    random.Random(0).shuffle(files)
    for count, path in enumerate(files):
        os.utime(path, (1_900_000_000 + count, 1_900_000_000 + count))
    assert finished.plan() == {}


def test_an_index_that_says_the_same_retrains_nothing(finished):
    with (finished.folder / "siil/stages/index.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    ran = finished.ran()
    assert ran["index"] == 1
    assert {"preprocess", "pap", "split", "train", "test", "evaluate"} & set(ran) == set()
    assert finished.plan() == {}


def test_a_step_that_failed_is_run_again_although_its_products_are_there(finished):
    finished.edit("siil/stages/split.py", "    settings, rare", "    raise RuntimeError\n    settings, rare")
    failed = finished.call("snakemake", "--cores", "2", "--config", "experiment=tiny")
    assert failed.returncode == 1
    assert finished.plan()["split"] == 1
    finished.edit("siil/stages/split.py", "    raise RuntimeError\n", "")
    ran = finished.ran()
    assert ran["split"] == 1
    assert "train" not in ran
    assert finished.plan() == {}


def test_every_artefact_has_its_run_record(finished):
    results = finished.folder / "results/tiny"
    for step in ("train", "test", "evaluate", "tables", "figures", "report"):
        assert list((results / step).rglob("*run.json")), f"{step} has no run record"


def test_snakemakes_own_report_has_the_tables_and_figures(finished):
    finished.snakemake("--report", "report.html")
    text = (finished.folder / "report.html").read_text(encoding="utf-8")
    for word in ("Tables", "Figures", "Research use only", "training curves", "per vertebra"):
        assert word in text
    for name in ("tables/per_region", "figures/confusion"):  # each with the caption of its own
        caption = (finished.folder / "workflow/report" / f"{name}.rst").read_text(encoding="utf-8")
        assert caption.split("\n")[0][:60] in text, name


def test_make_dag_and_the_plan_of_a_fresh_folder(tmp_path):
    checkout = Checkout(tmp_path / "repository")
    planned = checkout.plan()
    assert planned == {"fetch": 1, "index": 1, "split": 1, "train": 2, **REPORTING}
    assert "flowchart" in checkout.snakemake("--rulegraph", "mermaid-js")
