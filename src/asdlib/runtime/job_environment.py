"""The environment of jobs: this checkout and its library, Snakemake's Python, a user, usable folders, and cores."""

import getpass
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from asdlib.data.listing import is_file
from asdlib.errors import AsdError
from asdlib.workflow import project

_log = logging.getLogger(__name__)
_EXPANDED = '"$`\\\n'  # characters that have a meaning in a shell even between double quotes
LIVE_LINE = "ASDLIB_LIVE_LINE"  # set if the run draws a line on the jobs' terminal
JOB_LIST = "ASDLIB_JOB_LIST"  # the file in which a dry run for `asdlib plan` lists its jobs
STARTED_WITH = "ASDLIB_STARTED_WITH"  # the library with which a command has started itself again
STARTED_BY = "ASDLIB_STARTED_BY"  # the first process of a training on several devices
_RANKS = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_SPINS = "300"  # some microseconds; with 1,000 and more, trainings were slower beside others (docs/benchmarks.md)
SLURM_JOB = "ASDLIB_SLURM_JOB"  # the number of the allocation that belongs to one job of the workflow


def export(root: Path, passed: Iterable[str | Path] = ()) -> None:
    """Set ASDLIB (the checkout), PYTHONPATH, PATH and the text encoding for the jobs, and how long threads spin.

    Jobs must run the library that the code hashes were computed from, in any working directory. With `--sdm conda` the
    Python of the conda environment still comes first, because it is activated later.

    `passed` are other paths in the commands by which Snakemake starts jobs: config files, its cache.

    Raises AsdError for a path that these variables or those commands cannot contain.
    """
    programs = Path(sys.executable).parent
    for folder in (root, programs):
        if os.pathsep in str(folder):
            raise AsdError(f"{folder}: the path contains {os.pathsep!r}, which separates paths: rename the folder")
    if found := sorted(set("{}") & set(str(root))):
        shown = " ".join(map(repr, found))
        raise AsdError(f"{root}: Snakemake would take {shown} in the path for a wildcard: rename the folder")
    for path in (root, Path.cwd(), *passed):  # on a cluster, they are in double quotes
        if found := sorted(set(_EXPANDED) & set(str(path))):
            shown = " ".join(map(repr, found))
            raise AsdError(f"{str(path)!r}: a shell would interpret {shown} in the path: rename the file or folder")
    os.environ["ASDLIB"] = str(root)
    os.environ["PYTHONSAFEPATH"] = "1"  # like `python -P`, for processes started by a job
    os.environ["PYTHONUTF8"] = "1"  # whatever the locale, jobs read and write UTF-8
    os.environ.pop("PYTHONIOENCODING", None)
    _prepend("PYTHONPATH", f"{root}/src")
    _prepend("PATH", str(programs))
    yield_cores()


def yield_cores() -> None:
    """Let threads that wait for others soon give up their core; to be called before PyTorch is imported.

    A thread of PyTorch (GNU OpenMP) spins for milliseconds at the end of each operation. Where something else computes
    on its core, the thread that it waits for may not be running, and a training takes many times as long.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = _SPINS


def provide_folders(caches: Path) -> None:
    """Let libraries keep their caches in the folder `caches` if the user's own cannot be written, and say so.

    In containers and on the nodes of some clusters, HOME cannot be written. numba would then fail, and matplotlib
    would warn in every job. A TMPDIR that cannot be used, which Python skips silently, is reported, too.
    """
    own = _folder("XDG_CACHE_HOME", "~/.cache")
    if not _can_be_written(own):
        os.environ["XDG_CACHE_HOME"] = str(caches.resolve())
        advice = f"libraries keep their caches in {caches}: set XDG_CACHE_HOME to choose another folder"
        _log.warning("%s: cannot be written: %s", own, advice)
    if "MPLCONFIGDIR" not in os.environ and not _can_be_written(_folder("XDG_CONFIG_HOME", "~/.config")):
        os.environ["MPLCONFIGDIR"] = str(_folder("XDG_CACHE_HOME", "~/.cache") / "matplotlib")
    asked, used = os.environ.get("TMPDIR"), temporary_root()
    if asked and os.path.realpath(asked) != os.path.realpath(used):
        advice = f"temporary files are in {used}: set TMPDIR to choose another folder"
        _log.warning("TMPDIR: %s: cannot be written: %s", asked, advice)


def provide_user() -> None:
    """Let a user who has no name be called by the number.

    Snakemake, its plugin for SLURM and PyTorch's compiler ask for a name. Containers run as any number, `docker run -u
    "$(id -u)"`, and their list of users does not have it.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # the latter since Python 3.13
        os.environ["USER"] = str(os.getuid())


def refuse_missing_image(image: str | None) -> None:
    """Raise AsdError if the config's `container` is a file that is not there; an address has `://`.

    Apptainer would say so in each job, and the job only that it ended with 255.
    """
    if image and "://" not in image and not Path(image).exists():
        raise AsdError(
            f"config: container: {image}: there is no such file: build the image (docs/container.md), or correct the "
            "path; an address begins with docker:// or the like"
        )


def use_library_of(folder: Path, words: Sequence[str]) -> None:
    """Start `asdlib <words>` again with the library of a checkout, if `folder` is another one than this library's.

    A run of Snakemake takes the library of the checkout whose Snakefile it reads. With another one, a command would
    look for other file names, because code is part of them. Several checkouts with one installation need this, and
    containers. Raises AsdError for a path that PYTHONPATH cannot contain.
    """
    sources = Path(os.path.realpath(folder / "src"))
    started = os.environ.pop(STARTED_WITH, None)
    if not (is_file(folder / "Snakefile") and is_file(sources / "asdlib" / "cli.py")):
        return
    if str(sources) in (str(project.ROOT / "src"), started):
        return
    if os.pathsep in str(sources):
        raise AsdError(f"{sources}: the path contains {os.pathsep!r}, which separates paths: rename the folder")
    _prepend("PYTHONPATH", str(sources))
    os.environ[STARTED_WITH] = str(sources)  # whatever Python then imports, it is not started a third time
    os.execv(sys.executable, [sys.executable, "-P", "-m", "asdlib.cli", *words])


def temporary_root() -> Path:
    """Return the folder in which temporary files are made; raise AsdError if there is none."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:  # TMPDIR, /tmp, /var/tmp and the working directory cannot be written
        raise AsdError("TMPDIR: no folder for temporary files can be written: set it to one that can") from error


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or os.path.expanduser(default))  # noqa: PTH111 (fails without a home)


def _can_be_written(folder: Path) -> bool:
    """Return whether a folder can be written, or be made; without a home, `~` is still its first part."""
    there = next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
    return folder.is_absolute() and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def in_utf8() -> dict[str, str]:
    """Return this process's environment for a Python whose output is read: it writes UTF-8, whatever the locale."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"} | {"PYTHONUTF8": "1"}


def job_list() -> Path | None:
    """Return the file in which this dry run lists its jobs (asdlib.planning.job_list), or None."""
    return Path(os.environ[JOB_LIST]) if JOB_LIST in os.environ else None


def mark_slurm_job() -> None:
    """Record that this process is a job that the workflow submitted to SLURM, so that its allocation is its own."""
    if "SLURM_JOB_ID" in os.environ:
        os.environ[SLURM_JOB] = os.environ["SLURM_JOB_ID"]


def is_slurm_job() -> bool:
    """Return whether this job has an allocation of its own, unlike a job of a run that was started inside of one."""
    return SLURM_JOB in os.environ and os.environ[SLURM_JOB] == os.environ.get("SLURM_JOB_ID")


def mark_live_line(is_drawn: bool) -> None:
    """Record for the jobs whether the run draws a line on the terminal (`asdlib.runtime.live_line`)."""
    if is_drawn:
        os.environ[LIVE_LINE] = "1"
    else:
        os.environ.pop(LIVE_LINE, None)


def has_live_line() -> bool:
    """Return whether the run of this job draws a line on the terminal."""
    return LIVE_LINE in os.environ


def is_dumb_terminal() -> bool:
    """Return whether terminals are said to have no control sequences."""
    return os.environ.get("TERM", "dumb") == "dumb"


def fix_cublas_workspace() -> None:
    """Let cuBLAS add in the same order every time; it reads the variable when CUDA computes for the first time."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def begin_ranks() -> None:
    """Prepare the environment of the processes that Fabric starts, in the first one.

    Schedulers, and scripts that call torchrun, set the same variables: Fabric would then start no processes, or wait
    for those of another node.
    """
    if is_first():
        for name in _RANKS:
            os.environ.pop(name, None)
        os.environ[STARTED_BY] = str(os.getpid())


def first_process() -> int | None:
    """Return the process that has started this one for a training on several devices; None in a first process."""
    started_by = os.environ.get(STARTED_BY)
    return int(started_by) if started_by and os.environ.get("LOCAL_RANK", "0") != "0" else None


def is_first() -> bool:
    """Return whether this is a job's first process; a training on several devices starts more."""
    return first_process() is None


def _prepend(variable: str, entry: str) -> None:
    entries = os.environ.get(variable, "").split(os.pathsep)
    os.environ[variable] = os.pathsep.join([entry, *(other for other in entries if other not in ("", entry))])
