import type { KeyValueStorage } from './types.ts';

/** As long as the page lives. */
export function memory(): KeyValueStorage {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => void values.set(key, value),
    delete: async (key) => void values.delete(key),
    keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
}

interface LocalStorage {
  readonly length: number;
  key(at: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

function ofThePage(): LocalStorage | undefined {
  try {
    return (globalThis as unknown as { localStorage?: LocalStorage }).localStorage;
  } catch {
    // Where cookies are blocked even asking for it throws.
    return undefined;
  }
}

/** `localStorage`: some 5 MB. Where there is none, as long as the page lives. */
export function local(storage = ofThePage()): KeyValueStorage {
  if (!storage) return memory();
  return {
    get: async (key) => storage.getItem(key) ?? undefined,
    set: async (key, value) => storage.setItem(key, value),
    delete: async (key) => storage.removeItem(key),
    keys: async (prefix) =>
      Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? '').filter((key) =>
        key.startsWith(prefix),
      ),
  };
}

/** What a browser's tabs share. Elsewhere nothing is kept unless somebody says so. */
export const browserStorage = (): KeyValueStorage | undefined =>
  'document' in globalThis && ofThePage() ? local() : undefined;

/** A part of it. */
const within = (storage: KeyValueStorage, prefix: string): KeyValueStorage => ({
  get: (key) => storage.get(prefix + key),
  set: (key, value) => storage.set(prefix + key, value),
  delete: (key) => storage.delete(prefix + key),
  keys: async (of) => (await storage.keys(prefix + of)).map((key) => key.slice(prefix.length)),
});

/** A user's own, once it is known who that is. */
export const storageOf = (
  storage: KeyValueStorage | undefined,
  url: string,
  subject: string | undefined,
): KeyValueStorage | undefined =>
  storage && subject ? within(storage, `confab/2/${url}/${subject}/`) : undefined;

/** For what is nowhere else: where the storage is full, room is made for it. */
export const preciousIn = (
  storage: KeyValueStorage | undefined,
  makeRoom: () => Promise<void>,
): KeyValueStorage | undefined =>
  storage && {
    ...storage,
    set: (...of) => storage.set(...of).catch(() => makeRoom().then(() => storage.set(...of))),
  };
