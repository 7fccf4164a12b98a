"""Too few clips for a training: what its steps and all that build on them write and say, and what stays an error."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.audio_tables import RATE, audio_table, noise_clips
from helpers.condition_clips import BANDS, condition_clips

from asdlib.augmentations import AUGMENTATIONS
from asdlib.backends.embeddings import read_embeddings
from asdlib.data.refused_tables import refusable
from asdlib.data.tables import ClipTable, writing
from asdlib.errors import AsdError, TooFewClipsError
from asdlib.planning.clip_counts import in_table
from asdlib.report.curves import read_history
from asdlib.scoring.settings import BranchSettings, Decision, ScoreSettings
from asdlib.scoring.training_scores import read_refusal
from asdlib.steps.augment import augment
from asdlib.steps.embed import embed
from asdlib.steps.extract_features import extract_features
from asdlib.steps.score import score
from asdlib.steps.separate import separate
from asdlib.steps.train_model import train_model
from asdlib.steps.train_separator import train_separator
from asdlib.weights import checkpoints
from asdlib.weights.parameter_counts import count_parameters

PAIRS = {"segment": 0.2, "per_epoch": 4, "validation_mixtures": 2}
SEPARATOR = {
    "name": "sep", "kind": "conv_tasnet", "seed": 1, "pairs": PAIRS,
    "training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.01},
}  # fmt: skip
MODEL = {
    "name": "toy", "kind": "dense_autoencoder", "seed": 3, "scope": "machine", "bands": BANDS, "hidden": 8,
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.002},
}  # fmt: skip
TOLD = "training: 1 examples are too few to learn from: add training clips"
FEW = f"toy: {TOLD}"
PAIRS_FEW = "sep: pairs: 1 machine recording(s), but at least 2 are needed (one is held out): add some"


def features(
    path: Path, clips: int, machine: str = "fan", frames: int = 5, sections: tuple[str, ...] = ("00",)
) -> Path:
    """Write training and test clips of sections; a clip of five frames is a single example."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = condition_clips({(machine, "1", "source"): clips})
    with writing(
        path, {}, {"dataset": "toy", "machine": machine, "view_kind": "raw"}, features=("float32", (frames, BANDS))
    ) as table:
        for kind in ("train", "test"):
            for section in sections:
                rows = made.table
                names = [f"fan/{kind}/section_{section}_{number}.wav" for number in range(clips)]
                columns = {"section": [section] * clips, "kind": [kind] * clips, "source_file": names}
                columns["frames"] = pa.array([frames] * clips, pa.int32())
                for name, column in columns.items():
                    rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(column))
                table.write(rows, features=made.features.numpy()[:, :frames])
    return path


def train(tables: list[Path], out: Path, init: tuple[Path, ...] = (), section: str | None = None, **settings) -> Path:
    whole = {**MODEL, **settings}
    where = out, out.with_suffix(".csv")
    train_model(tables, list(init), [], [], *where, whole, "code", "cpu", 0, 1, None, str(out.parent), section)
    return out


def refused_table(path: Path, why: str = FEW) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with refusable(path):
        raise TooFewClipsError(why)
    return path


def refused_model(folder: Path) -> Path:
    return train([features(folder / "toy" / "one.parquet", 1)], folder / "refused.safetensors")


def separator_of(folder: Path, level: int = 9000) -> Path:
    clips = {"train": noise_clips(2, 900, 1), "clean": noise_clips(1, level, 2), "noise": noise_clips(3, 900, 3)}
    audio_table(folder / "fan.parquet", clips)
    out = folder / "sep.safetensors"
    train_separator(folder / "fan.parquet", [], out, folder / "metrics.csv", SEPARATOR, "code", "cpu", 0, 1, None)
    return out


def test_a_refused_training_leaves_a_file_that_every_reader_takes_for_a_refusal(tmp_path: Path, caplog) -> None:
    models = {FEW: refused_model(tmp_path), PAIRS_FEW: separator_of(tmp_path)}
    assert [one.split(": not trained: ")[1] for one in caplog.messages if "not trained" in one] == [
        TOLD, PAIRS_FEW.removeprefix("sep: ")
    ]  # fmt: skip
    for why, path in models.items():
        for read in (checkpoints.load, count_parameters):
            with pytest.raises(TooFewClipsError, match=f"^{why.replace('(', '.').replace(')', '.')}$"):
                read(path)
    assert read_history(tmp_path / "refused.csv") is None
    table = refused_table(tmp_path / "table.parquet")
    with pytest.raises(TooFewClipsError, match=FEW):
        ClipTable(table)
    assert not in_table(table)
    for path in (*models.values(), table):  # a damaged refusal is no refusal
        content = path.read_bytes()
        path.write_bytes(content.replace(b"few", b"fee").replace(b"at least", b"at laest"))
        with pytest.raises(AsdError, match=r"damaged|match its digest") as error:
            (ClipTable if path is table else checkpoints.load)(path)
        assert not isinstance(error.value, TooFewClipsError)


class Copies:
    """An augmentation that repeats separated clips."""

    def __init__(self, seed: int):
        pass

    def augment(self, raw: ClipTable, separated: ClipTable, noise: list[ClipTable]) -> Iterator:
        yield from separated.batches("audio", "train")


def separating(folder: Path, out: Path) -> str:
    separate(folder / "fan.parquet", separator_of(folder), out, "cpu", 0, 1)
    return PAIRS_FEW


def augmenting(folder: Path, out: Path) -> str:
    audio_table(folder / "raw.parquet", {"train": noise_clips(2, 900, 1)})
    augment(folder / "raw.parquet", [refused_table(folder / "s.parquet")], [], out, {"kind": "copies", "seed": 1})
    return FEW


def extracting(folder: Path, out: Path) -> str:
    frontend = {"name": "mel", "kind": "log_mel", "sample_rate": RATE}
    extract_features(refused_table(folder / "s.parquet"), out, frontend)
    return FEW


def training(folder: Path, out: Path) -> str:
    train([features(folder / "toy" / "fan.parquet", 4), refused_table(folder / "b" / "toy" / "fan.parquet")], out)
    return f"toy: {FEW}"


def going_on_training(folder: Path, out: Path) -> str:
    train([features(folder / "toy" / "fan.parquet", 4)], out, init=(refused_model(folder),))
    return f"toy: {FEW}"


def embedding(folder: Path, out: Path) -> str:
    embed(features(folder / "toy" / "fan.parquet", 4), refused_model(folder), out, "cpu", 0, 1)
    return FEW


def embedding_what_is_not_there(folder: Path, out: Path) -> str:
    model = train([features(folder / "toy" / "fan.parquet", 4, frames=24)], folder / "model.safetensors")
    embed(refused_table(folder / "b" / "toy" / "fan.parquet"), model, out, "cpu", 0, 1)
    return FEW


STEPS = [separating, augmenting, extracting, training, going_on_training, embedding, embedding_what_is_not_there]


@pytest.mark.parametrize("step", STEPS)
def test_every_step_passes_a_refusal_on(tmp_path: Path, monkeypatch, step: Callable[[Path, Path], str]) -> None:
    monkeypatch.setitem(AUGMENTATIONS, "copies", Copies)
    trains = "training" in step.__name__
    out = tmp_path / ("out.safetensors" if trains else "out.parquet")
    why = step(tmp_path, out)
    with pytest.raises(TooFewClipsError) as error:
        (checkpoints.load if trains else ClipTable)(out)
    assert str(error.value) == why


def scored(embeddings: Path, folder: Path, section: str = "00") -> str | None:
    """Score a section; return why that was refused."""
    branches = [BranchSettings({"kind": "smallest_distance", "name": "m", "representation": "mse", "quantile": 0.9}, 1)]
    settings = ScoreSettings(branches, "mean", Decision("fitted", 0.9), section)
    score([embeddings], "fan", folder, settings)
    return read_refusal(folder / f"training_score_fan_section_{section}_train.json")


def test_a_machine_whose_training_is_refused_has_no_scores_and_says_so_until_clips_are_added(tmp_path: Path) -> None:
    """The same files are written again, so that nothing of the refusal remains."""
    for clips, why in ((1, FEW), (4, None)):
        frames = 5 if clips == 1 else 24
        table = features(tmp_path / "toy" / "fan.parquet", clips, frames=frames)
        model = train([table], tmp_path / "model.safetensors")
        embed(table, model, tmp_path / "out.parquet", "cpu", 0, 1)
        assert scored(tmp_path / "out.parquet", tmp_path) == why
        assert bool((tmp_path / "anomaly_score_fan_section_00_test.csv").read_bytes()) == (why is None)


def test_one_section_may_be_refused_alone(tmp_path: Path) -> None:
    both = features(tmp_path / "toy" / "fan.parquet", 4, frames=24, sections=("00", "01"))
    models = {"00": train([both], tmp_path / "00.safetensors", section="00"), "01": refused_model(tmp_path)}
    embed(both, models["00"], tmp_path / "out.parquet", "cpu", 0, 1, models)
    assert scored(tmp_path / "out.parquet", tmp_path, "00") is None
    assert scored(tmp_path / "out.parquet", tmp_path, "01") == FEW
    assert len(read_embeddings(tmp_path / "out.parquet", "test", "00")[0]) == 4


def test_a_joint_training_leaves_such_a_machine_out_with_all_its_views(tmp_path: Path, caplog) -> None:
    fan, pump = (features(tmp_path / "toy" / f"{one}.parquet", 4, one, frames=24) for one in ("fan", "pump"))
    view = refused_table(tmp_path / "view" / "toy" / "fan.parquet", PAIRS_FEW)
    model = train([fan, pump, view], tmp_path / "all.safetensors", scope="all")
    alone = train([pump], tmp_path / "alone.safetensors", scope="all")
    assert f"toy/fan: left out of the joint training: {PAIRS_FEW}" in caplog.messages
    for name, tensor in checkpoints.load(alone).weights.items():
        np.testing.assert_array_equal(tensor, checkpoints.load(model).weights[name])
    for table, why in ((fan, PAIRS_FEW), (pump, None)):
        embed(table, model, tmp_path / "out.parquet", "cpu", 0, 1)
        assert scored(tmp_path / "out.parquet", tmp_path) == why
    later = train([fan], tmp_path / "later.safetensors", init=(model,))
    with pytest.raises(TooFewClipsError, match="pairs: 1 machine recording"):
        checkpoints.load(later)


def test_what_is_not_for_lack_of_clips_stays_an_error(tmp_path: Path) -> None:
    """Such as recordings without sound; no file is left that could pass as a refusal."""
    with pytest.raises(AsdError, match="recordings are quieter than"):
        separator_of(tmp_path, level=1)
    with pytest.raises(TypeError):
        train([features(tmp_path / "toy" / "fan.parquet", 1)], tmp_path / "model.safetensors", hidden="many")
    table = features(tmp_path / "toy" / "fan.parquet", 4)
    table.write_bytes(table.read_bytes()[:-9])
    with pytest.raises(AsdError, match="is not a"):
        train([table], tmp_path / "model.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))
