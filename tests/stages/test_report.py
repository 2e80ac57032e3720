from pathlib import Path

import pytest

from siil import config as configuration
from siil.errors import DatasetError
from siil.run.pipeline import BY_NAME
from siil.stages.report import report
from tests.report.synthetic import MODELS, Tree, make_results


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return make_results(tmp_path_factory.mktemp("synthetic"))


def _config() -> configuration.Config:
    resolved = configuration.resolve("demo", overrides={"models": list(MODELS)})
    return configuration.partial(configuration.sections(resolved, BY_NAME["report"].sections))


def _run(tree: Tree, folder: Path, aggregate: Path) -> Path:
    page = folder / "report" / "index.html"
    report(
        config=_config(),
        aggregate=aggregate,
        tables=folder / "tables",
        figures=folder / "figures",
        results=tree.results,
        data=tree.data,
        output=page,
    )
    return page


def test_the_page_its_colour_tables_and_its_record_are_written(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "comparison.csv").write_text("Model,Dice\nsiil,0.912\n", encoding="utf-8")
    (tmp_path / "tables" / "comparison.md").write_text("# Comparison of models\n\nA note.\n", encoding="utf-8")
    (tmp_path / "tables" / "stale.csv").write_text("Model,Dice\nold,0.5\n", encoding="utf-8")
    page = _run(tree, tmp_path, tree.aggregate)
    text = page.read_text(encoding="utf-8")
    assert {path.name for path in page.parent.iterdir()} == {
        *("index.html", "run.json", "siil_scans.tsv", "siil_slicer.ctbl", "siil_itksnap.txt")
    }
    assert "Comparison of models" in text
    assert "A note." in text
    assert "stale" not in text  # only tables that the experiment declares
    assert "comparison.png is missing" in text
    assert text.count(">View</button>") == 3


def test_a_missing_table_leaves_nothing_behind(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="run the aggregate step first"):
        _run(tree, tmp_path, tmp_path)
    assert not (tmp_path / "report").exists()
