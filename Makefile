# A fresh machine needs Python 3.11 with venv, and nothing else: no root, no prompts. Every target may be run again.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# On Linux, pip's default torch brings gigabytes of CUDA. Where pip does not find a CPU build by itself, name the index
# that pytorch.org/get-started shows for "CPU": make demo TORCH_INDEX=URL
TORCH_INDEX ?=
TORCH := torch==2.13.0
TORCHVISION := torchvision==0.28.0
EMULATED := rpi3 rpi4 rpi5 rpi-zero2w arm64-generic x86-avx2 rpi-armv7l

.PHONY: demo test test-all test-numpy2 test-onnx-only test-wild onnx-only check quick fuzz benchmark benchmark-ordering benchmark-wild benchmark-ptq clean

demo: .venv/training .venv/emulators
	cd examples/digits && ../../$(BIN)/edgekit build --target rpi4

test: check .venv/emulators
	$(BIN)/pytest -n 2 -m "not slow"

test-all: check .venv/emulators .venv/vision test-numpy2 onnx-only .venv-wild/test
	$(BIN)/pytest -n 2

# The other world: numpy 2 and the newest onnx, which the extras inc and tflite do not take.
test-numpy2: .venv-numpy2/test .venv/emulators
	.venv-numpy2/bin/pytest -n 2 -m "not slow"

# Without torch and without the checkout: the wheel, built and installed anew.
test-onnx-only: onnx-only .venv/emulators
	$(BIN)/pytest tests/test_onnx_only.py

onnx-only: .venv/dev
	$(PYTHON) -m venv .venv-onnx-only
	rm -rf .venv-onnx-only/dist
	$(BIN)/python -m build --wheel --outdir .venv-onnx-only/dist .
	.venv-onnx-only/bin/python -m pip install --quiet .venv-onnx-only/dist/*.whl
	.venv-onnx-only/bin/python -m pip install --quiet --force-reinstall --no-deps .venv-onnx-only/dist/*.whl

# Models that packages bring, built and run by the packages; benchmarks/wild.py measures all of them.
test-wild: .venv/dev .venv-wild/test
	$(BIN)/pytest tests/test_wild.py

# The habit before every commit: what changed since the last one, in under a minute.
quick: check
	$(BIN)/pytest -n 2 -q -m "not slow" $$($(BIN)/python tests/changed.py)

# Property tests with random inputs, and many; one that fails is left below .hypothesis/ and tried first the next time.
# And all of onnx's node cases, of which make test-all takes 150.
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

# Hours: run it in pieces, with --budget and --work.
benchmark-ordering: .venv/dev
	cd benchmarks && ../$(BIN)/python ordering.py && ../$(BIN)/python ordering_rows.py

benchmark-wild: .venv-wild/test .venv/emulators
	.venv-wild/bin/python benchmarks/wild.py

benchmark-ptq: .venv/dev .venv-openvino/peer .venv-executorch/peer .venv-litert/peer
	$(BIN)/python benchmarks/ptq.py

# torch first: anything that merely wants "torch" would take another build of it.
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

# Its classifiers' counts are held against PyTorch's own, in a slow test.
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

# Other tools' runtimes, which benchmarks/ptq.py holds ours against; it runs without them, and says so.
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

# rpi4 with all its runtimes. Where the host cannot set them up, the build goes on and says which gates could not run.
.venv/emulators: .venv/training
	$(BIN)/edgekit setup $(EMULATED) && $(BIN)/edgekit setup rpi4 --runtimes all && touch $@ || $(BIN)/edgekit doctor

clean:
	rm -rf .venv .venv-*/ .hypothesis .edgekit examples/*/.edgekit examples/*/dist
