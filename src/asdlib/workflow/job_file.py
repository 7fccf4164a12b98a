"""The file that describes a job: the rule's shell command writes it, and the step reads it.

Settings, paths and names reach a job in this file and not on a command line. A command line is limited to 128 KiB per
argument, and a shell would execute parts of it.
"""

import json
import os
from pathlib import Path
from typing import Any

from asdlib.errors import AsdError

PARTS = {"settings", "code", "arguments"}


def as_json(value: Any) -> str:
    """Return a value as JSON text of ASCII characters on one line; paths become text.

    Undecodable bytes of a file name are kept (as escaped surrogates). Raises ValueError for a number that is not
    finite, and TypeError for a value or a key that JSON does not have.
    """
    _refuse_other_keys(value)
    return json.dumps(value, default=os.fspath, allow_nan=False)


def command(step: str) -> str:
    """Return the shell command of a rule: write the job's file beside the log, and run the step with it.

    The rule has the params `settings` (JSON) and `code`, which decide its result, and `arguments` (JSON), the other
    arguments of the step. printf is a builtin of the shell, so the length of its arguments is not limited. With exec,
    signals reach the step, which removes its temporary files.
    """
    content = r"""'{{"settings": %s, "code": "%s", "arguments": %s}}\n'"""
    return (
        f"printf {content} {{params.settings:q}} {{params.code:q}} {{params.arguments:q}} > {{log:q}}.json"
        f' && exec python -P "$ASDLIB/workflow/scripts/{step}.py" {{log:q}}.json --log {{log:q}}'
    )


def read(path: Path) -> dict[str, Any]:
    """Return the parts of a job's file: settings, code and arguments. Raises AsdError if it is no such file."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): run the job with Snakemake") from error
    except ValueError as error:
        raise AsdError(f"{path}: is not JSON ({error}): delete it and run again") from error
    if not isinstance(content, dict) or set(content) != PARTS or not isinstance(content["arguments"], dict):
        raise AsdError(f"{path}: does not describe a job: delete it and run again")
    return content


def _refuse_other_keys(value: Any) -> None:
    """Raise TypeError for a key that is not text: JSON would change it to text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
            _refuse_other_keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_other_keys(inner)
