/* Finds the handler in the user's code: CommonJS and ES modules alike. A load that failed is tried again by the next. */
'use strict';

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');

const SIGNATURE = "Function signature invalid. Did you forget to export a 'main' function?";

/* A load failure with the sentence for the user. */
class LoadError extends Error {}

function isFile(file) {
    try {
        return fs.statSync(file).isFile();
    } catch (_) {
        return false;
    }
}

/* Does the nearest package.json at or above the file, within the code, say "type": "module"? */
function inModulePackage(file, code) {
    for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
        try {
            return JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8')).type === 'module';
        } catch (error) {
            if (error.code !== 'ENOENT') return false;
        }
        if (directory === code || directory === path.dirname(directory)) return false;
    }
}

function isModule(file, code) {
    const extension = path.extname(file);
    if (extension === '.mjs' || extension === '.mts') return true;
    if (extension === '.cjs' || extension === '.cts') return false;
    return inModulePackage(file, code);
}

function needsImport(error) {
    return error !== null && typeof error === 'object' &&
        (error.code === 'ERR_REQUIRE_ESM' || error.code === 'ERR_REQUIRE_ASYNC_MODULE');
}

/* require() is the faster of the two; it is left for import() where the file turns out to be a module. */
function load(file, code, attempt) {
    if (!isModule(file, code)) {
        try {
            return createRequire(file)(file);
        } catch (error) {
            if (!needsImport(error)) throw error;
        }
    }
    const url = pathToFileURL(file).href;
    return import(attempt > 0 ? `${url}?attempt=${attempt}` : url);     /* a failed module stays cached by its URL */
}

function pick(loaded) {
    let found = loaded;
    for (let i = 0; i < 2 && found !== null && found !== undefined && found.default; i++) found = found.default;
    if (typeof found !== 'function') throw new LoadError(SIGNATURE);
    return found;
}

function explain(error, entrypoint) {
    if (error instanceof LoadError) return error.message;
    if (error === null || typeof error !== 'object') return `Failed to load module: ${String(error)}`;
    if (error instanceof SyntaxError) return `Syntax error in ${entrypoint}: ${error.message}`;
    if (error instanceof TypeError && error.code === undefined) return String(error.message);
    return `Failed to load module: ${error.message}`;
}

let attempts = 0;

/* Calls done(handler, null) or done(null, sentence); at once where it can. */
function loadHandler(code, entrypoint, done) {
    let loaded = null;
    try {
        const file = path.join(code, entrypoint);
        if (entrypoint === '' || !isFile(file)) {
            throw new LoadError(`Failed to load entrypoint, file ${entrypoint} does not exist.`);
        }
        loaded = load(file, code, attempts);
        if (!(loaded instanceof Promise)) loaded = pick(loaded);
    } catch (error) {
        attempts++;
        return done(null, explain(error, entrypoint));
    }
    if (typeof loaded === 'function') return done(loaded, null);
    loaded.then(pick).then((handler) => done(handler, null), (error) => {
        attempts++;
        done(null, explain(error, entrypoint));
    });
}

module.exports = { loadHandler };
