// The power goes at any write or sync of the store: what was acknowledged is
// there afterwards, whole and once, and a group is there or not. POWER_ROUNDS says
// how often, POWER_SEED from which chance on.
#include "fault_use.h"

#include "fault_power.h"
#include "fault_vfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 72, ROUNDS_A_STORE = 12 };

static long number_from(const char *name, long otherwise)
{
    const char *text = getenv(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 ? n : otherwise;
}

// The folder of the bodies as it is now is safe.
static void folders_are_synced(void)
{
    char name[100];
    snprintf(name, sizeof name, "%s/body", path);
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    power_folder_synced(fd);
    close(fd);
}

// Now and then it stops and starts in order, which checkpoints.
static void work_until_power_goes(long at, unsigned seed)
{
    struct user u;
    power = (struct power){.at = at, .seed = seed};
    folders_are_synced();
    fault_install();
    while (shared->next < KEYS - 200) {
        if (!user_begin(&u))
            _exit(1);
        for (unsigned n = 1 + (unsigned)rand_r(&seed) % 24; n; n--)
            turn(&u, (unsigned)rand_r(&seed));
        if (u.trouble)
            _exit(2);
        close(u.fd);
        store_close(u.store);
    }
    _exit(0);
}

// Soon (while it opens), in the usual run of things, or after a while.
static long moment(unsigned *seed)
{
    static const unsigned within[] = {60, 600, 600, 6000};
    unsigned which = (unsigned)rand_r(seed) % 4;
    return 1 + (long)((unsigned)rand_r(seed) % within[which]);
}

static void the_power_goes_at_any_moment(void **state)
{
    (void)state;
    long rounds = number_from("POWER_ROUNDS", ROUNDS), messages = 0;
    unsigned seed = (unsigned)number_from("POWER_SEED", 20261122);
    print_message("# POWER_SEED=%u\n", seed);
    for (long round = 0; round < rounds; round++) {
        if (round % ROUNDS_A_STORE == 0) {
            messages += shared->next;
            store_remove();
            *shared = (struct shared){0};
            check(false); // makes it
        }
        unsigned chance = (unsigned)rand_r(&seed);
        long at = moment(&seed);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            work_until_power_goes(at, chance);
        wait_for(child);
        check(false);
    }
    messages += shared->next;
    assert_true(messages > rounds);
    print_message("# %ld power losses, %ld messages\n", rounds, messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_power_goes_at_any_moment, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
