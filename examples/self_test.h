/* The option --self-test of the tools: checks this build on this machine.

       int main(int argc, char **argv)
       {
           if (self_test_wanted(argc, argv)) return self_test_status();
*/
#ifndef SELF_TEST_H
#define SELF_TEST_H

#include <stdio.h>
#include <string.h>

#include "../rise.h"

/* Returns 1 if one of the arguments is --self-test. */
static inline int self_test_wanted(int argc, char **argv)
{
    int i;
    for (i = 1; i < argc; i++)
        if (strcmp(argv[i], "--self-test") == 0) return 1;
    return 0;
}

/* Tests each instruction set that this machine has, and prints a line for each. Returns the exit
   status: 0 if all pass, else 1. */
static inline int self_test_status(void)
{
    int isa, status = 0;
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
        const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
        rise_error error;
        if (kernels == NULL) continue;
        if (rise_self_test((rise_isa)isa, &error) == RISE_OK) {
            printf("%s: the self-test passes\n", kernels->name);
        } else {
            printf("%s: the self-test fails: %s\n", kernels->name, error.text);
            status = 1;
        }
    }
    return status;
}

#endif
