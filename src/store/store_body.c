#include "store_body.h"

#include "base_span.h"
#include "store_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct name {
    char at[24];
};

static struct name name_of(uint32_t id)
{
    struct name n;
    snprintf(n.at, sizeof n.at, "%u.seg", id);
    return n;
}

static int open_segment(const struct store_body *b, uint32_t id, int flags)
{
    return openat(b->folder, name_of(id).at, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

struct rc store_body_open(struct store_body *b, int parent)
{
    *b = (struct store_body){.folder = -1, .next = 1};
    if (mkdirat(parent, "body", 0700) != 0 && errno != EEXIST)
        return rc_errno(errno);
    b->folder = openat(parent, "body", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return b->folder < 0 ? rc_errno(errno) : RC(OK);
}

static void segment_free(struct store_body_segment *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

void store_body_close(struct store_body *b)
{
    for (size_t i = 0; i < b->count; i++)
        segment_free(b->at[i]);
    free(b->at);
    free(b->touched);
    if (b->folder >= 0)
        close(b->folder);
    *b = (struct store_body){.folder = -1};
}

// Index of the first segment whose id is not below `id`.
static size_t place_of(const struct store_body *b, uint32_t id)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->at[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct store_body_segment *store_body_find(const struct store_body *b, uint32_t id)
{
    size_t i = place_of(b, id);
    return i < b->count && b->at[i]->id == id ? b->at[i] : NULL;
}

static struct store_body_segment *add(struct store_body *b, uint32_t id)
{
    if (b->count == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 16;
        b->at = mem_resize(b->at, b->cap * sizeof(*b->at));
    }
    struct store_body_segment *s = mem_new(sizeof *s);
    *s = (struct store_body_segment){.id = id, .fd = -1};
    size_t i = place_of(b, id);
    for (size_t k = b->count; k > i; k--)
        b->at[k] = b->at[k - 1];
    b->at[i] = s;
    b->count++;
    return s;
}

static void forget(struct store_body *b, struct store_body_segment *s)
{
    size_t i = place_of(b, s->id);
    b->count--;
    for (size_t k = i; k < b->count; k++)
        b->at[k] = b->at[k + 1];
    segment_free(s);
}

struct store_body_segment *store_body_learn(struct store_body *b, uint32_t id)
{
    struct store_body_segment *s = store_body_find(b, id);
    if (!s) {
        s = add(b, id);
        s->sealed = true; // whoever wrote it has lost it with our predecessor
    }
    if (id >= b->next)
        b->next = id + 1;
    return s;
}

static bool segment_id(const char *name, uint32_t *id)
{
    struct span s = span_str(name);
    uint64_t n;
    if (!span_ends(s, SPAN(".seg")) || !span_number(span_first(s, s.len - 4), UINT32_MAX - 1, &n))
        return false;
    *id = (uint32_t)n;
    return true;
}

struct rc store_body_sweep(struct store_body *b)
{
    int fd = openat(b->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return rc_errno(errno);
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return RC(IO);
    }
    uint32_t id;
    for (struct dirent *e; (e = readdir(d));) {
        if (!segment_id(e->d_name, &id))
            continue;
        if (id >= b->next)
            b->next = id + 1;
        if (!store_body_find(b, id))
            unlinkat(b->folder, e->d_name, 0);
    }
    closedir(d);
    return RC(OK);
}

struct rc store_body_new(struct store_body *b, uint32_t *id, int *fd)
{
    if (b->next == UINT32_MAX)
        return RC(FULL);
    int made = open_segment(b, b->next, O_RDWR | O_CREAT | O_EXCL);
    if (made < 0)
        return rc_errno(errno);
    int given = fcntl(made, F_DUPFD_CLOEXEC, 3);
    if (given < 0) {
        struct rc rc = rc_errno(errno);
        unlinkat(b->folder, name_of(b->next).at, 0);
        close(made);
        return rc;
    }
    b->folder_dirty = true;
    struct store_body_segment *s = add(b, b->next++);
    s->fd = made;
    *id = s->id;
    *fd = given;
    return RC(OK);
}

// Sealed and out of the transaction: the descriptor is not needed any more, nor
// the file if nothing lies in it.
static void retire(struct store_body *b, struct store_body_segment *s)
{
    if (!s->sealed || s->touched)
        return;
    if (s->refs > 0) {
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        b->punch = b->punch || s->dead >= STORE_PUNCH_AFTER;
        return;
    }
    uint32_t id = s->id;
    unlinkat(b->folder, name_of(id).at, 0);
    forget(b, s);
    if (b->gone)
        b->gone(b->arg, id);
}

void store_body_seal(struct store_body *b, uint32_t id)
{
    struct store_body_segment *s = store_body_find(b, id);
    if (!s)
        return;
    s->sealed = true;
    retire(b, s);
}

struct rc store_body_reopen(struct store_body *b, uint32_t id, int flags, int *fd)
{
    *fd = open_segment(b, id, flags);
    return *fd < 0 ? rc_errno(errno) : RC(OK);
}

struct rc store_body_check(struct store_body *b, const struct store_range *r)
{
    const struct store_body_segment *s = store_body_find(b, r->segment);
    if (!s || s->fd < 0)
        return RC(NOT_FOUND);
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return rc_errno(errno);
    uint64_t size = (uint64_t)st.st_size;
    if (r->offset < STORE_RECORD_HEADER || r->offset > size || r->length > size - r->offset)
        return RC(CORRUPT);
    return store_header_verify(s->fd, r);
}

static void touch(struct store_body *b, struct store_body_segment *s)
{
    if (s->touched)
        return;
    if (b->touched_count == b->touched_cap) {
        b->touched_cap = b->touched_cap ? 2 * b->touched_cap : 16;
        b->touched = mem_resize(b->touched, b->touched_cap * sizeof(*b->touched));
    }
    b->touched[b->touched_count++] = s;
    s->touched = true;
}

void store_body_claim(struct store_body *b, const struct store_range *r)
{
    struct store_body_segment *s = store_body_find(b, r->segment);
    if (!s)
        panic("claim of segment %u, which is not there", r->segment);
    touch(b, s);
    s->claimed = true;
    s->gathered_refs++;
    if (r->offset + r->length > s->end)
        s->end = r->offset + r->length;
}

void store_body_release(struct store_body *b, uint32_t id, uint64_t length)
{
    struct store_body_segment *s = store_body_find(b, id);
    if (!s)
        panic("release of segment %u, which is not there", id);
    touch(b, s);
    s->gathered_refs--;
    s->gathered_dead += length + STORE_RECORD_HEADER;
}

struct rc store_body_sync(struct store_body *b)
{
    if (b->folder_dirty) {
        if (store_calls.fsync(b->folder) != 0)
            return rc_errno(errno);
        b->folder_dirty = false;
    }
    for (size_t i = 0; i < b->touched_count; i++) {
        const struct store_body_segment *s = b->touched[i];
        if (s->claimed && store_calls.fdatasync(s->fd) != 0)
            return rc_errno(errno);
    }
    return RC(OK);
}

void store_body_settle(struct store_body *b, bool committed)
{
    size_t count = b->touched_count;
    b->touched_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct store_body_segment *s = b->touched[i];
        if (committed) {
            s->refs = (uint64_t)((int64_t)s->refs + s->gathered_refs);
            s->dead += s->gathered_dead;
        }
        s->gathered_refs = 0;
        s->gathered_dead = 0;
        s->touched = s->claimed = false;
        retire(b, s);
    }
}

void store_body_punch(int fd, uint64_t from, uint64_t to)
{
    if (to > from)
        store_calls.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                              (off_t)(to - from));
}
