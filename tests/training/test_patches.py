import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from siil.anatomy import LANDMARKS, RIB, SACRUM, UNLABELLED, UNSOUGHT
from siil.errors import DatasetError
from siil.training import augment
from siil.training.case_store import make_case
from siil.training.patches import cut
from tests.training.doubles import PATCH, make_batches, make_settings, no_augment, spine_case

NONE = augment.Augmentation("none")


def test_a_batch_has_its_shapes_types_and_range() -> None:
    batch = make_batches().draw(0)
    assert batch.image.shape == (2, 1, *PATCH)
    assert batch.image.dtype == torch.float32
    assert batch.image.abs().max() <= 1
    assert batch.labels.shape == (2, *PATCH)
    assert batch.labels.dtype == torch.uint8


def test_the_centre_becomes_the_middle_voxel_also_at_the_border() -> None:
    case = spine_case("a")
    case.image[0, 0, 0] = 999
    image, labels = cut(case, centre=(0, 0, 0), change=NONE, patch_vox=PATCH, air_hu=-500)
    assert image[8, 4, 4] == 999
    assert (image[:8] == -500).all()
    assert (labels[:, :4] == 0).all()


def test_air_is_minus_one_after_normalising() -> None:
    case = spine_case("a", shape=(12, 12, 12))
    batches = make_batches(augment=no_augment().model_dump())
    batches = replace(batches, cases={"a": case}, names=("a",), patch_vox=(32, 32, 32))
    batch = batches.draw(0)
    assert batch.image.shape == (2, 1, 32, 32, 32)  # the scan is smaller than the patch
    assert (batch.image[:, :, 0, 0, 0] == -1).all()
    assert (batch.labels > 0).sum(dim=(1, 2, 3)).tolist() == [3 * 3 * 16] * 2


def test_a_shortened_patch_ends_in_air_without_labels() -> None:
    plain, short = (
        make_batches(augment=no_augment().model_dump() | {"shorten": share}).draw(0) for share in (0.0, 1.0)
    )
    changed = plain.image != short.image
    assert changed.any()
    assert (short.image[changed] == -1).all()
    assert (short.labels[changed[:, 0]] == 0).all()
    assert torch.equal(short.labels[~changed[:, 0]], plain.labels[~changed[:, 0]])


def test_every_vertebra_is_met_and_the_lowest_at_the_border_too() -> None:
    batches = make_batches()
    met, centres = set(), set()
    for step in range(150):
        labels = batches.draw(step).labels
        met |= set(np.unique(labels.numpy()))
        centres |= set(labels[:, 8, 4, 4].tolist())
    assert met == {0, 3, 4, 5, 6, 7, 9, 10, 11}
    assert {3, 5, 9} <= centres  # these touch the first slice of their scans


def test_every_case_comes_once_before_any_comes_again() -> None:
    batches = make_batches()
    names = [name for step in range(30) for name in batches.draw(step).cases]
    for first in range(0, 60, 3):
        assert sorted(names[first : first + 3]) == ["a", "b", "c"]
    assert names[:3] != names[3:6] or names[3:6] != names[6:9]


def test_a_batch_depends_on_the_step_alone() -> None:
    batches = make_batches()
    once = batches.draw(5)
    for step in (0, 9, 2):
        batches.draw(step)
    again = batches.draw(5)
    assert torch.equal(once.image, again.image)
    assert torch.equal(once.labels, again.labels)
    assert once.cases == again.cases
    assert not torch.equal(once.image, batches.draw(6).image)
    other = replace(batches, settings=make_settings(seed=4)).draw(5)
    assert not torch.equal(once.image, other.image)


def test_every_step_and_sample_has_a_centre_of_its_own() -> None:
    plain = replace(make_batches(augment=no_augment().model_dump()), cases={"a": spine_case("a")}, names=("a",))
    patches = {sample.numpy().tobytes() for step in range(10) for sample in plain.draw(step).labels}
    assert len(patches) > 15  # 20 centres among 144 voxels; 2 if the step were forgotten


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_threads_change_nothing(ahead: int) -> None:
    batches = make_batches()
    plain = list(batches.stream(2, 9, ahead=0))
    threaded = list(batches.stream(2, 9, ahead=ahead))
    assert [step for step, _ in threaded] == [step for step, _ in plain] == list(range(2, 9))
    for (_, one), (_, two) in zip(plain, threaded, strict=True):
        assert torch.equal(one.image, two.image)
        assert torch.equal(one.labels, two.labels)


def test_two_processes_share_a_batch_without_changing_it() -> None:
    whole = make_batches(batch_size=4).draw(3)
    halves = [replace(make_batches(batch_size=4), rank=rank, world=2).draw(3) for rank in (0, 1)]
    for rank, half in enumerate(halves):
        assert torch.equal(half.image, whole.image[rank::2])
        assert half.cases == whole.cases[rank::2]


def test_an_error_in_the_thread_reaches_the_loop() -> None:
    class Broken(dict):
        def __missing__(self, name: str) -> None:
            raise DatasetError(f"{name} is gone")

    with pytest.raises(DatasetError, match="is gone"):
        list(replace(make_batches(), cases=Broken()).stream(0, 3))


def test_the_thread_ends_when_the_loop_stops_early() -> None:
    stream = make_batches().stream(0, 1000)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("patches")]


def test_an_empty_stream_is_empty() -> None:
    assert list(make_batches().stream(4, 4)) == []


def test_noise_stays_in_the_window() -> None:
    image = np.full((8, 8, 8), 1300, np.int16)
    case = make_case("a", image=image, labels=np.zeros_like(image, np.uint8), pap=np.ones(image.shape, np.float32))
    settings = no_augment().model_dump() | {
        "probability": 1,
        "noise_hu": 300,
        "scale": 0.1,
        "rotation_deg": 10,
        "elastic_mm": 2,
    }
    batches = replace(make_batches(augment=settings), cases={"a": case}, names=("a",), patch_vox=(4, 4, 4))
    assert max(float(batches.draw(step).image.max()) for step in range(12)) <= 1


def test_another_look_changes_images_and_no_label() -> None:
    plain = make_batches(augment=no_augment().model_dump())
    looks = make_batches(augment=no_augment().model_copy(update={"appearance": 1.0}).model_dump())
    for step in range(3):
        before, after = plain.draw(step), looks.draw(step)
        assert torch.equal(before.labels, after.labels)
        assert not torch.equal(before.image, after.image)
        assert after.image.abs().max() <= 1


def test_with_shares_a_source_has_its_share_of_the_patches_however_few_its_cases() -> None:
    sources = {"a": "few", "b": "many", "c": "many"}
    batches = replace(make_batches(), sources=sources, shares=lambda step: {"few": 3.0, "many": 1.0} if step else {})
    drawn = [case for step in range(1, 201) for case in batches.draw(step).cases]
    assert drawn.count("a") / len(drawn) == pytest.approx(0.75, abs=0.06)
    assert drawn.count("b") / len(drawn) == pytest.approx(0.125, abs=0.05)
    assert batches.draw(7).cases == batches.draw(7).cases
    assert batches.draw(0).cases == make_batches().draw(0).cases


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_unlabelled_voxels_stay_so_in_a_patch_and_outside_the_scan_is_background(probability: float) -> None:
    """Marked from the 12th slice up; spatial augmentation moves the border, and makes no other label."""
    cases = {"a": spine_case("a", shape=(24, 12, 12))}
    cases["a"].labels[12:] = UNLABELLED
    settings = no_augment().model_dump() | {"probability": probability, "scale": 0.1, "elastic_mm": 2}
    batches = replace(make_batches(augment=settings), cases=cases, names=("a",), patch_vox=(40, 16, 16))
    for step in range(4):
        labels = batches.draw(step).labels
        assert set(labels.unique().tolist()) <= {0, 3, 4, 5, UNLABELLED}
        share = (labels == UNLABELLED).float().mean().item()
        assert share == pytest.approx(12 * 12 * 12 / (40 * 16 * 16), rel=0.5 if probability else 0.4)


def test_background_of_a_case_tells_which_landmarks_nobody_sought_in_it() -> None:
    batches = make_batches(augment=no_augment().model_dump())
    batches.cases["a"].labels[0, 0, :2] = SACRUM, RIB
    for held, background in ((("sacrum", "ribs"), 0), (("ribs",), UNSOUGHT["sacrum",]), ((), UNSOUGHT[LANDMARKS])):
        given = replace(batches, names=("a",), landmarks={"a": held}, patch_vox=(64, 32, 32))
        labels = given.draw(0).labels
        assert set(labels.unique().tolist()) == {background, 3, 4, 5, SACRUM, RIB}
