// Who is told what: NOTIFY × outcome × null sender × delay, against RFC 3461 §5.2 as it reads.
#include "proc_notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { S = STORE_NOTIFY_SUCCESS, F = STORE_NOTIFY_FAILURE, D = STORE_NOTIFY_DELAY };
enum { NEVER = STORE_NOTIFY_NEVER, ALL = S | F | D };

#define HOUR SECONDS(3600)

// What becomes of a recipient, and what each NOTIFY makes of it: (none), NEVER, SUCCESS,
// FAILURE, DELAY, all three.
static const uint8_t notify[] = {0, NEVER, S, F, D, ALL};
enum { KINDS = sizeof notify };

#define NO        STORE_NOTICE_NONE
#define FAILED    STORE_NOTICE_FAILED
#define DELAYED   STORE_NOTICE_DELAYED
#define DELIVERED STORE_NOTICE_DELIVERED
#define RELAYED   STORE_NOTICE_RELAYED

static const struct row {
    const char *name;
    struct notice_case c;
    enum store_notice want[KINDS];
} rows[] = {
    {"into the mailbox",
     {.result = STORE_DELIVERED, .hop = STORE_HOP_MAILBOX},
     {NO, NO, DELIVERED, NO, NO, DELIVERED}},
    {"to a server without DSN",
     {.result = STORE_DELIVERED, .hop = STORE_HOP_PLAIN},
     {NO, NO, RELAYED, NO, NO, RELAYED}},
    {"to a server with DSN",
     {.result = STORE_DELIVERED, .hop = STORE_HOP_DSN},
     {NO, NO, NO, NO, NO, NO}},
    {"delivered late",
     {.result = STORE_DELIVERED, .hop = STORE_HOP_PLAIN, .age_us = 5 * HOUR, .warn_us = 4 * HOUR},
     {NO, NO, RELAYED, NO, NO, RELAYED}},
    {"failed", {.result = STORE_FAILED}, {FAILED, NO, NO, FAILED, NO, FAILED}},
    {"failed after a delay",
     {.result = STORE_FAILED, .told = true, .age_us = 5 * HOUR, .warn_us = 4 * HOUR},
     {FAILED, NO, NO, FAILED, NO, FAILED}},
    {"failed for REQUIRETLS, with a sender",
     {.result = STORE_FAILED, .requiretls = true, .status = {"5.7.30", 6}},
     {FAILED, NO, NO, FAILED, NO, FAILED}},
    {"deferred, young",
     {.result = STORE_DEFERRED, .age_us = 4 * HOUR - 1, .warn_us = 4 * HOUR},
     {NO, NO, NO, NO, NO, NO}},
    {"deferred, old",
     {.result = STORE_DEFERRED, .age_us = 4 * HOUR, .warn_us = 4 * HOUR},
     {DELAYED, NO, NO, NO, DELAYED, DELAYED}},
    {"deferred, told already",
     {.result = STORE_DEFERRED, .told = true, .age_us = 9 * HOUR, .warn_us = 4 * HOUR},
     {NO, NO, NO, NO, NO, NO}},
    {"deferred, and delay is never told",
     {.result = STORE_DEFERRED, .age_us = 99 * HOUR, .warn_us = 0},
     {NO, NO, NO, NO, NO, NO}},
    {"deferred, the clock was set back",
     {.result = STORE_DEFERRED, .age_us = -HOUR, .warn_us = 4 * HOUR},
     {NO, NO, NO, NO, NO, NO}},
};
enum { ROWS = sizeof rows / sizeof *rows };

static void row_run(void **state)
{
    const struct row *r = *state;
    for (size_t i = 0; i < KINDS; i++) {
        struct notice_case c = r->c;
        c.notify = notify[i];
        if (notice_due(&c) != r->want[i])
            fail_msg("NOTIFY %u: %d, not %d", notify[i], notice_due(&c), r->want[i]);
    }
}

// Nobody hears of mail that has no sender, whatever NOTIFY says (RFC 3461 §4.5, RFC 5321 §4.5.5).
static void nobody_is_told_of_a_null_sender(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < KINDS; k++) {
            struct notice_case c = rows[i].c;
            c.notify = notify[k];
            c.null_path = true;
            c.requiretls = false;
            assert_int_equal(notice_due(&c), NO);
        }
}

static const struct again {
    const char *status;
    enum store_result result;
    bool ours, eight_bit, requiretls, again;
} agains[] = {
    {"5.7.10", STORE_FAILED, true, false, true, true},
    {"5.7.30", STORE_FAILED, true, false, true, true},
    {"5.7.30", STORE_FAILED, false, false, true, true}, // a report that others wrote
    {"4.7.5", STORE_FAILED, true, false, true, true},   // its life is over
    {"5.7.1", STORE_FAILED, true, false, true, false},
    {"5.1.1", STORE_FAILED, true, false, true, false},
    {"5.7.30", STORE_FAILED, true, false, false, false},
    {"5.7.30", STORE_DEFERRED, true, false, true, false},
    {"5.7.30", STORE_DELIVERED, true, false, true, false},
    {"5.6.3", STORE_FAILED, true, true, false, true},
    {"5.6.3", STORE_FAILED, false, true, false, false},
    {"5.6.3", STORE_FAILED, true, false, false, false},
};

static void a_notice_goes_again_without_its_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof agains / sizeof *agains; i++) {
        const struct again *a = &agains[i];
        enum store_notice n = notice_due(&(struct notice_case){.result = a->result,
                                                               .null_path = true,
                                                               .ours = a->ours,
                                                               .eight_bit = a->eight_bit,
                                                               .requiretls = a->requiretls,
                                                               .status = span_str(a->status)});
        if (n != (a->again ? STORE_NOTICE_REDACTED : STORE_NOTICE_NONE))
            fail_msg("case %zu (%s): %d", i, a->status, n);
    }
}

int main(void)
{
    struct CMUnitTest tests[ROWS + 2];
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){rows[i].name, row_run, NULL, NULL, (void *)&rows[i]};
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(nobody_is_told_of_a_null_sender);
    tests[ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(a_notice_goes_again_without_its_content);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
