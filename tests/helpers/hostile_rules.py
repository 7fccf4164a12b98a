"""Every rule of the workflow in the working directory, its shell command rendered with a hostile text in every field.

Run as a script, it prints {rule: {"command": …, "wildcards": {wildcard: its pattern, or null}}} as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any, Self


class Hostile:
    """Stands for input, output, params, wildcards and everything else that a shell command may contain."""

    def __init__(self, text: str):
        self._text = text

    def __getattr__(self, name: str) -> Self:
        return self

    def __getitem__(self, key: Any) -> Self:
        return self

    def __format__(self, spec: str) -> str:
        return format(self._text, spec)


def described(text: str) -> dict[str, Any]:
    """Return every rule that has a shell command."""
    from snakemake.api import SnakemakeApi
    from snakemake.io import get_wildcard_constraints
    from snakemake.settings.types import OutputSettings, ResourceSettings
    from snakemake.utils import format as render

    fields = ("input", "output", "params", "wildcards", "threads", "resources", "log", "rule", "config", "version")
    found = {}
    with SnakemakeApi(OutputSettings()) as api:
        loaded = api.workflow(resource_settings=ResourceSettings(cores=1), snakefile=Path("Snakefile"))
        for rule in filter(lambda rule: rule.shellcmd, loaded._workflow.rules):
            patterns = {
                name: one.pattern for file in rule.output for name, one in get_wildcard_constraints(file).items()
            }
            found[rule.name] = {
                "command": render(rule.shellcmd, **dict.fromkeys(fields, Hostile(text))),
                "wildcards": {name: patterns.get(name) for name in rule.wildcard_names},
            }
    return found


if __name__ == "__main__":
    print(json.dumps(described(sys.argv[1])))
