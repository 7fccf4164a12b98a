"""Read YAML files and check them against their schemas; error messages have one line."""

import io
import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from asdlib.data.listing import refuse_special
from asdlib.data.text_files import read_text
from asdlib.errors import AsdError
from asdlib.workflow.snakemake_call import nested

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_MERGE = "tag:yaml.org,2002:merge"  # <<: *anchor
_DEEPEST = 50  # levels of a config, which has about ten
SCHEMAS = Path(__file__).resolve().parents[3] / "workflow" / "schemas"


# The C parser takes a tenth of the time. Every start of Snakemake reads about twenty files.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):
    """A safe loader that raises AsdError for a repeated key (PyYAML keeps the last value silently)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue  # the parent class raises an error for the first and merges the second
            key = self.construct_object(key_node)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise AsdError(f"{node.start_mark.name}: {key}: is defined twice (line {line}): rename or remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, schema: str) -> dict[str, Any]:
    """Read a YAML file and check it against `workflow/schemas/<schema>.schema.yaml`.

    Raises AsdError as `read_yaml` and `check` do, and for a pipe or a device.
    """
    refuse_special(path)
    content = read_yaml(path)
    check(content, schema, str(path))
    return content


def read_yaml(path: Path) -> Any:
    """Read a YAML file. Raises AsdError if it cannot be read, is not YAML or has a repeated key."""
    try:
        return parse_yaml(read_text(path), str(path))
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): restore it") from error


def read_settings(path: Path) -> dict[str, Any]:
    """Read a file for --configfile as `read_yaml` does.

    Raises AsdError also for a file without keys and for values that no config has; Snakemake does not name the file.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise AsdError(f"{path}: has no line `key: value`: add one, or leave the file out")
    if problem := next(_not_json(content), None):
        raise AsdError(f"{path}: {problem}")
    return content


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML text. Raises AsdError, with a message that begins with `where`, as `read_yaml` does."""
    stream = io.StringIO(text)
    stream.name = where  # the name in error messages
    try:
        return _StrictLoader(stream).get_single_data()
    except yaml.MarkedYAMLError as error:
        last = len(text.splitlines())  # PyYAML says that a missing bracket is missing in the line after it
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else 1
        raise AsdError(f"{where}: is not YAML: {error.problem} in line {line}: correct it") from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise AsdError(f"{where}: is not YAML: {' '.join(str(error).split())}: correct it") from error


def check(content: Any, schema: str, where: str) -> None:
    """Raise AsdError if `content` does not conform to a schema; `where` begins the message."""
    from jsonschema.exceptions import best_match

    if problem := next(_not_json(content), None):
        raise AsdError(f"{where}: {problem}")
    error = best_match(_validator(schema).iter_errors(content))
    if error is not None:
        raise AsdError(f"{where}: {_explain(error)} (see workflow/schemas/{schema}.schema.yaml)")


def _explain(error: "ValidationError") -> str:
    """Return `key: problem: remedy` for a violation of the schema."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        blocks = [name for name, block in known.items() if unknown in block.get("properties", {})]
        if not path and len(blocks) == 1:
            entry = nested(blocks[0], unknown, value=json.dumps(error.instance[unknown]))
            return f"{unknown}: unknown key: did you mean {blocks[0]}.{unknown}? Write --config '{entry}'"
        return f"{'.'.join([*path, str(unknown)])}: unknown key: use one of: {', '.join(sorted(known))}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{'.'.join([*path, missing])}: is missing: add it"
    value = repr(error.instance)
    problem = error.message.replace(value, value if len(value) <= 60 else f"{value[:58]} …", 1)
    may_be_text = (
        error.validator == "type" and "string" in error.validator_value and isinstance(error.instance, int | float)
    )
    remedy = "put it in quotes if it is text" if may_be_text else "correct the value"
    return f"{'.'.join(path) or '(top level)'}: {' '.join(problem.split())}: {remedy}"


def _not_json(content: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Yield `key: problem: remedy` for every value that YAML has and a job's file or a seed cannot carry."""
    if depth > _DEEPEST:  # an alias may even lead to itself
        yield f"{path.split('.')[0]}: is nested deeper than {_DEEPEST} levels: correct the value"
    elif isinstance(content, dict):
        for key, inner in content.items():
            if not isinstance(key, str):
                yield f"{path}{key}: is not text: put the key in quotes"
            yield from _not_json(inner, f"{path}{key}.", depth + 1)
    elif isinstance(content, list):
        for number, inner in enumerate(content):
            yield from _not_json(inner, f"{path}{number}.", depth + 1)
    elif isinstance(content, float) and not math.isfinite(content):
        yield f"{path[:-1]}: is {content}: give a finite number"
    elif isinstance(content, int) and abs(content) >= 2**63:
        yield f"{path[:-1]}: needs more than 64 bits: give a number below 2^63"
    elif content is not None and not isinstance(content, str | int | float):
        yield f"{path[:-1]}: is a {type(content).__name__}: put the value in quotes"


@cache
def _validator(name: str) -> "Validator":
    """Return the validator of a schema; unlike in JSON Schema, 1.0 is not an integer."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    kinds = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return extend(Draft202012Validator, type_checker=kinds)(read_yaml(SCHEMAS / f"{name}.schema.yaml"))
