"""The terms of the loss, one file each, and total.py that weighs them by name.

Comes in: training. Goes out: to model, for what its output is called.
"""
