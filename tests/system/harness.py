"""What the system tests share: a daemon on a free port with a data directory of its own, requests to it, packages, and
waiting for a state that can be seen from outside. Standard library only. Not a test itself.

The program under test is $FUNCTIOND, else build/release/functiond. A test file ends with harness.main(); it exits 77 if
everything in it was skipped.
"""
import gzip
import http.client
import io
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.parse

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get('FUNCTIOND', str(REPOSITORY / 'build/release/functiond'))
ACCOUNT = 'functiond'           # the ordinary user of tests, and what the api drops to
WAIT_SECONDS = 90               # generous: a sanitized build on a busy machine
NODE, PYTHON = 'node-22', 'python-3.11'


def is_root():
    return os.geteuid() == 0


def has_account(name=ACCOUNT):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for(see, what, seconds=WAIT_SECONDS, pause=0.02):
    """Calls see() until it returns something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        seen = see()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f'after {seconds} s still no {what}')
        time.sleep(pause)


# ---- requests ----------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ', '.join(values) if values else None

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f'<{self.status} {self.body[:600]!r}>'


def send(port, method, target, headers=None, body=None, timeout=WAIT_SECONDS):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        headers = dict(headers or {})
        connection.putrequest(method, target, skip_host='Host' in headers, skip_accept_encoding=True)
        if body is not None and 'Transfer-Encoding' not in headers:
            headers['Content-Length'] = str(len(body))
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                connection.putheader(name, one)
        connection.endheaders()
        if body:
            try:
                connection.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass                                # answered before it had read everything
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def multipart(fields, files, boundary='functiond-test-boundary'):
    """-> content type, body. fields: name -> text; files: name -> (file name, bytes)."""
    out = io.BytesIO()
    for name, value in fields.items():
        out.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, (filename, data) in files.items():
        out.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
                  'Content-Type: application/gzip\r\n\r\n'.encode())
        out.write(data)
        out.write(b'\r\n')
    out.write(f'--{boundary}--\r\n'.encode())
    return f'multipart/form-data; boundary={boundary}', out.getvalue()


class Api:
    """Calls as an SDK makes them. call() checks the status; ask() does not."""

    def __init__(self, port, project='default', **headers):
        self.port, self.project = port, project
        self.headers = {'X-Appwrite-Project': project}
        self.headers.update({name.replace('_', '-'): value for name, value in headers.items()})

    def ask(self, method, path, data=None, headers=None, body=None, timeout=WAIT_SECONDS):
        headers = {**self.headers, **(headers or {})}
        if data is not None:
            headers.setdefault('Content-Type', 'application/json')
            body = json.dumps(data).encode()
        return send(self.port, method, '/v1' + path, headers, body, timeout)

    def call(self, method, path, data=None, expect=None, **more):
        answer = self.ask(method, path, data, **more)
        good = 200 <= answer.status < 300 if expect is None else answer.status == expect
        if not good:
            raise AssertionError(f'{method} {path}: {answer.status} instead of {expect or "2xx"}: {answer.body[:900]!r}')
        return answer.json if answer.body and 'json' in (answer.header('Content-Type') or '') else answer

    def get(self, path, **more):
        return self.call('GET', path, **more)

    def post(self, path, data=None, **more):
        return self.call('POST', path, data if data is not None else {}, **more)

    def list(self, path, *queries, **parameters):
        pairs = [(f'queries[{i}]', json.dumps(query)) for i, query in enumerate(queries)] + list(parameters.items())
        return self.get(path + ('?' + urllib.parse.urlencode(pairs) if pairs else ''))

    # ---- the usual steps

    def function(self, function_id, runtime=NODE, entrypoint=None, **more):
        data = {'functionId': function_id, 'name': function_id, 'runtime': runtime, 'execute': ['any'],
                'entrypoint': entrypoint or ('main.py' if runtime.startswith('python') else 'main.js'), **more}
        return self.post('/functions', data, expect=201)

    def upload(self, function_id, code, activate=True, expect=202, filename='code.tar.gz', headers=None, **fields):
        kind, body = multipart({**fields, 'activate': 'true' if activate else 'false'}, {'code': (filename, code)})
        return self.call('POST', f'/functions/{function_id}/deployments', body=body, expect=expect,
                         headers={'Content-Type': kind, **(headers or {})})

    def upload_part(self, function_id, code, start, end, deployment_id=None, part=None):
        """Bytes start..end (exclusive) of code, as the SDKs send pieces."""
        kind, body = multipart({'activate': 'true'}, {'code': ('code.tar.gz', code[start:end] if part is None else part)})
        headers = {'Content-Type': kind, 'Content-Range': f'bytes {start}-{end - 1}/{len(code)}'}
        if deployment_id:
            headers['X-Appwrite-ID'] = deployment_id
        return self.ask('POST', f'/functions/{function_id}/deployments', body=body, headers=headers)

    def deployment(self, function_id, deployment_id):
        return self.get(f'/functions/{function_id}/deployments/{deployment_id}')

    def built(self, function_id, deployment_id, status='ready'):
        """Waits for the end of the build and checks how it ended."""
        def ended():
            seen = self.deployment(function_id, deployment_id)
            return seen if seen['status'] in ('ready', 'failed', 'canceled') else None
        seen = wait_for(ended, f'end of the build of {function_id}')
        if seen['status'] != status:
            raise AssertionError(f'the build of {function_id} is {seen["status"]}: {seen["buildLogs"]}')
        return seen

    def deploy(self, function_id, files, **more):
        code = files if isinstance(files, bytes) else package(files)
        return self.built(function_id, self.upload(function_id, code, **more)['$id'])

    def execute(self, function_id, body=None, expect=201, headers=None, **more):
        data = dict(more)
        if body is not None:
            data['body'] = body
        return self.call('POST', f'/functions/{function_id}/executions', data, expect=expect, headers=headers)

    def execution(self, function_id, execution_id):
        return self.get(f'/functions/{function_id}/executions/{execution_id}')

    def finished(self, function_id, execution_id, seconds=WAIT_SECONDS):
        def ended():
            seen = self.execution(function_id, execution_id)
            return seen if seen['status'] in ('completed', 'failed') else None
        return wait_for(ended, f'end of execution {execution_id}', seconds)

    def domain(self, function_id, method='GET', target='/', headers=None, body=None, timeout=WAIT_SECONDS):
        return send(self.port, method, target, {'Host': f'{function_id}.functions.localhost', **(headers or {})}, body,
                    timeout)


# ---- packages ----------------------------------------------------------------------------------

def package(files):
    """A tar.gz of files: name -> text or bytes. The same files give the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode='w') as archive:
        for name, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), 6, mtime=0)


def node(code):
    return {'main.js': 'module.exports = async ({ req, res, log, error }) => {\n' + code + '\n};\n'}


def python(code, head=''):
    lines = ''.join('    ' + line + '\n' for line in code.strip('\n').split('\n'))
    return {'main.py': head + '\n\ndef main(context):\n' + lines}


ECHO = node('''
    const body = req.bodyText;
    log('method ' + req.method);
    return res.json({ method: req.method, path: req.path, query: req.query, headers: req.headers, body });''')


# ---- the daemon --------------------------------------------------------------------------------

class Daemon:
    """functiond on a free port. user: the account to run it as (root only); settings: name -> value."""

    def __init__(self, user=None, environment=None, **settings):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix='functiond-test-'))
        self.directory.chmod(0o755)
        self.data, self.log_path = self.directory / 'data', self.directory / 'log'
        self.port, self.user, self.process = free_port(), user, None
        self.environment = {**os.environ, **(environment or {})}
        self.settings = {'log_level': 'debug', 'disk_reserve_mb': 0, **settings}
        self.program = PROGRAM
        if user:
            account = pwd.getpwnam(user)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            self.program = str(self.directory / 'functiond')        # the build tree may be closed to others
            shutil.copy(PROGRAM, self.program)
            os.chmod(self.program, 0o755)

    def command(self, *words, settings=None):
        line = [self.program, *words, '--data', str(self.data)]
        for name, value in (settings or {}).items():
            line += ['--' + name.replace('_', '-'), str(value)]
        return self.as_user(line)

    def as_user(self, line):
        if not self.user:
            return line
        return ['setpriv', f'--reuid={self.user}', f'--regid={self.user}', '--clear-groups', '--', *line]

    def start(self, wait=True, wrapper=()):
        line = [*wrapper, *self.command('serve', '--listen', f'127.0.0.1:{self.port}', settings=self.settings)]
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment, cwd='/')
        if wait:
            self.wait_ready()
        return self

    def answers(self):
        try:
            return send(self.port, 'GET', '/v1/health/version', timeout=10).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f'functiond ended with {self.process.returncode}:\n{self.log_tail()}')
            return self.answers()
        wait_for(ready, 'answer from functiond')

    def stop(self, send_signal=signal.SIGTERM):
        """-> exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(send_signal)
        try:
            status = self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f'functiond did not stop:\n{self.log_tail()}') from None
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        status = self.stop()
        assert status == 0, f'functiond ended with {status}:\n{self.log_tail()}'
        return self.start()

    def release(self):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(20)
                except subprocess.TimeoutExpired:
                    self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f'---- log of functiond\n{self.log_tail()}\n----', file=sys.stderr)
        self.release()

    def log_tail(self, lines=60):
        try:
            return '\n'.join(self.log_path.read_text(errors='replace').splitlines()[-lines:])
        except OSError:
            return ''

    # ---- commands and callers

    def run(self, *words, settings=None, environment=None, timeout=60, data=True):
        """A command of the program beside the daemon -> CompletedProcess with text."""
        line = self.command(*words, settings=settings) if data else self.as_user([self.program, *words])
        return subprocess.run(line, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                              env={**self.environment, **(environment or {})}, cwd='/', check=False)

    def output(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise AssertionError(f'functiond {" ".join(words)}: {done.returncode}: {done.stderr}')
        return done.stdout.rstrip('\n')

    def key(self):
        return (self.data / 'first-key').read_text().strip()

    def api(self, project='default', key=None):
        return Api(self.port, project, X_Appwrite_Key=key or self.key())

    def guest(self, project='default'):
        return Api(self.port, project)

    def user_api(self, token, project='default'):
        return Api(self.port, project, X_Appwrite_JWT=token)

    def children(self):
        """pid -> name of the supervisor's children."""
        return {pid: name for pid, (parent, name) in processes().items() if parent == self.process.pid}


def processes():
    """pid -> (parent, name) of all processes that can be seen; zombies are left out."""
    seen = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            text = pathlib.Path(f'/proc/{entry}/stat').read_text(errors='replace')
        except OSError:
            continue
        name, rest = text[text.index('(') + 1:text.rindex(')')], text[text.rindex(')') + 2:].split()
        if rest[0] != 'Z':
            seen[int(entry)] = (int(rest[1]), name)
    return seen


def descendants(root):
    seen, found = processes(), set()
    grown = True
    while grown:
        grown = False
        for pid, (parent, _) in seen.items():
            if pid not in found and (parent == root or parent in found):
                found.add(pid)
                grown = True
    return found


# ---- tests -------------------------------------------------------------------------------------

class Case(unittest.TestCase):
    """One daemon for all tests of the class; settings and user are the class's own."""
    settings, user = {}, None
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(user=cls.user, **cls.settings)
        cls.addClassCleanup(cls.daemon.release)         # also when the set-up of a test's own class fails
        try:
            cls.daemon.start()
            cls.api = cls.daemon.api()
        except BaseException:
            print(cls.daemon.log_tail(), file=sys.stderr)
            raise

    @classmethod
    def tearDownClass(cls):
        log = cls.daemon.log_path.read_text(errors='replace') if cls.daemon.log_path.exists() else ''
        status = cls.daemon.stop() if cls.daemon.process else 0
        log_end = cls.daemon.log_tail()
        for mark in ('AddressSanitizer', 'runtime error:', 'LeakSanitizer'):
            if mark in log or mark in log_end:
                raise AssertionError(f'a sanitizer complained:\n{log_end}')
        if status != 0:
            raise AssertionError(f'functiond ended with {status}:\n{log_end}')

    def run(self, result=None):
        before = (len(result.failures), len(result.errors))
        super().run(result)
        if (len(result.failures), len(result.errors)) != before and os.environ.get('TESTS_SHOW_LOG', '1') == '1':
            print(f'---- log of functiond after {self.id()}\n{self.daemon.log_tail(40)}\n----', file=sys.stderr)

    def refused(self, answer, status, kind=None):
        """The API's error envelope."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.json['code'], status)
        self.assertTrue(answer.json['message'])
        self.assertTrue(answer.json['version'])
        if kind is not None:
            self.assertEqual(answer.json['type'], kind, answer)
        return answer.json


def in_parallel(work, items):
    """work(item) for each at once -> results in order; the first exception is raised."""
    results, failures = [None] * len(items), []

    def one(index, item):
        try:
            results[index] = work(item)
        except BaseException as problem:                # pylint: disable=broad-except
            failures.append(problem)
    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def main():
    if not os.access(PROGRAM, os.X_OK):
        print(f'skipped: {PROGRAM} is not built')
        sys.exit(77)
    result = unittest.main(module='__main__', exit=False, verbosity=2 if '-v' in sys.argv else 1).result
    for _, why in result.skipped:
        print(f'skipped: {why}')
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun > 0 and len(result.skipped) == result.testsRun else 0)
