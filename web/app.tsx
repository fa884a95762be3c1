import { type ConfabClient, createClient } from '@confab/client';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ChatList } from './chat-list.tsx';
import { Conversation } from './conversation.tsx';
import { type Sessions, server } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { SignedInProvider } from './signed-in.ts';
import { useStore } from './use-store.ts';

export function App({ sessions }: { sessions: Sessions }) {
  const userId = useStore(sessions)?.user.id;
  return userId === undefined ? (
    <SignIn sessions={sessions} />
  ) : (
    <Chats key={userId} userId={userId} sessions={sessions} />
  );
}

function Chats({ userId, sessions }: { userId: string; sessions: Sessions }) {
  const client = useMemo(
    () => createClient({ url: server, getToken: sessions.getToken }),
    [userId, sessions],
  );
  useEffect(() => {
    client.connect();
    return () => client.disconnect();
  }, [client]);
  const [chatId, open] = useOpenChat();
  useTitle(client);

  // The server has ended the session.
  const { code } = useStore(client.status);
  useEffect(() => {
    if (code === 'session_revoked') void signOut();
  }, [code]);

  async function signOut() {
    open(undefined);
    const ended = sessions.signOut();
    await client.reset();
    await ended;
  }

  return (
    <SignedInProvider value={useMemo(() => ({ client, userId, sessions }), [client, userId, sessions])}>
      <div class={chatId === undefined ? 'app' : 'app with-chat'}>
        <ChatList openChatId={chatId} open={open} signOut={signOut} />
        {chatId === undefined ? (
          <main class="empty">
            <p>Choose a chat, or begin one.</p>
          </main>
        ) : (
          <Conversation key={chatId} chat={client.chat(chatId)} close={() => open(undefined)} />
        )}
      </div>
    </SignedInProvider>
  );
}

/** The chat that the address names, so that a reload, a bookmark and the way back find it. */
function useOpenChat(): [chatId: string | undefined, open: (chatId: string | undefined) => void] {
  const read = () => location.hash.slice(1) || undefined;
  const [chatId, setChatId] = useState(read);
  useEffect(() => {
    const follow = () => setChatId(read());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return [chatId, (id) => (location.hash = id ?? '')];
}

function useTitle(client: ConfabClient): void {
  const { chats } = useStore(client.unread);
  useEffect(() => {
    document.title = chats === 0 ? 'Confab' : `(${chats}) Confab`;
  }, [chats]);
}
