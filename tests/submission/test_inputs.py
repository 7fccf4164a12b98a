"""The inputs of a package according to the config, for the shipped systems; nothing is computed."""

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.checkout import ROOT
from helpers.official import SCORE_COLUMNS
from helpers.refusals import refused
from helpers.toy_recordings import make_machine

from asdlib.errors import AsdError
from asdlib.evaluation.figures import AREAS
from asdlib.evaluation.score_table import score_columns
from asdlib.submission import inputs
from asdlib.submission.settings import SubmissionSettings
from asdlib.workflow.graph import Graph
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.yaml_files import parse_yaml, read_yaml

AUTHOR = {
    "lastname": "Doe",
    "firstname": "J",
    "email": "j@x.org",
    "corresponding": True,
    "affiliation": {"institution": "A"},
}
BLOCK = {
    "author": "Doe", "institute": "ACME-X", "authors": [AUTHOR], "variants": ["system3/1", "baseline/mse"],
    "dataset": "dcase2025_eval", "development": "dcase2025_dev", "report": None, "meta": {},
}  # fmt: skip
SHIPPED: dict[str, Any] = {}
for name in ("datasets", "checkpoints", "config"):
    SHIPPED |= read_yaml(ROOT / "config" / f"{name}.yaml")


def graph(config: dict[str, Any] | None = None, **block: Any) -> Graph:
    return Graph(SHIPPED | {"submission": BLOCK | block} | (config or {}), ROOT)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_evaluation_set_joins_the_run_s_own() -> None:
    chosen = graph(dataset="demo")
    assert list(chosen.datasets) == ["dcase2025_dev"]
    assert "demo" in chosen.all_datasets
    assert "demo" not in graph(variants=[], dataset="demo").all_datasets
    assert inputs.clip_files(chosen)[0] == "results/audio/raw/demo/ToyCar.parquet"


def test_files_are_those_of_every_machine_in_the_order_of_the_variants() -> None:
    found = inputs.score_files(graph())
    assert len(found) == 2 * 8 * 2
    folder = "results/system3/1/dcase2025_eval"
    assert found[0] == f"{folder}/anomaly_score_AutoTrash_section_00_test.csv"
    assert found[1] == f"{folder}/decision_result_AutoTrash_section_00_test.csv"
    assert found[-1].startswith("results/baseline/mse/dcase2025_eval/")
    with_seeds = inputs.score_files(graph({"seeds": [4, 5]}))
    assert with_seeds[0].startswith(f"{folder}/seed_4/")


def test_networks_are_those_that_a_clip_passes_through() -> None:
    settings = inputs.settings(graph())
    separated, plain = (entry["networks"]["ToyPet"] for entry in settings["systems"])
    kinds = [[path.split("/")[1:3] for path in paths] for paths in (separated, plain)]
    assert [kind for kind, _ in kinds[1]] == ["models"]
    assert {"models", "separators"} == {kind for kind, _ in kinds[0]}
    assert set(separated) | set(plain) <= set(inputs.network_files(graph()))


def test_labels_number_the_variants() -> None:
    settings = inputs.settings(graph())
    assert [entry["label"] for entry in settings["systems"]] == ["Doe_ACME-X_task2_1", "Doe_ACME-X_task2_2"]
    assert settings["declared_clips"] == 200
    assert settings["development"]["machines"] == SHIPPED["datasets"]["dcase2025_dev"]["machines"]


def test_the_report_is_an_input_if_there_is_one() -> None:
    Path("report.pdf").touch()
    assert inputs.report_file(graph(report="report.pdf")) == ["report.pdf"]
    assert inputs.report_file(graph()) == []


def test_the_development_set_may_be_a_folder_of_one_s_own(tmp_path: Path) -> None:
    make_machine(tmp_path / "own" / "fan", train=1, target=0, test=1, seconds=0.1)
    settings = inputs.settings(graph({"data": str(tmp_path / "own")}, development="own"))
    assert settings["development"] == {"dataset": "own", "machines": ["fan"]}


def test_the_page_s_example_is_a_whole_block() -> None:
    page = (ROOT / "docs" / "submission.md").read_text()
    block = parse_yaml(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1], "docs/submission.md")["submission"]
    Path(block["report"]).touch()
    inputs.check(Graph(SHIPPED | {"submission": SHIPPED["submission"] | block}, ROOT))


def test_words_stay_as_they_are_written() -> None:
    words = {"name": "Mine: a # system", "front_end": "no", "abbreviation": "1e5"}
    assert inputs.settings(graph(meta={"system3/1": words}))["systems"][0]["meta"] == words


def test_only_rows_of_the_same_recipe_and_seed_are_figures() -> None:
    chosen = graph(variants=["baseline/mse"])
    recipe = inputs.variants(chosen)[0].recipe
    columns = ["variant", "dataset", "machine", "section", *AREAS, "seed", "recipe"]
    rows = [
        f"mse,dcase2025_dev,fan,00,70.5,60.0,50.0,13711,{recipe}",
        f"mse,dcase2025_dev,fan,all,70.5,60.0,50.0,13711,{recipe}",
        f"mse,dcase2025_dev,all,,70.5,60.0,50.0,13711,{recipe}",
        f"mse,dcase2025_dev,valve,00,,,,13711,{recipe}",  # without labels
        "mse,dcase2025_dev,bearing,00,1.0,1.0,1.0,13711,another",
        f"mse,dcase2025_dev,slider,00,1.0,1.0,1.0,5,{recipe}",
        f"mahalanobis,dcase2025_dev,gearbox,00,1.0,1.0,1.0,13711,{recipe}",
        f"mse,dcase2025_eval,ToyPet,00,55.0,56.0,57.0,13711,{recipe}",
    ]
    table = Path("results/baseline/scores.csv")
    table.parent.mkdir(parents=True)
    cells = [dict(zip(columns, row.split(","), strict=True)) for row in rows]
    pd.DataFrame(cells).assign(metric="2022").reindex(columns=SCORE_COLUMNS).to_csv(table, index=False)
    entry = inputs.settings(chosen)["systems"][0]
    fan = {"machine": "fan", "section": "00", "auc_source": "70.5", "auc_target": "60.0", "pauc": "50.0"}
    assert entry["figures"] == [fan]
    assert [row["machine"] for row in entry["evaluated"]] == ["ToyPet"]
    newer = Path("results/baseline/mse/dcase2025_dev/anomaly_score_fan_section_00_test.csv")
    newer.parent.mkdir(parents=True)
    newer.touch()
    os.utime(newer, (table.stat().st_mtime + 1,) * 2)
    entry = inputs.settings(chosen)["systems"][0]
    assert (entry["figures"], len(entry["evaluated"])) == ([], 1)
    table.write_text("variant,dataset\n")
    with pytest.raises(AsdError, match=r"scores\.csv: has no column system: name .* delete it and run again"):
        inputs.settings(chosen)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no author": ({"author": None}, r"config: submission\.author: is missing: a package needs it .*"),
    "no institute": ({"institute": None}, r"config: submission\.institute: is missing: .*"),
    "no authors": ({"authors": []}, r"config: submission\.authors: is missing: .*"),
    "nobody corresponding": (
        {"authors": [AUTHOR | {"corresponding": False}]},
        r"config: submission\.authors: exactly one must be corresponding: mark it `corresponding: true`",
    ),
    "five variants": (
        {"variants": ["baseline/mse", *(f"system4/{number}" for number in range(1, 5))]},
        r"config: submission\.variants: 5 are too many: name at most 4",
    ),
    "unknown variant": (
        {"variants": ["system3/9"]},
        r"config: submission: system3/9: there is no such variant: use one of: baseline/mse, .*",
    ),
    "meta of an unknown variant": ({"meta": {"system3/9": {}}}, "config: submission: system3/9: .*"),
    "unknown dataset": ({"dataset": "x"}, r"config: submission\.dataset: there is no dataset 'x': use one of: .*"),
    "unknown development set": (
        {"development": "x"},
        r"config: submission\.development: there is no dataset 'x' with machines: use one of: .*",
    ),
    "report that is not there": (
        {"report": "gone.pdf"},
        r"config: submission\.report: gone\.pdf: no such file: correct the path, .*",
    ),
    "label with an underscore": ({"author": "Mc_Doe"}, r"config: submission\.author: 'Mc_Doe' does not match .*"),
    "unknown key": ({"team": 1}, r"config: submission\.team: unknown key: use one of: author, .*"),
    "unknown meta field": (
        {"meta": {"system3/1": {"backbone": "x"}}},
        r"config: submission\.meta\.system3/1\.backbone: unknown key: use one of: .*",
    ),
    "long abbreviation": (
        {"meta": {"system3/1": {"abbreviation": "much too long"}}},
        r"config: submission\.meta\.system3/1\.abbreviation: 'much too long' is too long: .*",
    ),
}


@pytest.mark.parametrize(("block", "complaint"), WRONG.values(), ids=WRONG)
def test_a_wrong_block_is_one_line(block: dict[str, Any], complaint: str) -> None:
    refused(lambda: inputs.check(graph(**block)), complaint)


def test_a_block_without_variants_is_checked_when_a_package_is_asked_for() -> None:
    empty = graph(**{**read_yaml(ROOT / "config" / "config.yaml")["submission"]})
    inputs.check(empty)
    refused(lambda: inputs.score_files(empty), re.escape("config: submission.variants: is missing: ") + ".*")


def test_the_settings_are_those_that_the_step_declares() -> None:
    chosen = typed(SubmissionSettings, inputs.settings(graph()))
    assert [system.label for system in chosen.systems] == ["Doe_ACME-X_task2_1", "Doe_ACME-X_task2_2"]


def test_figures_of_an_earlier_definition_are_not_compared() -> None:
    """The AUC of a domain in 2021 has the same name and other clips; no table could agree with the evaluator of now."""
    chosen = graph(variants=["baseline/mse"])
    row = {"variant": "mse", "dataset": "dcase2025_eval", "machine": "ToyPet", "section": "00", "seed": "13711"}
    row |= {"recipe": inputs.variants(chosen)[0].recipe, "metric": "2021", **dict.fromkeys(AREAS, "50.0")}
    table = Path("results/baseline/scores.csv")
    table.parent.mkdir(parents=True)
    pd.DataFrame([row]).reindex(columns=score_columns({"2021"})).to_csv(table, index=False)
    assert inputs.settings(chosen)["systems"][0]["evaluated"] == []
