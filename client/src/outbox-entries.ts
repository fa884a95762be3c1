import type { Message } from './contract.ts';
import { newId } from './new-id.ts';
import type { Entry } from './outbox-entry.ts';
import type { KeyValueStorage, MessageState } from './types.ts';

const prefix = 'outbox/';

/** What is to be done, here and in the storage. */
export function createEntries(deps: {
  storage: () => KeyValueStorage | undefined;
  onChange: (entry: Entry) => void;
  /** To tell the other tabs. */
  onStored: (id: string, entry: string | undefined) => void;
}) {
  const { storage, onChange, onStored } = deps;
  const entries = new Map<string, Entry>();
  let [lastOrder, life] = [0, 0];

  const all = (): Entry[] => [...entries.values()].sort((a, b) => a.order - b.order);
  const of = (chatId: string): Entry[] => all().filter((one) => one.chatId === chatId);

  async function store(id: string): Promise<void> {
    const entry = entries.get(id);
    // What was just being sent is sent again after a crash.
    const state = entry?.state === 'sending' ? 'queued' : entry?.state;
    const text = entry && JSON.stringify({ ...entry, state });
    try {
      if (text) await storage()?.set(prefix + id, text);
      else await storage()?.delete(prefix + id);
      onStored(id, text);
    } catch {
      // A full storage: it is done all the same, as long as the tab lives.
    }
  }

  function put(entry: Entry): Promise<void> {
    entries.set(entry.id, { ...entry, revision: entry.revision + 1 });
    onChange(entry);
    return store(entry.id);
  }

  /** It is done, or not wanted any more. */
  function drop(entry: Entry): Promise<void> {
    entries.delete(entry.id);
    onChange(entry);
    return store(entry.id);
  }

  /** @throws of what is no JSON */
  function add(
    of: Pick<Entry, 'chatId' | 'what'> & Partial<Pick<Entry, 'clientMessageId' | 'messageId'>>,
  ): [string, Promise<void>] {
    JSON.stringify(of);
    const id = newId();
    // Rising, whatever the clock does, and not that of another tab.
    lastOrder = Math.max(lastOrder + 1, Date.now() + Math.random());
    const order = lastOrder;
    const fresh = { state: 'queued', tried: false, losses: 0, revision: 0 } as const;
    return [id, put({ id, clientMessageId: id, ...of, order, ...fresh })];
  }

  /** As it is stored. */
  function take(id: string, text: string | undefined): void {
    const known = entries.get(id);
    if (text !== undefined) {
      const kept: Entry = JSON.parse(text);
      if (known && kept.revision <= known.revision) return;
      entries.set(id, kept);
      lastOrder = Math.max(lastOrder, kept.order);
      onChange(kept);
    } else if (known) {
      entries.delete(id);
      onChange(known);
    }
  }

  return {
    all,
    of,
    put,
    drop,
    add,
    take,
    get: (id: string) => entries.get(id),
    /** If it is still in this state. */
    async change(id: string, from: MessageState, changes: Partial<Entry>): Promise<void> {
      const entry = entries.get(id);
      if (entry?.state === from) await put({ ...entry, ...changes });
    },
    /** What is about it or answers it names it as the server does, from its first try on: a repeat must be the same. */
    named(chatId: string, { clientMessageId, id: messageId }: Pick<Message, 'clientMessageId' | 'id'>): void {
      for (const entry of of(chatId)) {
        const { what } = entry;
        if (entry.clientMessageId === clientMessageId) void put({ ...entry, messageId });
        else if (what.kind === 'send' && what.message.replyTo === clientMessageId)
          void put({ ...entry, what: { ...what, message: { ...what.message, replyTo: messageId } } });
      }
    },
    async restore(): Promise<void> {
      const own = life;
      const ids = (await (storage()?.keys(prefix) ?? [])).map((key) => key.slice(prefix.length));
      for (const id of ids) {
        try {
          const text = await storage()?.get(prefix + id);
          if (own !== life) return;
          take(id, text);
        } catch {
          // One that can't be read is none of the others' business.
        }
      }
      // What was added before it was known where it is kept.
      for (const id of entries.keys()) if (!ids.includes(id)) void store(id);
    },
    forget(): void {
      life += 1;
      const gone = all();
      entries.clear();
      for (const entry of gone) onChange(entry);
    },
  };
}
