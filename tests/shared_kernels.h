/* Replaces the kernel template of rise.h in tests. Compiling the kernels takes longer than
   compiling the rest of rise.h, so run.sh compiles them once, into an object that all tests share
   (shared_kernels.c). The other tests are compiled with RISE_SELF naming this file: rise.h includes
   this file instead of its own kernel template, and rise_kernels_of returns the tables of the
   shared object. Tests with RISE_DOUBLE compile their own kernels.

   The names below are undefined because rise.h defines them again for each instruction set. */
#ifndef SHARED_KERNELS_H
#define SHARED_KERNELS_H
#ifdef __cplusplus
extern "C" const rise_kernels *shared_kernels(rise_isa isa);
#else
const rise_kernels *shared_kernels(rise_isa isa);
#endif
#define risek_table_ref (*shared_kernels(RISE_ISA_REF))
#define risek_table_c (*shared_kernels(RISE_ISA_C))
#define risek_table_avx2 (*shared_kernels(RISE_ISA_AVX2))
#define risek_table_avx512 (*shared_kernels(RISE_ISA_AVX512))
#define risek_table_neon (*shared_kernels(RISE_ISA_NEON))
#endif

#undef RISEK
#undef RISEK_FN
#undef RISEK_INLINE
#undef RISEK_NAME
#undef RISEK_ISA
#undef RISEK_FUSED
#undef RISEK_REFERENCE
#undef RISEK_LOAD
#undef RISEK_STORE
#undef RISEK_EACH
#undef V
#undef M
#undef VL
#undef MR
#undef NV
#undef RISEK_TILE_SIZES
#undef vload
#undef vstore
#undef vset1
#undef vfma_lane
#undef vbytes
#undef vhalves
#undef vtranspose
#undef VTRANSPOSE
#undef vadd
#undef vsub
#undef vmul
#undef vdiv
#undef vsqrt
#undef vfma
#undef vgt
#undef vmax
#undef vmin
#undef vselect
#undef vabs
#undef vcopysign
#undef vscale
#undef vexponent
#undef vmantissa
