#!/usr/bin/python3
"""The first start on an empty directory: what it makes, who may read it, and the key it prints once."""
import os
import stat
import harness


class FirstStart(harness.Case):
    def mode(self, name):
        return stat.S_IMODE((self.daemon.data / name).stat().st_mode)

    def test_it_makes_the_files_of_a_data_directory(self):
        names = set(os.listdir(self.daemon.data))
        for name in ('functiond.db', 'secret', 'first-key', 'packages', 'builds', 'uploads', 'cache', 'run', 'lock'):
            self.assertIn(name, names)

    def test_only_the_owner_can_read_what_is_secret(self):
        self.assertIn(stat.S_IMODE(self.daemon.data.stat().st_mode), (0o700, 0o711))
        for name in ('functiond.db', 'secret', 'first-key'):
            self.assertEqual(self.mode(name), 0o600, name)
        for name in ('packages', 'uploads', 'run'):
            self.assertEqual(self.mode(name), 0o700, name)
        for name in ('functiond.db-wal', 'functiond.db-shm'):
            if (self.daemon.data / name).exists():
                self.assertEqual(self.mode(name) & 0o077, 0, name)

    def test_the_first_key_is_a_standard_key_with_all_rights(self):
        key = self.daemon.key()
        self.assertRegex(key, r'^standard_[0-9a-f]{256}$')
        self.assertEqual(self.api.list('/functions')['total'], 0)
        self.api.function('made-by-first-key')
        self.api.call('DELETE', '/functions/made-by-first-key', expect=204)

    def test_the_key_is_printed_once(self):
        text = self.daemon.log_path.read_text()
        self.assertEqual(text.count(self.daemon.key()), 1)
        self.daemon.restart()
        self.assertEqual(self.daemon.log_path.read_text().count(self.daemon.key()), 1)

    def test_the_project_is_default(self):
        self.assertIn('default', self.daemon.output('project', 'list'))

    def test_the_start_says_how_functions_are_isolated(self):
        self.assertRegex(self.daemon.log_path.read_text(), r'sandbox (full|container|basic)')


if __name__ == '__main__':
    harness.main()
