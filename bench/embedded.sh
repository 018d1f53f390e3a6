#!/bin/sh
# Plays an agent of 13131 parameters on three boards with a Cortex-M under qemu, and compares its
# actions with the desktop's.
#
#     sh bench/embedded.sh
#
# The desktop trains the agent for a few seconds, and exports its policy with floats and with 8-bit
# weights (bench/embedded.c). Each board plays both for 1000 episodes (bench/embedded/board.c).
# Prints a table, and ends with "N passed, N failed". The checks:
# * the exported test vector passes on the board;
# * with each policy, the board prints the same actions and the same bits of Q as the desktop;
# * with 8-bit weights, at least 99% of the actions equal those with floats;
# * with 8-bit weights, the score is the same as with floats, and at least 950 of 1000;
# * the limits of flash and RAM, in bytes: see limit().
# Needs arm-none-eabi-gcc with newlib, and qemu-system-arm.
cd "$(dirname "$0")/.." || exit 1
out=build/embedded passed=0 failed=0
for tool in arm-none-eabi-gcc arm-none-eabi-size qemu-system-arm; do
    command -v $tool > /dev/null && continue
    echo "skipped: no $tool here (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi," \
        "qemu-system-arm)"
    echo "0 passed, 0 failed"
    exit 0
done
mkdir -p $out/float32 $out/int8

check() { # check NAME COMMAND...: passes if the command succeeds
    name=$1
    shift
    if "$@" > $out/log 2>&1; then
        passed=$((passed + 1))
    else
        echo "$name:"
        head -20 $out/log
        failed=$((failed + 1))
    fi
}
limit() { # limit KIND: prints the limits of flash and RAM
    [ "$1" = float32 ] && echo 96000 24000 || echo 45000 24000
}

boards='an386 cortex-m4 fpv4-sp-d16 0x00000000 0x20000000
an500 cortex-m7 fpv5-sp-d16 0x00000000 0x20000000
an505 cortex-m33 fpv5-sp-d16 0x10000000 0x38000000'

build() { # build ELF FLAGS...: for the board of $cpu $fpu $flash $ram, with the policy $kind
    elf=$1
    shift
    flags="-mcpu=$cpu -mthumb -mfloat-abi=hard -mfpu=$fpu -Os -ffunction-sections -fdata-sections"
    arm-none-eabi-gcc $flags -fno-tree-loop-distribute-patterns -c bench/embedded/start.c \
        -o "$elf.o" &&
        arm-none-eabi-gcc $flags -flto -fno-math-errno -Wall -Wextra -Werror -I. \
            -I$out/$kind "$@" bench/embedded/board.c "$elf.o" -nostartfiles \
            -Wl,--gc-sections,-Map="$elf.map" -T bench/embedded/board.ld \
            -Wl,--defsym=flash_begin=$flash,--defsym=ram_begin=$ram -lm -o "$elf"
}
run() { # run EPISODES ELF MORE...: prints what the program prints
    episodes=$1 elf=$2
    shift 2
    # qemu prints the program's text to stderr
    timeout 120 qemu-system-arm -M mps2-$board -display none -serial none -monitor none \
        -semihosting-config enable=on,target=native,arg=board,arg=$episodes \
        -kernel "$elf" "$@"
}
# Prints the instructions of an action, with those of the game. Prints - if qemu has no plugins.
instructions() {
    if [ ! -f $out/count_insns.so ]; then
        major=$(qemu-system-arm --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
        ${CC:-cc} -O2 -fPIC -shared -DAPI=$((${major:-9} < 9 ? 1 : 2)) bench/count_insns.c \
            -o $out/count_insns.so
    fi
    few=$(run 10 "$1" -plugin $out/count_insns.so 2> /dev/null)
    many=$(run 20 "$1" -plugin $out/count_insns.so 2> /dev/null)
    case $few$many in '' | *[!0-9]*) echo - ;; *) echo $(((many - few) / 70)) ;; esac
}
value() { # value NAME: the number after NAME in the board's last lines
    tail -n 2 "$program.txt" | tr '\n' ' ' | sed -n "s/.*$1 \([0-9][0-9]*\) .*/\1/p" |
        grep . || echo 0
}

row() { # row BOARD CPU FPU FLASH RAM KIND: builds, runs, checks, and prints a line of the table
    board=$1 cpu=$2 fpu=$3 flash=$4 ram=$5 kind=$6 program=$out/$6/$2
    check "$cpu $kind builds" build "$program"
    check "$cpu $kind builds with its test" build "$program-check" -DCHECK
    run 0 "$program-check" > /dev/null 2> "$program-check.txt"
    check "$cpu $kind test vector" grep -q '^check 0 ' "$program-check.txt"
    run 1000 "$program" > /dev/null 2> "$program.txt"
    # the last line holds the board's bytes
    sed '$d' "$program.txt" > "$program-actions.txt"
    check "$cpu $kind actions" cmp "$program-actions.txt" $out/$kind/desktop.txt
    set -- $(arm-none-eabi-size "$program" | tail -n 1) $(limit $kind)
    flash=$(($1 + $2)) variables=$(($2 + $3)) most=$7 most_ram=$8
    ram=$((variables + $(value block) + $(value stack)))
    check "$cpu $kind flash $flash" test "$flash" -le "$most"
    check "$cpu $kind RAM $ram" test "$ram" -le "$most_ram"
    echo "| $cpu | $kind | $flash | $ram | $variables | $(value block) | $(value stack) |" \
        "$(instructions "$program") | $(value score) |"
}
equal() { # prints how many per mille of the actions are equal with both policies
    paste -d ' ' $out/float32/desktop.txt $out/int8/desktop.txt | awk '/[+-]$/ {
        for (i = 1; i <= 7; i++) same += substr($1, i, 1) == substr($3, i, 1)
        all += 7 }
        END { printf "%d\n", all ? 1000 * same / all : 0 }'
}

check "the desktop builds" ${CC:-cc} -O1 bench/embedded.c -o $out/desktop -lm
check "the desktop trains" $out/desktop $out
policy() { wc -c < $out/$1/echo.rise | tr -d ' '; }
echo "Bytes; instructions an action under qemu; right answers of 1000. The policies are constants" \
    "in flash: float32 $(policy float32), int8 $(policy int8)."
echo
echo "| processor | weights | flash | RAM | variables | agent | stack | instructions | score |"
echo "|---|---|---|---|---|---|---|---|---|"
echo "$boards" > $out/boards
while read -r line; do
    for kind in float32 int8; do row $line $kind; done
done < $out/boards
score() { sed -n 's/^score \([0-9]*\) .*/\1/p' $out/$1/desktop.txt; }
echo
echo "Actions that are equal with both policies: $(equal) per mille."
check "99% of the actions are equal" test "$(equal)" -ge 990
check "the agent has learned" test "$(score float32)" -ge 950
check "the scores are equal" test "$(score float32)" = "$(score int8)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
