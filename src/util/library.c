/* Libraries by the dynamic linker. See library.h. */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

int library_load(const char *file, const struct library_row *rows, size_t count, void *ret_table,
                 struct error *err)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        return fail(err, ERROR_GENERAL_SERVICE_DISABLED, "%s", dlerror());
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, rows[i].symbol);

        if (function == NULL) {
            fail(err, ERROR_GENERAL_SERVICE_DISABLED, "%s", dlerror());
            dlclose(library);
            return -1;
        }
        memcpy((char *)ret_table + rows[i].offset, &function, sizeof(function));
    }
    return 0; /* the handle is kept: the pointers lead into it */
}
