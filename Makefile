# What a developer types. `make` builds, `make run` tries it out, `make test` must pass.
# A python that shadows the system's would not see the system's modules: /usr/bin first.
MESON  := $(firstword $(wildcard /usr/bin/meson) meson)
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
FORMAT := $(firstword $(wildcard /usr/bin/clang-format-14 /usr/bin/clang-format) clang-format)
FUZZ_SECONDS ?= 60
SOAK_KILLS   ?= 2000
POWER_ROUNDS ?= 5000
export MESON PYTHON FUZZ_SECONDS SOAK_KILLS

.PHONY: all clang run test soak bench demo deps format clean install help
.DEFAULT_GOAL := all

all: build/build.ninja
	@ninja -C build geleit

build/build.ninja:
	@contrib/deps need build
	@$(MESON) setup build

build-asan/build.ninja:
	@contrib/deps need build
	@$(MESON) setup build-asan -Db_sanitize=address,undefined -Db_lundef=false

build-fuzz/build.ninja:
	@contrib/deps need build soak
	@CC=clang $(MESON) setup build-fuzz -Dfuzzing=true -Db_sanitize=address,undefined -Db_lundef=false

# The same tree under the other compiler.
clang: build-clang/build.ninja
	@ninja -C build-clang

build-clang/build.ninja:
	@contrib/deps need build soak
	@CC=clang $(MESON) setup build-clang

run: all
	@contrib/run

test: build-asan/build.ninja
	@contrib/deps need build test
	@tests/run

soak: build-fuzz/build.ninja build-asan/build.ninja
	@tests/soak

bench: all
	@if [ -x bench/run ]; then bench/run; else echo "There is no bench/run in this tree."; exit 1; fi

demo: all
	@contrib/deps need build test
	@lab/demo

deps:
	@contrib/deps install build test soak

format:
	@git ls-files -co --exclude-standard '*.c' '*.h' | grep -v conf_options.h | xargs $(FORMAT) -i

install: all
	@$(MESON) install -C build

clean:
	rm -rf build build-asan build-fuzz build-clang

help:
	@echo "make          build/geleit"
	@echo "make clang    the same under clang, into build-clang"
	@echo "make run      a server in the foreground, on 127.0.0.1:2525, with its files in ./run"
	@echo "make test     all tests, under address and undefined-behaviour sanitizers"
	@echo "make demo     deliveries in a small internet of its own"
	@echo "make soak     each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS); SOAK_KILLS=$(SOAK_KILLS), POWER_ROUNDS=$(POWER_ROUNDS)"
	@echo "make bench    measurements beside other servers"
	@echo "make deps     installs what is needed (as root), or says how"
	@echo "make format   layout; make install; make clean"
