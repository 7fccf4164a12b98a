"""The registry of labellers, by the `kind` of a recipe. A labeller groups training clips that have no attributes.

`representation` names what a labeller reads of a frozen model's embeddings. `label(clips, vectors)` gets the metadata
of a machine's training clips and that representation, (N, …). It returns one number per clip, int32 (N,), or NONE where
the attributes are the label. The numbers of two sections or domains have nothing to do with each other.
`expected(clips)` returns numbers without embeddings: as many different ones as `label` would, and of no meaning.
"""

from asdlib.labellers.clusters import Clusters

LABELLERS: dict[str, type] = {
    "clusters": Clusters,
}
