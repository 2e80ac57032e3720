"""The digest of the code behind a stage, and the run record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from siil.errors import InputError
from siil.run import provenance


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package of the same name with one stage that imports one module lazily and one by a name in a table."""
    root = tmp_path / "siil"
    (root / "stages").mkdir(parents=True)
    (root / "metrics" / "assets").mkdir(parents=True)
    (root / "schema").mkdir()
    for folder in (root, root / "stages", root / "metrics", root / "schema"):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (root / "schema" / "base.py").write_text("X = 1\n", encoding="utf-8")
    (root / "alone.py").write_text("X = 1\n", encoding="utf-8")
    (root / "listed.py").write_text("X = 1\n", encoding="utf-8")
    (root / "metrics" / "dice.py").write_text("def dice():\n    return 1\n", encoding="utf-8")
    (root / "metrics" / "assets" / "page.html").write_text("<p>", encoding="utf-8")
    (root / "stages" / "evaluate.py").write_text(
        "from siil.config.schema.base import X\nTABLE = {'a': 'siil.listed'}\n"
        "def evaluate():\n    from siil.metrics.dice import dice\n    return dice()\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(provenance, "PACKAGE", root)
    return root


def digest() -> str:
    for cached in (provenance._tree, provenance._imports, provenance._normalised, provenance._code_digest):
        cached.cache_clear()
    return provenance.code_digest("evaluate")


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def test_a_line_of_code_in_an_imported_module_changes_the_digest(package):
    before = digest()
    edit(package / "metrics" / "dice.py", "return 1", "return 2")
    assert digest() != before


def test_comments_docstrings_and_layout_change_nothing(package):
    before = digest()
    edit(package / "metrics" / "dice.py", "def dice():\n", '# why\n\n\ndef dice():\n    """What."""\n\n')
    assert digest() == before


def test_a_module_named_in_a_table_counts(package):
    before = digest()
    edit(package / "listed.py", "X = 1", "X = 2")
    assert digest() != before


def test_an_asset_of_an_imported_package_counts(package):
    before = digest()
    edit(package / "metrics" / "assets" / "page.html", "<p>", "<b>")
    assert digest() != before


@pytest.mark.parametrize("name", ["alone.py", "schema/base.py"])
def test_a_module_that_is_not_imported_or_only_shapes_the_configuration_changes_nothing(package, name):
    before = digest()
    edit(package / name, "X = 1", "X = 2")
    assert digest() == before


def test_a_package_whose_module_is_imported_runs_too(package):
    before = digest()
    (package / "metrics" / "__init__.py").write_text("X = 1\n", encoding="utf-8")
    assert digest() != before


def test_the_real_stages_differ_and_the_evaluation_does_not_see_the_training():
    names = {path.name for path in provenance.code_files("evaluate")}
    assert "surface.py" in names
    assert "engine.py" not in names
    assert provenance.code_digest("evaluate") != provenance.code_digest("train")


def test_a_record_lies_beside_its_artefact():
    assert provenance.run_path(Path("a/case_seg.nii.gz")) == Path("a/case_seg.run.json")


def test_a_record_says_what_was_used_and_keeps_no_folder(tmp_path):
    source = tmp_path / "patient-folder" / "scan.txt"
    source.parent.mkdir()
    source.write_bytes(b"abc")
    path = tmp_path / "out.run.json"
    with provenance.record(path, stage="pap", config={"dataset": {}}, inputs=[source], seed=3) as entry:
        entry["device"] = "cuda"
    made = json.loads(path.read_text(encoding="utf-8"))
    assert made["inputs"] == {"scan.txt": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
    assert made["code"] == provenance.code_digest("pap")
    assert (made["stage"], made["seed"], made["device"]) == ("pap", 3, "cuda")
    assert made["notice"] == "Research use only, not a medical device."
    assert made["versions"]["numpy"]
    assert "patient-folder" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["mine/img", "mine/msk"], ["img/a.nii.gz", "msk/a.nii.gz"]),
        (["data/msk", "raw/msk"], ["data/msk/a.nii.gz", "raw/msk/a.nii.gz"]),
        (["mine/img", "mine/img"], ["a.nii.gz"]),
    ],
)
def test_inputs_that_share_a_name_are_all_in_the_record(tmp_path, folders, names):
    paths = [tmp_path / folder / "a.nii.gz" for folder in folders]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.parent.name)
    with provenance.record(tmp_path / "run.json", stage="pap", config={}, inputs=paths):
        pass
    assert list(json.loads((tmp_path / "run.json").read_text())["inputs"]) == names


def test_no_record_is_written_for_work_that_failed(tmp_path):
    with pytest.raises(RuntimeError), provenance.record(tmp_path / "run.json", stage="pap", config={}):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_does_not_exist_is_refused_by_name(tmp_path):
    with (
        pytest.raises(InputError, match=r"nothing\.nii\.gz: no such file"),
        provenance.record(tmp_path / "run.json", stage="pap", config={}, inputs=[tmp_path / "nothing.nii.gz"]),
    ):
        pass
