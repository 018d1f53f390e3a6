/* The processes ("ranks") of an MPI program that learn together: sums for desc.reduce_fn, waiting
   that notices a lost rank, and signals.

       static ranks all;
       ranks_begin(&all, &argc, &argv);
       ranks_describe(&all, &desc, 0); // sets processes, process and reduce_fn
       ...
       ranks_end(&all);

   When a rank is killed, mpirun (Open MPI 4.1) waits a second, sends SIGTERM to all other ranks,
   and kills them a second later. mpirun also does this on Ctrl-C and SIGTERM. MPI over shared
   memory does not report that a rank is gone, so a call that waits for a killed rank never returns.
   So all waiting here is a loop around MPI_Test. After SIGTERM, the loop gives up a wait that has
   lasted longer than RANKS_PATIENCE. The time before the signal counts, too. If a rank was killed,
   a rank that waits for it has waited for a second when SIGTERM comes, and gives up at once. The
   ranks need the next second to save.

   mpirun passes SIGUSR1 on to all ranks and kills none. So after `kill -USR1` of mpirun, a run ends
   without a time limit. All machines must have the same byte order. */
#ifndef MPI_RANKS_H
#define MPI_RANKS_H

#include "terminal.h" /* first: defines _DEFAULT_SOURCE */

#include "../rise.h"

#include <mpi.h>

enum { RANKS_MOST = 4096 };
#define RANKS_PATIENCE 0.3 /* seconds; after SIGTERM, a rank gives up a longer wait */

/* Set by a signal that asks the run to end. 1: SIGUSR1, without a time limit. 2: another signal:
   mpirun is about to kill all ranks. */
static volatile sig_atomic_t ranks_asked;

static inline void ranks_on_signal(int number)
{
    if (ranks_asked < 2) ranks_asked = number == SIGUSR1 ? 1 : 2;
}

typedef struct ranks {
    int rank, count;
    int lost;           /* 1: another rank is gone, or did not answer after SIGTERM */
    double waited;      /* seconds that this rank has waited so far */
    /* What this rank has sent in reduce_fn; nothing else is counted. ranks_add counts what a ring
       allreduce would send, because MPI does not say what MPI_Iallreduce sends. */
    double bytes;
    double messages;
    rise_real *parts;   /* [count][numbers of a slice]: what the ranks sent to this one */
    size_t parts_bytes; /* allocated */
    /* first, sizes: the slice of the numbers that each rank adds up. part_first, part_sizes: where
       the numbers that each rank sent to this one are in `parts`. */
    int first[RANKS_MOST], sizes[RANKS_MOST], part_first[RANKS_MOST], part_sizes[RANKS_MOST];
} ranks;

static inline MPI_Datatype ranks_real(void)
{
    return sizeof(rise_real) == sizeof(float) ? MPI_FLOAT : MPI_DOUBLE;
}

/* Starts MPI and catches signals. Only rank 0 prints: the stdout of all other ranks leads to
   /dev/null. */
static inline void ranks_begin(ranks *r, int *argc, char ***argv)
{
    int provided;
    memset(r, 0, sizeof *r);
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided); /* agents may have threads */
    MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r->count);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    signal(SIGTERM, ranks_on_signal);
    signal(SIGINT, ranks_on_signal);
    signal(SIGHUP, ranks_on_signal);
    signal(SIGUSR1, ranks_on_signal);
    if (r->rank > 0 && freopen("/dev/null", "w", stdout) == NULL) fclose(stdout);
}
static inline void ranks_end(ranks *r)
{
    MPI_Finalize();
    free(r->parts);
}

/* Returns whether a wait since `began` must be given up: SIGTERM has come, and the wait has lasted
   longer than RANKS_PATIENCE. */
static inline int ranks_too_long(const ranks *r, double began)
{
    (void)r;
    return ranks_asked == 2 && MPI_Wtime() - began > RANKS_PATIENCE;
}
/* Waits until a request is complete. Returns 0 if a rank is lost. After 200 tests, sleeps between
   tests, because several ranks may share a processor. */
static inline int ranks_wait(ranks *r, MPI_Request *request)
{
    double const began = MPI_Wtime();
    int done = 0, tests = 0;
    while (!r->lost) {
        r->lost = MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS;
        if (done || r->lost) break;
        if (++tests > 200) terminal_sleep(20e-6);
        r->lost = ranks_too_long(r, began);
    }
    r->waited += MPI_Wtime() - began;
    return !r->lost;
}

/* Writes to everyone [count][bytes] what each rank has in `mine` [bytes]. Returns 0 if a rank is
   lost. */
static inline int ranks_gather(ranks *r, const void *mine, int bytes, void *everyone)
{
    MPI_Request request;
    r->lost |= MPI_Iallgather(mine, bytes, MPI_BYTE, everyone, bytes, MPI_BYTE, MPI_COMM_WORLD,
                              &request) != MPI_SUCCESS;
    return ranks_wait(r, &request);
}
/* Copies rank 0's `data` to all ranks. Returns 0 if a rank is lost. */
static inline int ranks_share(ranks *r, void *data, int bytes)
{
    MPI_Request request;
    r->lost |= MPI_Ibcast(data, bytes, MPI_BYTE, 0, MPI_COMM_WORLD, &request) != MPI_SUCCESS;
    return ranks_wait(r, &request);
}

/* Divides `count` numbers into a slice for each rank, and makes room in `parts`. Returns 0 if there
   is no memory. */
static inline int ranks_slice(ranks *r, size_t count)
{
    size_t const n = (size_t)r->count, most = count / n + 1;
    size_t const bytes = n * most * sizeof *r->parts;
    int i;
    if (bytes > r->parts_bytes) {
        free(r->parts);
        r->parts = (rise_real *)malloc(bytes);
        r->parts_bytes = r->parts != NULL ? bytes : 0;
    }
    for (i = 0; i < r->count; i++) {
        r->first[i] = (int)(count * (size_t)i / n);
        r->sizes[i] = (int)(count * (size_t)(i + 1) / n) - r->first[i];
    }
    for (i = 0; i < r->count; i++) {
        r->part_sizes[i] = r->sizes[r->rank];
        r->part_first[i] = i * r->sizes[r->rank];
    }
    return r->parts != NULL;
}
/* A rise_reduce_fn that adds in the order of the ranks: ((x0 + x1) + x2) + ... So the bits depend
   on the number of ranks only. Each rank adds up one slice of the numbers. It gets this slice from
   all ranks, and sends the sums to all ranks. So each of n ranks sends 2 (n - 1) messages and
   2 (n - 1) / n times the numbers, no more than a ring allreduce. */
static inline int ranks_add_in_order(void *user, rise_real *numbers, size_t count)
{
    ranks *const r = (ranks *)user;
    MPI_Datatype const real = ranks_real();
    MPI_Request request;
    rise_real *sums;
    int i, k, size;
    if (!ranks_slice(r, count)) return 2;
    size = r->sizes[r->rank], sums = numbers + r->first[r->rank];
    r->bytes += (double)(count - (size_t)size + (size_t)size * (size_t)(r->count - 1)) *
                (double)sizeof *numbers;
    r->messages += 2 * (r->count - 1);
    r->lost |= MPI_Ialltoallv(numbers, r->sizes, r->first, real, r->parts, r->part_sizes,
                              r->part_first, real, MPI_COMM_WORLD, &request) != MPI_SUCCESS;
    if (!ranks_wait(r, &request)) return 1;
    memcpy(sums, r->parts, (size_t)size * sizeof *sums);
    for (k = 1; k < r->count; k++)
        for (i = 0; i < size; i++) sums[i] = sums[i] + (r->parts + r->part_first[k])[i];
    r->lost |= MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, numbers, r->sizes, r->first,
                               real, MPI_COMM_WORLD, &request) != MPI_SUCCESS;
    return !ranks_wait(r, &request);
}
/* A rise_reduce_fn that lets MPI choose the order of the sum. The order may differ from machine to
   machine. */
static inline int ranks_add(void *user, rise_real *numbers, size_t count)
{
    ranks *const r = (ranks *)user;
    MPI_Request request;
    r->bytes += 2.0 * (r->count - 1) / r->count * (double)count * (double)sizeof *numbers;
    r->messages += 2 * (r->count - 1);
    r->lost |= MPI_Iallreduce(MPI_IN_PLACE, numbers, (int)count, ranks_real(), MPI_SUM,
                              MPI_COMM_WORLD, &request) != MPI_SUCCESS;
    return !ranks_wait(r, &request);
}

/* Sets the fields of a description, or of `machine` of rise_agent_load, that make the ranks learn
   together. A single rank needs no reduce_fn. */
static inline void ranks_describe(ranks *r, rise_agent_desc *d, int any_order)
{
    d->processes = r->count;
    d->process = r->rank;
    if (r->count == 1) return;
    d->reduce_fn = any_order ? ranks_add : ranks_add_in_order;
    d->reduce_user = r;
}

#endif
