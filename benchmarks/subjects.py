"""Which scans does benchmarks/labels.py measure on? Held-out cases of a dataset, phantoms drawn anew, real CT.

Each knows its truth on the input's grid and on the working grid, and loads both only when its turn comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from siil.config.layers import CONFIG_DIR, read
from siil.config.schema.dataset import Preprocess
from siil.config.schema.phantom import PhantomRecipe
from siil.datasets.cases import read_cases
from siil.errors import DatasetError
from siil.phantom import sample
from siil.phantom.layout import oriented
from siil.scan import volume
from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.preprocess import Preprocessed, preprocess
from siil.scan.reading import read_scan


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scan and its truth. image, truth: working grid; native: the truth on the input's grid; source: reads the scan
    there. Masks in VerSe codes."""

    image: Volume
    truth: Volume
    native: Volume
    geometry: Geometry
    source: Callable[[], Volume]


@dataclass(frozen=True, slots=True)
class Subject:
    """One scan. group: phantom or real. field: what it shows (cervical, chest, …), empty where nobody wrote it down."""

    name: str
    group: str
    field: str
    load: Callable[[], Loaded]


def of_dataset(folder: Path, names: list[str]) -> list[Subject]:
    """Cases of a preprocessed dataset, data/{dataset}, in the order of `names`. Paths in its cases.tsv count from
    the folder above data/."""
    root = folder.resolve().parents[1]
    known = {case.case: case for case in read_cases(folder / "cases.tsv")}
    missing = [name for name in names if name not in known]
    if missing:
        raise DatasetError(f"{folder / 'cases.tsv'}: no case {missing[0]}; give a list that belongs to this dataset")
    found = []
    for name in names:
        mask = root / known[name].mask
        about = mask.with_name(mask.name.removesuffix(".nii.gz").removesuffix("_seg-vert_msk") + "_truth.json")
        field = json.loads(about.read_text())["field_of_view"] if about.is_file() else ""
        group = "phantom" if about.is_file() else "real"
        found.append(Subject(name, group, field, partial(_load_case, folder, name, root / known[name].image, mask)))
    return found


def _load_case(folder: Path, name: str, scan: Path, mask: Path) -> Loaded:
    geometry = Geometry.read(folder / "geometry" / f"{name}.json")
    native = volume.match_mask(geometry.source, volume.read_mask(mask), str(mask))
    image, truth = (folder / part / f"{name}.nii.gz" for part in ("img", "msk"))
    return Loaded(
        volume.read_volume(image), volume.read_mask(truth), native, geometry, partial(volume.read_image, scan)
    )


def of_seeds(recipe: PhantomRecipe, seeds: range, settings: Preprocess) -> list[Subject]:
    """Phantoms of a recipe with seeds that no training list holds, rendered when their turn comes; nothing is kept."""
    for name, taken in _taken().items():
        both = [seed for seed in seeds if seed in taken]
        if both:
            raise DatasetError(
                f"seed {both[0]} belongs to dataset {name} ({taken.start} to {taken.stop - 1}); choose others"
            )
    fields = sorted(recipe.fields_of_view)
    found = []
    for seed in seeds:  # the fields of view in turn
        field = fields[seed % len(fields)]
        narrowed = recipe.model_copy(update={"fields_of_view": {field: 1.0}})
        found.append(Subject(f"seed{seed}", "phantom", field, partial(_load_seed, seed, narrowed, settings)))
    return found


def _taken() -> dict[str, range]:
    """The seeds of every phantom dataset of the configuration: a patient follows from its seed, whatever the recipe."""
    found = {}
    for path in sorted((CONFIG_DIR / "datasets").glob("*.yaml")):
        for source in read(path)["dataset"]["sources"].values():
            if recipe := source.get("recipe"):
                found[path.stem] = range(recipe["first_seed"], recipe["first_seed"] + recipe["patients"])
    return found


def _load_seed(seed: int, recipe: PhantomRecipe, settings: Preprocess) -> Loaded:
    scan = sample(seed, recipe)
    return _loaded(oriented(scan, scan.hu), oriented(scan, scan.mask), settings, f"phantom of seed {seed}")


def of_folder(folder: Path, settings: Preprocess) -> list[Subject]:
    """Real scans: each folder in `folder` with msk.nii.gz and ct.nii.gz, or a DICOM series in dicom/. They are read and
    cropped as `siil predict` does, without a look at the mask."""
    found = []
    for mask in sorted(folder.glob("*/msk.nii.gz")):
        options = (mask.with_name("ct.nii.gz"), mask.with_name("dicom"))
        scan = next((path for path in options if path.exists()), None)
        if scan is not None:
            found.append(Subject(mask.parent.name, "real", "", partial(_load_files, scan, mask, settings)))
    if not found:
        raise DatasetError(f"{folder}: expected folders with msk.nii.gz and ct.nii.gz or dicom/, found none")
    return found


def _load_files(scan: Path, mask: Path, settings: Preprocess) -> Loaded:
    return _loaded(read_scan(scan), volume.read_mask(mask), settings, str(scan))


def _loaded(image: Volume, mask: Volume, settings: Preprocess, name: str) -> Loaded:
    native = volume.match_mask(image.grid, mask, f"mask of {name}")
    bare = preprocess(image, None, settings=settings, name=name)
    both = preprocess(image, mask, settings=settings, name=name)
    assert both.mask is not None
    return Loaded(bare.image, _on_grid(both, bare), native, bare.geometry, lambda: image)


def _on_grid(both: Preprocessed, bare: Preprocessed) -> Volume:
    """The working-grid mask in the crop that was made without it; what lies outside is the crop's loss."""
    assert both.mask is not None
    corners = zip(both.geometry.crop_corner_vox, bare.geometry.crop_corner_vox, strict=True)
    first = [there - here for here, there in corners]  # the crop around the labels is never the smaller one
    box = tuple(slice(n, n + size) for n, size in zip(first, bare.image.array.shape, strict=True))
    return Volume(both.mask.array[box].copy(), bare.image.grid)
