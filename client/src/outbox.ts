import { backoffMs, type Pauses } from './backoff.ts';
import type { Message, MessageFailedEvent, SendAccepted } from './contract.ts';
import type { ConfabError } from './error.ts';
import { type Entry, mergeEntries, pathOf, requestOf, type Then } from './outbox-entry.ts';
import { asError, isTransient, type Requests } from './request.ts';
import type { KeyValueStorage, NewMessage } from './types.ts';

export interface Outbox {
  /** What is not saved yet, in the order of sending. */
  of(chatId: string): readonly Entry[];
  /** By either of its ids. */
  find(chatId: string, messageId: string): Entry | undefined;
  /** @throws of what is no JSON */
  add(chatId: string, message: NewMessage): string;
  /** Once it is saved. @throws of what is no JSON */
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

const prefix = 'outbox/';
/** Without a token nothing helps but another one, which makes the connection ready, and that ends the pause. */
const signedOutMs = 60_000;

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
  const sending = new Set<string>();
  const following = new Set<string>();
  const looking = new Map<string, ReturnType<typeof setTimeout>>();
  let [leads, isReady, lastOrder, life] = [false, false, 0, 0];
  /** Rising, whatever the clock does, and not that of another tab. */
  const nextOrder = (): number => {
    lastOrder = Math.max(lastOrder + 1, Date.now() + Math.random());
    return lastOrder;
  };

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
    look(clientMessageId);
    onChange(after ?? before);
    return store(clientMessageId);
  }

  /** Changes it, if it is still in this state. */
  async function change(
    clientMessageId: string,
    from: Entry['state'],
    changes: Partial<Entry>,
  ): Promise<void> {
    const entry = entries.get(clientMessageId);
    if (entry?.state === from) await put(entry, { ...entry, ...changes });
  }

  /** One at a time, in order; as often as it takes. */
  async function send(chatId: string): Promise<void> {
    if (sending.has(chatId)) return;
    sending.add(chatId);
    const own = life;
    for (let failures = 0; leads && own === life; ) {
      const entry = of(chatId).find(({ state }) => state === 'queued');
      if (!entry) break;
      const { clientMessageId, tried } = entry;
      // In the storage before it is under way: that it may be there, and as what.
      await change(clientMessageId, 'queued', { state: 'sending', tried: true });
      const message = entries.get(clientMessageId);
      if (message?.state !== 'sending') continue;
      try {
        const body = { ...message.message, clientMessageId };
        const answer = await requests.once<SendAccepted>('POST', `/chats/${chatId}/messages`, body);
        failures = 0;
        const messageId = answer.brokerMessageId;
        void change(clientMessageId, 'sending', { state: 'accepted', messageId });
        quoted(chatId, clientMessageId, messageId);
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) {
          void change(clientMessageId, 'sending', { state: 'queued' });
          const ms = error.status === 401 ? signedOutMs : backoffMs(failures++);
          await pauses.wait(ms, error.retryAfterMs);
        } else void change(clientMessageId, 'sending', { state: 'failed', code: codeOf(error), tried });
      }
    }
    if (own === life) sending.delete(chatId);
  }

  /** What answers it names it as the server does, before it is sent for the first time: a repeat must be the same. */
  function quoted(chatId: string, clientMessageId: string, replyTo: string): void {
    for (const entry of of(chatId))
      if (entry.message.replyTo === clientMessageId)
        void put(entry, { ...entry, message: { ...entry.message, replyTo } });
  }

  const keptIds = async () => (await storage()?.keys(prefix))?.map((key) => key.slice(prefix.length));

  /** As it is in the storage. */
  async function take(clientMessageId: string): Promise<void> {
    const own = life;
    const text = await storage()?.get(prefix + clientMessageId);
    if (own !== life) return;
    const known = entries.get(clientMessageId);
    const kept = text === undefined ? undefined : (JSON.parse(text) as Entry);
    const entry = kept && known ? mergeEntries(known, kept) : kept;
    if (entry) {
      entries.set(clientMessageId, entry);
      lastOrder = Math.max(lastOrder, entry.order);
      look(clientMessageId);
      if (kept && entry.after.length !== kept.after.length) await put(entry, entry);
    } else entries.delete(clientMessageId);
    const shown = entry ?? known;
    if (shown) onChange(shown);
  }

  function sendAll(): void {
    for (const chatId of new Set([...entries.values()].map((one) => one.chatId))) void send(chatId);
    for (const entry of entries.values()) if (entry.state === 'saved') void follow(entry);
  }

  /** What waited for it, until the server refuses something. */
  async function follow({ clientMessageId }: Entry): Promise<void> {
    if (!leads || following.has(clientMessageId)) return;
    following.add(clientMessageId);
    const own = life;
    for (let failures = 0; leads && own === life; ) {
      const entry = entries.get(clientMessageId);
      if (!entry || entry.code) break;
      const [then] = entry.after;
      if (!then) {
        await put(entry, undefined);
        break;
      }
      try {
        const answer = await requests.patiently<Message>(...requestOf(entry, then));
        if (then.kind === 'edit') deps.onMessage(answer);
        const { after = [], done = [] } = entries.get(clientMessageId) ?? {};
        const rest = after.filter(({ at }) => at !== then.at);
        await change(clientMessageId, 'saved', { after: rest, done: [...done, then.at] });
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) await pauses.wait(backoffMs(failures++), error.retryAfterMs);
        else await change(clientMessageId, 'saved', { code: codeOf(error) });
      }
    }
    if (own === life) following.delete(clientMessageId);
  }

  /** Accepted, and neither saved nor failed for a while: whether it is there is asked, and if not it is sent again. */
  function look(clientMessageId: string): void {
    clearTimeout(looking.get(clientMessageId));
    looking.delete(clientMessageId);
    const entry = entries.get(clientMessageId);
    if (!leads || !isReady || entry?.state !== 'accepted') return;
    const { chatId, losses } = entry;
    const check = async () => {
      try {
        deps.onMessage(await requests.patiently('GET', pathOf(entry)));
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) return look(clientMessageId);
        const isLost = error.code === 'message_not_found';
        const lost = { state: 'queued', losses: losses + 1 } as const;
        await change(clientMessageId, 'accepted', isLost ? lost : { state: 'failed', code: codeOf(error) });
        void send(chatId);
      }
    };
    const timer = setTimeout(check, times.unsavedMs * 2 ** Math.min(losses, 5));
    looking.set(clientMessageId, timer);
  }

  const outbox: Outbox = {
    of,
    find: (chatId, messageId) =>
      of(chatId).find((one) => one.clientMessageId === messageId || one.messageId === messageId),

    add(chatId, message) {
      JSON.stringify(message);
      const clientMessageId = newId();
      const entry: Entry = {
        ...{ clientMessageId, chatId, message, order: nextOrder(), state: 'queued', tried: false },
        ...{ losses: 0, after: [], done: [], revision: 0 },
      };
      void put(entry, entry).then(() => send(chatId));
      return clientMessageId;
    },

    async doAfter(entry, then) {
      JSON.stringify(then);
      const now = entries.get(entry.clientMessageId) ?? entry;
      await put(now, { ...now, after: [...now.after, { ...then, at: nextOrder() }] });
    },

    retry(clientMessageId) {
      const entry = entries.get(clientMessageId);
      if (!entry?.code) return;
      const { code, ...rest } = entry;
      if (rest.state === 'saved') return void put(entry, rest).then(sendAll);
      // Under that key there is another message.
      const isTaken = code === 'idempotency_conflict';
      if (isTaken) void put(entry, undefined);
      const changes = isTaken ? { clientMessageId: newId(), tried: false } : {};
      const again: Entry = { ...rest, ...changes, state: 'queued', losses: 0 };
      void put(again, again).then(() => send(entry.chatId));
    },

    discard(clientMessageId) {
      const entry = entries.get(clientMessageId);
      if (entry) void put(entry, undefined);
    },

    saw({ id, clientMessageId }) {
      const entry = entries.get(clientMessageId);
      // Whoever leads knows what else there is to do.
      if (!leads || !entry || entry.state === 'saved') return;
      const { code: _, ...rest } = entry;
      quoted(entry.chatId, clientMessageId, id);
      if (entry.after.length === 0) return void put(entry, undefined);
      void put(entry, { ...rest, state: 'saved', messageId: id });
      void follow(entry);
    },

    failed({ clientMessageId, code }) {
      const entry = entries.get(clientMessageId);
      if (leads && entry && entry.state !== 'saved')
        void put(entry, { ...entry, state: 'failed', code, tried: false });
    },

    async restore(clientMessageId) {
      const own = life;
      try {
        const ids = clientMessageId ? [clientMessageId] : ((await keptIds()) ?? []);
        // One that can't be read is none of the others' business.
        for (const id of ids) if (own === life) await take(id).catch(() => {});
        // What was sent before it was known where it is kept.
        if (!clientMessageId) for (const id of entries.keys()) if (!ids.includes(id)) void store(id);
      } catch {
        // There is nothing to be had.
      }
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
      life += 1;
      sending.clear();
      following.clear();
      for (const timer of looking.values()) clearTimeout(timer);
      looking.clear();
      const gone = [...entries.values()];
      entries.clear();
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
