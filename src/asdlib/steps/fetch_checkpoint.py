"""Download and verify public weights."""

import logging
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.fetching.http import checksum_of, fetch
from asdlib.data.fetching.hub import ask_hub, hub_url
from asdlib.data.fetching.pins import Pin, pin, read_pins
from asdlib.data.fetching.retry import Network
from asdlib.data.made import record
from asdlib.errors import AsdError
from asdlib.weights.pins import verify
from asdlib.workflow import paths

_TABLE = "weights"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedFile:
    """A block of the config's `checkpoints`: a file on the Hugging Face hub, or one that is downloaded by hand."""

    file: str
    licence: str
    repository: str | None = None
    revision: str = "main"
    address: str | None = None
    sha256: str | None = None


def fetch_checkpoint(name: str, out: Path, settings: PublishedFile, network: Network, lock: Path) -> None:
    """Write `out`: the file of the config's block `checkpoints.<name>`, verified if its sha256 is pinned.

    A file without a `repository` on the Hugging Face hub must be downloaded by hand; the AsdError says from where, and
    where to put it. An existing file is kept if it is the pinned one. `lock` is the lock file, in which the commit and
    the sha256 of the first download are pinned.
    """
    _log.info("%s: licence: %s", name, settings.licence)
    if settings.repository:
        _from_hub(name, out, settings, network, lock)
    elif not out.is_file():
        raise AsdError(
            f"{paths.own_weights(name, out.name)}: public weights {name} cannot be downloaded automatically: download "
            f"{settings.file} from {settings.address} and put it there, or set checkpoint: null to train from scratch"
        )
    verify(out, name, settings.sha256)
    record(out)


def _from_hub(name: str, out: Path, settings: PublishedFile, network: Network, lock: Path) -> None:
    """Download a file from the hub unless it is there; a partial download is resumed by the next run.

    A branch of the hub moves. The lock file has the commit of the first download, which is the one that is used.
    """
    key = f"{settings.repository}/{settings.revision}/{settings.file}"
    known = read_pins(lock, _TABLE).get(key, {})
    sha256 = settings.sha256 or known.get("sha256")
    if sha256 and out.is_file() and checksum_of(out, "sha256") == f"sha256:{sha256}":
        return
    try:
        found = _download(out, settings, network, known.get("commit") or settings.revision, sha256)
    except AsdError as error:
        url = hub_url(network.hub, settings.repository, settings.revision, settings.file)
        by_hand = paths.own_weights(name, out.name)
        raise AsdError(f"checkpoints.{name}: {error}, or download {url} by hand and put it there: {by_hand}") from error
    pin(lock, _TABLE, {key: found})


def _download(out: Path, settings: PublishedFile, network: Network, revision: str, sha256: str | None) -> Pin:
    """Download a file at a revision and return what is to be pinned."""
    found = ask_hub(network.hub, settings.repository, revision, settings.file, retry=network.retry)
    expected = sha256 or found.sha256
    fetch(found.url, out, size=found.size, checksum=expected and f"sha256:{expected}", retry=network.retry)
    return {"commit": found.commit, "sha256": checksum_of(out, "sha256").partition(":")[2]}
