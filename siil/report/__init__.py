"""What people look at: tables, figures, the page, viewer and preview, and where each number in them comes from.

Lives here: what is read (results, records, file_records, lineage), tables (cells, formats, trainings), figures
(curves, scores, confusion, overlays with planes, traces), their style and colours, the page with its content and
viewer, and the pictures of a single scan (preview and what it is made of: sheet, pair, straight, pictures), all of
whose files scan_files writes, and of many that were adapted to (adapted) or are suspected (suspects).
Comes in: stages. Goes out: to inference's answers, metrics, audit, datasets, scan, config and run.
"""
