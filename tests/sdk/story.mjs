// One story through one release of node-appwrite: create, variables, deploy in one piece and in many, build log,
// activate, execute both ways, errors, lists with queries, rebuild, download, delete. What a release does not have is left
// out of its story; the rows in `run` say how releases differ.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const row = (name) => process.env['SDK_' + name];
const load = createRequire(join(row('DIRECTORY'), 'story.cjs'));
const sdk = load('node-appwrite');
const { Client, Functions, Query } = sdk;
const { InputFile } = sdk.InputFile ? sdk : load('node-appwrite/file');
const functions = new Functions(new Client().setEndpoint(row('ENDPOINT')).setProject('default').setKey(row('KEY')));
const style = row('STYLE');     // object: named parameters; places: parameters in order; legacy: and functions are (req, res)
const has = (method) => typeof functions[method] === 'function';
const isLegacy = style === 'legacy';
const hasQueries = isLegacy ? has('listVariables') : true;

const placesOf = (method) => {
    const text = functions[method].toString(), places = text.slice(text.indexOf('(') + 1).split(/\)\s*\{/)[0];
    return places.split(',').map((place) => place.split('=')[0].trim()).filter((name) => name !== '');
};

function call(method, given = {}) {
    if (style === 'object') return functions[method](Object.keys(given).length > 0 ? given : undefined);
    const known = { ...given, data: given.body };
    return functions[method](...placesOf(method).map((name) => known[name]));
}

async function refused(promise, code, type) {
    await assert.rejects(promise, (problem) => {
        assert.equal(problem.code, code, problem.message);
        if (type) assert.equal(problem.type, type);
        return true;
    });
}

async function until(see, what) {
    const end = Date.now() + 60000;
    for (;;) {
        const seen = await see();
        if (seen) return seen;
        if (Date.now() > end) throw new Error('still no ' + what);
        await new Promise((done) => setTimeout(done, 50));
    }
}

// ---- answers under their newest names

const activeOf = (made) => made.deploymentId ?? made.deployment;
const logOf = (deployment) => deployment.buildLogs ?? deployment.buildStdout;
const executionOf = (made) => ({
    ...made, code: made.responseStatusCode ?? made.statusCode, text: made.responseBody ?? made.response,
    logs: made.logs ?? made.stdout, errors: made.errors ?? made.stderr,
});
const execute = async (given = {}) => executionOf(await call('createExecution', { functionId, ...given }));

// ---- packages

const directory = mkdtempSync(join(tmpdir(), 'functiond-sdk-'));
const functionId = 'sdk-' + row('VERSION').replaceAll('.', '-');

const modern = (name) => `module.exports = async ({ req, res, log, error }) => {
    log('called with ' + req.bodyText);
    if (req.path === '/throw' || req.bodyText === 'throw') throw new Error('on purpose');
    if (req.path === '/hang') await new Promise(() => {});
    if (req.path === '/missing') return res.text('not here', 404);
    return res.json({ from: '${name}', body: req.bodyText, method: req.method, query: req.query,
                      colour: process.env.COLOUR ?? null, header: req.headers['x-given'] ?? null });
};`;
const legacy = (name) => `module.exports = async (req, res) => {
    console.log('called with ' + req.payload);
    if (req.payload === 'throw') throw new Error('on purpose');
    if (req.payload === 'hang') return;
    res.json({ from: '${name}', body: req.payload, colour: req.variables.COLOUR ?? null });
};`;

function makePackage(name, bytes) {
    const folder = join(directory, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'main.js'), (isLegacy ? legacy : modern)(name));
    writeFileSync(join(folder, 'package.json'), '{}');
    writeFileSync(join(folder, 'data.bin'), randomBytes(bytes));
    const file = join(directory, name + '.tar.gz');
    execFileSync('tar', ['-czf', file, '-C', folder, '.']);
    return file;
}

const seen = (deploymentId) => call('getDeployment', { functionId, deploymentId });

async function built(deploymentId) {
    return until(async () => {
        const now = await seen(deploymentId);
        assert.notEqual(now.status, 'failed', logOf(now));
        return now.status === 'ready' && now;
    }, 'end of the build');
}

async function deploy(file, activate) {
    const progress = [];
    const made = await call('createDeployment', {
        functionId, code: InputFile.fromPath(file, 'code.tar.gz'), activate, entrypoint: 'main.js',
        onProgress: (step) => progress.push(step) });
    const ready = await built(made.$id);
    const size = Number(ready.sourceSize ?? ready.size);
    if (ready.buildLogs !== undefined) assert.equal(size, readFileSync(file).length);
    else assert.ok(size >= readFileSync(file).length, 'the old size is source and package together');
    return { ready, progress };
}

// ---- chapters

async function settings() {
    const made = await call('create', { functionId, name: 'Story', runtime: 'node-22', execute: ['any'], timeout: 3,
                                        enabled: true, logging: true, entrypoint: 'main.js', commands: 'echo from-the-build' });
    assert.equal(made.$id, functionId);
    assert.equal(activeOf(made), '');
    await refused(call('create', { functionId, name: 'Again', runtime: 'node-22', execute: ['any'] }), 409,
                  'function_already_exists');
    await refused(call('create', { functionId: 'other', name: 'x', runtime: 'cobol-85', execute: [] }), 400);
    const renamed = await call('update', { functionId, name: 'New name', runtime: 'node-22', execute: ['any'], timeout: 3,
                                           enabled: true, logging: true, entrypoint: 'main.js', commands: 'echo from-the-build' });
    assert.equal(renamed.name, 'New name');
    if (has('createVariable')) {
        const variable = await call('createVariable', { functionId, variableId: 'colour', key: 'COLOUR', value: 'rot', secret: false });
        assert.equal(variable.key, 'COLOUR');
        await call('updateVariable', { functionId, variableId: variable.$id, key: 'COLOUR', value: 'grün' });
        assert.equal((await call('getVariable', { functionId, variableId: variable.$id })).value, 'grün');
        const gone = await call('createVariable', { functionId, variableId: 'gone', key: 'GONE', value: 'x' });
        assert.equal((await call('listVariables', { functionId })).total, 2);
        await call('deleteVariable', { functionId, variableId: gone.$id });
        assert.deepEqual((await call('listVariables', { functionId })).variables.map((one) => one.key), ['COLOUR']);
    }
    const { runtimes } = await call('listRuntimes');
    assert.ok(runtimes.some((one) => one.$id.startsWith('node-')), JSON.stringify(runtimes.map((one) => one.$id)));
    if (has('listSpecifications')) assert.ok((await call('listSpecifications')).specifications.length > 0);
}

async function later(given) {
    const made = await execute({ ...given, async: true });
    assert.equal(made.status, 'waiting');
    return until(async () => {
        const now = executionOf(await call('getExecution', { functionId, executionId: made.$id }));
        return ['completed', 'failed'].includes(now.status) && now;
    }, 'end of the execution');
}

async function run() {
    const tricky = 'ünï 漢字 🦀 "q" \\ \n\t';
    const done = await execute({ body: tricky, async: false, xpath: '/a?b=c%20d', method: 'PUT', headers: { 'x-given': 'yes' } });
    assert.equal(done.status, 'completed', done.errors);
    assert.equal(done.code, 200);
    const colour = has('createVariable') ? 'grün' : null;
    assert.deepEqual(JSON.parse(done.text), isLegacy ? { from: 'large', body: tricky, colour } :
        { from: 'large', body: tricky, method: 'PUT', query: { b: 'c%20d' }, colour, header: 'yes' });
    assert.ok(done.logs.includes('called with ünï'), done.logs);
    assert.equal(typeof done.duration, 'number');
    const ended = await later({ body: 'later' });
    assert.equal(ended.status, 'completed', ended.errors);
    const thrown = await execute({ body: 'throw' });
    assert.equal(thrown.status, 'failed');
    assert.ok(thrown.errors.includes('on purpose'), thrown.errors);
    const late = await execute({ xpath: '/hang', body: 'hang' });
    assert.equal(late.code, 500);
    assert.ok(/timed out/i.test(late.errors), late.errors);
    if (!isLegacy) {
        const missing = await execute({ xpath: '/missing' });
        assert.equal(missing.status, row('MISSING'));
        assert.equal(missing.code, 404);
    }
    await refused(call('createExecution', { functionId: 'nobody', body: '' }), 404, 'function_not_found');
    return { done, ended };
}

async function lists({ done, ended }) {
    const before = has('deleteExecution') ? 0 : 1, total = before + (isLegacy ? 4 : 5);
    if (!hasQueries) {
        const newest = await call('listExecutions', { functionId, limit: 1 });
        assert.deepEqual([newest.total, newest.executions.length], [total, 1]);
        assert.equal((await call('list', { search: 'New name', limit: 10, orderType: 'DESC' })).functions[0].$id, functionId);
        return;
    }
    const byDate = isLegacy ? [Query.limit(10)] : [Query.orderDesc('$createdAt'), Query.limit(10)];
    const all = await call('listExecutions', { functionId, queries: byDate });
    assert.equal(all.total, total);
    if (!isLegacy) assert.equal(all.executions.at(-1 - before).$id, done.$id);
    const completed = await call('listExecutions', { functionId, queries: [Query.equal('status', ['completed'])] });
    assert.equal(completed.total, before + (isLegacy ? 2 : 3));
    const after = await call('listExecutions', { functionId, queries: [Query.orderDesc('$createdAt'), Query.cursorAfter(ended.$id)] });
    assert.equal(after.executions[0].$id, done.$id);
    assert.equal(after.executions.length, 1 + before);
    const named = await call('list', { queries: [Query.equal('name', ['New name']), Query.limit(100)] });
    assert.ok(named.functions.some((one) => one.$id === functionId));
    assert.equal((await call('list', { queries: [Query.equal('name', ['nothing'])] })).total, 0);
    assert.ok((await call('list', { search: 'New' })).functions.some((one) => one.$id === functionId));
    assert.equal((await call('listDeployments', { functionId, queries: [Query.limit(1)] })).total, 2);
    await refused(call('listExecutions', { functionId, queries: [Query.equal('no', [1])] }), 400);
    if (!has('deleteExecution')) return;
    await call('deleteExecution', { functionId, executionId: ended.$id });
    await refused(call('getExecution', { functionId, executionId: ended.$id }), 404, 'execution_not_found');
}

// Building again: the same deployment until 13, a new one from 14 on.
async function rebuild(deployment) {
    const given = { functionId, deploymentId: deployment.$id, buildId: deployment.buildId || deployment.$id };
    if (has('createDuplicateDeployment')) {
        const again = await call('createDuplicateDeployment', { functionId, deploymentId: deployment.$id });
        assert.notEqual(again.$id, deployment.$id);
        await built(again.$id);
        await refused(call('updateDeploymentStatus', { functionId, deploymentId: again.$id }), 400);
        await call('deleteDeployment', { functionId, deploymentId: again.$id });
        return;
    }
    const method = ['createBuild', 'retryBuild'].find(has), before = (await call('listDeployments', { functionId })).total;
    await call(method, given);
    const { deployments } = await call('listDeployments', { functionId });
    assert.ok([before, before + 1].includes(deployments.length));
    for (const one of deployments) await built(one.$id);
}

async function downloads(pairs) {
    const method = ['getDeploymentDownload', 'downloadDeployment'].find(has);
    for (const [file, deployment] of method ? pairs : []) {
        const bytes = Buffer.from(await call(method, { functionId, deploymentId: deployment.$id }));
        assert.ok(bytes.equals(readFileSync(file)), 'the source, byte for byte');
    }
}

try {
    await settings();
    const smallFile = makePackage('small', 50_000), largeFile = makePackage('large', 12_000_000);
    const small = await deploy(smallFile, true);
    if (!isLegacy) assert.ok(logOf(small.ready).includes('from-the-build'));
    assert.equal(activeOf(await call('get', { functionId })), small.ready.$id);
    const large = await deploy(largeFile, false);
    assert.ok(large.progress.length >= 2, 'sent in pieces');
    assert.equal(large.progress.at(-1).progress, 100);
    assert.equal(JSON.parse((await execute()).text).from, 'small');
    const activate = ['updateFunctionDeployment', 'updateDeployment'].find(has);
    assert.equal(activeOf(await call(activate, { functionId, deploymentId: large.ready.$id })), large.ready.$id);
    if (has('deleteExecution'))
        await call('deleteExecution', { functionId, executionId: (await call('listExecutions', { functionId })).executions[0].$id });

    await lists(await run());
    await downloads([[smallFile, small.ready], [largeFile, large.ready]]);
    await rebuild(small.ready);
    await call('deleteDeployment', { functionId, deploymentId: small.ready.$id });
    await refused(call('getDeployment', { functionId, deploymentId: small.ready.$id }), 404, 'deployment_not_found');
    await call('delete', { functionId });
    await refused(call('get', { functionId }), 404, 'function_not_found');
} finally {
    rmSync(directory, { recursive: true, force: true });
}
