#!/bin/sh
# Tests examples/cluster.c with Open MPI: several ranks learn to the same bits as one process, and a
# run can be resumed after any rank was killed at any moment. Ends with "N passed, N failed".
# Without mpicc, says so and skips. Takes about three minutes.
#
#   sh tests/cluster.sh
#   TRIALS=100 SEED=7 sh tests/cluster.sh     more kills, at other moments
cd "$(dirname "$0")/.." || exit 1
OUT=build/cluster TRIALS=${TRIALS:-20} SEED=${SEED:-1}
passed=0 failed=0

# Counts a check: check NAME STATUS
check() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "cluster/$1: passed"
    else
        failed=$((failed + 1))
        echo "cluster/$1: FAILED"
    fi
}
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

if ! command -v mpicc > /dev/null || ! command -v mpirun > /dev/null; then
    echo "skipped: no mpicc here"
    finish
fi
mkdir -p $OUT
rm -rf $OUT/run*
mpicc -O2 -pthread -Wall -Wextra -Werror examples/cluster.c -o $OUT/cluster -lm
check "the example builds" $?
[ "$failed" -eq 0 ] || finish

options="--oversubscribe"
[ "$(id -u)" -eq 0 ] && options="$options --allow-run-as-root"
ranks() { # ranks N OPTION...: runs the example with N ranks, for at most two minutes
    count=$1
    shift
    timeout 120 mpirun $options -n "$count" $OUT/cluster "$@"
}
hash_of() { sed -n 's/^All ranks have the same weights: //p' "$1"; }

# Two ranks with batches of 16 learn as one process with a batch of 32 in two parts. With --check,
# both ranks see the same steps. Uniform replay: each rank knows the errors of its own part only.
for kind in none rise full; do
    common="--check --memory $kind --environments 4 --set priority_exponent=-1
        --set learn_start=200 --set window=6 --set learning_rate_steps=500"
    ranks 2 $common --steps 1600 --set batch=16 > $OUT/two.txt 2>&1
    ranks 1 $common --steps 800 --set batch=32 --set batch_parts=2 > $OUT/one.txt 2>&1
    two=$(hash_of $OUT/two.txt) one=$(hash_of $OUT/one.txt)
    echo "$kind: two ranks $two, one process $one"
    [ -n "$two" ] && [ "$two" = "$one" ]
    check "two ranks learn as one process, $kind" $?
done
# The check itself: another batch gives other weights.
ranks 1 $common --steps 800 --set batch=32 > $OUT/one.txt 2>&1
[ -n "$(hash_of $OUT/one.txt)" ] && [ "$two" != "$(hash_of $OUT/one.txt)" ]
check "other sums have other bits" $?

# Both ways learn a game, and say so.
learned() { grep -q '^Playing greedily, the agent scores 1 in corridor' "$1"; }
ranks 2 --folder $OUT/run-2 --steps 16k --seed 3 > $OUT/log.txt 2>&1
status=$?
tail -3 $OUT/log.txt
[ $status -eq 0 ] && learned $OUT/log.txt
check "two ranks learn the corridor" $?
ranks 2 --folder $OUT/run-sum --steps 6k --sum > $OUT/log.txt 2>&1 &&
    [ -n "$(hash_of $OUT/log.txt)" ]
check "MPI_SUM" $?
ranks 3 --actors --folder $OUT/run-3 --steps 16k --seed 1 > $OUT/log.txt 2>&1
status=$?
tail -2 $OUT/log.txt
# The actors' speed decides which policies they have, so the score differs from run to run. Without
# memory, the best score is 0.
[ $status -eq 0 ] && sed -n 's/^Playing greedily, the agent scores \([-0-9.]*\) in.*/\1/p' \
    $OUT/log.txt | awk '{ good = $1 >= 0.5 } END { exit !good }'
check "actors teach a learner the corridor" $?

# Wrong options are refused once, and an agent may have threads.
ranks 2 --folder "$(printf '%0300d' 0)" > $OUT/log.txt 2>&1
[ "$(grep -c 'name has 300 bytes, at most .* shorter --folder' $OUT/log.txt)" = 1 ]
check "a long folder is refused" $?
ranks 2 --game pong --env CartPole-v1 > $OUT/log.txt 2>&1
[ "$(grep -c -e '--game and --env exclude each other' $OUT/log.txt)" = 1 ]
check "two games are refused" $?
ranks 2 --folder $OUT/run-background --set background=1 > $OUT/log.txt 2>&1
grep -q 'ranks that learn together cannot have it' $OUT/log.txt
check "background is refused" $?
ranks 1 --folder $OUT/run-threads --steps 2k --threads 2 > $OUT/log.txt 2>&1
check "an agent has threads" $?

# A run is not overwritten, and goes on with other numbers of ranks.
ranks 2 --folder $OUT/run-2 > $OUT/log.txt 2>&1
grep -q 'there is a run in .* add --resume' $OUT/log.txt
check "a run is not overwritten" $?
for count in 3 1; do
    ranks $count --folder $OUT/run-2 --resume --steps $((16000 + 3000 * (4 - count))) \
        > $OUT/log.txt 2>&1 &&
        grep -q '^Resumed after [12][0-9]* steps, saved by [23] ranks' $OUT/log.txt &&
        [ -n "$(hash_of $OUT/log.txt)" ] && [ -n "$(sed -n '/^Saved/p' $OUT/log.txt)" ]
    check "resumes with $count ranks" $?
done
ranks 2 --actors --folder $OUT/run-3 --resume --steps 18k > $OUT/log.txt 2>&1 &&
    grep -q '^Resumed after 1[0-9]* steps, saved by 3' $OUT/log.txt
check "resumes with fewer actors" $?

# Kills a rank of runs that save all the time. The same run is resumed after each kill.
random=$SEED
draw() { # draw N: sets $drawn to 0 .. N-1
    random=$(((random * 1103515245 + 12345) % 2147483648))
    drawn=$((random / 65536 % $1))
}
# The processes of the example that mpirun, process $1, has started; in order of their ranks.
started() { ps -o pid=,comm= --ppid "$1" | sed -n 's/^ *\([0-9]*\) cluster$/\1/p' | sort -n; }
last_saved() { sed -n 's/^Saved after \([0-9]*\) steps.*/\1/p' "$1" | tail -1; }
trial() { # trial NUMBER KIND: starts the run in run-kill-KIND, kills a rank, resumes
    kind=$2 folder=$OUT/run-kill-$2 count=2 extra="--whole --environments 4"
    [ "$kind" = actors ] && count=3 extra=--actors
    extra="$extra --set replay_capacity=3000 --set learn_start=200"
    before=$(sed -n '1s/^[ab] [0-9]* \([0-9]*\).*/\1/p' "$folder/set.txt" 2> /dev/null)
    mpirun $options -n $count $OUT/cluster $extra --folder "$folder" --resume --steps 100M \
        --save-every 0.05 > $OUT/kill.txt 2>&1 &
    run=$!
    # counts from the moment when all ranks exist
    tries=0
    until [ "$(started $run | wc -l)" -eq $count ] || [ $((tries += 1)) -gt 200 ]; do
        sleep 0.1
    done
    draw 3000
    moment=$drawn
    sleep $((moment / 1000)).$(printf %03d $((moment % 1000)))
    draw $count
    victim=$(started $run | sed -n "$((drawn + 1))p")
    [ -n "$victim" ] && kill -KILL "$victim"
    tries=0
    while kill -0 $run 2> /dev/null && [ $((tries += 1)) -lt 300 ]; do sleep 0.1; done
    [ $tries -eq 300 ] && echo "mpirun did not end" && kill -KILL $run
    wait $run
    status=$?
    saved=$(last_saved $OUT/kill.txt)
    ranks $count $extra --folder "$folder" --resume --steps 1 > $OUT/resume.txt 2>&1
    resumed=$(sed -n 's/^Resumed after \([0-9]*\) steps.*/\1/p' $OUT/resume.txt)
    echo "trial $1, $kind: rank $drawn killed after $moment ms, status $status; saved after" \
        "${saved:-no} steps, resumed after ${resumed:-no}"
    grep -h 'so the run ends' $OUT/kill.txt
    [ -n "$victim" ] && [ $status -ne 0 ] || return 1
    # killed before the first save: the run is as it was
    [ -z "$saved" ] && saved=${before:-0}
    grep -q '^Saved after' $OUT/resume.txt && [ "${resumed:-0}" -ge "$saved" ]
}
number=0 good=0 sentences=0
while [ $number -lt "$TRIALS" ]; do
    number=$((number + 1))
    kind=together
    [ $((number % 4)) -eq 0 ] && kind=actors
    if trial $number $kind; then
        good=$((good + 1))
    else
        cat $OUT/kill.txt $OUT/resume.txt | tail -n 20
    fi
    grep -q 'so the run ends' $OUT/kill.txt && sentences=$((sentences + 1))
done
echo "$good of $TRIALS killed runs resumed from their last save; $sentences said why they ended"
[ $good -eq "$TRIALS" ]
check "killed runs lose no more than the steps since the last save" $?
[ $((2 * sentences)) -ge "$TRIALS" ]
check "the other ranks say why the run ends" $?

# mpirun passes SIGUSR1 on: the run saves and ends.
mpirun $options -n 2 $OUT/cluster --folder $OUT/run-usr1 --steps 100M > $OUT/log.txt 2>&1 &
run=$!
sleep 3
kill -USR1 $run
wait $run
status=$?
[ $status -eq 0 ] && grep -q '^Saved after' $OUT/log.txt && [ -n "$(hash_of $OUT/log.txt)" ]
check "SIGUSR1 saves and ends the run" $?
finish
