"""What is said about a target that no rule makes."""

import pytest

from asdlib.workflow import paths
from asdlib.workflow.unknown_targets import explain

SYSTEMS = ["baseline", "system1", "system3"]
KEYS = {"models": ["dense_ae-817dd8", "dense_vae-000001"], "frontends": ["logmel_128-5f7e74"], "separators": []}
MEANT = {
    "a system misspelt": ("results/sytem3/scores.csv", "results/system3/scores.csv"),
    "a system in capitals": ("results/System3/scores.csv", "results/system3/scores.csv"),
    "a table misspelt": ("results/system3/score.csv", "results/system3/scores.csv"),
    "another ending": ("results/system3/scores.cvs", "results/system3/scores.csv"),
    "the folder misspelt": ("result/system3/scores.csv", "results/system3/scores.csv"),
    "only the name": ("baseline", "results/baseline/scores.csv"),
    "only the name, misspelt": ("basline", "results/baseline/scores.csv"),
    "only the folder": ("results/baseline", "results/baseline/scores.csv"),
    "only the folder, with a slash": ("results/baseline/", "results/baseline/scores.csv"),
    "the table of clips": ("results/system1/clip.csv", "results/system1/clips.csv"),
    "the report": ("results/reports.html", "results/report.html"),
    "the rule of the report": ("reprot", "report"),
    "the submission": ("results/submission/task.zip", "results/submission/task2.zip"),
    "a model of other settings": (
        paths.model("dense_ae-a00000", "demo", "fan"), paths.model("dense_ae-817dd8", "demo", "fan")),
    "features of other settings": (
        paths.features("logmel_128-a00000", "raw", "demo", "fan", ""),
        paths.features("logmel_128-5f7e74", "raw", "demo", "fan", "")),
    "embeddings of other settings": (
        paths.embeddings("dense_vae-a00000", "raw", "demo", "fan"),
        paths.embeddings("dense_vae-000001", "raw", "demo", "fan")),
}  # fmt: skip


def said(target: str) -> str:
    return explain(target, SYSTEMS, lambda registry: KEYS[registry])


@pytest.mark.parametrize(("target", "meant"), MEANT.values(), ids=MEANT)
def test_what_was_meant_is_named(target: str, meant: str) -> None:
    assert said(target) == f"{target}: no rule makes this file: did you mean {meant}?"


@pytest.mark.parametrize(
    "target",
    ["mixed/up.txt", "results/x", "/", paths.model("other-a00000", "demo", "fan"), "results/models/dense_ae-817dd8/x",
     paths.model("dense_ae-817dd8", "gone", "fan"), paths.separator("conv_tasnet-a00000", "demo", "fan")],
)  # fmt: skip
def test_nothing_is_made_up(target: str) -> None:
    known = "use results/{system}/scores.csv, report, submission, all (systems: baseline, system1, system3)"
    assert said(target) == f"{target}: no rule makes this file: {known}"
