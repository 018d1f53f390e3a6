#!/bin/sh
# Builds and runs every test, and adds up what they say. Ends with "N passed, N failed"; the exit status is 0 if none failed.
#
#   CC, CFLAGS, LDLIBS   how to compile
#   RUN                  what runs the programs, such as an emulator
#   TESTS                which ones, by name [all]
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc} CFLAGS=${CFLAGS:--O2} LDLIBS=${LDLIBS:--lm}
TESTS=${TESTS:-$(cd tests && ls ./*.c | sed 's|\./||; s|\.c$||')}
out=${OUT:-build/tests}
passed=0 failed=0
mkdir -p "$out"

# The program in the README and in rise.h's manual is one and the same, under 30 lines, and a test.
if [ -z "$ONLY_C" ]; then
    sed -n '/^```c$/,/^```$/p' README.md | sed '1d; /^```$/,$d' > "$out/program.c"
    sed -n '/A COMPLETE PROGRAM/,/WHAT IT DOES\./p' rise.h | sed -n '/#define/,/^       }$/s/^ \{0,7\}//p' > "$out/manual.c"
    if cmp -s "$out/program.c" "$out/manual.c" && [ "$(wc -l < "$out/program.c")" -lt 30 ] &&
        $CC $CFLAGS -I. "$out/program.c" -o "$out/program" $LDLIBS && $RUN "$out/program" | tee "$out/program.txt" | tail -1 |
        grep -q '^2[34][0-9] of the last 250\|^250 of'; then
        passed=$((passed + 1))
    else
        echo "the README's program differs from the manual's, does not build, or does not learn:"
        cat "$out/program.txt"
        failed=$((failed + 1))
    fi
fi

for test in $TESTS; do
    case $test in threads | training) flags=-pthread ;; *) flags= ;; esac
    if ! $CC $CFLAGS $flags "tests/$test.c" -o "$out/$test" $LDLIBS; then
        echo "$test: does not compile"
        failed=$((failed + 1))
        continue
    fi
    $RUN "$out/$test" > "$out/$test.txt" 2>&1
    status=$?
    last=$(tail -1 "$out/$test.txt")
    sed '$d' "$out/$test.txt"
    echo "$test: $last"
    case $last in
    *" passed, "*" failed")
        failures=${last#* passed, }
        passed=$((passed + ${last%% *}))
        failed=$((failed + ${failures%% *}))
        [ "$status" -ne 0 ] && [ "${failures%% *}" -eq 0 ] && failed=$((failed + 1))
        ;;
    *) # it did not come to its last line
        echo "$test: ended early, status $status"
        failed=$((failed + 1))
        ;;
    esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
