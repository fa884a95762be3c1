import { backoffMs, type Pauses } from './backoff.ts';
import type { ErrorCode, Message, MessageFailedEvent, SendAccepted } from './contract.ts';
import type { ConfabError } from './error.ts';
import { newId } from './new-id.ts';
import { createEntries } from './outbox-entries.ts';
import { type Entry, pathOf, requestOf, type Then } from './outbox-entry.ts';
import { asError, isSignedOut, isTransient, type Requests } from './request.ts';
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
  saw(message: Pick<Message, 'id' | 'clientMessageId'>): void;
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
  asks: (chatId: string) => (message: Message) => void;
}): Outbox {
  const { requests, pauses, times } = deps;
  const entries = createEntries({
    ...deps,
    onChange(entry) {
      look(entry.clientMessageId);
      deps.onChange(entry);
    },
  });
  const { of, put, change, nextOrder } = entries;
  const sending = new Set<string>();
  const following = new Set<string>();
  const looking = new Map<string, ReturnType<typeof setTimeout>>();
  let [leads, isReady, life] = [false, false, 0];

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
        entries.named(chatId, { clientMessageId, id: messageId });
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) {
          void change(clientMessageId, 'sending', { state: 'queued' });
          const ms = isSignedOut(error) ? signedOutMs : backoffMs(failures++);
          await pauses.wait(ms, error.retryAfterMs);
        } else void change(clientMessageId, 'sending', { state: 'failed', code: codeOf(error), tried });
      }
    }
    if (own === life) sending.delete(chatId);
  }

  function sendAll(): void {
    for (const chatId of new Set(entries.all().map((one) => one.chatId))) void send(chatId);
    for (const entry of entries.all()) if (entry.state === 'saved') void follow(entry);
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
        const take = deps.asks(entry.chatId);
        const answer = await requests.patiently<Message>(...requestOf(entry, then));
        if (then.kind === 'edit') take(answer);
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
      const take = deps.asks(chatId);
      try {
        take(await requests.patiently('GET', pathOf(entry)));
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

  const lookAll = (): void => {
    for (const { clientMessageId } of entries.all()) look(clientMessageId);
  };

  return {
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
      const after = [...now.after, { ...then, at: nextOrder() }];
      if (now.state !== 'saved' || !now.code) return put(now, { ...now, after });
      // What was refused before is over.
      const { code: _, ...rest } = now;
      const [refused, ...others] = after;
      await put(now, { ...rest, after: others, done: [...now.done, ...(refused ? [refused.at] : [])] });
      sendAll();
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
      entries.named(entry.chatId, { clientMessageId, id });
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
      await entries.restore(clientMessageId).catch(() => {});
      if (leads) sendAll();
    },

    lead(is) {
      leads = is;
      lookAll();
      if (is) sendAll();
    },

    ready(is) {
      isReady = is;
      lookAll();
    },

    forget() {
      leads = false;
      life += 1;
      sending.clear();
      following.clear();
      entries.forget();
    },
  };
}

const codeOf = ({ code }: ConfabError): ErrorCode => (code === 'offline' ? 'internal_error' : code);
