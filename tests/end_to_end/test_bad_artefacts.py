"""Bad archives, failing disks and damaged results: an error of one line that names the file, and no partial file."""

import errno
import hashlib
import io
import json
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.hostile_server import HostileServer
from helpers.refusals import files, refused
from helpers.toy_recordings import RATE, make_machine

from asdlib.data.fetching.retry import Network
from asdlib.data.tables import clip_rows, writing
from asdlib.steps.download import download
from asdlib.steps.prepare import PrepareSettings, prepare

RECORD = 4711
CLIPS = {"fan/train/a.wav": b"a" * 99, "fan/test/b.wav": b"b" * 99}
NETWORK = Network("", "", "", attempts=2, backoff=0.0, timeout=5.0, parallel=1)
SETTINGS = PrepareSettings(
    RATE,
    1.0,
    resample=False,
    downmix=False,
    allow_silent=False,
    sections=["00"],
    recordings=None,
    strict=True,
    layout="challenge",
    test_share=0.2,
    supplements=None,
)


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target.getvalue()


def link() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        info = zipfile.ZipInfo("fan/train")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc")
    return target.getvalue()


def bomb() -> bytes:
    """Return an archive whose directory states a size of 1 GB."""
    content = zipped({"fan/train/a.wav": bytes(1000)})
    return content[:-200] + content[-200:].replace((1000).to_bytes(4, "little"), (1 << 30).to_bytes(4, "little"))


REMEDY = "remove the archive and check its source"
# case: what the server sends, the pinned md5 (None: the correct one), and the message
ARCHIVES = {
    "wrong checksum": (zipped(CLIPS), "0" * 32, r".*/fan\.zip: .*md5.*: .*"),
    "cut archive": (zipped(CLIPS)[:-60], None, r".*/fan\.zip: damaged archive \(.*\): remove it and run again .*"),
    "no archive": (b"<html>Sign in</html>", None, r".*/fan\.zip: damaged archive \(.*\): remove it and run again .*"),
    "archive without files": (zipped({}), None, r".*/fan\.zip: contains no files: remove it and run again .*"),
    "path outside": (zipped({"../../evil": b"x"}), None, rf".*/fan\.zip: a name that leaves its folder .*{REMEDY}"),
    "absolute path": (zipped({"/tmp/evil": b"x"}), None, rf".*/fan\.zip: an absolute name .*{REMEDY}"),
    "link": (link(), None, rf".*/fan\.zip: a link or device .*{REMEDY}"),
    "bomb": (bomb(), None, r".*/fan\.zip: unpacks to \d+ times its size: not a DCASE archive, remove it"),
}  # fmt: skip


@pytest.mark.parametrize(("archive", "md5", "complaint"), ARCHIVES.values(), ids=ARCHIVES)
def test_archives(tmp_path, monkeypatch, archive, md5, complaint):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pin = {"md5": md5 or hashlib.md5(archive).hexdigest(), "size": len(archive)}
    lock = tmp_path / "zenodo.lock.json"
    lock.write_text(json.dumps({"archives": {f"{RECORD}/fan.zip": pin}}))
    source = {"kind": "zenodo", "archives": [{"record": RECORD, "file": "{machine}.zip"}]}
    folder = tmp_path / "resources" / "mine" / "fan"
    with HostileServer() as server:
        server.files[f"/records/{RECORD}/files/fan.zip"] = archive
        network = replace(NETWORK, zenodo=server.base, github=server.base)
        block = {"source": source, "ground_truth": None, "own_archives": str(tmp_path / "own")}
        refused(lambda: download("fan", folder, block, network, lock), complaint)
    kept = {path.name for path in files(tmp_path) if path.suffix != ".lock"}
    assert kept <= {"zenodo.lock.json", "fan.zip"}, "nothing unpacked, no part of a file"
    assert not folder.exists()


@pytest.fixture
def fan(tmp_path) -> Path:
    return make_machine(tmp_path / "fan", train=2, target=1, seconds=1.0)


def test_full_disk(fan, tiny_disk):
    out = tiny_disk / "results" / "fan.parquet"
    complaint = rf"{re.escape(str(out))}: cannot be written \(No space left on device\): make room, or make .* writable"
    refused(lambda: prepare(fan, "mine", "fan", out, SETTINGS), complaint)
    assert not files(tiny_disk)


def test_read_only_results(fan, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    out = tiny_disk / "results" / "fan.parquet"
    complaint = rf"{re.escape(str(out))}: cannot be written \(Read-only file system\): make room, or make .* writable"
    refused(lambda: prepare(fan, "mine", "fan", out, SETTINGS), complaint)


def test_quota(fan, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr("asdlib.data.files.os.fsync", refuse)  # where network file systems report it
    before, out = files(tmp_path), tmp_path / "results" / "fan.parquet"
    complaint = r".*/results/fan\.parquet: cannot be written \(Disk quota exceeded\): make room, .*"
    refused(lambda: prepare(fan, "mine", "fan", out, SETTINGS), complaint)
    assert files(tmp_path) == before


def test_file_in_place_of_the_results_folder(fan, tmp_path):
    (tmp_path / "results").touch()
    out = tmp_path / "results" / "audio" / "fan.parquet"
    refused(
        lambda: prepare(fan, "mine", "fan", out, SETTINGS),
        r".*/fan\.parquet: cannot be written \(Not a directory\): .*",
    )


def test_second_writer(fan, tmp_path):
    from asdlib.data.files import locked

    path = tmp_path / "model.safetensors"

    def again() -> None:
        with locked(path):
            pass

    with locked(path):
        refused(again, r".*/model\.safetensors: another process is writing it: wait for it or stop it, then run again")


DAMAGE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "garbage": lambda data: b"\0not what it says\0" * 500,
    "one wrong byte": lambda data: data[: len(data) // 3] + b"!" + data[len(data) // 3 + 1 :],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_audio(fan, tmp_path, damage):
    from asdlib.steps.extract_features import extract_features

    audio, out = tmp_path / "audio.parquet", tmp_path / "features.parquet"
    prepare(fan, "mine", "fan", audio, SETTINGS)
    audio.write_bytes(damage(audio.read_bytes()))
    before = files(tmp_path)
    frontend = {"kind": "log_mel", "name": "toy", "n_fft": 1024, "hop_length": 512, "n_mels": 8, "power": 2.0}
    complaint = r".*/audio\.parquet: is (not a whole Parquet file|damaged) \(.*\): delete it and run again"
    refused(lambda: extract_features(audio, out, frontend), complaint)
    assert files(tmp_path) == before


@pytest.fixture
def features(tmp_path) -> Path:
    texts = dict.fromkeys(("clip", "domain", "split", "label", "source_file"), "a")
    row = texts | {"section": "00", "attributes": {}, "kind": "train", "samples": 1, "recorded_samples": 1, "frames": 4}
    with writing(tmp_path / "features.parquet", {}, features=("float32", (4, 3))) as table:
        table.write(clip_rows([row]), features=np.zeros((1, 4, 3), np.float32))
    return tmp_path / "features.parquet"


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoint(features, tmp_path, damage):
    import torch

    from asdlib.steps.embed import embed
    from asdlib.weights import checkpoints

    model, out = tmp_path / "model.safetensors", tmp_path / "embeddings.parquet"
    checkpoints.save(model, checkpoints.Checkpoint({"kind": "none"}, {"weight": torch.zeros(100)}, {}))
    model.write_bytes(damage(model.read_bytes()))
    before = files(tmp_path)
    complaint = r".*/model\.safetensors: is (not a whole safetensors file|damaged) \(.*\): delete it and run again"
    refused(lambda: embed(features, model, out, "cpu", 0, 1), complaint)
    assert files(tmp_path) == before


def test_vanished_input(features, tmp_path):
    from asdlib.steps.embed import embed
    from asdlib.steps.extract_features import extract_features

    out = tmp_path / "embeddings.parquet"
    complaint = r".*/{}: is missing: run again to remake it"
    gone = tmp_path / "model.safetensors"
    refused(lambda: embed(features, gone, out, "cpu", 0, 1), complaint.format(gone.name))
    features.unlink()
    refused(lambda: extract_features(features, out, {}), complaint.format(features.name))


def test_pickled_checkpoint(features, tmp_path):
    import torch

    from asdlib.steps.embed import embed

    torch.save({"weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    complaint = r".*/model\.safetensors: is not a whole safetensors file \(.*\): delete it and run again"
    model, out = tmp_path / "model.safetensors", tmp_path / "embeddings.parquet"
    refused(lambda: embed(features, model, out, "cpu", 0, 1), complaint)
