"""Licences, local trees instead of a host, archives, the hub."""

from __future__ import annotations

import shutil

import pytest

from siil.datasets import download, manifest, verse
from siil.errors import ConfigError, DatasetError, InputError
from siil.schema.dataset import Ctspine1kSource, VerseSource
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


def test_an_archive_that_is_none_leaves_no_folder(tmp_path):
    (tmp_path / "dataset.zip").write_bytes(b"PK not really")
    with pytest.raises(InputError, match="expected a zip archive"):
        fetch(source(str(tmp_path / "dataset.zip")), tmp_path)
    assert not (tmp_path / "raw/verse19/dataset").exists()


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="mend the source's urls"):
        fetch(source(str(tmp_path / "no.zip")), tmp_path)


def hub(monkeypatch, delivered: list[list[str]]):
    """A hub that lists three files and delivers one list per call, without an error when some are missing."""
    import huggingface_hub

    listed = ["README.md", "data/a.arrow", "metadata/data_split.txt", "raw_data/volumes/COLONOG/a.nii.gz"]
    calls = []

    def snapshot(repository, *, local_dir, allow_patterns, revision, **rest):
        calls.append((revision, tuple(allow_patterns)))
        for name in delivered.pop(0):
            (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (local_dir / name).write_text("x")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *args, **kwargs: listed)
    monkeypatch.setattr(download, "FIRST_WAIT_S", 0.0)
    return calls


SPINE = Ctspine1kSource(kind="ctspine1k", repository="someone/CTSpine1K", revision="abc", licence="CC BY-NC-SA")
WANTED = ["metadata/data_split.txt", "raw_data/volumes/COLONOG/a.nii.gz"]


def test_the_hub_is_asked_again_until_every_wanted_file_is_there(monkeypatch, tmp_path):
    calls = hub(monkeypatch, [WANTED[:1], WANTED])
    paths = download.fetch_ctspine1k(SPINE, tmp_path, accept_licence=True, threads=8)
    assert paths == [tmp_path / name for name in WANTED]
    assert calls == [("abc", tuple(WANTED))] * 2


def test_a_hub_that_never_delivers_is_named(monkeypatch, tmp_path):
    hub(monkeypatch, [WANTED[:1]] * 10)
    with pytest.raises(DatasetError, match=r"1 files did not come \(first: raw_data/volumes"):
        download.fetch_ctspine1k(SPINE, tmp_path, accept_licence=True, threads=1)


def test_a_local_copy_of_the_hub_serves_as_it_is(tmp_path):
    trees.ctspine1k(tmp_path)
    (tmp_path / "README.md").write_text("x")
    local = SPINE.model_copy(update={"repository": str(tmp_path)})
    paths = download.fetch_ctspine1k(local, tmp_path / "raw", accept_licence=True, threads=1)
    assert len(paths) == len(manifest.tree(tmp_path)) - 1
