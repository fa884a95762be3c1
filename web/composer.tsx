import type { ChatHandle, Participant } from '@confab/client';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { About } from './about.ts';
import { candidatesFor, mentionsIn, withMention } from './mentions.ts';
import { useSignedIn } from './signed-in.ts';
import { useStore } from './use-store.ts';

interface Props {
  chat: ChatHandle;
  participants: readonly Participant[];
  about: About | undefined;
  setAbout(about: About | undefined): void;
  editLast(): void;
}

/** Where a message is written: Enter sends it, Shift and Enter is a new line, Escape gives up what it was about. */
export function Composer({ chat, participants, about, setAbout, editLast }: Props) {
  const { userId } = useSignedIn();
  const info = useStore(chat.info);
  const draft = useStore(chat.draft);
  const isEdit = about?.kind === 'edit';
  const [edited, setEdited] = useState(isEdit ? about.message.content : '');
  const [problem, setProblem] = useState<string>();
  const [caret, setCaret] = useState(0);
  const [chosen, setChosen] = useState(0);
  const field = useRef<HTMLTextAreaElement>(null);
  const text = isEdit ? edited : draft;
  const setText = isEdit ? setEdited : chat.draft.set;
  const people = participants.filter((each) => each.userId !== userId);
  const candidates = candidatesFor(text.slice(0, caret), people, info?.isGroup === true);

  // Before anybody can type where the field was.
  useLayoutEffect(() => field.current?.focus(), [about]);

  function send(): void {
    const content = text;
    if (content.trim() === '') return;
    const mentions = mentionsIn(content, people);
    chat.stopTyping();
    if (isEdit) {
      // What is refused stays in the field.
      const done = () => setAbout(undefined);
      chat
        .edit(about.message.id, { content, mentions })
        .then(done, (error: Error) => setProblem(error.message));
      return;
    }
    const replyTo = about && { replyTo: about.message.id };
    chat.send({
      content,
      ...replyTo,
      ...(mentions.userIds.length > 0 || mentions.everyone ? { mentions } : {}),
    });
    setText('');
    setAbout(undefined);
  }

  function choose(name: string): void {
    const [next, at] = withMention(text, caret, name);
    setText(next);
    setCaret(at);
    setChosen(0);
    requestAnimationFrame(() => field.current?.setSelectionRange(at, at));
    field.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const picked = candidates[Math.min(chosen, candidates.length - 1)];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (picked && step) setChosen((chosen + step + candidates.length) % candidates.length);
    else if (picked && (event.key === 'Enter' || event.key === 'Tab')) choose(picked);
    else if (event.key === 'Enter' && !event.shiftKey) send();
    else if (event.key === 'Escape' && about) setAbout(undefined);
    else if (event.key === 'ArrowUp' && text === '') editLast();
    else return;
    event.preventDefault();
  }

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {about && (
        <p class="about">
          {isEdit ? 'Editing' : 'Answering'}: {about.message.content.slice(0, 80)}
          <button type="button" class="link" onClick={() => setAbout(undefined)}>
            Cancel
          </button>
        </p>
      )}
      {problem && <p role="alert">{problem}</p>}
      {candidates.length > 0 && (
        <div id="mentioned" role="listbox" aria-label="Whom to mention" class="candidates">
          {candidates.map((name, at) => (
            <div
              key={name}
              id={`mentioned-${at}`}
              role="option"
              tabIndex={-1}
              aria-selected={at === chosen}
              onMouseDown={(event) => {
                event.preventDefault();
                choose(name);
              }}
            >
              @{name}
            </div>
          ))}
        </div>
      )}
      <textarea
        ref={field}
        rows={1}
        maxLength={8_000}
        aria-label="Message"
        placeholder="Message"
        aria-controls={candidates.length > 0 ? 'mentioned' : undefined}
        aria-activedescendant={candidates.length > 0 ? `mentioned-${chosen}` : undefined}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setCaret(event.currentTarget.selectionStart);
          chat.keystroke();
        }}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
        onKeyDown={onKeyDown}
        onBlur={() => chat.stopTyping()}
      />
      <button type="submit" class="primary">
        {isEdit ? 'Save' : 'Send'}
      </button>
    </form>
  );
}
