/* `functiond check`: would serve start here, and with how much isolation? Changes nothing that
 * lasts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inner.h"
#include "supervisor.h"

enum { REPORT_BYTES = 1 << 14 };

/* An absent directory is not created for a check; serve would. */
static int check_data(const struct settings *settings, char **ret_path)
{
    struct data_directory data;
    struct stat status;
    struct error err;

    if (stat(settings->data, &status) < 0 && errno == ENOENT) {
        printf("data       %s will be created\n", settings->data);
        return 0;
    }
    if (data_open(settings, 0, &data, &err) < 0) {
        printf("data       %s\n", err.message);
        return -1;
    }
    printf("data       %s, owner %u%s\n", data.path, data.owner,
           data.locked ? "" : ", in use by a running functiond");
    *ret_path = strdup(data.path);
    data_close(&data);
    return 0;
}

static void print_layers(const struct sandbox_host *host)
{
    for (size_t i = 0; i < host->layer_count; i++)
        printf("  %-24s %-4s %s\n", host->layers[i].name, host->layers[i].on ? "on" : "off",
               host->layers[i].reason);
}

int supervisor_check(const struct settings *settings)
{
    struct buffer line;
    struct sandbox_host host;
    struct error err;
    char *path = NULL;
    int status = check_data(settings, &path) < 0 ? 1 : 0;

    if (serve_probe(settings, path != NULL ? path : "/", 0, &host, &err) < 0) {
        printf("sandbox    %s\n", err.message);
        status = 1;
    } else {
        buffer_init(&line, REPORT_BYTES);
        sandbox_report_line(&host, &line);
        printf("sandbox    %s\n", line.size > 0 ? line.data : "");
        print_layers(&host);
        printf("host       %d CPUs, %llu MiB\n", host.cpus,
               (unsigned long long)(host.memory_bytes >> 20));
        buffer_release(&line);
        sandbox_release(&host);
    }
    free(path);
    return status;
}
