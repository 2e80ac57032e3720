"""From cases to weights: engine holds the loop, on one screen.

Lives here: what the loop is given (case_store, patches, augment, appearance), where it starts and goes on (start,
checkpoint, seed), what a step is (schedule, optimizer), where it runs (device, fabric), what it leaves (ledger,
history), and validation.
Comes in: stages. Goes out: to inference and metrics (validation), model, scan, config and run.
"""
