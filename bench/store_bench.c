// How many messages a second the store takes and gives up again, in one thread:
// append, put and sync in groups, then outcomes and sync in groups, with the
// attempts in the history. Prints one line a run.
//
//   store_bench FOLDER [messages] [group] [body bytes] [backlog]
//
// `backlog`: messages that lie in the queue all the time, before the first counts.
#include "store_history.h"
#include "store_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(struct rc rc, const char *what)
{
    if (!rc_ok(rc))
        panic("%s: %s", what, rc_text(rc));
}

struct bench {
    struct store *store;
    struct store_history *history;
    size_t group, body_size;
    char *body;
    uint32_t segment;
    int fd;
    uint64_t end;
    uint64_t *ids, put, done; // a ring would do; the benchmark keeps all
    double synced;
};

static void next_segment(struct bench *b)
{
    if (b->fd >= 0 && b->end < STORE_SEGMENT_MAX)
        return;
    if (b->fd >= 0) {
        close(b->fd);
        store_segment_seal(b->store, b->segment);
    }
    must(store_segment_new(b->store, &b->segment, &b->fd), "segment");
    b->end = 0;
}

static void put_one(struct bench *b)
{
    next_segment(b);
    char domain[32];
    snprintf(domain, sizeof domain, "d%u.example", (unsigned)(b->put % 997));
    struct wall at = {1700000000 * US_PER_S + (int64_t)b->put};
    struct store_recipient to = {
        .address = SPAN("somebody@somewhere.example"), .domain = span_str(domain), .due = at};
    struct store_envelope e = {
        .received = at,
        .sender = SPAN("bounces+123456@lists.example.org"),
        .client = SPAN("192.0.2.1"),
        .head = SPAN("Received: from client.example ([192.0.2.1])\r\n"
                     "\tby mx.example.org with ESMTPS id 4f2\r\n"
                     "\t(version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384)\r\n"
                     "\tfor <somebody@somewhere.example>;\r\n"
                     "\tSun, 22 Nov 2026 01:58:26 +0000\r\n"),
        .body.segment = b->segment,
        .count = 1,
        .recipients = &to,
    };
    b->body[b->put % b->body_size] ^= 1;
    must(store_append(b->fd, b->end, (struct span){b->body, b->body_size}, &e.body), "append");
    b->end += STORE_RECORD_HEADER + b->body_size;
    must(store_put(b->store, &e, NULL, 0), "put");
    b->ids[b->put++] = to.id;
}

static void sync_all(struct bench *b)
{
    double start = now();
    must(store_sync(b->store), "sync");
    b->synced += now() - start;
}

static void put_group(struct bench *b)
{
    for (size_t i = 0; i < b->group; i++)
        put_one(b);
    sync_all(b);
}

static void history_one(struct bench *b, uint64_t recipient)
{
    struct store_attempt a = {.when = {1700000000 * US_PER_S + (int64_t)b->done},
                              .message = recipient >> 20,
                              .sender = SPAN("bounces+123456@lists.example.org"),
                              .domain = SPAN("somewhere.example"),
                              .recipients = SPAN("[{\"address\":\"somebody@somewhere.example\"}]"),
                              .plan = SPAN("{\"recipient_domain\":\"somewhere.example\"}"),
                              .sessions = SPAN("[{\"host\":\"mx\",\"tls_version\":\"TLSv1.3\"}]"),
                              .decision = SPAN("delivered"),
                              .reason = SPAN("accepted by mx.somewhere.example")};
    must(store_history_attempt(b->history, &a), "attempt");
}

static void outcome_group(struct bench *b)
{
    for (size_t i = 0; i < b->group && b->done < b->put; i++) {
        struct store_outcome o = {.recipient = b->ids[b->done], .result = STORE_DELIVERED};
        must(store_outcome(b->store, &o), "outcome");
        if (b->history)
            history_one(b, b->ids[b->done]);
        b->done++;
    }
    sync_all(b);
    if (b->history)
        must(store_history_commit(b->history), "history");
}

static void run(struct bench *b, uint64_t messages, const char *name)
{
    double start = now();
    uint64_t before = b->put;
    b->synced = 0;
    while (b->put - before < messages) {
        put_group(b);
        outcome_group(b);
    }
    double took = now() - start;
    printf("%-16s %8.0f messages/s  %5.1f us each, %5.1f of them in sync\n", name,
           (double)messages / took, took * 1e6 / (double)messages,
           b->synced * 1e6 / (double)messages);
}

static uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
    uint64_t n;
    return i < argc && span_number(span_str(argv[i]), UINT32_MAX, &n) ? n : otherwise;
}

int main(int argc, char **argv)
{
    const char *why;
    char path[1024];
    if (argc < 2) {
        fprintf(stderr, "usage: store_bench FOLDER [messages] [group] [body bytes] [backlog]\n");
        return 2;
    }
    uint64_t messages = argument(argc, argv, 2, 40000), backlog = argument(argc, argv, 5, 0);
    struct bench b = {.fd = -1,
                      .group = argument(argc, argv, 3, 16),
                      .body_size = argument(argc, argv, 4, 10240)};
    b.body = mem_new(b.body_size);
    b.ids = mem_new((2 * messages + backlog + 3 * b.group) * sizeof(*b.ids));
    if (!rc_ok(store_open(&b.store, argv[1], &why)))
        panic("%s", why);
    while (b.put < backlog)
        put_group(&b);
    run(&b, messages, "queue");
    snprintf(path, sizeof path, "%s/history.db", argv[1]);
    if (!rc_ok(store_history_open(&b.history, path, &why)))
        panic("%s", why);
    run(&b, messages, "queue+history");
    store_history_close(b.history);
    store_close(b.store);
    close(b.fd);
    free(b.body);
    free(b.ids);
    return 0;
}
