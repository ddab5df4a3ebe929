// The child that reads reports of others, for who does not wait for it.
#pragma once
#include "io_child.h"
#include "proc_taken.h"

struct io_child_task proc_taken_task(struct span bytes);
const char *proc_taken_fault(enum io_child_end end); // NULL: none
