/* See cli_session.h. */
#include "cli_session.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "text.h"

enum { FIRST_RELEASE = 8, LAST_RELEASE = 12, KEY_BYTES = 1024 };

static const char cookie_name[] = "a_session_console=";
static const char key_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

static bool is_command_line(const struct call *call)
{
    return text_equals(call_header(call, "x-sdk-language"), "cli") &&
           call_header(call, "origin") == NULL;
}

/* The client sends back what was set as a whole, attributes and all. */
const char *cli_session_key(struct call *call)
{
    const char *cookie = call_header(call, "cookie");

    if (cookie == NULL || !is_command_line(call))
        return NULL;
    while (!text_starts(cookie, cookie_name)) {
        cookie = strchr(cookie, ';');
        if (cookie == NULL)
            return NULL;
        cookie += 1 + strspn(cookie + 1, " ");
    }
    cookie += strlen(cookie_name);
    size_t bytes = strspn(cookie, key_characters);
    return bytes == 0 || bytes > KEY_BYTES ? NULL : call_textf(call, "%.*s", (int)bytes, cookie);
}

void cli_session_offer(struct call *call)
{
    const char *key = call_header(call, "x-appwrite-key");
    const char *version = call_header(call, "x-sdk-version");
    long release = version == NULL ? 0 : strtol(version, NULL, 10);

    if (text_is_empty(key) || strlen(key) > KEY_BYTES || key[strspn(key, key_characters)] != '\0' ||
        !is_command_line(call) || release < FIRST_RELEASE || release > LAST_RELEASE)
        return;
    call_answer_header(call, "Set-Cookie",
                       call_textf(call, "%s%s; Path=/v1; HttpOnly; SameSite=Strict%s", cookie_name,
                                  key, call->https ? "; Secure" : ""));
}
