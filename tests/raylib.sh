#!/bin/sh
# Tests the loop for raylib in rise.h's manual: compiles it with a small game, and runs it without a
# screen until an agent has learned the game. Ends with "N passed, N failed". Takes half a minute.
#
#   sh tests/raylib.sh
#
# Needs xvfb-run and the Python package raylib, version 6. The package has a library that exports
# raylib's C functions, and raylib's header without its macros. Without xvfb-run or the package,
# nothing is tested, and a line says so.
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc} CFLAGS=${CFLAGS--O2} OUT=build/raylib
skip() {
    echo "skipped: $1"
    echo "0 passed, 0 failed"
    exit 0
}
package=$(python3 -c 'import importlib.util as u; print(u.find_spec("raylib").origin)' \
    2> /dev/null) || skip "no Python package raylib here"
folder=$(dirname "$package")
library=$(ls "$folder"/_raylib_cffi*.so 2> /dev/null)
[ -f "$folder/raylib.h.modified" ] && [ -n "$library" ] || skip "another raylib than expected here"
command -v xvfb-run > /dev/null || skip "no xvfb-run here"

mkdir -p $OUT
cp "$folder/raylib.h.modified" $OUT/raylib.h
# This library is a Python extension, so programs also link with libpython.
python=$(python3 -c 'import sysconfig as s; v = s.get_config_var
print(v("LIBDIR"), v("LDVERSION"), v("MULTIARCH") or "")')
set -- $python
python="-L$1 -L/usr/lib/$3 -lpython$2 -Wl,-rpath,$1"

# The game: a square at the left or at the right. The agent must name the side, ten ticks later.
cat > $OUT/raylib.c << 'END'
#include <stdbool.h>
#include "raylib.h"
#define RISE_THREADS
#define RISE_IMPLEMENTATION
#include "rise.h"

enum { FRAMES = 9000, LAST = 3000 };
static int side, ticks, right, games, frames;

static void npc_draw_view(void)
{
    Color const black = {0, 0, 0, 255}, white = {255, 255, 255, 255};
    ClearBackground(black);
    DrawRectangle(side ? 60 : 0, 30, 20, 20, white);
}
static void game_draw(void)
{
    Color const white = {255, 255, 255, 255};
    DrawText("hide and seek", 10, 10, 20, white);
}
static void game_reset(void)
{
    side = GetRandomValue(0, 1);
    ticks = 0;
}
static rise_event game_tick(int action, float *reward)
{
    if (++ticks < 10) return RISE_MIDDLE;
    games++;
    right += action == side;
    *reward += action == side ? 1.0f : -1.0f;
    return RISE_TERMINATED;
}
#define SetTargetFPS(rate) /* as fast as it can */
static int closed(void)
{
    if (frames == FRAMES - LAST) right = games = 0;
    return frames++ >= FRAMES;
}
#define WindowShouldClose closed

int main(void)
{
    static rise_agent_desc desc;
    const rise_kernels *const kernels = rise_kernels_of(RISE_ISA_AUTO);
    uint8_t frame[16 * 16];
    rise_event event = RISE_FIRST;
    rise_agent *agent;
    rise_error error;
    float reward = 0;
    int tick, action = 0;
    desc.frame_width = desc.frame_height = 16;
    desc.actions = 2;
    desc.background = 1;
    desc.learn_start = 100;
    desc.epsilon_steps = 300;
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK) return puts(error.text), 1;
END
sed -n '/A LOOP FOR RAYLIB/,/^   [A-Z]/{/^       /p;}' rise.h > $OUT/loop.txt
cat $OUT/loop.txt >> $OUT/raylib.c
cat >> $OUT/raylib.c << 'END'
    CloseWindow();
    rise_agent_destroy(agent);
    printf("%d of the last %d games were right\n", right, games);
    return games > 100 && right * 10 >= games * 9 ? 0 : 1;
}
END
lines=$(wc -l < $OUT/loop.txt)
passed=0 failed=0
check() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "raylib/$1: passed"
    else
        failed=$((failed + 1))
        echo "raylib/$1: FAILED"
    fi
}
[ "$lines" -gt 15 ] && [ "$lines" -le 25 ]
check "the loop has at most 25 lines ($lines)" $?
# shellcheck disable=SC2086
$CC $CFLAGS -Wall -Wextra -Werror -I. -I$OUT $OUT/raylib.c "$library" -Wl,-rpath,"$folder" \
    $python -lm -pthread -o $OUT/raylib
check "it compiles" $?
if [ "$failed" -eq 0 ]; then
    xvfb-run -a $OUT/raylib > $OUT/raylib.txt 2>&1
    check "the agent learns" $?
    tail -1 $OUT/raylib.txt
    [ "$(grep -c INFO $OUT/raylib.txt)" -eq 0 ]
    check "raylib does not log each frame" $?
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
