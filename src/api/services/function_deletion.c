/* DELETE /v1/functions/{functionId}: everything of it, and what is under way for it. */
#include "fetcher.h"
#include "functions.h"

/* What the builder must let go of, in the call's memory. */
struct forgotten {
    struct forgotten *next;
    const char *id;
};

struct deletion {
    struct call *call;
    const char *id;
    struct forgotten *deployments;
};

static void remember_deployment(void *context, const void *entity)
{
    struct deletion *deletion = context;
    const struct deployment *deployment = entity;
    struct forgotten *forgotten = call_alloc(deletion->call, sizeof(*forgotten));

    *forgotten = (struct forgotten){
        .next = deletion->deployments,
        .id = call_textf(deletion->call, "%s", deployment->id),
    };
    deletion->deployments = forgotten;
}

static int write_deletion(struct db *db, void *context, struct error *err)
{
    struct deletion *deletion = context;
    struct list_query all = { .project_id = deletion->call->project_id,
                              .function_id = deletion->id,
                              .limit = INT64_MAX };
    int64_t total;

    if (store_list(db, LIST_DEPLOYMENTS, &all, remember_deployment, deletion, &total, err) < 0)
        return -1;
    return store_function_delete(db, deletion->call->project_id, deletion->id, err);
}

static void forget_deployments(struct api *api, void *context)
{
    for (struct forgotten *forgotten = context; forgotten != NULL; forgotten = forgotten->next) {
        if (api->fetcher != NULL)
            fetcher_cancel(api->fetcher, forgotten->id);
        if (api->builder != NULL)
            builder_forget(api->builder, forgotten->id);
    }
}

int functions_delete(struct call *call, struct error *err)
{
    const struct function_one *in = call->params;
    struct deletion deletion = { .call = call, .id = in->functionId };

    if (store_write_wait(call->store, write_deletion, &deletion, err) < 0)
        return -1;
    call_changed(call, CHANGE_FUNCTION, in->functionId);
    call_changed(call, CHANGE_RULES, NULL);
    call_after(call, forget_deployments, deletion.deployments);
    return call_answer_empty(call);
}
