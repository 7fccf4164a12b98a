"""Read `config/shared.yaml`: recipes that belong to no system, so that any system may name them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow.yaml_files import check, read_yaml

SHARED = "shared.yaml"
# The smallest valid system file; recipes outside of one are checked as part of it.
SMALLEST = {"title": "", "variants": {"v": {"branches": [{"model": "m", "backend": "b"}]}}}


def shared_recipes(path: Path, registries: Collection[str]) -> dict[str, Any]:
    """Return {registry: {recipe: block}}, which is empty if there is no file. Raises AsdError for other content."""
    content = read_yaml(path) if path.exists() else {}
    if not isinstance(content, dict) or content.keys() - set(registries):
        raise AsdError(f"{path}: has recipes alone: use the keys: {', '.join(registries)}")
    check(SMALLEST | content, "system", str(path))
    return content
