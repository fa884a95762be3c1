import type { ChatHandle, ChatMessage } from '@confab/client';
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { About } from './about.ts';
import { Message } from './message.tsx';
import type { NameOf } from './names.ts';
import { useSignedIn } from './signed-in.ts';
import { useStore } from './use-store.ts';

interface Props {
  chat: ChatHandle;
  nameOf: NameOf;
  setAbout(about: About): void;
}

/**
 * The scroller lies upside down (`column-reverse`): it begins at its end, and stays there as long as it is there. What is not on the
 * screen the browser does not lay out (`content-visibility`).
 */
export function MessageList({ chat, nameOf, setAbout }: Props) {
  const { userId } = useSignedIn();
  const { items, hasBefore, hasAfter, loading } = useStore(chat.messages);
  const reads = useStore(chat.reads);
  const info = useStore(chat.info);
  const scroller = useRef<HTMLDivElement>(null);
  const [isAtEnd, setIsAtEnd] = useState(true);
  const [wanted, setWanted] = useState<number>();
  const last = items.at(-1);
  const follows = isAtEnd && !hasAfter;

  useMarkRead(chat, follows);
  useHeldPlace(scroller.current, follows);
  useLayoutEffect(() => {
    if (last?.senderId === userId && last.sequence === undefined) toEnd(scroller.current);
  }, [last?.clientMessageId]);

  // A message that somebody went to, once it is there.
  useLayoutEffect(() => {
    if (wanted === undefined) return;
    const found = scroller.current?.querySelector<HTMLElement>(`[data-sequence="${wanted}"]`);
    found?.scrollIntoView({ block: 'center' });
    found?.focus({ preventScroll: true });
    if (found) setWanted(undefined);
  }, [wanted, items]);

  // The same function each time: what a message is given has changed only where the message has.
  const show = useCallback(
    (sequence: number) => {
      setWanted(sequence);
      const isThere = chat.messages.getSnapshot().items.some((item) => item.sequence === sequence);
      if (!isThere) void chat.messages.jumpTo(sequence).catch(() => {});
    },
    [chat],
  );

  async function showLatest(): Promise<void> {
    if (hasAfter) await chat.messages.jumpToLatest();
    toEnd(scroller.current);
  }

  const { role = 'member' } = info?.participants.find((each) => each.userId === userId) ?? {};
  const leads = info?.isGroup === true && role !== 'member';
  return (
    <div class="messages">
      <div
        ref={scroller}
        class="scroller"
        onScroll={(event) => setIsAtEnd(event.currentTarget.scrollTop > -40)}
      >
        <ol aria-label="Messages" aria-busy={loading} onKeyDown={moveFocus}>
          {hasBefore && (
            <Edge
              key={`before ${items[0]?.sequence}`}
              load={chat.messages.loadBefore}
              label="Older messages"
            />
          )}
          {items.map((message, at) => (
            <Message
              key={message.clientMessageId}
              chat={chat}
              message={message}
              isFirst={items[at - 1]?.senderId !== message.senderId}
              isLast={message === last}
              mayDelete={message.senderId === userId || leads === true}
              readBy={message.senderId === userId ? readersOf(message, reads) : 0}
              nameOf={nameOf}
              setAbout={setAbout}
              show={show}
            />
          ))}
          {hasAfter && (
            <Edge key={`after ${last?.sequence}`} load={chat.messages.loadAfter} label="Newer messages" />
          )}
        </ol>
      </div>
      {(hasAfter || !isAtEnd) && (
        <button type="button" class="latest" onClick={() => void showLatest()}>
          Latest messages ↓
        </button>
      )}
      <p class="unseen" role="status">
        {last && last.senderId !== userId && isAtEnd && `${nameOf(last.senderId)}: ${last.content}`}
      </p>
    </div>
  );
}

/** One end of what is loaded: comes near the screen, and more is loaded. */
function Edge({ load, label }: { load(): Promise<void>; label: string }) {
  const edge = useRef<HTMLLIElement>(null);
  const more = () => void load().catch(() => {});
  useEffect(() => {
    const options = { root: edge.current?.closest('.scroller') ?? null, rootMargin: '600px' };
    const observer = new IntersectionObserver(
      (seen) => seen.some(({ isIntersecting }) => isIntersecting) && more(),
      options,
    );
    if (edge.current) observer.observe(edge.current);
    return () => observer.disconnect();
  }, []);
  return (
    <li ref={edge} class="edge">
      <button type="button" class="link" onClick={more}>
        {label}
      </button>
    </li>
  );
}

/**
 * Who reads further up goes on reading, whatever comes in or is let go at either end: the browser itself holds no place where a list is
 * full, and 50 messages were passed over with each page.
 */
function useHeldPlace(scroller: HTMLElement | null, follows: boolean): void {
  const wasFollowing = useRef(true);
  const topOf = (one: Element) => one.getBoundingClientRect().top;
  // Before the page is changed.
  const message = wasFollowing.current ? undefined : inTheMiddleOf(scroller);
  const before = message && topOf(message);
  useLayoutEffect(() => {
    wasFollowing.current = follows;
    if (scroller && message?.isConnected && before !== undefined)
      scroller.scrollTop += topOf(message) - before;
  });
}

function inTheMiddleOf(scroller: HTMLElement | null): Element | undefined {
  if (!scroller) return undefined;
  const { left, top, width, height } = scroller.getBoundingClientRect();
  const found = document.elementsFromPoint(left + width / 2, top + height / 2);
  // Its words: the name above them goes once an older one of the same sender is there.
  return found.find((one) => one.matches('.message'))?.querySelector('.bubble') ?? undefined;
}

/** What is on the screen of somebody who looks is read. */
function useMarkRead(chat: ChatHandle, isShown: boolean): void {
  const info = useStore(chat.info);
  const unread = info?.membership.unreadCount ?? 0;
  useEffect(() => {
    const read = () => {
      if (isShown && unread > 0 && document.visibilityState === 'visible' && document.hasFocus())
        chat.markRead();
    };
    read();
    addEventListener('focus', read);
    return () => removeEventListener('focus', read);
  }, [chat, isShown, unread, info?.lastSequence]);
}

const readersOf = ({ sequence }: ChatMessage, reads: ReadonlyMap<string, number>): number =>
  sequence === undefined ? 0 : [...reads.values()].filter((read) => read >= sequence).length;

const toEnd = (scroller: HTMLElement | null): void => scroller?.scrollTo({ top: 0 });

/** The list is one stop of the tab key; arrows go from message to message. */
function moveFocus(event: KeyboardEvent): void {
  const from = event.target instanceof HTMLElement ? event.target : undefined;
  if (!from?.matches('.message')) return;
  const to = { ArrowUp: from.previousElementSibling, ArrowDown: from.nextElementSibling }[event.key];
  if (!(to instanceof HTMLElement)) return;
  event.preventDefault();
  to.focus();
}
