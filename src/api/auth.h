/* Who calls: project, key, user token, scopes. */
#ifndef AUTH_H
#define AUTH_H

#include "call.h"

/*
 * Loop. Fills call->project_id and call->caller and checks the endpoint's scopes. body_project: the
 * parameter `project` of the body, or NULL. *ret_needs_project: nobody has named a project yet, and
 * a body could.
 */
int auth_check(struct call *call, const char *body_project, bool *ret_needs_project,
               struct error *err);
void auth_release(struct call *call);

#endif
