"""Reserved words of recipes, paths and tables."""

ALL = "all"  # instead of a machine: all machines of a dataset together, for a joint model or an overall figure
CORPUS = "corpus"  # instead of a dataset: all datasets in the corpus of a model's recipe
RAW = "raw"  # the view of the recordings without separation or augmentation
