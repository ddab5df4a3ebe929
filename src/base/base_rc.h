// "Could not do it": the one result type of calls that can fail for reasons
// outside a program's own logic. (That an answer is *no* is a value, never an
// rc; that we are wrong is a panic.) A caller must look at it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// code, who is to blame, worth another try, enhanced status (RFC 3463), text
#define RC_TABLE(X)                                                                                \
    X(OK, NOBODY, false, "2.0.0", "done")                                                          \
    X(MALFORMED, PEER, false, "5.5.2", "malformed input")                                          \
    X(TOO_LARGE, PEER, false, "5.3.4", "over a size limit")                                        \
    X(TIMEOUT, PEER, true, "4.4.2", "timed out")                                                   \
    X(CLOSED, PEER, true, "4.4.2", "the other side closed")                                        \
    X(REFUSED, PEER, true, "4.4.1", "connection refused or unreachable")                           \
    X(FULL, US, true, "4.3.1", "a ceiling of ours is reached")                                     \
    X(DISK_FULL, SYSTEM, true, "4.3.1", "no space left in the store")                              \
    X(READ_ONLY, SYSTEM, true, "4.3.0", "the store cannot be written")                             \
    X(IO, SYSTEM, true, "4.3.0", "input or output error")                                          \
    X(UNAVAILABLE, SYSTEM, true, "4.3.2", "a part of the system is not there now")                 \
    X(CORRUPT, SYSTEM, false, "5.3.0", "stored data is damaged")                                   \
    X(NOT_FOUND, OPERATOR, false, "5.1.0", "not found")                                            \
    X(DENIED, OPERATOR, false, "5.7.0", "permission denied")                                       \
    X(CONFIG, OPERATOR, false, "5.3.5", "configuration error")

enum rc_code {
#define X(name, blame, retry, status, text) RC_##name,
    RC_TABLE(X)
#undef X
        RC_COUNT
};

enum rc_blame { RC_NOBODY, RC_PEER, RC_US, RC_SYSTEM, RC_OPERATOR };

struct [[nodiscard]] rc {
    enum rc_code code;
};

#define RC(name) ((struct rc){RC_##name})

static inline bool rc_ok(struct rc rc)
{
    return rc.code == RC_OK;
}
const char *rc_text(struct rc rc);
const char *rc_status(struct rc rc); // "4.3.1"
bool rc_retry(struct rc rc);
enum rc_blame rc_blame(struct rc rc);
struct rc rc_errno(int error); // the code that says the same as errno

// The one macro that returns.
#define TRY(call)                                                                                  \
    do {                                                                                           \
        struct rc try_rc_ = (call);                                                                \
        if (!rc_ok(try_rc_))                                                                       \
            return try_rc_;                                                                        \
    } while (0)

// A bug of ours: says where on standard error and aborts; the master restarts
// the role. Hostile input must never lead here.
#define panic(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)
void panic_at(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

// Memory: never NULL; running out of it is a panic. New memory is zeroed, what a
// resize adds is not. Foreign sizes are bounded (arena, buf) before they come here.
void *mem_new(size_t size);
void *mem_resize(void *old, size_t size);
void mem_wipe(void *at, size_t size); // of secrets; NULL: nothing
// Scope-bound clean-up: `CLEANUP(buf_free) struct buf b = ...;`
#define CLEANUP(fn) __attribute__((cleanup(fn)))
