"""Is a labelled dataset right? Each vertebra measured once on a coarse grid, then one check for each kind of defect.

Lives here: the way from files to numbers (folder, headers, coarse, measure, placement, heldout), what is usual (norms,
usual), the checks and their table (checks, with shift and parts), and what they say (findings).
Comes in: report and stages. Goes out: to datasets and scan.
"""
