#!/usr/bin/python3
"""A restart changes nothing that was answered; a crash settles what was running."""
import os
import signal
import time
import harness


class Restart(harness.Case):
    def test_everything_is_there_after_a_restart(self):
        api = self.api
        api.function('kept', timeout=33, schedule='0 0 1 1 *', events=['users.*.create'], scopes=['users.read'])
        api.post('/functions/kept/variables', {'variableId': 'v', 'key': 'COLOUR', 'value': 'red', 'secret': False})
        deployment = api.deploy('kept', harness.node("return res.text(process.env.COLOUR);"))
        done = api.execute('kept')
        before = {path: api.get(path) for path in (
            '/functions/kept', '/functions/kept/variables/v', f'/functions/kept/deployments/{deployment["$id"]}',
            f'/functions/kept/executions/{done["$id"]}')}
        self.daemon.restart()
        for path, seen in before.items():
            self.assertEqual(api.get(path), seen, path)
        self.assertEqual(api.execute('kept')['responseBody'], 'red')
        self.assertEqual(self.daemon.guest().domain('kept').text, 'red')

    def test_what_waits_runs_after_a_restart(self):
        api = self.api
        api.function('waits', harness.PYTHON, timeout=5)
        api.deploy('waits', harness.python("time.sleep(0.2)\nreturn context.res.text('ran')", 'import time'))
        made = [api.call('POST', '/functions/waits/executions', {'async': True}, 202)['$id'] for _ in range(30)]
        self.daemon.restart()
        for one in made:
            self.assertEqual(api.finished('waits', one)['status'], 'completed')

    def test_what_ran_when_the_api_died_is_failed_and_never_run_again(self):
        api = self.api
        api.function('runs', timeout=60)
        api.deploy('runs', harness.node("log('begun'); await new Promise(() => {});"))
        made = api.call('POST', '/functions/runs/executions', {'async': True}, 202)['$id']
        harness.wait_for(lambda: api.execution('runs', made)['status'] == 'processing', 'start of the execution')
        pid = next(pid for pid, name in self.daemon.children().items() if name == 'functiond-api')
        os.kill(pid, signal.SIGKILL)
        harness.wait_for(lambda: pid not in harness.processes(), 'end of the api')
        harness.wait_for(self.daemon.answers, 'answer of the next api')
        seen = api.execution('runs', made)
        self.assertEqual(seen['status'], 'failed')
        self.assertTrue(seen['errors'])

    def test_a_build_that_ran_when_the_api_died_is_built_again(self):
        api = self.api
        api.function('builds', commands='sleep 1; touch made')
        made = api.upload('builds', harness.package(harness.node("return res.text('built');")))['$id']
        harness.wait_for(lambda: api.deployment('builds', made)['status'] == 'building', 'start of the build')
        pid = next(pid for pid, name in self.daemon.children().items() if name == 'functiond-api')
        os.kill(pid, signal.SIGKILL)
        harness.wait_for(lambda: pid not in harness.processes(), 'end of the api')
        harness.wait_for(self.daemon.answers, 'answer of the next api')
        api.built('builds', made)
        self.assertEqual(api.execute('builds')['responseBody'], 'built')

    def test_the_packages_of_a_deleted_deployment_go_at_the_next_start(self):
        api = self.api
        packages = self.daemon.data / 'packages'
        api.function('goes', commands='touch made')
        before = set(os.listdir(packages))
        first = api.deploy('goes', harness.node("return res.text('goes');"))['$id']
        made = set(os.listdir(packages)) - before
        api.call('DELETE', f'/functions/goes/deployments/{first}', expect=204)
        self.assertLessEqual(made, set(os.listdir(packages)), 'young ones may be named again')
        self.daemon.stop()
        time.sleep(3)       # what is as young as the new start might be its own
        self.daemon.start()
        harness.wait_for(lambda: not made & set(os.listdir(packages)), 'removal of the packages')

    def test_the_files_of_a_deleted_project_go_at_the_next_start(self):
        kept = self.api
        kept.function('stays', commands='touch made')
        kept_tree = kept.deploy('stays', harness.node("return res.text('stays');"))['$id']
        self.daemon.output('project', 'create', '--id', 'leaves', '--name', 'Leaves')
        api = self.daemon.api('leaves', self.daemon.output('key', 'create', '--project', 'leaves', '--name', 'k',
                                                           '--scopes', 'all'))
        api.function('f', commands='touch made')
        before = set(os.listdir(self.daemon.data / 'packages'))
        tree = api.deploy('f', harness.node("return res.text('leaves');"))['$id']
        packages = set(os.listdir(self.daemon.data / 'packages')) - before
        files = [self.daemon.data / 'builds' / tree, self.daemon.data / 'cache' / 'leaves',
                 *(self.daemon.data / 'packages' / name for name in packages)]
        self.assertEqual([path for path in files if not path.exists()], [])
        self.daemon.output('project', 'delete', '--id', 'leaves')
        self.daemon.stop()
        time.sleep(3)       # what is as young as the new start might be its own
        self.daemon.start()
        harness.wait_for(lambda: not any(path.exists() for path in files), 'removal of the files')
        self.assertTrue((self.daemon.data / 'builds' / kept_tree).exists())
        self.assertTrue((self.daemon.data / 'cache' / 'default').exists())
        self.assertEqual(kept.execute('stays')['responseBody'], 'stays')


if __name__ == '__main__':
    harness.main()
