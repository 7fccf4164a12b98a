"""What a recipe's `training` block may say."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Training:
    """How a network is trained; the defaults are plain Adam at a constant rate in float32."""

    epochs: int
    batch_size: int  # examples a step; what an example is, the model says
    learning_rate: float
    optimizer: str = "adam"  # adam or adamw
    weight_decay: float = 0.0
    schedule: str = "constant"  # constant, or cosine down to `final_learning_rate`
    final_learning_rate: float = 0.0
    warmup_steps: int = 0  # linear from 0 to `learning_rate`
    clip_norm: float | None = None  # of the whole gradient
    validation: float = 0.0  # share of the examples that is only watched
    precision: str = "float32"  # float32, or bf16: autocast on CUDA, float32 elsewhere
