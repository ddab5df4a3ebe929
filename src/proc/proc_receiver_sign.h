// DKIM signing in the receiver: the keys it was given, and one message that is
// being signed while its body passes by.
#pragma once
#include "auth_signing.h"
#include "proc_role.h"

struct receiver_keys; // shared by configuration and the messages under way
// From the payload of MSG_SIGNERS; NULL: there are none.
struct receiver_keys *receiver_keys_new(const struct proc *p);
void receiver_keys_release(struct receiver_keys *k); // NULL: nothing

struct receiver_sign;
// With the keys of the author, as auth_signing.h has it; with `domain` not empty: of
// that domain. `service`: AUTH_SERVICE_…, what the message is.
struct receiver_sign *receiver_sign_new(struct receiver_keys *k, struct wall now,
                                        struct span domain, unsigned service);
void receiver_sign_free(struct receiver_sign *s); // NULL: nothing
// Fields that will stand above those of the message, known before its header ends.
void receiver_sign_above(struct receiver_sign *s, struct span fields);
void receiver_sign_feed(struct receiver_sign *s, struct span piece);
// The signatures' fields; nothing where the message has no keys. Once.
void receiver_sign_end(struct receiver_sign *s, struct buf *head);
