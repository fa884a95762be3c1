import { PGlite } from '@electric-sql/pglite';
import initdbWasm from '@electric-sql/pglite/initdb.wasm' with { type: 'file' };
import fileSystem from '@electric-sql/pglite/pglite.data' with { type: 'file' };
import pgliteWasm from '@electric-sql/pglite/pglite.wasm' with { type: 'file' };
import { drizzle } from 'drizzle-orm/pglite';
import { once } from '../shared/once.ts';
import type { Database } from './database.ts';
import * as schema from './schema.ts';

export interface Pglite extends Database {
  /** Runs `work` while nothing else is asked: until it is done the files are what they would be after the end of the process. */
  standStill<Result>(work: () => Promise<Result>): Promise<Result>;
}

/**
 * PostgreSQL in this process. One connection: statements wait for one another.
 * @param dataDir a folder for the files; nothing is kept where it is not given
 */
export async function openPglite(dataDir?: string): Promise<Pglite> {
  const client = await PGlite.create({
    ...(dataDir === undefined ? {} : { dataDir }),
    // Beside its own module it would look for them in vain in a compiled program.
    pgliteWasmModule: await pgliteModule(),
    initdbWasmModule: await initdbModule(),
    fsBundle: Bun.file(fileSystem),
    parsers: { 20: Number, 1184: (text: string) => text },
  });
  /** Nobody else has the folder: it is this process alone that may begin twice. */
  let turn: Promise<unknown> = Promise.resolve();
  const database: Pglite = {
    orm: drizzle({ client, schema }),
    query: async <Row extends object>(text: string, parameters: readonly unknown[]) =>
      (await client.query<Row>(text, [...parameters])).rows,
    async queryText(text, parameters) {
      const { rows } = await client.query<[string]>(text, [...parameters], { rowMode: 'array' });
      const [row] = rows;
      return row && Buffer.from(row[0]);
    },
    alone(_options, work) {
      const mine = turn.then(() => work(database));
      turn = mine.catch(() => {});
      return mine;
    },
    standStill: (work) => client.runExclusive(work),
    close: () => client.close(),
  };
  return database;
}

/** Compiling takes 0.3 s, a process opens some. */
const pgliteModule = once(() => compiled(pgliteWasm));
const initdbModule = once(() => compiled(initdbWasm));

async function compiled(path: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await Bun.file(path).arrayBuffer());
}
