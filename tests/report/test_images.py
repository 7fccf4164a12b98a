"""The legend that several panels share."""

from asdlib.report.images import joint_legend, new_figure


def test_a_legend_names_what_any_panel_shows_once() -> None:
    figure, panels = new_figure(2)
    for axes, labels in zip(panels, (("training", "normal"), ("normal", "anomaly")), strict=True):
        for label in labels:
            axes.plot([0, 1], label=label)
    joint_legend(figure, panels, loc="outside lower center")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["training", "normal", "anomaly"]
