/* What the server calls itself. */
#ifndef API_VERSION_H
#define API_VERSION_H

/* The version claimed: the newest response format served (health/version, "version" of errors). */
extern const char api_version[];

/* Our own, as in the Server header: functiond/x.y.z. */
extern const char api_server_name[];

#endif
