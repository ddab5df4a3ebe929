// The command line of geleit: the process's exit status.
#pragma once

int admin_main(int argc, char **argv);
