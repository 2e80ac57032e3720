"""Scores of the network alone on the validation cases; the mean Dice per vertebra chooses the best epoch.

The window and arg max of inference without the whole-scan decoding, since it is the network that is judged. On the
working grid. What nobody annotated is left out. The test set is never seen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from siil.anatomy import BY_CODE, indices_to_codes
from siil.config.schema.inference import Inference
from siil.inference.fuse import raw_labels
from siil.inference.sliding_window import slide
from siil.metrics.annotation import judged
from siil.metrics.identification import verse_hits
from siil.metrics.objects import locate
from siil.metrics.overlap import dice, overlaps
from siil.scan.preprocess import normalise
from siil.training.case_store import CaseArrays, CaseStore
from siil.training.fabric import Fabric

if TYPE_CHECKING:
    from siil.model.network import Network


@dataclass(frozen=True)
class Validator:
    """Called with a network, gives `dice` and `id_rate` (means over all vertebrae, missed ones are 0), `binary_dice`
    (mean over scans). With several processes each takes its share of the cases.

    inference: overlap, blending, batch_size, localise and spine_threshold are read. activation: of O_S.
    """

    cases: CaseStore | dict[str, CaseArrays]
    names: tuple[str, ...]
    fabric: Fabric
    patch_vox: tuple[int, int, int]
    spacing_mm: float
    window_hu: tuple[float, float]
    inference: Inference
    activation: str
    precision: str

    def __call__(self, network: Network) -> dict[str, float]:
        """Score `network`, whose mode, buffers and random numbers stay as they are."""
        sums = torch.zeros(5)
        for name in self.names[self.fabric.global_rank :: self.fabric.world_size]:
            sums += self._score(network, self.cases[name])
        shared = self.fabric.all_reduce(self.fabric.to_device(sums), reduce_op="sum")
        assert isinstance(shared, Tensor)
        dice, hits, vertebrae, binary, scans = shared.tolist()
        return {
            "dice": dice / vertebrae if vertebrae else float("nan"),
            "binary_dice": binary / scans if scans else float("nan"),
            "id_rate": hits / vertebrae if vertebrae else float("nan"),
        }

    def _score(self, network: Network, case: CaseArrays) -> Tensor:
        """Sums of one case: Dice, hits, vertebrae, binary Dice, scans."""
        posterior = slide(
            network,
            normalise(case.image, self.window_hu),
            patch_vox=self.patch_vox,
            inference=self.inference,
            device=self.fabric.device,
            precision=self.precision,
            activation=self.activation,
        )
        found = raw_labels(posterior, threshold=self.inference.spine_threshold)
        truth = indices_to_codes(case.labels)
        return sums_of_case(truth, judged(truth, indices_to_codes(found)), spacing_mm=self.spacing_mm)


def sums_of_case(truth: np.ndarray, predicted: np.ndarray, *, spacing_mm: float) -> Tensor:
    """Dice summed over the true vertebrae (a missed one counts 0), hits, vertebrae, binary Dice, scans that have one.

    The same values as from siil.metrics.case, of which this uses the parts only: a change of a surface metric, which no
    epoch is chosen by, then retrains nothing.

    Args:
        truth, predicted: [Z, Y, X] uint8, VerSe codes.
    """
    there, seen = (locate(labels, (spacing_mm, spacing_mm, spacing_mm)) for labels in (truth, predicted))
    shared = overlaps(truth, predicted, there)
    sizes = {code: seen[code].voxels if code in seen else 0 for code in there}
    total = sum(dice(common=int(shared[code][code]), truth=there[code].voxels, predicted=sizes[code]) for code in there)
    true_mm, seen_mm = ({code: place.centroid_mm for code, place in places.items()} for places in (there, seen))
    hits = verse_hits(true_mm, seen_mm)
    binary = dice(
        common=int(sum(counts[list(BY_CODE)].sum() for counts in shared.values())),
        truth=sum(place.voxels for place in there.values()),
        predicted=sum(place.voxels for place in seen.values()),
    )
    return torch.tensor([total, len(hits), len(there), *((0, 0) if np.isnan(binary) else (binary, 1))])
