"""Every file that cannot be used gets one line: which file, what was expected, what came, what to do."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from siil import config as configuration
from siil.datasets.cases import write_cases
from siil.errors import InputError
from siil.scan import preprocess, volume
from siil.scan.volume import Grid
from siil.stages import preprocess as stage
from tests import scans
from tests.datasets.test_cases import case


def refuse(path, read=volume.read_image) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    assert "expected" in line
    assert ", got " in line
    assert "; " in line
    return line


def test_a_file_that_is_not_there(tmp_path):
    assert "got nothing" in refuse(tmp_path / "no.nii.gz")
    assert "got a folder" in refuse(tmp_path)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    assert "0 bytes" in refuse(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.7z", "a.RAR"])
def test_a_packed_file_that_is_no_zip(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"a series"))
    assert "unpack it" in refuse(tmp_path / name)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_gzip(tmp_path, share):
    path = scans.save(tmp_path / "a.nii.gz", scans.hu_xyz())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refuse(path)


def test_a_gzip_whose_checksum_is_wrong(tmp_path):
    path = scans.save(tmp_path / "a.nii.gz", scans.hu_xyz())
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the CRC: every voxel can still be read
    path.write_bytes(content)
    refuse(path)


def test_a_truncated_plain_file(tmp_path):
    path = scans.save(tmp_path / "a.nii", scans.hu_xyz())
    path.write_bytes(path.read_bytes()[:2000])
    refuse(path)


def test_what_is_no_nifti(tmp_path):
    for name, content in (
        ("a.nii.gz", b"hello" * 200),
        ("b.nii.gz", gzip.compress(b"hello" * 200)),
        ("c.nii", b"x" * 900),
    ):
        (tmp_path / name).write_bytes(content)
        refuse(tmp_path / name)
    (tmp_path / "d.txt").write_text("hello")
    assert "got a text" in refuse(tmp_path / "d.txt")


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (12, 14, 16, 3)])
def test_other_dimensions(tmp_path, shape):
    assert "x".join(str(n) for n in shape[:2]) in refuse(scans.save(tmp_path / "a.nii.gz", scans.hu_xyz(shape)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite(tmp_path, value):
    array = scans.hu_xyz().astype(np.float32)
    array[3, 3, 3] = value
    path = scans.save(tmp_path / "a.nii.gz", array)
    assert "NaN or infinite" in refuse(path)
    assert "NaN or infinite" in refuse(path, volume.read_mask)


def test_all_one_value(tmp_path):
    assert "-7 in every voxel" in refuse(scans.save(tmp_path / "a.nii.gz", np.full((12, 14, 16), -7, np.int16)))


def test_a_picture_of_8_bits_and_a_scaled_one(tmp_path):
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (12, 14, 16)).astype(np.uint8)
    assert "a windowed picture of 8 bits" in refuse(scans.save(tmp_path / "a.nii.gz", picture))
    for high in (1, 28):  # a mask, a label map given as a scan
        assert "a label map" in refuse(scans.save(tmp_path / "l.nii.gz", (picture % (high + 1)).astype(np.uint8)))
    refuse(scans.save(tmp_path / "b.nii.gz", random.random((12, 14, 16)).astype(np.float32)))
    refuse(scans.save(tmp_path / "c.nii.gz", random.integers(2000, 4000, (12, 14, 16)).astype(np.int16)))


@pytest.mark.parametrize("spacing", [0.0, -2.0, np.nan])
def test_spacings_of_the_header_that_are_not_positive(tmp_path, spacing):
    path = scans.save(tmp_path / "a.nii", scans.hu_xyz())
    content = bytearray(path.read_bytes())
    content[80:84] = np.float32(spacing).tobytes()  # pixdim[1]
    path.write_bytes(bytes(content))
    assert "spacings of 0.05 to 20 mm" in refuse(path)


def test_a_spacing_in_metres(tmp_path):
    assert "spacings" in refuse(scans.save(tmp_path / "a.nii.gz", scans.hu_xyz(), np.diag([0.003, 0.003, 0.003, 1])))


def test_a_header_without_orientation(tmp_path):
    path = scans.save(tmp_path / "a.nii", scans.hu_xyz())
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # qform_code and sform_code
    path.write_bytes(bytes(content))
    assert "got no qform and no sform" in refuse(path)


@pytest.mark.parametrize("label", [29, 253, -1, 300, 41])
def test_labels_outside_the_table(tmp_path, label):
    codes = np.zeros((12, 14, 16), np.int16)
    codes[3:5] = label
    assert f"[{label}]" in refuse(scans.save(tmp_path / "m.nii.gz", codes), volume.read_mask)


def test_fractions_as_labels(tmp_path):
    codes = np.zeros((12, 14, 16), np.float32)
    codes[3] = 4.5
    assert "got 4.5" in refuse(scans.save(tmp_path / "m.nii.gz", codes), volume.read_mask)


def test_a_scan_that_is_too_large_or_too_short():
    limits = scans.SETTINGS.model_copy(update={"max_voxels": 1000})
    with pytest.raises(InputError, match=r"^a: expected a working grid below the limit, got 12x14x16 voxels"):
        preprocess.check_size(scans.grid(), settings=limits, name="a")
    with pytest.raises(InputError, match=r"^a: expected more of the body, got 18.0 mm \(limit 20 mm\)"):
        preprocess.check_size(Grid((6, 99, 99), (3.0, 1.0, 1.0)), settings=scans.SETTINGS, name="a")


def test_a_size_of_terabytes_is_refused_before_anything_is_read():
    with pytest.raises(InputError, match="limit"):
        preprocess.check_size(Grid((30000, 30000, 30000), (3.0, 3.0, 3.0)), settings=scans.SETTINGS, name="a")


def test_nothing_is_left_behind_when_a_stage_refuses(tmp_path):
    scans.write_pair(tmp_path / "a.nii.gz", None)
    scans.save(tmp_path / "m.nii.gz", np.full((12, 14, 16), 99, np.uint8))
    row = replace(case("a"), image=str(tmp_path / "a.nii.gz"), mask=str(tmp_path / "m.nii.gz"))
    write_cases(tmp_path / "cases.tsv", [row])
    config = configuration.partial({"dataset": {"preprocess": scans.SETTINGS.model_dump()}})
    out = tmp_path / "out"
    with pytest.raises(InputError, match="VerSe labels"):
        stage.preprocess(config=config, cases=tmp_path / "cases.tsv", output=out, manifest=out / "list.sha256")
    assert not out.exists()
