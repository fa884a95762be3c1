import type { ChatHandle, ChatMessage, Quote, Reaction } from '@confab/client';
import { memo } from 'preact/compat';
import { useState } from 'preact/hooks';
import type { About } from './about.ts';
import { mentionOf } from './mentions.ts';
import { MessageActions } from './message-actions.tsx';
import { inWords, longTime, type NameOf, shortTime } from './names.ts';
import { useSignedIn } from './signed-in.ts';

interface Props {
  chat: ChatHandle;
  message: ChatMessage;
  /** Of several by one sender. */
  isFirst: boolean;
  /** Of all: where the tab key stops. */
  isLast: boolean;
  mayDelete: boolean;
  /** How many others have read it, of one's own. */
  readBy: number;
  nameOf: NameOf;
  setAbout(about: About): void;
  show(sequence: number): void;
}

/** Items are immutable: of hundreds only what has changed is rendered again. */
export const Message = memo(
  ({ chat, message, isFirst, isLast, mayDelete, readBy, nameOf, setAbout, show }: Props) => {
    const { userId } = useSignedIn();
    const [problem, setProblem] = useState<string>();
    const isOwn = message.senderId === userId;
    const attempt = (verb: Promise<unknown>) =>
      void verb.then(
        () => setProblem(undefined),
        (error: Error) => setProblem(error.message),
      );
    const react = (key: string, present: boolean) => attempt(chat.react(message.id, key, present));

    return (
      <li
        class={`message${isOwn ? ' own' : ''}${isFirst ? ' first' : ''}${message.messageType === 'system' ? ' system' : ''}`}
        tabIndex={isLast ? 0 : -1}
        data-sequence={message.sequence}
      >
        {isFirst && !isOwn && <span class="sender">{nameOf(message.senderId)}</span>}
        <div class="bubble">
          {message.replyTo && <Quoted quote={message.replyTo} nameOf={nameOf} show={show} />}
          {message.deletedAt ? (
            <p class="deleted">This message was deleted.</p>
          ) : (
            <Text message={message} nameOf={nameOf} />
          )}
          <p class="meta">
            <time dateTime={message.sentAt} title={longTime(message.sentAt)}>
              {shortTime(message.sentAt)}
            </time>
            {message.editedAt && !message.deletedAt && <span>edited</span>}
            {isOwn && !message.deletedAt && <State message={message} readBy={readBy} />}
          </p>
          {!message.deletedAt && message.sequence !== undefined && (
            <MessageActions
              mayEdit={isOwn}
              mayDelete={mayDelete}
              react={(key) => react(key, true)}
              reply={() => setAbout({ kind: 'reply', message })}
              edit={() => setAbout({ kind: 'edit', message })}
              remove={() => attempt(chat.delete(message.id))}
              markUnread={isOwn ? undefined : () => attempt(chat.markUnread(message.sequence ?? 0))}
            />
          )}
        </div>
        <Reactions reactions={message.reactions ?? []} userId={userId} nameOf={nameOf} react={react} />
        {message.failure && (
          <p class="failure" role="alert">
            Not sent: {inWords(message.failure.code)}.{' '}
            <button type="button" class="link" onClick={message.failure.retry}>
              Try again
            </button>{' '}
            <button type="button" class="link" onClick={message.failure.discard}>
              Discard
            </button>
          </p>
        )}
        {problem && <p role="alert">{problem}</p>}
      </li>
    );
  },
);

/** As text, whatever is in it; those who are mentioned are set off. */
function Text({ message: { content, mentions }, nameOf }: { message: ChatMessage; nameOf: NameOf }) {
  const names = [...(mentions?.userIds.map(nameOf) ?? []), ...(mentions?.everyone ? ['everyone'] : [])];
  if (names.length === 0) return <p class="text">{content}</p>;
  const parts = content.split(mentionOf(names));
  // biome-ignore lint/suspicious/noArrayIndexKey: where a part stands is all that it is known by
  return <p class="text">{parts.map((part, at) => (at % 2 === 1 ? <mark key={at}>{part}</mark> : part))}</p>;
}

interface QuotedProps {
  quote: Quote;
  nameOf: NameOf;
  show(sequence: number): void;
}

function Quoted({ quote, nameOf, show }: QuotedProps) {
  if ('deleted' in quote) return <p class="quote">A deleted message</p>;
  return (
    <button type="button" class="quote" onClick={() => show(quote.sequence)}>
      <b>{nameOf(quote.senderId)}</b> {quote.preview}
    </button>
  );
}

const states = {
  queued: ['◷', 'waiting to be sent'],
  sending: ['◷', 'being sent'],
  accepted: ['✓', 'accepted'],
  saved: ['✓', 'saved'],
  failed: ['!', 'not sent'],
} as const;

function State({ message, readBy }: { message: ChatMessage; readBy: number }) {
  const [sign, words] =
    readBy > 0 ? ['✓✓', readBy === 1 ? 'read' : `read by ${readBy}`] : states[message.state];
  return (
    <span class={`state ${readBy > 0 ? 'read' : message.state}`} role="img" aria-label={words} title={words}>
      {sign}
    </span>
  );
}

interface ReactionsProps {
  reactions: readonly Reaction[];
  userId: string;
  nameOf: NameOf;
  react(key: string, present: boolean): void;
}

function Reactions({ reactions, userId, nameOf, react }: ReactionsProps) {
  if (reactions.length === 0) return null;
  return (
    <ul class="reactions" aria-label="Reactions">
      {reactions.map(({ key, count, userIds, own }) => {
        const isOwn = own ?? userIds.includes(userId);
        const names = userIds.map((each) => (each === userId ? 'you' : nameOf(each))).join(', ');
        return (
          <li key={key}>
            <button
              type="button"
              aria-pressed={isOwn}
              aria-label={`${key} ${count}: ${names}`}
              title={names}
              onClick={() => react(key, !isOwn)}
            >
              {key} {count}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
