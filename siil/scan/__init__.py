"""A scan as it comes and goes: files, DICOM, grids, the way to the working grid and back, what can be wrong with it.

Lives here: everything about one volume that knows neither its dataset nor its labels' meaning.
Comes in: phantom, datasets, inference, training, report and stages. Goes out: to config's schema and run.
"""
