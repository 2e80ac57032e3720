"""What people look at: tables, figures, the page, viewer and preview, and where each number in them comes from.

Lives here: what is read (results, records, lineage), tables (cells, formats, trainings), figures (curves, scores,
confusion, overlays with planes, traces), their style and colours, the page with its content and viewer, the
preview of a single scan (straight), and the sheet of what an audit suspects (suspects).
Comes in: stages. Goes out: to inference's answers, metrics, audit, datasets, scan, config and run.
"""
