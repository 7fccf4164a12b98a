"""The choice of a job's device, and copies to it that the host does not wait for."""

import logging

import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.runtime.gpu_leases import claim, hide_all, visible
from asdlib.runtime.gpu_memory import is_shortage
from asdlib.runtime.job_environment import is_first

_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


def choose_device(device: str, gpus: int) -> torch.device:
    """Return the device for the setting `device` (auto, cpu or cuda) in a job that asks for `gpus` GPUs.

    `auto` uses a GPU if the job was granted one and CUDA computes on it. `cuda` raises AsdError otherwise. The job
    waits until enough GPUs are free, unless SLURM has granted it its own: then these count, not `gpus`.
    """
    if device == "cpu":
        return _without_gpus()
    if claim(gpus) < 1:  # before CUDA is asked, because it reads CUDA_VISIBLE_DEVICES only once
        if device == "cuda":
            raise AsdError(
                "config: device: cuda: the job was granted no GPU (resources: gpu=0): set device: auto or cpu"
            )
        return _without_gpus()
    reason = why_cuda_fails() if is_first() else ""  # the other processes of a training have GPUs of their own
    if not reason:
        return torch.device("cuda", 0)
    if device == "cuda":
        raise AsdError(f"config: device: cuda: this machine has no usable GPU ({reason}): set device: auto or cpu")
    if names := ",".join(visible()):
        what = f"device: auto: CUDA does not compute on GPU {names} ({reason})"
        _notice.warning("%s: computing on the CPU; set device: cuda to stop instead", what)
    return _without_gpus()


def _without_gpus() -> torch.device:
    """Return the CPU, and hide all GPUs from this process.

    An optimiser asks CUDA in every step whether a graph is being recorded, if it sees a GPU. With a driver that is too
    old this fails, and otherwise CUDA may take memory of a GPU that the job does not use.
    """
    hide_all()
    return torch.device("cpu")


def why_cuda_fails() -> str:
    """Return why CUDA does not compute, in PyTorch's words; empty if it does, or if only memory is missing.

    `torch.cuda.is_available` counts what the driver shows, also if the driver or the GPU is too old for PyTorch. Memory
    may be free by the time it is needed; what needs it says what to change.
    """
    try:
        torch.ones(1, device="cuda").neg_()
        torch.cuda.synchronize()
    except (RuntimeError, AssertionError, torch.cuda.DeferredCudaCallError) as error:  # the second: built without CUDA
        return "" if is_shortage(error) else str(error).strip().splitlines()[0].partition(" Please ")[0].rstrip(".")
    return ""


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device.

    CUDA copies from pinned memory without the host waiting for it; before any other copy to a GPU, the host waits until
    the GPU has done everything it was asked to do.
    """
    crosses = device.type == "cuda" and tensor.device.type == "cpu"
    return (tensor.pin_memory() if crosses else tensor).to(device, non_blocking=True)
