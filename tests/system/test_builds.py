#!/usr/bin/python3
"""Build commands: what they see, how they end, their log, and cancelling them."""
import time
import harness


class Builds(harness.Case):
    settings = {'build_seconds': 6, 'build_log_bytes': 20_000}
    code = harness.package(harness.node("return res.text(require('fs').readFileSync(__dirname + '/made', 'utf8'));"))

    def begin(self, name, commands, **more):
        self.api.function(name, commands=commands, **more)
        return self.api.upload(name, self.code)['$id']

    def building(self, name, deployment_id, text):
        return harness.wait_for(lambda: text in self.api.deployment(name, deployment_id)['buildLogs'],
                                f'"{text}" in the log of {name}')

    def test_what_a_command_makes_is_there_at_run_time(self):
        made = self.begin('makes', 'echo -n "made by $APPWRITE_FUNCTION_NAME" > made && echo seen-in-log')
        ready = self.api.built('makes', made)
        self.assertIn('seen-in-log', ready['buildLogs'])
        self.assertEqual(self.api.execute('makes')['responseBody'], 'made by makes')

    def test_commands_see_the_variables_and_their_own_key(self):
        self.api.function('sees', commands='test "$COLOUR" = red && test -n "$APPWRITE_FUNCTION_API_KEY" && '
                          'test "$APPWRITE_FUNCTION_ID" = sees && touch made')
        self.api.post('/functions/sees/variables', {'variableId': 'v', 'key': 'COLOUR', 'value': 'red'})
        self.api.built('sees', self.api.upload('sees', self.code)['$id'])

    def test_a_failing_command_fails_the_deployment_with_its_status_and_output(self):
        failed = self.api.built('fails', self.begin('fails', 'echo to-out; echo to-err >&2; exit 3'), 'failed')
        for text in ('to-out', 'to-err', '3'):
            self.assertIn(text, failed['buildLogs'])
        self.refused(self.api.ask('POST', '/functions/fails/executions', {}), 404, 'deployment_not_found')

    def test_an_unknown_command_is_in_the_log(self):
        failed = self.api.built('unknown', self.begin('unknown', 'no-such-command-here'), 'failed')
        self.assertIn('no-such-command-here', failed['buildLogs'])

    def test_a_build_that_takes_too_long_fails(self):
        before = time.monotonic()
        failed = self.api.built('slow', self.begin('slow', 'echo begun; sleep 600'), 'failed')
        self.assertLess(time.monotonic() - before, 40)
        self.assertIn('begun', failed['buildLogs'])
        self.assertRegex(failed['buildLogs'].lower(), r'time')

    def test_a_build_can_be_cancelled_while_it_runs(self):
        made = self.begin('cancelled', 'echo begun; (sleep 600 & sleep 600)')
        self.building('cancelled', made, 'begun')
        answer = self.api.call('PATCH', f'/functions/cancelled/deployments/{made}/status', {}, expect=200)
        self.assertEqual(answer['status'], 'canceled')
        seen = self.api.deployment('cancelled', made)
        self.assertEqual(seen['status'], 'canceled')
        self.assertIn('canceled', seen['buildLogs'])
        again = self.api.call('PATCH', f'/functions/cancelled/deployments/{made}/status', {}, expect=200)
        self.assertEqual(again['status'], 'canceled')

        def gone():
            return not [pid for pid, (_, name) in harness.processes().items() if name == 'sleep' and
                        pid in harness.descendants(self.daemon.process.pid)]
        harness.wait_for(gone, 'end of the processes of a cancelled build')

    def test_a_finished_build_cannot_be_cancelled(self):
        made = self.begin('done', 'touch made')
        self.api.built('done', made)
        self.refused(self.api.ask('PATCH', f'/functions/done/deployments/{made}/status', {}), 400, 'build_already_completed')

    def test_of_a_flood_of_output_the_end_is_kept(self):
        made = self.begin('flood', 'yes "a line of the flood" | head -n 200000; echo the-very-end; touch made')
        ready = self.api.built('flood', made)
        self.assertLessEqual(len(ready['buildLogs']), 40_000)
        self.assertIn('the-very-end', ready['buildLogs'])

    def test_the_log_grows_while_the_build_runs(self):
        made = self.begin('live', 'echo first-line; sleep 2; echo last-line; touch made')
        self.building('live', made, 'first-line')
        self.assertNotIn('last-line', self.api.deployment('live', made)['buildLogs'])
        self.assertIn('last-line', self.api.built('live', made)['buildLogs'])

    def test_deleting_the_function_ends_its_build(self):
        made = self.begin('deleted', 'echo begun; sleep 600')
        self.building('deleted', made, 'begun')
        self.api.call('DELETE', '/functions/deleted', expect=204)
        self.refused(self.api.ask('GET', f'/functions/deleted/deployments/{made}'), 404, 'function_not_found')
        harness.wait_for(lambda: not (self.daemon.data / 'builds' / made).exists(), 'end of the tree')


if __name__ == '__main__':
    harness.main()
