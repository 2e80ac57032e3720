"""Which cases there are, whence they come, in which fold, and where training looks in them (pap).

Lives here: a module for each released dataset, one's own scans, their table of cases, folds, and foreign label maps.
Comes in: report and stages. Goes out: to scan, config and run.
"""
