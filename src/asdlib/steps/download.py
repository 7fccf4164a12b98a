"""Bring a machine's recordings: fetch, verify and unpack its archives, or make them."""

from pathlib import Path
from typing import Any

from asdlib.data.sources import SOURCES


def download(machine: str, folder: Path, settings: dict[str, Any], network: dict[str, Any], lock: Path) -> None:
    """Make `folder`, which appears when it is whole.

    `settings` is the dataset's block of the config, `network` its `download` block, `lock` the file that pins sizes
    and checksums.
    """
    source = {key: value for key, value in settings["source"].items() if key != "kind"}
    SOURCES[settings["source"]["kind"]](**source).fetch(machine, folder, settings, network, lock)
