/* A plugin for qemu. It counts the instructions that a program executes, and prints their number
   when the program ends. With the argument mark=N, it also prints the number so far at each system
   call N of the program.

   Few systems have a package of qemu's header, so the functions used are declared here. They are
   the same in every version of the interface. But a plugin must name a version that its qemu
   accepts: API 1 for qemu 4.2 to 8, API 2 for later versions. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef API
#define API 1
#endif

struct qemu_plugin_tb; /* a translation block: instructions executed in a row */
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t plugin,
                                           void (*translated)(uint64_t plugin,
                                                              struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*executed)(unsigned cpu, void *user), int registers,
                                          void *user);
void qemu_plugin_register_vcpu_syscall_cb(
    uint64_t plugin, void (*called)(uint64_t plugin, unsigned cpu, int64_t number, uint64_t a1,
                                    uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                                    uint64_t a7, uint64_t a8));
void qemu_plugin_register_atexit_cb(uint64_t plugin, void (*ended)(uint64_t plugin, void *user),
                                    void *user);

extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t plugin, const void *machine, int count, char **arguments);

int qemu_plugin_version = API;
static uint64_t instructions;
static int64_t mark;

static void block_executed(unsigned cpu, void *user)
{
    (void)cpu;
    instructions += (uintptr_t)user;
}

static void block_translated(uint64_t plugin, struct qemu_plugin_tb *block)
{
    (void)plugin;
    qemu_plugin_register_vcpu_tb_exec_cb(block, block_executed, 0,
                                         (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void called(uint64_t plugin, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)plugin, (void)cpu, (void)a1, (void)a2, (void)a3, (void)a4;
    (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == mark) printf("%" PRIu64 "\n", instructions);
}

static void ended(uint64_t plugin, void *user)
{
    (void)plugin, (void)user;
    printf("%" PRIu64 "\n", instructions);
    fflush(stdout); /* qemu ends by _exit, which does not flush */
}

int qemu_plugin_install(uint64_t plugin, const void *machine, int count, char **arguments)
{
    int i;
    (void)machine;
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, block_translated);
    for (i = 0; i < count; i++) {
        if (strncmp(arguments[i], "mark=", 5) != 0) return 1;
        mark = strtoll(arguments[i] + 5, NULL, 10);
        qemu_plugin_register_vcpu_syscall_cb(plugin, called);
    }
    qemu_plugin_register_atexit_cb(plugin, ended, NULL);
    return 0;
}
