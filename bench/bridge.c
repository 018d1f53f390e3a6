/* Measures Atari's steps a second through the bridge, with frames shrunk to 84 x 84 for an agent.
   Compares them with ALE alone in Python. The game is Pong, with 4 frames a step and random
   actions. Needs python3 with ale-py and gymnasium.

       make bench-bridge [BENCH=--quick]

   In training, the games compute their step while the agent learns. On two cores, the slower of the
   two limits the speed. */
#include "../examples/arcade.h"

#include "bench.h"

enum { ENVIRONMENTS = 8 };

static const char *const script =
    "import sys, time, random, gymnasium, ale_py\n"
    "gymnasium.register_envs(ale_py)\n"
    "count, steps = int(sys.argv[1]), int(sys.argv[2])\n"
    "make = lambda: gymnasium.make('ALE/Pong-v5', frameskip=4, repeat_action_probability=0.25, "
    "obs_type='grayscale')\n"
    "envs = [make() for _ in range(count)]\n"
    "for i, env in enumerate(envs): env.reset(seed=i)\n"
    "begin = time.perf_counter()\n"
    "for t in range(steps // count):\n"
    "    for env in envs:\n"
    "        _, _, terminated, truncated, _ = env.step(random.randrange(6))\n"
    "        if terminated or truncated: env.reset()\n"
    "print((time.perf_counter() - begin) / (steps // count * count))\n";

static int steps(void) { return option.quick ? 400 : 2000; }

/* Returns the seconds that a step takes in ALE alone. */
static double alone(void *user)
{
    char command[2000], line[100] = "";
    FILE *child;
    snprintf(command, sizeof command, "python3 -c \"%s\" %d %d 2> /dev/null", script,
             ((const arcade *)user)->count, steps());
    child = popen(command, "r");
    if (child == NULL || fgets(line, sizeof line, child) == NULL || pclose(child) != 0) exit(1);
    return atof(line);
}

/* Returns the seconds that a step takes through the bridge. */
static double bridged(void *user)
{
    arcade *const a = (arcade *)user;
    int actions[ENVIRONMENTS], done, i;
    double const begin = now();
    for (done = 0; done < steps(); done += a->count) {
        for (i = 0; i < a->count; i++) actions[i] = rand() % a->actions;
        if (!arcade_send(a, actions) || !arcade_receive(a))
            fprintf(stderr, "%s\n", a->link.error), exit(1);
    }
    return (now() - begin) / done;
}

static void measure(int count)
{
    static arcade a;
    arcade_protocol p;
    bridge_options o;
    int ours, theirs;
    memset(&p, 0, sizeof p);
    p.repeat = 4;
    p.sticky = 0.25;
    p.side = 84;
    p.two_frames = 1;
    memset(&o, 0, sizeof o);
    o.name = "ALE/Pong-v5";
    o.settings = "frameskip=1\nrepeat_action_probability=0.0\nobs_type=grayscale";
    o.environments = count;
    o.script = "examples/bridge.py";
    if (!arcade_open(&a, &o, &p)) fprintf(stderr, "%s\n", a.link.error), exit(1);
    competitors_clear();
    ours = competitor_add(NULL, bridged, &a);
    theirs = competitor_add(NULL, alone, &a);
    compete(0, option.quick ? 3 : 7);
    cell(12, "%d", count), cell_number(12, 0, 1 / competitors[ours].median),
        cell_number(12, 0, 1 / competitors[theirs].median);
    cell_number(12, 2, ratio(theirs, ours));
    row_end();
    arcade_close(&a);
}

int main(int count, char **arguments)
{
    static const char *const path = "build/bench_bridge.csv";
    options_read(count, arguments);
    table_open(path);
    printf("steps a second\n");
    cell(12, "environments"), cell(12, "bridge"), cell(12, "ALE alone"), cell(12, "ratio");
    row_end();
    measure(1);
    measure(ENVIRONMENTS);
    table_close(path);
    return 0;
}
