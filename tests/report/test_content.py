import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd

from siil.report.content import (
    BEST,
    DOWNLOADS,
    SCANS,
    WORST,
    build_page,
    case_rows,
    headline,
    inline_scans,
    scans_text,
    shown_rows,
    table_block,
)
from siil.report.page import CaseRow, render_page
from siil.report.results import Results


def _with_viewers(results: Results, count: int) -> Results:
    return replace(results, settings=results.settings.model_copy(update={"viewer_cases": count}))


def test_the_headline_takes_means_and_intervals_from_the_summary() -> None:
    row = {"model": "siil", "space": "work", "metric": "dice", "mean": 0.8765, "low": 0.8, "high": 0.95, "n": 12}
    other = row | {"model": "unet", "mean": 0.1}
    (number,) = headline(pd.DataFrame([row, other]), model="siil", confidence=0.95)
    assert (number.label, number.value) == ("Dice per vertebra", "0.876")
    assert number.detail == "working grid, 95%: 0.800 to 0.950, n = 12"


def test_an_interval_that_does_not_exist_is_left_out() -> None:
    row = {"model": "siil", "space": "work", "metric": "dice", "mean": 0.5, "low": None, "high": None, "n": 1}
    (number,) = headline(pd.DataFrame([row]), model="siil", confidence=0.95)
    assert number.detail == "working grid, n = 1"


def test_a_table_takes_title_and_notes_from_the_markdown_and_finds_its_columns_of_numbers() -> None:
    frame = pd.DataFrame({"Model": ["siil"], "Dice": ["0.91 ± 0.02 [0.89, 0.93]"], "HD95 (mm)": ["–"]})
    text = "# Comparison\n\n| Model |\n|---|\n| siil |\n\nA note.\n\nResearch use only, not a medical device.\n"
    block = table_block("comparison", frame, markdown=text)
    assert (block.title, block.caption) == ("Comparison", "A note.")
    assert block.numeric == (False, True, True)


def test_of_many_scans_the_worst_and_the_best_of_each_model_are_shown_and_all_can_be_saved() -> None:
    sizes = {"siil": 1005, "unet": 100}
    rows = [
        CaseRow(f"s{n}", model, ((f"s{n}", f"s{n}"), (model, model), (f"0.{n}", n)), "", False)
        for model, count in sizes.items()
        for n in range(count)
    ]
    shown = shown_rows(rows)
    own = [row.case for row in shown if row.model == "siil"]
    assert own == [*(f"s{n}" for n in range(WORST)), *(f"s{n}" for n in range(1005 - BEST, 1005))]
    assert [row.case for row in shown if row.model == "unet"] == [f"s{n}" for n in range(100)]
    lines = scans_text(rows).splitlines()
    assert lines[0].startswith("scan\tmodel\tfold\t")
    assert lines[1005] == "s1004\tsiil\t0.1004"
    assert len(lines) == 1 + 1105


def test_a_page_of_many_scans_says_how_many_it_shows_and_offers_all(results: Results) -> None:
    page = build_page(results, experiment="demo", description="", tables=[], figures={})
    assert page.all_cases == len(page.cases)
    assert SCANS in page.downloads
    assert "Every tested scan with its scores" in render_page(page)
    text = render_page(replace(page, all_cases=4020))
    assert f"{len(page.cases)} of 4020 rows" in text
    assert 'download="siil_scans.tsv">siil_scans.tsv</a>)' in text


def test_scans_are_listed_worst_first_with_their_faults(results: Results) -> None:
    rows = case_rows(results, {})
    assert [(row.case, row.model) for row in rows[:3]] == [
        ("spine_b", "siil"),
        ("spine_c", "siil"),
        ("spine_a", "siil"),
    ]
    worst = [text for text, _ in rows[0].cells]
    assert worst == [
        "spine_b",
        "siil",
        "1",
        "0.000",
        "0.930",
        "0.000",
        "0.000",
        "4",
        "4",
        "+1",
        "uncertain",
    ]
    assert [row.troubled for row in rows[:3]] == [True, True, False]


def test_viewers_go_to_the_worst_and_the_best_scan_first(results: Results) -> None:
    assert list(inline_scans(results, count=2)) == ["spine_b", "spine_a"]
    assert list(inline_scans(results, count=99)) == ["spine_b", "spine_a", "spine_c"]
    assert inline_scans(results, count=0) == {}


def test_the_page_holds_every_figure_by_name_even_when_its_file_is_missing(results: Results) -> None:
    page = build_page(
        _with_viewers(results, 1), experiment="demo", description="A test.", tables=[], figures={"confusion": b"png"}
    )
    shown = {figure.name: figure.png for figure in page.figures}
    assert shown["confusion"] == b"png"
    assert shown["overlays"] is None
    assert [row.viewer for row in page.cases if row.viewer] == ["spine_b"]
    assert page.versions == {"python": "3.11.7", "torch": "2.13.0"}
    assert "learning_rate: 0.002" in page.config
    assert [(row.stage, row.model, row.fold) for row in page.ran][:2] == [("train", "siil", "0"), ("test", "siil", "0")]
    assert set(page.downloads) == {*DOWNLOADS, SCANS}


def test_the_page_of_repeats_lists_each_scan_once_and_every_training(
    results: Results, repeated: Results, tmp_path: Path
) -> None:
    moved = replace(_with_viewers(repeated, 0), results=shutil.copytree(results.results, tmp_path / "demo"))
    shutil.copytree(moved.results / "train/siil", moved.results / "train/siil@1")
    page = build_page(moved, experiment="demo", description="A test.", tables=[], figures={})
    assert (page.scans, page.repeats) == (3, 2)
    assert len(page.cases) == 2 * 3
    assert ("train", "siil@1") in {(row.stage, row.model) for row in page.ran}
    assert "was trained 2 times on each fold" in render_page(page)
    once = build_page(_with_viewers(results, 0), experiment="demo", description="A test.", tables=[], figures={})
    assert "was trained" not in render_page(once)
