"""Maps of embeddings in two dimensions, by principal components and by t-SNE."""

from pathlib import Path

import numpy as np

from asdlib.data.tables import ClipTable
from asdlib.report.images import BLACK, BLUE, GREY, VERMILLION, Picture, joint_legend, new_figure, picture, styled
from asdlib.runtime.lean_imports import hidden

with hidden("pandas"):  # which scikit-learn would import
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

FEWEST = 8  # clips; t-SNE needs more than a handful
KEPT = 50  # principal components that t-SNE starts from
PERPLEXITY = 30.0
ROUNDS = 500  # of t-SNE; with twice as many, its divergence for the demo's 200 clips is 1 to 2 % lower
# Face and edge by domain: filled, hollow, and filled with a dark edge, so that domains do not differ by colour alone.
DOMAINS = {"source": (BLUE, "none"), "target": ("none", VERMILLION), None: (GREY, BLACK)}
# Marker, size and opacity by the kind of clip; None: a test clip without a label.
MARKERS = {"train": ("o", 5, 0.5), "normal": ("D", 16, 0.9), "anomaly": ("X", 26, 0.9), None: ("s", 16, 0.9)}


def embedding_map(
    path: Path, representation: str | None, section: str, most: int, title: str
) -> dict[str, Picture | str | None]:
    """Return the `picture` of one section's clips by PCA and t-SNE, or None and its `flaw`: why there is none.

    Domains differ by colour and fill, labels by marker.

    `representation` is the one that the backend uses; None concatenates all of them. At most `most` training clips are
    drawn, evenly spaced. `places` of the picture are those of the test clips by t-SNE.
    """
    clips, values = clips_and_values(path, representation, section, most)
    if reason := flaw(values):
        return {"picture": None, "flaw": reason}
    values = StandardScaler().fit_transform(values)
    pca = PCA(min(KEPT, *values.shape), svd_solver="full")
    components = pca.fit_transform(values)
    perplexity = min(PERPLEXITY, (len(values) - 1) / 3)
    plane = TSNE(perplexity=perplexity, max_iter=ROUNDS, random_state=0).fit_transform(components)
    share = 100 * pca.explained_variance_ratio_[:2].sum()
    drawn = _draw(clips, {f"PCA, {share:.0f} % of the variance": components, "t-SNE": plane}, title)
    return {"picture": drawn | {"places": _places(clips, plane)}, "flaw": None}


def flaw(values: np.ndarray) -> str | None:
    """Return why the embeddings (clips, dimensions) of a section have no map; None if they have one."""
    if values.shape[1] < 2:
        return "the embedding has one number per clip"
    if len(values) < FEWEST:
        return f"there are fewer than {FEWEST} clips"
    return None if np.isfinite(values).all() else "a value is not finite"


def _places(clips: list[dict], plane: np.ndarray) -> dict[str, list[int]]:
    """Return where each test clip lies on a map, as thousandths of its width and height from the lower left."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    shares = (1000 * (plane - low) / np.maximum(high - low, 1e-12)).round().astype(int).tolist()
    return {
        clip["source_file"].rpartition("/")[2]: share
        for clip, share in zip(clips, shares, strict=True)
        if clip["kind"] == "test"
    }


def clips_and_values(path: Path, representation: str | None, section: str, most: int) -> tuple[list[dict], np.ndarray]:
    """Return the clips' metadata and values (clips, dimensions): `most` training clips, then all test clips."""
    table = ClipTable(path)
    names = [representation] if representation else list(table.tensors)
    rows, parts = [], []
    for kind in ("train", "test"):
        clips = table.clips(kind).to_pylist()
        chosen = [number for number, row in enumerate(clips) if row["section"] == section]
        if kind == "train" and len(chosen) > most:
            chosen = [chosen[index] for index in np.linspace(0, len(chosen) - 1, most).round().astype(int)]
        loaded = [table.load(name, kind)[1][chosen] for name in names]
        rows += [clips[number] for number in chosen]
        parts.append(np.concatenate([array.reshape(len(chosen), -1) for array in loaded], axis=1))
    return rows, np.concatenate(parts).astype(np.float64)


@styled
def _draw(clips: list[dict], planes: dict[str, np.ndarray], title: str) -> Picture:
    groups: dict[tuple, list[int]] = {}
    for number, clip in enumerate(clips):
        kind = "train" if clip["kind"] == "train" else clip["label"]
        groups.setdefault((kind, clip["domain"]), []).append(number)
    order = sorted(groups, key=lambda group: (list(MARKERS).index(group[0]), group[1] or ""))
    figure, panels = new_figure(len(planes), height=2.8)
    for axes, (name, plane) in zip(panels, planes.items(), strict=True):
        for kind, domain in order:
            marker, size, opacity = MARKERS[kind]
            points = plane[groups[kind, domain]]
            face, edge = DOMAINS[domain]
            axes.scatter(points[:, 0], points[:, 1], size, facecolors=face, edgecolors=edge, marker=marker,
                         alpha=opacity, linewidths=0.8, label=_name(kind, domain))  # fmt: skip
        axes.set(title=name, xticks=[], yticks=[])
    joint_legend(figure, panels, loc="outside lower center", ncols=3)
    counts = "; ".join(f"{len(groups[group])} {_name(*group)}" for group in order)
    return picture(figure, f"Map of {title} by {' and by '.join(planes)}: {counts}.")


def _name(kind: str | None, domain: str | None) -> str:
    what = "training" if kind == "train" else f"test {kind or 'without label'}"
    return f"{what}, {domain or 'domain unknown'}"
