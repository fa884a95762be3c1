/** The first letters of a name, on a colour of its own. Decoration: the name stands beside it. */
export function Avatar({ name, online = false }: { name: string; online?: boolean }) {
  const initials = name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase();
  return (
    <span class={`avatar hue-${hueOf(name)}`} aria-hidden="true">
      {initials}
      {online && <span class="online" />}
    </span>
  );
}

const hueOf = (name: string): number =>
  [...name].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0) % 6;
