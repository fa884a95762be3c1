import type { ChatItem, ChatMessage } from '@confab/client';
import {
  ConfabProvider,
  useChats,
  useClient,
  useConnection,
  useMessages,
  useSend,
  useStore,
  useTyping,
  useUnread,
  useUser,
} from '@confab/client/react';
import { type FormEvent, memo, useState } from 'react';
import { type Session, signIn } from './session.ts';

export function App() {
  const [session, setSession] = useState<Session>();
  if (!session) return <SignIn onSignedIn={setSession} />;
  return (
    <ConfabProvider client={session.client}>
      <Chats findUser={session.findUser} />
    </ConfabProvider>
  );
}

function SignIn({ onSignedIn }: { onSignedIn(session: Session): void }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState('');
  const enter = (isNew: boolean) =>
    signIn(email, password, isNew).then(onSignedIn, (error: Error) => setProblem(error.message));
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <input placeholder="Email" value={email} onChange={({ target }) => setEmail(target.value)} />
      <input
        placeholder="Password"
        type="password"
        value={password}
        onChange={({ target }) => setPassword(target.value)}
      />
      <button type="submit" onClick={() => enter(false)}>
        Sign in
      </button>
      <button type="button" onClick={() => enter(true)}>
        Sign up
      </button>
      <p role="alert">{problem}</p>
    </form>
  );
}

function Chats({ findUser }: Pick<Session, 'findUser'>) {
  const { items, hasMore, loadMore } = useChats();
  const user = useUser();
  const unread = useUnread();
  const { state } = useConnection();
  const client = useClient();
  const [chatId, setChatId] = useState<string>();
  const [email, setEmail] = useState('');
  async function start(event: FormEvent) {
    event.preventDefault();
    const other = await findUser(email);
    if (other) setChatId((await client.createChat({ participantUserIds: [other.id] })).id);
  }
  return (
    <>
      <nav>
        <h1>
          {user?.displayName} ({state}) <Badge count={unread.chats} />
        </h1>
        <form onSubmit={start}>
          <input
            placeholder="Chat with (email)"
            value={email}
            onChange={({ target }) => setEmail(target.value)}
          />
        </form>
        {items.map((chat) => (
          <button type="button" key={chat.id} onClick={() => setChatId(chat.id)}>
            {nameOf(chat, user?.id)} <Badge count={chat.membership.unreadCount} />
          </button>
        ))}
        {hasMore && (
          <button type="button" onClick={loadMore}>
            More chats
          </button>
        )}
      </nav>
      {chatId && (
        <main key={chatId}>
          <Messages chatId={chatId} />
          <Composer chatId={chatId} />
        </main>
      )}
    </>
  );
}

const Badge = ({ count }: { count: number }) =>
  count > 0 ? <mark>{count > 99 ? '99+' : count}</mark> : null;

const nameOf = ({ name, participants }: ChatItem, ownId?: string) =>
  name ?? participants.find(({ userId }) => userId !== ownId)?.displayName;

export function Messages({ chatId }: { chatId: string }) {
  const { items, hasBefore, loadBefore } = useMessages(chatId, { markRead: true });
  return (
    <ol>
      {hasBefore && (
        <button type="button" onClick={loadBefore}>
          Older ones
        </button>
      )}
      {items.map((message) => (
        <Message key={message.clientMessageId} message={message} />
      ))}
    </ol>
  );
}

/** Rendered again when the message is another object: of 1,000 those alone that have changed. */
const Message = memo(function Message({ message }: { message: ChatMessage }) {
  const { id, chatId, content, state, failure, reactions = [] } = message;
  const chat = useClient().chat(chatId);
  const isOwn = useUser()?.id === message.senderId;
  const [edited, setEdited] = useState<string>();
  const liked = reactions.some(({ key, own }) => key === '👍' && own);
  function save(event: FormEvent) {
    event.preventDefault();
    setEdited(undefined);
    if (edited) chat.edit(id, { content: edited });
  }
  if (message.deletedAt) return <li>(deleted)</li>;
  if (edited !== undefined)
    return (
      <li>
        <form onSubmit={save}>
          <input aria-label="Edit" value={edited} onChange={({ target }) => setEdited(target.value)} />
        </form>
      </li>
    );
  return (
    <li>
      <span>{content}</span> {message.editedAt && '(edited)'}
      {isOwn && <small>{failure ? `not sent: ${failure.code}` : state}</small>}
      {failure && (
        <button type="button" onClick={failure.retry}>
          Try again
        </button>
      )}
      <button type="button" aria-pressed={liked} onClick={() => chat.react(id, '👍', !liked)}>
        👍 {reactions.map(({ count }) => count)}
      </button>
      {isOwn && (
        <button type="button" onClick={() => setEdited(content)}>
          Edit
        </button>
      )}
      {isOwn && (
        <button type="button" onClick={() => chat.delete(id)}>
          Delete
        </button>
      )}
    </li>
  );
});

function Composer({ chatId }: { chatId: string }) {
  const { userIds, keystroke, stop } = useTyping(chatId);
  const { draft } = useClient().chat(chatId);
  const content = useStore(draft);
  const send = useSend(chatId);
  function submit(event: FormEvent) {
    event.preventDefault();
    if (content.trim() === '') return;
    send({ content });
    draft.set('');
  }
  function write(text: string) {
    draft.set(text);
    if (text) keystroke();
    else stop();
  }
  return (
    <form onSubmit={submit}>
      <p role="status">{userIds.length > 0 && 'Somebody types …'}</p>
      <input placeholder="Message" value={content} onChange={({ target }) => write(target.value)} />
    </form>
  );
}
