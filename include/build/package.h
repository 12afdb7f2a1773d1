/*
 * Packages: what deployments arrive as and what builds leave, content-addressed files in
 * DIR/packages (name = hash). Blocking calls for lanes.
 */
#ifndef PACKAGE_H
#define PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { PACKAGE_HASH = 65 }; /* hex of 32 bytes and NUL */

/*
 * Takes the regular file temp_path (on the same file system) into packages/: hashes, fsyncs,
 * renames, fsyncs the directory. Afterwards temp_path is gone. A package that is there already is
 * replaced: its file is a new one then, which package_remove_old() spares.
 */
int package_take(const char *data_directory, const char *temp_path, char ret_hash[PACKAGE_HASH],
                 int64_t *ret_size, struct error *err);

/* Opens for reading. Errors: DEPLOYMENT_NOT_FOUND when the file is missing. */
int package_open(const char *data_directory, const char *hash, int *ret_fd, int64_t *ret_size,
                 struct error *err);

/*
 * For a row that is about to refer to it, inside the writer: makes it as young as one that was just
 * taken. false when it is not there.
 */
bool package_renew(const char *data_directory, const char *hash);

/*
 * Inside the writer, and the only way a package goes: if it was taken or renewed before before_us
 * (realtime). true when it is gone now by this.
 */
bool package_remove_old(const char *data_directory, const char *hash, int64_t before_us);

/* "tar.gz", "zip", ... by the first bytes, or NULL when it is no archive we take. */
const char *package_kind(const unsigned char *head, size_t bytes);

/*
 * An upload in pieces: DIR/uploads/<deployment id>, sparse. ranges is the JSON list
 * [[first,last],...] of what arrived. upload_write copies bytes from temp_path to offset first and
 * fsyncs; upload_add merges a range into the list and tells whether [0, size) is covered.
 */
int upload_write(const char *data_directory, const char *deployment_id, const char *temp_path,
                 uint64_t temp_offset, uint64_t first, uint64_t bytes, struct error *err);
int upload_add(const char *ranges, uint64_t first, uint64_t last, uint64_t size, char **ret_ranges,
               bool *ret_complete, struct error *err);
/* How many of the pieces [0, piece_bytes), [piece_bytes, 2 * piece_bytes) ... of size are there. */
uint64_t upload_whole_pieces(const char *ranges, uint64_t size, uint64_t piece_bytes);
int upload_path(const char *data_directory, const char *deployment_id, char **ret_path);
void upload_remove(const char *data_directory, const char *deployment_id);

/* Free space at the data directory is below the setting disk_reserve_mb: GENERAL_STORAGE_FULL. */
int package_room(const char *data_directory, int64_t reserve_mb, int64_t wanted_bytes,
                 struct error *err);

#endif
