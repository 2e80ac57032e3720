"""Scans to try things on when none is at hand: `python -m siil.phantom.example FOLDER` draws phantoms into FOLDER.

They lie there as one's own scans would (img/NAME.nii.gz, msk/NAME.nii.gz; docs/data.md), varied as real patients are.
Not a stage: the tutorials begin with it. The pipeline's own phantoms are written by siil.phantom.layout.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from siil.config.schema.phantom import FieldOfView, PhantomRecipe, Variety
from siil.phantom.layout import oriented
from siil.phantom.render import sample
from siil.scan.volume import write_volume

SLICE_MM, PIXEL_MM, LATERAL_MM = 2.0, 1.0, 320.0


def recipe(field: FieldOfView, *, lateral_mm: float) -> PhantomRecipe:
    """Of one field of view: ordinary anatomy, uneven bone, arms and clothes now and then, no metal."""
    variety = Variety(asymmetry=0.03, slip=0, fusion=0, implants=0, arms=0.3, askew=0.2, uneven_bone=1.0, ribs=0.1,
                      clothing=0.3, circle=0, hard_kernel=0)  # fmt: skip
    return PhantomRecipe(patients=1, first_seed=0, second_series=0, fields_of_view={field: 1},
                         spacing_xy_mm=(PIXEL_MM, PIXEL_MM), spacing_z_mm=(SLICE_MM, SLICE_MM),
                         lateral_fov_mm=(lateral_mm, lateral_mm), rare_anatomy=0, scoliosis=0.2, fracture=0.1,
                         contrast=0.5, variety=variety)  # fmt: skip


def draw(folder: Path, *, scans: int, field: FieldOfView, seed: int, lateral_mm: float = LATERAL_MM) -> list[Path]:
    """Draw `scans` phantoms, of seeds `seed`, `seed` + 1, …; returns the images' paths.

    Writes HU as int16 and masks in VerSe codes, voxels of 1 x 1 x 2 mm. The bytes depend on the arguments alone.
    """
    images = []
    for number in range(seed, seed + scans):
        scan = sample(number, recipe(field, lateral_mm=lateral_mm))
        name = f"{field}{number}.nii.gz"
        write_volume(folder / "msk" / name, oriented(scan, scan.mask))
        write_volume(folder / "img" / name, oriented(scan, scan.hu))
        images.append(folder / "img" / name)
    return images


def main() -> None:
    """Draw and say where the scans are."""
    parser = argparse.ArgumentParser(description="draw phantom CT scans into FOLDER/img and FOLDER/msk")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=1, help="how many (default 1)")
    parser.add_argument("--field", choices=get_args(FieldOfView), default="abdomen", help="what they show")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the same seed draws the same scan")
    parser.add_argument("--width-mm", type=float, default=LATERAL_MM, help="of the field of view, across the patient")
    asked = parser.parse_args()
    draw(asked.folder, scans=asked.scans, field=asked.field, seed=asked.seed, lateral_mm=asked.width_mm)


if __name__ == "__main__":
    main()
