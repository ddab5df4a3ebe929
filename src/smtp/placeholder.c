#include "smtp_client.h"
#include "smtp_reply.h"
#include "smtp_server.h"
typedef int smtp_placeholder;
