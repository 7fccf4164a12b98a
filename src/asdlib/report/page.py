"""The page itself: one HTML file that holds everything it shows and asks the network for nothing."""

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
from asdlib.report.tables import FIGURES

PROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"
PACKAGES = ("torch", "scikit-learn", "numpy", "librosa", "snakemake")
UNITS = ("B", "kB", "MB", "GB", "TB")


def write_page(out: Path, **content: Any) -> None:
    """Write the page piece by piece: its clips may be larger than what one wants to hold in memory."""
    pieces = (
        environment().get_template("page.html").generate(figures=list(FIGURES.values()), versions=versions(), **content)
    )
    with atomic(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as handle:
        handle.writelines(pieces)


def environment() -> Environment:
    """Return the templates' environment: whatever a name or file holds is escaped, an unknown name is an error."""
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
    """Return the library's version, and those of the packages that are installed where the page is made.

    The library runs from a checkout that need not be installed. A job's own environment has no Snakemake.
    """
    found = {"asdlib": tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def size(count: float) -> str:
    """Return bytes for the eye: three digits, and the unit that the rounded number asks for."""
    power = 0
    while power < len(UNITS) - 1 and float(f"{count / 1000**power:.3g}") >= 1000:
        power += 1
    return f"{count / 1000**power:.3g} {UNITS[power]}"


def duration(seconds: float) -> str:
    """Return a time for the eye: seconds, or hours and minutes."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def as_yaml(config: dict[str, Any]) -> str:
    """Return settings as a config file states them."""
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def script_hash(script: str) -> str:
    """Return what a content security policy knows an inline script by."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
