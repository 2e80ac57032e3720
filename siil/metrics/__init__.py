"""How good a label map is: a number for two arrays, its edge cases decided once, and the pooling of many scans.

Lives here: overlap, surface with its surfels, identification, objects; annotation (what nobody labelled) and
conventions (the edge cases); case (a scan), rows and catalogue (the columns), pool (many scans). Pure functions
that never load torch.
Comes in: training (validation), report and stages. Goes out: to config, run (tables) and scan.
"""
