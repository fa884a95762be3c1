import { expect, test } from 'bun:test';
import { readMigrations } from '../../src/db/migration-files.ts';

const migrations = readMigrations();
/** Those before say nothing: the versions that made them asked for the very same schema. */
const named = migrations.slice(3);

test('every migration says since which one a program is compatible with it, which is an earlier one or itself', () => {
  for (const { name, compatibleSince } of named) {
    const at = migrations.findIndex((other) => other.name === compatibleSince);
    expect({ name, at }).toEqual({ name, at: expect.any(Number) });
    expect(at).toBeGreaterThanOrEqual(0);
    expect(at).toBeLessThanOrEqual(migrations.findIndex((other) => other.name === name));
  }
  expect(named.map(({ compatibleSince }) => compatibleSince)).not.toEqual(named.map(({ name }) => name));
});

test('none of their statements names a schema', () => {
  const statements = migrations.flatMap((migration) => migration.statements);
  expect(statements.filter((statement) => /\bpublic"?\./.test(statement))).toEqual([]);
});

test('what is made concurrently is outside a transaction, where each statement can be run again', () => {
  for (const { name, statements, inOneTransaction } of migrations) {
    const concurrent = statements.some((statement) => /\bCONCURRENTLY\b/.test(statement));
    expect({ name, inOneTransaction }).toEqual({ name, inOneTransaction: inOneTransaction && !concurrent });
    if (inOneTransaction) continue;
    for (const statement of statements)
      expect(statement).toMatch(
        /\bIF (NOT )?EXISTS\b|\bCREATE OR REPLACE\b|\bCONCURRENTLY\b|\bVALIDATE CONSTRAINT\b|\bSET NOT NULL;|" SET \(|'GRANT |^CALL (copy|count)_/m,
      );
  }
});

test('none holds the lock of one table while it waits for that of another', () => {
  const namesIn = (statements: readonly string[], pattern: RegExp) =>
    new Set(statements.flatMap((statement) => pattern.exec(statement)?.[1] ?? []));
  for (const { name, statements, inOneTransaction } of named) {
    if (!inOneTransaction) continue;
    const altered = namesIn(statements, /^ALTER TABLE "?(\w+)/m);
    const tables = altered.difference(namesIn(statements, /\bRENAME TO "?(\w+)/));
    expect({ name, tables: [...tables].slice(1) }).toEqual({ name, tables: [] });
  }
});

test('whoever upgrades finds each in the table of the docs', async () => {
  const text = await Bun.file(`${import.meta.dir}/../../docs/upgrading.md`).text();
  for (const { name, compatibleSince } of named)
    expect(text).toContain(`| \`${name}\` | \`${compatibleSince}\` |`);
});
