// The envelope of a stored message, as far as its header tells it: who called, with
// what HELO, for which sender. Only what stands there plainly is taken; the header
// of a message that came past other servers may say anything.
#pragma once
#include "base_buf.h"
#include "dns_answer.h"

struct admin_envelope {
    bool client_known, sender_known;
    struct dns_address client;
    struct buf helo;
    struct buf sender; // local@domain; empty: the null reverse path
};
#define ADMIN_ENVELOPE ((struct admin_envelope){.helo = BUF(1024), .sender = BUF(4096)})
void admin_envelope_free(struct admin_envelope *e); // for CLEANUP

// From the topmost Received and Return-Path fields of a message with CRLF ends.
void admin_envelope_read(struct admin_envelope *e, struct span message);
// The value of a Received field. False: it names no client.
bool admin_received_read(struct admin_envelope *e, struct span value);

// A file as it would have come by SMTP: every line end is CRLF, and the line that an
// mbox puts before a message ("From user@example.org Sun Nov…") is left out.
void admin_message_normalise(struct buf *out, struct span text);
