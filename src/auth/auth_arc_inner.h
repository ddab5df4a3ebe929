// The chain verifier's inside, shared by its steps; nobody else includes it.
//
//   auth_arc.c        bytes and answers in, questions out
//   auth_arc_set.c    from header fields to sets; the structure of the chain
//   auth_arc_judge.c  signatures, verdict
//   auth_arc_hint.c   what configured sealers reported
#pragma once
#include "auth_arc.h"
#include "auth_body.h"
#include "auth_dkim_record.h"
#include "auth_head.h"

enum arc_kind { ARC_RESULTS, ARC_MESSAGE, ARC_SEAL, ARC_KINDS };
enum arc_cv { ARC_CV_MISSING, ARC_CV_NONE, ARC_CV_PASS, ARC_CV_FAIL };

enum {
    ARC_KEYS_PER_ANSWER = 4,
    ARC_QUESTIONS_MAX = 2 * AUTH_ARC_SETS_MAX,
    ARC_ARENA = 1 << 20,
    ARC_RSA_BITS_MIN = 1024 // RFC 8301 §3.2
};

struct arc_question { // for a key
    struct dns_name name;
    bool asked, answered, dns_failed;
    const char *fault; // there is no key to try
    size_t count;
    struct auth_dkim_key keys[ARC_KEYS_PER_ANSWER];
    const char *faults[ARC_KEYS_PER_ANSWER]; // by record; NULL: usable
};

struct arc_signature { // of a seal or of a message signature
    const char *fault; // not to be verified
    struct auth_dkim_signature at;
    struct crypto_digest digest; // of the header
    size_t body_hash;            // message signatures
    size_t question;
};

struct arc_set {
    size_t field[ARC_KINDS]; // index + 1; 0: missing
    enum arc_cv cv;
    struct arc_signature seal, message;
};

struct auth_arc {
    struct auth_arc_options options;
    struct dns_name *sealers;
    struct arena arena;
    struct auth_split split;
    struct auth_head head;
    struct auth_body body;
    bool head_read, ended, judged;
    const char *broken; // the structure is
    unsigned broken_at; // instance, or 0
    unsigned count;
    struct arc_set sets[AUTH_ARC_SETS_MAX];
    size_t questions;
    struct arc_question asked[ARC_QUESTIONS_MAX];
    struct auth_arc_set shown[AUTH_ARC_SETS_MAX];
    struct auth_arc_result result;
};

void arc_collect(struct auth_arc *m); // steps 1 to 3 of §5.2, digests, questions
void arc_judge(struct auth_arc *m);   // steps 4 to 7
void arc_hint(struct auth_arc *m);
