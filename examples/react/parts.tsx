import type { ReactNode } from 'react';

export function Field(props: { label: string; value: string; type?: string; onChange(value: string): void }) {
  const { label, onChange, ...rest } = props;
  return (
    <input
      aria-label={label}
      placeholder={label}
      {...rest}
      onChange={({ target }) => onChange(target.value)}
    />
  );
}

export function Button({ children, onClick }: { children: ReactNode; onClick(): void }) {
  return (
    <button type="button" onClick={onClick}>
      {children}
    </button>
  );
}

export const Badge = ({ count }: { count: number }) =>
  count > 0 ? <mark>{count > 99 ? '99+' : count}</mark> : null;
