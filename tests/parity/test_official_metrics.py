"""Parity with the official evaluator and with the result files of the official baseline."""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.official import evaluate
from helpers.second_golden import golden_folders

from asdlib.evaluation.figures import SINCE_2022, definition_of
from asdlib.evaluation.jackknife import evaluator_ci95
from asdlib.evaluation.metrics import mean_of, official_score, precision_recall_f1, section_areas
from asdlib.scoring.score_files import read_decisions, read_scores


def second(folder: Path) -> None:
    """Rename the machines of every set; reverse the order of the clips in the submission files."""
    for expected in folder.glob("*/expected/expected.json"):
        machines = list(json.loads(expected.read_text())["machines"])
        one = expected.parents[1]
        reverse_lines(one.glob("submission/*.csv"))
        for machine in machines:
            expected.write_text(expected.read_text().replace(f'"{machine}"', f'"New{machine}"'))
            for path in [*one.glob(f"*/*_{machine}_section_*")]:
                path.rename(path.with_name(path.name.replace(f"_{machine}_", f"_New{machine}_")))


def second_baseline(folder: Path) -> None:
    """Reverse the order of the clips."""
    reverse_lines(folder.glob("expected/*_anomaly_score.csv"))


def reverse_lines(paths: Iterable[Path]) -> None:
    for path in paths:
        path.write_text("\n".join(reversed(path.read_text().splitlines())) + "\n")


folder = golden_folders("official_metrics", second=second)
baseline = golden_folders("official_ae", second=second_baseline)


def leaves(tree: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def test_evaluator(folder: Path) -> None:
    sets = sorted(path.parents[1] for path in folder.glob("*/expected/expected.json"))
    assert sets
    for one in sets:
        check_set(one)


def check_set(folder: Path) -> None:
    """Compare all numbers of the official evaluator for one set of submission files."""
    expected = json.loads((folder / "expected" / "expected.json").read_text())
    result = evaluate(folder / "submission", folder)

    assert result.pop("official_score") == result["overall"]["official score"]
    ours, theirs = dict(leaves(result)), dict(leaves(expected))
    assert ours.keys() == theirs.keys()
    for path, value in theirs.items():
        tolerance = {"rel_tol": 1e-9} if abs(value) < 1e-9 else {"rel_tol": 0, "abs_tol": 1e-12}
        assert math.isclose(ours[path], value, **tolerance), f"{path}: {ours[path]} instead of {value}"


@pytest.mark.parametrize("mode", ["MSE", "MAHALA"])
def test_baseline_result_file(mode: str, baseline: Path) -> None:
    """Only the lines of the sections are compared, not the means."""
    with (baseline / "expected" / f"{mode}_roc.csv").open(newline="") as handle:
        sections = [row for row in csv.DictReader(handle) if row["section"].isdigit()]
    assert sections
    scores = read_scores(baseline / "expected" / f"{mode}_anomaly_score.csv")
    decisions = read_decisions(baseline / "expected" / f"{mode}_decision_result.csv")
    for expected in sections:
        names = [name for name in scores if name.startswith(f"section_{expected['section']}_")]
        labels = np.array([int("_anomaly_" in name) for name in names])
        domains = np.array([name.split("_")[2] for name in names])
        decided = np.array([decisions[name] for name in names])
        areas = section_areas(SINCE_2022, labels, domains, [scores[name] for name in names])
        ours = dict(zip(("AUC (source)", "AUC (target)", "pAUC"), areas, strict=True))
        for domain in ("source", "target"):
            found = precision_recall_f1(labels[domains == domain], decided[domains == domain])
            ours |= {f"precision ({domain})": found.precision, f"recall ({domain})": found.recall}
            ours |= {f"F1 score ({domain})": found.f1}
        assert ours == pytest.approx({key: float(expected[key]) for key in ours}, rel=0, abs=1e-12)


def test_published_evaluation_vector():
    """The 24 values of the MSE baseline and their score are in the README of the 2025 evaluator."""
    source = [0.8102, 0.8140, 0.6770, 0.5284, 0.7198, 0.7304, 0.6686, 0.6486]
    target = [0.3436, 0.4976, 0.3670, 0.6272, 0.3956, 0.4436, 0.4430, 0.6592]
    # The README rounds the pAUCs; with 100 normal and 100 anomalous clips, they are 0.5 + (k - 50) / 1900.
    pauc = [0.5 + (k - 50) / 1900 for k in (130, 104, 145, 155, 89, 115, 94, 280)]
    rounded = [0.542105, 0.528421, 0.55, 0.555263, 0.520526, 0.534211, 0.523158, 0.621053]
    assert np.round(pauc, 6).tolist() == rounded

    assert official_score(source + target + pauc) == pytest.approx(0.5442827820713174, rel=0, abs=1e-15)
    assert official_score(source + target + rounded) == pytest.approx(0.5442827820713174, rel=0, abs=1e-8)


OF_2026 = {  # ToyDrone, ToothBrush, SewingMachine, BlowerDustCollector, Sander: AUC source, AUC target, pAUC
    "mse": (
        [0.7126, 0.5902, 0.6484, 0.6948, 0.6714],
        [0.4680, 0.6434, 0.6142, 0.8838, 0.4402],
        [0.5510526, 0.5978947, 0.5810526, 0.6178947, 0.5089474],
        0.5980289616592438,
    ),
    "mahalanobis": (
        [0.7276, 0.4398, 0.6034, 0.6766, 0.6980],
        [0.5428, 0.3940, 0.4376, 0.8720, 0.4510],
        [0.5926316, 0.5278947, 0.5057895, 0.6389474, 0.4947368],
        0.5476277174340481,
    ),
}


@pytest.mark.parametrize("mode", OF_2026)
def test_the_definition_of_2026_gives_the_totals_of_its_evaluator(mode):
    """The 15 values of each mode of the baseline and their score are in the README of the 2026 evaluator."""
    source, target, pauc, expected = OF_2026[mode]
    exact = [0.5 + round(1900 * (value - 0.5)) / 1900 for value in pauc]  # with 100 normal and 100 anomalous clips
    assert np.round(exact, 7).tolist() == pauc
    definition = definition_of(2026)
    assert (definition.name, definition.columns) == ("2022", ("auc_source", "auc_target", "pauc"))
    assert mean_of(definition, source + target + exact) == pytest.approx(expected, rel=0, abs=1e-15)


def test_printed_interval_is_the_evaluators():
    """The reference is the definition: every clip is left out in turn."""
    from scipy.stats import t
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    labels = rng.permutation(np.repeat([0, 1], 15))
    scores = np.round(rng.normal(size=30) + labels, 1)
    widths = []
    for max_fpr in (None, 0.1):
        left_out = [roc_auc_score(np.delete(labels, i), np.delete(scores, i), max_fpr=max_fpr) for i in range(30)]
        widths.append(t.ppf(0.975, 29) * np.sqrt(np.var(left_out) / 29))
    assert evaluator_ci95(labels, scores) == pytest.approx(np.mean(widths), rel=1e-9)
