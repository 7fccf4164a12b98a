"""The evaluator: clips are matched by name, and ambiguous or incomplete files are errors."""

import shutil

import numpy as np
import pytest
from helpers.official import evaluate
from sklearn.metrics import roc_auc_score

from asdlib.cli import main
from asdlib.errors import AsdError

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
    "one domain": (DOMAIN, replace(",1", ",0"), "no normal clip of the target domain: its AUC needs one: fetch"),
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


# --- earlier years --------------------------------------------------------------------------------------------------


@pytest.fixture
def of_2021(case):
    """Turn the case into one of 2021: a truth table and submission files for each domain."""
    shutil.rmtree(case / "truth/ground_truth_domain")
    shutil.rmtree(case / "truth/ground_truth_attributes")
    for path in [*case.glob("truth/*/*.csv"), *case.glob("submission/*.csv")]:
        rows = lines(path)
        for code, domain in enumerate(("source", "target")):
            own = [row for row, (_, found) in zip(rows, CELLS, strict=True) if found == code]
            path.with_name(path.name.replace("00_test", f"00_{domain}_test")).write_text("".join(own))
        path.unlink()
    return case


@pytest.mark.parametrize("joint", [False, True], ids=["a file per domain", "one file per section"])
def test_2021_scores_each_domain_by_itself(of_2021, joint):
    labels, domains = (np.array(column) for column in zip(*CELLS, strict=True))
    expected = {}
    for code, domain in enumerate(("source", "target")):
        clips = labels[domains == code], np.array(VALUES)[domains == code]
        expected |= {f"AUC ({domain})": roc_auc_score(*clips), f"pAUC ({domain})": roc_auc_score(*clips, max_fpr=0.1)}
    if joint:
        for path in of_2021.glob("submission/*_source_test.csv"):
            other = path.with_name(path.name.replace("source", "target"))
            path.with_name(path.name.replace("_source", "")).write_text("".join(lines(path) + lines(other)))
            path.unlink()
            other.unlink()
    result = figures(of_2021)
    values = result["machines"]["fan"]["sections"]["00"]
    assert {name: values[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert result["official_score"] == pytest.approx(4 / sum(1 / value for value in expected.values()), abs=1e-12)
    assert result["overall"]["target harmonic mean"]["pAUC"] == pytest.approx(expected["pAUC (target)"], abs=1e-12)
    assert "official score ci95" not in result["overall"]


@pytest.fixture
def of_2020(tmp_path):
    """Write a list of 2020 with two IDs of a machine and one of another, and score files."""
    listed = []
    for machine, numbers in (("fan", ("01", "03")), ("ToyCar", ("05",))):
        listed.append(f"{machine}\n")
        for number in numbers:
            names = [f"id_{number}_{i:08d}.wav" for i in range(20)]
            full = [f"{('normal', 'anomaly')[label]}_{name}" for name, (label, _) in zip(names, CELLS, strict=True)]
            listed += [f"{a},{b},{label}\n" for a, b, (label, _) in zip(names, full, CELLS, strict=True)]
            values = [value + int(number) * (label == 0) for value, (label, _) in zip(VALUES, CELLS, strict=True)]
            style = f"id_{number}" if machine == "fan" else f"section_{number}_test"
            write(tmp_path / f"submission/anomaly_score_{machine}_{style}.csv", names, values)
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/eval_data_list.csv").write_text("".join(listed))
    return tmp_path


def test_2020_takes_arithmetic_means_over_ids_and_needs_no_decisions(of_2020):
    result = figures(of_2020)
    label = np.array([label for label, _ in CELLS])
    areas = []
    for machine, number in (("fan", "01"), ("fan", "03"), ("ToyCar", "05")):
        values = np.array(VALUES) + int(number) * (label == 0)
        own = {"AUC": roc_auc_score(label, values), "pAUC": roc_auc_score(label, values, max_fpr=0.1)}
        assert result["machines"][machine]["sections"][number] == pytest.approx(own, abs=1e-12)
        areas.append(list(own.values()))
    assert list(result["overall"]["arithmetic mean"].values()) == pytest.approx(np.mean(areas, axis=0), abs=1e-12)
    assert result["official_score"] == pytest.approx(np.mean(areas), abs=1e-12)


def test_the_command_prints_the_figures_of_the_year(of_2020, capsys):
    call = ["evaluate", "--scores", str(of_2020 / "submission"), "--truth", str(of_2020 / "truth")]
    assert main(call) == 0
    head, *_, mean, _, score = capsys.readouterr().out.splitlines()
    assert head.split() == ["machine", "section", "AUC", "pAUC"]
    assert mean.startswith("arithmetic mean")
    assert score.startswith("mean of AUC and pAUC ")
    assert "±" in score
    assert main([*call, "--year", "2020"]) == 2
    assert "--year: the form of --truth tells the year" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("\nid_03_", "\nsection_03_", r"section_03_00000000\.wav is not a name of 2020: fetch the list again"),
        (",1\n", ",0\n", r"no anomalous clip: a ROC curve needs both classes, fetch the ground truth again"),
    ],
)
def test_a_list_of_2020_with_other_names_or_one_class_is_refused(of_2020, old, new, problem):
    path = of_2020 / "truth/eval_data_list.csv"
    text = path.read_text().replace(old, new)
    path.write_text(text if "section" in new else text.replace("anomaly_", "normal_"))
    with pytest.raises(AsdError, match=problem) as caught:
        figures(of_2020)
    assert str(caught.value).startswith(str(path))


def drop_last(path):
    path.write_text("".join(lines(path)[:-1]))


SOURCE_2021 = "truth/ground_truth_data/ground_truth_fan_section_00_source_test.csv"
BROKEN_2021 = {
    "a domain is missing": (
        lambda case: (case / SOURCE_2021).unlink(),
        r"fan_section_00_target_test.csv: the file of the source domain is missing: fetch",
    ),
    "a file of another year": (
        lambda case: (case / SOURCE_2021.replace("_source", "")).write_text("a.wav,1\n"),
        r"fan_section_00_test.csv: names no domain, other files do: keep the files of one year",
    ),
    "a clip in both domains": (
        lambda case: (case / SOURCE_2021.replace("source", "target")).write_text("".join(lines(case / SOURCE_2021))),
        r"target_test.csv: section_00_0000.wav is in both domains: fetch",
    ),
    "no anomaly": (
        lambda case: (case / SOURCE_2021).write_text((case / SOURCE_2021).read_text().replace(",1", ",0")),
        r"source_test.csv: no anomalous clip: a ROC curve needs both classes",
    ),
    "scores of one domain": (
        lambda case: (case / "submission/anomaly_score_fan_section_00_target_test.csv").unlink(),
        r"anomaly_score_fan_section_00_target_test.csv: no such file: give scores and decisions",
    ),
    "a source clip without score": (
        lambda case: drop_last(case / "submission/anomaly_score_fan_section_00_source_test.csv"),
        r"score_fan_section_00_source_test.csv: section_\S+ is missing: .* each clip of \S+_source_test.csv$",
    ),
    "a target clip without decision": (
        lambda case: drop_last(case / "submission/decision_result_fan_section_00_target_test.csv"),
        r"result_fan_section_00_target_test.csv: section_\S+ is missing: .* each clip of \S+_target_test.csv$",
    ),
    "a clip in the file of the other domain": (
        lambda case: (case / "submission/anomaly_score_fan_section_00_target_test.csv").write_text(
            "".join(lines(case / "submission/anomaly_score_fan_section_00_target_test.csv"))
            + lines(case / "submission/anomaly_score_fan_section_00_source_test.csv")[0]
        ),
        r"score_fan_section_00_target_test.csv: section_\S+ is not a clip of \S+_target_test.csv: remove the row$",
    ),
    "scores in two forms": (
        lambda case: (case / "submission/anomaly_score_fan_section_00_test.csv").write_text("a.wav,1\n"),
        r"anomaly_score_fan_section_00_test.csv: .*source_test.csv holds the same machine and section: keep one",
    ),
}


@pytest.mark.parametrize(("spoil", "problem"), BROKEN_2021.values(), ids=BROKEN_2021)
def test_broken_files_of_2021_are_refused(of_2021, spoil, problem):
    spoil(of_2021)
    with pytest.raises(AsdError, match=problem):
        figures(of_2021)
