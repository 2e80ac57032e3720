"""How good a label map is: a number for two arrays, its edge cases decided once, and the pooling of many scans.

Lives here: pure functions that never load torch.
Comes in: training (validation), report and stages. Goes out: to config.
"""
