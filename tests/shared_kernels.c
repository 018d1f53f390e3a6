/* rise.h's kernels as an object that all test files share: see shared_kernels.h. */
#define RISE_STATIC
#define RISE_IMPLEMENTATION
#include "../rise.h"

const rise_kernels *shared_kernels(rise_isa isa);
const rise_kernels *shared_kernels(rise_isa isa) { return rise_kernels_of(isa); }
