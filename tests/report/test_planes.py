import numpy as np

from siil.report.planes import coronal, sagittal, spine_path, window


def test_the_path_follows_the_columns_of_a_leaning_spine() -> None:
    labels = np.zeros((40, 11, 21), np.uint8)
    for z in range(40):
        labels[z, 4:7, 5 + z // 4 : 8 + z // 4] = 1
    y, x = spine_path(labels, spacing_mm=15.0)
    assert set(y[5:35]) <= {4, 5}
    assert np.abs(x[5:35] - (6 + np.arange(5, 35) // 4)).max() <= 1


def test_slices_without_a_vertebra_lie_between_their_neighbours() -> None:
    labels = np.zeros((30, 9, 30), np.uint8)
    labels[2, 4, 5] = labels[27, 4, 25] = 1
    _, x = spine_path(labels, spacing_mm=100.0)
    assert x[2] == 5
    assert x[27] == 25
    assert x[14] == 15  # 5 + 20 * 12 / 25, rounded


def test_without_a_vertebra_the_path_is_the_middle() -> None:
    y, x = spine_path(np.zeros((3, 8, 6), np.uint8), spacing_mm=1.0)
    assert list(y) == [4, 4, 4]
    assert list(x) == [3, 3, 3]


def test_planes_take_one_line_of_each_slice() -> None:
    volume = np.arange(24).reshape(2, 3, 4)
    assert sagittal(volume, np.array([1, 3])).tolist() == [[1, 5, 9], [15, 19, 23]]
    assert coronal(volume, np.array([0, 2])).tolist() == [[0, 1, 2, 3], [20, 21, 22, 23]]


def test_the_window_keeps_a_margin_inside_the_image() -> None:
    labels = np.zeros((2, 20), int)
    labels[0, 3] = labels[1, 10] = 5
    assert window(labels, margin_vox=4) == slice(0, 15)
    assert window(np.zeros((2, 20), int), margin_vox=4) == slice(0, 20)
