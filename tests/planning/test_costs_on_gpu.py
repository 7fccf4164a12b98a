"""The costs on a GPU: operations counted anew, and shares of the peak rate as docs/benchmarks.md has measured them."""

import sys
from pathlib import Path

import pytest
import torch
from helpers.markdown_tables import tables
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))

from gpu_recipes import case  # noqa: E402

CONTENT = read_yaml(ROOT / "resources" / "costs.yaml")
COSTS = CONTENT["recipes"]["separators"] | CONTENT["recipes"]["models"]
PAGE = tables((ROOT / "docs" / "benchmarks.md").read_text())
(SPEED,) = [table for table in PAGE if "share of the peak" in table[0]]
(OPERATIONS,) = [table for table in PAGE if table[0][0] == "recipe" and "peak rate" in table[0]]
CLIPS = 14  # enough for two clips of each class
SIZES = {"dense_ae": 256, "conditional_ae": 8, "acae": 2, "dual_branch_cnn": 2}  # examples in a batch


def operations(name: str, **changes: int) -> float:
    """Return the 10^9 operations of training on a clip once, at full size apart from the changes."""
    made = case("models", name, small=False, clips=CLIPS, **changes)
    size = SIZES.get(name, 1)
    batch = made.batches(1, torch.device("cpu"), size)[0]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # which shows all operations
        made.network.train().loss(batch).backward()
    return counter.get_total_flops() / 1e9 / size * len(made.examples) / CLIPS


@pytest.mark.parametrize("name", ["dense_ae", "conditional_ae", "acae", "dual_branch_cnn"])
def test_the_operations_of_small_networks_are_those_of_the_costs(name: str) -> None:
    assert operations(name) == pytest.approx(COSTS[name]["gflop"][0], rel=0.02)


@pytest.mark.parametrize("name", ["audiomae_phase1", "beats_phase2"])
def test_the_operations_of_large_networks_grow_with_their_depth(name: str) -> None:
    """All blocks of an encoder are alike, so that two small networks tell the cost of the recipe's."""
    one, two = (operations(name, depth=depth) for depth in (1, 2))
    assert one + 11 * (two - one) == pytest.approx(COSTS[name]["gflop"][0], rel=0.02)


def test_the_pages_table_of_operations_is_that_of_the_costs() -> None:
    for name, *figures in OPERATIONS[1:]:
        cost = COSTS[name]
        assert figures[:3] == [*(f"{count:g}" for count in cost["gflop"]), cost["peak"]], name
    assert {row[0] for row in OPERATIONS[1:]} <= set(COSTS)


def test_the_shares_are_those_that_were_measured() -> None:
    """The page's shares are rounded, and random masks differ between counts."""
    for label, _, _, _, share, _, _, _, embedding in SPEED[1:]:
        cost = COSTS[label.partition(" ")[0]]
        trained, embedded = cost["share"]
        assert trained == pytest.approx(float(share.rstrip("%")) / 100, abs=0.035), label
        rate = 1000 * CONTENT["peaks"][cost["peak"]] * embedded
        assert 1000 * cost["gflop"][1] / rate == pytest.approx(float(embedding), rel=0.08), label
    measured = {row[0].partition(" ")[0] for row in SPEED[1:]}
    lines = (ROOT / "resources" / "costs.yaml").read_text().splitlines()
    guessed = {"dual_branch_cnn", "acae", "beats_adapted"} - measured
    assert sum("share: [" in line and "guess" in line for line in lines) == len(guessed)
