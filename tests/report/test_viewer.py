import base64
import gzip
import json
import re

import nibabel as nib
import numpy as np
import pytest

from siil.report.viewer import HU_STEP, asset, render, spine_part, viewer_page, viewer_scan
from siil.run.provenance import RESEARCH_USE
from siil.scan.volume import Grid, Volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)


def _decoded(data: str) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(data)))


def _scan(shape: tuple[int, int, int] = (16, 18, 20), *, max_voxels: int = 10**6, **options):
    rng = np.random.default_rng(0)
    grid = Grid(shape, (3.0, 2.0, 2.0), (10.0, -20.0, 30.0), **options)
    labels = np.zeros(shape, np.uint8)
    labels[5:9, 8:11, 9:12] = 22
    ct = Volume(rng.integers(-500, 1300, shape).astype(np.int16), grid)
    return ct, Volume(labels, grid), max_voxels


def test_a_small_scan_keeps_its_voxels_its_place_and_nearly_its_hu() -> None:
    ct, labels, budget = _scan(direction=OBLIQUE)
    scan = viewer_scan(title="a", ct=ct, labels={"prediction": labels}, max_voxels=budget)
    image, mask = _decoded(scan.ct), _decoded(scan.layers[0].data)
    shown = np.asanyarray(image.dataobj).T
    assert shown.shape == ct.array.shape
    assert np.abs(shown - ct.array).max() <= HU_STEP / 2
    assert (labels.array == np.asanyarray(mask.dataobj).T).all()
    to_ras = np.diag([-1, -1, 1, 1]) @ ct.grid.matrix
    np.testing.assert_allclose(image.affine, to_ras, atol=1e-4)
    np.testing.assert_allclose(mask.affine, to_ras, atol=1e-4)


def test_two_label_maps_get_a_third_that_shows_where_they_differ() -> None:
    ct, labels, budget = _scan()
    other = labels.array.copy()
    other[5, 8, 9] = 23
    pair = {"truth": labels, "prediction": Volume(other, labels.grid)}
    scan = viewer_scan(title="a", ct=ct, labels=pair, max_voxels=budget)
    assert [(layer.name, layer.kind) for layer in scan.layers] == [
        ("truth", "labels"),
        ("prediction", "labels"),
        ("where they differ", "differences"),
    ]
    assert np.asanyarray(_decoded(scan.layers[2].data).dataobj).sum() == 1


def test_far_surroundings_are_cut_away_and_what_is_left_stays_in_place() -> None:
    ct, labels, budget = _scan((16, 18, 90))
    scan = viewer_scan(title="a", ct=ct, labels={"prediction": labels}, max_voxels=budget)
    image = _decoded(scan.ct)
    assert image.shape == (12 + 15, 18, 16)  # x: up to voxel 11 and 30 mm = 15 voxels beyond; the rest fits
    first = np.asanyarray(image.dataobj)[0, 0, 0]
    assert abs(int(first) - int(ct.array[0, 0, 0])) <= HU_STEP / 2


def test_a_large_scan_is_coarsened_to_the_budget_and_the_labels_stay_where_they_were() -> None:
    ct, labels, _ = _scan((24, 32, 32))
    scan = viewer_scan(title="a", ct=ct, labels={"prediction": labels}, max_voxels=4000)
    image, mask = _decoded(scan.ct), _decoded(scan.layers[0].data)
    assert np.prod(image.shape) <= 4000
    assert mask.shape == image.shape
    before = np.argwhere(labels.array == 22)[:, ::-1].mean(axis=0)
    after = np.argwhere(np.asanyarray(mask.dataobj) == 22).mean(axis=0)
    was = (np.diag([-1, -1, 1, 1]) @ labels.grid.matrix @ [*before, 1])[:3]
    now = (mask.affine @ [*after, 1])[:3]
    assert np.abs(was - now).max() < 2.0


def test_a_coarsened_ramp_is_still_the_ramp_at_every_voxels_own_place() -> None:
    ct, labels, _ = _scan((24, 32, 33))
    z, y, x = np.indices(ct.array.shape)
    ramp = Volume((20 * z + 10 * y + 15 * x - 500).astype(np.int16), ct.grid)
    image = _decoded(viewer_scan(title="a", ct=ramp, labels={"p": labels}, max_voxels=5000).ct)
    shown = np.asanyarray(image.dataobj).astype(float)
    places = np.moveaxis(np.indices(shown.shape), 0, -1).reshape(-1, 3)
    to_voxel = np.linalg.inv(np.diag([-1, -1, 1, 1]) @ ct.grid.matrix) @ image.affine
    at = (to_voxel @ np.c_[places, np.ones(len(places))].T)[:3].reshape(3, *shown.shape)
    expected = 20 * at[2] + 10 * at[1] + 15 * at[0] - 500
    inner = (slice(2, -2),) * 3
    assert np.abs(shown - expected)[inner].max() <= HU_STEP / 2 + 4  # a mean over parts of voxels is a staircase
    assert abs((shown - expected)[inner].mean()) < 1  # half a voxel off would be 7 or more
    assert shown.min() >= -500  # no voxel lies outside the scan


def test_the_part_that_is_shown_of_what_is_shown_is_the_same() -> None:
    ct, labels, _ = _scan((24, 40, 80), direction=OBLIQUE)
    once, (mask,) = spine_part(ct, [labels], max_voxels=6000)
    again, (same,) = spine_part(once, [mask], max_voxels=6000)
    assert once.grid == again.grid
    np.testing.assert_array_equal(once.array, again.array)
    np.testing.assert_array_equal(mask.array, same.array)


def test_labels_of_another_grid_are_laid_onto_the_ct() -> None:
    ct, labels, budget = _scan()
    half = Volume(labels.array[::2, ::2, ::2], Grid((8, 9, 10), (6.0, 4.0, 4.0), labels.grid.origin_mm))
    scan = viewer_scan(title="a", ct=ct, labels={"prediction": half}, max_voxels=budget)
    assert _decoded(scan.layers[0].data).shape == (20, 18, 16)


def test_the_crosshair_starts_in_the_body_of_the_middle_vertebra() -> None:
    ct, labels, budget = _scan()
    scan = viewer_scan(title="a", ct=ct, labels={"prediction": labels}, max_voxels=budget)
    x, y, z = scan.focus_mm
    assert (-x, z) == (10 + 10 * 2.0, 30 + 6.5 * 3)
    assert -20 + 8 * 2 <= -y <= -20 + 9 * 2  # the front third of rows 8 to 10


def test_without_a_label_the_whole_scan_is_shown_from_its_middle() -> None:
    ct, labels, budget = _scan()
    empty = Volume(np.zeros_like(labels.array), labels.grid)
    scan = viewer_scan(title="a", ct=ct, labels={"prediction": empty}, max_voxels=budget)
    assert _decoded(scan.ct).shape == (20, 18, 16)
    assert scan.focus_mm == (-29.0, 3.0, 52.5)
    assert "No vertebra was found" in viewer_page(ct, empty, "a")


def test_the_same_scan_gives_the_same_bytes() -> None:
    ct, labels, budget = _scan()
    first, second = (viewer_scan(title="a", ct=ct, labels={"p": labels}, max_voxels=budget) for _ in range(2))
    assert first == second
    assert base64.b64decode(first.ct)[4:8] == b"\0\0\0\0"  # gzip's time


def test_the_json_of_a_scan_cannot_end_its_script_element() -> None:
    ct, labels, budget = _scan()
    scan = viewer_scan(title="</script><b>", ct=ct, labels={"prediction": labels}, max_voxels=budget)
    assert "<" not in scan.to_json()
    assert json.loads(scan.to_json())["title"] == "</script><b>"


def test_the_page_of_one_scan_names_what_was_found_and_says_research_use_twice() -> None:
    ct, labels, _ = _scan()
    page = viewer_page(ct, labels, "scan <1>")
    assert "<h1>scan &lt;1&gt;</h1>" in page
    assert re.findall(r"</i>(\w+)</li>", page) == ["L3"]
    assert page.count(RESEARCH_USE) == 2


def test_scripts_among_the_assets_cannot_end_their_element(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "evil.js").write_text("x = '</script>';", encoding="utf-8")
    monkeypatch.setattr("siil.report.viewer.ASSETS", tmp_path)
    assert asset("evil.js") == "x = '<\\/script>';"


def test_a_value_that_a_template_lacks_is_an_error_not_a_blank() -> None:
    import jinja2

    with pytest.raises(jinja2.UndefinedError):
        render("viewer.html.j2", title="a")
