"""Checks of the folder of a submitted system, each on a folder with one error."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from asdlib.errors import AsdError
from asdlib.evaluation.evaluator import of_labelled_clips, summarise
from asdlib.evaluation.figures import OF_2020
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.submission.check import check_figures, check_files, check_scores, fully_labelled

NAMES = [f"section_00_{number:04d}.wav" for number in range(8)]
LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
SCORES = [0.1, 0.6, 0.2, 0.4, 0.3, 0.8, 0.9, 0.7]
DOMAINS = ["source", "target"] * 4
TEST_CLIPS = {("fan", "00"): dict(zip(NAMES, zip(LABELS, DOMAINS, strict=True), strict=True))}
ANONYMOUS = {section: dict.fromkeys(clips, (None, None)) for section, clips in TEST_CLIPS.items()}
# by hand: only 0.3 is below normal clips, the two of the target domain; up to a false positive rate of 0.1, three of
# four anomalies are found: 0.5 (1 + (0.075 - 0.005) / 0.095)
ROW = {"machine": "fan", "section": "00", "auc_source": "100.0", "auc_target": "75.0", "pauc": "86.8421"}
SCORE_FILE, DECISION_FILE = "anomaly_score_fan_section_00_test.csv", "decision_result_fan_section_00_test.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a valid folder of a system for one machine."""
    folder = tmp_path / "Doe_ACME_task2_1"
    folder.mkdir()
    write_scores(folder, "fan", "00", zip(NAMES, SCORES, strict=True))
    write_decisions(folder, "fan", "00", zip(NAMES, LABELS, strict=True))
    (folder / "Doe_ACME_task2_1.meta.yaml").write_text("submission:\n")
    return folder


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


FIRST = "section_00_0000.wav"
WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no decisions": (lambda folder: (folder / DECISION_FILE).unlink(), f"{DECISION_FILE}: no such file"),
    "no scores": (lambda folder: (folder / SCORE_FILE).unlink(), f"{SCORE_FILE}: no such file"),
    "no meta file": (
        lambda folder: (folder / "Doe_ACME_task2_1.meta.yaml").unlink(),
        "meta.yaml: no such file: add it",
    ),
    "another machine": (
        lambda folder: write_scores(folder, "pump", "00", [("section_00_0000.wav", 1.0)]),
        "anomaly_score_pump_section_00_test.csv: does not belong in a submission",
    ),
    "a file in a folder": (
        lambda folder: ((folder / "old").mkdir(), (folder / "old" / "a.csv").touch()),
        "old/a.csv: does not belong",
    ),
    "not a number": (replace(SCORE_FILE, "0.1", "nan"), "has the score nan: give a finite number"),
    "infinite": (replace(SCORE_FILE, "0.1", "inf"), "has the score inf: give a finite number"),
    "a decision of 2": (replace(DECISION_FILE, ",0", ",2"), "has the decision '2'"),
    "another name": (replace(SCORE_FILE, FIRST, "section_00_0009.wav"), f"{SCORE_FILE}: {FIRST} is missing"),
    "a clip too few": (replace(DECISION_FILE, f"{FIRST},0\n", ""), f"{DECISION_FILE}: {FIRST} is missing"),
    "a clip too many": (
        replace(SCORE_FILE, f"{FIRST},0.1\n", f"{FIRST},0.1\nsection_00_0009.wav,1\n"),
        "section_00_0009.wav is not a test clip of this machine and section",
    ),
    "a clip twice": (replace(SCORE_FILE, f"{FIRST},", f"{FIRST},1\n{FIRST},"), "appears twice"),
}


def check(folder: Path) -> None:
    check_scores(folder, ANONYMOUS)
    check_files(folder, ANONYMOUS)


def test_a_good_folder_passes(folder: Path) -> None:
    check(folder)
    assert not fully_labelled(check_scores(folder, ANONYMOUS))


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_folder_is_refused(case: str, folder: Path) -> None:
    change, message = WRONG[case]
    change(folder)
    with pytest.raises(AsdError, match=re.escape(message)):
        check(folder)


def test_figures_are_those_of_the_table(folder: Path) -> None:
    sections = check_scores(folder, TEST_CLIPS)
    assert check_figures(folder, sections, [ROW])
    with pytest.raises(AsdError, match=r"fan section 00: AUC \(target\) is 75.0000, in scores.csv 75.0002"):
        check_figures(folder, sections, [ROW | {"auc_target": "75.0002"}])


def test_figures_without_labels_or_rows_are_not_compared(folder: Path) -> None:
    assert not check_figures(folder, check_scores(folder, ANONYMOUS), [ROW])
    assert not check_figures(folder, check_scores(folder, TEST_CLIPS), [])
    assert not check_figures(folder, check_scores(folder, TEST_CLIPS), [ROW, ROW | {"machine": "pump"}])


def test_names_that_tell_the_label_are_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = "section_00_source_test_anomaly_0000.wav"
    write_scores(tmp_path, "fan", "00", [(name, 1.0)])
    write_decisions(tmp_path, "fan", "00", [(name, 1)])
    check_scores(tmp_path, {("fan", "00"): {name: (1, "source")}})
    assert f"{name} is not named like the clips of an evaluation set" in caplog.text


def test_the_clips_of_2020_need_no_domains(folder: Path) -> None:
    clips = {section: {name: (clip[0], None) for name, clip in own.items()} for section, own in TEST_CLIPS.items()}
    sections = check_scores(folder, clips)
    assert not fully_labelled(sections)
    definition, known = of_labelled_clips(sections, OF_2020)
    assert definition == OF_2020
    values = summarise(known, definition)["machines"]["fan"]["sections"]["00"]
    assert values == {"AUC": pytest.approx(0.875), "pAUC": pytest.approx(0.868421, abs=1e-6)}  # 14 of 16 pairs
