import { backoffMs, type Pauses } from './backoff.ts';
import type { Message, MessageFailedEvent, SendAccepted } from './contract.ts';
import type { ConfabError } from './error.ts';
import { type Entry, pathOf, requestOf, type Then } from './outbox-entry.ts';
import { asError, isTransient, type Requests } from './request.ts';
import type { KeyValueStorage, NewMessage } from './types.ts';

export interface Outbox {
  /** What is not saved yet, in the order of sending. */
  of(chatId: string): readonly Entry[];
  /** By either of its ids. */
  find(chatId: string, messageId: string): Entry | undefined;
  add(chatId: string, message: NewMessage): string;
  /** Once it is saved. */
  doAfter(entry: Entry, then: Then): Promise<void>;
  retry(clientMessageId: string): void;
  discard(clientMessageId: string): void;
  /** Of oneself, in an event, a page or an answer. */
  saw(message: Message): void;
  failed(event: MessageFailedEvent): void;
  /** From the storage, all of it or, as another tab says, one. */
  restore(clientMessageId?: string): Promise<void>;
  /** Whether this tab sends. */
  lead(leads: boolean): void;
  /** All that was missed has been told: what was accepted has so long to be there. */
  ready(isReady: boolean): void;
  forget(): void;
}

export interface OutboxTimes {
  /** From `chat.ready`, or from its being accepted, until a message is looked for. */
  unsavedMs: number;
}

/** So often it may be accepted and not be there. */
const mostLosses = 5;

export function createOutbox(deps: {
  /** Where it is kept, once it is known whose it is. */
  storage: () => KeyValueStorage | undefined;
  requests: Requests;
  pauses: Pauses;
  times: OutboxTimes;
  onChange: (entry: Entry) => void;
  /** To tell the other tabs. */
  onStored: (clientMessageId: string) => void;
  /** A message that was read to see whether it is there. */
  onMessage: (message: Message) => void;
}): Outbox {
  const { storage, requests, pauses, times, onChange, onStored } = deps;
  const entries = new Map<string, Entry>();
  /** Ids of what was accepted, for what answers it. */
  const accepted = new Map<string, string>();
  const sending = new Set<string>();
  const following = new Set<string>();
  const looking = new Map<string, ReturnType<typeof setTimeout>>();
  let [leads, isReady, lastOrder] = [false, false, 0];

  const of = (chatId: string): Entry[] =>
    [...entries.values()].filter((one) => one.chatId === chatId).sort((a, b) => a.order - b.order);

  async function store(clientMessageId: string): Promise<void> {
    const entry = entries.get(clientMessageId);
    const key = `outbox/${clientMessageId}`;
    try {
      if (entry) await storage()?.set(key, JSON.stringify(entry));
      else await storage()?.delete(key);
      onStored(clientMessageId);
    } catch {
      // A full storage: it is sent all the same, as long as the tab lives.
    }
  }

  /** What it is now; undefined: it is done, or gone. */
  function put(before: Entry, after: Entry | undefined): Promise<void> {
    const { clientMessageId } = before;
    if (after) entries.set(clientMessageId, after);
    else entries.delete(clientMessageId);
    look(clientMessageId);
    onChange(after ?? before);
    // That it is just being sent nobody needs to know after a crash.
    return after?.state === 'sending' ? Promise.resolve() : store(clientMessageId);
  }

  /** Changes it, if it is still in this state. */
  function change(clientMessageId: string, from: Entry['state'], changes: Partial<Entry>): void {
    const entry = entries.get(clientMessageId);
    if (entry?.state === from) void put(entry, { ...entry, ...changes });
  }

  /** One at a time, in order; as often as it takes. */
  async function send(chatId: string): Promise<void> {
    if (sending.has(chatId)) return;
    sending.add(chatId);
    for (let failures = 0; leads; ) {
      const entry = of(chatId).find(({ state }) => state === 'queued');
      if (!entry) break;
      const { clientMessageId, message } = entry;
      change(clientMessageId, 'queued', { state: 'sending' });
      try {
        const replyTo = message.replyTo && (accepted.get(message.replyTo) ?? message.replyTo);
        const body = { ...message, ...(replyTo ? { replyTo } : {}), clientMessageId };
        const answer = await requests.once<SendAccepted>('POST', `/chats/${chatId}/messages`, body);
        failures = 0;
        accepted.set(clientMessageId, answer.brokerMessageId);
        change(clientMessageId, 'sending', { state: 'accepted', messageId: answer.brokerMessageId });
      } catch (cause) {
        const error = asError(cause);
        const mayRepeat = isTransient(error);
        change(
          clientMessageId,
          'sending',
          mayRepeat ? { state: 'queued' } : { state: 'failed', code: codeOf(error) },
        );
        // Without a token nothing helps but another one, which makes the connection ready.
        const ms = error.status === 401 ? Number.POSITIVE_INFINITY : backoffMs(failures++);
        if (mayRepeat) await pauses.wait(ms, error.retryAfterMs);
      }
    }
    sending.delete(chatId);
  }

  function sendAll(): void {
    for (const chatId of new Set([...entries.values()].map((one) => one.chatId))) void send(chatId);
    for (const entry of entries.values()) if (entry.state === 'saved') void follow(entry);
  }

  /** What waited for it; what the server refuses is over. */
  async function follow({ clientMessageId }: Entry): Promise<void> {
    if (!leads || following.has(clientMessageId)) return;
    following.add(clientMessageId);
    for (let failures = 0; leads; ) {
      const entry = entries.get(clientMessageId);
      if (!entry) break;
      const [then, ...rest] = entry.after;
      if (!then) {
        await put(entry, undefined);
        break;
      }
      try {
        await deps.requests.patiently(...requestOf(entry, then));
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) {
          await pauses.wait(backoffMs(failures++), error.retryAfterMs);
          continue;
        }
      }
      const now = entries.get(clientMessageId);
      if (now)
        await put(now, { ...now, after: now.after.length > rest.length ? now.after.slice(1) : now.after });
    }
    following.delete(clientMessageId);
  }

  /** Accepted, and neither saved nor failed for a while: whether it is there is asked, and if not it is sent again. */
  function look(clientMessageId: string): void {
    clearTimeout(looking.get(clientMessageId));
    looking.delete(clientMessageId);
    if (!leads || !isReady || entries.get(clientMessageId)?.state !== 'accepted') return;
    const timer = setTimeout(async () => {
      const entry = entries.get(clientMessageId);
      if (entry?.state !== 'accepted') return;
      try {
        deps.onMessage(await requests.patiently('GET', pathOf(entry)));
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) return look(clientMessageId);
        if (error.code !== 'message_not_found') {
          return change(clientMessageId, 'accepted', { state: 'failed', code: codeOf(error) });
        }
        const losses = entry.losses + 1;
        const state = losses < mostLosses ? 'queued' : 'failed';
        change(clientMessageId, 'accepted', {
          state,
          losses,
          ...(state === 'failed' ? { code: 'not_saved' } : {}),
        });
        void send(entry.chatId);
      }
    }, times.unsavedMs);
    looking.set(clientMessageId, timer);
  }

  const outbox: Outbox = {
    of,
    find: (chatId, messageId) =>
      of(chatId).find((one) => one.clientMessageId === messageId || one.messageId === messageId),

    add(chatId, message) {
      const clientMessageId = newId();
      lastOrder = Math.max(lastOrder + 1, Date.now());
      const base = { clientMessageId, chatId, message, order: lastOrder };
      const entry: Entry = { ...base, state: 'queued', losses: 0, after: [] };
      // In the storage before it is under way.
      void put(entry, entry).then(() => send(chatId));
      return clientMessageId;
    },

    async doAfter(entry, then) {
      const now = entries.get(entry.clientMessageId) ?? entry;
      await put(now, { ...now, after: [...now.after, then] });
    },

    retry(clientMessageId) {
      const entry = entries.get(clientMessageId);
      if (entry?.state !== 'failed') return;
      const { code, messageId: _, ...rest } = entry;
      // Under that key there is another message.
      const key = code === 'idempotency_conflict' ? newId() : clientMessageId;
      if (key !== clientMessageId) void put(entry, undefined);
      const again: Entry = { ...rest, clientMessageId: key, state: 'queued', losses: 0 };
      void put(again, again).then(() => send(entry.chatId));
    },

    discard(clientMessageId) {
      const entry = entries.get(clientMessageId);
      if (entry) void put(entry, undefined);
    },

    saw({ id, clientMessageId }) {
      const entry = entries.get(clientMessageId);
      if (!entry || entry.state === 'saved') return;
      accepted.set(clientMessageId, id);
      if (entry.after.length === 0) return void put(entry, undefined);
      const saved: Entry = { ...entry, state: 'saved', messageId: id };
      void put(entry, saved);
      void follow(saved);
    },

    failed({ clientMessageId, code }) {
      const entry = entries.get(clientMessageId);
      if (entry && entry.state !== 'saved') void put(entry, { ...entry, state: 'failed', code });
    },

    async restore(clientMessageId) {
      const kept = storage();
      const prefix = 'outbox/';
      const keys = clientMessageId ? [prefix + clientMessageId] : ((await kept?.keys(prefix)) ?? []);
      for (const key of keys) {
        const text = await kept?.get(key);
        const known = entries.get(key.slice(prefix.length));
        const entry = text === undefined ? undefined : (JSON.parse(text) as Entry);
        // Of what this tab sends it knows most.
        if (known && leads && (known.state === 'sending' || sending.has(known.chatId)) && entry) continue;
        const restored = entry?.state === 'sending' ? { ...entry, state: 'queued' as const } : entry;
        if (restored) {
          entries.set(restored.clientMessageId, restored);
          lastOrder = Math.max(lastOrder, restored.order);
          look(restored.clientMessageId);
        } else if (known) entries.delete(known.clientMessageId);
        const shown = restored ?? known;
        if (shown) onChange(shown);
      }
      // What was sent before it was known where it is kept.
      if (!clientMessageId) for (const id of entries.keys()) if (!keys.includes(prefix + id)) void store(id);
      if (leads) sendAll();
    },

    lead(is) {
      leads = is;
      for (const clientMessageId of entries.keys()) look(clientMessageId);
      if (is) sendAll();
    },

    ready(is) {
      isReady = is;
      for (const clientMessageId of entries.keys()) look(clientMessageId);
    },

    forget() {
      leads = false;
      for (const timer of looking.values()) clearTimeout(timer);
      looking.clear();
      const gone = [...entries.values()];
      entries.clear();
      accepted.clear();
      for (const entry of gone) onChange(entry);
    },
  };
  return outbox;
}

const codeOf = ({ code }: ConfabError): Exclude<ConfabError['code'], 'offline'> =>
  code === 'offline' ? 'internal_error' : code;

function newId(): string {
  const { crypto } = globalThis;
  if (typeof crypto?.randomUUID === 'function') return crypto.randomUUID();
  // Neither a secure context nor a new browser: ids need to differ, not to be secret.
  return '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (digit) =>
    (Number(digit) ^ ((Math.random() * 16) >> (Number(digit) / 4))).toString(16),
  );
}
