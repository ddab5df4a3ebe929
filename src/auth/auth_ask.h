// What every evaluator of this room (SPF, DKIM, DMARC, ARC) hands out: it asks
// DNS questions and is answered, and never does anything else with the world.
//
// Driver: call next() until AUTH_WAIT or AUTH_DONE; carry out each AUTH_ASK_DNS
// (several may be under way at once) and give its answer by `ticket`. A
// question never answered keeps the evaluator waiting: the driver owns the
// deadline and answers an overdue one with standing INDETERMINATE, which leads
// to temperror, never to "none".
#pragma once
#include "dns_answer.h"

enum auth_ask { AUTH_WAIT, AUTH_ASK_DNS, AUTH_DONE };

struct auth_step {
    enum auth_ask kind;
    unsigned ticket;
    struct dns_question question;
};

// Results in the words of RFC 8601 §2.7, one table for all methods.
enum auth_result {
    AUTH_NONE,
    AUTH_PASS,
    AUTH_FAIL,
    AUTH_SOFTFAIL,
    AUTH_NEUTRAL,
    AUTH_POLICY,
    AUTH_TEMPERROR,
    AUTH_PERMERROR,
    AUTH_RESULTS
};
const char *auth_result_text(enum auth_result r); // "pass"
