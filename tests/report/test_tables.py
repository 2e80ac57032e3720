"""Tables: what stands where, checked by hand on a handful of rows."""

from __future__ import annotations

import pandas as pd
import pytest

from siil.config.schema.report import Report
from siil.report.cells import NONE, Table
from siil.report.tables import (
    NAMES,
    ablation,
    comparison,
    is_baseline,
    make_tables,
    paired,
    per_region,
    per_vertebra,
)
from tests.report.rows_by_hand import again, history, scans, vertebrae

SETTINGS = Report(bootstrap=1000, confidence=0.95, seed=0, viewer_cases=0)


def column(table: Table, heading: str) -> list[str]:
    return [row[table.columns.index(heading)] for row in table.rows]


def row(table: Table, *start: str) -> dict[str, str]:
    (found,) = [line for line in table.rows if line[: len(start)] == start]
    return dict(zip(table.columns, found, strict=True))


def test_all_tables_are_made_in_their_order_even_for_one_model() -> None:
    made = make_tables(vertebrae=vertebrae("siil"), scans=scans("siil"), history=history("siil"), settings=SETTINGS)
    assert tuple(table.name for table in made) == NAMES
    assert all(table.notes for table in made)


def test_every_row_is_as_long_as_the_headings() -> None:
    models = ("siil", "no_gru", "unet_wide")
    frames = {"vertebrae": vertebrae(*models), "scans": scans(*models), "history": history(*models)}
    for table in make_tables(**frames, settings=SETTINGS):
        assert table.rows
        assert {len(line) for line in table.rows} == {len(table.columns)}


def test_comparison_sets_both_grids_beside_the_ceiling_which_stands_once() -> None:
    table = comparison(scans("siil", "unet_wide"), vertebrae("siil", "unet_wide"), settings=SETTINGS)
    assert [line[:3] for line in table.rows] == [
        ("siil", "input's", "3"),
        ("unet_wide", "input's", "3"),
        ("perfect working-grid map", "input's", "3"),
        ("siil", "working", "3"),
        ("unet_wide", "working", "3"),
    ]
    assert row(table, "siil", "working")["Dice (0-1)"].startswith("0.800 ± 0.100 [0.7")
    assert row(table, "siil", "input's")["Dice (0-1)"].startswith("0.700 ± 0.100 [")
    assert row(table, "perfect working-grid map")["Dice (0-1)"].startswith("0.850 ± 0.100 [")


def test_the_first_look_stands_below_the_second_on_the_scans_own_grid() -> None:
    both = scans("siil")
    first = both[both["space"] == "input"].assign(space="first")
    first["dice"] -= 0.3
    table = comparison(pd.concat([both, first]), vertebrae("siil"), settings=SETTINGS)
    assert [line[1] for line in table.rows] == ["input's", "input's, first look", "input's", "working"]
    assert row(table, "siil", "input's, first look")["Dice (0-1)"].startswith("0.400 ± 0.100 [")


def test_the_ablation_is_on_the_grid_of_the_scan_where_that_was_scored() -> None:
    both = scans("siil", "no_gru")
    own = (both["model"] == "no_gru") & (both["space"] == "input")
    both.loc[own, "dice"] += 0.2
    found = ablation(both, settings=SETTINGS)
    assert row(found, "no_gru")["Change of Dice (0-1)"].startswith("+0.")
    assert found.notes[0].startswith("Input's grid.")
    alone = ablation(both[both["space"] != "input"], settings=SETTINGS)
    assert alone.notes[0].startswith("Working grid.")
    assert column(alone, "Dice (0-1)")[0].startswith("0.800")


def test_headings_carry_units_and_the_surface_dice_stands_behind_the_dice() -> None:
    columns = comparison(scans("siil"), vertebrae("siil"), settings=SETTINGS).columns
    assert columns[columns.index("Dice (0-1)") + 1] == "NSD 1 mm (0-1)"
    assert "HD95 (mm)" in columns
    assert all(c.endswith((" (mm)", " (0-1)")) for c in columns[3:])


def test_averaging_by_level_changes_what_is_measured_on_vertebrae_and_says_so() -> None:
    # siil: L1 0.9, 0.8, 0.7; L2 0.9, 0.8, missed; T12 0.45; L3 invented: levels 0.8, 1.7/3, 0.45, 0
    by_level = SETTINGS.model_copy(update={"averaging": "levels"})
    table = comparison(scans("siil"), vertebrae("siil"), settings=by_level)
    assert row(table, "siil", "working")["Dice (0-1)"].startswith(f"{(0.8 + 1.7 / 3 + 0.45) / 4:.3f} ± ")
    plain = comparison(scans("siil"), vertebrae("siil"), settings=SETTINGS)
    assert [line[-1] for line in table.rows] == [line[-1] for line in plain.rows]  # scans all right
    assert "means over levels" in table.notes[-1]
    assert not any("means over levels" in note for note in plain.notes)


def test_a_share_of_scans_is_the_mean_of_a_flag() -> None:
    table = comparison(scans("siil"), vertebrae("siil"), settings=SETTINGS)
    assert row(table, "siil", "working")["Scans all right (0-1)"].startswith("0.333")


def test_paired_compares_every_other_model_with_the_first_on_each_grid() -> None:
    table = paired(scans("siil", "no_gru"), settings=SETTINGS)
    assert set(column(table, "Against")) == {"siil"}
    assert set(column(table, "Grid")) == {"working", "input's"}
    found = row(table, "no_gru", "siil", "working", "Dice (0-1)")
    # patients lose 0.1, 0.2 and 0: the interval of three draws goes from none to the most that one loses
    assert (found["Patients"], found["Difference"]) == ("3", "-0.100 [-0.200, +0.000]")
    assert found["p, Holm-corrected"] == "1.000"


def test_paired_says_so_when_there_is_nothing_to_compare() -> None:
    table = paired(scans("siil"), settings=SETTINGS)
    assert table.rows == ()
    assert "Only one model was run (siil)" in table.notes[0]


def test_ablation_holds_the_variants_of_siil_and_no_baseline() -> None:
    table = ablation(scans("siil", "no_gru", "unet_wide"), settings=SETTINGS)
    assert column(table, "Variant") == ["siil", "no_gru"]
    assert column(table, "Change of Dice (0-1)")[0] == NONE
    assert column(table, "Change of Dice (0-1)")[1].startswith("-0.100 [-0.200, +0.000] (p = ")


@pytest.mark.parametrize(
    ("models", "said"), [(("siil", "unet_wide"), "Only one variant"), (("unet_wide",), "No variant")]
)
def test_ablation_says_so_when_there_are_not_two_variants(models: tuple[str, ...], said: str) -> None:
    table = ablation(scans(*models), settings=SETTINGS)
    assert table.rows == ()
    assert said in table.notes[0]


def test_baselines_are_known_by_name() -> None:
    assert is_baseline("unet")
    assert is_baseline("swin_unetr_large")
    assert not is_baseline("siil")
    assert not is_baseline("no_mill")


def test_per_vertebra_goes_down_the_spine_and_counts_missed_and_invented() -> None:
    table = per_vertebra(vertebrae("siil"), settings=SETTINGS)
    assert column(table, "Level") == ["T12", "L1", "L2", "L3"] * 2
    level = row(table, "siil", "working", "L2")
    assert (level["Vertebrae"], level["Missed"], level["Invented"]) == ("3", "1", "0")
    assert level["Dice (0-1)"].startswith("0.567")  # (0.9 + 0.8 + 0) / 3
    assert level["HD95 (mm)"].startswith("2.00")  # over the two that were found
    invented = row(table, "siil", "working", "L3")
    assert (invented["Vertebrae"], invented["Invented"], invented["Dice (0-1)"]) == ("0", "1", NONE)


def test_per_region_keeps_complete_and_cut_apart() -> None:
    table = per_region(vertebrae("siil"), settings=SETTINGS)
    assert row(table, "siil", "working", "thoracic, cut")["Dice (0-1)"] == "0.450"
    assert row(table, "siil", "working", "thoracic")["Vertebrae"] == "1"
    assert row(table, "siil", "working", "all")["Vertebrae"] == "7"
    assert row(table, "siil", "working", "all, complete")["Vertebrae"] == "6"
    assert row(table, "siil", "working", "lumbar")["Invented"] == "1"
    assert "cervical" not in column(table, "Region")
    assert "thoracic, complete" not in column(table, "Region")
    assert "lumbar, cut" not in column(table, "Region")  # the invented L3 is neither


def test_one_scan_has_neither_deviation_nor_interval() -> None:
    frame = scans("siil")
    table = comparison(frame[frame["case"] == "a"], vertebrae("siil"), settings=SETTINGS)
    assert row(table, "siil", "working")["Dice (0-1)"] == "0.900"


def test_repeats_enter_the_means_and_their_scans_count_once() -> None:
    once = scans("siil", "no_gru")
    twice = again(once, dice=once["dice"] - 0.2)
    table = comparison(twice, vertebrae("siil"), settings=SETTINGS)
    assert column(table, "Scans") == ["3"] * len(table.rows)
    assert row(table, "siil", "working")["Dice (0-1)"].startswith("0.700 ± ")
    found = row(paired(twice, settings=SETTINGS), "no_gru", "siil", "working", "Dice (0-1)")
    # patients lose 0.1, 0.2 and 0: the interval of three draws goes from none to the most that one loses
    assert (found["Patients"], found["Difference"]) == ("3", "-0.100 [-0.200, +0.000]")
    assert column(ablation(twice, settings=SETTINGS), "Dice (0-1)")[0].startswith("0.600 ± ")  # on the input's grid


def test_vertebrae_of_repeats_count_once_and_missed_ones_per_training() -> None:
    once = vertebrae("siil")
    first = row(per_vertebra(once, settings=SETTINGS), "siil", "working", "L2")
    level = row(per_vertebra(again(once, predicted=True), settings=SETTINGS), "siil", "working", "L2")
    assert (first["Vertebrae"], first["Missed"]) == ("3", "1")
    assert (level["Vertebrae"], level["Missed"], level["Invented"]) == ("3", "0.5", "0")
    assert row(per_region(again(once), settings=SETTINGS), "siil", "working", "all")["Vertebrae"] == "7"


def test_every_table_of_repeats_says_how_many_trainings() -> None:
    once = {"vertebrae": vertebrae("siil", "no_gru"), "scans": scans("siil", "no_gru")}
    twice = {name: again(frame) for name, frame in once.items()}
    said = "Means over 2 trainings a fold"
    for table in make_tables(**twice, history=history("siil"), settings=SETTINGS)[:-1]:
        assert any(note.startswith(said) for note in table.notes), table.name
    for table in make_tables(**once, history=history("siil"), settings=SETTINGS):
        assert not any("trainings" in note for note in table.notes), table.name
