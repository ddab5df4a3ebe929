// "v=STSv1; id=1; ext=2": the common form of the TXT records of MTA-STS (RFC
// 8461 §3.1) and TLS-RPT (RFC 8460 §3). Inside the room.
#pragma once
#include "dns_answer.h"

struct trust_field {
    struct span name, value;
};

// The one record of a TXT answer that begins with `version` and ';' (given
// without the ';'); *fields is what stands behind. False: none, or several.
bool trust_fields_find(const struct dns_answer *txt, struct span version, struct span *fields);

// Takes the next field off the front: 1 there is one, 0 end, -1 no such record
// (empty field in the middle, no '=', a name that is none).
int trust_fields_next(struct span *fields, struct trust_field *out);

bool trust_fields_is_name(struct span name);  // ext-name of both RFCs
bool trust_fields_is_value(struct span text); // ext-value of both RFCs
bool trust_fields_is_alnum(char c);
