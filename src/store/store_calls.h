// Private to the room: the system calls that durability rests on, as a table,
// so that the fault tests can make the Nth of them fail.
#pragma once
#include <sys/types.h>
#include <sys/uio.h>

struct store_calls {
    ssize_t (*pwritev)(int fd, const struct iovec *pieces, int count, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd); // folders
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
};
extern struct store_calls store_calls;
