"""What `make docs` does not check itself: versions of both lock files, and that no room lacks its page of the API."""

from __future__ import annotations

import re

from siil.run.provenance import PACKAGE
from tests.workflow.checkout import ROOT


def _versions(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", text, flags=re.M))


def test_packages_of_both_environments_have_one_version():
    docs, everything = _versions("requirements-docs.lock"), _versions("requirements.lock")
    assert len(docs) > 20
    assert {name for name in docs.keys() & everything.keys() if docs[name] != everything[name]} == set()


def test_every_room_has_its_page_of_the_api():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    pages = {path.stem for path in (ROOT / "docs" / "reference" / "api").glob("*.md")}
    assert pages == rooms | {"hall", "index"}
    hall = (ROOT / "docs" / "reference" / "api" / "hall.md").read_text(encoding="utf-8")
    loose = {f"siil.{path.stem}" for path in PACKAGE.glob("*.py")} - {"siil.__init__", "siil.__main__"}
    assert set(re.findall(r"^::: (\S+)$", hall, flags=re.M)) == loose


def test_a_warning_about_a_link_or_an_anchor_ends_the_build():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "\nstrict: true\n" in text
    checks = re.findall(r"^  (\w+): warn$", text, flags=re.M)
    assert checks == ["omitted_files", "absolute_links", "unrecognized_links", "anchors"]
    assert "mkdocs build --quiet" not in (ROOT / "scripts" / "docs.sh").read_text(encoding="utf-8")  # counts no warning
