export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** From `lowest` to `highest`, both included. */
  integer(lowest: number, highest: number): number;
  /** @throws RangeError of an empty list */
  pick<Item>(items: readonly Item[]): Item;
  shuffle<Item>(items: readonly Item[]): Item[];
  /** A stream of its own: drawing from one does not move another. */
  fork(name: string): Random;
  /** Looks like a UUIDv4. */
  uuid(): string;
}

/** The same numbers from the same seed, on every machine (mulberry32). */
export function createRandom(seed: number | string): Random {
  let state = typeof seed === 'number' ? seed >>> 0 : hash(seed);

  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const integer = (lowest: number, highest: number): number =>
    lowest + Math.floor(next() * (highest - lowest + 1));

  return {
    next,
    integer,
    pick(items) {
      const at = integer(0, items.length - 1);
      const item = items[at];
      if (item === undefined) throw new RangeError('there is nothing to pick from');
      return item;
    },
    shuffle<Item>(items: readonly Item[]): Item[] {
      const left = [...items];
      const order: Item[] = [];
      while (left.length > 0) order.push(...left.splice(integer(0, left.length - 1), 1));
      return order;
    },
    fork: (name) => createRandom(`${seed}/${name}`),
    uuid() {
      const hex = Array.from({ length: 32 }, () => integer(0, 15).toString(16));
      hex[12] = '4';
      hex[16] = '8';
      const part = (from: number, to: number) => hex.slice(from, to).join('');
      return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`;
    },
  };
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
