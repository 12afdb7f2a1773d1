/*
 * Runs a fuzz target over the files of its corpus directory, as an ordinary test: what a fuzzer
 * once found stays found. An absent directory means the target is run on the empty input alone.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *directory, const char *name)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return -1;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return -1;
    uint8_t *data = malloc(1 << 20);
    size_t size = data == NULL ? 0 : fread(data, 1, 1 << 20, file);
    fclose(file);

    /* An exact copy, so that the address sanitizer sees a read past the end. */
    uint8_t *exact = malloc(size + (size == 0));
    if (exact != NULL) {
        for (size_t i = 0; i < size; i++)
            exact[i] = data[i];
        LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int count = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);

    DIR *directory = argc > 1 ? opendir(argv[1]) : NULL;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        if (replay(argv[1], entry->d_name) < 0) {
            fprintf(stderr, "cannot read %s/%s\n", argv[1], entry->d_name);
            return 1;
        }
        count++;
    }
    if (directory != NULL)
        closedir(directory);
    printf("%d inputs\n", count);
    return 0;
}
