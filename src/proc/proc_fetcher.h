// The parts of the fetcher role: policies, and reports by POST, from and to the addresses that
// the resolver gave and no others.
#pragma once
#include "lookup_https.h"
#include "proc_asker.h"

enum { FETCHER_ADDRESSES_MAX = 16 };

// The addresses of a host, both families.
struct fetcher_addresses {
    struct proc *proc;
    unsigned waiting; // questions without an answer
    bool unanswered;  // one of them got none that can be believed
    struct dns_address at[FETCHER_ADDRESSES_MAX];
    size_t count;
    void (*known)(void *arg);
    void *arg;
};
void fetcher_ask(struct fetcher_addresses *a, const struct dns_name *host);

struct fetcher_post;
struct fetcher_failure;
struct fetcher {
    struct lookup_https *https;
    struct fetch *open; // handed to `https`
    struct fetcher_post *posts;
    unsigned post_count;
    struct fetcher_failure *failures;
    size_t next_failure; // the place overwritten next
};

bool fetcher_post(struct fetcher *f, struct proc_peer *peer, struct io_message *m);
// What was handed to `https` is forgotten there: tells those who asked.
void fetcher_posts_forgotten(struct fetcher *f);
