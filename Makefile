# A fresh machine needs Python 3.11 with venv, and nothing else: no root, no prompts. Every target may be run again.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# On Linux, pip's default torch brings gigabytes of CUDA. Where pip does not find a CPU build by itself, name the index
# that pytorch.org/get-started shows for "CPU": make demo TORCH_INDEX=URL
TORCH_INDEX ?=
TORCH := torch==2.13.0

.PHONY: demo test test-all check benchmark install emulator clean

demo: install emulator
	cd examples/digits && ../../$(BIN)/edgekit build --target rpi4

test: install emulator check
	$(BIN)/pytest -n 2 -m "not slow"

test-all: install emulator check
	$(BIN)/pytest -n 2

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: install emulator
	$(BIN)/python benchmarks/digits.py

install: .venv/installed

# torch first: anything that merely wants "torch" would take another build of it.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch .venv/installed

# Where the host cannot set the emulator up, the build goes on and says which gates could not run.
emulator: install
	$(BIN)/edgekit setup rpi4 rpi5 rpi-zero2w x86-avx2 || $(BIN)/edgekit doctor

clean:
	rm -rf .venv .edgekit examples/*/.edgekit examples/*/dist
