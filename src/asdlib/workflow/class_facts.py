"""What a class of a registry says about itself by attributes, read from its text without importing it."""

import ast
from typing import Any

from asdlib.workflow import code_hash


def is_trained(kind: str) -> bool:
    """Return whether models of a kind are trained; a class that is not says `trained = False`."""
    return _stated("models", kind, "trained")


def is_frozen(registry: str, block: dict[str, Any]) -> bool:
    """Return whether a recipe is that of a model or separator that is not trained."""
    if registry == "separators":
        return "training" not in block
    return registry == "models" and not is_trained(block["kind"])


def uses_gpu(registry: str, kind: str) -> bool:
    """Return whether jobs with a class of a registry ask for a GPU; a class that has no use for it says so."""
    return _stated(registry, kind, "uses_gpu")


def takes_labels(kind: str) -> bool:
    """Return whether models of a kind learn pseudo-labels; a class that does says `takes_labels = True`."""
    return _stated("models", kind, "takes_labels", otherwise=False)


def _stated(registry: str, kind: str, name: str, otherwise: bool = True) -> bool:
    """Return an attribute that is assigned in the body of a class as True or False; `otherwise` if it is not.

    Unknown kinds are refused elsewhere (asdlib.workflow.recipe_check).
    """
    if kind not in code_hash.kinds(registry):
        return otherwise
    for node in code_hash.registry_class(registry, kind).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == [name]:
            return bool(ast.literal_eval(node.value))
    return otherwise
