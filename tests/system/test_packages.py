#!/usr/bin/python3
"""Packages that must not become deployments: each ends as `failed`, with the reason in the build log."""
import gzip
import io
import os
import tarfile
import zipfile
import harness


def archive(*entries):
    """entries: (name, type, link target or data)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode='w') as out:
        for name, kind, value in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, 0o755
            if kind == tarfile.REGTYPE:
                entry.size = len(value)
                out.addfile(entry, io.BytesIO(value))
            else:
                entry.linkname = value
                entry.devmajor, entry.devminor = 1, 3
                out.addfile(entry)
    return gzip.compress(plain.getvalue())


FILE, LINK, HARD, DEVICE, PIPE = (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
MAIN = ('main.js', FILE, b"module.exports = async ({ res }) => res.text('x');")
BAD = {
    'dot-dot': archive(MAIN, ('../outside', FILE, b'x')),
    'absolute': archive(MAIN, ('/tmp/functiond-outside', FILE, b'x')),
    'link-out': archive(MAIN, ('link', LINK, '/etc'), ('link/outside', FILE, b'x')),
    'hard-link-out': archive(MAIN, ('copy', HARD, '/etc/passwd')),
    'no-gzip': b'this is text and not an archive',
    'broken-gzip': harness.package(harness.ECHO)[:-40],
    'broken-tar': gzip.compress(os.urandom(20_000)),
    'empty': gzip.compress(b''),
    'many-entries': archive(MAIN, *((f'f{i}', FILE, b'') for i in range(600))),
    'too-large': harness.package({'main.js': MAIN[2], 'zeros': bytes(30_000_000)}),
}


class Packages(harness.Case):
    settings = {'package_entries': 500, 'package_unpacked': 20_000_000}

    def test_a_bad_package_fails_with_a_reason(self):
        for kind, code in BAD.items():
            with self.subTest(kind):
                name = 'bad-' + kind
                self.api.function(name)
                made = self.api.upload(name, code)
                failed = self.api.built(name, made['$id'], 'failed')
                self.assertTrue(failed['buildLogs'].strip(), 'a reason')
                self.assertEqual(self.api.get(f'/functions/{name}')['deploymentId'], '')
        self.assertFalse(os.path.exists('/tmp/functiond-outside'))
        self.assertTrue(self.daemon.answers())

    def test_a_device_or_a_pipe_never_reaches_the_tree(self):
        for kind, entry in (('device', ('null', DEVICE, '')), ('pipe', ('pipe', PIPE, ''))):
            with self.subTest(kind):
                name = 'special-' + kind
                self.api.function(name)
                made = self.api.upload(name, archive(MAIN, entry))
                seen = harness.wait_for(lambda: (one := self.api.deployment(name, made['$id']))['status'] in
                                        ('ready', 'failed') and one, 'end of the build')
                if seen['status'] == 'ready':
                    tree = self.daemon.data / 'builds' / made['$id']
                    special = [p for p in tree.rglob('*') if not (p.is_file() or p.is_dir() or p.is_symlink())]
                    self.assertEqual(special, [])

    def test_an_entrypoint_that_is_not_in_the_package_is_said(self):
        name = 'no-entrypoint'
        self.api.function(name, entrypoint='src/missing.js')
        made = self.api.upload(name, archive(MAIN))
        seen = harness.wait_for(lambda: (one := self.api.deployment(name, made['$id']))['status'] in
                                ('ready', 'failed') and one, 'end of the build')
        if seen['status'] == 'failed':
            self.assertIn('missing.js', seen['buildLogs'])
        else:
            done = self.api.execute(name)
            self.assertEqual((done['status'], done['responseStatusCode']), ('failed', 503))
            self.assertIn('missing.js', done['errors'])

    def test_a_zip_in_a_gz_name_is_a_package_too(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as file:
            file.writestr('main.js', "module.exports = async ({ res }) => res.text('from zip');")
        self.api.function('zipped')
        made = self.api.upload('zipped', out.getvalue(), filename='code.zip')
        self.api.built('zipped', made['$id'])
        self.assertEqual(self.api.execute('zipped')['responseBody'], 'from zip')

    def test_a_folder_around_everything_is_no_obstacle_to_relative_links(self):
        code = archive(('src/main.js', FILE, MAIN[2]), ('main.js', LINK, 'src/main.js'))
        self.api.function('linked')
        self.api.built('linked', self.api.upload('linked', code)['$id'])
        self.assertEqual(self.api.execute('linked')['responseBody'], 'x')


if __name__ == '__main__':
    harness.main()
