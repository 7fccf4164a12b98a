"""Download and verify public weights."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path

from asdlib.data.fetching.http import checksum_of, fetch
from asdlib.data.fetching.retry import Network
from asdlib.errors import AsdError
from asdlib.weights.pins import verify

_SHA256 = re.compile(r"[0-9a-f]{64}")
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


def fetch_checkpoint(name: str, out: Path, settings: PublishedFile, network: Network) -> None:
    """Write `out`: the file of the config's block `checkpoints.<name>`, verified if its sha256 is pinned.

    A file without a `repository` on the Hugging Face hub must be downloaded by hand; the AsdError for a missing file
    says from where. An existing file is kept if it has no `repository` or if it is the pinned one.
    """
    _log.info("%s: licence: %s", name, settings.licence)
    pin = settings.sha256
    if settings.repository:
        if not (pin and out.is_file() and checksum_of(out, "sha256") == f"sha256:{pin}"):
            _from_hub(name, out, settings, network)
    elif not out.is_file():
        raise AsdError(
            f"{out}: public weights {name} cannot be downloaded automatically: download {settings.file} from "
            f"{settings.address} and put it there, or set checkpoint: null to train from scratch"
        )
    verify(out, name, pin)


def _from_hub(name: str, out: Path, settings: PublishedFile, network: Network) -> None:
    """Download a file from the hub; a partial download is kept beside `out` and resumed by the next run."""
    url = f"{network.hub}/{settings.repository}/resolve/{settings.revision}/{settings.file}"
    try:
        size, sha256 = _known(url, network)
        pin = settings.sha256 or sha256
        fetch(url, out, size=size, checksum=pin and f"sha256:{pin}", retry=network.retry)
    except AsdError as error:
        raise AsdError(f"checkpoints.{name}: {error}, or download {url} by hand and put it there: {out}") from error


def _known(url: str, network: Network) -> tuple[int | None, str | None]:
    """Return the size and SHA-256 of a file on the hub; the hub has no SHA-256 of small files."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HTTPError  # also for a refused connection or a timeout

    try:
        found = get_hf_file_metadata(url, timeout=network.timeout, retry_on_errors=network.attempts > 1)
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AsdError(f"{url}: cannot be read from the hub ({reason}): check the network and the config") from error
    return found.size, found.etag if _SHA256.fullmatch(found.etag or "") else None
