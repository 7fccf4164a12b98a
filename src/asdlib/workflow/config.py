"""Read the config in the same way as Snakemake."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from asdlib.errors import AsdError
from asdlib.workflow import yaml_files
from asdlib.workflow.option_words import refuse_swallowed
from asdlib.workflow.snakemake_call import require_workflow

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
    return with_entries(config, entries)


def with_entries(config: dict[str, Any], entries: Sequence[str] | None) -> dict[str, Any]:
    """Return Snakemake's config with the `key=value` entries of --config as a config file would have them.

    Snakemake reads whatever is inside a list or a block as text: the number 6.0 as `6.0`, null as `null`. Paths at the
    top level are what was written, without quotes. Snakemake reads them as YAML: it cuts `recs/pump #2` at the comment
    and makes the number 202509 of `2025_09`. Raises AsdError for a value that is not YAML or has a repeated key, and
    for an entry that the jobs of a cluster would read differently.
    """
    from snakemake.utils import update_config

    for entry in entries or []:
        _refuse_unsafe(entry)
    found = copy.deepcopy(config)
    for key, text in (entry.split("=", 1) for entry in entries or []):
        if key in PATHS:
            found[key] = _path(key, text)
        elif isinstance(config.get(key), dict | list | str):  # Snakemake has read a lone number as what it is
            value = yaml_files.parse_yaml(text.strip("'\""), f"--config: {key}")  # it removes these quotes, too
            update_config(found, {key: value})
    return found


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
