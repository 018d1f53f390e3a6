/* The board's half of bench/embedded.sh: plays the exported policy from flash and prints its
   actions. The agent's block begins where the variables end, and has exactly the bytes that
   rise_agent_open_bytes returns. The rest of the RAM is the stack. */
#define RISE_PLAY_ONLY
#define RISE_NO_RAINBOW
#define RISE_NO_ENCODERS
#define RISE_IMPLEMENTATION
#include "echo.h"

#include "game.h"

enum { PAINT = 0xA5 };

extern unsigned char variables_end[], stack_top[];
int board_episodes(void);
void board_print(const char *text);

/* Prints a name and a decimal number. */
static void print(const char *name, uint32_t value)
{
    char text[12];
    int i = 11;
    text[i] = '\0';
    text[--i] = ' ';
    do
        text[--i] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    board_print(name);
    board_print(text + i);
}
static int play(unsigned char *block, size_t bytes, rise_agent_desc *machine)
{
    rise_agent *agent;
    game g = game_new();
    char line[STEPS + 4];
    int episodes = board_episodes();
    machine->memory_block = block, machine->memory_bytes = bytes;
    if (rise_agent_open(&agent, echo_policy, sizeof echo_policy, machine, NULL) < 0) return 1;
#ifdef CHECK
    print("check ", (uint32_t)echo_check_agent(agent));
#endif
    for (; episodes > 0; episodes--) {
        if (!game_play(&g, agent, line)) return 1;
        board_print(line);
    }
    print("score ", (uint32_t)g.right);
    print("hash ", g.hash);
    board_print("\n");
    return 0;
}

/* Plays with the stack painted, and prints the bytes of the block and of the stack. */
int board_main(void);
int board_main(void)
{
    unsigned char *const block = variables_end;
    unsigned char *free_begin, *p;
    rise_agent_desc machine = {0};
    size_t bytes;
    volatile unsigned char here;
    for (p = block; p < &here - 64; p++) *p = PAINT;
    bytes = rise_agent_open_bytes(echo_policy, sizeof echo_policy, &machine, NULL);
    if (bytes == 0) return 1;
    free_begin = block + bytes;
    if (play(block, bytes, &machine) != 0) return 1;
    for (p = free_begin; *p == PAINT; p++) continue;
    print("block ", (uint32_t)bytes);
    print("stack ", (uint32_t)(stack_top - p));
    board_print("\n");
    return 0;
}
