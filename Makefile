# Thin: each target is one line that calls `cargo xtask`, which says with --help what else it can do.

XTASK := cargo xtask
ifneq ($(CI),)
# The target folder lies outside of the checkout, so that a clean clone builds only what changed; and xtask is built in
# the profile of tests and images, so that what they share is built once.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hearth/target
XTASK := cargo run --quiet --profile ci --package xtask --
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick lab lab-down gen verify bench-operator bench-argo bench-history prove fmt lint

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## From nothing to a finished CO2 Workflow with its record in Postgres.
	@$(XTASK) demo

test: ## Every check and test, stage by stage, on a real cluster.
	@$(XTASK) test

test-quick: ## The checks and tests that need no cluster.
	@$(XTASK) test --quick

lab: ## Start the lab: Kubernetes, containerd and Postgres in a network namespace.
	@$(XTASK) lab up

lab-down: ## Stop the lab and remove all that it made.
	@$(XTASK) lab down

gen: ## Write everything that is generated from the registry of kinds.
	@$(XTASK) gen

verify: ## Fail when a generated file is not as generated.
	@$(XTASK) verify

bench-operator: ## Measure the operator on fake nodes, beside a bare loop.
	@$(XTASK) bench-operator

bench-argo: ## Measure the operator on fake nodes, in turns with Argo Workflows' controller.
	@$(XTASK) bench-argo

bench-history: ## Measure the history store on both back ends, beside a bare loop.
	@$(XTASK) bench-history

prove: ## Put guarantees and tests to the test: simulator, kills in the lab, mutants.
	@$(XTASK) prove

fmt: ## Format the sources.
	@cargo fmt --all

lint: ## Format check, clippy, generated files, API rules, dependencies, layers.
	@$(XTASK) test --only fmt,clippy,generated,api-lint,dependencies,layers
