/* A plugin for qemu. It counts the instructions that a program executes, and prints their number
   when the program ends.

   Few systems have a package of qemu's header, so the functions used are declared here. They are
   the same in every version of the interface. But a plugin must name a version that its qemu
   accepts: API 1 for qemu 4.2 to 8, API 2 for later versions. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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
void qemu_plugin_register_atexit_cb(uint64_t plugin, void (*ended)(uint64_t plugin, void *user),
                                    void *user);

extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t plugin, const void *machine, int count, char **arguments);

int qemu_plugin_version = API;
static uint64_t instructions;

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

static void ended(uint64_t plugin, void *user)
{
    (void)plugin, (void)user;
    printf("%" PRIu64 "\n", instructions);
    fflush(stdout); /* qemu ends by _exit, which does not flush */
}

int qemu_plugin_install(uint64_t plugin, const void *machine, int count, char **arguments)
{
    (void)machine, (void)count, (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, block_translated);
    qemu_plugin_register_atexit_cb(plugin, ended, NULL);
    return 0;
}
