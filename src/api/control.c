/*
 * Projects, keys and tokens from the command line. Each command is a row; all of them run blocking
 * on a lane of the daemon or in the command's own process.
 */
#include "control.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "endpoint.h"
#include "fd.h"
#include "mem.h"
#include "reload.h"
#include "text.h"
#include "token.h"

enum { KEY_BYTES = 128, KEY_TEXT = 9 + 2 * KEY_BYTES + 1, TOKEN_SECONDS = 900 };
enum { ARGUMENT_BYTES = 4096 };

struct work {
    struct store *store;
    struct db *db;
    const json_t *arguments;
    struct buffer *output;
    struct unread *unread;
    struct registry_change **change;
};

static const char *text_of(const struct work *work, const char *name)
{
    const char *text = json_string_value(json_object_get(work->arguments, name));

    return text == NULL ? "" : text;
}

static bool is_id(const char *text)
{
    size_t length = strspn(text,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return length > 0 && length <= ID_MAX && text[length] == '\0' && strchr("._-", *text) == NULL;
}

static int changed(struct work *work, enum change_kind kind, const char *project)
{
    if (work->change != NULL)
        *work->change = reload_read(work->unread, work->db, kind, project, NULL);
    return 0;
}

/* ---- projects -------------------------------------------------------------------------------- */

static int insert_project(struct db *db, void *context, struct error *err)
{
    return store_project_insert(db, context, err);
}

static int project_is_free(struct work *work, const char *id, struct error *err)
{
    auto_project struct project taken = { 0 };

    if (store_project_get(work->db, id, &taken, err) == 0)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "there is a project \"%s\" already", id);
    return err->type == ERROR_PROJECT_NOT_FOUND ? 0 : -1;
}

static struct project new_project(const char *id, const char *name)
{
    int64_t now = clock_realtime_us();

    return (struct project){
        .id = xstrdup(id), .name = xstrdup(name), .created_at = now, .updated_at = now
    };
}

static int project_create(struct work *work, struct error *err)
{
    const char *id = text_of(work, "id");

    if (!is_id(id) || text_equals(id, "console"))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "a project id has 1 to 36 of a-z A-Z 0-9 . _ - and begins with a letter or "
                    "digit; \"console\" is taken");
    if (project_is_free(work, id, err) < 0)
        return -1;
    auto_project struct project project = new_project(id, text_of(work, "name"));
    if (store_write_wait(work->store, insert_project, &project, err) < 0)
        return -1;
    buffer_addf(work->output, "%s\n", id);
    return changed(work, CHANGE_PROJECT, id);
}

static void print_project(void *context, const void *entity)
{
    const struct project *project = entity;

    buffer_addf(context, "%s\t%s\n", project->id, project->name);
}

static int project_list(struct work *work, struct error *err)
{
    return store_project_each(work->db, print_project, work->output, err);
}

static int delete_project(struct db *db, void *context, struct error *err)
{
    return store_project_delete(db, context, err);
}

static int project_delete(struct work *work, struct error *err)
{
    auto_free char *id = xstrdup(text_of(work, "id"));

    if (store_write_wait(work->store, delete_project, id, err) < 0)
        return -1;
    return changed(work, CHANGE_PROJECT, id);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int check_scope(const char *scope, struct error *err)
{
    const char *const *known = choices_scopes(NULL);
    const char *near;
    size_t count = 0;

    if (text_equals(scope, "all"))
        return 0;
    for (; known[count] != NULL; count++)
        if (text_equals(scope, known[count]))
            return 0;
    near = text_nearest(scope, known, count);
    return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "there is no scope \"%s\"%s%s%s", scope,
                near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                near != NULL ? "\"?" : "");
}

static int check_scopes(const char *text, struct error *err)
{
    if (strspn(text, ", ") == strlen(text))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "scopes: all, or a comma list");
    for (const char *at = text; *at != '\0';) {
        at += strspn(at, ", ");
        auto_free char *scope = xstrndup(at, strcspn(at, ", "));
        if (*scope != '\0' && check_scope(scope, err) < 0)
            return -1;
        at += strlen(scope);
    }
    return 0;
}

/* "all" or "a,b" to a JSON list. */
static char *scope_list(const char *text)
{
    json_t *list = json_array();

    for (const char *at = text; *at != '\0';) {
        at += strspn(at, ", ");
        size_t length = strcspn(at, ", ");
        if (length > 0)
            json_array_append_new(list, json_stringn(at, length));
        at += length;
    }
    char *json = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    return json;
}

static int insert_key(struct db *db, void *context, struct error *err)
{
    const struct key *key = context;
    auto_project struct project project = { 0 };

    if (store_project_get(db, key->project_id, &project, err) < 0)
        return -1;
    return store_key_insert(db, key, err);
}

/* ret_secret is the only place where the key itself is. */
static struct key new_key(const char *project_id, const char *name, const char *scopes,
                          int64_t expires_at, char ret_secret[KEY_TEXT])
{
    unsigned char random[KEY_BYTES];
    char id[GENERATED_ID + 1], hash[65];
    int64_t now = clock_realtime_us();

    randombytes_buf(random, sizeof(random));
    strcpy(ret_secret, "standard_"); /* room is KEY_TEXT */
    text_hex(random, sizeof(random), ret_secret + strlen("standard_"));
    sodium_memzero(random, sizeof(random));
    key_hash(ret_secret, hash);
    id_generate(now, id);
    return (struct key){ .project_id = xstrdup(project_id),
                         .id = xstrdup(id),
                         .name = xstrdup(name),
                         .hash = xstrdup(hash),
                         .scopes = scope_list(scopes),
                         .created_at = now,
                         .updated_at = now,
                         .expires_at = expires_at };
}

static int key_create(struct work *work, struct error *err)
{
    const char *expires = text_of(work, "expires"), *scopes = text_of(work, "scopes");
    auto_free char *date = NULL;
    char secret[KEY_TEXT];
    int64_t expires_at = 0;

    if (check_scopes(scopes, err) < 0)
        return -1;
    if (*expires != '\0') { /* a date alone is its first moment */
        date = strlen(expires) == 10 ? xasprintf("%sT00:00:00Z", expires) : xstrdup(expires);
        if (clock_parse(date, &expires_at) < 0)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "expires: \"%s\" is no date", expires);
    }
    auto_key struct key key = new_key(text_of(work, "project"), text_of(work, "name"), scopes,
                                      expires_at, secret);
    if (store_write_wait(work->store, insert_key, &key, err) < 0)
        return -1;
    buffer_addf(work->output, "%s\n", secret);
    sodium_memzero(secret, sizeof(secret));
    return changed(work, CHANGE_KEYS, text_of(work, "project"));
}

static void print_key(void *context, const void *entity)
{
    const struct key *key = entity;
    char expires[CLOCK_TEXT] = "never";

    if (key->expires_at != 0)
        clock_format(key->expires_at, expires);
    buffer_addf(context, "%s\t%s\t%s\t%s\n", key->id, key->name, key->scopes, expires);
}

static int key_list(struct work *work, struct error *err)
{
    return store_key_each(work->db, text_of(work, "project"), print_key, work->output, err);
}

static int delete_key(struct db *db, void *context, struct error *err)
{
    const struct work *work = context;

    return store_key_delete(db, text_of(work, "project"), text_of(work, "id"), err);
}

static int key_revoke(struct work *work, struct error *err)
{
    if (store_write_wait(work->store, delete_key, work, err) < 0)
        return -1;
    return changed(work, CHANGE_KEYS, text_of(work, "project"));
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static char *list_json(const struct work *work, const char *name)
{
    const json_t *list = json_object_get(work->arguments, name);
    char *json = json_is_array(list) ? json_dumps(list, JSON_COMPACT) : NULL;

    return json == NULL ? xstrdup("[]") : json;
}

static int token_create(struct work *work, struct error *err)
{
    const json_t *ttl = json_object_get(work->arguments, "ttl");
    int64_t seconds = json_is_integer(ttl) ? json_integer_value(ttl) : TOKEN_SECONDS;
    auto_project struct project project = { 0 };
    unsigned char secret[32];
    struct token_signer *signer;

    if (!is_id(text_of(work, "user")))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "a user id has 1 to 36 of a-z A-Z 0-9 . _ -");
    if (store_project_get(work->db, text_of(work, "project"), &project, err) < 0)
        return -1;
    struct token token = {
        .project_id = xstrdup(project.id),
        .user_id = xstrdup(text_of(work, "user")),
        .session_id = xstrdup(""),
        .labels = list_json(work, "label"),
        .teams = list_json(work, "team"),
        .verified = json_is_true(json_object_get(work->arguments, "verified")),
        .expires_at = clock_realtime_us() / 1000000 + seconds,
    };
    store_derive_key(work->store, "tokens", secret);
    int status = token_signer_new(secret, &signer);
    assert(status == 0);
    char *text = token_sign(signer, TOKEN_USER, &token);
    buffer_addf(work->output, "%s\n", text);
    free(text);
    token_signer_free(signer);
    token_release(&token);
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct command {
    const char *name;
    const char *needs[3];
    int (*run)(struct work *work, struct error *err);
} commands[] = {
    { "project.create", { "id", "name" }, project_create },
    { "project.list", { NULL }, project_list },
    { "project.delete", { "id" }, project_delete },
    { "key.create", { "project", "name", "scopes" }, key_create },
    { "key.list", { "project" }, key_list },
    { "key.revoke", { "project", "id" }, key_revoke },
    { "token.create", { "project", "user" }, token_create },
};

static int run_command(const struct command *command, struct work *work, struct error *err)
{
    for (size_t i = 0; i < COUNT(command->needs) && command->needs[i] != NULL; i++) {
        const char *text = text_of(work, command->needs[i]);
        if (*text == '\0' || strlen(text) > ARGUMENT_BYTES)
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "%s: %s is missing or too long",
                        command->name, command->needs[i]);
    }
    return command->run(work, err);
}

int control_run(struct store *store, struct unread *unread, const char *request,
                struct buffer *ret_output, struct registry_change **ret_change, struct error *err)
{
    json_t *json = json_loads(request, 0, NULL);
    const char *name = json_string_value(json_object_get(json, "command"));
    struct registry_change *change = NULL;
    struct work work = { .store = store,
                         .arguments = json_object_get(json, "arguments"),
                         .output = ret_output,
                         .unread = unread,
                         .change = ret_change == NULL ? NULL : &change };
    int status = -1;

    fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "there is no such command");
    for (size_t i = 0; name != NULL && i < COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0) {
            status = store_reader_open(store, &work.db, err);
            if (status == 0)
                status = run_command(&commands[i], &work, err);
            store_reader_close(work.db);
        }
    json_decref(json);
    if (status == 0 && ret_output->overflowed)
        status = fail(err, ERROR_GENERAL_BAD_REQUEST, "the answer is longer than %zu bytes",
                      ret_output->limit);
    if (ret_change != NULL)
        *ret_change = change;
    return status;
}

/* ---- the first start ------------------------------------------------------------------------- */

static void count_project(void *context, const void *entity)
{
    (void)entity;
    (*(size_t *)context)++;
}

struct first {
    struct project project;
    struct key key;
};

static int insert_first(struct db *db, void *context, struct error *err)
{
    const struct first *first = context;

    if (store_project_insert(db, &first->project, err) < 0)
        return -1;
    return store_key_insert(db, &first->key, err);
}

/*
 * The file is on the disk before the rows are committed, together. A start that ends in between
 * leaves a file that is nobody's key and no project: the next one begins again and replaces it. It
 * is not removed when the commit fails, as that may have been reported too early.
 */
static int make_first(struct store *store, const char *directory, struct error *err)
{
    auto_free char *path = xasprintf("%s/first-key", directory);
    char secret[KEY_TEXT + 1];
    struct first first = { .project = new_project("default", "Default"),
                           .key = new_key("default", "first key", "all", 0, secret) };

    strcat(secret, "\n"); /* room is KEY_TEXT + 1 */
    int status = fd_write_file(AT_FDCWD, path, secret, strlen(secret), 0600, err);
    sodium_memzero(secret, sizeof(secret));
    if (status == 0)
        status = store_write_wait(store, insert_first, &first, err);
    project_release(&first.project);
    key_release(&first.key);
    return status;
}

int control_first_start(struct store *store, const char *directory, bool *ret_created,
                        struct error *err)
{
    struct db *db;
    size_t projects = 0;

    if (store_reader_open(store, &db, err) < 0)
        return -1;
    int status = store_project_each(db, count_project, &projects, err);
    store_reader_close(db);
    if (status < 0 || (projects == 0 && make_first(store, directory, err) < 0))
        return -1;
    *ret_created = projects == 0;
    return 0;
}
