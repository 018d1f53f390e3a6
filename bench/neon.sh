#!/bin/sh
# How many instructions an update takes on 64-bit ARM, for each table of kernels: counted under qemu, where time means nothing.
#
#     make bench-neon [BENCH=--quick]      half an hour, or five minutes with batches of 4 rather than 32
#
# A run of two updates less a run of one is what an update takes: setting up drops out, and what only the first one does.
cd "$(dirname "$0")/.." || exit 1
csv=build/bench_neon.csv
case $* in
"") batch=32 ;;
--quick) batch=4 ;;
*) echo "usage: $0 [--quick]" >&2 && exit 2 ;;
esac
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $tool > /dev/null && continue
    echo "no $tool here: install an AArch64 cross compiler and qemu's user mode (Debian: gcc-aarch64-linux-gnu, qemu-user)"
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
build plain -O3 -D__TINYC__ # `c` as compilers without vector types see it: plain loops
qemu=$(qemu-aarch64 --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
${CC:-cc} -O2 -fPIC -shared -DAPI=$((qemu < 9 ? 1 : 2)) bench/count_insns.c -o build/count_insns.so || exit 1

executed() { # executed PROGRAM ARGUMENTS...: prints how many instructions that takes
    qemu-aarch64 -plugin build/count_insns.so "$@"
}
update() { # the same of an update
    one=$(executed "$@" 1) && two=$(executed "$@" 2) && echo $((two - one))
}
trial=$(executed build/neon_O2 c none 10 64 4 0 2>&1)
case $trial in
"" | *[!0-9]*) echo "this qemu-aarch64 takes no plugins, as a static one cannot: $trial" && exit 0 ;;
esac

show() { # to the CSV and, in columns, to the screen
    tee -a $csv | awk -F, '{ printf "%-26s", $1; for (i = 2; i <= NF; i++) printf " %10s", $i; print "" }'
}
row() { # row NAME MEMORY SIDE UNITS
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

echo "Millions of instructions an update, batch $batch, window 16; behind them, how many times those of neon:"
: > $csv
echo "what,ref,plain -O3,c -O2,c -O3,neon,ref/neon,plain/neon,c -O2/neon,c -O3/neon" | show
row "NONE 84x84" none 84 128
row "RISE 128 84x84" rise 84 128
row "RISE 64 10x10" rise 10 64
echo "
ref: products in three loops that find every element anew. plain: c without vector types, for the compiler to find vectors in.
c: vector types, but fused multiply-adds lane by lane, for the compiler to join. neon: intrinsics.
written: $csv"
