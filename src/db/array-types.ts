import type postgres from 'postgres';

/**
 * Arrays of PostgreSQL's own types, for postgres.js. By itself it asks for them on each new connection, and a connection that ends
 * meanwhile is a rejection that nobody can catch: it ended the process.
 */
export const arrayTypes: Record<string, postgres.PostgresType> = {
  // text, name, varchar, uuid; times as they are outside of arrays
  texts: arrays([1009, 1003, 1015, 2951, 1185, 1182, 1115], (text) => text),
  // int2, int4, int8, float4, float8
  numbers: arrays([1005, 1007, 1016, 1021, 1022], Number),
  booleans: arrays([1000], (text) => text === 't'),
  // json, jsonb
  documents: arrays([199, 3807], (text) => JSON.parse(text)),
};

function arrays(oids: [number, ...number[]], parse: (text: string) => unknown): postgres.PostgresType {
  return { to: oids[0], from: oids, serialize: literal, parse: (text: string) => elements(text, parse) };
}

/** `{"a","b",NULL}`; what is no array is taken for such a literal. */
export function literal(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const written = value.map((each) => {
    if (each === null || each === undefined) return 'NULL';
    if (Array.isArray(each)) return literal(each);
    return `"${String(each).replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${written.join(',')}}`;
}

const element = /"((?:[^"\\]|\\.)*)"|([^,{}"]+)|([{}])/gs;

function elements(text: string, parse: (text: string) => unknown): unknown[] {
  const outer: unknown[] = [];
  const open = [outer];
  for (const [, quoted, plain, brace] of text.matchAll(element)) {
    const innermost = open.at(-1) ?? outer;
    if (brace === '{') {
      const inner: unknown[] = [];
      innermost.push(inner);
      open.push(inner);
    } else if (brace === '}') open.pop();
    else if (quoted !== undefined) innermost.push(parse(quoted.replace(/\\(.)/gs, '$1')));
    else innermost.push(plain === 'NULL' ? null : parse(plain ?? ''));
  }
  return outer[0] as unknown[];
}
