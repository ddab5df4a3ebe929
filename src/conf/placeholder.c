#include "conf.h"
#include "conf_schema.h"
typedef int conf_placeholder;
