// What a measurement of one process takes: its processor time and its most memory.
#pragma once
#include "base_span.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double now(void) // of this process alone: the machine may be busy
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// The most memory since the last call of memory_begin() (Linux: clear_refs, VmHWM).
static inline void memory_begin(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f) {
        fputs("5", f);
        fclose(f);
    }
}

static inline double memory_most(void)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (span_starts(span_str(line), SPAN("VmHWM:")))
            kib = strtol(line + 6, NULL, 10);
    if (f)
        fclose(f);
    return (double)kib / 1024;
}
