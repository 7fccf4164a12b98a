"""What a local run finds: the GPUs, the memory and the cores of the machine, without them."""

import ctypes
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from asdlib.runtime import gpu_leases, gpus, host_cores, host_memory, local_run


class Driver:
    """The driver's libraries with a number of GPUs and a version of CUDA; None: it does not answer."""

    def __init__(self, found: int | None, cuda: int = 13000):
        self._found = found
        self._cuda = cuda

    def nvmlInit_v2(self) -> int:
        return 18 if self._found is None else 0  # 18: the versions of driver and library differ

    def nvmlDeviceGetCount_v2(self, count: ctypes.c_uint) -> int:
        count._obj.value = self._found
        return 0

    def nvmlShutdown(self) -> int:
        return 0

    def cuDriverGetVersion(self, version: ctypes.c_int) -> int:
        version._obj.value = self._cuda
        return 0 if self._cuda else 3  # 3: CUDA is not initialised


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that pretends a driver with a number of GPUs, its device files and CUDA_VISIBLE_DEVICES."""

    def pretend(driver: int | str | None, files: int = 0, chosen: str | None = None) -> None:
        def load(name: str) -> Driver:
            if driver == "missing":
                raise OSError(name)
            return Driver(driver)

        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(gpus, "DEVICES", tmp_path)
        for name in ("nvidiactl", "nvidia-uvm", *(f"nvidia{number}" for number in range(files))):
            (tmp_path / name).touch()
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if chosen is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)

    return pretend


@pytest.mark.parametrize(
    ("driver", "files", "chosen", "usable"),
    [
        ("missing", 0, None, 0),
        ("missing", 2, None, 2),  # a container without the management library
        ("missing", 0, "0,1", 0),  # the variable is set, but there is no GPU
        (4, 4, None, 4),
        (4, 4, "2,3", 2),
        (4, 4, "1,7,2", 1),  # CUDA stops at a number that no GPU has
        (4, 4, "", 0),
        (4, 4, "-1", 0),
        (1, 1, "MIG-a,MIG-b", 2),
        (None, 1, None, 0),  # the driver does not answer: CUDA cannot use the GPU either
    ],
)
def test_gpus_are_counted_as_cuda_would(machine, driver, files: int, chosen: str | None, usable: int) -> None:
    machine(driver, files, chosen)
    assert gpu_leases.usable() == usable


@pytest.mark.parametrize(
    ("driver", "needed", "fault"),
    [
        (12040, "13.0", "its driver supports CUDA up to 12.4, and the installed PyTorch is for 13.0"),
        (9020, "12.6", "its driver supports CUDA up to 9.2, and the installed PyTorch is for 12.6"),
        (12040, "12.8", ""),  # a driver supports all of its major version
        (13010, "12.6", ""),
        (12040, "", ""),  # a PyTorch for CPUs
        (0, "13.0", ""),
    ],
)
def test_a_driver_that_is_too_old_for_pytorch_is_found(monkeypatch, driver: int, needed: str, fault: str) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver(2, driver))
    monkeypatch.setattr(gpus, "needed_cuda", lambda: needed)
    remedy = "update the driver, or install PyTorch for that CUDA (docs/faq.md, GPU)"
    line = f"GPU: not used: {fault}: {remedy}" if fault else ""
    assert local_run.driver_fault(()) == line
    assert local_run.driver_fault(("apptainer",)) == "", "a container may have another PyTorch"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert local_run.driver_fault(()) == "", "no GPU was to be used"
    assert local_run.found((), asks_for_gpus=True, driver_fits=False)["gpu"] == 0


def test_a_machine_without_a_driver_has_none_that_is_too_old(machine) -> None:
    machine("missing")
    assert gpus.supported_cuda() == gpus.too_old() == ""


@pytest.mark.parametrize(
    ("written", "needed"),
    [
        ("__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", "13.0"),
        ("cuda = '12.6'\n", "12.6"),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.4'\n", ""),
        (None, ""),
    ],
)
def test_the_cuda_of_pytorch_is_read_without_importing_it(monkeypatch, tmp_path, written: str | None, needed) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('imported')")
    if written is not None:
        (tmp_path / "torch" / "version.py").write_text(written)
    spec = spec_from_file_location("torch", tmp_path / "torch" / "__init__.py")
    monkeypatch.setattr(gpus, "find_spec", {"torch": spec}.get)
    assert gpus.needed_cuda() == needed
    monkeypatch.setattr(gpus, "find_spec", lambda _: None)
    assert gpus.needed_cuda() == ""


def test_the_cuda_of_the_installed_pytorch_is_found() -> None:
    import torch

    assert gpus.needed_cuda() == (torch.version.cuda or "")


def write_groups(root: Path, listing: str, files: dict[str, str]) -> None:
    for path, text in [
        ("proc/self/cgroup", listing),
        *((f"sys/fs/cgroup/{name}", text) for name, text in files.items()),
    ]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


GROUPS = {
    "version 2": ("0::/jobs/mine\n", {"jobs/memory.max": "4000000000", "jobs/mine/memory.max": "max"}),
    "version 1": ("9:cpu,cpuacct:/\n7:memory:/mine\n", {"memory/mine/memory.limit_in_bytes": "4000000000"}),
    "a limit above what there is": ("0::/\n", {"memory.max": "9223372036854771712"}),
    "the files of another machine": ("0::/nowhere\n", {}),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_memory_is_that_of_the_machine_or_of_the_control_group(monkeypatch, tmp_path: Path, name: str) -> None:
    listing, files = GROUPS[name]
    write_groups(tmp_path, listing, files)
    monkeypatch.setattr(host_memory.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000}.__getitem__)
    expected = 3600 if name.startswith("version") else 14745
    assert host_memory.usable_mb(tmp_path) == expected


QUOTAS = {
    "version 2": ("0::/jobs/mine\n", {"jobs/cpu.max": "150000 100000\n", "jobs/mine/cpu.max": "max 100000\n"}, 2),
    "version 1": (
        "9:cpu,cpuacct:/mine\n7:memory:/\n",
        {
            "cpu/mine/cpu.cfs_quota_us": "300000\n",
            "cpu/mine/cpu.cfs_period_us": "100000\n",
            "cpu/cpu.cfs_quota_us": "-1",
        },
        3,
    ),
    "less than a core": ("0::/\n", {"cpu.max": "20000 100000"}, 1),
    "more cores than there are": ("0::/\n", {"cpu.max": "2400000 100000"}, 8),
    "no period": ("0::/\n", {"cpu.max": "20000 0"}, 8),
    "no group": ("", {}, 8),
}


@pytest.mark.parametrize(("listing", "files", "usable"), QUOTAS.values(), ids=QUOTAS)
def test_the_cores_are_those_of_the_machine_or_of_the_control_group(
    monkeypatch, tmp_path: Path, listing: str, files: dict[str, str], usable: int
) -> None:
    monkeypatch.setattr(host_cores.os, "sched_getaffinity", lambda _: set(range(8)))
    write_groups(tmp_path, listing, files)
    assert host_cores.usable(tmp_path) == usable
    assert host_cores.too_many(usable, tmp_path) == ""
    said = f"--cores: 9 are more than the {usable} that may be used here at a time: give --cores {usable}"
    assert host_cores.too_many(9, tmp_path) == said


@pytest.mark.parametrize(("counted", "cores"), [(5, 5), (None, 1)])
def test_a_system_without_affinity_has_all_its_cores(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, cores: int
) -> None:
    monkeypatch.delattr(host_cores.os, "sched_getaffinity")
    monkeypatch.setattr(host_cores.os, "cpu_count", lambda: counted)
    assert host_cores.available() == cores


def test_a_system_that_does_not_say_how_much_memory_it_has_sets_no_limit(monkeypatch, tmp_path: Path) -> None:
    def fail(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(host_memory.os, "sysconf", fail)
    assert host_memory.usable_mb(tmp_path) is None


@pytest.mark.parametrize(
    ("given", "asks", "limits"),
    [
        ([], True, {"gpu": 4, "mem_mb": 9000}),
        (["gpu"], True, {"mem_mb": 9000}),  # also --resources gpu=0
        (["gpu", "mem_mb"], True, {}),
        ([], False, {"mem_mb": 9000}),  # device: cpu
    ],
)
def test_what_the_user_limits_is_not_looked_for(machine, monkeypatch, given: list[str], asks: bool, limits) -> None:
    machine(4)
    monkeypatch.setattr(host_memory, "usable_mb", lambda: 9000)
    assert local_run.found(given, asks) == limits


def test_what_was_found_is_one_line() -> None:
    assert local_run.in_words({}) == ""
    assert local_run.in_words({"gpu": 1}) == "found here: 1 GPU (other limits: --resources gpu=N)"
    both = "found here: no GPU, 9,000 MB of memory for jobs (other limits: --resources gpu=N mem_mb=N)"
    assert local_run.in_words({"gpu": 0, "mem_mb": 9000}) == both


@pytest.mark.parametrize(("deployed", "forks"), [((), True), (("conda",), False), (("apptainer",), False)])
def test_jobs_are_forks_unless_they_use_other_libraries(deployed: tuple[str, ...], forks: bool) -> None:
    assert local_run.can_fork(deployed) == forks


def test_jobs_are_forks_only_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert not local_run.can_fork(())
