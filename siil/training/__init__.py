"""From cases to weights: patches drawn from pap, their augmentation, and the loop on one screen (engine.py).

Comes in: the stage train. Goes out: to model, losses, inference (validation) and scan.
"""
