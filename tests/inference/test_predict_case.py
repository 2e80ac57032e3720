"""The glue: from a posterior to labels on the input's grid and measures per vertebra; and the files made of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from siil import config
from siil.anatomy import BY_INDEX, BY_NAME, indices_to_codes
from siil.inference.outputs import TABLE_COLUMNS, centroid_json, scan_facts, vertebra_table, write_core, write_reading
from siil.inference.predict_case import Prediction, interpret, predict_case
from siil.inference.vertebrae import suspect, touches_border
from siil.model.weights import Weights
from siil.run.provenance import RESEARCH_USE
from siil.scan import volume
from siil.scan.geometry import Geometry
from siil.scan.grid import Grid, Volume
from siil.scan.preprocess import preprocess
from tests.inference import spines
from tests.inference.fakes import FakeNetwork
from tests.inference.test_sequence import SHIPPED

CONFIG = config.resolve("demo")
SETTINGS = CONFIG.inference.model_copy(update={"decode": SHIPPED})


def scene(levels=("T12", "L1", "L2", "L3"), **options) -> tuple[spines.Spine, Volume, Geometry]:
    """A tube spine, its image, and the geometry of an input in RAS with spacing 4 mm."""
    spine = spines.tube(list(levels), **options)
    shape = spine.truth.shape
    working = Grid(shape, (4.0,) * 3, (-30.0, -40.0, 100.0))
    x, y = (o + (n - 1) * 4.0 for o, n in zip(working.origin_mm[:2], shape[:0:-1], strict=True))
    source = Grid(shape, (4.0,) * 3, (x, y, 100.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))  # RAS
    image = Volume(np.where(spine.truth > 0, 10 * spine.truth.astype(np.int16), -50).astype(np.int16), working)
    return spine, image, Geometry(source, working, (0, 0, 0), shape)


def predicted(**options) -> tuple[spines.Spine, Prediction, Geometry]:
    spine, image, geometry = scene(**options)
    return spine, interpret(spines.posterior(spine), image, geometry, inference=SETTINGS), geometry


def test_labels_lie_on_the_input_grid_in_verse_codes():
    spine, found, geometry = predicted()
    assert found.seg.grid == geometry.source
    assert found.seg.array.dtype == np.uint8
    truth = indices_to_codes(spine.truth)[:, ::-1, ::-1]  # RAS
    assert (found.seg.array == truth).mean() > 0.99
    assert set(np.unique(found.seg.array)) == {0, 19, 20, 21, 22}


def test_measures_are_in_the_world_of_the_input():
    spine, found, _ = predicted()
    l2 = next(finding for finding in found.findings if finding.name == "L2")
    sites = np.argwhere(spine.truth == BY_NAME["L2"].index)
    centre = sites.mean(axis=0)[::-1] * 4.0 + [-30, -40, 100]
    assert l2.centroid_mm == pytest.approx(centre, abs=1.0)
    front = sites[sites[:, 1] < np.median(sites[:, 1])].mean(axis=0)[::-1] * 4.0 + [-30, -40, 100]
    assert l2.body_mm == pytest.approx(front, abs=6.0)
    assert l2.body_mm[1] < l2.centroid_mm[1] - 3  # the body lies in front: smaller y in LPS
    assert l2.volume_mm3 == pytest.approx(64.0 * len(sites), rel=0.03)
    assert l2.mean_hu == pytest.approx(10 * BY_NAME["L2"].index, rel=0.02)
    assert l2.height_mm == pytest.approx(0.8 * 33.7, abs=4)
    assert l2.confidence > 0.95


def test_ends_that_touch_the_border_are_cut_and_others_complete():
    _, found, _ = predicted(levels=("T12", "L1", "L2", "L3"), cut_top=0.5, margin_bottom_mm=40.0)
    complete = {finding.name: finding.complete for finding in found.findings}
    assert complete == {"T12": False, "L1": True, "L2": True, "L3": True}
    assert "cut" in found.findings[0].flags


def test_a_vertebra_within_half_a_working_voxel_of_the_border_touches_it():
    seg = Volume(np.zeros((20, 20, 20), np.uint8), Grid((20, 20, 20), (1.0, 1.0, 1.0)))
    inside, near = slice(5, 15), slice(1, 10)
    assert not touches_border((inside, inside, inside), seg, 3.0)
    assert touches_border((near, inside, inside), seg, 3.0)
    assert not touches_border((near, inside, inside), seg, 1.0)
    assert touches_border((inside, inside, slice(4, 20)), seg, 1.0)


def test_a_network_that_errs_is_said_to_be_renamed():
    spine, image, geometry = scene(levels=tuple(spines.names("T3", "T12")))
    says = spine.truth.copy()
    says[says == BY_NAME["T7"].index] = BY_NAME["T8"].index
    found = interpret(spines.posterior(spine, says=says), image, geometry, inference=SETTINGS)
    t7 = next(finding for finding in found.findings if finding.name == "T7")
    assert "renamed" in t7.flags


def test_a_vertebra_much_larger_or_smaller_than_its_neighbours_is_suspected():
    _, found, _ = predicted(levels=tuple(spines.names("T12", "L5")), margin_top_mm=20.0, margin_bottom_mm=20.0)
    assert not any(flag for finding in found.findings for flag in finding.flags)
    t12, l1, l2, l3, *_ = found.findings
    two_in_one = replace(l2, volume_mm3=l2.volume_mm3 + l3.volume_mm3)
    half = replace(l1, volume_mm3=l1.volume_mm3 / 2)
    flags = {finding.name: finding.flags for finding in suspect((t12, half, two_in_one, *found.findings[4:]))}
    assert flags == {"T12": (), "L1": ("split_suspected",), "L2": ("merge_suspected",), "L4": (), "L5": ()}
    cut = replace(half, complete=False, flags=("cut",))
    assert suspect((t12, cut, l2))[1].flags == ("cut",)  # a cut vertebra may be small
    alone = replace(found.findings[0], name="C2")
    assert suspect((alone, replace(two_in_one, name="C3")))[1].flags == ()  # C2 is no measure


def test_confidences_follow_the_curve_of_the_configuration():
    spine, image, geometry = scene()
    posterior = spines.posterior(spine, sharp=1.5)
    flat = SETTINGS.decode.model_copy(update={"confidence_slope": 0.5, "confidence_offset": -0.4})
    own = SETTINGS.decode.model_copy(update={"confidence_slope": 1.0, "confidence_offset": 0.0})
    plain = interpret(posterior, image, geometry, inference=SETTINGS.model_copy(update={"decode": own}))
    curved = interpret(posterior, image, geometry, inference=SETTINGS.model_copy(update={"decode": flat}))
    assert [f.confidence for f in plain.findings] != [f.confidence for f in curved.findings]
    for before, after in zip(plain.findings, curved.findings, strict=True):
        odds = before.confidence / (1 - before.confidence)
        expected = odds**0.5 * np.exp(-0.4)
        assert after.confidence == pytest.approx(expected / (1 + expected), abs=1e-6)


def test_no_name_of_a_flagged_scan_is_surer_than_flagged_scans_are_right():
    spine, image, geometry = scene(levels=("L2", "L3"))
    decode = SETTINGS.decode.model_copy(update={"confidence_doubted": 0.8})
    settings = SETTINGS.model_copy(update={"decode": decode})
    found = interpret(spines.posterior(spine), image, geometry, inference=settings)
    assert found.sequence.uncertain  # two are too few to count by
    assert [finding.confidence for finding in found.findings] == [0.8, 0.8]
    spine, image, geometry = scene(margin_top_mm=20.0, margin_bottom_mm=20.0)
    sure = settings.model_copy(update={"decode": decode.model_copy(update={"uncertain_margin": 0.0})})
    found = interpret(spines.posterior(spine), image, geometry, inference=sure)
    assert not found.sequence.uncertain
    assert min(finding.confidence for finding in found.findings) > 0.8


def test_without_decoding_labels_are_the_networks_own_and_certainty_is_not_claimed():
    spine, image, geometry = scene()
    settings = SETTINGS.model_copy(update={"decode": SETTINGS.decode.model_copy(update={"enabled": False})})
    found = interpret(spines.posterior(spine), image, geometry, inference=settings)
    assert (found.work.array == found.raw.array).mean() > 0.99
    assert found.sequence.reason == "decoding is switched off"
    assert [finding.name for finding in found.findings] == list(spine.names)
    assert 0.5 < found.findings[0].confidence <= 1


def test_an_empty_scan_gives_empty_outputs(tmp_path):
    spine, image, geometry = scene()
    blank = spines.posterior(spine)
    blank = replace(blank, spine=np.zeros_like(blank.spine), index=blank.index[:0], classes=blank.classes[:0])
    found = interpret(blank, image, geometry, inference=SETTINGS)
    assert found.findings == ()
    write_reading(found, tmp_path, name="x")
    facts = json.loads((tmp_path / "x_scan.json").read_text())
    assert facts["uncertain"]
    assert facts["enumeration"] == "nothing"
    assert json.loads((tmp_path / "x_ctd.json").read_text()) == [{"direction": ["R", "A", "S"]}]
    assert list(pd.read_csv(tmp_path / "x_vertebrae.tsv", sep="\t").columns) == list(TABLE_COLUMNS)


def test_network_and_weights_drive_the_window():
    image = Volume(
        np.random.default_rng(0).integers(-500, 900, (12, 10, 10)).astype(np.int16), Grid((12, 10, 10), (4.0,) * 3)
    )
    made = preprocess(image, None, settings=CONFIG.dataset.preprocess.model_copy(update={"spacing_mm": 4.0}))
    weights = Weights(model=CONFIG.model, patch_vox=(8, 8, 8), spacing_mm=4.0, window_hu=(-1000.0, 1000.0))
    network = FakeNetwork(core=True)
    found = predict_case(network, made.image, made.geometry, weights=weights, inference=SETTINGS, device="cpu")
    assert network.calls[0][2:] == (8, 8, 8)
    assert found.seg.grid == image.grid
    assert found.posterior.localisation.any()


def test_centroids_are_in_verse_format_on_the_images_own_axes():
    _, found, geometry = predicted()
    direction, *entries = centroid_json(found.findings, found.seg)
    assert direction == {"direction": ["R", "A", "S"]}
    assert [entry["label"] for entry in entries] == [19, 20, 21, 22]
    world = geometry.source.matrix @ [entries[0]["X"], entries[0]["Y"], entries[0]["Z"], 1]
    assert world[:3] == pytest.approx(found.findings[0].body_mm, abs=0.3)


def test_facts_name_the_enumeration_its_rivals_and_the_margin():
    _, found, _ = predicted()
    facts = scan_facts(found, name="x")
    assert facts["notice"] == RESEARCH_USE
    assert facts["enumeration"] == "T12-L3"
    assert facts["uncertain"] is False
    assert facts["rivals"][0]["behind"] == pytest.approx(facts["margin"])
    first = facts["rivals"][0]
    assert facts["runner_up"] == f"{first['enumeration']} ({', '.join(first['changes'])})"
    for rival in facts["rivals"]:
        assert sum(rival["why"].values()) == pytest.approx(rival["behind"], abs=0.01)
    assert facts["rivals"][0]["why"]["network"] > 0
    assert [row["label"] for row in facts["details"]] == ["T12", "L1", "L2", "L3"]
    assert facts["details"][0]["mean_hu"] == pytest.approx(found.findings[0].mean_hu, abs=0.1)
    assert facts["unseen"] == []


def test_a_vertebra_without_a_voxel_is_unseen_and_makes_the_answer_no_unusual_one():
    spine, image, geometry = scene(("T10", "T11", "T12", "L1", "L2"))
    bone = np.where(spine.truth == BY_NAME["T12"].index, 0, spine.truth).astype(np.uint8)
    answer = spines.posterior(replace(spine, truth=bone), says=spine.truth)
    found = interpret(answer, image, geometry, inference=SETTINGS)
    facts = scan_facts(found, name="x")
    assert facts["vertebrae"] == ["T10", "T11", "L1", "L2"]
    assert facts["unseen"] == ["T12"]
    assert facts["enumeration"] == "T10-L2"


def test_table_has_a_row_per_vertebra_from_the_head_down():
    _, found, _ = predicted()
    table = vertebra_table(found.findings)
    assert table["label"].tolist() == ["T12", "L1", "L2", "L3"]
    assert table["code"].tolist() == [19, 20, 21, 22]


def test_files_can_be_read_back(tmp_path):
    _, found, geometry = predicted()
    paths = write_reading(found, tmp_path, name="scan")
    write_core(tmp_path / "scan_core.npz", found.posterior)
    assert sorted(p.name for p in paths) == ["scan_ctd.json", "scan_scan.json", "scan_seg.nii.gz", "scan_vertebrae.tsv"]
    seg = volume.read_mask(tmp_path / "scan_seg.nii.gz")
    assert (seg.array == found.seg.array).all()
    assert seg.grid.orientation == geometry.source.orientation
    with np.load(tmp_path / "scan_core.npz") as core:
        assert core["localisation"].shape == found.posterior.localisation.shape
        assert core["classes"].shape == (0,)


def test_decoded_levels_hold_names_of_the_table():
    _, found, _ = predicted()
    assert {BY_INDEX[level.index].name for level in found.sequence.levels} >= {f.name for f in found.findings}
