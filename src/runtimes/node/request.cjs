/*
 * What a handler is given: context with req, res, log and error. Everything about a request is decoded when it is asked
 * for, once; a handler that looks at nothing costs nothing.
 */
'use strict';

const text = require('./text.cjs');

const LOG = 19, ERROR = 20;
const RAW = Symbol('call');

/* Headers of which a request has one: the first counts. */
const SINGLE = new Set(['age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host',
    'if-modified-since', 'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization',
    'referer', 'retry-after', 'server', 'user-agent']);

let enforced = null;                    /* headers the operator lays over every request's */
let write = null;                       /* (type, id, text) => frames */

/* From OPEN_RUNTIMES_HEADERS, a JSON object; anything else is none. */
function enforceHeaders(json) {
    enforced = null;
    try {
        const given = JSON.parse(json);
        for (const name of Object.keys(given)) {
            enforced = enforced || {};
            enforced[name.toLowerCase()] = String(given[name]);
        }
    } catch (_) {
        enforced = null;
    }
}

function addHeader(headers, name, value) {
    const present = headers[name];
    if (present === undefined) headers[name] = value;
    else if (name === 'cookie') headers[name] = `${present}; ${value}`;
    else if (!SINGLE.has(name)) headers[name] = `${present}, ${value}`;
}

function parseHeaders(call) {
    const from = call.at + call.methodBytes + call.pathBytes;
    const block = call.bytes.latin1Slice(from, from + call.headerBytes);
    const headers = {};
    for (let at = 0; at < block.length;) {
        let end = block.indexOf('\r\n', at);
        if (end < 0) end = block.length;
        const colon = block.indexOf(': ', at);
        if (colon > at && colon < end) {
            const name = block.slice(at, colon);
            if (!name.startsWith('x-open-runtimes-')) addHeader(headers, name, block.slice(colon + 2, end));
        }
        at = end + 2;
    }
    return enforced === null ? headers : Object.assign(headers, enforced);
}

function target(call) {
    const from = call.at + call.methodBytes;
    const whole = call.bytes.utf8Slice(from, from + call.pathBytes);
    const fragment = whole.indexOf('#');
    return fragment < 0 ? whole : whole.slice(0, fragment);
}

/* host, port and scheme as the headers tell them. */
function origin(headers) {
    const scheme = headers['x-forwarded-proto'] || 'http';
    const given = headers.host || '';
    const colon = given.indexOf(':', given.lastIndexOf(']') + 1);
    const standard = scheme === 'https' ? 443 : 80;
    const host = colon < 0 ? given : given.slice(0, colon);
    const port = colon < 0 ? standard : Number(given.slice(colon + 1)) || standard;
    return { scheme, host, port, text: `${scheme}://${host}${port === standard ? '' : `:${port}`}` };
}

function parseQuery(queryString) {
    const query = {};
    for (const part of queryString.split('&')) {
        const equals = part.indexOf('=');
        const name = equals < 0 ? part : part.slice(0, equals);
        if (name !== '') query[name] = equals < 0 ? '' : part.slice(equals + 1);
    }
    return query;
}

/* How each member is made from the call, and `req` for what other members know. */
const members = {
    method: (call) => call.bytes.latin1Slice(call.at, call.at + call.methodBytes),
    headers: (call) => parseHeaders(call),
    target: (call) => target(call),
    path(call, req) {
        const mark = req.target.indexOf('?');
        return mark < 0 ? req.target : req.target.slice(0, mark);
    },
    queryString(call, req) {
        const mark = req.target.indexOf('?');
        return mark < 0 ? '' : req.target.slice(mark + 1);
    },
    query: (call, req) => parseQuery(req.queryString),
    origin: (call, req) => origin(req.headers),
    scheme: (call, req) => req.origin.scheme,
    host: (call, req) => req.origin.host,
    port: (call, req) => req.origin.port,
    url: (call, req) => req.origin.text + req.path + (req.queryString === '' ? '' : `?${req.queryString}`),
    bodyText: (call) => call.body.utf8Slice(call.bodyAt, call.bodyAt + call.bodyBytes),
    bodyRaw: (call, req) => req.bodyText,
    bodyJson: (call, req) => JSON.parse(req.bodyText),
    bodyBinary(call) {
        const bytes = Buffer.allocUnsafeSlow(call.bodyBytes);       /* its own memory: handlers take .buffer */
        call.body.copy(bytes, 0, call.bodyAt, call.bodyAt + call.bodyBytes);
        return bytes;
    },
    body(call, req) {
        const type = req.headers['content-type'];
        if (type === undefined || !type.toLowerCase().startsWith('application/json')) return req.bodyText;
        return call.bodyBytes === 0 ? {} : req.bodyJson;
    },
};

const HIDDEN = ['target', 'origin'];
const SHOWN = Object.keys(members).filter((name) => !HIDDEN.includes(name));

class Request {
    constructor(call) {
        this[RAW] = call;
    }

    toJSON() {
        const shown = {};
        for (const name of SHOWN) if (!name.startsWith('body')) shown[name] = this[name];
        shown.bodyText = this.bodyText;
        return shown;
    }
}

/* A getter that computes once; assigning makes an ordinary member of it. */
function defineMember(name, make) {
    const kept = Symbol(name);
    Object.defineProperty(Request.prototype, kept, { value: undefined, writable: true });
    Object.defineProperty(Request.prototype, name, {
        enumerable: SHOWN.includes(name),
        configurable: true,
        get() {
            let value = this[kept];
            if (value === undefined) {
                value = make(this[RAW], this);
                this[kept] = value;
            }
            return value;
        },
        set(value) {
            Object.defineProperty(this, name, { value, enumerable: true, configurable: true, writable: true });
        },
    });
}

for (const name of Object.keys(members)) defineMember(name, members[name]);

function withHeader(headers, name, value) {
    const all = {};
    for (const key of Object.keys(headers)) if (key.toLowerCase() !== name) all[key] = headers[key];
    all[name] = value;
    return all;
}

const JSON_HEADERS = Object.freeze({ 'content-type': 'application/json' });

class Response {
    text(body, statusCode = 200, headers = {}) {
        return { body, statusCode, headers };
    }

    binary(bytes, statusCode = 200, headers = {}) {
        return { body: bytes, statusCode, headers };
    }

    send(body, statusCode = 200, headers = {}) {
        return { body, statusCode, headers };
    }

    json(value, statusCode = 200, headers = undefined) {
        const body = JSON.stringify(value);
        if (body === undefined) throw new TypeError('res.json: the value cannot be written as JSON');
        return this.text(body, statusCode,
            headers === undefined ? JSON_HEADERS : withHeader(headers, 'content-type', 'application/json'));
    }

    empty() {
        return this.text('', 204, {});
    }

    redirect(url, statusCode = 301, headers = {}) {
        return this.text('', statusCode, withHeader(headers, 'location', url));
    }
}

function record(call, type, values) {
    if (call.logging && !call.done) write(type, call.id, text.line(values));
}

class Context {
    constructor(call) {
        this.req = new Request(call);
        this.res = new Response();
        this[RAW] = call;
    }

    /* Handlers take these out of the context: each is a function of its own. */
    get log() {
        const call = this[RAW];
        return (...values) => record(call, LOG, values);
    }

    get error() {
        const call = this[RAW];
        return (...values) => record(call, ERROR, values);
    }
}

function useWriter(writer) {
    write = writer;
}

module.exports = { Context, enforceHeaders, useWriter, parseHeaders, record, LOG, ERROR };
