"""The separators a recipe can name by its `kind`.

A separator is an `nn.Module` with
- `examples(audio table) -> Examples`: the mixtures it learns from,
- `loss(batch) -> Tensor`: a scalar to minimise,
- `separate(mixture) -> Tensor`: (B, samples) in [-1, 1] → the machine's sound, same shape and level.
"""

SEPARATORS: dict[str, type] = {}
