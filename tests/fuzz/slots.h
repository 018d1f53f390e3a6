/* Large blocks of memory that fuzz targets keep for the next runs. The address sanitizer takes the
   pages of each large block from the system and gives them back, which takes longer than the rest
   of a run. Without the address sanitizer, the functions are those of the C library.

   A block is at the end of its slot. All bytes outside the block, and of a freed block, are
   poisoned. toy.h includes this file. */
#ifndef FUZZ_SLOTS_H
#define FUZZ_SLOTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_SLOTS
#endif
#endif

#ifdef FUZZ_SLOTS
#include <sanitizer/asan_interface.h>

/* The guard catches accesses less than FUZZ_SLOT_GUARD bytes past a block's end. Blocks below
   FUZZ_SLOT_LEAST or above FUZZ_SLOT_BYTES, and blocks that find no slot, are those of the C
   library. */
enum {
    FUZZ_SLOTS_COUNT = 4,
    FUZZ_SLOT_BYTES = 1 << 22,
    FUZZ_SLOT_GUARD = 1 << 16,
    FUZZ_SLOT_LEAST = 1 << 15
};
static struct {
    unsigned char *memory; /* [FUZZ_SLOT_BYTES + FUZZ_SLOT_GUARD] */
    void *block;           /* NULL: the slot is free */
} fuzz_slots[FUZZ_SLOTS_COUNT];

/* Returns an uninitialised block. */
static void *fuzz_malloc(size_t bytes)
{
    int i;
    if (bytes < FUZZ_SLOT_LEAST || bytes > FUZZ_SLOT_BYTES) return malloc(bytes);
    for (i = 0; i < FUZZ_SLOTS_COUNT && fuzz_slots[i].block != NULL; i++) continue;
    if (i == FUZZ_SLOTS_COUNT) return malloc(bytes);
    if (fuzz_slots[i].memory == NULL) {
        fuzz_slots[i].memory = (unsigned char *)malloc(FUZZ_SLOT_BYTES + FUZZ_SLOT_GUARD);
        if (fuzz_slots[i].memory == NULL) exit(1);
        __asan_poison_memory_region(fuzz_slots[i].memory, FUZZ_SLOT_BYTES + FUZZ_SLOT_GUARD);
    }
    fuzz_slots[i].block = fuzz_slots[i].memory + (FUZZ_SLOT_BYTES - bytes) / 16 * 16;
    __asan_unpoison_memory_region(fuzz_slots[i].block, bytes);
    return fuzz_slots[i].block;
}
static void *fuzz_calloc(size_t count, size_t size)
{
    size_t const bytes = count * size;
    void *block;
    if (bytes < FUZZ_SLOT_LEAST || bytes / count != size) return calloc(count, size);
    block = fuzz_malloc(bytes);
    return block != NULL ? memset(block, 0, bytes) : NULL;
}
static void fuzz_free(void *block)
{
    int i;
    for (i = 0; i < FUZZ_SLOTS_COUNT; i++) {
        if (block == NULL || fuzz_slots[i].block != block) continue;
        __asan_poison_memory_region(fuzz_slots[i].memory, FUZZ_SLOT_BYTES + FUZZ_SLOT_GUARD);
        fuzz_slots[i].block = NULL;
        return;
    }
    free(block);
}
#else
#define fuzz_malloc malloc
#define fuzz_calloc calloc
#define fuzz_free free
#endif

#endif
