// What stands between a client's bytes and the body that is stored: the
// evaluator, which sees them as they came, the filter that takes out forged
// Authentication-Results, and the signer, which sees what is stored.
#pragma once
#include "auth_results.h"
#include "proc_receiver.h"
#include "proc_receiver_auth.h"
#include "proc_receiver_sign.h"
#include "proc_receiver_submit.h"

struct receiver_screen { // {0}: nothing to do
    struct receiver_auth *auth;
    struct receiver_sign *sign;
    struct receiver_submit *submit; // a user's message
    struct receiver_body *body;
    struct auth_strip strip;
    bool stripping;
    struct buf kept; // small pieces of the filter, to be stored together
};

// A sender and a first recipient are known. `inside`: a client that may relay.
void receiver_screen_sender(struct receiver_screen *s, struct receiver *r, bool inside,
                            const struct receiver_auth_request *q);
// The message begins, and is to be stored in `body`.
void receiver_screen_begin(struct receiver_screen *s, struct receiver *r, bool inside,
                           struct receiver_body *body);
// It is a user's: checked, and given what it lacks. After begin.
void receiver_screen_submit(struct receiver_screen *s, struct receiver *r,
                            const struct receiver_user *user);
void receiver_screen_feed(struct receiver_screen *s, struct span piece);
// The last bytes go to the body. True: the verdict is there, or there is none to
// be had; false: `done` is called once, later.
bool receiver_screen_end(struct receiver_screen *s, void (*done)(void *arg), void *arg);
// The fields to stand above Received.
void receiver_screen_put(struct receiver_screen *s, struct buf *head);
void receiver_screen_drop(struct receiver_screen *s); // of this message; {0} again
