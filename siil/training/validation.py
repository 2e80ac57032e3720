"""Scores of the network alone on the validation cases; the mean Dice per vertebra chooses the best epoch.

The same sliding window and arg max as in inference, without the whole-scan decoding: what is judged is the network.
Working grid, internal indices. The test set is never seen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric

from siil.inference.fuse import raw_labels
from siil.inference.sliding_window import slide
from siil.preprocess import normalise
from siil.schema.inference import Inference
from siil.training.case_store import CaseArrays, CaseStore

if TYPE_CHECKING:
    from siil.model.network import Network
