"""The preview of one scan says what a person must know, and draws every vertebra."""

from __future__ import annotations

import numpy as np

from siil.anatomy import BY_NAME, indices_to_codes
from siil.grid import Grid, Volume
from siil.inference.vertebrae import measure
from siil.provenance import RESEARCH_USE
from siil.report.preview import preview, write_preview


def scene(*names: str) -> tuple[Volume, np.ndarray]:
    labels = np.zeros((30, 20, 20), np.uint8)
    for level, name in enumerate(reversed(names)):
        labels[2 + 9 * level : 8 + 9 * level, 5:12, 6:14] = BY_NAME[name].index
    image = Volume(np.where(labels > 0, 400, -100).astype(np.int16), Grid((30, 20, 20), (3.0, 3.0, 3.0)))
    return image, indices_to_codes(labels)


def words(figure) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def drawn(*names: str, warning: str = ""):
    image, labels = scene(*names)
    empty: dict = {"levels": {}, "confidences": {}, "mean_hu": {}, "directions": {}}
    findings = measure(Volume(labels, image.grid), working_mm=3.0, **empty)
    return preview(image, labels, findings, title="scan.nii.gz", warning=warning)


def test_every_vertebra_is_named_in_both_planes_and_has_its_axial_slice():
    figure = drawn("L1", "L2", "L3")
    said = words(figure)
    assert said.count("L2") >= 3
    assert "scan.nii.gz: L1-L3" in said
    assert RESEARCH_USE in said


def test_an_uncertain_enumeration_stands_in_red_on_top():
    figure = drawn("L1", "L2", warning="T12-L1 is 0.4 nats behind")
    assert "enumeration uncertain: T12-L1 is 0.4 nats behind" in words(figure)


def test_a_scan_without_a_vertebra_says_so():
    assert "no vertebra was found" in words(drawn())


def test_the_file_is_a_png_and_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        write_preview(tmp_path / f"{name}.png", drawn("L1", "L2"))
    made = (tmp_path / "a.png").read_bytes()
    assert made.startswith(b"\x89PNG")
    assert made == (tmp_path / "b.png").read_bytes()
