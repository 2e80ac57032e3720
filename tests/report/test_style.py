from pathlib import Path

from matplotlib.figure import Figure

from siil.anatomy import BY_NAME, CLASSES
from siil.report.style import blank, nothing_to_show, save, styled, vertebra_colour, vertebra_map
from siil.run.provenance import RESEARCH_USE


@styled
def _line() -> Figure:
    figure = blank(height_in=2)
    figure.subplots().plot([0, 1], [1, 0])
    return figure


def test_the_same_figure_is_the_same_bytes_each_time_and_says_nothing_of_date_or_software(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in save(_line(), tmp_path / "one", "line")]
    second = [path.read_bytes() for path in save(_line(), tmp_path / "two", "line")]
    assert first == second
    assert first[0].startswith(b"\x89PNG")
    assert first[1].startswith(b"%PDF")
    for word in (b"matplotlib", b"Matplotlib", b"CreationDate", b"Software"):
        assert word not in first[0] + first[1]


def test_every_styled_figure_carries_the_research_use_line_once() -> None:
    assert [text.get_text() for text in _line().texts].count(RESEARCH_USE) == 1


def test_the_house_style_does_not_leak_out_of_a_figure() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    _line()
    assert dict(matplotlib.rcParams) == before


def test_an_empty_figure_says_why() -> None:
    assert nothing_to_show("No scan.").texts[0].get_text() == "No scan."


def test_vertebrae_have_the_colours_of_the_anatomy_table_and_background_is_transparent() -> None:
    index = BY_NAME["L3"].index
    colours = vertebra_map()
    assert colours.N == CLASSES
    assert colours(0)[3] == 0
    assert tuple(colours(index)[:3]) == vertebra_colour(index)
    assert vertebra_colour(index) == tuple(value / 255 for value in BY_NAME["L3"].colour)
