/* Fuzz target: policies, and files of whole agents that are loaded to play only. A file that loads
   also opens in place, and the other way round. */
#include "files.h"

/* Opens the file in place and reads it. Both must have the same result. In place, an agent takes
   less memory, so only reading may fail for lack of memory. */
static void open_in_place(buffer *b, const rise_agent_desc *machine)
{
    rise_agent_desc own = *machine;
    rise_agent *opened, *read;
    rise_result first, second;
    own.play_only = 1;
    first = rise_agent_open(&opened, b->data, b->size, &own, NULL);
    second = load(&read, b, &own, NULL);
    if (!CHECK(first == second || second == RISE_NO_MEMORY))
        printf("    open returned %d, and read returned %d\n", (int)first, (int)second);
    CHECK((opened != NULL) == (first == RISE_OK));
    if (opened != NULL && read != NULL)
        CHECK(rise_agent_query(opened)->actions == rise_agent_query(read)->actions);
    rise_agent_destroy(opened), rise_agent_destroy(read);
}

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
    b = file_of(&p, options & 2 ? RISE_SAVE_POLICY : RISE_SAVE_AGENT, RISE_SAVE_FLOAT16);
    p.at = data;
    file_use(&b, &machine, &p);
    open_in_place(&b, &machine);
    free(b.data);
}
FUZZ_TARGET(fuzz_policy)
