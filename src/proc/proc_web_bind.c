#include "proc_web_bind.h"

#include "base_log.h"
#include "io_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { PORT = 9825 };

static int from_old(const struct proc_setup *old, struct span text)
{
    for (size_t i = 0; old && i < old->web_count; i++)
        if (span_eq(old->web[i].text, text))
            return fcntl(old->web[i].fd, F_DUPFD_CLOEXEC, 0);
    return -1;
}

static const char *why_not(struct rc rc)
{
    return errno == EADDRINUSE ? "another program listens there; see web.listen"
           : errno             ? strerror(errno)
                               : rc_text(rc);
}

static int bind_one(struct span text, const struct proc_setup *old)
{
    struct io_endpoint at;
    int fd = from_old(old, text);
    if (fd >= 0)
        return fd;
    errno = EINVAL;
    struct rc rc = RC(CONFIG);
    if (io_endpoint_parse(&at, text, PORT)) {
        errno = 0;
        rc = io_bind(&fd, &at);
    }
    if (rc_ok(rc))
        return fd;
    LOG(LOG_WARN, "web-not-listening", LOG_S("listen", text), LOG_T("why", why_not(rc)),
        LOG_T("means", "no metrics there; mail is not concerned"));
    return -1;
}

void proc_web_bind(struct proc_setup *s, const struct proc_setup *old)
{
    size_t count = conf_count(s->conf, CONF_web_listen);
    s->web = mem_new((count + 1) * sizeof *s->web);
    for (size_t i = 0; i < count; i++) {
        struct proc_bound *next = &s->web[s->web_count];
        next->text = conf_item(s->conf, CONF_web_listen, i);
        next->fd = bind_one(next->text, old);
        s->web_count += next->fd >= 0;
    }
}
