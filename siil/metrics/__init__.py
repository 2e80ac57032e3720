"""How good a label map is: a number for two arrays, its edge cases decided once, and the pooling of many scans.

Lives here: pure functions that never load torch. Comes in: reports and stages. Goes out: to the table of vertebrae.
"""
