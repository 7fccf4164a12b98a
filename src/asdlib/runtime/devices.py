"""Where a job computes."""

import torch

from asdlib.errors import AsdError
from asdlib.runtime.gpu_leases import lease


def choose_device(device: str, gpus: int) -> torch.device:
    """Return the device for `device` (auto, cpu or cuda) in a job that was granted `gpus` GPUs.

    `auto` takes a GPU if the job was granted one and the machine has one; `cuda` refuses to do without. On a machine
    with several GPUs the job waits until one is free.
    """
    if device != "cpu" and gpus > 0:
        lease(gpus)  # first: once CUDA is asked whether it is available, it no longer cares what it may see
    available = torch.cuda.is_available()
    if device == "cuda" and (not available or gpus < 1):
        missing = "this machine has no usable GPU" if not available else "the job was granted no GPU (resources: gpu=0)"
        raise AsdError(f"config: device: cuda: {missing}: set device: auto or cpu")
    if device == "cpu" or not available or gpus < 1:
        return torch.device("cpu")
    return torch.device("cuda", 0)
