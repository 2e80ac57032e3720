import numpy as np

from siil.anatomy import BY_NAME, CLASSES
from siil.report.results import CoreTrace, Results
from siil.report.traces import NO_CORE, Embedded, Localised, embeddings, localisation, truth_localisation


def test_a_class_holds_the_slices_that_hold_one_of_its_voxels() -> None:
    truth = np.zeros((4, 3, 3), np.uint8)
    truth[1, 0, 0] = truth[2, 2, 2] = 5
    rows = truth_localisation(truth)
    assert rows.shape == (CLASSES, 4)
    assert rows[5].tolist() == [False, True, True, False]
    assert rows.sum() == 2


def test_the_matrix_shows_the_classes_of_the_scan_and_one_more_at_each_end(results: Results) -> None:
    item = Localised(results.scan("siil", 1, "spine_b"), results.core("siil", 1, "spine_b"), "worst")
    figure = localisation([item])
    names = [tick.get_text() for tick in figure.axes[1].get_xticklabels()]
    assert names == ["T13", "L1", "L2", "L3", "L4", "L5"]
    assert len(figure.axes[2].patches) == 4


def test_a_baseline_says_that_it_has_no_instance_stream(results: Results) -> None:
    scan, trace = results.scan("unet", 0, "spine_a"), results.core("unet", 0, "spine_a")
    assert localisation([Localised(scan, trace, "best")]).texts[0].get_text() == NO_CORE
    assert embeddings([]).texts[0].get_text() == NO_CORE


def test_a_scan_in_which_nothing_was_found_and_nothing_is_true_is_drawn(results: Results) -> None:
    scan = results.scan("siil", 0, "spine_a")
    blank = type(scan)("a", scan.ct_hu, np.zeros_like(scan.truth), np.zeros_like(scan.truth), scan.spacing_mm)
    faint = CoreTrace(np.full((CLASSES, 32), 0.01, np.float32), np.zeros((0, 8)), np.zeros(0, int))
    assert localisation([Localised(blank, faint, "empty")]).axes


def test_embeddings_have_a_panel_per_fold_with_and_without_prototypes() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([BY_NAME["L1"].index, BY_NAME["L2"].index], 3)
    with_them = Embedded(rng.normal(size=(6, 8)), classes, rng.normal(size=(CLASSES, 4, 8)), "fold 0")
    without = Embedded(rng.normal(size=(6, 8)), classes, None, "fold 1")
    first, second = embeddings([with_them, without]).axes
    assert len(first.collections) == 3
    assert len(second.collections) == 1
    assert "no prototypes in the weights" in [text.get_text() for text in second.texts]
