// What the DNS says about a client's address, as a pure machine: whether it has a
// name that leads back to it (FCrDNS), and which block lists have it (RFC 5782).
//
// All questions that can be are asked at once. No answer is never a listing, and
// never a missing name. Of more than ABUSE_NAMES_MAX names the rest is not asked for,
// and then it is not known that none leads back.
#pragma once
#include "dns_answer.h"

enum { ABUSE_LISTS_MAX = 16, ABUSE_NAMES_MAX = 10 };

struct abuse_list {
    struct dns_name zone; // "zen.example.org"
    bool refuse;          // else only noted
};
struct abuse_conf {
    struct abuse_list lists[ABUSE_LISTS_MAX];
    size_t list_count;
    bool names; // ask for the client's name
};

enum abuse_name {
    ABUSE_NAME_NOT_ASKED,
    ABUSE_NAME_CONFIRMED, // `name` has the client's address
    ABUSE_NAME_NONE,      // it has no name, or none that leads back
    ABUSE_NAME_NOT_KNOWN, // a question was not answered, or not asked
};
struct abuse_finding {
    enum abuse_name name_is;
    struct dns_name name;
    // The list that counts: the first that refuses, else the first that notes. NULL: none.
    const struct abuse_list *listed;
    struct dns_address code; // what it said, 127.0.0.2 and the like
};

struct abuse_client;
// `conf` is borrowed and outlives the machine.
struct abuse_client *abuse_client_new(const struct abuse_conf *conf,
                                      const struct dns_address *address);
void abuse_client_free(struct abuse_client *c); // NULL: nothing
// True: ask *q, and give the answer under *ticket. False: nothing to ask now.
bool abuse_client_asks(struct abuse_client *c, unsigned *ticket, struct dns_question *q);
void abuse_client_answer(struct abuse_client *c, unsigned ticket, const struct dns_answer *a);
bool abuse_client_done(const struct abuse_client *c);
// What is known so far.
struct abuse_finding abuse_client_finding(const struct abuse_client *c);
