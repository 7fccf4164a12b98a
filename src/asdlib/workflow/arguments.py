"""Which keys of a recipe are its class's arguments. Imports nothing: every step's code hash includes this file."""

from typing import Any

# What the graph reads from a recipe itself; every other key is an argument of the class that `kind` names.
RESERVED = {
    "separators": {"kind", "training", "pairs"},
    "augmentations": {"kind", "separator", "noise"},
    "frontends": {"kind", "dtype"},
    "models": {"kind", "frontend", "init", "audio", "scope", "corpus", "checkpoint", "training"},
    "backends": {"kind"},
}


def arguments(section: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the part of resolved settings that goes to the class's constructor."""
    own = RESERVED[section] | {"name", "seed"}
    return {key: value for key, value in settings.items() if key not in own}
