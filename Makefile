# Two front doors: `make up` and `make test`. Every target is one line; the work is in scripts/.
.PHONY: help up test build models web lint test-rust test-web e2e test-clients test-jevcompat test-peers test-deploy walk-operations rehearse-rollback deny bench-engine bench-tier bench-trust bench-store bench-gateway bench-faults bench-telemetry clean

help:           ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

up:             ## build what is missing, fetch the starter model, start goblin (http://localhost:8001)
	@scripts/up.sh $(ARGS)

test:           ## everything CI runs, stage by stage, with each stage's time
	@scripts/test.sh

build:          ## the program, as `make up` builds it
	@scripts/build.sh

models:         ## fetch the starter model, and the second one the tests use
	@scripts/fetch_model.py --gemma

web:            ## build the page into web/dist
	@scripts/web_build.sh

lint:           ## formatting and lints of every language, without tests
	@scripts/lint.sh

test-rust:      ## the Rust stages of `make test`
	@scripts/test.sh rust

test-web:       ## the page's stages of `make test`
	@scripts/test.sh web

e2e:            ## journeys in a real browser against the real program
	@scripts/test.sh rust-build e2e

test-clients:   ## packages of OpenAI, Ollama, Anthropic, LangChain, Vercel and others against the real program (installs them once)
	@scripts/test_clients.sh --all

test-jevcompat: ## the outside suite for typed questions against the real program (ARGS=--keep keeps what it prints)
	@scripts/test_jevcompat.sh $(ARGS)

test-peers:     ## our adapters against a real llama-server (builds it once: ten minutes)
	@scripts/test_peers.sh $(ARGS)

test-deploy:    ## the files of deploy/ used for real: vercel build, a CDN, a Debian with install.sh, Prometheus (as root)
	@scripts/test_deploy.sh $(ARGS)

walk-operations: ## docs/operations from top to bottom, on three hosts that are network namespaces (as root)
	@scripts/walk_operations.sh $(ARGS)

rehearse-rollback: ## to this release and back on PostgreSQL, Redis and SQLite (ARGS=--before COMMIT; builds two programs)
	@scripts/rehearse_rollback.sh $(ARGS)

deny:           ## licences, sources and bans of every dependency (installs cargo-deny once: minutes)
	@scripts/deny.sh

bench-engine:   ## our engine against llama-server, as ratios (builds llama-server once: ten minutes)
	@bench/engine.sh --results bench/RESULTS.md $(ARGS)

bench-tier:     ## the model tier against nginx and against none, as ratios (builds both model servers once)
	@bench/tier.sh --results bench/RESULTS.md $(ARGS)

bench-trust:    ## what checking an answer costs, as ratios (builds a real Ollama once)
	@bench/trust.sh --results bench/RESULTS.md $(ARGS)

bench-store:    ## the store's calls with a thousand rows and a million, on SQLite and PostgreSQL, as ratios
	@bench/store.sh --results bench/RESULTS.md $(ARGS)

bench-gateway:  ## the backend as a gateway against nginx, LiteLLM, TensorZero, Portkey and crabllm, as ratios (installs them once)
	@bench/gateway.sh --results bench/RESULTS.md $(ARGS)

bench-faults:   ## what becomes of a request when its model fails: our fault matrix beside LiteLLM's (installs that once)
	@bench/faults.sh --results bench/RESULTS.md $(ARGS)

bench-telemetry: ## what telling a collector of every answer costs, in CPU time, as ratios
	@bench/telemetry.sh $(ARGS)

clean:          ## remove what was built; models and data stay
	@scripts/clean.sh
