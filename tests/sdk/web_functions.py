"""The functions that the stories of web clients call: one for everybody, one for users."""
import harness

MODERN = harness.node('''
    log('seen');
    if (req.bodyText === 'fail') throw new Error('on purpose');
    if (req.path === '/missing') return res.text('not here', 404);
    return res.json({ user: req.headers['x-appwrite-user-id'] ?? '', body: req.bodyText, method: req.method });''')
LEGACY = {'main.js': '''module.exports = (req, res) => {
    if (req.payload === 'fail') throw new Error('on purpose');
    res.json({ user: req.variables.APPWRITE_FUNCTION_USER_ID ?? '', body: req.payload });
};''', 'package.json': '{}'}      # their build is `npm install`, which wants one


def names(api, style):
    """Makes them if they are not there -> {'open': id, 'users': id}."""
    legacy = style == 'legacy'
    made = {name: f'web-{name}' + ('-legacy' if legacy else '') for name in ('open', 'users')}
    for name, function_id in made.items():
        if api.ask('GET', f'/functions/{function_id}').status == 200:
            continue
        api.call('POST', '/functions', {'functionId': function_id, 'name': name, 'runtime': harness.NODE,
                                        'execute': ['any' if name == 'open' else 'users'], 'entrypoint': 'main.js'},
                 expect=201, headers={'X-Appwrite-Response-Format': '1.0.0'} if legacy else None)
        api.deploy(function_id, LEGACY if legacy else MODERN, **({'entrypoint': 'main.js'} if legacy else {}))
    return made
