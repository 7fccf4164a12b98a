"""The package (folders, meta files and a zip file), made from clips without labels as in an evaluation set."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from asdlib.data.made import altered
from asdlib.data.tables import ClipTable, clip_rows, writing
from asdlib.errors import AsdError
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.steps.submission import submission
from asdlib.submission.settings import SubmissionSettings
from asdlib.weights.checkpoints import Checkpoint, save
from asdlib.weights.parameter_counts import count_parameters
from asdlib.workflow.typed_settings import typed

MACHINES = ("ToyPet", "ToyRCCar")
NAMES = [f"section_00_{number:04d}.wav" for number in range(3)]
AUTHORS = [{"lastname": "Doe", "firstname": "J", "email": "j@x.org", "corresponding": True, "affiliation": {}}]
FOLDER, ARCHIVE = Path("results/submission/task2"), Path("results/submission/task2.zip")


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the clips of two machines without labels, their scores by one variant, and a network."""
    monkeypatch.chdir(tmp_path)
    for machine in MACHINES:
        rows = [
            {
                "clip": name[:-4], "section": "00", "domain": None, "split": "test", "label": None, "attributes": {},
                "kind": "test", "samples": 1, "recorded_samples": 1, "frames": None, "source_file": f"test/{name}",
            }
            for name in NAMES
        ]  # fmt: skip
        with writing(Path(f"clips/{machine}.parquet"), {}, audio=("int16", (1,))) as table:
            table.write(clip_rows(rows), audio=np.zeros((len(rows), 1), np.int16))
        write_scores(Path("scored"), machine, "00", [(name, 0.5) for name in NAMES])
        write_decisions(Path("scored"), machine, "00", [(name, 1) for name in NAMES])
    weights = {"layer.weight": torch.zeros(3, 4), "seen": torch.zeros(1, dtype=torch.int64)}
    save(Path("net.safetensors"), Checkpoint({}, weights, {"scores": torch.zeros(100)}))
    save(Path("separator.safetensors"), Checkpoint({}, {"weight": torch.zeros(5)}, {}))


def settings(**changed: Any) -> SubmissionSettings:
    entry = {
        "label": "Doe_ACME_task2_1",
        "scores": "scored",
        "title": "A system",
        "branches": 2,
        "networks": {"ToyPet": ["separator.safetensors", "net.safetensors"], "ToyRCCar": ["net.safetensors"]},
        "meta": {"abbreviation": "A"},
        "figures": [],
        "evaluated": [],
    }
    plain = {
        "label": "Doe_ACME_task2",
        "authors": AUTHORS,
        "clips": [f"clips/{machine}.parquet" for machine in MACHINES],
        "declared_clips": None,
        "sample_rate": 16000,
        "report": None,
        "development": {"dataset": "dev", "machines": ["fan"]},
        "systems": [entry],
        **changed,
    }
    return typed(SubmissionSettings, plain)


def test_the_package_has_the_challenges_layout(caplog: pytest.LogCaptureFixture) -> None:
    Path("mine.pdf").write_bytes(b"%PDF")
    submission(FOLDER, ARCHIVE, settings(report="mine.pdf", declared_clips=200))
    system = "task2/Doe_ACME_task2_1"
    files = {f"{system}/{kind}_{machine}_section_00_test.csv" for machine in MACHINES
             for kind in ("anomaly_score", "decision_result")}  # fmt: skip
    files |= {f"{system}/Doe_ACME_task2_1.meta.yaml", "task2/Doe_ACME_task2.technical_report.pdf"}
    with zipfile.ZipFile(ARCHIVE) as package:
        assert set(package.namelist()) == files
        assert package.namelist() == sorted(package.namelist()), "whatever the order of the file system"
        for name in files:
            assert package.read(name) == (FOLDER.parent / name).read_bytes()
            assert package.getinfo(name).external_attr >> 16 == 0o644, "who unpacks it may read it"
    meta = yaml.safe_load((FOLDER.parent / system / "Doe_ACME_task2_1.meta.yaml").read_text())
    assert meta["submission"]["name"] == "A system"
    assert meta["system"]["complexity"]["total_parameters"] == 12 + 5, "those that one clip passes"
    described = meta["system"]["description"]
    assert (described["ensemble_method_subsystem_count"], described["decision_making"]) == (2, "average")
    assert described["input_sampling_rate"] == "16kHz"
    for said in (
        "to be filled in: data_augmentation",
        "no figures of dev",
        "200 were published",
    ):
        assert said in caplog.text
    assert "no technical report" not in caplog.text
    assert (altered(FOLDER), altered(ARCHIVE)) == (None, None), "a later run knows that they are not the user's"


@pytest.mark.parametrize("kind", ["anomaly_score", "decision_result"])
def test_a_file_whose_last_line_is_cut_off_leaves_nothing(kind: str) -> None:
    """What is left of a score is another score."""
    path = Path(f"scored/{kind}_ToyPet_section_00_test.csv")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AsdError, match=rf"^{path}: is damaged \(its last line is cut off\)"):
        submission(FOLDER, ARCHIVE, settings())
    assert not list(FOLDER.parent.iterdir())


def test_what_is_missing_is_said_and_what_is_as_published_is_not(caplog: pytest.LogCaptureFixture) -> None:
    submission(FOLDER, ARCHIVE, settings(declared_clips=len(NAMES)))
    assert "no technical report: the challenge requires one: set submission.report" in caplog.text
    assert "published" not in caplog.text


def test_the_same_content_gives_the_same_bytes() -> None:
    submission(FOLDER, ARCHIVE, settings())
    first = ARCHIVE.read_bytes()
    for path in Path("scored").iterdir():
        path.touch()
    submission(FOLDER, ARCHIVE, settings())
    assert ARCHIVE.read_bytes() == first


def test_a_missing_machine_leaves_nothing() -> None:
    Path("scored/anomaly_score_ToyRCCar_section_00_test.csv").unlink()
    with pytest.raises(AsdError, match=r"^scored/anomaly_score_ToyRCCar_section_00_test\.csv: no such file"):
        submission(FOLDER, ARCHIVE, settings())
    assert not list(FOLDER.parent.iterdir())


def test_other_clips_than_the_dataset_s_leave_nothing() -> None:
    write_scores(Path("scored"), "ToyPet", "00", [(name, 0.5) for name in NAMES[:-1]])
    with pytest.raises(AsdError, match=r"^scored/anomaly_score_ToyPet.*: section_00_0002\.wav is missing"):
        submission(FOLDER, ARCHIVE, settings())
    assert not list(FOLDER.parent.iterdir())


def test_pieces_of_recordings_are_no_clips_of_the_challenge() -> None:
    clips = ClipTable(Path("clips/ToyPet.parquet")).clips().to_pylist()
    rows = [row | {"attributes": {}} for row in clips]
    rows[1]["source_file"] = "test/section_00_0001@00010.000.wav"
    for longer in ("split", "cut"):
        with writing(Path("clips/ToyPet.parquet"), {"longer": longer}, audio=("int16", (1,))) as table:
            table.write(clip_rows(rows), audio=np.zeros((len(rows), 1), np.int16))
        said = r"00_0001@00010\.000\.wav is a piece of a recording, .* scores whole ones: set prepare\.longer: cut, or"
        other = r"scored/.*ToyPet.*: section_00_0001@00010\.000\.wav is missing"
        with pytest.raises(AsdError, match=said if longer == "split" else other):
            submission(FOLDER, ARCHIVE, settings())
    assert not FOLDER.parent.exists() or not list(FOLDER.parent.iterdir())


@pytest.mark.parametrize("content", [b"", b"no", b"\xff" * 20, b"\x02" + bytes(7) + b"[]"])
def test_a_damaged_network_is_refused(content: bytes) -> None:
    Path("net.safetensors").write_bytes(content)
    with pytest.raises(AsdError, match=r"^net\.safetensors: is not a whole safetensors file"):
        count_parameters(Path("net.safetensors"))


def test_what_a_user_adds_or_changes_in_the_package_is_not_replaced() -> None:
    submission(FOLDER, ARCHIVE, settings())
    submission(FOLDER, ARCHIVE, settings(declared_clips=3))
    meta = FOLDER / "Doe_ACME_task2_1" / "Doe_ACME_task2_1.meta.yaml"
    made, packed = meta.read_text(), ARCHIVE.read_bytes()
    other = settings(report="net.safetensors")  # a package with one file more
    for path, text in ((FOLDER / "notes.txt", "mine"), (meta, "filled in by hand"), (ARCHIVE, "packed by hand")):
        path.write_text(text)
        with pytest.raises(AsdError, match=rf"^{path}: was added or changed by hand .*: move it away, then run again$"):
            submission(FOLDER, ARCHIVE, other)
        assert path.read_text() == text
        assert path == ARCHIVE or ARCHIVE.read_bytes() == packed
        path.unlink()
    meta.write_text(made)  # the same content at another time
    submission(FOLDER, ARCHIVE, settings())
