/* Tests rise_self_test: it passes on this machine, and notices wrong results.
       cc -O2 tests/selftest.c -o selftest -lm && ./selftest */
#include "toy.h"

/* The self-test passes on this machine, for each of its instruction sets. Its training run gives
   the same weights on every machine. */
static void passes_here(void)
{
    int isa;
    for (isa = RISE_ISA_AUTO; isa <= RISE_ISA_NEON; isa++) {
        rise_error error = {RISE_OK, ""};
        rise_result const result = rise_self_test((rise_isa)isa, &error);
        check_about("isa %d: %s", isa, error.text);
        CHECK(result == (rise_kernels_of((rise_isa)isa) != NULL ? RISE_OK : RISE_UNAVAILABLE));
    }
}
static void missing_memory_is_an_error(void)
{
    rise_error error = {RISE_OK, ""};
    rise_result result;
    toy_memory.refuse = 1;
    result = rise_self_test(RISE_ISA_AUTO, &error);
    toy_memory.refuse = 0;
    CHECK(result == RISE_NO_MEMORY && error.result == RISE_NO_MEMORY && error.text[0] != '\0');
}
/* The self-test notices each wrong number of each kernel, and weights with another hash. */
static void wrong_results_are_noticed(void)
{
    static risei_selftest t, right;
    const rise_kernels *const k = rise_kernels_of(RISE_ISA_AUTO);
    void *const scratch = calloc(rise_product_scratch(), 1);
    rise_error error = {RISE_OK, ""};
    int i;
    if (!CHECK(scratch != NULL)) return;
    risei_selftest_kernels(&right, k, scratch);
    CHECK(right.count > 1000 && right.parts > 20);
    for (i = 0; i < right.count; i++) {
        int const same_bits = i % 2;
        t = right;
        t.result[i] += same_bits ? 1e-6f * (1 + fabsf(t.result[i])) : 1e-2f + fabsf(t.result[i]);
        CHECK(risei_selftest_compare(&t, &right, "this", same_bits, &error) == RISE_BROKEN);
    }
    t = right, t.result[right.count - 1] = (float)NAN;
    CHECK(risei_selftest_compare(&t, &right, "this", 0, &error) == RISE_BROKEN &&
          strstr(error.text, "project_ternary") != NULL);
    CHECK(risei_selftest_compare(&right, &right, "this", 1, &error) == RISE_OK);
    if (k->fused)
        CHECK(risei_selftest_train(k->isa, RISEI_SELFTEST_HASH + 1, &error) == RISE_BROKEN);
    free(scratch);
}
/* A call of the test that fails has a wrong result: here there are no kernels for the agent. */
static void failed_calls_are_noticed(void)
{
    rise_isa const missing =
        rise_kernels_of(RISE_ISA_NEON) != NULL ? RISE_ISA_AVX2 : RISE_ISA_NEON;
    rise_error error = {RISE_OK, ""};
    CHECK(risei_selftest_train(missing, RISEI_SELFTEST_HASH, &error) == RISE_BROKEN);
    CHECK(error.result == RISE_BROKEN && strstr(error.text, "isa") != NULL);
    CHECK(risei_selftest_train(missing, RISEI_SELFTEST_HASH, NULL) == RISE_BROKEN);
}

static const check_test tests[] = {
    TEST(passes_here),
    TEST(missing_memory_is_an_error),
    TEST(wrong_results_are_noticed),
    TEST(failed_calls_are_noticed),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
