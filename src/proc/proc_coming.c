// What the master sends piece by piece is put into force whole, at START.
#include "proc_inner.h"
#include "proc_signers.h"

#include "base_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A configuration that was replaced, kept for the sessions that still lean on it.
struct proc_retired {
    struct proc_retired *next;
    struct conf *conf;
    struct mono since;
};
// Longer than any session may last (conf_options.h, smtp.session_timeout).
static const int64_t retired_us = SECONDS(25 * 3600);

static bool got_section(struct proc_coming *k, struct io_message *m)
{
    struct rd r = RD(m->payload);
    conf_free(k->conf);
    return conf_unpack(&r, &k->conf) && rd_end(&r);
}

// Growing a buffer leaves copies of keys behind that nobody wipes.
static bool take_secret(struct buf *to, struct span payload)
{
    buf_wipe(to);
    *to = BUF(IO_MESSAGE_MAX);
    if (!rc_ok(buf_reserve(to, payload.len)))
        return false;
    buf_put(to, payload);
    return true;
}

static bool got_keys(struct proc_coming *k, struct io_message *m)
{
    struct rd r = RD(m->payload);
    for (size_t count = rd_u16(&r); count && !r.bad; count--) {
        rd_span(&r);
        rd_span(&r);
    }
    rd_span(&r);
    rd_span(&r);
    k->keys = rd_end(&r) && take_secret(&k->tls, m->payload);
    return k->keys;
}

static bool got_signers(struct proc_coming *k, struct io_message *m)
{
    struct rd r = RD(m->payload);
    struct proc_signer s;
    for (size_t count = rd_u16(&r); count && proc_signer_unpack(&r, &s); count--)
        continue;
    buf_wipe(&k->signers);
    k->signers = BUF(IO_MESSAGE_MAX);
    if (!rd_end(&r) || !rc_ok(buf_reserve(&k->signers, m->payload.len)))
        return false;
    buf_put(&k->signers, m->payload);
    k->signs = true;
    return true;
}

static void drop_aliases(struct buf *payload, int *fd)
{
    buf_wipe(payload); // a secret is in it
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool got_aliases(struct proc_coming *k, struct io_message *m)
{
    if (k->aliased)
        drop_aliases(&k->aliases, &k->aliases_fd);
    k->aliases = BUF(IO_MESSAGE_MAX);
    if (!rc_ok(buf_reserve(&k->aliases, m->payload.len)))
        return false;
    buf_put(&k->aliases, m->payload);
    k->aliases_fd = m->fd;
    m->fd = -1;
    k->aliased = true;
    return true;
}

static void drop_listeners(struct proc_coming *k)
{
    for (size_t i = 0; i < k->listener_count; i++)
        close(k->listeners[i].fd);
    free(k->listeners);
    k->listeners = NULL;
    k->listener_count = 0;
}

static bool got_reset(struct proc_coming *k, struct io_message *m)
{
    (void)m;
    drop_listeners(k);
    k->reset = true;
    return true;
}

static bool got_listen(struct proc_coming *k, struct io_message *m)
{
    struct rd r = RD(m->payload);
    uint8_t kind = rd_u8(&r);
    rd_span(&r);
    _Static_assert((int)PROC_WEB_REPORTS < (int)SMTP_SERVICES, "one bound for both");
    if (m->fd < 0 || !rd_end(&r) || kind >= SMTP_SERVICES)
        return false;
    k->listeners = mem_resize(k->listeners, (k->listener_count + 1) * sizeof *k->listeners);
    k->listeners[k->listener_count++] = (struct proc_listener){m->fd, kind};
    m->fd = -1;
    return true;
}

bool proc_coming_got(struct proc *p, struct io_message *m)
{
    static const struct {
        uint16_t kind;
        bool (*got)(struct proc_coming *k, struct io_message *m);
    } kinds[] = {
        {MSG_SECTION, got_section}, {MSG_KEYS, got_keys},     {MSG_SIGNERS, got_signers},
        {MSG_ALIASES, got_aliases}, {MSG_LISTEN, got_listen}, {MSG_LISTEN_RESET, got_reset},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == m->kind)
            return kinds[i].got(&proc_inner(p)->coming, m);
    return false;
}

static void retire(struct proc *p)
{
    struct proc_inner *in = proc_inner(p);
    for (struct proc_retired **at = &in->retired; *at;) {
        struct proc_retired *one = *at;
        if (io_now(p->loop).us - one->since.us < retired_us) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        conf_free(one->conf);
        free(one);
    }
    if (!p->conf)
        return;
    struct proc_retired *one = mem_new(sizeof *one);
    *one = (struct proc_retired){in->retired, p->conf, io_now(p->loop)};
    in->retired = one;
}

static void take_conf(struct proc *p, struct proc_coming *k)
{
    static char who[32]; // the log keeps the pointer
    if (!k->conf)
        return;
    retire(p);
    p->conf = k->conf;
    k->conf = NULL;
    snprintf(who, sizeof who, "%s/%u", proc_kind_text(p->role->kind), p->index);
    log_setup(who, (enum log_level)conf_choice(p->conf, CONF_log_level));
}

static void take_keys(struct proc *p, struct proc_coming *k)
{
    struct proc_inner *in = proc_inner(p);
    if (!k->keys)
        return;
    buf_wipe(&in->tls);
    in->tls = k->tls;
    k->tls = BUF(0);
    k->keys = false;
    p->tls = buf_span(&in->tls);
}

static void take_signers(struct proc *p, struct proc_coming *k)
{
    struct proc_inner *in = proc_inner(p);
    if (!k->signs)
        return;
    buf_wipe(&in->signers);
    in->signers = k->signers;
    k->signers = BUF(0);
    k->signs = false;
    p->signers = buf_span(&in->signers);
}

static void take_aliases(struct proc *p, struct proc_coming *k)
{
    struct proc_inner *in = proc_inner(p);
    if (!k->aliased)
        return;
    if (in->aliased)
        drop_aliases(&in->aliases, &p->aliases_fd);
    in->aliases = k->aliases;
    in->aliased = true;
    p->aliases = buf_span(&in->aliases);
    p->aliases_fd = k->aliases_fd;
    k->aliases = BUF(0);
    k->aliased = false;
}

// The old ones were the role's to close from its start on.
static void take_listeners(struct proc *p, struct proc_coming *k)
{
    if (!k->reset && k->listener_count == 0)
        return;
    free(p->listeners);
    p->listeners = k->listeners;
    p->listener_count = k->listener_count;
    p->listeners_generation++;
    k->listeners = NULL;
    k->listener_count = 0;
    k->reset = false;
}

void proc_coming_take(struct proc *p)
{
    struct proc_coming *k = &proc_inner(p)->coming;
    take_conf(p, k);
    take_keys(p, k);
    take_signers(p, k);
    take_aliases(p, k);
    take_listeners(p, k);
}

void proc_coming_free(struct proc *p)
{
    struct proc_inner *in = proc_inner(p);
    drop_listeners(&in->coming);
    conf_free(in->coming.conf);
    buf_wipe(&in->coming.tls);
    buf_wipe(&in->tls);
    buf_wipe(&in->coming.signers);
    if (in->coming.aliased)
        drop_aliases(&in->coming.aliases, &in->coming.aliases_fd);
    if (in->aliased)
        drop_aliases(&in->aliases, &p->aliases_fd);
    buf_wipe(&in->signers);
    while (in->retired) {
        struct proc_retired *one = in->retired;
        in->retired = one->next;
        conf_free(one->conf);
        free(one);
    }
    conf_free(p->conf);
    free(p->listeners);
}
