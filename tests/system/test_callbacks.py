#!/usr/bin/python3
"""Functions that call this server while it waits for them: other functions, themselves, and the management API."""
import time
import harness

NODE_CALLER = harness.node('''
    const [target, depth] = (req.bodyText || ' 0').split(' ');
    if (!target || Number(depth) === 0) return res.text('bottom');
    const base = process.env.APPWRITE_FUNCTION_API_ENDPOINT;
    const answer = await fetch(base + '/functions/' + target + '/executions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-appwrite-project': process.env.APPWRITE_FUNCTION_PROJECT_ID,
                   'x-appwrite-key': req.headers['x-appwrite-key'] },
        body: JSON.stringify({ body: target + ' ' + (Number(depth) - 1) }) });
    const made = await answer.json();
    return res.text('over ' + (made.responseBody ?? made.type), answer.status === 201 ? 200 : answer.status);''')
PYTHON_CALLER = harness.python('''
target, depth = (context.req.body_text or ' 0').split(' ')
if not target or int(depth) == 0:
    return context.res.text('bottom')
request = urllib.request.Request(
    os.environ['APPWRITE_FUNCTION_API_ENDPOINT'] + '/functions/' + target + '/executions',
    data=json.dumps({'body': target + ' ' + str(int(depth) - 1)}).encode(), method='POST',
    headers={'content-type': 'application/json', 'x-appwrite-project': os.environ['APPWRITE_FUNCTION_PROJECT_ID'],
             'x-appwrite-key': context.req.headers['x-appwrite-key']})
try:
    with urllib.request.urlopen(request) as answer:
        made = json.load(answer)
    return context.res.text('over ' + made['responseBody'], made['responseStatusCode'])
except urllib.error.HTTPError as problem:
    return context.res.text('over ' + json.load(problem)['type'], problem.code)''',
    'import json\nimport os\nimport urllib.error\nimport urllib.request')


class Callbacks(harness.Case):
    settings = {'function_workers': 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, runtime, code in (('node-one', harness.NODE, NODE_CALLER), ('node-two', harness.NODE, NODE_CALLER),
                                    ('python-one', harness.PYTHON, PYTHON_CALLER),
                                    ('python-two', harness.PYTHON, PYTHON_CALLER)):
            cls.api.function(name, runtime, timeout=15, scopes=['execution.write', 'functions.read'])
            cls.api.deploy(name, code)

    def test_a_function_calls_another(self):
        for caller, target in (('node-one', 'node-two'), ('python-one', 'python-two'), ('node-one', 'python-one'),
                               ('python-one', 'node-one')):
            with self.subTest(f'{caller} calls {target}'):
                done = self.api.execute(caller, f'{target} 1')
                self.assertEqual((done['status'], done['responseBody']), ('completed', 'over bottom'), done)

    def test_a_function_calls_itself(self):
        for name in ('node-one', 'python-one'):
            with self.subTest(name):
                done = self.api.execute(name, f'{name} 2')
                self.assertEqual(done['responseBody'], 'over over bottom', done)

    def test_at_the_limit_of_workers_such_a_call_fails_at_once(self):
        before = time.monotonic()
        done = self.api.execute('python-two', 'python-two 6')
        self.assertLess(time.monotonic() - before, 10)
        self.assertIn('function_overloaded', done['responseBody'])
        self.assertEqual(self.api.execute('python-two')['responseBody'], 'bottom')

    def test_many_callers_at_once_never_hang(self):
        before = time.monotonic()
        done = harness.in_parallel(lambda _: self.api.ask('POST', '/functions/python-one/executions',
                                                          {'body': 'python-one 1'}), range(8))
        self.assertLess(time.monotonic() - before, 25)
        self.assertTrue(all(one.status in (201, 503) for one in done), done)

    def test_the_key_of_an_execution_has_the_functions_scopes_and_no_more(self):
        self.api.function('holder', scopes=['functions.read'], timeout=10)
        self.api.deploy('holder', harness.node('''
            const base = process.env.APPWRITE_FUNCTION_API_ENDPOINT, key = req.headers['x-appwrite-key'];
            const ask = async (method, path, body) => (await fetch(base + path, { method, body,
                headers: { 'content-type': 'application/json', 'x-appwrite-project': 'default', 'x-appwrite-key': key }
            })).status;
            return res.json({ key, read: await ask('GET', '/functions'),
                              write: await ask('POST', '/functions', '{}') });'''))
        seen = harness.json.loads(self.api.execute('holder')['responseBody'])
        self.assertEqual((seen['read'], seen['write']), (200, 401))
        self.assertEqual(self.daemon.api(key=seen['key']).ask('GET', '/functions').status, 200)
        self.refused(self.daemon.api(key=seen['key'][:-2] + 'xx').ask('GET', '/functions'), 401)


if __name__ == '__main__':
    harness.main()
