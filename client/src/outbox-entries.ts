import type { Message } from './contract.ts';
import { type Entry, mergeEntries } from './outbox-entry.ts';
import type { KeyValueStorage, MessageState } from './types.ts';

const prefix = 'outbox/';

/** What is to be sent, here and in the storage. */
export function createEntries(deps: {
  storage: () => KeyValueStorage | undefined;
  onChange: (entry: Entry) => void;
  /** To tell the other tabs. */
  onStored: (clientMessageId: string) => void;
}) {
  const { storage, onChange, onStored } = deps;
  const entries = new Map<string, Entry>();
  let [lastOrder, life] = [0, 0];

  const of = (chatId: string): Entry[] =>
    [...entries.values()].filter((one) => one.chatId === chatId).sort((a, b) => a.order - b.order);

  async function store(clientMessageId: string): Promise<void> {
    const entry = entries.get(clientMessageId);
    const key = prefix + clientMessageId;
    try {
      // What was just being sent is sent again after a crash.
      const state = entry?.state === 'sending' ? 'queued' : entry?.state;
      if (entry) await storage()?.set(key, JSON.stringify({ ...entry, state }));
      else await storage()?.delete(key);
      onStored(clientMessageId);
    } catch {
      // A full storage: it is sent all the same, as long as the tab lives.
    }
  }

  /** What it is now; undefined: it is done, or gone. */
  function put(before: Entry, after: Entry | undefined): Promise<void> {
    const { clientMessageId, revision } = before;
    if (after) entries.set(clientMessageId, { ...after, revision: revision + 1 });
    else entries.delete(clientMessageId);
    onChange(after ?? before);
    return store(clientMessageId);
  }

  /** As it is in the storage. */
  async function take(clientMessageId: string): Promise<void> {
    const own = life;
    const text = await storage()?.get(prefix + clientMessageId);
    if (own !== life) return;
    const known = entries.get(clientMessageId);
    const kept = text === undefined ? undefined : (JSON.parse(text) as Entry);
    const entry = kept && known ? mergeEntries(known, kept) : kept;
    if (kept && entry) {
      entries.set(clientMessageId, entry);
      lastOrder = Math.max(lastOrder, entry.order);
      onChange(entry);
      if (entry.after.length !== kept.after.length) await put(entry, entry);
    } else if (known) {
      entries.delete(clientMessageId);
      onChange(known);
    }
  }

  return {
    of,
    put,
    all: () => [...entries.values()],
    get: (clientMessageId: string) => entries.get(clientMessageId),
    /** Rising, whatever the clock does, and not that of another tab. */
    nextOrder(): number {
      lastOrder = Math.max(lastOrder + 1, Date.now() + Math.random());
      return lastOrder;
    },
    /** If it is still in this state. */
    async change(clientMessageId: string, from: MessageState, changes: Partial<Entry>): Promise<void> {
      const entry = entries.get(clientMessageId);
      if (entry?.state === from) await put(entry, { ...entry, ...changes });
    },
    /** What answers it names it as the server does, before it is sent for the first time: a repeat must be the same. */
    named(chatId: string, { clientMessageId, id: replyTo }: Pick<Message, 'clientMessageId' | 'id'>): void {
      for (const entry of of(chatId))
        if (entry.message.replyTo === clientMessageId)
          void put(entry, { ...entry, message: { ...entry.message, replyTo } });
    },
    /** All of it or one. */
    async restore(clientMessageId?: string): Promise<void> {
      const own = life;
      const keys = clientMessageId ? [] : await (storage()?.keys(prefix) ?? []);
      const ids = clientMessageId ? [clientMessageId] : keys.map((key) => key.slice(prefix.length));
      // One that can't be read is none of the others' business.
      for (const id of ids) if (own === life) await take(id).catch(() => {});
      // What was sent before it was known where it is kept.
      if (!clientMessageId) for (const id of entries.keys()) if (!ids.includes(id)) void store(id);
    },
    forget(): void {
      life += 1;
      const gone = [...entries.values()];
      entries.clear();
      for (const entry of gone) onChange(entry);
    },
  };
}
