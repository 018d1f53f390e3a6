/* Fuzz target: files of whole agents, with and without the replay buffer. */
#include "files.h"

static void fuzz_agent(const uint8_t *data, size_t size)
{
    program p;
    rise_agent_desc machine = fuzz_machine(RISE_SAVE_ALL);
    buffer b;
    unsigned options;
    p.at = data, p.end = data + size;
    options = program_byte(&p);
    if (options & 1) machine.environments = 1 + (int)(options / 8 % 4);
    if (options & 2) machine.players = 1 + (int)(options / 16 % 4);
    if (options & 4) machine.isa = RISE_ISA_REF;
    if (options & 128) machine.background = -1;
    b = file_of(&p, RISE_SAVE_AGENT, RISE_SAVE_ALL);
    p.at = data; /* frames and events are from the same bytes */
    file_use(&b, &machine, &p);
    free(b.data);
}
FUZZ_TARGET(fuzz_agent)
