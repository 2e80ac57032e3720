"""From a scan on the working grid to everything that is known about it: the glue of stages `test` and `predict`.

normalise -> slide -> raw labels; posterior -> sequence -> labels -> components -> back to the input's grid, with or
without a second look -> measures.
Training's validation uses only slide and raw_labels. Nothing here reads or writes a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siil.anatomy import BY_INDEX, indices_to_codes
from siil.config.schema.inference import Inference
from siil.inference import vertebrae
from siil.inference.assign import assign, one_component_each
from siil.inference.calibration import Curve, calibrated
from siil.inference.centreline import Centreline
from siil.inference.crops import sees
from siil.inference.device import usable_precision
from siil.inference.enumeration import EMPTY, Enumeration, Sequence
from siil.inference.fuse import raw_labels
from siil.inference.hanging import settle_ends
from siil.inference.posterior import Posterior
from siil.inference.sequence import decode_sequence
from siil.inference.soft_maps import soft_maps
from siil.inference.vertebrae import Finding
from siil.run.progress import Laps, Told, untold
from siil.scan.geometry import Geometry
from siil.scan.grid import Volume
from siil.scan.preprocess import normalise
from siil.scan.undo import SoftMap, undo_soft

if TYPE_CHECKING:
    import torch

    from siil.inference.second_look import Again
    from siil.model.network import Network
    from siil.model.weights import Weights


@dataclass(frozen=True, slots=True)
class Prediction:
    """All outputs for one scan.

    seg: uint8 VerSe codes on the input's own grid. first: the same by the first look alone; None where seg is that.
    work, raw: the same on the working grid, decoded and by the network alone. findings: per vertebra, from the head
    down. sequence: enumeration and its rivals. posterior, centreline: what they came from. second_look_mm: spacing at
    which each vertebra was looked at again; None where seg is the first look's.
    """

    seg: Volume
    first: Volume | None
    work: Volume
    raw: Volume
    findings: tuple[Finding, ...]
    sequence: Sequence
    posterior: Posterior
    centreline: Centreline | None
    second_look_mm: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names from the first to the last vertebra that was found, with those between that hold no voxel."""
        found = tuple(finding.name for finding in self.findings)
        decoded = tuple(BY_INDEX[level.index].name for level in self.sequence.levels)
        if not found or not decoded:
            return found
        return decoded[decoded.index(found[0]) : decoded.index(found[-1]) + 1]


def predict_case(
    network: Network,
    image: Volume,
    geometry: Geometry,
    *,
    weights: Weights,
    inference: Inference,
    device: torch.device | str,
    again: Again | None = None,
    both: bool = False,
    laps: Laps | None = None,
    told: Told = untold,
) -> Prediction:
    """Segment and label one scan.

    Args:
        network: on `device`.
        image: int16 HU on the working grid of the weights.
        geometry: the way from the input's grid to the working grid.
        weights: patch, HU window and activation that the network was trained with.
        inference: settings.
        device: where the windows are computed.
        again: what a second look needs; None: the first is the answer.
        both: with a second look, also what the first alone says on the input's grid.
        laps: told when the network is done and when the labels are.
        told: how many windows are done.
    """
    laps = laps or Laps()
    posterior = look(network, image, weights=weights, inference=inference, device=device, told=told)
    laps.end("network")
    found = interpret(posterior, image, geometry, inference=inference, again=again, both=both, laps=laps, told=told)
    laps.end("labels")
    return found


def look(
    network: Network,
    image: Volume,
    *,
    weights: Weights,
    inference: Inference,
    device: torch.device | str,
    told: Told = untold,
) -> Posterior:
    """What the network sees in every voxel. Arguments as of `predict_case`."""
    import torch

    from siil.inference.sliding_window import slide

    return slide(
        network,
        normalise(image.array, weights.window_hu),
        patch_vox=weights.patch_vox,
        inference=inference,
        device=device,
        precision=usable_precision(inference.precision, torch.device(device).type),
        activation=weights.model.vertebrae_activation,
        flip=inference.flip,
        told=told,
    )


def first_maps(
    network: Network, image: Volume, *, weights: Weights, inference: Inference, device: torch.device | str
) -> list[SoftMap]:
    """The soft maps of a scan's vertebrae on the working grid: what the second look is told. Arguments as of
    `predict_case`."""
    posterior = look(network, image, weights=weights, inference=inference, device=device)
    raw = raw_labels(posterior, threshold=inference.spine_threshold)
    labels, _, _ = decode_labels(posterior, raw, spacing_mm=image.grid.spacing_mm[0], inference=inference)
    return list(soft_maps(posterior, labels, threshold=inference.spine_threshold))


def interpret(
    posterior: Posterior,
    image: Volume,
    geometry: Geometry,
    *,
    inference: Inference,
    again: Again | None = None,
    both: bool = False,
    laps: Laps | None = None,
    told: Told = untold,
) -> Prediction:
    """Everything after the network: labels, the way back to the input's grid, measures. Arguments as `predict_case`."""
    spacing = image.grid.spacing_mm[0]
    raw = raw_labels(posterior, threshold=inference.spine_threshold)
    labels, sequence, centreline = decode_labels(posterior, raw, spacing_mm=spacing, inference=inference)
    present = set(np.unique(labels).tolist())
    levels = {level.index: level for level in sequence.levels if level.index in present}
    confidences = vertebrae.mask_confidences(posterior, labels)
    if inference.decode.enabled:
        curve = Curve(inference.decode.confidence_slope, inference.decode.confidence_offset)
        most = inference.decode.confidence_doubted if sequence.uncertain else 1.0
        confidences = {index: min(most, calibrated(level.confidence, curve)) for index, level in levels.items()}
    maps = list(soft_maps(posterior, labels, threshold=inference.spine_threshold))
    first = undo_soft(maps, geometry) if again is None or both else None
    unseen: frozenset[int] = frozenset()
    fine_mm, mean_hu = None, vertebrae.mask_means(image.array, labels)
    if again is None or not sees(geometry.source):
        seg = first or undo_soft(maps, geometry)
        first = None
    else:
        if laps is not None:
            laps.end("labels")
        cut = {BY_INDEX[level.index].code for level in levels.values() if level.cut}
        looked = again.look(maps, geometry, in_pieces=cut, told=told)
        seg, unseen, fine_mm = looked.seg, looked.first_look, again.spacing_mm
        mean_hu = vertebrae.own_means(again.source, seg)
        if laps is not None:
            laps.end("second look")
    findings = vertebrae.measure(
        seg,
        working_mm=spacing,
        levels=levels if inference.decode.enabled else {},
        confidences=confidences,
        mean_hu=mean_hu,
        directions=vertebrae.spine_directions(centreline, levels),
        first_look=unseen,
    )
    return Prediction(
        seg=seg,
        first=first,
        work=Volume(indices_to_codes(labels), image.grid),
        raw=Volume(indices_to_codes(raw), image.grid),
        findings=findings,
        sequence=sequence,
        posterior=posterior,
        centreline=centreline,
        second_look_mm=fine_mm,
    )


def decode_labels(
    posterior: Posterior, raw: np.ndarray, *, spacing_mm: float, inference: Inference
) -> tuple[np.ndarray, Sequence, Centreline | None]:
    """Labels [Z, Y, X] (internal indices), one component per whole vertebra, and the sequence that they follow."""
    least = inference.min_volume_mm3 / spacing_mm**3
    if not inference.decode.enabled:
        labels = one_component_each(raw, min_voxels=least)
        names = tuple(BY_INDEX[k].name for k in np.unique(labels).tolist() if k)
        bare = Sequence((), (Enumeration(names, 0.0),), None, 0.0, False, "decoding is switched off", 1.0, False, False)
        return labels, bare, None
    sequence, centreline, evidence = decode_sequence(posterior, spacing_mm=spacing_mm, decode=inference.decode)
    if evidence is None or not sequence.levels:
        return np.zeros_like(raw), EMPTY, centreline
    sequence = settle_ends(posterior, evidence, sequence, least_voxels=least, decode=inference.decode)
    labels = assign(
        posterior,
        evidence,
        sequence,
        threshold=inference.spine_threshold,
        distance_mm=inference.decode.distance_mm,
    )
    cut = {level.index for level in sequence.levels if level.cut}
    return one_component_each(labels, min_voxels=least, in_pieces=cut), sequence, centreline
