"""Fetch a machine's recordings, verify and unpack them; or make them."""

from pathlib import Path
from typing import Any

from asdlib.data.fetching.retry import Network
from asdlib.data.sources import SOURCES


def download(machine: str, folder: Path, settings: dict[str, Any], network: Network, lock: Path) -> None:
    """Make `folder`, which appears only once it is complete.

    `settings` is the dataset's block of the config, `network` the block `download`, and `lock` the file that pins sizes
    and checksums.
    """
    source = {key: value for key, value in settings["source"].items() if key != "kind"}
    SOURCES[settings["source"]["kind"]](**source).fetch(machine, folder, settings, network, lock)
