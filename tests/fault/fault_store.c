// Nothing that was acknowledged is lost, nothing is there twice or in part:
// while the Nth write or sync fails, for every N, and through kill -9 at any
// moment. A child uses the store and says in shared memory what it was told; its
// parent opens what is left and compares.
#include "fault_use.h"
#include "fault_vfs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 48 };

enum ending { CRASH, CLOSE };

// In the child: the disk fails as told, the user goes on as if nothing were,
// and after the trouble it must work again.
static void use_failing_disk(struct fault how, enum ending ending)
{
    struct user u;
    fault = how;
    fault_install();
    bool begun = user_begin(&u);
    for (unsigned i = 0; begun && i < 3; i++)
        turn(&u, 0x3b5 + 77 * i);
    shared->operations = fault.count;
    if (begun && u.trouble && ending == CLOSE) {
        fault.at = 0;
        u.trouble = false;
        turn(&u, 0x13d);
        shared->wrong = u.trouble; // space is back, and it still fails
    }
    if (begun && ending == CLOSE)
        store_close(u.store);
    _exit(0);
}

static bool one_failing(long at, bool for_ever, bool full, enum ending ending)
{
    *shared = (struct shared){0};
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        use_failing_disk((struct fault){.at = at, .for_ever = for_ever, .full = full}, ending);
    wait_for(child);
    if (shared->wrong)
        fail_msg("after failure %ld the store does not work again", at);
    // A disk that fails for ever lets nothing be undone on it.
    check(!for_ever || ending == CLOSE);
    store_remove();
    return at <= shared->operations;
}

static void every_failure(bool for_ever, bool full, enum ending ending)
{
    long at = 1;
    while (one_failing(at, for_ever, full, ending))
        at++;
    assert_true(at > 50);
    print_message("# %ld steps\n", at - 1);
}

static void one_write_or_sync_fails_then_crash(void **state)
{
    (void)state;
    every_failure(false, false, CRASH);
}

static void one_write_or_sync_fails_then_work_goes_on(void **state)
{
    (void)state;
    every_failure(false, true, CLOSE);
}

static void disk_is_full_from_then_on_then_crash(void **state)
{
    (void)state;
    every_failure(true, true, CRASH);
}

static void disk_is_full_until_space_is_back(void **state)
{
    (void)state;
    every_failure(true, true, CLOSE);
}

static void work_until_killed(unsigned seed)
{
    struct user u;
    if (!user_begin(&u))
        _exit(1);
    while (shared->next < KEYS - 100)
        turn(&u, (unsigned)rand_r(&seed));
    _exit(0);
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    unsigned seed = 20261122;
    *shared = (struct shared){0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            work_until_killed(seed + round);
        long us = 1000 + rand_r(&seed) % (round % 3 ? 60000 : 15000);
        nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
        kill(child, SIGKILL);
        wait_for(child);
        check(false);
    }
    assert_true(shared->next > 100);
    print_message("# %u messages\n", shared->next);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_write_or_sync_fails_then_crash),
        T(one_write_or_sync_fails_then_work_goes_on),
        T(disk_is_full_from_then_on_then_crash),
        T(disk_is_full_until_space_is_back),
        T(killed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
