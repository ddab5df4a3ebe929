// Writing JSON (RFC 8259). The writer puts commas and escapes; the caller opens
// and closes. `key` is NULL inside an array and for the outermost value. Bytes
// that are no valid UTF-8 are written as U+FFFD, so what comes out always parses.
#pragma once
#include "base_buf.h"

struct json {
    struct buf *out;
    bool comma; // a value stands before at this level
};

#define JSON(buf) ((struct json){.out = (buf)})

void json_open(struct json *j, const char *key, char bracket); // '{' or '['
void json_close(struct json *j, char bracket);                 // '}' or ']'
void json_str(struct json *j, const char *key, struct span s); // .at == NULL gives null
void json_int(struct json *j, const char *key, int64_t n);
void json_bool(struct json *j, const char *key, bool b);
void json_none(struct json *j, const char *key); // null; libjansson has a json_null
void json_raw(struct json *j, const char *key, struct span json); // a whole value, as it is
