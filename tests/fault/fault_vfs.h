// A disk that fails on command: an SQLite VFS over the system's, and the table
// of calls of the segments. Every write, truncation and sync counts, in one row.
#pragma once
#include <stdbool.h>

struct fault {
    long count;    // operations so far
    long at;       // this one fails (from 1); 0: none
    bool for_ever; // and all behind it
    bool full;     // as "no space left", else as an I/O error
};
extern struct fault fault;
void fault_install(void);
