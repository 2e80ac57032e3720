"""From a scan to its vertebrae: windows, the decoding along the spine, voxels, the way back, measures and files.

Lives here: everything between a network and the answer that users read.
Comes in: training (validation), report and stages. Goes out: to model, scan, config and run.
"""
