"""Why one enumeration beats another: what the score of a path through the lattice is made of.

The whole-scan decoding (inference/sequence.py) adds up five kinds of nats; the difference between the best enumeration
and its runner-up, kind by kind, is the explanation that a user gets. Anatomy-free, like inference/viterbi.py.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

from siil.inference.viterbi import Interval, Lattice


@dataclass(frozen=True, slots=True)
class Parts:
    """Nats. network: what O_R and O_S say along the spine. sizes: heights of the vertebrae, and size of the patient.
    discs: borders that fall on gaps between bodies. priors: rare anatomy, spine that O_R would have missed, and spine
    left without a name. landmarks: ribs and sacrum, of a network that sees them.
    """

    network: float
    sizes: float
    discs: float
    priors: float
    landmarks: float = 0.0

    def __sub__(self, other: Parts) -> Parts:
        return Parts(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def total(self) -> float:
        """The score of the path."""
        return float(sum(astuple(self)))


NO_PARTS = Parts(0.0, 0.0, 0.0, 0.0)


def parts(lattice: Lattice, path: tuple[Interval, ...], scale: int) -> Parts:
    """The parts of a path's score at a patient scale; the path has at least one interval and no gap."""
    chain, first, last = lattice.chain, path[0], path[-1]
    network = lattice.empty[first.start] + lattice.empty[-1] - lattice.empty[last.stop]
    sizes, discs = lattice.scale[scale], 0.0
    priors = chain.opens[first.label, first.start] if first.start else chain.opens_cut[first.label]
    priors += chain.closes[last.label, last.stop] if last.stop < lattice.bins else chain.closes_cut[last.label]
    for n, piece in enumerate(path):
        network += lattice.evidence[piece.stop, piece.label] - lattice.evidence[piece.start, piece.label]
        lasted = piece.stop - piece.start - 1
        size = lattice.full[scale, piece.label, lasted]
        if piece.start == 0 or piece.stop == lattice.bins:
            size = max(size, lattice.cut[scale, piece.label, lasted])
        sizes += size
        if n:
            discs += lattice.border[piece.start]
            priors += dict(chain.follows[piece.label])[path[n - 1].label]
    landmarks = 0.0
    if lattice.landmarks is not None:
        landmarks = float(sum(lattice.landmarks[piece.start : piece.stop, piece.label].sum() for piece in path))
        network -= landmarks
    return Parts(float(network), float(sizes), float(discs), float(priors), landmarks)
