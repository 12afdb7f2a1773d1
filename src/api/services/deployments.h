/* Inside the deployments service: shared by upload, duplicates and the rest. */
#ifndef DEPLOYMENTS_H
#define DEPLOYMENTS_H

#include "call.h"

struct deployment_create {
    const char *functionId;
    const char *entrypoint; /* NULL: the function's */
    const char *commands;   /* NULL: the function's */
    bool activate;
};

int deployments_create(struct call *call, struct error *err);
int deployments_download(struct call *call, struct error *err);

struct deployment_download {
    const char *functionId;
    const char *deploymentId;
    const char *type; /* NULL: by the path and the response format */
};

/*
 * A new row of a function: ids, dates, runtime, status waiting, everything else empty. ret is
 * overwritten.
 */
void deployment_prepare(struct deployment *ret_deployment, const struct function *function,
                        const char *id, const char *type);
/* frees the old text; text may not be the old one */
void deployment_set_text(char **field, const char *text);

/* The template that a function is made from; each may be empty. */
struct template_choice {
    const char *owner, *repository, *root;
    const char *branch, *version; /* the version wins: a tag or a range of them */
};
/*
 * What formats below 1.7.0 deploy along with a new function: its template, else the branch of the
 * repository that it is connected to. Nothing is written yet; ret_deployment stays as it is if
 * there is no such thing. Errors: those of the endpoints that do only this.
 * Source: appwrite 1.6.1 app/controllers/api/functions.php.
 */
int deployment_of_creation(struct call *call, const struct function *function,
                           const struct template_choice *choice, struct deployment *ret_deployment,
                           struct error *err);

/* Queues the build on the loop once this call's changes have been taken over. */
void deployment_build_later(struct call *call, const char *function_id, const char *deployment_id);

/* The same with fetching its package first. */
void deployment_fetch_later(struct call *call, const char *function_id, const char *deployment_id);

#endif
