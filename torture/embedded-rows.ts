import { openDataFolder } from '../src/process/data-folder.ts';
import { readRows } from './collect.ts';
import type { DatabaseRows, DeadLetterRow } from './rows.ts';

/** What a data folder holds when the process on it has ended. */
export async function readDataFolder(dataDir: string): Promise<{
  database: DatabaseRows;
  deadLetters: DeadLetterRow[];
  queued: number;
}> {
  const folder = await openDataFolder(dataDir);
  try {
    const database = await folder.openDatabase();
    try {
      const [queue] = await database.query<{ count: number }>('SELECT count(*) FROM queued_messages', []);
      return {
        database: await readRows((text) => database.query(text, [])),
        deadLetters: await database.query('SELECT id, reason, body FROM dead_letters', []),
        queued: queue?.count ?? 0,
      };
    } finally {
      await database.close();
    }
  } finally {
    folder.close();
  }
}
