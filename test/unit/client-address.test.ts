import { expect, test } from 'bun:test';
import { limitedAddress } from '../../src/shared/client-address.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['unknown', 'unknown'],
])('%s counts as %s', (address, limited) => {
  expect(limitedAddress(address)).toBe(limited);
});

test('what a proxy puts there counts as one short word, whatever it is', () => {
  expect(limitedAddress('x'.repeat(10_000))).toHaveLength(64);
});
