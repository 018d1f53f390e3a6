/* What a Cortex-M needs to run a program without a C library: vectors, start, output through the
   debugger (semihosting), and the functions that compilers call. Compiled without -flto, because
   the compiler may add calls to memcpy and memset after it has joined all files. */
#include <stddef.h>
#include <stdint.h>

extern unsigned char stack_top[], data_load[], data_begin[], data_end[], bss_begin[], bss_end[];
int board_main(void);
int board_episodes(void);
void board_print(const char *text);
void board_reset(void);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

static int semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_print(const char *text)
{
    semihosting(0x04 /* SYS_WRITE0 */, text);
}

/* Returns the number on the command line, after the program's name. */
int board_episodes(void)
{
    static char line[64];
    struct {
        char *text;
        int size;
    } const place = {line, sizeof line};
    const char *p = line;
    int value = 0;
    semihosting(0x15 /* SYS_GET_CMDLINE */, &place);
    while (*p != '\0' && *p != ' ') p++;
    while (*p == ' ') p++;
    for (; *p >= '0' && *p <= '9'; p++) value = value * 10 + *p - '0';
    return value;
}

void board_reset(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: the FPU is on */
    __asm__ volatile("dsb\n\tisb");
    memcpy(data_begin, data_load, (size_t)(data_end - data_begin));
    memset(bss_begin, 0, (size_t)(bss_end - bss_begin));
    semihosting(0x18 /* SYS_EXIT */, /* ADP_Stopped_ApplicationExit, or ADP_Stopped_RunTimeError */
                (const void *)(board_main() == 0 ? 0x20026u : 0x20023u));
}

/* Any fault ends the program. */
static void board_fault(void)
{
    board_print("fault\n");
    semihosting(0x18, (const void *)0x20023u);
}

/* No interrupt is enabled, so the table ends after the faults. */
typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) static const vector vectors[7] = {
    (vector)(uintptr_t)stack_top, board_reset, board_fault, board_fault, board_fault, board_fault,
    board_fault};

void *memcpy(void *to, const void *from, size_t size)
{
    unsigned char *t = (unsigned char *)to;
    const unsigned char *f = (const unsigned char *)from;
    while (size-- > 0) *t++ = *f++;
    return to;
}
void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *t = (unsigned char *)to;
    const unsigned char *f = (const unsigned char *)from;
    if (t < f) return memcpy(to, from, size);
    while (size-- > 0) t[size] = f[size];
    return to;
}
void *memset(void *to, int byte, size_t size)
{
    unsigned char *t = (unsigned char *)to;
    while (size-- > 0) *t++ = (unsigned char)byte;
    return to;
}
int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;
    for (; size > 0; size--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}
size_t strlen(const char *text)
{
    const char *end = text;
    while (*end != '\0') end++;
    return (size_t)(end - text);
}
