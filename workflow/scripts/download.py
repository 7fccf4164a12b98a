"""Rule download: see src/asdlib/steps/download.py."""

from asdlib.steps.command import run
from asdlib.steps.download import download

run(download)
