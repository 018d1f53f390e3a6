#!/bin/sh
# Measures what rise.h adds to a program: bytes of code and seconds of compilation, for each macro
# that leaves parts out. Compares them with other single-header libraries.
#
#     make bench-size        some minutes
#
# Seconds are processor time of the compiler at -O2. Bytes are the text of the object, with its
# constants. Needs gcc and bash; arm-none-eabi-gcc for Cortex-M4. STB and MINIAUDIO name the folders
# of stb_image.h (Debian: libstb-dev) and miniaudio.h (in the source of the package miniaudio of
# PyPI).
cd "$(dirname "$0")/.." || exit 1
out=build/size
mkdir -p $out
printf '#define RISE_IMPLEMENTATION\n#include "rise.h"\n' > $out/rise.c
printf '#define STB_IMAGE_IMPLEMENTATION\n#include "stb_image.h"\n' > $out/stb_image.c
printf '#define MINIAUDIO_IMPLEMENTATION\n#include "miniaudio.h"\n' > $out/miniaudio.c
cortex='arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16'

bytes() { # bytes SIZE COMMAND...: compiles, and prints the text's bytes; - if it does not compile
    size=$1
    shift
    "$@" -c -o $out/object.o > $out/log 2>&1 && $size $out/object.o | awk 'NR == 2 { print $1 }' ||
        echo -
}
row() { # row NAME SOURCE FLAGS...: prints a line of the table
    name=$1 source=$2
    shift 2
    small=-
    if command -v arm-none-eabi-gcc > /dev/null; then
        small=$(bytes arm-none-eabi-size $cortex -Os "$@" $source)
    fi
    least=$(bytes size gcc -Os "$@" $source)
    # the last compilation, whose time and object are measured
    seconds=$({ LC_ALL=C bash -c 'TIMEFORMAT="%U %S"; time "$@" 2> /dev/null' - gcc -O2 "$@" $source \
        -c -o $out/object.o; } 2>&1 | awk '{ printf "%.1f\n", $1 + $2 }')
    echo "| $name | $(size $out/object.o | awk 'NR == 2 { print $1 }') | $least | $small | $seconds |"
}
rise() { # rise MACRO...: a line for rise.h with these macros
    names= flags=
    for macro in "$@"; do names="$names $macro" flags="$flags -D$macro"; done
    row "$(echo ${names:-none})" $out/rise.c $flags -I.
}

gcc --version | head -n 1
echo
echo "| macros | x86-64 -O2 | x86-64 -Os | Cortex-M4 -Os | seconds |"
echo "|---|---|---|---|---|"
rise
rise RISE_NO_STDIO
rise RISE_NO_PRETRAINED
rise RISE_NO_ENCODERS RISE_NO_PRETRAINED
rise RISE_NO_RAINBOW
rise RISE_NO_AVX512
rise RISE_NO_SIMD
rise RISE_NO_AVX512 RISE_NO_RAINBOW RISE_NO_ENCODERS RISE_NO_PRETRAINED
rise RISE_NO_SIMD RISE_NO_RAINBOW RISE_NO_ENCODERS RISE_NO_PRETRAINED RISE_NO_STDIO
rise RISE_PLAY_ONLY
rise RISE_PLAY_ONLY RISE_NO_AVX512
rise RISE_PLAY_ONLY RISE_NO_SIMD
rise RISE_PLAY_ONLY RISE_NO_RAINBOW
rise RISE_PLAY_ONLY RISE_NO_ENCODERS
rise RISE_PLAY_ONLY RISE_NO_SIMD RISE_NO_RAINBOW RISE_NO_ENCODERS
for folder in "${STB:-/usr/include/stb}"; do
    [ -f "$folder/stb_image.h" ] && row stb_image.h $out/stb_image.c -I"$folder"
done
[ -f "$MINIAUDIO/miniaudio.h" ] && row miniaudio.h $out/miniaudio.c -I"$MINIAUDIO"
exit 0
