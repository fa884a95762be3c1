import { expect, test } from 'bun:test';
import { addressOf, limitedAddress, networkOf } from '../../src/shared/client-address.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['192.0.2.7:5678', '192.0.2.7'],
  [' 192.0.2.7\t', '192.0.2.7'],
  ['"192.0.2.7"', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
  ['[::ffff:192.0.2.7]:443', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:0::/56'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:0::/56'],
  ['2001:db8:1:ff02::9', '2001:db8:1:ff00::/56'],
  ['[2001:db8::1]:443', '2001:db8:0:0::/56'],
  ['[2001:db8::1]', '2001:db8:0:0::/56'],
  ['"[2001:db8::1]:443"', '2001:db8:0:0::/56'],
  ['2001:db8::', '2001:db8:0:0::/56'],
  ['fe80::1%eth0', 'fe80:0:0:0::/56'],
  ['[fe80::1%eth0.100]:1', 'fe80:0:0:0::/56'],
  ['::1', '0:0:0:0::/56'],
  ['::', '0:0:0:0::/56'],
  ['::192.0.2.7', '0:0:0:0::/56'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/56'],
])('%s counts as %s', (address, limited) => {
  expect(limitedAddress(address)).toBe(limited);
});

test.each([
  '',
  ' ',
  'unknown',
  '_hidden',
  'localhost',
  '192.0.2',
  '192.0.2.700',
  '192.0.2.7:port',
  '2001:db8',
  '2001:db8::1::2',
  ':::',
  'a:b',
  '[',
  '[]',
  '[192.0.2.7]',
  '[2001:db8::1',
  '2001:db8::1]:443',
])('%p is no address', (text) => {
  expect(limitedAddress(text)).toBe(undefined);
});

test('ten kilobytes of anything are none', () => {
  const endings = ['', '.1', ':1', '%x', ']:443', ', 192.0.2.7'];
  for (const letter of ['x', '0', ':', '[', '.', '%', ' ', '"'])
    for (const ending of endings) expect(limitedAddress(letter.repeat(10_000) + ending)).toBe(undefined);
});

test('a network is a /48, of IPv4 the address itself', () => {
  expect(networkOf('2001:db8:1:ff00::/56')).toBe('2001:db8:1::/48');
  expect(networkOf('0:0:0:0::/56')).toBe('0:0:0::/48');
  expect(networkOf('192.0.2.7')).toBe('192.0.2.7');
  expect(networkOf('unknown')).toBe('unknown');
});

const from = (forwarded?: string) =>
  new Request(
    'http://localhost',
    forwarded === undefined ? {} : { headers: { 'x-forwarded-for': forwarded } },
  );
const server = { requestIP: () => ({ address: '198.51.100.1' }) };

test('behind a proxy of ours it is what the proxy saw; the rest is the client’s word', () => {
  expect(addressOf(from('192.0.2.1, 192.0.2.2'), server, true)).toBe('192.0.2.2');
  expect(addressOf(from('192.0.2.1, [2001:db8::1]:443'), server, true)).toBe('2001:db8:0:0::/56');
  expect(addressOf(from('192.0.2.1'), server, false)).toBe('198.51.100.1');
});

test.each(['unknown', '', '192.0.2.1,', '192.0.2.1, unknown', '192.0.2.1, x:y'])(
  'a proxy that says %p is counted itself',
  (forwarded) => {
    expect(addressOf(from(forwarded), server, true)).toBe('198.51.100.1');
  },
);

test('where nothing is known everybody is one', () => {
  expect(addressOf(from(), undefined, false)).toBe('unknown');
  expect(addressOf(from(), { requestIP: () => null }, true)).toBe('unknown');
});
