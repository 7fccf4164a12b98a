"""Snakemake command lines: targets come first, because `--config` takes every word that follows it."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from asdlib.errors import AsdError


def require_workflow() -> None:
    """Raise AsdError outside of the workflow's folder."""
    if not Path("Snakefile").is_file():
        raise AsdError(f"{Path().resolve()}: has no Snakefile: change to the workflow's folder")


def refuse_swallowed(files: Sequence[Path], entries: Sequence[str]) -> None:
    """Raise AsdError for words that --configfile or --config took although they are not their values."""
    for entry in entries:
        if "=" not in entry:
            raise AsdError(f"--config: {entry}: is not key=value: put it before the options")
    for path in files:
        if not path.is_file():
            raise AsdError(f"--configfile: {path}: is not a file: correct it, or put it before the options")


def arguments(
    targets: Sequence[str], options: Sequence[str], files: Sequence[Path], entries: Sequence[str]
) -> list[str]:
    """Return Snakemake's arguments; files and entries are those of its --configfile and --config."""
    configfile = ["--configfile", *map(str, files)] if files else []
    config = ["--config", *entries] if entries else []
    return [*targets, *options, *configfile, *config]


def as_text(arguments: Sequence[str]) -> str:
    """Return a command line as one types it."""
    return shlex.join(["snakemake", *arguments])
