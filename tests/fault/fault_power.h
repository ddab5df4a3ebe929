// Power loss: writes are remembered until their file is synced. When the power
// goes, each of them is undone, and a random choice of them is done again, whole
// or some sectors of it: a disk may write what it was not asked to sync, in any
// order. What was synced stays.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct power {
    long count; // writes and syncs so far
    long at;    // the power goes before this one (from 1); 0: never
    unsigned seed;
};
extern struct power power;

// Each returns only if there still is power; `at` of 0 makes all of them idle.
void power_step(void);
void power_write(int fd, const void *bytes, size_t size, off_t at); // before it is done
void power_truncate(int fd, off_t size);
void power_zero(int fd, off_t at, off_t size);
void power_synced(int fd); // when it was done
// Entries of a folder are safe from here on; what comes later may vanish.
void power_folder_synced(int fd);
