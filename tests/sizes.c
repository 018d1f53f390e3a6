/* Tests that an agent is refused if its bytes exceed the address space. A limit stands for a
   machine whose size_t has fewer bits, so small agents reach it, too. */
#include <stddef.h>
static size_t size_limit = 0; /* set by each test */
#define RISEI_SIZE_MAX size_limit
#include "toy.h"

/* The limits of size_t with 16, 24, 31 and 32 bits, and the limit of this machine. 31 is ptrdiff_t
   on 32-bit machines. */
static const size_t limits[] = {((size_t)1 << 16) - 1, ((size_t)1 << 24) - 1,
                                ((size_t)1 << 31) - 1, 0xFFFFFFFFu, PTRDIFF_MAX};

/* Checks that an agent is refused with a sentence, not with a wrong number of bytes, exactly where
   it does not fit. */
static void has_limit(const rise_agent_desc *d, const char *words)
{
    size_t bytes;
    int i;
    size_limit = PTRDIFF_MAX;
    bytes = rise_agent_bytes(d, NULL);
    for (i = -2; i < COUNT(limits); i++) {
        rise_error error = {RISE_OK, ""};
        size_t found;
        if (bytes == 0 && i < 0) continue;
        if (i >= 0 && limits[i] > PTRDIFF_MAX) continue; /* a machine of 32 bits */
        size_limit = i >= 0 ? limits[i] : i == -1 ? bytes : bytes - 1;
        found = rise_agent_bytes(d, &error);
        check_about("%s with a limit of %.0f bytes", words, (double)size_limit);
        if (bytes != 0 && bytes <= size_limit) {
            CHECK(found == bytes);
        } else {
            rise_agent *a;
            CHECK(found == 0 && error.result == RISE_NO_MEMORY && strlen(error.text) > 20);
            /* this build has no threads, which is said first */
            CHECK(rise_agent_create(&a, d, &error) ==
                      (d->background ? RISE_UNAVAILABLE : RISE_NO_MEMORY) &&
                  a == NULL);
        }
    }
    size_limit = PTRDIFF_MAX;
}
/* The arena rounds up each array. If rounding up fills the last bytes of the arena, a later array
   must not fit. */
static void full_arenas_take_nothing(void)
{
    size_t last;
    for (last = 0; last < 200; last++) {
        risei_arena arena;
        memset(&arena, 0, sizeof arena);
        size_limit = limits[0];
        risei_arena_take(&arena, 1, size_limit - last);
        if (!arena.overflow) {
            CHECK(arena.used <= size_limit);
            risei_arena_take(&arena, 1, 2 * RISEI_ALIGN + last);
            CHECK(arena.overflow);
            arena.overflow = 0;
            risei_arena_take(&arena, (size_t)PTRDIFF_MAX / 2, 2);
            CHECK(arena.overflow);
        }
    }
    size_limit = PTRDIFF_MAX;
}
static void small_agents_meet_small_limits(void)
{
    static const char *const words[] = {
        "memory=rise cell=lstm embedding=gaussian",
        "memory=rise cell=gru embedding=snapshot residual spectral_norm=1 stored",
        "memory=none head=iqn noisy=1 action_masks=1",
        "memory=full head=c51 layer_norm=1 fusion=gate environments=3",
        "memory=rise play_only=1 players=40",
        "memory=none wide residual play_only=1",
        "memory=rise numbers=9 stored",
        "memory=full blind environments=3",
    };
    int i;
    for (i = 0; i < COUNT(words); i++) {
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        size_limit = PTRDIFF_MAX;
        d = described(words[i]);
        has_limit(&d, words[i]);
    }
}
/* The largest arrays are parameters: 2^32 floats in a dense layer, and more in a conv layer. */
static void huge_networks_are_refused(void)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    size_limit = PTRDIFF_MAX;
    d.frame_width = d.frame_height = 512, d.actions = 3, d.frame_stack = 1, d.play_only = 1;
    d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1, d.features = 1024;
    d.conv[0].filters = 16, d.conv[0].size = 1;
    has_limit(&d, "dense");
    d.features = 8192, d.memory = RISE_MEMORY_FULL;
    has_limit(&d, "larger dense");
    d.frame_width = d.frame_height = 100, d.features = 8, d.conv_count = 3;
    d.conv[0].filters = d.conv[1].filters = d.conv[2].filters = 1024;
    d.conv[0].stride = d.conv[1].size = 64, d.conv[1].pad = 32;
    d.conv[2].size = 64, d.conv[2].pad = 32;
    has_limit(&d, "conv");
}
/* The largest arrays are those of the replay buffer and of the players. */
static void huge_buffers_are_refused(void)
{
    rise_agent_desc d = described("memory=rise environments=3");
    d.frame_width = d.frame_height = 1000, d.replay_capacity = 1000000000;
    has_limit(&d, "replay");
    d = described("memory=rise play_only=1 players=4096 embedding_size=4096 window=1024");
    d.frame_width = d.frame_height = 1024;
    has_limit(&d, "players");
}
/* One array alone is too large for 32 bits: its number of elements is little more than 2^32. So a
   product that wraps would make the agent small. */
static void each_large_array_is_counted(void)
{
    static const struct {
        const char *words;
        int side, capacity; /* of the frame; slots */
    } cases[] = {
        {"memory=none conv[0].stride=64", 1000, 4300},                     /* frames */
        {"memory=rise embedding_size=8192", 0, 524300},                    /* embeddings */
        {"memory=rise stored cell=gru recurrent_units=4096", 0, 1048600},  /* states */
        {"memory=none numbers=1024 frame_stack=1", 0, 4194400},            /* numbers */
        {"memory=rise embedding=gaussian embedding_pool=1 embedding_size=4097 conv[0].stride=64",
         1024, 60},                                                        /* matrix */
        {"memory=rise embedding=sparse embedding_pool=1 embedding_size=4097 conv[0].stride=64",
         1024, 60},                                                        /* matrix of bytes */
        {"memory=none background=1 n_step=64 batch=63 conv[0].stride=64", 1024, 100}, /* copies */
    };
    int i;
    for (i = 0; i < COUNT(cases); i++) {
        rise_agent_desc d = described(cases[i].words);
        if (cases[i].side > 0) d.frame_width = d.frame_height = cases[i].side;
        d.replay_capacity = cases[i].capacity;
        d.learn_start = d.batch;
        size_limit = PTRDIFF_MAX;
        check_about("%s", cases[i].words);
        CHECK(PTRDIFF_MAX < INT64_MAX || rise_agent_bytes(&d, NULL) > UINT32_MAX);
        has_limit(&d, cases[i].words);
    }
}

/* Sizes of products and loops are of type int. The sentence names the field that makes an array too
   long. */
static void arrays_fit_an_int(void)
{
    rise_agent_desc d;
    rise_error error;
    size_limit = PTRDIFF_MAX;
    memset(&d, 0, sizeof d);
    d.frame_width = 1024, d.frame_height = 512, d.actions = 3, d.environments = 4096;
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC &&
          strstr(error.text, "lower environments") != NULL);
    d.environments = 1, d.batch = 4096;
    CHECK(rise_agent_bytes(&d, &error) == 0 && strstr(error.text, "lower batch") != NULL);
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 256, d.actions = 3, d.window = 1024, d.batch = 1;
    d.memory = RISE_MEMORY_FULL, d.players = 32;
    CHECK(rise_agent_bytes(&d, &error) == 0 && strstr(error.text, "lower players") != NULL);
    /* 2,147,483,640 pixels of a layer: rounded up to whole tiles, they pass INT_MAX */
    memset(&d, 0, sizeof d);
    d.frame_width = 762, d.frame_height = 565, d.frame_stack = 1, d.actions = 2;
    d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1, d.conv[0].filters = d.conv[0].size = 1;
    d.features = 1, d.head_units = 8, d.batch = 2494, d.replay_capacity = d.learn_start = 2600;
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC &&
          strstr(error.text, "the limit is 2147479551; lower batch") != NULL);
    /* the stacks of numbers that a batch reads, beside small arrays */
    memset(&d, 0, sizeof d);
    d.numbers = 1024, d.frame_stack = 16, d.number_features = d.head_units = 1, d.actions = 2;
    d.memory = RISE_MEMORY_FULL, d.recurrent_units = 1, d.window = 64, d.batch = 4096;
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC &&
          strstr(error.text, "lower batch") != NULL);
    d.batch = 16;
    CHECK(rise_agent_bytes(&d, &error) > 0);
    /* the hidden units of all fractions */
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 8, d.actions = 2;
    d.head = RISE_HEAD_IQN, d.head_units = 8192, d.quantiles = 256;
    d.batch = 256; /* 2 * 256 * 256 * 2 * 8192 = 2^31 */
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC &&
          strstr(error.text, "lower batch") != NULL);
    d.batch = 255;
    /* 35 GB: no machine of 32 bits has them */
    CHECK(rise_agent_bytes(&d, &error) > 0 || error.result == RISE_NO_MEMORY);
    /* only 2 batch images, or the frames of one window at a time, count */
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 84, d.actions = 4;
    rise_agent_preset(&d, RISE_PRESET_R2D2);
    /* 11 GB: no machine of 32 bits has them */
    CHECK(rise_agent_bytes(&d, &error) > 0 || error.result == RISE_NO_MEMORY);
    d.memory = RISE_MEMORY_FULL;
    CHECK(rise_agent_bytes(&d, &error) > 0 || error.result == RISE_NO_MEMORY);
    memset(&d, 0, sizeof d);
    d.frame_width = 320, d.frame_height = 240, d.frame_channels = 3, d.actions = 4;
    d.memory = RISE_MEMORY_FULL, d.play_only = 1;
    CHECK(rise_agent_bytes(&d, &error) > 0);
}

static const check_test tests[] = {
    TEST(arrays_fit_an_int),
    TEST(full_arenas_take_nothing),
    TEST(small_agents_meet_small_limits),
    TEST(huge_networks_are_refused),
    TEST(huge_buffers_are_refused),
    TEST(each_large_array_is_counted),
};
int main(int count, char **arguments)
{
    return CHECK_MAIN(count, arguments, tests);
}
