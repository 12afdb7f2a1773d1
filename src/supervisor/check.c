/* `functiond check`: would serve start here, and with how much isolation? Changes nothing that
 * lasts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "inner.h"
#include "supervisor.h"
#include "walk.h"

enum { REPORT_BYTES = 1 << 14 };

/* An absent directory is not created for a check; serve would. */
static int check_data(const struct settings *settings)
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
    data_close(&data);
    return 0;
}

static void print_layers(const struct sandbox_host *host)
{
    for (size_t i = 0; i < host->layer_count; i++)
        printf("  %-24s %-4s %s\n", host->layers[i].name, host->layers[i].on ? "on" : "off",
               host->layers[i].reason);
}

/* A directory of its own stands for the data directory, so that a daemon that serves is not met. */
static int check_sandbox(const struct settings *settings, const char *directory)
{
    auto_buffer struct buffer line = { 0 };
    struct sandbox_host host;
    struct error err;

    if (serve_probe(settings, directory, 0, &host, &err) < 0) {
        printf("sandbox    %s\n", err.message);
        return -1;
    }
    buffer_init(&line, REPORT_BYTES);
    sandbox_report_line(&host, &line);
    printf("sandbox    %s\n", line.size > 0 ? line.data : "");
    print_layers(&host);
    printf("host       %d CPUs, %llu MiB\n", host.cpus,
           (unsigned long long)(host.memory_bytes >> 20));
    sandbox_release(&host);
    return 0;
}

int supervisor_check(const struct settings *settings)
{
    char directory[] = "/tmp/functiond-check-XXXXXX";
    int status = check_data(settings) < 0 ? 1 : 0;
    struct error err;

    if (mkdtemp(directory) == NULL) {
        printf("sandbox    cannot be tried: %s: %s\n", directory, strerror(errno));
        return 1;
    }
    if (check_sandbox(settings, directory) < 0)
        status = 1;
    if (walk_remove(AT_FDCWD, directory, &err) < 0)
        printf("sandbox    %s: %s\n", directory, err.message);
    return status;
}
