/* Loading libarchive. See archive_library.h. */
#include "archive_library.h"

#include <stddef.h>

#include "library.h"
#include "mem.h"

static const char library_file[] = "libarchive.so.13";

static const struct library_row rows[] = {
#define ROW(name) { "archive_" #name, offsetof(struct archive_library, name) },
    ARCHIVE_FUNCTIONS(ROW)
#undef ROW
};

int archive_library_load(struct archive_library *ret_library, struct error *err)
{
    if (library_load(library_file, rows, COUNT(rows), ret_library, err) < 0)
        return fail(err, err->type, "Packages need libarchive (package libarchive13 on Debian): %s",
                    err->message);
    return 0;
}
