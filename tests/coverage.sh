#!/bin/sh
# Measures which lines and branches of rise.h the tests run. Prints a line per room of rise.h, then
# the lines outside the kernels that no test runs. Exits with 1 if a test fails.
#
#   sh tests/coverage.sh            all test files that include rise.h, but not the tests of
#                                   learning (probes, training, self_play): they take minutes
#                                   without SIMD
#   TESTS="replay files" sh tests/coverage.sh
#
#   CC       gcc: the report reads the JSON output of gcov [gcc]
#   GCOV     the gcov of that gcc [gcov]
#   CFLAGS   replaces -O0 -DRISE_NO_SIMD -DCHECK_QUICK
#   JOBS     how many test files run side by side [1]
#   OUT      where programs, logs and counts go [build/coverage]
#   REUSE=1  only prints the report again, from the counts in OUT
#
# Without -DRISE_NO_SIMD the kernels of each instruction set are measured too.
cd "$(dirname "$0")/.." || exit 1
OUT=${OUT:-build/coverage}
export OUT
if [ -z "$REUSE" ]; then
    # gcc leaves out unused static functions, and with them their lines. RISE_STATIC makes all
    # functions static, so the report must ask for them.
    keep="-fkeep-static-functions -fkeep-inline-functions"
    CC=${CC:-gcc} JOBS=${JOBS:-1} ONLY_C=1
    CFLAGS="${CFLAGS--O0 -DRISE_NO_SIMD -DCHECK_QUICK} --coverage $keep"
    # The test files that compile rise.h, directly or by a header or a tool.
    users=$(grep -l 'toy\.h\|RISE_IMPLEMENTATION\|atari\.c\|memory\.c' tests/*.c |
        sed 's|tests/||; s|\.c$||; /^shared_kernels$/d' |
        grep -v '^probes$\|^training$\|^self_play$' | tr '\n' ' ')
    TESTS=${TESTS:-$users}
    export CC CFLAGS JOBS ONLY_C TESTS
    rm -rf "$OUT"
    sh tests/run.sh
    status=$?
else
    status=0
fi
python3 tests/coverage.py "$OUT" "${GCOV:-gcov}" || exit 1
exit "$status"
