"""Snakemake command lines. Targets come first: in any Snakemake, `--config` takes all words that follow it."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from asdlib.data.listing import is_file
from asdlib.errors import AsdError

# Python's options that run Snakemake. -P: Python imports no file of the working directory, such as a user's yaml.py.
SNAKEMAKE = ("-P", "-m", "snakemake")
_KEY = re.compile(r"[a-zA-Z_][\w-]*\w")  # of an entry of --config, as Snakemake requires it


def require_workflow() -> None:
    """Raise AsdError if the working directory has no Snakefile."""
    if not Path("Snakefile").is_file():
        raise AsdError(f"{Path().resolve()}: has no Snakefile: change to the workflow's folder")


def refuse_swallowed(files: Sequence[Path], entries: Sequence[str]) -> None:
    """Raise AsdError for words after --configfile or --config that are not files or `key=value` entries."""
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals:
            raise AsdError(f"--config: {entry}: is not key=value: put it before the options")
        if not _KEY.fullmatch(key):
            first, *inner = key.split(".")
            is_dotted = bool(inner and _KEY.fullmatch(first))
            advice = f"write '{nested(first, *inner, value=value)}'" if is_dotted else "correct it"
            raise AsdError(f"--config: {entry}: is not a setting of the config: {advice}")
    for path in files:
        if not is_file(path):
            raise AsdError(f"--configfile: {path}: is not a file: correct it, or put it before the options")


def nested(first: str, *inner: str, value: str) -> str:
    """Return the entry of --config that sets a key of an inner block.

    >>> nested("prepare", "downmix", value="true")
    'prepare={downmix: true}'
    """
    return f"{first}={''.join(f'{{{part}: ' for part in inner)}{value}{'}' * len(inner)}"


def arguments(
    targets: Sequence[str], options: Sequence[str], files: Sequence[Path], entries: Sequence[str]
) -> list[str]:
    """Return Snakemake's arguments; `files` and `entries` are the values of --configfile and --config."""
    configfile = ["--configfile", *map(str, files)] if files else []
    config = ["--config", *entries] if entries else []
    return [*targets, *options, *configfile, *config]


def as_text(arguments: Sequence[str]) -> str:
    """Return a Snakemake command line as text, quoted for a shell."""
    return shlex.join(["snakemake", *arguments])
