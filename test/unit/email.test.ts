import { expect, test } from 'bun:test';
import { isDeliverable, normalEmail } from '../../src/shared/email.ts';

test.each([
  ['ada@example.com', 'ada@example.com'],
  ['Ada.L@Example.COM', 'ada.l@example.com'],
  ["o'brien@example.com", "o'brien@example.com"],
  ['a+b@example.com', 'a+b@example.com'],
  ["!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"],
  ['x@xn--bcher-kva.example', 'x@xn--bcher-kva.example'],
  ['x@bücher.example', 'x@xn--bcher-kva.example'],
  ['x@BÜCHER.Example', 'x@xn--bcher-kva.example'],
  ['x@日本。jp', 'x@xn--wgv71a.jp'],
  ['x@почта.рф', 'x@xn--80a1acny.xn--p1ai'],
  ['x@نامه\u200cای.com', 'x@xn--mgba3gch31f060k.com'],
  ['x@ab--c.example', 'x@ab--c.example'],
  ['x@a.b.c.museum', 'x@a.b.c.museum'],
  ['x@1.example', 'x@1.example'],
])('%s is kept as %s', (given, kept) => {
  expect(normalEmail(given)).toBe(kept);
  expect(normalEmail(kept)).toBe(kept);
});

const noAddresses = [
  ['', 'ada', '@example.com', 'ada@', 'ada@@example.com', 'ada@b@example.com'],
  [
    '.ada@example.com',
    'ada.@example.com',
    'a..b@example.com',
    'a b@example.com',
    '"ada"@example.com',
    'ad\u0131@x.com',
  ],
  ['ada@localhost', 'ada@-a.com', 'ada@a-.com', 'ada@a..com', 'ada@.com', 'ada@com.', 'ada@a_b.com'],
  ['ada@192.0.2.1', 'ada@[192.0.2.1]', 'ada@example.1', 'ada@0x7f.1', 'ada@xn--a.com', 'ada@☃.net'],
  [
    'ada@ex\u00adample.com',
    'ada@ex\u200dample.com',
    'ada@example.com/x',
    'ada@example.com:80',
    'ada@a%2eb.com',
  ],
  ['ada@example.com\n', `${'x'.repeat(250)}@x.io`],
].flat();
test.each(noAddresses)('%j is no address', (text) => {
  expect(normalEmail(text)).toBeUndefined();
});

test('an address that nothing can be sent to is none for a new account, and known for an old one', () => {
  const long = [`${'a'.repeat(65)}@example.com`, `ada@${'a'.repeat(64)}.com`];
  for (const email of long) {
    expect(normalEmail(email)).toBe(email);
    expect(isDeliverable(email)).toBe(false);
  }
  expect(isDeliverable(`${'a'.repeat(64)}@${'a'.repeat(63)}.com`)).toBe(true);
});
