#!/bin/sh
# Trains DQN on the real MinAtar, with the settings of Young & Tian (2019): a conv layer of 16 3x3
# filters, a dense layer of 128 units, one update a frame, 100000 frames of replay. Then trains on
# the same games with half of the frames black, without memory and with RISE. Interrupted runs
# continue. Complete runs are not repeated, not even with other STEPS. Each run has a folder in
# build/minatar. The results are in bench/minatar.md.
#
#   sh bench/minatar.sh [dqn|blank-none|blank-rise]...   needs python3 with minatar and gymnasium
#   sh bench/minatar.sh report                           prints the table of all runs so far
#   Variables: GAMES, SEEDS, STEPS        [Breakout Asterix Freeway SpaceInvaders; 1 2; 1M]
cd "$(dirname "$0")/.." || exit 1
# The training scores at 1M frames in Young & Tian's plots count as 100%.
published='Asterix 7.1
Breakout 9.2
Freeway 47.8
SpaceInvaders 33'

# Prints the table of build/minatar, a row for each run. Each run has a folder GAME-KIND-SEED with
# its log.csv, and its output in GAME-KIND-SEED.txt. For runs of the kind dqn, the percentage is of
# the training score. For the others it is of the best agent's last episodes.
report() {
    printf '| game | agent | seed | steps | training, last 100 episodes | greedy, best evaluation '
    echo '| best agent, 20 more episodes | of published | minutes | steps/s |'
    echo '|---|---|---|---|---|---|---|---|---|---|'
    for log in build/minatar/*/log.csv; do
        [ -e "$log" ] || continue
        run=$(basename "$(dirname "$log")")
        game=${run%%-*} kind=${run#*-}
        more=$(sed -n 's/.* evaluation episodes, the best agent scored \([-0-9.]*\) .*/\1/p' \
            "build/minatar/$run.txt" 2> /dev/null | tail -n 1)
        echo "$published" | awk -v game="$game" -v kind="${kind%-*}" -v seed="${run##*-}" \
            -v more="$more" '
            # returns an empty text if there is no number yet
            function cell(format, x) { return x == "" ? "" : sprintf(format, x) }
            NR == FNR { if ($1 == game) published = $2; next }
            FNR > 1 { split($0, x, ",") }
            FNR > 1 && x[6] != "" { training = x[6] }
            FNR > 1 && x[5] != "" && (best == "" || x[5] + 0 > best) { best = x[5] + 0 }
            END {
                result = kind == "dqn" ? training : more
                share = result == "" || published == "" ? "" : 100 * result / published
                printf "| %s | %s | %s | %d | %s | %s | %s | %s | %.0f | %.0f |\n", game, kind,
                       seed, x[1], cell("%.1f", training), cell("%.1f", best), more,
                       cell("%.0f%%", share), x[2] / 60, x[2] > 0 ? x[1] / x[2] : 0
            }' - "$log"
    done
}

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

if [ "$1" = report ]; then
    report
    exit
fi
make -s atari || exit 1
mkdir -p build/minatar

for kind in ${*:-dqn blank-none blank-rise}; do
    for seed in ${SEEDS:-1 2}; do
        for game in ${GAMES:-Breakout Asterix Freeway SpaceInvaders}; do
            case $kind in
            dqn) run dqn "$game" "$seed" none 0 ;;
            blank-none) run blank-none "$game" "$seed" none 0.5 ;;
            blank-rise) run blank-rise "$game" "$seed" rise 0.5 ;;
            *) echo "minatar.sh: there is no kind $kind" >&2 && exit 2 ;;
            esac || {
                echo "minatar.sh: a run failed: see build/minatar/$game-$kind-$seed.txt" >&2
                exit 1
            }
        done
    done
done
