import type { MessagePage } from './contract.ts';
import type { Outbox } from './outbox.ts';
import { shownEntry } from './outbox-entry.ts';
import type { Requests } from './request.ts';
import type { ChatInput, ChatState } from './state/chat.ts';
import { hasAfter, hasBefore } from './state/messages.ts';
import { createCell } from './store.ts';
import type { ChatMessage, MessageList, MessageListSnapshot } from './types.ts';

/** Of a page; of what is around a message that somebody jumps to, too. */
const pageLimit = 50;
/** How long nobody has to look until less is held: who looks away and back, as StrictMode does, finds what there was. */
const unseenMs = 1_000;

export interface LiveMessageList extends MessageList {
  /** Something has changed in what it shows. */
  refresh(): void;
  /** The newest page, if somebody looks and there is none. */
  fill(): Promise<void>;
}

export function createMessageList(deps: {
  chatId: string;
  me: () => string;
  state: () => ChatState;
  fold: (input: ChatInput) => void;
  outbox: Outbox;
  requests: Requests;
}): LiveMessageList {
  const { chatId, state, fold, outbox, requests } = deps;
  let unseen: ReturnType<typeof setTimeout> | undefined;
  let loading = 0;
  let [saved, savedOf]: [readonly ChatMessage[], unknown] = [[], undefined];
  /** One after the other. */
  let turn: Promise<unknown> = Promise.resolve();

  const cell = createCell<MessageListSnapshot>(
    { items: [], hasBefore: false, hasAfter: false, loading: false },
    (isWatched) => {
      clearTimeout(unseen);
      if (isWatched) {
        fold({ kind: 'shown', shown: true });
        list.fill().catch(() => {});
      } else {
        unseen = setTimeout(() => fold({ kind: 'shown', shown: false }), unseenMs);
      }
    },
  );

  function refresh(): void {
    const { messages } = state();
    const held = messages.window ?? messages.ghosts;
    if (held !== savedOf) [saved, savedOf] = [held.map(({ message }) => message), held];
    const entries = outbox.of(chatId).filter((one) => one.state !== 'saved');
    const me = deps.me();
    const own =
      entries.length === 0
        ? undefined
        : new Set(saved.flatMap((one) => (one.senderId === me ? one.clientMessageId : [])));
    const waiting = entries.flatMap((entry) => {
      const { clientMessageId } = entry;
      if (own?.has(clientMessageId)) return [];
      const retry = () => outbox.retry(clientMessageId);
      const discard = () => outbox.discard(clientMessageId);
      return shownEntry(entry, { me, items: saved, retry, discard });
    });
    const before = cell.getSnapshot();
    const next: MessageListSnapshot = {
      items: waiting.length > 0 ? [...saved, ...waiting] : saved,
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
  const list: LiveMessageList = {
    subscribe: cell.subscribe,
    getSnapshot: cell.getSnapshot,
    refresh,
    fill: async () => {
      if (cell.isWatched() && !window()) await load(() => (window() ? undefined : ''));
    },
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
