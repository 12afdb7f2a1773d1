/* How values become lines of an execution's log: strings as they are, everything else as JSON that loses nothing. */
'use strict';

const LINE = 8000;                      /* characters of one call */
const CUT = '... Log truncated due to size limit (8000 characters)';
const DEPTH = 200;

/* Writes one value as JSON text; stops adding once the line is full, whatever the value's size. */
class Writer {
    constructor() {
        this.text = '';
        this.parents = [];              /* objects this value is inside of */
    }

    add(value) {
        if (this.text.length > LINE) return;
        switch (typeof value) {
        case 'string':
            this.text += JSON.stringify(value.length > LINE ? value.slice(0, LINE + 1) : value);
            return;
        case 'number':
            this.text += Number.isFinite(value) && !Object.is(value, -0) ? String(value)
                : Object.is(value, -0) ? '"-0"' : `"${value}"`;
            return;
        case 'boolean':
            this.text += value;
            return;
        case 'bigint':
            this.text += `"${value}"`;
            return;
        case 'object':
            if (value !== null) return this.object(value);
        }
        this.text += 'null';            /* null, undefined, and what JSON has no word for */
    }

    object(value) {
        if (this.parents.includes(value) || this.parents.length > DEPTH) {
            this.text += 'null';
            return;
        }
        this.parents.push(value);
        this.inside(value);
        this.parents.pop();
    }

    inside(value) {
        if (value instanceof Date) return this.add(isNaN(value) ? null : value.toISOString());
        if (value instanceof RegExp || value instanceof URL) return this.add(String(value));
        if (value instanceof Error) {
            return this.members({ name: value.name, message: value.message, ...value });
        }
        if (value instanceof Map || value instanceof Set) return this.list(value);
        if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return this.list(value);
        if (Array.isArray(value)) return this.list(value);
        if (typeof value.toJSON === 'function') return this.add(value.toJSON());
        if (value instanceof Number || value instanceof String || value instanceof Boolean) {
            return this.add(value.valueOf());
        }
        this.members(value);
    }

    list(values) {
        this.text += '[';
        let first = true;
        for (const value of values) {
            if (this.text.length > LINE) break;
            if (!first) this.text += ',';
            first = false;
            this.add(value);
        }
        this.text += ']';
    }

    members(value) {
        this.text += '{';
        let first = true;
        for (const name of Object.keys(value)) {
            if (this.text.length > LINE) break;
            const member = value[name];
            if (typeof member === 'function' || typeof member === 'symbol') continue;
            if (!first) this.text += ',';
            first = false;
            this.text += JSON.stringify(name) + ':';
            this.add(member);
        }
        this.text += '}';
    }
}

function errorText(error) {
    return typeof error.stack === 'string' && error.stack !== '' ? error.stack : String(error);
}

/* One argument of log() or error(). */
function text(value) {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return errorText(value);
    if (typeof value === 'function' || typeof value === 'symbol') return '';
    const writer = new Writer();
    writer.add(value);
    return writer.text;
}

/* All arguments of one call, as one line with its end. */
function line(values) {
    let joined = values.length === 1 ? text(values[0]) : values.map(text).join(' ');
    if (joined.length > LINE) joined = joined.slice(0, LINE) + CUT;
    return joined + '\n';
}

/* What a handler threw: errors by their stack, which names the file. */
function thrown(value) {
    try {
        if (value !== null && typeof value === 'object' && typeof value.stack === 'string' && value.stack !== '') {
            return line([value.stack]);
        }
        return line([value]);
    } catch (_) {
        return 'Error\n';
    }
}

module.exports = { line, thrown };
