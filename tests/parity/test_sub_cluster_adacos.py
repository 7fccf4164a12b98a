"""Parity with the published sub-cluster AdaCos: probabilities, loss, gradients, and the scale after two calls."""

from typing import Any

import torch
from helpers.golden import Golden
from helpers.second_golden import Tensors, goldens, repeat

from asdlib.losses.sub_cluster_adacos import SubClusterAdaCos


def second(config: dict[str, Any], io: Tensors, weights: Tensors) -> None:
    """Triple the batch; reverse the order of the classes."""
    count = config["hyperparameters"]["num_subclusters"]
    for tensors, name in ((io, "grad_class_weight"), (weights, "class_weight")):
        tensors[name] = tensors[name].unflatten(1, (-1, count)).flip(1).flatten(1)
    classes = [name for name in io if "labels" in name or "probabilities" in name]
    for name in classes:
        io[name] = io[name].flip(1)
    repeat(io, ["features", "grad_features", *classes], times=3)
    io["grad_features"] /= 3  # the gradient of a mean over the batch


case = goldens("sub_cluster_adacos", "sub_cluster_adacos_one", second=second)


def built(case: Golden) -> SubClusterAdaCos:
    """Return the golden's loss with its class weights."""
    sizes = case.sizes
    loss = SubClusterAdaCos(sizes["in_features"], sizes["num_classes"], sizes["num_subclusters"], trainable=True)
    with torch.no_grad():
        loss.weight.copy_(case.weights["class_weight"])
    return loss


def test_two_training_calls(case: Golden) -> None:
    loss = built(case)

    def same(name: str, ours: torch.Tensor) -> None:
        torch.testing.assert_close(ours.reshape(case.io[name].shape), case.io[name], **case.tolerance)

    features, labels = case.io["features"].clone().requires_grad_(), case.io["soft_labels"]
    same("scale_before", loss.scale)
    same("probabilities_eval_scale_initial", loss.eval().probabilities(features, labels))
    same("scale_before", loss.scale)  # evaluation does not change it
    value = loss.train()(features, labels)
    value.backward()
    same("loss_train", value)
    same("scale_after", loss.scale)
    same("grad_features", features.grad)
    same("grad_class_weight", loss.weight.grad)
    same("probabilities_train", loss.eval().probabilities(features, labels))  # at the updated scale
    same("probabilities_train_second_call", loss.train().probabilities(features, labels))
    same("scale_after_second_call", loss.scale)
