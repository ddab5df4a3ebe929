#include "proc_tls.h"

#include "base_log.h"

#include <stdlib.h>

static void look_at(struct proc_tls_about *about, const struct io_tls_pair *pair)
{
    struct io_tls_about one;
    const char *why = "";
    if (rc_ok(io_tls_pair_about(&one, pair, &why)) && (!about->first || one.until < about->first))
        about->first = one.until;
    about->count++;
}

struct io_tls_server *proc_tls_server(const struct proc *p, const struct proc_tls_use *use,
                                      struct proc_tls_about *about)
{
    struct rd rd = RD(p->tls);
    struct io_tls_server *s = NULL;
    const char *why = "";
    size_t count = rd_u16(&rd);
    if (about)
        *about = (struct proc_tls_about){0};
    if (count == 0)
        return NULL;
    struct io_tls_pair *pairs = mem_new(count * sizeof *pairs);
    for (size_t i = 0; i < count; i++) {
        pairs[i].chain = rd_span(&rd);
        pairs[i].key = rd_span(&rd);
        if (about)
            look_at(about, &pairs[i]);
    }
    struct io_tls_server_conf c = {.pairs = pairs, .pair_count = count, .tickets = rd_span(&rd)};
    c.client_ca = rd_span(&rd);
    c.clients = use->clients;
    c.protocol = use->protocol;
    c.ticket_us = conf_int(p->conf, CONF_tls_ticket_rotation);
    if (!rc_ok(io_tls_server_make(&s, &c, &why, NULL))) // the master has tried it
        LOG(LOG_ERROR, "no-tls", LOG_T("why", why));
    free(pairs);
    return s;
}
