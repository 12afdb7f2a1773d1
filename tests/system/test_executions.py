#!/usr/bin/python3
"""Executions through the API: what a function is given, what comes back, and everything that can go wrong in one."""
import concurrent.futures
import datetime
import time
import harness

BEHAVIOUR = {
    harness.NODE: harness.node('''
        const how = req.path.slice(1);
        if (how === 'throw') throw new Error('thrown on purpose');
        if (how === 'nothing') return;
        if (how === 'exit') process.exit(7);
        if (how === 'hang') await new Promise(() => {});
        if (how === 'spin') for (;;);
        if (how === 'slow') await new Promise((done) => setTimeout(done, 300));
        if (how === 'bytes') return res.binary(Buffer.from([0xff, 0xfe, 0x00]));
        if (how === 'log') { for (let i = 0; i < 30000; i++) log('line ' + i + ' ' + 'x'.repeat(40)); }
        if (how === 'print') console.log('printed by the function');
        if (how.startsWith('status/')) return res.text('answer', parseInt(how.slice(7)));
        return res.json({ body: req.bodyText, headers: req.headers, method: req.method, query: req.query });'''),
    harness.PYTHON: harness.python('''
how = context.req.path[1:]
if how == 'throw':
    raise ValueError('thrown on purpose')
if how == 'nothing':
    return None
if how == 'exit':
    os._exit(7)
if how in ('hang', 'spin'):
    while True:
        time.sleep(1)
if how == 'slow':
    time.sleep(0.3)
if how == 'bytes':
    return context.res.binary(bytes([0xff, 0xfe, 0x00]))
if how == 'log':
    for i in range(30000):
        context.log('line ' + str(i) + ' ' + 'x' * 40)
if how == 'print':
    print('printed by the function')
if how.startswith('status/'):
    return context.res.text('answer', int(how[7:]))
return context.res.json({'body': context.req.body_text, 'headers': dict(context.req.headers),
                         'method': context.req.method, 'query': context.req.query})''', 'import os\nimport time'),
}
TRICKY = 'ascii ümläut 漢字 🦀 "quoted" \\ back\n\ttab \u2028 \x7f'


class Executions(harness.Case):
    names = {harness.NODE: 'node', harness.PYTHON: 'python'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for runtime, name in cls.names.items():
            cls.api.function(name, runtime, timeout=2)
            cls.api.deploy(name, BEHAVIOUR[runtime])

    def each(self):
        for name in self.names.values():
            with self.subTest(name):
                yield name

    def run_path(self, name, path, **more):
        return self.api.execute(name, path='/' + path, **more)

    def test_text_of_every_kind_arrives_and_returns(self):
        for name in self.each():
            done = self.api.execute(name, TRICKY, path='/?q=a%20b')
            seen = harness.json.loads(done['responseBody'])
            self.assertEqual(seen['body'], TRICKY)
            self.assertEqual(seen['query']['q'], 'a b' if name == 'python' else 'a%20b', 'as their reference does')

    def test_an_empty_call_is_a_post_without_body(self):
        for name in self.each():
            seen = harness.json.loads(self.api.execute(name)['responseBody'])
            self.assertEqual((seen['body'], seen['method']), ('', 'POST'))

    def test_given_and_injected_headers_arrive(self):
        for name in self.each():
            done = self.api.call('POST', f'/functions/{name}/executions', {'headers': {'X-Colour': 'red', 'n': '1'}}, 201)
            headers = harness.json.loads(done['responseBody'])['headers']
            self.assertEqual((headers['x-colour'], headers['n']), ('red', '1'))
            self.assertEqual((headers['x-appwrite-trigger'], headers['x-appwrite-user-id']), ('http', ''))
            self.assertEqual(headers['x-appwrite-execution-id'], done['$id'])
            self.assertRegex(headers['x-appwrite-key'], r'^(ephemeral|dynamic)_')

    def test_forbidden_headers_are_refused(self):
        for bad in ({'x-appwrite-key': 'x'}, {'a b': 'x'}, {'-a': 'x'}, {'big': 'x' * 17_000},
                    {f'h{i}': 'x' for i in range(101)}):
            self.refused(self.api.ask('POST', '/functions/node/executions', {'headers': bad}), 400)

    def test_bad_parameters_are_refused(self):
        for bad in ({'method': 'BREW'}, {'path': 'x' * 2049}, {'async': 'maybe'}, {'scheduledAt': 'tomorrow', 'async': True},
                    {'scheduledAt': '2030-01-01T00:00:00.000+00:00'}, {'headers': 'x'}):
            self.refused(self.api.ask('POST', '/functions/node/executions', bad), 400)
        self.refused(self.api.ask('POST', '/functions/none/executions', {}), 404, 'function_not_found')

    def test_status_codes_decide_how_it_ended(self):
        for name in self.each():
            for status, ended in ((200, 'completed'), (404, 'completed'), (500, 'failed'), (503, 'failed')):
                done = self.run_path(name, f'status/{status}')
                self.assertEqual((done['status'], done['responseStatusCode']), (ended, status))
                self.assertEqual(done['responseBody'], 'answer')

    def test_an_older_format_calls_a_4xx_failed(self):
        done = self.api.call('POST', '/functions/node/executions', {'path': '/status/404'}, 201,
                             headers={'X-Appwrite-Response-Format': '1.5.0'})
        self.assertEqual(done['status'], 'failed')

    def test_an_exception_is_a_500_with_its_trace_and_the_worker_lives(self):
        for name in self.each():
            done = self.run_path(name, 'throw')
            self.assertEqual((done['status'], done['responseStatusCode'], done['responseBody']), ('failed', 500, ''))
            self.assertIn('thrown on purpose', done['errors'])
            self.assertIn('main.', done['errors'])
            self.assertEqual(self.api.execute(name)['status'], 'completed')

    def test_no_answer_is_a_500_that_says_so(self):
        for name in self.each():
            done = self.run_path(name, 'nothing')
            self.assertEqual((done['status'], done['responseStatusCode']), ('failed', 500))
            self.assertIn('return', done['errors'].lower())

    def test_a_worker_that_ends_fails_the_call_and_the_next_one_works(self):
        for name in self.each():
            done = self.run_path(name, 'exit')
            self.assertEqual((done['status'], done['responseStatusCode']), ('failed', 500))
            self.assertTrue(done['errors'])
            self.assertEqual(self.api.execute(name)['status'], 'completed')

    def test_the_timeout_ends_what_hangs_and_what_spins(self):
        for name in self.each():
            for how in ('hang', 'spin'):
                before = time.monotonic()
                done = self.run_path(name, how)
                self.assertEqual((done['status'], done['responseStatusCode']), ('failed', 500), done)
                self.assertIn('timed out', done['errors'].lower())
                self.assertLess(time.monotonic() - before, 15)
            self.assertEqual(self.api.execute(name)['status'], 'completed')

    def test_bytes_that_are_no_text_need_the_other_answer_form(self):
        for name in self.each():
            said = self.refused(self.api.ask('POST', f'/functions/{name}/executions', {'path': '/bytes'}), 400)
            self.assertIn('Malformed UTF-8', said['message'])
            answer = self.api.ask('POST', f'/functions/{name}/executions', {'path': '/bytes'},
                                  headers={'Accept': 'multipart/form-data'})
            self.assertEqual(answer.status, 201)
            self.assertTrue(answer.header('content-type').startswith('multipart/form-data; boundary='))
            self.assertIn(b'name="responseBody"\r\n\r\n\xff\xfe\x00\r\n', answer.body)

    def test_a_body_of_bytes_can_be_sent_as_multipart(self):
        kind, body = harness.multipart({'body': 'as it is', 'path': '/?a=1', 'method': 'PUT', 'async': 'false',
                                        'headers': '{"x-colour":"blue"}'}, {})
        done = self.api.call('POST', '/functions/node/executions', body=body, headers={'Content-Type': kind}, expect=201)
        seen = harness.json.loads(done['responseBody'])
        self.assertEqual((seen['body'], seen['method'], seen['headers']['x-colour']), ('as it is', 'PUT', 'blue'))

    def test_logs_are_cut_at_the_limit_and_the_end_is_kept(self):
        for name in self.each():
            done = self.run_path(name, 'log')
            self.assertLessEqual(len(done['logs']), 1_000_000)
            self.assertTrue(done['logs'].startswith('[WARNING] Logs truncated.'), done['logs'][:90])
            self.assertIn('line 29999 ', done['logs'])

    def test_what_is_printed_natively_belongs_to_the_call(self):
        for name in self.each():
            self.assertIn('printed by the function', self.run_path(name, 'print')['logs'])

    def test_with_logging_off_nothing_is_kept(self):
        self.api.function('quiet', logging=False, timeout=5)
        self.api.deploy('quiet', BEHAVIOUR[harness.NODE])
        done = self.run_path('quiet', 'throw')
        self.assertEqual((done['logs'], done['errors'], done['status']), ('', '', 'failed'))
        self.assertEqual(self.api.execution('quiet', done['$id'])['errors'], '')

    def test_calls_at_once_never_mix(self):
        for name in self.each():
            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                bodies = [f'{name} {i} ' + 'y' * (i * 97) for i in range(60)]
                done = list(pool.map(lambda body, to=name: self.api.execute(to, body), bodies))
            self.assertEqual([harness.json.loads(one['responseBody'])['body'] for one in done], bodies)
            self.assertEqual(len({one['$id'] for one in done}), 60)

    def test_a_large_body_passes_and_a_larger_one_is_refused(self):
        for name in self.each():
            text = 'z' * 2_000_000
            self.assertEqual(harness.json.loads(self.api.execute(name, text)['responseBody'])['body'], text)
        answer = self.api.ask('POST', '/functions/node/executions', {'body': 'z' * 10_485_761})
        self.assertIn(answer.status, (400, 413))

    def test_a_disabled_function_runs_for_keys_only(self):
        self.api.function('disabled', enabled=False)
        self.api.deploy('disabled', harness.ECHO)
        self.assertEqual(self.api.execute('disabled')['status'], 'completed')
        self.refused(self.daemon.guest().ask('POST', '/functions/disabled/executions', {}), 404, 'function_not_found')

    def test_a_scheduled_execution_waits_and_can_be_deleted(self):
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=3)
        at = at.replace(second=0, microsecond=0).isoformat(timespec='milliseconds')
        made = self.api.call('POST', '/functions/node/executions', {'async': True, 'scheduledAt': at}, 202)
        self.assertEqual((made['status'], made['trigger']), ('scheduled', 'schedule'))
        self.assertEqual(self.api.execution('node', made['$id'])['scheduledAt'], at)
        self.api.call('DELETE', f'/functions/node/executions/{made["$id"]}', expect=204)

    def test_a_running_execution_cannot_be_deleted(self):
        made = self.api.call('POST', '/functions/node/executions', {'async': True, 'path': '/hang'}, 202)
        answer = self.api.ask('DELETE', f'/functions/node/executions/{made["$id"]}')
        if self.api.execution('node', made['$id'])['status'] in ('waiting', 'processing'):
            self.refused(answer, 400, 'execution_in_progress')
        self.api.finished('node', made['$id'])

    def test_many_in_the_background_all_end(self):
        made = [self.api.call('POST', '/functions/python/executions', {'async': True, 'body': str(i)}, 202)['$id']
                for i in range(40)]
        for one in made:
            self.assertEqual(self.api.finished('python', one)['status'], 'completed')


class Late(harness.Case):
    settings = {'sync_seconds': 1}
    sentence = ("Synchronous function execution timed out. Use asynchronous execution instead, or ensure the execution "
                "duration doesn't exceed 1 second.")

    def test_the_seconds_that_are_said_are_those_of_the_setting(self):
        self.api.function('late', harness.NODE, timeout=5)
        self.api.deploy('late', BEHAVIOUR[harness.NODE])
        answer = self.api.ask('POST', '/functions/late/executions', {'path': '/hang'})
        self.refused(answer, 408, 'function_synchronous_timeout')
        self.assertEqual(answer.json['message'], self.sentence)
        page = self.api.domain('late', target='/hang')
        self.assertEqual(page.status, 408)
        self.assertIn(' 1 second.', page.text)

        def stored():
            records = self.api.list('/functions/late/executions')['executions']
            return records if len(records) == 2 else None
        for record in harness.wait_for(stored, 'records of both'):
            self.assertIn(self.sentence, record['errors'])


if __name__ == '__main__':
    harness.main()
