#!/bin/sh
# Counts the instructions of an update on 64-bit ARM, for each kind of kernels. They are counted
# under qemu, because times under qemu mean nothing.
#
#     make bench-neon [BENCH=--quick]      half an hour; with --quick (batch 4 instead of 32) five
#                                          minutes
#
# The result is the instructions of a run with two updates minus those of a run with one update. So
# the preparation is not counted, nor is work that only the first update does.
cd "$(dirname "$0")/.." || exit 1
csv=build/bench_neon.csv
case $* in
"") batch=32 ;;
--quick) batch=4 ;;
*) echo "usage: $0 [--quick]" >&2 && exit 2 ;;
esac
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $tool > /dev/null && continue
    echo "$tool is not installed: install an AArch64 cross compiler and qemu's user mode"
    echo "(Debian: gcc-aarch64-linux-gnu, qemu-user)"
    exit 0
done

build() { # build NAME FLAGS...
    name=$1
    shift
    aarch64-linux-gnu-gcc "$@" -static bench/neon.c -o "build/neon_$name" -lm || exit 1
}
mkdir -p build
build O2 -O2
build O3 -O3
build plain -O3 -D__TINYC__ # the kernels `c` as plain loops, for compilers without vector types

executed() { # executed PROGRAM ARGUMENTS...: prints the number of instructions executed
    qemu-aarch64 -plugin build/count_insns.so "$@"
}
update() { # update PROGRAM ARGUMENTS...: prints the number of instructions of one update
    one=$(executed "$@" 1) && two=$(executed "$@" 2) && echo $((two - one))
}
trial=$(executed build/neon_O2 c none 10 64 4 0 2>&1)
case $trial in
"" | *[!0-9]*)
    echo "this qemu-aarch64 does not accept plugins (a static one cannot): $trial"
    exit 0
    ;;
esac

show() { # adds a line to the CSV file and prints it in columns
    tee -a $csv | awk -F, '{
        printf "%-26s", $1
        for (i = 2; i <= NF; i++) printf " %10s", $i
        print "" }'
}
row() { # row NAME MEMORY SIDE UNITS: measures and shows one row
    line="$1 batch $batch"
    shift
    for kernels in "O2 ref" "plain c" "O2 c" "O3 c" "O2 neon"; do
        count=$(update "build/neon_${kernels% *}" "${kernels#* }" "$@" $batch) || exit 1
        line=$line,$count
    done
    echo "$line" | awk -F, -v OFS=, '{
        for (i = 2; i < 6; i++) $(i + 5) = sprintf("%.2f", $i / $6)
        for (i = 2; i < 7; i++) $i = sprintf("%.1f", $i / 1e6)
        print }' | show
}

echo "Millions of instructions an update, batch $batch, window 16. The last columns are ratios:"
: > $csv
echo "what,ref,plain -O3,c -O2,c -O3,neon,ref/neon,plain/neon,c -O2/neon,c -O3/neon" | show
row "NONE 84x84" none 84 128
row "RISE 128 84x84" rise 84 128
row "RISE 64 10x10" rise 10 64
echo "
ref: reference kernels; products are three loops that compute the address of every element.
plain: the kernels c as plain loops; the compiler may vectorise them.
c: vector types, with fused multiply-adds lane by lane; the compiler may join the lanes.
neon: intrinsics.
written: $csv"
