"""The evaluator: clips are matched by name, and ambiguous or incomplete files are errors."""

import shutil

import pytest

from asdlib.errors import AsdError
from asdlib.evaluation.evaluator import evaluate

CELLS = [(label, domain) for label in (0, 1) for domain in (0, 1) for _ in range(5)]
NAMES = [f"section_00_{i:04d}.wav" for i in range(len(CELLS))]
LABELLED = [
    f"section_00_{('source', 'target')[domain]}_test_{('normal', 'anomaly')[label]}_{i:04d}_noAttribute"
    for i, (label, domain) in enumerate(CELLS)
]
VALUES = [(7 * i) % 20 + 6 * label for i, (label, _) in enumerate(CELLS)]
MACHINES = ("ToyCar", "fan")


def write(path, names, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name},{value}\n" for name, value in zip(names, values, strict=True)))


@pytest.fixture
def case(tmp_path):
    """Write `truth/` and `submission/` for two machines and return their folder."""
    for machine in MACHINES:
        truth = f"ground_truth_{machine}_section_00_test.csv"
        write(tmp_path / "truth/ground_truth_data" / truth, NAMES, [label for label, _ in CELLS])
        write(tmp_path / "truth/ground_truth_domain" / truth, NAMES, [domain for _, domain in CELLS])
        write(tmp_path / "truth/ground_truth_attributes" / truth, NAMES, LABELLED)
        decisions = [int(value > 15) for value in VALUES]
        write(tmp_path / f"submission/anomaly_score_{machine}_section_00_test.csv", NAMES, VALUES)
        write(tmp_path / f"submission/decision_result_{machine}_section_00_test.csv", NAMES, decisions)
    return tmp_path


def figures(case):
    return evaluate(case / "submission", case / "truth")


def lines(path):
    return path.read_text().splitlines(keepends=True)


def test_row_order_does_not_matter(case):
    before = figures(case)
    for path in case.glob("*/**/*.csv"):
        path.write_text("".join(reversed(lines(path))))
    assert figures(case) == before


def test_the_baselines_own_files_are_read(case):
    expected = figures(case)
    for machine in MACHINES:
        for kind in ("anomaly_score", "decision_result"):
            old = case / f"submission/{kind}_{machine}_section_00_test.csv"
            values = [line.strip().split(",")[1] for line in lines(old)]
            new = f"submission/{kind}_DCASE2025T2{machine}_section_00_test_seed13711_id(0_)_Eval.csv"
            write(case / new, [f"{name}.wav" for name in LABELLED], values)
            old.unlink()
    assert figures(case) == expected


def test_labelled_names_under_the_challenges_file_names(case):
    expected = figures(case)
    write(case / "submission/anomaly_score_fan_section_00_test.csv", [f"{n}.wav" for n in LABELLED], VALUES)
    assert figures(case) == expected


def test_attributes_are_not_needed_for_published_names(case):
    expected = figures(case)
    shutil.rmtree(case / "truth/ground_truth_attributes")
    assert figures(case) == expected


def test_sections_and_machines_average_in_one_flat_list(case):
    kinds = ("anomaly_score", "decision_result", "ground_truth")
    for path in [path for kind in kinds for path in case.rglob(f"{kind}_fan_section_00_test.csv")]:
        path.rename(path.with_name(path.name.replace("fan_section_00", "ToyCar_section_01")))
    result = figures(case)
    assert list(result["machines"]) == ["ToyCar"]
    sections = result["machines"]["ToyCar"]["sections"]
    assert list(sections) == ["00", "01"]
    flat = [section[key] for section in sections.values() for key in ("AUC (source)", "AUC (target)", "pAUC")]
    assert result["official_score"] == pytest.approx(6 / sum(1 / value for value in flat), abs=1e-15)


def test_one_anomaly_has_figures_but_no_interval(case):
    shutil.rmtree(case / "submission")
    for folder in case.glob("truth/*"):
        (folder / "ground_truth_ToyCar_section_00_test.csv").unlink()
    labels = [1, *[0] * 19]
    write(case / "truth/ground_truth_data/ground_truth_fan_section_00_test.csv", NAMES, labels)
    for kind in ("anomaly_score", "decision_result"):
        write(case / f"submission/{kind}_fan_section_00_test.csv", NAMES, labels)
    result = figures(case)
    assert result["official_score"] == 1
    assert result["overall"]["official score ci95"] is None


SCORE = "submission/anomaly_score_fan_section_00_test.csv"
DECISION = "submission/decision_result_fan_section_00_test.csv"
DATA = "truth/ground_truth_data/ground_truth_fan_section_00_test.csv"
DOMAIN = "truth/ground_truth_domain/ground_truth_fan_section_00_test.csv"
ATTRIBUTES = "truth/ground_truth_attributes/ground_truth_fan_section_00_test.csv"


def drop(first):
    return lambda text: "".join(text.splitlines(keepends=True)[first:])


def add(row):
    return lambda text: text + row


def replace(old, new):
    return lambda text: text.replace(old, new)


REFUSED = {
    "missing score": (SCORE, drop(1), "section_00_0000.wav is missing"),
    "several missing scores": (SCORE, drop(3), r"section_00_0000.wav \(and 2 more\) is missing"),
    "extra score": (SCORE, add("section_00_0999.wav,1\n"), "section_00_0999.wav is not a clip of"),
    "wrong name": (
        SCORE,
        replace("_0003", "_3"),
        "section_00_0003.wav is missing, and section_00_3.wav is unknown",
    ),
    "repeated score": (SCORE, add("section_00_0007.wav,1\n"), "line 21: section_00_0007.wav appears twice"),
    "NaN": (SCORE, replace("_0000.wav,0", "_0000.wav,nan"), "section_00_0000.wav has the score nan"),
    "infinity": (SCORE, replace("_0000.wav,0", "_0000.wav,inf"), "section_00_0000.wav has the score inf"),
    "text": (SCORE, replace("_0000.wav,0", "_0000.wav,low"), "section_00_0000.wav has the score 'low'"),
    "empty score file": (SCORE, drop(99), "no rows"),
    "no score file": (SCORE, None, "no such file"),
    "missing decision": (DECISION, drop(1), "section_00_0000.wav is missing"),
    "extra decision": (DECISION, add("x.wav,1\n"), "x.wav is not a clip of"),
    "repeated decision": (DECISION, add("section_00_0007.wav,1\n"), "appears twice"),
    "decision 2": (
        DECISION,
        replace("_0000.wav,0", "_0000.wav,2"),
        "section_00_0000.wav has the decision '2'",
    ),
    "no decision file": (DECISION, None, "no such file"),
    "normal clips only": (DATA, replace(",1", ",0"), "no anomalous clip"),
    "anomalies only": (DATA, replace(",0\n", ",1\n"), "no normal clip"),
    "one domain": (DOMAIN, replace(",1", ",0"), "no normal clip of the target domain"),
    "label 2": (DATA, replace("_0000.wav,0", "_0000.wav,2"), "section_00_0000.wav has the value '2'"),
    "repeated truth": (DATA, add("section_00_0007.wav,1\n"), "section_00_0007.wav is repeated"),
    "truth without a domain": (DOMAIN, drop(1), "section_00_0000.wav is missing"),
    "no domain file": (DOMAIN, None, "no such file"),
}


@pytest.mark.parametrize(("file", "change", "words"), REFUSED.values(), ids=REFUSED)
def test_refusals_name_the_file_and_the_clip(case, file, change, words):
    path = case / file
    text = path.read_text()
    path.unlink()
    if change:
        path.write_text(change(text))
    with pytest.raises(AsdError, match=words) as caught:
        figures(case)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_labelled_names_need_an_unambiguous_table(case):
    write(case / SCORE, [f"{name}.wav" for name in LABELLED], VALUES)
    with (case / ATTRIBUTES).open("a") as table:
        table.write(f"section_00_0999.wav,{LABELLED[0]}\n")
    with pytest.raises(AsdError, match="belongs to two clips"):
        figures(case)
    (case / ATTRIBUTES).unlink()
    with pytest.raises(AsdError, match=r"section_00_0000\.wav .*is missing, and section_00_source_test_anomaly"):
        figures(case)


def test_absent_folders(case):
    for scores, truth in (("nowhere", "truth"), ("submission", "nowhere"), ("submission", "submission")):
        with pytest.raises(AsdError, match=r"no such folder|no ground_truth_"):
            evaluate(case / scores, case / truth)
