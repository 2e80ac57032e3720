import numpy as np
import pytest

from siil.training import augment
from siil.training.case_store import make_case
from siil.training.patches import cut
from siil.training.seed import Stream, generator
from tests.training.doubles import make_settings

SETTINGS = make_settings().augment
PATCH = (32, 24, 24)


def asymmetric_case():
    """A bright label 1 on the patient's left of label 2, image brightness tied to the label."""
    labels = np.zeros((48, 40, 40), np.uint8)
    labels[16:32, 14:26, 21:29] = 1
    labels[16:32, 14:26, 11:19] = 2
    image = np.choose(labels, [-100, 900, 400]).astype(np.int16)
    return make_case("a", image=image, labels=labels, pap=np.ones(labels.shape, np.float32))


def draw_kind(kind: str, start: int = 0) -> augment.Augmentation:
    settings = SETTINGS.model_copy(update={"probability": 1.0})
    for number in range(start, start + 100):
        random = generator(0, Stream.AUGMENT, number)
        drawn = augment.draw_augmentation(random, settings=settings, patch_vox=PATCH, spacing_mm=3.0)
        if drawn.kind == kind:
            return drawn
    raise AssertionError(kind)


def test_three_in_ten_patches_are_changed_by_each_kind_alike() -> None:
    settings = SETTINGS.model_copy(update={"probability": 0.3})
    kinds = [
        augment.draw_augmentation(
            generator(0, Stream.AUGMENT, n), settings=settings, patch_vox=(4, 4, 4), spacing_mm=3.0
        ).kind
        for n in range(3000)
    ]
    assert 0.27 < np.mean([kind != "none" for kind in kinds]) < 0.33
    for kind in ("affine", "elastic", "noise"):
        assert 0.08 < kinds.count(kind) / 3000 < 0.12


@pytest.mark.parametrize("kind", ["affine", "elastic"])
def test_labels_move_with_the_image(kind: str) -> None:
    image, labels = cut(asymmetric_case(), centre=(24, 20, 20), change=draw_kind(kind), patch_vox=PATCH, air_hu=-500)
    plain_image, _ = cut(
        asymmetric_case(), centre=(24, 20, 20), change=augment.Augmentation("none"), patch_vox=PATCH, air_hu=-500
    )
    assert not np.array_equal(image, plain_image)
    assert set(np.unique(labels)) == {0, 1, 2}
    by_brightness = np.digitize(image, [150, 650])  # 0 background, 1 label 2, 2 label 1
    agree = np.array([0, 2, 1])[by_brightness] == labels
    assert agree.mean() > 0.95  # the rest is the linear ramp at the edges
    inside = labels == 1
    assert np.median(image[inside]) == pytest.approx(900, abs=1)


def test_left_stays_left_whatever_is_drawn() -> None:
    case, settings = asymmetric_case(), SETTINGS.model_copy(update={"probability": 1.0})
    for number in range(60):
        change = augment.draw_augmentation(
            generator(1, Stream.AUGMENT, number), settings=settings, patch_vox=PATCH, spacing_mm=3.0
        )
        _, labels = cut(case, centre=(24, 20, 20), change=change, patch_vox=PATCH, air_hu=-500)
        assert np.argwhere(labels == 1)[:, 2].mean() > np.argwhere(labels == 2)[:, 2].mean() + 4


def test_matrices_turn_at_most_ten_degrees_and_scale_by_at_most_a_tenth() -> None:
    for number in range(200):
        matrix = augment.draw_matrix(generator(0, Stream.AUGMENT, number), settings=SETTINGS)
        scales = np.linalg.norm(matrix, axis=0)
        assert (scales >= 0.9 - 1e-9).all()
        assert (scales <= 1.1 + 1e-9).all()
        assert np.linalg.det(matrix) > 0
        assert (np.diag(matrix / scales) > np.cos(np.radians(10)) ** 2 - 1e-9).all()


def test_positions_of_the_identity_read_the_plain_crop() -> None:
    case = asymmetric_case()
    positions = augment._grid(PATCH, np.eye(3))
    same = augment.Augmentation("affine", positions_vox=positions)
    centre = (3, 38, 20)  # the patch sticks out of the scan on two sides
    image, labels = cut(case, centre=centre, change=same, patch_vox=PATCH, air_hu=-500)
    plain = cut(case, centre=centre, change=augment.Augmentation("none"), patch_vox=PATCH, air_hu=-500)
    np.testing.assert_allclose(image, plain[0], atol=0.05)
    np.testing.assert_array_equal(labels, plain[1])


def test_resampling_reads_half_way_between_two_voxels() -> None:
    array = np.zeros((4, 4, 4), np.int16)
    array[1, 2, 3] = 100
    at = np.array([1.0, 2.0, 2.5], np.float32).reshape(3, 1, 1, 1)
    read = augment.resample(array, centre=(0, 0, 0), positions_vox=at, fill=0, nearest=False)
    assert read.item() == pytest.approx(50, abs=1e-3)


def test_elastic_displacement_has_its_standard_deviation_at_the_control_points() -> None:
    settings = SETTINGS.model_copy(update={"probability": 1.0})
    moves = []
    for number in range(300):
        random = generator(5, Stream.AUGMENT, number)
        drawn = augment.draw_augmentation(random, settings=settings, patch_vox=(9, 9, 9), spacing_mm=3.0)
        if drawn.kind == "elastic":
            moves.append((drawn.positions_vox - augment._grid((9, 9, 9), np.eye(3)))[:, 0, 0, 0])
    assert np.std(moves) * 3.0 == pytest.approx(2.0, rel=0.15)  # mm


def test_noise_leaves_labels_alone_and_has_its_strength() -> None:
    change = draw_kind("noise")
    case = asymmetric_case()
    image, labels = cut(case, centre=(24, 20, 20), change=change, patch_vox=PATCH, air_hu=-500)
    plain = cut(case, centre=(24, 20, 20), change=augment.Augmentation("none"), patch_vox=PATCH, air_hu=-500)
    np.testing.assert_array_equal(labels, plain[1])
    assert np.std(image - plain[0]) == pytest.approx(30, rel=0.05)


def test_crop_outside_the_array_is_fill() -> None:
    array = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    out = augment.crop(array, start=(-1, 0, 1), size=(2, 2, 2), fill=-9)
    np.testing.assert_array_equal(out, [[[-9, -9], [-9, -9]], [[1, -9], [3, -9]]])
    assert (augment.crop(array, start=(5, 0, 0), size=(1, 1, 1), fill=-9) == -9).all()


def test_a_shortened_patch_is_a_slab_around_its_centre_with_air_and_background_beyond() -> None:
    image, labels = np.full((32, 4, 4), 0.5, np.float32), np.full((32, 4, 4), 3, np.uint8)
    heights, ends = set(), set()
    for number in range(300):
        short, named = augment.shorten(image, labels, generator(0, Stream.SHORTEN, number), probability=1)
        kept = np.flatnonzero((short == 0.5).all(axis=(1, 2)))
        assert kept[0] <= 16 <= kept[-1]
        assert (np.diff(kept) == 1).all()
        beyond = np.setdiff1d(np.arange(32), kept)
        assert (short[beyond] == -1).all()
        assert (named[beyond] == 0).all()
        assert (named[kept] == 3).all()
        heights.add(len(kept))
        ends.add((kept[0] > 0, kept[-1] < 31))
    assert min(heights) <= 5
    assert max(heights) > 28
    assert ends >= {(True, True), (True, False), (False, True)}
    assert (image == 0.5).all()


def test_patches_are_shortened_with_their_probability() -> None:
    image, labels = np.full((16, 2, 2), 0.5, np.float32), np.zeros((16, 2, 2), np.uint8)
    drawn = [
        augment.shorten(image, labels, generator(0, Stream.SHORTEN, n), probability=0.3)[0] is not image
        for n in range(2000)
    ]
    assert 0.27 < np.mean(drawn) < 0.33
    assert augment.shorten(image, labels, generator(0, Stream.SHORTEN, 0), probability=0) == (image, labels)
