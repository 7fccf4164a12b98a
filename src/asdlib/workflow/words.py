"""Reserved words of recipes, paths and tables, and the names that folders and files may have."""

# Instead of a machine: all machines of a dataset together, for a joint model or an overall figure. Instead of a
# section: all sections of a machine, for its figures. No machine may have this name, and a section is two digits.
ALL = "all"
SECTION = "section"  # the scope of a model that each section of a machine has one of
CORPUS = "corpus"  # instead of a dataset: all datasets in the corpus of a model's recipe
SCORED = "scored"  # in the corpus of a model's recipe: the datasets of the run
NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}"  # of a system, dataset, machine or file: safe in a path, and short enough
RAW = "raw"  # the view of the recordings without separation or augmentation
FAR = "far"  # the view of the recordings of the far microphone, where there are two
