"""What a recipe's `training` block may say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Training:
    """How a network is trained; the defaults are plain Adam at a constant rate in float32."""

    epochs: int
    batch_size: int  # examples a micro-batch; what an example is, the model says
    learning_rate: float
    optimizer: str = "adam"  # adam or adamw
    betas: list[float] | None = None  # of Adam; None: 0.9 and 0.999
    eps: float = 1e-8  # of Adam
    weight_decay: float = 0.0
    accumulate: int = 1  # micro-batches whose gradients are averaged into one step
    steps_per_epoch: int | None = None  # None: once through the examples; else they are drawn in shuffled rounds
    schedule: str = "constant"  # constant, cosine down to `final_learning_rate`, or plateau
    final_learning_rate: float = 0.0
    warmup_epochs: float = 0.0  # linear from 0 to `learning_rate`
    patience: int = 3  # plateau: epochs without a better validation loss before the rate is multiplied by `factor`
    factor: float = 0.5
    early_stop: int | None = None  # stop after so many epochs without a better validation loss; keep the best weights
    clip_norm: float | None = None  # of the whole gradient
    validation: float = 0.0  # share of the examples that is only watched, for examples that hold out none themselves
    devices: int = 1  # GPUs, or processes on a CPU, that share every batch: each computes its part of the gradient
    precision: str = "float32"  # float32, or bf16: autocast on CUDA, float32 elsewhere
