/*
 * Running prepared requests: the root fields of all of them, one after the other, each as a call of
 * its own (exchange_new_inner). Loop, with excursions to a lane for what is large.
 */
#ifndef GRAPHQL_EXECUTE_H
#define GRAPHQL_EXECUTE_H

#include "exchange.h"
#include "graphql/graphql.h"

/* A file of a multipart request: what an endpoint's files_state will be. */
struct gql_upload {
    struct gql_upload *next;
    char *name;
    void *state;
};

/* The files_state of a GraphQL call; released by gql_run_release(). */
struct gql_run {
    struct call *call;
    struct gql_request *requests; /* of the call's arena */
    size_t count, at;
    bool is_batch;
    struct gql_step *step; /* the root field that runs */
    struct buffer data;    /* of the request that runs */
    struct buffer answer;  /* of the inner call */
    unsigned status;
    struct gql_upload *uploads;
    struct gql_upload *receiving; /* the last of them */
};

/* The value of an argument that a file was mapped to: {"file":"<part>"}. */
#define GQL_FILE_MEMBER "file"

struct gql_run *gql_run_of(struct call *call); /* created if need be */
void gql_run_release(struct call *call);
void gql_run_begin(struct call *call); /* ends the call */

#endif
