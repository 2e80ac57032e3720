"""Scores of the network alone on the validation cases; the mean Dice per vertebra chooses the best epoch.

The same sliding window and arg max as in inference, without the whole-scan decoding: what is judged is the network.
Working grid, internal indices. The test set is never seen here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
