"""Reconstruction errors as anomaly scores."""

import numpy as np
import pytest

from asdlib.backends.embeddings import Embeddings
from asdlib.backends.reconstruction_error import ReconstructionError
from asdlib.errors import AsdError


def test_the_error_is_the_score() -> None:
    train = Embeddings({"mse": np.array([[0.1], [0.3]])}, ["source", "target"], [{}, {}])
    backend = ReconstructionError("mse").fit(train)
    assert backend.train_score_.tolist() == [0.1, 0.3]
    assert backend.anomaly_score(Embeddings({"mse": np.array([[0.2]])})).tolist() == [0.2]


def test_a_representation_of_several_values_is_refused() -> None:
    given = Embeddings({"latent": np.zeros((2, 3))}, ["source", "target"], [{}, {}])
    with pytest.raises(AsdError, match=r"backend reconstruction_error: 'latent' has 3 values per clip: name a repres"):
        ReconstructionError("latent").fit(given)
