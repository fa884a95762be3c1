import { bigint, index, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { instant } from './columns.ts';

/** The embedded queue: what RabbitMQ holds elsewhere. */
export const queuedMessages = pgTable(
  'queued_messages',
  {
    position: bigint({ mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
    partition: integer().notNull(),
    id: text().notNull(),
    body: text().notNull(),
  },
  (table) => [index('queued_messages_partition').on(table.partition, table.position)],
);

export const deadLetters = pgTable('dead_letters', {
  id: text().primaryKey(),
  partition: integer().notNull(),
  reason: text().notNull(),
  body: text().notNull(),
  deadLetteredAt: instant('dead_lettered_at').notNull().defaultNow(),
});
