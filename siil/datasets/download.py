"""From the hosts of the public sets to data/raw: licences, archives, the hub, or a folder of this machine instead.

Used by the `fetch` stage. How one file comes over the network: `siil.datasets.transfer`; archives:
`siil.scan.archive`.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siil.config.schema.dataset import Ctspine1kSource, VerseSource
from siil.datasets import ctspine1k as spine1k
from siil.datasets import manifest, transfer, verse
from siil.datasets.transfer import FIRST_WAIT_S, RETRIES, download, one_line
from siil.errors import ConfigError, DatasetError
from siil.run import files
from siil.run.progress import track
from siil.scan import archive

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger(__name__)


def fetch_verse(source: VerseSource, folder: Path, *, lock: Path, accept_licence: bool) -> list[Path]:
    """The files of a VerSe edition below `folder`: archives downloaded and unpacked, or a local tree looked at.

    Raises:
        ConfigError: the licence is not accepted. DatasetError: a download or an archive is not what it should be.
    """
    check_licence(source.licence, accept=accept_licence, what=source.edition)
    found: list[Path] = []
    for url in source.urls:
        local = Path(url)
        if "://" not in url and local.is_dir():
            found += manifest.tree(local)
            continue
        name = url.rstrip("/").split("/")[-1]
        place = folder / name.removesuffix(".zip")
        with transfer.alone(folder.parent / ".downloads" / place.name):
            if not place.is_dir():
                packed = local if "://" not in url else download(url, folder.parent / ".downloads" / name, lock=lock)
                if not packed.is_file():
                    raise DatasetError(
                        f"{packed}: expected an archive or a folder, got nothing; mend the source's urls"
                    )
                archive.unpack(packed, place)
        found += manifest.tree(place)
    if source.scans:
        found.append(_table(source.scans, folder / verse.SCAN_TABLE, lock))
    return found


def _table(place: str, target: Path, lock: Path) -> Path:
    if "://" in place:
        return target if target.is_file() else download(place, target, lock=lock)
    if not Path(place).is_file():
        raise DatasetError(f"{place}: expected the table of VerSe scans, got nothing; mend the source's scans")
    with files.atomic(target) as temporary:
        shutil.copyfile(place, temporary)
    return target


def fetch_ctspine1k(
    source: Ctspine1kSource, folder: Path, *, lock: Path, accept_licence: bool, threads: int
) -> list[Path]:
    """The files of CTSpine1K at one commit of the Hugging Face hub, or those of a local folder.

    The commit of the first download is written to the lock, and used from then on, whatever a branch points to. The
    hub's client may return an incomplete folder without an error, so names, sizes and SHA-256 are compared with the
    hub's own list.

    Raises:
        ConfigError: the licence is not accepted. DatasetError: the hub refuses, or files do not come as listed.
    """
    check_licence(source.licence, accept=accept_licence, what="ctspine1k")
    local = Path(source.repository)
    if local.is_dir():
        return [path for path in manifest.tree(local) if spine1k.is_wanted(path.relative_to(local))]
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    for name in ("httpx", "httpx2"):  # a line for every request
        logging.getLogger(name).setLevel(logging.WARNING)
    api, key = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None), f"{source.repository}@{source.revision}"
    first = transfer.locked(lock).get(key)
    try:
        with transfer.alone(folder):
            about = api.dataset_info(
                source.repository, revision=first["commit"] if first else source.revision, files_metadata=True
            )
            if not first:
                entry = {"commit": about.sha, "date": time.strftime("%Y-%m-%d", time.gmtime())}
                files.write_json(lock, transfer.locked(lock) | {key: entry})
            listed = {file.rfilename: file for file in about.siblings or [] if spine1k.is_wanted(Path(file.rfilename))}
            _snapshot(api, source.repository, about.sha or "", listed, folder, threads)
    except HFValidationError:
        raise DatasetError(
            f"{source.repository}: neither a folder that is there nor the OWNER/NAME of a dataset; mend the repository"
        ) from None
    except (OSError, *HfHubHTTPError.__bases__) as error:  # its bases: whatever HTTP library the client is built on
        raise DatasetError(
            f"{source.repository}: {one_line(error)}; run fetch again, with HF_TOKEN if it is gated"
        ) from None
    return [folder / name for name in listed]


def _snapshot(api: HfApi, repository: str, commit: str, listed: dict[str, Any], folder: Path, threads: int) -> None:
    """Ask the hub until every listed file is there and right."""
    for attempt in range(RETRIES):
        api.snapshot_download(
            repository,
            revision=commit,
            repo_type="dataset",
            local_dir=folder,
            allow_patterns=list(listed),
            max_workers=min(4, max(1, threads)),
        )
        wrong = [name for name, file in track(listed.items(), description="check", total=len(listed))
                 if not _as_listed(folder / name, file)]  # fmt: skip
        if not wrong:
            return
        for name in wrong:
            (folder / name).unlink(missing_ok=True)
        log.warning("%d of %d files are missing or not as listed, trying again", len(wrong), len(listed))
        time.sleep(FIRST_WAIT_S * 2**attempt)
    raise DatasetError(f"{repository}: {len(wrong)} files did not come as listed (first: {wrong[0]}); run fetch again")


def _as_listed(path: Path, file: Any) -> bool:
    """Size, and SHA-256 where the hub has one (large files)."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    return file.lfs is None or files.sha256(path) == file.lfs.sha256


def check_licence(licence: str, *, accept: bool, what: str) -> None:
    """Show the licence; raise ConfigError unless it is accepted."""
    log.info("%s: licence %s", what, licence)
    if not accept:
        raise ConfigError(
            f"dataset.accept_licence is false; {what} comes under {licence}: read it, then set the key to true"
        )
