#!/bin/sh
# Fuzzes each target of tests/fuzz. Prints a line per target: its runs and its failures. Ends with
# "N passed, N failed", which counts targets.
#
#   sh tests/fuzz/run.sh [SECONDS | runs=RUNS] [TARGET...]   [20 seconds for each of all targets]
#
#   CC        the compiler [clang]
#   OPTIMIZE  its level: -O0 compiles in a quarter of the time, and runs at half the speed [-O1]
#   SANITIZE  0: without sanitizers, which is twice to three times as fast. Afterwards, a call with
#             runs=0 and with sanitizers runs the kept inputs once more [1]
#   OUT       where programs, logs and inputs go [build/fuzz]
#   TIMEOUT   seconds after which a run has failed; a busy machine needs more [25]
#   SEED      of libFuzzer's random changes; 0 takes another one each time [0]
#   TIMES     so many processes of each target, one after another, each with the seed of the last
#             one plus 1 and the inputs that the last one found [1]
#   CORPUS=1  afterwards, rewrites corpus/TARGET.txt: its comments and what follows them stay; other
#             inputs become a small set that reaches the same code, or LINES of this set [150]
#
# With clang's libFuzzer, new inputs that reach new code are kept in $OUT/TARGET, and the next run
# begins with them. Without it, each target's own driver makes random changes of the corpus: RUNS of
# them, or 100 for each second. Both use the address sanitizer and the undefined behaviour sanitizer
# if the compiler has them and SANITIZE is not 0. A failing input is printed as a line for
# corpus/TARGET.txt. Add this line there, below a comment that says what was wrong.
cd "$(dirname "$0")/../.." || exit 1
CC=${CC:-clang} OUT=${OUT:-build/fuzz} LINES=${LINES:-150}
TIMEOUT=${TIMEOUT:-25} SEED=${SEED:-0} TIMES=${TIMES:-1} seconds=20 runs=
case $1 in
runs=*) runs=${1#runs=} && shift ;;
[0-9]*) seconds=$1 && shift ;;
esac
targets=${*:-agent policy player encoder set block bridge}
sanitizers="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
[ "${SANITIZE:-1}" = 0 ] && sanitizers=
common="${OPTIMIZE:--O1} -g1 -DRISE_NO_SIMD -I."
passed=0 failed=0
mkdir -p "$OUT"
export ASAN_OPTIONS="${ASAN_OPTIONS:-malloc_context_size=1:quarantine_size_mb=1}"

# Is there a compiler that takes these options?
takes() {
    printf '#include <stddef.h>\nint LLVMFuzzerTestOneInput(const char *, size_t);\n' > "$OUT/try.c"
    printf 'int LLVMFuzzerTestOneInput(const char *d, size_t n) { return d == NULL && n > 0; }\n' \
        >> "$OUT/try.c"
    [ -n "$2" ] && echo 'int main(void) { return LLVMFuzzerTestOneInput("", 0); }' >> "$OUT/try.c"
    # shellcheck disable=SC2086
    $CC $1 "$OUT/try.c" -o "$OUT/try" > /dev/null 2>&1
}
engine=
if takes "-fsanitize=fuzzer $sanitizers"; then
    engine="-fsanitize=fuzzer -fno-sanitize-coverage=trace-cmp -DFUZZ_LIBFUZZER"
else
    command -v "${CC%% *}" > /dev/null 2>&1 || CC=cc
    takes "$sanitizers" main || sanitizers=
    echo "no libFuzzer here: random changes of the corpus only"
fi

# Writes the inputs of a corpus as files, for libFuzzer.
unpack() {
    mkdir -p "$OUT/$1" || return 1
    grep '^[0-9a-f]' "tests/fuzz/corpus/$1.txt" 2> /dev/null | sort -u | awk '{
        text = ""
        for (i = 1; i < length($0); i += 2) {
            high = index("0123456789abcdef", substr($0, i, 1)) - 1
            low = index("0123456789abcdef", substr($0, i + 1, 1)) - 1
            text = text sprintf("\\%03o", high * 16 + low)
        }
        print text
    }' | {
        n=0
        while IFS= read -r bytes; do
            # shellcheck disable=SC2059
            printf "$bytes" > "$OUT/$1/corpus-$((n += 1))"
        done
    }
}
line_of() { od -An -v -tx1 "$1" | tr -d ' \n' && echo; }

# Rewrites a corpus from the inputs that fuzzing has found.
pack() {
    list=tests/fuzz/corpus/$1.txt
    rm -rf "$OUT/$1-small" && mkdir "$OUT/$1-small"
    "$OUT/fuzz_$1" -set_cover_merge=1 "$OUT/$1-small" "$OUT/$1" > "$OUT/$1.log" 2>&1
    sed -n '/^#/,$p' "$list" > "$OUT/$1-kept" 2> /dev/null
    for input in "$OUT/$1-small"/*; do [ -s "$input" ] && line_of "$input"; done |
        awk 'length($0) < 500 { print length($0), $0 }' | sort -n | cut -d ' ' -f 2 > "$OUT/$1-all"
    # Short and long ones: every third, for example.
    awk -v all="$(grep -c . "$OUT/$1-all")" -v most="$LINES" \
        'NR % int((all + most - 1) / most) == 0' "$OUT/$1-all" > "$OUT/$1-new"
    cat "$OUT/$1-new" "$OUT/$1-kept" > "$list"
}

# The longest input of a target, in bytes. Longer inputs take longer.
length_of() {
    case $1 in
    agent | policy | player) echo 224 ;;
    block) echo 160 ;;
    encoder) echo 256 ;;
    *) echo 512 ;;
    esac
}

# Runs one process of a target with a seed. Sets count to its runs, and failures to 1 if it failed.
process() {
    log=$OUT/$1.log
    if [ -n "$engine" ]; then
        limit=-max_total_time=$seconds
        [ -n "$runs" ] && limit=-runs=$runs
        # without -entropic=0, choosing an input takes up to a seventh of the time
        "$OUT/fuzz_$1" $limit -seed="$2" -max_len="$(length_of "$1")" -len_control=0 \
            -entropic=0 -timeout="$TIMEOUT" -print_final_stats=1 \
            -artifact_prefix="$OUT/$1-" "$OUT/$1" > "$log" 2>&1 || failures=1
        count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
        # libFuzzer also writes inputs that took long
        [ "$failures" -ne 0 ] && [ -n "$artifact" ] &&
            echo "    the input was $(line_of "$artifact")"
    else
        "$OUT/fuzz_$1" "tests/fuzz/corpus/$1.txt" "${runs:-$((seconds * 100))}" \
            $(($2 > 0 ? $2 : n + 1)) > "$log" 2>&1 || failures=1
        count=$(sed -n 's/^\([0-9]*\) runs, .*/\1/p' "$log")
    fi
    [ "$failures" -ne 0 ] && grep -v '^#[0-9]' "$log" | head -60
    count=${count:-0}
    reached=$(sed -n 's/.*DONE *\(cov: [0-9]* ft: [0-9]*\).*/\1/p' "$log")
    [ "$TIMES" -gt 1 ] && echo "    $(date +%T) seed $2: $count runs $reached"
    [ "$failures" -eq 0 ]
}
# Fuzzes one target. Returns whether all its processes ran without a failure.
fuzz() {
    all=0 failures=0 n=0
    [ -z "$engine" ] || unpack "$1" || return 1
    while [ "$n" -lt "$TIMES" ] && process "$1" $((SEED > 0 ? SEED + n : 0)); do
        all=$((all + count)) n=$((n + 1))
    done
    [ "$failures" -ne 0 ] && all=$((all + count))
    echo "$1: $all runs, $failures failures"
    [ "$failures" -eq 0 ] && [ "$all" -gt 0 ]
}

# shellcheck disable=SC2086
$CC $common $sanitizers -c tests/shared_kernels.c -o "$OUT/kernels.o" || exit 1
# The builds that the target `player` opens policies with.
builds=
for name in player_plain "player_small -DRISE_NO_RAINBOW -DRISE_NO_ENCODERS"; do
    # shellcheck disable=SC2086
    $CC $common $sanitizers $engine -DRISE_PLAY_ONLY -DPLAYER_BUILD=$name -x c \
        -c tests/player_builds.h -o "$OUT/${name%% *}.o" || exit 1
    builds="$builds $OUT/${name%% *}.o"
done
for name in $targets; do
    objects=$OUT/kernels.o
    [ "$name" = player ] && objects="$objects $builds"
    # shellcheck disable=SC2086
    if $CC $common $sanitizers $engine -DRISE_STATIC -Wno-unused-function \
        '-DRISE_SELF="tests/shared_kernels.h"' "tests/fuzz/$name.c" $objects \
        -o "$OUT/fuzz_$name" -lm && fuzz "$name"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    [ -n "$CORPUS" ] && [ -n "$engine" ] && pack "$name"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
