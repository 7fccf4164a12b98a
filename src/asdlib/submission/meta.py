"""The meta file of a submitted system, `<label>.meta.yaml`.

The fields are those of the challenge's template for 2025, as far as public submissions show them (docs/submission.md).
A field without a value is null, with a comment that asks for it. A field that the config sets to null does not apply to
the system, which the template also writes as null.
"""

import json
import textwrap
from collections.abc import Iterable
from typing import Any

import yaml

from asdlib.evaluation.figures import AREAS
from asdlib.evaluation.metrics import harmonic_mean

AUTHOR = (
    "lastname", "firstname", "email", "corresponding", "affiliation", "institution", "department", "location"
)  # fmt: skip
# field: what the template expects
SUBMISSION = {
    "name": "a full name for the table of results",
    "abbreviation": "at most 10 characters",
}
DESCRIPTION = {
    "input_sampling_rate": "such as 16kHz",
    "data_augmentation": "all methods, comma separated, such as mixup, pitch shifting",
    "front_end": "preprocessing, such as source separation, HPSS",
    "acoustic_features": "such as log-mel energies, spectrogram, raw waveform",
    "embeddings": "of pre-trained networks, such as BEATs, EAT",
    "machine_learning_method": "all methods, such as AE, CNN, k-NN, ensemble",
    "aggregation_method": "over time, such as average, maximum",
    "domain_adaptation_method": "such as fine-tuning",
    "domain_generalization_method": "such as mixup, feature disentanglement",
    "ensemble_method_subsystem_count": "a number",
    "decision_making": "how an ensemble decides, such as average",
    "attribute_usage": "what attributes are used for, such as auxiliary classification",
    "external_data_usage": "such as pre-trained model, embeddings",
    "development_data_usage": "such as development, pre-training, fine-tuning",
}
COMPLEXITY = {"total_parameters": "a number", "MACS": "multiply-accumulate operations of one clip"}
SYSTEM = {"external_datasets": "a list of {name, url}", "source_code": "address of the code"}
REMINDER = "  # TO BE FILLED IN: "


class MetaFile:
    """The lines of a meta file, and the fields that have to be filled in."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        """The content of the file."""
        return "\n".join(self._lines) + "\n"

    def head(self, *lines: str) -> None:
        """Add lines unchanged."""
        self._lines += lines

    def fields(self, indent: int, values: dict[str, Any], hints: dict[str, str]) -> None:
        """Add a line for each field of `hints`."""
        for name, hint in hints.items():
            value = values.get(name)
            if isinstance(value, list) and value:
                self.block(indent, name, value)
                continue
            reminder = "" if name in values else REMINDER + hint
            self._lines.append(f"{' ' * indent}{name}: {json.dumps(value, ensure_ascii=False)}{reminder}")
            self.open += [name] if reminder else []

    def block(self, indent: int, name: str, value: list[dict[str, Any]]) -> None:
        """Add a field whose value is a list."""
        body = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        self._lines += [f"{' ' * indent}{name}:", textwrap.indent(body.rstrip(), " " * (indent + 2))]


def meta_file(
    label: str, authors: list[dict[str, Any]], given: dict[str, Any], known: dict[str, Any],
    machines: Iterable[str], rows: list[dict[str, str]],
) -> MetaFile:  # fmt: skip
    """Return the meta file of one system.

    `given` are the fields from the config and `known` those that the workflow determined; the config has precedence.
    `rows` are the figures on the development set in percent, one row per machine and section.
    """
    values = {**known, **given}
    meta = MetaFile()
    meta.head("# Submission information", "submission:", f"  label: {json.dumps(label)}")
    meta.fields(2, values, SUBMISSION)
    meta.block(2, "authors", [_ordered(author) for author in authors])
    meta.head("", "# System information", "system:", "  description:")
    meta.fields(4, values, DESCRIPTION)
    meta.head("  complexity:")
    meta.fields(4, values, COMPLEXITY)
    meta.fields(2, values, SYSTEM)
    meta.head("", "# System results: percent", "results:", "  development_dataset:")
    for machine in machines:
        meta.head(f"    {json.dumps(machine)}:")
        meta.fields(6, _figures(machine, rows), dict.fromkeys(AREAS, "percent"))
    return meta


def _ordered(block: dict[str, Any]) -> dict[str, Any]:
    """Return an author or an affiliation, in the order of the template."""
    present = [name for name in AUTHOR if name in block]
    return {name: _ordered(block[name]) if isinstance(block[name], dict) else block[name] for name in present}


def _figures(machine: str, rows: list[dict[str, str]]) -> dict[str, float]:
    """Return the figures of a machine: the harmonic means over its sections."""
    found = [row for row in rows if row["machine"] == machine]
    if not found:
        return {}
    return {name: round(harmonic_mean([float(row[name]) for row in found]), 4) for name in AREAS}
