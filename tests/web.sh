#!/bin/sh
# Tests the web page of examples/web: builds it with emscripten, and runs it in node and in headless
# Chromium. Ends with "N passed, N failed". Tools that are missing are skipped, with a line that
# says so. Takes about two minutes.
#
#   sh tests/web.sh
#
# In node: the self-test passes, and two agents train to the same weights as natively, bit for bit.
# In Chromium: the self-test passes, the agent with memory learns the corridor, and the agent
# without memory never scores above the best score possible without memory. Without Chromium, node
# checks the learning.
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-cc} OUT=build/web SECONDS_ALLOWED=${SECONDS_ALLOWED:-400}
passed=0 failed=0

# Counts a check: check NAME STATUS
check() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "web/$1: passed"
    else
        failed=$((failed + 1))
        echo "web/$1: FAILED"
    fi
}
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

if ! command -v emcc > /dev/null; then
    echo "skipped: no emcc here"
    finish
fi
make -s web
check "the page builds" $?
[ "$failed" -eq 0 ] || finish

# Two short trainings, in C and in JavaScript. Both print the same lines if the bits are the same.
cat > $OUT/native.c << 'END'
#include "../../examples/web/web.c"

int main(void)
{
    int memory;
    printf("self-test:%s\n", web_self_test());
    for (memory = RISE_MEMORY_RISE; memory <= RISE_MEMORY_NONE; memory++) {
        web_begin(GAME_CORRIDOR, 10, memory, 20, 20000, 1);
        while (web_train(1) < 3000) continue;
        printf("%g steps, %g updates, score %g, weights %s\n", web.steps, web_updates(),
               web_score(), web_hash());
    }
    return 0;
}
END
cat > $OUT/node.js << 'END'
require("./rise.js")().then((rise) => {
  const text = (address) => rise.UTF8ToString(address);
  const train = (memory, until) => {
    let steps = 0;
    text(rise._web_begin(1, 10, memory, 20, 20000, 1));
    while (steps < until) steps = rise._web_train(1);
    return steps;
  };
  if (process.argv[2] === "learn") {
    train(0, 14000);
    console.log(rise._web_score() >= 0.9 ? "learned" : "did not learn");
    return;
  }
  console.log("self-test:" + text(rise._web_self_test()));
  for (const memory of [0, 1]) {
    const steps = train(memory, 3000);
    console.log(`${steps} steps, ${rise._web_updates()} updates, score ${rise._web_score()}, ` +
      `weights ${text(rise._web_hash())}`);
  }
});
END
if command -v node > /dev/null; then
    node $OUT/node.js > $OUT/node.txt
    check "runs in node" $?
    cat $OUT/node.txt
    [ "$(head -1 $OUT/node.txt)" = "self-test:" ]
    check "the self-test passes in node" $?
    # WebAssembly has no fused multiply-add. Natively, plain C on other processors may have one.
    if [ "$(uname -m)" = x86_64 ]; then
        $CC -O2 -DRISE_NO_SIMD $OUT/native.c -o $OUT/native -lm && $OUT/native > $OUT/native.txt &&
            cmp $OUT/native.txt $OUT/node.txt
        check "the same weights as natively" $?
    fi
else
    echo "skipped: no node here"
fi

for name in chromium chromium-browser google-chrome ""; do
    command -v "${name:-sh}" > /dev/null && break
done
if [ -z "$name" ]; then
    echo "skipped: no chromium here"
    if command -v node > /dev/null; then
        [ "$(node $OUT/node.js learn)" = learned ]
        check "the agent with memory learns in node" $?
    fi
    finish
fi

# The page writes its scores to the console, and Chromium writes the console to stderr.
profile=$(mktemp -d)
log=$OUT/chromium.txt
: > $log
"$name" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$profile" \
    --remote-debugging-port=0 --enable-logging=stderr --v=0 \
    "file://$(pwd)/$OUT/index.html#log&game=corridor&length=10&seed=1" > /dev/null 2> $log &
browser=$!
# Prints the scores of an agent: scores NAME
scores() {
    sed -n "s/.*\"$1 steps \([0-9]*\) score \([-0-9.e]*\) .*/\1 \2/p" $log
}
learned() { # at 5000 steps or later, so that the agent without memory has trained too
    scores RISE | awk '$1 >= 5000 && $2 >= 0.9 { good = 1 } END { exit !good }'
}
waited=0
until learned || [ $waited -ge "$SECONDS_ALLOWED" ] || ! kill -0 $browser 2> /dev/null; do
    sleep 1
    waited=$((waited + 1))
done
kill $browser 2> /dev/null
wait $browser 2> /dev/null
rm -rf "$profile"
echo "after $waited s: RISE $(scores RISE | tail -1), NONE $(scores NONE | tail -1) (steps, score)"
grep -q '"self-test: passed"' $log
check "the self-test passes in Chromium" $?
learned
check "the agent with memory learns" $?
scores NONE | awk '$2 > 1e-6 { bad = 1 } END { exit bad || NR < 5 }'
check "the agent without memory does not" $?
! grep -q 'Uncaught\| error: ' $log
check "no errors on the console" $?
finish
