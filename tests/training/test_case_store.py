from pathlib import Path

import numpy as np
import pytest

from siil.errors import DatasetError
from siil.scan.volume import Grid, Volume, write_volume
from siil.training.case_store import CaseStore, make_case
from siil.training.seed import Stream, generator


def write_case(folder: Path, name: str, *, pap_shape: tuple[int, int, int] | None = None) -> None:
    shape = (6, 5, 4)
    mask = np.zeros(shape, np.uint8)
    mask[1:4, 2, 2] = 28  # T13, internal index 20
    pap = np.zeros(pap_shape or shape, np.float32)
    pap[1:4] = 1 / pap[1:4].size
    image = np.full(shape, -37, np.int16)
    for part, array in (("img", image), ("msk", mask), ("pap", pap)):
        grid = Grid(array.shape, (3.0, 3.0, 3.0))
        write_volume(folder / part / f"{name}.nii.gz", Volume(array, grid))


def test_a_case_is_read_as_int16_image_and_internal_indices(tmp_path: Path) -> None:
    write_case(tmp_path, "a")
    case = CaseStore(tmp_path, memory_bytes=10**6)["a"]
    assert case.image.dtype == np.int16
    assert (case.image == -37).all()
    assert case.labels.dtype == np.uint8
    assert set(np.unique(case.labels)) == {0, 20}


def test_the_least_used_case_leaves_memory_first(tmp_path: Path) -> None:
    for name in "abc":
        write_case(tmp_path, name)
    store = CaseStore(tmp_path, memory_bytes=10**6)
    first, second = store["a"], store["b"]
    store.memory_bytes = first.nbytes + second.nbytes
    assert store["a"] is first
    store["c"]
    assert store["a"] is first
    assert store["b"] is not second


def test_a_case_larger_than_the_memory_is_kept_alone(tmp_path: Path) -> None:
    write_case(tmp_path, "a")
    store = CaseStore(tmp_path, memory_bytes=1)
    assert store["a"] is store["a"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_case(tmp_path, "a")
    (tmp_path / "pap" / "a.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"pap.a\.nii\.gz: missing; run"):
        CaseStore(tmp_path, memory_bytes=1)["a"]


def test_grids_that_differ_are_refused(tmp_path: Path) -> None:
    write_case(tmp_path, "a", pap_shape=(6, 5, 5))
    with pytest.raises(DatasetError, match=r"case a: img \(6, 5, 4\).*pap \(6, 5, 5\) differ"):
        CaseStore(tmp_path, memory_bytes=1)["a"]


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0])
def test_a_pap_that_is_no_probability_is_refused(value: float) -> None:
    image = np.zeros((2, 2, 2), np.int16)
    with pytest.raises(DatasetError, match="case a: pap must be"):
        make_case("a", image=image, labels=image.astype(np.uint8), pap=np.full((2, 2, 2), value, np.float32))


def test_centres_are_drawn_as_often_as_pap_says() -> None:
    pap = np.zeros((3, 4, 5), np.float32)
    wanted = {(0, 0, 0): 0.5, (1, 2, 3): 0.25, (2, 3, 4): 0.2, (1, 2, 1): 0.05}
    for voxel, probability in wanted.items():
        pap[voxel] = probability
    image = np.zeros(pap.shape, np.int16)
    case = make_case("a", image=image, labels=image.astype(np.uint8), pap=pap)
    drawn = [case.draw_centre(generator(0, Stream.CENTRE, step)) for step in range(4000)]
    assert set(drawn) == set(wanted)
    for voxel, probability in wanted.items():
        assert drawn.count(voxel) / 4000 == pytest.approx(probability, abs=0.03)


def test_a_faint_floor_over_a_large_scan_keeps_its_mass() -> None:
    pap = np.full((40, 50, 50), 0.15 / 100_000, np.float32)
    pap[20, 25, 20:30] += 0.085
    image = np.zeros(pap.shape, np.int16)
    case = make_case("a", image=image, labels=image.astype(np.uint8), pap=pap)
    drawn = [case.draw_centre(generator(0, Stream.CENTRE, step)) for step in range(3000)]
    background = np.mean([voxel[:2] != (20, 25) for voxel in drawn])
    assert background == pytest.approx(0.15, abs=0.03)
