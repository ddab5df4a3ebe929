// Does DNSSEC work here? Asked at start and every hour, of the root and past all
// caches: its keys must come and be secure. Where they are not, a second question
// without validation tells who is to blame. The answer is told and shown; it
// decides nothing: without validation there is no DANE to be found anyway, and
// what is bogus stays bogus.
#pragma once
#include "lookup_dns.h"
#include "proc_role.h"

enum self_test_is {
    SELF_TEST_UNKNOWN,        // the root did not answer
    SELF_TEST_VALIDATING,     // the root's keys are secure
    SELF_TEST_NOT_VALIDATING, // keys and signatures come, and do not fit the anchor
    SELF_TEST_STRIPPED,       // keys or signatures do not come: somebody takes them out
    SELF_TESTS
};
const char *self_test_text(enum self_test_is is); // "validating"

struct self_test;
// `conf` is the resolver's own; what it points to must stay until the next of these.
struct self_test *self_test_new(struct io_loop *l);
void self_test_run(struct self_test *t, const struct lookup_dns_conf *conf); // and every hour
enum self_test_is self_test_was(const struct self_test *t); // the last time; UNKNOWN before
// `told` once, now or when the first answer is there.
void self_test_ask(struct self_test *t, void (*told)(void *arg, enum self_test_is is), void *arg);
