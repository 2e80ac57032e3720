"""What people look at: tables, figures, the page, viewer and preview, and where each number in them comes from.

Comes in: stages. Goes out: to metrics, inference's answers, datasets and scan.
"""
