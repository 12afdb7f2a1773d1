#!/usr/bin/python3
"""Who may do what: guests, users by token, keys by scope, other projects, and headers that must not count."""
import base64
import harness


class Rights(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, execute in (('any', ['any']), ('users', ['users']), ('staff', ['label:staff']), ('ada', ['user:ada']),
                              ('owners', ['team:red/owner']), ('verified', ['users/verified']), ('closed', []),
                              ('guests', ['guests'])):
            cls.api.function(name, execute=execute)
            cls.api.deploy(name, harness.node("log('seen'); return res.text(req.headers['x-appwrite-user-id']);"))

    def token(self, user, *more):
        return self.daemon.output('token', 'create', '--project', 'default', '--user', user, *more)

    def may(self, caller, name):
        answer = caller.ask('POST', f'/functions/{name}/executions', {})
        if answer.status == 201:
            return True
        self.refused(answer, 401, 'user_unauthorized')
        return False

    def test_each_caller_runs_what_its_roles_allow(self):
        names = ('any', 'users', 'staff', 'ada', 'owners', 'verified', 'closed', 'guests')
        callers = (
            (self.daemon.guest(), {'any', 'guests'}),
            (self.daemon.user_api(self.token('bob')), {'any', 'users'}),
            (self.daemon.user_api(self.token('ada')), {'any', 'users', 'ada'}),
            (self.daemon.user_api(self.token('bob', '--label', 'staff')), {'any', 'users', 'staff'}),
            (self.daemon.user_api(self.token('bob', '--team', 'red/owner')), {'any', 'users', 'owners'}),
            (self.daemon.user_api(self.token('bob', '--team', 'red')), {'any', 'users'}),
            (self.daemon.user_api(self.token('bob', '--verified')), {'any', 'users', 'verified'}),
            (self.api, set(names)),
        )
        for number, (caller, allowed) in enumerate(callers):
            with self.subTest(caller=number):
                self.assertEqual({name for name in names if self.may(caller, name)}, allowed)

    def test_a_user_sees_own_executions_only_and_no_logs(self):
        bob, eve = self.daemon.user_api(self.token('bob')), self.daemon.user_api(self.token('eve'))
        made = bob.execute('users')
        self.assertEqual((made['responseBody'], made['logs']), ('bob', ''))
        self.assertEqual(made['$permissions'], ['read("user:bob")'])
        self.assertEqual(bob.execution('users', made['$id'])['logs'], '')
        self.assertIn('seen', self.api.execution('users', made['$id'])['logs'])
        self.refused(eve.ask('GET', f'/functions/users/executions/{made["$id"]}'), 404, 'execution_not_found')
        self.assertEqual(eve.list('/functions/users/executions')['total'], 0)
        self.assertGreaterEqual(bob.list('/functions/users/executions')['total'], 1)
        self.refused(self.daemon.guest().ask('GET', '/functions/users/executions'), 401, 'general_unauthorized_scope')

    def test_a_token_made_by_the_api_speaks_for_its_user(self):
        made = self.api.post('/users/ada/jwts', {'duration': 300}, expect=201)
        self.assertEqual(self.daemon.user_api(made['jwt']).execute('ada')['responseBody'], 'ada')

    def test_a_token_that_was_changed_or_made_elsewhere_is_refused(self):
        head, claims, signature = self.token('bob').split('.')
        text = base64.urlsafe_b64decode(claims + '=' * (-len(claims) % 4)).replace(b'bob', b'ada')
        forged = base64.urlsafe_b64encode(text).decode().rstrip('=')
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip('=')
        for token in (f'{head}.{forged}.{signature}', f'{none}.{forged}.', f'{head}.{claims}.', 'x.y.z', 'nonsense',
                      f'{head}.{claims}.{signature[:-4]}AAAA'):
            self.refused(self.daemon.user_api(token).ask('POST', '/functions/any/executions', {}), 401, 'user_jwt_invalid')

    def test_a_token_of_another_project_is_refused(self):
        self.daemon.output('project', 'create', '--id', 'other', '--name', 'Other')
        token = self.daemon.output('token', 'create', '--project', 'other', '--user', 'ada')
        answer = self.daemon.user_api(token).ask('POST', '/functions/ada/executions', {})
        self.assertEqual(answer.status, 401, answer)

    def test_an_expired_token_is_refused(self):
        token = self.token('bob', '--ttl', '1')
        user = self.daemon.user_api(token)
        harness.wait_for(lambda: user.ask('POST', '/functions/any/executions', {}).status == 401, 'refusal', 20)
        self.refused(user.ask('POST', '/functions/any/executions', {}), 401, 'user_jwt_invalid')

    def test_keys_that_are_wrong_in_some_way_are_refused(self):
        key = self.daemon.key()
        for wrong in (key[:-1] + ('0' if key[-1] != '0' else '1'), key[:-1], key + '0', 'standard_', 'x' * 5000):
            answer = self.daemon.api(key=wrong).ask('GET', '/functions')
            self.assertEqual(answer.status, 401, answer)

    def test_without_a_project_or_with_an_unknown_one_nothing_is_found(self):
        answer = harness.send(self.daemon.port, 'GET', '/v1/functions', {'X-Appwrite-Project': 'unknown'})
        self.refused(answer, 404, 'project_not_found')
        by_key = harness.send(self.daemon.port, 'GET', '/v1/functions', {'X-Appwrite-Key': self.daemon.key()})
        self.assertEqual(by_key.status, 200, 'a key knows its project')

    def test_forwarded_headers_count_for_nothing(self):
        self.api.function('address')
        self.api.deploy('address', harness.node("return res.text(req.headers['x-appwrite-client-ip']);"))
        done = self.api.call('POST', '/functions/address/executions', {}, 201,
                             headers={'X-Forwarded-For': '9.9.9.9', 'X-Real-IP': '9.9.9.9',
                                      'X-Forwarded-Host': 'closed.functions.localhost'})
        self.assertEqual(done['responseBody'], '127.0.0.1')

    def test_a_command_line_client_gets_its_session_and_nobody_else(self):
        cli = {'x-sdk-language': 'cli', 'x-sdk-version': '12.0.1'}

        def creates(name, api=self.api, **headers):
            data = {'functionId': name, 'name': name, 'runtime': harness.NODE}
            answer = api.ask('POST', '/functions', data, headers={key.replace('_', '-'): value for key, value in headers.items()})
            self.assertEqual(answer.status, 201, answer)
            return answer.header('set-cookie')

        self.assertIsNone(creates('library'))
        self.assertIsNone(creates('newer', **{**cli, 'x-sdk-version': '13.0.0'}))
        self.assertIsNone(creates('older', **{**cli, 'x-sdk-version': '6.2.3'}))
        self.assertIsNone(creates('page', Origin='http://app.example', **cli))
        cookie = {'Cookie': creates('first-push', **cli)}
        self.assertTrue(cookie['Cookie'].startswith(f'a_session_console={self.daemon.key()};'), cookie)

        guest, console = self.daemon.guest(), harness.Api(self.daemon.port, 'console')
        asked = console.get('/console/variables', headers={**cookie, **cli})
        self.assertEqual(asked['_APP_DOMAIN_FUNCTIONS'], 'functions.localhost')
        self.assertIsNone(creates('second', guest, **cookie, **cli))
        for headers in ({}, {'x-sdk-language': 'nodejs'}, {**cli, 'Origin': 'http://app.example'},
                        {**cli, 'Cookie': 'a_session_console=standard_other'}, {**cli, 'Cookie': 'a_session_console='}):
            self.assertEqual(guest.ask('GET', '/functions', headers={**cookie, **headers}).status, 401, headers)
        self.assertEqual(console.ask('GET', '/console/variables', headers=cookie).status, 401)

    def test_a_browser_is_told_its_origin_may(self):
        origin = {'Origin': 'http://app.example'}
        before = self.daemon.guest().ask('OPTIONS', '/functions/any/executions', headers={
            **origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-appwrite-project'})
        self.assertIn(before.status, (200, 204))
        self.assertIn('x-appwrite-project', before.header('access-control-allow-headers').lower())
        answer = self.daemon.guest().ask('POST', '/functions/any/executions', {}, headers=origin)
        for one in (before, answer):
            self.assertEqual(one.header('access-control-allow-origin'), 'http://app.example')
            self.assertEqual(one.header('access-control-allow-credentials'), 'true')


class Trusted(harness.Case):
    settings = {'trusted_proxies': '127.0.0.1'}

    def test_a_trusted_proxys_headers_count(self):
        self.api.function('address')
        self.api.deploy('address', harness.node("return res.text(req.headers['x-appwrite-client-ip']);"))
        done = self.api.call('POST', '/functions/address/executions', {}, 201, headers={'X-Forwarded-For': '9.9.9.9'})
        self.assertEqual(done['responseBody'], '9.9.9.9')


if __name__ == '__main__':
    harness.main()
