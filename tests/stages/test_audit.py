"""`siil audit` on folders of every layout: a table ranked by suspicion, pictures, and what to exclude."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.audit import RECIPE
from siil import config as configuration
from siil.anatomy import BY_CODE, BY_NAME
from siil.audit.folder import find
from siil.errors import DatasetError
from siil.phantom import Scan, sample
from siil.phantom.layout import oriented, write_scan
from siil.scan.grid import Volume
from siil.scan.volume import write_volume
from siil.stages.audit import audit
from siil.stages.fetch import fetch
from siil.stages.index import index
from tests.scans import grid
from tests.scans import scan as scan_of

NONE = configuration.partial({"dataset": {"exclude": []}})
COLONOG = "1.3.6.1.4.1.9328.50.4."


@pytest.fixture(scope="module")
def scan() -> Scan:
    """T8 to the sacrum at 2.4 to 3 mm, without rare anatomy."""
    return sample(97501, RECIPE.model_copy(update={"fields_of_view": {"abdomen": 1}, "rare_anatomy": 0}))


@pytest.fixture(scope="module")
def chest() -> Scan:
    """C6 to L1, for defects of T7 and T8."""
    return sample(97502, RECIPE.model_copy(update={"fields_of_view": {"chest": 1}, "rare_anatomy": 0}))


def rows(folder: Path) -> list[list[str]]:
    return [line.split("\t") for line in (folder / "audit.tsv").read_text().splitlines()[1:]]


def suspected(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for case, kind, _, suspicion, _ in rows(folder):
        if float(suspicion) >= 1:
            found.setdefault(case, set()).add(kind)
    return found


def renamed(mask: np.ndarray, names: dict[str, str]) -> np.ndarray:
    table = np.arange(256, dtype=np.uint8)
    for name, other in names.items():
        table[BY_NAME[name].code] = BY_NAME[other].code if other else 0
    return table[mask]


def write(folder: Path, name: str, scan: Scan, mask: np.ndarray, noise: int) -> None:
    """One of CTSpine1K's scans. noise: makes it another image."""
    write_volume(folder / f"raw_data/volumes/COLONOG/{name}.nii.gz", oriented(scan, scan.hu + np.int16(noise)))
    write_volume(folder / f"raw_data/labels/COLONOG/{name}_seg.nii.gz", oriented(scan, mask))


def test_a_good_bids_tree_is_not_suspected_and_says_so(scan, tmp_path, capsys):
    write_scan(scan, tmp_path / "set", subject="sub-a", stem="sub-a")
    audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "out", processes=1)
    assert suspected(tmp_path / "out") == {}
    assert yaml.safe_load((tmp_path / "out/exclude.yaml").read_text()) == {"exclude": []}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "audit.tsv", "exclude.yaml", "run.json", "suspects.pdf", "suspects.png",
    }  # fmt: skip
    assert "1 scans, 0 suspected" in capsys.readouterr().out


def test_the_known_defects_of_ctspine1k_are_all_found(scan, chest, tmp_path):
    """github.com/MIRACLE-Center/CTSpine1K, issues 13 and 15, remade: siil.datasets.known lists the scans."""
    root = tmp_path / "set"
    (root / "metadata").mkdir(parents=True)
    loins, ribs = scan.mask, chest.mask
    below_l1 = {"L2": "L3", "L3": "L4", "L4": "L5", "L5": "L6"}
    made = {
        "0001": (scan, loins),
        "0103": (scan, renamed(loins, below_l1)),  # the labels jump
        "0291": (scan, renamed(loins, {"L3": ""})),  # L3 is missing
        "0730": (scan, renamed(loins, {"L3": "L4", "L4": "L5", "L5": "L6"})),  # L3 is missing, no bone is
        "0002": (chest, ribs),
        "0482": (chest, renamed(ribs, {"T8": "T7"})),  # T7 should be T8: T7 stands twice
        "0500": (chest, renamed(ribs, {"T7": "", "T8": "T7"})),  # the same where T7 has no label of its own
    }
    for noise, (number, (source, mask)) in enumerate(made.items()):
        write(root, f"{COLONOG}{number}", source, mask, noise)
    spacing = oriented(scan, scan.mask)  # "spacing error": image and label headers differ
    wrong = replace(spacing.grid, spacing_mm=tuple(mm * 1.3 for mm in spacing.grid.spacing_mm))
    write_volume(root / f"raw_data/volumes/COLONOG/{COLONOG}0003.nii.gz", oriented(scan, scan.hu + np.int16(9)))
    write_volume(root / f"raw_data/labels/COLONOG/{COLONOG}0003_seg.nii.gz", Volume(spacing.array, wrong))
    (root / "metadata/data_split.txt").write_text("trainset:\n" + "".join(f"{COLONOG}{n}\n" for n in made))
    audit(config=NONE, dataset=root, output=tmp_path / "out", processes=1, pictures=3)
    found = {case.removeprefix("1_3_6_1_4_1_9328_50_4_"): kinds for case, kinds in suspected(tmp_path / "out").items()}
    assert set(found) == {"0103", "0291", "0730", "0482", "0500", "0003"}
    assert {number for number, kinds in found.items() if "gap" in kinds} == {"0103", "0291", "0730", "0482", "0500"}
    assert "header" in found["0003"]
    excluded = yaml.safe_load((tmp_path / "out/exclude.yaml").read_text())["exclude"]
    assert excluded == list(dict.fromkeys(row[0] for row in rows(tmp_path / "out") if float(row[3]) >= 1))


def test_totalsegmentators_folders_and_masks_alone_are_read(scan, tmp_path):
    place = tmp_path / "ts/s0001"
    write_volume(place / "ct.nii.gz", oriented(scan, scan.hu))
    mask = renamed(scan.mask, {"L3": "L2"})
    for code in sorted(set(np.unique(mask).tolist()) & set(BY_CODE)):
        one = oriented(scan, (mask == code).astype(np.uint8))
        write_volume(place / f"segmentations/vertebrae_{BY_CODE[code].name}.nii.gz", one)
    audit(config=NONE, dataset=tmp_path / "ts", output=tmp_path / "out", processes=1)
    assert "gap" in suspected(tmp_path / "out")["s0001"]
    write_volume(tmp_path / "masks/s0001.nii.gz", oriented(scan, mask))
    audit(config=NONE, dataset=tmp_path / "masks", output=tmp_path / "out2", processes=1)
    assert "gap" in suspected(tmp_path / "out2")["s0001"]


def test_the_table_of_index_is_read_and_what_was_excluded_stays_so(scan, tmp_path, monkeypatch):
    """The cases of the table alone: a list without the earlier exclusions would bring these back."""
    monkeypatch.chdir(tmp_path)  # paths of the table are relative to where the pipeline runs
    masks = {"a": scan.mask, "b": renamed(scan.mask, {"L3": "L2"}), "c": scan.mask}
    for noise, (name, mask) in enumerate(masks.items()):
        write_volume(Path(f"set/img/{name}.nii.gz"), oriented(scan, scan.hu + np.int16(noise)))
        write_volume(Path(f"set/msk/{name}.nii.gz"), oriented(scan, mask))
    source = {"kind": "custom", "path": "set"}
    dataset = {"name": "own", "sources": {"own": source}, "editions": [], "known_defects": "keep", "exclude": ["c"]}
    config = configuration.partial({"dataset": dataset})
    fetch(config=config, source="own", folder=Path("set"), manifest_path=Path("own.tsv"), threads=1)
    index(config=config, manifest_paths=[Path("own.tsv")], output=Path("own/cases.tsv"))
    audit(config=config, dataset=Path("own/cases.tsv"), output=Path("own/audit"), processes=1)
    assert {row[0] for row in rows(Path("own/audit"))} <= {"a", "b"}
    assert set(suspected(Path("own/audit"))) == {"b"}
    assert yaml.safe_load(Path("own/audit/exclude.yaml").read_text()) == {"exclude": ["c", "b"]}
    assert json.loads(Path("own/audit/run.json").read_text())["scans"] == 2
    Path("own/other.tsv").write_text("case\n")
    with pytest.raises(DatasetError, match="run the index step again"):
        audit(config=config, dataset=Path("own/other.tsv"), output=Path("out"))


def test_own_files_with_a_centroid_a_copy_and_an_unreadable_mask(scan, tmp_path):
    for name in ("a", "b"):
        write_volume(tmp_path / f"set/img/{name}.nii.gz", oriented(scan, scan.hu))
        write_volume(tmp_path / f"set/msk/{name}.nii.gz", oriented(scan, scan.mask))
    shutil.copy(tmp_path / "set/img/a.nii.gz", tmp_path / "set/img/c.nii.gz")
    (tmp_path / "set/msk/c.nii.gz").write_bytes(b"")
    audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "out", processes=1)
    found = suspected(tmp_path / "out")
    assert found == {"b": {"duplicate"}, "c": {"header"}}


def test_held_out_predictions_that_say_a_level_lower_are_told(scan, tmp_path):
    names = [f"T{n}" for n in range(9, 13)] + [f"L{n}" for n in range(1, 6)]
    up = renamed(scan.mask, {n: o for o, n in pairwise(names)} | {"T9": "T8"})
    write_volume(tmp_path / "set/img/a.nii.gz", oriented(scan, scan.hu))
    write_volume(tmp_path / "set/msk/a.nii.gz", oriented(scan, up))
    test = tmp_path / "results/test/siil/fold0"
    write_volume(test / "a_seg.nii.gz", oriented(scan, scan.mask))
    (test / "a_scan.json").write_text('{"margin": 20.0}')
    audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "out", results=tmp_path / "results", processes=1)
    assert "held out" in suspected(tmp_path / "out")["a"]
    with pytest.raises(DatasetError, match="expected an experiment's or predict's results"):
        audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "out", results=tmp_path / "nothing", processes=1)


@pytest.mark.parametrize("place", ["", "scan"])
def test_so_are_results_of_predict_of_one_scan_or_several(scan, tmp_path, place):
    names = [f"T{n}" for n in range(9, 13)] + [f"L{n}" for n in range(1, 6)]
    up = renamed(scan.mask, {n: o for o, n in pairwise(names)} | {"T9": "T8"})
    write_volume(tmp_path / "set/img/scan.nii.gz", oriented(scan, scan.hu))
    write_volume(tmp_path / "set/msk/scan.nii.gz", oriented(scan, up))
    write_volume(tmp_path / "out" / place / "scan_seg.nii.gz", oriented(scan, scan.mask))
    (tmp_path / "out" / place / "scan_scan.json").write_text('{"margin": 20.0}')
    audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "o", results=tmp_path / "out", processes=1)
    assert "held out" in suspected(tmp_path / "o")["scan"]
    (tmp_path / "out" / place / "scan_scan.json").write_text('{"margin": 20.0, "uncertain": true}')
    audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "o", results=tmp_path / "out", processes=1)
    assert "held out" not in suspected(tmp_path / "o").get("scan", set())
    assert ", but calls its own count uncertain" in (tmp_path / "o/audit.tsv").read_text()


def test_a_folder_without_masks_is_refused_in_one_line(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(DatasetError, match="expected label maps"):
        audit(config=NONE, dataset=tmp_path / "set", output=tmp_path / "out")


def test_what_stands_in_the_way_of_an_audit_is_said(tmp_path, capsys, caplog):
    """Masks without a vertebra, codes of another tool, names that do not fit, folders of other names, a file."""
    made = grid()
    for name, code in (("x", 0), ("y", 119)):
        write_volume(tmp_path / f"a/img/{name}.nii.gz", scan_of(made, seed=code))
        write_volume(tmp_path / f"a/msk/{name}.nii.gz", Volume(np.full(made.shape, code, np.uint8), made))
    audit(config=NONE, dataset=tmp_path / "a", output=tmp_path / "out", processes=1)
    said = capsys.readouterr().out
    assert "2 scans, 1 of them without a vertebra, 1 suspected" in said
    assert "msk/y.nii.gz: expected VerSe labels" in said
    (tmp_path / "a/msk/x.nii.gz").rename(tmp_path / "a/msk/z.nii.gz")
    (tmp_path / "a/msk/y.nii.gz").unlink()
    assert [scan.image for scan in find(tmp_path / "a")] == [None]
    assert "masks alone are looked at" in caplog.text
    assert "images x.nii.gz, y.nii.gz; masks z.nii.gz" in caplog.text
    (tmp_path / "a/img").rename(tmp_path / "a/CT")
    (tmp_path / "a/msk").rename(tmp_path / "a/Seg")
    (tmp_path / "a/Seg/z.nii.gz").rename(tmp_path / "a/Seg/x.nii.gz")
    with pytest.raises(DatasetError, match=r"expected img/.*, got CT/x.nii.gz, CT/y.nii.gz, Seg/x.nii.gz"):
        find(tmp_path / "a")
    with pytest.raises(DatasetError, match="expected a folder, got a file"):
        find(tmp_path / "a/CT/x.nii.gz")
