#include "proc_aliases.h"

#include "base_code.h"
#include "base_log.h"
#include "base_wire.h"
#include "io_channel.h"
#include "proc_reports.h"
#include "proc_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPORTS_MEMORY = 1 << 20, SECRET_MAX = 4096, FILES_MAX = 1000, TEXT_MAX = 256 << 20 };

void proc_aliases_free(struct proc_aliases *a)
{
    buf_wipe(&a->payload);
    if (a->fd >= 0)
        close(a->fd);
    *a = (struct proc_aliases){.fd = -1};
}

// ---- the master's side ----

static bool all_written(int fd, struct span s)
{
    while (s.len) {
        ssize_t n = write(fd, s.at, s.len);
        if (n < 0 && errno != EINTR)
            return false;
        s = span_skip(s, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static struct rc add_file(struct proc_aliases *a, struct span name, struct conf_fault *fault)
{
    CLEANUP(buf_free) struct buf text = BUF(0);
    char path[4096];
    if (!span_copy(path, sizeof path, name))
        return conf_fault_say(fault, "alias.files: a file name is too long");
    TRY(proc_file_read_most(path, TEXT_MAX, &text, fault));
    if (!all_written(a->fd, buf_span(&text)))
        return conf_fault_say(fault, "%s cannot be kept in memory: %s", path, strerror(errno));
    wr_span(&a->payload, name);
    wr_u64(&a->payload, text.len);
    return RC(OK);
}

static struct rc add_files(struct proc_aliases *a, const struct conf *c, struct conf_fault *fault)
{
    size_t count = conf_count(c, CONF_alias_files);
    if (count > FILES_MAX)
        return conf_fault_say(fault, "alias.files names more than %d files; put some together",
                              FILES_MAX);
    wr_u16(&a->payload, (uint16_t)count);
    if (count == 0)
        return RC(OK);
    a->fd = memfd_create("aliases", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (a->fd < 0)
        return conf_fault_say(fault, "no memory for the files of aliases: %s", strerror(errno));
    for (size_t i = 0; i < count; i++)
        TRY(add_file(a, conf_item(c, CONF_alias_files, i), fault));
    if (fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
        return conf_fault_say(fault, "the files of aliases cannot be sealed: %s", strerror(errno));
    return RC(OK);
}

static struct rc make_secret(const char *path, struct conf_fault *fault)
{
    unsigned char random[24];
    CLEANUP(buf_wipe) struct buf line = BUF(64);
    if (getentropy(random, sizeof random))
        return conf_fault_say(fault, "no randomness for srs.secret: %s", strerror(errno));
    code_put_base64(&line, SPAN_OF(random));
    buf_putc(&line, '\n');
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool made = fd >= 0 && all_written(fd, buf_span(&line)) && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    return made ? RC(OK) : conf_fault_say(fault, "%s cannot be written: %s", path, strerror(error));
}

static struct rc read_secret(const struct conf *c, bool make, struct buf *text,
                             struct conf_fault *fault)
{
    char path[4200], store[4096];
    bool own = conf_span(c, CONF_srs_secret).len == 0;
    struct stat st;
    if (!span_copy(store, sizeof store, conf_span(c, own ? CONF_store_path : CONF_srs_secret)))
        return conf_fault_say(fault, "srs.secret is too long a file name");
    snprintf(path, sizeof path, "%s%s", store, own ? "/srs.secret" : "");
    if (own && !make)
        return RC(OK);
    if (own && stat(path, &st) && errno == ENOENT)
        TRY(make_secret(path, fault));
    TRY(proc_file_read(path, text, fault));
    if (text->len > SECRET_MAX)
        return conf_fault_say(fault, "%s is too long for a secret; a line of random text will do",
                              path);
    return RC(OK);
}

static struct rc add_secrets(struct proc_aliases *a, const struct conf *c, bool make,
                             struct conf_fault *fault)
{
    CLEANUP(buf_wipe) struct buf text = BUF(0);
    CLEANUP(buf_wipe) struct buf lines = BUF(2 * SECRET_MAX);
    uint16_t count = 0;
    // Before there are aliases nothing is sent on.
    if (conf_count(c, CONF_alias_files))
        TRY(read_secret(c, make, &text, fault));
    struct span rest = buf_span(&text);
    TRY(buf_reserve(&lines, 2 * SECRET_MAX));
    while (rest.len && count < sizeof((struct aliases *)0)->secrets / sizeof(struct span)) {
        struct span line = span_trim(span_cut(&rest, '\n'));
        if (line.len == 0)
            continue;
        wr_span(&lines, line);
        count++;
    }
    if (text.len && count == 0)
        return conf_fault_say(fault, "srs.secret: the file is empty; write a line of random text");
    wr_u16(&a->payload, count);
    buf_put(&a->payload, buf_span(&lines));
    return buf_state(&a->payload);
}

int64_t proc_aliases_stamp(const struct conf *c)
{
    uint64_t stamp = 1;
    for (size_t i = 0; i < conf_count(c, CONF_alias_files); i++) {
        char path[4096];
        struct stat st;
        if (!span_copy(path, sizeof path, conf_item(c, CONF_alias_files, i)) || stat(path, &st))
            st = (struct stat){0};
        stamp = stamp * 1000003 + (uint64_t)st.st_mtim.tv_sec * 1000000007 +
                (uint64_t)st.st_mtim.tv_nsec + (uint64_t)st.st_ino * 31 + (uint64_t)st.st_size;
    }
    return (int64_t)stamp;
}

struct rc proc_aliases_load(const struct conf *c, bool secret, struct proc_aliases *out,
                            struct conf_fault *fault)
{
    *out = (struct proc_aliases){
        .payload = BUF(IO_MESSAGE_MAX), .fd = -1, .stamp = proc_aliases_stamp(c)};
    TRY(buf_reserve(&out->payload, 16384)); // growing leaves copies of secrets behind
    TRY(add_files(out, c, fault));
    TRY(add_secrets(out, c, secret, fault));
    struct aliases *tried = aliases_new(c, buf_span(&out->payload), out->fd, fault);
    if (!tried)
        return RC(CONFIG);
    aliases_release(tried);
    return RC(OK);
}

// ---- the receiver's side ----

static enum alias_class class_of(void *arg, struct span domain)
{
    const struct aliases *a = arg;
    if (domains_hold(a->local, domain))
        return ALIAS_CLASS_LOCAL;
    if (domains_hold(a->virtuals, domain))
        return ALIAS_CLASS_VIRTUAL;
    return domains_hold(a->relayed, domain) ? ALIAS_CLASS_RELAY : ALIAS_CLASS_OTHER;
}

static bool first_name(struct dns_name *out, const struct conf *c, enum conf_id list)
{
    for (size_t i = 0; i < conf_count(c, list); i++)
        if (!span_starts(conf_item(c, list, i), SPAN(".")) &&
            dns_name_parse_host(out, conf_item(c, list, i)))
            return true;
    return false;
}

// The texts lie one behind the other.
struct texts {
    struct alias_source *sources;
    size_t count;
    char *map;
    size_t len;
};

static void texts_free(struct texts *t)
{
    free(t->sources);
    if (t->map)
        munmap(t->map, t->len);
}

static bool map_texts(struct texts *t, int fd, uint64_t want)
{
    struct stat st;
    if (want == 0)
        return true;
    if (fd < 0 || fstat(fd, &st) || (uint64_t)st.st_size != want)
        return false;
    void *at = mmap(NULL, (size_t)want, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return false;
    t->map = at;
    t->len = (size_t)want;
    return true;
}

static bool read_texts(struct texts *t, struct rd *r, int fd)
{
    uint64_t bytes = 0;
    t->count = r->rest.len ? rd_u16(r) : 0;
    t->sources = mem_new((t->count + 1) * sizeof *t->sources);
    for (size_t i = 0; i < t->count; i++) {
        t->sources[i].name = rd_span(r);
        t->sources[i].text.len = (size_t)rd_u64(r);
        bytes += t->sources[i].text.len;
    }
    if (r->bad || !map_texts(t, fd, bytes))
        return false;
    size_t at = 0;
    for (size_t i = 0; i < t->count; i++) {
        t->sources[i].text.at = t->map ? t->map + at : "";
        at += t->sources[i].text.len;
    }
    return true;
}

static bool read_secrets(struct aliases *a, struct rd *r)
{
    size_t count = r->rest.len ? rd_u16(r) : 0;
    if (count > sizeof a->secrets / sizeof *a->secrets ||
        !rc_ok(buf_reserve(&a->secret, r->rest.len + 1)))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct span s = rd_span(r);
        a->secrets[i] = (struct span){a->secret.at + a->secret.len, s.len};
        buf_put(&a->secret, s);
    }
    a->srs.secrets = a->secrets;
    a->srs.secret_count = count;
    return rd_end(r);
}

// Addresses that reports of others come to, as the walk compares them.
static struct rc settle_reports(struct aliases *a, const struct conf *c, struct conf_fault *fault)
{
    struct mail_address to;
    size_t count = conf_count(c, CONF_report_addresses);
    a->reports = mem_new((count + 1) * sizeof *a->reports);
    for (size_t i = 0; i < count; i++) {
        struct span text = conf_item(c, CONF_report_addresses, i);
        if (!mail_address_parse(&to, text, true, &a->memory) || to.kind != MAIL_DOMAIN)
            return conf_fault_say(fault, "report.addresses: '%.*s' is no mail address",
                                  SPAN_FMT(text));
        a->reports[i] = to.text;
    }
    a->conf.own = a->reports;
    a->conf.own_count = count;
    a->conf.own_domain = SPAN(REPORTS_DOMAIN);
    return RC(OK);
}

static void settle(struct aliases *a, const struct conf *c)
{
    struct span detail = conf_span(c, CONF_local_detail);
    if (!first_name(&a->home, c, CONF_local_domains) &&
        !first_name(&a->home, c, CONF_alias_domains) &&
        !dns_name_parse_host(&a->home, conf_span(c, CONF_hostname)))
        a->home = (struct dns_name){9, "localhost"};
    if (!dns_name_parse_host(&a->srs_home, conf_span(c, CONF_srs_domain)))
        a->srs_home = a->home;
    if (!conf_bool(c, CONF_srs_rewrite))
        a->srs.secret_count = 0;
    a->srs.domain = a->srs_home;
    a->conf = (struct alias_conf){.table = a->table,
                                  .domains = {.class_of = class_of, .arg = a},
                                  .home = dns_name_span(&a->home),
                                  .postmaster = conf_span(c, CONF_local_postmaster),
                                  .detail = detail.len ? detail.at[0] : '\0',
                                  .most = (size_t)conf_int(c, CONF_alias_most)};
}

static struct rc fill(struct aliases *a, const struct conf *c, struct span payload, int fd,
                      struct conf_fault *fault)
{
    struct rd r = RD(payload);
    struct alias_fault wrong = {.text = ""};
    struct alias_domains domains = {.class_of = class_of, .arg = a};
    CLEANUP(texts_free) struct texts texts = {0};
    if (!read_texts(&texts, &r, fd) || !read_secrets(a, &r))
        return conf_fault_say(fault, "the files of aliases cannot be read again");
    struct rc rc = alias_table_new(&a->table, texts.sources, texts.count, &domains, &wrong);
    if (!rc_ok(rc))
        return conf_fault_say(fault, "%s", wrong.text[0] ? wrong.text : "alias.files: too much");
    settle(a, c);
    return settle_reports(a, c, fault);
}

struct aliases *aliases_new(const struct conf *c, struct span payload, int fd,
                            struct conf_fault *fault)
{
    struct aliases *a = mem_new(sizeof *a);
    a->held = 1;
    a->memory = ARENA(REPORTS_MEMORY);
    a->secret = BUF(IO_MESSAGE_MAX);
    a->local = domains_new(c, CONF_local_domains);
    a->virtuals = domains_new(c, CONF_alias_domains);
    a->relayed = domains_new(c, CONF_relay_domains);
    if (rc_ok(fill(a, c, payload, fd, fault)))
        return a;
    aliases_release(a);
    return NULL;
}

struct aliases *aliases_hold(struct aliases *a)
{
    a->held++;
    return a;
}

void aliases_release(struct aliases *a)
{
    if (!a || --a->held)
        return;
    alias_table_free(a->table);
    domains_free(a->local);
    domains_free(a->virtuals);
    domains_free(a->relayed);
    buf_wipe(&a->secret);
    arena_free(&a->memory);
    free(a->reports);
    free(a);
}
