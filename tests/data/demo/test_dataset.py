"""Tests of the demo dataset: layout, reproducibility, and measurable domain shifts and faults."""

import csv
import dataclasses
import re
from collections import Counter
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal
from sklearn.metrics import roc_auc_score

from asdlib.data.demo.dataset import MACHINES, DemoSettings, plan, render, synthesise
from asdlib.data.demo.machines import MACHINES as TABLE
from asdlib.data.demo.room import BACKGROUNDS, record
from asdlib.data.demo.signal import Run
from asdlib.errors import AsdError
from asdlib.workflow.yaml_files import read_yaml

SMALL = DemoSettings(train_source=3, train_target=2, test_per_cell=2, supplements=2, seconds=1.0)
LISTEN = DemoSettings(train_source=24, train_target=2, test_per_cell=12, supplements=0, seconds=2.0)
FEW = DemoSettings(train_source=1, train_target=1, test_per_cell=4, supplements=1, seconds=2.5, odd_lengths=0.3)
ATTRIBUTELESS = {"bearing", "slider", "ToyTrain"}  # as in the development set of 2025
CLEAN = {"ToyCar", "bearing", "gearbox", "valve"}
PATH_STYLE = {"fan", "gearbox", "slider", "valve"}

each_machine = pytest.mark.parametrize("machine", MACHINES)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for machine in MACHINES:
        synthesise(machine, folder / machine, SMALL)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_machines_are_those_of_the_development_set():
    assert set(MACHINES) == {"ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve"}


def test_the_short_demo_has_clean_sound_noise_and_a_machine_without_attributes():
    config = read_yaml(Path(__file__).parents[3] / "config" / "demo.yaml")
    chosen = [TABLE[machine] for machine in config["datasets"]["demo"]["machines"]]
    assert [(machine.supplement, machine.attributes) for machine in chosen] == [
        ("machine", False),
        ("noise", True),
        ("machine", True),
    ]


def test_in_the_short_demo_another_machine_is_heard_in_the_target_domain_alone():
    config = read_yaml(Path(__file__).parents[3] / "config" / "demo.yaml")
    for name in config["datasets"]["demo"]["machines"]:
        usual, other = (
            {condition.background for condition in part} for part in (TABLE[name].source, TABLE[name].target)
        )
        assert (usual, other) == ({"ventilation", "mains"}, {"neighbour"}), name


@each_machine
def test_the_shift_is_that_of_the_target_domain_alone(demo: Path, tmp_path: Path, machine: str):
    """Without it, speed and load are the usual ones, and background and microphone those of the target domain."""
    synthesise(machine, tmp_path / machine, dataclasses.replace(SMALL, shift=0.0))
    shifted, usual = contents(demo / machine), contents(tmp_path / machine)
    differ = {name for name in shifted if shifted[name] != usual[name]}
    assert differ == {name for name in shifted if "_target_" in name}


@pytest.mark.parametrize(("shift", "speed"), [(0.0, 1.0), (0.25, 1.1), (1.0, 1.4)])
def test_the_shift_is_a_share_of_the_way_from_the_usual_speed(monkeypatch, shift: float, speed: float):
    runs = []
    still = dataclasses.replace(TABLE["fan"], sound=lambda run: runs.append(run) or np.ones(run.samples))
    monkeypatch.setitem(TABLE, "fan", still)
    settings = DemoSettings(seconds=0.5, shift=shift, train_source=1, train_target=100, test_per_cell=0, supplements=0)
    clips = [clip for clip in plan("fan", settings) if clip.condition.attributes["spd"] == "5"]
    for clip in clips:
        render("fan", clip, settings)
    assert np.mean([run.speed for run in runs]) == pytest.approx(speed, rel=0.01)


@each_machine
def test_layout_names_and_counts(demo: Path, machine: str):
    names = {split: [path.stem for path in (demo / machine / split).iterdir()] for split in ("train", "test")}
    form = re.compile(r"section_00_(source|target)_(train|test)_(normal|anomaly)_(\d{4})_(.+)")
    cells = [form.fullmatch(name).groups() for split in names for name in names[split]]
    counts = {cell: sum(other[:3] == cell for other in cells) for cell in {other[:3] for other in cells}}
    assert counts == {
        ("source", "train", "normal"): 3,
        ("target", "train", "normal"): 2,
        **{(domain, "test", label): 2 for domain in ("source", "target") for label in ("normal", "anomaly")},
    }
    assert {cell[3] for cell in cells if cell[:2] == ("source", "train")} == {"0000", "0001", "0002"}
    assert {cell[4] == "noAttribute" for cell in cells} == {machine in ATTRIBUTELESS}
    assert {path.name for path in (demo / machine).iterdir()} == {
        "train",
        "test",
        "supplemental",
        "attributes_00.csv",
    }


@each_machine
def test_supplements_tell_their_kind_in_the_third_place(demo: Path, machine: str):
    names = sorted(path.stem for path in (demo / machine / "supplemental").iterdir())
    assert [name.split("_")[:4] for name in names] == [
        ["section", "00", "machine" if machine in CLEAN else "noise", number] for number in ("0001", "0002")
    ]


def test_noise_clips_have_each_background_of_the_hall_equally_often():
    settings = DemoSettings(supplements=20)
    noise = [clip.condition.background for clip in plan("fan", settings) if clip.kind == "noise"]
    assert Counter(noise) == dict.fromkeys(BACKGROUNDS, 5)


@pytest.mark.parametrize(("name", "least"), [("mains", 0.8), ("neighbour", 0.8), ("workshop", 0.5)])
def test_a_background_stands_out_of_its_noise_so_that_it_can_be_told_from_a_machine(name: str, least: float):
    """A twentieth of the frequencies of tones, or of the moments of strokes, has most of the energy."""
    shares = []
    for number in range(20):
        wave = BACKGROUNDS[name](Run(64000, 16000, 0, f"clip {number}"))
        power = wave**2 if name == "workshop" else np.abs(np.fft.rfft(wave)) ** 2
        shares.append(np.sort(power)[-power.size // 20 :].sum() / power.sum())
    assert np.median(shares) > least


@each_machine
def test_attributes_csv_styles(demo: Path, machine: str):
    with (demo / machine / "attributes_00.csv").open() as handle:
        header, *rows = list(csv.reader(handle))
    written = sorted(path for split in ("train", "test") for path in (demo / machine / split).iterdir())
    assert header[0] == "file_name"
    assert (len(header) == 1) == (machine in ATTRIBUTELESS)
    assert {len(row) for row in rows} == {len(header)}
    if machine in PATH_STYLE:
        assert [row[0] for row in rows] == [str(path.relative_to(demo)) for path in written]
    else:
        assert [row[0] for row in rows] == [path.stem for path in written]
    if machine not in ATTRIBUTELESS:
        assert all(row[0].removesuffix(".wav").endswith("_" + "_".join(row[1:])) for row in rows)


@each_machine
def test_audio_is_16_bit_mono_neither_silent_nor_clipped(demo: Path, machine: str):
    for path in (demo / machine).rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        samples, _ = soundfile.read(path, dtype="int16")
        assert 20 < np.abs(samples.astype(int)).max() <= 29491
        assert np.mean(samples == 0) < 0.5


@each_machine
def test_same_settings_same_bytes_and_a_larger_set_holds_the_smaller(demo: Path, tmp_path: Path, machine: str):
    larger = dataclasses.replace(SMALL, train_source=5, test_per_cell=3, supplements=3)
    synthesise(machine, tmp_path / machine, larger)
    small, large = contents(demo / machine), contents(tmp_path / machine)
    assert len(large) > len(small)
    small.pop("attributes_00.csv")
    assert {name: large[name] for name in small} == small


def test_second_run_replaces_the_folder_with_the_same_bytes(demo: Path, tmp_path: Path):
    (tmp_path / "fan").mkdir()
    (tmp_path / "fan" / "left over").write_text("from a run before")
    synthesise("fan", tmp_path / "fan", SMALL)
    assert contents(tmp_path / "fan") == contents(demo / "fan")
    assert [path.name for path in tmp_path.iterdir()] == ["fan"]


def test_another_seed_gives_other_clips(demo: Path, tmp_path: Path):
    synthesise("valve", tmp_path / "valve", dataclasses.replace(SMALL, seed=1))
    ours, theirs = contents(tmp_path / "valve"), contents(demo / "valve")
    assert ours.keys() == theirs.keys()
    assert all(ours[name] != theirs[name] for name in ours if name.endswith(".wav"))


@pytest.mark.parametrize(("share", "expected"), [(0.0, (0, 0)), (0.3, (20, 60)), (1.0, (115, 124))])
def test_odd_lengths_between_0_6_and_1_2(share: float, expected: tuple[int, int]):
    settings = DemoSettings(train_source=100, test_per_cell=3, seconds=0.5, odd_lengths=share)
    lengths = [render("bearing", clip, settings).size for clip in plan("bearing", settings)]
    odd = [length for length in lengths if length != 8000]
    assert expected[0] <= len(odd) <= expected[1]
    assert all(0.6 * 8000 <= length <= 1.2 * 8000 for length in odd)


def levels(wave: np.ndarray) -> list[float]:
    """Return the levels of the four quarters of a clip, in dB below full scale."""
    return [20 * np.log10(np.sqrt(np.mean(quarter**2))) for quarter in np.array_split(wave, 4)]


@each_machine
def test_the_sounds_are_those_that_every_figure_of_the_demo_was_measured_with(machine: str):
    """levels.csv has the samples and levels of these clips: to change a sound is to measure those figures again."""
    with Path(__file__).with_name("levels.csv").open(newline="", encoding="utf-8") as handle:
        known = {clip: list(map(float, numbers)) for other, clip, *numbers in csv.reader(handle) if other == machine}
    made = {clip.name: render(machine, clip, FEW) for clip in plan(machine, FEW)}
    found = {clip: [wave.size, *levels(wave)] for clip, wave in made.items()}
    assert found == {clip: pytest.approx(numbers, rel=0, abs=0.0002) for clip, numbers in known.items()}


@each_machine
@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_and_very_short_clips(machine: str, rate: int):
    settings = DemoSettings(
        train_source=1, train_target=1, test_per_cell=4, supplements=1, seconds=0.5, sample_rate=rate
    )
    for clip in plan(machine, settings):
        wave = render(machine, clip, settings)
        assert np.isfinite(wave).all()
        assert 0.0005 < np.abs(wave).max() <= 0.9


def test_a_sound_louder_than_the_recording_holds_is_scaled_down():
    loud = 1000.0 * np.sin(np.arange(8000))
    wave = record(Run(8000, 16000, 0, "clip"), loud, None, "fan 1", 0.0)
    assert np.abs(wave).max() == pytest.approx(0.9)
    assert abs(np.corrcoef(wave, loud)[0, 1]) > 0.95, "not clipped"


def test_each_fault_is_met_in_each_condition():
    conditions = [*TABLE["fan"].source, *TABLE["fan"].target]
    faulty = [clip for clip in plan("fan", DemoSettings(test_per_cell=12)) if clip.fault]
    met = {(clip.fault, conditions.index(clip.condition)) for clip in faulty}
    assert met == set(product(TABLE["fan"].faults, range(len(conditions))))


def test_anomalies_are_spread_over_the_difficulties_of_the_settings():
    settings = DemoSettings(test_per_cell=50, difficulty=(0.5, 0.7))
    hard = sorted(1.0 - clip.strength for clip in plan("fan", settings) if clip.fault)
    assert hard == pytest.approx(np.linspace(0.5, 0.7, 100), abs=0.01)


@each_machine
def test_every_fault_is_heard_and_changes_nothing_else(machine: str):
    settings = dataclasses.replace(LISTEN, seconds=6.0, odd_lengths=0.0)
    healthy = next(clip for clip in plan(machine, settings) if clip.split == "test")
    clean = render(machine, healthy, settings)
    for fault in TABLE[machine].faults:
        faulty = [dataclasses.replace(healthy, fault=fault, strength=strength) for strength in (0.0, 0.1, 0.9)]
        none, weak, strong = (np.std(render(machine, clip, settings) - clean) / np.std(clean) for clip in faulty)
        assert none == 0.0, fault
        assert weak > 0.003, fault
        assert strong > 0.05, fault


@cache
def listened(machine: str) -> tuple[list, np.ndarray]:
    """Return the machine's clips and their features: mean and deviation over time of a 48-band log spectrum."""
    clips = [clip for clip in plan(machine, LISTEN) if clip.split != "supplemental"]
    return clips, np.stack([features(render(machine, clip, LISTEN)) for clip in clips])


def features(wave: np.ndarray) -> np.ndarray:
    power = np.abs(signal.stft(wave, nperseg=1024, noverlap=512)[2]) ** 2
    edges = np.unique(np.geomspace(2, power.shape[0], 49).astype(int))
    levels = 10 * np.log10(np.add.reduceat(power, edges[:-1], axis=0) + 1e-12)
    return np.r_[levels.mean(axis=1), levels.std(axis=1)]


def nearest_neighbour_auc(machine: str, domain: str) -> float:
    """Return the AUC of the distance to the nearest training clip, for the domain's normal and anomalous clips."""
    clips, found = listened(machine)
    training = np.array([clip.split == "train" for clip in clips])
    tested = np.array([clip.split == "test" and clip.domain == domain for clip in clips])
    distances = np.linalg.norm(found[tested][:, None] - found[training][None], axis=-1).min(axis=1)
    return roc_auc_score([bool(clip.fault) for clip, kept in zip(clips, tested, strict=True) if kept], distances)


def test_anomalies_are_neither_obvious_nor_inaudible():
    aucs = np.array(
        [[nearest_neighbour_auc(machine, domain) for domain in ("source", "target")] for machine in MACHINES]
    )
    assert aucs.mean() > 0.58
    assert aucs.max() > 0.75
    assert np.sum(aucs < 0.95) >= 7


@each_machine
def test_domain_shift_is_measurable(machine: str):
    clips, found = listened(machine)
    normal = np.array([not clip.fault for clip in clips])
    target = np.array([clip.domain == "target" for clip in clips])
    source = found[normal & ~target]
    shift = np.abs(found[normal & target].mean(axis=0) - source.mean(axis=0)) / source.std(axis=0)
    assert shift.max() > 2.0


@each_machine
def test_attributes_are_heard(machine: str):
    clips, found = listened(machine)
    kept = np.array([not clip.fault and clip.domain == "source" for clip in clips])
    conditions = np.array(
        [TABLE[machine].source.index(clip.condition) for clip in clips if not clip.fault and clip.domain == "source"]
    )
    values = (found[kept] - found[kept].mean(axis=0)) / found[kept].std(axis=0)
    distances = np.linalg.norm(values[:, None] - values[None], axis=-1) + 1e9 * np.eye(len(values))
    assert np.mean(conditions[distances.argmin(axis=1)] == conditions) > 0.55  # chance: a third


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sead": 1}, "demo.sead: unknown setting"),
        ({"seed": "1"}, "demo.seed: '1' is not a whole number"),
        ({"seed": -1}, "demo.seed: -1"),
        ({"seed": True}, "demo.seed: True is not a whole number"),
        ({"train_source": 0}, "demo.train_source: 0"),
        ({"train_target": 1.5}, "demo.train_target: 1.5 is not a whole number"),
        ({"test_per_cell": None}, "demo.test_per_cell: None"),
        ({"supplements": -1}, "demo.supplements: -1"),
        ({"seconds": "long"}, "demo.seconds: 'long' is not a number"),
        ({"seconds": float("nan")}, "demo.seconds: nan"),
        ({"odd_lengths": 1.5}, "demo.odd_lengths: 1.5"),
        ({"snr_db": [3]}, "demo.snr_db: "),
        ({"seconds": 0.4}, "demo.seconds: 0.4"),
        ({"seconds": 600.5}, "demo.seconds: 600.5"),
        ({"sample_rate": 7999}, "demo.sample_rate: 7999"),
        ({"sample_rate": 192001}, "demo.sample_rate: 192001"),
        ({"snr_db": -40.5}, "demo.snr_db: -40.5"),
        ({"snr_db": 40.5}, "demo.snr_db: 40.5"),
        ({"shift": -0.5}, "demo.shift: -0.5"),
        ({"shift": 1.5}, "demo.shift: 1.5"),
        ({"difficulty": [-0.1, 0.5]}, "demo.difficulty: (-0.1, 0.5)"),
        ({"difficulty": [0.5, 1.1]}, "demo.difficulty: (0.5, 1.1)"),
        ({"difficulty": 0.5}, "demo.difficulty: 0.5 is not two numbers"),
        ({"difficulty": [0.5, "1"]}, "demo.difficulty: [0.5, '1'] is not two numbers"),
        ({"difficulty": [0.1, 0.5, 0.9]}, "demo.difficulty: [0.1, 0.5, 0.9] is not two numbers"),
        ({"difficulty": [0.9, 0.1]}, "demo.difficulty: "),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str):
    with pytest.raises(AsdError) as caught:
        DemoSettings.of(settings)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 0, "train_source": 1, "train_target": 0, "test_per_cell": 0, "supplements": 0, "seconds": 0.5}
        | {"odd_lengths": 0, "sample_rate": 8000, "snr_db": -40, "shift": 0, "difficulty": [0, 0]},
        {"seconds": 600, "odd_lengths": 1, "sample_rate": 192000, "snr_db": 40.0, "shift": 1, "difficulty": [1, 1.0]},
    ],
)
def test_settings_reach_up_to_their_bounds(settings: dict):
    made = dataclasses.asdict(DemoSettings.of(settings))
    assert {key: made[key] for key in settings} == settings | {"difficulty": tuple(settings["difficulty"])}


def test_unknown_machine_is_named(tmp_path: Path):
    with pytest.raises(AsdError, match="'pump': choose from ToyCar"):
        synthesise("pump", tmp_path / "pump", SMALL)
    assert list(tmp_path.iterdir()) == []
