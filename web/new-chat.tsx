import { Dialog } from './dialog.tsx';
import { findUsers } from './find-users.ts';
import { useSignedIn } from './signed-in.ts';
import { useVerb } from './use-verb.ts';

interface Props {
  opened(chatId: string): void;
  close(): void;
}

export function NewChat({ opened, close }: Props) {
  const { client, sessions } = useSignedIn();
  const [begin, { busy, problem }] = useVerb(async (form: FormData) => {
    const participantUserIds = await findUsers(sessions, String(form.get('emails')));
    const name = String(form.get('name')).trim();
    const chat = await client.createChat({ participantUserIds, ...(name === '' ? {} : { name }) });
    opened(chat.id);
    close();
  });

  return (
    <Dialog title="New chat" close={close}>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault();
          begin(new FormData(event.currentTarget));
        }}
      >
        <label>
          Emails of the others, with commas between them
          <input name="emails" required />
        </label>
        <label>
          Name, for a group
          <input name="name" maxLength={200} />
        </label>
        {problem && <p role="alert">{problem}</p>}
        <button type="submit" class="primary" disabled={busy}>
          Begin
        </button>
      </form>
    </Dialog>
  );
}
