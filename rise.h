/* rise.h - 0.1 - recurrent reinforcement learning from pixels, in one file - MIT licence (text at the end)

   DO THIS in one C or C++ file:                      and in all others, just:

       #define RISE_IMPLEMENTATION                        #include "rise.h"
       #include "rise.h"

       cc -O2 game.c -lm

   No -m flag is needed: the kernels for AVX2 and AVX-512 are compiled in and chosen when the program runs.

   A COMPLETE PROGRAM. A light flashes left or right, ten dark frames follow: which side was it?

       #define RISE_IMPLEMENTATION
       #include "rise.h"

       int main(void)
       {
           static rise_agent_desc desc; // zero means the default, in every field
           rise_agent *agent;
           rise_error error;
           uint8_t frame[8 * 8];
           int episode, t, right = 0;
           desc.frame_width = desc.frame_height = 8;
           desc.actions = 2;
           if (rise_agent_create(&agent, &desc, &error) != RISE_OK) return puts(error.text), 1;
           for (episode = 1; episode <= 1500; episode++) {
               int side = rand() % 2, action = 0;
               for (t = 0; t <= 10; t++) {
                   memset(frame, 0, sizeof frame);
                   if (t == 0) frame[side * 7] = 255;
                   if (t == 10) frame[36] = 255;
                   action = rise_agent_step(agent, frame, 0, t == 0 ? RISE_FIRST : RISE_MIDDLE);
               }
               right += action == side;
               rise_agent_step(agent, frame, action == side ? 1.0f : -1.0f, RISE_TERMINATED);
               if (episode % 250 == 0) printf("%d of the last 250 answers were right\n", right), right = 0;
           }
           rise_agent_destroy(agent);
           return 0;
       }

   WHAT IT DOES. An agent sees frames (bytes), gets rewards, returns actions, and learns by deep Q-learning: double and
   dueling networks, n-step returns, prioritised replay. What sets it apart is memory. An agent that must remember usually runs
   a recurrent net over conv features of each past frame, and must compute them again at every update, because the conv net
   keeps changing. RISE (Clark, Evers, Hare 2025, arXiv 2512.20513) looks at past frames through an encoder that never
   changes: its output is computed once, when the frame arrives, and kept beside it in the replay buffer.

   In the words used below, a transition is a state, the action taken and what came of it; an update learns from a batch of
   them; the n-step return is the next n rewards, after which the bootstrap takes over: the agent's own estimate of all that
   follows.

       newest frames ----> conv net (learns) -----------------------------> features --+
                                                                                        +--> fusion --> heads --> Q
       each frame -> frozen encoder -> embedding, stored -> LSTM or GRU (learns) -> context --+

   WHAT IT DOES NOT. Continuous actions, policy gradients, GPUs, images as anything but bytes, reading games: you bring the
   game and own its loop. Not for untrusted tensors of unlimited size; files are checked strictly, yet a checksum is no
   signature.

   LIMITS. Frames up to 1024 x 1024 x 16 bytes, 256 actions, 4096 environments, windows of 1024 frames, 8 conv layers,
   16 stacked frames, episodes of 2^31 frames. The largest stack frame is below 16 KB (checked by the tests).

   CONTENTS. Search for the mark.
       >>results       result codes and sentences          >>plan          compiler and machine
       >>desc          what an agent is: every field       >>memory >>random >>kernels >>threads
       >>agent-api     create, step, play, learn, save     >>layers >>recurrent >>encoders >>network >>optimizer
       >>kernels-api   products, cells, Adam: usable alone >>pretrained >>replay >>targets >>describe >>agent >>files
                                                           >>template      the kernels' one source, for all machines

   1. THE LOOP. The game calls the agent once a tick with the frame it shows, the reward that the previous action earned, and
   what the frame is to its episode:

       RISE_FIRST       the first frame of an episode; the reward is ignored
       RISE_MIDDLE      the usual case
       RISE_TERMINATED  the last frame: the game is over, no reward can follow
       RISE_TRUNCATED   the last frame: you stop watching (a time limit); the agent reckons with what would have followed

   The difference between the last two matters: an agent that is told RISE_TERMINATED by a mere time limit learns that the
   future is worthless. The last frame is handed over too, with its reward; the action returned for it means nothing. If the
   game is reset without a word, RISE_FIRST alone is enough: the frame before counts as truncated, and what its last action
   earned is lost.

   Several copies of a game, the environments, learn faster than one: set desc.environments and call rise_agent_step_all. When
   one of them has handed over its last frame, reset that game; its next event, in the very next call, is RISE_FIRST.

   2. MEMORY. desc.memory is RISE (the default), NONE (the same agent without a recurrent net: the one to beat) or FULL (the
   ordinary recurrent agent: dear). desc.window says how many frames the recurrent net is unrolled over when learning: from
   the cue to the moment at which it counts, both counted. A window that is one frame short learns nothing. Acting unrolls the
   same window anew each step; with desc.carry_state it keeps its state instead, which costs the same at any window and gives
   the same values as long as episodes fit into the window. desc.feed_action also shows the recurrent net its previous action
   and reward. RISE_CELL_MINGRU, a cell whose steps do not wait for each other, takes three fifths of the time and a little of the
   score; desc.window_samples, which trains several transitions on one window, about as much time, but learns in more steps.
   The defaults are the best or the cheapest of the best of what bench/ABLATION.md tries.

   3. LEARNING. rise_agent_step learns on the way: an update each desc.learn_period steps, after desc.learn_start steps. The
   first steps also measure the embeddings, which from then on are standardised to mean 0 and variance 1. To a game that must
   not stutter, set desc.learn_outside and call rise_agent_learn_for(agent, microseconds) with the time that is left in each
   tick; if updates_owed, in the metrics, keeps growing, the time does not suffice: raise learn_period. rise_agent_metrics
   tells how it goes; mean_return is the number to watch, though it suffers from exploration: what the agent can really do,
   rise_agent_play shows.

   4. PLAYING. rise_agent_play drives up to desc.players characters with what has been learnt so far, greedily, and leaves no
   trace in the learning: evaluate as often as you like. To ship an agent, save it as RISE_SAVE_POLICY and load it with
   play_only = 1:

       rise_agent_desc machine = {0};
       machine.play_only = 1;
       machine.players = 30;
       rise_agent_load(&agent, "guards.rise", &machine, &error);

   5. MEMORY IN BYTES. rise_agent_bytes(&desc, &error) says before anything is allocated what an agent needs. Creating or
   loading it is one calloc, or none if desc.memory_block is yours; nothing else allocates. The replay buffer is most of it: a
   frame, its embedding and 20 bytes for each of desc.replay_capacity steps. By default that is 34 MB for frames of 16 x 16,
   but 1.8 GB for 84 x 84 and 48 GB for 320 x 240 in colour: make the frames smaller, or the replay.

   6. ERRORS. Functions return RISE_OK or a negative code, and fill in a sentence: rise_agent_create and the file functions in
   their last argument, which may be NULL and is left alone when all is well, calls on an agent in rise_agent_error(agent).
   The library never prints and never aborts. Numbers that are not finite are refused at the door: in rewards and embeddings
   by the call, in losses and gradients by the update.

   7. NUMBERS. The same seed and inputs give the same bits on AVX2, AVX-512, 64-bit ARM and the reference kernels: every sum
   is made in one fixed order by fused multiply-add, exp and tanh are our own, and what is drawn at random comes from
   integers. A saved run goes on as if it had never stopped. Processors without fused multiply-add use the plain C kernels
   ("c"), whose bits differ; so do those of 32-bit ARM without VFPv4. The file says which were used. desc.isa = RISE_ISA_REF
   gives the common bits anywhere, slowly. -ffast-math would break all this and is refused.

   8. SAVING. RISE_SAVE_AGENT: all but the replay buffer; after loading, begin with RISE_FIRST, and learning goes on when
   learn_start steps have filled the buffer again. RISE_SAVE_ALL: everything; the run resumes bit for bit, if you save the
   game, too. RISE_SAVE_POLICY: for playing alone. rise_agent_save writes beside the file and renames, so that a crash never
   costs you the old one. rise_agent_write and rise_agent_read go through callbacks, for memory, flash or an archive.

   9. TUNING. Too slow: a shorter window, fewer recurrent_units, a longer learn_period. Does not learn: longer epsilon_steps
   (more exploring), a learning_rate 3 times higher or lower, a window that reaches the cue. Learns more slowly than without
   memory, where little is hidden: a smaller context_scale, fewer recurrent_units, window_samples 1. Learns, then forgets: a larger
   replay_capacity, a longer target_period.

   10. OTHER AGENTS. What the heads say, desc.head: a mean, the odds of fixed returns (C51), or quantiles (IQN). How it
   explores: epsilon, and desc.noisy. What it learns from: desc.n_step, desc.munchausen, desc.value_rescale, desc.no_double.
   What it sees with: desc.network, or conv layers of your own with pools and residual units; desc.spectral_norm.
   rise_agent_preset(&desc, RISE_PRESET_BTR) fills in what the authors of an agent chose, for Atari and its budget of 200
   million frames: replay buffers of a million, learning that starts late. Each goes with any desc.memory. rise_agent_set reads
   fields from text, such as a program's arguments, and rise_agent_describe prints them.

   11. PORTING. Raspberry Pi, 64-bit: as it is. 32-bit: add -mfpu=neon-vfpv4. MSVC, tcc and others compile the plain C kernels
   and, for MSVC on x64, the AVX ones. Without a file system: RISE_NO_STDIO.

   12. THREADS. With RISE_THREADS and desc.threads = 4, say, an agent computes in its caller's thread and three of its own,
   which sleep while there is nothing to do. What it computes is the same to the bit for any number of them. There is no
   global state: use each agent from one thread at a time, different agents from as many as you like.

   13. A PRETRAINED ENCODER. RISE_EMBED_RESNET18 embeds frames by a ResNet-18 (He et al. 2016) that has learned to see from
   photographs: 512 numbers, the mean of its last stage over the image. Bring its weights in a .safetensors file, under
   torchvision's names, as F32, F16 or BF16, and give its path in desc.embedding_file. In Python:

       import torchvision, safetensors.torch
       net = torchvision.models.resnet18(weights="DEFAULT")
       safetensors.torch.save_file(net.state_dict(), "resnet18.safetensors")

   Give it again when you load an agent: files of agents hold neither the path nor these weights, but refuse others. Frames
   must have 1 or 3 channels and 32 pixels or more on each side; they are normalised, not resized. It costs 46 MB, a quarter of
   a second when the agent is made, and for a frame of 84 x 84 some 8 ms with AVX-512, 13 ms with AVX2; that again for each
   frame held when learning starts, and when a RISE_SAVE_ALL file is loaded. Narrower nets of the same shape are quicker:
   embedding_size is the width of the last stage.

   MACROS, all optional:
       macro                 seen by              meaning
       RISE_IMPLEMENTATION   one file             makes the functions
       RISE_STATIC           every file           all functions are static: the library is private to each file
       RISE_NO_STDIO         every file           no FILE functions: save through rise_agent_write
       RISE_NO_SIMD          the implementation   plain C kernels only
       RISE_THREADS          the implementation   desc.threads may be more than 1 (POSIX threads; compile with -pthread)
       RISE_SELF             the implementation   the name under which this file includes itself ["rise.h"]

   TROUBLE. "undefined reference to rise_...": no file defines RISE_IMPLEMENTATION. "multiple definition of rise_...": more
   than one does. "rise.h: No such file" from within rise.h: it was renamed; define RISE_SELF. "undefined reference to sqrt":
   add -lm, last. */

#ifndef RISEK_PASS /* everything but the kernel template, which is at the bottom of the file */

#ifndef RISE_H
#define RISE_H

#include <stddef.h>
#include <stdint.h>

#define RISE_VERSION_MAJOR 0
#define RISE_VERSION_MINOR 1
#define RISE_VERSION_PATCH 0

#if defined(RISE_STATIC) && defined(__GNUC__)
#define RISE_API static __attribute__((unused))
#elif defined(RISE_STATIC)
#define RISE_API static
#else
#define RISE_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The library's floating-point type. Only tests/ define RISE_DOUBLE: they compile all of this file a second time in
   double, with the `ref` kernels alone, and check every backward pass against central differences. */
#ifdef RISE_DOUBLE
typedef double rise_real;
#else
typedef float rise_real;
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>results */

/* Every function that can fail returns one of these; zero is success and errors are negative. */
#define RISE_RESULTS(X)                                                                            \
    X(RISE_OK, 0, "all is well")                                                                   \
    X(RISE_BAD_DESC, -1, "a field of the description has a value it may not have")                 \
    X(RISE_BAD_CALL, -2, "an argument or the order of the calls is wrong")                         \
    X(RISE_NO_MEMORY, -3, "the memory could not be had, or the block handed over is too small")    \
    X(RISE_UNAVAILABLE, -4, "this machine or this build does not have what was asked for")         \
    X(RISE_NOT_FINITE, -5, "a NaN or an infinity was met where a number was needed")               \
    X(RISE_IO, -6, "a file could not be opened, read or written")                                  \
    X(RISE_BAD_FILE, -7, "the file is damaged or is not one of ours")                              \
    X(RISE_NEWER_FILE, -8, "the file was written by a newer version of rise.h")                    \
    X(RISE_MISMATCH, -9, "the file holds an agent or weights of another shape")

typedef enum rise_result {
#define RISE_RESULT_ENUM(name, value, text) name = value,
    RISE_RESULTS(RISE_RESULT_ENUM) RISE_RESULT_LAST = -10
#undef RISE_RESULT_ENUM
} rise_result;

/* Where a function explains itself. `text` is one sentence that names the field or the offset and the remedy. */
typedef struct rise_error {
    rise_result result;
    char text[240];
} rise_error;

/* What a result code means, as a constant string. Never NULL. */
RISE_API const char *rise_result_text(rise_result result);

/* ---------------------------------------------------------------------------------------------- */
/* >>desc */

/* The kernels an object runs on. AUTO takes the best the machine has. All but C give the same bits; C does too where the
   processor has fused multiply-add and the compiler was told so, else it is the fast form without it: see "Numbers". */
typedef enum rise_isa {
    RISE_ISA_AUTO,
    RISE_ISA_REF,
    RISE_ISA_C,
    RISE_ISA_AVX2,
    RISE_ISA_AVX512,
    RISE_ISA_NEON
} rise_isa;

/* RISE: the conv net sees the current stack; a recurrent net runs over cached embeddings of past frames.
   NONE: no recurrent net. FULL: the recurrent net runs over conv features of every frame of the window. */
typedef enum rise_memory { RISE_MEMORY_RISE, RISE_MEMORY_NONE, RISE_MEMORY_FULL } rise_memory;

/* AUTO is the GRU, which scored as well as the LSTM for 85% of its time (bench/ABLATION.md). MINGRU (Feng et al. 2024,
   with a tanh): gate and candidate depend on the input alone, so no step waits for a product; three fifths of the GRU's time, a
   little less score. */
typedef enum rise_cell {
    RISE_CELL_AUTO,
    RISE_CELL_LSTM,
    RISE_CELL_GRU,
    RISE_CELL_MINGRU
} rise_cell;

/* How context c (recurrent state) meets features f (conv net): [f; c], f * sigmoid(Wc + b), or f + Wc + b. */
typedef enum rise_fusion { RISE_FUSION_CONCAT, RISE_FUSION_GATE, RISE_FUSION_SUM } rise_fusion;

/* The frozen encoder of RISE: a fixed function of one frame that never learns. AUTO is DOWNSAMPLE for frames of
   up to 32 x 32, where a thumbnail of embedding_size numbers shows what there is: pixels that are near each other stay so, which
   a random projection loses, and much is learned sooner (bench/ABLATION.md). Larger frames, and more channels than numbers, get
   SIGNS. */
typedef enum rise_embedding {
    RISE_EMBED_AUTO,
    /* +-1 random projection: nothing stored, n log n sums, exact in integers (see rise_sign) */
    RISE_EMBED_SIGNS,
    RISE_EMBED_GAUSSIAN, /* dense Gaussian random projection */
    RISE_EMBED_SPARSE,   /* Achlioptas' sparse projection: sqrt(3) * {+1: 1/6, 0: 2/3, -1: 1/6} */
    /* conv net of the learnable encoder's shape, fixed random weights, projected */
    RISE_EMBED_CONV,
    RISE_EMBED_DOWNSAMPLE, /* area average to a small grid */
    RISE_EMBED_USER,       /* desc.embed_fn */
    /* ResNet-18 before its last layer, weights from desc.embedding_file: see "A pretrained encoder" */
    RISE_EMBED_RESNET18,
    /* as CONV, until rise_agent_snapshot puts the agent's own conv layers in its place */
    RISE_EMBED_SNAPSHOT
} rise_embedding;

/* AUTO picks SMALL up to 32x32 pixels, and where a side has less than 36, and NATURE above. CUSTOM takes desc.conv. */
typedef enum rise_network {
    RISE_NETWORK_AUTO,
    RISE_NETWORK_SMALL,
    RISE_NETWORK_NATURE, /* Mnih et al. 2015 */
    RISE_NETWORK_CUSTOM,
    /* Espeholt et al. 2018: three blocks of a conv, a pool and two residual units, then a pool to 6 x 6 */
    RISE_NETWORK_IMPALA
} rise_network;

/* What the network says of each action: the return to expect (MEAN); the odds of `atoms` fixed returns (C51, Bellemare et al.
   2017); or the return's quantiles, at fractions drawn anew each time (IQN, Dabney et al. 2018). */
typedef enum rise_head { RISE_HEAD_MEAN, RISE_HEAD_C51, RISE_HEAD_IQN } rise_head;

/* One conv layer: `filters` of size x size, then ReLU, then an optional max pool. Weights are [size][size][in][filters].
   With residual units there is no ReLU before the pool, but one after the last layer; a unit adds to its input what 3x3 conv(
   ReLU(3x3 conv(ReLU(input)))) makes of it. */
typedef struct rise_conv {
    int filters, size;
    int stride;      /* 0 means 1 */
    int pad;         /* zeros on each side */
    int pool;        /* max pool window; 0: no pool */
    int pool_stride; /* 0 means `pool` */
    int pool_pad;    /* on each side, never the maximum; less than `pool` */
    int residual;    /* residual units after it, 0..4 */
} rise_conv;

#define RISE_MAX_CONV 8

/* Embeds one frame (uint8, rows top to bottom, channels interleaved) into `size` (embedding_size) floats. It must be a pure
   function of the frame: frames are embedded again when the standardisation freezes and when a file is loaded. */
typedef void (*rise_embed_fn)(void *user, const uint8_t *frame, float *embedding, int size);

/* Receives one line of text without a newline: when an agent is made, when learning starts, and what a file had to say.
   Progress is in rise_agent_metrics. */
typedef void (*rise_log_fn)(void *user, const char *text);

/* Seconds since any fixed moment, for rise_agent_learn_for. */
typedef double (*rise_clock_fn)(void *user);

/* What an agent is. Fill a zeroed struct: zero means the default, which stands in brackets; where a number may
   really be zero, a negative value says so. rise_agent_resolve() shows the resolved values. */
typedef struct rise_agent_desc {
    /* what it sees and does */
    int frame_width, frame_height; /* pixels, 1..1024 (required) */
    int frame_channels;            /* bytes a pixel, 1..16 [1] */
    /* newest frames the conv net sees, 1..16 [4]; an episode's first frame is repeated */
    int frame_stack;
    int actions; /* number of actions, 1..256 (required) */
    /* 1: the caller passes which actions are allowed, to rise_agent_step_all [0] */
    int action_masks;
    int environments; /* games that step together in one call, 1..4096 [1] */
    int players;      /* characters that rise_agent_play may drive, 1..4096 [1] */
    /* 1: no replay, no optimiser: only rise_agent_play works, in little memory [0] */
    int play_only;

    /* memory */
    rise_memory memory; /* [RISE] */
    int window;         /* frames the recurrent net is unrolled over, 1..1024 [16] */
    /* transitions in a row that share a window and its cost; divides batch, 1..64 [1] */
    int window_samples;
    /* windows end at multiples of so many steps of an episode, and at its last [1] */
    int window_stride;
    /* a window's first steps through which gradients do not flow, less than window [0] */
    int burn_in;
    /* 1: windows begin with the state that acting had there, kept in the replay buffer; 0: with zeros. Needs carry_state [0] */
    int stored_state;
    rise_cell cell;      /* [AUTO: GRU] */
    int recurrent_units; /* 1..4096 [64 for SMALL, else 512] */
    rise_fusion fusion;  /* [CONCAT] */
    /* the recurrent state is multiplied by it where it meets the features; above 0 to 100. What is louder learns first, and at first features of large frames are quiet: beside a whole state heads would hardly hear them. FULL, whose features learn through it, needs it whole. Large frames: try 1, too; Pong wants that (bench/atari.md) [RISE: 0.5 for frames up to 32x32, 0.05 for larger; FULL: 1] */
    double context_scale;
    /* 0: acting unrolls the window anew each step, exactly as learning does; 1: acting keeps the state since the episode's start: cheaper, the same where episodes fit the window */
    int carry_state;
    /* 1: previous action (one-hot) and reward also enter the recurrent net [0] */
    int feed_action;

    /* the frozen encoder (RISE only) */
    rise_embedding embedding; /* [AUTO: DOWNSAMPLE up to 32 x 32, else SIGNS] */
    /* floats, 1..8192 [64 for SMALL, else 512; 512 for RESNET18]; DOWNSAMPLE takes as many of them as a grid of the frame's shape can */
    int embedding_size;
    /* frames are averaged over pool x pixel squares first, 1..64 [least with <= 1024 squares]; SIGNS, GAUSSIAN and SPARSE only */
    int embedding_pool;
    /* SNAPSHOT: taken by itself so many steps after learn_start; 0: never [0] */
    int snapshot_steps;
    int embedding_f32;      /* 0: stored as 16-bit floats, 1: as 32-bit [0] */
    rise_embed_fn embed_fn; /* for RISE_EMBED_USER */
    void *embed_user;
    /* for RISE_EMBED_RESNET18: path of a .safetensors file, read when the agent is made */
    const char *embedding_file;

    /* the learnable network */
    rise_network network; /* [AUTO] */
    int conv_count;       /* CUSTOM: layers used of conv[], 1..8 */
    rise_conv conv[RISE_MAX_CONV];
    /* IMPALA: its layers have 16, 32 and 32 times so many filters, 1..16 [2] */
    int network_width;
    /* max pool to so many x so many pixels after the last conv layer; negative: none [6 for IMPALA, else none] */
    int pool_to;
    /* 1: the weights of residual units are divided by their largest singular value [0] */
    int spectral_norm;
    /* dense ReLU layer after the conv layers; negative: none [128 for SMALL, else none] */
    int features;
    /* hidden units of each value head, 1..8192 [64 for SMALL, else 512] */
    int head_units;
    int no_dueling; /* 1: one head instead of value and advantage */
    int layer_norm; /* 1: LayerNorm on what enters the heads [0] */
    /* 1: factorised noise in the heads' weights explores, and is drawn anew each update [0] */
    int noisy;
    rise_head head; /* [MEAN] */
    /* C51: 2..256 [51], equally spaced from value_min to value_max */
    int atoms;
    double value_min, value_max; /* both zero: -10 and 10 */
    int quantiles;               /* IQN: fractions drawn for a state, 1..256 [8] */

    /* learning */
    int batch;            /* transitions an update, 1..4096 [32] */
    int n_step;           /* rewards before the bootstrap, 1..64 [3] */
    double discount;      /* (0, 1] [0.99] */
    double learning_rate; /* [1e-3 for SMALL, else 1e-4] */
    /* steps, counted from learn_start, over which it falls linearly to a tenth; 0: never */
    int learning_rate_steps;
    double adam_epsilon;  /* [0.005 / batch] */
    double gradient_clip; /* largest global norm; negative: none [10] */
    int no_double;        /* 1: the target network also chooses the next action */
    /* updates between copies to the target network [100 for SMALL, else 2000] */
    int target_period;
    /* how much of the way to the learned weights a copy goes, (0, 1] [1: all] */
    double target_rate;
    /* 1: adds the scaled log-policy to the reward (Vieillard et al. 2020) [0] */
    int munchausen;
    /* of the log-policy times temperature, which is held above -1; 0..1 [0.9] */
    double munchausen_scale;
    /* of the policy softmax(Q / temperature) that it is about [0.03] */
    double temperature;
    /* 1: learns h(Q), h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x (Pohlen et al. 2018) [0] */
    int value_rescale;
    /* frames kept, all environments together [50000 for SMALL, else 200000] */
    int replay_capacity;
    int learn_start;  /* steps before learning starts [1000 for SMALL, else 20000] */
    int learn_period; /* steps an update, all environments counted [4] */
    /* 1: rise_agent_step never learns; call rise_agent_learn or _learn_for [0] */
    int learn_outside;
    double priority_exponent; /* 0..1; negative: uniform replay [0.5] */
    /* a window's end gets so much of its samples' largest error, and the rest of their mean; 0: each sample gets its own [0] */
    double priority_mix;
    double importance_exponent; /* 0..1; negative: no correction [0.4] */
    double epsilon_start;       /* share of random actions at first [1] */
    double epsilon_end;         /* and at last; negative: none [0.05 for SMALL, else 0.01] */
    /* steps from the first to the last, linear, counted from learn_start [10000 for SMALL, else 250000] */
    int epsilon_steps;
    uint64_t seed; /* every number drawn comes from it [0 is a seed like others] */

    /* the machine */
    rise_isa isa; /* [AUTO] */
    /* that compute, the caller's among them, 1..64 [1]; more than one needs RISE_THREADS */
    int threads;
    /* NULL: calloc is called once, at creation. Else the caller's, at any alignment */
    void *memory_block;
    /* size of memory_block; without one, the most that may be allocated [no limit] */
    size_t memory_bytes;
    rise_log_fn log_fn; /* NULL: silent */
    void *log_user;
    rise_clock_fn clock_fn; /* NULL: C11 timespec_get where there is one, else clock() */
    void *clock_user;
} rise_agent_desc;

/* ---------------------------------------------------------------------------------------------- */
/* >>agent-api */

typedef struct rise_agent rise_agent;

/* What a frame is to its episode. The reward that comes with a frame is the one that the previous action earned. */
typedef enum rise_event {
    RISE_FIRST,      /* the first frame of an episode; its reward is ignored */
    RISE_MIDDLE,     /* one more frame */
    RISE_TERMINATED, /* the last frame: the game is over and nothing follows (no bootstrap) */
    /* the last frame: the episode was cut, the game would have gone on (bootstrap) */
    RISE_TRUNCATED
} rise_event;

/* Agents from the literature, as their authors set them up for Atari at 84 x 84. Frames, memory, machine are yours. */
typedef enum rise_preset {
    RISE_PRESET_DQN, /* Mnih et al. 2015: one step, uniform replay, no dueling, no double */
    /* Hessel et al. 2018: C51, noisy, double, dueling, three steps, prioritised */
    RISE_PRESET_RAINBOW,
    /* Clark et al. 2024: IQN, IMPALA, Munchausen, spectral norm, noisy, 64 environments */
    RISE_PRESET_BTR,
    /* Kapturowski et al. 2019: stored states, burn-in, windows of 80 that overlap by half, rescaled values; its memory was FULL */
    RISE_PRESET_R2D2
} rise_preset;

/* Gives the fields of `desc` that are zero what the preset says. Fields that you set before or after stay yours. */
RISE_API void rise_agent_preset(rise_agent_desc *desc, rise_preset preset);

/* Sets a field from text, such as a program's argument: "batch=64", "memory=full", "conv[1].filters=32". Words are those of the
   enumeration in small letters. RISE_BAD_DESC names what is not understood; rise_agent_resolve checks ranges. */
RISE_API rise_result rise_agent_set(rise_agent_desc *desc, const char *text, rise_error *error);

/* Calls `fn` with "field=value" for every field, in the form that rise_agent_set reads; numbers with ten digits. */
RISE_API void rise_agent_describe(const rise_agent_desc *desc, rise_log_fn fn, void *user);

/* Fills in every default of `desc` and checks every field. On RISE_BAD_DESC `error` (may be NULL) names the field. */
RISE_API rise_result rise_agent_resolve(rise_agent_desc *desc, rise_error *error);

/* Bytes that an agent of this description occupies, all of it: weights, scratch, replay. 0 where the description is
   wrong or the size does not fit size_t. Nothing is allocated. */
RISE_API size_t rise_agent_bytes(const rise_agent_desc *desc, rise_error *error);

/* Makes an agent: one calloc, or none with desc->memory_block. *agent is NULL on failure. No other function but
   rise_agent_load allocates. `error` may be NULL. */
RISE_API rise_result rise_agent_create(rise_agent **agent, const rise_agent_desc *desc,
                                       rise_error *error);

/* Ends its threads and frees what rise_agent_create allocated. NULL is fine. */
RISE_API void rise_agent_destroy(rise_agent *agent);

/* One tick of one game (desc.environments must be 1). `frame`: [height][width][channels] bytes, copied. `reward`: what
   the previous action earned. Returns the action to play, 0..actions-1, or a negative rise_result. On the last frame of an
   episode the return value is 0 and means nothing; the next call must be RISE_FIRST. A RISE_FIRST that comes early
   counts as a truncation at the frame before. Learning happens in here unless desc.learn_outside. */
RISE_API int rise_agent_step(rise_agent *agent, const uint8_t *frame, float reward,
                             rise_event event);

/* The same for all environments: frames [environments][height][width][channels], rewards [environments], events
   [environments]; allowed [environments][actions] bytes, nonzero where the action may be taken: required with
   desc.action_masks, else NULL. Each row allows at least one, for a truncated episode would have gone on; on RISE_TERMINATED
   it is not read. actions [environments] is written, 0 where the episode is over. A refused call changes nothing, with one
   exception: RISE_NOT_FINITE about a weight, loss or gradient comes from learning, after the step was taken and `actions`
   written. */
RISE_API rise_result rise_agent_step_all(rise_agent *agent, const uint8_t *frames,
                                         const float *rewards, const rise_event *events,
                                         const uint8_t *allowed, int *actions);

/* The best action for character `player` (0..players-1), without exploration and without a trace: replay, random streams,
   training episodes and weights stay as they are. `reward` only matters with desc.feed_action. `allowed` [actions], or NULL for
   all, with or without desc.action_masks. An episode begins with RISE_FIRST; its last frame need not be shown. Returns the
   action or an error. */
RISE_API int rise_agent_play(rise_agent *agent, int player, const uint8_t *frame, float reward,
                             rise_event event, const uint8_t *allowed);

/* Q values [actions] of the last rise_agent_play of this player; NULL before the first. */
RISE_API const rise_real *rise_agent_values(const rise_agent *agent, int player);

/* One update now, whatever the schedule says. RISE_BAD_CALL while no transition is complete. A NaN or infinity in loss or
   gradient refuses the update (RISE_NOT_FINITE): weights and priorities stay as they were. */
RISE_API rise_result rise_agent_learn(rise_agent *agent);

/* Learns for about `microseconds`, at most as much as the schedule owes, and returns the number of updates done (or an
   error). An update longer than the budget is saved up for over several calls, so the time is kept on average. */
RISE_API int rise_agent_learn_for(rise_agent *agent, double microseconds);

/* With RISE_EMBED_SNAPSHOT: frames are from now on embedded by a copy of the conv layers as they are, which see each frame as
   if an episode began with it. All frames held are embedded anew, a few in place of each update that is due, so that no call
   takes longer than usual; metrics.refreshing tells how many are left. RISE_BAD_CALL before learning has started, and
   meanwhile. */
RISE_API rise_result rise_agent_snapshot(rise_agent *agent);

typedef struct rise_metrics {
    int64_t steps;        /* frames acted upon, so without last ones, all environments */
    int64_t episodes;     /* ended */
    int64_t updates;      /* done */
    int64_t updates_owed; /* by the schedule, not yet done (learn_outside) */
    double epsilon;       /* share of random actions now */
    double mean_return;   /* undiscounted return of the last 100 episodes or fewer */
    double loss;          /* of the last update: mean weighted Huber loss */
    double mean_value;    /* of the last update: mean Q(s, a) of the batch */
    double td_error;      /* of the last update: mean |target - Q(s, a)| */
    double gradient_norm; /* of the last update, before clipping */
    int64_t replay_size;  /* frames held */
    /* frames still to be embedded anew after a snapshot, before learning goes on */
    int64_t refreshing;
    int64_t replay_ready; /* of these, transitions that can be sampled */
    size_t parameters;    /* floats that learn */
    size_t bytes;         /* the agent occupies */
    /* replay bytes a stored frame costs: frame + embedding + bookkeeping */
    size_t bytes_per_step;
    const char *isa; /* kernels in use: "ref", "c", "avx2", "avx512", "neon" */
    /* 1: numbers are those of every other fused table; 0: the faster form without FMA */
    int fused;
} rise_metrics;

RISE_API void rise_agent_metrics(const rise_agent *agent, rise_metrics *metrics);

/* The resolved description, and the last error of a call on this agent (never NULL). */
RISE_API const rise_agent_desc *rise_agent_query(const rise_agent *agent);
RISE_API const rise_error *rise_agent_error(const rise_agent *agent);

/* The learnable parameters as one flat array of rise_agent_metrics().parameters floats, in an order of our own. Yours to read,
   hash or write; call again before writing anew, so that what you wrote is checked. */
RISE_API rise_real *rise_agent_parameters(rise_agent *agent);

typedef enum rise_save {
    /* weights, optimiser, counters, random streams: small; a resumed run refills its replay buffer */
    RISE_SAVE_AGENT,
    /* that, the replay buffer and the episodes in progress: a resumed run goes on bit for bit */
    RISE_SAVE_ALL,
    RISE_SAVE_POLICY /* what a play_only agent needs and no more */
} rise_save;

/* Moves exactly `size` bytes, in order, and returns 1; or returns 0. */
typedef int (*rise_write_fn)(void *user, const void *data, size_t size);
typedef int (*rise_read_fn)(void *user, void *data, size_t size);

/* Writes the agent through `fn`. The same state always gives the same bytes, on every machine. */
RISE_API rise_result rise_agent_write(const rise_agent *agent, rise_save what, rise_write_fn fn,
                                      void *user, rise_error *error);

/* Makes an agent from what `fn` reads; `size` is the whole length. `machine` (may be NULL) supplies what no file holds:
   isa, threads, memory_block, memory_bytes, log_fn, clock_fn, embed_fn and their users, embedding_file, play_only, and players
   where not 0; its other fields are ignored. Nothing in the file is believed before it is checked, and on failure *agent is
   NULL. */
RISE_API rise_result rise_agent_read(rise_agent **agent, rise_read_fn fn, void *user, uint64_t size,
                                     const rise_agent_desc *machine, rise_error *error);

#ifndef RISE_NO_STDIO
/* The same with a file. It is written beside `path` and renamed over it: `path` always holds a whole file. */
RISE_API rise_result rise_agent_save(const rise_agent *agent, rise_save what, const char *path,
                                     rise_error *error);
RISE_API rise_result rise_agent_load(rise_agent **agent, const char *path,
                                     const rise_agent_desc *machine, rise_error *error);

/* The description in a file, so that rise_agent_bytes can be asked before loading; set play_only, players and threads as you
   will then. */
RISE_API rise_result rise_agent_peek(rise_agent_desc *desc, const char *path, rise_error *error);
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>kernels-api: each usable alone */

/* How one index walks through memory: i = (outer * middle + mid) * inner + in lies `in * step[0] + mid * step[1] +
   outer * step[2]` elements from the start. Images, their rows and their pixels are such a walk; so is a plain stride
   (inner = INT_MAX). Steps may be negative. */
typedef struct rise_walk {
    int inner, middle;
    ptrdiff_t step[3];
} rise_walk;

/* A matrix where it lies: element (i, j) is at rows(i) + (j / run) * run_step + j % run. A convolution's patches are one
   (run = a patch row, all pixels of it adjacent in memory), without ever being copied out. */
typedef struct rise_matrix {
    const rise_real *data;
    rise_walk rows;
    int run;
    ptrdiff_t run_step;
} rise_matrix;

/* C = init + A B, or A^T B with `transposed`, where init is 0, bias[j] or C itself, and max(C, 0) if `relu`.
   Each element of C is summed over k in order, from init on, by fused multiply-add: no blocking, vector width or
   number of threads can change its bits. A is [m][k] (transposed: [k][m]), B is [k][n], C is [m][n]. */
typedef struct rise_product {
    int m, n, k;
    /* c.data is written; c.run must be 1, n or more, or a multiple of RISE_PANEL */
    rise_matrix a, b, c;
    int transposed;
    const rise_real *bias; /* [n] or NULL */
    int accumulate;
    int relu;
    /* [n] or NULL: the sums of B's columns, in order; added to what is there if `accumulate` */
    rise_real *sums;
} rise_product;

/* The scratch, in bytes, that a part of a product needs. */
RISE_API size_t rise_product_scratch(void);
/* An ordinary row-major matrix with `stride` elements from row to row. */
RISE_API rise_matrix rise_matrix_plain(const rise_real *data, ptrdiff_t stride);
/* The layout of a dense layer's weights: panels [columns / RISE_PANEL][rows][RISE_PANEL], which products read where they lie;
   row-major where `columns` is not a multiple of RISE_PANEL. */
#define RISE_PANEL 32
RISE_API rise_matrix rise_matrix_panels(const rise_real *data, int rows, int columns);
/* The transpose of one of these two, as it lies. */
RISE_API rise_matrix rise_matrix_transpose(rise_matrix matrix);

typedef struct rise_adam {
    rise_real scale; /* the gradient is multiplied by it first (clipping) */
    rise_real beta1, beta2;
    rise_real rate;       /* learning rate / (1 - beta1^t) */
    rise_real root_scale; /* 1 / sqrt(1 - beta2^t) */
    rise_real epsilon;    /* outside the root */
} rise_adam;

/* One instruction set's kernels. Arrays may lie anywhere and have any length; in-place is fine where x and y are named alike.
   Everything that sums runs in 16 lanes that a fixed tree joins, so all tables with the same `fused` agree bit for bit. */
typedef struct rise_kernels {
    const char *name;
    rise_isa isa;
    int fused; /* 1: a * b + c is rounded once */

    /* Part `part` of `parts` of the product: a share of C's rows or columns. All parts together are all of it; they may run at
       the same time, each with scratch of its own. */
    void (*product)(const rise_product *p, int part, int parts, void *scratch);
    void (*add)(int n, const rise_real *x, rise_real *y); /* y += x */
    /* z = x y (add: + z) */
    void (*multiply)(int n, const rise_real *x, const rise_real *y, int add, rise_real *z);
    /* z[i][j] += x[i][j] (a[i] b[j]); x and z are [rows][n] */
    void (*perturb)(int rows, int n, const rise_real *x, const rise_real *a, const rise_real *b,
                    rise_real *z);
    /* summed as rise_real: for a few thousand */
    double (*dot)(ptrdiff_t n, const rise_real *x, const rise_real *y);
    /* dx = y > 0 ? dy : 0 */
    void (*relu_backward)(int n, const rise_real *y, const rise_real *dy, rise_real *dx);
    void (*maximum)(int n, const rise_real *x, rise_real *y); /* y = max(x, y) */
    /* where x is the maximum y: dx += rest, rest = 0, so that of several only the first gets it */
    void (*claim)(int n, const rise_real *x, const rise_real *y, rise_real *rest, rise_real *dx);

    /* all within 2.1 units in the last place */
    void (*exp)(int n, const rise_real *x, rise_real *y);
    void (*log)(int n, const rise_real *x, rise_real *y); /* for normal x > 0 */
    void (*tanh)(int n, const rise_real *x, rise_real *y);
    /* from -80 on; less than 2e-35 below */
    void (*sigmoid)(int n, const rise_real *x, rise_real *y);

    /* One row of an LSTM (Hochreiter & Schmidhuber 1997, with forget gate), n units. gates [4][n] = i, f, g, o: what enters
       them before, what leaves them after. c' = f c + i g, h = o tanh(c'). */
    void (*lstm_forward)(int n, rise_real *gates, const rise_real *c, rise_real *c_next,
                         rise_real *h);
    /* dh [n]: gradient of h; dc [n]: of c', becomes that of c; dgates [4][n]: of what entered the gates. */
    void (*lstm_backward)(int n, const rise_real *gates, const rise_real *c,
                          const rise_real *c_next, const rise_real *dh, rise_real *dc,
                          rise_real *dgates);
    /* One row of a GRU (Cho et al. 2014; reset after the product, as PyTorch and cuDNN): x [3][n] = r, z, n from the input,
       becomes their values; u [3][n] from the state. n = tanh(x_n + r u_n), h' = n + z (h - n). */
    void (*gru_forward)(int n, rise_real *x, const rise_real *u, const rise_real *h,
                        rise_real *h_next);
    /* dh [n]: gradient of h', becomes the part of h's that does not pass through u; dx, du [3][n]. */
    void (*gru_backward)(int n, const rise_real *x, const rise_real *u, const rise_real *h,
                         rise_real *dh, rise_real *dx, rise_real *du);

    /* h' = n + z (h - n): gates [z n] before their activations, and after; and its gradient, dh in place */
    void (*mingru_forward)(int n, rise_real *gates, const rise_real *h, rise_real *h_next);
    void (*mingru_backward)(int n, const rise_real *gates, const rise_real *h, rise_real *dh,
                            rise_real *dgates);
    /* y = x sigmoid(u) with u overwritten by sigmoid(u); backward: dx = dy s, dy becomes du. */
    void (*gate_forward)(int n, const rise_real *x, rise_real *u, rise_real *y);
    void (*gate_backward)(int n, const rise_real *x, const rise_real *s, rise_real *dy,
                          rise_real *dx);

    /* LayerNorm of one row (Ba et al. 2016): y = (x - mean) / sqrt(var + 1e-5) * gain + bias. stats [2] = mean, 1/sqrt. */
    void (*norm_forward)(int n, const rise_real *x, const rise_real *gain, const rise_real *bias,
                         rise_real *y, rise_real *stats);
    /* dy becomes dx; dgain and dbias, which sum over rows, are added to. */
    void (*norm_backward)(int n, const rise_real *x, const rise_real *gain, const rise_real *stats,
                          rise_real *dy, rise_real *dgain, rise_real *dbias);

    /* One row of an image from those of the frames it is stacked of: out[x][s][c] = frames[s][x][c] / 255 */
    void (*stack)(int pixels, int channels, int stack, const uint8_t *const *frames,
                  rise_real *out);
    /* 16-bit floats, as replay stores them */
    void (*unhalf)(int n, const uint16_t *x, rise_real *y);
    /* sums[j] = sum_i rise_sign(seed, bits, i, j) x[i] for j < size; exact while the sum of |x| is below 2^31. x has n
       numbers and room for 2^bits, where bits = rise_sign_bits(n, size); it is used up. */
    void (*project_signs)(int n, int32_t *x, int size, uint32_t seed, int32_t *sums);
    /* sums[j] = sum_i x[i] w[i][j]; exact. */
    void (*project_ternary)(int n, const int32_t *x, int size, const int8_t *w, int32_t *sums);

    /* Adam (Kingma & Ba 2015): w -= rate m / (sqrt(v) root_scale + epsilon). Returns whether all weights are finite now. */
    int (*adam)(ptrdiff_t n, const rise_adam *a, rise_real *w, const rise_real *g, rise_real *m,
                rise_real *v);
} rise_kernels;

/* The table of an instruction set; NULL where this build or machine does not have it. AUTO gives the best. */
RISE_API const rise_kernels *rise_kernels_of(rise_isa isa);
/* The sign, 1 or -1, with which input i enters output j of a projection: d(i) H(i, r(j)), where d are coins that the seed
   tosses, H is the Hadamard matrix of 2^bits rows, and r(j) are different rows of it. So nothing is stored, n inputs take
   n log n sums, and any two outputs are orthogonal over 2^bits inputs: the subsampled randomised Hadamard transform (Ailon &
   Chazelle 2009; Tropp 2011). */
RISE_API int rise_sign(uint32_t seed, int bits, int i, int j);
/* The least bits with 2^bits at least as many as the inputs and as the outputs, and at least 16. */
RISE_API int rise_sign_bits(int inputs, int size);

#ifdef __cplusplus
}
#endif

#endif /* RISE_H */

/* ============================================================================================== */
/* Stop here if you only want the API. */
/* ============================================================================================== */

#if defined(__INTELLISENSE__) || defined(Q_CREATOR_RUN) ||                                         \
    defined(__CDT_PARSER__) /* so that editors show it in colour */
#define RISE_IMPLEMENTATION
#endif

#if defined(RISE_IMPLEMENTATION) && !defined(RISE_IMPLEMENTED)
#define RISE_IMPLEMENTED

/* ---------------------------------------------------------------------------------------------- */
/* >>plan: what compiler and machine this is; nothing below asks again */

#if defined(__FAST_MATH__)
#error "rise.h: compile this file without -ffast-math, which takes away NaN and the order of sums"
#endif
#include <errno.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h> /* vsnprintf; files only without RISE_NO_STDIO */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if !defined(RISE_NO_STDIO) && (defined(__unix__) || defined(__APPLE__))
#include <unistd.h>
#define RISEI_POSIX 1
#ifdef __STRICT_ANSI__ /* -std=c99 hides them */
#ifndef __cplusplus
extern int fileno(FILE *file);
extern int fsync(int file);
#endif
#endif
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define RISEI_X86 1
#endif
#if defined(RISE_NO_SIMD) || defined(RISE_DOUBLE) || defined(__TINYC__)
#define RISEI_AVX 0
#define RISEI_NEON 0
#else
#if defined(RISEI_X86) && !defined(_M_ARM64EC)
#define RISEI_AVX 1
#else
#define RISEI_AVX 0
#endif
#if defined(__ARM_NEON) && (defined(__GNUC__) || defined(_MSC_VER))
#define RISEI_NEON 1
#else
#define RISEI_NEON 0
#endif
#endif

/* Does plain C have fused multiply-add in hardware? */
#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) ||                      \
    defined(__FP_FAST_FMAF)
#define RISEI_HARD_FMA 1
#else
#define RISEI_HARD_FMA 0
#endif

#if RISEI_AVX
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#endif
#endif
#if RISEI_NEON
#include <arm_neon.h>
#endif

#if defined(__GNUC__)
#define RISEI_FN static __attribute__((unused))
#define RISEI_IN static inline __attribute__((unused, always_inline))
#define RISEI_TARGET(isa) __attribute__((target(isa)))
#else
#define RISEI_FN static
#define RISEI_IN static
#define RISEI_TARGET(isa)
#endif
#if defined(__GNUC__) && !defined(__TINYC__)
#define RISEI_PREFETCH(p) __builtin_prefetch(p)
#define RISEI_PREFETCH_FAR(p) __builtin_prefetch((p), 0, 2) /* into the second level */
#else
#define RISEI_PREFETCH(p) (void)(p)
#define RISEI_PREFETCH_FAR(p) (void)(p)
#endif
#if defined(__GNUC__) || defined(_MSC_VER)
#define RISEI_RESTRICT __restrict /* C++ has no such word of its own */
#else
#define RISEI_RESTRICT
#endif
#if defined(__clang__)
#define RISEI_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define RISEI_UNROLL _Pragma("GCC unroll 16")
#else
#define RISEI_UNROLL
#endif

/* a * b + c must not be fused where the source does not say so: bits would depend on the compiler. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>memory: one layout function an object serves both the size query and the set-up */

/* Hands out pieces of one block. With base NULL it only counts. */
typedef struct risei_arena {
    unsigned char *base;
    size_t used;
    int zeroed; /* the block is zero already: untouched pages stay untouched */
    int overflow;
} risei_arena;

#define RISEI_ALIGN ((size_t)64)
RISEI_FN size_t risei_aligned(size_t bytes)
{
    return (bytes + RISEI_ALIGN - 1) / RISEI_ALIGN * RISEI_ALIGN;
}

/* count items of `size` bytes, zeroed and aligned to a cache line; NULL while counting */
RISEI_FN void *risei_take(risei_arena *arena, size_t count, size_t size)
{
    unsigned char *piece = arena->base;
    size_t bytes;
    if (count != 0 && size > (SIZE_MAX - arena->used - RISEI_ALIGN) / count) {
        arena->overflow = 1;
        return NULL;
    }
    bytes = risei_aligned(count * size);
    if (piece != NULL) {
        piece += arena->used;
        if (!arena->zeroed) memset(piece, 0, bytes);
    }
    arena->used += bytes;
    return piece;
}
#define RISEI_TAKE(arena, type, count) ((type *)risei_take((arena), (size_t)(count), sizeof(type)))

/* Products of sizes that may not fit: SIZE_MAX stands for too much, which no arena can hand out. */
RISEI_FN size_t risei_times(size_t a, size_t b)
{
    return a != 0 && b > SIZE_MAX / a ? SIZE_MAX : a * b;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>results */

RISE_API const char *rise_result_text(rise_result result)
{
    switch (result) {
#define RISE_RESULT_CASE(name, value, text)                                                        \
    case name: return text;
        RISE_RESULTS(RISE_RESULT_CASE)
#undef RISE_RESULT_CASE
    case RISE_RESULT_LAST: break;
    }
    return "not a result of rise.h";
}

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
RISEI_FN rise_result risei_fail(rise_error *error, rise_result result, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        error->result = result;
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return result;
}

#ifndef RISE_NO_STDIO /* what reads files, whatever is in them */
RISEI_FN int risei_read_stdio(void *user, void *data, size_t size)
{
    return fread(data, 1, size, (FILE *)user) == size;
}
RISEI_FN uint64_t risei_file_size(FILE *file)
{
    long size = -1;
    if (fseek(file, 0, SEEK_END) == 0) size = ftell(file);
    rewind(file);
    return size < 0 ? 0 : (uint64_t)size;
}
/* Puts the file's name before what went wrong with it. */
RISEI_FN rise_result risei_name(const char *path, rise_result result, rise_error *error)
{
    rise_error named;
    if (result == RISE_OK || error == NULL) return result;
    risei_fail(&named, result, "%.60s: %.170s", path, error->text);
    *error = named;
    return result;
}
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>random: PCG32 (O'Neill 2014), one stream a purpose */

typedef struct risei_random {
    uint64_t state;
} risei_random;

RISEI_FN uint32_t risei_draw(risei_random *r)
{
    uint64_t const old = r->state;
    uint32_t const mixed = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    r->state = old * 6364136223846793005u + 1442695040888963407u;
    return (mixed >> turn) | (mixed << ((32 - turn) & 31));
}
RISEI_FN risei_random risei_stream(uint64_t seed, uint64_t purpose)
{
    risei_random r;
    r.state = seed ^ (purpose * 0x9E3779B97F4A7C15u);
    risei_draw(&r);
    r.state += seed;
    risei_draw(&r);
    risei_draw(&r);
    return r;
}
/* [0, 1): a multiple of 2^-24, never 1 */
RISEI_FN rise_real risei_uniform(risei_random *r)
{
    return (rise_real)(risei_draw(r) >> 8) * (rise_real)(1.0 / 16777216);
}
/* 0 .. n-1 without bias, n >= 1 */
RISEI_FN int risei_below(risei_random *r, int n)
{
    uint32_t const bound = (uint32_t)n, reject = (0u - bound) % bound;
    uint32_t x;
    do x = risei_draw(r);
    while (x < reject);
    return (int)(x % bound);
}
/* The normal distribution as a sum of twelve uniforms (Irwin-Hall): bounded at 6, and exact on every machine. */
RISEI_FN rise_real risei_normal(risei_random *r)
{
    int i;
    rise_real sum = -6;
    for (i = 0; i < 12; i++) sum = sum + risei_uniform(r);
    return sum;
}

RISEI_IN uint32_t risei_hash(uint32_t seed, uint32_t i)
{
    uint32_t x = seed ^ i * 0x9E3779B1u;
    x = (x ^ (x >> 16)) * 0x21F0AAADu;
    x = (x ^ (x >> 15)) * 0x735A2D97u;
    return x ^ (x >> 15);
}
/* r(j): steps that can be undone, so that no two are the same */
RISEI_FN uint32_t risei_sign_row(uint32_t seed, int bits, int j)
{
    uint32_t const all = (1u << bits) - 1;
    uint32_t r = ((uint32_t)j ^ seed) * 0x9E3779B1u & all;
    r = (r ^ r >> (bits / 2)) * 0x85EBCA77u & all;
    return (r ^ r >> (bits / 2)) * 0x21F0AAADu & all;
}
RISE_API int rise_sign(uint32_t seed, int bits, int i, int j)
{
    uint32_t odd = (uint32_t)i & risei_sign_row(seed, bits, j);
    int b;
    for (b = 16; b > 0; b /= 2) odd ^= odd >> b;
    return (odd & 1u) == risei_hash(seed, (uint32_t)i) >> 31 ? 1 : -1;
}
RISE_API int rise_sign_bits(int inputs, int size)
{
    int bits = 4;
    while (1 << bits < inputs || 1 << bits < size) bits++;
    return bits;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>kernels: the table of each instruction set, made from the template at the bottom of this file */

RISEI_FN float risei_sqrt(float x) { return sqrtf(x); }

#define RISEI_BYTE (1.0f / 255.0f)
#define RISEI_KC 256
#define RISEI_NC 256
#define RISEI_MC 84 /* at most so many rows of A at a time: the next multiple of a tile's */
/* A tile has so many rows, from one up. */
#define RISEI_TO_4(X) X(1) X(2) X(3) X(4)
#define RISEI_TO_6(X) RISEI_TO_4(X) X(5) X(6)
#define RISEI_TO_8(X) RISEI_TO_6(X) X(7) X(8)
#define RISEI_TO_14(X) RISEI_TO_8(X) X(9) X(10) X(11) X(12) X(13) X(14)
#define RISEI_AHEAD 1536 /* bytes of a frame that are on their way while others are read */
#define RISEI_ROW                                                                                  \
    (RISEI_KC +                                                                                    \
     8) /* of a packed A: not a power of two, so that its rows do not compete for cache lines */
#define RISEI_KB 2048 /* the most rows of B that are packed at once */
#define RISEI_FEW 200 /* rows of A, for which a wide B is not worth packing */

RISEI_FN rise_walk risei_walk_plain(ptrdiff_t stride)
{
    rise_walk walk;
    walk.inner = walk.middle = INT_MAX;
    walk.step[0] = stride;
    walk.step[1] = walk.step[2] = 0;
    return walk;
}
RISEI_IN ptrdiff_t risei_walk(const rise_walk *walk, int i)
{
    int rest;
    if (i < walk->inner) return i * walk->step[0];
    rest = i / walk->inner;
    return i % walk->inner * walk->step[0] + rest % walk->middle * walk->step[1] +
           rest / walk->middle * walk->step[2];
}
/* Where i0 .. i0+n lie, without a division for each. */
RISEI_FN void risei_locate(const rise_walk *walk, int i0, int n, ptrdiff_t *at)
{
    ptrdiff_t const step = walk->step[0];
    ptrdiff_t here = risei_walk(walk, i0);
    int in = i0 % walk->inner, mid = i0 / walk->inner % walk->middle, i = 0;
    for (;;) {
        int const end = n - i < walk->inner - in ? n : i + (walk->inner - in);
        for (; i < end; i++, here += step) at[i] = here;
        if (i == n) return;
        in = 0;
        here += walk->step[1] - walk->inner * step;
        if (++mid < walk->middle) continue;
        mid = 0;
        here += walk->step[2] - walk->middle * walk->step[1];
    }
}
RISE_API rise_matrix rise_matrix_plain(const rise_real *data, ptrdiff_t stride)
{
    rise_matrix matrix;
    matrix.data = data;
    matrix.rows = risei_walk_plain(stride);
    matrix.run = INT_MAX;
    matrix.run_step = 0;
    return matrix;
}
RISE_API rise_matrix rise_matrix_panels(const rise_real *data, int rows, int columns)
{
    int const panel = columns % RISE_PANEL == 0 ? RISE_PANEL : columns;
    rise_matrix matrix = rise_matrix_plain(data, panel);
    matrix.run = panel;
    matrix.run_step = (ptrdiff_t)panel * rows;
    return matrix;
}
RISE_API rise_matrix rise_matrix_transpose(rise_matrix matrix)
{
    rise_matrix turned = matrix;
    turned.rows.inner = matrix.run;
    turned.rows.middle = INT_MAX;
    turned.rows.step[0] = 1;
    turned.rows.step[1] = matrix.run_step;
    turned.rows.step[2] = 0;
    turned.run = 1;
    turned.run_step = matrix.rows.step[0];
    return turned;
}
RISEI_IN ptrdiff_t risei_column(const rise_matrix *x, int j)
{
    return j < x->run ? j : (j / x->run) * x->run_step + j % x->run;
}
RISEI_FN int risei_ceil_div(int a, int b) { return (a + b - 1) / b; }

/* A product's scratch: where rows lie, of A (transposed), B, A's block and C; and what is packed of A and B. */
typedef struct risei_blocks {
    ptrdiff_t *k_at, *b_at, *a_at, *c_at;
    rise_real *a, *b;
} risei_blocks;

RISEI_FN risei_blocks risei_blocks_in(void *scratch)
{
    risei_blocks w;
    w.k_at = (ptrdiff_t *)scratch;
    w.b_at = w.k_at + RISEI_KB;
    w.a_at = w.b_at + RISEI_KB;
    w.c_at = w.a_at + RISEI_KC;
    w.a = (rise_real *)(w.c_at + RISEI_KC);
    w.b = w.a + RISEI_MC * RISEI_ROW;
    return w;
}
RISE_API size_t rise_product_scratch(void)
{
    return risei_aligned(2 * (RISEI_KB + RISEI_KC) * sizeof(ptrdiff_t) +
                         (RISEI_MC * RISEI_ROW + RISEI_KC * RISEI_NC) * sizeof(rise_real));
}
/* The share of 0 .. total that part `part` of `parts` has, cut at multiples of `unit`. */
RISEI_FN void risei_share(int total, int unit, int part, int parts, int *from, int *to)
{
    int64_t const units = (total + unit - 1) / unit;
    *from = (int)(units * part / parts) * unit;
    *to = part + 1 == parts ? total : (int)(units * (part + 1) / parts) * unit;
}

/* to[j * to_stride + i] = from[i * from_stride + j] for i, j < 4 */
RISEI_IN void risei_turn4(const rise_real *from, ptrdiff_t from_stride, rise_real *to,
                          ptrdiff_t to_stride)
{
#if RISEI_AVX
    __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + from_stride);
    __m128 c = _mm_loadu_ps(from + 2 * from_stride), d = _mm_loadu_ps(from + 3 * from_stride);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + to_stride, b);
    _mm_storeu_ps(to + 2 * to_stride, c);
    _mm_storeu_ps(to + 3 * to_stride, d);
#elif RISEI_NEON
    float32x4x2_t const ab = vtrnq_f32(vld1q_f32(from), vld1q_f32(from + from_stride));
    float32x4x2_t const cd =
        vtrnq_f32(vld1q_f32(from + 2 * from_stride), vld1q_f32(from + 3 * from_stride));
    vst1q_f32(to, vcombine_f32(vget_low_f32(ab.val[0]), vget_low_f32(cd.val[0])));
    vst1q_f32(to + to_stride, vcombine_f32(vget_low_f32(ab.val[1]), vget_low_f32(cd.val[1])));
    vst1q_f32(to + 2 * to_stride, vcombine_f32(vget_high_f32(ab.val[0]), vget_high_f32(cd.val[0])));
    vst1q_f32(to + 3 * to_stride, vcombine_f32(vget_high_f32(ab.val[1]), vget_high_f32(cd.val[1])));
#else
    int i, j;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 4; j++) to[j * to_stride + i] = from[i * from_stride + j];
#endif
}

#if RISEI_AVX
/* Four numbers, and four others behind them. */
RISEI_IN RISEI_TARGET("avx") __m256 risei_two4(const float *low, const float *high)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}
/* risei_turn4 for i, j < 8 */
RISEI_IN RISEI_TARGET("avx") void risei_turn8(const float *from, ptrdiff_t stride, float *to,
                                              ptrdiff_t to_stride)
{
    int j;
    for (j = 0; j < 8; j += 4, from += 4, to += 4 * to_stride) {
        __m256 const a = risei_two4(from, from + 4 * stride);
        __m256 const b = risei_two4(from + stride, from + 5 * stride);
        __m256 const c = risei_two4(from + 2 * stride, from + 6 * stride);
        __m256 const d = risei_two4(from + 3 * stride, from + 7 * stride);
        __m256 const ab = _mm256_unpacklo_ps(a, b), ab2 = _mm256_unpackhi_ps(a, b);
        __m256 const cd = _mm256_unpacklo_ps(c, d), cd2 = _mm256_unpackhi_ps(c, d);
        _mm256_storeu_ps(to, _mm256_shuffle_ps(ab, cd, 0x44));
        _mm256_storeu_ps(to + to_stride, _mm256_shuffle_ps(ab, cd, 0xEE));
        _mm256_storeu_ps(to + 2 * to_stride, _mm256_shuffle_ps(ab2, cd2, 0x44));
        _mm256_storeu_ps(to + 3 * to_stride, _mm256_shuffle_ps(ab2, cd2, 0xEE));
    }
}
#endif

/* 16-bit floats (IEEE 754 binary16) as risei_half makes them: neither denormals nor infinities. */
RISEI_IN rise_real risei_unhalf(uint16_t half)
{
    uint32_t const size = half & 0x7FFFu;
    uint32_t const bits = (half & 0x8000u) << 16 | (size == 0 ? 0 : (size << 13) + 0x38000000u);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Pixels 0..15 of four frames side by side: out[4 x + s] = frames[s][at + x] */
RISEI_IN void risei_mix4(const uint8_t *const *frames, int at, uint8_t *out)
{
#if RISEI_AVX
    __m128i const a = _mm_loadu_si128((const __m128i *)(const void *)(frames[0] + at));
    __m128i const b = _mm_loadu_si128((const __m128i *)(const void *)(frames[1] + at));
    __m128i const c = _mm_loadu_si128((const __m128i *)(const void *)(frames[2] + at));
    __m128i const d = _mm_loadu_si128((const __m128i *)(const void *)(frames[3] + at));
    __m128i const low = _mm_unpacklo_epi8(a, b), low2 = _mm_unpacklo_epi8(c, d);
    __m128i const high = _mm_unpackhi_epi8(a, b), high2 = _mm_unpackhi_epi8(c, d);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_unpacklo_epi16(low, low2));
    _mm_storeu_si128((__m128i *)(void *)(out + 16), _mm_unpackhi_epi16(low, low2));
    _mm_storeu_si128((__m128i *)(void *)(out + 32), _mm_unpacklo_epi16(high, high2));
    _mm_storeu_si128((__m128i *)(void *)(out + 48), _mm_unpackhi_epi16(high, high2));
#elif RISEI_NEON
    uint8x16x4_t mixed;
    mixed.val[0] = vld1q_u8(frames[0] + at);
    mixed.val[1] = vld1q_u8(frames[1] + at);
    mixed.val[2] = vld1q_u8(frames[2] + at);
    mixed.val[3] = vld1q_u8(frames[3] + at);
    vst4q_u8(out, mixed);
#else
    int x, s;
    for (x = 0; x < 16; x++)
        for (s = 0; s < 4; s++) out[4 * x + s] = frames[s][at + x];
#endif
}

#ifndef RISE_DOUBLE
/* a * b + c rounded once. In double, a * b is exact; the sum is rounded to odd (Boldo & Melquiond 2008), so that rounding it
   to float gives what rounding once would have given. libm's fmaf is slow or, on some systems, not fused. */
RISEI_IN float risei_fma(float a, float b, float c)
{
#if RISEI_HARD_FMA
    return __builtin_fmaf(a, b, c);
#else
    double const p = (double)a * (double)b, s = p + (double)c, t = s - p;
    double const error = (p - (s - t)) + ((double)c - t);
    if (error > 0 || error < 0) {
        uint64_t bits;
        double odd;
        memcpy(&bits, &s, sizeof bits);
        if ((bits & 1) == 0) bits = (error > 0) == (s > 0) ? bits + 1 : bits - 1;
        memcpy(&odd, &bits, sizeof odd);
        return (float)odd;
    }
    return (float)s;
#endif
}
RISEI_IN uint32_t risei_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
RISEI_IN float risei_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
RISEI_IN float risei_scale(float x, float t)
{
    return risei_float(risei_bits(x) + (risei_bits(t) << 23));
}
RISEI_IN float risei_exponent(float x) { return (float)((int)(risei_bits(x) >> 23) - 126); }
RISEI_IN float risei_mantissa(float x)
{
    return risei_float((risei_bits(x) & 0x007FFFFFu) | 0x3F000000u);
}
RISEI_IN float risei_copysign(float x, float sign)
{
    return risei_float((risei_bits(x) & 0x7FFFFFFFu) | (risei_bits(sign) & 0x80000000u));
}
RISEI_IN float risei_abs(float x) { return risei_float(risei_bits(x) & 0x7FFFFFFFu); }
#else
#define risei_fma(a, b, c) ((a) * (b) + (c))
#define risei_abs(x) fabs(x)
#define risei_sqrt(x) sqrt(x)
#endif
RISEI_IN void risei_store(rise_real *p, rise_real x) { *p = x; }
RISEI_IN rise_real risei_max(rise_real a, rise_real b) { return a > b ? a : b; }
RISEI_IN rise_real risei_min(rise_real a, rise_real b) { return a < b ? a : b; }

#define RISEK_PASS
#ifndef RISE_SELF
#define RISE_SELF                                                                                  \
    "rise.h" /* not __FILE__, which fails when the header is included through a path */
#endif

/* ref: one number at a time and the plainest loops; what all others must equal */
#define RISEK(name) risek_##name##_ref
#define RISEK_NAME "ref"
#define RISEK_ISA RISE_ISA_REF
#define RISEK_FUSED 1
#define RISEK_REFERENCE
#define RISEK_FN RISEI_FN
#define RISEK_IN RISEI_IN
#define V rise_real
#define M int
#define VL 1
#define vload(p) (*(p))
#define vstore risei_store
#define vset1(x) ((rise_real)(x))
#define vadd(a, b) ((a) + (b))
#define vsub(a, b) ((a) - (b))
#define vmul(a, b) ((a) * (b))
#define vdiv(a, b) ((a) / (b))
#define vsqrt risei_sqrt
#define vfma risei_fma
#define vgt(a, b) ((a) > (b))
#define vmax risei_max
#define vmin risei_min
#define vselect(mask, yes, no) ((mask) ? (yes) : (no))
#define vabs risei_abs
#define vcopysign risei_copysign
#define vscale risei_scale
#define vexponent risei_exponent
#define vmantissa risei_mantissa
#include RISE_SELF

#ifndef RISE_DOUBLE

/* c: four lanes, in whatever instructions the compiler has for them */
#define RISEK(name) risek_##name##_c
#define RISEK_NAME "c"
#define RISEK_ISA RISE_ISA_C
#define RISEK_FUSED RISEI_HARD_FMA
#define RISEK_FN RISEI_FN
#define RISEK_IN RISEI_IN
#define MR 4
#define RISEK_TILE_SIZES RISEI_TO_4
#if defined(__GNUC__) && !defined(__TINYC__)
typedef float risei_f4 __attribute__((vector_size(16)));
typedef int32_t risei_i4 __attribute__((vector_size(16)));
typedef uint32_t risei_u4 __attribute__((vector_size(16)));
RISEI_IN risei_f4 risei_f4_load(const float *p)
{
    risei_f4 x;
    memcpy(&x, p, sizeof x);
    return x;
}
RISEI_IN void risei_f4_store(float *p, risei_f4 x) { memcpy(p, &x, sizeof x); }
RISEI_IN risei_f4 risei_f4_set1(float x)
{
    risei_f4 const v = {x, x, x, x};
    return v;
}
RISEI_IN risei_f4 risei_f4_bytes(const uint8_t *p)
{
    risei_f4 const v = {(float)p[0], (float)p[1], (float)p[2], (float)p[3]};
    return v;
}
RISEI_IN risei_f4 risei_f4_sqrt(risei_f4 x)
{
    risei_f4 const v = {sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
    return v;
}
RISEI_IN risei_f4 risei_f4_fma(risei_f4 a, risei_f4 b, risei_f4 c)
{
#if RISEI_HARD_FMA
    risei_f4 const v = {risei_fma(a[0], b[0], c[0]), risei_fma(a[1], b[1], c[1]),
                        risei_fma(a[2], b[2], c[2]), risei_fma(a[3], b[3], c[3])};
    return v;
#else
    return a * b + c;
#endif
}
RISEI_IN risei_f4 risei_f4_select(risei_i4 mask, risei_f4 yes, risei_f4 no)
{
    return (risei_f4)((mask & (risei_i4)yes) | (~mask & (risei_i4)no));
}
RISEI_IN risei_f4 risei_f4_max(risei_f4 a, risei_f4 b)
{
    return risei_f4_select((risei_i4)(a > b), a, b);
}
RISEI_IN risei_f4 risei_f4_min(risei_f4 a, risei_f4 b)
{
    return risei_f4_select((risei_i4)(a < b), a, b);
}
RISEI_IN risei_f4 risei_f4_mask(risei_f4 x, uint32_t keep, uint32_t set)
{
    risei_u4 const k = {keep, keep, keep, keep}, s = {set, set, set, set};
    return (risei_f4)(((risei_u4)x & k) | s);
}
RISEI_IN risei_f4 risei_f4_copysign(risei_f4 x, risei_f4 sign)
{
    risei_u4 const top = (risei_u4)risei_f4_mask(sign, 0x80000000u, 0);
    return (risei_f4)((risei_u4)risei_f4_mask(x, 0x7FFFFFFFu, 0) | top);
}
RISEI_IN risei_f4 risei_f4_exponent(risei_f4 x)
{
    risei_i4 const e = (risei_i4)((risei_u4)x >> 23) - 126;
    risei_f4 const v = {(float)e[0], (float)e[1], (float)e[2], (float)e[3]};
    return v;
}
#define V risei_f4
#define M risei_i4
#define VL 4
#define NV 2
#define vload risei_f4_load
#define vstore risei_f4_store
#define vset1(x) risei_f4_set1((float)(x))
#define vbytes risei_f4_bytes
#define vadd(a, b) ((a) + (b))
#define vsub(a, b) ((a) - (b))
#define vmul(a, b) ((a) * (b))
#define vdiv(a, b) ((a) / (b))
#define vsqrt risei_f4_sqrt
#define vfma risei_f4_fma
#define vgt(a, b) ((risei_i4)((a) > (b)))
#define vmax risei_f4_max
#define vmin risei_f4_min
#define vselect risei_f4_select
#define vabs(x) risei_f4_mask((x), 0x7FFFFFFFu, 0)
#define vcopysign risei_f4_copysign
#define vscale(x, t) ((risei_f4)((risei_u4)(x) + ((risei_u4)(t) << 23)))
#define vexponent risei_f4_exponent
#define vmantissa(x) risei_f4_mask((x), 0x007FFFFFu, 0x3F000000u)
#else /* compilers without vector types: one lane */
#define V float
#define M int
#define VL 1
#define NV 4
#define vload(p) (*(p))
#define vstore risei_store
#define vset1(x) ((float)(x))
#define vbytes(p) ((float)*(p))
#define vadd(a, b) ((a) + (b))
#define vsub(a, b) ((a) - (b))
#define vmul(a, b) ((a) * (b))
#define vdiv(a, b) ((a) / (b))
#define vsqrt risei_sqrt
#if RISEI_HARD_FMA
#define vfma risei_fma
#else
#define vfma(a, b, c) ((a) * (b) + (c))
#endif
#define vgt(a, b) ((a) > (b))
#define vmax risei_max
#define vmin risei_min
#define vselect(mask, yes, no) ((mask) ? (yes) : (no))
#define vabs risei_abs
#define vcopysign risei_copysign
#define vscale risei_scale
#define vexponent risei_exponent
#define vmantissa risei_mantissa
#endif
#include RISE_SELF

#if RISEI_AVX
#define RISEK(name) risek_##name##_avx2
#define RISEK_NAME "avx2"
#define RISEK_ISA RISE_ISA_AVX2
#define RISEK_FUSED 1
#define RISEK_FN RISEI_FN RISEI_TARGET("avx2,fma,f16c")
#define RISEK_IN RISEI_IN RISEI_TARGET("avx2,fma,f16c")
#define V __m256
#define M __m256
#define VL 8
#define MR 6
#define RISEK_TILE_SIZES RISEI_TO_6
#define NV 2
#define vload _mm256_loadu_ps
#define vstore _mm256_storeu_ps
#define vset1(x) _mm256_set1_ps((float)(x))
#define vbytes(p)                                                                                  \
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p))))
#define vturn risei_turn8
#define VTURN 8
#define vhalves(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define vadd _mm256_add_ps
#define vsub _mm256_sub_ps
#define vmul _mm256_mul_ps
#define vdiv _mm256_div_ps
#define vsqrt _mm256_sqrt_ps
#define vfma _mm256_fmadd_ps
#define vgt(a, b) _mm256_cmp_ps((a), (b), _CMP_GT_OQ)
#define vmax _mm256_max_ps
#define vmin _mm256_min_ps
#define vselect(mask, yes, no) _mm256_blendv_ps((no), (yes), (mask))
#define vabs(x) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), (x))
#define vcopysign(x, sign) _mm256_or_ps(vabs(x), _mm256_and_ps(_mm256_set1_ps(-0.0f), (sign)))
#define vscale(x, t)                                                                               \
    _mm256_castsi256_ps(                                                                           \
        _mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_castps_si256(t), 23)))
#define vexponent(x)                                                                               \
    _mm256_cvtepi32_ps(                                                                            \
        _mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(x), 23), _mm256_set1_epi32(126)))
#define vmantissa(x)                                                                               \
    _mm256_or_ps(_mm256_and_ps((x), _mm256_castsi256_ps(_mm256_set1_epi32(0x007FFFFF))),           \
                 _mm256_set1_ps(0.5f))
#include RISE_SELF

#define RISEK(name) risek_##name##_avx512
#define RISEK_NAME "avx512"
#define RISEK_ISA RISE_ISA_AVX512
#define RISEK_FUSED 1
#define RISEK_FN RISEI_FN RISEI_TARGET("avx512f")
#define RISEK_IN RISEI_IN RISEI_TARGET("avx512f")
#define RISEI_ALL16                                                                                \
    ((__mmask16)0xFFFF) /* the unmasked forms warn as C++ with gcc 12; the code is the same */
#define V __m512
#define M __mmask16
#define VL 16
#define MR 14
#define RISEK_TILE_SIZES RISEI_TO_14
#define NV 2
#define vload(p) _mm512_loadu_ps((p))
#define vstore(p, x) _mm512_storeu_ps((p), (x))
#define vset1(x) _mm512_set1_ps((float)(x))
#define vbytes(p)                                                                                  \
    _mm512_maskz_cvtepi32_ps(RISEI_ALL16,                                                          \
                             _mm512_maskz_cvtepu8_epi32(RISEI_ALL16,                               \
                                                        _mm_loadu_si128(                           \
                                                            (const __m128i *)(const void *)(p))))
#define vturn risei_turn8
#define VTURN 8
#define vhalves(p)                                                                                 \
    _mm512_maskz_cvtph_ps(RISEI_ALL16, _mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define vadd _mm512_add_ps
#define vsub _mm512_sub_ps
#define vmul _mm512_mul_ps
#define vdiv _mm512_div_ps
#define vsqrt(x) _mm512_maskz_sqrt_ps(RISEI_ALL16, (x))
#define vfma _mm512_fmadd_ps
#define vgt(a, b) _mm512_cmp_ps_mask((a), (b), _CMP_GT_OQ)
#define vmax(a, b) _mm512_maskz_max_ps(RISEI_ALL16, (a), (b))
#define vmin(a, b) _mm512_maskz_min_ps(RISEI_ALL16, (a), (b))
#define vselect(mask, yes, no) _mm512_mask_blend_ps((mask), (no), (yes))
#define risei_and512(x, bits)                                                                      \
    _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32((int)(bits)))
#define vabs(x) _mm512_castsi512_ps(risei_and512((x), 0x7FFFFFFF))
#define vcopysign(x, sign)                                                                         \
    _mm512_castsi512_ps(                                                                           \
        _mm512_or_si512(risei_and512((x), 0x7FFFFFFF), risei_and512((sign), 0x80000000u)))
#define vscale(x, t)                                                                               \
    _mm512_castsi512_ps(                                                                           \
        _mm512_add_epi32(_mm512_castps_si512(x),                                                   \
                         _mm512_maskz_slli_epi32(RISEI_ALL16, _mm512_castps_si512(t), 23)))
#define vexponent(x)                                                                               \
    _mm512_maskz_cvtepi32_ps(RISEI_ALL16,                                                          \
                             _mm512_sub_epi32(_mm512_maskz_srli_epi32(RISEI_ALL16,                 \
                                                                      _mm512_castps_si512(x), 23), \
                                              _mm512_set1_epi32(126)))
#define vmantissa(x)                                                                               \
    _mm512_castsi512_ps(                                                                           \
        _mm512_or_si512(risei_and512((x), 0x007FFFFF), _mm512_set1_epi32(0x3F000000)))
#include RISE_SELF
#undef risei_and512
#undef RISEI_ALL16
#endif /* RISEI_AVX */

#if RISEI_NEON
#define RISEK(name) risek_##name##_neon
#define RISEK_NAME "neon"
#define RISEK_ISA RISE_ISA_NEON
#define RISEK_FN RISEI_FN
#define RISEK_IN RISEI_IN
RISEI_IN float32x4_t risei_neon_bytes(const uint8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word))))));
}
#define V float32x4_t
#define M uint32x4_t
#define VL 4
#ifdef __aarch64__ /* 32 registers, division, square root */
#define MR 8
#define RISEK_TILE_SIZES RISEI_TO_8
#define NV 2
#define vfma_lane(a, i, b, c) vfmaq_laneq_f32((c), (b), (a), (i))
#define vdiv vdivq_f32
#define vsqrt vsqrtq_f32
#define vhalves(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#else
#define MR 4
#define RISEK_TILE_SIZES RISEI_TO_4
#define NV 2
RISEI_IN float32x4_t risei_neon_div(float32x4_t a, float32x4_t b)
{
    float32x4_t const v = {a[0] / b[0], a[1] / b[1], a[2] / b[2], a[3] / b[3]};
    return v;
}
RISEI_IN float32x4_t risei_neon_sqrt(float32x4_t a)
{
    float32x4_t const v = {sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
    return v;
}
#define vdiv risei_neon_div
#define vsqrt risei_neon_sqrt
#endif
#if RISEI_HARD_FMA
#define RISEK_FUSED 1
#define vfma(a, b, c) vfmaq_f32((c), (a), (b))
#else
#define RISEK_FUSED 0
#define vfma(a, b, c) vaddq_f32(vmulq_f32((a), (b)), (c))
#endif
#define vload vld1q_f32
#define vstore vst1q_f32
#define vset1(x) vdupq_n_f32((float)(x))
#define vbytes risei_neon_bytes
#define vadd vaddq_f32
#define vsub vsubq_f32
#define vmul vmulq_f32
#define vgt vcgtq_f32
#define vmax(a, b) vbslq_f32(vcgtq_f32((a), (b)), (a), (b))
#define vmin(a, b) vbslq_f32(vcltq_f32((a), (b)), (a), (b))
#define vselect vbslq_f32
#define vabs vabsq_f32
#define vcopysign(x, sign) vbslq_f32(vdupq_n_u32(0x80000000u), (sign), (x))
#define vscale(x, t)                                                                               \
    vreinterpretq_f32_u32(                                                                         \
        vaddq_u32(vreinterpretq_u32_f32(x), vshlq_n_u32(vreinterpretq_u32_f32(t), 23)))
#define vexponent(x)                                                                               \
    vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(x), 23)),      \
                            vdupq_n_s32(126)))
#define vmantissa(x)                                                                               \
    vreinterpretq_f32_u32(vorrq_u32(vandq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x007FFFFFu)), \
                                    vdupq_n_u32(0x3F000000u)))
#include RISE_SELF
#endif /* RISEI_NEON */
#endif /* !RISE_DOUBLE */

#undef RISEK_PASS

#if RISEI_AVX
/* What processor and operating system support: 2 for AVX2, FMA and 16-bit floats, 3 for AVX-512 as well. */
RISEI_FN int risei_avx_level(void)
{
    uint32_t one[4], seven[4], saved; /* eax ebx ecx edx */
#ifdef _MSC_VER
    __cpuidex((int *)one, 0, 0);
    if (one[0] < 7) return 0;
    __cpuidex((int *)one, 1, 0);
    __cpuidex((int *)seven, 7, 0);
    if ((one[2] >> 27 & 1) == 0) return 0;
    saved = (uint32_t)_xgetbv(0);
#else
    uint32_t high;
    __asm__("cpuid" : "=a"(one[0]), "=b"(one[1]), "=c"(one[2]), "=d"(one[3]) : "a"(0), "c"(0));
    if (one[0] < 7) return 0;
    __asm__("cpuid" : "=a"(one[0]), "=b"(one[1]), "=c"(one[2]), "=d"(one[3]) : "a"(1), "c"(0));
    __asm__("cpuid"
            : "=a"(seven[0]), "=b"(seven[1]), "=c"(seven[2]), "=d"(seven[3])
            : "a"(7), "c"(0));
    if ((one[2] >> 27 & 1) == 0) return 0; /* OSXSAVE */
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    (void)high;
#endif
    if ((saved & 0x06) != 0x06 || (seven[1] >> 5 & 1) == 0) return 0;   /* ymm, AVX2 */
    if ((one[2] >> 12 & 1) == 0 || (one[2] >> 29 & 1) == 0) return 0;   /* FMA, F16C */
    return (saved & 0xE0) == 0xE0 && (seven[1] >> 16 & 1) != 0 ? 3 : 2; /* zmm, AVX512F */
}
#endif

RISE_API const rise_kernels *rise_kernels_of(rise_isa isa)
{
    if (isa == RISE_ISA_REF) return &risek_table_ref;
#ifdef RISE_DOUBLE
    return isa == RISE_ISA_AUTO ? &risek_table_ref : NULL;
#else
    if (isa == RISE_ISA_C) return &risek_table_c;
#if RISEI_AVX
    {
        int const level = risei_avx_level();
        if (level >= 3 && (isa == RISE_ISA_AVX512 || isa == RISE_ISA_AUTO))
            return &risek_table_avx512;
        if (level >= 2 && (isa == RISE_ISA_AVX2 || isa == RISE_ISA_AUTO)) return &risek_table_avx2;
    }
#endif
#if RISEI_NEON
    if (isa == RISE_ISA_NEON || isa == RISE_ISA_AUTO) return &risek_table_neon;
#endif
    return isa == RISE_ISA_AUTO ? &risek_table_c : NULL;
#endif
}

/* ---------------------------------------------------------------------------------------------- */
/* >>threads: work is divided over what it writes, never over what it sums, so that any number of them gives the same bits */

enum { RISEI_MOST_THREADS = 64 };

/* Part `part` of `parts` of some work; all parts together are all of it. */
typedef void (*risei_task)(void *job, int part, int parts, void *scratch);

#ifdef RISE_THREADS
#include <pthread.h>
#include <sched.h>
#if defined(RISEI_X86)
#define RISEI_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RISEI_PAUSE() __asm__ volatile("yield")
#else
#define RISEI_PAUSE() (void)0
#endif
#ifndef RISEI_WORTH
#define RISEI_WORTH 2e5 /* tests divide the least of work */
#endif
/* some 50 microseconds: longer than the pauses within an update, shorter than a game's ticks */
enum { RISEI_SPINS = 2000 };

typedef struct risei_worker {
    struct risei_pool *pool;
    int part;
    pthread_t thread;
} risei_worker;

/* Threads that share one job after another with the thread that hands them out. */
typedef struct risei_pool {
    int threads;
    unsigned char *scratch; /* [threads][scratch_bytes] */
    size_t scratch_bytes;
    risei_task task; /* the job in hand */
    void *job;
    int stop;
    unsigned round; /* atomic: jobs handed out so far */
    int left;       /* atomic: workers that are still at it */
    int asleep;     /* atomic: workers that wait to be woken */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    risei_worker workers[RISEI_MOST_THREADS];
} risei_pool;

/* Waits for another round than the one `seen`: awake for a moment, then asleep. */
RISEI_FN void risei_pool_await(risei_pool *p, unsigned seen)
{
    int spin;
    for (spin = 0; spin < RISEI_SPINS; spin++) {
        if (__atomic_load_n(&p->round, __ATOMIC_ACQUIRE) != seen) return;
        RISEI_PAUSE();
    }
    pthread_mutex_lock(&p->lock);
    /* before `round` is looked at: see risei_pool_hand_out */
    __atomic_add_fetch(&p->asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&p->round, __ATOMIC_SEQ_CST) == seen)
        pthread_cond_wait(&p->wake, &p->lock);
    __atomic_sub_fetch(&p->asleep, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&p->lock);
}
RISEI_FN void risei_pool_hand_out(risei_pool *p, risei_task task, void *job)
{
    p->task = task;
    p->job = job;
    __atomic_store_n(&p->left, p->threads - 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&p->round, 1, __ATOMIC_SEQ_CST);
    /* who falls asleep from now on sees the new round first */
    if (__atomic_load_n(&p->asleep, __ATOMIC_SEQ_CST) == 0) return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}
RISEI_FN void *risei_work(void *argument)
{
    risei_worker *const w = (risei_worker *)argument;
    risei_pool *const p = w->pool;
    unsigned seen;
    for (seen = 0;; seen++) {
        risei_pool_await(p, seen);
        if (p->stop) return NULL;
        p->task(p->job, w->part, p->threads, p->scratch + (size_t)w->part * p->scratch_bytes);
        __atomic_sub_fetch(&p->left, 1, __ATOMIC_RELEASE);
    }
}
RISEI_FN void risei_pool_run(risei_pool *p, risei_task task, void *job)
{
    int spin;
    risei_pool_hand_out(p, task, job);
    task(job, 0, p->threads, p->scratch);
    for (spin = 0; __atomic_load_n(&p->left, __ATOMIC_ACQUIRE) > 0; spin++) {
        RISEI_PAUSE();
        if (spin % RISEI_SPINS == RISEI_SPINS - 1) sched_yield();
    }
}
/* Ends the workers; `started` of them are there. */
RISEI_FN void risei_pool_end(risei_pool *p, int started)
{
    int i;
    p->stop = 1;
    risei_pool_hand_out(p, NULL, NULL);
    for (i = 1; i < started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}
/* Returns 0 if the system refuses threads. */
RISEI_FN int risei_pool_begin(risei_pool *p, int threads, void *scratch, size_t scratch_bytes)
{
    int i;
    p->threads = threads;
    p->scratch = (unsigned char *)scratch;
    p->scratch_bytes = scratch_bytes;
    if (pthread_mutex_init(&p->lock, NULL) != 0 || pthread_cond_init(&p->wake, NULL) != 0) return 0;
    for (i = 1; i < threads; i++) {
        p->workers[i].pool = p;
        p->workers[i].part = i;
        if (pthread_create(&p->workers[i].thread, NULL, risei_work, &p->workers[i]) == 0) continue;
        risei_pool_end(p, i);
        return 0;
    }
    return 1;
}
#endif /* RISE_THREADS */

/* What computes: the kernels, their scratch, and threads. */
typedef struct risei_device {
    const rise_kernels *kernels;
    /* [threads][scratch_bytes]: of products, and behind it of a first layer that sees frames */
    void *scratch;
    struct risei_pool *pool; /* NULL: the caller's thread alone */
    size_t scratch_bytes;
} risei_device;

/* Does a job; `work` is what it comes to, in multiplications or so: little is not worth dividing. */
RISEI_FN void risei_run(const risei_device *d, double work, risei_task task, void *job)
{
#ifdef RISE_THREADS
    if (d->pool != NULL && work > RISEI_WORTH) {
        risei_pool_run(d->pool, task, job);
        return;
    }
#endif
    (void)work;
    task(job, 0, 1, d->scratch);
}

RISEI_FN int risei_threads(const risei_device *d)
{
#ifdef RISE_THREADS
    if (d->pool != NULL) return d->pool->threads;
#endif
    (void)d;
    return 1;
}

typedef struct risei_product_job {
    const rise_kernels *kernels;
    const rise_product *product;
} risei_product_job;

RISEI_FN void risei_product_part(void *job, int part, int parts, void *scratch)
{
    const risei_product_job *const j = (const risei_product_job *)job;
    j->kernels->product(j->product, part, parts, scratch);
}
RISEI_FN void risei_product(const risei_device *d, const rise_product *p)
{
    risei_product_job job;
    job.kernels = d->kernels;
    job.product = p;
    risei_run(d, (double)p->m * p->n * p->k, risei_product_part, &job);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>layers: forward and backward side by side. Gradients are assigned, not added up: a layer runs backward once an update */

RISEI_FN void risei_zero(rise_real *x, ptrdiff_t count)
{
    if (x != NULL && count > 0) memset(x, 0, (size_t)count * sizeof *x);
}
/* The parameter block while a network is laid out: everything that learns is one array. */
typedef struct risei_parameters {
    size_t count;
} risei_parameters;

RISEI_FN size_t risei_parameter(risei_parameters *p, size_t count)
{
    size_t const at = p->count;
    p->count += count;
    return at;
}
/* Uniform in +-1/sqrt(fan_in), as PyTorch initialises its layers. */
RISEI_FN void risei_initialise(rise_real *w, size_t count, int fan_in, risei_random *random)
{
    rise_real const bound = 1 / risei_sqrt((rise_real)fan_in);
    size_t i;
    for (i = 0; i < count; i++) w[i] = (2 * risei_uniform(random) - 1) * bound;
}

/* y [rows][out] = x [rows][in] W + b */
typedef struct risei_linear {
    int in, out, biased;
    /* rise_matrix_panels [in][out], and [out]: where in the parameter block */
    size_t weights, bias;
} risei_linear;

RISEI_FN risei_linear risei_linear_make(risei_parameters *p, int in, int out, int biased)
{
    risei_linear layer;
    layer.in = in, layer.out = out, layer.biased = biased;
    layer.weights = risei_parameter(p, (size_t)in * (size_t)out);
    layer.bias = risei_parameter(p, biased ? (size_t)out : 0);
    return layer;
}
/* Weights uniform in +-1/sqrt(fan_in), drawn row by row, wherever they lie. */
RISEI_FN void risei_linear_initialise_weights(const risei_linear *l, rise_real *w, int fan_in,
                                              risei_random *random)
{
    rise_matrix const m = rise_matrix_panels(w + l->weights, l->in, l->out);
    int i, j;
    for (i = 0; i < l->in; i++)
        for (j = 0; j < l->out; j += m.run)
            risei_initialise(w + l->weights + risei_walk(&m.rows, i) + risei_column(&m, j),
                             (size_t)m.run, fan_in, random);
}
RISEI_FN void risei_linear_initialise(const risei_linear *l, rise_real *w, risei_random *random)
{
    risei_linear_initialise_weights(l, w, l->in, random);
    risei_initialise(w + l->bias, (size_t)l->out, l->in, random);
}

/* Rows of x and y lie `stride` elements apart. */
RISEI_FN void risei_linear_forward(const risei_device *d, const risei_linear *l, const rise_real *w,
                                   int rows, const rise_real *x, ptrdiff_t x_stride, rise_real *y,
                                   ptrdiff_t y_stride, int relu)
{
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = rows, p.n = l->out, p.k = l->in;
    p.a = rise_matrix_plain(x, x_stride);
    p.b = rise_matrix_panels(w + l->weights, l->in, l->out);
    p.c = rise_matrix_plain(y, y_stride);
    p.bias = w + l->bias;
    p.relu = relu;
    risei_product(d, &p);
}
/* dW = x^T dy, and the gradient of the bias, if it has one */
RISEI_FN void risei_linear_backward_weights(const risei_device *d, const risei_linear *l,
                                            rise_real *g, int rows, const rise_real *x,
                                            ptrdiff_t x_stride, const rise_real *dy,
                                            ptrdiff_t dy_stride)
{
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = l->in, p.n = l->out, p.k = rows;
    p.a = rise_matrix_plain(x, x_stride);
    p.transposed = 1;
    p.b = rise_matrix_plain(dy, dy_stride);
    p.c = rise_matrix_panels(g + l->weights, l->in, l->out);
    if (l->biased) p.sums = g + l->bias;
    risei_product(d, &p);
}
/* dy is the gradient before the ReLU. dx may be NULL. */
RISEI_FN void risei_linear_backward(const risei_device *d, const risei_linear *l,
                                    const rise_real *w, rise_real *g, int rows, const rise_real *x,
                                    ptrdiff_t x_stride, const rise_real *dy, ptrdiff_t dy_stride,
                                    rise_real *dx, ptrdiff_t dx_stride)
{
    rise_matrix const weights = rise_matrix_panels(w + l->weights, l->in, l->out);
    rise_product p;
    risei_linear_backward_weights(d, l, g, rows, x, x_stride, dy, dy_stride);
    if (dx == NULL) return;
    memset(&p, 0, sizeof p);
    p.k = l->out;
    p.a = rise_matrix_plain(dy, dy_stride);
    p.c = rise_matrix_plain(dx, dx_stride);
    if (rows > 64) { /* dx = dy W^T */
        p.m = rows, p.n = l->in;
        p.b = rise_matrix_transpose(weights);
    } else { /* dx^T = W dy^T: W, which is larger, is read where it lies */
        p.m = l->in, p.n = rows;
        p.b = rise_matrix_transpose(p.a), p.a = weights;
        p.c = rise_matrix_transpose(p.c);
    }
    risei_product(d, &p);
}

/* Images [count][height + 2 pad][width + 2 pad][channels]: the border is zero and stays so. */
typedef struct risei_image {
    rise_real *data;
    int height, width, channels, pad;
} risei_image;

RISEI_FN risei_image risei_image_make(int height, int width, int channels, int pad)
{
    risei_image image;
    memset(&image, 0, sizeof image);
    image.height = height, image.width = width, image.channels = channels, image.pad = pad;
    return image;
}
RISEI_FN ptrdiff_t risei_image_row(const risei_image *i)
{
    return (ptrdiff_t)(i->width + 2 * i->pad) * i->channels;
}
RISEI_FN ptrdiff_t risei_image_size(const risei_image *i)
{
    return (i->height + 2 * i->pad) * risei_image_row(i);
}
/* Where pixel (y, x) of the first image is; coordinates may reach into the border. */
RISEI_FN ptrdiff_t risei_image_at(const risei_image *i, int y, int x)
{
    return (y + i->pad) * risei_image_row(i) + (ptrdiff_t)(x + i->pad) * i->channels;
}
/* A walk over rows x columns of its pixels, every `step`-th of them. */
RISEI_FN rise_walk risei_image_walk(const risei_image *i, int rows, int columns, int step)
{
    rise_walk walk;
    walk.inner = columns;
    walk.middle = rows;
    walk.step[0] = (ptrdiff_t)step * i->channels;
    walk.step[1] = step * risei_image_row(i);
    walk.step[2] = risei_image_size(i);
    /* all pixels */
    if (walk.step[0] * columns == walk.step[1] && walk.step[1] * rows == walk.step[2])
        walk.inner = INT_MAX;
    return walk;
}

/* Convolution (the field's name for correlation): y(oy, ox) = relu(b + sum over ky, kx, c of x(oy s + ky - pad, ...) w). */
typedef struct risei_conv {
    int height, width, channels; /* in */
    int filters, size, stride, pad;
    int out_height, out_width;
    /* of zeros around dy, so that the data gradient is a product too */
    int border;
    int pool, pool_stride, pool_pad;
    int pooled_height, pooled_width; /* out_height, out_width without a pool */
    size_t weights, bias;            /* [size][size][channels][filters], [filters] */
    /* it only runs forward, and its weights lie as rise_matrix_panels */
    int frozen;
} risei_conv;

/* The data gradient at pixels u = r + stride Y (u = y + pad) takes taps r, r + stride, ... of the kernel. */
typedef struct risei_phase {
    int taps, first, count; /* taps of this residue; the first Y inside the image and how many */
} risei_phase;

RISEI_FN risei_phase risei_conv_phase(const risei_conv *c, int r, int length)
{
    risei_phase phase;
    int const last = (length - 1 + c->pad - r + c->stride) / c->stride - 1;
    phase.taps = r < c->size ? (c->size - r + c->stride - 1) / c->stride : 0;
    phase.first = c->pad > r ? (c->pad - r + c->stride - 1) / c->stride : 0;
    phase.count = last - phase.first + 1;
    return phase;
}

RISEI_FN risei_conv risei_conv_make(risei_parameters *p, const rise_conv *desc, int height,
                                    int width, int channels)
{
    risei_conv c;
    int r, axis;
    memset(&c, 0, sizeof c);
    c.height = height, c.width = width, c.channels = channels;
    c.filters = desc->filters, c.size = desc->size, c.pad = desc->pad;
    c.stride = desc->stride != 0 ? desc->stride : 1;
    c.out_height = (height + 2 * c.pad - c.size) / c.stride + 1;
    c.out_width = (width + 2 * c.pad - c.size) / c.stride + 1;
    c.pooled_height = c.out_height, c.pooled_width = c.out_width;
    if (desc->pool != 0) {
        c.pool = desc->pool, c.pool_pad = desc->pool_pad;
        c.pool_stride = desc->pool_stride != 0 ? desc->pool_stride : desc->pool;
        c.pooled_height = (c.out_height + 2 * c.pool_pad - c.pool) / c.pool_stride + 1;
        c.pooled_width = (c.out_width + 2 * c.pool_pad - c.pool) / c.pool_stride + 1;
    }
    for (axis = 0; axis < 2; axis++)
        for (r = 0; r < c.stride; r++) {
            risei_phase const phase = risei_conv_phase(&c, r, axis ? width : height);
            int const before = phase.taps - 1 - phase.first;
            int const after = phase.first + phase.count - (axis ? c.out_width : c.out_height);
            if (phase.taps == 0 || phase.count <= 0) continue;
            if (c.border < before) c.border = before;
            if (c.border < after) c.border = after;
        }
    c.weights =
        risei_parameter(p, (size_t)c.size * (size_t)c.size * (size_t)channels * (size_t)c.filters);
    c.bias = risei_parameter(p, (size_t)c.filters);
    return c;
}

/* multiplications, either way */
RISEI_FN double risei_conv_work(const risei_conv *c, int count)
{
    return (double)count * c->out_height * c->out_width * c->filters *
           (c->size * c->size * c->channels);
}
/* [count * out_height * out_width][size * size * channels]: the patches, where they lie in the image */
RISEI_FN rise_matrix risei_conv_patches(const risei_conv *c, const risei_image *x)
{
    rise_matrix m;
    m.data = x->data + risei_image_at(x, -c->pad, -c->pad);
    m.rows = risei_image_walk(x, c->out_height, c->out_width, c->stride);
    m.run = c->size * c->channels;
    m.run_step = risei_image_row(x);
    return m;
}

/* y = conv(x), max(0, y) if `relu`. x.pad must be c.pad or more; y may have any border. */
RISEI_FN rise_product risei_conv_product(const risei_conv *c, const rise_real *w, int count,
                                         const risei_image *x, const risei_image *y, int relu)
{
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = count * c->out_height * c->out_width, p.n = c->filters,
    p.k = c->size * c->size * c->channels;
    p.a = risei_conv_patches(c, x);
    p.b = c->frozen ? rise_matrix_panels(w + c->weights, p.k, p.n)
                    : rise_matrix_plain(w + c->weights, c->filters);
    p.c = rise_matrix_plain(y->data + risei_image_at(y, 0, 0), 0);
    p.c.rows = risei_image_walk(y, c->out_height, c->out_width, 1);
    p.bias = w + c->bias;
    p.relu = relu;
    return p;
}
/* dW = patches^T dy, and the gradient of the bias */
RISEI_FN rise_product risei_conv_gradient(const risei_conv *c, rise_real *g, int count,
                                          const risei_image *x, const risei_image *dy)
{
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = c->size * c->size * c->channels, p.n = c->filters,
    p.k = count * c->out_height * c->out_width;
    p.a = risei_conv_patches(c, x);
    p.transposed = 1;
    p.b = rise_matrix_plain(dy->data + risei_image_at(dy, 0, 0), 0);
    p.b.rows = risei_image_walk(dy, c->out_height, c->out_width, 1);
    p.c = rise_matrix_plain(g + c->weights, c->filters);
    p.sums = g + c->bias;
    return p;
}
/* y (add: +)= conv(x) */
RISEI_FN void risei_conv_forward(const risei_device *d, const risei_conv *c, const rise_real *w,
                                 int count, const risei_image *x, const risei_image *y, int relu,
                                 int add)
{
    rise_product p = risei_conv_product(c, w, count, x, y, relu);
    int i;
    if (add) p.bias = NULL, p.accumulate = 1;
    for (i = 0; i < p.m && add; i++)
        d->kernels->add(c->filters, w + c->bias,
                        y->data + risei_image_at(y, 0, 0) + risei_walk(&p.c.rows, i));
    risei_product(d, &p);
}

/* Rows, or columns, first .. first+count of a phase, to which the same `taps` of the kernel belong, after the first `skip`. */
typedef struct risei_band {
    int first, count, skip, taps;
} risei_band;

/* The band that starts at row Y of a phase, of which dy has `length` rows. Rows in the middle have all taps. If not `cut`, the
   whole phase is one band, and those of its taps that miss dy meet the zeros of its border. */
RISEI_FN risei_band risei_conv_band(const risei_phase *phase, int length, int row, int cut)
{
    int const above = cut ? phase->taps - 1 - row : 0, beneath = cut ? row - (length - 1) : 0;
    int const end = phase->first + phase->count;
    risei_band band;
    band.first = row, band.count = cut ? 1 : phase->count;
    band.skip = above > 0 ? above : 0;
    band.taps = phase->taps - band.skip - (beneath > 0 ? beneath : 0);
    if (cut && above <= 0 && beneath < 0) band.count = (length < end ? length : end) - row;
    if (band.taps <= 0) band.taps = band.skip = 0;
    return band;
}
/* A walk over the pixels of so many images that takes one pixel of all images, then the next; or image by image. */
RISEI_FN rise_walk risei_conv_walk(const risei_image *x, int rows, int columns, int step, int count,
                                   int by_pixel)
{
    rise_walk const w = risei_image_walk(x, rows, columns, step);
    rise_walk turned;
    turned.inner = count, turned.middle = columns;
    turned.step[0] = w.step[2], turned.step[1] = w.step[0], turned.step[2] = w.step[1];
    return by_pixel ? turned : w;
}
/* dx of one band of rows v and columns u: the patches of dy that its pixels came from, times the kernel turned around. */
RISEI_FN void risei_conv_backward_band(const risei_device *d, const risei_conv *c,
                                       const rise_real *w, int count, const risei_image *dy,
                                       const risei_image *dx, int ry, int rx, const risei_band *v,
                                       const risei_band *u, int by_pixel)
{
    int const f = c->filters, tap = c->channels * f;
    int const top = risei_conv_phase(c, ry, c->height).taps - 1;
    int const side = risei_conv_phase(c, rx, c->width).taps - 1;
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = count * v->count * u->count, p.n = c->channels, p.k = v->taps * u->taps * f;
    p.c = rise_matrix_plain(dx->data + risei_image_at(dx, ry + c->stride * v->first - c->pad,
                                                      rx + c->stride * u->first - c->pad),
                            0);
    p.c.rows = risei_conv_walk(dx, v->count, u->count, c->stride, count, by_pixel);
    p.a = rise_matrix_plain(dy->data, 0);
    p.b = rise_matrix_transpose(rise_matrix_plain(w + c->weights, f));
    if (p.k > 0) {
        int const ky = ry + c->stride * (top - v->skip), kx = rx + c->stride * (side - u->skip);
        p.a.data = dy->data +
                   risei_image_at(dy, v->first - top + v->skip, u->first - side + u->skip);
        p.a.rows = risei_conv_walk(dy, v->count, u->count, 1, count, by_pixel);
        p.a.run = u->taps * f;
        p.a.run_step = risei_image_row(dy);
        p.b.data = w + c->weights + (ptrdiff_t)(ky * c->size + kx) * tap;
        p.b.rows.inner = f, p.b.rows.middle = u->taps;
        p.b.rows.step[1] = -(ptrdiff_t)c->stride * tap;
        p.b.rows.step[2] = -(ptrdiff_t)c->stride * c->size * tap;
    }
    risei_product(d, &p);
}
/* What is left of a phase if it has tap k of the kernel alone: those of dy's rows, or columns, that it connects with one of x's
   `length`; there may be none. */
RISEI_FN risei_phase risei_conv_reach(const risei_conv *c, int k, int length, int out_length)
{
    risei_phase reach = risei_conv_phase(c, k % c->stride, length);
    int const first = reach.first - k / c->stride, end = first + reach.count;
    reach.taps = 1;
    reach.first = first > 0 ? first : 0;
    reach.count = (end < out_length ? end : out_length) - reach.first;
    return reach;
}
/* dx tap by tap: a product each, which adds what dy gives through that tap. Nothing is multiplied in vain, and the weights are
   turned around once; but dx is read and written for each tap. */
RISEI_FN void risei_conv_backward_taps(const risei_device *d, const risei_conv *c,
                                       const rise_real *w, int count, const risei_image *dy,
                                       const risei_image *dx)
{
    int const f = c->filters, tap = c->channels * f;
    int n, y, k;
    for (n = 0; n < count; n++)
        for (y = 0; y < dx->height; y++)
            risei_zero(dx->data + n * risei_image_size(dx) + risei_image_at(dx, y, 0),
                       dx->width * dx->channels);
    /* backward: the sums of the bands, without their zeros */
    for (k = c->size * c->size - 1; k >= 0; k--) {
        int const ky = k / c->size, kx = k % c->size;
        risei_phase const v = risei_conv_reach(c, ky, c->height, c->out_height);
        risei_phase const u = risei_conv_reach(c, kx, c->width, c->out_width);
        rise_product p;
        if (v.count <= 0 || u.count <= 0) continue;
        memset(&p, 0, sizeof p);
        p.m = count * v.count * u.count, p.n = c->channels, p.k = f;
        p.accumulate = 1;
        p.a = rise_matrix_plain(dy->data + risei_image_at(dy, v.first, u.first), 0);
        p.a.rows = risei_image_walk(dy, v.count, u.count, 1);
        p.b = rise_matrix_transpose(rise_matrix_plain(w + c->weights + (ptrdiff_t)k * tap, f));
        p.c = rise_matrix_plain(dx->data + risei_image_at(dx, c->stride * v.first + ky - c->pad,
                                                          c->stride * u.first + kx - c->pad),
                                0);
        p.c.rows = risei_image_walk(dx, v.count, u.count, c->stride);
        risei_product(d, &p);
    }
}
enum { RISEI_MANY = 8, RISEI_TOGETHER = 32 }; /* images */
/* dx band by band. Many images: no tap that misses dy is multiplied. Above and below dy that costs a product for each row;
   beside it, too, it would leave too few pixels in a row to fill a tile, so that tiles take a pixel of many images at once: for
   narrow images, where it pays. */
RISEI_FN void risei_conv_backward_bands(const risei_device *d, const risei_conv *c,
                                        const rise_real *w, int count, const risei_image *dy,
                                        const risei_image *dx)
{
    int const many = count >= RISEI_MANY;
    int ry, rx, row, column;
    for (ry = 0; ry < c->stride; ry++)
        for (rx = 0; rx < c->stride; rx++) {
            risei_phase const v = risei_conv_phase(c, ry, c->height);
            risei_phase const u = risei_conv_phase(c, rx, c->width);
            int const narrow = many && u.count <= 16;
            risei_band y, x;
            for (row = v.first; row < v.first + v.count; row += y.count) {
                y = risei_conv_band(&v, c->out_height, row, many);
                for (column = u.first; column < u.first + u.count; column += x.count) {
                    x = risei_conv_band(&u, c->out_width, column, narrow);
                    risei_conv_backward_band(d, c, w, count, dy, dx, ry, rx, &y, &x, narrow);
                }
            }
        }
}
/* dx = the data gradient, in the way that is faster: without padding, the bands of few small images hold many zeros, and a tap
   of many filters is worth reading and writing dx. */
RISEI_FN void risei_conv_backward_images(const risei_device *d, const risei_conv *c,
                                         const rise_real *w, int count, const risei_image *dy,
                                         const risei_image *dx)
{
    if (count < RISEI_MANY && c->pad == 0 && c->out_width <= 16 && c->filters >= 32)
        risei_conv_backward_taps(d, c, w, count, dy, dx);
    else
        risei_conv_backward_bands(d, c, w, count, dy, dx);
}
/* Many images go some at a time, for dy and dx are gone through many times; and each part of the job has its own. */
typedef struct risei_data_job {
    const rise_kernels *kernels;
    const risei_conv *conv;
    const rise_real *w;
    const risei_image *dy, *dx;
    int count;
} risei_data_job;

RISEI_FN void risei_data_part(void *job, int part, int parts, void *scratch)
{
    const risei_data_job *const j = (const risei_data_job *)job;
    risei_device alone;
    int n, end, now;
    memset(&alone, 0, sizeof alone);
    alone.kernels = j->kernels, alone.scratch = scratch;
    for (risei_share(j->count, 1, part, parts, &n, &end); n < end; n += now) {
        risei_image dy = *j->dy, dx = *j->dx;
        dy.data += n * risei_image_size(&dy), dx.data += n * risei_image_size(&dx);
        now = end - n < 3 * RISEI_TOGETHER / 2 ? end - n : RISEI_TOGETHER;
        risei_conv_backward_images(&alone, j->conv, j->w, now, &dy, &dx);
    }
}
RISEI_FN void risei_conv_backward_data(const risei_device *d, const risei_conv *c,
                                       const rise_real *w, int count, const risei_image *dy,
                                       const risei_image *dx)
{
    risei_data_job j;
    j.kernels = d->kernels, j.conv = c, j.w = w, j.dy = dy, j.dx = dx, j.count = count;
    if (count < RISEI_MANY * risei_threads(d))
        risei_conv_backward_images(d, c, w, count, dy, dx);
    else
        risei_run(d, risei_conv_work(c, count), risei_data_part, &j);
}
/* dy: gradient before the ReLU, dy.pad == c.border where dx is wanted; dx may be NULL. */
RISEI_FN void risei_conv_backward(const risei_device *d, const risei_conv *c, const rise_real *w,
                                  rise_real *g, int count, const risei_image *x,
                                  const risei_image *dy, const risei_image *dx)
{
    rise_product const p = risei_conv_gradient(c, g, count, x, dy);
    risei_product(d, &p);
    if (dx != NULL) risei_conv_backward_data(d, c, w, count, dy, dx);
}

/* What a conv net sees: images of numbers that lie ready; or stacks of frames, oldest first, which become numbers, in [0, 1] and
   interleaved, in the cache, just before they are read. */
typedef struct risei_input {
    rise_real *images; /* [count] with the border of the first layer's x; or NULL, and */
    /* [count][stack]; NULL as a stack's first frame stands for a black image */
    const uint8_t *const *frames;
    int stack;
} risei_input;

enum {
    /* numbers: so many images of the first layer at a time, but at least one */
    RISEI_CHUNK = 32768,
    RISEI_MOST_STACK = 16
};

RISEI_FN int risei_chunk_images(const risei_image *x)
{
    return risei_image_size(x) < RISEI_CHUNK ? RISEI_CHUNK / (int)risei_image_size(x) : 1;
}
/* Image n of `count` -> out, with its border. The first bytes of the next one are asked for. */
RISEI_FN void risei_input_stack(const rise_kernels *k, const risei_input *input, int n, int count,
                                const risei_image *x, rise_real *out)
{
    const uint8_t *const *const next = input->frames + (ptrdiff_t)(n + 1) * input->stack;
    int const channels = x->channels / input->stack, bytes = x->height * x->width * channels;
    /* one row of all, without a border */
    int const height = x->pad > 0 ? x->height : 1, width = x->width * x->height / height;
    const uint8_t *rows[RISEI_MOST_STACK];
    rise_real *done = out; /* up to here; what lies between rows is border */
    int s, y, i;
    for (s = 0; s < input->stack && n + 1 < count && next[0] != NULL; s++)
        for (i = 0; i < bytes && i < RISEI_AHEAD; i += 64) RISEI_PREFETCH(next[s] + i);
    for (s = 0; s < input->stack; s++) rows[s] = input->frames[n * input->stack + s];
    for (y = 0; y < height && rows[0] != NULL; y++) {
        rise_real *const row = out + risei_image_at(x, y, 0);
        risei_zero(done, row - done);
        k->stack(width, channels, input->stack, rows, row);
        done = row + width * x->channels;
        for (s = 0; s < input->stack; s++) rows[s] += width * channels;
    }
    risei_zero(done, out + risei_image_size(x) - done);
}
/* The first layer runs over frames a few images at a time: forward if there is a y, else dW. Its parts are of the images; where
   they are too few, and of dW, they are of what each product writes. */
typedef struct risei_first_job {
    const rise_kernels *kernels;
    const risei_conv *conv;
    const risei_input *input;
    const risei_image *x, *y, *dy; /* x: its shape */
    const rise_real *w;
    rise_real *g;
    int count, relu;
} risei_first_job;

RISEI_FN void risei_first_part(void *job, int part, int parts, void *scratch)
{
    const risei_first_job *const j = (const risei_first_job *)job;
    risei_image x = *j->x, y = j->y != NULL ? *j->y : *j->dy;
    int const chunk = risei_chunk_images(&x), apart = j->y != NULL && j->count >= parts;
    int n = 0, end = j->count, i, now;
    x.data = (rise_real *)(void *)((unsigned char *)scratch + rise_product_scratch());
    if (apart) risei_share(j->count, 1, part, parts, &n, &end);
    for (y.data += n * risei_image_size(&y); n < end;
         n += now, y.data += now * risei_image_size(&y)) {
        rise_product p;
        now = end - n < chunk ? end - n : chunk;
        for (i = 0; i < now; i++)
            risei_input_stack(j->kernels, j->input, n + i, end, &x,
                              x.data + i * risei_image_size(&x));
        if (j->y != NULL)
            p = risei_conv_product(j->conv, j->w, now, &x, &y, j->relu);
        else
            p = risei_conv_gradient(j->conv, j->g, now, &x, &y), p.accumulate = n > 0;
        j->kernels->product(&p, apart ? 0 : part, apart ? 1 : parts, scratch);
    }
}
RISEI_FN void risei_first_run(const risei_device *d, risei_first_job *j)
{
    const risei_conv *c = j->conv;
    j->kernels = d->kernels;
    risei_run(d, risei_conv_work(c, j->count), risei_first_part, j);
}
RISEI_FN void risei_first_forward(const risei_device *d, const risei_conv *c, const rise_real *w,
                                  int count, const risei_input *input, const risei_image *x,
                                  const risei_image *y, int relu)
{
    risei_first_job job;
    memset(&job, 0, sizeof job);
    job.conv = c, job.w = w, job.count = count, job.input = input;
    job.x = x, job.y = y, job.relu = relu;
    risei_first_run(d, &job);
}
RISEI_FN void risei_first_backward(const risei_device *d, const risei_conv *c, rise_real *g,
                                   int count, const risei_input *input, const risei_image *x,
                                   const risei_image *dy)
{
    risei_first_job job;
    memset(&job, 0, sizeof job);
    job.conv = c, job.g = g, job.count = count, job.input = input;
    job.x = x, job.dy = dy;
    risei_first_run(d, &job);
}

/* The pool window of output (oy, ox), cut at the image's edge. A pool of -1 adapts: its windows cover the image, whatever its
   size, and may share pixels. */
typedef struct risei_window {
    int y0, y1, x0, x1;
} risei_window;
RISEI_FN risei_window risei_pool_window(const risei_conv *c, int oy, int ox)
{
    int const y = oy * c->pool_stride - c->pool_pad, x = ox * c->pool_stride - c->pool_pad;
    risei_window r;
    if (c->pool < 0) {
        r.y0 = oy * c->out_height / c->pooled_height,
        r.y1 = risei_ceil_div((oy + 1) * c->out_height, c->pooled_height);
        r.x0 = ox * c->out_width / c->pooled_width,
        r.x1 = risei_ceil_div((ox + 1) * c->out_width, c->pooled_width);
        return r;
    }
    r.y0 = y > 0 ? y : 0, r.y1 = y + c->pool < c->out_height ? y + c->pool : c->out_height;
    r.x0 = x > 0 ? x : 0, r.x1 = x + c->pool < c->out_width ? x + c->pool : c->out_width;
    return r;
}
typedef struct risei_pool_job {
    const rise_kernels *kernels;
    const risei_conv *conv;
    int count;
    const risei_image *x, *y, *dy, *dx; /* y forward, dy and dx backward */
} risei_pool_job;

/* out = the maximum of a window of x */
RISEI_FN void risei_pool_maximum(const risei_pool_job *j, const rise_real *x, const risei_window *r,
                                 rise_real *out)
{
    int const f = j->conv->filters;
    int iy, ix;
    memcpy(out, x + risei_image_at(j->x, r->y0, r->x0), (size_t)f * sizeof *out);
    for (iy = r->y0; iy < r->y1; iy++)
        for (ix = r->x0; ix < r->x1; ix++)
            j->kernels->maximum(f, x + risei_image_at(j->x, iy, ix), out);
}
RISEI_FN void risei_pool_forward_part(void *job, int part, int parts, void *scratch)
{
    const risei_pool_job *const j = (const risei_pool_job *)job;
    int n, oy, ox, end;
    (void)scratch;
    for (risei_share(j->count, 1, part, parts, &n, &end); n < end; n++)
        for (oy = 0; oy < j->conv->pooled_height; oy++)
            for (ox = 0; ox < j->conv->pooled_width; ox++) {
                risei_window const r = risei_pool_window(j->conv, oy, ox);
                risei_pool_maximum(j, j->x->data + n * risei_image_size(j->x), &r,
                                   j->y->data + n * risei_image_size(j->y) +
                                       risei_image_at(j->y, oy, ox));
            }
}
/* The gradient goes to the first pixel that has the maximum, which is found again, for y may have changed. */
RISEI_FN void risei_pool_backward_part(void *job, int part, int parts, void *scratch)
{
    const risei_pool_job *const j = (const risei_pool_job *)job;
    int const f = j->conv->filters;
    int n, oy, ox, iy, ix, end;
    rise_real *const most = (rise_real *)scratch, *const rest = most + f;
    for (risei_share(j->count, 1, part, parts, &n, &end); n < end; n++) {
        const rise_real *x = j->x->data + n * risei_image_size(j->x);
        const rise_real *dy = j->dy->data + n * risei_image_size(j->dy);
        rise_real *dx = j->dx->data + n * risei_image_size(j->dx);
        risei_zero(dx, risei_image_size(j->dx));
        for (oy = 0; oy < j->conv->pooled_height; oy++)
            for (ox = 0; ox < j->conv->pooled_width; ox++) {
                risei_window const r = risei_pool_window(j->conv, oy, ox);
                risei_pool_maximum(j, x, &r, most);
                memcpy(rest, dy + risei_image_at(j->dy, oy, ox), (size_t)f * sizeof *rest);
                for (iy = r.y0; iy < r.y1; iy++)
                    for (ix = r.x0; ix < r.x1; ix++)
                        j->kernels->claim(f, x + risei_image_at(j->x, iy, ix), most, rest,
                                          dx + risei_image_at(j->dx, iy, ix));
            }
    }
}
/* x -> y */
RISEI_FN void risei_pool_forward(const risei_device *d, const risei_conv *c, int count,
                                 const risei_image *x, const risei_image *y)
{
    risei_pool_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels, job.conv = c, job.count = count;
    job.x = x, job.y = y;
    risei_run(d, (double)count * (double)risei_image_size(x), risei_pool_forward_part, &job);
}
/* x, dy -> dx */
RISEI_FN void risei_pool_backward(const risei_device *d, const risei_conv *c, int count,
                                  const risei_image *x, const risei_image *dy,
                                  const risei_image *dx)
{
    risei_pool_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels, job.conv = c, job.count = count;
    job.x = x, job.dy = dy, job.dx = dx;
    risei_run(d, (double)count * (double)risei_image_size(x), risei_pool_backward_part, &job);
}

/* dx(y, x) = relu'(out) dy, pixel row by pixel row; dy and dx may be one image. */
typedef struct risei_relu_job {
    const rise_kernels *kernels;
    int count;
    const risei_image *out, *dy, *dx;
} risei_relu_job;

RISEI_FN void risei_relu_part(void *job, int part, int parts, void *scratch)
{
    const risei_relu_job *const j = (const risei_relu_job *)job;
    int n, y, to;
    (void)scratch;
    for (risei_share(j->count, 1, part, parts, &n, &to); n < to; n++)
        for (y = 0; y < j->out->height; y++)
            j->kernels->relu_backward(
                j->out->width * j->out->channels,
                j->out->data + n * risei_image_size(j->out) + risei_image_at(j->out, y, 0),
                j->dy->data + n * risei_image_size(j->dy) + risei_image_at(j->dy, y, 0),
                j->dx->data + n * risei_image_size(j->dx) + risei_image_at(j->dx, y, 0));
}
RISEI_FN void risei_relu_backward(const risei_device *d, int count, const risei_image *out,
                                  const risei_image *dy, const risei_image *dx)
{
    risei_relu_job job;
    job.kernels = d->kernels;
    job.count = count;
    job.out = out, job.dy = dy, job.dx = dx;
    risei_run(d, (double)count * (double)risei_image_size(out), risei_relu_part, &job);
}

/* to += from, image by image, whatever their borders */
RISEI_FN void risei_image_add(const risei_device *d, int count, const risei_image *from,
                              const risei_image *to)
{
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < from->height; y++)
            d->kernels->add(from->width * from->channels,
                            from->data + n * risei_image_size(from) + risei_image_at(from, y, 0),
                            to->data + n * risei_image_size(to) + risei_image_at(to, y, 0));
}

enum { RISEI_UNITS = 4 }; /* the most residual units after a conv layer */

/* A stack of conv layers and a dense layer: frames [count][h][w][channels] -> features [count][out]. */
typedef struct risei_encoder {
    int height, width, channels;
    int layers;
    risei_conv conv[RISE_MAX_CONV];
    int units[RISE_MAX_CONV];
    /* the first conv of these; the others are alike, and follow it in the parameter block */
    risei_conv unit[RISE_MAX_CONV];
    /* the pool after the last layer, if `pool` is not 0; it has no weights */
    risei_conv shrink;
    int flat;  /* numbers after that */
    int dense; /* is there a dense layer? */
    int relu;  /* and a ReLU after it? */
    risei_linear linear;
    int out;
} risei_encoder;

/* Its activations and their gradients. in[0] is what it sees, or just its shape; layer l makes in[l + 1]. */
typedef struct risei_encoder_data {
    risei_input input;
    /* y[l]: before the pool, or in[l + 1] itself */
    risei_image in[RISE_MAX_CONV + 1], y[RISE_MAX_CONV];
    /* what its two convs see: ReLU of the input, and between them */
    risei_image unit[RISE_MAX_CONV][RISEI_UNITS][2];
    /* gradients of in[l + 1], and before pool and ReLU */
    risei_image dout[RISE_MAX_CONV], dy[RISE_MAX_CONV];
    risei_image dunit[RISE_MAX_CONV][2]; /* of what the convs of a unit see */
    risei_image flat, dflat;             /* after the last pool */
    rise_real *features, *dfeatures;     /* [count][out] */
} risei_encoder_data;

RISEI_FN risei_encoder risei_encoder_make(risei_parameters *p, int height, int width, int channels,
                                          const rise_conv *conv, int layers, int pool_to,
                                          int features)
{
    rise_conv three;
    risei_encoder e;
    int l, i;
    memset(&e, 0, sizeof e);
    memset(&three, 0, sizeof three);
    e.height = height, e.width = width, e.channels = channels;
    e.layers = layers;
    three.size = 3, three.pad = 1;
    for (l = 0; l < layers; l++) {
        e.conv[l] = risei_conv_make(p, &conv[l], height, width, channels);
        height = e.conv[l].pooled_height, width = e.conv[l].pooled_width,
        channels = three.filters = e.conv[l].filters;
        e.units[l] = conv[l].residual;
        for (i = 0; i < 2 * e.units[l]; i++) {
            risei_conv const made = risei_conv_make(p, &three, height, width, channels);
            if (i == 0) e.unit[l] = made;
        }
    }
    if (pool_to > 0) {
        e.shrink.pool = -1, e.shrink.filters = channels;
        e.shrink.out_height = height, e.shrink.out_width = width;
        e.shrink.pooled_height = e.shrink.pooled_width = height = width = pool_to;
    }
    e.flat = height * width * channels;
    e.out = e.flat;
    e.relu = 1;
    if (features > 0) {
        e.dense = 1;
        e.linear = risei_linear_make(p, e.flat, features, 1);
        e.out = features;
    }
    return e;
}
/* Conv i of layer l's residual units, two a unit. */
RISEI_FN risei_conv risei_unit_conv(const risei_encoder *e, int l, int i)
{
    risei_conv c = e->unit[l];
    size_t const step = (size_t)i * (c.bias + (size_t)c.filters - c.weights);
    c.weights += step, c.bias += step;
    return c;
}
RISEI_FN void risei_conv_initialise(const risei_conv *c, rise_real *w, risei_random *random)
{
    int const fan_in = c->size * c->size * c->channels;
    risei_initialise(w + c->weights, (size_t)fan_in * (size_t)c->filters, fan_in, random);
    risei_initialise(w + c->bias, (size_t)c->filters, fan_in, random);
}
RISEI_FN void risei_encoder_initialise(const risei_encoder *e, rise_real *w, risei_random *random)
{
    int l, i;
    for (l = 0; l < e->layers; l++) {
        risei_conv_initialise(&e->conv[l], w, random);
        for (i = 0; i < 2 * e->units[l]; i++) {
            risei_conv const c = risei_unit_conv(e, l, i);
            risei_conv_initialise(&c, w, random);
        }
    }
    if (e->dense) risei_linear_initialise(&e->linear, w, random);
}

RISEI_FN void risei_image_take(risei_arena *arena, risei_image *image, int count)
{
    if (count == 0) return;
    image->data =
        RISEI_TAKE(arena, rise_real, risei_times((size_t)count, (size_t)risei_image_size(image)));
}
/* Layer l: `count` images forward, `learn` of them backward */
RISEI_FN void risei_encoder_layout_layer(risei_arena *arena, const risei_encoder *e,
                                         risei_encoder_data *a, int l, int count, int learn)
{
    const risei_conv *c = &e->conv[l];
    int const height = c->pooled_height, width = c->pooled_width, last = l == e->layers - 1;
    int const units = e->units[l];
    /* of dy: the first layer's data gradient is not wanted */
    int const border = l > 0 ? c->border : 0;
    int i;
    a->in[l + 1] = risei_image_make(height, width, c->filters, last ? 0 : e->conv[l + 1].pad);
    risei_image_take(arena, &a->in[l + 1], count);
    a->y[l] = a->in[l + 1];
    if (c->pool != 0) {
        a->y[l] = risei_image_make(c->out_height, c->out_width, c->filters, 0);
        risei_image_take(arena, &a->y[l], count);
    }
    a->dy[l] = risei_image_make(c->out_height, c->out_width, c->filters,
                                units > 0 && border < 1 ? 1 : border);
    risei_image_take(arena, &a->dy[l], learn);
    a->dout[l] = a->dy[l];
    /* what the next layer hands back has no border; units need one */
    if (c->pool != 0 || (last && units == 0)) {
        a->dout[l] = risei_image_make(height, width, c->filters, units > 0);
        risei_image_take(arena, &a->dout[l], learn);
    }
    for (i = 0; i < 2 * units; i++) {
        a->unit[l][i / 2][i % 2] = risei_image_make(height, width, c->filters, 1);
        risei_image_take(arena, &a->unit[l][i / 2][i % 2], count);
    }
    for (i = 0; i < 2 && units > 0; i++) {
        a->dunit[l][i] = risei_image_make(height, width, c->filters, i);
        risei_image_take(arena, &a->dunit[l][i], learn);
    }
}
RISEI_FN void risei_encoder_layout(risei_arena *arena, const risei_encoder *e,
                                   risei_encoder_data *a, int count, int learn)
{
    int const last = e->layers - 1;
    int l;
    a->in[0] = risei_image_make(e->height, e->width, e->channels, e->conv[0].pad);
    for (l = 0; l < e->layers; l++) risei_encoder_layout_layer(arena, e, a, l, count, learn);
    a->flat = a->in[e->layers], a->dflat = a->dout[last];
    if (e->shrink.pool != 0) {
        a->flat =
            risei_image_make(e->shrink.pooled_height, e->shrink.pooled_width, e->shrink.filters, 0);
        risei_image_take(arena, &a->flat, count);
    }
    if (e->shrink.pool != 0 || e->units[last] > 0) {
        a->dflat = risei_image_make(a->flat.height, a->flat.width, a->flat.channels, 0);
        risei_image_take(arena, &a->dflat, learn);
    }
    a->features = e->dense
                      ? RISEI_TAKE(arena, rise_real, risei_times((size_t)count, (size_t)e->out))
                      : a->flat.data;
    a->dfeatures = NULL;
    if (learn > 0)
        a->dfeatures =
            e->dense ? RISEI_TAKE(arena, rise_real, risei_times((size_t)learn, (size_t)e->out))
                     : a->dflat.data;
}

/* x += conv(relu(conv(relu(x)))), unit after unit */
RISEI_FN void risei_units_forward(const risei_device *d, const risei_encoder *e, const rise_real *w,
                                  int l, int count, risei_encoder_data *a)
{
    const risei_image *x = &a->in[l + 1];
    int i;
    for (i = 0; i < e->units[l]; i++) {
        const risei_image *seen = a->unit[l][i];
        risei_conv const first = risei_unit_conv(e, l, 2 * i);
        risei_conv const second = risei_unit_conv(e, l, 2 * i + 1);
        risei_relu_backward(d, count, x, x, &seen[0]); /* x where x > 0, which is relu(x) */
        risei_conv_forward(d, &first, w, count, &seen[0], &seen[1], 1, 0);
        risei_conv_forward(d, &second, w, count, &seen[1], x, 0, 1);
    }
}
/* dout, of what the units made -> dout, of what they saw */
RISEI_FN void risei_units_backward(const risei_device *d, const risei_encoder *e,
                                   const rise_real *w, rise_real *g, int l, int count,
                                   risei_encoder_data *a)
{
    const risei_image *dout = &a->dout[l], *dfirst = &a->dunit[l][0], *dsecond = &a->dunit[l][1];
    int i;
    for (i = e->units[l] - 1; i >= 0; i--) {
        const risei_image *seen = a->unit[l][i];
        risei_conv const first = risei_unit_conv(e, l, 2 * i);
        risei_conv const second = risei_unit_conv(e, l, 2 * i + 1);
        risei_conv_backward(d, &second, w, g, count, &seen[1], dout, dsecond);
        risei_relu_backward(d, count, &seen[1], dsecond, dsecond);
        risei_conv_backward(d, &first, w, g, count, &seen[0], dsecond, dfirst);
        risei_relu_backward(d, count, &seen[0], dfirst, dfirst);
        risei_image_add(d, count, dfirst, dout);
    }
}
/* What a thread's scratch must hold for it to see up to `images` at once: what products need, and frames as numbers. */
RISEI_FN size_t risei_encoder_scratch(const risei_encoder *e, int images)
{
    risei_image const x = risei_image_make(e->height, e->width, e->channels, e->conv[0].pad);
    int const chunk = risei_chunk_images(&x);
    size_t const numbers = (size_t)(images < chunk ? images : chunk) * (size_t)risei_image_size(&x);
    return rise_product_scratch() + risei_aligned(numbers * sizeof(rise_real));
}
RISEI_FN void risei_encoder_forward(const risei_device *d, const risei_encoder *e,
                                    const rise_real *w, int count, const risei_input *input,
                                    risei_encoder_data *a)
{
    const risei_image *last = &a->in[e->layers];
    int l;
    a->input = *input;
    a->in[0].data = input->images;
    for (l = 0; l < e->layers; l++) {
        int const relu = e->units[l] == 0;
        if (l == 0 && input->images == NULL)
            risei_first_forward(d, &e->conv[0], w, count, input, &a->in[0], &a->y[0], relu);
        else
            risei_conv_forward(d, &e->conv[l], w, count, &a->in[l], &a->y[l], relu, 0);
        if (e->conv[l].pool != 0)
            risei_pool_forward(d, &e->conv[l], count, &a->y[l], &a->in[l + 1]);
        risei_units_forward(d, e, w, l, count, a);
    }
    if (e->units[e->layers - 1] > 0) risei_relu_backward(d, count, last, last, last);
    if (e->shrink.pool != 0) risei_pool_forward(d, &e->shrink, count, last, &a->flat);
    if (e->dense)
        risei_linear_forward(d, &e->linear, w, count, a->flat.data, e->flat, a->features, e->out,
                             e->relu);
}
/* From a->dfeatures, for the first `count` images. */
RISEI_FN void risei_encoder_backward(const risei_device *d, const risei_encoder *e,
                                     const rise_real *w, rise_real *g, int count,
                                     risei_encoder_data *a)
{
    const risei_image *last = &a->in[e->layers], *dlast = &a->dout[e->layers - 1];
    const risei_image *from = &a->dflat;
    int l;
    if (e->dense) {
        if (e->relu)
            d->kernels->relu_backward(count * e->out, a->features, a->dfeatures, a->dfeatures);
        risei_linear_backward(d, &e->linear, w, g, count, a->flat.data, e->flat, a->dfeatures,
                              e->out, a->dflat.data, e->flat);
    }
    if (e->shrink.pool != 0) {
        risei_pool_backward(d, &e->shrink, count, last, from, dlast);
        from = dlast;
    }
    if (e->units[e->layers - 1] > 0) risei_relu_backward(d, count, last, from, dlast);
    for (l = e->layers - 1; l >= 0; l--) {
        const risei_conv *c = &e->conv[l];
        const risei_image *dout = &a->dout[l];
        risei_units_backward(d, e, w, g, l, count, a);
        if (c->pool != 0) {
            risei_pool_backward(d, c, count, &a->y[l], dout, &a->dy[l]);
            dout = &a->dy[l];
        }
        if (e->units[l] == 0) risei_relu_backward(d, count, &a->y[l], dout, &a->dy[l]);
        if (l == 0 && a->input.images == NULL)
            risei_first_backward(d, c, g, count, &a->input, &a->in[0], &a->dy[0]);
        else
            risei_conv_backward(d, c, w, g, count, &a->in[l], &a->dy[l],
                                l > 0 ? &a->dout[l - 1] : NULL);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* >>recurrent: LSTM and GRU over a sequence whose rows may start late */

typedef struct risei_cell {
    rise_cell kind;
    int in, units, gates; /* 4: i f g o, 3: r z n, 2: z n */
    /* in -> gates * units, units -> gates * units; an LSTM has no bias in h, a MINGRU no h */
    risei_linear x, h;
} risei_cell;

/* A sequence of `steps` steps of up to `rows` rows. Step t has the entries begin[t] .. begin[t + 1], entry begin[t] + r being
   row r's; rows after the last one that has started have none, so sorting rows by their start skips what is padding. */
typedef struct risei_sequence {
    int steps, rows;
    int burn; /* backward: so many first steps are left out */
    /* backward: after so many last steps the states' gradients come in, 1 or more */
    int ends;
    /* [rows]: the step at which a row starts, from a zero state; NULL: all at step 0 */
    const int *first;
    int *begin;   /* [steps + 1], made by risei_sequence_plan */
    rise_real *x; /* [entries][in] */
    /* [entries + rows][units]: the state before each entry, and after the last step at begin[steps]; that before step 0 is the caller's */
    rise_real *h, *c;
    rise_real *gates;       /* [entries][gates * units], after their activations */
    rise_real *u;           /* GRU: [entries][gates * units], from the state */
    rise_real *dgates, *du; /* their gradients */
    /* [ends][rows][units]: the gradients of the last states come in here; and [rows][units] */
    rise_real *dh, *dc;
    rise_real *dx; /* [entries][in], or NULL where the input does not learn */
    /* rise_matrix_panels [gates * units][units]: the recurrent weights, transposed */
    rise_real *turned;
} risei_sequence;

RISEI_FN risei_cell risei_cell_make(risei_parameters *p, rise_cell kind, int in, int units)
{
    risei_cell c;
    memset(&c, 0, sizeof c);
    c.kind = kind;
    c.in = in, c.units = units;
    c.gates = kind == RISE_CELL_LSTM ? 4 : kind == RISE_CELL_GRU ? 3 : 2;
    c.x = risei_linear_make(p, in, c.gates * units, 1);
    if (kind == RISE_CELL_MINGRU) return c;
    /* an LSTM's second bias would be idle */
    c.h = risei_linear_make(p, units, c.gates * units, kind == RISE_CELL_GRU);
    return c;
}
/* Uniform in +-1/sqrt(units), but for the gate that keeps: its bias is the logarithm of a time drawn from 1 .. window, so that
   units forget at all the rates that the window spans, and an LSTM's input gate gets the opposite (chrono initialisation,
   Tallec & Ollivier 2018). Otherwise a cue, and the gradient that looks for it, would fade within a few steps. */
RISEI_FN void risei_cell_initialise(const risei_cell *c, rise_real *w, int window,
                                    risei_random *random)
{
    int const out = c->gates * c->units, lstm = c->kind == RISE_CELL_LSTM;
    /* i f g o, r z n, z n */
    rise_real *bias = w + c->x.bias, *keep = bias + (c->kind == RISE_CELL_MINGRU ? 0 : c->units);
    int i;
    risei_linear_initialise_weights(&c->x, w, c->units, random);
    risei_initialise(bias, (size_t)out, c->units, random);
    if (c->h.out > 0) risei_linear_initialise_weights(&c->h, w, c->units, random);
    if (c->h.biased) risei_initialise(w + c->h.bias, (size_t)out, c->units, random);
    for (i = 0; i < c->units; i++) {
        keep[i] = 1 + (rise_real)(window - 1) * risei_uniform(random);
        rise_kernels_of(RISE_ISA_REF)->log(1, &keep[i], &keep[i]);
        if (lstm) bias[i] = -keep[i];
    }
}
/* `entries`, `states` and `steps`: the most of them that any shape has. `learn` rows of `learn_steps` steps go backward. */
RISEI_FN void risei_sequence_layout(risei_arena *arena, const risei_cell *c, risei_sequence *s,
                                    int steps, int entries, int states, int learn, int learn_steps,
                                    int learn_x)
{
    int const lstm = c->kind == RISE_CELL_LSTM, gru = c->kind == RISE_CELL_GRU;
    size_t const units = (size_t)c->units, gates = (size_t)c->gates * units;
    size_t const all = (size_t)entries, back = risei_times((size_t)learn, (size_t)learn_steps);
    s->begin = RISEI_TAKE(arena, int, steps + 1);
    s->x = RISEI_TAKE(arena, rise_real, risei_times(all, (size_t)c->in));
    s->h = RISEI_TAKE(arena, rise_real, risei_times((size_t)states, units));
    s->c = lstm ? RISEI_TAKE(arena, rise_real, risei_times((size_t)states, units)) : NULL;
    s->gates = RISEI_TAKE(arena, rise_real, risei_times(all, gates));
    s->u = gru ? RISEI_TAKE(arena, rise_real, risei_times(all, gates)) : NULL;
    s->dgates = s->du = s->dh = s->dc = s->dx = s->turned = NULL;
    if (learn == 0) return;
    s->dgates = RISEI_TAKE(arena, rise_real, risei_times(back, gates));
    s->du = gru ? RISEI_TAKE(arena, rise_real, risei_times(back, gates)) : s->dgates;
    s->dh = RISEI_TAKE(arena, rise_real, (size_t)(learn * s->ends) * units);
    s->dc = lstm ? RISEI_TAKE(arena, rise_real, (size_t)learn * units) : NULL;
    s->dx = learn_x ? RISEI_TAKE(arena, rise_real, risei_times(back, (size_t)c->in)) : NULL;
    s->turned = c->h.out > 0 ? RISEI_TAKE(arena, rise_real, gates * units) : NULL;
}
/* Finds `begin` for steps, rows and first as they are. */
RISEI_FN void risei_sequence_plan(risei_sequence *s)
{
    int t, row, active = 0;
    s->begin[0] = 0;
    for (t = 0; t < s->steps; t++) {
        for (row = s->rows; row > active; row--)
            if (s->first == NULL || s->first[row - 1] <= t) break;
        active = row;
        s->begin[t + 1] = s->begin[t] + active;
    }
}
RISEI_FN int risei_sequence_active(const risei_sequence *s, int t)
{
    return t < s->steps ? s->begin[t + 1] - s->begin[t] : s->rows;
}
RISEI_FN int risei_sequence_started(const risei_sequence *s, int t, int row)
{
    return s->first == NULL || t >= s->first[row];
}

/* One step of a cell, row by row. */
typedef struct risei_cell_job {
    const rise_kernels *kernels;
    const risei_cell *cell;
    const risei_sequence *sequence;
    int t;
    rise_real *dh; /* backward: the gradient of the states after step t */
} risei_cell_job;

/* From the gates of step t, before their activations, to the state after it. */
RISEI_FN void risei_cell_forward_part(void *job, int part, int parts, void *scratch)
{
    const risei_cell_job *const j = (const risei_cell_job *)job;
    const risei_sequence *s = j->sequence;
    ptrdiff_t const n = j->cell->units, out = j->cell->gates * n, at = s->begin[j->t];
    ptrdiff_t const next = s->begin[j->t + 1];
    int const lstm = j->cell->kind == RISE_CELL_LSTM;
    int row, end;
    (void)scratch;
    for (risei_share(risei_sequence_active(s, j->t), 1, part, parts, &row, &end); row < end;
         row++) {
        ptrdiff_t const from = (at + row) * n, to = (next + row) * n, gates = (at + row) * out;
        if (!risei_sequence_started(s, j->t, row)) {
            risei_zero(s->h + to, n);
            if (lstm) risei_zero(s->c + to, n);
        } else if (lstm)
            j->kernels->lstm_forward((int)n, s->gates + gates, s->c + from, s->c + to, s->h + to);
        else if (j->cell->kind == RISE_CELL_GRU)
            j->kernels->gru_forward((int)n, s->gates + gates, s->u + gates, s->h + from, s->h + to);
        else
            j->kernels->mingru_forward((int)n, s->gates + gates, s->h + from, s->h + to);
    }
}
RISEI_FN void risei_cell_forward(const risei_device *d, const risei_cell *c, const rise_real *w,
                                 const risei_sequence *s)
{
    ptrdiff_t const n = c->units, out = c->gates * n;
    int const lstm = c->kind == RISE_CELL_LSTM;
    rise_product p;
    risei_cell_job job;
    job.kernels = d->kernels;
    job.cell = c, job.sequence = s;
    /* all steps at once */
    risei_linear_forward(d, &c->x, w, s->begin[s->steps], s->x, c->in, s->gates, out, 0);
    memset(&p, 0, sizeof p);
    p.n = c->gates * c->units, p.k = c->units;
    /* a MINGRU has none, and no product */
    p.b = rise_matrix_panels(w + c->h.weights, c->units, (int)out);
    p.accumulate = lstm;
    p.bias = lstm ? NULL : w + c->h.bias;
    for (job.t = 0; job.t < s->steps; job.t++) {
        ptrdiff_t const at = s->begin[job.t], next = s->begin[job.t + 1];
        int const active = risei_sequence_active(s, job.t);
        int const fresh = risei_sequence_active(s, job.t + 1) - active;
        p.m = active;
        p.a = rise_matrix_plain(s->h + at * n, n);
        p.c = rise_matrix_plain((lstm ? s->gates : s->u) + at * out, out);
        if (c->h.out > 0) risei_product(d, &p);
        risei_run(d, 40.0 * active * (double)n, risei_cell_forward_part, &job);
        risei_zero(s->h + (next + active) * n, fresh * n); /* rows that start with the next step */
        if (lstm) risei_zero(s->c + (next + active) * n, fresh * n);
    }
}

/* turned [out][in] = weights [in][out], both as rise_matrix_panels: square after square, each of which lies together in both */
RISEI_FN void risei_turn(const rise_real *weights, int in, int out, rise_real *turned)
{
    rise_matrix const from = rise_matrix_panels(weights, in, out);
    rise_matrix const to = rise_matrix_panels(turned, out, in);
    int const step = in % 4 == 0 && out % 4 == 0 ? 4 : 1;
    int i0, j0, i, j;
    for (j0 = 0; j0 < out; j0 += RISE_PANEL)
        for (i0 = 0; i0 < in; i0 += RISE_PANEL)
            for (j = j0; j < out && j < j0 + RISE_PANEL; j += step)
                for (i = i0; i < in && i < i0 + RISE_PANEL; i += step) {
                    const rise_real *x = weights + i * from.rows.step[0] + risei_column(&from, j);
                    rise_real *y = turned + j * to.rows.step[0] + risei_column(&to, i);
                    if (step == 4)
                        risei_turn4(x, from.rows.step[0], y, to.rows.step[0]);
                    else
                        *y = *x;
                }
}

/* From dh and dc after step t to the gradients of what entered its gates, and dc before it. */
RISEI_FN void risei_cell_backward_part(void *job, int part, int parts, void *scratch)
{
    const risei_cell_job *const j = (const risei_cell_job *)job;
    const risei_sequence *s = j->sequence;
    ptrdiff_t const n = j->cell->units, out = j->cell->gates * n, at = s->begin[j->t];
    ptrdiff_t const next = s->begin[j->t + 1];
    int const lstm = j->cell->kind == RISE_CELL_LSTM;
    int row, end;
    (void)scratch;
    for (risei_share(risei_sequence_active(s, j->t), 1, part, parts, &row, &end); row < end;
         row++) {
        ptrdiff_t const gates = (at + row) * out, from = (at + row) * n, to = (next + row) * n;
        rise_real *dh = j->dh + row * n, *dc = lstm ? s->dc + row * n : NULL;
        if (!risei_sequence_started(s, j->t, row)) {
            risei_zero(s->dgates + gates, out);
            risei_zero(s->du + gates, out);
            risei_zero(dh, n);
            risei_zero(dc, n);
        } else if (lstm)
            j->kernels->lstm_backward((int)n, s->gates + gates, s->c + from, s->c + to, dh, dc,
                                      s->dgates + gates);
        else if (j->cell->kind == RISE_CELL_GRU)
            j->kernels->gru_backward((int)n, s->gates + gates, s->u + gates, s->h + from, dh,
                                     s->dgates + gates, s->du + gates);
        else
            j->kernels->mingru_backward((int)n, s->gates + gates, s->h + from, dh,
                                        s->dgates + gates);
    }
}
/* Through the first `steps` steps of a sequence that may have been run further; all rows have started by then. Gradients come
   in after each of the last `ends` steps: dh's blocks, of which each is added to what comes from later ones. */
RISEI_FN void risei_cell_backward(const risei_device *d, const risei_cell *c, const rise_real *w,
                                  rise_real *g, const risei_sequence *s, int steps)
{
    ptrdiff_t const n = c->units, out = c->gates * n;
    int const recurrent = c->h.out > 0;
    ptrdiff_t const from = s->begin[s->burn], all = s->begin[steps] - from;
    int end = s->ends - 1;
    rise_product p;
    risei_cell_job job;
    memset(&p, 0, sizeof p);
    job.kernels = d->kernels;
    job.cell = c, job.sequence = s;
    p.n = c->units, p.k = c->gates * c->units;
    p.accumulate = c->kind == RISE_CELL_GRU;
    if (recurrent) {
        risei_turn(w + c->h.weights, c->units, (int)out, s->turned);
        p.b = rise_matrix_panels(s->turned, (int)out, c->units);
    }
    for (job.t = steps - 1; job.t >= s->burn; job.t--) {
        job.dh = s->dh + end * s->rows * n;
        p.m = risei_sequence_active(s, job.t);
        risei_run(d, 40.0 * p.m * (double)n, risei_cell_backward_part, &job);
        p.a = rise_matrix_plain(s->du + s->begin[job.t] * out, out);
        p.c = rise_matrix_plain(job.dh, n);
        if (recurrent) risei_product(d, &p); /* dh = (GRU: +=) du Wh^T */
        if (end == 0) continue;
        end--;
        d->kernels->add(s->rows * (int)n, job.dh, s->dh + end * s->rows * n);
    }
    risei_linear_backward(d, &c->x, w, g, (int)all, s->x + from * c->in, c->in,
                          s->dgates + from * out, out, s->dx != NULL ? s->dx + from * c->in : NULL,
                          c->in);
    if (recurrent) /* all steps at once */
        risei_linear_backward_weights(d, &c->h, g, (int)all, s->h + from * n, n, s->du + from * out,
                                      out);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>network: two streams, fusion, value heads */

typedef struct risei_net {
    rise_memory memory;
    rise_fusion fusion;
    rise_head head;
    int dueling, norm, noisy, actions;
    /* numbers for an action in an output, 1 but for C51; outputs for a state, 1 but for IQN */
    int atoms, taus;
    risei_encoder encoder;
    risei_cell cell;
    risei_linear fuse;     /* GATE, SUM: units -> features */
    rise_real scale;       /* of the context, as it enters the fusion */
    int fused;             /* numbers that enter the heads */
    size_t gain, shift;    /* LayerNorm on them */
    risei_linear quantile; /* IQN: cosines of a fraction -> fused */
    risei_linear hidden;   /* both heads' hidden layers, side by side */
    risei_linear value, advantage;
    double value_min, value_max; /* C51: returns of the first and last atom */
    ptrdiff_t sigma;             /* noisy: from a weight of these three to the size of its noise */
    int spectral;                /* are the weights of residual units normalised? */
    /* states, one after the other, that share a row of a sequence; its steps without gradient */
    int samples, burn;
    /* what enters the cell: embedding or features, then action and reward */
    int embedding, extras;
    /* that learn; and with what is kept beside them, a direction for each spectral norm */
    size_t parameters, block;
} risei_net;

enum { RISEI_COSINES = 64 };

/* Activations of one pass. `rows` are states whose Q is wanted; `images` what the conv net sees. */
typedef struct risei_pass {
    risei_encoder_data encoder;
    risei_sequence sequence;
    int *feature_row, *state_row; /* [rows]: which features and which of sequence.h a state takes */
    rise_real *context, *fused, *gate, *normed, *stats; /* [rows][...] */
    /* IQN: [rows][taus][...]: fractions, their embedding, and normed times that */
    rise_real *tau, *cosines, *phi, *mixed;
    rise_real *hidden, *value, *advantage; /* [rows][taus][...] */
    /* [rows][taus][actions][atoms], C51's as odds; its mean [rows][actions] */
    rise_real *z, *q;
    /* C51: dz is by the logits */
    rise_real *dfused, *dgate, *dphi, *dmixed, *dhidden, *dvalue, *dadvantage, *dz;
} risei_pass;

/* The convs whose weights are divided by their spectral norm: those of the residual units. */
RISEI_FN int risei_spectral_count(const risei_net *n)
{
    int l, count = 0;
    for (l = 0; l < n->encoder.layers && n->spectral; l++) count += 2 * n->encoder.units[l];
    return count;
}
RISEI_FN risei_conv risei_spectral_conv(const risei_net *n, int i)
{
    int l = 0;
    for (; i >= 2 * n->encoder.units[l]; l++) i -= 2 * n->encoder.units[l];
    return risei_unit_conv(&n->encoder, l, i);
}
RISEI_FN risei_net risei_net_make(const rise_agent_desc *desc)
{
    risei_net n;
    risei_parameters p;
    int units = 0, i;
    memset(&n, 0, sizeof n);
    memset(&p, 0, sizeof p);
    n.memory = desc->memory, n.fusion = desc->fusion, n.scale = (rise_real)desc->context_scale;
    n.dueling = !desc->no_dueling, n.norm = desc->layer_norm;
    n.head = desc->head, n.noisy = desc->noisy, n.actions = desc->actions;
    n.atoms = n.head == RISE_HEAD_C51 ? desc->atoms : 1;
    n.taus = n.head == RISE_HEAD_IQN ? desc->quantiles : 1;
    n.samples = n.memory != RISE_MEMORY_NONE ? desc->window_samples : 1;
    n.burn = desc->burn_in;
    n.value_min = desc->value_min, n.value_max = desc->value_max;
    n.encoder = risei_encoder_make(&p, desc->frame_height, desc->frame_width,
                                   desc->frame_channels * desc->frame_stack, desc->conv,
                                   desc->conv_count, desc->pool_to, desc->features);
    if (n.memory != RISE_MEMORY_NONE) {
        units = desc->recurrent_units;
        n.embedding = n.memory == RISE_MEMORY_FULL ? n.encoder.out : desc->embedding_size;
        n.extras = desc->feed_action ? n.actions + 1 : 0;
        n.cell = risei_cell_make(&p, desc->cell, n.embedding + n.extras, units);
        if (n.fusion != RISE_FUSION_CONCAT) n.fuse = risei_linear_make(&p, units, n.encoder.out, 1);
    }
    n.fused = n.encoder.out + (n.fusion == RISE_FUSION_CONCAT ? units : 0);
    if (n.norm) {
        n.gain = risei_parameter(&p, (size_t)n.fused);
        n.shift = risei_parameter(&p, (size_t)n.fused);
    }
    if (n.head == RISE_HEAD_IQN) n.quantile = risei_linear_make(&p, RISEI_COSINES, n.fused, 1);
    n.hidden = risei_linear_make(&p, n.fused, desc->head_units * (n.dueling ? 2 : 1), 1);
    n.advantage = risei_linear_make(&p, desc->head_units, n.actions * n.atoms, 1);
    if (n.dueling) n.value = risei_linear_make(&p, desc->head_units, n.atoms, 1);
    n.sigma = (ptrdiff_t)(p.count - n.hidden.weights);
    n.parameters = n.block = p.count + (n.noisy ? (size_t)n.sigma : 0);
    n.spectral = desc->spectral_norm;
    for (i = 0; i < risei_spectral_count(&n); i++)
        n.block += (size_t)risei_spectral_conv(&n, i).filters;
    return n;
}
/* Noisy layers (Fortunato et al. 2018): a weight is mu + sigma f(e_i) f(e_j) with one normal number e for each input and each
   output and f(x) = sign(x) sqrt(|x|). Weights are drawn before the network runs, and it knows nothing of the noise. */
RISEI_FN int risei_noisy_layers(const risei_net *n, const risei_linear **layer)
{
    layer[0] = &n->hidden, layer[1] = &n->advantage, layer[2] = &n->value;
    return n->dueling ? 3 : 2;
}
RISEI_FN size_t risei_noise_size(const risei_net *n) /* noise [in] and [out], layer by layer */
{
    const risei_linear *layer[3];
    int i, count = risei_noisy_layers(n, layer);
    size_t size = 0;
    for (i = 0; i < count; i++) size += (size_t)(layer[i]->in + layer[i]->out);
    return n->noisy ? size : 0;
}
RISEI_FN void risei_noise_initialise(const risei_net *n, rise_real *w)
{
    const risei_linear *layer[3];
    int i, count = risei_noisy_layers(n, layer);
    size_t j;
    for (i = 0; i < count; i++) {
        const risei_linear *l = layer[i];
        for (j = l->weights; j < l->bias + (size_t)l->out; j++)
            w[(ptrdiff_t)j + n->sigma] = (rise_real)0.5 / risei_sqrt((rise_real)l->in);
    }
}
RISEI_FN void risei_noise_draw(const risei_net *n, rise_real *noise, risei_random *random)
{
    size_t i, size = risei_noise_size(n);
    for (i = 0; i < size; i++) {
        rise_real const x = risei_normal(random), root = risei_sqrt(risei_abs(x));
        noise[i] = x < 0 ? -root : root;
    }
}
/* drawn += sigma noise */
RISEI_FN void risei_noise_apply(const risei_device *d, const risei_net *n, const rise_real *w,
                                const rise_real *noise, rise_real *drawn)
{
    const risei_linear *layer[3];
    int i, at, count = risei_noisy_layers(n, layer);
    for (i = 0; i < count; i++) {
        const risei_linear *l = layer[i];
        rise_matrix const m = rise_matrix_panels(w + l->weights, l->in, l->out);
        const rise_real *out = noise + l->in;
        for (at = 0; at < l->out; at += m.run) {
            ptrdiff_t const panel = (ptrdiff_t)l->weights + risei_column(&m, at);
            d->kernels->perturb(l->in, m.run, w + panel + n->sigma, noise, out + at, drawn + panel);
        }
        d->kernels->multiply(l->out, w + (ptrdiff_t)l->bias + n->sigma, out, 1, drawn + l->bias);
        noise = out + l->out;
    }
}
/* The gradient by sigma, from that by the weights that were drawn. */
RISEI_FN void risei_noise_backward(const risei_device *d, const risei_net *n,
                                   const rise_real *noise, rise_real *g)
{
    const risei_linear *layer[3];
    int i, at, count = risei_noisy_layers(n, layer);
    memset(g + (ptrdiff_t)n->hidden.weights + n->sigma, 0, (size_t)n->sigma * sizeof *g);
    for (i = 0; i < count; i++) {
        const risei_linear *l = layer[i];
        rise_matrix const m = rise_matrix_panels(g + l->weights, l->in, l->out);
        const rise_real *out = noise + l->in;
        for (at = 0; at < l->out; at += m.run) {
            ptrdiff_t const panel = (ptrdiff_t)l->weights + risei_column(&m, at);
            d->kernels->perturb(l->in, m.run, g + panel, noise, out + at, g + panel + n->sigma);
        }
        d->kernels->multiply(l->out, g + l->bias, out, 0, g + (ptrdiff_t)l->bias + n->sigma);
        noise = out + l->out;
    }
}

/* Spectral normalisation (Miyato et al. 2018) of a weight matrix W [k][f]: W / |W^T v| with v = Wu / |Wu|. The direction u is
   kept from update to update and becomes W^T v / |W^T v|, so that it turns to the first singular vector, and the divisor to
   the first singular value. What the backward pass needs of it: v [k], the new u [f] and the divisor, conv by conv. */
RISEI_FN int risei_spectral_rows(const risei_conv *c) { return c->size * c->size * c->channels; }
RISEI_FN size_t risei_spectral_size(const risei_net *n)
{
    size_t size = 0;
    int i;
    for (i = 0; i < risei_spectral_count(n); i++) {
        risei_conv const c = risei_spectral_conv(n, i);
        size += (size_t)(risei_spectral_rows(&c) + c.filters + 1);
    }
    return size;
}
/* y = W x [rows], or W^T x [columns] with `transposed`, made one long; returns how long it was */
RISEI_FN rise_real risei_spectral_step(const risei_device *d, const rise_real *w, int rows,
                                       int columns, int transposed, const rise_real *x,
                                       rise_real *y)
{
    rise_product p;
    rise_real length;
    int i;
    memset(&p, 0, sizeof p);
    p.m = transposed ? columns : rows, p.n = 1, p.k = transposed ? rows : columns;
    p.transposed = transposed;
    p.a = rise_matrix_plain(w, columns);
    p.b = rise_matrix_plain(x, 1);
    p.c = rise_matrix_plain(y, 1);
    risei_product(d, &p);
    length = risei_sqrt((rise_real)d->kernels->dot(p.m, y, y)) + (rise_real)1e-12;
    for (i = 0; i < p.m; i++) y[i] = y[i] / length;
    return length;
}
RISEI_FN void risei_spectral_apply(const risei_device *d, const risei_net *n, const rise_real *w,
                                   rise_real *s, rise_real *derived)
{
    const rise_real *u = w + n->parameters;
    int i, j;
    for (i = 0; i < risei_spectral_count(n); i++) {
        risei_conv const c = risei_spectral_conv(n, i);
        int const rows = risei_spectral_rows(&c), f = c.filters;
        risei_spectral_step(d, w + c.weights, rows, f, 0, u, s);
        s[rows + f] = risei_spectral_step(d, w + c.weights, rows, f, 1, s, s + rows);
        for (j = 0; j < rows * f; j++)
            derived[c.weights + (size_t)j] = w[c.weights + (size_t)j] / s[rows + f];
        s += rows + f + 1, u += f;
    }
}
/* g by W / sigma -> g by W: (g - <g, W / sigma> v u^T) / sigma; v and u count as constants, as is usual */
RISEI_FN void risei_spectral_backward(const risei_device *d, const risei_net *n, rise_real *s,
                                      const rise_real *derived, rise_real *g)
{
    int i, j;
    for (i = 0; i < risei_spectral_count(n); i++) {
        risei_conv const c = risei_spectral_conv(n, i);
        int const rows = risei_spectral_rows(&c), f = c.filters;
        rise_real *to = g + c.weights;
        rise_real const along =
            -(rise_real)d->kernels->dot((ptrdiff_t)rows * f, to, derived + c.weights);
        rise_product p;
        memset(&p, 0, sizeof p);
        for (j = 0; j < rows; j++) s[j] = s[j] * along;
        p.m = rows, p.n = f, p.k = 1, p.accumulate = 1;
        p.a = rise_matrix_plain(s, 1), p.b = rise_matrix_plain(s + rows, f),
        p.c = rise_matrix_plain(to, f);
        risei_product(d, &p);
        for (j = 0; j < rows * f; j++) to[j] = to[j] / s[rows + f];
        s += rows + f + 1;
    }
}
/* The directions of an update that was taken. */
RISEI_FN void risei_spectral_keep(const risei_net *n, const rise_real *s, rise_real *w)
{
    rise_real *u = w + n->parameters;
    int i;
    for (i = 0; i < risei_spectral_count(n); i++) {
        risei_conv const c = risei_spectral_conv(n, i);
        memcpy(u, s + risei_spectral_rows(&c), (size_t)c.filters * sizeof *u);
        s += risei_spectral_rows(&c) + c.filters + 1, u += c.filters;
    }
}

/* What learns need not be what the network runs on: noise may be added to weights, and weights be normalised. */
RISEI_FN int risei_net_derived(const risei_net *n) { return n->noisy || n->spectral; }
/* noise: as drawn, or NULL for none */
RISEI_FN void risei_net_derive(const risei_device *d, const risei_net *n, const rise_real *w,
                               const rise_real *noise, rise_real *spectral, rise_real *derived)
{
    memcpy(derived, w, (n->hidden.weights + (size_t)n->sigma) * sizeof *derived);
    if (noise != NULL) risei_noise_apply(d, n, w, noise, derived);
    risei_spectral_apply(d, n, w, spectral, derived);
}
/* g by what was derived -> g by what learns */
RISEI_FN void risei_net_derive_backward(const risei_device *d, const risei_net *n,
                                        const rise_real *noise, rise_real *spectral,
                                        const rise_real *derived, rise_real *g)
{
    if (n->noisy) risei_noise_backward(d, n, noise, g);
    risei_spectral_backward(d, n, spectral, derived, g);
}

RISEI_FN void risei_net_initialise(const risei_net *n, rise_real *w, int window,
                                   risei_random *random)
{
    size_t at;
    int i;
    risei_encoder_initialise(&n->encoder, w, random);
    if (n->memory != RISE_MEMORY_NONE) {
        risei_cell_initialise(&n->cell, w, window, random);
        if (n->fusion != RISE_FUSION_CONCAT) risei_linear_initialise(&n->fuse, w, random);
    }
    for (i = 0; i < n->fused && n->norm; i++)
        w[n->gain + (size_t)i] = 1, w[n->shift + (size_t)i] = 0;
    if (n->head == RISE_HEAD_IQN) risei_linear_initialise(&n->quantile, w, random);
    risei_linear_initialise(&n->hidden, w, random);
    risei_linear_initialise(&n->advantage, w, random);
    if (n->dueling) risei_linear_initialise(&n->value, w, random);
    if (n->noisy) risei_noise_initialise(n, w);
    for (at = n->parameters; at < n->block; at++) w[at] = risei_normal(random);
}
/* For `rows` states, `images` images and sequences as in risei_sequence_layout; the first `learn` rows go backward: row r is
   sample r / sequences of sequence r % sequences. */
RISEI_FN void risei_pass_layout(risei_arena *arena, const risei_net *n, risei_pass *a, int rows,
                                int images, int steps, int entries, int states, int learn,
                                int learn_steps)
{
    size_t const r = (size_t)rows, l = (size_t)learn, many = r * (size_t)n->taus;
    size_t const back = l * (size_t)n->taus;
    size_t const hidden = (size_t)n->hidden.out, atoms = (size_t)n->atoms;
    size_t const outputs = (size_t)n->actions * atoms;
    size_t const wide = n->head == RISE_HEAD_IQN ? (size_t)n->fused : 0;
    size_t const plain = n->head == RISE_HEAD_MEAN;
    int const full = n->memory == RISE_MEMORY_FULL, sequences = learn / n->samples;
    memset(a, 0, sizeof *a);
    risei_encoder_layout(arena, &n->encoder, &a->encoder, images,
                         full ? sequences * learn_steps : learn);
    a->sequence.ends = n->samples, a->sequence.burn = n->burn;
    if (n->memory != RISE_MEMORY_NONE)
        risei_sequence_layout(arena, &n->cell, &a->sequence, steps, entries, states, sequences,
                              learn_steps, full);
    a->feature_row = RISEI_TAKE(arena, int, rows);
    a->state_row = RISEI_TAKE(arena, int, rows);
    a->context = RISEI_TAKE(arena, rise_real, r * (size_t)n->fuse.in);
    a->fused = RISEI_TAKE(arena, rise_real, r * (size_t)n->fused);
    a->gate = RISEI_TAKE(arena, rise_real, r * (size_t)n->fuse.out);
    a->normed = n->norm ? RISEI_TAKE(arena, rise_real, r * (size_t)n->fused) : a->fused;
    a->stats = RISEI_TAKE(arena, rise_real, r * 2);
    a->tau = RISEI_TAKE(arena, rise_real, wide > 0 ? many : 0);
    a->cosines = RISEI_TAKE(arena, rise_real, wide > 0 ? many * RISEI_COSINES : 0);
    a->phi = RISEI_TAKE(arena, rise_real, risei_times(many, wide));
    a->mixed = wide > 0 ? RISEI_TAKE(arena, rise_real, risei_times(many, wide)) : a->normed;
    a->hidden = RISEI_TAKE(arena, rise_real, risei_times(many, hidden));
    a->value = RISEI_TAKE(arena, rise_real, many * atoms);
    a->advantage = RISEI_TAKE(arena, rise_real, risei_times(many, outputs));
    a->q = RISEI_TAKE(arena, rise_real, r * (size_t)n->actions);
    a->z = plain ? a->q : RISEI_TAKE(arena, rise_real, risei_times(many, outputs));
    a->dfused = RISEI_TAKE(arena, rise_real, l * (size_t)n->fused);
    a->dgate = RISEI_TAKE(arena, rise_real, l * (size_t)n->fuse.out);
    a->dphi = RISEI_TAKE(arena, rise_real, risei_times(back, wide));
    a->dmixed = wide > 0 ? RISEI_TAKE(arena, rise_real, risei_times(back, wide)) : a->dfused;
    a->dhidden = RISEI_TAKE(arena, rise_real, risei_times(back, hidden));
    a->dvalue = RISEI_TAKE(arena, rise_real, back * atoms);
    a->dadvantage = RISEI_TAKE(arena, rise_real, risei_times(back, outputs));
    a->dz = RISEI_TAKE(arena, rise_real, risei_times(back, outputs));
}

/* features and states -> fused */
RISEI_FN void risei_fusion_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                   int rows, risei_pass *a)
{
    int const f = n->encoder.out, h = n->memory != RISE_MEMORY_NONE ? n->cell.units : 0;
    int const concat = n->fusion == RISE_FUSION_CONCAT;
    int r, i;
    for (r = 0; r < rows; r++) {
        rise_real *fused = a->fused + (ptrdiff_t)r * n->fused;
        rise_real *context = concat ? fused + f : a->context + (ptrdiff_t)r * h;
        const rise_real *state = h > 0 ? a->sequence.h + (ptrdiff_t)a->state_row[r] * h : NULL;
        memcpy(fused, a->encoder.features + (ptrdiff_t)a->feature_row[r] * f,
               (size_t)f * sizeof *fused);
        for (i = 0; i < h; i++) context[i] = n->scale * state[i];
    }
    if (h == 0 || concat) return;
    risei_linear_forward(d, &n->fuse, w, rows, a->context, h, a->gate, f, 0);
    if (n->fusion == RISE_FUSION_GATE)
        d->kernels->gate_forward(rows * f, a->fused, a->gate, a->fused);
    else
        d->kernels->add(rows * f, a->gate, a->fused);
}
/* GATE, SUM: dfused -> dfused, now by the features, and sequence.dh, by the context */
RISEI_FN void risei_fuse_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                  rise_real *g, int rows, risei_pass *a)
{
    int const f = n->encoder.out, h = n->cell.units;
    int r;
    memcpy(a->dgate, a->dfused, (size_t)rows * (size_t)f * sizeof *a->dfused);
    if (n->fusion == RISE_FUSION_GATE) {
        for (r = 0; r < rows; r++) {
            ptrdiff_t const at = (ptrdiff_t)r * f;
            d->kernels->gate_backward(f, a->encoder.features + (ptrdiff_t)a->feature_row[r] * f,
                                      a->gate + at, a->dgate + at, a->dfused + at);
        }
    }
    risei_linear_backward(d, &n->fuse, w, g, rows, a->context, h, a->dgate, f, a->sequence.dh, h);
}
/* dfused -> dfused, whose first columns are now the gradient of the features, and sequence.dh, that of the states */
RISEI_FN void risei_fusion_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                    rise_real *g, int rows, risei_pass *a)
{
    int const f = n->encoder.out, h = n->cell.units, concat = n->fusion == RISE_FUSION_CONCAT;
    const rise_real *dcontext = concat ? a->dfused + f : a->sequence.dh;
    ptrdiff_t const stride = concat ? n->fused : h;
    int r, i;
    if (n->memory == RISE_MEMORY_NONE) return;
    if (!concat) risei_fuse_backward(d, n, w, g, rows, a);
    for (r = 0; r < rows; r++, dcontext += stride)
        for (i = 0; i < h; i++) a->sequence.dh[(ptrdiff_t)r * h + i] = n->scale * dcontext[i];
}

/* cos(pi i x), i < RISEI_COSINES, x in [0, 1]: Taylor's series of sin(pi (1/2 - x)) for i = 1, then Chebyshev's recurrence */
RISEI_FN void risei_cosines(rise_real x, rise_real *out)
{
    double const y = 3.14159265358979324 * (0.5 - (double)x), y2 = y * y;
    double term = y, first = y, before = 1, now;
    int i;
    for (i = 3; i < 20; i += 2) {
        term *= -y2 / (i * (i - 1));
        first += term;
    }
    out[0] = 1;
    for (i = 1, now = first; i < RISEI_COSINES; i++) {
        double const next = 2 * first * now - before;
        out[i] = (rise_real)now;
        before = now, now = next;
    }
}
/* mixed = normed relu(cosines W + b), for each fraction of a state */
RISEI_FN void risei_quantile_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                     int rows, risei_pass *a)
{
    ptrdiff_t const f = n->fused;
    int const many = rows * n->taus;
    int i;
    for (i = 0; i < many; i++) risei_cosines(a->tau[i], a->cosines + (ptrdiff_t)i * RISEI_COSINES);
    risei_linear_forward(d, &n->quantile, w, many, a->cosines, RISEI_COSINES, a->phi, f, 1);
    for (i = 0; i < many; i++)
        d->kernels->multiply(n->fused, a->normed + i / n->taus * f, a->phi + i * f, 0,
                             a->mixed + i * f);
}
/* dmixed -> dfused, at what enters */
RISEI_FN void risei_quantile_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                      rise_real *g, int rows, risei_pass *a)
{
    ptrdiff_t const f = n->fused;
    int const many = rows * n->taus;
    int i;
    for (i = 0; i < many; i++) {
        const rise_real *dmixed = a->dmixed + i * f;
        d->kernels->multiply(n->fused, dmixed, a->phi + i * f, i % n->taus > 0,
                             a->dfused + i / n->taus * f);
        d->kernels->multiply(n->fused, dmixed, a->normed + i / n->taus * f, 0, a->dphi + i * f);
        d->kernels->relu_backward(n->fused, a->phi + i * f, a->dphi + i * f, a->dphi + i * f);
    }
    risei_linear_backward(d, &n->quantile, w, g, many, a->cosines, RISEI_COSINES, a->dphi, f, NULL,
                          0);
}

/* Dueling (Wang et al. 2016): z = value + advantage - mean advantage, for each atom. */
RISEI_FN void risei_duel_forward(const risei_net *n, int rows, const risei_pass *a)
{
    int const outputs = n->actions * n->atoms;
    int r, j, t;
    for (r = 0; r < rows; r++)
        for (t = 0; t < n->atoms; t++) {
            const rise_real *advantage = a->advantage + (ptrdiff_t)r * outputs + t;
            rise_real *z = a->z + (ptrdiff_t)r * outputs + t, base = 0;
            for (j = 0; j < outputs && n->dueling; j += n->atoms) base = base + advantage[j];
            if (n->dueling)
                base = a->value[(ptrdiff_t)r * n->atoms + t] - base / (rise_real)n->actions;
            for (j = 0; j < outputs; j += n->atoms) z[j] = base + advantage[j];
        }
}
RISEI_FN void risei_duel_backward(const risei_net *n, int rows, const risei_pass *a)
{
    int const outputs = n->actions * n->atoms;
    int r, j, t;
    for (r = 0; r < rows; r++)
        for (t = 0; t < n->atoms; t++) {
            const rise_real *dz = a->dz + (ptrdiff_t)r * outputs + t;
            rise_real *to = a->dadvantage + (ptrdiff_t)r * outputs + t, sum = 0;
            for (j = 0; j < outputs && n->dueling; j += n->atoms) sum = sum + dz[j];
            a->dvalue[(ptrdiff_t)r * n->atoms + t] = sum;
            for (j = 0; j < outputs; j += n->atoms) to[j] = dz[j] - sum / (rise_real)n->actions;
        }
}
/* The return that atom t of C51 stands for. */
RISEI_FN rise_real risei_atom(const risei_net *n, int t)
{
    return (rise_real)(n->value_min + (n->value_max - n->value_min) * t / (n->atoms - 1));
}
/* C51: logits -> odds. They add up to 1, and are none the worse for large logits. */
RISEI_FN void risei_softmax(const rise_kernels *k, int n, rise_real *x)
{
    rise_real most = x[0], sum = 0;
    int i;
    for (i = 1; i < n; i++) most = x[i] > most ? x[i] : most;
    for (i = 0; i < n; i++) x[i] = x[i] - most;
    k->exp(n, x, x);
    for (i = 0; i < n; i++) sum = sum + x[i];
    for (i = 0; i < n; i++) x[i] = x[i] / sum;
}
/* z -> q: C51's odds times their returns, the mean of IQN's quantiles */
RISEI_FN void risei_expect(const risei_device *d, const risei_net *n, int rows, const risei_pass *a)
{
    int const each = n->taus * n->atoms;
    int r, j, t;
    for (r = 0; r < rows && n->head != RISE_HEAD_MEAN; r++)
        for (j = 0; j < n->actions; j++) {
            rise_real *z = a->z + (ptrdiff_t)r * each * n->actions + j * n->atoms, sum = 0;
            if (n->atoms > 1) risei_softmax(d->kernels, n->atoms, z);
            for (t = 0; t < each; t++)
                sum = sum + (n->atoms > 1 ? z[t] * risei_atom(n, t) : z[t * n->actions]);
            a->q[(ptrdiff_t)r * n->actions + j] = n->atoms > 1 ? sum : sum / (rise_real)n->taus;
        }
}

/* fused -> z and q */
RISEI_FN void risei_head_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                 int rows, risei_pass *a)
{
    int const units = n->advantage.in, many = rows * n->taus;
    int r;
    for (r = 0; r < rows && n->norm; r++)
        d->kernels->norm_forward(n->fused, a->fused + (ptrdiff_t)r * n->fused, w + n->gain,
                                 w + n->shift, a->normed + (ptrdiff_t)r * n->fused,
                                 a->stats + 2 * r);
    if (n->head == RISE_HEAD_IQN) risei_quantile_forward(d, n, w, rows, a);
    risei_linear_forward(d, &n->hidden, w, many, a->mixed, n->fused, a->hidden, n->hidden.out, 1);
    risei_linear_forward(d, &n->advantage, w, many, a->hidden, n->hidden.out, a->advantage,
                         n->advantage.out, 0);
    if (n->dueling)
        risei_linear_forward(d, &n->value, w, many, a->hidden + units, n->hidden.out, a->value,
                             n->atoms, 0);
    risei_duel_forward(n, many, a);
    risei_expect(d, n, rows, a);
}
/* dz -> dfused */
RISEI_FN void risei_head_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                  rise_real *g, int rows, risei_pass *a)
{
    int const units = n->advantage.in, wide = n->hidden.out, many = rows * n->taus;
    int r;
    risei_duel_backward(n, many, a);
    risei_linear_backward(d, &n->advantage, w, g, many, a->hidden, wide, a->dadvantage,
                          n->advantage.out, a->dhidden, wide);
    if (n->dueling)
        risei_linear_backward(d, &n->value, w, g, many, a->hidden + units, wide, a->dvalue,
                              n->atoms, a->dhidden + units, wide);
    for (r = 0; r < many; r++) /* all at once could be more than an int counts */
        d->kernels->relu_backward(wide, a->hidden + (ptrdiff_t)r * wide,
                                  a->dhidden + (ptrdiff_t)r * wide,
                                  a->dhidden + (ptrdiff_t)r * wide);
    risei_linear_backward(d, &n->hidden, w, g, many, a->mixed, n->fused, a->dhidden, wide,
                          a->dmixed, n->fused);
    if (n->head == RISE_HEAD_IQN) risei_quantile_backward(d, n, w, g, rows, a);
    risei_zero(n->norm ? g + n->gain : NULL, n->fused); /* which sum over the rows */
    risei_zero(n->norm ? g + n->shift : NULL, n->fused);
    for (r = 0; r < rows && n->norm; r++)
        d->kernels->norm_backward(n->fused, a->fused + (ptrdiff_t)r * n->fused, w + n->gain,
                                  a->stats + 2 * r, a->dfused + (ptrdiff_t)r * n->fused,
                                  g + n->gain, g + n->shift);
}

/* `images` of the input -> q of `rows` states, as feature_row and state_row say. The sequence's plan, inputs (FULL: their extras
   alone; image i is entry i) and initial state are the caller's. */
RISEI_FN void risei_net_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                int rows, int images, const risei_input *input, risei_pass *a)
{
    risei_encoder_forward(d, &n->encoder, w, images, input, &a->encoder);
    if (n->memory == RISE_MEMORY_FULL) {
        int const f = n->encoder.out;
        int i;
        for (i = 0; i < images; i++)
            memcpy(a->sequence.x + (ptrdiff_t)i * n->cell.in,
                   a->encoder.features + (ptrdiff_t)i * f, (size_t)f * sizeof *a->fused);
    }
    if (n->memory != RISE_MEMORY_NONE) risei_cell_forward(d, &n->cell, w, &a->sequence);
    risei_fusion_forward(d, n, w, rows, a);
    risei_head_forward(d, n, w, rows, a);
}
/* From a->dz of the first `rows` states. NONE, RISE: state r took image r. FULL: the images of all entries of the first `steps`
   steps learn. */
RISEI_FN void risei_net_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                 rise_real *g, int rows, int steps, risei_pass *a)
{
    int const f = n->encoder.out, full = n->memory == RISE_MEMORY_FULL;
    int const images = full ? a->sequence.begin[steps] : rows;
    int i;
    risei_head_backward(d, n, w, g, rows, a);
    risei_fusion_backward(d, n, w, g, rows, a);
    if (n->memory != RISE_MEMORY_NONE) {
        risei_zero(a->sequence.dc, (ptrdiff_t)a->sequence.rows * n->cell.units);
        risei_cell_backward(d, &n->cell, w, g, &a->sequence, steps);
    }
    for (i = 0; i < images; i++) {
        const rise_real *from = full ? a->sequence.dx + (ptrdiff_t)i * n->cell.in
                                     : a->dfused + (ptrdiff_t)i * n->fused;
        memcpy(a->encoder.dfeatures + (ptrdiff_t)i * f, from, (size_t)f * sizeof *from);
    }
    if (full) risei_zero(a->encoder.dfeatures, (ptrdiff_t)a->sequence.begin[a->sequence.burn] * f);
    for (i = 0; i < rows && full; i++) /* features reach the heads through the cell, and directly */
        d->kernels->add(f, a->dfused + (ptrdiff_t)i * n->fused,
                        a->encoder.dfeatures + (ptrdiff_t)a->feature_row[i] * f);
    risei_encoder_backward(d, &n->encoder, w, g, images, &a->encoder);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>optimizer */

typedef struct risei_optimizer {
    rise_real *m, *v;      /* moments, one each a parameter */
    double *squares;       /* of the gradient, a sum each RISEI_BLOCK parameters */
    double power1, power2; /* beta^t */
    int unchecked;         /* whether the weights are finite is not known */
} risei_optimizer;

#define RISEI_BETA1 0.9
#define RISEI_BETA2 0.999
#define RISEI_BLOCK 4096

/* One pass over all parameters, a share of their blocks at a time. */
typedef struct risei_optimizer_job {
    const rise_kernels *kernels;
    risei_optimizer *optimizer;
    size_t count;
    rise_real *w;
    const rise_real *g;
    rise_adam adam;
} risei_optimizer_job;

RISEI_FN size_t risei_optimizer_share(const risei_optimizer_job *j, int part, int parts, size_t *to)
{
    size_t const blocks = (j->count + RISEI_BLOCK - 1) / RISEI_BLOCK;
    size_t const share = blocks * (size_t)(part + 1) / (size_t)parts;
    *to = share * RISEI_BLOCK < j->count ? share * RISEI_BLOCK : j->count;
    return blocks * (size_t)part / (size_t)parts * RISEI_BLOCK;
}
RISEI_FN void risei_squares_part(void *job, int part, int parts, void *scratch)
{
    const risei_optimizer_job *const j = (const risei_optimizer_job *)job;
    size_t at, to;
    (void)scratch;
    for (at = risei_optimizer_share(j, part, parts, &to); at < to; at += RISEI_BLOCK)
        j->optimizer->squares[at / RISEI_BLOCK] =
            j->kernels->dot((ptrdiff_t)(to - at < RISEI_BLOCK ? to - at : RISEI_BLOCK), j->g + at,
                            j->g + at);
}
/* Sums of squares in blocks, which are then added in double: a float alone would lose small gradients of a large network. */
RISEI_FN double risei_sum_squares(const risei_device *d, risei_optimizer *o, size_t count,
                                  const rise_real *x)
{
    double total = 0;
    size_t i;
    risei_optimizer_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels, job.optimizer = o;
    job.count = count, job.g = x;
    risei_run(d, (double)count, risei_squares_part, &job);
    for (i = 0; i * RISEI_BLOCK < count; i++) total += o->squares[i];
    return total;
}
RISEI_FN void risei_adam_part(void *job, int part, int parts, void *scratch)
{
    const risei_optimizer_job *const j = (const risei_optimizer_job *)job;
    const risei_optimizer *o = j->optimizer;
    size_t to, at = risei_optimizer_share(j, part, parts, &to), i;
    int const finite = j->kernels->adam((ptrdiff_t)(to - at), &j->adam, j->w + at, j->g + at,
                                        o->m + at, o->v + at);
    (void)scratch;
    /* one place would be written by all parts */
    for (i = at; i < to; i += RISEI_BLOCK) o->squares[i / RISEI_BLOCK] = finite;
}
/* Adam on the gradient scaled down to norm `clip` where it is longer (0: never). Returns its norm; where that is not finite,
   nothing has changed. */
RISEI_FN double risei_optimize(const risei_device *d, risei_optimizer *o, size_t count,
                               rise_real *w, const rise_real *g, double rate, double epsilon,
                               double clip)
{
    double const norm = sqrt(risei_sum_squares(d, o, count, g));
    size_t i;
    risei_optimizer_job job;
    if (!(norm <= DBL_MAX)) return norm;
    o->power1 *= RISEI_BETA1;
    o->power2 *= RISEI_BETA2;
    job.kernels = d->kernels, job.optimizer = o;
    job.count = count, job.w = w, job.g = g;
    job.adam.scale = (rise_real)(clip > 0 && norm > clip ? clip / norm : 1);
    job.adam.beta1 = (rise_real)RISEI_BETA1;
    job.adam.beta2 = (rise_real)RISEI_BETA2;
    job.adam.rate = (rise_real)(rate / (1 - o->power1));
    job.adam.root_scale = (rise_real)(1 / sqrt(1 - o->power2));
    job.adam.epsilon = (rise_real)epsilon;
    risei_run(d, 4.0 * (double)count, risei_adam_part, &job);
    for (i = 0, o->unchecked = 0; i * RISEI_BLOCK < count; i++)
        o->unchecked |= !(o->squares[i] > 0);
    return norm;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>pretrained: ResNet-18 (He et al. 2016) with weights out of the user's .safetensors file */

enum { RISEI_RESNET_CONVS = 20, RISEI_RESNET_STAGES = 4, RISEI_RESNET_SIDE = 32 };

/* Its conv layers in the order in which they run, each with its batch norm, under torchvision's names. Stage 0 is the frame in
   three colours; stage s has features >> (4 - s) channels. A kernel of 1 is the shortcut of a block that changes stage. */
typedef struct risei_resnet_row {
    const char *conv, *norm;
    int from, to, size, stride; /* stages; of the kernel */
} risei_resnet_row;
static const risei_resnet_row risei_resnet_rows[RISEI_RESNET_CONVS] = {
    {"conv1", "bn1", 0, 1, 7, 2},
    {"layer1.0.conv1", "layer1.0.bn1", 1, 1, 3, 1},
    {"layer1.0.conv2", "layer1.0.bn2", 1, 1, 3, 1},
    {"layer1.1.conv1", "layer1.1.bn1", 1, 1, 3, 1},
    {"layer1.1.conv2", "layer1.1.bn2", 1, 1, 3, 1},
    {"layer2.0.downsample.0", "layer2.0.downsample.1", 1, 2, 1, 2},
    {"layer2.0.conv1", "layer2.0.bn1", 1, 2, 3, 2},
    {"layer2.0.conv2", "layer2.0.bn2", 2, 2, 3, 1},
    {"layer2.1.conv1", "layer2.1.bn1", 2, 2, 3, 1},
    {"layer2.1.conv2", "layer2.1.bn2", 2, 2, 3, 1},
    {"layer3.0.downsample.0", "layer3.0.downsample.1", 2, 3, 1, 2},
    {"layer3.0.conv1", "layer3.0.bn1", 2, 3, 3, 2},
    {"layer3.0.conv2", "layer3.0.bn2", 3, 3, 3, 1},
    {"layer3.1.conv1", "layer3.1.bn1", 3, 3, 3, 1},
    {"layer3.1.conv2", "layer3.1.bn2", 3, 3, 3, 1},
    {"layer4.0.downsample.0", "layer4.0.downsample.1", 3, 4, 1, 2},
    {"layer4.0.conv1", "layer4.0.bn1", 3, 4, 3, 2},
    {"layer4.0.conv2", "layer4.0.bn2", 4, 4, 3, 1},
    {"layer4.1.conv1", "layer4.1.bn1", 4, 4, 3, 1},
    {"layer4.1.conv2", "layer4.1.bn2", 4, 4, 3, 1}};

typedef struct risei_resnet {
    int channels, features; /* of the frame; that come out */
    risei_conv conv[RISEI_RESNET_CONVS];
    /* batch norm's [3][filters]: weight, mean and variance; its bias is the conv's */
    size_t norm[RISEI_RESNET_CONVS];
    size_t parameters;
    rise_real *weights; /* [parameters] */
    risei_image stem;   /* the first layer, before its pool */
    /* x[0]: the frame, normalised; x[s]: what runs through the blocks of a stage */
    risei_image x[RISEI_RESNET_STAGES + 1];
    risei_image t[RISEI_RESNET_STAGES + 1]; /* inside a block, between its two layers */
    uint64_t hash;                          /* of the weights: other weights, other embeddings */
} risei_resnet;

RISEI_FN risei_resnet risei_resnet_make(int height, int width, int channels, int features)
{
    risei_resnet r;
    risei_parameters p;
    int l;
    memset(&r, 0, sizeof r);
    memset(&p, 0, sizeof p);
    r.channels = channels, r.features = features;
    r.x[0] = risei_image_make(height, width, 3, 3);
    for (l = 0; l < RISEI_RESNET_CONVS; l++) {
        const risei_resnet_row *row = &risei_resnet_rows[l];
        const risei_image *in = &r.x[row->from];
        risei_conv *c = &r.conv[l];
        rise_conv desc;
        memset(&desc, 0, sizeof desc);
        desc.filters = features >> (RISEI_RESNET_STAGES - row->to);
        desc.size = row->size, desc.stride = row->stride, desc.pad = row->size / 2;
        if (l == 0) desc.pool = 3, desc.pool_stride = 2, desc.pool_pad = 1;
        *c = risei_conv_make(&p, &desc, in->height, in->width, in->channels);
        c->frozen = 1;
        r.norm[l] = risei_parameter(&p, 3 * (size_t)c->filters);
        if (l == 0) r.stem = risei_image_make(c->out_height, c->out_width, c->filters, 0);
        if (row->from < row->to)
            r.x[row->to] = r.t[row->to] =
                risei_image_make(c->pooled_height, c->pooled_width, c->filters, 1);
    }
    r.parameters = p.count;
    return r;
}
/* It lies in the arena itself: an agent without one is spared it. */
RISEI_FN risei_resnet *risei_resnet_layout(risei_arena *arena, int height, int width, int channels,
                                           int features)
{
    risei_resnet r = risei_resnet_make(height, width, channels, features);
    risei_resnet *const place = RISEI_TAKE(arena, risei_resnet, 1);
    int s;
    r.weights = RISEI_TAKE(arena, rise_real, r.parameters);
    risei_image_take(arena, &r.stem, 1);
    for (s = 0; s <= RISEI_RESNET_STAGES; s++) {
        risei_image_take(arena, &r.x[s], 1);
        if (s > 0) risei_image_take(arena, &r.t[s], 1);
    }
    if (place != NULL) *place = r;
    return place;
}

/* Pixels in [0, 1], one colour standing for three, normalised as ImageNet's were. */
RISEI_FN void risei_resnet_see(const risei_resnet *r, const uint8_t *frame)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
    const risei_image *image = &r->x[0];
    int x, y, c;
    for (y = 0; y < image->height; y++) {
        rise_real *out = image->data + risei_image_at(image, y, 0);
        for (x = 0; x < image->width; x++, frame += r->channels)
            for (c = 0; c < 3; c++)
                *out++ = ((rise_real)frame[r->channels == 3 ? c : 0] / 255 - (rise_real)mean[c]) /
                         (rise_real)deviation[c];
    }
}
/* frame [height][width][channels] -> features: the last stage's mean over its pixels */
RISEI_FN void risei_resnet_forward(const risei_device *d, const risei_resnet *r,
                                   const uint8_t *frame, rise_real *features)
{
    const risei_image *last = &r->x[RISEI_RESNET_STAGES];
    int l, row, column, i;
    risei_resnet_see(r, frame);
    risei_conv_forward(d, &r->conv[0], r->weights, 1, &r->x[0], &r->stem, 1, 0);
    risei_pool_forward(d, &r->conv[0], 1, &r->stem, &r->x[1]);
    /* block by block: x = relu(shortcut + conv(relu(conv(x)))), in place */
    for (l = 1; l < RISEI_RESNET_CONVS; l += 2) {
        const risei_resnet_row *block = &risei_resnet_rows[l];
        const risei_image *from = &r->x[block->from], *x = &r->x[block->to], *t = &r->t[block->to];
        if (block->size == 1) risei_conv_forward(d, &r->conv[l++], r->weights, 1, from, x, 0, 0);
        risei_conv_forward(d, &r->conv[l], r->weights, 1, from, t, 1, 0);
        risei_conv_forward(d, &r->conv[l + 1], r->weights, 1, t, x, 1, 1);
    }
    for (i = 0; i < r->features; i++) features[i] = 0;
    for (row = 0; row < last->height; row++)
        for (column = 0; column < last->width; column++)
            d->kernels->add(r->features, last->data + risei_image_at(last, row, column), features);
    for (i = 0; i < r->features; i++)
        features[i] = features[i] / (rise_real)(last->height * last->width);
}

/*  A .safetensors file is u64 length | a header of so many bytes, in JSON | data. The header has an entry for each tensor,
        "conv1.weight": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [0, 37632]}
    and perhaps one of strings, "__metadata__". Offsets count from the start of the data, which the tensors fill without overlap
    or hole. It is read once, from front to back, into no memory but the weights' own: nothing in it is believed before it is
    checked, and sizes come from the description. */

enum { RISEI_HEADER_MOST = 1 << 20, RISEI_TENSORS = 5 * RISEI_RESNET_CONVS };

/* What a layer's tensors are called after its conv (the first) or batch norm. The last counts batches and is not needed. */
static const char *const risei_tensor_ends[] = {".weight",      ".weight",
                                                ".bias",        ".running_mean",
                                                ".running_var", ".num_batches_tracked"};

typedef struct risei_dtype {
    char name[5];
    int bytes;
} risei_dtype;
/* weights may have the first three */
enum { RISEI_F32, RISEI_F16, RISEI_BF16, RISEI_WEIGHT_DTYPES, RISEI_DTYPES = 13 };
static const risei_dtype risei_dtypes[RISEI_DTYPES] = {{"F32", 4}, {"F16", 2}, {"BF16", 2},
                                                       {"F64", 8}, {"I64", 8}, {"U64", 8},
                                                       {"I32", 4}, {"U32", 4}, {"I16", 2},
                                                       {"U16", 2}, {"I8", 1},  {"U8", 1},
                                                       {"BOOL", 1}};

/* A tensor as the header describes it. */
typedef struct risei_entry {
    char name[48], dtype[16];
    uint64_t shape[4], count; /* sides, and numbers in all */
    int sides;
    uint64_t begin, end;
} risei_entry;

typedef struct risei_tensors {
    rise_read_fn read;
    void *user;
    rise_error *error;
    rise_result result;  /* why reading ended early */
    uint64_t at;         /* bytes read */
    uint64_t left, data; /* bytes of the header that are not read yet; of the data */
    int next;            /* the header's character that comes next, or -1 */
    uint64_t edges;      /* 0 where the tensors tile the data: see risei_tensors_edge */
    struct {
        uint64_t begin;
        unsigned char dtype, known, done;
    } tensor[RISEI_TENSORS];
    unsigned char chunk[1024];
    size_t used, filled; /* of the chunk */
    size_t tail;         /* bytes of the tensor in hand after the chunk */
} risei_tensors;

RISEI_FN int risei_tensors_read(risei_tensors *t, void *bytes, size_t size)
{
    if (t->result == RISE_OK && !t->read(t->user, bytes, size))
        t->result =
            risei_fail(t->error, RISE_IO, "it could not be read after %.0f bytes", (double)t->at);
    t->at += t->result == RISE_OK ? size : 0;
    return t->result == RISE_OK;
}
/* Always 0. */
RISEI_FN int risei_json_wrong(risei_tensors *t, const char *what)
{
    if (t->result == RISE_OK)
        t->result = risei_fail(t->error, RISE_BAD_FILE, "its header is wrong at byte %.0f: %s",
                               (double)t->at - (t->next >= 0), what);
    return 0;
}
RISEI_FN void risei_json_step(risei_tensors *t)
{
    unsigned char byte;
    t->next = -1;
    if (t->left == 0 || !risei_tensors_read(t, &byte, 1)) return;
    t->left--;
    t->next = byte;
}
RISEI_FN void risei_json_blanks(risei_tensors *t)
{
    while (t->next == ' ' || t->next == '\t' || t->next == '\n' || t->next == '\r')
        risei_json_step(t);
}
/* Is this what comes next, after blanks? Then it is passed. */
RISEI_FN int risei_json_take(risei_tensors *t, int character)
{
    risei_json_blanks(t);
    if (t->next != character) return 0;
    risei_json_step(t);
    return t->result == RISE_OK;
}
RISEI_FN int risei_json_want(risei_tensors *t, int character)
{
    char what[] = "? is missing";
    what[0] = (char)character;
    return risei_json_take(t, character) || risei_json_wrong(t, what);
}
/* What follows a backslash. */
RISEI_FN int risei_json_escape(risei_tensors *t)
{
    int digits = 0;
    risei_json_step(t);
    if (t->next > 0 && strchr("\"\\/bfnrt", t->next) != NULL) return 1;
    if (t->next != 'u') return risei_json_wrong(t, "an unknown escape");
    while (digits < 4) {
        risei_json_step(t);
        if (t->next <= 0 || strchr("0123456789abcdefABCDEF", t->next) == NULL)
            return risei_json_wrong(t, "an unknown escape");
        digits++;
    }
    return 1;
}
/* A string, of which the first room - 1 characters are kept: no more than they can tell it from others that matter. Where it is
   not kept (text is NULL) it may be anything; else it has no escapes. */
RISEI_FN int risei_json_string(risei_tensors *t, char *text, size_t room)
{
    size_t length = 0;
    if (!risei_json_want(t, '"')) return 0;
    for (; t->next != '"'; risei_json_step(t)) {
        if (t->next < ' ') return risei_json_wrong(t, "a string without end");
        if (t->next == '\\' && text != NULL) return risei_json_wrong(t, "a name with a backslash");
        if (t->next == '\\' && !risei_json_escape(t)) return 0;
        if (length + 1 < room) text[length++] = (char)(t->next < 127 ? t->next : '?');
    }
    if (text != NULL) text[length] = '\0';
    risei_json_step(t);
    return 1;
}
/* A whole number up to 2^53. */
RISEI_FN int risei_json_number(risei_tensors *t, uint64_t *number)
{
    int zero;
    risei_json_blanks(t);
    zero = t->next == '0'; /* no other digit may follow */
    if (t->next < '0' || t->next > '9') return risei_json_wrong(t, "a whole number is missing");
    *number = 0;
    do {
        *number = *number * 10 + (uint64_t)(t->next - '0');
        if (*number > (uint64_t)1 << 53) return risei_json_wrong(t, "a number is too large");
        risei_json_step(t);
    } while (!zero && t->next >= '0' && t->next <= '9');
    return 1;
}

RISEI_FN int risei_entry_shape(risei_tensors *t, risei_entry *e)
{
    uint64_t side;
    e->sides = 0;
    e->count = 1;
    if (!risei_json_want(t, '[')) return 0;
    if (risei_json_take(t, ']')) return 1;
    do {
        if (!risei_json_number(t, &side)) return 0;
        if (side > 0 && e->count > ((uint64_t)1 << 53) / side)
            return risei_json_wrong(t, "a shape is too large");
        if (e->sides < 4) e->shape[e->sides] = side;
        e->sides++;
        e->count *= side;
    } while (risei_json_take(t, ','));
    return risei_json_want(t, ']');
}
RISEI_FN int risei_entry_offsets(risei_tensors *t, risei_entry *e)
{
    return risei_json_want(t, '[') && risei_json_number(t, &e->begin) && risei_json_want(t, ',') &&
           risei_json_number(t, &e->end) && risei_json_want(t, ']');
}
/* What stands behind a tensor's name. */
RISEI_FN int risei_entry_read(risei_tensors *t, risei_entry *e)
{
    static const char *const keys[3] = {"dtype", "shape", "data_offsets"};
    char key[16];
    int k, seen = 0;
    if (!risei_json_want(t, ':') || !risei_json_want(t, '{')) return 0;
    do {
        if (!risei_json_string(t, key, sizeof key) || !risei_json_want(t, ':')) return 0;
        for (k = 0; k < 3 && strcmp(key, keys[k]) != 0; k++) {}
        if (k == 3 || (seen >> k & 1) != 0)
            return risei_json_wrong(t, "a tensor's field is unknown or there twice");
        seen |= 1 << k;
        if (!(k == 0   ? risei_json_string(t, e->dtype, sizeof e->dtype)
              : k == 1 ? risei_entry_shape(t, e)
                       : risei_entry_offsets(t, e)))
            return 0;
    } while (risei_json_take(t, ','));
    if (!risei_json_want(t, '}')) return 0;
    return seen == 7 || risei_json_wrong(t, "a tensor lacks its dtype, shape or data_offsets");
}
/* {"key": "value", ...}, which is passed over */
RISEI_FN int risei_json_metadata(risei_tensors *t)
{
    if (!risei_json_want(t, ':') || !risei_json_want(t, '{')) return 0;
    if (risei_json_take(t, '}')) return 1;
    do {
        if (!risei_json_string(t, NULL, 0) || !risei_json_want(t, ':') ||
            !risei_json_string(t, NULL, 0))
            return 0;
    } while (risei_json_take(t, ','));
    return risei_json_want(t, '}');
}

/* Intervals that begin where others end, but for one that begins at 0 and one that ends at `size`, are a path from 0 to `size`:
   no overlap, no hole. Whether the places are the same, sums of their hashes tell. */
RISEI_FN uint64_t risei_tensors_edge(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}
RISEI_FN void risei_tensor_name(int which, char *name, size_t room)
{
    const risei_resnet_row *row = &risei_resnet_rows[which / 5];
    snprintf(name, room, "%s%s", which % 5 == 0 ? row->conv : row->norm,
             risei_tensor_ends[which % 5]);
}
/* Which tensor has this name: 5 times its layer + its end; RISEI_TENSORS: one that is not needed; -1: none of a ResNet-18's */
RISEI_FN int risei_tensor_named(const char *name)
{
    int l, end;
    for (l = 0; l < RISEI_RESNET_CONVS; l++)
        for (end = 0; end < 6; end++) {
            const char *const front = end == 0 ? risei_resnet_rows[l].conv
                                               : risei_resnet_rows[l].norm;
            size_t const length = strlen(front);
            if (strncmp(name, front, length) == 0 &&
                strcmp(name + length, risei_tensor_ends[end]) == 0)
                return end < 5 ? 5 * l + end : RISEI_TENSORS;
        }
    return strncmp(name, "fc.", 3) == 0 ? RISEI_TENSORS : -1;
}
/* "[64, 3, 7, 7]" */
RISEI_FN void risei_shape_text(const uint64_t *shape, int sides, char *text, size_t room)
{
    size_t length = 1;
    int i;
    text[0] = '[', text[1] = '\0';
    for (i = 0; i < sides && i < 4 && length < room; i++)
        length += (size_t)snprintf(text + length, room - length, i > 0 ? ", %.0f" : "%.0f",
                                   (double)shape[i]);
    if (length < room) snprintf(text + length, room - length, sides > 4 ? ", ...]" : "]");
}
/* Is the shape what the layer asks for? */
RISEI_FN rise_result risei_entry_fits(const risei_resnet *r, int which, const risei_entry *e,
                                      rise_error *error)
{
    const risei_conv *c = &r->conv[which / 5];
    int const sides = which % 5 == 0 ? 4 : 1;
    uint64_t shape[4];
    char has[40], asked[40];
    shape[0] = (uint64_t)c->filters, shape[1] = (uint64_t)c->channels;
    shape[2] = shape[3] = (uint64_t)c->size;
    if (e->sides == sides && memcmp(e->shape, shape, (size_t)sides * sizeof *shape) == 0)
        return RISE_OK;
    risei_shape_text(e->shape, e->sides, has, sizeof has);
    risei_shape_text(shape, sides, asked, sizeof asked);
    return risei_fail(
        error, RISE_MISMATCH,
        "%s has the shape %s; embedding_size %d asks for %s (torchvision's ResNet-18: 512)",
        e->name, has, r->features, asked);
}
RISEI_FN rise_result risei_entry_check(risei_tensors *t, const risei_resnet *r,
                                       const risei_entry *e)
{
    int const which = risei_tensor_named(e->name);
    int d;
    for (d = 0; d < RISEI_DTYPES && strcmp(e->dtype, risei_dtypes[d].name) != 0; d++) {}
    if (which < 0)
        return risei_fail(t->error, RISE_MISMATCH,
                          "%s is no tensor of a ResNet-18; name them as torchvision does", e->name);
    if (d == RISEI_DTYPES || (which < RISEI_TENSORS && d >= RISEI_WEIGHT_DTYPES))
        return risei_fail(t->error, RISE_MISMATCH,
                          "%s has the dtype %s; save the weights as F32, F16 or BF16", e->name,
                          e->dtype);
    if (e->begin > e->end || e->end > t->data ||
        e->end - e->begin != e->count * (uint64_t)risei_dtypes[d].bytes)
        return risei_fail(
            t->error, RISE_BAD_FILE,
            "%s cannot be bytes %.0f to %.0f of %.0f: the file is cut short or damaged", e->name,
            (double)e->begin, (double)e->end, (double)t->data);
    t->edges += risei_tensors_edge(e->begin) - risei_tensors_edge(e->end);
    if (which == RISEI_TENSORS) return RISE_OK;
    if (t->tensor[which].known)
        return risei_fail(t->error, RISE_BAD_FILE, "%s is there twice", e->name);
    t->tensor[which].known = 1;
    t->tensor[which].begin = e->begin;
    t->tensor[which].dtype = (unsigned char)d;
    return risei_entry_fits(r, which, e, t->error);
}
RISEI_FN int risei_tensors_header(risei_tensors *t, const risei_resnet *r)
{
    risei_entry e;
    int i, metadata = 0;
    memset(&e, 0, sizeof e);
    if (!risei_json_want(t, '{')) return 0;
    if (!risei_json_take(t, '}')) {
        do {
            if (!risei_json_string(t, e.name, sizeof e.name)) return 0;
            if (strcmp(e.name, "__metadata__") == 0) {
                if (metadata++ > 0) return risei_json_wrong(t, "__metadata__ is there twice");
                if (!risei_json_metadata(t)) return 0;
            } else {
                if (!risei_entry_read(t, &e)) return 0;
                t->result = risei_entry_check(t, r, &e);
                if (t->result != RISE_OK) return 0;
            }
        } while (risei_json_take(t, ','));
        if (!risei_json_want(t, '}')) return 0;
    }
    risei_json_blanks(t);
    if (t->next >= 0) return risei_json_wrong(t, "something follows its end");
    for (i = 0; i < RISEI_TENSORS && t->result == RISE_OK; i++) {
        risei_tensor_name(i, e.name, sizeof e.name);
        if (!t->tensor[i].known)
            t->result = risei_fail(t->error, RISE_MISMATCH,
                                   "%s is missing; a ResNet-18's state_dict has it", e.name);
    }
    if (t->result == RISE_OK && t->edges != risei_tensors_edge(0) - risei_tensors_edge(t->data))
        t->result =
            risei_fail(t->error, RISE_BAD_FILE, "its tensors overlap, or do not fill the file");
    return t->result == RISE_OK;
}

/* A number of one of the first three dtypes, from its bits. */
RISEI_FN rise_real risei_tensor_number(uint32_t bits, int dtype)
{
    uint32_t const sign = (bits & 0x8000u) << 16, size = bits & 0x7FFFu;
    float x;
    if (dtype == RISEI_F16 && size < 0x0400u)
        return (rise_real)(sign != 0 ? -1 : 1) * (rise_real)size / 16777216;
    if (dtype == RISEI_F16)
        bits = sign | (size < 0x7C00u ? (size << 13) + 0x38000000u : 0x7F800000u);
    if (dtype == RISEI_BF16) bits <<= 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* The next number of a tensor of which t->tail bytes are not read yet. */
RISEI_FN int risei_tensors_next(risei_tensors *t, int dtype, rise_real *x)
{
    size_t const bytes = (size_t)risei_dtypes[dtype].bytes;
    uint32_t bits = 0;
    size_t i;
    if (t->used == t->filled) {
        t->used = 0;
        t->filled = t->tail < sizeof t->chunk ? t->tail : sizeof t->chunk;
        t->tail -= t->filled;
        if (!risei_tensors_read(t, t->chunk, t->filled)) return 0;
    }
    for (i = bytes; i-- > 0;) bits = bits << 8 | t->chunk[t->used + i];
    t->used += bytes;
    *x = risei_tensor_number(bits, dtype);
    return 1;
}
/* Where it goes among the weights. */
RISEI_FN rise_real *risei_tensor_place(const risei_resnet *r, int which)
{
    const risei_conv *c = &r->conv[which / 5];
    int const end = which % 5;
    rise_real *const norm = r->weights + r->norm[which / 5];
    return end == 0   ? r->weights + c->weights
           : end == 2 ? r->weights + c->bias
                      : norm + (end == 1 ? 0 : end - 2) * c->filters;
}
/* One tensor, [filters][channels][taps], is turned to [taps][channels][filters]; batch norm's have one channel and tap. */
RISEI_FN int risei_tensor_fill(risei_tensors *t, const risei_resnet *r, int which)
{
    const risei_conv *c = &r->conv[which / 5];
    int const channels = which % 5 == 0 ? c->channels : 1;
    int const taps = which % 5 == 0 ? c->size * c->size : 1;
    int const dtype = t->tensor[which].dtype;
    rise_real *const to = risei_tensor_place(r, which);
    rise_matrix const m = rise_matrix_panels(to, taps * channels, c->filters);
    char name[48];
    int o, i, k;
    t->used = t->filled = 0;
    t->tail = (size_t)c->filters * (size_t)channels * (size_t)taps *
              (size_t)risei_dtypes[dtype].bytes;
    for (o = 0; o < c->filters; o++)
        for (i = 0; i < channels; i++)
            for (k = 0; k < taps; k++) {
                rise_real x;
                if (!risei_tensors_next(t, dtype, &x)) return 0;
                to[risei_column(&m, o) + risei_walk(&m.rows, k * channels + i)] = x;
                if (x - x == 0 && (which % 5 != 4 || x >= 0)) continue;
                risei_tensor_name(which, name, sizeof name);
                t->result = x - x == 0 ? risei_fail(t->error, RISE_BAD_FILE,
                                                    "%s has a negative number", name)
                                       : risei_fail(t->error, RISE_NOT_FINITE,
                                                    "%s has a number that is not finite", name);
                return 0;
            }
    return 1;
}
/* Tensor after tensor as they lie in the file; what is not needed is passed over. */
RISEI_FN int risei_tensors_data(risei_tensors *t, const risei_resnet *r)
{
    uint64_t const start = t->at;
    int done, i;
    for (done = 0; done < RISEI_TENSORS; done++) {
        int first = -1;
        for (i = 0; i < RISEI_TENSORS; i++)
            if (!t->tensor[i].done && (first < 0 || t->tensor[i].begin < t->tensor[first].begin))
                first = i;
        t->tensor[first].done = 1;
        while (t->at - start < t->tensor[first].begin) {
            uint64_t const gap = t->tensor[first].begin - (t->at - start);
            if (!risei_tensors_read(t, t->chunk,
                                    gap < sizeof t->chunk ? (size_t)gap : sizeof t->chunk))
                return 0;
        }
        if (!risei_tensor_fill(t, r, first)) return 0;
    }
    return 1;
}
/* Batch norm becomes part of the convolution before it: y = (conv - mean) gain + bias, gain = weight / sqrt(variance + 1e-5) */
RISEI_FN rise_result risei_resnet_fold(risei_resnet *r, rise_error *error)
{
    size_t i;
    int l, o, k;
    for (l = 0; l < RISEI_RESNET_CONVS; l++) {
        const risei_conv *c = &r->conv[l];
        int const rows = c->size * c->size * c->channels;
        rise_matrix const m = rise_matrix_panels(r->weights + c->weights, rows, c->filters);
        rise_real *const gain = r->weights + r->norm[l], *const bias = r->weights + c->bias;
        for (o = 0; o < c->filters; o++) {
            double const scale = (double)gain[o] / sqrt((double)gain[2 * c->filters + o] + 1e-5);
            gain[o] = (rise_real)scale;
            bias[o] = (rise_real)((double)bias[o] - (double)gain[c->filters + o] * scale);
        }
        for (o = 0; o < c->filters; o += m.run)
            for (k = 0; k < rows; k++) {
                rise_real *const w = r->weights + c->weights + risei_column(&m, o) +
                                     risei_walk(&m.rows, k);
                for (i = 0; i < (size_t)m.run; i++) w[i] = w[i] * gain[o + (int)i];
            }
    }
    r->hash = 14695981039346656037u; /* FNV-1a over words */
    for (i = 0; i < r->parameters; i++) {
        float const x = (float)r->weights[i];
        uint32_t bits;
        if (!(x - x == 0))
            return risei_fail(error, RISE_NOT_FINITE,
                              "its batch norms scale the weights beyond all numbers");
        memcpy(&bits, &x, sizeof bits);
        r->hash = (r->hash ^ bits) * 1099511628211u;
    }
    return RISE_OK;
}
/* Reads the weights through `fn`; `size` is the whole length. */
RISEI_FN rise_result risei_resnet_read(risei_resnet *r, rise_read_fn fn, void *user, uint64_t size,
                                       rise_error *error)
{
    unsigned char bytes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    risei_tensors t;
    int i;
    memset(&t, 0, sizeof t);
    t.read = fn, t.user = user, t.error = error;
    if (size >= sizeof bytes) risei_tensors_read(&t, bytes, sizeof bytes);
    if (t.result != RISE_OK) return t.result;
    for (i = 7; i >= 0; i--) t.left = t.left << 8 | bytes[i];
    if (size < sizeof bytes || t.left > size - sizeof bytes || t.left > RISEI_HEADER_MOST)
        return risei_fail(
            error, RISE_BAD_FILE,
            "it is no safetensors file, or cut short: its header would have %.0f bytes",
            (double)t.left);
    t.data = size - sizeof bytes - t.left;
    risei_json_step(&t);
    if (!risei_tensors_header(&t, r) || !risei_tensors_data(&t, r)) return t.result;
    return risei_resnet_fold(r, error);
}
RISEI_FN rise_result risei_resnet_load(risei_resnet *r, const char *path, rise_error *error)
{
#ifdef RISE_NO_STDIO
    (void)r, (void)path;
    return risei_fail(error, RISE_UNAVAILABLE,
                      "embedding_file cannot be read with RISE_NO_STDIO; use RISE_EMBED_USER");
#else
    FILE *file = fopen(path, "rb");
    rise_result result;
    if (file == NULL)
        return risei_fail(error, RISE_IO, "embedding_file %.150s cannot be opened: %s", path,
                          strerror(errno));
    result = risei_resnet_read(r, risei_read_stdio, file, risei_file_size(file), error);
    fclose(file);
    return risei_name(path, result, error);
#endif
}

/* ---------------------------------------------------------------------------------------------- */
/* >>encoders: frozen functions of one frame, standardised */

#define RISEI_EMBED_LIMIT ((rise_real)8) /* standardised values are held within it */

typedef struct risei_embedder {
    rise_embedding kind;
    int width, height, channels; /* of the frame */
    int stack;                   /* SNAPSHOT: how often the frame is repeated */
    int pool, inputs;            /* squares averaged; numbers that remain */
    int size;
    uint32_t seed;
    int32_t *pooled, *sums; /* [inputs], SIGNS: room for 2^bits, and used up; [size] */
    rise_real *x;           /* [inputs] as numbers */
    rise_real *matrix;      /* GAUSSIAN: [inputs][size] */
    int8_t *ternary;        /* SPARSE: [inputs][size] */
    risei_encoder net;      /* CONV, SNAPSHOT: its weights and activations */
    /* SNAPSHOT: those that are about to take the place of the others */
    rise_real *weights, *coming;
    risei_encoder_data data;
    rise_embed_fn fn; /* USER */
    void *user;
    float *floats;
    risei_resnet *resnet; /* RESNET18 */
    int frozen;           /* has warm-up ended? */
    int64_t seen;
    /* [size] running mean and sum of squared deviations (Welford 1962) */
    double *mean, *spread;
    rise_real *shift, *gain; /* [size] standardised = (raw - shift) * gain, once frozen */
} risei_embedder;

RISEI_FN void risei_embedder_make(risei_embedder *e, const rise_agent_desc *desc)
{
    risei_parameters p;
    memset(e, 0, sizeof *e);
    memset(&p, 0, sizeof p);
    e->kind = desc->embedding;
    e->width = desc->frame_width, e->height = desc->frame_height,
    e->channels = desc->frame_channels;
    e->stack = e->kind == RISE_EMBED_SNAPSHOT ? desc->frame_stack : 1;
    e->pool = desc->embedding_pool;
    e->size = desc->embedding_size;
    e->inputs = risei_ceil_div(e->width, e->pool) * risei_ceil_div(e->height, e->pool) *
                e->channels;
    e->fn = desc->embed_fn, e->user = desc->embed_user;
    if (e->kind == RISE_EMBED_CONV || e->kind == RISE_EMBED_SNAPSHOT) {
        e->net = risei_encoder_make(&p, e->height, e->width, e->channels * e->stack, desc->conv,
                                    desc->conv_count, desc->pool_to, e->size);
        e->net.relu = 0;
    }
}
/* Weights of the conv layers, which come first, as in the network that learns. */
RISEI_FN size_t risei_embedder_convs(const risei_embedder *e)
{
    return e->kind == RISE_EMBED_SNAPSHOT ? e->net.linear.weights : 0;
}
RISEI_FN void risei_embedder_layout(risei_arena *arena, risei_embedder *e)
{
    size_t const size = (size_t)e->size, inputs = (size_t)e->inputs;
    e->mean = RISEI_TAKE(arena, double, size);
    e->spread = RISEI_TAKE(arena, double, size);
    e->shift = RISEI_TAKE(arena, rise_real, size);
    e->gain = RISEI_TAKE(arena, rise_real, size);
    if (e->kind == RISE_EMBED_USER) e->floats = RISEI_TAKE(arena, float, size);
    if (e->kind == RISE_EMBED_RESNET18)
        e->resnet = risei_resnet_layout(arena, e->height, e->width, e->channels, e->size);
    if (e->net.layers > 0) {
        e->weights = RISEI_TAKE(arena, rise_real, e->net.linear.bias + size);
        if (e->kind == RISE_EMBED_SNAPSHOT)
            e->coming = RISEI_TAKE(arena, rise_real, e->net.linear.bias + size);
        risei_encoder_layout(arena, &e->net, &e->data, 1, 0);
    }
    if (e->kind > RISE_EMBED_SPARSE) return;
    e->pooled = RISEI_TAKE(arena, int32_t,
                           e->kind == RISE_EMBED_SIGNS
                               ? (size_t)1 << rise_sign_bits(e->inputs, e->size)
                               : inputs);
    e->sums = RISEI_TAKE(arena, int32_t, size);
    if (e->kind == RISE_EMBED_GAUSSIAN) {
        e->x = RISEI_TAKE(arena, rise_real, inputs);
        e->matrix = RISEI_TAKE(arena, rise_real, risei_times(inputs, size));
    }
    if (e->kind == RISE_EMBED_SPARSE)
        e->ternary = RISEI_TAKE(arena, int8_t, risei_times(inputs, size));
}
RISEI_FN void risei_embedder_initialise(risei_embedder *e, risei_random random)
{
    size_t const count = (size_t)e->inputs * (size_t)e->size;
    size_t i;
    int l;
    e->seed = risei_draw(&random);
    for (i = 0; i < count && e->kind == RISE_EMBED_GAUSSIAN; i++)
        e->matrix[i] = risei_normal(&random);
    for (i = 0; i < count && e->kind == RISE_EMBED_SPARSE; i++) {
        int const face = risei_below(&random, 6);
        e->ternary[i] = (int8_t)(face == 0 ? 1 : face == 1 ? -1 : 0);
    }
    if (e->net.layers == 0) return;
    risei_encoder_initialise(&e->net, e->weights, &random);
    /* He et al. 2015: the signal keeps its size from layer to layer */
    for (l = 0; l < e->net.layers; l++) {
        const risei_conv *c = &e->net.conv[l];
        int const fan_in = c->size * c->size * c->channels;
        rise_real const scale = risei_sqrt(2 / (rise_real)fan_in);
        for (i = 0; i < (size_t)fan_in * (size_t)c->filters; i++)
            e->weights[c->weights + i] = risei_normal(&random) * scale;
    }
    if (e->coming != NULL)
        memcpy(e->coming, e->weights, (e->net.linear.bias + (size_t)e->size) * sizeof *e->coming);
}

/* Sums over pool x pool squares, which the frame's edge may cut. */
RISEI_FN void risei_embedder_pool(const risei_embedder *e, const uint8_t *frame)
{
    int const row = risei_ceil_div(e->width, e->pool) * e->channels, square = e->pool * e->channels;
    int y, x, c, i, end;
    memset(e->pooled, 0, (size_t)e->inputs * sizeof *e->pooled);
    for (y = 0; y < e->height; y++, frame += e->width * e->channels) {
        int32_t *to = e->pooled + y / e->pool * row;
        for (x = 0; x < e->width * e->channels; x = end, to += e->channels) {
            end = x + square < e->width * e->channels ? x + square : e->width * e->channels;
            for (c = 0; c < e->channels; c++) {
                int32_t sum = to[c];
                for (i = x + c; i < end; i += e->channels) sum += frame[i];
                to[c] = sum;
            }
        }
    }
}
/* The largest grid of a frame, as square as it allows, that comes to at most `size` numbers. */
RISEI_FN void risei_embedding_grid(int width, int height, int channels, int size, int *columns,
                                   int *rows)
{
    int side;
    *columns = *rows = 1;
    for (side = 2; side <= width || side <= height; side++) {
        int const x = side < width ? side : width, y = side < height ? side : height;
        if ((int64_t)x * y * channels > size) break;
        *columns = x, *rows = y;
    }
}
/* Area average over a grid of cells that share the frame's pixels as evenly as whole pixels can. */
RISEI_FN void risei_embedder_downsample(const risei_embedder *e, const uint8_t *frame,
                                        rise_real *raw)
{
    int columns, rows, row, column, c, x, y;
    risei_embedding_grid(e->width, e->height, e->channels, e->size, &columns, &rows);
    for (row = 0; row < rows; row++) {
        int const y0 = row * e->height / rows, y1 = risei_ceil_div((row + 1) * e->height, rows);
        for (column = 0; column < columns; column++) {
            int const x0 = column * e->width / columns;
            int const x1 = risei_ceil_div((column + 1) * e->width, columns);
            for (c = 0; c < e->channels; c++) {
                int32_t sum = 0;
                for (y = y0; y < y1; y++)
                    for (x = x0; x < x1; x++) sum += frame[(y * e->width + x) * e->channels + c];
                *raw++ = (rise_real)sum / (rise_real)(255 * (y1 - y0) * (x1 - x0));
            }
        }
    }
}
RISEI_FN void risei_embedder_conv(const risei_device *d, risei_embedder *e, const uint8_t *frame,
                                  rise_real *raw)
{
    const uint8_t *frames[RISEI_MOST_STACK];
    risei_input input;
    int i;
    for (i = 0; i < e->stack; i++) frames[i] = frame;
    input.images = NULL, input.frames = frames, input.stack = e->stack;
    risei_encoder_forward(d, &e->net, e->weights, 1, &input, &e->data);
    memcpy(raw, e->data.features, (size_t)e->size * sizeof *raw);
}
/* The function itself: frame -> raw [size]. Projections: pixels in [0, 1], scaled by 1/sqrt(inputs). */
RISEI_FN void risei_embedder_raw(const risei_device *d, risei_embedder *e, const uint8_t *frame,
                                 rise_real *raw)
{
    rise_real const unit = 1 / (rise_real)(255 * e->pool * e->pool);
    rise_real const root = risei_sqrt((rise_real)e->inputs);
    rise_product p;
    int i;
    if (e->kind == RISE_EMBED_USER) {
        e->fn(e->user, frame, e->floats, e->size);
        for (i = 0; i < e->size; i++) raw[i] = e->floats[i];
        return;
    }
    if (e->kind == RISE_EMBED_RESNET18) {
        risei_resnet_forward(d, e->resnet, frame, raw);
        return;
    }
    if (e->net.layers > 0) {
        risei_embedder_conv(d, e, frame, raw);
        return;
    }
    if (e->kind == RISE_EMBED_DOWNSAMPLE) {
        risei_embedder_downsample(e, frame, raw);
        return;
    }
    risei_embedder_pool(e, frame);
    if (e->kind == RISE_EMBED_GAUSSIAN) {
        memset(&p, 0, sizeof p);
        for (i = 0; i < e->inputs; i++) e->x[i] = (rise_real)e->pooled[i] * (unit / root);
        p.m = 1, p.n = e->size, p.k = e->inputs;
        p.a = rise_matrix_plain(e->x, e->inputs);
        p.b = rise_matrix_plain(e->matrix, e->size);
        p.c = rise_matrix_plain(raw, e->size);
        risei_product(d, &p);
        return;
    }
    if (e->kind == RISE_EMBED_SPARSE)
        d->kernels->project_ternary(e->inputs, e->pooled, e->size, e->ternary, e->sums);
    else
        d->kernels->project_signs(e->inputs, e->pooled, e->size, e->seed, e->sums);
    for (i = 0; i < e->size; i++)
        raw[i] = (rise_real)e->sums[i] * (unit / root) *
                 (e->kind == RISE_EMBED_SPARSE ? risei_sqrt((rise_real)3) : 1);
}
/* frame -> embedding [size]: raw while the statistics are gathered, standardised once they are frozen. */
RISEI_FN void risei_embed(const risei_device *d, risei_embedder *e, const uint8_t *frame,
                          rise_real *out)
{
    int i;
    risei_embedder_raw(d, e, frame, out);
    for (i = 0; i < e->size && e->frozen; i++) {
        rise_real const z = (out[i] - e->shift[i]) * e->gain[i];
        out[i] = z > RISEI_EMBED_LIMIT    ? RISEI_EMBED_LIMIT
                 : z < -RISEI_EMBED_LIMIT ? -RISEI_EMBED_LIMIT
                                          : z;
    }
}
RISEI_FN void risei_embedder_observe(risei_embedder *e, const rise_real *raw)
{
    int i;
    e->seen++;
    for (i = 0; i < e->size; i++) {
        double const before = (double)raw[i] - e->mean[i];
        e->mean[i] = e->mean[i] + before / (double)e->seen;
        e->spread[i] = e->spread[i] + before * ((double)raw[i] - e->mean[i]);
    }
}
/* shift and gain from the statistics so far */
RISEI_FN void risei_embedder_freeze(risei_embedder *e)
{
    int i;
    e->frozen = 1;
    for (i = 0; i < e->size; i++) {
        double const variance = e->seen > 0 ? e->spread[i] / (double)e->seen : 1;
        e->shift[i] = (rise_real)e->mean[i];
        e->gain[i] = (rise_real)(1 / sqrt(variance + 1e-6));
    }
}

/* 16-bit floats (IEEE 754 binary16), rounded to nearest even. Below 2^-14 becomes 0, so that no denormal is ever met. */
RISEI_FN uint16_t risei_half(rise_real x)
{
    float const f = (float)x;
    uint32_t bits, sign, size;
    memcpy(&bits, &f, sizeof bits);
    sign = bits >> 16 & 0x8000u, size = bits & 0x7FFFFFFFu;
    if (size > 0x477FE000u) return (uint16_t)(sign | 0x7BFFu); /* 65504, the largest */
    if (size < 0x38800000u) return (uint16_t)sign;
    return (uint16_t)(sign | ((size + 0x0FFFu + (size >> 13 & 1u) - 0x38000000u) >> 13));
}

/* ---------------------------------------------------------------------------------------------- */
/* >>replay: history of frames, transitions in it, priorities over them */

/*  A lane is one game's life as a ring of slots: slot `at` (counted from the first, for ever) holds a frame, its embedding, the
    reward that came with it, and the action then taken. A last frame has a slot too: truncated episodes bootstrap from it. */
typedef struct risei_history {
    int lanes, capacity; /* slots a lane */
    int frame_bytes, size, f32, mask_bytes;
    int64_t *written; /* [lanes] slots ever written */
    uint8_t *frames;  /* [lanes][capacity][frame_bytes] */
    uint16_t *half;   /* [lanes][capacity][size]: embeddings, 16-bit */
    rise_real *full;  /*                          or 32-bit */
    float *rewards;
    int16_t *actions;
    uint8_t *events; /* rise_event; RISE_TRUNCATED also where an episode was cut */
    int32_t *index;  /* frames since the episode's first */
    uint8_t *masks;  /* [lanes][capacity][mask_bytes]: allowed actions, a bit each */
    /* numbers of a recurrent state that is kept: h, then an LSTM's c; 0: none is */
    int state;
    /* [lanes][capacity][state]: before the frame was seen; 16-bit or 32-bit as embeddings */
    uint16_t *half_state;
    rise_real *full_state;
} risei_history;

RISEI_FN void risei_history_layout(risei_arena *arena, risei_history *h)
{
    size_t const slots = risei_times((size_t)h->lanes, (size_t)h->capacity);
    h->written = RISEI_TAKE(arena, int64_t, h->lanes);
    h->frames = RISEI_TAKE(arena, uint8_t, risei_times(slots, (size_t)h->frame_bytes));
    h->half = RISEI_TAKE(arena, uint16_t, h->f32 ? 0 : risei_times(slots, (size_t)h->size));
    h->full = RISEI_TAKE(arena, rise_real, h->f32 ? risei_times(slots, (size_t)h->size) : 0);
    h->rewards = RISEI_TAKE(arena, float, slots);
    h->actions = RISEI_TAKE(arena, int16_t, slots);
    h->events = RISEI_TAKE(arena, uint8_t, slots);
    h->index = RISEI_TAKE(arena, int32_t, slots);
    h->masks = RISEI_TAKE(arena, uint8_t, risei_times(slots, (size_t)h->mask_bytes));
    h->half_state = RISEI_TAKE(arena, uint16_t, h->f32 ? 0 : risei_times(slots, (size_t)h->state));
    h->full_state = RISEI_TAKE(arena, rise_real, h->f32 ? risei_times(slots, (size_t)h->state) : 0);
}
RISEI_FN ptrdiff_t risei_slot(const risei_history *h, int lane, int64_t at)
{
    return (ptrdiff_t)lane * h->capacity + (ptrdiff_t)(at % h->capacity);
}
RISEI_FN int risei_is_last(int event) { return event >= RISE_TERMINATED; }
RISEI_FN int64_t risei_history_oldest(const risei_history *h, int lane)
{
    return h->written[lane] > h->capacity ? h->written[lane] - h->capacity : 0;
}
/* What is allowed in the state of a slot, as bits, or NULL for all. */
RISEI_FN const uint8_t *risei_mask(const risei_history *h, ptrdiff_t slot)
{
    return h->mask_bytes > 0 ? h->masks + slot * h->mask_bytes : NULL;
}
/* Is the lane between episodes? */
RISEI_FN int risei_history_ended(const risei_history *h, int lane)
{
    return h->written[lane] == 0 ||
           risei_is_last(h->events[risei_slot(h, lane, h->written[lane] - 1)]);
}
RISEI_FN void risei_history_embed(risei_history *h, ptrdiff_t slot, const rise_real *embedding)
{
    int i;
    for (i = 0; i < h->size && !h->f32; i++) h->half[slot * h->size + i] = risei_half(embedding[i]);
    if (h->f32 && h->size > 0)
        memcpy(h->full + slot * h->size, embedding, (size_t)h->size * sizeof *embedding);
}
/* Keeps a part of the state, `count` numbers from `from` on; and brings it back. */
RISEI_FN void risei_history_keep(risei_history *h, ptrdiff_t slot, int from, int count,
                                 const rise_real *state)
{
    ptrdiff_t const at = slot * h->state + from;
    int i;
    for (i = 0; i < count && !h->f32; i++) h->half_state[at + i] = risei_half(state[i]);
    if (h->f32) memcpy(h->full_state + at, state, (size_t)count * sizeof *state);
}
RISEI_FN void risei_history_recall(const rise_kernels *k, const risei_history *h, ptrdiff_t slot,
                                   int from, int count, rise_real *state)
{
    ptrdiff_t const at = slot * h->state + from;
    if (h->f32)
        memcpy(state, h->full_state + at, (size_t)count * sizeof *state);
    else
        k->unhalf(count, h->half_state + at, state);
}
/* An endless episode stays valid. */
RISEI_FN int32_t risei_after(int32_t index) { return index < INT32_MAX ? index + 1 : index; }
/* Writes the next slot; returns its number. `embedding` [size]; `allowed` [actions] bytes or NULL. */
RISEI_FN int64_t risei_history_append(risei_history *h, int lane, const uint8_t *frame,
                                      const rise_real *embedding, float reward, int event,
                                      const uint8_t *allowed, int actions)
{
    int64_t const at = h->written[lane]++;
    ptrdiff_t const slot = risei_slot(h, lane, at);
    int i;
    memcpy(h->frames + slot * h->frame_bytes, frame, (size_t)h->frame_bytes);
    risei_history_embed(h, slot, embedding);
    h->index[slot] = event == RISE_FIRST ? 0 : risei_after(h->index[risei_slot(h, lane, at - 1)]);
    h->rewards[slot] = event == RISE_FIRST ? 0 : reward;
    h->events[slot] = (uint8_t)event;
    h->actions[slot] = 0;
    for (i = 0; i < h->mask_bytes; i++) h->masks[slot * h->mask_bytes + i] = 0;
    for (i = 0; i < actions && h->mask_bytes > 0; i++)
        if (allowed == NULL || allowed[i] != 0)
            h->masks[slot * h->mask_bytes + i / 8] =
                (uint8_t)(h->masks[slot * h->mask_bytes + i / 8] | 1u << (i % 8));
    return at;
}
RISEI_FN int risei_allowed(const risei_history *h, ptrdiff_t slot, int action)
{
    return h->mask_bytes == 0 ||
           (h->masks[slot * h->mask_bytes + action / 8] >> (action % 8) & 1) != 0;
}
/* The newest `stack` frames at slot `at`, oldest first. Before an episode's first frame there is only that frame. */
RISEI_FN void risei_history_stack(const risei_history *h, int lane, int64_t at, int stack,
                                  const uint8_t **frames)
{
    int const begun = h->index[risei_slot(h, lane, at)];
    int s;
    for (s = 0; s < stack; s++) {
        int const back = stack - 1 - s < begun ? stack - 1 - s : begun;
        frames[s] = h->frames + risei_slot(h, lane, at - back) * h->frame_bytes;
    }
}
/* What enters the cell at slot `at`: its embedding, then (extras > 0) the action before, one-hot, and the reward. */
RISEI_FN void risei_history_input(const rise_kernels *k, const risei_history *h, int lane,
                                  int64_t at, int extras, rise_real *out)
{
    ptrdiff_t const slot = risei_slot(h, lane, at);
    int i;
    if (!h->f32) k->unhalf(h->size, h->half + slot * h->size, out);
    if (h->f32 && h->size > 0) memcpy(out, h->full + slot * h->size, (size_t)h->size * sizeof *out);
    if (extras == 0) return;
    out += h->size;
    for (i = 0; i < extras; i++) out[i] = 0;
    if (h->index[slot] > 0) out[h->actions[risei_slot(h, lane, at - 1)]] = 1;
    out[extras - 1] = h->rewards[slot];
}
RISEI_FN void risei_history_refresh_slot(const risei_device *d, risei_history *h, ptrdiff_t slot,
                                         risei_embedder *e, rise_real *buffer)
{
    risei_embed(d, e, h->frames + slot * h->frame_bytes, buffer);
    risei_history_embed(h, slot, buffer);
}
/* Embeds every frame that is held once more: the standardisation has changed, or a file brought frames alone. */
RISEI_FN void risei_history_refresh(const risei_device *d, risei_history *h, risei_embedder *e,
                                    rise_real *buffer)
{
    int lane;
    int64_t at;
    for (lane = 0; lane < h->lanes; lane++)
        for (at = risei_history_oldest(h, lane); at < h->written[lane]; at++)
            risei_history_refresh_slot(d, h, risei_slot(h, lane, at), e, buffer);
}

/*  Prioritised replay (Schaul et al. 2016) over the transitions of a history: a sum tree whose leaf is priority^exponent, or 0
    where a slot cannot be sampled: it is a last frame, its n-step future is not there yet, or its past is overwritten. */
#define RISEI_LEVELS 22 /* 8^21 = 2^63 */
typedef struct risei_replay {
    risei_history history;
    int reach; /* slots before a transition that its stack or window may need */
    int n_step;
    /* multiples of so many steps of an episode can be sampled, and its last */
    int stride;
    double discount;
    /* level upon level, the leaves first: entry i has entries 8i .. 8i+7 of the level beneath */
    double *tree;
    int levels;
    ptrdiff_t level[RISEI_LEVELS]; /* where each starts */
    int64_t ready;                 /* leaves that are not 0 */
    /* the largest priority^exponent so far: what new transitions get */
    double top;
} risei_replay;

RISEI_FN void risei_replay_layout(risei_arena *arena, risei_replay *r)
{
    int64_t width = (int64_t)r->history.lanes * r->history.capacity;
    ptrdiff_t taken = 0;
    risei_history_layout(arena, &r->history);
    for (r->levels = 0;; width = (width + 7) / 8) {
        r->level[r->levels++] = taken;
        taken += (ptrdiff_t)((width + 7) / 8 * 8);
        if (width == 1) break;
    }
    r->tree = RISEI_TAKE(arena, double, taken);
    r->top = 1;
}
RISEI_FN double risei_tree_total(const risei_replay *r) { return r->tree[r->level[r->levels - 1]]; }
/* Eight entries are one cache line, so that one miss goes three levels of a binary tree down, whose sums these are. */
RISEI_FN void risei_tree_set(risei_replay *r, ptrdiff_t slot, double value)
{
    int l;
    r->ready += (value > 0) - (r->tree[slot] > 0);
    r->tree[slot] = value;
    for (l = 1; l < r->levels; l++) {
        const double *x = r->tree + r->level[l - 1] + slot / 8 * 8;
        slot /= 8;
        r->tree[r->level[l] + slot] = ((x[0] + x[1]) + (x[2] + x[3])) +
                                      ((x[4] + x[5]) + (x[6] + x[7]));
    }
}
/* Left or right? */
RISEI_IN int risei_tree_turn(double left, double right, double *mass)
{
    int const right_on = !(*mass < left) && right > 0;
    *mass -= right_on ? left : 0;
    return right_on;
}
/* Goes down from the root to the leaves in whose shares mass[i], 0 <= mass < total, fall; never to one that is 0, whatever
   rounding did. total > 0. All go down together, a level at a time, so that the processor waits for many lines at once. */
RISEI_FN void risei_tree_find(const risei_replay *r, int count, double *mass, ptrdiff_t *leaf)
{
    int l, i;
    for (i = 0; i < count; i++) leaf[i] = 0;
    for (l = r->levels - 2; l >= 0; l--)
        for (i = 0; i < count; i++) {
            const double *x = r->tree + r->level[l] + 8 * leaf[i];
            int at = 4 * risei_tree_turn((x[0] + x[1]) + (x[2] + x[3]),
                                         (x[4] + x[5]) + (x[6] + x[7]), &mass[i]);
            at += 2 * risei_tree_turn(x[at] + x[at + 1], x[at + 2] + x[at + 3], &mass[i]);
            at += risei_tree_turn(x[at], x[at + 1], &mass[i]);
            leaf[i] = 8 * leaf[i] + at;
        }
}
RISEI_FN int risei_replay_whole(const risei_replay *r, int lane, int64_t at)
{
    int const begun = r->history.index[risei_slot(&r->history, lane, at)];
    return at - (begun < r->reach ? begun : r->reach) >= risei_history_oldest(&r->history, lane);
}
/* The transition at slot `at` has its future: it can be sampled from now on, if its past is still there. */
RISEI_FN void risei_replay_enable(risei_replay *r, int lane, int64_t at)
{
    const risei_history *h = &r->history;
    ptrdiff_t const slot = risei_slot(h, lane, at);
    if (at < risei_history_oldest(h, lane) || r->tree[slot] > 0) return;
    if (r->stride > 1 && (h->index[slot] + 1) % r->stride != 0 &&
        !risei_is_last(h->events[risei_slot(h, lane, at + 1)]))
        return;
    if (risei_replay_whole(r, lane, at)) risei_tree_set(r, slot, r->top);
}
/* The episode ends at slot `at`: transitions with fewer than n steps before it are complete, too. */
RISEI_FN void risei_replay_end(risei_replay *r, int lane, int64_t at)
{
    int const begun = r->history.index[risei_slot(&r->history, lane, at)];
    int back;
    for (back = 1; back <= r->n_step && back <= begun; back++)
        risei_replay_enable(r, lane, at - back);
}
RISEI_FN void risei_replay_append(risei_replay *r, int lane, const uint8_t *frame,
                                  const rise_real *embedding, float reward, int event,
                                  const uint8_t *allowed, int actions)
{
    risei_history *h = &r->history;
    int64_t const next = h->written[lane];
    int64_t at;
    int ahead;
    /* the game was reset without a word: a truncation */
    if (event == RISE_FIRST && !risei_history_ended(h, lane)) {
        h->events[risei_slot(h, lane, next - 1)] = RISE_TRUNCATED;
        risei_replay_end(r, lane, next - 1);
    }
    /* the oldest slot goes, and with it all transitions whose past it is */
    if (next >= h->capacity) {
        risei_tree_set(r, risei_slot(h, lane, next), 0);
        for (ahead = 1; ahead <= r->reach && ahead < h->capacity; ahead++) {
            ptrdiff_t const slot = risei_slot(h, lane, next - h->capacity + ahead);
            if (h->index[slot] >= ahead && r->tree[slot] > 0) risei_tree_set(r, slot, 0);
        }
    }
    at = risei_history_append(h, lane, frame, embedding, reward, event, allowed, actions);
    if (risei_is_last(event))
        risei_replay_end(r, lane, at);
    else if (h->index[risei_slot(h, lane, at)] >= r->n_step)
        risei_replay_enable(r, lane, at - r->n_step);
}

/* A transition: n-step return and what follows it. */
typedef struct risei_transition {
    int lane;
    int64_t at;
    int action;
    int steps;        /* rewards summed: n, or fewer where the episode ended */
    rise_real reward; /* r_1 + discount r_2 + ... */
    /* of the value at slot at + steps: discount^steps, or 0 where the episode terminated */
    rise_real discount;
    double priority; /* its leaf */
    int absent;      /* it stands for one from before its episode, and counts for nothing */
} risei_transition;

RISEI_FN risei_transition risei_replay_transition(const risei_replay *r, ptrdiff_t slot)
{
    const risei_history *h = &r->history;
    risei_transition t;
    double discount = 1, sum = 0;
    int64_t newest, behind;
    memset(&t, 0, sizeof t);
    t.lane = (int)(slot / h->capacity);
    newest = h->written[t.lane] - 1;
    behind = (newest - slot % h->capacity) % h->capacity;
    t.at = newest - behind;
    t.action = h->actions[slot];
    t.priority = r->tree[slot];
    for (t.steps = 1;; t.steps++) {
        ptrdiff_t const next = risei_slot(h, t.lane, t.at + t.steps);
        sum += discount * (double)h->rewards[next];
        discount *= r->discount;
        if (h->events[next] == RISE_TERMINATED) discount = 0;
        if (risei_is_last(h->events[next]) || t.steps == r->n_step) break;
    }
    t.reward = (rise_real)sum;
    t.discount = (rise_real)discount;
    return t;
}
/* `count` transitions in proportion to their leaves, one from each equal share of the total. ready > 0. */
RISEI_FN void risei_replay_sample(const risei_replay *r, risei_random *random, int count,
                                  risei_transition *out)
{
    const risei_history *h = &r->history;
    double const share = risei_tree_total(r) / count;
    double mass[64];
    ptrdiff_t leaf[64];
    int from, i;
    for (from = 0; from < count; from += 64) {
        int const some = count - from < 64 ? count - from : 64;
        for (i = 0; i < some; i++) mass[i] = (from + i + (double)risei_uniform(random)) * share;
        risei_tree_find(r, some, mass, leaf);
        for (i = 0; i < some; i++) { /* what the transitions will read, all over the buffer */
            RISEI_PREFETCH(h->actions + leaf[i]);
            RISEI_PREFETCH(h->rewards + leaf[i] + 1);
            RISEI_PREFETCH(h->events + leaf[i] + 1);
        }
        for (i = 0; i < some; i++) out[from + i] = risei_replay_transition(r, leaf[i]);
    }
}
/* weights [count]: (probability / least probability)^-exponent, so the largest is 1 */
RISEI_FN void risei_replay_weights(const rise_kernels *k, int count, const risei_transition *t,
                                   double exponent, rise_real *weights)
{
    double least = t[0].priority;
    int i;
    for (i = 1; i < count; i++) least = t[i].priority < least ? t[i].priority : least;
    for (i = 0; i < count; i++) weights[i] = (rise_real)(t[i].priority / least);
    k->log(count, weights, weights);
    for (i = 0; i < count; i++) weights[i] = weights[i] * (rise_real)-exponent;
    k->exp(count, weights, weights);
    for (i = 0; i < count; i++) weights[i] = t[i].absent ? 0 : weights[i];
}
/* Priorities (|td| + 0.001)^exponent; `work` [count]. What was overwritten or disabled since sampling is passed over. */
RISEI_FN void risei_replay_update(risei_replay *r, const rise_kernels *k, int count,
                                  const risei_transition *t, const rise_real *td, double exponent,
                                  rise_real *work)
{
    int i;
    for (i = 0; i < count; i++) work[i] = risei_abs(td[i]) + (rise_real)0.001;
    k->log(count, work, work);
    for (i = 0; i < count; i++) work[i] = work[i] * (rise_real)exponent;
    k->exp(count, work, work);
    for (i = 0; i < count; i++) {
        ptrdiff_t const slot = risei_slot(&r->history, t[i].lane, t[i].at);
        double const priority = (double)work[i];
        if (t[i].absent || t[i].at < risei_history_oldest(&r->history, t[i].lane) ||
            !(r->tree[slot] > 0))
            continue;
        /* infinity and NaN, which exp and log would hide */
        if (!(risei_abs(td[i]) <= (rise_real)FLT_MAX)) continue;
        if (priority > r->top) r->top = priority;
        risei_tree_set(r, slot, priority);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* >>targets: pure functions from arrays to arrays */

/* The largest of n values among those allowed (bits, or NULL); the first of equals. NaN is never larger. */
RISEI_FN int risei_best(int n, const rise_real *q, const uint8_t *allowed)
{
    int i, best = -1;
    for (i = 0; i < n; i++) {
        if (allowed != NULL && (allowed[i / 8] >> (i % 8) & 1) == 0) continue;
        if (best < 0 || q[i] > q[best]) best = i;
    }
    return best < 0 ? 0 : best;
}
/* Rescaled values (Pohlen et al. 2018): h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x, and its inverse, exact to rounding. */
#define RISEI_RESCALE 0.001
RISEI_FN rise_real risei_squash(rise_real x)
{
    double const size = fabs((double)x), y = sqrt(size + 1) - 1 + RISEI_RESCALE * size;
    return (rise_real)(x < 0 ? -y : y);
}
RISEI_FN rise_real risei_unsquash(rise_real y)
{
    double const size = fabs((double)y);
    double const root = sqrt(1 + 4 * RISEI_RESCALE * (size + 1 + RISEI_RESCALE)) - 1;
    double const x = root / (2 * RISEI_RESCALE) * (root / (2 * RISEI_RESCALE)) - 1;
    return (rise_real)(y < 0 ? -x : x);
}
/* log softmax(q / temperature) over the allowed of n actions, -infinity for the others; safe at any temperature. */
RISEI_FN void risei_log_policy(const rise_kernels *k, int n, const rise_real *q,
                               const uint8_t *allowed, rise_real temperature, rise_real *log_policy)
{
    rise_real const most = q[risei_best(n, q, allowed)];
    rise_real sum = 0, part;
    int i;
    for (i = 0; i < n; i++) {
        log_policy[i] = (q[i] - most) / temperature;
        if (allowed != NULL && (allowed[i / 8] >> (i % 8) & 1) == 0)
            log_policy[i] = -(rise_real)HUGE_VALF;
        k->exp(1, &log_policy[i], &part);
        /* less is nothing beside the largest, which is 1 */
        if (log_policy[i] >= -80) sum = sum + part;
    }
    k->log(1, &sum, &sum);
    for (i = 0; i < n; i++) log_policy[i] = log_policy[i] - sum;
}
/* C51's projection: the odds `next` of the atoms of reward + discount z, shared out between the atoms beside each. A terminated
   transition (discount 0) is worth its reward, whatever `next` is. */
RISEI_FN void risei_project(int atoms, double low, double high, rise_real reward,
                            rise_real discount, const rise_real *next, rise_real *odds)
{
    double const step = (high - low) / (atoms - 1);
    int const sure = !(discount > 0);
    int t, at;
    for (t = 0; t < atoms; t++) odds[t] = 0;
    for (t = 0; t < (sure ? 1 : atoms); t++) {
        double const value = (double)reward + (sure ? 0 : (double)discount * (low + step * t));
        double const place = ((value < low ? low : value > high ? high : value) - low) / step;
        rise_real const odd = sure ? 1 : next[t];
        rise_real share;
        at = (int)place < atoms - 1 ? (int)place : atoms - 2;
        share = (rise_real)(place - at);
        odds[at] = odds[at] + odd * (1 - share);
        odds[at + 1] = odds[at + 1] + odd * share;
    }
}
/* Huber loss of td = target - q with threshold 1; *dq is its derivative by q. */
RISEI_FN rise_real risei_huber(rise_real td, rise_real *dq)
{
    rise_real const size = risei_abs(td);
    *dq = size <= 1 ? -td : td > 0 ? (rise_real)-1 : (rise_real)1;
    return size <= 1 ? td * td * (rise_real)0.5 : size - (rise_real)0.5;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>describe: defaults, ranges, and the sentences about them */

typedef struct risei_field {
    const char *name;
    size_t at;
    int real; /* double, else int or an enum */
    double low, high;
    const char *words; /* of an enum's values, from 0 on; NULL for numbers */
} risei_field;

#define RISEI_INT(field, low, high) {#field, offsetof(rise_agent_desc, field), 0, low, high, NULL}
#define RISEI_DOUBLE(field, low, high)                                                             \
    {#field, offsetof(rise_agent_desc, field), 1, low, high, NULL}
#define RISEI_WORDS(field, last, words)                                                            \
    {#field, offsetof(rise_agent_desc, field), 0, 0, last, words}
/* Every field that a file holds, in the order in which it does; the first have no default. */
enum { RISEI_REQUIRED = 3 };
static const risei_field risei_fields[] = {
    RISEI_INT(frame_width, 1, 1024),
    RISEI_INT(frame_height, 1, 1024),
    RISEI_INT(actions, 1, 256),
    RISEI_INT(frame_channels, 1, 16),
    RISEI_INT(frame_stack, 1, RISEI_MOST_STACK),
    RISEI_INT(action_masks, 0, 1),
    RISEI_INT(environments, 1, 4096),
    RISEI_INT(players, 1, 4096),
    RISEI_INT(play_only, 0, 1),
    RISEI_WORDS(memory, RISE_MEMORY_FULL, "rise none full"),
    RISEI_INT(window, 1, 1024),
    RISEI_INT(window_samples, 1, 64),
    RISEI_INT(window_stride, 1, 1024),
    RISEI_INT(burn_in, 0, 1023),
    RISEI_INT(stored_state, 0, 1),
    RISEI_WORDS(cell, RISE_CELL_MINGRU, "auto lstm gru mingru"),
    RISEI_INT(recurrent_units, 1, 4096),
    RISEI_WORDS(fusion, RISE_FUSION_SUM, "concat gate sum"),
    RISEI_DOUBLE(context_scale, 1e-6, 100),
    RISEI_INT(carry_state, 0, 1),
    RISEI_INT(feed_action, 0, 1),
    RISEI_WORDS(embedding, RISE_EMBED_SNAPSHOT,
                "auto signs gaussian sparse conv downsample user resnet18 snapshot"),
    RISEI_INT(snapshot_steps, 0, 1e9),
    RISEI_INT(embedding_size, 1, 8192),
    RISEI_INT(embedding_pool, 1, 64),
    RISEI_INT(embedding_f32, 0, 1),
    RISEI_WORDS(network, RISE_NETWORK_IMPALA, "auto small nature custom impala"),
    RISEI_INT(conv_count, 1, RISE_MAX_CONV),
    RISEI_INT(network_width, 1, 16),
    RISEI_INT(pool_to, -1, 64),
    RISEI_INT(spectral_norm, 0, 1),
    RISEI_INT(features, -1, 8192),
    RISEI_INT(head_units, 1, 8192),
    RISEI_INT(no_dueling, 0, 1),
    RISEI_INT(layer_norm, 0, 1),
    RISEI_INT(noisy, 0, 1),
    RISEI_WORDS(head, RISE_HEAD_IQN, "mean c51 iqn"),
    RISEI_INT(atoms, 2, 256),
    RISEI_DOUBLE(value_min, -1e9, 1e9),
    RISEI_DOUBLE(value_max, -1e9, 1e9),
    RISEI_INT(quantiles, 1, 256),
    RISEI_INT(batch, 1, 4096),
    RISEI_INT(n_step, 1, 64),
    RISEI_DOUBLE(discount, 1e-6, 1),
    RISEI_DOUBLE(learning_rate, 1e-12, 1),
    RISEI_INT(learning_rate_steps, 0, 1e9),
    RISEI_DOUBLE(adam_epsilon, 1e-12, 1),
    RISEI_DOUBLE(gradient_clip, -1, 1e12),
    RISEI_INT(no_double, 0, 1),
    RISEI_INT(target_period, 1, 1e9),
    RISEI_DOUBLE(target_rate, 1e-6, 1),
    RISEI_INT(munchausen, 0, 1),
    RISEI_DOUBLE(munchausen_scale, -1, 1),
    RISEI_DOUBLE(temperature, 1e-6, 1e6),
    RISEI_INT(value_rescale, 0, 1),
    RISEI_INT(replay_capacity, 1, 1e9),
    RISEI_INT(learn_start, 1, 1e9),
    RISEI_INT(learn_period, 1, 1e6),
    RISEI_INT(learn_outside, 0, 1),
    RISEI_DOUBLE(priority_exponent, -1, 1),
    RISEI_DOUBLE(priority_mix, 0, 1),
    RISEI_DOUBLE(importance_exponent, -1, 1),
    RISEI_DOUBLE(epsilon_start, -1, 1),
    RISEI_DOUBLE(epsilon_end, -1, 1),
    RISEI_INT(epsilon_steps, 1, 1e9)};
#define RISEI_CONV(field, low, high) {#field, offsetof(rise_conv, field), 0, low, high, NULL}
static const risei_field risei_conv_fields[] = {
    RISEI_CONV(filters, 1, 1024), RISEI_CONV(size, 1, 64),
    RISEI_CONV(stride, 1, 64),    RISEI_CONV(pad, 0, 32),
    RISEI_CONV(pool, 0, 64),      RISEI_CONV(pool_stride, 0, 64),
    RISEI_CONV(pool_pad, 0, 63),  RISEI_CONV(residual, 0, RISEI_UNITS)};
#undef RISEI_CONV
#undef RISEI_WORDS
#undef RISEI_INT
#undef RISEI_DOUBLE
#define RISEI_COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

RISEI_FN double risei_field_get(const risei_field *field, const void *object)
{
    double real;
    int integer;
    memcpy(&real, (const char *)object + field->at, field->real ? sizeof real : 0);
    memcpy(&integer, (const char *)object + field->at, field->real ? 0 : sizeof integer);
    return field->real ? real : integer;
}

RISEI_FN void risei_field_put(const risei_field *field, void *object, double value)
{
    int const integer = field->real ? 0 : (int)value;
    memcpy((char *)object + field->at, field->real ? (const void *)&value : (const void *)&integer,
           field->real ? sizeof value : sizeof integer);
}
RISEI_FN const risei_field *risei_field_named(const risei_field *fields, int count,
                                              const char *name, size_t length)
{
    int i;
    for (i = 0; i < count; i++)
        if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
            return &fields[i];
    return NULL;
}
/* Which of the words, which spaces divide, is `text`? -1: none */
RISEI_FN int risei_word(const char *words, const char *text)
{
    size_t const length = strlen(text);
    int i = 0;
    for (; words != NULL && *words != 0; i++) {
        size_t const here = strcspn(words, " ");
        if (here == length && memcmp(words, text, length) == 0) return i;
        words += here + strspn(words + here, " ");
    }
    return -1;
}
/* Word i of the words, as many letters as *length says. */
RISEI_FN const char *risei_word_at(const char *words, int i, int *length)
{
    while (i-- > 0) words += strcspn(words, " ") + 1;
    *length = (int)strcspn(words, " ");
    return words;
}
/* A field's value from text; 0 if that is none */
RISEI_FN int risei_field_read(const risei_field *field, const char *text, double *value)
{
    int const word = risei_word(field->words, text);
    char *end;
    *value = word >= 0 ? word : strtod(text, &end);
    if (word >= 0) return 1;
    return end > text && *end == 0 &&
           (field->real || (*value > -2e9 && *value < 2e9 && *value == floor(*value)));
}
RISE_API rise_result rise_agent_set(rise_agent_desc *desc, const char *text, rise_error *error)
{
    int const length = (int)strcspn(text, "="), shown = length < 60 ? length : 60;
    const risei_field *field =
        risei_field_named(risei_fields, RISEI_COUNT(risei_fields), text, (size_t)length);
    void *object = desc;
    double value;
    if (text[length] != '=')
        return risei_fail(error, RISE_BAD_DESC, "\"%.60s\" is not of the form field=value", text);
    if (length > 8 && memcmp(text, "conv[", 5) == 0 && text[5] >= '0' &&
        text[5] < '0' + RISE_MAX_CONV && text[6] == ']') {
        field = risei_field_named(risei_conv_fields, RISEI_COUNT(risei_conv_fields), text + 8,
                                  (size_t)length - 8);
        object = &desc->conv[text[5] - '0'];
    }
    text += length + 1;
    if (length == 4 && memcmp(text - 5, "seed", 4) == 0) {
        char *end;
        desc->seed = strtoull(text, &end, 10);
        if (*end == 0 && end > text) return RISE_OK;
        return risei_fail(error, RISE_BAD_DESC, "seed is \"%.40s\"; it must be a whole number",
                          text);
    }
    if (field == NULL)
        return risei_fail(error, RISE_BAD_DESC, "there is no field \"%.*s\"", shown,
                          text - length - 1);
    if (!risei_field_read(field, text, &value))
        return risei_fail(error, RISE_BAD_DESC, "%s is \"%.40s\"; it must be %s%s", field->name,
                          text,
                          field->words != NULL ? "one of "
                          : field->real        ? "a number"
                                               : "a whole number",
                          field->words != NULL ? field->words : "");
    risei_field_put(field, object, value);
    return RISE_OK;
}
RISEI_FN void risei_describe(const risei_field *fields, int count, const void *object,
                             const char *prefix, rise_log_fn fn, void *user)
{
    char text[120];
    int i, length;
    for (i = 0; i < count; i++) {
        double const value = risei_field_get(&fields[i], object);
        const char *word = fields[i].words;
        if (word != NULL && value >= 0 && value <= fields[i].high) {
            word = risei_word_at(word, (int)value, &length);
            snprintf(text, sizeof text, "%s%s=%.*s", prefix, fields[i].name, length, word);
        } else
            snprintf(text, sizeof text, "%s%s=%.10g", prefix, fields[i].name, value);
        fn(user, text);
    }
}
RISE_API void rise_agent_describe(const rise_agent_desc *desc, rise_log_fn fn, void *user)
{
    char text[40];
    int l;
    risei_describe(risei_fields, RISEI_COUNT(risei_fields), desc, "", fn, user);
    for (l = 0; l < desc->conv_count && l < RISE_MAX_CONV; l++) {
        snprintf(text, sizeof text, "conv[%d].", l);
        risei_describe(risei_conv_fields, RISEI_COUNT(risei_conv_fields), &desc->conv[l], text, fn,
                       user);
    }
    snprintf(text, sizeof text, "seed=%.0f", (double)desc->seed);
    fn(user, text);
}

/* What the authors of each preset chose, where it is not the default here, in the form of rise_agent_set. */
static const char *const risei_presets[][24] = {
    {"no_double=1", "no_dueling=1", "n_step=1", "priority_exponent=-1", "importance_exponent=-1",
     "learning_rate=6.25e-5", "adam_epsilon=1.5e-4", "gradient_clip=-1", "target_period=2000",
     "learn_start=20000", "replay_capacity=1000000", "epsilon_end=0.01", "epsilon_steps=250000"},
    {"head=c51", "noisy=1", "learning_rate=6.25e-5", "adam_epsilon=1.5e-4", "target_period=2000",
     "learn_start=20000", "replay_capacity=1000000", "epsilon_start=-1", "epsilon_end=-1"},
    {"head=iqn", "noisy=1", "munchausen=1", "network=impala", "spectral_norm=1", "environments=64",
     "learn_period=64", "batch=256", "discount=0.997", "learning_rate=1e-4", "target_period=500",
     "priority_exponent=0.2", "importance_exponent=0.2", "replay_capacity=1048576",
     "learn_start=200000", "epsilon_end=0.01", "epsilon_steps=2000000"},
    {"cell=lstm",
     "window=41",
     "window_samples=40",
     "window_stride=40",
     "burn_in=40",
     "stored_state=1",
     "carry_state=1",
     "feed_action=1",
     "batch=2560",
     "n_step=5",
     "discount=0.997",
     "value_rescale=1",
     "priority_mix=0.9",
     "priority_exponent=0.9",
     "importance_exponent=0.6",
     "target_period=2500",
     "learning_rate=1e-4",
     "adam_epsilon=1e-3",
     "replay_capacity=1000000",
     "learn_start=20000",
     "learn_period=64",
     "epsilon_end=0.01",
     "epsilon_steps=250000"}};
RISE_API void rise_agent_preset(rise_agent_desc *desc, rise_preset preset)
{
    int i;
    for (i = 0; i < RISEI_COUNT(risei_presets[0]) && risei_presets[preset][i] != NULL; i++) {
        const char *text = risei_presets[preset][i];
        const risei_field *field =
            risei_field_named(risei_fields, RISEI_COUNT(risei_fields), text, strcspn(text, "="));
        double const value = risei_field_get(field, desc);
        if (!(value < 0) && !(value > 0)) rise_agent_set(desc, text, NULL);
    }
}

RISEI_FN void risei_default(int *field, int value)
{
    if (*field == 0) *field = value;
}
RISEI_FN void risei_default_real(double *field, double value)
{
    /* zero, but not NaN */
    if (!(*field < 0) && !(*field > 0) && *field - *field == 0) *field = value;
}
RISEI_FN rise_conv risei_conv_desc(int filters, int size, int stride)
{
    rise_conv c;
    memset(&c, 0, sizeof c);
    c.filters = filters, c.size = size, c.stride = stride;
    return c;
}
/* The conv layers and what else depends on the kind of network. */
RISEI_FN void risei_default_network(rise_agent_desc *d)
{
    int const wide = d->frame_width > d->frame_height;
    int const larger = wide ? d->frame_width : d->frame_height;
    int const smaller = wide ? d->frame_height : d->frame_width;
    int l, small;
    if (d->network == RISE_NETWORK_AUTO)
        d->network = larger <= 32 || smaller < 36 ? RISE_NETWORK_SMALL : RISE_NETWORK_NATURE;
    small = d->network == RISE_NETWORK_SMALL;
    if (small) { /* MinAtar's (Young & Tian 2019) */
        d->conv_count = 1;
        d->conv[0] = risei_conv_desc(16, smaller < 3 ? smaller : 3, 1);
    } else if (d->network == RISE_NETWORK_NATURE) { /* Mnih et al. 2015 */
        d->conv_count = 3;
        d->conv[0] = risei_conv_desc(32, 8, 4);
        d->conv[1] = risei_conv_desc(64, 4, 2);
        d->conv[2] = risei_conv_desc(64, 3, 1);
    }
    risei_default(&d->network_width, 2);
    if (d->network == RISE_NETWORK_IMPALA) {
        d->conv_count = 3;
        for (l = 0; l < 3; l++) {
            d->conv[l] = risei_conv_desc((l == 0 ? 16 : 32) *
                                             (d->network_width < 16 ? d->network_width : 16),
                                         3, 1);
            d->conv[l].pad = 1, d->conv[l].pool = 3, d->conv[l].pool_stride = 2,
            d->conv[l].pool_pad = 1;
            d->conv[l].residual = 2;
        }
    }
    risei_default(&d->pool_to, d->network == RISE_NETWORK_IMPALA ? 6 : -1);
    for (l = 0; l < RISE_MAX_CONV && l < d->conv_count; l++) {
        risei_default(&d->conv[l].stride, 1);
        if (d->conv[l].pool > 0) risei_default(&d->conv[l].pool_stride, d->conv[l].pool);
    }
    risei_default(&d->features, small ? 128 : -1);
    risei_default(&d->head_units, small ? 64 : 512);
    risei_default(&d->recurrent_units, small ? 64 : 512);
    risei_default(&d->embedding_size, small ? 64 : 512);
    risei_default_real(&d->learning_rate, small ? 1e-3 : 1e-4);
    risei_default(&d->target_period, small ? 100 : 2000);
    risei_default(&d->replay_capacity, small ? 50000 : 200000);
    risei_default(&d->learn_start, small ? 1000 : 20000);
    risei_default(&d->epsilon_steps, small ? 10000 : 250000);
}
RISEI_FN void risei_default_all(rise_agent_desc *d)
{
    int const small = d->frame_width <= 32 && d->frame_height <= 32;
    risei_default(&d->frame_channels, 1);
    risei_default(&d->frame_stack, 4);
    if (d->cell == RISE_CELL_AUTO) d->cell = RISE_CELL_GRU;
    risei_default(&d->environments, 1);
    risei_default(&d->players, 1);
    risei_default(&d->threads, 1);
    risei_default(&d->window, 16);
    risei_default(&d->window_samples, 1);
    risei_default(&d->window_stride, 1);
    risei_default_real(&d->context_scale, d->memory != RISE_MEMORY_RISE ? 1 : small ? 0.5 : 0.05);
    if (d->embedding == RISE_EMBED_RESNET18) risei_default(&d->embedding_size, 512);
    risei_default_network(d);
    risei_default(&d->batch, 32);
    risei_default(&d->n_step, 3);
    risei_default_real(&d->discount, 0.99);
    risei_default_real(&d->adam_epsilon, 0.005 / (d->batch > 0 ? d->batch : 1));
    risei_default_real(&d->gradient_clip, 10);
    risei_default(&d->learn_period, 4);
    risei_default(&d->atoms, 51);
    if (!(d->value_min < 0) && !(d->value_max > 0)) { /* neither was given, if both are zero */
        risei_default_real(&d->value_min, -10);
        risei_default_real(&d->value_max, 10);
    }
    risei_default(&d->quantiles, 8);
    risei_default_real(&d->target_rate, 1);
    risei_default_real(&d->munchausen_scale, 0.9);
    risei_default_real(&d->temperature, 0.03);
    risei_default_real(&d->priority_exponent, 0.5);
    risei_default_real(&d->importance_exponent, 0.4);
    risei_default_real(&d->epsilon_start, 1);
    risei_default_real(&d->epsilon_end, d->network == RISE_NETWORK_SMALL ? 0.05 : 0.01);
    if (d->embedding_pool == 0)
        for (d->embedding_pool = 1; d->embedding_pool < 64; d->embedding_pool++)
            if (risei_ceil_div(d->frame_width, d->embedding_pool) *
                    risei_ceil_div(d->frame_height, d->embedding_pool) <=
                1024)
                break;
    if (d->embedding == RISE_EMBED_AUTO)
        d->embedding = small && d->frame_channels <= d->embedding_size ? RISE_EMBED_DOWNSAMPLE
                                                                       : RISE_EMBED_SIGNS;
    if (d->embedding == RISE_EMBED_DOWNSAMPLE) { /* the size is what the grid comes to */
        int columns, rows;
        risei_embedding_grid(d->frame_width, d->frame_height, d->frame_channels, d->embedding_size,
                             &columns, &rows);
        if (columns * rows * d->frame_channels <= d->embedding_size)
            d->embedding_size = columns * rows * d->frame_channels;
    }
}
/* Is the field within its range, or, where it `may_wait`, zero? */
RISEI_FN rise_result risei_check_range(const risei_field *field, const void *object,
                                       const char *prefix, int may_wait, rise_error *error)
{
    double const value = risei_field_get(field, object);
    if ((value >= field->low && value <= field->high) ||
        (may_wait && !(value < 0) && !(value > 0) && value - value == 0))
        return RISE_OK;
    return risei_fail(error, RISE_BAD_DESC, "%s%s is %g; it must be between %g and %g", prefix,
                      field->name, value, field->low, field->high);
}
/* Does each layer fit what the one before it leaves? */
RISEI_FN rise_result risei_check_conv(const rise_agent_desc *d, rise_error *error)
{
    int height = d->frame_height, width = d->frame_width;
    int channels = d->frame_channels * d->frame_stack;
    int l, i;
    for (l = 0; l < d->conv_count; l++) {
        const rise_conv *c = &d->conv[l];
        risei_parameters p;
        risei_conv made;
        char prefix[24];
        snprintf(prefix, sizeof prefix, "conv[%d].", l);
        for (i = 0; i < RISEI_COUNT(risei_conv_fields); i++)
            if (risei_check_range(&risei_conv_fields[i], c, prefix, 0, error) != RISE_OK)
                return RISE_BAD_DESC;
        if (c->size > height + 2 * c->pad || c->size > width + 2 * c->pad)
            return risei_fail(error, RISE_BAD_DESC,
                              "conv[%d].size is %d, but its input has only %d x %d pixels; make it "
                              "smaller or pad",
                              l, c->size, width + 2 * c->pad, height + 2 * c->pad);
        if (c->pool > 0 && c->pool_pad >= c->pool)
            return risei_fail(error, RISE_BAD_DESC,
                              "conv[%d].pool_pad is %d; it must be less than pool, %d", l,
                              c->pool_pad, c->pool);
        memset(&p, 0, sizeof p);
        made = risei_conv_make(&p, c, height, width, channels);
        if (c->pool > made.out_height + 2 * c->pool_pad ||
            c->pool > made.out_width + 2 * c->pool_pad)
            return risei_fail(error, RISE_BAD_DESC,
                              "conv[%d].pool is %d, but there are only %d x %d pixels to pool", l,
                              c->pool, made.out_width, made.out_height);
        height = made.pooled_height, width = made.pooled_width, channels = made.filters;
    }
    if (d->pool_to > height || d->pool_to > width)
        return risei_fail(
            error, RISE_BAD_DESC,
            "pool_to is %d, but the last conv layer leaves %d x %d pixels; make it smaller",
            d->pool_to, width, height);
    if (d->pool_to > 0) height = width = d->pool_to;
    if ((int64_t)height * width * channels > 1 << 22)
        return risei_fail(
            error, RISE_BAD_DESC,
            "the last conv layer leaves %d x %d x %d numbers; use larger strides or a pool", width,
            height, channels);
    return RISE_OK;
}
/* Steps of a window that is trained before its last one. */
RISEI_FN int risei_before(const rise_agent_desc *d)
{
    return d->memory != RISE_MEMORY_NONE ? d->window + d->window_samples - 2 : 0;
}
/* Slots before a transition that learning may look at. */
RISEI_FN int risei_reach(const rise_agent_desc *d)
{
    int const stack = d->frame_stack - 1, before = risei_before(d);
    int const window = before + (d->feed_action ? 1 : 0);
    if (d->memory == RISE_MEMORY_NONE) return stack;
    if (d->memory == RISE_MEMORY_FULL) return before + (stack > 0 ? stack : d->feed_action);
    return window > stack ? window : stack;
}
/* Does a ResNet-18 fit the description? */
RISEI_FN rise_result risei_check_resnet(const rise_agent_desc *d, rise_error *error)
{
    int const wide = d->frame_width >= RISEI_RESNET_SIDE;
    if (d->embedding_file == NULL)
        return risei_fail(
            error, RISE_BAD_DESC,
            "embedding_file is NULL; RISE_EMBED_RESNET18 needs the path of its weights");
    if (d->frame_channels != 1 && d->frame_channels != 3)
        return risei_fail(error, RISE_BAD_DESC,
                          "frame_channels is %d; RISE_EMBED_RESNET18 takes 1 or 3",
                          d->frame_channels);
    if (!wide || d->frame_height < RISEI_RESNET_SIDE)
        return risei_fail(
            error, RISE_BAD_DESC,
            "frame_%s is %d; RISE_EMBED_RESNET18 needs %d or more: enlarge the frames",
            wide ? "height" : "width", wide ? d->frame_height : d->frame_width, RISEI_RESNET_SIDE);
    if (d->embedding_size % 8 != 0)
        return risei_fail(error, RISE_BAD_DESC,
                          "embedding_size is %d; RISE_EMBED_RESNET18 has 512, or a multiple of 8",
                          d->embedding_size);
    return RISE_OK;
}
/* What one field alone cannot tell. */
RISEI_FN rise_result risei_check_together(const rise_agent_desc *d, rise_error *error)
{
    int const least = risei_reach(d) + d->n_step + 2, lane = d->replay_capacity / d->environments;
    int const images = d->memory == RISE_MEMORY_FULL ? (risei_before(d) + 1 + d->n_step) * d->batch
                                                     : 2 * d->batch;
    if (d->threads < 1 || d->threads > RISEI_MOST_THREADS)
        return risei_fail(error, RISE_BAD_DESC, "threads is %d; it must be between 1 and %d",
                          d->threads, RISEI_MOST_THREADS);
    if ((int64_t)images * d->frame_width * d->frame_height * d->conv[0].filters > INT_MAX / 2)
        return risei_fail(error, RISE_BAD_DESC,
                          "batch %d%s is too much for frames of %d x %d; make it smaller", d->batch,
                          d->memory == RISE_MEMORY_FULL ? " times window" : "", d->frame_width,
                          d->frame_height);
    if (d->memory == RISE_MEMORY_RISE && d->embedding == RISE_EMBED_USER && d->embed_fn == NULL)
        return risei_fail(error, RISE_BAD_DESC,
                          "embed_fn is NULL; RISE_EMBED_USER needs a function that embeds a frame");
    if (d->memory == RISE_MEMORY_RISE && d->embedding == RISE_EMBED_RESNET18 &&
        risei_check_resnet(d, error) != RISE_OK)
        return RISE_BAD_DESC;
    if (d->embedding == RISE_EMBED_DOWNSAMPLE && d->embedding_size < d->frame_channels)
        return risei_fail(
            error, RISE_BAD_DESC,
            "embedding_size is %d; RISE_EMBED_DOWNSAMPLE needs frame_channels, %d, or more",
            d->embedding_size, d->frame_channels);
    if (d->burn_in >= d->window)
        return risei_fail(error, RISE_BAD_DESC, "burn_in is %d; it must be less than window, %d",
                          d->burn_in, d->window);
    if (d->stored_state && !d->carry_state)
        return risei_fail(
            error, RISE_BAD_DESC,
            "stored_state is 1; it needs carry_state, for it keeps what acting carries");
    if (d->window_stride > d->window_samples)
        return risei_fail(
            error, RISE_BAD_DESC,
            "window_stride is %d; more than window_samples, %d, leaves transitions out",
            d->window_stride, d->window_samples);
    if (d->batch % d->window_samples != 0)
        return risei_fail(error, RISE_BAD_DESC, "window_samples is %d; it must divide batch, %d",
                          d->window_samples, d->batch);
    if (!(d->value_min < d->value_max))
        return risei_fail(error, RISE_BAD_DESC,
                          "value_min is %g; it must be less than value_max, %g", d->value_min,
                          d->value_max);
    if (d->head == RISE_HEAD_C51 && (d->munchausen || d->value_rescale))
        return risei_fail(error, RISE_BAD_DESC,
                          "%s is 1; RISE_HEAD_C51 goes without it, take RISE_HEAD_IQN",
                          d->munchausen ? "munchausen" : "value_rescale");
    if (d->munchausen && d->value_rescale)
        return risei_fail(error, RISE_BAD_DESC,
                          "munchausen and value_rescale are both 1; choose one");
    if (d->play_only) return RISE_OK;
    if (lane < least)
        return risei_fail(error, RISE_BAD_DESC,
                          "replay_capacity is %d, or %d for each environment; window, stack and "
                          "n_step need at least %d each",
                          d->replay_capacity, lane, least);
    if (d->learn_start < d->batch || d->learn_start > d->replay_capacity)
        return risei_fail(
            error, RISE_BAD_DESC,
            "learn_start is %d; it must be between batch, %d, and replay_capacity, %d",
            d->learn_start, d->batch, d->replay_capacity);
    return RISE_OK;
}

RISE_API rise_result rise_agent_resolve(rise_agent_desc *desc, rise_error *error)
{
    int i, filled;
    /* what is there, before sums are done with it; then what was filled in */
    for (filled = 0; filled < 2; filled++) {
        if (filled) risei_default_all(desc);
        for (i = 0; i < RISEI_COUNT(risei_fields); i++)
            if (risei_check_range(&risei_fields[i], desc, "", !filled && i >= RISEI_REQUIRED,
                                  error) != RISE_OK)
                return RISE_BAD_DESC;
    }
    if (desc->features == 0) return risei_fail(error, RISE_BAD_DESC, "features is 0");
    if (risei_check_conv(desc, error) != RISE_OK) return RISE_BAD_DESC;
    return risei_check_together(desc, error);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>agent: act, observe, learn, play */

enum { RISEI_RETURNS = 100 }; /* episodes over which mean_return is taken */

/* What is saved of an agent beside its arrays. */
typedef struct risei_counters {
    risei_random explore, sample;
    int64_t steps, episodes, updates, debt; /* debt: steps taken for which no update was done yet */
    /* taken; frames handled since the last, from 1 on, or 0 when all are */
    int64_t snapshots, refreshed;
    double loss, mean_value, td_error, gradient_norm;
} risei_counters;

struct rise_agent {
    rise_agent_desc desc;
    rise_error error;
    void *block; /* to free, or NULL */
    size_t bytes;
    risei_device device;
    risei_net net;
    risei_embedder embedder;
    rise_real *weights, *target, *gradient;
    risei_optimizer optimizer;
    risei_pass pass; /* of the one forward pass that is going on */
    int *first;      /* [max rows] of the pass's sequence */
    /* [batch] the same for the target network, whose window ends n steps later */
    int *later;
    /* [max images][frame_stack]: what the conv net sees, where it lies in a history */
    const uint8_t **frames;

    risei_replay replay;        /* the training games: a lane each */
    rise_real *lane_h, *lane_c; /* [environments][units]: carried states */
    double *lane_return;        /* [environments]: of the episode in progress */
    double *returns;            /* [RISEI_RETURNS], a ring */
    rise_real *fresh;           /* [environments][embedding_size] */

    risei_history play; /* the players: a short lane each */
    rise_real *play_h, *play_c, *play_q;
    int *play_known; /* has play_q been computed? */

    risei_transition *batch, *drawn; /* [batch]: longest windows first; and as they were drawn */
    /* noisy, spectral_norm: the weights on which the network runs */
    rise_real *derived;
    rise_real *noise, *spectral;       /* and what they were made with */
    uint64_t derived_for;              /* for which use and update */
    rise_real *importance, *td, *work; /* [batch] */
    /* the target network's view of next states [batch][...]; munchausen: of states, before */
    rise_real *target_q, *target_z;
    /* [quantiles or atoms]: targets of one transition; [2][actions] */
    rise_real *goal, *policy;
    risei_counters counters;
    /* microseconds saved up for learning, and what an update takes */
    double saved, cost;
};

/* Images of the pass from `from` on. */
RISEI_FN risei_input risei_agent_input(const rise_agent *a, int from)
{
    risei_input input;
    input.images = NULL;
    input.stack = a->desc.frame_stack;
    input.frames = a->frames + (ptrdiff_t)from * input.stack;
    return input;
}

/* Lays the agent out; with arena.base NULL it only counts. a->desc is resolved. */
RISEI_FN void risei_agent_layout(risei_arena *arena, rise_agent *a)
{
    const rise_agent_desc *d = &a->desc;
    int const full = d->memory == RISE_MEMORY_FULL, learn = d->play_only ? 0 : d->batch;
    int const actors = !d->play_only && d->environments > 1 ? d->environments : 1;
    int const act_steps = d->carry_state || d->memory == RISE_MEMORY_NONE ? 1 : d->window;
    int const steps = risei_before(d) + 1 + d->n_step;
    int const rows = 2 * learn > actors ? 2 * learn : actors;
    int const sequences = learn / a->net.samples, act_entries = act_steps * actors;
    int const entries = steps * sequences > act_entries ? steps * sequences : act_entries;
    int const states = entries + (sequences > actors ? sequences : actors);
    int const images = full ? entries : rows;
    size_t const weights = a->net.parameters, actions = (size_t)d->actions;
    size_t const units = (size_t)a->net.cell.units;
    size_t const spread = (size_t)(a->net.taus * a->net.atoms);
    size_t const players = (size_t)d->players, lanes = d->play_only ? 0 : (size_t)d->environments;
    risei_history *h = &a->play;

    a->weights = RISEI_TAKE(arena, rise_real, a->net.block);
    a->target = RISEI_TAKE(arena, rise_real, learn > 0 ? a->net.block : 0);
    a->gradient = RISEI_TAKE(arena, rise_real, learn > 0 ? weights : 0);
    a->optimizer.m = RISEI_TAKE(arena, rise_real, learn > 0 ? weights : 0);
    a->optimizer.v = RISEI_TAKE(arena, rise_real, learn > 0 ? weights : 0);
    a->derived = RISEI_TAKE(arena, rise_real, risei_net_derived(&a->net) ? a->net.block : 0);
    a->noise = RISEI_TAKE(arena, rise_real, risei_noise_size(&a->net));
    a->spectral = RISEI_TAKE(arena, rise_real, risei_spectral_size(&a->net));
    a->device.scratch_bytes = risei_encoder_scratch(&a->net.encoder, images);
    if (a->embedder.net.layers > 0 &&
        risei_encoder_scratch(&a->embedder.net, 1) > a->device.scratch_bytes)
        a->device.scratch_bytes = risei_encoder_scratch(&a->embedder.net, 1);
    a->device.scratch = risei_take(arena, a->device.scratch_bytes, (size_t)d->threads);
#ifdef RISE_THREADS
    a->device.pool = d->threads > 1 ? RISEI_TAKE(arena, risei_pool, 1) : NULL;
#endif
    a->optimizer.squares = RISEI_TAKE(arena, double, learn > 0 ? weights / RISEI_BLOCK + 1 : 0);
    risei_pass_layout(arena, &a->net, &a->pass, rows, images, steps, entries, states, learn,
                      risei_before(d) + 1);
    a->first = RISEI_TAKE(arena, int, learn > actors ? learn : actors);
    a->later = RISEI_TAKE(arena, int, learn);
    a->frames =
        RISEI_TAKE(arena, const uint8_t *, risei_times((size_t)images, (size_t)d->frame_stack));
    if (d->memory == RISE_MEMORY_RISE) risei_embedder_layout(arena, &a->embedder);
    a->fresh = RISEI_TAKE(arena, rise_real, (lanes > 0 ? lanes : 1) * (size_t)a->play.size);

    h->lanes = d->players;
    h->capacity = risei_reach(d) + 1;
    risei_history_layout(arena, h);
    a->play_h = RISEI_TAKE(arena, rise_real, players * units);
    a->play_c = RISEI_TAKE(arena, rise_real, players * units);
    a->play_q = RISEI_TAKE(arena, rise_real, players * actions);
    a->play_known = RISEI_TAKE(arena, int, players);
    if (d->play_only) return;

    risei_replay_layout(arena, &a->replay);
    a->lane_h = RISEI_TAKE(arena, rise_real, lanes * units);
    a->lane_c = RISEI_TAKE(arena, rise_real, lanes * units);
    a->lane_return = RISEI_TAKE(arena, double, lanes);
    a->returns = RISEI_TAKE(arena, double, RISEI_RETURNS);
    a->batch = RISEI_TAKE(arena, risei_transition, learn);
    a->drawn = RISEI_TAKE(arena, risei_transition, learn);
    a->importance = RISEI_TAKE(arena, rise_real, learn);
    a->td = RISEI_TAKE(arena, rise_real, learn);
    a->work = RISEI_TAKE(arena, rise_real, learn);
    a->target_q = RISEI_TAKE(arena, rise_real, 2 * (size_t)learn * actions);
    a->target_z = RISEI_TAKE(arena, rise_real, (size_t)learn * actions * spread);
    a->goal = RISEI_TAKE(arena, rise_real, spread);
    a->policy = RISEI_TAKE(arena, rise_real, 2 * actions);
}
/* Everything about an agent that its description alone decides. */
RISEI_FN void risei_agent_plan(rise_agent *a, const rise_agent_desc *desc)
{
    risei_history *h = &a->play;
    memset(a, 0, sizeof *a);
    a->desc = *desc;
    a->net = risei_net_make(desc);
    if (desc->memory == RISE_MEMORY_RISE) risei_embedder_make(&a->embedder, desc);
    h->frame_bytes = desc->frame_width * desc->frame_height * desc->frame_channels;
    h->size = desc->memory == RISE_MEMORY_RISE ? desc->embedding_size : 0;
    h->f32 = desc->embedding_f32 != 0 || sizeof(rise_real) == 8;
    h->mask_bytes = desc->action_masks ? risei_ceil_div(desc->actions, 8) : 0;
    a->replay.history = *h;
    a->replay.history.lanes = desc->environments;
    if (desc->stored_state && desc->memory != RISE_MEMORY_NONE)
        a->replay.history.state = desc->recurrent_units * (desc->cell == RISE_CELL_LSTM ? 2 : 1);
    a->replay.stride = desc->memory != RISE_MEMORY_NONE ? desc->window_stride : 1;
    a->replay.history.capacity = desc->replay_capacity / desc->environments;
    a->replay.reach = risei_reach(desc);
    a->replay.n_step = desc->n_step;
    a->replay.discount = desc->discount;
}
/* The size of a resolved description's agent; 0 where that does not fit size_t. */
RISEI_FN size_t risei_agent_measure(const rise_agent_desc *resolved)
{
    rise_agent plan;
    risei_arena arena;
    risei_agent_plan(&plan, resolved);
    memset(&arena, 0, sizeof arena);
    risei_take(&arena, 1, sizeof(rise_agent));
    risei_agent_layout(&arena, &plan);
    /* the block may lie anyhow */
    return arena.overflow || arena.used > SIZE_MAX - RISEI_ALIGN ? 0 : arena.used + RISEI_ALIGN;
}
RISE_API size_t rise_agent_bytes(const rise_agent_desc *desc, rise_error *error)
{
    rise_agent_desc resolved = *desc;
    size_t bytes;
    if (rise_agent_resolve(&resolved, error) != RISE_OK) return 0;
    bytes = risei_agent_measure(&resolved);
    if (bytes == 0)
        risei_fail(error, RISE_NO_MEMORY,
                   "the agent is larger than this machine's addresses; lower replay_capacity");
    return bytes;
}

RISEI_FN void risei_log(const rise_agent *a, const char *format, ...)
{
    char text[200];
    va_list arguments;
    if (a->desc.log_fn == NULL) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    a->desc.log_fn(a->desc.log_user, text);
}

/* What random numbers are for. Those for one update alone have a stream each update, which need not be saved. */
enum {
    RISEI_FOR_WEIGHTS = 1,
    RISEI_FOR_EMBEDDER,
    RISEI_FOR_EXPLORING,
    RISEI_FOR_SAMPLING,
    RISEI_FOR_UPDATE
};
/* What the network is run for. */
typedef enum risei_use { RISEI_PLAY, RISEI_ACT, RISEI_TARGET, RISEI_LEARN, RISEI_USES } risei_use;

/* Weights and random streams of a new agent. */
RISEI_FN rise_result risei_agent_begin(rise_agent *a, rise_error *error)
{
    const rise_agent_desc *d = &a->desc;
    risei_random random = risei_stream(d->seed, RISEI_FOR_WEIGHTS);
    a->optimizer.power1 = a->optimizer.power2 = 1;
    risei_net_initialise(&a->net, a->weights, d->window, &random);
    if (!d->play_only) memcpy(a->target, a->weights, a->net.block * sizeof *a->weights);
    if (d->memory == RISE_MEMORY_RISE)
        risei_embedder_initialise(&a->embedder, risei_stream(d->seed, RISEI_FOR_EMBEDDER));
    a->counters.explore = risei_stream(d->seed, RISEI_FOR_EXPLORING);
    a->counters.sample = risei_stream(d->seed, RISEI_FOR_SAMPLING);
    return a->embedder.kind == RISE_EMBED_RESNET18
               ? risei_resnet_load(a->embedder.resnet, d->embedding_file, error)
               : RISE_OK;
}
RISE_API rise_result rise_agent_create(rise_agent **agent, const rise_agent_desc *desc,
                                       rise_error *error)
{
    rise_agent_desc resolved;
    rise_agent *a;
    const rise_kernels *kernels;
    risei_arena arena;
    rise_result result;
    unsigned char *block;
    size_t bytes;
    if (agent != NULL) *agent = NULL;
    if (agent == NULL || desc == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "desc");
    resolved = *desc;
    kernels = rise_kernels_of(desc->isa);
    if (rise_agent_resolve(&resolved, error) != RISE_OK) return RISE_BAD_DESC;
    if (kernels == NULL)
        return risei_fail(error, RISE_UNAVAILABLE,
                          "isa is %d, which this machine or build lacks; 0 takes the best it has",
                          (int)desc->isa);
#ifndef RISE_THREADS
    if (resolved.threads > 1)
        return risei_fail(
            error, RISE_UNAVAILABLE,
            "threads is %d; for more than 1, define RISE_THREADS beside RISE_IMPLEMENTATION",
            resolved.threads);
#endif
    memset(&arena, 0, sizeof arena);
    bytes = risei_agent_measure(&resolved);
    if (bytes == 0 || (desc->memory_bytes > 0 && bytes > desc->memory_bytes))
        return risei_fail(
            error, RISE_NO_MEMORY,
            "the agent needs %.0f bytes and memory_bytes is %.0f; raise it or lower %s",
            (double)bytes, (double)desc->memory_bytes,
            desc->play_only ? "players" : "replay_capacity");
    block = (unsigned char *)desc->memory_block;
    if (block != NULL && desc->memory_bytes == 0)
        return risei_fail(error, RISE_BAD_DESC, "memory_bytes is 0; say how large memory_block is");
    arena.zeroed = block == NULL;
    if (block == NULL) block = (unsigned char *)calloc(bytes, 1);
    if (block == NULL)
        return risei_fail(error, RISE_NO_MEMORY,
                          "the system refused %.0f bytes; lower replay_capacity", (double)bytes);
    arena.base = block + (RISEI_ALIGN - (size_t)((uintptr_t)block % RISEI_ALIGN)) % RISEI_ALIGN;
    a = (rise_agent *)risei_take(&arena, 1, sizeof(rise_agent));
    risei_agent_plan(a, &resolved);
    risei_agent_layout(&arena, a);
    a->block = desc->memory_block == NULL ? block : NULL;
#ifdef RISE_THREADS
    if (a->device.pool != NULL && !risei_pool_begin(a->device.pool, resolved.threads,
                                                    a->device.scratch, a->device.scratch_bytes)) {
        free(a->block);
        return risei_fail(error, RISE_UNAVAILABLE,
                          "the system refuses %d threads; set threads lower", resolved.threads);
    }
#endif
    a->bytes = bytes;
    a->device.kernels = kernels;
    result = risei_agent_begin(a, error);
    if (result != RISE_OK) {
        rise_agent_destroy(a);
        return result;
    }
    risei_log(a, "rise: %.0f parameters, %.1f MB, %s kernels", (double)a->net.parameters,
              (double)a->bytes / 1e6, kernels->name);
    *agent = a;
    return RISE_OK;
}
RISE_API void rise_agent_destroy(rise_agent *agent)
{
    if (agent == NULL) return;
#ifdef RISE_THREADS
    if (agent->device.pool != NULL) risei_pool_end(agent->device.pool, agent->desc.threads);
#endif
    free(agent->block);
}

/* The step at which a window of which slot `at` is step `before` starts: where its episode does, if that is later. */
RISEI_FN int risei_window_start(const risei_history *h, int lane, int64_t at, int before)
{
    int const begun = h->index[risei_slot(h, lane, at)];
    return before - (begun < before ? begun : before);
}
/* One row's window in the pass's sequence, which is planned: step j is slot `at` - before + j, empty where that leaves the
   episode or goes past `after` slots from `at`. For FULL the conv net's images come in the same order. */
RISEI_FN void risei_gather_window(rise_agent *a, const risei_history *h, int lane, int64_t at,
                                  int before, int after, int row)
{
    const risei_sequence *s = &a->pass.sequence;
    int const full = a->net.memory == RISE_MEMORY_FULL;
    int const start = risei_window_start(h, lane, at, before);
    int const features = full ? a->net.embedding : 0; /* FULL: filled in by the network */
    int j;
    for (j = 0; j < s->steps; j++) {
        ptrdiff_t const entry = s->begin[j] + row;
        rise_real *x = s->x + entry * a->net.cell.in;
        const uint8_t **frames = a->frames + (full ? entry * a->desc.frame_stack : 0);
        if (row >= risei_sequence_active(s, j)) continue;
        if (j < start || j > before + after) {
            risei_zero(x, a->net.cell.in);
            if (full) frames[0] = NULL;
            continue;
        }
        risei_history_input(a->device.kernels, h, lane, at - before + j, a->net.extras,
                            x + features);
        if (full) risei_history_stack(h, lane, at - before + j, a->desc.frame_stack, frames);
    }
}

/* `what`: 0 noise, 1 fractions */
RISEI_FN risei_random risei_update_stream(const rise_agent *a, risei_use use, int what)
{
    uint64_t const turn = (uint64_t)a->counters.updates * 2 + (uint64_t)what;
    return risei_stream(a->desc.seed, RISEI_FOR_UPDATE + turn * RISEI_USES + (uint64_t)use);
}
/* The weights to run on. Noise is drawn once an update for each use, but not for playing. */
RISEI_FN const rise_real *risei_weights_for(rise_agent *a, risei_use use)
{
    const rise_real *w = use == RISEI_TARGET ? a->target : a->weights;
    uint64_t const key = ((uint64_t)a->counters.updates + 1) * RISEI_USES + (uint64_t)use;
    risei_random random = risei_update_stream(a, use, 0);
    if (!risei_net_derived(&a->net)) return w;
    if (a->derived_for != key || use >= RISEI_TARGET) {
        if (a->net.noisy) risei_noise_draw(&a->net, a->noise, &random);
        risei_net_derive(&a->device, &a->net, w,
                         a->net.noisy && use != RISEI_PLAY ? a->noise : NULL, a->spectral,
                         a->derived);
        a->derived_for = key;
    }
    return a->derived;
}
/* The fractions at which IQN's quantiles are wanted: anywhere to learn, evenly spread to act. */
RISEI_FN void risei_draw_fractions(rise_agent *a, risei_use use, int rows)
{
    int const taus = a->net.taus, drawn = use >= RISEI_TARGET;
    risei_random random = risei_update_stream(a, use, 1);
    int i;
    for (i = 0; i < rows * taus && a->net.head == RISE_HEAD_IQN; i++)
        a->pass.tau[i] = drawn ? risei_uniform(&random)
                               : ((rise_real)(i % taus) + (rise_real)0.5) / (rise_real)taus;
}

/* Q of the newest slots of lanes lane .. lane+count of `h`, into pass.q. Carried states are read and moved on. */
RISEI_FN void risei_act(rise_agent *a, const risei_history *h, int lane, int count,
                        rise_real *state_h, rise_real *state_c)
{
    const rise_agent_desc *d = &a->desc;
    risei_pass *pass = &a->pass;
    risei_sequence *s = &pass->sequence;
    risei_use const use = h == &a->play ? RISEI_PLAY : RISEI_ACT;
    int const full = d->memory == RISE_MEMORY_FULL, recurrent = d->memory != RISE_MEMORY_NONE;
    int const carry = d->carry_state;
    int const steps = carry || !recurrent ? 1 : d->window, units = a->net.cell.units;
    risei_input const input = risei_agent_input(a, 0);
    size_t const state = (size_t)(count * units) * sizeof(rise_real);
    size_t const one = (size_t)units * sizeof(rise_real);
    int r;
    for (r = 0; r < count && recurrent; r++)
        a->first[r] = risei_window_start(h, lane + r, h->written[lane + r] - 1, steps - 1);
    s->steps = steps, s->rows = count;
    s->first = a->first;
    if (recurrent) risei_sequence_plan(s);
    for (r = 0; r < count; r++) {
        int64_t const at = h->written[lane + r] - 1;
        if (recurrent) risei_gather_window(a, h, lane + r, at, steps - 1, 0, r);
        if (!full)
            risei_history_stack(h, lane + r, at, d->frame_stack, a->frames + r * d->frame_stack);
        pass->feature_row[r] = full ? s->begin[steps - 1] + r : r;
        pass->state_row[r] = recurrent ? s->begin[steps] + r : 0;
    }
    /* the state before: zero, or what each lane carries, which a new episode clears */
    if (recurrent) {
        memset(s->h, 0, state);
        if (s->c != NULL) memset(s->c, 0, state);
        for (r = 0; r < count && carry; r++) {
            if (h->index[risei_slot(h, lane + r, h->written[lane + r] - 1)] == 0) continue;
            memcpy(s->h + (ptrdiff_t)r * units, state_h + (ptrdiff_t)(lane + r) * units, one);
            if (s->c != NULL)
                memcpy(s->c + (ptrdiff_t)r * units, state_c + (ptrdiff_t)(lane + r) * units, one);
        }
    }
    for (r = 0; r < count && h->state > 0; r++) {
        risei_history *kept = &a->replay.history; /* which is h: players keep nothing */
        ptrdiff_t const slot = risei_slot(h, lane + r, h->written[lane + r] - 1);
        risei_history_keep(kept, slot, 0, units, s->h + (ptrdiff_t)r * units);
        if (s->c != NULL) risei_history_keep(kept, slot, units, units, s->c + (ptrdiff_t)r * units);
    }
    risei_draw_fractions(a, use, count);
    risei_net_forward(&a->device, &a->net, risei_weights_for(a, use), count,
                      full ? s->begin[steps] : count, &input, pass);
    if (!recurrent || !carry) return;
    memcpy(state_h + (ptrdiff_t)lane * units, s->h + (ptrdiff_t)count * units, state);
    if (s->c != NULL)
        memcpy(state_c + (ptrdiff_t)lane * units, s->c + (ptrdiff_t)count * units, state);
}

RISEI_FN int risei_finite(float x) { return x - x == 0; }

/* Is this call in order? `h` says what came before. */
RISEI_FN rise_result risei_check_call(rise_agent *a, const risei_history *h, int lane, float reward,
                                      int event, const uint8_t *allowed)
{
    const char *const who = h == &a->play ? "player" : "environment";
    int i;
    if (event < RISE_FIRST || event > RISE_TRUNCATED)
        return risei_fail(&a->error, RISE_BAD_CALL, "event %d of %s %d is none of rise_event",
                          event, who, lane);
    if (event != RISE_FIRST && risei_history_ended(h, lane))
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "%s %d has no episode in progress; its next frame must be RISE_FIRST",
                          who, lane);
    if (event != RISE_FIRST && !risei_finite(reward))
        return risei_fail(&a->error, RISE_NOT_FINITE, "the reward of %s %d is not a finite number",
                          who, lane);
    for (i = 0; i < a->desc.actions && allowed != NULL; i++)
        if (allowed[i] != 0) return RISE_OK;
    if (allowed != NULL && event != RISE_TERMINATED)
        return risei_fail(&a->error, RISE_BAD_CALL, "%s %d allows no action at all", who, lane);
    return RISE_OK;
}
/* Embeds a frame for `history_append`; finite or refused. */
RISEI_FN rise_result risei_embed_checked(rise_agent *a, const uint8_t *frame, rise_real *out)
{
    int i;
    if (a->net.memory != RISE_MEMORY_RISE) return RISE_OK;
    risei_embed(&a->device, &a->embedder, frame, out);
    for (i = 0; i < a->embedder.size; i++)
        if (!risei_finite((float)out[i]))
            return risei_fail(&a->error, RISE_NOT_FINITE, "%s gave a number that is not finite",
                              a->desc.embedding == RISE_EMBED_RESNET18 ? "embedding_file"
                                                                       : "embed_fn");
    return RISE_OK;
}

/* From `start` to `end`, linearly over so many steps after learn_start. */
RISEI_FN double risei_schedule(const rise_agent *a, double start, double end, int steps)
{
    double const share = (double)(a->counters.steps - a->desc.learn_start) / (double)steps;
    double const change = (end - start) * share;
    return share <= 0 ? start : share >= 1 ? end : start + change;
}
RISEI_FN double risei_epsilon(const rise_agent *a)
{
    const rise_agent_desc *d = &a->desc;
    return risei_schedule(a, d->epsilon_start < 0 ? 0 : d->epsilon_start,
                          d->epsilon_end < 0 ? 0 : d->epsilon_end, d->epsilon_steps);
}
RISEI_FN double risei_learning_rate(const rise_agent *a)
{
    double const rate = a->desc.learning_rate;
    return a->desc.learning_rate_steps == 0
               ? rate
               : risei_schedule(a, rate, rate * 0.1, a->desc.learning_rate_steps);
}
/* Epsilon-greedy over the newest slot of every lane. The stream is drawn from alike whatever comes out. */
RISEI_FN void risei_choose(rise_agent *a, double epsilon, int *actions)
{
    risei_history *h = &a->replay.history;
    int lane, i, pick;
    for (lane = 0; lane < h->lanes; lane++) {
        ptrdiff_t const slot = risei_slot(h, lane, h->written[lane] - 1);
        const uint8_t *mask = risei_mask(h, slot);
        int const explore = (double)risei_uniform(&a->counters.explore) < epsilon;
        int allowed = 0;
        for (i = 0; i < a->desc.actions; i++) allowed += risei_allowed(h, slot, i);
        pick = risei_below(&a->counters.explore, allowed > 0 ? allowed : 1);
        for (i = 0; i < a->desc.actions - 1; i++)
            if (risei_allowed(h, slot, i) && pick-- == 0) break;
        actions[lane] = explore ? i
                                : risei_best(a->desc.actions,
                                             a->pass.q + (ptrdiff_t)lane * a->desc.actions, mask);
        if (risei_is_last(h->events[slot])) actions[lane] = 0;
        h->actions[slot] = (int16_t)actions[lane];
    }
}
/* Writes what the games did; returns how many of them want an action. */
RISEI_FN int risei_observe(rise_agent *a, const uint8_t *frames, const float *rewards,
                           const rise_event *events, const uint8_t *allowed)
{
    int const size = a->replay.history.size, actions = a->desc.actions;
    int lane, acting = 0;
    for (lane = 0; lane < a->desc.environments; lane++) {
        const rise_real *embedding = a->fresh + (ptrdiff_t)lane * size;
        int const cut = events[lane] == RISE_FIRST &&
                        !risei_history_ended(&a->replay.history, lane);
        if (cut || risei_is_last((int)events[lane])) {
            a->returns[a->counters.episodes % RISEI_RETURNS] = a->lane_return[lane] +
                                                               (cut ? 0 : (double)rewards[lane]);
            a->counters.episodes++;
        }
        a->lane_return[lane] =
            events[lane] == RISE_FIRST ? 0 : a->lane_return[lane] + (double)rewards[lane];
        acting += !risei_is_last((int)events[lane]);
        if (size > 0 && !a->embedder.frozen) risei_embedder_observe(&a->embedder, embedding);
        risei_replay_append(&a->replay, lane,
                            frames + (ptrdiff_t)lane * a->replay.history.frame_bytes, embedding,
                            rewards[lane], (int)events[lane],
                            allowed != NULL ? allowed + (ptrdiff_t)lane * actions : NULL, actions);
    }
    return acting;
}

/* Frames since creation: after loading an agent without its replay buffer, it fills up again before learning goes on. */
RISEI_FN int64_t risei_seen(const rise_agent *a)
{
    int64_t seen = 0;
    int lane;
    for (lane = 0; lane < a->desc.environments; lane++) seen += a->replay.history.written[lane];
    return seen;
}

RISE_API rise_result rise_agent_step_all(rise_agent *a, const uint8_t *frames, const float *rewards,
                                         const rise_event *events, const uint8_t *allowed,
                                         int *actions)
{
    const rise_agent_desc *d;
    risei_history *h;
    int lane, acting;
    double epsilon;
    rise_result result;
    if (a == NULL) return RISE_BAD_CALL;
    d = &a->desc, h = &a->replay.history;
    if (d->play_only)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "a play_only agent has no environments; use rise_agent_play");
    if (frames == NULL || rewards == NULL || events == NULL || actions == NULL)
        return risei_fail(&a->error, RISE_BAD_CALL, "%s is NULL",
                          frames == NULL    ? "frames"
                          : rewards == NULL ? "rewards"
                          : events == NULL  ? "events"
                                            : "actions");
    if ((allowed != NULL) != d->action_masks)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "allowed is%s NULL and desc.action_masks is %d; they go together",
                          allowed == NULL ? "" : " not", d->action_masks);
    for (lane = 0; lane < d->environments; lane++) {
        const uint8_t *frame = frames + (ptrdiff_t)lane * h->frame_bytes;
        result = risei_check_call(a, h, lane, rewards[lane], (int)events[lane],
                                  allowed != NULL ? allowed + lane * d->actions : NULL);
        if (result == RISE_OK)
            result = risei_embed_checked(a, frame, a->fresh + (ptrdiff_t)lane * h->size);
        if (result != RISE_OK) return result;
    }
    acting = risei_observe(a, frames, rewards, events, allowed);
    epsilon = risei_epsilon(a);
    if (epsilon < 1 || d->carry_state) risei_act(a, h, 0, d->environments, a->lane_h, a->lane_c);
    risei_choose(a, epsilon, actions);
    a->counters.steps += acting;
    if (a->counters.steps > d->learn_start && risei_seen(a) > d->learn_start)
        a->counters.debt += acting;
    if (!d->learn_outside &&
        /* what could not be done is not made up for */
        a->counters.debt > d->learn_period + d->environments)
        a->counters.debt = d->learn_period + d->environments;
    while (!d->learn_outside && a->counters.debt >= d->learn_period && a->replay.ready > 0) {
        a->counters.debt -= d->learn_period;
        result = rise_agent_learn(a);
        if (result != RISE_OK) return result;
    }
    return RISE_OK;
}
RISE_API int rise_agent_step(rise_agent *a, const uint8_t *frame, float reward, rise_event event)
{
    int action = 0;
    rise_result result;
    if (a == NULL) return RISE_BAD_CALL;
    if (!a->desc.play_only && a->desc.environments != 1)
        return risei_fail(
            &a->error, RISE_BAD_CALL,
            "desc.environments is %d; rise_agent_step is for one, use rise_agent_step_all",
            a->desc.environments);
    if (!a->desc.play_only && a->desc.action_masks)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "rise_agent_step takes no action masks; use rise_agent_step_all");
    if (frame == NULL) return risei_fail(&a->error, RISE_BAD_CALL, "frame is NULL");
    result = rise_agent_step_all(a, frame, &reward, &event, NULL, &action);
    return result == RISE_OK ? action : (int)result;
}

RISE_API int rise_agent_play(rise_agent *a, int player, const uint8_t *frame, float reward,
                             rise_event event, const uint8_t *allowed)
{
    risei_history *h;
    int64_t at;
    rise_result result;
    int actions, i, best = -1;
    if (a == NULL) return RISE_BAD_CALL;
    h = &a->play, actions = a->desc.actions;
    if (player < 0 || player >= h->lanes)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "player is %d; it must be 0..%d, below desc.players", player,
                          h->lanes - 1);
    if (frame == NULL) return risei_fail(&a->error, RISE_BAD_CALL, "frame is NULL");
    result = risei_check_call(a, h, player, reward, (int)event, allowed);
    if (result == RISE_OK) result = risei_embed_checked(a, frame, a->fresh);
    if (result != RISE_OK) return (int)result;
    at = risei_history_append(h, player, frame, a->fresh, reward, (int)event, allowed, actions);
    risei_act(a, h, player, 1, a->play_h, a->play_c);
    memcpy(a->play_q + (ptrdiff_t)player * actions, a->pass.q, (size_t)actions * sizeof *a->play_q);
    a->play_known[player] = 1;
    for (i = 0; i < actions; i++)
        if ((allowed == NULL || allowed[i] != 0) && (best < 0 || a->pass.q[i] > a->pass.q[best]))
            best = i;
    best = best < 0 || risei_is_last((int)event) ? 0 : best;
    h->actions[risei_slot(h, player, at)] = (int16_t)best;
    return best;
}
RISE_API const rise_real *rise_agent_values(const rise_agent *a, int player)
{
    if (player < 0 || player >= a->play.lanes || !a->play_known[player]) return NULL;
    return a->play_q + (ptrdiff_t)player * a->desc.actions;
}

/* Ends the warm-up: the statistics freeze, and every frame held is embedded anew with them. */
RISEI_FN void risei_end_warm_up(rise_agent *a)
{
    risei_embedder_freeze(&a->embedder);
    risei_history_refresh(&a->device, &a->replay.history, &a->embedder, a->fresh);
    risei_history_refresh(&a->device, &a->play, &a->embedder, a->fresh);
    risei_log(a, "rise: learning starts after %.0f steps", (double)a->counters.steps);
}
enum { RISEI_MEASURED = 512 };

/* Frames that a snapshot in progress has yet to handle. */
RISEI_FN int64_t risei_refreshing(const rise_agent *a)
{
    const risei_history *h = &a->replay.history;
    return a->counters.refreshed > 0
               ? RISEI_MEASURED + (int64_t)h->lanes * h->capacity - a->counters.refreshed + 1
               : 0;
}
/*  A snapshot goes in three parts, spread over many updates that are left out for it: the new embeddings are measured on
    RISEI_MEASURED frames; then they take the place of the old ones, at once where acting looks; then all others follow. */

RISEI_FN rise_result risei_snapshot_begin(rise_agent *a)
{
    risei_embedder *e = &a->embedder;
    size_t const convs = risei_embedder_convs(e);
    if (a->desc.memory != RISE_MEMORY_RISE || e->kind != RISE_EMBED_SNAPSHOT)
        return risei_fail(&a->error, RISE_BAD_CALL, "embedding is not RISE_EMBED_SNAPSHOT");
    if (a->desc.play_only || !e->frozen)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "there is nothing to take a snapshot of before learning has started");
    if (a->counters.refreshed > 0)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "the last snapshot is not done: %.0f frames are left",
                          (double)risei_refreshing(a));
    /* what is behind them stays the same */
    memcpy(e->coming, risei_weights_for(a, RISEI_PLAY), convs * sizeof *e->coming);
    a->derived_for = 0;
    e->seen = 0;
    memset(e->mean, 0, (size_t)e->size * sizeof *e->mean);
    memset(e->spread, 0, (size_t)e->size * sizeof *e->spread);
    a->counters.refreshed = 1;
    a->counters.snapshots++;
    return RISE_OK;
}
/* The new weights and statistics come into force. */
RISEI_FN void risei_snapshot_switch(rise_agent *a)
{
    risei_embedder *e = &a->embedder;
    risei_history *h = &a->replay.history;
    rise_real *const old = e->weights;
    int64_t at;
    int lane;
    e->weights = e->coming, e->coming = old;
    risei_embedder_freeze(e);
    risei_history_refresh(&a->device, &a->play, e, a->fresh);
    for (lane = 0; lane < h->lanes; lane++) /* what acting looks back to */
        for (at = h->written[lane] - 1;
             at >= risei_history_oldest(h, lane) && at >= h->written[lane] - a->desc.window; at--)
            risei_history_refresh_slot(&a->device, h, risei_slot(h, lane, at), e, a->fresh);
}
/* Handles as many frames as an update would take the time of. */
RISEI_FN void risei_snapshot_step(rise_agent *a)
{
    risei_embedder *e = &a->embedder;
    risei_history *h = &a->replay.history;
    ptrdiff_t const slots = (ptrdiff_t)h->lanes * h->capacity;
    int i;
    for (i = 0; i < 4 * a->desc.batch && a->counters.refreshed > 0; i++) {
        int64_t const turn = a->counters.refreshed++ - 1;
        int const measuring = turn < RISEI_MEASURED;
        ptrdiff_t const slot =
            (ptrdiff_t)(measuring ? turn * slots / RISEI_MEASURED : turn - RISEI_MEASURED);
        int const held = slot % h->capacity < h->written[slot / h->capacity];
        if (turn == RISEI_MEASURED) risei_snapshot_switch(a);
        if (held && measuring) {
            rise_real *const old = e->weights;
            e->weights = e->coming;
            risei_embedder_raw(&a->device, e, h->frames + slot * h->frame_bytes, a->fresh);
            e->weights = old;
            risei_embedder_observe(e, a->fresh);
        } else if (held)
            risei_history_refresh_slot(&a->device, h, slot, e, a->fresh);
        if (turn == RISEI_MEASURED + slots - 1) a->counters.refreshed = 0;
    }
}
/* Is one due, or in progress? */
RISEI_FN int risei_snapshot_due(rise_agent *a)
{
    const rise_agent_desc *d = &a->desc;
    int const by_itself = d->snapshot_steps > 0 && d->memory == RISE_MEMORY_RISE &&
                          d->embedding == RISE_EMBED_SNAPSHOT;
    if (by_itself && a->counters.snapshots == 0 &&
        a->counters.steps >= (int64_t)d->learn_start + d->snapshot_steps)
        risei_snapshot_begin(a);
    return a->counters.refreshed > 0;
}
RISE_API rise_result rise_agent_snapshot(rise_agent *agent)
{
    return agent == NULL ? RISE_BAD_CALL : risei_snapshot_begin(agent);
}
/* Transition r of the batch, which is sample r / sequences of window r % sequences, and comes `back` steps before the last. One
   from before the episode is not there: the last one stands in, with no weight. */
RISEI_FN void risei_draw_earlier(rise_agent *a, int r, int back)
{
    const risei_transition *last = &a->batch[r + back * (a->desc.batch / a->net.samples)];
    const risei_history *h = &a->replay.history;
    int const there = h->index[risei_slot(h, last->lane, last->at)] >= back;
    a->batch[r] =
        there ? risei_replay_transition(&a->replay, risei_slot(h, last->lane, last->at - back))
              : *last;
    a->batch[r].priority = last->priority; /* by which all were drawn */
    a->batch[r].absent = !there;
}
/* Draws the batch, a window for every `samples` transitions of it, sorted by length (a counting sort, so that equal ones keep
   their order). */
RISEI_FN void risei_draw_batch(rise_agent *a, risei_random *random)
{
    const risei_history *h = &a->replay.history;
    int const batch = a->desc.batch, before = risei_before(&a->desc);
    int const sequences = batch / a->net.samples;
    int start, r, row = 0;
    risei_transition *last = a->batch + (batch - sequences);
    risei_replay_sample(&a->replay, random, sequences, a->drawn);
    for (start = 0; start <= before && row < sequences; start++)
        for (r = 0; r < sequences; r++) {
            if (risei_window_start(h, a->drawn[r].lane, a->drawn[r].at, before) != start) continue;
            a->first[row] = start;
            last[row++] = a->drawn[r];
        }
    for (r = 0; r < batch - sequences; r++)
        risei_draw_earlier(a, r, a->net.samples - 1 - r / sequences);
}
/* Row by row: stacks of the batch's states and of those n steps on, and the windows that hold both. */
RISEI_FN void risei_gather_part(void *job, int part, int parts, void *scratch)
{
    rise_agent *const a = (rise_agent *)job;
    const risei_history *h = &a->replay.history;
    int const batch = a->desc.batch, stack = a->desc.frame_stack;
    int const sequences = batch / a->net.samples;
    /* do next states have a window of their own? */
    int const own = a->net.samples == 1 && h->state == 0;
    int r, end;
    (void)scratch;
    for (risei_share(batch, 1, part, parts, &r, &end); r < end; r++) {
        const risei_transition *t = &a->batch[r];
        int const row = r - (batch - sequences); /* of the window that ends here */
        if (row >= 0) a->later[row] = own && a->first[row] < t->steps ? t->steps : a->first[row];
        if (row >= 0 && a->net.memory != RISE_MEMORY_NONE)
            risei_gather_window(a, h, t->lane, t->at, risei_before(&a->desc), t->steps, row);
        if (a->net.memory == RISE_MEMORY_FULL) continue;
        risei_history_stack(h, t->lane, t->at, stack, a->frames + r * stack);
        risei_history_stack(h, t->lane, t->at + t->steps, stack, a->frames + (batch + r) * stack);
    }
}
/* The states in which windows begin that do not begin with an episode. */
RISEI_FN void risei_gather_states(rise_agent *a)
{
    const rise_kernels *k = a->device.kernels;
    const risei_history *h = &a->replay.history;
    const risei_sequence *s = &a->pass.sequence;
    int const units = a->net.cell.units;
    int row;
    for (row = 0; row < s->rows && h->state > 0; row++) {
        const risei_transition *last = &a->batch[a->desc.batch - s->rows + row];
        ptrdiff_t slot;
        if (a->first[row] > 0) continue;
        slot = risei_slot(h, last->lane, last->at - risei_before(&a->desc));
        risei_history_recall(k, h, slot, 0, units, s->h + (ptrdiff_t)row * units);
        if (s->c != NULL)
            risei_history_recall(k, h, slot, units, units, s->c + (ptrdiff_t)row * units);
    }
}
/* Fills the pass's inputs from the batch. */
RISEI_FN void risei_gather_batch(rise_agent *a)
{
    risei_sequence *s = &a->pass.sequence;
    int const batch = a->desc.batch, sequences = batch / a->net.samples;
    s->rows = sequences;
    s->steps = risei_before(&a->desc) + 1 + a->desc.n_step;
    s->first = a->first;
    if (a->net.memory != RISE_MEMORY_NONE) {
        risei_sequence_plan(s);
        risei_zero(s->h, (ptrdiff_t)sequences * a->net.cell.units);
        risei_zero(s->c, (ptrdiff_t)sequences * a->net.cell.units);
        risei_gather_states(a);
    }
    risei_run(&a->device, 4.0 * sequences * s->steps * a->net.cell.in, risei_gather_part, a);
}
/* Q of the batch's states (rows 0..batch) and next states (after them), from row `from` to row `to`. Next states alone are read
   after a window of their own, no longer than any that is trained (where samples share a window, than the longest); behind the
   states, after the union of both windows. */
RISEI_FN void risei_forward_batch(rise_agent *a, risei_use use, int from, int to)
{
    const rise_agent_desc *d = &a->desc;
    risei_pass *pass = &a->pass;
    risei_sequence *s = &pass->sequence;
    int const full = d->memory == RISE_MEMORY_FULL, recurrent = d->memory != RISE_MEMORY_NONE;
    int const batch = d->batch;
    int const trained = risei_before(d) + 1, sequences = batch / a->net.samples;
    risei_input const input = risei_agent_input(a, full ? 0 : from);
    int r;
    s->steps = to > batch ? trained + d->n_step : trained;
    /* with the plan of a->first: a mask within it */
    s->first = from >= batch ? a->later : a->first;
    for (r = from; r < to; r++) {
        int const b = r % batch, row = b % sequences;
        int const back = a->batch[b].absent ? 0 : a->net.samples - 1 - b / sequences;
        /* the state after so many steps */
        int const step = trained - back + (r >= batch ? a->batch[b].steps : 0);
        pass->state_row[r - from] = recurrent ? s->begin[step] + row : 0;
        pass->feature_row[r - from] = full ? s->begin[step - 1] + row : r - from;
    }
    risei_draw_fractions(a, use, to - from);
    risei_net_forward(&a->device, &a->net, risei_weights_for(a, use), to - from,
                      full ? s->begin[s->steps] : to - from, &input, pass);
}
/* The reward that is learned from. Munchausen (Vieillard et al. 2020): with the log-probability that the target network's
   policy gave to the action, scaled. */
RISEI_FN rise_real risei_reward(const rise_agent *a, int b)
{
    const rise_agent_desc *d = &a->desc;
    const risei_transition *t = &a->batch[b];
    rise_real const temperature = (rise_real)d->temperature;
    rise_real bonus;
    if (!d->munchausen) return t->reward;
    risei_log_policy(a->device.kernels, d->actions, a->target_q + (ptrdiff_t)b * d->actions,
                     risei_mask(&a->replay.history, risei_slot(&a->replay.history, t->lane, t->at)),
                     temperature, a->policy);
    bonus = temperature * a->policy[t->action];
    return t->reward + (rise_real)(d->munchausen_scale < 0 ? 0 : d->munchausen_scale) *
                           (bonus > -1 ? bonus : (rise_real)-1);
}
/* The targets of transition b: one of MEAN, one for each fraction of IQN, C51's odds. Double Q-learning (van Hasselt et al.
   2016): the learned network chooses the next action, the target network says what it is worth. Munchausen: the target
   network's soft policy and its entropy. A terminated transition is worth its reward, whatever the networks say. */
RISEI_FN void risei_goals(const rise_agent *a, int b)
{
    const rise_agent_desc *d = &a->desc;
    const risei_net *n = &a->net;
    const risei_transition *t = &a->batch[b];
    int const actions = d->actions;
    const rise_real *next_q = a->target_q + (ptrdiff_t)(d->munchausen ? d->batch + b : b) * actions;
    const rise_real *z = a->target_z + (ptrdiff_t)b * n->taus * n->atoms * actions;
    const uint8_t *mask =
        risei_mask(&a->replay.history, risei_slot(&a->replay.history, t->lane, t->at + t->steps));
    rise_real const reward = risei_reward(a, b);
    rise_real *log_policy = a->policy, *policy = a->policy + actions;
    const rise_real *choose =
        d->no_double || d->munchausen ? next_q : a->pass.q + (ptrdiff_t)(d->batch + b) * actions;
    int const best = risei_best(actions, choose, mask);
    int i, j;
    if (n->head == RISE_HEAD_C51) {
        risei_project(n->atoms, d->value_min, d->value_max, reward, t->discount,
                      z + best * n->atoms, a->goal);
        return;
    }
    if (d->munchausen) {
        risei_log_policy(a->device.kernels, actions, next_q, mask, (rise_real)d->temperature,
                         log_policy);
        a->device.kernels->exp(actions, log_policy, policy);
    }
    for (i = 0; i < n->taus; i++) {
        rise_real value = d->munchausen ? 0 : z[i * actions + best];
        for (j = 0; j < actions && d->munchausen; j++)
            if (log_policy[j] >= -80) /* the others' share is nothing */
                value = value + policy[j] * (z[i * actions + j] -
                                             (rise_real)d->temperature * log_policy[j]);
        if (d->value_rescale) value = risei_unsquash(value);
        a->goal[i] = t->discount > 0 ? reward + t->discount * value : reward;
        if (d->value_rescale) a->goal[i] = risei_squash(a->goal[i]);
    }
}
/* Loss and td error of transition b, and dz of its action. C51: the cross entropy. Else the Huber loss of each output to each
   target, weighted for IQN (Dabney et al. 2018) by |tau - [target < output]|. */
RISEI_FN rise_real risei_cost(rise_agent *a, int b)
{
    const risei_net *n = &a->net;
    int const taus = n->taus, atoms = n->atoms, step = n->actions * atoms;
    int const action = a->batch[b].action * atoms;
    const rise_real *z = a->pass.z + (ptrdiff_t)b * taus * step + action;
    rise_real *dz = a->pass.dz + (ptrdiff_t)b * taus * step + action;
    rise_real const importance = a->importance[b], batch = (rise_real)a->desc.batch;
    rise_real cost = 0, slope, size, weight;
    int i, j;
    a->td[b] = 0;
    if (n->head == RISE_HEAD_C51) {
        for (i = 0; i < atoms; i++) {
            rise_real const odds = z[i] > (rise_real)1e-30 ? z[i] : (rise_real)1e-30;
            a->device.kernels->log(1, &odds, &weight);
            cost = cost - a->goal[i] * weight;
            dz[i] = (z[i] - a->goal[i]) * importance / batch;
        }
        a->td[b] = cost;
        return cost;
    }
    for (i = 0; i < taus; i++) {
        rise_real sum = 0;
        for (j = 0; j < taus; j++) {
            rise_real const td = a->goal[j] - z[i * step];
            size = risei_huber(td, &slope);
            weight = n->head == RISE_HEAD_IQN
                         ? risei_abs(a->pass.tau[b * taus + i] - (rise_real)(td < 0))
                         : 1;
            cost = cost + weight * size;
            sum = sum + weight * slope;
            a->td[b] = a->td[b] + (taus > 1 ? risei_abs(td) : td);
        }
        dz[i * step] = sum / (rise_real)taus * importance / batch;
    }
    a->td[b] = a->td[b] / (rise_real)(taus * taus);
    return cost / (rise_real)taus;
}
/* td errors, metrics and dz from what the networks said of the batch. Returns the mean loss. */
RISEI_FN double risei_loss(rise_agent *a, risei_counters *metrics)
{
    const rise_agent_desc *d = &a->desc;
    double loss = 0, value = 0, error = 0;
    int b;
    memset(a->pass.dz, 0,
           (size_t)(d->batch * d->actions) * (size_t)(a->net.taus * a->net.atoms) *
               sizeof *a->pass.dz);
    for (b = 0; b < d->batch; b++) {
        risei_goals(a, b);
        loss += (double)(risei_cost(a, b) * a->importance[b]);
        value += (double)a->pass.q[b * d->actions + a->batch[b].action];
        error += (double)risei_abs(a->td[b]);
    }
    metrics->loss = loss / d->batch;
    metrics->mean_value = value / d->batch;
    metrics->td_error = error / d->batch;
    return metrics->loss;
}
/* Moves the target network, a whole copy or a part of the way. */
RISEI_FN void risei_copy_target(rise_agent *a)
{
    rise_real const rate = (rise_real)a->desc.target_rate;
    size_t i;
    if (rate >= 1) memcpy(a->target, a->weights, a->net.block * sizeof *a->weights);
    for (i = 0; i < a->net.block && rate < 1; i++)
        a->target[i] = a->target[i] + rate * (a->weights[i] - a->target[i]);
}

/* The error by which a window is sampled (Kapturowski et al. 2019): eta max + (1 - eta) mean of its samples' errors. */
RISEI_FN void risei_mix_errors(rise_agent *a)
{
    rise_real const eta = (rise_real)a->desc.priority_mix;
    int const batch = a->desc.batch, windows = batch / a->net.samples;
    int row, r;
    for (row = 0; row < windows; row++) {
        rise_real most = 0, sum = 0, count = 0;
        for (r = row; r < batch; r += windows) {
            rise_real const error = risei_abs(a->td[r]);
            if (a->batch[r].absent) continue;
            most = error > most ? error : most;
            sum = sum + error;
            count = count + 1;
        }
        a->td[batch - windows + row] = eta * most + (1 - eta) * sum / count;
    }
}
RISEI_FN void risei_forward_target(rise_agent *a)
{
    size_t const batch = (size_t)a->desc.batch, actions = (size_t)a->desc.actions;
    size_t const before = a->desc.munchausen ? batch : 0;
    size_t const each = actions * (size_t)(a->net.taus * a->net.atoms);
    risei_forward_batch(a, RISEI_TARGET, (int)(batch - before), (int)(2 * batch));
    memcpy(a->target_q, a->pass.q, (before + batch) * actions * sizeof *a->target_q);
    memcpy(a->target_z, a->pass.z + before * each, batch * each * sizeof *a->target_z);
}
/* Draws a batch, finds its gradient, takes a step of Adam, and renews the priorities. */
RISEI_FN rise_result risei_update(rise_agent *a)
{
    const rise_agent_desc *d = &a->desc;
    const rise_kernels *k = a->device.kernels;
    double const importance = d->importance_exponent < 0 ? 0 : d->importance_exponent;
    double const priority = d->priority_exponent < 0 ? 0 : d->priority_exponent;
    risei_counters metrics = a->counters;
    if (d->memory == RISE_MEMORY_RISE && !a->embedder.frozen) risei_end_warm_up(a);
    if (risei_snapshot_due(a)) {
        risei_snapshot_step(a);
        return RISE_OK;
    }
    risei_draw_batch(a, &metrics.sample);
    risei_replay_weights(k, d->batch, a->batch, importance, a->importance);
    risei_gather_batch(a);
    risei_forward_target(a);
    risei_forward_batch(a, RISEI_LEARN, 0, d->no_double || d->munchausen ? d->batch : 2 * d->batch);
    metrics.gradient_norm = risei_loss(a, &metrics);
    if (a->optimizer.unchecked)
        metrics.gradient_norm +=
            risei_sum_squares(&a->device, &a->optimizer, a->net.parameters, a->weights);
    /* neither loss nor weights are NaN or infinite, though a ReLU would hide it */
    if (metrics.gradient_norm <= DBL_MAX) {
        const rise_real *w = risei_net_derived(&a->net) ? a->derived : a->weights;
        risei_net_backward(&a->device, &a->net, w, a->gradient, d->batch, risei_before(d) + 1,
                           &a->pass);
        risei_net_derive_backward(&a->device, &a->net, a->noise, a->spectral, w, a->gradient);
        metrics.gradient_norm = risei_optimize(&a->device, &a->optimizer, a->net.parameters,
                                               a->weights, a->gradient, risei_learning_rate(a),
                                               d->adam_epsilon,
                                               d->gradient_clip < 0 ? 0 : d->gradient_clip);
    }
    a->counters.sample = metrics.sample; /* a refused batch is not drawn again */
    if (!(metrics.gradient_norm <= DBL_MAX))
        return risei_fail(&a->error, RISE_NOT_FINITE,
                          "a weight, the loss or a gradient is not finite, so nothing was learned; "
                          "lower learning_rate or check the rewards");
    risei_spectral_keep(&a->net, a->spectral, a->weights);
    if (d->priority_mix > 0) risei_mix_errors(a);
    risei_replay_update(&a->replay, k, d->batch, a->batch, a->td, priority, a->work);
    metrics.updates++;
    a->counters = metrics;
    if (metrics.updates % d->target_period == 0) risei_copy_target(a);
    return RISE_OK;
}
RISE_API rise_result rise_agent_learn(rise_agent *a)
{
    const rise_agent_desc *d;
    if (a == NULL) return RISE_BAD_CALL;
    d = &a->desc;
    if (d->play_only)
        return risei_fail(&a->error, RISE_BAD_CALL, "a play_only agent does not learn");
    if (a->replay.ready == 0)
        return risei_fail(
            &a->error, RISE_BAD_CALL,
            "the replay buffer holds no transition yet; step on for n_step, %d, and more",
            d->n_step);
    return risei_update(a);
}

/* Seconds since some moment. */
RISEI_FN double risei_now(const rise_agent *a)
{
    if (a->desc.clock_fn != NULL) return a->desc.clock_fn(a->desc.clock_user);
#ifdef TIME_UTC
    {
        struct timespec t;
        timespec_get(&t, TIME_UTC);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}
RISE_API int rise_agent_learn_for(rise_agent *a, double microseconds)
{
    double start, used = 0;
    int updates = 0;
    if (a == NULL) return RISE_BAD_CALL;
    if (!(microseconds >= 0 && microseconds <= 1e12))
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "microseconds is %g; it must be between 0 and 1e12", microseconds);
    start = risei_now(a);
    a->saved += microseconds;
    while (a->counters.debt >= a->desc.learn_period && a->replay.ready > 0 &&
           a->saved - used >= a->cost) {
        double const before = used;
        rise_result const result = rise_agent_learn(a);
        if (result != RISE_OK) return (int)result;
        a->counters.debt -= a->desc.learn_period;
        used = (risei_now(a) - start) * 1e6;
        a->cost = updates++ == 0 && !(a->cost > 0) ? used : a->cost + (used - before - a->cost) / 8;
    }
    a->saved -= used;
    if (a->saved > a->cost) a->saved = a->cost; /* time in which nothing was owed is lost */
    return updates;
}

RISE_API void rise_agent_metrics(const rise_agent *a, rise_metrics *m)
{
    const risei_counters *c = &a->counters;
    const risei_history *h = &a->replay.history;
    int const known = c->episodes < RISEI_RETURNS ? (int)c->episodes : RISEI_RETURNS;
    int i;
    memset(m, 0, sizeof *m);
    m->parameters = a->net.parameters;
    m->bytes = a->bytes;
    m->isa = a->device.kernels->name;
    m->fused = a->device.kernels->fused;
    if (a->desc.play_only) return;
    m->steps = c->steps, m->episodes = c->episodes, m->updates = c->updates;
    m->updates_owed = c->debt / a->desc.learn_period;
    m->epsilon = risei_epsilon(a);
    for (i = 0; i < known; i++) m->mean_return += a->returns[i] / known;
    m->loss = c->loss, m->mean_value = c->mean_value, m->td_error = c->td_error,
    m->gradient_norm = c->gradient_norm;
    for (i = 0; i < h->lanes; i++) m->replay_size += h->written[i] - risei_history_oldest(h, i);
    m->replay_ready = a->replay.ready;
    m->refreshing = risei_refreshing(a);
    m->bytes_per_step = (size_t)h->frame_bytes +
                        (size_t)h->size * (h->f32 ? sizeof(rise_real) : sizeof(uint16_t)) +
                        (size_t)h->mask_bytes + sizeof *h->rewards + sizeof *h->actions +
                        sizeof *h->events + sizeof *h->index + sizeof(double) * 8 / 7 +
                        (size_t)h->state * (h->f32 ? sizeof(rise_real) : sizeof(uint16_t));
}
RISE_API const rise_agent_desc *rise_agent_query(const rise_agent *a) { return &a->desc; }
RISE_API const rise_error *rise_agent_error(const rise_agent *a)
{
    static const rise_error none = {RISE_BAD_CALL, "agent is NULL"};
    return a != NULL ? &a->error : &none;
}
RISE_API rise_real *rise_agent_parameters(rise_agent *a)
{
    a->optimizer.unchecked = 1;
    a->derived_for = 0;
    return a->weights;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>files

   A file is a header, a table of sections, and the sections, one after another without gaps; all numbers little-endian.
     header   8 bytes 89 'R' 'I' 'S' 'E' 0D 0A 1A | u32 version | u32 flags | u64 file size | u32 sections
     table    per section: u32 kind | u32 CRC-32 of its bytes | u64 length; then u32 CRC-32 of header and table
   Flags: 1 numbers were fused (see "Numbers"), 2 has the replay buffer, 4 only a policy. CRCs find accidents, not malice: every
   value is checked as well. One function, risei_visit, walks over what is saved: to measure it, to sum it, to write it and
   to read it, so these cannot disagree. */

enum { RISEI_FILE_VERSION = 6, RISEI_FUSED = 1, RISEI_HAS_REPLAY = 2, RISEI_POLICY = 4 };
enum {
    RISEI_DESC = 1,
    RISEI_ACTING,
    RISEI_LEARNING,
    RISEI_EPISODES,
    RISEI_SECTIONS = RISEI_EPISODES
};
static const unsigned char risei_magic[8] = {0x89, 'R', 'I', 'S', 'E', 0x0D, 0x0A, 0x1A};

typedef enum risei_mode { RISEI_MEASURE, RISEI_WRITE, RISEI_READ } risei_mode;

typedef struct risei_stream_io {
    risei_mode mode;
    rise_write_fn write;
    rise_read_fn read;
    void *user;
    uint64_t length; /* bytes passed */
    uint64_t limit;  /* reading: bytes of this section */
    uint32_t crc;
    int failed;        /* could not be moved */
    int beyond;        /* reading went past the section's end */
    const char *wrong; /* what was not as it must be, or NULL */
    int foreign;       /* reading: the agent learned with another embedding_file */
} risei_stream_io;

/* CRC-32 (reflected 0xEDB88320), four bits at a time */
RISEI_FN uint32_t risei_crc(uint32_t crc, const unsigned char *data, size_t size)
{
    static const uint32_t table[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu,
                                       0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
                                       0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                       0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    crc = ~crc;
    while (size-- > 0) {
        crc ^= *data++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
RISEI_FN void risei_move(risei_stream_io *f, unsigned char *data, size_t size)
{
    if (f->failed) return;
    f->beyond = f->mode == RISEI_READ && size > f->limit - f->length;
    if (f->beyond || (f->mode == RISEI_READ && !f->read(f->user, data, size))) f->failed = 1;
    if (f->mode == RISEI_WRITE && !f->write(f->user, data, size)) f->failed = 1;
    if (f->failed) {
        memset(data, 0, size);
        return;
    }
    f->crc = risei_crc(f->crc, data, size);
    f->length += size;
}
/* count numbers of `size` bytes (1, 2, 4 or 8), in little-endian order whatever the machine's is */
RISEI_FN void risei_numbers(risei_stream_io *f, void *numbers, size_t count, size_t size)
{
    unsigned char chunk[512], *at = (unsigned char *)numbers;
    uint16_t const probe = 1;
    int const little = *(const unsigned char *)&probe == 1;
    size_t i, j;
    while (count > 0 && !f->failed) {
        size_t const part = count < sizeof chunk / size ? count : sizeof chunk / size;
        if (f->mode != RISEI_READ)
            for (i = 0; i < part; i++)
                for (j = 0; j < size; j++)
                    chunk[i * size + j] = at[i * size + (little ? j : size - 1 - j)];
        risei_move(f, chunk, part * size);
        if (f->mode == RISEI_READ)
            for (i = 0; i < part; i++)
                for (j = 0; j < size; j++)
                    at[i * size + (little ? j : size - 1 - j)] = chunk[i * size + j];
        at += part * size;
        count -= part;
    }
}
RISEI_FN void risei_wrong(risei_stream_io *f, const char *what)
{
    if (f->wrong == NULL && !f->failed) f->wrong = what;
}
/* Floats that must be finite, and not below `least`. */
RISEI_FN void risei_reals(risei_stream_io *f, rise_real *x, size_t count, rise_real least,
                          const char *what)
{
    size_t i;
    risei_numbers(f, x, count, sizeof *x);
    for (i = 0; i < count; i++)
        if (!(x[i] - x[i] == 0) || x[i] < least) risei_wrong(f, what);
}
RISEI_FN void risei_doubles(risei_stream_io *f, double *x, size_t count, double least,
                            const char *what)
{
    size_t i;
    risei_numbers(f, x, count, sizeof *x);
    for (i = 0; i < count; i++)
        if (!(x[i] - x[i] == 0) || x[i] < least) risei_wrong(f, what);
}
RISEI_FN void risei_integers(risei_stream_io *f, int64_t *x, size_t count, const char *what)
{
    size_t i;
    risei_numbers(f, x, count, sizeof *x);
    for (i = 0; i < count; i++)
        if (x[i] < 0 || x[i] > (int64_t)1 << 53) risei_wrong(f, what);
}

/* Fields go as 64-bit floats: every int is one exactly. */
RISEI_FN void risei_visit_fields(risei_stream_io *f, const risei_field *fields, int count,
                                 void *object)
{
    int i;
    for (i = 0; i < count; i++) {
        double value = risei_field_get(&fields[i], object);
        int integer;
        risei_numbers(f, &value, 1, sizeof value);
        if (f->mode != RISEI_READ) continue;
        if (!(value >= fields[i].low && value <= fields[i].high)) {
            risei_wrong(f, fields[i].name);
            value = fields[i].low;
        }
        integer = fields[i].real ? 0 : (int)value;
        if (!fields[i].real && !((double)integer >= value)) risei_wrong(f, fields[i].name);
        risei_field_put(&fields[i], object, value);
    }
}
RISEI_FN void risei_visit_desc(risei_stream_io *f, rise_agent_desc *d)
{
    int const play_only = d->play_only;
    int l;
    d->play_only = 0; /* whether it only plays is the reader's choice */
    risei_visit_fields(f, risei_fields, RISEI_COUNT(risei_fields), d);
    d->play_only = play_only;
    for (l = 0; l < d->conv_count; l++)
        risei_visit_fields(f, risei_conv_fields, RISEI_COUNT(risei_conv_fields), &d->conv[l]);
    risei_numbers(f, &d->seed, 1, sizeof d->seed);
}
/* What acting needs. */
RISEI_FN void risei_visit_acting(risei_stream_io *f, rise_agent *a)
{
    int64_t frozen = a->embedder.frozen;
    size_t const size = a->net.memory == RISE_MEMORY_RISE ? (size_t)a->embedder.size : 0;
    risei_reals(f, a->weights, a->net.block, -FLT_MAX, "a weight is not a finite number");
    risei_reals(f, a->embedder.weights, risei_embedder_convs(&a->embedder), -FLT_MAX,
                "a weight of the snapshot is not finite");
    risei_integers(f, &frozen, 1, "embedder.frozen");
    a->embedder.frozen = frozen != 0;
    risei_reals(f, a->embedder.shift, size, -FLT_MAX, "embedder.shift");
    risei_reals(f, a->embedder.gain, size, 0, "embedder.gain");
    if (a->embedder.kind == RISE_EMBED_RESNET18) {
        uint64_t hash = a->embedder.resnet->hash;
        risei_numbers(f, &hash, 1, sizeof hash);
        f->foreign = hash != a->embedder.resnet->hash;
    }
}
RISEI_FN void risei_visit_learning(risei_stream_io *f, rise_agent *a)
{
    risei_counters *c = &a->counters;
    size_t const size = a->net.memory == RISE_MEMORY_RISE ? (size_t)a->embedder.size : 0;
    size_t const n = a->net.parameters;
    risei_integers(f, &a->embedder.seen, 1, "embedder.seen");
    risei_doubles(f, a->embedder.mean, size, -DBL_MAX, "embedder.mean");
    risei_doubles(f, a->embedder.spread, size, 0, "embedder.spread");
    risei_reals(f, a->target, a->net.block, -FLT_MAX,
                "a weight of the target network is not a finite number");
    risei_reals(f, a->optimizer.m, n, -FLT_MAX, "a first moment is not a finite number");
    risei_reals(f, a->optimizer.v, n, 0, "a second moment is negative or not finite");
    risei_doubles(f, &a->optimizer.power1, 1, 0, "optimizer.power1");
    risei_doubles(f, &a->optimizer.power2, 1, 0, "optimizer.power2");
    if (a->optimizer.power1 > 1 || a->optimizer.power2 > 1) risei_wrong(f, "optimizer.power");
    risei_numbers(f, &c->explore.state, 1, sizeof c->explore.state);
    risei_numbers(f, &c->sample.state, 1, sizeof c->sample.state);
    risei_integers(f, &c->steps, 1, "steps");
    risei_integers(f, &c->episodes, 1, "episodes");
    risei_integers(f, &c->updates, 1, "updates");
    risei_integers(f, &c->debt, 1, "debt");
    risei_integers(f, &c->snapshots, 1, "snapshots");
    risei_integers(f, &c->refreshed, 1, "refreshed");
    if (c->refreshed >
        RISEI_MEASURED + (int64_t)a->replay.history.lanes * a->replay.history.capacity)
        risei_wrong(f, "refreshed");
    risei_reals(f, a->embedder.coming, c->refreshed > 0 ? risei_embedder_convs(&a->embedder) : 0,
                -FLT_MAX, "a weight of the coming snapshot is not finite");
    if (c->debt > c->steps) risei_wrong(f, "debt");
    risei_doubles(f, &c->loss, 1, -DBL_MAX, "loss");
    risei_doubles(f, &c->mean_value, 1, -DBL_MAX, "mean_value");
    risei_doubles(f, &c->td_error, 1, -DBL_MAX, "td_error");
    risei_doubles(f, &c->gradient_norm, 1, -DBL_MAX, "gradient_norm");
    risei_doubles(f, a->returns, RISEI_RETURNS, -DBL_MAX, "returns");
}
RISEI_FN void risei_visit_state(risei_stream_io *f, risei_history *h, ptrdiff_t slot)
{
    uint16_t *half = h->half_state + slot * h->state;
    int i;
    if (h->f32)
        risei_reals(f, h->full_state + slot * h->state, (size_t)h->state, -FLT_MAX,
                    "a stored state is not finite");
    if (h->f32) return;
    risei_numbers(f, half, (size_t)h->state, sizeof *half);
    for (i = 0; i < h->state; i++)
        if ((half[i] & 0x7C00u) == 0x7C00u) risei_wrong(f, "a stored state is not finite");
}
/* One slot's record. Embeddings are not saved: they follow from the frames. */
RISEI_FN void risei_visit_slot(risei_stream_io *f, rise_agent *a, ptrdiff_t slot)
{
    risei_replay *r = &a->replay;
    risei_history *h = &r->history;
    double leaf = r->tree[slot];
    rise_real reward = h->rewards[slot];
    risei_numbers(f, h->frames + slot * h->frame_bytes, (size_t)h->frame_bytes, 1);
    risei_numbers(f, h->masks + slot * h->mask_bytes, (size_t)h->mask_bytes, 1);
    risei_reals(f, &reward, 1, -FLT_MAX, "a reward is not a finite number");
    risei_numbers(f, h->actions + slot, 1, sizeof *h->actions);
    risei_numbers(f, h->events + slot, 1, 1);
    risei_numbers(f, h->index + slot, 1, sizeof *h->index);
    risei_visit_state(f, h, slot);
    risei_doubles(f, &leaf, 1, 0, "a priority is negative or not finite");
    if (leaf > FLT_MAX || (leaf > 0 && leaf < 1e-6)) risei_wrong(f, "a priority is out of range");
    if (f->mode != RISEI_READ || f->failed) return;
    if (h->actions[slot] < 0 || h->actions[slot] >= a->desc.actions)
        risei_wrong(f, "an action is out of range");
    if (h->events[slot] > RISE_TRUNCATED) risei_wrong(f, "an event is out of range");
    h->rewards[slot] = (float)reward;
    if (f->wrong == NULL) risei_tree_set(r, slot, leaf);
}
/* Are the slots of a lane a sequence of episodes, and can only those be sampled that may be? */
RISEI_FN void risei_check_lane(risei_stream_io *f, const rise_agent *a, int lane)
{
    const risei_replay *r = &a->replay;
    const risei_history *h = &r->history;
    int64_t at, oldest = risei_history_oldest(h, lane);
    for (at = oldest; at < h->written[lane]; at++) {
        ptrdiff_t const slot = risei_slot(h, lane, at);
        int const before = at > oldest ? h->events[risei_slot(h, lane, at - 1)] : -1;
        int const index = h->index[slot];
        int ahead = 0;
        if (before >= 0 &&
            index !=
                (risei_is_last(before) ? 0 : risei_after(h->index[risei_slot(h, lane, at - 1)])))
            risei_wrong(f, "the frames of an episode do not follow each other");
        if (index < 0 || (at == 0 && index != 0)) risei_wrong(f, "an episode has no first frame");
        if (!(r->tree[slot] > 0)) continue;
        while (ahead < r->n_step && at + ahead < h->written[lane] - 1 &&
               !risei_is_last(h->events[risei_slot(h, lane, at + ahead)]))
            ahead++;
        if (risei_is_last(h->events[slot]) || !risei_replay_whole(r, lane, at) ||
            (ahead < r->n_step && !risei_is_last(h->events[risei_slot(h, lane, at + ahead)])))
            risei_wrong(f, "a priority stands where nothing can be sampled");
    }
}
/* The replay buffer and the episodes in progress. */
RISEI_FN void risei_visit_episodes(risei_stream_io *f, rise_agent *a)
{
    risei_history *h = &a->replay.history;
    size_t const lanes = (size_t)h->lanes, units = (size_t)a->net.cell.units;
    int lane;
    risei_doubles(f, &a->replay.top, 1, 1e-6, "the largest priority");
    if (a->replay.top > FLT_MAX) risei_wrong(f, "the largest priority");
    risei_doubles(f, a->lane_return, lanes, -DBL_MAX, "a return is not a finite number");
    risei_reals(f, a->lane_h, lanes * units, -FLT_MAX, "a carried state is not a finite number");
    risei_reals(f, a->lane_c, lanes * units, -FLT_MAX, "a carried state is not a finite number");
    risei_integers(f, h->written, lanes, "the number of frames");
    for (lane = 0; lane < h->lanes && f->wrong == NULL; lane++) {
        int64_t at;
        for (at = risei_history_oldest(h, lane); at < h->written[lane] && !f->failed; at++)
            risei_visit_slot(f, a, risei_slot(h, lane, at));
        if (f->mode == RISEI_READ && !f->failed) risei_check_lane(f, a, lane);
    }
}
RISEI_FN void risei_visit(risei_stream_io *f, rise_agent *a, int section)
{
    if (section == RISEI_DESC) risei_visit_desc(f, &a->desc);
    if (section == RISEI_ACTING) risei_visit_acting(f, a);
    if (section == RISEI_LEARNING) risei_visit_learning(f, a);
    if (section == RISEI_EPISODES) risei_visit_episodes(f, a);
}

/* The header and table of a file. */
typedef struct risei_header {
    uint32_t version, flags, sections;
    uint64_t size;
    uint32_t kind[RISEI_SECTIONS], crc[RISEI_SECTIONS];
    uint64_t length[RISEI_SECTIONS];
} risei_header;

/* Which sections a file with these flags has, in order. */
RISEI_FN uint32_t risei_sections(uint32_t flags)
{
    return flags & RISEI_POLICY ? 2 : flags & RISEI_HAS_REPLAY ? 4 : 3;
}

RISEI_FN void risei_visit_header(risei_stream_io *f, risei_header *h)
{
    unsigned char magic[8];
    uint32_t crc, sum, s;
    memcpy(magic, risei_magic, sizeof magic);
    risei_numbers(f, magic, sizeof magic, 1);
    if (memcmp(magic, risei_magic, sizeof magic) != 0) {
        risei_wrong(f, "it does not begin as a file of rise.h does");
        return;
    }
    risei_numbers(f, &h->version, 1, sizeof h->version);
    if (h->version != RISEI_FILE_VERSION) return;
    risei_numbers(f, &h->flags, 1, sizeof h->flags);
    risei_numbers(f, &h->size, 1, sizeof h->size);
    risei_numbers(f, &h->sections, 1, sizeof h->sections);
    if (h->flags > 7 || h->sections != risei_sections(h->flags)) {
        risei_wrong(f, "its flags or its number of sections");
        return;
    }
    for (s = 0; s < h->sections; s++) {
        risei_numbers(f, &h->kind[s], 1, sizeof h->kind[s]);
        risei_numbers(f, &h->crc[s], 1, sizeof h->crc[s]);
        risei_numbers(f, &h->length[s], 1, sizeof h->length[s]);
        if (h->kind[s] != s + 1) risei_wrong(f, "its table of sections");
    }
    sum = crc = f->crc;
    risei_numbers(f, &crc, 1, sizeof crc);
    if (crc != sum) risei_wrong(f, "its checksum");
    if (f->mode == RISEI_READ && !f->failed) {
        uint64_t total = f->length;
        for (s = 0; s < h->sections && h->length[s] <= h->size; s++) total += h->length[s];
        if (s < h->sections || total != h->size) risei_wrong(f, "its size");
    }
}

RISEI_FN void risei_io(risei_stream_io *f, risei_mode mode, uint64_t limit)
{
    memset(f, 0, sizeof *f);
    f->mode = mode;
    f->limit = limit;
}
RISE_API rise_result rise_agent_write(const rise_agent *agent, rise_save what, rise_write_fn fn,
                                      void *user, rise_error *error)
{
    /* written from, not to: risei_visit also reads files */
    rise_agent *a = (rise_agent *)(uintptr_t)agent;
    risei_header header;
    risei_stream_io f;
    uint32_t s;
    if (what < RISE_SAVE_AGENT || what > RISE_SAVE_POLICY)
        return risei_fail(error, RISE_BAD_CALL, "what is %d, which is none of rise_save",
                          (int)what);
    if (a->desc.play_only && what != RISE_SAVE_POLICY)
        return risei_fail(error, RISE_BAD_CALL,
                          "a play_only agent can only be saved as RISE_SAVE_POLICY");
    memset(&header, 0, sizeof header);
    header.version = RISEI_FILE_VERSION;
    if (a->device.kernels->fused) header.flags |= RISEI_FUSED;
    if (what == RISE_SAVE_ALL) header.flags |= RISEI_HAS_REPLAY;
    if (what == RISE_SAVE_POLICY) header.flags |= RISEI_POLICY;
    header.sections = risei_sections(header.flags);
    for (s = 0; s < header.sections; s++) {
        risei_io(&f, RISEI_MEASURE, 0);
        risei_visit(&f, a, (int)s + 1);
        if (f.wrong != NULL)
            return risei_fail(error, RISE_NOT_FINITE, "not saved, for it could not be loaded: %s",
                              f.wrong);
        header.kind[s] = s + 1, header.crc[s] = f.crc, header.length[s] = f.length;
        header.size += f.length;
    }
    risei_io(&f, RISEI_MEASURE, 0);
    risei_visit_header(&f, &header);
    header.size += f.length;
    risei_io(&f, RISEI_WRITE, 0);
    f.write = fn, f.user = user;
    risei_visit_header(&f, &header);
    for (s = 0; s < header.sections; s++) risei_visit(&f, a, (int)s + 1);
    return f.failed ? risei_fail(error, RISE_IO, "writing failed after %.0f of %.0f bytes",
                                 (double)f.length, (double)header.size)
                    : RISE_OK;
}

/* Reads and checks the header and the description. */
RISEI_FN rise_result risei_read_start(rise_read_fn fn, void *user, uint64_t size,
                                      risei_header *header, rise_agent_desc *desc,
                                      rise_error *error)
{
    risei_stream_io f;
    risei_io(&f, RISEI_READ, size);
    f.read = fn, f.user = user;
    memset(header, 0, sizeof *header);
    memset(desc, 0, sizeof *desc);
    risei_visit_header(&f, header);
    if (f.failed && !f.beyond)
        return risei_fail(error, RISE_IO, "the header could not be read after %.0f bytes",
                          (double)f.length);
    if (f.failed) return risei_fail(error, RISE_BAD_FILE, "the file ends within its header");
    if (f.wrong != NULL)
        return risei_fail(error, RISE_BAD_FILE, "the header is wrong: %s", f.wrong);
    if (header->version == RISEI_FILE_VERSION && header->size != size)
        return risei_fail(error, RISE_BAD_FILE, "it has %.0f bytes, but its header says %.0f",
                          (double)size, (double)header->size);
    if (header->version > RISEI_FILE_VERSION)
        return risei_fail(error, RISE_NEWER_FILE,
                          "the file has version %u, this rise.h reads up to %d",
                          (unsigned)header->version, RISEI_FILE_VERSION);
    if (header->version != RISEI_FILE_VERSION)
        return risei_fail(error, RISE_BAD_FILE,
                          "the file has version %u, which this rise.h no longer reads",
                          (unsigned)header->version);
    risei_io(&f, RISEI_READ, header->length[0]);
    f.read = fn, f.user = user;
    risei_visit_desc(&f, desc);
    if (f.failed && !f.beyond)
        return risei_fail(error, RISE_IO, "the description could not be read after %.0f bytes",
                          (double)f.length);
    if (f.failed || f.length != header->length[0] || f.crc != header->crc[0])
        return risei_fail(error, RISE_BAD_FILE, "the description in the file is damaged");
    if (f.wrong != NULL)
        return risei_fail(error, RISE_BAD_FILE, "the description in the file is wrong: %s",
                          f.wrong);
    return RISE_OK;
}
/* Adds to a description what the file's reader supplies. */
RISEI_FN void risei_take_machine(rise_agent_desc *desc, const rise_agent_desc *machine)
{
    desc->play_only = 0;
    if (machine == NULL) return;
    desc->isa = machine->isa;
    desc->threads = machine->threads;
    desc->memory_block = machine->memory_block, desc->memory_bytes = machine->memory_bytes;
    desc->log_fn = machine->log_fn, desc->log_user = machine->log_user;
    desc->clock_fn = machine->clock_fn, desc->clock_user = machine->clock_user;
    desc->embed_fn = machine->embed_fn, desc->embed_user = machine->embed_user;
    desc->embedding_file = machine->embedding_file;
    desc->play_only = machine->play_only;
    if (machine->players != 0) desc->players = machine->players;
}
/* Reads one section into the agent. */
RISEI_FN rise_result risei_read_section(rise_agent *a, rise_read_fn fn, void *user,
                                        const risei_header *header, int section, rise_error *error)
{
    risei_stream_io f;
    risei_io(&f, RISEI_READ, header->length[section - 1]);
    f.read = fn, f.user = user;
    risei_visit(&f, a, section);
    if (f.wrong != NULL)
        return risei_fail(error, RISE_BAD_FILE, "section %d is wrong: %s", section, f.wrong);
    if (f.failed && !f.beyond)
        return risei_fail(error, RISE_IO, "section %d could not be read after %.0f bytes", section,
                          (double)f.length);
    if (f.failed || f.length != f.limit)
        return risei_fail(error, RISE_BAD_FILE,
                          "section %d does not have the length its description asks for", section);
    if (f.crc != header->crc[section - 1])
        return risei_fail(error, RISE_BAD_FILE, "section %d is damaged: its checksum differs",
                          section);
    if (f.foreign)
        return risei_fail(error, RISE_MISMATCH,
                          "embedding_file has other weights than this agent learned with; give it "
                          "the file of then");
    return RISE_OK;
}
RISE_API rise_result rise_agent_read(rise_agent **agent, rise_read_fn fn, void *user, uint64_t size,
                                     const rise_agent_desc *machine, rise_error *error)
{
    risei_header header;
    rise_agent_desc desc;
    rise_agent *a;
    uint32_t s;
    rise_result result = risei_read_start(fn, user, size, &header, &desc, error);
    *agent = NULL;
    if (result != RISE_OK) return result;
    risei_take_machine(&desc, machine);
    if ((header.flags & RISEI_POLICY) != 0 && !desc.play_only)
        return risei_fail(error, RISE_MISMATCH,
                          "the file holds only a policy; load it with play_only = 1");
    result = rise_agent_create(&a, &desc, error);
    if (result != RISE_OK) return result;
    for (s = 1; s < header.sections && result == RISE_OK && !(s >= 2 && desc.play_only); s++)
        result = risei_read_section(a, fn, user, &header, (int)s + 1, error);
    if (result != RISE_OK) {
        rise_agent_destroy(a);
        return result;
    }
    if ((header.flags & RISEI_HAS_REPLAY) != 0 && !desc.play_only &&
        a->net.memory == RISE_MEMORY_RISE)
        risei_history_refresh(&a->device, &a->replay.history, &a->embedder, a->fresh);
    if (((header.flags & RISEI_FUSED) != 0) != (a->device.kernels->fused != 0))
        risei_log(a,
                  "rise: the file's numbers were %s, these kernels' are not: the run goes on, but "
                  "not bit for bit",
                  header.flags & RISEI_FUSED ? "fused" : "not fused");
    *agent = a;
    return RISE_OK;
}

#ifndef RISE_NO_STDIO
RISEI_FN int risei_write_stdio(void *user, const void *data, size_t size)
{
    return fwrite(data, 1, size, (FILE *)user) == size;
}
/* Puts what was written on the disk, and a file in another's place. */
RISEI_FN int risei_sync(FILE *file)
{
#ifdef RISEI_POSIX
    return fsync(fileno(file)) == 0;
#else
    return file != NULL;
#endif
}
RISEI_FN int risei_replace(const char *from, const char *to)
{
#ifdef _WIN32
    remove(to); /* rename() does not replace there */
#endif
    return rename(from, to) == 0;
}

RISE_API rise_result rise_agent_save(const rise_agent *agent, rise_save what, const char *path,
                                     rise_error *error)
{
    char beside[1024];
    FILE *file;
    rise_result result;
    int good;
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return risei_fail(error, RISE_IO, "the path is longer than %d characters",
                          (int)sizeof beside - 5);
    file = fopen(beside, "wb");
    if (file == NULL)
        return risei_fail(error, RISE_IO, "%.150s cannot be created: %s", beside, strerror(errno));
    result = rise_agent_write(agent, what, risei_write_stdio, file, error);
    good = fflush(file) == 0 && risei_sync(file);
    good = fclose(file) == 0 && good; /* a full disk may show only now */
    if (result == RISE_OK && (!good || !risei_replace(beside, path)))
        result = risei_fail(error, RISE_IO, "%.150s cannot be written: %s", path, strerror(errno));
    if (result != RISE_OK) remove(beside);
    return result;
}
RISE_API rise_result rise_agent_load(rise_agent **agent, const char *path,
                                     const rise_agent_desc *machine, rise_error *error)
{
    FILE *file = fopen(path, "rb");
    rise_result result;
    *agent = NULL;
    if (file == NULL)
        return risei_fail(error, RISE_IO, "%.150s cannot be opened: %s", path, strerror(errno));
    result = rise_agent_read(agent, risei_read_stdio, file, risei_file_size(file), machine, error);
    fclose(file);
    return risei_name(path, result, error);
}
RISE_API rise_result rise_agent_peek(rise_agent_desc *desc, const char *path, rise_error *error)
{
    FILE *file = fopen(path, "rb");
    risei_header header;
    rise_result result;
    if (file == NULL)
        return risei_fail(error, RISE_IO, "%.150s cannot be opened: %s", path, strerror(errno));
    result = risei_read_start(risei_read_stdio, file, risei_file_size(file), &header, desc, error);
    fclose(file);
    return risei_name(path, result, error);
}
#endif /* RISE_NO_STDIO */

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
#endif /* RISE_IMPLEMENTATION */

#else /* RISEK_PASS: the kernel template, once per instruction set */

/* ---------------------------------------------------------------------------------------------- */
/* >>template */
/*
    A pass defines: RISEK(name) to append its suffix, RISEK_FN (static, target attribute), RISEK_IN (the same, always inlined),
    a vector type V of VL lanes with the operations below, a mask type M, and the shape of its product tile: MR rows x NV
    vectors.
      vload vstore vset1 vbytes(p): VL bytes as numbers     vhalves(p): VL 16-bit floats, where there is an instruction for it
      vadd vsub vmul vdiv vsqrt vfma(a, b, c) = a b + c
      vgt(a, b) vselect(mask, yes, no) vabs                 vmax vmin: the second where one is NaN, and of two zeros
      vcopysign(x, sign) vscale(x, t): x 2^(low bits of t)
      vexponent(x) vmantissa(x): x = mantissa 2^exponent with mantissa in [0.5, 1), for normal x > 0
*/

RISEK_IN V RISEK(relu)(V x) { return vmax(x, vset1(0)); }

/* Numbers below 2^-100 become zero. Gradients fade along a sequence and moments fade in time; as denormals they would cost a
   hundred times as much, and processors differ in how they flush them. */
RISEK_IN V RISEK(flush)(V x)
{
    return vselect(vgt(vset1((rise_real)7.888609e-31), vabs(x)), vset1(0), x);
}

#ifdef RISE_DOUBLE
RISEK_IN V RISEK(vexp)(V x) { return exp(x); }
RISEK_IN V RISEK(vlog)(V x) { return log(x); }
RISEK_IN V RISEK(vtanh)(V x) { return tanh(x); }
RISEK_IN V RISEK(vsigmoid)(V x) { return 1 / (1 + exp(-x)); }
#else
/* e^x = 2^n e^r with |r| <= ln 2 / 2; polynomial of the Cephes library (S. Moshier). x is held in [-87, 88]. */
RISEK_IN V RISEK(vexp)(V x)
{
    /* 1.5 * 2^23: adding it rounds to an integer, which is left in the low bits */
    V const magic = vset1(12582912.0f);
    V const y = vmax(vset1(-87.0f), vmin(vset1(88.0f), x));
    V const t = vfma(y, vset1(1.44269504f), magic), n = vsub(t, magic);
    /* ln 2 in two parts */
    V const r = vfma(n, vset1(2.12194440e-4f), vfma(n, vset1(-0.693359375f), y));
    V p = vset1(1.9875691500e-4f);
    p = vfma(p, r, vset1(1.3981999507e-3f));
    p = vfma(p, r, vset1(8.3334519073e-3f));
    p = vfma(p, r, vset1(4.1665795894e-2f));
    p = vfma(p, r, vset1(1.6666665459e-1f));
    p = vfma(p, r, vset1(5.0000001201e-1f));
    /* Horner's last two steps would not be monotone */
    p = vadd(vfma(p, vmul(r, r), r), vset1(1.0f));
    return vselect(vgt(vset1(89.0f), y), vscale(p, t), x); /* the comparison fails for NaN alone */
}

/* log x = e ln 2 + log m, m in [sqrt(1/2), sqrt(2)); polynomial of Cephes. */
RISEK_IN V RISEK(vlog)(V x)
{
    V m = vmantissa(x), e = vexponent(x), z, p;
    M const low = vgt(vset1(0.707106781f), m);
    e = vselect(low, vsub(e, vset1(1.0f)), e);
    m = vsub(vselect(low, vadd(m, m), m), vset1(1.0f));
    z = vmul(m, m);
    p = vset1(7.0376836292e-2f);
    p = vfma(p, m, vset1(-1.1514610310e-1f));
    p = vfma(p, m, vset1(1.1676998740e-1f));
    p = vfma(p, m, vset1(-1.2420140846e-1f));
    p = vfma(p, m, vset1(1.4249322787e-1f));
    p = vfma(p, m, vset1(-1.6668057665e-1f));
    p = vfma(p, m, vset1(2.0000714765e-1f));
    p = vfma(p, m, vset1(-2.4999993993e-1f));
    p = vfma(p, m, vset1(3.3333331174e-1f));
    p = vmul(vmul(p, m), z);
    p = vfma(e, vset1(-2.12194440e-4f), p);
    p = vfma(z, vset1(-0.5f), p);
    return vfma(e, vset1(0.693359375f), vadd(m, p));
}

RISEK_IN V RISEK(vsigmoid)(V x)
{
    V const e = RISEK(vexp)(vsub(vset1(0), vmax(vset1(-80.0f), x)));
    return vdiv(vset1(1.0f), vadd(vset1(1.0f), e));
}

/* x + x^3 p(x^2) near zero (Cephes), 1 - 2 / (e^2x + 1) beyond. */
RISEK_IN V RISEK(vtanh)(V x)
{
    V const a = vabs(x), z = vmul(x, x);
    V const e = RISEK(vexp)(vadd(a, a));
    V const far = vcopysign(vsub(vset1(1.0f), vdiv(vset1(2.0f), vadd(e, vset1(1.0f)))), x);
    V p = vset1(-5.70498872745e-3f);
    p = vfma(p, z, vset1(2.06390887954e-2f));
    p = vfma(p, z, vset1(-5.37397155531e-2f));
    p = vfma(p, z, vset1(1.33314422036e-1f));
    p = vfma(p, z, vset1(-3.33332819422e-1f));
    p = vfma(vmul(p, z), x, x);
    return vselect(vgt(a, vset1(0.625f)), far, p);
}
#endif

/* Elementwise kernels: `body` handles VL elements at a time; the rest goes through a padded copy, so that one body serves
   both and the last elements get the same bits as the others. */
RISEK_IN V RISEK(load_part)(const rise_real *p, int n)
{
    rise_real lane[VL];
    int i;
    for (i = 0; i < VL; i++) lane[i] = i < n ? p[i] : 0;
    return vload(lane);
}
RISEK_IN void RISEK(store_part)(rise_real *p, V x, int n)
{
    rise_real lane[VL];
    int i;
    vstore(lane, x);
    for (i = 0; i < VL && i < n; i++) p[i] = lane[i];
}
#define RISEK_LOAD(p) (left >= VL ? vload((p) + i) : RISEK(load_part)((p) + i, left))
#define RISEK_STORE(p, x)                                                                          \
    (left >= VL ? vstore((p) + i, (x)) : RISEK(store_part)((p) + i, (x), left))
#define RISEK_EACH(n)                                                                              \
    int i, left;                                                                                   \
    for (i = 0, left = (n); left > 0; i += VL, left -= VL)

RISEK_FN void RISEK(map_exp)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH(n) { RISEK_STORE(y, RISEK(vexp)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(map_log)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH(n) { RISEK_STORE(y, RISEK(vlog)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(map_tanh)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH(n) { RISEK_STORE(y, RISEK(vtanh)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(map_sigmoid)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH(n) { RISEK_STORE(y, RISEK(vsigmoid)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(add)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH(n) { RISEK_STORE(y, vadd(RISEK_LOAD(y), RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(multiply)(int n, const rise_real *x, const rise_real *y, int add, rise_real *z)
{
    RISEK_EACH(n)
    {
        V const a = RISEK_LOAD(x), b = RISEK_LOAD(y);
        RISEK_STORE(z, add ? vfma(a, b, RISEK_LOAD(z)) : vmul(a, b));
    }
}
RISEK_FN void RISEK(perturb)(int rows, int n, const rise_real *x, const rise_real *a,
                             const rise_real *b, rise_real *z)
{
    int r;
    for (r = 0; r < rows; r++, x += n, z += n) {
        V const here = vset1(a[r]);
        RISEK_EACH(n)
        { RISEK_STORE(z, vfma(RISEK_LOAD(x), vmul(here, RISEK_LOAD(b)), RISEK_LOAD(z))); }
    }
}
RISEK_FN void RISEK(maximum)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH(n) { RISEK_STORE(y, vmax(RISEK_LOAD(x), RISEK_LOAD(y))); }
}
RISEK_FN void RISEK(claim)(int n, const rise_real *x, const rise_real *y, rise_real *rest,
                           rise_real *dx)
{
    RISEK_EACH(n)
    {
        M const less = vgt(RISEK_LOAD(y), RISEK_LOAD(x));
        V const r = RISEK_LOAD(rest), d = RISEK_LOAD(dx);
        RISEK_STORE(dx, vselect(less, d, vadd(d, r)));
        RISEK_STORE(rest, vselect(less, r, vset1(0)));
    }
}
RISEK_FN void RISEK(relu_backward)(int n, const rise_real *y, const rise_real *dy, rise_real *dx)
{
    RISEK_EACH(n)
    { RISEK_STORE(dx, vselect(vgt(RISEK_LOAD(y), vset1(0)), RISEK_LOAD(dy), vset1(0))); }
}

/* Sums in 16 lanes: element i goes to lane i % 16, whatever VL is, and the lanes are joined in halves. */
RISEK_FN rise_real RISEK(join)(rise_real *lane)
{
    int width, i;
    for (width = 8; width > 0; width /= 2)
        for (i = 0; i < width; i++) lane[i] = lane[i] + lane[i + width];
    return lane[0];
}
/* sum over i of (x[i] - x0) (y[i] - y0), n < 2^31 */
RISEK_FN rise_real RISEK(centred_dot)(ptrdiff_t n, const rise_real *x, rise_real x0,
                                      const rise_real *y, rise_real y0)
{
    V acc[16 / VL];
    V const vx0 = vset1(x0), vy0 = vset1(y0);
    rise_real lane[16], tail[2][16];
    ptrdiff_t i;
    int j;
    for (j = 0; j < 16 / VL; j++) acc[j] = vset1(0);
    for (i = 0; i + 16 <= n; i += 16)
        for (j = 0; j < 16 / VL; j++)
            acc[j] =
                vfma(vsub(vload(x + i + j * VL), vx0), vsub(vload(y + i + j * VL), vy0), acc[j]);
    for (j = 0; j < 16; j++) {
        tail[0][j] = i + j < n ? x[i + j] : x0; /* padding adds (x0 - x0) (y0 - y0) */
        tail[1][j] = i + j < n ? y[i + j] : y0;
    }
    for (j = 0; j < 16 / VL; j++) {
        acc[j] =
            vfma(vsub(vload(tail[0] + j * VL), vx0), vsub(vload(tail[1] + j * VL), vy0), acc[j]);
        vstore(lane + j * VL, acc[j]);
    }
    return RISEK(join)(lane);
}
RISEK_FN rise_real RISEK(sum)(int n, const rise_real *x)
{
    rise_real lane[16];
    int i;
    for (i = 0; i < 16; i++) lane[i] = 0;
    for (i = 0; i < n; i++) lane[i % 16] = lane[i % 16] + x[i];
    return RISEK(join)(lane);
}
RISEK_FN double RISEK(dot)(ptrdiff_t n, const rise_real *x, const rise_real *y)
{
    return (double)RISEK(centred_dot)(n, x, 0, y, 0);
}

RISEK_FN void RISEK(lstm_forward)(int n, rise_real *gates, const rise_real *c, rise_real *c_next,
                                  rise_real *h)
{
    RISEK_EACH(n)
    {
        V const in = RISEK(vsigmoid)(RISEK_LOAD(gates));
        V const forget = RISEK(vsigmoid)(RISEK_LOAD(gates + n));
        V const g = RISEK(vtanh)(RISEK_LOAD(gates + 2 * n));
        V const out = RISEK(vsigmoid)(RISEK_LOAD(gates + 3 * n));
        V const next = vfma(forget, RISEK_LOAD(c), vmul(in, g));
        RISEK_STORE(gates, in);
        RISEK_STORE(gates + n, forget);
        RISEK_STORE(gates + 2 * n, g);
        RISEK_STORE(gates + 3 * n, out);
        RISEK_STORE(c_next, next);
        RISEK_STORE(h, vmul(out, RISEK(vtanh)(next)));
    }
}
/* dy y (1 - y): through a sigmoid whose value is y */
RISEK_IN V RISEK(dsigmoid)(V dy, V y) { return RISEK(flush)(vmul(dy, vmul(y, vsub(vset1(1), y)))); }
/* dy (1 - y^2): through a tanh whose value is y */
RISEK_IN V RISEK(dtanh)(V dy, V y) { return vmul(dy, vfma(vsub(vset1(0), y), y, vset1(1))); }

RISEK_FN void RISEK(lstm_backward)(int n, const rise_real *gates, const rise_real *c,
                                   const rise_real *c_next, const rise_real *dh, rise_real *dc,
                                   rise_real *dgates)
{
    RISEK_EACH(n)
    {
        V const in = RISEK_LOAD(gates), forget = RISEK_LOAD(gates + n);
        V const g = RISEK_LOAD(gates + 2 * n);
        V const out = RISEK_LOAD(gates + 3 * n), t = RISEK(vtanh)(RISEK_LOAD(c_next));
        V const d = RISEK_LOAD(dh);
        V const dnext = vadd(RISEK_LOAD(dc), RISEK(dtanh)(vmul(d, out), t));
        RISEK_STORE(dgates, RISEK(dsigmoid)(vmul(dnext, g), in));
        RISEK_STORE(dgates + n, RISEK(dsigmoid)(vmul(dnext, RISEK_LOAD(c)), forget));
        RISEK_STORE(dgates + 2 * n, RISEK(flush)(RISEK(dtanh)(vmul(dnext, in), g)));
        RISEK_STORE(dgates + 3 * n, RISEK(dsigmoid)(vmul(d, t), out));
        RISEK_STORE(dc, RISEK(flush)(vmul(dnext, forget)));
    }
}

RISEK_FN void RISEK(gru_forward)(int n, rise_real *x, const rise_real *u, const rise_real *h,
                                 rise_real *h_next)
{
    RISEK_EACH(n)
    {
        V const r = RISEK(vsigmoid)(vadd(RISEK_LOAD(x), RISEK_LOAD(u)));
        V const z = RISEK(vsigmoid)(vadd(RISEK_LOAD(x + n), RISEK_LOAD(u + n)));
        V const new_h = RISEK(vtanh)(vfma(r, RISEK_LOAD(u + 2 * n), RISEK_LOAD(x + 2 * n)));
        RISEK_STORE(x, r);
        RISEK_STORE(x + n, z);
        RISEK_STORE(x + 2 * n, new_h);
        RISEK_STORE(h_next, vfma(z, vsub(RISEK_LOAD(h), new_h), new_h));
    }
}
RISEK_FN void RISEK(gru_backward)(int n, const rise_real *x, const rise_real *u, const rise_real *h,
                                  rise_real *dh, rise_real *dx, rise_real *du)
{
    RISEK_EACH(n)
    {
        V const r = RISEK_LOAD(x), z = RISEK_LOAD(x + n), new_h = RISEK_LOAD(x + 2 * n);
        V const d = RISEK_LOAD(dh);
        V const dn = RISEK(flush)(RISEK(dtanh)(vmul(d, vsub(vset1(1), z)), new_h));
        V const dr = RISEK(dsigmoid)(vmul(dn, RISEK_LOAD(u + 2 * n)), r);
        V const dz = RISEK(dsigmoid)(vmul(d, vsub(RISEK_LOAD(h), new_h)), z);
        RISEK_STORE(dx, dr);
        RISEK_STORE(dx + n, dz);
        RISEK_STORE(dx + 2 * n, dn);
        RISEK_STORE(du, dr);
        RISEK_STORE(du + n, dz);
        RISEK_STORE(du + 2 * n, vmul(dn, r));
        RISEK_STORE(dh, RISEK(flush)(vmul(d, z)));
    }
}

RISEK_FN void RISEK(mingru_forward)(int n, rise_real *gates, const rise_real *h, rise_real *h_next)
{
    RISEK_EACH(n)
    {
        V const z = RISEK(vsigmoid)(RISEK_LOAD(gates)), new_h = RISEK(vtanh)(RISEK_LOAD(gates + n));
        RISEK_STORE(gates, z);
        RISEK_STORE(gates + n, new_h);
        RISEK_STORE(h_next, vfma(z, vsub(RISEK_LOAD(h), new_h), new_h));
    }
}
RISEK_FN void RISEK(mingru_backward)(int n, const rise_real *gates, const rise_real *h,
                                     rise_real *dh, rise_real *dgates)
{
    RISEK_EACH(n)
    {
        V const z = RISEK_LOAD(gates), new_h = RISEK_LOAD(gates + n), d = RISEK_LOAD(dh);
        RISEK_STORE(dgates, RISEK(dsigmoid)(vmul(d, vsub(RISEK_LOAD(h), new_h)), z));
        RISEK_STORE(dgates + n, RISEK(flush)(RISEK(dtanh)(vmul(d, vsub(vset1(1), z)), new_h)));
        RISEK_STORE(dh, RISEK(flush)(vmul(d, z)));
    }
}

RISEK_FN void RISEK(gate_forward)(int n, const rise_real *x, rise_real *u, rise_real *y)
{
    RISEK_EACH(n)
    {
        V const s = RISEK(vsigmoid)(RISEK_LOAD(u));
        RISEK_STORE(u, s);
        RISEK_STORE(y, vmul(RISEK_LOAD(x), s));
    }
}
RISEK_FN void RISEK(gate_backward)(int n, const rise_real *x, const rise_real *s, rise_real *dy,
                                   rise_real *dx)
{
    RISEK_EACH(n)
    {
        V const gate = RISEK_LOAD(s), d = RISEK_LOAD(dy);
        RISEK_STORE(dx, vmul(d, gate));
        RISEK_STORE(dy, RISEK(dsigmoid)(vmul(d, RISEK_LOAD(x)), gate));
    }
}

RISEK_FN void RISEK(norm_forward)(int n, const rise_real *x, const rise_real *gain,
                                  const rise_real *bias, rise_real *y, rise_real *stats)
{
    rise_real const mean = RISEK(sum)(n, x) / (rise_real)n;
    rise_real const var = RISEK(centred_dot)(n, x, mean, x, mean) / (rise_real)n;
    stats[0] = mean;
    stats[1] = 1 / risei_sqrt(var + (rise_real)1e-5);
    {
        V const m = vset1(mean), scale = vset1(stats[1]);
        RISEK_EACH(n)
        {
            RISEK_STORE(y, vfma(vmul(vsub(RISEK_LOAD(x), m), scale), RISEK_LOAD(gain),
                                RISEK_LOAD(bias)));
        }
    }
}
/* With xhat = (x - mean) scale and d = dy gain: dx = scale (d - mean(d) - xhat mean(d xhat)). */
RISEK_FN void RISEK(norm_backward)(int n, const rise_real *x, const rise_real *gain,
                                   const rise_real *stats, rise_real *dy, rise_real *dgain,
                                   rise_real *dbias)
{
    V const m = vset1(stats[0]), scale = vset1(stats[1]);
    V mean_d, mean_dx;
    {
        RISEK_EACH(n)
        {
            V const d = RISEK_LOAD(dy), xhat = vmul(vsub(RISEK_LOAD(x), m), scale);
            RISEK_STORE(dgain, vfma(d, xhat, RISEK_LOAD(dgain)));
            RISEK_STORE(dbias, vadd(RISEK_LOAD(dbias), d));
            RISEK_STORE(dy, vmul(d, RISEK_LOAD(gain)));
        }
    }
    mean_d = vset1(RISEK(sum)(n, dy) / (rise_real)n);
    mean_dx = vset1(RISEK(centred_dot)(n, dy, 0, x, stats[0]) * stats[1] / (rise_real)n);
    {
        RISEK_EACH(n)
        {
            V const d = vsub(RISEK_LOAD(dy), mean_d), xhat = vmul(vsub(RISEK_LOAD(x), m), scale);
            RISEK_STORE(dy, vmul(vfma(vsub(vset1(0), xhat), mean_dx, d), scale));
        }
    }
}

RISEK_FN void RISEK(stack)(int pixels, int channels, int stack, const uint8_t *const *frames,
                           rise_real *out)
{
    rise_real const unit = (rise_real)RISEI_BYTE;
    int x = 0, s, c;
#if VL >= 4 /* the usual cases: four grey frames, and one of any kind */
    V const units = vset1(unit);
    for (; stack == 4 && channels == 1 && x + 16 <= pixels; x += 16) {
        uint8_t mixed[64];
        risei_mix4(frames, x, mixed);
        for (s = 0; s < 4; s++) RISEI_PREFETCH(frames[s] + x + RISEI_AHEAD);
        RISEI_UNROLL for (c = 0; c < 64; c += VL)
            vstore(out + x * 4 + c, vmul(vbytes(mixed + c), units));
    }
    for (; stack == 1 && x + VL <= pixels; x += VL)
        for (c = 0; c < channels; c++)
            vstore(out + x * channels + c * VL,
                   vmul(vbytes(frames[0] + x * channels + c * VL), units));
#endif
    for (; x < pixels; x++)
        for (s = 0; s < stack; s++)
            for (c = 0; c < channels; c++)
                out[(x * stack + s) * channels + c] = (rise_real)frames[s][x * channels + c] * unit;
}

RISEK_FN void RISEK(unhalf)(int n, const uint16_t *x, rise_real *y)
{
    int i = 0;
#ifdef vhalves
    for (; i + VL <= n; i += VL) vstore(y + i, vhalves(x + i));
#else
    int j;
    for (; i + 16 <= n; i += 16) /* which compilers vectorise */
        for (j = 0; j < 16; j++) y[i + j] = risei_unhalf(x[i + j]);
#endif
    for (; i < n; i++) y[i] = risei_unhalf(x[i]);
}

/* Plain C below: integers are exact in any order, and compilers vectorise these loops well, where they see that there are `lanes`
   numbers, or so many times as many. */
enum { RISEK(lanes) = 16 };
RISEK_FN void RISEK(sums_and_differences)(int times, int32_t *RISEI_RESTRICT a,
                                          int32_t *RISEI_RESTRICT b)
{
    int i;
    for (i = 0; i < times * RISEK(lanes); i++) {
        int32_t const x = a[i], y = b[i];
        a[i] = x + y, b[i] = x - y;
    }
}
RISEK_FN void RISEK(project_signs)(int n, int32_t *x, int size, uint32_t seed, int32_t *sums)
{
    int const bits = rise_sign_bits(n, size), all = 1 << bits;
    int i, j, l, half;
    memset(x + n, 0, (size_t)(all - n) * sizeof *x);
    for (i = 0; i < all; i += RISEK(lanes))
        for (l = 0; l < RISEK(lanes); l++) {
            /* 0 or -1, which negates */
            int32_t const coin = -(int32_t)(risei_hash(seed, (uint32_t)(i + l)) >> 31);
            x[i + l] = (x[i + l] ^ coin) - coin;
        }
    for (half = all / 2; half >= RISEK(lanes); half /= 2) /* a bit of i becomes one of r */
        for (i = 0; i < all; i += 2 * half)
            RISEK(sums_and_differences)(half / RISEK(lanes), x + i, x + i + half);
    for (j = 0; j < size; j++) { /* the last four bits, for the rows that are wanted */
        uint32_t const r = risei_sign_row(seed, bits, j);
        uint32_t const odd = (r & 1u ? 0xAAAAu : 0) ^ (r & 2u ? 0xCCCCu : 0) ^
                             (r & 4u ? 0xF0F0u : 0) ^ (r & 8u ? 0xFF00u : 0);
        const int32_t *const last = x + (r & ~15u);
        int32_t sum = 0;
        for (l = 0; l < RISEK(lanes); l++) sum += odd & 1u << l ? -last[l] : last[l];
        sums[j] = sum;
    }
}
RISEK_FN void RISEK(project_ternary)(int n, const int32_t *x, int size, const int8_t *w,
                                     int32_t *sums)
{
    int i, j;
    for (j = 0; j < size; j++) sums[j] = 0;
    for (i = 0; i < n; i++, w += size)
        for (j = 0; j < size; j++) sums[j] += x[i] * w[j];
}

RISEK_FN int RISEK(adam)(ptrdiff_t n, const rise_adam *a, rise_real *w, const rise_real *g,
                         rise_real *m, rise_real *v)
{
    V const scale = vset1(a->scale), keep1 = vset1(1 - a->beta1), keep2 = vset1(1 - a->beta2);
    V const rate = vset1(-a->rate), root_scale = vset1(a->root_scale), epsilon = vset1(a->epsilon);
    V odd = vset1(0); /* 0, or NaN as soon as a weight is no finite number */
    rise_real lane[VL];
    ptrdiff_t const block = 1 << 20;
    int finite = 1, l;
    while (n > 0) {
        int const part = (int)(n < block ? n : block);
        RISEK_EACH(part)
        {
            V const grad = vmul(RISEK_LOAD(g), scale), m0 = RISEK_LOAD(m), v0 = RISEK_LOAD(v);
            V const m1 = RISEK(flush)(vfma(keep1, vsub(grad, m0), m0));
            V const v1 = RISEK(flush)(vfma(keep2, vsub(vmul(grad, grad), v0), v0));
            V const step = vdiv(m1, vfma(vsqrt(v1), root_scale, epsilon));
            V const w1 = vfma(rate, step, RISEK_LOAD(w));
            odd = vadd(odd, vsub(w1, w1));
            RISEK_STORE(w, w1);
            RISEK_STORE(m, m1);
            RISEK_STORE(v, v1);
        }
        n -= part, w += part, g += part, m += part, v += part;
    }
    vstore(lane, odd);
    for (l = 0; l < VL; l++) finite &= lane[l] - lane[l] == 0;
    return finite;
}

/* ---------------------------------------------------------------------------------------------- */
/* Matrix products */

#ifdef RISEK_REFERENCE

/* The oracle: three loops, as one would write them down. */
RISEK_FN rise_real RISEK(element)(const rise_matrix *x, int i, int j)
{
    return x->data[risei_walk(&x->rows, i) + risei_column(x, j)];
}
RISEK_FN void RISEK(product)(const rise_product *p, int part, int parts, void *scratch)
{
    int i, j, k, from, to;
    (void)scratch;
    risei_share(p->m, 1, part, parts, &from, &to);
    for (j = 0; j < p->n && p->sums && from == 0 && to > 0; j++) {
        if (!p->accumulate) p->sums[j] = 0;
        for (k = 0; k < p->k; k++) p->sums[j] = p->sums[j] + RISEK(element)(&p->b, k, j);
    }
    for (i = from; i < to; i++)
        for (j = 0; j < p->n; j++) {
            rise_real *c = (rise_real *)(uintptr_t)p->c.data + risei_walk(&p->c.rows, i) +
                           risei_column(&p->c, j);
            rise_real sum = p->accumulate ? *c : p->bias ? p->bias[j] : 0;
            for (k = 0; k < p->k; k++)
                sum =
                    vfma(p->transposed ? RISEK(element)(&p->a, k, i) : RISEK(element)(&p->a, i, k),
                         RISEK(element)(&p->b, k, j), sum);
            *c = p->relu ? RISEK(relu)(sum) : sum;
        }
}

#else

/*  C is computed in tiles of MR rows x NV vectors that live in registers while k runs. Both A and B are read where they lie if
    they lie well, else they are packed: B in blocks, as panels of NR columns, k-major; A up to MC rows and KC columns at a
    time. k is cut into blocks of KC, C being stored and loaded in between, which does not change a bit. */
#define NR (NV * VL)
#define KC RISEI_KC
#define NC RISEI_NC
#define MC (RISEI_MC / MR * MR)
#define ROW RISEI_ROW
#define PANEL (KC * MR + 16) /* of a packed transposed A: no power of two, either */

enum { RISEK(from_zero), RISEK(from_bias), RISEK(from_c) };

/* Rows of A, columns k0 .. k0+k, in one of two forms. By rows: row i starts at data + at[i], the rows of a tile are `stride`
   apart, and each runs on for `run` elements (`first` in its first run), then run_step further. By columns, if A is transposed:
   column k is at data + at[k], and row i beside row i + 1 for `run` rows (`row` is the first), then run_step further. */
typedef struct RISEK(block) {
    const rise_real *data;
    const ptrdiff_t *at;
    ptrdiff_t stride, run_step;
    int by_columns, run, first, row;
    int span;  /* by rows: this many are equally spaced, */
    int spent; /* but the first of them has so many before it */
} RISEK(block);

/* A tile: c[i][0 .. vectors * VL) = init + sum_k a(i, k) b[k * ldb + ...] for i < rows. Some steps of k at a time, so that little
   but multiply-adds is left to a core that two threads share; each time a cache line (16 numbers) is asked for of what comes next
   but may lie in memory: from `ahead` on, the next panel of a B that is read in place, or C; and the next run of A's rows. */
#define RISEK_TILE_BEGIN(name, rows, vectors)                                                      \
    RISEK_FN void RISEK(name)(int count, const RISEK(block) * block, const rise_real *a,           \
                              const rise_real *b, ptrdiff_t ldb, const rise_real *ahead,           \
                              rise_real *const *c, const rise_real *bias, int init, int relu)      \
    {                                                                                              \
        V acc[rows][vectors];                                                                      \
        int i, j, k;                                                                               \
        RISEI_UNROLL for (i = 0; i < rows; i++) RISEI_UNROLL                                       \
            for (j = 0; j < vectors; j++)                                                          \
                acc[i][j] = init == RISEK(from_zero)                                               \
                                ? vset1(0)                                                         \
                                : vload((init == RISEK(from_c) ? c[i] : bias) + j * VL);
#define RISEK_TILE_STEP(vectors, adding)                                                           \
    {                                                                                              \
        V col[vectors];                                                                            \
        RISEI_UNROLL for (j = 0; j < vectors; j++)                                                 \
            col[j] = vload(b + j * VL);                                                            \
        adding b += ldb;                                                                           \
    }
#define RISEK_TILE_ADD(from, to, vectors, sum)                                                     \
    RISEI_UNROLL for (i = from; i < to; i++) RISEI_UNROLL                                          \
        for (j = 0; j < vectors; j++) acc[i][j] = sum;
#define RISEK_TILE_ASK(vectors, which, next)                                                       \
    if (vectors > 1) { /* narrow ones are small, too */                                            \
        which(next);                                                                               \
        next += 16;                                                                                \
    }
#define RISEK_TILE_END(rows, vectors)                                                              \
    RISEI_UNROLL for (i = 0; i < rows; i++) RISEI_UNROLL                                           \
        for (j = 0; j < vectors; j++)                                                              \
            vstore(c[i] + j * VL, relu ? RISEK(relu)(acc[i][j]) : acc[i][j]);                      \
    }
/* By rows: every third row has a pointer, so that all fit a processor's registers. */
#define RISEK_TILE_ROW_STEP(rows, vectors)                                                         \
    RISEK_TILE_STEP(vectors,                                                                       \
                    RISEK_TILE_ADD(0, rows, vectors,                                               \
                                   vfma(vset1(row[i / 3][i % 3 * stride]), col[j], acc[i][j])))    \
    RISEI_UNROLL for (i = 0; i < (rows + 2) / 3; i++)                                              \
        row[i]++;
#define RISEK_TILE_COLUMN_ADD(from, rows, vectors)                                                 \
    RISEK_TILE_ADD(from, rows, vectors, vfma(vset1(column[i]), col[j], acc[i][j]))
#ifdef vfma_lane /* elements of A come by fours */
enum { RISEK(row_steps) = 4 };
#define RISEK_TILE_LANE_STEP(rows, vectors, lane)                                                  \
    RISEK_TILE_STEP(vectors,                                                                       \
                    RISEK_TILE_ADD(0, rows, vectors, vfma_lane(four[i], lane, col[j], acc[i][j])))
#define RISEK_TILE_ROW_STEPS(rows, vectors)                                                        \
    V four[rows];                                                                                  \
    RISEI_UNROLL for (i = 0; i < rows; i++)                                                        \
        four[i] = vload(row[i / 3] + i % 3 * stride);                                              \
    RISEK_TILE_LANE_STEP(rows, vectors, 0)                                                         \
    RISEK_TILE_LANE_STEP(rows, vectors, 1)                                                         \
    RISEK_TILE_LANE_STEP(rows, vectors, 2)                                                         \
    RISEK_TILE_LANE_STEP(rows, vectors, 3)                                                         \
    RISEI_UNROLL for (i = 0; i < (rows + 2) / 3; i++)                                              \
        row[i] += 4;
#define RISEK_TILE_COLUMN_ADDS(rows, vectors)                                                      \
    RISEI_UNROLL for (i = 0; i + 4 <= rows; i += 4) {                                              \
        V const four = vload(column + i);                                                          \
        RISEI_UNROLL for (j = 0; j < vectors; j++) {                                               \
            acc[i][j] = vfma_lane(four, 0, col[j], acc[i][j]);                                     \
            acc[i + 1][j] = vfma_lane(four, 1, col[j], acc[i + 1][j]);                             \
            acc[i + 2][j] = vfma_lane(four, 2, col[j], acc[i + 2][j]);                             \
            acc[i + 3][j] = vfma_lane(four, 3, col[j], acc[i + 3][j]);                             \
        }                                                                                          \
    }                                                                                              \
    RISEK_TILE_COLUMN_ADD(rows / 4 * 4, rows, vectors)
#else
enum { RISEK(row_steps) = 2 };
#define RISEK_TILE_ROW_STEPS(rows, vectors)                                                        \
    RISEK_TILE_ROW_STEP(rows, vectors)                                                             \
    RISEK_TILE_ROW_STEP(rows, vectors)
#define RISEK_TILE_COLUMN_ADDS(rows, vectors) RISEK_TILE_COLUMN_ADD(0, rows, vectors)
#endif
#define RISEK_TILE_ROWS(name, rows, vectors)                                                       \
    RISEK_TILE_BEGIN(name, rows, vectors)                                                          \
    const rise_real *row[(rows + 2) / 3];                                                          \
    ptrdiff_t const stride = block->stride;                                                        \
    int left = block->run - block->first;                                                          \
    for (i = 0; i < (rows + 2) / 3; i++) row[i] = a + 3 * i * stride;                              \
    for (;;) {                                                                                     \
        int const part = count < left ? count : left;                                              \
        const rise_real *next = row[0] + block->run_step;                                          \
        for (k = part; k >= RISEK(row_steps); k -= RISEK(row_steps)) {                             \
            RISEK_TILE_ASK(vectors, RISEI_PREFETCH_FAR, ahead)                                     \
            RISEK_TILE_ASK(vectors, RISEI_PREFETCH, next)                                          \
            RISEK_TILE_ROW_STEPS(rows, vectors)                                                    \
        }                                                                                          \
        for (; k > 0; k--) { RISEK_TILE_ROW_STEP(rows, vectors) }                                  \
        if ((count -= part) == 0) break;                                                           \
        RISEI_UNROLL for (i = 0; i < (rows + 2) / 3; i++)                                          \
            row[i] += block->run_step - block->run;                                                \
        left = block->run;                                                                         \
    }                                                                                              \
    RISEK_TILE_END(rows, vectors)
#define RISEK_TILE_COLUMN_STEP(rows, vectors)                                                      \
    {                                                                                              \
        const rise_real *const column = a + *at++;                                                 \
        RISEK_TILE_STEP(vectors, RISEK_TILE_COLUMN_ADDS(rows, vectors))                            \
    }
/* Columns, too, are asked for so many steps before they are read, where multiply-adds leave time for it: the pixels of an image
   may come from far. */
enum { RISEK(lead) = 24 };
#define RISEK_TILE_COLUMNS(name, rows, vectors)                                                    \
    RISEK_TILE_BEGIN(name, rows, vectors)                                                          \
    const ptrdiff_t *at = block->at;                                                               \
    for (k = count; k >= 2; k -= 2) {                                                              \
        RISEK_TILE_ASK(vectors, RISEI_PREFETCH_FAR, ahead)                                         \
        if (rows * vectors > 16) {                                                                 \
            const ptrdiff_t *const soon = at + (k >= RISEK(lead) + 2 ? RISEK(lead) : 0);           \
            RISEI_PREFETCH(a + soon[0]);                                                           \
            RISEI_PREFETCH(a + soon[1]);                                                           \
        }                                                                                          \
        RISEK_TILE_COLUMN_STEP(rows, vectors)                                                      \
        RISEK_TILE_COLUMN_STEP(rows, vectors)                                                      \
    }                                                                                              \
    if (k > 0) RISEK_TILE_COLUMN_STEP(rows, vectors)                                               \
    RISEK_TILE_END(rows, vectors)
#define RISEK_TILES(rows)                                                                          \
    RISEK_TILE_ROWS(tile_##rows##_wide, rows, NV)                                                  \
    RISEK_TILE_ROWS(tile_##rows##_thin, rows, 1)                                                   \
    RISEK_TILE_COLUMNS(tile_##rows##_wide_t, rows, NV)                                             \
    RISEK_TILE_COLUMNS(tile_##rows##_thin_t, rows, 1)
#define RISEK_TILE_NAMES(rows)                                                                     \
    {RISEK(tile_##rows##_wide), RISEK(tile_##rows##_thin), RISEK(tile_##rows##_wide_t),            \
     RISEK(tile_##rows##_thin_t)},
RISEK_TILE_SIZES(RISEK_TILES)

typedef void (*RISEK(tile_fn))(int, const RISEK(block) *, const rise_real *, const rise_real *,
                               ptrdiff_t, const rise_real *, rise_real *const *, const rise_real *,
                               int, int);

/* A tile's edge [rows][NR] to where it belongs: row i at c_at[i], its elements `step` apart. */
RISEK_FN void RISEK(store_edge)(const rise_real *edge, rise_real *c, const ptrdiff_t *c_at,
                                ptrdiff_t step, int rows, int cols)
{
    int i = 0, j, s;
    /* columns that are rows in memory */
    for (; i + 4 <= rows && step != 1 && c_at[i + 3] - c_at[i] == 3; i += 4) {
        for (j = 0; j + 4 <= cols; j += 4)
            risei_turn4(edge + i * NR + j, NR, c + c_at[i] + j * step, step);
        for (; j < cols; j++)
            for (s = i; s < i + 4; s++) c[c_at[s] + j * step] = edge[s * NR + j];
    }
    for (; i < rows; i++)
        for (j = 0; j < cols; j++) c[c_at[i] + j * step] = edge[i * NR + j];
}
/* `cols` (1..NR) columns of C from `col` on, for `rows` rows that start at c_at[i]. Meanwhile `lines` cache lines (16 numbers)
   from `ahead` on are asked for, and after them C from the next tile's first row on: one every few steps, for what is asked for
   at once is waited for. */
RISEK_FN void RISEK(tiles)(const rise_product *p, int k, const ptrdiff_t *c_at, int rows, int col,
                           int cols, const RISEK(block) * a, const rise_real *b, ptrdiff_t ldb,
                           const rise_real *ahead, int lines, int init, int relu)
{
    static RISEK(tile_fn) const tile[MR][4] = {RISEK_TILE_SIZES(RISEK_TILE_NAMES)};
    int const thin = cols <= VL, width = thin ? VL : NR, beside = p->c.run > 1 || cols == 1;
    int const whole = cols == width && beside;
    ptrdiff_t const step = beside ? 1 : p->c.run_step;
    rise_real *const c0 = (rise_real *)(uintptr_t)p->c.data + risei_column(&p->c, col);
    /* where C ends within a tile, or its columns lie apart */
    rise_real edge[MR][NR], edge_bias[NR];
    const rise_real *bias = p->bias ? p->bias + col : 0, *next;
    rise_real *c[MR];
    /* rows that one tile may hold lie in a span */
    int const span = a->by_columns ? a->run : a->span;
    /* rows that become columns are stored by fours */
    int const most = MR > 12 && step != 1 ? 12 : MR;
    int const asked = k / (a->by_columns ? 2 : RISEK(row_steps)); /* by each tile */
    int in_span = (a->by_columns ? a->row : a->spent) % span;
    int spans = a->by_columns ? a->row / span : 0, row, i, j, size;
    if (init == RISEK(from_bias) && !whole) {
        for (j = 0; j < width; j++) edge_bias[j] = j < cols ? bias[j] : 0;
        bias = edge_bias;
    }
    for (row = 0; row < rows; row += size) {
        int const left = rows - row < span - in_span ? rows - row : span - in_span;
        const rise_real *start = a->data +
                                 (a->by_columns ? spans * a->run_step + in_span : a->at[row]);
        size = risei_ceil_div(left, risei_ceil_div(left, most)); /* tiles of a like height */
        if (most < MR && size < left) size = (size + 3) / 4 * 4;
        for (i = 0; i < size && whole; i++) c[i] = c0 + c_at[row + i];
        for (i = 0; i < size && !whole; i++) {
            c[i] = edge[i];
            for (j = 0; j < cols && init == RISEK(from_c); j++)
                edge[i][j] = c0[c_at[row + i] + j * step];
        }
        next = lines > 0 ? ahead : whole && row + size < rows ? c0 + c_at[row + size] : b;
        tile[size - 1][2 * a->by_columns + thin](k, a, start, b, ldb, next, c, bias, init, relu);
        ahead += asked * (ptrdiff_t)16, lines -= asked;
        if (!whole) RISEK(store_edge)(&edge[0][0], c0, c_at + row, step, size, cols);
        in_span += size;
        if (in_span == span) in_span = 0, spans++;
    }
}

RISEK_IN void RISEK(copy)(rise_real *to, const rise_real *from, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) vstore(to + i, vload(from + i));
    for (; i + 4 <= n; i += 4) memcpy(to + i, from + i, 4 * sizeof *to);
    for (; i < n; i++) to[i] = from[i];
}
/* columns j .. j+n of the row at `row`, run by run */
RISEK_FN void RISEK(copy_columns)(rise_real *to, const rise_matrix *x, ptrdiff_t row, int j, int n)
{
    int in = j;
    if (j >= x->run) {
        row += (j / x->run) * x->run_step;
        in = j % x->run;
    }
    while (n > 0) {
        int const part = n < x->run - in ? n : x->run - in;
        RISEK(copy)(to, x->data + row + in, part);
        to += part, n -= part;
        row += x->run_step, in = 0;
    }
}

/* Rows row .. row+rows of a transposed A, k of its columns -> panels [rows / MR][k][MR], PANEL apart. Whole vectors, where there
   are so many more rows: what is written too much is written again. */
RISEK_FN void RISEK(pack_a)(const rise_product *p, const ptrdiff_t *k_at, int row, int rows, int k,
                            rise_real *to)
{
    enum { VECTORS = (MR + VL - 1) / VL };
    const rise_matrix *x = &p->a;
    int const room = p->m - row - VECTORS * VL;
    int const full = x->run >= p->m && room >= 0 ? room / MR + 1 : 0;
    int const whole = full < rows / MR ? full : rows / MR; /* panels */
    int i, j, q;
    for (i = 0; i < k && whole > 0; i++)
        for (q = 0; q < whole; q++) {
            RISEI_PREFETCH(x->data + k_at[i + 8 < k ? i + 8 : i] + row + q * MR);
            RISEI_UNROLL for (j = 0; j < VECTORS; j++)
                vstore(to + q * PANEL + i * MR + j * VL,
                       vload(x->data + k_at[i] + row + q * MR + j * VL));
        }
    for (q = whole; q * MR < rows; q++)
        for (i = 0; i < k; i++)
            RISEK(copy_columns)(to + q * PANEL + i * MR, x, k_at[i], row + q * MR,
                                rows - q * MR < MR ? rows - q * MR : MR);
}
/* Are tiles three fifths full or more, if they share so many equally spaced rows? */
RISEK_FN int RISEK(tiles_fit)(int span)
{
    return span >= 8 * MR || 5 * span >= 3 * MR * risei_ceil_div(span, MR);
}
/* Rows row .. row+rows of A, columns k0 .. k0+k. `k_at`: where the columns lie, if it is transposed. Of C, n columns want it: few
   of them are not worth packing it. */
RISEK_FN RISEK(block)
    RISEK(block_of_a)(const rise_product *p, const ptrdiff_t *k_at, int row, int rows, int k0,
                      int k, int n, ptrdiff_t *at, rise_real *packed)
{
    const rise_matrix *x = &p->a;
    int const once = n <= 2 * RISE_PANEL, narrow = n <= NR && x->rows.inner >= MR / 2;
    /* powers of two apart, rows compete for a few cache lines */
    int const crowded = !once && x->rows.step[0] % 512 == 0;
    RISEK(block) block;
    int i;
    memset(&block, 0, sizeof block);
    block.by_columns = p->transposed;
    if (p->transposed && once && (RISEK(tiles_fit)(x->run) || x->run >= p->m)) {
        block.data = x->data, block.at = k_at;
        block.row = row, block.run = x->run, block.run_step = x->run_step;
    } else if (p->transposed) {
        block.data = packed, block.at = at;
        block.run = MR, block.run_step = PANEL;
        for (i = 0; i < k; i++) at[i] = (ptrdiff_t)i * MR;
        RISEK(pack_a)(p, k_at, row, rows, k, packed);
        /* an image's pixels, or any row-major matrix */
    } else if (narrow || (!crowded && RISEK(tiles_fit)(x->rows.inner))) {
        risei_locate(&x->rows, row, rows, at);
        block.data = x->data + risei_column(x, k0), block.at = at;
        block.stride = x->rows.step[0], block.run = x->run, block.run_step = x->run_step,
        block.first = k0 % x->run;
        block.span = x->rows.inner, block.spent = row % x->rows.inner;
    } else {
        risei_locate(&x->rows, row, rows, at);
        block.data = packed, block.at = at;
        block.stride = ROW, block.run = block.span = INT_MAX;
        for (i = 0; i < rows; i++) {
            RISEK(copy_columns)(packed + i * ROW, x, at[i], k0, k);
            at[i] = (ptrdiff_t)i * ROW;
        }
    }
    return block;
}

#ifndef vturn /* turns VTURN x VTURN numbers around */
#define vturn risei_turn4
#define VTURN 4
#endif
/* NR columns of B whose rows of k lie together, turned around in squares: all that one panel of weights holds before the next. */
RISEK_FN void RISEK(turn_b)(const rise_matrix *x, int k, const ptrdiff_t *at, const rise_real *from,
                            int cols, rise_real *b)
{
    int i0, n, i, q, s, t;
    for (i0 = 0; i0 < k; i0 += n) {
        /* so many are adjacent */
        for (n = 1; n < RISE_PANEL && i0 + n < k && at[i0 + n] - at[i0] == n; n++) {}
        for (q = 0; q < cols; q += VTURN)
            for (i = i0; i < i0 + n; i += VTURN) {
                const rise_real *const here = from + q * x->run_step + at[i];
                rise_real *const to = b + i * NR + q;
                /* a line of what comes next */
                for (s = 0; s < VTURN && (i - i0) % 16 == 0 && i + n < k; s++)
                    RISEI_PREFETCH(here + s * x->run_step + at[i + n] - at[i]);
                if (q + VTURN <= cols && i + VTURN <= i0 + n)
                    vturn(here, x->run_step, to, NR);
                else
                    for (s = 0; s < VTURN && q + s < cols; s++)
                        for (t = 0; t < VTURN && i + t < i0 + n; t++)
                            to[t * NR + s] = here[s * x->run_step + t];
            }
    }
}
/* columns col .. col+n of B as panels b[panel][k][NR], zeros after the last column */
RISEK_FN void RISEK(pack_b)(const rise_matrix *x, int k, const ptrdiff_t *at, int col, int n,
                            rise_real *b)
{
    int const whole = col + n <= x->run ? n / NR : 0; /* panels that are read row by row */
    int j, i, q;
    for (i = 0; i < k && whole > 1; i++)
        for (j = 0; j < whole; j++) {
            RISEI_PREFETCH(x->data + at[i + 4 < k ? i + 4 : i] + col + j * NR);
            RISEI_UNROLL for (q = 0; q < NV; q++)
                vstore(b + (j * k + i) * NR + q * VL,
                       vload(x->data + at[i] + col + j * NR + q * VL));
        }
    j = whole > 1 ? whole * NR : 0;
    for (b += j * k; j < n; j += NR, b += k * NR) {
        int const cols = n - j < NR ? n - j : NR;
        const rise_real *from = x->data + risei_column(x, col + j);
        if (cols == NR && (col + j + NR <= x->run || x->run % NR == 0))
            for (i = 0; i < k; i++) RISEI_UNROLL
                for (q = 0; q < NV; q++) vstore(b + i * NR + q * VL, vload(from + at[i] + q * VL));
        else if (x->run > 1)
            for (i = 0; i < k; i++) RISEK(copy_columns)(b + i * NR, x, at[i], col + j, cols);
        else
            RISEK(turn_b)(x, k, at, from, cols, b);
        for (i = 0; i < k && cols < NR; i++)
            for (q = cols; q < NR; q++) b[i * NR + q] = 0;
    }
}

/* sums = (from_c: +=) the columns of a panel of B, of which there are so many */
RISEK_FN void RISEK(sum_columns)(int k, const rise_real *b, ptrdiff_t ldb, int cols, int init,
                                 rise_real *sums)
{
    int const vectors = cols <= VL ? 1 : NV, whole = cols == vectors * VL;
    rise_real edge[NR], *const to = whole ? sums : edge;
    V sum[NV];
    int i, j;
    for (j = 0; j < cols && init != RISEK(from_c); j++) sums[j] = 0;
    for (j = 0; j < NR && !whole; j++) edge[j] = j < cols ? sums[j] : 0;
    RISEI_UNROLL for (j = 0; j < NV; j++)
        sum[j] = j < vectors ? vload(to + j * VL) : vset1(0);
    for (i = 0; i < k; i++, b += ldb) RISEI_UNROLL
        for (j = 0; j < NV; j++)
            if (j < vectors) sum[j] = vadd(sum[j], vload(b + j * VL));
    RISEI_UNROLL for (j = 0; j < NV; j++)
        if (j < vectors) vstore(to + j * VL, sum[j]);
    for (j = 0; j < cols && !whole; j++) sums[j] = edge[j];
}
/* Can tiles read B where it lies? Panels and narrow matrices they can; of wide ones, only for few rows of A. */
RISEK_FN int RISEK(b_in_place)(const rise_product *p)
{
    int const adjacent = p->b.rows.inner >= p->k && (p->b.run >= p->n || p->b.run % NR == 0);
    return adjacent && (p->m <= RISEI_FEW || (p->b.rows.step[0] <= RISE_PANEL && p->n % NR == 0));
}
enum { RISEK(abreast) = 4 };
/* A row of C, `groups` of its columns NR at a time from `col` on: a row's one tile would have too few sums to keep a processor
   busy, and B is read once. */
RISEK_IN void RISEK(row_part)(const rise_product *p, const rise_real *a, rise_real *c, int col,
                              int groups)
{
    const rise_real *b[RISEK(abreast)], *const from = p->accumulate ? c : p->bias;
    ptrdiff_t const ldb = p->b.rows.step[0];
    V acc[RISEK(abreast)][NV];
    int g, j, k;
    for (g = 0; g < groups; g++) {
        b[g] = p->b.data + risei_column(&p->b, col + g * NR);
        RISEI_UNROLL for (j = 0; j < NV; j++)
            acc[g][j] = from ? vload(from + col + g * NR + j * VL) : vset1(0);
    }
    for (k = 0; k < p->k; k++) {
        V const x = vset1(a[k]);
        RISEI_UNROLL for (g = 0; g < groups; g++) {
            RISEI_PREFETCH(b[g] + 16 * ldb);
            if (NR > 16) RISEI_PREFETCH(b[g] + 16 * ldb + 16);
            RISEI_UNROLL for (j = 0; j < NV; j++)
                acc[g][j] = vfma(x, vload(b[g] + j * VL), acc[g][j]);
            b[g] += ldb;
        }
    }
    for (g = 0; g < groups; g++) RISEI_UNROLL
        for (j = 0; j < NV; j++)
            vstore(c + col + g * NR + j * VL, p->relu ? RISEK(relu)(acc[g][j]) : acc[g][j]);
}
RISEK_FN void RISEK(row)(const rise_product *p, int m, int n_from, int n_to)
{
    const rise_real *const a = p->a.data + risei_walk(&p->a.rows, m);
    rise_real *const c = (rise_real *)(uintptr_t)p->c.data + risei_walk(&p->c.rows, m);
    int n = n_from;
    for (; n + RISEK(abreast) * NR <= n_to; n += RISEK(abreast) * NR)
        RISEK(row_part)(p, a, c, n, RISEK(abreast));
    for (; n < n_to; n += NR) RISEK(row_part)(p, a, c, n, 1);
}
/* Are rows contiguous, and is B of whole tiles that lie as they are read? */
RISEK_FN int RISEK(by_row)(const rise_product *p, int in_place)
{
    return in_place && !p->transposed && !p->sums && p->n % NR == 0 && p->a.run >= p->k &&
           p->c.run >= p->n;
}
/* A block of A and C's rows, m0 .. m0+rows, times all of a block of B: kb rows of k from kb0 on, n columns from n0 on. */
RISEK_FN void RISEK(product_rows)(const rise_product *p, const risei_blocks *w, int m0, int rows,
                                  int kb0, int kb, int n0, int n, int in_place)
{
    int const steps = (kb + KC - 1) / KC;
    int step, j;
    risei_locate(&p->c.rows, m0, rows, w->c_at);
    for (step = 0; step < steps || step == 0; step++) {
        int const from = steps > 0 ? (int)((int64_t)kb * step / steps) : 0;
        int const to = steps > 0 ? (int)((int64_t)kb * (step + 1) / steps) : 0;
        int const k0 = kb0 + from, k = to - from, relu = p->relu && k0 + k == p->k;
        int const init = k0 > 0 || p->accumulate ? RISEK(from_c)
                         : p->bias               ? RISEK(from_bias)
                                                 : RISEK(from_zero);
        RISEK(block)
        const a = RISEK(block_of_a)(p, w->k_at + from, m0, rows, k0, k, n, w->a_at, w->a);
        for (j = 0; j < n; j += NR) {
            int const cols = n - j < NR ? n - j : NR;
            int const direct = in_place && (cols == NR || cols == VL);
            const rise_real *panel = direct
                                         ? p->b.data + risei_column(&p->b, n0 + j) + w->b_at[from]
                                         : w->b + (in_place ? 0 : j * kb + from * NR);
            /* the next run of columns, once */
            int const fetch = direct && n - j > p->b.run && (n0 + j) % p->b.run == 0;
            if (in_place && !direct) RISEK(pack_b)(&p->b, k, w->b_at + from, n0 + j, cols, w->b);
            if (p->sums && m0 == 0)
                RISEK(sum_columns)(k, panel, direct ? p->b.rows.step[0] : NR, cols, init,
                                   p->sums + n0 + j);
            RISEK(tiles)(p, k, w->c_at, rows, n0 + j, cols, &a, panel,
                         direct ? p->b.rows.step[0] : NR, panel + p->b.run_step,
                         fetch ? k * (p->b.run / 16) : 0, init, relu);
        }
    }
}
RISEK_FN void RISEK(product)(const rise_product *p, int part, int parts, void *scratch)
{
    risei_blocks const w = risei_blocks_in(scratch);
    int const in_place = RISEK(b_in_place)(p);
    int m_from = 0, m_to = p->m, n_from = 0, n_to = p->n, k0, n0, m0, kc, nc, panels;
    if (p->n >= 4 * parts * RISE_PANEL || p->m < 2 * MR)
        risei_share(p->n, RISE_PANEL, part, parts, &n_from, &n_to);
    else
        risei_share(p->m, MR, part, parts, &m_from, &m_to);
    if (m_to - m_from == 1 && RISEK(by_row)(p, in_place)) {
        RISEK(row)(p, m_from, n_from, n_to);
        return;
    }
    /* B's blocks have KC NC elements, of whatever shape saves most: long, so that C is loaded and stored less often; or wide,
       so that A is packed less often. */
    nc = in_place ? INT_MAX : p->k < KC ? KC * NC / (p->k + 1) / NR * NR : NC;
    panels = n_to > n_from ? risei_ceil_div(n_to - n_from, NR) : 1;
    kc = p->transposed || panels * NR > NC ? KC : KC * NC / (panels * NR) / KC * KC;
    if (kc > RISEI_KB) kc = RISEI_KB;
    for (k0 = 0; k0 == 0 || k0 < p->k; k0 += kc) {
        int const k = p->k - k0 < kc ? p->k - k0 : kc;
        if (p->transposed) risei_locate(&p->a.rows, k0, k, w.k_at);
        risei_locate(&p->b.rows, k0, k, w.b_at);
        for (n0 = n_from; n0 < n_to; n0 = nc < n_to - n0 ? n0 + nc : n_to) {
            int const n = nc < n_to - n0 ? nc : n_to - n0;
            if (!in_place) RISEK(pack_b)(&p->b, k, w.b_at, n0, n, w.b);
            for (m0 = m_from; m0 < m_to; m0 += MC)
                RISEK(product_rows)(p, &w, m0, m_to - m0 < MC ? m_to - m0 : MC, k0, k, n0, n,
                                    in_place);
        }
    }
}

#undef NR
#undef KC
#undef NC
#undef MC
#undef ROW
#undef PANEL
#undef RISEK_TILE_BEGIN
#undef RISEK_TILE_STEP
#undef RISEK_TILE_ADD
#undef RISEK_TILE_ASK
#undef RISEK_TILE_ROW_STEP
#undef RISEK_TILE_ROW_STEPS
#undef RISEK_TILE_LANE_STEP
#undef RISEK_TILE_COLUMN_ADD
#undef RISEK_TILE_COLUMN_ADDS
#undef RISEK_TILE_COLUMN_STEP
#undef RISEK_TILE_END
#undef RISEK_TILE_ROWS
#undef RISEK_TILE_COLUMNS
#undef RISEK_TILES
#undef RISEK_TILE_NAMES
#endif /* RISEK_REFERENCE */

static const rise_kernels RISEK(table) = {RISEK_NAME,
                                          RISEK_ISA,
                                          RISEK_FUSED,
                                          RISEK(product),
                                          RISEK(add),
                                          RISEK(multiply),
                                          RISEK(perturb),
                                          RISEK(dot),
                                          RISEK(relu_backward),
                                          RISEK(maximum),
                                          RISEK(claim),
                                          RISEK(map_exp),
                                          RISEK(map_log),
                                          RISEK(map_tanh),
                                          RISEK(map_sigmoid),
                                          RISEK(lstm_forward),
                                          RISEK(lstm_backward),
                                          RISEK(gru_forward),
                                          RISEK(gru_backward),
                                          RISEK(mingru_forward),
                                          RISEK(mingru_backward),
                                          RISEK(gate_forward),
                                          RISEK(gate_backward),
                                          RISEK(norm_forward),
                                          RISEK(norm_backward),
                                          RISEK(stack),
                                          RISEK(unhalf),
                                          RISEK(project_signs),
                                          RISEK(project_ternary),
                                          RISEK(adam)};

#undef RISEK
#undef RISEK_FN
#undef RISEK_IN
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
#undef vturn
#undef VTURN
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

#endif /* RISEK_PASS */

/*
MIT License

Copyright (c) 2026 the rise.h authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
