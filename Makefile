# What a contributor types. Each target sets up all it needs (scripts/setup) and is quick when there is nothing to do.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: build lint test demo bench

TARGET := $(shell uname -m)-unknown-linux-musl
BUILD := cargo build --release --locked --quiet --package bayplan --target $(TARGET)

# The static binary at dist/bayplan.
build:
	@scripts/setup build
	$(BUILD)
	@install -D target/$(TARGET)/release/bayplan dist/bayplan
	@! ldd dist/bayplan 2>/dev/null | grep '=>' || { echo "dist/bayplan is not static"; exit 1; }
	@echo "dist/bayplan: $$(dist/bayplan --version), $$(( $$(stat -c %s dist/bayplan) / 1000000 )) MB, static"

# What is checked without running anything.
lint:
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	cargo xtask generate --check
	cargo xtask tidy

# Everything that CI checks. Needs root: the tests run real containers.
test:
	@scripts/setup test
	@[ "$$(id -u)" = 0 ] || { echo "The tests run real containers and need root. Type: sudo -E make test"; exit 1; }
	@$(MAKE) --no-print-directory lint
	cargo test --workspace --locked --no-fail-fast
	@$(MAKE) --no-print-directory build
	.venv/bin/python -m pytest tests/clients

# Bayplan from nothing to a container that answers, and back to nothing.
demo:
	@scripts/setup demo
	@$(MAKE) --no-print-directory build
	scripts/demo

# The figures, ours and the peers' in one run; installs the peers. Needs root and an idle machine. ROWS="up describe" measures only these.
bench:
	@scripts/setup bench
	@$(MAKE) --no-print-directory build
	python3 benches/run.py $(ROWS)
