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


if __name__ == '__main__':
    harness.main()
