"""From cases to weights: engine holds the loop, on one screen.

Lives here: what the loop is given (case_store, patches, augment, appearance), where it starts and goes on (start,
checkpoint, seed), what a step is (schedule, optimizer), where it runs (device, fabric), what it leaves (ledger,
history), and validation; the second look's crops of labelled scans (lessons), their errors (perturb), batches and
score (crop_batches, crop_validation), and what hands them to the same loop (refining).
Comes in: stages. Goes out: to inference and metrics (validation), losses (refining), model, scan, config and run.
"""
