"""From a scan to its vertebrae: windows, the decoding along the spine, voxels, the way back, measures and files.

Lives here: everything between a network and the answer that users read. Comes in: training's validation, reports and
the stages test and predict. Goes out: to model and scan.
"""
