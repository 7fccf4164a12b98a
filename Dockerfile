# An image with everything that the workflow's jobs need, installed as `make` installs it. docs/container.md says how it
# is built and used.
#
# PyTorch is what the package index has for constraints.txt: on Linux with the libraries for CUDA, which also runs on
# CPUs. For a smaller image without CUDA, name an index with PyTorch's builds for CPUs:
#   docker build -t asdlib --build-arg PIP_EXTRA_INDEX_URL=… .
# The image has Python, make and a C compiler.
FROM python:3.11

ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /opt/asdlib
COPY pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY src ./src
RUN make .venv/.installed
ENV PATH=/opt/asdlib/.venv/bin:$PATH
CMD ["asdlib", "info"]
