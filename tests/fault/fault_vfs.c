#include "fault_vfs.h"

#include "fault_power.h"
#include "store_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

struct fault fault;

static bool fails(void)
{
    power_step();
    fault.count++;
    return fault.at && (fault.for_ever ? fault.count >= fault.at : fault.count == fault.at);
}

struct shim {
    sqlite3_file base;
    sqlite3_file *real;
    int fd; // of our own, while power may fail: never closed, or SQLite's locks were gone
};

static sqlite3_vfs *system_vfs;

static int fd_of(sqlite3_file *f)
{
    return ((struct shim *)(void *)f)->fd;
}

static sqlite3_file *real(sqlite3_file *f)
{
    return ((struct shim *)(void *)f)->real;
}

static int shim_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), to, n, at);
}

// A write that fails leaves half of itself behind.
static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (!fails()) {
        power_write(fd_of(f), from, (size_t)n, at);
        return real(f)->pMethods->xWrite(real(f), from, n, at);
    }
    real(f)->pMethods->xWrite(real(f), from, n / 2, at);
    return fault.full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (fails())
        return SQLITE_IOERR_TRUNCATE;
    power_truncate(fd_of(f), size);
    return real(f)->pMethods->xTruncate(real(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    int code = fails() ? SQLITE_IOERR_FSYNC : real(f)->pMethods->xSync(real(f), flags);
    if (code == SQLITE_OK)
        power_synced(fd_of(f));
    return code;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int shim_lock(sqlite3_file *f, int how)
{
    return real(f)->pMethods->xLock(real(f), how);
}

static int shim_unlock(sqlite3_file *f, int how)
{
    return real(f)->pMethods->xUnlock(real(f), how);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int shim_control(sqlite3_file *f, int what, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), what, arg);
}

static int shim_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int shim_device(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int shim_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void shim_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int shim_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_unmap,
};

static int shim_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct shim *s = (struct shim *)(void *)f;
    (void)v;
    s->real = (sqlite3_file *)(void *)(s + 1);
    int code = system_vfs->xOpen(system_vfs, name, s->real, flags, out);
    s->fd = power.at && name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    s->base.pMethods = s->real->pMethods ? &methods : NULL;
    return code;
}

static ssize_t failing_pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    if (!fails()) {
        off_t at = offset;
        for (int i = 0; i < count; at += (off_t)pieces[i++].iov_len)
            power_write(fd, pieces[i].iov_base, pieces[i].iov_len, at);
        return pwritev(fd, pieces, count, offset);
    }
    if (pwritev(fd, pieces, 1, offset) < 0)
        return -1;
    errno = fault.full ? ENOSPC : EIO;
    return -1;
}

static int failing_fdatasync(int fd)
{
    if (!fails()) {
        int failed = fdatasync(fd);
        if (!failed)
            power_synced(fd);
        return failed;
    }
    errno = EIO;
    return -1;
}

static int failing_fsync(int fd)
{
    if (!fails()) {
        int failed = fsync(fd);
        if (!failed)
            power_folder_synced(fd);
        return failed;
    }
    errno = EIO;
    return -1;
}

static int failing_fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (!fails()) {
        if (mode & FALLOC_FL_PUNCH_HOLE)
            power_zero(fd, offset, length);
        return fallocate(fd, mode, offset, length);
    }
    errno = EOPNOTSUPP;
    return -1;
}

void fault_install(void)
{
    static sqlite3_vfs shim;
    if (system_vfs)
        return;
    sqlite3_initialize();
    system_vfs = sqlite3_vfs_find(NULL);
    shim = *system_vfs;
    shim.zName = "fault";
    shim.pNext = NULL;
    shim.szOsFile += (int)sizeof(struct shim);
    shim.xOpen = shim_open;
    sqlite3_vfs_register(&shim, 1);
    store_calls = (struct store_calls){.pwritev = failing_pwritev,
                                       .fdatasync = failing_fdatasync,
                                       .fsync = failing_fsync,
                                       .fallocate = failing_fallocate};
}
