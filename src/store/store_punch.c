#include "store_db.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// Everything between the records that are still referred to.
static struct rc punch_gaps(struct store *s, uint32_t segment, int fd, uint64_t size)
{
    uint64_t at = 0;
    struct store_row r = store_row_begin(&s->sql, SQL_RANGES);
    store_row_int(&r, segment);
    while (store_row_next(&r)) {
        uint64_t offset = (uint64_t)store_row_get(&r), length = (uint64_t)store_row_get(&r);
        store_body_punch(fd, at, offset - STORE_RECORD_HEADER);
        at = offset + length;
    }
    TRY(store_row_done(&r));
    store_body_punch(fd, at, size);
    return RC(OK);
}

// False: the file is not there, or shorter than what is said to lie in it.
static bool punch_one(struct store *s, struct store_body_segment *g)
{
    int fd;
    struct stat st;
    if (!rc_ok(store_body_reopen(&s->body, g->id, O_RDWR, &fd)))
        return false;
    bool whole = fstat(fd, &st) == 0 && (uint64_t)st.st_size >= g->end;
    if (whole && rc_ok(punch_gaps(s, g->id, fd, (uint64_t)st.st_size)))
        g->dead = 0;
    close(fd);
    return whole;
}

void store_punch(struct store *s, uint64_t least)
{
    s->body.punch = false;
    for (size_t i = 0; i < s->body.count; i++) {
        struct store_body_segment *g = s->body.at[i];
        if (g->sealed && g->dead >= least && !punch_one(s, g))
            s->damaged++;
    }
}
