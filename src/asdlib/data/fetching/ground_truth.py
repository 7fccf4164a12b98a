"""Fetch the ground truth of an evaluation set from its public place, on request, pinned by hash.

The place is the `ground_truth` block of a dataset (config/datasets.yaml): a commit of a public repository, a
Zenodo record, or a folder of the user's own. sha256 sums are kept in the lock file; the first one found is
pinned.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asdlib.data.fetching.http import Retry, checksum_of, fetch
from asdlib.data.fetching.pins import Pin, pin, read_pins, waiting_lock
from asdlib.data.fetching.zenodo import BASE, archive_url
from asdlib.data.truth import DOMAINS, Truth, clip_names, read_evaluator, read_rename_list, write_truth
from asdlib.errors import AsdError

LOG = logging.getLogger(__name__)
GITHUB = "https://raw.githubusercontent.com"
_LIMIT = 64 << 20  # bytes; the largest published list has less than 1 MB
_DAMAGED = {2022: {"ToyCar", "ToyTrain"}}  # their lines in the rename list contradict the evaluator


def fetch_truth(
    dataset: Mapping[str, Any],
    machine: str,
    folder: Path,
    *,
    cache: Path,
    lock_file: Path,
    github: str = GITHUB,
    zenodo: str = BASE,
    retry: Retry | None = None,
) -> Path:
    """Write `ground_truth.csv` into a machine's `folder` and return its path.

    `dataset` is the dataset's block of the config, `cache` a folder for what is fetched. Raises AsdError if
    the dataset names no truth, or it is out of reach, changed, or does not fit the clips in `folder`.
    """
    place = dataset.get("ground_truth")
    if not place:
        raise AsdError(f"{machine}: this dataset names no `ground_truth` in the config: score it without labels")
    if place["form"] == "rename_list" and machine in _DAMAGED.get(dataset.get("year"), ()):
        raise AsdError(f"{machine}: its lines in the 2022 rename list are wrong: set `form: evaluator` in the config")
    get = _Getter(place, cache, lock_file, {"github": github, "zenodo": zenodo}, retry)
    path = write_truth(_read(place, machine, folder, get), folder, machine)
    pin(lock_file, "truth", get.found)  # only now: an error page must not be pinned
    return path


class _Getter:
    """Gives a local path for a file of the published place, fetching it if need be."""

    def __init__(
        self,
        place: Mapping[str, Any],
        cache: Path,
        lock_file: Path,
        bases: Mapping[str, str],
        retry: Retry | None,
    ):
        self.place, self.cache, self.lock_file, self.bases, self.retry = place, cache, lock_file, bases, retry
        self.found: dict[str, Pin] = {}

    def __call__(self, name: str) -> Path:
        if "folder" in self.place:
            return Path(self.place["folder"]) / name
        key, url = self._address(name)
        path = self.cache / key
        with waiting_lock(path):  # the machines of a dataset share a list and are downloaded in parallel
            expected = self._expected(key)
            if not path.exists() or checksum_of(path, "sha256") != expected:
                self._announce(url)
                fetch(url, path, checksum=expected, limit=_LIMIT, retry=self.retry)
            self.found[key] = {"sha256": checksum_of(path, "sha256").partition(":")[2]}
        return path

    def _address(self, name: str) -> tuple[str, str]:
        """Return the key in the lock file (also the path in the cache) and the URL."""
        if "record" in self.place:
            record = self.place["record"]
            return f"zenodo/{record}/{name}", archive_url(record, name, base=self.bases["zenodo"])
        key = f"{self.place['repository']}/{self.place['commit']}/{name}"
        return key, f"{self.bases['github'].rstrip('/')}/{key}"

    def _expected(self, key: str) -> str | None:
        """The sha256 from the config if it is there, else from the lock file, else None."""
        digest = self.place.get("sha256") or read_pins(self.lock_file, "truth").get(key, {}).get("sha256")
        return f"sha256:{digest}" if digest else None

    def _announce(self, url: str) -> None:
        licence = self.place.get("licence", "see its source")
        LOG.info("%s: fetching ground truth (licence: %s)", url, licence)


def _read(place: Mapping[str, Any], machine: str, folder: Path, get: _Getter) -> list[Truth]:
    if place["form"] == "rename_list":
        return read_rename_list(get(place["file"]), machine)
    sections = sorted({name.split("_")[1] for name in clip_names(folder) if name.startswith("section_")})
    return [row for section in sections for row in _read_section(place, machine, section, get)]


def _read_section(place: Mapping[str, Any], machine: str, section: str, get: _Getter) -> list[Truth]:
    """Read one section of the evaluator form; a pattern with `{domain}` stands for two tables (2021)."""

    def table(kind: str, **more: str) -> Path | None:
        return get(place[kind].format(machine=machine, section=section, **more)) if kind in place else None

    split = "{domain}" in place["labels"]
    labels = {domain: table("labels", domain=domain) for domain in DOMAINS} if split else {None: table("labels")}
    return read_evaluator(labels, table("domains"), table("attributes"))
