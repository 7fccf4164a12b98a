"""The keys of a recipe that are arguments of its class."""

from typing import Any

# Keys that the stages read. Every other key is an argument of the class that `kind` names.
RESERVED = {
    "separators": {"kind", "training", "pairs"},
    "augmentations": {"kind", "separator", "noise", "noise_from"},
    "frontends": {"kind", "dtype"},
    "labellers": {"kind", "model"},
    "models": {"kind", "frontend", "init", "labeller", "views", "scope", "corpus", "checkpoint", "training"},
    "backends": {"kind"},
}


def arguments(registry: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a recipe's resolved settings that is passed to the constructor of its class."""
    own = RESERVED[registry] | {"name", "seed"}
    return {key: value for key, value in settings.items() if key not in own}
