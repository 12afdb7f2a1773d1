/*
 * Where git hosts keep the archive of a repository: addresses for templates and for connected
 * repositories, and what a deployment's row says about its origin.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "entities.h"
#include "error.h"
#include "settings.h"

enum reference_kind { REFERENCE_BRANCH, REFERENCE_TAG, REFERENCE_COMMIT };

struct source {
    const char *owner, *repository;
    const char *root; /* folder of the function in the repository; "": all of it */
    enum reference_kind kind;
    const char *reference;
};

/* "branch", "tag", "commit" */
enum reference_kind source_reference_kind(const char *word);

/*
 * Fill source_url and the provider's fields of a prepared deployment; for a template by a range of
 * tags, source_range too (entities.h). Errors: GENERAL_ARGUMENT_INVALID when a name cannot be part
 * of an address.
 */
int source_from_template(const struct settings *settings, const struct source *source,
                         struct deployment *deployment, struct error *err);
int source_from_vcs(const struct settings *settings, const struct source *source,
                    struct deployment *deployment, struct error *err);

/* The id of the only installation there can be; "": none is configured. */
const char *source_installation(const struct settings *settings);

/*
 * The header that shows who asks for url, for the caller to free; NULL: none is to be sent there.
 */
char *source_token_header(const struct settings *settings, const char *url);

/* The host (and port) of an address, for sentences; for the caller to free. */
char *source_host(const char *url);

#endif
