/*
 * Frames of the worker channel: descriptor 3 of every worker, a stream socket.
 * docs/worker-protocol.md is the manual.
 *
 * A frame is a 12-byte head, all little-endian, and a payload of at most FRAME_PAYLOAD bytes.
 * Everything that comes from a worker is hostile input.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdint.h>

enum { FRAME_HEAD = 12, FRAME_PAYLOAD = 65536, FRAME_PROTOCOL = 1 };

/*
 * head:     u32 payload bytes | u8 type | u8 flags | u16 zero | u32 request id (0: about the worker
 *           itself)
 *
 * LOAD      payload: entries "name\0value\0" until the end: code (directory), entrypoint, contract
 *           (v2|v5), then each environment variable as "env:NAME". Sent once, before the first
 *           REQUEST. May span frames: FRAME_MORE set on all but the last.
 * REQUEST   u32 timeout in ms (0: none) | u8 log wanted (1|0) | u8 method bytes | u16 zero |
 *           u32 path bytes | u32 header bytes | u64 body bytes in all | method | path with query |
 *           header block ("name: value\r\n"..., names lower case) | first bytes of the body.
 *           Head part (all but body) spans frames with FRAME_MORE if it must.
 * BODY      further bytes of the request's body, in order; the request's end is known from the
 *           length.
 * CANCEL    nobody waits for this request any more; no BODY follows. The worker still sends its one
 *           ANSWER (at once and empty, or when the handler ends), by which the reader knows that
 *           the id is free; its content counts for nothing.
 * STOP      finish what runs, then exit 0.
 *
 * HELLO     u32 protocol | version text of the interpreter. Sent once, when the worker can take a
 *           LOAD.
 * ANSWER    u16 status | u16 zero | u32 header bytes | u64 body bytes in all | header block |
 *           first bytes of the body. The head part spans frames with FRAME_MORE if it must.
 * ANSWER_BODY further bytes. The answer is complete with its last byte; nothing about this request
 *           follows.
 * LOG, ERROR  bytes for the execution's logs or errors, complete lines including the line end;
 *           before the ANSWER. One line may span frames: the bytes are joined in order.
 */
enum frame_type {
    FRAME_LOAD = 1,
    FRAME_REQUEST = 2,
    FRAME_BODY = 3,
    FRAME_CANCEL = 4,
    FRAME_STOP = 5,
    FRAME_HELLO = 16,
    FRAME_ANSWER = 17,
    FRAME_ANSWER_BODY = 18,
    FRAME_LOG = 19,
    FRAME_ERROR = 20
};

enum frame_flags { FRAME_MORE = 1 }; /* the structured part goes on in the next such frame */

#endif
