"""The meta file: YAML with the fields of the template, where known values are filled in and others marked."""

import pytest
import yaml

from asdlib.evaluation.metrics import harmonic_mean
from asdlib.submission.meta import COMPLEXITY, DESCRIPTION, REMINDER, meta_file

AUTHORS = [
    {"email": "jane@example.org", "affiliation": {"location": "Here", "institution": "ACME"}, "firstname": "Zoë",
     "corresponding": True, "lastname": "Doe: 'the elder'"},
]  # fmt: skip
ROWS = [
    {"machine": "fan", "section": "00", "auc_source": "60.0", "auc_target": "50.0", "pauc": "51.5"},
    {"machine": "fan", "section": "01", "auc_source": "40.0", "auc_target": "50.0", "pauc": "51.5"},
]


def test_it_is_yaml_with_the_templates_fields() -> None:
    known = {"name": "A system", "total_parameters": 12}
    given = {"name": "Mine: a # system", "embeddings": None, "external_datasets": [{"name": "a", "url": "b"}]}
    meta = meta_file("Doe_ACME_task2_1", AUTHORS, given, known, ["fan", "pump"], ROWS)
    content = yaml.safe_load(meta.text)
    assert "Zoë" in meta.text, "not an escape"
    assert list(content) == ["submission", "system", "results"]
    assert content["submission"] == {
        "label": "Doe_ACME_task2_1", "name": "Mine: a # system", "abbreviation": None, "authors": AUTHORS
    }  # fmt: skip
    assert list(content["submission"]["authors"][0]) == [
        "lastname", "firstname", "email", "corresponding", "affiliation"
    ]  # fmt: skip
    assert list(content["system"]["description"]) == list(DESCRIPTION)
    assert content["system"]["complexity"] == {"total_parameters": 12, "MACS": None}
    assert content["system"]["external_datasets"] == [{"name": "a", "url": "b"}]
    fan = content["results"]["development_dataset"]["fan"]
    assert fan["auc_source"] == pytest.approx(harmonic_mean([60.0, 40.0]), abs=1e-4)
    assert fan["auc_target"] == 50.0
    assert content["results"]["development_dataset"]["pump"] == dict.fromkeys(fan)


def test_what_is_missing_is_marked_and_what_does_not_apply_is_not() -> None:
    meta = meta_file("Doe_ACME_task2_1", AUTHORS, {"embeddings": None}, {"name": "A"}, ["fan"], ROWS)
    marked = {line.split(":")[0].strip() for line in meta.text.splitlines() if REMINDER in line}
    expected = {*DESCRIPTION, *COMPLEXITY, "abbreviation", "external_datasets", "source_code"} - {"embeddings"}
    assert marked == set(meta.open) == expected
    assert {"auc_source", "pauc"} <= set(meta_file("l", AUTHORS, {}, {}, ["fan"], []).open)
