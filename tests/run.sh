#!/bin/sh
# Builds and runs the tests, several files side by side. Prints a line per test: its name, its time
# and its number of checks. Then prints the number of tests, and ends with "N passed, N failed",
# which counts checks. The exit status is 0 if none failed.
#
#   CC, CFLAGS, LDLIBS   how to compile [cc, -O1 with KERNEL_FLAGS=-O2, -lm]
#   KERNEL_FLAGS         more flags for the kernels that the test files share, such as -O2
#   RUN                  what runs the programs, such as an emulator
#   EXE                  what their names end with, such as .exe [nothing]
#   TESTS                which files, by name [all]
#   ONLY                 FILE: the tests of one file. FILE/TEXT: those tests of the file whose names
#                        contain TEXT. /TEXT: those of all files. No match is an error.
#   LIST=1               lists the tests instead of running them
#   JOBS                 how many files run side by side [the number of processors]
#   OUT                  where programs and logs go [build/tests]
#   ONLY_C=1             leaves out the test of the program in the README
#
# The test files and what they test; those down to `probes` test rise.h:
#
#   kernels      the kernels of each instruction set against REF, and REF against double
#   gradients    forward passes against formulas, backward passes against differences, in double
#   targets      targets, losses and choices of actions, by hand
#   rules        C51, IQN, Munchausen, rescaled values, noise, spectral norm: the papers' formulas
#                and every field of a description: from text, to text, and out of its range
#   replay       replay and its priorities against an oracle
#   agent        whole agents: golden hashes, resuming, memory, limits, wrong calls
#   selftest     rise_self_test, whose training run gives the same weights on every machine
#   sizes        bytes of agents against limits of the address space
#   snapshot     the frozen encoder that is a snapshot of the agent's own
#   pretrained   the frozen encoder ResNet-18, and its file reader
#   files        saved agents: damaged, hostile and failing files
#   int8         policies with 8-bit weights
#   faults       each call of the system fails: files, threads, memory; kills at each call
#   fuzz         the fuzz targets of tests/fuzz, with random changes of their corpora; for
#                libFuzzer, see tests/fuzz/run.sh
#   threads      any number of threads computes the same
#   background   a thread that computes updates while the game goes on
#   players      absent environments, players, what is published to a play_only agent
#   player       builds that leave parts out: RISE_PLAY_ONLY, RISE_NO_RAINBOW, RISE_NO_ENCODERS
#   advice       what an agent says about its use, and the times that it measures
#   numbers      agents that see numbers, beside frames or instead of them
#   observe      steps that somebody else took, and demonstrations
#   parts        batches in parts; processes that learn together
#   shrink       frames made from pictures, against an exact reference
#   sequences    random calls, right and wrong, on three agents that must agree after each
#   probes       agents learn tiny games whose values are known
#   stats        bench/stats.h
#   games, ceilings   examples/games.h: its rules and its best scores
#   media, bridge     the other headers of examples/
#   export       examples/export.h: headers that play an agent, compiled and run
#   training, memory  the tools examples/atari.c and examples/memory.c
#   npc          examples/npc.c: its lessons, with keys that are pressed in its window; needs SDL2
#   self_play    examples/self_play.c: its game, its ratings, and that later copies are stronger
#
# check.h is the harness, toy.h has toy agents and games, child.h a made-up child process.
# player_builds.h is compiled for each build that the test of players compares.
# agent_file.h and encoder_file.h make small files in memory. number_text.h draws numbers as text.
# faults.h makes calls fail. folder.h makes a test's folder and counts files. process.h makes
# processes and waits for them. pause.h waits some microseconds.
# shared_kernels.c is rise.h's kernels, compiled once for all test files: see shared_kernels.h.
# README.md lists the other kinds of tests: sanitizers, coverage, mutants.
cd "$(dirname "$0")/.." || exit 1
# The kernels do most of the work. All other code compiles in half the time with -O1.
[ -n "${CFLAGS+set}" ] || KERNEL_FLAGS=${KERNEL_FLAGS--O2}
CC=${CC:-cc} CFLAGS=${CFLAGS--O1} LDLIBS=${LDLIBS--lm} OUT=${OUT:-build/tests}
export CC CFLAGS KERNEL_FLAGS LDLIBS OUT EXE
# Where files.c finds the sample files, because tests run in $OUT.
export RISE_SAMPLES="${RISE_SAMPLES:-$(pwd)/tests/samples}"
export RISE_CORPUS="${RISE_CORPUS:-$(pwd)/tests/fuzz/corpus}" # and fuzz.c its inputs

# The slowest files, slowest first. They start first, so that no processor is idle at the end.
slowest="probes training background threads gradients agent kernels sequences rules replay"
slowest="$slowest snapshot pretrained files fuzz self_play readme targets bridge export"

# Prints the test file, and the tools of examples/ that it includes.
sources_of() {
    echo "tests/$1.c"
    sed -n 's|^#include "\.\./\(examples/.*\.c\)".*|\1|p' "tests/$1.c"
}

# Returns 0 if the test file uses rise.h's kernels in single precision.
uses_kernels() {
    grep -q 'toy\.h\|RISE_IMPLEMENTATION' $(sources_of "$1") || return 1
    ! grep -q 'define RISE_DOUBLE' "tests/$1.c"
}

# Prints the tests of a file whose names contain ONLY_TEXT, as FILE/TEST.
tests_of() {
    if [ "$1" = readme ]; then
        echo program_is_short_and_learns
    else
        sed -n 's|^ *TEST(\([a-zA-Z0-9_]*\)).*|\1|p' "tests/$1.c"
    fi | grep -F -e "$ONLY_TEXT" | sed "s|^|$1/|"
}

# The program in the README and the one in rise.h's manual are the same, have fewer than 30 lines,
# and learn.
readme() {
    program=$OUT/program good=0
    sed -n '/^```c$/,/^```$/p' README.md | sed '1d; /^```$/,$d' > "$program.c"
    sed -n '/A COMPLETE PROGRAM/,/WHAT IT DOES\./p' rise.h |
        sed -n '/#define/,/^       }$/s/^ \{0,7\}//p' > "$OUT/manual.c"
    if cmp -s "$program.c" "$OUT/manual.c" && [ "$(wc -l < "$program.c")" -lt 30 ] &&
        $CC $CFLAGS -I. "$program.c" -o "$program" $LDLIBS && $RUN "$program" > "$program.txt" &&
        tail -1 "$program.txt" | grep -q '^2[34][0-9] of the last 250\|^250 of'; then
        good=1
    else
        echo "the README's program differs from the manual's, does not build, or does not learn:"
        cat "$program.txt"
    fi
    printf '%-60s %22s checks\n' readme/program_is_short_and_learns 1
    echo "1 tests"
    echo "$good passed, $((1 - good)) failed"
}

# Compiles the builds of rise.h that a test file uses: sets `objects` and `flags`.
player_builds() { # player_builds TEST
    test=$1
    without="-DRISE_NO_RAINBOW -DRISE_NO_ENCODERS"
    player_build player_plain "-DRISE_PLAY_ONLY -DRISE_NO_SIMD"
    player_build player_small "-DRISE_PLAY_ONLY -DRISE_NO_SIMD $without"
    [ "$test" = fuzz ] && return
    player_build player_all -DRISE_PLAY_ONLY
    player_build player_learns "-O0 -DRISE_NO_SIMD $without"
    # x86-64 only
    if $CC -mfma -c "$OUT/empty.c" -o "$OUT/empty.o" > /dev/null 2>&1; then
        player_build player_fma "-DRISE_PLAY_ONLY -DRISE_NO_SIMD -mfma"
        flags="$flags -DPLAYER_FMA"
    fi
}
player_build() { # player_build NAME FLAGS
    $CC $CFLAGS $2 "-DPLAYER_BUILD=$1" -x c -c tests/player_builds.h -o "$OUT/$test-$1.o"
    objects="$objects $OUT/$test-$1.o"
}

# Compiles a test file. Links it with the shared kernels when they are ready.
build() {
    flags= objects= libraries=
    # Before glibc 2.34, threads need -pthread.
    grep -q 'define RISE_THREADS' $(sources_of "$1") && flags=-pthread
    if [ "$1" = npc ]; then
        if libraries=$(pkg-config --libs sdl2 2> /dev/null); then
            flags="$flags $(pkg-config --cflags sdl2)"
        else
            flags=-DNO_SDL2
        fi
    fi
    if uses_kernels "$1"; then
        flags="$flags -DRISE_STATIC -DRISE_SELF=\"tests/shared_kernels.h\""
        objects=$OUT/shared_kernels.o
    fi
    case $1 in player | fuzz) player_builds "$1" ;; esac
    $CC $CFLAGS $UNUSED $flags -c "tests/$1.c" -o "$OUT/$1.o" || return 1
    while [ -n "$objects" ] && [ ! -e "$OUT/shared_kernels.built" ]; do sleep 1; done
    $CC $CFLAGS $flags "$OUT/$1.o" $objects -o "$OUT/$1$EXE" $libraries $LDLIBS
}

# Builds and runs a test file. Writes its output to a log, and its counts to a file of results.
run_file() {
    log=$OUT/$1.txt
    if [ "$1" = readme ]; then
        readme > "$log" 2>&1
        status=0
    elif build "$1" > "$log" 2>&1; then
        # In $OUT, because some tests write files where they run.
        (cd "$OUT" && $RUN "$(pwd)/$1$EXE" ${ONLY_TEXT:+"$ONLY_TEXT"}) > "$log" 2>&1
        status=$?
        # Programs of Windows end lines with a carriage return too.
        tr -d '\r' < "$log" > "$log.new" && mv "$log.new" "$log"
    else
        echo "$1: does not compile" >> "$log"
        status=1
    fi
    tests=$(tail -2 "$log" | sed -n '1s/^\([0-9]*\) tests.*/\1/p')
    last=$(tail -1 "$log")
    case $last in
    *" passed, "*" failed")
        passed=${last%% *} failed=${last#* passed, }
        failed=${failed%% *}
        [ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
        ;;
    *)
        echo "$1: ended early, status $status" >> "$log"
        passed=0 failed=1
        ;;
    esac
    echo "${tests:-0} $passed $failed" > "$OUT/$1.result"
    # One file prints at a time.
    tries=0
    until mkdir "$OUT/printing" 2> /dev/null || [ $((tries += 1)) -gt 20 ]; do sleep 1; done
    sed '/^[0-9]* passed, [0-9]* failed$/d; /^[0-9]* tests\(, [0-9.]* s\)\{0,1\}$/d' "$log"
    rmdir "$OUT/printing"
}

# xargs starts this script for each job: the shared kernels, or a test file.
if [ "$1" = --job ]; then
    if [ "$2" = shared_kernels ]; then
        $CC $CFLAGS $KERNEL_FLAGS -c tests/shared_kernels.c -o "$OUT/shared_kernels.o"
        : > "$OUT/shared_kernels.built"
    else
        run_file "$2"
    fi
    exit 0
fi

# All files, the slowest first, then those that TESTS and ONLY ask for.
all=$(cd tests && ls ./*.c | sed 's|\./||; s|\.c$||; /^shared_kernels$/d' | tr '\n' ' ')
[ -n "$ONLY_C" ] || all="$all readme"
case $ONLY in */*) ONLY_TEXT=${ONLY#*/} ;; *) ONLY_TEXT= ;; esac
export ONLY_TEXT
files=
for name in $slowest $all; do
    case " $files " in *" $name "*) continue ;; esac
    case " $all " in *" $name "*) ;; *) continue ;; esac
    case " ${TESTS:-$name} " in *" $name "*) ;; *) continue ;; esac
    case ${ONLY%%/*} in "" | "$name") ;; *) continue ;; esac
    [ -n "$(tests_of "$name")" ] && files="$files $name"
done
if [ -z "$files" ]; then
    echo "no test matches ONLY=$ONLY TESTS=$TESTS; LIST=1 lists the tests"
    echo "0 passed, 1 failed"
    exit 1
fi
if [ -n "$LIST" ]; then
    for name in $files; do tests_of "$name"; done
    exit 0
fi

start=$(date +%s)
mkdir -p "$OUT"
rm -rf "$OUT"/*.result "$OUT"/*.built "$OUT"/printing
# Unused functions are errors, so that no test is forgotten; not every compiler has the option.
echo 'int main(void) { return 0; }' > "$OUT/empty.c"
UNUSED="-Wunused-function -Werror=unused-function"
$CC $UNUSED -c "$OUT/empty.c" -o "$OUT/empty.o" > /dev/null 2>&1 || UNUSED=
export UNUSED
jobs=$files
for name in $files; do
    [ "$name" != readme ] && uses_kernels "$name" && jobs="shared_kernels $files" && break
done
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 1)}
parallel="-P $JOBS"
echo x | xargs -P 2 echo > /dev/null 2>&1 || parallel=
printf '%s\n' $jobs | xargs -n 1 $parallel sh tests/run.sh --job

tests=0 passed=0 failed=0
for name in $files; do
    read -r t p f < "$OUT/$name.result" || { t=0 p=0 f=1; }
    tests=$((tests + t)) passed=$((passed + p)) failed=$((failed + f))
done
echo "$tests tests in $(($(date +%s) - start)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
