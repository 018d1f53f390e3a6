# make            builds the examples          make test     builds and runs every test
# make demo       the show, under a minute     make bench    measures, three minutes at most
# make bench-kernels, bench-step, bench-replay: the same one by one, in full; options: BENCH="--quick --isa avx2 --threads 2"
# make bench-learn: what memory is worth: games x seeds x kinds of agent; hours, minutes with BENCH=--quick; goes on where it was
#                 interrupted. make bench-ablation: RISE with one thing changed at a time
# make bench-bridge: Atari steps a second through the bridge, beside ALE alone
# make bench-neon: instructions of an update on 64-bit ARM, counted under qemu where that and a cross compiler are
# make clean
# CC, CFLAGS and LDLIBS are yours to set.

CFLAGS ?= -O2
LDLIBS ?= -lm
EXAMPLES = catch memory watch atari
BENCH ?=

all: $(EXAMPLES)

$(EXAMPLES): %: examples/%.c examples/*.h rise.h
	$(CC) $(CFLAGS) $< -o $@ $(LDLIBS)

atari: CFLAGS += -pthread

demo: memory
	./memory

# make test ONLY=replay runs one file, ONLY=replay/tree the tests of it whose names contain "tree";
# LIST=1 lists the tests, JOBS=1 runs one file at a time. tests/run.sh says more.
test:
	@CC="$(CC)" CFLAGS="$(CFLAGS)" LDLIBS="$(LDLIBS)" ONLY="$(ONLY)" LIST="$(LIST)" \
	    JOBS="$(JOBS)" sh tests/run.sh

build/bench_%: bench/%.c bench/bench.h rise.h
	@mkdir -p build
	$(CC) $(CFLAGS) -DRISE_THREADS -pthread $< -o $@ $(LDLIBS) -ldl

# oneDNN, where its headers and a C++ compiler are: loaded when bench_kernels runs, which does without it, too
build/peer_onednn.so: bench/peer_onednn.cpp
	@mkdir -p build
	@c++ -std=c++17 -O2 -fPIC -shared $< -o $@ -ldnnl 2> build/peer_onednn.log || echo "no oneDNN here: see build/peer_onednn.log"

bench-kernels: build/bench_kernels build/peer_onednn.so
	build/bench_kernels $(BENCH)

bench-step: build/bench_step
	build/bench_step $(BENCH)

bench-replay: build/bench_replay
	build/bench_replay $(BENCH)

build/bench_bridge: examples/*.h

bench-bridge: build/bench_bridge
	build/bench_bridge $(BENCH)

bench-neon:
	CC="$(CC)" sh bench/neon.sh $(BENCH)

build/bench_learn: bench/learn.c bench/stats.h examples/*.h rise.h
	@mkdir -p build
	$(CC) $(CFLAGS) $< -o $@ $(LDLIBS)

bench-learn: build/bench_learn
	build/bench_learn $(BENCH)

bench-ablation: build/bench_learn
	build/bench_learn --ablation $(BENCH)

bench: build/bench_kernels build/peer_onednn.so build/bench_step build/bench_replay
	build/bench_kernels --quick $(BENCH)
	build/bench_step --quick $(BENCH)
	build/bench_replay --quick $(BENCH)

clean:
	rm -rf build $(EXAMPLES) *.svg *.rise

.PHONY: all demo test bench bench-kernels bench-step bench-replay bench-learn bench-ablation bench-bridge bench-neon clean
