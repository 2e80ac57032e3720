"""Licences, local trees instead of a host, archives, the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from siil.config.schema.dataset import Ctspine1kSource, VerseSource
from siil.datasets import download, manifest, transfer, verse
from siil.errors import ConfigError, DatasetError, InputError
from tests import hosts
from tests.datasets import trees


def source(*urls: str, scans: str = "") -> VerseSource:
    return VerseSource(kind="verse", edition="verse19", urls=urls, scans=scans, licence="CC BY-SA 4.0")


def fetch(chosen: VerseSource, tmp_path, accept=True):
    folder = tmp_path / "raw/verse19"
    return download.fetch_verse(chosen, folder, lock=tmp_path / "raw/verse19.lock.json", accept_licence=accept)


def test_without_an_accepted_licence_nothing_is_touched(tmp_path):
    with pytest.raises(ConfigError, match=r"verse19 comes under CC BY-SA 4.0"):
        fetch(source("https://nowhere.invalid/a.zip"), tmp_path, accept=False)
    assert list(tmp_path.iterdir()) == []


def test_a_local_tree_serves_as_it_is(tmp_path):
    trees.verse19(tmp_path / "mine")
    paths = fetch(source(str(tmp_path / "mine")), tmp_path)
    assert len(verse.find(paths, edition="verse19")) == 6
    assert not (tmp_path / "raw").exists()


def test_an_archive_is_unpacked_once_and_its_table_is_kept(tmp_path):
    trees.verse20(tmp_path / "tree")
    packed = shutil.make_archive(str(tmp_path / "dataset-verse20"), "zip", tmp_path / "tree")
    (tmp_path / "table.csv").write_text(trees.TABLE)
    chosen = source(packed, scans=str(tmp_path / "table.csv"))
    paths = fetch(chosen, tmp_path)
    found = verse.find(paths, edition="verse20")
    assert {scan.split for scan in found} == {"training", "validation", "testing"}
    assert (tmp_path / "raw/verse19" / verse.SCAN_TABLE).is_file()
    assert fetch(chosen, tmp_path) == paths
    assert not [path for path in (tmp_path / "raw/verse19").iterdir() if path.name.startswith(".tmp")]


def test_an_archive_comes_from_its_host_through_cuts_and_busy_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.0)
    trees.verse20(tmp_path / "tree")
    packed = shutil.make_archive(str(tmp_path / "dataset-verse20training"), "zip", tmp_path / "tree")
    with hosts.serve() as host:
        host.files = {"/a/dataset-verse20training.zip": Path(packed).read_bytes(), "/t.csv": trees.TABLE.encode()}
        host.plan = {"/a/dataset-verse20training.zip": ["cut", 503, "cut"], "/t.csv": [503]}
        chosen = source(f"{host.url}/a/dataset-verse20training.zip", scans=f"{host.url}/t.csv")
        assert len(verse.find(fetch(chosen, tmp_path), edition="verse20")) == 4
        ranges = [wanted for path, wanted in host.asked if path.startswith("/a/")]
        assert ranges[0] is None
        assert all(ranges[1:])
        asked = len(host.asked)
        assert fetch(chosen, tmp_path)
        assert len(host.asked) == asked  # what is unpacked is not asked for again
    lock = json.loads((tmp_path / "raw/verse19.lock.json").read_text())
    assert sorted(entry["bytes"] for entry in lock.values()) == sorted(len(content) for content in host.files.values())


def test_an_archive_that_is_none_leaves_no_folder(tmp_path):
    (tmp_path / "dataset.zip").write_bytes(b"PK not really")
    with pytest.raises(InputError, match="expected a zip archive"):
        fetch(source(str(tmp_path / "dataset.zip")), tmp_path)
    assert not (tmp_path / "raw/verse19/dataset").exists()


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="mend the source's urls"):
        fetch(source(str(tmp_path / "no.zip")), tmp_path)


SPINE = Ctspine1kSource(kind="ctspine1k", repository="someone/CTSpine1K", revision="main", licence="CC BY-NC-SA")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub with a miniature of CTSpine1K and files that nobody wants; the real client talks to it."""
    trees.ctspine1k(tmp_path / "hub")
    (tmp_path / "hub/README.md").write_text("x")
    (tmp_path / "hub/data").mkdir()
    (tmp_path / "hub/data/train-00000.arrow").write_text("x")
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0.0)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with hosts.serve() as host:
        host.hub["someone/CTSpine1K"] = tmp_path / "hub"
        monkeypatch.setenv("HF_ENDPOINT", host.url)
        yield host


def from_hub(tmp_path, source=SPINE) -> list[str]:
    folder = tmp_path / "raw/ctspine1k"
    paths = download.fetch_ctspine1k(
        source, folder, lock=tmp_path / "raw/ctspine1k.lock", accept_licence=True, threads=2
    )
    assert all(path.read_bytes() == (tmp_path / "hub" / path.relative_to(folder)).read_bytes() for path in paths)
    return [str(path.relative_to(folder)) for path in paths]


def test_the_hub_delivers_what_is_wanted_and_its_commit_is_pinned(hub, tmp_path):
    names = from_hub(tmp_path)
    assert len(names) == 11
    assert "metadata/data_split.txt" in names
    assert not {"README.md", "data/train-00000.arrow"} & set(names)
    lock = json.loads((tmp_path / "raw/ctspine1k.lock").read_text())
    assert lock["someone/CTSpine1K@main"]["commit"] == hosts.COMMIT
    hub.asked.clear()
    assert from_hub(tmp_path) == names
    asked = {path for path, _ in hub.asked}
    assert f"/api/datasets/someone/CTSpine1K/revision/{hosts.COMMIT}" in asked
    assert not any(path.endswith("/main") or "/resolve/" in path for path in asked)  # nothing came twice


def test_a_file_that_changed_on_this_disk_is_fetched_again(hub, tmp_path):
    names = from_hub(tmp_path)
    damaged = tmp_path / "raw/ctspine1k" / names[-1]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert from_hub(tmp_path) == names


def test_a_hub_that_does_not_deliver_what_it_lists_is_named(hub, tmp_path):
    hub.lost = {"liver_3.nii.gz"}
    with pytest.raises(DatasetError, match=r"1 files did not come as listed \(first: raw_data/volumes/MSD-T10/liver_3"):
        from_hub(tmp_path)


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_hub_that_refuses_is_one_line(hub, tmp_path, status):
    hub.plan["/api/datasets/someone/CTSpine1K/revision/main"] = [status] * 20
    with pytest.raises(DatasetError, match="run fetch again, with HF_TOKEN if it is gated") as caught:
        from_hub(tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "raw/ctspine1k.lock").exists()


def test_a_hub_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match=r"someone/CTSpine1K: .*run fetch again"):
        from_hub(tmp_path)


def test_a_second_run_at_once_is_refused(hub, tmp_path):
    with transfer.alone(tmp_path / "raw/ctspine1k"), pytest.raises(DatasetError, match="another run is downloading"):
        from_hub(tmp_path)


def test_a_local_copy_of_the_hub_serves_as_it_is(tmp_path):
    trees.ctspine1k(tmp_path)
    (tmp_path / "README.md").write_text("x")
    local = SPINE.model_copy(update={"repository": str(tmp_path)})
    paths = download.fetch_ctspine1k(
        local, tmp_path / "raw", lock=tmp_path / "raw.lock", accept_licence=True, threads=1
    )
    assert len(paths) == len(manifest.tree(tmp_path)) - 1


def test_a_repository_that_is_neither_a_folder_nor_a_name_is_one_line(hub, tmp_path):
    with pytest.raises(DatasetError, match="neither a folder that is there nor the OWNER/NAME"):
        from_hub(tmp_path, SPINE.model_copy(update={"repository": "/no/such/CTSpine1K"}))
