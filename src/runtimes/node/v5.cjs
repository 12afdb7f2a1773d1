/* The function contract: loads the handler, calls it, turns what it returns, throws or prints into frames. */
'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const { performance } = require('perf_hooks');
const fs = require('fs');
const path = require('path');
const answers = require('./answer.cjs');
const { Context, enforceHeaders, useWriter, record, LOG, ERROR } = require('./request.cjs');
const { loadHandler } = require('./loader.cjs');
const text = require('./text.cjs');

const MISSING = 'Return statement missing. return context.res.empty() if no response is expected.';
const NOTICE = 'Native logs detected. Use context.log() or context.error() for better experience.';
const TIMED_OUT = 'Execution timed out.';
const BODY_LIMIT = 'Error: Body exceeded 20mb limit';
const NATIVE = ['log', 'info', 'debug', 'warn', 'error'];

const clock = performance.now.bind(performance);
const setTimer = setTimeout;
const clearTimer = clearTimeout;

let channel = null;
let code = '';
let entrypoint = '';
let handler = null;
let loading = null;                     /* calls that wait for the load; the first one made it start */
let stopping = false;

/* Calls in flight, oldest first: a ring around this head. */
const calls = { previous: null, next: null, deadline: 0 };
calls.previous = calls.next = calls;

/* ---- timeouts: one timer, armed for the earliest deadline ------------------------------------------------------------ */

let timer = null;
let timerDue = Infinity;

function arm(deadline) {
    if (deadline >= timerDue) return;
    if (timer !== null) clearTimer(timer);
    timerDue = deadline;
    timer = setTimer(expire, Math.max(1, deadline - clock()));
}

function expire() {
    const now = clock() + 0.5;
    let earliest = Infinity;
    timer = null;
    timerDue = Infinity;
    for (let call = calls.next; call !== calls;) {
        const next = call.next;
        if (call.deadline !== 0 && call.deadline <= now) {
            record(call, ERROR, [TIMED_OUT]);
            conclude(call, 500, answers.plain, '');
        } else if (call.deadline !== 0 && call.deadline < earliest) {
            earliest = call.deadline;
        }
        call = next;
    }
    if (earliest !== Infinity) arm(earliest);
}

/* ---- the end of a call ----------------------------------------------------------------------------------------------- */

function conclude(call, status, block, body) {
    if (call.done) return;
    call.done = true;
    call.previous.next = call.next;
    call.next.previous = call.previous;
    const { bytes, at } = call;
    const isHead = call.methodBytes === 4 && bytes[at] === 72 && bytes[at + 1] === 69;      /* HE(AD) */
    channel.answer(call.id, status, block, isHead || status === 204 || status === 304 ? '' : body);
    if (stopping) stopWhenIdle();
}

function failed(call, error) {
    if (call.done) return;
    if (call.logging) channel.write(ERROR, call.id, text.thrown(error));
    conclude(call, 500, answers.plain, '');
}

function refused(call, status, sentence) {
    record(call, ERROR, [sentence]);
    conclude(call, status, answers.plain, '');
}

/* The handler's value has come. */
function finish(call, output) {
    if (call.done) return;
    if (output === null || output === undefined) return refused(call, 500, MISSING);
    if (typeof output !== 'object' && typeof output !== 'function') return conclude(call, 500, answers.plain, '');
    try {
        const { headers, body } = output;
        const status = answers.statusOf(output.statusCode);
        const block = headers === undefined || headers === null ? answers.plain : answers.blockOf(headers);
        if (typeof body === 'string') conclude(call, status, block, body);
        else if (answers.isStream(body)) finishStream(call, status, block, body);
        else conclude(call, status, block, answers.bodyOf(body));
    } catch (error) {
        if (call.logging) channel.write(ERROR, call.id, text.thrown(error));
        conclude(call, 500, answers.EMPTY, '');
    }
}

function finishStream(call, status, block, body) {
    answers.readStream(body).then((bytes) => conclude(call, status, block, bytes), (error) => failed(call, error));
}

/* ---- native output: console.* goes to the request it belongs to, where that is known --------------------------------- */

let current = null;                     /* the call whose handler runs right now, until its first await */
let storage = null;                     /* follows calls through awaits; made when output was or may be seen */

function callOfOutput() {
    if (current !== null) return current;
    const stored = storage === null ? undefined : storage.getStore();
    if (stored !== undefined) return stored;
    if (loading !== null) return loading[0];
    const oldest = calls.next;          /* alone in flight, and begun before calls were followed: it can only be this one */
    return oldest !== calls && oldest.next === calls && !oldest.followed ? oldest : null;
}

function follow() {
    if (storage === null) storage = new AsyncLocalStorage();
}

function native(original) {
    return (...values) => {
        const call = callOfOutput();
        follow();
        if (call === null || call.done) return original(...values);
        if (!call.logging) return;
        if (!call.noticed) {
            call.noticed = true;
            record(call, LOG, [NOTICE]);
        }
        record(call, LOG, values);
    };
}

function captureConsole() {
    for (const name of NATIVE) console[name] = native(console[name].bind(console));
}

/* ---- the call itself ------------------------------------------------------------------------------------------------- */

function invoke(call) {
    const context = new Context(call);
    let output;
    current = call;
    try {
        if (storage === null || !call.logging) {
            output = handler(context);
        } else {
            call.followed = true;
            output = storage.run(call, handler, context);
        }
    } catch (error) {
        current = null;
        return failed(call, error);
    }
    current = null;
    if (output !== null && output !== undefined && typeof output.then === 'function') settle(call, output);
    else finish(call, output);
}

async function settle(call, promise) {
    let output;
    try {
        output = await promise;
    } catch (error) {
        return failed(call, error);
    }
    finish(call, output);
}

function request(call) {
    call.previous = calls.previous;
    call.next = calls;
    calls.previous.next = call;
    calls.previous = call;
    if (call.tooLarge) return refused(call, 500, BODY_LIMIT);
    if (call.timeout !== 0) {
        call.deadline = clock() + call.timeout;
        arm(call.deadline);
    }
    if (handler !== null) invoke(call);
    else load(call);
}

function load(call) {
    if (loading !== null) return loading.push(call);
    loading = [call];
    loadHandler(code, entrypoint, (loaded, sentence) => {
        const waiting = loading;
        loading = null;
        handler = loaded;
        for (const one of waiting) {
            if (one.done) continue;
            if (loaded !== null) invoke(one);
            else refused(one, 503, sentence);
        }
    });
}

/* Code that prints has its calls followed from the first on; others pay nothing. */
function printsItself() {
    try {
        return fs.readFileSync(path.join(code, entrypoint), 'latin1').includes('console');
    } catch (_) {
        return false;
    }
}

function cancel(id) {
    for (let call = calls.next; call !== calls; call = call.next) {
        if (call.id === id) return conclude(call, 500, answers.EMPTY, '');
    }
}

function stopWhenIdle() {
    if (calls.next === calls) setImmediate(() => process.exit(0));
}

function stop() {
    stopping = true;
    stopWhenIdle();
}

function start(worker) {
    channel = worker.channel;
    code = worker.code;
    entrypoint = worker.entrypoint;
    enforceHeaders(process.env.OPEN_RUNTIMES_HEADERS || '{}');
    useWriter(channel.write);
    captureConsole();
    if (printsItself()) follow();
    return { request, cancel, stop };
}

module.exports = { start };
