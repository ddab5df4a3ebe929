#include "fault_power.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, FILES = 4096, NAMES = 8192 };

// A write, or (new_bytes NULL) a change of size to `at`.
struct change {
    struct change *before;
    char *old_bytes, *new_bytes;
    size_t old_size, size;
    off_t at;
};

struct file {
    dev_t device;
    ino_t inode;
    int fd;       // ours, until the process ends
    off_t synced; // size
    struct change *last;
};

struct power power;
static struct file files[FILES];
static size_t file_count;
static struct {
    dev_t device;
    ino_t folder, inode;
} safe[NAMES];
static size_t safe_count;

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    dprintf(STDERR_FILENO, "# power: %s\n", what);
    _exit(3);
}

static struct file *file_of(int fd)
{
    struct stat st;
    must(fstat(fd, &st) == 0, "fstat");
    for (size_t i = 0; i < file_count; i++)
        if (files[i].inode == st.st_ino && files[i].device == st.st_dev)
            return &files[i];
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(file_count < FILES, "too many files");
    struct file *f = &files[file_count++];
    *f = (struct file){.device = st.st_dev, .inode = st.st_ino, .synced = st.st_size};
    f->fd = open(path, O_RDWR | O_CLOEXEC);
    must(f->fd >= 0, "open");
    return f;
}

static off_t size_of(const struct file *f)
{
    struct stat st;
    must(fstat(f->fd, &st) == 0, "fstat");
    return st.st_size;
}

static struct change *remember(struct file *f, off_t at, size_t old_size)
{
    struct change *c = calloc(1, sizeof *c);
    must(c, "memory");
    c->before = f->last;
    c->at = at;
    c->old_size = old_size;
    c->old_bytes = malloc(old_size + 1);
    must(c->old_bytes && pread(f->fd, c->old_bytes, old_size, at) == (ssize_t)old_size, "pread");
    f->last = c;
    return c;
}

static void forget(struct file *f)
{
    while (f->last) {
        struct change *c = f->last;
        f->last = c->before;
        free(c->old_bytes);
        free(c->new_bytes);
        free(c);
    }
    f->synced = size_of(f);
}

// ---- the loss

static unsigned chance(unsigned of)
{
    return (unsigned)rand_r(&power.seed) % of;
}

static void put(const struct file *f, const char *bytes, size_t size, off_t at)
{
    must(pwrite(f->fd, bytes, size, at) == (ssize_t)size, "pwrite");
}

static struct change *turned_round(struct change *last)
{
    struct change *first = NULL;
    for (struct change *before; last; last = before) {
        before = last->before;
        last->before = first;
        first = last;
    }
    return first;
}

static void some_sectors(const struct file *f, const struct change *c)
{
    for (size_t done = 0; done < c->size;) {
        size_t n = SECTOR - (size_t)(c->at + (off_t)done) % SECTOR;
        if (n > c->size - done)
            n = c->size - done;
        if (chance(2))
            put(f, c->new_bytes + done, n, c->at + (off_t)done);
        done += n;
    }
}

// A disk that wrote nothing more, all that it was given, or this and that.
static void again(const struct file *f, const struct change *c, unsigned how)
{
    unsigned luck = how == 0 ? 0 : how == 1 ? 1 : chance(3);
    if (luck == 0)
        return;
    if (!c->new_bytes)
        must(ftruncate(f->fd, c->at) == 0, "ftruncate");
    else if (luck == 1)
        put(f, c->new_bytes, c->size, c->at);
    else
        some_sectors(f, c);
}

static void lose(struct file *f, unsigned how)
{
    for (struct change *c = f->last; c; c = c->before)
        put(f, c->old_bytes, c->old_size, c->at);
    must(ftruncate(f->fd, f->synced) == 0, "ftruncate");
    for (struct change *c = turned_round(f->last); c; c = c->before)
        again(f, c, how);
}

static bool is_safe(ino_t inode)
{
    for (size_t i = 0; i < safe_count; i++)
        if (safe[i].inode == inode)
            return true;
    return false;
}

static bool folder_known(const struct stat *st)
{
    for (size_t i = 0; i < safe_count; i++)
        if (safe[i].folder == st->st_ino && safe[i].device == st->st_dev)
            return true;
    return false;
}

// Files whose folder was never synced since they were made.
static void lose_names(int fd)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    DIR *d = opendir(name);
    must(d, "opendir");
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_type == DT_REG && !is_safe(e->d_ino) && chance(2))
            unlinkat(fd, e->d_name, 0);
    closedir(d);
}

static int folders[8];
static size_t folder_count;

void power_step(void)
{
    if (!power.at || ++power.count < power.at)
        return;
    unsigned how = chance(5);
    for (size_t i = 0; i < file_count; i++)
        lose(&files[i], how);
    for (size_t i = 0; i < folder_count; i++)
        lose_names(folders[i]);
    _exit(0);
}

// ---- what is told

void power_write(int fd, const void *bytes, size_t size, off_t at)
{
    if (!power.at || fd < 0)
        return;
    struct file *f = file_of(fd);
    off_t end = size_of(f);
    size_t old = at >= end ? 0 : (size_t)(end - at) < size ? (size_t)(end - at) : size;
    struct change *c = remember(f, at, old);
    c->size = size;
    c->new_bytes = malloc(size + 1);
    must(c->new_bytes, "memory");
    if (bytes)
        memcpy(c->new_bytes, bytes, size);
    else
        memset(c->new_bytes, 0, size);
}

void power_zero(int fd, off_t at, off_t size)
{
    if (!power.at)
        return;
    off_t end = size_of(file_of(fd));
    if (at < end) // it keeps the size
        power_write(fd, NULL, (size_t)(end - at < size ? end - at : size), at);
}

void power_truncate(int fd, off_t size)
{
    if (!power.at || fd < 0)
        return;
    struct file *f = file_of(fd);
    off_t end = size_of(f);
    remember(f, size, end > size ? (size_t)(end - size) : 0);
}

void power_synced(int fd)
{
    if (power.at && fd >= 0)
        forget(file_of(fd));
}

void power_folder_synced(int fd)
{
    struct stat st;
    char name[32];
    if (!power.at)
        return;
    must(fstat(fd, &st) == 0, "fstat");
    if (!folder_known(&st)) {
        must(folder_count < 8, "too many folders");
        folders[folder_count++] = dup(fd);
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    DIR *d = opendir(name);
    must(d, "opendir");
    for (struct dirent *e; (e = readdir(d));) {
        if (is_safe(e->d_ino))
            continue;
        must(safe_count < NAMES, "too many names");
        safe[safe_count].device = st.st_dev;
        safe[safe_count].folder = st.st_ino;
        safe[safe_count++].inode = e->d_ino;
    }
    closedir(d);
}
