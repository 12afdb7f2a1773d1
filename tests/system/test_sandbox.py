#!/usr/bin/python3
"""What a function can see and do, told by a function itself: as root in each profile, and as an ordinary user."""
import json
import os
import re
import harness

PROBE = harness.python('''
def attempt(work):
    try:
        return work() or 'done'
    except BaseException as problem:
        return 'refused: ' + type(problem).__name__ + ' ' + str(problem)[:120]

def read(path):
    with open(path, 'rb') as file:
        return 'read %d' % len(file.read(64))

def listed(path):
    return 'listed %d' % len(os.listdir(path))

def write(path):
    with open(path, 'w') as file:
        file.write('x')

def connect(port):
    with socket.create_connection(('127.0.0.1', port), 3):
        return 'connected'

def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

asked = json.loads(context.req.body_text)
here = os.path.dirname(os.path.abspath(__file__))
seen = {'environment': dict(os.environ), 'uid': os.getuid(), 'groups': os.getgroups(), 'here': here,
        'descriptors': sorted(int(fd) for fd in range(256) if attempt(lambda: os.fstat(fd) and 'open') == 'open')}
seen['read'] = {path: attempt(lambda: read(path)) for path in asked['read']}
seen['list'] = {path: attempt(lambda: listed(path)) for path in asked['list']}
seen['kill'] = {str(pid): attempt(lambda: os.kill(pid, 0)) for pid in asked['kill']}
seen['write'] = {path: attempt(lambda: write(path)) for path in asked['write'] + [here + '/new', here + '/main.py']}
with tempfile.NamedTemporaryFile() as file:
    seen['tmp'] = 'works' if file.write(b'x') == 1 else 'no'
seen['connect'] = attempt(lambda: connect(asked['port']))
seen['calls'] = {
    'unshare user': attempt(lambda: call('unshare', 0x10000000)), 'unshare mount': attempt(lambda: call('unshare', 0x20000)),
    'mount': attempt(lambda: call('mount', b'none', b'/tmp', b'tmpfs', 0, None)),
    'ptrace': attempt(lambda: call('ptrace', 16, os.getppid(), 0, 0)), 'setuid': attempt(lambda: call('setuid', 0)),
    'chroot': attempt(lambda: call('chroot', b'/tmp')), 'bpf': attempt(lambda: call('syscall', 321, 0, 0, 0)),
    'io_uring': attempt(lambda: call('syscall', 425, 8, 0)), 'keyctl': attempt(lambda: call('syscall', 250, 0, 0)),
    'reboot': attempt(lambda: call('reboot', 0)), 'raw socket': attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and None),
    'audit netlink': attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9) and None),
}
seen['threads'] = attempt(lambda: [thread.start() or thread.join() for thread in [threading.Thread(target=int)]] and 'works')
seen['program'] = attempt(lambda: subprocess.run(['/bin/sh', '-c', 'echo works'], capture_output=True, text=True).stdout.strip())
return context.res.json(seen)''',
    'import ctypes\nimport json\nimport os\nimport socket\nimport subprocess\nimport tempfile\nimport threading')


class Truths:
    """Mixed into a Case per profile."""
    profile = None

    @classmethod
    def setUpClass(cls):
        if cls.user and not (harness.is_root() and harness.has_account(cls.user)):
            raise harness.unittest.SkipTest('needs root and the account functiond')
        probe = harness.Daemon(user=cls.user, **cls.settings)
        done = probe.run('check', settings=cls.settings)
        probe.release()
        if done.returncode != 0 or (cls.profile and f'sandbox {cls.profile};' not in done.stdout):
            raise harness.unittest.SkipTest(f'this host has no profile {cls.profile}: {done.stdout.splitlines()[:2]}')
        super().setUpClass()
        api = cls.api
        api.function('other', harness.PYTHON)
        cls.other = api.deploy('other', harness.python("return context.res.text('other')"))['$id']
        api.execute('other')
        api.function('probe', harness.PYTHON, timeout=20)
        api.post('/functions/probe/variables', {'variableId': 'own', 'key': 'OWN', 'value': 'mine'})
        api.post('/functions/other/variables', {'variableId': 'secret', 'key': 'OTHER_SECRET', 'value': 'hidden-value'})
        cls.own = api.deploy('probe', PROBE)['$id']
        with harness.socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen()
            data = str(cls.daemon.data)
            tree = harness.descendants(cls.daemon.process.pid) | {cls.daemon.process.pid}
            done = api.execute('probe', json.dumps({
                'read': [data + '/functiond.db', data + '/secret', data + '/first-key', '/etc/shadow', '/proc/1/environ',
                         f'/proc/{cls.daemon.process.pid}/environ', f'{data}/builds/{cls.other}/main.py', harness.pwd.getpwnam('root').pw_dir + '/.profile',
                         str(cls.daemon.log_path), '/dev/mem', '/dev/sda', '/dev/vda', '/etc/resolv.conf',
                         '/etc/ssl/certs/ca-certificates.crt', '/dev/urandom', '/usr/bin/env'],
                'list': [data, data + '/packages', data + '/uploads', data + '/run', harness.pwd.getpwnam('root').pw_dir, '/home', '/tmp',
                         f'{data}/builds/{cls.other}'],
                'write': ['/etc/new', '/usr/new', data + '/new', '/dev/new'],
                'kill': sorted(tree), 'port': listener.getsockname()[1]}))
        if done['status'] != 'completed':
            raise AssertionError(done['errors'])
        cls.seen = json.loads(done['responseBody'])

    def refusals(self, group, names=None):
        return {name: result for name, result in self.seen[group].items()
                if (names is None or name in names) and not result.startswith('refused')}

    def test_files_of_the_server_and_the_host_cannot_be_read(self):
        harmless = ('/etc/resolv.conf', '/etc/ssl/certs/ca-certificates.crt', '/dev/urandom', '/usr/bin/env')
        # in a namespace of its own, pid 1 is the function's own init
        allowed = harmless + (('/proc/1/environ',) if self.profile == 'full' else ())
        secret = [name for name in self.seen['read'] if name not in allowed]
        self.assertEqual(self.refusals('read', secret), {})
        for name in harmless:
            if os.path.exists(name):
                self.assertRegex(self.seen['read'][name], '^read', name)

    def test_directories_of_the_server_and_the_host_cannot_be_listed(self):
        names = [name for name in self.seen['list'] if name not in ('/tmp', '/home')]
        self.assertEqual(self.refusals('list', names), {})

    def test_nothing_outside_tmp_can_be_written(self):
        self.assertEqual(self.refusals('write'), {})
        self.assertEqual(self.seen['tmp'], 'works')

    def test_processes_of_the_server_cannot_be_signalled(self):
        """In a pid namespace the numbers are the function's own; then no process of ours is among them."""
        if self.profile == 'full':
            return
        server = {str(self.daemon.process.pid)} | {str(pid) for pid, name in self.daemon.children().items()
                                                   if name == 'functiond-api'}
        self.assertEqual(self.refusals('kill', server), {})

    def test_privileged_calls_are_refused(self):
        self.assertEqual(self.refusals('calls'), {})

    def test_the_environment_is_the_functions_own(self):
        environment = self.seen['environment']
        self.assertEqual(environment['OWN'], 'mine')
        self.assertEqual(environment['APPWRITE_FUNCTION_ID'], 'probe')
        text = json.dumps(environment)
        self.assertNotIn('hidden-value', text)
        self.assertEqual([name for name in environment if name.startswith('FUNCTIOND_')], [])
        self.assertNotIn('standard_', text)

    def test_no_descriptor_of_the_server_is_left_open(self):
        self.assertEqual([fd for fd in self.seen['descriptors'] if fd > 12], [])

    def test_it_runs_under_an_account_without_rights(self):
        if not self.user:
            self.assertNotEqual(self.seen["uid"], 0)
        self.assertEqual([group for group in self.seen['groups'] if group == 0], [])

    def test_threads_and_programs_work(self):
        self.assertEqual((self.seen['threads'], self.seen['program']), ('works', 'works'))

    def test_the_profile_is_reported(self):
        log = self.daemon.log_path.read_text()
        found = re.search(r'sandbox (full|container|basic|none)', log)
        self.assertEqual(found and found.group(1), self.profile or found.group(1))


@harness.unittest.skipUnless(harness.is_root(), 'needs root')
class FullAsRoot(Truths, harness.Case):
    profile, settings = 'full', {'sandbox': 'full'}

    def test_other_local_ports_are_shut(self):
        check = self.daemon.run('check', settings=self.settings).stdout
        if not re.search(r'egress filter +on', check):
            self.skipTest('no egress filter on this host: ' + re.search(r'egress filter.*', check).group(0))
        self.assertRegex(self.seen['connect'], '^refused')


@harness.unittest.skipUnless(harness.is_root(), 'needs root')
class ContainerAsRoot(Truths, harness.Case):
    profile, settings = 'container', {'sandbox': 'container'}


@harness.unittest.skipUnless(harness.is_root(), 'needs root')
class BasicAsRoot(Truths, harness.Case):
    profile, settings = 'basic', {'sandbox': 'basic'}


class FullAsUser(Truths, harness.Case):
    profile, settings = 'full', {'sandbox': 'full'}
    user = harness.ACCOUNT if harness.is_root() else None


class BasicAsUser(Truths, harness.Case):
    profile, settings = 'basic', {'sandbox': 'basic'}
    user = harness.ACCOUNT if harness.is_root() else None


class NoNetwork(harness.Case):
    settings = {'network': 'none'}

    def test_with_network_none_nothing_can_be_reached(self):
        self.api.function('alone', harness.PYTHON)
        self.api.deploy('alone', harness.python('''
try:
    socket.create_connection(('127.0.0.1', int(context.req.body_text)), 3)
    return context.res.text('connected')
except OSError as problem:
    return context.res.text('refused')''', 'import socket'))
        self.assertEqual(self.api.execute('alone', str(self.daemon.port))['responseBody'], 'refused')


if __name__ == '__main__':
    harness.main()
