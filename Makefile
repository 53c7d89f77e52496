# A thin front to CMake, Ninja and CTest. The targets are told by `make help`.
.POSIX:
.NOTPARALLEL:
.DEFAULT_GOAL := build
.PHONY: build aarch64 demo frameworks target test test-all tsan valgrind fuzz coverage analyze bench docs lint format install clean help

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
# Installs missing Debian packages; `make BOOTSTRAP=true` leaves the system alone.
BOOTSTRAP ?= scripts/bootstrap
# The sets of packages (scripts/packages) that the goal takes; `build`, on which the others depend, installs them.
PACKAGES = build
demo: PACKAGES = build demo
bench: PACKAGES = build demo bench
test test-all tsan valgrind: PACKAGES = build demo test cross
aarch64: PACKAGES = build cross
fuzz: PACKAGES = build test lint
coverage: PACKAGES = build demo test lint

build:            ## the release build: build/kenning
	@$(BOOTSTRAP) $(PACKAGES)
	@scripts/build release $(JOBS)
	@scripts/link-programs

aarch64: build    ## kenning-server for 64-bit Arm boards: build/aarch64
	@scripts/build aarch64 $(JOBS)

demo: build       ## the demonstration
	scripts/demo

# The engines that tests run for real; what is installed already costs nothing. `make FRAMEWORKS= test` goes without:
# tests that need one are then counted as skipped.
FRAMEWORKS_OF_TESTS = tensorflow tflite litert onnxruntime onnx openvino tvm
FRAMEWORKS ?= $(FRAMEWORKS_OF_TESTS)

ALL_FRAMEWORKS = $(FRAMEWORKS_OF_TESTS) onnx-mxnet ai-edge-quantizer iree pytorch pytorch-tools mxnet
TEST_PRESETS = dev check tsan valgrind

frameworks: build ## installs the engines that tests run
	@[ -z "$(FRAMEWORKS)" ] || build/kenning install $(FRAMEWORKS)

# What the tests run under qemu-user. Without a cross compiler those tests are counted as skipped.
target: frameworks
	@if command -v aarch64-linux-gnu-gcc >/dev/null; then scripts/build aarch64 $(JOBS) && \
	  python3 tests/support/linked_model.py build/linked-model.tar && \
	  scripts/build aarch64-static $(JOBS) -DKENNING_LINKED_MODEL=$(CURDIR)/build/linked-model.tar && \
	  if [ -e tests/unit/tvm/data/sources.tar ]; then scripts/build aarch64-static-tvm $(JOBS); fi; fi
	@case " $(FRAMEWORKS) " in *" tflite "*) build/kenning install --arch aarch64 tflite;; esac

test: target      ## all tests, under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake --build build/release --parallel $(JOBS) --target bench-programs # nothing else would tell that they do not link
	@scripts/build dev $(JOBS)
	@scripts/run-tests dev $(JOBS)

# Every choice of every tool, every failing allocation: once with the sanitizers and once without.
test-all: FRAMEWORKS = $(ALL_FRAMEWORKS)
test-all: target  ## every framework, the tests with release flags, ThreadSanitizer and valgrind too, and a table at the end
	@ok=true; for preset in $(TEST_PRESETS); do rm -f build/$$preset/tests.xml; \
	  case $$preset in dev|check) export KENNING_TEST_ALL=1;; *) unset KENNING_TEST_ALL;; esac; \
	  scripts/build $$preset $(JOBS) && scripts/run-tests $$preset $(JOBS) || ok=false; done; echo; \
	  scripts/framework-table $(TEST_PRESETS:%=build/%/tests.xml) && $$ok

tsan valgrind: build ## the tests under ThreadSanitizer or valgrind
	@scripts/build $@ $(JOBS)
	@scripts/run-tests $@ $(JOBS)

fuzz: build       ## the fuzz targets, in build/fuzz (clang)
	@scripts/build fuzz $(JOBS)

coverage: build   ## line coverage of the tests: build/coverage/html/index.html
	@scripts/build coverage $(JOBS)
	@scripts/run-tests coverage $(JOBS)
	@mkdir -p build/coverage/html
	gcovr --root . --filter src/ --filter backends/ --html-details build/coverage/html/index.html --print-summary build/coverage

analyze:          ## gcc's static analyzer over everything
	@$(BOOTSTRAP) build
	@scripts/build analyze $(JOBS)

bench: build      ## every figure that is claimed, with its bound and whether it was met
	@scripts/bench

docs:             ## the reference of the C library: build/docs/html/index.html
	@$(BOOTSTRAP) docs
	@scripts/docs

lint:             ## every linter that is installed
	@scripts/lint $(JOBS)

format:           ## clang-format on every C file
	git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' | xargs -0 -r clang-format -i

install: build    ## into $(DESTDIR)$(PREFIX)
	cmake --install build/release --prefix $(PREFIX)

clean:            ## removes build/
	rm -rf build

help:             ## this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## /\1: /p' Makefile
