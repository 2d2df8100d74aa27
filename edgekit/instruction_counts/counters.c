/* A plugin for QEMU's translator: how often each block of a guest's code ran between two of its system calls, and what a
   hierarchy of caches made of its loads and stores.

       qemu-aarch64 -plugin counters.so,out=FILE,mark=173,line=64,cache=512:4,cache=512:16 PROGRAM

   Nothing is counted before the first call of `mark`, so that a program starts at its usual speed. From then on each call
   of it, and each of `clock` where that is named, closes an interval:

       interval NUMBER LOADS STORES LOADED STORED then for each cache ACCESSES MISSES LOAD_MISSES WRITE_BACKS
       INDEX TIMES                    for each block that ran

   and at the end of the program

       block INDEX ADDRESS CODE       for each block of these; address and code in hexadecimal digits

   LOADED and STORED are bytes. A cache is SETS:WAYS, from the one next to the core on: least recently used, allocating on
   stores, writing back; an access to the line of the access before it is the same access. One thread. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* QEMU's plugin interface, version 1, as far as it is used here (docs/devel/tcg-plugins.rst). */
#define PUBLIC __attribute__((visibility("default")))
typedef uint64_t Id;
typedef uint32_t Access;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { ADD_U64 = 0, NO_REGISTERS = 0, READS_AND_WRITES = 3 };
void qemu_plugin_register_vcpu_tb_trans_cb(Id, void (*)(Id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *, void (*)(unsigned, Access, uint64_t, void *), int, int, void *);
void qemu_plugin_register_vcpu_syscall_cb(
    Id, void (*)(Id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
void qemu_plugin_register_atexit_cb(Id, void (*)(Id, void *), void *);
void qemu_plugin_reset(Id, void (*)(Id));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(Access);
_Bool qemu_plugin_mem_is_store(Access);
PUBLIC int qemu_plugin_version = 1;

typedef struct {
    uint64_t address, times, reported;
    size_t size;
    uint8_t code[];
} Block;

typedef struct {
    uint64_t *ways; /* of each set the most recently used first: line << 1 | dirty */
    uint64_t mask;
    unsigned count; /* of ways */
    uint64_t accesses, misses, load_misses, write_backs;
} Cache;

enum { LEVELS = 4 };
static const uint64_t EMPTY = ~UINT64_C(1); /* a line that no address has, and clean */

static FILE *out;
static int64_t mark = -1, clock_call = -1;
static bool counting;
static Block **blocks;
static size_t block_count, block_room;
static Cache caches[LEVELS];
static unsigned levels, line_shift = 6;
static uint64_t loads, stores, loaded, stored;
static uint64_t last_line = ~UINT64_C(0);
static bool last_dirty;

/* Bring a line to the front of its set. Whether it was there; `gone` is what it drove out, or EMPTY. */
static bool found(Cache *cache, uint64_t line, bool store, uint64_t *gone)
{
    uint64_t *ways = cache->ways + (line & cache->mask) * cache->count;
    unsigned at = 0;
    *gone = EMPTY;
    while (at < cache->count && ways[at] >> 1 != line)
        at++;
    bool hit = at < cache->count;
    if (!hit)
        *gone = ways[--at];
    uint64_t dirty = store | (hit ? ways[at] & 1 : 0);
    for (; at > 0; at--)
        ways[at] = ways[at - 1];
    ways[0] = line << 1 | dirty;
    return hit;
}

/* A dirty line that a cache drove out: the first of the next ones that has it keeps it. */
static void write_back(unsigned level, uint64_t line)
{
    for (; level < levels; level++) {
        Cache *cache = caches + level;
        uint64_t *ways = cache->ways + (line & cache->mask) * cache->count;
        for (unsigned at = 0; at < cache->count; at++)
            if (ways[at] >> 1 == line) {
                ways[at] |= 1;
                return;
            }
        cache->write_backs++;
    }
}

static void reach(uint64_t line, bool store)
{
    for (unsigned level = 0; level < levels; level++) {
        Cache *cache = caches + level;
        uint64_t gone;
        cache->accesses++;
        if (found(cache, line, store, &gone))
            return;
        cache->misses++;
        cache->load_misses += !store;
        if (gone & 1) {
            cache->write_backs++;
            write_back(level + 1, gone >> 1);
        }
    }
}

static void accessed(unsigned cpu, Access access, uint64_t address, void *nothing)
{
    uint64_t size = UINT64_C(1) << qemu_plugin_mem_size_shift(access);
    uint64_t line = address >> line_shift, last = (address + size - 1) >> line_shift;
    bool store = qemu_plugin_mem_is_store(access);
    if (store) {
        stores++;
        stored += size;
    } else {
        loads++;
        loaded += size;
    }
    for (; line <= last; line++) {
        if (line == last_line && (last_dirty || !store))
            continue;
        reach(line, store);
        last_dirty = line == last_line ? true : store;
        last_line = line;
    }
}

static void translated(Id id, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb), size = 0;
    for (size_t i = 0; i < count; i++)
        size += qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, i));
    if (block_count == block_room) {
        block_room = block_room ? 2 * block_room : 4096;
        blocks = realloc(blocks, block_room * sizeof *blocks);
    }
    Block *block = blocks ? calloc(1, sizeof *block + size) : NULL;
    if (!block) {
        fputs("counters: out of memory\n", stderr);
        abort();
    }
    block->address = qemu_plugin_tb_vaddr(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, i);
        size_t bytes = qemu_plugin_insn_size(instruction);
        memcpy(block->code + block->size, qemu_plugin_insn_data(instruction), bytes);
        block->size += bytes;
        if (levels)
            qemu_plugin_register_vcpu_mem_cb(instruction, accessed, NO_REGISTERS, READS_AND_WRITES, NULL);
    }
    blocks[block_count++] = block;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &block->times, 1);
}

static void close_interval(int64_t number)
{
    fprintf(out, "interval %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
        number, loads, stores, loaded, stored);
    loads = stores = loaded = stored = 0;
    for (Cache *cache = caches; cache < caches + levels; cache++) {
        fprintf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
            cache->accesses, cache->misses, cache->load_misses, cache->write_backs);
        cache->accesses = cache->misses = cache->load_misses = cache->write_backs = 0;
    }
    fputc('\n', out);
    for (size_t i = 0; i < block_count; i++) {
        Block *block = blocks[i];
        if (block->times != block->reported)
            fprintf(out, "%zu %" PRIu64 "\n", i, block->times - block->reported);
        block->reported = block->times;
    }
}

static void ended(Id id, void *nothing)
{
    for (size_t i = 0; i < block_count; i++) {
        if (!blocks[i]->reported)
            continue;
        fprintf(out, "block %zu %" PRIx64 " ", i, blocks[i]->address);
        for (size_t at = 0; at < blocks[i]->size; at++)
            fprintf(out, "%02x", blocks[i]->code[at]);
        fputc('\n', out);
    }
    if (fclose(out))
        perror("counters");
}

static void install(Id id);

static void called(Id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
    uint64_t f, uint64_t g, uint64_t h)
{
    if (counting && (number == mark || number == clock_call)) {
        close_interval(number);
    } else if (number == mark) {
        counting = true;
        qemu_plugin_reset(id, install); /* what was translated so far is translated anew, and counted */
    }
}

static void install(Id id)
{
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    if (counting) {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, ended, NULL);
    }
}

static bool add_cache(const char *text)
{
    unsigned sets, ways;
    if (levels == LEVELS || sscanf(text, "%u:%u", &sets, &ways) != 2 || !sets || (sets & (sets - 1)) || !ways)
        return false;
    Cache *cache = caches + levels++;
    cache->mask = sets - 1;
    cache->count = ways;
    cache->ways = malloc((size_t)sets * ways * sizeof *cache->ways);
    for (size_t i = 0; cache->ways && i < (size_t)sets * ways; i++)
        cache->ways[i] = EMPTY;
    return cache->ways;
}

PUBLIC int qemu_plugin_install(Id id, const void *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        bool taken = value != NULL;
        if (taken) {
            *value++ = '\0';
            if (!strcmp(argv[i], "out"))
                taken = (out = fopen(value, "w")) != NULL;
            else if (!strcmp(argv[i], "mark"))
                mark = atoll(value);
            else if (!strcmp(argv[i], "clock"))
                clock_call = atoll(value);
            else if (!strcmp(argv[i], "line"))
                line_shift = __builtin_ctz(atoi(value) | 1 << 30);
            else
                taken = !strcmp(argv[i], "cache") && add_cache(value);
        }
        if (!taken) {
            fprintf(stderr, "counters: cannot take %s\n", argv[i]);
            return -1;
        }
    }
    if (!out || mark < 0) {
        fputs("counters: out and mark are needed\n", stderr);
        return -1;
    }
    install(id);
    return 0;
}
