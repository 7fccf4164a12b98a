"""The source that a dataset's block of the config describes; the registry itself may hold no function."""

from collections.abc import Mapping
from typing import Any

from asdlib.data.sources import SOURCES


def source_of(block: Mapping[str, Any]) -> Any:
    """Return the source that a dataset's block `source` describes."""
    return SOURCES[block["kind"]](**{key: value for key, value in block.items() if key != "kind"})
