/* GET .../download: the uploaded source, or what the build left. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deployments.h"
#include "fd.h"
#include "package.h"
#include "range.h"
#include "text.h"

enum { OPEN_RANGE_MOST = 10485760, KEEP_SECONDS = 3888000 };

/* Clients below 1.7.0 know one file, and unpack it over the user's folder: for them it is the
 * source. */
static bool wants_output(const struct call *call, const struct deployment_download *in)
{
    if (in->type)
        return strcmp(in->type, "output") == 0;
    return call->alias == 1;
}

static void name_file(struct call *call, const char *deployment_id, bool output, const char *kind)
{
    const char *suffix = output ? "-output" : "-source";

    if (call_below(call, "1.7.0"))
        suffix = "";
    call_answer_header(
        call, "Content-Disposition",
        call_textf(call, "attachment; filename=\"%s%s.%s\"", deployment_id, suffix, kind));
    call_answer_header(call, "Content-Type",
                       output ? "application/octet-stream" : "application/gzip");
    call_answer_header(call, "Cache-Control",
                       call_textf(call, "private, max-age=%d", KEEP_SECONDS));
    call_answer_header(call, "Accept-Ranges", "bytes");
}

static int answer_range(struct call *call, const char *header, int *fd, uint64_t size,
                        struct error *err)
{
    uint64_t first, last;

    if (range_parse_request(header, size, OPEN_RANGE_MOST, &first, &last) < 0)
        return fail(err, ERROR_STORAGE_INVALID_RANGE, NULL);
    call_status(call, 206);
    call_answer_header(call, "Content-Range",
                       call_textf(call, "bytes %llu-%llu/%llu", (unsigned long long)first,
                                  (unsigned long long)last, (unsigned long long)size));
    return call_answer_file(call, fd_steal(fd), first, last - first + 1);
}

int deployments_download(struct call *call, struct error *err)
{
    const struct deployment_download *in = call->params;
    const char *range = call_header(call, "range");
    auto_function struct function function = { 0 };
    auto_deployment struct deployment deployment = { 0 };
    auto_fd int fd = -1;
    unsigned char head[264];
    int64_t size;

    if (store_function_get(call->db, call->project_id, in->functionId, &function, err) < 0 ||
        store_deployment_get(call->db, call->project_id, function.id, in->deploymentId, false,
                             &deployment, err) < 0)
        return -1;
    const bool output = wants_output(call, in);
    if (package_open(call->api->settings->data,
                     output ? deployment.output_hash : deployment.source_hash, &fd, &size, err) < 0)
        return -1;
    const ssize_t got = pread(fd, head, sizeof head, 0);
    const char *kind = got > 0 ? package_kind(head, (size_t)got) : NULL;
    name_file(call, deployment.id, output, kind ? kind : "tar.gz");
    if (!text_is_empty(range))
        return answer_range(call, range, &fd, (uint64_t)size, err);
    return call_answer_file(call, fd_steal(&fd), 0, (uint64_t)size);
}
