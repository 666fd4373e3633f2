-- What people did with signals, for boards: states, verdicts and delays, never who.

CREATE VIEW vigie_boards.lifecycle AS
SELECT signal_id, signal.perimeter, bucket_at AS raised_at, owning_function,
       coalesce(state.state, 'untouched') AS state, verdict, acknowledged_at, resolved_at,
       extract(epoch FROM acknowledged_at - told_at)::double precision AS acknowledged_after,
       extract(epoch FROM resolved_at - acknowledged_at)::double precision AS resolved_after
FROM vigie.signal
LEFT JOIN vigie.signal_state AS state USING (signal_id)
LEFT JOIN (
    SELECT signal_id, min(settled_at) AS told_at
    FROM vigie.alert JOIN vigie.outbox USING (message_id) WHERE outbox.state = 'sent' GROUP BY signal_id
) AS told USING (signal_id);
COMMENT ON VIEW vigie_boards.lifecycle IS 'acknowledged_after: seconds since the first subscriber was told, null where nobody was; resolved_after: since then. verdict: confirmed or dismissed.';
