/* The handlers the HTTP server calls: host routing, then the catalogue. */
#ifndef FRONT_H
#define FRONT_H

#include "daemon.h"
#include "server.h"

struct http_handlers front_handlers(struct api *api);

#endif
