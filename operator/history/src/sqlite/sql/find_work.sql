SELECT w.work_key, w.run_id, w.step, w.item, w.outputs, w.artifacts, w.finished_at
  FROM (SELECT s.work_key, s.run_id, s.step, s.item, s.outputs, s.artifacts, s.finished_at,
               row_number() OVER (PARTITION BY s.work_key ORDER BY s.finished_at DESC, s.run_id DESC, s.step, s.item) AS place
          FROM steps s
          JOIN runs r ON r.id = s.run_id
         WHERE s.work_key IN (SELECT value FROM json_each(?2)) AND r.namespace_uid = ?1
           AND s.phase = 'Succeeded' AND s.attempt > 0 AND s.finished_at IS NOT NULL) AS w
 WHERE w.place = 1
