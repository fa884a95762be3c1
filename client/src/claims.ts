/** Whose token it is, as far as it says so; it is not checked. */
export function subjectOf(token: string): string | undefined {
  try {
    const [, payload = ''] = token.split('.');
    const { iss, sub } = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')));
    return typeof sub === 'string' ? `${iss ?? ''}/${sub}` : undefined;
  } catch {
    return undefined;
  }
}
