#!/usr/bin/python3
"""Heads of requests: how many headers, what becomes of repeated ones, and what proxies say in them."""
import harness

SEEN = harness.node('''
    const { cookie, accept, 'x-many': many, 'x-forwarded-for': client, 'x-forwarded-proto': scheme } = req.headers;
    return res.json({ cookie, accept, many, client, scheme, count: Object.keys(req.headers).length });''')


def heads(count, **more):
    """count headers in all, Accept-Encoding and the like not added."""
    return {**more, **{f'x-{i}': str(i) for i in range(count - len(more))}}


class Headers(harness.Case):
    settings = {'request_headers': 100}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api.function('seen')
        cls.api.deploy('seen', SEEN)

    def test_as_many_as_the_setting_allows_arrive(self):
        answer = harness.send(self.daemon.port, 'GET', '/', heads(100, Host='seen.functions.localhost'))
        self.assertEqual(answer.status, 200, answer)
        self.assertGreater(answer.json['count'], 99)
        self.assertEqual(harness.send(self.daemon.port, 'GET', '/v1/health/version', heads(100, Host='h')).status, 200)

    def test_one_more_is_refused_with_the_settings_name(self):
        for count in (101, 200, 257):
            for more in ({}, {'Origin': 'https://app.test'}):
                answer = harness.send(self.daemon.port, 'GET', '/v1/health/version', heads(count, Host='h', **more))
                said = self.refused(answer, 431, 'general_too_many_headers')
                self.assertIn('request_headers', said['message'])
            answer = harness.send(self.daemon.port, 'GET', '/', heads(count, Host='seen.functions.localhost'))
            self.assertEqual(answer.status, 431)
            self.assertIn('request_headers', answer.text)

    def test_repeated_ones_are_joined_in_order(self):
        seen = self.daemon.guest().domain('seen', headers={
            'Cookie': ['a=1', 'b=2', 'c=3'], 'X-Many': [str(i) for i in range(60)], 'Accept': ['x/y', '', 'z/w']}).json
        self.assertEqual(seen['cookie'], 'a=1; b=2; c=3')
        self.assertEqual(seen['many'], ', '.join(str(i) for i in range(60)))
        self.assertEqual(seen['accept'], 'x/y, , z/w')


class Proxies(harness.Case):
    settings = {'trusted_proxies': '127.0.0.1,10.0.0.0/8'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api.function('seen')
        cls.api.deploy('seen', SEEN)

    def ask(self, **headers):
        return harness.send(self.daemon.port, 'GET', '/', {name.replace('_', '-'): value for name, value in headers.items()})

    def test_the_client_is_who_spoke_to_the_first_trusted_proxy(self):
        for lines in ('6.6.6.6, 1.2.3.4', ['6.6.6.6', '1.2.3.4'], ['6.6.6.6, 1.2.3.4', '10.0.0.7', '10.9.0.1']):
            seen = self.ask(Host='seen.functions.localhost', X_Forwarded_For=lines).json
            self.assertEqual(seen['client'], '1.2.3.4', lines)

    def test_the_host_and_the_scheme_are_the_proxys(self):
        seen = self.ask(Host='inner', X_Forwarded_Host=['nobody.functions.localhost', 'seen.functions.localhost'],
                        X_Forwarded_Proto=['http', 'https'])
        self.assertEqual((seen.status, seen.json['scheme'], seen.json['client']), (200, 'https', '127.0.0.1'), seen)


if __name__ == '__main__':
    harness.main()
