#!/bin/sh
# Builds and runs the tests, several files side by side. Prints a line per test: its name, its time and its number of checks.
# Then prints the number of tests, and ends with "N passed, N failed", which counts checks. The exit status is 0 if none failed.
#
#   CC, CFLAGS, LDLIBS   how to compile
#   RUN                  what runs the programs, such as an emulator
#   TESTS                which files, by name [all]
#   ONLY                 FILE runs the tests of one file; FILE/TEXT runs those of its tests whose names contain TEXT, and /TEXT
#                        those of all files. Nothing that matches is an error.
#   LIST=1               lists the tests and runs none
#   JOBS                 how many files run side by side [number of processors]
#   OUT                  where programs and logs go [build/tests]
#   ONLY_C=1             leaves out the program in the README
#
# Every tests/*.c is a test file: see the head of each for what it tests, and tests/check.h for how a test is written.
# shared_kernels.c is no test: it is rise.h's kernels, compiled once for all test files (see shared_kernels.h).
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc} CFLAGS=${CFLAGS--O2} LDLIBS=${LDLIBS--lm} OUT=${OUT:-build/tests}
export CC CFLAGS LDLIBS OUT

# The files that take longest, longest first: starting them first leaves no processor idle at the end.
slowest="training probes threads gradients agent kernels rules replay snapshot pretrained files readme targets bridge"

# Does the file use rise.h's single-precision kernels?
uses_kernels() {
    grep -q 'toy\.h\|RISE_IMPLEMENTATION\|atari\.c' "tests/$1.c" && ! grep -q 'RISE_DOUBLE' "tests/$1.c"
}

# Prints the tests of a file, as FILE/TEST.
tests_of() {
    if [ "$1" = readme ]; then
        echo readme/program_is_short_and_learns
    else
        sed -n "s|^ *TEST(\([a-zA-Z0-9_]*\)).*|$1/\1|p; s|.*{TEST(\([a-zA-Z0-9_]*\)).*|$1/\1|p" "tests/$1.c"
    fi
}

# The program in the README and the one in rise.h's manual are the same, have fewer than 30 lines, and learn.
readme() {
    program=$OUT/program
    sed -n '/^```c$/,/^```$/p' README.md | sed '1d; /^```$/,$d' > "$program.c"
    sed -n '/A COMPLETE PROGRAM/,/WHAT IT DOES\./p' rise.h | sed -n '/#define/,/^       }$/s/^ \{0,7\}//p' > "$OUT/manual.c"
    if cmp -s "$program.c" "$OUT/manual.c" && [ "$(wc -l < "$program.c")" -lt 30 ] &&
        $CC $CFLAGS -I. "$program.c" -o "$program" $LDLIBS && $RUN "$program" > "$program.txt" &&
        tail -1 "$program.txt" | grep -q '^2[34][0-9] of the last 250\|^250 of'; then
        good=1
    else
        echo "the README's program differs from the manual's, does not build, or does not learn:"
        cat "$program.txt"
        good=0
    fi
    printf '%-60s %18s checks\n' readme/program_is_short_and_learns 1
    echo "1 tests"
    echo "$good passed, $((1 - good)) failed"
}

# Compiles a test file, and links it with the shared kernels once these are there.
build() {
    flags= objects=
    case $1 in threads | training) flags=-pthread ;; esac
    if uses_kernels "$1"; then
        flags="$flags -DRISE_STATIC -DRISE_SELF=\"tests/shared_kernels.h\"" objects=$OUT/shared_kernels.o
    fi
    $CC $CFLAGS $UNUSED $flags -c "tests/$1.c" -o "$OUT/$1.o" || return 1
    while [ -n "$objects" ] && [ ! -e "$OUT/shared_kernels.built" ]; do sleep 1; done
    $CC $CFLAGS $flags "$OUT/$1.o" $objects -o "$OUT/$1" $LDLIBS
}

# Builds and runs a test file. Its output goes to a log, and what it counted to a file of results.
file() {
    if [ "$1" = readme ]; then
        readme > "$OUT/$1.txt" 2>&1
        status=0
    elif build "$1" > "$OUT/$1.txt" 2>&1; then
        $RUN "$OUT/$1" ${ONLY_TEXT:+"$ONLY_TEXT"} > "$OUT/$1.txt" 2>&1
        status=$?
    else
        echo "$1: does not compile" >> "$OUT/$1.txt"
        status=1
    fi
    last=$(tail -1 "$OUT/$1.txt")
    tests=$(tail -2 "$OUT/$1.txt" | sed -n '1s/^\([0-9]*\) tests.*/\1/p')
    case $last in
    *" passed, "*" failed")
        passed=${last%% *} failed=${last#* passed, }
        failed=${failed%% *}
        [ "$status" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
        ;;
    *)
        echo "$1: ended early, status $status" >> "$OUT/$1.txt"
        passed=0 failed=1
        ;;
    esac
    echo "${tests:-0} $passed $failed" > "$OUT/$1.result"
    # One file prints at a time.
    until mkdir "$OUT/printing" 2> /dev/null; do sleep 1; done
    sed '/^[0-9]* passed, [0-9]* failed$/d; /^[0-9]* tests\(, [0-9.]* s\)\{0,1\}$/d' "$OUT/$1.txt"
    rmdir "$OUT/printing"
}

# What xargs starts: a job.
if [ "$1" = --job ]; then
    if [ "$2" = shared_kernels ]; then
        $CC $CFLAGS -c tests/shared_kernels.c -o "$OUT/shared_kernels.o"
        : > "$OUT/shared_kernels.built"
    else
        file "$2"
    fi
    exit 0
fi

all=$(cd tests && ls ./*.c | sed 's|\./||; s|\.c$||; /^shared_kernels$/d')
[ -n "$ONLY_C" ] || all="readme $all"
files=
for name in $slowest $all; do
    case " $(echo $files) " in *" $name "*) continue ;; esac
    case " $(echo $all) " in *" $name "*) ;; *) continue ;; esac
    case " ${TESTS:-$name} " in *" $name "*) files="$files $name" ;; esac
done

ONLY_TEXT=
if [ -n "$ONLY" ]; then
    only_file=${ONLY%%/*} wanted=$files files=
    case $ONLY in */*) ONLY_TEXT=${ONLY#*/} ;; esac
    for name in $wanted; do
        [ -z "$only_file" ] || [ "$only_file" = "$name" ] || continue
        if tests_of "$name" | sed 's|^[^/]*/||' | grep -qF -e "$ONLY_TEXT"; then files="$files $name"; fi
    done
fi
export ONLY_TEXT
if [ -z "$files" ]; then
    echo "no test matches ONLY=$ONLY TESTS=$TESTS; LIST=1 lists them"
    echo "0 passed, 1 failed"
    exit 1
fi
if [ -n "$LIST" ]; then
    for name in $files; do
        tests_of "$name" | sed -n "\|/.*$ONLY_TEXT|p"
    done
    exit 0
fi

start=$(date +%s)
rm -rf "$OUT"
mkdir -p "$OUT"
echo 'int main(void) { return 0; }' > "$OUT/empty.c"
UNUSED="-Wunused-function -Werror=unused-function"
$CC $UNUSED -c "$OUT/empty.c" -o "$OUT/empty.o" > /dev/null 2>&1 || UNUSED=
export UNUSED
jobs=$files
for name in $files; do
    [ "$name" != readme ] && uses_kernels "$name" && jobs="shared_kernels $files" && break
done
processors=$(getconf _NPROCESSORS_ONLN 2> /dev/null || nproc 2> /dev/null || echo 1)
beside=$(echo x | xargs -P 2 echo > /dev/null 2>&1 && echo "-P ${JOBS:-$processors}")
printf '%s\n' $jobs | xargs -n 1 $beside sh tests/run.sh --job

tests=0 passed=0 failed=0
for name in $files; do
    read -r t p f < "$OUT/$name.result" || { t=0 p=0 f=1; }
    tests=$((tests + t)) passed=$((passed + p)) failed=$((failed + f))
done
echo "$tests tests in $(($(date +%s) - start)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
