"""Words with one meaning everywhere: in recipes, paths, tables and code."""

ALL = "all"  # in place of a machine: all machines of a dataset together, for a joint model or an overall figure
CORPUS = "corpus"  # in place of a dataset: the datasets that a model's recipe names
RAW = "raw"  # the view of a clip as it was recorded
