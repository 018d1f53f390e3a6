#!/bin/sh
# Prints a Markdown table of the runs of examples/atari.c in a folder, a row for each run. A run is
# a folder GAME-KIND-SEED with its log.csv. Its output is in GAME-KIND-SEED.txt beside the folder.
#
#   sh bench/report.sh FOLDER SCORES [WHOSE]
#
# SCORES has lines "game low high": the scores that count as 0% and as 100% of WHOSE [human]. For
# runs of the kind dqn, the percentage is of the training score. For the others it is of the best
# agent's last episodes.
printf '| game | agent | seed | steps | training, last 100 episodes | greedy, best evaluation '
printf '| best agent, 20 more episodes | of %s | minutes | steps/s |\n' "${3:-human}"
echo "|---|---|---|---|---|---|---|---|---|---|"
for log in "$1"/*/log.csv; do
    [ -e "$log" ] || continue
    run=$(basename "$(dirname "$log")")
    game=${run%%-*} kind=${run#*-}
    more=$(sed -n 's/.* more episodes greedily, the best agent scored \([-0-9.]*\) .*/\1/p' \
        "$1/$run.txt" 2> /dev/null | tail -n 1)
    echo "$2" | awk -v game="$game" -v kind="${kind%-*}" -v seed="${run##*-}" -v more="$more" '
        # returns an empty text if there is no number yet
        function cell(format, x) { return x == "" ? "" : sprintf(format, x) }
        NR == FNR { if ($1 == game) { low = $2; high = $3 }; next }
        FNR > 1 { split($0, x, ",") }
        FNR > 1 && x[6] != "" { training = x[6] }
        FNR > 1 && x[5] != "" && (best == "" || x[5] + 0 > best) { best = x[5] + 0 }
        END {
            result = kind == "dqn" ? training : more
            share = result == "" ? "" : 100 * (result - low) / (high - low)
            printf "| %s | %s | %s | %d | %s | %s | %s | %s | %.0f | %.0f |\n", game, kind, seed,
                   x[1], cell("%.1f", training), cell("%.1f", best), more, cell("%.0f%%", share),
                   x[2] / 60, x[1] / x[2]
        }' - "$log"
done
