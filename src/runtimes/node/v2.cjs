/*
 * The contract of functions made for servers before 1.4: (req, res), answered by calling res. The request is variables,
 * payload and an empty set of headers; what is printed is the log.
 */
'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const { loadHandler } = require('./loader.cjs');
const { parseHeaders, LOG, ERROR } = require('./request.cjs');
const text = require('./text.cjs');

const EMPTY = Buffer.alloc(0);
const INTERNAL = /^(OPEN_RUNTIMES_|INTERNAL_RUNTIME_|INERNAL_|CI$)/;
const NATIVE = { log: LOG, info: LOG, debug: LOG, warn: ERROR, error: ERROR };

const storage = new AsyncLocalStorage();
const pending = new Map();              /* id -> call */
let worker = null;
let variables = {};
let handler = null;
let waiting = null;
let stopping = false;

/* What the platform told about the trigger came to these functions as variables. */
function variablesOf(call, payload) {
    const headers = parseHeaders(call);
    const trigger = headers['x-appwrite-trigger'] || '';
    return {
        APPWRITE_FUNCTION_TRIGGER: trigger,
        APPWRITE_FUNCTION_DATA: payload,
        APPWRITE_FUNCTION_EVENT: headers['x-appwrite-event'] || '',
        APPWRITE_FUNCTION_EVENT_DATA: trigger === 'event' ? payload : '',
        APPWRITE_FUNCTION_USER_ID: headers['x-appwrite-user-id'] || '',
        APPWRITE_FUNCTION_JWT: headers['x-appwrite-user-jwt'] || '',
        ...variables,
    };
}

function conclude(call, status, body) {
    if (call.done) return;
    call.done = true;
    clearTimeout(call.timer);
    pending.delete(call.id);
    worker.channel.answer(call.id, status, EMPTY, body);
    if (stopping) stop();
}

function fail(call, status, sentence) {
    if (call.logging && !call.done) worker.channel.write(ERROR, call.id, sentence);
    conclude(call, status, '');
}

class Response {
    constructor(call) {
        this.send = (body, status = 200) => {
            const isText = typeof body === 'string';
            conclude(call, status | 0 || 200, isText ? body : body === undefined ? '' : JSON.stringify(body));
        };
        this.json = (value, status = 200) => this.send(JSON.stringify(value), status);
    }
}

function invoke(call) {
    const payload = call.body.utf8Slice(call.bodyAt, call.bodyAt + call.bodyBytes);
    const req = { variables: variablesOf(call, payload), headers: {}, payload };
    storage.run(call, () => {
        try {
            const result = handler(req, new Response(call));
            if (result instanceof Promise) result.catch((error) => fail(call, 500, text.thrown(error)));
        } catch (error) {
            fail(call, 500, text.thrown(error));
        }
    });
}

function load(call) {
    if (waiting !== null) return waiting.push(call);
    waiting = [call];
    loadHandler(worker.code, worker.entrypoint, (loaded, sentence) => {
        const ready = waiting;
        waiting = null;
        handler = loaded;
        for (const one of ready) {
            if (one.done) continue;
            if (loaded !== null) invoke(one);
            else fail(one, 500, `${sentence}\n`);
        }
    });
}

function request(call) {
    pending.set(call.id, call);
    if (call.tooLarge) return fail(call, 500, 'Error: Body exceeded 20mb limit\n');
    if (call.timeout !== 0) {
        call.timer = setTimeout(() => fail(call, 500, 'Execution timed out.\n'), call.timeout);
    }
    if (handler !== null) invoke(call);
    else load(call);
}

function captureConsole() {
    for (const name of Object.keys(NATIVE)) {
        const original = console[name].bind(console);
        console[name] = (...values) => {
            const call = storage.getStore() || (waiting !== null ? waiting[0] : undefined);
            if (call === undefined || call.done) return original(...values);
            if (call.logging) worker.channel.write(NATIVE[name], call.id, text.line(values));
        };
    }
}

function cancel(id) {
    const call = pending.get(id);
    if (call !== undefined) conclude(call, 500, '');
}

function stop() {
    stopping = true;
    if (pending.size === 0) setImmediate(() => process.exit(0));
}

function start(given) {
    worker = given;
    variables = {};
    for (const [key, value] of given.entries) {
        if (key.startsWith('env:') && !INTERNAL.test(key.slice(4))) variables[key.slice(4)] = value;
    }
    captureConsole();
    return { request, cancel, stop };
}

module.exports = { start };
