"""Everything around the vertebrae, from the outside in; later structures lie over earlier ones."""

from __future__ import annotations

import numpy as np

from siil.phantom import arms, canal, head, organs, pelvis, shoulders, skeleton, soft
from siil.phantom.anatomy import Anatomy
from siil.phantom.canvas import Canvas
from siil.phantom.texture import Texture
from siil.phantom.trunk import Trunk
from siil.phantom.view import View


def lay(canvas: Canvas, anatomy: Anatomy, view: View, *, grain: Texture) -> None:
    """Lay all that is not a vertebra."""
    trunk = Trunk(anatomy)
    bone = skeleton.bone_of(anatomy, 1.4)
    soft.lay_body(canvas, anatomy, trunk, view, grain=grain)
    if anatomy.quirks and anatomy.quirks.arms:
        arms.lay_arms(canvas, anatomy, trunk, bone)
    organs.lay_belly(canvas, anatomy, trunk, view, np.random.default_rng(anatomy.texture_seed + 2))
    soft.lay_lungs(canvas, anatomy, trunk, grain=grain)
    organs.lay_chest(canvas, anatomy, trunk, view)
    organs.lay_muscles(canvas, anatomy, trunk)
    organs.lay_vessels(canvas, anatomy, trunk, view)
    head.lay_neck(canvas, anatomy, trunk, view, bone)
    head.lay_head(canvas, anatomy, bone)
    canal.lay_back(canvas, anatomy)
    shoulders.lay_sternum(canvas, anatomy, trunk.ribs, bone)
    shoulders.lay_shoulders(canvas, anatomy, trunk, bone)
    pelvis.lay_hips(canvas, anatomy, bone)
    pelvis.lay_sacrum(canvas, anatomy, skeleton.bone_of(anatomy, 1.1))
    skeleton.lay_ribs(canvas, anatomy, trunk.ribs)
    canal.lay_discs(canvas, anatomy)
    canal.lay_canal(canvas, anatomy)
