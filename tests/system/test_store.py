#!/usr/bin/python3
"""A store that cannot be read for a while: nobody is served by what held before, and all goes on when it can be again."""
import contextlib
import sqlite3
import threading
import harness


class Unreadable(harness.unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon(lanes=4)       # one is free to refuse whoever asks before it is told
        self.addCleanup(self.daemon.release)
        self.daemon.start()
        self.api = self.daemon.api()
        self.api.function('echo')
        self.api.deploy('echo', harness.ECHO)
        # The end of the build was read back too, and waits for nothing any more.
        harness.wait_for(lambda: self.daemon.guest().domain('echo').status == 200, 'deployment')

    def alter(self, statement):
        with contextlib.closing(sqlite3.connect(self.daemon.data / 'functiond.db', timeout=30)) as database:
            database.execute(statement)
            database.commit()

    def change_unread(self):
        """Nobody may execute `echo` any more; that is committed, and cannot be read: -> the request, and its answers to be."""
        answers = []

        def change():
            with contextlib.suppress(OSError, harness.http.client.HTTPException):
                answers.append(self.api.ask('PUT', '/functions/echo', {'name': 'echo', 'execute': []}))
        self.alter('ALTER TABLE rules RENAME TO elsewhere')
        request = threading.Thread(target=change)
        request.start()
        harness.wait_for(lambda: self.api.ask('GET', '/functions').status == 503, 'refusal')
        return request, answers

    def test_requests_are_refused_until_it_can_be_read_again(self):
        def apis():
            return [pid for pid, name in self.daemon.children().items() if name == 'functiond-api']
        before = apis()
        request, answers = self.change_unread()
        for path in ('/functions', '/functions/echo/executions', '/health'):
            answer = self.api.ask('GET', path)
            self.assertEqual((answer.status, answer.json['type']), (503, 'general_overloaded'), path)
        self.assertEqual(self.daemon.guest().ask('POST', '/functions/echo/executions', {}).status, 503)
        self.assertEqual(self.daemon.guest().domain('echo').status, 503)
        self.assertEqual(answers, [])

        self.alter('ALTER TABLE elsewhere RENAME TO rules')

        request.join(harness.WAIT_SECONDS)
        self.assertEqual([one.status for one in answers], [200])
        self.assertEqual(self.api.get('/functions/echo')['execute'], [])
        self.assertEqual(self.daemon.guest().ask('POST', '/functions/echo/executions', {}).status, 401)
        self.assertEqual((len(before), apis()), (1, before))

    def test_a_stop_does_not_wait_for_it(self):
        self.daemon.settings['stop_seconds'] = 1
        self.daemon.restart()
        request, _ = self.change_unread()
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log_tail())
        request.join(harness.WAIT_SECONDS)
        self.assertIn('cannot be read', self.daemon.log_path.read_text(errors='replace'))


if __name__ == '__main__':
    harness.main()
