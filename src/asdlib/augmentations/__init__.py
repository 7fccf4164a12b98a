"""The augmentations a recipe can name by its `kind`.

An augmentation has `augment(raw table, separated table or None, noise tables) -> Iterator[(clips, int16 audio)]`: it
yields additional training clips only, in pieces. The noise tables are those of the other machines and of a noise pool
if the recipe says `noise: pool`, else there are none. It is built with its recipe's settings and `seed`, and every clip
it makes depends on the seed and that clip only.
"""

from asdlib.augmentations.remix import Remix
from asdlib.augmentations.separated import Separated

AUGMENTATIONS: dict[str, type] = {"remix": Remix, "separated": Separated}
