/* Log lines: each is one write(2), so that lines of several processes on one stderr do not mix. See
 * log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "json_text.h"

enum { MESSAGE_BYTES = 4096, LINE_BYTES = 8 * MESSAGE_BYTES };

static struct {
    enum log_level least;
    enum log_format format;
    char role[32];
} configuration = { .least = LOG_INFO, .format = LOG_TEXT, .role = "functiond" };

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

void log_configure(enum log_level least, enum log_format format, const char *role)
{
    configuration.least = least;
    configuration.format = format;
    snprintf(configuration.role, sizeof(configuration.role), "%s", role);
}

/* A message may carry what a user wrote: it must neither break the line nor move a terminal's
 * cursor. */
static void add_escaped(struct buffer *line, const char *message)
{
    for (const char *at = message; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '\n')
            buffer_add_text(line, "\\n");
        else if (c == '\t')
            buffer_add_text(line, "\\t");
        else if (c < 0x20 || c == 0x7f)
            buffer_addf(line, "\\x%02x", (unsigned int)c);
        else
            buffer_add_char(line, *at);
    }
}

static void compose(struct buffer *line, enum log_level level, const char *message)
{
    char date[CLOCK_TEXT];
    size_t length = clock_format(clock_realtime_us(), date) - strlen("+00:00");
    if (configuration.format == LOG_TEXT) {
        buffer_addf(line, "%.*sZ %s %s: ", (int)length, date, level_names[level],
                    configuration.role);
        add_escaped(line, message);
        buffer_add_char(line, '\n');
        return;
    }
    buffer_addf(line,
                "{\"time\":\"%.*sZ\",\"level\":\"%s\",\"role\":\"%s\",\"message\":", (int)length,
                date, level_names[level], configuration.role);
    json_text_string(line, message, strlen(message));
    buffer_add_text(line, "}\n");
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level < configuration.least)
        return;
    int kept = errno;
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);

    auto_buffer struct buffer line;
    buffer_init(&line, LINE_BYTES);
    compose(&line, level, message);
    ssize_t written = write(STDERR_FILENO, line.data, line.size);
    (void)written; /* a log that cannot be written has nowhere to be reported */
    errno = kept;
}
