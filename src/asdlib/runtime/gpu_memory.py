"""Too little GPU memory, said in one line that names what to change.

PyTorch raises torch.OutOfMemoryError when its own allocator finds no room, and other RuntimeErrors when CUDA or one of
its libraries (cuBLAS, cuDNN, cuFFT, NCCL) does not.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from asdlib.errors import OutOfGpuMemoryError
from asdlib.workflow.recipe import Recipe

# GiB that trainings took on an H200 at the recipe's own batch size, without CUDA graphs, as in docs/benchmarks.md.
PEAKS = {
    "sepreformer": 11.0, "sepreformer_small": 1.7, "conv_tasnet": 8.3, "conv_tasnet_small": 0.85, "tfgridnet": 5.4,
    "tfgridnet_small": 0.94, "dense_ae": 0.1, "dismae_base": 23.8, "dismae_tiny": 4.6, "eat_2025": 18.0,
    "eat_10k_2025": 6.7, "conditional_ae": 1.7, "unconditional_ae": 1.6, "conditional_ae_256": 3.4,
    "conditional_dense_ae": 0.1, "audiomae_adapted": 24.2, "audiomae_phase1": 11.9, "audiomae_phase2": 8.96,
    "beats_phase1": 10.0, "beats_phase2": 7.0, "beats_adapted": 3.3, "fusion_attention": 11.6, "fusion_mean": 11.5,
    "dual_branch_cnn": 2.3, "acae": 0.5,
}  # fmt: skip
_SHORTAGE = re.compile(
    r"CUDA( driver)? error: out of memory|CUDA out of memory|Cuda failure (2 )?'out of memory|INSUFFICIENT_RESOURCES"
    r"|CU(BLAS|DNN|SOLVER|SPARSE|FFT|RAND)_(STATUS_)?ALLOC(ATION)?_FAILED"
    r"|CU(BLAS|DNN|SOLVER|SPARSE)_STATUS_NOT_INITIALIZED"  # their handles, made at the first use, need memory
)


def is_shortage(error: BaseException | None) -> bool:
    """Return whether an error says that the GPU's memory is too small."""
    known = isinstance(error, torch.OutOfMemoryError)
    return known or (isinstance(error, RuntimeError) and bool(_SHORTAGE.search(str(error))))


@contextmanager
def explained(recipe: Recipe, device: torch.device, training: bool = False) -> Iterator[None]:
    """Raise OutOfGpuMemoryError for what the block raises for too little memory; say what to change in the recipe."""
    try:
        yield
    except RuntimeError as error:
        if not is_shortage(error):
            raise
        peak = PEAKS.get(recipe.name) if training else None
        graph = ", without cuda_graph" if (recipe.training or {}).get("cuda_graph") else ""
        figures = [_card(device), f"its training took {peak} GiB on an H200{graph}" if peak else ""]
        found = "; ".join(filter(None, figures))
        change = _knob(recipe) if training else "use another GPU, or the CPU (device: cpu)"
        raise OutOfGpuMemoryError(
            f"{recipe.name}: out of GPU memory{f' ({found})' if found else ''}: "
            f"end what else uses the GPU (see nvidia-smi), or {change}"
        ) from error


def _card(device: torch.device) -> str:
    """Return the name of a GPU and how its memory is used; nothing if CUDA does not even answer this."""
    with suppress(RuntimeError, AssertionError, ValueError):  # the last two: no CUDA, no CUDA device
        if device.type == "cuda" and torch.cuda.is_initialized():  # each process of a training has its own
            device = torch.device("cuda", torch.cuda.current_device())
        free, total = torch.cuda.mem_get_info(device)
        own = torch.cuda.memory_reserved(device)
        gib = [f"{amount / 2**30:.1f} GiB" for amount in (total, own, free)]
        return (
            f"{torch.cuda.get_device_name(device)} with {gib[0]}, of which this job has {gib[1]} and {gib[2]} are free"
        )
    return ""


def _knob(recipe: Recipe) -> str:
    """Return how to change the recipe so that its training needs less memory."""
    training = recipe.training or {}
    size, parts = training.get("batch_size", 1), training.get("accumulate", 1)
    if "round_clips" in recipe.settings:
        return f"lower round_clips ({recipe.settings['round_clips']})"
    if size < 2:
        return "use a GPU with more memory"
    if "micro_batch" in training:
        change = "set training.micro_batch to a small number"
    else:
        change = f"set training.batch_size: {size // 2} with accumulate: {parts * 2}"
    if training.get("cuda_graph"):  # it keeps the memory of a step while other batches are computed as usual
        change = f"set training.cuda_graph to false, or {change}"
    return f"{change}, or shorten pairs.segment" if recipe.registry == "separators" else change
