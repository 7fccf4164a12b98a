"""Fetch public weights."""

import logging
import tempfile
from pathlib import Path
from typing import Any

from asdlib.data.files import atomic
from asdlib.errors import AsdError
from asdlib.public_weights import verify

_log = logging.getLogger(__name__)


def fetch_checkpoint(name: str, out: Path, settings: dict[str, Any], network: dict[str, Any]) -> None:
    """Write `out`: the file that the config's block `checkpoints.<name>` describes, verified if a sha256 is pinned.

    What has no `repository` on the Hugging Face hub must be put there by hand; the error says from where.
    """
    _log.info("%s: licence: %s", name, settings["licence"])
    if not settings.get("repository"):
        raise AsdError(
            f"{out}: public weights {name} cannot be fetched by a program: download {settings['file']} from "
            f"{settings['address']} and put it there, or set checkpoint: null to train from scratch"
        )
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".hub-") as folder:
        fetched = _from_hub(name, Path(folder), settings, network)
        verify(fetched, name, settings.get("sha256"))
        with atomic(out) as temporary:
            fetched.replace(temporary)


def _from_hub(name: str, folder: Path, settings: dict[str, Any], network: dict[str, Any]) -> Path:
    """Download with the hub's own client: resumed, retried, and checked against the length that the hub gives."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    place = f"{network['hub']}/{settings['repository']}"
    try:
        return Path(
            hf_hub_download(
                settings["repository"],
                settings["file"],
                revision=settings.get("revision"),
                local_dir=folder,
                endpoint=network["hub"],
                etag_timeout=network["timeout"],
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AsdError(
            f"checkpoints.{name}: {place} gives no {settings['file']} ({reason}): check the network, or "
            "download the file and put it into resources/checkpoints"
        ) from error
