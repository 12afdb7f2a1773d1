/*
 * Uploads in pieces: one sparse file, and the ranges that have arrived. Pieces come in any order,
 * repeated, overlapping.
 */
#include "package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "fd.h"
#include "mem.h"

enum { COPY_BYTES = 262144, RANGES_MOST = 20000 };

struct range {
    uint64_t first, last;
};

int upload_path(const char *data_directory, const char *deployment_id, char **ret_path)
{
    *ret_path = xasprintf("%s/uploads/%s", data_directory, deployment_id);
    return 0;
}

void upload_remove(const char *data_directory, const char *deployment_id)
{
    auto_free char *path = NULL;

    upload_path(data_directory, deployment_id, &path);
    unlink(path);
}

static int copy_bytes(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t bytes,
                      struct error *err)
{
    auto_free char *block = xmalloc(COPY_BYTES);

    while (bytes > 0) {
        size_t want = bytes < COPY_BYTES ? (size_t)bytes : COPY_BYTES;
        ssize_t got = pread(from, block, want, (off_t)from_offset);
        if (got <= 0)
            return fail_errno(err, "read the piece");
        for (ssize_t done = 0; done < got;) {
            ssize_t put = pwrite(to, block + done, (size_t)(got - done),
                                 (off_t)(to_offset + (uint64_t)done));
            if (put < 0)
                return fail_errno(err, "write the piece");
            done += put;
        }
        from_offset += (uint64_t)got;
        to_offset += (uint64_t)got;
        bytes -= (uint64_t)got;
    }
    return 0;
}

int upload_write(const char *data_directory, const char *deployment_id, const char *temp_path,
                 uint64_t temp_offset, uint64_t first, uint64_t bytes, struct error *err)
{
    auto_free char *path = NULL;

    upload_path(data_directory, deployment_id, &path);
    auto_fd int from = open(temp_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    auto_fd int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (from < 0 || to < 0)
        return fail_errno(err, "open the upload");
    if (copy_bytes(from, temp_offset, to, first, bytes, err) < 0)
        return -1;
    if (fdatasync(to) < 0)
        return fail_errno(err, "sync the upload");
    return 0;
}

/* Reads [[1,2],[3,4]]: our own text, so anything unexpected ends the list. */
static size_t read_ranges(const char *text, struct range *ranges, size_t most)
{
    size_t count = 0;

    const char *at = text ? strchr(text, '[') : NULL;

    while (at && count < most && (at = strpbrk(at, "0123456789"))) {
        char *end;
        ranges[count].first = strtoull(at, &end, 10);
        if (*end != ',')
            break;
        at = end + 1;
        ranges[count++].last = strtoull(at, &end, 10);
        at = end;
    }
    return count;
}

static int by_first(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

int upload_add(const char *ranges, uint64_t first, uint64_t last, uint64_t size, char **ret_ranges,
               bool *ret_complete, struct error *err)
{
    auto_free struct range *list = xcalloc(RANGES_MOST + 1, sizeof *list);
    size_t count = read_ranges(ranges, list, RANGES_MOST), kept = 0;
    auto_buffer struct buffer out = { 0 };

    if (count == RANGES_MOST)
        return fail(err, ERROR_STORAGE_INVALID_CONTENT_RANGE,
                    "The upload has more than %d separate pieces.", RANGES_MOST);
    list[count++] = (struct range){ .first = first, .last = last };
    qsort(list, count, sizeof *list, by_first);
    for (size_t i = 1; i < count; i++) {
        if (list[i].first > list[kept].last + 1)
            list[++kept] = list[i];
        else if (list[i].last > list[kept].last)
            list[kept].last = list[i].last;
    }
    buffer_init(&out, (size_t)RANGES_MOST * 48);
    buffer_add_char(&out, '[');
    for (size_t i = 0; i <= kept; i++)
        buffer_addf(&out, "%s[%llu,%llu]", i ? "," : "", (unsigned long long)list[i].first,
                    (unsigned long long)list[i].last);
    buffer_add_char(&out, ']');
    *ret_complete = kept == 0 && list[0].first == 0 && list[0].last + 1 >= size;
    *ret_ranges = buffer_steal(&out, NULL);
    return 0;
}

uint64_t upload_whole_pieces(const char *ranges, uint64_t size, uint64_t piece_bytes)
{
    auto_free struct range *list = xcalloc(RANGES_MOST + 1, sizeof *list);
    size_t count = read_ranges(ranges, list, RANGES_MOST);
    uint64_t pieces = 0;

    for (size_t i = 0; i < count; i++) { /* merged, so a whole piece is inside one of them */
        uint64_t first = (list[i].first + piece_bytes - 1) / piece_bytes;
        uint64_t end = list[i].last + 1 >= size ? (size + piece_bytes - 1) / piece_bytes
                                                : (list[i].last + 1) / piece_bytes;
        pieces += end > first ? end - first : 0;
    }
    return pieces;
}
