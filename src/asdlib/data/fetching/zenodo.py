"""The download of a machine's recordings from Zenodo: its archives, their checksums and their unpacking.

The config (config/datasets.yaml) has the record number and the archive's name. The lock file has the size and md5; if
it lacks them, they are requested from the record's API once and pinned.
"""

import glob
import logging
import os
import shutil
import urllib.parse
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asdlib.data.fetching.archives import unpack
from asdlib.data.fetching.http import checksum_of, fetch, fetch_json
from asdlib.data.fetching.partial import Part
from asdlib.data.fetching.pins import Pin, is_pin, pin, read_pins
from asdlib.data.fetching.retry import Retry
from asdlib.data.files import atomic, locked
from asdlib.data.listing import refuse_special
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)


def download_machine(
    dataset: Mapping[str, Any],
    machine: str,
    folder: Path,
    *,
    archives_dir: Path,
    own_archives: Path,
    lock_file: Path,
    base: str,
    parallel: int,
    retry: Retry | None = None,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Fetch, verify and unpack all archives of one machine; its `folder` appears complete or not at all.

    `dataset` is the dataset's block of the config. Archives are kept as `<archives_dir>/<record>/<file>` and not
    fetched again. Those that the user has put in `<own_archives>/<record>/<file>` are not fetched at all. `parallel` of
    them are fetched at the same time. `finish` is called with the folder while it is still hidden, for example to add
    the ground truth. Raises AsdError if an archive is missing, changed or damaged, or cannot be fetched.
    """
    archives = machine_archives(dataset, machine)
    with locked(folder):
        pins = pinned(archives, lock_file, base=base, retry=retry)
        with ThreadPoolExecutor(parallel) as pool:
            jobs = [
                pool.submit(_obtain, record, name, pins[f"{record}/{name}"], (own_archives, archives_dir), base, retry)
                for record, name in archives
            ]
        paths = [job.result() for job in jobs]
        _remove_leftovers(folder)
        with atomic(folder) as hidden:
            hidden.mkdir()
            for path in paths:
                unpack(path, hidden, strip=machine)
            if finish:
                finish(hidden)


def machine_archives(dataset: Mapping[str, Any], machine: str) -> list[tuple[int, str]]:
    """Return (record, file name) of every archive of one machine, in the order of the config."""
    if machine not in dataset.get("machines", [machine]):
        raise AsdError(f"{machine}: is not a machine of this dataset: choose from {', '.join(dataset['machines'])}")
    return [
        (archive["record"], archive.get("rename", {}).get(machine, archive["file"].format(machine=machine)))
        for archive in dataset["source"]["archives"]
    ]


@dataclass(frozen=True)
class Arrived:
    """How much of an archive is here: `size` is that of the whole archive, None if it is not pinned."""

    size: int | None
    here: int


def arrived(
    dataset: Mapping[str, Any], machine: str, *, archives_dir: Path, own_archives: Path, lock_file: Path
) -> list[Arrived]:
    """Return how much of each archive of a machine is here, without asking the network; see `download_machine`."""
    pins = read_pins(lock_file, "archives")
    return [
        _arrived(_places(record, name, (own_archives, archives_dir)), pins.get(f"{record}/{name}", {}).get("size"))
        for record, name in machine_archives(dataset, machine)
    ]


def pinned(
    archives: list[tuple[int, str]], lock_file: Path, *, base: str, retry: Retry | None = None
) -> dict[str, Pin]:
    """Return the pins (`<record>/<file>` → md5 and size); request and pin those that the lock file lacks."""
    pins = read_pins(lock_file, "archives")
    for record in sorted({record for record, name in archives if f"{record}/{name}" not in pins}):
        pins = pin(lock_file, "archives", record_files(record, base=base, retry=retry))
    for record, name in archives:
        if f"{record}/{name}" not in pins:
            listed = ", ".join(sorted(key.partition("/")[2] for key in pins if key.startswith(f"{record}/")))
            raise AsdError(f"{name}: not in record {record}, which contains {listed}: correct `source` in the config")
    return pins


def record_files(record: int, *, base: str, retry: Retry | None = None) -> dict[str, Pin]:
    """Return a record's files from the API: `<record>/<file>` → md5 and size.

    The answer may have either form: a list `files`, or `entries` (below `files`, or at `…/files`).
    """
    address = f"{base.rstrip('/')}/api/records/{record}"
    for url in (address, f"{address}/files"):
        listed = _listed(fetch_json(url, retry=retry))
        if listed:
            return {f"{record}/{entry['key']}": _pin(url, entry) for entry in listed}
    raise AsdError(f"{address}: the record lists no files: check the record number and the base address")


def archive_url(record: int, name: str, *, base: str) -> str:
    """Return the public address of one file of a record."""
    return f"{base.rstrip('/')}/records/{record}/files/{urllib.parse.quote(name)}"


def _listed(answer: Any) -> list[dict[str, Any]]:
    """Return the file entries in an answer of the API; empty if it has none."""
    files = answer.get("files", answer) if isinstance(answer, dict) else []
    entries = files.get("entries", []) if isinstance(files, dict) else files
    entries = list(entries.values()) if isinstance(entries, dict) else entries
    entries = entries if isinstance(entries, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and _is_name(entry.get("key"))]


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and key.isprintable()


def _pin(url: str, entry: dict[str, Any]) -> Pin:
    kind, _, digest = str(entry.get("checksum", "")).lower().rpartition(":")
    if kind not in ("", "md5") or not is_pin("md5", digest):
        raise AsdError(
            f"{url}: {entry['key']} has no md5 (found {str(entry.get('checksum'))[:40]!r}): check the base address; if "
            "it is right, the API has changed"
        )
    size = entry.get("size")
    if size is not None and not is_pin("size", size):
        raise AsdError(f"{url}: {entry['key']} has the size {str(size)[:40]!r}: check the base address")
    return {"md5": digest, "size": size}


def _obtain(record: int, name: str, expected: Pin, folders: tuple[Path, Path], base: str, retry: Retry | None) -> Path:
    """Return the path of a verified archive in one of two folders; if it is in neither, fetch it into the second one.

    An archive with another md5 is refused and not replaced, because it may be the user's.
    """
    checksum = f"md5:{expected['md5']}"
    paths = _places(record, name, folders)
    for path in paths:
        if not os.path.lexists(path):
            continue
        if not path.exists():  # it would be replaced, or fetched although the user has it
            raise AsdError(f"{path}: is a link to nothing: make its target available, or remove it to have it fetched")
        refuse_special(path)
        found = checksum_of(path, "md5")
        if found != checksum:
            raise AsdError(f"{path}: is {found}, expected {checksum}: remove it to have it fetched, or replace it")
        _log.info("%s: already here", path)
        return path
    path = paths[-1]
    fetch(archive_url(record, name, base=base), path, size=expected.get("size"), checksum=checksum, retry=retry)
    return path


def _places(record: int, name: str, folders: tuple[Path, Path]) -> list[Path]:
    return [folder / str(record) / name for folder in folders]


def _arrived(places: list[Path], size: int | None) -> Arrived:
    for path in places:
        if path.exists():
            whole = path.stat().st_size
            return Arrived(whole, whole)
    return Arrived(size, Part(places[-1]).length)


def _remove_leftovers(folder: Path) -> None:
    """Remove hidden folders left by a killed job; the caller holds the lock on `folder`, so none is in use."""
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.*.part"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
