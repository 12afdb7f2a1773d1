/*
 * The worker channel: frames on descriptor 3, as docs/worker-protocol.md has them. Knows nothing of contracts.
 *
 * Reading: one reusable buffer is filled by the event loop; small requests are copied once per read into a slab and decoded
 * where and when the handler asks. Writing: everything made in one turn is gathered in one buffer and written with one
 * system call after the turn's microtasks.
 */
'use strict';

const fs = require('fs');
const net = require('net');
const { performance } = require('perf_hooks');

const HEAD = 12;
const PAYLOAD = 65536;
const REQUEST_HEAD = 24;
const ANSWER_HEAD = 16;
const LOAD = 1, REQUEST = 2, BODY = 3, CANCEL = 4, STOP = 5;
const HELLO = 16, ANSWER = 17, ANSWER_BODY = 18;
const MORE = 1;
const PROTOCOL = 1;
const CHANNEL = 3;

const READ_BYTES = 262144;              /* read at once */
const SLAB_BYTES = 262144;              /* small requests share one */
const OUT_BYTES = 65536;                /* gathered answers, at first */
const OUT_KEPT = 1048576;               /* a larger buffer is given back after use */
const OUT_MOST = 1048576;               /* gathered at most; then writing waits for the reader */
const DRAIN_MOST = 67108864;            /* log lines beyond this are lost while the reader does not read */
const BODY_MOST = 20971520;             /* the contract's limit of a request body */

const SLICE_MS = 2;                     /* of calling handlers before answers go out */

const clock = performance.now.bind(performance);
const nextTick = process.nextTick;
const setLater = setImmediate;
const microtask = queueMicrotask;
const writeSync = fs.writeSync;

let socket = null;
let receiver = null;                    /* { load(entries), request(call), cancel(id), stop() } */

/* ---- writing ------------------------------------------------------------------------------------------------------ */

let out = Buffer.allocUnsafeSlow(OUT_BYTES);
let size = 0;
let scheduled = false;                  /* a flush will come */
let draining = false;                   /* the socket took over what the kernel would not take */

function grow(bytes) {
    let capacity = out.length * 2;
    while (capacity < size + bytes) capacity *= 2;
    const larger = Buffer.allocUnsafeSlow(capacity);
    out.copy(larger, 0, 0, size);
    out = larger;
}

function reserve(bytes) {
    if (size + bytes > out.length) {
        if (size > OUT_MOST) flush(true);
        if (size + bytes > out.length) grow(bytes);
    }
}

function put32(at, value) {
    out[at] = value;
    out[at + 1] = value >>> 8;
    out[at + 2] = value >>> 16;
    out[at + 3] = value >>> 24;
}

function putHead(at, bytes, type, flags, id) {
    put32(at, bytes);
    out[at + 4] = type;
    out[at + 5] = flags;
    out[at + 6] = 0;
    out[at + 7] = 0;
    put32(at + 8, id);
}

function gone() {
    size = 0;
    process.exit(0);
}

/* The kernel's buffer is full: the event loop writes the rest, in order. */
function handOver(from) {
    const rest = Buffer.from(out.subarray(from, size));
    size = 0;
    draining = true;
    socket.write(rest, drained);
}

function drained() {
    draining = false;
    if (size > 0) flush(false);
}

function pause() {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

/* Writes what was gathered; patient: does not return before all is with the kernel (a handler that logs without end). */
function flush(patient) {
    scheduled = false;
    if (size === 0 || draining) return;
    let from = 0;
    while (from < size) {
        try {
            from += writeSync(CHANNEL, out, from, size - from);
        } catch (error) {
            if (error.code === 'EINTR') continue;
            if (error.code !== 'EAGAIN') return gone();
            if (!patient) return handOver(from);
            pause();
        }
    }
    size = 0;
    if (out.length > OUT_KEPT) out = Buffer.allocUnsafeSlow(OUT_BYTES);
}

function flushTurn() {
    flush(false);
}

/* The tick queue runs after the microtasks that are waiting now: all of a turn's answers are there by then. */
function schedule() {
    if (!scheduled && size > 0) {
        scheduled = true;
        nextTick(flushTurn);
    }
}

/* Copies text as UTF-8 behind `at`, which must have room for three times its length; returns the bytes. */
function putText(at, text) {
    const length = text.length;
    if (length > 40) return out.utf8Write(text, at);
    for (let i = 0; i < length; i++) {
        const c = text.charCodeAt(i);
        if (c > 127) return out.utf8Write(text, at);
        out[at + i] = c;
    }
    return length;
}

function putBlock(at, block) {
    const length = block.length;
    if (length > 96) out.set(block, at);
    else for (let i = 0; i < length; i++) out[at + i] = block[i];
    return at + length;
}

/* block: Buffer of header lines; body: string or Uint8Array. */
function answer(id, status, block, body) {
    if (typeof body === 'string') {
        if (body.length * 3 + block.length > PAYLOAD - ANSWER_HEAD) {
            return answerLarge(id, status, block, Buffer.from(body));
        }
    } else if (body.length + block.length > PAYLOAD - ANSWER_HEAD) {
        return answerLarge(id, status, block, body);
    }
    reserve(PAYLOAD + HEAD);
    const start = size;
    const bodyAt = putBlock(start + HEAD + ANSWER_HEAD, block);
    const bytes = typeof body === 'string' ? putText(bodyAt, body) : putBlock(bodyAt, body) - bodyAt;
    putHead(start, ANSWER_HEAD + block.length + bytes, ANSWER, 0, id);
    putAnswerHead(start + HEAD, status, block.length, bytes);
    size = bodyAt + bytes;
    if (!inTurn) schedule();
}

function putAnswerHead(at, status, blockBytes, bodyBytes) {
    out[at] = status;
    out[at + 1] = status >>> 8;
    out[at + 2] = 0;
    out[at + 3] = 0;
    put32(at + 4, blockBytes);
    put32(at + 8, bodyBytes);
    put32(at + 12, Math.floor(bodyBytes / 4294967296));
}

/* An answer of more than one frame: the header block may span frames, then the body follows in its own. */
function answerLarge(id, status, block, body) {
    const frames = Math.ceil((block.length + ANSWER_HEAD) / PAYLOAD) + Math.ceil(body.length / PAYLOAD) + 1;
    reserve(frames * HEAD + ANSWER_HEAD + block.length + body.length);
    let room = PAYLOAD - ANSWER_HEAD;
    let from = Math.min(block.length, room);
    let at = size;
    let more = from < block.length;
    let first = more ? 0 : Math.min(body.length, room - from);
    putHead(at, ANSWER_HEAD + from + first, ANSWER, more ? MORE : 0, id);
    putAnswerHead(at + HEAD, status, block.length, body.length);
    at += HEAD + ANSWER_HEAD;
    out.set(block.subarray(0, from), at);
    at += from;
    while (more) {
        const part = Math.min(block.length - from, PAYLOAD);
        more = from + part < block.length;
        first = more ? 0 : Math.min(body.length, PAYLOAD - part);
        putHead(at, part + first, ANSWER, more ? MORE : 0, id);
        out.set(block.subarray(from, from + part), at + HEAD);
        at += HEAD + part;
        from += part;
    }
    out.set(body.subarray(0, first), at);
    at += first;
    for (let sent = first; sent < body.length;) {
        const part = Math.min(body.length - sent, PAYLOAD);
        putHead(at, part, ANSWER_BODY, 0, id);
        out.set(body.subarray(sent, sent + part), at + HEAD);
        at += HEAD + part;
        sent += part;
    }
    size = at;
    if (!inTurn) schedule();
}

/* One piece of log (type 19) or error (type 20) text. */
function write(type, id, text) {
    if (draining && size > DRAIN_MOST) return;
    if (text.length * 3 <= PAYLOAD) {
        reserve(HEAD + text.length * 3);
        const bytes = putText(size + HEAD, text);
        putHead(size, bytes, type, 0, id);
        size += HEAD + bytes;
    } else {
        const bytes = Buffer.from(text);
        for (let from = 0; from < bytes.length; from += PAYLOAD) {
            const part = bytes.subarray(from, from + PAYLOAD);
            reserve(HEAD + part.length);
            putHead(size, part.length, type, 0, id);
            out.set(part, size + HEAD);
            size += HEAD + part.length;
        }
    }
    if (!inTurn) schedule();
}

function hello() {
    const version = process.versions.node;
    reserve(HEAD + 4 + version.length);
    putHead(size, 4 + version.length, HELLO, 0, 0);
    put32(size + HEAD, PROTOCOL);
    size += HEAD + 4 + putText(size + HEAD + 4, version);
    flush(false);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/*
 * One request. The bytes of method, path and header block stand in `bytes` one after the other from `at`; the body, whole,
 * in `body` from `bodyAt`. `state` and the links belong to the contract.
 */
class Call {
    constructor(id, bytes, at) {
        this.id = id;
        this.timeout = get32(bytes, at);            /* ms; 0: none */
        this.logging = bytes[at + 4] === 1;
        this.bytes = bytes;
        this.at = at + REQUEST_HEAD;
        this.methodBytes = bytes[at + 5];
        this.pathBytes = get32(bytes, at + 8);
        this.headerBytes = get32(bytes, at + 12);
        this.body = bytes;
        this.bodyAt = this.at + this.methodBytes + this.pathBytes + this.headerBytes;
        this.bodyBytes = get32(bytes, at + 16) + get32(bytes, at + 20) * 4294967296;
        this.received = 0;
        this.done = false;
        this.noticed = false;           /* the notice about native output has been written */
        this.followed = false;          /* through its awaits, for native output */
        this.deadline = 0;
        this.previous = null;
        this.next = null;
    }

    get tooLarge() {
        return this.bodyBytes > BODY_MOST;
    }
}

function get32(bytes, at) {
    return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let slabUsed = 0;
let carry = null;                       /* a frame that has not arrived whole: its bytes so far, */
let carried = 0;                        /* and how many they are */
const carryHead = Buffer.alloc(HEAD);
let carriedHead = 0;
let stream = null;                      /* the call whose BODY frame is being read, */
let streamLeft = 0;                     /* and how much of that frame is missing */
const receiving = new Map();            /* id -> call whose body is incomplete */
const parts = new Map();                /* id -> buffers of a REQUEST head that spans frames; 0: of LOAD */
const later = [];                       /* reads, or the rest of one, that wait for the next turn */
let laterIsSet = false;                 /* parseLater will run */
let inTurn = false;                     /* handlers are being called: their answers are written at its end */

function broken(text) {
    process.stderr.write(`worker channel: ${text}\n`);
    process.exit(70);
}

/* The bytes of this read, moved to where they may stay. */
function keep(buffer, bytes) {
    if (bytes > SLAB_BYTES - slabUsed) {
        slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
        slabUsed = 0;
    }
    const at = slabUsed;
    slab.set(bytes === buffer.length ? buffer : buffer.subarray(0, bytes), at);
    slabUsed += bytes;
    return at;
}

function takeBody(call, buffer, at, bytes) {
    if (call === null) return;
    if (!call.tooLarge) buffer.copy(call.body, call.received, at, at + bytes);
    call.received += bytes;
    if (call.received >= call.bodyBytes) {
        receiving.delete(call.id);
        receiver.request(call);
    }
}

/* A request's head is complete in `bytes` at `at`, with `size` payload bytes in all; they may be kept. */
function takeRequest(id, bytes, at, payload) {
    if (payload < REQUEST_HEAD) broken('request without its head');
    const call = new Call(id, bytes, at);
    const first = at + payload - call.bodyAt;
    if (first < 0) broken('request shorter than it says');
    if (first >= call.bodyBytes) return receiver.request(call);
    call.body = Buffer.allocUnsafeSlow(call.tooLarge ? 0 : call.bodyBytes);
    if (!call.tooLarge) bytes.copy(call.body, 0, call.bodyAt, call.bodyAt + first);
    call.received = first;
    call.bodyAt = 0;
    receiving.set(id, call);
}

function takeLoad(payload) {
    const texts = payload.toString('utf8').split('\0');
    const entries = new Map();
    for (let i = 0; i + 1 < texts.length; i += 2) entries.set(texts[i], texts[i + 1]);
    receiver.load(entries);
}

/* A LOAD or the head of a REQUEST; each may span frames. */
function takeSpanning(type, flags, id, bytes, at, payload) {
    const key = type === LOAD ? 0 : id;
    let whole = null;
    if (flags & MORE || parts.has(key)) {
        const list = parts.get(key) || [];
        list.push(Buffer.from(bytes.subarray(at, at + payload)));
        parts.set(key, list);
        if (flags & MORE) return;
        parts.delete(key);
        whole = Buffer.concat(list);
    }
    if (type === LOAD) return takeLoad(whole || bytes.subarray(at, at + payload));
    if (whole) takeRequest(id, whole, 0, whole.length);
    else takeRequest(id, bytes, at, payload);
}

function takeCancel(id) {
    const call = receiving.get(id);
    if (call === undefined) return receiver.cancel(id);
    receiving.delete(id);
    answer(id, 500, Buffer.alloc(0), '');
}

/* Any whole frame but BODY; the payload may be kept. */
function take(type, flags, id, bytes, at, payload) {
    if (type === REQUEST && flags === 0 && parts.size === 0) takeRequest(id, bytes, at, payload);
    else if (type === REQUEST || type === LOAD) takeSpanning(type, flags, id, bytes, at, payload);
    else if (type === CANCEL) takeCancel(id);
    else if (type === STOP) receiver.stop();
    else broken(`unknown frame type ${type}`);
}

/* Goes on with a frame whose beginning came with an earlier read; returns where the next begins. */
function resume(buffer, bytes) {
    let at = 0;
    if (streamLeft > 0) {
        at = Math.min(streamLeft, bytes);
        streamLeft -= at;
        takeBody(stream, buffer, 0, at);
    }
    if (carriedHead > 0) {
        const part = Math.min(HEAD - carriedHead, bytes - at);
        buffer.copy(carryHead, carriedHead, at, at + part);
        carriedHead += part;
        at += part;
        if (carriedHead < HEAD) return at;
        carriedHead = 0;
        begin(carryHead, 0);
    }
    if (carry !== null) {
        const part = Math.min(carry.length - carried, bytes - at);
        buffer.copy(carry, carried, at, at + part);
        carried += part;
        at += part;
        if (carried === carry.length) {
            const whole = carry;
            carry = null;
            take(whole[4], whole[5], get32(whole, 8), whole, HEAD, whole.length - HEAD);
        }
    } else if (streamLeft > 0) {
        const part = Math.min(streamLeft, bytes - at);
        streamLeft -= part;
        takeBody(stream, buffer, at, part);
        at += part;
    }
    return at;
}

/* A frame that is not here in one piece: says where its payload will go. */
function begin(bytes, at) {
    const payload = get32(bytes, at);
    if (payload > PAYLOAD) broken('frame too large');
    if (bytes[at + 4] === BODY) {
        stream = receiving.get(get32(bytes, at + 8)) || null;
        streamLeft = payload;
    } else {
        carry = Buffer.allocUnsafeSlow(HEAD + payload);
        bytes.copy(carry, 0, at, at + HEAD);
        carried = HEAD;
    }
}

/*
 * All the frames of one read. A handler that computes for long must not hold back the answers of those before it: past
 * the slice of a turn the rest waits for the next.
 */
function parse(buffer, bytes) {
    const started = clock();
    let at = resume(buffer, bytes);
    let kept = -1;                      /* where this read's bytes stand in the slab */
    let home = slab;
    while (at + HEAD <= bytes) {
        const payload = get32(buffer, at);
        const end = at + HEAD + payload;
        const type = buffer[at + 4];
        if (end > bytes) {
            begin(buffer, at);
            at += HEAD;
            if (carry !== null) {
                buffer.copy(carry, HEAD, at, bytes);
                carried += bytes - at;
            } else {
                streamLeft -= bytes - at;
                takeBody(stream, buffer, at, bytes - at);
            }
            return;
        }
        const id = get32(buffer, at + 8);
        if (type === BODY) {
            takeBody(receiving.get(id) || null, buffer, at + HEAD, payload);
        } else {
            if (kept < 0) {
                kept = keep(buffer, bytes);
                home = slab;
            }
            take(type, buffer[at + 5], id, home, kept + at + HEAD, payload);
        }
        at = end;
        if (at < bytes && clock() - started > SLICE_MS) {
            later.unshift(Buffer.from(buffer.subarray(at, bytes)));
            scheduleLater();
            return;
        }
    }
    if (at < bytes) {
        buffer.copy(carryHead, 0, at, bytes);
        carriedHead = bytes - at;
    }
}

function endTurn() {
    inTurn = false;
    schedule();
}

function turn(buffer, bytes) {
    inTurn = true;
    microtask(endTurn);
    parse(buffer, bytes);
}

/* Once for all that waits: what is left of a read asks again when its turn is over too. */
function scheduleLater() {
    if (laterIsSet) return;
    laterIsSet = true;
    setLater(parseLater);
}

function parseLater() {
    const buffer = later.shift();
    laterIsSet = false;
    turn(buffer, buffer.length);
    if (later.length > 0) scheduleLater();
}

function onRead(bytes, buffer) {
    if (later.length > 0) later.push(Buffer.from(buffer.subarray(0, bytes)));
    else turn(buffer, bytes);
    return true;
}

/* Opens the channel and says hello. */
function open(to) {
    receiver = to;
    socket = new net.Socket({
        fd: CHANNEL,
        onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback: onRead },
    });
    socket.on('end', gone);
    socket.on('close', gone);
    socket.on('error', gone);
    process.on('exit', () => flush(true));
    hello();
}

module.exports = { open, answer, write, flush };
