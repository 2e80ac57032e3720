"""`dataset`: what makes a dataset: its sources, the working grid, pap, and the splits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from siil.config.schema.base import Section
from siil.config.schema.phantom import PhantomRecipe

Annotation = Literal["all", "whole"]
"""How the annotation of a source ends (siil.datasets.annotation)."""
Landmarks = tuple[Literal["sacrum", "ribs"], ...]
_LANDMARKS = "what the masks hold of every scan that shows it: sacrum (26), ribs (252); the rest teaches none of it"
_ANNOTATION = "all: every vertebra in view is labelled; whole: those that the scan cuts are not, and teach nothing"


class PhantomSource(Section):
    """Synthetic CT scans, drawn from a seed and written in VerSe's release layout."""

    kind: Literal["phantom"] = Field(description="synthetic scans")
    annotation: Annotation = Field(default="all", description=_ANNOTATION)
    landmarks: Landmarks = Field(default=("sacrum", "ribs"), description=_LANDMARKS)
    recipe: PhantomRecipe


class VerseSource(Section):
    """VerSe 2019 or 2020 as released (s3 layout)."""

    kind: Literal["verse"] = Field(description="VerSe as released")
    annotation: Annotation = Field(default="whole", description=_ANNOTATION)
    landmarks: Landmarks = Field(default=(), description=_LANDMARKS)
    edition: Literal["verse19", "verse20"] = Field(description="which release")
    urls: tuple[str, ...] = Field(description="archives to download, or folders and archives on this machine")
    scans: str = Field(description="the organisers' table of scans and their editions (URL or file); empty: none")
    licence: str = Field(description="the licence that the user accepts with `dataset.accept_licence`")


class Ctspine1kSource(Section):
    """CTSpine1K as hosted on the Hugging Face hub."""

    kind: Literal["ctspine1k"] = Field(description="CTSpine1K as hosted")
    annotation: Annotation = Field(default="all", description=_ANNOTATION)
    landmarks: Landmarks = Field(default=(), description=_LANDMARKS)
    repository: str = Field(description="owner/name on the hub, or a folder on this machine")
    revision: str = Field(description="commit, or a branch whose commit of the first download is pinned")
    licence: str = Field(description="the licence that the user accepts with `dataset.accept_licence`")


class CustomSource(Section):
    """The user's own files, in one of the layouts of docs/data.md, with lists if there are any. Never written to."""

    kind: Literal["custom"] = Field(description="files of one's own")
    annotation: Annotation = Field(default="all", description=_ANNOTATION)
    landmarks: Landmarks = Field(default=(), description=_LANDMARKS)
    path: str = Field(description="folder that holds img/ and msk/, or another layout of docs/data.md")


Source = Annotated[PhantomSource | VerseSource | Ctspine1kSource | CustomSource, Field(discriminator="kind")]


class Preprocess(Section):
    """From a scan in any orientation and spacing to the working grid (LPS, isotropic)."""

    spacing_mm: float = Field(gt=0, description="isotropic spacing of the working grid, mm")
    window_hu: tuple[float, float] = Field(description="HU are clipped to this window before they are stored")
    crop_to_body: bool = Field(description="crop air around the patient; undone on the way back")
    body_threshold_hu: float = Field(description="voxels above are body, HU")
    body_margin_mm: float = Field(ge=0, description="air kept around the body, mm")
    max_voxels: float = Field(gt=0, description="refuse a working grid of more voxels than this")
    min_length_mm: float = Field(gt=0, description="refuse a scan shorter than this along the body, mm")


class Pap(Section):
    """The map that weights the choice of patch centres (siil.datasets.pap)."""

    background_mass: float = Field(ge=0, lt=1, description="share of the probability spread outside the vertebrae")
    end_weight: float = Field(gt=0, description="weight of the topmost and lowermost visible vertebra")
    rare_weight: float = Field(gt=0, description="weight of rare classes")
    rare: tuple[str, ...] = Field(description="names of the rare classes")


class Split(Section):
    """Which cases train, validate and test. Always grouped by patient."""

    scheme: Literal["kfold", "official", "lists"] = Field(
        description="kfold: seeded; official: the release's own; lists: training.txt and testing.txt of the source"
    )
    folds: int = Field(ge=1, description="number of folds of kfold; 1 for official and lists")
    train_only: tuple[str, ...] = Field(
        default=(), description="sources whose cases are in every training list, and in no other"
    )
    validation_fraction: float = Field(
        gt=0, lt=1, description="share of the training patients held out to choose the best epoch"
    )
    seed: int = Field(description="seed of the shuffle")


class Dataset(Section):
    """A dataset: an experiment names one and changes nothing in it."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="folder under data/")
    accept_licence: bool = Field(description="true: the user has read and accepts the licences of the sources")
    sources: dict[str, Source] = Field(description="name of the folder under data/raw -> where it comes from")
    preprocess: Preprocess
    pap: Pap
    split: Split
    editions: tuple[str, ...] = Field(
        default=(),
        description="keep scans of these editions only (verse19, verse20), by the table of scans; empty: all",
    )
    known_defects: Literal["keep", "exclude"] = Field(
        default="keep", description="cases whose labels were questioned (siil/datasets/known.py): marked, or left out"
    )
    exclude: tuple[str, ...] = Field(description="cases left out, by case id")
