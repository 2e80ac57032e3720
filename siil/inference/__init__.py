"""From a scan to its vertebrae: predict_case is the way, in order.

Lives here: scans (what a user points at), device; windows (sliding_window, accumulate, posterior) and the network's
own answer (fuse); the decoding (centreline, evidence, landmarks, morphometry, problem, view, sequence, viterbi,
enumeration, reasons, calibration); from names to voxels (assign, hanging, soft_maps), and again at a fine spacing
(crops, second_look, pieces); what is reported (body, vertebrae, answer, outputs, results, slicer, dicom_seg); names
that a reader corrects (count, relabel); what may teach (trust).
Comes in: training (validation), report and stages. Goes out: to model, datasets (levels), scan, config and run.
"""
