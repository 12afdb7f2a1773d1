"""The documents that `functiond docs openapi` prints: validators of npm read the one of every response format, and clients
that a generator makes of them, with no library for this API, do the main job.
"""
import os
import pathlib
import shutil
import subprocess

import harness
import packages

HERE = pathlib.Path(__file__).resolve().parent

# The newest releases that run on Debian 12's Node.js 18.
PACKAGES = {
    '@redocly/openapi-core': '1.34.24',
    '@apidevtools/swagger-parser': '12.1.0',
    '@hey-api/openapi-ts': '0.85.2',
    'typescript': '5.9.3',
}
# '': what is printed without --format.
FORMATS = ['', '2.0.0', '1.9.6', '1.9.5', '1.9.4', '1.9.1', '1.9.0', '1.8.0', '1.7.0', '1.6.0', '1.5.0', '1.4.0', '1.3.0',
           '1.2.0', '1.1.0', '1.0.0', '0.15.0']
# `documents`: all of them are valid. Else a client of this format's, in which what the story looks at has the same names.
ROWS = [
    {'version': 'documents', 'usual': True},
    {'version': 'newest', 'usual': True},
    {'version': '1.6.0'},
    {'version': '1.4.0'},
]
COMPILER = ['--strict', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable',
            '--module', 'commonjs', '--moduleResolution', 'node10']
CODE = {'main.js': """module.exports = async ({ req, res, log }) => {
    log('called');
    return res.text(`${process.env.COLOUR} ${req.bodyText} ${req.headers['x-given']}`, 201);
};
"""}
WORK_SECONDS = 120


def node(words, tools, **told):
    environment = {**os.environ, 'SDK_DIRECTORY': str(tools), **{'SDK_' + name.upper(): str(told[name]) for name in told}}
    done = subprocess.run(['node', *map(str, words)], env=environment, timeout=WORK_SECONDS, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def document(name, directory):
    """-> the file of the document of a format."""
    file = directory / f'{name or "newest"}.json'
    words = [harness.PROGRAM, 'docs', 'openapi', *(['--format', name] if name else [])]
    file.write_bytes(subprocess.run(words, check=True, stdout=subprocess.PIPE, timeout=WORK_SECONDS).stdout)
    return file


def compiled(file, tools, directory):
    """-> where the story is, compiled with the client made of this document."""
    shutil.copy(HERE / 'openapi_story.ts', directory)
    node([HERE / 'openapi.mjs', 'generate', file, directory / 'client'], tools)
    node([tools / 'node_modules/typescript/bin/tsc', *COMPILER, '--outDir', directory / 'out', directory / 'openapi_story.ts'],
         tools)
    return directory / 'out'


def run(row, daemon):
    tools = packages.together('openapi', PACKAGES)
    directory = tools / row['version']
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    if row['version'] == 'documents':
        node([HERE / 'openapi.mjs', 'check', *(document(name, directory) for name in FORMATS)], tools)
        return
    name = '' if row['version'] == 'newest' else row['version']
    out = compiled(document(name, directory), tools, directory)
    archive = directory / 'code.tar.gz'
    archive.write_bytes(harness.package(CODE))
    node([HERE / 'openapi.mjs', 'story', out], tools, endpoint=f'http://127.0.0.1:{daemon.port}/v1', key=daemon.key(),
         format=name, archive=archive, function=f'story-{row["version"]}')
