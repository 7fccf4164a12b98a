"""The costs on a GPU: operations counted anew, and shares of the peak rate as docs/benchmarks.md has measured them."""

import re
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

from gpu_recipes import case, full_recipe  # noqa: E402

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


@pytest.mark.parametrize("row", SPEED[1:], ids=lambda row: row[0].partition(" ")[0])
def test_the_shares_are_those_that_were_measured(row: list[str]) -> None:
    label, _, single, _, _, share, loop, _, embedding = row
    name = label.partition(" ")[0]
    cost, ms = COSTS[name], float(loop.partition(",")[0] if loop[0].isdigit() else single)
    rate = 1000 * CONTENT["peaks"][cost["peak"]]  # 10^9 operations per second
    trained, embedded = cost["share"]
    if name == "dismae_base":  # timed in an epoch with the domain head; the page has the share of a single step
        assert trained == pytest.approx(float(share.rstrip(" %")) / 100 * float(single) / ms, abs=0.01)
    else:
        assert trained == pytest.approx(cost["gflop"][0] * in_a_step(name) / (ms / 1000) / rate, rel=0.05)
    assert 1000 * cost["gflop"][1] / (rate * embedded) == pytest.approx(float(embedding), rel=0.05)


def in_a_step(name: str) -> float:
    """Return how many clips of 10 s, or seconds of mixtures, a training step of a recipe computes."""
    registry = "separators" if name in CONTENT["recipes"]["separators"] else "models"
    recipe = full_recipe(registry, name)
    size = recipe.training["batch_size"]
    if "round_clips" in recipe.settings:
        return 3 * recipe.settings["round_clips"]  # clips of a round
    if registry == "separators":
        return size * recipe.settings["pairs"]["segment"]
    if name == "beats_adapted" or COSTS[name]["peak"] == "bf16":  # large networks: an example is a clip
        return size
    return size * CLIPS / len(case(registry, name, small=False, clips=CLIPS).examples)


@pytest.mark.parametrize("name", [name for name, cost in CONTENT["recipes"]["models"].items() if "train" in cost])
def test_the_examples_of_a_clip_are_those_of_its_training(name: str) -> None:
    size = full_recipe("models", name).training["batch_size"]
    assert COSTS[name].get("examples", 1) == pytest.approx(size / in_a_step(name), rel=0.01)


def test_no_share_on_a_gpu_is_a_guess_where_it_was_measured() -> None:
    measured = {row[0].partition(" ")[0] for row in SPEED[1:]}
    name, sources = "", {}
    for line in (ROOT / "resources" / "costs.yaml").read_text().splitlines():
        block = re.match(r"    (\w+):", line)
        name = block[1] if block else name
        if "share: [" in line:
            sources[name] = line.partition("# ")[2]
    assert {one for one, source in sources.items() if source == "docs/benchmarks.md, On a GPU"} <= measured
    assert {one for one, source in sources.items() if source.startswith("ours")}.isdisjoint(measured)
