/* From what a handler returned to an answer frame: status, header block, body. Throws where the contract says 500. */
'use strict';

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const DEFAULT_TYPE = 'text/plain; charset=utf-8';
const KNOWN_MOST = 256;                 /* content types remembered */
const OURS = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'trailer', 'upgrade']);

const EMPTY = Buffer.alloc(0);
const known = new Map();                /* content type as given -> header block that holds nothing else */
const plain = typeBlock('text/plain');
const jsonBlock = typeBlock('application/json');

function contentType(given) {
    const lower = given.toLowerCase();
    if (lower.startsWith('multipart/') || lower.includes('charset=')) return given;
    return `${lower}; charset=utf-8`;
}

function headerLine(name, value) {
    if (!NAME.test(name)) throw new TypeError(`Header name must be a valid HTTP token ["${name}"]`);
    if (value === undefined || value === null) throw new TypeError(`Invalid value "${value}" for header "${name}"`);
    const text = String(value);
    if (NOT_VALUE.test(text)) throw new TypeError(`Invalid character in header content ["${name}"]`);
    return `${name}: ${text}\r\n`;
}

function typeBlock(given) {
    let block = known.get(given);
    if (block === undefined) {
        block = Buffer.from(headerLine('content-type', contentType(given)), 'latin1');
        if (known.size < KNOWN_MOST) known.set(given, block);
    }
    return block;
}

/* node before 20 joins the cookies of a Headers object: they part where a comma is followed by the name of the next. */
const NEXT_COOKIE = /,\s*(?=[!#$%&'*+\-.^_`|~0-9A-Za-z]+=)/;

/* Of a Headers object or a Map as well; only those bring a name more than once. */
function collect(headers) {
    const lower = new Map();
    const isList = typeof headers.forEach === 'function' && typeof headers.get === 'function';
    const isJoined = isList && typeof headers.append === 'function' && typeof headers.getSetCookie !== 'function';
    for (const [given, value] of isList ? Array.from(headers) : Object.entries(headers)) {
        const name = String(given).toLowerCase();
        if (name.startsWith('x-open-runtimes-') || OURS.has(name)) continue;
        if (name !== 'set-cookie' || !isList) {
            lower.set(name, value);
            continue;
        }
        const more = isJoined ? String(value).split(NEXT_COOKIE) : value;
        lower.set(name, lower.has(name) ? [].concat(lower.get(name), more) : more);
    }
    return lower;
}

function headerBlock(headers) {
    const lower = collect(headers);
    const type = lower.get('content-type');
    lower.set('content-type', contentType(type === undefined || type === null ? 'text/plain' : String(type)));
    let text = '';
    for (const [name, value] of lower) {
        if (Array.isArray(value)) for (const one of value) text += headerLine(name, one);
        else text += headerLine(name, value);
    }
    return Buffer.from(text, 'latin1');
}

/* The common cases, no headers or nothing but a content type, come from the table. */
function blockOf(headers) {
    let count = 0;
    let only = null;
    for (const name in headers) {
        count++;
        only = name;
    }
    if (count === 0 && typeof headers.forEach !== 'function') return plain;
    if (count === 1 && only === 'content-type' && typeof headers[only] === 'string') return typeBlock(headers[only]);
    return headerBlock(headers);
}

function statusOf(given) {
    if (given === 200 || given === undefined || given === null) return 200;
    const status = given | 0;
    if (status < 100 || status > 999) throw new RangeError(`Invalid status code: ${String(given)}`);
    return status;
}

/* A string or bytes. */
function bodyOf(body) {
    if (typeof body === 'string' || Buffer.isBuffer(body)) return body;
    if (body === undefined || body === null) return '';
    if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (body instanceof ArrayBuffer) return Buffer.from(body);
    if (typeof body === 'object' || typeof body === 'number') return JSON.stringify(body);
    if (typeof body === 'boolean' || typeof body === 'bigint') return String(body);
    throw new TypeError(`The body must be text or bytes, not a ${typeof body}`);
}

function isStream(body) {
    return body !== null && typeof body === 'object' && typeof body.pipe === 'function' &&
        typeof body[Symbol.asyncIterator] === 'function';
}

async function readStream(body) {
    const parts = [];
    for await (const part of body) parts.push(typeof part === 'string' ? Buffer.from(part) : Buffer.from(part));
    return Buffer.concat(parts);
}

module.exports = { blockOf, statusOf, bodyOf, isStream, readStream, plain, jsonBlock, EMPTY, DEFAULT_TYPE };
