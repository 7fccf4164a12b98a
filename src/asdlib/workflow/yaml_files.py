"""YAML files, checked against their schemas; errors are one line."""

import io
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from asdlib.errors import AsdError

if TYPE_CHECKING:
    from jsonschema import ValidationError

_MERGE = "tag:yaml.org,2002:merge"  # <<: *anchor
SCHEMAS = Path(__file__).resolve().parents[3] / "workflow" / "schemas"


# The parser written in C takes a tenth of the time, and every start of Snakemake reads some twenty files.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):
    """A safe loader that refuses a repeated key (plain YAML silently keeps the last one)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue  # the parent class refuses the first and merges the second
            key = self.construct_object(key_node)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise AsdError(f"{node.start_mark.name}: {key}: is defined twice (line {line}): rename or remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, schema: str) -> dict[str, Any]:
    """Read a YAML file and check it against `workflow/schemas/<schema>.schema.yaml`."""
    content = read_yaml(path)
    check(content, schema, str(path))
    return content


def read_yaml(path: Path) -> Any:
    """Read a YAML file. Raises AsdError if it is not YAML or repeats a key."""
    try:
        return parse_yaml(Path(path).read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise AsdError(f"{path}: is not YAML: {error}: correct it there") from error
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): restore it") from error


def parse_yaml(text: str, where: str) -> Any:
    """Read YAML text; errors begin with `where`."""
    stream = io.StringIO(text)
    stream.name = where  # the name in error messages
    try:
        return _StrictLoader(stream).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise AsdError(f"{where}: is not YAML: {error.problem} in line {line}: correct it there") from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise AsdError(f"{where}: is not YAML: {' '.join(str(error).split())}: correct it there") from error


def from_text(key: str, value: Any) -> Any:
    """Convert numbers and booleans inside a config value: `--config` passes those in lists and blocks as text.

    Some blocks are left as they are: sections, names and revisions are text that may look like numbers.
    """
    if key in ("data", "datasets", "noise_pool", "checkpoints", "submission"):
        return value
    if isinstance(value, dict):
        return {name: from_text(key, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [from_text(key, inner) for inner in value]
    return parse_yaml(value, f"config: {key}") if isinstance(value, str) else value


def check(content: Any, schema: str, where: str) -> None:
    """Raise AsdError, naming `where` and the key, if `content` does not follow a schema."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(_schema(schema)).iter_errors(content))
    if error is not None:
        raise AsdError(f"{where}: {_explain(error)} (see workflow/schemas/{schema}.schema.yaml)")


def _explain(error: "ValidationError") -> str:
    """Return `key: problem: remedy` of a violation."""
    path = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = next(key for key in error.instance if key not in known)
        return f"{'.'.join([*path, str(unknown)])}: unknown key: use one of: {', '.join(sorted(known))}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"{'.'.join([*path, missing])}: is missing: add it"
    value = repr(error.instance)
    problem = error.message.replace(value, textwrap.shorten(value, 60, placeholder=" …"), 1)
    return f"{'.'.join(path) or '(top level)'}: {' '.join(problem.split())}: correct the value"


@cache
def _schema(name: str) -> dict[str, Any]:
    return read_yaml(SCHEMAS / f"{name}.schema.yaml")
