#!/usr/bin/python3
"""Function domains: the request as it is, the answer as it is, and pages where there is no answer."""
import os
import harness

SURFACE = harness.node('''
    if (req.path === '/bytes') return res.binary(req.bodyBinary, 200, { 'content-type': 'application/x-thing' });
    if (req.path === '/cookie') return res.text('ok', 201, { 'set-cookie': 'a=b; Path=/', 'x-answer': 'yes' });
    if (req.path === '/empty') return res.empty();
    if (req.path.startsWith('/status/')) {
        return res.text(req.query.empty ? '' : 'body of the function', parseInt(req.path.slice(8)));
    }
    if (req.path === '/redirect') return res.redirect('/elsewhere', 302);
    return res.json({ method: req.method, path: req.path, query: req.query, queryString: req.queryString,
                      cookie: req.headers['cookie'], host: req.host, scheme: req.scheme, port: req.port, url: req.url,
                      length: req.bodyBinary.length, many: req.headers['x-many'],
                      user: req.headers['x-appwrite-user-id'], trigger: req.headers['x-appwrite-trigger'] });''')


class Domains(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api.function('surface')
        cls.api.deploy('surface', SURFACE)

    def ask(self, *arguments, **more):
        return self.daemon.guest().domain('surface', *arguments, **more)

    def test_method_path_and_query_arrive_as_sent(self):
        for method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'):
            answer = self.ask(method, '/a/b%20c?x=1&y=%C3%A9&empty=')
            self.assertEqual(answer.status, 200, answer)
            seen = answer.json
            self.assertEqual((seen['method'], seen['query']['x'], seen['query']['y']), (method, '1', '%C3%A9'), seen)
            self.assertEqual((seen['path'], seen['queryString']), ('/a/b%20c', 'x=1&y=%C3%A9&empty='))
            self.assertEqual(seen['trigger'], 'http')

    def test_the_path_v1_is_the_functions_own(self):
        self.assertEqual(self.ask('GET', '/v1/functions').json['path'], '/v1/functions')

    def test_headers_and_cookies_arrive(self):
        seen = self.ask('GET', '/', {'Cookie': 'a=1; b=2', 'X-Many': ['one', 'two']}).json
        self.assertEqual(seen['cookie'], 'a=1; b=2')
        self.assertEqual(seen['many'], 'one, two')
        self.assertEqual(seen['host'], 'surface.functions.localhost')

    def test_injected_headers_cannot_be_forged(self):
        seen = self.ask('GET', '/', {'X-Appwrite-User-Id': 'admin', 'X-Appwrite-Trigger': 'schedule'}).json
        self.assertEqual((seen['user'], seen['trigger']), ('', 'http'))

    def test_bytes_pass_both_ways_unchanged(self):
        for size in (0, 1, 65_535, 65_536, 3_000_000):
            data = os.urandom(size)
            answer = self.ask('POST', '/bytes', body=data)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.header('content-type'), 'application/x-thing; charset=utf-8')
            self.assertEqual(answer.body, data, f'{size} bytes')

    def test_status_headers_and_cookies_of_the_answer_are_kept(self):
        answer = self.ask('GET', '/cookie')
        self.assertEqual((answer.status, answer.text), (201, 'ok'))
        self.assertEqual((answer.header('set-cookie'), answer.header('x-answer')), ('a=b; Path=/', 'yes'))
        self.assertRegex(answer.header('x-appwrite-execution-id'), r'^[0-9a-f]{20}$')
        self.assertEqual(self.ask('GET', '/empty').status, 204)
        redirect = self.ask('GET', '/redirect')
        self.assertEqual((redirect.status, redirect.header('location')), (302, '/elsewhere'))

    def test_head_has_headers_and_no_body(self):
        answer = self.ask('HEAD', '/cookie')
        self.assertEqual((answer.status, answer.body, answer.header('x-answer')), (201, b'', 'yes'))

    def test_an_error_with_a_body_is_the_functions_and_one_without_gets_a_page(self):
        self.assertEqual(self.ask('GET', '/status/404').text, 'body of the function')
        for status in (404, 418, 501):
            answer = self.ask('GET', f'/status/{status}?empty=1')
            self.assertEqual(answer.status, status)
            self.assertIn('text/html', answer.header('content-type'))
            self.assertIn(str(status), answer.text)

    def test_a_host_without_a_function_gets_a_page(self):
        answer = self.daemon.guest().domain('nobody-here')
        self.assertEqual(answer.status, 404)
        self.assertIn('Nothing is here yet', answer.text)

    def test_a_function_without_a_deployment_or_permission_gets_a_page(self):
        self.api.function('bare')
        answer = self.daemon.guest().domain('bare')
        self.assertEqual(answer.status, 404)
        self.assertIn('No active deployments', answer.text)
        self.api.function('closed', execute=[])
        self.api.deploy('closed', SURFACE)
        answer = self.daemon.guest().domain('closed')
        self.assertEqual(answer.status, 401)
        self.assertIn('Execution not permitted', answer.text)

    def test_a_disabled_function_is_not_found(self):
        self.api.function('off', enabled=False)
        self.api.deploy('off', SURFACE)
        self.assertEqual(self.daemon.guest().domain('off').status, 404)

    def test_the_host_is_compared_without_case_and_port(self):
        answer = harness.send(self.daemon.port, 'GET', '/', {'Host': f'SURFACE.Functions.Localhost:{self.daemon.port}'})
        self.assertEqual(answer.status, 200)

    def test_each_call_is_recorded(self):
        made = self.ask('POST', '/recorded').header('x-appwrite-execution-id')
        seen = self.api.execution('surface', made)
        self.assertEqual((seen['status'], seen['requestPath'], seen['requestMethod'], seen['trigger']),
                         ('completed', '/recorded', 'POST', 'http'))

    def test_unknown_routes_of_the_api_are_json(self):
        answer = harness.send(self.daemon.port, 'GET', '/v1/no/such/route')
        self.refused(answer, 404, 'general_route_not_found')


if __name__ == '__main__':
    harness.main()
