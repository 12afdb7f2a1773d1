/* Function templates: what templates.def holds, and which runtimes of it this host has. */
#ifndef TEMPLATES_H
#define TEMPLATES_H

#include "call.h"

struct template_runtime {
    const char *family; /* "python" */
    const char *commands, *entrypoint, *root;
};

struct template_variable {
    const char *name, *description, *value, *placeholder;
    const char *type; /* text, password, number, url, email, phone */
    bool required;
    bool secret;
};

struct template_row {
    const char *id, *name, *icon;
    int64_t timeout; /* seconds */
    const char *use_case, *version, *tagline;
    const struct template_runtime *runtimes;   /* ends with family NULL */
    const struct template_variable *variables; /* ends with name NULL */
    const char *events, *scopes;               /* JSON lists */
};

/* Calls row for each published id that the template runs on here. */
typedef void template_runtime_each(void *context, const struct template_runtime *runtime,
                                   const char *id);
void template_runtimes(const struct call *call, const struct template_row *row,
                       template_runtime_each *each, void *context);

#endif
