#!/bin/sh
# Makes small mistakes in rise.h, one at a time, and runs tests on each. A mistake that no test
# notices is a survivor: a test may be missing. Prints each survivor with its line and its change.
# Ends with "N mutants: K killed, E equivalent, S survived; P% of those not equivalent killed".
#
#   sh tests/mutate.sh [COUNT] [SEED]   [200 mutants, seed 1]
#
#   ROOMS      the rooms to change [replay targets agent files describe]
#   LINES      FIRST-LAST: only lines of rise.h in this range
#   CC         the compiler [clang, which compiles twice as fast as gcc here; else cc]
#   OUT        where the changed copy of rise.h, programs and logs go [build/mutants]
#   LIST=1     lists the mutants instead of testing them
#   VERBOSE=1  also prints which test file or slow test killed each mutant
#   REUSE=1    does not test again the mutants that the last run in OUT killed. After new tests,
#              only survivors are tested; also continues a run that was interrupted
#
# Mutants that cannot be noticed are listed in tests/mutants.txt with a reason, and are not tested.
# tests/mutate.py says which mistakes there are and which tests run.
cd "$(dirname "$0")/.." || exit 1
export RISE_SAMPLES="${RISE_SAMPLES:-$(pwd)/tests/samples}"
export RISE_CORPUS="${RISE_CORPUS:-$(pwd)/tests/fuzz/corpus}"
exec python3 tests/mutate.py "${1:-200}" "${2:-1}"
