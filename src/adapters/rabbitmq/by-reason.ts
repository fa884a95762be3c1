const mostNamed = 10;

/** A line for each reason, with the first of those it holds for. */
export function byReason(all: readonly (readonly [label: string, reason: string | undefined])[]): string[] {
  const reasons = Map.groupBy(all, ([, reason]) => reason);
  return [...reasons].flatMap(([reason, of]) => {
    if (reason === undefined) return [];
    const more = of.length > mostNamed ? ` and ${of.length - mostNamed} more` : '';
    const labels = of.slice(0, mostNamed).map(([label]) => label);
    return [`${labels.join(', ')}${more}: ${reason}`];
  });
}
