-- All states but `completed`: so lists of one function's failures follow an index too, while the usual insert pays nothing.
-- OR and not IN: only so does SQLite see that status = 'failed' is covered by it.
DROP INDEX executions_pending;

CREATE INDEX executions_unusual ON executions (status, function_seq)
    WHERE status = 'failed' OR status = 'waiting' OR status = 'scheduled' OR status = 'processing';
