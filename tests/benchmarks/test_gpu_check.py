"""The check for a GPU, on the CPU: it compares what it says, and it can fail."""

import importlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
import yaml
from torch.autograd import DeviceType
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from asdlib.errors import AsdError

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
CONFIG = ROOT / "config" / "config.yaml"
FOREVER = 120  # s; a check of rows that do nothing has ended long before, also on a busy machine


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def test_a_recipe_agrees_with_itself_and_a_limit_that_is_exceeded_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_rows

    row = gpu_rows.compared("models", "eat_10k_2025", "cpu")
    assert row["faults"] == []
    assert row["float32"] == "0e+00 / 0e+00 / 0e+00"
    assert row["bf16"] != row["float32"]
    for name in gpu_rows.PRECISIONS:
        monkeypatch.setitem(gpu_rows.LIMITS, name, (-1.0, -1.0, -1.0))
    faults = gpu_rows.compared("models", "eat_10k_2025", "cpu")["faults"]
    judged = [fault.partition(":")[0] for fault in faults]
    assert judged == [
        "loss in float32", "gradient in float32", "embedding in float32", "loss in bf16", "gradient in bf16"
    ]  # fmt: skip


def test_a_network_that_cannot_be_recorded_is_a_fault_and_its_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_graphs
    import gpu_loop
    import gpu_speed

    def refuse(*_: object) -> None:
        raise AsdError("it looks at values")

    monkeypatch.setattr(gpu_speed, "TIMED", 1)
    for module, check in ((gpu_graphs, gpu_graphs.replayed), (gpu_loop, gpu_speed.timed)):
        monkeypatch.setattr(module, "in_the_loop", refuse)
        row = check("models", "dense_ae", True, "cpu")
        assert row["faults"] == ["it looks at values"]
    assert row["ms"] > 0


@pytest.mark.parametrize(
    ("module", "check", "recipe"), [("gpu_speed", "timed", "dense_ae"), ("gpu_graphs", "compiled", "dismae_tiny")]
)
def test_steps_are_timed_with_as_many_threads_as_in_a_job(
    monkeypatch: pytest.MonkeyPatch, module: str, check: str, recipe: str
) -> None:
    checks = importlib.import_module(module)
    seen = []

    def stop(*_: object) -> None:
        seen.append(torch.get_num_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr(checks, "training_step", stop)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyboardInterrupt):
            getattr(checks, check)("models", recipe, True, "cpu")
        assert seen == [yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["threads"]]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_one_recipe_of_each_kind_that_is_recorded_is_compared() -> None:
    import gpu_graphs
    from gpu_recipes import full_recipe, recipes

    compared = gpu_graphs.graphed(recipes())
    recorded = [full_recipe(*pair) for pair in recipes() if full_recipe(*pair).training.get("cuda_graph")]
    assert sorted(full_recipe(*pair).kind for pair in compared) == sorted({recipe.kind for recipe in recorded})
    assert ("separators", "sepreformer_small") in compared
    assert ("separators", "sepreformer") not in compared


def test_what_an_epoch_does_once_is_not_part_of_a_step_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_loop
    from gpu_recipes import case

    monkeypatch.setattr(gpu_loop, "in_the_loop", lambda made, device, steps: SimpleNamespace(seconds=7 + 0.25 * steps))
    for name, micro_batches in (("dense_ae", 1), ("beats_phase2", 5)):  # of a step
        made = case("models", name, small=True, clips=14, training={"accumulate": 16 if micro_batches > 1 else 1})
        assert gpu_loop.fed(made, torch.device("cpu"), 0.2) == pytest.approx(0.25 / micro_batches)
    monkeypatch.setattr(gpu_loop, "in_the_loop", lambda *_: SimpleNamespace(seconds=7.0))
    assert math.isnan(gpu_loop.fed(made, torch.device("cpu"), 0.2))


def test_a_precision_that_a_recipe_does_not_use_need_not_be_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_rows

    results = gpu_rows._results

    def without(precision: str) -> dict:
        def refuse(made: object, device: object, chosen: str, size: int) -> object:
            if chosen == precision and calls:  # the first call is that of the reference
                raise RuntimeError("no such kernel")
            calls.append(chosen)
            return results(made, device, chosen, size)

        calls: list[str] = []
        monkeypatch.setattr(gpu_rows, "_results", refuse)
        return gpu_rows.compared("models", "dense_ae", "cpu")

    row = without("bf16")
    assert row["bf16"] == "not possible: no such kernel"
    assert row["faults"] == []
    with pytest.raises(RuntimeError, match="no such kernel"):
        without("float32")


@pytest.mark.parametrize(
    ("registry", "name"), [("models", "dense_ae"), ("models", "eat_10k_2025"), ("separators", "conv_tasnet")]
)
def test_a_recipe_is_timed(registry: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that holds recordings out, with which the shortened training would refuse to start."""
    import gpu_loop
    import gpu_speed

    for module in (gpu_speed, gpu_loop):
        monkeypatch.setattr(module, "TIMED", 1)
    monkeypatch.setattr(gpu_loop, "GRAPHED", (1, 1))
    row = gpu_speed.timed(registry, name, True, "cpu")
    assert row.pop("faults") == []
    assert set(row) | {"row s"} == set(gpu_speed.COLUMNS)
    assert min(row["ms"], row["embed ms a clip"]) > 0
    assert not row["fed ms"] <= 0  # not a number where two short epochs took about the same time


def test_the_busy_time_is_that_of_overlapping_kernels_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_loop
    import gpu_speed

    def kernel(start: int, end: int, device: DeviceType = DeviceType.CUDA) -> SimpleNamespace:
        return SimpleNamespace(start_ns=lambda: start, end_ns=lambda: end, device_type=lambda: device)

    def measured(*events: SimpleNamespace) -> float:
        results = SimpleNamespace(profiler=SimpleNamespace(kineto_results=SimpleNamespace(events=lambda: events)))
        monkeypatch.setattr(gpu_speed, "profile", lambda **_: nullcontext(results))
        return gpu_speed._busy(torch.device("cpu"), lambda: None)

    second = 10**9
    nested, apart = [kernel(0, 4 * second), kernel(second, 2 * second)], kernel(6 * second, 7 * second)
    assert measured(apart, *nested, kernel(0, 9 * second, DeviceType.CPU)) == 5.0
    assert math.isnan(measured())  # where CUDA's profiler sees nothing
    assert [gpu_speed._share(share) for share in (0.25, -0.01, -0.26, math.nan)] == ["25%", "0%", "", ""]
    assert [gpu_loop._replayed(usual) for usual in (0.3, 0.02, 0.001)] == [20, 50, 200]


def test_two_jobs_do_not_share_a_card_and_the_check_would_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_sharing

    monkeypatch.setattr(gpu_sharing, "get_context", lambda _: Jobs)
    for spans, faults in (([(0.0, 2.0), (2.5, 4.5)], 0), ([(0.0, 2.0), (1.0, 3.0)], 1)):
        Jobs.spans = spans
        assert len(gpu_sharing.leases(True, "cpu")["faults"]) == faults


class Jobs:
    """Processes that do nothing, and the times that they would have reported."""

    spans: ClassVar[list[tuple[float, float]]] = []

    @staticmethod
    def Queue() -> SimpleNamespace:
        waiting = list(Jobs.spans)
        return SimpleNamespace(get=lambda timeout: waiting.pop())

    @staticmethod
    def Process(target, args) -> SimpleNamespace:
        return SimpleNamespace(start=lambda: None, join=lambda: None)


def test_rows_are_printed_one_by_one_and_a_failure_counts(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_check

    monkeypatch.setattr(gpu_check, "ProcessPoolExecutor", lambda at_once, **_: ThreadPoolExecutor(at_once))
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)

    table = gpu_check.Table(["row s"], [(name, divided, (number,)) for name, number in (("good", 1), ("bad", 0))])
    assert gpu_check._print("toy", table, gpu_check._done(table)) == 1
    printed = capsys.readouterr().out
    good, bad = printed.splitlines()[-2:]
    assert good.startswith("| good | ")
    assert good.endswith(" | PASS |")
    assert bad == "| bad |  | FAIL; ZeroDivisionError: division by zero |"


def divided(number: int) -> dict:
    return {"faults": [], "quotient": 1 / number}


def test_some_tables_are_made_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_check

    log: list[str] = []
    together = threading.Barrier(len(gpu_check.BESIDE), timeout=FOREVER)

    def done(name: str) -> Iterator[tuple[str, dict]]:
        if name in gpu_check.BESIDE:
            together.wait()  # for ever, if one of them has to wait for another
        log.append(name)
        yield name, {}

    monkeypatch.setattr(gpu_check, "_done", done)
    names = ["machine", *gpu_check.BESIDE, "timed"]
    found = {name: list(rows) for name, rows in gpu_check._rows({name: name for name in names})}
    assert found == {name: [(name, {})] for name in names}
    assert (log[0], log[-1]) == ("machine", "timed")


FEW_EACH = """
import gpu_check

gpu_check.MODULES = ["gpu_check"]
rows = [(f"row {number}", dict, ({"faults": []},)) for number in range(7)]
table = gpu_check.Table(["row s"], rows, at_once=2, per_process=2)
raise SystemExit(gpu_check._print("toy", table, gpu_check._done(table)))
"""


def test_all_rows_of_a_table_are_done_whose_processes_take_few_each(tmp_path: Path) -> None:
    """In real processes. With `max_tasks_per_child`, the pool waits for ever for the last rows.

    The check is a process of its own, so that one that waits can be killed with the processes of its pool.
    """
    modules = os.pathsep.join([str(BENCHMARKS), str(ROOT / "src")])
    log, environment = tmp_path / "printed", os.environ | {"PYTHONPATH": modules}
    with log.open("w") as output:  # a pipe would stay open as long as any process of the pool
        check = subprocess.Popen(
            [sys.executable, "-c", FEW_EACH], env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        code = check.wait(FOREVER)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it has not ended after {FOREVER} s, and had printed:\n{log.read_text()}")
    finally:
        if check.poll() is None:
            os.killpg(check.pid, signal.SIGKILL)
            check.wait()
    assert code == 0, log.read_text()
    assert sorted(line.split(" | ")[0] for line in log.read_text().splitlines() if line.endswith(" | PASS |")) == [
        f"| row {number}" for number in range(7)
    ]


def test_every_trained_recipe_is_checked() -> None:
    import gpu_recipes
    from helpers.registry_toys import all_recipes

    checked = set(gpu_recipes.recipes())
    for registry in ("separators", "models"):
        kinds = {block["kind"] for block in all_recipes(registry).values() if "training" in block}
        assert kinds == {gpu_recipes.full_recipe(*pair).kind for pair in checked if pair[0] == registry}


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


def test_attention_with_dropout_is_not_fused_because_fused_kernels_draw_by_themselves() -> None:
    from shared_draws import SeparateDropout

    class Fused(TorchFunctionMode):
        def __torch_function__(self, call, types, args=(), kwargs=None):
            if call is functional.scaled_dot_product_attention:
                found.append(torch.backends.cuda.mem_efficient_sdp_enabled())
            return call(*args, **kwargs or {})

    found: list[bool] = []
    query = torch.rand(2, 1, 4, 8)
    for dropout in (0.0, 0.5):
        with Fused(), SeparateDropout():
            functional.scaled_dot_product_attention(query, query, query, dropout_p=dropout)
    assert found == [True, False]


def test_operations_counted_on_two_clips_of_a_domain_are_those_of_the_whole_round() -> None:
    from gpu_recipes import case
    from gpu_speed import _operations, operations_of_an_example

    made = case("models", "dismae_tiny", True, clips=112)
    assert made.recipe.settings["round_clips"] > 2
    network = made.network.train()
    whole = _operations(lambda: network.loss(made.batches(1, torch.device("cpu"), 1)[0]).backward())
    assert operations_of_an_example(made, torch.device("cpu")) == pytest.approx(whole, rel=0.01)


@pytest.mark.parametrize("stays", [True, False])
def test_what_a_check_started_ends_with_it(tmp_path: Path, stays: bool) -> None:
    """Also when the check is killed: otherwise its children would keep the GPU. Without the call they go on."""
    die = "" if stays else "import own_process; own_process.die_with_parent();"
    child = f"import os, time; {die} open('started', 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(ROOT / "src")])}
    started = subprocess.Popen([sys.executable, "-c", parent], cwd=tmp_path, env=environment)
    number = waited_for(lambda: (tmp_path / "started").exists() and (tmp_path / "started").read_text())
    started.kill()
    started.wait()
    try:
        if stays:
            time.sleep(0.5)
            assert alive(number)
        else:
            waited_for(lambda: not alive(number))
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)


def alive(number: str) -> bool:
    """Return whether a process runs, and is not only waiting for someone to ask how it ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def waited_for(condition: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return found
