"""Tests of the jobs' environment: the checkout, its library and this Python come first."""

import getpass
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.runtime import job_environment


def test_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASDLIB", "/another")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/mine", "/checkout/src"]))
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    job_environment.export(Path("/checkout"))
    job_environment.export(Path("/checkout"))  # a job on a cluster exports again
    assert os.environ["ASDLIB"] == "/checkout"
    assert os.environ["PYTHONSAFEPATH"] == "1"
    assert os.environ["PYTHONUTF8"] == "1"
    assert "PYTHONIOENCODING" not in os.environ
    assert os.environ["PYTHONPATH"] == os.pathsep.join(["/checkout/src", "/mine"])
    assert os.environ["PATH"] == os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin"])


@pytest.mark.parametrize("given", [{}, {"GOMP_SPINCOUNT": "9"}, {"OMP_WAIT_POLICY": "active"}])
def test_threads_give_up_their_core_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, given: dict) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    job_environment.export(Path("/checkout"))
    assert os.environ.get("GOMP_SPINCOUNT") == (given.get("GOMP_SPINCOUNT") if given else "300")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a HOME of this user alone, without any of the variables that name folders in it."""
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "TMPDIR"):
        monkeypatch.setenv(variable, "")  # so that it is restored
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # Python looks for it once
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_a_home_that_can_be_written_is_left_alone(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = dict(os.environ)
    job_environment.provide_folders(Path("caches"))
    assert (dict(os.environ), caplog.messages) == (before, [])
    assert not home.exists()


@pytest.mark.parametrize("kind", ["a file", "no home at all"])
def test_without_a_home_caches_are_in_the_run_s_folder(home: Path, monkeypatch, caplog, kind: str) -> None:
    if kind == "a file":  # root, as which tests often run, may write into every folder
        home.touch()
    else:
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # neither HOME nor an entry for the user
    job_environment.provide_folders(Path("caches"))
    assert os.environ["XDG_CACHE_HOME"] == str(Path("caches").resolve())
    assert os.environ["MPLCONFIGDIR"] == str(Path("caches/matplotlib").resolve())
    own = home / ".cache" if kind == "a file" else "~/.cache"
    advice = "libraries keep their caches in caches: set XDG_CACHE_HOME to choose another folder"
    assert caplog.messages == [f"{own}: cannot be written: {advice}"]
    job_environment.provide_folders(Path("caches"))  # a job on a cluster
    assert len(caplog.messages) == 1


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this user have no name, as in a container that runs as a number of the host."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "")  # so that it is restored
        monkeypatch.delenv(variable)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("nameless")
def test_a_user_without_a_name_is_called_by_the_number() -> None:
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    job_environment.provide_user()
    assert getpass.getuser() == str(os.getuid())


COMPILER = """
import os
import pwd


def unknown(number):
    raise KeyError(number)


pwd.getpwuid = unknown
import torch
from asdlib.runtime import job_environment

if process := os.fork():
    assert os.waitpid(process, 0)[1], "it has not asked"
    job_environment.provide_user()
import torch._dynamo
"""


def test_pytorch_s_compiler_asks_for_the_name_as_well() -> None:
    """`transformers` imports it for the networks with adapters."""
    # Once imported in this process, it has set the last one, and need not ask again.
    known = ("LOGNAME", "USER", "LNAME", "USERNAME", "TORCHINDUCTOR_CACHE_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in known}
    subprocess.run([sys.executable, "-c", COMPILER], env=environment, check=True)


@pytest.mark.usefixtures("nameless")
def test_a_name_that_is_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "anna")
    before = dict(os.environ)
    job_environment.provide_user()
    assert dict(os.environ) == before


def test_a_chosen_folder_for_caches_is_used(home: Path, tmp_path: Path, monkeypatch, caplog) -> None:
    home.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    job_environment.provide_folders(Path("caches"))
    assert (os.environ["XDG_CACHE_HOME"], caplog.messages) == (str(tmp_path / "mine"), [])
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "mine" / "matplotlib")


@pytest.mark.usefixtures("home")
def test_a_temporary_folder_that_is_not_used_is_said(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    job_environment.provide_folders(Path("caches"))
    advice = f"temporary files are in {tempfile.gettempdir()}: set TMPDIR to choose another folder"
    assert caplog.messages == [f"TMPDIR: {tmp_path}/gone: cannot be written: {advice}"]


@pytest.mark.usefixtures("home")
def test_no_temporary_folder_at_all_is_one_line(monkeypatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    complaint = "TMPDIR: no folder for temporary files can be written: set it to one that can"
    refused(lambda: job_environment.provide_folders(Path("caches")), complaint)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("a:b", r"/x/a:b: the path contains ':', which separates paths: rename the folder"),
        ("$(touch X)", r"'/x/\$\(touch X\)': a shell would interpret '\$' in the path: rename the file or folder"),
        ("`b`\\", r"'/x/`b`.*': a shell would interpret '\\\\' '`' in the path: rename the file or folder"),
        ("a\nb", r"'/x/a\\nb': a shell would interpret '\\n' in the path: rename the file or folder"),
        ('a"b', r"""'/x/a"b': a shell would interpret '"' in the path: rename the file or folder"""),
        ("a{b}", r"/x/a\{b\}: Snakemake would take '\{' '\}' in the path for a wildcard: rename the folder"),
    ],
)
def test_a_checkout_at_a_path_that_no_job_could_use(monkeypatch: pytest.MonkeyPatch, name: str, complaint: str) -> None:
    """PYTHONPATH is divided at colons: jobs would import another asdlib."""
    monkeypatch.setenv("PYTHONPATH", "/mine")
    refused(lambda: job_environment.export(Path("/x", name)), complaint)
    assert os.environ["PYTHONPATH"] == "/mine"


def test_a_run_in_a_folder_that_a_shell_would_interpret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake puts the path of a script with a long command between double quotes."""
    (tmp_path / "$(touch PWNED)").mkdir()
    monkeypatch.chdir(tmp_path / "$(touch PWNED)")
    refused(lambda: job_environment.export(Path("/checkout")), r".*: a shell would interpret '\$' in the path: .*")


def test_other_paths_that_a_shell_would_interpret() -> None:
    """Snakemake passes the paths of config files and of its cache to the jobs of a cluster."""
    named = [Path("/x/settings.yaml"), "/home/$(touch PWNED)/cache"]
    refused(lambda: job_environment.export(Path("/checkout"), named), r"'/home/\$.*': a shell would interpret '\$' .*")


@pytest.mark.parametrize("name", ["it's", "my data; rm", "-x", "é"])
def test_other_names_of_a_checkout(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for variable in ("ASDLIB", "PYTHONPATH", "PYTHONSAFEPATH", "PATH"):
        monkeypatch.setenv(variable, os.environ.get(variable, ""))
    job_environment.export(Path("/x", name))
    assert os.environ["ASDLIB"] == f"/x/{name}"


def test_only_the_allocation_of_a_job_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv(job_environment.SLURM_JOB, "")  # removed when the test ends
    monkeypatch.delenv(job_environment.SLURM_JOB)
    job_environment.mark_slurm_job()
    assert not job_environment.is_slurm_job()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert not job_environment.is_slurm_job()  # a run inside of an allocation
    job_environment.mark_slurm_job()
    assert job_environment.is_slurm_job()
    monkeypatch.setenv("SLURM_JOB_ID", "8")  # submitted by a job, which passes its environment
    assert not job_environment.is_slurm_job()


def test_ranks_of_other_programs_are_forgotten_by_the_first_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun and scripts of a site set what Fabric reads: it would wait for processes that nobody starts."""
    ranks = {"LOCAL_RANK": "1", "NODE_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "10.255.255.1"}
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(job_environment.STARTED_BY, raising=False)
    assert job_environment.is_first()
    job_environment.begin_ranks()
    assert not ranks.keys() & os.environ.keys()
    assert os.environ[job_environment.STARTED_BY] == str(os.getpid())
    for name, value in {**ranks, job_environment.STARTED_BY: str(os.getppid())}.items():
        monkeypatch.setenv(name, value)
    assert not job_environment.is_first()
    job_environment.begin_ranks()
    assert ranks.items() <= os.environ.items()
