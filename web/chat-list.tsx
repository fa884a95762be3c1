import type { ChatItem, ConnectionStatus, UserPresence } from '@confab/client';
import { memo } from 'preact/compat';
import { useMemo, useState } from 'preact/hooks';
import { Avatar } from './avatar.tsx';
import { inWords, otherOf, shortTime, titleOf } from './names.ts';
import { NewChat } from './new-chat.tsx';
import { signInSecondPerson } from './session.ts';
import { useSignedIn } from './signed-in.ts';
import { useStore } from './use-store.ts';
import { useVerb } from './use-verb.ts';

interface Props {
  openChatId: string | undefined;
  open(chatId: string): void;
  signOut(): Promise<void>;
}

/** The server says so in the page: where people try it, not in production. */
const offersSecondPerson = 'secondPerson' in document.documentElement.dataset;

export function ChatList({ openChatId, open, signOut }: Props) {
  const { client, userId } = useSignedIn();
  const { items, hasMore, loading } = useStore(client.chats);
  const status = useStore(client.status);
  const me = useStore(client.user);
  const others = items.flatMap((chat) => otherOf(chat, userId) ?? []).slice(0, 100);
  const presence = useStore(useMemo(() => client.presence.watch(others), [client, others.join()]));
  const [isNew, setIsNew] = useState(false);

  const [meetSecond, second] = useVerb(async () => {
    const profile = crypto.getRandomValues(new Uint32Array(1)).join();
    // Opened before anything is waited for: browsers let a click open a window, and nothing that comes later.
    window.open(`?as=${profile}`, '_blank', 'popup,width=480,height=800');
    const otherId = await signInSecondPerson(profile);
    open((await client.createChat({ participantUserIds: [otherId] })).id);
  });

  return (
    <nav class="chats" aria-label="Chats">
      <header>
        <Avatar name={me?.displayName ?? ''} />
        <h1>{me?.displayName ?? 'Confab'}</h1>
        <button type="button" onClick={() => setIsNew(true)}>
          New chat
        </button>
      </header>
      <p class="status" role="status">
        {words(status)}
      </p>
      {second.problem && <p role="alert">{second.problem}</p>}
      <ul>
        {items.map((chat) => (
          <ChatRow
            key={chat.id}
            chat={chat}
            userId={userId}
            isOpen={chat.id === openChatId}
            other={presence.get(otherOf(chat, userId) ?? '')}
          />
        ))}
      </ul>
      {hasMore && (
        <button type="button" class="link" disabled={loading} onClick={() => void client.chats.loadMore()}>
          More chats
        </button>
      )}
      {items.length === 0 && !loading && (
        <p class="hint">No chats yet.{offersSecondPerson && ' Nobody to talk to? Make a second person.'}</p>
      )}
      <footer>
        {offersSecondPerson && (
          <button type="button" disabled={second.busy} onClick={meetSecond}>
            Open a window as a second person
          </button>
        )}
        <button type="button" class="link" onClick={() => void signOut()}>
          Sign out
        </button>
      </footer>
      {isNew && <NewChat opened={open} close={() => setIsNew(false)} />}
    </nav>
  );
}

interface RowProps {
  chat: ChatItem;
  userId: string;
  isOpen: boolean;
  other: UserPresence | undefined;
}

const ChatRow = memo(({ chat, userId, isOpen, other }: RowProps) => {
  const { lastMessage, membership } = chat;
  const { unreadCount, unreadMentionCount } = membership;
  const title = titleOf(chat, userId);
  const count = unreadCount > 99 ? '99+' : String(unreadCount);
  return (
    <li>
      <a href={`#${chat.id}`} aria-current={isOpen ? 'page' : undefined}>
        <Avatar name={title} online={other?.online ?? false} />
        <span class="title">
          {membership.pinnedAt && (
            <span role="img" aria-label="Pinned">
              📌{' '}
            </span>
          )}
          {title}
          {other?.online && <span class="unseen">, online</span>}
        </span>
        <time dateTime={chat.lastActivityAt}>{shortTime(chat.lastActivityAt)}</time>
        <span class="preview">
          {lastMessage?.deletedAt ? <i>Deleted</i> : lastMessage?.content.slice(0, 100)}
        </span>
        <span class="badges">
          {unreadMentionCount > 0 && (
            <span class="badge" role="img" aria-label="mentions you">
              @
            </span>
          )}
          {unreadCount > 0 && (
            <span class="badge" role="img" aria-label={`${count} unread`}>
              {count}
            </span>
          )}
        </span>
      </a>
    </li>
  );
});

/** Nothing to say while all is well. */
function words({ state, code }: ConnectionStatus): string {
  switch (state) {
    case 'connecting':
      return 'Connecting …';
    case 'offline':
      return 'Offline: what you write is sent later.';
    case 'refused':
      return `The server refuses the connection: ${inWords(code ?? 'sign in again')}.`;
    default:
      return '';
  }
}
