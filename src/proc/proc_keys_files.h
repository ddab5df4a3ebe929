// The files of the folder of DKIM keys: read bounded, written whole or not at all.
#pragma once
#include "base_buf.h"

#include <sys/stat.h>

enum { PROC_KEYS_FILE_MAX = 64 << 10 };

// Reserved at once, as it may be a key. *b has room for PROC_KEYS_FILE_MAX and 4096
// bytes more. errno says more of a failure.
struct rc proc_keys_read_file(int folder, const char *name, struct buf *b, struct stat *st);
// By renaming, in place of what was there. It belongs to whom the folder belongs to.
struct rc proc_keys_write_file(int folder, const char *name, mode_t mode, struct span text);
// Where root makes a file in somebody's folder it becomes that one's. False: errno.
bool proc_keys_give(int folder, int fd);
