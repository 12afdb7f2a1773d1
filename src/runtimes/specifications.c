/* The fixed list of sizes a function may have. */
#include "runtimes.h"

#include "mem.h"
#include "text.h"

const char specification_default[] = "s-1vcpu-512mb";

static const struct specification rows[] = {
    { .slug = "s-0.5vcpu-512mb", .memory_mb = 512, .cpus_milli = 500 },
    { .slug = "s-1vcpu-512mb", .memory_mb = 512, .cpus_milli = 1000 },
    { .slug = "s-1vcpu-1gb", .memory_mb = 1024, .cpus_milli = 1000 },
    { .slug = "s-2vcpu-2gb", .memory_mb = 2048, .cpus_milli = 2000 },
    { .slug = "s-2vcpu-4gb", .memory_mb = 4096, .cpus_milli = 2000 },
    { .slug = "s-4vcpu-4gb", .memory_mb = 4096, .cpus_milli = 4000 },
    { .slug = "s-4vcpu-8gb", .memory_mb = 8192, .cpus_milli = 4000 },
    { .slug = "s-8vcpu-4gb", .memory_mb = 4096, .cpus_milli = 8000 },
    { .slug = "s-8vcpu-8gb", .memory_mb = 8192, .cpus_milli = 8000 },
};

const struct specification *specifications(size_t *ret_count)
{
    *ret_count = COUNT(rows);
    return rows;
}

const struct specification *specification_find(const char *slug)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (text_equals(rows[i].slug, slug))
            return &rows[i];
    return NULL;
}
