#include "fault_use.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GROUP_MAX = 8, BODY_MAX = 6000 };

struct shared *shared;
char path[80];
static char root[64];

static int unlink_one(const char *name, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(name);
}

static void folder_new(void)
{
    snprintf(root, sizeof root, "%s/geleit-fault-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/store", root);
}

static void folder_remove(void)
{
    nftw(root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

void store_remove(void)
{
    nftw(path, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

// Every message's body follows from its key, so that the parent can tell.
static struct span body_of(uint32_t key)
{
    static char room[BODY_MAX];
    size_t size = 1 + key * 2654435761U % BODY_MAX;
    for (size_t i = 0; i < size; i++)
        room[i] = (char)(key * 7 + i * (key % 13 + 1));
    return (struct span){room, size};
}

// ---- the child

static bool user_segment(struct user *u)
{
    if (u->fd >= 0 && u->end < 65536)
        return true;
    if (u->fd >= 0) {
        close(u->fd);
        store_segment_seal(u->store, u->segment);
    }
    u->fd = -1;
    u->end = 0;
    return rc_ok(store_segment_new(u->store, &u->segment, &u->fd));
}

static bool put(struct user *u, const uint64_t *replaced)
{
    uint32_t key = shared->next;
    char sender[32], address[32];
    snprintf(sender, sizeof sender, "%u@key.example", key);
    snprintf(address, sizeof address, "to%u@d%u.example", key, key % 5);
    struct store_recipient who[2] = {
        {.address = span_str(address), .domain = span_str(address + 3)},
        {.address = SPAN("twin"), .domain = span_str(address + 3)}};
    struct store_envelope e = {.received = {key + 1},
                               .sender = span_str(sender),
                               .count = 1,
                               .recipients = who,
                               .body.segment = u->segment};
    if (key >= KEYS || !user_segment(u))
        return false;
    e.body.segment = u->segment;
    if (!rc_ok(store_append(u->fd, u->end, body_of(key), &e.body)))
        return false;
    u->end = e.body.offset + e.body.length;
    shared->next++;
    shared->state[key] = PUTTING;
    bool fine = rc_ok(store_put(u->store, &e, replaced, replaced ? 1 : 0));
    shared->recipient[key] = who[0].id;
    return fine;
}

static bool outcome(struct user *u, uint32_t key, enum store_result result)
{
    struct store_outcome o = {.recipient = shared->recipient[key], .result = result};
    shared->state[key] = result == STORE_FAILED ? FAILING : LEAVING;
    return rc_ok(store_outcome(u->store, &o));
}

// Told a second time it must not be owed again, whatever died in between.
static bool delay(struct user *u, uint32_t key)
{
    struct store_outcome o = {.recipient = shared->recipient[key],
                              .result = STORE_DEFERRED,
                              .notice = STORE_NOTICE_DELAYED};
    if (shared->state[key] == THERE)
        shared->state[key] = DELAYING;
    return rc_ok(store_outcome(u->store, &o));
}

static bool tell_delay(struct user *u, uint32_t key)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope e;
    uint64_t id = store_recipient_message(shared->recipient[key]);
    if (!rc_ok(store_load(u->store, id, SPAN(""), WALL_NEVER, &a, &e)) || e.count != 1)
        return false;
    if (!put(u, &e.recipients[0].id))
        return false;
    shared->state[key] = TELLING;
    return true;
}

// What the states under way become, when the sync said so or so.
static void settle(bool fine)
{
    static const uint8_t after[][2] = {
        [PUTTING] = {REFUSED, THERE}, [LEAVING] = {THERE, GONE},  [FAILING] = {THERE, OWED},
        [REPLACING] = {OWED, GONE},   [DELAYING] = {THERE, BOTH}, [TELLING] = {BOTH, TOLD}};
    for (uint32_t k = 0; k < shared->next; k++) {
        uint8_t s = shared->state[k];
        if (s == PUTTING || s == LEAVING || s == FAILING || s == REPLACING || s == DELAYING ||
            s == TELLING)
            shared->state[k] = after[s][fine];
    }
}

static void sync_group(struct user *u)
{
    bool fine = rc_ok(store_sync(u->store));
    settle(fine);
    u->trouble = u->trouble || !fine;
}

static uint32_t some(enum state want, uint32_t from)
{
    for (uint32_t k = from; k < shared->next; k++)
        if (shared->state[k] == want)
            return k;
    return KEYS;
}

void turn(struct user *u, unsigned random)
{
    for (unsigned i = 0; i <= random % GROUP_MAX; i++)
        u->trouble |= !put(u, NULL);
    sync_group(u);
    for (unsigned i = 0; i < random / 8 % GROUP_MAX; i++) {
        uint32_t key = some(THERE, 0);
        if (key < KEYS)
            u->trouble |= !outcome(u, key, (random >> i) & 1 ? STORE_DELIVERED : STORE_FAILED);
    }
    sync_group(u);
    uint32_t there = some(THERE, 0), both = some(BOTH, 0), told = some(TOLD, 0);
    if (there < KEYS)
        u->trouble |= !delay(u, there);
    if (told < KEYS)
        u->trouble |= !delay(u, told);
    if (both < KEYS)
        u->trouble |= !delay(u, both) || !tell_delay(u, both);
    sync_group(u);
    uint32_t owed = some(OWED, 0);
    if (owed < KEYS && put(u, &shared->recipient[owed]))
        shared->state[owed] = REPLACING;
    sync_group(u);
}

bool user_begin(struct user *u)
{
    const char *why;
    *u = (struct user){.fd = -1};
    return rc_ok(store_open(&u->store, path, &why)) && user_segment(u);
}

// ---- the parent

static uint8_t seen[KEYS]; // bits: 1: pending, 2: a notice is owed

static void see(void *arg, const struct store_due *d)
{
    struct buf *b = arg;
    buf_printf(b, "%llu %.*s\n", (unsigned long long)d->message, SPAN_FMT(d->domain));
}

// Loads a message, looks at every byte of it and marks its key. True: the first time.
static bool look(struct store *s, uint64_t id, struct span domain)
{
    CLEANUP(arena_free) struct arena a = ARENA(1 << 20);
    struct store_envelope e;
    uint64_t key;
    char room[BODY_MAX];
    int fd;
    assert_int_equal(store_load(s, id, domain, WALL_NEVER, &a, &e).code, RC_OK);
    assert_int_equal(e.count, 1);
    assert_true(span_number(span_first(e.sender, span_index(e.sender, '@')), KEYS - 1, &key));
    assert_int_equal(store_segment_open(s, e.body.segment, &fd).code, RC_OK);
    assert_int_equal(store_range_verify(fd, &e.body).code, RC_OK);
    struct span want = body_of((uint32_t)key);
    assert_int_equal(e.body.length, want.len);
    assert_int_equal(pread(fd, room, want.len, (off_t)e.body.offset), want.len);
    assert_memory_equal(room, want.at, want.len);
    close(fd);
    uint8_t bit = domain.len ? 1 : 2, before = seen[key];
    assert_int_equal(before & bit, 0); // exactly once
    seen[key] |= bit;
    return before == 0;
}

static void look_at_all(struct store *s)
{
    CLEANUP(buf_free) struct buf list = BUF(1 << 24);
    memset(seen, 0, sizeof seen);
    assert_int_equal(store_due(s, WALL_NEVER, KEYS, see, &list).code, RC_OK);
    size_t count = 0;
    for (struct span rest = buf_span(&list); rest.len;) {
        struct span line = span_cut(&rest, '\n');
        uint64_t id;
        assert_true(span_number(span_cut(&line, ' '), UINT64_MAX, &id));
        count += look(s, id, line);
    }
    assert_int_equal(count, store_count(s));
}

// Of a group under way all is there or nothing: all its keys say the same.
struct group {
    bool known, happened;
};

static void group_says(struct group *g, bool happened)
{
    if (g->known && g->happened != happened)
        fail_msg("a group is there in part");
    *g = (struct group){true, happened};
}

// `undone`: what was refused must not be there.
static void compare(bool undone)
{
    struct group g = {0};
    for (uint32_t k = 0; k < shared->next; k++) {
        uint8_t state = shared->state[k], is = seen[k];
        if (state == THERE && is != 1)
            fail_msg("message %u was acknowledged and is not there", k);
        if (state == OWED && is != 2)
            fail_msg("the bounce for message %u is not owed any more", k);
        if (state == GONE && is)
            fail_msg("message %u is there again", k);
        if (state == REFUSED && is && undone)
            fail_msg("message %u was refused and is there", k);
        if (state == PUTTING)
            group_says(&g, is == 1);
        if (state == LEAVING)
            group_says(&g, is == 0);
        if (state == FAILING)
            group_says(&g, is == 2);
        if (state == REPLACING)
            group_says(&g, is == 0);
        if (state == BOTH && is != 3)
            fail_msg("message %u is %u, and waits with a notice owed", k, is);
        if (state == TOLD && is != 1)
            fail_msg("message %u is %u, and waits with its notice told", k, is);
        if (state == DELAYING)
            group_says(&g, is == 3);
        if (state == TELLING)
            group_says(&g, is == 1);
        // From here on what is, is what counts.
        shared->state[k] = is == 1          ? (state == TOLD || state == TELLING ? TOLD : THERE)
                           : is == 2        ? OWED
                           : is == 3        ? BOTH
                           : state == NEVER ? NEVER
                                            : GONE;
    }
}

void check(bool undone)
{
    struct store *s;
    const char *why;
    struct rc rc = store_open(&s, path, &why);
    if (!rc_ok(rc))
        fail_msg("the store does not open: %s", why);
    look_at_all(s);
    compare(undone);
    assert_int_equal(store_damaged(s), 0);
    store_close(s);
}

int setup(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    folder_new();
    return shared == MAP_FAILED ? -1 : 0;
}

int teardown(void **state)
{
    (void)state;
    folder_remove();
    munmap(shared, sizeof *shared);
    return 0;
}

void wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return;
    fail_msg("the child ended with status %x", status);
}
