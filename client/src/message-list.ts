import { type Pauses, persist } from './backoff.ts';
import type { MessagePage } from './contract.ts';
import type { Outbox } from './outbox.ts';
import { withEntries } from './outbox-entry.ts';
import type { Requests } from './request.ts';
import type { ChatInput, ChatState } from './state/chat-state.ts';
import { hasAfter, hasBefore, windowLimits } from './state/messages.ts';
import { createCell, storeOf } from './store.ts';
import { createTimers } from './timers.ts';
import { createTurns, repeated } from './turns.ts';
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
  outbox: Pick<Outbox, 'of' | 'retry' | 'discard'>;
  requests: Requests;
  pauses: Pauses;
}): LiveMessageList {
  const { chatId, me, state, fold, outbox, requests, pauses } = deps;
  const unseen = createTimers();
  let loading = false;
  let [saved, savedOf]: [readonly ChatMessage[], unknown] = [[], undefined];

  const show = (shown: boolean) => fold({ kind: 'shown', shown });
  const cell = createCell<MessageListSnapshot>(
    { items: [], hasBefore: false, hasAfter: false, loading: false },
    (isWatched) => {
      if (!isWatched) return unseen.set(() => show(false), unseenMs);
      unseen.clear();
      show(true);
      void fill();
    },
  );

  function refresh(): void {
    // It is another user's, or was read anew.
    if (cell.isWatched() && state().messages.limit < windowLimits.shown) show(true);
    const { messages } = state();
    const held = messages.window ?? messages.ghosts;
    if (held !== savedOf) [saved, savedOf] = [held.map(({ message }) => message), held];
    const entries = outbox.of(chatId);
    const items = entries.length > 0 ? withEntries(saved, entries, me(), outbox) : saved;
    cell.set({ items, hasBefore: hasBefore(messages), hasAfter: hasAfter(messages), loading });
  }

  const inTurn = createTurns((is) => {
    loading = is;
    refresh();
  });

  /** Until it is of use: a page that was read before a reset, or is too old otherwise, is read again. */
  const load = (query: () => string | undefined, jump = false): Promise<void> =>
    inTurn(async () => {
      for (let again = true; again; ) {
        const asked = query();
        if (asked === undefined) return;
        const { epoch } = state();
        fold({ kind: 'asks' });
        const path = `/chats/${chatId}/messages?limit=${pageLimit}${asked}`;
        const page = await requests.patiently<MessagePage>('GET', path).catch((error) => {
          fold({ kind: 'unanswered' });
          throw error;
        });
        const { messages, epoch: now } = state();
        again = now !== epoch || page.page.eventSequence < messages.forgotten;
        fold({ kind: 'page', page, jump, epoch });
      }
    });

  const window = () => state().messages.window;
  const isThere = () => window() !== undefined;
  const loadNewest = () => load(() => (isThere() ? undefined : ''));

  /** After what no pause mends a connect is a reason to try again. */
  const fill = repeated(async () => {
    if (!cell.isWatched() || isThere()) return;
    await persist(pauses, loadNewest, () => !cell.isWatched()).catch(() => {});
  });

  return {
    ...storeOf(cell),
    refresh,
    fill,
    loadBefore: () =>
      load(() => {
        if (!isThere()) return '';
        return hasBefore(state().messages) ? `&before=${window()?.[0]?.message.sequence}` : undefined;
      }),
    loadAfter: () =>
      load(() => {
        const last = window()?.at(-1);
        return last && hasAfter(state().messages) ? `&after=${last.message.sequence}` : undefined;
      }),
    jumpTo: (sequence) =>
      load(
        () =>
          window()?.some(({ message }) => message.sequence === sequence)
            ? undefined
            : `&after=${Math.max(0, sequence - pageLimit / 2)}`,
        true,
      ),
    jumpToLatest: () => load(() => (isThere() && !hasAfter(state().messages) ? undefined : ''), true),
  };
}
