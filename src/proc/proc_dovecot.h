// A connection to one of Dovecot's sockets (sasl_dovecot.h has the protocol), made
// again when it is lost, with many questions under way. A socket that is down or
// silent is told as *no answer*, and said on the log by its path.
#pragma once
#include "io_loop.h"
#include "sasl_dovecot.h"

struct dovecot_conf {
    struct span path;
    bool userdb; // the socket of the user database; else that of logins
    int64_t patience_us;
    void (*greeted)(void *arg); // the mechanisms are known; may be NULL
    void *arg;
};
struct dovecot;
struct dovecot *dovecot_new(struct io_loop *l, const struct dovecot_conf *c); // connects
void dovecot_free(struct dovecot *d); // NULL: nothing. Nobody is called any more
bool dovecot_offers(const struct dovecot *d, struct span mechanism);
bool dovecot_known(const struct dovecot *d); // it has greeted us once

// Each is answered once, later: by the line that ends it or asks for more (CONT), or
// NULL: no answer. After CONT the next answer comes behind dovecot_more().
typedef void (*dovecot_told)(void *arg, const struct sasl_dovecot *line);
struct dovecot_question {
    struct dovecot *dovecot; // NULL: not asked
    struct dovecot_question *next, **at;
    uint32_t id;
    bool waiting;
    struct io_timer timer;
    dovecot_told told;
    void *arg;
};
// `q` is the asker's, with `told` and `arg` set; the id of the request is ours.
void dovecot_auth(struct dovecot *d, struct dovecot_question *q, struct sasl_dovecot_request *r);
void dovecot_more(struct dovecot_question *q, struct span response);
void dovecot_user(struct dovecot *d, struct dovecot_question *q, struct span user);
void dovecot_forget(struct dovecot_question *q); // one that was never asked, too
