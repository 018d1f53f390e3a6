# make            builds the examples          make test     builds and runs every test
# make demo       the show, about two minutes  make bench    measures
# make clean
# CC, CFLAGS and LDLIBS are yours to set.

CFLAGS ?= -O2
LDLIBS ?= -lm
EXAMPLES = catch memory watch
BENCHES = build/bench_step

all: $(EXAMPLES)

$(EXAMPLES): %: examples/%.c examples/*.h rise.h
	$(CC) $(CFLAGS) $< -o $@ $(LDLIBS)

demo: memory
	./memory

test:
	CC="$(CC)" CFLAGS="$(CFLAGS)" LDLIBS="$(LDLIBS)" sh tests/run.sh

build/bench_%: bench/%.c examples/games.h rise.h
	@mkdir -p build
	$(CC) $(CFLAGS) $< -o $@ $(LDLIBS)

bench: $(BENCHES)
	build/bench_step

clean:
	rm -rf build $(EXAMPLES) *.svg *.rise

.PHONY: all demo test bench clean
