"""Which results a path names, and what a reader's words make of their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siil.anatomy import BY_NAME
from siil.datasets.levels import Known
from siil.errors import InputError
from siil.inference.results import Request, Result, find_results, places_of, settle
from siil.inference.vertebrae import Finding, measure
from siil.scan.grid import Grid, Volume

PLACES = ("T11", "T12", "L1", "L2")


def made(folder: Path, name: str) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("scan.json", "seg.nii.gz", "preview.png", "scan.json.before"):
        (folder / f"{name}_{kind}").touch()
    (folder / "run.json").touch()
    return Result(folder, name)


def findings(*names: str) -> tuple[Finding, ...]:
    """Bodies at z = -12, -42, -72 and -102 mm (every 30 mm, from the head down)."""
    array = np.zeros((40, 8, 8), np.uint8)
    for name in names:
        n = PLACES.index(name)
        array[34 - 10 * n : 37 - 10 * n, 2:6, 2:6] = BY_NAME[name].code
    volume = Volume(array, Grid(array.shape, (3.0, 3.0, 3.0), (0.0, 0.0, -117.0)))
    return measure(volume, working_mm=3.0, levels={}, confidences={}, mean_hu={}, directions={})


@pytest.mark.parametrize("file", ["a_scan.json", "a_seg.nii.gz", "a_preview.png", "a_scan.json.before", "run.json", ""])
def test_a_folder_and_each_file_of_a_result_name_it(tmp_path, file):
    one = made(tmp_path / "out", "a")
    assert find_results(tmp_path / "out" / file) == [one]


def test_a_folder_of_folders_names_them_all_and_no_hidden_one(tmp_path):
    two = [made(tmp_path / name, name) for name in ("NA", "b")]
    made(tmp_path / ".tmp-c", "c")
    assert find_results(tmp_path) == two


def test_a_file_is_of_its_own_result_where_several_lie_in_a_folder(tmp_path):
    made(tmp_path, "a")
    b = made(tmp_path, "b_seg")
    assert find_results(tmp_path / "b_seg_preview.png") == [b]
    assert len(find_results(tmp_path)) == 2


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(InputError, match="got none"):
        find_results(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        find_results(tmp_path / "x")
    (tmp_path / "x.nii.gz").touch()
    with pytest.raises(InputError, match="expected a file of a result"):
        find_results(tmp_path / "x.nii.gz")


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (Request(Known(first="T10")), "T10 T11 T12 L1"),
        (Request(Known(last="L5")), "L2 L3 L4 L5"),
        (Request(Known(first="T12", last="L3")), "T12 L1 L2 L3"),
        (Request(Known(at=((-70.0, "L2"),))), "T12 L1 L2 L3"),
        (Request(Known(first="T12", at=((-42.0, "T13"),))), "T12 T13 L1 L2"),
        (Request(shift=-1), "T10 T11 T12 L1"),
        (Request(rival=2), "L1 L2 L3 L4"),
    ],
)
def test_what_a_reader_says_names_every_place(request_, names):
    rivals = [{"enumeration": "x", "names": None}, {"enumeration": "L1-L4", "names": ["L1", "L2", "L3", "L4"]}]
    assert settle(request_, PLACES, findings(*PLACES), rivals) == tuple(names.split())


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Request(rival=1), "T12-L3 counts another number of vertebrae"),
        (Request(rival=4), r"expected the number of a rival .* \(1 to 3\)"),
        (Request(rival=0), "expected the number of a rival"),
        (Request(rival=2), "result is of an older siil"),
        (Request(rival=3), "L1 would stand twice"),
        (Request(Known(first="T12", at=((-12.0, "T11"),))), "T12 and T11 would be one vertebra, which is now T11"),
        (Request(Known(first="T12", last="L4")), "5 vertebrae, the scan has 4 there"),
        (Request(Known(at=((-150.0, "L2"),))), "no vertebra lies at z = -150 mm"),
    ],
)
def test_what_cannot_be_is_refused(request_, why):
    rivals = [
        {"enumeration": "T12-L3", "names": None},
        {"enumeration": "old"},
        {"enumeration": "odd", "names": ["L1", "L1", "L2", "L3"]},
    ]
    with pytest.raises(InputError, match=why):
        settle(request_, PLACES, findings(*PLACES), rivals)


def test_a_vertebra_without_a_voxel_has_its_place():
    facts = {"vertebrae": ["T11", "L1", "L2"], "unseen": ["T12"]}
    assert places_of(facts) == PLACES
    found = findings("T11", "L1", "L2")
    assert settle(Request(Known(first="T10")), places_of(facts), found, []) == ("T10", "T11", "T12", "L1")


def test_a_request_in_words_is_as_its_options():
    assert Request(Known(first="T9", at=((1.5, "L3"),))).words == "--first T9 --at 1.5=L3"
    assert (Request(shift=-1).words, Request(rival=2).words, Request().words) == ("--shift -1", "--rival 2", "")
