"""The words that --config and --configfile have taken, of which some may be meant for something else."""

import re
from collections.abc import Sequence
from pathlib import Path

from asdlib.data.layouts.table import ENDINGS
from asdlib.data.listing import FORMATS, is_file
from asdlib.errors import AsdError
from asdlib.workflow.arguments import RESERVED
from asdlib.workflow.recipe_check import block_of
from asdlib.workflow.recipes import Recipes
from asdlib.workflow.snakemake_call import nested

_KEY = re.compile(r"[a-zA-Z_][\w-]*\w")  # of an entry of --config, as Snakemake requires it


def refuse_swallowed(files: Sequence[Path], entries: Sequence[str]) -> None:
    """Raise AsdError for words after --configfile or --config that are not config files or `key=value` entries."""
    for entry in entries:
        key, equals, _ = entry.partition("=")
        if not equals:
            raise AsdError(f"--config: {entry}: is not key=value: put it before the options")
        if not _KEY.fullmatch(key):
            raise AsdError(f"--config: {entry}: is not a setting of the config: {advice(entry)}")
    for path in files:
        if not is_file(path):
            raise AsdError(f"--configfile: {path}: is not a file: correct it, or put it before the options")
        if path.suffix.lower() in (*FORMATS, *ENDINGS):
            raise AsdError(f"--configfile: {path}: is not a config file: put it before the options")


def advice(entry: str) -> str:
    """Return how an entry such as `prepare.downmix=true` is written; the plugin for Snakemake asks, too."""
    key, _, value = entry.partition("=")
    first, *inner = key.split(".")
    if not inner or not _KEY.fullmatch(first):
        return "correct it"
    if first == "override" and len(inner) > 2:
        registry, name, *rest = inner
        inner = [registry, name, *_placed(registry, name, rest)]
    return f"write '{nested(first, *inner, value=value)}'"


def _placed(registry: str, name: str, rest: list[str]) -> list[str]:
    """Return the keys of a recipe's setting, with the block to which it belongs; as given for unknown ones."""
    try:
        recipe = Recipes(Path("config", "systems")).blocks[registry, name]
    except (AsdError, KeyError):
        return rest
    *place, key = rest
    block = block_of(registry, recipe["kind"], RESERVED[registry], key, ".".join(place))
    return rest if block is None else [*filter(None, [block]), key]
