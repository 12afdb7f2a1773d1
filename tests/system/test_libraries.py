#!/usr/bin/python3
"""Libraries that are loaded when they are first needed, where they are needed, and what is said when one is missing."""
import pathlib
import re
import subprocess
import harness


def libraries(pid):
    """-> 'libm', 'libcurl', ..."""
    return set(re.findall(r'/(lib[^/\n]+?)\.so', pathlib.Path(f'/proc/{pid}/maps').read_text()))


def without(library):
    """-> words in front of a command, which then finds an empty file in place of the library."""
    known = subprocess.run(['/sbin/ldconfig', '-p'], capture_output=True, text=True, check=True).stdout
    path = next(line.split('=> ')[1] for line in known.splitlines() if line.strip().startswith(f'{library} '))
    return ['unshare', '--mount', 'sh', '-c', 'mount --bind /dev/null "$0" && exec "$@"', path]


def ask_for_template(api, name):
    api.function(name)
    return api.post(f'/functions/{name}/deployments/template', {
        'owner': 'acme', 'repository': 'shop', 'rootDirectory': 'x', 'type': 'branch', 'reference': 'main'},
                    expect=202)['$id']


class Libraries(harness.Case):
    @classmethod
    def setUpClass(cls):
        if not harness.is_root():
            raise harness.unittest.SkipTest('the maps of the api are for root alone')
        cls.settings = {'template_url': f'http://127.0.0.1:{harness.free_port()}/{{owner}}/{{repository}}',
                        'fetch_private': 'true'}
        super().setUpClass()

    def test_what_fetches_and_what_unpacks_is_only_where_it_is_needed(self):
        supervisor = self.daemon.process.pid
        api = next(pid for pid, name in self.daemon.children().items() if name.startswith('functiond-api'))
        self.assertIn('libmicrohttpd', libraries(api))
        self.api.function('packed')
        self.api.deploy('packed', harness.node('return res.text("here");'))
        self.assertEqual(self.api.execute('packed')['responseBody'], 'here')
        for pid in (supervisor, api):
            self.assertEqual(libraries(pid) & {'libcurl', 'libssl', 'libarchive', 'libxml2'}, set())
        self.api.built('fetched', ask_for_template(self.api, 'fetched'), 'failed')
        self.assertIn('libcurl', libraries(api))
        self.assertNotIn('libcurl', libraries(supervisor))


class Missing(harness.unittest.TestCase):
    def setUp(self):
        if not harness.is_root():
            self.skipTest('only root hides a library')
        self.daemon = harness.Daemon(fetch_private='true')
        self.addCleanup(self.daemon.release)

    def test_without_libcurl_everything_works_but_fetching(self):
        hidden = without('libcurl.so.4')
        sentence = 'Nothing can be fetched without libcurl (package libcurl4 on Debian): '
        done = subprocess.run([*hidden, *self.daemon.command('check')], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f'fetching   {sentence}', done.stdout)

        self.daemon.start(wrapper=hidden)
        api = self.daemon.api()
        refused = api.ask('GET', '/health/certificate?domain=localhost')
        self.assertEqual((refused.status, refused.json['type']), (403, 'general_service_disabled'), refused)
        self.assertIn(sentence, refused.json['message'])
        self.assertIn(sentence, api.built('fetched', ask_for_template(api, 'fetched'), 'failed')['buildLogs'])
        api.function('packed')
        api.deploy('packed', harness.node('return res.text("here");'))
        self.assertEqual(api.execute('packed')['responseBody'], 'here')

    def test_without_libarchive_a_deployment_says_so(self):
        self.daemon.start(wrapper=without('libarchive.so.13'))
        api = self.daemon.api()
        api.function('packed')
        uploaded = api.upload('packed', harness.package(harness.node('return res.empty();')))
        deployed = api.built('packed', uploaded['$id'], 'failed')
        self.assertIn('Packages need libarchive (package libarchive13 on Debian): ', deployed['buildLogs'])


if __name__ == '__main__':
    harness.main()
