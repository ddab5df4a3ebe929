#include "base_rc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum rc_blame blame;
    bool retry;
    const char *status, *text;
} table[RC_COUNT] = {
#define X(name, blame, retry, status, text) {RC_##blame, retry, status, text},
    RC_TABLE(X)
#undef X
};

const char *rc_text(struct rc rc)
{
    return table[rc.code].text;
}

const char *rc_status(struct rc rc)
{
    return table[rc.code].status;
}

bool rc_retry(struct rc rc)
{
    return table[rc.code].retry;
}

enum rc_blame rc_blame(struct rc rc)
{
    return table[rc.code].blame;
}

struct rc rc_errno(int error)
{
    switch (error) {
    case 0:
        return RC(OK);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return RC(DISK_FULL);
    case EROFS:
        return RC(READ_ONLY);
    case ENOENT:
        return RC(NOT_FOUND);
    case EACCES:
    case EPERM:
        return RC(DENIED);
    case ETIMEDOUT:
        return RC(TIMEOUT);
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
        return RC(REFUSED);
    case ECONNRESET:
    case EPIPE:
        return RC(CLOSED);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
        return RC(FULL);
    default:
        return RC(IO);
    }
}

void panic_at(const char *file, int line, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "panic at %s:%d: ", file, line);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

void *mem_new(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        panic("out of memory for %zu bytes", size);
    return p;
}

void *mem_resize(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    if (!p)
        panic("out of memory for %zu bytes", size);
    return p;
}

void mem_wipe(void *at, size_t size)
{
    if (at)
        explicit_bzero(at, size);
}
