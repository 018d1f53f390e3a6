/* Fuzz target: policies, and files of whole agents that are loaded to play only. */
#include "files.h"

static void fuzz_policy(const uint8_t *data, size_t size)
{
    program p;
    rise_agent_desc machine = fuzz_machine(RISE_SAVE_POLICY);
    buffer b;
    unsigned options;
    p.at = data, p.end = data + size;
    options = program_byte(&p);
    if (options & 1) machine.players = 1 + (int)(options / 8 % 4);
    if ((options & 7) == 6) machine.play_only = 0; /* is refused */
    b = file_of(&p, options & 2 ? RISE_SAVE_POLICY : RISE_SAVE_AGENT, RISE_SAVE_POLICY);
    p.at = data;
    file_use(&b, &machine, &p);
    free(b.data);
}
FUZZ_TARGET(fuzz_policy)
