# Everything a fresh machine needs is Python 3.11+ and make: each target sets itself up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Flower pins packages that others want newer, and its websockets warns in every server: an environment of its own.
FLOWER := $(VENV)-flower
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test check bench prove matrix flower flower-test system clean

help:
	@echo "make demo   set up, then train and adapt the digits model in 64 KiB"
	@echo "make test   set up, then every check and test"
	@echo "make check  ruff, mypy and the import contracts"
	@echo "make bench  the README's tables, side by side with PyTorch, torch.compile and ExecuTorch"
	@echo "make flower a SuperLink and three SuperNodes on this machine learn the digits together, in out/flower"
	@echo "make flower-test  the same in a network namespace, through a capturing proxy, with kills"
	@echo "make prove  the long proofs: seeds and counts that the documentation quotes"
	@echo "make matrix every target beside every model: what runs, what trains, what a runtime lacks; goes on where it stopped"

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[demo]"
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || \
		$(BIN)/python -m pip install --quiet --editable ".[toolchain]"
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/.demo

$(FLOWER)/.flower: pyproject.toml
	$(PYTHON) -m venv $(FLOWER)
	$(FLOWER)/bin/python -m pip install --quiet --editable ".[flower]"
	@touch $@

demo: $(VENV)/.demo
	$(BIN)/selvedge demo

# The emulated microcontroller and the browser that looks at the pictures come from the system's packages; without the
# rights to install them their tests say so.
system:
	@sh scripts/install-system

check: $(VENV)/.dev
	$(BIN)/ruff check src tests examples benchmarks
	$(BIN)/ruff format --check src tests examples benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

flower: $(VENV)/.demo $(FLOWER)/.flower
	rm -rf out/flower
	$(BIN)/python -m pip install --quiet --editable ".[demo,federate]"
	$(BIN)/python examples/flower/prepare.py out/flower
	$(FLOWER)/bin/python -m selvedge.federate.grid.flower_loopback examples/flower out/flower

# The deployment with kills; Flower gives a task up that takes half a minute to begin: on a machine that is not busy.
flower-test: $(VENV)/.dev $(FLOWER)/.flower
	SELVEDGE_FLOWER=$(abspath $(FLOWER))/bin/python $(BIN)/python -m pytest tests/federate/test_flower.py tests/federate/test_grids.py \
		tests/benchmarks/test_federated_peer.py tests/benchmarks/test_masked.py

test: $(VENV)/.dev system check
	$(BIN)/python -m pytest -n 2 --dist worksteal

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

prove: $(VENV)/.dev system
	$(BIN)/python -m benchmarks.prove

matrix: $(VENV)/.dev
	$(BIN)/python -m benchmarks.matrix --write
	SELVEDGE_ALL=1 $(BIN)/python -m pytest tests/run/foreign tests/formats/onnx/test_zoo_float.py

clean:
	rm -rf $(VENV) $(FLOWER) build dist .pytest_cache .mypy_cache .ruff_cache
