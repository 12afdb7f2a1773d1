#!/usr/bin/python3
"""Deployments fetched from a git host: one of our own on this machine, plain and with a certificate made here."""
import http.server
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading
import unittest

import harness

TEMPLATE = '/{owner}/{repository}/tar.gz/{full_reference}'
TAGS = '/{owner}/{repository}.git/info/refs?service=git-upload-pack'
HELLO = harness.node("return res.text('hello from ' + require('./word.js'));")


def wrapped(folder, files):
    """As git hosts pack a repository: everything in one folder."""
    return harness.package({f'{folder}/{name}': data for name, data in files.items()})


def repository(word='here'):
    files = {'README.md': 'read me', 'other/main.js': 'no'}
    files.update({f'node/hello/{name}': data for name, data in {**HELLO, 'word.js': f"module.exports = '{word}';"}.items()})
    return wrapped('templates-1.0.1', files)


def listing(*names):
    """As git hosts list what a repository has."""
    lines = ['# service=git-upload-pack\n', None, f'{"0" * 40} HEAD\0multi_ack\n', *(f'{"1" * 40} {name}\n' for name in names), None]
    return b''.join(b'0000' if line is None else b'%04x%s' % (len(line) + 4, line.encode()) for line in lines)


class Host(http.server.ThreadingHTTPServer):
    """Answers by path: bytes, a status, ('redirect', address), or a function of the handler. Remembers requests."""
    daemon_threads = True

    def __init__(self, answers, context=None):
        super().__init__(('127.0.0.1', 0), Handler)
        self.answers, self.requests, self.released = answers, [], threading.Event()
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def asked(self, path):
        return [headers for seen, headers in self.requests if seen == path]

    def handle_error(self, request, client_address):
        pass                                            # a client that goes away is part of the tests

    def end(self):
        self.released.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        answer = self.server.answers.get(self.path, 404)
        if callable(answer):
            answer = answer(self)
        if answer is None:
            return
        if isinstance(answer, tuple):
            self.send_response(302)
            self.send_header('Location', answer[1])
        else:
            self.send_response(200 if isinstance(answer, bytes) else answer)
        body = answer if isinstance(answer, bytes) else b'a page'
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def until_released(handler):
    handler.server.released.wait(60)
    return repository('late')


class Fetching(harness.Case):
    """Methods to deploy with; the class's host."""
    answers = {}

    @classmethod
    def setUpClass(cls):
        cls.host = Host(dict(cls.answers))
        cls.other = Host({'/there': repository('there')})
        cls.answers = cls.host.answers
        base = f'http://127.0.0.1:{cls.host.port}'
        cls.settings = {'template_url': base + TEMPLATE, 'template_tags_url': base + TAGS, 'fetch_private': 'true', 'vcs_provider': 'gitea',
                        'vcs_url': base, 'vcs_token': 'the-secret-token', **cls.settings}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        cls.host.end()
        cls.other.end()
        super().tearDownClass()

    def template(self, name, repo='templates', kind='tag', reference='1.0.1', root='node/hello', expect=202, **more):
        return self.api.call('POST', f'/functions/{name}/deployments/template', {
            'owner': 'acme', 'repository': repo, 'rootDirectory': root, 'type': kind, 'reference': reference,
            'activate': True, **more}, expect=expect)

    def fails(self, name, *texts, **how):
        self.api.function(name)
        failed = self.api.built(name, self.template(name, **how)['$id'], 'failed')
        for text in texts:
            self.assertIn(text, failed['buildLogs'])
        self.assertEqual(self.api.get(f'/functions/{name}')['latestDeploymentStatus'], 'failed')
        return failed


class Templates(Fetching):
    settings = {'package_size': 200_000}

    def test_a_template_is_fetched_built_and_runs(self):
        self.answers['/acme/templates/tar.gz/refs/tags/1.0.1'] = repository()
        self.api.function('hello')
        made = self.template('hello')
        self.assertIn(made['status'], ('waiting', 'processing'))
        self.assertEqual(made['type'], 'vcs')
        ready = self.api.built('hello', made['$id'])
        self.assertIn(f'Fetching the source from 127.0.0.1:{self.host.port}.', ready['buildLogs'])
        self.assertGreater(ready['sourceSize'], 100)
        self.assertEqual(ready['providerRepositoryOwner'], 'acme')
        self.assertEqual(ready['providerRepositoryName'], 'templates')
        self.assertEqual(self.api.execute('hello')['responseBody'], 'hello from here')

    def test_branches_and_commits_have_addresses_of_their_own(self):
        self.answers['/acme/kinds/tar.gz/refs/heads/feature/x%20y'] = repository('branch')
        self.answers['/acme/kinds/tar.gz/0123abc'] = repository('commit')
        self.api.function('kinds')
        for kind, reference in (('branch', 'feature/x y'), ('commit', '0123abc')):
            made = self.template('kinds', 'kinds', kind, reference)
            ready = self.api.built('kinds', made['$id'])
            self.assertEqual(self.api.execute('kinds')['responseBody'], f'hello from {kind}')
        self.assertEqual(ready['providerCommitHash'], '0123abc')

    def test_older_clients_name_a_version(self):
        self.answers['/acme/old/tar.gz/refs/tags/0.3.1'] = repository('old')
        self.api.function('old')
        made = self.api.call('POST', '/functions/old/deployments/template', {
            'owner': 'acme', 'repository': 'old', 'rootDirectory': './node/hello/', 'version': '0.3.1', 'activate': True},
            headers={'X-Appwrite-Response-Format': '1.7.0'}, expect=202)
        self.api.built('old', made['$id'])
        self.assertEqual(self.api.execute('old')['responseBody'], 'hello from old')

    def test_a_redeploy_needs_the_host_no_more(self):
        path = '/acme/again/tar.gz/refs/tags/1.0.1'
        self.answers[path] = repository('again')
        self.api.function('again')
        first = self.template('again', 'again')
        self.api.built('again', first['$id'])
        del self.answers[path]
        second = self.api.post('/functions/again/deployments/duplicate', {'deploymentId': first['$id']}, expect=202)
        self.api.built('again', second['$id'])
        self.assertEqual(len(self.host.asked(path)), 1)
        self.assertEqual(self.api.execute('again')['responseBody'], 'hello from again')

    def test_a_redeploy_of_what_never_came_fetches_it(self):
        failed = self.fails('missing', 'knows no such repository or reference (404)', repo='missing')
        self.answers['/acme/missing/tar.gz/refs/tags/1.0.1'] = repository('found')
        again = self.api.post('/functions/missing/deployments/duplicate', {'deploymentId': failed['$id']}, expect=202)
        self.api.built('missing', again['$id'])
        self.assertEqual(self.api.execute('missing')['responseBody'], 'hello from found')

    def test_what_is_no_archive_fails(self):
        self.answers['/acme/page/tar.gz/refs/tags/1.0.1'] = b'<html>hello</html>'
        self.fails('page', 'sent is no archive.', repo='page')

    def test_a_damaged_archive_fails(self):
        self.answers['/acme/damaged/tar.gz/refs/tags/1.0.1'] = repository()[:-60]
        self.fails('damaged', 'truncated', repo='damaged')

    def test_what_is_too_large_fails(self):
        self.answers['/acme/large/tar.gz/refs/tags/1.0.1'] = b'\x1f\x8b' + bytes(300_000)
        self.fails('large', 'is larger than 200000 bytes.', repo='large')

    def test_a_folder_that_is_not_there_fails(self):
        self.answers['/acme/folders/tar.gz/refs/tags/1.0.1'] = repository()
        self.fails('folder', '"node/absent": No source code found', repo='folders', root='node/absent')
        self.fails('leads-out', 'leads out of the package', repo='folders', root='../..')

    def test_errors_of_the_host_are_told(self):
        for status, text in ((401, 'refuses access (401)'), (429, 'too often (429)'), (500, 'answered 500.')):
            self.answers[f'/acme/e{status}/tar.gz/refs/tags/1.0.1'] = status
            self.fails(f'e{status}', text, repo=f'e{status}')

    def test_redirects_end_somewhere(self):
        path = '/acme/round/tar.gz/refs/tags/1.0.1'
        self.answers[path] = ('redirect', path)
        self.fails('round', 'redirects more than 5 times.', repo='round')
        self.answers['/acme/file/tar.gz/refs/tags/1.0.1'] = ('redirect', 'file:///etc/passwd')
        self.fails('file', 'Only http and https addresses are fetched from.', repo='file')

    def test_a_fetch_can_be_cancelled(self):
        self.answers['/acme/held/tar.gz/refs/tags/1.0.1'] = until_released
        self.api.function('held')
        made = self.template('held', 'held')['$id']
        harness.wait_for(lambda: self.host.asked('/acme/held/tar.gz/refs/tags/1.0.1'), 'request for the archive')
        self.assertEqual(self.api.deployment('held', made)['status'], 'processing')
        answer = self.api.call('PATCH', f'/functions/held/deployments/{made}/status', {}, expect=200)
        self.assertEqual(answer['status'], 'canceled')
        self.host.released.set()
        self.answers['/acme/after/tar.gz/refs/tags/1.0.1'] = repository('after')
        self.api.function('after')
        self.api.built('after', self.template('after', 'after')['$id'])
        self.assertEqual(self.api.deployment('held', made)['status'], 'canceled')

    def test_a_range_of_tags_means_the_highest_there_is_then(self):
        tags, package = '/acme/ranges.git/info/refs?service=git-upload-pack', '/acme/ranges/tar.gz/refs/tags/'
        self.answers[tags] = listing('refs/heads/0.1.77', 'refs/tags/0.1.10', 'refs/tags/0.1.9', 'refs/tags/0.2.0')
        self.answers[package + '0.1.10'] = repository('ten')
        self.api.function('ranges')
        made = self.template('ranges', 'ranges', reference='0.1.*')
        ready = self.api.built('ranges', made['$id'])
        self.assertIn('The highest tag of 0.1.* is 0.1.10.', ready['buildLogs'])
        self.assertTrue(ready['providerBranchUrl'].endswith('/acme/ranges/tree/0.1.10'), ready)
        self.assertEqual(self.api.execute('ranges')['responseBody'], 'hello from ten')

        self.answers[tags] = listing('refs/tags/0.1.10', 'refs/tags/0.1.11')
        self.answers[package + '0.1.11'] = repository('eleven')
        older = self.api.call('POST', '/functions/ranges/deployments/template', {
            'owner': 'acme', 'repository': 'ranges', 'rootDirectory': 'node/hello', 'version': '0.1.*', 'activate': True},
            headers={'X-Appwrite-Response-Format': '1.8.0'}, expect=202)
        self.api.built('ranges', older['$id'])
        self.assertEqual(self.api.execute('ranges')['responseBody'], 'hello from eleven')

    def made_by_template(self, name, form, **more):
        return self.api.post('/functions', {
            'functionId': name, 'name': name, 'runtime': harness.NODE, 'entrypoint': 'main.js', 'execute': ['any'],
            'templateOwner': 'acme', 'templateRepository': 'first', 'templateRootDirectory': 'node/hello', **more},
            expect=201, headers={'X-Appwrite-Response-Format': form})

    def test_older_clients_make_a_function_of_a_template(self):
        self.answers['/acme/first.git/info/refs?service=git-upload-pack'] = listing('refs/tags/0.1.3')
        for reference, word in (('tags/0.1.3', 'tag'), ('heads/main', 'branch')):
            self.answers[f'/acme/first/tar.gz/refs/{reference}'] = repository(word)
        for name, form, more, word in (('by-tag', '1.6.0', {'templateVersion': '0.1.3'}, 'tag'),
                                       ('by-range', '1.6.0', {'templateVersion': '0.1.*'}, 'tag'),
                                       ('by-branch', '1.5.0', {'templateBranch': 'main'}, 'branch')):
            self.made_by_template(name, form, **more)
            only, = self.api.list(f'/functions/{name}/deployments')['deployments']
            self.assertTrue(only['activate'])
            self.api.built(name, only['$id'])
            self.assertEqual(self.api.execute(name)['responseBody'], f'hello from {word}')

    def test_a_template_makes_no_deployment_when_it_is_not_named_or_not_asked_for(self):
        self.made_by_template('unnamed', '1.6.0')
        self.made_by_template('newer', '1.7.0', templateVersion='0.1.3')
        for name in ('unnamed', 'newer'):
            self.assertEqual(self.api.list(f'/functions/{name}/deployments')['total'], 0)

    def test_a_template_that_cannot_be_deployed_makes_no_function(self):
        body = {'functionId': 'half', 'name': 'half', 'runtime': harness.NODE, 'templateOwner': 'acme',
                'templateRepository': 'first', 'templateVersion': '1'}
        older = {'X-Appwrite-Response-Format': '1.6.0'}
        for more, status in (({}, 404), ({'entrypoint': 'main.js', 'templateOwner': '..'}, 400)):
            self.assertEqual(self.api.ask('POST', '/functions', {**body, **more}, headers=older).status, status)
        self.assertEqual(self.api.ask('GET', '/functions/half').status, 404)

    def test_a_range_without_a_tag_or_a_list_fails_with_a_sentence(self):
        self.answers['/acme/no-match.git/info/refs?service=git-upload-pack'] = listing('refs/tags/1.0.0')
        self.answers['/acme/page.git/info/refs?service=git-upload-pack'] = b'<!doctype html>'
        self.answers['/acme/empty.git/info/refs?service=git-upload-pack'] = b''
        self.fails('no-match', 'No tag of the repository is in the range 0.*.', repo='no-match', reference='0.*')
        for name in ('page', 'empty'):
            self.fails(f'tags-{name}', f'What 127.0.0.1:{self.host.port} sent is no list of tags', repo=name, reference='0.*')
        self.fails('no-repository', 'knows no such repository', repo='nowhere', reference='*')

    def test_names_that_cannot_be_part_of_an_address_are_refused(self):
        self.api.function('names')
        for more in ({'repository': ''}, {'owner': '..'}, {'reference': '../../x'}, {'reference': '../*'}):
            body = {'owner': 'a', 'repository': 'r', 'rootDirectory': '', 'type': 'tag', 'reference': '1', **more}
            self.refused(self.api.ask('POST', '/functions/names/deployments/template', body), 400,
                         'general_argument_invalid')


class Connected(Fetching):
    def connect(self, name, **more):
        self.api.function(name, installationId='gitea', providerRepositoryId='acme/shop', providerBranch='main',
                          providerRootDirectory='node/hello', **more)

    def vcs(self, name, kind='branch', reference='main', **more):
        return self.api.post(f'/functions/{name}/deployments/vcs', {'type': kind, 'reference': reference, **more},
                             expect=202)

    def test_older_clients_deploy_the_branch_along_with_the_function(self):
        self.answers['/api/v1/repos/acme/shop/archive/stable.tar.gz'] = repository('stable')
        self.api.post('/functions', {
            'functionId': 'at-once', 'name': 'n', 'runtime': harness.NODE, 'entrypoint': 'main.js', 'installationId': 'gitea',
            'providerRepositoryId': 'acme/shop', 'providerBranch': 'stable', 'providerRootDirectory': 'node/hello'},
            expect=201, headers={'X-Appwrite-Response-Format': '1.4.0'})
        only, = self.api.list('/functions/at-once/deployments')['deployments']
        self.assertEqual(self.api.built('at-once', only['$id'])['providerBranch'], 'stable')
        self.assertEqual(self.api.execute('at-once')['responseBody'], 'hello from stable')

    def test_a_branch_of_the_connected_repository_is_deployed(self):
        path = '/api/v1/repos/acme/shop/archive/main.tar.gz'
        self.answers[path] = ('redirect', f'http://127.0.0.1:{self.other.port}/there')
        self.connect('shop')
        ready = self.api.built('shop', self.vcs('shop', activate=True)['$id'])
        self.assertEqual(self.api.execute('shop')['responseBody'], 'hello from there')
        self.assertEqual(ready['providerBranch'], 'main')
        self.assertTrue(ready['providerBranchUrl'].endswith('/acme/shop/src/branch/main'))
        self.assertEqual(self.host.asked(path)[0]['Authorization'], 'token the-secret-token')
        self.assertNotIn('Authorization', self.other.asked('/there')[0])    # not where it leads

    def test_without_activate_it_waits_to_be_made_active(self):
        self.answers['/api/v1/repos/acme/shop/archive/0123abc.tar.gz'] = repository('commit')
        self.connect('waits')
        made = self.vcs('waits', 'commit', '0123abc')
        self.api.built('waits', made['$id'])
        self.assertEqual(self.api.get('/functions/waits')['deploymentId'], '')

    def test_a_function_without_a_connection_is_told(self):
        self.api.function('alone')
        self.refused(self.api.ask('POST', '/functions/alone/deployments/vcs', {'type': 'branch', 'reference': 'main'}),
                     404, 'installation_not_found')
        body = {'functionId': 'x', 'name': 'x', 'runtime': harness.NODE}
        self.refused(self.api.ask('POST', '/functions', {**body, 'installationId': 'github'}), 404,
                     'installation_not_found')
        self.refused(self.api.ask('POST', '/functions', {**body, 'installationId': 'gitea',
                                                         'providerRepositoryId': 'a/b'}), 400)


class Slow(Fetching):
    settings = {'fetch_seconds': 1}

    def test_a_slow_host_fails_the_deployment_and_holds_up_nobody(self):
        for number in range(4):                         # more than there are threads for it, or for requests
            self.answers[f'/acme/slow{number}/tar.gz/refs/tags/1.0.1'] = until_released
            self.api.function(f'slow{number}')
        made = [self.template(f'slow{number}', f'slow{number}')['$id'] for number in range(4)]
        self.assertEqual(self.api.list('/functions')['total'], 4)
        for number in range(4):
            failed = self.api.built(f'slow{number}', made[number], 'failed')
            self.assertIn('took too long to answer.', failed['buildLogs'])


class Private(Fetching):
    settings = {'fetch_private': 'false'}

    def test_a_private_address_is_not_connected_to(self):
        self.fails('private', 'has a private or reserved address')
        self.assertEqual(self.host.requests, [])


class Restarts(Fetching):
    def held(self):
        return len(self.host.asked('/acme/held/tar.gz/refs/tags/1.0.1'))

    def test_a_fetch_that_a_restart_interrupts_is_begun_again_once(self):
        self.answers['/acme/held/tar.gz/refs/tags/1.0.1'] = until_released
        for name in ('kept', 'given-up'):
            self.api.function(name)
        kept, lost = (self.template(name, 'held')['$id'] for name in ('kept', 'given-up'))
        harness.wait_for(lambda: self.held() == 2, 'both requests')
        self.daemon.kill()                              # as a crash
        self.daemon.start()
        harness.wait_for(lambda: self.held() == 4, 'both requests again')
        self.api.call('PATCH', f'/functions/kept/deployments/{kept}/status', {}, expect=200)
        kept = self.api.post('/functions/kept/deployments/duplicate', {'deploymentId': kept}, expect=202)['$id']
        harness.wait_for(lambda: self.held() == 5, 'the request of the new one')
        self.daemon.restart()
        failed = self.api.built('given-up', lost, 'failed')
        self.assertIn('interrupted twice by a restart', failed['buildLogs'])
        self.host.released.set()
        self.api.built('kept', kept)
        self.assertEqual(self.api.execute('kept')['responseBody'], 'hello from late')


class Certificates(harness.Case):
    @classmethod
    def setUpClass(cls):
        if not shutil.which('openssl'):
            raise unittest.SkipTest('openssl is not installed')
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix='functiond-test-'))
        cls.directory.chmod(0o755)
        cls.trusted, cls.foreign = cls.host_of('trusted'), cls.host_of('foreign')
        cls.settings = {'template_url': 'https://127.0.0.1:{reference}/{owner}/{repository}', 'fetch_private': 'true',
                        'fetch_ca_file': cls.directory / 'trusted.pem'}
        super().setUpClass()

    @classmethod
    def host_of(cls, name):
        key, certificate = cls.directory / f'{name}.key', cls.directory / f'{name}.pem'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=git',
                        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
                       check=True, capture_output=True)
        certificate.chmod(0o644)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        plain = Host({'/acme/shop': repository('plain')})
        host = Host({'/acme/shop': repository('tls'),
                     '/acme/down': ('redirect', f'http://127.0.0.1:{plain.port}/acme/shop')}, context)
        cls.addClassCleanup(host.end)
        cls.addClassCleanup(plain.end)
        return host

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.directory, ignore_errors=True)

    def deploy(self, name, host, repo='shop'):
        self.api.function(name)
        return self.api.post(f'/functions/{name}/deployments/template', {
            'owner': 'acme', 'repository': repo, 'rootDirectory': 'node/hello', 'type': 'commit',
            'reference': str(host.port), 'activate': True}, expect=202)['$id']

    def test_a_host_with_a_trusted_certificate_is_fetched_from(self):
        self.api.built('trusted', self.deploy('trusted', self.trusted))
        self.assertEqual(self.api.execute('trusted')['responseBody'], 'hello from tls')

    def test_another_certificate_is_refused(self):
        failed = self.api.built('foreign', self.deploy('foreign', self.foreign), 'failed')
        self.assertIn('has no certificate that is trusted here', failed['buildLogs'])
        self.assertEqual(self.foreign.requests, [])

    def test_a_redirect_never_gives_up_https(self):
        failed = self.api.built('down', self.deploy('down', self.trusted, 'down'), 'failed')
        self.assertIn('would give up https', failed['buildLogs'])


if __name__ == '__main__':
    harness.main()
