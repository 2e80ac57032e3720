"""VerSe 2019 and 2020 as released (subject-based layout), and trees of the same shape (phantoms, BIDS).

    {root}/rawdata/sub-X/sub-X[_dir-D][_split-S]_ct.nii.gz
    {root}/derivatives/sub-X/sub-X[_dir-D][_split-S]_{seg-vert_msk.nii.gz, seg-subreg_ctd.json}

`root` is whatever the archive was unpacked to; its name says training, validation or test. Quirks that are met: `dir-`
is ax, sag, iso or absent; split series are cases of one patient; the centroid file is `seg-subreg_ctd` or `seg-vb_ctd`;
a mask's name may say the modality (`_mod-ct`); sub-region masks beside them are passed over; some CTs have no
mask.
Labels and counts: docs/data.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from siil.datasets.layout import SUFFIXES, Found, case_id, is_volume, stem
from siil.errors import DatasetError
from siil.run.tsv import read_table

COUNTS = {
    "verse19": {"training": 80, "validation": 40, "testing": 40, "patients": 141},
    "verse20": {"training": 113, "validation": 103, "testing": 103, "patients": 300},
}
UNION = {"training": 141, "validation": 120, "testing": 113, "patients": 355}
"""Scans of each edition by its own split; 105 scans stand in both editions (UNION: 374 scans)."""
_MODALITY = re.compile(r"_mod-[A-Za-z0-9]+|_ct(?=_seg-)")
"""What TPTBox and others put into the name of a mask: sub-a_mod-ct_seg-vert_msk."""
_SPLITS = (("training", "training"), ("validation", "validation"), ("test", "testing"))
_CENTROIDS = ("seg-subreg_ctd.json", "seg-vb_ctd.json")
_FLAGS = {"verse19": "verse_2019", "verse20": "verse_2020"}
SCAN_TABLE = "scans.csv"
"""Name under which `fetch` keeps the table of edition flags in a source's folder."""


def find(paths: Sequence[Path], *, edition: str) -> list[Found]:
    """Scans in a VerSe tree, given by its files. `edition` is that of the source; a scan table adds the other one.

    Raises:
        DatasetError: no scan of this layout.
    """
    table = next((_editions(path) for path in paths if path.name == SCAN_TABLE), {})
    derived = [path for path in paths if "derivatives" in path.parts]
    by_name = {(root(path, "derivatives"), _MODALITY.sub("", path.name)): path for path in derived}
    by_name |= {(root(path, "derivatives"), path.name): path for path in derived}
    found = []
    for path in paths:
        if not (is_volume(path) and stem(path.name).endswith("_ct") and "rawdata" in path.parts):
            continue
        place, name = root(path, "rawdata"), stem(path.name).removesuffix("_ct")
        names = (f"{name}_seg-vert_msk{suffix}" for suffix in SUFFIXES)
        mask = next((by_name[place, file] for file in names if (place, file) in by_name), None)
        case, patient = case_id(path.name), name.split("_")[0]
        editions = sorted({edition, *table.get(re.sub(r"_dir-[a-z]+", "", name), ())} - {""})
        found.append(
            Found(case, patient, " ".join(editions), _split(place), path, mask, _centroids(by_name, place, name))
        )
    if not found:
        raise DatasetError(
            "no scan in VerSe's layout; expected rawdata/sub-*/*_ct.nii.gz and derivatives/sub-*/*_seg-vert_msk.nii.gz "
            f"among the {len(paths)} files of the source (the MICCAI layout is another one)"
        )
    return found


def root(path: Path, folder: str) -> Path:
    """What lies above the last `folder` in the path."""
    parts = path.parts
    last = len(parts) - 1 - parts[::-1].index(folder)
    return Path(*parts[:last])


def _split(place: Path) -> str:
    """The release's split from the names of the folders above rawdata (dataset-...training), the nearest first."""
    for part in reversed(place.parts):
        for word, split in _SPLITS:
            if re.match(rf"dataset.*{word}", part.lower()):
                return split
    return ""


def _centroids(by_name: dict[tuple[Path, str], Path], place: Path, name: str) -> Path | None:
    for end in _CENTROIDS:
        if (place, f"{name}_{end}") in by_name:
            return by_name[place, f"{name}_{end}"]
    others = (path for (above, file), path in by_name.items() if above == place and file.startswith(f"{name}_"))
    return next((path for path in sorted(others) if path.name.endswith("_ctd.json")), None)


def _editions(path: Path) -> dict[str, tuple[str, ...]]:
    """Name without `dir-` -> editions, from the organisers' table (columns subject, split, verse_2019, verse_2020)."""
    frame = read_table(path, text=True)
    missing = {"subject", "split", "verse_2019", "verse_2020"} - set(frame.columns)
    if missing:
        raise DatasetError(f"{path}: expected the table of VerSe scans, columns {sorted(missing)} are missing")
    editions = {}
    for row in frame.to_dict("records"):
        name = f"sub-{row['subject']}" + (f"_split-{row['split']}" if row["split"] else "")
        editions[name] = tuple(edition for edition, flag in _FLAGS.items() if row[flag] == "1")
    return editions
