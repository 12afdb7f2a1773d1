/* Which host names rules may have, and whether one leads to this server. */
#ifndef RULE_DOMAIN_H
#define RULE_DOMAIN_H

#include "call.h"

/* A param_check: a host name, but no address. */
param_check check_domain;

/*
 * Refuses names the API itself is reached by and the bare functions domain.
 * Errors: GENERAL_ARGUMENT_INVALID.
 */
int rule_domain_may_be(const struct call *call, const char *domain, struct error *err);

/* A name below the functions domain, which is ours already. */
bool rule_domain_is_ours(const struct call *call, const char *domain);

/*
 * In a lane; asks the resolver, which may take some seconds. Errors: RULE_VERIFICATION_FAILED with
 * what was found.
 */
int rule_domain_verify(const struct call *call, const char *domain, struct error *err);

#endif
