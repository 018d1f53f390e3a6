#!/bin/sh
# Measures examples/cluster.c: the model of bench/cluster.c for 1 to 64 ranks, then the speed of one
# to three ranks on this machine, with MPI. Takes about two minutes. Options are those of
# build/bench_cluster.
#
#   make bench-cluster, or: sh bench/cluster.sh --updates 100
cd "$(dirname "$0")/.." || exit 1
build/bench_cluster "$@" || exit 1
if ! command -v mpicc > /dev/null; then
    echo "skipped: no mpicc here"
    exit 0
fi
mpicc -O2 -pthread examples/cluster.c -o build/bench_ranks -lm || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
options="--oversubscribe"
[ "$(id -u)" -eq 0 ] && options="$options --allow-run-as-root"
measure() { # measure RANKS OPTION...
    count=$1
    shift
    echo
    echo "mpirun -n $count ./cluster $*; load of the machine before: $(cut -d' ' -f1 /proc/loadavg)"
    rm -rf "$folder/run"
    mpirun $options -n "$count" build/bench_ranks "$@" --folder "$folder/run" 2>&1 |
        grep 'updates in\|MB in\|waiting\|actors wait' | tail -3
}
measure 1 --steps 30k
measure 2 --steps 30k
measure 2 --steps 30k --sum
measure 3 --steps 30k --actors
if python3 -c 'import ale_py, gymnasium' 2> /dev/null; then
    atari="--env ALE/Pong-v5 --environments 4 --set learn_start=1000 --set replay_capacity=8000"
    measure 1 $atari --steps 2k
    measure 2 $atari --steps 4k
fi
