import type { KeyValueStorage } from './types.ts';

/** IndexedDB, by `idb`, which is loaded at the first use. @param name of the database */
export function indexedDb(name = 'confab'): KeyValueStorage {
  const store = 'values';
  const open = async () => {
    const { openDB } = await import('idb');
    return openDB(name, 1, { upgrade: (database) => void database.createObjectStore(store) });
  };
  let opened: ReturnType<typeof open> | undefined;
  const database = () => {
    opened ??= open();
    return opened;
  };
  return {
    get: async (key) => (await database()).get(store, key),
    set: async (key, value) => void (await (await database()).put(store, value, key)),
    delete: async (key) => (await database()).delete(store, key),
    keys: async (prefix) => {
      const keys = await (await database()).getAllKeys(store);
      return keys.map(String).filter((key) => key.startsWith(prefix));
    },
  };
}
