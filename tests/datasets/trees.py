"""Trees in the releases' exact layouts and names, with small scans."""

from __future__ import annotations

import json
from pathlib import Path

from tests import scans

SPLITS = {
    "training": "dataset-verse19training",
    "validation": "dataset-verse19validation",
    "testing": "dataset-verse19test",
}


def verse_scan(root: Path, name: str, *, codes=(19, 20), centroids="seg-subreg_ctd", mask=True, seed=0) -> None:
    """One scan: rawdata/{patient}/{name}_ct.nii.gz and its derivatives."""
    patient = name.split("_")[0]
    raw, derived = root / "rawdata" / patient, root / "derivatives" / patient
    scans.write_pair(
        raw / f"{name}_ct.nii.gz", derived / f"{name}_seg-vert_msk.nii.gz" if mask else None, codes=codes, seed=seed
    )
    (raw / f"{name}_ct.json").write_text("{}")
    if mask:
        (derived / f"{name}_{centroids}.json").write_text(json.dumps([{"direction": ["L", "P", "S"]}]))


def verse19(folder: Path) -> Path:
    """A miniature of VerSe 2019 with its quirks: dir-, split series, both centroid names, strays, a CT without mask."""
    training = folder / "dataset-verse19training" / "dataset-verse19training"  # a wrapper folder more
    verse_scan(training, "sub-verse004", codes=(18, 20, 21), seed=1)  # T12 is missing
    verse_scan(training, "sub-verse401_split-verse201", centroids="seg-vb_ctd", seed=2)
    verse_scan(training, "sub-verse401_split-verse253", codes=(19, 28, 20), seed=3)
    verse_scan(training, "sub-verse012", mask=False, seed=4)
    verse_scan(folder / "dataset-verse19validation", "sub-verse010", codes=(24, 25), seed=5)
    verse_scan(folder / "dataset-verse19test", "sub-verse011", codes=(1, 2), seed=6)
    scans.write_pair(training / "derivatives/sub-verse004/sub-verse004_seg-subreg_msk.nii.gz", None)
    return folder


def verse20(folder: Path) -> Path:
    """A miniature of VerSe 2020: the three forms of dir-, and a Glocker scan."""
    verse_scan(folder / "dataset-01training", "sub-verse500_dir-ax", seed=7)
    verse_scan(folder / "dataset-02validation", "sub-verse501_dir-sag", seed=8)
    verse_scan(folder / "dataset-02validation", "sub-gl016_dir-iso", seed=9)
    verse_scan(folder / "dataset-03test", "sub-verse502", seed=10)
    return folder


TABLE = """subject,split,CT_image_series,verse_2019,verse_2020,"sex (0= f, 1= m)",age
verse004,,1 of 1,1,0,1,57
verse010,,1 of 1,1,1,1,57
verse011,,1 of 1,1,1,1,57
verse401,verse201,1 of 2,1,1,0,59
verse401,verse253,2 of 2,1,1,,
verse500,,1 of 1,0,1,1,43
verse501,,1 of 1,0,1,1,43
verse502,,1 of 1,0,1,1,43
gl016,,1 of 1,0,1,1,43
374,,,160,319,355,58.7
"""
"""As the organisers have it: the last line is no scan but the totals."""


def ctspine1k(folder: Path) -> Path:
    """A miniature of CTSpine1K: dotted names, the number of a series, Windows line ends."""
    names = {
        "COLONOG": ["1.3.6.1.4.1.9328.50.4.0001", "CTC-0101"],
        "COVID-19": ["volume-covid19-A-0202_0_ct", "volume-covid19-A-0377_ct"],
        "MSD-T10": ["liver_3"],
    }
    seed = 20
    for collection, stems in names.items():
        for stem in stems:
            seed += 1
            image = folder / "raw_data/volumes" / collection / f"{stem}.nii.gz"
            scans.write_pair(image, folder / "raw_data/labels" / collection / f"{stem}_seg.nii.gz", seed=seed)
    lists = {"trainset": [0, 2, 4], "test_public": [1], "test_private": [3]}
    flat = [stem for stems in names.values() for stem in stems]
    lines = [line for name, picks in lists.items() for line in (f"{name}:", *(f"{flat[n]}.nii.gz" for n in picks))]
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata/data_split.txt").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    return folder
