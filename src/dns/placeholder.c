#include "dns_answer.h"
#include "dns_name.h"
typedef int dns_placeholder;
