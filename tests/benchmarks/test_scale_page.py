"""How long a browser takes to draw and scroll a page; skipped where there is none."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.scale_page import scrolled_s
from siil.errors import SiilError

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]


def test_a_page_is_scrolled_after_some_time(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<!doctype html><div style="height: 9000px">tall</div>')
    assert 0 < scrolled_s(page, str(BROWSER), tmp_path) < 60


def test_a_page_that_cannot_be_scrolled_is_an_error(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><p>short</p>")
    with pytest.raises(SiilError, match=r"did not draw .* within 4 s"):
        scrolled_s(page, str(BROWSER), tmp_path, wait_s=4)
