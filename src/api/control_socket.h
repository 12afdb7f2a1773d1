/*
 * DIR/run/control.sock: how commands reach a running daemon. A request is one line of JSON with the
 * token that DIR/run/token holds; the answer is one line, {"output":text} or {"error":sentence}.
 */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include "daemon.h"

int control_open(struct api *api, const char *directory, struct control **ret_control,
                 struct error *err);
void control_close(struct control *control);

#endif
