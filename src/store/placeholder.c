#include "store_history.h"
#include "store_policy.h"
#include "store_queue.h"
#include "store_segment.h"
typedef int store_placeholder;
