#!/bin/sh
# Trains agents on Atari, without memory and with RISE, for the same number of steps. Interrupted
# runs continue. Complete runs are not repeated. Each run has a folder in build/atari. The results
# are in bench/atari.md.
#
#   sh bench/atari.sh           needs python3 with ale-py and gymnasium
#   sh bench/atari.sh report    prints the table of all runs so far
#   Variables: GAMES, SEEDS, STEPS, THREADS, MEMORIES
#                               [pong breakout freeway; 1; 1M; 1; none rise]
cd "$(dirname "$0")/.." || exit 1
if [ "$1" = report ]; then # random play is 0%, a human tester 100% (Wang et al. 2016)
    sh bench/report.sh build/atari "pong -20.7 14.6
breakout 1.7 30.5
freeway 0 29.6"
    exit
fi
make -s atari || exit 1
mkdir -p build/atari
for seed in ${SEEDS:-1}; do
    for game in ${GAMES:-pong breakout freeway}; do
        for memory in ${MEMORIES:-none rise}; do
            folder=build/atari/$game-$memory-$seed
            [ -e "$folder/episode.gif" ] && continue # the run is complete
            ./atari --game "$game" --memory "$memory" --seed "$seed" --steps "${STEPS:-1M}" \
                --threads "${THREADS:-1}" --folder "$folder" --resume --plain >> "$folder.txt" 2>&1
        done
    done
done
