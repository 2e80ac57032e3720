"""The pages in a real browser; skipped where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from siil.report.content import build_page
from siil.report.page import render_page
from siil.report.results import Results
from siil.report.viewer import viewer_page

pytestmark = pytest.mark.slow
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--disable-background-networking", "--no-first-run", "--disable-quic", "--disable-component-update"),
    *("--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"),
)


def _open(page: str, folder: Path, *flags: str, fragment: str = "") -> tuple[str, list[str]]:
    """The page's DOM after its scripts ran, and the console's errors."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [browser, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", f"file://{file}{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "GL Driver Message" not in line]
    return done.stdout, console


@pytest.fixture(scope="module")
def report(results: Results) -> str:
    return render_page(build_page(results, experiment="demo", description="A test.", tables=[], figures={}))


def test_the_viewer_of_the_report_opens_with_nothing_said_on_the_console(report: str, tmp_path: Path) -> None:
    dom, console = _open(report, tmp_path, fragment="#view-spine_b")
    assert console == []
    assert 'id="viewer" aria-label="Viewer" data-ready="true"' in dom
    assert re.search(r'class="where"[^>]*>[RL] \d+, [AP] \d+, [SI] \d+ mm.*truth: L2 .* prediction: L3', dom)


def test_the_page_of_one_scan_opens(results: Results, tmp_path: Path) -> None:
    volumes = results.volumes("siil", 0, "spine_a")
    dom, console = _open(viewer_page(volumes["ct"], volumes["prediction"], "spine_a"), tmp_path)
    assert console == []
    assert 'data-ready="true"' in dom


def test_without_webgl_the_page_says_so_and_stays_readable(report: str, tmp_path: Path) -> None:
    dom, _ = _open(report, tmp_path, "--disable-3d-apis", fragment="#view-spine_b")
    assert "This browser offers no WebGL 2" in dom
    assert '<td data-key="1.0">uncertain</td>' in dom
