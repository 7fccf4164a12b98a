"""What a network's loss is for a predictor that has learned nothing, for `bench_learning.py` and the tests.

For a reconstruction this is the mean spectrum, for classes one constant guess, for a separator the mixture itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asdlib.layers.encoders.audiomae import normalised
from asdlib.models.acae import Acae
from asdlib.models.audiomae_adaptation import AudioMaeAdaptation
from asdlib.models.dense_autoencoder import DenseAutoencoder
from asdlib.models.dismae import Dismae
from asdlib.models.dual_branch_cnn import DualBranchCnn
from asdlib.models.eat import Eat
from asdlib.models.eat_classifier import EatClassifier
from asdlib.models.label_classifier import LabelClassifier
from asdlib.models.window_autoencoder import WindowAutoencoder


@dataclass(frozen=True)
class Trivial:
    """The loss of a predictor that has learned nothing; `term` is the column of training.csv that it compares with."""

    loss: float
    term: str
    predictor: str


def trivial(network: nn.Module, batch: Any) -> Trivial:
    """Return the trivial loss of an untrained network on a batch of its training examples.

    For a kind of network that is not in `PREDICTORS` it is that of the untrained network itself.
    """
    with torch.no_grad():
        for kind, predict in PREDICTORS.items():
            if isinstance(network, kind):
                return predict(network, batch)
        return Trivial(float(network.loss(batch)), "loss", "untrained network")


def mean_square(targets: Tensor) -> float:
    """Return the mean squared error of predicting the mean over all but the last dimension."""
    flat = targets.flatten(0, -2)
    return float((flat - flat.mean(0)).square().mean())


def _vectors(network: DenseAutoencoder, batch: Any) -> Trivial:
    return Trivial(mean_square(batch.features), "loss", "mean spectrum")


def _windows(network: WindowAutoencoder, batch: Any) -> Trivial:
    return Trivial(mean_square(network.scale(batch.features)), "loss", "mean spectrum")


def _spectra(network: Acae, batch: Any) -> Trivial:
    machines = batch.labels[:, 1]
    spectra = network.standardised(batch, network.mean[machines], network.std[machines])
    return Trivial(mean_square(spectra), "reconstruction", "mean spectrum")


def _images(network: Dismae, batch: Any) -> Trivial:
    images, _ = network.images(batch.features, batch.frames, network.ranges[batch.labels[:, 0]])
    real = torch.arange(images.shape[2]) < batch.frames.min()
    return Trivial(mean_square(images[:, :, real].transpose(1, 2)), "reconstruction", "mean spectrum")


def _spectrograms(network: AudioMaeAdaptation, batch: Any) -> Trivial:
    spectrograms = normalised(batch.features, batch.frames)
    middle = spectrograms.flatten(0, 1).median(0).values  # the best constant for an absolute error
    return Trivial(float((spectrograms - middle).abs().mean()), "loss", "median spectrum")


def _targets(network: Eat, batch: Any) -> Trivial:
    targets = network.targets(batch.features)
    variance = (targets - targets.mean((0, 1))).square().mean()
    return Trivial(float(variance) * math.sqrt(targets.shape[2]), "frame", "mean target")


def _labels(network: LabelClassifier, batch: Any) -> Trivial:
    shares = batch.labels.bincount().double() / len(batch.labels)
    return Trivial(float(torch.special.entr(shares).sum()), "loss", "share of each class")


def _angles(network: EatClassifier, batch: Any) -> Trivial:
    nowhere = torch.zeros(len(batch.labels), network.reduce.out_features)
    return Trivial(float(network.head(nowhere, batch.labels)), "loss", "no direction")


def _exchanges(network: DualBranchCnn, batch: Any) -> Trivial:
    """Without a direction every class is equally likely: ln C of the first loss and ln 9·C of the second."""
    classes = len(network.classes)
    return Trivial(math.log(classes) + math.log(9 * classes), "loss", "every class alike")


PREDICTORS: dict[type, Callable[[Any, Any], Trivial]] = {
    DenseAutoencoder: _vectors,
    WindowAutoencoder: _windows,
    Acae: _spectra,
    Dismae: _images,
    AudioMaeAdaptation: _spectrograms,
    Eat: _targets,
    LabelClassifier: _labels,
    EatClassifier: _angles,
    DualBranchCnn: _exchanges,
}
