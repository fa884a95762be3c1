import type { KeyValueStorage } from '@confab/client';

/** What one user of this browser keeps here, apart from what others do. */
export function storageOf(userId: string): KeyValueStorage {
  const own = `confab.${userId}.`;
  return {
    get: async (key) => localStorage.getItem(own + key) ?? undefined,
    set: async (key, value) => localStorage.setItem(own + key, value),
    delete: async (key) => localStorage.removeItem(own + key),
    keys: async (prefix) =>
      Object.keys(localStorage).flatMap((key) => (key.startsWith(own + prefix) ? key.slice(own.length) : [])),
  };
}
