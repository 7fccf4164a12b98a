# Two commands for a fresh machine: `make demo` and `make test`. Both install what they need into .venv once.
# `make docs` writes the documentation as a site to site/; its own packages are installed into .venv only then.

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
INSTALLED := .venv/.installed
WITH_DOCS := .venv/.docs_installed

.PHONY: demo test docs format clean

# The longest chain first: otherwise one core draws the pictures of system3 at the end, and the others have nothing to do.
demo: $(INSTALLED)
	$(BIN)/snakemake all report --cores $(CORES) --configfile config/demo.yaml --quiet rules \
		--prioritize results/system3/report/demo.zip
	$(BIN)/asdlib table results/*/scores.csv
	@printf '\nWith sounds and pictures: open results/report.html in a browser (xdg-open results/report.html)\n'

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint --cores 1
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

docs: $(WITH_DOCS)
	$(BIN)/mkdocs build --strict

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

clean:
	rm -rf .venv .snakemake results site

# A folder .venv that is there would keep its Python, whatever Python is named.
define USABLE
import sys
if sys.version_info < (3, 11):
    sys.exit("asdlib needs Python 3.11 or newer: make PYTHON=python3.11 …")
from pathlib import Path
own = "python%d.%d" % sys.version_info[:2]
there = [path.name for path in Path(".venv/lib").glob("python3*")]
if there and own not in there:
    sys.exit(".venv is of %s: remove the folder to use %s, or run make PYTHON=%s" % (there[0], own, there[0]))
endef
export USABLE

# pip would compile all modules on one core, a third of an installation. One that does not compile hinders nobody (-).
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c "$$USABLE"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	-$(BIN)/python -W ignore -m compileall -q -j 0 .venv/lib
	touch $@

$(WITH_DOCS): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@
