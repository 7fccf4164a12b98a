"""Download, verify and unpack a machine's recordings, or synthesise them."""

from pathlib import Path
from typing import Any

from asdlib.data.configured_source import source_of
from asdlib.data.fetching.retry import Network
from asdlib.data.made import record


def download(machine: str, folder: Path, settings: dict[str, Any], network: Network, lock: Path) -> None:
    """Write `folder` with a machine's recordings; it appears only when it is complete.

    `settings` is the dataset's block of the config, `network` is the block `download`, and `lock` is the file with the
    pinned sizes and checksums.
    """
    source_of(settings["source"]).fetch(machine, folder, settings, network, lock)
    record(folder)
