-- What verdicts taught, for boards: how often the like of a signal was judged, and what it asks for since.

CREATE VIEW vigie_boards.taught AS
SELECT DISTINCT ON (perimeter, kind, since, dismissed, confirmed)
       signal_id, perimeter, perimeter_name, kind, label, dismissed, confirmed, times, since
FROM (
    SELECT signal_id, signal.perimeter, perimeter.name AS perimeter_name, kind, label, bucket_at,
           (explanation #>> '{taught,dismissed}')::bigint AS dismissed,
           (explanation #>> '{taught,confirmed}')::bigint AS confirmed,
           (explanation #>> '{taught,times}')::double precision AS times,
           (explanation #>> '{taught,since}')::date AS since
    FROM vigie.signal JOIN vigie.perimeter ON path = signal.perimeter
    WHERE jsonb_typeof(explanation -> 'taught') = 'object'
) AS told
ORDER BY perimeter, kind, since, dismissed, confirmed, bucket_at DESC, signal_id;
COMMENT ON VIEW vigie_boards.taught IS 'times: the evidence that the like of the signal needs at the perimeter since a day, compared with what nobody judged. Of signals alike, the newest.';
