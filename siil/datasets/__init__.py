"""Which cases there are, where they come from, in which fold, and where training looks in them (pap).

Lives here: a module for each kind of source (verse, ctspine1k, custom; registry knows them all), how files come
(download, transfer, manifest) and are found (layout, labelmaps with their codes), the table of cases (cases, indexing,
known), which are prepared together (batches), folds, pap, how an annotation ends (annotation), what a reader knows of
vertebrae (levels), and checking of a folder before anyone trains on it.
Comes in: audit, inference (levels), report and stages. Goes out: to scan, config and run.
"""
