#!/usr/bin/python3
"""job.py PORT DATA PROFILE: the main job against a server in a container whose data directory is DATA on this side."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'system'))
import harness                                          # noqa: E402 pylint: disable=wrong-import-position

HIDDEN = harness.python('''
seen = {}
for path in ('/data/functiond.db', '/data/secret', '/data/first-key', '/etc/shadow'):
    try:
        open(path, 'rb').close()
        seen[path] = 'read'
    except OSError as problem:
        seen[path] = 'refused'
return context.res.json(seen)''')


def main():
    port, data, profile = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]

    def ready():
        try:
            return harness.send(port, 'GET', '/v1/health/version').status == 200
        except (OSError, harness.http.client.HTTPException):
            return False
    harness.wait_for(ready, 'answer from the container', 60)
    api = harness.Api(port, X_Appwrite_Key=(data / 'first-key').read_text().strip())
    for name, runtime, code in (('node', harness.NODE, harness.ECHO),
                                ('python', harness.PYTHON, harness.python("return context.res.text(context.req.body_text)"))):
        api.function(name, runtime, commands='echo built')
        ready = api.deploy(name, {**code, 'data': os.urandom(50_000)})
        assert 'built' in ready['buildLogs'], ready
        done = api.execute(name, 'wörld')
        assert done['status'] == 'completed' and 'wörld' in done['responseBody'], done
        made = api.call('POST', f'/functions/{name}/executions', {'async': True}, 202)
        assert api.finished(name, made['$id'])['status'] == 'completed'
        assert harness.Api(port).domain(name, 'POST', body=b'raw').status == 200
    api.function('hidden', harness.PYTHON)
    api.deploy('hidden', HIDDEN)
    seen = json.loads(api.execute('hidden')['responseBody'])
    assert set(seen.values()) == {'refused'}, f'{profile}: {seen}'


if __name__ == '__main__':
    main()
