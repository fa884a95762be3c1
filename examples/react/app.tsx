import type { ChatItem } from '@confab/client';
import { ConfabProvider, useChats, useClient, useConnection, useUnread, useUser } from '@confab/client/react';
import { type FormEvent, useState } from 'react';
import { Chat } from './chat.tsx';
import { Badge, Button, Field } from './parts.tsx';
import { type Session, signIn } from './session.ts';

export function App({ url }: { url: string }) {
  const [session, setSession] = useState<Session>();
  if (!session) return <SignIn url={url} onSignedIn={setSession} />;
  return (
    <ConfabProvider client={session.client}>
      <Chats findUser={session.findUser} />
    </ConfabProvider>
  );
}

function SignIn({ url, onSignedIn }: { url: string; onSignedIn(session: Session): void }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState('');
  const enter = (isNew: boolean) =>
    signIn(url, { email, password }, isNew).then(onSignedIn, (error: Error) => setProblem(error.message));
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <Field label="Email" value={email} onChange={setEmail} />
      <Field label="Password" type="password" value={password} onChange={setPassword} />
      <Button onClick={() => enter(false)}>Sign in</Button>
      <Button onClick={() => enter(true)}>Sign up</Button>
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
          <Field label="Chat with (email)" value={email} onChange={setEmail} />
        </form>
        {items.map((chat) => (
          <Button key={chat.id} onClick={() => setChatId(chat.id)}>
            {nameOf(chat, user?.id)} <Badge count={chat.membership.unreadCount} />
          </Button>
        ))}
        {hasMore && <Button onClick={loadMore}>More chats</Button>}
      </nav>
      {chatId && <Chat key={chatId} chatId={chatId} />}
    </>
  );
}

const nameOf = ({ name, participants }: ChatItem, ownId?: string) =>
  name ?? participants.find(({ userId }) => userId !== ownId)?.displayName;
