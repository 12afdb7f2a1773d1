#!/usr/bin/python3
"""Uploads in pieces: any order, at once, repeated, resumed after a restart, and what is refused."""
import os
import random
import harness

PIECE = 256 * 1024


def big_package(size=2_600_000):
    return harness.package({**harness.node("return res.text('big');"), 'data.bin': os.urandom(size)})


def pieces_of(code, size=PIECE):
    return [(start, min(start + size, len(code))) for start in range(0, len(code), size)]


class Uploads(harness.Case):
    def accepted(self, answer):
        self.assertEqual(answer.status, 202, answer)
        return answer.json

    def complete(self, name, deployment_id, code):
        self.api.built(name, deployment_id)
        source = self.api.ask('GET', f'/functions/{name}/deployments/{deployment_id}/download')
        self.assertEqual(source.body, code)
        self.assertEqual(self.api.execute(name)['responseBody'], 'big')

    def test_pieces_in_order(self):
        code, name, made = big_package(), 'in-order', None
        self.api.function(name)
        for start, end in pieces_of(code):
            made = self.accepted(self.api.upload_part(name, code, start, end, made and made['$id']))
        self.complete(name, made['$id'], code)

    def test_pieces_out_of_order_and_repeated(self):
        code, name = big_package(), 'shuffled'
        self.api.function(name)
        first, *rest = pieces_of(code)
        made = self.accepted(self.api.upload_part(name, code, *first))
        order = rest + rest[1:3] + [first]
        random.Random(7).shuffle(order)
        for start, end in order:
            self.accepted(self.api.upload_part(name, code, start, end, made['$id']))
        self.complete(name, made['$id'], code)
        again = self.accepted(self.api.upload_part(name, code, *rest[0], made['$id']))
        self.assertEqual((again['$id'], again['status']), (made['$id'], 'ready'))
        self.assertEqual(self.api.list(f'/functions/{name}/deployments')['total'], 1)

    def test_pieces_at_once(self):
        code, name = big_package(4_000_000), 'at-once'
        self.api.function(name)
        first, *rest = pieces_of(code, 512 * 1024)
        made = self.accepted(self.api.upload_part(name, code, *first))
        answers = harness.in_parallel(
            lambda part: self.accepted(self.api.upload_part(name, code, *part, made['$id'])), rest)
        self.assertEqual({one['$id'] for one in answers}, {made['$id']})
        self.complete(name, made['$id'], code)

    def test_an_end_that_is_one_too_many_is_forgiven(self):
        code, name = big_package(600_000), 'old-client'
        self.api.function(name)
        made = self.accepted(self.api.upload_part(name, code, 0, 300_000))
        kind, body = harness.multipart({'activate': 'true'}, {'code': ('code.tar.gz', code[300_000:])})
        answer = self.api.ask('POST', f'/functions/{name}/deployments', body=body, headers={
            'Content-Type': kind, 'X-Appwrite-ID': made['$id'],
            'Content-Range': f'bytes 300000-{len(code)}/{len(code)}'})
        self.accepted(answer)
        self.complete(name, made['$id'], code)

    def test_a_client_that_sends_everything_with_each_piece_is_understood(self):
        code, name, made = big_package(900_000), 'whole-and-slice', None
        self.api.function(name)
        for start, end in pieces_of(code, 400_000):
            kind, body = harness.multipart({'activate': 'true'}, {'code': ('code.tar.gz', code),
                                                                  'file': ('code.tar.gz', code[start:end])})
            headers = {'Content-Type': kind, 'Content-Range': f'bytes {start}-{end - 1}/{len(code)}'}
            if made:
                headers['X-Appwrite-ID'] = made['$id']
            made = self.accepted(self.api.ask('POST', f'/functions/{name}/deployments', body=body, headers=headers))
        self.complete(name, made['$id'], code)

    def test_an_upload_is_resumed_after_a_restart(self):
        code, name = big_package(), 'resumed'
        self.api.function(name)
        parts = pieces_of(code)
        made = self.accepted(self.api.upload_part(name, code, *parts[0]))
        for part in parts[3:]:
            self.accepted(self.api.upload_part(name, code, *part, made['$id']))
        self.daemon.restart()
        for part in parts[1:3]:
            self.accepted(self.api.upload_part(name, code, *part, made['$id']))
        self.complete(name, made['$id'], code)

    def test_a_body_sent_in_http_chunks_is_understood(self):
        code, name = big_package(300_000), 'http-chunks'
        self.api.function(name)
        kind, body = harness.multipart({'activate': 'true'}, {'code': ('code.tar.gz', code)})
        chunked = b''.join(b'%x\r\n%s\r\n' % (len(body[at:at + 50_000]), body[at:at + 50_000])
                           for at in range(0, len(body), 50_000)) + b'0\r\n\r\n'
        answer = harness.send(self.daemon.port, 'POST', f'/v1/functions/{name}/deployments',
                              {**self.api.headers, 'Content-Type': kind, 'Transfer-Encoding': 'chunked'}, chunked)
        self.complete(name, self.accepted(answer)['$id'], code)

    def test_a_piece_for_another_functions_deployment_is_refused(self):
        code = big_package(600_000)
        self.api.function('mine')
        self.api.function('yours')
        made = self.accepted(self.api.upload_part('mine', code, 0, 200_000))
        self.refused(self.api.upload_part('yours', code, 200_000, 400_000, made['$id']), 404, 'deployment_not_found')

    def test_what_is_no_upload_is_refused_and_leaves_nothing(self):
        api, name = self.api, 'refusals'
        api.function(name)
        before = set(os.listdir(self.daemon.data / 'uploads'))
        path, code = f'/functions/{name}/deployments', harness.package(harness.ECHO)

        def answer(fields, files, **headers):
            kind, body = harness.multipart(fields, files)
            return api.ask('POST', path, body=body, headers={'Content-Type': kind, **headers})
        files = {'code': ('code.tar.gz', code)}
        self.refused(answer({'activate': 'true'}, {}), 400, 'storage_file_empty')
        self.refused(answer({}, files), 400, 'general_argument_invalid')
        self.refused(answer({'activate': 'true'}, {'code': ('code.txt', b'this is no archive')}), 400, 'storage_file_type_unsupported')
        for bad in ('bytes 5-1/10', 'bytes x', 'bytes 0-9/5', f'bytes 0-{len(code) - 1}/*'):
            self.refused(answer({'activate': 'true'}, files, **{'Content-Range': bad}), 400, 'storage_invalid_content_range')
        huge = answer({'activate': 'true'}, files, **{'Content-Range': f'bytes 0-{len(code) - 1}/99999999999'})
        self.assertEqual(huge.status, 400, huge)
        self.refused(answer({'activate': 'true'}, files, **{'X-Appwrite-ID': '../../etc', 'Content-Range':
                                                            f'bytes 0-{len(code) - 1}/{len(code) * 2}'}), 400)
        self.refused(harness.Api(self.daemon.port).ask('POST', path, {}), 401, 'general_unauthorized_scope')
        self.assertEqual(api.list(path)['total'], 0)
        self.assertEqual(set(os.listdir(self.daemon.data / 'uploads')), before)


if __name__ == '__main__':
    harness.main()
