/* HTML pages of function domains: rows of what to say, one template. */
#include "pages.h"

#include <string.h>

#include "daemon.h"
#include "mem.h"

enum { PAGE_MOST = 8192 };

static const struct {
    enum error_type type;
    const char *heading, *text;
} error_pages[] = {
    { ERROR_RULE_NOT_FOUND, "Nothing is here yet", "No function answers on this domain." },
    { ERROR_GENERAL_ACCESS_FORBIDDEN, "Error 401",
      "This domain cannot be used for security reasons. Please use any subdomain instead." },
    { ERROR_DEPLOYMENT_NOT_FOUND, "No active deployments",
      "Deploy the function and activate the deployment." },
    { ERROR_BUILD_NOT_READY, "Deployment is still building", "Reload this page in a moment." },
    { ERROR_BUILD_FAILED, "Deployment build failed", "See the logs of the deployment." },
    { ERROR_BUILD_CANCELED, "Deployment build canceled", "Deploy the function again." },
    { ERROR_FUNCTION_EXECUTE_PERMISSION_MISSING, "Execution not permitted",
      "To execute function using domain, execute permissions must include \"any\" or \"guests\"." },
};

static const struct {
    unsigned status;
    const char *text;
} status_pages[] = {
    { 401, "You must sign in to see this page." },
    { 403, "You are not authorized to see this page." },
    { 404, "This page does not exist." },
    { 501, "This page is not implemented." },
    { 504, "The function did not respond in time." },
};

static void add_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            buffer_add_text(out, "&lt;");
        else if (*text == '&')
            buffer_add_text(out, "&amp;");
        else if (*text == '"')
            buffer_add_text(out, "&quot;");
        else
            buffer_add_char(out, *text);
    }
}

static void page_show(struct http_request *request, unsigned status, const char *heading,
                      const char *text, const char *execution_id)
{
    const struct http_header headers[] = {
        { "Content-Type", "text/html; charset=UTF-8" },
        { "Server", api_server_name },
        { "x-appwrite-execution-id", execution_id },
    };
    struct buffer body;

    buffer_init(&body, PAGE_MOST);
    buffer_add_text(&body, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>");
    add_escaped(&body, heading);
    buffer_add_text(
        &body, "</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:20vh "
               "auto;padding:0 1em}h1{font-size:1.5em}</style><h1>");
    add_escaped(&body, heading);
    buffer_add_text(&body, "</h1><p>");
    add_escaped(&body, text);
    buffer_add_text(&body, "</p></html>\n");
    http_answer(request, &(struct http_answer){ .status = status,
                                                .headers = headers,
                                                .header_count = COUNT(headers) - !execution_id,
                                                .body = &body,
                                                .file = -1 });
    buffer_release(&body);
}

void page_error(struct http_request *request, const struct error *err)
{
    const struct error_row *row = &error_rows[err->type];
    auto_free char *plain = xasprintf("Error %d", row->code);

    for (size_t i = 0; i < COUNT(error_pages); i++)
        if (error_pages[i].type == err->type) {
            page_show(request, (unsigned)row->code, error_pages[i].heading, error_pages[i].text,
                      NULL);
            return;
        }
    page_show(request, (unsigned)row->code, plain,
              err->type == ERROR_INTERNAL ? row->message : err->message, NULL);
}

void page_status(struct http_request *request, unsigned status, const char *execution_id)
{
    auto_free char *heading = xasprintf("Error %u", status);
    const char *text = status < 500 ? "An unexpected client error happened."
                                    : "An unexpected server error happened.";

    for (size_t i = 0; i < COUNT(status_pages); i++)
        if (status_pages[i].status == status)
            text = status_pages[i].text;
    page_show(request, status, heading, text, execution_id);
}
