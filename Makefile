# A new machine needs only Python 3.11 with venv: no root, no prompts. Every target can be run again.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# On Linux, pip's default torch downloads gigabytes of CUDA. If pip does not select a CPU build, give the index
# that pytorch.org/get-started shows for "CPU": make demo TORCH_INDEX=URL
TORCH_INDEX ?=
TORCH := torch==2.13.0
TORCHVISION := torchvision==0.28.0
EMULATED := rpi3 rpi4 rpi5 rpi-zero2w arm64-generic x86-avx2 rpi-armv7l
SETUP = $(BIN)/edgekit setup $(EMULATED) && $(BIN)/edgekit setup rpi4 --runtimes all

.PHONY: demo test test-all test-numpy2 test-onnx-only test-wild onnx-only check quick fuzz benchmark benchmark-ordering benchmark-wild benchmark-ptq lock clean

demo: .venv/training .venv/emulators
	cd examples/digits && ../../$(BIN)/edgekit build --target rpi4

test: check .venv/emulators
	$(BIN)/pytest -n 2 -m "not slow"

test-all: check .venv/emulators .venv/vision test-numpy2 onnx-only .venv-wild/test
	$(BIN)/pytest -n 2

# numpy 2 and the newest onnx, which the extras inc and tflite do not support.
test-numpy2: .venv-numpy2/test .venv/emulators
	.venv-numpy2/bin/pytest -n 2 -m "not slow"

# Without torch and without the checkout: the wheel, built and installed again.
test-onnx-only: onnx-only .venv/emulators
	$(BIN)/pytest tests/test_onnx_only.py

onnx-only: .venv/dev
	$(PYTHON) -m venv .venv-onnx-only
	rm -rf .venv-onnx-only/dist
	$(BIN)/python -m build --wheel --outdir .venv-onnx-only/dist .
	.venv-onnx-only/bin/python -m pip install --quiet .venv-onnx-only/dist/*.whl
	.venv-onnx-only/bin/python -m pip install --quiet --force-reinstall --no-deps .venv-onnx-only/dist/*.whl

# Models from packages, built by edgekit and run by the packages; benchmarks/wild.py measures all of them.
test-wild: .venv/dev .venv-wild/test
	$(BIN)/pytest tests/test_wild.py

# Before every commit: the tests of what changed since the last one.
quick: check
	$(BIN)/pytest -n 2 -q -m "not slow" $$($(BIN)/python tests/changed.py)

# Property tests with many random inputs; a failing one is kept in .hypothesis/ and tried first the next time.
# Also all of onnx's node cases, of which make test-all runs 150.
fuzz: .venv/dev
	$(BIN)/pytest -n 2 -m "hypothesis or fuzz" --hypothesis-profile=fuzz

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: .venv/training .venv/emulators
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/digits.py
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/latency_model.py
	$(BIN)/python benchmarks/counting.py

# This takes hours: run it in parts, with --budget and --work.
benchmark-ordering: .venv/dev
	cd benchmarks && ../$(BIN)/python ordering.py && ../$(BIN)/python ordering_rows.py

benchmark-wild: .venv-wild/test .venv/emulators
	.venv-wild/bin/python benchmarks/wild.py

benchmark-ptq: .venv/dev .venv-openvino/peer .venv-executorch/peer .venv-litert/peer
	$(BIN)/python benchmarks/ptq.py

# torch first: a package that only requires "torch" would install another build.
.venv/torch:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	touch $@

.venv/training: .venv/torch pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[training]"
	touch $@

.venv/dev: .venv/training
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

# A slow test compares the counts of its classifiers with PyTorch's.
.venv/vision: .venv/dev
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCHVISION)"
	touch $@

.venv-numpy2/test: pyproject.toml
	$(PYTHON) -m venv .venv-numpy2
	.venv-numpy2/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	.venv-numpy2/bin/python -m pip install --quiet --editable ".[training,plot,litert,test]"
	touch $@

.venv-wild/test: pyproject.toml
	$(PYTHON) -m venv .venv-wild
	.venv-wild/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	.venv-wild/bin/python -m pip install --quiet --editable ".[wild]"
	touch $@

# Runtimes of other tools for benchmarks/ptq.py, which runs without them and says so.
.venv-openvino/peer:
	$(PYTHON) -m venv .venv-openvino
	.venv-openvino/bin/python -m pip install --quiet openvino==2026.4.1 nncf==3.4.0 onnx
	touch $@

.venv-executorch/peer:
	$(PYTHON) -m venv .venv-executorch
	.venv-executorch/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	.venv-executorch/bin/python -m pip install --quiet executorch==1.5.1
	touch $@

.venv-litert/peer:
	$(PYTHON) -m venv .venv-litert
	.venv-litert/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	.venv-litert/bin/python -m pip install --quiet litert-torch==0.10.0
	touch $@

# rpi4 with all its runtimes. A machine whose mirror no longer has the packages of the lock takes those that it has, and
# records their digests. If the host cannot set them up, the build continues and says which gates could not run.
.venv/emulators: .venv/training
	$(SETUP) && touch $@ || EDGEKIT_UNPINNED=1 $(SHELL) -c "$(SETUP)" && touch $@ || $(BIN)/edgekit doctor

# lock.json: the digests of all that `edgekit setup` fetches. On Debian 12, before a release; see the diff before it is
# committed. Digests of base images: make lock IMAGES="debian:bookworm-slim=sha256:..."
lock: .venv/training
	$(BIN)/python -m edgekit.fetching.relock $(IMAGES)

clean:
	rm -rf .venv .venv-*/ .hypothesis .edgekit examples/*/.edgekit examples/*/dist
