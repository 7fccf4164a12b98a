"""Snakemake command lines. Targets come first: in any Snakemake, `--config` takes all words that follow it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from asdlib.errors import AsdError

# Python's options that run Snakemake. -P: Python imports no file of the working directory, such as a user's yaml.py.
SNAKEMAKE = ("-P", "-m", "snakemake")


def require_workflow() -> None:
    """Raise AsdError if the working directory has no Snakefile."""
    if not Path("Snakefile").is_file():
        raise AsdError(f"{Path().resolve()}: has no Snakefile: change to the workflow's folder")


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
