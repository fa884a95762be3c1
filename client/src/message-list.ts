import { backoffMs, type Pauses } from './backoff.ts';
import type { MessagePage } from './contract.ts';
import type { Outbox } from './outbox.ts';
import { shownEntry } from './outbox-entry.ts';
import { asError, isSignedOut, isTransient, type Requests } from './request.ts';
import type { ChatInput, ChatState } from './state/chat.ts';
import { hasAfter, hasBefore, windowLimits } from './state/messages.ts';
import { createCell } from './store.ts';
import type { ChatMessage, MessageList, MessageListSnapshot } from './types.ts';

/** Of a page; of what is around a message that somebody jumps to, too. */
const pageLimit = 50;
/** How long nobody has to look until less is held: who looks away and back, as StrictMode does, finds what there was. */
const unseenMs = 1_000;

export interface LiveMessageList extends MessageList {
  /** Something has changed in what it shows. */
  refresh(): void;
  /** The newest page, as long as somebody looks and there is none. */
  fill(): Promise<void>;
}

export function createMessageList(deps: {
  chatId: string;
  me: () => string;
  state: () => ChatState;
  fold: (input: ChatInput) => void;
  outbox: Outbox;
  requests: Requests;
  pauses: Pauses;
}): LiveMessageList {
  const { chatId, state, fold, outbox, requests } = deps;
  let unseen: ReturnType<typeof setTimeout> | undefined;
  let [loading, filling] = [0, false];
  let [saved, savedOf]: [readonly ChatMessage[], unknown] = [[], undefined];
  /** One after the other. */
  let turn: Promise<unknown> = Promise.resolve();

  const cell = createCell<MessageListSnapshot>(
    { items: [], hasBefore: false, hasAfter: false, loading: false },
    (isWatched) => {
      clearTimeout(unseen);
      if (isWatched) {
        fold({ kind: 'shown', shown: true });
        void fill();
      } else {
        unseen = setTimeout(() => fold({ kind: 'shown', shown: false }), unseenMs);
      }
    },
  );

  function refresh(): void {
    // It is another user's, or was read anew.
    if (cell.isWatched() && state().messages.limit < windowLimits.shown) fold({ kind: 'shown', shown: true });
    const { messages } = state();
    const held = messages.window ?? messages.ghosts;
    if (held !== savedOf) [saved, savedOf] = [held.map(({ message }) => message), held];
    const me = deps.me();
    const entries = outbox.of(chatId);
    const items = [...saved];
    for (const entry of entries) {
      const { clientMessageId } = entry;
      const at = saved.findIndex((one) => one.senderId === me && one.clientMessageId === clientMessageId);
      const isSaved = at >= 0;
      if (isSaved ? entry.after.length === 0 : entry.state === 'saved') continue;
      const retry = () => outbox.retry(clientMessageId);
      const discard = () => outbox.discard(clientMessageId);
      items[isSaved ? at : items.length] = shownEntry(entry, {
        ...{ me, items: saved, saved: saved[at], retry, discard },
      });
    }
    const before = cell.getSnapshot();
    const next: MessageListSnapshot = {
      items: entries.length > 0 ? items : saved,
      hasBefore: hasBefore(messages),
      hasAfter: hasAfter(messages),
      loading: loading > 0,
    };
    const same = (Object.keys(next) as (keyof MessageListSnapshot)[]).every(
      (key) => next[key] === before[key],
    );
    if (!same) cell.set(next);
  }

  /** Until it is of use: a page that was read before a reset, or is too old otherwise, is read again. */
  async function read(query: () => string | undefined, jump: boolean): Promise<void> {
    for (let again = true; again; ) {
      const asked = query();
      if (asked === undefined) return;
      const { epoch } = state();
      fold({ kind: 'asks' });
      let page: MessagePage;
      try {
        page = await requests.patiently('GET', `/chats/${chatId}/messages?limit=${pageLimit}${asked}`);
      } catch (error) {
        fold({ kind: 'unanswered' });
        throw error;
      }
      const { messages, epoch: now } = state();
      again = now !== epoch || page.page.eventSequence < messages.forgotten;
      fold({ kind: 'page', page, jump, epoch });
    }
  }

  function load(query: () => string | undefined, jump = false): Promise<void> {
    const next = turn.then(async () => {
      loading += 1;
      refresh();
      try {
        await read(query, jump);
      } finally {
        loading -= 1;
        refresh();
      }
    });
    turn = next.catch(() => {});
    return next;
  }

  const window = () => state().messages.window;

  async function fill(): Promise<void> {
    if (filling) return;
    filling = true;
    for (let failures = 0; cell.isWatched() && !window(); ) {
      try {
        await load(() => (window() ? undefined : ''));
        break;
      } catch (cause) {
        const error = asError(cause);
        // A connect is a reason to try again then.
        if (!isTransient(error) || isSignedOut(error)) break;
        await deps.pauses.wait(backoffMs(failures++), error.retryAfterMs);
      }
    }
    filling = false;
  }

  const list: LiveMessageList = {
    subscribe: cell.subscribe,
    getSnapshot: cell.getSnapshot,
    refresh,
    fill,
    loadBefore: () =>
      load(() => {
        const first = window()?.[0]?.message.sequence;
        if (!window()) return '';
        return first !== undefined && hasBefore(state().messages) ? `&before=${first}` : undefined;
      }),
    loadAfter: () =>
      load(() => {
        const last = window()?.at(-1)?.message.sequence;
        return last !== undefined && hasAfter(state().messages) ? `&after=${last}` : undefined;
      }),
    jumpTo: (sequence) =>
      load(() => {
        const [first, last] = [window()?.[0], window()?.at(-1)];
        if (first && last && first.message.sequence <= sequence && sequence <= last.message.sequence)
          return undefined;
        return `&after=${Math.max(0, sequence - pageLimit / 2)}`;
      }, true),
    jumpToLatest: () => load(() => (window() && !hasAfter(state().messages) ? undefined : ''), true),
  };
  return list;
}
