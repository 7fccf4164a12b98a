"""The choice of a job's device, and copies to it that the host does not wait for."""

import logging

import torch
from torch import Tensor

from asdlib.errors import AsdError
from asdlib.runtime.gpu_leases import claim, visible

_notice = logging.getLogger("asdlib.notice")  # also shown on stderr


def choose_device(device: str, gpus: int) -> torch.device:
    """Return the device for the setting `device` (auto, cpu or cuda) in a job that asks for `gpus` GPUs.

    `auto` uses a GPU if the job was granted one and the machine has one. `cuda` raises AsdError otherwise. The job
    waits until enough GPUs are free, unless SLURM has granted it its own: then these count, not `gpus`.
    """
    if device != "cpu":
        gpus = claim(gpus)  # before the next line: CUDA reads CUDA_VISIBLE_DEVICES only once
    available = torch.cuda.is_available()
    if device == "cuda" and (not available or gpus < 1):
        missing = "this machine has no usable GPU" if not available else "the job was granted no GPU (resources: gpu=0)"
        raise AsdError(f"config: device: cuda: {missing}: set device: auto or cpu")
    if device == "auto" and gpus > 0 and visible() and not available:
        what = (
            f"CUDA does not start with GPU {','.join(visible())}" if torch.version.cuda else "PyTorch is without CUDA"
        )
        _notice.warning("device: auto: %s: computing on the CPU; set device: cuda to stop instead", what)
    if device == "cpu" or not available or gpus < 1:
        return torch.device("cpu")
    return torch.device("cuda", 0)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device.

    CUDA copies from pinned memory without the host waiting for it; before any other copy to a GPU, the host waits until
    the GPU has done everything it was asked to do.
    """
    crosses = device.type == "cuda" and tensor.device.type == "cpu"
    return (tensor.pin_memory() if crosses else tensor).to(device, non_blocking=True)
