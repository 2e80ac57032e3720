"""From the hosts of the public sets to data/raw: licences, archives, the hub, or a folder of this machine instead.

Used by the `fetch` stage. How one file comes over the network: `siil.datasets.transfer`; archives:
`siil.archive`.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from siil import archive, files
from siil.datasets import ctspine1k as spine1k
from siil.datasets import manifest, verse
from siil.datasets.transfer import FIRST_WAIT_S, RETRIES, download, one_line
from siil.errors import ConfigError, DatasetError
from siil.schema.dataset import Ctspine1kSource, VerseSource

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
        if not place.is_dir():
            packed = local if "://" not in url else download(url, folder.parent / ".downloads" / name, lock=lock)
            if not packed.is_file():
                raise DatasetError(f"{packed}: expected an archive or a folder, got nothing; mend the source's urls")
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


def fetch_ctspine1k(source: Ctspine1kSource, folder: Path, *, accept_licence: bool, threads: int) -> list[Path]:
    """The files of CTSpine1K at the pinned revision, from the Hugging Face hub or a local folder.

    The hub's client may return an incomplete folder without an error, so the list of files is compared.
    """
    check_licence(source.licence, accept=accept_licence, what="ctspine1k")
    local = Path(source.repository)
    if local.is_dir():
        return [path for path in manifest.tree(local) if spine1k.is_wanted(path.relative_to(local))]
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        listed = HfApi().list_repo_files(source.repository, revision=source.revision, repo_type="dataset")
        wanted = [name for name in listed if spine1k.is_wanted(Path(name))]
        for attempt in range(RETRIES):
            snapshot_download(
                source.repository,
                revision=source.revision,
                repo_type="dataset",
                local_dir=folder,
                allow_patterns=wanted,
                max_workers=min(4, max(1, threads)),
            )
            missing = [name for name in wanted if not (folder / name).is_file()]
            if not missing:
                return [folder / name for name in wanted]
            log.warning("%d of %d files are missing, trying again", len(missing), len(wanted))
            time.sleep(FIRST_WAIT_S * 2**attempt)
    except (HfHubHTTPError, OSError) as error:
        raise DatasetError(
            f"{source.repository}: {one_line(error)}; run fetch again, with HF_TOKEN if it is gated"
        ) from None
    raise DatasetError(f"{source.repository}: {len(missing)} files did not come (first: {missing[0]}); run fetch again")


def check_licence(licence: str, *, accept: bool, what: str) -> None:
    """Show the licence; raise ConfigError unless it is accepted."""
    log.info("%s: licence %s", what, licence)
    if not accept:
        raise ConfigError(
            f"dataset.accept_licence is false; {what} comes under {licence}: read it, then set the key to true"
        )
