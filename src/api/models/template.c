/* templateFunction and what it holds. */
#include <stdio.h>

#include "call.h"
#include "json_text.h"
#include "models/render.h"
#include "services/templates.h"
#include "versions.h"

#define FIELD_OF(name_, structure, member, kind_, text_)                                   \
    {                                                                                      \
        .name = name_, .kind = kind_, .offset = offsetof(structure, member), .text = text_ \
    }

/* ---- variable, runtime ----------------------------------------------------------------------- */

#define VARIABLE(name_, member, text_) \
    FIELD_OF(name_, struct template_variable, member, FIELD_TEXT, text_)

static const struct field variable_fields[] = {
    VARIABLE("name", name, "Name in the environment."),
    VARIABLE("description", description, "What it is for."),
    VARIABLE("value", value, "Default value."),
    F_BOOLEAN("secret", struct template_variable, secret, .text = "Write-only."),
    VARIABLE("placeholder", placeholder, "An example."),
    F_BOOLEAN("required", struct template_variable, required, .text = "Must have a value."),
    VARIABLE("type", type, "text, password, number, url, email or phone."),
    { 0 },
};
const struct model model_template_variable = { "templateVariable", NULL, variable_fields };

struct shown_runtime {
    const char *id, *commands, *entrypoint, *root;
};

#define RUNTIME(name_, member, text_) \
    FIELD_OF(name_, struct shown_runtime, member, FIELD_TEXT, text_)

static const struct field runtime_fields[] = {
    RUNTIME("name", id, "Runtime ID."),
    RUNTIME("commands", commands, "Build commands."),
    RUNTIME("entrypoint", entrypoint, "File that is executed."),
    RUNTIME("providerRootDirectory", root, "Folder in the repository."),
    { 0 },
};
const struct model model_template_runtime = { "templateRuntime", NULL, runtime_fields };

/* ---- template -------------------------------------------------------------------------------- */

static void write_inner(const struct writing *writing, const struct model *model,
                        const void *entity)
{
    const struct call *call = writing->call;

    if (writing->out->size > 0 && writing->out->data[writing->out->size - 1] == '}')
        buffer_add_char(writing->out, ',');
    render_document(writing, models_fields(call->api->models, call->format, model, false), entity);
}

static void write_runtime(void *context, const struct template_runtime *runtime, const char *id)
{
    const struct shown_runtime shown = { id, runtime->commands, runtime->entrypoint,
                                         runtime->root };

    write_inner(context, &model_template_runtime, &shown);
}

static void write_runtimes(const struct writing *writing, const void *entity)
{
    struct writing inner = *writing;

    buffer_add_char(writing->out, '[');
    if (writing->call)
        template_runtimes(writing->call, entity, write_runtime, &inner);
    buffer_add_char(writing->out, ']');
}

static void write_variables(const struct writing *writing, const void *entity)
{
    const struct template_row *row = entity;

    buffer_add_char(writing->out, '[');
    for (const struct template_variable *variable = row->variables; writing->call && variable->name;
         variable++)
        write_inner(writing, &model_template_variable, variable);
    buffer_add_char(writing->out, ']');
}

static void write_use_cases(const struct writing *writing, const void *entity)
{
    const struct template_row *row = entity;

    buffer_addf(writing->out, "[\"%s\"]", row->use_case);
}

static void write_permissions(const struct writing *writing, const void *entity)
{
    (void)entity;
    buffer_add_text(writing->out, "[\"any\"]");
}

static void write_instructions(const struct writing *writing, const void *entity)
{
    const struct template_row *row = entity;
    char text[512];
    int length = snprintf(text, sizeof text,
                          "What it needs is written <a target=\"_blank\" rel=\"noopener\" "
                          "href=\"https://github.com/appwrite/templates/tree/main/%s\">beside its "
                          "code</a>.",
                          row->runtimes[0].root);

    json_text_string(writing->out, text, (size_t)length);
}

#define ROW(name_, member, kind_, text_) FIELD_OF(name_, struct template_row, member, kind_, text_)

static const struct field template_fields[] = {
    ROW("icon", icon, FIELD_TEXT, "Name of an icon."),
    ROW("id", id, FIELD_TEXT, "Template ID."),
    ROW("name", name, FIELD_TEXT, "Name."),
    ROW("tagline", tagline, FIELD_TEXT, "What it does."),
    F_OWN("permissions", "array:string", write_permissions, .text = "Who may execute it."),
    { .name = "events",
      .kind = FIELD_JSON,
      .offset = offsetof(struct template_row, events),
      .type = "array:string",
      .text = "Events that trigger it." },
    F_CONSTANT("cron", "", .text = "Schedule."),
    F_INTEGER("timeout", struct template_row, timeout, .text = "Seconds an execution may take."),
    F_OWN("useCases", "array:string", write_use_cases, .text = "What it is for."),
    F_OWN("runtimes", "array:templateRuntime", write_runtimes,
          .text = "Runtimes of this server that it runs on."),
    F_OWN("instructions", "string", write_instructions, .text = "Where to read on, as HTML."),
    F_CONSTANT("vcsProvider", "github", .text = "Git host of the code."),
    F_CONSTANT("providerRepositoryId", "templates", .text = "Repository."),
    F_CONSTANT("providerOwner", "appwrite", .text = "Its owner."),
    ROW("providerVersion", version, FIELD_TEXT, "Tag."),
    F_OWN("variables", "array:templateVariable", write_variables, .text = "Variables it reads."),
    { .name = "scopes",
      .kind = FIELD_JSON,
      .offset = offsetof(struct template_row, scopes),
      .type = "array:string",
      .text = "Scopes of the key each execution gets." },
    { 0 },
};
const struct model model_template_function = { "templateFunction", "templates", template_fields };
