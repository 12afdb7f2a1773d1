#!/usr/bin/python3
"""Stopping: what runs may finish, a second signal ends everything now, nothing is left behind; and dying processes."""
import os
import pathlib
import signal
import subprocess
import threading
import time
import harness

SLOW = harness.node('''
    log('begun');
    await new Promise((done) => setTimeout(done, Number(req.bodyText)));
    return res.text('finished');''')


class Stop(harness.unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon(stop_seconds=20)
        self.addCleanup(self.daemon.release)
        self.daemon.start()
        self.api = self.daemon.api()
        self.api.function('slow', timeout=60)
        self.api.deploy('slow', SLOW)

    def begin(self, milliseconds):
        """A synchronous call in a thread; returns once a worker has it."""
        result = []

        def call():
            try:
                result.append(self.api.ask('POST', '/functions/slow/executions', {'body': str(milliseconds)}))
            except (OSError, harness.http.client.HTTPException) as problem:
                result.append(problem)
        thread = threading.Thread(target=call)
        thread.start()
        self.api.execute('slow', '0')           # the same worker answers: the one before has arrived
        return thread, result

    def test_what_runs_may_finish_and_the_exit_status_is_zero(self):
        thread, result = self.begin(1500)
        tree = harness.descendants(self.daemon.process.pid)
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log_tail())
        thread.join()
        self.assertEqual(result[0].status, 201, result)
        self.assertEqual(result[0].json['responseBody'], 'finished')
        self.assertEqual(tree & set(harness.processes()), set(), 'nothing is left')

    def test_no_new_connection_is_served_while_stopping(self):
        thread, _ = self.begin(3000)
        self.daemon.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: not self.daemon.answers(), 'refusal', 10)
        thread.join()
        self.assertEqual(self.daemon.process.wait(30), 0)
        self.daemon.process = None

    def test_a_second_signal_ends_it_now(self):
        thread, _ = self.begin(15000)
        tree = harness.descendants(self.daemon.process.pid)
        before = time.monotonic()
        self.daemon.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: 'stopping' in self.daemon.log_tail(), 'first signal in the log', 10)
        self.daemon.process.send_signal(signal.SIGTERM)
        self.daemon.process.wait(20)
        self.daemon.process = None
        thread.join()
        self.assertLess(time.monotonic() - before, 10)
        harness.wait_for(lambda: not tree & set(harness.processes()), 'end of all processes', 10)

    def test_interrupt_from_a_terminal_is_a_stop_too(self):
        self.assertEqual(self.daemon.stop(signal.SIGINT), 0)

    def test_when_the_supervisor_is_killed_nothing_lives_on(self):
        self.begin(10000)
        tree = harness.descendants(self.daemon.process.pid)
        self.assertGreaterEqual(len(tree), 2)
        self.daemon.kill()
        harness.wait_for(lambda: not tree & set(harness.processes()), 'end of all processes', 20)

    def test_when_the_api_is_killed_it_comes_back_on_the_same_port(self):
        api = next(pid for pid, name in self.daemon.children().items() if name == 'functiond-api')
        workers = harness.descendants(self.daemon.process.pid) - {api}
        os.kill(api, signal.SIGKILL)
        harness.wait_for(lambda: not workers & set(harness.processes()), 'end of the old workers', 20)
        harness.wait_for(self.daemon.answers, 'answer of the next api')
        self.assertEqual(self.api.execute('slow', '1')['responseBody'], 'finished')

    def test_orphans_of_functions_are_reaped(self):
        self.api.function('orphans', harness.PYTHON)
        self.api.deploy('orphans', harness.python('''
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
return context.res.text('forked')''', 'import os'))
        for _ in range(5):
            self.api.execute('orphans')
        self.assertEqual(self.daemon.stop(), 0)

    @harness.unittest.skipUnless(harness.is_root(), 'needs root for a pid namespace of its own')
    def test_as_first_process_of_a_namespace_it_reaps_and_stops(self):
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start(wrapper=['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'])
        self.assertEqual(self.api.execute('slow', '1')['responseBody'], 'finished')
        inner = next(pid for pid, (parent, name) in harness.processes().items()
                     if parent == self.daemon.process.pid and name == 'functiond')
        os.kill(inner, signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(30), 0, self.daemon.log_tail())
        self.daemon.process = None


class Backup(harness.unittest.TestCase):
    def test_a_backup_taken_while_serving_becomes_a_working_server(self):
        first = harness.Daemon()
        self.addCleanup(first.release)
        with first as daemon:
            api = daemon.api()
            api.function('kept')
            api.deploy('kept', harness.node("return res.text('from the backup');"))
            target = daemon.directory / 'backup'
            daemon.output('backup', '--to', str(target))
            key = daemon.key()
            second = harness.Daemon()
            self.addCleanup(second.release)
            second.output('restore', '--from', str(target))
            done = second.run('restore', '--from', str(target))
            self.assertEqual(done.returncode, 1, 'never over an existing one')
            with second as restored:
                self.assertEqual(restored.api(key=key).execute('kept')['responseBody'], 'from the backup')

    def test_what_is_written_after_a_backup_survives_a_kill(self):
        with harness.Daemon() as daemon:
            daemon.output('key', 'list', '--project', 'default')        # opens the database once more
            daemon.output('backup', '--to', str(daemon.directory / 'backup'))
            daemon.api().function('after')
            daemon.kill()
            daemon.start()
            self.assertEqual(daemon.api().ask('GET', '/functions/after').status, 200)


if __name__ == '__main__':
    harness.main()
