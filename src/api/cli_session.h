/*
 * What releases 8 to 12 of the command line client take for a session at a console.
 *
 * After making a function they ask for console/variables with a session or not at all, also when
 * they were given a key. So the answer to that creation sets the cookie they look for, with the
 * key they have shown. From then on they send the cookie in place of the key, until `client
 * --endpoint` is run again.
 *
 * No browser gets or may use such a cookie: it is set and looked at only for requests with the
 * client's own headers, and never for one that has an Origin.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "call.h"

/* The key in the cookie, in the call's memory; NULL: there is none, or it does not count. */
const char *cli_session_key(struct call *call);

/* Adds the cookie to the answer if the caller is such a client and shows a key in its header. */
void cli_session_offer(struct call *call);

#endif
