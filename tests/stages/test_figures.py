from pathlib import Path

import pytest

from siil import config as configuration
from siil.errors import DatasetError
from siil.report.figures import FIGURES
from siil.run.pipeline import BY_NAME
from siil.stages.figures import figures
from tests.report.synthetic import MODELS, Tree, make_results


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return make_results(tmp_path_factory.mktemp("synthetic"))


def _config() -> configuration.Config:
    resolved = configuration.resolve("demo", overrides={"models": list(MODELS)})
    return configuration.partial(configuration.sections(resolved, BY_NAME["figures"].sections))


def test_every_figure_is_written_as_png_and_pdf_beside_one_run_record(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {name: FIGURES[name] for name in ("overlays",)}  # all are drawn in tests/report/test_figures.py
    monkeypatch.setattr("siil.report.figures.FIGURES", some)
    figures(config=_config(), aggregate=tree.aggregate, results=tree.results, data=tree.data, output=tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"overlays.png", "overlays.pdf", "run.json"}


def test_a_missing_table_leaves_nothing_behind(tree: Tree, tmp_path: Path) -> None:
    output = tmp_path / "figures"
    with pytest.raises(DatasetError, match="run the aggregate step first"):
        figures(config=_config(), aggregate=tmp_path, results=tree.results, data=tree.data, output=output)
    assert not output.exists()
