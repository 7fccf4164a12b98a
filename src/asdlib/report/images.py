"""Figures and their style, embedded in the page as data URLs."""

import base64
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave

# Okabe and Ito's palette, which remains distinguishable with the common colour vision deficiencies and in grey.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY, BLACK = "#e69f00", "#56b4e9", "#8a8a8a", "#1d1f21"
LINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
DASHES = ("-", "--", "-.", ":")  # in addition to colour, so that lines do not differ by colour alone
MARKERS = "os^vDPX*<>phd8H"  # for more lines than dashes; with LINES, they give 120 different pairs
STYLE = {
    "font.size": 8.5, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": "#767676", "axes.linewidth": 0.8, "axes.grid": True, "grid.color": "#e8e8e8",
    "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False, "legend.fontsize": 7.5,
    "xtick.color": "#444444", "ytick.color": "#444444", "text.parse_math": False, "figure.dpi": 140,
    "hatch.linewidth": 0.6,
}  # fmt: skip
styled = rc_context(STYLE)  # a decorator for functions that draw
LOSSLESS = {"lossless": True, "quality": 60, "method": 4}
LOSSY = {"quality": 70, "method": 4}
WIDTH = 5.6  # of a figure, inches
Picture = dict[str, Any]  # source (a data URL), alt, width and height (pixels)


def joint_legend(figure: Figure, panels: Iterable[Any], **options: Any) -> None:
    """Add one legend for all panels to a figure; `options` are those of matplotlib's `Figure.legend`."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), **options)


def data_address(kind: str, content: bytes) -> str:
    """Return bytes of a MIME type, such as `audio/mpeg`, as a data URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def new_figure(columns: int, height: float = 2.3) -> tuple[Figure, list[Any]]:
    """Return a figure with axes side by side; `height` is in inches."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def picture(figure: Figure, alt: str) -> Picture:
    """Return a figure as a lossless WebP image; `alt` is the alternative text with its main numbers."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_webp(buffer, pil_kwargs=LOSSLESS)  # `savefig` draws a figure with a layout twice
    width, height = figure.canvas.get_width_height()
    return {"source": data_address("image/webp", buffer.getvalue()), "alt": alt, "width": width, "height": height}


def heat(values: np.ndarray, alt: str, colours: str = "viridis") -> Picture:
    """Return an array (rows, columns) in [0, 1] as a WebP image, one pixel per value; row 0 is at the bottom."""
    buffer = io.BytesIO()
    imsave(buffer, colormaps[colours](values[::-1]), format="webp", pil_kwargs=LOSSY)
    height, width = values.shape
    return {"source": data_address("image/webp", buffer.getvalue()), "alt": alt, "width": width, "height": height}
