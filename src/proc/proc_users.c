#include "proc_users.h"

#include "base_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096, LOCK_TRIES = 100 };
#define LOCK_PAUSE_US 50000

struct proc_users {
    struct buf path;
    struct sasl_users *users;
    struct stat seen; // st_ino 0: no file; else of the one that was looked at last
    bool looked;
};

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void proc_users_path(const struct conf *c, struct buf *path)
{
    struct span own = conf_span(c, CONF_users_file);
    buf_put(path, own.len ? own : conf_span(c, CONF_store_path));
    if (own.len == 0)
        buf_put(path, SPAN("/users"));
}

// ---- reading ----

static struct rc read_open(int fd, struct buf *text, const struct stat *st)
{
    size_t size = (size_t)st->st_size;
    if (!S_ISREG(st->st_mode))
        return RC(MALFORMED);
    if (st->st_size > PROC_USERS_MAX)
        return RC(TOO_LARGE);
    TRY(buf_reserve(text, size + 1));
    while (text->len < size) {
        ssize_t n = read(fd, text->at + text->len, size - text->len);
        if (n < 0 && errno != EINTR)
            return rc_errno(errno);
        if (n == 0)
            break;
        text->len += n > 0 ? (size_t)n : 0;
    }
    return RC(OK);
}

// No file is the empty text, with st_ino 0.
static struct rc read_file(const char *path, struct buf *text, struct stat *st)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    *st = (struct stat){0};
    if (fd < 0 && errno == ENOENT)
        return RC(OK);
    if (fd < 0 || fstat(fd, st))
        return rc_errno(errno);
    return read_open(fd, text, st);
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

struct proc_users *proc_users_new(const struct conf *c)
{
    struct proc_users *u = mem_new(sizeof *u);
    u->path = BUF(PATH_ROOM);
    proc_users_path(c, &u->path);
    return u;
}

void proc_users_free(struct proc_users *u)
{
    if (!u)
        return;
    sasl_users_free(u->users);
    buf_free(&u->path);
    free(u);
}

static void complain_once(const struct proc_users *u, const char *why, unsigned line)
{
    if (line)
        LOG(LOG_ERROR, "users-unreadable", LOG_S("file", buf_span(&u->path)), LOG_I("line", line),
            LOG_T("why", why));
    else
        LOG(LOG_ERROR, "users-unreadable", LOG_S("file", buf_span(&u->path)), LOG_T("why", why));
}

static bool read_again(struct proc_users *u)
{
    CLEANUP(buf_wipe) struct buf text = BUF(PROC_USERS_MAX + 1);
    struct sasl_users_fault fault;
    struct rc rc = read_file(buf_str(&u->path), &text, &u->seen);
    struct sasl_users *now = rc_ok(rc) ? sasl_users_read(buf_span(&text), &fault) : NULL;
    u->looked = true;
    if (!now) {
        complain_once(u, rc_ok(rc) ? fault.text : rc_text(rc), rc_ok(rc) ? fault.line : 0);
        return false;
    }
    sasl_users_free(u->users);
    u->users = now;
    LOG(LOG_INFO, "users-read", LOG_S("file", buf_span(&u->path)),
        LOG_I("users", sasl_users_count(now)));
    return true;
}

const struct sasl_users *proc_users_now(struct proc_users *u, bool *changed)
{
    struct stat st;
    if (stat(buf_str(&u->path), &st))
        st = (struct stat){0};
    bool other = (!u->looked || !same(&st, &u->seen)) && read_again(u);
    if (changed)
        *changed = other;
    return u->users;
}

// ---- changing ----

static struct rc complain(struct conf_fault *fault, struct rc rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct rc complain(struct conf_fault *fault, struct rc rc, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(fault->text, sizeof fault->text, format, ap);
    va_end(ap);
    return rc;
}

// Beside the file, which is replaced by another one.
static struct rc take_lock(struct proc_users_edit *e, struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    buf_printf(&name, "%s.lock", buf_str(&e->path));
    e->lock = open(buf_str(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (e->lock < 0)
        return complain(fault, rc_errno(errno), "%s cannot be made: %s", buf_str(&name),
                        strerror(errno));
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(e->lock, LOCK_EX | LOCK_NB) == 0)
            return RC(OK);
        usleep(LOCK_PAUSE_US);
    }
    return complain(fault, RC(UNAVAILABLE), "%s is being changed by another command",
                    buf_str(&e->path));
}

struct rc proc_users_edit(struct proc_users_edit *e, const struct conf *c, bool change,
                          struct conf_fault *fault)
{
    struct stat st;
    struct sasl_users_fault wrong;
    *e = (struct proc_users_edit){
        .path = BUF(PATH_ROOM), .text = BUF(PROC_USERS_MAX + 1), .lock = -1};
    proc_users_path(c, &e->path);
    if (change)
        TRY(take_lock(e, fault));
    struct rc rc = read_file(buf_str(&e->path), &e->text, &st);
    if (!rc_ok(rc))
        return complain(fault, rc, "%s cannot be read: %s", buf_str(&e->path), rc_text(rc));
    e->users = sasl_users_read(buf_span(&e->text), &wrong);
    if (!e->users)
        return complain(fault, RC(CONFIG), "%s:%u: %s", buf_str(&e->path), wrong.line, wrong.text);
    return RC(OK);
}

void proc_users_edit_end(struct proc_users_edit *e)
{
    sasl_users_free(e->users);
    buf_wipe(&e->text);
    buf_free(&e->path);
    close_fd(&e->lock);
}

// Whose the file is to be: as it was; else the server's user's, or the folder's owner's.
static bool give(int fd, const char *path, const struct conf *c)
{
    char user[256], folder[PATH_ROOM];
    struct stat st;
    if (geteuid() != 0)
        return true;
    if (stat(path, &st) == 0)
        return fchown(fd, st.st_uid, st.st_gid) == 0;
    if (span_copy(user, sizeof user, conf_span(c, CONF_user)) && *user) {
        const struct passwd *pw = getpwnam(user);
        return pw && fchown(fd, pw->pw_uid, pw->pw_gid) == 0;
    }
    const char *slash = strrchr(path, '/');
    if (!slash || !span_copy(folder, sizeof folder, (struct span){path, (size_t)(slash - path)}) ||
        stat(*folder ? folder : "/", &st))
        return true;
    return fchown(fd, st.st_uid, st.st_gid) == 0;
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

static bool sync_folder(const char *path)
{
    char folder[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    if (!slash || !span_copy(folder, sizeof folder, (struct span){path, (size_t)(slash - path)}))
        return true;
    CLEANUP(close_fd) int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

struct rc proc_users_save(struct proc_users_edit *e, const struct conf *c, struct span text,
                          struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf made = BUF(PATH_ROOM);
    const char *path = buf_str(&e->path);
    buf_printf(&made, "%s.new", path);
    if (unlink(buf_str(&made)) && errno != ENOENT)
        return complain(fault, rc_errno(errno), "%s: %s", buf_str(&made), strerror(errno));
    CLEANUP(close_fd)
    int fd = open(buf_str(&made), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || !give(fd, path, c) || !write_all(fd, text) || fsync(fd) ||
        rename(buf_str(&made), path) || !sync_folder(path)) {
        struct rc rc = rc_errno(errno);
        rc = complain(fault, rc_ok(rc) ? RC(IO) : rc, "%s cannot be written: %s", path,
                      strerror(errno));
        (void)unlink(buf_str(&made));
        return rc;
    }
    return RC(OK);
}
