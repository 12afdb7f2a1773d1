/* Command lines and environments of build children, as START messages want them. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "buffer.h"
#include "runtimes.h"

/* Both lists are NULL-terminated. Initialises ret_launch. */
void launch_write(struct buffer *ret_launch, const char *const *argv, const char *const *envp);

/*
 * The user's commands as one bash script, behind the family's prelude, with the family's build
 * environment over the given one. Initialises ret_launch.
 */
void launch_build(struct buffer *ret_launch, const struct interpreter *interpreter,
                  const char *commands, const char *const *environment);

#endif
