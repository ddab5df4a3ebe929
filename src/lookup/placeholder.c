#include "lookup_dns.h"
#include "lookup_https.h"
typedef int lookup_placeholder;
