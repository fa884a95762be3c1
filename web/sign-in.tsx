import { useState } from 'preact/hooks';
import type { Sessions } from './session.ts';
import { useVerb } from './use-verb.ts';

export function SignIn({ sessions }: { sessions: Sessions }) {
  const [isNew, setIsNew] = useState(false);
  const [enter, { busy, problem }] = useVerb(async (form: FormData) => {
    const field = (name: string) => String(form.get(name) ?? '');
    const account = { email: field('email'), password: field('password') };
    await (isNew ? sessions.signUp({ ...account, displayName: field('name') }) : sessions.signIn(account));
  });
  const title = isNew ? 'Sign up' : 'Sign in';

  return (
    <main class="sign-in">
      <form
        class="fields"
        aria-labelledby="sign-in-title"
        onSubmit={(event) => {
          event.preventDefault();
          enter(new FormData(event.currentTarget));
        }}
      >
        <h1 id="sign-in-title">{title}</h1>
        {isNew && (
          <label>
            Your name
            <input name="name" autocomplete="name" maxLength={100} />
          </label>
        )}
        <label>
          Email
          <input name="email" type="email" autocomplete="username" required />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autocomplete={isNew ? 'new-password' : 'current-password'}
            minLength={8}
            required
          />
        </label>
        {problem && <p role="alert">{problem}</p>}
        <button type="submit" class="primary" disabled={busy}>
          {title}
        </button>
        <button type="button" class="link" onClick={() => setIsNew(!isNew)}>
          {isNew ? 'I have an account' : 'I am new here'}
        </button>
      </form>
    </main>
  );
}
