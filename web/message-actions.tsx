import { useLayoutEffect, useRef, useState } from 'preact/hooks';

const emoji = [
  ['👍', 'thumbs up'],
  ['❤️', 'heart'],
  ['😂', 'tears of joy'],
  ['🎉', 'party'],
  ['😮', 'surprise'],
  ['😢', 'sadness'],
  ['🙏', 'thanks'],
  ['👀', 'eyes'],
] as const;

interface Props {
  mayEdit: boolean;
  mayDelete: boolean;
  react(key: string): void;
  reply(): void;
  edit(): void;
  remove(): void;
  markUnread: (() => void) | undefined;
}

/** What can be done with a message; seen while it has the pointer or the focus. */
export function MessageActions({ mayEdit, mayDelete, react, reply, edit, remove, markUnread }: Props) {
  const [asks, setAsks] = useState<'emoji' | 'delete'>();
  const group = useRef<HTMLFieldSetElement>(null);
  // What had the focus is gone: it goes to what came in its place, and with the answer back to the message.
  useLayoutEffect(() => {
    if (asks) group.current?.querySelector('button')?.focus();
  }, [asks]);
  const done = (verb: () => void) => () => {
    group.current?.closest<HTMLElement>('.message')?.focus();
    setAsks(undefined);
    verb();
  };

  return (
    <fieldset
      ref={group}
      class={asks ? 'actions open' : 'actions'}
      aria-label="Do something with this message"
    >
      {asks === 'emoji' ? (
        emoji.map(([key, name]) => (
          <button key={key} type="button" aria-label={name} onClick={done(() => react(key))}>
            {key}
          </button>
        ))
      ) : asks === 'delete' ? (
        <button type="button" onClick={done(remove)}>
          Delete for everybody
        </button>
      ) : (
        <>
          <button type="button" onClick={() => setAsks('emoji')}>
            React
          </button>
          <button type="button" onClick={reply}>
            Reply
          </button>
          {mayEdit && (
            <button type="button" onClick={edit}>
              Edit
            </button>
          )}
          {mayDelete && (
            <button type="button" onClick={() => setAsks('delete')}>
              Delete
            </button>
          )}
          {markUnread && (
            <button type="button" onClick={markUnread}>
              Unread
            </button>
          )}
        </>
      )}
      {asks && (
        <button type="button" onClick={done(() => {})}>
          Cancel
        </button>
      )}
    </fieldset>
  );
}
