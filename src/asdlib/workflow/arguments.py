"""Which keys of a recipe are arguments of its class."""

from typing import Any

# Keys that a stage reads itself; every other key is an argument of the class that `kind` names.
RESERVED = {
    "separators": {"kind", "training", "pairs"},
    "augmentations": {"kind", "separator", "noise"},
    "frontends": {"kind", "dtype"},
    "models": {"kind", "frontend", "init", "views", "scope", "corpus", "checkpoint", "training"},
    "backends": {"kind"},
}


def arguments(registry: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the part of resolved settings that goes to the constructor of the recipe's class."""
    own = RESERVED[registry] | {"name", "seed"}
    return {key: value for key, value in settings.items() if key not in own}
