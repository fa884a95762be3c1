import type { ChatMessage } from '@confab/client';
import { useClient, useMessages, useSend, useStore, useTyping, useUser } from '@confab/client/react';
import { type FormEvent, memo, useState } from 'react';
import { Button, Field } from './parts.tsx';

export function Chat({ chatId }: { chatId: string }) {
  return (
    <main>
      <Messages chatId={chatId} />
      <Composer chatId={chatId} />
    </main>
  );
}

function Messages({ chatId }: { chatId: string }) {
  const { items, hasBefore, loadBefore } = useMessages(chatId, { markRead: true });
  const ownId = useUser()?.id;
  return (
    <>
      {hasBefore && <Button onClick={loadBefore}>Older ones</Button>}
      <ol>
        {items.map((message) => (
          <Message key={message.clientMessageId} message={message} isOwn={message.senderId === ownId} />
        ))}
      </ol>
    </>
  );
}

/** Rendered again when the message is another object: of 1,000 those alone that have changed. */
const Message = memo(function Message({ message, isOwn }: { message: ChatMessage; isOwn: boolean }) {
  const { id, chatId, content, state, failure, reactions = [] } = message;
  const chat = useClient().chat(chatId);
  const [edited, setEdited] = useState<string>();
  const [problem, setProblem] = useState('');
  const tell = (error: Error) => setProblem(error.message);
  const liked = reactions.some(({ key, own }) => key === '👍' && own);
  function save(event: FormEvent) {
    event.preventDefault();
    setEdited(undefined);
    if (edited) chat.edit(id, { content: edited }).catch(tell);
  }
  if (message.deletedAt) return <li>(deleted)</li>;
  if (edited !== undefined)
    return (
      <li>
        <form onSubmit={save}>
          <Field label="New text" value={edited} onChange={setEdited} />
        </form>
      </li>
    );
  return (
    <li>
      <span>{content}</span> {message.editedAt && '(edited)'}
      {isOwn && <small>{failure ? `not sent: ${failure.code}` : state}</small>}
      {failure && <Button onClick={failure.retry}>Try again</Button>}
      <Button onClick={() => chat.react(id, '👍', !liked).catch(tell)}>
        👍 {reactions.map(({ count }) => count)}
      </Button>
      {isOwn && <Button onClick={() => setEdited(content)}>Edit</Button>}
      {isOwn && <Button onClick={() => chat.delete(id).catch(tell)}>Delete</Button>}
      {problem && <p role="alert">{problem}</p>}
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
      <Field label="Message" value={content} onChange={write} />
    </form>
  );
}
