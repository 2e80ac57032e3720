"""What is run again after a change: exactly what depends on it. On the real tiny experiment."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.workflow.checkout import Checkout

pytestmark = pytest.mark.slow
SCORED = {"test": 2, "evaluate": 2}
"""The tiny experiment has five phantoms and two folds."""
AFTER_SPLIT = {"train": 2, **SCORED}
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
    assert planned["evaluate"] == 2
    assert {"fetch", "index", "preprocess", "pap", "split", "test"} & set(planned) == set()


def test_a_line_of_the_evaluation_reruns_nothing_before_it(finished):
    with (finished.folder / "siil/stages/evaluate.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    assert finished.plan() == {"evaluate": 2, **REPORTING}


def test_a_line_of_the_tables_reruns_tables_and_report(finished):
    with (finished.folder / "siil/stages/tables.py").open("a", encoding="utf-8") as stream:
        stream.write("CHANGED = 1\n")
    assert finished.plan() == {"tables": 1, "report": 1}


def test_a_decoding_value_reruns_test_and_what_follows(finished):
    planned = finished.plan(config=("inference={decode: {prior_t13: -7}}",))
    assert planned == {**SCORED, **REPORTING}


def test_a_training_value_reruns_train_and_what_follows(finished):
    planned = finished.plan(config=("train={epochs: 3}",))
    assert planned == {"train": 2, **SCORED, **REPORTING}


def test_repeats_add_trainings_and_leave_the_first(finished):
    assert finished.plan(config=("repeats=1",)) == {}
    assert finished.plan(config=("repeats=2",)) == {"train": 2, **SCORED, **REPORTING}


def test_a_metric_value_reruns_evaluate_and_what_follows(finished):
    assert finished.plan(config=("evaluate={identification_mm: 10}",)) == {"evaluate": 2, **REPORTING}


def test_one_changed_scan_reruns_what_saw_it(finished):
    scan = next(Path(finished.folder, "data/raw").rglob("*_seg-vert_msk.nii.gz"))
    scan.write_bytes(scan.read_bytes() + b"\0")
    before = made(finished)
    ran = finished.ran()
    assert {"preprocess", "pap", "split"} <= set(ran)
    assert changed(finished, before, "data/phantom_tiny/img") == {scan.name.replace("_seg-vert_msk", "")}
    assert changed(finished, before, "results/tiny/train") == set()  # the network sees what it saw
    assert finished.plan() == {}


def made(checkout: Checkout) -> dict[Path, int]:
    """Every file of data and results with its time."""
    files = [path for name in ("data", "results") for path in Path(checkout.folder, name).rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files}


def changed(checkout: Checkout, before: dict[Path, int], folder: str, end: str = ".nii.gz") -> set[str]:
    """Names of the volumes below a folder that are new or have another time."""
    now = {path: time for path, time in made(checkout).items() if path.is_relative_to(checkout.folder / folder)}
    return {path.name for path, time in now.items() if before.get(path) != time and path.name.endswith(end)}


def test_a_deleted_volume_is_made_again_alone_and_retrains_nothing(finished):
    image = next(Path(finished.folder, "data/phantom_tiny/img").glob("*.nii.gz"))
    content = image.read_bytes()
    image.unlink()
    before = made(finished)
    assert finished.ran() == {"preprocess": 1, "pap": 1, "split": 1}
    assert image.read_bytes() == content
    assert changed(finished, before, "data/phantom_tiny") == {image.name}
    assert finished.plan() == {}


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"edited")], ids=["deleted", "edited"])
def test_a_prediction_that_is_gone_or_another_is_made_again_alone(finished, harm):
    seg = next(Path(finished.folder, "results/tiny/test/siil/fold0").glob("*_seg.nii.gz"))
    content = seg.read_bytes()
    harm(seg)
    before = made(finished)
    ran = finished.ran()
    assert ran == {"test": 1, "evaluate": 1, **REPORTING}
    assert seg.read_bytes() == content
    case = seg.name.removesuffix("_seg.nii.gz")
    assert changed(finished, before, "results/tiny/test") == {
        f"{case}_{kind}.nii.gz" for kind in ("seg", "work", "raw")
    }
    assert changed(finished, before, "results/tiny/evaluate", ".tsv") == set()  # scored from the same bytes
    assert finished.plan() == {}


def test_a_scan_that_fails_is_named_and_the_others_of_its_fold_are_kept(finished):
    folder = finished.folder / "results/tiny/evaluate/siil"
    scored = sorted((folder / "fold0").glob("*.tsv"))
    scored[0].unlink()
    scored[0].mkdir()  # cannot be written
    before = made(finished)
    failed = finished.call("snakemake", "--cores", "2", "--config", "experiment=tiny")
    assert failed.returncode == 1
    bad = scored[0].stem
    assert f"evaluate: 1 of {len(scored)} scans failed: {bad} (" in failed.stdout
    assert "Is a directory" in failed.stdout
    assert not (folder / "fold0.sha256").exists()
    assert changed(finished, before, "results/tiny/evaluate", ".tsv") == set()
    assert finished.plan() == {"evaluate": 1, **REPORTING}
    scored[0].rmdir()
    assert finished.ran() == {"evaluate": 1, **REPORTING}
    assert changed(finished, before, "results/tiny/evaluate", ".tsv") == {scored[0].name}
    assert finished.plan() == {}


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
    assert set(ran) == {"index"}
    assert finished.plan() == {}


def test_a_step_that_failed_is_run_again_although_its_products_are_there(finished):
    finished.edit("siil/stages/split.py", "    settings, rare", "    raise RuntimeError\n    settings, rare")
    failed = finished.call("snakemake", "--cores", "2", "--config", "experiment=tiny")
    assert failed.returncode == 1
    assert finished.plan()["split"] == 1
    finished.edit("siil/stages/split.py", "    raise RuntimeError\n", "")
    ran = finished.ran()
    assert ran["split"] == 1
    assert set(ran) == {"split"}
    assert finished.plan() == {}


def test_an_audit_reads_what_was_indexed_and_predicted_and_no_step_reads_it(finished):
    assert (finished.folder / "data/phantom_tiny/audit/exclude.yaml").is_file()
    assert finished.ran("results/tiny/audit/exclude.yaml") == {"audit_with_predictions": 1}
    for place in ("data/phantom_tiny", "results/tiny"):
        assert json.loads((finished.folder / place / "audit/run.json").read_text(encoding="utf-8"))["scans"] == 5
    assert finished.plan() == {}
    (finished.folder / "data/phantom_tiny/audit/audit.tsv").unlink()
    assert finished.plan() == {"audit": 1}


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
    assert planned == {"fetch": 1, "index": 1, "audit": 1, "split": 1, **AFTER_SPLIT, **REPORTING}
    assert "flowchart" in checkout.snakemake("--rulegraph", "mermaid-js")
