// The schema as a GraphQL client sees it, and one story through all of its fields. Every document is checked against the
// schema that the introspection gave before it is sent, so the server and the client library must agree on both.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const load = createRequire(join(process.env.SDK_DIRECTORY, 'story.cjs'));
const { buildClientSchema, getIntrospectionQuery, getNamedType, isObjectType, isRequiredArgument, parse, validate,
        validateSchema } = load('graphql');
const endpoint = process.env.SDK_ENDPOINT;
const headers = { 'x-appwrite-project': 'default', 'x-appwrite-key': process.env.SDK_KEY };
const json = { 'content-type': 'application/json' };

async function send(body, more = {}, path = '/graphql', method = 'POST') {
    const answer = await fetch(endpoint + path, { method, headers: { ...headers, ...more }, body });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

async function ask(query, variables, more = {}) {
    const answer = await send(JSON.stringify({ query, variables }), { ...json, ...more });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
}

// ---- the schema

const told = await ask(getIntrospectionQuery({ specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true }));
assert.equal(told.errors, undefined, JSON.stringify(told.errors));
const schema = buildClientSchema(told.data);
assert.deepEqual(validateSchema(schema), []);
const roots = { query: schema.getQueryType().getFields(), mutation: schema.getMutationType().getFields() };
assert.ok(roots.query.functionsList && roots.mutation.functionsCreateExecution);
for (const name of ['_id', 'vars', 'deployment', 'deploymentId', 'schedulePrevious', 'specification', 'buildSpecification'])
    assert.ok(schema.getType('Function').getFields()[name], name);
assert.equal(String(roots.mutation.functionsCreateDeployment.args.find((a) => a.name === 'code').type), 'InputFile!');
assert.equal(String(roots.query.functionsList.type), 'FunctionList');

// ---- running fields

const ran = new Set();

function selection(type, levels) {
    const named = getNamedType(type);
    if (!isObjectType(named)) return '';
    const fields = Object.values(named.getFields())
        .filter((field) => levels > 0 || !isObjectType(getNamedType(field.type)))
        .map((field) => field.name + selection(field.type, levels - 1));
    return ` { __typename ${fields.join(' ')} }`;
}

function documentOf(kind, name, given) {
    const field = roots[kind][name];
    assert.ok(field, `no ${kind} ${name}`);
    const used = field.args.filter((argument) => given[argument.name] !== undefined);
    assert.equal(used.length, Object.keys(given).length, `arguments of ${name}`);
    const head = used.map((argument) => `$${argument.name}: ${argument.type}`).join(', ');
    const inner = used.map((argument) => `${argument.name}: $${argument.name}`).join(', ');
    const text = `${kind} Story${head && `(${head})`} { ${name}${inner && `(${inner})`}${selection(field.type, 2)} }`;
    assert.deepEqual(validate(schema, parse(text)), [], text);
    ran.add(name);
    return text;
}

async function run(kind, name, given = {}, more = {}) {
    const answer = await ask(documentOf(kind, name, given), given, more);
    assert.equal(answer.errors, undefined, name + JSON.stringify(answer.errors));
    return answer.data[name];
}

async function refused(kind, name, given, message) {
    const answer = await ask(documentOf(kind, name, given), given);
    assert.equal(answer.errors?.length, 1, name + JSON.stringify(answer));
    assert.match(answer.errors[0].message, message);
    assert.deepEqual(answer.errors[0].path, [name]);
    assert.equal(answer.errors[0].locations.length, 1);
    assert.deepEqual(answer.data, { [name]: null });
}

async function upload(given, file) {
    const form = new FormData();
    form.append('operations', JSON.stringify({ query: documentOf('mutation', 'functionsCreateDeployment', given),
                                               variables: { ...given, code: null } }));
    form.append('map', JSON.stringify({ 0: ['variables.code'] }));
    form.append('0', new Blob([readFileSync(file)]), 'code.tar.gz');
    const answer = await send(form);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.body.errors, undefined, JSON.stringify(answer.body));
    return answer.body.data.functionsCreateDeployment;
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

const directory = mkdtempSync(join(tmpdir(), 'functiond-graphql-'));
mkdirSync(join(directory, 'code'));
writeFileSync(join(directory, 'code/main.js'), `module.exports = async ({ req, res, log }) => {
    log('called'); return res.text(process.env.COLOUR + ' ' + req.bodyText + ' ' + req.headers['x-given'], 201); };`);
const file = join(directory, 'code.tar.gz');
execFileSync('tar', ['-czf', file, '-C', join(directory, 'code'), '.']);
const functionId = 'graphql';

// ---- functions and variables

const made = await run('mutation', 'functionsCreate', {
    functionId, name: 'Story', runtime: 'node-22', execute: ['any'], entrypoint: 'main.js', timeout: 20 });
assert.equal(made._id, functionId);
assert.equal(made.__typename, 'Function');
assert.deepEqual(made.execute, ['any']);
assert.equal(made.deployment, null);
assert.equal((await run('mutation', 'functionsUpdate', { functionId, name: 'Told', execute: ['any'] })).name, 'Told');
const variable = await run('mutation', 'functionsCreateVariable', { functionId, variableId: 'v', key: 'COLOUR', value: 'red' });
assert.equal((await run('query', 'functionsGetVariable', { functionId, variableId: variable._id })).value, '');
await run('mutation', 'functionsUpdateVariable', { functionId, variableId: 'v', key: 'COLOUR', value: 'blue' });
assert.equal((await run('query', 'functionsListVariables', { functionId })).variables[0].key, 'COLOUR');
assert.equal((await run('query', 'functionsGet', { functionId })).vars[0]._id, 'v');
const list = await run('query', 'functionsList', { queries: ['{"method":"limit","values":[1]}'], search: 'Told' });
assert.deepEqual([list.total, list.functions.length, list.functions[0]._id], [1, 1, functionId]);
await refused('query', 'functionsGet', { functionId: 'none' }, /^Function with the requested ID could not be found\.$/);
await refused('mutation', 'functionsCreate', { functionId: '-', name: 'x', runtime: 'node-22' }, /^Invalid `functionId` param: /);

// ---- deployments

const deployed = await upload({ functionId, activate: true, code: {} }, file);
const deploymentId = deployed._id;
const ready = await until(async () => {
    const seen = await run('query', 'functionsGetDeployment', { functionId, deploymentId });
    assert.notEqual(seen.status, 'failed', seen.buildLogs);
    return seen.status === 'ready' && seen;
}, 'build');
assert.equal(ready.resourceId, functionId);
assert.equal((await run('query', 'functionsListDeployments', { functionId })).deployments[0]._id, deploymentId);
const again = await run('mutation', 'functionsCreateDuplicateDeployment', { functionId, deploymentId });
await until(async () => (await run('query', 'functionsGetDeployment', { functionId, deploymentId: again._id })).status === 'ready',
            'second build');
await run('mutation', 'functionsUpdateFunctionDeployment', { functionId, deploymentId });
await run('mutation', 'functionsUpdateDeployment', { functionId, deploymentId });
await refused('mutation', 'functionsUpdateDeploymentStatus', { functionId, deploymentId }, /\w/);
await refused('mutation', 'functionsUpdateDeploymentBuild', { functionId, deploymentId }, /\w/);
assert.equal((await run('mutation', 'functionsDeleteDeployment', { functionId, deploymentId: again._id })).status, 'OK');
const rebuilt = await run('mutation', 'functionsCreateBuild', { functionId, deploymentId });
assert.equal(rebuilt.__typename, 'Deployment');
await run('mutation', 'functionsRetryBuild', { functionId, deploymentId, buildId: deploymentId });
assert.equal((await ask(`mutation { functionsCreateDeployment(functionId: "x", activate: true, code: "y") { _id } }`)).data, undefined);

// ---- executions

const done = await run('mutation', 'functionsCreateExecution', {
    functionId, body: 'wörld', async: false, headers: { 'x-given': 'yes' }, path: '/', method: 'POST' });
assert.equal(done.responseBody, 'blue wörld yes');
assert.deepEqual([done.status, done.responseStatusCode, done.logs], ['completed', 201, 'called\n']);
assert.ok(done.responseHeaders.some((header) => header.name === 'x-appwrite-execution-id'));
const waiting = await run('mutation', 'functionsCreateExecution', { functionId, async: true });
assert.equal(waiting.status, 'waiting');
const executionId = waiting._id;
await until(async () => (await run('query', 'functionsGetExecution', { functionId, executionId })).status === 'completed', 'execution');
assert.equal((await run('query', 'functionsListExecutions', { functionId })).total, 2);
const twice = await ask(`mutation Two($id: String!) {
    first: functionsCreateExecution(functionId: $id, body: "1", headers: {a: "b"}) { ...Told }
    second: functionsCreateExecution(functionId: $id, body: """2""") { ...Told logs @skip(if: true) errors @include(if: true) }
    functionsDeleteExecution(functionId: $id, executionId: "none") { status }
} fragment Told on Execution { __typename ... on Execution { responseBody } }`, { id: functionId });
assert.deepEqual(twice.data, {
    first: { __typename: 'Execution', responseBody: 'blue 1 undefined' },
    second: { __typename: 'Execution', responseBody: 'blue 2 undefined', errors: '' }, functionsDeleteExecution: null });
assert.deepEqual(twice.errors[0].path, ['functionsDeleteExecution']);
assert.deepEqual(twice.errors[0].locations, [{ line: 4, column: 5 }]);
await run('mutation', 'functionsDeleteExecution', { functionId, executionId });

// ---- a client of 1.0

const old = { 'x-appwrite-response-format': '1.0.0' };
const first = await run('query', 'functionsGet', { functionId }, old);
assert.deepEqual([first.schedulePrevious, first.deploymentId], ['', null]);
assert.equal(first.deployment.length, deploymentId.length);     // which one: the builds begun above may have ended
const ran10 = await ask(`mutation($data: String) { functionsCreateExecution(functionId: "graphql", data: $data) { response statusCode } }`,
                        { data: 'old' }, old);
assert.deepEqual(ran10.data.functionsCreateExecution, { response: 'blue old undefined', statusCode: 201 });

// ---- forms of requests

const question = '{ functionsListRuntimes { total } }';
const isAnswer = (answer) => assert.ok(answer.status === 200 && answer.body.data.functionsListRuntimes.total > 0, JSON.stringify(answer));
isAnswer(await send(question, { 'content-type': 'application/graphql' }));
isAnswer(await send(new URLSearchParams({ query: question })));
isAnswer(await send(JSON.stringify({ query: { query: question } }), { ...json, 'x-sdk-graphql': 'true' }));
isAnswer(await send(JSON.stringify({ query: question }), json, '/graphql/mutation'));
isAnswer(await send(undefined, {}, '/graphql?query=' + encodeURIComponent(question), 'GET'));
const form = new FormData();
form.append('query', question);
isAnswer(await send(form));
const named = new URLSearchParams({ query: 'query A($s: String) { functionsList(search: $s) { total } } query B { __typename }',
                                    operationName: 'A', variables: '{"s":"Told"}' });
assert.deepEqual((await send(undefined, {}, '/graphql?' + named, 'GET')).body, { data: { functionsList: { total: 1 } } });
const forbidden = await send(undefined, {}, '/graphql?query=mutation%7B__typename%7D', 'GET');
assert.deepEqual([forbidden.status, forbidden.body.type, forbidden.headers.get('allow')], [405, 'graphql_method_unsupported', 'POST']);
const batch = await send(JSON.stringify([{ query: question }, { query: '{ nothing }' }]), json);
assert.equal(batch.body.length, 2);
assert.deepEqual(batch.body[1], { errors: [{ message: 'Cannot query field "nothing" on type "Query".',
                                             locations: [{ line: 1, column: 3 }] }] });
assert.ok(!Array.isArray((await send(JSON.stringify([{ query: question }]), json)).body));
assert.equal((await send(JSON.stringify(Array(11).fill({ query: question })), json)).body.type, 'graphql_too_many_queries');
assert.equal((await send('{}', json)).body.message, 'Param "query" is not optional.');
assert.match((await ask('{ a(')).errors[0].message, /^Syntax Error: Expected Name, found <EOF>\.$/);
assert.match((await ask('{ functionsList { ' + Array.from({ length: 260 }, (_, i) => `a${i}: total`).join(' ') + ' } }')).errors[0].message,
             /^Max query complexity should be 250 but got 261\.$/);

// ---- whatever no line above has run: it answers, or says what REST says

function sample(type) {
    const text = String(type);
    return text.startsWith('[') ? [] : /^Int|^Float/.test(text) ? 1 : /^Boolean/.test(text) ? true : /^Json|^Assoc/.test(text) ? {} : 'none';
}
for (const kind of ['query', 'mutation'])
    for (const [name, field] of Object.entries(roots[kind])) {
        if (ran.has(name) || ['functionsDelete', 'functionsDeleteVariable'].includes(name)) continue;
        const given = Object.fromEntries(field.args.filter(isRequiredArgument).map((argument) => [argument.name, sample(argument.type)]));
        const answer = await ask(documentOf(kind, name, given), given);
        assert.ok(Object.hasOwn(answer.data ?? {}, name), name + JSON.stringify(answer));
        if (answer.data[name] === null) assert.doesNotMatch(answer.errors[0].message, /^(Server Error|Syntax|Cannot|Unknown)/, name);
    }
assert.equal((await run('mutation', 'functionsDeleteVariable', { functionId, variableId: 'v' })).status, 'OK');
assert.equal((await run('mutation', 'functionsDelete', { functionId })).status, 'OK');
for (const kind of ['query', 'mutation'])
    for (const name of Object.keys(roots[kind])) assert.ok(ran.has(name), `${kind} ${name} was not run`);
rmSync(directory, { recursive: true });
console.log(`ok      graphql: ${ran.size} fields`);
