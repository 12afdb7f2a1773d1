/*
 * The node worker: boots before it has any user code, says hello, is given code and environment by LOAD, then serves
 * requests. Everything it needs besides the user's code is loaded before the hello.
 */
'use strict';

const channel = require('./channel.cjs');
const current = require('./v5.cjs');

const WARM_MS = 100;                    /* without a LOAD for so long this is a spare: it has time to warm up */
const KEPT = new Set(['PATH', 'HOME', 'TMPDIR', 'LANG']);

let contract = null;
let warming = null;

/* The environment of the function in place of the one this process was started with. */
function replaceEnvironment(entries) {
    for (const name of Object.keys(process.env)) if (!KEPT.has(name)) delete process.env[name];
    for (const [key, value] of entries) if (key.startsWith('env:')) process.env[key.slice(4)] = value;
}

function load(entries) {
    if (warming !== null) clearTimeout(warming);
    replaceEnvironment(entries);
    const code = entries.get('code') || '/';
    try {
        process.chdir(code);
    } catch (_) {
        /* the load of the entrypoint says what is missing */
    }
    const chosen = entries.get('contract') === 'v2' ? require('./v2.cjs') : current;
    contract = chosen.start({ channel, code, entrypoint: entries.get('entrypoint') || '', entries });
}

/* What nearly every function needs is read from disk and compiled before the function comes. */
function warm() {
    warming = null;
    for (const name of ['http', 'https', 'crypto', 'stream', 'zlib', 'events', 'util', 'os']) require(name);
    void globalThis.fetch;
    import('./warm.mjs').catch(() => undefined);
}

channel.open({
    load,
    request: (call) => contract.request(call),
    cancel: (id) => contract && contract.cancel(id),
    stop: () => (contract ? contract.stop() : process.exit(0)),
});
warming = setTimeout(warm, WARM_MS);
