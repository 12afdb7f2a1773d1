#!/usr/bin/python3
"""What happens at a limit: an answer that says so, at once, and the server goes on."""
import threading
import time
import harness

SLOW = harness.python("time.sleep(float(context.req.body_text or 0))\nreturn context.res.text('done')", 'import time')


class Overload(harness.Case):
    settings = {'function_queue': 2, 'function_workers': 1, 'sync_seconds': 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api.function('slow', harness.PYTHON, timeout=10)
        cls.api.deploy('slow', SLOW)

    def test_a_full_queue_answers_503_and_says_when_to_come_again(self):
        answers = harness.in_parallel(
            lambda _: self.api.ask('POST', '/functions/slow/executions', {'body': '1'}), range(10))
        refused = [one for one in answers if one.status == 503]
        self.assertGreater(len(refused), 0, answers)
        self.assertGreater(len([one for one in answers if one.status == 201]), 0, answers)
        for one in refused:
            self.refused(one, 503, 'function_overloaded')
            self.assertRegex(one.header('retry-after'), r'^\d+$')
        harness.wait_for(lambda: self.api.ask('POST', '/functions/slow/executions', {}).status == 201, 'room again')

    def test_a_synchronous_call_that_takes_too_long_is_answered_408(self):
        before = time.monotonic()
        answer = self.api.ask('POST', '/functions/slow/executions', {'body': '5'})
        self.refused(answer, 408, 'function_synchronous_timeout')
        self.assertLess(time.monotonic() - before, 5)

        def stored():
            seen = self.api.list('/functions/slow/executions', {'method': 'equal', 'attribute': 'status', 'values': ['failed']})
            return seen['executions']
        record = harness.wait_for(stored, 'record of the timed out call')[0]
        self.assertEqual(record['responseStatusCode'], 500)
        self.assertIn('408', record['errors'])
        harness.wait_for(lambda: self.api.ask('POST', '/functions/slow/executions', {}).status == 201, 'room again')

    def test_an_asynchronous_one_has_the_functions_own_time(self):
        made = self.api.call('POST', '/functions/slow/executions', {'body': '4', 'async': True}, 202)
        self.assertEqual(self.api.finished('slow', made['$id'])['status'], 'completed')


class Connections(harness.Case):
    settings = {'connection_idle_seconds': 2, 'connections': 40}

    def open(self):
        connection = harness.socket.create_connection(('127.0.0.1', self.daemon.port), 10)
        self.addCleanup(connection.close)
        return connection

    def test_a_client_that_sends_nothing_is_closed(self):
        stalled = self.open()
        stalled.sendall(b'POST /v1/functions HTTP/1.1\r\nHost: x\r\nContent-Le')
        stalled.settimeout(30)
        self.assertIn(stalled.recv(4096)[:12], (b'', b'HTTP/1.1 408', b'HTTP/1.1 400'))

    def test_idle_clients_do_not_keep_others_out_for_long(self):
        idle = [self.open() for _ in range(38)]
        self.assertEqual(len(idle), 38)
        harness.wait_for(self.daemon.answers, 'answer')

    def test_a_header_that_is_too_large_is_refused(self):
        answer = harness.send(self.daemon.port, 'GET', '/v1/health/version', {'X-Large': 'x' * 1_000_000})
        self.assertIn(answer.status, (400, 413, 431))
        self.assertTrue(self.daemon.answers())

    def test_what_is_not_http_is_closed(self):
        garbage = self.open()
        garbage.sendall(b'\x16\x03\x01 this is not http\r\n\r\n' * 40)
        garbage.settimeout(30)
        try:
            while garbage.recv(4096):
                pass
        except ConnectionResetError:
            pass
        self.assertTrue(self.daemon.answers())

    def test_a_client_that_goes_away_ends_nothing_else(self):
        self.api.function('gone', timeout=10)
        self.api.deploy('gone', harness.node("await new Promise((d) => setTimeout(d, 500)); return res.text('x');"))
        body = b'{"body":"x"}'
        lines = [f'{name}: {value}' for name, value in self.api.headers.items()]
        request = '\r\n'.join(['POST /v1/functions/gone/executions HTTP/1.1', 'Host: localhost', *lines,
                               'Content-Type: application/json', f'Content-Length: {len(body)}', '', '']).encode() + body
        other = []
        thread = threading.Thread(target=lambda: other.append(self.api.execute('gone')))
        thread.start()
        for _ in range(5):
            leaver = self.open()
            leaver.sendall(request)
            leaver.close()
        thread.join()
        self.assertEqual(other[0]['status'], 'completed')
        self.assertEqual(self.api.execute('gone')['status'], 'completed')


class Memory(harness.Case):
    def test_a_function_that_takes_too_much_memory_is_ended_and_the_server_lives(self):
        self.api.function('hungry', harness.PYTHON, timeout=30, specification='s-1vcpu-512mb')
        self.api.deploy('hungry', harness.python('''
kept = []
while context.req.path == '/all':
    kept.append(bytearray(os.urandom(1 << 20) * 16))
return context.res.text('fine')''', 'import os'))
        done = self.api.execute('hungry', path='/all')
        self.assertEqual((done['status'], done['responseStatusCode']), ('failed', 500))
        self.assertRegex(done['errors'].lower(), 'memory')
        self.assertEqual(self.api.execute('hungry')['responseBody'], 'fine')


class Processes(harness.Case):
    def test_a_function_that_starts_processes_without_end_is_held(self):
        self.bomb('bomb', '''
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)''')

    def test_a_function_whose_processes_leave_it_is_held_too(self):
        self.bomb('leaving', '''
            child = os.fork()
            if child == 0:
                os.setsid()
                if os.fork() == 0:
                    os.execve('/bin/sleep', ['sleep', '60'], {})
                os._exit(0)
            os.waitpid(child, 0)''')

    def bomb(self, name, step):
        self.api.function(name, harness.PYTHON, timeout=10)
        self.api.deploy(name, harness.python(f'''
count = 0
if context.req.path == '/bomb':
    for count in range(5000):
        try:{step}
        except OSError:
            break
return context.res.text(str(count))''', 'import os\nimport time'))
        done = self.api.execute(name, path='/bomb')
        if done['status'] == 'completed':
            self.assertLess(int(done['responseBody']), 1000)
        else:
            self.assertIn('processes and threads that its runtimeSpecification allows', done['errors'])
        self.assertTrue(self.daemon.answers())
        self.assertEqual(self.api.execute(name)['status'], 'completed')


class ProcessesOfOneAccount(Processes):
    """Where the kernel counts all processes of the account together."""
    settings, user = {'sandbox': 'basic'}, harness.ACCOUNT if harness.is_root() else None

    @classmethod
    def setUpClass(cls):
        if cls.user and not harness.has_account(cls.user):
            raise harness.unittest.SkipTest('needs the account functiond')
        super().setUpClass()


if __name__ == '__main__':
    harness.main()
