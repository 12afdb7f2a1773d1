/* Lanes: order, limits, and nothing lost at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>

#include "thread.h"

struct place {
    sem_t started; /* a job is running */
    sem_t go_on;   /* it may end */
    pthread_mutex_t lock;
    int order[100];
    int count;
    int opened;
    int closed;
};

static struct place place;

static int setup(void **state)
{
    (void)state;
    place = (struct place){ .lock = PTHREAD_MUTEX_INITIALIZER };
    sem_init(&place.started, 0, 0);
    sem_init(&place.go_on, 0, 0);
    return 0;
}

static void *open_lane(void *context)
{
    struct place *here = context;
    pthread_mutex_lock(&here->lock);
    here->opened++;
    pthread_mutex_unlock(&here->lock);
    return here;
}

static void close_lane(void *lane_state)
{
    struct place *here = lane_state;
    pthread_mutex_lock(&here->lock);
    here->closed++;
    pthread_mutex_unlock(&here->lock);
}

static void job_note(void *context, void *lane_state)
{
    struct place *here = lane_state;
    pthread_mutex_lock(&here->lock);
    here->order[here->count++] = *(int *)context;
    pthread_mutex_unlock(&here->lock);
}

static void job_hold(void *context, void *lane_state)
{
    (void)context;
    struct place *here = lane_state;
    sem_post(&here->started);
    sem_wait(&here->go_on);
}

static struct lanes *given_lanes(size_t threads, size_t queue_limit)
{
    struct error err;
    struct lanes *lanes = NULL;
    const struct lanes_options options = { .threads = threads,
                                           .queue_limit = queue_limit,
                                           .name = "test",
                                           .lane_open = open_lane,
                                           .lane_close = close_lane,
                                           .context = &place };
    assert_int_equal(lanes_new(&options, &lanes, &err), 0);
    return lanes;
}

static void test_lanes__one_lane_keeps_the_order_and_runs_all_before_it_ends(void **state)
{
    (void)state;
    struct lanes *lanes = given_lanes(1, 50);
    int numbers[50];

    for (int i = 0; i < 50; i++) {
        numbers[i] = i;
        while (lanes_add(lanes, job_note, &numbers[i]) < 0)
            continue;
    }
    lanes_free(lanes);

    assert_int_equal(place.count, 50);
    for (int i = 0; i < 50; i++)
        assert_int_equal(place.order[i], i);
    assert_int_equal(place.opened, 1);
    assert_int_equal(place.closed, 1);
}

static void test_lanes__refuse_when_the_queue_is_full(void **state)
{
    (void)state;
    struct lanes *lanes = given_lanes(1, 2);
    int number = 1;
    assert_int_equal(lanes_add(lanes, job_hold, NULL), 0);
    sem_wait(&place.started);

    assert_int_equal(lanes_add(lanes, job_note, &number), 0);
    assert_int_equal(lanes_add(lanes, job_note, &number), 0);
    assert_int_equal(lanes_add(lanes, job_note, &number), -1);
    assert_int_equal(lanes_waiting(lanes), 2);

    sem_post(&place.go_on);
    lanes_free(lanes);
    assert_int_equal(place.count, 2);
}

static void test_lanes__run_side_by_side(void **state)
{
    (void)state;
    struct lanes *lanes = given_lanes(3, 8);

    for (int i = 0; i < 3; i++)
        assert_int_equal(lanes_add(lanes, job_hold, NULL), 0);
    for (int i = 0; i < 3; i++)
        sem_wait(&place.started); /* all three at once, or this never returns */
    for (int i = 0; i < 3; i++)
        sem_post(&place.go_on);

    lanes_free(lanes);
    assert_int_equal(place.opened, 3);
    assert_int_equal(place.closed, 3);
    lanes_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lanes__one_lane_keeps_the_order_and_runs_all_before_it_ends,
                               setup),
        cmocka_unit_test_setup(test_lanes__refuse_when_the_queue_is_full, setup),
        cmocka_unit_test_setup(test_lanes__run_side_by_side, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
