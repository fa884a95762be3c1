import type { Database } from '../../src/db/database.ts';
import type { ChatApi, TestUser } from './chat-api.ts';

/** All pages of them. */
export async function changesOf(api: ChatApi, user: TestUser, chatId: string, after: number) {
  // biome-ignore lint/suspicious/noExplicitAny: what the test expects of it is checked by `expect`
  const all: { event: string; payload: any }[] = [];
  for (let from = after; ; ) {
    const { body } = await api.call(user, 'GET', `/chats/${chatId}/changes?after=${from}`);
    if (body.data.length === 0) return all;
    all.push(...body.data);
    from = body.eventSequence;
  }
}

/** What a logical dump would show: the tables, partitions as one, in a row of which there is this. */
export async function tableTexts(database: Database, word: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1`,
    [],
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await database.query<{ holds: boolean }>(
      // Of bytes a text is their hexadecimal digits.
      `SELECT EXISTS (
        SELECT FROM ${name} t WHERE strpos(t::text, $1) > 0 OR strpos(t::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0
      ) AS holds`,
      [word],
    );
    if (row?.holds) found.push(name);
  }
  return found;
}
