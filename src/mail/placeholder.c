#include "mail_address.h"
#include "mail_dsn.h"
#include "mail_header.h"
typedef int mail_placeholder;
