/* Trains one agent with several processes, on one machine or on many, with MPI. A process is called
   a rank. There are two ways.

   By default, all ranks learn together. Each rank has its own environments, replay buffer and
   batch, and desc.reduce_fn adds up the gradients of all ranks. So all ranks have the same weights.
   The sum has a fixed order, so the bits depend on the number of ranks only.

   With --actors, rank 0 learns, and the other ranks play one environment each with the policy of
   rank 0. They send their steps to rank 0, which passes them to rise_agent_observe (Ape-X, Horgan
   et al. 2018).

       mpicc -O2 -pthread examples/cluster.c -o cluster -lm && mpirun -n 4 ./cluster
       mpirun -n 4 ./cluster --actors --game key-door
       mpirun -n 4 ./cluster --env ALE/Pong-v5 --steps 1M

   Rank 0 prints a line every five seconds: steps, updates, mean return, steps and updates a second,
   and the share of the time that ranks wait. With --actors, this is the share of the actors. With 4
   ranks on 2 shared cores, the first command takes about 20 seconds, and its last line says that
   the greedy agent scores 1.

   The folder of the run must be on a disk that all machines share. All ranks save together; with
   --actors, only rank 0 saves: see "Saving" in cluster_run.h. --resume goes on, also with another
   number of ranks. Then a rank without a file of its own starts with rank 0's agent and an empty
   replay buffer. Without --whole, the replay buffers of all ranks are empty. Learning waits until
   each rank holds more than learn_start frames.

   If a rank dies, one of the others saves the agent as FOLDER/agent.rise, and all end. With
   --actors, only rank 0 can save. --resume does not read this file, but loads the last complete
   save. After a rank dies, and after Ctrl-C, mpirun gives the ranks one second. A run that saves
   large replay buffers needs longer. End such a run by `kill -USR1` of mpirun. */
#include "cluster_run.h" /* first: defines _DEFAULT_SOURCE */

#include "self_test.h"

#define RISE_THREADS
#define RISE_IMPLEMENTATION
#include "../rise.h"

/* ---------------------------------------------------------------------------------------------- */
/* Options */

static const char *const usage =
    "mpirun -n RANKS cluster [options]\n"
    "  --game NAME             a small game, such as corridor, key-door or pong [corridor]\n"
    "  --env NAME              or an environment of Gymnasium; ALE/ games get 84 x 84 pixels, 4\n"
    "                          frames a step, sticky actions, and the sign of rewards\n"
    "  --environments N        environments of each rank, without --actors [8]\n"
    "  --actors                rank 0 learns, all others play\n"
    "  --publish-every N       --actors: updates between two policies for the actors [50]\n"
    "  --sum                   MPI_SUM adds the gradients; its order depends on the machine\n"
    "  --memory rise|none|full [rise]\n"
    "  --steps N               steps of all ranks together [what the game needs; 1M with --env]\n"
    "  --seed N                [1]\n"
    "  --set FIELD=VALUE       a field of rise_agent_desc; may be repeated\n"
    "  --threads N             threads of each agent that learns [1]\n"
    "  --folder PATH           [runs/cluster-NAME-MEMORY-SEED]\n"
    "  --save-every S          seconds between saves [60]\n"
    "  --whole                 saves the replay buffers, too\n"
    "  --resume                goes on with the run in the folder; without a save there,\n"
    "                          begins a run\n"
    "  --check                 a test: all ranks play the same episodes, with actions from a\n"
    "                          counter. Saves nothing\n"
    "  --python PATH, --bridge PATH   [python3, examples/bridge.py]\n"
    "  --self-test             checks this build on this machine\n";

static const command_option table[] = {
    {"--game", COMMAND_STRING, COMMAND_FIXED, "corridor", 0, 0, ""},
    {"--env", COMMAND_STRING, COMMAND_FIXED, "", 0, 0, ""},
    {"--environments", COMMAND_WHOLE, COMMAND_FIXED, "8", 1, BRIDGE_ENVIRONMENTS, ""},
    {"--actors", COMMAND_SWITCH, COMMAND_FIXED, "", 0, 0, ""},
    {"--publish-every", COMMAND_WHOLE, COMMAND_FREE, "50", 1, 1e9, ""},
    {"--sum", COMMAND_SWITCH, COMMAND_FREE, "", 0, 0, ""},
    {"--memory", COMMAND_CHOICE, COMMAND_FIXED, "rise", 0, 0, "rise|none|full"},
    {"--steps", COMMAND_NUMBER, COMMAND_FREE, "", 1, 1e12, ""},
    {"--seed", COMMAND_WHOLE, COMMAND_FIXED, "1", 0, 1e9, ""},
    {"--set", COMMAND_LINES, COMMAND_FIXED, "", 0, 0, "FIELD=VALUE"},
    {"--threads", COMMAND_WHOLE, COMMAND_FREE, "1", 1, 64, ""},
    {"--folder", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--save-every", COMMAND_NUMBER, COMMAND_FREE, "60", 0, 1e9, ""},
    {"--whole", COMMAND_SWITCH, COMMAND_FREE, "", 0, 0, ""},
    {"--resume", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--check", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--python", COMMAND_STRING, COMMAND_ONCE, "python3", 0, 0, ""},
    {"--bridge", COMMAND_STRING, COMMAND_ONCE, "examples/bridge.py", 0, 0, ""},
};

/* ---------------------------------------------------------------------------------------------- */
/* Progress */

/* Prints a line of progress. `sum` describes all ranks together. `who` names the ranks that have
   waited. */
static void report(session *s, const news *sum, const char *who)
{
    double const now = terminal_seconds(), since = now - s->reported;
    char steps[30];
    rise_metrics m;
    rise_agent_metrics(s->agent, &m);
    train_count(sum->steps, steps, sizeof steps);
    printf("%3.0f%%  %s steps  %.0f updates  return %.3f  %.0f steps/s  %.0f updates/s",
           100 * fmin(1, sum->steps / s->options.steps), steps, (double)m.updates,
           sum->mean_return, (sum->steps - s->before.steps) / since,
           ((double)m.updates - s->updates_before) / since);
    printf("  %s were waiting %.0f%% of the time\n", who,
           100 * (sum->waited - s->before.waited) / since);
    fflush(stdout);
    s->reported = now, s->before = *sum, s->updates_before = (double)m.updates;
}

/* Prints the speed of the session, and how the greedy agent plays a small game. */
static void print_results(session *s)
{
    const game_spec *const spec = game_spec_of(s->options.game);
    double const seconds = s->reported - s->began, steps = s->before.steps - s->earlier_steps;
    double const updates = s->updates_before - s->first_updates;
    game g = s->small[0];
    printf("%.0f steps and %.0f updates in %.1f s: %.0f steps/s, %.0f updates/s.\n", steps, updates,
           seconds, steps / seconds, updates / seconds);
    if (s->all.messages > 0 && updates > 0)
        printf("Rank 0 sent %.3g MB in %.0f messages for each update.\n",
               s->all.bytes / updates / 1e6, s->all.messages / updates);
    if (s->options.environment != NULL) return;
    printf("Playing greedily, the agent scores %.3g in %s. The best score is %.3g, and %.3g "
           "without memory.\n",
           trainer_score(s->agent, &g), spec->name, spec->best, spec->without_memory);
}

/* ---------------------------------------------------------------------------------------------- */
/* All ranks learn together */

/* Starts to send the counters and requests of this rank (struct news) to all ranks. They arrive
   during the iteration; told() adds them up. */
static int tell(session *s)
{
    const rise_agent_desc *const d = rise_agent_query(s->agent);
    double const now = terminal_seconds();
    rise_metrics m;
    rise_agent_metrics(s->agent, &m);
    s->mine.stops = ranks_asked != 0;
    s->mine.saves = s->all.rank == 0 && now - s->saved >= s->options.save_every;
    /* if the buffer holds no more than learn_start frames, a full one is enough */
    s->mine.ready = m.steps > d->learn_start &&
                    (m.replay_size > d->learn_start ||
                     m.replay_size > d->replay_capacity - d->environments);
    s->mine.steps = (double)m.steps - s->first_steps, s->mine.mean_return = m.mean_return;
    s->mine.waited = s->all.waited;
    s->all.lost |= MPI_Iallgather(&s->mine, sizeof s->mine, MPI_BYTE, s->everyone, sizeof s->mine,
                                  MPI_BYTE, MPI_COMM_WORLD, &s->telling) != MPI_SUCCESS;
    return !s->all.lost;
}
/* Returns a struct news of all ranks together: the means of mean_return and waited, and the sums of
   all other members. `steps` also counts earlier sessions. */
static news told(const session *s)
{
    news sum;
    int i;
    memset(&sum, 0, sizeof sum);
    for (i = 0; i < s->all.count; i++) {
        const news *const n = &s->everyone[i];
        sum.stops += n->stops, sum.saves += n->saves, sum.ready += n->ready;
        sum.steps += n->steps, sum.mean_return += n->mean_return, sum.waited += n->waited;
    }
    sum.steps += s->earlier_steps;
    sum.mean_return /= s->all.count, sum.waited /= s->all.count;
    return sum;
}

/* Passes the frames, rewards and events of all environments to the agent, and chooses the actions.
   With --check, the number of calls determines the actions, so all ranks see the same steps. */
static int act(session *s, int *actions)
{
    arcade *const a = &s->games;
    rise_result result;
    int i;
    s->calls++;
    for (i = 0; i < a->count && s->options.check; i++)
        actions[i] = (int)((s->calls * 2654435761u + (uint32_t)i * 40503u) >> 16) % a->actions;
    if (s->options.check)
        result = rise_agent_observe(s->agent, arcade_frame(a, 0), arcade_values(a, 0), a->rewards,
                                    a->events, NULL, actions);
    else
        result = rise_agent_step_all(s->agent, arcade_frame(a, 0), arcade_values(a, 0), a->rewards,
                                     a->events, NULL, actions);
    return result == RISE_OK || fail(s, "%s", rise_agent_error(s->agent)->text);
}

/* Does the updates that are due. All ranks must do the same number of updates. The steps of an
   agent do not count the last frames of episodes, so steps differ between ranks. So `owed` counts
   the frames of all environments instead, last frames included. */
static int learn(session *s)
{
    s->owed += s->games.count;
    for (; s->owed >= rise_agent_query(s->agent)->learn_period;
         s->owed -= rise_agent_query(s->agent)->learn_period)
        if (rise_agent_learn(s->agent) != RISE_OK)
            return s->all.lost ? 0 : fail(s, "%s", rise_agent_error(s->agent)->text);
    return 1;
}

static int learn_together(session *s)
{
    int actions[BRIDGE_ENVIRONMENTS], ready = 0, over = 0;
    uint64_t hash;
    while (!over) {
        news sum;
        if (!tell(s) || !act(s, actions) || !games_begin(s, actions) || (ready && !learn(s)) ||
            !games_end(s) || !ranks_wait(&s->all, &s->telling))
            return 0;
        sum = told(s);
        ready = ready || sum.ready == s->all.count;
        over = sum.stops > 0 || sum.steps >= s->options.steps;
        if (s->all.rank == 0 && (over || terminal_seconds() - s->reported >= 5))
            report(s, &sum, "ranks");
        if ((over || sum.saves > 0) && !save(s, sum.steps)) return 0;
    }
    if (!same_weights(s, &hash)) return s->all.lost ? 0 : fail(s, "the weights of ranks differ");
    printf("All ranks have the same weights: %016" PRIx64 "\n", hash);
    print_results(s);
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Rank 0 learns, and the others act */

enum { STEP = 1, POLICY = 2 }; /* tags of messages */

static int write_policy(void *user, const void *data, size_t size)
{
    policy *const p = (policy *)user;
    if (p->size + size > p->room) {
        size_t const room = 2 * (p->size + size);
        uint8_t *const more = (uint8_t *)realloc(p->bytes, room);
        if (more == NULL) return 0;
        p->bytes = more, p->room = room;
    }
    memcpy(p->bytes + p->size, data, size);
    p->size += size;
    return 1;
}
static int read_policy(void *user, void *data, size_t size)
{
    policy *const p = (policy *)user;
    if (size > p->size - p->at) return 0;
    memcpy(data, p->bytes + p->at, size);
    p->at += size;
    return 1;
}

/* Sends the policy to all actors or, if `ends` is 1, the message that ends them. If an actor has
   not yet received the last policy, sends nothing and returns 1. An actor that waits for rank 0 to
   take its steps receives nothing, so rank 0 must never wait here. Returns 0 on failure. */
static int publish(session *s, int ends)
{
    policy *const p = &s->policy;
    int i, done = 0;
    rise_error error;
    rise_metrics m;
    if (MPI_Testall(s->all.count, p->requests, &done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
        return s->all.lost = 1, 0;
    if (!done) return 1;
    rise_agent_metrics(s->agent, &m);
    p->updates = (double)m.updates, p->size = 0;
    if (!write_policy(p, &p->updates, sizeof p->updates)) return fail(s, "out of memory");
    if (!ends &&
        rise_agent_write(s->agent, RISE_SAVE_POLICY, write_policy, p, &error) != RISE_OK)
        return fail(s, "%s", error.text);
    for (i = 1; i < s->all.count; i++)
        s->all.lost |= MPI_Isend(p->bytes, (int)p->size, MPI_BYTE, i, POLICY, MPI_COMM_WORLD,
                                 &p->requests[i]) != MPI_SUCCESS;
    return !s->all.lost;
}

/* Starts to receive the next step of an actor. */
static void expect(session *s, int actor)
{
    mail *const m = &s->mail;
    s->all.lost |= MPI_Irecv(m->messages + (size_t)actor * m->bytes, (int)m->bytes, MPI_BYTE,
                             actor + 1, STEP, MPI_COMM_WORLD, &m->requests[actor]) != MPI_SUCCESS;
}
/* Copies a step that has arrived to the arrays for rise_agent_observe. */
static void unpack(session *s, int actor)
{
    const arcade *const a = &s->games;
    mail *const m = &s->mail;
    const uint8_t *at = m->messages + (size_t)actor * m->bytes;
    size_t const values = (size_t)a->numbers * sizeof(float);
    step_head head;
    memcpy(&head, at, sizeof head);
    m->waited[actor] = (double)head.waited;
    if (head.event < 0) {
        m->ended[actor] = 1;
        return;
    }
    m->rewards[actor] = head.reward;
    m->events[actor] = (rise_event)head.event;
    m->actions[actor] = head.action;
    memcpy(m->values + (size_t)actor * (size_t)a->numbers, at + sizeof head, values);
    memcpy(m->frames + (size_t)actor * arcade_frame_bytes(a), at + sizeof head + values,
           arcade_frame_bytes(a));
    expect(s, actor);
}
/* Takes the steps that have arrived, at most one of each actor. With `waits`, waits for the first
   step, unless the run is asked to end. Returns the number of messages: steps, and ends of actors.
   Returns -1 if a rank is lost. */
static int collect(session *s, int waits)
{
    mail *const m = &s->mail;
    int const actors = s->all.count - 1;
    double const began = MPI_Wtime();
    int i, done, taken = 0, tests = 0;
    for (i = 0; i < actors; i++) m->events[i] = RISE_ABSENT;
    for (;;) {
        for (i = 0; i < actors && !s->all.lost; i++) {
            if (m->ended[i] || m->events[i] != RISE_ABSENT) continue;
            s->all.lost = MPI_Test(&m->requests[i], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS;
            if (done && !s->all.lost) unpack(s, i), taken++;
        }
        if (s->all.lost) return -1;
        if (taken > 0 || !waits || ranks_asked != 0) break;
        if (++tests > 200) terminal_sleep(20e-6);
    }
    s->all.waited += MPI_Wtime() - began;
    return taken;
}
/* Ends all actors: sends them the end, and drops the steps that still arrive. Returns 0 if a rank
   is lost. */
static int end_actors(session *s)
{
    int const actors = s->all.count - 1;
    double const began = MPI_Wtime();
    int i, left = actors;
    while (left > 0) {
        if (collect(s, 0) < 0 || ranks_too_long(&s->all, began)) return s->all.lost = 1, 0;
        if (s->policy.size != sizeof s->policy.updates && !publish(s, 1)) return 0;
        for (i = left = 0; i < actors; i++) left += !s->mail.ended[i];
        terminal_sleep(20e-6);
    }
    for (i = 1; i <= actors; i++)
        if (!ranks_wait(&s->all, &s->policy.requests[i])) return 0;
    return 1;
}

/* The loop of rank 0. The updates that are due are done inside rise_agent_observe. */
static int learn_from_actors(session *s)
{
    mail *const m = &s->mail;
    int i, over = 0;
    for (i = 0; i < s->all.count - 1; i++) expect(s, i);
    if (!publish(s, 0)) return 0;
    while (!over) {
        news sum;
        rise_metrics now;
        double const at = terminal_seconds();
        if (collect(s, 1) < 0) return 0;
        if (rise_agent_observe(s->agent, s->games.width > 0 ? m->frames : NULL,
                               s->games.numbers > 0 ? m->values : NULL, m->rewards, m->events,
                               NULL, m->actions) != RISE_OK)
            return fail(s, "%s", rise_agent_error(s->agent)->text);
        rise_agent_metrics(s->agent, &now);
        if ((double)now.updates - s->policy.updates >= s->options.publish_every && !publish(s, 0))
            return 0;
        memset(&sum, 0, sizeof sum);
        sum.steps = s->earlier_steps + (double)now.steps - s->first_steps;
        sum.mean_return = now.mean_return;
        over = ranks_asked != 0 || sum.steps >= s->options.steps;
        if (over || at - s->saved >= s->options.save_every) save(s, sum.steps);
        if (!over && at - s->reported < 5) continue;
        for (i = 0; i < s->all.count - 1; i++) sum.waited += m->waited[i] / (s->all.count - 1);
        report(s, &sum, "actors");
    }
    if (!end_actors(s)) return 0;
    print_results(s);
    return 1;
}

/* Lets the actor play with the policy that it has received. A player keeps its past frames when
   rise_agent_publish changes its policy. Until the first update, actions are random. From then on,
   actor i of n, counted from 0, has the epsilon 0.4^(1 + 7 i / (n - 1)) (Horgan et al. 2018).
   machine.process gives each actor random numbers of its own. */
static int use_policy(session *s)
{
    int const actors = s->all.count - 1, i = s->all.rank - 1;
    double const power = actors > 1 ? 1 + 7.0 * i / (actors - 1) : 1;
    rise_agent *fresh;
    rise_agent_desc machine;
    rise_error error;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    machine.processes = s->all.count, machine.process = s->all.rank;
    if (rise_agent_read(&fresh, read_policy, &s->policy, s->policy.size - s->policy.at, &machine,
                        &error) != RISE_OK)
        return fail(s, "%s", error.text);
    if (s->agent == NULL) {
        s->agent = fresh;
    } else {
        rise_result const result = rise_agent_publish(fresh, s->agent);
        if (result != RISE_OK) fail(s, "%s", rise_agent_error(fresh)->text);
        rise_agent_destroy(fresh);
        if (result != RISE_OK) return 0;
    }
    rise_agent_set_player(s->agent, 0, s->policy.updates > 0 ? pow(0.4, power) : 1, 0);
    return 1;
}

/* Takes the policies that have arrived. An actor without a policy waits for one. Sets *ends to 1 if
   the actor must end. Returns 0 on failure. */
static int take_policies(session *s, int *ends)
{
    policy *const p = &s->policy;
    double const began = MPI_Wtime();
    int there = 0, size;
    MPI_Status status;
    MPI_Request request;
    for (;;) {
        s->all.lost |= MPI_Iprobe(0, POLICY, MPI_COMM_WORLD, &there, &status) != MPI_SUCCESS ||
                       (s->agent == NULL && ranks_too_long(&s->all, began));
        if (s->all.lost) return 0;
        if (!there && s->agent != NULL) return 1;
        if (!there) {
            terminal_sleep(1e-3);
            continue;
        }
        MPI_Get_count(&status, MPI_BYTE, &size);
        if ((size_t)size > p->room) {
            free(p->bytes);
            p->bytes = (uint8_t *)malloc((size_t)size);
            p->room = p->bytes != NULL ? (size_t)size : 0;
            if (p->bytes == NULL) return fail(s, "out of memory for a policy");
        }
        s->all.lost |= MPI_Irecv(p->bytes, size, MPI_BYTE, 0, POLICY, MPI_COMM_WORLD, &request) !=
                       MPI_SUCCESS;
        if (!ranks_wait(&s->all, &request)) return 0;
        p->size = (size_t)size, p->at = sizeof p->updates;
        memcpy(&p->updates, p->bytes, sizeof p->updates);
        *ends = p->size == p->at;
        if (*ends) return 1;
        if (!use_policy(s)) return 0;
    }
}

/* Sends the step that the actor sees, or event -1 when the actor ends. Waits while rank 0
   still has to receive SENDING earlier steps. */
static int send_step(session *s, int event, int action)
{
    const arcade *const a = &s->games;
    mail *const m = &s->mail;
    int const slot = m->sent;
    uint8_t *const at = m->messages + (size_t)slot * m->bytes;
    size_t const values = (size_t)a->numbers * sizeof(float);
    step_head head;
    m->sent = (m->sent + 1) % SENDING;
    if (!ranks_wait(&s->all, &m->requests[slot])) return 0;
    head.reward = a->rewards[0], head.waited = (float)s->all.waited;
    head.event = event, head.action = action;
    memcpy(at, &head, sizeof head);
    if (values > 0) memcpy(at + sizeof head, arcade_values(a, 0), values);
    if (a->width > 0) memcpy(at + sizeof head + values, a->frames, arcade_frame_bytes(a));
    s->all.lost |= MPI_Issend(at, (int)m->bytes, MPI_BYTE, 0, STEP, MPI_COMM_WORLD,
                              &m->requests[slot]) != MPI_SUCCESS;
    return !s->all.lost;
}

/* The loop of an actor. */
static int play_for_learner(session *s)
{
    const arcade *const a = &s->games;
    int ends = 0, action, i;
    while (take_policies(s, &ends) && !ends) {
        action = rise_agent_play_numbers(s->agent, 0, arcade_frame(a, 0), arcade_values(a, 0),
                                         a->rewards[0], a->events[0], NULL);
        if (action < 0) return fail(s, "%s", rise_agent_error(s->agent)->text);
        if (!send_step(s, (int)a->events[0], action) || !games_begin(s, &action) || !games_end(s))
            return 0;
    }
    if (!ends || !send_step(s, -1, 0)) return 0;
    for (i = 0; i < SENDING; i++)
        if (!ranks_wait(&s->all, &s->mail.requests[i])) return 0;
    return 1;
}

/* Allocates the messages and the arrays for rise_agent_observe. */
static int open_mail(session *s)
{
    const arcade *const a = &s->games;
    mail *const m = &s->mail;
    size_t const actors = (size_t)s->all.count - 1;
    size_t const slots = s->all.rank == 0 ? actors : SENDING;
    int i;
    m->bytes = sizeof(step_head) + (size_t)a->numbers * sizeof(float) + arcade_frame_bytes(a);
    m->messages = (uint8_t *)malloc(slots * m->bytes);
    m->requests = (MPI_Request *)malloc(slots * sizeof *m->requests);
    m->frames = (uint8_t *)calloc(actors, arcade_frame_bytes(a) + 1);
    m->values = (float *)calloc(actors, (size_t)(a->numbers + 1) * sizeof *m->values);
    m->rewards = (float *)calloc(actors, sizeof *m->rewards);
    m->events = (rise_event *)calloc(actors, sizeof *m->events);
    m->actions = (int *)calloc(actors, sizeof *m->actions);
    m->ended = (int *)calloc(actors, sizeof *m->ended);
    m->waited = (double *)calloc(actors, sizeof *m->waited);
    s->policy.requests = (MPI_Request *)malloc((size_t)s->all.count * sizeof(MPI_Request));
    if (m->messages == NULL || m->requests == NULL || m->frames == NULL || m->values == NULL ||
        m->rewards == NULL || m->events == NULL || m->actions == NULL || m->ended == NULL ||
        m->waited == NULL || s->policy.requests == NULL)
        return fail(s, "out of memory for messages");
    for (i = 0; i < (int)slots; i++) m->requests[i] = MPI_REQUEST_NULL;
    for (i = 0; i < s->all.count; i++) s->policy.requests[i] = MPI_REQUEST_NULL;
    return 1;
}
static void close_mail(session *s)
{
    mail *const m = &s->mail;
    free(m->messages), free(m->requests), free(m->frames), free(m->values), free(m->rewards);
    free(m->events), free(m->actions), free(m->ended), free(m->waited);
    free(s->policy.bytes), free(s->policy.requests);
}

/* ---------------------------------------------------------------------------------------------- */
/* The run */

/* Sets the options. Returns 0, after a message, if they are wrong. */
static int read_options(session *s)
{
    options *const o = &s->options;
    const command_line *const c = &s->line;
    o->environment = command_string(c, "--env");
    o->game = game_named(command_string(c, "--game"));
    o->environments = command_whole(c, "--environments");
    o->publish_every = command_whole(c, "--publish-every");
    o->seed = command_whole(c, "--seed");
    o->threads = command_whole(c, "--threads");
    o->actors = command_string(c, "--actors") != NULL;
    o->any_order = command_string(c, "--sum") != NULL;
    o->whole = command_string(c, "--whole") != NULL;
    o->check = command_string(c, "--check") != NULL;
    o->steps = command_number(c, "--steps");
    o->save_every = command_number(c, "--save-every");
    if (o->game == GAME_KINDS && o->environment == NULL)
        return fprintf(stderr, "cluster: there is no small game %s; ./memory --help lists them\n",
                       command_string(c, "--game")), 0;
    if (o->actors && (s->all.count == 1 || o->check))
        return fputs("cluster: --actors needs two ranks or more, and no --check\n", stderr), 0;
    if (s->all.count > RANKS_MOST)
        return fprintf(stderr, "cluster: at most %d ranks are possible\n", RANKS_MOST), 0;
    if (o->steps == 0) o->steps = o->environment != NULL ? 1e6 : recipe_of(o->game)->steps;
    return command_fields_are_free(c);
}
/* Takes the options of the run in the folder. If the folder has no save, does nothing, also with
   --resume. Returns 0, after a message, if there is a save and --resume is missing. Does the same
   if set.txt or run.txt cannot be read, or if command_resume refuses. */
static int resume_options(session *s)
{
    static command_line old;
    char path[TRAIN_PATH];
    if (command_string(&s->line, "--check") != NULL) return 1;
    if (!read_set(s, &s->set))
        return fprintf(stderr,
                       "cluster: %s/set.txt is damaged or cannot be read; pass another --folder\n",
                       s->folder), 0;
    if (s->set.ranks == 0) {
        if (command_string(&s->line, "--resume") != NULL)
            printf("There is no save in %s: a new run begins.\n", s->folder);
        return 1;
    }
    if (command_string(&s->line, "--resume") == NULL)
        return fprintf(stderr,
                       "cluster: there is a run in %s already: add --resume to go on, or begin "
                       "another with --folder or --seed\n",
                       s->folder), 0;
    command_begin(&old, table, (int)(sizeof table / sizeof *table));
    snprintf(path, sizeof path, "%s/run.txt", s->folder);
    if (!command_read(&old, path))
        return fprintf(stderr,
                       "cluster: %s cannot be read: %s; make it readable, or pass another "
                       "--folder\n",
                       path, strerror(errno)), 0;
    return command_resume(&s->line, &old);
}
/* Reads the command line. Sets the folder and the options. Returns 0, after a message, if something
   is wrong. */
static int read_command(session *s, int argc, char **argv)
{
    const command_line *const c = &s->line;
    const char *name, *at;
    int length;
    command_begin(&s->line, table, (int)(sizeof table / sizeof *table));
    if (!command_parse(&s->line, argc, argv)) return 0;
    name = command_string(c, "--env") != NULL ? command_string(c, "--env")
                                              : command_string(c, "--game");
    if (!command_not_both(c, "--game", "--env")) return 0;
    at = command_string(c, "--folder");
    length = at != NULL ? snprintf(s->folder, sizeof s->folder, "%s", at)
                        : snprintf(s->folder, sizeof s->folder, "runs/cluster-%s-%s-%s", name,
                                   command_string(c, "--memory"), command_string(c, "--seed"));
    if (length >= (int)sizeof s->folder)
        return fprintf(stderr,
                       "cluster: the folder's name has %d bytes, at most %d are possible: pass a "
                       "shorter --folder\n",
                       length, (int)sizeof s->folder - 1), 0;
    return resume_options(s) && read_options(s);
}

/* Records the counters at the start of this session. An agent that was loaded from another rank's
   file has the steps of that rank. */
static void begin_counting(session *s)
{
    rise_metrics m;
    s->began = s->saved = s->reported = terminal_seconds();
    s->before.steps = s->earlier_steps = s->set.steps;
    s->all.waited = 0; /* waits before the session do not count */
    if (s->agent == NULL) return;
    rise_agent_metrics(s->agent, &m);
    s->first_steps = (double)m.steps;
    s->first_updates = s->updates_before = (double)m.updates;
}
/* Prepares the folder, the games and the agent. Returns 0 on failure. */
static int begin(session *s, int argc, char **argv)
{
    char path[TRAIN_PATH], facts[100];
    char ready = 1;
    if (s->all.rank == 0) ready = (char)prepare_folder(s);
    if (!ranks_share(&s->all, &ready, 1) || !ready) return 0;
    s->everyone = (news *)calloc((size_t)s->all.count, sizeof *s->everyone);
    if (s->everyone == NULL) return fail(s, "out of memory");
    if (!open_games(s)) return 0;
    if (s->options.actors && !open_mail(s)) return 0;
    if ((!s->options.actors || s->all.rank == 0) && !make_agent(s)) return 0;
    begin_counting(s);
    if (s->all.rank > 0 || s->options.check) return 1;
    snprintf(facts, sizeof facts, "rise.h %d.%d.%d, %d ranks", RISE_VERSION_MAJOR,
             RISE_VERSION_MINOR, RISE_VERSION_PATCH, s->all.count);
    snprintf(path, sizeof path, "%s/run.txt", s->folder);
    if (!command_write(&s->line, path, argc, argv, facts))
        return fail(s, "%s cannot be written: %s", path, strerror(errno));
    if (s->set.ranks > 0) printf("Resumed after %.0f steps, saved by %d ranks.\n", s->set.steps,
                                 s->set.ranks);
    return 1;
}

int main(int argc, char **argv)
{
    static session s;
    char good = 1;
    if (self_test_wanted(argc, argv)) return self_test_status();
    if (command_wants_help(argc, argv)) return fputs(usage, stdout), 0;
    ranks_begin(&s.all, &argc, &argv);
    /* rank 0 is the first to read the command line, so that a mistake is reported once */
    if (s.all.rank == 0) good = (char)read_command(&s, argc, argv);
    if (!ranks_share(&s.all, &good, 1) || !good) return ranks_end(&s.all), 2;
    if (s.all.rank > 0) good = (char)read_command(&s, argc, argv);
    good = good && begin(&s, argc, argv);
    if (good && !s.options.actors) good = (char)learn_together(&s);
    else if (good && s.all.rank == 0) good = (char)learn_from_actors(&s);
    else if (good) good = (char)play_for_learner(&s);
    if (!good) give_up(&s);
    arcade_close(&s.games);
    rise_agent_destroy(s.agent);
    close_mail(&s);
    free(s.everyone);
    ranks_end(&s.all);
    return s.not_saved;
}
