"""Tests of downloading a machine's recordings from Zenodo, and of the lock file."""

import errno
import hashlib
import io
import json
import multiprocessing
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching.pins import pin, read_pins
from asdlib.data.fetching.retry import Network, Retry
from asdlib.data.fetching.zenodo import download_machine, machine_archives, record_files
from asdlib.errors import AsdError
from asdlib.steps.download import download
from asdlib.workflow.yaml_files import read_yaml

BLOCKS = read_yaml(Path(__file__).parents[3] / "config/datasets.yaml")["datasets"]
CONFIG = {name: block for name, block in BLOCKS.items() if block["source"]["kind"] == "zenodo"}
LOCK = Path(__file__).parents[3] / "resources/zenodo.lock.json"
DATASET = {
    "source": {
        "kind": "zenodo",
        "archives": [
            {"record": 11, "file": "{machine}_train.zip"},
            {"record": 12, "file": "{machine}_test.zip"},
        ],
    },
    "machines": ["fan", "pump"],
}
EXPECTED = {"train/a.wav": b"fan a", "attributes_00.csv": b"file_name\n", "test/b.wav": b"fan b"}


def packed(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


def publish(server: HostileServer, record: int, archives: dict[str, bytes], form: str = "files") -> None:
    """Add a record to the server; `form` is one of the three forms of the API's answer."""
    entries = [
        {"key": name, "size": len(data), "checksum": "md5:" + hashlib.md5(data).hexdigest()}
        for name, data in archives.items()
    ]
    api = f"/api/records/{record}"
    answers = {
        "files": {api: {"id": record, "files": entries}},
        "entries": {api: {"files": {"enabled": True, "entries": {entry["key"]: entry for entry in entries}}}},
        "apart": {api: {"id": record, "files": []}, f"{api}/files": {"enabled": True, "entries": entries}},
    }
    server.files |= {path: json.dumps(answer).encode() for path, answer in answers[form].items()}
    server.files |= {f"/records/{record}/files/{name}": data for name, data in archives.items()}


@pytest.fixture
def options(server, retry, tmp_path):
    """Publish both machines on the server and return the arguments of a download."""
    for record, part in ((11, "train/a.wav"), (12, "test/b.wav")):
        archives = {
            f"{machine}_{part.partition('/')[0]}.zip": packed(
                {f"{machine}/{part}": f"{machine} {part[-5]}".encode()}
                | ({f"{machine}/attributes_00.csv": b"file_name\n"} if record == 11 else {})
            )
            for machine in ("fan", "pump")
        }
        publish(server, record, archives)
    return {
        "archives_dir": tmp_path / "archives",
        "own_archives": tmp_path / "own",
        "lock_file": tmp_path / "zenodo.lock.json",
        "base": server.base + "/",
        "parallel": 4,
        "retry": retry,
    }


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_train_and_test_archives_become_one_folder_and_are_pinned(server, options, tmp_path):
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert content(tmp_path / "set/fan") == EXPECTED
    pins = read_pins(options["lock_file"], "archives")
    assert sorted(pins) == ["11/fan_train.zip", "11/pump_train.zip", "12/fan_test.zip", "12/pump_test.zip"]
    data = server.files["/records/12/files/fan_test.zip"]
    assert pins["12/fan_test.zip"] == {"md5": hashlib.md5(data).hexdigest(), "size": len(data)}


def test_the_lock_file_is_stable_text(options, tmp_path):
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    first = options["lock_file"].read_text()
    assert first == json.dumps(json.loads(first), indent=2, sort_keys=True) + "\n"
    download_machine(DATASET, "pump", tmp_path / "set/pump", **options)
    assert options["lock_file"].read_text() == first


def test_pinned_archives_that_are_there_need_no_network(server, options, tmp_path):
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    server.requests.clear()
    download_machine(DATASET, "fan", tmp_path / "again/fan", **options)
    assert content(tmp_path / "again/fan") == EXPECTED
    assert not server.requests


@pytest.mark.parametrize("place", ["archives_dir", "own_archives"])
def test_an_archive_with_another_md5_is_refused_and_stays(server, options, tmp_path, place):
    """It may be the user's, so it is not replaced."""
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    mine = options[place] / "11/fan_train.zip"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_bytes(b"mine")
    digest = hashlib.md5(b"mine").hexdigest()
    with pytest.raises(AsdError, match=rf"^{re.escape(str(mine))}: is md5:{digest}, expected md5:\w+: remove it to"):
        download_machine(DATASET, "fan", tmp_path / "again/fan", **options)
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "again/fan").exists()


def test_archives_that_the_user_brings_are_not_fetched(server, options, tmp_path):
    own = options["own_archives"] / "11/fan_train.zip"
    own.parent.mkdir(parents=True)
    own.write_bytes(server.files["/records/11/files/fan_train.zip"])
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert content(tmp_path / "set/fan") == EXPECTED
    assert not server.ranges("/records/11/files/fan_train.zip")
    assert [path.name for path in own.parent.iterdir()] == [own.name]


def test_a_folder_in_place_of_an_archive_is_refused(options, tmp_path):
    own = options["own_archives"] / "11/fan_train.zip"
    own.mkdir(parents=True)
    with pytest.raises(AsdError, match=r"fan_train\.zip: is a folder, not a file: replace or remove it"):
        download_machine(DATASET, "fan", tmp_path / "fan", **options)


@pytest.mark.parametrize("place", ["own_archives", "archives_dir"])
def test_a_link_to_an_archive_that_is_not_there_is_neither_fetched_nor_replaced(server, options, tmp_path, place):
    """As one to a disk that is not mounted."""
    link = options[place] / "11" / "fan_train.zip"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AsdError, match=r"fan_train\.zip: is a link to nothing: make its target available"):
        download_machine(DATASET, "fan", tmp_path / "fan", **options)
    assert link.is_symlink()


def test_a_folder_that_cannot_be_made_is_one_line(server, options, tmp_path):
    options["archives_dir"].parent.mkdir(parents=True, exist_ok=True)
    options["archives_dir"].write_text("in the way")
    with pytest.raises(AsdError, match="cannot be written"):
        download_machine(DATASET, "fan", tmp_path / "fan", **options)


def test_a_lock_file_that_is_a_link_stays_one(options, tmp_path):
    shared = tmp_path / "shared.json"
    options["lock_file"].symlink_to(shared)
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert options["lock_file"].is_symlink()
    assert read_pins(shared, "archives")


@pytest.mark.parametrize("truth", [{"form": "rename_list", "record": 13, "file": "l.csv"}, None])
def test_the_step_fetches_what_the_config_says(server, options, tmp_path, truth):
    publish(server, 12, {"fan_test.zip": packed({"fan/test/section_00_0000.wav": b"x"})})
    names = "section_00_0000.wav,section_00_source_test_normal_0003_m-n_X.wav"
    server.files["/records/13/files/l.csv"] = f"fan\n{names}\n".encode()
    settings = DATASET | {"own_archives": str(tmp_path / "own"), "ground_truth": truth}
    network = Network(server.base, server.base, "", attempts=1, backoff=0.0, timeout=2.0, parallel=1)
    server.misdeeds["/api/records/11"] = [Misdeed(status=503)]
    with pytest.raises(AsdError, match=r"records/11: gave up after 1 attempts \(HTTP 503"):
        download("fan", tmp_path / "set/fan", settings, network, tmp_path / "lock.json")
    download("fan", tmp_path / "set/fan", settings, network, tmp_path / "lock.json")
    assert (tmp_path / "set/archives/11/fan_train.zip").is_file()
    assert (tmp_path / "set/fan/ground_truth.csv").exists() == bool(truth)
    assert list(read_pins(tmp_path / "lock.json", "truth")) == ["zenodo/13/l.csv"] * bool(truth)


def test_the_time_without_a_byte_is_also_that_of_the_least_rate():
    network = Network("", "", "", attempts=3, backoff=0.5, timeout=7.0, parallel=2)
    assert network.retry == Retry(attempts=3, base=0.5, timeout=7.0, window=7.0)


def test_leftovers_of_another_machine_stay(options, tmp_path):
    others = [tmp_path / "set" / name for name in (".fan.backup", ".pump.host-1.part")]
    for other in others:
        other.mkdir(parents=True)
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert all(other.is_dir() for other in others)


def test_a_killed_download_goes_on(server, options, retry, tmp_path):
    address = "/records/11/files/fan_train.zip"
    server.misdeeds[address] = [Misdeed(drop_after=50)]
    with pytest.raises(AsdError, match="gave up after 1 attempts"):
        download_machine(DATASET, "fan", tmp_path / "set/fan", **{**options, "retry": replace(retry, attempts=1)})
    left = tmp_path / "set/.fan.12345.part"
    left.mkdir(parents=True)
    (left / "half.wav").write_bytes(b"x")
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert server.ranges(address) == [None, "bytes=50-"]
    assert content(tmp_path / "set/fan") == EXPECTED
    assert not left.exists()


def test_it_survives_a_bad_day_of_the_server(server, options, tmp_path):
    server.misdeeds |= {
        "/api/records/11": [Misdeed(status=503), Misdeed(drop_after=3)],
        "/records/11/files/fan_train.zip": [
            Misdeed(drop_after=60),
            Misdeed(status=429),
            Misdeed(ignore_range=True),
        ],
        "/records/12/files/fan_test.zip": [Misdeed(claim=20), Misdeed(wrong_range=True)],
    }
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert content(tmp_path / "set/fan") == EXPECTED


def test_a_full_disk_is_no_damaged_archive(options, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(AsdError, match=r"set/fan: cannot be written \(No space left on device\): make room"):
        download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert (options["archives_dir"] / "11/fan_train.zip").exists()


def test_the_record_is_asked_again_after_the_waits_of_the_config(server, options, waits, tmp_path):
    server.misdeeds["/api/records/11"] = [Misdeed(status=503)]
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert len(waits) == 1
    assert content(tmp_path / "set/fan") == EXPECTED


def test_a_changed_archive_is_refused_and_no_folder_appears(server, options, tmp_path):
    server.files["/records/12/files/fan_test.zip"] = bytes(len(server.files["/records/12/files/fan_test.zip"]))
    with pytest.raises(AsdError, match=r"fan_test\.zip: checksum is md5:.*expected md5:"):
        download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert not (tmp_path / "set/fan").exists()
    assert not (options["archives_dir"] / "12/fan_test.zip").exists()
    assert (options["archives_dir"] / "11/fan_train.zip").exists()  # kept for the next attempt


def test_a_record_that_contradicts_the_lock_file_is_refused(options, tmp_path):
    pin(options["lock_file"], "archives", {"11/pump_train.zip": {"md5": "0" * 32, "size": None}})
    with pytest.raises(AsdError, match=r"11/pump_train\.zip: md5 is .* but 0+ is pinned"):
        download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert "11/fan_train.zip" not in read_pins(options["lock_file"], "archives")


def test_a_pin_without_a_size_is_enough(server, options, tmp_path):
    for record, name in ((11, "fan_train.zip"), (12, "fan_test.zip")):
        data = server.files[f"/records/{record}/files/{name}"]
        md5 = hashlib.md5(data).hexdigest()
        pin(options["lock_file"], "archives", {f"{record}/{name}": {"md5": md5, "size": None}})
    download_machine(DATASET, "fan", tmp_path / "set/fan", **options)
    assert content(tmp_path / "set/fan") == EXPECTED
    assert not [path for path, _ in server.requests if path.startswith("/api/")]


@pytest.mark.parametrize("form", ["files", "entries", "apart"])
def test_every_form_of_the_answer_are_understood(server, retry, form):
    publish(server, 7, {"a.zip": b"abc"}, form)
    found = record_files(7, base=server.base, retry=retry)
    assert found == {"7/a.zip": {"md5": hashlib.md5(b"abc").hexdigest(), "size": 3}}


ANSWERS = {
    "no files": ({"files": []}, "the record lists no files"),
    "another checksum": (
        {"files": [{"key": "a.zip", "checksum": "crc32:1234", "size": 1}]},
        "a.zip has no md5",
    ),
    "a list": ([], "the record lists no files"),
    "a number": (5, "the record lists no files"),
    "a number of files": ({"files": 5}, "the record lists no files"),
    "a number of entries": ({"files": {"entries": 5}}, "the record lists no files"),
    "files that are numbers": ({"files": [5, None]}, "the record lists no files"),
    "a key that is no name": ({"files": [{"key": {"a": 1}, "checksum": "md5:" + "0" * 32}]}, "lists no files"),
    "a name that clears the screen": ({"files": [{"key": "\x1b[2Ja.zip"}]}, "the record lists no files"),
    "md5 of other letters": ({"files": [{"key": "a.zip", "checksum": "md5:" + "z" * 32}]}, "a.zip has no md5"),
    "short md5": ({"files": [{"key": "a.zip", "checksum": "md5:zzz"}]}, "a.zip has no md5"),
    "md5 in a list": ({"files": [{"key": "a.zip", "checksum": ["\n" * 9]}]}, "a.zip has no md5"),
    "negative size": (
        {"files": [{"key": "a.zip", "checksum": "md5:" + "0" * 32, "size": -1}]},
        "a.zip has the size '-1'",
    ),
    "a size that no file has": (
        {"files": [{"key": "a.zip", "checksum": "md5:" + "0" * 32, "size": 10**30}]},
        "a.zip has the size '1000",
    ),
    "size in words": (
        {"files": [{"key": "a.zip", "checksum": "md5:" + "0" * 32, "size": "1\nGB"}]},
        "a.zip has the size",
    ),
}


@pytest.mark.parametrize(("answer", "message"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answers_that_make_no_sense(server, retry, answer, message):
    server.files["/api/records/7"] = server.files["/api/records/7/files"] = json.dumps(answer).encode()
    with pytest.raises(AsdError, match=message) as caught:
        record_files(7, base=server.base, retry=retry)
    assert str(caught.value).isprintable()


def test_names_that_do_not_exist(server, options, tmp_path):
    with pytest.raises(AsdError, match="washer: is not a machine of this dataset: choose from fan, pump"):
        download_machine(DATASET, "washer", tmp_path / "set/washer", **options)
    dataset = {"machines": ["fan"], "source": {"archives": [{"record": 11, "file": "dev_{machine}.zip"}]}}
    with pytest.raises(AsdError, match=r"dev_fan\.zip: not in record 11, which contains fan_train\.zip, pump"):
        download_machine(dataset, "fan", tmp_path / "set/fan", **options)
    dataset["source"]["archives"][0]["record"] = 99
    with pytest.raises(AsdError, match="records/99: the server says 404"):
        download_machine(dataset, "fan", tmp_path / "set/fan", **options)


def test_a_failing_finish_leaves_no_folder(options, tmp_path):
    def finish(folder: Path) -> None:
        assert (folder / "train/a.wav").exists()
        raise AsdError("truth: missing: none")

    with pytest.raises(AsdError, match="truth: missing"):
        download_machine(DATASET, "fan", tmp_path / "set/fan", finish=finish, **options)
    assert not (tmp_path / "set/fan").exists()


def test_a_lock_file_that_has_every_pin_is_only_read(tmp_path):
    lock, pinned = tmp_path / "l.json", {"a": {"sha256": "0" * 64}}
    pin(lock, "truth", pinned)
    queue = tmp_path / ".l.json.queue"
    queue.unlink()
    queue.mkdir()  # nobody, not even root, can open it for writing
    assert pin(lock, "truth", pinned) == pinned
    with pytest.raises(AsdError, match=r"l\.json\.queue: cannot be written .*: make room, or make the folder writable"):
        pin(lock, "truth", {"b": {"sha256": "0" * 64}})


def test_what_is_pinned_is_said_and_sorted(tmp_path, caplog):
    lock, found = tmp_path / "l.json", {f"1/{name}.zip": {"md5": "0" * 32, "size": None} for name in "ba"}
    pin(lock, "archives", found)
    assert list(json.loads(lock.read_text())["archives"]) == ["1/a.zip", "1/b.zip"]
    pin(lock, "archives", found | {"1/b.zip": {"md5": "0" * 32, "size": 7}})
    assert read_pins(lock, "archives")["1/b.zip"] == {"md5": "0" * 32, "size": 7}
    assert caplog.messages == [
        f"{lock}: pinned {what}: commit this file" for what in ("1/a.zip, 1/b.zip", "missing sizes")
    ]


def test_jobs_that_pin_at_once_lose_nothing(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(pin, [(tmp_path / "l.json", "truth", {f"file{n}": {"sha256": f"{n:064x}"}}) for n in range(40)])
    assert len(read_pins(tmp_path / "l.json", "truth")) == 40


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"archives": []}', '{"archives": {"a": 1}}', '{"archives": ' + "[" * 100_000, '{"archives": "\xff"}'],
    ids=["empty", "list", "table that is a list", "pin that is a number", "deep", "other encoding"],
)
def test_a_broken_lock_file(tmp_path, text):
    (tmp_path / "l.json").write_text(text, encoding="latin-1")
    with pytest.raises(AsdError, match=r"l\.json: not a lock file"):
        read_pins(tmp_path / "l.json", "archives")


@pytest.mark.parametrize(
    ("table", "pinned", "field"),
    [
        ("archives", {}, "md5"),
        ("archives", {"md5": None, "size": 1}, "md5"),
        ("archives", {"md5": "zzz"}, "md5"),
        ("archives", {"md5": "0" * 32, "size": -1}, "size"),
        ("archives", {"md5": "0" * 32, "size": "1"}, "size"),
        ("truth", {"sha256": "0" * 32}, "sha256"),
        ("truth", {"sha256": "0" * 63 + "\n"}, "sha256"),
        ("weights", {"sha256": "0" * 64, "commit": "main"}, "commit"),
        ("weights", {"sha256": "0" * 64, "branch": "main"}, "branch"),
    ],
)
def test_a_pin_that_pins_nothing(tmp_path, table, pinned, field):
    (tmp_path / "l.json").write_text(json.dumps({table: {"a": pinned}}))
    with pytest.raises(AsdError, match=rf"l\.json: a: {field} is .*: restore") as caught:
        read_pins(tmp_path / "l.json", table)
    assert str(caught.value).isprintable()


def test_every_public_dataset_names_its_archives():
    assert sorted(CONFIG) == sorted(f"dcase{year}_{half}" for year in range(2020, 2027) for half in ("dev", "eval"))
    for name, dataset in CONFIG.items():
        assert len(set(dataset["machines"])) == len(dataset["machines"])
        for machine in dataset["machines"]:
            archives = machine_archives(dataset, machine)
            assert len(archives) == (1 if name.endswith("_dev") else 2)
            assert all(machine in archive and archive.endswith(".zip") for _, archive in archives)
            sections = dataset["sections"]
            assert sections[machine] if isinstance(sections, dict) else sections
        assert ("ground_truth" in dataset) == name.endswith("_eval")
    assert machine_archives(CONFIG["dcase2024_eval"], "3DPrinter")[0] == (
        11259435,
        "eval_data_3DPrinter_train_r2.zip",
    )
    assert machine_archives(CONFIG["dcase2026_dev"], "ToyCar") == [(19336329, "dev_ToyCar_r2.zip")]


def test_the_pins_in_the_repository_belong_to_the_config():
    archives = {
        f"{record}/{name}"
        for dataset in CONFIG.values()
        for machine in dataset["machines"]
        for record, name in machine_archives(dataset, machine)
    }
    pins = read_pins(LOCK, "archives")
    assert set(pins) <= archives
    years = {name for name in archives if name.split("/")[0] in ("3678171", "3727685", "3841772")}
    assert years <= set(pins)  # every archive of 2020 is pinned
    years = {name for name in archives if name.split("/")[0] in ("20151556", "20437238")}
    assert len(years) == 10
    assert years | {"19336329/dev_ToyCar_r2.zip"} <= set(pins)  # what is known of 2026
    assert all(len(entry["md5"]) == 32 for entry in pins.values())
