"""Public weights that no job can fetch."""

from collections.abc import Mapping
from typing import Any

from asdlib.workflow import paths


def only_by_hand(name: str, block: Mapping[str, Any]) -> str | None:
    """Return what to do about a block of `checkpoints` whose file can only be downloaded by hand, otherwise None."""
    if block.get("repository") or block.get("url"):
        return None
    file = block["file"]
    return (
        f"{paths.own_weights(name, file)}: public weights {name} cannot be downloaded automatically: download "
        f"{file} from {block['address']} and put it there, or set checkpoint: null to train from scratch"
    )
