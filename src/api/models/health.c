/* Models of health checks. */
#include "health.h"

#include "text.h"

#define CONST_TEXT(name_, structure, member, ...)                                             \
    {                                                                                         \
        .name = name_, .kind = FIELD_TEXT, .offset = offsetof(structure, member), __VA_ARGS__ \
    }

static const struct field status_fields[] = {
    CONST_TEXT("name", struct health_status, name, .text = "What was asked."),
    F_INTEGER("ping", struct health_status, ping_ms, .text = "Milliseconds it took."),
    CONST_TEXT("status", struct health_status, status, .text = "pass or fail."),
    { 0 },
};
const struct model model_health_status = { "healthStatus", "statuses", status_fields };

static void write_host(const struct writing *writing, const void *entity)
{
    const struct health_status *status = entity;

    buffer_add_text(writing->out, text_is_empty(status->host) ? "null" : status->host);
}

static const struct field report_fields[] = {
    CONST_TEXT("name", struct health_status, name, .text = "Always http."),
    F_INTEGER("ping", struct health_status, ping_ms, .text = "Milliseconds a read took."),
    CONST_TEXT("status", struct health_status, status, .text = "pass."),
    F_OWN("host", "object", write_host, .text = "How workers are isolated on this host, and why."),
    { 0 },
};
const struct model model_health_report = { "healthReport", NULL, report_fields };

static const struct field queue_fields[] = {
    F_INTEGER("size", struct health_queue, size, .text = "What waits in the queue."),
    { 0 },
};
const struct model model_health_queue = { "healthQueue", NULL, queue_fields };

static const struct field time_fields[] = {
    F_INTEGER("remoteTime", struct health_time, remote, .text = "The time by NTP, in seconds."),
    F_INTEGER("localTime", struct health_time, local, .text = "The host's time, in seconds."),
    F_INTEGER("diff", struct health_time, diff, .text = "Seconds between them."),
    { 0 },
};
const struct model model_health_time = { "healthTime", NULL, time_fields };

static const struct field antivirus_fields[] = {
    F_CONSTANT("version", "", .text = "Always empty."),
    F_CONSTANT("status", "disabled", .text = "Always disabled: this server scans nothing."),
    { 0 },
};
const struct model model_health_antivirus = { "healthAntivirus", NULL, antivirus_fields };

static const struct field certificate_fields[] = {
    F_TEXT("name", struct health_certificate, name, .text = "Subject."),
    F_TEXT("subjectSN", struct health_certificate, subject, .text = "Common name of the subject."),
    F_TEXT("issuerOrganisation", struct health_certificate, issuer, .text = "Who issued it."),
    F_TEXT("validFrom", struct health_certificate, from, .text = "Seconds since the epoch."),
    F_TEXT("validTo", struct health_certificate, until, .text = "Seconds since the epoch."),
    F_TEXT("signatureTypeSN", struct health_certificate, signature, .text = "How it is signed."),
    { 0 },
};
const struct model model_health_certificate = { "healthCertificate", NULL, certificate_fields };
