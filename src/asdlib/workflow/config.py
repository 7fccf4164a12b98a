"""Read the config in the same way as Snakemake."""

from pathlib import Path
from typing import Any

from asdlib.errors import AsdError
from asdlib.workflow import yaml_files
from asdlib.workflow.snakemake_call import refuse_swallowed, require_workflow

DEFAULTS = ("datasets", "checkpoints", "config")  # in the order of the Snakefile


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
        yaml_files.read_yaml(path)  # raises an error for repeated keys; Snakemake keeps the last value
    update_config(config, ConfigSettings(config=_parsed(entries), configfiles=files).overwrite_config)
    return config


def _parsed(entries: list[str]) -> dict[str, Any]:
    if not entries:
        return {}  # importing Snakemake's command line takes a second or two
    from snakemake.cli import parse_config

    try:
        return parse_config(entries)
    except ValueError as error:
        raise AsdError(f"--config: {' '.join(str(error).split())}") from error
