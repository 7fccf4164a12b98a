"""Config, recipes, keys and the graph: what the Snakefile asks."""
