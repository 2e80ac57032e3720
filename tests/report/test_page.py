import re
from html.parser import HTMLParser

import pytest

from siil.report.content import build_page, table_block
from siil.report.page import Page, render_page
from siil.report.results import Results
from siil.report.viewer import asset
from siil.run.provenance import RESEARCH_USE

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000064000000320802000000")


class _Resources(HTMLParser):
    """Everything that a browser would load by itself, images without text, and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.silent_images = 0
        self.ids: list[str] = []
        self.anchors: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.loaded += [values[name] or "" for name in ("src", "srcset", "poster", "data") if name in values]
        if tag == "link":
            self.loaded.append(values.get("href") or "")
        if tag == "a":
            self.links.append(values.get("href") or "")
        if tag == "img" and not values.get("alt"):
            self.silent_images += 1
        if values.get("id"):
            self.ids.append(values["id"] or "")


@pytest.fixture(scope="module")
def page(results: Results) -> Page:
    import pandas as pd

    table = table_block(
        "t", pd.DataFrame({"Model": ["<siil>"], "Dice": ["0.9 [0.8, 1.0]"]}), markdown="# Some & title\n"
    )
    figures = {"confusion": PNG, "dice_box": PNG}
    return build_page(results, experiment="demo", description="A test.", tables=[table], figures=figures)


@pytest.fixture(scope="module")
def html(page: Page) -> str:
    return render_page(page)


@pytest.fixture(scope="module")
def parsed(html: str) -> _Resources:
    parser = _Resources()
    parser.feed(html)
    return parser


def test_nothing_is_loaded_from_outside_the_file(html: str, parsed: _Resources) -> None:
    assert parsed.loaded
    assert all(address.startswith("data:") for address in parsed.loaded)
    own = html.replace(asset("niivue.umd.js"), "")
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|importScripts|WebSocket", own)
    outside = set(re.findall(r"https?://[^\s\"'<]+", own))
    assert outside == {"https://doi.org/10.1016/j.media.2024.103380"}
    assert [link for link in parsed.links if link.startswith("http")] == list(outside)


def test_the_page_forbids_network_requests_to_everything_that_it_inlines(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert policy[1].startswith("default-src 'none';")
    assert "http" not in policy[1]
    assert "connect-src data: blob:;" in policy[1]


def test_research_use_stands_at_the_top_and_at_the_bottom(html: str) -> None:
    body = html[html.index("<body>") :]
    assert body.index(RESEARCH_USE) < body.index("<nav")
    assert body.rindex('<p class="notice"') > body.index("<footer>")


def test_every_image_has_a_text_and_every_inner_link_a_target(parsed: _Resources) -> None:
    assert parsed.silent_images == 0
    inner = [link[1:] for link in parsed.links if link.startswith("#")]
    assert inner == ["numbers", "tables", "figures", "scans", "provenance"]
    assert set(inner) <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))


def test_what_is_missing_is_said(html: str) -> None:
    assert "overlays.png is missing" in html
    assert "confusion.png is missing" not in html


def test_texts_are_escaped(html: str) -> None:
    assert "&lt;siil&gt;" in html
    assert "Some &amp; title" in html


def test_an_interval_stands_below_its_value(html: str) -> None:
    assert '<td class="num">0.9<small>[0.8, 1.0]</small></td>' in html


def test_figures_are_shown_in_one_scale(html: str) -> None:
    assert 'width="72" height="36"' in html  # the PNG header says 100 x 50


def test_scans_with_a_viewer_have_a_button_and_their_data(html: str, page: Page) -> None:
    assert set(page.viewers) == {"spine_a", "spine_b", "spine_c"}
    for name in page.viewers:
        assert f'data-viewer="{name}">View</button>' in html
        assert f'id="scan-{name}"' in html


def test_script_elements_are_balanced(html: str) -> None:
    own = html.replace(asset("niivue.umd.js"), "")
    assert own.count("<script") == own.count("</script>")
    assert "</script" not in asset("niivue.umd.js")


def test_without_viewers_the_library_is_left_out(results: Results) -> None:
    from dataclasses import replace

    settings = results.settings.model_copy(update={"viewer_cases": 0})
    bare = build_page(replace(results, settings=settings), experiment="e", description="d", tables=[], figures={})
    html = render_page(bare)
    assert 'id="niivue-bundle"' not in html
    assert "No tables" in html
    assert len(html) < 200_000
