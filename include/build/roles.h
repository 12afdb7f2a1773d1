/*
 * Roles of our own binary that run inside the sandbox: they see foreign archives and trees, so they
 * trust neither.
 */
#ifndef ROLES_H
#define ROLES_H

/*
 * unpack DIRECTORY MAX_BYTES MAX_ENTRIES MAX_RATIO [STRIP ROOT]: the archive on standard input into
 * DIRECTORY (exists, empty). STRIP 1: the first folder of every path is left off, as archives of
 * git hosts are wrapped in one. ROOT: then only what is below this folder is taken, and becomes
 * DIRECTORY; "." or "": everything. Exit 0, or 1 with one sentence for the build log on standard
 * output.
 */
int build_unpack_role(int argc, char **argv);

/*
 * pack DIRECTORY MAX_BYTES: DIRECTORY as tar.gz on standard output; notes for the build log on
 * standard error. Exit 0, or 1 with the sentence on standard error.
 */
int build_pack_role(int argc, char **argv);

#endif
