"""The second look: what it finds wins, neighbours share no voxel and leave no gap, names never change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siil.errors import WeightsError
from siil.inference.crops import Crop
from siil.inference.pieces import connected, one_piece_each
from siil.inference.second_look import batches, look_again, stack
from siil.model.second_look import SecondLookWeights
from siil.scan.geometry import Geometry
from siil.scan.grid import Grid, Volume
from siil.scan.undo import SoftMap

ABOUT = SecondLookWeights(widths=(4, 4, 4), spacing_mm=1.0, margin_mm=20.0, window_hu=(-300.0, 1300.0))
BONE, SOFT = 700, 40


class Bright(nn.Module):
    """Takes bone for this vertebra where the first look saw more of it around than of another."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        bone = inputs[:, 0] > -0.1
        around = functional.avg_pool3d(inputs[:, 1:], 15, stride=1, padding=7)
        mine = around[:, 0] > around[:, 1]
        return 20.0 * torch.stack([~bone, bone & mine, bone & ~mine], dim=1).float()


class Always(nn.Module):
    """The same three logits everywhere."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.tensor(self.logits).reshape(1, 3, 1, 1, 1).expand(len(inputs), 3, *inputs.shape[2:])


def two_blocks(spacing_zyx: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> tuple[Volume, list[SoftMap], Geometry]:
    """Two blocks of bone of 20 x 20 x 14 mm that touch, seen by the first look at 4 mm and a voxel too small."""
    shape = tuple(round(60 / mm) for mm in spacing_zyx)
    source = Grid(shape, spacing_zyx, tuple(mm / 2 for mm in spacing_zyx[::-1]))
    z, y, x = ((np.arange(n) + 0.5) * mm for n, mm in zip(shape, spacing_zyx, strict=True))
    bone = (
        ((z > 16) & (z < 44))[:, None, None] & ((y > 20) & (y < 40))[None, :, None] & ((x > 20) & (x < 40))[None, None]
    )
    image = Volume(np.where(bone, BONE, SOFT).astype(np.int16), source)
    working = Grid((15, 15, 15), (4.0, 4.0, 4.0), (2.0, 2.0, 2.0))
    low = SoftMap(21, (5, 6, 6), np.ones((2, 3, 3), np.float32))  # 20 to 28 mm
    high = SoftMap(20, (8, 6, 6), np.ones((2, 3, 3), np.float32))  # 32 to 40 mm
    return image, [high, low], Geometry(source, working)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.5), (0.8, 1.25, 1.25)])
def test_touching_blocks_are_found_whole_without_overlap_or_gap(spacing):
    image, maps, geometry = two_blocks(spacing)
    found = look_again(Bright(), image, maps, geometry, about=ABOUT)
    assert found.first_look == frozenset()
    assert found.seg.grid == image.grid
    bone = image.array == BONE
    wrong = ((found.seg.array > 0) != bone).mean()
    assert wrong < 0.012  # the rim of a voxel of another size
    assert set(np.unique(found.seg.array)) == {0, 20, 21}
    cm3 = np.prod(spacing) / 1000
    assert (found.seg.array == 20).sum() * cm3 == pytest.approx(5.6, rel=0.1)
    middle = found.seg.array[round(30 / spacing[0])]
    y, x = (slice(round(23 / mm), round(37 / mm)) for mm in spacing[1:])
    assert (middle[y, x] > 0).all()  # no gap where they touch


def test_a_vertebra_that_its_neighbour_takes_whole_stays_as_the_first_saw_it():
    image, _, geometry = two_blocks()
    around = np.ones((6, 5, 5), np.float32)
    around[2, 2, 2] = 0
    large, small = SoftMap(21, (4, 5, 5), around), SoftMap(20, (6, 7, 7), np.ones((1, 1, 1), np.float32))
    about = replace(ABOUT, margin_mm=4.0)  # the crop of the small one lies in that of the large one
    found = look_again(Always(0.0, 9.0, 0.0), image, [large, small], geometry, about=about)
    assert found.first_look == {20}
    assert np.argwhere(found.seg.array == 20).mean(axis=0).tolist() == [25.5, 29.5, 29.5]


def test_what_the_second_look_does_not_find_stays_as_the_first_saw_it_and_is_named():
    image, maps, geometry = two_blocks()
    found = look_again(Always(9.0, 0.0, 0.0), image, maps, geometry, about=ABOUT)
    assert found.first_look == {20, 21}
    assert (found.seg.array == 20).sum() == pytest.approx(8 * 12 * 12, rel=0.15)


def test_a_coarse_scan_keeps_the_first_look():
    image, maps, geometry = two_blocks((3.0, 3.0, 3.0))
    found = look_again(Always(0.0, 9.0, 0.0), image, maps, geometry, about=ABOUT)
    assert found.first_look == {20, 21}


def test_a_scan_without_vertebrae_has_no_labels():
    image, _, geometry = two_blocks()
    found = look_again(Bright(), image, [], geometry, about=ABOUT)
    assert not found.seg.array.any()
    assert found.seg.array.shape == image.array.shape


def test_an_answer_that_is_no_number_is_said():
    image, maps, geometry = two_blocks()
    with pytest.raises(WeightsError, match="NaN"):
        look_again(Always(float("nan"), 0.0, 0.0), image, maps, geometry, about=ABOUT)


def test_bone_apart_from_the_vertebra_is_not_its():
    image, maps, geometry = two_blocks()
    image.array[44:48, 44:48, 44:48] = BONE
    found = look_again(Bright(), image, maps, geometry, about=ABOUT)
    assert not found.seg.array[44:48, 44:48, 44:48].any()


def test_told_counts_every_crop():
    heard: list[tuple[int, int]] = []
    image, maps, geometry = two_blocks()
    look_again(Bright(), image, maps, geometry, about=ABOUT, told=lambda done, total: heard.append((done, total)))
    assert heard[0] == (0, 2)
    assert heard[-1] == (2, 2)


def crop(shape: tuple[int, int, int], code: int = 20) -> Crop:
    blank = np.zeros(shape, np.uint8)
    return Crop(code, (0, 0, 0), Grid(shape, (1.0,) * 3), np.full(shape, SOFT, np.int16), blank, blank.copy())


def test_crops_of_like_size_go_together_and_none_is_lost():
    crops = [crop((16, 16, 16), 1), crop((40, 40, 40), 2), crop((14, 16, 15), 3), crop((39, 40, 40), 4)]
    made = [[one.code for one in batch] for batch in batches(crops, 200_000)]
    assert sorted(map(sorted, made)) == [[1, 3], [2, 4]]
    assert [len(batch) for batch in batches(crops, 1)] == [1, 1, 1, 1]


def test_a_crop_is_padded_to_what_the_network_takes_by_its_border():
    one = crop((9, 16, 20))
    one.image[-1] = 1300
    inputs = stack([one], (-300.0, 1300.0))
    assert inputs.shape == (1, 3, 16, 16, 24)
    assert (inputs[0, 0, 8:, :16, :20] == 1).all()
    assert inputs[0, 0, 0, 0, 23] == pytest.approx(-1 + 2 * 340 / 1600)


def test_of_a_cut_vertebra_every_piece_counts_that_the_first_look_saw():
    one = crop((8, 8, 8))
    chance = np.zeros((8, 8, 8), np.float16)
    chance[:2, :2, :2] = chance[5:, 5:, 5:] = chance[:2, 6:, 6:] = 0.9
    one.own[:1] = 255
    one.own[5:, 5:, 5:] = 200
    one.own[:2, 6:, 6:] = 0
    pieces = connected(chance, one, whole=False)
    assert pieces[0, 0, 0] > 0.8
    assert pieces[6, 6, 6] > 0.8
    assert pieces[0, 7, 7] == 0
    whole = connected(chance, one, whole=True)
    assert (whole > 0).sum() == 27
    assert whole[6, 6, 6] > 0.8


def test_a_piece_that_the_vote_cut_off_goes_to_the_label_around_it():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[1:5, 1:11, 1:11] = 20
    labels[7:11, 1:11, 1:11] = 21
    labels[8, 5, 5] = 20
    labels[11, 11, 11] = 20
    expected = labels.copy()
    expected[8, 5, 5] = expected[11, 11, 11] = 21  # the second touches 21 by a corner
    one_piece_each(labels)
    assert (labels == expected).all()


def test_a_cut_vertebra_keeps_the_pieces_that_reach_the_border_and_no_specks():
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:4, 1:8, 1:8] = 20  # 196 voxels at the border
    labels[0, 10, 9:11] = 20  # a process that comes into view: 1 %, at the border
    labels[0, 11, 1] = 20  # a speck at the border
    labels[8:11, 2:5, 2:5] = 20  # inside, apart from the rest
    expected = labels.copy()
    expected[0, 11, 1] = 0
    expected[8:11, 2:5, 2:5] = 0
    one_piece_each(labels, in_pieces={20})
    assert (labels == expected).all()
