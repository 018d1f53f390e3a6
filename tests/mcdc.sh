#!/bin/sh
# Measures modified condition/decision coverage (MC/DC) of rise.h. A condition of a decision such as
# `a && b` is covered if two runs show that this condition alone changes the decision's result.
# Prints a line per room, then each decision of the given ROOMs that has a condition that is not
# covered. Exits with 1 if a test fails.
#
#   sh tests/mcdc.sh [ROOM...]   [targets replay describe files]
#
#   VERSION  of clang, llvm-profdata and llvm-cov: 19 or newer [19]
#   TESTS    which test files [those that test these rooms]
#   OUT      where programs and counts go [build/mcdc]
#   REUSE=1  only prints the report again, from the counts in OUT
cd "$(dirname "$0")/.." || exit 1
VERSION=${VERSION:-19} OUT=${OUT:-build/mcdc} JOBS=${JOBS:-1} ONLY_C=1 CC=clang-$VERSION
TESTS=${TESTS:-targets replay files rules agent faults fuzz players sizes background parts observe \
    numbers advice threads pretrained int8 snapshot}
rooms=${*:-targets replay describe files}
command -v "$CC" > /dev/null || { echo "skipped: no $CC here"; exit 0; }
CFLAGS="-O0 -DRISE_NO_SIMD -DCHECK_QUICK -fprofile-instr-generate -fcoverage-mapping"
# With one name for all source files, the runs of all programs count together.
CFLAGS="$CFLAGS -fcoverage-mcdc -Xclang -main-file-name -Xclang all.c"
LLVM_PROFILE_FILE=$(pwd)/$OUT/counts/%m-%p.profraw
export OUT JOBS ONLY_C CC TESTS CFLAGS LLVM_PROFILE_FILE
status=0
if [ -z "$REUSE" ]; then
    rm -rf "$OUT" && mkdir -p "$OUT/counts"
    sh tests/run.sh || status=1
    "llvm-profdata-$VERSION" merge -o "$OUT/all.profdata" "$OUT"/counts/*.profraw || exit 1
    # One by one, because llvm-cov takes a function from the first program that has its text, even
    # if that program never calls the function.
    for name in $TESTS; do
        "llvm-cov-$VERSION" export -instr-profile "$OUT/all.profdata" "$OUT/$name" \
            > "$OUT/$name.json" || exit 1
    done
fi
# shellcheck disable=SC2086
python3 tests/mcdc.py "$OUT" $rooms || exit 1
exit "$status"
