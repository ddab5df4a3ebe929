// What a submission server owes a user's message (RFC 6409): Date and Message-ID
// where they are missing (§8.2, §8.3), authors that are the user's own (§6.1).
#pragma once
#include "base_time.h"
#include "proc_receiver_login.h"

struct receiver_submit;
// `user` outlives it.
struct receiver_submit *receiver_submit_new(const struct receiver_user *user, struct wall now,
                                            struct span hostname);
void receiver_submit_free(struct receiver_submit *s); // NULL: nothing
// True: the header is whole now (once): look at the fields and the refusal.
bool receiver_submit_feed(struct receiver_submit *s, struct span piece);
bool receiver_submit_end(struct receiver_submit *s);
struct span receiver_submit_fields(const struct receiver_submit *s); // to stand above it
struct span receiver_submit_refusal(struct receiver_submit *s);      // empty: accepted
