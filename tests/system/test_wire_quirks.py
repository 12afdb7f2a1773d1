#!/usr/bin/python3
"""Requests as libraries of all languages and ages really send them: odd bodies, nulls, query encodings, old parameters,
and what their parsers of answers cannot do without."""
import json
import socket
import urllib.parse
import harness

FORMATS = ('0.15.0', '1.0.0', '1.4.0', '1.5.0', '1.6.0', '1.7.0', '1.8.0', '1.9.0', '1.9.1', '1.9.4', '1.9.5', '1.9.6', '2.0.0')

# What typed clients need: name -> type. A missing name, another type or null ends them.
TEXT, FLAG, INTEGER, NUMBER, LIST = str, bool, int, (int, float), list
BASE = {'$id': TEXT, '$createdAt': TEXT, '$updatedAt': TEXT}
FUNCTION = BASE | dict.fromkeys((
    'name', 'runtime', 'deploymentId', 'deploymentCreatedAt', 'latestDeploymentId', 'latestDeploymentCreatedAt',
    'latestDeploymentStatus', 'schedule', 'entrypoint', 'commands', 'version', 'installationId', 'providerRepositoryId',
    'providerBranch', 'providerRootDirectory', 'buildSpecification', 'runtimeSpecification'), TEXT) | dict.fromkeys(
    ('execute', 'scopes', 'events', 'providerBranches', 'providerPaths', 'vars'), LIST) | dict.fromkeys(
    ('enabled', 'live', 'logging', 'providerSilentMode'), FLAG) | dict.fromkeys(('deploymentRetention', 'timeout'), INTEGER)
DEPLOYMENT = BASE | dict.fromkeys((
    'type', 'resourceId', 'resourceType', 'entrypoint', 'buildId', 'screenshotLight', 'screenshotDark', 'status', 'buildLogs',
    'providerRepositoryName', 'providerRepositoryOwner', 'providerRepositoryUrl', 'providerCommitHash',
    'providerCommitAuthorUrl', 'providerCommitAuthor', 'providerCommitMessage', 'providerCommitUrl', 'providerBranch',
    'providerBranchUrl'), TEXT) | dict.fromkeys(('sourceSize', 'buildSize', 'totalSize', 'buildDuration'), INTEGER) | {
    'activate': FLAG}
EXECUTION = BASE | dict.fromkeys((
    'functionId', 'deploymentId', 'trigger', 'status', 'requestMethod', 'requestPath', 'responseBody', 'logs', 'errors'),
    TEXT) | dict.fromkeys(('$permissions', 'requestHeaders', 'responseHeaders'), LIST) | {
    'responseStatusCode': INTEGER, 'duration': NUMBER}
VARIABLE = BASE | {'key': TEXT, 'value': TEXT, 'secret': FLAG, 'resourceType': TEXT, 'resourceId': TEXT}
RUNTIME = dict.fromkeys(('$id', 'key', 'name', 'version', 'base', 'image', 'logo'), TEXT) | {'supports': LIST}
SPECIFICATION = {'memory': NUMBER, 'cpus': NUMBER, 'enabled': FLAG, 'slug': TEXT}


def query(method, values=None, attribute=None):
    made = {'method': method}
    if attribute is not None:
        made['attribute'] = attribute
    if values is not None:
        made['values'] = values
    return json.dumps(made)


class Quirks(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api.function('echo')
        cls.ready = cls.api.deploy('echo', harness.ECHO)

    def sdk(self, version, **more):
        """-> headers of a library that asks for this response format."""
        return {'X-Appwrite-Response-Format': version, **{name.replace('_', '-'): value for name, value in more.items()}}

    def good(self, answer, status=200):
        self.assertEqual(answer.status, status, answer)
        return answer.json if answer.body else None

    def ids(self, target, headers=None, kind='functions'):
        return [one['$id'] for one in self.good(self.api.ask('GET', target, headers=headers))[kind]]


class Bodies(Quirks):
    def test_a_get_may_carry_what_means_nothing(self):
        for kind, body in (('application/json', b'null'), ('application/json', b'{}'), ('application/json', b'[]'),
                           ('application/json', None), ('application/json', b''), ('', None),
                           ('application/x-www-form-urlencoded', None), ('application/x-www-form-urlencoded', b''),
                           (None, None)):
            with self.subTest(kind=kind, body=body):
                headers = {} if kind is None else {'Content-Type': kind}
                self.assertEqual(self.good(self.api.ask('GET', '/functions/echo', headers=headers, body=body))['$id'], 'echo')
        version = harness.send(self.daemon.port, 'GET', '/v1/health/version', {'content-type': '', 'X-Appwrite-Project': 'console'})
        self.assertTrue(self.good(version)['version'])

    def test_calls_without_parameters_take_any_empty_body(self):
        for body in (b'{}', b'[]', b'null', b'', None):
            with self.subTest(body=body):
                name = self.api.function('gone')['$id']
                json_type = {'Content-Type': 'application/json'}
                path = f'/functions/echo/deployments/{self.ready["$id"]}'
                self.good(self.api.ask('PATCH', path, headers={**json_type, **self.sdk('1.6.0')}, body=body))
                self.good(self.api.ask('POST', '/functions/echo/executions', headers=json_type, body=body), 201)
                self.good(self.api.ask('DELETE', f'/functions/{name}', headers=json_type, body=body), 204)

    def test_a_204_has_a_content_type_that_is_not_json(self):
        self.api.function('short')
        deployment = self.api.deploy('short', harness.ECHO)['$id']
        variable = self.api.post('/functions/short/variables', {'variableId': 'one', 'key': 'A', 'value': 'b'})['$id']
        execution = self.api.execute('short')['$id']
        second = self.api.deploy('short', harness.ECHO)['$id']
        answers = [self.api.ask('DELETE', f'/functions/short/variables/{variable}', {}),
                   self.api.ask('DELETE', f'/functions/short/executions/{execution}', {}),
                   self.api.ask('POST', f'/functions/short/deployments/{second}/builds/any-text', {},
                                headers=self.sdk('1.4.0')),
                   self.api.ask('POST', f'/functions/short/deployments/{second}/build', {}, headers=self.sdk('1.6.0')),
                   self.api.ask('DELETE', f'/functions/short/deployments/{deployment}', {}),
                   self.api.ask('DELETE', '/functions/short', {})]
        for number, answer in enumerate(answers):
            with self.subTest(answer=number):
                self.assertEqual((answer.status, answer.body), (204, b''), answer)
                self.assertTrue(answer.header('Content-Type'))
                self.assertNotIn('json', answer.header('Content-Type'))

    def test_null_means_absent(self):
        made = self.api.post('/functions', {
            'functionId': 'nulls', 'name': 'nulls', 'runtime': harness.NODE, 'execute': None, 'events': None, 'schedule': None,
            'timeout': None, 'enabled': None, 'logging': None, 'entrypoint': 'main.js', 'commands': None, 'scopes': None,
            'installationId': None, 'providerRepositoryId': None, 'providerBranch': None, 'providerSilentMode': None,
            'providerRootDirectory': None, 'buildSpecification': None, 'runtimeSpecification': None,
            'deploymentRetention': None}, expect=201)
        self.assertEqual((made['timeout'], made['enabled'], made['logging'], made['events']), (15, True, True, []))
        variable = self.api.post('/functions/nulls/variables', {'variableId': 'one', 'key': 'A', 'value': 'b', 'secret': None})
        self.assertIs(self.good(self.api.ask('PUT', '/functions/nulls/variables/one', {'key': 'B', 'value': None, 'secret': None}))
                      ['secret'], variable['secret'])
        updated = self.good(self.api.ask('PUT', '/functions/nulls', {'name': 'nulls', 'runtime': None, 'execute': ['any'],
                                                                     'events': None, 'entrypoint': None}))
        self.assertEqual((updated['runtime'], updated['execute']), (harness.NODE, ['any']))
        done = self.api.post('/functions/echo/executions', {'body': None, 'async': None, 'path': None, 'method': None,
                                                            'headers': None, 'scheduledAt': None}, expect=201)
        self.assertEqual(done['responseStatusCode'], 200)
        old = self.api.call('POST', '/functions/echo/executions', {'data': None, 'async': None}, headers=self.sdk('1.0.0'))
        self.assertEqual(old['statusCode'], 200)

    def test_parameters_of_the_path_may_be_repeated_anywhere(self):
        deployment = self.ready['$id']
        self.good(self.api.ask('GET', f'/functions/echo/deployments/{deployment}?functionId=echo&deploymentId={deployment}'))
        self.good(self.api.ask('GET', '/functions/echo?functionId=other'))
        done = self.api.post('/functions/echo/executions', {'functionId': 'other', 'body': 'x', 'headers': []}, expect=201)
        self.assertEqual(json.loads(done['responseBody'])['body'], 'x')
        self.assertEqual(done['functionId'] if 'functionId' in done else done['resourceId'], 'echo')

    def test_an_execution_takes_flags_as_text_and_headers_in_every_form(self):
        for value in (True, 'true', '1', 1):
            with self.subTest(value=value):
                made = self.api.call('POST', '/functions/echo/executions', {'async': value}, expect=202)
                self.assertEqual(made['status'], 'waiting')
        for headers in ([], {}, {'x-one': 'two'}):
            self.api.post('/functions/echo/executions', {'headers': headers}, expect=201)
        kind, body = harness.multipart({'body': 'in a form', 'headers': '{"x-one":"two"}', 'async': 'false'}, {})
        done = self.api.call('POST', '/functions/echo/executions', body=body, headers={'Content-Type': kind}, expect=201)
        seen = json.loads(done['responseBody'])
        self.assertEqual((seen['body'], seen['headers']['x-one']), ('in a form', 'two'))

    def test_escapes_of_json_are_understood_in_bodies_and_queries(self):
        text = 'ü 漢 🦀 \x7f "'
        escaped = json.dumps(text)
        self.assertIn('\\ud83e', escaped)
        done = self.api.call('POST', '/functions/echo/executions', body=b'{"body":' + escaped.encode() + b'}', expect=201,
                             headers={'Content-Type': 'application/json'})
        self.assertEqual(json.loads(done['responseBody'])['body'], text)
        self.api.function('escaped')
        self.api.call('PUT', '/functions/escaped', {'name': text, 'execute': ['any']})
        target = '/functions?queries%5B0%5D=' + urllib.parse.quote(query('equal', [text], 'name'))
        self.assertEqual(self.ids(target), ['escaped'])

    def test_a_client_that_waits_for_100_gets_it_at_once(self):
        body = json.dumps({'body': 'x' * 300_000}).encode()
        with socket.create_connection(('127.0.0.1', self.daemon.port), timeout=20) as link:
            head = ''.join(f'{name}: {value}\r\n' for name, value in self.api.headers.items())
            link.sendall((f'POST /v1/functions/echo/executions HTTP/1.1\r\nHost: localhost\r\n{head}Connection: close\r\n'
                          f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\n'
                          'Expect: 100-continue\r\n\r\n').encode())
            self.assertTrue(link.recv(200).startswith(b'HTTP/1.1 100'))
            link.sendall(body)
            self.assertTrue(link.recv(200).startswith(b'HTTP/1.1 201'))


class Callers(Quirks):
    def test_a_key_without_a_project_speaks_for_its_own(self):
        headers = {'X-Appwrite-Key': self.daemon.key()}
        self.good(harness.send(self.daemon.port, 'GET', '/v1/functions/echo', headers))

    def test_what_needs_neither_project_nor_key(self):
        for headers in ({}, {'X-Appwrite-Project': 'console'}, {'X-Appwrite-Project': 'default', 'X-Appwrite-Mode': 'default'}):
            self.assertTrue(self.good(harness.send(self.daemon.port, 'GET', '/v1/health/version', headers))['version'])
        ping = harness.send(self.daemon.port, 'GET', '/v1/ping', {'X-Appwrite-Project': 'default'})
        self.assertEqual(ping.status, 200)

    def test_routes_that_do_not_exist_answer_in_json(self):
        for method, path in (('GET', '/organization/projects/x'), ('GET', '/nothing'), ('POST', '/functions/echo/nothing')):
            self.refused(self.api.ask(method, path), 404, 'general_route_not_found')

    def test_every_answer_lets_pages_of_other_origins_read_it(self):
        page = {'Origin': 'https://page.example'}
        asked = 'content-type,x-appwrite-project,x-appwrite-response-format,x-sdk-name,x-sdk-platform,x-sdk-language,' \
                'x-sdk-version,x-appwrite-jwt,x-appwrite-session,x-appwrite-locale,x-fallback-cookies,x-appwrite-dev-key'
        preflight = {**page, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': asked}
        guest = self.daemon.guest()
        answers = [guest.ask('POST', '/functions/echo/executions', {}, headers=page),
                   guest.ask('GET', '/functions', headers=page), guest.ask('GET', '/nothing', headers=page),
                   harness.send(self.daemon.port, 'OPTIONS', '/v1/functions/echo/executions', preflight),
                   harness.send(self.daemon.port, 'OPTIONS', '/v1/no/such/path', preflight)]
        for number, answer in enumerate(answers):
            with self.subTest(answer=number):
                self.assertEqual(answer.header('Access-Control-Allow-Origin'), page['Origin'])
                self.assertEqual(answer.header('Access-Control-Allow-Credentials'), 'true')
                exposed = (answer.header('Access-Control-Expose-Headers') or '').lower()
                if number < 3:
                    self.assertIn('x-fallback-cookies', exposed)
        for answer in answers[3:]:
            self.assertIn(answer.status, (200, 204))
            allowed = [name.strip() for name in answer.header('Access-Control-Allow-Headers').lower().split(',')]
            self.assertEqual([name for name in asked.split(',') if name not in allowed], [])
            methods = answer.header('Access-Control-Allow-Methods')
            self.assertTrue(all(method in methods for method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')), methods)


class Queries(Quirks):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ('q-one', 'q-two', 'q-three'):
            cls.api.function(name, timeout={'q-one': 10, 'q-two': 20, 'q-three': 30}[name])

    def test_every_way_to_write_a_list_of_queries_is_read(self):
        wanted = urllib.parse.quote_plus(query('equal', ['q-one', 'q-two'], 'name')), urllib.parse.quote_plus(query('limit', [1]))
        for first, second in (('queries[]', 'queries[]'), ('queries%5B%5D', 'queries%5B%5D'), ('queries%5B0%5D', 'queries%5B1%5D'),
                              ('queries[0]', 'queries[1]')):
            for end in ('', '&', '&total=true', '&total=1'):
                with self.subTest(names=first, end=end):
                    answer = self.good(self.api.ask('GET', f'/functions?{first}={wanted[0]}&{second}={wanted[1]}{end}'))
                    self.assertEqual((len(answer['functions']), answer['total']), (1, 2))
        for end in ('?', '?&'):
            self.good(self.api.ask('GET', f'/functions{end}'))
        for value in ('0', 'false'):
            answer = self.good(self.api.ask('GET', f'/functions?total={value}&queries%5B0%5D={wanted[0]}'))
            self.assertEqual((len(answer['functions']), answer['total']), (2, 0))

    def test_the_text_syntax_is_read_as_it_was_sent(self):
        def ids(*texts, version='1.4.0'):
            return self.ids('/functions?' + '&'.join('queries[]=' + urllib.parse.quote_plus(text, safe='(),:') for text in texts),
                            headers=self.sdk(version))
        ours = 'startsWith("name", ["q-"])'
        self.assertEqual(ids('equal("name", ["q-one","q-two"])', 'orderDesc("name")', version='1.0.0'), ['q-two', 'q-one'])
        self.assertEqual(ids('greaterThan("timeout", [14])', ours, 'orderAsc("timeout")'), ['q-two', 'q-three'])
        self.assertEqual(ids('between("timeout", [16,25])'), ['q-two'])
        self.assertEqual(ids('notEqual("name", ["q-one"])', ours, 'orderDesc("timeout")', 'limit(1)'), ['q-three'])
        self.assertEqual(ids(ours, 'orderAsc("timeout")', 'limit(2)', 'offset(1)'), ['q-two', 'q-three'])
        self.assertEqual(ids(ours, 'orderAsc("timeout")', 'cursorAfter("q-one")'), ['q-two', 'q-three'])
        self.assertEqual(ids(ours, 'orderAsc("timeout")', 'cursorBefore("q-three")'), ['q-one', 'q-two'])
        self.assertEqual(ids('equal("enabled", [true])', 'equal("name", ["q-one"])'), ['q-one'])
        self.refused(self.api.ask('GET', '/functions?queries[]=nonsense', headers=self.sdk('1.4.0')), 400)

    def test_an_order_may_name_its_attribute_in_the_wrong_place(self):
        target = '/functions/echo/deployments?' + urllib.parse.urlencode(
            {'queries[0]': query('limit', [1]), 'queries[1]': query('orderDesc', ['$id'])})
        self.assertEqual(self.ids(target, self.sdk('1.8.0', X_Appwrite_Mode='default'), 'deployments'), [self.ready['$id']])

    def test_lists_before_queries_take_their_page_as_parameters(self):
        headers = self.sdk('0.15.0')
        search = {'search': 'q-'}

        def ids(**parameters):
            return self.ids('/functions?' + urllib.parse.urlencode(parameters), headers)
        created = ids(**search)
        self.assertEqual(set(created), {'q-one', 'q-two', 'q-three'})
        self.assertEqual(ids(**search, limit=1), created[:1])
        self.assertEqual(ids(**search, limit=2, offset=1), created[1:])
        self.assertEqual(ids(**search, cursor=created[0], cursorDirection='after'), created[1:])
        self.assertEqual(ids(**search, cursor=created[2], cursorDirection='before'), created[:2])
        self.assertEqual(ids(**search, cursor=created[1]), created[2:])
        self.assertEqual(ids(**search, orderType='DESC'), created[::-1])
        self.assertEqual(ids(**search, orderType='ASC', limit=25, offset=0, cursor=''), created)
        self.refused(self.api.ask('GET', '/functions?limit=many', headers=headers), 400)
        listed = self.good(self.api.ask('GET', '/functions/echo/deployments?limit=1&orderType=DESC', headers=headers))
        self.assertEqual(listed['deployments'][0]['$id'], self.ready['$id'])
        self.assertEqual(self.good(self.api.ask('GET', '/functions/echo/executions?limit=1&offset=1000', headers=headers))
                         ['executions'], [])
        self.assertEqual(len(self.ids('/functions?limit=1&search=q-')), 3)      # of no meaning since

    def test_executions_are_searched_in_the_formats_that_could(self):
        made = [self.api.execute('echo')['$id'] for _ in range(3)]

        def ids(search, version='1.6.0'):
            target = '/functions/echo/executions?' + urllib.parse.urlencode({'search': search})
            return [one for one in self.ids(target, self.sdk(version), 'executions') if one in made]
        for version in ('1.0.0', '1.3.0', '1.4.0', '1.6.0'):
            self.assertEqual(ids(made[1], version), [made[1]])
        self.assertEqual(ids(made[1][:16]), [made[1]])
        self.assertEqual(sorted(ids(f'{made[0]} {made[2]}')), sorted([made[0], made[2]]))
        self.assertEqual(ids('ech'), made)
        self.assertEqual(ids('nothing'), [])
        self.assertEqual(ids('nothing', '1.7.0'), made)
        self.assertEqual(ids('n' * 300, '1.7.0'), made)
        long = '/functions/echo/executions?search=' + 'n' * 257
        self.refused(self.api.ask('GET', long, headers=self.sdk('1.6.0')), 400, 'general_argument_invalid')


class Answers(Quirks):
    def fields(self, model, rows):
        for name, kind in rows.items():
            self.assertIn(name, model)
            self.assertIsInstance(model[name], kind, f'{name}: {model[name]!r}')
            if kind is INTEGER:
                self.assertNotIsInstance(model[name], bool, name)

    def test_typed_clients_find_every_field(self):
        headers = self.sdk('1.9.5')

        def get(path):
            return self.good(self.api.ask('GET', path, headers=headers))
        done = self.api.call('POST', '/functions/echo/executions', {'body': 'x'}, headers=headers)
        self.api.function('bare')
        self.api.call('POST', '/functions/bare/variables', {'variableId': 'one', 'key': 'A', 'value': 'b'})
        for name in ('echo', 'bare'):
            self.fields(get(f'/functions/{name}'), FUNCTION)
        for row in get('/functions')['functions']:
            self.fields(row, FUNCTION)
        self.fields(get(f'/functions/echo/deployments/{self.ready["$id"]}'), DEPLOYMENT)
        self.fields(done, EXECUTION)
        self.fields(get(f'/functions/echo/executions/{done["$id"]}'), EXECUTION)
        for header in done['responseHeaders'] + done['requestHeaders']:
            self.fields(header, {'name': TEXT, 'value': TEXT})
        self.fields(get('/functions/bare/variables/one'), VARIABLE)
        runtimes, specifications = get('/functions/runtimes'), get('/functions/specifications')
        for rows, kind in ((runtimes['runtimes'], RUNTIME), (specifications['specifications'], SPECIFICATION)):
            self.assertTrue(rows)
            for row in rows:
                self.fields(row, kind)
        self.assertEqual((runtimes['total'], specifications['total']),
                         (len(runtimes['runtimes']), len(specifications['specifications'])))

    def test_each_format_has_its_names(self):
        for version in FORMATS:
            with self.subTest(version=version):
                headers, number = self.sdk(version), tuple(int(part) for part in version.split('.'))
                run = self.api.call('POST', '/functions/echo/executions', {'data': 'x', 'body': 'x'}, headers=headers)
                function = self.api.get('/functions/echo', headers=headers)
                deployment = self.api.get(f'/functions/echo/deployments/{self.ready["$id"]}', headers=headers)
                self.assertEqual('resourceType' in run, number >= (2, 0, 0))
                self.assertEqual('functionId' in run, number < (2, 0, 0))
                self.assertEqual('stdout' in run, number < (1, 4, 0))
                self.assertEqual('responseBody' in run, number >= (1, 4, 0))
                self.assertEqual('scheduledAt' in run, number >= (1, 6, 0))
                self.assertEqual('deploymentId' in function, number >= (1, 7, 0))
                self.assertEqual('deployment' in function, number < (1, 7, 0))
                self.assertEqual('scheduleNext' in function, number < (1, 4, 0))
                self.assertEqual('buildSpecification' in function, number >= (1, 9, 0))
                self.assertEqual('specification' in function, (1, 6, 0) <= number < (1, 9, 0))
                self.assertEqual('buildLogs' in deployment, number >= (1, 4, 0))
                self.assertEqual('size' in deployment, number < (1, 7, 0))

    def test_a_format_of_the_future_is_served_with_a_warning(self):
        answer = self.api.ask('GET', '/functions/echo', headers=self.sdk('99.1.0'))
        self.assertEqual(self.good(answer)['$id'], 'echo')
        self.assertTrue(answer.header('X-Appwrite-Warning'))
        self.assertIsNone(self.api.ask('GET', '/functions/echo', headers=self.sdk('1.9.5')).header('X-Appwrite-Warning'))

    def test_json_says_its_charset_and_errors_their_status(self):
        for path in ('/functions/echo', '/functions/nobody', '/nothing'):
            answer = self.api.ask('GET', path)
            self.assertEqual(answer.header('Content-Type').lower(), 'application/json; charset=utf-8')
            if answer.status != 200:
                self.assertEqual((answer.json['code'], sorted(answer.json)),
                                 (answer.status, ['code', 'message', 'type', 'version']))

    def test_a_download_is_never_json(self):
        for version in FORMATS:
            answer = self.api.ask('GET', f'/functions/echo/deployments/{self.ready["$id"]}/download', headers=self.sdk(version))
            self.assertEqual(answer.status, 200)
            self.assertNotIn('json', answer.header('Content-Type'))
            self.assertEqual(answer.body, harness.package(harness.ECHO))
        answer = self.api.ask('GET', '/functions/echo/deployments/nothing/download')
        self.refused(answer, 404, 'deployment_not_found')

    def test_an_answer_in_parts_is_for_those_who_ask_for_it_first(self):
        for accept, parts in (('multipart/form-data', True), ('application/json, multipart/form-data', False), ('*/*', False)):
            answer = self.api.ask('POST', '/functions/echo/executions', {'body': 'x'}, headers={'Accept': accept})
            self.assertEqual(answer.status, 201)
            self.assertEqual(answer.header('Content-Type').startswith('multipart/form-data'), parts, accept)
            if parts:
                self.assertIn(b'name="responseBody"', answer.body)


if __name__ == '__main__':
    harness.main()
