#!/bin/sh
# Trains DQN on the real MinAtar, with the settings of Young & Tian (2019): a conv layer of 16 3x3
# filters, a dense layer of 128 units, one update a frame, 100000 frames of replay. Then trains on
# the same games with half of the frames black, without memory and with RISE. Interrupted runs
# continue. Complete runs are not repeated. Each run has a folder in build/minatar. The results are
# in bench/minatar.md.
#
#   sh bench/minatar.sh [dqn|blank-none|blank-rise]...   needs python3 with minatar and gymnasium
#   sh bench/minatar.sh report                           prints the table of all runs so far
#   Variables: GAMES, SEEDS, STEPS        [Breakout Asterix Freeway SpaceInvaders; 1 2; 1M]
cd "$(dirname "$0")/.." || exit 1
make -s atari || exit 1
mkdir -p build/minatar

# run KIND GAME SEED MEMORY BLANK: makes one run, unless it is complete
run() {
    folder=build/minatar/$2-$1-$3
    [ -e "$folder/episode.gif" ] && return
    ./atari --env "MinAtar/$2-v0" --memory "$4" --blank "$5" --seed "$3" --steps "${STEPS:-1M}" \
        --folder "$folder" --environments 1 --evaluate-every 100k --episodes 8 --plain --resume \
        --whole --set network=custom --set conv_count=1 --set 'conv[0].filters=16' \
        --set 'conv[0].size=3' --set features=-1 --set head_units=128 --set no_dueling=1 \
        --set no_double=1 --set frame_stack=1 --set n_step=1 --set batch=32 \
        --set learn_period=1 --set learn_start=5000 --set replay_capacity=100000 \
        --set target_period=1000 --set learning_rate=0.00025 --set adam_epsilon=0.0003125 \
        --set gradient_clip=-1 --set discount=0.99 \
        --set epsilon_start=1 --set epsilon_end=0.1 --set epsilon_steps=100000 \
        --set priority_exponent=-1 --set importance_exponent=-1 \
        --set recurrent_units=64 --set embedding_size=64 --set window=16 \
        >> "build/minatar/$2-$1-$3.txt" 2>&1
}

if [ "$1" = report ]; then # 100% is the training score in Young & Tian's figures at 1M frames
    sh bench/report.sh build/minatar "Asterix 0 7.1
Breakout 0 9.2
Freeway 0 47.8
SpaceInvaders 0 33" "published"
    exit
fi

for kind in ${*:-dqn blank-none blank-rise}; do
    for seed in ${SEEDS:-1 2}; do
        for game in ${GAMES:-Breakout Asterix Freeway SpaceInvaders}; do
            case $kind in
            dqn) run dqn "$game" "$seed" none 0 ;;
            blank-none) run blank-none "$game" "$seed" none 0.5 ;;
            blank-rise) run blank-rise "$game" "$seed" rise 0.5 ;;
            esac
        done
    done
done
