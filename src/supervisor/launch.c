/* Argv and environment of a child, from a memfd of the api's making: nothing in it is believed. */
#include "launch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "mem.h"
#include "text.h"

static void list_free(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

void launch_release(struct launch *launch)
{
    list_free(launch->argv);
    list_free(launch->envp);
    *launch = (struct launch){ 0 };
}

/* Copies count strings from *bytes on; NULL if they end too early. */
static char **list_read(const char **bytes, const char *end, size_t count)
{
    char **list = xcalloc(count + 1, sizeof(*list));

    for (size_t i = 0; i < count; i++) {
        const char *nul = *bytes < end ? memchr(*bytes, '\0', (size_t)(end - *bytes)) : NULL;

        if (nul == NULL) {
            list_free(list);
            return NULL;
        }
        list[i] = xstrndup(*bytes, (size_t)(nul - *bytes));
        *bytes = nul + 1;
    }
    return list;
}

int launch_parse(const void *bytes, size_t count, struct launch *ret_launch, struct error *err)
{
    const char *at = bytes;
    const char *end = at + count;
    struct launch launch = { 0 };
    uint32_t counts[2];

    if (count < sizeof(counts))
        return fail(err, ERROR_INTERNAL, "launch: too short");
    memcpy(counts, at, sizeof(counts));
    at += sizeof(counts);
    if (counts[0] == 0 || counts[0] > LAUNCH_ARGUMENTS || counts[1] > LAUNCH_VARIABLES)
        return fail(err, ERROR_INTERNAL, "launch: %u arguments, %u variables", counts[0],
                    counts[1]);
    launch.argv = list_read(&at, end, counts[0]);
    if (launch.argv != NULL)
        launch.envp = list_read(&at, end, counts[1]);
    if (launch.envp == NULL || at != end) {
        launch_release(&launch);
        return fail(err, ERROR_INTERNAL, "launch: its length is not that of its strings");
    }
    for (size_t i = 0; launch.envp[i] != NULL; i++) {
        if (launch.envp[i][0] == '\0' || strchr(launch.envp[i] + 1, '=') != NULL)
            continue;
        launch_release(&launch);
        return fail(err, ERROR_INTERNAL, "launch: a variable without a name or a value");
    }
    *ret_launch = launch;
    return 0;
}

int launch_read(int fd, struct launch *ret_launch, struct error *err)
{
    auto_free char *bytes = NULL;
    struct stat status;
    size_t size, have = 0;

    /* Only a memfd or a file can be read without ever waiting. */
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return fail(err, ERROR_INTERNAL, "launch: not a memfd");
    if (status.st_size > LAUNCH_BYTES)
        return fail(err, ERROR_INTERNAL, "launch: %lld bytes of arguments and variables",
                    (long long)status.st_size);
    size = (size_t)status.st_size;
    bytes = xmalloc(size + 1);
    while (have < size) {
        ssize_t got = pread(fd, bytes + have, size - have, (off_t)have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(err, ERROR_INTERNAL, "launch: cannot read it");
        have += (size_t)got;
    }
    return launch_parse(bytes, size, ret_launch, err);
}

static const char *place_at(const char *text, const struct launch_places *places, size_t *ret_skip)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        { "{code}", places->code },
        { "{tmp}", places->tmp },
        { "{boot}", places->boot },
        { "{cache}", places->cache },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].value == NULL || !text_starts(text, rows[i].name))
            continue;
        *ret_skip = strlen(rows[i].name);
        return rows[i].value;
    }
    return NULL;
}

static void fill_in(char **string, const struct launch_places *places)
{
    struct buffer out;
    size_t skip;

    if (strchr(*string, '{') == NULL)
        return;
    buffer_init(&out, SIZE_MAX / 2); /* the memfd is bounded and so is what a place can add */
    for (const char *at = *string; *at != '\0'; at += skip) {
        const char *value = place_at(at, places, &skip);

        if (value != NULL) {
            buffer_add_text(&out, value);
            continue;
        }
        skip = 1;
        buffer_add_char(&out, *at);
    }
    free(*string);
    *string = buffer_steal(&out, NULL);
    buffer_release(&out);
}

void launch_fill_in(struct launch *launch, const struct launch_places *places)
{
    size_t count = 0, kept = 0;
    bool literal = false;

    for (size_t i = 0; launch->argv[i] != NULL; i++)
        fill_in(&launch->argv[i], places);
    while (launch->envp[count] != NULL)
        count++;
    launch->envp = xrealloc(launch->envp, (count + 3) * sizeof(*launch->envp));
    for (size_t i = 0; i < count; i++) {
        char *variable = launch->envp[i];

        literal = literal || variable[0] == '\0';
        if (variable[0] == '\0' || text_starts(variable, "TMPDIR=") ||
            text_starts(variable, "HOME=")) {
            free(variable);
            continue;
        }
        if (!literal)
            fill_in(&variable, places);
        launch->envp[kept++] = variable;
    }
    if (places->tmp != NULL) {
        launch->envp[kept++] = xasprintf("TMPDIR=%s", places->tmp);
        launch->envp[kept++] = xasprintf("HOME=%s", places->tmp);
    }
    launch->envp[kept] = NULL;
}
