"""The registry of augmentations, by the `kind` of a recipe.

An augmentation is created with its recipe's settings and `seed`. Its method
`augment(raw table, separated table or None, noise tables) -> Iterator[(clips, audio)]` yields additional training
clips in batches. With `noise: pool` in the recipe, the noise tables are those of the other machines and of a noise
pool; otherwise there are none. A new clip depends on the seed and the clip that it is made from; one of `remix` also on
the noise clips and on the machine's other clips, which decide how many are made of each, and from which noise is
estimated if there are no noise clips.
"""

from asdlib.augmentations.remix import Remix
from asdlib.augmentations.separated import Separated

AUGMENTATIONS: dict[str, type] = {"remix": Remix, "separated": Separated}
