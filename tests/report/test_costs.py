"""Costs, from the records of jobs and the sizes of results."""

import re
from pathlib import Path

import pytest

from asdlib.report.costs import STAGES, Cost, costs, total
from asdlib.workflow import paths
from asdlib.workflow.words import FAR, RAW

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
RULES = "\n".join(
    path.read_text() for path in (Path(__file__).resolve().parents[2] / "workflow" / "rules").glob("*.smk")
)
MODELS = {"models": {"toy-123456": ["toy"]}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def record(path: str, seconds: str, memory: str, cpu: str) -> None:
    put(f"results/benchmarks/{path}", f"{HEAD}{seconds}\t0:00:01\t{memory}\t0\t0\t0\t0\t0\t0\t{cpu}\n")


def test_times_are_summed_and_memory_is_the_largest() -> None:
    record("embed/toy-123456/raw/here/fan.tsv", "1.5", "300.0", "2.0")
    record("embed/toy-123456/raw/here/pump.tsv", "2.5", "200.0", "1.0")
    put("results/embeddings/toy-123456/raw/here/fan.parquet", "12345")
    assert costs(MODELS, [], ["here"]) == [Cost("embed", "toy-123456", ["toy"], 2, 4.0, 3.0, 300 * 2**20, 5)]


def test_another_dataset_s_jobs_are_not_counted() -> None:
    record("embed/toy-123456/raw/there/fan.tsv", "1.5", "300.0", "2.0")
    put("results/embeddings/toy-123456/raw/there/fan.parquet", "12345")
    assert costs(MODELS, [], ["here"]) == []


def test_a_missing_record_is_not_counted_and_what_was_not_measured_is_nothing() -> None:
    put("results/embeddings/toy-123456/raw/here/fan.parquet", "12345")
    (cost,) = costs(MODELS, [], ["here"])
    assert (cost.jobs, cost.seconds, cost.disk) == (0, 0.0, 5)
    record("embed/toy-123456/raw/here/fan.tsv", "0.1", "NA", "-")
    (cost,) = costs(MODELS, [], ["here"])
    assert (cost.jobs, cost.seconds, cost.memory, cost.cpu_seconds) == (1, 0.1, 0.0, 0.0)
    record("embed/toy-123456/raw/here/pump.tsv", "0.25", "", "")
    (cost,) = costs(MODELS, [], ["here"])
    assert (cost.jobs, cost.seconds, cost.memory, cost.cpu_seconds) == (2, 0.35, 0.0, 0.0)


def test_a_damaged_record_is_said_and_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    record("embed/toy-123456/raw/here/fan.tsv", "1.5", "300.0", "2.0")
    Path("results/benchmarks/embed/toy-123456/raw/here/pump.tsv").write_bytes(b"\xff\xfe\0")
    assert costs(MODELS, [], ["here"])[0].jobs == 1
    assert "pump.tsv: is damaged: this job does not count as a cost" in caplog.text


def test_tables_are_of_all_datasets() -> None:
    record("tabulate/toy.tsv", "1", "1", "1")
    put("results/toy/scores.csv", "123")
    (cost,) = costs({}, ["toy"], ["here"])
    assert (cost.jobs, cost.disk) == (1, 3)


def test_one_row_a_stage() -> None:
    parts = [Cost("embed", "a", [], 1, 1.0, 2.0, 300.0, 5), Cost("embed", "b", [], 2, 3.0, 4.0, 100.0, 6)]
    assert total(parts) == [Cost("embed", "", [], 3, 4.0, 6.0, 300.0, 11)]


def test_every_rule_s_results_are_known() -> None:
    names = set(re.findall(r"^rule (\w+):", RULES, re.MULTILINE))
    assert set(STAGES) == names - {"submission", "report"}  # the other package, and the page itself


@pytest.mark.parametrize("rule", STAGES)
def test_every_rule_s_files_are_found_and_the_dataset_is_where_its_path_has_it(rule: str) -> None:
    """The machine, the model, the system and so on all have the name of a dataset."""
    body = re.search(rf"^rule {rule}:\n(.*?)(?=^\S|\Z)", RULES, re.MULTILINE | re.DOTALL)[1]
    named = {"paths": paths, "RAW": RAW, "FAR": FAR}
    output = eval(re.search(r"output:.*?(paths\.\w+\([^()]*\))", body, re.DOTALL)[1], named)
    log = eval(re.search(r"log:\s+(paths\.\w+\([^()]*\))", body)[1], named)
    benchmark = paths.record_of(log).removeprefix("results/benchmarks/")
    names = dict.fromkeys(re.findall(r"{(\w+)}", output + benchmark), "fan")
    values = names | {"dataset": "here", "view": "separated/fan", "seeded": "/seed_1", "part": "/train"}
    record(benchmark.format(**values), "1", "1", "1")
    put(output.format(**values) + ("/a.wav" if rule == "download" else ""), "1234")
    recipes = {stage.registry: {"fan": ["fan"]} for stage in STAGES.values() if stage.registry}
    (cost,) = costs(recipes, ["fan"], ["there", "here"])
    assert (cost.rule, cost.jobs, cost.disk) == (rule, 1, 4)
    assert bool(costs(recipes, ["fan"], ["fan", "raw", "separated", "models"])) == ("dataset" not in names)
