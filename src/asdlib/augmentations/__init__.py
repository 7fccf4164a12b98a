"""The augmentations a recipe can name by its `kind`.

An augmentation has `augment(raw table, separated table) -> Iterator[(clips, int16 audio)]`, pieces of one kind of clip
each; it is built with its recipe's settings and `seed`, and every clip it makes depends on the seed and that clip only.
"""

AUGMENTATIONS: dict[str, type] = {}
