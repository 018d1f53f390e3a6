#!/bin/sh
# A row of a table in Markdown for each run of examples/atari.c in a folder: what its log.csv came to, and what its output, in
# a text beside its folder, says that the best agent scored in the end.
#
#   sh bench/report.sh FOLDER SCORES [WHOSE]
#
# SCORES are lines "game low high": what counts as 0 and as 100% of WHOSE [human]. Runs are called GAME-KIND-SEED; those of the kind
# dqn are measured by their training, the others by the best agent's last episodes.
echo "| game | agent | seed | steps | training, last 100 episodes | greedy, best evaluation | best agent, 20 more episodes | of \
${3:-human} | minutes | steps/s |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for log in "$1"/*/log.csv; do
    [ -e "$log" ] || continue
    run=$(basename "$(dirname "$log")")
    game=${run%%-*} kind=${run#*-}
    more=$(sed -n 's/.* more episodes greedily, the best agent scored \([-0-9.]*\) .*/\1/p' "$1/$run.txt" 2> /dev/null | tail -n 1)
    echo "$2" | awk -v game="$game" -v kind="${kind%-*}" -v seed="${run##*-}" -v more="$more" '
        function cell(format, x) { return x == "" ? "" : sprintf(format, x) } # blank if there is none yet
        NR == FNR { if ($1 == game) { low = $2; high = $3 }; next }
        FNR > 1 { split($0, x, ",") }
        FNR > 1 && x[6] != "" { training = x[6] }
        FNR > 1 && x[5] != "" && (best == "" || x[5] + 0 > best) { best = x[5] + 0 }
        END {
            result = kind == "dqn" ? training : more
            share = result == "" ? "" : 100 * (result - low) / (high - low)
            printf "| %s | %s | %s | %d | %s | %s | %s | %s | %.0f | %.0f |\n", game, kind, seed, x[1], cell("%.1f", training),
                   cell("%.1f", best), more, cell("%.0f%%", share), x[2] / 60, x[1] / x[2]
        }' - "$log"
done
