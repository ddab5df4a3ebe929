#include "proc_setup.h"

#include "base_log.h"
#include "crypto_sign.h"
#include "dns_name.h"
#include "io_channel.h"
#include "io_stream.h"
#include "io_tls.h"
#include "proc_door.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static struct rc complain(struct conf_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct rc complain(struct conf_fault *fault, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(fault->text, sizeof fault->text, format, ap);
    va_end(ap);
    return RC(CONFIG);
}

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

// Reserved at once: no copies of a key are left behind by growing.
static struct rc file_read(const char *path, struct buf *b, struct conf_fault *fault)
{
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st))
        return complain(fault, "%s cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return complain(fault, "%s is a folder, where a file is wanted", path);
    if (st.st_size > FILE_MAX)
        return complain(fault, "%s is larger than %d bytes; is it the right file?", path, FILE_MAX);
    *b = BUF(FILE_MAX + 65536);
    TRY(buf_reserve(b, (size_t)st.st_size + 8192));
    if (!rc_ok(file_all(fd, b)))
        return complain(fault, "%s cannot be read: %s", path, strerror(errno));
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
    TRY(file_read(path, &text, fault));
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
    return complain(fault, "%s is too long a file name", conf_options[id].name);
}

static void key_free(struct buf *b)
{
    if (b->at)
        explicit_bzero(b->at, b->cap);
    buf_free(b);
}

static struct rc load_keys(const struct conf *c, struct buf *chain, struct buf *key,
                           struct conf_fault *fault)
{
    char path[4096];
    if (conf_span(c, CONF_tls_certificate).len == 0)
        return RC(OK);
    TRY(path_of(c, CONF_tls_key, path, sizeof path, fault));
    TRY(file_read(path, key, fault));
    TRY(path_of(c, CONF_tls_certificate, path, sizeof path, fault));
    TRY(file_read(path, chain, fault));
    struct io_tls_server *tried = NULL;
    const char *why = "";
    if (!rc_ok(io_tls_server_new(&tried, buf_span(chain), buf_span(key), &why)))
        return complain(fault, "tls.certificate %s and its tls.key cannot be used: %s", path, why);
    io_tls_server_free(tried);
    return RC(OK);
}

// A key that is the first to be found wrong by a receiver would sign nothing, and
// nobody would know.
static struct rc try_key(struct span entry, const char *path, struct span pem,
                         struct conf_fault *fault)
{
    struct crypto_private *key = NULL;
    if (!rc_ok(crypto_private_read(&key, pem)))
        return complain(fault,
                        "dkim.sign \"%.*s\": %s holds no RSA or Ed25519 private key in PEM "
                        "without a passphrase",
                        SPAN_FMT(entry), path);
    unsigned bits = crypto_private_bits(key);
    bool weak = crypto_private_algorithm(key) == CRYPTO_RSA_SHA256 && bits < 1024;
    crypto_private_free(key);
    if (weak) // RFC 8301 §3.2
        return complain(fault,
                        "dkim.sign \"%.*s\": the RSA key has %u bits, and signatures of less "
                        "than 1024 count nowhere",
                        SPAN_FMT(entry), bits);
    return RC(OK);
}

static struct rc load_signer(struct span entry, struct buf *out, struct conf_fault *fault)
{
    CLEANUP(key_free) struct buf key = BUF(0);
    struct span rest = entry, domain = span_cut(&rest, ' ');
    struct dns_name d, s;
    char path[4096];
    rest = span_trim(rest);
    struct span selector = span_cut(&rest, ' ');
    if (!dns_name_parse_host(&d, domain) || !dns_name_parse(&s, selector))
        return complain(fault, "dkim.sign: \"%.*s\" has no domain and selector that can be names",
                        SPAN_FMT(entry));
    if (!span_copy(path, sizeof path, span_trim(rest)))
        return complain(fault, "dkim.sign: \"%.*s\" has too long a file name", SPAN_FMT(entry));
    TRY(file_read(path, &key, fault));
    TRY(try_key(entry, path, buf_span(&key), fault));
    wr_span(out, dns_name_span(&d));
    wr_span(out, dns_name_span(&s));
    wr_span(out, buf_span(&key));
    return RC(OK);
}

// Reserved at once, as file_read() does.
static struct rc load_signers(const struct conf *c, struct buf *out, struct conf_fault *fault)
{
    size_t count = conf_count(c, CONF_dkim_sign);
    *out = BUF(IO_MESSAGE_MAX - 64);
    TRY(buf_reserve(out, count ? IO_MESSAGE_MAX - 64 : 2));
    wr_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        TRY(load_signer(conf_item(c, CONF_dkim_sign, i), out, fault));
    if (!rc_ok(buf_state(out)))
        return complain(fault, "dkim.sign: these are more keys than %d MB can hold",
                        IO_MESSAGE_MAX >> 20);
    return RC(OK);
}

static int from_old(const struct proc_setup *old, struct span text)
{
    for (size_t i = 0; old && i < old->bound_count; i++)
        if (span_eq(old->bound[i].text, text))
            return fcntl(old->bound[i].fd, F_DUPFD_CLOEXEC, 0);
    return -1;
}

static struct rc bind_one(struct proc_bound *b, const struct proc_setup *old,
                          struct conf_fault *fault)
{
    struct io_endpoint at;
    b->fd = from_old(old, b->text);
    if (b->fd >= 0)
        return RC(OK);
    if (!io_endpoint_parse(&at, b->text, 25))
        return complain(fault, "smtp.listen: \"%.*s\" is no address", SPAN_FMT(b->text));
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
    return complain(fault, "%.*s cannot be listened on: %s%s", SPAN_FMT(b->text),
                    errno ? strerror(errno) : rc_text(rc),
                    errno == EACCES       ? "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
                    : errno == EADDRINUSE ? "; another program listens there"
                                          : "");
}

static struct rc bind_all(struct proc_setup *s, const struct proc_setup *old,
                          struct conf_fault *fault)
{
    size_t count = conf_count(s->conf, CONF_smtp_listen);
    s->bound = mem_new((count + 1) * sizeof *s->bound);
    for (size_t i = 0; i < count; i++) {
        struct proc_bound *next = &s->bound[s->bound_count];
        next->text = conf_item(s->conf, CONF_smtp_listen, i);
        TRY(bind_one(next, old, fault));
        s->bound_count += next->fd >= 0;
    }
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
        return complain(fault, "store.path %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return complain(fault, "store.path %s is no folder", path);
    if (pw && st.st_uid != pw->pw_uid)
        return complain(fault, "store.path %s does not belong to user \"%s\"", path, pw->pw_name);
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS))
        return complain(fault, "store.path %s cannot be written: %s", path, strerror(errno));
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
        return complain(fault, "store.path %s cannot be made: %s", path, strerror(errno));
    }
    const struct passwd *pw = store_user(c);
    if (pw && chown(path, pw->pw_uid, pw->pw_gid))
        return complain(fault, "store.path %s cannot be given to %s: %s", path, pw->pw_name,
                        strerror(errno));
    return RC(OK);
}

static struct rc check_user(const struct conf *c, struct conf_fault *fault)
{
    char user[256];
    if (!span_copy(user, sizeof user, conf_span(c, CONF_user)) || (*user && !getpwnam(user)))
        return complain(fault, "user: there is no user \"%.*s\"; make it, or name another",
                        SPAN_FMT(conf_span(c, CONF_user)));
    return RC(OK);
}

struct rc proc_conf_try(const struct conf *c, struct conf_fault *fault)
{
    CLEANUP(key_free) struct buf key = BUF(0);
    CLEANUP(buf_free) struct buf chain = BUF(0);
    CLEANUP(key_free) struct buf signers = BUF(0);
    TRY(check_user(c, fault));
    TRY(load_signers(c, &signers, fault));
    return load_keys(c, &chain, &key, fault);
}

static struct rc fill(struct proc_setup *s, const struct proc_master_conf *mc,
                      const struct proc_setup *old, struct conf_fault *fault)
{
    TRY(proc_conf_load(mc, &s->conf, fault));
    TRY(check_user(s->conf, fault));
    TRY(load_keys(s->conf, &s->chain, &s->key, fault));
    TRY(load_signers(s->conf, &s->signers, fault));
    if (!old) // a running server has its store
        TRY(make_store(s->conf, fault));
    TRY(bind_all(s, old, fault));
    return proc_door_bind(s, old, fault);
}

struct rc proc_setup_new(struct proc_setup **out, const struct proc_master_conf *mc,
                         const struct proc_setup *old, struct conf_fault *fault)
{
    struct proc_setup *s = mem_new(sizeof *s);
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
    if (s->door.text.len)
        close(s->door.fd);
    buf_free(&s->door_path);
    key_free(&s->key);
    key_free(&s->signers);
    buf_free(&s->chain);
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
    if (kind == PROC_RECEIVER)
        n = conf_int(s->conf, CONF_smtp_receivers);
    else if (kind == PROC_SENDER)
        n = conf_int(s->conf, CONF_send_processes);
    return n ? (unsigned)n : half_the_processors();
}
