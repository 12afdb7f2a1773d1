/* functiond docs: documents written from the rows that the server itself reads. */
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "cli.h"
#include "documents.h"
#include "mem.h"
#include "settings.h"
#include "text.h"

enum { DOCUMENT_BYTES = 64 << 20 };

static int write_openapi(const char *format, struct buffer *out, struct error *err)
{
    return api_document_openapi(format, out, err);
}

static int write_errors(const char *format, struct buffer *out, struct error *err)
{
    (void)format;
    (void)err;
    api_document_errors(out);
    return 0;
}

static int write_settings(const char *format, struct buffer *out, struct error *err)
{
    (void)format;
    (void)err;
    settings_document(out);
    return 0;
}

static const struct document {
    const char *name, *help;
    int (*write)(const char *format, struct buffer *out, struct error *err);
} documents[] = {
    { .name = "openapi",
      .help = "the API as OpenAPI 3; --format 1.6.0 for an older response format",
      .write = write_openapi },
    { .name = "errors", .help = "every error type with its status", .write = write_errors },
    { .name = "settings", .help = "every setting", .write = write_settings },
};

static void print_help(FILE *to)
{
    fprintf(to, "functiond docs DOCUMENT\n\n");
    for (size_t i = 0; i < COUNT(documents); i++)
        fprintf(to, "  %-10s %s\n", documents[i].name, documents[i].help);
}

static int print(const struct document *document, const char *format)
{
    auto_buffer struct buffer out = { 0 };
    struct error err;

    buffer_init(&out, DOCUMENT_BYTES);
    if (document->write(format, &out, &err) < 0) {
        fprintf(stderr, "functiond: %s\n", err.message);
        return EXIT_FAILED;
    }
    fwrite(out.data, 1, out.size, stdout);
    if (out.size > 0 && out.data[out.size - 1] != '\n')
        putchar('\n');
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

int command_docs(int argc, char **argv)
{
    const char *format = argc == 4 && text_equals(argv[2], "--format") ? argv[3] : "";

    if (cli_wants_help(argc, argv)) {
        print_help(stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; argc > 1 && (argc == 2 || format[0] != '\0') && i < COUNT(documents); i++)
        if (text_equals(argv[1], documents[i].name))
            return print(&documents[i], format);
    print_help(stderr);
    return EXIT_USAGE;
}
