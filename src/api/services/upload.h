/* Receiving the file parts of createDeployment into temporary files below DIR/uploads. */
#ifndef UPLOAD_H
#define UPLOAD_H

#include <stdint.h>

#include "call.h"

struct upload_part {
    char *path;      /* NULL: no such part came */
    char *file_name; /* as the client named it, "" if not */
    uint64_t bytes;
    unsigned char head[264]; /* the first bytes, for recognising archives */
    size_t head_bytes;
};

struct upload {
    struct upload_part code; /* the package, or one piece of it */
    /* some clients send the whole package as `code` with every piece, and the piece here */
    struct upload_part file;
    struct upload_part *open; /* the one being written */
    int fd;
};

extern const struct endpoint_files upload_files;

/* What arrived; never NULL. */
const struct upload *upload_of(const struct call *call);

#endif
