import type { Database } from '../database.ts';

/** Rows of one commit. */
const mostRows = 1_000;

/** The function is the one of `drizzle/`. @returns whether there may be more to purge */
export async function purgeDeletedChat(database: Pick<Database, 'query'>): Promise<boolean> {
  const [row] = await database.query<{ more: boolean }>('SELECT purge_deleted_chat($1::int) AS more', [
    mostRows,
  ]);
  return row?.more === true;
}
