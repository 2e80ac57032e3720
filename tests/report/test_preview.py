"""The preview of one scan says what a person must know, and draws every vertebra."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from siil.anatomy import BY_NAME, indices_to_codes
from siil.inference.centreline import find_centreline
from siil.inference.enumeration import span
from siil.inference.vertebrae import measure
from siil.report.preview import preview, write_names, write_preview
from siil.run.provenance import RESEARCH_USE
from siil.scan.grid import Grid, Volume
from tests.inference import spines


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
    return preview(image, labels, findings, title="scan.nii.gz", enumeration=span(names), warning=warning)


def test_every_vertebra_is_named_in_both_planes_and_has_its_axial_slice():
    figure = drawn("L1", "L2", "L3")
    said = words(figure)
    assert said.count("L2") >= 3
    assert "scan.nii.gz: L1-L3" in said
    assert RESEARCH_USE in said


def test_an_uncertain_enumeration_stands_in_red_on_top():
    figure = drawn("L1", "L2", warning="T12-L1 is 0.4 nats behind")
    assert "enumeration uncertain: T12-L1 is 0.4 nats behind" in words(figure)


def test_confidence_and_flags_stand_beside_the_straightened_spine():
    spine = spines.tube(["T12", "L1", "L2"], curve=spines.scoliosis(30), cut_bottom=0.3)
    line = find_centreline(spines.posterior(spine), spine.spacing_mm)
    image = Volume(np.where(spine.truth > 0, 400, -100).astype(np.int16), Grid(spine.truth.shape, (4.0,) * 3))
    codes = indices_to_codes(spine.truth)
    sure = {BY_NAME["T12"].index: 0.93, BY_NAME["L1"].index: 0.31, BY_NAME["L2"].index: 0.97}
    found = measure(Volume(codes, image.grid), working_mm=4.0, levels={}, confidences=sure, mean_hu={}, directions={})
    figure = preview(image, codes, found, title="scan", enumeration="T12-L2", centreline=line)
    said = words(figure)
    assert "sagittal, straightened" in said
    assert "0.31 low confidence" in said
    assert "0.97 cut" in said
    side = figure.subfigs[0].axes[0]
    beside = {text.get_text(): text.get_position()[1] for text in side.texts if text.get_text().startswith("0.")}
    heights = [next(y for said, y in beside.items() if said.startswith(c)) for c in ("0.93", "0.31", "0.97")]
    assert heights == sorted(heights, reverse=True)  # T12 on top
    assert "straightened" not in words(preview(image, codes, found, title="scan", enumeration="T12-L2"))


def test_a_scan_without_a_vertebra_says_so():
    assert "no vertebra was found" in words(drawn())


def test_the_file_is_a_png_and_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        write_preview(tmp_path / f"{name}.png", drawn("L1", "L2"))
    made = (tmp_path / "a.png").read_bytes()
    assert made.startswith(b"\x89PNG")
    assert made == (tmp_path / "b.png").read_bytes()


def test_a_name_stands_on_the_largest_piece_of_its_vertebra_in_the_plane():
    labels = np.zeros((20, 30), np.uint8)
    labels[5:13, 2:10] = BY_NAME["L1"].index  # the body: rows 5 to 12, columns 2 to 9
    labels[5:8, 20:23] = BY_NAME["L1"].index  # its process
    figure = Figure()
    axis = figure.subplots()
    write_names(axis, labels, size=9)
    (name,) = axis.texts
    assert name.get_text() == "L1"
    assert name.get_position() == (5.5, 8.5)
