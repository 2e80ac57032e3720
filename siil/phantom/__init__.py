"""Synthetic CT scans of the spine, drawn from a seed, written in VerSe's release layout.

anatomy.py draws a patient from the morphometry, view.py a scan of it; render.py turns both into HU, mask, centroids and
truth; layout.py writes them. Lives here: all of that. Everything is a function of the seed alone. numpy and scipy only.

Comes in: stages (fetch) and the benchmarks. Goes out: to scan, config's schema and run.
"""

from siil.phantom.anatomy import Anatomy, draw_anatomy
from siil.phantom.layout import generate
from siil.phantom.render import Scan, render, sample
from siil.phantom.view import View, draw_view

__all__ = ["Anatomy", "Scan", "View", "draw_anatomy", "draw_view", "generate", "render", "sample"]
