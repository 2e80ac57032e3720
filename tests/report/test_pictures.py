"""Preview and viewer drawn anew from the viewer page say what the facts say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from siil import config
from siil.anatomy import BY_NAME
from siil.inference.vertebrae import measure
from siil.report.pictures import draw_again, read_page
from siil.report.viewer import HU_STEP, viewer_page
from siil.scan.grid import Grid, Volume

OBLIQUE = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
PIR = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
SETTINGS = config.resolve("demo").dataset.preprocess
FACTS = {
    "scan": "case",
    "enumeration": "L1-L2",
    "vertebrae": ["L1", "L2"],
    "uncertain": True,
    "reason": "only 2 vertebrae are well visible, too few to count by",
    "margin": None,
    "rivals": [{"enumeration": "T12-L1", "behind": 2.0, "names": ["T12", "L1"]}],
}


def scene(direction: tuple[float, ...]) -> tuple[Volume, Volume]:
    labels = np.zeros((24, 20, 22), np.uint8)
    labels[12:20, 6:14, 6:14] = BY_NAME["L1"].code
    labels[2:10, 6:14, 6:14] = BY_NAME["L2"].code
    grid = Grid(labels.shape, (3.0, 2.0, 2.0), (10.0, -20.0, 30.0), direction)
    noise = np.random.default_rng(0).integers(-100, 100, labels.shape)
    return Volume(np.where(labels > 0, 400, noise).astype(np.int16), grid), Volume(labels, grid)


@pytest.mark.parametrize("direction", [OBLIQUE, PIR])
def test_a_page_gives_back_what_it_shows_where_it_lies(direction):
    ct, labels = scene(direction)
    shown = read_page(viewer_page(ct, labels, "case"), ("L1", "L2"))
    assert shown is not None
    assert np.abs(shown[0].array.astype(int) - ct.array).max() <= HU_STEP / 2
    assert (shown[1].array == labels.array).all()
    for volume in shown:
        np.testing.assert_allclose(volume.grid.matrix, ct.grid.matrix, atol=1e-4)


@pytest.mark.parametrize("text", ["", "<html></html>", '<script type="application/json" id="scan">{}</script>'])
def test_what_is_no_page_gives_nothing(text):
    assert read_page(text, ("L1",)) is None


def test_a_page_that_is_damaged_or_of_other_vertebrae_gives_nothing():
    page = viewer_page(*scene(PIR), "case")
    assert read_page(page, ("L1", "L2", "L3")) is not None
    assert read_page(page, ("L1", "L3")) is None
    start = page.index('"ct":') + 40
    assert read_page(page[:start] + "AAAA" + page[start + 4 :], ("L1", "L2")) is None


@pytest.mark.parametrize("direction", [OBLIQUE, PIR])
def test_pictures_drawn_anew_say_what_the_facts_say(tmp_path, monkeypatch, direction):
    from siil.report import pictures

    ct, labels = scene(direction)
    empty: dict = {"levels": {}, "confidences": {}, "mean_hu": {}, "directions": {}}
    findings = measure(labels, working_mm=3.0, **empty)
    drawn = []
    real = pictures.preview
    monkeypatch.setattr(pictures, "preview", lambda *a, **k: drawn.append((a, k)) or real(*a, **k))
    draw_again(tmp_path, FACTS, findings, (ct, labels), settings=SETTINGS, folder=Path("out"))
    (image, work, _), words = drawn[0]
    assert image.grid.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    for finding in findings:  # each body lies in its label, upright
        x, y, z = np.rint(np.linalg.inv(image.grid.matrix) @ [*finding.body_mm, 1.0])[:3].astype(int)
        assert work[z, y, x] == finding.code
    assert (words["title"], words["enumeration"]) == ("case", "L1-L2")
    assert words["warning"] == FACTS["reason"]
    assert words["centreline"] is not None
    page = (tmp_path / "case_viewer.html").read_text()
    assert "L1–L2, 2 vertebrae, uncertain: only 2 vertebrae are well visible" in page
    assert "siil relabel out/case_scan.json --rival 1" in page
    assert (tmp_path / "case_preview.png").read_bytes().startswith(b"\x89PNG")
