// The main job, by a client that a generator made of the printed document: the compiler checks here that names, types and
// what must be given are as this story, written by hand, expects them. It is compiled once for each format it runs at.
import * as api from './client';
import { client } from './client/client.gen';

export interface Told { endpoint: string; key: string; format: string; archive: File; functionId: string }

function equal<T>(seen: T, wanted: T, what: string): void {
    if (JSON.stringify(seen) !== JSON.stringify(wanted))
        throw new Error(`${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
}

function prepare(told: Told): void {
    const secrets: Record<string, string> = { 'X-Appwrite-Project': 'default', 'X-Appwrite-Key': told.key };
    client.setConfig({
        baseUrl: told.endpoint,
        auth: (scheme) => secrets[scheme.name ?? ''],
        headers: told.format === '' ? {} : { 'X-Appwrite-Response-Format': told.format },
    });
}

async function ready(path: { functionId: string; deploymentId: string }): Promise<void> {
    for (let end = Date.now() + 60_000; Date.now() < end; ) {
        const { data } = await api.functionsGetDeployment({ path, throwOnError: true });
        if (data.status === 'ready') return;
        if (data.status === 'failed') throw new Error(data.buildLogs);
        await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error('the build does not end');
}

async function deploy(told: Told): Promise<string> {
    const path = { functionId: told.functionId };
    const { data } = await api.functionsCreateDeployment({
        path, body: { code: told.archive, activate: true }, throwOnError: true });
    await ready({ ...path, deploymentId: data.$id });
    const list = await api.functionsListDeployments({
        path, query: { 'queries[]': ['{"method":"equal","attribute":"status","values":["ready"]}'] }, throwOnError: true });
    equal([list.data.total, list.data.deployments[0].$id], [1, data.$id], 'deployments');
    const file = await api.functionsGetDeploymentDownload({
        path: { ...path, deploymentId: data.$id }, parseAs: 'blob', throwOnError: true });
    if (file.data.size === 0) throw new Error('an empty download');
    return data.$id;
}

async function execute(told: Told): Promise<void> {
    const path = { functionId: told.functionId };
    const { data } = await api.functionsCreateExecution({
        path, body: { body: 'you', method: 'POST', path: '/a?b=c', headers: { 'x-given': 'this' } }, throwOnError: true });
    equal([data.status, data.responseStatusCode, data.responseBody], ['completed', 201, 'blue you this'], 'execution');
    const first = data.responseHeaders.find((header) => header.name === 'content-type');
    equal(first?.value.startsWith('text/plain'), true, 'type of the answer');
    const later = await api.functionsCreateExecution({ path, body: { async: true }, throwOnError: true });
    equal(later.data.responseBody, '', 'what an asynchronous execution answers at once');
    const list = await api.functionsListExecutions({
        path, query: { 'queries[]': ['{"method":"limit","values":[1]}'], total: true }, throwOnError: true });
    equal([list.data.total, list.data.executions.length], [2, 1], 'executions');
    const one = await api.functionsGetExecution({ path: { ...path, executionId: data.$id }, throwOnError: true });
    equal([one.data.$id, one.data.logs.trim()], [data.$id, 'called'], 'one execution');
}

async function refusals(): Promise<void> {
    const { error, response } = await api.functionsGet({ path: { functionId: 'none' } });
    equal([response.status, error?.code, error?.type], [404, 404, 'function_not_found'], 'refusal');
}

export async function story(told: Told): Promise<void> {
    prepare(told);
    const path = { functionId: told.functionId };
    const made = await api.functionsCreate({
        body: { functionId: told.functionId, name: 'Story', runtime: 'node-22', entrypoint: 'main.js', execute: ['any'] },
        throwOnError: true });
    equal([made.data.$id, made.data.enabled, made.data.execute, made.data.timeout], [told.functionId, true, ['any'], 15],
          'new function');
    await api.functionsCreateVariable({ path, body: { variableId: 'v', key: 'COLOUR', value: 'blue' }, throwOnError: true });
    const deploymentId = await deploy(told);
    await execute(told);
    await refusals();
    const functions = await api.functionsList({ query: { search: told.functionId }, throwOnError: true });
    equal(functions.data.functions.map((one) => [one.$id, one.vars.length]), [[told.functionId, 1]], 'functions');
    equal((await api.pingGet({ throwOnError: true })).data, 'Pong!', 'ping');
    equal((await api.localeListContinents({ throwOnError: true })).data.total, 7, 'continents');
    await api.functionsDeleteDeployment({ path: { ...path, deploymentId }, throwOnError: true });
    await api.functionsDelete({ path, throwOnError: true });
    equal((await api.functionsGet({ path })).response.status, 404, 'a deleted function');
}
