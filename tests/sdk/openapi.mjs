// check FILE...: two validators have nothing to say about each document; generate FILE DIRECTORY: a client in TypeScript;
// story DIRECTORY: runs what was compiled there. Packages are those of SDK_DIRECTORY.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const load = createRequire(join(process.env.SDK_DIRECTORY, 'openapi.cjs'));

// ---- check

// Rules of the linter that do not fit: the paths of the API are what they are, and the licence's text comes with the source.
const RULES = { 'no-ambiguous-paths': 'off', 'info-license-strict': 'off' };

async function complaints(text, config) {
    const { lintFromString } = load('@redocly/openapi-core');
    const problems = await lintFromString({ source: text, config, absoluteRef: '/openapi.json' });
    const found = problems.map((problem) => `${problem.ruleId}: ${problem.message} ${problem.location[0]?.pointer ?? ''}`);
    await load('@apidevtools/swagger-parser').validate(JSON.parse(text)).catch((problem) => found.push(problem.message));
    return found;
}

// Each makes a good document a bad one.
const SPOILS = [
    (document) => { delete document.info.version; },
    (document) => { delete document.components.schemas.function; },
    (document) => { document.paths['/functions'].get.operationId = 'functions.create'; },
    (document) => { document.paths['/functions/{functionId}'].get.parameters = []; },
    (document) => { document.components.schemas.function.properties.name.type = 'text'; },
    (document) => { document.components.schemas.unused = { type: 'object' }; },
];

async function check(files) {
    const config = await load('@redocly/openapi-core').createConfig({ extends: ['recommended-strict'], rules: RULES });
    for (const file of files) {
        const found = await complaints(readFileSync(file, 'utf8'), config);
        assert.deepEqual(found, [], file);
    }
    for (const spoil of SPOILS) {
        const document = JSON.parse(readFileSync(files[0], 'utf8'));
        spoil(document);
        assert.notEqual((await complaints(JSON.stringify(document), config)).length, 0, `${spoil} is not seen`);
    }
}

// ---- generate, story

async function generate([input, output]) {
    const { createClient } = await import(load.resolve('@hey-api/openapi-ts'));
    await createClient({ input, output, plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
                         logs: { level: 'silent' } });
}

async function story([directory]) {
    const { story: run } = createRequire(join(directory, 'main.cjs'))('./openapi_story.js');
    const { SDK_ENDPOINT: endpoint, SDK_KEY: key, SDK_FORMAT: format, SDK_FUNCTION: functionId } = process.env;
    const archive = new File([readFileSync(process.env.SDK_ARCHIVE)], 'code.tar.gz');
    await run({ endpoint, key, format, functionId, archive });
}

const [work, ...words] = process.argv.slice(2);
await { check, generate, story }[work](words);
