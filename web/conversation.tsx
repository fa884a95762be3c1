import type { ChatHandle } from '@confab/client';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { About } from './about.ts';
import { ChatDetails } from './chat-details.tsx';
import { Composer } from './composer.tsx';
import { MessageList } from './message-list.tsx';
import { type NameOf, namesOf, otherOf, shortTime, titleOf } from './names.ts';
import { useSignedIn } from './signed-in.ts';
import { useStore } from './use-store.ts';

export function Conversation({ chat, close }: { chat: ChatHandle; close(): void }) {
  const { userId } = useSignedIn();
  const info = useStore(chat.info);
  const participants = useStore(chat.participants);
  const [about, setAbout] = useState<About>();
  const [showsDetails, setShowsDetails] = useState(false);
  const nameOf = useMemo(() => namesOf(participants), [participants]);
  useEffect(() => void chat.participants.load().catch(() => {}), [chat]);

  function editLast(): void {
    const message = chat.messages
      .getSnapshot()
      .items.findLast((each) => each.senderId === userId && each.state === 'saved' && !each.deletedAt);
    if (message) setAbout({ kind: 'edit', message });
  }

  const title = info ? titleOf(info, userId) : '';
  return (
    <main class="conversation" aria-label={title}>
      <header>
        <button type="button" class="back" onClick={close} aria-label="Back to the chats">
          ‹
        </button>
        <h2>{title}</h2>
        <Presence chat={chat} />
        <button type="button" disabled={!info} onClick={() => setShowsDetails(true)}>
          Details
        </button>
      </header>
      <MessageList chat={chat} nameOf={nameOf} setAbout={setAbout} />
      <Typing chat={chat} nameOf={nameOf} />
      <Composer
        key={about?.kind === 'edit' ? about.message.id : ''}
        chat={chat}
        participants={participants}
        about={about}
        setAbout={setAbout}
        editLast={editLast}
      />
      {showsDetails && info && (
        <ChatDetails
          chat={chat}
          info={info}
          participants={participants}
          left={close}
          close={() => setShowsDetails(false)}
        />
      )}
    </main>
  );
}

function Presence({ chat }: { chat: ChatHandle }) {
  const { client, userId } = useSignedIn();
  const info = useStore(chat.info);
  const other = info && otherOf(info, userId);
  const presence = useStore(useMemo(() => client.presence.watch(other ? [other] : []), [client, other])).get(
    other ?? '',
  );
  if (info?.isGroup) return <p>{info.participantCount} people</p>;
  return (
    <p>
      {presence?.online
        ? 'online'
        : presence?.lastSeenAt
          ? `last seen ${shortTime(presence.lastSeenAt)}`
          : ''}
    </p>
  );
}

function Typing({ chat, nameOf }: { chat: ChatHandle; nameOf: NameOf }) {
  const typing = useStore(chat.typing).map(nameOf);
  return (
    <p class="typing" role="status">
      {typing.length > 0 && `${typing.join(', ')} ${typing.length === 1 ? 'is' : 'are'} typing …`}
    </p>
  );
}
