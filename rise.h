/* rise.h 0.1 - recurrent reinforcement learning from pixels, in one file - MIT licence (at the end)

   DO THIS in one C or C++ file:                      and in all others, just:

       #define RISE_IMPLEMENTATION                        #include "rise.h"
       #include "rise.h"

       cc -O2 game.c -lm

   No -m flag is needed. On x86-64 the kernels for AVX2 and AVX-512 are compiled in. The library
   uses the fastest kernels that the processor supports. Compiling the library takes about 12
   seconds, so give RISE_IMPLEMENTATION a C file of its own in a larger project. Only that file then
   gets <stdio.h>, <stdlib.h> and <string.h> from rise.h.

   A COMPLETE PROGRAM. A pixel lights up at the left or the right, then nine frames are dark. When
   the pixel in the middle lights up, the agent must choose the side of the first pixel.

       #define RISE_IMPLEMENTATION
       #include "rise.h"

       int main(void)
       {
           static rise_agent_desc desc; // zeros: a field that is not set gets its default
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
               if (episode % 250 == 0) printf("%d of the last 250 were right\n", right), right = 0;
           }
           rise_agent_destroy(agent);
           return 0;
       }

   WHAT IT DOES. An agent sees frames (bytes), numbers (floats) or both, gets rewards and returns
   actions. The agent learns by double deep Q-learning, with a dueling network, n-step returns and
   prioritised replay.

   RISE differs from other recurrent agents in the input of its recurrent net. A recurrent agent
   usually runs its recurrent net over conv features of past frames. The conv net changes at every
   update, so all of those features must be recomputed.

   RISE (Clark, Evers, Hare 2025, arXiv 2512.20513) runs the recurrent net over the outputs of a
   frozen encoder, which does not learn. The encoder's output for a frame is the embedding of the
   frame. When the frame arrives, the agent computes the embedding, and stores the embedding in the
   replay buffer with the frame. An update reads embeddings and computes none.

       newest frames -> conv net (learns) -------------------------> features -+
                                                                               +> fusion, heads -> Q
       frame -> frozen encoder -> stored embedding -> GRU (learns) -> context -+

   TERMS. An environment is one copy of the game, or one character that learns. A step is one frame
   of one environment and the action that the agent takes there. A transition is a state, the action
   taken there, and the reward and the state that followed. An episode is one round of the game,
   from its first frame to its last. The replay buffer holds the newest frames of each environment,
   up to replay_capacity / environments, with their actions and rewards. An update learns from a
   batch of transitions, drawn from the replay buffer. A policy is what acting needs: the weights
   and the statistics of inputs. The heads are the last layers: they compute Q.

   The return is the discounted sum of all rewards from a step on. The Q value of an action is the
   agent's estimate of the return after that action. An update moves the Q value of each transition
   towards a target. The target is the n-step return: the discounted sum of the next n rewards, plus
   the bootstrap. The bootstrap is the agent's own estimate of all later rewards, also discounted.

   The learnable encoder is the conv net and, with desc.numbers, a dense layer of numbers. The
   outputs of the learnable encoder are the features. The context is the state of the recurrent net,
   times context_scale. The window is the frames that the recurrent net is unrolled over. A greedy
   action is the action with the largest Q value. Exploration takes random actions or, with
   desc.noisy, adds noise to the weights that act.

   WHAT IT DOES NOT DO. There are no continuous actions, no policy gradients and no GPU support.
   The library contains no games and no emulators: you write the loop that runs the game.

   Files are not signed: loading checks every value, but cannot know who wrote the file. Loading
   takes as much memory as the file asks for. To limit the memory, set memory_bytes in the argument
   `machine` of the load functions.

   LIMITS. Frames have at most 1024 x 1024 pixels, and a pixel has at most 16 bytes. An observation
   has at most 1024 numbers besides its frame. An agent has at most 256 actions, 4096 environments,
   4096 players, windows of 1024 frames, 8 conv layers and 16 stacked frames. The length of an
   episode is not limited. No function has more than 16 KiB on the call stack (tests/build.sh checks
   this).

   CONTENTS. Search for a title in capitals, or for a mark such as >>replay. Each mark begins one
   section of the code. Comments call such a section a room.

       API REFERENCE          every type and function, one line each
       THE LOOP               events; terminated or truncated; several environments
       MEMORY AND WINDOW      RISE, NONE, FULL; how long the window must be
       LEARNING               when updates happen; what to watch
       HOW TO                 small grey frames; numbers instead of pixels; teaching; a real-time
                              game, learning in the background, a loop for raylib, learning in a
                              time budget; several machines; many characters; shipping a policy; a
                              small player; a quarter of the bytes; saving and resuming; action
                              masks; window, discount and buffer size, rare rewards; other agents; a
                              pretrained encoder; your own encoder; kernels alone
       SYMPTOMS               a table of symptom, cause and remedy
       COSTS                  parameters, bytes and times by frame size
       SAME BITS              which machines compute the same bits
       ERRORS                 result codes and sentences
       THREADS                several threads for one agent; several agents
       PORTING                Raspberry Pi, Windows, macOS, Android, WebAssembly, microcontrollers
       BINDINGS               calling rise.h from another language
       HOW TO ADD             a cell, a value head, a frozen encoder, a description field
       FILE POLICY            which release reads which file
       MACROS                 all of them in one table
       HISTORY                what changed

       >>api-results          result codes and error sentences
       >>api-desc             the description of an agent: every field and its default
       >>api-agent            create, step, play, learn, save
       >>api-kernels          matrix products, cells, Adam: each usable alone
       >>platform             macros for compiler and machine; error reports
       >>memory               the arena, which cuts one block of memory into arrays
       >>random               random streams, one per purpose
       >>bytes                byte streams, their CRC-32, and FILE functions
       >>kernels              the table of each instruction set
       >>threads              one job on several threads
       >>statistics           running means and variances; standardised numbers
       >>frames               small frames from pictures; the standardisation of frames
       >>layers               linear and conv layers, max pools: forward and backward
       >>recurrent            LSTM, GRU, minGRU
       >>targets              targets and losses: functions of plain arrays
       >>heads                mean, C51, IQN
       >>network              two streams, fusion, heads
       >>optimizer            Adam and clipping
       >>replay               history of frames, transitions, priorities
       >>frozen               the kinds of frozen encoder
       >>pretrained           ResNet-18 from a .safetensors file (optional)
       >>embedder             the chosen frozen encoder and its standardisation
       >>describe             names, ranges, defaults and checks of fields
       >>model                the network, ready to run: weights, frozen encoder, one pass
       >>learner              draws a batch and does an update
       >>background           the thread that computes updates while the game goes on
       >>calls                what the game passes in one call, and its checks
       >>actor                the training environments: observe and explore
       >>players              characters that play and do not learn
       >>advice               what the log says about the use of an agent
       >>agent                the public object: owns model, learner, actor, players and replay
       >>files                save and load
       >>selftest             one call that checks this build on this machine
       >>template             the source of all kernels, included once per instruction set

   API REFERENCE. The sections >>api-results to >>api-kernels give shapes, units and errors.

       Agents
       rise_agent             an agent; opaque
       rise_agent_desc        its description; zero in a field means the default
       rise_memory            RISE, NONE or FULL
       rise_cell              LSTM, GRU or minGRU
       rise_fusion            how context and features are joined
       rise_embedding         the kind of frozen encoder
       rise_network           the kind of conv net
       rise_head              what the network predicts: mean, C51 or IQN
       rise_conv              one conv layer of your own
       rise_isa               an instruction set
       rise_event             whether a frame begins, continues or ends its episode
       rise_preset            an agent from the literature
       rise_metrics           counters and measurements of an agent
       rise_advice            what an agent has noticed about its use
       rise_embed_fn          callback: embeds a frame
       rise_log_fn            callback: receives a line of text
       rise_clock_fn          callback: returns the time in seconds
       rise_reduce_fn         callback: adds up numbers of all processes
       rise_agent_preset      fills in what the authors of an agent chose
       rise_agent_set         sets a field from text such as "window=32"
       rise_agent_describe    gives every field as text
       rise_agent_resolve     fills in defaults and checks every field
       rise_agent_bytes       returns the bytes an agent needs; allocates nothing
       rise_agent_create      makes an agent
       rise_agent_destroy     frees an agent
       rise_agent_step        one step of one game: frame and reward in, action out
       rise_agent_step_all    one step of all environments, with action masks
       rise_agent_step_numbers  one step of an agent that sees numbers
       rise_agent_observe     one step of all environments, with actions that others chose
       rise_agent_play        the action of a character; learns nothing
       rise_agent_play_numbers  the same for an agent that sees numbers
       rise_agent_play_all    the actions of all characters in one call
       rise_agent_set_player  how well a character plays
       rise_agent_publish     copies what was learned to a play_only agent
       rise_agent_values      the Q values of the last rise_agent_play
       rise_agent_learn       one update now
       rise_agent_learn_for   updates within a time budget
       rise_agent_snapshot    copies the agent's conv layers into the frozen encoder
       rise_agent_metrics     fills in rise_metrics
       rise_metrics_describe  gives every metric as text
       rise_agent_query       the resolved description
       rise_agent_error       the last error of a call on this agent
       rise_agent_parameters  the learnable parameters, to read or write
       rise_result            result codes; RISE_OK is 0, errors are negative
       rise_error             a result code and a sentence
       rise_result_text       the meaning of a result code
       rise_error_text        the sentence of a rise_error
       rise_size_of           the size of a struct, for bindings
       rise_version           the version of the library
       rise_self_test         checks this build on this machine

       Files
       rise_save              what to save: see HOW TO: SAVING AND RESUMING
       rise_write_fn          callback: writes bytes
       rise_read_fn           callback: reads bytes
       rise_agent_save        saves to a file
       rise_agent_load        makes an agent from a file
       rise_agent_open        makes a play_only agent from a policy in memory
       rise_agent_open_bytes  returns the bytes that rise_agent_open needs
       rise_agent_peek        reads the description in a file
       rise_agent_write       saves through a callback
       rise_agent_read        makes an agent through a callback

       Frames
       rise_pixels            the order of a pixel's bytes
       rise_picture           a picture of the caller
       rise_frame_shrink      makes a small frame from a picture

       Kernels
       rise_real              the floating-point type of weights and kernels: float
       rise_kernels           the function table of an instruction set
       rise_kernels_of        returns the function table of an instruction set
       rise_product           a matrix product
       rise_product_scratch   the scratch bytes a product needs
       rise_int8_product      a product with 8-bit weights
       rise_matrix            a matrix in memory
       rise_walk              the memory offsets of a matrix's rows
       rise_matrix_plain      a row-major matrix
       rise_matrix_panels     a matrix stored in panels, as weights of dense layers are
       rise_matrix_transpose  the transpose, without a copy
       rise_adam              the constants of an Adam update
       rise_frame_scale       how a byte of a frame becomes a number
       rise_sign              one sign of the random projection
       rise_sign_bits         log2 of the rows of the projection's Hadamard matrix

   THE LOOP. Call the agent once for every frame. Pass the current frame, the reward of the previous
   action, and the event. The event says whether the frame begins, continues or ends its episode.

       RISE_FIRST       the first frame of an episode; the reward is ignored
       RISE_MIDDLE      any frame between the first and the last
       RISE_TERMINATED  the last frame: the game is over and no reward can follow
       RISE_TRUNCATED   the last frame: the game would go on, but you stop (a time limit)
       RISE_ABSENT      no frame: the environment takes no part in the call (see MANY CHARACTERS)

       rise_event event = RISE_FIRST;
       float reward = 0;
       for (;;) {
           int action;
           game_draw(frame);
           action = rise_agent_step(agent, frame, reward, event);
           if (action < 0) return puts(rise_agent_error(agent)->text), 1;
           if (event == RISE_TERMINATED || event == RISE_TRUNCATED) {
               game_reset();
               event = RISE_FIRST;
           } else
               event = game_play(action, &reward); // MIDDLE, TERMINATED or TRUNCATED
       }

   Terminated or truncated: after RISE_TERMINATED the target has rewards only and no bootstrap.
   After RISE_TRUNCATED the target still bootstraps from the last frame. If you pass RISE_TERMINATED
   for a time limit, the agent learns that no rewards follow.

       if (lives == 0) event = RISE_TERMINATED;
       else if (ticks == 3600) event = RISE_TRUNCATED;

   Pass the last frame too, with its reward. The action returned for the last frame has no meaning.
   If the game restarts without a last frame, pass RISE_FIRST at once. The agent then treats the
   previous frame as truncated, and the reward of the last action is lost.

   The agent need not see every frame of the game. If the agent sees every sixth frame, repeat its
   action for six frames. Add up the six rewards, and pass the sum in the next call. If the game
   ends earlier, call the agent at once, with the last frame.

   An agent can learn from several copies of a game, the environments. Set desc.environments and
   call rise_agent_step_all with arrays. An array has one frame, reward, event or action for each
   environment, always in the same order. After the last frame of an environment, reset its game.
   The environment's event in the next call is RISE_FIRST.

       uint8_t frames[8 * 84 * 84]; // desc.environments = 8
       float rewards[8];
       rise_event events[8];
       int actions[8];
       if (rise_agent_step_all(agent, frames, NULL, rewards, events, NULL, actions) != RISE_OK)
           puts(rise_agent_error(agent)->text);

   MEMORY AND WINDOW. desc.memory chooses the kind of agent. Only two fields have defaults that
   depend on the kind: context_decay, and context_scale with raw_frames. The context is the state of
   the recurrent net, times context_scale. If context_decay is above 0, as by default with RISE, the
   weights that multiply the context are 0 in a new agent. Otherwise, as by default with FULL, these
   weights are random in a new agent.

       RISE  the default: a recurrent net over stored embeddings
       NONE  the baseline, without a recurrent net: the agent sees the last frame_stack frames, 4 by
             default
       FULL  the ordinary recurrent agent: a recurrent net over conv features of every frame of the
             window; several times slower

       desc.memory = RISE_MEMORY_RISE;
       desc.window = 21;
       desc.carry_state = 1;

   To find out whether your game needs memory, train an agent with NONE, too. NONE is as good if the
   last frame_stack frames show enough to act well.

   desc.window is the number of frames that the recurrent net is unrolled over in an update. A cue
   is what the agent must remember. The window must hold the frame with the cue, the frame where the
   agent needs the cue, and all frames between. With the defaults of carry_state and stored_state, a
   RISE agent whose window is one frame too short cannot learn to use the cue. FULL also sees the
   frame_stack - 1 frames before the window. A window never contains frames of an earlier episode.

   By default, acting unrolls the recurrent net over the whole window at each step. With
   desc.carry_state, acting keeps the recurrent state from step to step instead. Then the cost of a
   step does not depend on the window. Both ways give the same Q values while the episode is not
   longer than the window and no update changes the weights. After an update they differ, because
   the kept state was computed with the old weights.

   desc.feed_action also gives the previous action and reward to the recurrent net.

   Two fields make updates cheaper: cell and window_samples. In a minGRU no matrix product depends
   on the previous state, so one product computes all steps of the window. desc.window_samples is
   the number of transitions that are trained on one window. With 32 units, an update took 0.7 of
   the default's time, both with the minGRU and with window_samples = 4. In small games that need
   memory, the scores were 0.96 with the minGRU and 0.97 with window_samples = 4, instead of 1.00.
   With window_samples = 4, learning took more steps.

       desc.feed_action = 1;
       desc.cell = RISE_CELL_MINGRU;
       desc.window_samples = 4; // must divide desc.batch

   bench/ABLATION.md changes one setting of an agent at a time and compares the scores.
   examples/game_trainer.h has the settings of that agent.

   LEARNING. After the first desc.learn_start steps, rise_agent_step does one update for every
   desc.learn_period steps. During the first steps the agent measures mean and variance of the
   frames, the numbers and the embeddings. The first update freezes these statistics and embeds all
   stored frames again. From then on, numbers and embeddings are standardised to mean 0. Each number
   of an observation gets variance 1. Each number of an embedding gets variance 1, too, unless
   embedding_size is above both 64 and recurrent_units: then the variance is smaller.

   Frames are standardised, too. Conv nets see (pixel - its mean) / sigma, where sigma is one number
   for all pixels. In most games much of the picture never changes, so the values of (pixel / 255)
   differ little from frame to frame. Without standardisation, the features of all states are at
   first almost equal. The agent then learns from its recurrent state before it learns from the
   picture. The mean and sigma come from the first learn_start steps, in which actions are random by
   default. If the game looks different later, set raw_frames = 1: the conv net then sees pixel /
   255.

       desc.raw_frames = 1;

       rise_metrics metrics;
       rise_agent_metrics(agent, &metrics);
       printf("%lld steps, mean return %g\n", (long long)metrics.steps, metrics.mean_return);

   Watch metrics.mean_return, the mean sum of rewards (not discounted) of the last 100 training
   episodes. These episodes contain random actions. To measure the greedy score, play episodes with
   rise_agent_play, which changes nothing in training. Use another copy of the game, or evaluate
   when a training episode has ended.

       float score = 0;
       rise_event event = RISE_FIRST;
       game_reset();
       while (event == RISE_FIRST || event == RISE_MIDDLE) {
           float reward = 0;
           game_draw(frame);
           event = game_play(rise_agent_play(agent, 0, frame, 0, event, NULL), &reward);
           score += reward;
       }

   With desc.feed_action, pass the last reward to rise_agent_play instead of 0.

   rise_agent_learn does one update, in addition to the updates of learn_period. But with
   learn_outside, if an update is due, rise_agent_learn does the due update. With background,
   rise_agent_learn only starts the update. The first update freezes the statistics of frames,
   numbers and embeddings. If you call rise_agent_learn before learn_start, these statistics come
   from only a few steps.

   HOW TO: SMALL GREY FRAMES. Small frames make updates cheaper and the replay buffer smaller.
   rise_frame_shrink makes a frame from any picture, such as the screen. Each pixel of the frame is
   the rounded mean of an area of the picture. The result is the same on every machine.

       const rise_kernels *kernels = rise_kernels_of(RISE_ISA_AUTO); // once, at the start
       desc.frame_width = 80;
       desc.frame_height = 60; // frame_channels stays 1

       rise_picture screen = {pixels, 320, 240, RISE_PIXELS_RGBA, 0};
       rise_frame_shrink(kernels, &screen, frame, 80, 60, 1, &error); // 1: grey

   Frames are rows from top to bottom, with the channels of a pixel side by side. Keep colour
   (frame_channels = 3) only if the best action depends on colour. The default network is SMALL if a
   side of the frame has fewer than 36 pixels.

   HOW TO: NUMBERS INSTEAD OF PIXELS. An agent can see numbers that your game knows: positions,
   speeds, distances of rays, counters. Set desc.numbers. Without a picture, leave frame_width and
   frame_height 0. With a picture, the agent sees both.

       rise_agent_desc desc = {0}; // in C++: {}
       desc.numbers = 4; // of a cart and its pole: position, speed, angle, angular speed
       desc.actions = 2;

       float state[4];
       game_state(state);
       action = rise_agent_step_numbers(agent, NULL, state, reward, event);

   Numbers may have different scales, because each one is standardised with its own mean and
   variance. Means and variances are measured until learning starts. A number whose standard
   deviation is far below 0.001 looks almost constant to the agent: pass a multiple of the number.
   For an angle without limits, pass its sine and its cosine. For a choice of n kinds, pass n
   numbers: 1 for the kind that is present, 0 for the others. A NaN or infinite number is refused.

   A number more than 8 standard deviations from its mean is clamped, so the agent cannot tell such
   numbers apart. The deviation is measured before learning, while actions are random by default.
   Good play may reach numbers further out. To avoid the clamp, multiply such a number by a factor
   that makes its deviation far below 0.001. The agent then sees 1000 times the distance of the
   product from its mean: choose the factor so that this value stays below 8. examples/cartpole.py
   multiplies a position by 0.003.

   The learnable encoder sees the numbers of the newest frame_stack observations, in all kinds of
   agents. RISE and FULL also remember numbers as they remember frames. If the numbers are the whole
   state of the game, take NONE and frame_stack = 1, because older numbers add nothing:

       desc.memory = RISE_MEMORY_NONE;
       desc.frame_stack = 1;

   HOW TO: TEACHING. Somebody else may choose the actions: a person, a script, a log, another agent.
   rise_agent_observe does one step like rise_agent_step_all, but `actions` is also an input: the
   action that was chosen, or -1 if the agent is to choose. The agent writes its action over the -1,
   so set -1 again before each call. For a demonstrator (see below), -1 is refused. The agent learns
   from all steps.

   Demonstrations are steps that the agent should imitate: all steps of the last
   desc.demonstrators environments. The agent never acts there, and its own steps never overwrite
   demonstrations. An update also raises Q of the demonstrated action above Q of the others.

       desc.environments = 2, desc.demonstrators = 1; // 0: the agent's; 1: the demonstrator
       desc.learn_start = 200;                        // = the number of demonstrated steps
       desc.epsilon_start = 0.3;                      // few random actions
       desc.demonstration_weight = 0.3;
       desc.priority_exponent = -1;                   // draw all transitions equally often

   First pass all demonstrations to rise_agent_observe. In these calls, the event of the agent's own
   environment is RISE_ABSENT. Pass the last frame of each episode, too. Then let the agent learn
   from the demonstrations alone.

       uint8_t frames[2][84 * 84] = {{0}};
       float rewards[2] = {0, 0};
       rise_event events[2] = {RISE_ABSENT, RISE_FIRST};
       int i, actions[2] = {0, 0};
       while (next_of_log(frames[1], &rewards[1], &events[1], &actions[1]))
           rise_agent_observe(agent, frames[0], NULL, rewards, events, NULL, actions);
       for (i = 0; i < 3000; i++) rise_agent_learn(agent);

   From then on, the event of the demonstrator is RISE_ABSENT, and the agent plays in environment 0.

       events[0] = RISE_FIRST, events[1] = RISE_ABSENT;
       for (;;) {
           render(frames[0]);
           rise_agent_step_all(agent, frames[0], NULL, rewards, events, NULL, actions);
           events[0] = play(actions[0], &rewards[0]); // after a last frame: resets, RISE_FIRST
       }

   The demonstrations should contain every kind of situation. In the game key-door of
   examples/games.h, an agent with demonstrations of only some starts needed more steps. Keep some
   random actions, or the agent never finds out that a demonstration was wrong. bench/teach.md has
   measurements. examples/memory.c and examples/npc.c record what you play: --teach FILE.

   HOW TO: A REAL-TIME GAME. There are two ways to learn without delaying the game: in the
   background, or in the time that is left of each tick.

   LEARNING IN THE BACKGROUND. With desc.background, a thread of the library computes the updates,
   and rise_agent_step only acts. Define RISE_THREADS beside RISE_IMPLEMENTATION, and compile with
   -pthread.

       desc.background = 1;

       action = rise_agent_step(agent, frame, reward, event); // all else as in THE LOOP

   An update that becomes due is started in the background. The agent goes on acting with the
   weights that it has. The call in which the next update becomes due puts the new weights into
   effect, and waits for them if they are not ready. So the same seed gives the same bits, whatever
   the speed of the thread. Only rise_agent_learn_for makes the results depend on this speed.

   A call also waits while the thread copies its batch from the replay buffer. metrics.waited adds
   up the seconds of both kinds of waiting. If metrics.waited grows quickly, updates take longer
   than desc.learn_period steps: raise learn_period, or make updates cheaper (see SYMPTOMS).

   To train faster than the game runs, do not wait for the next tick. Call the agent in a loop that
   draws nothing on the screen. Calls then wait for updates. The log advises to raise learn_period:
   ignore this advice in such a loop.

   Without desc.memory_block, the agent's memory comes from calloc, and the system supplies each
   page when it is first written to. Such a page fault delays the call in which it happens. To avoid
   page faults in calls, pass a block: rise_agent_create writes zeros to all bytes of the block that
   the agent will use. bench/game.c passes a block.

   On Linux, the thread asks for the scheduling policy SCHED_BATCH. With this policy, a thread that
   wakes up does not preempt the game's thread. metrics.waited does not count the time in which
   another thread has the game's core.

   With both background and learn_outside, a step never waits for the end of an update. A step waits
   only while the thread uses the replay buffer: while the thread copies a batch or embeds stored
   frames. While an update is in progress, rise_agent_learn_for returns 0 at once. Otherwise
   rise_agent_learn_for puts the last update into effect, and starts the next update if one is due.
   So here the results depend on the speed of the thread. rise_agent_learn, rise_agent_parameters,
   saving and rise_agent_destroy still wait for the update in progress.

   When learning starts, the stored frames are embedded again in parts of about 4 * batch frames.
   One part takes the place of one update. Calls wait while a part is embedded, and the first part
   takes longer. An expensive frozen encoder, such as CONV or RESNET18, delays the game noticeably.

   If several updates become due in one call, the thread draws their batches together, and the
   updates take effect together. At most 16 updates are drawn together. If more than 16 are due,
   they are done in groups of at most 16, one group after another. Calls then wait until the batches
   of the last group are drawn. rise_agent_learn_for starts only one update in each call.

   The agent takes more memory: a second copy of the weights, activations for acting, and copies of
   what the batches read. rise_agent_bytes counts this memory. An embed_fn may be called by the
   thread of the library, but never by two threads at once.

   A LOOP FOR RAYLIB. The game draws what the character sees into a texture, and the agent gets a
   small frame of it. OpenGL has the rows of a texture from bottom to top. The agent can use frames
   that are upside down, if all frames are. examples/npc.c is such a game for SDL2.

       RenderTexture2D view;
       rise_picture picture = {NULL, 80, 80, RISE_PIXELS_RGBA, 0};
       SetTraceLogLevel(LOG_WARNING); // otherwise raylib logs each LoadImageFromTexture
       InitWindow(320, 240, "hide and seek");
       SetTargetFPS(60);
       view = LoadRenderTexture(80, 80);
       for (tick = 0; !WindowShouldClose(); tick++) {
           if (tick % 6 == 0) { // 10 decisions a second
               Image image;
               BeginTextureMode(view), npc_draw_view(), EndTextureMode();
               image = LoadImageFromTexture(view.texture);
               picture.pixels = (const uint8_t *)image.data;
               rise_frame_shrink(kernels, &picture, frame, 16, 16, 1, NULL);
               UnloadImage(image);
               action = rise_agent_step(agent, frame, reward, event);
               if (action < 0) break; // rise_agent_error(agent)->text says why
               if (event == RISE_TERMINATED || event == RISE_TRUNCATED) {
                   game_reset();
                   event = RISE_FIRST, tick = -1; // the next tick passes the first frame
               } else
                   event = RISE_MIDDLE, reward = 0;
           }
           if (event == RISE_MIDDLE) event = game_tick(action, &reward); // adds to the reward
           BeginDrawing(), game_draw(), EndDrawing();
       }

   LEARNING IN A TIME BUDGET. Without threads, set desc.learn_outside, so that rise_agent_step only
   acts. In each tick, give rise_agent_learn_for the microseconds that are left.

       desc.learn_outside = 1;

       action = rise_agent_step(agent, frame, reward, event);
       event = game_play(action, &reward); // after a last frame, game_reset() as in THE LOOP
       left = 16000 - microseconds_used(); // microseconds left of a tick of 16 ms
       if (left > 0 && rise_agent_learn_for(agent, left) < 0)
           puts(rise_agent_error(agent)->text);
       rise_agent_metrics(agent, &metrics);
       if (metrics.updates_owed > 1000) puts("too slow: raise learn_period");

   An update has desc.batch_parts parts. With learn_outside, but neither background nor several
   processes, the default is 4 if 4 * window_samples divides batch. Else the default is 1. A call
   can return between two parts, so that the game goes on. More parts make an update longer. With
   frames of 16 x 12 and a batch of 32, each of 4 parts took 0.9 ms. An update in one part took 2.4
   ms (make bench-parts).

       desc.batch_parts = 8; // batch must be a multiple of 8 * window_samples

   A part takes about metrics.update_time / rise_agent_query(agent)->batch_parts microseconds; the
   last part is longer. Choose batch_parts so that a part takes at most half of the usual budget. If
   a part needs more time than one call gives, calls do nothing and return 0 until the sum of the
   budgets is enough. The call that reaches the sum does the part. This call may exceed its own
   budget, but the mean of all calls does not. The first part runs with any budget above 0, because
   its duration is not yet known. A negative budget is RISE_BAD_CALL.

   The first call that finds an update due also embeds all stored frames again, even with a budget
   of 0. An expensive frozen encoder stops the game for that time: with ResNet-18, learn_start =
   20000 frames at 8 ms each take 160 s. To shorten this pause, lower desc.learn_start. Or show a
   menu once more than learn_start steps are done, and let rise_agent_learn do the first update
   then.

   If metrics.updates_owed keeps growing, updates get too little time. Raise desc.learn_period, or
   make updates cheaper (see SYMPTOMS).

   HOW TO: SEVERAL MACHINES. Processes can learn together, on one machine or on many. Each process
   has its own environments, replay buffer and batch. Once in each update, reduce_fn adds up the
   gradients of all processes. Then all processes do the same update, so their weights stay the
   same, to the bit. rise.h does not communicate: reduce_fn may use MPI or sockets.

       int sum(void *user, rise_real *numbers, size_t count)
       {
           return MPI_Allreduce(MPI_IN_PLACE, numbers, (int)count, MPI_FLOAT, MPI_SUM,
                                MPI_COMM_WORLD);
       }

       MPI_Comm_size(MPI_COMM_WORLD, &desc.processes);
       MPI_Comm_rank(MPI_COMM_WORLD, &desc.process);
       desc.reduce_fn = sum;

   With RISE_DOUBLE, use MPI_DOUBLE. With background, the library's thread calls reduce_fn, so start
   MPI with MPI_THREAD_MULTIPLE.

   Together, n processes with batch b learn as one process with batch = n * b and batch_parts = n.
   With the same stored steps and uniform replay, both compute the same gradient. The bits are the
   same if reduce_fn adds in the order of the processes. MPI_SUM may choose any order, so different
   machines may then give different bits. With prioritised replay, n processes differ from one,
   because a process knows the priorities of its own transitions only.

   All processes must have the same fields and seed. All must do the same number of updates, because
   an update waits for all processes. Give the games of each process a seed of their own.
   learn_start, learn_period and all other numbers of steps count the steps of one process. When
   learning starts, and in each snapshot, all take the statistics of process 0. The learning rate
   follows the steps of process 0. If you write to rise_agent_parameters, write the same in all
   processes.

   A snapshot copies the conv layers into the frozen encoder (see rise_agent_snapshot). With
   snapshots, or with background and a frozen encoder, each environment must have stored the same
   number of frames in all processes. So an environment that is RISE_ABSENT in one process must be
   RISE_ABSENT in all, and a restart must load files of RISE_SAVE_ALL.

   Last frames of episodes are no steps, so after the same number of calls, processes have done
   different numbers of steps. Set learn_outside, and count the calls of rise_agent_step_all. All
   processes must call rise_agent_learn after the same numbers of these calls. rise_agent_learn_for
   is refused, because its number of updates depends on the clock.

       desc.learn_outside = 1;

       rise_agent_step_all(agent, frames, NULL, rewards, events, NULL, actions);
       // ready: 1 as soon as every process has more than learn_start steps. All processes must
       // set `ready` after the same number of calls. 4 is learn_period
       if (ready) owed += desc.environments;
       for (; owed >= 4; owed -= 4) rise_agent_learn(agent);

   If reduce_fn returns another number than 0, this update and all further ones fail with
   RISE_UNAVAILABLE. Save the agent then. Each process saves its own file. If reduce_fn failed in
   some processes only, their files may differ by an update: let all load the same file. A file can
   be loaded with another number of processes: set processes, process and reduce_fn in `machine`.
   Processes that load the same file draw the same random actions. adam_epsilon stays that of the
   file.

   Many processes that act and one that learns need no reduce_fn. The processes that act have
   play_only agents, and send their steps to the process that learns. This process, the learner,
   passes the steps to rise_agent_observe. Each process that acts is one environment of the learner.

   The learner must send its whole policy (rise_agent_write with RISE_SAVE_POLICY) at first, after
   its first update and after each snapshot. After other updates, the numbers of
   rise_agent_parameters are enough, but not with spectral_norm. examples/cluster.c, with MPI, sends
   the whole policy each time.

   HOW TO: MANY CHARACTERS. rise_agent_play chooses the actions of up to desc.players characters. A
   character that plays like this is a player. All players use the same weights, and each player has
   its own past frames. An agent can learn from its environments and serve players at the same time.

       for (i = 0; i < 30; i++) { // desc.players = 30
           guard_draw(i, frame);
           action = rise_agent_play(agent, i, frame, 0, guard_event(i), NULL);
           if (action >= 0) guard_move(i, action);
       }

   rise_agent_play_all does the same for all players. Many players share one pass of the network,
   so a player takes less time. If a character is dead or asleep, pass the event RISE_ABSENT. Then
   the player takes no part in the call, and the player's next frame continues the episode. An
   environment of rise_agent_step_all can have the event RISE_ABSENT, too.

       for (i = 0; i < 30; i++) {
           guard_draw(i, frames[i]);
           events[i] = guard_is_awake(i) ? guard_event(i) : RISE_ABSENT;
       }
       rise_agent_play_all(agent, frames[0], NULL, rewards, events, NULL, actions);

   Characters that learn are environments: one for each, in one call of rise_agent_step_all. These
   environments may share one game. If one character ends the round for all, its event is
   RISE_TERMINATED. The event of the others is RISE_TRUNCATED, because their own actions did not end
   the round. Draw each frame from the character's view: the direction in which the character looks
   is up.

   Players are greedy at first. rise_agent_set_player makes a player worse, for example to set the
   difficulty of a game:

       rise_agent_set_player(agent, i, 0.2, 0); // a fifth of the actions are random

   The agent can also play worse in the environments that it learns from. Set
   desc.players = desc.environments, let player i choose the action of environment i, and pass the
   actions to rise_agent_observe:

       rise_agent_play_all(agent, frames[0], NULL, rewards, events, NULL, actions);
       rise_agent_observe(agent, frames[0], NULL, rewards, events, NULL, actions);

   rise_agent_publish copies what an agent has learned to a play_only agent. If the play_only agent
   was made with background = 1, another thread may use this agent during the call. In self-play,
   the play_only agent can be the opponent: examples/self_play.c trains an agent against its earlier
   copies, and rates the copies.

       desc.play_only = 1;  // all other fields as in the description of `agent`
       desc.background = 1; // only if another thread publishes; needs RISE_THREADS
       rise_agent_create(&opponent, &desc, &error);

       rise_agent_publish(agent, opponent); // from now on, the opponent plays as the agent does now

   Each episode of a player begins with RISE_FIRST. You need not pass the last frame of the episode.
   For each player the agent keeps the frames that acting reads. By default these are 16 frames with
   RISE, 19 with FULL and 4 with NONE. RISE also keeps their embeddings. rise_agent_values returns
   the Q values of all actions at the player's newest frame.

       const rise_real *q = rise_agent_values(agent, i);
       if (q != NULL) printf("left %g, right %g\n", (double)q[0], (double)q[1]);

   HOW TO: SHIPPING A POLICY. Save the agent as RISE_SAVE_POLICY. Load the file with play_only = 1:
   the agent then has no replay buffer and no optimizer, so it plays and does not learn. The
   argument `machine` of the load functions is a description with the fields that a file does not
   hold.

       rise_agent_save(agent, RISE_SAVE_POLICY, "guards.rise", &error);

       rise_agent_desc machine = {0};
       machine.play_only = 1;
       machine.players = 30;
       if (rise_agent_load(&agent, "guards.rise", &machine, &error) != RISE_OK) puts(error.text);

   A policy can also be a part of the program: an array, flash memory or a mapped file. The agent
   then reads its weights in place, so the weights take no RAM. With noisy or spectral_norm, a
   policy of RISE_SAVE_POLICY still takes RAM for a copy of the weights. Several agents can share
   one array. The array must not change. Let the array begin at a multiple of 64 bytes: at other
   multiples of 4 the agent is slower. At other addresses, on big-endian machines, with
   RISE_SAVE_FLOAT16 and with RISE_DOUBLE, the weights are copied. rise_agent_publish cannot change
   an agent that reads its weights in place.

       // the bytes of guards.rise; in C++: alignas(64)
       _Alignas(64) static const unsigned char guards[] = { ... };

       rise_agent_open(&agent, guards, sizeof guards, &machine, &error);

   `./watch guards.rise --export guards.h` (examples/watch.c) writes such an array as a C header.
   The array is guards_policy. guards_check() plays a few frames and returns 0 if the Q values are
   those of the machine that exported the policy. With RISE_PLAY_ONLY, call
   guards_check_in(memory, sizeof memory).

   To load a policy from an archive, pass a callback to rise_agent_read. The callback copies exactly
   the next `size` bytes and returns 1, or returns 0 on failure.

   HOW TO: A SMALL PLAYER. A small player is a program with a play_only agent and nothing that
   learns. For a microcontroller, or a game that never learns, define RISE_PLAY_ONLY in every file.
   A file without RISE_PLAY_ONLY that calls a function with a rise_error does not link. The library
   then has the functions below and those of >>api-kernels. Errors have a code and no sentence:
   rise_result_text returns the meaning of the code. Nothing calls malloc or printf. If
   RISE_NO_RAINBOW is defined, too, playing computes with floats only.

       rise_agent_open  rise_agent_open_bytes  rise_agent_read  rise_agent_destroy
       rise_agent_play  rise_agent_play_numbers  rise_agent_play_all  rise_agent_set_player
       rise_agent_values  rise_agent_query  rise_agent_error  rise_agent_metrics
       rise_frame_shrink  rise_kernels_of  rise_result_text  rise_version

   You pass the memory. rise_agent_open_bytes returns the number of bytes that the agent needs.

       #define RISE_PLAY_ONLY
       #define RISE_IMPLEMENTATION
       #include "guards.h"        // written by ./watch guards.rise --export guards.h

       static unsigned char memory[16384];
       rise_agent_desc machine = {0};
       machine.memory_block = memory, machine.memory_bytes = sizeof memory;
       result = rise_agent_open(&agent, guards_policy, sizeof guards_policy, &machine, NULL);

   Four more macros leave out code (see MACROS). RISE_NO_RAINBOW and RISE_NO_ENCODERS leave out
   parts that the default agents do not have: a policy that needs such a part is refused with
   RISE_UNAVAILABLE. RISE_NO_SIMD and RISE_NO_AVX512 leave out kernels. Compile with -Os, -flto,
   -ffunction-sections and -Wl,--gc-sections. With newlib, -fno-math-errno saves 1 kB of RAM.
   bench/embedded.md has the flash and RAM of an agent on three boards.

   HOW TO: A QUARTER OF THE BYTES. RISE_SAVE_INT8 saves a policy whose layers have weights of 8
   bits. An agent with this policy also rounds the inputs of these layers to integers. Sums of
   integers are exact, so all fused kernels compute the same bits. Q differs a little from Q of the
   float policy, so a few actions may differ. Play both policies and compare their scores. For
   agents of the games in examples/games.h, examples/watch.c plays and compares both: ./watch FILE
   --export guards8.h --weights int8.

       rise_agent_save(agent, RISE_SAVE_INT8, "guards8.rise", &error);

   With AVX2 or AVX-512, an action takes less than half of the float policy's time (make
   bench-step). With the plain C kernels on x86-64, an action takes about five times the float
   policy's time. On a Cortex-M, an action takes 1.2 times the float policy's instructions
   (bench/embedded.md).

   RISE_SAVE_FLOAT16 takes half the bytes of RISE_SAVE_POLICY. Loading converts the weights to
   floats. So a 16-bit policy plays as fast as a float policy. The weights of a 16-bit policy are
   never read in place, and therefore take RAM. A weight has 11 significant bits, so Q differs far
   less than with 8 bits.
   ./watch FILE --export guards16.h --weights float16 writes such a policy as a C header.

   An 8-bit policy is loaded and opened like any other. Its agent cannot learn, and no learner can
   publish to this agent. The file of an 8-bit policy holds only the fields that acting reads. In
   rise_agent_query, other fields, such as action_masks, have their defaults.

   HOW TO: SAVING AND RESUMING. A checkpoint has one of five contents.

       RISE_SAVE_AGENT   weights, optimizer, counters, random streams; no replay buffer: small
       RISE_SAVE_ALL     the same, the replay buffer and the episodes in progress; the run resumes
                         bit for bit, if you save the game too
       RISE_SAVE_POLICY  what playing needs
       RISE_SAVE_FLOAT16 the same in half the bytes: weights are 16-bit floats
       RISE_SAVE_INT8    the same in a quarter of the bytes: see A QUARTER OF THE BYTES

       if (rise_agent_save(agent, RISE_SAVE_ALL, "run.rise", &error) != RISE_OK) puts(error.text);

       FILE *file = fopen("run.rise", "rb"); // has this run been saved before?
       if (file != NULL) fclose(file);
       result = file != NULL ? rise_agent_load(&agent, "run.rise", NULL, &error)
                             : rise_agent_create(&agent, &desc, &error);
       if (result != RISE_OK) return puts(error.text), 1;

   After loading a checkpoint of RISE_SAVE_AGENT, pass RISE_FIRST in the first call. Learning
   resumes after more than learn_start new frames. Checkpoints do not hold embeddings, so loading
   RISE_SAVE_ALL embeds all stored frames again.

   RISE_SAVE_ALL writes the whole replay buffer: less than metrics.bytes_per_step *
   metrics.replay_size bytes, because embeddings are not written. Saving delays a game, so save
   while a menu is shown. To load with another number of environments, save as RISE_SAVE_AGENT.

   rise_agent_save writes a new file beside the old one, and then gives the new file the old name.
   So on POSIX and Windows, a crash does not damage the old checkpoint, and several programs may
   save to one path. A program that is killed while it saves leaves the new file. On these systems,
   the name of the new file is the path with an ending such as ".new-1234-0". You can delete such
   files. On POSIX, a symbolic link is followed, the permissions of the old file are kept, and
   anything but a plain file is refused.

   rise_agent_peek reads only the description in a file. In the description, set the fields that you
   will set in `machine`, such as play_only. With play_only, also set background, because loading
   then ignores the file's value. Then rise_agent_bytes returns the memory that the agent needs.

       rise_agent_desc found;
       if (rise_agent_peek(&found, "run.rise", &error) == RISE_OK)
           printf("%.0f bytes\n", (double)rise_agent_bytes(&found, &error));

   HOW TO: ACTION MASKS. Set desc.action_masks and call rise_agent_step_all, also for one
   environment. The agent never takes a forbidden action. The target never uses a forbidden action
   as the greedy action of the next state.

       uint8_t allowed[4] = {1, 1, 0, 1}; // desc.actions = 4; nonzero: may be taken
       desc.action_masks = 1;

       rise_agent_step_all(agent, frame, NULL, &reward, &event, allowed, &action);

   The mask of each environment must allow at least one action, with two exceptions. At
   RISE_TERMINATED the mask may be all zero. At RISE_ABSENT the mask is not read. At RISE_TRUNCATED
   the mask is needed, because the target bootstraps from the last frame. rise_agent_play takes a
   mask with or without desc.action_masks.

   HOW TO: WINDOW, DISCOUNT AND BUFFER SIZE. Count in steps of the agent, not in screen frames. A
   game of 60 frames a second that asks the agent at every 6th frame has 10 steps a second.

       int const steps_per_second = 10;
       desc.window = 2 * steps_per_second + 1; // a cue up to 2 seconds back, both ends counted
       desc.discount = 1 - 1.0 / 100;          // rewards up to about 100 steps ahead count
       desc.carry_state = 1;                   // acting costs the same for any window
       desc.replay_capacity = 50000;           // shared by all environments

   If episodes are short, set the window to the longest episode. Then the window holds every earlier
   frame of the episode. With fewer steps a second, the same window covers more seconds. A window
   that is longer than needed costs time and hardly changes the score: bench/ABLATION.md compares
   windows of 8 to 64.

   With a discount of d, a reward n steps ahead has the weight d^n. With d = 0.99 the weight is a
   third after 110 steps. The replay buffer keeps replay_capacity / environments frames for each
   environment. These frames must include a window, a frame stack and n_step frames.
   rise_agent_resolve refuses a smaller replay_capacity and names the minimum.

   epsilon_steps is the number of steps after learn_start over which the share of random actions
   falls to epsilon_end. The default for SMALL is 10000 steps. Raise epsilon_steps if episodes are
   long or rewards are rare, because random actions must find the first rewards.

   RARE REWARDS. An agent cannot learn from rewards that it never gets. Before you train, play with
   random actions and count the rewards.

       desc.epsilon_start = desc.epsilon_end = 1; // all actions are random

   If there is less than about one reward in 1000 steps (an estimate), the agent improves late. Then
   make the task easier at first: a smaller map or a shorter way. Or show the agent how to play: see
   HOW TO: TEACHING.

   HOW TO: OTHER AGENTS. Fields choose the value head, the exploration, the target and the network.

       desc.head = RISE_HEAD_C51;  // a distribution over fixed returns; MEAN is the default
       desc.atoms = 51;
       desc.value_min = -10;       // the smallest and largest return
       desc.value_max = 10;

       desc.head = RISE_HEAD_IQN;  // quantiles of the return
       desc.munchausen = 1;        // not with C51 or value_rescale
       desc.noisy = 1;             // exploration by noise in the heads' weights
       desc.epsilon_start = desc.epsilon_end = -1; // no random actions

   For a conv net of your own, set RISE_NETWORK_CUSTOM and fill in conv[]. If a side of the frame
   has fewer than 36 pixels, CUSTOM has the defaults of SMALL. For larger frames, CUSTOM has the
   defaults of the larger networks.

       desc.network = RISE_NETWORK_CUSTOM;
       desc.conv_count = 2;
       desc.conv[0].filters = 16, desc.conv[0].size = 8, desc.conv[0].stride = 4;
       desc.conv[1].filters = 32, desc.conv[1].size = 4, desc.conv[1].stride = 2;
       desc.features = 256;

   The presets are DQN, RAINBOW, BTR and R2D2, for Atari. Most of their values are those of the
   papers. The replay buffer of a preset holds a million frames, so a smaller replay_capacity is
   usual. replay_capacity must be at least learn_start, which is 200000 with BTR. A preset sets only
   fields that are zero. To keep the default of a field, set the field to zero after the preset.

       desc.frame_width = desc.frame_height = 84;
       rise_agent_preset(&desc, RISE_PRESET_RAINBOW);
       desc.replay_capacity = 100000;

   A preset can be combined with any desc.memory. If frames are larger than 84 x 84, an array of the
   network can become too large. Then rise_agent_resolve refuses the description and names the field
   to lower. For example, RISE_PRESET_BTR with FULL needs a smaller desc.batch from 116 x 116 on.

   Fields can be set from text, such as a program's arguments, and printed as text. The exceptions
   are embedding_file, the callbacks, and isa, threads, processes, process, weights, memory_block
   and memory_bytes.

       static void print_line(void *user, const char *text)
       {
           (void)user;
           puts(text);
       }

       for (i = 1; i < argc; i++)
           if (rise_agent_set(&desc, argv[i], &error) != RISE_OK) puts(error.text);
       rise_agent_describe(&desc, print_line, NULL);

   HOW TO: A PRETRAINED ENCODER. RISE_EMBED_RESNET18 embeds frames with a ResNet-18 (He et al. 2016)
   that was trained on photographs. The embedding has 512 numbers: the mean over the image of each
   output channel of the last stage. The weights come from a .safetensors file with torchvision's
   tensor names, as F32, F16 or BF16. In Python:

       import torchvision, safetensors.torch
       net = torchvision.models.resnet18(weights="DEFAULT")
       safetensors.torch.save_file(net.state_dict(), "resnet18.safetensors")

   In C (whenever the agent is loaded, set embedding_file in `machine`, too):

       desc.embedding = RISE_EMBED_RESNET18;
       desc.embedding_file = "resnet18.safetensors";

   A checkpoint holds a hash of these weights, but not the weights and not the path. Loading with
   other weights is RISE_MISMATCH. Frames must have 1 or 3 channels and at least 32 pixels on each
   side. The encoder normalises the pixels and does not resize the frame.

   The encoder takes 46 MB of memory and 0.25 s when the agent is made. Embedding a frame of 84 x 84
   takes about 8 ms with AVX-512 and 13 ms with AVX2. Every stored frame is embedded again when
   learning starts and when a RISE_SAVE_ALL file is loaded.

   Narrower nets of the same structure are faster. Set embedding_size to the width of the last
   stage, a multiple of 8.

   HOW TO: YOUR OWN ENCODER. RISE_EMBED_USER calls desc.embed_fn. This function must depend on the
   frame alone, because frames are embedded again when learning starts and after loading. Set
   embed_fn again in `machine` when the agent is loaded.

       static void halves(void *user, const uint8_t *frame, float *embedding, int size)
       {
           int i;
           (void)user;
           for (i = 0; i < size; i++) embedding[i] = 0;
           for (i = 0; i < 64; i++) embedding[i / 32] += frame[i]; // of 8 x 8: top and bottom
       }

       desc.embedding = RISE_EMBED_USER;
       desc.embedding_size = 2;
       desc.embed_fn = halves;

   HOW TO: KERNELS ALONE. The kernels need no agent. The code below multiplies two row-major
   matrices.

       rise_product p = {0};
       void *scratch = malloc(rise_product_scratch() + 1); // may need 0 bytes
       p.m = 4, p.n = 8, p.k = 16;
       p.a = rise_matrix_plain(a, 16); // [4][16]
       p.b = rise_matrix_plain(b, 8);  // [16][8]
       p.c = rise_matrix_plain(c, 8);  // [4][8], written
       if (scratch != NULL) rise_kernels_of(RISE_ISA_AUTO)->product(&p, 0, 1, scratch);
       free(scratch);

   SYMPTOMS. The table lists what you see, why, and what to change. An agent notices some mistakes
   by itself (see rise_advice), such as frames or rewards that never change, or updates that do not
   keep up. The agent reports each mistake once to desc.log_fn, and sets a bit of metrics.advice.

       static void log_line(void *user, const char *text)
       {
           (void)user;
           puts(text);
       }
       desc.log_fn = log_line;

       SYMPTOM                      CAUSE                           REMEDY

       Updates are too slow         the recurrent net is large, or  a shorter window; fewer
                                    updates are frequent            recurrent_units;
                                                                    RISE_CELL_MINGRU; a longer
                                                                    learn_period; threads

       The agent does not learn     too little exploration          a larger epsilon_steps
                                    the learning rate does not      learning_rate 3 times higher
                                    suit the game                   or lower
                                    the window does not reach the   a window that does, both ends
                                    cue                             counted

       The agent learns, then       the replay buffer is small, or  a larger replay_capacity; a
       forgets                      the target network changes too  longer target_period
                                    fast

       In games that need little    Q depends on the context        a larger context_decay; fewer
       memory, RISE learns more     without need                    recurrent_units; a smaller
       slowly than NONE                                             context_scale, which slows
                                                                    games that need memory

       In games that need memory,   the weights of the context      a smaller context_decay; -1:
       RISE learns slowly           begin at 0, or decay too fast   random at first, no decay

       The agent learns well at     the picture changed after       raw_frames = 1; a larger
       first, and later levels      learn_start, so that the mean   learn_start
       look different to it         frame no longer fits

       "every reward was 0"         the last frame of an episode    pass that frame with its reward
                                    is not passed                   and RISE_TERMINATED or
                                                                    RISE_TRUNCATED

       "frames came with            each event is RISE_FIRST        RISE_MIDDLE after the first
       RISE_FIRST"                                                  frame of an episode

       The agent ignores rewards    a time limit was passed as      RISE_TRUNCATED
       that come later              RISE_TERMINATED

       mean_return stays below the  training includes random        none needed; or a smaller
       score of rise_agent_play     actions                         epsilon_end

       "no episode in progress;     first call, a last frame        pass RISE_FIRST
       its next frame must be       before, or loaded without
       RISE_FIRST"                  replay buffer

       mean_value grows far above   learning diverges: learn_period the default learn_period; a
       any return                   is small for this game          larger target_period

       RISE_NOT_FINITE: "a weight,  the update diverged and was     load the last checkpoint; if it
       the loss or a gradient"      discarded                       repeats, a new agent with a
                                                                    lower learning_rate or smaller
                                                                    rewards

       rise_agent_learn_for always  no update is due: learn_start   wait; set learn_outside
       returns 0                    not reached, the buffer is
                                    refilling after loading, or
                                    learn_outside is 0

       rise_agent_learn_for takes   a part of an update takes       a larger batch_parts;
       longer than its budget       longer than the budget          background; cheaper updates

       updates_owed keeps growing   updates get too little time     a longer learn_period;
                                                                    cheaper updates

       metrics.waited grows         background updates take longer  a longer learn_period;
       quickly                      than learn_period steps         cheaper updates; learn_outside

       The game stops once, when    the first update embeds all     a smaller learn_start; a
       learning starts              stored frames again             cheaper frozen encoder

       RISE_NO_MEMORY               the replay buffer is too large  smaller frames; a smaller
                                                                    replay_capacity

       RISE_UNAVAILABLE: "threads   the build has no threads        define RISE_THREADS and
       is 4"                                                        compile with -pthread

       Loading: "embed_fn is NULL"  checkpoints do not hold these   set the field in `machine`
       or "embedding_file is NULL"  fields

       Loading: RISE_MISMATCH       `machine` has another shape or  change what error.text names
                                    other weights, or no play_only
                                    for a file with only a policy

       Results differ between       one machine or build has no     compare metrics.isa and
       machines                     fused multiply-add              .fused; set RISE_ISA_REF

       "undefined reference to      no file defines                 define it in one file
       rise_..."                    RISE_IMPLEMENTATION

       "multiple definition of      two files define it             define it in one file only
       rise_..."

       "undefined reference to      the math library is missing     add -lm, last
       sqrt"

       "rise.h: No such file",      rise.h was renamed              define RISE_SELF as its name
       from inside rise.h

   COSTS by frame size: 4 actions, one thread, default fields. `make bench-costs` measured the costs
   on an AMD EPYC (Zen 4, AVX-512); bench/README.md says more. `bytes` is the memory of the agent.
   An action is one rise_agent_play without desc.carry_state. The times of RISE at 84x84 were
   measured with embeddings of 512 numbers; the default has 484.

       frame     memory   parameters        bytes   update ms   action ms
       8x8       NONE          91285       6.9 MB       0.447     0.00584
       8x8       RISE         104789      14.7 MB       0.952      0.0119
       8x8       FULL         110933      13.0 MB        5.95      0.0453
       16x12     NONE         304277      18.5 MB        1.52      0.0185
       16x12     RISE         317781      26.3 MB        2.18      0.0253
       16x12     FULL         323925      34.5 MB          19       0.126
       32x24     NONE        1369237      72.8 MB        8.91      0.0902
       32x24     RISE        1382741      80.7 MB         9.4      0.0954
       32x24     FULL        1388885     138.9 MB        87.3       0.613
       84x84     NONE        3292837      1.49 GB        37.8       0.404
       84x84     RISE        5350053      1.75 GB         104        1.87
       84x84     FULL        9423525      1.75 GB         599        5.89

   rise_agent_bytes returns the memory of an agent in bytes before anything is allocated. Creating
   or loading an agent calls calloc once, or not at all with desc.memory_block. Later calls allocate
   nothing. The C library may allocate memory for open files and threads.

       size_t bytes = rise_agent_bytes(&desc, &error);
       if (bytes == 0) return puts(error.text), 1;
       desc.memory_block = malloc(bytes); // yours, at any alignment; free it after the agent
       desc.memory_bytes = bytes;

   Most of the memory is the replay buffer, except with FULL and small frames. Each of the
   replay_capacity frames takes the bytes of its pixels and 20 bytes more. RISE adds 2 bytes for
   each number of the embedding. Action masks add one byte for every 8 actions, rounded up.
   stored_state adds 2 bytes for each number of the recurrent state. With embedding_f32, a number of
   an embedding or a state takes 4 bytes instead of 2. Each of desc.numbers takes 4 bytes.

   The default agent takes 32 MB for frames of 16 x 16 and 1.8 GB for 84 x 84. For frames of 320 x
   240 in colour, an agent takes 48 GB. Smaller frames or a smaller replay_capacity take less
   memory.

   SAME BITS. The same seed and inputs give the same bits on AVX2, AVX-512, 64-bit ARM and the
   reference kernels. Each sum is computed in one fixed order with fused multiply-add. The library
   has its own exp, log, tanh, sigmoid and cosine. Its random generator works on integers.

       rise_agent_metrics(agent, &metrics);
       printf("%s kernels, fused: %d\n", metrics.isa, metrics.fused);

   A run that was saved with RISE_SAVE_ALL resumes bit for bit. The number of threads does not
   change the bits. The plain C kernels ("c") give other bits if the compiler may not use fused
   multiply-add instructions: they then round each product before the addition. The same is true of
   "neon" on 32-bit ARM without VFPv4.

   A checkpoint records whether its numbers were computed with fused multiply-add. If the kernels of
   the loading machine differ in this, the checkpoint loads, but the run does not resume bit for
   bit. log_fn then receives a line about the difference. desc.isa = RISE_ISA_REF gives the bits of
   all fused kernels on any machine, but is slow. RISE_PLAY_ONLY leaves out RISE_ISA_REF.

   On 32-bit x86, compile with -msse2 -mfpmath=sse. Without these options, the processor computes
   floats with more bits, and the results differ from those of all other machines. The option
   -ffast-math would change the bits, so rise.h does not compile with this option.

   ERRORS. Functions return RISE_OK or a negative code. A function that fails also writes a sentence
   that names the field, the path or the offset, and the remedy. A function whose last argument is
   `error` writes the sentence there; `error` may be NULL. Success does not change *error. For other
   calls on an agent, rise_agent_error(agent) returns the sentence. With RISE_PLAY_ONLY, all
   sentences are empty.

       rise_error error;
       if (rise_agent_create(&agent, &desc, &error) != RISE_OK) return puts(error.text), 1;
       action = rise_agent_step(agent, frame, reward, event);
       if (action < 0) puts(rise_agent_error(agent)->text);

   The library never prints and never aborts. A refused call changes nothing, with one exception: a
   refused call that plays may already have put the last rise_agent_publish into effect. A reward,
   number or embedding that is NaN or infinite is refused by the call that passes it. At RISE_FIRST
   the reward is not read. An update whose loss or gradient is NaN or infinite is discarded.

   Unless learn_outside is 1, rise_agent_step, rise_agent_step_all and rise_agent_observe also
   learn, after the step was taken. Two errors come from learning: RISE_NOT_FINITE about a weight,
   loss or gradient, and RISE_UNAVAILABLE after reduce_fn failed or after fork. Then the step was
   taken and only the update is missing: do not repeat the step. rise_agent_step_all and
   rise_agent_observe have written the actions, but rise_agent_step returns the error instead of the
   action.

   THREADS. Define RISE_THREADS beside RISE_IMPLEMENTATION and compile with -pthread. With
   desc.threads = 4 an agent computes on its caller's thread and three workers. A worker without a
   job sleeps after about 50 us. If there are fewer cores than desc.threads, the worker sleeps at
   once. With background, one more core is needed, for the game's thread. The bits are the same for
   any number of threads. Set the rounding mode and the treatment of denormals before you create the
   agent: its threads keep those that they began with.

       desc.threads = 4;

   The threads are those of POSIX or of Windows. With desc.background, the agent has one more
   thread, which computes the updates (see LEARNING IN THE BACKGROUND). The desc.threads - 1 workers
   then help this thread, and acting uses the caller's thread alone.

   There is no global state. Use each agent from one thread at a time, and different agents from as
   many threads as you like. Callbacks are called on the thread that called the library, except
   embed_fn and reduce_fn with desc.background.

   Call fork only while no other thread is in a call of the library. A process that is made by fork
   has none of the threads, and computes everything on its own thread. If fork came while an update
   was computed in the background, learning in the new process is RISE_UNAVAILABLE. Saving is
   RISE_UNAVAILABLE, too, except saving a policy. If stored frames were being embedded again, the
   agent plays with embeddings of two kinds. To learn or play right in the new process, load the
   agent from a file.

   PORTING. The code is C99 and also C++11. The tests run with gcc, clang and musl on Linux, with
   MinGW under wine, and for ARM, RISC-V and s390x (big-endian) under qemu. On bare metal, play_only
   agents run on three boards under qemu. No test runs with MSVC or tcc, on macOS or on Android. The
   code is only compiled with tcc (tests/build.sh) and for macOS (tests/README.md), and not at all
   with MSVC. The table shows which kernels are chosen. tcc always takes "c".

       x86-64        AVX-512 or AVX2 with FMA and F16C if processor and system have them, else "c"
       x86, 32 bits  "c"
       ARM, 64 bits  "neon"
       ARM, 32 bits  "neon" if the compiler may use NEON, fused with VFPv4; else "c"
       others        "c", also big-endian ARM

   PORTING: RASPBERRY PI. On a 64-bit system: nothing to do, the NEON kernels are used. On a 32-bit
   system of a Pi 2, 3, 4 or 5, allow NEON and fused multiply-add. The first Pi, Zero and Zero W are
   ARMv6: they have no NEON and get the plain C kernels.

       cc -O2 game.c -lm                                       # any 64-bit system; ARMv6
       cc -O2 -march=armv7-a -mfpu=neon-vfpv4 game.c -lm       # 32-bit on Pi 2, 3, 4, 5

   Check the memory: for frames of 84 x 84 the default agent takes 1.8 GB. With replay_capacity =
   20000 an agent takes about 300 MB.

   PORTING: WINDOWS. MinGW is gcc: all x86 kernels are compiled. MSVC compiles the AVX kernels on
   x64 and the plain C kernels elsewhere. RISE_THREADS needs gcc or clang, because MSVC lacks their
   atomic built-ins. rise.h refuses /fp:fast, which changes the bits (see SAME BITS).

       cl /O2 game.c

   Paths are UTF-8. A path that is not valid UTF-8 is taken to be in the system's code page. A save
   fails if another program holds the old file open without sharing it; the old file is then
   unchanged.

   PORTING: MACOS. Apple processors use the NEON kernels, Intel processors AVX2 or AVX-512.

       cc -O2 game.c -o game

   PORTING: ANDROID. arm64-v8a uses the NEON kernels. For armeabi-v7a compile with -mfpu=neon-vfpv4,
   else NEON is not fused. The library prints nothing: pass log_fn to see its lines. Read agents
   from assets through rise_agent_read (see HOW TO: SHIPPING A POLICY).

       static void log_line(void *user, const char *text)
       {
           (void)user;
           android_log("rise", text); // yours
       }
       desc.log_fn = log_line;

   PORTING: WEBASSEMBLY. Compile with emscripten. The plain C kernels are used. With -msimd128, an
   update is about 3 times as fast as without. WebAssembly has no fused multiply-add, so the bits
   are those of the plain C kernels on x86-64. Run the agent in a Web Worker, so that the page does
   not wait for an update. examples/web is a whole page (make web).

       emcc -O3 -msimd128 game.c -o game.js

   PORTING: MICROCONTROLLERS. A play_only agent fits a Cortex-M4. An agent of 13131 parameters takes
   84 kB of flash and 20 kB of RAM, or 45 kB of flash with 8-bit weights (bench/embedded.md).
   bench/embedded has a complete program with start-up code. Compile as C with -Os -flto
   -fno-math-errno -ffunction-sections and -Wl,--gc-sections. Define RISE_PLAY_ONLY, RISE_NO_RAINBOW
   and RISE_NO_ENCODERS (see HOW TO: A SMALL PLAYER).

       board                processor    options                                         tested
       STM32F4              Cortex-M4F   -mcpu=cortex-m4 -mthumb -mfloat-abi=hard        qemu
                                         -mfpu=fpv4-sp-d16
       STM32F7, Teensy 4    Cortex-M7    -mcpu=cortex-m7 -mthumb -mfloat-abi=hard        qemu
                                         -mfpu=fpv5-sp-d16
       Raspberry Pi Pico 2  Cortex-M33   -mcpu=cortex-m33 -mthumb -mfloat-abi=softfp     qemu
                                         -mfpu=fpv5-sp-d16
       ESP32-S3             Xtensa LX7   those of ESP-IDF: put the C file into a         no
                                         component

   The Cortex-M processors above have fused multiply-add, so play_only agents compute the same bits
   as a desktop with AVX2. softfp is the option of the Pico's SDK; under qemu, the Cortex-M33 was
   tested with -mfloat-abi=hard. Keep the policy in flash: `static const`, at a multiple of 64
   bytes.

   PORTING: BARE METAL. To play a policy in flash, see HOW TO: A SMALL PLAYER. To learn, or to play
   in a build that can also learn, define RISE_NO_STDIO if there is no file system. Pass a block of
   memory, and a clock if you call rise_agent_learn_for. The C library must have calloc, free,
   snprintf, vsnprintf, ldexp, sqrt, sqrtf, fabs, the functions of <string.h>, and one of
   clock_gettime, timespec_get and clock. The code below is for a play_only agent.

       static double seconds(void *user)
       {
           (void)user;
           return (double)timer_ticks() * 1e-6; // yours
       }

       machine.memory_block = block;
       machine.memory_bytes = sizeof block;
       machine.play_only = 1;
       machine.clock_fn = seconds; // with play_only: measures metrics.action_time

   A play_only agent needs its weights and little more. Take frames of 8 x 8, features = 32,
   head_units = recurrent_units = embedding_size = 16, frame_stack = 1 and carry_state = 1. Then the
   weights are 88 kB and rise_agent_bytes returns 121 kB. The stack frame of each function has at
   most 16 KiB; a call of the library needs the sum of several stack frames. The compiler may make
   enumerations smaller than int (-fshort-enums).

   BINDINGS. Compile rise.h itself to a shared library. The other language needs no struct layout:
   rise_size_of returns the size of a description, and rise_agent_set sets the fields from text. On
   Windows, export the functions with a .def file, because RISE_API is plain `extern`.
   examples/rise.py is a complete binding for Python.

       cc -O2 -shared -fPIC -DRISE_IMPLEMENTATION -x c rise.h -o librise.so -lm

   In Python, with ctypes:

       from ctypes import *
       rise = CDLL("./librise.so")
       rise.rise_size_of.restype = c_size_t
       rise.rise_error_text.restype = c_char_p
       rise.rise_agent_step.argtypes = [c_void_p, c_char_p, c_float, c_int]
       desc = create_string_buffer(rise.rise_size_of(b"rise_agent_desc"))
       error = create_string_buffer(rise.rise_size_of(b"rise_error"))
       agent = c_void_p()
       for field in (b"frame_width=8", b"frame_height=8", b"actions=2"):
           rise.rise_agent_set(desc, field, error)
       if rise.rise_agent_create(byref(agent), desc, error) < 0:
           print(rise.rise_error_text(error).decode(errors="replace"))
       action = rise.rise_agent_step(agent, bytes(64), 0, 0)

   rise_agent is opaque: keep the pointer, and free the agent with rise_agent_destroy.
   rise_agent_desc holds no hidden state. All bytes zero is a valid start, and zero in a field means
   the default. The functions copy the description, but not what its pointers point to.

   Enumerations are passed as int. Strings are bytes that end with 0. Error texts have at most 239
   bytes and are in the caller's rise_error or in the agent. The library keeps no pointers to
   frames, rewards, events, masks and text after a call. Callbacks, their `user` pointers,
   memory_block, desc.weights and the `data` of rise_agent_open must stay valid as long as the agent
   exists.

       rise_agent_values      valid until the agent is destroyed; the next play overwrites it
       rise_agent_query       valid until the agent is destroyed
       rise_agent_error       valid until the agent is destroyed; the next error overwrites it
       rise_agent_parameters  valid until the agent is destroyed; with background, until the next
                              update
       rise_result_text       a constant
       rise_version           a constant
       rise_error_text        points into the rise_error

   HOW TO ADD A CELL. Change three places, and add kernels and a test. Each kind of cell is one
   descriptor. No other code depends on the kind.

   1. >>api-desc: a value of rise_cell before RISE_CELL_COUNT, with a comment. The first value stays
   first, because 0 means the default. Files store the name of the cell, not the number, so the
   other values may be in any order.

   2. >>recurrent: a forward and a backward function for one window row at one step, and a
   risei_cell_kind with both. The members of risei_cell_kind state the number of gates, the gate
   that keeps the state, and whether there is a recurrent matrix. risei_cell_row holds the pointers
   that the functions get. RISEI_LEARN(function) is the function, or NULL with RISE_PLAY_ONLY.

       static const risei_cell_kind risei_cell_mine = {
           "mine",
           2,  // gates: z k
           0,  // keep_gate: z
           -1, // input_gate: none
           1,  // recurrent
           0,  // recurrent_bias
           0,  // cell_state
           0,  // separate
           1,  // direct
           risei_mine_forward, RISEI_LEARN(risei_mine_backward)};

   3. >>recurrent: its entry in risei_cell_kinds, in the order of rise_cell. Without the entry the
   file does not compile. A wrong order compiles.

   Kernels: the forward and backward functions may call kernels that exist. A new kernel needs a
   member of rise_kernels in >>api-kernels, a RISEK function in >>template, and a call in
   risei_selftest_cells in >>selftest. RISEK(table), at the end of the template, needs an entry at
   the position of the member. If the order is wrong, some C compilers only warn. If the types of
   the kernels are equal, no compiler warns.

   Test: tests/gradients.c compares every cell with central differences in double, without an edit.
   Add the cell's textbook formula to formula_of there. tests/kernels.c needs a RUN, an EXPECT and a
   row of kernels[] for a new kernel. tests/layers_torch.py compares LSTM and GRU with PyTorch.

   HOW TO ADD A VALUE HEAD. Change three places, and add tests.

   1. >>api-desc: a value of rise_head before RISE_HEAD_COUNT, with a comment. The first value stays
   first, because 0 means the default. Files store the name of the head, not the number, so the
   other values may be in any order. If the head uses an existing field, such as quantiles, add the
   head to the field's comment.

   2. >>heads: its functions. The output z of a state is [taus][actions][atoms]. If a head has
   several outputs for each action, its function `atoms` returns their number and its function
   `taus` returns 1. `taus` may return more than 1 only if `quantiles` is 1. The network then
   multiplies the features by the outputs of a layer of fractions, as IQN has.

       expect  computes Q from z. q and z may be the same array if there is one output for each
               action. expect may replace z: C51 replaces logits by probabilities. dz is always the
               gradient of z before expect, so for C51 the gradient of the logits.
       expect_backward  adds dq times the gradient of Q of one action to dz, for demonstrations.
       target  computes the target, [taus] or [atoms], from a risei_bootstrap. If discount is 0, the
               target must not depend on `next`. If `values` is 1, the function must obey policy and
               rescale. risei_values_target does all this for heads with one atom.
       loss    gets z and dz at the action taken: z[t * actions * atoms + i] is the output of
               fraction t and atom i. Returns the loss, not multiplied by `weight`. Writes *td, and
               dz of this action, multiplied by weight->importance / weight->batch. The caller has
               set dz of all actions to 0 before. tau is NULL unless `quantiles` is 1.

   Functions that work on arrays alone belong in >>targets. RISEI_LEARN(function) is the function,
   or NULL with RISE_PLAY_ONLY. Use RISEI_LEARN for the functions that only learning calls.

   3. >>heads: its row in risei_head_kinds, in the order of rise_head. Without the row the file does
   not compile. A wrong order compiles. With RISE_NO_RAINBOW, risei_check_head refuses all heads but
   MEAN.

       {"mine",
        risei_head_one, risei_head_one, // atoms, taus
        0,                              // quantiles: 1 only for a layer of fractions, as IQN has
        1,                              // values: 0 refuses munchausen and value_rescale
        risei_mine_expect, RISEI_LEARN(risei_mine_expect_backward),
        RISEI_LEARN(risei_values_target), RISEI_LEARN(risei_mine_loss)}

   Tests: tests/gradients.c checks networks and updates with every head, without an edit. Add the
   head's formula for Q to plain_expect there. Add a target and a loss computed by hand to
   tests/targets.c, and the paper's formula to tests/rules.c.

   HOW TO ADD A FROZEN ENCODER. Change three places, and add a test.

   1. >>api-desc: a value of rise_embedding before RISE_EMBED_COUNT, with a comment. The first value
   stays first, because 0 means the default. Files store the name of the encoder, not the number, so
   the other values may be in any order.

   2. >>frozen: its functions and its risei_frozen_kind. Only name and embed are required. embed
   computes embedding_size numbers from the frame and the encoder's weights alone. The other members
   may be 0 or NULL; struct risei_frozen_kind describes them.

   layout takes memory from the arena and stores the kind's struct with risei_frozen_store. layout
   must not write to the memory, because an arena that only counts returns NULL. initialise fills
   the memory from its random stream. Files do not hold these weights: loading draws the same
   weights again. If the weights do not come from this stream, set fingerprint. final_size returns
   embedding_size, or less if the encoder has fewer numbers.

       static const risei_frozen_kind risei_frozen_kind_mine = {
           "mine",                  // name
           0, 0, NULL, NULL,        // default_size, scaled, source, final_size
           risei_frozen_mine_check, // check_desc
           NULL, NULL,              // layout, initialise
           RISEI_OPTIONAL_ENCODER(risei_frozen_mine_embed), // embed; NULL with RISE_NO_ENCODERS
           NULL};                   // fingerprint

   3. >>embedder: its entry in risei_embedder_kinds, in the order of rise_embedding. Without the
   entry the file does not compile. A wrong order compiles.

   Test: tests/agent.c runs, saves and resumes agents with every encoder that reads no
   embedding_file, without an edit. Compare embeddings with numbers computed by hand there, as
   downsample_and_user_embeddings_are_exact does.

   HOW TO ADD A DESCRIPTION FIELD. Change three places, use the field, and add a test.

   1. >>api-desc: a member of rise_agent_desc. The comment has the default in brackets.

   2. >>describe: a row in risei_fields. The first three rows stay the required fields. The row of a
   field that acting reads goes before the #ifndef, and RISEI_FIELDS_TO_ACT goes up by one. The row
   of a field that only learning reads goes after the #ifndef. If the default depends on other
   fields, the row has 0 and risei_fill computes the default.

       // field, 1: double or 0: int, lowest, highest, default, 1: decides a shape or 0: not,
       // since revision, value before
       RISEI_ADDED(reward_scale, 1, 1e-6, 1e6, 1, 0, 6, 1),

   The last number is the value with which the agent behaves as before the field existed. Reading a
   file of an earlier revision sets the field to this number. The number must be in the range. 0
   means the default, also a default that risei_fill computes. So the number may be 0 only if the
   default is 0. If "off" is not the default, give "off" a number other than 0, such as a negative
   one.

   Use RISEI_ADDED for a number with one default. Use RISEI_ROW for an enumeration, and for a number
   with another default for SMALL. Fields of conv layers go into risei_conv_fields.

   3. >>files: RISEI_DESCRIPTION_REVISION goes up by one, once for all fields of a release. These
   fields have the new revision as their `since`.

   Text, files, range checks and defaults need only the row. Rules that involve several fields
   belong in a risei_check_ function in >>describe. If a field decides no shape but changes what the
   weights mean, add its name to `meaning` in risei_published_differs in >>agent. Then
   rise_agent_publish refuses a play_only agent with another value.

   Test: tests/rules.c sets every field from text, reads it back, and checks that values outside the
   range are refused, without an edit. Test what the field does where its code is tested.
   tests/files.c loads the sample files of all earlier revisions. Before the release, add a sample
   file with another value than the default: see "Sample files" there.

   FILE POLICY. Every release reads all files of earlier releases from file version 7 on. Files of
   versions 1 to 6 are from before release 0.1 and are refused. The description in a file is text
   with one line field=value for each field, as rise_agent_describe writes and rise_agent_set reads.
   The first line of the text is the revision of the list of fields.

       description=1
       memory=rise
       window=21

   A file may be older than a field. The field then gets the value that gives the old behaviour. An
   unknown field is an error that names the field. RISE_NEWER_FILE means that a newer rise.h wrote
   the file. A line that begins with '?' is optional: a reader that does not know the field ignores
   the line.

   `machine` can change the field players. `machine` can switch background on (1) or off (-1), and 0
   keeps the file's value. With play_only, the file's value of background counts as 0. `machine` can
   change environments if no replay buffer is loaded. `machine` also has the fields that files do
   not hold: see rise_agent_read.

   Another field that decides the shape of arrays, such as frame size, actions, window, units or
   head, must be 0 or agree with the file. If not, the result is RISE_MISMATCH, and the error
   sentence names the field. Fields such as learning_rate and replay_capacity are ignored: the agent
   keeps the values of the file, and no call changes them.

       rise_agent_desc machine = {0};
       machine.environments = 4; // RISE_MISMATCH, if the file's replay buffer has 8
       result = rise_agent_load(&agent, "run.rise", &machine, &error);

   MACROS. One file, the implementation, must define RISE_IMPLEMENTATION. Other macros are optional.

       macro                 seen by              meaning
       RISE_IMPLEMENTATION   one file             compiles the function bodies
       RISE_STATIC           every file           all functions are static; each file that calls
                                                  them also defines RISE_IMPLEMENTATION
       RISE_NO_STDIO         every file           no FILE functions: save through rise_agent_write;
                                                  RISE_EMBED_RESNET18 is then RISE_UNAVAILABLE
       RISE_NO_SIMD          the implementation   no kernels for AVX2, AVX-512 and NEON
       RISE_NO_AVX512        the implementation   no AVX-512 kernels; RISE_ISA_AUTO is then at most
                                                  RISE_ISA_AVX2
       RISE_NO_PRETRAINED    the implementation   leaves out the ResNet-18: RISE_EMBED_RESNET18 is
                                                  then RISE_UNAVAILABLE
       RISE_NO_ENCODERS      the implementation   the same for all frozen encoders but DOWNSAMPLE
                                                  and SIGNS (see RISE_EMBED_AUTO)
       RISE_NO_RAINBOW       the implementation   the same for the heads C51 and IQN, noisy and
                                                  spectral_norm
       RISE_PLAY_ONLY        every file           agents only play: see HOW TO: A SMALL PLAYER.
                                                  Implies RISE_NO_STDIO and RISE_NO_PRETRAINED.
                                                  Not with RISE_THREADS or RISE_DOUBLE
       RISE_THREADS          the implementation   desc.threads may be more than 1 and
                                                  desc.background 1 (POSIX: compile with -pthread)
       RISE_SELF             the implementation   the name by which this file includes itself
                                                  ["rise.h"]
       RISE_DOUBLE           every file           for tests alone: all numbers are double, and only
                                                  the reference kernels exist

   HISTORY.

       0.1   The first version. */

#ifndef RISEK_PASS /* everything but the kernel template, which is at the bottom of the file */

#ifndef RISE_H
#define RISE_H

#include <stddef.h>
#include <stdint.h>

/* RISE_PLAY_ONLY leaves out the FILE functions, and ResNet-18, which reads its weights from a file.
   RISE_NO_ENCODERS leaves out ResNet-18, too. */
#ifdef RISE_PLAY_ONLY
#undef RISE_NO_STDIO
#define RISE_NO_STDIO
#undef RISE_NO_PRETRAINED
#define RISE_NO_PRETRAINED
#endif
#if defined(RISE_NO_ENCODERS) && !defined(RISE_NO_PRETRAINED)
#define RISE_NO_PRETRAINED
#endif

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

/* The floating-point type of the library. Only tests define RISE_DOUBLE. tests/gradients.c compiles
   this file in double, with the `ref` kernels alone, and checks every backward pass against central
   differences. */
#ifdef RISE_DOUBLE
typedef double rise_real;
#else
typedef float rise_real;
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>api-results: result codes and error sentences */

/* The result codes. Zero is success, errors are negative. rise_agent_step, rise_agent_play and
   rise_agent_learn_for return an int: an action or a number of updates, or a negative code. */
#define RISE_RESULTS(X)                                                                            \
    X(RISE_OK, 0, "no error")                                                                      \
    X(RISE_BAD_DESC, -1, "a field of the description has a value that is not allowed")             \
    X(RISE_BAD_CALL, -2, "an argument or the order of the calls is wrong")                         \
    X(RISE_NO_MEMORY, -3, "there is not enough memory, or memory_block is too small")              \
    X(RISE_UNAVAILABLE, -4, "this machine, build or process cannot do what was asked for")         \
    X(RISE_NOT_FINITE, -5, "a number is NaN or infinite")                                          \
    X(RISE_IO, -6, "a file could not be opened, read or written")                                  \
    X(RISE_BAD_FILE, -7, "the file is damaged or was not written by rise.h")                       \
    X(RISE_NEWER_FILE, -8, "the file was written by a newer version of rise.h")                    \
    X(RISE_MISMATCH, -9, "a file or an agent does not match what was asked for")                   \
    X(RISE_BROKEN, -10, "the compiler, its flags or the processor compute wrong results")

typedef enum rise_result {
#define RISE_RESULT_ENUM(name, value, text) name = value,
    RISE_RESULTS(RISE_RESULT_ENUM) RISE_RESULT_LAST = -11 /* ends the list, is no result */
#undef RISE_RESULT_ENUM
} rise_result;

/* Receives the reason for a failure. `text` is one sentence, zero-terminated. The sentence names
   the field, the path or the offset and, if there is one, the remedy. A call that succeeds does not
   change the struct. */
typedef struct rise_error {
    rise_result result;
#ifdef RISE_PLAY_ONLY
    char text[1]; /* empty */
#else
    char text[240];
#endif
} rise_error;

#ifdef RISE_PLAY_ONLY
/* With RISE_PLAY_ONLY, a rise_error is smaller. So the functions that take or return a rise_error
   have symbols of their own. A file that calls one of them links only with an implementation that
   has the same RISE_PLAY_ONLY. With equal symbols, an implementation without RISE_PLAY_ONLY could
   write a sentence into the caller's `text` of one byte. */
#define rise_agent_error rise_agent_error_play_only
#define rise_agent_open rise_agent_open_play_only
#define rise_agent_open_bytes rise_agent_open_bytes_play_only
#define rise_agent_read rise_agent_read_play_only
#define rise_frame_shrink rise_frame_shrink_play_only
#endif

/* Returns the meaning of a result code as a constant string. Never NULL. */
RISE_API const char *rise_result_text(rise_result result);

#ifndef RISE_PLAY_ONLY
/* Returns error->text. Returns "" if `error` is NULL. For bindings, which know no struct. */
RISE_API const char *rise_error_text(const rise_error *error);
#endif

/* Returns the version of the implementation, such as "0.1.0". */
RISE_API const char *rise_version(void);

#ifndef RISE_PLAY_ONLY
/* Returns the size in bytes of the struct `type`: "rise_agent_desc", "rise_metrics" or
   "rise_error". Returns 0 for other names. So a binding can allocate structs without knowing their
   members. */
RISE_API size_t rise_size_of(const char *type);
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>api-desc: the description of an agent, every field with its default and most with a range */

/* The instruction set of the kernels. REF, AVX2, AVX512, NEON on 64-bit ARM and NEON with VFPv4
   give the same bits, but NEON on 32-bit ARM replaces denormals by 0. C gives these bits, too, if
   the compiler may use fused multiply-add instructions; if not, C rounds each product before it
   adds. See SAME BITS in the manual. */
typedef enum rise_isa {
    RISE_ISA_AUTO,   /* the fastest that this build and machine have */
    RISE_ISA_REF,    /* plain loops: slow, but the same bits on every machine */
    RISE_ISA_C,      /* plain C */
    RISE_ISA_AVX2,   /* x86-64 with AVX2, FMA and F16C */
    RISE_ISA_AVX512, /* the same with AVX-512F */
    RISE_ISA_NEON    /* ARM */
} rise_isa;

/* The memory of the agent. The other parts of the agent are the same for all values. */
typedef enum rise_memory {
    /* the conv net sees the newest frames; a recurrent net runs over stored embeddings of the
       frames of the window (Clark, Evers, Hare 2025) */
    RISE_MEMORY_RISE,
    RISE_MEMORY_NONE, /* no recurrent net */
    /* the recurrent net runs over conv features of every frame of the window; several times
       slower */
    RISE_MEMORY_FULL,
    RISE_MEMORY_COUNT /* the number of values above */
} rise_memory;

/* The recurrent cell. */
typedef enum rise_cell {
    /* the GRU: it scored as well as the LSTM, and an update took 0.9 of the time
       (bench/README.md) */
    RISE_CELL_AUTO,
    RISE_CELL_LSTM, /* Hochreiter & Schmidhuber 1997, with forget gate */
    RISE_CELL_GRU,  /* Cho et al. 2014 */
    /* Feng et al. 2024, with tanh on the candidate. Gate and candidate depend on the input alone,
       so no matrix product depends on the previous state. Compared with the GRU, an update took
       0.7 of the time, and the score was a little lower (bench/README.md). */
    RISE_CELL_MINGRU,
    RISE_CELL_COUNT /* the number of values above */
} rise_cell;

/* How the context c (the recurrent state times context_scale) joins the features f (the output of
   the learnable encoder). W and b are learned. */
typedef enum rise_fusion {
    RISE_FUSION_CONCAT, /* [f; c] */
    RISE_FUSION_GATE,   /* f * sigmoid(W c + b) */
    RISE_FUSION_SUM     /* f + W c + b */
} rise_fusion;

/* The frozen encoder of RISE: a function of one frame that does not learn. */
typedef enum rise_embedding {
    /* DOWNSAMPLE. Before release 0.1, AUTO chose SIGNS if a side of the frame had more than 32
       pixels. To load a file of such an agent with a resolved `machine`, set SIGNS before you
       resolve `machine`. Also set SIGNS in a learner that publishes to a play_only agent loaded
       from such a file.

       Why DOWNSAMPLE: each number of a random projection depends on all pixels. So an object of few
       pixels changes each number little. In DOWNSAMPLE, the object changes only the numbers of the
       cells that contain a part of it. If a cell seldom contains the object, standardisation makes
       the change of its number large. In Breakout with half of the frames black, RISE scores about
       twice as much with DOWNSAMPLE as with SIGNS, both with context_decay = -1
       (bench/atari.md). */
    RISE_EMBED_AUTO,
    /* random projection by signs: stores no weights, takes n log n additions for n inputs, exact in
       integers (see rise_sign). A frame has at most 2^31 / 255 bytes, about 8.4 million. */
    RISE_EMBED_SIGNS,
    RISE_EMBED_GAUSSIAN, /* dense Gaussian random projection */
    /* sparse random projection (Achlioptas 2003): weights are sqrt(3), 0 and -sqrt(3) with
       probabilities 1/6, 2/3 and 1/6 */
    RISE_EMBED_SPARSE,
    /* conv net of the learnable encoder's shape with fixed random weights, then a dense layer to
       embedding_size */
    RISE_EMBED_CONV,
    RISE_EMBED_DOWNSAMPLE, /* a small image: the mean of each cell of a grid */
    RISE_EMBED_USER,       /* desc.embed_fn */
    /* ResNet-18 before its last layer, weights from desc.embedding_file: see A PRETRAINED ENCODER
       in the manual */
    RISE_EMBED_RESNET18,
    /* like CONV, but reads the frame repeated frame_stack times. A snapshot (rise_agent_snapshot or
       snapshot_steps) copies the agent's conv layers into the frozen encoder */
    RISE_EMBED_SNAPSHOT,
    RISE_EMBED_COUNT /* the number of values above */
} rise_embedding;

/* The conv net of the learnable encoder. */
typedef enum rise_network {
    /* SMALL if a side of the frame has fewer than 36 pixels, else NATURE */
    RISE_NETWORK_AUTO,
    RISE_NETWORK_SMALL,  /* one conv layer, 16 filters of 3 x 3 (Young & Tian 2019), dense 128 */
    RISE_NETWORK_NATURE, /* three conv layers (Mnih et al. 2015) */
    RISE_NETWORK_CUSTOM, /* desc.conv */
    /* three blocks of a conv, a max pool and two residual units (Espeholt et al. 2018); then a max
       pool to 6 x 6 (Clark et al. 2024) */
    RISE_NETWORK_IMPALA
} rise_network;

/* What the network predicts for each action. */
typedef enum rise_head {
    RISE_HEAD_MEAN, /* the expected return */
    RISE_HEAD_C51,  /* the probabilities of `atoms` fixed returns (Bellemare et al. 2017) */
    /* quantiles of the return, at fractions that are drawn anew for each update (Dabney et al.
       2018); acting uses evenly spaced fractions */
    RISE_HEAD_IQN,
    RISE_HEAD_COUNT /* the number of values above */
} rise_head;

/* One conv layer: a convolution, a ReLU, then an optional max pool. The weights are
   [size][size][in][filters]. A residual unit computes x + conv(ReLU(conv(ReLU(x)))) with two
   convolutions of 3 x 3. A layer with residual units has no ReLU before the max pool. If the last
   layer has residual units, a ReLU follows them. */
typedef struct rise_conv {
    int filters,     /* 1..1024 */
        size;        /* kernel size, size x size pixels, 1..64 */
    int stride;      /* of the convolution, 1..64; 0 means 1 */
    int pad;         /* padding: zeros on each side, 0..32 */
    int pool;        /* kernel size of the max pool, up to 64; 0: no pool */
    int pool_stride; /* up to 64; 0: as `pool` */
    /* padding on each side of the max pool, less than `pool`; the maximum ignores padding */
    int pool_pad;
    int residual; /* residual units after the layer, 0..4 */
} rise_conv;

#define RISE_MAX_CONV 8

/* Embeds one frame. `frame` is [height][width][channels] bytes, rows from top to bottom. Writes
   `embedding` [size], where `size` is embedding_size. The result must depend on the frame alone,
   because stored frames are embedded again, for example when a file is loaded. If a number is NaN
   or infinite, the call that passed the frame returns RISE_NOT_FINITE. */
typedef void (*rise_embed_fn)(void *user, const uint8_t *frame, float *embedding, int size);

/* Receives one line of text without a newline. `text` is valid during the call. rise_agent_describe
   passes one line for each field. desc.log_fn receives a line when an agent is made, when learning
   starts, and at the first mention of each rise_advice. desc.log_fn receives one more line if a
   loaded file was written by kernels with another `fused`. rise_agent_metrics gives the
   progress. */
typedef void (*rise_log_fn)(void *user, const char *text);

/* Returns the seconds since any fixed moment. The function is called when an agent is made or
   loaded, by every 64th call that steps environments, and after some thousand steps. In a play_only
   agent, every 64th call that plays calls the function, too. Without background, calls that do
   updates call the function. With background, calls that wait for the library's thread call the
   function, to measure metrics.waited. The library's thread never calls the function, so
   metrics.update_time then stays 0. A clock that counts in milliseconds is good enough. With
   RISE_PLAY_ONLY, the function is never called. */
typedef double (*rise_clock_fn)(void *user);

/* Replaces each of `count` numbers by the sum of this number over all processes. Every process must
   get the same sums, to the bit. Each update calls the function once, between the gradient and
   Adam. The library also calls the function when learning starts, and in each snapshot. The
   function must wait until all processes have called it. Returns 0, or another number if a process
   cannot be reached. Then this update and all further ones fail. With background, the library's
   thread calls the function. */
typedef int (*rise_reduce_fn)(void *user, rise_real *numbers, size_t count);

/* The description of an agent. Start from a struct of zeros and set what you want. Zero means the
   default, which stands in [brackets]. In some fields, -1 stands for a useful value such as 0 or
   "none", because 0 means the default. The comment of such a field says "negative" or -1. Numbers
   below -1 are refused in these fields. rise_agent_resolve fills in the defaults. Defaults "for
   SMALL" are those of the resolved `network` SMALL, and of CUSTOM if a side of the frame has fewer
   than 36 pixels. */
typedef struct rise_agent_desc {
    /* what the agent sees and does */

    int frame_width,  /* pixels, 1..1024 (required; 0 for an agent that sees only numbers) */
        frame_height; /* pixels, 1..1024 (required; 0 for an agent that sees only numbers) */
    /* bytes a pixel, 1..16 [1] */
    int frame_channels;
    /* newest frames that the conv net sees, 1..16 [4]; before an episode's first frame, that frame
       is repeated. The network also sees the numbers of the newest frame_stack observations. */
    int frame_stack;
    /* floats in each observation, 0..1024 [0]; above 0, frame_width and frame_height may be 0 */
    int numbers;
    /* size of the dense layer that makes features of the numbers, 1..8192 [64; without frames
       128] */
    int number_features;
    /* number of actions, 1..256 (required) */
    int actions;
    /* 1: the caller passes the allowed actions to rise_agent_step_all [0] */
    int action_masks;
    /* games that step together in one call, 1..4096 [1] */
    int environments;
    /* The last `demonstrators` environments are demonstrators. The agent never chooses an action
       there. The steps come from rise_agent_observe and are demonstrations. Only newer
       demonstrations of the same environment overwrite them. 0..environments [0] */
    int demonstrators;
    /* characters that rise_agent_play chooses actions for, 1..4096 [1] */
    int players;
    /* 1: the agent plays and does not learn; no replay buffer and no optimizer, so little memory
       [0] */
    int play_only;
    /* bits of a layer's weight: 32, or 8 in a policy that was saved as RISE_SAVE_INT8 (with
       play_only) [32] */
    int weight_bits;

    /* memory */

    rise_memory memory; /* [RISE] */
    /* frames that the recurrent net is unrolled over, 1..1024 [16] */
    int window;
    /* consecutive transitions that are trained on one window and share its cost; divides batch,
       1..64 [1]. The window then has window + window_samples - 1 frames. NONE ignores this field,
       window_stride and stored_state. */
    int window_samples;
    /* a window may end at every window_stride-th step of an episode, and at the last step;
       1..window_samples [1] */
    int window_stride;
    /* first steps of a window through which no gradient flows, less than window [0] */
    int burn_in;
    /* 1: a window begins with the recurrent state that acting had there, kept in the replay buffer;
       0: with zeros. 1 needs carry_state (Kapturowski et al. 2019) [0]. With RISE, states from
       before learning started or before a snapshot came from other embeddings. They are wrong
       until newer frames overwrite them. */
    int stored_state;
    rise_cell cell; /* [AUTO: GRU] */
    /* size of the recurrent state, 1..4096 [32 for SMALL, else 512]. In 15 small games, 32 units
       scored as much as 64 and took 0.57 of the time (bench/README.md). */
    int recurrent_units;
    rise_fusion fusion; /* [CONCAT] */
    /* Factor on the recurrent state before the fusion, 1e-6..100. Inputs with larger
       variance dominate early learning. With standardised frames, features and state have similar
       variances from the start. With raw_frames, the features of large frames have a far smaller
       variance at first. [1; with raw_frames, RISE: 0.5 for frames up to 32x32, 0.05 for larger] */
    double context_scale;
    /* 0: acting unrolls the window again at each step, as learning does. 1: acting keeps the state
       from the start of the episode on, which is cheaper. Both give the same Q while the episode is
       not longer than the window and no update changes the weights. [0] */
    int carry_state;
    /* 1: the previous action (one-hot) and reward also enter the recurrent net [0] */
    int feed_action;

    /* the frozen encoder (RISE only) */

    rise_embedding embedding; /* [AUTO: DOWNSAMPLE] */
    /* floats, 1..8192 [64 for SMALL, else 512; 512 for RESNET18]. DOWNSAMPLE uses the largest grid
       that fits and lowers this field to columns * rows * frame_channels. The grid is square,
       unless it would have more columns or rows than the frame has pixels. Each number gets the
       variance min(1, max(64, recurrent_units) / embedding_size). So the variances add up to at
       most max(64, recurrent_units). */
    int embedding_size;
    /* SIGNS, GAUSSIAN and SPARSE: side, in pixels, of the squares that are averaged before the
       projection, 1..64 [the smallest that leaves at most 1024 squares] */
    int embedding_pool;
    /* SNAPSHOT: steps from learn_start to the automatic snapshot; 0: there is none [0]. The
       snapshot begins once, at the first update after these steps (with several processes, one
       update later). After a snapshot of rise_agent_snapshot, there is no automatic one. */
    int snapshot_steps;
    /* 0: embeddings and states are stored as 16-bit floats; 1: as 32-bit floats [0] */
    int embedding_f32;
    /* for RISE_EMBED_USER; called on the thread that calls the library or, with background, on the
       library's thread, but never on both at once */
    rise_embed_fn embed_fn;
    void *embed_user;
    /* for RISE_EMBED_RESNET18: path of a .safetensors file, read when the agent is made */
    const char *embedding_file;

    /* the learnable network */

    /* The number that the learnable encoder, CONV and SNAPSHOT read for a pixel. 1: pixel / 255. 0:
       pixel / 255 until learning starts, then (pixel - mean) / sigma, clamped to -8..8. `mean` is
       the mean of this pixel over all frames before learning started, rounded to an integer. So a
       pixel that never changes becomes 0. `sigma` is the same for all pixels: the square root of
       the mean variance of a pixel, but at least 255 / 64. With 0, conv layers after the first also
       begin with larger weights. [0] */
    int raw_frames;
    rise_network network; /* [AUTO] */
    /* CUSTOM: layers used of conv[], 1..8 */
    int conv_count;
    rise_conv conv[RISE_MAX_CONV];
    /* IMPALA: factor on the filters of its three layers, 16, 32 and 32; 1..16 [2] */
    int network_width;
    /* a max pool after the last conv layer: height and width of its output, up to 64; negative: no
       such pool [6 for IMPALA, else none] */
    int pool_to;
    /* 1: the weights of residual units are divided by an estimate of their largest singular value
       (Miyato et al. 2018). Each update does one power iteration, which usually improves the
       estimate. [0] */
    int spectral_norm;
    /* units of a dense ReLU layer after the conv layers, up to 8192; negative: none
       [128 for SMALL, else none] */
    int features;
    /* hidden units of each value head, 1..8192 [64 for SMALL, else 512] */
    int head_units;
    /* 1: one head instead of value and advantage (Wang et al. 2016) [0] */
    int no_dueling;
    /* 1: LayerNorm on what enters the heads [0] */
    int layer_norm;
    /* 1: exploration by factorised noise in the heads' weights, drawn again for each update
       (Fortunato et al. 2018) [0] */
    int noisy;
    rise_head head; /* [MEAN] */
    /* C51: number of returns, 2..256 [51], equally spaced from value_min to value_max */
    int atoms;
    double value_min, /* [-10; 0 if value_max is above 0] */
        value_max;    /* [10; 0 if value_min is below 0] */
    /* IQN: fractions drawn for a state, 1..256 [8] */
    int quantiles;

    /* learning */

    /* transitions in each update, 1..4096 [32] */
    int batch;
    /* An update computes the gradients of `batch_parts` equal parts of the batch, one after
       another, and adds them up. Then rise_agent_learn_for can stop after each part, and the
       activations of a large batch take less memory. With many parts, an update takes longer. Each
       part is drawn from the whole replay buffer and has importance weights of its own.
       batch_parts * window_samples divides batch. 1..4096 [with learn_outside, but neither
       background nor several processes: 4, if 4 * window_samples divides batch; else 1] */
    int batch_parts;
    /* rewards before the bootstrap, 1..64 [3] */
    int n_step;
    /* factor on a reward for each step that it is later, 1e-6..1 [0.99] */
    double discount;
    double learning_rate; /* up to 1 [1e-3 for SMALL, else 1e-4] */
    /* steps after learn_start over which the learning rate falls linearly to a tenth; 0: never
       [0] */
    int learning_rate_steps;
    /* Weight decay of the weights that multiply the context, up to 1. Negative: these weights are
       random at first, as other weights are, and do not decay. Above 0: these weights are 0 in a
       new agent, so Q does not depend on the context at first. (Fixup does the same in residual
       branches: Zhang, Dauphin and Ma 2019.) Each update then multiplies these weights by 1 -
       context_decay * rate / learning_rate (Loshchilov and Hutter 2019). Here `rate` is the current
       learning rate. With `noisy`, the sigmas neither begin at 0 nor decay. With layer_norm and
       CONCAT, the context always changes the mean and the variance that normalise the features.
       Measurements: bench/README.md (Large frames) and bench/atari.md. In files from before
       release 0.1 that lack this field, context_decay is -1. [RISE: 1e-4; FULL: none] */
    double context_decay;
    /* added to the denominator of Adam, up to 1 [0.005 / (batch * processes)] */
    double adam_epsilon;
    /* largest global norm of the gradient; negative: no clipping [10] */
    double gradient_clip;
    /* 1: the target network, not the online network, chooses the next action (no double Q-learning,
       van Hasselt et al. 2016) [0] */
    int no_double;
    /* updates, not steps, between copies to the target network [100 for SMALL, else 2000] */
    int target_period;
    /* how far a copy moves the target weights towards the online weights, 1e-6..1 [1: all the
       way] */
    double target_rate;
    /* 1: adds the scaled log-policy to the reward (Vieillard et al. 2020). Not with C51 or
       value_rescale. [0] */
    int munchausen;
    /* factor on max(-1, temperature * log-policy), up to 1; negative: 0 [0.9] */
    double munchausen_scale;
    /* munchausen: the policy is softmax(Q / temperature), 1e-6..1e6 [0.03] */
    double temperature;
    /* 1: the heads predict h(Q) instead of Q, with h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x
       (Pohlen et al. 2018). rise_agent_values and rise_metrics then give h(Q), too. Not with C51 or
       munchausen. [0] */
    int value_rescale;
    /* demonstrators: factor on the large-margin loss of demonstrations (Hester et al. 2018), up to
       1e6; negative: 0 [1] */
    double demonstration_weight;
    /* demonstrators: the margin of this loss, up to 1e6; negative: 0 [0.8]. The loss is 0 once Q of
       the demonstrated action exceeds Q of every other allowed action by the margin. */
    double demonstration_margin;
    /* frames kept, all environments together [50000 for SMALL, else 200000] */
    int replay_capacity;
    /* steps before learning starts; batch..replay_capacity [1000 for SMALL, else 20000]. Several
       processes need at least environments * (n_step + window_stride). */
    int learn_start;
    /* steps for each update, counted over all environments [4]. A smaller value uses more time,
       does not always learn more, and may make learning unstable. */
    int learn_period;
    /* 1: rise_agent_step never learns; call rise_agent_learn or rise_agent_learn_for [0] */
    int learn_outside;
    /* 1: a thread of the library computes updates while the agent acts; needs RISE_THREADS. The
       weights of an update take effect in the call in which the next update is due. They take
       effect earlier if rise_agent_learn_for finds them ready. rise_agent_learn and
       rise_agent_parameters put them into effect, too. See LEARNING IN THE BACKGROUND in the
       manual. 0 or -1: no such thread. When a file is loaded, 0 keeps the file's value, and 1 or -1
       replaces that value. rise_agent_resolve changes -1 to 0, so set -1 after it. With play_only,
       the file's value is ignored, and 1 has another meaning: see rise_agent_publish. [0] */
    int background;
    /* of prioritised replay (Schaul et al. 2016), up to 1; negative: uniform replay [0.5] */
    double priority_exponent;
    /* 0: each sample's priority comes from its own error. Above 0, up to 1: the priority at a
       window's end comes from mix * max + (1 - mix) * mean. Here max and mean are over the errors
       of the window's samples (Kapturowski et al. 2019). Each earlier sample of the window that can
       be drawn itself gets the priority of its own error. [0] */
    double priority_mix;
    /* of the importance weights, up to 1; negative: no correction [0.4] */
    double importance_exponent;
    /* share of random actions until learn_start; negative: none [1] */
    double epsilon_start;
    /* share of random actions in the end; negative: none [0.05 for SMALL, else 0.01] */
    double epsilon_end;
    /* steps after learn_start over which the share moves linearly from start to end
       [10000 for SMALL, else 250000] */
    int epsilon_steps;
    /* all random numbers of the agent derive from the seed; 0 is a seed like any other */
    uint64_t seed;

    /* the machine */

    rise_isa isa; /* [AUTO] */
    /* threads that compute, the caller's among them, 1..64 [1]; more than 1 needs RISE_THREADS.
       With background, they compute updates, and acting uses the caller's thread alone. */
    int threads;
    /* Processes that learn together, 1..4096 [1], and the number of this one, 0..processes - 1.
       More than 1 needs reduce_fn. See HOW TO: SEVERAL MACHINES in the manual. */
    int processes, process;
    rise_reduce_fn reduce_fn; /* NULL: this process learns alone */
    void *reduce_user;
    /* play_only: the agent's weights, in the order of rise_agent_parameters. The agent reads this
       array in place, so the array must stay valid and unchanged. Its length is
       rise_metrics.parameters. With spectral_norm or 8-bit weights the length is another one: call
       rise_agent_open, which finds the weights in the file. Only the load functions read how inputs
       are standardised: after rise_agent_create, inputs are raw. NULL: the agent has its own
       weights. */
    const rise_real *weights;
    /* NULL: the library calls calloc once when the agent is made (not with RISE_PLAY_ONLY: a block
       is required). Otherwise: the caller's block of memory_bytes bytes, at any alignment, which
       must outlive the agent. */
    void *memory_block;
    /* size of memory_block; without a block, the most that may be allocated [no limit] */
    size_t memory_bytes;
    /* NULL: silent */
    rise_log_fn log_fn;
    void *log_user;
    /* NULL: the library reads a clock. Windows: QueryPerformanceCounter. Unix and macOS:
       CLOCK_MONOTONIC, if <time.h> declares this name or the system is 64-bit Linux. Elsewhere:
       timespec_get (C11) or, without timespec_get, clock(), which is processor time. */
    rise_clock_fn clock_fn;
    void *clock_user;
} rise_agent_desc;

/* ---------------------------------------------------------------------------------------------- */
/* >>api-agent: create, step, play, learn, save */

/* An agent. Pass only agents that this library made. Use an agent from one thread at a time.

   If a pointer that a function of this section needs is NULL, the function does nothing. Then the
   function returns RISE_BAD_CALL or, if it returns a pointer or a size, NULL or 0. `error` may
   always be NULL. */
typedef struct rise_agent rise_agent;

/* Says whether a frame begins, continues or ends its episode. The reward that comes with a frame is
   the reward of the previous action. */
typedef enum rise_event {
    RISE_FIRST,      /* the first frame of an episode; its reward is ignored */
    RISE_MIDDLE,     /* any frame between the first and the last */
    RISE_TERMINATED, /* the last frame: the game is over, nothing follows (no bootstrap) */
    /* the last frame: the episode was cut, the game would have gone on (bootstrap) */
    RISE_TRUNCATED,
    /* no frame: the environment or player takes no part in this call, and its action is 0. The
       frame, numbers, reward and mask are not read. But the pointer to the frame must not be NULL
       if the agent sees frames. The pointer to the numbers must not be NULL if desc.numbers is
       above 0. The next frame continues the episode, as if no time had passed, or is RISE_FIRST. */
    RISE_ABSENT
} rise_event;

#ifndef RISE_PLAY_ONLY
/* Agents from the literature, set up for Atari at 84 x 84. Most values are those of the papers. The
   values of DQN are those of the DQN with Adam in Dopamine (Castro et al. 2018). A preset does not
   set the frame, the actions, `memory` or the fields of the machine. */
typedef enum rise_preset {
    /* Mnih et al. 2015: one step, uniform replay, no dueling, no double */
    RISE_PRESET_DQN,
    /* Hessel et al. 2018: C51, noisy, double, dueling, three steps, prioritised replay */
    RISE_PRESET_RAINBOW,
    /* Clark et al. 2024: IQN, IMPALA, Munchausen, spectral_norm, noisy, 64 environments */
    RISE_PRESET_BTR,
    /* Kapturowski et al. 2019: stored states, burn-in, sequences of 80 steps that overlap by half
       (window 41, window_samples 40), rescaled values. The authors' agent has RISE_MEMORY_FULL.
       With the batch of 2560, an agent for frames of 84 x 84 takes 11 GB. A smaller batch takes
       less; it must be a multiple of 40. */
    RISE_PRESET_R2D2,
    RISE_PRESET_COUNT /* the number of values above */
} rise_preset;

/* Sets each field of `desc` that is zero to the preset's value, where the preset has one. Other
   fields keep your values. To keep the default of a field, set the field to zero after this
   call. Returns RISE_BAD_CALL if `preset` is none of rise_preset. */
RISE_API rise_result rise_agent_preset(rise_agent_desc *desc, rise_preset preset);

/* Sets one field from text such as a program's argument: "batch=64", "memory=full",
   "conv[1].filters=32". Values of enumerations are their names in small letters. All fields can be
   set, except embedding_file, the callbacks and their user pointers, and the fields under "the
   machine" in rise_agent_desc. Returns RISE_BAD_DESC for an unknown field or value, and `error`
   names the field. Does not check ranges: rise_agent_resolve does. `error` may be NULL. */
RISE_API rise_result rise_agent_set(rise_agent_desc *desc, const char *text, rise_error *error);

/* Calls `fn` with "field=value" for every field that rise_agent_set can set, in the form that
   rise_agent_set reads. Of conv[], passes only the first conv_count layers. Numbers have 15
   significant digits, or 17 if 15 would not read back as the same number. */
RISE_API void rise_agent_describe(const rise_agent_desc *desc, rise_log_fn fn, void *user);

/* Fills in every default of `desc` and checks every field. Returns RISE_BAD_DESC if a field is
   wrong, and RISE_UNAVAILABLE if a macro such as RISE_NO_RAINBOW leaves out what a field asks for.
   Then `error` names the field, and `desc` stays as it was. Only the functions that make or load an
   agent check whether this build and machine have isa, threads and background. Only these functions
   refuse RESNET18 with RISE_NO_PRETRAINED or RISE_NO_STDIO, unless RISE_NO_ENCODERS is defined. */
RISE_API rise_result rise_agent_resolve(rise_agent_desc *desc, rise_error *error);

/* Returns the bytes that an agent of this description occupies: weights, scratch, replay buffer,
   everything. Returns 0 if the description is wrong or the size is above PTRDIFF_MAX. Allocates
   nothing. `error` may be NULL. */
RISE_API size_t rise_agent_bytes(const rise_agent_desc *desc, rise_error *error);

/* Makes an agent, with one calloc or in desc->memory_block. Copies `desc`. On failure *agent is
   NULL, and the result is RISE_BAD_DESC, RISE_BAD_CALL, RISE_NO_MEMORY, RISE_UNAVAILABLE or an
   error of reading embedding_file. `error` may be NULL. Only this function, rise_agent_read,
   rise_agent_open, rise_agent_load and rise_self_test allocate memory. */
RISE_API rise_result rise_agent_create(rise_agent **agent, const rise_agent_desc *desc,
                                       rise_error *error);
#endif

/* Ends the agent's threads and frees the memory that the library allocated for the agent, never
   memory_block. Accepts NULL. */
RISE_API void rise_agent_destroy(rise_agent *agent);

#ifndef RISE_PLAY_ONLY
/* Does one step of one game. desc.environments must be 1 and desc.action_masks 0. A play_only agent
   is refused with RISE_BAD_CALL: use rise_agent_play. `frame` is [height][width][channels] bytes
   and is copied. `reward` is the reward of the previous action, a finite number; at RISE_FIRST it
   is not read. Returns the action to play, 0..actions-1, or a negative rise_result.

   On the last frame of an episode the return value is 0 and has no meaning; the next frame must be
   RISE_FIRST. RISE_FIRST in the middle of an episode truncates that episode at its previous frame.

   Also does the updates that are due, unless desc.learn_outside is 1. If an error comes from
   learning (see rise_agent_step_all), the step was taken, but its action is not returned. */
RISE_API int rise_agent_step(rise_agent *agent, const uint8_t *frame, float reward,
                             rise_event event);

/* The same for an agent with desc.numbers above 0. `numbers` is [numbers] and is copied. A number
   that is NaN or infinite is refused with RISE_NOT_FINITE. `frame` must be NULL if desc.frame_width
   is 0. */
RISE_API int rise_agent_step_numbers(rise_agent *agent, const uint8_t *frame, const float *numbers,
                                     float reward, rise_event event);

/* Does one step of all environments. `frames` is [environments][height][width][channels], `numbers`
   is [environments][numbers], `rewards` and `events` are [environments]. Writes `actions`
   [environments], with 0 where the episode is over. Keeps no pointer to the arrays.

   `frames` must be NULL if desc.frame_width is 0, and `numbers` if desc.numbers is 0.

   `allowed` is [environments][actions] bytes, nonzero where the action may be taken. With
   desc.action_masks, `allowed` is required. Otherwise `allowed` must be NULL. The mask of each
   environment must allow at least one action, also at RISE_TRUNCATED, where the target bootstraps.
   At RISE_TERMINATED the mask may be all zero.

   A refused call changes nothing. Two errors are not refusals, but come from learning, after the
   step was taken and `actions` was written. One is RISE_NOT_FINITE about a weight, loss or
   gradient. The other is RISE_UNAVAILABLE after reduce_fn failed or after fork (see THREADS). With
   background, both are errors of an earlier update. */
RISE_API rise_result rise_agent_step_all(rise_agent *agent, const uint8_t *frames,
                                         const float *numbers, const float *rewards,
                                         const rise_event *events, const uint8_t *allowed,
                                         int *actions);

/* Does one step of all environments, like rise_agent_step_all, but the caller can pass actions. A
   person, a script, another agent or a log may have chosen these actions. `actions` [environments]
   is input and output. An element of 0..actions-1 is the action that was taken at this frame. With
   desc.action_masks, the mask must allow this action. If the element is -1, the agent chooses the
   action and writes the action to the element. So set -1 again before the next call. On the last
   frame of an episode and with RISE_ABSENT, the element is not read, and 0 is written.

   The agent learns from these steps as from its own. Steps of the last desc.demonstrators
   environments are demonstrations, too: an update also raises Q of the demonstrated action above Q
   of the others. In these environments, -1 is refused where the element is read. In
   rise_agent_step_all, each demonstrator must be absent or at the last frame of an episode.
   metrics.mean_return and metrics.episodes do not count demonstrations. metrics.steps and
   metrics.mean_length do. */
RISE_API rise_result rise_agent_observe(rise_agent *agent, const uint8_t *frames,
                                        const float *numbers, const float *rewards,
                                        const rise_event *events, const uint8_t *allowed,
                                        int *actions);
#endif

/* Returns the action of player `player` (0..players-1), or a negative rise_result. The action is
   greedy, unless rise_agent_set_player chose otherwise. Does not change what training uses: replay
   buffer, random streams, episodes and weights. `frame` is [height][width][channels]. `reward` is
   used only with desc.feed_action, but must be finite, except at RISE_FIRST. `allowed` is [actions]
   bytes, nonzero where the action may be taken, or NULL for all, with or without desc.action_masks.
   Except at RISE_TERMINATED, `allowed` must allow at least one action.

   An episode begins with RISE_FIRST. You need not pass its last frame. If you do, the return value
   is 0 and has no meaning, and the next frame must be RISE_FIRST. */
RISE_API int rise_agent_play(rise_agent *agent, int player, const uint8_t *frame, float reward,
                             rise_event event, const uint8_t *allowed);

/* The same for an agent with desc.numbers above 0; `frame` and `numbers` are those of
   rise_agent_step_numbers. */
RISE_API int rise_agent_play_numbers(rise_agent *agent, int player, const uint8_t *frame,
                                     const float *numbers, float reward, rise_event event,
                                     const uint8_t *allowed);

/* Plays one step of all desc.players players, as rise_agent_play does for one. Several players
   share one pass of the network, so a player costs less. `frames` is
   [players][height][width][channels], `numbers` is [players][numbers], `rewards` and `events` are
   [players], `allowed` is [players][actions] or NULL. `frames` must be NULL if desc.frame_width is
   0, and `numbers` if desc.numbers is 0. Writes `actions` [players]. A player with RISE_ABSENT
   takes no part. The actions are those of rise_agent_play, called for one player after another. A
   refused call moves no player. */
RISE_API rise_result rise_agent_play_all(rise_agent *agent, const uint8_t *frames,
                                         const float *numbers, const float *rewards,
                                         const rise_event *events, const uint8_t *allowed,
                                         int *actions);

/* Sets how well a player plays. At first, each player plays greedily. `epsilon`, 0..1, is the share
   of random actions. With `temperature` 0, the other actions are greedy. With `temperature` above
   0, at most 1e6, the other actions are drawn with the probabilities softmax(Q / temperature). All
   players share one random stream, which training does not use. Files do not hold these
   settings. */
RISE_API rise_result rise_agent_set_player(rise_agent *agent, int player, double epsilon,
                                           double temperature);

#ifndef RISE_PLAY_ONLY
/* Copies what `learner` has learned to `receiver`, a play_only agent. `receiver` was made with the
   same description, or loaded from a file of `learner` (not RISE_SAVE_INT8). Allocates nothing.
   `receiver` acts with the copy from the next rise_agent_play or rise_agent_play_all on. If the
   copy changes embeddings, the frames that `receiver` stores are embedded again.

   If `receiver` was made with background = 1, another thread may use `receiver` during this call.
   That thread never waits. If the copy is not complete when that thread plays, a later play takes
   the copy. Until then, saving `receiver` gives the old state.

   Returns RISE_MISMATCH if one of these differs: seed, the weights from embedding_file, or a field
   that decides a shape or what the weights mean. The field environments may differ.
   Returns RISE_BAD_CALL if `receiver` is not play_only or reads its weights in place (see
   rise_agent_open). rise_agent_error(learner) gives the error. */
RISE_API rise_result rise_agent_publish(rise_agent *learner, rise_agent *receiver);
#endif

/* Returns the Q values [actions] of the player's last rise_agent_play; with value_rescale, h(Q).
   Returns NULL if the player has not played yet or does not exist. The agent owns the array; the
   player's next rise_agent_play overwrites it. */
RISE_API const rise_real *rise_agent_values(const rise_agent *agent, int player);

#ifndef RISE_PLAY_ONLY
/* Does one update now, or finishes the update that rise_agent_learn_for has begun. With
   desc.learn_outside, if an update is due, the call does the due update. In all other cases, the
   update is in addition to those of desc.learn_period. The first update freezes the statistics of
   frames, numbers and embeddings, and embeds all stored frames again. While a snapshot is in
   progress, the call does a part of the snapshot instead of an update: up to 4 * batch frames.

   Returns RISE_BAD_CALL for play_only agents and while no transition can be sampled. Returns
   RISE_NOT_FINITE if the loss, the gradient or, before the update, a weight is NaN or infinite.
   Returns RISE_UNAVAILABLE after reduce_fn failed, or in a child process, if fork came while an
   update was computed in the background. An update that fails is discarded: weights and priorities
   stay as they were. An update that makes a weight NaN or infinite is kept and returns RISE_OK. All
   later updates then return RISE_NOT_FINITE until all weights are finite.

   With desc.background, waits for the updates that an earlier call has started, puts them into
   effect, and starts one update. Returns the error of the first of those earlier updates that
   failed, or RISE_OK. When learning starts, the stored frames are embedded in parts, each in place
   of an update. */
RISE_API rise_result rise_agent_learn(rise_agent *agent);

/* Does updates that are due, for about `microseconds`, the budget of the call. Returns the number
   of updates done, or a negative rise_result. A part of a snapshot counts as an update. An update
   has desc.batch_parts parts, and the call can return between two parts. If a part takes longer
   than the budget, the part is done only after several calls have given enough time. Then the
   budget is kept on average, and one call may take as long as one part. The first call that finds
   an update due also embeds all stored frames again, with any budget.

   The clock need not be exact. Milliseconds are enough: until the clock has changed during a part,
   each call does one part. The clock may also jump or stand still. So the time of a part counts as
   at most twice the mean of earlier parts. The time of the first part counts as at most 1 second.
   If parts are shorter than a tick of the clock, a larger time can count, and the budget is kept
   less exactly.

   Returns RISE_BAD_CALL unless 0 <= microseconds <= 1e12, and if several processes learn together
   (they call rise_agent_learn). Other errors are those of rise_agent_learn. But a play_only agent,
   and an agent without a transition to sample, return 0.

   With desc.background, checks `microseconds` but does not use it. Does not wait. While updates of
   an earlier call are being computed, does nothing and returns 0. Otherwise puts these updates into
   effect, starts one update if one is due, and returns the number of updates put into effect. An
   error is that of the first of these updates that failed. */
RISE_API int rise_agent_learn_for(rise_agent *agent, double microseconds);

/* Copies the current conv layers into the frozen encoder. Requires RISE_EMBED_SNAPSHOT. The copy
   reads each frame repeated frame_stack times, as at the start of an episode. All stored frames are
   embedded again. Instead of each update that is due, the agent does a part of the snapshot: up to
   4 * batch frames. One part takes longer, because that part also embeds the newest window of every
   environment and player. See metrics.refreshing. Returns RISE_BAD_CALL before learning has
   started, and while stored frames are being embedded again. Returns RISE_UNAVAILABLE after
   reduce_fn failed. Returns RISE_NOT_FINITE, and copies nothing, if a weight of the conv layers is
   NaN or infinite. */
RISE_API rise_result rise_agent_snapshot(rise_agent *agent);
#endif

/* What the agent has noticed about its use: the bits of rise_metrics.advice. desc.log_fn receives a
   sentence with numbers and the remedy, once for each bit. Files hold neither these bits nor
   action_time, update_time and waited of rise_metrics. */
typedef enum rise_advice {
    /* recurrent agents without carry_state: episodes are longer than the window, on average */
    RISE_ADVICE_LONG_EPISODES = 1,
    /* background: calls wait for updates for more than a tenth of the time. learn_outside: more
       than half of the updates that became due are not done. rise_agent_learn_for without
       background: a part of an update takes longer than the time that the call gets. */
    RISE_ADVICE_SLOW_UPDATES = 2,
    /* all rewards were 0; or all were equal, and no two terminated episodes differed in length; or
       no reward was read, because each event was RISE_FIRST */
    RISE_ADVICE_SAME_REWARD = 4,
    RISE_ADVICE_SAME_FRAME = 8,     /* no observation differed from the one before */
    RISE_ADVICE_UNUSED_ACTION = 16, /* there is an action that no mask allowed */
    RISE_ADVICE_THREADS = 32,       /* there are more threads than cores */
    RISE_ADVICE_NOT_OPTIMIZED = 64  /* gcc or clang compiled the library with -O0 */
} rise_advice;

/* Counters and measurements. For a play_only agent all members are 0, except parameters, bytes,
   isa, fused, action_time and advice. */
typedef struct rise_metrics {
    /* steps of all environments. The last frame of an episode is no step, because no action
       follows. If RISE_FIRST cut the episode, its last frame is a step: an action was chosen. */
    int64_t steps;
    int64_t episodes; /* ended, or truncated by RISE_FIRST */
    int64_t updates;  /* done; with background, in effect */
    /* learn_outside: updates that are due and not yet done; with background, not yet begun */
    int64_t updates_owed;
    /* background: seconds that calls have waited for the thread that computes updates. If `waited`
       grows quickly, updates take longer than the steps between them: raise learn_period. */
    double waited;
    double epsilon; /* share of random actions now */
    /* mean undiscounted return of the last 100 episodes, or of all if there were fewer */
    double mean_return;
    /* mean number of steps of the episodes whose last frame the replay buffer holds; 0: none. Here
       the last frame is never a step, also if RISE_FIRST cut the episode. */
    double mean_length;
    /* microseconds of a call that chooses actions, without updates: of rise_agent_step,
       rise_agent_step_all and rise_agent_observe; if the agent is play_only, of rise_agent_play and
       rise_agent_play_all. A moving average; every 64th call is measured. 0: not measured yet. */
    double action_time;
    /* microseconds of an update, a moving average; 0: not measured yet. With background and
       clock_fn, the time is never measured. */
    double update_time;
    unsigned advice; /* bits of rise_advice */
    /* of the last update: mean of the weighted loss (Huber; C51: cross entropy), plus the
       large-margin loss of demonstrations */
    double loss;
    double mean_value; /* of the last update: mean Q(s, a) of the batch */
    /* of the last update: mean |target - Q(s, a)|; IQN: over all pairs of quantiles;
       C51: mean cross entropy */
    double td_error;
    double gradient_norm; /* of the last update, before clipping */
    int64_t replay_size;  /* frames held */
    /* how much of a snapshot is left: frames to measure, plus slots of the replay buffer to embed
       (empty slots included). 0: no snapshot is in progress. Until this is 0, parts of the snapshot
       take the place of updates. The frames that acting reads are embedded in addition and do not
       count. With background, embedding the stored frames when learning starts counts as a
       snapshot. */
    int64_t refreshing;
    int64_t replay_ready; /* transitions that can be sampled */
    size_t parameters;    /* learnable ones */
    size_t bytes;         /* that the agent occupies */
    /* bytes of a slot of the replay buffer: frame, numbers, mask, embedding, recurrent state and
       bookkeeping */
    size_t bytes_per_step;
    const char *isa; /* kernels in use: "ref", "c", "avx2", "avx512", "neon" */
    /* 1: the bits are those of all fused kernels; 0: products are rounded before they are added */
    int fused;
} rise_metrics;

/* Fills in `metrics`. If `agent` is NULL, all members become 0, and isa becomes "". */
RISE_API void rise_agent_metrics(const rise_agent *agent, rise_metrics *metrics);

#ifndef RISE_PLAY_ONLY
/* Calls `fn` with "name=value" for every member of `metrics`. Numbers are as in
   rise_agent_describe. */
RISE_API void rise_metrics_describe(const rise_metrics *metrics, rise_log_fn fn, void *user);
#endif

/* Returns the resolved description, which the agent owns. */
RISE_API const rise_agent_desc *rise_agent_query(const rise_agent *agent);

/* Returns the last error of a call on this agent. rise_agent_write and rise_agent_save report only
   through their own `error`. Never NULL; accepts a NULL agent. The agent owns the error, and the
   next error overwrites it. */
RISE_API const rise_error *rise_agent_error(const rise_agent *agent);

#ifndef RISE_PLAY_ONLY
/* Returns the learnable parameters as one array, [parameters] of rise_metrics. The order of the
   parameters may change between versions. You may read, hash or write the array. Call this function
   again before each time you write: the call makes the next update check that all parameters are
   finite. The call discards the computed parts of an update that rise_agent_learn_for has begun, so
   this update starts again. The agent owns the array. With desc.background, the call waits for the
   last update and puts it into effect, and the next update moves the array. If the last update
   failed, the next call that learns returns the error. Returns NULL with weight_bits = 8, because
   those weights are bytes. */
RISE_API rise_real *rise_agent_parameters(rise_agent *agent);
#endif

/* What to save. */
typedef enum rise_save {
    /* weights, optimizer, counters, random streams: small; a resumed run refills its replay
       buffer */
    RISE_SAVE_AGENT,
    /* RISE_SAVE_AGENT, the replay buffer and the episodes in progress of all environments. A
       resumed run computes the same bits as a run without a pause. (With several processes, an
       automatic snapshot may begin one update later.) No file holds the episodes of players, nor
       the position in their random stream. So after loading, each player begins with RISE_FIRST,
       and players that explore draw other actions. */
    RISE_SAVE_ALL,
    RISE_SAVE_POLICY, /* what a play_only agent needs and no more */
    RISE_SAVE_INT8,   /* RISE_SAVE_POLICY with 8-bit weights: see HOW TO: A QUARTER OF THE BYTES */
    /* RISE_SAVE_POLICY with weights of 16 bits (IEEE 754 binary16), which loading converts to
       rise_real. Magnitudes below 2^-14 become 0, and those above 65504 become 65504. */
    RISE_SAVE_FLOAT16
} rise_save;

/* Takes exactly `size` bytes, in order, and returns 1; or returns 0 on failure. */
typedef int (*rise_write_fn)(void *user, const void *data, size_t size);

/* Gives exactly the next `size` bytes and returns 1; or returns 0 on failure. */
typedef int (*rise_read_fn)(void *user, void *data, size_t size);

#ifndef RISE_PLAY_ONLY
/* Writes the agent through `fn`. The same state gives the same bytes on every machine, except for a
   flag that says whether the kernels are fused. With background, waits for the update in progress.
   Returns RISE_IO if `fn` failed. Returns RISE_NOT_FINITE if loading would refuse the file, for
   example because a weight is NaN. Returns RISE_BAD_CALL for a play_only agent if `what` is
   RISE_SAVE_AGENT or RISE_SAVE_ALL, and for an agent with 8-bit weights if `what` is
   RISE_SAVE_FLOAT16. Returns RISE_BAD_DESC if a layer has too many inputs for RISE_SAVE_INT8.
   Returns RISE_UNAVAILABLE for RISE_SAVE_INT8 if RISE_DOUBLE is defined. Returns RISE_UNAVAILABLE
   for RISE_SAVE_AGENT and RISE_SAVE_ALL if fork came while an update was computed (see THREADS).
   `error` may be NULL. */
RISE_API rise_result rise_agent_write(const rise_agent *agent, rise_save what, rise_write_fn fn,
                                      void *user, rise_error *error);
#endif

/* Makes an agent from the bytes that `fn` gives. `size` is the length of the whole file in bytes.
   On failure *agent is NULL. Every value is checked before it is used. `error` may be NULL.

   `machine` (may be NULL) supplies the fields that files do not hold: isa, threads, processes,
   process, memory_block, memory_bytes, embedding_file, play_only, and weights (not for
   RISE_SAVE_FLOAT16). `machine` also supplies log_fn, clock_fn, embed_fn and reduce_fn with their
   `user` pointers. `players`, if not zero, replaces the file's value.

   background = 0 keeps the file's value. If the file's value is 0, background = 1 replaces it; an
   update that rise_agent_learn_for has begun then starts again. If the file's value is 1,
   background = -1 replaces it. The updates that were started before saving then take effect, but
   their transitions keep their old priorities. With play_only, the file's value is ignored.

   Fields such as environments, frame_width and actions decide the shape of arrays. If not zero,
   these fields must agree with the file, else the result is RISE_MISMATCH. But if no replay buffer
   is loaded, `environments` may differ, and replaces the file's value. Other fields, such as
   learn_period, are ignored: the file decides.

   Returns RISE_IO, RISE_BAD_FILE, RISE_NEWER_FILE, RISE_MISMATCH, or an error of rise_agent_create.
   A policy file without play_only, or other weights in embedding_file, is RISE_MISMATCH too. */
RISE_API rise_result rise_agent_read(rise_agent **agent, rise_read_fn fn, void *user, uint64_t size,
                                     const rise_agent_desc *machine, rise_error *error);

/* Makes a play_only agent from a file in memory, `data` [size]. On failure *agent is NULL.
   `machine` (may be NULL) is as in rise_agent_read, except that play_only is always 1 and `weights`
   is ignored.

   The agent reads its weights in place if all of these hold:
   - The weights begin at a multiple of 4 bytes. They do if `data` begins at such a multiple. Some
     files from before release 0.1 are an exception: the text of the description, which comes before
     the weights, can have any length there.
   - The machine is little-endian.
   - RISE_DOUBLE is not defined.
   - The file was not saved as RISE_SAVE_FLOAT16.
   Then `weights` of rise_agent_query is not NULL, and `data` must stay valid and unchanged until
   the agent is destroyed. Otherwise the weights are copied, and `weights` is NULL.

   For speed, begin `data` at a multiple of 64 bytes, and save the file as RISE_SAVE_POLICY or
   RISE_SAVE_INT8. In files of RISE_SAVE_AGENT and RISE_SAVE_ALL, the weights do not begin at a
   multiple of 64 bytes. All bytes that the agent uses are checked, as in rise_agent_read. If the
   weights are in place, rise_agent_publish refuses the agent as `receiver`, and the caller must not
   write to the array that rise_agent_parameters returns. */
RISE_API rise_result rise_agent_open(rise_agent **agent, const void *data, size_t size,
                                     const rise_agent_desc *machine, rise_error *error);

/* Returns the bytes that the agent of rise_agent_open occupies with the same arguments: the least
   machine->memory_bytes. Returns 0 if the header, the description or a length is wrong, or if
   `machine` does not fit the file. Does not read the weights. Allocates nothing. `error` may be
   NULL. */
RISE_API size_t rise_agent_open_bytes(const void *data, size_t size, const rise_agent_desc *machine,
                                      rise_error *error);

#ifndef RISE_NO_STDIO
/* Saves to a file. Writes a new file beside `path`, then renames the new file to `path`. On POSIX
   and Windows, waits before the renaming until the new file is on the disk. There, `path` is never
   an incomplete file, not even if two programs save at once, and an error leaves the old file
   unchanged. On POSIX, follows a symbolic link, and keeps the permissions of the old file. Returns
   RISE_IO if writing fails and, on POSIX, if `path` is a device, a pipe or a folder. Other errors
   are those of rise_agent_write. On other systems, the new file is path.new. If the renaming fails
   there, `path` may be missing; path.new then stays. On Windows, `path` is UTF-8. `error` may be
   NULL. */
RISE_API rise_result rise_agent_save(const rise_agent *agent, rise_save what, const char *path,
                                     rise_error *error);

/* Makes an agent from a file, as rise_agent_read does. */
RISE_API rise_result rise_agent_load(rise_agent **agent, const char *path,
                                     const rise_agent_desc *machine, rise_error *error);

/* Reads only the description in a file. To get the memory that loading needs, first set play_only,
   threads, embed_fn and embedding_file as you will set them in `machine`. Do the same for players,
   environments and background, unless they are 0 in `machine`; with play_only, set background in
   any case. Then pass the description to rise_agent_bytes. Returns RISE_IO, RISE_BAD_FILE or
   RISE_NEWER_FILE if reading fails; `desc` then stays as it was. `error` may be NULL. */
RISE_API rise_result rise_agent_peek(rise_agent_desc *desc, const char *path, rise_error *error);
#endif

#ifndef RISE_PLAY_ONLY
/* Checks this build on this machine. Compares the kernels of `isa` with the reference kernels.
   Trains a small agent, and saves and loads it through memory. RISE_ISA_AUTO checks all instruction
   sets that this machine has. Takes less than a second, uses no files, and frees what it allocates.
   Returns RISE_BROKEN if a result is wrong; `error` names the computation. Returns RISE_UNAVAILABLE
   if this machine or build lacks `isa`, and RISE_NO_MEMORY if there is not enough memory. */
RISE_API rise_result rise_self_test(rise_isa isa, rise_error *error);
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>api-kernels: matrix products, cells, Adam, random projections, each usable alone */

/* Maps one index to a memory offset, in elements. The index is i = (outer * middle + mid) * inner +
   in. The offset of i is in * stride[0] + mid * stride[1] + outer * stride[2]. Strides may be
   negative.
   Example: the patches of a conv layer are the rows of a matrix. Then `in` is the horizontal
   position of a patch in its image, `mid` the vertical position, and `outer` the number of the
   image. A constant stride is a walk with inner = middle = INT_MAX. `inner` and `middle` must not
   be 0. */
typedef struct rise_walk {
    int inner,           /* number of values of `in` */
        middle;          /* number of values of `mid` */
    ptrdiff_t stride[3]; /* offsets of one `in`, one `mid` and one `outer` */
} rise_walk;

/* A matrix in memory. Element (i, j) is at offset rows(i) + (j / run) * run_stride + j % run from
   `data`, in elements. rows(i) is the offset that `rows` gives for i. With `run`, the patches of a
   convolution are a matrix without a copy. `run` is then the length of a patch row, whose pixels
   are adjacent in memory. The caller owns `data`. */
typedef struct rise_matrix {
    const rise_real *data;
    rise_walk rows;       /* offset of each row */
    int run;              /* columns that are adjacent in memory */
    ptrdiff_t run_stride; /* offset from one run of columns to the next */
} rise_matrix;

/* Describes the product C = init + A B. With `relu`, negative results become 0. A is [m][k], B is
   [k][n], C is [m][n]. With `transposed`, the member `a` is the transpose of A, [k][m]. `init` is
   the old C with `accumulate`, otherwise bias[j] if `bias` is not NULL, otherwise 0.

   Each element of C is summed over k in order, beginning with `init`. Each term is added by a
   multiply-add: see rise_kernels.fused. So blocking, vector width and number of threads cannot
   change the bits of C. Start from a struct of zeros. */
typedef struct rise_product {
    int m, /* rows of C */
        n, /* columns of C */
        k; /* terms of each sum */
    /* c.data is written; c.run must be 1, at least n, or a multiple of RISE_PANEL */
    rise_matrix a,         /* [m][k], or [k][m] */
        b,                 /* [k][n] */
        c;                 /* [m][n] */
    int transposed;        /* 1: A is stored as [k][m] */
    const rise_real *bias; /* [n] or NULL */
    int accumulate;        /* 1: C is added to */
    int relu;              /* 1: negative results become 0 */
    /* [n] or NULL: receives the sum of each column of B, added row by row; with `accumulate`, each
       sum begins with the old number */
    rise_real *sums;
    /* size of the scratch; 0: rise_product_scratch. A smaller scratch makes the product slower, and
       changes no bit. At least 12288 bytes. */
    size_t scratch_bytes;
} rise_product;

/* Returns the scratch bytes with which one part of any product is fastest. The number may be 0. The
   scratch must be aligned for ptrdiff_t, as memory from malloc is. */
RISE_API size_t rise_product_scratch(void);

/* Returns a row-major matrix with `stride` elements from row to row. */
RISE_API rise_matrix rise_matrix_plain(const rise_real *data, ptrdiff_t stride);

/* Returns a [rows][columns] matrix stored in panels: [columns / RISE_PANEL][rows][RISE_PANEL]. If
   `columns` is not a multiple of RISE_PANEL, the matrix is row-major. The weights of dense layers
   are stored like this. Products of the forward pass read panels without packing. RISE_PANEL is a
   number of columns: the width of the widest tile, that of AVX-512. */
#define RISE_PANEL 32
RISE_API rise_matrix rise_matrix_panels(const rise_real *data, int rows, int columns);

/* Returns the transpose of a matrix from one of the two functions above, without moving data. */
RISE_API rise_matrix rise_matrix_transpose(rise_matrix matrix);

/* The constants of Adam update t; the first update is t = 1. */
typedef struct rise_adam {
    rise_real scale;      /* factor on the gradient, applied first (clipping) */
    rise_real beta1,      /* decay of the first moment m */
        beta2;            /* decay of the second moment v */
    rise_real rate;       /* learning rate / (1 - beta1^t) */
    rise_real root_scale; /* 1 / sqrt(1 - beta2^t) */
    rise_real epsilon;    /* above 0; added to sqrt(v) * root_scale */
} rise_adam;

/* Converts a byte of a frame to a number. If `mean` is NULL, the number is byte * factor, and
   `limit` is not used. Otherwise `mean` is a frame, [height][width][channels] bytes. The number is
   then (byte - m) * factor, clamped to -limit .. limit. m is the byte of `mean` with the same
   index. The caller owns `mean`. */
typedef struct rise_frame_scale {
    const uint8_t *mean;
    rise_real factor, limit;
} rise_frame_scale;

/* A product with 8-bit weights: `count` rows of x times the weights of `outputs` outputs. A row of
   x has `runs` runs, and a run has `run` consecutive numbers. Run i of row r begins at
   x[r * x_step + i * run_stride]. So a row of x can be a patch of an image. |x| must be so small
   that no sum overflows: see int8_product in rise_kernels.

   Weights are bytes, in blocks of 16 outputs: [runs][ceil(run / 2)][outputs of the block][2]. The
   last index selects input 2 k or 2 k + 1 of the run, where k is the second index. The last block
   may have fewer outputs. If `run` is odd, the second weight of each run's last pair must be 0. The
   kernel still reads the number after the run, so x must have this number. */
typedef struct rise_int8_product {
    const int16_t *x;
    ptrdiff_t x_step, run_stride;
    int runs, run, count, outputs;
    int relu, accumulate;
    const int8_t *w;
    const rise_real *x_scales; /* [count], or one scale for all rows if x_scale_step is 0 */
    int x_scale_step;          /* 0 or 1 */
    const rise_real *scales;   /* [outputs]: of the weights */
    const rise_real *bias;     /* [outputs], or NULL for zeros */
    rise_real *y;              /* [count][outputs]; rows are y_step apart */
    ptrdiff_t y_step;
} rise_int8_product;

/* The kernels of one instruction set. Arrays may have any length and need no more alignment than
   their elements. Arrays that a call only reads may overlap. exp, log, tanh, sigmoid, multiply and
   relu_backward may write their result over an input. gate_forward may write y over x, but not over
   u. Any other array that a call writes must not overlap another array of the call.

   dot and LayerNorm sum in 16 lanes, which are then added in a fixed order. So all tables with the
   same `fused` agree bit for bit. There are two exceptions: NEON on 32-bit ARM replaces denormals
   by 0, and sum_rows has a condition of its own.

   Arithmetic on denormals is slow. So Adam writes 0 for magnitudes of m and v below 2^-100. The
   backward passes of cells and of the gate do the same for gradients. Exceptions are dx of the gate
   and the candidate's block of du.

   With RISE_PLAY_ONLY, the members that such a build never calls are NULL. `product` then computes
   only what acting needs: parts = 1, no `sums`, and a B with equally spaced rows. The rows of a
   transposed `a` must be equally spaced, too. If RISE_NO_RAINBOW is also defined, `a` must not be
   transposed. */
typedef struct rise_kernels {
    const char *name; /* "ref", "c", "avx2", "avx512", "neon" */
    rise_isa isa;
    int fused; /* 1: a * b + c is rounded once (with RISE_DOUBLE: twice) */

    /* Computes part `part` of `parts` of the product: a range of C's rows or columns. All parts
       together are the whole product. Parts may run at the same time if each has its own `scratch`.
       The scratch has p->scratch_bytes bytes or, if that is 0, rise_product_scratch bytes. */
    void (*product)(const rise_product *p, int part, int parts, void *scratch);
    /* y += x */
    void (*add)(int n, const rise_real *x, rise_real *y);
    /* z = x y, or with `add` z += x y */
    void (*multiply)(int n, const rise_real *x, const rise_real *y, int add, rise_real *z);
    /* z[i][j] += x[i][j] (a[i] b[j]); x and z are [rows][n], a is [rows], b is [n] */
    void (*perturb)(int rows, int n, const rise_real *x, const rise_real *a, const rise_real *b,
                    rise_real *z);
    /* Returns the sum of x[i] y[i]. The sum is computed in rise_real, so its error grows with n.
       For a small error, sum blocks of a few thousand numbers, and add their sums in double. */
    double (*dot)(ptrdiff_t n, const rise_real *x, const rise_real *y);
    /* dx = y > 0 ? dy : 0 */
    void (*relu_backward)(int n, const rise_real *y, const rise_real *dy, rise_real *dx);
    /* y = max(x, y) */
    void (*maximum)(int n, const rise_real *x, rise_real *y);
    /* The backward pass of y, the maximum of several x. `rest` starts as dy. Call the kernel for
       each x in turn: where x equals y, dx += rest and then rest = 0. So only the first of equal x
       gets the gradient. */
    void (*maximum_backward)(int n, const rise_real *x, const rise_real *y, rise_real *rest,
                             rise_real *dx);

    /* y = exp(x), log(x), tanh(x) or sigmoid(x), within 2.1 units in the last place. exp clamps x
       to [-87, 88]. log requires a normal x > 0. sigmoid clamps x at -80, where sigmoid(x) is below
       2e-35. With RISE_DOUBLE, nothing is clamped. */
    void (*exp)(int n, const rise_real *x, rise_real *y);
    void (*log)(int n, const rise_real *x, rise_real *y);
    void (*tanh)(int n, const rise_real *x, rise_real *y);
    void (*sigmoid)(int n, const rise_real *x, rise_real *y);

    /* One row of an LSTM (Hochreiter & Schmidhuber 1997, with forget gate), n units. `gates` [4][n]
       = i, f, g, o are the inputs of the activations and become their outputs.
       c' = f c + i g, h = o tanh(c'). */
    void (*lstm_forward)(int n, rise_real *gates, const rise_real *c, rise_real *c_next,
                         rise_real *h);
    /* dh [n] is the gradient of h. dc [n] is the gradient of c', without the part that comes
       through h, and becomes the gradient of c. Writes dgates [4][n], the gradient of the
       activations' inputs. */
    void (*lstm_backward)(int n, const rise_real *gates, const rise_real *c,
                          const rise_real *c_next, const rise_real *dh, rise_real *dc,
                          rise_real *dgates);
    /* One row of a GRU with n units (Cho et al. 2014; reset after the product, as in PyTorch and
       cuDNN). The three blocks of x [3][n] and u [3][n] are the gates r and z and the candidate k.
       x is computed from the input, and becomes the outputs of the activations. u is computed from
       the state. k = tanh(x_k + r u_k), h' = k + z (h - k). */
    void (*gru_forward)(int n, rise_real *x, const rise_real *u, const rise_real *h,
                        rise_real *h_next);
    /* dh [n] is the gradient of h' and becomes the part of h's gradient that does not pass through
       u. Writes dx and du [3][n]. */
    void (*gru_backward)(int n, const rise_real *x, const rise_real *u, const rise_real *h,
                         rise_real *dh, rise_real *dx, rise_real *du);

    /* One row of a minGRU with n units (Feng et al. 2024): h' = k + z (h - k). `gates` [2][n] = z
       and the candidate k are the inputs of the activations (sigmoid, tanh) and become their
       outputs. */
    void (*mingru_forward)(int n, rise_real *gates, const rise_real *h, rise_real *h_next);
    /* dh [n] is the gradient of h' and becomes that of h. Writes dgates [2][n]. */
    void (*mingru_backward)(int n, const rise_real *gates, const rise_real *h, rise_real *dh,
                            rise_real *dgates);
    /* y = x sigmoid(u); u becomes sigmoid(u) */
    void (*gate_forward)(int n, const rise_real *x, rise_real *u, rise_real *y);
    /* dx = dy s, with s = sigmoid(u); dy becomes the gradient of u */
    void (*gate_backward)(int n, const rise_real *x, const rise_real *s, rise_real *dy,
                          rise_real *dx);

    /* LayerNorm of one row (Ba et al. 2016): y = (x - mean) / sqrt(var + 1e-5) * gain + bias.
       Writes stats [2] = mean, 1 / sqrt(var + 1e-5). */
    void (*norm_forward)(int n, const rise_real *x, const rise_real *gain, const rise_real *bias,
                         rise_real *y, rise_real *stats);
    /* dy becomes dx. Adds the gradients of this row to dgain [n] and dbias [n]. */
    void (*norm_backward)(int n, const rise_real *x, const rise_real *gain, const rise_real *stats,
                          rise_real *dy, rise_real *dgain, rise_real *dbias);

    /* Makes one row of an image from one row of each of `stack` frames. frames[s] is the row of
       frame s, [pixels][channels] bytes. out[x][s][c] = the number that rise_frame_scale makes of
       frames[s][x][c]. `mean` is the same row of scale->mean, and NULL exactly if scale->mean is
       NULL. */
    void (*stack)(int pixels, int channels, int stack, const uint8_t *const *frames,
                  const rise_frame_scale *scale, const uint8_t *mean, rise_real *out);
    /* sums[i] = the sum of x[r * stride + i] times a weight, over `rows` rows r of n bytes. The
       first row has weights[0], the last row weights[2], and all other rows weights[1]. If `rows`
       is 1, the row has weights[0]. Exact if the weights are integers and no sum exceeds 2^24.
       Otherwise, tables may give different bits. */
    void (*sum_rows)(int n, int rows, const uint8_t *x, ptrdiff_t stride, const rise_real *weights,
                     rise_real *sums);
    /* Converts x, 16-bit floats (IEEE 754 binary16), to y. No x may be denormal, infinite or NaN:
       other tables would then give other results.
       The replay buffer stores such floats. */
    void (*half_to_real)(int n, const uint16_t *x, rise_real *y);
    /* Rounds factor * x [n] to integers q [n], ties to even (with RISE_DOUBLE: towards 0). Here
       factor = limit / largest, where largest is the largest |x|, so |q| <= limit. `limit` is in
       4..32767: below 4, the factor could be denormal. Returns the scale largest / limit: x is
       about scale * q. If all |x| are 0, or so small that the factor would be infinite, all q and
       the result are 0. All |x| are then below 1e-34. If an x is infinite or NaN, all q are 0 and
       the result is NaN. */
    rise_real (*int8_round)(int n, const rise_real *x, int limit, int16_t *q);
    /* Computes y[r][j] = start + sum * (the scale of row r * scales[j]). With `relu`, negative
       results become 0. start = bias[j]; with `accumulate`, start = y[r][j] + bias[j]. Without a
       bias, bias[j] is 0. `sum`, the sum of x times weight over row r and output j, must fit into
       32 bits. */
    void (*int8_product)(const rise_int8_product *p);
    /* sums[j] = sum over i of rise_sign(seed, bits, i, j) x[i], for j < size. Exact while the sum
       of |x| is below 2^31. x has n numbers and room for 2^bits, where bits =
       rise_sign_bits(n, size). x is overwritten. */
    void (*project_signs)(int n, int32_t *x, int size, uint32_t seed, int32_t *sums);
    /* sums[j] = sum over i of x[i] w[i][j]; w is [n][size] with values -1, 0 and 1; exact while no
       sum overflows int32 */
    void (*project_ternary)(int n, const int32_t *x, int size, const int8_t *w, int32_t *sums);

    /* Adam (Kingma & Ba 2015): updates m and v with the gradient a->scale * g. Then
       w -= rate m / (sqrt(v) root_scale + epsilon). Returns 1 if all weights are finite afterwards,
       else 0. */
    int (*adam)(ptrdiff_t n, const rise_adam *a, rise_real *w, const rise_real *g, rise_real *m,
                rise_real *v);
} rise_kernels;

/* The order of the bytes of a pixel. The fourth byte of RGBA and BGRA is ignored. */
typedef enum rise_pixels {
    RISE_PIXELS_GREY,
    RISE_PIXELS_RGB,
    RISE_PIXELS_BGR,
    RISE_PIXELS_RGBA,
    RISE_PIXELS_BGRA
} rise_pixels;

/* A picture of the caller: a screen, a part of a screen, or a camera's image. */
typedef struct rise_picture {
    const uint8_t *pixels; /* the first byte of the top row */
    int width, height;     /* pixels, 1..4096 */
    rise_pixels format;
    /* bytes from the start of a row to the start of the row below; 0: rows follow each other
       without gaps; negative: rows are stored from bottom to top. The magnitude is at least the
       bytes of a row. */
    ptrdiff_t stride;
} rise_picture;

/* Makes a frame [height][width][channels] from a picture. Each pixel of the frame covers an area of
   the picture. The value of the pixel is the mean of this area, rounded to nearest, ties to even.
   Sums are exact integers, so the result is the same on every machine. The sides of the picture
   need not be multiples of the frame's sides, and the aspect ratios may differ. The frame may be
   larger than the picture.
   `width` and `height` are 1..1024. `channels` is 1 (grey: 0.299 R + 0.587 G + 0.114 B, ITU-R
   BT.601, with 15 bits of fraction) or 3 (R, G, B). `kernels` is a table that rise_kernels_of
   returned, or NULL for plain C (with RISE_DOUBLE, for the reference kernels). `frame` must not
   overlap the picture. Returns RISE_BAD_CALL if an argument is wrong. `error` may be NULL. */
RISE_API rise_result rise_frame_shrink(const rise_kernels *kernels, const rise_picture *picture,
                                       uint8_t *frame, int width, int height, int channels,
                                       rise_error *error);

/* Returns the table of an instruction set, or NULL where this build or machine does not have it.
   AUTO gives the fastest. The table is constant. */
RISE_API const rise_kernels *rise_kernels_of(rise_isa isa);

/* Returns the sign, 1 or -1, of input i in output j of a random projection. i and j must be below
   2^bits: see rise_sign_bits. The sign is d(i) H(i, r(j)). d(i) is 1 or -1 at random, by the seed.
   H is the Hadamard matrix of 2^bits rows, and r(j) are distinct rows of H. No weights are stored,
   and n inputs take n log n additions. The weights of any two outputs are orthogonal over 2^bits
   inputs. The projection is the subsampled randomised Hadamard transform (Ailon & Chazelle 2009;
   Tropp 2011). */
RISE_API int rise_sign(uint32_t seed, int bits, int i, int j);

/* Returns the smallest `bits` for which 2^bits is at least `inputs`, `size` and 16. `inputs` and
   `size` are at most 2^30. */
RISE_API int rise_sign_bits(int inputs, int size);

#ifdef __cplusplus
}
#endif

#endif /* RISE_H */

/* ============================================================================================== */
/* End of the API. The implementation follows. */
/* ============================================================================================== */

/* Shows the implementation to the parsers of Visual Studio, Qt Creator and Eclipse. */
#if defined(__INTELLISENSE__) || defined(Q_CREATOR_RUN) || defined(__CDT_PARSER__)
#define RISE_IMPLEMENTATION
#endif

#if defined(RISE_IMPLEMENTATION) && !defined(RISE_IMPLEMENTED)
#define RISE_IMPLEMENTED

/* ---------------------------------------------------------------------------------------------- */
/* >>platform: compiler, processor and operating system

   Holds: the headers of the C library, macros that say what this build may use, and error reports.
   Main macros: RISEI_AVX and RISEI_NEON (which kernels this build has), RISEI_HAS_FMA,
   RISEI_POSIX, RISEI_FN and RISEI_INLINE (how private functions are declared), RISEI_TARGET.
   Uses no other room. Test: tests/build.sh compiles this file with each compiler and each macro. */

#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "rise.h: compile without -ffast-math (/fp:fast), which breaks NaN checks and sums"
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "rise.h: compile without -ffinite-math-only, which removes the checks for NaN"
#elif defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "rise.h: compile without -fassociative-math and -freciprocal-math, which change results"
#endif
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#ifndef RISE_PLAY_ONLY
#include <errno.h>
#include <stdarg.h>
#include <stdio.h> /* RISE_NO_STDIO: for snprintf and vsnprintf only */
#include <stdlib.h>
#include <time.h>
#endif

#if !defined(RISE_NO_STDIO) && (defined(__unix__) || defined(__APPLE__))
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#define RISEI_POSIX 1
/* With -std=c99 the headers do not declare these, or only some of them. */
#if defined(__STRICT_ANSI__) && !defined(__cplusplus)
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#endif
extern FILE *fdopen(int file, const char *mode);
extern int fileno(FILE *file);
extern int fsync(int file);
extern int fchmod(int file, mode_t mode);
extern ssize_t readlink(const char *path, char *target, size_t size);
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif
#endif
/* With -std=c99 or -std=c11, <time.h> of Linux does not declare clock_gettime. On 64-bit Linux,
   the struct that clock_gettime fills has two longs. */
#if defined(__linux__) && defined(__LP64__) && !defined(CLOCK_MONOTONIC) &&                        \
    !defined(RISE_PLAY_ONLY) && !defined(__cplusplus)
#define RISEI_LINUX_CLOCK 1 /* the number of CLOCK_MONOTONIC */
struct risei_linux_time {
    long seconds, nanoseconds;
};
extern int risei_linux_clock(int clock, struct risei_linux_time *time) __asm__("clock_gettime");
#endif
#ifdef _WIN32
#include <wchar.h>
#ifndef RISE_NO_STDIO
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <sys/stat.h>
#endif
/* Declared as in <windows.h>. That header is not included, because it defines many short names. */
#ifdef __cplusplus
extern "C" {
#endif
struct HINSTANCE__;
__declspec(dllimport) struct HINSTANCE__ *__stdcall GetModuleHandleA(const char *name);
#ifdef _WIN64
typedef long long(__stdcall *risei_windows_function)(void);
#else
typedef int(__stdcall *risei_windows_function)(void);
#endif
__declspec(dllimport) risei_windows_function __stdcall GetProcAddress(struct HINSTANCE__ *module,
                                                                      const char *name);
__declspec(dllimport) int __stdcall MoveFileExW(const wchar_t *from, const wchar_t *to,
                                                unsigned long flags);
__declspec(dllimport) int __stdcall MultiByteToWideChar(unsigned int page, unsigned long flags,
                                                        const char *text, int length,
                                                        wchar_t *wide, int size);
#ifdef __cplusplus
}
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
/* On big-endian ARM, vector lanes are not in the order of memory. */
#if defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN) && (defined(__GNUC__) || defined(_MSC_VER))
#define RISEI_NEON 1
#else
#define RISEI_NEON 0
#endif
#endif

/* RISE_PLAY_ONLY leaves out what only learning needs. Public functions that learn are not compiled.
   Compilers leave out private functions that nothing calls. A table of function pointers would keep
   such a function. In tables, RISEI_LEARN(function) is the function, or NULL with
   RISE_PLAY_ONLY. */
#ifdef RISE_PLAY_ONLY
#if defined(RISE_THREADS) || defined(RISE_DOUBLE)
#error "rise.h: RISE_PLAY_ONLY goes with neither RISE_THREADS nor RISE_DOUBLE; remove one of them"
#endif
#define RISEI_LEARNS 0
#define RISEI_LEARN(function) NULL
#else
#define RISEI_LEARNS 1
#define RISEI_LEARN(function) function
#endif
/* RISE_NO_RAINBOW leaves out C51, IQN, noisy layers and spectral normalisation in the same way. In
   a build that learns, some code of noise and of spectral normalisation stays, but no agent uses
   it. RISE_NO_ENCODERS leaves out the frozen encoders other than DOWNSAMPLE and SIGNS. */
#ifdef RISE_NO_RAINBOW
#define RISEI_HAS_RAINBOW 0
#define RISEI_RAINBOW(function) NULL
#else
#define RISEI_HAS_RAINBOW 1
#define RISEI_RAINBOW(function) function
#endif
#ifdef RISE_NO_ENCODERS
#define RISEI_OPTIONAL_ENCODER(function) NULL
#else
#define RISEI_OPTIONAL_ENCODER(function) function
#endif
/* For a kernel that, apart from the self-test, is called only by encoders that RISE_NO_ENCODERS
   leaves out. With RISE_NO_ENCODERS and RISE_PLAY_ONLY, the table has NULL instead. Without
   RISE_PLAY_ONLY, users and the self-test may call all kernels of a table. */
#if defined(RISE_NO_ENCODERS) && defined(RISE_PLAY_ONLY)
#define RISEI_ENCODER_KERNEL(function) NULL
#else
#define RISEI_ENCODER_KERNEL(function) function
#endif

/* A value of a field, or a size that may be above INT_MAX. The type is double, because value_min
   and value_max of C51 are doubles. RISE_PLAY_ONLY with RISE_NO_RAINBOW has no C51. The type is
   then float: a small processor computes with doubles in slow and large library functions. */
#if defined(RISE_PLAY_ONLY) && defined(RISE_NO_RAINBOW)
#define RISEI_FLOATS 1
typedef float risei_value;
#else
#define RISEI_FLOATS 0
typedef double risei_value;
#endif

/* 1: there are products with a transposed A: gradients, and spectral normalisation. */
#define RISEI_TRANSPOSES (RISEI_LEARNS || RISEI_HAS_RAINBOW)
/* A function that only learning, noisy layers or spectral normalisation call. */
#if RISEI_TRANSPOSES
#define RISEI_TRANSPOSED(function) function
#else
#define RISEI_TRANSPOSED(function) NULL
#endif
/* 1: all products are plain loops, which need no scratch. */
#if defined(RISE_PLAY_ONLY) && !RISEI_AVX && !RISEI_NEON
#define RISEI_PLAIN 1
#else
#define RISEI_PLAIN 0
#endif

#if RISEI_AVX && !defined(RISE_NO_AVX512)
#define RISEI_AVX512 1
#else
#define RISEI_AVX512 0
#endif

/* 1 if __builtin_fmaf compiles to one fused multiply-add instruction; tcc has no __builtin_fmaf */
#if !defined(__TINYC__) && (defined(__FMA__) || defined(__aarch64__) ||                            \
                            defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF))
#define RISEI_HAS_FMA 1
#else
#define RISEI_HAS_FMA 0
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

#ifdef RISE_THREADS
#ifndef _WIN32
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
/* Tells the processor that this thread waits in a loop. */
#if defined(RISEI_X86)
#define RISEI_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RISEI_PAUSE() __asm__ volatile("yield")
#else
#define RISEI_PAUSE() (void)0
#endif
#endif

/* Returns the number of elements of an array. */
#define RISEI_COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
/* Stops the compilation if a table does not have `count` entries: an array of -1 elements is an
   error. */
#define RISEI_CHECK_TABLE_SIZE(table, count)                                                       \
    typedef char table##_has_an_entry_for_each_value[RISEI_COUNT(table) == (int)(count) ? 1 : -1]
/* Stops the compilation with -fsingle-precision-constant, which makes 0.1 a float and so changes
   results. */
typedef char risei_constants_are_double[sizeof 0.1 == sizeof(double) ? 1 : -1];

/* RISEI_FN declares a private function, which a build may leave unused. RISEI_INLINE declares a
   private function that GCC and Clang always inline. RISEI_TARGET allows a function to use an
   instruction set. */
#if defined(__GNUC__)
#define RISEI_FN static __attribute__((unused))
#define RISEI_INLINE static inline __attribute__((unused, always_inline))
#define RISEI_TARGET(isa) __attribute__((target(isa)))
#else
#define RISEI_FN static
#define RISEI_INLINE static
#define RISEI_TARGET(isa)
#endif
#ifdef _WIN32
/* Returns a function of kernel32.dll. Looks the function up by name, because a declaration here
   could differ from the one of <windows.h>. */
RISEI_FN void (*risei_windows_find(const char *name))(void)
{
    return (void (*)(void))GetProcAddress(GetModuleHandleA("kernel32.dll"), name);
}
#endif
/* RISEI_PREFETCH_FAR prefetches into the second-level cache, not into the first. */
#if defined(__GNUC__) && !defined(__TINYC__)
#define RISEI_PREFETCH(p) __builtin_prefetch(p)
#define RISEI_PREFETCH_FAR(p) __builtin_prefetch((p), 0, 2)
#else
#define RISEI_PREFETCH(p) (void)(p)
#define RISEI_PREFETCH_FAR(p) (void)(p)
#endif
/* C++ has no `restrict`. */
#if defined(__GNUC__) || defined(_MSC_VER)
#define RISEI_RESTRICT __restrict
#else
#define RISEI_RESTRICT
#endif
/* Unrolls the next loop: fully with Clang, up to 16 times with GCC. */
#if defined(__clang__)
#define RISEI_UNROLL _Pragma("clang loop unroll(full)")
/* Clang 22 reports each loop that it has not unrolled. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpass-failed"
#elif defined(__GNUC__)
#define RISEI_UNROLL _Pragma("GCC unroll 16")
#else
#define RISEI_UNROLL
#endif

/* Stops the compiler from fusing a * b + c on its own. Compilers fuse different expressions, so the
   bits of a result would depend on the compiler. Kernels call vfma for a fused multiply-add. The
   end of the implementation restores GCC's options, and sets those of Clang and MSVC to their
   defaults. */
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

RISE_API const char *rise_result_text(rise_result result)
{
    switch (result) {
#define RISE_RESULT_CASE(name, value, text)                                                        \
    case name: return text;
        RISE_RESULTS(RISE_RESULT_CASE)
#undef RISE_RESULT_CASE
    case RISE_RESULT_LAST:
    default: return "not a result code of rise.h";
    }
}
RISE_API const char *rise_version(void)
{
#define RISEI_DIGITS(major, minor, patch) #major "." #minor "." #patch
#define RISEI_VERSION(major, minor, patch) RISEI_DIGITS(major, minor, patch)
    return RISEI_VERSION(RISE_VERSION_MAJOR, RISE_VERSION_MINOR, RISE_VERSION_PATCH);
#undef RISEI_VERSION
#undef RISEI_DIGITS
}
#ifndef RISE_PLAY_ONLY
RISE_API const char *rise_error_text(const rise_error *error)
{
    return error != NULL ? error->text : "";
}
RISE_API size_t rise_size_of(const char *type)
{
    if (type == NULL) return 0;
    return strcmp(type, "rise_agent_desc") == 0 ? sizeof(rise_agent_desc)
           : strcmp(type, "rise_metrics") == 0  ? sizeof(rise_metrics)
           : strcmp(type, "rise_error") == 0    ? sizeof(rise_error)
                                                : 0;
}
#endif /* !RISE_PLAY_ONLY */

/* Writes `result` and a sentence made from `format` into *error. `error` may be NULL. Returns
   `result`, so that a function can fail in one statement: return risei_fail(...). With
   RISE_PLAY_ONLY there are no sentences: the text is empty. */
#ifdef RISE_PLAY_ONLY
RISEI_FN rise_result risei_fail_silently(rise_error *error, rise_result result)
{
    if (error != NULL) error->result = result, error->text[0] = '\0';
    return result;
}
/* Never called: uses the arguments, so that compilers do not find them unused. */
extern int risei_fail_unused(const char *format, ...);
#define risei_fail(error, result, ...)                                                             \
    ((void)sizeof(risei_fail_unused(__VA_ARGS__)), risei_fail_silently((error), (result)))
#else
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
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>memory: the arena, which cuts one block of memory into arrays

   Each object has one layout function, which takes the object's arrays from an arena. An arena
   without a block only counts bytes. An arena with a block also gives out pointers into the block.
   Each layout function is called with both kinds of arena, so both count the same bytes.
   rise_agent_bytes returns this number plus RISEI_ALIGN, because memory_block may be unaligned.
   Main type: risei_arena. Uses: platform. Test: tests/agent.c, through rise_agent_bytes. */

typedef struct risei_arena {
    unsigned char *base; /* the block, or NULL: only count */
    size_t used;         /* bytes taken so far */
    /* 1: the block is already zero, so risei_arena_take does not clear it. Clearing would write to
       every page, and the operating system would have to supply all of them. */
    int zeroed;
    int overflow; /* 1: an array did not fit below RISEI_SIZE_MAX, and was not counted */
} risei_arena;

/* The largest size of a block in bytes. With this limit, ptrdiff_t can count the elements of every
   array. Tests set smaller limits. */
#ifndef RISEI_SIZE_MAX
#define RISEI_SIZE_MAX ((size_t)PTRDIFF_MAX)
#endif
/* Bytes: the cache line of most processors. Each array starts on a line of its own. */
#define RISEI_ALIGN ((size_t)64)
/* Returns `bytes` rounded up to a multiple of RISEI_ALIGN. */
RISEI_FN size_t risei_arena_aligned(size_t bytes)
{
    return (bytes + RISEI_ALIGN - 1) / RISEI_ALIGN * RISEI_ALIGN;
}

/* Takes `count` items of `size` bytes from the block. Returns zeroed and aligned memory, or NULL if
   the arena only counts or overflows. */
RISEI_FN void *risei_arena_take(risei_arena *arena, size_t count, size_t size)
{
    /* `most` and `used` are multiples of RISEI_ALIGN. So bytes that fit still fit after rounding
       up. Above `most`, RISEI_ALIGN bytes are left, because risei_agent_measure adds them. */
    size_t const most = (RISEI_SIZE_MAX / RISEI_ALIGN - 1) * RISEI_ALIGN;
    unsigned char *piece = arena->base;
    size_t bytes;
    if (count != 0 && size > (most - arena->used) / count) {
        arena->overflow = 1;
        return NULL;
    }
    bytes = risei_arena_aligned(count * size);
    if (piece != NULL) {
        piece += arena->used;
        if (!arena->zeroed) memset(piece, 0, bytes);
    }
    arena->used += bytes;
    return piece;
}
#define RISEI_TAKE(arena, type, count)                                                             \
    ((type *)risei_arena_take((arena), (size_t)(count), sizeof(type)))

/* Return a * b and a + b, but at most RISEI_SIZE_MAX. No arena can supply that many bytes, so
   risei_arena_take reports an overflow. Each argument is at most RISEI_SIZE_MAX. */
RISEI_FN size_t risei_arena_times(size_t a, size_t b)
{
    return a != 0 && b > RISEI_SIZE_MAX / a ? RISEI_SIZE_MAX : a * b;
}
RISEI_FN size_t risei_arena_plus(size_t a, size_t b)
{
    return b > RISEI_SIZE_MAX - a ? RISEI_SIZE_MAX : a + b;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>random: random streams, and the signs of a random projection

   Random numbers come from PCG32 (O'Neill 2014). Each purpose has its own random stream. An extra
   draw for one purpose therefore does not change the numbers of another. All functions give the
   same bits on every machine that computes with floats as floats (FLT_EVAL_METHOD 0).
   Main type: risei_random. Uses: platform. Tests: tests/kernels.c (signs), tests/rules.c. */

typedef struct risei_random {
    uint64_t state;
} risei_random;

/* Returns 32 random bits. */
RISEI_FN uint32_t risei_random_bits(risei_random *r)
{
    uint64_t const old = r->state;
    uint32_t const mixed = (uint32_t)(((old >> 18) ^ old) >> 27), rotation = (uint32_t)(old >> 59);
    r->state = old * 6364136223846793005u + 1442695040888963407u;
    return (mixed >> rotation) | (mixed << ((32 - rotation) & 31));
}
/* Returns the random stream of `seed` and `purpose`, at its start. */
RISEI_FN risei_random risei_random_stream(uint64_t seed, uint64_t purpose)
{
    risei_random r;
    r.state = seed ^ (purpose * 0x9E3779B97F4A7C15u);
    risei_random_bits(&r);
    r.state += seed;
    risei_random_bits(&r);
    risei_random_bits(&r);
    return r;
}
/* Returns a multiple of 2^-24 in [0, 1), uniformly distributed. */
RISEI_FN rise_real risei_random_uniform(risei_random *r)
{
    return (rise_real)(risei_random_bits(r) >> 8) * (rise_real)(1.0 / 16777216);
}
/* Skips `count` numbers of risei_random_bits, in time that grows with the logarithm of `count`.
   Drawing a number replaces the state by factor * state + term. The loop computes the factor and
   the term of 1, 2, 4, 8 ... draws. For each 1 bit of `count`, the loop applies the factor and the
   term of that many draws (Brown, "Random number generation with arbitrary strides", 1994). */
RISEI_FN void risei_random_skip(risei_random *r, int64_t count)
{
    uint64_t factor = 6364136223846793005u, term = 1442695040888963407u;
    for (; count > 0; count >>= 1) {
        if (count & 1) r->state = r->state * factor + term;
        term = term * factor + term;
        factor = factor * factor;
    }
}
/* Returns an integer in 0 .. n-1, uniformly distributed, for n >= 1. Draws again if the 32 random
   bits are below 2^32 mod n. The number of accepted values is then a multiple of n, so all results
   are equally frequent. */
RISEI_FN int risei_random_below(risei_random *r, int n)
{
    uint32_t const bound = (uint32_t)n, reject = (0u - bound) % bound;
    uint32_t x;
    do x = risei_random_bits(r);
    while (x < reject);
    return (int)(x % bound);
}
/* Returns a number that is approximately normal with mean 0 and variance 1. The number is the sum
   of twelve uniform numbers, minus 6 (Irwin-Hall), so its magnitude is at most 6. The function
   calls no math library, so it gives the same bits on every machine. */
RISEI_FN rise_real risei_random_normal(risei_random *r)
{
    int i;
    rise_real sum = -6;
    for (i = 0; i < 12; i++) sum = sum + risei_random_uniform(r);
    return sum;
}

/* Returns 32 bits that look random, for index i. For one seed, different i give different bits. */
RISEI_INLINE uint32_t risei_random_hash(uint32_t seed, uint32_t i)
{
    uint32_t x = seed ^ i * 0x9E3779B1u;
    x = (x ^ (x >> 16)) * 0x21F0AAADu;
    x = (x ^ (x >> 15)) * 0x735A2D97u;
    return x ^ (x >> 15);
}
/* Returns r(j) of rise_sign: the row of the Hadamard matrix for output j. Each operation is
   invertible, so different j below 2^bits have different rows. */
RISEI_FN uint32_t risei_random_sign_row(uint32_t seed, int bits, int j)
{
    uint32_t const mask = (1u << bits) - 1;
    uint32_t r = ((uint32_t)j ^ seed) * 0x9E3779B1u & mask;
    r = (r ^ r >> (bits / 2)) * 0x85EBCA77u & mask;
    return (r ^ r >> (bits / 2)) * 0x21F0AAADu & mask;
}
/* H(i, r) is -1 if i & r has an odd number of 1 bits, else 1. d(i) is -1 if the top bit of the hash
   is 1, else 1. */
RISE_API int rise_sign(uint32_t seed, int bits, int i, int j)
{
    uint32_t parity = (uint32_t)i & risei_random_sign_row(seed, bits, j);
    int b;
    for (b = 16; b > 0; b /= 2) parity ^= parity >> b;
    return (parity & 1u) == risei_random_hash(seed, (uint32_t)i) >> 31 ? 1 : -1;
}
RISE_API int rise_sign_bits(int inputs, int size)
{
    int bits = 4;
    while (1 << bits < inputs || 1 << bits < size) bits++;
    return bits;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>bytes: byte streams, and files of the C library

   Holds the byte stream, then the functions that work on a FILE. A byte stream measures, writes,
   reads or counts numbers in little-endian order and keeps their CRC-32. Usually one function
   passes the fields of an object to a byte stream in all four modes. So these modes cannot
   disagree. Three kinds of data have one function for writing and another for reading: the header
   of room files lists them. Change both functions of such a kind together.
   Main type: risei_io. Uses: platform. Test: tests/files.c. */

typedef enum risei_io_mode {
    RISEI_IO_MEASURE, /* only updates the length and the CRC */
    RISEI_IO_WRITE,
    RISEI_IO_READ,
    RISEI_IO_COUNT /* only updates the length; reads no number, so the numbers need not exist */
} risei_io_mode;

typedef struct risei_io {
    risei_io_mode mode;
    rise_write_fn write;
    rise_read_fn read;
    void *user;
    uint64_t length; /* bytes moved so far */
    /* when reading: bytes of the section; while the header is read: bytes of the whole file */
    uint64_t limit;
    uint32_t crc;             /* of the bytes moved so far */
    int failed;               /* 1: a read or a write failed; later moves do nothing */
    int past_end;             /* 1: the failed read went past `limit` */
    const char *wrong;        /* describes the first invalid value, or NULL */
    int has_round;            /* 1: the file holds a round of updates: see room background */
    /* writing: 8 for RISE_SAVE_INT8, 16 for RISE_SAVE_FLOAT16, else 0; reading: 16 if the file's
       weights have 16 bits, else 0 */
    int weight_bits;
    int other_embedding_file; /* reading, 1: the agent learned with another embedding_file */
} risei_io;

/* Starts a byte stream. `limit` is used only for reading. The caller sets `write` or `read`, and
   `user`, afterwards. */
RISEI_FN void risei_io_begin(risei_io *f, risei_io_mode mode, uint64_t limit)
{
    memset(f, 0, sizeof *f);
    f->mode = mode;
    f->limit = limit;
}
/* Returns the CRC-32 (reflected polynomial 0xEDB88320) of earlier data followed by `data`. `crc` is
   the CRC-32 of the earlier data, or 0 if there is none. Processes 32 bits at a time: table[k][n]
   is the CRC of the four bits n that are followed by 4 k zero bits. With RISE_PLAY_ONLY, processes
   four bits at a time with a smaller table. */
RISEI_FN uint32_t risei_io_crc(uint32_t crc, const unsigned char *data, size_t size)
{
    static const uint32_t table[RISEI_LEARNS ? 8 : 1][16] = {
        {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
         0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
         0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu},
#ifndef RISE_PLAY_ONLY
        {0x00000000u, 0x77073096u, 0xEE0E612Cu, 0x990951BAu, 0x076DC419u, 0x706AF48Fu,
         0xE963A535u, 0x9E6495A3u, 0x0EDB8832u, 0x79DCB8A4u, 0xE0D5E91Eu, 0x97D2D988u,
         0x09B64C2Bu, 0x7EB17CBDu, 0xE7B82D07u, 0x90BF1D91u},
        {0x00000000u, 0x4AC21251u, 0x958424A2u, 0xDF4636F3u, 0xF0794F05u, 0xBABB5D54u,
         0x65FD6BA7u, 0x2F3F79F6u, 0x3B83984Bu, 0x71418A1Au, 0xAE07BCE9u, 0xE4C5AEB8u,
         0xCBFAD74Eu, 0x8138C51Fu, 0x5E7EF3ECu, 0x14BCE1BDu},
        {0x00000000u, 0x191B3141u, 0x32366282u, 0x2B2D53C3u, 0x646CC504u, 0x7D77F445u,
         0x565AA786u, 0x4F4196C7u, 0xC8D98A08u, 0xD1C2BB49u, 0xFAEFE88Au, 0xE3F4D9CBu,
         0xACB54F0Cu, 0xB5AE7E4Du, 0x9E832D8Eu, 0x87981CCFu},
        {0x00000000u, 0x1C26A370u, 0x384D46E0u, 0x246BE590u, 0x709A8DC0u, 0x6CBC2EB0u,
         0x48D7CB20u, 0x54F16850u, 0xE1351B80u, 0xFD13B8F0u, 0xD9785D60u, 0xC55EFE10u,
         0x91AF9640u, 0x8D893530u, 0xA9E2D0A0u, 0xB5C473D0u},
        {0x00000000u, 0x01C26A37u, 0x0384D46Eu, 0x0246BE59u, 0x0709A8DCu, 0x06CBC2EBu,
         0x048D7CB2u, 0x054F1685u, 0x0E1351B8u, 0x0FD13B8Fu, 0x0D9785D6u, 0x0C55EFE1u,
         0x091AF964u, 0x08D89353u, 0x0A9E2D0Au, 0x0B5C473Du},
        {0x00000000u, 0x5019579Fu, 0xA032AF3Eu, 0xF02BF8A1u, 0x9B14583Du, 0xCB0D0FA2u,
         0x3B26F703u, 0x6B3FA09Cu, 0xED59B63Bu, 0xBD40E1A4u, 0x4D6B1905u, 0x1D724E9Au,
         0x764DEE06u, 0x2654B999u, 0xD67F4138u, 0x866616A7u},
        {0x00000000u, 0xB8BC6765u, 0xAA09C88Bu, 0x12B5AFEEu, 0x8F629757u, 0x37DEF032u,
         0x256B5FDCu, 0x9DD738B9u, 0xC5B428EFu, 0x7D084F8Au, 0x6FBDE064u, 0xD7018701u,
         0x4AD6BFB8u, 0xF26AD8DDu, 0xE0DF7733u, 0x58631056u}
#endif
    };
    crc = ~crc;
#ifndef RISE_PLAY_ONLY
    for (; size >= 4; size -= 4, data += 4) {
        crc ^= (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
               (uint32_t)data[3] << 24;
        crc = table[7][crc & 15] ^ table[6][crc >> 4 & 15] ^ table[5][crc >> 8 & 15] ^
              table[4][crc >> 12 & 15] ^ table[3][crc >> 16 & 15] ^ table[2][crc >> 20 & 15] ^
              table[1][crc >> 24 & 15] ^ table[0][crc >> 28];
    }
#endif
    while (size-- > 0) {
        crc ^= *data++;
        crc = crc >> 4 ^ table[0][crc & 15];
        crc = crc >> 4 ^ table[0][crc & 15];
    }
    return ~crc;
}
/* Moves `size` bytes to or from the stream; when measuring, only updates the length and the CRC.
   Sets `data` to zero if this move fails. Does nothing if an earlier move failed. */
RISEI_FN void risei_io_move(risei_io *f, unsigned char *data, size_t size)
{
    if (f->failed) return;
    f->past_end = f->mode == RISEI_IO_READ && size > f->limit - f->length;
    if (f->past_end || (f->mode == RISEI_IO_READ && !f->read(f->user, data, size))) f->failed = 1;
    if (f->mode == RISEI_IO_WRITE && !f->write(f->user, data, size)) f->failed = 1;
    if (f->failed) {
        memset(data, 0, size);
        return;
    }
    f->crc = risei_io_crc(f->crc, data, size);
    f->length += size;
}
/* Returns whether this machine is little-endian. */
RISEI_FN int risei_is_little_endian(void)
{
    uint16_t const one = 1;
    return *(const unsigned char *)&one == 1;
}
/* Copies `count` numbers of `size` bytes from this machine's byte order to little-endian, or back.
   On a big-endian machine, both directions reverse the bytes of each number. */
RISEI_FN void risei_io_copy(unsigned char *to, const unsigned char *from, size_t count, size_t size)
{
    size_t i, j;
    if (risei_is_little_endian()) {
        memcpy(to, from, count * size);
        return;
    }
    for (i = 0; i < count; i++)
        for (j = 0; j < size; j++) to[i * size + j] = from[i * size + size - 1 - j];
}
/* Moves `count` numbers of `size` bytes (1, 2, 4 or 8). The stream is little-endian on every
   machine. */
RISEI_FN void risei_io_numbers(risei_io *f, void *numbers, size_t count, size_t size)
{
    unsigned char chunk[512], *at = (unsigned char *)numbers;
    if (f->mode == RISEI_IO_COUNT) f->length += (uint64_t)count * size, count = 0;
    while (count > 0 && !f->failed) {
        size_t const part = count < sizeof chunk / size ? count : sizeof chunk / size;
        if (f->mode != RISEI_IO_READ) risei_io_copy(chunk, at, part, size);
        risei_io_move(f, chunk, part * size);
        if (f->mode == RISEI_IO_READ) risei_io_copy(at, chunk, part, size);
        at += part * size;
        count -= part;
    }
}
/* Records `what`, which names or describes an invalid value. Keeps only the first. Records nothing
   after a failed move, because the numbers are then not those of the file. */
RISEI_FN void risei_io_invalid(risei_io *f, const char *what)
{
    /* without sentences, the text is not needed, and compilers leave it out */
    if (f->wrong == NULL && !f->failed) f->wrong = RISEI_LEARNS ? what : "";
}
/* Moves `count` numbers. In all modes except RISEI_IO_COUNT, records `what` if a number is not
   finite or is below `least`. */
RISEI_FN void risei_io_reals(risei_io *f, rise_real *x, size_t count, rise_real least,
                             const char *what)
{
    size_t i;
    risei_io_numbers(f, x, count, sizeof *x);
    for (i = 0; i < count && f->mode != RISEI_IO_COUNT; i++)
        if (!(x[i] - x[i] == 0) || x[i] < least) risei_io_invalid(f, what);
}
/* Does the same for doubles. */
RISEI_FN void risei_io_doubles(risei_io *f, double *x, size_t count, double least, const char *what)
{
    size_t i;
    risei_io_numbers(f, x, count, sizeof *x);
    for (i = 0; i < count && f->mode != RISEI_IO_COUNT; i++)
        if (!(x[i] - x[i] == 0) || x[i] < least) risei_io_invalid(f, what);
}
/* Moves `count` integers. In all modes except RISEI_IO_COUNT, records `what` if an integer is
   negative or above a limit. The limit for writing and measuring is 2^53, because a double can
   represent every integer up to 2^53. The limit for reading is 2^50, so counters can still grow
   after loading. So a counter above 2^50, which only a forged file can cause, is saved, but then
   loading refuses the file. The frame counters of 4096 environments, the most that an agent has,
   then add up without overflow. */
RISEI_FN void risei_io_integers(risei_io *f, int64_t *x, size_t count, const char *what)
{
    int64_t const most = (int64_t)1 << (f->mode == RISEI_IO_READ ? 50 : 53);
    size_t i;
    risei_io_numbers(f, x, count, sizeof *x);
    for (i = 0; i < count && f->mode != RISEI_IO_COUNT; i++)
        if (x[i] < 0 || x[i] > most) risei_io_invalid(f, what);
}

#ifndef RISE_NO_STDIO
/* Reads from the FILE `user`, as a rise_read_fn. */
RISEI_FN int risei_stdio_read(void *user, void *data, size_t size)
{
    return fread(data, 1, size, (FILE *)user) == size;
}
/* Writes to the FILE `user`, as a rise_write_fn. */
RISEI_FN int risei_stdio_write(void *user, const void *data, size_t size)
{
    return fwrite(data, 1, size, (FILE *)user) == size;
}
/* The longest path of a file to save, and the longest path of its new file, which is longer by
   ".new-...": see risei_stdio_begin. In bytes with the terminating zero. On Windows, all wide paths
   have at most RISEI_PATH_NEW units, with the zero. Elsewhere, paths of files to load have no limit
   here. */
enum { RISEI_PATH = 1024, RISEI_PATH_NEW = RISEI_PATH + 32 };

#ifdef _WIN32
/* Converts a path to wide [RISEI_PATH_NEW], from UTF-8, or from the system's code page if the path
   is not valid UTF-8. Returns 0 if the path is too long. */
RISEI_FN int risei_stdio_wide(const char *path, wchar_t *wide)
{
    /* 65001: UTF-8; 8: fail at an invalid character; 0: the system's code page */
    return MultiByteToWideChar(65001, 8, path, -1, wide, RISEI_PATH_NEW) > 0 ||
           MultiByteToWideChar(0, 0, path, -1, wide, RISEI_PATH_NEW) > 0;
}
#endif
/* Returns whether `path` leads to something that is not a plain file: a device, a pipe or a folder.
   Returns 0 if stat fails, for example because nothing exists there. On systems other than POSIX,
   checks nothing and returns 0. */
RISEI_FN int risei_stdio_is_special(const char *path)
{
#ifdef RISEI_POSIX
    struct stat found;
    return stat(path, &found) == 0 && !S_ISREG(found.st_mode);
#else
    (void)path;
    return 0;
#endif
}
/* Opens a file for reading. On Windows, see risei_stdio_wide for the path. On failure, sets errno
   and returns NULL. */
RISEI_FN FILE *risei_stdio_open(const char *path)
{
#ifdef _WIN32
    wchar_t wide[RISEI_PATH_NEW];
    errno = ENOENT;
    return risei_stdio_wide(path, wide) ? _wfopen(wide, L"rb") : NULL;
#else
    return fopen(path, "rb");
#endif
}
/* Sets *size to the bytes of a plain file that was just opened. The file's position stays at the
   start. Returns 0 if the size is not known. */
RISEI_FN int risei_stdio_size(FILE *file, uint64_t *size)
{
#if defined(_WIN32)
    int64_t end = -1;
    if (_fseeki64(file, 0, SEEK_END) == 0) end = _ftelli64(file);
    if (end < 0 || _fseeki64(file, 0, SEEK_SET) != 0) return 0;
#elif defined(RISEI_POSIX)
    /* not fstat: on 32-bit machines, fstat fails if the inode number has more than 32 bits */
    off_t const end = lseek(fileno(file), 0, SEEK_END);
    if (end < 0 || lseek(fileno(file), 0, SEEK_SET) != 0) return 0;
#else
    long end = -1;
    if (fseek(file, 0, SEEK_END) == 0) end = ftell(file);
    if (end < 0 || fseek(file, 0, SEEK_SET) != 0) return 0;
#endif
    *size = (uint64_t)end;
    return 1;
}
/* Opens a file for reading and sets *size to its bytes. On failure *file is NULL. On POSIX, opens
   only plain files, because opening a pipe would wait until another process opens the pipe for
   writing. */
RISEI_FN rise_result risei_stdio_open_sized(const char *path, FILE **file, uint64_t *size,
                                            rise_error *error)
{
    *file = NULL;
    if (risei_stdio_is_special(path))
        return risei_fail(error, RISE_IO, "%.150s is not a plain file; pass another path", path);
    *file = risei_stdio_open(path);
    if (*file == NULL)
        return risei_fail(error, RISE_IO, "%.150s cannot be opened: %s", path, strerror(errno));
    if (risei_stdio_size(*file, size)) return RISE_OK;
    risei_fail(error, RISE_IO, "%.150s has no known size: %s", path, strerror(errno));
    fclose(*file);
    *file = NULL;
    return RISE_IO;
}

/* -- Replacing a file as a whole --

   A new file is written in the folder of the old file. Then the new file is renamed to the old
   name. On POSIX and Windows, the new file gets a name that no file has. There, other processes
   find either the old file or the new file, never a part of one, also after a crash. On POSIX, a
   symbolic link is followed, so that the link stays, and the new file has the permission bits of
   the old file. Owner and group are those of a file that the process creates. Other hard links
   keep the old content.

   On other systems, the new file is named path.new, and an older file of this name is overwritten.
   There, after a crash, the file of the old name may be missing or incomplete. */
typedef struct risei_stdio_new {
    FILE *file;
    int stays; /* 1: risei_stdio_end does not remove the new file */
    char target[RISEI_PATH];        /* the file to replace */
    char temporary[RISEI_PATH_NEW]; /* the new file */
} risei_stdio_new;

/* Writes to target [RISEI_PATH] the path that `path` leads to, where `path` may be a symbolic link.
   Returns 0 if a path is too long, or after 40 links, because links may form a circle. */
RISEI_FN int risei_stdio_follow_links(const char *path, char *target)
{
    if (strlen(path) >= RISEI_PATH) return 0;
    strcpy(target, path);
#ifdef RISEI_POSIX
    {
        char link[RISEI_PATH];
        int links;
        for (links = 0; links < 40; links++) {
            ssize_t const length = readlink(target, link, sizeof link - 1);
            const char *const slash = strrchr(target, '/');
            size_t const folder = slash != NULL ? (size_t)(slash + 1 - target) : 0;
            size_t const at = length > 0 && link[0] == '/' ? 0 : folder;
            if (length < 0) return 1;
            if ((size_t)length >= sizeof link - 1) return 0; /* the path in `link` may be cut */
            if (at + (size_t)length >= RISEI_PATH) return 0;
            memcpy(target + at, link, (size_t)length);
            target[at + (size_t)length] = '\0';
        }
        return 0;
    }
#else
    return 1;
#endif
}
/* Creates the file n->temporary, which must not exist. Returns its descriptor, or -1 with errno. */
#if defined(_WIN32)
RISEI_FN int risei_stdio_create(const risei_stdio_new *n)
{
    wchar_t wide[RISEI_PATH_NEW];
    errno = ENOENT;
    if (!risei_stdio_wide(n->temporary, wide)) return -1;
    return _wopen(wide, _O_CREAT | _O_EXCL | _O_WRONLY | _O_BINARY, _S_IREAD | _S_IWRITE);
}
#elif defined(RISEI_POSIX)
RISEI_FN int risei_stdio_create(const risei_stdio_new *n)
{
    struct stat old;
    int const exists = stat(n->target, &old) == 0;
    /* if stat fails for another reason, the old file may be private */
    mode_t const mode = exists ? old.st_mode & 0777 : errno == ENOENT ? 0666 : 0600;
    int const file = open(n->temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (file >= 0 && exists) fchmod(file, mode); /* may fail: some file systems have no modes */
    return file;
}
#endif
/* Removes a file, and keeps errno. */
RISEI_FN void risei_stdio_remove(const char *path)
{
    int const reason = errno;
#ifdef _WIN32
    wchar_t wide[RISEI_PATH_NEW];
    if (risei_stdio_wide(path, wide)) _wremove(wide);
#else
    remove(path);
#endif
    errno = reason;
}
/* Creates the new file. On failure there is no new file. */
RISEI_FN rise_result risei_stdio_begin(risei_stdio_new *n, const char *path, rise_error *error)
{
#if defined(_WIN32) || defined(RISEI_POSIX)
    int number, file = -1;
#endif
    n->file = NULL, n->stays = 0;
    if (!risei_stdio_follow_links(path, n->target))
        return risei_fail(error, RISE_IO,
                          "the path is longer than %d bytes, or its links form a circle",
                          RISEI_PATH - 1);
    if (risei_stdio_is_special(path))
        return risei_fail(error, RISE_IO, "%.150s is not a plain file; pass another path", path);
#if defined(_WIN32) || defined(RISEI_POSIX)
    /* a process that was killed may have left a file with such a name */
    for (number = 0; number < 1000; number++) {
#ifdef _WIN32
        long const process = (long)_getpid();
#else
        long const process = (long)getpid();
#endif
        snprintf(n->temporary, sizeof n->temporary, "%s.new-%ld-%d", n->target, process, number);
        file = risei_stdio_create(n);
        if (file >= 0 || errno != EEXIST) break;
    }
#ifdef _WIN32
    if (file >= 0) n->file = _fdopen(file, "wb");
    if (file >= 0 && n->file == NULL) _close(file);
#else
    if (file >= 0) n->file = fdopen(file, "wb");
    if (file >= 0 && n->file == NULL) close(file);
#endif
    if (file >= 0 && n->file == NULL) risei_stdio_remove(n->temporary);
#else
    snprintf(n->temporary, sizeof n->temporary, "%s.new", n->target);
    n->file = fopen(n->temporary, "wb");
#endif
    if (n->file != NULL) return RISE_OK;
    return risei_fail(error, RISE_IO, "%.150s cannot be created: %s", path, strerror(errno));
}
/* Waits until the data of `file` is on the disk. Returns 0 if that fails. On systems other than
   POSIX and Windows, only flushes the buffer of the C library. */
RISEI_FN int risei_stdio_sync(FILE *file)
{
    if (fflush(file) != 0) return 0;
#if defined(_WIN32)
    return _commit(_fileno(file)) == 0;
#elif defined(RISEI_POSIX)
    return fsync(fileno(file)) == 0;
#else
    return 1;
#endif
}
/* Renames the new file to the old name. Returns 0 if that fails. On POSIX and Windows, both files
   are then unchanged. On other systems, the old file may be gone; then the new file stays. */
RISEI_FN int risei_stdio_rename(risei_stdio_new *n)
{
#if defined(_WIN32)
    wchar_t from[RISEI_PATH_NEW], to[RISEI_PATH_NEW];
    errno = EACCES;
    /* 1: replaces an existing file; 8: returns when the file is on the disk */
    return risei_stdio_wide(n->temporary, from) && risei_stdio_wide(n->target, to) &&
           MoveFileExW(from, to, 1 | 8) != 0;
#elif defined(RISEI_POSIX)
    char folder[RISEI_PATH];
    char *const slash = strrchr(strcpy(folder, n->target), '/');
    int file;
    if (rename(n->temporary, n->target) != 0) return 0;
    /* The new name survives a crash only after fsync of the folder. */
    if (slash != NULL) slash[1] = '\0';
    file = open(slash != NULL ? folder : ".", O_RDONLY);
    if (file >= 0) {
        fsync(file);
        close(file);
    }
    return 1;
#else
    if (rename(n->temporary, n->target) == 0) return 1;
    /* in some C libraries, rename does not replace a file */
    n->stays = remove(n->target) == 0;
    return rename(n->temporary, n->target) == 0;
#endif
}
/* Closes the new file and, if `good`, renames it to the old name. Otherwise, or on failure, removes
   the new file, unless `stays` is 1. Returns whether the new file has replaced the old one; if not,
   errno says why. On Windows, errno is EACCES if only the renaming failed, whatever the reason. */
RISEI_FN int risei_stdio_end(risei_stdio_new *n, int good)
{
    int reason = errno;
    if (good && !risei_stdio_sync(n->file)) good = 0, reason = errno;
    /* fclose may be the first to report a full disk */
    if (fclose(n->file) != 0 && good) good = 0, reason = errno;
    if (good && !risei_stdio_rename(n)) good = 0, reason = errno;
    errno = reason;
    if (!good && !n->stays) risei_stdio_remove(n->temporary);
    return good;
}
/* Puts the path, or the end of a long path, in front of the sentence in *error, if there is an
   error. `reason`: an errno whose text is added to the sentence, unless the sentence has it; or 0.
   Returns `result`. */
RISEI_FN rise_result risei_stdio_explain(const char *path, int reason, rise_result result,
                                         rise_error *error)
{
    rise_error named;
    size_t const length = strlen(path);
    const char *const cut = length > 60 ? "..." : "";
    if (result == RISE_OK || error == NULL) return result;
    if (length > 60) {
        path += length - 57;
        while (((unsigned char)*path & 0xC0) == 0x80) path++; /* not inside a UTF-8 character */
    }
    if (reason != 0 && strstr(error->text, strerror(reason)) == NULL)
        risei_fail(&named, result, "%s%s: %.110s: %.60s", cut, path, error->text,
                   strerror(reason));
    else
        risei_fail(&named, result, "%s%s: %.170s", cut, path, error->text);
    *error = named;
    return result;
}
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>kernels: one table of functions for each instruction set

   Holds the offsets of rows and columns in memory, the scratch of matrix products, scalar helpers,
   and the passes. There is one pass for each instruction set. A pass defines a vector type and its
   operations, then includes this file again. Each of these inclusions compiles only the kernel
   template at the bottom of the file, into one rise_kernels table. The template describes the
   operations. rise_kernels_of selects a table when the program runs.
   Main types: risei_blocks here; rise_walk, rise_matrix, rise_product and rise_kernels in the API.
   Uses: platform, memory, random. Tests: tests/kernels.c; 16-bit floats also in tests/replay.c. */

/* 2^-100. Smaller magnitudes become 0 where they could become denormal: see rise_kernels. */
#define RISEI_FLUSH_BELOW ((rise_real)7.888609e-31)

/* Block sizes of matrix products, in elements, with the names of Goto and van de Geijn (2008). A
   packed block of B has up to RISEI_KC * RISEI_NC elements (256 KiB) and up to RISEI_B_ROWS rows. A
   packed block of A has up to RISEI_MC rows of RISEI_KC elements (87 KiB with the gaps between
   rows). A panel of B has the width of a tile. All tiles of a block of A read the same rows of the
   panel, at most RISEI_KC: 16 KiB with AVX2, 32 KiB with AVX-512. Good sizes depend on the first-
   and second-level caches. No measurement of other sizes is recorded. */
#define RISEI_KC 256
#define RISEI_NC 256
/* The template rounds RISEI_MC down to a multiple of a tile's rows. */
#define RISEI_MC 84
/* Rows: the most that a block of B may have. This is also the greatest length of the array b_at of
   risei_blocks. A block of RISEI_KC * RISEI_NC elements has this number of rows if its width is one
   AVX-512 tile (32 columns). No measurement of other values is recorded. */
#define RISEI_B_ROWS 2048
/* If A has at most this number of rows, tiles read B in place whenever the layout of B allows it.
   With more rows, two more conditions must hold: the rows of B are at most RISE_PANEL elements
   apart, and n is a multiple of NR (see b_in_place). For few rows, packing B costs more than
   packing saves. The best limit depends on how often each element of B is read: once for each tile
   of rows. On one image, the second and third conv of RISE_NETWORK_NATURE have 81 and 49 rows.
   These convs were 1.1 times as fast with a limit of 200 rows as with a limit of 4 * MR rows
   (`make bench-kernels`). 4 * MR is 24 with AVX2 and 56 with AVX-512. With AVX-512, the weights of
   the third conv are read in place with both limits. */
#define RISEI_UNPACKED_ROWS 200
/* Bytes: the distance from the byte of a frame that is read to the byte that is prefetched, 24
   cache lines. The best distance depends on the latency of memory. With 1536, frames are converted
   to numbers at 0.90 to 0.95 of the speed of memcpy (make bench-replay). No measurement of other
   distances is recorded. */
#define RISEI_PREFETCH_BYTES 1536
/* RISEI_ROWS_TO_n applies X to 1 .. n: each number of rows that a tile can have. */
#define RISEI_ROWS_TO_4(X) X(1) X(2) X(3) X(4)
#define RISEI_ROWS_TO_6(X) RISEI_ROWS_TO_4(X) X(5) X(6)
#define RISEI_ROWS_TO_8(X) RISEI_ROWS_TO_6(X) X(7) X(8)
#define RISEI_ROWS_TO_14(X) RISEI_ROWS_TO_8(X) X(9) X(10) X(11) X(12) X(13) X(14)

/* Returns the walk of a constant stride: index i is at offset i * stride. */
RISEI_FN rise_walk risei_walk_plain(ptrdiff_t stride)
{
    rise_walk walk;
    walk.inner = walk.middle = INT_MAX;
    walk.stride[0] = stride;
    walk.stride[1] = walk.stride[2] = 0;
    return walk;
}
/* Returns the offset of index i, in elements. */
RISEI_INLINE ptrdiff_t risei_walk_offset(const rise_walk *walk, int i)
{
    int rest;
    if (i < walk->inner) return i * walk->stride[0];
    rest = i / walk->inner;
    return i % walk->inner * walk->stride[0] + rest % walk->middle * walk->stride[1] +
           rest / walk->middle * walk->stride[2];
}
/* Writes the offsets of indices i0 .. i0+n-1 to at[n], without a division for each index. */
RISEI_FN void risei_walk_offsets(const rise_walk *walk, int i0, int n, ptrdiff_t *at)
{
    ptrdiff_t const stride = walk->stride[0];
    ptrdiff_t here = risei_walk_offset(walk, i0);
    int in = i0 % walk->inner, mid = i0 / walk->inner % walk->middle, i = 0;
    for (;;) {
        int const end = n - i < walk->inner - in ? n : i + (walk->inner - in);
        for (; i < end; i++, here += stride) at[i] = here;
        if (i == n) return;
        in = 0;
        here += walk->stride[1] - walk->inner * stride;
        if (++mid < walk->middle) continue;
        mid = 0;
        here += walk->stride[2] - walk->middle * walk->stride[1];
    }
}
RISE_API rise_matrix rise_matrix_plain(const rise_real *data, ptrdiff_t stride)
{
    rise_matrix matrix;
    matrix.data = data;
    matrix.rows = risei_walk_plain(stride);
    matrix.run = INT_MAX;
    matrix.run_stride = 0;
    return matrix;
}
RISE_API rise_matrix rise_matrix_panels(const rise_real *data, int rows, int columns)
{
    int const panel = columns % RISE_PANEL == 0 ? RISE_PANEL : columns;
    rise_matrix matrix = rise_matrix_plain(data, panel);
    matrix.run = panel;
    matrix.run_stride = (ptrdiff_t)panel * rows;
    return matrix;
}
RISE_API rise_matrix rise_matrix_transpose(rise_matrix matrix)
{
    rise_matrix transposed = matrix;
    transposed.rows.inner = matrix.run;
    transposed.rows.middle = INT_MAX;
    transposed.rows.stride[0] = 1;
    transposed.rows.stride[1] = matrix.run_stride;
    transposed.rows.stride[2] = 0;
    transposed.run = 1;
    transposed.run_stride = matrix.rows.stride[0];
    return transposed;
}
/* Returns the offset of column j within a row. */
RISEI_INLINE ptrdiff_t risei_matrix_column(const rise_matrix *x, int j)
{
    return j < x->run ? j : (j / x->run) * x->run_stride + j % x->run;
}
RISEI_FN int risei_ceil_div(int a, int b) { return (a + b - 1) / b; }

/* The blocks of one product, and their scratch: offsets of rows or columns, and packed blocks. The
   sizes of blocks change no bit of the result. */
typedef struct risei_blocks {
    int mc, kc;     /* rows and columns of a block of A, at most RISEI_MC and RISEI_KC */
    int packed_row; /* elements from one row of a packed A to the next */
    int b_rows;     /* rows of a block of B, at most RISEI_B_ROWS, at least kc */
    int b_size;     /* elements of a packed block of B, at most RISEI_KC * RISEI_NC */
    ptrdiff_t *k_at; /* [kc]: offsets of A's columns, if A is stored transposed */
    ptrdiff_t *b_at; /* [b_rows]: offsets of the rows of B */
    /* [mc or kc, the larger]: offsets of the rows of a block of A. If A is stored transposed:
       offsets of the columns of a packed block. */
    ptrdiff_t *a_at;
    ptrdiff_t *c_at; /* [mc]: offsets of the rows of C */
    rise_real *a;    /* packed A */
    rise_real *b;    /* [b_size]: packed B */
} risei_blocks;

/* RISEI_MR_MOST, RISEI_NR_MOST: the most rows and columns of a tile. The smallest blocks are for
   one tile and RISEI_KC_LEAST terms of its sums, and take less than RISEI_PRODUCT_SCRATCH_LEAST
   bytes. */
enum {
    RISEI_MR_MOST = 14,
    RISEI_NR_MOST = 32,
    RISEI_KC_LEAST = 16,
    RISEI_PRODUCT_SCRATCH_LEAST = 12288
};

RISEI_FN int risei_minimum(int64_t a, int b) { return a < b ? (int)a : b; }

/* Outputs of a block of 8-bit weights: see rise_int8_product. */
enum { RISEI_INT8_BLOCK = 16 };
/* Returns the length of a run of 8-bit weights of one output: `run`, rounded up to even. */
RISEI_FN int risei_int8_even(int run) { return (run + 1) / 2 * 2; }
/* Returns the smallest multiple of `unit` that is at least x. */
RISEI_FN int64_t risei_round_up(int64_t x, int unit) { return (x + unit - 1) / unit * unit; }
/* Sets w->kc, the columns of a block of A. Sets w->packed_row, the distance between the rows of a
   packed A, to kc + 8 or kc + 16. Rows whose distance is a multiple of a large power of two share a
   few cache sets and evict each other (block_by_rows has a measurement). packed_row is never a
   multiple of 64 elements, so never of a larger power of two. */
RISEI_FN void risei_blocks_set_kc(risei_blocks *w, int kc)
{
    w->kc = kc;
    w->packed_row = kc + 8 + ((kc + 8) % 64 == 0 ? 8 : 0);
}
/* Returns the blocks of a product C = A B, with A [m][k] and B [k][n]. The sizes are the largest
   that the product can use; risei_blocks_fit makes them smaller for a smaller scratch. The arrays
   are NULL. `in_place`: 1 if B is read in place. Then only the last panel of B may be packed. */
RISEI_FN risei_blocks risei_blocks_for(int m, int n, int k, int in_place)
{
    int64_t const columns = risei_round_up(n > 0 ? n : 1, RISEI_NR_MOST);
    risei_blocks w;
    memset(&w, 0, sizeof w);
    risei_blocks_set_kc(&w, risei_minimum(k > 0 ? k : 1, RISEI_KC));
    w.mc = risei_minimum(risei_round_up(m > 0 ? m : 1, RISEI_MR_MOST), RISEI_MC);
    w.b_rows = risei_minimum(k > 0 ? k : 1, RISEI_B_ROWS);
    w.b_size = in_place ? w.kc * RISEI_NR_MOST
                        : risei_minimum(w.b_rows * columns, RISEI_KC * RISEI_NC);
    if (w.b_size < w.kc * RISEI_NR_MOST) w.b_size = w.kc * RISEI_NR_MOST;
    return w;
}
/* Returns an upper bound of the elements of a packed block of A. The bound holds for the tiles of
   all tables, with 4 to RISEI_MR_MOST rows (MR). It also holds if A is stored transposed: A is then
   packed as panels, and 16 elements follow each panel (see a_panel). */
RISEI_FN size_t risei_blocks_a_size(const risei_blocks *w)
{
    return (size_t)(w->mc + RISEI_MR_MOST) * (size_t)w->packed_row + (size_t)(w->mc / 4 + 1) * 16;
}
/* Returns the total length of the four arrays of offsets. */
RISEI_FN size_t risei_blocks_offsets(const risei_blocks *w)
{
    return (size_t)w->kc + (size_t)w->b_rows + (size_t)(w->mc > w->kc ? w->mc : w->kc) +
           (size_t)w->mc;
}
RISEI_FN size_t risei_blocks_bytes(const risei_blocks *w)
{
    return risei_arena_aligned(risei_blocks_offsets(w) * sizeof(ptrdiff_t) +
                               (risei_blocks_a_size(w) + (size_t)w->b_size) * sizeof(rise_real));
}
/* Makes the blocks smaller, until they fit into `bytes` or cannot become smaller. */
RISEI_FN void risei_blocks_fit(risei_blocks *w, size_t bytes)
{
    while (risei_blocks_bytes(w) > bytes) {
        int const least_b = w->kc * RISEI_NR_MOST;
        if (w->b_size > least_b || w->b_rows > w->kc) {
            w->b_size = w->b_size / 2 > least_b ? w->b_size / 2 : least_b;
            w->b_rows = w->b_rows / 2 > w->kc ? w->b_rows / 2 : w->kc;
        } else if (w->mc > RISEI_MR_MOST) {
            w->mc = w->mc / 2 > RISEI_MR_MOST ? w->mc / 2 : RISEI_MR_MOST;
        } else if (w->kc > RISEI_KC_LEAST) {
            risei_blocks_set_kc(w, w->kc / 2 > RISEI_KC_LEAST ? w->kc / 2 : RISEI_KC_LEAST);
        } else {
            return;
        }
    }
}
/* Returns the blocks of a product, with their arrays in `scratch`. */
RISEI_FN risei_blocks risei_blocks_in(const rise_product *p, int in_place, void *scratch)
{
    risei_blocks w = risei_blocks_for(p->m, p->n, p->k, in_place);
    if (p->scratch_bytes > 0) risei_blocks_fit(&w, p->scratch_bytes);
    w.k_at = (ptrdiff_t *)scratch;
    w.b_at = w.k_at + w.kc;
    w.a_at = w.b_at + w.b_rows;
    w.c_at = w.a_at + (w.mc > w.kc ? w.mc : w.kc);
    w.a = (rise_real *)(w.c_at + w.mc);
    w.b = w.a + risei_blocks_a_size(&w);
    return w;
}
/* Returns the bytes of scratch with which a product of [m][k] and [k][n] has its largest blocks, or
   0 if products are plain loops (RISEI_PLAIN). */
RISEI_FN size_t risei_product_bytes(int m, int n, int k, int in_place)
{
    risei_blocks const w = risei_blocks_for(m, n, k, in_place);
    return RISEI_PLAIN ? 0 : risei_blocks_bytes(&w);
}
RISE_API size_t rise_product_scratch(void)
{
    return risei_product_bytes(INT_MAX - RISEI_MR_MOST, INT_MAX - RISEI_NR_MOST, INT_MAX, 0);
}
/* Divides 0 .. total-1 into `parts` ranges. Writes the range of part `part`: *from .. *to-1. All
   ranges but the last end at a multiple of `unit`. The sizes of the ranges differ by at most one
   `unit`. Part i begins with unit number `units` * i / parts, rounded down. This number is computed
   as two terms that cannot overflow. */
RISEI_FN void risei_part_range(int total, int unit, int part, int parts, int *from, int *to)
{
    int const units = (total + unit - 1) / unit, each = units / parts, more = units % parts;
    *from = (each * part + more * part / parts) * unit;
    *to = part + 1 == parts ? total
                            : (each * (part + 1) + more * (part + 1) / parts) * unit;
}

/* Transposes 4 x 4 numbers: to[j * to_stride + i] = from[i * from_stride + j] for i, j < 4. */
RISEI_INLINE void risei_transpose4(const rise_real *from, ptrdiff_t from_stride, rise_real *to,
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
/* Loads four numbers into the lower half of a vector and four into the upper half. */
RISEI_INLINE RISEI_TARGET("avx") __m256 risei_load_two4(const float *low, const float *high)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}
/* Transposes 8 x 8 numbers, as risei_transpose4 does for 4 x 4. */
RISEI_INLINE RISEI_TARGET("avx") void risei_transpose8(const float *from, ptrdiff_t stride,
                                                       float *to, ptrdiff_t to_stride)
{
    int j;
    for (j = 0; j < 8; j += 4, from += 4, to += 4 * to_stride) {
        __m256 const a = risei_load_two4(from, from + 4 * stride);
        __m256 const b = risei_load_two4(from + stride, from + 5 * stride);
        __m256 const c = risei_load_two4(from + 2 * stride, from + 6 * stride);
        __m256 const d = risei_load_two4(from + 3 * stride, from + 7 * stride);
        __m256 const ab = _mm256_unpacklo_ps(a, b), ab2 = _mm256_unpackhi_ps(a, b);
        __m256 const cd = _mm256_unpacklo_ps(c, d), cd2 = _mm256_unpackhi_ps(c, d);
        _mm256_storeu_ps(to, _mm256_shuffle_ps(ab, cd, 0x44));
        _mm256_storeu_ps(to + to_stride, _mm256_shuffle_ps(ab, cd, 0xEE));
        _mm256_storeu_ps(to + 2 * to_stride, _mm256_shuffle_ps(ab2, cd2, 0x44));
        _mm256_storeu_ps(to + 3 * to_stride, _mm256_shuffle_ps(ab2, cd2, 0xEE));
    }
}
#endif

/* Returns x as a 16-bit float (IEEE 754 binary16), rounded to nearest, ties to even. Magnitudes
   below 2^-14 become 0, so no denormal is ever stored. Magnitudes above 65504, the largest 16-bit
   float, become 65504. So do infinities and NaN. */
RISEI_FN uint16_t risei_to_half(rise_real x)
{
    float const f = (float)x;
    uint32_t bits, sign, magnitude;
    memcpy(&bits, &f, sizeof bits);
    sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x477FE000u) return (uint16_t)(sign | 0x7BFFu);
    if (magnitude < 0x38800000u) return (uint16_t)sign;
    return (uint16_t)(sign | ((magnitude + 0x0FFFu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13));
}
/* Returns the value of `half`, a result of risei_to_half. While a file is read, `half` can also be
   denormal, infinite or NaN. The result is then a finite number that risei_to_half does not convert
   back to `half`. */
RISEI_INLINE rise_real risei_from_half(uint16_t half)
{
    uint32_t const magnitude = half & 0x7FFFu;
    uint32_t const bits = (half & 0x8000u) << 16 |
                          (magnitude == 0 ? 0 : (magnitude << 13) + 0x38000000u);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Interleaves 16 pixels of four frames: out[4 x + s] = frames[s][at + x] for x < 16, s < 4. */
RISEI_INLINE void risei_interleave4(const uint8_t *const *frames, int at, uint8_t *out)
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

/* Converts the byte `pixel` to a number, as rise_frame_scale says, and returns the number. `mean`:
   the byte of scale->mean with the same index, or 0 if scale->mean is NULL. */
RISEI_INLINE rise_real risei_frame_scale_byte(const rise_frame_scale *scale, int pixel, int mean)
{
    rise_real const x = (rise_real)(pixel - mean) * scale->factor;
    if (scale->mean == NULL) return x;
    return x > scale->limit ? scale->limit : x < -scale->limit ? -scale->limit : x;
}

/* Scalar operations, mostly for the passes without vectors. The kernel template describes them. */
RISEI_FN float risei_sqrt(float x) { return sqrtf(x); }
#ifndef RISE_DOUBLE
/* Returns a * b + c, rounded once. Without a fused multiply-add instruction, computes in double,
   where a * b is exact. The sum in double is rounded to odd, so rounding it to float gives the
   correct result (Boldo and Melquiond 2008). The fmaf of the C library is not used: some are slow,
   and some round twice. */
RISEI_INLINE float risei_fma(float a, float b, float c)
{
#if RISEI_HAS_FMA
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
RISEI_INLINE uint32_t risei_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
RISEI_INLINE float risei_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
RISEI_INLINE float risei_scale(float x, float t)
{
    return risei_float(risei_bits(x) + (risei_bits(t) << 23));
}
RISEI_INLINE float risei_exponent(float x) { return (float)((int)(risei_bits(x) >> 23) - 126); }
RISEI_INLINE float risei_mantissa(float x)
{
    return risei_float((risei_bits(x) & 0x007FFFFFu) | 0x3F000000u);
}
RISEI_INLINE float risei_copysign(float x, float sign)
{
    return risei_float((risei_bits(x) & 0x7FFFFFFFu) | (risei_bits(sign) & 0x80000000u));
}
RISEI_INLINE float risei_abs(float x) { return risei_float(risei_bits(x) & 0x7FFFFFFFu); }
#else
#define risei_fma(a, b, c) ((a) * (b) + (c))
#define risei_abs(x) fabs(x)
#define risei_sqrt(x) sqrt(x)
#endif
RISEI_INLINE void risei_store(rise_real *p, rise_real x) { *p = x; }
/* Returns whether x is neither NaN nor infinite. */
RISEI_INLINE int risei_finite(float x) { return x - x == 0; }
RISEI_INLINE rise_real risei_max(rise_real a, rise_real b) { return a > b ? a : b; }
RISEI_INLINE rise_real risei_min(rise_real a, rise_real b) { return a < b ? a : b; }

/* The kernel template defines macros with short names, and undefines them at its end. A macro of
   the user with such a name would then be undefined, too. So such a macro is a compile error. */
#if defined(M) || defined(V) || defined(VL) || defined(NV) || defined(MR) || defined(NR) || \
    defined(VI) || defined(VIC) || defined(VIL) || defined(VIW) || defined(VTRANSPOSE) || \
    defined(vload) || defined(vstore) || defined(vset1) || defined(vbytes) || defined(vints) || \
    defined(vadd) || defined(vsub) || defined(vmul) || defined(vdiv) || defined(vsqrt) || \
    defined(vfma) || defined(vgt) || defined(vmax) || defined(vmin) || defined(vselect) || \
    defined(vabs) || defined(vcopysign) || defined(vscale) || defined(vexponent) || \
    defined(vmantissa) || defined(vhalves) || defined(vtranspose) || defined(vfma_lane) || \
    defined(vint8_zero) || defined(vint8_load) || defined(vint8_pair) || defined(vint8_add) || \
    defined(vint8_store) || defined(vint16_store)
#error "rise.h: a macro M, V..., MR, NR, NV or v... is defined: include rise.h above it"
#endif
/* The passes. A tile of a product has MR rows of NV vectors. The registers must hold its MR * NV
   sums, NV vectors of B and at least one vector of A. */
#define RISEK_PASS
/* The name under which a pass includes this file. __FILE__ would not work: it contains the
   directory if this header was included as "directory/rise.h". */
#ifndef RISE_SELF
#define RISE_SELF "rise.h"
#endif

#ifndef RISE_PLAY_ONLY
/* ref: one number at a time, in the simplest loops. The reference for the tests and for
   rise_self_test. risei_cell_initialise computes initial biases with the log of this table, so
   these biases do not depend on the agent's table. */
#define RISEK(name) risek_##name##_ref
#define RISEK_NAME "ref"
#define RISEK_ISA RISE_ISA_REF
#define RISEK_FUSED 1
#define RISEK_REFERENCE
#define RISEK_FN RISEI_FN
#define RISEK_INLINE RISEI_INLINE
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
#endif /* !RISE_PLAY_ONLY */

#ifndef RISE_DOUBLE

/* c: vectors of four numbers, for any processor, with the vector types of gcc and clang.
   Multiply-adds are fused only with RISEI_HAS_FMA. Without RISEI_HAS_FMA, the results differ from
   those of the fused tables in the last bits. With RISE_PLAY_ONLY, the code is as small as
   possible: one number at a time, and products in plain loops. */
#define RISEK(name) risek_##name##_c
#define RISEK_NAME "c"
#define RISEK_ISA RISE_ISA_C
#define RISEK_FUSED RISEI_HAS_FMA
#define RISEK_FN RISEI_FN
#ifdef RISE_PLAY_ONLY
#define RISEK_REFERENCE
#define RISEK_INLINE RISEI_FN
#else
#define RISEK_INLINE RISEI_INLINE
#define MR 4
#define RISEK_TILE_SIZES RISEI_ROWS_TO_4
#endif
#if defined(__GNUC__) && !defined(__TINYC__) && !defined(RISE_PLAY_ONLY)
typedef float risei_f4 __attribute__((vector_size(16)));
typedef int32_t risei_i4 __attribute__((vector_size(16)));
typedef uint32_t risei_u4 __attribute__((vector_size(16)));
RISEI_INLINE risei_f4 risei_f4_load(const float *p)
{
    risei_f4 x;
    memcpy(&x, p, sizeof x);
    return x;
}
RISEI_INLINE void risei_f4_store(float *p, risei_f4 x) { memcpy(p, &x, sizeof x); }
RISEI_INLINE risei_f4 risei_f4_set1(float x)
{
    risei_f4 const v = {x, x, x, x};
    return v;
}
RISEI_INLINE risei_f4 risei_f4_bytes(const uint8_t *p)
{
    risei_f4 const v = {(float)p[0], (float)p[1], (float)p[2], (float)p[3]};
    return v;
}
RISEI_INLINE risei_f4 risei_f4_sqrt(risei_f4 x)
{
    risei_f4 const v = {sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
    return v;
}
RISEI_INLINE risei_f4 risei_f4_fma(risei_f4 a, risei_f4 b, risei_f4 c)
{
#if RISEI_HAS_FMA
    risei_f4 const v = {risei_fma(a[0], b[0], c[0]), risei_fma(a[1], b[1], c[1]),
                        risei_fma(a[2], b[2], c[2]), risei_fma(a[3], b[3], c[3])};
    return v;
#else
    return a * b + c;
#endif
}
RISEI_INLINE risei_f4 risei_f4_select(risei_i4 mask, risei_f4 yes, risei_f4 no)
{
    return (risei_f4)((mask & (risei_i4)yes) | (~mask & (risei_i4)no));
}
RISEI_INLINE risei_f4 risei_f4_max(risei_f4 a, risei_f4 b)
{
    return risei_f4_select((risei_i4)(a > b), a, b);
}
RISEI_INLINE risei_f4 risei_f4_min(risei_f4 a, risei_f4 b)
{
    return risei_f4_select((risei_i4)(a < b), a, b);
}
RISEI_INLINE risei_f4 risei_f4_mask(risei_f4 x, uint32_t keep, uint32_t set)
{
    risei_u4 const k = {keep, keep, keep, keep}, s = {set, set, set, set};
    return (risei_f4)(((risei_u4)x & k) | s);
}
RISEI_INLINE risei_f4 risei_f4_copysign(risei_f4 x, risei_f4 sign)
{
    risei_u4 const top = (risei_u4)risei_f4_mask(sign, 0x80000000u, 0);
    return (risei_f4)((risei_u4)risei_f4_mask(x, 0x7FFFFFFFu, 0) | top);
}
RISEI_INLINE risei_f4 risei_f4_exponent(risei_f4 x)
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
/* For RISE_PLAY_ONLY and for compilers without vector types: one number at a time. */
#else
#define V float
#define M int
#define VL 1
#ifndef RISE_PLAY_ONLY
#define NV 4
#endif
#define vload(p) (*(p))
#define vstore risei_store
#define vset1(x) ((float)(x))
#define vadd(a, b) ((a) + (b))
#define vsub(a, b) ((a) - (b))
#define vmul(a, b) ((a) * (b))
#define vdiv(a, b) ((a) / (b))
#define vsqrt risei_sqrt
#if RISEI_HAS_FMA
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
/* Returns 16 bytes as 16-bit numbers. */
RISEI_INLINE RISEI_TARGET("avx2") __m256i risei_avx_int8_load(const int8_t *w)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
}
/* Returns sum[j] + w[2 j] x[2 j] + w[2 j + 1] x[2 j + 1] for j < 8. */
RISEI_INLINE RISEI_TARGET("avx2") __m256i risei_avx_int8_add(__m256i sum, __m256i w, __m256i x)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(w, x));
}
/* Returns x[0], x[1], x[0], x[1], ...: 16 numbers. */
RISEI_INLINE RISEI_TARGET("avx2") __m256i risei_avx_int8_pair(const int16_t *x)
{
    int32_t both;
    memcpy(&both, x, sizeof both);
    return _mm256_set1_epi32(both);
}
RISEI_INLINE RISEI_TARGET("avx2") void risei_avx_int8_store(int32_t *p, __m256i sums)
{
    _mm256_storeu_si256((__m256i *)(void *)p, sums);
}
/* Stores x, 8 numbers with integer values, as 16-bit integers. */
RISEI_INLINE RISEI_TARGET("avx2") void risei_avx_int16_store(int16_t *q, __m256 x)
{
    __m256i const n = _mm256_cvtps_epi32(x);
    _mm_storeu_si128((__m128i *)(void *)q,
                     _mm_packs_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1)));
}
/* avx2: vectors of 8 numbers; tiles of 6 x 2 vectors, for 16 registers */
#define RISEK(name) risek_##name##_avx2
#define RISEK_NAME "avx2"
#define RISEK_ISA RISE_ISA_AVX2
#define RISEK_FUSED 1
#define RISEK_FN RISEI_FN RISEI_TARGET("avx2,fma,f16c")
#define RISEK_INLINE RISEI_INLINE RISEI_TARGET("avx2,fma,f16c")
#define V __m256
#define M __m256
#define VL 8
#define MR 6
#define RISEK_TILE_SIZES RISEI_ROWS_TO_6
#define NV 2
#define vload _mm256_loadu_ps
#define vstore _mm256_storeu_ps
#define vset1(x) _mm256_set1_ps((float)(x))
#define vbytes(p)                                                                                  \
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p))))
#define vtranspose risei_transpose8
#define VTRANSPOSE 8
#define vhalves(p) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define VI __m256i
#define VIW __m256i
#define VIL 16
#define vint8_zero _mm256_setzero_si256
#define vint8_load risei_avx_int8_load
#define vint8_add risei_avx_int8_add
#define vint16_store risei_avx_int16_store
#define VIC 4
#define vint8_pair risei_avx_int8_pair
#define vint8_store risei_avx_int8_store
#define vints(p) _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
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
#endif /* RISEI_AVX */

#if RISEI_AVX512
/* avx512: vectors of 16 numbers; tiles of 14 x 2 vectors, for 32 registers. Uses AVX-512F and no
   other extension of AVX-512. With RISE_PLAY_ONLY, tiles have at most 8 rows, because the code of
   larger tiles would be the largest part of the code. */
#define RISEK(name) risek_##name##_avx512
#define RISEK_NAME "avx512"
#define RISEK_ISA RISE_ISA_AVX512
#define RISEK_FUSED 1
#define RISEK_FN RISEI_FN RISEI_TARGET("avx512f")
#define RISEK_INLINE RISEI_INLINE RISEI_TARGET("avx512f")
/* The mask of all 16 numbers. The intrinsics without a mask give warnings in C++ with gcc 12. With
   this mask, the masked intrinsics compile to the same instructions as those without a mask. */
#define RISEI_ALL16 ((__mmask16)0xFFFF)
#define V __m512
#define M __mmask16
#define VL 16
#ifdef RISE_PLAY_ONLY
#define MR 8
#define RISEK_TILE_SIZES RISEI_ROWS_TO_8
#else
#define MR 14
#define RISEK_TILE_SIZES RISEI_ROWS_TO_14
#endif
#define NV 2
#define vload(p) _mm512_loadu_ps((p))
#define vstore(p, x) _mm512_storeu_ps((p), (x))
#define vset1(x) _mm512_set1_ps((float)(x))
#define vbytes(p)                                                                                  \
    _mm512_maskz_cvtepi32_ps(RISEI_ALL16,                                                          \
                             _mm512_maskz_cvtepu8_epi32(RISEI_ALL16,                               \
                                                        _mm_loadu_si128(                           \
                                                            (const __m128i *)(const void *)(p))))
#define vtranspose risei_transpose8
#define VTRANSPOSE 8
/* This table uses the 8-bit kernels of avx2, because AVX-512F cannot multiply 16-bit numbers. */
#define RISEK_INT8(name) risek_##name##_avx2
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
#endif /* RISEI_AVX512 */

#if RISEI_NEON
/* neon: vectors of 4 numbers.

   64-bit: tiles of 8 x 2 vectors, for 32 registers. A multiply-add can take its element of A from
   one lane of a vector. So a tile loads a vector of four elements of A for each row. A tile of
   6 x 4 vectors would need 34 registers: for 24 sums, 4 vectors of B and 6 vectors of A.

   32-bit: tiles of 4 x 2 vectors, for 16 registers. There are no vector instructions for division
   and square root. There is a fused multiply-add only with VFPv4. */
#define RISEK(name) risek_##name##_neon
#define RISEK_NAME "neon"
#define RISEK_ISA RISE_ISA_NEON
#define RISEK_FN RISEI_FN
#define RISEK_INLINE RISEI_INLINE
RISEI_INLINE float32x4_t risei_neon_bytes(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four))))));
}
/* Returns 8 bytes as 16-bit numbers. */
RISEI_INLINE int16x8_t risei_neon_int8_load(const int8_t *w) { return vmovl_s8(vld1_s8(w)); }
/* Returns x[0], x[1], x[0], x[1], ...: 8 numbers. */
RISEI_INLINE int16x8_t risei_neon_int8_pair(const int16_t *x)
{
    int32_t both;
    memcpy(&both, x, sizeof both);
    return vreinterpretq_s16_s32(vdupq_n_s32(both));
}
RISEI_INLINE int32x4x2_t risei_neon_int8_zero(void)
{
    int32x4x2_t sums;
    sums.val[0] = sums.val[1] = vdupq_n_s32(0);
    return sums;
}
/* Returns `sums` with w[i] x[i] added to lane i, for i < 8. Lanes 2 j and 2 j + 1 together are the
   sum of output j. */
RISEI_INLINE int32x4x2_t risei_neon_int8_add(int32x4x2_t sums, int16x8_t w, int16x8_t x)
{
    sums.val[0] = vmlal_s16(sums.val[0], vget_low_s16(w), vget_low_s16(x));
    sums.val[1] = vmlal_s16(sums.val[1], vget_high_s16(w), vget_high_s16(x));
    return sums;
}
RISEI_INLINE void risei_neon_int8_store(int32_t *p, int32x4x2_t sums)
{
    int i;
    for (i = 0; i < 2; i++)
        vst1_s32(p + 2 * i, vpadd_s32(vget_low_s32(sums.val[i]), vget_high_s32(sums.val[i])));
}
/* Stores x, 4 numbers with integer values, as 16-bit integers. */
RISEI_INLINE void risei_neon_int16_store(int16_t *q, float32x4_t x)
{
    vst1_s16(q, vmovn_s32(vcvtq_s32_f32(x)));
}
#define V float32x4_t
#define M uint32x4_t
#define VL 4
#define VI int32x4x2_t
#define VIW int16x8_t
#define VIL 8
#define vint8_zero risei_neon_int8_zero
#define vint8_load risei_neon_int8_load
#define vint8_add risei_neon_int8_add
#define vint16_store risei_neon_int16_store
#ifdef __aarch64__
#define VIC 2
#else
#define VIC 1
#endif
#define vint8_pair risei_neon_int8_pair
#define vint8_store risei_neon_int8_store
#define vints(p) vcvtq_f32_s32(vld1q_s32(p))
#ifdef __aarch64__
#define MR 8
#define RISEK_TILE_SIZES RISEI_ROWS_TO_8
#define NV 2
#define vfma_lane(a, i, b, c) vfmaq_laneq_f32((c), (b), (a), (i))
#define vdiv vdivq_f32
#define vsqrt vsqrtq_f32
#define vhalves(p) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))
#else
#define MR 4
#define RISEK_TILE_SIZES RISEI_ROWS_TO_4
#define NV 2
RISEI_INLINE float32x4_t risei_neon_div(float32x4_t a, float32x4_t b)
{
    float32x4_t const v = {a[0] / b[0], a[1] / b[1], a[2] / b[2], a[3] / b[3]};
    return v;
}
RISEI_INLINE float32x4_t risei_neon_sqrt(float32x4_t a)
{
    float32x4_t const v = {sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
    return v;
}
#define vdiv risei_neon_div
#define vsqrt risei_neon_sqrt
#endif
#if RISEI_HAS_FMA
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
/* Returns 3 for AVX-512F with AVX2, FMA and F16C (conversion of 16-bit floats), 2 for AVX2, FMA and
   F16C, else 0. The processor must have these instructions, and the operating system must save the
   vector registers when it switches threads. The CPUID flag OSXSAVE says that XCR0 can be read.
   XCR0 says which registers are saved. */
RISEI_FN int risei_avx_level(void)
{
    /* `one` and `seven` hold eax, ebx, ecx and edx of a CPUID leaf. `one` first holds leaf 0, whose
       eax is the number of the highest leaf, and then leaf 1. `seven` holds leaf 7. `saved` is the
       lower 32 bits of XCR0. */
    uint32_t one[4], seven[4], saved;
#ifdef _MSC_VER
    __cpuidex((int *)one, 0, 0);
    if (one[0] < 7) return 0;
    __cpuidex((int *)one, 1, 0);
    __cpuidex((int *)seven, 7, 0);
    if ((one[2] >> 27 & 1) == 0) return 0; /* OSXSAVE */
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
#ifndef RISE_PLAY_ONLY
    if (isa == RISE_ISA_REF) return &risek_table_ref;
#endif
#ifdef RISE_DOUBLE
    return isa == RISE_ISA_AUTO ? &risek_table_ref : NULL;
#else
    if (isa == RISE_ISA_C) return &risek_table_c;
#if RISEI_AVX
    {
        int const level = risei_avx_level();
#if RISEI_AVX512
        if (level >= 3 && (isa == RISE_ISA_AVX512 || isa == RISE_ISA_AUTO))
            return &risek_table_avx512;
#endif
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
/* >>threads: the thread pool, and the device that all computation runs on

   The parts of a job write different elements, and no sum is divided between parts. So each sum is
   computed by one thread, in a fixed order. There is one exception: risei_optimizer_sum_squares
   divides its sum into blocks of a fixed size. The caller's thread adds the sums of the blocks in
   order. So the number of threads changes no bit of the result.
   Main types: risei_threads (the pool), risei_device (kernels, scratch and pool).
   Uses: platform, kernels. Test: tests/threads.c. */

/* The most threads of a pool, including the caller's. */
enum { RISEI_THREADS_MAX = 64 };

/* Does part `part` of `parts` of a job. `scratch` is the scratch of the part's thread. All parts
   together do the job. */
typedef void (*risei_task)(void *job, int part, int parts, void *scratch);

#ifdef RISE_THREADS
/* -- The threads, locks and condition variables of the system --

   risei_condition_wait releases the lock, waits, and takes the lock again. A wait may end without a
   wake-up (a spurious wakeup), so callers test their condition in a loop. The functions whose names
   end in _begin return 1, or 0 if the system refuses. */

#ifdef _WIN32
typedef struct risei_lock {
    void *word; /* an SRWLOCK */
} risei_lock;
typedef struct risei_condition {
    void *word; /* a CONDITION_VARIABLE */
} risei_condition;
typedef struct risei_thread {
    void *handle;
    void (*run)(void *argument);
    void *argument;
} risei_thread;

RISEI_FN int risei_lock_begin(risei_lock *l) { return l->word = NULL, 1; }
RISEI_FN void risei_lock_end(risei_lock *l) { (void)l; }
RISEI_FN void risei_lock_take(risei_lock *l)
{
    typedef void(__stdcall * take)(void *);
    ((take)risei_windows_find("AcquireSRWLockExclusive"))(l);
}
/* Takes the lock and returns 1, or returns 0 if the lock is not free. */
RISEI_FN int risei_lock_try(risei_lock *l)
{
    typedef unsigned char(__stdcall * try_take)(void *);
    return ((try_take)risei_windows_find("TryAcquireSRWLockExclusive"))(l) != 0;
}
RISEI_FN void risei_lock_release(risei_lock *l)
{
    typedef void(__stdcall * release)(void *);
    ((release)risei_windows_find("ReleaseSRWLockExclusive"))(l);
}
RISEI_FN int risei_condition_begin(risei_condition *c) { return c->word = NULL, 1; }
RISEI_FN void risei_condition_end(risei_condition *c) { (void)c; }
RISEI_FN void risei_condition_wait(risei_condition *c, risei_lock *l)
{
    typedef int(__stdcall * wait)(void *, void *, unsigned long, unsigned long);
    ((wait)risei_windows_find("SleepConditionVariableSRW"))(c, l, 0xFFFFFFFFu, 0);
}
RISEI_FN void risei_condition_wake_all(risei_condition *c)
{
    typedef void(__stdcall * wake)(void *);
    ((wake)risei_windows_find("WakeAllConditionVariable"))(c);
}
RISEI_FN unsigned long __stdcall risei_thread_main(void *thread)
{
    const risei_thread *const t = (const risei_thread *)thread;
    t->run(t->argument);
    return 0;
}
RISEI_FN int risei_thread_begin(risei_thread *t, void (*run)(void *argument), void *argument)
{
    typedef void *(__stdcall * create)(void *, size_t, unsigned long(__stdcall *)(void *), void *,
                                       unsigned long, unsigned long *);
    unsigned long id;
    t->run = run, t->argument = argument;
    t->handle = ((create)risei_windows_find("CreateThread"))(NULL, 0, risei_thread_main, t, 0, &id);
    return t->handle != NULL;
}
RISEI_FN void risei_thread_use_batch_policy(void) {}
/* Waits until the thread's function has returned. */
RISEI_FN void risei_thread_end(risei_thread *t)
{
    typedef unsigned long(__stdcall * wait)(void *, unsigned long);
    typedef int(__stdcall * close)(void *);
    ((wait)risei_windows_find("WaitForSingleObject"))(t->handle, 0xFFFFFFFFu);
    ((close)risei_windows_find("CloseHandle"))(t->handle);
}
/* Lets another thread run on this core. */
RISEI_FN void risei_thread_yield(void)
{
    typedef int(__stdcall * yield)(void);
    ((yield)risei_windows_find("SwitchToThread"))();
}
/* Returns the number of logical cores, or 0 if the number is not known. */
RISEI_FN long risei_thread_cores(void)
{
    typedef unsigned long(__stdcall * count)(unsigned short);
    return (long)((count)risei_windows_find("GetActiveProcessorCount"))(0xFFFF);
}
#else
typedef pthread_mutex_t risei_lock;
typedef pthread_cond_t risei_condition;
typedef struct risei_thread {
    pthread_t handle;
    void (*run)(void *argument);
    void *argument;
} risei_thread;

RISEI_FN int risei_lock_begin(risei_lock *l) { return pthread_mutex_init(l, NULL) == 0; }
RISEI_FN void risei_lock_end(risei_lock *l) { pthread_mutex_destroy(l); }
RISEI_FN void risei_lock_take(risei_lock *l) { pthread_mutex_lock(l); }
/* Takes the lock and returns 1, or returns 0 if the lock is not free. */
RISEI_FN int risei_lock_try(risei_lock *l) { return pthread_mutex_trylock(l) == 0; }
RISEI_FN void risei_lock_release(risei_lock *l) { pthread_mutex_unlock(l); }
RISEI_FN int risei_condition_begin(risei_condition *c) { return pthread_cond_init(c, NULL) == 0; }
RISEI_FN void risei_condition_end(risei_condition *c) { pthread_cond_destroy(c); }
RISEI_FN void risei_condition_wait(risei_condition *c, risei_lock *l) { pthread_cond_wait(c, l); }
RISEI_FN void risei_condition_wake_all(risei_condition *c) { pthread_cond_broadcast(c); }
RISEI_FN void *risei_thread_main(void *thread)
{
    const risei_thread *const t = (const risei_thread *)thread;
    t->run(t->argument);
    return NULL;
}
RISEI_FN int risei_thread_begin(risei_thread *t, void (*run)(void *argument), void *argument)
{
    t->run = run, t->argument = argument;
    return pthread_create(&t->handle, NULL, risei_thread_main, t) == 0;
}
/* On Linux, changes the scheduling policy of the calling thread from SCHED_OTHER to SCHED_BATCH.
   The number of SCHED_BATCH is 3; glibc defines the name only with _GNU_SOURCE. Elsewhere, does
   nothing. The threads that compute updates in the background call this function. A thread with
   SCHED_OTHER that wakes up may preempt the game's thread, which then waits for milliseconds. A
   thread with SCHED_BATCH that wakes up preempts no other thread. In a game that learns in the
   background, the longest call of the library took 0.3 ms with SCHED_BATCH and 3.6 ms without. The
   command was make bench-game, with frames of 16 x 12 and two runs of 10 seconds. */
RISEI_FN void risei_thread_use_batch_policy(void)
{
#ifdef __linux__
    struct sched_param parameters;
    int kind;
    if (pthread_getschedparam(pthread_self(), &kind, &parameters) == 0 && kind == SCHED_OTHER)
        pthread_setschedparam(pthread_self(), 3, &parameters);
#endif
}
/* Waits until the thread's function has returned. */
RISEI_FN void risei_thread_end(risei_thread *t) { pthread_join(t->handle, NULL); }
/* Lets another thread run on this core. */
RISEI_FN void risei_thread_yield(void) { sched_yield(); }
/* Returns the number of logical cores of the machine, or 0 or -1 if the number is not known. With
   most C libraries, a limit of the process (taskset, a container) does not lower the number. */
RISEI_FN long risei_thread_cores(void)
{
#ifdef _SC_NPROCESSORS_ONLN
    return sysconf(_SC_NPROCESSORS_ONLN);
#else
    return 0;
#endif
}
#endif
/* Returns the process ID, or 0 on systems without fork. After fork, only the parent has the
   library's threads. */
RISEI_FN long risei_thread_process(void)
{
#if defined(__unix__) || defined(__APPLE__)
    return (long)getpid();
#else
    return 0;
#endif
}

/* -- The thread pool -- */

/* A job of at most this number of multiplications runs on the caller's thread alone. The value
   depends on the time that workers take to start and on the speed of the kernels. AVX2 does at most
   16 multiply-adds a cycle, so at 3 GHz a job of this size takes at least 4 us. No measurement of
   other values is recorded. Tests set smaller values, to divide more jobs. */
#ifndef RISEI_THREADS_MINIMUM
#define RISEI_THREADS_MINIMUM 2e5
#endif
/* A worker that waits executes this number of pause instructions before it sleeps. Together they
   take about 50 us. The time depends on the processor's pause instruction. On processors other than
   x86-64 and AArch64, RISEI_PAUSE does nothing, so workers sleep sooner. The pauses take longer
   than most gaps between the jobs of an update, so workers seldom sleep during an update. Gaps may
   be longer in large networks, for example in risei_transpose_panels. The pauses are shorter than
   one step of a real-time game (16 ms at 60 steps a second), so workers sleep between steps. No
   measurement of other values is recorded. */
enum { RISEI_THREADS_SPINS = 2000 };

typedef struct risei_worker {
    struct risei_threads *threads;
    int part;
    risei_thread thread;
} risei_worker;

/* Threads that run one job after another: the caller's thread, which does part 0, and workers. */
typedef struct risei_threads {
    int count;              /* threads, including the caller's */
    unsigned char *scratch; /* [count][scratch_bytes] */
    size_t scratch_bytes;
    risei_task task; /* does a part of the job that runs */
    void *job;       /* the first argument of `task` */
    int background; /* 1: the pool computes while the game runs; workers use SCHED_BATCH on Linux */
    int stop;       /* 1: workers end instead of running a job */
    int spins;      /* pauses before a waiting thread sleeps or yields */
    long process;   /* ID of the process that has the workers */
    unsigned jobs;  /* atomic: jobs started so far */
    int running;    /* atomic: workers that have not finished their part of the job */
    int asleep;     /* atomic: workers that sleep, or are about to */
    risei_lock lock;
    risei_condition wake;
    risei_worker workers[RISEI_THREADS_MAX]; /* [0] is not used */
} risei_threads;

/* Why a worker cannot miss a job. Worker and caller each write one variable, then read the other:

     worker, with the lock   W1: adds 1 to `asleep`   W2: reads `jobs`; sleeps if it is unchanged
     caller                  C1: adds 1 to `jobs`    C2: reads `asleep`; wakes nobody if it is 0

   The four operations are sequentially consistent, so all threads agree on one order of them. In
   this order, W1 is before W2 and C1 is before C2. C1 writes the new number of jobs. W1 and C2 can
   be in either order:

   C2 before W1: then C1 is before W2. W2 reads the new number, and the worker does not sleep.

   W1 before C2: C2 reads at least 1, unless the worker has read the new number and is awake. If C2
   reads at least 1, the caller takes the lock. The worker releases the lock in two places only:
   after W2 has read the new number, and in risei_condition_wait. risei_condition_wait atomically
   releases the lock and starts to wait. So when the caller has the lock, there are three cases:

     the worker has read the new number;
     the worker waits, and the broadcast wakes it;
     the worker has been woken, waits for the lock, and will then read the new number.

   Why a worker sees the whole job. The caller writes `task`, `job`, `running` and `stop` before C1,
   and C1 is a release. The worker reads the new number with an acquire, then reads these variables.

   Why the caller sees all results. A worker does its part, then subtracts 1 from `running` with a
   release. The caller returns only after it has read 0 from `running` with an acquire. Each
   subtraction is a read-modify-write, and such operations continue a release sequence. So this
   acquire synchronises with the releases of all workers, not only with that of the last one.
   The caller starts the next job only afterwards, so a worker is never more than one job behind. */

/* Waits until `jobs` is not `seen`. Executes up to p->spins pauses, then sleeps. */
RISEI_FN void risei_threads_await(risei_threads *p, unsigned seen)
{
    int spin;
    for (spin = 0; spin < p->spins; spin++) {
        if (__atomic_load_n(&p->jobs, __ATOMIC_ACQUIRE) != seen) return;
        RISEI_PAUSE();
    }
    risei_lock_take(&p->lock);
    __atomic_add_fetch(&p->asleep, 1, __ATOMIC_SEQ_CST);         /* W1 */
    while (__atomic_load_n(&p->jobs, __ATOMIC_SEQ_CST) == seen) /* W2 */
        risei_condition_wait(&p->wake, &p->lock);
    __atomic_sub_fetch(&p->asleep, 1, __ATOMIC_SEQ_CST);
    risei_lock_release(&p->lock);
}
/* Starts a job on the workers and returns at once. */
RISEI_FN void risei_threads_start(risei_threads *p, risei_task task, void *job)
{
    p->task = task;
    p->job = job;
    __atomic_store_n(&p->running, p->count - 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&p->jobs, 1, __ATOMIC_SEQ_CST);             /* C1 */
    if (__atomic_load_n(&p->asleep, __ATOMIC_SEQ_CST) == 0) return; /* C2 */
    risei_lock_take(&p->lock);
    risei_condition_wake_all(&p->wake);
    risei_lock_release(&p->lock);
}
/* Runs in a worker. Does the worker's part of each job, until the pool stops. */
RISEI_FN void risei_threads_worker(void *argument)
{
    risei_worker *const w = (risei_worker *)argument;
    risei_threads *const p = w->threads;
    unsigned seen;
    if (p->background) risei_thread_use_batch_policy();
    for (seen = 0;; seen++) {
        risei_threads_await(p, seen);
        if (p->stop) return;
        p->task(p->job, w->part, p->count, p->scratch + (size_t)w->part * p->scratch_bytes);
        __atomic_sub_fetch(&p->running, 1, __ATOMIC_RELEASE);
    }
}
/* Runs a job on all threads and returns when all parts are done. The caller's thread does part 0,
   then waits for the workers. A worker may need the core of the caller's thread. So this thread
   yields its core after every p->spins pauses, or after each pause if p->spins is 0. In the child
   of a fork, which has no workers, the caller's thread does the job as a single part. */
RISEI_FN void risei_threads_run(risei_threads *p, risei_task task, void *job)
{
    int spin;
    if (p->process != risei_thread_process()) {
        task(job, 0, 1, p->scratch);
        return;
    }
    risei_threads_start(p, task, job);
    task(job, 0, p->count, p->scratch);
    for (spin = 1; __atomic_load_n(&p->running, __ATOMIC_ACQUIRE) > 0; spin++) {
        RISEI_PAUSE();
        if (spin >= p->spins) risei_thread_yield(), spin = 0;
    }
}
/* Ends a pool whose workers 1 .. started-1 were started. Does nothing in a process that was made by
   fork after risei_threads_begin, because such a process has no workers. */
RISEI_FN void risei_threads_end(risei_threads *p, int started)
{
    int i;
    if (p->process != risei_thread_process()) return;
    p->stop = 1;
    risei_threads_start(p, NULL, NULL);
    for (i = 1; i < started; i++) risei_thread_end(&p->workers[i].thread);
    risei_condition_end(&p->wake);
    risei_lock_end(&p->lock);
}
/* Starts the workers of a zeroed pool. `background`: 1 if the game runs while the pool computes.
   `scratch` is [threads][scratch_bytes]. Returns 1, or 0 if the system refuses the lock, the
   condition variable or a thread. If a thread is refused, ends the workers that run. */
RISEI_FN int risei_threads_begin(risei_threads *p, int threads, int background, void *scratch,
                                 size_t scratch_bytes)
{
    long const cores = risei_thread_cores();
    int i;
    p->count = threads;
    p->background = background;
    p->scratch = (unsigned char *)scratch;
    p->scratch_bytes = scratch_bytes;
    p->process = risei_thread_process();
    p->spins = RISEI_THREADS_SPINS;
    /* With `background`, the game's thread needs a core, too. With fewer cores than threads, a
       worker that executes pauses occupies a core that another thread needs. So with fewer cores,
       workers sleep at once. */
    if (cores > 0 && cores < threads + background) p->spins = 0;
    if (!risei_lock_begin(&p->lock)) return 0;
    if (!risei_condition_begin(&p->wake)) {
        risei_lock_end(&p->lock);
        return 0;
    }
    for (i = 1; i < threads; i++) {
        p->workers[i].threads = p;
        p->workers[i].part = i;
        if (risei_thread_begin(&p->workers[i].thread, risei_threads_worker, &p->workers[i]))
            continue;
        risei_threads_end(p, i);
        return 0;
    }
    return 1;
}
#endif /* RISE_THREADS */

/* The kernels, the scratch and the threads that a model computes with. */
typedef struct risei_device {
    const rise_kernels *kernels;
    /* [threads][scratch_bytes]. Each thread has product_bytes bytes for a product or for the
       backward pass of a max pool, then a chunk of converted images. With 8-bit weights, all
       threads read the rounded inputs of a layer from the first thread's scratch. */
    void *scratch;
    struct risei_threads *threads; /* NULL: the caller's thread alone */
    size_t scratch_bytes;
    /* bytes of a product's scratch; 0: rise_product_scratch() bytes. With 8-bit weights: at least
       the bytes of a layer's rounded inputs, so never 0. */
    size_t product_bytes;
} risei_device;

/* Runs a job and returns when it is done. `work` is the approximate number of multiplications. If
   `work` is more than RISEI_THREADS_MINIMUM, uses all threads, else only the caller's thread. */
RISEI_FN void risei_device_run(const risei_device *d, double work, risei_task task, void *job)
{
#ifdef RISE_THREADS
    if (d->threads != NULL && work > RISEI_THREADS_MINIMUM) {
        risei_threads_run(d->threads, task, job);
        return;
    }
#endif
    (void)work;
    task(job, 0, 1, d->scratch);
}

/* Returns the number of threads, 1 without a pool. */
RISEI_FN int risei_device_threads(const risei_device *d)
{
#ifdef RISE_THREADS
    if (d->threads != NULL) return d->threads->count;
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
/* Computes a matrix product on the device's threads. */
RISEI_FN void risei_product_run(const risei_device *d, const rise_product *p)
{
    rise_product own = *p;
    risei_product_job job;
    own.scratch_bytes = d->product_bytes;
    job.kernels = d->kernels;
    job.product = &own;
    risei_device_run(d, (double)p->m * p->n * p->k, risei_product_part, &job);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>statistics: running means and variances, and the standardisation of numbers by them

   Embeddings, and the numbers of an observation, are standardised: each number with its own mean
   and variance. The numbers of an observation are scaled to variance 1; for embeddings, see room
   embedder. Until learning starts, these statistics are gathered, and embeddings and numbers stay
   raw. When learning starts, the statistics are frozen. If frames are standardised, the statistics
   of CONV and SNAPSHOT embeddings are first computed again from stored frames. With several
   processes, reduce_fn gives all processes the statistics of process 0. If reduce_fn fails, the
   statistics are gathered further. A snapshot later computes the statistics of embeddings again.

   Main type: risei_statistics. Uses room memory. Tests: tests/agent.c, tests/numbers.c. */

/* The largest magnitude of a standardised number. Numbers of larger magnitude are clamped. With
   variance 1, the limit is 8 standard deviations. With a smaller variance, the limit is more than 8
   standard deviations. Without the limit, a number that hardly varied before learning started could
   become very large later. No measurement of other limits is recorded. */
#define RISEI_STATISTICS_LIMIT ((rise_real)8)

typedef struct risei_statistics {
    int size;     /* numbers that are standardised */
    int frozen;   /* 1: risei_statistics_apply standardises, with shift and gain */
    int64_t seen; /* observations in `mean` */
    double *mean; /* running mean, [size] */
    /* running sum of squared deviations from the mean, [size] (Welford 1962) */
    double *squared_deviations;
    rise_real *shift, *gain; /* [size]: standardised = (raw - shift) * gain */
} risei_statistics;

RISEI_FN void risei_statistics_layout(risei_arena *arena, risei_statistics *s, int size)
{
    memset(s, 0, sizeof *s);
    s->size = size;
    s->mean = RISEI_TAKE(arena, double, size);
    s->squared_deviations = RISEI_TAKE(arena, double, size);
    s->shift = RISEI_TAKE(arena, rise_real, size);
    s->gain = RISEI_TAKE(arena, rise_real, size);
}
/* Clears the running statistics, but not `frozen`, shift and gain. */
RISEI_FN void risei_statistics_clear(risei_statistics *s)
{
    s->seen = 0;
    memset(s->mean, 0, (size_t)s->size * sizeof *s->mean);
    memset(s->squared_deviations, 0, (size_t)s->size * sizeof *s->squared_deviations);
}
/* Adds an observation: raw numbers [size]. */
RISEI_FN void risei_statistics_observe(risei_statistics *s, const rise_real *raw)
{
    int i;
    s->seen++;
    for (i = 0; i < s->size; i++) {
        double const before = (double)raw[i] - s->mean[i];
        s->mean[i] = s->mean[i] + before / (double)s->seen;
        s->squared_deviations[i] = s->squared_deviations[i] +
                                   before * ((double)raw[i] - s->mean[i]);
    }
}
/* Sets `frozen`, and computes shift and gain from the running statistics. From now on,
   risei_statistics_apply standardises: each number gets the mean 0 and about the standard deviation
   `deviation`. The term 1e-6 keeps gain finite where the variance is 0. If the raw standard
   deviation of a number is not far above 0.001, its standardised deviation is smaller than
   `deviation`. Without any observation, the mean is 0 and the variance counts as 1. */
RISEI_FN void risei_statistics_freeze(risei_statistics *s, double deviation)
{
    int i;
    s->frozen = 1;
    for (i = 0; i < s->size; i++) {
        double const variance = s->seen > 0 ? s->squared_deviations[i] / (double)s->seen : 1;
        s->shift[i] = (rise_real)s->mean[i];
        s->gain[i] = (rise_real)(deviation / sqrt(variance + 1e-6));
        /* A denormal gain could be read as 0, and an infinite difference times 0 is NaN. */
        if (s->gain[i] < FLT_MIN) s->gain[i] = (rise_real)FLT_MIN;
    }
}
/* If the statistics are frozen, standardises `raw` [size] and clamps each number to
   +-RISEI_STATISTICS_LIMIT. Else copies `raw`. The result is `out` [size], which may be the same
   memory as `raw`. */
RISEI_FN void risei_statistics_apply(const risei_statistics *s, const rise_real *raw,
                                     rise_real *out)
{
    int i;
    for (i = 0; i < s->size; i++) {
        rise_real z = raw[i];
        if (s->frozen) {
            z = (z - s->shift[i]) * s->gain[i];
            if (z > RISEI_STATISTICS_LIMIT) z = RISEI_STATISTICS_LIMIT;
            if (z < -RISEI_STATISTICS_LIMIT) z = -RISEI_STATISTICS_LIMIT;
        }
        out[i] = z;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* >>frames: small frames from pictures; the standardisation of frames for the learnable encoder,
   and for the frozen encoders CONV and SNAPSHOT

   Learning is slow if the inputs have a mean that is far from 0 and is the same in all states. The
   features of all states are then almost equal. In an Atari game, most pixels never change. So the
   mean of each pixel is subtracted from the pixel. All pixels are divided by the same sigma: the
   root mean square of these differences, over all bytes and frames. A separate sigma for each pixel
   would magnify the pixels that hardly vary.

   Main type: risei_frames. Uses rooms memory, kernels. Tests: tests/agent.c, tests/shrink.c. */

/* LIMIT: the largest magnitude of a standardised pixel, in sigmas. SIGMA_LEAST: the least sigma, in
   units of pixel / 255. SIGMA_LEAST bounds the factor of frames that hardly varied before learning
   started. No measurement of other least sigmas is recorded. In Breakout, RISE had a mean return of
   7.5 with LIMIT 8 and of 6.8 with LIMIT 64. The command, one seed each, was
   `./atari --game breakout --memory rise --steps 100k`. */
#define RISEI_FRAMES_LIMIT ((rise_real)8)
#define RISEI_FRAMES_SIGMA_LEAST (1.0 / 64)
/* The factor of frames before the statistics are frozen, and of all frames with raw_frames. */
#define RISEI_FRAMES_RAW (1.0f / 255.0f)
/* The most frames in the statistics. A frame has at most 2^24 bytes. Neither `sums` nor `squares`
   can overflow, because 255 * 2^24 is below 2^32 and 255^2 * 2^48 is below 2^64. */
enum { RISEI_FRAMES_SEEN_MAX = 1 << 24 };

typedef struct risei_frames {
    rise_frame_scale scale; /* what conv nets use now */
    size_t bytes;           /* of a frame */
    /* 0: desc.raw_frames is 1, or there are no frames; all members below are then 0 */
    int standardises;
    /* 1: frames change no sum, and scale.mean is `mean`. With several processes, reduce_fn then
       replaces `mean` and scale.factor by those of process 0. If reduce_fn fails, statistics_frozen
       becomes 0 again. */
    int statistics_frozen;
    int64_t seen;           /* frames in the statistics */
    uint32_t *sums;         /* [bytes]: sum of each byte over the frames; NULL with play_only */
    uint64_t squares;       /* sum of the squares of all bytes over the frames */
    uint8_t *mean;          /* [bytes]: the mean frame, rounded */
} risei_frames;

RISEI_FN void risei_frames_layout(risei_arena *arena, risei_frames *f, const rise_agent_desc *desc)
{
    memset(f, 0, sizeof *f);
    f->scale.factor = (rise_real)RISEI_FRAMES_RAW;
    f->scale.limit = RISEI_FRAMES_LIMIT;
    f->bytes = (size_t)desc->frame_width * (size_t)desc->frame_height *
               (size_t)desc->frame_channels;
    f->standardises = !desc->raw_frames && f->bytes > 0;
    if (!f->standardises) return;
    f->mean = RISEI_TAKE(arena, uint8_t, f->bytes);
    if (!desc->play_only) f->sums = RISEI_TAKE(arena, uint32_t, f->bytes);
}
/* Adds a frame to the statistics. Does nothing if frames are not standardised, or if the statistics
   are frozen or already contain RISEI_FRAMES_SEEN_MAX frames. The sums are exact integers. */
RISEI_FN void risei_frames_observe(risei_frames *f, const uint8_t *frame)
{
    uint64_t squares = 0;
    size_t i;
    if (!f->standardises || f->statistics_frozen || f->seen == RISEI_FRAMES_SEEN_MAX) return;
    for (i = 0; i < f->bytes; i++) {
        uint32_t const x = frame[i];
        f->sums[i] += x;
        squares += x * x;
    }
    f->squares += squares;
    f->seen++;
}
/* Sets the scale to `mean` and this factor, and marks the statistics as frozen. */
RISEI_FN void risei_frames_use(risei_frames *f, rise_real factor)
{
    f->statistics_frozen = 1;
    f->scale.mean = f->mean;
    f->scale.factor = factor;
}
/* Freezes the statistics: computes the mean frame and sigma, and sets the scale from both. Does
   nothing if frames are not standardised, or if the statistics are already frozen. Without any
   frame, the mean is 0 and sigma is RISEI_FRAMES_SIGMA_LEAST. */
RISEI_FN void risei_frames_freeze_statistics(risei_frames *f)
{
    double const seen = f->seen > 0 ? (double)f->seen : 1;
    double of_means = 0, variance, sigma; /* of_means: sum of the squared means before rounding */
    size_t i;
    if (!f->standardises || f->statistics_frozen) return;
    for (i = 0; i < f->bytes; i++) {
        double const mean = (double)f->sums[i] / seen;
        f->mean[i] = (uint8_t)(mean + 0.5);
        of_means = of_means + mean * mean;
    }
    variance = ((double)f->squares / seen - of_means) / (double)f->bytes;
    sigma = variance > 0 ? sqrt(variance) / 255 : 0;
    if (sigma < RISEI_FRAMES_SIGMA_LEAST) sigma = RISEI_FRAMES_SIGMA_LEAST;
    risei_frames_use(f, (rise_real)(1 / (255 * sigma)));
}

/* -- Small frames from pictures -- */

/* Returns how many bytes a pixel has. */
RISEI_FN int risei_pixel_bytes(rise_pixels format)
{
    return format == RISE_PIXELS_GREY ? 1 : format >= RISE_PIXELS_RGBA ? 4 : 3;
}
/* The arguments of rise_frame_shrink, and values computed from them. The horizontal axis has
   picture.width * width units. A pixel of the picture is `width` units long, and a pixel of the
   frame is picture.width units long. So all edges of pixels are at whole units. The vertical axis
   has picture.height * height units and works in the same way. */
typedef struct risei_shrink {
    const rise_kernels *kernels;
    rise_picture picture;
    int bytes;                   /* of a pixel of the picture */
    int width, height, channels; /* of the frame */
    int luminance;               /* 1: the frame is grey and the picture is not */
    int red, green, blue;        /* their indices in a pixel of the picture */
    int64_t units;               /* sum of all weights of a pixel of the frame */
    double reciprocal;           /* 1 / units, rounded */
} risei_shrink;

/* Returns total / units, rounded to nearest, ties to even. The quotient is at most 255, so `mean`
   differs from the right integer by at most 1. The remainder total - mean * units is exact. `twice`
   is twice the remainder. If |twice| > units, `mean` is wrong by 1. If |twice| = units, the
   quotient is halfway between two integers, so an odd `mean` moves to the even one. |twice| and
   units are integers, so |twice| + odd > units tests both cases. */
RISEI_FN uint8_t risei_shrink_mean(const risei_shrink *s, uint64_t total)
{
    int64_t const mean = (int64_t)((double)(int64_t)total * s->reciprocal + 0.5);
    int64_t const twice = 2 * ((int64_t)total - mean * s->units), odd = mean & 1;
    return (uint8_t)(mean + (twice + odd > s->units) - (odd - twice > s->units));
}
/* Writes `count` pixels [channels] of the frame. `totals` [count][lanes]: for each pixel, the
   weighted sums over the area of the pixel. `lanes`: 1 for a grey picture, else 4. */
RISEI_FN void risei_shrink_write(const risei_shrink *shrink, const uint32_t *totals, int lanes,
                                 int count, uint8_t *out)
{
    /* a copy: stores to `out` cannot change the copy, so its members can stay in registers */
    risei_shrink const s = *shrink;
    int i;
    if (s.luminance) {
        for (i = 0; i < count; i++, totals += lanes)
            out[i] = risei_shrink_mean(&s, UINT64_C(9798) * totals[s.red] +
                                               UINT64_C(19235) * totals[s.green] +
                                               UINT64_C(3735) * totals[s.blue]);
    } else if (s.channels == 1) {
        for (i = 0; i < count; i++) out[i] = risei_shrink_mean(&s, totals[i * lanes]);
    } else {
        for (i = 0; i < count; i++, totals += lanes, out += 3) {
            out[0] = risei_shrink_mean(&s, totals[s.red]);
            out[1] = risei_shrink_mean(&s, totals[s.green]);
            out[2] = risei_shrink_mean(&s, totals[s.blue]);
        }
    }
}
/* The most columns that are summed at a time, and the most pixels of the frame that are written at
   a time. The sums of 256 columns need 4 KiB of the stack, and the running sums another 4 KiB. No
   measurement of other numbers is recorded. */
enum { RISEI_SHRINK_COLUMNS = 256, RISEI_SHRINK_PIXELS = 64 };

/* The state of a row of the frame between two calls of risei_shrink_columns. */
typedef struct risei_shrink_at {
    int x;                /* the next pixel of the frame */
    int column, rest;     /* pixel x ends `rest` units right of the left edge of column `column` */
    uint32_t integral[4]; /* the sums of all columns so far, for each byte of a pixel */
    uint32_t before[4];   /* the weighted sums up to the left edge of pixel x */
} risei_shrink_at;

/* Computes totals [pixels][lanes] of the next pixels that end in columns from .. from + count - 1.
   Computes at most RISEI_SHRINK_PIXELS pixels, and returns the number of pixels. `integral`
   [count + 1][lanes]: the running sums of the columns. An edge of a pixel can be inside a column:
   the running sum is then interpolated. The total of a pixel is the difference of the sums at its
   two edges. Sums are computed modulo 2^32. The totals are still exact, because a total is at most
   255 * 2^24. */
RISEI_INLINE int risei_shrink_edges(const risei_shrink *s, int lanes, int from, int count,
                                    const uint32_t *integral, risei_shrink_at *at,
                                    uint32_t *totals)
{
    int const step = s->picture.width / s->width, more = s->picture.width % s->width;
    int const width = s->width, end = s->picture.width;
    int x = at->x, column = at->column, rest = at->rest, pixels, c;
    uint32_t before[4];
    memcpy(before, at->before, sizeof before);
    for (pixels = 0; pixels < RISEI_SHRINK_PIXELS && x < width && column < from + count; pixels++) {
        const uint32_t *const edge = integral + (column - from) * lanes;
        for (c = 0; c < lanes; c++) {
            uint32_t const up_to = (uint32_t)width * edge[c] +
                                   (uint32_t)rest * (edge[c + lanes] - edge[c]);
            totals[pixels * lanes + c] = up_to - before[c];
            before[c] = up_to;
        }
        x++, column += step, rest += more;
        if (rest >= width) rest -= width, column++;
        if (x == width - 1) column = end - 1, rest = width; /* the end of the last column */
    }
    memcpy(at->before, before, sizeof before);
    at->x = x, at->column = column, at->rest = rest;
    return pixels;
}
/* Adds `count` columns, from column `from` on, to a row of the frame. Writes all pixels that end in
   these columns. `sums` [count][bytes]: the weighted sums of the columns. `bytes` and `lanes` are
   constants, so that compilers make vectors of four lanes. A picture with colours has four lanes,
   and the result of the fourth is not used. With 3 bytes a pixel, the fourth lane reads the number
   that follows, so `sums` must have one number more. */
RISEI_INLINE void risei_shrink_columns(const risei_shrink *s, int bytes, int lanes, int from,
                                       int count, const rise_real *sums, risei_shrink_at *at,
                                       uint8_t *out)
{
    uint32_t integral[(RISEI_SHRINK_COLUMNS + 1) * 4], totals[RISEI_SHRINK_PIXELS * 4];
    uint32_t sum[4];
    int pixels, i, c;
    memcpy(sum, at->integral, sizeof sum);
    for (c = 0; c < lanes; c++) integral[c] = sum[c];
    for (i = 0; i < count; i++)
        for (c = 0; c < lanes; c++)
            integral[(i + 1) * lanes + c] = sum[c] += (uint32_t)(int32_t)sums[i * bytes + c];
    memcpy(at->integral, sum, sizeof sum);
    do {
        uint8_t *const to = out + at->x * s->channels;
        pixels = risei_shrink_edges(s, lanes, from, count, integral, at, totals);
        risei_shrink_write(s, totals, lanes, pixels, to);
    } while (pixels == RISEI_SHRINK_PIXELS);
}
/* Writes row `row` of the frame. Reads RISEI_SHRINK_COLUMNS columns of the picture at a time. First
   sums the pixels of each column. The weight of a pixel is its number of vertical units within the
   row. The sum of a column is an integer up to 255 * 4096, so even a float holds the sum
   exactly. */
RISEI_FN void risei_shrink_row(const risei_shrink *s, int row, uint8_t *out)
{
    const rise_picture *const p = &s->picture;
    rise_real sums[RISEI_SHRINK_COLUMNS * 4 + 1], weights[3];
    int const top = row * p->height, bottom = top + p->height; /* units */
    int const first = top / s->height, last = (bottom - 1) / s->height;
    int const end = (first + 1) * s->height;
    risei_shrink_at at;
    int from;
    weights[0] = (rise_real)((end < bottom ? end : bottom) - top);
    weights[1] = (rise_real)s->height;
    weights[2] = (rise_real)(bottom - last * s->height);
    memset(&at, 0, sizeof at);
    at.column = p->width / s->width, at.rest = p->width % s->width;
    if (s->width == 1) at.column = p->width - 1, at.rest = 1;
    for (from = 0; from < p->width; from += RISEI_SHRINK_COLUMNS) {
        int const left = p->width - from;
        int const count = left < RISEI_SHRINK_COLUMNS ? left : RISEI_SHRINK_COLUMNS;
        s->kernels->sum_rows(count * s->bytes, last - first + 1,
                             p->pixels + first * p->stride + (ptrdiff_t)from * s->bytes, p->stride,
                             weights, sums);
        sums[count * s->bytes] = 0; /* with three bytes, the fourth lane of the last column */
        switch (s->bytes) {
        case 1: risei_shrink_columns(s, 1, 1, from, count, sums, &at, out); break;
        case 3: risei_shrink_columns(s, 3, 4, from, count, sums, &at, out); break;
        default: risei_shrink_columns(s, 4, 4, from, count, sums, &at, out);
        }
    }
}
RISE_API rise_result rise_frame_shrink(const rise_kernels *kernels, const rise_picture *picture,
                                       uint8_t *frame, int width, int height, int channels,
                                       rise_error *error)
{
    enum { RISEI_PICTURE = 4096, RISEI_FRAME = 1024 };
    risei_shrink s;
    rise_picture p;
    ptrdiff_t row_bytes;
    int row;
    if (picture == NULL || picture->pixels == NULL || frame == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL",
                          picture == NULL           ? "picture"
                          : picture->pixels == NULL ? "picture->pixels"
                                                    : "frame");
    p = *picture;
    if (p.width < 1 || p.height < 1 || p.width > RISEI_PICTURE || p.height > RISEI_PICTURE)
        return risei_fail(error, RISE_BAD_CALL,
                          "the picture has %d x %d pixels; 1..%d are possible", p.width, p.height,
                          RISEI_PICTURE);
    if (width < 1 || height < 1 || width > RISEI_FRAME || height > RISEI_FRAME)
        return risei_fail(error, RISE_BAD_CALL, "the frame has %d x %d pixels; 1..%d are possible",
                          width, height, RISEI_FRAME);
    if ((channels != 1 && channels != 3) || (unsigned)p.format > RISE_PIXELS_BGRA)
        return risei_fail(error, RISE_BAD_CALL,
                          channels != 1 && channels != 3
                              ? "channels is %d; a frame has 1 (grey) or 3"
                              : "format is %d, which is none of rise_pixels",
                          channels != 1 && channels != 3 ? channels : (int)p.format);
    s.kernels = kernels != NULL
                    ? kernels
                    : rise_kernels_of(sizeof(rise_real) == 4 ? RISE_ISA_C : RISE_ISA_REF);
    s.bytes = risei_pixel_bytes(p.format);
    row_bytes = (ptrdiff_t)p.width * s.bytes;
    if (p.stride == 0) p.stride = row_bytes;
    if (p.height > 1 && p.stride < row_bytes && -row_bytes < p.stride)
        return risei_fail(error, RISE_BAD_CALL,
                          "stride is %.0f; it counts bytes, and a row has %.0f", (double)p.stride,
                          (double)row_bytes);
    s.picture = p;
    s.width = width, s.height = height, s.channels = channels;
    s.luminance = channels == 1 && s.bytes > 1;
    s.red = p.format == RISE_PIXELS_BGR || p.format == RISE_PIXELS_BGRA ? 2 : 0;
    s.blue = 2 - s.red, s.green = 1;
    if (s.bytes == 1) s.red = s.green = s.blue = 0;
    s.units = (int64_t)p.width * p.height * (s.luminance ? 1 << 15 : 1);
    s.reciprocal = 1 / (double)s.units;
    for (row = 0; row < height; row++)
        risei_shrink_row(&s, row, frame + (ptrdiff_t)row * width * channels);
    return RISE_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>layers: linear and conv layers, max pools, ReLU, and the conv encoder that is built of them

   Each layer has a forward and a backward function. Within one part of the batch (see batch_parts),
   a layer runs backward only once. So its backward function assigns the gradients instead of adding
   to them. The learner adds up the gradients of the parts.

   Main types: risei_parameters, risei_linear, risei_image, risei_conv, risei_encoder_input,
   risei_encoder (the layers) and risei_encoder_data (their activations and gradients).
   Uses the rooms: platform, memory, random, kernels (matrices and products), threads.
   Tests: tests/gradients.c (all passes, in double), tests/kernels.c (frames give the same bits as
   images; both methods for the data gradient of a conv give the same bits), tests/layers_torch.py
   (against PyTorch).

   Names used in this room:
     w, g      all parameters of a network, and all their gradients; a layer holds offsets into both
     x, y      input and output of a layer; dx, dy: the gradients of the loss with respect to them
     n         index of an image in a batch of `count` images
     iy, ix    row and column of an input pixel (of x and dx)
     oy, ox    row and column of an output pixel (of y and dy)
     ky, kx    row and column of a kernel; a pair (ky, kx) is one tap
     ry, py, ty, and rx, px, tx: see "How a conv computes its data gradient"
     c, e, a   a conv layer, an encoder, and the encoder's activations and gradients
     d, p      the device, and a matrix product or the parameters
     l         index of a layer of an encoder; in risei_linear functions, the linear layer */

RISEI_FN void risei_zero(rise_real *x, ptrdiff_t count)
{
    if (x != NULL && count > 0) memset(x, 0, (size_t)count * sizeof *x);
}
/* Counts the parameters while the layers of a network are made. All parameters of a network are one
   array. */
typedef struct risei_parameters {
    size_t count;
    int int8; /* 1: linear layers and convs have 8-bit weights */
} risei_parameters;

/* Reserves `count` parameters. Returns the offset of the first one. */
RISEI_FN size_t risei_parameters_reserve(risei_parameters *p, size_t count)
{
    size_t const offset = p->count;
    p->count = risei_arena_plus(offset, count);
    return offset;
}
/* Draws w [count] uniformly from [-b, b) with b = 1 / sqrt(fan_in), as PyTorch initialises its
   layers. */
RISEI_FN void risei_parameters_draw(rise_real *w, size_t count, int fan_in, risei_random *random)
{
    rise_real const bound = 1 / risei_sqrt((rise_real)fan_in);
    size_t i;
    for (i = 0; i < count; i++) w[i] = (2 * risei_random_uniform(random) - 1) * bound;
}

/* A linear (dense) layer: y [rows][out] = x [rows][in] W + b. With 8-bit weights, column j of W is
   scales[j] times integers in -127 .. 127. */
typedef struct risei_linear {
    int in, out, has_bias;
    int int8; /* 1: the weights have 8 bits, and the layer has no backward pass */
    /* Offsets into the parameters: W as rise_matrix_panels [in][out], and b [out]. With int8, W is
       bytes as in rise_int8_product, and there are scales [out]. */
    size_t weights, scales, bias;
} risei_linear;

/* Returns how many parameters hold the 8-bit weights of a layer. Each parameter holds four weights.
   `runs` and `run` are those of rise_int8_product. */
RISEI_FN size_t risei_int8_reserved(int runs, int run, int outputs)
{
    size_t const each = risei_arena_times((size_t)runs, (size_t)risei_int8_even(run));
    return risei_arena_plus(risei_arena_times(each, (size_t)outputs), 3) / 4;
}
RISEI_FN risei_linear risei_linear_make(risei_parameters *p, int in, int out, int has_bias)
{
    risei_linear layer;
    layer.in = in, layer.out = out, layer.has_bias = has_bias, layer.int8 = p->int8;
    layer.weights = risei_parameters_reserve(
        p, p->int8 ? risei_int8_reserved(1, in, out) : risei_arena_times((size_t)in, (size_t)out));
    layer.scales = risei_parameters_reserve(p, p->int8 ? (size_t)out : 0);
    layer.bias = risei_parameters_reserve(p, has_bias ? (size_t)out : 0);
    return layer;
}
/* Draws W uniformly from [-b, b) with b = 1 / sqrt(fan_in). Draws in row-major order, so that the
   weights do not depend on the memory layout. */
RISEI_FN void risei_linear_initialise_weights(const risei_linear *l, rise_real *w, int fan_in,
                                              risei_random *random)
{
    rise_matrix const m = rise_matrix_panels(w + l->weights, l->in, l->out);
    int i, j;
    for (i = 0; i < l->in; i++)
        for (j = 0; j < l->out; j += m.run)
            risei_parameters_draw(w + l->weights + risei_walk_offset(&m.rows, i) +
                                      risei_matrix_column(&m, j),
                                  (size_t)m.run, fan_in, random);
}
/* Draws W and b. The layer must have a bias. */
RISEI_FN void risei_linear_initialise(const risei_linear *l, rise_real *w, risei_random *random)
{
    risei_linear_initialise_weights(l, w, l->in, random);
    risei_parameters_draw(w + l->bias, (size_t)l->out, l->in, random);
}

/* -- 8-bit weights --

   Each row of x (of a conv: each image) is rounded to integers q with a scale: x is about
   scale * q. Then

     y[j] = b[j] + scale * scales[j] * (sum over k of q[k] w[j][k]).

   The sum is exact, so it does not depend on the instruction set. |q| is at most
   risei_int8_limit(number of terms): 32767 up to 512 terms, less for longer sums. With
   |q| <= 1023 for all layers, the largest error in tests/int8.c was 4 times as large. */

/* risei_check_int8 refuses a layer whose risei_int8_limit is below this number: a layer whose sums
   have more than 266305 terms (INT32_MAX / 128 / 63). The length of each run of weights is rounded
   up to even first. No measurement of other values is recorded. */
enum { RISEI_INT8_LEAST = 63 };
/* Returns the largest |q| for which a sum of n terms fits into 32 bits, but at most 32767. A
   weight counts as 128, because a forged file may hold -128. n must be above 0. Returns 0 if n is
   above 16777215. */
RISEI_FN int risei_int8_limit(int n) { return risei_minimum(INT32_MAX / 128 / n, 32767); }

/* The job of a linear layer with 8-bit weights. */
typedef struct risei_int8_job {
    const rise_kernels *kernels;
    rise_int8_product product;
} risei_int8_job;

/* The most rows of x in one job. The scratch has room for this number of rounded rows, or for all
   rows if they are fewer. All rows of a job use a block of weights while the block is in the
   cache. */
enum { RISEI_INT8_ROWS = 4 };
/* Computes some blocks of outputs, for all rows of the job. */
RISEI_FN void risei_int8_part(void *job, int part, int parts, void *scratch)
{
    rise_int8_product p = ((const risei_int8_job *)job)->product;
    int first, end;
    (void)scratch;
    risei_part_range(p.outputs, RISEI_INT8_BLOCK, part, parts, &first, &end);
    p.w += (ptrdiff_t)first * risei_int8_even(p.run);
    p.scales += first, p.y += first;
    if (p.bias != NULL) p.bias += first;
    p.outputs = end - first;
    ((const risei_int8_job *)job)->kernels->int8_product(&p);
}
/* Computes y = x W + b, as risei_linear_multiply does, with 8-bit weights. */
RISEI_FN void risei_int8_multiply(const risei_device *d, const risei_linear *l, const rise_real *w,
                                  int rows, const rise_real *x, ptrdiff_t x_stride, rise_real *y,
                                  ptrdiff_t y_stride, int relu, int accumulate)
{
    int16_t *const q = (int16_t *)d->scratch;
    ptrdiff_t const even = risei_int8_even(l->in);
    int const limit = risei_int8_limit((int)even);
    rise_real scale[RISEI_INT8_ROWS];
    risei_int8_job job;
    rise_int8_product *const p = &job.product;
    int row;
    job.kernels = d->kernels;
    p->x = q, p->x_step = even, p->run_stride = 0;
    p->runs = 1, p->run = l->in, p->outputs = l->out, p->relu = relu, p->accumulate = accumulate;
    p->w = (const int8_t *)(const void *)(w + l->weights);
    p->x_scales = scale, p->x_scale_step = 1, p->scales = w + l->scales;
    p->bias = l->has_bias && !accumulate ? w + l->bias : NULL;
    p->y_step = y_stride;
    for (; rows > 0; rows -= p->count, x += p->count * x_stride, y += p->count * y_stride) {
        p->count = risei_minimum(rows, RISEI_INT8_ROWS);
        for (row = 0; row < p->count; row++) {
            q[row * even + even - 1] = 0;
            scale[row] =
                d->kernels->int8_round(l->in, x + row * x_stride, limit, q + row * even);
        }
        p->y = y;
        risei_device_run(d, (double)l->in * l->out * p->count, risei_int8_part, &job);
    }
}

/* -- Forward and backward -- */

/* Computes y = x W + b, or y + x W if `accumulate`, and then max(0, y) if `relu`. Without a bias, b
   is 0. Rows of x and of y are `x_stride` and `y_stride` elements apart. */
RISEI_FN void risei_linear_multiply(const risei_device *d, const risei_linear *l,
                                    const rise_real *w, int rows, const rise_real *x,
                                    ptrdiff_t x_stride, rise_real *y, ptrdiff_t y_stride, int relu,
                                    int accumulate)
{
    rise_product p;
    if (l->int8) {
        risei_int8_multiply(d, l, w, rows, x, x_stride, y, y_stride, relu, accumulate);
        return;
    }
    memset(&p, 0, sizeof p);
    p.m = rows, p.n = l->out, p.k = l->in;
    p.a = rise_matrix_plain(x, x_stride);
    p.b = rise_matrix_panels(w + l->weights, l->in, l->out);
    p.c = rise_matrix_plain(y, y_stride);
    p.bias = l->has_bias ? w + l->bias : NULL;
    p.relu = relu, p.accumulate = accumulate;
    risei_product_run(d, &p);
}
/* Computes y = x W + b, or max(0, x W + b) if `relu`. */
RISEI_FN void risei_linear_forward(const risei_device *d, const risei_linear *l, const rise_real *w,
                                   int rows, const rise_real *x, ptrdiff_t x_stride, rise_real *y,
                                   ptrdiff_t y_stride, int relu)
{
    risei_linear_multiply(d, l, w, rows, x, x_stride, y, y_stride, relu, 0);
}
/* Computes dW = x^T dy and, if the layer has a bias, db = the column sums of dy. */
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
    if (l->has_bias) p.sums = g + l->bias;
    risei_product_run(d, &p);
}
/* Computes dW, db and dx = dy W^T. dy is the gradient of x W + b, before any ReLU. dx may be NULL.

   A product must pack a B that is a transpose. dx = dy W^T packs W^T. dx^T = W dy^T packs dy^T and
   reads W in place. In exchange, each tile of the result is transposed before it is stored in dx.
   For up to 64 rows, dy is usually smaller than W, so the second form is used. The best limit
   depends on the cost of packing W and of transposing dx. No measurement of other limits is
   recorded. */
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
    } else { /* dx^T = W dy^T */
        p.m = l->in, p.n = rows;
        p.b = rise_matrix_transpose(p.a), p.a = weights;
        p.c = rise_matrix_transpose(p.c);
    }
    risei_product_run(d, &p);
}

/* Returns the larger of two numbers of bytes. */
RISEI_FN size_t risei_larger(size_t a, size_t b) { return a > b ? a : b; }
/* Returns the bytes of scratch with which the products of a layer x W are fastest. These are the
   products of the forward pass and, with `learn`, of the backward pass. x is [rows][in], W is
   [in][out]. */
RISEI_FN size_t risei_layer_bytes(int rows, int in, int out, int learn)
{
    int const in_place = rows <= RISEI_UNPACKED_ROWS || out % RISE_PANEL == 0;
    size_t const forward = risei_product_bytes(rows, out, in, in_place);
    size_t const weights = risei_product_bytes(in, out, rows, 0);
    size_t const data = risei_larger(risei_product_bytes(rows, in, out, 0),
                                     risei_product_bytes(in, rows, out, 0));
    if (!RISEI_LEARNS || !learn) return forward;
    return risei_larger(forward, risei_larger(weights, data));
}
/* Returns the bytes of scratch of a linear layer: those of risei_layer_bytes. With 8-bit weights,
   returns the bytes of the rounded rows. Without outputs, the layer does not exist: returns 0. */
RISEI_FN size_t risei_linear_bytes(const risei_linear *l, int rows, int learn)
{
    if (l->int8 && l->out > 0)
        return risei_arena_aligned((size_t)risei_int8_even(l->in) * sizeof(int16_t) *
                                   (size_t)(rows < RISEI_INT8_ROWS ? rows : RISEI_INT8_ROWS));
    return l->out > 0 ? risei_layer_bytes(rows, l->in, l->out, learn) : 0;
}

/* Images [count][height + 2 padding][width + 2 padding][channels]. The memory is zero at the start,
   and layers write only zeros to the padding. */
typedef struct risei_image {
    rise_real *data;
    int height, width, channels, padding;
} risei_image;

RISEI_FN risei_image risei_image_make(int height, int width, int channels, int padding)
{
    risei_image image;
    memset(&image, 0, sizeof image);
    image.height = height, image.width = width, image.channels = channels, image.padding = padding;
    return image;
}
/* Returns the number of elements in one row of pixels, with its padding. */
RISEI_FN ptrdiff_t risei_image_row_size(const risei_image *i)
{
    return (ptrdiff_t)(i->width + 2 * i->padding) * i->channels;
}
/* Returns the number of elements in one image, with its padding. */
RISEI_FN ptrdiff_t risei_image_size(const risei_image *i)
{
    return (i->height + 2 * i->padding) * risei_image_row_size(i);
}
/* Returns the offset of pixel (iy, ix) in an image. A pixel of the padding has iy < 0, iy >=
   height, ix < 0 or ix >= width. */
RISEI_FN ptrdiff_t risei_image_at(const risei_image *i, int iy, int ix)
{
    return (iy + i->padding) * risei_image_row_size(i) + (ptrdiff_t)(ix + i->padding) * i->channels;
}
/* Returns a walk over rows x columns pixels of each image. Neighbours in the walk are `stride`
   pixels apart. */
RISEI_FN rise_walk risei_image_walk(const risei_image *i, int rows, int columns, int stride)
{
    rise_walk walk;
    walk.inner = columns;
    walk.middle = rows;
    walk.stride[0] = (ptrdiff_t)stride * i->channels;
    walk.stride[1] = stride * risei_image_row_size(i);
    walk.stride[2] = risei_image_size(i);
    /* If all pixels of the walk are equally spaced, the walk is one plain stride. */
    if (walk.stride[0] * columns == walk.stride[1] && walk.stride[1] * rows == walk.stride[2])
        walk.inner = INT_MAX;
    return walk;
}

enum { RISEI_MAXPOOL_ADAPTIVE = -1 }; /* a value of risei_conv.pool; see risei_maxpool_region_of */

/* A conv layer, and the max pool after it. The layer correlates, as deep learning libraries do:

     y(oy, ox) = b + sum over ky, kx of x(oy stride + ky - pad, ox stride + kx - pad) w(ky, kx)

   Here x(..) is a row vector [channels], and w(ky, kx) is a matrix [channels][filters]. b and
   y(oy, ox) are row vectors [filters]. A ReLU may follow: y = max(0, y). */
typedef struct risei_conv {
    int height, width, channels;    /* of x */
    int filters, size, stride, pad; /* the kernel has size x size pixels */
    int out_height, out_width;      /* of y */
    /* Pixels of zeros that dy needs on each side, so that one product can compute a phase of dx. */
    int dy_padding;
    /* The kernel size of the max pool is pool x pool. 0: no pool. RISEI_MAXPOOL_ADAPTIVE: see
       risei_maxpool_region_of. */
    int pool, pool_stride, pool_pad;
    int pooled_height, pooled_width; /* out_height and out_width if there is no pool */
    /* Offsets into the parameters: weights [size][size][channels][filters] and bias [filters]. With
       int8, the weights are bytes as in rise_int8_product, and there are scales [filters]. */
    size_t weights, scales, bias;
    /* 1: the layer only runs forward, and its weights have the layout of rise_matrix_panels */
    int panels;
    int int8; /* 1: the weights have 8 bits, and the layer has no backward pass */
} risei_conv;

/* How a conv computes its data gradient dx

   This text describes the rows only. Columns work in the same way. In the forward pass, tap ky
   connects row iy of x with row oy of y if oy stride + ky = iy + pad. So

     dx(iy) = sum of dy(oy) w(ky)^T over all oy, ky with oy stride + ky = iy + pad.

   Phases. Only taps with ky % stride == (iy + pad) % stride belong to that sum. The rows of dx with
   the same remainder ry are a phase. In phase ry, a row has the index py, and a tap the index ty:

     iy + pad = ry + stride py,   ky = ry + stride ty,   therefore oy = py - ty, and

     dx(row py of phase ry) = sum over ty of dy(py - ty) w(ry + stride ty)^T.

   So a phase of dx is a conv of dy with stride 1 and a smaller kernel. This conv is a product: A is
   the patches of dy, in place, and B is the taps of the phase. Along a patch oy increases, so ty
   decreases. B therefore reads the kernel backward, from its last tap to its first, by a walk with
   negative strides.

   Example: 8 rows of x, size 4, stride 2, pad 0, so dy has rows 0, 1, 2. Two phases, two taps each:

     phase 0, rows 0 2 4 6 (py = 0 1 2 3):   dx(2 py)     = dy(py) w(0)^T + dy(py - 1) w(2)^T
     phase 1, rows 1 3 5 7 (py = 0 1 2 3):   dx(2 py + 1) = dy(py) w(1)^T + dy(py - 1) w(3)^T

   Bands. At the edges some taps lie outside dy: in the example dy(-1) for py = 0, and dy(3) for
   py = 3. A band is a range of rows py that use the same taps. The example has three bands in each
   phase: py = 0 with ty = 0, py = 1 .. 2 with both taps, and py = 3 with ty = 1. With one product
   for each pair of a row band and a column band, no zeros are multiplied. The alternative is one
   band for the whole phase. Then taps outside dy read zeros, and dy needs `dy_padding` zeros on
   each side.

   Taps. The other method is one product per tap, over the pixels (oy, ox) of dy that the tap
   connects with a pixel of dx. Without padding, these are all pixels of dy. The product adds
   dy(oy, ox) w(ky, kx)^T to the pixel of dx.

   by_pixel. Tiles of a product read rows of A in place if enough of these rows are equally spaced.
   The pixels of one image row are equally spaced, but a narrow band has too few pixels in a row.
   The same pixel of successive images is also equally spaced: the distance is the size of an image.
   So with `by_pixel` the product takes one pixel of all images, then the next pixel.

   Bands and taps give the same bits. Each element of dx adds the same terms, in the order of oy, ox
   and filter. One band for a whole phase also adds zeros, which do not change a sum of finite
   numbers. Test: tests/kernels.c. */

/* One phase of the rows (or columns) of dx. Taps ty (or tx) are 0 .. taps - 1. The rows py inside
   the image are first .. first + count - 1. */
typedef struct risei_conv_phase {
    int taps, first, count;
} risei_conv_phase;

/* Returns phase r of the rows (or columns) of dx. dx has `length` rows (or columns). */
RISEI_FN risei_conv_phase risei_conv_phase_of(const risei_conv *c, int r, int length)
{
    risei_conv_phase phase;
    int const last = (length - 1 + c->pad - r + c->stride) / c->stride - 1;
    phase.taps = r < c->size ? (c->size - r + c->stride - 1) / c->stride : 0;
    phase.first = c->pad > r ? (c->pad - r + c->stride - 1) / c->stride : 0;
    phase.count = last - phase.first + 1;
    return phase;
}

/* Returns the conv layer of `desc` for an x of [height][width][channels], and reserves the layer's
   parameters. A stride of 0 means 1, and a pool_stride of 0 means `pool`. */
RISEI_FN risei_conv risei_conv_make(risei_parameters *p, const rise_conv *desc, int height,
                                    int width, int channels)
{
    risei_conv c;
    size_t taps;
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
    /* A phase reads rows first - (taps - 1) .. first + count - 1 of dy. */
    for (axis = 0; axis < 2 && RISEI_LEARNS; axis++)
        for (r = 0; r < c.stride; r++) {
            risei_conv_phase const phase = risei_conv_phase_of(&c, r, axis ? width : height);
            int const before = phase.taps - 1 - phase.first;
            int const after = phase.first + phase.count - (axis ? c.out_width : c.out_height);
            if (phase.taps == 0 || phase.count <= 0) continue;
            if (c.dy_padding < before) c.dy_padding = before;
            if (c.dy_padding < after) c.dy_padding = after;
        }
    c.int8 = p->int8;
    taps = (size_t)(c.size * c.size);
    c.weights = risei_parameters_reserve(
        p, c.int8 ? risei_int8_reserved(c.size, c.size * channels, c.filters)
                  : risei_arena_times(risei_arena_times(taps, (size_t)channels),
                                      (size_t)c.filters));
    c.scales = risei_parameters_reserve(p, c.int8 ? (size_t)c.filters : 0);
    c.bias = risei_parameters_reserve(p, (size_t)c.filters);
    return c;
}

/* Returns the multiplications of one pass (forward, weights or data) over `count` images. */
RISEI_FN double risei_conv_work(const risei_conv *c, int count)
{
    return (double)count * c->out_height * c->out_width * c->filters *
           (c->size * c->size * c->channels);
}
/* Returns the patches of x, in place: [count * out_height * out_width][size * size * channels]. */
RISEI_FN rise_matrix risei_conv_patches(const risei_conv *c, const risei_image *x)
{
    rise_matrix m;
    m.data = x->data + risei_image_at(x, -c->pad, -c->pad);
    m.rows = risei_image_walk(x, c->out_height, c->out_width, c->stride);
    m.run = c->size * c->channels;
    m.run_stride = risei_image_row_size(x);
    return m;
}

/* Returns the product y = conv(x), or max(0, conv(x)) if `relu`. x needs at least c->pad of
   padding; y may have any padding. */
RISEI_FN rise_product risei_conv_forward_product(const risei_conv *c, const rise_real *w, int count,
                                                 const risei_image *x, const risei_image *y,
                                                 int relu)
{
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = count * c->out_height * c->out_width, p.n = c->filters,
    p.k = c->size * c->size * c->channels;
    p.a = risei_conv_patches(c, x);
    p.b = c->panels ? rise_matrix_panels(w + c->weights, p.k, p.n)
                    : rise_matrix_plain(w + c->weights, c->filters);
    p.c = rise_matrix_plain(y->data + risei_image_at(y, 0, 0), 0);
    p.c.rows = risei_image_walk(y, c->out_height, c->out_width, 1);
    p.bias = w + c->bias;
    p.relu = relu;
    return p;
}
/* Returns the product dW = patches^T dy. The product also computes db = the column sums of dy. */
RISEI_FN rise_product risei_conv_weights_product(const risei_conv *c, rise_real *g, int count,
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
/* The job of a conv with 8-bit weights, for one image. The whole image has one scale. product.x is
   the rounded image with its padding. A part works on a copy of `product`, in which it sets x and y
   for each row of y. */
typedef struct risei_int8_image {
    const rise_kernels *kernels;
    const risei_conv *conv;
    risei_image x, y; /* this image before it is rounded, and its output */
    rise_int8_product product;
} risei_int8_image;

/* Returns how many rounded numbers a conv needs: those of the image with its padding, and one more.
   If the length of a run is odd, int8_product reads one number after the run. */
RISEI_FN size_t risei_int8_image_numbers(const risei_conv *c)
{
    risei_image const x = risei_image_make(c->height, c->width, c->channels, c->pad);
    return (size_t)risei_image_size(&x) + 1;
}
/* Computes some rows of y. */
RISEI_FN void risei_int8_image_part(void *job, int part, int parts, void *scratch)
{
    const risei_int8_image *const i = (const risei_int8_image *)job;
    const risei_conv *const c = i->conv;
    rise_int8_product p = i->product;
    int oy, end;
    (void)scratch;
    risei_part_range(c->out_height, 1, part, parts, &oy, &end);
    for (; oy < end; oy++) {
        p.x = i->product.x + risei_image_at(&i->x, oy * c->stride - c->pad, -c->pad);
        p.y = i->y.data + risei_image_at(&i->y, oy, 0);
        i->kernels->int8_product(&p);
    }
}
/* Computes y = conv(x) with 8-bit weights, as risei_conv_forward does. x must have exactly c->pad
   of padding: the scratch has room for such an image. */
RISEI_FN void risei_int8_conv_forward(const risei_device *d, const risei_conv *c,
                                      const rise_real *w, int count, const risei_image *x,
                                      const risei_image *y, int relu, int add)
{
    int16_t *const q = (int16_t *)d->scratch;
    int const size = (int)risei_image_size(x), run = c->size * c->channels;
    int const limit = risei_int8_limit(c->size * risei_int8_even(run));
    risei_int8_image i;
    rise_int8_product *const p = &i.product;
    rise_real scale;
    i.kernels = d->kernels, i.conv = c;
    p->x = q, p->x_step = (ptrdiff_t)c->stride * c->channels;
    p->run_stride = risei_image_row_size(x), p->runs = c->size, p->run = run;
    p->count = c->out_width, p->outputs = c->filters, p->relu = relu, p->accumulate = add;
    p->w = (const int8_t *)(const void *)(w + c->weights);
    p->x_scales = &scale, p->x_scale_step = 0, p->scales = w + c->scales, p->bias = w + c->bias;
    p->y_step = c->filters;
    q[size] = 0;
    for (i.x = *x, i.y = *y; count > 0; count--) {
        scale = d->kernels->int8_round(size, i.x.data, limit, q);
        risei_device_run(d, risei_conv_work(c, 1), risei_int8_image_part, &i);
        i.x.data += risei_image_size(x), i.y.data += risei_image_size(y);
    }
}
/* Computes y = conv(x), or y += conv(x) if `add`; then y = max(0, y) if `relu`. A product starts
   from the bias or from C, not from both. So with `add` the bias is added to y first. */
RISEI_FN void risei_conv_forward(const risei_device *d, const risei_conv *c, const rise_real *w,
                                 int count, const risei_image *x, const risei_image *y, int relu,
                                 int add)
{
    rise_product p;
    int i;
    if (c->int8) {
        risei_int8_conv_forward(d, c, w, count, x, y, relu, add);
        return;
    }
    p = risei_conv_forward_product(c, w, count, x, y, relu);
    if (add) p.bias = NULL, p.accumulate = 1;
    for (i = 0; i < p.m && add; i++)
        d->kernels->add(c->filters, w + c->bias,
                        y->data + risei_image_at(y, 0, 0) + risei_walk_offset(&p.c.rows, i));
    risei_product_run(d, &p);
}

/* Returns the bytes of scratch with which a conv of `count` images is fastest, as in
   risei_layer_bytes. The backward pass of the max pool needs two numbers for each filter. With
   8-bit weights, returns the bytes of one rounded image. */
RISEI_FN size_t risei_conv_bytes(const risei_conv *c, int count, int learn)
{
    /* from RISEI_B_ROWS on, more pixels change nothing */
    int const pixels = risei_minimum((int64_t)count * c->out_height * c->out_width, RISEI_B_ROWS);
    int const inputs = risei_minimum((int64_t)count * c->height * c->width, RISEI_B_ROWS);
    int const in_place = pixels <= RISEI_UNPACKED_ROWS || c->filters == RISE_PANEL;
    int const taps = c->size * c->size;
    size_t const data = risei_product_bytes(inputs, c->channels, taps * c->filters, 0);
    size_t const weights = risei_product_bytes(taps * c->channels, c->filters, pixels, 0);
    size_t const pool = 2 * (size_t)c->filters * sizeof(rise_real);
    size_t const forward =
        risei_product_bytes(pixels, c->filters, taps * c->channels, c->panels || in_place);
    if (c->int8) return risei_arena_aligned(risei_int8_image_numbers(c) * sizeof(int16_t));
    if (!RISEI_LEARNS || !learn) return forward;
    return risei_larger(risei_larger(forward, pool), risei_larger(weights, data));
}
/* Rows py (or columns px) first .. first + count - 1 of a phase. All these rows use the same taps.
   In the order of oy, the first `skip` taps of the phase lie outside dy, and the next `taps` belong
   to the band. */
typedef struct risei_conv_band {
    int first, count, skip, taps;
} risei_conv_band;

/* Returns the band that starts at row py of a phase, where dy has `dy_length` rows. Without
   `cut_edges`, the whole phase is one band with all taps, and py must be its first row. */
RISEI_FN risei_conv_band risei_conv_band_at(const risei_conv_phase *phase, int dy_length, int py,
                                            int cut_edges)
{
    /* before: the number of taps with oy < 0. after: the number of taps with oy >= dy_length. A
       result below 0 means none. */
    int const before = cut_edges ? phase->taps - 1 - py : 0;
    int const after = cut_edges ? py - (dy_length - 1) : 0;
    int const end = phase->first + phase->count;
    risei_conv_band band;
    band.first = py, band.count = cut_edges ? 1 : phase->count;
    band.skip = before > 0 ? before : 0;
    band.taps = phase->taps - band.skip - (after > 0 ? after : 0);
    /* Rows py .. dy_length - 1 use all taps. */
    if (cut_edges && before <= 0 && after < 0)
        band.count = (dy_length < end ? dy_length : end) - py;
    if (band.taps <= 0) band.taps = band.skip = 0;
    return band;
}
/* Returns a walk over rows x columns pixels of `count` images. In an image, these pixels are
   `stride` pixels apart. Without `by_pixel`, the walk goes image by image. With `by_pixel`, the
   walk takes one pixel of all images, then the next pixel. */
RISEI_FN rise_walk risei_conv_walk(const risei_image *x, int rows, int columns, int stride,
                                   int count, int by_pixel)
{
    rise_walk const by_image = risei_image_walk(x, rows, columns, stride);
    rise_walk walk;
    walk.inner = count, walk.middle = columns;
    walk.stride[0] = by_image.stride[2], walk.stride[1] = by_image.stride[0],
    walk.stride[2] = by_image.stride[1];
    return by_pixel ? walk : by_image;
}
/* Computes the pixels of dx in phase (ry, rx), in one band of rows and one band of columns. A is
   the patches of dy. B is the taps of the two bands, from the last to the first. A band without
   taps has k = 0, so the product writes zeros. */
RISEI_FN void risei_conv_backward_band(const risei_device *d, const risei_conv *c,
                                       const rise_real *w, int count, const risei_image *dy,
                                       const risei_image *dx, int ry, int rx,
                                       const risei_conv_band *rows, const risei_conv_band *columns,
                                       int by_pixel)
{
    int const f = c->filters, tap_size = c->channels * f;
    int const last_ty = risei_conv_phase_of(c, ry, c->height).taps - 1;
    int const last_tx = risei_conv_phase_of(c, rx, c->width).taps - 1;
    rise_product p;
    memset(&p, 0, sizeof p);
    p.m = count * rows->count * columns->count, p.n = c->channels,
    p.k = rows->taps * columns->taps * f;
    p.c = rise_matrix_plain(dx->data + risei_image_at(dx, ry + c->stride * rows->first - c->pad,
                                                      rx + c->stride * columns->first - c->pad),
                            0);
    p.c.rows = risei_conv_walk(dx, rows->count, columns->count, c->stride, count, by_pixel);
    p.a = rise_matrix_plain(dy->data, 0);
    p.b = rise_matrix_transpose(rise_matrix_plain(w + c->weights, f));
    if (p.k > 0) {
        /* The patches start with the last taps of the two bands, (ky, kx). */
        int const ky = ry + c->stride * (last_ty - rows->skip);
        int const kx = rx + c->stride * (last_tx - columns->skip);
        p.a.data = dy->data + risei_image_at(dy, rows->first - last_ty + rows->skip,
                                             columns->first - last_tx + columns->skip);
        p.a.rows = risei_conv_walk(dy, rows->count, columns->count, 1, count, by_pixel);
        p.a.run = columns->taps * f;
        p.a.run_stride = risei_image_row_size(dy);
        p.b.data = w + c->weights + (ptrdiff_t)(ky * c->size + kx) * tap_size;
        p.b.rows.inner = f, p.b.rows.middle = columns->taps;
        p.b.rows.stride[1] = -(ptrdiff_t)c->stride * tap_size;
        p.b.rows.stride[2] = -(ptrdiff_t)c->stride * c->size * tap_size;
    }
    risei_product_run(d, &p);
}
/* Returns the rows oy of dy that row k of the kernel connects with dx: first .. first + count - 1.
   There are none if count <= 0. The member `taps` of the result is not used. x has `length` rows,
   and dy has `out_length` rows. Columns work in the same way. */
RISEI_FN risei_conv_phase risei_conv_tap_rows(const risei_conv *c, int k, int length,
                                              int out_length)
{
    risei_conv_phase tap = risei_conv_phase_of(c, k % c->stride, length);
    int const first = tap.first - k / c->stride, end = first + tap.count;
    tap.first = first > 0 ? first : 0;
    tap.count = (end < out_length ? end : out_length) - tap.first;
    return tap;
}
/* Computes dx with one product per tap. No zeros are multiplied, and each weight is in one product
   only. But dx is read and written once per tap. The taps go from the last to the first, as in
   bands, so that each sum has the same order. */
RISEI_FN void risei_conv_backward_taps(const risei_device *d, const risei_conv *c,
                                       const rise_real *w, int count, const risei_image *dy,
                                       const risei_image *dx)
{
    int const f = c->filters, tap_size = c->channels * f;
    int n, iy, tap;
    for (n = 0; n < count; n++)
        for (iy = 0; iy < dx->height; iy++)
            risei_zero(dx->data + n * risei_image_size(dx) + risei_image_at(dx, iy, 0),
                       dx->width * dx->channels);
    for (tap = c->size * c->size - 1; tap >= 0; tap--) {
        int const ky = tap / c->size, kx = tap % c->size;
        risei_conv_phase const rows = risei_conv_tap_rows(c, ky, c->height, c->out_height);
        risei_conv_phase const columns = risei_conv_tap_rows(c, kx, c->width, c->out_width);
        rise_product p;
        if (rows.count <= 0 || columns.count <= 0) continue;
        memset(&p, 0, sizeof p);
        p.m = count * rows.count * columns.count, p.n = c->channels, p.k = f;
        p.accumulate = 1;
        p.a = rise_matrix_plain(dy->data + risei_image_at(dy, rows.first, columns.first), 0);
        p.a.rows = risei_image_walk(dy, rows.count, columns.count, 1);
        p.b =
            rise_matrix_transpose(rise_matrix_plain(w + c->weights + (ptrdiff_t)tap * tap_size, f));
        p.c = rise_matrix_plain(dx->data + risei_image_at(dx, c->stride * rows.first + ky - c->pad,
                                                          c->stride * columns.first + kx - c->pad),
                                0);
        p.c.rows = risei_image_walk(dx, rows.count, columns.count, c->stride);
        risei_product_run(d, &p);
    }
}
/* Limits for the number of images.

   BANDS_IMAGES: with at least this number of images, row bands are cut at the edges of dy. Cut row
   bands multiply no zeros above or below dy, but there are more products, and each product has
   fewer rows. The best limit depends on the share of edge rows and on the rows of a tile. No
   measurement of other limits is recorded.

   GROUP_IMAGES: dx of a large batch is computed in groups of this number of images. Each product of
   a phase reads dy and writes dx of all images of a group. In a small group, dy and dx stay in the
   cache. The best size depends on the size of the cache. With groups of 32, the data gradient of
   256 images of the second conv of RISE_NETWORK_NATURE was 1.2 times as fast as without groups. The
   command was `make bench-kernels`, row nature2, b256, data. */
enum { RISEI_CONV_BANDS_IMAGES = 8, RISEI_CONV_GROUP_IMAGES = 32 };

/* Computes dx band by band. With at least BANDS_IMAGES images, row bands are cut at the edges of
   dy. Then, in a phase of at most 16 columns, column bands are cut too, and the products use
   by_pixel. The best limit of columns depends on the share of edge columns and on the rows of a
   tile. No measurement of other limits is recorded. */
RISEI_FN void risei_conv_backward_bands(const risei_device *d, const risei_conv *c,
                                        const rise_real *w, int count, const risei_image *dy,
                                        const risei_image *dx)
{
    int const cut_rows = count >= RISEI_CONV_BANDS_IMAGES;
    int ry, rx, py, px;
    for (ry = 0; ry < c->stride; ry++)
        for (rx = 0; rx < c->stride; rx++) {
            risei_conv_phase const rows = risei_conv_phase_of(c, ry, c->height);
            risei_conv_phase const columns = risei_conv_phase_of(c, rx, c->width);
            int const narrow = cut_rows && columns.count <= 16;
            risei_conv_band row_band, column_band;
            for (py = rows.first; py < rows.first + rows.count; py += row_band.count) {
                row_band = risei_conv_band_at(&rows, c->out_height, py, cut_rows);
                for (px = columns.first; px < columns.first + columns.count;
                     px += column_band.count) {
                    column_band = risei_conv_band_at(&columns, c->out_width, px, narrow);
                    risei_conv_backward_band(d, c, w, count, dy, dx, ry, rx, &row_band,
                                             &column_band, narrow);
                }
            }
        }
}
/* Computes dx with one product per tap or with bands. With fewer than BANDS_IMAGES images, bands
   are not cut, so bands multiply zeros. Taps multiply no zeros, but read and write dx once per tap.

   Taps are faster under two conditions. First, zeros must be a large share of the patches of
   dy. Zeros are a large share if the conv has no padding and dy has at most 16 columns. Second,
   each tap must have enough multiplications: at least 32 filters. The residual units of IMPALA have
   padding, so their dx is computed with bands.

   For one image of the third conv of RISE_NETWORK_NATURE, taps were 1.4 times as fast as bands
   (`make bench-kernels`, row nature3, b1, data). For four images, taps executed 0.63 times as many
   instructions as bands. No measurement of other limits for columns and filters is recorded. */
RISEI_FN void risei_conv_backward_images(const risei_device *d, const risei_conv *c,
                                         const rise_real *w, int count, const risei_image *dy,
                                         const risei_image *dx)
{
    if (count < RISEI_CONV_BANDS_IMAGES && c->pad == 0 && c->out_width <= 16 && c->filters >= 32)
        risei_conv_backward_taps(d, c, w, count, dy, dx);
    else
        risei_conv_backward_bands(d, c, w, count, dy, dx);
}
/* The job of the data gradient of a large batch. Each part computes dx of some of the images. So
   the threads need one job for all products. If the threads divided each product instead, each
   product would be a job. In the second conv of RISE_NETWORK_NATURE, there would be 36 jobs for
   each group of images. */
typedef struct risei_conv_data_job {
    const rise_kernels *kernels;
    const risei_conv *conv;
    const rise_real *w;
    const risei_image *dy, *dx;
    int count;
    size_t product_bytes;
} risei_conv_data_job;

/* Computes dx of the part's images, in groups of GROUP_IMAGES. When fewer than
   1.5 * GROUP_IMAGES images are left, they are one group, so that no small group remains. */
RISEI_FN void risei_conv_data_part(void *job, int part, int parts, void *scratch)
{
    const risei_conv_data_job *const j = (const risei_conv_data_job *)job;
    risei_device own; /* the part's own scratch, no threads */
    int n, end, group;
    memset(&own, 0, sizeof own);
    own.kernels = j->kernels, own.scratch = scratch, own.product_bytes = j->product_bytes;
    for (risei_part_range(j->count, 1, part, parts, &n, &end); n < end; n += group) {
        risei_image dy = *j->dy, dx = *j->dx;
        dy.data += n * risei_image_size(&dy), dx.data += n * risei_image_size(&dx);
        group = end - n < 3 * RISEI_CONV_GROUP_IMAGES / 2 ? end - n : RISEI_CONV_GROUP_IMAGES;
        risei_conv_backward_images(&own, j->conv, j->w, group, &dy, &dx);
    }
}
/* Computes dx. With at least BANDS_IMAGES images per thread, the threads divide the images. With
   fewer images, the threads divide each product. */
RISEI_FN void risei_conv_backward_data(const risei_device *d, const risei_conv *c,
                                       const rise_real *w, int count, const risei_image *dy,
                                       const risei_image *dx)
{
    risei_conv_data_job j;
    j.kernels = d->kernels, j.conv = c, j.w = w, j.dy = dy, j.dx = dx, j.count = count;
    j.product_bytes = d->product_bytes;
    if (count < RISEI_CONV_BANDS_IMAGES * risei_device_threads(d))
        risei_conv_backward_images(d, c, w, count, dy, dx);
    else
        risei_device_run(d, risei_conv_work(c, count), risei_conv_data_part, &j);
}
/* Computes dW, db and dx. dy is the gradient of conv(x), before any ReLU. dx may be NULL; otherwise
   dy needs c->dy_padding of padding. */
RISEI_FN void risei_conv_backward(const risei_device *d, const risei_conv *c, const rise_real *w,
                                  rise_real *g, int count, const risei_image *x,
                                  const risei_image *dy, const risei_image *dx)
{
    rise_product const p = risei_conv_weights_product(c, g, count, x, dy);
    risei_product_run(d, &p);
    if (dx != NULL) risei_conv_backward_data(d, c, w, count, dy, dx);
}

/* The input of an encoder: images of rise_real, or stacks of frames (bytes). In a stack, the oldest
   frame is first. Stacks are converted to images in chunks, just before the first layer reads the
   images. So the images stay in the cache. A converted image has interleaved channels:
   [height][width][stack][channels of a frame]. The padding is zero. A pixel that is equal to its
   mean also becomes zero. */
typedef struct risei_encoder_input {
    /* [count], with the padding of the first layer's x; NULL: the input is stacks of frames */
    rise_real *images;
    /* [count][stack]: pointers to frames, each [height][width][channels] bytes. If the first frame
       of a stack is NULL, the image is zero. */
    const uint8_t *const *frames;
    int stack;
    const rise_frame_scale *scale; /* converts the bytes of frames */
    const rise_real *numbers;      /* [count][inputs of the encoder's layer of numbers] */
} risei_encoder_input;

/* FRAMES_CHUNK: the most numbers (rise_real) in a chunk of images. A thread converts one chunk at a
   time. 32768 floats are 128 KiB. A larger image is a chunk of its own. A chunk is written and then
   read by a product, so the best size depends on the cache. No measurement of other sizes is
   recorded.

   STACK_MAX: the most frames in a stack, and the length of an array of pointers to frames. */
enum { RISEI_FRAMES_CHUNK = 32768, RISEI_STACK_MAX = 16 };

/* Returns the number of images in a chunk, for images of the shape of x. */
RISEI_FN int risei_frames_chunk_images(const risei_image *x)
{
    return risei_image_size(x) < RISEI_FRAMES_CHUNK ? RISEI_FRAMES_CHUNK / (int)risei_image_size(x)
                                                    : 1;
}
/* Converts stack n to an image at `out`. The image has the shape and padding of x. If n + 1 is
   below `count`, prefetches the first RISEI_PREFETCH_BYTES of each frame of stack n + 1. With
   vectors and stacks of four grey frames, the kernel `stack` prefetches the bytes after these. */
RISEI_FN void risei_encoder_input_convert(const rise_kernels *k, const risei_encoder_input *input,
                                          int n, int count, const risei_image *x, rise_real *out)
{
    const uint8_t *const *const next = input->frames + (ptrdiff_t)(n + 1) * input->stack;
    int const channels = x->channels / input->stack, bytes = x->height * x->width * channels;
    /* Without padding, the whole image is one row. */
    int const height = x->padding > 0 ? x->height : 1, width = x->width * x->height / height;
    const uint8_t *rows[RISEI_STACK_MAX], *mean = input->scale->mean;
    rise_real *filled = out; /* the end of the numbers written so far */
    int s, iy, i;
    for (s = 0; s < input->stack && n + 1 < count && next[0] != NULL; s++)
        for (i = 0; i < bytes && i < RISEI_PREFETCH_BYTES; i += 64) RISEI_PREFETCH(next[s] + i);
    for (s = 0; s < input->stack; s++) rows[s] = input->frames[n * input->stack + s];
    for (iy = 0; iy < height && rows[0] != NULL; iy++) {
        rise_real *const row = out + risei_image_at(x, iy, 0);
        risei_zero(filled, row - filled);
        k->stack(width, channels, input->stack, rows, input->scale, mean, row);
        filled = row + width * x->channels;
        for (s = 0; s < input->stack; s++) rows[s] += width * channels;
        if (mean != NULL) mean += width * channels;
    }
    /* Writes zeros to the padding below the last row, or to all of an image without frames. */
    risei_zero(filled, out + risei_image_size(x) - filled);
}
/* The job of the first conv layer over stacks of frames. If y is not NULL, computes y. Else
   computes dW and db. x is the shape of the images. */
typedef struct risei_frames_conv_job {
    const rise_kernels *kernels;
    const risei_conv *conv;
    const risei_encoder_input *input;
    const risei_image *x, *y, *dy;
    const rise_real *w;
    rise_real *g;
    int count, relu;
    size_t product_bytes; /* of the device */
} risei_frames_conv_job;

/* Converts one chunk of images after another, and runs the product on each chunk. In the forward
   pass, the parts divide the images if each part gets at least one. Otherwise each part converts
   all images, and the parts divide the elements that each product writes. For dW, the parts never
   divide the images: dW is a sum over the images, and dividing a sum would change its bits. */
RISEI_FN void risei_frames_conv_part(void *job, int part, int parts, void *scratch)
{
    const risei_frames_conv_job *const j = (const risei_frames_conv_job *)job;
    int const forward = !RISEI_LEARNS || j->y != NULL;
    risei_image x = *j->x, y = forward ? *j->y : *j->dy;
    int const chunk = risei_frames_chunk_images(&x);
    int const by_images = forward && j->count >= parts;
    int n = 0, end = j->count, i, images;
    x.data = (rise_real *)(void *)((unsigned char *)scratch +
                                   (j->product_bytes > 0 ? j->product_bytes
                                                         : rise_product_scratch()));
    if (by_images) risei_part_range(j->count, 1, part, parts, &n, &end);
    for (y.data += n * risei_image_size(&y); n < end;
         n += images, y.data += images * risei_image_size(&y)) {
        rise_product p;
        images = end - n < chunk ? end - n : chunk;
        for (i = 0; i < images; i++)
            risei_encoder_input_convert(j->kernels, j->input, n + i, end, &x,
                                        x.data + i * risei_image_size(&x));
        if (forward)
            p = risei_conv_forward_product(j->conv, j->w, images, &x, &y, j->relu);
        else
            p = risei_conv_weights_product(j->conv, j->g, images, &x, &y), p.accumulate = n > 0;
        p.scratch_bytes = j->product_bytes;
        j->kernels->product(&p, by_images ? 0 : part, by_images ? 1 : parts, scratch);
    }
}
RISEI_FN void risei_frames_conv_run(const risei_device *d, risei_frames_conv_job *j)
{
    const risei_conv *c = j->conv;
    j->kernels = d->kernels, j->product_bytes = d->product_bytes;
    risei_device_run(d, risei_conv_work(c, j->count), risei_frames_conv_part, j);
}
/* Computes y = conv(frames) with 8-bit weights, as risei_frames_conv_forward does. */
RISEI_FN void risei_int8_frames_forward(const risei_device *d, const risei_conv *c,
                                        const rise_real *w, int count,
                                        const risei_encoder_input *input, const risei_image *x,
                                        const risei_image *y, int relu)
{
    risei_image image = *x, out = *y;
    int n;
    image.data = (rise_real *)(void *)((unsigned char *)d->scratch + d->product_bytes);
    for (n = 0; n < count; n++, out.data += risei_image_size(y)) {
        risei_encoder_input_convert(d->kernels, input, n, count, x, image.data);
        risei_int8_conv_forward(d, c, w, 1, &image, &out, relu, 0);
    }
}
/* Computes y = conv(frames), or max(0, conv(frames)) if `relu`. x is the shape of the images. */
RISEI_FN void risei_frames_conv_forward(const risei_device *d, const risei_conv *c,
                                        const rise_real *w, int count,
                                        const risei_encoder_input *input, const risei_image *x,
                                        const risei_image *y, int relu)
{
    risei_frames_conv_job job;
    if (c->int8) {
        risei_int8_frames_forward(d, c, w, count, input, x, y, relu);
        return;
    }
    memset(&job, 0, sizeof job);
    job.conv = c, job.w = w, job.count = count, job.input = input;
    job.x = x, job.y = y, job.relu = relu;
    risei_frames_conv_run(d, &job);
}
/* Computes dW and db; frames have no gradient. dy is the gradient of conv(frames), before any
   ReLU. */
RISEI_FN void risei_frames_conv_backward(const risei_device *d, const risei_conv *c, rise_real *g,
                                         int count, const risei_encoder_input *input,
                                         const risei_image *x, const risei_image *dy)
{
    risei_frames_conv_job job;
    memset(&job, 0, sizeof job);
    job.conv = c, job.g = g, job.count = count, job.input = input;
    job.x = x, job.dy = dy;
    risei_frames_conv_run(d, &job);
}

/* Max pools. Here (iy, ix) is a pixel of x, the pool's input; (oy, ox) is a pixel of y, the pooled
   image. x is the output of the conv or, for the adaptive pool, of the last layer. The region of
   (oy, ox) is the pixels y0 <= iy < y1, x0 <= ix < x1 of x. */
typedef struct risei_maxpool_region {
    int y0, y1, x0, x1;
} risei_maxpool_region;

/* Returns the region of (oy, ox), cut at the edges of x. An adaptive pool has an output of
   pooled_height x pooled_width for an x of any size. Its regions cover x and may overlap. */
RISEI_FN risei_maxpool_region risei_maxpool_region_of(const risei_conv *c, int oy, int ox)
{
    int const y = oy * c->pool_stride - c->pool_pad, x = ox * c->pool_stride - c->pool_pad;
    risei_maxpool_region r;
    if (c->pool == RISEI_MAXPOOL_ADAPTIVE) {
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
typedef struct risei_maxpool_job {
    const rise_kernels *kernels;
    const risei_conv *conv;
    int count;
    const risei_image *x, *y, *dy, *dx; /* forward: x and y; backward: x, dy and dx */
} risei_maxpool_job;

/* Computes out [filters] = the maximum over a region of one image x. */
RISEI_FN void risei_maxpool_maximum(const risei_maxpool_job *j, const rise_real *x,
                                    const risei_maxpool_region *r, rise_real *out)
{
    int const f = j->conv->filters;
    int iy, ix;
    memcpy(out, x + risei_image_at(j->x, r->y0, r->x0), (size_t)f * sizeof *out);
    for (iy = r->y0; iy < r->y1; iy++)
        for (ix = r->x0; ix < r->x1; ix++)
            j->kernels->maximum(f, x + risei_image_at(j->x, iy, ix), out);
}
RISEI_FN void risei_maxpool_forward_part(void *job, int part, int parts, void *scratch)
{
    const risei_maxpool_job *const j = (const risei_maxpool_job *)job;
    int n, oy, ox, end;
    (void)scratch;
    for (risei_part_range(j->count, 1, part, parts, &n, &end); n < end; n++)
        for (oy = 0; oy < j->conv->pooled_height; oy++)
            for (ox = 0; ox < j->conv->pooled_width; ox++) {
                risei_maxpool_region const r = risei_maxpool_region_of(j->conv, oy, ox);
                risei_maxpool_maximum(j, j->x->data + n * risei_image_size(j->x), &r,
                                      j->y->data + n * risei_image_size(j->y) +
                                          risei_image_at(j->y, oy, ox));
            }
}
/* Sets dx to zero. Then, for each channel of each region, adds dy to dx at one pixel: the first
   pixel of the region with the maximum. Computes the maximum again, because residual units
   overwrite y in place. */
RISEI_FN void risei_maxpool_backward_part(void *job, int part, int parts, void *scratch)
{
    const risei_maxpool_job *const j = (const risei_maxpool_job *)job;
    int const f = j->conv->filters;
    int n, oy, ox, iy, ix, end;
    /* [filters] each: the maximum, and the part of dy that no pixel has received yet */
    rise_real *const maximum = (rise_real *)scratch, *const rest = maximum + f;
    for (risei_part_range(j->count, 1, part, parts, &n, &end); n < end; n++) {
        const rise_real *x = j->x->data + n * risei_image_size(j->x);
        const rise_real *dy = j->dy->data + n * risei_image_size(j->dy);
        rise_real *dx = j->dx->data + n * risei_image_size(j->dx);
        risei_zero(dx, risei_image_size(j->dx));
        for (oy = 0; oy < j->conv->pooled_height; oy++)
            for (ox = 0; ox < j->conv->pooled_width; ox++) {
                risei_maxpool_region const r = risei_maxpool_region_of(j->conv, oy, ox);
                risei_maxpool_maximum(j, x, &r, maximum);
                memcpy(rest, dy + risei_image_at(j->dy, oy, ox), (size_t)f * sizeof *rest);
                for (iy = r.y0; iy < r.y1; iy++)
                    for (ix = r.x0; ix < r.x1; ix++)
                        j->kernels->maximum_backward(f, x + risei_image_at(j->x, iy, ix), maximum,
                                                     rest, dx + risei_image_at(j->dx, iy, ix));
            }
    }
}
/* Computes y from x. */
RISEI_FN void risei_maxpool_forward(const risei_device *d, const risei_conv *c, int count,
                                    const risei_image *x, const risei_image *y)
{
    risei_maxpool_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels, job.conv = c, job.count = count;
    job.x = x, job.y = y;
    risei_device_run(d, (double)count * (double)risei_image_size(x), risei_maxpool_forward_part,
                     &job);
}
/* Computes dx from x and dy. */
RISEI_FN void risei_maxpool_backward(const risei_device *d, const risei_conv *c, int count,
                                     const risei_image *x, const risei_image *dy,
                                     const risei_image *dx)
{
    risei_maxpool_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels, job.conv = c, job.count = count;
    job.x = x, job.dy = dy, job.dx = dx;
    risei_device_run(d, (double)count * (double)risei_image_size(x), risei_maxpool_backward_part,
                     &job);
}

/* The job of risei_relu_mask. */
typedef struct risei_relu_job {
    const rise_kernels *kernels;
    int count;
    const risei_image *out, *dy, *dx;
} risei_relu_job;

RISEI_FN void risei_relu_part(void *job, int part, int parts, void *scratch)
{
    const risei_relu_job *const j = (const risei_relu_job *)job;
    int n, iy, end;
    (void)scratch;
    for (risei_part_range(j->count, 1, part, parts, &n, &end); n < end; n++)
        for (iy = 0; iy < j->out->height; iy++)
            j->kernels->relu_backward(
                j->out->width * j->out->channels,
                j->out->data + n * risei_image_size(j->out) + risei_image_at(j->out, iy, 0),
                j->dy->data + n * risei_image_size(j->dy) + risei_image_at(j->dy, iy, 0),
                j->dx->data + n * risei_image_size(j->dx) + risei_image_at(j->dx, iy, 0));
}
/* Computes dx = dy where the ReLU's output `out` is positive, else 0, for `count` images. The
   padding of out, dy and dx may differ. Any two of out, dy and dx, or all three, may be the same
   image. */
RISEI_FN void risei_relu_mask(const risei_device *d, int count, const risei_image *out,
                              const risei_image *dy, const risei_image *dx)
{
    risei_relu_job job;
    job.kernels = d->kernels;
    job.count = count;
    job.out = out, job.dy = dy, job.dx = dx;
    risei_device_run(d, (double)count * (double)risei_image_size(out), risei_relu_part, &job);
}

/* Adds the pixels of `from` to the pixels of `to`, for `count` images. The padding of `from` and
   `to` may differ. */
RISEI_FN void risei_image_add(const risei_device *d, int count, const risei_image *from,
                              const risei_image *to)
{
    int n, iy;
    for (n = 0; n < count; n++)
        for (iy = 0; iy < from->height; iy++)
            d->kernels->add(from->width * from->channels,
                            from->data + n * risei_image_size(from) + risei_image_at(from, iy, 0),
                            to->data + n * risei_image_size(to) + risei_image_at(to, iy, 0));
}

enum { RISEI_RESIDUAL_MAX = 4 }; /* the most residual units after a conv layer */

/* Conv layers, an optional adaptive pool and an optional linear layer: images
   [count][height][width][channels] -> features [count][out]. Another optional linear layer, of
   numbers, gives the last features. An encoder of numbers alone has no conv layers. */
typedef struct risei_encoder {
    int height, width, channels;
    int layers;
    risei_conv conv[RISE_MAX_CONV];
    int residuals[RISE_MAX_CONV]; /* residual units after the layer */
    /* The first conv of the layer's residual units. The other convs have the same shape. The
       parameters of all these convs follow each other. */
    risei_conv residual[RISE_MAX_CONV];
    /* The adaptive pool after the last layer, without weights. There is none if `pool` is 0. */
    risei_conv adaptive_pool;
    int flat;       /* elements per image after the last layer and the adaptive pool */
    int has_linear; /* 1: there is a linear layer */
    int relu;       /* 1: a ReLU follows the linear layer */
    risei_linear linear;
    int image_features;   /* how many features come from images; features of numbers follow */
    risei_linear numbers; /* layer of numbers, with a ReLU; out = 0: there is no such layer */
    int out;
} risei_encoder;

/* The activations of an encoder and their gradients. Layer l reads in[l] and writes in[l + 1]. */
typedef struct risei_encoder_data {
    risei_encoder_input input;
    /* in[0]: the images; if the input is frames, only the shape of the images. y[l]: the output of
       conv l before the pool, after a ReLU if the layer has no residual units. Without a pool, y[l]
       is in[l + 1], and the residual units overwrite it. */
    risei_image in[RISE_MAX_CONV + 1], y[RISE_MAX_CONV];
    /* What the two convs of each residual unit read: the ReLU of the unit's input, and the ReLU
       between the convs. */
    risei_image residual[RISE_MAX_CONV][RISEI_RESIDUAL_MAX][2];
    /* dout[l]: the gradient of in[l + 1]. dy[l]: the gradient of the output of conv l before the
       ReLU. */
    risei_image dout[RISE_MAX_CONV], dy[RISE_MAX_CONV];
    /* The gradients of the inputs of the two convs of a residual unit. All units of a layer share
       these two images. */
    risei_image dresidual[RISE_MAX_CONV][2];
    risei_image flat, dflat;         /* after the last layer and the adaptive pool */
    rise_real *features, *dfeatures; /* [count][out] */
} risei_encoder_data;

/* Sets *e to an encoder and reserves its parameters. `pool_to` is the height and width after the
   adaptive pool; 0 or below: no pool. `features` is the size of the linear layer; 0 or below: no
   layer. Without conv layers, there is no linear layer. */
RISEI_FN void risei_encoder_make(risei_encoder *e, risei_parameters *p, int height, int width,
                                 int channels, const rise_conv *conv, int layers, int pool_to,
                                 int features)
{
    rise_conv residual; /* 3 x 3, as many filters as the layer */
    int l, i;
    memset(e, 0, sizeof *e);
    memset(&residual, 0, sizeof residual);
    e->height = height, e->width = width, e->channels = channels;
    e->layers = layers;
    residual.size = 3, residual.pad = 1;
    for (l = 0; l < layers; l++) {
        e->conv[l] = risei_conv_make(p, &conv[l], height, width, channels);
        height = e->conv[l].pooled_height, width = e->conv[l].pooled_width,
        channels = residual.filters = e->conv[l].filters;
        e->residuals[l] = conv[l].residual;
        for (i = 0; i < 2 * e->residuals[l]; i++) {
            risei_conv const made = risei_conv_make(p, &residual, height, width, channels);
            if (i == 0) e->residual[l] = made;
        }
    }
    if (pool_to > 0) {
        e->adaptive_pool.pool = RISEI_MAXPOOL_ADAPTIVE, e->adaptive_pool.filters = channels;
        e->adaptive_pool.out_height = height, e->adaptive_pool.out_width = width;
        e->adaptive_pool.pooled_height = e->adaptive_pool.pooled_width = height = width = pool_to;
    }
    e->flat = layers > 0 ? height * width * channels : 0;
    e->out = e->flat;
    e->relu = 1;
    if (features > 0 && layers > 0) {
        e->has_linear = 1;
        e->linear = risei_linear_make(p, e->flat, features, 1);
        e->out = features;
    }
    e->image_features = e->out;
}
/* Adds a linear layer of `in` numbers to an encoder, and reserves the layer's parameters. The layer
   gives `out` more features. */
RISEI_FN void risei_encoder_add_numbers(risei_encoder *e, risei_parameters *p, int in, int out)
{
    e->numbers = risei_linear_make(p, in, out, 1);
    e->out += out;
}
/* Returns conv i of the residual units of layer l. Each unit has two convs. */
RISEI_FN risei_conv risei_residual_conv(const risei_encoder *e, int l, int i)
{
    risei_conv c = e->residual[l];
    size_t const offset = (size_t)i * (c.bias + (size_t)c.filters - c.weights);
    c.weights += offset, c.scales += offset, c.bias += offset;
    return c;
}
RISEI_FN void risei_conv_initialise(const risei_conv *c, rise_real *w, risei_random *random)
{
    int const fan_in = c->size * c->size * c->channels;
    risei_parameters_draw(w + c->weights, (size_t)fan_in * (size_t)c->filters, fan_in, random);
    risei_parameters_draw(w + c->bias, (size_t)c->filters, fan_in, random);
}
/* Draws all parameters uniformly with the variance 1 / (3 fan_in), as PyTorch does. With `he`, the
   weights of the conv layers after the first have the variance 2 / fan_in. Such a conv and a ReLU
   keep the magnitude of their input (He et al. 2015). So features of deep nets are not smaller than
   features of shallow ones. The first layer has the smaller variance: with the larger one, agents
   without memory scored -0.37 instead of -0.09 in corridor-20 (5 seeds, bench/learn.c). Residual
   units have the smaller variance, because each unit adds its output to its input. */
RISEI_FN void risei_encoder_initialise(const risei_encoder *e, rise_real *w, int he,
                                       risei_random *random)
{
    rise_real const factor = risei_sqrt(6); /* ratio of the two standard deviations */
    size_t k;
    int l, i;
    for (l = 0; l < e->layers; l++) {
        const risei_conv *c = &e->conv[l];
        risei_conv_initialise(c, w, random);
        for (k = c->weights; k < c->bias && he && l > 0; k++) w[k] = w[k] * factor;
        for (i = 0; i < 2 * e->residuals[l]; i++) {
            risei_conv const residual = risei_residual_conv(e, l, i);
            risei_conv_initialise(&residual, w, random);
        }
    }
    if (e->has_linear) risei_linear_initialise(&e->linear, w, random);
    if (e->numbers.out > 0) risei_linear_initialise(&e->numbers, w, random);
}

/* Takes memory for `count` images from the arena. */
RISEI_FN void risei_image_take(risei_arena *arena, risei_image *image, int count)
{
    if (count == 0) return;
    image->data = RISEI_TAKE(arena, rise_real,
                             risei_arena_times((size_t)count, (size_t)risei_image_size(image)));
}
/* Takes the memory of the gradients of layer l, for `learn` images.

   dout[l] is the same image as dy[l], with two exceptions. In a layer with a pool, dout[l] has the
   shape after the pool, and dy[l] has the shape before the pool. If the last layer has no residual
   units, its dout has no padding, because features have no padding. */
RISEI_FN void risei_encoder_layout_gradients(risei_arena *arena, const risei_encoder *e,
                                             risei_encoder_data *a, int l, int learn)
{
    const risei_conv *c = &e->conv[l];
    int const height = c->pooled_height, width = c->pooled_width, last = l == e->layers - 1;
    int const residuals = e->residuals[l];
    /* The first layer computes no data gradient. */
    int const dy_padding = l > 0 ? c->dy_padding : 0;
    int i;
    /* Each 3 x 3 conv of a residual unit needs a dy with padding 1. The dy of the first conv is
       dresidual[l][1]. The dy of the second conv is dout[l]. dout[l] may be the same image as
       dy[l]. */
    a->dy[l] = risei_image_make(c->out_height, c->out_width, c->filters,
                                residuals > 0 && dy_padding < 1 ? 1 : dy_padding);
    risei_image_take(arena, &a->dy[l], learn);
    a->dout[l] = a->dy[l];
    if (c->pool != 0 || (last && residuals == 0)) {
        a->dout[l] = risei_image_make(height, width, c->filters, residuals > 0);
        risei_image_take(arena, &a->dout[l], learn);
    }
    for (i = 0; i < 2 && residuals > 0; i++) {
        a->dresidual[l][i] = risei_image_make(height, width, c->filters, i);
        risei_image_take(arena, &a->dresidual[l][i], learn);
    }
}
/* Takes the memory of the activations of layer l, for `count` images. */
RISEI_FN void risei_encoder_layout_layer(risei_arena *arena, const risei_encoder *e,
                                         risei_encoder_data *a, int l, int count)
{
    const risei_conv *c = &e->conv[l];
    int const height = c->pooled_height, width = c->pooled_width, last = l == e->layers - 1;
    int i;
    a->in[l + 1] = risei_image_make(height, width, c->filters, last ? 0 : e->conv[l + 1].pad);
    risei_image_take(arena, &a->in[l + 1], count);
    a->y[l] = a->in[l + 1];
    if (c->pool != 0) {
        a->y[l] = risei_image_make(c->out_height, c->out_width, c->filters, 0);
        risei_image_take(arena, &a->y[l], count);
    }
    for (i = 0; i < 2 * e->residuals[l]; i++) {
        a->residual[l][i / 2][i % 2] = risei_image_make(height, width, c->filters, 1);
        risei_image_take(arena, &a->residual[l][i / 2][i % 2], count);
    }
}
/* Takes the memory of the images of an encoder with conv layers. in[0] gets a shape, but no
   memory. */
RISEI_FN void risei_encoder_layout_images(risei_arena *arena, const risei_encoder *e,
                                          risei_encoder_data *a, int count, int learn)
{
    int const last = e->layers - 1;
    int l;
    a->in[0] = risei_image_make(e->height, e->width, e->channels, e->conv[0].pad);
    for (l = 0; l < e->layers; l++) {
        risei_encoder_layout_layer(arena, e, a, l, count);
        if (RISEI_LEARNS) risei_encoder_layout_gradients(arena, e, a, l, learn);
    }
    a->flat = a->in[e->layers];
    if (e->adaptive_pool.pool != 0) {
        a->flat = risei_image_make(e->adaptive_pool.pooled_height, e->adaptive_pool.pooled_width,
                                   e->adaptive_pool.filters, 0);
        risei_image_take(arena, &a->flat, count);
    }
    if (!RISEI_LEARNS) return;
    a->dflat = a->dout[last];
    /* dflat has no padding, because features have none. With residual units, dout[last] has
       padding, so dflat cannot be the same image. */
    if (e->adaptive_pool.pool != 0 || e->residuals[last] > 0) {
        a->dflat = risei_image_make(a->flat.height, a->flat.width, a->flat.channels, 0);
        risei_image_take(arena, &a->dflat, learn);
    }
}
/* Takes the memory of an encoder's data: activations for `count` images, gradients for the first
   `learn` images. Without linear layers, `features` is the memory of `flat`, and `dfeatures` is the
   memory of `dflat`. */
RISEI_FN void risei_encoder_layout(risei_arena *arena, const risei_encoder *e,
                                   risei_encoder_data *a, int count, int learn)
{
    int const dense = e->has_linear || e->numbers.out > 0;
    if (e->layers > 0) risei_encoder_layout_images(arena, e, a, count, learn);
    a->features = dense ? RISEI_TAKE(arena, rise_real,
                                     risei_arena_times((size_t)count, (size_t)e->out))
                        : a->flat.data;
    a->dfeatures = NULL;
    if (learn > 0)
        a->dfeatures = dense ? RISEI_TAKE(arena, rise_real,
                                          risei_arena_times((size_t)learn, (size_t)e->out))
                             : a->dflat.data;
}

/* Runs the residual units of layer l on in[l + 1], in place: x += conv(relu(conv(relu(x)))). */
RISEI_FN void risei_residual_forward(const risei_device *d, const risei_encoder *e,
                                     const rise_real *w, int l, int count, risei_encoder_data *a)
{
    const risei_image *x = &a->in[l + 1];
    int i;
    for (i = 0; i < e->residuals[l]; i++) {
        const risei_image *in = a->residual[l][i];
        risei_conv const first = risei_residual_conv(e, l, 2 * i);
        risei_conv const second = risei_residual_conv(e, l, 2 * i + 1);
        risei_relu_mask(d, count, x, x, &in[0]); /* x where x > 0, else 0: relu(x) */
        risei_conv_forward(d, &first, w, count, &in[0], &in[1], 1, 0);
        risei_conv_forward(d, &second, w, count, &in[1], x, 0, 1);
    }
}
/* Runs the residual units of layer l backward. At the start, dout[l] is the gradient of the last
   unit's output. At the end, dout[l] is the gradient of the first unit's input. */
RISEI_FN void risei_residual_backward(const risei_device *d, const risei_encoder *e,
                                      const rise_real *w, rise_real *g, int l, int count,
                                      risei_encoder_data *a)
{
    const risei_image *dout = &a->dout[l];
    const risei_image *dfirst = &a->dresidual[l][0], *dsecond = &a->dresidual[l][1];
    int i;
    for (i = e->residuals[l] - 1; i >= 0; i--) {
        const risei_image *in = a->residual[l][i];
        risei_conv const first = risei_residual_conv(e, l, 2 * i);
        risei_conv const second = risei_residual_conv(e, l, 2 * i + 1);
        risei_conv_backward(d, &second, w, g, count, &in[1], dout, dsecond);
        risei_relu_mask(d, count, &in[1], dsecond, dsecond);
        risei_conv_backward(d, &first, w, g, count, &in[0], dsecond, dfirst);
        risei_relu_mask(d, count, &in[0], dfirst, dfirst);
        risei_image_add(d, count, dfirst, dout);
    }
}
/* Returns the bytes of scratch with which the products of an encoder of `images` images are
   fastest. `learn`: 1 if there is a backward pass. */
RISEI_FN size_t risei_encoder_bytes(const risei_encoder *e, int images, int learn)
{
    size_t bytes = risei_larger(risei_linear_bytes(&e->linear, images, learn),
                                risei_linear_bytes(&e->numbers, images, learn));
    int l;
    for (l = 0; l < e->layers; l++) {
        bytes = risei_larger(bytes, risei_conv_bytes(&e->conv[l], images, learn));
        if (e->residuals[l] > 0)
            bytes = risei_larger(bytes, risei_conv_bytes(&e->residual[l], images, learn));
    }
    return bytes;
}
/* Returns the bytes of scratch that each thread needs for converted images. A thread holds one
   chunk, but at most `images` images. Returns 0 without conv layers. */
RISEI_FN size_t risei_encoder_chunk_bytes(const risei_encoder *e, int images)
{
    risei_image const x = risei_image_make(e->height, e->width, e->channels, e->conv[0].pad);
    int const chunk = e->layers > 0 ? risei_frames_chunk_images(&x) : 0;
    size_t const numbers = (size_t)(images < chunk ? images : chunk) * (size_t)risei_image_size(&x);
    return risei_arena_aligned(numbers * sizeof(rise_real));
}
/* Runs the conv layers and the adaptive pool. */
RISEI_FN void risei_encoder_forward_images(const risei_device *d, const risei_encoder *e,
                                           const rise_real *w, int count, risei_encoder_data *a)
{
    const risei_encoder_input *input = &a->input;
    const risei_image *last = &a->in[e->layers];
    int l;
    a->in[0].data = input->images;
    for (l = 0; l < e->layers; l++) {
        /* A residual unit starts with its own ReLU. */
        int const relu = e->residuals[l] == 0;
        if (l == 0 && input->images == NULL)
            risei_frames_conv_forward(d, &e->conv[0], w, count, input, &a->in[0], &a->y[0], relu);
        else
            risei_conv_forward(d, &e->conv[l], w, count, &a->in[l], &a->y[l], relu, 0);
        if (e->conv[l].pool != 0)
            risei_maxpool_forward(d, &e->conv[l], count, &a->y[l], &a->in[l + 1]);
        risei_residual_forward(d, e, w, l, count, a);
    }
    /* last = relu(last), in place: residual units have no ReLU at their end */
    if (e->residuals[e->layers - 1] > 0) risei_relu_mask(d, count, last, last, last);
    if (e->adaptive_pool.pool != 0)
        risei_maxpool_forward(d, &e->adaptive_pool, count, last, &a->flat);
}
/* Computes a->features [count][out] from `count` images and the numbers that come with the images.
   Copies *input to a->input, for the backward pass. */
RISEI_FN void risei_encoder_forward(const risei_device *d, const risei_encoder *e,
                                    const rise_real *w, int count, const risei_encoder_input *input,
                                    risei_encoder_data *a)
{
    int i;
    a->input = *input;
    if (e->layers > 0) risei_encoder_forward_images(d, e, w, count, a);
    if (e->has_linear)
        risei_linear_forward(d, &e->linear, w, count, a->flat.data, e->flat, a->features, e->out,
                             e->relu);
    if (e->numbers.out == 0) return;
    for (i = 0; i < count && !e->has_linear && e->layers > 0; i++)
        memcpy(a->features + (ptrdiff_t)i * e->out, a->flat.data + (ptrdiff_t)i * e->flat,
               (size_t)e->flat * sizeof *a->features);
    risei_linear_forward(d, &e->numbers, w, count, input->numbers, e->numbers.in,
                         a->features + e->image_features, e->out, 1);
}
/* Computes the gradients of the parameters of e->numbers. Applies the ReLU mask of that layer to
   its columns of a->dfeatures, in place. If there are conv layers but no e->linear, copies the
   gradient of the image features to a->dflat. */
RISEI_FN void risei_encoder_backward_numbers(const risei_device *d, const risei_encoder *e,
                                             rise_real *g, int count, risei_encoder_data *a)
{
    int i;
    for (i = 0; i < count; i++) {
        ptrdiff_t const at = (ptrdiff_t)i * e->out + e->image_features;
        d->kernels->relu_backward(e->numbers.out, a->features + at, a->dfeatures + at,
                                  a->dfeatures + at);
        if (!e->has_linear && e->layers > 0)
            memcpy(a->dflat.data + (ptrdiff_t)i * e->flat, a->dfeatures + (ptrdiff_t)i * e->out,
                   (size_t)e->flat * sizeof *a->dfeatures);
    }
    risei_linear_backward_weights(d, &e->numbers, g, count, a->input.numbers, e->numbers.in,
                                  a->dfeatures + e->image_features, e->out);
}
/* Computes the gradients of the parameters from a->dfeatures [count][out], for the first `count`
   images. May overwrite a->dfeatures. */
RISEI_FN void risei_encoder_backward(const risei_device *d, const risei_encoder *e,
                                     const rise_real *w, rise_real *g, int count,
                                     risei_encoder_data *a)
{
    const risei_image *last = &a->in[e->layers], *from = &a->dflat;
    const risei_image *dlast;
    int l;
    if (e->numbers.out > 0) risei_encoder_backward_numbers(d, e, g, count, a);
    if (e->layers == 0) return;
    dlast = &a->dout[e->layers - 1];
    if (e->has_linear) {
        if (e->relu)
            d->kernels->relu_backward(count * e->out, a->features, a->dfeatures, a->dfeatures);
        risei_linear_backward(d, &e->linear, w, g, count, a->flat.data, e->flat, a->dfeatures,
                              e->out, a->dflat.data, e->flat);
    }
    if (e->adaptive_pool.pool != 0) {
        risei_maxpool_backward(d, &e->adaptive_pool, count, last, from, dlast);
        from = dlast;
    }
    if (e->residuals[e->layers - 1] > 0) risei_relu_mask(d, count, last, from, dlast);
    for (l = e->layers - 1; l >= 0; l--) {
        const risei_conv *c = &e->conv[l];
        const risei_image *dout = &a->dout[l];
        risei_residual_backward(d, e, w, g, l, count, a);
        if (c->pool != 0) {
            risei_maxpool_backward(d, c, count, &a->y[l], dout, &a->dy[l]);
            dout = &a->dy[l];
        }
        if (e->residuals[l] == 0) risei_relu_mask(d, count, &a->y[l], dout, &a->dy[l]);
        if (l == 0 && a->input.images == NULL)
            risei_frames_conv_backward(d, c, g, count, &a->input, &a->in[0], &a->dy[0]);
        else
            risei_conv_backward(d, c, w, g, count, &a->in[l], &a->dy[l],
                                l > 0 ? &a->dout[l - 1] : NULL);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* >>recurrent: recurrent cells (LSTM, GRU, minGRU) and the sequences that they run over

   Main types: risei_cell_kind describes one kind of cell. risei_cell has the sizes and parameters
   of one cell. risei_sequence has the buffers of a batch of windows.
   Uses the rooms memory, random, kernels, threads and layers.
   Tests: tests/gradients.c (each cell against its textbook formulas and finite differences),
   tests/kernels.c (risei_transpose_panels).

   To add a cell, see HOW TO ADD A CELL.
   Code outside the descriptors reads their members and never compares kinds. */

/* The arguments of a descriptor's functions: one window row at one step. Arrays are [units] unless
   a comment gives another shape. c, c_next and dc are NULL if the kind has no cell state. In a
   forward pass, dh, dc, dgates and du are NULL. */
typedef struct risei_cell_row {
    int units;
    /* [gates][units]. Before forward: the inputs of the activations. If `separate` is 1, u is
       not yet added to them. After forward: the outputs of the activations. */
    rise_real *gates;
    /* [gates][units]: the recurrent product, h times the recurrent matrix plus its bias; NULL
       unless `separate` is 1 */
    const rise_real *u;
    const rise_real *h, *c;     /* the state before the step */
    rise_real *h_next, *c_next; /* the state after the step, written by forward */
    /* Before backward: the gradient of h_next. After backward, if `direct` is 1: the gradient of h
       without the part that passes through the recurrent product. */
    rise_real *dh;
    rise_real *dc; /* before backward: the gradient of c_next; after: the gradient of c */
    /* [gates][units], written by backward: the gradient of the activations' inputs */
    rise_real *dgates;
    /* [gates][units], written by backward if `separate` is 1: the gradient of u. If `separate` is
       0, du is the same array as dgates. */
    rise_real *du;
} risei_cell_row;

/* The descriptor of a kind of cell. The recurrent state is h or, if cell_state is 1, h and c. */
typedef struct risei_cell_kind {
    const char *name; /* the value of the field `cell` in a description's text */
    int gates;        /* number of gates, the candidate included; a gate has `units` numbers */
    /* Index of the gate that multiplies the old state; its bias gets the chrono initialisation.
       -1: there is no such gate. */
    int keep_gate;
    /* Index of the gate that multiplies the candidate; -1: none. The initial bias of this gate is
       minus the bias of keep_gate. */
    int input_gate;
    int recurrent; /* 1: there is a recurrent matrix, so the gates depend on h, too */
    /* 1: the recurrent matrix has a bias. Then `separate` must be 1, because a product that is
       added into the gates ignores its bias: see `init` in rise_product. */
    int recurrent_bias;
    int cell_state; /* 1: there is a cell state c in addition to h */
    /* 1: the recurrent product has its own buffer u. 0: the product is added into the gates. */
    int separate;
    /* 1: h_next also depends on h directly, not only through the recurrent product. So the gradient
       of h has two terms. Backward writes the direct term to dh, and the caller adds the recurrent
       term. 0: only the recurrent term exists, and the caller overwrites dh with this term.
       Without a recurrent matrix, `direct` has no effect, and backward must always write dh. */
    int direct;
    /* Compute one window row at one step; see risei_cell_row. */
    void (*forward)(const rise_kernels *kernels, const risei_cell_row *row);
    void (*backward)(const rise_kernels *kernels, const risei_cell_row *row);
} risei_cell_kind;

/* LSTM (Hochreiter & Schmidhuber 1997, with forget gate). Gates: i, f, the candidate g, and o. The
   recurrent product is added to the gates, which have a bias already. So the recurrent matrix has
   no bias. */
RISEI_FN void risei_lstm_forward(const rise_kernels *kernels, const risei_cell_row *row)
{
    kernels->lstm_forward(row->units, row->gates, row->c, row->c_next, row->h_next);
}
RISEI_FN void risei_lstm_backward(const rise_kernels *kernels, const risei_cell_row *row)
{
    kernels->lstm_backward(row->units, row->gates, row->c, row->c_next, row->dh, row->dc,
                           row->dgates);
}
static const risei_cell_kind risei_cell_lstm = {"lstm",
                                                4, /* gates: i f g o */
                                                1, /* keep_gate: f */
                                                0, /* input_gate: i */
                                                1, /* recurrent */
                                                0, /* recurrent_bias */
                                                1, /* cell_state */
                                                0, /* separate */
                                                0, /* direct */
                                                risei_lstm_forward,
                                                RISEI_LEARN(risei_lstm_backward)};

/* GRU (Cho et al. 2014). Gates: r, z and the candidate k. The reset gate r multiplies the
   candidate's block of the recurrent product, bias included, as in PyTorch and cuDNN. So the
   recurrent product needs its own buffer u. */
RISEI_FN void risei_gru_forward(const rise_kernels *kernels, const risei_cell_row *row)
{
    kernels->gru_forward(row->units, row->gates, row->u, row->h, row->h_next);
}
RISEI_FN void risei_gru_backward(const rise_kernels *kernels, const risei_cell_row *row)
{
    kernels->gru_backward(row->units, row->gates, row->u, row->h, row->dh, row->dgates, row->du);
}
static const risei_cell_kind risei_cell_gru = {"gru",
                                               3,  /* gates: r z k */
                                               1,  /* keep_gate: z */
                                               -1, /* input_gate: none; k's factor is 1 - z */
                                               1,  /* recurrent */
                                               1,  /* recurrent_bias */
                                               0,  /* cell_state */
                                               1,  /* separate */
                                               1,  /* direct */
                                               risei_gru_forward,
                                               RISEI_LEARN(risei_gru_backward)};

/* minGRU (Feng et al. 2024, with a tanh). Gates: z and the candidate k. The gates depend on the
   input alone, so one product computes them for all steps. */
RISEI_FN void risei_mingru_forward(const rise_kernels *kernels, const risei_cell_row *row)
{
    kernels->mingru_forward(row->units, row->gates, row->h, row->h_next);
}
RISEI_FN void risei_mingru_backward(const rise_kernels *kernels, const risei_cell_row *row)
{
    kernels->mingru_backward(row->units, row->gates, row->h, row->dh, row->dgates);
}
static const risei_cell_kind risei_cell_mingru = {"mingru",
                                                  2,  /* gates: z k */
                                                  0,  /* keep_gate: z */
                                                  -1, /* input_gate: none; k's factor is 1 - z */
                                                  0,  /* recurrent */
                                                  0,  /* recurrent_bias */
                                                  0,  /* cell_state */
                                                  0,  /* separate */
                                                  1,  /* direct */
                                                  risei_mingru_forward,
                                                  RISEI_LEARN(risei_mingru_backward)};

/* Indexed by rise_cell. The entry of RISE_CELL_AUTO is the GRU. */
static const risei_cell_kind *const risei_cell_kinds[] = {&risei_cell_gru, &risei_cell_lstm,
                                                          &risei_cell_gru, &risei_cell_mingru};
RISEI_CHECK_TABLE_SIZE(risei_cell_kinds, RISE_CELL_COUNT);

/* Returns the name of rise_cell i in a description's text, or NULL if i is out of range. */
RISEI_FN const char *risei_cell_word(int i)
{
    if (i < 0 || i >= RISEI_COUNT(risei_cell_kinds)) return NULL;
    return i == RISE_CELL_AUTO ? "auto" : risei_cell_kinds[i]->name;
}
/* Returns how many arrays of `units` numbers a recurrent state has: h, or h and c. */
RISEI_FN int risei_cell_state_arrays(const risei_cell_kind *kind)
{
    return kind->cell_state ? 2 : 1;
}
/* Returns how many numbers a stored recurrent state has: h, then c if the kind has a cell state. */
RISEI_FN int risei_cell_state_size(const risei_cell_kind *kind, int units)
{
    return risei_cell_state_arrays(kind) * units;
}

/* ---------------------------------------------------------------------------------------------- */
/* One cell: sizes and parameters. */

typedef struct risei_cell {
    const risei_cell_kind *kind;
    int in, units;
    risei_linear x; /* in -> gates * units, with a bias */
    risei_linear h; /* units -> gates * units; all zero without a recurrent matrix */
} risei_cell;

/* Returns a cell and reserves its parameters. */
RISEI_FN risei_cell risei_cell_make(risei_parameters *p, rise_cell cell, int in, int units)
{
    risei_cell c;
    memset(&c, 0, sizeof c);
    c.kind = risei_cell_kinds[cell];
    c.in = in, c.units = units;
    c.x = risei_linear_make(p, in, c.kind->gates * units, 1);
    if (c.kind->recurrent)
        c.h = risei_linear_make(p, units, c.kind->gates * units, c.kind->recurrent_bias);
    return c;
}
/* Draws all parameters uniformly from [-b, b) with b = 1 / sqrt(units). Then applies the chrono
   initialisation (Tallec & Ollivier 2018) to biases of layer x. The keep gate's bias of a unit
   becomes log(T), with T drawn uniformly from 1 .. `window` steps for each unit. The input gate's
   bias of the unit, if the kind has an input gate, becomes -log(T). T is about the number of steps
   that the unit remembers, so the units cover all time scales of the window. With biases near 0, a
   unit would forget within a few steps. */
RISEI_FN void risei_cell_initialise(const risei_cell *c, rise_real *w, int window,
                                    risei_random *random)
{
    const risei_cell_kind *kind = c->kind;
    size_t const out = (size_t)c->x.out;
    rise_real *bias = w + c->x.bias;
    int i;
    risei_linear_initialise_weights(&c->x, w, c->units, random);
    risei_parameters_draw(bias, out, c->units, random);
    if (kind->recurrent) risei_linear_initialise_weights(&c->h, w, c->units, random);
    if (kind->recurrent_bias) risei_parameters_draw(w + c->h.bias, out, c->units, random);
    for (i = 0; i < c->units && kind->keep_gate >= 0; i++) {
        rise_real *const keep = bias + kind->keep_gate * c->units + i;
        *keep = 1 + (rise_real)(window - 1) * risei_random_uniform(random);
        rise_kernels_of(RISE_ISA_REF)->log(1, keep, keep);
        if (kind->input_gate >= 0) bias[kind->input_gate * c->units + i] = -*keep;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Sequences: the buffers of a batch of windows.

   A sequence has `rows` window rows of `steps` steps. A window row, here "row", is one window of
   the batch. Row r begins at step start[r]. The steps of row r before start[r] are padding.

   An entry is a pair of a row and a step for which the arrays have a place. Step t has the entries
   begin[t] .. begin[t + 1] - 1. Row r at step t is entry begin[t] + r. The last entry of a step
   belongs to the started row with the highest index. If start[] is sorted, smallest first, padding
   has no entries, so padding takes no time. In any other order, a row that has not started has an
   entry if a row with a higher index has started. The state after such an entry is zero.

   These statements hold for the `start` and `steps` that risei_sequence_plan used. After the plan,
   the caller may set `start` to later steps. A row then also has entries before its start. The
   caller may also lower `steps`, if all rows start before the new `steps`. */
typedef struct risei_sequence {
    int steps, rows;
    int burn_in; /* steps at the beginning through which no gradient flows */
    /* Number of blocks of dh, 1 or more. The fusion reads h after each of the last `dh_blocks`
       steps that backward runs over. So dh has one block for each of these steps. */
    int dh_blocks;
    /* [rows]: the step at which each row begins; NULL: 0 for all rows. Rows that start after step 0
       start from a zero state. */
    const int *start;
    int *begin;   /* [steps + 1], computed by risei_sequence_plan */
    rise_real *x; /* [entries][in] */
    /* [entries + rows][units]: the state before each entry and, from begin[steps] on, the state
       after the last step. The caller writes the state before step 0. */
    rise_real *h, *c; /* c is NULL without a cell state */
    rise_real *gates; /* [entries][gates * units], after their activations */
    rise_real *u;     /* [entries][gates * units]: recurrent products; NULL if `separate` is 0 */
    /* [learn * learn_steps][gates * units], indexed as `gates`. For learn and learn_steps see
       risei_sequence_layout. dgates: the gradients of the activations' inputs. du: the gradient of
       u; the same buffer as dgates unless `separate` is 1. */
    rise_real *dgates, *du;
    /* [dh_blocks][rows][units]: the gradient of h, written by the caller; backward overwrites it */
    rise_real *dh;
    /* [rows][units]: the gradient of c after the last step that backward runs over, written by the
       caller; backward overwrites it. NULL without a cell state. */
    rise_real *dc;
    /* [learn * learn_steps][in], indexed as x, or NULL if no gradient of the inputs is needed */
    rise_real *dx;
    /* rise_matrix_panels [gates * units][units]: the recurrent weights, transposed */
    rise_real *transposed;
} risei_sequence;

/* Takes the buffers of a sequence from the arena. The caller has set s->dh_blocks. All sequences
   that will use the buffers have at most `steps` steps and `entries` entries. For all of them,
   entries + rows is at most `states`. `learn` is the largest number of rows that go through
   backward. `learn_steps` is the largest `steps` of risei_cell_backward, burn-in included.
   learn = 0: takes no buffers for gradients. learn_x = 1: takes dx, too. */
RISEI_FN void risei_sequence_layout(risei_arena *arena, const risei_cell *c, risei_sequence *s,
                                    int steps, int entries, int states, int learn, int learn_steps,
                                    int learn_x)
{
    const risei_cell_kind *kind = c->kind;
    size_t const units = (size_t)c->units, gates = (size_t)c->x.out, in = (size_t)c->in;
    size_t const all = (size_t)entries;
    size_t const back = risei_arena_times((size_t)learn, (size_t)learn_steps);
    size_t const state = risei_arena_times((size_t)states, units);
    s->begin = RISEI_TAKE(arena, int, steps + 1);
    s->x = RISEI_TAKE(arena, rise_real, risei_arena_times(all, in));
    s->h = RISEI_TAKE(arena, rise_real, state);
    s->c = kind->cell_state ? RISEI_TAKE(arena, rise_real, state) : NULL;
    s->gates = RISEI_TAKE(arena, rise_real, risei_arena_times(all, gates));
    s->u = kind->separate ? RISEI_TAKE(arena, rise_real, risei_arena_times(all, gates)) : NULL;
    s->dgates = s->du = s->dh = s->dc = s->dx = s->transposed = NULL;
    if (learn == 0) return;
    s->dgates = RISEI_TAKE(arena, rise_real, risei_arena_times(back, gates));
    s->du = kind->separate ? RISEI_TAKE(arena, rise_real, risei_arena_times(back, gates))
                           : s->dgates;
    s->dh = RISEI_TAKE(arena, rise_real, risei_arena_times((size_t)(learn * s->dh_blocks), units));
    s->dc = kind->cell_state ? RISEI_TAKE(arena, rise_real, risei_arena_times((size_t)learn, units))
                             : NULL;
    s->dx = learn_x ? RISEI_TAKE(arena, rise_real, risei_arena_times(back, in)) : NULL;
    s->transposed = kind->recurrent ? RISEI_TAKE(arena, rise_real, risei_arena_times(gates, units))
                                    : NULL;
}
/* Computes `begin` from steps, rows and start. */
RISEI_FN void risei_sequence_plan(risei_sequence *s)
{
    int t, row, active = 0;
    s->begin[0] = 0;
    for (t = 0; t < s->steps; t++) {
        for (row = s->rows; row > active; row--)
            if (s->start == NULL || s->start[row - 1] <= t) break;
        active = row;
        s->begin[t + 1] = s->begin[t] + active;
    }
}
/* Returns how many entries step t has. For t = steps, returns `rows`: the state after the last step
   is stored for every row. */
RISEI_FN int risei_sequence_active(const risei_sequence *s, int t)
{
    return t < s->steps ? s->begin[t + 1] - s->begin[t] : s->rows;
}
/* Returns 0 if step t of a row is padding, else 1. */
RISEI_FN int risei_sequence_started(const risei_sequence *s, int t, int row)
{
    return s->start == NULL || t >= s->start[row];
}
/* Returns an array of a row's state before step t, [units]: array 0 is h, array 1 is c (see
   risei_cell_state_arrays). The row must have an entry at step t. t = steps: the state after the
   last step, of any row. */
RISEI_FN rise_real *risei_sequence_state(const risei_sequence *s, const risei_cell *c, int array,
                                         int t, int row)
{
    return (array == 0 ? s->h : s->c) + (ptrdiff_t)(s->begin[t] + row) * c->units;
}
/* Zeroes `count` states, from entry `at` on. */
RISEI_FN void risei_sequence_zero_states(const risei_sequence *s, const risei_cell *c, ptrdiff_t at,
                                         int count)
{
    ptrdiff_t const n = c->units;
    risei_zero(s->h + at * n, count * n);
    if (s->c != NULL) risei_zero(s->c + at * n, count * n);
}

/* ---------------------------------------------------------------------------------------------- */
/* Forward and backward through a sequence. */

/* The cost of one unit at one step, in multiplications: an estimate for risei_device_run. Most of
   the cost is in the exponential functions of the activations. */
#define RISEI_CELL_UNIT_WORK 40.0

/* The arguments of a job that runs one step of a sequence. Each part of the job takes some rows. */
typedef struct risei_cell_job {
    const rise_kernels *kernels;
    const risei_cell *cell;
    const risei_sequence *sequence;
    int t;
    rise_real *dh; /* backward: the gradient of h after step t */
} risei_cell_job;

/* Returns the pointers to one row at step job->t. In a forward job (dh == NULL) the pointers to
   gradients are NULL. */
RISEI_INLINE risei_cell_row risei_cell_job_row(const risei_cell_job *job, int row)
{
    const risei_sequence *s = job->sequence;
    ptrdiff_t const n = job->cell->units, entry = s->begin[job->t] + row;
    ptrdiff_t const now = entry * n, next = (s->begin[job->t + 1] + row) * n;
    ptrdiff_t const gates = entry * job->cell->x.out;
    risei_cell_row r;
    r.units = job->cell->units;
    r.gates = s->gates + gates;
    r.u = s->u != NULL ? s->u + gates : NULL;
    r.h = s->h + now, r.h_next = s->h + next;
    r.c = s->c != NULL ? s->c + now : NULL;
    r.c_next = s->c != NULL ? s->c + next : NULL;
    r.dh = r.dc = r.dgates = r.du = NULL;
    if (job->dh == NULL) return r;
    r.dh = job->dh + row * n;
    r.dc = s->dc != NULL ? s->dc + row * n : NULL;
    r.dgates = s->dgates + gates, r.du = s->du + gates;
    return r;
}
/* Computes the states after step t from the states before step t and the gates. Overwrites the
   gates with the outputs of their activations. A row for which step t is padding gets a zero
   state. */
RISEI_FN void risei_cell_forward_part(void *job, int part, int parts, void *scratch)
{
    const risei_cell_job *const j = (const risei_cell_job *)job;
    const risei_sequence *s = j->sequence;
    int row, end;
    (void)scratch;
    risei_part_range(risei_sequence_active(s, j->t), 1, part, parts, &row, &end);
    for (; row < end; row++) {
        if (risei_sequence_started(s, j->t, row)) {
            risei_cell_row const r = risei_cell_job_row(j, row);
            j->cell->kind->forward(j->kernels, &r);
        } else
            risei_sequence_zero_states(s, j->cell, s->begin[j->t + 1] + row, 1);
    }
}
/* Runs the cell over all steps of a sequence. Reads s->x and the states before step 0. Writes all
   other states. One product multiplies the inputs of all steps by their weights. The recurrent
   products run step by step, because each needs the state before its step. */
RISEI_FN void risei_cell_forward(const risei_device *d, const risei_cell *c, const rise_real *w,
                                 const risei_sequence *s)
{
    const risei_cell_kind *kind = c->kind;
    ptrdiff_t const n = c->units, out = c->x.out;
    rise_real *const product = kind->separate ? s->u : s->gates;
    risei_cell_job job;
    job.kernels = d->kernels, job.cell = c, job.sequence = s, job.dh = NULL;
    risei_linear_forward(d, &c->x, w, s->begin[s->steps], s->x, c->in, s->gates, out, 0);
    for (job.t = 0; job.t < s->steps; job.t++) {
        ptrdiff_t const at = s->begin[job.t], next = s->begin[job.t + 1];
        int const active = risei_sequence_active(s, job.t);
        int const fresh = risei_sequence_active(s, job.t + 1) - active;
        if (kind->recurrent)
            risei_linear_multiply(d, &c->h, w, active, s->h + at * n, n, product + at * out, out, 0,
                                  !kind->separate);
        risei_device_run(d, RISEI_CELL_UNIT_WORK * active * (double)n, risei_cell_forward_part,
                         &job);
        /* zero the initial states of the rows whose first entry is at the next step */
        risei_sequence_zero_states(s, c, next + active, fresh);
    }
}

/* Writes the transpose [out][in] of weights [in][out]; both are rise_matrix_panels. Works on blocks
   of RISE_PANEL x RISE_PANEL. If `in` and `out` are multiples of RISE_PANEL, a block is contiguous
   in both matrices. */
RISEI_FN void risei_transpose_panels(const rise_real *weights, int in, int out,
                                     rise_real *transposed)
{
    rise_matrix const from = rise_matrix_panels(weights, in, out);
    rise_matrix const to = rise_matrix_panels(transposed, out, in);
    int const tile = in % 4 == 0 && out % 4 == 0 ? 4 : 1;
    int i0, j0, i, j;
    for (j0 = 0; j0 < out; j0 += RISE_PANEL)
        for (i0 = 0; i0 < in; i0 += RISE_PANEL)
            for (j = j0; j < out && j < j0 + RISE_PANEL; j += tile)
                for (i = i0; i < in && i < i0 + RISE_PANEL; i += tile) {
                    const rise_real *x = weights + i * from.rows.stride[0] +
                                         risei_matrix_column(&from, j);
                    rise_real *y = transposed + j * to.rows.stride[0] + risei_matrix_column(&to, i);
                    if (tile == 4)
                        risei_transpose4(x, from.rows.stride[0], y, to.rows.stride[0]);
                    else
                        *y = *x;
                }
}

/* Computes the gradients of step t. Reads the gradients of h and c after the step. Writes dgates
   and du, and replaces dh and dc as risei_cell_row says. Gradients of padding are zero. */
RISEI_FN void risei_cell_backward_part(void *job, int part, int parts, void *scratch)
{
    const risei_cell_job *const j = (const risei_cell_job *)job;
    const risei_sequence *s = j->sequence;
    ptrdiff_t const n = j->cell->units, out = j->cell->x.out;
    int row, end;
    (void)scratch;
    risei_part_range(risei_sequence_active(s, j->t), 1, part, parts, &row, &end);
    for (; row < end; row++) {
        risei_cell_row const r = risei_cell_job_row(j, row);
        if (risei_sequence_started(s, j->t, row)) {
            j->cell->kind->backward(j->kernels, &r);
            continue;
        }
        risei_zero(r.dgates, out);
        risei_zero(r.du, out);
        risei_zero(r.dh, n);
        risei_zero(r.dc, n);
    }
}
/* Runs backward from step `steps` - 1 down to step s->burn_in. Forward may have run over more
   steps. All rows must have started before step `steps`. There must be at least dh_blocks steps
   from s->burn_in on. The caller writes s->dh and s->dc. Block i of dh is the gradient of h after
   step `steps` - dh_blocks + i, without the part that comes from later steps. Backward adds this
   part to the block. Writes the gradients of the cell's parameters to g. If s->dx is not NULL,
   writes dx of the steps that backward runs over. */
RISEI_FN void risei_cell_backward(const risei_device *d, const risei_cell *c, const rise_real *w,
                                  rise_real *g, const risei_sequence *s, int steps)
{
    const risei_cell_kind *kind = c->kind;
    ptrdiff_t const n = c->units, out = c->x.out;
    ptrdiff_t const from = s->begin[s->burn_in];
    int const entries = s->begin[steps] - s->begin[s->burn_in];
    int block = s->dh_blocks - 1;
    rise_product p;
    risei_cell_job job;
    job.kernels = d->kernels, job.cell = c, job.sequence = s;
    memset(&p, 0, sizeof p);
    p.n = c->units, p.k = c->x.out;
    p.accumulate = kind->direct;
    if (kind->recurrent) {
        risei_transpose_panels(w + c->h.weights, c->units, c->x.out, s->transposed);
        p.b = rise_matrix_panels(s->transposed, c->x.out, c->units);
    }
    for (job.t = steps - 1; job.t >= s->burn_in; job.t--) {
        int const active = risei_sequence_active(s, job.t);
        job.dh = s->dh + block * s->rows * n;
        risei_device_run(d, RISEI_CELL_UNIT_WORK * active * (double)n, risei_cell_backward_part,
                         &job);
        if (kind->recurrent) { /* dh = du Wh^T; if `direct` is 1, dh += du Wh^T */
            p.m = active;
            p.a = rise_matrix_plain(s->du + s->begin[job.t] * out, out);
            p.c = rise_matrix_plain(job.dh, n);
            risei_product_run(d, &p);
        }
        if (block == 0) continue;
        block--;
        d->kernels->add(s->rows * (int)n, job.dh, s->dh + block * s->rows * n);
    }
    /* for each weight matrix, one product over all steps computes the gradient */
    risei_linear_backward(d, &c->x, w, g, entries, s->x + from * c->in, c->in,
                          s->dgates + from * out, out, s->dx != NULL ? s->dx + from * c->in : NULL,
                          c->in);
    if (kind->recurrent)
        risei_linear_backward_weights(d, &c->h, g, entries, s->h + from * n, n, s->du + from * out,
                                      out);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>targets: what an update learns from

   Holds functions that read and write arrays only: the best action, softmax policies, the targets
   of Q-learning, and the losses. Main type: risei_bootstrap. Uses room kernels (exp and log).
   Tests: tests/targets.c, tests/rules.c. */

/* Returns whether an action is allowed. `mask` has a bit for each action; NULL allows all. */
RISEI_FN int risei_mask_allows(const uint8_t *mask, int action)
{
    return mask == NULL || (mask[action / 8] >> (action % 8) & 1) != 0;
}
/* Writes the mask of `actions` actions. allowed [actions]: 0 forbids an action. NULL: all are
   allowed. */
RISEI_FN void risei_mask_write(uint8_t *mask, const uint8_t *allowed, int actions)
{
    int i;
    memset(mask, 0, (size_t)risei_ceil_div(actions, 8));
    for (i = 0; i < actions; i++)
        if (allowed == NULL || allowed[i] != 0)
            mask[i / 8] = (uint8_t)(mask[i / 8] | 1u << (i % 8));
}
/* Returns the allowed action with the largest q [n]. Among equal values, returns the first. A NaN
   does not replace the best action so far. If the first allowed q is NaN, returns its action.
   Returns 0 if no action is allowed. */
RISEI_FN int risei_best_action(int n, const rise_real *q, const uint8_t *mask)
{
    int i, best = -1;
    for (i = 0; i < n; i++) {
        if (!risei_mask_allows(mask, i)) continue;
        if (best < 0 || q[i] > q[best]) best = i;
    }
    return best < 0 ? 0 : best;
}

/* Returns the large-margin loss of the demonstrated action e for q [n] (Hester et al. 2018). The
   loss is the maximum over e and all allowed actions a of (q[a] + margin (a != e)) - q[e]. Writes
   the action of the maximum to *rival; *rival is e if the loss is 0. */
RISEI_FN rise_real risei_loss_margin(int n, const rise_real *q, const uint8_t *mask, int e,
                                     rise_real margin, int *rival)
{
    rise_real loss = 0;
    int a;
    *rival = e;
    for (a = 0; a < n; a++) {
        rise_real const more = q[a] + margin - q[e];
        if (a == e || !risei_mask_allows(mask, a) || !(more > loss)) continue;
        loss = more, *rival = a;
    }
    return loss;
}
/* Value rescaling: h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x, and the inverse of h. With h,
   the scale of the targets depends less on the scale of the rewards (Pohlen et al. 2018). */
#define RISEI_RESCALE 0.001
RISEI_FN rise_real risei_rescale(rise_real x)
{
    double const size = fabs((double)x), y = sqrt(size + 1) - 1 + RISEI_RESCALE * size;
    return (rise_real)(x < 0 ? -y : y);
}
RISEI_FN rise_real risei_rescale_inverse(rise_real y)
{
    double const size = fabs((double)y);
    double const root = sqrt(1 + 4 * RISEI_RESCALE * (size + 1 + RISEI_RESCALE)) - 1;
    double const x = root / (2 * RISEI_RESCALE) * (root / (2 * RISEI_RESCALE)) - 1;
    return (rise_real)(y < 0 ? -x : x);
}

/* The least log-probability that counts; in risei_log_policy, relative to the largest probability.
   The kernels' exp clamps its argument at -87, so the exp of -infinity is not 0. So probabilities
   below e^-80 are left out by a comparison. The sum of all probabilities is 1, so the rounding
   error of a float is far larger than e^-80. */
#define RISEI_LOG_MINIMUM (-80)

/* Writes log_policy [n] = log softmax(q / temperature) for the allowed actions, and -infinity for
   the others. Subtracts the maximum first, so small temperatures do not overflow. */
RISEI_FN void risei_log_policy(const rise_kernels *k, int n, const rise_real *q,
                               const uint8_t *mask, rise_real temperature, rise_real *log_policy)
{
    rise_real const largest = q[risei_best_action(n, q, mask)];
    rise_real sum = 0, probability;
    int i;
    for (i = 0; i < n; i++) {
        log_policy[i] = (q[i] - largest) / temperature;
        if (!risei_mask_allows(mask, i)) log_policy[i] = -(rise_real)HUGE_VALF;
        k->exp(1, &log_policy[i], &probability);
        if (!(log_policy[i] < RISEI_LOG_MINIMUM)) sum = sum + probability;
    }
    if (sum > 0) k->log(1, &sum, &sum); /* a NaN stays: the kernels' log of NaN is finite */
    for (i = 0; i < n; i++) log_policy[i] = log_policy[i] - sum;
}

/* The inputs for the target of one transition. Here "next state" is the environment's state at the
   end of the transition: n_step steps later, or fewer if the episode ended. */
typedef struct risei_bootstrap {
    int actions;
    rise_real reward;   /* discounted sum of the transition's rewards, plus any Munchausen term */
    rise_real discount; /* factor on the next state's value; 0 where the episode terminated */
    /* [taus][actions][atoms]: the target network's outputs for the next state, after `expect`: for
       C51, probabilities */
    const rise_real *next;
    int next_action; /* without Munchausen: the next action, whose value the target uses */
    /* [actions]: the target network's policy in the next state, and its logarithm; NULL without
       Munchausen */
    const rise_real *policy, *log_policy;
    rise_real temperature;
    int rescale; /* 1: the network's outputs are h(value), see risei_rescale */
} risei_bootstrap;

/* Returns the value of the next state for fraction i of `taus`: the output of next_action. The head
   must have one atom. With Munchausen, returns the mean of the outputs under the policy, plus
   temperature times the policy's entropy (Vieillard et al. 2020). */
RISEI_FN rise_real risei_bootstrap_value(const risei_bootstrap *b, int i)
{
    const rise_real *next = b->next + (ptrdiff_t)i * b->actions;
    rise_real value = 0;
    int j;
    if (b->policy == NULL) return next[b->next_action];
    for (j = 0; j < b->actions; j++)
        if (!(b->log_policy[j] < RISEI_LOG_MINIMUM)) /* also NaN, which makes the value NaN */
            value = value + b->policy[j] * (next[j] - b->temperature * b->log_policy[j]);
    return value;
}
/* Writes target [count] = reward + discount * value, one for each of `count` fractions. With
   `rescale`, applies the inverse of h to value, and applies h to the sum. If discount is 0, the
   target does not depend on `next`, even if `next` is NaN. */
RISEI_FN void risei_target_values(const risei_bootstrap *b, int count, rise_real *target)
{
    int i;
    for (i = 0; i < count; i++) {
        rise_real value = risei_bootstrap_value(b, i);
        if (b->rescale) value = risei_rescale_inverse(value);
        target[i] = b->discount > 0 ? b->reward + b->discount * value : b->reward;
        if (b->rescale) target[i] = risei_rescale(target[i]);
    }
}
/* Computes the C51 projection (Bellemare et al. 2017). The returns of the atoms are equally spaced
   from `low` to `high`. `next` [atoms] holds the atoms' probabilities in the next state. Each
   return becomes reward + discount * return, clipped to low .. high. The probability of the return
   is split linearly between the two nearest atoms of `target` [atoms]. If discount is 0, the only
   return is `reward`, with probability 1. */
RISEI_FN void risei_c51_project(int atoms, double low, double high, rise_real reward,
                                rise_real discount, const rise_real *next, rise_real *target)
{
    double const spacing = (high - low) / (atoms - 1);
    int const terminated = !(discount > 0);
    int t;
    for (t = 0; t < atoms; t++) target[t] = 0;
    for (t = 0; t < (terminated ? 1 : atoms); t++) {
        double const future = terminated ? 0 : (double)discount * (low + spacing * t);
        double const value = (double)reward + future;
        double const clipped = value < low ? low : value > high ? high : value;
        double const place = (clipped - low) / spacing;
        rise_real const probability = terminated ? 1 : next[t];
        int const below = (int)place < atoms - 1 ? (int)place : atoms - 2;
        rise_real const share = (rise_real)(place - below);
        target[below] = target[below] + probability * (1 - share);
        target[below + 1] = target[below + 1] + probability * share;
    }
}

/* Returns the Huber loss of td = target - q, with threshold 1. Writes *dq, the derivative of the
   loss with respect to q. */
RISEI_FN rise_real risei_huber(rise_real td, rise_real *dq)
{
    rise_real const size = risei_abs(td);
    *dq = size <= 1 ? -td : td > 0 ? (rise_real)-1 : (rise_real)1;
    return size <= 1 ? td * td * (rise_real)0.5 : size - (rise_real)0.5;
}
/* The gradient of one transition is multiplied by importance / batch. `importance` is the
   transition's importance-sampling weight. `batch` is the number of transitions of the update: of
   all parts of the batch, in all processes. */
typedef struct risei_loss_weight {
    rise_real importance, batch;
} risei_loss_weight;

/* Returns the Huber loss of `count` outputs z[i * stride] against `count` targets: the sum over the
   outputs of the mean over the targets. The returned loss is not multiplied by `weight`.

   If tau [count] is not NULL, output i is the quantile at fraction tau[i]. The loss of output i is
   multiplied by 1 - tau[i] where the target is below the output, else by tau[i] (Dabney et al.
   2018).

   Writes the gradient dz[i * stride], multiplied by `weight`. Writes *td: the error target - output
   if count is 1, else the mean of all absolute errors. */
RISEI_FN rise_real risei_loss_huber(int count, int stride, const rise_real *z, const rise_real *tau,
                                    const rise_real *target, const risei_loss_weight *weight,
                                    rise_real *dz, rise_real *td)
{
    rise_real loss = 0, errors = 0;
    int i, j;
    for (i = 0; i < count; i++) {
        rise_real sum = 0;
        for (j = 0; j < count; j++) {
            rise_real const error = target[j] - z[(ptrdiff_t)i * stride];
            rise_real const asymmetry = tau != NULL ? risei_abs(tau[i] - (rise_real)(error < 0))
                                                    : 1;
            rise_real slope, huber = risei_huber(error, &slope);
            loss = loss + asymmetry * huber;
            sum = sum + asymmetry * slope;
            errors = errors + (count > 1 ? risei_abs(error) : error);
        }
        dz[(ptrdiff_t)i * stride] = sum / (rise_real)count * weight->importance / weight->batch;
    }
    *td = errors / (rise_real)(count * count);
    return loss / (rise_real)count;
}
/* Returns the cross entropy of `target` [atoms] and the probabilities z [atoms]. The elements of
   `target` must add up to 1. The returned loss is not multiplied by `weight`. Writes dz [atoms],
   the gradient of the logits whose softmax is z, multiplied by `weight`. Writes *td, which is the
   loss. Probabilities below 1e-30 count as 1e-30, so that the logarithm is finite. So do NaN: the
   loss is then finite, but dz is NaN. */
RISEI_FN rise_real risei_loss_cross_entropy(const rise_kernels *k, int atoms, const rise_real *z,
                                            const rise_real *target,
                                            const risei_loss_weight *weight, rise_real *dz,
                                            rise_real *td)
{
    rise_real loss = 0;
    int i;
    for (i = 0; i < atoms; i++) {
        rise_real const probability = z[i] > (rise_real)1e-30 ? z[i] : (rise_real)1e-30;
        rise_real log_probability;
        k->log(1, &probability, &log_probability);
        loss = loss - target[i] * log_probability;
        dz[i] = (z[i] - target[i]) * weight->importance / weight->batch;
    }
    *td = loss;
    return loss;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>heads: from the fused features of a state to a value of each action

   Holds the value heads: dueling layers and noisy layers. A risei_head_kind says what the outputs
   are: expected returns (MEAN), probabilities of fixed returns (C51), or quantiles of the return
   (IQN).

   Main types: risei_heads (layers), risei_heads_data (activations and gradients). Uses rooms
   memory, random, kernels, threads, layers, targets. Tests: tests/gradients.c, tests/targets.c.

   A batch row, here "row", is one environment state whose Q is computed. */

struct risei_heads;

/* The descriptor of a kind of head. z [taus][actions][atoms] are the outputs of one batch row. */
typedef struct risei_head_kind {
    const char *name;
    /* Returns the number of atoms; 1 except for C51. */
    int (*atoms)(const rise_agent_desc *desc);
    /* Returns the number of fractions tau; 1 except for IQN. */
    int (*taus)(const rise_agent_desc *desc);
    int quantiles; /* 1: outputs depend on a fraction tau, see risei_quantile_forward */
    int values;    /* 1: outputs are values, so value_rescale and munchausen are allowed */
    /* Computes q [actions] from z of one batch row. C51 replaces z by its softmax. */
    void (*expect)(const rise_kernels *k, const struct risei_heads *h, rise_real *z, rise_real *q);
    /* Adds dq times the gradient of Q of `action` to dz. dq is the derivative of the loss with
       respect to this Q. dz is the gradient of the outputs before expect: for C51, of the logits. z
       holds the outputs after expect: for C51, the probabilities. */
    void (*expect_backward)(const struct risei_heads *h, const rise_real *z, int action,
                            rise_real dq, rise_real *dz);
    /* Computes the target of one transition: [taus] or, for C51, [atoms]. */
    void (*target)(const struct risei_heads *h, const risei_bootstrap *b, rise_real *target);
    /* Returns the loss of one transition, not multiplied by `weight`. z and dz point to the outputs
       of the transition's action and to their gradient. Element t * actions * atoms + i belongs to
       fraction t and atom i. Writes dz, multiplied by `weight`, and the error *td, from which the
       priority is computed. */
    rise_real (*loss)(const rise_kernels *k, const struct risei_heads *h, const rise_real *z,
                      const rise_real *tau, const rise_real *target,
                      const risei_loss_weight *weight, rise_real *dz, rise_real *td);
} risei_head_kind;

/* The layers: hidden -> ReLU -> advantage and, if dueling, value. One layer `hidden` holds the
   hidden units of advantage, followed by those of value. */
typedef struct risei_heads {
    const risei_head_kind *kind;
    int in, actions, atoms, taus;
    int dueling, noisy;
    double value_min, value_max; /* C51: returns of the first and the last atom */
    risei_linear quantile;       /* IQN: cosines of a fraction -> in */
    risei_linear hidden, value, advantage;
    /* Number of parameters of hidden, advantage and value. With `noisy`, the sigma of parameter i
       of these layers is parameter i + sigmas. */
    ptrdiff_t sigmas;
} risei_heads;

/* Activations of `rows` batch rows. The gradients have `learn` rows, see risei_heads_layout. x and
   dx are buffers of the risei_pass. */
typedef struct risei_heads_data {
    rise_real *x;             /* [rows][in] */
    rise_real *tau;           /* IQN: [rows][taus] fractions */
    rise_real *cosines, *phi; /* IQN: [rows][taus][RISEI_COSINES] and [rows][taus][in] */
    rise_real *mixed;         /* [rows][taus][in]: x * phi for IQN, else the array x */
    /* [rows][taus][hidden.out], [rows][taus][atoms], [rows][taus][actions][atoms] */
    rise_real *hidden, *value, *advantage;
    rise_real *z, *q; /* [rows][taus][actions][atoms], [rows][actions]; MEAN: the same array */
    rise_real *dx, *dphi, *dmixed, *dhidden, *dvalue, *dadvantage;
    rise_real *dz; /* [learn][taus][actions][atoms]; C51: the gradient of the logits */
} risei_heads_data;

enum { RISEI_COSINES = 64 }; /* cosine features of a fraction tau (Dabney et al. 2018) */

/* -- MEAN: one number per action, the expected return -- */

RISEI_FN int risei_head_one(const rise_agent_desc *desc)
{
    (void)desc;
    return 1;
}
/* Copies z to q, unless they are the same array. */
RISEI_FN void risei_mean_expect(const rise_kernels *k, const risei_heads *h, rise_real *z,
                                rise_real *q)
{
    (void)k;
    if (q != z) memcpy(q, z, (size_t)h->actions * sizeof *q);
}
/* The backward pass of expect, for MEAN and for IQN: Q is the mean over the fractions. */
RISEI_FN void risei_values_expect_backward(const risei_heads *h, const rise_real *z, int action,
                                           rise_real dq, rise_real *dz)
{
    int t;
    (void)z;
    for (t = 0; t < h->taus; t++)
        dz[t * h->actions + action] = dz[t * h->actions + action] + dq / (rise_real)h->taus;
}
/* Computes target [taus], for MEAN and for IQN. */
RISEI_FN void risei_values_target(const risei_heads *h, const risei_bootstrap *b, rise_real *target)
{
    risei_target_values(b, h->taus, target);
}
RISEI_FN rise_real risei_mean_loss(const rise_kernels *k, const risei_heads *h, const rise_real *z,
                                   const rise_real *tau, const rise_real *target,
                                   const risei_loss_weight *weight, rise_real *dz, rise_real *td)
{
    (void)k, (void)tau;
    return risei_loss_huber(1, h->actions, z, NULL, target, weight, dz, td);
}

/* -- C51 (Bellemare et al. 2017): the probabilities of `atoms` fixed returns -- */

RISEI_FN int risei_c51_atoms(const rise_agent_desc *desc) { return desc->atoms; }
/* Returns the return of atom t. */
RISEI_FN rise_real risei_c51_return(const risei_heads *h, int t)
{
    return (rise_real)(h->value_min + (h->value_max - h->value_min) * t / (h->atoms - 1));
}
/* Replaces the logits x [n] by their softmax. Subtracts the maximum first, so large logits do not
   overflow. */
RISEI_FN void risei_softmax(const rise_kernels *k, int n, rise_real *x)
{
    rise_real largest = x[0], sum = 0;
    int i;
    for (i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    for (i = 0; i < n; i++) x[i] = x[i] - largest;
    k->exp(n, x, x);
    for (i = 0; i < n; i++) sum = sum + x[i];
    for (i = 0; i < n; i++) x[i] = x[i] / sum;
}
RISEI_FN void risei_c51_expect(const rise_kernels *k, const risei_heads *h, rise_real *z,
                               rise_real *q)
{
    int j, t;
    for (j = 0; j < h->actions; j++, z += h->atoms) {
        rise_real sum = 0;
        risei_softmax(k, h->atoms, z);
        for (t = 0; t < h->atoms; t++) sum = sum + z[t] * risei_c51_return(h, t);
        q[j] = sum;
    }
}
/* z holds p, the softmax of the logits, and r_t is the return of atom t. Q is the sum of p_t r_t,
   so dQ/dlogit_t = p_t (r_t - Q). */
RISEI_FN void risei_c51_expect_backward(const risei_heads *h, const rise_real *z, int action,
                                        rise_real dq, rise_real *dz)
{
    const rise_real *const p = z + (ptrdiff_t)action * h->atoms;
    rise_real *const d = dz + (ptrdiff_t)action * h->atoms;
    rise_real q = 0;
    int t;
    for (t = 0; t < h->atoms; t++) q = q + p[t] * risei_c51_return(h, t);
    for (t = 0; t < h->atoms; t++) d[t] = d[t] + dq * (p[t] * (risei_c51_return(h, t) - q));
}
RISEI_FN void risei_c51_target(const risei_heads *h, const risei_bootstrap *b, rise_real *target)
{
    risei_c51_project(h->atoms, h->value_min, h->value_max, b->reward, b->discount,
                      b->next + (ptrdiff_t)b->next_action * h->atoms, target);
}
RISEI_FN rise_real risei_c51_loss(const rise_kernels *k, const risei_heads *h, const rise_real *z,
                                  const rise_real *tau, const rise_real *target,
                                  const risei_loss_weight *weight, rise_real *dz, rise_real *td)
{
    (void)tau;
    return risei_loss_cross_entropy(k, h->atoms, z, target, weight, dz, td);
}

/* -- IQN (Dabney et al. 2018): the return's quantiles at fractions tau -- */

RISEI_FN int risei_iqn_taus(const rise_agent_desc *desc) { return desc->quantiles; }
RISEI_FN void risei_iqn_expect(const rise_kernels *k, const risei_heads *h, rise_real *z,
                               rise_real *q)
{
    int j, t;
    (void)k;
    for (j = 0; j < h->actions; j++) {
        rise_real sum = 0;
        for (t = 0; t < h->taus; t++) sum = sum + z[t * h->actions + j];
        q[j] = sum / (rise_real)h->taus;
    }
}
RISEI_FN rise_real risei_iqn_loss(const rise_kernels *k, const risei_heads *h, const rise_real *z,
                                  const rise_real *tau, const rise_real *target,
                                  const risei_loss_weight *weight, rise_real *dz, rise_real *td)
{
    (void)k;
    return risei_loss_huber(h->taus, h->actions, z, tau, target, weight, dz, td);
}

/* In the order of rise_head. */
static const risei_head_kind risei_head_kinds[] = {
    {"mean", risei_head_one, risei_head_one, 0, 1, risei_mean_expect,
     RISEI_LEARN(risei_values_expect_backward), RISEI_LEARN(risei_values_target),
     RISEI_LEARN(risei_mean_loss)},
    {"c51", risei_c51_atoms, risei_head_one, 0, 0, RISEI_RAINBOW(risei_c51_expect),
     RISEI_RAINBOW(RISEI_LEARN(risei_c51_expect_backward)),
     RISEI_RAINBOW(RISEI_LEARN(risei_c51_target)), RISEI_RAINBOW(RISEI_LEARN(risei_c51_loss))},
    {"iqn", risei_head_one, risei_iqn_taus, 1, 1, RISEI_RAINBOW(risei_iqn_expect),
     RISEI_RAINBOW(RISEI_LEARN(risei_values_expect_backward)),
     RISEI_RAINBOW(RISEI_LEARN(risei_values_target)),
     RISEI_RAINBOW(RISEI_LEARN(risei_iqn_loss))}};
RISEI_CHECK_TABLE_SIZE(risei_head_kinds, RISE_HEAD_COUNT);

/* Returns whether the heads compute quantiles at fractions tau, as IQN does. */
RISEI_FN int risei_heads_quantiles(const risei_heads *h)
{
    return RISEI_HAS_RAINBOW && h->kind->quantiles;
}
RISEI_FN risei_heads risei_heads_make(risei_parameters *p, const rise_agent_desc *desc, int in)
{
    risei_heads h;
    memset(&h, 0, sizeof h);
    h.kind = &risei_head_kinds[desc->head];
    h.in = in, h.actions = desc->actions;
    h.atoms = h.kind->atoms(desc), h.taus = h.kind->taus(desc);
    h.dueling = !desc->no_dueling, h.noisy = desc->noisy;
    h.value_min = desc->value_min, h.value_max = desc->value_max;
    if (risei_heads_quantiles(&h)) h.quantile = risei_linear_make(p, RISEI_COSINES, in, 1);
    h.hidden = risei_linear_make(p, in, desc->head_units * (h.dueling ? 2 : 1), 1);
    h.advantage = risei_linear_make(p, desc->head_units, h.actions * h.atoms, 1);
    if (h.dueling) h.value = risei_linear_make(p, desc->head_units, h.atoms, 1);
    h.sigmas = (ptrdiff_t)(p->count - h.hidden.weights);
    if (h.noisy) risei_parameters_reserve(p, (size_t)h.sigmas);
    return h;
}
/* Takes the buffers from the arena: activations of `rows` batch rows, and gradients of the first
   `learn` batch rows. x [rows][in] and dx [learn][in] belong to the caller. */
RISEI_FN void risei_heads_layout(risei_arena *arena, const risei_heads *h, risei_heads_data *a,
                                 int rows, int learn, rise_real *x, rise_real *dx)
{
    size_t const all = risei_arena_times((size_t)rows, (size_t)h->taus);
    size_t const back = risei_arena_times((size_t)learn, (size_t)h->taus);
    size_t const hidden = (size_t)h->hidden.out, atoms = (size_t)h->atoms;
    size_t const outputs = (size_t)h->actions * atoms;
    size_t const in = risei_heads_quantiles(h) ? (size_t)h->in : 0;
    int const q_is_z = h->taus == 1 && h->atoms == 1 && !risei_heads_quantiles(h);
    a->x = x, a->dx = dx;
    a->tau = RISEI_TAKE(arena, rise_real, in > 0 ? all : 0);
    a->cosines = RISEI_TAKE(arena, rise_real, in > 0 ? risei_arena_times(all, RISEI_COSINES) : 0);
    a->phi = RISEI_TAKE(arena, rise_real, risei_arena_times(all, in));
    a->mixed = in > 0 ? RISEI_TAKE(arena, rise_real, risei_arena_times(all, in)) : x;
    a->hidden = RISEI_TAKE(arena, rise_real, risei_arena_times(all, hidden));
    a->value = RISEI_TAKE(arena, rise_real, risei_arena_times(all, atoms));
    a->advantage = RISEI_TAKE(arena, rise_real, risei_arena_times(all, outputs));
    a->q = RISEI_TAKE(arena, rise_real, risei_arena_times((size_t)rows, (size_t)h->actions));
    a->z = q_is_z ? a->q : RISEI_TAKE(arena, rise_real, risei_arena_times(all, outputs));
    a->dphi = RISEI_TAKE(arena, rise_real, risei_arena_times(back, in));
    a->dmixed = in > 0 ? RISEI_TAKE(arena, rise_real, risei_arena_times(back, in)) : dx;
    a->dhidden = RISEI_TAKE(arena, rise_real, risei_arena_times(back, hidden));
    a->dvalue = RISEI_TAKE(arena, rise_real, risei_arena_times(back, atoms));
    a->dadvantage = RISEI_TAKE(arena, rise_real, risei_arena_times(back, outputs));
    a->dz = RISEI_TAKE(arena, rise_real, risei_arena_times(back, outputs));
}

/* -- Noisy layers (Fortunato et al. 2018) --

   Input i and output j of a layer have normal random numbers e_i and e_j. The weight (i, j) is
   mu + sigma f(e_i) f(e_j), and bias j is mu + sigma f(e_j), with f(x) = sign(x) sqrt(|x|). The
   noise is added to the weights before a forward pass, so the linear layers need no code for
   noise. */

/* Fills the array `layer` [3] with pointers to hidden, advantage and value. Returns how many of
   these layers exist: 3 or, without dueling, 2: then there is no value layer. */
RISEI_FN int risei_noisy_layers(const risei_heads *h, const risei_linear **layer)
{
    layer[0] = &h->hidden, layer[1] = &h->advantage, layer[2] = &h->value;
    return h->dueling ? 3 : 2;
}
/* Returns how many numbers f(e) there are: [in] and [out] of each layer; 0 without noise. */
RISEI_FN size_t risei_noise_size(const risei_heads *h)
{
    const risei_linear *layer[3];
    int i, count = risei_noisy_layers(h, layer);
    size_t size = 0;
    for (i = 0; i < count; i++) size += (size_t)(layer[i]->in + layer[i]->out);
    return h->noisy ? size : 0;
}
/* Sets every sigma to 0.5 / sqrt(in), as in the paper. */
RISEI_FN void risei_noise_initialise(const risei_heads *h, rise_real *w)
{
    const risei_linear *layer[3];
    int i, count = risei_noisy_layers(h, layer);
    size_t j;
    for (i = 0; i < count; i++) {
        const risei_linear *l = layer[i];
        for (j = l->weights; j < l->bias + (size_t)l->out; j++)
            w[(ptrdiff_t)j + h->sigmas] = (rise_real)0.5 / risei_sqrt((rise_real)l->in);
    }
}
/* Draws the numbers f(e): noise [risei_noise_size]. */
RISEI_FN void risei_noise_draw(const risei_heads *h, rise_real *noise, risei_random *random)
{
    size_t i, size = risei_noise_size(h);
    for (i = 0; i < size; i++) {
        rise_real const x = risei_random_normal(random), root = risei_sqrt(risei_abs(x));
        noise[i] = x < 0 ? -root : root;
    }
}
/* Adds sigma times the noise to the array `noisy`, which holds a copy of the weights and biases of
   w. Reads the sigmas from w. */
RISEI_FN void risei_noise_apply(const risei_device *d, const risei_heads *h, const rise_real *w,
                                const rise_real *noise, rise_real *noisy)
{
    const risei_linear *layer[3];
    int i, at, count = risei_noisy_layers(h, layer);
    for (i = 0; i < count; i++) {
        const risei_linear *l = layer[i];
        rise_matrix const m = rise_matrix_panels(w + l->weights, l->in, l->out);
        const rise_real *out = noise + l->in;
        for (at = 0; at < l->out; at += m.run) {
            ptrdiff_t const panel = (ptrdiff_t)l->weights + risei_matrix_column(&m, at);
            d->kernels->perturb(l->in, m.run, w + panel + h->sigmas, noise, out + at,
                                noisy + panel);
        }
        d->kernels->multiply(l->out, w + (ptrdiff_t)l->bias + h->sigmas, out, 1, noisy + l->bias);
        noise = out + l->out;
    }
}
/* Writes the gradients of the sigmas to g. Before the call, g holds the gradients of the noisy
   weights. The gradient of mu is the same as the gradient of the noisy weight. */
RISEI_FN void risei_noise_backward(const risei_device *d, const risei_heads *h,
                                   const rise_real *noise, rise_real *g)
{
    const risei_linear *layer[3];
    int i, at, count = risei_noisy_layers(h, layer);
    memset(g + (ptrdiff_t)h->hidden.weights + h->sigmas, 0, (size_t)h->sigmas * sizeof *g);
    for (i = 0; i < count; i++) {
        const risei_linear *l = layer[i];
        rise_matrix const m = rise_matrix_panels(g + l->weights, l->in, l->out);
        const rise_real *out = noise + l->in;
        for (at = 0; at < l->out; at += m.run) {
            ptrdiff_t const panel = (ptrdiff_t)l->weights + risei_matrix_column(&m, at);
            d->kernels->perturb(l->in, m.run, g + panel, noise, out + at, g + panel + h->sigmas);
        }
        d->kernels->multiply(l->out, g + l->bias, out, 0, g + (ptrdiff_t)l->bias + h->sigmas);
        noise = out + l->out;
    }
}

RISEI_FN void risei_heads_initialise(const risei_heads *h, rise_real *w, risei_random *random)
{
    if (risei_heads_quantiles(h)) risei_linear_initialise(&h->quantile, w, random);
    risei_linear_initialise(&h->hidden, w, random);
    risei_linear_initialise(&h->advantage, w, random);
    if (h->dueling) risei_linear_initialise(&h->value, w, random);
    if (h->noisy) risei_noise_initialise(h, w);
}

/* Writes out[i] = cos(pi i x) for i < RISEI_COSINES and x in [0, 1]. Does not call cos, because the
   results of cos differ between systems. For i = 1, uses cos(pi x) = sin(pi (1/2 - x)) and 10 terms
   of the Taylor series. The first omitted term is below 3e-16. Chebyshev's recurrence gives the
   other cosines. */
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
/* Writes mixed = x * relu(cosines W + b), elementwise, for each fraction of each batch row. */
RISEI_FN void risei_quantile_forward(const risei_device *d, const risei_heads *h,
                                     const rise_real *w, int rows, risei_heads_data *a)
{
    ptrdiff_t const in = h->in;
    int const all = rows * h->taus;
    int i;
    for (i = 0; i < all; i++) risei_cosines(a->tau[i], a->cosines + (ptrdiff_t)i * RISEI_COSINES);
    risei_linear_forward(d, &h->quantile, w, all, a->cosines, RISEI_COSINES, a->phi, in, 1);
    for (i = 0; i < all; i++)
        d->kernels->multiply(h->in, a->x + i / h->taus * in, a->phi + i * in, 0, a->mixed + i * in);
}
/* Computes dx from dmixed, summed over the fractions of a batch row. Writes the gradient of the
   layer `quantile` to g. */
RISEI_FN void risei_quantile_backward(const risei_device *d, const risei_heads *h,
                                      const rise_real *w, rise_real *g, int rows,
                                      risei_heads_data *a)
{
    ptrdiff_t const in = h->in;
    int const all = rows * h->taus;
    int i;
    for (i = 0; i < all; i++) {
        const rise_real *dmixed = a->dmixed + i * in;
        rise_real *dphi = a->dphi + i * in;
        d->kernels->multiply(h->in, dmixed, a->phi + i * in, i % h->taus > 0,
                             a->dx + i / h->taus * in);
        d->kernels->multiply(h->in, dmixed, a->x + i / h->taus * in, 0, dphi);
        d->kernels->relu_backward(h->in, a->phi + i * in, dphi, dphi);
    }
    risei_linear_backward(d, &h->quantile, w, g, all, a->cosines, RISEI_COSINES, a->dphi, in, NULL,
                          0);
}

/* Computes z = value + advantage - mean advantage, for each atom (dueling, Wang et al. 2016).
   Without dueling, z = advantage. `all` is the number of batch rows times the number of
   fractions. */
RISEI_FN void risei_dueling_forward(const risei_heads *h, int all, const risei_heads_data *a)
{
    int const outputs = h->actions * h->atoms;
    int r, j, t;
    for (r = 0; r < all; r++)
        for (t = 0; t < h->atoms; t++) {
            const rise_real *advantage = a->advantage + (ptrdiff_t)r * outputs + t;
            rise_real *z = a->z + (ptrdiff_t)r * outputs + t, base = 0;
            for (j = 0; j < outputs && h->dueling; j += h->atoms) base = base + advantage[j];
            if (h->dueling)
                base = a->value[(ptrdiff_t)r * h->atoms + t] - base / (rise_real)h->actions;
            for (j = 0; j < outputs; j += h->atoms) z[j] = base + advantage[j];
        }
}
/* Computes dvalue and dadvantage from dz. `all` is as in risei_dueling_forward. */
RISEI_FN void risei_dueling_backward(const risei_heads *h, int all, const risei_heads_data *a)
{
    int const outputs = h->actions * h->atoms;
    int r, j, t;
    for (r = 0; r < all; r++)
        for (t = 0; t < h->atoms; t++) {
            const rise_real *dz = a->dz + (ptrdiff_t)r * outputs + t;
            rise_real *dadvantage = a->dadvantage + (ptrdiff_t)r * outputs + t, sum = 0;
            for (j = 0; j < outputs && h->dueling; j += h->atoms) sum = sum + dz[j];
            a->dvalue[(ptrdiff_t)r * h->atoms + t] = sum;
            for (j = 0; j < outputs; j += h->atoms)
                dadvantage[j] = dz[j] - sum / (rise_real)h->actions;
        }
}

/* Computes z and q of `rows` batch rows from x and, for IQN, from tau. */
RISEI_FN void risei_heads_forward(const risei_device *d, const risei_heads *h, const rise_real *w,
                                  int rows, risei_heads_data *a)
{
    int const units = h->advantage.in, all = rows * h->taus;
    ptrdiff_t const outputs = (ptrdiff_t)h->taus * h->actions * h->atoms;
    int r;
    if (risei_heads_quantiles(h)) risei_quantile_forward(d, h, w, rows, a);
    risei_linear_forward(d, &h->hidden, w, all, a->mixed, h->in, a->hidden, h->hidden.out, 1);
    risei_linear_forward(d, &h->advantage, w, all, a->hidden, h->hidden.out, a->advantage,
                         h->advantage.out, 0);
    if (h->dueling)
        risei_linear_forward(d, &h->value, w, all, a->hidden + units, h->hidden.out, a->value,
                             h->atoms, 0);
    risei_dueling_forward(h, all, a);
    for (r = 0; r < rows; r++)
        h->kind->expect(d->kernels, h, a->z + r * outputs, a->q + (ptrdiff_t)r * h->actions);
}
/* Computes dx from dz, for the first `rows` batch rows. Writes the layers' gradients to g. */
RISEI_FN void risei_heads_backward(const risei_device *d, const risei_heads *h, const rise_real *w,
                                   rise_real *g, int rows, risei_heads_data *a)
{
    int const units = h->advantage.in, width = h->hidden.out, all = rows * h->taus;
    risei_dueling_backward(h, all, a);
    risei_linear_backward(d, &h->advantage, w, g, all, a->hidden, width, a->dadvantage,
                          h->advantage.out, a->dhidden, width);
    if (h->dueling)
        risei_linear_backward(d, &h->value, w, g, all, a->hidden + units, width, a->dvalue,
                              h->atoms, a->dhidden + units, width);
    d->kernels->relu_backward(all * width, a->hidden, a->dhidden, a->dhidden);
    risei_linear_backward(d, &h->hidden, w, g, all, a->mixed, h->in, a->dhidden, width, a->dmixed,
                          h->in);
    if (risei_heads_quantiles(h)) risei_quantile_backward(d, h, w, g, rows, a);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>network: two streams, their fusion, and the heads

   Holds the whole network, from frames and embeddings to Q. Also holds the derived weights: the
   parameters with noise and spectral normalisation, computed before a forward pass.

   Main types: risei_net (layers), risei_pass (activations and gradients), risei_memory_kind
   (descriptor of a rise_memory). Uses rooms memory, random, kernels, threads, layers, recurrent,
   heads.
   Tests: tests/gradients.c, tests/layers_torch.py. */

/* The descriptor of a rise_memory: RISE, NONE or FULL. */
typedef struct risei_memory_kind {
    const char *name;
    int recurrent;      /* 1: there is a recurrent net */
    /* 1: the recurrent net's inputs are the numbers of observations and, if there are frames, their
       embeddings from the frozen encoder */
    int embeds;
    int encodes_window; /* 1: the recurrent net's inputs are features from the learnable encoder */
    /* default of desc.context_scale with raw_frames: [0] for frames up to 32 x 32 pixels, [1] for
       larger frames */
    double context_scale[2];
} risei_memory_kind;

/* In the order of rise_memory. */
static const risei_memory_kind risei_memory_kinds[] = {{"rise", 1, 1, 0, {0.5, 0.05}},
                                                       {"none", 0, 0, 0, {1, 1}},
                                                       {"full", 1, 0, 1, {1, 1}}};
RISEI_CHECK_TABLE_SIZE(risei_memory_kinds, RISE_MEMORY_COUNT);

typedef struct risei_net {
    const risei_memory_kind *memory;
    int embeds; /* 1: the agent embeds frames with the frozen encoder */
    rise_fusion fusion;
    risei_encoder encoder; /* the learnable encoder: a stack of observations -> features */
    /* sizes of the cell's input: the embedding or the features, then the numbers (RISE only), then
       the action and the reward */
    int embedding, numbers, extras;
    risei_cell cell;         /* all zero if memory->recurrent is 0 */
    risei_linear fuse;       /* GATE and SUM: units -> features */
    rise_real context_scale; /* factor on the recurrent state before the fusion */
    int fused_size;          /* size of the heads' input */
    int norm;                /* 1: LayerNorm between the fusion and the heads */
    size_t gain, bias;       /* [fused_size]: offsets of the LayerNorm's parameters */
    risei_heads heads;
    int spectral;        /* 1: spectral normalisation of the convs in residual units */
    size_t parameters;   /* elements of w before the vectors u; one can hold four 8-bit weights */
    size_t weights_size; /* parameters + the sizes of all u, see Spectral normalisation */
} risei_net;

/* Activations of one pass, and their gradients. `rows` is the number of batch rows: environment
   states whose Q is computed. `images` is the number of inputs of the learnable encoder. An image
   is a stack of frames, with the stack of numbers that belongs to the frames. An agent without
   frames has images of numbers alone. */
typedef struct risei_pass {
    risei_encoder_data encoder;
    risei_sequence sequence;
    /* [rows]: the index of the batch row's image, and of the batch row's state in sequence.h */
    int *feature_row, *state_row;
    rise_real *context; /* GATE and SUM: [rows][units], the recurrent state times context_scale */
    rise_real *fused;  /* [rows][fused_size] */
    rise_real *gate;   /* GATE and SUM: [rows][features]; with GATE, the outputs of the sigmoid */
    rise_real *normed; /* [rows][fused_size]: LayerNorm of `fused`; without layer_norm, `fused` */
    rise_real *stats;  /* [rows][2], of LayerNorm */
    /* For the first `learn` batch rows: the gradients of `fused`, and of the output of the fusion
       layer (GATE: the input of the sigmoid). */
    rise_real *dfused, *dgate;
    risei_heads_data heads;
} risei_pass;

/* -- Spectral normalisation (Miyato et al. 2018) of the convs in residual units --

   The weights W [k][f] of a conv are divided by sigma, an estimate of their largest singular value.
   One power iteration is done each time the normalised weights are derived:
       v = W u / |W u|, sigma = |W^T v|, new u = W^T v / sigma
   Only an update stores the new u [f] with the weights, so u changes once per update, as W does. If
   W did not change, u would converge to the right singular vector of the largest singular value,
   unless u is orthogonal to it.

   The array `s` below holds v [k], the new u [f] and sigma, for one conv after another. The
   backward pass needs them. */

/* Returns how many convs are normalised. */
RISEI_FN int risei_spectral_count(const risei_net *n)
{
    int l, count = 0;
    for (l = 0; l < n->encoder.layers && n->spectral; l++) count += 2 * n->encoder.residuals[l];
    return count;
}
/* Returns normalised conv i, 0 <= i < risei_spectral_count. */
RISEI_FN risei_conv risei_spectral_conv(const risei_net *n, int i)
{
    int l = 0;
    for (; i >= 2 * n->encoder.residuals[l]; l++) i -= 2 * n->encoder.residuals[l];
    return risei_residual_conv(&n->encoder, l, i);
}
/* Returns k, the number of rows of W. */
RISEI_FN int risei_spectral_rows(const risei_conv *c) { return c->size * c->size * c->channels; }
/* Returns how many numbers the array `s` has. */
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
/* Computes y = W x [rows] or, if `transposed`, y = W^T x [columns]. Then divides y by the norm of
   y. Returns the norm. 1e-12 is added to the norm, so a zero y causes no division by 0, and stays
   zero. */
RISEI_FN rise_real risei_spectral_multiply(const risei_device *d, const rise_real *w, int rows,
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
    risei_product_run(d, &p);
    length = risei_sqrt((rise_real)d->kernels->dot(p.m, y, y)) + (rise_real)1e-12;
    for (i = 0; i < p.m; i++) y[i] = y[i] / length;
    return length;
}
/* Writes the normalised weights to `derived`. Writes v, the new u and sigma of each conv to `s`. If
   sigma is below 2e-12, because W or u is 0, takes 1 as sigma and the old u as the new u. Files of
   earlier versions can hold an old u of 0. The elements of the new u are then 1 / sqrt(f), because
   a u of 0 would stay 0 for any W. */
RISEI_FN void risei_spectral_apply(const risei_device *d, const risei_net *n, const rise_real *w,
                                   rise_real *s, rise_real *derived)
{
    const rise_real *u = w + n->parameters;
    int i, j;
    for (i = 0; i < risei_spectral_count(n); i++) {
        risei_conv const c = risei_spectral_conv(n, i);
        const rise_real *weights = w + c.weights;
        rise_real *normalised = derived + c.weights;
        int const rows = risei_spectral_rows(&c), f = c.filters;
        risei_spectral_multiply(d, weights, rows, f, 0, u, s);
        s[rows + f] = risei_spectral_multiply(d, weights, rows, f, 1, s, s + rows);
        if (s[rows + f] < (rise_real)2e-12) {
            int const zero = !(d->kernels->dot(f, u, u) > 0);
            for (j = 0; j < f; j++) s[rows + j] = zero ? 1 / risei_sqrt((rise_real)f) : u[j];
            s[rows + f] = 1;
        }
        for (j = 0; j < rows * f; j++) normalised[j] = weights[j] / s[rows + f];
        s += rows + f + 1, u += f;
    }
}
/* Replaces the gradient g of the normalised weights by the gradient of the weights:
   (g - <g, W / sigma> v u^T) / sigma. Here u is the new u. v and u count as constants, as in the
   paper. Overwrites v in `s`. */
RISEI_FN void risei_spectral_backward(const risei_device *d, const risei_net *n, rise_real *s,
                                      const rise_real *derived, rise_real *g)
{
    int i, j;
    for (i = 0; i < risei_spectral_count(n); i++) {
        risei_conv const c = risei_spectral_conv(n, i);
        int const rows = risei_spectral_rows(&c), f = c.filters;
        rise_real *dw = g + c.weights;
        rise_real const along =
            -(rise_real)d->kernels->dot((ptrdiff_t)rows * f, dw, derived + c.weights);
        rise_product p;
        memset(&p, 0, sizeof p);
        for (j = 0; j < rows; j++) s[j] = s[j] * along;
        p.m = rows, p.n = f, p.k = 1, p.accumulate = 1;
        p.a = rise_matrix_plain(s, 1);
        p.b = rise_matrix_plain(s + rows, f);
        p.c = rise_matrix_plain(dw, f);
        risei_product_run(d, &p);
        for (j = 0; j < rows * f; j++) dw[j] = dw[j] / s[rows + f];
        s += rows + f + 1;
    }
}
/* Copies the new u of each conv from `s` to w. A discarded update does not call this function. */
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

/* -- Derived weights: the parameters with noise and spectral normalisation -- */

RISEI_FN int risei_net_derives(const risei_net *n)
{
    return RISEI_HAS_RAINBOW && (n->heads.noisy || n->spectral);
}
/* Writes the derived weights: w with noise and spectral normalisation. noise = NULL: adds no noise.
   Also writes `spectral`, the array `s` of risei_spectral_apply. Does not copy the sigmas of the
   noise and the vectors u of the spectral normalisation, because no layer reads them. */
RISEI_FN void risei_net_derive(const risei_device *d, const risei_net *n, const rise_real *w,
                               const rise_real *noise, rise_real *spectral, rise_real *derived)
{
    memcpy(derived, w, (n->heads.hidden.weights + (size_t)n->heads.sigmas) * sizeof *derived);
    if (noise != NULL) risei_noise_apply(d, &n->heads, w, noise, derived);
    risei_spectral_apply(d, n, w, spectral, derived);
}
/* Replaces the gradient of the derived weights in g by the gradient of the parameters. */
RISEI_FN void risei_net_derive_backward(const risei_device *d, const risei_net *n,
                                        const rise_real *noise, rise_real *spectral,
                                        const rise_real *derived, rise_real *g)
{
    if (n->heads.noisy) risei_noise_backward(d, &n->heads, noise, g);
    risei_spectral_backward(d, n, spectral, derived, g);
}

/* -- The network -- */

/* Returns whether the agent embeds frames: RISE does, if there are frames. */
RISEI_FN int risei_net_embeds(const rise_agent_desc *desc)
{
    return risei_memory_kinds[desc->memory].embeds && desc->frame_width > 0;
}
RISEI_FN void risei_net_make_memory(risei_net *n, risei_parameters *p, const rise_agent_desc *desc)
{
    int const features = n->encoder.out;
    n->embedding = n->memory->encodes_window ? features : n->embeds ? desc->embedding_size : 0;
    n->numbers = n->memory->embeds ? desc->numbers : 0;
    n->extras = desc->feed_action ? desc->actions + 1 : 0;
    n->cell = risei_cell_make(p, desc->cell, n->embedding + n->numbers + n->extras,
                              desc->recurrent_units);
    if (n->fusion != RISE_FUSION_CONCAT) n->fuse = risei_linear_make(p, n->cell.units, features, 1);
}
/* Writes the sizes of a network's layers and the offsets of its parameters to *n. Allocates no
   weights. Does not return the risei_net by value, because that could need a second copy on the
   stack. A copy takes about 2 kB, and the stack of a microcontroller is small. */
RISEI_FN void risei_net_make(risei_net *n, const rise_agent_desc *desc)
{
    int const channels = desc->frame_channels * desc->frame_stack;
    risei_parameters p;
    int i;
    memset(n, 0, sizeof *n);
    memset(&p, 0, sizeof p);
    p.int8 = desc->weight_bits == 8;
    n->memory = &risei_memory_kinds[desc->memory];
    n->embeds = risei_net_embeds(desc);
    n->fusion = desc->fusion, n->context_scale = (rise_real)desc->context_scale;
    n->norm = desc->layer_norm, n->spectral = desc->spectral_norm;
    risei_encoder_make(&n->encoder, &p, desc->frame_height, desc->frame_width, channels, desc->conv,
                       desc->conv_count, desc->pool_to, desc->features);
    if (desc->numbers > 0)
        risei_encoder_add_numbers(&n->encoder, &p, desc->numbers * desc->frame_stack,
                                  desc->number_features);
    if (n->memory->recurrent) risei_net_make_memory(n, &p, desc);
    n->fused_size = n->encoder.out + (n->fusion == RISE_FUSION_CONCAT ? n->cell.units : 0);
    if (n->norm) {
        n->gain = risei_parameters_reserve(&p, (size_t)n->fused_size);
        n->bias = risei_parameters_reserve(&p, (size_t)n->fused_size);
    }
    n->heads = risei_heads_make(&p, desc, n->fused_size);
    n->parameters = n->weights_size = p.count;
    for (i = 0; i < risei_spectral_count(n); i++)
        n->weights_size += (size_t)risei_spectral_conv(n, i).filters;
}
/* A linear layer or a conv, as a matrix [runs * run][outputs]. Only such layers can have 8-bit
   weights. `runs` and `run` are those of rise_int8_product. weights, scales and bias are the
   offsets of risei_linear or risei_conv. */
typedef struct risei_layer {
    int runs, run, outputs;
    int panels; /* layout of float weights. 1: as rise_matrix_panels; 0: row-major */
    size_t weights, scales, bias;
} risei_layer;

RISEI_FN risei_layer risei_layer_of_conv(const risei_conv *c)
{
    risei_layer layer;
    layer.runs = c->size, layer.run = c->size * c->channels, layer.outputs = c->filters;
    layer.panels = 0;
    layer.weights = c->weights, layer.scales = c->scales, layer.bias = c->bias;
    return layer;
}
RISEI_FN risei_layer risei_layer_of_linear(const risei_linear *l)
{
    risei_layer layer;
    layer.runs = 1, layer.run = l->in, layer.outputs = l->out;
    layer.panels = 1;
    layer.weights = l->weights, layer.scales = l->scales, layer.bias = l->bias;
    return layer;
}
/* Writes layer i of a network to *layer and returns 1. Layers are counted in the order of their
   parameters, without layers that do not exist. Returns 0 if the network has no layer i. */
RISEI_FN int risei_net_layer(const risei_net *n, int i, risei_layer *layer)
{
    enum { linears = 9 };
    const risei_encoder *const e = &n->encoder;
    const risei_linear *all[linears];
    int l;
    for (l = 0; l < e->layers; i -= 1 + 2 * e->residuals[l], l++) {
        risei_conv conv;
        if (i > 2 * e->residuals[l]) continue;
        conv = i == 0 ? e->conv[l] : risei_residual_conv(e, l, i - 1);
        *layer = risei_layer_of_conv(&conv);
        return 1;
    }
    all[0] = &e->linear, all[1] = &e->numbers;
    all[2] = &n->cell.x, all[3] = &n->cell.h, all[4] = &n->fuse;
    all[5] = &n->heads.quantile, all[6] = &n->heads.hidden;
    all[7] = &n->heads.advantage, all[8] = &n->heads.value;
    for (l = 0; l < linears; l++)
        if (all[l]->out > 0 && i-- == 0) return *layer = risei_layer_of_linear(all[l]), 1;
    return 0;
}
/* Returns how many parameters the network has: each weight of 8 bits counts, and scales do not. */
RISEI_FN size_t risei_net_count(const risei_net *n)
{
    risei_layer layer;
    size_t count = n->parameters;
    int i;
    for (i = 0; risei_net_layer(n, i, &layer); i++)
        if (layer.scales < layer.bias)
            count += (size_t)layer.runs * (size_t)layer.run * (size_t)layer.outputs -
                     (layer.bias - layer.weights);
    return count;
}
/* Multiplies the weights of the context by `factor`, 0..1. CONCAT: the rows of the heads' hidden
   layer whose inputs are the context. GATE and SUM: all weights of the fusion layer. Biases and the
   sigmas of noise do not change. Without a recurrent net, there are no such weights. Writes 0 for
   magnitudes below RISEI_FLUSH_BELOW. */
RISEI_FN void risei_fusion_decay(const risei_net *n, rise_real *w, rise_real factor)
{
    int const concat = n->fusion == RISE_FUSION_CONCAT;
    const risei_linear *const l = concat ? &n->heads.hidden : &n->fuse;
    int const first = concat ? n->encoder.out : 0; /* index of l's first input from the context */
    rise_matrix const m = rise_matrix_panels(w + l->weights, l->in, l->out);
    ptrdiff_t i;
    int j;
    for (j = 0; j < l->out; j += m.run) {
        /* a panel's rows are contiguous */
        rise_real *const panel = w + l->weights + risei_matrix_column(&m, j) +
                                 risei_walk_offset(&m.rows, first);
        for (i = 0; i < (ptrdiff_t)(l->in - first) * m.run; i++) {
            rise_real const decayed = panel[i] * factor;
            /* compares the magnitude, because a branch on a weight's sign is mispredicted half of
               the time */
            panel[i] = risei_abs(decayed) < RISEI_FLUSH_BELOW ? 0 : decayed;
        }
    }
}
/* Writes the initial w [weights_size]: all parameters, and each u of the spectral normalisation.
   With desc->context_decay above 0, the weights of the context are 0. These weights are drawn
   nevertheless, so that all other weights have the same values as with context_decay = -1. */
RISEI_FN void risei_net_initialise(const risei_net *n, rise_real *w, const rise_agent_desc *desc,
                                   risei_random *random)
{
    size_t at;
    int i;
    risei_encoder_initialise(&n->encoder, w, !desc->raw_frames, random);
    if (n->memory->recurrent) {
        risei_cell_initialise(&n->cell, w, desc->window, random);
        if (n->fusion != RISE_FUSION_CONCAT) risei_linear_initialise(&n->fuse, w, random);
    }
    for (i = 0; i < n->fused_size && n->norm; i++)
        w[n->gain + (size_t)i] = 1, w[n->bias + (size_t)i] = 0;
    risei_heads_initialise(&n->heads, w, random);
    if (desc->context_decay > 0) risei_fusion_decay(n, w, 0);
    for (at = n->parameters; at < n->weights_size; at++) w[at] = risei_random_normal(random);
}

/* The sizes of a pass: the largest that acting, targets and learning need. */
typedef struct risei_pass_size {
    int rows, images;           /* see risei_pass */
    int steps, entries, states; /* of the sequence: see risei_sequence_layout */
    int learn;                  /* batch rows that go through backward */
    int windows, learn_steps;   /* windows, and steps per window, for backward */
    int samples, burn_in;       /* desc.window_samples and desc.burn_in */
} risei_pass_size;

/* Returns how many transitions a pass of an update has: a part of the batch. */
RISEI_FN int risei_pass_batch(const rise_agent_desc *d) { return d->batch / d->batch_parts; }
/* Returns how many steps a trained window has before its last step: `window` - 1, burn-in included,
   plus 1 for each sample after the first. Returns 0 without a recurrent net. */
RISEI_FN int risei_pass_window_before(const rise_agent_desc *d)
{
    return risei_memory_kinds[d->memory].recurrent ? d->window + d->window_samples - 2 : 0;
}
/* Returns how many environments an agent steps. A play_only agent steps none, whatever the number
   in its file. */
RISEI_FN int risei_pass_environments(const rise_agent_desc *d)
{
    return d->play_only ? 0 : d->environments;
}
/* Returns how many lanes act in one pass at most. A lane is one environment or one player: see
   History in room replay. */
RISEI_FN int risei_pass_lanes(const rise_agent_desc *d)
{
    /* The most batch rows that a pass has for players alone. Each batch row takes memory, so there
       is a limit. No measurement of other limits is recorded. */
    enum { RISEI_PLAYERS = 32 };
    int const players = d->players < RISEI_PLAYERS ? d->players : RISEI_PLAYERS;
    int const environments = risei_pass_environments(d);
    return environments > players ? environments : players;
}
/* Returns how many steps acting unrolls: 1 without a recurrent net or with carry_state, else
   desc.window. */
RISEI_FN int risei_pass_act_steps(const rise_agent_desc *d)
{
    return d->carry_state || !risei_memory_kinds[d->memory].recurrent ? 1 : d->window;
}
/* Returns the sizes of a pass in which `lanes` lanes act, and which learns from `learn`
   transitions. Each of the two may be 0. */
RISEI_FN risei_pass_size risei_pass_size_of(const rise_agent_desc *d, int lanes, int learn)
{
    int const acting = risei_pass_act_steps(d) * lanes;
    int const steps = risei_pass_window_before(d) + 1 + d->n_step;
    risei_pass_size s;
    s.samples = d->window_samples, s.burn_in = d->burn_in;
    s.learn = learn, s.windows = learn / d->window_samples;
    s.learn_steps = risei_pass_window_before(d) + 1;
    s.steps = steps;
    /* An update may need Q of the state and of the next state of each transition. */
    s.rows = 2 * learn > lanes ? 2 * learn : lanes;
    s.entries = steps * s.windows > acting ? steps * s.windows : acting;
    s.states = s.entries + (s.windows > lanes ? s.windows : lanes);
    s.images = risei_memory_kinds[d->memory].encodes_window ? s.entries : s.rows;
    return s;
}
RISEI_FN risei_value risei_value_larger(risei_value a, risei_value b) { return a > b ? a : b; }
/* Returns an upper bound of the number of elements of the largest array of a pass. Leaves out
   sequence.transposed, which has as many elements as the recurrent weights. */
RISEI_FN risei_value risei_pass_largest_array(const risei_net *n, const risei_pass_size *s)
{
    const risei_heads *h = &n->heads;
    risei_value const images = (risei_value)s->images, rows = (risei_value)s->rows;
    risei_value const entries = (risei_value)s->entries;
    risei_value const hidden = (risei_value)h->hidden.out;
    risei_value const outputs = (risei_value)h->actions * (risei_value)h->atoms;
    risei_value const in = (risei_value)(risei_heads_quantiles(h) ? h->in : 0);
    int const flat = n->encoder.flat, numbers = n->encoder.numbers.in;
    risei_value largest = images * (risei_value)(flat > n->encoder.out ? flat : n->encoder.out);
    risei_value head = hidden > outputs ? hidden : outputs;
    int l;
    for (l = 0; l < n->encoder.layers; l++) {
        const risei_conv *c = &n->encoder.conv[l];
        /* the largest padding in risei_encoder_layout_layer and risei_encoder_layout_gradients */
        int pad = l > 0 ? c->dy_padding : 0;
        risei_value size, pooled;
        if (n->encoder.residuals[l] > 0 && pad < 1) pad = 1;
        if (l + 1 < n->encoder.layers && pad < c[1].pad) pad = c[1].pad;
        size = (risei_value)(c->out_height + 2 * pad) * (risei_value)(c->out_width + 2 * pad) *
               (risei_value)c->filters;
        pooled = (risei_value)(c->pooled_height + 2 * pad) *
                 (risei_value)(c->pooled_width + 2 * pad) * (risei_value)c->filters;
        if (pooled > size) size = pooled; /* pool_pad adds rows and columns */
        if (images * size > largest) largest = images * size;
    }
    if (images * (risei_value)numbers > largest) largest = images * (risei_value)numbers;
    if (in > head) head = in;
    if (risei_heads_quantiles(h) && head < (risei_value)RISEI_COSINES)
        head = (risei_value)RISEI_COSINES;
    largest = risei_value_larger(largest, rows * (risei_value)h->taus * head);
    largest = risei_value_larger(largest, rows * (risei_value)n->fused_size);
    largest = risei_value_larger(largest, entries * (risei_value)n->cell.in);
    largest = risei_value_larger(largest, (risei_value)s->states * (risei_value)n->cell.x.out);
    return largest;
}

/* Returns the bytes of scratch with which the products of a pass are fastest. */
RISEI_FN size_t risei_pass_bytes(const risei_net *n, const risei_pass_size *s)
{
    const risei_heads *h = &n->heads;
    int const learn = s->learn > 0, rows = s->rows * h->taus;
    size_t bytes = risei_encoder_bytes(&n->encoder, s->images, learn);
    int l;
    for (l = 0; l < n->encoder.layers && n->spectral; l++)
        if (n->encoder.residuals[l] > 0) {
            int const f = n->encoder.residual[l].filters;
            bytes = risei_larger(bytes, risei_layer_bytes(9 * f, f, 1, 1));
        }
    bytes = risei_larger(bytes, risei_linear_bytes(&n->cell.x, s->entries, learn));
    bytes = risei_larger(bytes, risei_linear_bytes(&n->cell.h, s->entries, learn));
    bytes = risei_larger(bytes, risei_linear_bytes(&n->fuse, s->rows, learn));
    bytes = risei_larger(bytes, risei_linear_bytes(&h->quantile, rows, learn));
    bytes = risei_larger(bytes, risei_linear_bytes(&h->hidden, rows, learn));
    bytes = risei_larger(bytes, risei_linear_bytes(&h->value, rows, learn));
    return risei_larger(bytes, risei_linear_bytes(&h->advantage, rows, learn));
}
RISEI_FN void risei_pass_layout(risei_arena *arena, const risei_net *n, risei_pass *a,
                                const risei_pass_size *s)
{
    size_t const rows = (size_t)s->rows, learn = (size_t)s->learn, fused = (size_t)n->fused_size;
    int const encodes_window = n->memory->encodes_window;
    memset(a, 0, sizeof *a);
    risei_encoder_layout(arena, &n->encoder, &a->encoder, s->images,
                         encodes_window ? s->windows * s->learn_steps : s->learn);
    a->sequence.dh_blocks = s->samples, a->sequence.burn_in = s->burn_in;
    if (n->memory->recurrent)
        risei_sequence_layout(arena, &n->cell, &a->sequence, s->steps, s->entries, s->states,
                              s->windows, s->learn_steps, encodes_window);
    a->feature_row = RISEI_TAKE(arena, int, rows);
    a->state_row = RISEI_TAKE(arena, int, rows);
    a->context = RISEI_TAKE(arena, rise_real, risei_arena_times(rows, (size_t)n->fuse.in));
    a->fused = RISEI_TAKE(arena, rise_real, risei_arena_times(rows, fused));
    a->gate = RISEI_TAKE(arena, rise_real, risei_arena_times(rows, (size_t)n->fuse.out));
    a->normed = n->norm ? RISEI_TAKE(arena, rise_real, risei_arena_times(rows, fused)) : a->fused;
    a->stats = RISEI_TAKE(arena, rise_real, rows * 2);
    a->dfused = RISEI_TAKE(arena, rise_real, risei_arena_times(learn, fused));
    a->dgate = RISEI_TAKE(arena, rise_real, risei_arena_times(learn, (size_t)n->fuse.out));
    risei_heads_layout(arena, &n->heads, &a->heads, s->rows, s->learn, a->normed, a->dfused);
}

/* Computes `fused` of `rows` batch rows from the features and the recurrent states. */
RISEI_FN void risei_fusion_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                   int rows, risei_pass *a)
{
    int const f = n->encoder.out, units = n->cell.units;
    int const concat = n->fusion == RISE_FUSION_CONCAT;
    int r, i;
    for (r = 0; r < rows; r++) {
        rise_real *fused = a->fused + (ptrdiff_t)r * n->fused_size;
        rise_real *context = concat ? fused + f : a->context + (ptrdiff_t)r * units;
        const rise_real *state = units > 0 ? a->sequence.h + (ptrdiff_t)a->state_row[r] * units
                                           : NULL;
        memcpy(fused, a->encoder.features + (ptrdiff_t)a->feature_row[r] * f,
               (size_t)f * sizeof *fused);
        for (i = 0; i < units; i++) context[i] = n->context_scale * state[i];
    }
    if (units == 0 || concat) return;
    risei_linear_forward(d, &n->fuse, w, rows, a->context, units, a->gate, f, 0);
    if (n->fusion == RISE_FUSION_GATE)
        d->kernels->gate_forward(rows * f, a->fused, a->gate, a->fused);
    else
        d->kernels->add(rows * f, a->gate, a->fused);
}
/* Runs the fusion layer of GATE or SUM backward. Replaces dfused by the gradient of the features.
   Writes the gradient of the context to sequence.dh. The caller multiplies sequence.dh by
   context_scale. */
RISEI_FN void risei_fusion_layer_backward(const risei_device *d, const risei_net *n,
                                          const rise_real *w, rise_real *g, int rows, risei_pass *a)
{
    int const f = n->encoder.out, units = n->cell.units;
    int r;
    memcpy(a->dgate, a->dfused, (size_t)rows * (size_t)f * sizeof *a->dfused);
    if (n->fusion == RISE_FUSION_GATE) {
        for (r = 0; r < rows; r++) {
            ptrdiff_t const at = (ptrdiff_t)r * f;
            d->kernels->gate_backward(f, a->encoder.features + (ptrdiff_t)a->feature_row[r] * f,
                                      a->gate + at, a->dgate + at, a->dfused + at);
        }
    }
    risei_linear_backward(d, &n->fuse, w, g, rows, a->context, units, a->dgate, f, a->sequence.dh,
                          units);
}
/* Runs the fusion backward. Afterwards the first columns of dfused hold the gradient of the
   features. Row r of sequence.dh, seen as [dh_blocks * sequence.rows][units], holds the gradient of
   the recurrent state that batch row r reads. NONE: does nothing. */
RISEI_FN void risei_fusion_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                    rise_real *g, int rows, risei_pass *a)
{
    int const f = n->encoder.out, units = n->cell.units;
    int const concat = n->fusion == RISE_FUSION_CONCAT;
    const rise_real *dcontext = concat ? a->dfused + f : a->sequence.dh;
    ptrdiff_t const stride = concat ? n->fused_size : units;
    int r, i;
    if (!n->memory->recurrent) return;
    if (!concat) risei_fusion_layer_backward(d, n, w, g, rows, a);
    for (r = 0; r < rows; r++, dcontext += stride)
        for (i = 0; i < units; i++)
            a->sequence.dh[(ptrdiff_t)r * units + i] = n->context_scale * dcontext[i];
}

/* Computes `normed` from `fused`: LayerNorm of each batch row (Ba et al. 2016). Without LayerNorm,
   both are the same array. */
RISEI_FN void risei_norm_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                 int rows, risei_pass *a)
{
    int r;
    for (r = 0; r < rows && n->norm; r++)
        d->kernels->norm_forward(n->fused_size, a->fused + (ptrdiff_t)r * n->fused_size,
                                 w + n->gain, w + n->bias,
                                 a->normed + (ptrdiff_t)r * n->fused_size, a->stats + 2 * r);
}
/* Runs the LayerNorm backward: replaces dfused, the gradient of `normed`, by the gradient of
   `fused`. Writes the gradients of gain and bias to g. */
RISEI_FN void risei_norm_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                  rise_real *g, int rows, risei_pass *a)
{
    int r;
    if (!n->norm) return;
    risei_zero(g + n->gain, n->fused_size); /* the kernel adds the gradient of each batch row */
    risei_zero(g + n->bias, n->fused_size);
    for (r = 0; r < rows; r++)
        d->kernels->norm_backward(n->fused_size, a->fused + (ptrdiff_t)r * n->fused_size,
                                  w + n->gain, a->stats + 2 * r,
                                  a->dfused + (ptrdiff_t)r * n->fused_size, g + n->gain,
                                  g + n->bias);
}

/* Computes q of `rows` batch rows from `images` images of the input. Before the call, the caller
   sets feature_row, state_row and the initial states, plans the sequence, and fills sequence.x. For
   FULL, the caller fills only the extras of sequence.x, and image i is entry i of the sequence. For
   IQN, the caller also sets heads.tau. */
RISEI_FN void risei_net_forward(const risei_device *d, const risei_net *n, const rise_real *w,
                                int rows, int images, const risei_encoder_input *input,
                                risei_pass *a)
{
    int const f = n->encoder.out;
    int i;
    risei_encoder_forward(d, &n->encoder, w, images, input, &a->encoder);
    for (i = 0; i < images && n->memory->encodes_window; i++)
        memcpy(a->sequence.x + (ptrdiff_t)i * n->cell.in, a->encoder.features + (ptrdiff_t)i * f,
               (size_t)f * sizeof *a->fused);
    if (n->memory->recurrent) risei_cell_forward(d, &n->cell, w, &a->sequence);
    risei_fusion_forward(d, n, w, rows, a);
    risei_norm_forward(d, n, w, rows, a);
    risei_heads_forward(d, &n->heads, w, rows, &a->heads);
}
/* FULL: adds dfused to the encoder's dfeatures, which hold the gradient through the cell. Features
   also reach the heads directly, without the cell. First sets dfeatures of the burn-in to zero,
   because risei_cell_backward writes no gradient for the burn-in. */
RISEI_FN void risei_net_add_direct_gradient(const risei_device *d, const risei_net *n, int rows,
                                            risei_pass *a)
{
    int const f = n->encoder.out;
    int i;
    risei_zero(a->encoder.dfeatures, (ptrdiff_t)a->sequence.begin[a->sequence.burn_in] * f);
    for (i = 0; i < rows; i++)
        d->kernels->add(f, a->dfused + (ptrdiff_t)i * n->fused_size,
                        a->encoder.dfeatures + (ptrdiff_t)a->feature_row[i] * f);
}
/* Writes the gradient g of the parameters from heads.dz of the first `rows` batch rows. `steps` is
   the number of steps for risei_cell_backward. NONE and RISE: batch row r must use image r. FULL:
   the encoder runs backward for all entries of the first `steps` steps.

   RISE and FULL: `rows` is dh_blocks * sequence.rows. Batch row block * sequence.rows + i must read
   the state of window row i after step `steps` - dh_blocks + block, unless its dz is 0. */
RISEI_FN void risei_net_backward(const risei_device *d, const risei_net *n, const rise_real *w,
                                 rise_real *g, int rows, int steps, risei_pass *a)
{
    int const f = n->encoder.out, encodes_window = n->memory->encodes_window;
    int const images = encodes_window ? a->sequence.begin[steps] : rows;
    const rise_real *dx = encodes_window ? a->sequence.dx : a->dfused;
    ptrdiff_t const stride = encodes_window ? n->cell.in : n->fused_size;
    int i;
    risei_heads_backward(d, &n->heads, w, g, rows, &a->heads);
    risei_norm_backward(d, n, w, g, rows, a);
    risei_fusion_backward(d, n, w, g, rows, a);
    if (n->memory->recurrent) {
        risei_zero(a->sequence.dc, (ptrdiff_t)a->sequence.rows * n->cell.units);
        risei_cell_backward(d, &n->cell, w, g, &a->sequence, steps);
    }
    for (i = 0; i < images; i++)
        memcpy(a->encoder.dfeatures + (ptrdiff_t)i * f, dx + i * stride, (size_t)f * sizeof *dx);
    if (encodes_window) risei_net_add_direct_gradient(d, n, rows, a);
    risei_encoder_backward(d, &n->encoder, w, g, images, &a->encoder);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>optimizer: Adam on the clipped gradient

   Holds Adam (Kingma & Ba 2015), clipping by the global norm, and the checks that the gradient and
   the new weights are finite. Main type: risei_optimizer. Uses rooms kernels, threads. Test:
   tests/kernels.c. */

typedef struct risei_optimizer {
    rise_real *m, *v; /* [parameters]: first and second moments of the gradient */
    /* [blocks]: one number for each block of RISEI_OPTIMIZER_BLOCK parameters.
       risei_optimizer_sum_squares writes the sum of squares of each block. For each block of its
       part, risei_optimizer_adam_part writes 1 if all weights of the part are finite, else 0. */
    double *per_block;
    double power1, power2; /* beta1^t and beta2^t after t updates */
    int suspect;           /* 1: some weights may be NaN or infinite */
} risei_optimizer;

#define RISEI_BETA1 0.9
#define RISEI_BETA2 0.999
/* Parameters in one block. A large float sum loses small squares by rounding. So the kernel `dot`,
   which is for a few thousand numbers, sums one block. The sums of the blocks are added in
   double. The best size depends on the rounding error of `dot`. No measurement of other sizes is
   recorded. */
#define RISEI_OPTIMIZER_BLOCK 4096

/* The arguments of a job over all parameters. Each part of the job takes some of the blocks. */
typedef struct risei_optimizer_job {
    const rise_kernels *kernels;
    risei_optimizer *optimizer;
    size_t count;
    rise_real *w;
    const rise_real *g;
    rise_adam adam;
} risei_optimizer_job;

/* Returns the index of a part's first parameter. Writes the index after the part's last parameter
   to *end. If the part has no block, both indices are equal. */
RISEI_FN size_t risei_optimizer_range(const risei_optimizer_job *j, int part, int parts,
                                      size_t *end)
{
    size_t const block = RISEI_OPTIMIZER_BLOCK, blocks = (j->count + block - 1) / block;
    size_t const last = blocks * (size_t)(part + 1) / (size_t)parts * block;
    *end = last < j->count ? last : j->count;
    return blocks * (size_t)part / (size_t)parts * block;
}
RISEI_FN void risei_optimizer_squares_part(void *job, int part, int parts, void *scratch)
{
    const risei_optimizer_job *const j = (const risei_optimizer_job *)job;
    size_t const block = RISEI_OPTIMIZER_BLOCK;
    size_t at, end;
    (void)scratch;
    for (at = risei_optimizer_range(j, part, parts, &end); at < end; at += block)
        j->optimizer->per_block[at / block] =
            j->kernels->dot((ptrdiff_t)(end - at < block ? end - at : block), j->g + at, j->g + at);
}
/* Returns the sum of squares of x [count]. Overwrites o->per_block. */
RISEI_FN double risei_optimizer_sum_squares(const risei_device *d, risei_optimizer *o, size_t count,
                                            const rise_real *x)
{
    double total = 0;
    size_t i;
    risei_optimizer_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels, job.optimizer = o;
    job.count = count, job.g = x;
    risei_device_run(d, (double)count, risei_optimizer_squares_part, &job);
    for (i = 0; i * RISEI_OPTIMIZER_BLOCK < count; i++) total += o->per_block[i];
    return total;
}
RISEI_FN void risei_optimizer_add_part(void *job, int part, int parts, void *scratch)
{
    const risei_optimizer_job *const j = (const risei_optimizer_job *)job;
    size_t end, at = risei_optimizer_range(j, part, parts, &end);
    (void)scratch;
    for (; at < end; at += RISEI_OPTIMIZER_BLOCK)
        j->kernels->add(
            (int)(end - at < RISEI_OPTIMIZER_BLOCK ? end - at : RISEI_OPTIMIZER_BLOCK), j->g + at,
            j->w + at);
}
/* Adds the gradient of one part of a batch, x [count], to the gradient of the earlier parts, g. */
RISEI_FN void risei_optimizer_add(const risei_device *d, size_t count, const rise_real *x,
                                  rise_real *g)
{
    risei_optimizer_job job;
    memset(&job, 0, sizeof job);
    job.kernels = d->kernels;
    job.count = count, job.g = x, job.w = g;
    risei_device_run(d, (double)count, risei_optimizer_add_part, &job);
}
RISEI_FN void risei_optimizer_adam_part(void *job, int part, int parts, void *scratch)
{
    const risei_optimizer_job *const j = (const risei_optimizer_job *)job;
    const risei_optimizer *o = j->optimizer;
    size_t end, at = risei_optimizer_range(j, part, parts, &end), i;
    int const finite = j->kernels->adam((ptrdiff_t)(end - at), &j->adam, j->w + at, j->g + at,
                                        o->m + at, o->v + at);
    (void)scratch;
    /* Each part writes its result to the entries of its own blocks. A single flag, written by all
       parts without a lock, would be a data race. */
    for (i = at; i < end; i += RISEI_OPTIMIZER_BLOCK)
        o->per_block[i / RISEI_OPTIMIZER_BLOCK] = finite;
}
/* Updates the parameters w [count] by Adam with the gradient g [count]. If the norm of g is above
   `clip`, Adam gets g * (clip / norm); g itself does not change. clip = 0: no clipping. Returns the
   norm of g. If the norm is NaN or infinite, changes neither w nor the moments nor o->suspect.
   Else sets o->suspect to 1 if a new weight is not finite, or to 0 if all are. A finite norm above
   1e19 can count as infinite, because blocks are summed as floats. */
RISEI_FN double risei_optimizer_update(const risei_device *d, risei_optimizer *o, size_t count,
                                       rise_real *w, const rise_real *g, double rate,
                                       double epsilon, double clip)
{
    double const norm = sqrt(risei_optimizer_sum_squares(d, o, count, g));
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
    /* estimate: a parameter costs as much as 4 multiplications */
    risei_device_run(d, 4.0 * (double)count, risei_optimizer_adam_part, &job);
    for (i = 0, o->suspect = 0; i * RISEI_OPTIMIZER_BLOCK < count; i++)
        o->suspect |= !(o->per_block[i] > 0);
    return norm;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>replay: stored frames, the transitions between them, and their priorities

   Holds histories (rings of frames, numbers, rewards, actions, embeddings), n-step transitions, and
   a sum tree of priorities. Main types: risei_history, risei_replay, risei_transition. Uses rooms
   memory, random, kernels, statistics, targets (masks), network (memory kinds and the length of a
   window). Test: tests/replay.c. */

/* Returns the distance, in slots, from the oldest frame that an update encodes to the last sample
   of the window. FULL encodes the frame stack of every step of the window. RISE and NONE encode
   only the frame stacks of the samples and of their next states. The frame stack of a next state
   does not begin before the frame stack of the sample. So next states do not increase the
   distance. */
RISEI_FN int risei_replay_frame_reach(const rise_agent_desc *d)
{
    int const encodes_window = risei_memory_kinds[d->memory].encodes_window;
    int const states = encodes_window ? risei_pass_window_before(d) : d->window_samples - 1;
    return states + d->frame_stack - 1;
}
/* Returns how many slots before the last sample of a window an update reads: the larger of `inputs`
   and `frames`. The recurrent net reads the inputs of `before` earlier slots. With feed_action, the
   oldest of these inputs includes the action of one more slot, so `inputs` is `before` + 1. The
   frame stacks read the frames of `frames` earlier slots. */
RISEI_FN int risei_replay_reach(const rise_agent_desc *d)
{
    int const recurrent = risei_memory_kinds[d->memory].recurrent;
    int const before = risei_pass_window_before(d), frames = risei_replay_frame_reach(d);
    int const inputs = recurrent ? before + (d->feed_action ? 1 : 0) : 0;
    return inputs > frames ? inputs : frames;
}

/* -- History --

   A lane is one environment or one player, with its ring of slots. In risei_learner.copies, a lane
   is the copy of one window. A slot holds one observation (a frame, numbers or both) and the
   embedding of the frame. A slot also holds the reward of the previous slot's action, and the
   action that was chosen at this slot. The last frame of an episode has a slot, too: this slot
   holds the last reward. The target of a truncated episode bootstraps from the frame of this slot.

   `at` is the number of a slot, counted from the lane's first frame. `at` never wraps around.
   `slot` is the index of a slot in the arrays: risei_history_slot(h, lane, at). */
typedef struct risei_history {
    int lanes, capacity; /* capacity: slots of a lane */
    int frame_bytes;
    /* embedding_size: numbers of an embedding. f32: 1 stores embeddings and recurrent states as
       rise_real in `full` and `full_state`, 0 stores them as 16-bit floats in `half` and
       `half_state`. */
    int embedding_size, f32;
    int numbers;      /* desc.numbers */
    int mask_bytes;   /* bytes of a mask, which has one bit per action; 0: no masks */
    int64_t *written; /* [lanes]: slots written since the start, overwritten ones included */
    uint8_t *frames;  /* [lanes][capacity][frame_bytes] */
    uint16_t *half;   /* [lanes][capacity][embedding_size]: embeddings if f32 is 0 */
    rise_real *full;  /* [lanes][capacity][embedding_size]: embeddings if f32 is 1 */
    rise_real *raw_numbers; /* [lanes][capacity][numbers]: not standardised */
    float *rewards;         /* [lanes][capacity] */
    int16_t *actions;       /* [lanes][capacity] */
    /* [lanes][capacity]: rise_event. If RISE_FIRST comes before the old episode has ended, the
       replay buffer changes the event of the old episode's last frame to RISE_TRUNCATED. */
    uint8_t *events;
    int32_t *episode_frame; /* [lanes][capacity]: the index of the frame in its episode */
    /* The index that follows INT32_MAX, in an episode of more than 2^31 frames. Players: INT32_MAX,
       so the index stays. Training: see risei_replay_restart. */
    int32_t restart;
    uint8_t *masks;         /* [lanes][capacity][mask_bytes] */
    int state_size;         /* numbers of a recurrent state: h, then c; 0: states are not stored */
    /* [lanes][capacity][state_size]: the recurrent state before the net reads the slot's input */
    uint16_t *half_state;  /* if f32 is 0 */
    rise_real *full_state; /* if f32 is 1 */
} risei_history;

RISEI_FN void risei_history_layout(risei_arena *arena, risei_history *h)
{
    size_t const slot_count = risei_arena_times((size_t)h->lanes, (size_t)h->capacity);
    size_t const embeddings = risei_arena_times(slot_count, (size_t)h->embedding_size);
    size_t const states = risei_arena_times(slot_count, (size_t)h->state_size);
    h->written = RISEI_TAKE(arena, int64_t, h->lanes);
    h->frames = RISEI_TAKE(arena, uint8_t, risei_arena_times(slot_count, (size_t)h->frame_bytes));
    h->half = RISEI_TAKE(arena, uint16_t, h->f32 ? 0 : embeddings);
    h->full = RISEI_TAKE(arena, rise_real, h->f32 ? embeddings : 0);
    h->raw_numbers =
        RISEI_TAKE(arena, rise_real, risei_arena_times(slot_count, (size_t)h->numbers));
    h->rewards = RISEI_TAKE(arena, float, slot_count);
    h->actions = RISEI_TAKE(arena, int16_t, slot_count);
    h->events = RISEI_TAKE(arena, uint8_t, slot_count);
    h->episode_frame = RISEI_TAKE(arena, int32_t, slot_count);
    h->masks = RISEI_TAKE(arena, uint8_t, risei_arena_times(slot_count, (size_t)h->mask_bytes));
    h->half_state = RISEI_TAKE(arena, uint16_t, h->f32 ? 0 : states);
    h->full_state = RISEI_TAKE(arena, rise_real, h->f32 ? states : 0);
}
/* Returns the bytes that a slot takes in all arrays of a history. The sum tree of a replay buffer
   is not counted. */
RISEI_FN size_t risei_history_slot_bytes(const risei_history *h)
{
    size_t const real = h->f32 ? sizeof(rise_real) : sizeof(uint16_t);
    return (size_t)h->frame_bytes + (size_t)h->mask_bytes +
           (size_t)(h->embedding_size + h->state_size) * real +
           (size_t)h->numbers * sizeof *h->raw_numbers + sizeof *h->rewards +
           sizeof *h->actions + sizeof *h->events + sizeof *h->episode_frame;
}
/* Returns x % unit, for x >= 0. On 32-bit machines, a 64-bit division is a large function of the
   compiler's library. There, uses one 32-bit division if x is below 2^32, and else divides bit by
   bit. */
RISEI_FN ptrdiff_t risei_remainder(int64_t x, ptrdiff_t unit)
{
#if UINTPTR_MAX > 0xFFFFFFFFu
    return (ptrdiff_t)(x % unit);
#else
    uint32_t const high = (uint32_t)((uint64_t)x >> 32), low = (uint32_t)x, by = (uint32_t)unit;
    uint32_t rest;
    int i;
    if (high == 0) return (ptrdiff_t)(low % by);
    rest = high % by; /* below 2^31, so 2 * rest + 1 fits into 32 bits */
    for (i = 31; i >= 0; i--) rest = (rest << 1 | (low >> i & 1)) % by;
    return (ptrdiff_t)rest;
#endif
}
/* Returns the index in the arrays of slot `at` of a lane. */
RISEI_FN ptrdiff_t risei_history_slot(const risei_history *h, int lane, int64_t at)
{
    return (ptrdiff_t)lane * h->capacity + risei_remainder(at, h->capacity);
}
/* Returns whether no action follows the event: RISE_TERMINATED, RISE_TRUNCATED or RISE_ABSENT. */
RISEI_FN int risei_event_is_last(int event) { return event >= RISE_TERMINATED; }
/* Returns the number of a lane's oldest slot that is not overwritten; 0 before the first write. */
RISEI_FN int64_t risei_history_oldest(const risei_history *h, int lane)
{
    return h->written[lane] > h->capacity ? h->written[lane] - h->capacity : 0;
}
/* Returns how many slots of a lane are written and not overwritten. */
RISEI_FN int64_t risei_history_filled(const risei_history *h, int lane)
{
    return h->written[lane] - risei_history_oldest(h, lane);
}
/* Returns whether the slot at this index in the arrays was ever written. */
RISEI_FN int risei_history_slot_is_written(const risei_history *h, ptrdiff_t slot)
{
    return slot % h->capacity < h->written[slot / h->capacity];
}
/* Returns the index in the arrays of the newest slot of a lane. Needs written[lane] > 0. */
RISEI_FN ptrdiff_t risei_history_newest(const risei_history *h, int lane)
{
    return risei_history_slot(h, lane, h->written[lane] - 1);
}
/* Returns the mask of a slot: one bit per action, 1 if allowed. NULL: all actions are allowed. */
RISEI_FN const uint8_t *risei_history_mask(const risei_history *h, ptrdiff_t slot)
{
    return h->mask_bytes > 0 ? h->masks + slot * h->mask_bytes : NULL;
}
/* Returns whether the lane has no episode in progress. */
RISEI_FN int risei_history_ended(const risei_history *h, int lane)
{
    return h->written[lane] == 0 || risei_event_is_last(h->events[risei_history_newest(h, lane)]);
}
/* Stores an embedding [embedding_size]. */
RISEI_FN void risei_history_embed(risei_history *h, ptrdiff_t slot, const rise_real *embedding)
{
    int i;
    for (i = 0; i < h->embedding_size && !h->f32; i++)
        h->half[slot * h->embedding_size + i] = risei_to_half(embedding[i]);
    if (h->f32 && h->embedding_size > 0)
        memcpy(h->full + slot * h->embedding_size, embedding,
               (size_t)h->embedding_size * sizeof *embedding);
}
/* Stores a part of the recurrent state of a slot: `count` elements, the first with index `from`. */
RISEI_FN void risei_history_store_state(risei_history *h, ptrdiff_t slot, int from, int count,
                                        const rise_real *state)
{
    ptrdiff_t const at = slot * h->state_size + from;
    int i;
    for (i = 0; i < count && !h->f32; i++) h->half_state[at + i] = risei_to_half(state[i]);
    if (h->f32) memcpy(h->full_state + at, state, (size_t)count * sizeof *state);
}
/* Reads what risei_history_store_state stored. */
RISEI_FN void risei_history_load_state(const rise_kernels *k, const risei_history *h,
                                       ptrdiff_t slot, int from, int count, rise_real *state)
{
    ptrdiff_t const at = slot * h->state_size + from;
    if (h->f32)
        memcpy(state, h->full_state + at, (size_t)count * sizeof *state);
    else
        k->half_to_real(count, h->half_state + at, state);
}
/* Returns the episode_frame of slot `at` + 1 if the episode of slot `at` goes on there. */
RISEI_FN int32_t risei_history_next_index(const risei_history *h, int lane, int64_t at)
{
    int32_t const index = h->episode_frame[risei_history_slot(h, lane, at)];
    return index < INT32_MAX ? index + 1 : h->restart;
}
/* Copies element `slot` of one array to element `copy` of another. Elements have `bytes` bytes. */
RISEI_FN void risei_history_copy(const void *from, ptrdiff_t slot, void *to, ptrdiff_t copy,
                                 size_t bytes)
{
    if (bytes > 0)
        memcpy((char *)to + copy * (ptrdiff_t)bytes, (const char *)from + slot * (ptrdiff_t)bytes,
               bytes);
}
/* Copies a slot to a slot of another history with slots of the same size. `frame`: 0 leaves the
   frame out. */
RISEI_FN void risei_history_copy_slot(const risei_history *from, ptrdiff_t slot, risei_history *to,
                                      ptrdiff_t copy, int frame)
{
    size_t const size = (size_t)from->embedding_size, state = (size_t)from->state_size;
    size_t const full = from->f32 ? sizeof *from->full : 0, half = from->f32 ? 0 : 2;
    if (frame) risei_history_copy(from->frames, slot, to->frames, copy, (size_t)from->frame_bytes);
    risei_history_copy(from->full, slot, to->full, copy, full * size);
    risei_history_copy(from->half, slot, to->half, copy, half * size);
    risei_history_copy(from->full_state, slot, to->full_state, copy, full * state);
    risei_history_copy(from->half_state, slot, to->half_state, copy, half * state);
    risei_history_copy(from->raw_numbers, slot, to->raw_numbers, copy,
                       (size_t)from->numbers * sizeof *from->raw_numbers);
    risei_history_copy(from->masks, slot, to->masks, copy, (size_t)from->mask_bytes);
    to->rewards[copy] = from->rewards[slot], to->actions[copy] = from->actions[slot];
    to->events[copy] = from->events[slot], to->episode_frame[copy] = from->episode_frame[slot];
}
/* What the game passes for one environment or player in one call, and the frame's embedding. */
typedef struct risei_observation {
    const uint8_t *frame;       /* [frame_bytes]; NULL if there are no frames */
    const float *numbers;       /* [numbers]; NULL if there are none */
    const rise_real *embedding; /* [embedding_size], from the frozen encoder */
    float reward;
    int event;              /* rise_event */
    const uint8_t *allowed; /* [actions] bytes, or NULL for all */
} risei_observation;

/* Writes a lane's next slot and returns the slot's number. The action and, with stored_state, the
   recurrent state are stored later. */
RISEI_FN int64_t risei_history_append(risei_history *h, int lane, const risei_observation *o,
                                      int actions)
{
    int const first = o->event == RISE_FIRST;
    int64_t const at = h->written[lane]++;
    ptrdiff_t const slot = risei_history_slot(h, lane, at);
    int i;
    if (h->frame_bytes > 0)
        memcpy(h->frames + slot * h->frame_bytes, o->frame, (size_t)h->frame_bytes);
    for (i = 0; i < h->numbers; i++)
        h->raw_numbers[slot * h->numbers + i] = (rise_real)o->numbers[i];
    risei_history_embed(h, slot, o->embedding);
    h->episode_frame[slot] = first ? 0 : risei_history_next_index(h, lane, at - 1);
    h->rewards[slot] = first ? 0 : o->reward;
    h->events[slot] = (uint8_t)o->event;
    h->actions[slot] = 0;
    if (h->mask_bytes > 0) risei_mask_write(h->masks + slot * h->mask_bytes, o->allowed, actions);
    return at;
}
/* Writes pointers to the last `stack` frames up to slot `at`, oldest first. The first frame of the
   episode is repeated in place of frames before it. */
RISEI_FN void risei_history_stack(const risei_history *h, int lane, int64_t at, int stack,
                                  const uint8_t **frames)
{
    int const index = h->episode_frame[risei_history_slot(h, lane, at)];
    int s;
    for (s = 0; s < stack; s++) {
        int const back = stack - 1 - s < index ? stack - 1 - s : index;
        frames[s] = h->frames + risei_history_slot(h, lane, at - back) * h->frame_bytes;
    }
}
/* Writes the numbers of the last `stack` slots up to slot `at`, oldest first: out [stack][numbers],
   standardised by `with`, or raw until `with` is frozen. The numbers of the episode's first slot
   are repeated in place of slots before it. */
RISEI_FN void risei_history_stack_numbers(const risei_history *h, const risei_statistics *with,
                                          int lane, int64_t at, int stack, rise_real *out)
{
    int const index = h->episode_frame[risei_history_slot(h, lane, at)];
    int s;
    for (s = 0; s < stack && h->numbers > 0; s++) {
        int const back = stack - 1 - s < index ? stack - 1 - s : index;
        risei_statistics_apply(with,
                               h->raw_numbers + risei_history_slot(h, lane, at - back) * h->numbers,
                               out + s * h->numbers);
    }
}
/* Writes the input of the recurrent net at slot `at`. This is the embedding [embedding_size], then
   the numbers of the slot if `statistics` is not NULL. The numbers are standardised if `statistics`
   is frozen, else raw. If extras > 0, [extras] numbers follow: the previous action (one-hot; all 0
   at an episode's first frame) and the reward. */
RISEI_FN void risei_history_input(const rise_kernels *k, const risei_history *h, int lane,
                                  int64_t at, const risei_statistics *statistics, int extras,
                                  rise_real *out)
{
    ptrdiff_t const slot = risei_history_slot(h, lane, at);
    int i;
    if (!h->f32) k->half_to_real(h->embedding_size, h->half + slot * h->embedding_size, out);
    if (h->f32 && h->embedding_size > 0)
        memcpy(out, h->full + slot * h->embedding_size, (size_t)h->embedding_size * sizeof *out);
    out += h->embedding_size;
    if (statistics != NULL) {
        risei_statistics_apply(statistics, h->raw_numbers + slot * h->numbers, out);
        out += h->numbers;
    }
    if (extras == 0) return;
    for (i = 0; i < extras; i++) out[i] = 0;
    if (h->episode_frame[slot] > 0) out[h->actions[risei_history_slot(h, lane, at - 1)]] = 1;
    out[extras - 1] = h->rewards[slot];
}
/* Returns the index of the window's first step that belongs to the episode of slot `at`. Slot `at`
   is step `before` of the window. The steps of the window before the returned index are padding.
   Index 0 means no padding. */
RISEI_FN int risei_history_window_start(const risei_history *h, int lane, int64_t at, int before)
{
    int const index = h->episode_frame[risei_history_slot(h, lane, at)];
    return before - (index < before ? index : before);
}

/* -- Prioritised replay (Schaul et al. 2016) --

   The sum tree has one leaf for each slot of a history. The leaf belongs to the transition that
   starts at the slot. A leaf is priority^exponent, with priority = |td| + 0.001. A new transition
   gets the largest leaf so far. A transition is disabled, and its leaf is 0, in four cases:
   - the slot holds the last frame of an episode
   - fewer than n_step later slots are written, and the episode has not ended
   - a slot that the transition needs is overwritten
   - `window_stride` skips the transition.
   All other transitions are enabled: risei_replay_sample can draw them, each as the last sample of
   a window. An update also learns from the earlier samples of the window, even if they are
   disabled. */

/* Levels of the largest tree. Each level has an eighth of the entries of the level below. As
   8^21 = 2^63, the tree has room for every int64_t number of slots. */
#define RISEI_TREE_LEVELS 22
typedef struct risei_replay {
    risei_history history;
    int reach; /* see risei_replay_reach */
    int n_step;
    /* desc.window_stride: a window can end only at every stride-th step and at the last step of an
       episode */
    int window_stride;
    double discount;
    /* The leaves, then the other levels, lowest first. Entry i of a level is the sum of the entries
       8i .. 8i + 7 of the level below. */
    double *tree;
    int levels;
    ptrdiff_t level[RISEI_TREE_LEVELS]; /* offset of each level in `tree` */
    int64_t ready;                      /* number of leaves that are not 0 */
    double largest_leaf; /* the largest leaf so far, 1 at the start; new transitions get it */
    int64_t ended, ended_steps; /* episodes whose last frame is stored; the sum of their steps */
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
    r->largest_leaf = 1;
}
RISEI_FN double risei_replay_tree_total(const risei_replay *r)
{
    return r->tree[r->level[r->levels - 1]];
}
/* Returns the sum of the eight entries of a node, added in the order of a binary tree. */
RISEI_INLINE double risei_replay_tree_sum(const double *x)
{
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}
/* Sets a leaf, and updates r->ready and the sums above the leaf. A node of the tree has eight
   entries, because eight doubles are one cache line of 64 bytes. So three levels of a binary tree
   cost one cache miss. risei_replay_tree_find adds in the same order as risei_replay_tree_sum,
   because the sums of both must have the same bits. */
RISEI_FN void risei_replay_tree_set(risei_replay *r, ptrdiff_t slot, double value)
{
    int l;
    r->ready += (value > 0) - (r->tree[slot] > 0);
    r->tree[slot] = value;
    for (l = 1; l < r->levels; l++) {
        slot /= 8;
        r->tree[r->level[l] + slot] = risei_replay_tree_sum(r->tree + r->level[l - 1] + 8 * slot);
    }
}
/* Chooses the half of a node in which a search continues. `left` and `right` are the sums of the
   two halves. Returns 1 for the right half, else 0. For the right half, subtracts `left` from
   *mass. Never chooses a half with sum 0 if the other sum is positive. */
RISEI_INLINE int risei_replay_tree_descend(double left, double right, double *mass)
{
    int const goes_right = !(*mass < left) && right > 0;
    *mass -= goes_right ? left : 0;
    return goes_right;
}
/* Finds `count` leaves: writes to leaf[i] the index of the leaf at cumulative sum mass[i]. The sum
   of all leaves must be positive, and mass[i] must be between 0 and this sum. Never finds a leaf
   that is 0, even if sums are rounded. All searches descend together, level by level, so that their
   cache misses overlap. Overwrites `mass`. */
RISEI_FN void risei_replay_tree_find(const risei_replay *r, int count, double *mass,
                                     ptrdiff_t *leaf)
{
    int l, i;
    for (i = 0; i < count; i++) leaf[i] = 0;
    for (l = r->levels - 2; l >= 0; l--)
        for (i = 0; i < count; i++) {
            const double *x = r->tree + r->level[l] + 8 * leaf[i];
            int at = 4 * risei_replay_tree_descend((x[0] + x[1]) + (x[2] + x[3]),
                                                   (x[4] + x[5]) + (x[6] + x[7]), &mass[i]);
            at += 2 * risei_replay_tree_descend(x[at] + x[at + 1], x[at + 2] + x[at + 3], &mass[i]);
            at += risei_replay_tree_descend(x[at], x[at + 1], &mass[i]);
            leaf[i] = 8 * leaf[i] + at;
        }
}
/* Returns the value of episode_frame that follows INT32_MAX: 2^31 minus a multiple of
   window_stride. So its remainder by window_stride stays that of the true index. The value is at
   least 2^30, so no later frame seems to be near the start of its episode. */
RISEI_FN int32_t risei_replay_restart(int window_stride)
{
    return INT32_MAX - (1 << 30) / window_stride * window_stride + 1;
}
/* Returns whether the lane still holds all slots before `at` that learning reads. */
RISEI_FN int risei_replay_has_past(const risei_replay *r, int lane, int64_t at)
{
    int const index = r->history.episode_frame[risei_history_slot(&r->history, lane, at)];
    int const needed = index < r->reach ? index : r->reach;
    return at - needed >= risei_history_oldest(&r->history, lane);
}
/* Enables the transition at slot `at`: sets the transition's leaf to largest_leaf. The n-step
   future must be complete. Does nothing if the transition is enabled already, if `window_stride`
   skips the transition, or if a slot that the transition needs is overwritten. */
RISEI_FN void risei_replay_enable(risei_replay *r, int lane, int64_t at)
{
    const risei_history *h = &r->history;
    ptrdiff_t const slot = risei_history_slot(h, lane, at);
    if (at < risei_history_oldest(h, lane) || r->tree[slot] > 0) return;
    if (r->window_stride > 1 && ((int64_t)h->episode_frame[slot] + 1) % r->window_stride != 0 &&
        !risei_event_is_last(h->events[risei_history_slot(h, lane, at + 1)]))
        return;
    if (risei_replay_has_past(r, lane, at)) risei_replay_tree_set(r, slot, r->largest_leaf);
}
/* Adds the episode that ends at `slot` to r->ended. Adds the frames before this slot to
   r->ended_steps. Sign 1: the slot now holds a last frame. Sign -1 subtracts, because the slot will
   be overwritten. */
RISEI_FN void risei_replay_count_episode(risei_replay *r, ptrdiff_t slot, int sign)
{
    r->ended += sign;
    r->ended_steps += (int64_t)sign * r->history.episode_frame[slot];
}
/* Counts the episode that ends at slot `at`. Calls risei_replay_enable for the last n_step
   transitions of this episode. A transition less than n_step steps before the end sums fewer than
   n_step rewards. */
RISEI_FN void risei_replay_end_episode(risei_replay *r, int lane, int64_t at)
{
    ptrdiff_t const slot = risei_history_slot(&r->history, lane, at);
    int const index = r->history.episode_frame[slot];
    int back;
    risei_replay_count_episode(r, slot, 1);
    for (back = 1; back <= r->n_step && back <= index; back++)
        risei_replay_enable(r, lane, at - back);
}
/* Prepares to write slot `next` over the oldest slot of the lane. Disables the transition of the
   oldest slot, and all later transitions that read the oldest slot. If an episode ends at the
   oldest slot, this episode no longer counts (risei_replay_count_episode). */
RISEI_FN void risei_replay_overwrite(risei_replay *r, int lane, int64_t next)
{
    const risei_history *h = &r->history;
    ptrdiff_t const oldest = risei_history_slot(h, lane, next);
    int after;
    if (risei_event_is_last(h->events[oldest])) risei_replay_count_episode(r, oldest, -1);
    risei_replay_tree_set(r, oldest, 0);
    for (after = 1; after <= r->reach && after < h->capacity; after++) {
        ptrdiff_t const slot = risei_history_slot(h, lane, next - h->capacity + after);
        if (h->episode_frame[slot] >= after && r->tree[slot] > 0) risei_replay_tree_set(r, slot, 0);
    }
}
/* Appends an observation to a lane. Disables the transitions that need the overwritten slot, and
   enables the transitions whose n-step future is complete now. */
RISEI_FN void risei_replay_append(risei_replay *r, int lane, const risei_observation *o,
                                  int actions)
{
    risei_history *h = &r->history;
    int64_t const next = h->written[lane];
    int64_t at;
    /* an episode that did not end before the next one begins counts as truncated */
    if (o->event == RISE_FIRST && !risei_history_ended(h, lane)) {
        h->events[risei_history_slot(h, lane, next - 1)] = RISE_TRUNCATED;
        risei_replay_end_episode(r, lane, next - 1);
    }
    if (next >= h->capacity) risei_replay_overwrite(r, lane, next);
    at = risei_history_append(h, lane, o, actions);
    if (risei_event_is_last(o->event))
        risei_replay_end_episode(r, lane, at);
    else if (h->episode_frame[risei_history_slot(h, lane, at)] >= r->n_step)
        risei_replay_enable(r, lane, at - r->n_step);
}

/* An action and its n-step return. */
typedef struct risei_transition {
    int lane;
    int64_t at; /* the number of the slot where the transition starts */
    int action;
    int steps;          /* number of rewards: n_step, or fewer if the episode ended */
    rise_real reward;   /* r_1 + discount r_2 + discount^2 r_3 + ... */
    rise_real discount; /* factor on the value of slot at + steps: discount^steps; 0: terminated */
    /* priority^exponent of the window's last sample. The probability of drawing the window is
       proportional to this leaf. */
    double leaf;
    /* 1: this sample would lie before the episode's first frame. The fields above are then copied
       from the window's last sample, and this sample's weight in the loss is 0. In draws that were
       read from a file, 1 means only that the priority must not change. */
    int before_episode;
} risei_transition;

/* Returns the transition that starts at a slot. The n-step future must be complete. */
RISEI_FN risei_transition risei_replay_transition(const risei_replay *r, ptrdiff_t slot)
{
    const risei_history *h = &r->history;
    risei_transition t;
    double discount = 1, sum = 0;
    int64_t newest;
    memset(&t, 0, sizeof t);
    t.lane = (int)(slot / h->capacity);
    newest = h->written[t.lane] - 1;
    t.at = newest - (newest - slot % h->capacity) % h->capacity;
    t.action = h->actions[slot];
    t.leaf = r->tree[slot];
    for (t.steps = 1;; t.steps++) {
        ptrdiff_t const next = risei_history_slot(h, t.lane, t.at + t.steps);
        sum += discount * (double)h->rewards[next];
        discount *= r->discount;
        if (h->events[next] == RISE_TERMINATED) discount = 0;
        if (risei_event_is_last(h->events[next]) || t.steps == r->n_step) break;
    }
    t.reward = (rise_real)sum;
    t.discount = (rise_real)discount;
    return t;
}
/* Draws `count` transitions with probabilities proportional to their leaves. Stratified: divides
   the sum of all leaves into `count` equal intervals, and draws one transition from each. Needs
   ready > 0. */
RISEI_FN void risei_replay_sample(const risei_replay *r, risei_random *random, int count,
                                  risei_transition *out)
{
    /* Searches that run together, so that their cache misses overlap. The best number depends on
       how many cache misses a core can have at once. No measurement of other numbers is
       recorded. */
    enum { together = 64 };
    const risei_history *h = &r->history;
    double const share = risei_replay_tree_total(r) / count;
    double mass[together];
    ptrdiff_t leaf[together];
    int from, i;
    for (from = 0; from < count; from += together) {
        int const some = count - from < together ? count - from : together;
        for (i = 0; i < some; i++)
            mass[i] = (from + i + (double)risei_random_uniform(random)) * share;
        risei_replay_tree_find(r, some, mass, leaf);
        for (i = 0; i < some; i++) { /* the slots are random, so each first read is a cache miss */
            RISEI_PREFETCH(h->actions + leaf[i]);
            RISEI_PREFETCH(h->rewards + leaf[i] + 1);
            RISEI_PREFETCH(h->events + leaf[i] + 1);
        }
        for (i = 0; i < some; i++) out[from + i] = risei_replay_transition(r, leaf[i]);
    }
}
/* Writes the importance weights [count] of transitions t [count], which are one part of a batch:
   (leaf / smallest leaf of the part)^-exponent. The largest weight is 1. Transitions with
   before_episode = 1 get weight 0. */
RISEI_FN void risei_replay_weights(const rise_kernels *k, int count, const risei_transition *t,
                                   double exponent, rise_real *weights)
{
    double least = t[0].leaf;
    int i;
    for (i = 1; i < count; i++) least = t[i].leaf < least ? t[i].leaf : least;
    for (i = 0; i < count; i++) weights[i] = (rise_real)(t[i].leaf / least);
    k->log(count, weights, weights);
    for (i = 0; i < count; i++) weights[i] = weights[i] * (rise_real)-exponent;
    k->exp(count, weights, weights);
    for (i = 0; i < count; i++) weights[i] = t[i].before_episode ? 0 : weights[i];
}
/* Sets the leaves of `count` transitions to (|td| + 0.001)^exponent. If a new leaf is above
   largest_leaf, largest_leaf becomes this leaf. With the 0.001, a td of 0 does not disable the
   transition. Skips transitions that have before_episode = 1, that are overwritten, or that are
   disabled. Skips a td that is NaN or infinite, because the kernels' log and exp would turn such a
   td into a finite leaf. Overwrites work [count]. */
RISEI_FN void risei_replay_set_priorities(risei_replay *r, const rise_kernels *k, int count,
                                          const risei_transition *t, const rise_real *td,
                                          double exponent, rise_real *work)
{
    const risei_history *h = &r->history;
    int i;
    for (i = 0; i < count; i++) work[i] = risei_abs(td[i]) + (rise_real)0.001;
    k->log(count, work, work);
    for (i = 0; i < count; i++) work[i] = work[i] * (rise_real)exponent;
    k->exp(count, work, work);
    for (i = 0; i < count; i++) {
        ptrdiff_t const slot = risei_history_slot(h, t[i].lane, t[i].at);
        double const leaf = (double)work[i];
        if (t[i].before_episode || t[i].at < risei_history_oldest(h, t[i].lane)) continue;
        if (!(r->tree[slot] > 0) || !(risei_abs(td[i]) <= (rise_real)FLT_MAX)) continue;
        if (leaf > r->largest_leaf) r->largest_leaf = leaf;
        risei_replay_tree_set(r, slot, leaf);
    }
}

/* -- Invariants of a replay buffer -- */

/* Returns whether the n-step return of slot `at` is complete: n_step more frames follow, or the
   episode ends earlier. At the last frame of an episode, where no transition starts, returns 1. */
RISEI_FN int risei_replay_has_future(const risei_replay *r, int lane, int64_t at)
{
    const risei_history *h = &r->history;
    int after = 0;
    while (after < r->n_step && at + after < h->written[lane] - 1 &&
           !risei_event_is_last(h->events[risei_history_slot(h, lane, at + after)]))
        after++;
    return after == r->n_step ||
           risei_event_is_last(h->events[risei_history_slot(h, lane, at + after)]);
}
/* Returns what is wrong with a slot, or NULL. `oldest`: the lane's oldest slot. */
RISEI_FN const char *risei_replay_wrong_slot(const risei_replay *r, int lane, int64_t at,
                                             int64_t oldest, int actions)
{
    const risei_history *h = &r->history;
    ptrdiff_t const slot = risei_history_slot(h, lane, at);
    int const index = h->episode_frame[slot], event = h->events[slot];
    const uint8_t *mask = risei_history_mask(h, slot);
    int i, allowed = 0;
    if (h->actions[slot] < 0 || h->actions[slot] >= actions) return "an action is out of range";
    if (event > RISE_TRUNCATED) return "an event is out of range";
    for (i = 0; i < actions; i++) allowed += risei_mask_allows(mask, i);
    if (allowed == 0 && event != RISE_TERMINATED) return "a mask allows no action";
    if (!risei_event_is_last(event) && !risei_mask_allows(mask, h->actions[slot]))
        return "an action is not allowed by its mask";
    if (index < 0 || (at == 0 && index != 0)) return "an episode has no first frame";
    if (event == RISE_FIRST && index != 0) return "an episode begins twice";
    if (event != RISE_FIRST && event != RISE_TRUNCATED && index == 0)
        return "an episode has no first frame";
    if (at > oldest) {
        ptrdiff_t const before = risei_history_slot(h, lane, at - 1);
        int const first = risei_event_is_last(h->events[before]);
        if (index != (first ? 0 : risei_history_next_index(h, lane, at - 1)))
            return "the frames of an episode do not follow each other";
    }
    if (r->tree[slot] > r->largest_leaf) return "a priority is above the largest";
    if (r->tree[slot] > 0 && (risei_event_is_last(event) || !risei_replay_has_past(r, lane, at) ||
                              !risei_replay_has_future(r, lane, at)))
        return "a slot that cannot be sampled has a priority";
    return NULL;
}
/* Returns what is wrong with the tree, `ready` or `ended`, or NULL. */
RISEI_FN const char *risei_replay_wrong_tree(const risei_replay *r)
{
    ptrdiff_t const slot_count = (ptrdiff_t)r->history.lanes * r->history.capacity;
    int64_t ready = 0, ended = 0;
    ptrdiff_t i;
    int l;
    for (i = 0; i < slot_count; i++) {
        int const written = risei_history_slot_is_written(&r->history, i);
        ready += r->tree[i] > 0;
        ended += written && risei_event_is_last(r->history.events[i]);
        if (r->tree[i] > 0 && !written) return "a slot without a frame has a priority";
    }
    if (ready != r->ready) return "the number of transitions is wrong";
    if (ended != r->ended) return "the number of episodes is wrong";
    for (l = 1; l < r->levels; l++)
        for (i = r->level[l]; i < r->level[l] + (r->level[l] - r->level[l - 1]) / 8; i++) {
            ptrdiff_t const below = r->level[l - 1] + 8 * (i - r->level[l]);
            double const sum = risei_replay_tree_sum(r->tree + below);
            if (r->tree[i] < sum || r->tree[i] > sum) return "a sum of priorities is wrong";
        }
    return NULL;
}
/* Returns what is wrong with a replay buffer, or NULL. Ignores window_stride and ended_steps. Does
   not find a transition that should be enabled but has the leaf 0. */
RISEI_FN const char *risei_replay_wrong(const risei_replay *r, int actions)
{
    const risei_history *h = &r->history;
    const char *wrong = NULL;
    int lane;
    for (lane = 0; lane < h->lanes && wrong == NULL; lane++) {
        int64_t const oldest = risei_history_oldest(h, lane);
        int64_t at;
        for (at = oldest; at < h->written[lane] && wrong == NULL; at++)
            wrong = risei_replay_wrong_slot(r, lane, at, oldest, actions);
    }
    return wrong != NULL ? wrong : risei_replay_wrong_tree(r);
}

/* ---------------------------------------------------------------------------------------------- */
/* >>frozen: kinds of frozen encoder: functions of one frame that are never trained

   The kinds here:
     SIGNS, GAUSSIAN, SPARSE  random projections
     CONV                     a conv net with random weights
     SNAPSHOT                 a conv net; each snapshot copies the agent's conv layers
     DOWNSAMPLE               a small image
     USER                     the user's function
   RESNET18 is in room pretrained. The table of all kinds is in room embedder. Only room embedder
   calls the functions of a kind's descriptor. Room learner reads `scaled`, and room files checks
   whether `fingerprint` is NULL. No other room reads a descriptor, and no room compares kinds.

   Main types: risei_frozen_kind (the descriptor), risei_frozen (one agent's encoder).
   Uses rooms memory, random, kernels, threads, layers. Tests: tests/agent.c, tests/snapshot.c. */

typedef struct risei_frozen_kind risei_frozen_kind;

/* The frozen encoder of one agent. An encoder computes an embedding, raw [size], from a frame
   [height][width][channels]. "Raw" means not yet standardised (see room embedder). */
typedef struct risei_frozen {
    /* NULL: the agent has no frozen encoder, and all other members are 0. */
    const risei_frozen_kind *kind;
    int width, height, channels; /* of a frame */
    int size;                    /* numbers in an embedding */
    uint32_t seed;               /* SIGNS: the seed of rise_sign. Other kinds do not use it. */
    /* Bytes of the device's scratch that `embed` uses. product_bytes: the size with which matrix
       products are fastest. chunk_bytes: the size of one chunk of converted images. 0: none. */
    size_t product_bytes, chunk_bytes;
    void *state;        /* the kind's own struct, in the arena; NULL: the kind has none */
    const rise_frame_scale *scale; /* CONV, SNAPSHOT: converts the frame for the net */
    rise_real *weights; /* CONV, SNAPSHOT: the weights of the net. Other kinds: NULL. */
    /* SNAPSHOT: memory for the weights of the next snapshot. Other kinds: NULL. */
    rise_real *next_weights;
    /* SNAPSHOT: number of weights that a snapshot copies from the learnable encoder. These are the
       weights of all conv layers. Both nets store their conv layers first. Other kinds: 0. */
    size_t snapshot_weights;
} risei_frozen;

/* The descriptor of a kind of frozen encoder. Members that a kind does not need are 0 or NULL. */
struct risei_frozen_kind {
    const char *name; /* the value of the field `embedding` in a description's text */
    /* The default of embedding_size. 0: the network of the description determines the default. */
    int default_size;
    int scaled; /* 1: embed converts the frame with `scale` */
    /* The description's field that supplies the embeddings or the weights. An error sentence about
       an embedding starts with this name. NULL: the sentence starts with "embedding". */
    const char *source;
    /* Returns the final embedding_size of a description whose defaults are filled in. NULL: the
       embedding_size of the description is final. */
    int (*final_size)(const rise_agent_desc *desc);
    /* Checks the fields of a description that this kind uses. */
    rise_result (*check_desc)(const rise_agent_desc *desc, rise_error *error);
    /* Takes the encoder's memory from the arena. Of the members product_bytes, chunk_bytes, state,
       weights, next_weights and snapshot_weights, sets those that the kind uses. Requires that the
       members before `seed` are set. */
    void (*layout)(risei_arena *arena, risei_frozen *f, const rise_agent_desc *desc);
    /* Draws the weights from the random stream, or reads them from a file. */
    rise_result (*initialise)(risei_frozen *f, risei_random *random, const rise_agent_desc *desc,
                              rise_error *error);
    /* Computes raw [size] from a frame. NULL only for a kind that this build leaves out. No agent
       can be created with such a kind. */
    void (*embed)(const risei_device *d, const risei_frozen *f, const uint8_t *frame,
                  rise_real *raw);
    /* Returns a hash of the weights. A checkpoint holds this hash instead of the weights. Loading
       fails with RISE_MISMATCH if the hash in the file differs. NULL: no hash is needed. */
    uint64_t (*fingerprint)(const risei_frozen *f);
};

/* Copies a kind's state to the arena. Returns the copy, or NULL if the arena only counts. */
RISEI_FN void *risei_frozen_store(risei_arena *arena, const void *state, size_t bytes)
{
    void *const place = risei_arena_take(arena, 1, bytes);
    if (place != NULL) memcpy(place, state, bytes);
    return place;
}

/* The state of the random projections SIGNS, GAUSSIAN and SPARSE.

   A random projection computes raw [size] = means [inputs] * matrix [inputs][size] / sqrt(inputs).
   `means` holds the mean of each square of pool x pool pixels, for each channel. Pixels are scaled
   to [0, 1]. A square that the right or bottom edge of the frame cuts is padded with zeros. The
   entries of the matrix are random, with mean 0 and variance 1. */
typedef struct risei_frozen_projection {
    int pool;   /* side of a square, in pixels */
    int inputs; /* number of squares * channels */
    /* Sums over the squares, [inputs]. SIGNS: has memory for 2^bits numbers, bits = rise_sign_bits,
       and project_signs overwrites the sums. */
    int32_t *pooled;
    int32_t *sums;     /* SIGNS, SPARSE: the projection before scaling, [size] */
    rise_real *x;      /* GAUSSIAN: the means / sqrt(inputs), [inputs] */
    rise_real *matrix; /* GAUSSIAN: [inputs][size] */
    int8_t *ternary;   /* SPARSE: the matrix / sqrt(3), [inputs][size] of -1, 0 and 1 */
} risei_frozen_projection;

/* Returns a projection with its sizes set and its arrays NULL. */
RISEI_FN risei_frozen_projection risei_frozen_projection_make(const risei_frozen *f,
                                                              const rise_agent_desc *desc)
{
    risei_frozen_projection p;
    memset(&p, 0, sizeof p);
    p.pool = desc->embedding_pool;
    p.inputs = risei_ceil_div(f->width, p.pool) * risei_ceil_div(f->height, p.pool) * f->channels;
    return p;
}
/* Fills p->pooled, [rows of squares][columns of squares][channels], with the sum over each square.
   A square that the right or bottom edge cuts has only the pixels inside the frame. */
RISEI_FN void risei_frozen_projection_pool(const risei_frozen *f, const risei_frozen_projection *p,
                                           const uint8_t *frame)
{
    int const row = risei_ceil_div(f->width, p->pool) * f->channels, square = p->pool * f->channels;
    int const frame_row = f->width * f->channels;
    int y, x, c, i, end;
    memset(p->pooled, 0, (size_t)p->inputs * sizeof *p->pooled);
    for (y = 0; y < f->height; y++, frame += frame_row) {
        int32_t *to = p->pooled + y / p->pool * row;
        for (x = 0; x < frame_row; x = end, to += f->channels) {
            end = x + square < frame_row ? x + square : frame_row;
            for (c = 0; c < f->channels; c++) {
                int32_t sum = to[c];
                for (i = x + c; i < end; i += f->channels) sum += frame[i];
                to[c] = sum;
            }
        }
    }
}
/* Returns 1 / (255 pool^2 sqrt(inputs)). The sum over a square times this factor is the square's
   mean in [0, 1], divided by sqrt(inputs). */
RISEI_FN rise_real risei_frozen_projection_scale(const risei_frozen_projection *p)
{
    rise_real const unit = 1 / (rise_real)(255 * p->pool * p->pool);
    return unit / risei_sqrt((rise_real)p->inputs);
}

/* SIGNS: the matrix has the entries of rise_sign, 1 and -1. project_signs multiplies by this matrix
   without storing the matrix. The product is exact if the values of all bytes of a frame add up to
   less than 2^31. Each byte is at most 255. So frames of more than INT32_MAX / 255 bytes are
   refused. */
RISEI_FN rise_result risei_frozen_signs_check(const rise_agent_desc *desc, rise_error *error)
{
    int const most = INT32_MAX / 255;
    int const bytes = desc->frame_width * desc->frame_height * desc->frame_channels;
    if (bytes <= most) return RISE_OK;
    return risei_fail(error, RISE_BAD_DESC,
                      "frames have %d bytes, but at most %d with RISE_EMBED_SIGNS: make the frames "
                      "smaller, or choose another embedding",
                      bytes, most);
}
RISEI_FN void risei_frozen_signs_layout(risei_arena *arena, risei_frozen *f,
                                        const rise_agent_desc *desc)
{
    risei_frozen_projection p = risei_frozen_projection_make(f, desc);
    p.pooled = RISEI_TAKE(arena, int32_t, (size_t)1 << rise_sign_bits(p.inputs, f->size));
    p.sums = RISEI_TAKE(arena, int32_t, f->size);
    f->state = risei_frozen_store(arena, &p, sizeof p);
}
RISEI_FN void risei_frozen_signs_embed(const risei_device *d, const risei_frozen *f,
                                       const uint8_t *frame, rise_real *raw)
{
    const risei_frozen_projection *p = (const risei_frozen_projection *)f->state;
    rise_real const scale = risei_frozen_projection_scale(p);
    int i;
    risei_frozen_projection_pool(f, p, frame);
    d->kernels->project_signs(p->inputs, p->pooled, f->size, f->seed, p->sums);
    for (i = 0; i < f->size; i++) raw[i] = (rise_real)p->sums[i] * scale;
}
static const risei_frozen_kind risei_frozen_kind_signs = {
    "signs",                   /* name */
    0,                         /* default_size */
    0,                         /* scaled */
    NULL,                      /* source */
    NULL,                      /* final_size */
    risei_frozen_signs_check,  /* check_desc */
    risei_frozen_signs_layout, /* layout */
    NULL,                      /* initialise */
    risei_frozen_signs_embed,  /* embed */
    NULL,                      /* fingerprint */
};

/* GAUSSIAN: the matrix is dense, and its entries are standard normal numbers. */
RISEI_FN void risei_frozen_gaussian_layout(risei_arena *arena, risei_frozen *f,
                                           const rise_agent_desc *desc)
{
    risei_frozen_projection p = risei_frozen_projection_make(f, desc);
    size_t const inputs = (size_t)p.inputs;
    p.pooled = RISEI_TAKE(arena, int32_t, inputs);
    p.x = RISEI_TAKE(arena, rise_real, inputs);
    p.matrix = RISEI_TAKE(arena, rise_real, risei_arena_times(inputs, (size_t)f->size));
    f->product_bytes = risei_layer_bytes(1, p.inputs, f->size, 0);
    f->state = risei_frozen_store(arena, &p, sizeof p);
}
RISEI_FN rise_result risei_frozen_gaussian_initialise(risei_frozen *f, risei_random *random,
                                                      const rise_agent_desc *desc,
                                                      rise_error *error)
{
    const risei_frozen_projection *p = (const risei_frozen_projection *)f->state;
    size_t const count = (size_t)p->inputs * (size_t)f->size;
    size_t i;
    (void)desc, (void)error;
    for (i = 0; i < count; i++) p->matrix[i] = risei_random_normal(random);
    return RISE_OK;
}
RISEI_FN void risei_frozen_gaussian_embed(const risei_device *d, const risei_frozen *f,
                                          const uint8_t *frame, rise_real *raw)
{
    const risei_frozen_projection *p = (const risei_frozen_projection *)f->state;
    rise_real const scale = risei_frozen_projection_scale(p);
    rise_product product;
    int i;
    risei_frozen_projection_pool(f, p, frame);
    for (i = 0; i < p->inputs; i++) p->x[i] = (rise_real)p->pooled[i] * scale;
    memset(&product, 0, sizeof product);
    product.m = 1, product.n = f->size, product.k = p->inputs;
    product.a = rise_matrix_plain(p->x, p->inputs);
    product.b = rise_matrix_plain(p->matrix, f->size);
    product.c = rise_matrix_plain(raw, f->size);
    risei_product_run(d, &product);
}
static const risei_frozen_kind risei_frozen_kind_gaussian = {
    "gaussian",                       /* name */
    0,                                /* default_size */
    0,                                /* scaled */
    NULL,                             /* source */
    NULL,                             /* final_size */
    NULL,                             /* check_desc */
    RISEI_OPTIONAL_ENCODER(risei_frozen_gaussian_layout),     /* layout */
    RISEI_OPTIONAL_ENCODER(risei_frozen_gaussian_initialise), /* initialise */
    RISEI_OPTIONAL_ENCODER(risei_frozen_gaussian_embed),      /* embed */
    NULL,                             /* fingerprint */
};

/* SPARSE: an entry of the matrix is sqrt(3), 0 or -sqrt(3), with probabilities 1/6, 2/3 and 1/6
   (Achlioptas 2003). The factor sqrt(3) is applied last, so the sums are exact in integers. The
   sums fit into 32 bits: a frame has at most 2^24 bytes, and about 1/6 of the entries have each
   sign. So a sum is at most about 255 * 2^24 / 6 = 7.1e8. */
RISEI_FN void risei_frozen_sparse_layout(risei_arena *arena, risei_frozen *f,
                                         const rise_agent_desc *desc)
{
    risei_frozen_projection p = risei_frozen_projection_make(f, desc);
    size_t const inputs = (size_t)p.inputs, size = (size_t)f->size;
    p.pooled = RISEI_TAKE(arena, int32_t, inputs);
    p.sums = RISEI_TAKE(arena, int32_t, size);
    p.ternary = RISEI_TAKE(arena, int8_t, risei_arena_times(inputs, size));
    f->state = risei_frozen_store(arena, &p, sizeof p);
}
RISEI_FN rise_result risei_frozen_sparse_initialise(risei_frozen *f, risei_random *random,
                                                    const rise_agent_desc *desc, rise_error *error)
{
    const risei_frozen_projection *p = (const risei_frozen_projection *)f->state;
    size_t const count = (size_t)p->inputs * (size_t)f->size;
    size_t i;
    (void)desc, (void)error;
    for (i = 0; i < count; i++) {
        int const face = risei_random_below(random, 6);
        p->ternary[i] = (int8_t)(face == 0 ? 1 : face == 1 ? -1 : 0);
    }
    return RISE_OK;
}
RISEI_FN void risei_frozen_sparse_embed(const risei_device *d, const risei_frozen *f,
                                        const uint8_t *frame, rise_real *raw)
{
    const risei_frozen_projection *p = (const risei_frozen_projection *)f->state;
    rise_real const scale = risei_frozen_projection_scale(p), root = risei_sqrt((rise_real)3);
    int i;
    risei_frozen_projection_pool(f, p, frame);
    d->kernels->project_ternary(p->inputs, p->pooled, f->size, p->ternary, p->sums);
    for (i = 0; i < f->size; i++) raw[i] = (rise_real)p->sums[i] * scale * root;
}
static const risei_frozen_kind risei_frozen_kind_sparse = {
    "sparse",                       /* name */
    0,                              /* default_size */
    0,                              /* scaled */
    NULL,                           /* source */
    NULL,                           /* final_size */
    NULL,                           /* check_desc */
    RISEI_OPTIONAL_ENCODER(risei_frozen_sparse_layout),     /* layout */
    RISEI_OPTIONAL_ENCODER(risei_frozen_sparse_initialise), /* initialise */
    RISEI_OPTIONAL_ENCODER(risei_frozen_sparse_embed),      /* embed */
    NULL,                           /* fingerprint */
};

/* The state of CONV and SNAPSHOT.

   CONV has conv layers of the learnable encoder's shape, but reads one frame instead of a stack. A
   linear layer without ReLU follows. All weights of CONV are random.

   SNAPSHOT has such layers, too, with random weights at first. A snapshot copies the weights of the
   conv layers from the learnable encoder; the linear layer stays random. The learnable encoder
   reads a stack of frames, so SNAPSHOT reads a stack, too. All frames of this stack are copies of
   the one frame to embed. */
typedef struct risei_frozen_conv {
    int stack;         /* frames in the input of the net; CONV: 1 */
    size_t parameters; /* number of the net's parameters */
    risei_encoder net;
    risei_encoder_data data;
} risei_frozen_conv;

/* Returns the net for an input of `stack` frames. Takes no memory from an arena. */
RISEI_FN risei_frozen_conv risei_frozen_conv_make(const risei_frozen *f,
                                                  const rise_agent_desc *desc, int stack)
{
    risei_frozen_conv c;
    risei_parameters p;
    memset(&c, 0, sizeof c);
    memset(&p, 0, sizeof p);
    c.stack = stack;
    risei_encoder_make(&c.net, &p, f->height, f->width, f->channels * stack, desc->conv,
                       desc->conv_count, desc->pool_to, f->size);
    c.net.relu = 0;
    c.parameters = p.count;
    return c;
}
/* Takes the memory of a net from the arena, and stores a copy of *c as the encoder's state. */
RISEI_FN void risei_frozen_conv_take(risei_arena *arena, risei_frozen *f, risei_frozen_conv *c)
{
    f->weights = RISEI_TAKE(arena, rise_real, c->parameters);
    risei_encoder_layout(arena, &c->net, &c->data, 1, 0);
    f->product_bytes = risei_encoder_bytes(&c->net, 1, 0);
    f->chunk_bytes = risei_encoder_chunk_bytes(&c->net, 1);
    f->state = risei_frozen_store(arena, c, sizeof *c);
}
RISEI_FN void risei_frozen_conv_layout(risei_arena *arena, risei_frozen *f,
                                       const rise_agent_desc *desc)
{
    risei_frozen_conv c = risei_frozen_conv_make(f, desc, 1);
    risei_frozen_conv_take(arena, f, &c);
}
RISEI_FN rise_result risei_frozen_conv_initialise(risei_frozen *f, risei_random *random,
                                                  const rise_agent_desc *desc, rise_error *error)
{
    const risei_encoder *net = &((const risei_frozen_conv *)f->state)->net;
    size_t i;
    int l;
    (void)desc, (void)error;
    risei_encoder_initialise(net, f->weights, 0, random);
    /* Draws the weights of the conv layers again as in He et al. 2015, so ReLU layers keep the
       variance of the activations. The biases, the residual units and the linear layer keep the
       numbers drawn above. */
    for (l = 0; l < net->layers; l++) {
        const risei_conv *c = &net->conv[l];
        int const fan_in = c->size * c->size * c->channels;
        rise_real const scale = risei_sqrt(2 / (rise_real)fan_in);
        for (i = 0; i < (size_t)fan_in * (size_t)c->filters; i++)
            f->weights[c->weights + i] = risei_random_normal(random) * scale;
    }
    return RISE_OK;
}
RISEI_FN void risei_frozen_conv_embed(const risei_device *d, const risei_frozen *f,
                                      const uint8_t *frame, rise_real *raw)
{
    risei_frozen_conv *c = (risei_frozen_conv *)f->state;
    const uint8_t *frames[RISEI_STACK_MAX];
    risei_encoder_input input;
    int i;
    for (i = 0; i < c->stack; i++) frames[i] = frame;
    input.images = NULL, input.frames = frames, input.stack = c->stack, input.scale = f->scale;
    risei_encoder_forward(d, &c->net, f->weights, 1, &input, &c->data);
    memcpy(raw, c->data.features, (size_t)f->size * sizeof *raw);
}
static const risei_frozen_kind risei_frozen_kind_conv = {
    "conv",                       /* name */
    0,                            /* default_size */
    1,                            /* scaled */
    NULL,                         /* source */
    NULL,                         /* final_size */
    NULL,                         /* check_desc */
    RISEI_OPTIONAL_ENCODER(risei_frozen_conv_layout),     /* layout */
    RISEI_OPTIONAL_ENCODER(risei_frozen_conv_initialise), /* initialise */
    RISEI_OPTIONAL_ENCODER(risei_frozen_conv_embed),      /* embed */
    NULL,                         /* fingerprint */
};

RISEI_FN void risei_frozen_snapshot_layout(risei_arena *arena, risei_frozen *f,
                                           const rise_agent_desc *desc)
{
    risei_frozen_conv c = risei_frozen_conv_make(f, desc, desc->frame_stack);
    f->snapshot_weights = c.net.linear.weights; /* the linear layer follows all conv layers */
    f->next_weights = RISEI_TAKE(arena, rise_real, c.parameters);
    risei_frozen_conv_take(arena, f, &c);
}
/* Draws the weights as for CONV, and copies them to next_weights. A snapshot changes only the conv
   layers in next_weights, so both arrays always have the same linear layer. */
RISEI_FN rise_result risei_frozen_snapshot_initialise(risei_frozen *f, risei_random *random,
                                                      const rise_agent_desc *desc,
                                                      rise_error *error)
{
    size_t const parameters = ((const risei_frozen_conv *)f->state)->parameters;
    risei_frozen_conv_initialise(f, random, desc, error);
    memcpy(f->next_weights, f->weights, parameters * sizeof *f->weights);
    return RISE_OK;
}
static const risei_frozen_kind risei_frozen_kind_snapshot = {
    "snapshot",                       /* name */
    0,                                /* default_size */
    1,                                /* scaled */
    NULL,                             /* source */
    NULL,                             /* final_size */
    NULL,                             /* check_desc */
    RISEI_OPTIONAL_ENCODER(risei_frozen_snapshot_layout),     /* layout */
    RISEI_OPTIONAL_ENCODER(risei_frozen_snapshot_initialise), /* initialise */
    RISEI_OPTIONAL_ENCODER(risei_frozen_conv_embed),          /* embed */
    NULL,                             /* fingerprint */
};

/* DOWNSAMPLE: the mean of the frame over each cell of a small grid. DOWNSAMPLE has no state. */

/* Sets columns and rows to the largest grid with columns * rows * channels <= size, at least 1 x 1.
   Both are equal, unless `width` limits the columns or `height` limits the rows. */
RISEI_FN void risei_frozen_downsample_grid(int width, int height, int channels, int size,
                                           int *columns, int *rows)
{
    int side;
    *columns = *rows = 1;
    for (side = 2; side <= width || side <= height; side++) {
        int const x = side < width ? side : width, y = side < height ? side : height;
        if ((int64_t)x * y * channels > size) break;
        *columns = x, *rows = y;
    }
}
/* Returns the number of values in the grid. If embedding_size is too small for one cell, returns
   embedding_size, and risei_frozen_downsample_check reports the error. */
RISEI_FN int risei_frozen_downsample_size(const rise_agent_desc *desc)
{
    int columns, rows, size;
    risei_frozen_downsample_grid(desc->frame_width, desc->frame_height, desc->frame_channels,
                                 desc->embedding_size, &columns, &rows);
    size = columns * rows * desc->frame_channels;
    return size <= desc->embedding_size ? size : desc->embedding_size;
}
RISEI_FN rise_result risei_frozen_downsample_check(const rise_agent_desc *desc, rise_error *error)
{
    if (desc->embedding_size >= desc->frame_channels) return RISE_OK;
    return risei_fail(
        error, RISE_BAD_DESC,
        "embedding_size is %d; RISE_EMBED_DOWNSAMPLE needs frame_channels, %d, or more",
        desc->embedding_size, desc->frame_channels);
}
/* Computes raw [rows][columns][channels], the mean over each cell, with pixels scaled to [0, 1].
   The edges of a cell are rounded outwards to whole pixels. So neighbouring cells may share a row
   or a column of pixels. */
RISEI_FN void risei_frozen_downsample_embed(const risei_device *d, const risei_frozen *f,
                                            const uint8_t *frame, rise_real *raw)
{
    int columns, rows, row, column, c, x, y;
    (void)d;
    risei_frozen_downsample_grid(f->width, f->height, f->channels, f->size, &columns, &rows);
    for (row = 0; row < rows; row++) {
        int const y0 = row * f->height / rows, y1 = risei_ceil_div((row + 1) * f->height, rows);
        for (column = 0; column < columns; column++) {
            int const x0 = column * f->width / columns;
            int const x1 = risei_ceil_div((column + 1) * f->width, columns);
            for (c = 0; c < f->channels; c++) {
                int32_t sum = 0;
                for (y = y0; y < y1; y++)
                    for (x = x0; x < x1; x++) sum += frame[(y * f->width + x) * f->channels + c];
                *raw++ = (rise_real)sum / (rise_real)(255 * (y1 - y0) * (x1 - x0));
            }
        }
    }
}
static const risei_frozen_kind risei_frozen_kind_downsample = {
    "downsample",                  /* name */
    0,                             /* default_size */
    0,                             /* scaled */
    NULL,                          /* source */
    risei_frozen_downsample_size,  /* final_size */
    risei_frozen_downsample_check, /* check_desc */
    NULL,                          /* layout */
    NULL,                          /* initialise */
    risei_frozen_downsample_embed, /* embed */
    NULL,                          /* fingerprint */
};

/* USER: desc.embed_fn computes the embedding. The function writes floats, even if rise_real is
   double. */
typedef struct risei_frozen_user {
    rise_embed_fn fn;
    void *user;
    float *numbers; /* the embedding that fn writes, [size] */
} risei_frozen_user;

RISEI_FN rise_result risei_frozen_user_check(const rise_agent_desc *desc, rise_error *error)
{
    if (desc->embed_fn != NULL) return RISE_OK;
    return risei_fail(error, RISE_BAD_DESC,
                      "embed_fn is NULL; RISE_EMBED_USER needs a function that embeds a frame");
}
RISEI_FN void risei_frozen_user_layout(risei_arena *arena, risei_frozen *f,
                                       const rise_agent_desc *desc)
{
    risei_frozen_user u;
    u.fn = desc->embed_fn, u.user = desc->embed_user;
    u.numbers = RISEI_TAKE(arena, float, f->size);
    f->state = risei_frozen_store(arena, &u, sizeof u);
}
RISEI_FN void risei_frozen_user_embed(const risei_device *d, const risei_frozen *f,
                                      const uint8_t *frame, rise_real *raw)
{
    const risei_frozen_user *u = (const risei_frozen_user *)f->state;
    int i;
    (void)d;
    u->fn(u->user, frame, u->numbers, f->size);
    for (i = 0; i < f->size; i++) raw[i] = u->numbers[i];
}
static const risei_frozen_kind risei_frozen_kind_user = {
    "user",                   /* name */
    0,                        /* default_size */
    0,                        /* scaled */
    "embed_fn",               /* source */
    NULL,                     /* final_size */
    risei_frozen_user_check,  /* check_desc */
    RISEI_OPTIONAL_ENCODER(risei_frozen_user_layout), /* layout */
    NULL,                     /* initialise */
    RISEI_OPTIONAL_ENCODER(risei_frozen_user_embed),  /* embed */
    NULL,                     /* fingerprint */
};

/* ---------------------------------------------------------------------------------------------- */
/* >>pretrained: ResNet-18 (He et al. 2016), with weights from the user's .safetensors file

   The room has three parts: the network, the reader of .safetensors files, and the descriptor.
   Other rooms use only the descriptor, risei_frozen_kind_resnet18. The macro RISE_NO_PRETRAINED
   leaves out the network and the reader. Creating or loading an agent with RISE_EMBED_RESNET18 then
   returns RISE_UNAVAILABLE, if the description passes risei_frozen_resnet18_check.

   Main types: risei_resnet, risei_tensors (the reader). Uses rooms memory, bytes, kernels, layers,
   frozen. Test: tests/pretrained.c. */

#ifndef RISE_NO_PRETRAINED

enum { RISEI_RESNET_CONVS = 20, RISEI_RESNET_STAGES = 4 };

/* A conv layer and its batch norm. All images of one stage have the same shape. Stage 0 is the
   normalised frame, with 3 channels. Stage s >= 1 has features >> (4 - s) channels. */
typedef struct risei_resnet_layer {
    const char *conv, *norm; /* names in torchvision's state_dict */
    int from, to;            /* stages of the input and the output; conv1: after its max pool */
    int size, stride;        /* kernel size and stride */
} risei_resnet_layer;

/* The layers in the order in which they run. A block is two layers of kernel size 3. The first
   block of each stage from 2 on also has a shortcut, a layer of kernel size 1, which runs first. */
static const risei_resnet_layer risei_resnet_layers[RISEI_RESNET_CONVS] = {
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
    int channels; /* of the frame: 1 or 3 */
    int features; /* outputs: channels of the last stage */
    risei_conv conv[RISEI_RESNET_CONVS];
    /* norm[l] is the offset in `weights` of the weight, mean and variance, [3][filters], of batch
       norm l. risei_resnet_fold replaces the weight by gain. The bias of batch norm l is stored as
       the bias of conv l. */
    size_t norm[RISEI_RESNET_CONVS];
    size_t parameters;
    rise_real *weights; /* [parameters] */
    risei_image stem;   /* output of the first conv layer, before the max pool */
    /* x[0]: the normalised frame. x[s]: the output of each block of stage s, in turn. x[1]
       first holds the output of the max pool. */
    risei_image x[RISEI_RESNET_STAGES + 1];
    /* t[s]: the output of the first conv layer of a block of stage s. t[0] is not used. */
    risei_image t[RISEI_RESNET_STAGES + 1];
    uint64_t fingerprint; /* hash of `weights` after folding: see risei_resnet_finish */
} risei_resnet;

/* Returns a network with its shapes and offsets set. Takes no memory from an arena. */
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
        const risei_resnet_layer *layer = &risei_resnet_layers[l];
        const risei_image *in = &r.x[layer->from];
        risei_conv *c = &r.conv[l];
        rise_conv desc;
        memset(&desc, 0, sizeof desc);
        desc.filters = features >> (RISEI_RESNET_STAGES - layer->to);
        desc.size = layer->size, desc.stride = layer->stride, desc.pad = layer->size / 2;
        if (l == 0) desc.pool = 3, desc.pool_stride = 2, desc.pool_pad = 1;
        *c = risei_conv_make(&p, &desc, in->height, in->width, in->channels);
        c->panels = 1;
        r.norm[l] = risei_parameters_reserve(&p, 3 * (size_t)c->filters);
        if (l == 0) r.stem = risei_image_make(c->out_height, c->out_width, c->filters, 0);
        if (layer->from < layer->to)
            r.x[layer->to] = r.t[layer->to] =
                risei_image_make(c->pooled_height, c->pooled_width, c->filters, 1);
    }
    r.parameters = p.count;
    return r;
}
/* Takes a network, its weights and its activations from the arena. Returns the network, or NULL if
   the arena only counts. */
RISEI_FN risei_resnet *risei_resnet_layout(risei_arena *arena, int height, int width, int channels,
                                           int features)
{
    risei_resnet r = risei_resnet_make(height, width, channels, features);
    int s;
    r.weights = RISEI_TAKE(arena, rise_real, r.parameters);
    risei_image_take(arena, &r.stem, 1);
    for (s = 0; s <= RISEI_RESNET_STAGES; s++) {
        risei_image_take(arena, &r.x[s], 1);
        if (s > 0) risei_image_take(arena, &r.t[s], 1);
    }
    return (risei_resnet *)risei_frozen_store(arena, &r, sizeof r);
}

/* Fills x[0] with (pixel / 255 - mean) / deviation. The mean and the standard deviation are those
   of each colour in ImageNet. A frame with one channel is used for all three colours. */
RISEI_FN void risei_resnet_normalise(const risei_resnet *r, const uint8_t *frame)
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
/* Computes features [r->features] from a frame [height][width][channels]: the mean of each channel
   of the last stage over all pixels. */
RISEI_FN void risei_resnet_forward(const risei_device *d, const risei_resnet *r,
                                   const uint8_t *frame, rise_real *features)
{
    const risei_image *last = &r->x[RISEI_RESNET_STAGES];
    int l, row, column, i;
    risei_resnet_normalise(r, frame);
    risei_conv_forward(d, &r->conv[0], r->weights, 1, &r->x[0], &r->stem, 1, 0);
    risei_maxpool_forward(d, &r->conv[0], 1, &r->stem, &r->x[1]);
    /* A block computes t = relu(conv(from)), then x = relu(shortcut + conv(t)). If entry l of the
       table has kernel size 1, layer l writes the shortcut of the block to x. In all other blocks,
       `from` and x are the same image, and the shortcut is the old content of x. */
    for (l = 1; l < RISEI_RESNET_CONVS; l += 2) {
        const risei_resnet_layer *block = &risei_resnet_layers[l];
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

/* The reader of .safetensors files.

   A file has three parts: the length of the header as a little-endian u64, the header in JSON, and
   the data. The header has one entry for each tensor:
       "conv1.weight": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [0, 37632]}
   The header may also have an entry "__metadata__", an object of strings. Offsets are bytes from
   the start of the data. The tensors fill the data without overlap or gap.

   The reader reads the file once and only forwards, up to the last needed tensor. The reader
   allocates no memory. Every value of the file is checked before its use. The sizes of all arrays
   come from the description, never from the file. Error sentences may start with "it" or "its",
   because risei_stdio_explain puts the path in front of the sentence. */

/* Bytes. The header of torchvision's ResNet-18 has 11 kB: 122 entries of about 90 bytes each. A
   file with a longer header than this limit is refused. Such a file probably holds another network
   or is no .safetensors file. No measurement of other limits is recorded. */
enum { RISEI_TENSORS_HEADER_MAX = 1 << 20 };

/* The role of a tensor in its layer: the conv's weight, or one of the five tensors of the batch
   norm. RISEI_TENSOR_BATCHES is the number of training batches, which the network does not need. */
enum {
    RISEI_TENSOR_CONV,
    RISEI_TENSOR_SCALE,
    RISEI_TENSOR_BIAS,
    RISEI_TENSOR_MEAN,
    RISEI_TENSOR_VARIANCE,
    RISEI_TENSOR_BATCHES,
    RISEI_TENSOR_ROLES
};
static const char *const risei_tensor_suffixes[RISEI_TENSOR_ROLES] = {
    ".weight", ".weight", ".bias", ".running_mean", ".running_var", ".num_batches_tracked"};

/* The index of a needed tensor is RISEI_TENSORS_PER_LAYER * layer + role. */
enum {
    RISEI_TENSORS_PER_LAYER = RISEI_TENSOR_BATCHES, /* only the needed ones */
    RISEI_TENSORS_NEEDED = RISEI_TENSORS_PER_LAYER * RISEI_RESNET_CONVS,
    RISEI_TENSOR_IGNORED = RISEI_TENSORS_NEEDED, /* a tensor of ResNet-18 that is not needed */
    RISEI_TENSOR_UNKNOWN = -1                    /* no tensor of ResNet-18 */
};

typedef struct risei_tensor_dtype {
    char name[5];
    int bytes;
} risei_tensor_dtype;
/* The format's number types that the reader knows. A needed tensor must be F32, F16 or BF16. An
   ignored tensor may have any dtype of the table. A file with another dtype, such as F8_E4M3, is
   refused. */
enum {
    RISEI_TENSOR_F32,
    RISEI_TENSOR_F16,
    RISEI_TENSOR_BF16,
    RISEI_TENSOR_WEIGHT_DTYPES,
    RISEI_TENSOR_DTYPES = 13
};
static const risei_tensor_dtype risei_tensor_dtypes[RISEI_TENSOR_DTYPES] = {
    {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I64", 8}, {"U64", 8}, {"I32", 4},
    {"U32", 4}, {"I16", 2}, {"U16", 2},  {"I8", 1},  {"U8", 1},  {"BOOL", 1}};

/* An entry of the header. begin and end are offsets in bytes from the start of the data. */
typedef struct risei_tensor {
    char name[48], dtype[16];
    uint64_t shape[4]; /* the first four dimensions */
    int dimensions;
    uint64_t count; /* product of all dimensions */
    uint64_t begin, end;
} risei_tensor;

/* The reader's state. */
typedef struct risei_tensors {
    rise_read_fn read;
    void *user;
    rise_error *error;
    rise_result result; /* why reading ended early, or RISE_OK */
    uint64_t at;        /* bytes read since the start of the file */
    uint64_t left;      /* bytes of the header that are not read yet */
    uint64_t data;      /* size of the data in bytes */
    int next;           /* next character of the header; -1: no character left, or reading failed */
    uint64_t edges;     /* sum of edge(begin) - edge(end) over tensors: see risei_tensors_edge */
    struct {
        uint64_t begin; /* offset in the data */
        /* dtype: index in risei_tensor_dtypes. known: 1 if the header has the tensor. done: 1 if
           risei_tensors_data has chosen the tensor. */
        unsigned char dtype, known, done;
    } tensor[RISEI_TENSORS_NEEDED];
    unsigned char chunk[1024]; /* bytes of the current tensor */
    size_t used, filled;       /* bytes of the chunk that are converted, and that were read */
    size_t unread;             /* bytes of the current tensor after the chunk */
} risei_tensors;

/* Reads the next `size` bytes of the file. Returns 1, or 0 with t->result set. After a failure,
   reads nothing and returns 0. */
RISEI_FN int risei_tensors_read(risei_tensors *t, void *bytes, size_t size)
{
    if (t->result == RISE_OK && !t->read(t->user, bytes, size))
        t->result =
            risei_fail(t->error, RISE_IO, "it could not be read after %.0f bytes", (double)t->at);
    t->at += t->result == RISE_OK ? size : 0;
    return t->result == RISE_OK;
}

/* The functions of the JSON parser return 1, or 0 with t->result set. Only risei_json_accept may
   return 0 without an error. If reading fails just after a number or a string, t->result is set,
   but the function returns 1. The next function then returns 0. */

/* Sets t->result and the error sentence, unless an earlier failure has set them. Returns 0. */
RISEI_FN int risei_json_fail(risei_tensors *t, const char *what)
{
    if (t->result == RISE_OK)
        t->result = risei_fail(t->error, RISE_BAD_FILE, "its header is wrong at byte %.0f: %s",
                               (double)t->at - (t->next >= 0), what);
    return 0;
}
/* Reads the next character of the header into t->next. Sets t->next to -1 at the end of the header
   or if reading fails. */
RISEI_FN void risei_json_advance(risei_tensors *t)
{
    unsigned char read;
    t->next = -1;
    if (t->left == 0 || !risei_tensors_read(t, &read, 1)) return;
    t->left--;
    t->next = read;
}
RISEI_FN void risei_json_skip_blanks(risei_tensors *t)
{
    while (t->next == ' ' || t->next == '\t' || t->next == '\n' || t->next == '\r')
        risei_json_advance(t);
}
/* Skips blanks. If the next character is `character`, skips it and returns 1. Any other character
   is no error: returns 0. If reading fails, returns 0 with t->result set. */
RISEI_FN int risei_json_accept(risei_tensors *t, int character)
{
    risei_json_skip_blanks(t);
    if (t->next != character) return 0;
    risei_json_advance(t);
    return t->result == RISE_OK;
}
/* Like risei_json_accept, but any other character is an error. */
RISEI_FN int risei_json_expect(risei_tensors *t, int character)
{
    char what[] = "? is missing";
    what[0] = (char)character;
    return risei_json_accept(t, character) || risei_json_fail(t, what);
}
/* Checks the escape that follows a backslash. Stops at the last character of the escape. */
RISEI_FN int risei_json_escape(risei_tensors *t)
{
    int digits = 0;
    risei_json_advance(t);
    if (t->next > 0 && strchr("\"\\/bfnrt", t->next) != NULL) return 1;
    if (t->next != 'u') return risei_json_fail(t, "an unknown escape");
    while (digits < 4) {
        risei_json_advance(t);
        if (t->next <= 0 || strchr("0123456789abcdefABCDEF", t->next) == NULL)
            return risei_json_fail(t, "an unknown escape");
        digits++;
    }
    return 1;
}
/* Reads a string and copies its first capacity - 1 characters to `text`. Callers compare `text`
   with known names, all shorter than capacity - 1. So a string that is cut never equals a name.
   Of a name that begins with "fc.", callers compare only these three characters: such tensors are
   ignored. An escape in the string is an error. Bytes above 126 become '?' in `text`, because error
   sentences print `text`.

   If `text` is NULL, skips a string, which may have escapes. */
RISEI_FN int risei_json_string(risei_tensors *t, char *text, size_t capacity)
{
    size_t length = 0;
    if (!risei_json_expect(t, '"')) return 0;
    for (; t->next != '"'; risei_json_advance(t)) {
        if (t->next < ' ')
            return risei_json_fail(t, "a string without end, or with a control character");
        if (t->next == '\\' && text != NULL) return risei_json_fail(t, "a name with a backslash");
        if (t->next == '\\' && !risei_json_escape(t)) return 0;
        if (length + 1 < capacity) text[length++] = (char)(t->next < 127 ? t->next : '?');
    }
    if (text != NULL) text[length] = '\0';
    risei_json_advance(t);
    return 1;
}
/* Reads a whole number up to 2^53. Up to this limit error sentences print numbers exactly, as
   doubles. */
RISEI_FN int risei_json_number(risei_tensors *t, uint64_t *number)
{
    int zero;
    risei_json_skip_blanks(t);
    zero = t->next == '0'; /* JSON allows no digit after a leading zero */
    if (t->next < '0' || t->next > '9') return risei_json_fail(t, "a whole number is missing");
    *number = 0;
    do {
        *number = *number * 10 + (uint64_t)(t->next - '0');
        if (*number > (uint64_t)1 << 53) return risei_json_fail(t, "a number is too large");
        risei_json_advance(t);
    } while (!zero && t->next >= '0' && t->next <= '9');
    return 1;
}
/* Skips the value of "__metadata__": {"key": "value", ...}. */
RISEI_FN int risei_json_metadata(risei_tensors *t)
{
    if (!risei_json_expect(t, ':') || !risei_json_expect(t, '{')) return 0;
    if (risei_json_accept(t, '}')) return 1;
    do {
        if (!risei_json_string(t, NULL, 0) || !risei_json_expect(t, ':') ||
            !risei_json_string(t, NULL, 0))
            return 0;
    } while (risei_json_accept(t, ','));
    return risei_json_expect(t, '}');
}

/* Reads a shape of any number of dimensions. Stores the first four, and the product of all. */
RISEI_FN int risei_tensor_read_shape(risei_tensors *t, risei_tensor *e)
{
    uint64_t side;
    e->dimensions = 0;
    e->count = 1;
    if (!risei_json_expect(t, '[')) return 0;
    if (risei_json_accept(t, ']')) return 1;
    do {
        if (!risei_json_number(t, &side)) return 0;
        if (side > 0 && e->count > ((uint64_t)1 << 53) / side)
            return risei_json_fail(t, "a shape is too large");
        if (e->dimensions < 4) e->shape[e->dimensions] = side;
        e->dimensions++;
        e->count *= side;
    } while (risei_json_accept(t, ','));
    return risei_json_expect(t, ']');
}
RISEI_FN int risei_tensor_read_offsets(risei_tensors *t, risei_tensor *e)
{
    return risei_json_expect(t, '[') && risei_json_number(t, &e->begin) &&
           risei_json_expect(t, ',') && risei_json_number(t, &e->end) && risei_json_expect(t, ']');
}
/* Reads the value of a tensor's entry, {"dtype": ..., "shape": ..., "data_offsets": ...}. The three
   fields may have any order. */
RISEI_FN int risei_tensor_read(risei_tensors *t, risei_tensor *e)
{
    static const char *const keys[3] = {"dtype", "shape", "data_offsets"};
    char key[16];
    int k, seen = 0;
    if (!risei_json_expect(t, ':') || !risei_json_expect(t, '{')) return 0;
    do {
        if (!risei_json_string(t, key, sizeof key) || !risei_json_expect(t, ':')) return 0;
        for (k = 0; k < 3 && strcmp(key, keys[k]) != 0; k++) {}
        if (k == 3 || (seen >> k & 1) != 0)
            return risei_json_fail(t, "a tensor's field is unknown or there twice");
        seen |= 1 << k;
        if (!(k == 0   ? risei_json_string(t, e->dtype, sizeof e->dtype)
              : k == 1 ? risei_tensor_read_shape(t, e)
                       : risei_tensor_read_offsets(t, e)))
            return 0;
    } while (risei_json_accept(t, ','));
    if (!risei_json_expect(t, '}')) return 0;
    return seen == 7 || risei_json_fail(t, "a tensor lacks its dtype, shape or data_offsets");
}

/* Returns a 64-bit hash of an offset. The reader uses such hashes to check that the tensors fill
   the data without overlap or gap.

   Suppose that the tensors fill the data. Then each tensor begins at 0 or at the end of another
   tensor. One tensor ends at the end of the data. So the sum of edge(begin) - edge(end) over all
   tensors is edge(0) - edge(size of the data). With any other offsets, the sums differ, unless two
   sums of hashes are equal by chance. The check needs begin <= end in each tensor, and
   risei_tensor_check refuses other tensors. An empty tensor adds 0, so its offset does not matter.
   So the reader needs only the sum, not a sorted list of all tensors. */
RISEI_FN uint64_t risei_tensors_edge(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}
/* Writes the name of the needed tensor with this index. */
RISEI_FN void risei_tensor_name(int index, char *name, size_t capacity)
{
    const risei_resnet_layer *layer = &risei_resnet_layers[index / RISEI_TENSORS_PER_LAYER];
    int const role = index % RISEI_TENSORS_PER_LAYER;
    snprintf(name, capacity, "%s%s", role == RISEI_TENSOR_CONV ? layer->conv : layer->norm,
             risei_tensor_suffixes[role]);
}
/* Returns the index of the tensor with this name, RISEI_TENSOR_IGNORED or RISEI_TENSOR_UNKNOWN. */
RISEI_FN int risei_tensor_index(const char *name)
{
    int l, role;
    for (l = 0; l < RISEI_RESNET_CONVS; l++)
        for (role = 0; role < RISEI_TENSOR_ROLES; role++) {
            const risei_resnet_layer *layer = &risei_resnet_layers[l];
            const char *const front = role == RISEI_TENSOR_CONV ? layer->conv : layer->norm;
            size_t const length = strlen(front);
            if (strncmp(name, front, length) == 0 &&
                strcmp(name + length, risei_tensor_suffixes[role]) == 0)
                return role == RISEI_TENSOR_BATCHES ? RISEI_TENSOR_IGNORED
                                                    : RISEI_TENSORS_PER_LAYER * l + role;
        }
    /* fc is the classifier after the features. */
    return strncmp(name, "fc.", 3) == 0 ? RISEI_TENSOR_IGNORED : RISEI_TENSOR_UNKNOWN;
}
/* Writes a shape as "[64, 3, 7, 7]". After four dimensions, writes "...". */
RISEI_FN void risei_tensor_shape_text(const uint64_t *shape, int dimensions, char *text,
                                      size_t capacity)
{
    size_t length = 1;
    int i;
    text[0] = '[', text[1] = '\0';
    for (i = 0; i < dimensions && i < 4 && length < capacity; i++)
        length += (size_t)snprintf(text + length, capacity - length, i > 0 ? ", %.0f" : "%.0f",
                                   (double)shape[i]);
    if (length < capacity)
        snprintf(text + length, capacity - length, dimensions > 4 ? ", ...]" : "]");
}
/* Checks that the tensor has the shape that its layer needs. */
RISEI_FN rise_result risei_tensor_check_shape(const risei_resnet *r, int index,
                                              const risei_tensor *e, rise_error *error)
{
    const risei_conv *c = &r->conv[index / RISEI_TENSORS_PER_LAYER];
    int const dimensions = index % RISEI_TENSORS_PER_LAYER == RISEI_TENSOR_CONV ? 4 : 1;
    uint64_t shape[4];
    char has[40], asked[40];
    shape[0] = (uint64_t)c->filters, shape[1] = (uint64_t)c->channels;
    shape[2] = shape[3] = (uint64_t)c->size;
    if (e->dimensions == dimensions &&
        memcmp(e->shape, shape, (size_t)dimensions * sizeof *shape) == 0)
        return RISE_OK;
    risei_tensor_shape_text(e->shape, e->dimensions, has, sizeof has);
    risei_tensor_shape_text(shape, dimensions, asked, sizeof asked);
    return risei_fail(
        error, RISE_MISMATCH,
        "%s has the shape %s; embedding_size %d asks for %s (torchvision's ResNet-18: 512)",
        e->name, has, r->features, asked);
}
/* Checks an entry of the header. Adds the hashes of its offsets to t->edges. Stores the offset and
   the dtype of a needed tensor in t. */
RISEI_FN rise_result risei_tensor_check(risei_tensors *t, const risei_resnet *r,
                                        const risei_tensor *e)
{
    int const index = risei_tensor_index(e->name);
    int d;
    for (d = 0; d < RISEI_TENSOR_DTYPES; d++)
        if (strcmp(e->dtype, risei_tensor_dtypes[d].name) == 0) break;
    if (index == RISEI_TENSOR_UNKNOWN)
        return risei_fail(t->error, RISE_MISMATCH,
                          "%s is no tensor of a ResNet-18; use torchvision's names", e->name);
    if (d == RISEI_TENSOR_DTYPES ||
        (index != RISEI_TENSOR_IGNORED && d >= RISEI_TENSOR_WEIGHT_DTYPES))
        return risei_fail(t->error, RISE_MISMATCH,
                          "%s has the dtype %s; save the weights as F32, F16 or BF16", e->name,
                          e->dtype);
    if (e->begin > e->end || e->end > t->data ||
        e->end - e->begin != e->count * (uint64_t)risei_tensor_dtypes[d].bytes)
        return risei_fail(
            t->error, RISE_BAD_FILE,
            "%s cannot be bytes %.0f to %.0f of %.0f: the file is cut short or damaged", e->name,
            (double)e->begin, (double)e->end, (double)t->data);
    t->edges += risei_tensors_edge(e->begin) - risei_tensors_edge(e->end);
    if (index == RISEI_TENSOR_IGNORED) return RISE_OK;
    if (t->tensor[index].known)
        return risei_fail(t->error, RISE_BAD_FILE, "%s is there twice", e->name);
    t->tensor[index].known = 1;
    t->tensor[index].begin = e->begin;
    t->tensor[index].dtype = (unsigned char)d;
    return risei_tensor_check_shape(r, index, e, t->error);
}
/* Reads the header's entries. Returns 1, or 0 with t->result set. */
RISEI_FN int risei_tensors_entries(risei_tensors *t, const risei_resnet *r)
{
    risei_tensor e;
    int metadata = 0;
    memset(&e, 0, sizeof e);
    if (!risei_json_expect(t, '{')) return 0;
    if (risei_json_accept(t, '}')) return 1;
    do {
        if (!risei_json_string(t, e.name, sizeof e.name)) return 0;
        if (strcmp(e.name, "__metadata__") == 0) {
            if (metadata++ > 0) return risei_json_fail(t, "__metadata__ is there twice");
            if (!risei_json_metadata(t)) return 0;
        } else {
            if (!risei_tensor_read(t, &e)) return 0;
            t->result = risei_tensor_check(t, r, &e);
            if (t->result != RISE_OK) return 0;
        }
    } while (risei_json_accept(t, ','));
    return risei_json_expect(t, '}');
}
/* Reads the whole header. Checks that no needed tensor is missing, and that the tensors fill the
   data without overlap or gap. Returns 1, or 0 with t->result set. */
RISEI_FN int risei_tensors_header(risei_tensors *t, const risei_resnet *r)
{
    char name[48];
    int i;
    if (!risei_tensors_entries(t, r)) return 0;
    risei_json_skip_blanks(t);
    if (t->next >= 0) return risei_json_fail(t, "something follows its end");
    for (i = 0; i < RISEI_TENSORS_NEEDED && t->result == RISE_OK; i++) {
        risei_tensor_name(i, name, sizeof name);
        if (!t->tensor[i].known)
            t->result = risei_fail(t->error, RISE_MISMATCH,
                                   "%s is missing; a ResNet-18's state_dict has it", name);
    }
    if (t->result == RISE_OK && t->edges != risei_tensors_edge(0) - risei_tensors_edge(t->data))
        t->result =
            risei_fail(t->error, RISE_BAD_FILE, "its tensors overlap, or do not fill the file");
    return t->result == RISE_OK;
}

/* Converts the bits of an F32, F16 or BF16 number. An F16 NaN becomes infinite.
   risei_tensors_fill refuses all numbers that are not finite. */
RISEI_FN rise_real risei_tensor_number(uint32_t bits, int dtype)
{
    uint32_t const sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7FFFu;
    float x;
    if (dtype == RISEI_TENSOR_F16 && magnitude < 0x0400u) /* zero or denormal: units of 2^-24 */
        return (rise_real)(sign != 0 ? -1 : 1) * (rise_real)magnitude / 16777216;
    if (dtype == RISEI_TENSOR_F16)
        bits = sign | (magnitude < 0x7C00u ? (magnitude << 13) + 0x38000000u : 0x7F800000u);
    if (dtype == RISEI_TENSOR_BF16) bits <<= 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* Reads the next number of the current tensor from t->chunk. Fills the chunk again when all its
   bytes are used. Returns 1, or 0 with t->result set. */
RISEI_FN int risei_tensors_next(risei_tensors *t, int dtype, rise_real *x)
{
    size_t const bytes = (size_t)risei_tensor_dtypes[dtype].bytes;
    uint32_t bits = 0;
    size_t i;
    if (t->used == t->filled) {
        t->used = 0;
        t->filled = t->unread < sizeof t->chunk ? t->unread : sizeof t->chunk;
        t->unread -= t->filled;
        if (!risei_tensors_read(t, t->chunk, t->filled)) return 0;
    }
    for (i = bytes; i-- > 0;) bits = bits << 8 | t->chunk[t->used + i];
    t->used += bytes;
    *x = risei_tensor_number(bits, dtype);
    return 1;
}
/* Returns the address in r->weights of a needed tensor's numbers. */
RISEI_FN rise_real *risei_tensor_place(const risei_resnet *r, int index)
{
    int const layer = index / RISEI_TENSORS_PER_LAYER;
    const risei_conv *c = &r->conv[layer];
    rise_real *const norm = r->weights + r->norm[layer];
    switch (index % RISEI_TENSORS_PER_LAYER) {
    case RISEI_TENSOR_CONV: return r->weights + c->weights;
    case RISEI_TENSOR_BIAS: return r->weights + c->bias;
    case RISEI_TENSOR_SCALE: return norm;
    case RISEI_TENSOR_MEAN: return norm + c->filters;
    default: return norm + 2 * c->filters;
    }
}
/* Reads a tensor [filters][channels][taps] and stores the matrix [taps * channels][filters] as
   rise_matrix_panels. Taps are the pixels of the kernel. A tensor of a batch norm is
   [filters][1][1]. Returns 1, or 0 with t->result set. Fails if reading fails, a number is not
   finite, or a variance is negative. */
RISEI_FN int risei_tensors_fill(risei_tensors *t, const risei_resnet *r, int index)
{
    const risei_conv *c = &r->conv[index / RISEI_TENSORS_PER_LAYER];
    int const role = index % RISEI_TENSORS_PER_LAYER, dtype = t->tensor[index].dtype;
    int const channels = role == RISEI_TENSOR_CONV ? c->channels : 1;
    int const taps = role == RISEI_TENSOR_CONV ? c->size * c->size : 1;
    rise_real *const to = risei_tensor_place(r, index);
    rise_matrix const m = rise_matrix_panels(to, taps * channels, c->filters);
    char name[48];
    int o, i, k, finite;
    t->used = t->filled = 0;
    t->unread = (size_t)c->filters * (size_t)channels * (size_t)taps *
                (size_t)risei_tensor_dtypes[dtype].bytes;
    for (o = 0; o < c->filters; o++)
        for (i = 0; i < channels; i++)
            for (k = 0; k < taps; k++) {
                rise_real x;
                if (!risei_tensors_next(t, dtype, &x)) return 0;
                to[risei_matrix_column(&m, o) + risei_walk_offset(&m.rows, k * channels + i)] = x;
                finite = risei_finite((float)x);
                if (finite && (role != RISEI_TENSOR_VARIANCE || x >= 0)) continue;
                risei_tensor_name(index, name, sizeof name);
                t->result = risei_fail(t->error, finite ? RISE_BAD_FILE : RISE_NOT_FINITE,
                                       finite ? "%s has a negative number"
                                              : "%s has a number that is not finite",
                                       name);
                return 0;
            }
    return 1;
}
/* Reads the needed tensors in the order of their offsets, because a file is read only forwards.
   Skips the bytes of ignored tensors. Returns 1, or 0 with t->result set. */
RISEI_FN int risei_tensors_data(risei_tensors *t, const risei_resnet *r)
{
    uint64_t const start = t->at;
    int done, i;
    for (done = 0; done < RISEI_TENSORS_NEEDED; done++) {
        int first = -1;
        for (i = 0; i < RISEI_TENSORS_NEEDED; i++)
            if (!t->tensor[i].done && (first < 0 || t->tensor[i].begin < t->tensor[first].begin))
                first = i;
        t->tensor[first].done = 1;
        while (t->at - start < t->tensor[first].begin) {
            uint64_t const gap = t->tensor[first].begin - (t->at - start);
            if (!risei_tensors_read(t, t->chunk,
                                    gap < sizeof t->chunk ? (size_t)gap : sizeof t->chunk))
                return 0;
        }
        if (!risei_tensors_fill(t, r, first)) return 0;
    }
    return 1;
}

/* Folds each batch norm into its conv layer. The batch norm computes (conv - mean) * gain + bias,
   where gain = weight / sqrt(variance + 1e-5). So the conv's weights are multiplied by gain, and
   the conv's bias becomes bias - mean * gain. torchvision uses the same 1e-5. */
RISEI_FN void risei_resnet_fold(risei_resnet *r)
{
    int l, o, k, i;
    for (l = 0; l < RISEI_RESNET_CONVS; l++) {
        const risei_conv *c = &r->conv[l];
        int const rows = c->size * c->size * c->channels;
        rise_matrix const m = rise_matrix_panels(r->weights + c->weights, rows, c->filters);
        rise_real *const norm = r->weights + r->norm[l], *const bias = r->weights + c->bias;
        for (o = 0; o < c->filters; o++) {
            double const gain = (double)norm[o] / sqrt((double)norm[2 * c->filters + o] + 1e-5);
            norm[o] = (rise_real)gain;
            bias[o] = (rise_real)((double)bias[o] - (double)norm[c->filters + o] * gain);
        }
        for (o = 0; o < c->filters; o += m.run)
            for (k = 0; k < rows; k++) {
                rise_real *const w = r->weights + c->weights + risei_matrix_column(&m, o) +
                                     risei_walk_offset(&m.rows, k);
                for (i = 0; i < m.run; i++) w[i] = w[i] * norm[o + i];
            }
    }
}
/* Checks that all weights are finite after folding, and computes the fingerprint. A checkpoint
   holds the fingerprint, because other weights would give other embeddings. */
RISEI_FN rise_result risei_resnet_finish(risei_resnet *r, rise_error *error)
{
    size_t i;
    r->fingerprint = 14695981039346656037u; /* FNV-1a, over 32-bit words instead of bytes */
    for (i = 0; i < r->parameters; i++) {
        float const x = (float)r->weights[i];
        uint32_t bits;
        if (!risei_finite(x))
            return risei_fail(error, RISE_NOT_FINITE,
                              "a weight is not finite after its batch norm is folded in");
        memcpy(&bits, &x, sizeof bits);
        r->fingerprint = (r->fingerprint ^ bits) * 1099511628211u;
    }
    return RISE_OK;
}
/* Reads and checks the weights of a file of `size` bytes with `fn`, and folds the batch norms. */
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
    if (size < sizeof bytes || t.left > size - sizeof bytes || t.left > RISEI_TENSORS_HEADER_MAX)
        return risei_fail(
            error, RISE_BAD_FILE,
            "it is no safetensors file, or cut short: its header would have %.0f bytes",
            (double)t.left);
    t.data = size - sizeof bytes - t.left;
    risei_json_advance(&t);
    if (!risei_tensors_header(&t, r) || !risei_tensors_data(&t, r)) return t.result;
    risei_resnet_fold(r);
    return risei_resnet_finish(r, error);
}
/* Reads the weights of the file at `path`. */
RISEI_FN rise_result risei_resnet_load(risei_resnet *r, const char *path, rise_error *error)
{
#ifdef RISE_NO_STDIO
    (void)r, (void)path;
    return risei_fail(error, RISE_UNAVAILABLE,
                      "embedding_file cannot be read with RISE_NO_STDIO; use RISE_EMBED_USER");
#else
    FILE *file;
    uint64_t size = 0;
    rise_result result = risei_stdio_open_sized(path, &file, &size, error);
    if (result == RISE_OK) {
        errno = 0;
        result = risei_resnet_read(r, risei_stdio_read, file, size, error);
        result = risei_stdio_explain(path, result == RISE_IO ? errno : 0, result, error);
        fclose(file);
    }
    return risei_stdio_explain("embedding_file", 0, result, error);
#endif
}

RISEI_FN void risei_frozen_resnet18_layout(risei_arena *arena, risei_frozen *f,
                                           const rise_agent_desc *desc)
{
    (void)desc;
    f->state = risei_resnet_layout(arena, f->height, f->width, f->channels, f->size);
    f->product_bytes = rise_product_scratch();
}
RISEI_FN rise_result risei_frozen_resnet18_initialise(risei_frozen *f, risei_random *random,
                                                      const rise_agent_desc *desc,
                                                      rise_error *error)
{
    (void)random;
    return risei_resnet_load((risei_resnet *)f->state, desc->embedding_file, error);
}
RISEI_FN void risei_frozen_resnet18_embed(const risei_device *d, const risei_frozen *f,
                                          const uint8_t *frame, rise_real *raw)
{
    risei_resnet_forward(d, (const risei_resnet *)f->state, frame, raw);
}
RISEI_FN uint64_t risei_frozen_resnet18_fingerprint(const risei_frozen *f)
{
    return ((const risei_resnet *)f->state)->fingerprint;
}

#endif /* !RISE_NO_PRETRAINED */

/* RISE_NO_PRETRAINED leaves out all code of this room above this comment. RESNET18 then keeps its
   name, default size and checks, so the macro changes no resolved description. */

/* Pixels. Five strides of 2 lead from the frame to the images of the last stage. So one pixel of
   the last stage stands for 32 x 32 pixels of the frame. No measurement of other limits is
   recorded. */
enum { RISEI_RESNET_SIDE_MIN = 32 };

RISEI_FN rise_result risei_frozen_resnet18_check(const rise_agent_desc *desc, rise_error *error)
{
    int const wide = desc->frame_width >= RISEI_RESNET_SIDE_MIN;
    if (desc->embedding_file == NULL)
        return risei_fail(
            error, RISE_BAD_DESC,
            "embedding_file is NULL; RISE_EMBED_RESNET18 needs the path of its weights");
    if (desc->frame_channels != 1 && desc->frame_channels != 3)
        return risei_fail(error, RISE_BAD_DESC,
                          "frame_channels is %d; RISE_EMBED_RESNET18 takes 1 or 3",
                          desc->frame_channels);
    if (!wide || desc->frame_height < RISEI_RESNET_SIDE_MIN)
        return risei_fail(
            error, RISE_BAD_DESC,
            "frame_%s is %d; RISE_EMBED_RESNET18 needs %d or more: enlarge the frames",
            wide ? "height" : "width", wide ? desc->frame_height : desc->frame_width,
            RISEI_RESNET_SIDE_MIN);
    if (desc->embedding_size % 8 != 0) /* stage 1 has embedding_size / 8 channels */
        return risei_fail(error, RISE_BAD_DESC,
                          "embedding_size is %d; RISE_EMBED_RESNET18 needs a multiple of 8 "
                          "(torchvision's ResNet-18: 512)",
                          desc->embedding_size);
    return RISE_OK;
}
#ifdef RISE_NO_PRETRAINED
RISEI_FN rise_result risei_frozen_resnet18_initialise(risei_frozen *f, risei_random *random,
                                                      const rise_agent_desc *desc,
                                                      rise_error *error)
{
    (void)f, (void)random, (void)desc;
    return risei_fail(error, RISE_UNAVAILABLE,
                      "RISE_EMBED_RESNET18 was left out by RISE_NO_PRETRAINED; compile without the "
                      "macro, or take another embedding");
}
/* A file has 8 bytes for the fingerprint, and risei_file_check_lengths counts them in this build,
   too. With RISE_PLAY_ONLY, risei_resolve refuses such a file before lengths are compared. */
RISEI_FN uint64_t risei_frozen_resnet18_fingerprint(const risei_frozen *f)
{
    (void)f;
    return 0;
}
#define RISEI_PRETRAINED(function) NULL
#else
#define RISEI_PRETRAINED(function) function
#endif
static const risei_frozen_kind risei_frozen_kind_resnet18 = {
    "resnet18",                                     /* name */
    512,                                            /* default_size */
    0,                                              /* scaled */
    "embedding_file",                               /* source */
    NULL,                                           /* final_size */
    risei_frozen_resnet18_check,                    /* check_desc */
    RISEI_PRETRAINED(risei_frozen_resnet18_layout), /* layout */
    risei_frozen_resnet18_initialise,               /* initialise */
    RISEI_PRETRAINED(risei_frozen_resnet18_embed),  /* embed */
    RISEI_LEARN(risei_frozen_resnet18_fingerprint), /* fingerprint */
};
#undef RISEI_PRETRAINED

/* ---------------------------------------------------------------------------------------------- */
/* >>embedder: the table of frozen encoders, and the standardisation of embeddings

   Each number of an embedding is standardised with its own mean and variance. Each number is scaled
   to variance min(1, most / size), where `most` is the larger of 64 and the units of the recurrent
   net. So the variances of all numbers add up to at most `most`. The initial weights of the
   recurrent net have variance 1 / (3 units). So the embedding adds at most `most` / (3 units) to
   the variance of a gate's input. Adam changes each weight by about the learning rate. So an update
   can change a gate's input by about the learning rate times the sum of |x| over all numbers x of
   the embedding. With variance 1, this sum is proportional to `size`. With the scale above, each
   |x| is about sqrt(most / size). So the sum is proportional only to the square root of `size`. A
   file from before release 0.1 may have frozen statistics with variance 1. An agent from such a
   file keeps this variance until a snapshot.

   Until learning starts, these statistics are gathered and embeddings are raw. When learning
   starts, the statistics are frozen, and all stored frames are embedded again. If frames are
   standardised, the frame scale changes at this moment, so the raw embeddings of CONV and SNAPSHOT
   change, too. Before the freeze, the statistics of CONV and SNAPSHOT are therefore computed again,
   from RISEI_SAMPLE_FRAMES of the stored frames. A snapshot replaces the statistics by those of the
   new embeddings.

   In an agent without a frozen encoder, all members of the embedder are 0. For such an embedder,
   the functions compute and store no embeddings. risei_embedder_layout, risei_embedder_measure,
   risei_embedder_measure_frame, risei_embedder_snapshot_begin,
   risei_embedder_snapshot_switch and risei_embedder_snapshot_frame require a frozen encoder.

   Main type: risei_embedder. Uses rooms statistics, random, replay, frozen, pretrained. Tests:
   tests/agent.c, tests/snapshot.c. */

/* The variances of an embedding's numbers add up to at most this number or, if larger, to
   recurrent_units. This value was measured at 42 x 42, with 64 units, context_decay = -1 and SIGNS
   embeddings of 512 numbers (bench/README.md). In Pong, RISE scores 0.91 with this sum, 0.76 with
   512 and 0.65 with 16. In lock-catch, RISE scores 0.79 with this sum and 0.91 with 512. With
   DOWNSAMPLE, only this sum was measured. */
#define RISEI_EMBEDDING_VARIANCE_SUM 64

/* The table, indexed by rise_embedding. AUTO has no descriptor, because no resolved description has
   AUTO. */
static const risei_frozen_kind *const risei_embedder_kinds[] = {NULL,
                                                                &risei_frozen_kind_signs,
                                                                &risei_frozen_kind_gaussian,
                                                                &risei_frozen_kind_sparse,
                                                                &risei_frozen_kind_conv,
                                                                &risei_frozen_kind_downsample,
                                                                &risei_frozen_kind_user,
                                                                &risei_frozen_kind_resnet18,
                                                                &risei_frozen_kind_snapshot};
RISEI_CHECK_TABLE_SIZE(risei_embedder_kinds, RISE_EMBED_COUNT);

/* Returns the name of rise_embedding i in a description's text, or NULL if i is out of range. */
RISEI_FN const char *risei_embedder_word(int i)
{
    if (i < 0 || i >= RISEI_COUNT(risei_embedder_kinds)) return NULL;
    return risei_embedder_kinds[i] == NULL ? "auto" : risei_embedder_kinds[i]->name;
}
/* Returns the default of embedding_size that the description's kind of embedding sets, or 0 if the
   kind sets none. `embedding` must not be AUTO. */
RISEI_FN int risei_embedder_default_size(const rise_agent_desc *desc)
{
    return risei_embedder_kinds[desc->embedding]->default_size;
}
/* Returns the final embedding_size of a description whose defaults are filled in. Returns
   embedding_size unchanged if the kind has no final_size, if there are no frames, or if `embedding`
   is AUTO. Only a forged file can have AUTO here. */
RISEI_FN int risei_embedder_final_size(const rise_agent_desc *desc)
{
    const risei_frozen_kind *kind = risei_embedder_kinds[desc->embedding];
    int const computes = kind != NULL && kind->final_size != NULL && desc->frame_width > 0;
    return computes ? kind->final_size(desc) : desc->embedding_size;
}
/* Checks the fields that the embedding of a description uses. Returns RISE_UNAVAILABLE if
   RISE_NO_ENCODERS or RISE_PLAY_ONLY leaves the kind out. Requires an embedding other than AUTO. */
RISEI_FN rise_result risei_embedder_check(const rise_agent_desc *desc, rise_error *error)
{
    const risei_frozen_kind *kind = risei_embedder_kinds[desc->embedding];
#if defined(RISE_NO_ENCODERS) || defined(RISE_PLAY_ONLY)
    /* With RISE_PLAY_ONLY alone, only RESNET18 is left out, and the sentence would name the wrong
       macro. But such a build has no error sentences (see risei_fail). */
    if (kind->embed == NULL)
        return risei_fail(error, RISE_UNAVAILABLE,
                          "embedding is %s, which RISE_NO_ENCODERS leaves out; compile without it",
                          kind->name);
#endif
    return kind->check_desc != NULL ? kind->check_desc(desc, error) : RISE_OK;
}

typedef struct risei_embedder {
    risei_frozen encoder;
    risei_statistics statistics; /* of raw embeddings */
} risei_embedder;

/* Takes the memory of an embedder from the arena, and sets all sizes. Requires an agent with a
   frozen encoder. Stores the pointer `scale`. Call before risei_model_layout_device, which reads
   the encoder's product_bytes and chunk_bytes. */
RISEI_FN void risei_embedder_layout(risei_arena *arena, risei_embedder *e,
                                    const rise_agent_desc *desc, const rise_frame_scale *scale)
{
    risei_frozen *f = &e->encoder;
    memset(e, 0, sizeof *e);
    f->kind = risei_embedder_kinds[desc->embedding];
    f->width = desc->frame_width, f->height = desc->frame_height;
    f->channels = desc->frame_channels;
    f->size = desc->embedding_size;
    f->scale = scale;
    risei_statistics_layout(arena, &e->statistics, f->size);
    if (f->kind->layout != NULL) f->kind->layout(arena, f, desc);
}
/* Returns the hash of the frozen encoder's weights, or 0 if the kind needs none. */
RISEI_FN uint64_t risei_embedder_fingerprint(const risei_embedder *e)
{
    const risei_frozen_kind *kind = e->encoder.kind;
    return kind != NULL && kind->fingerprint != NULL ? kind->fingerprint(&e->encoder) : 0;
}
/* Draws the encoder's seed and weights, or reads the weights from a file. Fails only with RESNET18:
   if the file is wrong, or with RISE_UNAVAILABLE if this build cannot load the file. */
RISEI_FN rise_result risei_embedder_initialise(risei_embedder *e, risei_random random,
                                               const rise_agent_desc *desc, rise_error *error)
{
    risei_frozen *f = &e->encoder;
    if (f->kind == NULL) return RISE_OK;
    f->seed = risei_random_bits(&random);
    return f->kind->initialise != NULL ? f->kind->initialise(f, &random, desc, error) : RISE_OK;
}

/* Freezes the statistics. Each number is then scaled to variance min(1, most / size): see the
   header of this room. */
RISEI_FN void risei_embedder_freeze_statistics(risei_embedder *e, const rise_agent_desc *desc)
{
    int const units = desc->recurrent_units, size = desc->embedding_size;
    int const most = units > RISEI_EMBEDDING_VARIANCE_SUM ? units : RISEI_EMBEDDING_VARIANCE_SUM;
    risei_statistics_freeze(&e->statistics, size > most ? sqrt((double)most / (double)size) : 1);
}
/* Computes the embedding of a frame, out [size]. The embedding is raw until the statistics are
   frozen, then standardised. */
RISEI_FN void risei_embedder_embed(const risei_device *d, const risei_embedder *e,
                                   const uint8_t *frame, rise_real *out)
{
    if (e->encoder.kind == NULL) return;
    e->encoder.kind->embed(d, &e->encoder, frame, out);
    risei_statistics_apply(&e->statistics, out, out);
}
/* Computes the embedding as risei_embedder_embed does. Returns RISE_NOT_FINITE if a number of the
   raw embedding is NaN or infinite. */
RISEI_FN rise_result risei_embedder_embed_checked(const risei_device *d, const risei_embedder *e,
                                                  const uint8_t *frame, rise_real *out,
                                                  rise_error *error)
{
    const risei_frozen *f = &e->encoder;
    int i;
    if (f->kind == NULL) return RISE_OK;
    f->kind->embed(d, f, frame, out);
    for (i = 0; i < f->size; i++)
        if (!risei_finite((float)out[i]))
            return risei_fail(error, RISE_NOT_FINITE, "%s gave a number that is not finite",
                              f->kind->source != NULL ? f->kind->source : "embedding");
    risei_statistics_apply(&e->statistics, out, out);
    return RISE_OK;
}

/* Computes the embedding of a slot's frame again and stores the result in the slot. `buffer` is
   [size]. Does not check that the embedding is finite: the call that passed the frame did. */
RISEI_FN void risei_embedder_refresh_slot(const risei_device *d, const risei_embedder *e,
                                          risei_history *h, ptrdiff_t slot, rise_real *buffer)
{
    risei_embedder_embed(d, e, h->frames + slot * h->frame_bytes, buffer);
    risei_history_embed(h, slot, buffer);
}
/* Embeds the newest `frames` frames of every lane again, or all frames of a lane that has fewer. */
RISEI_FN void risei_embedder_refresh_newest(const risei_device *d, const risei_embedder *e,
                                            risei_history *h, int frames, rise_real *buffer)
{
    int lane;
    int64_t at;
    if (e->encoder.kind == NULL) return;
    for (lane = 0; lane < h->lanes; lane++) {
        int64_t const oldest = risei_history_oldest(h, lane), from = h->written[lane] - frames;
        for (at = from > oldest ? from : oldest; at < h->written[lane]; at++)
            risei_embedder_refresh_slot(d, e, h, risei_history_slot(h, lane, at), buffer);
    }
}
/* Embeds all stored frames again. The call is needed when the weights, `scale` or the statistics
   change, and after loading frames, because a file holds no embeddings. */
RISEI_FN void risei_embedder_refresh(const risei_device *d, const risei_embedder *e,
                                     risei_history *h, rise_real *buffer)
{
    risei_embedder_refresh_newest(d, e, h, h->capacity, buffer);
}

/* How many frames risei_embedder_measure or a snapshot computes statistics from. If fewer frames
   are stored, some count more than once. No measurement of other numbers is recorded. */
enum { RISEI_SAMPLE_FRAMES = 512 };

/* Computes the raw embedding of one stored frame with `encoder`, and adds the embedding to the
   statistics of `e`. `number` chooses the frame's slot. The numbers 0 .. RISEI_SAMPLE_FRAMES - 1
   are spread evenly over all slots that were written. Does nothing if no slot was written. `buffer`
   is [size]. */
RISEI_FN void risei_embedder_measure_frame(const risei_device *d, risei_embedder *e,
                                           const risei_frozen *encoder, const risei_history *h,
                                           int64_t number, rise_real *buffer)
{
    int64_t index, total = 0;
    ptrdiff_t slot;
    int lane;
    for (lane = 0; lane < h->lanes; lane++) total += risei_history_filled(h, lane);
    if (total == 0) return;
    index = number * total / RISEI_SAMPLE_FRAMES;
    for (lane = 0; index >= risei_history_filled(h, lane); lane++)
        index -= risei_history_filled(h, lane);
    slot = (ptrdiff_t)lane * h->capacity + (ptrdiff_t)index;
    encoder->kind->embed(d, encoder, h->frames + slot * h->frame_bytes, buffer);
    risei_statistics_observe(&e->statistics, buffer);
}
/* Computes the statistics again, from RISEI_SAMPLE_FRAMES stored frames. The call is needed after
   `scale` has changed, if the kind of the encoder has scaled = 1. */
RISEI_FN void risei_embedder_measure(const risei_device *d, risei_embedder *e,
                                     const risei_history *h, rise_real *buffer)
{
    int64_t number;
    risei_statistics_clear(&e->statistics);
    for (number = 0; number < RISEI_SAMPLE_FRAMES; number++)
        risei_embedder_measure_frame(d, e, &e->encoder, h, number, buffer);
}

/* Returns 1 if the frozen encoder can copy the learnable encoder's conv layers, else 0. */
RISEI_FN int risei_embedder_takes_snapshots(const risei_embedder *e)
{
    return e->encoder.snapshot_weights > 0;
}

/* Taking a snapshot of the learnable encoder.

   After a snapshot, all stored frames must be embedded again. This work takes as long as many
   updates. So the learner spreads the work over many calls of risei_learner_prepare. Each of these
   calls processes up to 4 * batch frames instead of beginning an update. The frames to process are
   numbered from 0 on. A snapshot has four stages:
   1. risei_embedder_snapshot_begin copies the conv layers to next_weights.
   2. The frames with numbers below RISEI_SAMPLE_FRAMES come from evenly spaced slots. Their
      embeddings with next_weights are added to the new statistics, but are not stored. Acting still
      uses the old weights.
   3. risei_embedder_snapshot_switch makes the new weights and statistics current. Immediately after
      the switch, the learner embeds again the frames that acting reads: the players' history and
      the newest window of each lane.
   4. The frame with number RISEI_SAMPLE_FRAMES + i is the frame of slot i. The embedding of this
      frame is computed again and stored.
   With `background`, stages 3 and 4 also run at the end of the warm-up (risei_learner_end_warm_up),
   to embed all stored frames again. Stage 3 is then without risei_embedder_snapshot_switch. */

/* Returns how many frame numbers a snapshot has. Numbers of slots that were never written count,
   too. */
RISEI_FN int64_t risei_embedder_snapshot_frames(const risei_history *h)
{
    return RISEI_SAMPLE_FRAMES + (int64_t)h->lanes * h->capacity;
}
/* Copies conv_weights [encoder.snapshot_weights], from the learnable encoder, to next_weights.
   Clears the running statistics, but not shift and gain. */
RISEI_FN void risei_embedder_snapshot_begin(risei_embedder *e, const rise_real *conv_weights)
{
    memcpy(e->encoder.next_weights, conv_weights,
           e->encoder.snapshot_weights * sizeof *conv_weights);
    risei_statistics_clear(&e->statistics);
}
/* Swaps weights and next_weights, and computes shift and gain from the new statistics. */
RISEI_FN void risei_embedder_snapshot_switch(risei_embedder *e, const rise_agent_desc *desc)
{
    rise_real *const old = e->encoder.weights;
    e->encoder.weights = e->encoder.next_weights, e->encoder.next_weights = old;
    risei_embedder_freeze_statistics(e, desc);
}
/* Processes the frame with this number. Returns 0 if the frame's slot was never written, else 1.
   In a snapshot, the caller must call risei_embedder_snapshot_switch immediately before the frame
   with number RISEI_SAMPLE_FRAMES. */
RISEI_FN int risei_embedder_snapshot_frame(const risei_device *d, risei_embedder *e,
                                           risei_history *h, int64_t number, rise_real *buffer)
{
    if (number < RISEI_SAMPLE_FRAMES) {
        risei_frozen next = e->encoder;
        next.weights = next.next_weights;
        risei_embedder_measure_frame(d, e, &next, h, number, buffer);
    } else {
        ptrdiff_t const slot = (ptrdiff_t)(number - RISEI_SAMPLE_FRAMES);
        if (!risei_history_slot_is_written(h, slot)) return 0;
        risei_embedder_refresh_slot(d, e, h, slot, buffer);
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>describe: the fields of a description

   Holds the table of the fields of rise_agent_desc and the table of the fields of rise_conv, with
   ranges and defaults. Text input and output, files, presets, defaults and checks use these tables.
   The seed is in no table, but files store the seed. embed_fn, embed_user, embedding_file and the
   fields of the machine are in no table, and files do not store them.

   Main type: risei_field. Uses layers, recurrent, heads, network, replay, embedder. Test:
   tests/rules.c. */

/* Returns the name of value i of an enumeration, or NULL if there is no such value. */
typedef const char *(*risei_word_fn)(int i);

typedef struct risei_field {
    const char *name;
    risei_word_fn word_of; /* of an enumeration; NULL for numbers */
    risei_value low, high; /* of a number */
    /* Reading a file of a revision before `since` sets the field to this value. See
       RISEI_DESCRIPTION_REVISION. */
    risei_value value_before;
#ifndef RISE_PLAY_ONLY
    /* The values that replace 0. for_small: for SMALL, and for CUSTOM with small frames (see
       risei_fill_table). for_others: for all other networks. If both are 0, there are three cases:
       risei_fill computes the default, 0 is a valid value, or the field is required (see
       RISEI_FIELDS_REQUIRED). */
    double for_small, for_others;
#endif
    uint16_t at;     /* offset of the member in rise_agent_desc or rise_conv */
    uint8_t bytes;   /* size of the member */
    uint8_t real;    /* 1: a double; 0: an int or an enumeration */
    /* 1: loading fails if the caller asks for another value than the file's. Publishing needs equal
       values, too. Exception: `environments` may differ, unless a replay buffer is loaded. */
    uint8_t shape;
    uint8_t since;   /* the revision of this table that added the field; 0: the first revision */
    /* 1: files mark the field with '?', so older readers ignore it. No field has 1 yet. */
    uint8_t optional;
} risei_field;

/* Defines a risei_word_fn for an enumeration that has no table of kinds. */
#define RISEI_WORDS(function, ...)                                                                 \
    RISEI_FN const char *function(int i)                                                           \
    {                                                                                              \
        static const char *const words[] = {__VA_ARGS__};                                          \
        return i >= 0 && i < RISEI_COUNT(words) ? words[i] : NULL;                                 \
    }
RISEI_WORDS(risei_fusion_word, "concat", "gate", "sum")
RISEI_WORDS(risei_network_word, "auto", "small", "nature", "custom", "impala")
#undef RISEI_WORDS
RISEI_FN const char *risei_memory_word(int i)
{
    return i >= 0 && i < RISEI_COUNT(risei_memory_kinds) ? risei_memory_kinds[i].name : NULL;
}
RISEI_FN const char *risei_head_word(int i)
{
    return i >= 0 && i < RISEI_COUNT(risei_head_kinds) ? risei_head_kinds[i].name : NULL;
}

/* A row of a table of fields. `small` becomes for_small, and `large` becomes for_others. */
#ifdef RISE_PLAY_ONLY
#define RISEI_DEFAULTS(small, large)
#else
#define RISEI_DEFAULTS(small, large) small, large,
#endif
#define RISEI_ROW(type, field, real, word, low, high, small, large, shape, since, before)          \
    {#field, word, (risei_value)(low), (risei_value)(high), (risei_value)(before),                 \
     RISEI_DEFAULTS(small, large) offsetof(type, field), sizeof(((type *)0)->field), real, shape,  \
     since, 0}
/* A row for a number. RISEI_INT and RISEI_REAL: `value` becomes for_small and for_others. */
#define RISEI_INT(field, low, high, value) RISEI_INT2(field, low, high, value, value)
#define RISEI_INT2(field, low, high, small, large)                                                 \
    RISEI_ROW(rise_agent_desc, field, 0, NULL, low, high, small, large, 0, 0, 0)
#define RISEI_REAL(field, low, high, value) RISEI_REAL2(field, low, high, value, value)
#define RISEI_REAL2(field, low, high, small, large)                                                \
    RISEI_ROW(rise_agent_desc, field, 1, NULL, low, high, small, large, 0, 0, 0)
/* A row for an int that gives arrays their shapes. Like RISEI_INT and RISEI_INT2, but `shape` is
   1. */
#define RISEI_SHAPE(field, low, high, value) RISEI_SHAPE2(field, low, high, value, value)
#define RISEI_SHAPE2(field, low, high, small, large)                                               \
    RISEI_ROW(rise_agent_desc, field, 0, NULL, low, high, small, large, 1, 0, 0)
/* A row for an enumeration, with `shape` 1. The range follows from `word`. The default is 0, or
   risei_fill computes the default. */
#define RISEI_WORD(field, word) RISEI_ROW(rise_agent_desc, field, 0, word, 0, 0, 0, 0, 1, 0, 0)
/* A row for a number that a later revision of this table added. */
#define RISEI_ADDED(field, real, low, high, value, shape, since, before)                           \
    RISEI_ROW(rise_agent_desc, field, real, NULL, low, high, value, value, shape, since, before)
enum {
    RISEI_FIELDS_REQUIRED = 3, /* the first rows of risei_fields: fields without a default */
    RISEI_PROCESSES_MAX = 4096
};
/* The number of fields that acting reads: the first rows of risei_fields. Files with 8-bit weights
   store no other rows of this table. */
enum { RISEI_FIELDS_TO_ACT = 38 };
static const risei_field risei_fields[] = {
    RISEI_SHAPE(frame_width, 0, 1024, 0),
    RISEI_SHAPE(frame_height, 0, 1024, 0),
    RISEI_SHAPE(actions, 1, 256, 0),
    RISEI_SHAPE(frame_channels, 1, 16, 1),
    RISEI_SHAPE(frame_stack, 1, RISEI_STACK_MAX, 4),
    RISEI_ADDED(numbers, 0, 0, 1024, 0, 1, 3, 0),
    RISEI_ADDED(number_features, 0, 1, 8192, 0, 1, 3, 64),
    RISEI_INT(players, 1, 4096, 1),
    RISEI_INT(play_only, 0, 1, 0),
    RISEI_ADDED(weight_bits, 0, 8, 32, 32, 1, 4, 32),
    RISEI_WORD(memory, risei_memory_word),
    RISEI_SHAPE(window, 1, 1024, 16),
    RISEI_WORD(cell, risei_cell_word),
    RISEI_SHAPE2(recurrent_units, 1, 4096, 32, 512),
    RISEI_WORD(fusion, risei_fusion_word),
    RISEI_REAL(context_scale, 1e-6, 100, 0),
    RISEI_INT(carry_state, 0, 1, 0),
    RISEI_SHAPE(feed_action, 0, 1, 0),
    RISEI_WORD(embedding, risei_embedder_word),
    RISEI_SHAPE2(embedding_size, 1, 8192, 64, 512),
    RISEI_SHAPE(embedding_pool, 1, 64, 0),
    RISEI_INT(embedding_f32, 0, 1, 0),
    RISEI_ADDED(raw_frames, 0, 0, 1, 0, 0, 2, 1),
    RISEI_WORD(network, risei_network_word),
    RISEI_SHAPE(conv_count, 0, RISE_MAX_CONV, 0),
    RISEI_SHAPE(network_width, 1, 16, 2), /* decides conv[] of RISE_NETWORK_IMPALA */
    RISEI_SHAPE(pool_to, -1, 64, 0),
    RISEI_INT(spectral_norm, 0, 1, 0),
    RISEI_SHAPE2(features, -1, 8192, 128, -1),
    RISEI_SHAPE2(head_units, 1, 8192, 64, 512),
    RISEI_SHAPE(no_dueling, 0, 1, 0),
    RISEI_SHAPE(layer_norm, 0, 1, 0),
    RISEI_INT(noisy, 0, 1, 0),
    RISEI_WORD(head, risei_head_word),
    RISEI_SHAPE(atoms, 2, 256, 51),
    RISEI_REAL(value_min, -1e9, 1e9, 0),
    RISEI_REAL(value_max, -1e9, 1e9, 0),
    RISEI_SHAPE(quantiles, 1, 256, 8),
#ifndef RISE_PLAY_ONLY
    RISEI_SHAPE(action_masks, 0, 1, 0),
    RISEI_SHAPE(environments, 1, 4096, 1),
    RISEI_ADDED(demonstrators, 0, 0, 4096, 0, 1, 3, 0),
    RISEI_INT(window_samples, 1, 64, 1),
    RISEI_INT(window_stride, 1, 1024, 1),
    RISEI_INT(burn_in, 0, 1023, 0),
    RISEI_INT(stored_state, 0, 1, 0),
    RISEI_INT(snapshot_steps, 0, 1e9, 0),
    RISEI_INT(batch, 1, 4096, 32),
    RISEI_ADDED(batch_parts, 0, 1, 4096, 0, 0, 3, 1),
    RISEI_INT(n_step, 1, 64, 3),
    RISEI_REAL(discount, 1e-6, 1, 0.99),
    RISEI_REAL2(learning_rate, 1e-12, 1, 1e-3, 1e-4),
    RISEI_INT(learning_rate_steps, 0, 1e9, 0),
    RISEI_ADDED(context_decay, 1, -1, 1, 0, 0, 5, -1),
    RISEI_REAL(adam_epsilon, 1e-12, 1, 0),
    RISEI_REAL(gradient_clip, -1, 1e12, 10),
    RISEI_INT(no_double, 0, 1, 0),
    RISEI_INT2(target_period, 1, 1e9, 100, 2000),
    RISEI_REAL(target_rate, 1e-6, 1, 1),
    RISEI_INT(munchausen, 0, 1, 0),
    RISEI_REAL(munchausen_scale, -1, 1, 0.9),
    RISEI_REAL(temperature, 1e-6, 1e6, 0.03),
    RISEI_INT(value_rescale, 0, 1, 0),
    RISEI_ADDED(demonstration_weight, 1, -1, 1e6, 1, 0, 3, 1),
    RISEI_ADDED(demonstration_margin, 1, -1, 1e6, 0.8, 0, 3, 0.8),
    RISEI_INT2(replay_capacity, 1, 1e9, 50000, 200000),
    RISEI_INT2(learn_start, 1, 1e9, 1000, 20000),
    RISEI_INT(learn_period, 1, 1e6, 4),
    RISEI_INT(learn_outside, 0, 1, 0),
    RISEI_ADDED(background, 0, -1, 1, 0, 0, 3, 0),
    RISEI_REAL(priority_exponent, -1, 1, 0.5),
    RISEI_REAL(priority_mix, 0, 1, 0),
    RISEI_REAL(importance_exponent, -1, 1, 0.4),
    RISEI_REAL(epsilon_start, -1, 1, 1),
    RISEI_REAL2(epsilon_end, -1, 1, 0.05, 0.01),
    RISEI_INT2(epsilon_steps, 1, 1e9, 10000, 250000)
#endif
};
#undef RISEI_INT
#undef RISEI_INT2
#undef RISEI_REAL
#undef RISEI_REAL2
#undef RISEI_SHAPE
#undef RISEI_SHAPE2
#undef RISEI_WORD
#undef RISEI_ADDED
#define RISEI_CONV(field, low, high)                                                               \
    RISEI_ROW(rise_conv, field, 0, NULL, low, high, 0, 0, 1, 0, 0)
static const risei_field risei_conv_fields[] = {
    RISEI_CONV(filters, 1, 1024), RISEI_CONV(size, 1, 64),
    RISEI_CONV(stride, 1, 64),    RISEI_CONV(pad, 0, 32),
    RISEI_CONV(pool, 0, 64),      RISEI_CONV(pool_stride, 0, 64),
    RISEI_CONV(pool_pad, 0, 63),  RISEI_CONV(residual, 0, RISEI_RESIDUAL_MAX)};
#undef RISEI_CONV
#undef RISEI_ROW
#undef RISEI_DEFAULTS
enum {
    RISEI_FIELDS = sizeof risei_fields / sizeof *risei_fields,
    RISEI_CONV_FIELDS = sizeof risei_conv_fields / sizeof *risei_conv_fields
};
#ifdef RISE_PLAY_ONLY
RISEI_CHECK_TABLE_SIZE(risei_fields, RISEI_FIELDS_TO_ACT);
#endif

/* -- Reading and writing fields -- */

/* Returns the value of a field of `object`. An enumeration may have 1 or 2 bytes, because compilers
   for bare-metal ARM choose the smallest type. */
RISEI_FN risei_value risei_field_get(const risei_field *field, const void *object)
{
    const char *const at = (const char *)object + field->at;
    double real = 0;
    int integer = 0;
    int16_t two = 0;
    int8_t one = 0;
    if (field->real) memcpy(&real, at, sizeof real);
    else if (field->bytes == sizeof integer) memcpy(&integer, at, sizeof integer);
    else if (field->bytes == sizeof two) memcpy(&two, at, sizeof two);
    else memcpy(&one, at, sizeof one);
    return (risei_value)real + (risei_value)(integer + two + one);
}
#if RISEI_FLOATS
/* Returns x as a double. If x is denormal, risei_field_get reads the result as 0. Copies bits: on a
   processor without an instruction for this conversion, the compiler would call a large
   function. */
RISEI_FN double risei_widen(float x)
{
    uint32_t const bits = risei_bits(x), exponent = bits >> 23 & 0xFF;
    uint64_t const wide = (uint64_t)(bits >> 31) << 63 |
                          (uint64_t)(exponent > 0 ? exponent + 1023 - 127 : 0) << 52 |
                          (uint64_t)(bits & 0x007FFFFFu) << 29;
    double y;
    memcpy(&y, &wide, sizeof y);
    return y;
}
#else
#define risei_widen(x) (x)
#endif
RISEI_FN void risei_field_put(const risei_field *field, void *object, risei_value value)
{
    char *const at = (char *)object + field->at;
    double const real = risei_widen(value);
    int const integer = field->real ? 0 : (int)value;
    int16_t const two = (int16_t)integer;
    int8_t const one = (int8_t)integer;
    if (field->real) memcpy(at, &real, sizeof real);
    else if (field->bytes == sizeof integer) memcpy(at, &integer, sizeof integer);
    else if (field->bytes == sizeof two) memcpy(at, &two, sizeof two);
    else memcpy(at, &one, sizeof one);
}
/* Returns whether x is 0. NaN is not 0. */
RISEI_FN int risei_is_zero(risei_value x) { return !(x < 0) && !(x > 0) && x - x == 0; }
RISEI_FN int risei_words_count(risei_word_fn word_of)
{
    int count = 0;
    while (word_of(count) != NULL) count++;
    return count;
}
/* Writes "conv[l]." to prefix [9], for l < RISE_MAX_CONV. Returns prefix. */
RISEI_FN const char *risei_conv_prefix(int l, char *prefix)
{
    memcpy(prefix, "conv[0].", 9);
    prefix[5] = (char)('0' + l);
    return prefix;
}
/* Returns the field whose name is the first `length` characters of `text`, or NULL. */
RISEI_FN const risei_field *risei_field_named(const risei_field *fields, int count,
                                              const char *text, size_t length)
{
    int i;
    for (i = 0; i < count; i++)
        if (strlen(fields[i].name) == length && memcmp(fields[i].name, text, length) == 0)
            return &fields[i];
    return NULL;
}

/* -- Numbers as text: the same text in every locale -- */

enum { RISEI_NUMBER_TEXT = 40 }; /* bytes of a buffer for a number as text */

/* A natural number: limb[0] holds its lowest 32 bits. Limbs from `used` on are 0. The largest
   number is below 2 * 10^(RISEI_NATURAL_TENS + RISEI_NUMBER_TEXT). */
enum {
    RISEI_NATURAL_TENS = RISEI_FLOATS ? 60 : 350, /* largest exponent of ten; a float needs less */
    RISEI_NATURAL_LIMBS = RISEI_FLOATS ? 16 : 48
};
typedef struct risei_natural {
    uint32_t limb[RISEI_NATURAL_LIMBS];
    int used; /* 0: the number is 0; else limb[used - 1] is not 0 */
} risei_natural;

/* Sets x to x * factor + more. */
RISEI_FN void risei_natural_times(risei_natural *x, uint32_t factor, uint32_t more)
{
    uint64_t carry = more;
    int i;
    for (i = 0; i < x->used; i++) {
        carry += (uint64_t)x->limb[i] * factor;
        x->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0) x->limb[x->used++] = (uint32_t)carry;
}
/* Returns a negative number if x < y, 0 if x = y, and a positive number if x > y. */
RISEI_FN int risei_natural_compare(const risei_natural *x, const risei_natural *y)
{
    int i = x->used > y->used ? x->used : y->used;
    while (i > 1 && x->limb[i - 1] == y->limb[i - 1]) i--;
    return i == 0 ? 0 : (x->limb[i - 1] > y->limb[i - 1]) - (x->limb[i - 1] < y->limb[i - 1]);
}
/* Subtracts y from x. Needs y <= x. */
RISEI_FN void risei_natural_minus(risei_natural *x, const risei_natural *y)
{
    uint64_t borrow = 0;
    int i;
    for (i = 0; i < x->used; i++) {
        uint64_t const difference = (uint64_t)x->limb[i] - y->limb[i] - borrow;
        x->limb[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
    while (x->used > 0 && x->limb[x->used - 1] == 0) x->used--;
}
#if RISEI_FLOATS
/* Returns x * 2^exponent, as ldexpf does. Newlib's ldexpf sets errno, and linking errno also links
   the state of stdio: 1 kB of RAM. x is 0 or at least 1, so only the second product can round. */
RISEI_FN float risei_float_scaled(float x, int exponent)
{
    int const first = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
    int const rest = exponent - first;
    int const second = rest < -126 ? -126 : rest > 127 ? 127 : rest;
    uint32_t const bits[2] = {(uint32_t)(first + 127) << 23, (uint32_t)(second + 127) << 23};
    float factor[2];
    memcpy(factor, bits, sizeof factor);
    return x * factor[0] * factor[1];
}
#endif
/* Returns the double that is nearest to digits * 10^tens, for digits > 0. If two are equally near,
   returns the one whose last bit is 0. Returns infinity above the largest double. With
   RISEI_FLOATS, rounds this double to a float. Long division gives one bit at a time, and the
   remainder decides how the last bit is rounded. Changes *digits. */
RISEI_FN risei_value risei_natural_value(risei_natural *digits, int tens)
{
    risei_natural unit;
    uint64_t mantissa = 0;
    int exponent = 0, bits = 53, i;
    memset(&unit, 0, sizeof unit);
    if (tens == 0 && digits->used == 1) return (risei_value)digits->limb[0];
    unit.limb[0] = 1, unit.used = 1;
    for (i = 0; i < tens; i++) risei_natural_times(digits, 10, 0);
    for (i = 0; i > tens; i--) risei_natural_times(&unit, 10, 0);
    /* a number with two limbs more is over 2^32 times as large, so a factor of 2^31 is safe */
    for (; digits->used > unit.used + 1; exponent += 31) risei_natural_times(&unit, 1u << 31, 0);
    for (; unit.used > digits->used + 1; exponent -= 31) risei_natural_times(digits, 1u << 31, 0);
    for (; risei_natural_compare(digits, &unit) >= 0; exponent++) risei_natural_times(&unit, 2, 0);
    for (; risei_natural_compare(digits, &unit) < 0; exponent--) risei_natural_times(digits, 2, 0);
    /* now unit <= digits < 2 unit; doubles below 2^-1022 have fewer bits */
    if (exponent < -1022) bits = exponent < -1075 ? 0 : exponent + 1075;
    for (i = 0; i < bits; i++) {
        int const fits = risei_natural_compare(digits, &unit) >= 0;
        if (fits) risei_natural_minus(digits, &unit);
        mantissa = mantissa << 1 | (unsigned)fits;
        risei_natural_times(digits, 2, 0);
    }
    i = exponent < -1075 ? -1 : risei_natural_compare(digits, &unit);
    if (i > 0 || (i == 0 && (mantissa & 1))) mantissa++;
#if RISEI_FLOATS /* rounds the double to a float */
    i = (int)(mantissa & 0x1FFFFFFF), mantissa >>= 29, bits -= 29;
    if (i > 1 << 28 || (i == 1 << 28 && (mantissa & 1))) mantissa++;
    return risei_float_scaled((float)(uint32_t)mantissa, exponent + 1 - bits);
#else
    return ldexp((double)mantissa, exponent + 1 - bits);
#endif
}
/* Reads decimal digits with at most one point into *digits, which must be 0. Moves *text past the
   digits and the point. Sets *tens to minus the number of digits after the point. Returns the
   number of digits. */
RISEI_FN int risei_number_digits(const char **text, risei_natural *digits, int *tens)
{
    const char *at = *text;
    int count = 0, point = 0;
    *tens = 0;
    for (; (*at >= '0' && *at <= '9') || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = 1;
            continue;
        }
        risei_natural_times(digits, 10, (uint32_t)(*at - '0'));
        count++;
        *tens -= point;
    }
    *text = at;
    return count;
}
/* Returns whether `text` is a finite decimal number of fewer than RISEI_NUMBER_TEXT characters.
   Writes the number to *value. The decimal point is '.'; strtod expects that of the current
   locale. */
RISEI_FN int risei_number_read(const char *text, risei_value *value)
{
    int const negative = *text == '-';
    risei_natural digits;
    int tens, exponent = 0, below_zero;
    memset(&digits, 0, sizeof digits);
    if (strlen(text) >= RISEI_NUMBER_TEXT) return 0;
    if (*text == '-' || *text == '+') text++;
    if (risei_number_digits(&text, &digits, &tens) == 0) return 0;
    if (*text == 'e' || *text == 'E') {
        below_zero = text[1] == '-';
        text += 1 + (text[1] == '-' || text[1] == '+');
        if (*text == '\0') return 0;
        for (; *text >= '0' && *text <= '9'; text++)
            if (exponent < 10000) exponent = 10 * exponent + (*text - '0');
        tens += below_zero ? -exponent : exponent;
    }
    if (*text != '\0') return 0;
    *value = 0;
    if (digits.used > 0) {
        if (tens > RISEI_NATURAL_TENS) return 0;
        if (tens >= -RISEI_NATURAL_TENS - RISEI_NUMBER_TEXT)
            *value = risei_natural_value(&digits, tens);
    }
    if (negative) *value = -*value;
    return *value - *value == 0;
}
#ifndef RISE_PLAY_ONLY
/* Writes the decimal point of the current locale to point [16], a string. Some locales have a
   decimal point of two bytes. */
RISEI_FN void risei_decimal_point(char *point)
{
    char text[16];
    size_t length;
    snprintf(text, sizeof text, "%.1f", 0.5); /* 0, the point, 5 */
    length = strlen(text) - 2;
    memcpy(point, text + 1, length);
    point[length] = '\0';
}
/* Writes `value` to text [RISEI_NUMBER_TEXT] with 15 significant digits, or with 17 if 15 do not
   read back as the same number. */
RISEI_FN void risei_number_write(double value, char *text)
{
    char point[16], *at;
    double back;
    int digits;
    risei_decimal_point(point);
    for (digits = 15; digits <= 17; digits += 2) {
        snprintf(text, RISEI_NUMBER_TEXT, "%.*g", digits, value);
        at = strstr(text, point);
        if (at != NULL) {
            *at = '.';
            memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
        }
        if (risei_number_read(text, &back) && memcmp(&back, &value, sizeof back) == 0) return;
    }
}
/* Writes `seed` to text [21 or more] in decimal. risei_number_write cannot do this: a double holds
   only 53 bits. */
RISEI_FN void risei_seed_write(uint64_t seed, char *text)
{
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + seed % 10);
    while ((seed /= 10) != 0);
    while (count > 0) *text++ = digits[--count];
    *text = '\0';
}
#endif /* !RISE_PLAY_ONLY */
/* Returns whether `text` is a whole number below 2^64. Writes the number to *seed. */
RISEI_FN int risei_seed_read(const char *text, uint64_t *seed)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t const digit = (uint64_t)(*at - '0');
        if (value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit) return 0;
        value = value * 10 + digit;
    }
    if (at == text || *at != '\0') return 0;
    *seed = value;
    return 1;
}

/* -- Fields as text -- */

/* Returns the field that the first `length` characters of `text` name, such as window or
   conv[0].size, or NULL. Sets *object to the structure that holds the field: the description or an
   element of its conv[]. */
RISEI_FN const risei_field *risei_field_find(rise_agent_desc *desc, const char *text, size_t length,
                                             void **object)
{
    *object = desc;
    if (length > 8 && memcmp(text, "conv[", 5) == 0 && text[5] >= '0' &&
        text[5] < '0' + RISE_MAX_CONV && text[6] == ']' && text[7] == '.') {
        *object = &desc->conv[text[5] - '0'];
        return risei_field_named(risei_conv_fields, RISEI_CONV_FIELDS, text + 8, length - 8);
    }
    return risei_field_named(risei_fields, RISEI_FIELDS, text, length);
}
/* Reads *value from `text`: a number, or the name of a value of the field's enumeration. Returns
   whether `text` is valid: a number of a field that is not `real` must be whole, and its magnitude
   below 2e9. Does not check the field's range. */
RISEI_FN int risei_field_read(const risei_field *field, const char *text, risei_value *value)
{
    const char *found;
    int i;
    for (i = 0; field->word_of != NULL && (found = field->word_of(i)) != NULL; i++) {
        if (strlen(found) != strlen(text) || memcmp(found, text, strlen(found)) != 0) continue;
        *value = (risei_value)i;
        return 1;
    }
    if (!risei_number_read(text, value)) return 0;
    return field->real || (*value > (risei_value)-2e9 && *value < (risei_value)2e9 &&
                           *value == (risei_value)(int)*value);
}
#ifndef RISE_PLAY_ONLY
/* Returns RISE_BAD_DESC, with a sentence that lists what the field accepts. */
RISEI_FN rise_result risei_field_refuse(const risei_field *field, const char *text,
                                        rise_error *error)
{
    char words[160];
    size_t length = 0;
    int i;
    words[0] = '\0';
    for (i = 0; field->word_of != NULL && field->word_of(i) != NULL && length < sizeof words; i++)
        length += (size_t)snprintf(words + length, sizeof words - length, " %s", field->word_of(i));
    return risei_fail(error, RISE_BAD_DESC, "%s is \"%.40s\"; it must be %s%s", field->name, text,
                      field->word_of != NULL ? "one of"
                      : field->real       ? "a number"
                                          : "a whole number",
                      words);
}
RISE_API rise_result rise_agent_set(rise_agent_desc *desc, const char *text, rise_error *error)
{
    const risei_field *field;
    const char *value;
    size_t length;
    void *object;
    double number;
    if (desc == NULL || text == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", desc == NULL ? "desc" : "text");
    length = strcspn(text, "=");
    value = text + length + 1;
    if (text[length] != '=')
        return risei_fail(error, RISE_BAD_DESC, "\"%.60s\" is not of the form field=value", text);
    if (length == 4 && memcmp(text, "seed", 4) == 0) {
        if (risei_seed_read(value, &desc->seed)) return RISE_OK;
        return risei_fail(error, RISE_BAD_DESC,
                          "seed is \"%.40s\"; it must be a whole number below 2^64", value);
    }
    field = risei_field_find(desc, text, length, &object);
    if (field == NULL)
        return risei_fail(error, RISE_BAD_DESC, "there is no field \"%.*s\" that text can set",
                          length < 60 ? (int)length : 60, text);
    if (!risei_field_read(field, value, &number)) return risei_field_refuse(field, value, error);
    risei_field_put(field, object, number);
    return RISE_OK;
}
/* Passes one line to `fn` for each field: the prefix, the field's name, '=', its value. */
RISEI_FN void risei_fields_write(const risei_field *fields, int count, const void *object,
                                 const char *prefix, rise_log_fn fn, void *user)
{
    char text[120], number[RISEI_NUMBER_TEXT];
    int i;
    for (i = 0; i < count; i++) {
        double const value = risei_field_get(&fields[i], object);
        const char *found = fields[i].word_of != NULL ? fields[i].word_of((int)value) : NULL;
        if (found == NULL) risei_number_write(value, number);
        snprintf(text, sizeof text, "%s%s=%s", prefix, fields[i].name,
                 found != NULL ? found : number);
        fn(user, text);
    }
}
/* Passes the first `count` fields of risei_fields to `fn`, then the conv layers, then the seed. */
RISEI_FN void risei_desc_describe(const rise_agent_desc *desc, int count, rise_log_fn fn,
                                  void *user)
{
    char text[40];
    int l;
    risei_fields_write(risei_fields, count, desc, "", fn, user);
    for (l = 0; l < desc->conv_count && l < RISE_MAX_CONV; l++)
        risei_fields_write(risei_conv_fields, RISEI_CONV_FIELDS, &desc->conv[l],
                           risei_conv_prefix(l, text), fn, user);
    strcpy(text, "seed=");
    risei_seed_write(desc->seed, text + 5);
    fn(user, text);
}
RISE_API void rise_agent_describe(const rise_agent_desc *desc, rise_log_fn fn, void *user)
{
    if (desc != NULL && fn != NULL) risei_desc_describe(desc, RISEI_FIELDS, fn, user);
}
RISEI_FN void risei_metric_write(const char *name, double value, rise_log_fn fn, void *user)
{
    char text[40 + RISEI_NUMBER_TEXT], number[RISEI_NUMBER_TEXT];
    risei_number_write(value, number);
    snprintf(text, sizeof text, "%s=%s", name, number);
    fn(user, text);
}
RISE_API void rise_metrics_describe(const rise_metrics *m, rise_log_fn fn, void *user)
{
    char text[40];
    if (m == NULL || fn == NULL) return;
#define RISEI_METRIC(name) risei_metric_write(#name, (double)m->name, fn, user);
    RISEI_METRIC(steps) RISEI_METRIC(episodes) RISEI_METRIC(updates) RISEI_METRIC(updates_owed)
    RISEI_METRIC(waited) RISEI_METRIC(epsilon) RISEI_METRIC(mean_return) RISEI_METRIC(mean_length)
    RISEI_METRIC(action_time) RISEI_METRIC(update_time) RISEI_METRIC(advice) RISEI_METRIC(loss)
    RISEI_METRIC(mean_value) RISEI_METRIC(td_error) RISEI_METRIC(gradient_norm)
    RISEI_METRIC(replay_size) RISEI_METRIC(refreshing) RISEI_METRIC(replay_ready)
    RISEI_METRIC(parameters) RISEI_METRIC(bytes) RISEI_METRIC(bytes_per_step) RISEI_METRIC(fused)
#undef RISEI_METRIC
    snprintf(text, sizeof text, "isa=%s", m->isa != NULL ? m->isa : "");
    fn(user, text);
}

/* -- Presets -- */

/* Row i holds the fields that rise_preset i sets if they are 0. The comment of rise_preset names
   the sources of the values. */
static const char *const risei_presets[][24] = {
    {"raw_frames=1", "no_double=1", "no_dueling=1", "n_step=1", "priority_exponent=-1",
     "importance_exponent=-1", "learning_rate=6.25e-5", "adam_epsilon=1.5e-4", "gradient_clip=-1",
     "target_period=2000",
     "learn_start=20000", "replay_capacity=1000000", "epsilon_end=0.01", "epsilon_steps=250000"},
    {"raw_frames=1", "head=c51", "noisy=1", "learning_rate=6.25e-5", "adam_epsilon=1.5e-4",
     "target_period=2000", "learn_start=20000", "replay_capacity=1000000", "epsilon_start=-1",
     "epsilon_end=-1"},
    {"raw_frames=1", "head=iqn", "noisy=1", "munchausen=1", "network=impala", "spectral_norm=1",
     "environments=64", "learn_period=64", "batch=256", "discount=0.997", "learning_rate=1e-4",
     "target_period=500",
     "priority_exponent=0.2", "importance_exponent=0.2", "replay_capacity=1048576",
     "learn_start=200000", "epsilon_end=0.01", "epsilon_steps=2000000"},
    {"raw_frames=1",
     "cell=lstm",
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
RISEI_CHECK_TABLE_SIZE(risei_presets, RISE_PRESET_COUNT);

RISE_API rise_result rise_agent_preset(rise_agent_desc *desc, rise_preset preset)
{
    int i;
    if (desc == NULL || (int)preset < 0 || preset >= RISE_PRESET_COUNT) return RISE_BAD_CALL;
    for (i = 0; i < RISEI_COUNT(risei_presets[0]) && risei_presets[preset][i] != NULL; i++) {
        const char *text = risei_presets[preset][i];
        void *object;
        const risei_field *field = risei_field_find(desc, text, strcspn(text, "="), &object);
        if (risei_is_zero(risei_field_get(field, object))) rise_agent_set(desc, text, NULL);
    }
    return RISE_OK;
}

/* -- Defaults -- */

RISEI_FN void risei_default(int *field, int value)
{
    if (*field == 0) *field = value;
}
RISEI_FN void risei_default_real(double *field, double value)
{
    if (risei_is_zero(*field)) *field = value;
}
RISEI_FN rise_conv risei_conv_desc(int filters, int size, int stride)
{
    rise_conv c;
    memset(&c, 0, sizeof c);
    c.filters = filters, c.size = size, c.stride = stride;
    return c;
}
/* Returns the pixels of the frame's smaller side. */
RISEI_FN int risei_smaller_side(const rise_agent_desc *d)
{
    return d->frame_width < d->frame_height ? d->frame_width : d->frame_height;
}
/* Sets the conv layers of MinAtar's network (Young & Tian 2019): one layer with 16 filters of size
   3. The size is smaller if a side of the frame has fewer than 3 pixels. Without frames, sets
   conv_count to 0. */
RISEI_FN void risei_fill_small(rise_agent_desc *d)
{
    int const smaller = risei_smaller_side(d);
    d->conv_count = d->frame_width > 0 ? 1 : 0;
    d->conv[0] = risei_conv_desc(16, smaller < 3 ? smaller : 3, 1);
}
/* Sets the conv layers of DQN (Mnih et al. 2015). */
RISEI_FN void risei_fill_nature(rise_agent_desc *d)
{
    d->conv_count = 3;
    d->conv[0] = risei_conv_desc(32, 8, 4);
    d->conv[1] = risei_conv_desc(64, 4, 2);
    d->conv[2] = risei_conv_desc(64, 3, 1);
}
/* Sets the conv layers of IMPALA (Espeholt et al. 2018): three blocks. The max pool to 6 x 6 after
   the blocks is from Clark et al. 2024. */
RISEI_FN void risei_fill_impala(rise_agent_desc *d)
{
    int const width = d->network_width < 16 ? d->network_width : 16;
    int l;
    d->conv_count = 3;
    for (l = 0; l < 3; l++) {
        rise_conv *c = &d->conv[l];
        *c = risei_conv_desc((l == 0 ? 16 : 32) * width, 3, 1);
        c->pad = 1, c->pool = 3, c->pool_stride = 2, c->pool_pad = 1;
        c->residual = 2;
    }
    risei_default(&d->pool_to, 6);
}
/* The pixels that NATURE needs on each side: its layers have sizes 8, 4, 3 and strides 4, 2, 1. */
enum { RISEI_NATURE_LEAST = 36 };

RISEI_FN void risei_fill_network(rise_agent_desc *d)
{
    int const small_frame = risei_smaller_side(d) < RISEI_NATURE_LEAST;
    int l;
    if (d->network == RISE_NETWORK_AUTO)
        d->network = small_frame ? RISE_NETWORK_SMALL : RISE_NETWORK_NATURE;
    risei_default(&d->network_width, 2);
    if (d->network == RISE_NETWORK_SMALL) risei_fill_small(d);
    if (d->network == RISE_NETWORK_NATURE) risei_fill_nature(d);
    if (d->network == RISE_NETWORK_IMPALA) risei_fill_impala(d);
    risei_default(&d->pool_to, -1);
    for (l = 0; l < RISE_MAX_CONV && l < d->conv_count; l++) {
        risei_default(&d->conv[l].stride, 1);
        if (d->conv[l].pool > 0) risei_default(&d->conv[l].pool_stride, d->conv[l].pool);
    }
}
/* Replaces each field that is 0 by its default in risei_fields. */
RISEI_FN void risei_fill_table(rise_agent_desc *d)
{
    int const small_frame = risei_smaller_side(d) < RISEI_NATURE_LEAST;
    int const for_small = d->network == RISE_NETWORK_SMALL ||
                          (d->network == RISE_NETWORK_CUSTOM && small_frame);
    int i;
    for (i = 0; i < RISEI_FIELDS; i++) {
        const risei_field *field = &risei_fields[i];
        double const value = for_small ? field->for_small : field->for_others;
        if (risei_is_zero(risei_field_get(field, d))) risei_field_put(field, d, value);
    }
}
/* Sets the default of batch_parts. The default is 4 with learn_outside, one process and no
   background, if 4 * window_samples divides the batch; else 1. With 4 parts and frames of 8 x 8 or
   16 x 12, a part takes less than a millisecond. An update then takes 1.2 to 1.5 times as long as
   with one part (make bench-parts). */
RISEI_FN void risei_fill_batch_parts(rise_agent_desc *d)
{
    int const budget = d->learn_outside && !d->background && d->processes <= 1;
    int const divides = d->batch % (4 * d->window_samples) == 0;
    risei_default(&d->batch_parts, budget && divides ? 4 : 1);
}
/* Sets the default of embedding_pool, the side in pixels of the squares that are averaged before a
   random projection. The default is the smallest side that leaves at most 1024 squares. The
   projection's cost grows with the number of squares. No measurement of other limits is
   recorded. */
RISEI_FN void risei_fill_embedding_pool(rise_agent_desc *d)
{
    int *const pool = &d->embedding_pool;
    if (*pool != 0) return;
    for (*pool = 1; *pool < 64; ++*pool)
        if (risei_ceil_div(d->frame_width, *pool) * risei_ceil_div(d->frame_height, *pool) <= 1024)
            break;
}
/* Replaces each field that is 0 by its default. Also changes fields that are not 0, in four cases:
   - An agent without a recurrent net has neither windows nor recurrent states, so window_samples
     and window_stride become 1 and stored_state 0.
   - A network other than CUSTOM sets conv_count and its layers in conv[].
   - A negative `background` becomes 0.
   - DOWNSAMPLE lowers embedding_size to the size of its grid. */
RISEI_FN void risei_fill(rise_agent_desc *d)
{
    const risei_memory_kind *memory = &risei_memory_kinds[d->memory];
    int const large_frame = d->frame_width > 32 || d->frame_height > 32;
    int processes_known; /* 0: risei_check_processes will refuse the number */
    if (!memory->recurrent) d->window_samples = d->window_stride = 1, d->stored_state = 0;
    risei_default(&d->frame_channels, 1);
    if (d->cell == RISE_CELL_AUTO) d->cell = RISE_CELL_GRU;
    if (d->embedding == RISE_EMBED_AUTO) d->embedding = RISE_EMBED_DOWNSAMPLE;
    risei_default(&d->threads, 1);
    risei_default_real(&d->context_scale, d->raw_frames ? memory->context_scale[large_frame] : 1);
    risei_default_real(&d->context_decay, d->memory == RISE_MEMORY_RISE ? 1e-4 : 0);
    risei_default(&d->embedding_size, risei_embedder_default_size(d));
    risei_fill_network(d);
    risei_fill_table(d);
    if (d->background < 0) d->background = 0;
    risei_fill_batch_parts(d);
    risei_default(&d->processes, 1);
    processes_known = d->processes > 0 && d->processes <= RISEI_PROCESSES_MAX;
    risei_default_real(&d->adam_epsilon,
                       0.005 / ((double)d->batch * (processes_known ? d->processes : 1)));
    /* 0 is a valid value_min below a positive value_max, and a valid value_max above a negative
       value_min. In all other cases 0 means not set. */
    if (!(d->value_min < 0) && !(d->value_max > 0)) {
        risei_default_real(&d->value_min, -10);
        risei_default_real(&d->value_max, 10);
    }
    risei_fill_embedding_pool(d);
    risei_default(&d->number_features, d->frame_width > 0 ? 64 : 128);
    d->embedding_size = risei_embedder_final_size(d);
}

#else
/* Completes a description that was read from a file. Sets threads to 1. Sets play_only to 1,
   because files store play_only = 0. Sets five fields of learning to 1, the value with which arrays
   are smallest: this build reads none of the five from a file. Sets players to 1 if it is 0. */
RISEI_FN void risei_fill(rise_agent_desc *d)
{
    d->play_only = d->threads = d->environments = 1;
    d->window_samples = d->n_step = d->batch = d->batch_parts = 1;
    if (d->players == 0) d->players = 1;
}
#endif /* RISE_PLAY_ONLY */

/* -- Checks -- */

/* Checks that a field is within its range. With `may_be_unset`, 0 is valid, too. */
RISEI_FN rise_result risei_check_range(const risei_field *field, const void *object,
                                       const char *prefix, int may_be_unset, rise_error *error)
{
    risei_value const value = risei_field_get(field, object);
    risei_value const high = field->word_of != NULL
                                 ? (risei_value)(risei_words_count(field->word_of) - 1)
                                 : field->high;
    if (value >= field->low && value <= high) return RISE_OK;
    if (may_be_unset && risei_is_zero(value)) return RISE_OK;
    return risei_fail(error, RISE_BAD_DESC, "%s%s is %g; it must be between %g and %g", prefix,
                      field->name, value, field->low, high);
}
RISEI_FN rise_result risei_check_ranges(const rise_agent_desc *d, int may_be_unset,
                                        rise_error *error)
{
    int i;
    for (i = 0; i < RISEI_FIELDS; i++)
        if (risei_check_range(&risei_fields[i], d, "", may_be_unset && i >= RISEI_FIELDS_REQUIRED,
                              error) != RISE_OK)
            return RISE_BAD_DESC;
    return RISE_OK;
}
#ifdef RISE_PLAY_ONLY
/* Checks that features, pool_to and embedding are not 0. Their ranges include 0, but a resolved
   description has other values. */
RISEI_FN rise_result risei_check_filled(const rise_agent_desc *d, rise_error *error)
{
    if (d->features != 0 && d->pool_to != 0 && d->embedding != RISE_EMBED_AUTO) return RISE_OK;
    return risei_fail(error, RISE_BAD_DESC, "the description is not resolved");
}
#endif
/* Checks conv layer l. On entry *height, *width and *channels are the sizes of the layer's input;
   on success, of its output. */
RISEI_FN rise_result risei_check_conv_layer(const rise_conv *c, int l, int *height, int *width,
                                            int *channels, rise_error *error)
{
    int padded_height, padded_width;
    risei_parameters p;
    risei_conv made;
    char prefix[9];
    int i;
    risei_conv_prefix(l, prefix);
    for (i = 0; i < RISEI_CONV_FIELDS; i++)
        if (risei_check_range(&risei_conv_fields[i], c, prefix, 0, error) != RISE_OK)
            return RISE_BAD_DESC;
    padded_height = *height + 2 * c->pad, padded_width = *width + 2 * c->pad;
    if (c->size > padded_height || c->size > padded_width)
        return risei_fail(
            error, RISE_BAD_DESC,
            "conv[%d].size is %d, but its padded input has only %d x %d pixels; make it smaller or "
            "pad more",
            l, c->size, padded_width, padded_height);
    if (c->pool > 0 && c->pool_pad >= c->pool)
        return risei_fail(error, RISE_BAD_DESC,
                          "conv[%d].pool_pad is %d; it must be less than pool, %d", l, c->pool_pad,
                          c->pool);
    memset(&p, 0, sizeof p);
    made = risei_conv_make(&p, c, *height, *width, *channels);
    if (c->pool > made.out_height + 2 * c->pool_pad || c->pool > made.out_width + 2 * c->pool_pad)
        return risei_fail(error, RISE_BAD_DESC,
                          "conv[%d].pool is %d, but there are only %d x %d pixels to pool", l,
                          c->pool, made.out_width, made.out_height);
    *height = made.pooled_height, *width = made.pooled_width, *channels = made.filters;
    return RISE_OK;
}
/* Checks that the agent has frames, numbers or both. With frames, CUSTOM must have conv layers, and
   risei_fill adds those of other networks later. In a build with RISE_PLAY_ONLY, risei_fill adds
   none, so a forged file without conv layers is refused for every network. Without frames, there
   must be no conv layers, and the network must be AUTO or SMALL. */
RISEI_FN rise_result risei_check_frame(const rise_agent_desc *d, rise_error *error)
{
    int const frames = d->frame_width > 0 && d->frame_height > 0;
    int const none = d->frame_width == 0 && d->frame_height == 0 && d->numbers > 0;
    if (!frames && !none)
        return risei_fail(error, RISE_BAD_DESC,
                          "%s is 0; it must be between 1 and 1024, or set `numbers` and no frame",
                          d->frame_width == 0 ? "frame_width" : "frame_height");
    if (frames && d->conv_count == 0 && (!RISEI_LEARNS || d->network == RISE_NETWORK_CUSTOM))
        return risei_fail(error, RISE_BAD_DESC,
                          "conv_count is 0; it must be between 1 and %d for the network custom",
                          RISE_MAX_CONV);
    if (none && (d->network > RISE_NETWORK_SMALL || d->conv_count > 0))
        return risei_fail(error, RISE_BAD_DESC,
                          "frame_width is 0, so there can be no conv layers; leave network and "
                          "conv_count 0");
    return RISE_OK;
}
RISEI_FN rise_result risei_check_convs(const rise_agent_desc *d, rise_error *error)
{
    int height = d->frame_height, width = d->frame_width;
    int channels = d->frame_channels * d->frame_stack, l;
    if (width == 0) return RISE_OK;
    for (l = 0; l < d->conv_count; l++)
        if (risei_check_conv_layer(&d->conv[l], l, &height, &width, &channels, error) != RISE_OK)
            return RISE_BAD_DESC;
    if (d->pool_to > height || d->pool_to > width)
        return risei_fail(
            error, RISE_BAD_DESC,
            "pool_to is %d, but the last conv layer leaves %d x %d pixels; make it smaller",
            d->pool_to, width, height);
    if (d->pool_to > 0) height = width = d->pool_to;
    /* 2^22 numbers, for one image: 16 MB as floats. No measurement of other limits is recorded */
    if ((int64_t)height * width * channels > 1 << 22)
        return risei_fail(
            error, RISE_BAD_DESC,
            "the last conv layer leaves %d x %d x %d numbers; use larger strides or a pool", width,
            height, channels);
    return RISE_OK;
}
/* With weight_bits 8, checks that no layer has too many inputs: risei_int8_limit must be at least
   RISEI_INT8_LEAST. */
RISEI_FN rise_result risei_check_int8(const risei_net *n, const rise_agent_desc *d,
                                      rise_error *error)
{
    risei_layer layer;
    int i;
    for (i = 0; d->weight_bits == 8 && risei_net_layer(n, i, &layer); i++) {
        int const inputs = layer.runs * risei_int8_even(layer.run);
        if (risei_int8_limit(inputs) < RISEI_INT8_LEAST)
            return risei_fail(error, RISE_BAD_DESC,
                              "weight_bits is 8, and a layer has %d inputs; it can have %d", inputs,
                              INT32_MAX / 128 / RISEI_INT8_LEAST);
    }
    return RISE_OK;
}
/* Checks that every array of the network's pass has at most INT_MAX - 4096 elements or, with
   RISEI_FLOATS, INT_MAX / 2. Sizes of products and loops are of type int, and loops round a size up
   by at most 4096. Arrays of the replay buffer and of parameters may be larger. If all arrays fit,
   checks the sums of layers with 8-bit weights. */
RISEI_FN rise_result risei_check_size(const rise_agent_desc *d, rise_error *error)
{
    int const learn = d->play_only ? 0 : risei_pass_batch(d);
    risei_pass_size const size = risei_pass_size_of(d, risei_pass_lanes(d), learn);
    /* a float's mantissa has 24 bits, so the smaller limit leaves room for rounding errors */
    int const most = RISEI_FLOATS ? INT_MAX / 2 : INT_MAX - 4096;
    risei_value const limit = (risei_value)most;
    risei_value largest;
    risei_net net;
    const char *field = "the sizes of the network";
    risei_net_make(&net, d);
    largest = risei_pass_largest_array(&net, &size);
    if (largest <= limit) return risei_check_int8(&net, d, error);
    if (RISEI_LEARNS && !d->play_only) {
        int const learned = net.memory->encodes_window ? size.steps * size.windows : 2 * size.learn;
        const char *const lanes = d->players > d->environments ? "players" : "environments";
        field = size.images > learned ? lanes : "batch";
    }
    return risei_fail(error, RISE_BAD_DESC,
                      "an array of the network would have %.0f numbers, and the limit is %d; lower "
                      "%s",
                      largest, most, field);
}
RISEI_FN rise_result risei_check_windows(const rise_agent_desc *d, rise_error *error)
{
    if (d->burn_in >= d->window)
        return risei_fail(error, RISE_BAD_DESC, "burn_in is %d; it must be less than window, %d",
                          d->burn_in, d->window);
    if (d->stored_state && !d->carry_state)
        return risei_fail(error, RISE_BAD_DESC,
                          "stored_state is 1; set carry_state, too: the carried state is stored");
    if (d->window_stride > d->window_samples)
        return risei_fail(
            error, RISE_BAD_DESC,
            "window_stride is %d; more than window_samples, %d, leaves transitions out",
            d->window_stride, d->window_samples);
    if (d->batch % d->window_samples != 0)
        return risei_fail(error, RISE_BAD_DESC, "window_samples is %d; it must divide batch, %d",
                          d->window_samples, d->batch);
    if ((int64_t)d->batch % ((int64_t)d->batch_parts * d->window_samples) != 0)
        return risei_fail(error, RISE_BAD_DESC,
                          "batch_parts is %d; batch_parts * window_samples must divide batch, %d",
                          d->batch_parts, d->batch);
    return RISE_OK;
}
/* Checks weight_bits. Only policies have 8-bit weights: those of RISE_SAVE_INT8, and those of
   RISE_SAVE_POLICY if the agent's weights have 8 bits. Such a policy has neither noise nor spectral
   normalisation: see risei_file_int8_desc. */
RISEI_FN rise_result risei_check_weight_bits(const rise_agent_desc *d, rise_error *error)
{
    if (d->weight_bits == 32) return RISE_OK;
    if (d->weight_bits != 8)
        return risei_fail(error, RISE_BAD_DESC, "weight_bits is %d; it must be 8 or 32",
                          d->weight_bits);
    if (sizeof(rise_real) != 4)
        return risei_fail(error, RISE_UNAVAILABLE, "weight_bits is 8, and RISE_DOUBLE is defined");
    if (!d->play_only || d->noisy || d->spectral_norm)
        return risei_fail(error, RISE_BAD_DESC,
                          "weight_bits is 8; play_only must be 1, noisy and spectral_norm 0");
    return RISE_OK;
}
RISEI_FN rise_result risei_check_head(const rise_agent_desc *d, rise_error *error)
{
#ifdef RISE_NO_RAINBOW
    if (d->head != RISE_HEAD_MEAN || d->noisy || d->spectral_norm)
        return risei_fail(error, RISE_UNAVAILABLE,
                          "%s is set, which RISE_NO_RAINBOW leaves out; compile without it",
                          d->noisy           ? "noisy"
                          : d->spectral_norm ? "spectral_norm"
                                             : risei_head_kinds[d->head].name);
#endif
    if (!((risei_value)d->value_min < (risei_value)d->value_max))
        return risei_fail(error, RISE_BAD_DESC,
                          "value_min is %g; it must be less than value_max, %g", d->value_min,
                          d->value_max);
#ifndef RISE_PLAY_ONLY
    if (!risei_head_kinds[d->head].values &&
        !((d->value_max - d->value_min) / (d->atoms - 1) >= (double)FLT_MIN))
        return risei_fail(error, RISE_BAD_DESC,
                          "value_max - value_min is %g, too small for %d atoms; raise value_max",
                          d->value_max - d->value_min, d->atoms);
    if (!risei_head_kinds[d->head].values && (d->munchausen || d->value_rescale))
        return risei_fail(error, RISE_BAD_DESC,
                          "%s is 1, which the head %s cannot use; take mean or iqn",
                          d->munchausen ? "munchausen" : "value_rescale",
                          risei_head_kinds[d->head].name);
    if (d->munchausen && d->value_rescale)
        return risei_fail(error, RISE_BAD_DESC,
                          "munchausen and value_rescale are both 1; choose one");
#endif
    return RISE_OK;
}
RISEI_FN rise_result risei_check_replay(const rise_agent_desc *d, rise_error *error)
{
    /* At least one transition must be enabled. In each window_stride consecutive steps of an
       episode, one transition can be drawn. No transition starts at the last frame of an episode,
       so one more slot is needed. */
    int const least = risei_replay_reach(d) + d->n_step + d->window_stride + 1;
    int const lane = d->replay_capacity / d->environments;
    if (d->demonstrators > d->environments)
        return risei_fail(error, RISE_BAD_DESC,
                          "demonstrators is %d; they are the last of the environments, so raise "
                          "environments, %d",
                          d->demonstrators, d->environments);
    if (lane < least)
        return risei_fail(error, RISE_BAD_DESC,
                          "replay_capacity is %d, or %d for each environment; window, "
                          "window_samples, window_stride, frame_stack and n_step need at least %d "
                          "for each",
                          d->replay_capacity, lane, least);
    if (d->learn_start < d->batch || d->learn_start > d->replay_capacity)
        return risei_fail(
            error, RISE_BAD_DESC,
            "learn_start is %d; it must be between batch, %d, and replay_capacity, %d",
            d->learn_start, d->batch, d->replay_capacity);
    return RISE_OK;
}
RISEI_FN rise_result risei_check_processes(const rise_agent_desc *d, rise_error *error)
{
    /* All processes must have a transition to draw when learning starts. */
    int64_t const least = (int64_t)d->environments * (d->n_step + d->window_stride);
    if (d->processes < 1 || d->processes > RISEI_PROCESSES_MAX)
        return risei_fail(error, RISE_BAD_DESC, "processes is %d; it must be between 1 and %d",
                          d->processes, RISEI_PROCESSES_MAX);
    if (d->process < 0 || d->process >= d->processes)
        return risei_fail(error, RISE_BAD_DESC,
                          "process is %d; it must be between 0 and processes - 1, %d", d->process,
                          d->processes - 1);
    if (d->processes == 1 || d->play_only) return RISE_OK;
    if (d->reduce_fn == NULL)
        return risei_fail(error, RISE_BAD_DESC, "processes is %d; set reduce_fn, too",
                          d->processes);
    if (d->learn_start < least)
        return risei_fail(error, RISE_BAD_DESC,
                          "learn_start is %d; several processes need at least environments * "
                          "(n_step + window_stride), %.0f",
                          d->learn_start, (double)least);
    return RISE_OK;
}
/* Fills in and checks a description. On failure *desc may be half filled. */
RISEI_FN rise_result risei_resolve(rise_agent_desc *desc, rise_error *error)
{
    rise_result result;
    /* Checks the given fields before risei_fill computes with them. Then checks all fields. */
    if (risei_check_ranges(desc, 1, error) != RISE_OK) return RISE_BAD_DESC;
    if (risei_check_frame(desc, error) != RISE_OK) return RISE_BAD_DESC;
    risei_fill(desc);
    if (risei_check_ranges(desc, 0, error) != RISE_OK) return RISE_BAD_DESC;
#ifdef RISE_PLAY_ONLY
    if (risei_check_filled(desc, error) != RISE_OK) return RISE_BAD_DESC;
#endif
    if (risei_check_convs(desc, error) != RISE_OK) return RISE_BAD_DESC;
    result = risei_check_weight_bits(desc, error);
    if (result != RISE_OK) return result;
    if (desc->threads < 1 || desc->threads > RISEI_THREADS_MAX)
        return risei_fail(error, RISE_BAD_DESC, "threads is %d; it must be between 1 and %d",
                          desc->threads, RISEI_THREADS_MAX);
    if (risei_check_size(desc, error) != RISE_OK) return RISE_BAD_DESC;
    if (risei_net_embeds(desc)) result = risei_embedder_check(desc, error);
    if (result == RISE_OK) result = risei_check_head(desc, error);
#ifdef RISE_PLAY_ONLY
    return result;
}
#else
    if (result != RISE_OK) return result;
    if (risei_check_windows(desc, error) != RISE_OK) return RISE_BAD_DESC;
    if (risei_check_processes(desc, error) != RISE_OK) return RISE_BAD_DESC;
    if (desc->weights != NULL && !desc->play_only)
        return risei_fail(error, RISE_BAD_DESC,
                          "weights is not NULL; only a play_only agent reads weights in place");
    return desc->play_only ? RISE_OK : risei_check_replay(desc, error);
}
RISE_API rise_result rise_agent_resolve(rise_agent_desc *desc, rise_error *error)
{
    rise_agent_desc resolved;
    rise_result result;
    if (desc == NULL) return risei_fail(error, RISE_BAD_CALL, "desc is NULL");
    resolved = *desc;
    result = risei_resolve(&resolved, error);
    if (result == RISE_OK) *desc = resolved;
    return result;
}
#endif

/* ---------------------------------------------------------------------------------------------- */
/* >>model: the network, ready to run

   Holds what acting, playing and learning share: the weights, the frozen encoder, and one pass
   of the network. Main type: risei_model. Uses statistics, frames, layers, recurrent, heads,
   network, replay, frozen, embedder. Test: tests/agent.c. */

/* Measurements of an update. */
typedef struct risei_update_metrics {
    double loss, mean_value, td_error, gradient_norm;
    double time; /* moving average, in microseconds; not saved */
} risei_update_metrics;

/* The purpose of a forward pass. The purpose decides which weights, noise and fractions of IQN are
   used. The order matters: the values from RISEI_USE_TARGET on belong to an update. */
typedef enum risei_use {
    RISEI_USE_PLAY,
    RISEI_USE_ACT,
    RISEI_USE_TARGET,
    RISEI_USE_LEARN,
    RISEI_USES
} risei_use;

/* The numbers of the random streams, one for each purpose. */
enum {
    RISEI_RANDOM_WEIGHTS = 1,
    RISEI_RANDOM_EMBEDDER,
    RISEI_RANDOM_EXPLORE,
    RISEI_RANDOM_SAMPLE,
    /* The noise of networks and the fractions of IQN use this number and larger ones, below 2^48.
       These streams follow from the seed and the number of updates, so they are not saved. See
       risei_model_random. */
    RISEI_RANDOM_UPDATE
};
/* The stream numbers of process p: EXPLORE_OF for its exploration, PLAY_OF for that of its players.
   All these numbers differ, also between processes. With p > 0, all are above 2^48. The streams of
   the first 2^44 updates have smaller numbers (RISEI_RANDOM_UPDATE).

   `+ p` makes the low 48 bits of the numbers differ. The low bits of a generator's state depend
   only on the low bits of the state before. Without `+ p`, the low bits would be equal in all
   processes for ever, and two processes would too often explore in the same steps. */
#define RISEI_RANDOM_EXPLORE_OF(p) (RISEI_RANDOM_EXPLORE + ((uint64_t)(p) << 48) + (uint64_t)(p))
#define RISEI_RANDOM_PLAY_OF(p) (~(uint64_t)(p))

typedef struct risei_model {
    const rise_agent_desc *desc; /* the agent's resolved description */
    risei_device device;
    risei_net net;
    risei_frames *frame_statistics;      /* the agent's, see rise_agent */
    risei_statistics *number_statistics; /* the agent's */
    risei_embedder *embedder;            /* the agent's */
    rise_real *weights; /* [net.weights_size] of the online network */
    rise_real *target;  /* [net.weights_size] of the target network: see target_period */
    int64_t updates;    /* number of updates that made `weights` */
    risei_update_metrics metrics; /* of the last update */
    /* Used if risei_net_derives. derived [net.weights_size]: the weights with noise and with
       spectral normalisation. noise: the numbers drawn last (RISEI_USE_PLAY draws none). spectral:
       the array `s` of the last risei_spectral_apply; the backward pass overwrites the vectors v of
       this array. derived_for: the update and use that `derived` is valid for; 0: none. */
    rise_real *derived, *noise, *spectral;
    uint64_t derived_for;
    int part;               /* of the batch, counted over all processes; see risei_learner_part */
    risei_pass pass;        /* arrays of the current forward pass */
    /* [part of the batch or lanes, the larger]: for each window row, the first step that is not
       padding. pass.sequence.start points to this array, except in a pass over next states (see
       risei_batch.next_start). */
    int *start;
    int *lane;              /* [lanes]: the lanes that act in the pass, see risei_acting */
    /* [images][frame_stack]: the conv net's input, pointers into a history or, for an update with
       `background`, into risei_learner.copies. If the first pointer of a stack is NULL, the image
       is zero: a padding step of FULL. */
    const uint8_t **frames;
    /* [images][frame_stack][numbers], raw until learning starts, then standardised: input of the
       learnable encoder */
    rise_real *numbers;
    /* [environments or players, the larger][embedding_size]; one row if the model only learns. Row
       i is the embedding of the newest frame of environment i or player i. A row is valid only
       until risei_actor_observe or risei_players_play has stored the embedding. At other times, the
       learner, publishing and loading use the first row as a buffer. */
    rise_real *embeddings;
} risei_model;

/* Returns the learnable encoder's input: the images of the pass from index `from` on. */
RISEI_FN risei_encoder_input risei_model_input(const risei_model *m, int from)
{
    risei_encoder_input input;
    input.images = NULL;
    input.stack = m->desc->frame_stack;
    input.scale = &m->frame_statistics->scale;
    input.frames = m->frames + (ptrdiff_t)from * input.stack;
    input.numbers = m->numbers + (ptrdiff_t)from * m->net.encoder.numbers.in;
    return input;
}
/* Takes the scratch of each thread. A play_only agent may run on a small machine, so its scratch
   for products is limited to an eighth of the weights' bytes. The limit is at least
   RISEI_PRODUCT_SCRATCH_LEAST bytes, which products with tiles need. With RISEI_PLAIN, products are
   plain loops and have no such minimum. With 8-bit weights there is no limit. With 8 players and
   frames of 8 x 8, the limit reduces this scratch from 71 kB to 12 kB. An action then takes 1.1
   times as long. The command of this measurement is not recorded. */
RISEI_FN void risei_model_layout_device(risei_arena *arena, risei_model *m,
                                        const risei_pass_size *s, int threads)
{
    risei_device *d = &m->device;
    const risei_frozen *encoder = &m->embedder->encoder;
    size_t const chunk = risei_encoder_chunk_bytes(&m->net.encoder, s->images);
    size_t const limit = risei_larger(m->net.weights_size * sizeof *m->weights / 8,
                                      RISEI_PLAIN ? 0 : RISEI_PRODUCT_SCRATCH_LEAST);
    d->product_bytes = risei_larger(risei_pass_bytes(&m->net, s), encoder->product_bytes);
    if (m->desc->play_only && m->desc->weight_bits != 8 && d->product_bytes > limit)
        d->product_bytes = risei_arena_aligned(limit);
    d->scratch_bytes = d->product_bytes + risei_larger(chunk, encoder->chunk_bytes);
    d->scratch = risei_arena_take(arena, d->scratch_bytes, (size_t)threads);
#ifdef RISE_THREADS
    d->threads = threads > 1 ? RISEI_TAKE(arena, risei_threads, 1) : NULL;
#endif
}
/* Takes the arrays of a model in which `lanes` lanes act, and which learns from `learn`
   transitions, with `threads` threads. lanes = 0: the model only learns. learn = 0: the model only
   acts. */
RISEI_FN void risei_model_layout(risei_arena *arena, risei_model *m, int lanes, int learn,
                                 int threads)
{
    const rise_agent_desc *d = m->desc;
    const risei_net *n = &m->net;
    risei_pass_size const s = risei_pass_size_of(d, lanes, learn);
    int const environments = risei_pass_environments(d);
    int const most = d->players > environments ? d->players : environments;
    size_t const embeddings = lanes > 0 ? (size_t)most : 1;
    if (d->weights != NULL)
        m->weights = (rise_real *)(uintptr_t)d->weights; /* play_only: never written */
    else
        m->weights = RISEI_TAKE(arena, rise_real, n->weights_size);
    m->target = RISEI_TAKE(arena, rise_real, s.learn > 0 ? n->weights_size : 0);
    m->derived = RISEI_TAKE(arena, rise_real, risei_net_derives(n) ? n->weights_size : 0);
    m->noise = RISEI_TAKE(arena, rise_real, risei_noise_size(&n->heads));
    m->spectral = RISEI_TAKE(arena, rise_real, risei_spectral_size(n));
    risei_model_layout_device(arena, m, &s, threads);
    risei_pass_layout(arena, n, &m->pass, &s);
    m->lane = RISEI_TAKE(arena, int, lanes);
    m->start = RISEI_TAKE(arena, int, learn > lanes ? learn : lanes);
    m->frames = RISEI_TAKE(arena, const uint8_t *,
                           risei_arena_times((size_t)s.images, (size_t)d->frame_stack));
    m->numbers = RISEI_TAKE(arena, rise_real,
                            risei_arena_times((size_t)s.images, (size_t)n->encoder.numbers.in));
    m->embeddings =
        RISEI_TAKE(arena, rise_real,
                   risei_arena_times(embeddings, (size_t)m->embedder->encoder.size));
}
/* Draws the weights of a new agent, and initialises the frozen encoder. */
RISEI_FN rise_result risei_model_initialise(risei_model *m, rise_error *error)
{
    const rise_agent_desc *d = m->desc;
    risei_random random = risei_random_stream(d->seed, RISEI_RANDOM_WEIGHTS);
    /* Draws no weights if the caller passes them, or if they can only come from a file. */
    if (RISEI_LEARNS && d->weights == NULL && d->weight_bits != 8)
        risei_net_initialise(&m->net, m->weights, d, &random);
    return risei_embedder_initialise(m->embedder,
                                     risei_random_stream(d->seed, RISEI_RANDOM_EMBEDDER), d, error);
}

/* Returns the random stream of one use after the current number of updates. `fractions`: 0 for
   noise, 1 for the fractions of IQN. */
RISEI_FN risei_random risei_model_random(const risei_model *m, risei_use use, int fractions)
{
    uint64_t const number = (uint64_t)m->updates * 2 + (uint64_t)fractions;
    return risei_random_stream(m->desc->seed,
                               RISEI_RANDOM_UPDATE + number * RISEI_USES + (uint64_t)use);
}
/* Returns the weights to run on. Each use has its own noise, drawn anew after each update;
   RISEI_USE_PLAY has no noise. All uses share m->derived, so the next call may overwrite the
   result. */
RISEI_FN const rise_real *risei_model_weights(risei_model *m, risei_use use)
{
    const rise_real *w = use == RISEI_USE_TARGET ? m->target : m->weights;
    uint64_t const key = ((uint64_t)m->updates + 1) * RISEI_USES + (uint64_t)use;
    if (!risei_net_derives(&m->net)) return w;
    /* An update derives its weights at every call, because m->weights may have changed since
       `derived` was made. */
    if (m->derived_for != key || use >= RISEI_USE_TARGET) {
        int const noisy = m->net.heads.noisy && use != RISEI_USE_PLAY;
        risei_random random = risei_model_random(m, use, 0);
        if (noisy) risei_noise_draw(&m->net.heads, m->noise, &random);
        risei_net_derive(&m->device, &m->net, w, noisy ? m->noise : NULL, m->spectral, m->derived);
        m->derived_for = key;
    }
    return m->derived;
}
/* Sets tau [rows][taus], the fractions at which IQN computes quantiles. The fractions are random
   for targets and learning, and evenly spaced for acting and playing. Each part of a batch has its
   own random fractions. */
RISEI_FN void risei_model_set_fractions(risei_model *m, risei_use use, int rows)
{
    const risei_heads *h = &m->net.heads;
    risei_random random = risei_model_random(m, use, 1);
    rise_real const taus = (rise_real)h->taus;
    int i;
    if (!risei_heads_quantiles(h)) return;
    if (use >= RISEI_USE_TARGET) risei_random_skip(&random, (int64_t)m->part * rows * h->taus);
    for (i = 0; i < rows * h->taus; i++)
        m->pass.heads.tau[i] = use >= RISEI_USE_TARGET
                                   ? risei_random_uniform(&random)
                                   : ((rise_real)(i % h->taus) + (rise_real)0.5) / taus;
}
/* Fills in image `image` of the learnable encoder's input: the stack of frames and of numbers up to
   slot `at`. */
RISEI_FN void risei_model_gather_image(risei_model *m, const risei_history *h, int lane, int64_t at,
                                       ptrdiff_t image)
{
    int const stack = m->desc->frame_stack;
    risei_history_stack(h, lane, at, stack, m->frames + image * stack);
    risei_history_stack_numbers(h, m->number_statistics, lane, at, stack,
                                m->numbers + image * m->net.encoder.numbers.in);
}
/* Fills window row `row` of the pass's sequence. risei_sequence_plan must have run. Step j of the
   window is slot at - before + j. Steps before the episode's first frame, or more than `after`
   slots after `at`, are padding. With FULL, also fills in the image of each step. */
RISEI_FN void risei_model_gather_window(risei_model *m, const risei_history *h, int lane,
                                        int64_t at, int before, int after, int row)
{
    const risei_sequence *s = &m->pass.sequence;
    const risei_net *n = &m->net;
    int const encodes_window = n->memory->encodes_window;
    int const start = risei_history_window_start(h, lane, at, before);
    int j;
    for (j = 0; j < s->steps; j++) {
        ptrdiff_t const entry = s->begin[j] + row;
        rise_real *x = s->x + entry * n->cell.in;
        if (row >= risei_sequence_active(s, j)) continue;
        if (j < start || j > before + after) {
            risei_zero(x, n->cell.in);
            if (!encodes_window) continue;
            m->frames[entry * m->desc->frame_stack] = NULL; /* the image is zero */
            risei_zero(m->numbers + entry * n->encoder.numbers.in, n->encoder.numbers.in);
            continue;
        }
        if (encodes_window) { /* x begins with the features; risei_net_forward writes them */
            x += n->embedding;
            risei_model_gather_image(m, h, lane, at - before + j, entry);
        }
        risei_history_input(m->device.kernels, h, lane, at - before + j,
                            n->numbers > 0 ? m->number_statistics : NULL, n->extras, x);
    }
}

/* -- Acting: Q for the newest slot of each acting lane -- */

/* Recurrent states that lanes carry from step to step. */
typedef struct risei_states {
    rise_real *array[2]; /* h and c: [lanes][units]; see risei_cell_state_arrays */
} risei_states;

RISEI_FN void risei_states_layout(risei_arena *arena, risei_states *s, const risei_net *n,
                                  int lanes)
{
    size_t const numbers = risei_arena_times((size_t)lanes, (size_t)n->cell.units);
    s->array[0] = RISEI_TAKE(arena, rise_real, numbers);
    s->array[1] = RISEI_TAKE(arena, rise_real, numbers);
}
/* The lanes that act in one pass. Batch row r and window row r of the pass belong to lane[r]. */
typedef struct risei_acting {
    risei_history *history;
    const int *lane; /* [count] */
    int count;
    risei_states states; /* of all lanes; used with carry_state */
} risei_acting;

/* Fills in the inputs of the pass: windows and frame stacks. Sets feature_row and state_row of each
   acting lane: the indices of its features and of its recurrent state. */
RISEI_FN void risei_model_gather_acting(risei_model *m, const risei_acting *a, int steps)
{
    const risei_history *h = a->history;
    risei_sequence *s = &m->pass.sequence;
    int const recurrent = m->net.memory->recurrent;
    int const encodes_window = m->net.memory->encodes_window;
    int r;
    for (r = 0; r < a->count && recurrent; r++) {
        int const lane = a->lane[r];
        m->start[r] = risei_history_window_start(h, lane, h->written[lane] - 1, steps - 1);
    }
    s->steps = steps, s->rows = a->count;
    s->start = m->start;
    if (recurrent) risei_sequence_plan(s);
    for (r = 0; r < a->count; r++) {
        int const lane = a->lane[r];
        int64_t const at = h->written[lane] - 1;
        if (recurrent) risei_model_gather_window(m, h, lane, at, steps - 1, 0, r);
        if (!encodes_window) risei_model_gather_image(m, h, lane, at, r);
        m->pass.feature_row[r] = encodes_window ? s->begin[steps - 1] + r : r;
        m->pass.state_row[r] = recurrent ? s->begin[steps] + r : 0;
    }
}
/* Writes the recurrent states before step 0 of the windows. Without carry_state, and at an
   episode's first frame, a state is zero. Otherwise, the lane's carried state is used. If the
   history stores states (stored_state), also copies the state to the newest slot. */
RISEI_FN void risei_model_load_states(risei_model *m, const risei_acting *a)
{
    risei_history *h = a->history;
    const risei_cell *cell = &m->net.cell;
    size_t const bytes = (size_t)cell->units * sizeof(rise_real);
    int r, array;
    risei_sequence_zero_states(&m->pass.sequence, cell, 0, a->count);
    for (r = 0; r < a->count; r++) {
        ptrdiff_t const slot = risei_history_newest(h, a->lane[r]);
        ptrdiff_t const carried = (ptrdiff_t)a->lane[r] * cell->units;
        int const carries = m->desc->carry_state && h->episode_frame[slot] > 0;
        for (array = 0; array < risei_cell_state_arrays(cell->kind); array++) {
            rise_real *state = risei_sequence_state(&m->pass.sequence, cell, array, 0, r);
            if (carries) memcpy(state, a->states.array[array] + carried, bytes);
            if (h->state_size > 0)
                risei_history_store_state(h, slot, array * cell->units, cell->units, state);
        }
    }
}
/* Copies the states after the window's last step to a->states. Acting starts from these states at
   the next environment step. */
RISEI_FN void risei_model_store_states(const risei_model *m, const risei_acting *a)
{
    const risei_sequence *s = &m->pass.sequence;
    const risei_cell *cell = &m->net.cell;
    size_t const bytes = (size_t)cell->units * sizeof(rise_real);
    int array, r, i;
    for (array = 0; array < risei_cell_state_arrays(cell->kind); array++)
        for (r = 0; r < a->count; r++) {
            rise_real *const to = a->states.array[array] + (ptrdiff_t)a->lane[r] * cell->units;
            memcpy(to, risei_sequence_state(s, cell, array, s->steps, r), bytes);
            /* A NaN or infinite weight makes a state NaN. Zeros in its place end this when the
               caller has made all weights finite. */
            for (i = 0; RISEI_LEARNS && i < cell->units; i++)
                if (!(to[i] - to[i] == 0)) to[i] = 0;
        }
}
/* Computes Q of the newest slot of each acting lane into pass.heads.q [count][actions]. Updates the
   carried states. */
RISEI_FN void risei_model_act(risei_model *m, risei_use use, const risei_acting *a)
{
    int const steps = risei_pass_act_steps(m->desc);
    int const encodes_window = m->net.memory->encodes_window;
    risei_encoder_input const input = risei_model_input(m, 0);
    risei_model_gather_acting(m, a, steps);
    if (m->net.memory->recurrent) risei_model_load_states(m, a);
    risei_model_set_fractions(m, use, a->count);
    risei_net_forward(&m->device, &m->net, risei_model_weights(m, use), a->count,
                      encodes_window ? m->pass.sequence.begin[steps] : a->count, &input, &m->pass);
    if (m->net.memory->recurrent && m->desc->carry_state) risei_model_store_states(m, a);
}

#ifndef RISE_PLAY_ONLY
/* Returns `start` up to step learn_start, and `end` from step learn_start + steps on. In between,
   interpolates linearly. `now`: environment steps so far. */
RISEI_FN double risei_model_schedule(const rise_agent_desc *d, int64_t now, double start,
                                     double end, int steps)
{
    double const share = (double)(now - d->learn_start) / (double)steps;
    double const change = (end - start) * share;
    return share <= 0 ? start : share >= 1 ? end : start + change;
}

/* Returns the seconds since a fixed moment. Calls desc.clock_fn if it is set. Otherwise reads
   QueryPerformanceCounter on Windows. Elsewhere reads CLOCK_MONOTONIC, on Unix and macOS if
   <time.h> declares it, and on 64-bit Linux; else the time of day (C11); else the processor time of
   all threads. */
RISEI_FN double risei_model_clock(const rise_agent_desc *d)
{
    if (d->clock_fn != NULL) return d->clock_fn(d->clock_user);
#if defined(_WIN32)
    {
        typedef int(__stdcall * query)(int64_t *);
        int64_t ticks = 0, frequency = 1;
        ((query)risei_windows_find("QueryPerformanceCounter"))(&ticks);
        ((query)risei_windows_find("QueryPerformanceFrequency"))(&frequency);
        return (double)ticks / (double)frequency;
    }
#elif defined(CLOCK_MONOTONIC) && (defined(__unix__) || defined(__APPLE__))
    {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
#elif defined(RISEI_LINUX_CLOCK)
    {
        struct risei_linux_time t;
        risei_linux_clock(RISEI_LINUX_CLOCK, &t);
        return (double)t.seconds + 1e-9 * (double)t.nanoseconds;
    }
#elif defined(TIME_UTC)
    {
        struct timespec t;
        timespec_get(&t, TIME_UTC);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}
/* Adds `value` to an exponential moving average: the first value has weight 1, each later one
   weight 1/8. An average that is not above 0 has no value yet. Ignores values below 0, infinity and
   NaN, because a clock can go back, jump or fail. */
RISEI_FN void risei_model_average(double *average, double value)
{
    if (value >= 0 && value <= DBL_MAX) *average += (value - *average) / (*average > 0 ? 8 : 1);
}
/* Formats a line and passes it to desc->log_fn. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
RISEI_FN void risei_log(const rise_agent_desc *desc, const char *format, ...)
{
    char text[200];
    va_list arguments;
    if (desc->log_fn == NULL) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    desc->log_fn(desc->log_user, text);
}
#endif /* !RISE_PLAY_ONLY */

/* ---------------------------------------------------------------------------------------------- */
/* >>learner: draws a batch and carries out an update

   Holds the batch, its targets and losses, and the update of the online and the target network.
   Also takes snapshots of the encoder, and decides when an update is due.

   Main types: risei_batch, risei_learner. Uses statistics, frames, layers, recurrent, targets,
   heads, network, optimizer, replay, embedder, model. Tests: tests/targets.c, tests/agent.c,
   tests/snapshot.c. */

#ifndef RISE_PLAY_ONLY
/* One part of the batch of an update. This room often calls such a part the batch. Holds `size`
   transitions in `windows` windows, with `samples` samples each. Transition i is sample i / windows
   of window row i % windows. The samples are the last `samples` of the steps 0 .. before of a
   window. Up to n_step more steps lead to the next states. Steps before the episode's first frame
   are padding. Window rows are sorted: least padding first. */
typedef struct risei_batch {
    int size, samples, windows;
    int before;                   /* steps of a window before its last sample */
    risei_transition *transition; /* [size]; points into risei_learner.transitions */
    risei_transition *drawn;      /* [windows] each window's last sample, in the order drawn */
    int *start;                   /* [windows] first step that is not padding; in model.start */
    int *next_start;              /* [windows] first step in a pass over next states only */
    rise_real *importance;        /* [size]: importance weights */
    rise_real *td;                /* [size]; points into risei_learner.errors */
    uint8_t *masks; /* [2 size][mask_bytes] of the states, then of the next states */
    rise_real *work;              /* [size] scratch */
    /* Q of the target network. [size][actions]: of the next states. With Munchausen,
       [2 size][actions]: of the states, then of the next states. */
    rise_real *target_q;
    rise_real *target_z;            /* [size][taus][actions][atoms]: z of the next states */
    rise_real *target;              /* [taus or atoms] of one transition */
    rise_real *log_policy, *policy; /* [actions] */
} risei_batch;

/* Returns the window row of transition i. */
RISEI_FN int risei_batch_window_row(const risei_batch *b, int i) { return i % b->windows; }
/* Returns how many steps transition i lies before the last sample of its window. */
RISEI_FN int risei_batch_back(const risei_batch *b, int i)
{
    return b->samples - 1 - i / b->windows;
}
/* Returns the last sample of a window row. */
RISEI_FN risei_transition *risei_batch_last(const risei_batch *b, int row)
{
    return &b->transition[b->size - b->windows + row];
}
/* Returns how many steps of the window lead to the recurrent state of transition i or, with `next`,
   of its next state. A transition with before_episode = 1 counts as its window's last sample. */
RISEI_FN int risei_batch_steps(const risei_batch *b, int i, int next)
{
    const risei_transition *t = &b->transition[i];
    int const trained = b->before + 1, back = t->before_episode ? 0 : risei_batch_back(b, i);
    return trained - back + (next ? t->steps : 0);
}

typedef struct risei_learner {
    risei_model *model;
    risei_replay *replay;
    /* The players' frames. They are embedded again when the frozen encoder or the standardisation
       changes. */
    risei_history *players_history;
    /* A draw is the set of transitions of one part of a batch. updates_at_once: how many updates
       are drawn together at most; see risei_learner_updates_at_once. draws: updates_at_once *
       batch_parts. */
    int updates_at_once, draws;
    int draw;                      /* the draw that `batch` holds: see risei_learner_select */
    risei_transition *transitions; /* [draws][size] */
    rise_real *errors;             /* [draws][size] td errors */
    /* With background: copies of all slots that the draws read, because the game may overwrite the
       slots while the worker of room background computes. Lane draw * windows + row has the slots
       of one window. A copy has the same number `at` as its slot in the replay buffer. Without
       background: copies.lanes is 0. */
    risei_history copies;
    rise_real *gradient; /* [net.parameters + RISEI_REDUCED] */
    rise_real *added;    /* [net.parameters], with several parts: the gradient of one part */
    risei_optimizer optimizer;
    risei_batch batch;
    int part;                     /* number of computed parts of the update in progress */
    risei_update_metrics metrics; /* sums over the computed parts, / risei_learner_parts */
    /* 1: the update is discarded: a weight, loss, td error, Q or gradient is not finite, here or in
       another process */
    int discards;
    int reduce_failed;            /* what reduce_fn returned when it failed; 0: it did not fail */
    int start_logged;             /* 1: log_fn was told that learning starts */
    risei_random sample_random;   /* draws batches */
    /* Environment steps for which updates are owed, counted after learn_start (see
       risei_actor_seen). If there are at least learn_period, an update is due. An update that was
       due subtracts learn_period:
       - in calls that step, and with `background`: when the update begins, even if it then fails
       - in other calls: when the update has succeeded.
       rise_agent_learn subtracts only with learn_outside. risei_learner_drop_owed and
       risei_file_adapt also reduce this number. */
    int64_t owed_steps;
    int64_t snapshots;          /* begun so far */
    /* The environment steps of process 0 at the last update, also a discarded one; 0: there was
       none since the agent was made or loaded. Numbers of steps differ between processes, because
       last frames of episodes and absent environments are not counted. With several processes, the
       learning rate and the automatic snapshot depend on this number, so both are the same in all
       processes. Files do not hold this number. So with several processes, an automatic snapshot
       begins at the earliest after the first update that follows loading. */
    int64_t shared_steps;
    /* the number of the next frame that the snapshot in progress processes, plus 1; 0: no snapshot
       is in progress. With `background`, the end of the warm-up counts as a snapshot that begins
       with frame number RISEI_SAMPLE_FRAMES and does not switch the weights. */
    int64_t snapshot_next;
    /* Both in microseconds. budget: the time given to risei_learner_run_for, minus the counted time
       of the parts of updates. Negative: the parts took longer than the time given. At the end of a
       call, budget is at most part_time. part_time: moving average of the time of a part; 0: the
       clock has not moved during a part yet. See risei_learner_count_time. */
    double budget, part_time;
    double timed; /* how many parts part_time is the mean of; earlier ones count less */
    double grain; /* the smallest time that was measured and not taken as 0; 0: none */
    int untimed;  /* parts that took 0 since a part last took more; at most RISEI_UNTIMED_MAX */
} risei_learner;

/* The limit of risei_learner.untimed. A clock that counts in 1/64 s moves once in about 1000 parts
   of 16 microseconds. */
enum { RISEI_UNTIMED_MAX = 10000 };

/* How many numbers an update sums over all processes besides the gradient. They are the loss, the
   mean value, the td error, whether the update is discarded, and the environment steps of process
   0. The steps are two numbers, steps / 2^24 and steps % 2^24, because a float holds integers
   exactly only up to 2^24. */
enum { RISEI_REDUCED = 6 };

/* The most updates of a round that are drawn together. A round is the updates that become due in
   one call: see room background. Each update takes memory, for copies of the slots that the update
   reads. No measurement of other numbers is recorded. */
enum { RISEI_AT_ONCE_MAX = 16 };
/* Returns how many updates of a round are drawn together at most. Without background: 1. With
   background: the number that can become due in one call, but at most RISEI_AT_ONCE_MAX. */
RISEI_FN int risei_learner_updates_at_once(const rise_agent_desc *d)
{
    int const due = risei_ceil_div(d->environments, d->learn_period);
    return !d->background ? 1 : risei_minimum(due, RISEI_AT_ONCE_MAX);
}
/* Returns the number of part `part` of this process, counted over all processes. */
RISEI_FN int risei_learner_part(const rise_agent_desc *d, int part)
{
    return d->process * d->batch_parts + part;
}
/* Returns how many parts the batches of all processes have together. */
RISEI_FN int risei_learner_parts(const rise_agent_desc *d) { return d->processes * d->batch_parts; }
/* Makes `draw` the draw that l->batch holds. */
RISEI_FN void risei_learner_select(risei_learner *l, int draw)
{
    l->draw = draw;
    l->batch.transition = l->transitions + (ptrdiff_t)draw * l->batch.size;
    l->batch.td = l->errors + (ptrdiff_t)draw * l->batch.size;
}
RISEI_FN void risei_learner_layout(risei_arena *arena, risei_learner *l)
{
    const risei_net *n = &l->model->net;
    const rise_agent_desc *d = l->model->desc;
    risei_batch *b = &l->batch;
    size_t const size = (size_t)risei_pass_batch(d), actions = (size_t)d->actions;
    size_t const outputs = (size_t)(n->heads.taus * n->heads.atoms);
    l->gradient = RISEI_TAKE(arena, rise_real, n->parameters + RISEI_REDUCED);
    l->added = RISEI_TAKE(arena, rise_real, d->batch_parts > 1 ? n->parameters : 0);
    l->optimizer.m = RISEI_TAKE(arena, rise_real, n->parameters);
    l->optimizer.v = RISEI_TAKE(arena, rise_real, n->parameters);
    l->optimizer.per_block = RISEI_TAKE(arena, double, n->parameters / RISEI_OPTIMIZER_BLOCK + 1);
    b->size = risei_pass_batch(d), b->samples = d->window_samples;
    b->windows = b->size / b->samples;
    b->before = risei_pass_window_before(d);
    b->start = l->model->start;
    b->next_start = RISEI_TAKE(arena, int, b->windows);
    b->drawn = RISEI_TAKE(arena, risei_transition, b->windows);
    b->masks = RISEI_TAKE(arena, uint8_t, 2 * size * (size_t)l->replay->history.mask_bytes);
    b->importance = RISEI_TAKE(arena, rise_real, size);
    b->work = RISEI_TAKE(arena, rise_real, size);
    l->updates_at_once = risei_learner_updates_at_once(d);
    l->draws = l->updates_at_once * d->batch_parts;
    l->transitions = RISEI_TAKE(arena, risei_transition, (size_t)l->draws * size);
    l->errors = RISEI_TAKE(arena, rise_real, (size_t)l->draws * size);
    if (l->transitions != NULL) risei_learner_select(l, 0); /* NULL: the arena only counts */
    if (d->background) {
        l->copies = l->replay->history;
        l->copies.lanes = l->draws * b->windows;
        l->copies.capacity = risei_replay_reach(d) + 1 + d->n_step;
        risei_history_layout(arena, &l->copies);
    }
    b->target_q = RISEI_TAKE(arena, rise_real, 2 * size * actions);
    b->target_z = RISEI_TAKE(arena, rise_real, risei_arena_times(size * actions, outputs));
    b->target = RISEI_TAKE(arena, rise_real, outputs);
    b->log_policy = RISEI_TAKE(arena, rise_real, actions);
    b->policy = RISEI_TAKE(arena, rise_real, actions);
}
RISEI_FN void risei_learner_initialise(risei_learner *l)
{
    risei_model *m = l->model;
    memcpy(m->target, m->weights, m->net.weights_size * sizeof *m->weights);
    l->optimizer.power1 = l->optimizer.power2 = 1;
    l->sample_random = risei_random_stream(m->desc->seed, RISEI_RANDOM_SAMPLE);
}
RISEI_FN double risei_learner_rate(const rise_agent_desc *d, int64_t now)
{
    double const rate = d->learning_rate;
    return d->learning_rate_steps == 0
               ? rate
               : risei_model_schedule(d, now, rate, rate * 0.1, d->learning_rate_steps);
}

/* -- The frozen encoder while learning -- */

/* Returns whether the warm-up has ended. During the warm-up, the statistics of frames, numbers and
   embeddings are gathered. Returns 1 for an agent that has none of these statistics. */
RISEI_FN int risei_learner_warmed_up(const risei_model *m)
{
    return (!m->frame_statistics->standardises || m->frame_statistics->statistics_frozen) &&
           (m->desc->numbers == 0 || m->number_statistics->frozen) &&
           (!m->net.embeds || m->embedder->statistics.frozen);
}
/* Gives every process the x [count] of process 0. Process 0 copies x to l->gradient, the others
   write zeros there, and reduce_fn adds up. x may be l->gradient itself, and `count` is at most
   net.parameters. Call only if l->part is 0: between the parts of an update, l->gradient is in use.
   Sets l->reduce_failed to the result of reduce_fn. If reduce_fn fails, an x outside l->gradient
   keeps its values. Does nothing with one process, or if reduce_fn failed before. */
RISEI_FN void risei_learner_broadcast(risei_learner *l, rise_real *x, size_t count)
{
    const rise_agent_desc *d = l->model->desc;
    if (d->processes == 1 || l->reduce_failed != 0 || count == 0) return;
    if (d->process > 0)
        memset(l->gradient, 0, count * sizeof *x);
    else if (x != l->gradient)
        memcpy(l->gradient, x, count * sizeof *x);
    l->reduce_failed = d->reduce_fn(d->reduce_user, l->gradient, count);
    if (l->reduce_failed == 0 && x != l->gradient) memcpy(x, l->gradient, count * sizeof *x);
}
RISEI_FN void risei_learner_broadcast_statistics(risei_learner *l, risei_statistics *s)
{
    risei_learner_broadcast(l, s->shift, (size_t)s->size);
    risei_learner_broadcast(l, s->gain, (size_t)s->size);
}
/* Gives every process the frame statistics of process 0, as risei_learner_broadcast does. Uses
   l->gradient as a buffer. */
RISEI_FN void risei_learner_broadcast_frames(risei_learner *l, risei_frames *f)
{
    size_t const most = l->model->net.parameters;
    size_t at, i;
    if (!f->standardises || l->model->desc->processes == 1) return;
    for (at = 0; at < f->bytes; at += most) {
        size_t const count = f->bytes - at < most ? f->bytes - at : most;
        for (i = 0; i < count; i++) l->gradient[i] = f->mean[at + i];
        risei_learner_broadcast(l, l->gradient, count);
        for (i = 0; i < count && l->reduce_failed == 0; i++) {
            rise_real const mean = l->gradient[i];
            f->mean[at + i] = mean >= 0 && mean <= 255 ? (uint8_t)mean : 0;
        }
    }
    risei_learner_broadcast(l, &f->scale.factor, 1);
}
/* Continues the warm-up after reduce_fn failed at the end of the warm-up. The agent learns no more.
   But the agent's file then says that the warm-up has not ended. So after a restart from files, the
   warm-up ends again, and all processes take the statistics of process 0. */
RISEI_FN void risei_learner_resume_warm_up(risei_learner *l)
{
    risei_model *m = l->model;
    m->frame_statistics->statistics_frozen = 0;
    m->frame_statistics->scale.mean = NULL;
    m->frame_statistics->scale.factor = (rise_real)RISEI_FRAMES_RAW;
    if (m->desc->numbers > 0) m->number_statistics->frozen = 0;
    if (m->net.embeds) m->embedder->statistics.frozen = 0;
}
/* Tells log_fn that learning starts: once after an agent is made, and once after an agent that has
   done no update is loaded. `now`: environment steps so far. With `background`,
   risei_background_start calls this function before the worker can, because only the game's thread
   may call log_fn. */
RISEI_FN void risei_learner_log_start(risei_learner *l, int64_t now)
{
    if (l->start_logged || l->model->updates > 0) return;
    l->start_logged = 1;
    risei_log(l->model->desc, "rise: learning starts after %.0f steps", (double)now);
}
/* Logs that learning starts. Ends the warm-up, if it has not ended yet: freezes the statistics of
   frames, numbers and embeddings. All processes take the statistics of process 0, because the
   weights depend on the statistics. If reduce_fn fails, the warm-up continues. Else computes the
   embeddings of all stored frames again. With `background`, only sets snapshot_next:
   risei_learner_snapshot_continue then computes these embeddings in parts. */
RISEI_FN void risei_learner_end_warm_up(risei_learner *l, int64_t now)
{
    risei_model *m = l->model;
    risei_embedder *e = m->embedder;
    risei_learner_log_start(l, now);
    if (risei_learner_warmed_up(m) || l->reduce_failed != 0) return;
    risei_frames_freeze_statistics(m->frame_statistics);
    risei_learner_broadcast_frames(l, m->frame_statistics);
    if (m->desc->numbers > 0) {
        risei_statistics_freeze(m->number_statistics, 1);
        risei_learner_broadcast_statistics(l, m->number_statistics);
    }
    if (m->net.embeds) {
        if (e->encoder.kind->scaled && m->frame_statistics->standardises)
            risei_embedder_measure(&m->device, e, &l->replay->history, m->embeddings);
        risei_embedder_freeze_statistics(e, m->desc);
        risei_learner_broadcast_statistics(l, &e->statistics);
    }
    if (l->reduce_failed != 0) {
        risei_learner_resume_warm_up(l);
        return;
    }
    if (!m->net.embeds) return;
    if (m->desc->background) {
        l->snapshot_next = RISEI_SAMPLE_FRAMES + 1;
        return;
    }
    risei_embedder_refresh(&m->device, e, &l->replay->history, m->embeddings);
    risei_embedder_refresh(&m->device, e, l->players_history, m->embeddings);
}
/* Returns how many frame numbers the snapshot in progress still has to process; 0 if none is in
   progress. */
RISEI_FN int64_t risei_learner_snapshot_left(const risei_learner *l)
{
    int64_t const frames = risei_embedder_snapshot_frames(&l->replay->history);
    return l->snapshot_next > 0 ? frames - l->snapshot_next + 1 : 0;
}
/* Returns the error of a process whose reduce_fn has failed. */
RISEI_FN rise_result risei_learner_lost(const risei_learner *l, rise_error *error)
{
    return risei_fail(error, RISE_UNAVAILABLE,
                      "reduce_fn returned %d, so this process learns no more; save the agent and "
                      "start all processes again",
                      l->reduce_failed);
}
/* Begins a snapshot: copies the conv layers' weights from `model`, and may overwrite
   model->derived. risei_learner_snapshot_continue does the rest. With `background`, API calls pass
   the acting model, because the worker may be using l->model. */
RISEI_FN rise_result risei_learner_snapshot_begin(risei_learner *l, risei_model *model,
                                                  rise_error *error)
{
    risei_model *m = l->model;
    const rise_real *weights;
    size_t i;
    if (!risei_embedder_takes_snapshots(m->embedder))
        return risei_fail(error, RISE_BAD_CALL,
                          "this agent takes no snapshots: memory must be RISE, and embedding "
                          "SNAPSHOT, with frames");
    if (m->desc->play_only || !m->embedder->statistics.frozen)
        return risei_fail(error, RISE_BAD_CALL,
                          "the agent is play_only or has not started to learn, so there is nothing "
                          "to take a snapshot of");
    if (m->desc->processes > 1 && l->reduce_failed != 0) return risei_learner_lost(l, error);
    if (l->snapshot_next > 0)
        return risei_fail(error, RISE_BAD_CALL,
                          "stored frames are still being embedded again: up to %.0f are left; "
                          "go on learning until metrics.refreshing is 0",
                          (double)risei_learner_snapshot_left(l));
    weights = risei_model_weights(model, RISEI_USE_PLAY);
    for (i = 0; i < m->embedder->encoder.snapshot_weights; i++)
        if (!(weights[i] - weights[i] == 0))
            return risei_fail(error, RISE_NOT_FINITE,
                              "a weight of the conv layers is not finite, so it was not copied");
    risei_embedder_snapshot_begin(m->embedder, weights);
    l->snapshot_next = 1;
    l->snapshots++;
    return RISE_OK;
}
/* Makes the new weights and statistics of a snapshot current. All processes take the statistics of
   process 0. If reduce_fn fails, this process learns no more: l->reduce_failed is set.

   After such a failure, prepares the state that a file saves, so that an agent loaded from the file
   repeats the switch. snapshot_next becomes that of the switch again. The switch has swapped
   weights and next_weights, so the new weights are copied to next_weights. If reduce_fn failed in
   all processes, a restart from their files repeats the switch in all. If reduce_fn failed in some
   processes only, their files hold different states, and all must load the same file. */
RISEI_FN void risei_learner_snapshot_switch(risei_learner *l)
{
    risei_embedder *e = l->model->embedder;
    risei_embedder_snapshot_switch(e, l->model->desc);
    risei_learner_broadcast_statistics(l, &e->statistics);
    if (l->reduce_failed == 0) return;
    memcpy(e->encoder.next_weights, e->encoder.weights,
           e->encoder.snapshot_weights * sizeof *e->encoder.weights);
    l->snapshot_next = RISEI_SAMPLE_FRAMES + 1;
}
/* Processes up to 4 * batch frames of the snapshot in progress. Slots that were never written do
   not count. One of the calls also makes the new weights current (risei_learner_snapshot_switch),
   and embeds the frames that acting reads; these frames do not count.
   4 * batch is an estimate: a call should take about as long as an update. No measurement of other
   numbers is recorded. Ends early if reduce_fn fails. */
RISEI_FN void risei_learner_snapshot_continue(risei_learner *l)
{
    risei_model *m = l->model;
    risei_history *h = &l->replay->history;
    int frames = 0;
    while (frames < 4 * m->desc->batch && l->snapshot_next > 0) {
        int64_t const number = l->snapshot_next++ - 1;
        if (number == RISEI_SAMPLE_FRAMES) { /* embeds all frames that acting reads, in this call */
            if (l->snapshots > 0) risei_learner_snapshot_switch(l);
            risei_embedder_refresh(&m->device, m->embedder, l->players_history, m->embeddings);
            risei_embedder_refresh_newest(&m->device, m->embedder, h, m->desc->window,
                                          m->embeddings);
        }
        if (l->reduce_failed != 0) return; /* in the switch */
        if (risei_embedder_snapshot_frame(&m->device, m->embedder, h, number, m->embeddings))
            frames++;
        else /* the later slots of this lane are unwritten, too: goes on with the next lane */
            l->snapshot_next += h->capacity - 1 - (number - RISEI_SAMPLE_FRAMES) % h->capacity;
        if (l->snapshot_next > risei_embedder_snapshot_frames(h)) l->snapshot_next = 0;
    }
}
/* Begins the automatic snapshot from step learn_start + snapshot_steps on, unless an earlier
   snapshot has begun. Returns whether a snapshot is in progress. */
RISEI_FN int risei_learner_snapshot_poll(risei_learner *l, int64_t now)
{
    const rise_agent_desc *d = l->model->desc;
    int const automatic = d->snapshot_steps > 0 &&
                          risei_embedder_takes_snapshots(l->model->embedder);
    if (d->processes > 1) now = l->shared_steps;
    if (automatic && l->snapshots == 0 && now >= (int64_t)d->learn_start + d->snapshot_steps)
        risei_learner_snapshot_begin(l, l->model, NULL);
    return l->snapshot_next > 0;
}

/* -- The batch -- */

/* Fills in transition i, an earlier sample of its window. If this sample lies before the episode's
   first frame, copies the last sample to transition i, and sets before_episode of the copy to 1.
   Later, risei_replay_weights gives such a copy weight 0. */
RISEI_FN void risei_batch_fill_earlier(risei_batch *b, const risei_replay *r, int i)
{
    const risei_history *h = &r->history;
    const risei_transition *last = risei_batch_last(b, risei_batch_window_row(b, i));
    int const back = risei_batch_back(b, i);
    risei_transition *t = &b->transition[i];
    int const before_episode = h->episode_frame[risei_history_slot(h, last->lane, last->at)] < back;
    *t = before_episode ? *last
                        : risei_replay_transition(
                              r, risei_history_slot(h, last->lane, last->at - back));
    t->leaf = last->leaf; /* the whole window was drawn by the leaf of its last sample */
    t->before_episode = before_episode;
}
/* Draws the batch. Sorts the windows by padding, least first: scans them once for each possible
   start. Windows with equal padding keep their order. */
RISEI_FN void risei_batch_draw(risei_batch *b, const risei_replay *r, risei_random *random)
{
    int start, i, row = 0;
    risei_replay_sample(r, random, b->windows, b->drawn);
    for (start = 0; start <= b->before && row < b->windows; start++)
        for (i = 0; i < b->windows; i++) {
            const risei_transition *t = &b->drawn[i];
            if (risei_history_window_start(&r->history, t->lane, t->at, b->before) == start)
                *risei_batch_last(b, row++) = *t;
        }
    for (i = 0; i < b->size - b->windows; i++) risei_batch_fill_earlier(b, r, i);
}
/* Returns the history that the batch is gathered from. */
RISEI_FN const risei_history *risei_learner_source(const risei_learner *l)
{
    return l->copies.lanes > 0 ? &l->copies : &l->replay->history;
}
/* Returns the lane of transition i in risei_learner_source. */
RISEI_FN int risei_learner_lane(const risei_learner *l, int i)
{
    int const copy = l->draw * l->batch.windows + risei_batch_window_row(&l->batch, i);
    return l->copies.lanes > 0 ? copy : l->batch.transition[i].lane;
}
/* Returns the mask of batch row `row`, or NULL if the agent has no masks. Row i is the state of
   transition i, row size + i its next state. */
RISEI_FN const uint8_t *risei_learner_mask(const risei_learner *l, int row)
{
    int const bytes = l->replay->history.mask_bytes;
    return bytes > 0 ? l->batch.masks + (ptrdiff_t)row * bytes : NULL;
}
/* Copies the masks of the state and the next state of transition i, if the agent has masks. */
RISEI_FN void risei_learner_gather_masks(risei_learner *l, int i)
{
    const risei_history *h = risei_learner_source(l);
    const risei_transition *t = &l->batch.transition[i];
    int const lane = risei_learner_lane(l, i);
    int next;
    for (next = 0; next < 2 && h->mask_bytes > 0; next++) {
        ptrdiff_t const row = (ptrdiff_t)next * l->batch.size + i;
        ptrdiff_t const slot = risei_history_slot(h, lane, t->at + (next ? t->steps : 0));
        memcpy(l->batch.masks + row * h->mask_bytes, risei_history_mask(h, slot),
               (size_t)h->mask_bytes);
    }
}
/* A job of risei_device_run: each part of the job takes some transitions. Gathers the frame stacks
   and the masks of the batch's states and next states, and the windows that hold both. */
RISEI_FN void risei_learner_gather_part(void *job, int part, int parts, void *scratch)
{
    risei_learner *const l = (risei_learner *)job;
    risei_model *m = l->model;
    risei_batch *b = &l->batch;
    const risei_history *h = risei_learner_source(l);
    int i, end;
    (void)scratch;
    for (risei_part_range(b->size, 1, part, parts, &i, &end); i < end; i++) {
        const risei_transition *t = &b->transition[i];
        int const lane = risei_learner_lane(l, i);
        risei_learner_gather_masks(l, i);
        if (m->net.memory->recurrent && risei_batch_back(b, i) == 0)
            risei_model_gather_window(m, h, lane, t->at, b->before, t->steps,
                                      risei_batch_window_row(b, i));
        if (m->net.memory->encodes_window) continue;
        risei_model_gather_image(m, h, lane, t->at, i);
        risei_model_gather_image(m, h, lane, t->at + t->steps, b->size + i);
    }
}
/* Sets start and next_start. start: each window's first step that is not padding. next_start:
   the first step in the target network's pass over next states. This is the larger of start and
   the transition's `steps`, so the window has at most before + 1 steps. (With Munchausen, there is
   no such pass: the target network runs on states and next states together, from start.) In two
   cases next_start is start, and the window is up to n_step steps longer:
   - Several samples share the window. Their next states are at different steps.
   - The agent stores states. A stored state belongs to step 0. */
RISEI_FN void risei_learner_set_starts(risei_learner *l)
{
    risei_batch *b = &l->batch;
    const risei_history *h = risei_learner_source(l);
    int const own = b->samples == 1 && h->state_size == 0, last = b->size - b->windows;
    int row;
    for (row = 0; row < b->windows; row++) {
        int const steps = risei_batch_last(b, row)->steps;
        int const lane = risei_learner_lane(l, last + row);
        b->start[row] =
            risei_history_window_start(h, lane, b->transition[last + row].at, b->before);
        b->next_start[row] = own && b->start[row] < steps ? steps : b->start[row];
    }
}
/* Copies stored states into the sequence. In a window without padding, the state before step 0 is
   the state that was stored at the slot of step 0. A window with padding begins at its episode's
   first frame, from a zero state. */
RISEI_FN void risei_learner_load_states(risei_learner *l)
{
    const risei_history *h = risei_learner_source(l);
    const risei_sequence *s = &l->model->pass.sequence;
    const risei_cell *cell = &l->model->net.cell;
    int const last = l->batch.size - l->batch.windows;
    int row, array;
    for (row = 0; row < s->rows && h->state_size > 0; row++) {
        ptrdiff_t slot;
        if (l->batch.start[row] > 0) continue;
        slot = risei_history_slot(h, risei_learner_lane(l, last + row),
                                  l->batch.transition[last + row].at - l->batch.before);
        for (array = 0; array < risei_cell_state_arrays(cell->kind); array++)
            risei_history_load_state(l->model->device.kernels, h, slot, array * cell->units,
                                     cell->units, risei_sequence_state(s, cell, array, 0, row));
    }
}
/* A job of risei_device_run: each part of the job takes some windows. Copies to l->copies all slots
   that the batch reads. A window reads up to `reach` slots before the slot of its last sample. The
   next state of the last sample is up to n_step slots later. Copies frames only of the slots that
   frame stacks read. */
RISEI_FN void risei_learner_copy_part(void *job, int part, int parts, void *scratch)
{
    risei_learner *const l = (risei_learner *)job;
    const risei_history *h = &l->replay->history;
    int const frame_reach = risei_replay_frame_reach(l->model->desc);
    int row, end;
    (void)scratch;
    for (risei_part_range(l->batch.windows, 1, part, parts, &row, &end); row < end; row++) {
        const risei_transition *last = risei_batch_last(&l->batch, row);
        int const copy = l->draw * l->batch.windows + row;
        int64_t const from = last->at - l->replay->reach;
        int64_t const oldest = risei_history_oldest(h, last->lane);
        int64_t at;
        for (at = from > oldest ? from : oldest; at <= last->at + last->steps; at++)
            risei_history_copy_slot(h, risei_history_slot(h, last->lane, at), &l->copies,
                                    risei_history_slot(&l->copies, copy, at),
                                    at >= last->at - frame_reach);
    }
}
/* Samples one part of a batch into draw `draw`, and makes it the draw that l->batch holds. One
   random stream serves all parts of all processes: part 0 uses its first numbers, part 1 the next
   ones, and so on. Each process skips the numbers of the others. So n processes use the same random
   numbers as one process with n parts. With `background`, copies the slots that the draw reads: see
   risei_learner.copies. */
RISEI_FN void risei_learner_draw(risei_learner *l, int draw)
{
    const rise_agent_desc *d = l->model->desc;
    risei_batch *b = &l->batch;
    int const part = draw % d->batch_parts, last = d->batch_parts - 1;
    int64_t const later = risei_learner_parts(d) - 1 - risei_learner_part(d, last);
    risei_learner_select(l, draw);
    if (part == 0)
        risei_random_skip(&l->sample_random, (int64_t)risei_learner_part(d, 0) * b->windows);
    risei_batch_draw(b, l->replay, &l->sample_random);
    if (part == last) risei_random_skip(&l->sample_random, later * b->windows);
    if (d->background)
        risei_device_run(&l->model->device,
                         (double)b->windows * l->copies.capacity *
                             (double)risei_history_slot_bytes(&l->copies),
                         risei_learner_copy_part, l);
}
/* Fills in the pass's inputs from the batch. */
RISEI_FN void risei_learner_gather(risei_learner *l)
{
    risei_model *m = l->model;
    risei_batch *b = &l->batch;
    risei_sequence *s = &m->pass.sequence;
    s->rows = b->windows;
    s->steps = b->before + 1 + m->desc->n_step;
    s->start = b->start;
    risei_learner_set_starts(l);
    if (m->net.memory->recurrent) {
        risei_sequence_plan(s);
        risei_sequence_zero_states(s, &m->net.cell, 0, b->windows);
        risei_learner_load_states(l);
    }
    /* estimate: to gather one number of the inputs costs as much as 4 multiplications */
    risei_device_run(&m->device, 4.0 * b->windows * s->steps * m->net.cell.in,
                     risei_learner_gather_part, l);
}
/* Computes z and q of batch rows from .. to - 1, with the weights of `use`. Writes them to the
   first to - from rows of pass.heads. Batch row i is the state of transition i, batch row size + i
   its next state. Windows have before + 1 steps, and n_step more if there are next states among the
   rows. Windows start at b->next_start if all rows are next states, else at b->start. */
RISEI_FN void risei_learner_forward(risei_learner *l, risei_use use, int from, int to)
{
    risei_model *m = l->model;
    risei_batch *b = &l->batch;
    risei_pass *pass = &m->pass;
    risei_sequence *s = &pass->sequence;
    int const encodes_window = m->net.memory->encodes_window;
    int const recurrent = m->net.memory->recurrent;
    risei_encoder_input const input = risei_model_input(m, encodes_window ? 0 : from);
    int r;
    s->steps = b->before + 1 + (to > b->size ? m->desc->n_step : 0);
    /* begin[] was planned with b->start. next_start is never smaller than start, so begin[] has an
       entry for each step of the windows that start at next_start. */
    s->start = from >= b->size ? b->next_start : b->start;
    for (r = from; r < to; r++) {
        int const i = r % b->size, row = risei_batch_window_row(b, i);
        int const steps = risei_batch_steps(b, i, r >= b->size);
        pass->state_row[r - from] = recurrent ? s->begin[steps] + row : 0;
        pass->feature_row[r - from] = encodes_window ? s->begin[steps - 1] + row : r - from;
    }
    risei_model_set_fractions(m, use, to - from);
    risei_net_forward(&m->device, &m->net, risei_model_weights(m, use), to - from,
                      encodes_window ? s->begin[s->steps] : to - from, &input, pass);
}

/* -- Targets and losses of the batch -- */

/* Runs the target network on the next states and, with Munchausen, on the states. Writes target_q
   and target_z. */
RISEI_FN void risei_learner_forward_target(risei_learner *l)
{
    const risei_heads *h = &l->model->net.heads;
    const risei_heads_data *out = &l->model->pass.heads;
    risei_batch *b = &l->batch;
    size_t const size = (size_t)b->size, actions = (size_t)h->actions;
    size_t const states = l->model->desc->munchausen ? size : 0;
    size_t const outputs = actions * (size_t)(h->taus * h->atoms);
    risei_learner_forward(l, RISEI_USE_TARGET, (int)(size - states), (int)(2 * size));
    memcpy(b->target_q, out->q, (states + size) * actions * sizeof *out->q);
    memcpy(b->target_z, out->z + states * outputs, size * outputs * sizeof *out->z);
}
/* Returns the reward that the target of transition i uses. Munchausen (Vieillard et al. 2020) adds
   munchausen_scale * max(-1, temperature * log p). p is the probability of the action in the target
   network's policy. */
RISEI_FN rise_real risei_learner_reward(const risei_learner *l, int i)
{
    const rise_agent_desc *d = l->model->desc;
    const risei_transition *t = &l->batch.transition[i];
    rise_real const temperature = (rise_real)d->temperature;
    rise_real const scale = (rise_real)(d->munchausen_scale < 0 ? 0 : d->munchausen_scale);
    rise_real bonus;
    if (!d->munchausen) return t->reward;
    risei_log_policy(l->model->device.kernels, d->actions,
                     l->batch.target_q + (ptrdiff_t)i * d->actions, risei_learner_mask(l, i),
                     temperature, l->batch.log_policy);
    bonus = temperature * l->batch.log_policy[t->action];
    return t->reward + scale * (bonus < -1 ? (rise_real)-1 : bonus); /* NaN stays NaN */
}
/* Writes batch.target, the target of transition i. Double Q-learning (van Hasselt et al. 2016): the
   online network chooses the next action, and the target network evaluates this action. With
   no_double or munchausen, no Q of the online network is used. */
RISEI_FN void risei_learner_target(risei_learner *l, int i)
{
    const rise_agent_desc *d = l->model->desc;
    const risei_heads *heads = &l->model->net.heads;
    const rise_kernels *k = l->model->device.kernels;
    risei_batch *b = &l->batch;
    const risei_transition *t = &b->transition[i];
    ptrdiff_t const next_row = d->munchausen ? b->size + i : i;
    const rise_real *next_q = b->target_q + next_row * d->actions;
    const rise_real *online_q = l->model->pass.heads.q + (ptrdiff_t)(b->size + i) * d->actions;
    const uint8_t *mask = risei_learner_mask(l, b->size + i);
    risei_bootstrap next;
    next.actions = d->actions;
    next.reward = risei_learner_reward(l, i);
    next.discount = t->discount;
    next.next = b->target_z + (ptrdiff_t)i * heads->taus * heads->atoms * d->actions;
    next.next_action =
        risei_best_action(d->actions, d->no_double || d->munchausen ? next_q : online_q, mask);
    next.policy = next.log_policy = NULL;
    next.temperature = (rise_real)d->temperature;
    next.rescale = d->value_rescale;
    if (d->munchausen) {
        risei_log_policy(k, d->actions, next_q, mask, next.temperature, b->log_policy);
        k->exp(d->actions, b->log_policy, b->policy);
        next.policy = b->policy, next.log_policy = b->log_policy;
    }
    heads->kind->target(heads, &next, b->target);
}
/* Returns how many transitions the batches of all processes have together. */
RISEI_FN rise_real risei_learner_total(const risei_learner *l)
{
    return (rise_real)l->batch.size * (rise_real)risei_learner_parts(l->model->desc);
}
/* Returns the large-margin loss of transition i, multiplied by demonstration_weight and by the
   importance weight. Adds the gradient of the returned loss, divided by risei_learner_total, to dz.
   Returns 0 and leaves dz unchanged in three cases:
   - Transition i is no demonstration.
   - One of the two factors is not positive.
   - Q of the demonstrated action already has the margin. */
RISEI_FN double risei_learner_margin(risei_learner *l, int i)
{
    const rise_agent_desc *d = l->model->desc;
    const risei_heads *heads = &l->model->net.heads;
    risei_heads_data *out = &l->model->pass.heads;
    const risei_transition *t = &l->batch.transition[i];
    ptrdiff_t const outputs = (ptrdiff_t)i * heads->taus * heads->actions * heads->atoms;
    rise_real const margin = (rise_real)(d->demonstration_margin < 0 ? 0 : d->demonstration_margin);
    rise_real const scale = (rise_real)d->demonstration_weight * l->batch.importance[i];
    rise_real const dq = scale / risei_learner_total(l);
    rise_real loss;
    int rival;
    if (t->lane < d->environments - d->demonstrators || !(scale > 0)) return 0;
    loss = risei_loss_margin(d->actions, out->q + (ptrdiff_t)i * d->actions,
                             risei_learner_mask(l, i), t->action, margin, &rival);
    if (rival == t->action) return 0;
    heads->kind->expect_backward(heads, out->z + outputs, rival, dq, out->dz + outputs);
    heads->kind->expect_backward(heads, out->z + outputs, t->action, -dq, out->dz + outputs);
    return (double)(scale * loss);
}
/* Computes the targets, losses, td errors and dz of the batch. Writes all metrics except
   gradient_norm and time. Each transition adds its loss, times its importance weight, and the
   result of risei_learner_margin. Returns the sum of both, divided by b->size. dz is the gradient
   of this sum, divided by risei_learner_total. */
RISEI_FN double risei_learner_loss(risei_learner *l, risei_update_metrics *metrics)
{
    const risei_heads *heads = &l->model->net.heads;
    const rise_kernels *k = l->model->device.kernels;
    risei_heads_data *out = &l->model->pass.heads;
    risei_batch *b = &l->batch;
    ptrdiff_t const outputs = (ptrdiff_t)heads->taus * heads->actions * heads->atoms;
    double loss = 0, value = 0, error = 0;
    int i;
    risei_zero(out->dz, b->size * outputs);
    for (i = 0; i < b->size; i++) {
        int const action = b->transition[i].action;
        ptrdiff_t const at = i * outputs + (ptrdiff_t)action * heads->atoms;
        const rise_real *tau = heads->kind->quantiles ? out->tau + (ptrdiff_t)i * heads->taus
                                                      : NULL;
        risei_loss_weight weight;
        rise_real one;
        weight.importance = b->importance[i], weight.batch = risei_learner_total(l);
        risei_learner_target(l, i);
        one = heads->kind->loss(k, heads, out->z + at, tau, b->target, &weight, out->dz + at,
                                &b->td[i]);
        loss += (double)(one * b->importance[i]) + risei_learner_margin(l, i);
        value += (double)out->q[(ptrdiff_t)i * heads->actions + action];
        error += (double)risei_abs(b->td[i]);
    }
    metrics->loss = loss / b->size;
    metrics->mean_value = value / b->size;
    metrics->td_error = error / b->size;
    return metrics->loss;
}
/* Replaces the td error of each window's last sample by eta * max + (1 - eta) * mean. max and mean
   are over the absolute td errors of the window's samples (Kapturowski et al. 2019). The priority
   of the last sample is then computed from this value. Samples with before_episode = 1 do not
   count. */
RISEI_FN void risei_batch_mix_errors(risei_batch *b, rise_real eta)
{
    int row, i;
    for (row = 0; row < b->windows; row++) {
        rise_real largest = 0, sum = 0, count = 0;
        for (i = row; i < b->size; i += b->windows) {
            rise_real const error = risei_abs(b->td[i]);
            if (b->transition[i].before_episode) continue;
            largest = error > largest ? error : largest;
            sum = sum + error;
            count = count + 1;
        }
        b->td[b->size - b->windows + row] = eta * largest + (1 - eta) * sum / count;
    }
}

/* -- The update -- */

/* Updates the target network: target += target_rate * (weights - target). Rate 1 is a copy. */
RISEI_FN void risei_learner_update_target(risei_learner *l)
{
    risei_model *m = l->model;
    rise_real const rate = (rise_real)m->desc->target_rate;
    size_t i;
    if (rate >= 1) memcpy(m->target, m->weights, m->net.weights_size * sizeof *m->weights);
    for (i = 0; i < m->net.weights_size && rate < 1; i++)
        m->target[i] = m->target[i] + rate * (m->weights[i] - m->target[i]);
}
/* Returns whether the loss is finite. If optimizer.suspect is 1, also checks that the sum of the
   squares of all weights is finite. A finite loss does not prove that the weights are finite,
   because a ReLU can map NaN to 0. */
RISEI_FN int risei_learner_finite(risei_learner *l, double loss)
{
    risei_model *m = l->model;
    double sum = loss;
    if (l->optimizer.suspect)
        sum +=
            risei_optimizer_sum_squares(&m->device, &l->optimizer, m->net.parameters, m->weights);
    return sum <= DBL_MAX;
}
/* Computes new priorities of the transitions of the first `draws` draws, from their td errors. */
RISEI_FN void risei_learner_renew_priorities(risei_learner *l, int draws)
{
    const rise_agent_desc *d = l->model->desc;
    risei_batch *b = &l->batch;
    int draw;
    for (draw = 0; draw < draws; draw++) {
        risei_learner_select(l, draw);
        if (d->priority_mix > 0) risei_batch_mix_errors(b, (rise_real)d->priority_mix);
        risei_replay_set_priorities(l->replay, l->model->device.kernels, b->size, b->transition,
                                    b->td, d->priority_exponent < 0 ? 0 : d->priority_exponent,
                                    b->work);
    }
}
/* Prepares an update. First ends the warm-up, if it has not ended yet. Returns 0 if a part of a
   snapshot was done in place of the update, else 1. Returns 1 after reduce_fn has failed, because
   risei_learner_finish then returns the error. `now`: environment steps so far.

   An update has these steps:
   - risei_learner_prepare
   - for each part of the batch, risei_learner_draw and risei_learner_compute_part
   - risei_learner_finish, which changes the weights
   - risei_learner_renew_priorities
   Preparing, drawing and renewing use the replay buffer. Preparing uses the frozen encoder. With
   `background`, computing and finishing use neither, because drawing copies all that a part
   reads. */
RISEI_FN int risei_learner_prepare(risei_learner *l, int64_t now)
{
    risei_learner_end_warm_up(l, now);
    if (l->reduce_failed != 0 || !risei_learner_snapshot_poll(l, now)) return 1;
    risei_learner_snapshot_continue(l);
    return l->reduce_failed != 0;
}
/* Computes the gradient of the part that l->batch holds. Adds it to the gradient of the earlier
   parts of the update. */
RISEI_FN void risei_learner_add_gradient(risei_learner *l)
{
    risei_model *m = l->model;
    const rise_real *w = risei_net_derives(&m->net) ? m->derived : m->weights;
    rise_real *const g = l->part == 0 ? l->gradient : l->added;
    risei_net_backward(&m->device, &m->net, w, g, l->batch.size, l->batch.before + 1, &m->pass);
    risei_net_derive_backward(&m->device, &m->net, m->noise, m->spectral, w, g);
    if (l->part > 0) risei_optimizer_add(&m->device, m->net.parameters, l->added, l->gradient);
}
/* Computes the part that l->batch holds: its targets, its losses and its gradient. Adds the
   gradient to that of the earlier parts. Sets l->discards if a loss, a td error or Q of a
   transition's action is not finite. If optimizer.suspect is 1, checks the weights, too. If
   l->discards is 1, computes nothing for the later parts of this update. */
RISEI_FN void risei_learner_compute_part(risei_learner *l)
{
    risei_model *m = l->model;
    const rise_agent_desc *d = m->desc;
    risei_batch *b = &l->batch;
    int const needs_next = !d->no_double && !d->munchausen;
    risei_update_metrics one;
    if (l->part == 0) {
        l->discards = 0;
        memset(&l->metrics, 0, sizeof l->metrics);
    }
    if (!l->discards) {
        m->part = risei_learner_part(d, l->part);
        risei_replay_weights(m->device.kernels, b->size, b->transition,
                             d->importance_exponent < 0 ? 0 : d->importance_exponent,
                             b->importance);
        risei_learner_gather(l);
        risei_learner_forward_target(l);
        risei_learner_forward(l, RISEI_USE_LEARN, 0, needs_next ? 2 * b->size : b->size);
        m->part = 0;
        l->discards = !risei_learner_finite(l, risei_learner_loss(l, &one)) ||
                      !(one.td_error <= DBL_MAX) || one.mean_value - one.mean_value != 0;
        l->metrics.loss += one.loss / risei_learner_parts(d);
        l->metrics.mean_value += one.mean_value / risei_learner_parts(d);
        l->metrics.td_error += one.td_error / risei_learner_parts(d);
    }
    if (!l->discards) risei_learner_add_gradient(l);
    l->part++;
}
/* Sums the gradient over all processes by reduce_fn. The same call sums RISEI_REDUCED further
   numbers, which follow the gradient in l->gradient. So afterwards l->discards, l->shared_steps,
   and the loss, mean value and td error in l->metrics are the same in all processes. If reduce_fn
   fails, sets l->reduce_failed. Without reduce_fn, or if reduce_fn failed before, only sets
   l->shared_steps to `now`, this process's environment steps. */
RISEI_FN void risei_learner_reduce(risei_learner *l, int64_t now)
{
    const rise_agent_desc *d = l->model->desc;
    size_t const parameters = l->model->net.parameters;
    rise_real *const more = l->gradient + parameters;
    int64_t const radix = 1 << 24; /* integers below this number are exact as floats */
    l->shared_steps = now;
    if (d->reduce_fn == NULL || l->reduce_failed != 0) return;
    if (l->discards) memset(l->gradient, 0, parameters * sizeof *l->gradient);
    more[0] = (rise_real)l->metrics.loss, more[1] = (rise_real)l->metrics.mean_value;
    more[2] = (rise_real)l->metrics.td_error, more[3] = (rise_real)l->discards;
    more[4] = (rise_real)(d->process == 0 ? now / radix : 0);
    more[5] = (rise_real)(d->process == 0 ? now % radix : 0);
    l->reduce_failed = d->reduce_fn(d->reduce_user, l->gradient, parameters + RISEI_REDUCED);
    l->metrics.loss = (double)more[0], l->metrics.mean_value = (double)more[1];
    l->metrics.td_error = (double)more[2], l->discards = !(more[3] <= 0);
    /* a wrong reduce_fn may give any number */
    if (more[4] >= 0 && more[4] < (rise_real)radix && more[5] >= 0 && more[5] < (rise_real)radix)
        l->shared_steps = (int64_t)more[4] * radix + (int64_t)more[5];
}
/* Ends an update whose parts are computed. Adds up the gradients of all processes, then updates the
   weights by Adam, and lets the weights of the context decay. At every target_period-th update,
   updates the target network, unless a weight has just become NaN or infinite. Discards the update,
   so that weights, moments and the model's metrics stay the same, in two cases:
   - reduce_fn failed, in this or an earlier call: returns RISE_UNAVAILABLE
   - l->discards is 1 or the gradient is not finite: returns RISE_NOT_FINITE.
   An update that makes a weight infinite or NaN is kept, but sets optimizer.suspect. Later updates
   then check the weights, and are discarded until the caller has made all weights finite. */
RISEI_FN rise_result risei_learner_finish(risei_learner *l, int64_t now, rise_error *error)
{
    risei_model *m = l->model;
    const rise_agent_desc *d = m->desc;
    double const clip = d->gradient_clip < 0 ? 0 : d->gradient_clip;
    double rate;
    l->part = 0;
    risei_learner_reduce(l, now);
    if (l->reduce_failed != 0) return risei_learner_lost(l, error);
    rate = risei_learner_rate(d, l->shared_steps);
    if (!l->discards) {
        l->metrics.gradient_norm =
            risei_optimizer_update(&m->device, &l->optimizer, m->net.parameters, m->weights,
                                   l->gradient, rate, d->adam_epsilon, clip);
        l->discards = !(l->metrics.gradient_norm <= DBL_MAX);
    }
    if (l->discards)
        return risei_fail(error, RISE_NOT_FINITE,
                          "a weight, the loss or a gradient is not finite, so nothing was learned; "
                          "lower learning_rate or check the rewards");
    if (d->context_decay > 0)
        risei_fusion_decay(&m->net, m->weights,
                           (rise_real)(1 - d->context_decay * (rate / d->learning_rate)));
    risei_spectral_keep(&m->net, m->spectral, m->weights);
    l->metrics.time = m->metrics.time;
    m->metrics = l->metrics;
    m->updates++;
    if (m->updates % d->target_period == 0 && !l->optimizer.suspect) risei_learner_update_target(l);
    return RISE_OK;
}
/* Adds the time since `before`, a time of risei_model_clock, to the moving average of the time that
   an update takes. Without background, rise_agent_learn measures each call as one update. The call
   may do only a part of a snapshot, or only the rest of an update that rise_agent_learn_for began.
   The time of a call of rise_agent_learn includes the end of the warm-up
   (risei_learner_end_warm_up). In risei_background_update, the time does not include drawing the
   batch. */
RISEI_FN void risei_learner_measure_time(risei_learner *l, double before)
{
    double const seconds = risei_model_clock(l->model->desc) - before;
    risei_model_average(&l->model->metrics.time, seconds * 1e6);
}
/* Does the next part of the update in progress. If there is none, begins an update or, while a
   snapshot is in progress, does a part of the snapshot, which counts as an update. Returns 0 if
   more parts of the update follow, 1 if the update is done, or the negative rise_result of an
   update that failed. After RISE_NOT_FINITE, sample_random has advanced, so the next update draws
   another batch. */
RISEI_FN int risei_learner_advance(risei_learner *l, int64_t now, rise_error *error)
{
    const rise_agent_desc *d = l->model->desc;
    rise_result result;
    if (l->part == 0 && !risei_learner_prepare(l, now)) return 1;
    risei_learner_draw(l, l->part);
    risei_learner_compute_part(l);
    if (l->part < d->batch_parts) return 0;
    result = risei_learner_finish(l, now, error);
    if (result == RISE_OK) risei_learner_renew_priorities(l, d->batch_parts);
    return result == RISE_OK ? 1 : (int)result;
}
/* Does the rest of the update in progress. If there is none, does one update or, while a snapshot
   is in progress, a part of the snapshot. Returns RISE_OK or the error of the update. */
RISEI_FN rise_result risei_learner_update(risei_learner *l, int64_t now, rise_error *error)
{
    int done = 0;
    while (done == 0) done = risei_learner_advance(l, now, error);
    return done > 0 ? RISE_OK : (rise_result)done;
}

/* Returns what is wrong with the transitions of the first `draws` draws, or NULL. */
RISEI_FN const char *risei_learner_wrong_draws(const risei_learner *l, int draws)
{
    const risei_history *h = &l->replay->history;
    int i;
    if (draws < 0 || draws > l->draws) return "the number of draws is wrong";
    for (i = 0; i < draws * l->batch.size; i++) {
        const risei_transition *t = &l->transitions[i];
        if (t->lane < 0 || t->lane >= h->lanes || t->at < 0 || t->at >= h->written[t->lane])
            return "a transition of a draw is out of range";
    }
    return NULL;
}

/* -- When to learn -- */

/* Limits owed_steps to learn_period + environments, so that no call does very many updates. Usually
   a call leaves less than learn_period, and the next call adds at most `environments`. So
   owed_steps is above the limit only if updates were not possible or failed, or if a loaded file
   has a larger number. Not called with learn_outside. */
RISEI_FN void risei_learner_drop_owed(risei_learner *l)
{
    const rise_agent_desc *d = l->model->desc;
    int64_t const most = d->learn_period + d->environments;
    if (l->owed_steps > most) l->owed_steps = most;
}
/* Returns whether an update is due and possible. */
RISEI_FN int risei_learner_is_due(const risei_learner *l)
{
    return l->owed_steps >= l->model->desc->learn_period && l->replay->ready > 0;
}
/* Returns the counted time of a part of an update: the time that is subtracted from l->budget. All
   times are in microseconds. `measured`: the time of the part. `given`: the time given to the call.

   A coarse clock measures 0 for most parts. A time below 0.1 is also taken as 0, because no part
   is so fast. A part with time 0 counts as l->part_time, the mean. Before there is a mean, the part
   counts as `given`, so the call ends. A time of 0.1 or more is that of the part and of the
   l->untimed parts before it, and enters the mean. First, the weights of earlier parts in the mean
   are multiplied by 7/8.

   A clock can jump, stand still or fail. So the time that goes into the mean is limited to the
   larger of 2 * part_time * parts and 2 * grain. Before there is a mean, the limit is 1 second.
   Here `parts` is l->untimed + 1. If `parts` is above 1, the time is at least
   part_time * parts / 2, and this part counts as the new mean. The parts with time 0 were
   counted before. If `parts` is 1, the part counts as `measured`, at most twice the old
   mean if there is one. A part with a negative time or NaN counts like a part with time 0, but
   l->untimed stays the same. */
RISEI_FN double risei_learner_count_time(risei_learner *l, double measured, double given)
{
    double const mean = l->part_time, parts = l->untimed + 1, expected = mean * parts;
    double most = 2 * expected;
    if (!(measured >= 0.1)) {
        if (measured >= 0 && l->untimed < RISEI_UNTIMED_MAX) l->untimed++;
        return mean > 0 ? mean : given;
    }
    if (most < 2 * l->grain) most = 2 * l->grain;
    if (!(mean > 0)) most = 1e6;
    if (measured > most) measured = most;
    if (!(l->grain > 0) || measured < l->grain) l->grain = measured;
    if (parts > 1 && measured < expected / 2) measured = expected / 2; /* it stood still */
    l->timed = 0.875 * l->timed + parts;
    l->part_time += (measured - expected) / l->timed;
    l->untimed = 0;
    if (parts > 1) return l->part_time;
    return mean > 0 && measured > 2 * mean ? 2 * mean : measured;
}
/* Does parts of due updates for about `microseconds`. Returns the number of updates that are done,
   or the negative rise_result of an update that failed. A part of a snapshot counts as an update.
   If no update is due, returns 0 and adds nothing to l->budget. A part begins if l->budget is above
   0 and at least l->part_time. A part that takes longer than l->budget makes l->budget negative.
   Then no part begins until later calls have added enough time. Time that is left is kept, at most
   l->part_time, for later calls that are too short for a part. A call that is long enough for a
   part does not use kept time, because the call would then take longer than `microseconds`. `now`:
   environment steps so far. */
RISEI_FN int risei_learner_run_for(risei_learner *l, int64_t now, double microseconds,
                                   rise_error *error)
{
    const rise_agent_desc *d = l->model->desc;
    double before;
    int updates = 0, done = 0;
    if (!risei_learner_is_due(l)) return 0;
    /* The warm-up ends once. Ending the warm-up can take long, so its time is not measured. */
    risei_learner_end_warm_up(l, now);
    before = risei_model_clock(d);
    if (l->budget > 0 && microseconds >= l->part_time) l->budget = 0;
    l->budget += microseconds;
    while (risei_learner_is_due(l) && l->budget > 0 && l->budget >= l->part_time) {
        double after;
        done = risei_learner_advance(l, now, error);
        after = risei_model_clock(d);
        l->budget -= risei_learner_count_time(l, (after - before) * 1e6, microseconds);
        before = after;
        if (done < 0) break;
        l->model->metrics.time = l->part_time * d->batch_parts;
        if (done == 0) continue;
        l->owed_steps -= d->learn_period;
        updates++;
    }
    if (l->budget > l->part_time) l->budget = l->part_time;
    return done < 0 ? done : updates;
}
#endif /* !RISE_PLAY_ONLY */

/* ---------------------------------------------------------------------------------------------- */
/* >>background: the thread that computes updates while the game goes on

   With desc.background, a thread that this room calls the worker computes the updates on a model of
   its own: the learning model. (The workers of room threads are other threads, which help this
   one.) The agent acts with the acting model. The updates that become due in one call are a round.
   The next call in which updates are due puts the round into effect and starts the next round.
   rise_agent_learn does the same with a round of one update, even if no update is due.
   rise_agent_parameters puts the round into effect and starts none. These calls wait for the round,
   so the acting weights do not depend on the speed of the worker.

   rise_agent_learn_for does not wait. If the worker is not idle, the call does nothing. Otherwise
   the call puts the last round into effect. If an update is due, the call then starts a round of
   one update. So the acting weights do depend on the speed of the worker, with and without
   learn_outside.

   A round has two phases. In the first phase the worker copies the acting model's weights, which no
   call may change in this phase. Then the worker uses the replay buffer and the frozen encoder. If
   the warm-up has not ended, the worker ends it (see risei_learner_prepare). Then the worker draws
   the batches of all updates, and copies all slots that these updates read. While a snapshot is in
   progress, a part of the snapshot takes the place of an update. Calls that use the replay buffer
   or the frozen encoder wait until the first phase ends. In the second phase the worker computes.
   The worker then uses only what the learner owns, and the standardisation of frames and numbers,
   which does not change meanwhile. The worker calls embed_fn in the first phase and reduce_fn in
   both, but never log_fn or clock_fn. The updates of a round change the priorities of the
   transitions that they drew. These priorities change when the round is put into effect. In a round
   of several groups, some change earlier: see below.

   A round of more than risei_learner.updates_at_once updates is done in several groups. Then the
   first phase lasts until the batches of the last group are drawn. Before a later group is drawn,
   the worker renews the priorities of the group before it. Putting the round into effect renews the
   priorities of the last group. There are several groups if one call makes more than 16 updates
   due. An update that is still owed can also add a group (see risei_learner_drop_owed).

   Main type: risei_background. Uses threads, replay, embedder, model, learner. Test:
   tests/background.c. */

#ifndef RISE_PLAY_ONLY
/* What the worker does. */
typedef enum risei_phase {
    RISEI_PHASE_IDLE,
    RISEI_PHASE_REPLAY, /* uses the acting weights, the replay buffer and the frozen encoder */
    RISEI_PHASE_COMPUTE /* computes, and uses none of these */
} risei_phase;

/* Returns whether the agent learns in the background. With play_only, desc.background has another
   meaning: see rise_agent_publish. */
RISEI_FN int risei_learns_in_background(const rise_agent_desc *d)
{
    return d->background && !d->play_only;
}

typedef struct risei_background {
    risei_learner *learner;
    risei_model *acting;
    int started;     /* 1: a round was started and is not in effect yet */
    int updates;     /* of the round */
    int64_t now;     /* environment steps at the start of the round */
    int renews;      /* number of draws whose priorities are still to be renewed */
    /* rise_result of the round's first update that failed; RISE_OK after a call has returned it */
    int result;
    rise_error error; /* of this update */
    double waited;   /* seconds that calls have waited for the worker */
    /* 1: the worker was started. A child of fork has begun = 1, too, but no worker: see
       risei_background_has_worker. */
    int begun;
#ifdef RISE_THREADS
    int phase, stop; /* phase: a risei_phase. stop: 1 ends the worker. Guarded by the lock. */
    long process;    /* the id of the process that has the worker */
    risei_lock lock;
    risei_condition change; /* of phase or stop */
    risei_thread worker;
#endif
} risei_background;

/* Called when a phase has begun, by the thread that computes the round. Tests define this macro to
   delay the worker. */
#ifndef RISEI_BACKGROUND_PHASE
#define RISEI_BACKGROUND_PHASE(phase) (void)(phase)
#endif

/* Returns whether this process has the worker. After fork, only the parent has it. */
RISEI_FN int risei_background_has_worker(const risei_background *b)
{
#ifdef RISE_THREADS
    return b->begun && b->process == risei_thread_process();
#else
    return b->begun;
#endif
}
/* Sets the phase and wakes the threads that wait for it. Does nothing if this process has no
   worker. */
RISEI_FN void risei_background_set_phase(risei_background *b, risei_phase phase)
{
    if (!risei_background_has_worker(b)) return;
#ifdef RISE_THREADS
    risei_lock_take(&b->lock);
    b->phase = (int)phase;
    risei_condition_wake_all(&b->change);
    risei_lock_release(&b->lock);
#endif
    (void)phase;
}
/* Waits until the worker is idle. If `may_compute` is 1, waits only until the worker uses neither
   the replay buffer nor the frozen encoder. Adds the time of waiting to b->waited. Returns at once
   if this process has no worker. */
RISEI_FN void risei_background_wait(risei_background *b, int may_compute)
{
    if (!risei_background_has_worker(b)) return;
#ifdef RISE_THREADS
    {
        int waits = 0;
        double from = 0, seconds = 0;
        risei_lock_take(&b->lock);
        while (b->phase != RISEI_PHASE_IDLE && !(may_compute && b->phase == RISEI_PHASE_COMPUTE)) {
            if (!waits++) from = risei_model_clock(b->acting->desc);
            risei_condition_wait(&b->change, &b->lock);
        }
        risei_lock_release(&b->lock);
        if (waits > 0) seconds = risei_model_clock(b->acting->desc) - from;
        /* a clock may go back or fail */
        if (seconds > 0 && seconds <= DBL_MAX) b->waited += seconds;
    }
#endif
    (void)may_compute;
}
/* Prepares `updates` updates: draws the batch of each or, while a snapshot is in progress, does a
   part of the snapshot instead. Returns the number of updates whose batches were drawn. */
RISEI_FN int risei_background_draw(risei_background *b, int updates)
{
    risei_learner *l = b->learner;
    int const parts = l->model->desc->batch_parts;
    int drawn = 0, i, part;
    for (i = 0; i < updates; i++) {
        if (!risei_learner_prepare(l, b->now)) continue;
        for (part = 0; part < parts; part++) risei_learner_draw(l, drawn * parts + part);
        drawn++;
    }
    return drawn;
}
/* Computes one update from batch_parts draws, from draw `first` on. If the update fails or is
   discarded, sets the td errors of these draws to NaN. risei_replay_set_priorities leaves the
   priorities of such transitions as they are. */
RISEI_FN void risei_background_update(risei_background *b, int first)
{
    risei_learner *l = b->learner;
    risei_batch *batch = &l->batch;
    const rise_agent_desc *d = l->model->desc;
    /* the worker never calls clock_fn, because clock_fn need not be thread-safe */
    int const measures = d->clock_fn == NULL;
    double const before = measures ? risei_model_clock(d) : 0;
    rise_result result;
    int part, i;
    for (part = 0; part < d->batch_parts; part++) {
        risei_learner_select(l, first + part);
        risei_learner_compute_part(l);
    }
    result = risei_learner_finish(l, b->now, b->result == RISE_OK ? &b->error : NULL);
    if (b->result == RISE_OK) b->result = (int)result;
    if (result == RISE_OK && measures) risei_learner_measure_time(l, before);
    for (i = 0; i < d->batch_parts * batch->size && result != RISE_OK; i++)
        l->errors[(ptrdiff_t)first * batch->size + i] = (rise_real)NAN;
}
/* Computes a round. Copies the acting model's weights to the learning model, and does the round's
   updates on the copy, one after another. Leaves the priorities of the last group to
   risei_background_apply. */
RISEI_FN void risei_background_compute(risei_background *b)
{
    risei_learner *l = b->learner;
    risei_model *m = l->model;
    int done, drawn, i;
    memcpy(m->weights, b->acting->weights, m->net.weights_size * sizeof *m->weights);
    m->derived_for = 0;
    b->renews = 0;
    for (done = 0; done < b->updates; done += l->updates_at_once) {
        int const left = b->updates - done, some = risei_minimum(left, l->updates_at_once);
        risei_learner_renew_priorities(l, b->renews);
        drawn = risei_background_draw(b, some);
        b->renews = drawn * m->desc->batch_parts;
        if (some == left) {
            risei_background_set_phase(b, RISEI_PHASE_COMPUTE);
            RISEI_BACKGROUND_PHASE(RISEI_PHASE_COMPUTE);
        }
        for (i = 0; i < drawn; i++) risei_background_update(b, i * m->desc->batch_parts);
    }
}

#ifdef RISE_THREADS
/* Runs in the worker: computes one round after another until b->stop is 1. */
RISEI_FN void risei_background_work(void *argument)
{
    risei_background *const b = (risei_background *)argument;
    risei_thread_use_batch_policy(); /* waking this thread must not take the game's core */
    risei_lock_take(&b->lock);
    while (!b->stop) {
        if (b->phase == RISEI_PHASE_IDLE) {
            risei_condition_wait(&b->change, &b->lock);
            continue;
        }
        risei_lock_release(&b->lock);
        RISEI_BACKGROUND_PHASE(RISEI_PHASE_REPLAY);
        risei_background_compute(b);
        risei_background_set_phase(b, RISEI_PHASE_IDLE);
        RISEI_BACKGROUND_PHASE(RISEI_PHASE_IDLE);
        risei_lock_take(&b->lock);
    }
    risei_lock_release(&b->lock);
}
/* Starts the worker. Returns 0 if the system refuses. */
RISEI_FN int risei_background_begin(risei_background *b)
{
    b->process = risei_thread_process();
    if (!risei_lock_begin(&b->lock)) return 0;
    if (!risei_condition_begin(&b->change)) {
        risei_lock_end(&b->lock);
        return 0;
    }
    b->begun = risei_thread_begin(&b->worker, risei_background_work, b);
    if (b->begun) return 1;
    risei_condition_end(&b->change);
    risei_lock_end(&b->lock);
    return 0;
}
/* Waits until the worker is idle, then ends it. Does nothing if this process has no worker. */
RISEI_FN void risei_background_end(risei_background *b)
{
    if (!risei_background_has_worker(b)) return;
    risei_background_wait(b, 0);
    risei_lock_take(&b->lock);
    b->stop = 1;
    risei_condition_wake_all(&b->change);
    risei_lock_release(&b->lock);
    risei_thread_end(&b->worker);
    risei_condition_end(&b->change);
    risei_lock_end(&b->lock);
}
#endif /* RISE_THREADS */

/* Waits until the worker uses neither the replay buffer nor the frozen encoder. Every API call that
   uses one of the two waits first, with two exceptions. rise_agent_learn_for calls
   risei_background_is_idle. rise_agent_publish first reads the encoder's fingerprint, which never
   changes. */
RISEI_FN void risei_background_leave_replay(risei_background *b) { risei_background_wait(b, 1); }
/* Waits until the round in progress is computed. */
RISEI_FN void risei_background_finish(risei_background *b) { risei_background_wait(b, 0); }
/* Returns whether the worker is idle. Returns 1 if this process has no worker. */
RISEI_FN int risei_background_is_idle(risei_background *b)
{
    int idle = 1;
#ifdef RISE_THREADS
    if (risei_background_has_worker(b)) {
        risei_lock_take(&b->lock);
        idle = b->phase == RISEI_PHASE_IDLE;
        risei_lock_release(&b->lock);
    }
#endif
    (void)b;
    return idle;
}
/* Returns whether fork made this process while the worker computed a round. Then a part of the
   learner's state may be older than the rest, and the round can never end. */
RISEI_FN int risei_background_is_torn(const risei_background *b)
{
#ifdef RISE_THREADS
    return b->begun && !risei_background_has_worker(b) && b->phase != RISEI_PHASE_IDLE;
#else
    (void)b;
    return 0;
#endif
}
/* Puts the round that was started into effect: acting uses the round's weights from now on. Waits
   for the worker. Returns RISE_OK, also if no round was started or an update of the round failed.
   If risei_background_is_torn, does nothing and returns RISE_UNAVAILABLE. */
RISEI_FN rise_result risei_background_apply(risei_background *b, rise_error *error)
{
    risei_model *acting = b->acting, *learning = b->learner->model;
    rise_real *const old = acting->weights;
    if (!b->started) return RISE_OK;
    if (risei_background_is_torn(b))
        return risei_fail(error, RISE_UNAVAILABLE,
                          "fork came while an update was computed; load this agent from a file");
    risei_background_finish(b);
    b->started = 0;
    acting->weights = learning->weights, learning->weights = old;
    acting->updates = learning->updates, acting->metrics = learning->metrics;
    acting->derived_for = 0;
    risei_learner_renew_priorities(b->learner, b->renews);
    b->renews = 0;
    return RISE_OK;
}
/* Puts the round that was started into effect, as risei_background_apply does. Returns the result
   of the last round, once: later calls return RISE_OK until the next round. If
   risei_background_is_torn, returns RISE_UNAVAILABLE. */
RISEI_FN rise_result risei_background_use(risei_background *b, rise_error *error)
{
    rise_result result = risei_background_apply(b, error);
    if (result != RISE_OK) return result;
    result = (rise_result)b->result;
    b->result = RISE_OK;
    if (result != RISE_OK && error != NULL) *error = b->error;
    return result;
}
/* Starts a round of `updates` updates. The worker must be idle. If fork left this process without
   the worker, computes the round at once, on the caller's thread. */
RISEI_FN void risei_background_start(risei_background *b, int updates, int64_t now)
{
    risei_learner_log_start(b->learner, now);
    b->updates = updates, b->now = now;
    b->result = RISE_OK;
    b->started = 1;
    risei_background_set_phase(b, RISEI_PHASE_REPLAY); /* the worker begins */
    if (!risei_background_has_worker(b)) risei_background_compute(b);
}
/* Puts the last round into effect and starts one of `updates` updates. Returns the result of the
   last round. If the last round cannot be put into effect, starts no round and returns
   RISE_UNAVAILABLE. */
RISEI_FN rise_result risei_background_next(risei_background *b, int updates, int64_t now,
                                           rise_error *error)
{
    rise_result const result = risei_background_use(b, error);
    if (!b->started) risei_background_start(b, updates, now);
    return result;
}
/* Returns 0 if the worker is not idle. Otherwise puts the last round into effect, and starts a
   round of one update if an update is due. Returns the number of updates put into effect, or the
   negative result of risei_background_use. A part of a snapshot counts as an update. */
RISEI_FN int risei_background_poll(risei_background *b, int64_t now, rise_error *error)
{
    risei_learner *l = b->learner;
    rise_result result;
    int done;
    if (!risei_background_is_idle(b)) return 0;
    done = b->started ? b->updates : 0;
    result = risei_background_use(b, error);
    if (risei_learner_is_due(l) && !b->started) {
        l->owed_steps -= l->model->desc->learn_period;
        risei_background_start(b, 1, now);
    }
    return result == RISE_OK ? done : (int)result;
}
/* Returns what is wrong with the round that was started, or NULL. */
RISEI_FN const char *risei_background_wrong(const risei_background *b)
{
    int64_t const more = b->learner->model->updates - b->acting->updates;
    if (more < 0 || (more > 0 && !b->started)) return "the updates of a round are wrong";
    if (b->renews > 0 && !b->started) return "a round that was not started renews priorities";
    return risei_learner_wrong_draws(b->learner, b->renews);
}
#endif /* !RISE_PLAY_ONLY */

/* ---------------------------------------------------------------------------------------------- */
/* >>calls: what the game passes to the agent in one call

   Holds the arguments of a call that steps environments or players, and their checks. Main type:
   risei_call. Uses replay, embedder, model. Test: tests/rules.c. */

/* The arguments of one call that steps environments or players. Element i of an array belongs to
   lane first + i. */
typedef struct risei_call {
    int first, end; /* lanes first .. end - 1 */
    const uint8_t *frames;
    const float *numbers, *rewards;
    const rise_event *events;
    const uint8_t *allowed; /* NULL: all actions */
    int *actions;
    /* 0: `actions` is only written. 1: `actions` is also read, except for absent lanes and last
       frames. An element that is read is the caller's action, or -1 if the agent is to choose. */
    int given;
} risei_call;

/* Returns a call of lanes first .. end - 1 in which the agent chooses all actions. */
RISEI_FN risei_call risei_call_of(int first, int end, const uint8_t *frames, const float *numbers,
                                  const float *rewards, const rise_event *events,
                                  const uint8_t *allowed, int *actions)
{
    risei_call c;
    c.first = first, c.end = end;
    c.frames = frames, c.numbers = numbers, c.rewards = rewards;
    c.events = events, c.allowed = allowed, c.actions = actions;
    c.given = 0;
    return c;
}
/* Returns a lane's observation. The embedding of its frame is row `lane` of m->embeddings. */
RISEI_FN risei_observation risei_call_observation(const risei_call *c, const risei_model *m,
                                                  const risei_history *h, int lane)
{
    ptrdiff_t const i = lane - c->first;
    risei_observation o;
    o.frame = h->frame_bytes > 0 ? c->frames + i * h->frame_bytes : NULL;
    o.numbers = h->numbers > 0 ? c->numbers + i * h->numbers : NULL;
    o.embedding = m->embeddings + (ptrdiff_t)lane * h->embedding_size;
    o.reward = c->rewards[i];
    o.event = (int)c->events[i];
    o.allowed = c->allowed != NULL ? c->allowed + i * m->desc->actions : NULL;
    return o;
}
/* Checks an observation: its event against the lane's previous event, its reward, its numbers and
   its mask. Does not check the reward at RISE_FIRST. The event must not be RISE_ABSENT. `who` names
   the lane in error sentences: "environment" or "player". The mask must allow an action, except at
   RISE_TERMINATED. RISE_TRUNCATED is no exception, because the target of a truncated episode
   bootstraps from the last frame. */
RISEI_FN rise_result risei_call_check_step(const rise_agent_desc *d, const char *who,
                                           const risei_history *h, int lane,
                                           const risei_observation *o, rise_error *error)
{
    const uint8_t *const allowed = o->allowed;
    float const reward = o->reward;
    int const event = o->event;
    int i;
    if (event < RISE_FIRST || event > RISE_TRUNCATED)
        return risei_fail(error, RISE_BAD_CALL, "event %d of %s %d is none of rise_event", event,
                          who, lane);
    if (event != RISE_FIRST && risei_history_ended(h, lane))
        return risei_fail(error, RISE_BAD_CALL,
                          "%s %d has no episode in progress; its next frame must be RISE_FIRST",
                          who, lane);
    if (event != RISE_FIRST && !risei_finite(reward))
        return risei_fail(error, RISE_NOT_FINITE, "the reward of %s %d is not a finite number", who,
                          lane);
    for (i = 0; i < d->numbers; i++)
        if (!risei_finite(o->numbers[i]))
            return risei_fail(error, RISE_NOT_FINITE, "number %d of %s %d is not finite", i, who,
                              lane);
    for (i = 0; i < d->actions && allowed != NULL; i++)
        if (allowed[i] != 0) return RISE_OK;
    if (allowed != NULL && event != RISE_TERMINATED)
        return risei_fail(error, RISE_BAD_CALL, "the mask of %s %d allows no action", who,
                          lane);
    return RISE_OK;
}
/* Checks the observations of a call, and computes the embeddings of their frames. Skips absent
   lanes. Changes nothing but model->embeddings, so a refused call has no effect. `who`: see
   risei_call_check_step. */
RISEI_FN rise_result risei_call_check(const risei_call *c, const risei_model *m, const char *who,
                                      const risei_history *h, rise_error *error)
{
    rise_result result = RISE_OK;
    int lane;
    for (lane = c->first; lane < c->end && result == RISE_OK; lane++) {
        risei_observation const o = risei_call_observation(c, m, h, lane);
        if (o.event == RISE_ABSENT) continue;
        result = risei_call_check_step(m->desc, who, h, lane, &o, error);
        if (result == RISE_OK)
            result = risei_embedder_embed_checked(
                &m->device, m->embedder, o.frame,
                m->embeddings + (ptrdiff_t)lane * h->embedding_size, error);
    }
    return result;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>actor: the training environments

   Holds a lane for each environment that the agent learns from. Stores what the environments
   report, and chooses their actions. Main type: risei_actor. Uses statistics, frames, targets,
   replay, embedder, model, calls. Tests: tests/rules.c, tests/agent.c. */

#ifndef RISE_PLAY_ONLY
enum { RISEI_RETURNS = 100 }; /* episodes over which mean_return is taken */

typedef struct risei_actor {
    risei_model *model;
    risei_replay *replay; /* a lane for each environment */
    risei_states states;
    double *lane_return; /* [environments] of the episode in progress */
    double *returns;     /* [RISEI_RETURNS] ring buffer of the last episodes' returns */
    risei_random explore_random;
    /* of all environments so far; episodes of demonstrators do not count, their steps do */
    int64_t steps, episodes;
} risei_actor;

RISEI_FN void risei_actor_layout(risei_arena *arena, risei_actor *a)
{
    int const environments = a->model->desc->environments;
    risei_states_layout(arena, &a->states, &a->model->net, environments);
    a->lane_return = RISEI_TAKE(arena, double, environments);
    a->returns = RISEI_TAKE(arena, double, RISEI_RETURNS);
}
RISEI_FN double risei_actor_epsilon(const rise_agent_desc *d, int64_t now)
{
    return risei_model_schedule(d, now, d->epsilon_start < 0 ? 0 : d->epsilon_start,
                                d->epsilon_end < 0 ? 0 : d->epsilon_end, d->epsilon_steps);
}
/* Returns an action for the newest slot of a lane. Batch row `row` of the pass belongs to the lane.
   With probability epsilon the action is a random allowed one, else the greedy one. Returns 0 at
   the end of an episode. Always draws both whether to explore and a random action. So the position
   in the random stream does not depend on epsilon. */
RISEI_FN int risei_actor_choose(risei_actor *a, double epsilon, int lane, int row)
{
    const risei_history *h = &a->replay->history;
    int const actions = a->model->desc->actions;
    ptrdiff_t const slot = risei_history_newest(h, lane);
    const uint8_t *mask = risei_history_mask(h, slot);
    const rise_real *q = a->model->pass.heads.q + (ptrdiff_t)row * actions;
    int const explores = (double)risei_random_uniform(&a->explore_random) < epsilon;
    int i, pick, allowed = 0;
    for (i = 0; i < actions; i++) allowed += risei_mask_allows(mask, i);
    pick = risei_random_below(&a->explore_random, allowed > 0 ? allowed : 1);
    for (i = 0; i < actions - 1; i++)
        if (risei_mask_allows(mask, i) && pick-- == 0) break;
    if (risei_event_is_last(h->events[slot])) return 0;
    return explores ? i : risei_best_action(actions, q, mask);
}
/* Adds the reward to the return of a lane's episode. At RISE_FIRST, ignores the reward and sets the
   return to 0. Stores the return of an episode that ended or was cut. `cut`: RISE_FIRST came in the
   middle of an episode. */
RISEI_FN void risei_actor_count_return(risei_actor *a, int lane, float reward, int event)
{
    int const first = event == RISE_FIRST;
    int const cut = first && !risei_history_ended(&a->replay->history, lane);
    double *const sum = &a->lane_return[lane];
    if (cut || risei_event_is_last(event)) {
        a->returns[a->episodes % RISEI_RETURNS] = *sum + (cut ? 0 : (double)reward);
        a->episodes++;
    }
    *sum = first ? 0 : *sum + (double)reward;
}
/* Returns whether environment `lane` is a demonstrator: the agent never acts there. */
RISEI_FN int risei_actor_demonstrates(const rise_agent_desc *d, int lane)
{
    return lane >= d->environments - d->demonstrators;
}
/* Checks the range and the mask of each given action. Fails if a demonstrator has no given action.
   Skips absent environments and last frames. `c` must hold all environments, so first is 0. */
RISEI_FN rise_result risei_actor_check_given(const risei_actor *a, const risei_call *c,
                                             rise_error *error)
{
    const rise_agent_desc *const d = a->model->desc;
    int lane;
    for (lane = 0; lane < c->end; lane++) {
        const uint8_t *mask = c->allowed != NULL ? c->allowed + (ptrdiff_t)lane * d->actions : NULL;
        int action;
        if (c->events[lane] == RISE_ABSENT || risei_event_is_last((int)c->events[lane])) continue;
        action = c->given ? c->actions[lane] : -1;
        if (action < -1 || action >= d->actions)
            return risei_fail(error, RISE_BAD_CALL,
                              "the action of environment %d is %d; it must be -1..%d", lane, action,
                              d->actions - 1);
        if (action >= 0 && mask != NULL && mask[action] == 0)
            return risei_fail(error, RISE_BAD_CALL,
                              "action %d of environment %d is not allowed by its mask", action,
                              lane);
        if (action < 0 && risei_actor_demonstrates(d, lane))
            return risei_fail(error, RISE_BAD_CALL,
                              "environment %d is a demonstrator; pass its action to "
                              "rise_agent_observe, or RISE_ABSENT",
                              lane);
    }
    return RISE_OK;
}
/* Stores the observation of each environment that is not absent. Updates the returns and the
   statistics. The embeddings must be in model->embeddings. Returns how many environments take a
   step: those that are not absent and whose episode has not ended. */
RISEI_FN int risei_actor_observe(risei_actor *a, const risei_call *c)
{
    risei_model *m = a->model;
    risei_history *h = &a->replay->history;
    int lane, acting = 0;
    for (lane = 0; lane < h->lanes; lane++) {
        risei_observation const o = risei_call_observation(c, m, h, lane);
        if (o.event == RISE_ABSENT) continue;
        if (!risei_actor_demonstrates(m->desc, lane))
            risei_actor_count_return(a, lane, o.reward, o.event);
        acting += !risei_event_is_last(o.event);
        risei_frames_observe(m->frame_statistics, o.frame);
        if (h->embedding_size > 0 && !m->embedder->statistics.frozen)
            risei_statistics_observe(&m->embedder->statistics, o.embedding);
        risei_replay_append(a->replay, lane, &o, m->desc->actions);
        if (h->numbers > 0 && !m->number_statistics->frozen)
            risei_statistics_observe(m->number_statistics,
                                     h->raw_numbers + risei_history_newest(h, lane) * h->numbers);
    }
    return acting;
}
/* Writes the actions of all environments to c->actions: given actions stay, others are chosen.
   Writes 0 for absent environments and for environments whose episode ended. Stores each action in
   the lane's newest slot, unless the lane is absent. The network computes Q for all lanes that are
   neither absent nor given. If epsilon is 1, all chosen actions are random and the network does not
   run. With carry_state the network always runs, for all lanes that are not absent, because the
   pass updates the carried states. */
RISEI_FN void risei_actor_act(risei_actor *a, const risei_call *c)
{
    risei_history *h = &a->replay->history;
    double const epsilon = risei_actor_epsilon(a->model->desc, a->steps);
    int const carries = a->model->desc->carry_state;
    risei_acting acting;
    int lane, row;
    acting.history = h;
    acting.lane = a->model->lane;
    acting.states = a->states;
    for (acting.count = lane = 0; lane < h->lanes; lane++) {
        int const absent = c->events[lane] == RISE_ABSENT;
        int const last = risei_event_is_last((int)c->events[lane]);
        int const given = c->given && !absent && !last && c->actions[lane] >= 0;
        if (!given) c->actions[lane] = absent || last ? 0 : -1;
        if (!absent && (!given || carries)) a->model->lane[acting.count++] = lane;
        if (given) h->actions[risei_history_newest(h, lane)] = (int16_t)c->actions[lane];
    }
    if (acting.count > 0 && (epsilon < 1 || carries))
        risei_model_act(a->model, RISEI_USE_ACT, &acting);
    for (row = 0; row < acting.count; row++) {
        lane = acting.lane[row];
        if (c->actions[lane] >= 0 && !risei_event_is_last((int)c->events[lane])) continue;
        /* at the end of an episode, draws random numbers and chooses 0 */
        c->actions[lane] = risei_actor_choose(a, epsilon, lane, row);
        h->actions[risei_history_newest(h, lane)] = (int16_t)c->actions[lane];
    }
}
/* Returns how many frames were stored over all environments, overwritten frames included. A file
   holds this number only together with the replay buffer. After an agent is loaded without its
   replay buffer, the number starts at 0. Steps are added to owed_steps only if both this number and
   actor.steps exceed learn_start. */
RISEI_FN int64_t risei_actor_seen(const risei_actor *a)
{
    const risei_history *h = &a->replay->history;
    int64_t seen = 0;
    int lane;
    for (lane = 0; lane < h->lanes; lane++) seen += h->written[lane];
    return seen;
}
#endif /* !RISE_PLAY_ONLY */

/* ---------------------------------------------------------------------------------------------- */
/* >>players: characters that play and do not learn

   Holds a short history for each player. A player is a character in a game. Main type:
   risei_players. Uses random, targets, network, replay, embedder, model, calls. Tests:
   tests/rules.c, tests/players.c. */

typedef struct risei_players {
    risei_model *model;
    risei_history history; /* a lane for each player; capacity: risei_replay_reach + 1 */
    risei_states states;
    rise_real *q;  /* [players][actions] of each player's last call */
    int *has_q;    /* [players] 1: the player's row of q is valid */
    float *epsilon, *temperature; /* [players], see rise_agent_set_player */
    rise_real *weights;           /* [actions] scratch: see risei_players_draw */
    risei_random random;
} risei_players;

RISEI_FN void risei_players_layout(risei_arena *arena, risei_players *p)
{
    const rise_agent_desc *d = p->model->desc;
    size_t const players = (size_t)d->players;
    risei_history_layout(arena, &p->history);
    risei_states_layout(arena, &p->states, &p->model->net, d->players);
    p->q = RISEI_TAKE(arena, rise_real, players * (size_t)d->actions);
    p->has_q = RISEI_TAKE(arena, int, players);
    p->epsilon = RISEI_TAKE(arena, float, players);
    p->temperature = RISEI_TAKE(arena, float, players);
    p->weights = RISEI_TAKE(arena, rise_real, d->actions);
}
/* Draws an allowed action. The probability of action i is p->weights[i], divided by the sum of
   p->weights over all allowed actions. Returns 0 if no action is allowed. */
RISEI_FN int risei_players_draw(risei_players *p, const uint8_t *mask)
{
    int const actions = p->model->desc->actions;
    rise_real sum = 0, at;
    int i, last = 0;
    for (i = 0; i < actions; i++)
        if (risei_mask_allows(mask, i)) sum = sum + p->weights[i];
    at = sum * risei_random_uniform(&p->random);
    for (i = 0; i < actions; i++) {
        if (!risei_mask_allows(mask, i)) continue;
        last = i;
        at = at - p->weights[i];
        if (at < 0) break;
    }
    return last;
}
/* Returns a player's action for q [actions]: see rise_agent_set_player. Draws random numbers only
   for players that are not greedy. `allowed`: [actions] bytes; NULL: all actions. */
RISEI_FN int risei_players_choose(risei_players *p, int player, const rise_real *q,
                                  const uint8_t *allowed)
{
    int const actions = p->model->desc->actions;
    float const epsilon = p->epsilon[player];
    rise_real const temperature = (rise_real)p->temperature[player];
    uint8_t mask[256 / 8]; /* for the most actions that an agent has */
    int i, best;
    risei_mask_write(mask, allowed, actions);
    best = risei_best_action(actions, q, mask);
    if (epsilon > 0 && (float)risei_random_uniform(&p->random) < epsilon) {
        for (i = 0; i < actions; i++) p->weights[i] = 1;
        return risei_players_draw(p, mask);
    }
    if (!(temperature > 0)) return best;
    /* An action that is not allowed may have a larger q, and then a very large weight.
       risei_players_draw does not read the weights of such actions. */
    for (i = 0; i < actions; i++) p->weights[i] = (q[i] - q[best]) / temperature;
    p->model->device.kernels->exp(actions, p->weights, p->weights);
    return risei_players_draw(p, mask);
}

/* Runs a pass of the players in model->lane [count], whose newest observations are stored already.
   Writes the Q values of these players to p->q, and their actions to c->actions and the history. */
RISEI_FN void risei_players_act(risei_players *p, const risei_call *c, int count)
{
    risei_model *m = p->model;
    risei_history *h = &p->history;
    size_t const actions = (size_t)m->desc->actions;
    risei_acting acting;
    int row;
    acting.history = h;
    acting.lane = m->lane, acting.count = count;
    acting.states = p->states;
    if (count > 0) risei_model_act(m, RISEI_USE_PLAY, &acting);
    for (row = 0; row < count; row++) {
        int const player = m->lane[row];
        int *const action = &c->actions[player - c->first];
        rise_real *const q = p->q + (size_t)player * actions;
        risei_observation const o = risei_call_observation(c, m, &p->history, player);
        memcpy(q, m->pass.heads.q + (size_t)row * actions, actions * sizeof *q);
        p->has_q[player] = 1;
        *action = risei_event_is_last(o.event) ? 0
                                               : risei_players_choose(p, player, q, o.allowed);
        h->actions[risei_history_newest(h, player)] = (int16_t)*action;
    }
}
/* Plays one step of the players of a call, at most risei_pass_lanes of them in one pass. If one
   observation is refused, no player moves. */
RISEI_FN rise_result risei_players_play(risei_players *p, const risei_call *c,
                                        rise_error *error)
{
    risei_model *m = p->model;
    int const most = risei_pass_lanes(m->desc);
    rise_result const result = risei_call_check(c, m, "player", &p->history, error);
    int player, count = 0;
    if (result != RISE_OK) return result;
    for (player = c->first; player < c->end; player++) {
        risei_observation const o = risei_call_observation(c, m, &p->history, player);
        c->actions[player - c->first] = 0;
        if (o.event != RISE_ABSENT) {
            risei_history_append(&p->history, player, &o, m->desc->actions);
            m->lane[count++] = player;
        }
        if (count == most || player == c->end - 1) {
            risei_players_act(p, c, count);
            count = 0;
        }
    }
    return RISE_OK;
}

/* ---------------------------------------------------------------------------------------------- */
/* >>advice: what the log says about the use of an agent

   Measures how long actions take, and notices common mistakes: see rise_advice. Main type:
   risei_advice. Uses threads, targets, network, replay, model, learner, background, actor. Test:
   tests/advice.c. */

#ifndef RISE_PLAY_ONLY
/* An examination needs so many steps since the last one, or since the agent was made or loaded:
   RISEI_ADVICE_STEPS of all environments together, and RISEI_ADVICE_STEPS_EACH of each environment
   on average. With one environment and 60 steps a second, the first examination comes after 83
   seconds. With many environments, 5000 steps may be too few to see a reward. No measurement of
   other numbers is recorded. */
enum { RISEI_ADVICE_STEPS = 5000, RISEI_ADVICE_STEPS_EACH = 500 };
/* One of RISEI_ADVICE_CALLS calls is measured. Reading the clock twice takes about 0.1
   microseconds, and an action of the smallest agents about 5. */
enum { RISEI_ADVICE_CALLS = 64 };

typedef struct risei_advice {
    risei_model *model;
    unsigned given;     /* bits of rise_advice */
    double action_time; /* moving average, in microseconds */
    int calls;          /* modulo RISEI_ADVICE_CALLS; 1: this call is measured */
    int64_t steps;      /* at the last examination */
    float reward;              /* the first reward, if has_reward is 1 */
    int has_reward;
    int rewards_differ;        /* 1: a later reward differed from `reward` */
    int length;                /* steps of the first terminated episode; 0: none yet */
    int lengths_differ;        /* 1: a later terminated episode had another number of steps */
    int frames_differ;         /* 1: a frame, or numbers, differed from those of the slot before */
    uint8_t allowed[256 / 8];  /* a bit for each action that a mask allowed */
    int all_allowed;           /* 1: all bits of `allowed` are set */
    double clock, waited;      /* seconds, at the last examination */
    int64_t owed;              /* updates that were due at the last examination */
} risei_advice;

/* Logs a sentence about `advice` and sets its bit in a->given. Does nothing if the bit is set
   already. `text` is a printf format for `x` and `y`. */
RISEI_FN void risei_advice_give(risei_advice *a, rise_advice advice, const char *text, double x,
                                double y)
{
    char line[200];
    if ((a->given & (unsigned)advice) != 0) return;
    a->given |= (unsigned)advice;
    snprintf(line, sizeof line, text, x, y);
    risei_log(a->model->desc, "rise: %s", line);
}
/* Gives advice about the number of threads and the compiler's options, when an agent is made. Sets
   a->clock for the first examination. */
RISEI_FN void risei_advice_begin(risei_advice *a)
{
#ifdef RISE_THREADS
    const rise_agent_desc *const d = a->model->desc;
    int const wanted = d->threads + risei_learns_in_background(d);
    long const cores = risei_thread_cores();
    if (cores > 0 && wanted > 1 && wanted > cores)
        risei_advice_give(a, RISE_ADVICE_THREADS,
                          risei_learns_in_background(d)
                              ? "%.0f threads share %.0f cores, so the agent is slower; lower "
                                "threads or set background = -1"
                              : "%.0f threads share %.0f cores, so the agent is slower; lower "
                                "threads",
                          wanted, (double)cores);
#endif
#if defined(__GNUC__) && !defined(__OPTIMIZE__)
    risei_advice_give(a, RISE_ADVICE_NOT_OPTIMIZED,
                      "compiled without optimization, so the agent is many times slower; use -O2",
                      0, 0);
#endif
    a->clock = risei_model_clock(a->model->desc);
}
/* Prepares the advice of a loaded agent, as if the agent had just been examined. The next
   examination comes as many steps later as after any other. Updates that were owed in the file
   cause no advice. */
RISEI_FN void risei_advice_load(risei_advice *a, const risei_actor *actor, const risei_learner *l)
{
    a->steps = actor->steps;
    a->owed = l->owed_steps / a->model->desc->learn_period;
    a->clock = risei_model_clock(a->model->desc);
}
/* Counts the call that begins. Returns the time in seconds if this call is measured, else 0. */
RISEI_FN double risei_advice_call_begins(risei_advice *a)
{
    a->calls = (a->calls + 1) % RISEI_ADVICE_CALLS;
    return a->calls == 1 ? risei_model_clock(a->model->desc) : 0;
}
RISEI_FN void risei_advice_call_ends(risei_advice *a, double before)
{
    if (a->calls != 1) return;
    risei_model_average(&a->action_time, (risei_model_clock(a->model->desc) - before) * 1e6);
}
/* Returns the lowest action that no mask allowed, or -1. */
RISEI_FN int risei_advice_unused_action(const risei_advice *a)
{
    int i;
    if (!a->model->desc->action_masks) return -1;
    for (i = 0; i < a->model->desc->actions; i++)
        if (!risei_mask_allows(a->allowed, i)) return i;
    return -1;
}
/* Notes which actions the mask of a slot allows. */
RISEI_FN void risei_advice_note_mask(risei_advice *a, const risei_history *h, ptrdiff_t slot)
{
    int i;
    for (i = 0; i < h->mask_bytes; i++)
        a->allowed[i] = (uint8_t)(a->allowed[i] | h->masks[slot * h->mask_bytes + i]);
    a->all_allowed = risei_advice_unused_action(a) < 0;
}
/* Notes the newest slot of a lane. Notes which actions the mask of the slot allows. At the first
   frame of an episode, notes nothing else. Otherwise notes whether the reward differs from the
   first reward, and whether a terminated episode has another length than the first one. Also notes
   whether the frame or the numbers differ from those of the slot before. After the first such
   difference, compares no more frames and numbers. */
RISEI_FN void risei_advice_note(risei_advice *a, const risei_history *h, int lane)
{
    ptrdiff_t const slot = risei_history_newest(h, lane);
    ptrdiff_t before;
    size_t const bytes = (size_t)h->frame_bytes;
    size_t const numbers = (size_t)h->numbers * sizeof *h->raw_numbers;
    float const reward = h->rewards[slot];
    if (h->mask_bytes > 0 && !a->all_allowed) risei_advice_note_mask(a, h, slot);
    if (h->episode_frame[slot] == 0) return; /* a first frame comes without a reward */
    if (!a->has_reward) a->reward = reward;
    a->rewards_differ |= a->has_reward && (reward < a->reward || reward > a->reward);
    a->has_reward = 1;
    if (h->events[slot] == RISE_TERMINATED) {
        if (a->length == 0) a->length = h->episode_frame[slot];
        a->lengths_differ |= h->episode_frame[slot] != a->length;
    }
    if (a->frames_differ) return;
    before = risei_history_slot(h, lane, h->written[lane] - 2);
    a->frames_differ = memcmp(h->frames + slot * h->frame_bytes,
                              h->frames + before * h->frame_bytes, bytes) != 0 ||
                       memcmp(h->raw_numbers + slot * h->numbers,
                              h->raw_numbers + before * h->numbers, numbers) != 0;
}
/* Examines what was noted of rewards, lengths of episodes, frames, numbers and masks. `steps`:
   since the last examination. Nearly all of this advice comes in the first examination, because
   later notes can only remove a reason for it. Frames and numbers are examined only after a reward
   was read, so RISE_ADVICE_SAME_FRAME can come later. */
RISEI_FN void risei_advice_examine_game(risei_advice *a, double steps)
{
    int const unused = risei_advice_unused_action(a);
    if (!a->has_reward)
        risei_advice_give(a, RISE_ADVICE_SAME_REWARD,
                          "%.0f frames came with RISE_FIRST, so no reward was read; pass "
                          "RISE_MIDDLE after the first frame of an episode",
                          steps, 0);
    /* Equal rewards other than 0 are no mistake if the lengths of episodes differ. The agent can
       then learn to make episodes longer (reward above 0) or shorter (reward below 0). */
    else if (!a->rewards_differ && !(a->lengths_differ && (a->reward < 0 || a->reward > 0)))
        risei_advice_give(a, RISE_ADVICE_SAME_REWARD,
                          "every reward was %g in %.0f steps, so there is nothing to learn; a "
                          "reward with RISE_FIRST is not read: pass it with the episode's last "
                          "frame",
                          (double)a->reward, steps);
    if (!a->frames_differ && a->has_reward)
        risei_advice_give(a, RISE_ADVICE_SAME_FRAME,
                          "no observation differed from the one before in %.0f steps; draw the "
                          "frame before each call",
                          steps, 0);
    if (unused >= 0)
        risei_advice_give(a, RISE_ADVICE_UNUSED_ACTION,
                          "the masks never allowed action %.0f in %.0f steps; check `allowed`, or "
                          "lower actions",
                          unused, steps);
}
/* Examines the length of episodes. */
RISEI_FN void risei_advice_examine_episodes(risei_advice *a, const risei_replay *r)
{
    const rise_agent_desc *d = a->model->desc;
    double const steps = r->ended > 0 ? (double)r->ended_steps / (double)r->ended : 0;
    if (a->model->net.memory->recurrent && !d->carry_state && steps > d->window)
        risei_advice_give(a, RISE_ADVICE_LONG_EPISODES,
                          "episodes have %.0f steps, and the agent remembers %.0f; if it must "
                          "remember longer, raise window or set carry_state = 1",
                          steps, d->window);
}
/* Gives RISE_ADVICE_SLOW_UPDATES if calls waited for more than a tenth of the time since the last
   examination. With learn_outside, also gives this advice if more than half of the updates that
   became due were not done. Stores the values that the next examination compares with. `steps`:
   since the last examination. */
RISEI_FN void risei_advice_examine_updates(risei_advice *a, const risei_learner *l,
                                           const risei_background *b, int64_t steps)
{
    const rise_agent_desc *d = a->model->desc;
    double const now = risei_model_clock(d), passed = now - a->clock;
    double const waited = b->waited - a->waited;
    int64_t const owed = l->owed_steps / d->learn_period, more = owed - a->owed;
    if (passed > 0 && waited > 0.1 * passed)
        risei_advice_give(a, RISE_ADVICE_SLOW_UPDATES,
                          "%.0f%% of the time was spent waiting for updates; raise learn_period, "
                          "or lower batch, features or window",
                          100 * waited / passed, 0);
    /* a single owed update may just have become due, hence owed > 1 */
    if (d->learn_outside && owed > 1 && 2 * more * d->learn_period > steps)
        risei_advice_give(a, RISE_ADVICE_SLOW_UPDATES,
                          "%.0f updates are due and not done; learn more often, give "
                          "rise_agent_learn_for more time, or raise learn_period",
                          (double)owed, 0);
    a->clock = now, a->waited = b->waited, a->owed = owed;
}
/* Notes a step of all environments that are not absent. Examines the agent after every
   RISEI_ADVICE_STEPS steps of all environments together, but not before
   RISEI_ADVICE_STEPS_EACH steps of each environment on average. */
RISEI_FN void risei_advice_step(risei_advice *a, const risei_actor *actor, const rise_event *events,
                                const risei_learner *l, const risei_background *b)
{
    const risei_history *h = &actor->replay->history;
    int64_t const each = (int64_t)RISEI_ADVICE_STEPS_EACH * h->lanes;
    int lane;
    for (lane = 0; lane < h->lanes; lane++)
        if (events[lane] != RISE_ABSENT) risei_advice_note(a, h, lane);
    if (actor->steps < a->steps + RISEI_ADVICE_STEPS || actor->steps < a->steps + each) return;
    risei_advice_examine_game(a, (double)(actor->steps - a->steps));
    risei_advice_examine_episodes(a, actor->replay);
    risei_advice_examine_updates(a, l, b, actor->steps - a->steps);
    a->steps = actor->steps;
}
/* Examines a call of rise_agent_learn_for that got `microseconds`. */
RISEI_FN void risei_advice_learn_for(risei_advice *a, const risei_learner *l, double microseconds)
{
    /* timed: with a coarse clock, the mean of a few parts is not exact */
    if (microseconds > 0 && microseconds < l->part_time && l->timed >= 4)
        risei_advice_give(a, RISE_ADVICE_SLOW_UPDATES,
                          "rise_agent_learn_for gets %.0f us and a part of an update takes %.0f, "
                          "so a call can take longer; raise batch_parts or set background = 1",
                          microseconds, l->part_time);
}
#endif /* !RISE_PLAY_ONLY */

/* ---------------------------------------------------------------------------------------------- */
/* >>agent: the public object, which owns a model, a replay buffer, a learner, an actor and players

   Holds the functions of >>api-agent that create, train, play and query an agent. These functions
   check their arguments and call the rooms above. Main type: rise_agent. Uses statistics, frames,
   recurrent, network, replay, frozen, embedder, describe, model, learner, background, calls,
   actor, players, advice. Tests: tests/rules.c, tests/agent.c. */

/* Pointers to the arrays and numbers that rise_agent_publish copies: all that acting uses and
   learning changes. The sizes of the arrays follow from the model. */
typedef struct risei_policy {
    rise_real *weights;     /* [net.weights_size] */
    uint8_t *mean;          /* [bytes of a frame], unless raw_frames is 1 */
    rise_real *shift, *gain; /* [embedding_size], if frames are embedded */
    rise_real *number_shift, *number_gain; /* [desc.numbers] */
    rise_real *snapshot;    /* [encoder.snapshot_weights] */
    rise_real *factor;      /* of the scale of frames */
    /* of frames, embeddings and numbers: 1 if their statistics are frozen */
    int *frames_frozen, *embeddings_frozen, *numbers_frozen;
} risei_policy;

/* What rise_agent_publish copied last. Only a play_only agent with background = 1 uses this. */
typedef struct risei_published {
    risei_policy policy;
    rise_real factor;
    int frames_frozen, embeddings_frozen, numbers_frozen;
    int fresh;    /* 1: `policy` is newer than what the agent uses */
    int has_lock; /* 1: the lock was made */
#ifdef RISE_THREADS
    risei_lock lock; /* guards the members above, except has_lock */
#endif
} risei_published;

struct rise_agent {
    rise_agent_desc desc; /* resolved */
    rise_error error;     /* of the last call that failed */
    void *block;          /* memory to free; NULL: the caller owns it (memory_block) */
    size_t bytes;
    risei_frames frames;
    risei_statistics numbers; /* of the numbers of observations */
    risei_embedder embedder;
    risei_model model;
    risei_players players;
#ifndef RISE_PLAY_ONLY
    risei_model learning; /* with `background`: the learner's model; else unused */
    risei_replay replay;
    risei_learner learner;
    risei_background background;
    risei_actor actor;
    risei_published published;
    risei_advice advice;
#endif
};

#ifndef RISE_PLAY_ONLY
/* -- What rise_agent_publish copies -- */

/* Returns the arrays and numbers that an agent acts with. */
RISEI_FN risei_policy risei_policy_of(rise_agent *a)
{
    risei_policy p;
    p.weights = a->model.weights;
    p.mean = a->frames.mean;
    p.shift = a->embedder.statistics.shift, p.gain = a->embedder.statistics.gain;
    p.number_shift = a->numbers.shift, p.number_gain = a->numbers.gain;
    p.snapshot = a->embedder.encoder.weights;
    p.factor = &a->frames.scale.factor;
    p.frames_frozen = &a->frames.statistics_frozen;
    p.embeddings_frozen = &a->embedder.statistics.frozen;
    p.numbers_frozen = &a->numbers.frozen;
    return p;
}
/* Copies `count` numbers of `bytes` bytes each. Returns whether a number in `to` has changed. */
RISEI_FN int risei_policy_copy_array(void *to, const void *from, size_t count, size_t bytes)
{
    if (count == 0 || memcmp(to, from, count * bytes) == 0) return 0;
    memcpy(to, from, count * bytes);
    return 1;
}
/* Copies a policy of the shape that `a` has. Returns whether embeddings of frames may change:
   whether anything but the weights and the statistics of numbers has changed. */
RISEI_FN int risei_policy_copy(const rise_agent *a, const risei_policy *to,
                               const risei_policy *from)
{
    const risei_net *n = &a->model.net;
    size_t const size = n->embeds ? (size_t)a->embedder.encoder.size : 0;
    size_t const snapshot = n->embeds ? a->embedder.encoder.snapshot_weights : 0;
    size_t const mean = a->frames.standardises ? a->frames.bytes : 0;
    size_t const numbers = (size_t)a->numbers.size;
    int changed = 0;
    memcpy(to->weights, from->weights, n->weights_size * sizeof *to->weights);
    changed |= risei_policy_copy_array(to->mean, from->mean, mean, 1);
    changed |= risei_policy_copy_array(to->factor, from->factor, 1, sizeof *to->factor);
    changed |= risei_policy_copy_array(to->frames_frozen, from->frames_frozen, 1, sizeof(int));
    changed |= risei_policy_copy_array(to->embeddings_frozen, from->embeddings_frozen, 1,
                                       sizeof(int));
    changed |= risei_policy_copy_array(to->shift, from->shift, size, sizeof *to->shift);
    changed |= risei_policy_copy_array(to->gain, from->gain, size, sizeof *to->gain);
    changed |= risei_policy_copy_array(to->snapshot, from->snapshot, snapshot,
                                       sizeof *to->snapshot);
    /* embeddings do not depend on numbers */
    risei_policy_copy_array(to->number_shift, from->number_shift, numbers, sizeof *to->shift);
    risei_policy_copy_array(to->number_gain, from->number_gain, numbers, sizeof *to->gain);
    *to->numbers_frozen = *from->numbers_frozen;
    return changed;
}
/* Lets the agent act with what was copied to risei_policy_of(a). `changed`: the result of
   risei_policy_copy. If `changed` is 1, embeds the frames of the players again. */
RISEI_FN void risei_policy_use(rise_agent *a, int changed)
{
    risei_model *m = &a->model;
    m->derived_for = 0;
    a->frames.scale.mean = NULL; /* stays NULL if the published statistics are not frozen */
    if (a->frames.standardises && a->frames.statistics_frozen)
        risei_frames_use(&a->frames, a->frames.scale.factor);
    if (changed)
        risei_embedder_refresh(&m->device, m->embedder, &a->players.history, m->embeddings);
}
RISEI_FN void risei_published_layout(risei_arena *arena, rise_agent *a)
{
    risei_published *p = &a->published;
    const risei_frozen *encoder = &a->embedder.encoder;
    if (!a->desc.background) return;
    p->policy.weights = RISEI_TAKE(arena, rise_real, a->model.net.weights_size);
    p->policy.mean = RISEI_TAKE(arena, uint8_t, a->frames.standardises ? a->frames.bytes : 0);
    p->policy.shift = RISEI_TAKE(arena, rise_real, encoder->size);
    p->policy.gain = RISEI_TAKE(arena, rise_real, encoder->size);
    p->policy.snapshot = RISEI_TAKE(arena, rise_real, encoder->snapshot_weights);
    p->policy.number_shift = RISEI_TAKE(arena, rise_real, a->numbers.size);
    p->policy.number_gain = RISEI_TAKE(arena, rise_real, a->numbers.size);
    p->policy.factor = &p->factor;
    p->policy.frames_frozen = &p->frames_frozen;
    p->policy.embeddings_frozen = &p->embeddings_frozen;
    p->policy.numbers_frozen = &p->numbers_frozen;
}
#ifdef RISE_THREADS
/* Makes the lock. Returns 0 if the system refuses. */
RISEI_FN int risei_published_begin(risei_published *p)
{
    return p->has_lock = risei_lock_begin(&p->lock);
}
#endif
/* Lets a play_only agent act with what was published since the agent last played. Does not wait: if
   rise_agent_publish holds the lock, does nothing, and a later call takes what was published. */
RISEI_FN void risei_published_take(rise_agent *a)
{
#ifdef RISE_THREADS
    risei_published *p = &a->published;
    risei_policy const own = risei_policy_of(a);
    int fresh, changed = 0;
    if (!p->has_lock || !risei_lock_try(&p->lock)) return;
    fresh = p->fresh;
    if (fresh) changed = risei_policy_copy(a, &own, &p->policy);
    p->fresh = 0;
    risei_lock_release(&p->lock);
    if (fresh) risei_policy_use(a, changed);
#endif
    (void)a;
}
/* Compares the fields that must be equal for publishing. Returns the name of the first that
   differs, or NULL. Of embedding_file, compares the weights, not the file name. */
RISEI_FN const char *risei_published_differs(const rise_agent *learner, const rise_agent *receiver)
{
    const rise_agent_desc *a = &learner->desc, *b = &receiver->desc;
    /* fields that change the number or the meaning of the weights, but have no `shape` in
       risei_fields */
    static const char *const meaning[] = {"noisy",         "spectral_norm", "raw_frames",
                                          "context_scale", "value_min",     "value_max",
                                          "value_rescale"};
    int i, j, l;
    for (i = 0; i < RISEI_FIELDS; i++) {
        const risei_field *f = &risei_fields[i];
        int needed = f->shape && strcmp(f->name, "environments") != 0;
        double const x = risei_field_get(f, a), y = risei_field_get(f, b);
        for (j = 0; j < RISEI_COUNT(meaning); j++) needed |= strcmp(f->name, meaning[j]) == 0;
        if (needed && (x < y || x > y)) return f->name;
    }
    for (l = 0; l < a->conv_count; l++)
        if (memcmp(&a->conv[l], &b->conv[l], sizeof a->conv[l]) != 0) return "conv";
    if (risei_embedder_fingerprint(&learner->embedder) !=
        risei_embedder_fingerprint(&receiver->embedder))
        return "embedding_file";
    return a->seed != b->seed ? "seed" : NULL;
}
RISE_API rise_result rise_agent_publish(rise_agent *learner, rise_agent *receiver)
{
    risei_policy from, own;
    const char *differs;
    if (learner == NULL || receiver == NULL) return RISE_BAD_CALL;
    if (!receiver->desc.play_only)
        return risei_fail(&learner->error, RISE_BAD_CALL,
                          "receiver is not play_only; make it with play_only = 1");
    if (receiver == learner) return RISE_OK;
    if (receiver->desc.weights != NULL)
        return risei_fail(&learner->error, RISE_BAD_CALL,
                          "the receiver reads its weights in place, so they cannot change; load "
                          "the receiver with rise_agent_load");
    differs = risei_published_differs(learner, receiver);
    if (differs != NULL)
        return risei_fail(&learner->error, RISE_MISMATCH,
                          "%s of the receiver is not that of the learner; make the receiver with "
                          "the learner's description and play_only = 1",
                          differs);
    risei_background_leave_replay(&learner->background);
    from = risei_policy_of(learner), own = risei_policy_of(receiver);
#ifdef RISE_THREADS
    if (receiver->published.has_lock) {
        risei_lock_take(&receiver->published.lock);
        risei_policy_copy(receiver, &receiver->published.policy, &from);
        receiver->published.fresh = 1;
        risei_lock_release(&receiver->published.lock);
        return RISE_OK;
    }
#endif
    risei_policy_use(receiver, risei_policy_copy(receiver, &own, &from));
    return RISE_OK;
}

/* Sets the members that learning needs and that follow from the resolved description. Copies some
   members that risei_agent_plan sets, so risei_agent_plan calls this function last. */
RISEI_FN void risei_agent_plan_learning(rise_agent *a)
{
    const rise_agent_desc *desc = &a->desc;
    risei_history *training = &a->replay.history;
    a->learning = a->model;
    a->learner.model = risei_learns_in_background(&a->desc) ? &a->learning : &a->model;
    a->actor.model = a->background.acting = a->advice.model = &a->model;
    a->background.learner = &a->learner;
    a->learner.replay = a->actor.replay = &a->replay;
    a->learner.players_history = &a->players.history;
    *training = a->players.history;
    training->lanes = desc->environments;
    training->capacity = desc->replay_capacity / desc->environments;
    training->restart = risei_replay_restart(desc->window_stride);
    if (desc->stored_state)
        training->state_size = risei_cell_state_size(a->model.net.cell.kind, desc->recurrent_units);
    a->replay.reach = risei_replay_reach(desc);
    a->replay.n_step = desc->n_step;
    a->replay.window_stride = desc->window_stride;
    a->replay.discount = desc->discount;
}
#endif
/* Zeroes *a, then sets members that follow from the resolved description. risei_agent_layout sets
   further members, such as the sizes of frames, statistics and batches. Takes no memory. */
RISEI_FN void risei_agent_plan(rise_agent *a, const rise_agent_desc *desc)
{
    risei_history *playing = &a->players.history;
    memset(a, 0, sizeof *a);
    a->desc = *desc;
    a->model.desc = &a->desc;
    risei_net_make(&a->model.net, desc);
    a->model.frame_statistics = &a->frames;
    a->model.number_statistics = &a->numbers;
    a->model.embedder = &a->embedder;
    a->players.model = &a->model;
    playing->frame_bytes = desc->frame_width * desc->frame_height * desc->frame_channels;
    playing->embedding_size = a->model.net.embeds ? desc->embedding_size : 0;
    playing->f32 = desc->embedding_f32 != 0 || sizeof(rise_real) == 8;
    playing->numbers = desc->numbers;
    playing->mask_bytes = desc->action_masks ? risei_ceil_div(desc->actions, 8) : 0;
    playing->lanes = desc->players;
    playing->capacity = risei_replay_reach(desc) + 1;
    playing->restart = INT32_MAX;
#ifndef RISE_PLAY_ONLY
    risei_agent_plan_learning(a);
#endif
}
/* Takes the arrays of a planned agent from the arena. An arena without a base only counts bytes. */
RISEI_FN void risei_agent_layout(risei_arena *arena, rise_agent *a)
{
    const rise_agent_desc *d = &a->desc;
    risei_frames_layout(arena, &a->frames, d);
    risei_statistics_layout(arena, &a->numbers, d->numbers);
    if (a->model.net.embeds)
        risei_embedder_layout(arena, &a->embedder, d, &a->frames.scale);
#ifdef RISE_PLAY_ONLY
    risei_model_layout(arena, &a->model, risei_pass_lanes(d), 0, 1);
    risei_players_layout(arena, &a->players);
#else
    if (risei_learns_in_background(&a->desc)) {
        risei_model_layout(arena, &a->model, risei_pass_lanes(d), 0, 1);
        risei_model_layout(arena, &a->learning, 0, risei_pass_batch(d), d->threads);
    } else {
        risei_model_layout(arena, &a->model, risei_pass_lanes(d),
                           d->play_only ? 0 : risei_pass_batch(d), d->threads);
    }
    risei_players_layout(arena, &a->players);
    if (d->play_only) {
        risei_published_layout(arena, a);
        return;
    }
    risei_replay_layout(arena, &a->replay);
    risei_learner_layout(arena, &a->learner);
    risei_actor_layout(arena, &a->actor);
#endif
}
/* Returns how many bytes an agent needs, or 0 if the number is above RISEI_SIZE_MAX. Includes
   RISEI_ALIGN bytes, because the block may be unaligned. */
RISEI_FN size_t risei_agent_measure(const rise_agent_desc *resolved)
{
    rise_agent plan;
    risei_arena arena;
    risei_agent_plan(&plan, resolved);
    memset(&arena, 0, sizeof arena);
    risei_arena_take(&arena, 1, sizeof(rise_agent));
    risei_agent_layout(&arena, &plan);
    return arena.overflow ? 0 : arena.used + RISEI_ALIGN;
}
/* Returns the name of the field to lower if an agent needs too much memory. */
RISEI_FN const char *risei_agent_largest_field(const rise_agent_desc *d)
{
    return d->play_only ? "players" : "replay_capacity";
}
RISEI_FN rise_result risei_agent_refuse_size(const rise_agent_desc *d, rise_error *error)
{
    return risei_fail(error, RISE_NO_MEMORY,
                      "the agent does not fit into the address space; lower %s",
                      risei_agent_largest_field(d));
}
#ifndef RISE_PLAY_ONLY
RISE_API size_t rise_agent_bytes(const rise_agent_desc *desc, rise_error *error)
{
    rise_agent_desc resolved;
    size_t bytes;
    if (desc == NULL) {
        risei_fail(error, RISE_BAD_CALL, "desc is NULL");
        return 0;
    }
    resolved = *desc;
    if (risei_resolve(&resolved, error) != RISE_OK) return 0;
    bytes = risei_agent_measure(&resolved);
    if (bytes == 0) risei_agent_refuse_size(&resolved, error);
    return bytes;
}

#endif /* !RISE_PLAY_ONLY */
/* Checks that this build and this machine have the kernels and the threads of the description. */
RISEI_FN rise_result risei_agent_check_machine(const rise_agent_desc *resolved, rise_error *error)
{
    if (rise_kernels_of(resolved->isa) == NULL)
        return risei_fail(error, RISE_UNAVAILABLE,
                          "isa is %d, which this machine or build lacks; 0 takes the best kernels",
                          (int)resolved->isa);
#ifndef RISE_THREADS
    if (resolved->threads > 1)
        return risei_fail(
            error, RISE_UNAVAILABLE,
            "threads is %d; for more than 1, define RISE_THREADS beside RISE_IMPLEMENTATION",
            resolved->threads);
    if (resolved->background > 0) /* RISE_PLAY_ONLY leaves -1 as it is */
        return risei_fail(error, RISE_UNAVAILABLE,
                          "background is 1; define RISE_THREADS beside RISE_IMPLEMENTATION, or set "
                          "background to -1");
#endif
    return RISE_OK;
}
/* Sets *block to at least `bytes` bytes: the caller's memory_block or, without one, memory from
   calloc. A memory_bytes above 0 limits both. With RISE_PLAY_ONLY, fails without a memory_block.
   Refuses bytes = 0, the result of risei_agent_measure for too large sizes. */
RISEI_FN rise_result risei_agent_get_block(const rise_agent_desc *d, size_t bytes,
                                           unsigned char **block, rise_error *error)
{
    if (bytes == 0) return risei_agent_refuse_size(d, error);
    if (d->memory_bytes > 0 && bytes > d->memory_bytes)
        return risei_fail(
            error, RISE_NO_MEMORY,
            "the agent needs %.0f bytes and memory_bytes is %.0f; raise memory_bytes or, in a new "
            "agent, lower %s",
            (double)bytes, (double)d->memory_bytes, risei_agent_largest_field(d));
    *block = (unsigned char *)d->memory_block;
    if (*block != NULL && d->memory_bytes == 0)
        return risei_fail(error, RISE_BAD_DESC, "memory_bytes is 0; say how large memory_block is");
#ifndef RISE_PLAY_ONLY
    if (*block == NULL) *block = (unsigned char *)calloc(bytes, 1);
#endif
    if (*block == NULL)
        return risei_fail(error, RISE_NO_MEMORY, "the system refused %.0f bytes; lower %s",
                          (double)bytes, risei_agent_largest_field(d));
    return RISE_OK;
}
/* Places an agent and its arrays in a block of `bytes` bytes. Returns the agent. */
RISEI_FN rise_agent *risei_agent_place(const rise_agent_desc *resolved, unsigned char *block,
                                       size_t bytes)
{
    size_t const misaligned = (size_t)((uintptr_t)block % RISEI_ALIGN);
    risei_arena arena;
    rise_agent *a;
    memset(&arena, 0, sizeof arena);
    arena.zeroed = resolved->memory_block == NULL;
    arena.base = block + (RISEI_ALIGN - misaligned) % RISEI_ALIGN;
    a = (rise_agent *)risei_arena_take(&arena, 1, sizeof(rise_agent));
    risei_agent_plan(a, resolved);
    risei_agent_layout(&arena, a);
    a->block = resolved->memory_block == NULL ? block : NULL;
    a->bytes = bytes;
    a->model.device.kernels = rise_kernels_of(resolved->isa);
#ifndef RISE_PLAY_ONLY
    a->learning.device.kernels = a->model.device.kernels;
#endif
    return a;
}
/* Starts the workers of room threads and the worker of room background, and makes the lock of
   a->published. Draws the weights, initialises the frozen encoder, and sets up the random streams.
   On failure, the caller destroys the agent. */
RISEI_FN rise_result risei_agent_start(rise_agent *a, rise_error *error)
{
#ifdef RISE_PLAY_ONLY
    rise_result const result = risei_model_initialise(&a->model, error);
#else
    risei_model *const learning = a->learner.model;
    rise_result result;
#ifdef RISE_THREADS
    risei_device *d = &learning->device;
    if (d->threads != NULL &&
        !risei_threads_begin(d->threads, a->desc.threads, risei_learns_in_background(&a->desc),
                             d->scratch, d->scratch_bytes)) {
        d->threads = NULL;
        return risei_fail(error, RISE_UNAVAILABLE,
                          "the system refuses %d threads; set threads lower", a->desc.threads);
    }
    if (risei_learns_in_background(&a->desc) && !risei_background_begin(&a->background))
        return risei_fail(error, RISE_UNAVAILABLE,
                          "the system refuses a thread; set background to -1");
    if (a->desc.play_only && a->desc.background && !risei_published_begin(&a->published))
        return risei_fail(error, RISE_UNAVAILABLE,
                          "the system refuses a lock; set background to -1");
#endif
    result = risei_model_initialise(&a->model, error);
    if (learning != &a->model)
        memcpy(learning->weights, a->model.weights,
               a->model.net.weights_size * sizeof *learning->weights);
    if (!a->desc.play_only) risei_learner_initialise(&a->learner);
    a->actor.explore_random =
        risei_random_stream(a->desc.seed, RISEI_RANDOM_EXPLORE_OF(a->desc.process));
#endif
    a->players.random =
        risei_random_stream(a->desc.seed, RISEI_RANDOM_PLAY_OF(a->desc.process));
    return result;
}
/* Makes an agent from a resolved description. On failure, frees what was allocated and leaves
   *agent unchanged. */
RISEI_FN rise_result risei_agent_make(rise_agent **agent, const rise_agent_desc *resolved,
                                      rise_error *error)
{
    rise_agent *a;
    unsigned char *block = NULL;
    size_t bytes;
    rise_result result = risei_agent_check_machine(resolved, error);
    if (result != RISE_OK) return result;
    bytes = risei_agent_measure(resolved);
    result = risei_agent_get_block(resolved, bytes, &block, error);
    if (result != RISE_OK) return result;
    a = risei_agent_place(resolved, block, bytes);
    result = risei_agent_start(a, error);
    if (result != RISE_OK) {
        rise_agent_destroy(a);
        return result;
    }
#ifndef RISE_PLAY_ONLY
    risei_log(&a->desc, "rise: %.0f parameters, %.1f MB, %s kernels",
              (double)a->model.net.parameters, (double)a->bytes / 1e6,
              a->model.device.kernels->name);
    risei_advice_begin(&a->advice);
#endif
    *agent = a;
    return RISE_OK;
}
#ifndef RISE_PLAY_ONLY
RISE_API rise_result rise_agent_create(rise_agent **agent, const rise_agent_desc *desc,
                                       rise_error *error)
{
    rise_agent_desc resolved;
    rise_result result;
    if (agent != NULL) *agent = NULL;
    if (agent == NULL || desc == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "desc");
    resolved = *desc;
    result = risei_resolve(&resolved, error);
    return result == RISE_OK ? risei_agent_make(agent, &resolved, error) : result;
}
#endif
RISE_API void rise_agent_destroy(rise_agent *agent)
{
    if (agent == NULL) return;
#ifdef RISE_THREADS
    risei_background_end(&agent->background);
    if (agent->published.has_lock) risei_lock_end(&agent->published.lock);
    if (agent->learner.model->device.threads != NULL)
        risei_threads_end(agent->learner.model->device.threads, agent->desc.threads);
#endif
#ifndef RISE_PLAY_ONLY
    free(agent->block);
#endif
}

/* -- Training -- */

/* Checks that no needed array of a call is NULL. Checks that `frames` is NULL if agents of this
   description see no frames, and `numbers` if they see no numbers. Checks no element. */
RISEI_FN rise_result risei_agent_check_call(rise_agent *a, const risei_call *c)
{
    const rise_agent_desc *d = &a->desc;
    const char *const missing = c->frames == NULL && d->frame_width > 0 ? "frames"
                                : c->rewards == NULL ? "rewards"
                                : c->events == NULL  ? "events"
                                : c->actions == NULL ? "actions"
                                                     : NULL;
    if (missing != NULL) return risei_fail(&a->error, RISE_BAD_CALL, "%s is NULL", missing);
    if (c->frames != NULL && d->frame_width == 0)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "frames is not NULL and desc.frame_width is 0; pass NULL");
    if (c->numbers == NULL && d->numbers > 0)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "numbers is NULL and desc.numbers is %d; rise_agent_step and "
                          "rise_agent_play pass no numbers, the functions with _numbers do",
                          d->numbers);
    if (c->numbers != NULL && d->numbers == 0)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "numbers is not NULL and desc.numbers is 0; pass NULL");
    return RISE_OK;
}
#ifndef RISE_PLAY_ONLY
RISEI_FN rise_result risei_agent_check_arguments(rise_agent *a, const risei_call *c)
{
    rise_result result;
    if (a->desc.play_only)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "a play_only agent has no environments; use rise_agent_play");
    result = risei_agent_check_call(a, c);
    if (result != RISE_OK) return result;
    if ((c->allowed != NULL) != a->desc.action_masks)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "allowed is%s NULL and desc.action_masks is %d; pass allowed if, and "
                          "only if, action_masks is 1",
                          c->allowed == NULL ? "" : " not", a->desc.action_masks);
    return RISE_OK;
}
/* Does the updates that are due, up to the first that fails. Returns the result of the last of
   them, or RISE_OK if none is due. In the background, if updates are due: puts the round of an
   earlier call into effect, then starts a round of these updates. Returns the result of the earlier
   round. */
RISEI_FN rise_result risei_agent_learn_due(rise_agent *a)
{
    risei_learner *l = &a->learner;
    rise_result result = RISE_OK;
    risei_learner_drop_owed(l);
    if (risei_learns_in_background(&a->desc)) {
        int const due = (int)(l->owed_steps / a->desc.learn_period);
        if (!risei_learner_is_due(l)) return RISE_OK;
        if (!risei_background_is_torn(&a->background)) l->owed_steps %= a->desc.learn_period;
        return risei_background_next(&a->background, due, a->actor.steps, &a->error);
    }
    while (result == RISE_OK && risei_learner_is_due(l)) {
        l->owed_steps -= a->desc.learn_period;
        result = rise_agent_learn(a);
    }
    return result;
}
/* Does one step of all environments: see rise_agent_step_all and rise_agent_observe. */
RISEI_FN rise_result risei_agent_step_call(rise_agent *a, const risei_call *call)
{
    rise_result result;
    double before;
    int acting;
    risei_background_leave_replay(&a->background);
    before = risei_advice_call_begins(&a->advice);
    result = risei_agent_check_arguments(a, call);
    if (result == RISE_OK)
        result = risei_call_check(call, &a->model, "environment", &a->replay.history, &a->error);
    if (result == RISE_OK) result = risei_actor_check_given(&a->actor, call, &a->error);
    if (result != RISE_OK) return result;
    acting = risei_actor_observe(&a->actor, call);
    risei_actor_act(&a->actor, call);
    a->actor.steps += acting;
    risei_advice_call_ends(&a->advice, before);
    risei_advice_step(&a->advice, &a->actor, call->events, &a->learner, &a->background);
    if (a->actor.steps > a->desc.learn_start && risei_actor_seen(&a->actor) > a->desc.learn_start)
        a->learner.owed_steps += acting;
    return a->desc.learn_outside ? RISE_OK : risei_agent_learn_due(a);
}
RISE_API rise_result rise_agent_step_all(rise_agent *a, const uint8_t *frames, const float *numbers,
                                         const float *rewards, const rise_event *events,
                                         const uint8_t *allowed, int *actions)
{
    risei_call call;
    if (a == NULL) return RISE_BAD_CALL;
    call = risei_call_of(0, a->desc.environments, frames, numbers, rewards, events, allowed,
                         actions);
    return risei_agent_step_call(a, &call);
}
RISE_API rise_result rise_agent_observe(rise_agent *a, const uint8_t *frames, const float *numbers,
                                        const float *rewards, const rise_event *events,
                                        const uint8_t *allowed, int *actions)
{
    risei_call call;
    if (a == NULL) return RISE_BAD_CALL;
    call = risei_call_of(0, a->desc.environments, frames, numbers, rewards, events, allowed,
                         actions);
    call.given = 1;
    return risei_agent_step_call(a, &call);
}
RISE_API int rise_agent_step_numbers(rise_agent *a, const uint8_t *frame, const float *numbers,
                                     float reward, rise_event event)
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
    if (frame == NULL && a->desc.frame_width > 0)
        return risei_fail(&a->error, RISE_BAD_CALL, "frame is NULL");
    result = rise_agent_step_all(a, frame, numbers, &reward, &event, NULL, &action);
    return result == RISE_OK ? action : (int)result;
}
RISE_API int rise_agent_step(rise_agent *a, const uint8_t *frame, float reward, rise_event event)
{
    return rise_agent_step_numbers(a, frame, NULL, reward, event);
}
RISE_API rise_result rise_agent_learn(rise_agent *a)
{
    rise_result result;
    double before;
    /* The owed steps that this call subtracts: learn_period if learn_outside is 1 and an update is
       due, else 0. If learn_outside is 0, risei_agent_learn_due has subtracted already, or this
       update is an extra one. */
    int64_t due;
    if (a == NULL) return RISE_BAD_CALL;
    if (a->desc.play_only)
        return risei_fail(&a->error, RISE_BAD_CALL, "a play_only agent does not learn");
    risei_background_leave_replay(&a->background);
    if (a->replay.ready == 0)
        return risei_fail(
            &a->error, RISE_BAD_CALL,
            "the replay buffer holds no transition yet; pass an episode to its end, or at least %d "
            "frames of one",
            a->desc.n_step + a->desc.window_stride);
    due = a->desc.learn_outside && risei_learner_is_due(&a->learner) ? a->desc.learn_period : 0;
    if (risei_learns_in_background(&a->desc)) {
        if (!risei_background_is_torn(&a->background)) a->learner.owed_steps -= due;
        return risei_background_next(&a->background, 1, a->actor.steps, &a->error);
    }
    before = risei_model_clock(&a->desc);
    result = risei_learner_update(&a->learner, a->actor.steps, &a->error);
    if (result != RISE_OK) return result;
    a->learner.owed_steps -= due;
    risei_learner_measure_time(&a->learner, before);
    return RISE_OK;
}
RISE_API int rise_agent_learn_for(rise_agent *a, double microseconds)
{
    if (a == NULL) return RISE_BAD_CALL;
    if (!(microseconds >= 0 && microseconds <= 1e12))
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "microseconds is %g; it must be between 0 and 1e12", microseconds);
    if (a->desc.processes > 1 && !a->desc.play_only)
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "processes is %d; call rise_agent_learn instead, because all processes "
                          "must do the same number of updates",
                          a->desc.processes);
    if (risei_learns_in_background(&a->desc))
        return risei_background_poll(&a->background, a->actor.steps, &a->error);
    risei_advice_learn_for(&a->advice, &a->learner, microseconds);
    return risei_learner_run_for(&a->learner, a->actor.steps, microseconds, &a->error);
}
RISE_API rise_result rise_agent_snapshot(rise_agent *a)
{
    if (a == NULL) return RISE_BAD_CALL;
    /* the round may set reduce_failed, which risei_learner_snapshot_begin checks */
    if (a->desc.processes > 1) risei_background_finish(&a->background);
    risei_background_leave_replay(&a->background);
    return risei_learner_snapshot_begin(&a->learner, &a->model, &a->error);
}

#endif /* !RISE_PLAY_ONLY */
/* -- Playing -- */

/* Lets the players of a call play. Before their frames are embedded, takes what was published. If
   the call is then refused, what was published stays taken. */
RISEI_FN rise_result risei_agent_play_call(rise_agent *a, const risei_call *call)
{
    rise_result result = risei_agent_check_call(a, call);
#ifdef RISE_PLAY_ONLY
    return result == RISE_OK ? risei_players_play(&a->players, call, &a->error) : result;
#else
    double before = 0;
    if (result != RISE_OK) return result;
    risei_background_leave_replay(&a->background);
    risei_published_take(a);
    if (a->desc.play_only) before = risei_advice_call_begins(&a->advice);
    result = risei_players_play(&a->players, call, &a->error);
    if (a->desc.play_only && result == RISE_OK) risei_advice_call_ends(&a->advice, before);
    return result;
#endif
}
RISEI_FN rise_result risei_agent_check_player(rise_agent *a, int player)
{
    if (player >= 0 && player < a->desc.players) return RISE_OK;
    return risei_fail(&a->error, RISE_BAD_CALL,
                      "player is %d; it must be 0..%d, below desc.players", player,
                      a->desc.players - 1);
}
RISE_API int rise_agent_play_numbers(rise_agent *a, int player, const uint8_t *frame,
                                     const float *numbers, float reward, rise_event event,
                                     const uint8_t *allowed)
{
    risei_call call;
    int action = 0;
    rise_result result;
    if (a == NULL) return RISE_BAD_CALL;
    result = risei_agent_check_player(a, player);
    if (result != RISE_OK) return (int)result;
    if (frame == NULL && a->desc.frame_width > 0)
        return risei_fail(&a->error, RISE_BAD_CALL, "frame is NULL");
    call = risei_call_of(player, player + 1, frame, numbers, &reward, &event, allowed, &action);
    result = risei_agent_play_call(a, &call);
    return result == RISE_OK ? action : (int)result;
}
RISE_API int rise_agent_play(rise_agent *a, int player, const uint8_t *frame, float reward,
                             rise_event event, const uint8_t *allowed)
{
    return rise_agent_play_numbers(a, player, frame, NULL, reward, event, allowed);
}
RISE_API rise_result rise_agent_play_all(rise_agent *a, const uint8_t *frames, const float *numbers,
                                         const float *rewards, const rise_event *events,
                                         const uint8_t *allowed, int *actions)
{
    risei_call call;
    if (a == NULL) return RISE_BAD_CALL;
    call = risei_call_of(0, a->desc.players, frames, numbers, rewards, events, allowed, actions);
    return risei_agent_play_call(a, &call);
}
RISE_API rise_result rise_agent_set_player(rise_agent *a, int player, double epsilon,
                                           double temperature)
{
    risei_value const random = (risei_value)epsilon, heat = (risei_value)temperature;
    rise_result result;
    if (a == NULL) return RISE_BAD_CALL;
    result = risei_agent_check_player(a, player);
    if (result != RISE_OK) return result;
    if (!(random >= 0 && random <= 1) || !(heat >= 0 && heat <= (risei_value)1e6))
        return risei_fail(&a->error, RISE_BAD_CALL,
                          "epsilon is %g and temperature is %g; they must be 0..1 and 0..1e6",
                          epsilon, temperature);
    a->players.epsilon[player] = (float)random;
    a->players.temperature[player] = (float)heat;
    return RISE_OK;
}
RISE_API const rise_real *rise_agent_values(const rise_agent *a, int player)
{
    const risei_players *p;
    if (a == NULL || player < 0 || player >= a->desc.players) return NULL;
    p = &a->players;
    if (!p->has_q[player]) return NULL;
    return p->q + (ptrdiff_t)player * a->desc.actions;
}

/* -- Looking at an agent -- */

#ifndef RISE_PLAY_ONLY
/* Fills in the metrics of an agent that learns. */
RISEI_FN void risei_agent_learning_metrics(const rise_agent *a, rise_metrics *m)
{
    const risei_actor *actor = &a->actor;
    const risei_learner *l = &a->learner;
    const risei_history *h = &a->replay.history;
    const risei_update_metrics *update = &a->model.metrics;
    int const known = actor->episodes < RISEI_RETURNS ? (int)actor->episodes : RISEI_RETURNS;
    int i;
    /* waiting changes nothing of the agent that the caller can see, except `waited` */
    risei_background_leave_replay((risei_background *)(uintptr_t)&a->background);
    m->waited = a->background.waited;
    m->steps = actor->steps, m->episodes = actor->episodes, m->updates = a->model.updates;
    m->updates_owed = l->owed_steps / a->desc.learn_period;
    m->epsilon = risei_actor_epsilon(&a->desc, actor->steps);
    for (i = 0; i < known; i++) m->mean_return += actor->returns[i] / known;
    if (a->replay.ended > 0)
        m->mean_length = (double)a->replay.ended_steps / (double)a->replay.ended;
    m->update_time = update->time;
    m->loss = update->loss, m->mean_value = update->mean_value;
    m->td_error = update->td_error, m->gradient_norm = update->gradient_norm;
    for (i = 0; i < h->lanes; i++) m->replay_size += risei_history_filled(h, i);
    m->replay_ready = a->replay.ready;
    m->refreshing = risei_learner_snapshot_left(l);
    /* the sum tree has 1 + 1/8 + 1/64 + ... = 8/7 doubles a slot */
    m->bytes_per_step = risei_history_slot_bytes(h) + sizeof(double) * 8 / 7;
}
#endif
RISE_API void rise_agent_metrics(const rise_agent *a, rise_metrics *m)
{
    if (m == NULL) return;
    memset(m, 0, sizeof *m);
    m->isa = "";
    if (a == NULL) return;
    m->parameters = risei_net_count(&a->model.net);
    m->bytes = a->bytes;
    m->isa = a->model.device.kernels->name;
    m->fused = a->model.device.kernels->fused;
#ifndef RISE_PLAY_ONLY
    m->action_time = a->advice.action_time;
    m->advice = a->advice.given;
    if (!a->desc.play_only) risei_agent_learning_metrics(a, m);
#endif
}
RISE_API const rise_agent_desc *rise_agent_query(const rise_agent *a)
{
    return a != NULL ? &a->desc : NULL;
}
RISE_API const rise_error *rise_agent_error(const rise_agent *a)
{
#ifdef RISE_PLAY_ONLY
    static const rise_error none = {RISE_BAD_CALL, ""};
#else
    static const rise_error none = {RISE_BAD_CALL, "agent is NULL"};
#endif
    return a != NULL ? &a->error : &none;
}
#ifndef RISE_PLAY_ONLY
RISE_API rise_real *rise_agent_parameters(rise_agent *a)
{
    if (a == NULL || a->desc.weight_bits == 8) return NULL;
    if (risei_learns_in_background(&a->desc)) risei_background_apply(&a->background, &a->error);
    a->learner.part = 0; /* the caller may change the weights that the computed parts used */
    a->learner.optimizer.suspect = 1;
    a->model.derived_for = 0;
    return a->model.weights;
}

/* -- Invariants of an agent -- */

/* Returns what is wrong with the learner, or NULL. `steps`: environment steps so far. The worker of
   room background must be idle, because it changes what this function reads. */
RISEI_FN const char *risei_learner_wrong(const risei_learner *l, int64_t steps)
{
    const risei_model *m = l->model;
    int const snapshots = risei_embedder_takes_snapshots(m->embedder);
    /* 1: the end of the warm-up is in progress */
    int const warm_up = l->snapshots == 0 && l->snapshot_next > 0;
    if (l->owed_steps < 0 || l->owed_steps > steps) return "the count of owed steps is invalid";
    if (l->snapshots < 0 || l->snapshot_next < 0) return "a counter of snapshots is negative";
    if (l->snapshots > 0 && !snapshots)
        return "there was a snapshot, but embedding is not SNAPSHOT";
    if (warm_up && !(m->desc->background && m->net.embeds &&
                     l->snapshot_next > RISEI_SAMPLE_FRAMES))
        return "a snapshot is in progress that never began";
    if (l->snapshot_next > 0 && !m->embedder->statistics.frozen)
        return "a snapshot is in progress that never began";
    if (l->snapshot_next > risei_embedder_snapshot_frames(&l->replay->history))
        return "a snapshot is past its end";
    if (m->updates > 0 && !risei_learner_warmed_up(m)) return "there were updates before learning";
    if (!(l->optimizer.power1 >= 0 && l->optimizer.power1 <= 1 && l->optimizer.power2 >= 0 &&
          l->optimizer.power2 <= 1))
        return "the optimizer's powers are out of range";
    /* between rounds, l->part is 0; risei_background_wrong checks the draws of the round */
    if (m->desc->background) return NULL;
    if (l->part < 0 || l->part >= m->desc->batch_parts) return "the parts of an update are wrong";
    return risei_learner_wrong_draws(l, l->part);
}
#endif /* !RISE_PLAY_ONLY */
/* Returns what is wrong with the agent, or NULL. The worker of room background must be idle, as in
   risei_learner_wrong. Then nothing is wrong after any API call, also a failed one:
   tests/sequences.c checks this. Loading calls this function, because a forged file can have any
   values. */
RISEI_FN const char *risei_agent_wrong(const rise_agent *a)
{
    const risei_frames *f = a->model.frame_statistics;
#ifndef RISE_PLAY_ONLY
    const char *wrong;
#endif
    if (f->statistics_frozen && !(f->scale.factor > 0)) return "the scale of frames is not above 0";
#ifdef RISE_PLAY_ONLY
    return NULL;
#else
    if (a->desc.play_only) return NULL;
    if (a->actor.steps < 0 || a->actor.episodes < 0 || a->model.updates < 0)
        return "a counter is negative";
    wrong = risei_learner_wrong(&a->learner, a->actor.steps);
    if (wrong == NULL && risei_learns_in_background(&a->desc))
        wrong = risei_background_wrong(&a->background);
    return wrong != NULL ? wrong : risei_replay_wrong(&a->replay, a->desc.actions);
#endif
}

/* ---------------------------------------------------------------------------------------------- */
/* >>files: saving and loading agents

   Holds the file format. The function risei_file_visit measures, writes and reads a section with
   the same code. So the code that reads a section expects the layout that was written. There are
   three exceptions. risei_file_read_desc reads the description. risei_file_write_int8 writes the
   8-bit weights of a float agent, and risei_file_visit_weights reads them. In an agent without
   background, risei_file_skip_draws reads the draws of a round.

   Main type: risei_file_header. Uses bytes, statistics, frames, layers, network, optimizer, replay,
   frozen, embedder, describe, model, learner, background, actor, advice, agent. Test:
   tests/files.c.

   A file is a header, a table of sections, and the sections without gaps. Numbers are
   little-endian.
     header  8 bytes 89 'R' 'I' 'S' 'E' 0D 0A 1A | u32 version | u32 flags | u64 file size |
             u32 sections
     table   for each section u32 kind | u32 CRC-32 of its bytes | u64 length;
             then u32 CRC-32 of header and table
   Flags: 1: the kernels used fused multiply-add (see SAME BITS in the manual); 2: the file holds
   the replay buffer; 4: the file holds only a policy. A CRC detects accidental damage, but not a
   forged file. So reading also checks values: their ranges, finite numbers, and what
   risei_agent_wrong checks.

   The first section is the description as text, a line "field=value" for each field, in the form of
   rise_agent_set. A policy with 8-bit weights has only the fields that acting reads. The first line
   is "description=N", where N is the revision of the table of fields. A reader ignores a line that
   begins with '?' if the reader does not know the field. */

/* The version changes when the layout of the header or of a section changes. The revision changes
   when a field is added to risei_fields: see HOW TO ADD A DESCRIPTION FIELD. Readers accept the
   versions RISEI_FILE_VERSION_FIRST .. RISEI_FILE_VERSION. Readers accept a description of any
   revision if they know all of its fields that are not marked with '?'. A reader with
   RISE_PLAY_ONLY does not know the fields that only learning reads. So such a reader refuses every
   newer revision, except in a policy with 8-bit weights, which has no such fields. */
enum {
    RISEI_FILE_VERSION_FIRST = 7,
    RISEI_FILE_VERSION = 7,
    RISEI_DESCRIPTION_REVISION_FIRST = 1,
    RISEI_DESCRIPTION_REVISION = 5
};
enum { RISEI_FILE_FUSED = 1, RISEI_FILE_REPLAY = 2, RISEI_FILE_POLICY = 4 };
/* The kinds of sections, in the order in which a file holds them. */
enum {
    RISEI_SECTION_DESC = 1,
    RISEI_SECTION_ACTING,
    RISEI_SECTION_LEARNING,
    RISEI_SECTION_EPISODES,
    RISEI_SECTIONS = RISEI_SECTION_EPISODES
};
static const unsigned char risei_file_magic[8] = {0x89, 'R', 'I', 'S', 'E', 0x0D, 0x0A, 0x1A};

/* -- The description -- */

enum { RISEI_DESC_BYTES = 8192, RISEI_DESC_LINE = 120 }; /* bytes of the longest text and line */

/* Returns how many rows of risei_fields a file of this description holds. */
RISEI_FN int risei_desc_fields(const rise_agent_desc *desc)
{
    int const all = RISEI_FIELDS, to_act = RISEI_FIELDS_TO_ACT;
    return desc->weight_bits == 8 ? to_act : all;
}

#ifndef RISE_PLAY_ONLY
/* The user data of risei_desc_write_line: the byte stream, and a description to look up fields. */
typedef struct risei_desc_writer {
    risei_io *io;
    rise_agent_desc desc;
    int length; /* bytes written */
} risei_desc_writer;

RISEI_FN void risei_desc_write_line(void *user, const char *text)
{
    risei_desc_writer *w = (risei_desc_writer *)user;
    char line[RISEI_DESC_LINE + 3];
    void *object;
    const risei_field *field = risei_field_find(&w->desc, text, strcspn(text, "="), &object);
    int const optional = field != NULL && field->optional;
    int const length = snprintf(line, sizeof line, "%s%s\n", optional ? "?" : "", text);
    risei_io_numbers(w->io, line, (size_t)length, 1);
    w->length += length;
}
/* Writes the description as text. Writes play_only as 0, because the caller who loads the file
   chooses play_only. The last line, "?pad=...", makes the length a multiple of 64 bytes; readers
   ignore this line. The header and the table of a policy file have 64 bytes together, so the
   weights begin at a multiple of 64. */
RISEI_FN void risei_desc_write(risei_io *f, const rise_agent_desc *desc)
{
    risei_desc_writer w;
    char text[RISEI_DESC_LINE];
    size_t dots;
    w.io = f, w.length = 0;
    w.desc = *desc;
    w.desc.play_only = 0;
    snprintf(text, sizeof text, "description=%d", RISEI_DESCRIPTION_REVISION);
    risei_desc_write_line(&w, text);
    risei_desc_describe(&w.desc, risei_desc_fields(desc), risei_desc_write_line, &w);
    dots = (size_t)(128 - 6 - w.length % 64) % 64; /* the rest of the line has 6 bytes */
    memcpy(text, "?pad=", 5);
    memset(text + 5, '.', dots);
    text[5 + dots] = '\0';
    risei_desc_write_line(&w, text);
}

#endif /* !RISE_PLAY_ONLY */
/* The state of reading a description. */
typedef struct risei_desc_reader {
    rise_agent_desc *desc;
    int revision; /* of the text; 0: its first line has not been read */
    int seed;     /* 1: seed has been read */
    /* marks; 1: the field has been read */
    unsigned char fields[RISEI_FIELDS], conv[RISE_MAX_CONV][RISEI_CONV_FIELDS];
    rise_error *error;
} risei_desc_reader;

RISEI_FN rise_result risei_desc_wrong(const risei_desc_reader *r, const char *what,
                                      const char *name)
{
    return risei_fail(r->error, RISE_BAD_FILE, "the description in the file is wrong: %s %.60s",
                      what, name);
}
/* Returns a pointer to the mark of a field that `object` holds. `object` is r->desc or an element
   of its conv[]. */
RISEI_FN unsigned char *risei_desc_mark_of(risei_desc_reader *r, const risei_field *field,
                                           const void *object)
{
    int l;
    if (object == r->desc) return &r->fields[field - risei_fields];
    for (l = 0; object != &r->desc->conv[l]; l++) {}
    return &r->conv[l][field - risei_conv_fields];
}
RISEI_FN rise_result risei_desc_read_revision(risei_desc_reader *r, const char *value)
{
    uint64_t number;
    if (!risei_seed_read(value, &number) || number < RISEI_DESCRIPTION_REVISION_FIRST ||
        number > 1000000000)
        return risei_desc_wrong(r, "its revision is", value);
    r->revision = (int)number;
    return RISE_OK;
}
/* Reads one line. `line` has no newline. The first line must be the revision. Ignores a line that
   begins with '?' and has an unknown field. With RISE_PLAY_ONLY, fields that only learning reads
   are unknown, so unknown fields of a known revision are ignored, too. */
RISEI_FN rise_result risei_desc_read_line(risei_desc_reader *r, const char *line)
{
    int const ignores = line[0] == '?' ||
                        (!RISEI_LEARNS && r->revision <= RISEI_DESCRIPTION_REVISION);
    const char *const text = line + (line[0] == '?');
    size_t const length = strcspn(text, "=");
    const risei_field *field;
    risei_value value;
    unsigned char *mark;
    void *object;
    if (text[length] != '=') return risei_desc_wrong(r, "bad line:", line);
    if (r->revision == 0)
        return length == 11 && memcmp(text, "description", 11) == 0
                   ? risei_desc_read_revision(r, text + 12)
                   : risei_desc_wrong(r, "it begins with", line);
    if (length == 4 && memcmp(text, "seed", 4) == 0) {
        if (r->seed) return risei_desc_wrong(r, "it repeats", "seed");
        r->seed = 1;
        return risei_seed_read(text + 5, &r->desc->seed) ? RISE_OK
                                                         : risei_desc_wrong(r, "bad line:", line);
    }
    field = risei_field_find(r->desc, text, length, &object);
    if (field == NULL && ignores) return RISE_OK;
    if (field == NULL)
        return risei_fail(r->error,
                          r->revision > RISEI_DESCRIPTION_REVISION ? RISE_NEWER_FILE
                                                                   : RISE_BAD_FILE,
                          "the description has the field \"%.*s\", which this rise.h does not know",
                          length < 60 ? (int)length : 60, text);
    mark = risei_desc_mark_of(r, field, object);
    if (*mark) return risei_desc_wrong(r, "it repeats", field->name);
    *mark = 1;
    if (!risei_field_read(field, text + length + 1, &value))
        return risei_desc_wrong(r, "bad line:", line);
    risei_field_put(field, object, value);
    if (risei_check_range(field, object, "", 0, NULL) == RISE_OK) return RISE_OK;
    return risei_desc_wrong(r, "bad line:", line);
}
/* Sets each field that was not read to its value_before, if a revision after `revision` added the
   field. marks [count]: 1 for each field that was read. Returns the first other field that was not
   read, or NULL if there is none. */
RISEI_FN const risei_field *risei_fields_fill_missing(const risei_field *fields, int count,
                                                      const unsigned char *marks, int revision,
                                                      void *object)
{
    int i;
    for (i = 0; i < count; i++) {
        int const first = RISEI_DESCRIPTION_REVISION_FIRST;
        int const since = fields[i].since != 0 ? fields[i].since : first;
        if (marks[i]) continue;
        if (since <= revision) return &fields[i];
        risei_field_put(&fields[i], object, fields[i].value_before);
    }
    return NULL;
}
RISEI_FN rise_result risei_desc_complete(risei_desc_reader *r)
{
    rise_agent_desc *d = r->desc;
    const risei_field *missing;
    int l;
    if (r->revision == 0 || !r->seed)
        return risei_desc_wrong(r, "it lacks", r->revision == 0 ? "its revision" : "seed");
    missing = risei_fields_fill_missing(risei_fields, risei_desc_fields(d), r->fields, r->revision,
                                        d);
    for (l = 0; l < d->conv_count && missing == NULL; l++)
        missing = risei_fields_fill_missing(risei_conv_fields, RISEI_CONV_FIELDS, r->conv[l],
                                            r->revision, &d->conv[l]);
    return missing != NULL ? risei_desc_wrong(r, "it lacks", missing->name) : RISE_OK;
}
/* Reads the description from a byte stream, up to its limit. */
RISEI_FN rise_result risei_desc_read(rise_agent_desc *desc, risei_io *f, rise_error *error)
{
    char line[RISEI_DESC_LINE + 1];
    risei_desc_reader r;
    rise_result result = RISE_OK;
    int at = 0;
    memset(desc, 0, sizeof *desc);
    memset(&r, 0, sizeof r);
    r.desc = desc, r.error = error;
    while (f->length < f->limit && result == RISE_OK) {
        risei_io_numbers(f, &line[at], 1, 1);
        if (f->failed)
            return risei_fail(error, RISE_IO, "the description could not be read after %.0f bytes",
                              (double)f->length);
        if (line[at] == '\0') return risei_desc_wrong(&r, "a line has", "a zero byte");
        if (line[at] != '\n') {
            if (++at <= RISEI_DESC_LINE) continue;
            return risei_desc_wrong(&r, "a line is", "too long");
        }
        line[at] = '\0', at = 0;
        result = risei_desc_read_line(&r, line);
    }
    if (result != RISE_OK) return result;
    return at > 0 ? risei_desc_wrong(&r, "its last line", "has no end") : risei_desc_complete(&r);
}

/* -- The other sections --

   "Visits" means: counts, measures, writes or reads, as the mode of the byte stream says. */

/* Visits what acting needs of the statistics of frames: statistics_frozen, mean and factor. */
RISEI_FN void risei_file_visit_scale(risei_io *f, risei_frames *s)
{
    int64_t frozen = s->statistics_frozen;
    if (!s->standardises) return;
    risei_io_integers(f, &frozen, 1, "frames.statistics_frozen");
    risei_io_numbers(f, s->mean, s->bytes, 1);
    risei_io_reals(f, &s->scale.factor, 1, 0, "frames.factor");
    if (f->mode != RISEI_IO_READ) return;
    if (frozen != 0)
        risei_frames_use(s, s->scale.factor);
    else
        s->scale.factor = (rise_real)RISEI_FRAMES_RAW;
}
#ifndef RISE_PLAY_ONLY
/* Visits the sums of the statistics of frames. The sums change only until learning starts. */
RISEI_FN void risei_file_visit_frame_statistics(risei_io *f, risei_frames *s)
{
    size_t i;
    if (!s->standardises) return;
    risei_io_integers(f, &s->seen, 1, "frames.seen");
    risei_io_numbers(f, &s->squares, 1, sizeof s->squares);
    risei_io_numbers(f, s->sums, s->bytes, sizeof *s->sums);
    if (s->seen < 0 || s->seen > RISEI_FRAMES_SEEN_MAX) {
        risei_io_invalid(f, "frames.seen");
        return;
    }
    for (i = 0; i < s->bytes && f->mode == RISEI_IO_READ; i++)
        if (s->sums[i] > 255 * s->seen) risei_io_invalid(f, "frames.sums");
}
#endif /* !RISE_PLAY_ONLY */
/* Visits what acting needs of the statistics of embeddings or numbers: frozen, shift and gain. */
RISEI_FN void risei_file_visit_standard(risei_io *f, risei_statistics *s)
{
    int64_t frozen = s->frozen;
    risei_io_integers(f, &frozen, 1, "statistics.frozen");
    s->frozen = frozen != 0;
    risei_io_reals(f, s->shift, (size_t)s->size, -FLT_MAX, "statistics.shift");
    risei_io_reals(f, s->gain, (size_t)s->size, 0, "statistics.gain");
}
/* Visits weights[at] .. weights[end - 1]. If `bytes` is 1, each of these numbers holds four 8-bit
   weights. If the agent reads its weights in place (desc.weights is not NULL), reading only
   compares them with the file. A difference is recorded as an error. */
RISEI_FN void risei_file_visit_part(risei_io *f, const risei_model *m, rise_real *weights,
                                    size_t at, size_t end, int bytes)
{
    const char *const wrong = "a weight is not a finite number";
    rise_real chunk[64], *x;
    size_t part;
    for (; at < end && !f->failed && f->wrong == NULL; at += part) {
        int const in_place = f->mode == RISEI_IO_READ && m->desc->weights != NULL;
        part = in_place && end - at > 64 ? 64 : end - at;
        x = in_place ? chunk : f->mode == RISEI_IO_COUNT ? NULL : weights + at;
        if (bytes)
            risei_io_numbers(f, x, part * sizeof *x, 1);
        else
            risei_io_reals(f, x, part, -FLT_MAX, wrong);
        if (in_place && memcmp(chunk, weights + at, part * sizeof *x) != 0)
            risei_io_invalid(f, "desc.weights are not its weights");
    }
}
/* Visits the model's weights as 16-bit floats, rounded by risei_to_half. In the modes MEASURE and
   WRITE, a weight that is not finite is invalid. In READ, an infinite, NaN or denormal 16-bit float
   is invalid, because risei_to_half never returns one. COUNT adds the whole length at once: a
   forged description can have billions of weights, and a loop over chunks would take seconds. */
RISEI_FN void risei_file_visit_halves(risei_io *f, const risei_model *m)
{
    enum { chunk = 64 };
    rise_real *w = m->weights;
    uint16_t half[chunk];
    size_t left = m->net.weights_size;
    int n, i;
    if (f->mode == RISEI_IO_COUNT) risei_io_numbers(f, NULL, left, sizeof *half), left = 0;
    for (; left > 0 && !f->failed && f->wrong == NULL; w += n, left -= (size_t)n) {
        n = left < chunk ? (int)left : chunk;
        for (i = 0; RISEI_LEARNS && i < n && f->mode != RISEI_IO_READ; i++) {
            if (!(w[i] - w[i] == 0)) risei_io_invalid(f, "a weight is not a finite number");
            half[i] = risei_to_half(w[i]);
        }
        risei_io_numbers(f, half, (size_t)n, sizeof *half);
        if (f->mode != RISEI_IO_READ) continue;
        m->device.kernels->half_to_real(n, half, w);
        for (i = 0; i < n; i++)
            if (risei_to_half(w[i]) != half[i]) risei_io_invalid(f, "a 16-bit weight");
    }
}
/* Visits the model's weights. */
RISEI_FN void risei_file_visit_weights(risei_io *f, risei_model *m)
{
    risei_layer layer;
    size_t at = 0;
    int i;
    if (f->weight_bits == 16) {
        risei_file_visit_halves(f, m);
        return;
    }
    for (i = 0; m->desc->weight_bits == 8 && risei_net_layer(&m->net, i, &layer); i++) {
        risei_file_visit_part(f, m, m->weights, at, layer.weights, 0);
        risei_file_visit_part(f, m, m->weights, layer.weights, layer.scales, 1);
        at = layer.scales;
    }
    risei_file_visit_part(f, m, m->weights, at, m->net.weights_size, 0);
}
#ifndef RISE_PLAY_ONLY
/* Returns the description of the policy that RISE_SAVE_INT8 writes. Noise is left out, and weights
   are written after spectral normalisation. */
RISEI_FN rise_agent_desc risei_file_int8_desc(const rise_agent_desc *desc)
{
    rise_agent_desc d = *desc;
    d.weight_bits = 8;
    d.noisy = d.spectral_norm = 0;
    return d;
}
/* Returns the weights of a layer of floats: [runs * run][outputs]. */
RISEI_FN rise_matrix risei_layer_matrix(const risei_layer *l, const rise_real *w)
{
    if (l->panels) return rise_matrix_panels(w + l->weights, l->runs * l->run, l->outputs);
    return rise_matrix_plain(w + l->weights, l->outputs);
}
/* Returns the scale of output j of a layer of floats: the largest magnitude of its weights, divided
   by 127. Returns 0 in place of a denormal scale, which would have too few bits. Records a weight
   that is not finite. */
RISEI_FN rise_real risei_file_scale(risei_io *f, const risei_layer *l, const rise_matrix *weights,
                                    int j)
{
    const rise_real *const column = weights->data + risei_matrix_column(weights, j);
    rise_real largest = 0;
    int k;
    for (k = 0; k < l->runs * l->run; k++) {
        rise_real const size = risei_abs(column[k * weights->rows.stride[0]]);
        largest = risei_max(largest, size);
        if (!(size <= (rise_real)FLT_MAX)) risei_io_invalid(f, "a weight is not a finite number");
    }
    return largest / 127 < (rise_real)FLT_MIN ? 0 : largest / 127;
}
/* Returns weight (k, j) / scale, rounded to the nearest integer. Returns 0 if the scale is 0. */
RISEI_FN int8_t risei_file_byte(const rise_matrix *weights, int k, int j, rise_real scale)
{
    rise_real const w =
        weights->data[k * weights->rows.stride[0] + risei_matrix_column(weights, j)];
    rise_real const x = scale > 0 ? w / scale : 0;
    return (int8_t)(int)(x + (x < 0 ? (rise_real)-0.5 : (rise_real)0.5));
}
/* Rounds the weights of one block, and measures or writes them. The block has the outputs from
   `first` on, at most RISEI_INT8_BLOCK. The layout is that of rise_int8_product. */
RISEI_FN void risei_file_write_block(risei_io *f, const risei_layer *l, const rise_matrix *weights,
                                     int first)
{
    int const outputs = risei_minimum(l->outputs - first, RISEI_INT8_BLOCK);
    rise_real scale[RISEI_INT8_BLOCK];
    int run, k, j;
    for (j = 0; j < outputs; j++) scale[j] = risei_file_scale(f, l, weights, first + j);
    for (run = 0; run < l->runs; run++)
        for (k = 0; k < l->run && f->wrong == NULL; k += 2) {
            int const at = run * l->run + k;
            int8_t pairs[RISEI_INT8_BLOCK][2];
            memset(pairs, 0, sizeof pairs);
            for (j = 0; j < outputs; j++) {
                pairs[j][0] = risei_file_byte(weights, at, first + j, scale[j]);
                if (k + 1 < l->run)
                    pairs[j][1] = risei_file_byte(weights, at + 1, first + j, scale[j]);
            }
            risei_io_numbers(f, pairs, (size_t)outputs * 2, 1);
        }
}
/* Measures or writes a layer of floats as a layer of 8-bit weights. The order is: the weights,
   zeros up to a multiple of 4 bytes, the scales. */
RISEI_FN void risei_file_write_layer(risei_io *f, const risei_layer *l, const rise_real *w)
{
    rise_matrix const weights = risei_layer_matrix(l, w);
    size_t const bytes = (size_t)l->runs * (size_t)risei_int8_even(l->run) * (size_t)l->outputs;
    int8_t none[4] = {0, 0, 0, 0};
    int j;
    for (j = 0; j < l->outputs; j += RISEI_INT8_BLOCK)
        risei_file_write_block(f, l, &weights, j);
    risei_io_numbers(f, none, (4 - bytes % 4) % 4, 1);
    for (j = 0; j < l->outputs && f->wrong == NULL; j++) {
        rise_real scale = risei_file_scale(f, l, &weights, j);
        risei_io_reals(f, &scale, 1, 0, "a weight is not a finite number");
    }
}
/* Checks that the agent can be saved with 8-bit weights. */
RISEI_FN rise_result risei_file_check_int8(const rise_agent *a, rise_error *error)
{
    rise_agent_desc const desc = risei_file_int8_desc(&a->desc);
    return risei_check_int8(&a->model.net, &desc, error);
}
/* Measures or writes a float model as a network with weight_bits = 8. Weights of linear layers and
   convs become bytes and scales; other parameters stay floats. Noise and what spectral
   normalisation stores are left out. Apart from these, both networks have the same parameters in
   the same order. */
RISEI_FN void risei_file_write_int8(risei_io *f, risei_model *m)
{
    rise_agent_desc const desc = risei_file_int8_desc(m->desc);
    rise_real *const w = (rise_real *)(uintptr_t)risei_model_weights(m, RISEI_USE_PLAY);
    risei_net net;
    risei_layer from, to;
    /* at: the index in m->net after the weights of the previous layer. left: the index in `net`
       after the scales of the previous layer. Both are 0 before the first layer. */
    size_t at = 0, left = 0;
    int i;
    risei_net_make(&net, &desc);
    for (i = 0; risei_net_layer(&m->net, i, &from); i++) {
        risei_net_layer(&net, i, &to);
        risei_file_visit_part(f, m, w, at, at + (to.weights - left), 0);
        risei_file_write_layer(f, &from, w);
        at = from.bias, left = to.bias;
    }
    risei_file_visit_part(f, m, w, at, at + (net.weights_size - left), 0);
}
#endif
/* Visits what acting needs: weights, snapshot weights, the standardisation of frames, embeddings
   and numbers, and the fingerprint of the frozen encoder. */
RISEI_FN void risei_file_visit_acting(risei_io *f, risei_model *m)
{
    risei_embedder *e = m->embedder;
    uint64_t fingerprint, own;
#ifndef RISE_PLAY_ONLY
    if (f->weight_bits == 8 && m->desc->weight_bits != 8)
        risei_file_write_int8(f, m);
    else
#endif
        risei_file_visit_weights(f, m);
    risei_io_reals(f, e->encoder.weights, e->encoder.snapshot_weights, -FLT_MAX,
                   "a weight of the snapshot is not finite");
    risei_file_visit_scale(f, m->frame_statistics);
    risei_file_visit_standard(f, &e->statistics);
    if (m->desc->numbers > 0) risei_file_visit_standard(f, m->number_statistics);
    if (e->encoder.kind == NULL || e->encoder.kind->fingerprint == NULL) return;
    fingerprint = own = f->mode != RISEI_IO_COUNT ? risei_embedder_fingerprint(e) : 0;
    risei_io_numbers(f, &fingerprint, 1, sizeof fingerprint);
    f->other_embedding_file = fingerprint != own;
}
#ifndef RISE_PLAY_ONLY
/* Visits the running statistics of embeddings or of numbers: seen, mean, squared_deviations.
   Reading refuses means beyond FLT_MAX and squared deviations above 1e94. Valid ones are smaller,
   because the numbers are floats, and `seen` is at most 2^53. */
RISEI_FN void risei_file_visit_statistics(risei_io *f, risei_statistics *s)
{
    size_t const size = (size_t)s->size;
    size_t i;
    risei_io_integers(f, &s->seen, 1, "statistics.seen");
    risei_io_doubles(f, s->mean, size, -(double)FLT_MAX, "statistics.mean");
    risei_io_doubles(f, s->squared_deviations, size, 0, "statistics.squared_deviations");
    for (i = 0; i < size && f->mode == RISEI_IO_READ; i++) {
        if (s->mean[i] > (double)FLT_MAX) risei_io_invalid(f, "statistics.mean");
        if (s->squared_deviations[i] > 1e94) risei_io_invalid(f, "statistics.squared_deviations");
    }
}
RISEI_FN void risei_file_visit_optimizer(risei_io *f, risei_optimizer *o, size_t parameters)
{
    risei_io_reals(f, o->m, parameters, -FLT_MAX, "a first moment is not a finite number");
    risei_io_reals(f, o->v, parameters, 0, "a second moment is negative or not finite");
    risei_io_doubles(f, &o->power1, 1, 0, "optimizer.power1");
    risei_io_doubles(f, &o->power2, 1, 0, "optimizer.power2");
    if (o->power1 > 1 || o->power2 > 1) risei_io_invalid(f, "optimizer.power");
}
RISEI_FN void risei_file_visit_counters(risei_io *f, rise_agent *a)
{
    risei_learner *l = &a->learner;
    risei_io_numbers(f, &a->actor.explore_random.state, 1, sizeof a->actor.explore_random.state);
    risei_io_numbers(f, &l->sample_random.state, 1, sizeof l->sample_random.state);
    risei_io_integers(f, &a->actor.steps, 1, "steps");
    risei_io_integers(f, &a->actor.episodes, 1, "episodes");
    risei_io_integers(f, &a->model.updates, 1, "updates");
    risei_io_integers(f, &l->owed_steps, 1, "owed");
    risei_io_integers(f, &l->snapshots, 1, "snapshots");
    risei_io_integers(f, &l->snapshot_next, 1, "snapshot_next");
}
RISEI_FN void risei_file_visit_metrics(risei_io *f, risei_update_metrics *m)
{
    risei_io_doubles(f, &m->loss, 1, -DBL_MAX, "loss");
    risei_io_doubles(f, &m->mean_value, 1, -DBL_MAX, "mean_value");
    risei_io_doubles(f, &m->td_error, 1, -DBL_MAX, "td_error");
    risei_io_doubles(f, &m->gradient_norm, 1, -DBL_MAX, "gradient_norm");
}
/* Visits the round that was started and is not in effect yet. The worker of room background must be
   idle. If no round was started, writes started = 0 and the acting model's weights, because the
   learning model then holds no result. An agent without background has only one model, which acts
   and learns. If such an agent reads a round, its model gets the round's weights. So the round is
   then in effect. */
RISEI_FN void risei_file_visit_round(risei_io *f, risei_background *b)
{
    risei_model *m = b->learner->model;
    int64_t started = b->started, updates = b->updates;
    /* after loading, reduce_fn may work again, so its failure is not saved */
    int64_t failed = b->result == RISE_NOT_FINITE;
    rise_real *weights = f->mode == RISEI_IO_READ || b->started ? m->weights : b->acting->weights;
    risei_io_integers(f, &started, 1, "round.started");
    risei_io_integers(f, &updates, 1, "round.updates");
    risei_io_integers(f, &failed, 1, "round.failed");
    risei_io_integers(f, &m->updates, 1, "round.updates_done");
    risei_io_reals(f, weights, m->net.weights_size, -FLT_MAX,
                   "a weight that was learned last is not a finite number");
    risei_file_visit_metrics(f, &m->metrics);
    if (updates < 0 || updates > INT_MAX) risei_io_invalid(f, "round.updates");
    if (f->mode != RISEI_IO_READ || f->wrong != NULL || m == b->acting) return;
    b->started = started != 0, b->updates = (int)updates;
    b->result = failed != 0 ? (int)RISE_NOT_FINITE : (int)RISE_OK;
    if (failed != 0)
        risei_fail(&b->error, RISE_NOT_FINITE,
                   "before this agent was saved, an update was not finite and was discarded");
}
/* Visits what learning needs, except what risei_file_visit_episodes visits. */
RISEI_FN void risei_file_visit_learning(risei_io *f, rise_agent *a)
{
    risei_learner *l = &a->learner;
    risei_frozen *encoder = &a->model.embedder->encoder;
    risei_file_visit_frame_statistics(f, a->model.frame_statistics);
    risei_file_visit_statistics(f, &a->embedder.statistics);
    if (a->desc.numbers > 0) risei_file_visit_statistics(f, &a->numbers);
    risei_io_reals(f, l->model->target, a->model.net.weights_size, -FLT_MAX,
                   "a weight of the target network is not a finite number");
    risei_file_visit_optimizer(f, &l->optimizer, a->model.net.parameters);
    risei_file_visit_counters(f, a);
    risei_io_reals(f, encoder->next_weights, l->snapshot_next > 0 ? encoder->snapshot_weights : 0,
                   -FLT_MAX, "a weight of the coming snapshot is not finite");
    risei_file_visit_metrics(f, &a->model.metrics);
    risei_io_doubles(f, a->actor.returns, RISEI_RETURNS, -DBL_MAX, "returns");
    if (f->has_round) risei_file_visit_round(f, &a->background);
}
RISEI_FN void risei_file_visit_state(risei_io *f, risei_history *h, ptrdiff_t slot)
{
    const char *const wrong = "a stored state is not finite, or is a denormal 16-bit float";
    uint16_t *half = h->half_state + slot * h->state_size;
    int i;
    if (h->f32)
        risei_io_reals(f, h->full_state + slot * h->state_size, (size_t)h->state_size, -FLT_MAX,
                       wrong);
    if (h->f32) return;
    risei_io_numbers(f, half, (size_t)h->state_size, sizeof *half);
    for (i = 0; i < h->state_size; i++)
        if (risei_to_half(risei_from_half(half[i])) != half[i]) risei_io_invalid(f, wrong);
}
/* Visits one slot of the replay buffer. Embeddings are not saved: loading computes them again. */
RISEI_FN void risei_file_visit_slot(risei_io *f, risei_replay *r, ptrdiff_t slot, int actions)
{
    risei_history *h = &r->history;
    double leaf = r->tree[slot];
    rise_real reward = h->rewards[slot];
    risei_io_numbers(f, h->frames + slot * h->frame_bytes, (size_t)h->frame_bytes, 1);
    risei_io_reals(f, h->raw_numbers + slot * h->numbers, (size_t)h->numbers, -FLT_MAX,
                   "a number of an observation is not finite");
    risei_io_numbers(f, h->masks + slot * h->mask_bytes, (size_t)h->mask_bytes, 1);
    risei_io_reals(f, &reward, 1, -FLT_MAX, "a reward is not a finite number");
    risei_io_numbers(f, h->actions + slot, 1, sizeof *h->actions);
    risei_io_numbers(f, h->events + slot, 1, 1);
    risei_io_numbers(f, h->episode_frame + slot, 1, sizeof *h->episode_frame);
    risei_file_visit_state(f, h, slot);
    risei_io_doubles(f, &leaf, 1, 0, "a priority is negative or not finite");
    /* risei_replay_set_priorities writes no leaf below about 0.001; 1e-6 leaves a margin */
    if (leaf > (double)FLT_MAX || (leaf > 0 && leaf < 1e-6))
        risei_io_invalid(f, "a priority is out of range");
    if (f->mode != RISEI_IO_READ || f->failed) return;
    if (h->actions[slot] < 0 || h->actions[slot] >= actions)
        risei_io_invalid(f, "an action is out of range");
    if (h->events[slot] > RISE_TRUNCATED) risei_io_invalid(f, "an event is out of range");
    if (risei_abs(reward) > (rise_real)FLT_MAX) risei_io_invalid(f, "a reward is out of range");
    if (f->wrong != NULL) return;
    h->rewards[slot] = (float)reward;
    risei_replay_tree_set(r, slot, leaf);
    if (risei_event_is_last(h->events[slot])) risei_replay_count_episode(r, slot, 1);
}
/* Visits draws 0 .. *draws - 1. Reading sets *draws. These draws were sampled before the agent was
   saved, and their priorities are not renewed yet. They are the draws of a round or, without
   background, of the computed parts of the update in progress. Of each transition, a file has only
   what risei_learner_renew_priorities needs: lane, `at`, the td error, and whether the priority
   must not change. The priority must not change if before_episode is 1, or if the td error is not
   finite. */
RISEI_FN void risei_file_visit_draws(risei_io *f, risei_learner *l, int *draws)
{
    int64_t count = *draws;
    int i;
    risei_io_integers(f, &count, 1, "draws");
    if (count < 0 || count > l->draws) risei_io_invalid(f, "draws");
    if (f->wrong != NULL) return;
    *draws = (int)count;
    for (i = 0; i < *draws * l->batch.size && f->wrong == NULL; i++) {
        risei_transition *t = &l->transitions[i];
        /* a draw of an update that failed changes no priority */
        int const skips = t->before_episode || !(risei_abs(l->errors[i]) <= (rise_real)FLT_MAX);
        rise_real td = skips ? 0 : l->errors[i];
        int64_t number[3];
        number[0] = t->lane, number[1] = t->at, number[2] = skips;
        risei_io_integers(f, number, 3, "a transition of a draw");
        risei_io_reals(f, &td, 1, -FLT_MAX, "a td error is not a finite number");
        if (f->mode != RISEI_IO_READ) continue;
        memset(t, 0, sizeof *t);
        t->lane = (int)number[0], t->at = number[1], t->before_episode = number[2] != 0;
        l->errors[i] = td;
    }
}
/* Reads the draws of a round, and drops them. */
RISEI_FN void risei_file_skip_draws(risei_io *f, const risei_learner *l)
{
    int64_t count = 0, i, number[3];
    rise_real td = 0; /* not written if the read of `number` before it fails */
    risei_io_integers(f, &count, 1, "draws");
    if (count < 0 || count > RISEI_AT_ONCE_MAX * l->draws) risei_io_invalid(f, "draws");
    for (i = 0; i < count * l->batch.size && f->wrong == NULL && !f->failed; i++) {
        risei_io_integers(f, number, 3, "a transition of a draw");
        risei_io_reals(f, &td, 1, -FLT_MAX, "a td error is not a finite number");
    }
}
/* Visits the computed parts of the update in progress: their draws, metrics and gradient. A file
   has neither metrics nor gradient of an update that is discarded. */
RISEI_FN void risei_file_visit_parts(risei_io *f, risei_learner *l)
{
    int64_t discards = l->discards != 0;
    risei_file_visit_draws(f, l, &l->part);
    if (f->wrong != NULL || l->part == 0) return;
    risei_io_integers(f, &discards, 1, "discards");
    l->discards = discards != 0;
    if (l->discards) return; /* metrics and gradient can then be NaN or infinite */
    risei_file_visit_metrics(f, &l->metrics);
    risei_io_reals(f, l->gradient, l->model->net.parameters, -FLT_MAX,
                   "a gradient is not a finite number");
}
/* Visits the replay buffer and the episodes in progress. After them, a file with a round has the
   draws of the round. An agent without background reads and drops these draws. A file without a
   round has the computed parts of the update in progress, if batch_parts is above 1. */
RISEI_FN void risei_file_visit_episodes(risei_io *f, rise_agent *a)
{
    risei_replay *r = &a->replay;
    risei_history *h = &r->history;
    size_t const lanes = (size_t)h->lanes, units = (size_t)a->model.net.cell.units;
    const char *const wrong = "a carried state is not a finite number";
    int lane;
    risei_io_doubles(f, &r->largest_leaf, 1, 1e-6, "the largest priority");
    if (r->largest_leaf > (double)FLT_MAX) risei_io_invalid(f, "the largest priority");
    risei_io_doubles(f, a->actor.lane_return, lanes, -DBL_MAX, "a return is not a finite number");
    risei_io_reals(f, a->actor.states.array[0], lanes * units, -FLT_MAX, wrong);
    risei_io_reals(f, a->actor.states.array[1], lanes * units, -FLT_MAX, wrong);
    risei_io_integers(f, h->written, lanes, "the number of frames");
    for (lane = 0; lane < h->lanes && f->wrong == NULL; lane++) {
        int64_t at;
        for (at = risei_history_oldest(h, lane); at < h->written[lane] && !f->failed; at++)
            risei_file_visit_slot(f, r, risei_history_slot(h, lane, at), a->desc.actions);
    }
    if (f->wrong != NULL) return;
    if (f->has_round && risei_learns_in_background(&a->desc))
        risei_file_visit_draws(f, &a->learner, &a->background.renews);
    else if (f->has_round)
        risei_file_skip_draws(f, &a->learner);
    else if (a->desc.batch_parts > 1)
        risei_file_visit_parts(f, &a->learner);
}
#endif /* !RISE_PLAY_ONLY */
/* Visits one section. To read the description, use risei_file_read_desc. */
RISEI_FN void risei_file_visit(risei_io *f, rise_agent *a, int section)
{
    if (section == RISEI_SECTION_ACTING) risei_file_visit_acting(f, &a->model);
#ifndef RISE_PLAY_ONLY
    if (section == RISEI_SECTION_DESC) {
        rise_agent_desc desc = f->weight_bits == 8 ? risei_file_int8_desc(&a->desc) : a->desc;
        if (f->weight_bits == 16) desc.weight_bits = 16;
        risei_desc_write(f, &desc);
    }
    if (section == RISEI_SECTION_LEARNING) risei_file_visit_learning(f, a);
    if (section == RISEI_SECTION_EPISODES) risei_file_visit_episodes(f, a);
#endif
}

/* -- The header -- */

typedef struct risei_file_header {
    uint32_t version, flags, sections;
    uint64_t size;
    uint32_t kind[RISEI_SECTIONS], crc[RISEI_SECTIONS];
    uint64_t length[RISEI_SECTIONS];
    /* Set when the description is read. has_round: 1 if the file's desc.background is 1. LEARNING
       and EPISODES then hold a round, started or not. weight_bits: 16 if the file's weights have 16
       bits, else 0. */
    int has_round, weight_bits;
} risei_file_header;

/* Returns how many sections a file with these flags has. */
RISEI_FN uint32_t risei_file_sections(uint32_t flags)
{
    return flags & RISEI_FILE_POLICY ? 2 : flags & RISEI_FILE_REPLAY ? 4 : 3;
}
RISEI_FN int risei_file_version_is_known(uint32_t version)
{
    return version >= RISEI_FILE_VERSION_FIRST && version <= RISEI_FILE_VERSION;
}
RISEI_FN void risei_file_visit_table(risei_io *f, risei_file_header *h)
{
    uint32_t crc, sum, s;
    for (s = 0; s < h->sections; s++) {
        risei_io_numbers(f, &h->kind[s], 1, sizeof h->kind[s]);
        risei_io_numbers(f, &h->crc[s], 1, sizeof h->crc[s]);
        risei_io_numbers(f, &h->length[s], 1, sizeof h->length[s]);
        if (h->kind[s] != s + 1) risei_io_invalid(f, "its table of sections");
    }
    sum = crc = f->crc;
    risei_io_numbers(f, &crc, 1, sizeof crc);
    if (crc != sum) risei_io_invalid(f, "its checksum");
    if (f->mode == RISEI_IO_READ && !f->failed) {
        uint64_t total = f->length;
        for (s = 0; s < h->sections && h->length[s] <= h->size; s++) total += h->length[s];
        if (s < h->sections || total != h->size) risei_io_invalid(f, "its size");
    }
}
RISEI_FN void risei_file_visit_header(risei_io *f, risei_file_header *h)
{
    unsigned char magic[8];
    memcpy(magic, risei_file_magic, sizeof magic);
    risei_io_numbers(f, magic, sizeof magic, 1);
    if (memcmp(magic, risei_file_magic, sizeof magic) != 0) {
        risei_io_invalid(f, "it does not begin as a file of rise.h does");
        return;
    }
    risei_io_numbers(f, &h->version, 1, sizeof h->version);
    /* the rest may have another layout; risei_file_read_header reports the version */
    if (!risei_file_version_is_known(h->version)) return;
    risei_io_numbers(f, &h->flags, 1, sizeof h->flags);
    risei_io_numbers(f, &h->size, 1, sizeof h->size);
    risei_io_numbers(f, &h->sections, 1, sizeof h->sections);
    if (h->flags > 7 || h->sections != risei_file_sections(h->flags)) {
        risei_io_invalid(f, "its flags or its number of sections");
        return;
    }
    risei_file_visit_table(f, h);
}

#ifndef RISE_PLAY_ONLY
/* -- Writing -- */

/* Fills in kinds, checksums, lengths and size of the header. The caller sets version, flags and
   sections, and zeros the rest. Returns the name or the description of the first invalid value, or
   NULL. `bits`: risei_io.weight_bits. */
RISEI_FN const char *risei_file_fill_header(rise_agent *a, risei_file_header *header, int bits)
{
    risei_io f;
    uint32_t s;
    for (s = 0; s < header->sections; s++) {
        risei_io_begin(&f, RISEI_IO_MEASURE, 0);
        f.has_round = a->desc.background, f.weight_bits = bits;
        risei_file_visit(&f, a, (int)s + 1);
        if (f.wrong != NULL) return f.wrong;
        header->kind[s] = s + 1, header->crc[s] = f.crc, header->length[s] = f.length;
        header->size += f.length;
    }
    risei_io_begin(&f, RISEI_IO_MEASURE, 0);
    risei_file_visit_header(&f, header);
    header->size += f.length;
    return NULL;
}
RISE_API rise_result rise_agent_write(const rise_agent *agent, rise_save what, rise_write_fn fn,
                                      void *user, rise_error *error)
{
    /* The visit functions also read files, so their agent is not const. Writing changes only
       background.waited and, with RISE_SAVE_INT8, what risei_model_weights derives. */
    rise_agent *a = (rise_agent *)(uintptr_t)agent;
    int const bits = what == RISE_SAVE_INT8 ? 8 : what == RISE_SAVE_FLOAT16 ? 16 : 0;
    int const plays = what == RISE_SAVE_POLICY || bits != 0;
    risei_file_header header;
    const char *wrong;
    risei_io f;
    uint32_t s;
    if (agent == NULL || fn == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "fn");
    if ((int)what < RISE_SAVE_AGENT || what > RISE_SAVE_FLOAT16)
        return risei_fail(error, RISE_BAD_CALL, "what is %d, which is none of rise_save",
                          (int)what);
    if (a->desc.play_only && !plays)
        return risei_fail(error, RISE_BAD_CALL,
                          "a play_only agent can only be saved as RISE_SAVE_POLICY, "
                          "RISE_SAVE_INT8 or RISE_SAVE_FLOAT16");
    if (bits == 16 && a->desc.weight_bits == 8)
        return risei_fail(error, RISE_BAD_CALL,
                          "the agent's weights have 8 bits, fewer than RISE_SAVE_FLOAT16 would "
                          "write; save it as RISE_SAVE_POLICY");
    if (bits == 8 && sizeof(rise_real) != 4)
        return risei_fail(error, RISE_UNAVAILABLE, "RISE_SAVE_INT8 does not work with RISE_DOUBLE");
    if (bits == 8 && risei_file_check_int8(a, error) != RISE_OK) return RISE_BAD_DESC;
    risei_background_finish(&a->background);
    if (!plays && risei_background_is_torn(&a->background))
        return risei_fail(error, RISE_UNAVAILABLE,
                          "fork came while an update was computed, so only RISE_SAVE_POLICY, "
                          "RISE_SAVE_INT8 and RISE_SAVE_FLOAT16 work");
    memset(&header, 0, sizeof header);
    header.version = RISEI_FILE_VERSION;
    if (a->model.device.kernels->fused) header.flags |= RISEI_FILE_FUSED;
    if (what == RISE_SAVE_ALL) header.flags |= RISEI_FILE_REPLAY;
    if (plays) header.flags |= RISEI_FILE_POLICY;
    header.sections = risei_file_sections(header.flags);
    wrong = risei_file_fill_header(a, &header, bits);
    if (wrong != NULL)
        return risei_fail(error, RISE_NOT_FINITE, "not saved, because loading it would fail: %s",
                          wrong);
    risei_io_begin(&f, RISEI_IO_WRITE, 0);
    f.write = fn, f.user = user, f.has_round = a->desc.background, f.weight_bits = bits;
    risei_file_visit_header(&f, &header);
    for (s = 0; s < header.sections; s++) risei_file_visit(&f, a, (int)s + 1);
    if (!f.failed) return RISE_OK;
    return risei_fail(error, RISE_IO, "writing failed after %.0f of %.0f bytes", (double)f.length,
                      (double)header.size);
}

#endif /* !RISE_PLAY_ONLY */
/* -- Reading -- */

RISEI_FN rise_result risei_file_read_header(rise_read_fn fn, void *user, uint64_t size,
                                            risei_file_header *header, rise_error *error)
{
    risei_io f;
    risei_io_begin(&f, RISEI_IO_READ, size);
    f.read = fn, f.user = user;
    memset(header, 0, sizeof *header);
    risei_file_visit_header(&f, header);
    if (f.failed && !f.past_end)
        return risei_fail(error, RISE_IO, "the header could not be read after %.0f bytes",
                          (double)f.length);
    if (f.failed) return risei_fail(error, RISE_BAD_FILE, "the file ends within its header");
    if (f.wrong != NULL)
        return risei_fail(error, RISE_BAD_FILE, "the header is wrong: %s", f.wrong);
    if (header->version > RISEI_FILE_VERSION)
        return risei_fail(error, RISE_NEWER_FILE,
                          "the file has version %u, this rise.h reads up to %d",
                          (unsigned)header->version, RISEI_FILE_VERSION);
    if (header->version < RISEI_FILE_VERSION_FIRST)
        return risei_fail(error, RISE_BAD_FILE,
                          "the file has version %u, which this rise.h no longer reads",
                          (unsigned)header->version);
    if (header->size != size)
        return risei_fail(error, RISE_BAD_FILE, "the file has %.0f bytes, but its header says %.0f",
                          (double)size, (double)header->size);
    return RISE_OK;
}
RISEI_FN rise_result risei_file_read_desc(rise_read_fn fn, void *user,
                                          const risei_file_header *header, rise_agent_desc *desc,
                                          rise_error *error)
{
    risei_io f;
    rise_result result;
    char rest = 0;
    if (header->length[0] > RISEI_DESC_BYTES)
        return risei_fail(error, RISE_BAD_FILE, "the description in the file is too long");
    risei_io_begin(&f, RISEI_IO_READ, header->length[0]);
    f.read = fn, f.user = user;
    result = risei_desc_read(desc, &f, error);
    /* after an error, reads the rest, because the checksum tells whether the file is damaged */
    while (f.length < f.limit && !f.failed) risei_io_numbers(&f, &rest, 1, 1);
    if (!f.failed && f.crc != header->crc[0])
        return risei_fail(error, RISE_BAD_FILE, "the description in the file is damaged");
    return result;
}
/* Reads the header and the description. */
RISEI_FN rise_result risei_file_read_start(rise_read_fn fn, void *user, uint64_t size,
                                           risei_file_header *header, rise_agent_desc *desc,
                                           rise_error *error)
{
    rise_result result = risei_file_read_header(fn, user, size, header, error);
    if (result == RISE_OK) result = risei_file_read_desc(fn, user, header, desc, error);
    if (result != RISE_OK) return result;
    header->has_round = desc->background == 1;
    if (desc->weight_bits != 16) return RISE_OK;
    if ((header->flags & RISEI_FILE_POLICY) == 0)
        return risei_fail(error, RISE_BAD_FILE, "weight_bits is 16, but the file is not a policy");
    header->weight_bits = 16, desc->weight_bits = 32; /* reading converts the weights */
    return RISE_OK;
}
/* Checks one field. `has` is the field's value in the file, and `stated` is its value in `machine`.
   Returns RISE_MISMATCH if the field decides a shape, `stated` is not 0, and the values differ.
   `prefix` precedes the field's name in the error: "", or "conv[0].", "conv[1]." and so on. */
RISEI_FN rise_result risei_file_check_value(const risei_field *field, const char *prefix,
                                            risei_value has, risei_value stated,
                                            rise_error *error)
{
    if (!field->shape || risei_is_zero(stated) || !(stated < has || stated > has)) return RISE_OK;
    if (field->word_of != NULL && field->word_of((int)stated) != NULL)
        return risei_fail(error, RISE_MISMATCH, "%s is %s, but the file was saved with %s",
                          field->name, field->word_of((int)stated), field->word_of((int)has));
    return risei_fail(error, RISE_MISMATCH, "%s%s is %g, but the file was saved with %g", prefix,
                      field->name, stated, has);
}
/* Returns the final embedding_size (see risei_embedder_final_size) of a description that has
   machine->embedding_size and the other fields of the file's description `desc`. Returns 0 if
   machine->embedding_size is 0. */
RISEI_FN int risei_file_stated_size(const rise_agent_desc *desc, const rise_agent_desc *machine)
{
    rise_agent_desc stated = *desc;
    if (machine->embedding_size == 0) return 0;
    stated.embedding_size = machine->embedding_size;
    return risei_embedder_final_size(&stated);
}
/* Returns RISE_MISMATCH if a field that decides a shape differs between `desc` and `machine`. Call
   after risei_file_take_machine: environments then differ only if a replay buffer is loaded.
   Ignores fields that are 0 in `machine`, and those that the file does not hold. */
RISEI_FN rise_result risei_file_check_shape(const rise_agent_desc *desc,
                                            const rise_agent_desc *machine, rise_error *error)
{
    rise_agent_desc stated;
    rise_result result = RISE_OK;
    char prefix[9];
    int i, l;
    if (machine == NULL) return RISE_OK;
    stated = *machine;
    stated.embedding_size = risei_file_stated_size(desc, machine);
    for (i = 0; i < risei_desc_fields(desc) && result == RISE_OK; i++)
        result = risei_file_check_value(&risei_fields[i], "",
                                        risei_field_get(&risei_fields[i], desc),
                                        risei_field_get(&risei_fields[i], &stated), error);
    for (l = 0; l < desc->conv_count; l++) {
        risei_conv_prefix(l, prefix);
        for (i = 0; i < RISEI_CONV_FIELDS && result == RISE_OK; i++)
            result = risei_file_check_value(&risei_conv_fields[i], prefix,
                                            risei_field_get(&risei_conv_fields[i], &desc->conv[l]),
                                            risei_field_get(&risei_conv_fields[i], &stated.conv[l]),
                                            error);
    }
    return result;
}
/* Sets desc->play_only. Then copies from `machine` to `desc` the fields that files do not hold.
   These are isa, threads, processes, process, memory_block, memory_bytes, embedding_file, weights,
   and functions with their user data.

   Also copies background, players and environments, each only if it is not 0 in `machine`. With
   play_only, first sets desc->background to 0, because the file's value is a setting of learning.
   With replay = 1, the replay buffer is loaded and must keep its shape, so environments is not
   copied.
   If `machine` is NULL, its fields count as 0. */
RISEI_FN void risei_file_take_machine(rise_agent_desc *desc, const rise_agent_desc *machine,
                                      int play_only, int replay)
{
    desc->play_only = play_only;
    if (play_only) desc->background = 0;
    if (machine == NULL) return;
    desc->isa = machine->isa;
    desc->threads = machine->threads;
    desc->memory_block = machine->memory_block, desc->memory_bytes = machine->memory_bytes;
    desc->log_fn = machine->log_fn, desc->log_user = machine->log_user;
    desc->clock_fn = machine->clock_fn, desc->clock_user = machine->clock_user;
    desc->embed_fn = machine->embed_fn, desc->embed_user = machine->embed_user;
    desc->embedding_file = machine->embedding_file;
    desc->processes = machine->processes, desc->process = machine->process;
    desc->reduce_fn = machine->reduce_fn, desc->reduce_user = machine->reduce_user;
    desc->weights = machine->weights;
    if (machine->background != 0) desc->background = machine->background;
    if (machine->players != 0) desc->players = machine->players;
    if (machine->environments != 0 && !replay) desc->environments = machine->environments;
}
/* Reads one section into the agent. */
RISEI_FN rise_result risei_file_read_section(rise_agent *a, rise_read_fn fn, void *user,
                                             const risei_file_header *header, int section,
                                             rise_error *error)
{
    risei_io f;
    risei_io_begin(&f, RISEI_IO_READ, header->length[section - 1]);
    f.read = fn, f.user = user;
    f.has_round = header->has_round, f.weight_bits = header->weight_bits;
    risei_file_visit(&f, a, section);
    if (f.wrong != NULL)
        return risei_fail(error, RISE_BAD_FILE, "section %d is wrong: %s", section, f.wrong);
    if (f.failed && !f.past_end)
        return risei_fail(error, RISE_IO, "section %d could not be read after %.0f bytes", section,
                          (double)f.length);
    if (f.failed || f.length != f.limit)
        return risei_fail(error, RISE_BAD_FILE,
                          "section %d does not have the length that the description requires",
                          section);
    if (f.crc != header->crc[section - 1])
        return risei_fail(error, RISE_BAD_FILE, "section %d is damaged: its checksum differs",
                          section);
    if (f.other_embedding_file)
        return risei_fail(error, RISE_MISMATCH,
                          "embedding_file has other weights than this agent learned with; set "
                          "embedding_file to the file that the agent learned with");
    return RISE_OK;
}
RISEI_FN rise_result risei_file_read_sections(rise_agent *a, rise_read_fn fn, void *user,
                                              const risei_file_header *header, rise_error *error)
{
    uint32_t const sections = a->desc.play_only ? (uint32_t)RISEI_SECTION_ACTING : header->sections;
    rise_result result = RISE_OK;
    uint32_t s;
    for (s = RISEI_SECTION_ACTING; s <= sections && result == RISE_OK; s++)
        result = risei_file_read_section(a, fn, user, header, (int)s, error);
    return result;
}
/* Checks the lengths of the sections ACTING and LEARNING (with play_only, of ACTING alone) against
   the lengths that the description requires. Allocates no memory, so a forged description of a
   large network is refused before the agent is made. These lengths do not depend on fields such as
   replay_capacity, environments, players and batch. A forged value of such a field passes this
   check. risei_agent_make then fails if the agent exceeds the address space or memory_bytes, or if
   the system has too little memory. The length of section EPISODES depends on the number of stored
   frames, so only risei_file_read_section checks that length. */
RISEI_FN rise_result risei_file_check_lengths(const risei_file_header *header,
                                              const rise_agent_desc *resolved, rise_error *error)
{
    int const last = resolved->play_only ? RISEI_SECTION_ACTING : RISEI_SECTION_LEARNING;
    rise_agent plan;
    risei_arena arena;
    risei_io f;
    int section;
    memset(&arena, 0, sizeof arena);
    risei_agent_plan(&plan, resolved);
    risei_agent_layout(&arena, &plan);
    for (section = RISEI_SECTION_ACTING; section <= last; section++) {
        /* the copy of the conv layers, which a file has while a snapshot is in progress */
        const risei_frozen *encoder = &plan.embedder.encoder;
        uint64_t const more = section == RISEI_SECTION_LEARNING
                                  ? encoder->snapshot_weights * sizeof(rise_real)
                                  : 0;
        uint64_t const length = header->length[section - 1];
        risei_io_begin(&f, RISEI_IO_COUNT, 0);
        f.has_round = header->has_round, f.weight_bits = header->weight_bits;
        risei_file_visit(&f, &plan, section);
        if (length != f.length && length != f.length + more)
            return risei_fail(error, RISE_BAD_FILE,
                              "section %d has %.0f bytes, but the description requires %.0f",
                              section, (double)length, (double)f.length);
    }
    return RISE_OK;
}
/* Where a file is read from. */
typedef struct risei_file_source {
    rise_read_fn fn;
    void *user;
    uint64_t size;    /* of the whole file, in bytes */
    const void *data; /* NULL; or the whole file, whose weights are to be used in place */
} risei_file_source;

/* Returns the address of the weights in `data`, a whole file in memory. The weights are the first
   numbers of section ACTING. The caller must check the length of this section before it reads the
   weights. Returns NULL if the weights must be copied, in three cases: the address is not a
   multiple of 4, this machine is not little-endian, or rise_real is double. The caller handles a
   fourth case, weights of 16 bits. */
RISEI_FN const rise_real *risei_file_weights_in(const risei_file_header *header, const void *data)
{
    uint64_t at = header->size;
    uint32_t s;
    uintptr_t address;
    for (s = RISEI_SECTION_ACTING; s <= header->sections; s++) at -= header->length[s - 1];
    address = (uintptr_t)((const unsigned char *)data + at);
    return risei_is_little_endian() && sizeof(rise_real) == 4 && address % 4 == 0
               ? (const rise_real *)address
               : NULL;
}
/* Reads the start of a file up to section ACTING, and checks that an agent can be made from the
   file. Sets *header, and *desc to the agent's resolved description. */
RISEI_FN rise_result risei_file_begin(const risei_file_source *source,
                                      const rise_agent_desc *machine, risei_file_header *header,
                                      rise_agent_desc *desc, rise_error *error)
{
    rise_result result = risei_file_read_start(source->fn, source->user, source->size, header, desc,
                                               error);
    int const play_only = !RISEI_LEARNS || source->data != NULL ? 1
                          : machine != NULL                     ? machine->play_only
                                                                : 0;
    int replay;
    if (result != RISE_OK) return result;
    replay = !play_only && (header->flags & RISEI_FILE_REPLAY) != 0;
    risei_file_take_machine(desc, machine, play_only, replay);
    if (source->data != NULL) desc->weights = risei_file_weights_in(header, source->data);
    if (header->weight_bits == 16) desc->weights = NULL;
    result = risei_file_check_shape(desc, machine, error);
    if (result != RISE_OK) return result;
    if (!play_only && (header->flags & RISEI_FILE_POLICY) != 0)
        return risei_fail(error, RISE_MISMATCH,
                          "the file holds only a policy; load it with play_only = 1");
    result = risei_resolve(desc, error);
    return result == RISE_OK ? risei_file_check_lengths(header, desc, error) : result;
}
#ifndef RISE_PLAY_ONLY
/* Corrects what was read, in four cases: the file has no replay buffer; a part was computed before
   the warm-up ended; several processes load the file; `machine` changed `background`. */
RISEI_FN void risei_file_adapt(rise_agent *a, const risei_file_header *header)
{
    int const replay = (header->flags & RISEI_FILE_REPLAY) != 0;
    /* The replay buffer is empty now. Updates that are owed would learn from its first few frames,
       so these updates are dropped. Steps that do not yet make an update due are kept.
       `environments` may differ from that of the saved agent. Then the replay buffer may have fewer
       slots, so snapshot_next is limited to its largest valid value. */
    if (!replay) {
        int64_t const most = risei_embedder_snapshot_frames(&a->replay.history);
        a->learner.owed_steps %= a->desc.learn_period;
        if (a->learner.snapshot_next > most) a->learner.snapshot_next = most;
    }
    /* Only an earlier release can have saved a part that was computed before the warm-up ended.
       This update begins again, because the part used statistics that were not frozen. */
    if (!risei_learner_warmed_up(&a->model)) a->learner.part = 0;
    /* The file may come from a run of one process. The gradients of its computed parts were divided
       by the batch of one process. Its draws did not skip the random numbers of other processes. So
       the update begins again. A file of several processes has no computed parts, because there
       rise_agent_learn_for is refused. */
    if (a->desc.processes > 1) a->learner.part = 0;
    /* Background was turned on. The learning model gets the counters of the acting model. An update
       that was partly computed begins again. */
    if (!header->has_round && risei_learns_in_background(&a->desc)) {
        a->learning.updates = a->model.updates, a->learning.metrics = a->model.metrics;
        a->learner.part = 0;
    }
    /* Background was turned off while the stored frames were being embedded in parts, after the
       warm-up. Ends this: risei_file_resume embeds all of them at once. */
    if (header->has_round && !risei_learns_in_background(&a->desc) && a->learner.snapshots == 0)
        a->learner.snapshot_next = 0;
}
/* Prepares a valid agent for its first call. */
RISEI_FN void risei_file_resume(rise_agent *a, const risei_file_header *header)
{
    int const replay = (header->flags & RISEI_FILE_REPLAY) != 0;
    int const fused = (header->flags & RISEI_FILE_FUSED) != 0;
    if (replay && !a->desc.play_only)
        risei_embedder_refresh(&a->model.device, a->model.embedder, &a->replay.history,
                               a->model.embeddings);
    risei_advice_load(&a->advice, &a->actor, &a->learner);
    if (fused != (a->model.device.kernels->fused != 0))
        risei_log(&a->desc,
                  "rise: the file's numbers were computed %s fused multiply-add and these kernels "
                  "compute %s it, so results are not the same bit for bit",
                  fused ? "with" : "without", fused ? "without" : "with");
}
#endif
RISEI_FN rise_result risei_file_read(rise_agent **agent, const risei_file_source *source,
                                     const rise_agent_desc *machine, rise_error *error)
{
    risei_file_header header;
    rise_agent_desc desc;
    rise_agent *a;
    const char *wrong;
    rise_result result = risei_file_begin(source, machine, &header, &desc, error);
    if (result == RISE_OK) result = risei_agent_make(&a, &desc, error);
    if (result != RISE_OK) return result;
    result = risei_file_read_sections(a, source->fn, source->user, &header, error);
#ifndef RISE_PLAY_ONLY
    if (result == RISE_OK) risei_file_adapt(a, &header);
#endif
    wrong = result == RISE_OK ? risei_agent_wrong(a) : NULL;
    if (wrong != NULL)
        result = risei_fail(error, RISE_BAD_FILE, "the agent in the file is wrong: %s", wrong);
    if (result != RISE_OK) {
        rise_agent_destroy(a);
        return result;
    }
#ifndef RISE_PLAY_ONLY
    risei_file_resume(a, &header);
#endif
    *agent = a;
    return RISE_OK;
}
RISE_API rise_result rise_agent_read(rise_agent **agent, rise_read_fn fn, void *user, uint64_t size,
                                     const rise_agent_desc *machine, rise_error *error)
{
    risei_file_source source;
    if (agent != NULL) *agent = NULL;
    if (agent == NULL || fn == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "fn");
    source.fn = fn, source.user = user, source.size = size, source.data = NULL;
    return risei_file_read(agent, &source, machine, error);
}

/* A file in memory, to read. */
typedef struct risei_file_memory {
    const unsigned char *at;
    size_t left;
} risei_file_memory;

/* Reads from a risei_file_memory, as a rise_read_fn. */
RISEI_FN int risei_file_memory_read(void *user, void *data, size_t size)
{
    risei_file_memory *const m = (risei_file_memory *)user;
    if (size > m->left) return 0;
    memcpy(data, m->at, size);
    m->at += size, m->left -= size;
    return 1;
}
/* Returns a source of `data` [size]. `file` is its state. */
RISEI_FN risei_file_source risei_file_memory_source(risei_file_memory *file, const void *data,
                                                    size_t size)
{
    risei_file_source source;
    file->at = (const unsigned char *)data, file->left = size;
    source.fn = risei_file_memory_read, source.user = file, source.size = size, source.data = data;
    return source;
}
RISE_API rise_result rise_agent_open(rise_agent **agent, const void *data, size_t size,
                                     const rise_agent_desc *machine, rise_error *error)
{
    risei_file_memory file;
    risei_file_source source;
    if (agent != NULL) *agent = NULL;
    if (agent == NULL || data == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "data");
    source = risei_file_memory_source(&file, data, size);
    return risei_file_read(agent, &source, machine, error);
}
RISE_API size_t rise_agent_open_bytes(const void *data, size_t size, const rise_agent_desc *machine,
                                      rise_error *error)
{
    risei_file_memory file;
    risei_file_source source;
    risei_file_header header;
    rise_agent_desc desc;
    size_t bytes;
    if (data == NULL) {
        risei_fail(error, RISE_BAD_CALL, "data is NULL");
        return 0;
    }
    source = risei_file_memory_source(&file, data, size);
    if (risei_file_begin(&source, machine, &header, &desc, error) != RISE_OK) return 0;
    bytes = risei_agent_measure(&desc);
    if (bytes == 0) risei_agent_refuse_size(&desc, error);
    return bytes;
}

#ifndef RISE_NO_STDIO
RISE_API rise_result rise_agent_save(const rise_agent *agent, rise_save what, const char *path,
                                     rise_error *error)
{
    risei_stdio_new new_file;
    rise_result result;
    if (agent == NULL || path == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "path");
    result = risei_stdio_begin(&new_file, path, error);
    if (result != RISE_OK) return result;
    errno = 0;
    result = rise_agent_write(agent, what, risei_stdio_write, new_file.file, error);
    result = risei_stdio_explain(path, result == RISE_IO ? errno : 0, result, error);
    if (!risei_stdio_end(&new_file, result == RISE_OK) && result == RISE_OK)
        result = risei_fail(error, RISE_IO, "%.100s cannot be written: %.60s%s", path,
                            strerror(errno), new_file.stays ? "; the agent is in path.new" : "");
    return result;
}
RISE_API rise_result rise_agent_load(rise_agent **agent, const char *path,
                                     const rise_agent_desc *machine, rise_error *error)
{
    FILE *file;
    uint64_t size;
    rise_result result;
    if (agent != NULL) *agent = NULL;
    if (agent == NULL || path == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", agent == NULL ? "agent" : "path");
    result = risei_stdio_open_sized(path, &file, &size, error);
    if (result != RISE_OK) return result;
    errno = 0;
    result = rise_agent_read(agent, risei_stdio_read, file, size, machine, error);
    result = risei_stdio_explain(path, result == RISE_IO ? errno : 0, result, error);
    fclose(file);
    return result;
}
RISE_API rise_result rise_agent_peek(rise_agent_desc *desc, const char *path, rise_error *error)
{
    FILE *file;
    uint64_t size;
    risei_file_header header;
    rise_agent_desc read;
    rise_result result;
    if (desc == NULL || path == NULL)
        return risei_fail(error, RISE_BAD_CALL, "%s is NULL", desc == NULL ? "desc" : "path");
    result = risei_stdio_open_sized(path, &file, &size, error);
    if (result != RISE_OK) return result;
    errno = 0;
    result = risei_file_read_start(risei_stdio_read, file, size, &header, &read, error);
    if (result == RISE_OK) *desc = read;
    result = risei_stdio_explain(path, result == RISE_IO ? errno : 0, result, error);
    fclose(file);
    return result;
}
#endif /* RISE_NO_STDIO */

/* ---------------------------------------------------------------------------------------------- */
/* >>selftest: one call that checks this build on this machine

   Compares each kernel with the reference. Trains an agent, and a copy that was saved and loaded;
   both must learn the same weights. If rise_real is float and the kernels fuse multiply-adds, the
   weights must also have a fixed hash. So the test finds compiler flags that change results,
   compilers that generate wrong code, and processors that compute wrong results.

   Main type: risei_selftest. Uses random, kernels, agent, files. Test: tests/selftest.c. */

#ifndef RISE_PLAY_ONLY
/* The most results, and the most calls of risei_selftest_add, for one table. */
enum { RISEI_SELFTEST_SIZE = 4096, RISEI_SELFTEST_PARTS = 48 };

/* The results of the kernels of one table, one after the other. */
typedef struct risei_selftest {
    rise_real result[RISEI_SELFTEST_SIZE];
    int count, parts; /* used elements of `result`; used elements of `name` and of `end` */
    const char *name[RISEI_SELFTEST_PARTS]; /* of the kernel */
    int end[RISEI_SELFTEST_PARTS];          /* index after the kernel's last result */
} risei_selftest;

/* Makes n numbers in [-1, 1), the same for each table. */
RISEI_FN void risei_selftest_fill(rise_real *x, int n, uint64_t seed)
{
    risei_random random = risei_random_stream(seed, 1);
    int i;
    for (i = 0; i < n; i++) x[i] = 2 * risei_random_uniform(&random) - 1;
}
/* Appends n results of the kernel `name`. */
RISEI_FN void risei_selftest_add(risei_selftest *t, const char *name, const rise_real *x, int n)
{
    memcpy(t->result + t->count, x, (size_t)n * sizeof *x);
    t->count += n;
    t->name[t->parts] = name, t->end[t->parts++] = t->count;
}
enum { RISEI_SELFTEST_N = 37 }; /* elements of an array: several vectors, and a remainder */

RISEI_FN void risei_selftest_functions(risei_selftest *t, const rise_kernels *k)
{
    enum { n = RISEI_SELFTEST_N };
    rise_real x[n], y[n], z[n], a[n], b[n], stats[2];
    int i;
    risei_selftest_fill(x, n, 1), risei_selftest_fill(y, n, 2);
    k->exp(n, x, z), risei_selftest_add(t, "exp", z, n);
    k->log(n, z, a), risei_selftest_add(t, "log", a, n);
    k->tanh(n, x, z), risei_selftest_add(t, "tanh", z, n);
    k->sigmoid(n, x, z), risei_selftest_add(t, "sigmoid", z, n);
    k->multiply(n, x, y, 1, z), risei_selftest_add(t, "multiply", z, n);
    k->add(n, x, z), risei_selftest_add(t, "add", z, n);
    k->maximum(n, x, z), risei_selftest_add(t, "maximum", z, n);
    k->relu_backward(n, x, y, a), risei_selftest_add(t, "relu_backward", a, n);
    a[0] = (rise_real)k->dot(n, x, y), risei_selftest_add(t, "dot", a, 1);
    k->gate_forward(n, x, y, z), risei_selftest_add(t, "gate_forward", z, n);
    memcpy(b, y, sizeof b);
    k->gate_backward(n, x, y, b, z), risei_selftest_add(t, "gate_backward", z, n);
    risei_selftest_add(t, "gate_backward", b, n);
    memcpy(a, y, sizeof a), memset(z, 0, sizeof z);
    for (i = 0; i < n; i += 3) z[i] = x[i]; /* some elements are the maximum */
    k->maximum_backward(n, x, z, a, b), risei_selftest_add(t, "maximum_backward", a, n);
    risei_selftest_add(t, "maximum_backward", b, n);
    k->perturb(1, n, x, y, x, z), risei_selftest_add(t, "perturb", z, n);
    memset(a, 0, sizeof a), memset(b, 0, sizeof b);
    risei_selftest_fill(y, n, 3);
    k->norm_forward(n, x, y, y, z, stats), risei_selftest_add(t, "norm_forward", z, n);
    k->norm_backward(n, x, y, stats, z, a, b), risei_selftest_add(t, "norm_backward", z, n);
    risei_selftest_add(t, "norm_backward", a, n), risei_selftest_add(t, "norm_backward", b, n);
}
RISEI_FN void risei_selftest_adam(risei_selftest *t, const rise_kernels *k)
{
    enum { n = RISEI_SELFTEST_N };
    static const rise_adam adam = {(rise_real)0.5,  (rise_real)0.875, (rise_real)0.96875,
                                   (rise_real)0.25, (rise_real)1.5,   (rise_real)0.125};
    rise_real w[n], g[n], m[n], v[n];
    risei_selftest_fill(w, n, 14), risei_selftest_fill(g, n, 15);
    risei_selftest_fill(m, n, 16), memcpy(v, w, sizeof v);
    k->maximum(n, g, v), k->multiply(n, v, v, 0, v); /* v >= 0 */
    g[0] = (rise_real)k->adam(n, &adam, w, g, m, v), risei_selftest_add(t, "adam", g, 1);
    risei_selftest_add(t, "adam", w, n);
    risei_selftest_add(t, "adam", m, n), risei_selftest_add(t, "adam", v, n);
}
RISEI_FN void risei_selftest_cells(risei_selftest *t, const rise_kernels *k)
{
    enum { n = RISEI_SELFTEST_N };
    rise_real gates[4 * n], u[3 * n], du[3 * n], dgates[4 * n], h[n], c[n], next[n], c_next[n];
    rise_real dh[n], dc[n];
    risei_selftest_fill(h, n, 4), risei_selftest_fill(c, n, 5);
    risei_selftest_fill(gates, 4 * n, 6), risei_selftest_fill(u, 3 * n, 7);
    k->lstm_forward(n, gates, c, c_next, next), risei_selftest_add(t, "lstm_forward", next, n);
    risei_selftest_fill(dh, n, 8), risei_selftest_fill(dc, n, 9);
    k->lstm_backward(n, gates, c, c_next, dh, dc, dgates);
    risei_selftest_add(t, "lstm_backward", dgates, 4 * n);
    risei_selftest_add(t, "lstm_backward", dc, n);
    k->gru_forward(n, gates, u, h, next), risei_selftest_add(t, "gru_forward", next, n);
    k->gru_backward(n, gates, u, h, dh, dgates, du);
    risei_selftest_add(t, "gru_backward", dgates, 3 * n);
    risei_selftest_add(t, "gru_backward", du, 3 * n);
    risei_selftest_add(t, "gru_backward", dh, n);
    k->mingru_forward(n, gates, h, next), risei_selftest_add(t, "mingru_forward", next, n);
    k->mingru_backward(n, gates, h, dh, dgates);
    risei_selftest_add(t, "mingru_backward", dgates, 2 * n);
    risei_selftest_add(t, "mingru_backward", dh, n);
}
/* Computes two products. The first has a bias and a ReLU. The second has a transposed A, is added
   to C, and also adds the sums of B's columns to `sums`. */
RISEI_FN void risei_selftest_products(risei_selftest *t, const rise_kernels *k, void *scratch)
{
    enum { rows = 9, columns = 21, depth = 19 };
    rise_real a[rows * depth], b[depth * columns], c[rows * columns], bias[columns], sums[columns];
    rise_product p;
    risei_selftest_fill(a, rows * depth, 10), risei_selftest_fill(b, depth * columns, 11);
    risei_selftest_fill(c, rows * columns, 12), risei_selftest_fill(bias, columns, 13);
    memset(&p, 0, sizeof p);
    p.m = rows, p.n = columns, p.k = depth;
    p.a = rise_matrix_plain(a, depth), p.b = rise_matrix_plain(b, columns);
    p.c = rise_matrix_plain(c, columns);
    p.bias = bias, p.relu = 1;
    k->product(&p, 0, 1, scratch), risei_selftest_add(t, "product", c, rows * columns);
    p.bias = NULL, p.relu = 0, p.accumulate = 1, p.transposed = 1;
    p.a = rise_matrix_plain(a, rows), p.sums = sums, memcpy(sums, bias, sizeof sums);
    k->product(&p, 0, 1, scratch), risei_selftest_add(t, "product", c, rows * columns);
    risei_selftest_add(t, "product", sums, columns);
}
/* Computes a product with 8-bit weights: five overlapping rows of x [28], and 17 outputs in a
   block of 16 and a block of 1. */
RISEI_FN void risei_selftest_int8(risei_selftest *t, const rise_kernels *k, const int16_t *x)
{
    enum { length = 8, outputs = 17, rows = 5, step = 5 };
    int8_t w[length * outputs];
    rise_real scales[outputs], bias[outputs], y[rows * outputs];
    rise_real const x_scale = (rise_real)0.125;
    rise_int8_product p;
    int i;
    for (i = 0; i < length * outputs; i++) w[i] = (int8_t)(i * 29 % 255 - 127);
    for (i = 0; i < outputs; i++) scales[i] = (rise_real)(i + 1) / 32, bias[i] = (rise_real)(i - 9);
    p.x = x, p.x_step = step, p.run_stride = 0, p.runs = 1, p.run = length;
    p.count = rows, p.outputs = outputs, p.relu = 1, p.accumulate = 0;
    p.w = w, p.x_scales = &x_scale, p.x_scale_step = 0, p.scales = scales, p.bias = bias;
    p.y = y, p.y_step = outputs;
    k->int8_product(&p), risei_selftest_add(t, "int8_product", y, rows * outputs);
}
/* Computes the results of the kernels that read or write bytes, 16-bit floats or integers. */
RISEI_FN void risei_selftest_bytes(risei_selftest *t, const rise_kernels *k)
{
    enum { n = RISEI_SELFTEST_N, bits = 6 };
    uint8_t frame[4][n];
    const uint8_t *const frames[4] = {frame[0], frame[1], frame[2], frame[3]};
    rise_frame_scale scale;
    rise_real x[4 * n];
    rise_real const row_weights[3] = {3, 5, 2};
    uint16_t half[n];
    int32_t in[1 << bits], sums[n];
    int8_t ternary[3 * n];
    int16_t rounded[n];
    int i;
    for (i = 0; i < 4 * n; i++) frame[i / n][i % n] = (uint8_t)(i * 37);
    scale.mean = frame[0], scale.factor = (rise_real)0.25, scale.limit = 8;
    k->stack(n, 1, 4, frames, &scale, scale.mean, x), risei_selftest_add(t, "stack", x, 4 * n);
    k->sum_rows(n, 4, frame[0], n, row_weights, x), risei_selftest_add(t, "sum_rows", x, n);
    for (i = 0; i < n; i++) half[i] = risei_to_half(x[i]);
    k->half_to_real(n, half, x), risei_selftest_add(t, "half_to_real", x, n);
    x[0] = k->int8_round(n, x, 1000, rounded);
    for (i = 0; i < n; i++) x[i + 1] = (rise_real)rounded[i];
    risei_selftest_add(t, "int8_round", x, n + 1);
    risei_selftest_int8(t, k, rounded);
    memset(in, 0, sizeof in);
    for (i = 0; i < n; i++) in[i] = frame[1][i];
    k->project_signs(n, in, n, 5, sums);
    for (i = 0; i < n; i++) x[i] = (rise_real)sums[i];
    risei_selftest_add(t, "project_signs", x, n);
    for (i = 0; i < n; i++) in[i] = frame[2][i];
    for (i = 0; i < 3 * n; i++) ternary[i] = (int8_t)(i * 5 % 3 - 1);
    k->project_ternary(n, in, 3, ternary, sums);
    for (i = 0; i < 3; i++) x[i] = (rise_real)sums[i];
    risei_selftest_add(t, "project_ternary", x, 3);
}
/* Computes the results of all kernels of a table. */
RISEI_FN void risei_selftest_kernels(risei_selftest *t, const rise_kernels *k, void *scratch)
{
    t->count = t->parts = 0;
    risei_selftest_functions(t, k);
    risei_selftest_adam(t, k);
    risei_selftest_cells(t, k);
    risei_selftest_products(t, k, scratch);
    risei_selftest_bytes(t, k);
}
/* Compares the results of a table with those of the reference, `right`. Returns RISE_BROKEN at the
   first wrong result. With `same_bits`, all bits must be equal. Otherwise the kernels round
   differently, and the error must be at most 1e-4 * (1 + |reference|). No measurement of other
   limits is recorded. */
RISEI_FN rise_result risei_selftest_compare(const risei_selftest *t, const risei_selftest *right,
                                            const char *isa, int same_bits, rise_error *error)
{
    int i, part = 0;
    for (i = 0; i < right->count; i++) {
        rise_real const x = t->result[i], y = right->result[i];
        int const good = same_bits ? memcmp(&x, &y, sizeof x) == 0
                                   : risei_abs(x - y) <= (rise_real)1e-4 * (1 + risei_abs(y));
        while (i >= right->end[part]) part++;
        if (!good)
            return risei_fail(error, RISE_BROKEN,
                              "the kernel %s of %s computes %.9g instead of %.9g; check the "
                              "compiler's flags, or take another isa",
                              right->name[part], isa, (double)x, (double)y);
    }
    return RISE_OK;
}

/* A file in memory, to write. */
typedef struct risei_selftest_file {
    unsigned char *data; /* NULL: risei_selftest_write only counts bytes, in `at` */
    size_t at;
} risei_selftest_file;

RISEI_FN int risei_selftest_write(void *user, const void *data, size_t size)
{
    risei_selftest_file *const f = (risei_selftest_file *)user;
    if (f->data != NULL) memcpy(f->data + f->at, data, size);
    f->at += size;
    return 1;
}
/* The value head of the test's agent, and the hash of the agent's weights after the training run.
   The hash is for float kernels that fuse multiply-adds, on all machines. */
#ifdef RISE_NO_RAINBOW
#define RISEI_SELFTEST_HEAD "noisy=0", "head=mean",
#define RISEI_SELFTEST_HASH UINT64_C(0x3E25ACBCAF4F904F)
#else
#define RISEI_SELFTEST_HEAD "noisy=1", "head=iqn", "quantiles=4",
#define RISEI_SELFTEST_HASH UINT64_C(0x98883338B9AB847B)
#endif
/* Creates the agent of the test. The hash also depends on fields that are not set here, such as
   target_rate. So if a default of such a field changes, set the field here to its old value. */
RISEI_FN rise_result risei_selftest_agent(rise_agent **agent, rise_isa isa, rise_error *error)
{
    static const char *const fields[] = {
        "frame_width=9",       "frame_height=8",   "actions=3",        "frame_stack=2",
        "memory=rise",         "window=5",         "cell=gru",         "recurrent_units=8",
        "fusion=concat",       "context_scale=1",  "embedding=signs",  "embedding_size=10",
        "embedding_pool=1",    "network=custom",   "conv_count=2",     "conv[0].filters=5",
        "conv[0].size=3",      "conv[0].pad=1",    "conv[0].pool=2",   "conv[1].filters=6",
        "conv[1].size=2",      "conv[1].stride=2", "features=12",      "head_units=9",
        "layer_norm=1",        RISEI_SELFTEST_HEAD
        "batch=4",             "n_step=2",         "discount=0.9",     "learning_rate=0.01",
        "adam_epsilon=0.001",  "gradient_clip=1",  "target_period=5",  "replay_capacity=60",
        "learn_start=20",      "learn_period=2",   "epsilon_start=1",  "epsilon_end=0.1",
        "epsilon_steps=40",    "context_decay=0.01", "priority_exponent=0.5",
        "importance_exponent=0.4", "seed=1"};
    rise_agent_desc desc;
    int i;
    memset(&desc, 0, sizeof desc);
    for (i = 0; i < RISEI_COUNT(fields); i++) rise_agent_set(&desc, fields[i], NULL);
    desc.isa = isa;
    return rise_agent_create(agent, &desc, error);
}
/* Plays steps `from` .. `to` - 1 of a made-up game. Frames, rewards and ends of episodes depend on
   the step alone. */
RISEI_FN rise_result risei_selftest_play(rise_agent *a, int from, int to, rise_error *error)
{
    uint8_t frame[9 * 8];
    int step, i;
    for (step = from; step < to; step++) {
        int const t = step % 7;
        for (i = 0; i < 9 * 8; i++) frame[i] = (uint8_t)((i * (step % 11 + 1) * 29) & 255);
        if (rise_agent_step(a, frame, (float)(t % 3) - 1,
                            t == 0   ? RISE_FIRST
                            : t == 6 ? RISE_TERMINATED
                                     : RISE_MIDDLE) >= 0)
            continue;
        return risei_fail(error, rise_agent_error(a)->result, "step %d of the test: %s", step,
                          rise_agent_error(a)->text);
    }
    return RISE_OK;
}
/* Returns the FNV-1a hash of the weights as 32-bit floats. */
RISEI_FN uint64_t risei_selftest_hash(const rise_agent *a)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    size_t i;
    int shift;
    for (i = 0; i < a->model.net.parameters; i++) {
        float const weight = (float)a->model.weights[i];
        uint32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        for (shift = 0; shift < 32; shift += 8)
            hash = (hash ^ (bits >> shift & 255)) * UINT64_C(1099511628211);
    }
    return hash;
}
/* Saves the agent to memory, and loads it as *copy. */
RISEI_FN rise_result risei_selftest_copy(const rise_agent *a, rise_agent **copy, rise_error *error)
{
    risei_selftest_file f;
    risei_file_memory file;
    rise_agent_desc machine;
    rise_result result;
    memset(&f, 0, sizeof f);
    memset(&machine, 0, sizeof machine);
    machine.isa = a->desc.isa;
    result = rise_agent_write(a, RISE_SAVE_ALL, risei_selftest_write, &f, error);
    if (result != RISE_OK) return result;
    f.data = (unsigned char *)calloc(f.at, 1);
    f.at = 0;
    if (f.data == NULL)
        return risei_fail(error, RISE_NO_MEMORY, "there is no memory for the test");
    result = rise_agent_write(a, RISE_SAVE_ALL, risei_selftest_write, &f, error);
    file.at = f.data, file.left = f.at;
    if (result == RISE_OK)
        result = rise_agent_read(copy, risei_file_memory_read, &file, f.at, &machine, error);
    free(f.data);
    return result;
}
/* Trains an agent and a copy that was saved and loaded. The hashes of both must be equal. If
   rise_real is float and the kernels fuse multiply-adds, the agent's hash must also be `hash`. A
   call that fails for another reason than missing memory is a wrong result, too. */
RISEI_FN rise_result risei_selftest_train(rise_isa isa, uint64_t hash, rise_error *error)
{
    rise_agent *a = NULL, *copy = NULL;
    rise_result result = risei_selftest_agent(&a, isa, error);
    if (result == RISE_OK) result = risei_selftest_play(a, 0, 70, error);
    if (result == RISE_OK) result = risei_selftest_copy(a, &copy, error);
    if (result == RISE_OK) result = risei_selftest_play(a, 70, 90, error);
    if (result == RISE_OK) result = risei_selftest_play(copy, 70, 90, error);
    if (result == RISE_OK && risei_selftest_hash(a) != risei_selftest_hash(copy))
        result = risei_fail(error, RISE_BROKEN,
                            "an agent that was saved and loaded learns other weights");
    if (result == RISE_OK && sizeof(rise_real) == 4 && a->model.device.kernels->fused &&
        risei_selftest_hash(a) != hash)
        result = risei_fail(error, RISE_BROKEN,
                            "training with %s gives other weights than elsewhere; check the "
                            "compiler's flags",
                            a->model.device.kernels->name);
    rise_agent_destroy(a), rise_agent_destroy(copy);
    if (result == RISE_OK || result == RISE_NO_MEMORY) return result;
    if (error != NULL) error->result = RISE_BROKEN;
    return RISE_BROKEN;
}
/* Tests the table of `isa`. `t` [2] receives the results of the table and of the reference. */
RISEI_FN rise_result risei_selftest_run(rise_isa isa, risei_selftest *t, void *scratch,
                                        rise_error *error)
{
    const rise_kernels *k = rise_kernels_of(isa), *right = rise_kernels_of(RISE_ISA_REF);
    rise_result result;
    risei_selftest_kernels(&t[0], k, scratch);
    risei_selftest_kernels(&t[1], right, scratch);
    result = risei_selftest_compare(&t[0], &t[1], k->name, k->fused == right->fused, error);
    return result == RISE_OK ? risei_selftest_train(isa, RISEI_SELFTEST_HASH, error) : result;
}
RISE_API rise_result rise_self_test(rise_isa isa, rise_error *error)
{
    size_t const results = risei_arena_aligned(2 * sizeof(risei_selftest));
    rise_result result = RISE_OK;
    unsigned char *memory;
    int i;
    if (rise_kernels_of(isa) == NULL)
        return risei_fail(error, RISE_UNAVAILABLE, "isa is %d, which is not available here",
                          (int)isa);
    memory = (unsigned char *)calloc(results + rise_product_scratch(), 1);
    if (memory == NULL)
        return risei_fail(error, RISE_NO_MEMORY, "there is no memory for the test");
    for (i = RISE_ISA_REF; i <= RISE_ISA_NEON && result == RISE_OK; i++)
        if ((isa == RISE_ISA_AUTO || (int)isa == i) && rise_kernels_of((rise_isa)i) != NULL)
            result = risei_selftest_run((rise_isa)i, (risei_selftest *)(void *)memory,
                                        memory + results, error);
    free(memory);
    return result;
}

#endif /* !RISE_PLAY_ONLY */
#ifdef __cplusplus
}
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT DEFAULT
#pragma clang diagnostic pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#elif defined(_MSC_VER) && _MSC_VER < 1930
#pragma fp_contract(on)
#endif
#endif /* RISE_IMPLEMENTATION */

#else /* RISEK_PASS: the kernel template, once per instruction set */

/* ---------------------------------------------------------------------------------------------- */
/* >>template: the kernels, compiled once for each instruction set

   Holds: elementwise kernels, sums, recurrent cells, LayerNorm, conversions to numbers, products
   with 8-bit weights, random projections, Adam, matrix products, and one rise_kernels table. The
   comments of rise_kernels in the API say what each kernel computes. The room kernels includes this
   file once for each pass.
   Main types: RISEK(a_block) and RISEK(b_block), the blocks of a matrix product.
   Uses: platform, random, kernels. Test: tests/kernels.c, which runs every table of the machine.

   A pass defines these macros, and the end of this room undefines them:

   RISEK(name)            `name` with the suffix of the pass
   RISEK_NAME             name of the table, a string
   RISEK_ISA              the rise_isa of the table
   RISEK_FUSED            1: vfma rounds once
   RISEK_FN               a static function with the target attribute of the pass
   RISEK_INLINE           the same, inlined (but not in c with RISE_PLAY_ONLY)
   RISEK_REFERENCE        in the pass ref, and in c with RISE_PLAY_ONLY: products are plain loops
                          without tiles
   V, VL                  type of a vector, and its number of lanes, which divides 16
   M                      type of a comparison's result
   MR, NV                 largest tile of a product: MR rows (4 .. RISEI_MR_MOST) of NV vectors;
                          NV * VL divides RISE_PANEL (without RISEK_REFERENCE)
   RISEK_TILE_SIZES(X)    applies X to 1, 2 .. MR (without RISEK_REFERENCE)
   vload(p)               VL numbers from any address
   vstore(p, x)           VL numbers to any address
   vset1(x)               the number x in all lanes
   vbytes(p)              VL bytes as numbers (where VL >= 4)
   vhalves(p)             VL 16-bit floats as numbers (only where there is an instruction)
   RISEK_INT8(name)       `name` with the suffix of the pass whose 8-bit functions this table uses
                          (default: this pass). A pass with vector code for 8-bit weights
                          defines all macros VI .. vint16_store. Other passes define none of them.
   VI                     32-bit sums of VIL / 2 outputs (NEON: two lanes for each sum)
   VIW, VIL               a vector of 16-bit integers, and its number of lanes
   VIC                    the most rows of x that int8_tile computes together: 1, 2 or 4
   vint8_load(w)          the VIL bytes at w as a VIW
   vint8_pair(x)          x[0], x[1], x[0], x[1], ... as a VIW
   vint8_zero()           a VI whose sums are 0
   vint8_add(sum, w, x)   `sum`, with w[2 j] x[2 j] + w[2 j + 1] x[2 j + 1] added for output j
   vint8_store(p, sum)    stores the VIL / 2 sums of a VI as 32-bit integers
   vints(p)               the VL 32-bit integers at p as a V
   vint16_store(q, x)     stores a V of integers as VL 16-bit integers
   vadd vsub vmul vdiv    (a, b)
   vsqrt vabs             (x)
   vfma(a, b, c)          a b + c
   vfma_lane(a, i, b, c)  a[i] b + c (only where there is an instruction; then VL is 4)
   vmax vmin              (a, b); return b if a or b is NaN, or if both are zeros
   vgt(a, b)              a > b
   vselect(m, yes, no)    `yes` where m is true, else `no`
   vcopysign(x, sign)     magnitude of x, sign of `sign`
   vscale(x, t)           x 2^n, where the low bits of t hold n
   vexponent(x), vmantissa(x)   for normal x > 0: x = mantissa 2^exponent, mantissa in [0.5, 1)
   vtranspose(from, from_stride, to, to_stride), VTRANSPOSE
                          transposes VTRANSPOSE x VTRANSPOSE numbers (default: risei_transpose4)

   With RISE_DOUBLE there is only the pass ref. Then V is double, and vfma rounds twice although
   RISEK_FUSED is 1. */

/* Returns the larger of x and 0. Returns 0 if x is NaN: see vmax. */
RISEK_INLINE V RISEK(relu)(V x) { return vmax(x, vset1(0)); }

/* Returns x, or 0 where |x| < 2^-100. Without this function, gradients would become denormal along
   a sequence, and moments of Adam would become denormal from update to update. Arithmetic on
   denormals can be a hundred times slower. Also, some processors replace denormals by 0, so the
   results would differ. */
RISEK_INLINE V RISEK(flush)(V x)
{
    return vselect(vgt(vset1(RISEI_FLUSH_BELOW), vabs(x)), vset1(0), x);
}

#ifdef RISE_DOUBLE
RISEK_INLINE V RISEK(vexp)(V x) { return exp(x); }
RISEK_INLINE V RISEK(vlog)(V x) { return log(x); }
RISEK_INLINE V RISEK(vtanh)(V x) { return tanh(x); }
RISEK_INLINE V RISEK(vsigmoid)(V x) { return 1 / (1 + exp(-x)); }
#else
/* Returns e^x = 2^n e^r with |r| <= ln 2 / 2, for x clamped to [-87, 88]. The polynomial is from
   the Cephes library (S. Moshier). */
RISEK_INLINE V RISEK(vexp)(V x)
{
    /* 1.5 * 2^23. Adding magic rounds y / ln 2 to an integer n. The low bits of t hold n. */
    V const magic = vset1(12582912.0f);
    V const y = vmax(vset1(-87.0f), vmin(vset1(88.0f), x));
    V const t = vfma(y, vset1(1.44269504f), magic), n = vsub(t, magic);
    /* r = y - n ln 2, with ln 2 in two parts */
    V const r = vfma(n, vset1(2.12194440e-4f), vfma(n, vset1(-0.693359375f), y));
    V p = vset1(1.9875691500e-4f);
    p = vfma(p, r, vset1(1.3981999507e-3f));
    p = vfma(p, r, vset1(8.3334519073e-3f));
    p = vfma(p, r, vset1(4.1665795894e-2f));
    p = vfma(p, r, vset1(1.6666665459e-1f));
    p = vfma(p, r, vset1(5.0000001201e-1f));
    /* Computes p r^2 + r + 1. With Horner's scheme for the last two terms, e^x would not be
       monotone. */
    p = vadd(vfma(p, vmul(r, r), r), vset1(1.0f));
    /* The comparison is false only if x is NaN. */
    return vselect(vgt(vset1(89.0f), y), vscale(p, t), x);
}

/* Returns log x = e ln 2 + log m, where x = 2^e m and m is in [sqrt(1/2), sqrt(2)). The polynomial
   is from Cephes. */
RISEK_INLINE V RISEK(vlog)(V x)
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

/* Returns 1 / (1 + e^-x), for x clamped to at least -80. */
RISEK_INLINE V RISEK(vsigmoid)(V x)
{
    V const e = RISEK(vexp)(vsub(vset1(0), vmax(vset1(-80.0f), x)));
    return vdiv(vset1(1.0f), vadd(vset1(1.0f), e));
}

/* Returns x + x^3 p(x^2) where |x| <= 0.625 (Cephes), else 1 - 2 / (e^(2 |x|) + 1) with the sign
   of x. */
RISEK_INLINE V RISEK(vtanh)(V x)
{
    V const a = vabs(x), z = vmul(x, x);
    V const e = RISEK(vexp)(vadd(a, a));
    V const large = vcopysign(vsub(vset1(1.0f), vdiv(vset1(2.0f), vadd(e, vset1(1.0f)))), x);
    V p = vset1(-5.70498872745e-3f);
    p = vfma(p, z, vset1(2.06390887954e-2f));
    p = vfma(p, z, vset1(-5.37397155531e-2f));
    p = vfma(p, z, vset1(1.33314422036e-1f));
    p = vfma(p, z, vset1(-3.33332819422e-1f));
    p = vfma(vmul(p, z), x, x);
    return vselect(vgt(a, vset1(0.625f)), large, p);
}
#endif

/* Elementwise kernels. RISEK_EACH_VECTOR(n) divides n elements into vectors of VL elements and runs
   its body once for each vector. In the body, i is the index of the vector's first element, and
   `left` is n - i. RISEK_LOAD and RISEK_STORE access the vector at p + i. The last vector may have
   fewer than VL elements and is then copied to or from an array of VL lanes. So the last elements
   go through the same operations as the others. */
RISEK_INLINE V RISEK(load_part)(const rise_real *p, int n)
{
    rise_real lane[VL];
    int i;
    for (i = 0; i < VL; i++) lane[i] = i < n ? p[i] : 0;
    return vload(lane);
}
RISEK_INLINE void RISEK(store_part)(rise_real *p, V x, int n)
{
    rise_real lane[VL];
    int i;
    vstore(lane, x);
    for (i = 0; i < VL && i < n; i++) p[i] = lane[i];
}
#define RISEK_LOAD(p) (left >= VL ? vload((p) + i) : RISEK(load_part)((p) + i, left))
#define RISEK_STORE(p, x)                                                                          \
    (left >= VL ? vstore((p) + i, (x)) : RISEK(store_part)((p) + i, (x), left))
#define RISEK_EACH_VECTOR(n)                                                                       \
    int i, left;                                                                                   \
    for (i = 0, left = (n); left > 0; i += VL, left -= VL)

RISEK_FN void RISEK(map_exp)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH_VECTOR(n) { RISEK_STORE(y, RISEK(vexp)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(map_log)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH_VECTOR(n) { RISEK_STORE(y, RISEK(vlog)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(map_tanh)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH_VECTOR(n) { RISEK_STORE(y, RISEK(vtanh)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(map_sigmoid)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH_VECTOR(n) { RISEK_STORE(y, RISEK(vsigmoid)(RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(add)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH_VECTOR(n) { RISEK_STORE(y, vadd(RISEK_LOAD(y), RISEK_LOAD(x))); }
}
RISEK_FN void RISEK(multiply)(int n, const rise_real *x, const rise_real *y, int add, rise_real *z)
{
    RISEK_EACH_VECTOR(n)
    {
        V const a = RISEK_LOAD(x), b = RISEK_LOAD(y);
        RISEK_STORE(z, add ? vfma(a, b, RISEK_LOAD(z)) : vmul(a, b));
    }
}
RISEK_FN void RISEK(perturb)(int rows, int n, const rise_real *x, const rise_real *a,
                             const rise_real *b, rise_real *z)
{
    int row;
    for (row = 0; row < rows; row++, x += n, z += n) {
        V const factor = vset1(a[row]);
        RISEK_EACH_VECTOR(n)
        { RISEK_STORE(z, vfma(RISEK_LOAD(x), vmul(factor, RISEK_LOAD(b)), RISEK_LOAD(z))); }
    }
}
RISEK_FN void RISEK(maximum)(int n, const rise_real *x, rise_real *y)
{
    RISEK_EACH_VECTOR(n) { RISEK_STORE(y, vmax(RISEK_LOAD(x), RISEK_LOAD(y))); }
}
RISEK_FN void RISEK(maximum_backward)(int n, const rise_real *x, const rise_real *y,
                                      rise_real *rest, rise_real *dx)
{
    RISEK_EACH_VECTOR(n)
    {
        M const less = vgt(RISEK_LOAD(y), RISEK_LOAD(x));
        V const r = RISEK_LOAD(rest), d = RISEK_LOAD(dx);
        RISEK_STORE(dx, vselect(less, d, vadd(d, r)));
        RISEK_STORE(rest, vselect(less, r, vset1(0)));
    }
}
RISEK_FN void RISEK(relu_backward)(int n, const rise_real *y, const rise_real *dy, rise_real *dx)
{
    RISEK_EACH_VECTOR(n)
    { RISEK_STORE(dx, vselect(vgt(RISEK_LOAD(y), vset1(0)), RISEK_LOAD(dy), vset1(0))); }
}

/* Returns the sum of 16 lanes, added in halves. Overwrites `lane`. The sums of dot and of LayerNorm
   have 16 lanes, whatever VL is: element i is added to lane i % 16. So the order of additions is
   the same in all tables. */
RISEK_FN rise_real RISEK(sum_lanes)(rise_real *lane)
{
    int width, i;
    for (width = 8; width > 0; width /= 2)
        for (i = 0; i < width; i++) lane[i] = lane[i] + lane[i + width];
    return lane[0];
}
/* Returns the sum over i < n of (x[i] - x0) (y[i] - y0). */
RISEK_FN rise_real RISEK(centred_dot)(ptrdiff_t n, const rise_real *x, rise_real x0,
                                      const rise_real *y, rise_real y0)
{
    V acc[16 / VL];
    V const vx0 = vset1(x0), vy0 = vset1(y0);
    rise_real lane[16], tail[2][16];
    ptrdiff_t i;
    int l;
    for (l = 0; l < 16 / VL; l++) acc[l] = vset1(0);
    for (i = 0; i + 16 <= n; i += 16)
        for (l = 0; l < 16 / VL; l++)
            acc[l] =
                vfma(vsub(vload(x + i + l * VL), vx0), vsub(vload(y + i + l * VL), vy0), acc[l]);
    for (l = 0; l < 16; l++) {
        tail[0][l] = i + l < n ? x[i + l] : x0; /* after the end, each term is 0 */
        tail[1][l] = i + l < n ? y[i + l] : y0;
    }
    for (l = 0; l < 16 / VL; l++) {
        acc[l] =
            vfma(vsub(vload(tail[0] + l * VL), vx0), vsub(vload(tail[1] + l * VL), vy0), acc[l]);
        vstore(lane + l * VL, acc[l]);
    }
    return RISEK(sum_lanes)(lane);
}
RISEK_FN rise_real RISEK(sum)(int n, const rise_real *x)
{
    rise_real lane[16];
    int i;
    for (i = 0; i < 16; i++) lane[i] = 0;
    for (i = 0; i < n; i++) lane[i % 16] = lane[i % 16] + x[i];
    return RISEK(sum_lanes)(lane);
}
RISEK_FN double RISEK(dot)(ptrdiff_t n, const rise_real *x, const rise_real *y)
{
    return (double)RISEK(centred_dot)(n, x, 0, y, 0);
}

RISEK_FN void RISEK(lstm_forward)(int n, rise_real *gates, const rise_real *c, rise_real *c_next,
                                  rise_real *h)
{
    RISEK_EACH_VECTOR(n)
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
/* Returns flush(dy y (1 - y)): the gradient of x, where y = sigmoid(x) has the gradient dy. */
RISEK_INLINE V RISEK(dsigmoid)(V dy, V y)
{
    return RISEK(flush)(vmul(dy, vmul(y, vsub(vset1(1), y))));
}
/* Returns dy (1 - y^2): the gradient of x, where y = tanh(x) has the gradient dy. */
RISEK_INLINE V RISEK(dtanh)(V dy, V y) { return vmul(dy, vfma(vsub(vset1(0), y), y, vset1(1))); }

RISEK_FN void RISEK(lstm_backward)(int n, const rise_real *gates, const rise_real *c,
                                   const rise_real *c_next, const rise_real *dh, rise_real *dc,
                                   rise_real *dgates)
{
    RISEK_EACH_VECTOR(n)
    {
        V const in = RISEK_LOAD(gates), forget = RISEK_LOAD(gates + n);
        V const g = RISEK_LOAD(gates + 2 * n);
        V const out = RISEK_LOAD(gates + 3 * n), tanh_c = RISEK(vtanh)(RISEK_LOAD(c_next));
        V const d = RISEK_LOAD(dh);
        V const dnext = vadd(RISEK_LOAD(dc), RISEK(dtanh)(vmul(d, out), tanh_c));
        RISEK_STORE(dgates, RISEK(dsigmoid)(vmul(dnext, g), in));
        RISEK_STORE(dgates + n, RISEK(dsigmoid)(vmul(dnext, RISEK_LOAD(c)), forget));
        RISEK_STORE(dgates + 2 * n, RISEK(flush)(RISEK(dtanh)(vmul(dnext, in), g)));
        RISEK_STORE(dgates + 3 * n, RISEK(dsigmoid)(vmul(d, tanh_c), out));
        RISEK_STORE(dc, RISEK(flush)(vmul(dnext, forget)));
    }
}

RISEK_FN void RISEK(gru_forward)(int n, rise_real *x, const rise_real *u, const rise_real *h,
                                 rise_real *h_next)
{
    RISEK_EACH_VECTOR(n)
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
    RISEK_EACH_VECTOR(n)
    {
        V const r = RISEK_LOAD(x), z = RISEK_LOAD(x + n), new_h = RISEK_LOAD(x + 2 * n);
        V const d = RISEK_LOAD(dh);
        V const dnew = RISEK(flush)(RISEK(dtanh)(vmul(d, vsub(vset1(1), z)), new_h));
        V const dr = RISEK(dsigmoid)(vmul(dnew, RISEK_LOAD(u + 2 * n)), r);
        V const dz = RISEK(dsigmoid)(vmul(d, vsub(RISEK_LOAD(h), new_h)), z);
        RISEK_STORE(dx, dr);
        RISEK_STORE(dx + n, dz);
        RISEK_STORE(dx + 2 * n, dnew);
        RISEK_STORE(du, dr);
        RISEK_STORE(du + n, dz);
        RISEK_STORE(du + 2 * n, vmul(dnew, r));
        RISEK_STORE(dh, RISEK(flush)(vmul(d, z)));
    }
}

RISEK_FN void RISEK(mingru_forward)(int n, rise_real *gates, const rise_real *h, rise_real *h_next)
{
    RISEK_EACH_VECTOR(n)
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
    RISEK_EACH_VECTOR(n)
    {
        V const z = RISEK_LOAD(gates), new_h = RISEK_LOAD(gates + n), d = RISEK_LOAD(dh);
        RISEK_STORE(dgates, RISEK(dsigmoid)(vmul(d, vsub(RISEK_LOAD(h), new_h)), z));
        RISEK_STORE(dgates + n, RISEK(flush)(RISEK(dtanh)(vmul(d, vsub(vset1(1), z)), new_h)));
        RISEK_STORE(dh, RISEK(flush)(vmul(d, z)));
    }
}

RISEK_FN void RISEK(gate_forward)(int n, const rise_real *x, rise_real *u, rise_real *y)
{
    RISEK_EACH_VECTOR(n)
    {
        V const s = RISEK(vsigmoid)(RISEK_LOAD(u));
        RISEK_STORE(u, s);
        RISEK_STORE(y, vmul(RISEK_LOAD(x), s));
    }
}
RISEK_FN void RISEK(gate_backward)(int n, const rise_real *x, const rise_real *s, rise_real *dy,
                                   rise_real *dx)
{
    RISEK_EACH_VECTOR(n)
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
        RISEK_EACH_VECTOR(n)
        {
            RISEK_STORE(y, vfma(vmul(vsub(RISEK_LOAD(x), m), scale), RISEK_LOAD(gain),
                                RISEK_LOAD(bias)));
        }
    }
}
/* Overwrites dy with dx = scale (d - mean(d) - xhat mean(d xhat)). Here d = dy gain,
   xhat = (x - stats[0]) scale and scale = stats[1]. */
RISEK_FN void RISEK(norm_backward)(int n, const rise_real *x, const rise_real *gain,
                                   const rise_real *stats, rise_real *dy, rise_real *dgain,
                                   rise_real *dbias)
{
    V const m = vset1(stats[0]), scale = vset1(stats[1]);
    V mean_d, mean_d_xhat;
    {
        RISEK_EACH_VECTOR(n)
        {
            V const g = RISEK_LOAD(dy), xhat = vmul(vsub(RISEK_LOAD(x), m), scale);
            RISEK_STORE(dgain, vfma(g, xhat, RISEK_LOAD(dgain)));
            RISEK_STORE(dbias, vadd(RISEK_LOAD(dbias), g));
            RISEK_STORE(dy, vmul(g, RISEK_LOAD(gain)));
        }
    }
    mean_d = vset1(RISEK(sum)(n, dy) / (rise_real)n);
    mean_d_xhat = vset1(RISEK(centred_dot)(n, dy, 0, x, stats[0]) * stats[1] / (rise_real)n);
    {
        RISEK_EACH_VECTOR(n)
        {
            V const centred = vsub(RISEK_LOAD(dy), mean_d);
            V const xhat = vmul(vsub(RISEK_LOAD(x), m), scale);
            RISEK_STORE(dy, vmul(vfma(vsub(vset1(0), xhat), mean_d_xhat, centred), scale));
        }
    }
}

#if VL >= 4
/* Returns VL bytes as numbers, converted as rise_frame_scale says. If `mean` is NULL, subtracts no
   mean and does not clamp. */
RISEK_INLINE V RISEK(scale_bytes)(const uint8_t *bytes, const uint8_t *mean, V factor, V limit)
{
    V const x = vbytes(bytes);
    if (mean == NULL) return vmul(x, factor);
    return vmin(vmax(vmul(vsub(x, vbytes(mean)), factor), vsub(vset1(0), limit)), limit);
}
#endif
RISEK_FN void RISEK(stack)(int pixels, int channels, int stack, const uint8_t *const *frames,
                           const rise_frame_scale *scale, const uint8_t *mean, rise_real *out)
{
    int x = 0, s, c;
#if VL >= 4
    V const factor = vset1(scale->factor), limit = vset1(scale->limit);
    const uint8_t *const means[4] = {mean, mean, mean, mean};
    /* vectors for the usual cases: a stack of four grey frames, or one frame with any number of
       channels */
    for (; stack == 4 && channels == 1 && x + 16 <= pixels; x += 16) {
        uint8_t interleaved[64], mean4[64];
        risei_interleave4(frames, x, interleaved);
        if (mean != NULL) risei_interleave4(means, x, mean4);
        for (s = 0; s < 4; s++) RISEI_PREFETCH(frames[s] + x + RISEI_PREFETCH_BYTES);
        RISEI_UNROLL for (c = 0; c < 64; c += VL)
            vstore(out + x * 4 + c, RISEK(scale_bytes)(interleaved + c,
                                                       mean != NULL ? mean4 + c : NULL, factor,
                                                       limit));
    }
    for (; stack == 1 && x + VL <= pixels; x += VL)
        for (c = 0; c < channels; c++) {
            int const at = x * channels + c * VL;
            vstore(out + at, RISEK(scale_bytes)(frames[0] + at, mean != NULL ? mean + at : NULL,
                                                factor, limit));
        }
#endif
    for (; x < pixels; x++)
        for (s = 0; s < stack; s++)
            for (c = 0; c < channels; c++)
                out[(x * stack + s) * channels + c] =
                    risei_frame_scale_byte(scale, frames[s][x * channels + c],
                                       mean != NULL ? mean[x * channels + c] : 0);
}

#ifndef RISEK_INT8
#define RISEK_INT8(name) RISEK(name)
RISEK_FN rise_real RISEK(int8_round)(int n, const rise_real *x, int limit, int16_t *q)
{
    /* 1.5 * 2^23: adding and subtracting it rounds floats. With RISE_DOUBLE, the cast truncates. */
    rise_real const magic = 12582912;
    rise_real largest = 0, zero = 0, factor;
    int k = 0;
#ifdef VI
    V most = vset1(0), wrong = vset1(0);
    rise_real lane[VL];
    int l;
    for (; k + VL <= n; k += VL) {
        V const v = vload(x + k);
        most = vmax(most, vabs(v));
        wrong = vfma(v, vset1(0), wrong);
    }
    vstore(lane, most);
    for (l = 0; l < VL; l++) largest = risei_max(largest, lane[l]);
    vstore(lane, wrong);
    for (l = 0; l < VL; l++) zero = zero + lane[l];
#endif
    for (; k < n; k++) {
        largest = risei_max(largest, risei_abs(x[k]));
        zero = zero + 0 * x[k]; /* NaN if x is infinite or NaN */
    }
    if (!(zero == 0)) {
        memset(q, 0, (size_t)n * sizeof *q);
        return zero;
    }
    factor = largest > 0 ? (rise_real)limit / largest : 0;
    if (!(factor <= (rise_real)FLT_MAX)) factor = 0; /* infinite: all x are tiny */
    k = 0;
#ifdef VI
    for (; k + VL <= n; k += VL) {
        V const v = vmul(vload(x + k), vset1(factor));
        vint16_store(q + k, vsub(vadd(v, vset1(magic)), vset1(magic)));
    }
#endif
    for (; k < n; k++) {
        rise_real const rounded = x[k] * factor + magic;
        q[k] = (int16_t)(int)(rounded - magic);
    }
    return factor > 0 ? largest / (rise_real)limit : 0;
}

/* Computes sums[j], the dot product of the row x and the weights of output j, for a block of
   `outputs` outputs. */
RISEK_FN void RISEK(int8_row)(const rise_int8_product *p, const int8_t *w, int outputs,
                              const int16_t *x, int32_t *sums)
{
    int run, k, j;
    for (j = 0; j < outputs; j++) sums[j] = 0;
    for (run = 0; run < p->runs; run++, x += p->run_stride)
        for (k = 0; k < p->run; k += 2)
            for (j = 0; j < outputs; j++, w += 2)
                sums[j] = sums[j] + x[k] * w[0] + x[k + 1] * w[1];
}
#ifdef VI
/* Computes the sums [count][RISEI_INT8_BLOCK] of `count` rows from x on, for a whole block. Returns
   `count`, a compile-time constant of at most VIC. */
RISEK_INLINE int RISEK(int8_tile)(const rise_int8_product *p, const int8_t *w, int count,
                                  const int16_t *x, int32_t *sums)
{
    enum { RISEK(parts) = 2 * RISEI_INT8_BLOCK / VIL };
    VI sum[VIC][RISEK(parts)];
    int run, k, row, i;
    RISEI_UNROLL for (row = 0; row < count; row++)
        RISEI_UNROLL for (i = 0; i < RISEK(parts); i++) sum[row][i] = vint8_zero();
    for (run = 0; run < p->runs; run++, x += p->run_stride)
        for (k = 0; k < p->run; k += 2, w += 2 * RISEI_INT8_BLOCK) {
            VIW wide[RISEK(parts)];
            RISEI_UNROLL for (i = 0; i < RISEK(parts); i++) wide[i] = vint8_load(w + i * VIL);
            RISEI_UNROLL for (row = 0; row < count; row++) {
                VIW const pair = vint8_pair(x + row * p->x_step + k);
                RISEI_UNROLL for (i = 0; i < RISEK(parts); i++)
                    sum[row][i] = vint8_add(sum[row][i], wide[i], pair);
            }
        }
    RISEI_UNROLL for (row = 0; row < count; row++)
        RISEI_UNROLL for (i = 0; i < RISEK(parts); i++)
            vint8_store(sums + row * RISEI_INT8_BLOCK + i * VIL / 2, sum[row][i]);
    return count;
}
/* Computes the sums of the first 4, 2 or 1 of the `left` rows from x on. Returns how many rows it
   computed. */
RISEK_FN int RISEK(int8_rows)(const rise_int8_product *p, const int8_t *w, int left,
                              const int16_t *x, int32_t *sums)
{
#if VIC >= 4
    if (left >= 4) return RISEK(int8_tile)(p, w, 4, x, sums);
#endif
#if VIC >= 2
    if (left >= 2) return RISEK(int8_tile)(p, w, 2, x, sums);
#endif
    return RISEK(int8_tile)(p, w, 1, x, sums);
}
#endif
/* Writes the outputs first .. first + outputs - 1 of a row, from their sums. */
RISEK_FN void RISEK(int8_write)(const rise_int8_product *p, int row, int first, int outputs,
                                const int32_t *sums)
{
    rise_real *const y = p->y + row * p->y_step;
    rise_real const scale = p->x_scales[row * p->x_scale_step];
    int j = 0, at = first;
#ifdef VI
    for (; j + VL <= outputs; j += VL, at += VL) {
        V sum = p->accumulate ? vload(y + at) : vset1(0);
        if (p->bias != NULL) sum = vadd(sum, vload(p->bias + at));
        sum = vadd(sum, vmul(vints(sums + j), vmul(vset1(scale), vload(p->scales + at))));
        vstore(y + at, p->relu ? RISEK(relu)(sum) : sum);
    }
#endif
    for (; j < outputs; j++, at++) {
        rise_real sum = p->accumulate ? y[at] : 0;
        if (p->bias != NULL) sum = sum + p->bias[at];
        sum = sum + (rise_real)sums[j] * (scale * p->scales[at]);
        y[at] = p->relu ? risei_max(sum, 0) : sum;
    }
}
RISEK_FN void RISEK(int8_product)(const rise_int8_product *p)
{
    ptrdiff_t const each = (ptrdiff_t)p->runs * risei_int8_even(p->run); /* bytes per output */
    int32_t sums[4 * RISEI_INT8_BLOCK];
    int first, row, some, i;
    for (first = 0; first < p->outputs; first += RISEI_INT8_BLOCK) {
        const int8_t *const w = p->w + first * each;
        int const outputs = risei_minimum(p->outputs - first, RISEI_INT8_BLOCK);
        for (row = 0; row < p->count; row += some) {
            const int16_t *const x = p->x + row * p->x_step;
            some = 1;
#ifdef VI
            if (outputs == RISEI_INT8_BLOCK)
                some = RISEK(int8_rows)(p, w, p->count - row, x, sums);
            else
#endif
                RISEK(int8_row)(p, w, outputs, x, sums);
            for (i = 0; i < some; i++)
                RISEK(int8_write)(p, row + i, first, outputs, sums + i * RISEI_INT8_BLOCK);
        }
    }
}
#endif /* RISEK_INT8 */
RISEK_FN void RISEK(half_to_real)(int n, const uint16_t *x, rise_real *y)
{
    int i = 0;
#ifdef vhalves
    for (; i + VL <= n; i += VL) vstore(y + i, vhalves(x + i));
#else
    int l;
    /* an inner loop of constant length, which compilers vectorise */
    for (; i + 16 <= n; i += 16)
        for (l = 0; l < 16; l++) y[i + l] = risei_from_half(x[i + l]);
#endif
    for (; i < n; i++) y[i] = risei_from_half(x[i]);
}

/* project_signs and project_ternary are plain C. Sums of integers are exact in any order, so
   compilers may vectorise these loops. In project_signs, lengths of loops are written as multiples
   of the constant `lanes`. Such lengths help compilers to vectorise the loops. */
enum { RISEK(lanes) = 16 };
/* Replaces a and b by a + b and a - b; both have groups * lanes numbers. */
RISEK_FN void RISEK(butterflies)(int groups, int32_t *RISEI_RESTRICT a, int32_t *RISEI_RESTRICT b)
{
    int i;
    for (i = 0; i < groups * RISEK(lanes); i++) {
        int32_t const x = a[i], y = b[i];
        a[i] = x + y, b[i] = x - y;
    }
}
/* Computes a subsampled randomised Hadamard transform (see rise_sign). First negates the inputs
   whose sign d(i) is -1. Before the first round, the index of an element of x is the number i of an
   input. Each round of butterflies works on one bit of the index, from the top bit down to bit 4.
   After the round, this bit is a bit of a row number r of H. The lowest four bits have no rounds.
   Instead, each sums[j] adds the 16 elements whose indices have the upper bits of r(j). Element l
   of these 16 is negated if l & r(j) has an odd number of 1 bits. So these sums are computed only
   for the rows r(j). */
RISEK_FN void RISEK(project_signs)(int n, int32_t *x, int size, uint32_t seed, int32_t *sums)
{
    int const bits = rise_sign_bits(n, size), padded = 1 << bits;
    int i, j, l, half;
    memset(x + n, 0, (size_t)(padded - n) * sizeof *x);
    for (i = 0; i < padded; i += RISEK(lanes))
        for (l = 0; l < RISEK(lanes); l++) {
            /* 0, or -1, which negates x */
            int32_t const sign = -(int32_t)(risei_random_hash(seed, (uint32_t)(i + l)) >> 31);
            x[i + l] = (x[i + l] ^ sign) - sign;
        }
    for (half = padded / 2; half >= RISEK(lanes); half /= 2)
        for (i = 0; i < padded; i += 2 * half)
            RISEK(butterflies)(half / RISEK(lanes), x + i, x + i + half);
    for (j = 0; j < size; j++) {
        uint32_t const r = risei_random_sign_row(seed, bits, j);
        /* bit l: 1 if row r subtracts element l of the group, because l & r & 15 has an odd number
           of 1 bits */
        uint32_t const negative = (r & 1u ? 0xAAAAu : 0) ^ (r & 2u ? 0xCCCCu : 0) ^
                                  (r & 4u ? 0xF0F0u : 0) ^ (r & 8u ? 0xFF00u : 0);
        const int32_t *const group = x + (r & ~15u);
        int32_t sum = 0;
        for (l = 0; l < RISEK(lanes); l++) sum += negative & 1u << l ? -group[l] : group[l];
        sums[j] = sum;
    }
}
#if VL >= 4
/* Computes sum_rows for `vectors` vectors, at most 4. The sums stay in registers. */
RISEK_INLINE void RISEK(sum_rows_vectors)(int vectors, int rows, const uint8_t *x, ptrdiff_t stride,
                                          const rise_real *weights, rise_real *sums)
{
    V const first = vset1(weights[0]), middle = vset1(weights[1]), last = vset1(weights[2]);
    const uint8_t *row = x;
    V sum[4];
    int r, v;
    RISEI_UNROLL for (v = 0; v < vectors; v++) sum[v] = vset1(0);
    for (r = 2; r < rows; r++) {
        row += stride;
        RISEI_UNROLL for (v = 0; v < vectors; v++) sum[v] = vadd(sum[v], vbytes(row + v * VL));
    }
    RISEI_UNROLL for (v = 0; v < vectors; v++)
        sum[v] = vfma(vbytes(x + v * VL), first, vmul(sum[v], middle));
    if (rows > 1) {
        row += stride;
        RISEI_UNROLL for (v = 0; v < vectors; v++)
            sum[v] = vfma(vbytes(row + v * VL), last, sum[v]);
    }
    RISEI_UNROLL for (v = 0; v < vectors; v++) vstore(sums + v * VL, sum[v]);
}
#endif
RISEK_FN void RISEK(sum_rows)(int n, int rows, const uint8_t *x, ptrdiff_t stride,
                              const rise_real *weights, rise_real *sums)
{
    int i = 0, r;
#if VL >= 4
    for (; i + 4 * VL <= n; i += 4 * VL)
        RISEK(sum_rows_vectors)(4, rows, x + i, stride, weights, sums + i);
    for (; i + VL <= n; i += VL)
        RISEK(sum_rows_vectors)(1, rows, x + i, stride, weights, sums + i);
#endif
    /* Multiplies each byte; the vector code first adds the middle rows. Both are exact under the
       condition in rise_kernels, so the bits are the same. */
    for (; i < n; i++) {
        sums[i] = weights[0] * (rise_real)x[i];
        for (r = 1; r < rows; r++)
            sums[i] = sums[i] + weights[r < rows - 1 ? 1 : 2] * (rise_real)x[i + r * stride];
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
    V const scale = vset1(a->scale), mix1 = vset1(1 - a->beta1), mix2 = vset1(1 - a->beta2);
    V const rate = vset1(-a->rate), root_scale = vset1(a->root_scale), epsilon = vset1(a->epsilon);
    V suspect = vset1(0); /* sum of w - w: 0, or NaN if a weight is NaN or infinite */
    rise_real lane[VL];
    ptrdiff_t const block = 1 << 20; /* elements at a time, because n may exceed an int */
    int finite = 1, l;
    while (n > 0) {
        int const part = (int)(n < block ? n : block);
        RISEK_EACH_VECTOR(part)
        {
            V const grad = vmul(RISEK_LOAD(g), scale), m0 = RISEK_LOAD(m), v0 = RISEK_LOAD(v);
            V const m1 = RISEK(flush)(vfma(mix1, vsub(grad, m0), m0));
            V const v1 = RISEK(flush)(vfma(mix2, vsub(vmul(grad, grad), v0), v0));
            V const change = vdiv(m1, vfma(vsqrt(v1), root_scale, epsilon));
            V const w1 = vfma(rate, change, RISEK_LOAD(w));
            suspect = vadd(suspect, vsub(w1, w1));
            RISEK_STORE(w, w1);
            RISEK_STORE(m, m1);
            RISEK_STORE(v, v1);
        }
        n -= part, w += part, g += part, m += part, v += part;
    }
    vstore(lane, suspect);
    for (l = 0; l < VL; l++) finite &= lane[l] - lane[l] == 0;
    return finite;
}

/* ---------------------------------------------------------------------------------------------- */
/* Matrix products: C = init + A B

   Names. i, j, k and v are indices. i counts the rows of A and C. j counts the columns of B and C.
   k counts the terms of a sum: the columns of A and the rows of B. v counts the vectors in a row of
   a tile. Ranges of these indices are i0 .. i0+rows-1, j0 .. j0+columns-1 and k0 .. k0+depth-1.

   Offsets count elements. c_at[] holds the offsets of rows of C, and b_at[] of rows of B. a_at[]
   holds the offsets of rows of a block of A. If A is stored transposed, a_at[] holds the offsets of
   columns of a packed block, and k_at[] holds the offsets of columns of A itself.

   The terms block, panel and pack are those of Goto and van de Geijn (2008). The term micro-kernel
   is that of Van Zee and van de Geijn (2015). The functions, from the outermost loop to the
   innermost:
     product            divides B into blocks
     product_rows       multiplies some rows of A by a block of B
     product_block      multiplies some rows of A by some rows of a block of B
     block_times_panel  multiplies a block of A by one panel of B, which has at most NR columns
     a micro-kernel     computes one tile of C, at most MR rows x NV vectors. The sums of the tile
                        stay in registers while k runs.

   A and B are read in place (see block_by_rows, block_by_columns and b_in_place) or packed:
     B: a block has up to b_size elements, as panels [columns / NR][depth][NR];
     A: a block has up to mc rows and kc columns, as [rows][packed_row], or as panels
        [rows / MR][depth][MR] if A is stored transposed.
   The sizes are those of risei_blocks.
   The terms of a sum may belong to several blocks of B, and to several pieces of a block (see
   product_rows). Between two of these, C is stored and loaded again, which changes no bit.

   Speeds in the comments below compare the code after a change with the code before the change.
   make bench-kernels runs the products and cells that these comments name. make bench-step runs
   updates. Where a threshold has no speed, no measurement of other values is recorded. */

#if defined(RISEK_REFERENCE) && defined(RISE_PLAY_ONLY)

/* Small code: plain loops. The rows of p->b must be equally spaced, and with p->transposed also the
   rows of p->a. p->sums must be NULL. All products of acting satisfy these conditions. Each part
   computes the whole product, because RISE_PLAY_ONLY has no threads. */

/* Computes `columns` (1 or 4) adjacent elements of a row of C. With 4, each element of A is loaded
   once for all four. */
RISEK_FN void RISEK(product_columns)(const rise_product *p, const rise_real *a, const rise_real *b,
                                     const rise_real *from, rise_real *c, int columns)
{
    ptrdiff_t const stride = p->b.rows.stride[0];
    ptrdiff_t const a_stride = p->transposed ? p->a.rows.stride[0] : 1;
    int const run = p->transposed ? p->k : p->a.run;
    rise_real sum[4] = {0, 0, 0, 0};
    int j, k = 0, end;
    for (j = 0; j < columns && from != NULL; j++) sum[j] = from[j];
    for (;;) {
        end = p->k - k < run ? p->k : k + run;
        if (columns == 4)
            for (; k < end; k++, a += a_stride, b += stride) {
                rise_real const x = *a;
                sum[0] = vfma(x, b[0], sum[0]), sum[1] = vfma(x, b[1], sum[1]);
                sum[2] = vfma(x, b[2], sum[2]), sum[3] = vfma(x, b[3], sum[3]);
            }
        for (; k < end; k++, a += a_stride, b += stride) sum[0] = vfma(*a, *b, sum[0]);
        if (k == p->k) break;
        a += p->a.run_stride - run;
    }
    for (j = 0; j < columns; j++) c[j] = p->relu ? RISEK(relu)(sum[j]) : sum[j];
}
RISEK_FN void RISEK(product)(const rise_product *p, int part, int parts, void *scratch)
{
    int const adjacent = (p->b.run >= p->n || p->b.run % 4 == 0) && p->c.run >= p->n;
    int i, j, columns;
    (void)scratch, (void)part, (void)parts;
    for (i = 0; i < p->m; i++)
        for (j = 0; j < p->n; j += columns) {
            rise_real *const c = (rise_real *)(uintptr_t)p->c.data +
                                 risei_walk_offset(&p->c.rows, i) + risei_matrix_column(&p->c, j);
            const rise_real *const from = p->accumulate ? c : p->bias ? p->bias + j : NULL;
            columns = adjacent && p->n - j >= 4 ? 4 : 1;
            RISEK(product_columns)(p,
                                   p->a.data + (p->transposed ? risei_matrix_column(&p->a, i)
                                                              : risei_walk_offset(&p->a.rows, i)),
                                   p->b.data + risei_matrix_column(&p->b, j), from, c, columns);
        }
}

#elif defined(RISEK_REFERENCE)

/* The reference for the tests: three plain loops. */
RISEK_FN rise_real RISEK(element)(const rise_matrix *x, int row, int column)
{
    return x->data[risei_walk_offset(&x->rows, row) + risei_matrix_column(x, column)];
}
RISEK_FN void RISEK(product)(const rise_product *p, int part, int parts, void *scratch)
{
    int i, j, k, i_from, i_to;
    (void)scratch;
    risei_part_range(p->m, 1, part, parts, &i_from, &i_to);
    for (j = 0; j < p->n && p->sums && i_from == 0 && i_to > 0; j++) {
        if (!p->accumulate) p->sums[j] = 0;
        for (k = 0; k < p->k; k++) p->sums[j] = p->sums[j] + RISEK(element)(&p->b, k, j);
    }
    for (i = i_from; i < i_to; i++)
        for (j = 0; j < p->n; j++) {
            rise_real *c = (rise_real *)(uintptr_t)p->c.data + risei_walk_offset(&p->c.rows, i) +
                           risei_matrix_column(&p->c, j);
            rise_real sum = p->accumulate ? *c : p->bias ? p->bias[j] : 0;
            for (k = 0; k < p->k; k++)
                sum =
                    vfma(p->transposed ? RISEK(element)(&p->a, k, i) : RISEK(element)(&p->a, i, k),
                         RISEK(element)(&p->b, k, j), sum);
            *c = p->relu ? RISEK(relu)(sum) : sum;
        }
}

#else

#define NR (NV * VL) /* columns of a tile */
/* Returns the distance in elements from one panel of a packed transposed A to the next: a panel and
   16 more. The last vector that pack_a writes may end a few elements after the panel. With kc equal
   to RISEI_KC, the 16 elements also keep the distance from being a multiple of a large power of two
   (see risei_blocks_set_kc). */
RISEK_INLINE int RISEK(a_panel)(const risei_blocks *w) { return w->kc * MR + 16; }

/* The initial value of the sums of a tile. */
enum { RISEK(from_zero), RISEK(from_bias), RISEK(from_c) };

/* Prefetch distances, in columns or rows. The best distance depends on the latency of memory and on
   the time that one column or row takes. */
enum {
    /* columns of a transposed A in a micro-kernel: weight gradients of 256 images became 1.04 times
       as fast */
    RISEK(tile_prefetch_columns) = 24,
    /* columns of a transposed A while it is packed */
    RISEK(pack_prefetch_columns) = 8,
    /* rows of B while it is packed */
    RISEK(pack_prefetch_rows) = 4,
    /* rows of B that product_row reads in place */
    RISEK(row_prefetch_rows) = 16
};

/* A block of A, packed or in place. It has one of two forms.

   By rows: row i of the block starts at data + at[i]. The rows of one tile are row_stride apart. A
   row consists of runs of `run` adjacent elements, run_stride apart. The block begins run_offset
   elements after the start of a run. Rows come in groups of group_rows with equal distances, and a
   tile has rows of one group only. The block begins group_offset rows after the start of a group.

   By columns, if A is stored transposed: row 0 of column k is at data + at[k]. A column consists of
   runs of `run` adjacent elements, run_stride apart. A tile has rows of one run only. The block
   begins with row first_row. */
typedef struct RISEK(a_block) {
    const rise_real *data;
    const ptrdiff_t *at;
    ptrdiff_t row_stride, run_stride;
    int by_columns, run, run_offset, first_row;
    int group_rows, group_offset;
} RISEK(a_block);

/* ---------------------------------------------------------------------------------------------- */
/* Micro-kernels.

   A micro-kernel computes one tile of `rows` rows and vectors * VL columns:
       c[i][j] = init + sum over k < depth of a(i, k) b[k * ldb + j]
   a(i, k) is an element of `block`. If A is by rows, `a` is the address of a(0, 0). If A is by
   columns, a(i, k) is at a + block->at[k] + i. ldb is the number of elements from row to row of b.
   With `relu`, negative results and NaN become 0.

   An iteration adds several terms, so there are few instructions besides the multiply-adds. An
   iteration does not prefetch the next rows of b, because processors do so without instructions.
   With AVX2, these two choices saved 4 of 30 instructions for 12 multiply-adds. On a core that two
   threads share, products became 1.1 to 1.25 times as fast. On a core with one thread, dense layers
   of 32 to 256 rows became 1.04 to 1.1 times as fast.

   Tiles of one vector prefetch nothing. In other tiles, an iteration prefetches one cache line (16
   numbers) of data that may not be in a cache yet. The iterations take consecutive lines from
   `prefetch` on. `prefetch` points to the next tile's part of C, or into the next run of columns of
   a B that is read in place. Without such data, `prefetch` is b (see block_times_panel). If A is by
   rows, an iteration also prefetches one cache line of the next run of the tile's first row. If
   run_stride is 0, this is a line of the row itself. */
#define RISEK_TILE_BEGIN(name, rows, vectors)                                                      \
    RISEK_FN void RISEK(name)(int depth, const RISEK(a_block) * block, const rise_real *a,         \
                              const rise_real *b, ptrdiff_t ldb, const rise_real *prefetch,        \
                              rise_real *const *c, const rise_real *bias, int init, int relu)      \
    {                                                                                              \
        V acc[rows][vectors];                                                                      \
        int i, v, k;                                                                               \
        RISEI_UNROLL for (i = 0; i < rows; i++) RISEI_UNROLL                                       \
            for (v = 0; v < vectors; v++)                                                          \
                acc[i][v] = init == RISEK(from_zero)                                               \
                                ? vset1(0)                                                         \
                                : vload((init == RISEK(from_c) ? c[i] : bias) + v * VL);
#define RISEK_TILE_END(rows, vectors)                                                              \
    RISEI_UNROLL for (i = 0; i < rows; i++) RISEI_UNROLL                                           \
        for (v = 0; v < vectors; v++)                                                              \
            vstore(c[i] + v * VL, relu ? RISEK(relu)(acc[i][v]) : acc[i][v]);                      \
    }
/* Adds one term to all sums (a rank-1 update): loads a row of b, then runs `multiply_adds`. */
#define RISEK_TILE_TERM(vectors, multiply_adds)                                                    \
    {                                                                                              \
        V b_row[vectors];                                                                          \
        RISEI_UNROLL for (v = 0; v < vectors; v++)                                                 \
            b_row[v] = vload(b + v * VL);                                                          \
        multiply_adds b += ldb;                                                                    \
    }
/* Sets the sums of rows from .. to-1. */
#define RISEK_TILE_SUMS(from, to, vectors, sum)                                                    \
    RISEI_UNROLL for (i = from; i < to; i++) RISEI_UNROLL                                          \
        for (v = 0; v < vectors; v++) acc[i][v] = sum;
/* Prefetches the cache line at `address` by the macro `which`, and moves `address` to the next
   line. Does nothing in tiles of one vector. The matrices of such tiles are usually narrow, and
   small enough to stay in a cache. */
#define RISEK_TILE_PREFETCH(vectors, which, address)                                               \
    if (vectors > 1) {                                                                             \
        which(address);                                                                            \
        address += 16;                                                                             \
    }

/* Adds one term from an A by rows. Only every third row has a pointer, row[i / 3]. A pointer for
   each row, up to 14, would need too many registers. */
#define RISEK_TILE_ROW_TERM(rows, vectors)                                                         \
    RISEK_TILE_TERM(vectors,                                                                       \
                    RISEK_TILE_SUMS(0, rows, vectors,                                              \
                                    vfma(vset1(row[i / 3][i % 3 * stride]), b_row[v], acc[i][v]))) \
    RISEI_UNROLL for (i = 0; i < (rows + 2) / 3; i++)                                              \
        row[i]++;
/* Adds one term of an A by columns to the sums of rows from .. rows-1. */
#define RISEK_TILE_COLUMN_SUMS(from, rows, vectors)                                                \
    RISEK_TILE_SUMS(from, rows, vectors, vfma(vset1(column[i]), b_row[v], acc[i][v]))
#ifdef vfma_lane
/* Four elements of A are loaded together, and each multiply-add takes one of them. */
enum { RISEK(row_terms) = 4 };
#define RISEK_TILE_LANE_TERM(rows, vectors, lane)                                                  \
    RISEK_TILE_TERM(vectors, RISEK_TILE_SUMS(0, rows, vectors,                                     \
                                             vfma_lane(four[i], lane, b_row[v], acc[i][v])))
#define RISEK_TILE_ROW_TERMS(rows, vectors)                                                        \
    V four[rows];                                                                                  \
    RISEI_UNROLL for (i = 0; i < rows; i++)                                                        \
        four[i] = vload(row[i / 3] + i % 3 * stride);                                              \
    RISEK_TILE_LANE_TERM(rows, vectors, 0)                                                         \
    RISEK_TILE_LANE_TERM(rows, vectors, 1)                                                         \
    RISEK_TILE_LANE_TERM(rows, vectors, 2)                                                         \
    RISEK_TILE_LANE_TERM(rows, vectors, 3)                                                         \
    RISEI_UNROLL for (i = 0; i < (rows + 2) / 3; i++)                                              \
        row[i] += 4;
#define RISEK_TILE_ALL_COLUMN_SUMS(rows, vectors)                                                  \
    RISEI_UNROLL for (i = 0; i + 4 <= rows; i += 4) {                                              \
        V const four = vload(column + i);                                                          \
        RISEI_UNROLL for (v = 0; v < vectors; v++) {                                               \
            acc[i][v] = vfma_lane(four, 0, b_row[v], acc[i][v]);                                   \
            acc[i + 1][v] = vfma_lane(four, 1, b_row[v], acc[i + 1][v]);                           \
            acc[i + 2][v] = vfma_lane(four, 2, b_row[v], acc[i + 2][v]);                           \
            acc[i + 3][v] = vfma_lane(four, 3, b_row[v], acc[i + 3][v]);                           \
        }                                                                                          \
    }                                                                                              \
    RISEK_TILE_COLUMN_SUMS(rows / 4 * 4, rows, vectors)
#else
enum { RISEK(row_terms) = 2 };
#define RISEK_TILE_ROW_TERMS(rows, vectors)                                                        \
    RISEK_TILE_ROW_TERM(rows, vectors)                                                             \
    RISEK_TILE_ROW_TERM(rows, vectors)
#define RISEK_TILE_ALL_COLUMN_SUMS(rows, vectors) RISEK_TILE_COLUMN_SUMS(0, rows, vectors)
#endif
/* Defines the micro-kernel of an A by rows. The outer loop goes from run to run of A's rows. An
   iteration of the inner loop adds row_terms terms. */
#define RISEK_TILE_BY_ROWS(name, rows, vectors)                                                    \
    RISEK_TILE_BEGIN(name, rows, vectors)                                                          \
    const rise_real *row[(rows + 2) / 3];                                                          \
    ptrdiff_t const stride = block->row_stride;                                                    \
    int run_left = block->run - block->run_offset;                                                 \
    for (i = 0; i < (rows + 2) / 3; i++) row[i] = a + 3 * i * stride;                              \
    for (;;) {                                                                                     \
        int const terms = depth < run_left ? depth : run_left;                                     \
        const rise_real *next_run = row[0] + block->run_stride;                                    \
        for (k = terms; k >= RISEK(row_terms); k -= RISEK(row_terms)) {                            \
            RISEK_TILE_PREFETCH(vectors, RISEI_PREFETCH_FAR, prefetch)                             \
            RISEK_TILE_PREFETCH(vectors, RISEI_PREFETCH, next_run)                                 \
            RISEK_TILE_ROW_TERMS(rows, vectors)                                                    \
        }                                                                                          \
        for (; k > 0; k--) { RISEK_TILE_ROW_TERM(rows, vectors) }                                  \
        if ((depth -= terms) == 0) break;                                                          \
        RISEI_UNROLL for (i = 0; i < (rows + 2) / 3; i++)                                          \
            row[i] += block->run_stride - block->run;                                              \
        run_left = block->run;                                                                     \
    }                                                                                              \
    RISEK_TILE_END(rows, vectors)
#define RISEK_TILE_COLUMN_TERM(rows, vectors)                                                      \
    {                                                                                              \
        const rise_real *const column = a + *at++;                                                 \
        RISEK_TILE_TERM(vectors, RISEK_TILE_ALL_COLUMN_SUMS(rows, vectors))                        \
    }
/* Defines the micro-kernel of an A by columns. An iteration adds two terms. Tiles of more than 16
   vectors (AVX-512 with at least 9 rows) also prefetch columns of A. In the weight gradient of a
   conv, these columns are pixels of images, which may not be in a cache. Smaller tiles have too few
   multiply-adds to hide such prefetches. */
#define RISEK_TILE_BY_COLUMNS(name, rows, vectors)                                                 \
    RISEK_TILE_BEGIN(name, rows, vectors)                                                          \
    const ptrdiff_t *at = block->at;                                                               \
    for (k = depth; k >= 2; k -= 2) {                                                              \
        RISEK_TILE_PREFETCH(vectors, RISEI_PREFETCH_FAR, prefetch)                                 \
        if (rows * vectors > 16) {                                                                 \
            int const distance = RISEK(tile_prefetch_columns);                                     \
            const ptrdiff_t *const prefetched = at + (k >= distance + 2 ? distance : 0);           \
            RISEI_PREFETCH(a + prefetched[0]);                                                     \
            RISEI_PREFETCH(a + prefetched[1]);                                                     \
        }                                                                                          \
        RISEK_TILE_COLUMN_TERM(rows, vectors)                                                      \
        RISEK_TILE_COLUMN_TERM(rows, vectors)                                                      \
    }                                                                                              \
    if (k > 0) RISEK_TILE_COLUMN_TERM(rows, vectors)                                               \
    RISEK_TILE_END(rows, vectors)
/* Defines the four micro-kernels for a number of rows: NV vectors or one, A by rows or columns. */
#define RISEK_TILES(rows)                                                                          \
    RISEK_TILE_BY_ROWS(tile_##rows##_wide_by_rows, rows, NV)                                       \
    RISEK_TILE_BY_ROWS(tile_##rows##_narrow_by_rows, rows, 1)                                      \
    RISEK_TILE_BY_COLUMNS(tile_##rows##_wide_by_columns, rows, NV)                                 \
    RISEK_TILE_BY_COLUMNS(tile_##rows##_narrow_by_columns, rows, 1)
#define RISEK_TILE_NAMES(rows)                                                                     \
    {RISEK(tile_##rows##_wide_by_rows), RISEK(tile_##rows##_narrow_by_rows),                       \
     RISEI_TRANSPOSED(RISEK(tile_##rows##_wide_by_columns)),                                       \
     RISEI_TRANSPOSED(RISEK(tile_##rows##_narrow_by_columns))},
RISEK_TILE_SIZES(RISEK_TILES)

typedef void (*RISEK(micro_kernel))(int depth, const RISEK(a_block) * block, const rise_real *a,
                                    const rise_real *b, ptrdiff_t ldb, const rise_real *prefetch,
                                    rise_real *const *c, const rise_real *bias, int init, int relu);

/* ---------------------------------------------------------------------------------------------- */
/* A block of A times a panel of B. */

/* Copies the first `columns` columns of an edge tile [rows][NR] to C: row i to c + c_at[i]. In C,
   columns are column_stride elements apart. */
RISEK_FN void RISEK(store_edge_tile)(const rise_real *edge, rise_real *c, const ptrdiff_t *c_at,
                                     ptrdiff_t column_stride, int rows, int columns)
{
    int i = 0, j, s;
    /* where four elements of a column of C are adjacent and in order: transposes 4 x 4 elements */
    for (; i + 4 <= rows && column_stride != 1 && c_at[i + 1] - c_at[i] == 1 &&
           c_at[i + 2] - c_at[i] == 2 && c_at[i + 3] - c_at[i] == 3;
         i += 4) {
        for (j = 0; j + 4 <= columns; j += 4)
            risei_transpose4(edge + i * NR + j, NR, c + c_at[i] + j * column_stride, column_stride);
        for (; j < columns; j++)
            for (s = i; s < i + 4; s++) c[c_at[s] + j * column_stride] = edge[s * NR + j];
    }
    for (; i < rows; i++)
        for (j = 0; j < columns; j++) c[c_at[i] + j * column_stride] = edge[i * NR + j];
}
/* Returns the number of rows of the next tile. The remaining `left` rows are divided into tiles of
   about the same number of rows, at most max_rows. Where max_rows is below MR, all tiles but the
   last have a multiple of four rows, for store_edge_tile. */
RISEK_INLINE int RISEK(tile_rows)(int left, int max_rows)
{
    int const rows = risei_ceil_div(left, risei_ceil_div(left, max_rows));
    return max_rows < MR && rows < left ? (rows + 3) / 4 * 4 : rows;
}
/* Multiplies a block of A by a panel of B. Writes `columns` (1 .. NR) columns of C from j0 on, in
   `rows` rows that begin at c_at[i]. Tiles have one vector if `columns` is at most VL, else NV
   vectors. A tile is an edge tile if it is wider than `columns`, or if the columns of C are not
   adjacent in memory. An edge tile is computed in an array, and then copied to C. If columns are
   not adjacent, tiles of AVX-512 have at most 12 rows instead of 14, because store_edge_tile stores
   four rows at a time.

   The first tiles together prefetch about prefetch_lines cache lines (16 numbers) from `prefetch`
   on. After that, each tile prefetches the next tile's part of C, or B if the tile is an edge tile
   or the last. Too many prefetches at once make a processor wait. So the micro-kernels spread the
   prefetches over their iterations. With AVX-512, IMPALA's first layer became 1.1 to 1.2 times as
   fast, and weight gradients of 32 rows became 1.2 times as fast.

   The data at `prefetch` is prefetched once, not again by every tile. With AVX2, whose tiles have
   six rows, prefetches by every tile tripled the memory traffic. Without these extra prefetches,
   dense layers of 32 rows became 1.35 times as fast. */
RISEK_FN void RISEK(block_times_panel)(const rise_product *p, int depth, const ptrdiff_t *c_at,
                                       int rows, int j0, int columns, const RISEK(a_block) * a,
                                       const rise_real *b, ptrdiff_t ldb, const rise_real *prefetch,
                                       int prefetch_lines, int init, int relu)
{
    static RISEK(micro_kernel) const tile[MR][4] = {RISEK_TILE_SIZES(RISEK_TILE_NAMES)};
    int const narrow = columns <= VL, width = narrow ? VL : NR;
    int const adjacent = p->c.run > 1 || columns == 1, whole = columns == width && adjacent;
    ptrdiff_t const column_stride = adjacent ? 1 : p->c.run_stride;
    rise_real *const c0 = (rise_real *)(uintptr_t)p->c.data + risei_matrix_column(&p->c, j0);
    rise_real edge[MR][NR], edge_bias[NR];
    const rise_real *bias = p->bias ? p->bias + j0 : 0, *next;
    rise_real *c[MR];
    /* rows of a run (A by columns) or of a group (A by rows); a tile never has rows of two */
    int const group = a->by_columns ? a->run : a->group_rows;
    int const max_rows = MR > 12 && column_stride != 1 ? 12 : MR;
    /* cache lines that each tile prefetches: one for each iteration */
    int tile_lines = depth / RISEK(row_terms);
    int in_group = (a->by_columns ? a->first_row : a->group_offset) % group;
    int groups = a->by_columns ? a->first_row / group : 0, i0, i, j, size;
    if (a->by_columns) tile_lines = depth / 2;
    if (init == RISEK(from_bias) && !whole) {
        for (j = 0; j < width; j++) edge_bias[j] = j < columns ? bias[j] : 0;
        bias = edge_bias;
    }
    for (i0 = 0; i0 < rows; i0 += size) {
        int const left = rows - i0 < group - in_group ? rows - i0 : group - in_group;
        const rise_real *start = a->data +
                                 (a->by_columns ? groups * a->run_stride + in_group : a->at[i0]);
        size = RISEK(tile_rows)(left, max_rows);
        for (i = 0; i < size && whole; i++) c[i] = c0 + c_at[i0 + i];
        for (i = 0; i < size && !whole; i++) {
            c[i] = edge[i];
            for (j = 0; j < columns && init == RISEK(from_c); j++)
                edge[i][j] = c0[c_at[i0 + i] + j * column_stride];
        }
        next = prefetch_lines > 0 ? prefetch : whole && i0 + size < rows ? c0 + c_at[i0 + size] : b;
        tile[size - 1][2 * a->by_columns + narrow](depth, a, start, b, ldb, next, c, bias, init,
                                                   relu);
        prefetch += tile_lines * (ptrdiff_t)16, prefetch_lines -= tile_lines;
        if (!whole)
            RISEK(store_edge_tile)(&edge[0][0], c0, c_at + i0, column_stride, size, columns);
        in_group += size;
        if (in_group == group) in_group = 0, groups++;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Packing. */

RISEK_INLINE void RISEK(copy)(rise_real *to, const rise_real *from, int n)
{
    int i = 0;
    for (; i + VL <= n; i += VL) vstore(to + i, vload(from + i));
    for (; i + 4 <= n; i += 4) memcpy(to + i, from + i, 4 * sizeof *to);
    for (; i < n; i++) to[i] = from[i];
}
/* Copies columns j0 .. j0+n-1 of one row of x, run by run. The row begins at offset `row`. */
RISEK_FN void RISEK(copy_columns)(rise_real *to, const rise_matrix *x, ptrdiff_t row, int j0, int n)
{
    int in_run = j0;
    if (j0 >= x->run) {
        row += (j0 / x->run) * x->run_stride;
        in_run = j0 % x->run;
    }
    while (n > 0) {
        int const part = n < x->run - in_run ? n : x->run - in_run;
        RISEK(copy)(to, x->data + row + in_run, part);
        to += part, n -= part;
        row += x->run_stride, in_run = 0;
    }
}

/* Packs rows i0 .. i0+rows-1 and `depth` columns of a transposed A as panels
   [rows / MR][depth][MR], panel_distance apart. Column k of the block begins at offset k_at[k].

   A whole panel is copied in vectors if all rows of A are in one run, and enough rows follow to
   load whole vectors. The last vector of a column may end after the column's MR elements. Then the
   next column overwrites these elements. After a panel's last column, nothing reads them. */
RISEK_FN void RISEK(pack_a)(const rise_product *p, const ptrdiff_t *k_at, int i0, int rows,
                            int depth, int panel_distance, rise_real *to)
{
    enum { vectors = (MR + VL - 1) / VL };
    const rise_matrix *x = &p->a;
    int const room = p->m - i0 - vectors * VL;
    int const with_room = x->run >= p->m && room >= 0 ? room / MR + 1 : 0;
    int const by_vectors = with_room < rows / MR ? with_room : rows / MR; /* panels */
    int k, v, panel;
    for (k = 0; k < depth && by_vectors > 0; k++) {
        int const distance = RISEK(pack_prefetch_columns);
        int const prefetched = k + distance < depth ? k + distance : k;
        for (panel = 0; panel < by_vectors; panel++) {
            RISEI_PREFETCH(x->data + k_at[prefetched] + i0 + panel * MR);
            RISEI_UNROLL for (v = 0; v < vectors; v++)
                vstore(to + panel * panel_distance + k * MR + v * VL,
                       vload(x->data + k_at[k] + i0 + panel * MR + v * VL));
        }
    }
    for (panel = by_vectors; panel * MR < rows; panel++)
        for (k = 0; k < depth; k++)
            RISEK(copy_columns)(to + panel * panel_distance + k * MR, x, k_at[k], i0 + panel * MR,
                                rows - panel * MR < MR ? rows - panel * MR : MR);
}
/* Returns whether tiles have at least three fifths of MR rows on average. A tile never has rows of
   two groups, and a group has group_rows rows. With 8 * MR rows or more in a group, this is always
   true. This case is tested first, because group_rows may be INT_MAX, and 5 * group_rows would
   overflow. */
RISEK_FN int RISEK(groups_fill_tiles)(int group_rows)
{
    return group_rows >= 8 * MR || 5 * group_rows >= 3 * MR * risei_ceil_div(group_rows, MR);
}
/* Makes a block of a transposed A: rows i0 .. i0+rows-1 and `depth` columns, which begin at offsets
   k_at[k]. The block is read in place under two conditions. First, only few columns of B use the
   block (few_columns). Second, either tiles are full enough or A has only one run. Otherwise the
   block is packed into w->a, and w->a_at receives the offsets in w->a. */
RISEK_FN void RISEK(block_by_columns)(const rise_product *p, const risei_blocks *w,
                                      const ptrdiff_t *k_at, int i0, int rows, int depth,
                                      int few_columns, RISEK(a_block) * block)
{
    const rise_matrix *x = &p->a;
    int k;
    memset(block, 0, sizeof *block);
    block->by_columns = 1;
    if (few_columns && (RISEK(groups_fill_tiles)(x->run) || x->run >= p->m)) {
        block->data = x->data, block->at = k_at;
        block->first_row = i0, block->run = x->run, block->run_stride = x->run_stride;
        return;
    }
    block->data = w->a, block->at = w->a_at;
    block->run = MR, block->run_stride = RISEK(a_panel)(w);
    for (k = 0; k < depth; k++) w->a_at[k] = (ptrdiff_t)k * MR;
    RISEK(pack_a)(p, k_at, i0, rows, depth, RISEK(a_panel)(w), w->a);
}
/* Makes a block of an A that is not transposed: rows i0 .. i0+rows-1, columns k0 .. k0+depth-1. The
   block is read in place in two cases:
   - Tiles are full enough (groups_fill_tiles), and the rows do not share a few cache sets. With few
     columns of B (few_columns), the second condition does not apply.
   - One panel of B uses the block (one_panel), and groups have at least MR / 2 rows. Packing would
     save nothing, because each element of A is read once. Together with sum_columns, this case
     reduced the time of an update of RISE_MEMORY_FULL with RISE_NETWORK_SMALL by 14%.
   Otherwise the block is packed into w->a. w->a_at receives the offsets of the rows, in A or in
   w->a. */
RISEK_FN void RISEK(block_by_rows)(const rise_product *p, const risei_blocks *w, int i0, int rows,
                                   int k0, int depth, int few_columns, int one_panel,
                                   RISEK(a_block) * block)
{
    const rise_matrix *x = &p->a;
    /* Rows that are a multiple of 512 elements (2 KiB of floats) apart share a few sets of the
       first-level cache and evict each other. Packing such rows made a product of two 1024 x 1024
       matrices 1.29 times as fast. The backward pass of an LSTM became 1.08 times as fast. */
    int const rows_share_sets = !few_columns && x->rows.stride[0] % 512 == 0;
    int i;
    memset(block, 0, sizeof *block);
    risei_walk_offsets(&x->rows, i0, rows, w->a_at);
    block->at = w->a_at;
    if ((one_panel && x->rows.inner >= MR / 2) ||
        (!rows_share_sets && RISEK(groups_fill_tiles)(x->rows.inner))) {
        block->data = x->data + risei_matrix_column(x, k0);
        block->row_stride = x->rows.stride[0];
        block->run = x->run, block->run_stride = x->run_stride, block->run_offset = k0 % x->run;
        block->group_rows = x->rows.inner, block->group_offset = i0 % x->rows.inner;
        return;
    }
    block->data = w->a;
    block->row_stride = w->packed_row, block->run = block->group_rows = INT_MAX;
    for (i = 0; i < rows; i++) {
        RISEK(copy_columns)(w->a + i * w->packed_row, x, w->a_at[i], k0, depth);
        w->a_at[i] = (ptrdiff_t)i * w->packed_row;
    }
}

#ifndef vtranspose
#define vtranspose risei_transpose4
#define VTRANSPOSE 4
#endif
/* Packs one panel of a B that is stored transposed, such as the weights in a data gradient. In
   memory, the columns of B are x->run_stride apart. Row k of the block is at offset at[k]. In this
   function, a run is at most RISE_PANEL rows that are adjacent in memory: from one row to the next,
   at[k] grows by 1. The transpose of a panel matrix (rise_matrix_panels) has such runs.

   Runs are packed one after another, in squares that are transposed. With AVX, this order and
   squares of 8 x 8 made the data gradient of one image 1.15 times as fast. The data gradient of 256
   dense rows became 1.03 times as fast. The next run of a column is prefetched, one cache line (16
   numbers) at a time. With these prefetches, the data gradient of 256 dense rows became another
   1.03 times as fast. */
RISEK_FN void RISEK(pack_b_transposed)(const rise_matrix *x, int depth, const ptrdiff_t *at,
                                       const rise_real *from, int columns, rise_real *b)
{
    int k0, run, k, j, s, t;
    for (k0 = 0; k0 < depth; k0 += run) {
        run = 1;
        while (run < RISE_PANEL && k0 + run < depth && at[k0 + run] - at[k0] == run) run++;
        for (j = 0; j < columns; j += VTRANSPOSE)
            for (k = k0; k < k0 + run; k += VTRANSPOSE) {
                const rise_real *const square = from + j * x->run_stride + at[k];
                rise_real *const to = b + k * NR + j;
                for (s = 0; s < VTRANSPOSE && (k - k0) % 16 == 0 && k + run < depth; s++)
                    RISEI_PREFETCH(square + s * x->run_stride + at[k + run] - at[k]);
                if (j + VTRANSPOSE <= columns && k + VTRANSPOSE <= k0 + run)
                    vtranspose(square, x->run_stride, to, NR);
                else
                    for (s = 0; s < VTRANSPOSE && j + s < columns; s++)
                        for (t = 0; t < VTRANSPOSE && k + t < k0 + run; t++)
                            to[t * NR + s] = square[s * x->run_stride + t];
            }
    }
}
/* Packs columns j0 .. j0+columns-1 and `depth` rows of B as panels [columns / NR][depth][NR]. The
   last panel has zeros after its last column. Row k of the block begins at offset at[k].

   If all columns are in the first run of B, two or more whole panels are packed together, row by
   row. This order reads memory from low addresses to high addresses. Other panels are packed one
   after another. */
RISEK_FN void RISEK(pack_b)(const rise_matrix *x, int depth, const ptrdiff_t *at, int j0,
                            int columns, rise_real *b)
{
    int const whole = j0 + columns <= x->run ? columns / NR : 0; /* panels in the first run */
    int j, k, panel, v;
    for (k = 0; k < depth && whole > 1; k++) {
        int const distance = RISEK(pack_prefetch_rows);
        int const prefetched = k + distance < depth ? k + distance : k;
        for (panel = 0; panel < whole; panel++) {
            RISEI_PREFETCH(x->data + at[prefetched] + j0 + panel * NR);
            RISEI_UNROLL for (v = 0; v < NV; v++)
                vstore(b + (panel * depth + k) * NR + v * VL,
                       vload(x->data + at[k] + j0 + panel * NR + v * VL));
        }
    }
    j = whole > 1 ? whole * NR : 0;
    for (b += j * depth; j < columns; j += NR, b += depth * NR) {
        int const width = columns - j < NR ? columns - j : NR;
        const rise_real *from = x->data + risei_matrix_column(x, j0 + j);
        /* the missing columns of the last panel are 0 */
        for (k = 0; k < depth && width < NR; k++)
            RISEI_UNROLL for (v = 0; v < NV; v++) vstore(b + k * NR + v * VL, vset1(0));
        if (width == NR && (j0 + j + NR <= x->run || x->run % NR == 0))
            for (k = 0; k < depth; k++) RISEI_UNROLL
                for (v = 0; v < NV; v++) vstore(b + k * NR + v * VL, vload(from + at[k] + v * VL));
        else if (x->run > 1)
            for (k = 0; k < depth; k++) RISEK(copy_columns)(b + k * NR, x, at[k], j0 + j, width);
        else
            RISEK(pack_b_transposed)(x, depth, at, from, width, b);
    }
}
/* Returns whether tiles read B in place. The rows of B must be equally spaced. The columns of B
   must be in one run, or in runs whose length is a multiple of NR. In addition, one of two
   conditions must hold:
   - m is at most RISEI_UNPACKED_ROWS
   - the rows of B are at most RISE_PANEL apart, as in a panel matrix, and n is a multiple of NR. */
RISEK_FN int RISEK(b_in_place)(const rise_product *p)
{
    int const adjacent = p->b.rows.inner >= p->k && (p->b.run >= p->n || p->b.run % NR == 0);
    return adjacent &&
           (p->m <= RISEI_UNPACKED_ROWS || (p->b.rows.stride[0] <= RISE_PANEL && p->n % NR == 0));
}

/* Adds the rows of a panel of B to sums [columns]: b[k * ldb + j] to sums[j] for all k < depth. If
   `init` is not from_c, first sets sums[j] to 0. */
RISEK_FN void RISEK(sum_columns)(int depth, const rise_real *b, ptrdiff_t ldb, int columns,
                                 int init, rise_real *sums)
{
    int const vectors = columns <= VL ? 1 : NV, whole = columns == vectors * VL;
    rise_real edge[NR], *const to = whole ? sums : edge;
    V sum[NV];
    int j, k, v;
    for (j = 0; j < columns && init != RISEK(from_c); j++) sums[j] = 0;
    for (j = 0; j < NR && !whole; j++) edge[j] = j < columns ? sums[j] : 0;
    RISEI_UNROLL for (v = 0; v < NV; v++)
        sum[v] = v < vectors ? vload(to + v * VL) : vset1(0);
    for (k = 0; k < depth; k++, b += ldb) RISEI_UNROLL
        for (v = 0; v < NV; v++)
            if (v < vectors) sum[v] = vadd(sum[v], vload(b + v * VL));
    RISEI_UNROLL for (v = 0; v < NV; v++)
        if (v < vectors) vstore(to + v * VL, sum[v]);
    for (j = 0; j < columns && !whole; j++) sums[j] = edge[j];
}

/* ---------------------------------------------------------------------------------------------- */
/* A single row of C. */

/* The most panels of B that row_times_panels multiplies by a row of A at the same time. One panel
   has only NV vectors of sums, too few to hide the latency of multiply-adds. */
enum { RISEK(row_panels) = 4 };
/* Computes `panels` (up to row_panels) times NR columns of one row of C, from column j0 on. `a` is
   the row of A, and `c` is the row of C. Panel q begins at column j0 + q * NR. */
RISEK_INLINE void RISEK(row_times_panels)(const rise_product *p, const rise_real *a, rise_real *c,
                                          int j0, int panels)
{
    const rise_real *b[RISEK(row_panels)], *const from = p->accumulate ? c : p->bias;
    ptrdiff_t const ldb = p->b.rows.stride[0], prefetch_offset = RISEK(row_prefetch_rows) * ldb;
    V acc[RISEK(row_panels)][NV];
    int q, v, k;
    for (q = 0; q < panels; q++) {
        b[q] = p->b.data + risei_matrix_column(&p->b, j0 + q * NR);
        RISEI_UNROLL for (v = 0; v < NV; v++)
            acc[q][v] = from ? vload(from + j0 + q * NR + v * VL) : vset1(0);
    }
    for (k = 0; k < p->k; k++) {
        V const x = vset1(a[k]);
        RISEI_UNROLL for (q = 0; q < panels; q++) {
            RISEI_PREFETCH(b[q] + prefetch_offset);
            if (NR > 16) RISEI_PREFETCH(b[q] + prefetch_offset + 16); /* a second cache line */
            RISEI_UNROLL for (v = 0; v < NV; v++)
                acc[q][v] = vfma(x, vload(b[q] + v * VL), acc[q][v]);
            b[q] += ldb;
        }
    }
    for (q = 0; q < panels; q++) RISEI_UNROLL
        for (v = 0; v < NV; v++)
            vstore(c + j0 + q * NR + v * VL, p->relu ? RISEK(relu)(acc[q][v]) : acc[q][v]);
}
/* Computes columns j_from .. j_to-1 of row i of C. Prefetches rows of B, because each element of B
   is read only once. */
RISEK_FN void RISEK(product_row)(const rise_product *p, int i, int j_from, int j_to)
{
    const rise_real *const a = p->a.data + risei_walk_offset(&p->a.rows, i);
    rise_real *const c = (rise_real *)(uintptr_t)p->c.data + risei_walk_offset(&p->c.rows, i);
    int j = j_from;
    for (; j + RISEK(row_panels) * NR <= j_to; j += RISEK(row_panels) * NR)
        RISEK(row_times_panels)(p, a, c, j, RISEK(row_panels));
    for (; j < j_to; j += NR) RISEK(row_times_panels)(p, a, c, j, 1);
}
/* Returns whether product_row can compute a row. A must not be transposed. The rows of A and C must
   be contiguous. B must be read in place, and n must be a multiple of NR. p->sums must be NULL. */
RISEK_FN int RISEK(row_is_plain)(const rise_product *p, int in_place)
{
    return in_place && !p->transposed && !p->sums && p->n % NR == 0 && p->a.run >= p->k &&
           p->c.run >= p->n;
}

/* ---------------------------------------------------------------------------------------------- */
/* Blocks of B, and the whole product. */

/* A block of B: rows k0 .. k0+depth-1, columns j0 .. j0+columns-1. If in_place is 0, the block is
   packed in the scratch. Otherwise product_block reads the panels of NR or VL columns in place, and
   packs a panel with another number of columns. */
typedef struct RISEK(b_block) {
    int k0, depth, j0, columns, in_place;
} RISEK(b_block);

/* Multiplies rows i0 .. i0+rows-1 of A by rows from .. from+depth-1 of a block of B, where depth is
   at most w->kc. If the block of B has at most 2 * RISE_PANEL columns (few_columns), each element
   of A is used only a few times. Then A is packed only if reading A in place would leave tiles with
   too few rows. */
RISEK_FN void RISEK(product_block)(const rise_product *p, const risei_blocks *w,
                                   const RISEK(b_block) * block, int i0, int rows, int from,
                                   int depth)
{
    int const k0 = block->k0 + from, relu = p->relu && k0 + depth == p->k;
    int const few_columns = block->columns <= 2 * RISE_PANEL, one_panel = block->columns <= NR;
    int const init = k0 > 0 || p->accumulate ? RISEK(from_c)
                     : p->bias               ? RISEK(from_bias)
                                             : RISEK(from_zero);
    RISEK(a_block) a;
    int j;
    if (RISEI_TRANSPOSES && p->transposed)
        RISEK(block_by_columns)(p, w, w->k_at + from, i0, rows, depth, few_columns, &a);
    else
        RISEK(block_by_rows)(p, w, i0, rows, k0, depth, few_columns, one_panel, &a);
    for (j = 0; j < block->columns; j += NR) {
        int const width = block->columns - j < NR ? block->columns - j : NR;
        int const direct = block->in_place && (width == NR || width == VL);
        ptrdiff_t const ldb = direct ? p->b.rows.stride[0] : NR;
        const rise_real *panel =
            direct ? p->b.data + risei_matrix_column(&p->b, block->j0 + j) + w->b_at[from]
                   : w->b + (block->in_place ? 0 : j * block->depth + from * NR);
        /* The first panel of a run of columns prefetches the next run. */
        int const fetch = direct && block->columns - j > p->b.run &&
                          (block->j0 + j) % p->b.run == 0;
        if (block->in_place && !direct)
            RISEK(pack_b)(&p->b, depth, w->b_at + from, block->j0 + j, width, w->b);
        if (p->sums && i0 == 0)
            RISEK(sum_columns)(depth, panel, ldb, width, init, p->sums + block->j0 + j);
        RISEK(block_times_panel)(p, depth, w->c_at, rows, block->j0 + j, width, &a, panel,
                                 ldb, panel + p->b.run_stride, fetch ? depth * (p->b.run / 16) : 0,
                                 init, relu);
    }
}
/* Multiplies rows i0 .. i0+rows-1 of A by a block of B, in pieces of at most w->kc terms, about the
   same number in each. If the sums have no terms (p->k is 0), one piece of 0 terms sets C to its
   initial value. */
RISEK_FN void RISEK(product_rows)(const rise_product *p, const risei_blocks *w,
                                  const RISEK(b_block) * block, int i0, int rows)
{
    int const pieces = block->depth > 0 ? (block->depth + w->kc - 1) / w->kc : 1;
    int piece;
    risei_walk_offsets(&p->c.rows, i0, rows, w->c_at);
    for (piece = 0; piece < pieces; piece++) {
        int const from = (int)((int64_t)block->depth * piece / pieces);
        int const to = (int)((int64_t)block->depth * (piece + 1) / pieces);
        RISEK(product_block)(p, w, block, i0, rows, from, to - from);
    }
}
/* Writes the range of C that part `part` of `parts` computes: rows *i_from .. *i_to-1 and columns
   *j_from .. *j_to-1. Columns are divided if each part gets at least 4 * RISE_PANEL columns, or if
   C has fewer rows than two tiles. Otherwise rows are divided. Each choice may repeat packing:
   parts with different columns each pack all of A, and parts with different rows each pack all of
   B. */
RISEK_FN void RISEK(part_of_c)(const rise_product *p, int part, int parts, int *i_from, int *i_to,
                               int *j_from, int *j_to)
{
    *i_from = 0, *i_to = p->m, *j_from = 0, *j_to = p->n;
    if (p->n >= 4 * parts * RISE_PANEL || p->m < 2 * MR)
        risei_part_range(p->n, RISE_PANEL, part, parts, j_from, j_to);
    else
        risei_part_range(p->m, MR, part, parts, i_from, i_to);
}
/* Writes the largest size of a block of B, for a part of C with `columns` columns: *kc rows and *nc
   columns. The caller cuts blocks at the edges of B.

   A packed block has at most w->b_size elements, so *nc is w->b_size / w->kc, rounded down to a
   multiple of NR. If B has few rows, w->kc is small and *nc is larger, so A is packed less often.
   If B is read in place, a block has all columns.

   *kc is w->kc if A is transposed, or if w->kc rows of all columns exceed the limit: w->b_size
   elements, or RISEI_KC * RISEI_NC if B is read in place. Otherwise *kc is the largest multiple of
   w->kc within the limit, at most w->b_rows. product_rows then adds several pieces of at most w->kc
   terms to the same rows of C, before these rows leave the cache. */
RISEK_FN void RISEK(b_block_size)(const rise_product *p, const risei_blocks *w, int columns,
                                  int in_place, int *kc, int *nc)
{
    int const width = (columns > 0 ? risei_ceil_div(columns, NR) : 1) * NR;
    int const size = in_place ? RISEI_KC * RISEI_NC : w->b_size;
    *nc = in_place ? INT_MAX : w->b_size / w->kc / NR * NR;
    *kc = p->transposed || width > size / w->kc ? w->kc : size / width / w->kc * w->kc;
    if (*kc > w->b_rows) *kc = w->b_rows;
}
RISEK_FN void RISEK(product)(const rise_product *p, int part, int parts, void *scratch)
{
    int const in_place = RISEK(b_in_place)(p);
    risei_blocks w;
    RISEK(b_block) block;
    int i_from, i_to, j_from, j_to, i0, kc, nc, mc;
    RISEK(part_of_c)(p, part, parts, &i_from, &i_to, &j_from, &j_to);
    if (i_to - i_from == 1 && RISEK(row_is_plain)(p, in_place)) {
        RISEK(product_row)(p, i_from, j_from, j_to);
        return;
    }
    w = risei_blocks_in(p, in_place, scratch);
    mc = w.mc / MR * MR;
    RISEK(b_block_size)(p, &w, j_to - j_from, in_place, &kc, &nc);
    block.in_place = in_place;
    for (block.k0 = 0; block.k0 == 0 || block.k0 < p->k; block.k0 += kc) {
        block.depth = p->k - block.k0 < kc ? p->k - block.k0 : kc;
        if (p->transposed) risei_walk_offsets(&p->a.rows, block.k0, block.depth, w.k_at);
        risei_walk_offsets(&p->b.rows, block.k0, block.depth, w.b_at);
        for (block.j0 = j_from; block.j0 < j_to; block.j0 += block.columns) {
            block.columns = nc < j_to - block.j0 ? nc : j_to - block.j0;
            if (!in_place) RISEK(pack_b)(&p->b, block.depth, w.b_at, block.j0, block.columns, w.b);
            for (i0 = i_from; i0 < i_to; i0 += mc)
                RISEK(product_rows)(p, &w, &block, i0, i_to - i0 < mc ? i_to - i0 : mc);
        }
    }
}

#undef NR
#undef RISEK_TILE_BEGIN
#undef RISEK_TILE_END
#undef RISEK_TILE_TERM
#undef RISEK_TILE_SUMS
#undef RISEK_TILE_PREFETCH
#undef RISEK_TILE_ROW_TERM
#undef RISEK_TILE_ROW_TERMS
#undef RISEK_TILE_LANE_TERM
#undef RISEK_TILE_COLUMN_SUMS
#undef RISEK_TILE_ALL_COLUMN_SUMS
#undef RISEK_TILE_COLUMN_TERM
#undef RISEK_TILE_BY_ROWS
#undef RISEK_TILE_BY_COLUMNS
#undef RISEK_TILES
#undef RISEK_TILE_NAMES
#endif /* RISEK_REFERENCE */

static const rise_kernels RISEK(table) = {
    RISEK_NAME,
    RISEK_ISA,
    RISEK_FUSED,
    RISEK(product),
    RISEK(add),
    RISEK(multiply),
    RISEI_TRANSPOSED(RISEK(perturb)),
    RISEI_TRANSPOSED(RISEK(dot)),
    RISEK(relu_backward), /* the forward pass of residual units calls this kernel, too */
    RISEK(maximum),
    RISEI_LEARN(RISEK(maximum_backward)),
    RISEK(map_exp),
    RISEI_LEARN(RISEK(map_log)),
    RISEK(map_tanh),
    RISEK(map_sigmoid),
    RISEK(lstm_forward),
    RISEI_LEARN(RISEK(lstm_backward)),
    RISEK(gru_forward),
    RISEI_LEARN(RISEK(gru_backward)),
    RISEK(mingru_forward),
    RISEI_LEARN(RISEK(mingru_backward)),
    RISEK(gate_forward),
    RISEI_LEARN(RISEK(gate_backward)),
    RISEK(norm_forward),
    RISEI_LEARN(RISEK(norm_backward)),
    RISEK(stack),
    RISEK(sum_rows),
    RISEK(half_to_real),
    RISEK_INT8(int8_round),
    RISEK_INT8(int8_product),
    RISEK(project_signs),
    RISEI_ENCODER_KERNEL(RISEK(project_ternary)),
    RISEI_LEARN(RISEK(adam)),
};

#undef RISEK
#undef RISEK_FN
#undef RISEK_INLINE
#undef RISEK_NAME
#undef RISEK_ISA
#undef RISEK_FUSED
#undef RISEK_REFERENCE
#undef RISEK_LOAD
#undef RISEK_STORE
#undef RISEK_EACH_VECTOR
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
#undef VI
#undef VIW
#undef VIL
#undef vint8_zero
#undef vint8_load
#undef vint16_store
#undef VIC
#undef RISEK_INT8
#undef vint8_pair
#undef vint8_store
#undef vints
#undef vint8_add
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

#endif /* RISEK_PASS */

/*
MIT License

Copyright (c) 2026 the rise.h authors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
*/
