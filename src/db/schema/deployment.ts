import { integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { kindsOfBefore } from '../../shared/ports/registry.ts';
import { instant } from './columns.ts';

/** Facts about this deployment, the same for all processes: the partition count, the hash's name, the keys. */
export const settings = pgTable('settings', {
  key: text().primaryKey(),
  value: text().notNull(),
});

/**
 * Processes that live, by their beats. The view `workers` shows those of them that consume to versions from before there
 * were others, whose workers write their own beats through it: the defaults are what is true of them.
 */
export const processes = pgTable('processes', {
  id: uuid().primaryKey(),
  seenAt: instant('seen_at').notNull(),
  roles: text({ enum: ['api', 'worker', 'gateway'] })
    .array()
    .notNull()
    .default(['worker']),
  /** Null of a version that does not say it. */
  programVersion: text('program_version'),
  /** The highest version of an envelope that it can read. */
  envelopeVersion: integer('envelope_version').notNull().default(1),
  /** The events of durable changes that it can load. */
  kinds: text().array().notNull().default(kindsOfBefore),
  /** Of what it must have in common with the others; never a secret. */
  fingerprints: jsonb().$type<Record<string, string>>().notNull().default({}),
});
