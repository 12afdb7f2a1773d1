// One story through one version of node-appwrite: create, variables, deploy in one piece and in many, build log,
// activate, execute both ways, errors, lists with queries, download, delete. The rows in `run` say how versions differ.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const row = (name) => process.env['SDK_' + name];
const load = createRequire(join(row('DIRECTORY'), 'story.cjs'));
const { Client, Functions, Query, ID } = load('node-appwrite');
const { InputFile } = load('node-appwrite/file');
const functions = new Functions(new Client().setEndpoint(row('ENDPOINT')).setProject('default').setKey(row('KEY')));
const objects = row('STYLE') === 'object';

// The order of positional arguments, for the methods of this story.
const positions = {
    create: ['functionId', 'name', 'runtime', 'execute', 'events', 'schedule', 'timeout', 'enabled', 'logging', 'entrypoint',
             'commands'],
    update: ['functionId', 'name', 'runtime', 'execute', 'events', 'schedule', 'timeout', 'enabled', 'logging', 'entrypoint',
             'commands'],
    get: ['functionId'], delete: ['functionId'], list: ['queries', 'search'],
    createVariable: row('VARIABLE_ID') === 'True' ? ['functionId', 'variableId', 'key', 'value', 'secret']
                                                  : ['functionId', 'key', 'value', 'secret'],
    updateVariable: ['functionId', 'variableId', 'key', 'value'],
    deleteVariable: ['functionId', 'variableId'], listVariables: ['functionId'],
    createDeployment: ['functionId', 'code', 'activate', 'entrypoint', 'commands', 'onProgress'],
    getDeployment: ['functionId', 'deploymentId'], listDeployments: ['functionId', 'queries'],
    deleteDeployment: ['functionId', 'deploymentId'], getDeploymentDownload: ['functionId', 'deploymentId'],
    updateFunctionDeployment: ['functionId', 'deploymentId'], updateDeployment: ['functionId', 'deploymentId'],
    createExecution: ['functionId', 'body', 'async', 'xpath', 'method', 'headers'],
    getExecution: ['functionId', 'executionId'], listExecutions: ['functionId', 'queries'],
    deleteExecution: ['functionId', 'executionId'], listRuntimes: [], listSpecifications: [],
};

function call(method, given = {}) {
    if (objects) return functions[method](Object.keys(given).length > 0 ? given : undefined);
    return functions[method](...positions[method].map((name) => given[name]));
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

const directory = mkdtempSync(join(tmpdir(), 'functiond-sdk-'));
const functionId = 'sdk-' + row('VERSION').replaceAll('.', '-');
const sizeOf = (deployment) => deployment.sourceSize ?? deployment.size;
const activeOf = (made) => made.deploymentId ?? made.deployment;

function makePackage(name, bytes) {
    const folder = join(directory, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'main.js'), `module.exports = async ({ req, res, log, error }) => {
        log('called with ' + req.bodyText);
        if (req.path === '/throw') throw new Error('on purpose');
        if (req.path === '/hang') await new Promise(() => {});
        if (req.path === '/missing') return res.text('not here', 404);
        return res.json({ from: ${JSON.stringify(name)}, body: req.bodyText, method: req.method, query: req.query,
                          colour: process.env.COLOUR ?? null, header: req.headers['x-given'] ?? null });
    };`);
    writeFileSync(join(folder, 'data.bin'), randomBytes(bytes));
    const file = join(directory, name + '.tar.gz');
    execFileSync('tar', ['-czf', file, '-C', folder, '.']);
    return file;
}

async function deploy(file, activate) {
    const progress = [];
    const made = await call('createDeployment', {
        functionId, code: InputFile.fromPath(file, 'code.tar.gz'), activate, onProgress: (step) => progress.push(step) });
    const ready = await until(async () => {
        const seen = await call('getDeployment', { functionId, deploymentId: made.$id });
        assert.notEqual(seen.status, 'failed', seen.buildLogs);
        return seen.status === 'ready' && seen;
    }, 'end of the build');
    assert.equal(Number(sizeOf(ready)), readFileSync(file).length);
    return { ready, progress };
}

async function settings() {
    const made = await call('create', { functionId, name: 'Story', runtime: 'node-22', execute: ['any'], timeout: 3,
                                        enabled: true, logging: true, entrypoint: 'main.js', commands: 'echo from-the-build' });
    assert.equal(made.$id, functionId);
    assert.equal(activeOf(made), '');
    await refused(call('create', { functionId, name: 'Again', runtime: 'node-22' }), 409, 'function_already_exists');
    await refused(call('create', { functionId: ID.unique(), name: 'x', runtime: 'cobol-85' }), 400);
    const variable = await call('createVariable', { functionId, variableId: 'colour', key: 'COLOUR', value: 'rot', secret: false });
    assert.equal(variable.key, 'COLOUR');
    await call('updateVariable', { functionId, variableId: variable.$id, key: 'COLOUR', value: 'grün' });
    assert.equal((await call('listVariables', { functionId })).total, 1);
    const runtimes = await call('listRuntimes');
    assert.ok(runtimes.runtimes.some((one) => one.key === 'node'), JSON.stringify(runtimes.runtimes.map((one) => one.$id)));
    assert.ok((await call('listSpecifications')).specifications.length > 0);
}

async function run() {
    const tricky = 'ünï 漢字 🦀 "q" \\ \n\t';
    const done = await call('createExecution', { functionId, body: tricky, async: false, xpath: '/a?b=c%20d', method: 'PUT',
                                                 headers: { 'x-given': 'yes' } });
    assert.equal(done.status, 'completed', done.errors);
    assert.equal(done.responseStatusCode, 200);
    assert.deepEqual(JSON.parse(done.responseBody),
                     { from: 'large', body: tricky, method: 'PUT', query: { b: 'c%20d' }, colour: 'grün', header: 'yes' });
    assert.ok(done.logs.includes('called with ünï'));
    assert.equal(typeof done.duration, 'number');

    const later = await call('createExecution', { functionId, body: 'later', async: true });
    assert.equal(later.status, 'waiting');
    const ended = await until(async () => {
        const seen = await call('getExecution', { functionId, executionId: later.$id });
        return ['completed', 'failed'].includes(seen.status) && seen;
    }, 'end of the execution');
    assert.equal(ended.status, 'completed', ended.errors);

    const thrown = await call('createExecution', { functionId, xpath: '/throw' });
    assert.equal(thrown.status, 'failed');
    assert.ok(thrown.errors.includes('on purpose'));
    const late = await call('createExecution', { functionId, xpath: '/hang' });
    assert.equal(late.responseStatusCode, 500);
    assert.ok(/timed out/i.test(late.errors), late.errors);
    const missing = await call('createExecution', { functionId, xpath: '/missing' });
    assert.equal(missing.status, 'completed');
    assert.equal(missing.responseStatusCode, 404);
    await refused(call('createExecution', { functionId: 'nobody', body: '' }), 404, 'function_not_found');
    return { done, later };
}

async function lists({ done, later }) {
    const all = await call('listExecutions', { functionId, queries: [Query.orderDesc('$createdAt'), Query.limit(10)] });
    assert.equal(all.total, 5);
    assert.equal(all.executions.at(-1).$id, done.$id);
    const completed = await call('listExecutions', { functionId, queries: [Query.equal('status', ['completed'])] });
    assert.equal(completed.total, 3);
    const after = await call('listExecutions', { functionId, queries: [Query.orderDesc('$createdAt'), Query.cursorAfter(later.$id)] });
    assert.deepEqual(after.executions.map((one) => one.$id), [done.$id]);
    const named = await call('list', { queries: [Query.equal('name', ['Story']), Query.limit(100)] });
    assert.ok(named.functions.some((one) => one.$id === functionId));
    assert.equal((await call('list', { queries: [Query.equal('name', ['nothing'])] })).total, 0);
    assert.equal((await call('listDeployments', { functionId, queries: [Query.limit(1)] })).total, 2);
    await refused(call('listExecutions', { functionId, queries: ['{"method":"equal","attribute":"no","values":[1]}'] }), 400);
    await call('deleteExecution', { functionId, executionId: later.$id });
    await refused(call('getExecution', { functionId, executionId: later.$id }), 404, 'execution_not_found');
}

try {
    await settings();
    const smallFile = makePackage('small', 50_000), largeFile = makePackage('large', 12_000_000);
    const small = await deploy(smallFile, true);
    assert.ok(small.ready.buildLogs.includes('from-the-build'));
    assert.equal(activeOf(await call('get', { functionId })), small.ready.$id);
    const large = await deploy(largeFile, false);
    assert.ok(large.progress.length >= 2, 'sent in pieces');
    assert.equal(large.progress.at(-1).progress, 100);
    assert.equal(JSON.parse((await call('createExecution', { functionId })).responseBody).from, 'small');
    await call('deleteExecution', { functionId, executionId: (await call('listExecutions', { functionId })).executions[0].$id });
    assert.equal(activeOf(await call(row('ACTIVATE'), { functionId, deploymentId: large.ready.$id })), large.ready.$id);

    await lists(await run());
    for (const [file, deployment] of [[smallFile, small.ready], [largeFile, large.ready]]) {
        const bytes = Buffer.from(await call('getDeploymentDownload', { functionId, deploymentId: deployment.$id }));
        if (row('DOWNLOAD') === 'source') assert.ok(bytes.equals(readFileSync(file)), 'the source, byte for byte');
        else assert.ok(bytes.length > 0);
    }
    await call('deleteDeployment', { functionId, deploymentId: small.ready.$id });
    await refused(call('getDeployment', { functionId, deploymentId: small.ready.$id }), 404, 'deployment_not_found');
    await call('delete', { functionId });
    await refused(call('get', { functionId }), 404, 'function_not_found');
} finally {
    rmSync(directory, { recursive: true, force: true });
}
