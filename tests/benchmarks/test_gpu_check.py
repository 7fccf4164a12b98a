"""The check for a GPU, on the CPU: it compares what it says, and it can fail."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_a_recipe_agrees_with_itself_and_a_limit_that_is_exceeded_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_rows

    row = gpu_rows.compared("models", "eat_10k_2025", True, "cpu")
    assert row["faults"] == []
    assert row["float32"] == "0e+00 / 0e+00 / 0e+00"
    assert row["bf16"] != row["float32"]
    monkeypatch.setitem(gpu_rows.LIMITS, "bf16", (0.0, 0.0, 0.0))
    assert len(gpu_rows.compared("models", "eat_10k_2025", True, "cpu")["faults"]) == 3


def test_every_trained_recipe_is_checked() -> None:
    import gpu_recipes
    from helpers.registry_toys import all_recipes

    checked = set(gpu_recipes.recipes())
    for registry in ("separators", "models"):
        kinds = {block["kind"] for block in all_recipes(registry).values()}
        assert kinds == {all_recipes(registry)[name]["kind"] for where, name in checked if where == registry}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "draw",
    [
        lambda ones: functional.dropout(ones, 0.5),
        lambda ones: torch.rand(8).to(ones.dtype),
        lambda ones: torch.rand_like(ones),
        lambda ones: torch.bernoulli(ones / 2),
        lambda ones: torch.empty_like(ones).bernoulli_(0.5),
        lambda ones: torch.empty_like(ones).normal_(),
    ],
    ids=["dropout", "rand", "rand_like", "bernoulli", "bernoulli_", "normal_"],
)
def test_draws_are_those_of_float32(draw, dtype: torch.dtype) -> None:
    from shared_draws import SharedDraws

    found = []
    for one in (torch.float32, dtype):
        torch.manual_seed(0)
        with SharedDraws():
            found.append(draw(torch.ones(8, dtype=one)))
    assert len(found[0].unique()) > 1
    torch.testing.assert_close(found[1].float(), found[0].to(dtype).float())
