"""The download of an evaluation set's published ground truth, pinned by hash.

The `ground_truth` block of a dataset (config/datasets.yaml) says where it is published: in a commit of a public
repository, in a Zenodo record, or in a folder of the user. The first sha256 found is pinned in the lock file.
"""

import logging
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdlib.data.fetching.http import checksum_of, fetch
from asdlib.data.fetching.pins import Pin, pin, read_pins, waiting_lock
from asdlib.data.fetching.retry import Retry
from asdlib.data.fetching.zenodo import archive_url
from asdlib.data.truth import DOMAINS, Truth, clip_names, read_evaluator, read_rename_list, write_truth
from asdlib.errors import AsdError

_log = logging.getLogger(__name__)
_LIMIT = 64 << 20  # bytes; the largest published list has less than 1 MB
_DAMAGED = {2022: {"ToyCar", "ToyTrain"}}  # their lines in the rename list contradict the evaluator


def fetch_truth(
    dataset: Mapping[str, Any],
    machine: str,
    folder: Path,
    *,
    cache: Path,
    lock_file: Path,
    github: str,
    zenodo: str,
    retry: Retry | None = None,
) -> Path:
    """Write `ground_truth.csv` into a machine's `folder` and return its path.

    `dataset` is the dataset's block of the config; `cache` is the folder for downloads. Raises AsdError if the dataset
    has no published ground truth, or if this cannot be fetched, has changed or does not match the clips in `folder`.
    """
    source = dataset.get("ground_truth")
    if not source:
        raise AsdError(f"{machine}: this dataset has no `ground_truth` in the config: score it without labels")
    if source["form"] == "rename_list" and machine in _DAMAGED.get(dataset.get("year"), ()):
        raise AsdError(f"{machine}: its lines in the 2022 rename list are wrong: set `form: evaluator` in the config")
    get = _Getter(source, cache, lock_file, {"github": github, "zenodo": zenodo}, retry)
    path = write_truth(_read(source, machine, folder, get), folder, machine)
    pin(lock_file, "truth", get.found)  # only now: an error page must not be pinned
    return path


class _Getter:
    """Returns the local path of a published file, fetching the file if necessary."""

    def __init__(
        self,
        source: Mapping[str, Any],
        cache: Path,
        lock_file: Path,
        bases: Mapping[str, str],
        retry: Retry | None,
    ):
        self.source, self.cache, self.lock_file, self.bases, self.retry = source, cache, lock_file, bases, retry
        self.found: dict[str, Pin] = {}

    def __call__(self, name: str) -> Path:
        if "folder" in self.source:
            return Path(self.source["folder"]) / name
        key, url = self._address(name)
        path = self.cache / key
        with waiting_lock(path):  # the machines of a dataset are downloaded in parallel and share a list
            expected = self._expected(key)
            if not path.exists() or checksum_of(path, "sha256") != expected:
                self._announce(url)
                fetch(url, path, checksum=expected, limit=_LIMIT, retry=self.retry)
            self.found[key] = {"sha256": checksum_of(path, "sha256").partition(":")[2]}
        return path

    def _address(self, name: str) -> tuple[str, str]:
        """Return a file's key in the lock file, which is also its path in the cache, and its URL."""
        if "record" in self.source:
            record = self.source["record"]
            return f"zenodo/{record}/{name}", archive_url(record, name, base=self.bases["zenodo"])
        key = f"{self.source['repository']}/{self.source['commit']}/{name}"
        return key, f"{self.bases['github'].rstrip('/')}/{urllib.parse.quote(key)}"

    def _expected(self, key: str) -> str | None:
        """Return the sha256 given in the config, else the one in the lock file, else None."""
        digest = self.source.get("sha256") or read_pins(self.lock_file, "truth").get(key, {}).get("sha256")
        return f"sha256:{digest}" if digest else None

    def _announce(self, url: str) -> None:
        licence = self.source.get("licence", "see its source")
        _log.info("%s: fetching ground truth (licence: %s)", url, licence)


def _read(source: Mapping[str, Any], machine: str, folder: Path, get: _Getter) -> list[Truth]:
    if source["form"] == "rename_list":
        return read_rename_list(get(source["file"]), machine)
    sections = sorted({name.split("_")[1] for name in clip_names(folder) if name.startswith("section_")})
    return [row for section in sections for row in _read_section(source, machine, section, get)]


def _read_section(source: Mapping[str, Any], machine: str, section: str, get: _Getter) -> list[Truth]:
    """Return one section's ground truth in evaluator form; a pattern with `{domain}` stands for two tables (2021)."""

    def table(kind: str, **more: str) -> Path | None:
        return get(source[kind].format(machine=machine, section=section, **more)) if kind in source else None

    split = "{domain}" in source["labels"]
    labels = {domain: table("labels", domain=domain) for domain in DOMAINS} if split else {None: table("labels")}
    return read_evaluator(labels, table("domains"), table("attributes"))
