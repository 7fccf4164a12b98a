"""The downloads of a run: what is still to come, from pinned sizes, from what is here, and from declared clips."""

import json
from pathlib import Path

import pytest
from helpers.checkout import ROOT

from asdlib.planning.downloads import NOTHING, Amount, Download, downloads, free_space
from asdlib.planning.dry_run import Job
from asdlib.workflow.graph import Graph
from asdlib.workflow.yaml_files import read_yaml

RECORD = 4711
SECONDS = 10 * 16000 * 2  # bytes of a clip
SOURCE = {"kind": "zenodo", "archives": [{"record": RECORD, "file": f"{{machine}}_{part}.zip"} for part in ("a", "b")]}
BLOCKS = {
    "far": {"source": SOURCE, "machines": ["fan", "pump"], "clips": {"train": 6, "test": 4}},
    "made": {"source": {"kind": "demo", "train_source": 4, "train_target": 2, "test_per_cell": 1, "supplements": 1},
             "machines": ["fan"]},
}  # fmt: skip
WEIGHTS = {
    "beats_iter3": {"repository": "a/b", "file": "net.pt", "licence": "MIT"},  # whose size is in resources/costs.yaml
    "new": {"address": "page", "url": "https://x/net.pt", "file": "net.pt", "licence": "MIT"},
    "hand": {"address": "the authors' page", "file": "net.pt", "licence": "MIT"},
}
FAN, PUMP, MADE = (
    Job("download", (), (f"resources/downloads/recordings/{dataset}/{machine}",),
        {"dataset": dataset, "machine": machine}, 0)
    for dataset, machine in (("far", "fan"), ("far", "pump"), ("made", "fan"))
)  # fmt: skip


def weights(name: str) -> Job:
    path = f"resources/downloads/checkpoints/{name}/net.pt"
    return Job("fetch_checkpoint", (), (path,), {"checkpoint": name, "file": "net.pt"}, 0)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that lists the downloads of jobs in an empty folder; `sizes` are pinned."""
    names = ("datasets", "checkpoints", "config")
    config = {key: value for name in names for key, value in read_yaml(ROOT / "config" / f"{name}.yaml").items()}
    config["datasets"] |= BLOCKS
    config["checkpoints"] |= WEIGHTS
    graph = Graph(config | {"data": ["far", "made"]}, ROOT)
    monkeypatch.chdir(tmp_path)

    def listed(*jobs: Job, **sizes: int | None) -> list[Download]:
        pins = {f"{RECORD}/{name}.zip": {"md5": "0" * 32, "size": size} for name, size in sizes.items()}
        Path("lock.json").write_text(json.dumps({"archives": pins}))
        return downloads(graph, list(jobs), Path("lock.json"))

    return listed


def put(path: str, size: int) -> None:
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(bytes(size))


def test_pinned_sizes_are_not_estimated(listed) -> None:
    pinned = {"fan_a": 600, "fan_b": 400, "pump_a": 50, "pump_b": 50}
    (one,) = listed(FAN, PUMP, **pinned)
    assert one == Download("far", "2 machines", Amount(1100, 2200))


def test_without_a_size_the_declared_clips_count(listed) -> None:
    (one,) = listed(FAN, fan_a=600, fan_b=None)
    assert one == Download("far", "1 machine", Amount(10 * SECONDS, 20 * SECONDS, estimated=True))


def test_more_than_the_declared_clips_is_not_forgotten(listed) -> None:
    (one,) = listed(FAN, fan_a=99 * SECONDS)
    assert one.amount == Amount(99 * SECONDS, 198 * SECONDS, estimated=True)


@pytest.mark.parametrize("place", [f"downloads/recordings/far/archives/{RECORD}", f"far/archives/{RECORD}"])
def test_an_archive_that_is_here_is_unpacked_only(listed, place: str) -> None:
    put(f"resources/{place}/fan_a.zip", 600)
    (one,) = listed(FAN, fan_a=600, fan_b=400)
    assert one.amount == Amount(400, 400 + 1000)


def test_the_part_of_an_archive_is_not_fetched_again(listed) -> None:
    put(f"resources/downloads/recordings/far/archives/{RECORD}/fan_a.zip.part", 500)
    (one,) = listed(FAN, fan_a=600, fan_b=400)
    assert one.amount == Amount(500, 500 + 1000)


def test_synthesised_recordings_need_no_network(listed) -> None:
    (one,) = listed(MADE)
    assert one.amount == Amount(0, 11 * SECONDS, estimated=True)


def test_weights_have_the_size_of_the_costs_minus_their_part(listed) -> None:
    put("resources/downloads/checkpoints/beats_iter3/net.pt.part", 1_000_000)
    (one,) = listed(weights("beats_iter3"))
    assert one == Download("beats_iter3", "net.pt", Amount(360e6, 360e6, estimated=True))


def test_unknown_weights_and_those_of_a_web_page_are_said(listed) -> None:
    by_hand, new = listed(weights("new"), weights("hand"))
    assert by_hand == Download("hand", "net.pt", NOTHING, by_hand="the authors' page")
    assert new.amount == Amount(0, 0, estimated=True, unknown=True)
    assert (by_hand.amount + new.amount).unknown


def test_other_jobs_fetch_nothing(listed) -> None:
    assert listed(Job("prepare", (), ("x",), {"dataset": "far", "machine": "fan"}, 0)) == []


def test_free_space_is_that_of_the_next_folder_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("shutil.disk_usage", lambda path: asked.append(path) or type("Usage", (), {"free": 7}))
    monkeypatch.chdir(tmp_path)
    assert free_space(Path("resources/downloads")) == 7
    (tmp_path / "disk").mkdir()
    Path("resources").symlink_to("disk")
    assert free_space(Path("resources/downloads")) == 7
    assert [path.resolve() for path in asked] == [tmp_path, tmp_path / "disk"]
