"""Download and verify public weights."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from asdlib.data.fetching.http import WrongFileError, checksum_of, fetch
from asdlib.data.fetching.hub import ask_hub, hub_url
from asdlib.data.fetching.pins import Pin, pin, read_pins
from asdlib.data.fetching.retry import Network
from asdlib.data.made import record
from asdlib.errors import AsdError
from asdlib.weights.pins import verify
from asdlib.weights.published.formats import is_weights
from asdlib.workflow import paths
from asdlib.workflow.public_files import only_by_hand

_TABLE = "weights"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedFile:
    """A block of the config's `checkpoints`: a file on the Hugging Face hub, or one that a web page links to.

    `address` is the web page, `url` the file itself; without `url`, it is downloaded by hand. `pinned_from` says how
    sure the `sha256` is.
    """

    file: str
    licence: str
    repository: str | None = None
    revision: str = "main"
    address: str | None = None
    url: str | None = None
    sha256: str | None = None
    pinned_from: str | None = None


def fetch_checkpoint(name: str, out: Path, settings: PublishedFile, network: Network, lock: Path) -> None:
    """Write `out`: the file of the config's block `checkpoints.<name>`, verified if its sha256 is pinned.

    A file with neither `repository` nor `url` must be downloaded by hand; the AsdError says from where, and where to
    put it, as it does if the download fails. An existing file is kept if it is the pinned one. `lock` is the lock file,
    in which the sha256 of the first download is pinned, and its commit on the hub.
    """
    _log.info("%s: licence: %s", name, settings.licence)
    problem = only_by_hand(name, asdict(settings))
    if not problem:
        _obtain(name, out, settings, network, lock)
    elif not out.is_file():
        raise AsdError(problem)
    verify(out, name, settings.sha256)
    record(out)


def _obtain(name: str, out: Path, settings: PublishedFile, network: Network, lock: Path) -> None:
    """Download a file unless it is there, and pin it; a partial download is resumed by the next run."""
    hub = settings.repository is not None
    key = f"{settings.repository}/{settings.revision}/{settings.file}" if hub else f"{name}/{settings.file}"
    known = read_pins(lock, _TABLE).get(key, {})
    sha256 = settings.sha256 or known.get("sha256")
    if sha256 and out.is_file() and checksum_of(out, "sha256") == f"sha256:{sha256}":
        return
    try:
        if hub:
            found = _from_hub(out, settings, network, known.get("commit") or settings.revision, sha256)
        else:
            found = _from_url(out, settings.url, network, sha256)
    except AsdError as error:
        doubt = isinstance(error, WrongFileError) and settings.sha256 and settings.pinned_from
        origin = f" (checkpoints.{name}.sha256 was read in {doubt})" if doubt else ""
        by_hand = f"download {_source(settings, network)} by hand and put it there: {paths.own_weights(name, out.name)}"
        raise AsdError(f"checkpoints.{name}: {error}{origin}, or {by_hand}") from error
    pin(lock, _TABLE, {key: found})


def _source(settings: PublishedFile, network: Network) -> str:
    """Return where a person gets the file."""
    if settings.repository:
        return hub_url(network.hub, settings.repository, settings.revision, settings.file)
    return f"{settings.file} from {settings.address}"


def _from_hub(out: Path, settings: PublishedFile, network: Network, revision: str, sha256: str | None) -> Pin:
    """Download a file of the hub and return what is to be pinned.

    A branch of the hub moves. `revision` is therefore the commit of the first download, if there was one.
    """
    found = ask_hub(network.hub, settings.repository, revision, settings.file, retry=network.retry)
    if sha256 and found.sha256 and sha256 != found.sha256:  # said before some hundred MB are downloaded
        raise WrongFileError(
            f"{found.url}: according to the hub, its checksum is sha256:{found.sha256}, expected sha256:{sha256}: "
            "compare the pin with the publisher's page"
        )
    expected = sha256 or found.sha256
    fetch(found.url, out, size=found.size, checksum=expected and f"sha256:{expected}", retry=network.retry)
    return _pinnable(found.url, out, found.commit)


def _from_url(out: Path, url: str, network: Network, sha256: str | None) -> Pin:
    """Download a file from its address and return what is to be pinned."""
    fetch(url, out, checksum=sha256 and f"sha256:{sha256}", retry=network.retry)
    return _pinnable(url, out, commit=None)


def _pinnable(url: str, out: Path, commit: str | None) -> Pin:
    """Return the pin of a downloaded file; if it has no weights, remove it and raise AsdError."""
    if not is_weights(out):
        out.unlink()
        raise AsdError(
            f"{url}: the server sends something other than weights (a web page?), which is removed: open the address "
            "in a browser to read it"
        )
    return {"commit": commit, "sha256": checksum_of(out, "sha256").partition(":")[2]}
