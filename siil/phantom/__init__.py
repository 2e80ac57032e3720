"""Synthetic CT scans of the spine, drawn from a seed, written in VerSe's release layout.

anatomy draws a patient from the morphometry, view a scan of it; render turns both into HU, mask, centroids and truth;
layout writes them. Everything is a function of the seed alone. numpy and scipy only.

Lives here: the spine (spine, vertebra, craniocervical, bones, canal, skeleton for the ribs), what is around it
(surroundings in order: trunk, soft with fat and clothes, organs, pelvis, head, shoulders, arms, implants), what makes
patients differ (variety, texture), the scanner, the tools (canvas, shapes), and phantoms beside real scans (measure,
real_sizes, gallery) and example scans to try things on (example).
Comes in: stages (fetch) and the benchmarks. Goes out: to scan, config's schema and run.
"""

from siil.phantom.anatomy import Anatomy, draw_anatomy
from siil.phantom.layout import generate
from siil.phantom.render import Scan, render, sample
from siil.phantom.view import View, draw_view

__all__ = ["Anatomy", "Scan", "View", "draw_anatomy", "draw_view", "generate", "render", "sample"]
