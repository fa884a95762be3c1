import { backoffMs, type Pauses } from './backoff.ts';
import type { Ask, Change } from './changes.ts';
import type { Message, MessageFailedEvent, SendAccepted } from './contract.ts';
import { asError, type ConfabError, isSignedOut, isTransient } from './error.ts';
import { newId } from './new-id.ts';
import { createEntries } from './outbox-entries.ts';
import { type Entry, isVoid, nextOf } from './outbox-entry.ts';
import type { Requests } from './request.ts';
import { createTimers } from './timers.ts';
import type { KeyValueStorage, NewMessage } from './types.ts';

export interface Outbox {
  /** What is not done yet, in order. */
  of(chatId: string): readonly Entry[];
  /** The first that is about this message, by either of its ids. */
  find(chatId: string, messageId: string): Entry | undefined;
  /** @throws of what is no JSON */
  add(chatId: string, message: NewMessage): string;
  /** Once the message is saved. @throws of what is no JSON */
  doAfter(entry: Entry, what: Change): Promise<void>;
  retry(clientMessageId: string): void;
  discard(clientMessageId: string): void;
  /** Of oneself, in an event, a page or an answer. */
  saw(message: Pick<Message, 'id' | 'clientMessageId'>): void;
  failed(event: MessageFailedEvent): void;
  /** From the storage. */
  restore(): Promise<void>;
  /** How another tab has stored an entry, or that it is gone. */
  told(id: string, entry: string | undefined): void;
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
  onStored: (id: string, entry: string | undefined) => void;
  ask: Ask;
}): Outbox {
  const { requests, pauses, times, ask } = deps;
  const entries = createEntries({
    ...deps,
    onChange(entry) {
      look(entry.id);
      deps.onChange(entry);
    },
  });
  const { all, of, put, drop, add, change, named } = entries;
  const running = new Set<string>();
  const looks = createTimers();
  let [leads, isReady, life] = [false, false, 0];

  /** In each chat one at a time, in order; as often as it takes. */
  async function run(chatId: string): Promise<void> {
    if (running.has(chatId)) return;
    running.add(chatId);
    const own = life;
    for (let failures = 0; leads && own === life; ) {
      const entry = nextOf(of(chatId));
      if (!entry) break;
      const { id, tried } = entry;
      try {
        await perform(entry);
        failures = 0;
      } catch (cause) {
        const error = asError(cause);
        const now = own === life ? entries.get(id) : undefined;
        if (isTransient(error)) {
          void change(id, 'sending', { state: 'queued' });
          await pauses.wait(isSignedOut(error) ? signedOutMs : backoffMs(failures++));
        } else if (now) void put({ ...now, state: 'failed', code: codeOf(error), tried });
      }
    }
    if (own === life) running.delete(chatId);
  }

  async function perform(entry: Entry): Promise<void> {
    const { id, chatId, clientMessageId, messageId = clientMessageId, what } = entry;
    if (what.kind !== 'send') {
      await ask(chatId, messageId, what);
      return drop(entry);
    }
    if (isVoid(of(chatId), id)) return discard(id);
    // In the storage before it is under way: that it may be there, and as what.
    await change(id, 'queued', { state: 'sending', tried: true });
    const now = entries.get(id);
    if (now?.state !== 'sending' || now.what.kind !== 'send') return;
    const body = { ...now.what.message, clientMessageId };
    const answer = await requests.once<SendAccepted>('POST', `/chats/${chatId}/messages`, body);
    void change(id, 'sending', { state: 'accepted' });
    named(chatId, { clientMessageId, id: answer.brokerMessageId });
  }

  /** Accepted, and neither saved nor failed for a while: whether it is there is asked, and if not it is sent again. */
  function look(id: string): void {
    looks.clear(id);
    const entry = entries.get(id);
    if (!leads || !isReady || entry?.state !== 'accepted') return;
    const { chatId, messageId = id, losses } = entry;
    const check = async () => {
      try {
        const message = await ask(chatId, messageId, { kind: 'read' });
        if (message) saw(message);
      } catch (cause) {
        const error = asError(cause);
        if (isTransient(error)) return look(id);
        const isLost = error.code === 'message_not_found';
        const lost = { state: 'queued', losses: losses + 1 } as const;
        await change(id, 'accepted', isLost ? lost : { state: 'failed', code: codeOf(error) });
        void run(chatId);
      }
    };
    looks.set(() => void check(), times.unsavedMs * 2 ** Math.min(losses, 5), id);
  }

  function saw({ id, clientMessageId }: Pick<Message, 'id' | 'clientMessageId'>): void {
    const entry = entries.get(clientMessageId);
    // Whoever leads knows what else there is to do.
    if (!leads || !entry) return;
    void drop(entry);
    named(entry.chatId, { clientMessageId, id });
    void run(entry.chatId);
  }

  const sendAll = (): void => {
    for (const chatId of new Set(all().map((one) => one.chatId))) void run(chatId);
  };
  const lookAll = (): void => {
    for (const { id } of all()) look(id);
  };
  const about = (clientMessageId: string) => all().filter((one) => one.clientMessageId === clientMessageId);
  const refused = (clientMessageId: string) => about(clientMessageId).find(({ code }) => code);
  const discard = (clientMessageId: string): void => about(clientMessageId).forEach((one) => void drop(one));

  return {
    of,
    find: (chatId, messageId) =>
      of(chatId).find((one) => one.clientMessageId === messageId || one.messageId === messageId),

    add(chatId, message) {
      const [id, stored] = add({ chatId, what: { kind: 'send', message } });
      void stored.then(() => run(chatId));
      return id;
    },

    async doAfter({ chatId, clientMessageId, messageId }, what) {
      const before = refused(clientMessageId);
      const [, stored] = add({ chatId, clientMessageId, ...(messageId && { messageId }), what });
      // What was refused before is over.
      if (before && before.what.kind !== 'send') void drop(before);
      await stored;
      void run(chatId);
    },

    retry(clientMessageId) {
      const entry = refused(clientMessageId);
      if (!entry) return;
      const { code, ...rest } = entry;
      const again: Entry = { ...rest, state: 'queued', losses: 0 };
      if (code === 'idempotency_conflict') {
        // Under that key there is another message.
        const id = newId();
        for (const one of about(clientMessageId)) {
          void drop(one);
          void put({ ...(one === entry ? { ...again, id, tried: false } : one), clientMessageId: id });
        }
      } else void put(again);
      void run(entry.chatId);
    },
    discard,
    saw,
    failed({ clientMessageId, code }) {
      const entry = entries.get(clientMessageId);
      if (leads && entry) void put({ ...entry, state: 'failed', code, tried: false });
    },
    async restore() {
      await entries.restore().catch(() => {});
      sendAll();
    },
    told(id, entry) {
      entries.take(id, entry);
      sendAll();
    },
    lead(is) {
      leads = is;
      lookAll();
      sendAll();
    },
    ready(is) {
      isReady = is;
      lookAll();
    },
    forget() {
      leads = false;
      life += 1;
      running.clear();
      entries.forget();
    },
  };
}

const codeOf = ({ code }: ConfabError) => (code === 'offline' ? 'internal_error' : code);
