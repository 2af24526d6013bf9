# The commands for people. `make test` checks the code: all that has to hold before a change is merged. CI (`.ci/run`) runs it, and then
# `deny` and `e2e-cluster`, which need other tools.
MAKEFLAGS += --no-print-directory
CARGO ?= cargo
PART := hack/part
# Most tests wait for timers and processes, so that several run on a core.
TEST_THREADS ?= $(shell expr 3 \* $$(nproc))

.PHONY: help deps build control-plane test deny sbom mutants fuzz proof sabotage bench demo crd chart image e2e e2e-cluster repro release-check release-tag release-login release-image release-index release-chart docs clean

help: ## Lists the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

deps: ## Checks for what the build needs, and installs libclang where it can
	@hack/deps

build: deps ## Builds the operator, the simulator and the demo
	$(CARGO) build --locked --workspace

control-plane: deps ## Finds, downloads or builds (8 minutes, once) etcd and kube-apiserver
	$(CARGO) run --quiet --locked --package testbed --bin control-plane

test: deps ## Checks the code: format, lints, documentation, tests
	@$(PART) "format" $(CARGO) fmt --all --check
	@$(PART) "format of fuzz" $(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@$(PART) "lints" $(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@$(PART) "documentation" env RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --lib --no-deps
	@$(PART) "compilation" $(CARGO) test --locked --workspace --no-run
	@$(PART) "control plane" $(MAKE) control-plane
	@$(PART) "tests" env RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --locked --workspace --no-fail-fast

deny: ## Checks licences, duplicates and sources of the dependencies, and advisories if their database is reachable; builds cargo-deny (8 minutes, once)
	@hack/deny

sbom: ## Lists the components of the program (CycloneDX) and their licences, in target/sbom
	@hack/sbom

mutants: ## Mutates the rules and the Atlas client in every small way, and checks that a test fails (hours)
	@hack/mutants

fuzz: ## Runs each fuzz target for FUZZ_SECONDS (60): parsers, mark, claim, memory, invariants of the rules
	@hack/fuzz

proof: deps ## Checks that nothing is lost or duplicated: the model, every fault at every request, kills, clocks, fields (an hour); PLAN=create/atlas-3 runs only some plans
	@CARGO="$(CARGO)" hack/proof $(PLAN)

sabotage: deps ## Breaks the operator on purpose, in a copy, and checks that the plans of tests/plans fail (minutes)
	@CARGO="$(CARGO)" hack/sabotage

bench: deps ## Measures the release program and writes docs/performance.md (90 minutes); QUICK=1 only prints the short runs (35 minutes)
	program=$$(hack/static)/spe-operator && bench() { $(CARGO) run --quiet --locked --profile fast --package testbed --bin bench -- "$$program" "$$@"; } && \
	$(if $(filter-out 0,$(QUICK)),bench --quick,bench && bench --page)

demo: deps ## Shows how manifests become connected endpoints; EXIT=1 deletes them again and ends
	$(CARGO) build --locked --workspace --bins
	$(CARGO) run --quiet --locked --package testbed --bin demo -- $(if $(filter-out 0,$(EXIT)),--exit)

crd: deps ## Generates crds/ from the types
	UPDATE=1 $(CARGO) test --quiet --locked --workspace --test crd -- the_committed_definitions

chart: crd ## Generates files from the chart and the types: crds/, its copy in the chart, the values in its README, the bases and the policy in deploy/
	cp crds/*endpoint*.yaml charts/spe-operator/files/
	UPDATE=1 $(CARGO) test --quiet --locked --workspace --test chart -- readme deploy::the_base_for deploy::the_admission

image: ## Builds the container image with this machine's Rust, and buildah or docker
	@hack/image

e2e: ## Tests the chart from install to uninstall on the cluster of the current kubeconfig, with helm, kubectl and curl; OPERATOR_IMAGE and SIMULATOR_IMAGE name images that it can pull (hack/image, hack/simulator-image)
	@hack/e2e

e2e-cluster: deps ## Runs the same on a cluster of its own, if the folder E2E_CLUSTER can start one
	@hack/e2e-cluster

repro: ## Builds the release program twice, in different directories, and compares the results bit by bit
	@hack/repro

release-check: deps ## Checks what a release needs besides `make test`: the chart with Helm 3, the alerts with promtool, a reproducible build, the components
	@$(PART) "helm 3" env HELM=helm3 $(CARGO) test --locked --workspace --test chart -- --skip rights --skip notes
	@$(PART) "promtool" $(CARGO) test --locked --workspace --test chart -- --ignored promtool
	@$(PART) "reproducible" hack/repro
	@$(PART) "components" hack/sbom
	@$(PART) "signatures" $(CARGO) test --locked --workspace --test docs -- --ignored cosign

release-tag: ## Checks that the pushed tag is the version of these sources, and that CHANGELOG.md describes it
	@hack/release tag

release-login: ## Logs in to RELEASE_REGISTRY with RELEASE_USER and RELEASE_PASSWORD
	@hack/release login

release-image: ## Builds the image for this architecture, pushes it to RELEASE_REGISTRY, attaches components and provenance, signs it
	@hack/release image

release-index: ## Pushes one name for the images of all architectures, and signs it
	@hack/release index

release-chart: ## Pushes the chart to RELEASE_REGISTRY, and signs it
	@hack/release chart

docs: deps ## Generates docs/reference/ from the code, and the tables of docs/concepts/health.md and docs/architecture.md
	UPDATE=1 $(CARGO) test --quiet --locked --workspace --test docs --test health --test lives -- reference the_page_about

clean: ## Removes the output of cargo; the control plane stays in ~/.cache/spe-operator
	$(CARGO) clean
