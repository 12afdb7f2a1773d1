// One story through one release of the web library, from Node.js: what a guest and a signed-in user may do with functions.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const row = (name) => process.env['SDK_' + name];
const { Client, Functions, Query } = createRequire(join(row('DIRECTORY'), 'story.cjs'))('appwrite');
const style = row('STYLE'), isLegacy = style === 'legacy';

function caller(jwt) {
    const client = new Client().setEndpoint(row('ENDPOINT')).setProject('default');
    if (jwt) client.setJWT(jwt);
    const functions = new Functions(client);
    const call = async (method, given, ...places) => executionOf(
        await (style === 'object' ? functions[method](given) : functions[method](...places)));
    return {
        client, functions,
        execute: (functionId, { body, async = false, path, method, headers } = {}) => call(
            'createExecution', { functionId, body, async, xpath: path, method, headers },
            functionId, body, async, ...(isLegacy ? [] : [path, method, headers])),
        get: (functionId, executionId) => call('getExecution', { functionId, executionId }, functionId, executionId),
        list: (functionId, queries) => call('listExecutions', { functionId, queries }, functionId, queries),
    };
}

const executionOf = (made) => made.executions ? made : ({
    ...made, code: made.responseStatusCode ?? made.statusCode, text: made.responseBody ?? made.response,
    logs: made.logs ?? made.stdout, errors: made.errors ?? made.stderr,
});

async function refused(promise, code, type) {
    await assert.rejects(promise, (problem) => {
        assert.deepEqual([problem.code, problem.type], [code, type], problem.message);
        return true;
    });
}

const guest = caller(), user = caller(row('JWT')), open = row('OPEN'), users = row('USERS');

if (guest.client.ping) assert.match(JSON.stringify(await guest.client.ping()), /pong/i);

const tricky = 'ünï 漢字 🦀 "q" \\ \n\t';
const answered = await guest.execute(open, { body: tricky, path: '/a', method: 'PUT', headers: { 'x-given': 'yes' } });
assert.equal(answered.status, 'completed', answered.errors);
assert.deepEqual(JSON.parse(answered.text), isLegacy ? { user: '', body: tricky }
                                                     : { user: '', body: tricky, method: 'PUT' });
assert.deepEqual([answered.logs, answered.errors], ['', ''], 'logs are for those with a key');
assert.equal((await guest.execute(open, { body: 'fail' })).status, 'failed');
if (!isLegacy) assert.equal((await guest.execute(open, { path: '/missing' })).code, 404);
await refused(guest.execute(users), 401, 'user_unauthorized');
await refused(guest.execute('nobody'), 404, 'function_not_found');
await refused(guest.list(open), 401, 'general_unauthorized_scope');

const mine = await user.execute(users, { body: 'mine' });
assert.equal(JSON.parse(mine.text).user, 'web-user');
assert.equal((await user.get(users, mine.$id)).$id, mine.$id);
const later = await user.execute(users, { body: 'later', async: true });
assert.equal(later.status, 'waiting');
for (const end = Date.now() + 60000; ;) {
    const now = await user.get(users, later.$id);
    if (now.status === 'completed') break;
    assert.ok(now.status !== 'failed' && Date.now() < end, now.status);
    await new Promise((done) => setTimeout(done, 50));
}
const listed = await user.list(users, [Query.equal('status', ['completed']), Query.limit(100)]);
assert.ok([mine.$id, later.$id].every((id) => listed.executions.some((one) => one.$id === id)));
await refused(user.get(users, answered.$id), 404, 'execution_not_found');
