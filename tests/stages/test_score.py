"""`siil score` (`siil evaluate --pred`): the same maps in the codes of four tools get the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from siil import config as configuration
from siil.anatomy import BY_NAME
from siil.datasets import codes
from siil.errors import ConfigError, DatasetError, InputError
from siil.run.provenance import PACKAGE
from siil.stages.score import SECTIONS, score
from tests import scans

LEVELS = ("L1", "L2", "L3")
SMALL = {"report": {"bootstrap": 100}}


def config(**overrides):
    full = configuration.resolve("demo", overrides=SMALL | overrides)
    return configuration.partial(configuration.sections(full, SECTIONS))


def blocks(levels=LEVELS, *, shift=0) -> np.ndarray:
    """(x, y, z) voxels of 3 mm: 4 x 4 x 4 blocks, 15 mm apart, in VerSe codes; `shift` moves them along z."""
    array = np.zeros((12, 12, 24), np.uint8)
    for place, name in enumerate(levels):
        low = 16 - 5 * place + shift
        array[4:8, 4:8, low : low + 4] = BY_NAME[name].code
    return array


def in_codes(array: np.ndarray, tool: str) -> np.ndarray:
    back = {verse: label for label, verse in sorted(codes.table(tool).items(), reverse=True)}
    return np.vectorize(lambda value: back[int(value)])(array).astype(np.uint8)


@pytest.fixture
def folders(tmp_path):
    """Truth in VerSe's tree; two patients. Maps one voxel too high, in each tool's own codes and names."""
    for case in ("sub-a", "sub-b"):
        scans.save(tmp_path / f"gt/derivatives/{case}/{case}_seg-vert_msk.nii.gz", blocks().astype(np.float64))
        moved = blocks(shift=1)
        scans.save(tmp_path / f"verse/{case}_seg.nii.gz", moved)
        scans.save(tmp_path / f"nnunet/{case}.nii.gz", in_codes(moved, "nnunet"))
        scans.save(tmp_path / f"spineps/{case}_mod-ct_seg-vert_msk.nii.gz", in_codes(moved, "spineps"))
        for tool in ("totalsegmentator", "totalsegmentator_v1", "vertebrae_pp"):
            scans.save(tmp_path / f"{tool}/{case}.nii.gz", in_codes(moved, tool))
    return tmp_path


def run(folders, *tools: str, named=None, **options) -> pd.DataFrame:
    score(
        config=options.pop("config", config()),
        pred=[folders / tool for tool in tools],
        gt=folders / "gt",
        codes=list(named or tools),
        output=folders / "out",
        **options,
    )
    return pd.read_csv(folders / "out/scans.tsv", sep="\t").set_index(["model", "case"])


def test_all_tools_with_the_same_maps_have_the_same_numbers_in_one_table(folders):
    found = run(folders, *codes.CODES)
    assert list(found.index.get_level_values("model").unique()) == list(codes.CODES)
    assert found["dice"].tolist() == pytest.approx([0.75] * 12)  # 3 of 4 layers lie on each other
    assert found["d_mean_mm"].tolist() == pytest.approx([3.0] * 12)
    assert found["hd_mm"].tolist() == pytest.approx([3.0] * 12)
    assert found["id_rate_verse"].tolist() == [1.0] * 12
    text = (folders / "out/comparison.md").read_text()
    assert all(f"| {tool}" in text for tool in codes.CODES)
    assert "0.750 ± 0.000" in text
    names = {path.name for path in (folders / "out").iterdir()}
    assert {f"{table}.{kind}" for table in ("comparison", "paired", "per_vertebra", "per_region")
            for kind in ("csv", "md", "tex")} <= names  # fmt: skip
    assert json.loads((folders / "out/run.json").read_text())["stage"] == "score"


def test_centroid_files_are_never_read_centres_are_those_of_the_masks(folders):
    for path in list(folders.rglob("*.nii.gz")):
        path.with_name(f"{path.name.split('_seg')[0]}_seg-subreg_ctd.json").write_text("not even JSON")
    assert run(folders, "verse")["d_mean_mm"].tolist() == pytest.approx([3.0, 3.0])


def test_a_mask_without_a_map_counts_as_missed_and_a_map_without_a_mask_is_left_out(folders, caplog):
    (folders / "verse/sub-b_seg.nii.gz").rename(folders / "verse/sub-c_seg.nii.gz")
    found = run(folders, "verse")
    assert found["dice"].tolist() == pytest.approx([0.75, 0.0])
    assert found["id_rate_strict"].tolist() == [1.0, 0.0]
    assert "no label map of 1 cases, their vertebrae count as missed: ['sub-b']" in caplog.text
    assert "no mask of 1 cases, left out: ['sub-c']" in caplog.text


def test_a_map_in_another_order_of_axes_is_turned(folders):
    turned = np.diag([-3.0, 3, 3, 1.0])
    turned[0, 3] = 33
    scans.save(folders / "verse/sub-a_seg.nii.gz", blocks(shift=1)[::-1], turned)
    assert run(folders, "verse")["dice"].tolist() == pytest.approx([0.75, 0.75])


def test_what_had_to_be_mended_in_a_map_is_said(folders, caplog):
    path = folders / "verse/sub-a_seg.nii.gz"
    turned = np.diag([-3.0, 3, 3, 1.0])
    turned[0, 3] = 33
    scans.save(path, blocks(shift=1)[::-1], turned)
    run(folders, "verse")
    assert f"verse, {path}: " in caplog.text
    assert "sub-b_seg" not in caplog.text


def test_a_map_whose_compressed_end_is_damaged_is_refused(folders):
    path = folders / "verse/sub-a_seg.nii.gz"
    whole = bytearray(path.read_bytes())
    whole[-6] ^= 1  # gzip's checksum, behind the last voxel
    path.write_bytes(whole)
    with pytest.raises(InputError, match="sub-a_seg"):
        run(folders, "verse")


def test_a_map_on_another_grid_and_one_of_another_tool_are_refused(folders):
    scans.save(folders / "verse/sub-a_seg.nii.gz", blocks()[:-1])
    with pytest.raises(InputError, match="expected mask and image on one grid"):
        run(folders, "verse")
    with pytest.raises(InputError, match="name the tool that made the map"):
        run(folders, "totalsegmentator", named=["verse"])
    assert not (folders / "out").exists()


def test_names_of_tools_and_counts_of_options_are_checked(folders):
    found = run(folders, "verse", "verse", named=["verse"], name=["one", "two"])
    assert set(found.index.get_level_values("model")) == {"one", "two"}
    with pytest.raises(ConfigError, match="expected names that differ, got verse, verse"):
        run(folders, "verse", "verse", named=["verse"])
    with pytest.raises(ConfigError, match="--codes: expected one for all or one for each of 1"):
        run(folders, "verse", named=["verse", "nnunet"])
    with pytest.raises(ConfigError, match="--name: expected one for each of 2"):
        run(folders, "verse", "nnunet", name=["one"])


def test_maps_of_other_scans_altogether_are_refused(folders):
    for path in (folders / "verse").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(DatasetError, match=r"none of its 2 label maps \(first: xsub-a\) is of one of the 2 masks"):
        run(folders, "verse")


def test_masks_and_maps_without_a_vertebra_are_refused(tmp_path):
    for name in ("gt", "pred"):
        scans.save(tmp_path / name / "sub-a.nii.gz", np.zeros((6, 6, 6), np.uint8))
    with pytest.raises(DatasetError, match="expected vertebrae, got none in any mask or map"):
        score(config=config(), pred=[tmp_path / "pred"], gt=tmp_path / "gt", codes=["verse"], output=tmp_path / "out")


@pytest.mark.parametrize(
    ("tool", "wrong", "fit"),
    [
        ("totalsegmentator_v1", "totalsegmentator", "totalsegmentator_v1"),
        ("vertebrae_pp", "totalsegmentator", "verse .*vertebrae_pp .*nnunet"),
        ("totalsegmentator", "totalsegmentator_v1", "totalsegmentator"),
        ("totalsegmentator_v1", "verse", "totalsegmentator_v1"),  # 21 is L2 in both
    ],
)
def test_a_perfect_map_by_the_codes_of_another_tool_is_an_error_that_names_the_right_ones(folders, tool, wrong, fit):
    for case in ("sub-a", "sub-b"):
        scans.save(folders / f"{tool}/{case}.nii.gz", in_codes(blocks(), tool))
    with pytest.raises(DatasetError, match=rf"sub-a.*by --codes {wrong}, got .*; give --codes {fit} \(100 %\)"):
        run(folders, tool, named=[wrong])
    assert not (folders / "out/scans.tsv").exists()
    assert run(folders, tool)["dice"].tolist() == [1.0, 1.0]


def test_a_thoracic_map_by_codes_that_make_other_vertebrae_of_it_is_an_error_too(folders):
    chest = blocks(("T7", "T8", "T9"))
    for case in ("sub-a", "sub-b"):
        scans.save(folders / f"gt/derivatives/{case}/{case}_seg-vert_msk.nii.gz", chest)
        scans.save(folders / f"totalsegmentator_v1/{case}.nii.gz", in_codes(chest, "totalsegmentator_v1"))
    with pytest.raises(DatasetError, match="got 0 % of their voxels; give --codes totalsegmentator_v1"):
        run(folders, "totalsegmentator_v1", named=["totalsegmentator"])


def test_organs_alone_are_no_map_of_vertebrae_and_an_empty_map_is_one_of_misses(folders, caplog):
    scans.save(folders / "totalsegmentator/sub-a.nii.gz", (blocks() > 0).astype(np.uint8))  # spleen
    with pytest.raises(DatasetError, match="got no vertebra; name the tool that made it, or remove the map"):
        run(folders, "totalsegmentator")
    scans.save(folders / "totalsegmentator/sub-a.nii.gz", np.zeros_like(blocks()))
    assert run(folders, "totalsegmentator")["dice"].tolist() == pytest.approx([0.0, 0.75])
    assert "sub-a.nii.gz: holds no label, its vertebrae count as missed" in caplog.text


def test_names_that_are_wrong_by_one_are_scored_and_not_refused(folders):
    for case in ("sub-a", "sub-b"):
        scans.save(folders / f"verse/{case}_seg.nii.gz", blocks(("L2", "L3", "L4")))
    assert run(folders, "verse")["id_rate_strict"].tolist() == [0.0, 0.0]


def test_averaging_by_level_is_an_option_here_too(folders):
    run(folders, "verse", config=config(report={"bootstrap": 100, "averaging": "levels"}))
    assert "means over levels" in (folders / "out/comparison.md").read_text()


@pytest.mark.parametrize("verb", ["evaluate", "score"])
def test_the_real_door_takes_both_verbs(folders, verb):
    done = subprocess.run(
        [sys.executable, "-m", "siil", verb, "--pred", "nnunet", "--gt", "gt", "--codes", "nnunet", "--output", verb,
         "--set", "report.bootstrap=100"],
        cwd=folders, env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "# Comparison of models" in done.stdout
    assert (folders / verb / "scans.tsv").is_file()


def test_a_real_mask_against_itself_is_perfect_in_the_codes_of_every_tool(real_data, tmp_path):
    mask = next(real_data.glob("verse-labels/*/derivatives/sub-verse010/*_seg-vert_msk.nii.gz"))
    folder = mask.parents[2] / "derivatives"
    score(config=config(), pred=[folder], gt=folder, codes=["verse"], name=["itself"], output=tmp_path)
    found = pd.read_csv(tmp_path / "scans.tsv", sep="\t")
    assert found[["dice", "id_rate_strict", "id_rate_verse", "f1"]].to_numpy().tolist() == [[1.0] * 4]


def test_what_lies_beyond_the_annotation_counts_unless_it_is_ignored(folders):
    """L1 has no label in the truth of one scan, and voxels of 255 in that of the other."""
    ignore = config(evaluate={"beyond_annotation": "ignore"})
    for case, instead in (("sub-a", 0), ("sub-b", 255)):
        truth = np.where(blocks() == BY_NAME["L1"].code, instead, blocks())
        if instead:
            truth[..., 16:][truth[..., 16:] == 0] = 255
        scans.save(folders / f"gt/derivatives/{case}/{case}_seg-vert_msk.nii.gz", truth.astype(np.float64))
    by_table = {
        "counted": run(folders, "verse"),
        "marked": run(folders, "verse", config=ignore),
        "whole": run(folders, "verse", config=ignore, annotation="whole"),
    }
    found = {name: rows.loc["verse", "n_predicted"].to_dict() for name, rows in by_table.items()}
    assert found["counted"] == {"sub-a": 3, "sub-b": 3}
    assert found["marked"] == {"sub-a": 3, "sub-b": 2}
    assert found["whole"] == {"sub-a": 2, "sub-b": 2}


def test_in_a_tools_map_255_is_no_label(folders):
    scans.save(folders / "verse/sub-a_seg.nii.gz", np.where(blocks() == 0, 255, blocks()))
    with pytest.raises(InputError, match="255"):
        run(folders, "verse")
