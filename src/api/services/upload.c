/* Receiving the file parts of createDeployment. Runs in lanes, except release and limit. */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "package.h"
#include "text.h"

enum { FIELDS_MOST = 1 << 20 };

static struct upload *upload_open(struct call *call)
{
    if (!call->files_state) {
        struct upload *upload = xcalloc(1, sizeof *upload);
        upload->fd = -1;
        call->files_state = upload;
    }
    return call->files_state;
}

const struct upload *upload_of(const struct call *call)
{
    static const struct upload none = { .fd = -1 };

    return call->files_state ? call->files_state : &none;
}

static int part_begin(struct call *call, const struct multipart_part *part, struct error *err)
{
    const struct settings *settings = call->api->settings;
    struct upload *upload = upload_open(call);

    /* GraphQL clients and old forms call the package "0" or "code"; only one of each counts */
    upload->open = text_equals(part->name, "file") ? &upload->file : &upload->code;
    if (upload->open->path)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID, "The file part \"%s\" came twice.",
                    part->name);
    if (package_room(settings->data, settings->disk_reserve_mb, 0, err) < 0)
        return -1;
    upload->open->path = xasprintf("%s/uploads/part-XXXXXX", settings->data);
    upload->open->file_name = xstrdup(part->file_name ? part->file_name : "");
    upload->fd = mkostemp(upload->open->path, O_CLOEXEC);
    if (upload->fd < 0) {
        free(steal(upload->open->path));
        return fail_errno(err, "create a file in uploads");
    }
    return 0;
}

static int part_data(struct call *call, const char *data, size_t bytes, struct error *err)
{
    const uint64_t most = (uint64_t)call->api->settings->package_size;
    struct upload *upload = call->files_state;
    struct upload_part *part = upload->open;

    if (part->bytes + bytes > most)
        return fail(err, ERROR_DEPLOYMENT_INVALID_FILE_SIZE, NULL);
    if (part->head_bytes < sizeof part->head) {
        const size_t room = sizeof part->head - part->head_bytes,
                     take = bytes < room ? bytes : room;
        memcpy(part->head + part->head_bytes, data, take);
        part->head_bytes += take;
    }
    part->bytes += bytes;
    if (fd_write_all(upload->fd, data, bytes) < 0 && errno == ENOSPC)
        return fail(err, ERROR_GENERAL_STORAGE_FULL, NULL);
    return 0;
}

static int part_end(struct call *call, struct error *err)
{
    struct upload *upload = call->files_state;

    (void)err;
    fd_close(&upload->fd);
    return 0;
}

static void part_release(struct upload_part *part)
{
    if (part->path)
        unlink(part->path);
    free(part->path);
    free(part->file_name);
}

static void upload_release(struct call *call)
{
    struct upload *upload = call->files_state;

    if (!upload)
        return;
    fd_close(&upload->fd);
    part_release(&upload->code);
    part_release(&upload->file);
    free(upload);
    call->files_state = NULL;
}

/* Twice a package: some clients send the whole of it with every piece. */
static uint64_t upload_limit(const struct call *call)
{
    return 2 * (uint64_t)call->api->settings->package_size + FIELDS_MOST;
}

const struct endpoint_files upload_files = {
    .begin = part_begin,
    .data = part_data,
    .end = part_end,
    .release = upload_release,
    .limit = upload_limit,
    .limit_setting = "package_size",
    .file = "code",
};
