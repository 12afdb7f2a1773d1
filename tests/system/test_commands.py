#!/usr/bin/python3
"""The commands: projects, keys and tokens beside a running daemon and without one; reports; mistakes."""
import fcntl
import json
import re
import socket
import threading
import harness


class BesideTheDaemon(harness.Case):
    def test_a_created_key_works_at_once_and_a_revoked_one_stops_at_once(self):
        secret = self.daemon.output('key', 'create', '--project', 'default', '--name', 'ci', '--scopes', 'all')
        self.assertRegex(secret, r'^standard_[0-9a-f]{256}$')
        api = self.daemon.api(key=secret)
        self.assertEqual(api.ask('GET', '/functions').status, 200)
        listed = self.daemon.output('key', 'list', '--project', 'default')
        self.assertNotIn(secret, listed)
        line = next(line for line in listed.splitlines() if re.search(r'\bci\b', line))
        self.daemon.output('key', 'revoke', '--project', 'default', '--id', line.split()[0])
        self.refused(api.ask('GET', '/functions'), 401)

    def test_a_key_holds_only_the_scopes_it_was_given(self):
        secret = self.daemon.output('key', 'create', '--project', 'default', '--name', 'reader', '--scopes',
                                    'functions.read,executions.read')
        api = self.daemon.api(key=secret)
        self.assertEqual(api.ask('GET', '/functions').status, 200)
        self.refused(api.ask('POST', '/functions', {'functionId': 'x', 'name': 'x', 'runtime': harness.NODE}), 401,
                     'general_unauthorized_scope')

    def test_an_unknown_scope_is_refused(self):
        done = self.daemon.run('key', 'create', '--project', 'default', '--name', 'x', '--scopes', 'functions.reed')
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('functions.reed', done.stderr)
        self.assertEqual(done.stdout, '')

    def test_an_expired_key_is_refused(self):
        done = self.daemon.run('key', 'create', '--project', 'default', '--name', 'old', '--scopes', 'all', '--expires',
                               '2020-01-01')
        if done.returncode == 0:
            self.refused(self.daemon.api(key=done.stdout.strip()).ask('GET', '/functions'), 401, 'project_key_expired')
        else:
            self.assertTrue(done.stderr)

    def test_projects_are_apart(self):
        self.daemon.output('project', 'create', '--id', 'second', '--name', 'Second one')
        listed = self.daemon.output('project', 'list')
        self.assertIn('second', listed)
        self.assertIn('Second one', listed)
        secret = self.daemon.output('key', 'create', '--project', 'second', '--name', 'k', '--scopes', 'all')
        self.api.function('only-in-default')
        second = self.daemon.api('second', secret)
        self.assertEqual(second.list('/functions')['total'], 0)
        self.refused(second.ask('GET', '/functions/only-in-default'), 404, 'function_not_found')
        mixed = harness.Api(self.daemon.port, 'default', X_Appwrite_Key=secret)
        self.assertIn(mixed.ask('GET', '/functions').status, (401, 404))
        self.daemon.output('project', 'delete', '--id', 'second')
        self.refused(second.ask('GET', '/functions'), 404, 'project_not_found')
        self.assertNotIn('second', self.daemon.output('project', 'list'))

    def test_a_second_project_of_the_same_id_is_refused(self):
        done = self.daemon.run('project', 'create', '--id', 'default', '--name', 'again')
        self.assertEqual(done.returncode, 1)
        self.assertIn('default', done.stderr)

    def test_a_token_speaks_for_a_user(self):
        token = self.daemon.output('token', 'create', '--project', 'default', '--user', 'ada', '--label', 'staff',
                                   '--team', 'red/owner', '--ttl', '600')
        self.assertEqual(token.count('.'), 2)
        answer = self.daemon.user_api(token).ask('GET', '/functions')
        self.refused(answer, 401, 'general_unauthorized_scope')

    def test_the_health_check_answers(self):
        done = self.daemon.run('healthcheck', settings={'listen': f'127.0.0.1:{self.daemon.port}'})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_check_knows_that_the_directory_is_in_use(self):
        done = self.daemon.run('check')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn('in use', done.stdout)


class WithoutDaemon(harness.unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon()
        self.addCleanup(self.daemon.release)

    def test_commands_work_on_the_store_when_nothing_serves(self):
        secret = self.daemon.output('key', 'create', '--project', 'default', '--name', 'before', '--scopes', 'all')
        self.assertRegex(secret, r'^standard_[0-9a-f]{256}$')
        with self.daemon as daemon:
            self.assertEqual(daemon.api(key=secret).ask('GET', '/functions').status, 200)
            self.assertEqual(daemon.api().ask('GET', '/functions').status, 200)

    def test_an_answer_that_is_cut_or_missing_fails(self):
        run = self.daemon.data / 'run'
        run.mkdir(parents=True)
        (run / 'token').write_text('x\n')
        with open(self.daemon.data / 'lock', 'w') as lock, socket.socket(socket.AF_UNIX) as server:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server.bind(str(run / 'control.sock'))
            server.listen()
            for part, sentence in ((b'{"output":"standard_1', 'was cut short'), (b'', 'did not come')):
                def answer():
                    with server.accept()[0] as peer:
                        peer.makefile().readline()
                        peer.sendall(part)
                daemon = threading.Thread(target=answer)
                daemon.start()
                done = self.daemon.run('key', 'create', '--project', 'default', '--name', 'k', '--scopes', 'all')
                daemon.join()
                self.assertEqual((done.returncode, done.stdout), (1, ''))
                self.assertIn(sentence, done.stderr)

    def test_a_health_check_without_a_server_fails(self):
        done = self.daemon.run('healthcheck', settings={'listen': f'127.0.0.1:{self.daemon.port}'})
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)

    def test_check_reports_sandbox_runtimes_and_data(self):
        done = self.daemon.run('check')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for pattern in (r'(?m)^data +\S', r'(?m)^sandbox +sandbox (full|container|basic)', r'(?m)^runtime +node ',
                        r'(?m)^runtime +python ', r'(?m)^host +\d+ CPUs', r'(?m)^fetching +libcurl \d'):
            self.assertRegex(done.stdout, pattern)
        self.assertFalse(self.daemon.data.exists(), 'check makes nothing')

    def test_check_fails_when_more_is_asked_than_the_host_has(self):
        done = self.daemon.run('check', settings={'sandbox': 'basic', 'sandbox_minimum': 'full'})
        self.assertEqual(done.returncode, 1, done.stdout)

    def test_version_is_one_line(self):
        done = self.daemon.run('version', data=False)
        self.assertRegex(done.stdout, r'^functiond \d+\.\d+\.\d+\n$')
        self.assertEqual(self.daemon.run('--version', data=False).stdout, done.stdout)

    def test_help_lists_the_commands(self):
        done = self.daemon.run('help', data=False)
        self.assertEqual(done.returncode, 0)
        for name in ('serve', 'project', 'key', 'token', 'check', 'backup', 'restore', 'healthcheck', 'version'):
            self.assertIn(name, done.stdout)
            one = self.daemon.run(name, '--help', data=False)
            self.assertEqual((one.returncode, one.stderr), (0, ''), name)

    def test_an_unknown_command_names_the_nearest(self):
        done = self.daemon.run('serv', data=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('serve', done.stderr)

    def test_an_unknown_setting_names_the_nearest(self):
        done = self.daemon.run('serve', '--lisen', '127.0.0.1:1', data=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('listen', done.stderr)

    def test_an_unknown_flag_of_a_command_is_refused(self):
        done = self.daemon.run('key', 'create', '--project', 'default', '--nam', 'x', '--scopes', 'all')
        self.assertEqual(done.returncode, 2)
        self.assertIn('nam', done.stderr)

    def test_a_bad_value_is_refused_with_the_range(self):
        done = self.daemon.run('serve', '--lanes', '1000000', data=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('lanes', done.stderr)

    def test_documents_are_printed(self):
        openapi = json.loads(self.daemon.run('docs', 'openapi', data=False).stdout)
        self.assertIn('paths', openapi)
        self.assertIn('function_not_found', self.daemon.run('docs', 'errors', data=False).stdout)
        self.assertIn('listen', self.daemon.run('docs', 'settings', data=False).stdout)


if __name__ == '__main__':
    harness.main()
