#!/usr/bin/python3
"""The main job, for node and for python: create, variables, deploy, execute both ways, list, download, delete."""
import os
import harness

BODIES = {
    harness.NODE: harness.node('''
        log('hello ' + req.bodyText);
        error('a warning');
        return res.json({ greeting: process.env.GREETING + ' ' + req.bodyText, path: req.path,
                          header: req.headers['x-colour'] ?? null, method: req.method });'''),
    harness.PYTHON: harness.python('''
import os
context.log('hello ' + context.req.body_text)
context.error('a warning')
return context.res.json({'greeting': os.environ['GREETING'] + ' ' + context.req.body_text, 'path': context.req.path,
                         'header': context.req.headers.get('x-colour'), 'method': context.req.method})'''),
}


class MainJob(harness.Case):
    def story(self, runtime):
        api, name = self.api, 'job-' + runtime.split('-')[0]
        made = api.function(name, runtime, timeout=20, commands='echo built-$((40+2))')
        self.assertEqual((made['$id'], made['runtime'], made['deploymentId']), (name, runtime, ''))
        variable = api.post(f'/functions/{name}/variables',
                            {'variableId': 'unique()', 'key': 'GREETING', 'value': 'hi', 'secret': False}, expect=201)
        self.assertEqual(variable['value'], 'hi')

        code = harness.package({**BODIES[runtime], 'data.bin': os.urandom(100_000)})
        deployment = api.upload(name, code)
        self.assertIn(deployment['status'], ('waiting', 'processing', 'building', 'ready'))
        ready = api.built(name, deployment['$id'])
        self.assertIn('built-42', ready['buildLogs'])
        self.assertEqual(ready['sourceSize'], len(code))
        self.assertGreater(ready['buildSize'], 0)
        self.assertEqual(api.get(f'/functions/{name}')['deploymentId'], deployment['$id'])

        done = api.execute(name, 'wörld', path='/a/b?c=d', method='PUT', headers={})
        self.assertEqual((done['status'], done['responseStatusCode']), ('completed', 200), done)
        self.assertEqual(harness.json.loads(done['responseBody']),
                         {'greeting': 'hi wörld', 'path': '/a/b', 'header': None, 'method': 'PUT'})
        self.assertIn('hello wörld', done['logs'])
        self.assertIn('a warning', done['errors'])
        self.assertGreater(done['duration'], 0)

        background = api.call('POST', f'/functions/{name}/executions',
                              {'body': 'later', 'async': True, 'headers': {'x-colour': 'red'}}, expect=202)
        self.assertEqual((background['status'], background['responseBody']), ('waiting', ''))
        ended = api.finished(name, background['$id'])
        self.assertEqual(ended['status'], 'completed', ended)
        self.assertIn('hello later', ended['logs'])
        self.assertEqual(ended['responseBody'], '')

        self.lists(name)
        source = api.ask('GET', f'/functions/{name}/deployments/{deployment["$id"]}/download')
        self.assertEqual(source.status, 200)
        self.assertEqual(source.body, code, 'the source comes back byte for byte')
        output = api.ask('GET', f'/functions/{name}/deployments/{deployment["$id"]}/download?type=output')
        self.assertEqual(output.status, 200)
        self.assertEqual(output.body[:2], b'\x1f\x8b')

        api.call('DELETE', f'/functions/{name}/executions/{done["$id"]}', expect=204)
        self.refused(api.ask('GET', f'/functions/{name}/executions/{done["$id"]}'), 404, 'execution_not_found')
        api.call('DELETE', f'/functions/{name}/deployments/{deployment["$id"]}', expect=204)
        self.refused(api.ask('POST', f'/functions/{name}/executions', {}), 404, 'deployment_not_found')
        api.call('DELETE', f'/functions/{name}', expect=204)
        self.refused(api.ask('GET', f'/functions/{name}'), 404, 'function_not_found')

    def lists(self, name):
        api = self.api
        self.assertEqual(api.list('/functions', {'method': 'equal', 'attribute': 'name', 'values': [name]})['total'], 1)
        self.assertEqual(api.list('/functions', {'method': 'equal', 'attribute': 'name', 'values': ['none']})['total'], 0)
        found = api.list('/functions', {'method': 'limit', 'values': [100]}, search=name)
        self.assertIn(name, [one['$id'] for one in found['functions']])
        self.assertEqual(api.list('/functions', search='nothingofthatname')['total'], 0)
        executions = api.list(f'/functions/{name}/executions', {'method': 'orderDesc', 'attribute': '$createdAt'})
        self.assertEqual(executions['total'], 2)
        self.assertEqual([one['requestMethod'] for one in executions['executions']], ['POST', 'PUT'])
        first, second = (one['$id'] for one in executions['executions'])
        after = api.list(f'/functions/{name}/executions', {'method': 'orderDesc', 'attribute': '$createdAt'},
                         {'method': 'cursorAfter', 'values': [first]}, {'method': 'limit', 'values': [5]})
        self.assertEqual([one['$id'] for one in after['executions']], [second])
        put = api.list(f'/functions/{name}/executions',
                       {'method': 'equal', 'attribute': 'requestMethod', 'values': ['PUT']})
        self.assertEqual(put['total'], 1)
        self.assertEqual(api.list(f'/functions/{name}/deployments')['total'], 1)
        self.assertEqual(api.list(f'/functions/{name}/variables')['total'], 1)
        bad = api.ask('GET', f'/functions/{name}/executions?queries[0]=nonsense')
        self.refused(bad, 400, 'general_argument_invalid')

    def test_the_whole_story_with_node(self):
        self.story(harness.NODE)

    def test_the_whole_story_with_python(self):
        self.story(harness.PYTHON)

    def test_a_second_deployment_replaces_the_first_without_a_failed_call(self):
        api, name = self.api, 'rolling'
        api.function(name)
        first = api.deploy(name, harness.node("return res.text('one');"))
        self.assertEqual(api.execute(name)['responseBody'], 'one')
        second = api.deploy(name, harness.node("return res.text('two');"))
        self.assertEqual(api.execute(name)['responseBody'], 'two')
        api.call('PATCH', f'/functions/{name}/deployment', {'deploymentId': first['$id']}, expect=200)
        self.assertEqual(api.execute(name)['responseBody'], 'one')
        api.deploy(name, harness.node("return res.text('three');"), activate=False)
        self.assertEqual(api.execute(name)['responseBody'], 'one')
        api.call('PATCH', f'/functions/{name}/deployments/{second["$id"]}', {}, expect=200)
        self.assertEqual(api.execute(name)['responseBody'], 'two')
        again = api.post(f'/functions/{name}/deployments/duplicate', {'deploymentId': first['$id']}, expect=202)
        api.built(name, again['$id'])
        harness.wait_for(lambda: api.execute(name)['responseBody'] == 'one', 'answer of the duplicate')

    def test_a_changed_variable_is_seen_by_the_next_call(self):
        api, name = self.api, 'changing'
        api.function(name)
        api.deploy(name, harness.node("return res.text(String(process.env.COLOUR));"))
        self.assertEqual(api.execute(name)['responseBody'], 'undefined')
        made = api.post(f'/functions/{name}/variables', {'variableId': 'unique()', 'key': 'COLOUR', 'value': 'red'})
        self.assertEqual(made['value'], '', 'a secret is never shown')
        self.assertEqual(api.execute(name)['responseBody'], 'red')
        api.call('PUT', f'/functions/{name}/variables/{made["$id"]}', {'key': 'COLOUR', 'value': 'blue'}, expect=200)
        self.assertEqual(api.execute(name)['responseBody'], 'blue')
        self.refused(api.ask('POST', f'/functions/{name}/variables', {'variableId': 'b', 'key': 'COLOUR', 'value': 'x'}),
                     409, 'variable_already_exists')
        api.call('DELETE', f'/functions/{name}/variables/{made["$id"]}', expect=204)
        self.assertEqual(api.execute(name)['responseBody'], 'undefined')

    def test_a_name_that_is_taken_is_refused(self):
        self.api.function('taken')
        answer = self.api.ask('POST', '/functions', {'functionId': 'taken', 'name': 'x', 'runtime': harness.NODE})
        self.refused(answer, 409, 'function_already_exists')
        self.api.call('DELETE', '/functions/taken', expect=204)
        self.api.function('taken')

    def test_runtimes_and_specifications_are_listed(self):
        runtimes = self.api.get('/functions/runtimes')
        self.assertIn('node', {one['key'] for one in runtimes['runtimes']})
        self.assertEqual(runtimes['total'], len(runtimes['runtimes']))
        slugs = [one['slug'] for one in self.api.get('/functions/specifications')['specifications']]
        self.assertIn('s-1vcpu-512mb', slugs)


if __name__ == '__main__':
    harness.main()
