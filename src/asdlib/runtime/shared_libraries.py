"""Libraries that many jobs need, without what they take along and no job needs, as elsewhere in asdlib.

To import this module is to import them (`asdlib.runtime.job_server`).
"""
# ruff: noqa: F401

import asteroid.models
import numpy
import pyarrow.parquet
import scipy.signal
import soundfile
import torch
import yaml

from asdlib.runtime.lean_imports import hidden

with hidden("torchmetrics"):
    import lightning_fabric
with hidden("pandas"):
    import sklearn.neighbors
