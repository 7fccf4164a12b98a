"""The exact bytes of the tables that `tabulate` writes."""

from pathlib import Path

import numpy as np
import pytest

from asdlib.data.tables import clip_rows, writing
from asdlib.evaluation.tables import TableSettings
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.scoring.training_scores import TrainingScores, training_scores_path, write_training_scores
from asdlib.steps.tabulate import tabulate
from asdlib.workflow.typed_settings import typed

GOLDEN = Path(__file__).parents[1] / "golden" / "tabulate"
REPORTED = """\
variant,dataset,machine,auc_source,auc_target,pauc,hmean,note
mse,toy,fan,70.96,50,49.46123,,"read from a figure, by eye"
"""


def put_machine(
    dataset: str, machine: str, clips: list[tuple[str, str | None, str | None, dict]], longer: str = "cut"
) -> None:
    """Write a machine's prepared clips: one training clip, and test clips of (name, domain, label, attributes)."""
    made, recipe = Path(f"results/audio/raw/{dataset}/{machine}.parquet"), {"longer": longer}
    kinds = [("train", ("one", "source", "normal", {})), *(("test", clip) for clip in clips)]
    with writing(made, recipe, audio=("int16", (1,))) as table:
        for kind, (name, domain, label, attributes) in kinds:
            row = {
                "clip": name, "section": "00", "domain": domain, "split": kind, "label": label, "kind": kind,
                "attributes": attributes, "samples": 1, "recorded_samples": 1, "frames": None,
                "source_file": f"{machine}/{kind}/{name}.wav",
            }  # fmt: skip
            table.write(clip_rows([row]), audio=np.zeros((1, 1), np.int16))


def put_scores(seed: int, dataset: str, machine: str, scores: dict[str, float]) -> None:
    folder = Path(f"results/baseline/mse/{dataset}/seed_{seed}")
    write_scores(folder, machine, "00", scores.items())
    write_decisions(folder, machine, "00", [(name, score > 1) for name, score in scores.items()])
    write_training_scores(training_scores_path(folder, machine, "00"), TrainingScores(1.0, 0.9, [], [], []))


def test_the_tables_are_written_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables keep the same bytes when the code that computes them changes."""
    monkeypatch.chdir(tmp_path)
    put_machine("toy", "fan", [
        ("b", "target", "normal", {}), ("a", "source", "normal", {"spd": "3", "mic": "1"}),
        ("d", "source", "anomaly", {"note": 'a "b", c'}), ("c", "source", "anomaly", {}), ("e", "source", "normal", {}),
    ])  # fmt: skip
    put_machine("own", "pump", [("x", None, None, {})])
    for seed, raised in ((1, 1e-07), (20, 3.0)):
        fan = {"a.wav": raised, "b.wav": 0.1 + 0.2, "c.wav": 2e16, "d.wav": 1.5, "e.wav": 1.75}
        put_scores(seed, "toy", "fan", fan)
        put_scores(seed, "own", "pump", {"x.wav": -4.0})
    Path("baseline.csv").write_text(REPORTED)
    folders = {seed: {name: f"results/baseline/mse/{name}/seed_{seed}" for name in ("toy", "own")} for seed in (1, 20)}
    settings = {
        "system": "baseline",
        "variants": [{"variant": "mse", "seed": s, "recipe": f"ae-{s}, x", "folders": folders[s]} for s in folders],
        "sections": [{"dataset": d, "machine": m, "section": "00"} for d, m in (("toy", "fan"), ("own", "pump"))],
        "years": {"toy": 2025, "own": None},
    }
    tables = [Path(name) for name in ("scores.csv", "clips.csv", "files.csv")]
    tabulate([Path("baseline.csv")], *tables, typed(TableSettings, settings))
    for name in map(str, tables):
        assert Path(name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("longer", ["split", "cut"])
def test_split_recordings_have_the_mean_and_the_maximum_of_their_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, longer: str
) -> None:
    """A recording that was not split may have any name."""
    monkeypatch.chdir(tmp_path)
    known = ("source", "anomaly", {"speed": "3"})
    offsets = ("a@00000.000", "a@00010.000", "a@00015.500")
    put_machine("toy", "fan", [(name, *known) for name in offsets] + [("b", None, None, {})], longer)
    put_scores(1, "toy", "fan", {"a@00000.000.wav": 0.5, "a@00010.000.wav": 2.25, "a@00015.500.wav": 0.25, "b.wav": 3})
    settings = {
        "system": "baseline",
        "variants": [
            {"variant": "mse", "seed": 1, "recipe": "ae", "folders": {"toy": "results/baseline/mse/toy/seed_1"}}
        ],
        "sections": [{"dataset": "toy", "machine": "fan", "section": "00"}],
        "years": {"toy": None},
    }
    tabulate([], Path("scores.csv"), Path("clips.csv"), Path("files.csv"), typed(TableSettings, settings))
    head, *rows = Path("files.csv").read_text().splitlines()
    assert head == (
        "system,variant,dataset,machine,section,seed,file,clips,domain,label,attributes,anomaly_score,max_score,decision"
    )
    start = "baseline,mse,toy,fan,00,1,"
    whole = [f"{start}a.wav,3,source,anomaly,speed=3,1.0,2.25,0"]
    each = zip(offsets, ("0.5", "2.25", "0.25"), (0, 1, 0), strict=True)
    cut = [f"{start}{name}.wav,1,source,anomaly,speed=3,{score},{score},{found}" for name, score, found in each]
    assert rows == [*(whole if longer == "split" else cut), f"{start}b.wav,1,,,,3.0,3.0,1"]
