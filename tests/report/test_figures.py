from dataclasses import replace

import pytest

from siil.report.figures import FIGURES, NAMES, _landmarks
from siil.report.results import Results
from siil.run.provenance import RESEARCH_USE

DECLARED = (
    *("comparison", "dice_box", "per_vertebra", "confusion", "ceiling", "overlays", "worst_cases", "training_curves"),
    *("localisation", "embeddings"),
)


def test_the_list_of_figures_is_the_one_that_the_workflow_declares() -> None:
    assert NAMES == DECLARED


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_draws_the_synthetic_results(name: str, results: Results) -> None:
    figure = FIGURES[name].draw(results)
    figure.draw_without_rendering()
    assert figure.axes
    assert RESEARCH_USE in [text.get_text() for text in figure.texts]


def test_an_experiment_of_baselines_still_has_every_figure(results: Results) -> None:
    baselines = replace(results, models=("unet",))
    for name in ("localisation", "embeddings"):
        assert "no instance stream" in FIGURES[name].draw(baselines).texts[0].get_text()


def test_captions_are_sentences() -> None:
    for figure in FIGURES.values():
        assert figure.caption[0].isupper()
        assert figure.caption.endswith(".")


def test_landmarks_name_worst_median_and_best_and_one_scan_is_named_once(results: Results) -> None:
    ranking = results.ranking("siil")
    assert [(word, row["case"]) for word, row in _landmarks(ranking)] == [
        ("worst", "spine_b"),
        ("median", "spine_c"),
        ("best", "spine_a"),
    ]
    assert [word for word, _ in _landmarks(ranking.head(1))] == ["worst"]
    assert _landmarks(ranking.head(0)) == []


def test_the_table_of_figures_does_not_import_matplotlib() -> None:
    import subprocess
    import sys

    code = "import sys, siil.report.figures; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_draws_repeats_and_shows_scans_of_the_first(name: str, repeated: Results) -> None:
    assert repeated.ranking("siil")["case"].tolist() == ["spine_b", "spine_c", "spine_a"]
    assert FIGURES[name].draw(repeated).axes
