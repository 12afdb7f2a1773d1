"""One story through one release of appwrite-cli: set up with a key, deploy a folder (push, or deploy in the older ones),
execute, list, pull. It has a home of its own, so that settings of whoever runs it are neither seen nor changed."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import traceback

import harness
import packages

# style: `push` (names with dashes) or `deploy` (camel case, up to 5). config: the file with the project's settings.
# variables: whether push has --with-variables. session: this release wants a session before it looks at console/variables,
# and gets one for its key.
ROWS = [
    {'version': '12.0.1', 'style': 'push', 'config': 'appwrite.config.json', 'variables': True, 'session': True, 'usual': True},
    {'version': '10.2.1', 'style': 'push', 'config': 'appwrite.config.json', 'variables': True, 'session': True},
    {'version': '8.3.0', 'style': 'push', 'config': 'appwrite.config.json', 'variables': True, 'session': True},
    {'version': '6.2.3', 'style': 'push', 'config': 'appwrite.json', 'variables': False},
    {'version': '5.0.5', 'style': 'deploy', 'config': 'appwrite.json', 'variables': False},
]
COMMAND_SECONDS = 100


class Cli:
    def __init__(self, row, daemon, directory):
        self.row, self.home, self.project = row, directory / 'home', directory / 'project'
        self.project.mkdir()
        self.home.mkdir()
        installed = packages.installed('appwrite-cli', row['version'])
        self.program = installed / 'node_modules/.bin/appwrite'
        self.endpoint, self.key = f'http://127.0.0.1:{daemon.port}/v1', daemon.key()
        self.dashes = row['style'] == 'push'

    def name(self, words):
        """functions create-execution, --function-id: as this release spells it."""
        if self.dashes:
            return words
        head, *tail = words.split('-') if not words.startswith('--') else (words[2:].split('-'))
        return ('--' if words.startswith('--') else '') + head + ''.join(word.capitalize() for word in tail)

    def run(self, *words, check=True):
        line = [str(self.program)] + [self.name(word) if word.startswith('--') else word for word in words]
        environment = {**os.environ, 'HOME': str(self.home), 'CI': '1', 'NO_COLOR': '1'}
        done = subprocess.run(line, cwd=self.project, env=environment, stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS)
        if check:
            assert done.returncode == 0, f'{" ".join(words)}: {done.returncode}: {done.stdout}'
        return done.stdout

    def preferences(self):
        return (self.home / '.appwrite/prefs.json').read_text()

    def functions(self, method, *words):
        text = self.run('--json', 'functions', self.name(method), *words)
        assert '{' in text, text
        return json.JSONDecoder().raw_decode(text[text.index('{'):])[0]     # some say how well it went after it


def write_project(cli, function_id):
    folder = cli.project / 'functions/greet'
    (folder / 'src').mkdir(parents=True)
    for name, text in harness.node("log('run'); return res.json({ body: req.bodyText, word: process.env.WORD ?? '' });").items():
        (folder / 'src' / name).write_text(text)
    (folder / '.gitignore').write_text('secret.txt\n')
    (folder / 'secret.txt').write_text('not for upload')
    (folder / '.env').write_text('WORD=from-env\n')
    function = {'$id': function_id, 'name': 'greet', 'runtime': harness.NODE, 'execute': ['any'], 'events': [], 'schedule': '',
                'timeout': 15, 'enabled': True, 'logging': True, 'entrypoint': 'src/main.js', 'commands': 'echo built',
                'ignore': ['secret.txt'], 'path': 'functions/greet'}
    if cli.dashes:
        function |= {'scopes': ['users.read'], 'specification': 's-0.5vcpu-512mb'}
    else:
        function |= {'variables': {'WORD': 'from-env'}}
    settings = cli.project / cli.row['config']
    config = json.loads(settings.read_text()) if settings.exists() else {}
    settings.write_text(json.dumps({'projectId': 'default', **config, 'functions': [function]}))


def deploy(cli, function_id):
    """-> what it said. Its exit status says nothing."""
    if not cli.dashes:
        return cli.run('deploy', 'function', '--function-id', function_id, '--yes')
    more = ['--with-variables'] if cli.row['variables'] else []
    return cli.run('push', 'functions', '--function-id', function_id, '--force', *more)


def story(cli, api, function_id):
    cli.run('client', '--endpoint', cli.endpoint, '--project-id', 'default', '--key', cli.key)
    write_project(cli, function_id)
    text = deploy(cli, function_id)
    assert ('a_session_console=' in cli.preferences()) == bool(cli.row.get('session')), text
    if cli.row.get('session'):
        rules = [rule for rule in api.list('/proxy/rules')['rules'] if rule['deploymentResourceId'] == function_id]
        assert len(rules) == 2, f'{rules} {text}'                           # the function's own, and the client's
    deployments = cli.functions('list-deployments', '--function-id', function_id)
    assert deployments['total'] == 1, text
    deployment = api.built(function_id, deployments['deployments'][0]['$id'])
    assert deployment['type'] == 'cli', deployment
    assert api.get(f'/functions/{function_id}')['deploymentId'] == deployment['$id'], text
    word = 'from-env' if cli.row['variables'] or not cli.dashes else ''

    made = cli.functions('create-execution', '--function-id', function_id, '--body', 'grüße', '--async', 'false',
                         '--method', 'POST', '--xpath', '/a')
    assert json.loads(made['responseBody']) == {'body': 'grüße', 'word': word}, made
    assert cli.functions('get', '--function-id', function_id)['name'] == 'greet'
    assert any(one['$id'] == function_id for one in cli.functions('list')['functions'])
    assert cli.functions('list-executions', '--function-id', function_id)['total'] == 1
    cli.functions('list-runtimes')
    variables = cli.functions('list-variables', '--function-id', function_id)
    assert variables['total'] == (1 if word else 0), variables

    again = deploy(cli, function_id)
    assert cli.functions('list-deployments', '--function-id', function_id)['total'] == 2, again
    if cli.dashes:
        assert '.functions.localhost' in text, text         # the domain it tells its user
    if cli.dashes:
        pull(cli)
    cli.run('functions', 'delete', '--function-id', function_id)
    assert api.ask('GET', f'/functions/{function_id}').status == 404


def pull(cli):
    shutil.rmtree(cli.project / 'functions')
    text = cli.run('pull', 'functions', '--all', '--force')
    found = {str(path.relative_to(cli.project)) for path in (cli.project / 'functions').rglob('*') if path.is_file()}
    assert 'functions/greet/src/main.js' in found, f'{found}\n{text}'
    assert 'functions/greet/secret.txt' not in found, found


def run(row, daemon):
    directory = pathlib.Path(tempfile.mkdtemp(prefix='functiond-cli-'))
    try:
        story(Cli(row, daemon, directory), daemon.api(), 'cli-' + row['version'].replace('.', '-'))
        return None
    except AssertionError as problem:
        where = traceback.extract_tb(problem.__traceback__)[-1]
        return f'{where.line} (line {where.lineno}): {problem}'
    finally:
        shutil.rmtree(directory, ignore_errors=True)
