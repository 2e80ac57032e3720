"""From cases to weights: patches drawn from pap, their augmentation, and the loop on one screen (engine.py).

Lives here: everything that happens between a list of cases and a file of weights.
Comes in: stages. Goes out: to inference and metrics (validation), model, scan, config and run.
"""
