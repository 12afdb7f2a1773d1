/*
 * POST /v1/functions/{functionId}/deployments: a package in one piece, or in pieces of any order,
 * repeated, in parallel.
 *
 * A piece is on disk, and its range committed, before it is answered. Whoever's piece makes the
 * upload whole moves the package into place and queues the build; that happens once, decided inside
 * the writer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "deployments.h"
#include "mem.h"
#include "package.h"
#include "range.h"
#include "text.h"
#include "upload.h"

enum { PIECE_BYTES = 5242880 }; /* as every library cuts them */

struct receiving {
    struct call *call;
    const struct deployment_create *in;
    const struct upload *upload;
    struct function function;
    struct deployment deployment; /* as it is after the write */

    bool piecewise;
    uint64_t first, last, size;     /* of the piece: last is what really came */
    const struct upload_part *part; /* where its bytes are */
    uint64_t part_offset;

    bool whole;         /* every byte has arrived */
    bool finished_here; /* this request made it so */
    char source_hash[PACKAGE_HASH];
    int64_t source_size;
};

/* ---- what came ------------------------------------------------------------------------------- */

static bool is_archive(const struct upload_part *part)
{
    static const char *const endings[] = { ".gz", ".tgz", ".zip", ".tar", ".xz", ".zst", ".bz2" };

    if (package_kind(part->head, part->head_bytes))
        return true;
    for (size_t i = 0; i < COUNT(endings); i++)
        if (text_ends(part->file_name, endings[i]))
            return true;
    return !*part->file_name;
}

/* Which bytes of the package this request brings. END of the header is not believed: old clients
 * send one too many. */
static int read_range(struct receiving *r, struct error *err)
{
    const char *header = call_header(r->call, "content-range");
    const struct upload_part *code = &r->upload->code, *file = &r->upload->file;
    uint64_t last;

    r->part = file->path ? file : code;
    if (!header || !*header) {
        r->part = code->path ? code : file;
        r->size = r->part->bytes;
        return 0;
    }
    if (range_parse_content(header, &r->first, &last, &r->size) < 0)
        return fail(err, ERROR_STORAGE_INVALID_CONTENT_RANGE, NULL);
    if (r->size > (uint64_t)r->call->api->settings->package_size)
        return fail(err, ERROR_DEPLOYMENT_INVALID_FILE_SIZE, NULL);
    r->piecewise = true;
    uint64_t bytes = r->part->bytes;
    if (!file->path && bytes == r->size && last - r->first + 1 < r->size) {
        r->part_offset = r->first; /* the whole package came along: cut the piece out of it */
        bytes = last - r->first + 1;
    }
    if (bytes == 0 || r->first >= r->size || bytes > r->size - r->first)
        return fail(err, ERROR_STORAGE_INVALID_CONTENT_RANGE, NULL);
    r->last = r->first + bytes - 1;
    return 0;
}

static int check(struct receiving *r, struct error *err)
{
    const char *entrypoint = r->in->entrypoint;

    if (store_function_get(r->call->db, r->call->project_id, r->in->functionId, &r->function, err) <
        0)
        return -1;
    if (text_is_empty(entrypoint) && !*r->function.entrypoint)
        return fail(err, ERROR_FUNCTION_ENTRYPOINT_MISSING, NULL);
    if (!r->upload->code.path && !r->upload->file.path)
        return fail(err, ERROR_STORAGE_FILE_EMPTY, NULL);
    if (read_range(r, err) < 0)
        return -1;
    if (r->part->bytes == 0)
        return fail(err, ERROR_STORAGE_FILE_EMPTY, "Empty file passed to the endpoint.");
    if (r->first == 0 && !is_archive(r->part))
        return fail(err, ERROR_STORAGE_FILE_TYPE_UNSUPPORTED, NULL);
    return 0;
}

/* ---- the row --------------------------------------------------------------------------------- */

static void fill_deployment(struct receiving *r, const char *id)
{
    struct deployment *d = &r->deployment;
    const char *language = call_header(r->call, "x-sdk-language");

    deployment_prepare(d, &r->function, id, text_equals(language, "cli") ? "cli" : "manual");
    deployment_set_text(&d->entrypoint, text_is_empty(r->in->entrypoint) ? r->function.entrypoint
                                                                         : r->in->entrypoint);
    deployment_set_text(&d->commands, r->in->commands ? r->in->commands : r->function.commands);
    d->activate = r->in->activate;
    if (r->piecewise) {
        d->upload_size = (int64_t)r->size;
        deployment_set_text(&d->upload_ranges, "[]");
    }
}

/* x-appwrite-id: the upload this piece belongs to; the first piece may name a new one itself. */
static int find_upload(struct receiving *r, bool *ret_known, struct error *err)
{
    const char *id = call_header(r->call, "x-appwrite-id");
    char generated[GENERATED_ID + 1], text[CHECK_TEXT];
    struct error missing;

    *ret_known = false;
    if (text_is_empty(id) || strcmp(id, "unique()") == 0) {
        id_generate(clock_realtime_us(), generated);
        fill_deployment(r, generated);
        return 0;
    }
    if (!check_uid(r->call, id, text))
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "Invalid `x-appwrite-id` header: %s",
                    text);
    *ret_known = store_deployment_get(r->call->db, r->call->project_id, NULL, id, true,
                                      &r->deployment, &missing) == 0;
    if (!*ret_known) {
        fill_deployment(r, id);
        return 0;
    }
    if (!text_equals_nocase(r->deployment.function_id, r->function.id))
        return fail(err, ERROR_DEPLOYMENT_NOT_FOUND, NULL);
    return 0;
}

static int write_new(struct db *db, void *context, struct error *err)
{
    struct receiving *r = context;

    return store_deployment_insert(db, &r->deployment, err);
}

/* Two first pieces with a chosen id may race: the row of the other one serves both. */
static int ensure_row(struct receiving *r, struct error *err)
{
    struct error taken;

    if (store_write_wait(r->call->store, write_new, r, &taken) == 0)
        return 0;
    auto_deployment struct deployment other = { 0 };
    if (store_deployment_get(r->call->db, r->call->project_id, r->function.id, r->deployment.id,
                             false, &other, err) < 0)
        return fail(err, taken.type, "%s", taken.message);
    return 0;
}

static int write_range(struct db *db, void *context, struct error *err)
{
    struct receiving *r = context;
    auto_deployment struct deployment row = { 0 };
    auto_free char *ranges = NULL;

    if (store_deployment_get(db, r->call->project_id, r->function.id, r->deployment.id, false, &row,
                             err) < 0)
        return -1;
    if (!*row.upload_ranges)
        return 0; /* finished by another piece meanwhile */
    if (row.upload_size != (int64_t)r->size)
        return fail(err, ERROR_STORAGE_INVALID_CONTENT_RANGE,
                    "The size of the upload is %lld bytes, not %llu.", (long long)row.upload_size,
                    (unsigned long long)r->size);
    if (upload_add(row.upload_ranges, r->first, r->last, r->size, &ranges, &r->whole, err) < 0)
        return -1;
    deployment_set_text(&row.upload_ranges, ranges);
    row.activate = r->in->activate;
    row.updated_at = clock_realtime_us();
    return store_deployment_update(db, &row, err);
}

static int write_finished(struct db *db, void *context, struct error *err)
{
    struct receiving *r = context;
    auto_deployment struct deployment row = { 0 };

    if (store_deployment_get(db, r->call->project_id, r->function.id, r->deployment.id, false, &row,
                             err) < 0)
        return -1;
    if (*row.source_hash)
        return 0;
    if (!package_renew(r->call->api->settings->data, r->source_hash))
        return fail(err, ERROR_INTERNAL, "the package went with another deployment; send it again");
    deployment_set_text(&row.source_hash, r->source_hash);
    deployment_set_text(&row.upload_ranges, "");
    row.source_size = r->source_size;
    row.updated_at = clock_realtime_us();
    r->finished_here = true;
    if (store_deployment_update(db, &row, err) < 0)
        return -1;
    return row.activate
               ? store_deployment_only_activate(db, row.project_id, row.function_id, row.id, err)
               : 0;
}

/* ---- the two ways ---------------------------------------------------------------------------- */

static int receive_whole(struct receiving *r, struct error *err)
{
    const char *data = r->call->api->settings->data;
    char id[GENERATED_ID + 1];

    id_generate(clock_realtime_us(), id);
    fill_deployment(r, id);
    if (package_take(data, r->part->path, r->source_hash, &r->source_size, err) < 0)
        return -1;
    if (store_write_wait(r->call->store, write_new, r, err) < 0)
        return -1;
    return store_write_wait(r->call->store, write_finished, r, err);
}

/* The sparse file becomes a package; it stays until the row says so, in case the machine ends in
 * between. */
static int finish_pieces(struct receiving *r, struct error *err)
{
    const char *data = r->call->api->settings->data;
    auto_free char *path = NULL, *linked = NULL;

    upload_path(data, r->deployment.id, &path);
    linked = xasprintf("%s.%llx", path, (unsigned long long)clock_monotonic_us());
    if (link(path, linked) < 0)
        return fail_errno(err, "link the upload");
    if (package_take(data, linked, r->source_hash, &r->source_size, err) < 0) {
        unlink(linked);
        return -1;
    }
    if (store_write_wait(r->call->store, write_finished, r, err) < 0)
        return -1;
    upload_remove(data, r->deployment.id);
    return 0;
}

static int receive_piece(struct receiving *r, struct error *err)
{
    bool known;

    if (find_upload(r, &known, err) < 0)
        return -1;
    if (known && !*r->deployment.upload_ranges)
        return 0; /* a piece of an upload that is whole already */
    if (!known && ensure_row(r, err) < 0)
        return -1;
    if (upload_write(r->call->api->settings->data, r->deployment.id, r->part->path, r->part_offset,
                     r->first, r->last - r->first + 1, err) < 0 ||
        store_write_wait(r->call->store, write_range, r, err) < 0)
        return -1;
    return r->whole ? finish_pieces(r, err) : 0;
}

/*
 * Parallel libraries take the answer that says all is here for the result: it is not said before
 * the package is in its place. Pieces of other sizes are told in those of 5 MiB.
 */
static struct deployment_extra progress(const struct receiving *r, const struct deployment *now)
{
    uint64_t size = r->piecewise ? r->size : 1;
    uint64_t total = (size + PIECE_BYTES - 1) / PIECE_BYTES, here = total;

    if (*now->upload_ranges) {
        here = upload_whole_pieces(now->upload_ranges, size, PIECE_BYTES);
        here = here < total ? here : total - 1;
    }
    return (struct deployment_extra){ (int64_t)total, (int64_t)here };
}

static int answer(struct receiving *r, struct error *err)
{
    struct call *call = r->call;
    auto_deployment struct deployment now = { 0 };

    if (r->finished_here)
        deployment_build_later(call, r->function.id, r->deployment.id);
    call_changed(call, CHANGE_FUNCTION, r->function.id);
    if (store_deployment_get(call->db, call->project_id, r->function.id, r->deployment.id, true,
                             &now, err) < 0)
        return -1;
    const struct deployment_extra extra = progress(r, &now);
    return call_answer(call, &now, &extra, err);
}

int deployments_create(struct call *call, struct error *err)
{
    struct receiving r = { .call = call, .in = call->params, .upload = upload_of(call) };
    int result = check(&r, err);

    if (result == 0)
        result = r.piecewise ? receive_piece(&r, err) : receive_whole(&r, err);
    if (result == 0)
        result = answer(&r, err);
    function_release(&r.function);
    deployment_release(&r.deployment);
    return result;
}
