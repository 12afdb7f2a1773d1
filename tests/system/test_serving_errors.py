#!/usr/bin/python3
"""What keeps the server from starting is said in one sentence, and nothing is half done."""
import os
import socket
import sqlite3
import harness


class Start(harness.unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon()
        self.addCleanup(self.daemon.release)

    def refuse(self, daemon, *words, seconds=30):
        """Starts it, expects that it ends by itself, and gives what it said."""
        daemon.start(wait=False)
        status = daemon.process.wait(seconds)
        daemon.process = None
        said = daemon.log_tail()
        self.assertNotEqual(status, 0, said)
        for word in words:
            self.assertIn(word, said)
        return said

    def test_a_port_in_use_is_named(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', self.daemon.port))
            taken.listen()
            self.refuse(self.daemon, str(self.daemon.port), 'another program uses that port')

    def test_a_bad_address_is_refused(self):
        self.daemon.settings['listen'] = 'nowhere'
        self.refuse(self.daemon, 'nowhere')

    def test_a_directory_with_other_things_in_it_is_left_alone(self):
        self.daemon.data.mkdir()
        (self.daemon.data / 'letter.txt').write_text('dear')
        self.refuse(self.daemon, 'not empty')
        self.assertEqual(os.listdir(self.daemon.data), ['letter.txt'])

    def test_a_second_daemon_on_the_same_directory_is_refused(self):
        with self.daemon as first:
            second = harness.Daemon()
            self.addCleanup(second.release)
            second.data = first.data
            self.refuse(second, str(first.data))
            self.assertEqual(first.api().ask('GET', '/functions').status, 200)

    def test_a_database_of_a_newer_version_is_refused_and_kept(self):
        self.daemon.start()
        self.daemon.api().function('kept')
        self.assertEqual(self.daemon.stop(), 0)
        path = self.daemon.data / 'functiond.db'
        with sqlite3.connect(path) as database:
            version = database.execute('PRAGMA user_version').fetchone()[0]
            database.execute('PRAGMA user_version = 9999')
        database.close()
        self.refuse(self.daemon, 'newer')
        with sqlite3.connect(path) as database:
            database.execute(f'PRAGMA user_version = {version}')
        database.close()
        self.daemon.start()
        self.assertEqual(self.daemon.api().get('/functions/kept')['name'], 'kept')
        self.assertEqual(self.daemon.stop(), 0)

    def test_a_file_that_is_no_database_is_refused(self):
        self.daemon.start()
        self.assertEqual(self.daemon.stop(), 0)
        for name in ('functiond.db-wal', 'functiond.db-shm'):
            (self.daemon.data / name).unlink(missing_ok=True)
        with open(self.daemon.data / 'functiond.db', 'r+b') as file:
            file.write(b'this is no database at all' * 200)
        self.refuse(self.daemon, 'functiond.db')

    def test_settings_come_from_flag_environment_and_file(self):
        config = self.daemon.directory / 'config'
        config.write_text('# a comment\nsync_seconds = 7\nlanes = 3\n')
        self.daemon.settings['config'] = config
        self.daemon.start()
        self.assertEqual(self.daemon.stop(), 0)
        config.write_text('sync_second = 7\n')
        self.refuse(self.daemon, 'sync_second')

    def test_a_bad_value_in_the_environment_is_named(self):
        self.daemon.environment['FUNCTIOND_LANES'] = 'many'
        self.refuse(self.daemon, 'lanes')

    @harness.unittest.skipUnless(harness.is_root() and harness.has_account(), 'needs root and the account functiond')
    def test_a_directory_that_cannot_be_written_is_named(self):
        daemon = harness.Daemon(user=harness.ACCOUNT)
        self.addCleanup(daemon.release)
        os.chown(daemon.directory, 0, 0)
        self.refuse(daemon, str(daemon.data), 'ermission denied')

    @harness.unittest.skipUnless(harness.is_root(), 'needs root')
    def test_root_without_the_account_is_told_what_to_do(self):
        self.daemon.settings['user'] = 'no-such-account'
        self.refuse(self.daemon, 'no-such-account')

    @harness.unittest.skipUnless(harness.is_root(), 'needs root')
    def test_the_api_never_runs_as_root_or_nobody(self):
        for name in ('root', 'nobody'):
            self.daemon.settings['user'] = name
            self.refuse(self.daemon, name)


if __name__ == '__main__':
    harness.main()
