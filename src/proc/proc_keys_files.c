#include "proc_keys_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

struct rc proc_keys_read_file(int folder, const char *name, struct buf *b, struct stat *st)
{
    CLEANUP(close_fd)
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st))
        return rc_errno(errno);
    if (!S_ISREG(st->st_mode) || st->st_size > PROC_KEYS_FILE_MAX)
        return RC(MALFORMED);
    TRY(buf_reserve(b, PROC_KEYS_FILE_MAX));
    for (;;) {
        ssize_t n = read(fd, b->at + b->len, b->cap - b->len);
        if (n < 0 && errno != EINTR)
            return rc_errno(errno);
        if (n == 0)
            return RC(OK);
        b->len += n > 0 ? (size_t)n : 0;
        if (b->len == b->cap)
            return RC(TOO_LARGE);
    }
}

static bool write_all(int fd, struct span s)
{
    while (s.len) {
        ssize_t n = write(fd, s.at, s.len);
        if (n < 0 && errno != EINTR)
            return false;
        s = span_skip(s, n > 0 ? (size_t)n : 0);
    }
    return true;
}

// Where root makes a file in somebody's folder it is that one's.
bool proc_keys_give(int folder, int fd)
{
    struct stat st;
    if (geteuid() != 0)
        return true;
    return fstat(folder, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0;
}

// Whole or not at all, also after a power cut.
struct rc proc_keys_write_file(int folder, const char *name, mode_t mode, struct span text)
{
    char made[PATH_ROOM];
    if (snprintf(made, sizeof made, "%s.new", name) >= (int)sizeof made)
        return RC(TOO_LARGE);
    if (unlinkat(folder, made, 0) && errno != ENOENT)
        return rc_errno(errno);
    CLEANUP(close_fd)
    int fd = openat(folder, made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return rc_errno(errno);
    if (!proc_keys_give(folder, fd) || !write_all(fd, text) || fsync(fd) ||
        renameat(folder, made, folder, name)) {
        struct rc rc = rc_errno(errno);
        (void)unlinkat(folder, made, 0);
        return rc;
    }
    return fsync(folder) ? rc_errno(errno) : RC(OK);
}
