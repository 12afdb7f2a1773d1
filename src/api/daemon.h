/* What the api process holds. Everything hangs on this struct; there are no globals. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api_version.h"
#include "build.h"
#include "geo.h"
#include "loop.h"
#include "map.h"
#include "registry.h"
#include "router.h"
#include "run.h"
#include "runtimes.h"
#include "server.h"
#include "settings.h"
#include "store.h"
#include "thread.h"
#include "token.h"

/* Whether memory has what was committed; any thread. See reload.h. */
struct freshness {
    atomic_int behind;    /* how many lanes' changes are late */
    atomic_bool stopping; /* the process is to end */
    atomic_bool ended;    /* nobody waits for changes any more */
};

/* What one lane committed, until the loop has taken it over; at first only freshness is set. */
struct unread {
    struct freshness *freshness;
    int64_t since_us; /* monotonic; 0: nothing was read yet */
    bool told;        /* counted in freshness->behind */
};

struct api {
    struct settings *settings;
    struct loop *loop;
    struct store *store;
    struct lanes *lanes;         /* their state is a struct db * */
    struct runtimes *runtimes;   /* immutable: any thread */
    struct token_signer *signer; /* immutable: any thread */
    struct models *models;       /* immutable: any thread */
    struct geo *geo;             /* immutable: any thread; NULL: nothing is known */
    struct gql_schema *graphql;  /* immutable: any thread */
    struct freshness freshness;

    /* the loop's own */
    struct registry *registry;
    struct run *run;          /* NULL in tests of handlers */
    struct builder *builder;  /* NULL in tests of handlers */
    struct fetcher *fetcher;  /* NULL in tests of handlers */
    struct http_server *http; /* NULL in tests of handlers */
    struct router *router;    /* targets: struct route * (catalog.h) */
    struct route *routes;
    struct limits *limits;
    struct control *control;
    struct proxies *proxies;    /* trusted ones */
    char *public_url;           /* http://127.0.0.1:8080, without a slash at the end */
    int64_t started_us;         /* monotonic */
    int64_t last_execution_seq; /* sequence of executions: see execution_next_seq() */
    struct buffer headers;      /* memory for the header block of one request after the other */
    int exit_status;
};

/* Loop: the next execution's seq, max(last + 1, now in microseconds). */
int64_t execution_next_seq(struct api *api);

#endif
