// What a child gives up; for this room only.
#pragma once
#include "io_child.h"

#ifdef __SANITIZE_ADDRESS__
#define IO_CHILD_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IO_CHILD_SANITIZED
#endif
#endif

#include <stdbool.h>
#include <sys/types.h>

// In the child: from here on only the descriptor `out` is there. False: it must end.
bool io_child_confine(const struct io_child_task *t, int out, pid_t parent);
bool io_child_filter(void); // the last step: system calls
