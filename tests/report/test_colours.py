from siil.anatomy import BY_NAME, VERTEBRAE
from siil.report.colours import code_colours, itksnap_labels, niivue_labels, slicer_table
from siil.run.provenance import RESEARCH_USE


def test_every_vertebra_sacrum_and_coccyx_have_a_colour_of_their_own() -> None:
    rows = code_colours()
    assert [code for code, _, _ in rows] == list(range(1, 29))
    assert len({colour for _, _, colour in rows}) == len(VERTEBRAE) + 2


def test_slicers_table_has_code_name_and_rgba() -> None:
    red, green, blue = BY_NAME["T13"].colour
    lines = slicer_table().splitlines()
    assert RESEARCH_USE in lines[0]
    assert lines[1] == "0 background 0 0 0 0"
    assert lines[-1] == f"28 T13 {red} {green} {blue} 255"


def test_itk_snaps_labels_have_eight_fields() -> None:
    rows = [line for line in itksnap_labels().splitlines() if not line.startswith("#")]
    assert len(rows) == 29
    assert rows[0].split('"')[1] == "Clear Label"
    red, green, blue = BY_NAME["C1"].colour
    assert rows[1].split() == ["1", str(red), str(green), str(blue), "1", "1", "1", '"C1"']


def test_the_viewers_map_is_dense_from_zero_with_a_transparent_background() -> None:
    table = niivue_labels()
    assert table["I"] == list(range(29))
    assert table["A"] == [0] + [255] * 28
    assert table["labels"][22] == "L3"
