#!/bin/sh
# Compiles rise.h in every way that users do: with strict warnings, from C99 to C++17, with each
# compiler that is here. Prints what fails, and ends with "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
out=build/build passed=0 failed=0
mkdir -p "$out"
strict='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror'
c_only='-Wstrict-prototypes -Wmissing-prototypes'
# Warnings that are enabled for rise.h only, because a user may compile it with them.
users='-Wdouble-promotion -Wredundant-decls -Wduplicated-branches -Wswitch-default'

check() { # check NAME COMMAND...: passes if the command succeeds
    name=$1
    shift
    if "$@" > "$out/log" 2>&1; then
        passed=$((passed + 1))
    else
        echo "$name:"
        head -20 "$out/log"
        failed=$((failed + 1))
    fi
}
found() {
    command -v "$1" > /dev/null 2>&1 && return
    echo "skipped: no $1 here"
    return 1
}

known() { # known COMPILER FLAG...: prints those flags that the compiler knows
    compiler=$1
    shift
    echo 'int nothing;' > "$out/empty.c"
    for flag in "$@"; do
        $compiler -Werror "$flag" -c "$out/empty.c" -o "$out/empty.o" > /dev/null 2>&1 &&
            echo "$flag"
    done
}

printf '#define RISE_IMPLEMENTATION\n#include "rise.h"\n' > "$out/one.c"
use='rise_result use(rise_agent **a, const rise_agent_desc *d)'
printf '#include "rise.h"\n%s;\n%s ' "$use" "$use" > "$out/two.c"
printf '{ return rise_agent_create(a, d, 0); }\n' >> "$out/two.c"
printf '#include "rise.h"\nint main(void) { rise_agent *a = 0; rise_agent_desc d;\n' > "$out/main.c"
printf 'd.frame_width = 0; d.isa = RISE_ISA_AUTO; rise_agent_destroy(a);\n' >> "$out/main.c"
printf 'return rise_kernels_of(d.isa) == 0; }\n' >> "$out/main.c"
printf '#define RISE_IMPLEMENTATION\n#define RISE_STATIC\n#include "rise.h"\n' > "$out/static.c"
printf 'int rise_user(void);\n' >> "$out/static.c"
printf 'int rise_user(void) { return rise_kernels_of(RISE_ISA_AUTO) == 0; }\n' >> "$out/static.c"

# Macros that <windows.h>, Qt, X11, Arduino, Unreal and other headers define, made so that any use of
# one is an error. The system headers come first, because they may use such names themselves.
names='far near small hyper interface min max pascal cdecl CALLBACK IN OUT OPTIONAL VOID CONST DELETE
    STRICT TRUE FALSE ERROR DIFFERENCE TRANSPARENT OPAQUE IGNORE ABSOLUTE RELATIVE slots signals emit
    foreach forever None Bool Status True False Success Always Complex Below Above Unsorted KeyPress
    FocusIn FocusOut CursorShape GrayScale F B0 B1 B00 B01 B10 B11 bit abs round constrain radians
    degrees sq word boolean byte interrupts noInterrupts lowByte highByte PI TWO_PI HALF_PI DEG_TO_RAD
    DEFAULT EXTERNAL INPUT OUTPUT LOW HIGH CHANGE FALLING RISING LED_BUILTIN SERIAL DISPLAY _BV check
    verify require TEXT FORCEINLINE PURE_VIRTUAL ensure complex I OK ERR major minor makedev assert
    timespec_get' # Android has it only from API 29 on
# Names that a program is likely to have.
names="$names N K STEP STEPS ROWS COLUMNS LENGTH SIZE COUNT WIDTH HEIGHT OUTPUTS BITS CHUNK VECTORS"
{
    for header in errno fcntl float limits math pthread sched stdarg stddef stdint stdio stdlib \
        string sys/stat sys/types time unistd; do
        echo "#include <$header.h>"
    done
    printf '#ifdef __x86_64__\n#include <immintrin.h>\n#endif\n'
    for name in $names; do printf '#undef %s\n#define %s ) a macro of the user (\n' "$name" "$name"; done
    printf '#define RISE_THREADS\n#define RISE_IMPLEMENTATION\n#include "rise.h"\n'
} > "$out/names.c"

# One whole compilation with each compiler, for warnings that need the optimizer: those of clang and
# g++ need no more than -O1. For all others, -fsyntax-only is enough.
for cc in gcc clang; do
    found $cc || continue
    more=$(known $cc $users)
    [ $cc = clang ] && whole=-O1 || whole=-O2
    check "$cc -std=c99" $cc -std=c99 $whole -Wframe-larger-than=16384 $strict $c_only $more -I. \
        -c "$out/one.c" -o "$out/one.o"
    for std in c11 gnu11; do
        check "$cc -std=$std" $cc -std=$std -fsyntax-only $strict $c_only $more -I. "$out/one.c"
    done
    for macro in RISE_NO_STDIO RISE_NO_SIMD RISE_NO_AVX512 RISE_NO_PRETRAINED RISE_NO_ENCODERS \
        RISE_NO_RAINBOW RISE_DOUBLE RISE_THREADS; do
        # The public fields stay floats, so they are promoted where numbers are doubles.
        [ $macro = RISE_DOUBLE ] && promotion=-Wno-double-promotion || promotion=
        check "$cc -D$macro" $cc -std=c99 -fsyntax-only -D$macro $strict $c_only $more $promotion \
            -I. "$out/one.c"
    done
    check "$cc, macros of other headers" $cc -std=gnu11 -fsyntax-only -I. "$out/names.c"
    check "$cc RISE_STATIC" $cc -std=c99 -O1 $strict $c_only -I. \
        -c "$out/static.c" -o "$out/static.o"
    check "$cc two files" $cc -std=c99 -O1 $strict $c_only -I. \
        "$out/main.c" "$out/two.c" "$out/one.o" -o "$out/two" -lm
    check "$cc two files run" "$out/two"
    # Of the tests, gcc's warnings are enough.
    [ $cc = gcc ] && tests='tests/*.c' || tests=
    for source in examples/*.c examples/web/*.c $tests bench/*.c; do
        flags=
        [ "$source" = examples/web/web.c ] && flags=-Wno-missing-prototypes # called by JavaScript
        case $source in
        */npc.c) flags=$(pkg-config --cflags sdl2 2> /dev/null) || continue ;; # no SDL2 here
        */cluster.c) flags=$(mpicc --showme:compile 2> /dev/null) || continue ;; # no Open MPI here
        esac
        # The kernels were compiled above, so not for each file again.
        check "$cc $source" $cc -std=c99 -fsyntax-only -DRISE_NO_SIMD $strict $c_only $flags \
            "$source"
    done
done
for cxx in g++ clang++; do
    found $cxx || continue
    more=$(known "$cxx -x c++" $users)
    # The check in C compiles with clang -O1. Here, the syntax is enough.
    [ "$cxx" = clang++ ] && whole=-fsyntax-only || whole=-O1
    check "$cxx -std=c++11" $cxx -x c++ -std=c++11 $whole $strict $more -I. -c "$out/one.c" \
        -o "$out/cxx.o"
    check "$cxx, macros of other headers" $cxx -x c++ -std=c++17 -fsyntax-only -I. "$out/names.c"
    check "$cxx -std=c++17" $cxx -x c++ -std=c++17 -fsyntax-only $strict $more -I. "$out/one.c"
done
# The oldest compilers of Debian 12. Some warnings of gcc need the optimizer.
for cc in gcc-11 clang-13; do
    found $cc || continue
    [ $cc = clang-13 ] && whole=-fsyntax-only || whole=-O2
    check "$cc -std=c99" $cc -std=c99 $whole $strict $c_only $(known $cc $users) -I. \
        -c "$out/one.c" -o "$out/old.o"
done
# macOS: compiled and linked, not run. Zig's compiler has the headers and libraries.
if python3 -m ziglang version > /dev/null 2>&1; then
    for machine in x86_64 aarch64; do
        mac="python3 -m ziglang cc -target $machine-macos"
        check "macOS $machine" $mac -std=c99 -O0 $strict $c_only $(known "$mac" $users) -I. \
            -DRISE_THREADS "$out/main.c" "$out/two.c" "$out/one.c" -o "$out/macos-$machine"
        for name in memory atari; do
            [ $machine = x86_64 ] && [ $name = memory ] && continue # atari.c is enough there
            check "macOS $machine, $name" $mac -std=c99 -O0 $strict $c_only "examples/$name.c" \
                -o "$out/macos-$name"
        done
    done
else
    echo "skipped: no ziglang here"
fi
# Flags that change results are refused. Small enumerations, as on bare-metal ARM, work.
if found gcc; then
    # Macros of the template. Without this error, they would be undefined after rise.h.
    for name in $(sed -n 's/^#undef \([MNV][A-Z]*\|v[a-z0-9_]*\)$/\1/p' rise.h | sort -u); do
        check "gcc -D$name is refused" sh -c "gcc -D$name=7 -I. -E $out/one.c 2>&1 > $out/macro.i |
            grep -q 'a macro M, V'"
    done
    for flag in -ffast-math -ffinite-math-only -funsafe-math-optimizations \
        -fsingle-precision-constant; do
        check "gcc $flag is refused" sh -c "! gcc $flag -I. -fsyntax-only $out/one.c"
    done
    check "gcc -fshort-enums" gcc -O1 -fshort-enums -DCHECK_QUICK tests/rules.c -o "$out/rules" -lm
    check "gcc -fshort-enums runs" sh -c "cd $out && ./rules"
    # The clock is monotonic with strict flags, too. Processor time would not include the sleep.
    printf '#define RISE_STATIC\n#define RISE_IMPLEMENTATION\n#include "rise.h"\n' > "$out/clock.c"
    cat >> "$out/clock.c" << 'EOF'
int main(void)
{
    static rise_agent_desc desc;
    double const before = risei_model_clock(&desc);
    return system("sleep 0.2") != 0 || risei_model_clock(&desc) - before < 0.1;
}
EOF
    for std in c99 c11; do
        check "gcc -std=$std, clock" gcc -O1 -std=$std -w -DRISE_NO_SIMD -I. "$out/clock.c" \
            -o "$out/clock" -lm
        check "gcc -std=$std, the clock is monotonic" sh -c "nm $out/clock | grep -q clock_gettime"
        check "gcc -std=$std, the clock counts a sleep" "$out/clock"
    done
    # On other systems than POSIX and Windows: if the old file is gone and cannot be replaced, the
    # new file stays. Here rename always fails.
    cat > "$out/other.c" << 'EOF'
#include <stdio.h>
static int always_fails(const char *from, const char *to)
{
    return from == to ? -2 : -1;
}
#define rename always_fails
#define RISE_IMPLEMENTATION
#include "rise.h"
#undef rename
static int exists(const char *path)
{
    FILE *file = fopen(path, "rb");
    return file != NULL && fclose(file) == 0;
}
int main(void)
{
    rise_agent_desc desc = {0};
    rise_error error;
    rise_agent *agent, *loaded;
    FILE *old;
    desc.frame_width = desc.frame_height = 8, desc.actions = 2;
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK) return 1;
    remove("other.rise"), remove("other.rise.new");
    if (rise_agent_save(agent, RISE_SAVE_AGENT, "other.rise", &error) != RISE_IO) return 2;
    if (exists("other.rise.new") || strstr(error.text, ".new") != NULL) return 3;
    if ((old = fopen("other.rise", "wb")) == NULL || fclose(old) != 0) return 4;
    if (rise_agent_save(agent, RISE_SAVE_AGENT, "other.rise", &error) != RISE_IO) return 5;
    if (strstr(error.text, "path.new") == NULL) return 6;
    if (rise_agent_load(&loaded, "other.rise.new", NULL, &error) != RISE_OK) return 7;
    rise_agent_destroy(loaded), rise_agent_destroy(agent);
    return 0;
}
EOF
    check "gcc -U__unix__" gcc -O1 -U__unix__ -DRISE_NO_SIMD -I. "$out/other.c" -o "$out/other" -lm
    check "a new file that cannot be renamed stays" sh -c "cd $out && ./other"
    # A build with RISE_NO_PRETRAINED refuses a checkpoint with RESNET18 by RISE_UNAVAILABLE.
    cat > "$out/pretrained.c" << 'EOF'
#ifndef RISE_NO_PRETRAINED
#include "tests/encoder_file.h"
int main(void)
{
    recipe const r = recipe_of(32, RISEI_TENSOR_F32);
    buffer const b = baked(&r);
    rise_agent_desc desc = {0};
    rise_agent *agent;
    FILE *const weights = fopen("pretrained.weights", "wb");
    if (weights == NULL || fwrite(b.data, 1, b.size, weights) != b.size) return 1;
    if (fclose(weights) != 0) return 1;
    desc.frame_width = desc.frame_height = 32, desc.actions = 2, desc.replay_capacity = 50;
    desc.learn_start = 40, desc.embedding = RISE_EMBED_RESNET18, desc.embedding_size = 32;
    desc.embedding_file = "pretrained.weights";
    if (rise_agent_create(&agent, &desc, NULL) != RISE_OK) return 2;
    return rise_agent_save(agent, RISE_SAVE_ALL, "pretrained.rise", NULL) != RISE_OK;
}
#else
#define RISE_IMPLEMENTATION
#include "rise.h"
int main(void)
{
    rise_agent_desc machine = {0};
    rise_agent *agent;
    rise_error error;
    machine.embedding_file = "pretrained.weights";
    if (rise_agent_load(&agent, "pretrained.rise", &machine, &error) != RISE_UNAVAILABLE) return 1;
    return strstr(error.text, "RISE_NO_PRETRAINED") == NULL;
}
#endif
EOF
    for macro in RISE_NO_SIMD RISE_NO_PRETRAINED; do
        check "gcc -D$macro, RESNET18" gcc -O0 -DRISE_NO_SIMD -D$macro -I. "$out/pretrained.c" \
            -o "$out/pretrained" -lm
        check "RESNET18 with $macro" sh -c "cd $out && ./pretrained"
    done
    # after the header, the user's flags decide whether a * b + c is fused
    printf '#define RISE_IMPLEMENTATION\n#include "rise.h"\n' > "$out/fused.c"
    echo 'double fused(double a, double b, double c); double fused(double a, double b, double c)' \
        '{ return a * b + c; }' >> "$out/fused.c"
    for cc in gcc clang; do
        found $cc || continue
        # with "fast", clang obeys no pragma
        [ $cc = clang ] && contract=on || contract=fast
        check "$cc fuses in the user's code" sh -c "$cc -O2 -mfma -ffp-contract=$contract -I. -S \
            -DRISE_PLAY_ONLY -DRISE_NO_SIMD $out/fused.c -o - | sed -n '/^fused:/,/ret/p' |
            grep -q vfmadd"
    done
fi
# Clang has no macro that tells these flags. The self-test notices what they do.
if found clang; then
    for flag in -funsafe-math-optimizations "-mfma -ffp-contract=fast"; do
        case $flag in -mfma*) grep -qw fma /proc/cpuinfo 2> /dev/null || continue ;; esac
        check "clang $flag" clang -O2 -DRISE_NO_SIMD $flag tests/selftest.c -o "$out/flags" -lm
        check "the self-test notices $flag" \
            sh -c "$out/flags passes | grep -q 'other weights than elsewhere; check the compiler'"
    done
fi
# On 64-bit Windows the stack is aligned to 16 bytes. Some versions of gcc store vectors of 32 and
# 64 bytes there with instructions that need more, and the program crashes (gcc bug 54412). The
# kernels make no such accesses themselves. So each one in a function that does not align the stack
# is a mistake, also if its address is in another register.
loose_vectors() { # loose_vectors OBJECT: prints these functions, or that there is no object
    if [ ! -f "$1" ]; then echo "there is no $1"; fi
    objdump -d --no-show-raw-insn "$1" | awk '
        function end() { if (count && !aligned) print name, count, first }
        /^[0-9a-f]+ <.*>:$/ { end(); name = $2; count = aligned = 0 }
        /and +\$0xf*[ec08]0,%[re]sp/ { aligned = 1 }
        /vmov(aps|apd|dqa|dqa32|dqa64|ntps|ntpd|ntdq)[ \t].*%[yz]mm/ && /\(/ && !/\(%rip\)/ {
            if (!count++) first = $0
        }
        END { end() }'
}
if found x86_64-w64-mingw32-gcc; then
    windows=x86_64-w64-mingw32-gcc
    for level in -O0 -O2 "-O3 -march=native"; do
        rm -f "$out/windows.o"
        check "$windows $level" $windows -std=c99 $level $strict $c_only \
            $(known $windows $users) -I. -c "$out/one.c" -o "$out/windows.o"
        loose_vectors "$out/windows.o" > "$out/loose" 2>&1
        check "$windows $level aligns vectors on the stack" sh -c "! grep . $out/loose"
    done
    # the check itself: one function that aligns its stack, and two that do not
    printf '%s\n' '.globl good, bad, worse' 'good: and $-32, %rsp' 'vmovaps %ymm0, 32(%rsp)' ret \
        'bad: vmovaps 32(%rsp), %ymm0' ret 'worse: vmovdqa64 %zmm0, (%rax)' ret > "$out/loose.s"
    check "$windows assembles" $windows -c "$out/loose.s" -o "$out/windows.o"
    check "unaligned vectors are noticed" \
        test "$(loose_vectors "$out/windows.o" | cut -d' ' -f1 | tr -d '\n')" = '<bad>:<worse>:'
fi
# Macros that leave parts out, in pairs. -fsyntax-only is faster, but only a compilation to an object
# notices a static function that is called and not there, so players are compiled.
players='RISE_NO_SIMD RISE_NO_AVX512 RISE_NO_PRETRAINED RISE_NO_ENCODERS RISE_NO_RAINBOW RISE_NO_STDIO'
if found gcc && found g++; then
    c="gcc -std=c99 -O0 $strict $c_only $(known gcc $users) -I."
    cxx="g++ -x c++ -std=c++11 -O0 $strict $(known 'g++ -x c++' $users) -I."
    check "gcc -DRISE_PLAY_ONLY" $c -DRISE_PLAY_ONLY -c "$out/one.c" -o "$out/macro.o"
    for first in RISE_PLAY_ONLY $players RISE_THREADS; do
        check "g++ -D$first" $cxx -fsyntax-only -D$first "$out/one.c"
    done
    left="$players RISE_THREADS"
    for first in $players; do
        left=${left#* }
        for second in $left; do
            check "gcc -D$first -D$second" $c -fsyntax-only -D$first -D$second "$out/one.c"
        done
        check "gcc -DRISE_PLAY_ONLY -D$first" $c -DRISE_PLAY_ONLY -D$first -c "$out/one.c" \
            -o "$out/macro.o"
        check "g++ -DRISE_PLAY_ONLY -D$first" $cxx -fsyntax-only -DRISE_PLAY_ONLY -D$first \
            "$out/one.c"
    done
    for macro in RISE_THREADS RISE_DOUBLE; do
        check "RISE_PLAY_ONLY goes not with $macro" sh -c "gcc -DRISE_PLAY_ONLY -D$macro -I. \
            -fsyntax-only $out/one.c 2>&1 | grep -q '#error.*RISE_PLAY_ONLY goes with neither'"
    done
fi
# A program of which only one file defines RISE_PLAY_ONLY does not link.
if found gcc; then
    printf '#include "rise.h"\nint main(void) { return rise_agent_open(0, 0, 0, 0, 0); }\n' \
        > "$out/mixed.c"
    check "gcc: the whole library links" gcc -I. "$out/mixed.c" "$out/one.o" -o "$out/mixed" -lm
    check "RISE_PLAY_ONLY in one of two files is refused" sh -c "! gcc -DRISE_PLAY_ONLY -I. \
        $out/mixed.c $out/one.o -o $out/mixed -lm 2> $out/mixed.txt &&
        grep -q 'rise_agent_open_play_only' $out/mixed.txt"
fi
# What a player calls: neither memory, files, text nor the mathematical functions that set errno.
if found gcc && found nm; then
    printf '#define RISE_IMPLEMENTATION\n#include "rise.h"\n' > "$out/player.c"
    check "a player's object" gcc -Os -DRISE_PLAY_ONLY -I. -c "$out/player.c" -o "$out/player.o"
    calls='malloc|calloc|realloc|free|v?s?n?f?printf|puts|strto.*|fopen|fread|abort|exit|fmaf?'
    check "a player calls no malloc, printf, strtod, fopen" \
        sh -c "! nm -u $out/player.o | grep -wE '$calls'"
    check "a player calls memcmp" sh -c "nm -u $out/player.o | grep -qw memcmp"
    check "a player plays" sh -c "nm -g --defined-only $out/player.o | grep -q ' rise_agent_play$'"
    check "a player does not learn" sh -c "! nm -g $out/player.o | grep -E ' rise_agent_(step|write)'"
fi
# On a processor without doubles, only rise_frame_shrink computes with them; fields are converted.
if found arm-none-eabi-gcc; then
    arm='arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -Os'
    check "a player on ARM" $arm -Wall -Wextra -Werror -DRISE_PLAY_ONLY -DRISE_NO_RAINBOW -I. \
        -c "$out/player.c" -o "$out/player-arm.o"
    arm-none-eabi-objdump -dr "$out/player-arm.o" | awk '/^[0-9a-f]+ <.*>:/ { name = $2 }
        /R_ARM.*__aeabi/ { print name, $NF }' > "$out/player-arm"
    check "fields are converted on ARM" grep -q '__aeabi_d2f$' "$out/player-arm"
    check "no doubles and no 64-bit divisions on ARM" \
        sh -c "! grep -v shrink $out/player-arm | grep -v '__aeabi_d2f$'"
    check "no ldexp on ARM" sh -c "! arm-none-eabi-nm -u $out/player-arm.o | grep ldexp"
fi
if found tcc; then
    check "tcc" tcc -I. -c "$out/one.c" -o "$out/tcc.o"
fi
if found nm && [ -f "$out/one.o" ]; then
    check "only rise_ symbols" sh -c "! nm -g --defined-only $out/one.o | grep -v ' rise_'"
    check "rise_ symbols there" \
        sh -c "nm -g --defined-only $out/one.o | grep -q ' rise_agent_step$'"
    check "RISE_STATIC shows nothing" \
        sh -c "! nm -g --defined-only $out/static.o | grep -v ' rise_user$'"
    sizes="awk '\$2 == \".data\" || \$2 == \".bss\" { print \$3 }'"
    check "no global state" sh -c "! objdump -h $out/one.o | $sizes | grep -v '^0*$'"
    check "no threads unless asked for" sh -c "! nm -u $out/one.o | grep pthread"
    forbidden='fmaf?|(tanh|exp|log|pow)f?|printf|puts|abort|exit'
    check "no fmaf, tanhf, expf, printf, abort" sh -c "! nm -u $out/one.o | grep -wE '$forbidden'"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
