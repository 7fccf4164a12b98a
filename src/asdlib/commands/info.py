"""`asdlib info`: what a report of a problem should contain."""

import argparse
import json
import os
import pkgutil
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from asdlib.errors import printable
from asdlib.runtime import gpus, host_cores
from asdlib.workflow import project

HELP = "print versions, devices and what is installed, for reports of problems"
PLUGIN = "snakemake_logger_plugin_asdlib"
PROGRAMS = ("git", "nvidia-smi", "sbatch", "conda", "apptainer")
_PATIENCE = 10  # s for a program to answer
_MISSING = "not installed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--torch", action="store_true", help="also print what PyTorch sees; takes some seconds")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(args: argparse.Namespace) -> None:
    """Print one block of lines for each kind of information."""
    found = {"asdlib": _asdlib(), "machine": _machine(), "programs": _programs(), "packages": _packages()}
    if args.torch:
        found["PyTorch"] = _torch()
    print(json.dumps(found, indent=1) if args.json else text(found))


def text(found: dict[str, dict[str, str]]) -> str:
    """Return the blocks as lines."""
    lines = []
    for head, block in found.items():
        width = max(map(len, block))
        lines += [head, *(printable(f"  {name:{width}}  {value}") for name, value in block.items())]
    return "\n".join(lines)


def _asdlib() -> dict[str, str]:
    installed_modules = {module.name for module in pkgutil.iter_modules()}  # where Snakemake looks for plugins
    plugin = "found" if PLUGIN in installed_modules else "not found: targets must stand before the options"
    return {
        "version": project.version(),
        "commit": _answer("git", "-C", str(project.ROOT), "describe", "--always", "--dirty") or "unknown",
        "folder": str(project.ROOT),
        "plugin for Snakemake": plugin,
    }


def _machine() -> dict[str, str]:
    cards = _answer("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "Python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "cores": f"{host_cores.usable()} of {os.cpu_count()} may be used",
        "memory": f"{memory / 1e9:.1f} GB",
        "free disk": f"{shutil.disk_usage(Path()).free / 1e9:.1f} GB in this folder",
        "GPUs": "; ".join(cards.splitlines()) if cards else "none that nvidia-smi knows",
        "CUDA": f"driver: {gpus.supported_cuda() or 'none'}; installed PyTorch: {gpus.needed_cuda() or 'without'}",
        "text": f"{sys.getfilesystemencoding()}, {sys.stdout.encoding}",
    }


def _programs() -> dict[str, str]:
    return {name: shutil.which(name) or _MISSING for name in PROGRAMS}


def _packages() -> dict[str, str]:
    """Return the versions of the dependencies, and where they differ from constraints.txt."""
    pins = project.pins()
    return {name: _compared(_installed(name), pins.get(name.lower(), "")) for name in project.dependencies()}


def _compared(there: str, pinned: str) -> str:
    same = not pinned or there.partition("+")[0] == pinned.partition("+")[0]  # 2.11.0+cu128 is a build of 2.11.0
    return there if same else f"{there} (constraints.txt: {pinned})"


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return _MISSING


def _torch() -> dict[str, str]:
    import torch

    from asdlib.runtime.devices import why_cuda_fails

    reason = why_cuda_fails()
    names = [] if reason else [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "version": torch.__version__,
        "CUDA": f"{torch.version.cuda or 'not in this build'}, {f'not usable: {reason}' if reason else 'usable'}",
        "GPUs": "; ".join(names) or "none",
        "threads": str(torch.get_num_threads()),
    }


def _answer(*command: str) -> str:
    """Return what a program prints, or nothing if it is missing, fails or does not answer."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
