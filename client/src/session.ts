import { type Pauses, persist } from './backoff.ts';
import { subjectOf } from './claims.ts';
import type { Connection } from './connection.ts';
import type { ErrorCode, User } from './contract.ts';
import type { createDrafts } from './drafts.ts';
import { asError } from './error.ts';
import type { Keeper } from './keeper.ts';
import type { createLiveChats } from './live-chats.ts';
import type { Outbox } from './outbox.ts';
import type { Requests } from './request.ts';
import { noChats } from './state/chats.ts';
import type { Cell } from './store.ts';
import type { Tabs } from './tabs.ts';
import type { Tokens } from './tokens.ts';
import type { ConnectionState } from './types.ts';

/** Who is signed in, and whether they are to be connected. */
export interface Session {
  /** Whose what is known and kept is: as the token says it. */
  subject(): string | undefined;
  isRunning(): boolean;
  /** Whether this tab writes what is kept. */
  keeps(): boolean;
  start(): void;
  stop(): void;
  /** All that is known of whose it was. */
  forget(): void;
}

export function createSession(deps: {
  tabs: Tabs;
  tokens: Tokens;
  requests: Requests;
  pauses: Pauses;
  connection: Connection;
  live: ReturnType<typeof createLiveChats>;
  keeper: Keeper;
  outbox: Outbox;
  drafts: ReturnType<typeof createDrafts>;
  user: Cell<User | undefined>;
  onStatus: (state: ConnectionState, code?: ErrorCode) => void;
  onForget: () => void;
}): Session {
  const { tabs, tokens, requests, pauses, connection, live, keeper, outbox, drafts, user, onStatus } = deps;
  /** Of each start and stop: what was begun before does not go on. */
  let life = 0;
  let [isRunning, keeps] = [false, false];
  let subject: string | undefined;
  let giveUpLead = () => {};

  async function start(): Promise<void> {
    const own = ++life;
    isRunning = true;
    onStatus('connecting');
    globalThis.addEventListener?.('online', onOnline);
    const untilDone = <Result>(task: () => Promise<Result>) =>
      persist(pauses, task, () => {
        if (life === own) onStatus('offline');
        return life !== own;
      });
    try {
      const token = await untilDone(() => tokens.get());
      if (life !== own) return;
      if (token === undefined) return onStatus('refused', 'token_missing');
      await open(subjectOf(token) ?? 'somebody');
      if (life !== own) return;
      const me = user.getSnapshot() ?? (await untilDone(() => requests.once<User>('GET', '/auth/me')));
      if (life !== own) return;
      if (live.state().me !== me.id) live.replace(noChats(me.id));
      user.set(me);
    } catch (cause) {
      const { code } = asError(cause);
      if (life === own && code !== 'offline') onStatus('refused', code);
      return;
    }
    giveUpLead = tabs.lead(`sends for ${subject}`, () => {
      keeps = true;
      outbox.lead(true);
      void outbox.restore();
    });
    connection.open();
  }

  /** What is kept of whose token it is. */
  async function open(next: string): Promise<void> {
    if (subject === next) return;
    if (subject !== undefined) forget();
    subject = next;
    const restored = await keeper.restore(noChats('')).catch(() => undefined);
    if (subject !== next) return;
    if (restored) {
      live.replace(restored.state);
      user.set(restored.user);
    }
    await Promise.all([drafts.restore(), outbox.restore()]).catch(() => {});
  }

  function stop(): void {
    if (!isRunning) return;
    const ended = ++life;
    isRunning = false;
    connection.close();
    pauses.wake();
    outbox.lead(false);
    onStatus('idle');
    globalThis.removeEventListener?.('online', onOnline);
    const release = giveUpLead;
    giveUpLead = () => {};
    void keeper.flush().then(() => {
      release();
      if (life === ended) keeps = false;
    });
  }

  function forget(): void {
    for (const part of [keeper, outbox, drafts]) part.forget();
    subject = undefined;
    user.set(undefined);
    deps.onForget();
    live.replace(noChats(''));
  }

  function onOnline(): void {
    pauses.wake();
    connection.retry();
  }

  return {
    subject: () => subject,
    isRunning: () => isRunning,
    keeps: () => keeps,
    start: () => void start(),
    stop,
    forget,
  };
}
