#!/usr/bin/env bash
# Snakemake runs this once, inside the environment that it has made of asdlib.yaml. It takes PYTHONPATH away from jobs
# in conda environments, so a path file leads them to the library of the checkout that runs them (ASDLIB is set by
# workflow/rules/common.smk).
set -euo pipefail
python - <<'END'
import sysconfig
from pathlib import Path

line = 'import os, sys; "ASDLIB" in os.environ and sys.path.insert(0, os.environ["ASDLIB"] + "/src")\n'
Path(sysconfig.get_path("purelib"), "asdlib.pth").write_text(line)
END
