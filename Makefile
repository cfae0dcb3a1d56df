# One word for each thing that is done often; `make help` lists them.
# What is built is said in CMakeLists.txt, how it is built in CMakePresets.json.

.NOTPARALLEL:
.PHONY: help build demo test fuzz bench sweep spec walks cuts soak format format-check tidy clean setup
JOBS := $(shell nproc)
TESTS = $(shell expr $(JOBS) + 1)# some of them wait for real time, and leave a processor idle
STAGES = test-asan test-clang-release test-tiny test-release
SOURCES = $(shell find core models sim bench fuzz -name '*.[ch]')
BUILD = cmake --preset $(1) >/dev/null && cmake --build --preset $(1) -j $(JOBS)

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' Makefile | expand -t 14

build: setup ## build the command: build/brownout
	@$(call BUILD,release)

demo: build ## watch a fleet be attacked
	@scripts/demo.sh

test: setup format-check $(STAGES) ## all tests, four builds

# One build and its tests; `make test-dev` and the other presets work as well.
test-%:
	@echo "== $*: building" && start=$$(date +%s) && $(call BUILD,$*) -- --quiet && \
	    echo "== $*: built in $$(($$(date +%s) - start)) s" && \
	    ctest --preset $* -j $(TESTS)

fuzz: setup ## libFuzzer on every parser of outside bytes, FUZZ_SECONDS (60) each
	@scripts/fuzz.sh

bench: build ## run the benchmarks, one after the other
	@cmake --build --preset release --target bench

sweep: build ## many seeds of every scenario
	@build/brownout sweep scenarios

spec: build ## the laws: TLC on every spec, every model equal to its spec, every mutant noticed
	@build/brownout spec check
	@build/brownout spec conform
	@build/brownout spec mutate

walks: build ## the real core along every edge of each law that has a driver; planted bugs told from it
	@build/brownout spec walks --core
	@scripts/walks_mutants.sh build

cuts: build ## every power cut of every life, on every flash part (an hour)
	@scripts/cuts.sh build/cuts

soak: build ## 50 real devices for 10 minutes, 100 kills -9, and what the judge says
	@scripts/up_kill.sh

format: setup ## format all C files
	@clang-format -i $(SOURCES)

format-check: setup
	@echo $(SOURCES) | xargs -n 40 -P $(JOBS) clang-format --dry-run -Werror || \
	    { echo "run make format"; exit 1; }
	@echo "== format: as it should be"

tidy: setup ## clang-tidy over all C files
	@$(call BUILD,tidy)

clean: ## remove all that was built
	@rm -rf build

setup: ## install what is missing
	@scripts/setup.sh
