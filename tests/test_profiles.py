"""The profiles: what the documentation says about them, read by Snakemake itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.checkout import SETTINGS, add_toy_machines, make_checkout
from helpers.slurm_cluster import with_groups
from snakemake.cli import parse_args

ROOT = Path(__file__).resolve().parents[1]


def settings(*arguments: str) -> Any:
    return parse_args(["--dry-run", *arguments])[1]


def test_a_workflow_profile_wins_over_a_profile_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path, text in {
        "Snakefile": "",
        "profiles/default/config.yaml": "retries: 1\nset-resources: {embed: {mem_mb: 1}}\n",
        "profiles/mine/config.yaml": "retries: 9\nlatency-wait: 77\nset-resources: {embed: {runtime: 9}}\n",
    }.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    both = settings("--profile", "profiles/mine")
    assert (both.retries, both.latency_wait, list(both.set_resources["embed"])) == (1, 77, ["mem_mb"])
    mine = settings("--workflow-profile", "profiles/mine")
    assert (mine.retries, mine.latency_wait, list(mine.set_resources["embed"])) == (9, 77, ["runtime"])
    assert settings("--workflow-profile", "profiles/mine", "--retries", "3").retries == 3


@pytest.mark.parametrize("path", sorted(ROOT.glob("profiles/*/config.yaml")), ids=lambda path: path.parent.name)
def test_no_profile_has_what_is_known_to_lose_files_or_to_flood_the_terminal(path: Path) -> None:
    """Arrays of the SLURM plugin 2.8.0 hang and delete finished files; asdlib.runtime.failures shows ends of logs."""
    assert not yaml.safe_load(path.read_text()).keys() & {"slurm-array-jobs", "show-failed-logs"}


def test_each_rule_with_a_gpu_has_its_line_in_the_profile_for_slurm() -> None:
    text = (ROOT / "profiles/slurm/config.yaml").read_text()
    commented = text[text.index("# set-resources:") :].partition("\n\n")[0]
    block = yaml.safe_load(commented.replace("# ", ""))["set-resources"]
    rules = [part for path in ROOT.glob("workflow/rules/*.smk") for part in path.read_text().split("\nrule ")[1:]]
    assert block.keys() == {rule.partition(":")[0] for rule in rules if " gpu=" in rule}


def test_the_groups_of_the_profile_for_slurm_hold_no_gpu_and_only_jobs_that_wait_for_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group starts when the inputs of all its jobs are there, and asks for the GPUs of all of them."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text("")
    Path("mine").mkdir()
    Path("mine/config.yaml").write_text(with_groups((ROOT / "profiles/slurm/config.yaml").read_text()))
    read = settings("--workflow-profile", "mine")
    assert read.groups == {"score": "score_{system}_{dataset}_{machine}"}
    assert read.group_components == {"score_{system}_{dataset}_{machine}": 4}
    rule = (ROOT / "workflow/rules/scores.smk").read_text().partition("rule score:")[2].partition("\nrule ")[0]
    assert " gpu=" not in rule
    assert " mem_mb=" in rule


def test_a_start_on_a_cluster_warns_of_nothing(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path, SETTINGS)
    add_toy_machines(checkout, "fan")
    printed = checkout.run("results/baseline/scores.csv", "--dry-run", "--workflow-profile", "profiles/slurm")
    assert "Warning" not in printed, printed


def test_without_a_gpu_trainings_run_side_by_side(tmp_path: Path) -> None:
    """Nothing is asked for of which there is none, so that only cores and memory limit the jobs."""
    checkout = make_checkout(tmp_path, SETTINGS.replace("device: cpu", "device: auto"))
    add_toy_machines(checkout, "fan", "pump")
    with checkout.start("results/baseline/scores.csv", "--dry-run", CUDA_VISIBLE_DEVICES="") as run:
        printed = run.finish()
    asked = [line for line in printed.splitlines() if "gpu=" in line]
    assert len(asked) == 4  # two machines, each trained and embedded
    assert all("gpu=0, " in line for line in asked)
