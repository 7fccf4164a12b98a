"""The precision of a GPU's float32: chosen by the recipe, in force during the job, restored afterwards."""

import logging
import os
from collections.abc import Iterator

import pytest
import torch
from helpers.registry_toys import all_recipes
from lightning_fabric.accelerators import cuda

from asdlib.errors import AsdError
from asdlib.training.arithmetic import computing, shown

GPU, CPU = torch.device("cuda"), torch.device("cpu")


def switches() -> tuple[str, bool, bool]:
    return (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
    )


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    before = switches()
    yield
    assert switches() == before


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("float32", GPU, ("highest", False)),
        ("tf32", GPU, ("high", True)),
        ("bf16", GPU, ("highest", False)),
        ("tf32", CPU, ("highest", False)),
    ],
)
def test_a_precision_is_in_force_within_the_block_also_inside_another(precision, device, expected) -> None:
    with computing("tf32", GPU):
        with computing(precision, device):
            assert switches() == (*expected, False)
        assert switches() == ("high", True, False)


def test_an_error_restores_the_switches_too() -> None:
    with pytest.raises(ZeroDivisionError, match="'high', True, True"), computing("tf32", GPU, deterministic=True):
        raise ZeroDivisionError(switches())


def test_a_switch_that_stays_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Touching it imports PyTorch's compiler, which takes a second of every job that embeds or separates."""
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda mode: pytest.fail("touched"))
    with computing("float32", CPU):
        assert not torch.are_deterministic_algorithms_enabled()


def test_a_cpu_shows_float32() -> None:
    assert [shown("tf32", GPU), shown("tf32", CPU), shown("bf16", CPU)] == ["tf32", "float32", "float32"]


@pytest.mark.parametrize(("capability", "is_said"), [((7, 5), True), ((8, 0), False), ((9, 0), False)])
def test_a_gpu_without_units_for_bf16_is_said(monkeypatch: pytest.MonkeyPatch, capability, is_said: bool) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert shown("bf16", GPU) == (
        "bf16, which this GPU emulates: training.precision: float32 may be faster" if is_said else "bf16"
    )
    assert shown("float32", GPU) == "float32"


def test_deterministic_names_the_operation_that_cannot_be() -> None:
    def work() -> None:
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))

    work()
    message = r"training\.deterministic: put_ does not have a deterministic implementation: set it to false"
    with pytest.raises(AsdError, match=message), computing("float32", CPU, deterministic=True):
        work()


def test_other_errors_pass() -> None:
    with (
        pytest.raises(RuntimeError, match="shapes"),
        computing("float32", CPU, deterministic=True),
    ):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_lightning_does_not_advise_what_was_decided(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H100")
    monkeypatch.setattr(cuda, "_is_ampere_or_later", lambda _: True)
    monkeypatch.setattr(logging.getLogger("lightning_fabric"), "propagate", True)
    advise = cuda._check_cuda_matmul_precision
    with caplog.at_level(logging.INFO):
        advise.cache_clear()
        with computing("float32", GPU):
            advise(GPU)
        assert caplog.records == []
        advise.cache_clear()
        advise(GPU)
    assert "Tensor Cores" in caplog.text


@pytest.mark.parametrize("registry", ["models", "separators"])
def test_every_recipe_states_its_precision(registry: str) -> None:
    trained = {name: block["training"] for name, block in all_recipes(registry).items() if "training" in block}
    assert trained
    assert [name for name, block in trained.items() if "precision" not in block] == []


def test_networks_whose_batch_norm_amplifies_rounding_train_in_float32() -> None:
    """Measured on an H100: TF32 changed their gradients by 20 to 80 % (docs/benchmarks.md)."""
    for name in ("dense_ae", "conditional_dense_ae", "dual_branch_cnn"):
        assert all_recipes("models")[name]["training"]["precision"] == "float32"


def test_the_workspace_of_cublas_is_fixed_for_a_deterministic_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "x")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    with computing("tf32", GPU):
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    with computing("tf32", GPU, deterministic=True):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
