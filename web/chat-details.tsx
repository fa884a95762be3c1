import type { ChatHandle, ChatItem, Participant, ParticipantRole } from '@confab/client';
import { useState } from 'preact/hooks';
import { Dialog } from './dialog.tsx';
import { findUsers } from './find-users.ts';
import { useSignedIn } from './signed-in.ts';
import { useVerb } from './use-verb.ts';

interface Props {
  chat: ChatHandle;
  info: ChatItem;
  participants: readonly Participant[];
  /** After somebody has left the chat. */
  left(): void;
  close(): void;
}

/** Who is in the chat, and what may be set for it. What one's role does not allow the server refuses, in words that are shown. */
export function ChatDetails({ chat, info, participants, left, close }: Props) {
  const { userId, sessions } = useSignedIn();
  const [run, { busy, problem }] = useVerb((verb: () => Promise<unknown>) => verb());
  const [isSure, setIsSure] = useState(false);
  const own = participants.find((each) => each.userId === userId)?.role ?? 'member';
  const leads = info.isGroup && own !== 'member';
  const { pinnedAt, archivedAt, notify } = info.membership;
  const leaving = (verb: () => Promise<unknown>) => () =>
    run(async () => {
      await verb();
      close();
      left();
    });

  return (
    <Dialog title="Details" close={close}>
      {problem && <p role="alert">{problem}</p>}
      <fieldset disabled={busy}>
        <legend>For you</legend>
        <label class="check">
          <input
            type="checkbox"
            checked={pinnedAt !== null}
            onChange={() => run(() => chat.setMembership({ pinned: pinnedAt === null }))}
          />
          Pinned
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={archivedAt !== null}
            onChange={() => run(() => chat.setMembership({ archived: archivedAt === null }))}
          />
          Archived
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={notify === 'none'}
            onChange={() => run(() => chat.setMembership({ notify: notify === 'none' ? 'all' : 'none' }))}
          />
          Quiet
        </label>
      </fieldset>
      <h3>People</h3>
      <ul>
        {participants.map((each) => (
          <Person
            key={each.userId}
            person={each}
            isSelf={each.userId === userId}
            maySetRole={info.isGroup && own === 'owner'}
            mayRemove={leads && each.userId !== userId && (own === 'owner' || each.role === 'member')}
            setRole={(role) => run(() => chat.setRole(each.userId, role))}
            remove={() => run(() => chat.removeParticipant(each.userId))}
          />
        ))}
      </ul>
      {leads && (
        <>
          <OneField
            label="Email of somebody to add"
            verb="Add"
            submit={(emails) => run(async () => chat.addParticipants(await findUsers(sessions, emails)))}
          />
          <OneField
            label="Name of the group"
            verb="Rename"
            value={info.name ?? ''}
            submit={(name) => run(() => chat.update({ name: name.trim() || null }))}
          />
        </>
      )}
      {info.isGroup && (
        <p class="buttons">
          <button type="button" disabled={busy} onClick={leaving(() => chat.leave())}>
            Leave
          </button>
          {own === 'owner' && (
            <button
              type="button"
              class="danger"
              disabled={busy}
              onClick={isSure ? leaving(() => chat.deleteChat()) : () => setIsSure(true)}
            >
              {isSure ? 'Yes, delete it for everybody' : 'Delete for everybody'}
            </button>
          )}
        </p>
      )}
    </Dialog>
  );
}

interface PersonProps {
  person: Participant;
  isSelf: boolean;
  maySetRole: boolean;
  mayRemove: boolean;
  setRole(role: ParticipantRole): void;
  remove(): void;
}

function Person({ person, isSelf, maySetRole, mayRemove, setRole, remove }: PersonProps) {
  const { displayName, role } = person;
  return (
    <li class="person">
      <span>
        {displayName}
        {isSelf && ' (you)'}
      </span>
      {maySetRole ? (
        <select
          aria-label={`Role of ${displayName}`}
          value={role}
          onChange={(event) => setRole(event.currentTarget.value as ParticipantRole)}
        >
          <option>owner</option>
          <option>admin</option>
          <option>member</option>
        </select>
      ) : (
        <span>{role}</span>
      )}
      {mayRemove && (
        <button type="button" aria-label={`Remove ${displayName}`} onClick={remove}>
          Remove
        </button>
      )}
    </li>
  );
}

interface OneFieldProps {
  label: string;
  verb: string;
  value?: string;
  submit(text: string): void;
}

function OneField({ label, verb, value = '', submit }: OneFieldProps) {
  return (
    <form
      class="one-field"
      onSubmit={(event) => {
        event.preventDefault();
        submit(String(new FormData(event.currentTarget).get('text')));
      }}
    >
      <label>
        {label}
        <input name="text" defaultValue={value} />
      </label>
      <button type="submit">{verb}</button>
    </form>
  );
}
