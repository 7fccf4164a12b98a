"""`asdlib fetch` with Snakemake and a local server: interrupted, continued, and then no download is left."""

import hashlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from helpers.checkout import Checkout, make_checkout
from helpers.hostile_server import HostileServer, Misdeed
from helpers.planned_jobs import as_rows, listed, printed_jobs
from helpers.toy_recordings import make_machine

from asdlib.cli import main
from asdlib.planning import dry_run
from asdlib.planning.dry_run import Job

pytestmark = pytest.mark.workflow

RECORD = 4711
ARCHIVE = f"/records/{RECORD}/files/fan.zip"
DRIVE = "/download?id=1ni&export=download&confirm=t"
WEIGHTS = b"PK\x03\x04" + b"weights" * 1000
TARGET = "results/baseline/scores.csv"
SETTINGS = """
data: far
device: cpu
prepare: {{seconds: 1.0}}
download: {{zenodo: "{base}", attempts: 1, backoff: 0.0, timeout: 5, parallel: 1}}
checkpoints:
  net: {{address: the page, url: "{base}{drive}", file: net.pth, licence: MIT}}
override: {{models: {{dense_ae: {{checkpoint: net}}}}}}
datasets:
  far:
    source: {{kind: zenodo, archives: [{{record: {record}, file: "{{machine}}.zip"}}]}}
    machines: [fan]
    clips: {{train: 7, test: 4}}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a checkout whose recordings and weights are on a local server, and the server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    make_machine(tmp_path / "there" / "fan", train=5, target=2, test=1, seconds=1.0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((tmp_path / "there").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path / "there"))
    with HostileServer() as server:
        server.files |= {ARCHIVE: packed.getvalue(), DRIVE: WEIGHTS}
        settings = SETTINGS.format(base=server.base, drive=DRIVE, record=RECORD)
        made = make_checkout(tmp_path / "checkout", settings)
        lock = made.folder / "resources" / "zenodo.lock.json"
        md5 = hashlib.md5(packed.getvalue()).hexdigest()
        pins = {f"{RECORD}/fan.zip": {"md5": md5, "size": len(packed.getvalue())}}
        lock.write_text(json.dumps({"archives": pins}))
        monkeypatch.chdir(made.folder)
        yield made, server


def fetch(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, jobs: list[Job], *, fails: bool = False) -> None:
    """Run the command with the jobs of a dry run; Snakemake runs in the tests' server, which has imported it."""
    monkeypatch.setattr(dry_run, "dry_run", lambda *_: jobs)
    monkeypatch.setattr(os, "execv", lambda program, argv: checkout.run(*argv[4:], fails=fails))
    assert main(["fetch", "--configfile", "settings.yaml"]) == 0


def test_a_run_after_it_needs_no_network(checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Not even on another computer, to which `resources/` was copied."""
    made, server = checkout
    page = Misdeed(body=b"<html>limit</html>", headers={"Content-Type": "text/html"})
    server.misdeeds |= {ARCHIVE: [Misdeed(drop_after=30_000)], DRIVE: [page]}
    jobs, printed = listed(made, monkeypatch, tmp_path / "jobs.json", TARGET)
    assert as_rows(jobs) == as_rows(printed_jobs(printed))
    fetch(made, monkeypatch, jobs, fails=True)
    archive = made.folder / f"resources/downloads/recordings/far/archives/{RECORD}/fan.zip"
    assert archive.with_name("fan.zip.part").stat().st_size == 30_000
    assert not any((made.folder / "resources/downloads").rglob("net.pth"))

    fetch(made, monkeypatch, jobs)
    assert server.ranges(ARCHIVE) == [None, "bytes=30000-"]
    assert archive.read_bytes() == server.files[ARCHIVE]
    assert (made.folder / "resources/downloads/checkpoints/net/net.pth").read_bytes() == WEIGHTS
    pinned = json.loads((made.folder / "resources/zenodo.lock.json").read_text())["weights"]
    assert pinned["net/net.pth"]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert not (made.folder / "results" / "audio").exists(), "only the downloads are made"

    capsys.readouterr()
    node = make_checkout(tmp_path / "node", (made.folder / "settings.yaml").read_text())
    shutil.rmtree(node.folder / "resources")
    shutil.copytree(made.folder / "resources", node.folder / "resources")
    left, _ = listed(node, monkeypatch, tmp_path / "left.json", TARGET)
    assert {"prepare", "train_model"} <= {job.rule for job in left} < {job.rule for job in jobs}
    fetch(made, monkeypatch, left)
    assert capsys.readouterr().out.startswith("Nothing to fetch: ")
