/* A channel whose other end reads slowly, or not at all. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"

enum { SMALL_LIMIT = 1 << 20, PAYLOAD = 60000 };

struct ends {
    struct loop *loop;
    struct channel channel;
    char *scratch;
    int theirs;
    unsigned times_broken;
    char sentence[100];
};

static int take_frame(void *context, const struct frame *frame, const char **ret_sentence)
{
    (void)context;
    (void)frame;
    (void)ret_sentence;
    return 0;
}

static void broken(void *context, const char *sentence)
{
    struct ends *ends = context;
    ends->times_broken++;
    strncpy(ends->sentence, sentence == NULL ? "" : sentence, sizeof(ends->sentence) - 1);
}

static void dirty(void *context)
{
    (void)context;
}

static const struct channel_handlers handlers = { .frame = take_frame,
                                                  .broken = broken,
                                                  .dirty = dirty };

static int setup(void **state)
{
    struct ends *ends = calloc(1, sizeof(*ends));
    int pair[2];
    struct error err;
    assert_int_equal(loop_new(&ends->loop, &err), 0);
    assert_int_equal(fd_socketpair(SOCK_STREAM, pair, &err), 0);
    assert_int_equal(fd_set_blocking(pair[0], false), 0);
    assert_int_equal(fd_set_blocking(pair[1], false), 0);
    ends->theirs = pair[1];
    ends->scratch = malloc(CHANNEL_READ);
    assert_int_equal(
        channel_open(&ends->channel, ends->loop, pair[0], ends->scratch, &handlers, ends, &err), 0);
    ends->channel.out.limit = SMALL_LIMIT;
    *state = ends;
    return 0;
}

static int teardown(void **state)
{
    struct ends *ends = *state;
    channel_close(&ends->channel);
    fd_close(&ends->theirs);
    loop_free(ends->loop);
    free(ends->scratch);
    free(ends);
    return 0;
}

static size_t read_all(struct ends *ends)
{
    char block[4096];
    size_t bytes = 0;
    for (ssize_t got; (got = read(ends->theirs, block, sizeof(block))) > 0;)
        bytes += (size_t)got;
    return bytes;
}

static void test_more_than_is_kept_ends_the_channel_and_no_torn_frame_leaves(void **state)
{
    struct ends *ends = *state;
    static const char payload[PAYLOAD] = { 0 };

    for (size_t bytes = 0; bytes < 2 * SMALL_LIMIT; bytes += PAYLOAD)
        channel_send(&ends->channel, FRAME_CANCEL, 1, payload, PAYLOAD);
    assert_int_equal(ends->times_broken, 0); /* whoever sends is not called from inside it */
    channel_flush(&ends->channel);
    channel_flush(&ends->channel);

    assert_int_equal(ends->times_broken, 1);
    assert_string_equal(ends->sentence, "does not read what is sent to it");
    assert_int_equal(read_all(ends), 0);
}

/* All but one frame is read each time: something always waits. */
static void test_a_reader_that_is_always_behind_does_not_fill_the_channel(void **state)
{
    struct ends *ends = *state;
    static char payload[PAYLOAD], frame[FRAME_HEAD + PAYLOAD];
    size_t sent = 0, read_bytes = 0;

    for (; sent < 20 * (size_t)SMALL_LIMIT; sent += sizeof(frame)) {
        channel_send(&ends->channel, FRAME_CANCEL, 1, payload, PAYLOAD);
        channel_flush(&ends->channel);
        while (sent + sizeof(frame) > read_bytes + SMALL_LIMIT / 2) {
            ssize_t got = read(ends->theirs, frame, sizeof(frame));
            if (got > 0)
                read_bytes += (size_t)got;
            channel_flush(&ends->channel);
        }
        assert_true(channel_unsent(&ends->channel) > 0 || sent < SMALL_LIMIT);
    }
    for (int tries = 0; read_bytes < sent && tries < 1000; tries++) {
        read_bytes += read_all(ends);
        channel_flush(&ends->channel);
    }

    assert_int_equal(ends->times_broken, 0);
    assert_int_equal(read_bytes, sent);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_more_than_is_kept_ends_the_channel_and_no_torn_frame_leaves),
        TEST(test_a_reader_that_is_always_behind_does_not_fill_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
