/* What this host's sandbox is, for the start log, `check`, health and the minimum settings. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json_text.h"
#include "sandbox_private.h"

static const char *const profile_names[SANDBOX_PROFILES] = { [SANDBOX_NONE] = "none",
                                                             [SANDBOX_BASIC] = "basic",
                                                             [SANDBOX_CONTAINER] = "container",
                                                             [SANDBOX_FULL] = "full" };

static const char *const limits_names[SANDBOX_LIMITS] = {
    [LIMITS_WATCH] = "watch", [LIMITS_CGROUP1] = "cgroup1", [LIMITS_CGROUP2] = "cgroup2"
};

const char *sandbox_profile_name(enum sandbox_profile profile)
{
    return profile_names[profile];
}

const char *sandbox_limits_name(enum sandbox_limits limits)
{
    return limits_names[limits];
}

void report_layer(struct sandbox_host *host, const char *name, bool on, const char *format, ...)
{
    if (host->layer_count == SANDBOX_LAYERS_MAX) {
        return;
    }
    struct sandbox_layer *layer = &host->layers[host->layer_count++];
    *layer = (struct sandbox_layer){ .name = name, .on = on };
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(layer->reason, sizeof(layer->reason), format, arguments);
    va_end(arguments);
}

void sandbox_report_line(const struct sandbox_host *host, struct buffer *out)
{
    buffer_addf(out, "sandbox %s; limits %s; ", sandbox_profile_name(host->profile),
                sandbox_limits_name(host->limits));
    if (host->landlock_abi > 0) {
        buffer_addf(out, "landlock %d; ", host->landlock_abi);
    } else {
        buffer_add_text(out, "landlock off; ");
    }
    buffer_addf(out, "seccomp %s; ", host->inner->use_seccomp ? "on" : "off");
    if (host->uid_count != 0) {
        buffer_addf(out, "uids %u-%u; ", host->uid_first, host->uid_first + host->uid_count - 1);
    }
    const char *separator = "not available: ";
    for (size_t i = 0; i < host->layer_count; i++) {
        if (!host->layers[i].on) {
            buffer_addf(out, "%s%s (%s)", separator, host->layers[i].name, host->layers[i].reason);
            separator = ", ";
        }
    }
    if (separator[0] == 'n') {
        buffer_add_text(out, "nothing missing");
    }
}

void sandbox_report_json(const struct sandbox_host *host, struct buffer *out)
{
    buffer_add_char(out, '{');
    json_text_key(out, "profile");
    json_text_string(out, profile_names[host->profile], strlen(profile_names[host->profile]));
    json_text_key(out, "limits");
    json_text_string(out, limits_names[host->limits], strlen(limits_names[host->limits]));
    json_text_key(out, "landlock");
    buffer_add_int(out, host->landlock_abi);
    json_text_key(out, "uidFirst");
    buffer_add_int(out, host->uid_first);
    json_text_key(out, "uidCount");
    buffer_add_int(out, host->uid_count);
    json_text_key(out, "memoryBytes");
    buffer_add_int(out, (int64_t)host->memory_bytes);
    json_text_key(out, "cpus");
    buffer_add_int(out, host->cpus);
    json_text_key(out, "layers");
    buffer_add_char(out, '[');
    for (size_t i = 0; i < host->layer_count; i++) {
        const struct sandbox_layer *layer = &host->layers[i];
        buffer_add_text(out, i == 0 ? "{" : ",{");
        json_text_key(out, "layer");
        json_text_string(out, layer->name, strlen(layer->name));
        json_text_key(out, "on");
        buffer_add_text(out, layer->on ? "true" : "false");
        json_text_key(out, "reason");
        json_text_string(out, layer->reason, strlen(layer->reason));
        buffer_add_char(out, '}');
    }
    buffer_add_text(out, "]}");
}
