"""The sampling rate that a frontend expects."""

from typing import Any


def wrong_rate(frontend: Any, name: str, rate: int) -> str | None:
    """Return what is wrong if the clips have another rate than the frontend of this name expects."""
    if rate == frontend.sample_rate:
        return None
    return f"config: prepare.sample_rate: is {rate}, {name} expects {frontend.sample_rate}: change one"
