#!/bin/sh
# Makes small mistakes in rise.h, one at a time, and runs tests on each. A mistake that no test
# notices is a survivor: a test may be missing. Prints each survivor with its line and its change,
# and ends with "N mutants, K killed, S survived".
#
#   sh tests/mutate.sh [COUNT] [SEED]   [30 mutants, seed 1]
#
#   ROOMS    the rooms to change [replay targets agent learner actor files describe]
#   LINES    FIRST-LAST: only lines of rise.h in this range
#   CC       the compiler [cc]
#   OUT      where the changed copy of rise.h, programs and logs go [build/mutants]
#   LIST=1   lists the mutants instead of testing them
#
# Survivors that cannot be noticed are listed in tests/mutants.txt with a reason, and are not
# tested. tests/mutate.py says which mistakes there are and which tests run.
cd "$(dirname "$0")/.." || exit 1
export RISE_SAMPLES="${RISE_SAMPLES:-$(pwd)/tests/samples}"
export RISE_CORPUS="${RISE_CORPUS:-$(pwd)/tests/fuzz/corpus}"
exec python3 tests/mutate.py "${1:-30}" "${2:-1}"
