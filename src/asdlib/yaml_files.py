"""YAML files that are refused, with one line, when they are not what their schema says."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from asdlib.errors import AsdError

SCHEMAS = Path(__file__).resolve().parents[2] / "workflow" / "schemas"


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (plain YAML keeps the last one in silence)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise AsdError(f"{node.start_mark.name}: {key}: is defined twice (line {line}): rename or remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, schema: str) -> dict[str, Any]:
    """Read a YAML file and check it against `workflow/schemas/<schema>.schema.yaml`."""
    try:
        with Path(path).open(encoding="utf-8") as handle:
            content = yaml.load(handle, _StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AsdError(f"{path}: is not YAML: {' '.join(str(error).split())}: mend it there") from error
    except OSError as error:
        raise AsdError(f"{path}: cannot be read ({error.strerror}): restore it") from error
    check(content, schema, str(path))
    return content


def check(content: Any, schema: str, where: str) -> None:
    """Refuse `content` that does not follow a schema: one line naming `where` and the key."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(_schema(schema)).iter_errors(content))
    if error is None:
        return
    key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
    raise AsdError(f"{where}: {key}: {' '.join(error.message.split())}: see workflow/schemas/{schema}.schema.yaml")


@cache
def _schema(name: str) -> dict[str, Any]:
    return yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
