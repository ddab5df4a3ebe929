// What the parts of a link share: its life (proc_link.c), its talk (proc_link_talk.c).
#pragma once
#include "proc_link.h"

// Its timer, no later than its end.
void link_arm(struct link *l, struct mono when);
void link_arm_in(struct link *l, int64_t us);
// Without its user; freed at once, or by link_move() where that is at work.
void link_bury(struct link *l);
void link_free(struct link *l);

extern const struct io_stream_owner link_stream;
// Lets the machine go on with what it has.
void link_move(struct link *l);
// The connection ended: the user hears of it, in a transaction with its outcomes.
void link_lost(struct link *l, struct rc why);

// What the handshake showed, for the record of the session.
void link_take_facts(struct link *l, const struct io_tls_facts *f);
enum trust_result_type link_result_of(enum io_tls_fault fault);
