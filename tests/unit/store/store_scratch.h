// A folder for one test, and short ways to put messages into a store in it.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_queue.h"

#include <ftw.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OK(call)        assert_string_equal(rc_text(call), rc_text(RC(OK)))
#define IS(code_, call) assert_string_equal(rc_text(call), rc_text(RC(code_)))

struct scratch {
    char root[64], path[80];
    struct store *store;
    uint32_t segment;
    int fd;
    uint64_t end;
};

static inline int scratch_unlink(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static inline void scratch_open(struct scratch *s)
{
    const char *why;
    if (!rc_ok(store_open(&s->store, s->path, &why)))
        fail_msg("%s", why);
    s->fd = -1;
    s->end = 0;
}

static inline void scratch_close(struct scratch *s)
{
    store_close(s->store);
    if (s->fd >= 0)
        close(s->fd);
    s->store = NULL;
    s->fd = -1;
}

static inline void scratch_segment(struct scratch *s)
{
    if (s->fd >= 0)
        close(s->fd);
    OK(store_segment_new(s->store, &s->segment, &s->fd));
    s->end = 0;
}

static inline int scratch_setup(void **state)
{
    struct scratch *s = mem_new(sizeof *s);
    strcpy(s->root, "/tmp/geleit-store-XXXXXX");
    if (!mkdtemp(s->root))
        return -1;
    snprintf(s->path, sizeof s->path, "%s/store", s->root);
    scratch_open(s);
    scratch_segment(s);
    *state = s;
    return 0;
}

static inline int scratch_teardown(void **state)
{
    struct scratch *s = *state;
    scratch_close(s);
    nftw(s->root, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

static inline struct wall at_second(int64_t n)
{
    return (struct wall){n * US_PER_S};
}

static inline struct store_recipient to(const char *address, int64_t due)
{
    struct span s = span_str(address), domain = s;
    span_cut(&domain, '@');
    return (struct store_recipient){.address = s, .domain = domain, .due = at_second(due)};
}

static inline void scratch_append(struct scratch *s, struct span body, struct store_range *out)
{
    out->segment = s->segment;
    OK(store_append(s->fd, s->end, body, out));
    s->end += STORE_RECORD_HEADER + body.len;
}

static inline struct store_envelope mail_to(struct scratch *s, struct store_recipient *who,
                                            size_t count, struct span body)
{
    struct store_envelope e = {.received = at_second(10),
                               .sender = SPAN("sender@example.org"),
                               .client = SPAN("192.0.2.1"),
                               .head = SPAN("Received: from here\r\n"),
                               .count = count,
                               .recipients = who};
    scratch_append(s, body, &e.body);
    return e;
}

// One message to one recipient, put and synced; the recipient's id.
static inline uint64_t scratch_mail(struct scratch *s, const char *address, int64_t due)
{
    struct store_recipient who = to(address, due);
    struct store_envelope e = mail_to(s, &who, 1, SPAN("Subject: x\r\n\r\nhello\r\n"));
    OK(store_put(s->store, &e, NULL, 0));
    OK(store_sync(s->store));
    return who.id;
}

static inline void scratch_outcome(struct scratch *s, uint64_t id, enum store_result result,
                                   int64_t due)
{
    struct store_outcome o = {.recipient = id,
                              .result = result,
                              .due = at_second(due),
                              .status = SPAN("4.2.0"),
                              .reason = SPAN("later"),
                              .remote = SPAN("mx.example"),
                              .diagnostic = SPAN("450 4.2.0 later")};
    OK(store_outcome(s->store, &o));
    OK(store_sync(s->store));
}

static inline bool scratch_there(struct scratch *s, uint32_t segment)
{
    char path[128];
    snprintf(path, sizeof path, "%s/body/%u.seg", s->path, segment);
    return access(path, F_OK) == 0;
}
