/*
 * Addresses of archives: one row a kind of git host. See source.h.
 *
 * Names come from clients, so they are encoded into the address and can never change its host, nor,
 * by "..", the part of the host that a setting chose.
 */
#include "source.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "client.h"
#include "mem.h"
#include "tags.h"
#include "text.h"

enum { ADDRESS_BYTES = 4096 };

struct provider {
    const char *name;
    const char *base;            /* where its public service is, unless vcs_url says otherwise */
    const char *archive;         /* behind the base */
    const char *token_header;    /* in front of the token */
    const char *branch, *commit; /* behind the page of the repository */
};

static const struct provider providers[] = {
    { "github", "https://api.github.com", "/repos/{owner}/{repository}/tarball/{full_reference}",
      "Authorization: Bearer ", "/tree/", "/commit/" },
    { "gitlab", "https://gitlab.com",
      "/api/v4/projects/{owner}%2F{repository}/repository/archive.tar.gz?sha={reference}",
      "PRIVATE-TOKEN: ", "/-/tree/", "/-/commit/" },
    { "gitea", "https://gitea.com", "/api/v1/repos/{owner}/{repository}/archive/{reference}.tar.gz",
      "Authorization: token ", "/src/branch/", "/commit/" },
};

static const struct provider *provider_of(const struct settings *settings)
{
    for (size_t i = 0; i < COUNT(providers); i++)
        if (strcmp(providers[i].name, settings->vcs_provider) == 0)
            return &providers[i];
    return NULL;
}

const char *source_installation(const struct settings *settings)
{
    const struct provider *provider = provider_of(settings);

    return provider ? provider->name : "";
}

enum reference_kind source_reference_kind(const char *word)
{
    if (strcmp(word, "tag") == 0)
        return REFERENCE_TAG;
    return strcmp(word, "commit") == 0 ? REFERENCE_COMMIT : REFERENCE_BRANCH;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Not empty, and no part of it is "." or "..". */
static bool is_name(const char *name)
{
    if (!*name || *name == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length <= 2 && strspn(part, ".") >= length) /* nothing between two slashes as well */
            return false;
    }
    return true;
}

static int check_names(const struct source *source, struct error *err)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        { "owner", source->owner },
        { "repository", source->repository },
        { "reference", source->reference },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (!is_name(rows[i].value))
            return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                        "Invalid `%s` param: Value must be a name at the git host", rows[i].name);
    return 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void add_encoded(struct buffer *out, const char *text, bool keeps_slash)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *text; text++) {
        if (strchr(plain, *text) || (*text == '/' && keeps_slash))
            buffer_add_char(out, *text);
        else
            buffer_addf(out, "%%%02X", (unsigned char)*text);
    }
}

/* A branch may have slashes, which stay as they are in a path. Those of an owner, a group in a
 * group, are part of one name to the hosts that know such. */
static char *fill_in(const char *pattern, const struct source *source)
{
    static const char *const prefixes[] = {
        [REFERENCE_BRANCH] = "refs/heads/", [REFERENCE_TAG] = "refs/tags/", [REFERENCE_COMMIT] = ""
    };
    auto_free char *full = xasprintf("%s%s", prefixes[source->kind], source->reference);
    const struct {
        const char *name, *value;
        bool may_have_slashes;
    } rows[] = {
        { "{owner}", source->owner, false },
        { "{repository}", source->repository, false },
        { "{reference}", source->reference, true },
        { "{full_reference}", full, true },
    };
    struct buffer out;

    buffer_init(&out, ADDRESS_BYTES);
    while (*pattern) {
        size_t row = 0;
        while (row < COUNT(rows) && !text_starts(pattern, rows[row].name))
            row++;
        if (row == COUNT(rows)) {
            buffer_add_char(&out, *pattern++);
            continue;
        }
        bool in_path = !out.data || !strchr(out.data, '?');
        add_encoded(&out, rows[row].value, rows[row].may_have_slashes && in_path);
        pattern += strlen(rows[row].name);
    }
    return buffer_steal(&out, NULL);
}

char *source_host(const char *url)
{
    const char *start = strstr(url, "://");

    start = start ? start + 3 : url;
    return xstrndup(start, strcspn(start, "/?#"));
}

/* The page of the repository for people. */
static char *page_of(const char *url, const struct source *source)
{
    auto_free char *host = source_host(url);
    struct buffer out;

    buffer_init(&out, ADDRESS_BYTES);
    if (text_ends(host, ".github.com")) /* api., codeload. */
        buffer_add_text(&out, "https://github.com/");
    else
        buffer_addf(&out, "%.*s%s/", (int)(strstr(url, "://") - url + 3), url, host);
    add_encoded(&out, source->owner, true);
    buffer_add_char(&out, '/');
    add_encoded(&out, source->repository, true);
    return buffer_steal(&out, NULL);
}

static void set(char **field, char *text)
{
    free(*field);
    *field = text;
}

static int describe(const struct provider *provider, const char *pattern,
                    const struct source *source, struct deployment *deployment, struct error *err)
{
    struct deployment *d = deployment;

    if (check_names(source, err) < 0)
        return -1;
    if (!text_starts(pattern, "https://") && !text_starts(pattern, "http://"))
        return fail(err, ERROR_INTERNAL,
                    "the settings template_url, template_tags_url and vcs_url are to begin with "
                    "http:// or https://");
    set(&d->source_url, fill_in(pattern, source));
    set(&d->provider_repository_name, xstrdup(source->repository));
    set(&d->provider_repository_owner, xstrdup(source->owner));
    set(&d->provider_repository_url, page_of(d->source_url, source));
    set(&d->provider_root_directory, xstrdup(source->root));
    auto_free char *reference = fill_in("{reference}", source);
    if (source->kind == REFERENCE_COMMIT) {
        set(&d->provider_commit_hash, xstrdup(source->reference));
        set(&d->provider_commit_url,
            xasprintf("%s%s%s", d->provider_repository_url, provider->commit, reference));
        return 0;
    }
    if (source->kind == REFERENCE_BRANCH)
        set(&d->provider_branch, xstrdup(source->reference));
    set(&d->provider_branch_url,
        xasprintf("%s%s%s", d->provider_repository_url, provider->branch, reference));
    return 0;
}

int source_from_template(const struct settings *settings, const struct source *source,
                         struct deployment *deployment, struct error *err)
{
    bool is_range = source->kind == REFERENCE_TAG && tags_is_range(source->reference);

    if (is_range && !*settings->template_tags_url)
        return fail(err, ERROR_GENERAL_ARGUMENT_INVALID,
                    "Invalid `reference` param: Value must be a tag, not a range of tags: the "
                    "setting template_tags_url is empty");
    if (describe(&providers[0], is_range ? settings->template_tags_url : settings->template_url,
                 source, deployment, err) < 0)
        return -1;
    set(&deployment->source_range, xstrdup(is_range ? source->reference : ""));
    if (is_range)
        set(&deployment->provider_branch_url, xstrdup(""));
    return 0;
}

/* vcs_url: a whole pattern, or where a service of the provider's kind is. */
static char *vcs_pattern(const struct settings *settings, const struct provider *provider)
{
    const char *base = *settings->vcs_url ? settings->vcs_url : provider->base;
    size_t length = strlen(base);

    if (strchr(base, '{'))
        return xstrdup(base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    return xasprintf("%.*s%s", (int)length, base, provider->archive);
}

int source_from_vcs(const struct settings *settings, const struct source *source,
                    struct deployment *deployment, struct error *err)
{
    const struct provider *provider = provider_of(settings);

    if (!provider)
        return fail(err, ERROR_INSTALLATION_NOT_FOUND, NULL);
    auto_free char *pattern = vcs_pattern(settings, provider);
    return describe(provider, pattern, source, deployment, err);
}

/* A row may be older than the settings: the token goes to the host that they name now alone. */
char *source_token_header(const struct settings *settings, const char *url)
{
    static const struct source nobody = { .owner = "o", .repository = "r", .reference = "r" };
    const struct provider *provider = provider_of(settings);

    if (!provider || !*settings->vcs_token)
        return NULL;
    auto_free char *pattern = vcs_pattern(settings, provider), *ours = fill_in(pattern, &nobody);
    if (!http_same_origin(ours, url))
        return NULL;
    return xasprintf("%s%s", provider->token_header, settings->vcs_token);
}
