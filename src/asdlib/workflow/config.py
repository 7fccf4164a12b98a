"""Read the config in the same way as Snakemake."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from asdlib.errors import AsdError
from asdlib.workflow import yaml_files
from asdlib.workflow.snakemake_call import refuse_swallowed, require_workflow

DEFAULTS = ("datasets", "checkpoints", "config")  # in the order of the Snakefile
PATHS = ("data", "noise_pool", "scratch")


def read_config(files: list[Path], entries: list[str]) -> dict[str, Any]:
    """Return the workflow's default config, updated with config files and `key=value` entries by Snakemake's functions.

    Raises AsdError outside the workflow's folder.
    """
    require_workflow()
    refuse_swallowed(files, entries)
    from snakemake.settings.types import ConfigSettings
    from snakemake.utils import update_config

    config: dict[str, Any] = {}
    for name in DEFAULTS:
        update_config(config, yaml_files.read_yaml(Path("config", f"{name}.yaml")))
    for path in files:
        yaml_files.read_settings(path)  # raises an error for repeated keys; Snakemake keeps the last value
    update_config(config, ConfigSettings(config=_parsed(entries), configfiles=files).overwrite_config)
    return with_paths(config, entries)


def with_paths(config: dict[str, Any], entries: Sequence[str] | None) -> dict[str, Any]:
    """Return the config with the paths among the `key=value` entries of --config as they were written.

    Snakemake reads values as YAML: it cuts `recs/pump #2` at the comment and makes the number 202509 of `2025_09`.
    Raises AsdError for an entry that the jobs of a cluster would read differently.
    """
    for entry in entries or []:
        _refuse_unsafe(entry)
    given = dict(entry.split("=", 1) for entry in entries or [])
    return config | {key: _path(key, given[key]) for key in PATHS if key in given}


def _refuse_unsafe(entry: str) -> None:
    """Raise AsdError for an entry that a shell would change: Snakemake passes it to jobs as `repr(entry)`."""
    if not entry.isprintable() or set("$`\\") & set(entry) or {"'", '"'} <= set(entry):
        raise AsdError(
            f"--config: {entry!r}: the shell of a cluster's job would change it: put it into a file for --configfile"
        )


def _path(key: str, text: str) -> str | list[str] | None:
    """Return a path as it was written, without quotes around it; `data` may be a list, the others may be `null`."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if key == "data" and text.startswith("["):
        return _list(text)
    return None if key != "data" and text in ("", "null") else text


def _list(text: str) -> list[str]:
    try:
        items = yaml.load(text, yaml.BaseLoader)  # makes lists, dictionaries and text only
    except yaml.YAMLError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise AsdError(f"--config: data={text}: is not a list of names and paths: put quotes around unusual ones")
    return items


def _parsed(entries: list[str]) -> dict[str, Any]:
    if not entries:
        return {}  # importing Snakemake's command line takes a second or two
    from snakemake.cli import parse_config

    try:
        return parse_config(entries)
    except ValueError as error:
        raise AsdError(f"--config: {' '.join(str(error).split())}") from error
