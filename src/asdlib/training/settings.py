"""The settings of a recipe's `training` block."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Training:
    """How a network is trained; the default is Adam with a constant learning rate in float32."""

    epochs: int
    batch_size: int  # examples of a batch; the model defines what an example is
    learning_rate: float
    optimizer: str = "adam"  # adam or adamw
    betas: list[float] | None = None  # of Adam; None: 0.9 and 0.999
    eps: float = 1e-8  # of Adam
    weight_decay: float = 0.0
    accumulate: int = 1  # number of batches whose gradients are averaged for one step
    micro_batch: int | str | None = None  # examples of a batch computed at a time; auto: as many as fit; None: all
    steps_per_epoch: int | None = None  # None: each example once; otherwise drawn from successive permutations
    schedule: str = "constant"  # constant, cosine (down to `final_learning_rate`) or plateau
    final_learning_rate: float = 0.0
    warmup_epochs: float = 0.0  # linear from 0 to `learning_rate`
    patience: int = 3  # plateau: epochs without improvement before the rate is multiplied by `factor`
    factor: float = 0.5
    early_stop: int | None = None  # stop after this many epochs without improvement; keep the best weights
    clip_norm: float | None = None  # largest norm of the whole gradient
    validation: float = 0.0  # share of the examples held out, unless they have a validation set of their own
    validation_recordings: int | None = None  # hold out that share of the source recordings, but at most so many
    devices: int = 1  # GPUs, or processes on a CPU; each computes its part of every batch's gradient
    precision: str = "float32"  # on CUDA: float32, tf32 or bf16 (autocast); on a CPU always float32
    deterministic: bool = False  # on CUDA: slower operations that add in a fixed order, or an error
    cuda_graph: bool = False  # on CUDA: replay the gradient of equal batches; for networks that wait for the host
