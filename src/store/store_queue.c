#include "store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rc folder_open(struct store *s, const char *path, const char **why)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        *why = store_why("cannot make the folder %s: %s", path, rc_text(rc_errno(errno)));
        return rc_errno(errno);
    }
    s->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder < 0) {
        *why = store_why("cannot open the folder %s: %s", path, rc_text(rc_errno(errno)));
        return rc_errno(errno);
    }
    s->lock = openat(s->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return rc_errno(errno);
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        *why = store_why("the store %s is in use by another process", path);
        return RC(UNAVAILABLE);
    }
    return RC(OK);
}

static struct rc counter_get(struct store *s, int64_t which, uint64_t *value)
{
    struct store_row r = store_row_begin(&s->sql, SQL_COUNTER_GET);
    store_row_int(&r, which);
    *value = store_row_next(&r) ? (uint64_t)store_row_get(&r) : 0;
    return store_row_done(&r);
}

static struct rc counter_set(struct store *s, int64_t which, uint64_t value)
{
    struct store_row r = store_row_begin(&s->sql, SQL_COUNTER_SET);
    store_row_int(&r, which);
    store_row_int(&r, (int64_t)value);
    return store_row_run(&r);
}

static struct rc learn_segments(struct store *s)
{
    struct store_row r = store_row_begin(&s->sql, SQL_REFS);
    while (store_row_next(&r)) {
        struct store_body_segment *g = store_body_learn(&s->body, (uint32_t)store_row_get(&r));
        g->refs = (uint64_t)store_row_get(&r);
        g->end = (uint64_t)store_row_get(&r);
        s->count += g->refs;
    }
    return store_row_done(&r);
}

static struct rc learn_ids(struct store *s)
{
    uint64_t segment = 0;
    TRY(counter_get(s, COUNTER_MESSAGE, &s->reserved_message));
    TRY(counter_get(s, COUNTER_SEGMENT, &segment));
    struct store_row r = store_row_begin(&s->sql, SQL_LAST_MESSAGE);
    uint64_t last = store_row_next(&r) ? (uint64_t)store_row_get(&r) : 0;
    TRY(store_row_done(&r));
    s->next_message = last >= s->reserved_message ? last + 1 : s->reserved_message;
    s->reserved_segment = segment;
    if (segment > s->body.next)
        s->body.next = (uint32_t)segment;
    return RC(OK);
}

static struct rc opened(struct store *s, const char *path, const char **why)
{
    char file[4096];
    if (snprintf(file, sizeof file, "%s/queue.db", path) >= (int)sizeof file)
        return RC(TOO_LARGE);
    TRY(folder_open(s, path, why));
    TRY(store_body_open(&s->body, s->folder));
    TRY(store_sql_open(&s->sql, &store_queue_schema, file, why));
    TRY(learn_segments(s));
    TRY(learn_ids(s));
    // Only now, when it is known what the database refers to.
    TRY(store_body_sweep(&s->body));
    return fsync(s->folder) == 0 ? RC(OK) : rc_errno(errno);
}

struct rc store_open(struct store **out, const char *path, const char **why)
{
    struct store *s = mem_new(sizeof *s);
    *s = (struct store){.folder = -1, .lock = -1, .body.folder = -1};
    *why = NULL;
    struct rc rc = opened(s, path, why);
    if (!rc_ok(rc)) {
        if (!*why)
            *why = store_why("cannot open the store %s: %s", path, rc_text(rc));
        store_close(s);
        return rc;
    }
    store_punch(s, 0);
    *out = s;
    return RC(OK);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_sql_rollback(&s->sql);
    store_sql_close(&s->sql);
    store_body_close(&s->body);
    if (s->lock >= 0)
        close(s->lock);
    if (s->folder >= 0)
        close(s->folder);
    free(s);
}

struct rc store_segment_new(struct store *s, uint32_t *id, int *fd)
{
    return store_body_new(&s->body, id, fd);
}

void store_segment_seal(struct store *s, uint32_t id)
{
    store_body_seal(&s->body, id);
}

struct rc store_segment_open(struct store *s, uint32_t id, int *fd)
{
    return store_body_reopen(&s->body, id, O_RDONLY, fd);
}

void store_watch(struct store *s, void (*gone)(void *arg, uint32_t segment), void *arg)
{
    s->body.gone = gone;
    s->body.arg = arg;
}

// What is given out is in the database with the first message that is put after
// it; nothing that was used before a crash is given again after it.
uint64_t store_reserve(struct store *s, uint32_t count)
{
    uint64_t first = s->next_message;
    s->next_message += count;
    return first;
}

size_t store_damaged(const struct store *s)
{
    return s->damaged;
}

size_t store_gathered(const struct store *s)
{
    return s->gathered;
}

uint64_t store_count(struct store *s)
{
    return s->count;
}

// Ids that were given out go into the database ahead of their use, with the
// transaction that uses the first of them.
static struct rc reserve(struct store *s, uint64_t *message, uint64_t *segment)
{
    *message = s->reserved_message;
    *segment = s->reserved_segment;
    if (s->next_message > *message) {
        *message = s->next_message + STORE_RESERVE;
        TRY(counter_set(s, COUNTER_MESSAGE, *message));
    }
    if (s->body.next > *segment) {
        *segment = (uint64_t)s->body.next + STORE_RESERVE;
        TRY(counter_set(s, COUNTER_SEGMENT, *segment));
    }
    return RC(OK);
}

static struct rc sync_all(struct store *s)
{
    uint64_t message, segment;
    TRY(s->failed);
    TRY(reserve(s, &message, &segment));
    // Bodies before what refers to them: a crash between leaves bytes that
    // nobody knows, never a message without its body.
    TRY(store_body_sync(&s->body));
    TRY(store_sql_commit(&s->sql));
    s->reserved_message = message;
    s->reserved_segment = segment;
    s->count = (uint64_t)((int64_t)s->count + s->gathered_count);
    return RC(OK);
}

// A commit whose last sync failed may stand whole in the write-ahead log, and
// a crash now would bring it back although it was refused. Any later commit
// takes its place there, so one is made at once, if the disk lets us.
static void bury(struct store *s)
{
    if (!rc_ok(store_sql_begin(&s->sql)))
        return;
    if (!rc_ok(counter_set(s, COUNTER_MESSAGE, s->next_message + STORE_RESERVE)) ||
        !rc_ok(store_sql_commit(&s->sql)))
        store_sql_rollback(&s->sql);
}

struct rc store_sync(struct store *s)
{
    if (!s->gathered)
        return RC(OK);
    struct rc rc = sync_all(s);
    if (!rc_ok(rc)) {
        store_sql_rollback(&s->sql);
        bury(s);
    }
    s->gathered = 0;
    s->gathered_count = 0;
    s->failed = RC(OK);
    store_body_settle(&s->body, rc_ok(rc));
    if (s->body.punch)
        store_punch(s, STORE_PUNCH_AFTER);
    return rc;
}
