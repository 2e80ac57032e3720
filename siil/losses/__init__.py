"""The terms of the loss, one file each, and total.py that weighs them by name.

Lives here: what a training makes small, as functions of an output and its labels.
Comes in: stages, whose train hands the total to training. Goes out: to model, for what its output is called, and to
config.
"""
