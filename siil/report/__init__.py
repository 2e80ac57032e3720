"""What people look at: tables, figures, the page, viewer and preview, and where each number in them comes from.

Lives here: everything that reads results and draws or writes them for a reader.
Comes in: stages. Goes out: to inference's answers, metrics, datasets, scan, config and run.
"""
