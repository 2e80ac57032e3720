"""Scored rows as `aggregate` writes them, few enough to check by hand: two models, three patients, two grids."""

from __future__ import annotations

from itertools import product

import pandas as pd

DICE = {"siil": (0.9, 0.8, 0.7), "no_gru": (0.8, 0.6, 0.7), "unet_wide": (0.5, 0.5, 0.5)}
"""model -> Dice of L1 in the scans a, b, c; L2 is missed in c and T12 is cut in a; L3 is invented in b."""
SPACES = {"work": 0.0, "input": 0.1, "ceiling": -0.05}
"""space -> what it takes off the Dice"""


def vertebrae(*models: str) -> pd.DataFrame:
    """Rows of vertebrae.tsv."""
    made = []
    for model, (space, less), (scan, case) in product(models, SPACES.items(), enumerate("abc")):
        dice = DICE[model][scan] - less
        made.append(_vertebra(model, space, case, "L1", dice=dice))
        made.append(_vertebra(model, space, case, "L2", dice=0.0 if case == "c" else dice, predicted=case != "c"))
        if case == "a":
            made.append(_vertebra(model, space, case, "T12", dice=dice / 2, complete=False))
        if case == "b":
            made.append(_vertebra(model, space, case, "L3", dice=0.0, truth=False))
    return pd.DataFrame(made)


def _vertebra(
    model: str,
    space: str,
    case: str,
    label: str,
    *,
    dice: float,
    truth: bool = True,
    predicted: bool = True,
    complete: bool = True,
) -> dict:
    both = truth and predicted
    return {
        "model": model, "repeat": 0, "fold": 0, "case": case, "patient": f"p{case}", "space": space,
        "scope": "vertebra", "label": label, "truth": truth, "predicted": predicted, "complete": complete and truth,
        "dice": dice, "nsd_1mm": dice, "hd95_mm": 2.0 if both else None, "assd_mm": 0.5 if both else None,
        "distance_mm": 1.0 if both else None, "hit_verse": float(both) if truth else None,
        "hit_strict": float(both) if truth else None, "detected": float(both) if truth else None,
        "nearest_label": label if both else "",
    }  # fmt: skip


def scans(*models: str) -> pd.DataFrame:
    """Rows of scans.tsv."""
    made = []
    for model, (space, less), (scan, case) in product(models, SPACES.items(), enumerate("abc")):
        dice = DICE[model][scan] - less
        made.append({
            "model": model, "repeat": 0, "fold": 0, "case": case, "patient": f"p{case}", "space": space,
            "scope": "scan", "label": "", "dice": dice, "nsd_1mm": dice, "binary_dice": dice, "hd95_mm": 2.0,
            "assd_mm": 0.5, "d_mean_mm": 1.0, "id_rate_verse": 1.0, "id_rate_strict": 0.5 if case == "c" else 1.0,
            "precision": 1.0, "f1": 1.0, "shift_accuracy": 1.0, "all_right": case == "a", "n_truth": 2,
            "n_predicted": 2, "shift": 0, "flagged": False,
        })  # fmt: skip
    return pd.DataFrame(made)


def again(frame: pd.DataFrame, **changed: object) -> pd.DataFrame:
    """The rows and those of a second training, which says something else in the columns named."""
    return pd.concat([frame, frame.assign(repeat=1, **changed)], ignore_index=True)


def history(*models: str) -> pd.DataFrame:
    """Rows of history.tsv: two folds of 100 and 200 steps, half a second a step, a minute of validation at the end."""
    made = []
    for model, fold in product(models, (0, 1)):
        start = {"model": model, "repeat": 0, "fold": fold, "epoch": 1, "step": 100 * (fold + 1), "lr": 0.001}
        made.append({**start, "phase": "train", "seconds": 50.0 * (fold + 1)})
        made.append({**start, "phase": "validation", "seconds": 50.0 * (fold + 1) + 60})
    return pd.DataFrame(made)
