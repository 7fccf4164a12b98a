"""The HTML page of the report, a single file that loads nothing from the network."""

import base64
import hashlib
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from asdlib.data.files import atomic

PROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"
PACKAGES = ("torch", "scikit-learn", "numpy", "librosa", "snakemake")
UNITS = ("B", "kB", "MB", "GB", "TB")


def write_page(out: Path, **content: Any) -> None:
    """Write the page piece by piece, because its clips can be too large to hold in memory."""
    pieces = environment().get_template("page.html").generate(versions=versions(), **content)
    with atomic(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(pieces)


def environment() -> Environment:
    """Return the environment of the templates, in which values are escaped and an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("asdlib.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"size": size, "duration": duration, "as_yaml": as_yaml, "script_hash": script_hash}
    return made


def versions() -> dict[str, str]:
    """Return the version of the library and of those `PACKAGES` that are installed.

    The library can run from a checkout that is not installed. The environment of a job may lack Snakemake.
    """
    found = {"asdlib": tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def size(count: float) -> str:
    """Return a number of bytes as text with three significant digits and a unit."""
    power = 0
    while power < len(UNITS) - 1 and float(f"{count / 1000**power:.3g}") >= 1000:
        power += 1
    return f"{count / 1000**power:.3g} {UNITS[power]}"


def duration(seconds: float) -> str:
    """Return a time as text, in seconds or in hours and minutes."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def as_yaml(config: dict[str, Any]) -> str:
    """Return settings as YAML text."""
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def script_hash(script: str) -> str:
    """Return the hash by which a content security policy allows an inline script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
