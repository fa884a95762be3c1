import { PGlite } from '@electric-sql/pglite';
import initdbWasm from '@electric-sql/pglite/initdb.wasm' with { type: 'file' };
import fileSystem from '@electric-sql/pglite/pglite.data' with { type: 'file' };
import pgliteWasm from '@electric-sql/pglite/pglite.wasm' with { type: 'file' };
import { drizzle } from 'drizzle-orm/pglite';
import { once } from '../shared/once.ts';
import type { Database } from './database.ts';
import { createPool } from './pool.ts';
import * as schema from './schema.ts';
import type { Pooled } from './slot.ts';

export interface Pglite extends Database {
  /** From now on a statement waits 4 s for its turn, no longer. Until then, who starts on a slow machine has all the time it takes. */
  limitWaits(): void;
  /** Runs `work` while nothing else is asked, between two transactions: until it is done the files are what they would be after the end of the process. */
  standStill<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** A statement runs in one go, in this thread: so long they may follow one another before sockets and timers have their turn. */
const longestStretchMs = 10;

/**
 * PostgreSQL in this process. One connection: statements and transactions wait for one another.
 * @param dataDir a folder for the files
 */
export async function openPglite(dataDir: string): Promise<Pglite> {
  return pgliteDatabase(await PGlite.create({ ...(await pgliteOptions()), dataDir }));
}

export async function pgliteOptions() {
  return {
    // Beside its own module it would look for them in vain in a compiled program.
    pgliteWasmModule: await pgliteModule(),
    initdbWasmModule: await initdbModule(),
    fsBundle: Bun.file(fileSystem),
    parsers: { 20: Number, 1184: (text: string) => text },
  };
}

/** @param client made with {@link pgliteOptions} */
export function pgliteDatabase(client: PGlite): Pglite {
  const connection: Pooled = {
    ...{ closed: false, retiresAt: Number.POSITIVE_INFINITY },
    ...{ onClose() {}, destroy() {}, end: async () => {} },
  };
  let mostWaitMs = Number.POSITIVE_INFINITY;
  const pool = createPool({
    open: async () => connection,
    ...{ most: 1, patienceMs: Number.POSITIVE_INFINITY, mostWaitMs: () => mostWaitMs },
  });
  let pausedAt = performance.now();
  async function letOthersOn(): Promise<void> {
    if (performance.now() - pausedAt < longestStretchMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    pausedAt = performance.now();
  }
  const use = <Result>(work: () => Promise<Result>) =>
    new Promise<Result>((resolve, reject) => {
      pool.run({ shares: false, begin: () => letOthersOn().then(work), resolve, reject });
    });
  /** drizzle's client, which uses these two alone. */
  const runner: PGlite = Object.create(client, {
    query: { value: (...given: Parameters<PGlite['query']>) => use(() => client.query(...given)) },
    transaction: {
      value: (work: Parameters<PGlite['transaction']>[0]) => use(() => client.transaction(work)),
    },
  });
  const ask = <Row>(...given: Parameters<PGlite['query']>) => use(() => client.query<Row>(...given));

  /** Nobody else has the folder: it is this process alone that may begin twice. */
  let turn: Promise<unknown> = Promise.resolve();
  const database: Pglite = {
    orm: drizzle({ client: runner, schema }),
    query: async <Row extends object>(text: string, parameters: readonly unknown[]) =>
      (await ask<Row>(text, [...parameters])).rows,
    async queryText(text, parameters) {
      const { rows } = await ask<[string]>(text, [...parameters], { rowMode: 'array' });
      const [row] = rows;
      return row && Buffer.from(row[0]);
    },
    alone(_options, work) {
      const mine = turn.then(() => work(database));
      turn = mine.catch(() => {});
      return mine;
    },
    limitWaits() {
      mostWaitMs = 4_000;
    },
    standStill: use,
    async close() {
      await pool.close();
      await client.close();
    },
  };
  return database;
}

/** Compiling takes 0.3 s, a process opens some. */
const pgliteModule = once(() => compiled(pgliteWasm));
const initdbModule = once(() => compiled(initdbWasm));

async function compiled(path: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await Bun.file(path).arrayBuffer());
}
