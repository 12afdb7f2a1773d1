/*
 * Health and ping. What other servers keep in services of their own is one process here, so there
 * is little to ask.
 *
 * Source: appwrite src/Appwrite/Platform/Modules/Health/Http.
 */
#include "health.h"

#include "api_version.h"
#include "call.h"
#include "services.h"
#include "text.h"

static const struct field status_fields[] = {
    { .name = "name",
      .kind = FIELD_TEXT,
      .offset = offsetof(struct health_status, name),
      .text = "What was asked." },
    F_INTEGER("ping", struct health_status, ping_ms, .text = "Milliseconds it took."),
    { .name = "status",
      .kind = FIELD_TEXT,
      .offset = offsetof(struct health_status, status),
      .text = "pass or fail." },
    { 0 },
};
const struct model model_health_status = { "healthStatus", "statuses", status_fields };

static void write_host(const struct writing *writing, const void *entity)
{
    const struct health_status *status = entity;

    buffer_add_text(writing->out, text_is_empty(status->host) ? "null" : status->host);
}

static const struct field report_fields[] = {
    { .name = "name",
      .kind = FIELD_TEXT,
      .offset = offsetof(struct health_status, name),
      .text = "Always http." },
    F_INTEGER("ping", struct health_status, ping_ms, .text = "Milliseconds a read took."),
    { .name = "status",
      .kind = FIELD_TEXT,
      .offset = offsetof(struct health_status, status),
      .text = "pass." },
    F_OWN("host", "object", write_host, .text = "How workers are isolated on this host, and why."),
    { 0 },
};
const struct model model_health_report = { "healthReport", NULL, report_fields };

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

static int health_db(struct call *call, struct error *err)
{
    struct health_status status = { .name = "database", .status = "pass" };
    int64_t took_us = 0;

    if (store_ping(call->db, &took_us, err) < 0)
        return -1;
    status.ping_ms = took_us / 1000;
    call_list_begin(call, NULL);
    call_list_row(call, &status);
    return call_list_end(call, 1, err);
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

#define HEALTH .method = "GET", .auth = AUTH_KEY, .scopes = SCOPES("health.read"), .status = 200

const struct endpoint health_endpoints[] = {
    { .id = "health.get",
      .path = "/v1/health",
      HEALTH,
      .answers = &model_health_report,
      .summary = "Is the server well, and how does it isolate functions",
      .handle = health_get },
    { .id = "health.getDB",
      .path = "/v1/health/db",
      HEALTH,
      .answers = &model_health_status,
      .list = true,
      .summary = "Does the database answer",
      .handle = health_db },
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
      .status = 200,
      .summary = "Is the server there, and the project",
      .handle = ping_get },
    { 0 },
};
