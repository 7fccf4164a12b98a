"""Tests of downloading the ground truth, also with the published tables themselves."""

import csv
import hashlib
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from helpers.hostile_server import Misdeed

from asdlib.data.fetching.ground_truth import fetch_truth
from asdlib.data.fetching.pins import pin, read_pins
from asdlib.data.truth import Truth, load_truth
from asdlib.errors import AsdError
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]
CONFIG = read_yaml(ROOT / "config/datasets.yaml")["datasets"]
SHARED = Path(os.environ.get("ASDLIB_SHARED", ROOT.parent / "shared")) / "reference/ground_truth"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason=f"the published truth files are not in {SHARED}")

RENAME = """\
fan
section_00_0000.wav,section_00_source_test_normal_0003_m-n_X.wav
section_00_0001.wav,section_00_target_test_anomaly_0007_noAttribute.wav
"""
FAN = [
    Truth("section_00_0000.wav", "normal", "source", "m-n_X"),
    Truth("section_00_0001.wav", "anomaly", "target", ""),
]


def clips(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


LIST = {"form": "rename_list", "repository": "who/what", "commit": "c0ffee", "file": "lists/l.csv"}
KEY = "who/what/c0ffee/lists/l.csv"


@pytest.fixture
def options(server, retry, tmp_path):
    server.files["/" + KEY] = RENAME.encode()
    return {
        "cache": tmp_path / "truth",
        "lock_file": tmp_path / "l.json",
        "github": server.base,
        "zenodo": server.base,
        "retry": retry,
    }


@pytest.fixture
def fan(tmp_path):
    return clips(tmp_path / "fan", "test/section_00_0000.wav", "test/section_00_0001.wav")


def test_a_list_is_fetched_once_and_pinned(server, options, fan):
    for _ in range(2):
        fetch_truth({"ground_truth": LIST}, "fan", fan, **options)
    assert load_truth(fan / "ground_truth.csv") == {row.file_name.removesuffix(".wav"): row for row in FAN}
    assert server.ranges("/" + KEY) == [None]
    assert read_pins(options["lock_file"], "truth") == {KEY: {"sha256": hashlib.sha256(RENAME.encode()).hexdigest()}}


@pytest.mark.parametrize("where", ["lock file", "config"])
def test_a_list_that_changed_is_refused(options, fan, where):
    truth = LIST | ({"sha256": "0" * 64} if where == "config" else {})
    if where == "lock file":
        pin(options["lock_file"], "truth", {KEY: {"sha256": "0" * 64}})
    with pytest.raises(AsdError, match=r"l\.csv: checksum is sha256:.*expected sha256:0+"):
        fetch_truth({"ground_truth": truth}, "fan", fan, **options)
    assert not (fan / "ground_truth.csv").exists()


def test_machines_that_want_the_same_list_at_once_wait_for_it(server, options, tmp_path):
    folders = [clips(tmp_path / str(n), "test/section_00_0000.wav", "test/section_00_0001.wav") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda folder: fetch_truth({"ground_truth": LIST}, "fan", folder, **options), folders))
    assert all(len(load_truth(folder / "ground_truth.csv")) == 2 for folder in folders)
    assert list(read_pins(options["lock_file"], "truth")) == [KEY]


def test_an_error_page_is_not_pinned(server, options, fan):
    server.misdeeds["/" + KEY] = [Misdeed(body=b"<html>Please come back later</html>")]
    with pytest.raises(AsdError, match="no block for machine fan"):
        fetch_truth({"ground_truth": LIST}, "fan", fan, **options)
    assert not read_pins(options["lock_file"], "truth")
    fetch_truth({"ground_truth": LIST}, "fan", fan, **options)
    assert len(load_truth(fan / "ground_truth.csv")) == 2


def test_a_record_is_a_place_too(server, options, fan, waits):
    server.files["/records/39/files/l.csv"] = RENAME.encode()
    server.misdeeds["/records/39/files/l.csv"] = [Misdeed(status=503)]
    fetch_truth({"ground_truth": {"form": "rename_list", "record": 39, "file": "l.csv"}}, "fan", fan, **options)
    assert list(read_pins(options["lock_file"], "truth")) == ["zenodo/39/l.csv"]
    assert len(waits) == 1


def test_a_folder_of_ones_own(server, options, fan, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/l.csv").write_text(RENAME)
    truth = {"form": "rename_list", "folder": str(tmp_path / "own"), "file": "l.csv"}
    fetch_truth({"ground_truth": truth}, "fan", fan, **options)
    assert len(load_truth(fan / "ground_truth.csv")) == 2
    assert not server.requests


def test_datasets_without_truth_and_the_damaged_list(options, fan):
    with pytest.raises(AsdError, match="has no `ground_truth`"):
        fetch_truth({}, "fan", fan, **options)
    with pytest.raises(AsdError, match="ToyCar: its lines in the 2022 rename list are wrong"):
        fetch_truth({"year": 2022, "ground_truth": LIST}, "ToyCar", fan, **options)


def published(year: int, machine: str) -> dict[str, str]:
    """Return file name → label of all tables of a machine, read without the library."""
    found: dict[str, str] = {}
    for path in (SHARED / str(year) / "ground_truth_data").glob(f"ground_truth_{machine}_section_*.csv"):
        with path.open(newline="") as handle:
            found |= {name: ("normal", "anomaly")[int(label)] for name, label in csv.reader(handle)}
    return found


def test_the_tables_of_2026_name_the_clips_without_an_ending(server, options, tmp_path):
    truth = CONFIG["dcase2026_eval"]["ground_truth"]
    rows = {
        "labels": ["section_00_0000.wav,0", "section_00_0001.wav,1"],
        "domains": ["section_00_0000.wav,1", "section_00_0001.wav,0"],
        "attributes": [
            "section_00_0000.wav,section_00_target_test_normal_0007_car_C1_spd_3_mic_2_mic_1",
            "section_00_0001.wav,section_00_source_test_anomaly_0008_car_A1_spd_1_mic_2_mic_1",
        ],
    }
    for kind, lines in rows.items():
        name = truth[kind].format(machine="ToyDrone", section="00")
        server.files[f"/{truth['repository']}/{truth['commit']}/{name}"] = "\n".join(lines).encode()
    folder = clips(tmp_path / "ToyDrone", "test/section_00_0000.wav", "test/section_00_0001.wav")
    fetch_truth(CONFIG["dcase2026_eval"], "ToyDrone", folder, **options)
    assert list(load_truth(folder / "ground_truth.csv").values()) == [
        Truth("section_00_0000.wav", "normal", "target", "car_C1_spd_3_mic_2_mic_1"),
        Truth("section_00_0001.wav", "anomaly", "source", "car_A1_spd_1_mic_2_mic_1"),
    ]


@needs_shared
@pytest.mark.parametrize("year", [2021, 2022])
@pytest.mark.parametrize("machine", ["ToyCar", "ToyTrain", "fan", "gearbox", "slider", "valve"])
def test_real_tables(year, machine, options, tmp_path):
    dataset = CONFIG[f"dcase{year}_eval"]
    dataset = dataset | {"ground_truth": dataset["ground_truth"] | {"folder": str(SHARED / str(year))}}
    labels = published(year, machine)
    folder = clips(tmp_path / machine, *(f"test/{name}" for name in labels))
    fetch_truth(dataset, machine, folder, **options)
    truth = load_truth(folder / "ground_truth.csv")
    assert {row.file_name: row.label for row in truth.values()} == labels
    assert set(Counter(row.domain for row in truth.values())) == {"source", "target"}
    if year == 2021:
        assert all(f"_{row.domain}_" in name for name, row in truth.items())
    with_attributes = {bool(row.attributes) for row in truth.values()}
    assert with_attributes == {year == 2022 and machine not in ("ToyCar", "ToyTrain")}


@needs_shared
@pytest.mark.parametrize("year", [2021, 2022])
def test_real_tables_have_the_pinned_sums(year):
    dataset = CONFIG[f"dcase{year}_eval"]["ground_truth"]
    start = f"{dataset['repository']}/{dataset['commit']}/"
    pins = {
        key: value
        for key, value in read_pins(ROOT / "resources/zenodo.lock.json", "truth").items()
        if key.startswith(start)
    }
    assert len(pins) == {2021: 42, 2022: 63}[year]
    for key, value in pins.items():
        data = (SHARED / str(year) / key.removeprefix(start)).read_bytes()
        assert value == {"sha256": hashlib.sha256(data).hexdigest()}
