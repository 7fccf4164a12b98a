"""Parity with the published sub-cluster AdaCos: probabilities, loss, gradients and the scale of two calls."""

import json

import pytest
import torch
from helpers.golden import golden
from safetensors.torch import load_file

from asdlib.losses.sub_cluster_adacos import SubClusterAdaCos


@pytest.fixture(params=["sub_cluster_adacos", "sub_cluster_adacos_one"])
def case(request: pytest.FixtureRequest):
    folder = golden(request.param)
    config = json.loads((folder / "config.json").read_text())
    given = config["hyperparameters"]
    loss = SubClusterAdaCos(given["in_features"], given["num_classes"], given["num_subclusters"], trainable=True)
    with torch.no_grad():
        loss.weight.copy_(load_file(folder / "weights.safetensors")["class_weight"])
    return loss, load_file(folder / "io.safetensors"), config["tolerance"]


def test_two_training_calls(case) -> None:
    loss, expected, tolerance = case

    def same(name: str, ours: torch.Tensor) -> None:
        torch.testing.assert_close(ours.reshape(expected[name].shape), expected[name], **tolerance)

    features, labels = expected["features"].requires_grad_(), expected["soft_labels"]
    same("scale_before", loss.scale)
    same("probabilities_eval_scale_initial", loss.eval().probabilities(features, labels))
    same("scale_before", loss.scale)  # evaluation leaves it alone
    value = loss.train()(features, labels)
    value.backward()
    same("loss_train", value)
    same("scale_after", loss.scale)
    same("grad_features", features.grad)
    same("grad_class_weight", loss.weight.grad)
    same("probabilities_train", loss.eval().probabilities(features, labels))  # at the updated scale
    same("probabilities_train_second_call", loss.train().probabilities(features, labels))
    same("scale_after_second_call", loss.scale)
