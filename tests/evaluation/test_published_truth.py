"""`asdlib evaluate` with the published truth of 2021 and 2022 and made-up scores.

The reference follows the definitions of the official evaluators, on the files themselves, with scikit-learn's areas. Of
2020 no truth with a licence was at hand: its definition is tested on a made-up list (test_evaluator.py).
"""

import json
import os
import re
from pathlib import Path
from statistics import harmonic_mean

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asdlib.cli import main

ROOT = Path(__file__).parents[2]
PUBLISHED = Path(os.environ.get("ASDLIB_SHARED", ROOT.parent / "shared")) / "reference/ground_truth"
needs_published = pytest.mark.skipif(
    not PUBLISHED.exists(), reason=f"SKIPPED: metrics with real truth: the published files are not in {PUBLISHED}"
)
Clips = tuple[np.ndarray, np.ndarray, np.ndarray]  # labels, codes of the domains, scores
Figures = dict[str, float]


def columns(path: Path) -> tuple[list[str], np.ndarray]:
    names, values = zip(*(line.split(",") for line in path.read_text().split()), strict=True)
    return list(names), np.array(values, dtype=float)


def submit(folder: Path, truth: Path) -> np.ndarray:
    """Write scores with ties, and decisions, for the clips of a truth file in reverse order; return the scores."""
    names, labels = columns(truth)
    scores = np.round(np.random.default_rng(list(truth.name.encode())).normal(0.8 * labels), 1)
    for kind, values in (("anomaly_score", scores), ("decision_result", (scores > 1).astype(int))):
        rows = [f"{name},{value}\n" for name, value in zip(names, values, strict=True)]
        (folder / truth.name.replace("ground_truth", kind)).write_text("".join(reversed(rows)))
    return scores


def clips_of_2021(path: Path, scores: dict[str, np.ndarray]) -> Clips:
    files = [path.with_name(path.name.replace("source", domain)) for domain in ("source", "target")]
    labels = [columns(file)[1] for file in files]
    codes = np.repeat([0, 1], [len(own) for own in labels])
    return np.concatenate(labels), codes, np.concatenate([scores[file.name] for file in files])


def clips_of_2022(path: Path, scores: dict[str, np.ndarray]) -> Clips:
    domains = path.parent.with_name("ground_truth_domain") / path.name
    assert columns(domains)[0] == columns(path)[0]
    return columns(path)[1], columns(domains)[1], scores[path.name]


def figures_of_2021(labels: np.ndarray, codes: np.ndarray, scores: np.ndarray) -> Figures:
    """Each domain by itself."""
    own = {name: (labels[codes == code], scores[codes == code]) for code, name in enumerate(("source", "target"))}
    auc = {f"AUC ({name})": roc_auc_score(*clips) for name, clips in own.items()}
    return auc | {f"pAUC ({name})": roc_auc_score(*clips, max_fpr=0.1) for name, clips in own.items()}


def figures_of_2022(labels: np.ndarray, codes: np.ndarray, scores: np.ndarray) -> Figures:
    """The normal clips of a domain against the anomalies of both; the pAUC of all clips."""
    compared = {name: (codes == code) | (labels == 1) for code, name in enumerate(("source", "target"))}
    auc = {f"AUC ({name})": roc_auc_score(labels[use], scores[use]) for name, use in compared.items()}
    return auc | {"pAUC": roc_auc_score(labels, scores, max_fpr=0.1)}


YEARS = {2021: (clips_of_2021, figures_of_2021, "_source"), 2022: (clips_of_2022, figures_of_2022, "")}


@needs_published
@pytest.mark.parametrize("year", YEARS)
def test_made_up_scores_have_the_official_figures(year: int, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    clips_of, figures_of, named = YEARS[year]
    files = sorted((PUBLISHED / str(year) / "ground_truth_data").glob("*.csv"))
    scores = {path.name: submit(tmp_path, path) for path in files}
    expected = {}
    for path in files:
        if found := re.fullmatch(rf"ground_truth_(\w+)_section_(\d\d){named}_test\.csv", path.name):
            expected[found.groups()] = figures_of(*clips_of(path, scores))
    assert len(expected) == 7 * 3  # machines and sections

    assert main(["evaluate", "--scores", str(tmp_path), "--truth", str(PUBLISHED / str(year)), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    ours = {(m, s): values for m, blocks in result["machines"].items() for s, values in blocks["sections"].items()}
    assert ours.keys() == expected.keys()
    for section, figures in expected.items():
        assert {name: ours[section][name] for name in figures} == pytest.approx(figures, abs=1e-12)
    areas = [value for figures in expected.values() for value in figures.values()]
    assert result["official_score"] == pytest.approx(harmonic_mean(areas), abs=1e-12)
