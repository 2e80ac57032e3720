"""The preview of one scan says what a person must know, and draws every vertebra."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from siil.anatomy import BY_NAME, VERTEBRAE, indices_to_codes
from siil.inference.centreline import find_centreline
from siil.inference.enumeration import span
from siil.inference.vertebrae import measure
from siil.report.preview import preview, write_preview
from siil.report.sheet import WRONG
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
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def drawn(*names: str, warning: str = ""):
    image, labels = scene(*names)
    empty: dict = {"levels": {}, "confidences": {}, "mean_hu": {}, "directions": {}}
    findings = measure(Volume(labels, image.grid), working_mm=3.0, **empty)
    return preview(image, labels, findings, title="scan.nii.gz", enumeration=span(names), warning=warning)


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text of a figure and the pixels that it takes."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [(text.get_text(), text.get_window_extent(renderer)) for text in figure.findobj(Text) if text.get_text()]


def test_every_vertebra_is_named_between_the_planes_and_has_its_axial_slice():
    figure = drawn("L1", "L2", "L3")
    said = words(figure)
    assert said.split("\n").count("L2") == 2
    assert "scan.nii.gz: L1-L3" in said
    assert RESEARCH_USE in said
    assert len(figure.axes) == 2 + 3


def test_an_uncertain_enumeration_stands_in_red_on_top():
    figure = drawn("L1", "L2", warning="T12-L1 is 0.4 nats behind")
    (text,) = [text for text in figure.texts if "T12-L1" in text.get_text()]
    assert text.get_text() == "enumeration uncertain: T12-L1 is 0.4 nats behind"
    assert text.get_color() == WRONG


def bent() -> Figure:
    spine = spines.tube(["T12", "L1", "L2"], curve=spines.scoliosis(30), cut_bottom=0.3)
    line = find_centreline(spines.posterior(spine), spine.spacing_mm)
    image = Volume(np.where(spine.truth > 0, 400, -100).astype(np.int16), Grid(spine.truth.shape, (4.0,) * 3))
    codes = indices_to_codes(spine.truth)
    sure = {BY_NAME["T12"].index: 0.93, BY_NAME["L1"].index: 0.31, BY_NAME["L2"].index: 0.97}
    found = measure(Volume(codes, image.grid), working_mm=4.0, levels={}, confidences=sure, mean_hu={}, directions={})
    return preview(image, codes, found, title="scan", enumeration="T12-L2", centreline=line)


def test_confidences_stand_beside_the_straightened_spine_and_flags_above_the_slices():
    figure = bent()
    said = [text.get_text() for text in figure.texts]
    assert "sagittal, straightened" in said
    assert "0.31 low\nconfidence" in said
    assert "0.97 cut" in said
    heights = [next(text.get_position()[1] for text in figure.texts if text.get_text() == c)
               for c in ("0.93", "0.31", "0.97")]  # fmt: skip
    assert heights == sorted(heights, reverse=True)  # T12 on top
    assert [text.get_color() for text in figure.texts if text.get_text() == "0.31"] == [WRONG]


def test_without_a_centreline_the_planes_stay_in_place():
    assert "straightened" not in words(drawn("L1", "L2"))


COMMAND = "siil relabel /data/of/someone/with/long/paths/sub-patient0815_ses-2_scan.json --rival 1"
LONG = "sub-patient0815_ses-2_acq-thin_$kernel$_ct_of_the_whole_body_without_contrast"
SPINE = tuple(vertebra.name for vertebra in VERTEBRAE if vertebra.name not in ("T13", "L6"))


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        (("L3", "L4"), (20, 24, 24)),  # a crop
        (SPINE, (24 * 3, 24, 24)),  # levels of three voxels, closer than letters are high
        (("L1", "L2", "L3"), (30, 30, 200)),
        (("L1", "L2", "L3"), (300, 20, 20)),
        ((), (30, 60, 200)),
    ],
    ids=["crop", "whole", "wide", "tall", "nothing"],
)
def test_no_word_covers_another_or_a_bone_or_leaves_the_sheet(names, shape):
    figure = long_winded(names, shape)
    width, height = figure.get_size_inches() * figure.dpi
    found = boxes(figure)
    planes = [("a plane", axis.get_window_extent()) for axis in figure.axes]
    for word, box in found + planes:
        assert min(box.min) >= 0, word
        assert (box.max <= [width, height]).all(), word
    apart = [(word, box.padded(-1)) for word, box in found + planes if word != "20 mm"]  # what only touches may
    for (one, here), (other, there) in itertools.combinations(apart, 2):
        assert not here.overlaps(there), (one, other)


def long_winded(names: tuple[str, ...], shape: tuple[int, int, int]) -> Figure:
    """A scan with all that a preview can say, levels of three voxels."""
    labels = np.zeros(shape, np.uint8)
    for level, name in enumerate(reversed(names)):
        labels[3 * level : 3 * level + 3, 5:12, 6:14] = BY_NAME[name].index
    image = Volume(np.where(labels > 0, 400, -100).astype(np.int16), Grid(shape, (3.0, 3.0, 3.0)))
    codes = indices_to_codes(labels)
    doubted = {BY_NAME[name].index: 0.3 for name in names}
    empty: dict = {"levels": {}, "confidences": doubted, "mean_hu": {}, "directions": {}}
    findings = tuple(
        replace(f, flags=("cut", "low_confidence", "renamed", "merge_suspected", "first_look"))
        for f in measure(Volume(codes, image.grid), working_mm=3.0, **empty)
    )
    return preview(image, codes, findings, title=LONG, enumeration="C1-L5 (T3 as T2)", warning=LONG,
                   remedies=[("if it is T12-L5 (0.4 nats behind)", COMMAND), ("any other count", COMMAND)])  # fmt: skip


def test_every_letter_can_be_read_at_400_pixels():
    figure = long_winded(("L3", "L4"), (20, 24, 24))
    per_point = 400 / (72 * figure.get_figwidth())
    small = {
        text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_fontsize() * per_point < 9
    }
    assert small == {RESEARCH_USE}


def test_a_scan_without_a_vertebra_says_so():
    assert "no vertebra was found" in words(drawn())


def test_the_file_is_a_png_and_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        write_preview(tmp_path / f"{name}.png", drawn("L1", "L2"))
    made = (tmp_path / "a.png").read_bytes()
    assert made.startswith(b"\x89PNG")
    assert made == (tmp_path / "b.png").read_bytes()
