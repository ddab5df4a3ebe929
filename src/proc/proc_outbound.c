#include "proc_outbound.h"

#include "base_log.h"
#include "io_stream.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

static void add_self(struct outbound *o, bool v6, const void *bytes)
{
    size_t size = v6 ? 16 : 4;
    o->self_addresses =
        mem_resize(o->self_addresses, (o->self_address_count + 1) * sizeof *o->self_addresses);
    struct dns_address *a = &o->self_addresses[o->self_address_count++];
    *a = (struct dns_address){.v6 = v6};
    span_bytes(a->at, size, (struct span){bytes, size});
}

static void add_interfaces(struct outbound *o)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr)
            continue;
        if (i->ifa_addr->sa_family == AF_INET)
            add_self(o, false, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr);
        else if (i->ifa_addr->sa_family == AF_INET6)
            add_self(o, true, &((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr);
    }
    freeifaddrs(all);
}

static void add_endpoint(struct outbound *o, struct span text, uint16_t port)
{
    static const unsigned char any[16];
    struct io_endpoint e;
    if (!io_endpoint_parse(&e, text, port) || e.local || e.port != port)
        return; // another port is another server
    size_t size = e.v6 ? 16 : 4;
    if (span_eq((struct span){(const char *)e.address, size},
                (struct span){(const char *)any, size}))
        add_interfaces(o);
    else
        add_self(o, e.v6, e.address);
}

static void learn_self(struct outbound *o)
{
    const struct conf *c = o->proc->conf;
    uint16_t port = (uint16_t)conf_int(c, CONF_send_port);
    free(o->self_addresses);
    o->self_addresses = NULL;
    o->self_address_count = 0;
    if (!dns_name_parse_host(&o->self, conf_span(c, CONF_hostname)))
        o->self = (struct dns_name){0};
    for (size_t i = 0; i < conf_count(c, CONF_smtp_listen); i++)
        add_endpoint(o, conf_item(c, CONF_smtp_listen, i), port);
    for (size_t i = 0; i < conf_count(c, CONF_send_addresses); i++)
        add_endpoint(o, conf_item(c, CONF_send_addresses, i), port);
}

bool outbound_configure(struct outbound *o)
{
    const char *why = "";
    struct io_tls_client *tls = NULL;
    struct rc rc = io_tls_client_new(&tls, conf_span(o->proc->conf, CONF_tls_ca_file), &why);
    if (!rc_ok(rc)) {
        LOG(LOG_ERROR, "no-trust-anchors", LOG_T("why", why));
        return false;
    }
    io_tls_client_free(o->tls);
    o->tls = tls;
    learn_self(o);
    return true;
}
