import { bigint, customType, timestamp } from 'drizzle-orm/pg-core';

export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
/** Counters stay below 2^53. */
export const counter = (name: string) => bigint(name, { mode: 'number' });
export const content = customType<{ data: string }>({ dataType: () => 'message_content' });
/** Compared byte by byte, whatever the database's own order is. */
export const bytewise = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });
export const bytes = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' });
