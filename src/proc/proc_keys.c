#include "proc_keys.h"

#include "base_log.h"
#include "proc_keys_files.h"
#include "proc_signers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 4096, LOCK_TRIES = 100 };
#define LOCK_PAUSE_US 50000

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void proc_keys_path(const struct conf *c, struct buf *path)
{
    struct span own = conf_span(c, CONF_dkim_keys);
    buf_put(path, own.len ? own : conf_span(c, CONF_store_path));
    if (own.len == 0)
        buf_put(path, SPAN("/keys"));
}

struct auth_key_rules proc_keys_rules(const struct conf *c)
{
    return (struct auth_key_rules){.keep = conf_int(c, CONF_queue_lifetime) +
                                           conf_int(c, CONF_dkim_margin),
                                   .settle = conf_int(c, CONF_dkim_settle)};
}

static void file_name(struct buf *b, const struct auth_key *k, const char *suffix)
{
    buf_clear(b);
    auth_key_put_file(b, k, suffix);
}

static struct rc write_state(struct proc_keys *k, const struct auth_key *key,
                             struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf text = BUF(AUTH_KEY_STATE_MAX);
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    auth_key_put(&text, key);
    file_name(&name, key, AUTH_KEY_STATE);
    struct rc rc = proc_keys_write_file(k->folder, buf_str(&name), 0644, buf_span(&text));
    if (!rc_ok(rc))
        return conf_fault_say(fault, "%s/%s cannot be written: %s", buf_str(&k->path),
                              buf_str(&name), strerror(errno));
    return rc;
}

// ---- the folder ----

static bool is_state(const char *name)
{
    return *name != '.' && span_ends(span_str(name), SPAN(AUTH_KEY_STATE));
}

static struct rc take_state(struct proc_keys *k, const char *name, struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf text = BUF(PROC_KEYS_FILE_MAX + 4096);
    CLEANUP(buf_free) struct buf right = BUF(PATH_ROOM);
    struct auth_key key;
    struct stat st;
    struct rc rc = proc_keys_read_file(k->folder, name, &text, &st);
    if (rc.code == RC_NOT_FOUND)
        return RC(OK); // removed meanwhile
    if (!rc_ok(rc))
        return conf_fault_say(fault, "%s/%s cannot be read: %s", buf_str(&k->path), name,
                              rc_text(rc));
    if (auth_key_read(&key, buf_span(&text))) {
        file_name(&right, &key, AUTH_KEY_STATE);
        if (span_eq(buf_span(&right), span_str(name)) && auth_keys_add(&k->keys, &key))
            return RC(OK);
    }
    errno = 0;
    (void)conf_fault_say(fault, "%s/%s is no note about a key: take it away, or put it right",
                         buf_str(&k->path), name);
    return RC(CONFIG);
}

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static struct rc read_states(struct proc_keys *k, struct conf_fault *fault)
{
    int again = fcntl(k->folder, F_DUPFD_CLOEXEC, 0);
    CLEANUP(close_dir) DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d) {
        close_fd(&again);
        return conf_fault_say(fault, "%s cannot be read: %s", buf_str(&k->path), strerror(errno));
    }
    rewinddir(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (is_state(e->d_name))
            TRY(take_state(k, e->d_name, fault));
    return RC(OK);
}

static bool give_folder(const char *path)
{
    char up[PATH_ROOM];
    struct stat st;
    const char *slash = strrchr(path, '/');
    size_t n = slash && slash > path ? (size_t)(slash - path) : 1;
    if (geteuid() != 0)
        return true;
    return span_copy(up, sizeof up, slash ? (struct span){path, n} : SPAN(".")) &&
           stat(up, &st) == 0 && chown(path, st.st_uid, st.st_gid) == 0;
}

static struct rc make_folder(struct proc_keys *k, struct conf_fault *fault)
{
    const char *path = buf_str(&k->path);
    if (mkdir(path, 0700)) {
        if (errno == EEXIST)
            return RC(OK);
        return conf_fault_say(fault, "the folder of keys, %s, cannot be made: %s", path,
                              strerror(errno));
    }
    if (!give_folder(path))
        return conf_fault_say(fault, "the folder of keys, %s, cannot be given to its owner: %s",
                              path, strerror(errno));
    return RC(OK);
}

static struct rc take_lock(struct proc_keys *k, unsigned tries, struct conf_fault *fault)
{
    k->lock = openat(k->folder, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (k->lock < 0 || !proc_keys_give(k->folder, k->lock))
        return conf_fault_say(fault, "%s cannot be changed: %s", buf_str(&k->path),
                              strerror(errno));
    for (unsigned i = 0; flock(k->lock, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK)
            return conf_fault_say(fault, "%s cannot be locked: %s", buf_str(&k->path),
                                  strerror(errno));
        if (i == tries) {
            (void)conf_fault_say(fault, "%s is being changed by somebody else; try again",
                                 buf_str(&k->path));
            return RC(UNAVAILABLE);
        }
        usleep(LOCK_PAUSE_US);
    }
    return RC(OK);
}

// Who may write there may put a key of his own in the place of ours.
static struct rc check_folder(struct proc_keys *k, struct conf_fault *fault)
{
    struct stat st;
    if (fstat(k->folder, &st))
        return conf_fault_say(fault, "%s cannot be read: %s", buf_str(&k->path), strerror(errno));
    if ((st.st_mode & 02) == 0)
        return RC(OK);
    errno = 0;
    (void)conf_fault_say(fault, "everybody may write to %s; its mode should be 700",
                         buf_str(&k->path));
    return RC(CONFIG);
}

struct rc proc_keys_open(struct proc_keys *k, const struct conf *c, enum proc_keys_how how,
                         struct conf_fault *fault)
{
    *k = (struct proc_keys){.path = BUF(PATH_ROOM), .folder = -1, .lock = -1};
    proc_keys_path(c, &k->path);
    if (!rc_ok(buf_state(&k->path)))
        return conf_fault_say(fault, "dkim.keys is too long a folder name");
    if (how == PROC_KEYS_MAKE)
        TRY(make_folder(k, fault));
    k->folder = open(buf_str(&k->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (k->folder < 0 && errno == ENOENT)
        return RC(OK);
    if (k->folder < 0)
        return conf_fault_say(fault, "%s cannot be read: %s", buf_str(&k->path), strerror(errno));
    TRY(check_folder(k, fault));
    if (how != PROC_KEYS_READ)
        TRY(take_lock(k, how == PROC_KEYS_TRY ? 0 : LOCK_TRIES, fault));
    return read_states(k, fault);
}

void proc_keys_close(struct proc_keys *k)
{
    close_fd(&k->lock);
    close_fd(&k->folder);
    auth_keys_free(&k->keys);
    buf_free(&k->path);
    k->lock = k->folder = -1;
}

struct rc proc_keys_save(struct proc_keys *k, struct conf_fault *fault)
{
    for (size_t i = 0; i < k->keys.count; i++) {
        if (!k->keys.changed[i])
            continue;
        TRY(write_state(k, &k->keys.at[i], fault));
        k->keys.changed[i] = false;
    }
    return RC(OK);
}

bool proc_keys_taken(const struct proc_keys *k, const struct auth_key *key)
{
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    file_name(&name, key, AUTH_KEY_PRIVATE);
    return auth_keys_find(&k->keys, &key->domain, &key->selector) < k->keys.count ||
           faccessat(k->folder, buf_str(&name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// The private key first: a state says that it is there.
struct rc proc_keys_make(struct proc_keys *k, const struct auth_key *key, struct span pem,
                         struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    file_name(&name, key, AUTH_KEY_PRIVATE);
    if (proc_keys_taken(k, key)) {
        errno = EEXIST;
        return conf_fault_say(fault, "%s/%s is there already", buf_str(&k->path), buf_str(&name));
    }
    struct rc rc = proc_keys_write_file(k->folder, buf_str(&name), 0600, pem);
    if (!rc_ok(rc))
        return conf_fault_say(fault, "%s/%s cannot be written: %s", buf_str(&k->path),
                              buf_str(&name), strerror(errno));
    TRY(write_state(k, key, fault));
    if (auth_keys_add(&k->keys, key))
        return RC(OK);
    return conf_fault_say(fault, "there are too many keys in %s", buf_str(&k->path));
}

struct rc proc_keys_remove(struct proc_keys *k, size_t i, struct conf_fault *fault)
{
    static const char *const suffixes[] = {AUTH_KEY_STATE, AUTH_KEY_PRIVATE};
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    for (size_t n = 0; n < 2; n++) {
        file_name(&name, &k->keys.at[i], suffixes[n]);
        if (unlinkat(k->folder, buf_str(&name), 0) && errno != ENOENT)
            return conf_fault_say(fault, "%s/%s cannot be removed: %s", buf_str(&k->path),
                                  buf_str(&name), strerror(errno));
    }
    return RC(OK);
}

// ---- who signs ----

static struct rc check_mode(const struct proc_keys *k, const char *name, const struct stat *st,
                            struct conf_fault *fault)
{
    if ((st->st_mode & 07) == 0)
        return RC(OK);
    errno = EACCES;
    return conf_fault_say(
        fault,
        "%.*s/%s can be read or written by everybody; its mode should be 600, and a key "
        "that others may have read should be replaced",
        SPAN_FMT(buf_span(&k->path)), name);
}

struct rc proc_keys_private(const struct proc_keys *k, size_t i, struct buf *pem,
                            struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    struct stat st;
    file_name(&name, &k->keys.at[i], AUTH_KEY_PRIVATE);
    struct rc rc = proc_keys_read_file(k->folder, buf_str(&name), pem, &st);
    if (!rc_ok(rc))
        return conf_fault_say(fault, "%.*s/%s cannot be read: %s", SPAN_FMT(buf_span(&k->path)),
                              buf_str(&name), rc_text(rc));
    return check_mode(k, buf_str(&name), &st, fault);
}

struct rc proc_keys_look(const struct proc_keys *k, size_t i, struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf name = BUF(PATH_ROOM);
    struct stat st;
    file_name(&name, &k->keys.at[i], AUTH_KEY_PRIVATE);
    if (fstatat(k->folder, buf_str(&name), &st, AT_SYMLINK_NOFOLLOW))
        return conf_fault_say(fault, "%.*s/%s: %s", SPAN_FMT(buf_span(&k->path)), buf_str(&name),
                              strerror(errno));
    return check_mode(k, buf_str(&name), &st, fault);
}

static struct rc put_signers(struct proc_keys *k, struct buf *out, size_t *count,
                             struct conf_fault *fault)
{
    for (size_t i = 0; i < k->keys.count; i++) {
        CLEANUP(buf_wipe) struct buf pem = BUF(PROC_KEYS_FILE_MAX + 4096);
        const struct auth_key *key = &k->keys.at[i];
        if (auth_key_phase(key, (struct wall){0}, INT64_MAX / 2) != AUTH_KEY_ACTIVE)
            continue;
        if (!rc_ok(proc_keys_private(k, i, &pem, fault))) { // the others are no worse for it
            LOG(LOG_ERROR, "key-not-used", LOG_T("why", fault->text));
            continue;
        }
        proc_signer_pack(out, &(struct proc_signer){.domain = dns_name_span(&key->domain),
                                                    .selector = dns_name_span(&key->selector),
                                                    .sender = span_str(key->sender),
                                                    .services = key->services,
                                                    .pem = buf_span(&pem)});
        ++*count;
    }
    if (rc_ok(buf_state(out)))
        return RC(OK);
    return conf_fault_say(fault, "%s has more keys than can be handed on", buf_str(&k->path));
}

struct rc proc_keys_put_signers(const struct conf *c, struct buf *out, size_t *count,
                                struct conf_fault *fault)
{
    CLEANUP(proc_keys_close) struct proc_keys k;
    *count = 0;
    TRY(proc_keys_open(&k, c, PROC_KEYS_READ, fault));
    return put_signers(&k, out, count, fault);
}

int64_t proc_keys_stamp(const struct conf *c)
{
    CLEANUP(buf_free) struct buf path = BUF(PATH_ROOM);
    struct stat st;
    proc_keys_path(c, &path);
    if (stat(buf_str(&path), &st))
        return 0;
    return st.st_mtim.tv_sec * US_PER_S + st.st_mtim.tv_nsec / 1000;
}
