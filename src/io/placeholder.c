#include "io_channel.h"
#include "io_loop.h"
#include "io_stream.h"
#include "io_tls.h"
typedef int io_placeholder;
