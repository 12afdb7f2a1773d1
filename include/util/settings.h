/*
 * Settings: rows of settings.def become struct settings, flags, environment names, the config file
 * and the docs.
 *
 * Order of force: flag, then FUNCTIOND_NAME in the environment, then the --config file (NAME =
 * value, # comments), then the default. Anything unknown is refused with a sentence that names the
 * nearest row.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "error.h"

struct settings {
#define SETTING_TEXT(name, fallback, doc)                      char *name;
#define SETTING_NUMBER(name, fallback, least, most, unit, doc) int64_t name;
#define SETTING_SWITCH(name, fallback, doc)                    bool name;
#define SETTING_CHOICE(name, fallback, choices, doc)           char *name;
#include "settings.def"
#undef SETTING_TEXT
#undef SETTING_NUMBER
#undef SETTING_SWITCH
#undef SETTING_CHOICE
};

/*
 * Reads the defaults, the file, the environment and argv (flags as --name value or --name=value; a
 * switch also alone). argv holds only what follows the command's name. Errors:
 * ERROR_GENERAL_ARGUMENT_INVALID with the sentence.
 */
int settings_load(struct settings *ret_settings, int argc, char *const *argv,
                  char *const *environment, struct error *err);
void settings_release(struct settings *settings);

/* The settings that differ from the default as NAME=value lines, for handing them to a child role,
 * and back again. */
void settings_write(const struct settings *settings, struct buffer *out);
int settings_read(struct settings *ret_settings, const char *lines, struct error *err);

void settings_document(struct buffer *out); /* Markdown table of all rows */

#endif
