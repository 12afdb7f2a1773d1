/*
 * Health and ping. What other servers keep in services of their own is one process here: a check
 * looks at what there is, and where there is nothing it says so instead of passing.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Health/Http, app/controllers/api/health.php.
 */
#include "health.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "api_version.h"
#include "call.h"
#include "certificate.h"
#include "clock.h"
#include "fd.h"
#include "mem.h"
#include "rule_domain.h"
#include "services.h"
#include "text.h"

enum { CLOCK_DIFFERENCE_MAX = 5, CERTIFICATE_MS = 10000, TLS_PORT = 443 };

static int health_get(struct call *call, struct error *err)
{
    struct health_status status = { .name = "http", .status = "pass" };
    int64_t took_us = 0;

    if (store_ping(call->db, &took_us, err) < 0)
        return -1;
    status.ping_ms = took_us / 1000;
    if (call->api->run != NULL) /* its text never changes once there, so a lane may read it */
        status.host = run_host_report(call->api->run);
    return call_answer(call, &status, NULL, err);
}

/* Before 1.4 a check was one status, since then a list of them. */
static int health_db(struct call *call, struct error *err)
{
    struct health_status status = { .name = "database", .status = "pass" };
    int64_t took_us = 0;

    if (store_ping(call->db, &took_us, err) < 0)
        return -1;
    status.ping_ms = took_us / 1000;
    if (call_below(call, "1.4.0"))
        return call_answer(call, &status, NULL, err);
    call_list_begin(call, NULL);
    call_list_row(call, &status);
    return call_list_end(call, 1, err);
}

/* Queues are rows of the database. */
static int health_queue_broker(struct call *call, struct error *err)
{
    struct health_status status = { .name = "queue", .status = "pass" };
    int64_t took_us = 0;

    if (store_ping(call->db, &took_us, err) < 0)
        return -1;
    status.ping_ms = took_us / 1000;
    return call_answer(call, &status, NULL, err);
}

static int health_nothing(struct call *call, struct error *err)
{
    return fail(err, ERROR_GENERAL_SERVICE_DISABLED, "This server has no %s, and needs none.",
                strrchr(call->path, '/') + 1);
}

/* ---- storage --------------------------------------------------------------------------------- */

static int write_and_read(const char *directory, struct error *err)
{
    static const char text[] = "health";
    char again[sizeof(text)] = "";
    auto_free char *path = xasprintf("%s/.health-XXXXXX", directory);
    auto_fd int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0)
        return fail_errno(err, "create a file in %s", directory);
    unlink(path);
    if (fd_write_all(fd, text, sizeof(text)) < 0 || fsync(fd) < 0 ||
        pread(fd, again, sizeof(again), 0) != (ssize_t)sizeof(again))
        return fail_errno(err, "write a file in %s", directory);
    return memcmp(text, again, sizeof(text)) == 0
               ? 0
               : fail(err, ERROR_INTERNAL, "%s does not keep what is written", directory);
}

static int health_storage(struct call *call, struct error *err)
{
    struct health_status status = { .name = "local", .status = "pass" };
    const int64_t began_us = clock_monotonic_us();

    if (write_and_read(call->api->settings->data, err) < 0)
        return -1;
    status.ping_ms = (clock_monotonic_us() - began_us) / 1000;
    return call_answer(call, &status, NULL, err);
}

/* ---- time ------------------------------------------------------------------------------------ */

/*
 * No clock of others is asked over the network: where the host runs NTP, the kernel knows how far
 * it is from it; where it does not, nobody here knows, and that is the answer.
 */
static int health_time(struct call *call, struct error *err)
{
    struct timex kernel = { 0 };

    if (adjtimex(&kernel) == TIME_ERROR || (kernel.status & STA_UNSYNC) != 0)
        return fail(err, ERROR_GENERAL_SERVICE_DISABLED,
                    "The clock of this host is not kept by NTP, so there is nothing to compare it "
                    "with.");
    const int64_t units = (kernel.status & STA_NANO) != 0 ? 1000000000 : 1000000;
    const int64_t now_us = clock_realtime_us();
    const struct health_time answer = {
        .local = now_us / 1000000,
        .remote = (now_us + kernel.offset / (units / 1000000)) / 1000000,
        .diff = llabs((long long)kernel.offset) / units,
    };
    if (answer.diff > CLOCK_DIFFERENCE_MAX)
        return fail(err, ERROR_INTERNAL, "the clock is %lld seconds from the time by NTP",
                    (long long)answer.diff);
    return call_answer(call, &answer, NULL, err);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int health_antivirus(struct call *call, struct error *err)
{
    static const char nothing = 0; /* all its fields are constants */

    return call_answer(call, &nothing, NULL, err);
}

static int health_geo(struct call *call, struct error *err)
{
    const struct health_status status = { .name = "geo", .status = "pass" };

    if (call->api->geo == NULL)
        return fail(err, ERROR_GENERAL_SERVICE_DISABLED, "The setting geo_database names no file.");
    return call_answer(call, &status, NULL, err);
}

struct certificate_input {
    const char *domain;
};

static int health_certificate(struct call *call, struct error *err)
{
    const struct http_certificate_query query = {
        .host = ((const struct certificate_input *)call->params)->domain,
        .port = TLS_PORT,
        .total_ms = CERTIFICATE_MS,
        .private_addresses = call->api->settings->fetch_private,
    };
    auto_http_certificate struct http_certificate found = { 0 };

    if (http_certificate_read(&query, &found, err) < 0)
        return -1;
    const struct health_certificate answer = {
        .name = found.subject,
        .subject = found.common_name,
        .issuer = found.organisation,
        .from = call_textf(call, "%lld", (long long)found.valid_from),
        .until = call_textf(call, "%lld", (long long)found.valid_until),
        .signature = found.signature,
    };
    return call_answer(call, &answer, NULL, err);
}

static int health_version(struct call *call, struct error *err)
{
    return call_answer(call, api_version, NULL, err);
}

static int ping_get(struct call *call, struct error *err)
{
    (void)err;
    return call_answer_text(call, "text/plain; charset=UTF-8", "Pong!");
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const struct param certificate_params[] = {
    TEXT(struct certificate_input, domain, .check = check_domain, .text = "Host name."),
    { 0 },
};

#define HEALTH(id_, path_)                                                                        \
    .id = id_, .path = path_, .method = "GET", .auth = AUTH_KEY, .scopes = SCOPES("health.read"), \
    .status = 200

const struct endpoint health_endpoints[] = {
    { HEALTH("health.get", "/v1/health"), .answers = &model_health_report,
      .summary = "Is the server well, and how does it isolate functions", .handle = health_get },
    { HEALTH("health.getDB", "/v1/health/db"), .answers = &model_health_status, .list = true,
      .summary = "Does the database answer", .handle = health_db },
    { HEALTH("health.getCache", "/v1/health/cache"), .answers = &model_health_status, .list = true,
      .summary = "There is no cache: always an error", .handle = health_nothing },
    { HEALTH("health.getPubSub", "/v1/health/pubsub"), .since = "1.4.0", .list = true,
      .answers = &model_health_status, .summary = "There is no message broker: always an error",
      .handle = health_nothing },
    { HEALTH("health.getQueue", "/v1/health/queue"), .since = "1.4.0", .until = "1.5.11",
      .answers = &model_health_status, .summary = "Do the queues answer",
      .handle = health_queue_broker },
    { HEALTH("health.getStorage", "/v1/health/storage"), .since = "1.5.0",
      .answers = &model_health_status, .summary = "Can files be written",
      .handle = health_storage },
    { HEALTH("health.getStorageLocal", "/v1/health/storage/local"), .answers = &model_health_status,
      .summary = "Can files be written", .handle = health_storage },
    { HEALTH("health.getTime", "/v1/health/time"), .answers = &model_health_time,
      .summary = "Is the clock right", .handle = health_time },
    { HEALTH("health.getAntivirus", "/v1/health/anti-virus"), .answers = &model_health_antivirus,
      .summary = "Always disabled", .handle = health_antivirus },
    { HEALTH("health.getGeo", "/v1/health/geo"), .since = "2.0.0", .answers = &model_health_status,
      .summary = "Is there a database of addresses", .handle = health_geo },
    { HEALTH("health.getCertificate", "/v1/health/certificate"), .since = "1.5.0",
      .params = certificate_params, .params_size = sizeof(struct certificate_input),
      .answers = &model_health_certificate, .summary = "The certificate that a host shows",
      .handle = health_certificate },
    { .id = "health.getVersion",
      .method = "GET",
      .path = "/v1/health/version",
      .auth = AUTH_PUBLIC,
      .answers = &model_health_version,
      .status = 200,
      .summary = "Version of the API",
      .handle = health_version },
    { .id = "ping.get",
      .method = "GET",
      .path = "/v1/ping",
      .auth = AUTH_PROJECT,
      .bytes_type = "text/plain",
      .status = 200,
      .summary = "Is the server there, and the project",
      .handle = ping_get },
    { 0 },
};
