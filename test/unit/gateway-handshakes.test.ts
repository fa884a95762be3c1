import { expect, test } from 'bun:test';
import { Connection } from '../../src/gateway/connection.ts';
import { createHandshakes, type HandshakeLimits, type Handshakes } from '../../src/gateway/handshakes.ts';

class TestConnection extends Connection {
  constructor(handshakes: Handshakes, address: string) {
    super((connection) => {
      handshakes.delete(connection);
      connection.leave();
    }, address);
  }
}

function world(limits: Partial<HandshakeLimits>) {
  const closed: string[] = [];
  const all = { most: 1_000, mostOfNetwork: 1_000, mostOfAddress: 1_000, ...limits };
  const handshakes = createHandshakes(all, (address) => closed.push(address));
  return {
    handshakes,
    closed,
    open(address: string): TestConnection | undefined {
      if (!handshakes.makeRoom(address)) return undefined;
      const connection = new TestConnection(handshakes, address);
      handshakes.add(connection);
      return connection;
    },
  };
}
const ofSite = (at: number) => `2001:db8:1:${((at % 256) << 8).toString(16)}::/56`;

test('an address that has its share loses its own oldest, and nobody else theirs', () => {
  const { open } = world({ mostOfAddress: 3 });
  const other = open('192.0.2.2');
  const flood = Array.from({ length: 10 }, () => open('192.0.2.1'));
  expect(flood.map((one) => one?.closed)).toEqual([...Array(7).fill(true), ...Array(3).fill(false)]);
  expect(other?.closed).toBe(false);
});

test('a network that has its share loses one of the address that has most', () => {
  const { open } = world({ mostOfNetwork: 6 });
  const quiet = open(ofSite(1));
  const loud = Array.from({ length: 5 }, () => open(ofSite(2)));
  const newcomer = open(ofSite(3));
  expect([quiet?.closed, newcomer?.closed]).toEqual([false, false]);
  expect(loud.map((one) => one?.closed)).toEqual([true, false, false, false, false]);
});

test('who floods from a whole /48 crowds out nobody elsewhere, whose connect lasts as long as it likes', () => {
  const { open } = world({ most: 40, mostOfNetwork: 30, mostOfAddress: 10 });
  const honest = Array.from({ length: 20 }, (_, at) => open(`192.0.2.${at}`));
  const beside = open(ofSite(7));
  for (let at = 0; at < 10_000; at += 1) expect(open(ofSite(200 + (at % 12)))).toBeDefined();
  expect(honest.some((one) => one === undefined || one.closed)).toBe(false);
  // In the flooded network too: it has one, the others of it have more.
  expect(beside?.closed).toBe(false);
  for (let at = 0; at < 15; at += 1) expect(open(`198.51.100.${at}`)).toBeDefined();
});

test('one that is being let in is not closed; where all are, the newcomer is refused', () => {
  const { open } = world({ most: 2 });
  const [one, two] = [open('192.0.2.1'), open('192.0.2.2')];
  one!.handshake!.busy = true;
  const three = open('192.0.2.3');
  expect([one!.closed, two!.closed, three!.closed]).toEqual([false, true, false]);
  three!.handshake!.busy = true;
  expect(open('192.0.2.4')).toBeUndefined();
  one!.handshake!.busy = false;
  expect(open('192.0.2.4')).toBeDefined();
  expect(one!.closed).toBe(true);
});

test('what has joined or is closed is counted no more, whatever was said of it', () => {
  const { open, handshakes, closed } = world({ most: 3, mostOfNetwork: 3, mostOfAddress: 3 });
  for (let at = 0; at < 1_000; at += 1) {
    const one = open(ofSite(at))!;
    one.handshake!.busy = at % 2 === 0;
    handshakes.delete(one);
    handshakes.delete(one);
  }
  for (let at = 0; at < 3; at += 1) open(ofSite(at));
  expect(closed).toEqual([]);
  open(ofSite(9));
  expect(closed).toHaveLength(1);
});
