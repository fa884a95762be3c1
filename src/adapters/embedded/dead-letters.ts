import { type Database, iso } from '../../db/database.ts';
import type { DeadLetter, DeadLetterSink, DeadLetterStore } from '../../shared/ports/queue.ts';
import { deadLetterId } from '../dead-letter-id.ts';

/** The first of an id stands: a further one is a repeat of the same send. */
const putSql = `INSERT INTO dead_letters (id, partition, reason, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO NOTHING`;
const listSql = `SELECT id, partition, reason, body, ${iso('dead_lettered_at')} AS "deadLetteredAt"
FROM dead_letters ORDER BY dead_lettered_at, id`;
const readSql = `SELECT id, body FROM dead_letters WHERE $1::text[] IS NULL OR id = ANY($1)`;
/** One statement: a letter is either dead or queued, never both, never neither. */
const replaySql = `WITH rewritten AS (
  SELECT * FROM unnest($1::text[], $2::text[]) AS r (id, body)
), gone AS (
  DELETE FROM dead_letters USING rewritten WHERE dead_letters.id = rewritten.id
  RETURNING dead_letters.id, partition, rewritten.body, dead_lettered_at
), queued AS (
  INSERT INTO queued_messages (partition, id, body)
  SELECT partition, id, body FROM gone ORDER BY dead_lettered_at, id
)
SELECT id, partition FROM gone ORDER BY dead_lettered_at, id`;
const dropSql = `DELETE FROM dead_letters WHERE id = ANY($1::text[]) RETURNING id`;

export function createEmbeddedDeadLetters(dependencies: {
  database: Database;
  onStored: (partitions: Iterable<number>) => void;
}): { sink: DeadLetterSink; store: DeadLetterStore } {
  const { database, onStored } = dependencies;
  return {
    sink: {
      async put({ delivery, reason }) {
        await database.query(putSql, [deadLetterId(delivery), delivery.partition, reason, delivery.body]);
      },
    },
    store: {
      list: () => database.query<DeadLetter>(listSql, []),
      async *replay(ids, rewrite = (body) => body) {
        const letters = await database.query<{ id: string; body: string }>(readSql, [
          ids === 'all' ? null : [...ids],
        ]);
        const replayed = await database.query<{ id: string; partition: number }>(replaySql, [
          letters.map(({ id }) => id),
          letters.map(({ body }) => rewrite(body)),
        ]);
        onStored(new Set(replayed.map(({ partition }) => partition)));
        yield* replayed.map(({ id }) => id);
      },
      async *drop(ids) {
        const dropped = await database.query<{ id: string }>(dropSql, [[...ids]]);
        yield* dropped.map(({ id }) => id);
      },
    },
  };
}
