#include "proc_setup.h"

#include "base_log.h"
#include "io_stream.h"
#include "io_tls.h"
#include "proc_door.h"
#include "proc_keys.h"
#include "proc_signers.h"
#include "proc_web_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static struct rc file_all(int fd, struct buf *b)
{
    for (;;) {
        TRY(buf_reserve(b, 4096));
        ssize_t n = read(fd, b->at + b->len, b->cap - b->len);
        if (n < 0 && errno != EINTR)
            return rc_errno(errno);
        if (n == 0)
            return RC(OK);
        b->len += n > 0 ? (size_t)n : 0;
    }
}

struct rc proc_file_read(const char *path, struct buf *b, struct conf_fault *fault)
{
    return proc_file_read_most(path, FILE_MAX, b, fault);
}

struct rc proc_file_read_most(const char *path, size_t most, struct buf *b,
                              struct conf_fault *fault)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st))
        return conf_fault_say(fault, "%s cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return conf_fault_say(fault, "%s is a folder, where a file is wanted", path);
    if (st.st_size < 0 || (size_t)st.st_size > most)
        return conf_fault_say(fault, "%s is larger than %zu bytes; is it the right file?", path,
                              most);
    *b = BUF(most + 65536);
    TRY(buf_reserve(b, (size_t)st.st_size + 8192));
    if (!rc_ok(file_all(fd, b)))
        return conf_fault_say(fault, "%s cannot be read: %s", path, strerror(errno));
    return RC(OK);
}

// "." for a bare name: relative paths then count from where we are, as they are.
static void folder_of(struct buf *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash)
        buf_put(folder, (struct span){path, slash == path ? 1 : (size_t)(slash - path)});
}

static struct rc read_conf(struct conf *c, const char *path, struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf text = BUF(0);
    CLEANUP(buf_free) struct buf folder = BUF(4096);
    TRY(proc_file_read(path, &text, fault));
    folder_of(&folder, path);
    return conf_read(c, buf_span(&text), path, buf_str(&folder), fault);
}

// Nobody is greeted without a name.
static struct rc name_host(struct conf *c, struct conf_fault *fault)
{
    char name[256] = "", text[300];
    if (conf_span(c, CONF_hostname).len)
        return RC(OK);
    if (gethostname(name, sizeof name - 1) == 0 && *name) {
        snprintf(text, sizeof text, "hostname=%s", name);
        if (rc_ok(conf_override(c, span_str(text), fault)))
            return RC(OK);
    }
    return conf_override(c, SPAN("hostname=localhost"), fault);
}

static struct rc fill_conf(struct conf *c, const struct proc_master_conf *mc,
                           struct conf_fault *fault)
{
    if (mc->path)
        TRY(read_conf(c, mc->path, fault));
    for (size_t i = 0; i < mc->override_count; i++)
        TRY(conf_override(c, span_str(mc->overrides[i]), fault));
    TRY(name_host(c, fault));
    return conf_check(c, fault);
}

struct rc proc_conf_load(const struct proc_master_conf *mc, struct conf **out,
                         struct conf_fault *fault)
{
    struct conf *c = conf_new();
    struct rc rc = fill_conf(c, mc, fault);
    if (rc_ok(rc)) {
        *out = c;
        return rc;
    }
    conf_free(c);
    *out = NULL;
    return rc;
}

static struct rc path_of(const struct conf *c, enum conf_id id, char *path, size_t room,
                         struct conf_fault *fault)
{
    if (span_copy(path, room, conf_span(c, id)))
        return RC(OK);
    return conf_fault_say(fault, "%s is too long a file name", conf_options[id].name);
}

static int from_old(const struct proc_setup *old, struct span text)
{
    for (size_t i = 0; old && i < old->bound_count; i++)
        if (span_eq(old->bound[i].text, text))
            return fcntl(old->bound[i].fd, F_DUPFD_CLOEXEC, 0);
    return -1;
}

static const struct {
    enum conf_id listen;
    enum smtp_service service;
} services[] = {
    {CONF_smtp_listen, SMTP_SERVICE_MX},
    {CONF_submission_listen, SMTP_SERVICE_SUBMISSION},
    {CONF_submissions_listen, SMTP_SERVICE_SUBMISSIONS},
};
static const uint16_t service_port[SMTP_SERVICES] = {
    [SMTP_SERVICE_MX] = 25, [SMTP_SERVICE_SUBMISSION] = 587, [SMTP_SERVICE_SUBMISSIONS] = 465};

static struct rc bind_one(struct proc_bound *b, const struct proc_setup *old,
                          struct conf_fault *fault)
{
    struct io_endpoint at;
    b->fd = from_old(old, b->text);
    if (b->fd >= 0)
        return RC(OK);
    if (!io_endpoint_parse(&at, b->text, service_port[b->kind]))
        return conf_fault_say(fault, "\"%.*s\" is no address to listen on", SPAN_FMT(b->text));
    errno = 0;
    struct rc rc = io_bind(&b->fd, &at);
    if (rc_ok(rc))
        return rc;
    b->fd = -1;
    if (at.v6 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) &&
        span_starts(b->text, SPAN("[::]"))) {
        LOG(LOG_WARN, "no-ipv6", LOG_S("listen", b->text));
        return RC(OK);
    }
    return conf_fault_say(fault, "%.*s cannot be listened on: %s%s", SPAN_FMT(b->text),
                          errno ? strerror(errno) : rc_text(rc),
                          errno == EACCES ? "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
                          : errno == EADDRINUSE ? "; another program listens there"
                                                : "");
}

static struct rc bind_list(struct proc_setup *s, enum conf_id list, enum smtp_service service,
                           const struct proc_setup *old, struct conf_fault *fault)
{
    size_t count = conf_count(s->conf, list);
    s->bound = mem_resize(s->bound, (s->bound_count + count + 1) * sizeof *s->bound);
    for (size_t i = 0; i < count; i++) {
        struct proc_bound *next = &s->bound[s->bound_count];
        *next = (struct proc_bound){.text = conf_item(s->conf, list, i), .kind = (uint8_t)service};
        TRY(bind_one(next, old, fault));
        s->bound_count += next->fd >= 0;
    }
    return RC(OK);
}

static struct rc bind_all(struct proc_setup *s, const struct proc_setup *old,
                          struct conf_fault *fault)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        TRY(bind_list(s, services[i].listen, services[i].service, old, fault));
    return RC(OK);
}

// The user that the store will be, where root starts us; NULL: it stays who we are.
static const struct passwd *store_user(const struct conf *c)
{
    char user[256];
    if (geteuid() != 0 || !span_copy(user, sizeof user, conf_span(c, CONF_user)) || !*user)
        return NULL;
    return getpwnam(user);
}

// A folder that is there: better refused now than mail refused for ever.
static struct rc check_store(const struct conf *c, const char *path, struct conf_fault *fault)
{
    struct stat st;
    const struct passwd *pw = store_user(c);
    if (stat(path, &st))
        return conf_fault_say(fault, "store.path %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return conf_fault_say(fault, "store.path %s is no folder", path);
    if (pw && st.st_uid != pw->pw_uid)
        return conf_fault_say(fault, "store.path %s does not belong to user \"%s\"", path,
                              pw->pw_name);
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS))
        return conf_fault_say(fault, "store.path %s cannot be written: %s", path, strerror(errno));
    return RC(OK);
}

// Where root starts us, the folder must be there for a store that is not root.
static struct rc make_store(const struct conf *c, struct conf_fault *fault)
{
    char path[4096];
    TRY(path_of(c, CONF_store_path, path, sizeof path, fault));
    if (mkdir(path, 0700)) {
        // A read-only file system may say EROFS of what is there.
        if (errno == EEXIST || access(path, F_OK) == 0)
            return check_store(c, path, fault);
        return conf_fault_say(fault, "store.path %s cannot be made: %s", path, strerror(errno));
    }
    const struct passwd *pw = store_user(c);
    if (pw && chown(path, pw->pw_uid, pw->pw_gid))
        return conf_fault_say(fault, "store.path %s cannot be given to %s: %s", path, pw->pw_name,
                              strerror(errno));
    return RC(OK);
}

static struct rc check_user(const struct conf *c, struct conf_fault *fault)
{
    char user[256];
    if (!span_copy(user, sizeof user, conf_span(c, CONF_user)) || (*user && !getpwnam(user)))
        return conf_fault_say(fault, "user: there is no user \"%.*s\"; make it, or name another",
                              SPAN_FMT(conf_span(c, CONF_user)));
    return RC(OK);
}

struct rc proc_conf_try(const struct conf *c, struct conf_fault *fault)
{
    CLEANUP(buf_wipe) struct buf signers = BUF(0);
    TRY(check_user(c, fault));
    TRY(proc_signers_load(c, false, &signers, fault));
    CLEANUP(proc_certificates_free) struct proc_certificates certificates = {0};
    TRY(proc_certificates_load(&certificates, c, NULL, fault));
    struct proc_aliases aliases;
    struct rc rc = proc_aliases_load(c, false, &aliases, fault);
    proc_aliases_free(&aliases);
    return rc;
}

static struct rc fill(struct proc_setup *s, const struct proc_master_conf *mc,
                      const struct proc_setup *old, struct conf_fault *fault)
{
    TRY(proc_conf_load(mc, &s->conf, fault));
    TRY(check_user(s->conf, fault));
    TRY(proc_certificates_load(&s->certificates, s->conf, NULL, fault));
    if (!old) // a running server has its store
        TRY(make_store(s->conf, fault));
    s->keys_stamp = proc_keys_stamp(s->conf); // behind the store, whose folder may hold the keys
    TRY(proc_signers_load(s->conf, true, &s->signers, fault));
    TRY(proc_aliases_load(s->conf, true, &s->aliases, fault));
    TRY(bind_all(s, old, fault));
    TRY(proc_door_bind(s, old, fault));
    proc_web_bind(s, old);
    return RC(OK);
}

struct rc proc_setup_new(struct proc_setup **out, const struct proc_master_conf *mc,
                         const struct proc_setup *old, struct conf_fault *fault)
{
    struct proc_setup *s = mem_new(sizeof *s);
    s->aliases.fd = -1;
    *out = NULL;
    struct rc rc = fill(s, mc, old, fault);
    if (rc_ok(rc))
        *out = s;
    else
        proc_setup_free(s);
    return rc;
}

void proc_setup_free(struct proc_setup *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->bound_count; i++)
        close(s->bound[i].fd);
    free(s->bound);
    for (size_t i = 0; i < s->web_count; i++)
        close(s->web[i].fd);
    free(s->web);
    if (s->door.text.len)
        close(s->door.fd);
    buf_free(&s->door_path);
    proc_certificates_free(&s->certificates);
    buf_wipe(&s->signers);
    proc_aliases_free(&s->aliases);
    conf_free(s->conf);
    free(s);
}

// Receiving and sending share the machine with each other and with the store: more
// processes than half the processors only take turns, and commit in smaller groups.
static unsigned half_the_processors(void)
{
    cpu_set_t set;
    unsigned all = sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
    return all > 2 ? (all + 1) / 2 : 1;
}

unsigned proc_setup_count(const struct proc_setup *s, enum proc_kind kind)
{
    int64_t n = 1;
    if (kind == PROC_WEB)
        return conf_count(s->conf, CONF_web_listen) || conf_count(s->conf, CONF_report_listen);
    if (kind == PROC_RECEIVER)
        n = conf_int(s->conf, CONF_smtp_receivers);
    else if (kind == PROC_SENDER)
        n = conf_int(s->conf, CONF_send_processes);
    return n ? (unsigned)n : half_the_processors();
}
