#include "proc_web_bind.h"

#include "base_log.h"
#include "io_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const struct list {
    enum conf_id option;
    enum proc_web_door door;
    uint16_t port;
    const char *event, *means;
} lists[] = {
    {CONF_web_listen, PROC_WEB_METRICS, 9825, "web-not-listening",
     "no metrics there; mail is not concerned"},
    {CONF_report_listen, PROC_WEB_REPORTS, 443, "reports-not-listening",
     "reports of others do not come in there; mail is not concerned"},
};

static int from_old(const struct proc_setup *old, enum proc_web_door door, struct span text)
{
    for (size_t i = 0; old && i < old->web_count; i++)
        if (old->web[i].kind == door && span_eq(old->web[i].text, text))
            return fcntl(old->web[i].fd, F_DUPFD_CLOEXEC, 0);
    return -1;
}

static const char *why_not(struct rc rc)
{
    return errno == EADDRINUSE ? "another program listens there"
           : errno == EACCES   ? "ports below 1024 need root or CAP_NET_BIND_SERVICE"
           : errno             ? strerror(errno)
                               : rc_text(rc);
}

static int bind_one(const struct list *l, struct span text, const struct proc_setup *old)
{
    struct io_endpoint at;
    int fd = from_old(old, l->door, text);
    if (fd >= 0)
        return fd;
    errno = EINVAL;
    struct rc rc = RC(CONFIG);
    if (io_endpoint_parse(&at, text, l->port)) {
        errno = 0;
        rc = io_bind(&fd, &at);
    }
    if (rc_ok(rc))
        return fd;
    LOG(LOG_WARN, l->event, LOG_S("listen", text), LOG_T("why", why_not(rc)),
        LOG_T("option", conf_options[l->option].name), LOG_T("means", l->means));
    return -1;
}

static void bind_list(struct proc_setup *s, const struct list *l, const struct proc_setup *old)
{
    size_t count = conf_count(s->conf, l->option);
    s->web = mem_resize(s->web, (s->web_count + count + 1) * sizeof *s->web);
    for (size_t i = 0; i < count; i++) {
        struct proc_bound *next = &s->web[s->web_count];
        *next =
            (struct proc_bound){.text = conf_item(s->conf, l->option, i), .kind = (uint8_t)l->door};
        next->fd = bind_one(l, next->text, old);
        s->web_count += next->fd >= 0;
    }
}

void proc_web_bind(struct proc_setup *s, const struct proc_setup *old)
{
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        bind_list(s, &lists[i], old);
}
