"""The figures in all tables, by the names of their columns.

Standard library only, because the graph imports this module.
"""

AREAS = ("auc_source", "auc_target", "pauc")  # the official score is their harmonic mean
FIGURES = (*AREAS, "hmean")
TITLES = {"auc_source": "AUC source", "auc_target": "AUC target", "pauc": "pAUC", "hmean": "h-mean"}
