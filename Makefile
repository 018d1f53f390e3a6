# make            builds the examples, but not cluster and web; npc only if SDL2 is installed
# make test       builds and runs the tests in C; tests/README.md lists the other tests
# make fuzz       fuzzes each target of tests/fuzz for 20 seconds, with libFuzzer if clang has it
# make demo       builds and runs the demo; takes less than a minute
# make small      builds and runs the small examples; each checks its result. Running takes half a
#                 minute, compiling takes longer
# make npc        builds the game of hide and seek; needs SDL2
# make picture    makes examples/memory.gif, the first picture of the README
# make cluster    builds the example for many machines; needs MPI: mpicc
# make web        builds the web page build/web/index.html. Needs emscripten
# make bench      runs the first three benchmarks below with --quick; takes at most three minutes
#
# Single benchmarks. Most take options, such as BENCH="--quick --isa avx2 --threads 2". bench-neon
# takes --quick only, bench-size and bench-embedded ignore BENCH.
# bench/README.md explains the benchmarks and has the results.
# make bench-kernels    the kernels compared with oneDNN, OpenBLAS and BLIS
# make bench-step       an update and an action compared with PyTorch
# make bench-replay     the replay buffer compared with memcpy
# make bench-shrink     small frames from pictures, compared with OpenCV and memcpy. Needs python3
#                       with numpy and opencv-python
# make bench-costs      parameters, bytes and time for four frame sizes, as a Markdown table
# make bench-parts      the parts of an update (batch_parts): their time and bytes, and instructions
#                       counted under qemu's user mode. Takes half an hour, or two minutes with
#                       BENCH=--quick
# make bench-learn      scores of NONE, RISE and FULL in 15 games with 5 seeds. Takes more than
#                       an hour, or two minutes with BENCH=--quick. Run the command again after an
#                       interruption: finished runs are kept
# make bench-ablation   scores of RISE with one setting changed at a time
#                       bench-learn and bench-ablation: BENCH="--size 84" enlarges all frames to
#                       84 x 84 pixels
# make bench-teach      steps until two games are learned, with and without demonstrations. Takes
#                       half an hour
# make bench-game       the longest calls of a game at 60 Hz that learns. Takes 8 minutes. Option:
#                       BENCH="--seconds 300"
# make bench-cluster    updates and steps of several processes with MPI, and a model of 1 to 64
#                       machines
# make bench-bridge     Atari steps a second through the bridge to Python, compared with ALE alone
# make bench-neon       instructions of an update on 64-bit ARM, counted under qemu. Needs qemu's
#                       user mode and a cross compiler
# make bench-embedded   flash, RAM and instructions of an agent on three boards with a Cortex-M,
#                       under qemu. Needs qemu-system-arm and arm-none-eabi-gcc with newlib
# make bench-size       bytes and compile seconds of rise.h for each macro; takes some minutes
# make clean      deletes what make has built, and all *.svg and *.rise files in this folder
# You can set CC, CFLAGS and LDLIBS, MPICC for cluster, and EMCC and WEB_FLAGS for web.

CFLAGS ?= -O2
LDLIBS ?= -lm
SMALL = loop action_masks many_environments save_and_resume ship_policy frame_budget own_encoder \
	kernels
EXAMPLES = $(SMALL) self_play memory memory_gif watch atari
BENCH ?=

all: $(EXAMPLES) npc

# a file whose recipe failed is incomplete
.DELETE_ON_ERROR:

$(EXAMPLES): %: examples/%.c examples/*.h rise.h
	$(CC) $(CFLAGS) $< -o $@ $(LDLIBS)

small: $(SMALL)
	@for example in $(SMALL); do echo "== $$example"; ./$$example || exit 1; done

atari: override CFLAGS += -pthread

# Without SDL2 this target does nothing and prints a line, so that `make` builds the other examples.
SDL2 = $$(pkg-config --cflags --libs sdl2 2> /dev/null || sdl2-config --cflags --libs 2> /dev/null)

npc: examples/npc.c examples/*.h rise.h
	@if flags=$(SDL2); then \
	    set -x; $(CC) $(CFLAGS) $< -o $@ $$flags $(LDLIBS) -pthread; \
	else \
	    echo "npc is not built: SDL2 is not installed here"; \
	fi

MPICC ?= mpicc

cluster: examples/cluster.c examples/*.h rise.h
	$(MPICC) $(CFLAGS) -pthread $< -o $@ $(LDLIBS)

demo: memory
	./memory

picture: memory_gif
	./memory_gif examples/memory.gif

# Debian's emscripten needs Debian's acorn. Debian's node finds acorn by itself; another node finds
# it only by NODE_PATH. The page is one file: the workers' program is put into index.html as text.
EMCC ?= emcc
WEB_FLAGS ?= -O3 -msimd128
WEB = examples/web

web: build/web/index.html

build/web/rise.js: $(WEB)/web.c examples/*.h rise.h
	@mkdir -p build/web
	NODE_PATH=/usr/share/nodejs $(EMCC) $(WEB_FLAGS) $(WEB)/web.c -o $@ -sMODULARIZE \
		-sEXPORT_NAME=createRise -sENVIRONMENT=worker,node -sSINGLE_FILE -sALLOW_MEMORY_GROWTH \
		-sEXPORTED_RUNTIME_METHODS=UTF8ToString,HEAPU8,HEAPF32 --no-entry

build/web/index.html: build/web/rise.js $(WEB)/index.html $(WEB)/worker.js $(WEB)/page.js
	sed -e '/\/\* worker \*\//{r build/web/rise.js' -e 'r $(WEB)/worker.js' -e 'd}' \
		-e '/\/\* page \*\//{r $(WEB)/page.js' -e 'd}' $(WEB)/index.html > $@

# tests/run.sh explains ONLY, LIST and JOBS. If you set no CFLAGS, tests/run.sh uses its own flags.
test:
	@CC="$(CC)" $(if $(filter file,$(origin CFLAGS)),,CFLAGS="$(CFLAGS)") LDLIBS="$(LDLIBS)" \
	    ONLY="$(ONLY)" LIST="$(LIST)" JOBS="$(JOBS)" sh tests/run.sh

fuzz:
	@sh tests/fuzz/run.sh

build/bench_%: bench/%.c bench/bench.h rise.h
	@mkdir -p build
	$(CC) $(CFLAGS) -DRISE_THREADS -pthread $< -o $@ $(LDLIBS) -ldl

# Needs oneDNN's headers and a C++ compiler. Without this library, bench_kernels omits oneDNN.
build/peer_onednn.so: bench/peer_onednn.cpp
	@mkdir -p build
	@c++ -std=c++17 -O2 -fPIC -shared $< -o $@ -ldnnl 2> build/peer_onednn.log || \
		echo "oneDNN is not installed here: see build/peer_onednn.log"

bench-kernels: build/bench_kernels build/peer_onednn.so
	build/bench_kernels $(BENCH)

bench-step: build/bench_step
	build/bench_step $(BENCH)

bench-replay: build/bench_replay
	build/bench_replay $(BENCH)

bench-shrink:
	CC="$(CC)" CFLAGS="$(CFLAGS)" $${PYTHON:-python3} bench/shrink.py $(BENCH)

bench-costs: build/bench_costs
	build/bench_costs $(BENCH)

# A plugin names the version of qemu's interface that it uses: 1 for qemu 4.2 to 8, 2 for later
# versions.
build/count_insns.so: bench/count_insns.c
	@mkdir -p build
	qemu=$$({ qemu-x86_64 --version || qemu-aarch64 --version; } 2> /dev/null | \
	    sed -n 's/.*version \([0-9]*\).*/\1/p'); \
	$(CC) -O2 -fPIC -shared -DAPI=$$(($${qemu:-9} < 9 ? 1 : 2)) $< -o $@

bench-parts: build/bench_parts build/count_insns.so
	build/bench_parts $(BENCH)

bench-game: build/bench_game
	build/bench_game $(BENCH)

build/bench_bridge: examples/*.h

bench-bridge: build/bench_bridge
	build/bench_bridge $(BENCH)

build/bench_cluster: examples/*.h

bench-cluster: build/bench_cluster
	sh bench/cluster.sh $(BENCH)

build/bench_teach: examples/*.h

bench-teach: build/bench_teach
	build/bench_teach $(BENCH)

bench-neon: build/count_insns.so
	CC="$(CC)" sh bench/neon.sh $(BENCH)

bench-size:
	sh bench/size.sh

bench-embedded:
	CC="$(CC)" sh bench/embedded.sh

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
	rm -rf build $(EXAMPLES) npc cluster *.svg *.rise

.PHONY: all small demo picture web test fuzz bench bench-kernels bench-step bench-replay \
	bench-shrink bench-costs bench-parts bench-learn bench-ablation bench-bridge bench-game \
	bench-teach bench-neon bench-embedded bench-size bench-cluster clean
