"""The decoding problem of a scan, as numbers: emissions, durations, priors (docs/decoding.md).

Priors are log rates in people. What is rare in the chest can only be counted between two borders (inference/view.py);
where they are not in view it costs more.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, special

from siil.anatomy import VERTEBRAE
from siil.config.schema.inference import Decode
from siil.inference.evidence import STEP_MM, Evidence
from siil.inference.landmarks import Bones, landmark_evidence
from siil.inference.morphometry import PITCH_MM
from siil.inference.view import View
from siil.inference.viterbi import Chain, Lattice

SCALES = 1.06 ** np.arange(-5, 6)
"""Patients from 0.75 to 1.34 times the average adult."""
_LONGEST_MM = 64.0
_MOST, _DENSE = 0.75, 0.8
"""Spine that is this much of a vertebra long, in cross-sections that are so sure of a vertebra, is one."""


def build_lattice(evidence: Evidence, decode: Decode, view: View, bones: Bones | None = None) -> Lattice:
    """The decoding problem of a scan: emissions, durations and priors in nats. bones: sacrum and ribs, where the
    network sees any."""
    emission = decode.evidence_weight * STEP_MM * evidence.log_share
    landmarks = None if bones is None else landmark_evidence(bones, decode)
    mean = PITCH_MM[1:] * SCALES[:, None]  # [G, N]
    sigma = decode.duration_sigma * mean
    sigma[:, :2] *= 2  # C1 and C2 overlap: where one ends is a convention
    lasts = (np.arange(round(_LONGEST_MM / STEP_MM)) + 1) * STEP_MM
    z = (lasts - mean[..., None]) / sigma[..., None]
    # what is too short costs linearly beyond 2.5 sigma: a compression fracture is rare, not impossible; what is too
    # long does not: nothing makes one vertebra of two bodies
    price = np.where(z > -2.5, 0.5 * z**2, 2.5 * np.abs(z) - 3.125)
    return Lattice(
        chain=_chain(decode, view, evidence.share),
        emission=emission[:, 1:] if landmarks is None else emission[:, 1:] + landmarks,
        nothing=emission[:, 0],
        full=-decode.duration_weight * price,
        cut=decode.duration_weight * np.maximum(special.log_ndtr(-z), -2.5 * np.abs(z)),
        border=decode.disc_weight * disc_evidence(evidence.body_mm2),
        scale=-0.5 * (np.log(SCALES) / decode.scale_sigma) ** 2,
        landmarks=landmarks,
    )


def disc_evidence(body_mm2: np.ndarray) -> np.ndarray:
    """[S + 1] in [-1, 1]: how much less bone than above and below there is before the canal at each position, mean 0.

    Where the spine ends there is bone on one side only: that is no disc.
    """
    smooth = ndimage.gaussian_filter1d(body_mm2, 2.0 / STEP_MM, mode="nearest")
    half = round(8 / STEP_MM)  # the 16 mm up to each position, and those from it on
    sides = (ndimage.maximum_filter1d(smooth, 2 * half + 1, mode="nearest", origin=n) for n in (-half, half))
    around = np.minimum(*sides)
    seen = around > 0.1 * max(float(around.max()), 1e-6)
    dip = np.where(seen, 1 - smooth / np.maximum(around, 1e-6), 0.0)
    centred = np.where(seen, dip - (dip[seen].mean() if seen.any() else 0.0), 0.0)
    return np.interp(np.arange(len(centred) + 1), np.arange(len(centred)) + 0.5, centred)


def left_over(share: np.ndarray, pitch_mm: float) -> np.ndarray:
    """[S + 1] in 0 to 1: how much of a vertebra of this pitch lies right behind each position; 1: most of one.

    share: [S, K] distribution over the classes per bin, background first, in the direction that is asked about.
    """
    most = round(_MOST * pitch_mm / STEP_MM)
    named = np.concatenate([[0.0], np.cumsum(1 - share[:, 0])])
    behind = np.pad(named, (0, most), mode="edge")[most:] - named
    return np.minimum(behind / (_DENSE * most), 1.0)


def _chain(decode: Decode, view: View, share: np.ndarray) -> Chain:
    at = {v.name: v.index - 1 for v in VERTEBRAE}
    unproven = 0.0 if view.thoracic else decode.prior_hidden
    t13, no_t12 = decode.prior_t13 + unproven, decode.prior_no_t12 + unproven
    follows: list[tuple[tuple[int, float], ...]] = [((n - 1, 0.0),) if n else () for n in range(len(VERTEBRAE))]
    follows[at["T13"]] = ((at["T12"], t13),)
    follows[at["L1"]] = ((at["T12"], 0.0), (at["T13"], 0.0), (at["T11"], no_t12))
    follows[at["L6"]] = ((at["L5"], decode.prior_l6),)
    opens_cut = np.zeros(len(VERTEBRAE))
    opens_cut[at["T13"]], opens_cut[at["L6"]] = t13, decode.prior_l6
    opens = np.tile((opens_cut + decode.prior_outside)[:, None], len(share) + 1)
    opens[at["C1"]] = 0.0
    closes = np.full_like(opens, decode.prior_outside)
    left = left_over(share, PITCH_MM[at["L5"] + 1])
    closes[at["L5"] : at["L6"] + 1] *= np.maximum(2 * left - 1, 0)  # 0.3 of a vertebra and less are none
    closes_cut = np.zeros(len(VERTEBRAE))
    return Chain(tuple(follows), opens, closes, opens_cut, closes_cut)
