"""Fetch public weights."""

import logging
import re
from pathlib import Path
from typing import Any

from asdlib.data.fetching.http import Retry, checksum_of, fetch
from asdlib.errors import AsdError
from asdlib.weights.pins import verify

_SHA256 = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def fetch_checkpoint(name: str, out: Path, settings: dict[str, Any], network: dict[str, Any]) -> None:
    """Write `out`: the file that the config's block `checkpoints.<name>` describes, verified if a sha256 is pinned.

    What has no `repository` on the Hugging Face hub must be put there by hand; the error says from where. What is there
    already stays if no program can fetch it, and if it is the pinned file.
    """
    _log.info("%s: licence: %s", name, settings["licence"])
    pin = settings.get("sha256")
    if settings.get("repository"):
        if not (pin and out.is_file() and checksum_of(out, "sha256") == f"sha256:{pin}"):
            _from_hub(name, out, settings, network)
    elif not out.is_file():
        raise AsdError(
            f"{out}: public weights {name} cannot be fetched by a program: download {settings['file']} from "
            f"{settings['address']} and put it there, or set checkpoint: null to train from scratch"
        )
    verify(out, name, pin)


def _from_hub(name: str, out: Path, settings: dict[str, Any], network: dict[str, Any]) -> None:
    """Download a file; a broken download stays beside `out`, and the next run goes on from there."""
    url = f"{network['hub']}/{settings['repository']}/resolve/{settings.get('revision', 'main')}/{settings['file']}"
    retry = Retry(network["attempts"], network["backoff"], timeout=network["timeout"])
    try:
        size, sha256 = _known(url, network)
        pin = settings.get("sha256") or sha256
        fetch(url, out, size=size, checksum=pin and f"sha256:{pin}", retry=retry)
    except AsdError as error:
        raise AsdError(f"checkpoints.{name}: {error}, or download {url} by hand and put it there: {out}") from error


def _known(url: str, network: dict[str, Any]) -> tuple[int | None, str | None]:
    """Ask the hub for a file's size and SHA-256; it has none of small files."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HTTPError  # its client's: a refused connection, a timeout

    try:
        found = get_hf_file_metadata(url, timeout=network["timeout"], retry_on_errors=network["attempts"] > 1)
    except (HTTPError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AsdError(f"{url}: the hub gives no such file ({reason}): check the network and the config") from error
    return found.size, found.etag if _SHA256.fullmatch(found.etag or "") else None
